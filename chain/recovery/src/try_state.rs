//! What must hold between any two blocks.

use crate::{
    ActiveCeremonies, BackedRoots, Backups, Calls, Ceremonies, Config, CustodianSets, Custodians, EpochOutputs,
    NextCeremony, Outcomes, OutputEpochs, Pallet, RecoveryTimes,
};
use alloc::collections::BTreeSet;
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(RecoveryTimes::<T>::get().are_sane(), "there is time for everything");
        for (number, set) in CustodianSets::<T>::iter() {
            ensure!(set.number == number && set.is_sane(), "a set of custodians is one that may be appointed");
        }
        if let Some(set) = Custodians::<T>::get() {
            ensure!(CustodianSets::<T>::get(set.number) == Some(set), "the appointed custodians are kept");
        }
        let roots = BackedRoots::<T>::get();
        for (root, place, backup) in Backups::<T>::iter() {
            ensure!(roots.contains(&root), "what is kept for a root is noted");
            ensure!((backup.root, backup.place) == (root, place), "a backup lies in its place");
            ensure!(CustodianSets::<T>::contains_key(backup.set), "the custodians of a backup are kept");
        }
        for (root, _) in OutputEpochs::<T>::iter() {
            ensure!(roots.contains(&root) && EpochOutputs::<T>::contains_key(root), "an output is kept with its epoch");
        }
        ensure!(OutputEpochs::<T>::iter().count() == EpochOutputs::<T>::iter().count(), "and with nothing else");
        let active = ActiveCeremonies::<T>::get();
        ensure!(Ceremonies::<T>::iter().count() == active.len(), "a ceremony that stands is listed, once");
        for (root, ceremony) in Ceremonies::<T>::iter() {
            ensure!(active.contains(&root) && ceremony.root == root, "a ceremony lies in its place");
            ensure!(ceremony.number < NextCeremony::<T>::get(), "its number was given by the counter");
            ensure!(ceremony.announced < ceremony.opens && ceremony.opens < ceremony.lapses, "it is delayed");
            let seats: BTreeSet<_> = ceremony.seats.iter().map(|seat| seat.place).collect();
            let machines: BTreeSet<_> = ceremony.seats.iter().map(|seat| seat.gatekeeper).collect();
            ensure!(seats.len() == ceremony.seats.len(), "a seat is bound to one machine");
            ensure!(machines.len() == ceremony.seats.len(), "a machine is bound to one seat");
            ensure!(!Calls::<T>::contains_key(root), "nobody calls for what stands");
        }
        for (_, outcome) in Outcomes::<T>::iter() {
            ensure!(outcome.number < NextCeremony::<T>::get(), "an outcome's number was given by the counter");
        }
        Ok(())
    }
}
