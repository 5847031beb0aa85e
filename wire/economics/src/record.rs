//! Pools as the chain keeps them, and as clients read them.
//!
//! # Words
//! *free*: PHA in the pool's account that no worker has staked. *at work*: PHA in it that one has. *queue*: requests for withdrawal,
//! oldest first; their shares still stand in the ledger, and earn and lose as all others. *overdue*: waiting for so long that
//! workers are stopped for it.

use crate::{Commission, HighWater, SharePool, Shares};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_messages::{Account, PoolId};
use phala_units::{BlockNumber, Planck};
use scale_info::TypeInfo;

/// What a pool does with what it is given.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum PoolKind {
    /// Stakes it on workers.
    #[codec(index = 0)]
    StakePool,
    /// Gives it to stake pools.
    #[codec(index = 1)]
    Vault,
}

/// A request's number in its pool: those of a smaller one are paid first. It never changes and never returns.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct RequestId(pub u64);

impl RequestId {
    /// The one after it.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}

/// A queue of withdrawals, without the requests themselves.
///
/// # Invariant `front <= overdue <= back`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Queue {
    /// No request before this one stands.
    pub front: RequestId,
    /// Requests before this one are overdue.
    pub overdue: RequestId,
    /// The next request's.
    pub back: RequestId,
    /// Shares of all requests.
    pub shares: Shares,
    /// Shares of those that are overdue.
    pub shares_overdue: Shares,
    /// Whether the pool stands in the line of those that the sweep comes by. It does while anybody waits.
    pub in_line: bool,
}

/// A stake pool or a vault.
///
/// # Invariant A stake pool's value is what it has free and at work. A vault's value is what it has free, and the worth of its shares
/// of stake pools when it was last settled; it has nothing at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PoolRecord {
    /// Which of the two.
    pub kind: PoolKind,
    /// Who decides. It never changes.
    pub owner: Account,
    /// Shares, and what they divide.
    pub ledger: SharePool,
    /// PHA that is not at work.
    pub free: Planck,
    /// PHA that is staked on workers.
    pub at_work: Planck,
    /// What the owner takes.
    pub commission: Commission,
    /// The highest price that a vault's owner has taken a part at.
    pub mark: HighWater,
    /// How much the pool takes in, without what is asked back. None: as much as comes.
    pub cap: Option<Planck>,
    /// Whether it takes contributions.
    pub open: bool,
    /// How many accounts are listed; if any are, only these, and the owner, may contribute.
    pub listed: u32,
    /// Who waits.
    pub queue: Queue,
}

/// Someone's shares of one pool.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Holding {
    /// Theirs to ask back or to give away.
    pub free: Shares,
    /// In the queue.
    pub queued: Shares,
}

impl Holding {
    /// All of them.
    pub const fn shares(&self) -> Shares {
        Shares(self.free.0.saturating_add(self.queued.0))
    }
}

/// One place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Request {
    /// Whose shares.
    pub holder: Account,
    /// The vault, if the holder is the account of one.
    pub vault: Option<PoolId>,
    /// How many are still waiting.
    pub shares: Shares,
    /// Since when.
    pub since: BlockNumber,
}
