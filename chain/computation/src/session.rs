//! Sessions: from a stake to its return.
//!
//! ```text
//!            start                    a challenge overdue
//!  ready ───────────► responsive ────────────────────────► silent
//!    ▲                    │  ▲                               │
//!    │                    │  └───────── its heartbeat ───────┤
//!    │ the cool-down is   │ stop, restart                    │ stop
//!    │ over               ▼                                  │
//!    └──────────────── cooling ◄─────────────────────────────┘
//! ```

use crate::{
    Accrued, Banned, Config, CoolingHead, CoolingQueue, CoolingTail, Error, Event, Pallet, Pools as _, PoolsAtWork,
    Responsive, ResponsiveCount, Rules, SessionCount, Sessions, Tariff, WeightInfo as _, Work,
};
use frame_support::{defensive, pallet_prelude::*};
use phala_economics::{Cooling, Mark, Score, Session, SessionRecord, StakeError, stake_returned};
use phala_messages::{
    PoolId, WorkerId,
    computation::{SessionNumber, WorkRecord},
};
use phala_units::Planck;

/// Sessions that one call of [`Pallet::release`] stops at most.
pub const RELEASE_SESSIONS_MAX: usize = 8;

impl<T: Config> From<StakeError> for Error<T> {
    fn from(error: StakeError) -> Self {
        match error {
            StakeError::ScoreTooLow => Self::ScoreTooLow,
            StakeError::ScoreTooHigh => Self::ScoreTooHigh,
            StakeError::TooLittle(_) => Self::StakeTooLittle,
            StakeError::TooMuch(_) => Self::StakeTooMuch,
        }
    }
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_start(who: &T::AccountId, worker: WorkerId, stake: Planck) -> DispatchResult {
        let work = Self::owned(who, &worker)?;
        ensure!(!Sessions::<T>::contains_key(worker), Error::<T>::SessionStands);
        ensure!(!work.leaving, Error::<T>::WorkerLeaving);
        let worth = Self::new_session(&worker, &work, stake)?;
        T::Pools::take_stake(work.pool, stake)?;
        Self::change_pool(work.pool, |pool| pool.at_work = Planck(pool.at_work.0.saturating_add(stake.0)));
        Self::open(worker, work, worth, stake, Planck(0))
    }

    pub(crate) fn do_stop(who: &T::AccountId, worker: WorkerId) -> DispatchResult {
        Self::owned(who, &worker)?;
        Self::stop_session(&worker)
    }

    /// A new session with more stake. What the old one lost is slashed now; what it had grown by is gone.
    pub(crate) fn do_restart(who: &T::AccountId, worker: WorkerId, stake: Planck) -> DispatchResult {
        let work = Self::owned(who, &worker)?;
        let mut old = Sessions::<T>::get(worker).ok_or(Error::<T>::NoSession)?;
        ensure!(old.cooling.is_none(), Error::<T>::NoSession);
        ensure!(old.worth.responsive, Error::<T>::WorkerSilent);
        ensure!(stake > old.stake, Error::<T>::StakeNotMore);
        let worth = Self::new_session(&worker, &work, stake)?;
        old.worth.settle(&Tariff::<T>::get(), Self::block());
        let kept = stake_returned(old.stake, old.worth.value, old.worth.initial);
        let slashed = Planck(old.stake.0.saturating_sub(kept.0));
        T::Pools::take_stake(old.pool, Planck(stake.0.saturating_sub(kept.0)))?;
        Self::give_back(old.pool, Planck(0), slashed)?;
        Self::change_pool(old.pool, |pool| {
            pool.at_work = Planck(pool.at_work.0.saturating_sub(old.stake.0).saturating_add(stake.0));
        });
        Self::leave_index(&mut old);
        Self::unlist(&mut old);
        Self::open(worker, work, worth, stake, slashed)
    }

    /// Returns a stake that has cooled down.
    pub(crate) fn do_reclaim(worker: WorkerId) -> DispatchResult {
        let record = Sessions::<T>::get(worker).ok_or(Error::<T>::NoSession)?;
        let cooling = record.cooling.ok_or(Error::<T>::NotCooling)?;
        ensure!(cooling.until <= Self::time(), Error::<T>::CoolingDown);
        Self::finish(&worker, &record, cooling)
    }

