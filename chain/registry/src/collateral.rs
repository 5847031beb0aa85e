//! Collateral: brought by anyone, verified when it is stored, used by every registration.

use crate::{
    COLLATERAL_PIECES_MAX, Collateral, Config, Error, Event, EvidenceRoot, Pallet, Refusal, Verdict,
};
use core::marker::PhantomData;
use frame_support::pallet_prelude::*;
use phala_evidence::{CollateralKey, CollateralStore, StoredCollateral};
use phala_messages::collateral::Collateral as Piece;

/// Blocks for which a piece stays in a pool.
const LONGEVITY_BLOCKS: u64 = 64;

/// The chain's collateral, as `phala-evidence` reads it.
pub struct Store<T>(PhantomData<T>);

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Config> CollateralStore for Store<T> {
    fn get(&self, key: &CollateralKey) -> Option<StoredCollateral> {
        Collateral::<T>::get(key)
    }
}

impl<T: Config> Pallet<T> {
    /// Judges a piece of collateral as a block built now would, and changes nothing.
    ///
    /// # Errors
    /// The [`Refusal`] that the piece would meet.
    pub fn dry_run_collateral(piece: &Piece) -> Result<StoredCollateral, Refusal> {
        let root = EvidenceRoot::<T>::get().ok_or(Refusal::RootMissing)?;
        Self::check_root(&root)?;
        let verified = phala_evidence::verify_collateral(piece, &root, &Store::<T>::default(), Self::now())
            .map_err(|rejection| Refusal::Evidence(rejection.code()))?;
        match Collateral::<T>::get(verified.key()) {
            Some(stored) => ensure!(verified.newer_than(&stored), Refusal::CollateralNotNewer),
            None => ensure!(Collateral::<T>::count() < COLLATERAL_PIECES_MAX, Refusal::CollateralFull),
        }
        Ok((*verified).clone())
    }

    /// Judges a piece for a pool or a block.
    pub(crate) fn authorize_collateral(source: TransactionSource, piece: &Piece) -> TransactionValidityWithRefund {
        let stored = Self::dry_run_collateral(piece).map_err(|refusal| InvalidTransaction::Custom(refusal.code()))?;
        let key = stored.key();
        Self::hand_over(source, piece, || Verdict::Collateral(stored));
        let validity = ValidTransaction::with_tag_prefix("phala/collateral")
            // Before registrations: they may need it.
            .priority(TransactionPriority::MAX / 4 * 3)
            .and_provides(key)
            .longevity(LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Stores what was judged.
    pub(crate) fn do_store_collateral(piece: &Piece) -> DispatchResult {
        let Some(Verdict::Collateral(stored)) = Self::take_verdict(piece) else {
            return Err(Error::<T>::NotJudged.into());
        };
        let (key, next_update) = (stored.key(), stored.next_update());
        Collateral::<T>::insert(&key, stored);
        Self::deposit_event(Event::CollateralStored { key, next_update });
        Ok(())
    }
}
