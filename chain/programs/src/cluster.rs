//! Clusters: founded by anyone, given workers by their owner.

use crate::{Assignments, ClusterCount, Clusters, Config, Error, Event, Pallet, Workers as _};
use frame_support::pallet_prelude::*;
use phala_messages::{Account, ClusterId, ClusterRecord, WorkerId};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_create_cluster(owner: T::AccountId) -> DispatchResult {
        let id = ClusterCount::<T>::try_mutate(|count| {
            let id = *count;
            *count = id.checked_add(1).ok_or(Error::<T>::ClustersExhausted)?;
            Ok::<_, DispatchError>(ClusterId(id))
        })?;
        let record = ClusterRecord { owner: Self::account(&owner), workers: Default::default(), slots: 0, activity: 0 };
        Clusters::<T>::insert(id, record);
        Self::deposit_event(Event::ClusterCreated { cluster: id, owner });
        Ok(())
    }

    pub(crate) fn do_assign_worker(owner: &T::AccountId, cluster: ClusterId, worker: WorkerId) -> DispatchResult {
        let leads = Self::with_owned_cluster(owner, cluster, |record| {
            ensure!(T::Workers::exists(&worker), Error::<T>::WorkerUnknown);
            ensure!(!Assignments::<T>::contains_key(worker), Error::<T>::WorkerAssigned);
            ensure!((record.workers.len() as u32) < T::WorkersPerCluster::get(), Error::<T>::WorkersFull);
            record.workers.try_push(worker).map_err(|_| Error::<T>::WorkersFull)?;
            Assignments::<T>::insert(worker, cluster);
            Ok(record.workers.len() == 1)
        })?;
        Self::deposit_event(Event::WorkerAssigned { cluster, worker });
        if leads {
            Self::begin_term(cluster);
            Self::deposit_event(Event::LeadChanged { cluster, lead: Some(worker), before: None });
        }
        Ok(())
    }

    pub(crate) fn do_unassign_worker(owner: &T::AccountId, worker: WorkerId) -> DispatchResult {
        let cluster = Assignments::<T>::get(worker).ok_or(Error::<T>::WorkerNotAssigned)?;
        let (led, lead) = Self::with_owned_cluster(owner, cluster, |record| {
            let led = record.workers.first() == Some(&worker);
            record.workers.retain(|member| *member != worker);
            Assignments::<T>::remove(worker);
            Ok((led, record.workers.first().copied()))
        })?;
        Self::deposit_event(Event::WorkerUnassigned { cluster, worker });
        if led {
            Self::begin_term(cluster);
            Self::deposit_event(Event::LeadChanged { cluster, lead, before: Some(worker) });
        }
        Ok(())
    }

    /// Changes a cluster that `owner` owns, and counts the change as activity.
    fn with_owned_cluster<R>(
        owner: &T::AccountId,
        cluster: ClusterId,
        change: impl FnOnce(&mut ClusterRecord) -> Result<R, DispatchError>,
    ) -> Result<R, DispatchError> {
        Clusters::<T>::try_mutate(cluster, |record| {
            let record = record.as_mut().ok_or(Error::<T>::ClusterUnknown)?;
            ensure!(record.owner == Self::account(owner), Error::<T>::NotClusterOwner);
            let changed = change(record)?;
            record.activity = record.activity.saturating_add(1);
            Ok(changed)
        })
    }

    /// Tells the cluster's workers that there is something to look at.
    pub(crate) fn count_activity(cluster: ClusterId) {
        Clusters::<T>::mutate(cluster, |record| match record {
            Some(record) => record.activity = record.activity.saturating_add(1),
            None => {
                frame_support::defensive!("a program's cluster exists: clusters are never removed");
            }
        });
    }

    /// The account as messages name it.
    pub(crate) fn account(id: &T::AccountId) -> Account {
        Account(*id.as_ref())
    }
}
