//! Serve one worker enclave: sockets, disk, clock, chain RPC.
//!
//! No rule lives here. What arrives is handed to `phala-enclave-worker`, what it answers is sent back; what it
//! needs from the operating system is given to it through its ports.
//!
//! | file | gives |
//! |---|---|
//! | `http`, `server`, `metrics` | the worker to the world |
//! | `rpc` | the chain |
//! | `disk` | sealed entries and blobs on a disk |
//! | `outbound` | fetches for programs, public addresses only |
//! | `system` | time, chance, the TEE |
//! | `harden` | no core dumps, no debugger |

pub mod disk;
pub mod harden;
pub mod http;
pub mod metrics;
pub mod outbound;
pub mod rpc;
pub mod server;
pub mod system;
