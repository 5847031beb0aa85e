//! Recovery: what happens when more gatekeepers are lost than may fail.
//!
//! *Custodians* are people that governance appointed. In each epoch every gatekeeper splits its own key share into as many
//! pieces, seals each to its custodian, and puts them on chain. When too few gatekeepers are left, a *ceremony* is announced
//! on chain; after a delay, in which returning gatekeepers or governance can stop it, governance binds fresh machines to
//! the lost *seats*, and custodians hand their pieces of each seat to the machine that the chain names. The master key is
//! put together by nobody: what comes back are single key shares, each in a machine of its own.
//!
//! ```text
//! gatekeeper → chain: SeatBackup     pieces of my key share, sealed to the custodians
//! custodian  → chain: CustodianCall  too many are lost: announce a ceremony
//! gatekeeper → chain: Objection      I am here, and hold my key share
//! custodian  → gatekeeper: PieceRelease   my piece of this seat, sealed to your process
//! gatekeeper → chain: SeatTaken      I hold the key share of this seat
//! ```
//!
//! # Properties
//! - A piece opens for its custodian only, and only as the piece of its network, root, epoch, seat, set of custodians and backup.
//! - A piece that is handed over opens for one process of one machine, in one ceremony, for one seat.

use crate::{
    custody::{CustodyMessage, EpochNumber, GROUP_POINT_BYTES, Places, RootGeneration, message, number},
    ids::{GenesisHash, Hash, InstanceKey, WorkerId},
    limits::{CUSTODIANS_MAX, EPOCH_OUTPUT_BYTES_MAX, GATEKEEPERS_MAX},
    transcript::{Preimage, sha256},
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_units::BlockNumber;
use scale_info::TypeInfo;

/// Where a gatekeeper takes custodians' pieces: SCALE of [`Signed`](crate::custody::Signed) [`PieceRelease`] in,
/// [`PieceReply`] out.
pub const RECOVERY_PATH: &str = "/v1/recovery";

/// How few pieces may give a key share.
pub const PIECES_MIN: u32 = 2;
/// A piece, sealed: 32 bytes, and 48 that sealing adds.
pub const SEALED_PIECE_BYTES: usize = 32 + 48;
/// What a seat deals with, sealed under a key that its key share gives: 32 bytes, and 40 that sealing adds.
pub const KEEPSAKE_BYTES: usize = 32 + 40;
/// Bytes of the longest polynomial in the exponent of a backup.
pub const BACKUP_POLYNOMIAL_BYTES_MAX: u32 = CUSTODIANS_MAX * GROUP_POINT_BYTES as u32;

/// A custodian's piece, HPKE-sealed.
pub type SealedPiece = [u8; SEALED_PIECE_BYTES];
/// The polynomial in the exponent of a backup: points of G2, compressed, constant term first.
pub type BackupPolynomial = BoundedVec<u8, ConstU32<BACKUP_POLYNOMIAL_BYTES_MAX>>;
/// Pieces of a backup by the custodian's place; zeros where the custodian's key takes none.
pub type SealedPieces = BoundedVec<SealedPiece, ConstU32<CUSTODIANS_MAX>>;
/// What an epoch's round came to, encoded.
pub type EpochOutput = BoundedVec<u8, ConstU32<EPOCH_OUTPUT_BYTES_MAX>>;

number!(
    /// A set of custodians. Numbers go up.
    SetNumber(u32), "set of custodians"
);
number!(
    /// A ceremony. A number is never used again.
    CeremonyNumber(u32), "ceremony"
);

/// Somebody who keeps pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Custodian {
    /// Pieces are sealed to it: X25519.
    pub sealing: crate::ids::CustodianKey,
    /// The custodian signs with it: Ed25519.
    pub signing: crate::ids::CustodianKey,
}

/// Custodians, as the chain keeps them; a custodian's place is its index.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct CustodianSet {
    /// Which set.
    pub number: SetNumber,
    /// How many pieces give a key share; also how many custodians announce a ceremony.
    pub threshold: u32,
    /// Who.
    pub custodians: BoundedVec<Custodian, ConstU32<CUSTODIANS_MAX>>,
}

