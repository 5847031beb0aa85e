//! Believe a chain: headers, GRANDPA justifications and storage proofs.
//!
//! # The problem
//! A worker inside its enclave, or a person with a receipt, hears of the chain only through nodes that
//! somebody else runs. Such a node may lie about anything. What it cannot do is sign in the name of the
//! chain's authorities.
//!
//! # The idea
//! Start from one thing that is trusted: the hash of block 0, or a checkpoint. The state of block 0 names
//! the first authorities; each set appoints the next; the set in office finalises blocks; a finalised
//! header holds the root of a state; a storage proof leads from that root to a value. Every step is checked here.
//!
//! ```text
//! header        what is kept of a block
//! authorities   whose signatures count
//! justification that more than two thirds of them finalised a block
//! handover      how a set appoints the next
//! proof         values of a state of which only the root is known
//! finalized     the wrapper around whatever came through these gates
//! checkpoint    where to start when not at genesis
//! rpc           what is asked of a node
//! route         which hand-overs lead to a block
//! follower      all of it, in motion
//! age           whether what is final is also recent
//! receipt       verify an answer offline, from genesis or a checkpoint
//! prove         collect what that needs
//! ```
//!
//! # Properties
//! - Nothing a node says changes what is believed, unless authorities in office signed it.
//! - No bytes panic; every list has a limit, checked before it is decoded.
//! - Here is no I/O, no clock and no randomness: calls go out through [`rpc::Rpc`], the time comes in as an argument.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod age;
pub mod authorities;
pub mod checkpoint;
pub mod finalized;
pub mod follower;
pub mod handover;
pub mod header;
pub mod justification;
pub mod proof;
mod prove;
pub mod receipt;
mod route;
pub mod rpc;

pub use age::check_age;
pub use authorities::AuthoritySet;
pub use checkpoint::Checkpoint;
pub use finalized::Finalized;
pub use follower::{FollowError, Follower};
pub use header::{Head, Header};
pub use prove::{ProveError, prove};
pub use receipt::{ChainProof, ReceiptBundle, Refusal, Trust, VerifiedReceipt, verify_receipt};
pub use rpc::{Rpc, RpcError};
