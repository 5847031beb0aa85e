//! What must hold between any two blocks.

use crate::{
    Config, Descriptions, Ends, Holdings, LIST_MAX, Line, Listed, POSITIONS_MAX, Pallet, PoolAccounts, PoolCount,
    Pools, Positions, Requests,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{ensure, traits::fungible::Inspect as _};
use phala_economics::{PoolKind, PoolRecord, Shares};
use phala_messages::PoolId;
use phala_units::{BlockNumber, Planck};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_line()?;
        Self::check_positions()?;
        for (pool, record) in Pools::<T>::iter() {
            Self::check_pool(pool, &record)?;
            Self::check_queue(pool, &record)?;
        }
        ensure!(Pools::<T>::iter().count() == PoolAccounts::<T>::iter().count(), "one account per pool");
        let has_pool = |pool: PoolId| Pools::<T>::contains_key(pool);
        ensure!(Requests::<T>::iter_keys().all(|(pool, _)| has_pool(pool)), "a request is for a pool");
        ensure!(Holdings::<T>::iter_keys().all(|(pool, _)| has_pool(pool)), "shares are of a pool");
        ensure!(Listed::<T>::iter_keys().all(|(pool, _)| has_pool(pool)), "a list is a pool's");
        ensure!(Descriptions::<T>::iter_keys().all(has_pool), "a description is of a pool");
        Ok(())
    }

    /// Money: shares ↔ holders, value ↔ what the pool has, what it has ↔ its account.
    fn check_pool(pool: PoolId, record: &PoolRecord) -> Result<(), TryRuntimeError> {
        ensure!(pool.0 < PoolCount::<T>::get(), "a pool's id was given by the counter");
        let account = Self::account(pool);
        ensure!(PoolAccounts::<T>::get(&account) == Some(pool), "a pool's account is known as such");
        let held: Vec<_> = Holdings::<T>::iter_prefix(pool).collect();
        let shares = held.iter().map(|(_, holding)| holding.shares().0).sum::<u128>();
        ensure!(Shares(shares) == record.ledger.shares(), "all shares are somebody's");
        let has = Self::value(pool, record).0.saturating_add(record.at_work.0);
        match record.kind {
            PoolKind::StakePool => {
                ensure!(
                    record.ledger.value() == Planck(record.free.0 + record.at_work.0),
                    "a pool's value is what it has"
                );
            }
            PoolKind::Vault => ensure!(record.at_work == Planck(0), "a vault's stake is not at work"),
        }
        let mut ledger = record.ledger;
        ledger.revalue(Planck(has)).map_err(|_| "a pool's value is within its limit")?;
        let worth = held.iter().map(|(_, holding)| ledger.worth(holding.shares()).0).sum::<u128>();
        ensure!(worth <= has, "all shares are worth what the pool has, at most");
        let balance = T::Currency::balance(&account);
        let noted = record.free.0 + record.at_work.0 + T::Currency::minimum_balance();
        ensure!(balance >= noted, "a pool's account holds what the pool has");
        let listed = Listed::<T>::iter_key_prefix(pool).count();
        ensure!(listed == record.listed as usize && record.listed <= LIST_MAX, "a list is as long as is noted");
        Ok(())
    }

    /// Requests ↔ queued shares, in order.
    fn check_queue(pool: PoolId, record: &PoolRecord) -> Result<(), TryRuntimeError> {
        let queue = &record.queue;
        ensure!(queue.front <= queue.overdue && queue.overdue <= queue.back, "a queue has its ends in order");
        let mut requests: Vec<_> = Requests::<T>::iter_prefix(pool).collect();
        requests.sort_by_key(|(id, _)| *id);
        let (mut all, mut overdue, mut last) = (0, 0, BlockNumber(0));
        let mut holders = BTreeMap::<T::AccountId, u128>::new();
        for (id, request) in requests {
            ensure!((queue.front..queue.back).contains(&id), "a request stands in the queue");
            ensure!(request.shares > Shares(0), "a request is for something");
            ensure!(last <= request.since && request.since <= Self::block(), "who asked first stands first");
            last = request.since;
            all += request.shares.0;
            if id < queue.overdue {
                overdue += request.shares.0;
            }
            let holder = T::AccountId::from(request.holder.0);
            ensure!(PoolAccounts::<T>::get(&holder) == request.vault, "a vault's request is known as such");
            *holders.entry(holder).or_default() += request.shares.0;
        }
        ensure!(Shares(all) == queue.shares, "all requests are summed up");
        ensure!(Shares(overdue) == queue.shares_overdue, "all overdue requests are summed up");
        ensure!(queue.in_line || queue.shares == Shares(0), "somebody comes by where somebody waits");
        for (holder, holding) in Holdings::<T>::iter_prefix(pool) {
            let queued = holders.remove(&holder).unwrap_or_default();
            ensure!(Shares(queued) == holding.queued, "a holder's requests are for its queued shares");
        }
        ensure!(holders.is_empty(), "who waits has shares");
        Ok(())
    }

    /// Line ↔ pools that say that they stand in it.
    fn check_line() -> Result<(), TryRuntimeError> {
        let ends = Ends::<T>::get();
        let mut standing = BTreeMap::new();
        for (place, pool) in Line::<T>::iter() {
            ensure!((ends.front..ends.back).contains(&place), "a place of the line lies between its ends");
            ensure!(standing.insert(pool, place).is_none(), "a pool stands in the line once");
        }
        ensure!(standing.len() as u64 == ends.back - ends.front, "the line has no gaps");
        for (pool, record) in Pools::<T>::iter() {
            ensure!(standing.remove(&pool).is_some() == record.queue.in_line, "who stands in the line knows it");
        }
        ensure!(standing.is_empty(), "the line is of pools");
        Ok(())
    }

    /// Positions ↔ holdings, and vaults' owners.
    fn check_positions() -> Result<(), TryRuntimeError> {
        for (who, positions) in Positions::<T>::iter() {
            ensure!(!positions.is_empty() && positions.len() as u32 <= POSITIONS_MAX, "positions are a few");
            for pool in &positions {
                let record = Pools::<T>::get(pool).ok_or("a position is in a pool")?;
                let owns = record.kind == PoolKind::Vault && record.owner == Self::key(&who);
                ensure!(owns || Holdings::<T>::contains_key(pool, &who), "who has a position has shares");
                let is_vaults = PoolAccounts::<T>::contains_key(&who);
                ensure!(!is_vaults || record.kind == PoolKind::StakePool, "a vault has shares of stake pools only");
            }
        }
        for (pool, who, holding) in Holdings::<T>::iter() {
            ensure!(holding.shares() > Shares(0), "who is known has shares");
            let once = Positions::<T>::get(&who).iter().filter(|position| **position == pool).count() == 1;
            ensure!(once, "who has shares has a position");
        }
        Ok(())
    }
}
