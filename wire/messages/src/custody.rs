//! Custody: how gatekeepers come to hold key shares, and what the chain keeps of it.
//!
//! The master key of a *root generation* is shared among the members of an *epoch*. A *round* makes the first epoch of a root
//! (its key is generated) or replaces an epoch by the next one (its key is handed on, to the same or to other
//! members: the old key shares are worth nothing beside the new ones).
//!
//! ```text
//! dealer  → chain: LogCommitment    this is the hash of my log, and so many of its shares stand open
//! player  → chain: Confirmation     I hold the logs of these dealers
//! player  → chain: OutputReport     from the selected logs I computed this
//! member  → chain: DeliveryBatch    so many key shares I delivered, under this Merkle root
//! ```
//! Logs themselves never stand on chain: they may hold shares.
//!
//! # Who signs
//! Each message is signed by the sender's current instance, over a domain of its own and the genesis hash. Only
//! [`Candidacy`] is signed by the gatekeeper's identity: it stands for longer than a process.

use crate::{
    Signature,
    ids::{Account, GenesisHash, Hash, ParticipantKey, WorkerId},
    limits::{COMPLAINT_EVIDENCE_BYTES_MAX, GATEKEEPERS_MAX},
    transcript::Preimage,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_units::{BlockNumber, Planck};
use scale_info::TypeInfo;

/// Bytes of a compressed point of G2, as public keys and commitments are.
pub const GROUP_POINT_BYTES: usize = 96;
/// Bytes of the longest polynomial in the exponent: as many points as the largest threshold.
pub const POLYNOMIAL_BYTES_MAX: u32 = threshold(GATEKEEPERS_MAX) * GROUP_POINT_BYTES as u32;

/// How many of `players` key shares are needed: all but the third that may fail, `n − ⌊(n−1)/3⌋`; zero for nobody.
pub const fn threshold(players: u32) -> u32 {
    players - players.saturating_sub(1) / 3
}

/// Rounds whose records the chain keeps, the newest among them: enough for a gatekeeper that was away for a few rounds to see what
/// happened.
pub const ROUNDS_KEPT: u64 = 16;

/// A set of dealers or players: bit `n` is the one at place `n` of its list.
pub type Places = u64;
/// Dealers or players, in order of their participant keys; a player's place is the index of its key share.
pub type Members = BoundedVec<Member, ConstU32<GATEKEEPERS_MAX>>;
/// The polynomial in the exponent: points of G2, compressed, constant term first.
pub type Polynomial = BoundedVec<u8, ConstU32<POLYNOMIAL_BYTES_MAX>>;
/// What proves a dealer's fault to those who were not there.
pub type ComplaintEvidence = BoundedVec<u8, ConstU32<COMPLAINT_EVIDENCE_BYTES_MAX>>;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $word:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, DecodeWithMemTracking,
            MaxEncodedLen, TypeInfo,
        )]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        pub struct $name(pub $inner);

        impl $name {
            /// The one after it; the last one stays.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    };
}

pub(crate) use number;

number!(
    /// An attempt at a round. A number is never used again, not even of a round that came to nothing.
    RoundNumber(u64), "round"
);
number!(
    /// A master key. All epochs of a generation have the same group key.
    RootGeneration(u32), "root"
);
number!(
    /// A sharing of a master key among certain members. Numbers go up over all generations.
    EpochNumber(u32), "epoch"
);

/// A master public key: a compressed point of G2.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct GroupKey(pub [u8; GROUP_POINT_BYTES]);

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({self})")
    }
}

/// A gatekeeper that deals or holds a key share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Member {
    /// The machine.
    pub gatekeeper: WorkerId,
    /// What it signs dealings and acknowledgements with.
    pub participant: ParticipantKey,
}

/// The place of a gatekeeper in a list. None when it is not in it.
pub fn place_of(members: &[Member], gatekeeper: &WorkerId) -> Option<u32> {
    members.iter().position(|member| member.gatekeeper == *gatekeeper).map(|place| place as u32)
}

/// Whether `place` is one of `places`.
pub const fn contains(places: Places, place: u32) -> bool {
    place < 64 && places >> place & 1 == 1
}

/// `places` and `place`.
pub const fn with(places: Places, place: u32) -> Places {
    if place < 64 { places | 1 << place } else { places }
}

/// The first `count` places.
pub const fn first_places(count: u32) -> Places {
    if count >= 64 { Places::MAX } else { (1 << count) - 1 }
}

/// What a round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Purpose {
    /// To make a new master key.
    #[codec(index = 0)]
    Generate,
    /// To hand a master key on: to the same members (a refresh) or to others.
    #[codec(index = 1)]
    Reshare,
}

