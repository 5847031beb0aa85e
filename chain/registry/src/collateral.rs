//! Collateral: brought by anyone, verified when it is stored, used by every registration.

use crate::{COLLATERAL_PIECES_MAX, Collateral, Config, Error, Event, EvidenceRoot, Pallet, Refusal, Verdict};
use codec::Encode;
use core::marker::PhantomData;
use frame_support::pallet_prelude::*;
use phala_evidence::{CollateralKey, CollateralStore, Rejection, StoredCollateral};
use phala_messages::collateral::Collateral as Piece;

/// Blocks for which a piece stays in a pool.
const LONGEVITY_BLOCKS: u64 = 64;
/// Blocks for which a pool keeps what it cannot judge yet.
const AWAIT_BLOCKS: u64 = 8;
/// Prefix of the names by which a pool orders pieces.
const COLLATERAL_TAG: &str = "phala/collateral";
/// Before registrations: they may need it.
const COLLATERAL_PRIORITY: TransactionPriority = TransactionPriority::MAX / 4 * 3;

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
        let stored = match Self::dry_run_collateral(piece) {
            Ok(stored) => stored,
            Err(refusal) if Self::may_wait(source, refusal) => {
                return Self::after_root_crl(COLLATERAL_PRIORITY, piece.using_encoded(sp_io::hashing::blake2_256));
            }
            Err(refusal) => return Err(InvalidTransaction::Custom(refusal.code()).into()),
        };
        let key = stored.key();
        Self::hand_over(source, piece, || Verdict::Collateral(stored));
        let validity = ValidTransaction::with_tag_prefix(COLLATERAL_TAG)
            .priority(COLLATERAL_PRIORITY)
            .and_provides(key)
            .longevity(LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Whether this is a pool of a network that has only just begun: everything rests on the root's revocation list,
    /// and the chain has none. Then pools keep what they cannot judge yet and hand it to the block that brings the
    /// list, in order; the block judges all of it. Once there is a list, pools judge as blocks do.
    pub(crate) fn may_wait(source: TransactionSource, refusal: Refusal) -> bool {
        source != TransactionSource::InBlock && refusal == Refusal::Evidence(Rejection::RootCrlMissing.code())
    }

    /// Valid once the root's revocation list is there.
    pub(crate) fn after_root_crl(priority: TransactionPriority, name: impl Encode) -> TransactionValidityWithRefund {
        let root = EvidenceRoot::<T>::get().ok_or(InvalidTransaction::Custom(Refusal::RootMissing.code()))?.root;
        let validity = ValidTransaction::with_tag_prefix(COLLATERAL_TAG)
            .priority(priority)
            .and_requires(CollateralKey::RootCrl { root })
            .and_provides(name)
            .longevity(AWAIT_BLOCKS)
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
