//! Be an enclave's host: time, chance, the TEE, a disk for sealed blobs, the chain's RPC, sockets.
//!
//! No rule lives here. Workers and gatekeepers get from the operating system what their ports ask for.
//!
//! | file | gives |
//! |---|---|
//! | `system` | time, chance, the TEE |
//! | `vault` | sealed blobs on a disk |
//! | `rpc`, `courier` | the chain; other machines |
//! | `server` | sockets, and ending them gracefully |
//! | `harden` | no core dumps, no debugger |
//! | `process` | all of it together: arguments, log, TEE, how a process ends |

pub mod courier;
pub mod harden;
pub mod process;
pub mod rpc;
pub mod server;
pub mod system;
pub mod vault;
