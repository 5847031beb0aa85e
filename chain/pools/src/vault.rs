//! Vaults: pools whose value is what they have free and their shares of stake pools.
//!
//! Whatever asks for a vault's price values it first. The vault's owner takes its part of what lies above the highest price so far, at
//! the rate that held when it was gained: a rate that has risen counts from the first valuation after its week on.

use crate::{Config, Error, Event, Holdings, Pallet, Pools, Positions, delegate::plus};
use alloc::vec::Vec;
use core::cmp::Reverse;
use frame_support::pallet_prelude::*;
use phala_economics::{CONTRIBUTION_MIN, Commission, DUST_MAX, PoolKind, PoolRecord, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::{BlockNumber, Planck};

/// A vault asks for an eighth more than what has been waiting for too long: what its shares may gain on those of its stake pools
/// until these pay.
const OVERDUE_MARGIN: u128 = 8;
/// It asks for a sixty-fourth more than what is missing, so that it does not have to ask again for what a block earns.
const ASK_MARGIN: u128 = 64;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_settle_vault(vault: PoolId) -> DispatchResult {
        let mut record = Self::vault(vault)?;
        Self::settle(vault, &mut record)?;
        Pools::<T>::insert(vault, record);
        Ok(())
    }

    pub(crate) fn do_vault_contribute(
        owner: &T::AccountId,
        vault: PoolId,
        pool: PoolId,
        amount: Planck,
    ) -> DispatchResult {
        let mut record = Self::owned_vault(owner, vault)?;
        Self::settle(vault, &mut record)?;
        let owed = record.ledger.worth(record.queue.shares);
        ensure!(amount.0.saturating_add(owed.0) <= record.free.0, Error::<T>::NotEnoughFree);
        let mut stake_pool = Self::stake_pool(pool)?;
        Self::take_in(pool, &mut stake_pool, Self::account(vault), amount)?;
        record.free = Planck(record.free.0.saturating_sub(amount.0));
        Pools::<T>::insert(pool, stake_pool);
        Pools::<T>::insert(vault, record);
        Ok(())
    }

    pub(crate) fn do_vault_withdraw(
        owner: &T::AccountId,
        vault: PoolId,
        pool: PoolId,
        shares: Shares,
    ) -> DispatchResult {
        Self::owned_vault(owner, vault)?;
        let mut record = Self::stake_pool(pool)?;
        let waits = record.queue.shares > Shares(0);
        Self::enqueue(pool, &mut record, Self::account(vault), Some(vault), shares)?;
        if !waits {
            Self::fill(pool, &mut record, 1);
        }
        Pools::<T>::insert(pool, record);
        Ok(())
    }

    pub(crate) fn do_vault_cancel(
        owner: &T::AccountId,
        vault: PoolId,
        pool: PoolId,
        request: RequestId,
        shares: Shares,
    ) -> DispatchResult {
        let record = Self::owned_vault(owner, vault)?;
        ensure!(record.queue.shares == Shares(0), Error::<T>::VaultQueue);
        Self::do_cancel(&Self::account(vault), pool, request, shares)
    }

    /// Values a vault anew and gives its owner the commission on what it gained. A stake pool is always settled.
    pub(crate) fn settle(vault: PoolId, record: &mut PoolRecord) -> DispatchResult {
        if record.kind == PoolKind::StakePool {
            return Ok(());
        }
        let value = Self::value(vault, record);
        record.ledger.revalue(value).map_err(|_| Error::<T>::TooMuch)?;
        // No rise counts in block 0: this is the rate before a rise that was announced.
        let minted = record.mark.settle(&mut record.ledger, record.commission.rate_at(BlockNumber(0)));
        let now = Self::block();
        if record.commission.announced_at(now).is_none() {
            record.commission = Commission::new(record.commission.rate_at(now));
        }
        if minted > Shares(0) {
            let owner = T::AccountId::from(record.owner.0);
            Self::with_holding(vault, record, &owner, |holding| holding.free = plus(holding.free, minted));
            Self::deposit_event(Event::CommissionTaken { vault, shares: minted });
        }
        Ok(())
    }

    /// What a vault has: what is free, and the worth of its shares of stake pools.
    pub(crate) fn value(vault: PoolId, record: &PoolRecord) -> Planck {
        let account = Self::account(vault);
        let worth = |pool: PoolId| {
            let shares = Holdings::<T>::get(pool, &account).unwrap_or_default().shares();
            Pools::<T>::get(pool).map_or(0, |record| record.ledger.worth(shares).0)
        };
        let held = Positions::<T>::get(&account).into_iter().map(worth).fold(0u128, u128::saturating_add);
        Planck(record.free.0.saturating_add(held))
    }

    /// Asks stake pools for what a vault's queue lacks, those first that can pay at once. The vault is settled, and stored.
    pub(crate) fn recall(vault: PoolId, record: &PoolRecord) {
        let waiting = record.ledger.worth(record.queue.shares).0;
        let overdue = record.ledger.worth(record.queue.shares_overdue).0;
        let wanted = waiting.max(overdue.saturating_add(overdue / OVERDUE_MARGIN));
        let account = Self::account(vault);
        let mut coming = record.free.0;
        let mut pools = Vec::new();
        for pool in Positions::<T>::get(&account) {
            let Some(stake_pool) = Pools::<T>::get(pool) else { continue };
            let holding = Holdings::<T>::get(pool, &account).unwrap_or_default();
            coming = coming.saturating_add(stake_pool.ledger.worth(holding.queued).0);
            let owed = stake_pool.ledger.worth(stake_pool.queue.shares);
            if stake_pool.ledger.worth(holding.free) > DUST_MAX {
                pools.push((stake_pool.free.0.saturating_sub(owed.0), pool, stake_pool, holding.free));
            }
        }
        let Some(short) = wanted.checked_sub(coming).filter(|short| *short > DUST_MAX.0) else { return };
        let mut ask = short.saturating_add(wanted / ASK_MARGIN);
        pools.sort_by_key(|(payable, pool, ..)| (Reverse(*payable), *pool));
        for (_, pool, mut stake_pool, held) in pools {
            let least = Planck(ask.max(CONTRIBUTION_MIN.0));
            let shares = stake_pool.ledger.shares_for(least).min(held);
            let worth = stake_pool.ledger.worth(shares).0;
            if Self::enqueue(pool, &mut stake_pool, account.clone(), Some(vault), shares).is_err() {
                continue;
            }
            Pools::<T>::insert(pool, stake_pool);
            ask = ask.saturating_sub(worth);
            if ask == 0 {
                break;
            }
        }
    }

    /// A vault, for the calls that take nothing else.
    fn vault(vault: PoolId) -> Result<PoolRecord, DispatchError> {
        let record = Self::pool(vault)?;
        ensure!(record.kind == PoolKind::Vault, Error::<T>::NotVault);
        Ok(record)
    }

    /// A vault that `owner` decides over.
    fn owned_vault(owner: &T::AccountId, vault: PoolId) -> Result<PoolRecord, DispatchError> {
        let record = Self::vault(vault)?;
        ensure!(record.owner == Self::key(owner), Error::<T>::NotOwner);
        Ok(record)
    }
}
