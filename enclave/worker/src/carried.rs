//! What a program takes along when its key changes: sealed into its state, so that whoever has the state has it.
//!
//! ```text
//! derived      what the program's own keys follow from: they stay when its root is left, and when its owner says so
//! transports   keys that commands may still be sealed to, each until the move that ended it is long enough past
//! ```
//!
//! # Properties
//! - A command opens with the key it was sealed to, on every machine that has the state: which older keys are tried follows from
//!   the chain alone.
//! - An older transport key is carried only while a command sealed to it can still be pending, or be ordered soon.

use codec::{Decode, DecodeAll, Encode};
use phala_messages::moves::MoveRecord;
use phala_units::BlockNumber;
use zeroize::Zeroize;

/// Older transport keys that are carried: as many as there may be roots at once, and more moves than that in a minute are not meant.
pub const TRANSPORTS_MAX: usize = 4;

/// A transport key that is not the program's any more.
#[derive(Clone, Encode, Decode)]
pub struct OldTransport {
    /// What it is derived from.
    pub seed: [u8; 32],
    /// The move that ended it. None: the program's last one.
    pub ended: Option<MoveRecord>,
}

impl OldTransport {
    /// Whether a command may be sealed to it; `last` is the program's last move.
    pub fn may_open(&self, index: u64, ordered: BlockNumber, last: Option<&MoveRecord>) -> bool {
        self.ended.as_ref().or(last).is_some_and(|moved| moved.may_be_older(index, ordered))
    }
}

impl Drop for OldTransport {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// Secrets that go along.
#[derive(Clone, Default, Encode, Decode)]
pub struct Carried {
    /// For labels and for signing.
    pub derived: Option<([u8; 32], [u8; 32])>,
    /// The newest last.
    pub transports: Vec<OldTransport>,
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some((labels, signing)) = &mut self.derived {
            labels.zeroize();
            signing.zeroize();
        }
    }
}

impl Carried {
    /// Reads what was carried. None when it is nothing that this software wrote.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let carried = Self::decode_all(&mut &*bytes).ok()?;
        (carried.transports.len() <= TRANSPORTS_MAX).then_some(carried)
    }

    /// The same after another move, at a state of `version` in `block`: the transport key with `seed` is an older one, too, and
    /// those that nothing is sealed to any more are left behind. `last` is the move before.
    pub fn after(mut self, seed: [u8; 32], version: u64, block: BlockNumber, last: Option<&MoveRecord>) -> Self {
        for old in &mut self.transports {
            old.ended = old.ended.or(last.copied());
        }
        self.transports.retain(|old| old.may_open(version, block, None));
        self.transports.push(OldTransport { seed, ended: None });
        let too_many = self.transports.len().saturating_sub(TRANSPORTS_MAX);
        self.transports.drain(..too_many);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::{CodeEpoch, CodeHash, Keep, KeyName, moves::OLD_TRANSPORT_BLOCKS};

    fn moved(commands: u64, block: u32) -> MoveRecord {
        MoveRecord {
            from: KeyName::default(),
            to: KeyName { root: None, code: CodeEpoch(1) },
            code: CodeHash([1; 32]),
            keep: Keep::StateAndKeys,
            version: 0,
            commands,
            block: BlockNumber(block),
        }
    }

    fn seeds(carried: &Carried) -> Vec<u8> {
        carried.transports.iter().map(|old| old.seed[0]).collect()
    }

    #[test]
    fn an_older_key_goes_along_while_something_may_be_sealed_to_it() {
        let first = Carried::default().after([1; 32], 0, BlockNumber(10), None);
        assert_eq!(seeds(&first), [1]);
        let last = moved(7, 12);
        let late = BlockNumber(12 + OLD_TRANSPORT_BLOCKS + 1);
        assert_eq!(seeds(&first.clone().after([2; 32], 6, late, Some(&last))), [1, 2], "command 6 may be sealed to it");
        assert_eq!(
            seeds(&first.clone().after([2; 32], 7, BlockNumber(late.0 - 1), Some(&last))),
            [1, 2],
            "one may come"
        );
        let second = first.after([2; 32], 7, late, Some(&last));
        assert_eq!(seeds(&second), [2]);
        assert!(!second.transports[0].may_open(0, BlockNumber(0), None), "no move has ended it yet");
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let mut carried = Carried::default();
        for n in 0..=TRANSPORTS_MAX as u8 {
            carried = carried.after([n; 32], 0, BlockNumber(1), Some(&moved(9, 1)));
        }
        assert_eq!(seeds(&carried), [1, 2, 3, 4]);
        let bytes = carried.encode();
        assert!(bytes.len() <= phala_state::CARRIED_BYTES_MAX);
        assert_eq!(seeds(&Carried::parse(&bytes).unwrap()), [1, 2, 3, 4]);
        carried.transports.push(OldTransport { seed: [9; 32], ended: None });
        assert!(Carried::parse(&carried.encode()).is_none());
        assert!(Carried::parse(&bytes[1..]).is_none());
    }
}
