//! Moves: a program's key has a name, and a program moves from one name to another.
//!
//! ```text
//! governance → chain   rotate_root    a newer root is open: programs under the older one are to move to it
//! owner      → chain   upgrade        other code, and what of the program's it may have
//! worker     → chain   Moved          the state lies sealed under the new key; this is its root, these are the program's keys
//! ```
//! The chain switches record, transport key, anchor and root in one step. Until then everything is as it was.
//!
//! # Properties
//! - A name is given once: roots and code epochs only go up, and another code has another epoch.
//! - A move answers no command and loses none: the version stays.

use crate::{
    Signature,
    anchor::AnchorRecord,
    custody::RootGeneration,
    ids::{CodeHash, GenesisHash, Hash, ProgramId, StateRoot, TransportKey, WorkerId},
    program::Manifest,
    transcript::Preimage,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_units::BlockNumber;
use scale_info::TypeInfo;

/// Blocks after a move in which commands may still be ordered that are sealed to the key before it: a minute, the time in which a
/// caller that has read the old key gets its command into a block.
pub const OLD_TRANSPORT_BLOCKS: u32 = 30;

/// Counts the codes that a program ever had or was to have. Each has keys of its own.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct CodeEpoch(pub u32);

impl CodeEpoch {
    /// The next one; the last one is its own next.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for CodeEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a program's key is called, beside network, cluster and program, which never change.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct KeyName {
    /// Where it comes from. None when no gatekeepers guard it.
    pub root: Option<RootGeneration>,
    /// For which of the program's codes it is.
    pub code: CodeEpoch,
}

/// What new code may have of what the code before it had. The owner says so, on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Keep {
    /// Nothing: it starts with an empty state and with keys that nobody had before.
    #[codec(index = 0)]
    Nothing,
    /// State and settings. What the program derives and signs with is new.
    #[codec(index = 1)]
    State,
    /// State, settings, and the keys that the program derives.
    #[codec(index = 2)]
    StateAndKeys,
}

/// An upgrade that its owner has ordered: the recorded consent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct UpgradeRecord {
    /// The new code's epoch.
    pub epoch: CodeEpoch,
    /// What is to run.
    pub code: CodeHash,
    /// Size of that component.
    pub code_bytes: u32,
    /// What it asks for.
    pub manifest: Manifest,
    /// What it may have.
    pub keep: Keep,
    /// Commands below this index were ordered before the upgrade: the old code answers them.
    pub commands: u64,
    /// Block in which it was ordered.
    pub ordered: BlockNumber,
}

/// The last move of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct MoveRecord {
    /// The key before.
    pub from: KeyName,
    /// The key after.
    pub to: KeyName,
    /// The code that runs since.
    pub code: CodeHash,
    /// What went along. A rotation takes everything.
    pub keep: Keep,
    /// The version, before and after.
    pub version: u64,
    /// How many commands had been ordered: those below this index may be sealed to the key before.
    pub commands: u64,
    /// Block that holds it.
    pub block: BlockNumber,
}

impl MoveRecord {
    /// Whether a command may be sealed to the key before: it was ordered before the move, or shortly after it.
    pub fn may_be_older(&self, index: u64, ordered: BlockNumber) -> bool {
        index < self.commands || ordered.0 <= self.block.0.saturating_add(OLD_TRANSPORT_BLOCKS)
    }
}

/// Where a program stands with its keys, as the chain keeps it. There is none, and the default stands, until something changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct KeyRecord {
    /// Of the code that runs.
    pub epoch: CodeEpoch,
    /// The newest epoch that was given.
    pub newest: CodeEpoch,
    /// What the owner has ordered and the worker has not carried out.
    pub upgrade: Option<UpgradeRecord>,
    /// The last move.
    pub moved: Option<MoveRecord>,
}

/// worker → chain: the program's state lies under its new key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Moved {
    /// Which program.
    pub program: ProgramId,
    /// The new key.
    pub to: KeyName,
    /// Commands are sealed to this key from now on.
    pub transport: TransportKey,
    /// The version: must be the program's newest.
    pub version: u64,
    /// Root of the state at that version, under the new key.
    pub root: StateRoot,
    /// Who says so.
    pub worker: WorkerId,
}

impl Moved {
    /// The hash that the worker's instance signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/moved/v1" ‖ genesis ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new("phala/moved/v1").bytes(&genesis.0).bytes(&self.encode()).hash()
    }

    /// The anchor that stands after the move, in the place of `before`: same version, other root, no results.
    pub fn anchor(&self, before: AnchorRecord, block: BlockNumber) -> AnchorRecord {
        let results = Hash::default();
        AnchorRecord { from: before.version, version: before.version, root: self.root, results, by: before.by, block }
    }
}

/// The arguments of `programs.moved`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedMoved {
    /// What is said.
    pub moved: Moved,
    /// By the worker's current instance.
    pub signature: Signature,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_key_opens_commands_from_before_the_move_and_for_a_minute_after_it() {
        let moved = MoveRecord {
            from: KeyName::default(),
            to: KeyName { root: None, code: CodeEpoch(1) },
            code: CodeHash([1; 32]),
            keep: Keep::StateAndKeys,
            version: 3,
            commands: 7,
            block: BlockNumber(100),
        };
        let late = BlockNumber(100 + OLD_TRANSPORT_BLOCKS);
        assert!(moved.may_be_older(6, BlockNumber(1_000)));
        assert!(moved.may_be_older(7, late));
        assert!(!moved.may_be_older(7, BlockNumber(late.0 + 1)));
    }

    #[test]
    fn code_epochs_go_up_and_stop() {
        assert_eq!(CodeEpoch(3).next(), CodeEpoch(4));
        assert_eq!(CodeEpoch(u32::MAX).next(), CodeEpoch(u32::MAX));
    }
}
