//! Work: what workers have at stake, what they earn, and what a session needs. Everything here is proven from the chain.
//!
//! What a worker is owed is computed as the chain will compute it when the worker's next heartbeat comes: from the budget of the blocks since the
//! last division, the sum of all shares, and the worker's own share.

use crate::{
    Client,
    client::{ChainError, decode},
};
use phala_economics::{
    Accrual, Confidence, Fixed, Parameters, Schedule, Score, SessionRecord, WorkRules, part_of_budget, split_budget,
    stake_max, stake_min, stake_returned,
};
use phala_messages::{BlockRef, WorkerId, WorkerRecord, computation::WorkRecord, storage};
use phala_units::{BlockNumber, Planck};

/// Blocks of two seconds in a day.
const DAY_BLOCKS: u32 = 43_200;

/// Prices, budget and rules.
#[derive(Clone, Copy, Debug)]
pub struct WorkTerms {
    /// Prices.
    pub tariff: Parameters,
    /// How much is paid in which block.
    pub budget: Schedule,
    /// What is not a price.
    pub rules: WorkRules,
    /// How far the budget has been divided, and among how many shares.
    pub accrual: Accrual,
    /// Workers that compute and answer.
    pub responsive: u32,
}

/// A worker, its work and its session.
#[derive(Clone, Debug)]
pub struct WorkState {
    /// Which.
    pub worker: WorkerId,
    /// Its registration.
    pub record: Option<WorkerRecord>,
    /// Whose pool it works for, its score, and what it has to answer.
    pub work: Option<WorkRecord>,
    /// Its session: it computes, or its stake cools down.
    pub session: Option<SessionRecord>,
    /// The block from which on it may never come back.
    pub banned: Option<BlockNumber>,
    /// The block at which this was read.
    pub block: BlockRef,
}

impl WorkTerms {
    /// The index of earnings, brought up to block `now` as the chain will.
    fn accrued(&self, now: BlockNumber) -> Accrual {
        let mut accrual = self.accrual;
        if accrual.through < now && accrual.index.sum().0 > Fixed::ZERO {
            accrual.index.divide(self.budget.between(accrual.through, now));
        }
        accrual
    }

    /// What a session's pool would get if its heartbeat came in block `now`. The pot may hold less.
    pub fn owed(&self, session: &SessionRecord, now: BlockNumber) -> Planck {
        if session.cooling.is_some() || !session.worth.responsive {
            return Planck(0);
        }
        split_budget(&self.tariff, session.worth.owed(&self.accrued(now).index), Planck(u128::MAX)).pool
    }

    /// What a session's pool would get in a day, if all shares stayed as they are.
    pub fn per_day(&self, session: &SessionRecord, now: BlockNumber) -> Planck {
        if session.cooling.is_some() || !session.worth.responsive {
            return Planck(0);
        }
        let part = part_of_budget(session.worth.share, self.accrual.index.sum(), self.budget.at(now), DAY_BLOCKS);
        split_budget(&self.tariff, part, Planck(u128::MAX)).pool
    }

    /// The least and the largest stake of a worker with this score.
    pub fn stakes(&self, score: Score, confidence: Confidence) -> (Planck, Planck) {
        let least = stake_min(&self.tariff, score).to_planck();
        (Planck(least.0.saturating_add(1)), stake_max(&self.tariff, score, confidence).to_planck())
    }
}

impl WorkState {
    /// How far its machine is trusted.
    pub fn confidence(&self) -> Option<Confidence> {
        self.record.as_ref().map(|record| Confidence::from_attested(&record.attested))
    }

    /// Where it stands: a word for people and programs.
    pub const fn standing(&self) -> &'static str {
        match (&self.banned, &self.work, &self.session) {
            (Some(_), ..) => "banned",
            (_, None, _) => "unbound",
            (_, _, Some(session)) if session.cooling.is_some() => "cooling",
            (_, _, Some(session)) if session.worth.responsive => "responsive",
            (_, _, Some(_)) => "silent",
            (_, Some(work), None) if work.score.is_none() => "measuring",
            (_, Some(_), None) => "ready",
        }
    }

    /// V of its session in block `now`.
    pub fn value(&self, terms: &WorkTerms, now: BlockNumber) -> Option<Fixed> {
        self.session.map(|session| settled(&session, terms, now).value)
    }

    /// What would come back of its stake if it stopped in block `now`.
    pub fn returned(&self, terms: &WorkTerms, now: BlockNumber) -> Option<Planck> {
        let session = self.session?;
        if let Some(cooling) = session.cooling {
            return Some(cooling.returned);
        }
        let worth = settled(&session, terms, now);
        Some(stake_returned(session.stake, worth.value, worth.initial))
    }
}

