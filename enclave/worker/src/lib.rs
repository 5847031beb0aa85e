//! Be a worker: assignments, inbox, queries, anchors.
//!
//! # The problem
//! A machine that nobody trusts shall run programs whose data nobody may read, and whose answers anybody can
//! verify. Inside its TEE runs this crate; everything outside, the disk, the clock, the network, the node, is
//! a port that may lie, stall or die. What any machine of the network does, whatever its role, is in `phala-machine`:
//! identity, sealed blobs, registration.
//!
//! # The journeys, and where they pass
//! ```text
//! query          query · streaming ─► authorize ─► limits ─► (engine) ─► receipts
//! command        assignments ─► inbox ─► keeper ─► command ─► (engine) ─► (state) ─► anchors ─► results
//! copy           (state) ─► ledger ─► shipping ─► │ other worker │ ─► copies ─► ledger ─► (disk)
//! ```
//! | file | knows |
//! |---|---|
//! | `custody` | where program keys come from |
//! | `assignments`, `view` | following the chain, what queries see of it |
//! | `programs`, `artifacts`, `keeper` | one program's life |
//! | `moves`, `carried` | how a program takes another key, and what goes along |
//! | `inbox`, `command`, `overlay`, `anchors`, `results` | commands, from the chain and back to it |
//! | `cluster`, `lead` | who leads a cluster, and when another one does |
//! | `ledger`, `shipping`, `copies` | every program's state on the disks of the workers that stand by |
//! | `benchmark`, `heartbeat` | how fast this machine is, and that it is there |
//! | `query`, `streaming`, `authorize`, `transcripts`, `receipts` | queries |
//! | `limits`, `logs`, `problem` | how much at once; what programs say; what a worker says instead of an answer |
//!
//! # Properties
//! - A program's state changes only through finalised commands, in order, without gaps or repeats.
//! - A worker serves only the state whose root is the newest finalised anchor, only while its own admission holds, and
//!   only while what it knows of the chain is recent.
//! - A version is anchored only once every worker that stands by and answers in time holds it.
//! - Of two processes with one identity at most one goes on: the one that registered last.
//! - No input panics it; every refusal has a name that stays.

pub mod anchors;
mod artifacts;
pub mod assignments;
pub mod authorize;
pub mod benchmark;
pub mod carried;
pub mod cluster;
pub mod command;
pub mod copies;
pub mod custody;
pub mod heartbeat;
pub mod inbox;
pub mod keeper;
pub mod lead;
pub mod ledger;
pub mod limits;
pub mod logs;
pub mod moves;
pub mod overlay;
pub mod problem;
pub mod programs;
pub mod query;
pub mod receipts;
pub mod results;
pub mod shipping;
mod standby;
pub mod streaming;
pub mod transcripts;
pub mod view;
pub mod worker;

pub use limits::Places;
pub use problem::Problem;
pub use worker::{Config, Ports, Worker};
