//! Be a machine of the network, whatever its role: who it is, what it keeps, how it is counted in.
//!
//! # The problem
//! Workers and gatekeepers run inside TEEs on machines that nobody trusts. Both need an identity that survives, keys
//! that do not, sealed blobs on somebody else's disk, a chain that they follow by proof, and evidence that they
//! renew. This crate is that common part; everything outside is a port that may lie, stall or die.
//!
//! ```text
//! identity ─► registration ─► (chain) ─► trail ─► standing
//! ```
//! | file | knows |
//! |---|---|
//! | `ports` | what comes from outside |
//! | `cabinet`, `identity` | what is kept sealed, who this is |
//! | `chain`, `trail`, `proofs` | speaking to the chain, where following it goes on, reading it |
//! | `courier` | sealed requests to other machines |
//! | `member`, `standing`, `registration` | being counted in, and staying so |
//! | `problem` | what a machine says instead of an answer |
//! | `task` | tasks that end with their owner |
//!
//! # Properties
//! - Of two processes with one identity at most one goes on: the one that registered last.
//! - A blob that is there but does not open is an error, never "nothing".

pub mod cabinet;
pub mod chain;
pub mod courier;
pub mod identity;
pub mod member;
pub mod ports;
pub mod problem;
pub mod proofs;
pub mod registration;
pub mod standing;
pub mod task;
pub mod trail;

pub use cabinet::{Cabinet, CabinetError};
pub use chain::{NodeSubmitter, SubmitError, Submitter};
pub use courier::{Courier, CourierError};
pub use identity::{Identity, IdentityError};
pub use member::{Member, Ports, StartError};
pub use ports::{Clock, Entropy, Machine, MachineError, Vault, VaultError};
pub use proofs::{NodeProofs, Proofs};
pub use standing::{Seen, Standing, Unfit};