/// Why a round came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Abandonment {
    /// Too few dealers committed to a log in time.
    #[codec(index = 0)]
    FewLogs,
    /// Too few logs are held by enough players.
    #[codec(index = 1)]
    FewConfirmed,
    /// Too few players reported the same output in time.
    #[codec(index = 2)]
    Disagreement,
    /// Its root was closed.
    #[codec(index = 3)]
    RootClosed,
}

/// Where a round stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Phase {
    /// Dealers deal and commit to their logs.
    #[codec(index = 0)]
    Dealing,
    /// Players say which logs they hold.
    #[codec(index = 1)]
    Confirming,
    /// Players report what they computed.
    #[codec(index = 2)]
    Reporting,
    /// It made an epoch.
    #[codec(index = 3)]
    Finished(EpochNumber),
    /// It came to nothing; another one, with another number, follows.
    #[codec(index = 4)]
    Abandoned(Abandonment),
}

impl Phase {
    /// Whether nothing more will happen in it.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Abandoned(_))
    }
}

/// A round, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RoundRecord {
    /// Which attempt.
    pub number: RoundNumber,
    /// What for.
    pub purpose: Purpose,
    /// Which master key.
    pub root: RootGeneration,
    /// The epoch whose members hand it on. None when it is generated.
    pub previous: Option<EpochNumber>,
    /// Who deals.
    pub dealers: Members,
    /// Who is to hold key shares.
    pub players: Members,
    /// How many of the players' key shares will be needed; also how many players must hold a log, and agree on an
    /// output.
    pub threshold: u32,
    /// How many logs it takes.
    pub logs_required: u32,
    /// Where it stands.
    pub phase: Phase,
    /// Block in which the phase ends, if it has not ended before.
    pub deadline: BlockNumber,
    /// Block in which it was opened.
    pub opened: BlockNumber,
    /// Players that said which logs they hold.
    pub confirmed: Places,
    /// Dealers whose logs count; known from the reporting phase on.
    pub selected: Places,
    /// Players that reported an output.
    pub reported: Places,
    /// Players that complained of a dealer.
    pub complained: Places,
}

/// One dealer's log, as the chain keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct LogRecord {
    /// Hash of the log.
    pub hash: Hash,
    /// Players whose shares stand open in it, because they did not acknowledge them.
    pub revealed: u32,
    /// Players that hold it.
    pub confirmed_by: Places,
}

/// The logs of a round by the dealer's place; None for a dealer without one.
pub type RoundLogs = BoundedVec<Option<LogRecord>, ConstU32<GATEKEEPERS_MAX>>;

/// An output that players reported, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct OutputRecord {
    /// Hash of the whole output.
    pub output_hash: Hash,
    /// The master public key.
    pub group_key: GroupKey,
    /// The polynomial in the exponent.
    pub polynomial: Polynomial,
    /// Players that reported it.
    pub reported_by: Places,
}

/// An epoch, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct EpochRecord {
    /// Which.
    pub epoch: EpochNumber,
    /// The round that made it.
    pub round: RoundNumber,
    /// Whose key it shares.
    pub root: RootGeneration,
    /// How many key shares give a program's key.
    pub threshold: u32,
    /// Who holds a key share.
    pub members: Members,
    /// The master public key.
    pub group_key: GroupKey,
    /// The polynomial in the exponent: from it follows the public half of each key share.
    pub polynomial: Polynomial,
    /// Hash of the round's whole output.
    pub output_hash: Hash,
    /// Block from which on it holds.
    pub since: BlockNumber,
}

/// Whether a root takes programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum RootStatus {
    /// It takes new programs.
    #[codec(index = 0)]
    Open,
    /// Its programs still run, and move to a newer root.
    #[codec(index = 1)]
    Closing,
    /// No program is left under it, and its key shares were given up.
    #[codec(index = 2)]
    Closed,
}

/// A root generation, as the chain keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RootRecord {
    /// Whether it takes programs.
    pub status: RootStatus,
    /// The master public key: it stays the same over all epochs.
    pub group_key: GroupKey,
    /// Its current epoch; the last one when it is closed.
    pub epoch: EpochNumber,
    /// Programs whose keys come from it.
    pub programs: u64,
    /// Block in which its key was made.
    pub opened: BlockNumber,
}

/// A gatekeeper that is a member or wants to be one, as the chain keeps it under its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct CandidateRecord {
    /// The machine.
    pub gatekeeper: WorkerId,
    /// What it deals with.
    pub participant: ParticipantKey,
    /// What is held of its account.
    pub bond: Planck,
    /// Whether governance approved it.
    pub approved: bool,
    /// Since when it wants to leave, or was expelled.
    pub leaving: Option<BlockNumber>,
    /// Since when it has been leaving and held no key share.
    pub left: Option<BlockNumber>,
}

