//! Who gives, and who has shares.

use crate::{Config, Error, Event, Holdings, Listed, POSITIONS_GIVEN_MAX, Pallet, PoolAccounts, Pools, Positions};
use frame_support::{
    pallet_prelude::*,
    traits::{fungible::Mutate as _, tokens::Preservation},
};
use phala_economics::{CONTRIBUTION_MIN, Holding, PoolKind, PoolRecord, Shares};
use phala_messages::PoolId;
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_contribute(who: T::AccountId, pool: PoolId, amount: Planck) -> DispatchResult {
        let mut record = Self::pool(pool)?;
        Self::settle(pool, &mut record)?;
        Self::take_in(pool, &mut record, who, amount)?;
        Pools::<T>::insert(pool, record);
        Ok(())
    }

    /// Takes `amount` from an account into a pool that is settled, and gives it shares.
    pub(crate) fn take_in(pool: PoolId, record: &mut PoolRecord, from: T::AccountId, amount: Planck) -> DispatchResult {
        ensure!(record.open, Error::<T>::PoolClosed);
        ensure!(Self::lets_in(pool, record, &from), Error::<T>::NotListed);
        if let Some(cap) = record.cap {
            let stays = record.ledger.value().0.saturating_sub(record.ledger.worth(record.queue.shares).0);
            ensure!(stays.saturating_add(amount.0) <= cap.0, Error::<T>::CapExceeded);
        }
        let shares = record.ledger.contribute(amount).map_err(Error::<T>::from)?;
        T::Currency::transfer(&from, &Self::account(pool), amount.0, Preservation::Preserve)?;
        record.free = Planck(record.free.0.saturating_add(amount.0));
        Self::open_position(&from, pool)?;
        Self::with_holding(pool, record, &from, |holding| holding.free = plus(holding.free, shares));
        Self::deposit_event(Event::Contributed { pool, from, amount, shares });
        Ok(())
    }

    /// Answers whether the sender's votes were counted.
    pub(crate) fn do_transfer_shares(
        who: T::AccountId,
        pool: PoolId,
        to: T::AccountId,
        shares: Shares,
    ) -> Result<bool, DispatchError> {
        let record = Self::pool(pool)?;
        ensure!(to != who && !PoolAccounts::<T>::contains_key(&to), Error::<T>::NotRecipient);
        ensure!(Self::lets_in(pool, &record, &to), Error::<T>::NotListed);
        let had = Holdings::<T>::get(pool, &who).unwrap_or_default().free;
        ensure!(shares > Shares(0) && shares <= had, Error::<T>::NotEnoughShares);
        if !Holdings::<T>::contains_key(pool, &to) {
            ensure!(record.ledger.worth(shares) >= CONTRIBUTION_MIN, Error::<T>::TooFewShares);
            let positions = Positions::<T>::get(&to);
            let has_room = positions.contains(&pool) || (positions.len() as u32) < POSITIONS_GIVEN_MAX;
            ensure!(has_room, Error::<T>::PositionsFull);
            Self::open_position(&to, pool)?;
        }
        Self::with_holding(pool, &record, &to, |holding| holding.free = plus(holding.free, shares));
        Self::with_holding(pool, &record, &who, |holding| holding.free = minus(holding.free, shares));
        let locked = Self::check_votes(&who)?;
        Self::deposit_event(Event::SharesTransferred { pool, from: who, to, shares });
        Ok(locked)
    }

    /// Whether the pool's list lets an account have shares.
    fn lets_in(pool: PoolId, record: &PoolRecord, who: &T::AccountId) -> bool {
        record.listed == 0 || record.owner == Self::key(who) || Listed::<T>::contains_key(pool, who)
    }

    /// Changes what an account has of a pool; who has nothing is forgotten.
    pub(crate) fn with_holding(
        pool: PoolId,
        record: &PoolRecord,
        who: &T::AccountId,
        change: impl FnOnce(&mut Holding),
    ) {
        let mut holding = Holdings::<T>::get(pool, who).unwrap_or_default();
        change(&mut holding);
        if holding.shares() > Shares(0) {
            return Holdings::<T>::insert(pool, who, holding);
        }
        Holdings::<T>::remove(pool, who);
        // A vault's owner keeps the place that its commission comes to.
        let keeps = record.kind == PoolKind::Vault && record.owner == Self::key(who);
        if !keeps {
            Self::close_position(who, pool);
        }
    }

    /// Notes that an account has shares of a pool.
    pub(crate) fn open_position(who: &T::AccountId, pool: PoolId) -> DispatchResult {
        Positions::<T>::try_mutate(who, |positions| {
            if positions.contains(&pool) {
                return Ok(());
            }
            positions.try_push(pool).map_err(|_| Error::<T>::PositionsFull.into())
        })
    }

    /// Notes that it has none any more.
    pub(crate) fn close_position(who: &T::AccountId, pool: PoolId) {
        Positions::<T>::mutate_exists(who, |found| {
            if let Some(positions) = found {
                positions.retain(|position| *position != pool);
            }
            if found.as_ref().is_some_and(|positions| positions.is_empty()) {
                *found = None;
            }
        });
    }
}

/// `a + b`, stopping at the largest number.
pub(crate) const fn plus(a: Shares, b: Shares) -> Shares {
    Shares(a.0.saturating_add(b.0))
}

/// `a - b`, stopping at zero.
pub(crate) const fn minus(a: Shares, b: Shares) -> Shares {
    Shares(a.0.saturating_sub(b.0))
}
