//! What FRAME's own pallets keep of people and their PHA, as clients read it by proof.
//!
//! Each type has the shape of the pallet's own, which the runtime's tests hold it against. They are only read: the chain writes its own.

use crate::{
    holders::{Person, ProxyType},
    ids::{Account, Hash, WorkerId},
};
use alloc::vec::Vec;
use codec::{Decode, Encode, Error, Input};

/// A part of an account's PHA that stays, for the time being: it can vote and be staked, not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Lock {
    /// Who locked it: eight characters.
    pub id: [u8; 8],
    /// Planck. Locks lie over each other, they are not added.
    pub amount: u128,
    /// 0: it pays no fees; 1: it pays fees and nothing else; 2: neither.
    pub reasons: u8,
}

/// A part of an account's PHA that is held for something: a deposit, a bond, a stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    /// The pallet's index in the runtime.
    pub pallet: u8,
    /// What for, as the pallet counts.
    pub reason: u8,
    /// Planck.
    pub amount: u128,
}

/// PHA that is freed block by block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VestingSchedule {
    /// Planck, at the beginning.
    pub locked: u128,
    /// Planck that are freed in each block.
    pub per_block: u128,
    /// The block after which it begins.
    pub from: u32,
}

impl VestingSchedule {
    /// What is not free yet in block `now`.
    pub fn locked_at(&self, now: u32) -> u128 {
        let freed = self.per_block.max(1).saturating_mul(now.saturating_sub(self.from).into());
        self.locked.saturating_sub(freed)
    }

    /// The first block in which all of it is free.
    pub fn end(&self) -> u32 {
        let blocks = self.locked.div_ceil(self.per_block.max(1));
        self.from.saturating_add(u32::try_from(blocks).unwrap_or(u32::MAX))
    }
}

/// Who may act for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProxyDefinition {
    /// Who.
    pub delegate: Account,
    /// As what.
    pub kind: ProxyType,
    /// Blocks between announcing and doing.
    pub delay_blocks: u32,
}

/// What a registrar found of what somebody says of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Judgement {
    /// Nothing.
    Unknown,
    /// It was paid for looking: Planck.
    FeePaid(u128),
    /// It seems right.
    Reasonable,
    /// It is right.
    KnownGood,
    /// It was right.
    OutOfDate,
    /// It is too vague.
    LowQuality,
    /// It is wrong.
    Erroneous,
}

/// Who an account says that it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IdentityRecord {
    /// What registrars found, by their number.
    pub judgements: Vec<(u32, Judgement)>,
    /// Planck, held for it.
    pub deposit: u128,
    /// What it says.
    pub person: Person,
}

/// A call that waits for others to agree.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MultisigCall {
    /// Block in which it was first made.
    pub height: u32,
    /// Extrinsic in that block.
    pub index: u32,
    /// Planck, held from who was first.
    pub deposit: u128,
    /// Who was first.
    pub depositor: Account,
    /// Who has agreed, the first among them.
    pub approvals: Vec<Account>,
}

/// A worker of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PoolWorker {
    /// Which.
    pub worker: WorkerId,
    /// Planck that it has at work.
    pub stake: u128,
}

/// PHA on its way out of a stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Unlocking {
    /// Planck.
    #[codec(compact)]
    pub amount: u128,
    /// The era from which on it can be withdrawn.
    #[codec(compact)]
    pub era: u32,
}

/// A stake behind validators.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StakeLedger {
    /// Whose.
    pub stash: Account,
    /// Planck in all.
    #[codec(compact)]
    pub total: u128,
    /// Planck that count.
    #[codec(compact)]
    pub active: u128,
    /// What is on its way out.
    pub unlocking: Vec<Unlocking>,
    /// Written by older versions only.
    pub claimed_before: Vec<u32>,
}

/// How somebody validates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ValidatorPrefs {
    /// Parts per thousand million that the validator keeps of its nominators' rewards.
    #[codec(compact)]
    pub commission_ppb: u32,
    /// Whether nobody may nominate it.
    pub blocked: bool,
}

