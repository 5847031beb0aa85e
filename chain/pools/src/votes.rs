//! Staked PHA keeps its vote.
//!
//! An account's votes are the worth of its shares. Whoever counts them ([`votes`](Pallet::votes)) locks as much
//! ([`set_vote_lock`](Pallet::set_vote_lock)) for as long as they count, so that the same PHA does not vote twice: until then the
//! account keeps shares of that worth, in whichever pools. What it asked back before votes no more.

use crate::{Config, Error, Holdings, Pallet, Pools, Positions, VoteLocks, WeightInfo as _};
use frame_support::{dispatch::PostDispatchInfo, pallet_prelude::*};
use phala_economics::PoolKind;
use phala_messages::PoolId;
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    /// The worth of an account's shares that it has not asked back: of stake pools, and of vaults at what these have now.
    ///
    /// # Rounding Down. The votes of all accounts together are no more than what all pools have: those of vaults' own accounts are not counted.
    pub fn votes(who: &T::AccountId) -> Planck {
        let worth = |pool: PoolId| -> Option<u128> {
            let holding = Holdings::<T>::get(pool, who)?;
            let mut record = Pools::<T>::get(pool)?;
            if record.kind == PoolKind::Vault {
                record.ledger.revalue(Self::value(pool, &record)).ok()?;
            }
            Some(record.ledger.worth(holding.free).0)
        };
        Planck(Positions::<T>::get(who).into_iter().filter_map(worth).fold(0, u128::saturating_add))
    }

    /// The most that [`votes`](Self::votes) costs.
    pub fn votes_weight() -> Weight {
        T::WeightInfo::check_votes()
    }

    /// Lets an account keep shares worth `amount`: it votes with them. Zero lets it do as it likes.
    pub fn set_vote_lock(who: &T::AccountId, amount: Planck) {
        if amount == Planck(0) {
            VoteLocks::<T>::remove(who);
        } else {
            VoteLocks::<T>::insert(who, amount);
        }
    }

    /// What an account's shares must be worth.
    pub fn vote_lock(who: &T::AccountId) -> Planck {
        VoteLocks::<T>::get(who).unwrap_or_default()
    }

    /// Refuses what leaves an account with less than it votes with. Answers whether that had to be counted.
    pub(crate) fn check_votes(who: &T::AccountId) -> Result<bool, DispatchError> {
        let Some(locked) = VoteLocks::<T>::get(who) else { return Ok(false) };
        ensure!(Self::votes(who) >= locked, Error::<T>::VotesLocked);
        Ok(true)
    }

    /// What a call cost, whose votes were counted or not.
    pub(crate) fn spent(call: Weight, counted: bool) -> PostDispatchInfo {
        let votes = if counted { T::WeightInfo::check_votes() } else { Weight::zero() };
        Some(call.saturating_add(votes)).into()
    }
}