impl CustodianSet {
    /// Whether the threshold is a majority of two at least, and nobody is in it twice.
    pub fn is_sane(&self) -> bool {
        let count = self.custodians.len() as u32;
        let distinct = self.custodians.iter().enumerate().all(|(n, one)| {
            let others = self.custodians.iter().skip(n.saturating_add(1));
            let none = [one.sealing.0, one.signing.0].contains(&[0; 32]);
            !none && others.clone().all(|other| other.sealing != one.sealing && other.signing != one.signing)
        });
        let half = self.threshold.saturating_mul(2) > count;
        distinct && PIECES_MIN <= self.threshold && self.threshold <= count && half
    }
}

/// The times of recovery.
///
/// # Units
/// Blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
pub struct RecoveryParameters {
    /// From a ceremony's announcement until pieces may be handed over.
    pub delay_blocks: u32,
    /// A root whose epoch is older counts as lost, even if its members are admitted: they no longer hand its key on. Several times
    /// the age at which custody refreshes an epoch.
    pub silence_blocks: u32,
    /// From the end of the delay until a ceremony that does not come to its end is given up.
    pub lapse_blocks: u32,
}

impl RecoveryParameters {
    /// A day's delay with blocks of two seconds; a root is silent after four hours, a ceremony lapses after a week.
    pub const DEFAULT: Self = Self { delay_blocks: 43_200, silence_blocks: 7_200, lapse_blocks: 302_400 };

    /// Whether there is time for everything.
    pub const fn are_sane(&self) -> bool {
        self.delay_blocks > 0 && self.silence_blocks > 0 && self.lapse_blocks > 0
    }
}

/// gatekeeper → chain: my key share, in pieces sealed to the custodians. The chain keeps the newest of each seat.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SeatBackup {
    /// Of which master key.
    pub root: RootGeneration,
    /// In which epoch.
    pub epoch: EpochNumber,
    /// The seat: its place among the epoch's members.
    pub place: u32,
    /// For which custodians.
    pub set: SetNumber,
    /// Who holds the seat.
    pub gatekeeper: WorkerId,
    /// What the pieces lie on: as many points as the set's threshold, beginning with the public half of the key share.
    pub polynomial: BackupPolynomial,
    /// One for each custodian.
    pub pieces: SealedPieces,
    /// The seed of the key that the seat deals with, sealed under a key that only its key share gives.
    pub keepsake: [u8; KEEPSAKE_BYTES],
}
message!(SeatBackup, "phala/recovery-backup/v1", gatekeeper);

impl SeatBackup {
    /// The `info` under which the piece of the custodian at place `custodian` is sealed.
    ///
    /// # Shape
    /// `"phala/recovery-piece/v1" ‖ genesis ‖ SCALE(root, epoch, place, set, custodian) ‖ SHA-256(polynomial)`.
    pub fn piece_info(&self, genesis: &GenesisHash, custodian: u32) -> Vec<u8> {
        let mut info = b"phala/recovery-piece/v1".to_vec();
        (genesis, self.root, self.epoch, self.place, self.set, custodian).encode_to(&mut info);
        info.extend_from_slice(&sha256(&self.polynomial).0);
        info
    }

    /// The place for which the keepsake is sealed.
    ///
    /// # Shape
    /// `"phala/recovery-keepsake/v1" ‖ genesis ‖ SCALE(root, epoch, place)`.
    pub fn keepsake_place(genesis: &GenesisHash, root: RootGeneration, epoch: EpochNumber, place: u32) -> Vec<u8> {
        let mut name = b"phala/recovery-keepsake/v1".to_vec();
        (genesis, root, epoch, place).encode_to(&mut name);
        name
    }
}

/// member → chain: I am here and hold my key share. As many of them as give a key end a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Objection {
    /// Of which master key.
    pub root: RootGeneration,
    /// To which ceremony.
    pub ceremony: CeremonyNumber,
    /// Who.
    pub gatekeeper: WorkerId,
}
message!(Objection, "phala/recovery-objection/v1", gatekeeper);

/// gatekeeper → chain: I hold the key share of this seat.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SeatTaken {
    /// Of which master key.
    pub root: RootGeneration,
    /// In which ceremony.
    pub ceremony: CeremonyNumber,
    /// Which seat.
    pub place: u32,
    /// Who.
    pub gatekeeper: WorkerId,
}
message!(SeatTaken, "phala/recovery-seat/v1", gatekeeper);

