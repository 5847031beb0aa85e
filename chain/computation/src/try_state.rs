//! What must hold between any two blocks.

use crate::{
    Accrued, Challenged, CheckedThrough, Config, CoolingHead, CoolingQueue, CoolingTail, Pallet, PoolWorkers,
    PoolsAtWork, Responsive, ResponsiveCount, SessionCount, Sessions, Work,
};
use alloc::collections::BTreeMap;
use frame_support::ensure;
use phala_economics::{Fixed, PoolWork};
use phala_messages::PoolId;
use phala_units::Planck;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_sessions()?;
        Self::check_lists()?;
        Self::check_pools()?;
        Self::check_challenges()
    }

    /// Sessions ↔ records of workers; shares ↔ their sum.
    fn check_sessions() -> Result<(), TryRuntimeError> {
        let (mut sum, mut computing) = (Fixed::ZERO, 0u32);
        for (worker, record) in Sessions::<T>::iter() {
            let work = Work::<T>::get(worker).ok_or("a session's worker is bound")?;
            ensure!(work.pool == record.pool, "a worker works for the pool whose stake it has");
            ensure!(record.number.0 > 0 && record.number.0 <= SessionCount::<T>::get(), "a session was counted");
            sum = sum.checked_add(record.worth.share.0).ok_or("the shares fit their sum")?;
            if let Some(cooling) = record.cooling {
                ensure!(work.session.is_none() && record.place.is_none(), "what cools down does not compute");
                ensure!(cooling.returned <= record.stake, "no more comes back than was at work");
                ensure!(record.worth.share.0 == Fixed::ZERO, "what cools down earns nothing");
                continue;
            }
            computing += 1;
            ensure!(work.session == Some(record.number), "a worker knows its session");
            ensure!(record.place.is_some() == record.worth.responsive, "who answers has a place in the list");
            ensure!(
                record.worth.responsive || record.worth.share.0 == Fixed::ZERO,
                "who does not answer earns nothing"
            );
            if let Some(place) = record.place {
                ensure!(Responsive::<T>::get(place) == Some(worker), "a place is its worker's");
            }
        }
        ensure!(
            Work::<T>::iter_values().filter(|work| work.session.is_some()).count() as u32 == computing,
            "a worker that computes has a session"
        );
        let accrual = Accrued::<T>::get();
        ensure!(sum == accrual.index.sum().0, "the sum of shares is the sum of shares");
        ensure!(accrual.paid <= accrual.divided, "no more is paid than was divided");
        ensure!(accrual.through <= Self::block(), "no budget is divided before its block");
        Ok(())
    }

    /// The list of who answers, and the queue of what cools down.
    fn check_lists() -> Result<(), TryRuntimeError> {
        let count = ResponsiveCount::<T>::get();
        ensure!(Responsive::<T>::iter().count() as u32 == count, "the list is as long as it says");
        ensure!(Responsive::<T>::iter_keys().all(|place| place < count), "the list has no gap");
        let placed = Sessions::<T>::iter_values().filter(|record| record.place.is_some()).count();
        ensure!(placed as u32 == count, "each place has one worker");
        let cooling: BTreeMap<_, _> =
            Sessions::<T>::iter().filter_map(|(worker, record)| Some((record.cooling?.turn, worker))).collect();
        let queue: BTreeMap<_, _> = CoolingQueue::<T>::iter().collect();
        ensure!(cooling == queue, "what cools down stands in the queue, once");
        let (head, tail) = (CoolingHead::<T>::get(), CoolingTail::<T>::get());
        ensure!(head <= tail && queue.keys().all(|turn| (head..tail).contains(turn)), "the queue moves on");
        Ok(())
    }

    /// Σ stakes at work, for every pool; pools ↔ their workers.
    fn check_pools() -> Result<(), TryRuntimeError> {
        let mut pools = BTreeMap::<PoolId, PoolWork>::new();
        for record in Sessions::<T>::iter_values() {
            let pool = pools.entry(record.pool).or_default();
            pool.at_work = Planck(pool.at_work.0 + record.stake.0);
            pool.returning = Planck(pool.returning.0 + record.cooling.map_or(0, |cooling| cooling.returned.0));
        }
        pools.retain(|_, work| *work != PoolWork::default());
        ensure!(
            PoolsAtWork::<T>::iter().collect::<BTreeMap<_, _>>() == pools,
            "a pool has at work what its workers have"
        );
        let mut bound = 0;
        for (pool, workers) in PoolWorkers::<T>::iter() {
            ensure!(!workers.is_empty(), "a list without workers goes");
            bound += workers.len();
            for member in &workers {
                let work = Work::<T>::get(member.worker).ok_or("a pool's worker is bound")?;
                ensure!(work.pool == pool, "a worker stands in its pool's list");
                let stake = Sessions::<T>::get(member.worker)
                    .filter(|record| record.cooling.is_none())
                    .map_or(Planck(0), |record| record.stake);
                ensure!(member.stake == stake, "a pool knows what each of its workers has");
            }
        }
        ensure!(Work::<T>::iter().count() == bound, "a bound worker stands in one list, once");
        Ok(())
    }

    /// Challenges that wait are listed until they are judged, and silent workers have one to answer.
    fn check_challenges() -> Result<(), TryRuntimeError> {
        let checked = CheckedThrough::<T>::get();
        for (worker, work) in Work::<T>::iter() {
            let session = Sessions::<T>::get(worker).filter(|record| record.cooling.is_none());
            let silent = session.is_some_and(|record| !record.worth.responsive);
            let Some(challenge) = work.challenge else {
                ensure!(!silent, "who does not answer has something to answer");
                continue;
            };
            ensure!(work.session.is_some(), "only who computes is asked");
            ensure!(challenge.block > checked || silent, "who is overdue is silent");
            let listed = Challenged::<T>::get(challenge.block).contains(&worker);
            ensure!(challenge.block <= checked || listed, "a challenge that waits is listed");
        }
        ensure!(Challenged::<T>::iter_keys().all(|block| block > checked), "what was judged is forgotten");
        Ok(())
    }
}
