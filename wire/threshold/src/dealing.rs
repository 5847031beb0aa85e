//! What a dealer sends to a player, and what comes back.

use crate::{
    DEALING_BYTES_MAX, ParseError, ParticipantKey, Signer, check_length,
    commitment::{POINTS_MAX, SignedCommitment, share_message},
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::fmt;
use phala_crypto::Secret;
use zeroize::Zeroizing;

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