/// What a custodian says.
pub trait CustodianMessage: Encode {
    /// The domain under which it is signed.
    const DOMAIN: &'static str;

    /// The hash that the custodian signs.
    ///
    /// # Shape
    /// SHA-256 of [`Self::DOMAIN`]` ‖ genesis ‖ SCALE(self)`.
    fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new(Self::DOMAIN).bytes(&genesis.0).bytes(&self.encode()).hash()
    }
}

/// custodian → chain: too many are lost, announce a ceremony. Takes as many of them as a key share takes pieces.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct CustodianCall {
    /// For which master key.
    pub root: RootGeneration,
    /// The epoch whose members are lost.
    pub epoch: EpochNumber,
    /// Which custodians.
    pub set: SetNumber,
    /// Who of them says so.
    pub custodian: u32,
}

impl CustodianMessage for CustodianCall {
    const DOMAIN: &'static str = "phala/recovery-call/v1";
}

/// custodian → gatekeeper: my piece of the seat that you are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PieceRelease {
    /// For whom, and for what.
    pub handover: Handover,
    /// The piece, HPKE-sealed to the transport key that the chain has of the process, with [`Handover::info`].
    pub sealed: SealedPiece,
}

impl CustodianMessage for PieceRelease {
    const DOMAIN: &'static str = "phala/recovery-release/v1";
}

/// For whom and for what a piece is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Handover {
    /// Of which master key.
    pub root: RootGeneration,
    /// In which ceremony.
    pub ceremony: CeremonyNumber,
    /// Of which epoch's backup.
    pub epoch: EpochNumber,
    /// Of which seat.
    pub place: u32,
    /// Which custodians.
    pub set: SetNumber,
    /// Who of them hands it over.
    pub custodian: u32,
    /// To which machine.
    pub gatekeeper: WorkerId,
    /// To which process of it.
    pub instance: InstanceKey,
}

impl Handover {
    /// The `info` under which the piece is sealed.
    ///
    /// # Shape
    /// `"phala/recovery-handover/v1" ‖ genesis ‖ SCALE(self)`.
    pub fn info(&self, genesis: &GenesisHash) -> Vec<u8> {
        let mut info = b"phala/recovery-handover/v1".to_vec();
        (genesis, self).encode_to(&mut info);
        info
    }
}

/// How far a machine is with the seat that it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct SeatProgress {
    /// Pieces that it has.
    pub pieces: u32,
    /// Pieces that it needs.
    pub required: u32,
}

/// What a gatekeeper replies to a custodian.
pub type PieceReply = Result<SeatProgress, PieceRefusal>;

/// Why a gatekeeper takes no piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, thiserror::Error)]
pub enum PieceRefusal {
    /// The newest block that it could verify is too old, or the chain does not count it in.
    #[error("the gatekeeper does not see the chain well enough at the moment, or is not admitted")]
    #[codec(index = 0)]
    NotServing,
    /// The bytes are no piece.
    #[error("the piece is malformed")]
    #[codec(index = 1)]
    Malformed,
    /// None of this number for this root and epoch.
    #[error("no such ceremony stands")]
    #[codec(index = 2)]
    NoCeremony,
    /// The delay is there so that a ceremony can be stopped.
    #[error("the ceremony's delay has not passed")]
    #[codec(index = 3)]
    Early,
    /// Governance says which machine takes which seat.
    #[error("the chain has not bound this machine to this seat")]
    #[codec(index = 4)]
    NotBound,
    /// Sealed to a process that is gone.
    #[error("the piece is for another process of this machine")]
    #[codec(index = 5)]
    OtherInstance,
    /// The backup was made for others.
    #[error("the seat's backup was made for another set of custodians, or in another epoch")]
    #[codec(index = 6)]
    OtherBackup,
    /// Not by the custodian that it names.
    #[error("the piece is not signed by this custodian")]
    #[codec(index = 7)]
    Signature,
    /// Sealed to somebody else, or for another purpose.
    #[error("the piece does not open")]
    #[codec(index = 8)]
    DoesNotOpen,
    /// It does not lie on the backup's polynomial.
    #[error("the piece is not this custodian's piece of this seat")]
    #[codec(index = 9)]
    WrongPiece,
    /// What the chain should keep of the epoch is not there, or does not fit together.
    #[error("the chain has no usable backup of this seat")]
    #[codec(index = 10)]
    NoBackup,
    /// The machine holds the key share already.
    #[error("the seat is taken")]
    #[codec(index = 11)]
    Taken,
    /// The disk failed.
    #[error("the gatekeeper's disk does not work")]
    #[codec(index = 12)]
    Disk,
}

