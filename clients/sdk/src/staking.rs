//! Stake behind validators: who validates, who nominates whom, and which eras still owe something. Everything here is proven from the
//! chain.
//!
//! The chain keeps no list of those who would validate that is cheap to prove, so candidates are known by name; those who were elected stand
//! in the session, and their eras' rewards can be followed for as many eras as the chain remembers.

use crate::{
    Client,
    client::{ChainError, decode},
};
use phala_messages::{
    Account,
    holders::Payee,
    ledgers::{ActiveEra, EraPoints, Exposure, Nominations, SlashingSpans, StakeLedger, ValidatorPrefs},
    storage,
};
use phala_units::Planck;

/// Eras that the chain remembers rewards of.
const HISTORY_ERAS: u32 = 84;

/// An account's part in securing the chain.
#[derive(Clone, Debug)]
pub struct StakeState {
    /// What it bonded, and what is on its way out.
    pub ledger: Option<StakeLedger>,
    /// Where its rewards go.
    pub payee: Option<Payee>,
    /// Whether, and how, it is ready to validate.
    pub prefs: Option<ValidatorPrefs>,
    /// Whom it nominates.
    pub nominations: Option<Nominations>,
    /// The keys with which it will validate.
    pub keys: Option<[[u8; 32]; 2]>,
    /// The era that is being paid for.
    pub era: Option<ActiveEra>,
    /// Whether it validates in this session.
    pub elected: bool,
}

/// A validator of this session.
#[derive(Clone, Debug)]
pub struct ValidatorState {
    /// Who.
    pub account: Account,
    /// How it validates from the next era on; none: it has resigned.
    pub prefs: Option<ValidatorPrefs>,
    /// What stands behind it in this era.
    pub exposure: Option<Exposure>,
    /// Points of this era.
    pub points: u32,
}

impl StakeState {
    /// What can be withdrawn now.
    pub fn withdrawable(&self) -> Planck {
        let era = self.era.map_or(0, |era| era.index);
        let ledger = self.ledger.iter().flat_map(|ledger| &ledger.unlocking);
        Planck(ledger.filter(|chunk| chunk.era <= era).map(|chunk| chunk.amount).fold(0, u128::saturating_add))
    }
}

impl Client {
    /// An account's part in securing the chain.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn stake(&self, account: &Account) -> Result<StakeState, ChainError> {
        self.advance().await?;
        let keys = [
            storage::stake_ledger(account),
            storage::stake_payee(account),
            storage::validator_prefs(account),
            storage::nominations(account),
            storage::session_next_keys(account),
            storage::active_era(),
            storage::session_validators(),
        ];
        let (_, values) = self.read_raw(&keys).await?;
        let validators: Vec<Account> = decode(&values, 6, "the validators")?.unwrap_or_default();
        Ok(StakeState {
            ledger: decode(&values, 0, "a stake")?,
            payee: decode(&values, 1, "a payee")?,
            prefs: decode(&values, 2, "a validator")?,
            nominations: decode(&values, 3, "nominations")?,
            keys: decode(&values, 4, "session keys")?,
            era: decode(&values, 5, "the era")?,
            elected: validators.contains(account),
        })
    }

    /// How often a stake was slashed, as withdrawing it must say: spans of eras between slashes.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn slashing_spans(&self, account: &Account) -> Result<u32, ChainError> {
        let spans: Option<SlashingSpans> = self.one(storage::slashing_spans(account), "slashes").await?;
        Ok(spans.map_or(0, |spans| u32::try_from(spans.prior.len()).unwrap_or(u32::MAX).saturating_add(1)))
    }

    /// The validators of this session, and the era.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn validators(&self) -> Result<(Option<ActiveEra>, Vec<ValidatorState>), ChainError> {
        self.advance().await?;
        let era: Option<ActiveEra> = self.one(storage::active_era(), "the era").await?;
        let accounts: Vec<Account> =
            self.one(storage::session_validators(), "the validators").await?.unwrap_or_default();
        let index = era.map_or(0, |era| era.index);
        let points: Option<EraPoints> = self.one(storage::era_points(index), "an era's points").await?;
        let prefs: Vec<_> = accounts.iter().map(storage::validator_prefs).collect();
        let prefs = self.many(&prefs, "a validator").await?;
        let exposures: Vec<_> = accounts.iter().map(|account| storage::era_exposure(index, account)).collect();
        let exposures = self.many(&exposures, "what stands behind a validator").await?;
        let all = accounts.into_iter().zip(prefs).zip(exposures).map(|((account, prefs), exposure)| {
            let earned = points.iter().flat_map(|points| &points.individual);
            let points = earned.filter(|(who, _)| *who == account).map(|(_, points)| *points).sum();
            ValidatorState { account, prefs, exposure, points }
        });
        Ok((era, all.collect()))
    }

    /// Eras of which a validator and its nominators have not been paid, the oldest first. An era that pays nothing counts as paid.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn unpaid_eras(&self, validator: &Account) -> Result<Vec<u32>, ChainError> {
        let era: Option<ActiveEra> = self.one(storage::active_era(), "the era").await?;
        let now = era.map_or(0, |era| era.index);
        let eras: Vec<u32> = (now.saturating_sub(HISTORY_ERAS)..now).collect();
        let rewards: Vec<_> = eras.iter().map(|era| storage::era_reward(*era)).collect();
        let rewards: Vec<Option<u128>> = self.many(&rewards, "an era's reward").await?;
        let exposures: Vec<_> = eras.iter().map(|era| storage::era_exposure(*era, validator)).collect();
        let exposures: Vec<Option<Exposure>> = self.many(&exposures, "what stood behind a validator").await?;
        let claimed: Vec<_> = eras.iter().map(|era| storage::era_claimed(*era, validator)).collect();
        let claimed: Vec<Option<Vec<u32>>> = self.many(&claimed, "what was paid").await?;
        let all = eras.into_iter().zip(rewards).zip(exposures).zip(claimed);
        let owes = all.filter(|(((_, reward), exposure), claimed)| {
            let pages = exposure.map_or(0, |exposure| exposure.pages.max(1));
            reward.unwrap_or_default() > 0 && claimed.as_ref().map_or(0, Vec::len) < pages as usize
        });
        Ok(owes.map(|(((era, _), _), _)| era).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::ledgers::Unlocking;

    #[test]
    fn what_has_waited_for_its_era_can_be_withdrawn() {
        let unlocking = [(5, 3), (7, 4), (11, 5)].map(|(amount, era)| Unlocking { amount, era }).to_vec();
        let stash = Account([1; 32]);
        let ledger = StakeLedger { stash, total: 100, active: 77, unlocking, claimed_before: vec![] };
        let mut state = StakeState {
            ledger: Some(ledger),
            payee: None,
            prefs: None,
            nominations: None,
            keys: None,
            era: Some(ActiveEra { index: 4, start: None }),
            elected: false,
        };
        assert_eq!(state.withdrawable(), Planck(12));
        state.era = None;
        assert_eq!(state.withdrawable(), Planck(0));
    }
}