    fn new_session(worker: &WorkerId, work: &WorkRecord, stake: Planck) -> Result<Session, DispatchError> {
        let machine = Self::admitted(worker).map_err(Error::<T>::from)?;
        let score = work.score.ok_or(Error::<T>::NoScore)?;
        let session = Session::start(&Tariff::<T>::get(), stake, Score(score.score), machine.confidence, Self::block());
        session.map_err(|error| Error::<T>::from(error).into())
    }

    /// Lets a session begin: the stake is at work already.
    fn open(
        worker: WorkerId,
        mut work: WorkRecord,
        mut worth: Session,
        stake: Planck,
        slashed: Planck,
    ) -> DispatchResult {
        let mut accrual = Self::accrue();
        worth.rejoin(&mut accrual.index).map_err(|_| Error::<T>::SharesFull)?;
        Accrued::<T>::put(accrual);
        let number = SessionNumber(SessionCount::<T>::mutate(|count| {
            *count = count.saturating_add(1);
            *count
        }));
        let pool = work.pool;
        let mut record = SessionRecord {
            number,
            pool,
            stake,
            worth,
            mark: Mark { iterations: 0, at_ms: Self::time().0 },
            place: None,
            started: Self::block(),
            earned: Planck(0),
            cooling: None,
        };
        Self::list(&worker, &mut record);
        Sessions::<T>::insert(worker, record);
        work.session = Some(number);
        Work::<T>::insert(worker, work);
        Self::note_stake(pool, &worker, stake);
        Self::deposit_event(Event::SessionStarted { worker, pool, session: number, stake, slashed });
        Ok(())
    }

    /// Ends a session: its stake cools down.
    pub(crate) fn stop_session(worker: &WorkerId) -> DispatchResult {
        let mut record = Sessions::<T>::get(worker).ok_or(Error::<T>::NoSession)?;
        ensure!(record.cooling.is_none(), Error::<T>::NoSession);
        record.worth.settle(&Tariff::<T>::get(), Self::block());
        Self::leave_index(&mut record);
        Self::unlist(&mut record);
        let returned = stake_returned(record.stake, record.worth.value, record.worth.initial);
        let until = Self::time().saturating_add(Rules::<T>::get().cool_down_ms);
        let turn = CoolingTail::<T>::mutate(|tail| {
            let turn = *tail;
            *tail = tail.saturating_add(1);
            turn
        });
        CoolingQueue::<T>::insert(turn, worker);
        record.cooling = Some(Cooling { until, returned, turn });
        let (pool, session) = (record.pool, record.number);
        Sessions::<T>::insert(worker, record);
        Self::change_pool(pool, |work| work.returning = Planck(work.returning.0.saturating_add(returned.0)));
        Self::note_stake(pool, worker, Planck(0));
        Work::<T>::mutate(worker, |work| {
            if let Some(work) = work {
                work.session = None;
                work.challenge = None;
            }
        });
        Self::deposit_event(Event::SessionStopped { worker: *worker, pool, session, returned, until });
        Ok(())
    }

    /// Ends what cools down: the stake returns, as far as it does.
    pub(crate) fn finish(worker: &WorkerId, record: &SessionRecord, cooling: Cooling) -> DispatchResult {
        let slashed = Planck(record.stake.0.saturating_sub(cooling.returned.0));
        Self::give_back(record.pool, cooling.returned, slashed)?;
        Self::change_pool(record.pool, |work| {
            work.at_work = Planck(work.at_work.0.saturating_sub(record.stake.0));
            work.returning = Planck(work.returning.0.saturating_sub(cooling.returned.0));
        });
        CoolingQueue::<T>::remove(cooling.turn);
        Sessions::<T>::remove(worker);
        let (pool, session, returned) = (record.pool, record.number, cooling.returned);
        Self::deposit_event(Event::StakeReturned { worker: *worker, pool, session, returned, slashed });
        let leaves = Work::<T>::get(worker).is_some_and(|work| work.leaving) || Banned::<T>::contains_key(worker);
        if leaves {
            Self::release_worker(worker, pool);
        }
        Ok(())
    }

