//! What a judge must know of a round: little enough that the chain knows it.

use crate::{ParticipantKey, commitment::POINT_BYTES};
use alloc::vec::Vec;
use codec::Encode;
use sha2::{Digest, Sha256};

/// How many of `players` key shares are needed: all but the third that may fail.
///
/// `n − ⌊(n−1)/3⌋`: 4→3, 7→5, 16→11, 31→21; zero for nobody.
pub const fn threshold(players: usize) -> usize {
    players - players.saturating_sub(1) / 3
}

/// Names a round's terms: everything that is signed in it carries this.
///
/// # Shape
/// SHA-256 of `"phala/threshold/round/v1"` and SCALE of (network, number, hash of the previous output, dealers in order of
/// their keys, players likewise).
pub fn round_hash(
    network: &[u8; 32],
    number: u64,
    previous: Option<[u8; 32]>,
    dealers: &[ParticipantKey],
    players: &[ParticipantKey],
) -> [u8; 32] {
    sha256(&[b"phala/threshold/round/v1", &(network, number, previous, dealers, players).encode()])
}

/// A round, as far as its complaints need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedRound {
    /// [`round_hash`].
    pub hash: [u8; 32],
    /// Who deals, in order of their keys.
    pub dealers: Vec<ParticipantKey>,
    /// Who receives key shares, in order of their keys.
    pub players: Vec<ParticipantKey>,
    /// The epoch that is handed on; None when a key is generated.
    pub previous: Option<JudgedEpoch>,
}

/// An epoch, as far as complaints about its successor need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedEpoch {
    /// Who holds key shares of it, in order of their keys.
    pub players: Vec<ParticipantKey>,
    /// Its polynomial in the exponent.
    pub polynomial: Vec<[u8; POINT_BYTES]>,
}

/// SHA-256 of `parts`, one after the other; callers put a tag first and only parts of fixed or encoded length behind it.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}
