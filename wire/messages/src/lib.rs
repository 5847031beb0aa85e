//! Say things: the words and bytes that chain, workers and clients agree on.
//!
//! # The problem
//! A registration is made by a worker, judged by the chain, stored, proven to a client and named in a
//! receipt. If each of these places had its own idea of its bytes, a difference between two ideas would
//! be a hole. Here is the only definition of each.
//!
//! # The words, in the order in which a network meets them
//! ```text
//! ids           worker, instance, program, code, cluster: 32 bytes each, never interchangeable
//! attested      what evidence said of a machine: TEE, trusted root, TCB status, measurement
//! registration  worker → chain: who I am, signed, with a quote over it
//! program       owner → chain: what to run and under which limits
//! collateral    anyone → chain: what Intel says about its platforms, signed by Intel
//! command       caller → chain → worker: a sealed request, ordered
//! query         caller → worker: whom I ask, and who I am
//! transcript    how requests and responses are hashed
//! anchor        worker → chain: after so many commands my state is this
//! moves         owner, worker → chain: other code, another key; the state lies under it now
//! lead          worker → chain: who of a cluster leads
//! copies        worker → worker: a program's sealed state, for the day the lead dies
//! custody       gatekeeper → chain: how key shares are made, handed on and delivered
//! computation   worker ↔ chain: scores, challenges, heartbeats; anyone → chain: proofs of faults
//! credit        anyone → chain: stake on a program, credit for its commands
//! recovery      gatekeeper, custodian → chain: backups of key shares, and the ceremony that brings them back
//! release       worker → gatekeeper: a part of a program's key, and what is noted down of it
//! refusal       chain → worker: why a message is not taken
//! address       hosts and URLs, as people write them
//! receipt       worker → caller: this answer came from that code, state and machine
//! pools         holders → chain: make a pool of stake, give it PHA, take it back
//! holders       holders → chain: stake, vote, vest, act for others
//! bounties      holders ↔ chain: what the treasury pays for work
//! ledgers       chain → holders: what FRAME's own pallets keep of them
//! calls         the same, as extrinsics of the runtime
//! storage       the same, as keys in the chain's state
//! limits        how large each may be
//! ```
//!
//! # Properties
//! - Every type decodes or refuses; no bytes panic it.
//! - Every encoded type has golden bytes in `tests/vectors/`; changing them is a visible diff.
//! - What is signed is domain-separated and names the network by its genesis hash.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod address;
pub mod anchor;
pub mod attested;
pub mod bounties;
pub mod calls;
pub mod collateral;
pub mod command;
pub mod computation;
pub mod copies;
pub mod credit;
pub mod custody;
pub mod holders;
pub mod ids;
pub mod lead;
pub mod ledgers;
pub mod limits;
pub mod moves;
pub mod pools;
pub mod program;
pub mod query;
pub mod receipt;
pub mod recovery;
pub mod refusal;
pub mod registration;
pub mod release;
pub mod storage;
pub mod transcript;

pub use anchor::{Anchor, AnchorRecord, ResultLeaf};
pub use attested::{Attested, Measurement, Root, TcbStatus, Tee};
pub use command::{CommandRecord, SealedCommand};
pub use ids::{
    Account, BlockHash, ClusterId, CodeHash, CustodianKey, GenesisHash, Hash, InstanceKey, ParticipantKey, PoolId,
    ProgramId, StateRoot, TransportKey, WorkerId,
};
pub use lead::LeadRecord;
pub use moves::{CodeEpoch, Keep, KeyName, KeyRecord};
pub use program::{ClusterRecord, Manifest, ProgramLimits, ProgramRecord, ProgramStatus};
pub use receipt::{AnchorRef, CommandProof, Receipt, SignedReceipt, Subject};
pub use refusal::Refusal;
pub use registration::{BlockRef, Registration, Role, WorkerRecord};

/// Bytes of an Ed25519 signature.
pub type Signature = [u8; 64];
