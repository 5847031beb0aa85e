//! Pools, and what their owners decide.

use crate::{
    Config, Description, Descriptions, Error, Event, LIST_MAX, Listed, Note, Pallet, PoolAccounts, PoolCount, Pools,
    Positions,
};
use frame_support::{
    pallet_prelude::*,
    traits::{
        fungible::{Inspect as _, Mutate as _},
        tokens::Preservation,
    },
};
use phala_economics::{Commission, HighWater, PoolKind, PoolRecord, Ppm, Queue, SharePool, Shares};
use phala_messages::{Account, PoolId};
use phala_units::{BlockNumber, Planck};
use sp_runtime::traits::{AccountIdConversion, UniqueSaturatedInto};

impl<T: Config> Pallet<T> {
    /// The account that holds a pool's PHA, and a vault's shares.
    pub fn account(pool: PoolId) -> T::AccountId {
        T::PalletId::get().into_sub_account_truncating(pool)
    }

    /// Who decides over a pool. None: there is no such pool.
    pub fn owner(pool: PoolId) -> Option<T::AccountId> {
        Pools::<T>::get(pool).map(|record| T::AccountId::from(record.owner.0))
    }

    /// Whether there is such a stake pool.
    pub fn is_stake_pool(pool: PoolId) -> bool {
        Pools::<T>::get(pool).is_some_and(|record| record.kind == PoolKind::StakePool)
    }

    pub(crate) fn do_create(owner: T::AccountId, kind: PoolKind, commission: Ppm) -> DispatchResult {
        let pool = PoolCount::<T>::try_mutate(|count| {
            let id = *count;
            *count = id.checked_add(1).ok_or(Error::<T>::PoolsExhausted)?;
            Ok::<_, DispatchError>(PoolId(id))
        })?;
        let account = Self::account(pool);
        T::Currency::transfer(&owner, &account, T::Currency::minimum_balance(), Preservation::Preserve)?;
        if kind == PoolKind::Vault {
            Self::open_position(&owner, pool)?;
        }
        let record = PoolRecord {
            kind,
            owner: Self::key(&owner),
            ledger: SharePool::default(),
            free: Planck(0),
            at_work: Planck(0),
            commission: Commission::new(commission),
            mark: HighWater::default(),
            cap: None,
            open: true,
            listed: 0,
            queue: Queue::default(),
        };
        Pools::<T>::insert(pool, record);
        PoolAccounts::<T>::insert(account, pool);
        Self::deposit_event(Event::PoolCreated { pool, kind, owner, commission });
        Ok(())
    }

    pub(crate) fn do_set_commission(owner: &T::AccountId, pool: PoolId, rate: Ppm) -> DispatchResult {
        let mut record = Self::owned(owner, pool)?;
        // What the vault gained until now is settled at the old rate.
        Self::settle(pool, &mut record)?;
        let now = Self::block();
        record.commission.change(rate, now);
        let from = record.commission.announced_at(now).map_or(now, |rise| rise.from);
        Pools::<T>::insert(pool, record);
        Self::deposit_event(Event::CommissionChanged { pool, rate, from });
        Ok(())
    }

    pub(crate) fn do_set_cap(owner: &T::AccountId, pool: PoolId, cap: Option<Planck>) -> DispatchResult {
        let mut record = Self::owned(owner, pool)?;
        record.cap = cap;
        Pools::<T>::insert(pool, record);
        Self::deposit_event(Event::CapSet { pool, cap });
        Ok(())
    }

    pub(crate) fn do_set_description(owner: &T::AccountId, pool: PoolId, text: Description) -> DispatchResult {
        Self::owned(owner, pool)?;
        Self::check_text(&text)?;
        if text.is_empty() {
            Descriptions::<T>::remove(pool);
        } else {
            Descriptions::<T>::insert(pool, text);
        }
        Self::deposit_event(Event::DescriptionSet { pool });
        Ok(())
    }

    pub(crate) fn do_add_to_list(
        owner: &T::AccountId,
        pool: PoolId,
        account: T::AccountId,
        note: Note,
    ) -> DispatchResult {
        let mut record = Self::owned(owner, pool)?;
        Self::check_text(&note)?;
        ensure!(!Listed::<T>::contains_key(pool, &account), Error::<T>::AlreadyListed);
        ensure!(record.listed < LIST_MAX, Error::<T>::ListFull);
        record.listed = record.listed.saturating_add(1);
        Pools::<T>::insert(pool, record);
        Listed::<T>::insert(pool, &account, note);
        Self::deposit_event(Event::AddedToList { pool, account });
        Ok(())
    }

    pub(crate) fn do_remove_from_list(owner: &T::AccountId, pool: PoolId, account: T::AccountId) -> DispatchResult {
        let mut record = Self::owned(owner, pool)?;
        ensure!(Listed::<T>::take(pool, &account).is_some(), Error::<T>::NotListed);
        record.listed = record.listed.saturating_sub(1);
        Pools::<T>::insert(pool, record);
        Self::deposit_event(Event::RemovedFromList { pool, account });
        Ok(())
    }

    pub(crate) fn do_close(owner: &T::AccountId, pool: PoolId) -> DispatchResult {
        let mut record = Self::owned(owner, pool)?;
        ensure!(record.open, Error::<T>::PoolClosed);
        record.open = false;
        Pools::<T>::insert(pool, record);
        Self::deposit_event(Event::PoolClosed { pool });
        Ok(())
    }

    pub(crate) fn do_remove(owner: &T::AccountId, pool: PoolId) -> DispatchResult {
        let record = Self::owned(owner, pool)?;
        ensure!(!record.open, Error::<T>::PoolOpen);
        let account = Self::account(pool);
        let is_left = record.ledger.shares() == Shares(0)
            && record.at_work == Planck(0)
            && Positions::<T>::get(&account).is_empty()
            && !record.queue.in_line;
        ensure!(is_left, Error::<T>::PoolInUse);
        let _ = Listed::<T>::clear_prefix(pool, LIST_MAX, None);
        Descriptions::<T>::remove(pool);
        PoolAccounts::<T>::remove(&account);
        Pools::<T>::remove(pool);
        if record.kind == PoolKind::Vault {
            Self::close_position(owner, pool);
        }
        let rest = T::Currency::balance(&account);
        T::Currency::transfer(&account, owner, rest, Preservation::Expendable)?;
        Self::deposit_event(Event::PoolRemoved { pool });
        Ok(())
    }

    /// A pool.
    pub(crate) fn pool(pool: PoolId) -> Result<PoolRecord, DispatchError> {
        Ok(Pools::<T>::get(pool).ok_or(Error::<T>::PoolUnknown)?)
    }

    /// A pool that `owner` decides over.
    pub(crate) fn owned(owner: &T::AccountId, pool: PoolId) -> Result<PoolRecord, DispatchError> {
        let record = Self::pool(pool)?;
        ensure!(record.owner == Self::key(owner), Error::<T>::NotOwner);
        Ok(record)
    }

    /// An account as records have it.
    pub(crate) fn key(account: &T::AccountId) -> Account {
        Account(*account.as_ref())
    }

    /// The block that is being made.
    pub(crate) fn block() -> BlockNumber {
        BlockNumber(frame_system::Pallet::<T>::block_number().unique_saturated_into())
    }

    fn check_text(bytes: &[u8]) -> DispatchResult {
        let is_text = core::str::from_utf8(bytes)
            .is_ok_and(|text| !text.chars().any(|letter| letter.is_control() && letter != '\n'));
        ensure!(is_text, Error::<T>::NotText);
        Ok(())
    }
}
