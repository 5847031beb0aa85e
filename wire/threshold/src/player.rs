//! The player's part of a round.

use crate::{
    Ack, Complaint, DealerLog, Dealing, Evidence, KeyShare, LogsError, Output, ParticipantKey, Round, Signer,
    backend::{self, Faults, MinSig, PARTICIPANTS, PrivateKey},
    commitment::{SignedCommitment, share_message},
    log,
};
use commonware_codec::Write;
use commonware_cryptography::bls12381::dkg::feldman_desmedt;
use commonware_parallel::Sequential;
use core::fmt;
use phala_crypto::{Secret, verify_ed25519};
use std::collections::BTreeMap;

/// A player, from the first dealing to its key share.
pub struct Player {
    round: Round,
    key: ParticipantKey,
    library: feldman_desmedt::Player<MinSig, PrivateKey>,
    accepted: BTreeMap<ParticipantKey, Accepted>,
}

struct Accepted {
    commitment: SignedCommitment,
    share: Secret<32>,
    ack: Ack,
}

/// Why a dealing is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealingError {
    /// It is of another round.
    #[error("the dealing is of another round")]
    OtherRound,
    /// Its sender does not deal in this round.
    #[error("{0} is not a dealer of this round")]
    NotADealer(ParticipantKey),
    /// It is for another player.
    #[error("the dealing is for another player")]
    OtherPlayer,
    /// The dealer did not sign it. Anybody may have made it, so this proves nothing.
    #[error("the dealing is not signed by its dealer")]
    NotSigned,
    /// The dealer signed what an honest one never signs; here is the proof.
    #[error("the dealer cheats: {:?}", .0.evidence)]
    Cheating(Box<Complaint>),
}

/// Why a player cannot go on from what it stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// The signer is not a player of the round.
    #[error("not a player of this round")]
    NotAPlayer,
    /// A stored dealing is not one that this player would have accepted.
    #[error("the stored dealing of {0} is invalid")]
    StoredDealing(ParticipantKey),
    /// A log has this player's acknowledgement, and the dealing is not in store. Acknowledged before it was stored?
    #[error("an acknowledged dealing is missing")]
    DealingMissing,
    /// A log is not of this round.
    #[error("a log is not of this round")]
    OtherLog,
}

/// Why a player has no key share at the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinishError {
    /// The logs give no output.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// A log has this player's acknowledgement of a dealing that the player does not have, or of another one. The round has
    /// succeeded for the others; this player gets a key share in the next one.
    #[error("an acknowledged dealing is missing")]
    DealingMissing,
}

impl Player {
    /// A player that has received nothing yet; `None` if the signer is not a player of the round.
    pub fn new(round: &Round, signer: &Signer) -> Option<Self> {
        let library = feldman_desmedt::Player::new(round.info.clone(), signer.library()).ok()?;
        let key = signer.key();
        Some(Self { round: round.clone(), key, library, accepted: BTreeMap::new() })
    }

    /// The player that a crashed one was, from the dealings it had accepted and stored, and such logs as are known.
    pub fn resume(
        round: &Round,
        signer: &Signer,
        dealings: &[Dealing],
        logs: &[DealerLog],
    ) -> Result<Self, ResumeError> {
        let mut player = Self::new(round, signer).ok_or(ResumeError::NotAPlayer)?;
        for dealing in dealings {
            player.receive(dealing).map_err(|_| ResumeError::StoredDealing(dealing.dealer))?;
        }
        for log in logs {
            match log.check(round) {
                Ok(()) => {}
                // What a lying log claims this player acknowledged says nothing.
                Err(LogsError::TooFew { .. }) => continue,
                Err(_) => return Err(ResumeError::OtherLog),
            }
            let acknowledged = !log.revealed().contains(&player.key);
            if acknowledged && !player.accepted.contains_key(&log.dealer()) {
                return Err(ResumeError::DealingMissing);
            }
        }
        Ok(player)
    }

