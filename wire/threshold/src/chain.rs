//! Complaints as the chain has them: judged by its records alone, so that runtime and client come to one verdict.

use crate::{Complaint, Fault, FaultKind, JudgedEpoch, JudgedRound, ParticipantKey, commitment::Verify, round_hash};
use alloc::vec::Vec;
use phala_messages::{
    GenesisHash,
    custody::{self, DealerFault, EpochRecord, Member, RoundRecord, place_of},
};

fn keys(members: &[Member]) -> Vec<ParticipantKey> {
    members.iter().map(|member| ParticipantKey(member.participant.0)).collect()
}

impl JudgedRound {
    /// The round on chain; `previous` is the epoch that it hands on.
    pub fn of_chain(genesis: &GenesisHash, round: &RoundRecord, previous: Option<&EpochRecord>) -> Self {
        let (dealers, players) = (keys(&round.dealers), keys(&round.players));
        let output = previous.map(|epoch| epoch.output_hash.0);
        let previous = previous.map(|epoch| JudgedEpoch {
            players: keys(&epoch.members),
            polynomial: epoch.polynomial.as_chunks().0.to_vec(),
        });
        Self { hash: round_hash(&genesis.0, round.number.0, output, &dealers, &players), dealers, players, previous }
    }
}

/// What a complaint on chain proves of the dealer that it names. None when it proves nothing.
pub fn judge_on_chain(
    genesis: &GenesisHash,
    round: &RoundRecord,
    previous: Option<&EpochRecord>,
    complaint: &custody::Complaint,
    is_signed: &impl Verify,
) -> Option<DealerFault> {
    let evidence = Complaint::parse(&complaint.evidence).ok()?;
    let place = place_of(&round.dealers, &complaint.dealer)?;
    let accused = round.dealers.get(place as usize)?.participant;
    let hands_on = previous.map(|epoch| epoch.epoch) == round.previous;
    if !hands_on || evidence.dealer.0 != accused.0 {
        return None;
    }
    let Fault { kind, .. } = evidence.judge(&JudgedRound::of_chain(genesis, round, previous), is_signed).ok()?;
    Some(match kind {
        FaultKind::CommitmentMalformed => DealerFault::CommitmentMalformed,
        FaultKind::WrongDegree => DealerFault::WrongDegree,
        FaultKind::OtherKeyShare => DealerFault::OtherKeyShare,
        FaultKind::WrongShare => DealerFault::WrongShare,
        FaultKind::Contradiction => DealerFault::Contradiction,
    })
}