fn settled(session: &SessionRecord, terms: &WorkTerms, now: BlockNumber) -> phala_economics::Session {
    let mut worth = session.worth;
    if session.cooling.is_none() {
        worth.settle(&terms.tariff, now);
    }
    worth
}

impl Client {
    /// Prices, budget and rules of work.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn work_terms(&self) -> Result<WorkTerms, ChainError> {
        let keys = [
            storage::work_parameters(),
            storage::budget_schedule(),
            storage::work_rules(),
            storage::work_accrued(),
            storage::responsive_count(),
        ];
        let (_, values) = self.read_raw(&keys).await?;
        Ok(WorkTerms {
            // What was never set is not stored: the runtime has the same defaults.
            tariff: decode(&values, 0, "the price of work")?.unwrap_or(Parameters::DEFAULT),
            budget: decode(&values, 1, "the budget")?.unwrap_or(Schedule::standard(BlockNumber(1))),
            rules: decode(&values, 2, "the rules of work")?.unwrap_or(WorkRules::DEFAULT),
            accrual: decode(&values, 3, "the division of the budget")?.unwrap_or_default(),
            responsive: decode(&values, 4, "the count of workers")?.unwrap_or_default(),
        })
    }

    /// A worker, its work and its session.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn work(&self, worker: &WorkerId) -> Result<WorkState, ChainError> {
        let keys = [storage::worker(worker), storage::work(worker), storage::session(worker), storage::banned(worker)];
        let (block, values) = self.read_raw(&keys).await?;
        Ok(WorkState {
            worker: *worker,
            record: decode(&values, 0, "a worker")?,
            work: decode(&values, 1, "a worker's work")?,
            session: decode(&values, 2, "a session")?,
            banned: decode(&values, 3, "a ban")?,
            block,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_economics::{Mark, Session};
    use phala_messages::{PoolId, computation::SessionNumber};
    use phala_units::PHA;

    fn session(now: u32) -> (WorkTerms, SessionRecord) {
        let tariff = Parameters::DEFAULT;
        let stake = Planck(10_000 * PHA);
        let mut worth = Session::start(&tariff, stake, Score(2_000), Confidence::One, BlockNumber(now)).unwrap();
        let mut accrual = Accrual { through: BlockNumber(now), ..Accrual::default() };
        worth.rejoin(&mut accrual.index).unwrap();
        let record = SessionRecord {
            number: SessionNumber(1),
            pool: PoolId(0),
            stake,
            worth,
            mark: Mark { iterations: 0, at_ms: 0 },
            place: None,
            started: BlockNumber(now),
            earned: Planck(0),
            cooling: None,
        };
        let budget = Schedule::standard(BlockNumber(1));
        (WorkTerms { tariff, budget, rules: WorkRules::DEFAULT, accrual, responsive: 1 }, record)
    }

    #[test]
    fn who_is_alone_gets_four_fifths_of_the_budget() {
        let (terms, session) = session(10);
        let day = terms.per_day(&session, BlockNumber(10));
        let off = (720_000 * PHA / 5 * 4).abs_diff(day.0);
        assert!(off < PHA, "{day}");
        let hour = terms.owed(&session, BlockNumber(1_810));
        assert!((30_000 * PHA / 5 * 4).abs_diff(hour.0) < PHA, "{hour}");
        assert_eq!(terms.owed(&session, BlockNumber(10)), Planck(0));
    }

    #[test]
    fn who_does_not_answer_is_owed_nothing_and_loses() {
        let (terms, mut record) = session(10);
        record.worth.responsive = false;
        assert_eq!(terms.owed(&record, BlockNumber(2_000)), Planck(0));
        assert_eq!(terms.per_day(&record, BlockNumber(2_000)), Planck(0));
        let state = WorkState {
            worker: WorkerId([1; 32]),
            record: None,
            work: None,
            session: Some(record),
            banned: None,
            block: BlockRef::default(),
        };
        let returned = state.returned(&terms, BlockNumber(2_000)).unwrap();
        assert!(returned < record.stake && returned.0 > 0, "{returned}");
    }

    #[test]
    fn a_stake_within_the_limits_starts_a_session() {
        let (terms, _) = session(10);
        let (least, most) = terms.stakes(Score(2_000), Confidence::One);
        assert!(least < most && least.0 > 0);
        for (stake, good) in [(least, true), (most, true), (Planck(most.0 + PHA), false), (Planck(0), false)] {
            let started = Session::start(&terms.tariff, stake, Score(2_000), Confidence::One, BlockNumber(1));
            assert_eq!(started.is_ok(), good, "{stake}");
        }
    }
}