    /// Takes a dealing and acknowledges it. The same dealing again gives the same acknowledgement.
    ///
    /// Store the dealing (sealed) before sending the acknowledgement: the dealer then stops keeping the share for this player.
    pub fn receive(&mut self, dealing: &Dealing) -> Result<Ack, DealingError> {
        let dealer = dealing.dealer;
        let round = &self.round.hash;
        if &dealing.round != round {
            return Err(DealingError::OtherRound);
        }
        if self.round.dealers.binary_search(&dealer).is_err() {
            return Err(DealingError::NotADealer(dealer));
        }
        if dealing.player != self.key {
            return Err(DealingError::OtherPlayer);
        }
        let commitment = &dealing.commitment.commitment;
        let message = share_message(round, &dealer, &self.key, commitment, dealing.share.expose());
        if !dealing.commitment.is_signed(round, &dealer, &verify_ed25519)
            || !verify_ed25519(&dealer.0, &message, &dealing.share_signature)
        {
            return Err(DealingError::NotSigned);
        }
        if let Some(accepted) = self.accepted.get(&dealer) {
            if accepted.commitment.commitment != *commitment {
                return Err(self.complain(
                    dealer,
                    Evidence::Contradiction { first: accepted.commitment.clone(), second: dealing.commitment.clone() },
                ));
            }
            if accepted.share == dealing.share {
                return Ok(accepted.ack);
            }
            // Two shares of one commitment: the first was right, so this one is not.
            return Err(self.complain(dealer, wrong_share(dealing)));
        }
        let Some(public) = commitment.to_library_bytes().and_then(|bytes| backend::decode(&bytes, &PARTICIPANTS))
        else {
            return Err(self.complain(dealer, wrong_commitment(dealing)));
        };
        let Some(private) = backend::decode(dealing.share.expose(), &()) else {
            return Err(self.complain(dealer, wrong_share(dealing)));
        };
        let key = dealer.to_library().ok_or(DealingError::NotADealer(dealer))?;
        use feldman_desmedt::DealerMessageError as Error;
        let ack = match self.library.dealer_message::<Faults>(key, public, private) {
            Ok(Some(ack)) => ack,
            Err(Error::InvalidCommitmentDegree { .. } | Error::MismatchedReshareCommitment) => {
                return Err(self.complain(dealer, wrong_commitment(dealing)));
            }
            Err(Error::InvalidDealerShare) => {
                return Err(self.complain(dealer, wrong_share(dealing)));
            }
            // Both were settled above.
            Ok(None) | Err(Error::UnexpectedDealer) => {
                return Err(DealingError::NotADealer(dealer));
            }
        };
        let mut signature = [0; 64];
        ack.write(&mut signature.as_mut_slice());
        let ack = Ack(signature);
        let accepted = Accepted { commitment: dealing.commitment.clone(), share: dealing.share.duplicate(), ack };
        self.accepted.insert(dealer, accepted);
        Ok(ack)
    }

    /// The dealers whose dealings were accepted.
    pub fn accepted(&self) -> impl Iterator<Item = &ParticipantKey> {
        self.accepted.keys()
    }

    /// The output that follows from `logs`, and this player's key share of it.
    ///
    /// Everybody must use the same logs in the same order: those whose hashes the chain lists. After an error, [`resume`] and
    /// try with other logs.
    ///
    /// [`resume`]: Player::resume
    pub fn finish(self, logs: &[DealerLog]) -> Result<(Output, KeyShare), FinishError> {
        let collected = log::collect(&self.round, logs)?;
        let mut challenges = log::challenges(&self.round, logs);
        let (output, share) =
            self.library.finalize::<Faults>(&mut challenges, collected, &Sequential).map_err(|error| match error {
                feldman_desmedt::FinalizeError::Failure(failure) => FinishError::Logs(log::logs_error(failure)),
                feldman_desmedt::FinalizeError::Error(_) => FinishError::DealingMissing,
            })?;
        let output = Output::of_library(&self.round, log::list_hash(logs), output);
        let share = KeyShare::of_library(&output, share);
        Ok((output, share))
    }

    fn complain(&self, dealer: ParticipantKey, evidence: Evidence) -> DealingError {
        DealingError::Cheating(Box::new(Complaint { round: self.round.hash, dealer, evidence }))
    }
}

fn wrong_commitment(dealing: &Dealing) -> Evidence {
    Evidence::Commitment(dealing.commitment.clone())
}

fn wrong_share(dealing: &Dealing) -> Evidence {
    Evidence::Share {
        player: dealing.player,
        commitment: dealing.commitment.commitment.clone(),
        share: *dealing.share.expose(),
        signature: dealing.share_signature,
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Player({}, {} dealings)", self.key, self.accepted.len())
    }
}
