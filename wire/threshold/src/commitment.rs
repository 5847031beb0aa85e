//! What a dealer commits to, and what it signs. Everything that a judge needs who was not there, the chain among them.

use crate::{ParticipantKey, sha256, threshold};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::fmt;
use zeroize::Zeroizing;

/// Whether an Ed25519 key signed a message: (key, message, signature).
pub trait Verify: Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool {}

impl<F: Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool> Verify for F {}

/// A compressed point of G2, in the form that Zcash introduced.
pub const POINT_BYTES: usize = 96;

/// The most points a commitment has: the threshold of the largest round.
pub(crate) const POINTS_MAX: usize = threshold(crate::PARTICIPANTS_MAX);

/// What a dealer commits to: its polynomial "in the exponent", constant term first.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Commitment(pub(crate) Vec<[u8; POINT_BYTES]>);

impl Commitment {
    /// The points.
    pub fn points(&self) -> &[[u8; POINT_BYTES]] {
        &self.0
    }

    /// The points that stand one after the other in `bytes`. None when something is left over.
    pub fn of_points(bytes: &[u8]) -> Option<Self> {
        let (points, rest) = bytes.as_chunks();
        (rest.is_empty() && !points.is_empty() && points.len() <= POINTS_MAX).then(|| Self(points.to_vec()))
    }

    #[cfg(feature = "std")]
    pub(crate) fn of_library(poly: &impl commonware_codec::Write) -> Self {
        let mut bytes = Vec::with_capacity(1 + POINTS_MAX * POINT_BYTES);
        poly.write(&mut bytes);
        Self::of_library_bytes(&bytes)
    }

    /// Takes what [`Commitment::to_library_bytes`] gives.
    #[cfg(feature = "std")]
    pub(crate) fn of_library_bytes(bytes: &[u8]) -> Self {
        let (points, _) = bytes.get(1..).unwrap_or_default().as_chunks();
        Self(points.to_vec())
    }

    /// The library's encoding: the number of points as one byte (a varint below 128), then the points.
    #[cfg(feature = "std")]
    pub(crate) fn to_library_bytes(&self) -> Option<Vec<u8>> {
        let count = u8::try_from(self.0.len()).ok().filter(|count| *count < 128)?;
        let mut bytes = Vec::with_capacity(1 + self.0.len() * POINT_BYTES);
        bytes.push(count);
        bytes.extend_from_slice(self.0.as_flattened());
        Some(bytes)
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({} points)", self.0.len())
    }
}

/// A commitment with its dealer's signature over (round, dealer, commitment).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedCommitment {
    /// What is committed to.
    pub commitment: Commitment,
    /// By the dealer.
    pub signature: [u8; 64],
}

impl SignedCommitment {
    #[cfg(feature = "std")]
    pub(crate) fn sign(signer: &crate::Signer, round: &[u8; 32], commitment: Commitment) -> Self {
        let signature = signer.sign(&commitment_message(round, &signer.key(), &commitment));
        Self { commitment, signature }
    }

    /// Whether the dealer signed it, as `is_signed` says of (key, message, signature).
    pub(crate) fn is_signed(&self, round: &[u8; 32], dealer: &ParticipantKey, is_signed: &impl Verify) -> bool {
        is_signed(&dealer.0, &commitment_message(round, dealer, &self.commitment), &self.signature)
    }
}

impl fmt::Debug for SignedCommitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.commitment.fmt(f)
    }
}

fn commitment_message(round: &[u8; 32], dealer: &ParticipantKey, commitment: &Commitment) -> Vec<u8> {
    let mut message = b"phala/threshold/commitment/v1".to_vec();
    (round, dealer, commitment).encode_to(&mut message);
    message
}

/// Says that the dealer gave this share to the player. It also binds the commitment that the share belongs to.
pub(crate) fn share_message(
    round: &[u8; 32],
    dealer: &ParticipantKey,
    player: &ParticipantKey,
    commitment: &Commitment,
    share: &[u8; 32],
) -> Zeroizing<Vec<u8>> {
    let commitment = sha256(&[&commitment.encode()]);
    let mut message = Zeroizing::new(Vec::with_capacity(192));
    message.extend_from_slice(b"phala/threshold/share/v1");
    (round, dealer, player, commitment, share).encode_to(&mut *message);
    message
}
