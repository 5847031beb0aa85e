//! The dealer's part of a round.

use crate::{
    Ack, DealerLog, Dealing, KeyShare, ParticipantKey, Round, Signer,
    backend::{self, Faults, MinSig, PrivateKey},
    commitment::{Commitment, POINT_BYTES, POINTS_MAX, SignedCommitment},
};
use commonware_codec::Write;
use commonware_cryptography::bls12381::dkg::feldman_desmedt;
use core::fmt;
use phala_crypto::{Secret, derive};

/// A dealer, from its first dealing to its log.
pub struct Dealer {
    library: feldman_desmedt::Dealer<MinSig, PrivateKey>,
    key: ParticipantKey,
}

/// Why somebody cannot deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealError {
    /// The signer is not a dealer of the round.
    #[error("not a dealer of this round")]
    NotADealer,
    /// The round hands on a key, and the dealer brought no share of it.
    #[error("the key share of the previous output is needed")]
    KeyShareMissing,
    /// The key share is not this dealer's of the previous output. Dealing from it would look like cheating.
    #[error("the key share is not of the previous output")]
    KeyShareOfOtherOutput,
    /// The round generates a new key, and the dealer brought an old key share.
    #[error("this round generates a new key; an old key share has no place in it")]
    KeyShareUnexpected,
}

/// Why an acknowledgement does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// The sender is not a player of the round.
    #[error("not a player of this round")]
    NotAPlayer,
    /// The player did not sign it for this dealer's commitment.
    #[error("not signed by this player for this dealing")]
    NotSigned,
}

impl Dealer {
    /// Deals: one [`Dealing`] for each player.
    ///
    /// Everything follows from the arguments. Store `seed` before the first dealing leaves: after a crash the same seed makes
    /// the same dealings, while another one makes contradicting ones, which is provable cheating. The seed is mixed with the
    /// round's hash, so one seed never gives two rounds the same polynomial.
    pub fn start(
        round: &Round,
        signer: &Signer,
        seed: &Secret<32>,
        old_share: Option<&KeyShare>,
    ) -> Result<(Self, Vec<(ParticipantKey, Dealing)>), DealError> {
        let key = signer.key();
        if round.dealers.binary_search(&key).is_err() {
            return Err(DealError::NotADealer);
        }
        match (&round.previous, old_share) {
            (Some(_), None) => return Err(DealError::KeyShareMissing),
            (None, Some(_)) => return Err(DealError::KeyShareUnexpected),
            (Some(previous), Some(share)) if !share.fits(previous, &key) => {
                return Err(DealError::KeyShareOfOtherOutput);
            }
            _ => {}
        }
        let seed = derive(seed, "threshold/dealing/v1", &[&round.hash, &key.0]);
        let (library, public, private) = feldman_desmedt::Dealer::start::<Faults>(
            backend::rng(&seed),
            round.info.clone(),
            signer.library(),
            old_share.map(KeyShare::to_library),
        )
        // Membership and the presence of a share were checked above.
        .map_err(|_| DealError::NotADealer)?;
        let mut encoded = Vec::with_capacity(1 + POINTS_MAX * POINT_BYTES);
        public.write(&mut encoded);
        let commitment = SignedCommitment::sign(signer, &round.hash, Commitment::of_library_bytes(&encoded));
        let dealings = private
            .into_iter()
            .map(|(player, message)| {
                let player = ParticipantKey::of_library(&player);
                let share = Secret::generate(|out| message.write(&mut out.as_mut_slice()));
                (player, Dealing::sign(signer, &round.hash, player, commitment.clone(), share))
            })
            .collect();
        Ok((Self { library, key }, dealings))
    }

    /// Takes a player's acknowledgement. Repeating one changes nothing.
    pub fn acknowledge(&mut self, player: &ParticipantKey, ack: &Ack) -> Result<(), AckError> {
        let key = player.to_library().ok_or(AckError::NotAPlayer)?;
        let ack = backend::decode(&ack.0, &()).ok_or(AckError::NotSigned)?;
        self.library.receive_player_ack(key, ack).map_err(|error| match error {
            feldman_desmedt::PlayerAckError::UnexpectedPlayer => AckError::NotAPlayer,
            feldman_desmedt::PlayerAckError::InvalidAck => AckError::NotSigned,
        })
    }

    /// Closes the books. The shares of those who have not acknowledged by now are *revealed* in the log, unless they are more
    /// than a third: then the log withholds everything and does not count. So wait, within reason, for everybody.
    ///
    /// Store the log before sending it; a dealer has one log in a round.
    pub fn finish(self) -> DealerLog {
        let log = self.library.finalize::<Faults>();
        DealerLog::of_library(&log).unwrap_or_else(|_| unreachable!("a log of a checked round is within the limits"))
    }
}

impl fmt::Debug for Dealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dealer({})", self.key)
    }
}