impl PieceRefusal {
    /// Every one of them.
    pub const ALL: [Self; 13] = [
        Self::NotServing,
        Self::Malformed,
        Self::NoCeremony,
        Self::Early,
        Self::NotBound,
        Self::OtherInstance,
        Self::OtherBackup,
        Self::Signature,
        Self::DoesNotOpen,
        Self::WrongPiece,
        Self::NoBackup,
        Self::Taken,
        Self::Disk,
    ];

    /// Whether the same piece may be taken soon: the machine may see the chain a few blocks later than the custodian.
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::NotServing | Self::NoCeremony | Self::Early | Self::NotBound | Self::OtherInstance | Self::NoBackup
        )
    }
}

/// Why a root counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Ground {
    /// Fewer members are admitted than give a key.
    #[codec(index = 0)]
    Absent,
    /// Its members have handed nothing on for too long.
    #[codec(index = 1)]
    Silent,
}

/// How a ceremony ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Ending {
    /// The root serves again.
    #[codec(index = 0)]
    Completed,
    /// As many members as give a key said that they are there.
    #[codec(index = 1)]
    MembersBack,
    /// Governance gave it up.
    #[codec(index = 2)]
    Cancelled,
    /// Its members handed the key on, or the root was closed.
    #[codec(index = 3)]
    Overtaken,
    /// It took too long.
    #[codec(index = 4)]
    Lapsed,
}

/// A seat, and who is to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Binding {
    /// The seat.
    pub place: u32,
    /// The machine.
    pub gatekeeper: WorkerId,
    /// Whether it says that it holds the key share.
    pub taken: bool,
}

/// A ceremony, as the chain keeps it while it stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct CeremonyRecord {
    /// Which.
    pub number: CeremonyNumber,
    /// For which master key.
    pub root: RootGeneration,
    /// The epoch whose seats are taken.
    pub epoch: EpochNumber,
    /// Why.
    pub ground: Ground,
    /// Block in which it was announced.
    pub announced: BlockNumber,
    /// Block from which on pieces may be handed over.
    pub opens: BlockNumber,
    /// Block in which it is given up.
    pub lapses: BlockNumber,
    /// Members that said that they are there.
    pub objected: Places,
    /// Who is to take which seat.
    pub seats: BoundedVec<Binding, ConstU32<GATEKEEPERS_MAX>>,
}

impl CeremonyRecord {
    /// The seat that a machine is bound to.
    pub fn seat_of(&self, gatekeeper: &WorkerId) -> Option<&Binding> {
        self.seats.iter().find(|seat| seat.gatekeeper == *gatekeeper)
    }

    /// Whether pieces may be handed over in a block.
    pub fn is_open(&self, now: BlockNumber) -> bool {
        self.opens <= now && now < self.lapses
    }
}