    /// Gives stake back to its pool, and what is slashed of it to the treasury.
    fn give_back(pool: PoolId, returned: Planck, slashed: Planck) -> DispatchResult {
        if returned.0 == 0 && slashed.0 == 0 {
            return Ok(());
        }
        T::Pools::return_stake(pool, returned, slashed)?;
        Self::pass_on(&T::Treasury::get(), slashed);
        Ok(())
    }

    /// Takes a worker into the list of those that are challenged.
    pub(crate) fn list(worker: &WorkerId, record: &mut SessionRecord) {
        let place = ResponsiveCount::<T>::get();
        Responsive::<T>::insert(place, worker);
        ResponsiveCount::<T>::put(place.saturating_add(1));
        record.place = Some(place);
    }

    /// Takes a worker out of that list; the last one takes its place.
    pub(crate) fn unlist(record: &mut SessionRecord) {
        let Some(place) = record.place.take() else { return };
        let Some(last) = ResponsiveCount::<T>::get().checked_sub(1) else {
            defensive!("a worker with a place is counted");
            return;
        };
        ResponsiveCount::<T>::put(last);
        let moved = Responsive::<T>::take(last);
        if last == place {
            return;
        }
        if let Some(moved) = moved {
            Responsive::<T>::insert(place, moved);
            Sessions::<T>::mutate(moved, |record| {
                if let Some(record) = record {
                    record.place = Some(place);
                }
            });
        }
    }

    /// The session takes no part in the division of the budget any more; what it has earned since it was paid stays in the pot.
    pub(crate) fn leave_index(record: &mut SessionRecord) {
        let mut accrual = Self::accrue();
        if record.worth.leave(&mut accrual.index).is_err() {
            defensive!("a share that joined leaves");
        }
        Accrued::<T>::put(accrual);
    }

    pub(crate) fn change_pool(pool: PoolId, change: impl FnOnce(&mut phala_economics::PoolWork)) {
        PoolsAtWork::<T>::mutate_exists(pool, |record| {
            let mut work = record.unwrap_or_default();
            change(&mut work);
            *record = (work != Default::default()).then_some(work);
        });
    }

    /// Returns stakes that have cooled down, while there is room.
    pub(crate) fn sweep(room: Weight) -> Weight {
        let step = T::WeightInfo::sweep();
        let mut used = Weight::zero();
        let now = Self::time();
        let (before, tail) = (CoolingHead::<T>::get(), CoolingTail::<T>::get());
        let mut head = before;
        while head < tail && used.saturating_add(step).all_lte(room) {
            used = used.saturating_add(step);
            let waiting = CoolingQueue::<T>::get(head).and_then(|worker| Some((worker, Sessions::<T>::get(worker)?)));
            if let Some((worker, record)) = waiting
                && let Some(cooling) = record.cooling
            {
                if cooling.until > now {
                    break;
                }
                if Self::finish(&worker, &record, cooling).is_err() {
                    // It stays, for anyone to reclaim; those behind it do not wait.
                    Self::deposit_event(Event::StakeStuck { worker, pool: record.pool });
                }
            }
            head = head.saturating_add(1);
        }
        if head != before {
            CoolingHead::<T>::put(head);
        }
        used
    }

    /// Stops sessions of a pool, those with the largest stake first, until `wanted` is on its way back to it; no more than
    /// [`RELEASE_SESSIONS_MAX`]: who still lacks something asks again. Answers how much is on its way.
    ///
    /// Costs [`crate::WeightInfo::release`].
    pub fn release(pool: PoolId, wanted: Planck) -> Planck {
        let mut workers = crate::PoolWorkers::<T>::get(pool).into_inner();
        workers.sort_by(|one, other| other.stake.cmp(&one.stake));
        for member in workers.iter().filter(|member| member.stake.0 > 0).take(RELEASE_SESSIONS_MAX) {
            if Self::on_its_way(pool) >= wanted {
                break;
            }
            if Self::stop_session(&member.worker).is_err() {
                defensive!("a worker with stake at work computes");
            }
        }
        Self::on_its_way(pool)
    }

    /// How much of a pool's stake cools down and will come back.
    pub fn on_its_way(pool: PoolId) -> Planck {
        PoolsAtWork::<T>::get(pool).map_or(Planck(0), |work| work.returning)
    }
}
