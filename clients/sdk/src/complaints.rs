//! Complaints: dealers that the chain was shown to cheat, judged once more here.

use crate::{Client, client::ChainError};
use phala_crypto::verify_ed25519;
use phala_messages::{
    custody::{self, ComplaintRecord, DealerFault, EpochRecord, ROUNDS_KEPT, RoundNumber, RoundRecord, contains},
    storage,
};
use phala_threshold::judge_on_chain;

/// A complaint that stands on chain.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// What the chain keeps of it.
    pub record: ComplaintRecord,
    /// What its evidence proves to whoever looks at it here. None when it proves nothing.
    pub verdict: Option<DealerFault>,
}

impl Complaint {
    /// Whether the chain's verdict is the one that the evidence gives.
    pub fn is_proven(&self) -> bool {
        self.verdict == Some(self.record.fault)
    }
}

impl Client {
    /// The complaints of the rounds that the chain keeps, the newest first. Each is judged from the records of its round.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn complaints(&self) -> Result<Vec<Complaint>, ChainError> {
        let newest: RoundNumber = self.one(storage::newest_round(), "the newest round").await?.unwrap_or_default();
        let mut found = Vec::new();
        for number in (newest.0.saturating_sub(ROUNDS_KEPT - 1)..=newest.0).rev().map(RoundNumber) {
            let Some(round) = self.one::<RoundRecord>(storage::round(number), "a round").await? else { continue };
            let places = (0..round.players.len() as u32).filter(|place| contains(round.complained, *place));
            let mut previous = None;
            if let Some(epoch) = round.previous.filter(|_| round.complained != 0) {
                previous = self.one::<EpochRecord>(storage::epoch(epoch), "an epoch").await?;
            }
            for place in places {
                let key = storage::complaint(number, place);
                let Some(record) = self.one::<ComplaintRecord>(key, "a complaint").await? else { continue };
                let ComplaintRecord { round: number, dealer, by, evidence, .. } = record.clone();
                let said = custody::Complaint { round: number, dealer, by, evidence };
                let genesis = self.genesis();
                let verdict = judge_on_chain(&genesis, &round, previous.as_ref(), &said, &verify_ed25519);
                found.push(Complaint { record, verdict });
            }
        }
        Ok(found)
    }
}
