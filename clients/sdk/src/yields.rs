//! What a pool earns those who have shares of it: an estimate, from what is proven.
//!
//! ```text
//! stake pool   its sessions' part of a day's budget × 365 × (1 − commission) / value
//! vault        Σ worth of its shares of a pool × what that pool earns, × (1 − commission) / value
//! ```
//! Simple interest, at the pace of this block: shares of other workers, the budget and the commission may change tomorrow. Fines are not in it.

use crate::{Client, PoolState, Position, WorkTerms, client::ChainError, pools::pool_account};
use phala_economics::{PoolKind, Ppm, SessionRecord, Shares, mul_div};
use phala_messages::{PoolId, ledgers::PoolWorker, storage};
use phala_units::{BlockNumber, Planck};
use std::collections::BTreeMap;

/// Days in a year.
const YEAR_DAYS: u128 = 365;
/// Parts per million in a whole.
const WHOLE: u128 = 1_000_000;

/// A yearly yield.
///
/// # Units Parts per million of what is in the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Yearly(pub u64);

impl Yearly {
    /// Of so much a day, before commission, on so much.
    fn of(per_day: Planck, commission: Ppm, value: Planck) -> Self {
        let year = commission.rest().of(Planck(per_day.0.saturating_mul(YEAR_DAYS)));
        Self(part(year, value))
    }

    /// Of several places that so much lies in, of which some lies nowhere.
    fn blended(places: &[(Planck, Self)], commission: Ppm, value: Planck) -> Self {
        let gains = places.iter().map(|(worth, yearly)| mul_div(worth.0, yearly.0.into(), WHOLE).unwrap_or(u128::MAX));
        let year = commission.rest().of(Planck(gains.fold(0, u128::saturating_add)));
        Self(part(year, value))
    }
}

/// `gain / value`, parts per million. Zero where there is nothing that could gain.
fn part(gain: Planck, value: Planck) -> u64 {
    if value == Planck(0) {
        return 0;
    }
    mul_div(gain.0, WHOLE, value.0).and_then(|parts| u64::try_from(parts).ok()).unwrap_or(u64::MAX)
}

impl Client {
    /// What each of these pools earns in a year, in the same order.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn yearly(&self, pools: &[PoolState]) -> Result<Vec<Yearly>, ChainError> {
        let Some(first) = pools.first() else { return Ok(Vec::new()) };
        let terms = self.work_terms().await?;
        let mut stake_pools: BTreeMap<PoolId, PoolState> = BTreeMap::new();
        let mut vaults: BTreeMap<PoolId, Vec<Position>> = BTreeMap::new();
        for pool in pools {
            if pool.record.kind == PoolKind::StakePool {
                stake_pools.insert(pool.id, pool.clone());
                continue;
            }
            let positions = self.positions(&pool_account(pool.id)).await?;
            stake_pools.extend(positions.iter().map(|position| (position.pool.id, position.pool.clone())));
            vaults.insert(pool.id, positions);
        }
        let days = self.days(&terms, stake_pools.keys(), first.block.number).await?;
        let now = first.block.number;
        let of = |pool: &PoolState| {
            let per_day = days.get(&pool.id).copied().unwrap_or_default();
            Yearly::of(per_day, pool.record.commission.rate_at(now), pool.record.ledger.value())
        };
        let yearly = pools.iter().map(|pool| match vaults.get(&pool.id) {
            None => of(pool),
            Some(positions) => {
                let places: Vec<_> =
                    positions.iter().map(|position| (worth_of(position), of(&position.pool))).collect();
                let invested = places.iter().fold(0u128, |sum, (worth, _)| sum.saturating_add(worth.0));
                let value = Planck(pool.record.free.0.saturating_add(invested));
                Yearly::blended(&places, pool.record.commission.rate_at(now), value)
            }
        });
        Ok(yearly.collect())
    }

    /// What the sessions of each stake pool bring in a day.
    async fn days(
        &self,
        terms: &WorkTerms,
        pools: impl Iterator<Item = &PoolId>,
        now: BlockNumber,
    ) -> Result<BTreeMap<PoolId, Planck>, ChainError> {
        let keys: Vec<_> = pools.map(|pool| storage::pool_workers(*pool)).collect();
        let workers: Vec<Option<Vec<PoolWorker>>> = self.many(&keys, "a pool's workers").await?;
        let keys: Vec<_> =
            workers.into_iter().flatten().flatten().map(|bound| storage::session(&bound.worker)).collect();
        let sessions: Vec<Option<SessionRecord>> = self.many(&keys, "a session").await?;
        let mut days: BTreeMap<PoolId, Planck> = BTreeMap::new();
        for session in sessions.into_iter().flatten() {
            let day = days.entry(session.pool).or_default();
            *day = Planck(day.0.saturating_add(terms.per_day(&session, now).0));
        }
        Ok(days)
    }
}

fn worth_of(position: &Position) -> Planck {
    let shares = position.holding.free.0.saturating_add(position.holding.queued.0);
    position.pool.worth(Shares(shares))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;

    /// Parts per million that differ by less than a hundredth of a percentage point.
    fn near(yearly: Yearly, expected: f64) {
        let off = (yearly.0 as f64 / 10_000.0 - expected).abs();
        assert!(off < 0.01, "{yearly:?} is not {expected} %");
    }

    #[test]
    fn a_pool_earns_its_days_less_the_commission() {
        for (day, commission, value) in [(12.5, 10u8, 40_000.0), (0.001, 0, 3.7), (720_000.0, 50, 1_000_000.0)] {
            let planck = |amount: f64| Planck((amount * PHA as f64) as u128);
            let yearly = Yearly::of(planck(day), Ppm::percent(commission), planck(value));
            near(yearly, day * 365.0 * (1.0 - f64::from(commission) / 100.0) / value * 100.0);
        }
        assert_eq!(Yearly::of(Planck(PHA), Ppm::percent(0), Planck(0)), Yearly(0), "nothing cannot gain");
        assert_eq!(Yearly::of(Planck(u128::MAX), Ppm::percent(0), Planck(1)), Yearly(u64::MAX));
    }

    #[test]
    fn a_vault_earns_what_its_pools_earn_and_nothing_on_what_lies_idle() {
        let places = [(Planck(600 * PHA), Yearly(120_000)), (Planck(300 * PHA), Yearly(60_000))];
        // 72 and 18 of a thousand, of which a tenth is the owner's.
        near(Yearly::blended(&places, Ppm::percent(10), Planck(1_000 * PHA)), 8.1);
        assert_eq!(Yearly::blended(&[], Ppm::percent(10), Planck(PHA)), Yearly(0));
    }
}
