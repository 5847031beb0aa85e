//! What a dealer sends to a player, and what comes back.

use crate::{
    DEALING_BYTES_MAX, ParseError, ParticipantKey, Signer,
    backend::{self, G2},
    threshold,
};
use codec::{Decode, Encode, MaxEncodedLen};
use commonware_codec::{RangeCfg, Write};
use commonware_math::poly::Poly;
use core::{fmt, num::NonZeroU32};
use phala_crypto::{Secret, verify_ed25519};
use zeroize::Zeroizing;

/// A compressed point of G2, in the form that Zcash introduced.
pub const POINT_BYTES: usize = 96;

/// The most points a commitment has: the threshold of the largest round.
pub(crate) const POINTS_MAX: usize = threshold(crate::PARTICIPANTS_MAX);

/// What a dealer commits to: its polynomial "in the exponent", constant term first.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Commitment(Vec<[u8; POINT_BYTES]>);

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

    pub(crate) fn of_library(poly: &impl Write) -> Self {
        let mut bytes = Vec::with_capacity(1 + POINTS_MAX * POINT_BYTES);
        poly.write(&mut bytes);
        Self::of_library_bytes(&bytes)
    }

    /// Takes what [`Commitment::to_library_bytes`] gives.
    pub(crate) fn of_library_bytes(bytes: &[u8]) -> Self {
        let (points, _) = bytes.get(1..).unwrap_or_default().as_chunks();
        Self(points.to_vec())
    }

    /// The library's encoding: the number of points as one byte (a varint below 128), then the points.
    pub(crate) fn to_library_bytes(&self) -> Option<Vec<u8>> {
        let count = u8::try_from(self.0.len()).ok().filter(|count| *count < 128)?;
        let mut bytes = Vec::with_capacity(1 + self.0.len() * POINT_BYTES);
        bytes.push(count);
        bytes.extend_from_slice(self.0.as_flattened());
        Some(bytes)
    }

    /// The polynomial; `None` if a point is not on the curve, not in the group or infinite.
    pub(crate) fn poly(&self) -> Option<Poly<G2>> {
        let range = RangeCfg::from(NonZeroU32::MIN..=backend::PARTICIPANTS);
        backend::decode(&self.to_library_bytes()?, &(range, ()))
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
    pub(crate) fn sign(signer: &Signer, round: &[u8; 32], commitment: Commitment) -> Self {
        let signature = signer.sign(&commitment_message(round, &signer.key(), &commitment));
        Self { commitment, signature }
    }

    pub(crate) fn verify(&self, round: &[u8; 32], dealer: &ParticipantKey) -> bool {
        let message = commitment_message(round, dealer, &self.commitment);
        verify_ed25519(&dealer.0, &message, &self.signature)
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
    let commitment = backend::sha256(&[&commitment.encode()]);
    let mut message = Zeroizing::new(Vec::with_capacity(192));
    message.extend_from_slice(b"phala/threshold/share/v1");
    (round, dealer, player, commitment, share).encode_to(&mut *message);
    message
}

/// dealer → player: one share of what the dealer deals. Secret: send it sealed to the player, store it sealed.
///
/// Signed by the dealer twice: the commitment alone, so that a contradiction can be shown without showing a share; and the
/// share, so that a wrong one can be shown.
pub struct Dealing {
    pub(crate) round: [u8; 32],
    pub(crate) dealer: ParticipantKey,
    pub(crate) player: ParticipantKey,
    pub(crate) commitment: SignedCommitment,
    pub(crate) share: Secret<32>,
    pub(crate) share_signature: [u8; 64],
}

impl Dealing {
    pub(crate) fn sign(
        signer: &Signer,
        round: &[u8; 32],
        player: ParticipantKey,
        commitment: SignedCommitment,
        share: Secret<32>,
    ) -> Self {
        let dealer = signer.key();
        let message = share_message(round, &dealer, &player, &commitment.commitment, share.expose());
        let share_signature = signer.sign(&message);
        Self { round: *round, dealer, player, commitment, share, share_signature }
    }

    /// Who dealt it, as it says.
    pub fn dealer(&self) -> ParticipantKey {
        self.dealer
    }

    /// For whom it is.
    pub fn player(&self) -> ParticipantKey {
        self.player
    }

    /// [`crate::Round::hash`] of its round.
    pub fn round(&self) -> [u8; 32] {
        self.round
    }

    /// The bytes, to be sealed: to the player when sent, to this machine when stored.
    pub fn bytes_to_seal(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(DEALING_BYTES_MAX));
        (&self.round, &self.dealer, &self.player, &self.commitment).encode_to(&mut *bytes);
        bytes.extend_from_slice(self.share.expose());
        bytes.extend_from_slice(&self.share_signature);
        bytes
    }

    /// Reads what [`Dealing::bytes_to_seal`] wrote. Nothing is verified yet: [`crate::Player::receive`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        check_length(bytes, DEALING_BYTES_MAX)?;
        let mut input = bytes;
        let head = <([u8; 32], ParticipantKey, ParticipantKey, SignedCommitment)>::decode(&mut input);
        let (round, dealer, player, commitment) = head.map_err(|_| ParseError::Malformed)?;
        let (share, signature) = input.split_first_chunk::<32>().ok_or(ParseError::Malformed)?;
        if commitment.commitment.0.len() > POINTS_MAX {
            return Err(ParseError::Malformed);
        }
        Ok(Self {
            round,
            dealer,
            player,
            commitment,
            share: Secret::generate(|out| out.copy_from_slice(share)),
            share_signature: signature.try_into().map_err(|_| ParseError::Malformed)?,
        })
    }
}

impl fmt::Debug for Dealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dealing({} → {})", self.dealer, self.player)
    }
}

/// player → dealer: the share has arrived, is right, and is stored.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Ack(pub(crate) [u8; 64]);

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ack(…)")
    }
}

pub(crate) fn check_length(bytes: &[u8], limit: usize) -> Result<(), ParseError> {
    let length = bytes.len();
    if length > limit { Err(ParseError::TooLong { length, limit }) } else { Ok(()) }
}
