//! What must hold between any two blocks.

use crate::{
    COLLATERAL_PIECES_MAX, Collateral, Config, EvidenceBlocks, EvidenceRoot, Instances, Judged, Pallet,
    RegistrationsInBlock, Workers,
};
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut workers = 0;
        for (id, record) in Workers::<T>::iter() {
            workers += 1;
            ensure!(record.registration.worker == id, "a record is its worker's");
            ensure!(Instances::<T>::get(record.registration.instance) == Some(id), "a worker's instance is its own");
            ensure!(EvidenceBlocks::<T>::contains_key(id), "a worker's evidence was over a block");
            ensure!(record.admitted_at <= record.expires_at, "an admission ends after it began");
            ensure!(record.admitted_at <= Self::now(), "a worker was admitted in the past");
            ensure!(record.admitted_block <= Self::block(), "a worker was admitted in the past");
        }
        ensure!(Instances::<T>::iter().count() == workers, "an instance has a worker");
        ensure!(EvidenceBlocks::<T>::iter().count() == workers, "a block of evidence has a worker");
        for (key, piece) in Collateral::<T>::iter() {
            ensure!(piece.key() == key, "a piece of collateral lies under its key");
        }
        ensure!(Collateral::<T>::count() <= COLLATERAL_PIECES_MAX, "collateral is bounded");
        if let Some(root) = EvidenceRoot::<T>::get() {
            ensure!(Self::check_root(&root).is_ok(), "the root is one that this network may trust");
        }
        ensure!(!Judged::<T>::exists(), "a verdict does not outlive its extrinsic");
        ensure!(RegistrationsInBlock::<T>::get() == 0, "registrations are counted per block");
        Ok(())
    }
}