/// Whom somebody nominates.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Nominations {
    /// Validators.
    pub targets: Vec<Account>,
    /// The era of the choice.
    pub submitted_in: u32,
    /// Unused.
    pub suppressed: bool,
}

/// When a stake was slashed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SlashingSpans {
    /// The current span.
    pub index: u32,
    /// The era that it began in.
    pub last_start: u32,
    /// The era of the last slash that took something.
    pub last_slash: u32,
    /// Spans before it.
    pub prior: Vec<u32>,
}

/// The era that is being paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ActiveEra {
    /// Its number.
    pub index: u32,
    /// When it began, Unix milliseconds.
    pub start: Option<u64>,
}

/// What validators did in an era.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EraPoints {
    /// Of all.
    pub total: u32,
    /// Of each.
    pub individual: Vec<(Account, u32)>,
}

/// What stood behind a validator in an era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Exposure {
    /// Planck in all.
    #[codec(compact)]
    pub total: u128,
    /// Planck of its own.
    #[codec(compact)]
    pub own: u128,
    /// How many nominated it.
    pub nominators: u32,
    /// Pages that rewards are paid out in.
    pub pages: u32,
}

/// A call that is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Proposed {
    /// By its hash; written by older versions only.
    #[codec(index = 0)]
    Legacy {
        /// Blake2b-256.
        hash: Hash,
    },
    /// Itself, encoded.
    #[codec(index = 1)]
    Inline(Vec<u8>),
    /// By its hash; its bytes are noted as a preimage.
    #[codec(index = 2)]
    Lookup {
        /// Blake2b-256.
        hash: Hash,
        /// Its length.
        bytes: u32,
    },
}

/// What a referendum takes to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Threshold {
    /// Far more ayes than nays, the more so the fewer vote.
    #[codec(index = 0)]
    SuperMajorityApprove,
    /// Far more nays than ayes make it fail.
    #[codec(index = 1)]
    SuperMajorityAgainst,
    /// More ayes than nays.
    #[codec(index = 2)]
    SimpleMajority,
}

/// Votes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tally {
    /// For, in votes: Planck times conviction.
    pub ayes: u128,
    /// Against.
    pub nays: u128,
    /// Planck that vote, without conviction.
    pub turnout: u128,
}

/// A referendum.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Referendum {
    /// The vote is open.
    #[codec(index = 0)]
    Ongoing {
        /// The block that ends it.
        end: u32,
        /// What is voted on.
        proposal: Proposed,
        /// What it takes to pass.
        threshold: Threshold,
        /// Blocks from the vote's end to the effect.
        delay_blocks: u32,
        /// Votes so far.
        tally: Tally,
    },
    /// It is over.
    #[codec(index = 1)]
    Finished {
        /// Whether it passed.
        approved: bool,
        /// When.
        end: u32,
    },
}

/// A proposal of somebody, and what it is about: its number, the call, and who.
pub type PublicProposal = (u32, Proposed, Account);

/// How an account voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastVote {
    /// One way.
    Standard {
        /// For it.
        aye: bool,
        /// 0 to 6.
        conviction: u8,
        /// Planck.
        balance: u128,
    },
    /// Both ways, without conviction.
    Split {
        /// Planck for it.
        aye: u128,
        /// Planck against it.
        nay: u128,
    },
}

impl Encode for CastVote {
    fn encode_to<O: codec::Output + ?Sized>(&self, out: &mut O) {
        match *self {
            Self::Standard { aye, conviction, balance } => {
                (0u8, conviction | if aye { 0x80 } else { 0 }, balance).encode_to(out);
            }
            Self::Split { aye, nay } => (1u8, aye, nay).encode_to(out),
        }
    }
}

