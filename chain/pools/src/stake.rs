//! What computation does with stake, and what it brings.

use crate::{Config, Error, Event, Pallet, Pools};
use frame_support::{
    pallet_prelude::*,
    traits::{fungible::Mutate as _, tokens::Preservation},
};
use phala_economics::{Split, split};
use phala_messages::PoolId;
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    /// Puts `amount` of a stake pool to work.
    ///
    /// # Errors
    /// When the pool is closed, or has not as much free beside what its queue is owed.
    pub fn take_stake(pool: PoolId, amount: Planck) -> DispatchResult {
        let mut record = Self::stake_pool(pool)?;
        ensure!(record.open, Error::<T>::PoolClosed);
        let owed = record.ledger.worth(record.queue.shares);
        ensure!(amount.0.saturating_add(owed.0) <= record.free.0, Error::<T>::NotEnoughFree);
        record.free = Planck(record.free.0.saturating_sub(amount.0));
        record.at_work = Planck(record.at_work.0.saturating_add(amount.0));
        Pools::<T>::insert(pool, record);
        Ok(())
    }

    /// Takes stake back from work: `returned` is free again, `slashed` is lost, to every share alike.
    ///
    /// # Errors
    /// When less is at work.
    pub fn return_stake(pool: PoolId, returned: Planck, slashed: Planck) -> DispatchResult {
        let mut record = Self::stake_pool(pool)?;
        let both = returned.0.checked_add(slashed.0).ok_or(Error::<T>::NotAtWork)?;
        let at_work = record.at_work.0.checked_sub(both).ok_or(Error::<T>::NotAtWork)?;
        record.at_work = Planck(at_work);
        record.free = Planck(record.free.0.saturating_add(returned.0));
        let taken = record.ledger.slash(slashed);
        Pools::<T>::insert(pool, record);
        if taken > Planck(0) {
            // What is too little to be sent stays in the pool's account, in nobody's name.
            Self::send(pool, &T::SlashTo::get(), taken);
            Self::deposit_event(Event::Slashed { pool, amount: taken });
        }
        Ok(())
    }

    /// Divides a reward that has been paid into the pool's account: the commission goes to the owner, the rest to all shares. If nobody
    /// has a share, or the pool is bankrupt, it goes to [`Config::UnclaimedTo`].
    ///
    /// # Errors
    /// When there is no such stake pool.
    pub fn reward(pool: PoolId, amount: Planck) -> DispatchResult {
        let mut record = Self::stake_pool(pool)?;
        let Split { mut owner, mut stakers } = split(amount, record.commission.rate_at(Self::block()));
        let mut ledger = record.ledger;
        if ledger.reward(amount).is_err() {
            Self::send(pool, &T::UnclaimedTo::get(), amount);
            Self::deposit_event(Event::RewardUnclaimed { pool, amount });
            return Ok(());
        }
        // An owner whose account does not exist leaves too little to the stakers.
        if owner > Planck(0) && !Self::send(pool, &T::AccountId::from(record.owner.0), owner) {
            (owner, stakers) = (Planck(0), amount);
        }
        record.ledger.reward(stakers).map_err(|_| Error::<T>::TooMuch)?;
        record.free = Planck(record.free.0.saturating_add(stakers.0));
        Pools::<T>::insert(pool, record);
        Self::deposit_event(Event::Rewarded { pool, stakers, owner });
        Ok(())
    }

    /// Sends PHA out of a pool's account; whether it went.
    fn send(pool: PoolId, to: &T::AccountId, amount: Planck) -> bool {
        T::Currency::transfer(&Self::account(pool), to, amount.0, Preservation::Preserve).is_ok()
    }
}