/// The newest ceremony of a root that is over, as the chain keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OutcomeRecord {
    /// Which.
    pub number: CeremonyNumber,
    /// How it ended.
    pub ending: Ending,
    /// Block in which it ended.
    pub block: BlockNumber,
    /// Whether this root was ever recovered: it must be rotated, for its key shares were in custodians' hands.
    pub recovered: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustodianKey;
    use alloc::{collections::BTreeSet, vec};

    fn set(count: u8, threshold: u32) -> CustodianSet {
        let custodian = |n| Custodian { sealing: CustodianKey([n; 32]), signing: CustodianKey([n; 32]) };
        let custodians = (1..=count).map(custodian).collect::<Vec<_>>().try_into().unwrap();
        CustodianSet { number: SetNumber(1), threshold, custodians }
    }

    #[test]
    fn a_set_needs_a_majority_of_two_at_least_and_different_people() {
        for (count, threshold) in [(2, 2), (3, 2), (5, 3), (16, 9), (16, 16)] {
            assert!(set(count, threshold).is_sane(), "{threshold} of {count}");
        }
        for (count, threshold) in [(0, 0), (1, 1), (2, 1), (4, 2), (5, 6), (16, 8), (16, u32::MAX)] {
            assert!(!set(count, threshold).is_sane(), "{threshold} of {count}");
        }
        for (left, right) in [(0, 0), (1, 0), (0, 1)] {
            let mut twins = set(3, 2);
            twins.custodians[2].sealing.0[0] = [3, 1][left];
            twins.custodians[2].sealing.0 = [twins.custodians[2].sealing.0[0]; 32];
            twins.custodians[2].signing.0 = [[3, 2][right]; 32];
            assert_eq!(twins.is_sane(), (left, right) == (0, 0));
        }
        let mut nobody = set(3, 2);
        nobody.custodians[0].sealing.0 = [0; 32];
        assert!(!nobody.is_sane());
    }

    #[test]
    fn times_leave_time() {
        assert!(RecoveryParameters::DEFAULT.are_sane());
        assert!(!RecoveryParameters { delay_blocks: 0, ..RecoveryParameters::DEFAULT }.are_sane());
        assert!(!RecoveryParameters { silence_blocks: 0, ..RecoveryParameters::DEFAULT }.are_sane());
        assert!(!RecoveryParameters { lapse_blocks: 0, ..RecoveryParameters::DEFAULT }.are_sane());
    }

    #[test]
    fn a_piece_is_bound_to_everything_that_it_is_a_piece_of() {
        let backup = SeatBackup {
            root: RootGeneration(0),
            epoch: EpochNumber(1),
            place: 2,
            set: SetNumber(3),
            gatekeeper: WorkerId([4; 32]),
            polynomial: vec![5; 96].try_into().unwrap(),
            pieces: Default::default(),
            keepsake: [6; KEEPSAKE_BYTES],
        };
        let genesis = GenesisHash([1; 32]);
        let all = BTreeSet::from([
            backup.piece_info(&genesis, 0),
            backup.piece_info(&genesis, 1),
            backup.piece_info(&GenesisHash([2; 32]), 0),
            SeatBackup { root: RootGeneration(1), ..backup.clone() }.piece_info(&genesis, 0),
            SeatBackup { epoch: EpochNumber(2), ..backup.clone() }.piece_info(&genesis, 0),
            SeatBackup { place: 3, ..backup.clone() }.piece_info(&genesis, 0),
            SeatBackup { set: SetNumber(4), ..backup.clone() }.piece_info(&genesis, 0),
            SeatBackup { polynomial: vec![6; 96].try_into().unwrap(), ..backup }.piece_info(&genesis, 0),
        ]);
        assert_eq!(all.len(), 8);
        assert!(all.iter().all(|info| info.len() < 1_024));
    }

    #[test]
    fn nothing_is_larger_than_its_limit() {
        fn decodes<T: Decode>(bytes: Vec<u8>) -> bool {
            T::decode(&mut bytes.as_slice()).is_ok()
        }
        let bytes = |count: u32| vec![1u8; count as usize].encode();
        assert!(decodes::<EpochOutput>(bytes(EPOCH_OUTPUT_BYTES_MAX)));
        assert!(!decodes::<EpochOutput>(bytes(EPOCH_OUTPUT_BYTES_MAX + 1)));
        assert!(decodes::<BackupPolynomial>(bytes(BACKUP_POLYNOMIAL_BYTES_MAX)));
        assert!(!decodes::<BackupPolynomial>(bytes(BACKUP_POLYNOMIAL_BYTES_MAX + 1)));
        let pieces = |count: u32| vec![[1u8; SEALED_PIECE_BYTES]; count as usize].encode();
        assert!(decodes::<SealedPieces>(pieces(CUSTODIANS_MAX)));
        assert!(!decodes::<SealedPieces>(pieces(CUSTODIANS_MAX + 1)));
    }

    #[test]
    fn refusals_keep_their_bytes() {
        for (index, refusal) in (0u8..).zip(PieceRefusal::ALL) {
            assert_eq!(refusal.encode(), [index], "{refusal}");
        }
    }
}