impl Decode for CastVote {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        match input.read_byte()? {
            0 => {
                let vote = input.read_byte()?;
                let (aye, conviction) = (vote & 0x80 != 0, vote & 0x7f);
                if conviction > 6 {
                    return Err("no such conviction".into());
                }
                Ok(Self::Standard { aye, conviction, balance: u128::decode(input)? })
            }
            1 => Ok(Self::Split { aye: u128::decode(input)?, nay: u128::decode(input)? }),
            _ => Err("no such vote".into()),
        }
    }
}

/// Votes that others lent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Delegations {
    /// Planck times conviction.
    pub votes: u128,
    /// Planck.
    pub capital: u128,
}

/// PHA that stays locked for votes of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PriorLock {
    /// The block that frees it.
    pub until: u32,
    /// Planck.
    pub amount: u128,
}

/// How an account votes in referenda.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Voting {
    /// By itself.
    #[codec(index = 0)]
    Direct {
        /// Votes by the number of the referendum.
        votes: Vec<(u32, CastVote)>,
        /// What others lent it.
        delegations: Delegations,
        /// Locked for votes of the past.
        prior: PriorLock,
    },
    /// Somebody else votes for it.
    #[codec(index = 1)]
    Delegating {
        /// With so much, Planck.
        balance: u128,
        /// Who.
        target: Account,
        /// 0 to 6.
        conviction: u8,
        /// What others lent it.
        delegations: Delegations,
        /// Locked for votes of the past.
        prior: PriorLock,
    },
}

/// A motion of a body.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Motion {
    /// Its number.
    pub number: u32,
    /// How many must agree.
    pub threshold: u32,
    /// Who agreed.
    pub ayes: Vec<Account>,
    /// Who did not.
    pub nays: Vec<Account>,
    /// The block that ends it.
    pub end: u32,
}

/// A seat, and what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Seat {
    /// Whose.
    pub who: Account,
    /// Planck of votes.
    pub backing: u128,
    /// Planck, held from who sits there.
    pub deposit: u128,
}

/// Whom somebody wants in the council.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ElectionVote {
    /// Whom.
    pub candidates: Vec<Account>,
    /// With how much, Planck.
    pub stake: u128,
    /// Planck, held for it.
    pub deposit: u128,
}

/// Code that may replace the chain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuthorizedUpgrade {
    /// Blake2b-256 of the code.
    pub code_hash: Hash,
    /// Whether it must name a higher version of the same runtime.
    pub checks_version: bool,
}

/// A spend from the treasury.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Spend {
    /// Who granted it; a body's or a referendum's has the beneficiary here.
    pub proposer: Account,
    /// Planck.
    pub amount: u128,
    /// To whom.
    pub beneficiary: Account,
    /// Planck, held for it.
    pub bond: u128,
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::DecodeAll;

    #[test]
    fn vesting_frees_block_by_block_until_its_end() {
        let schedule = VestingSchedule { locked: 100, per_block: 30, from: 10 };
        let locked: Vec<_> = [0, 10, 11, 13, 14, u32::MAX].map(|now| schedule.locked_at(now)).into();
        assert_eq!(locked, [100, 100, 70, 10, 0, 0]);
        assert_eq!(schedule.end(), 14);
        assert_eq!(VestingSchedule { per_block: 0, ..schedule }.end(), 110, "nothing stands still for ever");
    }

    #[test]
    fn a_vote_survives_being_written_and_read_and_no_other_byte_is_one() {
        for vote in [
            CastVote::Standard { aye: true, conviction: 6, balance: 1 },
            CastVote::Standard { aye: false, conviction: 0, balance: u128::MAX },
            CastVote::Split { aye: 3, nay: 4 },
        ] {
            assert_eq!(CastVote::decode_all(&mut &vote.encode()[..]), Ok(vote));
        }
        for bytes in [[0, 7], [0, 0x87], [2, 0]] {
            assert!(CastVote::decode(&mut &[&bytes[..], &[0; 16]].concat()[..]).is_err(), "{bytes:?}");
        }
    }
}
