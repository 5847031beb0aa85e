//! The player's part of a round: dealings in, acknowledgements out, a key share at the end.
//!
//! # Properties
//! - A dealing lies sealed on disk before its acknowledgement leaves.
//! - After a crash the same dealings give the same acknowledgements.
//! - Proof that a dealer cheats is kept until the chain has it.

use crate::rounds::{Doubt, Names};
use phala_machine::Cabinet;
use phala_messages::custody::ComplaintEvidence;
use phala_threshold::{
    Ack, Complaint, DealerLog, Dealing, DealingError, KeyShare, Output, ParticipantKey, Player, Round, Signer,
};
use zeroize::Zeroizing;

/// A player at work.
pub(crate) struct Play {
    player: Player,
    /// The first proof that a dealer cheats: one complaint of a player counts in a round.
    complaint: Option<(ParticipantKey, ComplaintEvidence)>,
}

/// What became of a dealing.
pub(crate) enum Received {
    /// It is right and sealed on disk.
    Accepted(Ack),
    /// It is not right.
    Refused,
}

impl Play {
    /// The player that this process, or the one before it, is. None when it is no player of the round.
    pub(crate) fn resume(
        cabinet: &Cabinet,
        names: Names,
        round: &Round,
        signer: &Signer,
    ) -> Result<Option<Self>, Doubt> {
        let dealings = stored(cabinet, names, round)?;
        Ok(resumed(round, signer, &dealings)?.map(|player| Self { player, complaint: None }))
    }

    /// Takes a dealing from the dealer at `place`.
    pub(crate) fn receive(
        &mut self,
        cabinet: &Cabinet,
        names: Names,
        place: u32,
        dealing: &Dealing,
    ) -> Result<Received, Doubt> {
        let is_new = !self.player.accepted().any(|dealer| *dealer == dealing.dealer());
        match self.player.receive(dealing) {
            Ok(ack) => {
                if is_new {
                    cabinet.put(&names.dealing(place), &dealing.bytes_to_seal())?;
                }
                Ok(Received::Accepted(ack))
            }
            Err(DealingError::Cheating(complaint)) => {
                tracing::warn!(dealer = %complaint.dealer, evidence = ?complaint.evidence, "a dealer cheats");
                self.note(&complaint);
                Ok(Received::Refused)
            }
            Err(error) => {
                tracing::warn!(%error, "a dealing is refused");
                Ok(Received::Refused)
            }
        }
    }

    fn note(&mut self, complaint: &Complaint) {
        if self.complaint.is_none()
            && let Ok(evidence) = ComplaintEvidence::try_from(codec::Encode::encode(complaint))
        {
            self.complaint = Some((complaint.dealer, evidence));
        }
    }

    /// What there is to complain of.
    pub(crate) fn complaint(&self) -> Option<&(ParticipantKey, ComplaintEvidence)> {
        self.complaint.as_ref()
    }

    /// Output and key share from the selected logs. None, with a warning, when there is none for this player.
    pub(crate) fn conclude(
        cabinet: &Cabinet,
        names: Names,
        round: &Round,
        signer: &Signer,
        logs: &[DealerLog],
    ) -> Result<Option<(Output, KeyShare)>, Doubt> {
        let dealings = stored(cabinet, names, round)?;
        let Some(player) = resumed(round, signer, &dealings)? else { return Ok(None) };
        match player.finish(logs) {
            Ok(outcome) => Ok(Some(outcome)),
            Err(error) => {
                tracing::warn!(%error, "no key share from this round");
                Ok(None)
            }
        }
    }
}

fn stored(cabinet: &Cabinet, names: Names, round: &Round) -> Result<Vec<Dealing>, Doubt> {
    let mut dealings = Vec::new();
    for place in 0..round.dealers().len() as u32 {
        let name = names.dealing(place);
        if let Some(bytes) = cabinet.get(&name)?.map(Zeroizing::new) {
            dealings.push(Dealing::parse(&bytes).map_err(|_| Doubt::Corrupt(name))?);
        }
    }
    Ok(dealings)
}

fn resumed(round: &Round, signer: &Signer, dealings: &[Dealing]) -> Result<Option<Player>, Doubt> {
    if Player::new(round, signer).is_none() {
        return Ok(None);
    }
    match Player::resume(round, signer, dealings, &[]) {
        Ok(player) => Ok(Some(player)),
        Err(error) => Err(Doubt::Corrupt(format!("the dealings of round {}: {error}", round.number()))),
    }
}
