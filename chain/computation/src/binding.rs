//! Binding: which pool a worker works for.

use crate::{Banned, Config, Error, Event, Pallet, PoolWorker, PoolWorkers, Pools as _, Sessions, Work, Workers as _};
use frame_support::pallet_prelude::*;
use phala_messages::{
    PoolId, Signature, WorkerId,
    computation::{WorkConsent, WorkRecord},
    custody::Signed,
};
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_bind(who: &T::AccountId, pool: PoolId, worker: WorkerId, consent: Signature) -> DispatchResult {
        ensure!(T::Pools::owner(pool).as_ref() == Some(who), Error::<T>::NotPoolOwner);
        ensure!(T::Workers::machine(&worker).is_some(), Error::<T>::WorkerUnknown);
        ensure!(!Banned::<T>::contains_key(worker), Error::<T>::WorkerBanned);
        ensure!(!Work::<T>::contains_key(worker), Error::<T>::WorkerBound);
        let message = WorkConsent { worker, operator: Self::account(who) };
        ensure!(Self::is_signed(&Signed { message, signature: consent }, &worker.0), Error::<T>::NoConsent);
        PoolWorkers::<T>::try_mutate(pool, |workers| workers.try_push(PoolWorker { worker, stake: Planck(0) }))
            .map_err(|_| Error::<T>::WorkersFull)?;
        let record = WorkRecord {
            pool,
            score: None,
            session: None,
            challenge: None,
            leaving: false,
            processes: BoundedVec::default(),
        };
        Work::<T>::insert(worker, record);
        Self::deposit_event(Event::WorkerBound { pool, worker });
        Ok(())
    }

    pub(crate) fn do_unbind(who: &T::AccountId, worker: WorkerId) -> DispatchResult {
        let record = Self::owned(who, &worker)?;
        if record.session.is_some() {
            Self::stop_session(&worker)?;
        }
        if Sessions::<T>::contains_key(worker) {
            Work::<T>::mutate(worker, |record| {
                if let Some(record) = record {
                    record.leaving = true;
                }
            });
            return Ok(());
        }
        Self::release_worker(&worker, record.pool);
        Ok(())
    }

    /// The record of a worker that works for a pool of `who`.
    pub(crate) fn owned(who: &T::AccountId, worker: &WorkerId) -> Result<WorkRecord, DispatchError> {
        let record = Work::<T>::get(worker).ok_or(Error::<T>::WorkerNotBound)?;
        ensure!(T::Pools::owner(record.pool).as_ref() == Some(who), Error::<T>::NotPoolOwner);
        Ok(record)
    }

    /// The worker is nobody's any more.
    pub(crate) fn release_worker(worker: &WorkerId, pool: PoolId) {
        Work::<T>::remove(worker);
        PoolWorkers::<T>::mutate_exists(pool, |list| {
            if let Some(workers) = list {
                workers.retain(|member| member.worker != *worker);
                if workers.is_empty() {
                    *list = None;
                }
            }
        });
        Self::deposit_event(Event::WorkerUnbound { pool, worker: *worker });
    }

    /// Notes in the pool's list what a worker has at work there.
    pub(crate) fn note_stake(pool: PoolId, worker: &WorkerId, stake: Planck) {
        PoolWorkers::<T>::mutate(pool, |workers| {
            if let Some(member) = workers.iter_mut().find(|member| member.worker == *worker) {
                member.stake = stake;
            }
        });
    }
}