/// The times and amounts of custody.
///
/// # Units
/// Blocks; `bond` in Planck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
pub struct Parameters {
    /// How many members are wanted. A root's first epoch waits for that many.
    pub members: u32,
    /// The fewest to which a key is handed on: below, the old epoch stays.
    pub members_min: u32,
    /// What a new candidate puts up.
    pub bond: Planck,
    /// Age at which an epoch is refreshed.
    pub refresh_blocks: u32,
    /// The longest that dealing may take.
    pub dealing_blocks: u32,
    /// The longest that confirming may take.
    pub confirming_blocks: u32,
    /// The longest that reporting may take.
    pub reporting_blocks: u32,
    /// Pause after a round that came to nothing.
    pub retry_blocks: u32,
    /// From leaving the last epoch until the bond is released: so long can a fault still be proven.
    pub release_blocks: u32,
}

impl Parameters {
    /// Seven members, refreshed each hour, with blocks of two seconds; nothing is asked as a bond.
    pub const DEFAULT: Self = Self {
        members: 7,
        members_min: 4,
        bond: Planck(0),
        refresh_blocks: 1_800,
        dealing_blocks: 30,
        confirming_blocks: 30,
        reporting_blocks: 30,
        retry_blocks: 5,
        release_blocks: 302_400,
    };

    /// Whether a network can live with them: at least two members, so that no key is ever in one hand, no more than
    /// a list holds, and time for everything.
    pub const fn are_sane(&self) -> bool {
        2 <= self.members_min
            && self.members_min <= self.members
            && self.members <= GATEKEEPERS_MAX
            && self.refresh_blocks > 0
            && self.dealing_blocks > 0
            && self.confirming_blocks > 0
            && self.reporting_blocks > 0
            && self.retry_blocks > 0
    }
}

/// What a gatekeeper says to this part of the chain.
pub trait CustodyMessage: Encode {
    /// The domain under which it is signed.
    const DOMAIN: &'static str;

    /// Which gatekeeper says it.
    fn sender(&self) -> WorkerId;

    /// The hash that is signed.
    ///
    /// # Shape
    /// SHA-256 of [`Self::DOMAIN`]` ‖ genesis ‖ SCALE(self)`.
    fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new(Self::DOMAIN).bytes(&genesis.0).bytes(&self.encode()).hash()
    }
}

/// A message and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Signed<M> {
    /// What is said.
    pub message: M,
    /// By the sender's current instance.
    pub signature: Signature,
}

macro_rules! message {
    ($name:ident, $domain:literal, $sender:ident) => {
        impl CustodyMessage for $name {
            const DOMAIN: &'static str = $domain;

            fn sender(&self) -> WorkerId {
                self.$sender
            }
        }
    };
}

pub(crate) use message;

/// gatekeeper → account: you may bond for me. Signed by the gatekeeper's **identity**, so that nobody bonds for a
/// machine that is not theirs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Candidacy {
    /// The machine.
    pub gatekeeper: WorkerId,
    /// What it will deal with.
    pub participant: ParticipantKey,
    /// Who bonds.
    pub account: Account,
}
message!(Candidacy, "phala/custody-candidacy/v1", gatekeeper);

/// dealer → chain: I dealt, and this is my log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct LogCommitment {
    /// In which round.
    pub round: RoundNumber,
    /// Who dealt.
    pub dealer: WorkerId,
    /// Hash of the log.
    pub log_hash: Hash,
    /// Players whose shares stand open in it.
    pub revealed: u32,
}
message!(LogCommitment, "phala/custody-log/v1", dealer);

/// player → chain: I hold these logs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Confirmation {
    /// In which round.
    pub round: RoundNumber,
    /// Who says so.
    pub player: WorkerId,
    /// Dealers whose logs it holds and found good.
    pub logs: Places,
}
message!(Confirmation, "phala/custody-confirmation/v1", player);

/// player → chain: this came out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct OutputReport {
    /// In which round.
    pub round: RoundNumber,
    /// Who says so.
    pub player: WorkerId,
    /// Hash of the whole output.
    pub output_hash: Hash,
    /// The master public key.
    pub group_key: GroupKey,
    /// The polynomial in the exponent: as many points as the round's threshold.
    pub polynomial: Polynomial,
}
message!(OutputReport, "phala/custody-output/v1", player);

