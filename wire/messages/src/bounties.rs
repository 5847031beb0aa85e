//! What the treasury pays for work: bounties, which a curator looks after, and tips, whose size the council's members settle.
//!
//! ```text
//! bounty: Propose ─► Approve ─► (funded) ─► ProposeCurator ─► AcceptCurator ─► Award ─► (delay) ─► Claim
//! tip:    Report or New ─► Tip by more than half of the council ─► (countdown) ─► Close: the middle of what they said
//! ```
//!
//! Types of the pallets' own, encoded as they encode them; the runtime's tests hold each against the runtime.

use crate::{
    calls::Address,
    ids::{Account, Hash},
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use sp_crypto_hashing::blake2_256;

/// Calls of `pallet-bounties`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Bounties {
    /// Proposes one, for a deposit.
    #[codec(index = 0)]
    Propose {
        /// Planck, of the treasury.
        #[codec(compact)]
        amount: u128,
        /// What is to be done.
        description: Vec<u8>,
    },
    /// Who may spend so much approves it.
    #[codec(index = 1)]
    Approve {
        /// Which.
        #[codec(compact)]
        bounty: u32,
    },
    /// Who may spend so much proposes who looks after it.
    #[codec(index = 2)]
    ProposeCurator {
        /// Which.
        #[codec(compact)]
        bounty: u32,
        /// Who.
        curator: Address,
        /// Planck of the bounty that the curator gets.
        #[codec(compact)]
        fee: u128,
    },
    /// The curator gives it back, or it is taken from a curator who does nothing.
    #[codec(index = 3)]
    UnassignCurator {
        /// Which.
        #[codec(compact)]
        bounty: u32,
    },
    /// The curator accepts, for a deposit.
    #[codec(index = 4)]
    AcceptCurator {
        /// Which.
        #[codec(compact)]
        bounty: u32,
    },
    /// The curator says who has earned it.
    #[codec(index = 5)]
    Award {
        /// Which.
        #[codec(compact)]
        bounty: u32,
        /// Who.
        beneficiary: Address,
    },
    /// Anyone has an awarded one paid out, after its delay.
    #[codec(index = 6)]
    Claim {
        /// Which.
        #[codec(compact)]
        bounty: u32,
    },
    /// The council cancels one.
    #[codec(index = 7)]
    Close {
        /// Which.
        #[codec(compact)]
        bounty: u32,
    },
    /// The curator says that work goes on.
    #[codec(index = 8)]
    Extend {
        /// Which.
        #[codec(compact)]
        bounty: u32,
        /// What goes on.
        remark: Vec<u8>,
    },
}

/// Calls of `pallet-tips`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Tips {
    /// Reports something worth a tip, for a deposit and a part of the tip.
    #[codec(index = 0)]
    Report {
        /// What.
        reason: Vec<u8>,
        /// Whose.
        who: Address,
    },
    /// Whoever reported it takes that back.
    #[codec(index = 1)]
    Retract {
        /// Its name.
        tip: Hash,
    },
    /// A member of the council suggests a tip.
    #[codec(index = 2)]
    New {
        /// What for.
        reason: Vec<u8>,
        /// For whom.
        who: Address,
        /// Planck.
        #[codec(compact)]
        amount: u128,
    },
    /// A member of the council says how large it should be.
    #[codec(index = 3)]
    Tip {
        /// Its name.
        tip: Hash,
        /// Planck.
        #[codec(compact)]
        amount: u128,
    },
    /// Anyone has one paid whose countdown is over.
    #[codec(index = 4)]
    Close {
        /// Its name.
        tip: Hash,
    },
}

/// The name of a tip: `blake2b-256(blake2b-256(reason) ‖ who)`.
pub fn tip_name(reason: &[u8], who: &Account) -> Hash {
    Hash(blake2_256(&(blake2_256(reason), who).encode()))
}

/// How far a bounty is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BountyStatus {
    /// It waits for approval.
    #[codec(index = 0)]
    Proposed,
    /// It waits for the treasury's next spending.
    #[codec(index = 1)]
    Approved,
    /// It waits for a curator.
    #[codec(index = 2)]
    Funded,
    /// Somebody is asked to be its curator.
    #[codec(index = 3)]
    CuratorProposed {
        /// Who.
        curator: Account,
    },
    /// It can be earned.
    #[codec(index = 4)]
    Active {
        /// Who looks after it.
        curator: Account,
        /// The block by which the curator says something.
        update_due: u32,
    },
    /// It was awarded.
    #[codec(index = 5)]
    PendingPayout {
        /// Who looked after it.
        curator: Account,
        /// Who has earned it.
        beneficiary: Account,
        /// The block from which on it can be claimed.
        unlock_at: u32,
    },
    /// It waits for the treasury's next spending, and has a curator.
    #[codec(index = 6)]
    ApprovedWithCurator {
        /// Who.
        curator: Account,
    },
}

/// A bounty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bounty {
    /// Who proposed it.
    pub proposer: Account,
    /// Planck in all.
    pub value: u128,
    /// Planck of that for the curator.
    pub fee: u128,
    /// Planck that the curator put up.
    pub curator_deposit: u128,
    /// Planck that the proposer put up.
    pub bond: u128,
    /// How far it is.
    pub status: BountyStatus,
}

/// A tip that is being settled.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenTip {
    /// Hash of what it is for.
    pub reason: Hash,
    /// For whom.
    pub who: Account,
    /// Who found it.
    pub finder: Account,
    /// Planck that the finder put up.
    pub deposit: u128,
    /// The block from which on it can be paid.
    pub closes: Option<u32>,
    /// What members of the council said, Planck.
    pub tips: Vec<(Account, u128)>,
    /// Whether the finder gets a part.
    pub finders_fee: bool,
}
