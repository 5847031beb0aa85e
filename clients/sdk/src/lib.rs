//! Speak to the network from Rust: deploy, call, send, verify.
//!
//! # The problem
//! A client trusts one thing, the hash of a network's block 0, and nobody it talks to: not the node, which may
//! lie about the chain; not the worker, which may be somebody's program that only looks like one; not the
//! wire. So everything the client acts on is proven first, and what it says is sealed to a key that a proof
//! named.
//!
//! ```text
//! network   where a network is, and its genesis: the directory that `phala up` leaves
//! client    follow the chain by proof: newest finalised block, workers, programs, anchors
//! account   who signs: sr25519 keys, key files, addresses
//! submit    an extrinsic on its way into a finalised block, and what came of it
//! cluster   found a cluster and give it workers
//! custodian a recovery custodian's keys, and their file
//! recovery  backups of key shares by proof, and a ceremony's steps
//! deploy    a component becomes a program that answers
//! programs  find programs by id, prefix or name
//! call      an encrypted query, and its receipt
//! send      a sealed command, ordered by the chain, and its receipt
//! credit    what commands cost, who pays, and stake on programs
//! logs      what a program wrote, for its owner
//! balances  what an account owns, and what of it is free, held or frozen
//! pools     stake pools and vaults, positions in them, queues
//! yields    what a pool earns, estimated
//! work      sessions of workers, and what they are owed
//! staking   validators and nominators
//! governance referenda, bodies, elections, the treasury
//! bounties  what the treasury pays for work
//! fee       what a call would cost, before it is sent
//! verify    a receipt, offline
//! ```
//!
//! # Properties
//! - An answer is handed out only with a receipt whose signature, hashes, program, code and state were checked.
//! - A request is sealed to a key that a storage proof at a recent finalised block names.
//! - Every error says what to do about it: [`Hint`].

mod account;
mod balances;
mod bounties;
mod call;
mod client;
mod cluster;
mod complaints;
mod credit;
mod custodian;
mod custody;
mod deploy;
mod fee;
mod governance;
mod logs;
mod moves;
pub mod network;
mod pools;
mod programs;
mod recovery;
mod refusals;
mod rpc;
mod send;
mod staking;
mod submit;
mod verify;
mod work;
mod yields;

pub use account::{
    AccountError, KeyPair, SS58_PREFIX, address, is_development, parse_address, read_key_file, read_key_file_address,
    write_key_file,
};
pub use balances::{Balances, MULTISIG_SIGNERS_MAX, hold_name, lock_name, multisig_account};
pub use bounties::{BountyState, TipState};
pub use call::{Answer, CallError, Problem, Query, ReceiptError, Streamed};
pub use client::{AccountState, ChainError, Client, HEAD_AGE_MS_MAX, Head, now};
pub use cluster::{ClusterError, assign_worker_call, create_cluster_call, unassign_worker_call};
pub use complaints::Complaint;
pub use credit::{CommandCost, ProgramCredit, ProgramStake};
pub use custodian::{CustodianError, CustodianFile, CustodianKeys};
pub use custody::{Consent, CustodyState, Guard, Root, approve_call, bond_call};
pub use deploy::{DeployError, Deployed, Deployment, Step};
pub use fee::{Estimate, call_hash, code_hash};
pub use governance::{Body, Elections, MotionState, ReferendumState, TreasuryState, passing};
pub use logs::{LogLine, LogsError};
pub use moves::{LiveRoot, RotateError, Rotated, Rotation, Upgrade, Upgraded};
pub use network::{Network, NetworkError};
pub use pools::{PoolState, Position, QueuedRequest, pool_account};
pub use programs::{Listed, ResolveError};
pub use recovery::{RecoveryError, RecoveryState, SeatCheck, SeatState};
pub use rpc::HttpRpc;
pub use send::{Command, CommandEstimate, SendError, Sent};
pub use staking::{StakeState, ValidatorState};
pub use submit::{Applied, Pending, SubmitError};
pub use verify::{Demands, VerifyError, verify};
pub use work::{WorkState, WorkTerms};
pub use yields::Yearly;

/// An error that knows what its reader can do.
pub trait Hint: std::error::Error {
    /// One sentence in the imperative, or None where there is nothing to do.
    fn hint(&self) -> Option<String>;
}

/// An error and its causes in one line, each cause once.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