impl OutputReport {
    /// Names what is reported, whoever reports it.
    ///
    /// # Shape
    /// SHA-256 of `"phala/custody-output-id/v1" ‖ output hash ‖ group key ‖ polynomial`.
    pub fn output_id(&self) -> Hash {
        Preimage::new("phala/custody-output-id/v1")
            .bytes(&self.output_hash.0)
            .bytes(&self.group_key.0)
            .bytes(&self.polynomial)
            .hash()
    }
}

/// player → chain: this dealer cheats, and here is what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Complaint {
    /// In which round.
    pub round: RoundNumber,
    /// Who cheats.
    pub dealer: WorkerId,
    /// Who says so.
    pub by: WorkerId,
    /// What proves it.
    pub evidence: ComplaintEvidence,
}
message!(Complaint, "phala/custody-complaint/v1", by);

/// What a dealer did that an honest one never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum DealerFault {
    /// It committed to something that is no list of points.
    #[codec(index = 0)]
    CommitmentMalformed,
    /// It committed to a polynomial of another degree than the round's threshold asks for.
    #[codec(index = 1)]
    WrongDegree,
    /// It committed to another constant term than its old key share: it tried to change the master key.
    #[codec(index = 2)]
    OtherKeyShare,
    /// It sent a share that is not the value of its polynomial.
    #[codec(index = 3)]
    WrongShare,
    /// It committed to two polynomials.
    #[codec(index = 4)]
    Contradiction,
}

/// A complaint that the chain found proven, as it keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ComplaintRecord {
    /// In which round.
    pub round: RoundNumber,
    /// Of whom.
    pub dealer: WorkerId,
    /// By whom.
    pub by: WorkerId,
    /// SHA-256 of the evidence.
    pub evidence_hash: Hash,
    /// The evidence, so that anyone can check it.
    pub evidence: ComplaintEvidence,
    /// What it proves.
    pub fault: DealerFault,
    /// Block that holds it.
    pub block: BlockNumber,
}

/// member → chain: what I delivered. Batches of a gatekeeper have no gap.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct DeliveryBatch {
    /// Who delivered.
    pub gatekeeper: WorkerId,
    /// Its place among the gatekeeper's batches.
    pub sequence: u64,
    /// Merkle root over the deliveries.
    pub root: Hash,
    /// How many deliveries.
    pub count: u32,
    /// Block of the first of them.
    pub first: BlockNumber,
    /// Block of the last.
    pub last: BlockNumber,
}
message!(DeliveryBatch, "phala/custody-deliveries/v1", gatekeeper);

/// Where a gatekeeper's log of deliveries stands.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct DeliveryHead {
    /// Sequence of the next batch.
    pub next: u64,
    /// Names the whole log up to here; see [`DeliveryHead::after`].
    pub hash: Hash,
    /// Block of the last delivery.
    pub last: BlockNumber,
}

impl DeliveryHead {
    /// The head when `batch` was added.
    ///
    /// # Shape
    /// The hash is SHA-256 of `"phala/custody-delivery-head/v1" ‖ hash before ‖ SCALE(batch)`.
    pub fn after(&self, batch: &DeliveryBatch) -> Self {
        let preimage = Preimage::new("phala/custody-delivery-head/v1").bytes(&self.hash.0);
        Self { next: self.next.saturating_add(1), hash: preimage.bytes(&batch.encode()).hash(), last: batch.last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_leaves_out_the_third_that_may_fail() {
        for (players, needed) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (7, 5), (16, 11), (31, 21), (64, 43)] {
            assert_eq!(threshold(players), needed, "{players}");
        }
        assert_eq!(POLYNOMIAL_BYTES_MAX, 43 * 96);
    }

    #[test]
    fn places_are_bits() {
        assert_eq!((first_places(0), first_places(3), first_places(64)), (0, 0b111, u64::MAX));
        assert_eq!((with(0, 63), with(5, 64)), (1 << 63, 5));
        assert!(contains(0b100, 2) && !contains(0b100, 1) && !contains(u64::MAX, 64));
    }

    #[test]
    fn parameters_keep_a_key_out_of_one_hand() {
        assert!(Parameters::DEFAULT.are_sane());
        let with = |change: fn(&mut Parameters)| {
            let mut parameters = Parameters::DEFAULT;
            change(&mut parameters);
            parameters.are_sane()
        };
        assert!(with(|all| (all.members, all.members_min) = (GATEKEEPERS_MAX, 2)));
        assert!(!with(|all| all.members = GATEKEEPERS_MAX + 1));
        assert!(!with(|all| all.members_min = 1));
        assert!(!with(|all| all.members = all.members_min - 1));
        assert!(!with(|all| all.refresh_blocks = 0));
    }
}
