//! The queue of withdrawals: first asked, first paid.
//!
//! Requests stand in the order of their numbers. One that was cancelled leaves a gap, which the next visits step over, so that nothing
//! has to move up. A pool's record sums the queue up: how many shares wait, and how many of them for too long.

use crate::{
    Config, Error, Event, GRACE_BLOCKS, Holdings, Pallet, Pools, Requests,
    delegate::{minus, plus},
};
use frame_support::{
    pallet_prelude::*,
    traits::{fungible::Mutate as _, tokens::Preservation},
};
use phala_economics::{CONTRIBUTION_MIN, Counter, Fill, PoolKind, PoolRecord, Queue, Request, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    /// Answers whether the holder's votes were counted.
    pub(crate) fn do_withdraw(who: T::AccountId, pool: PoolId, shares: Shares) -> Result<bool, DispatchError> {
        let mut record = Self::pool(pool)?;
        let free = |who| Holdings::<T>::get(pool, who).unwrap_or_default().free;
        let had = free(&who);
        Self::settle(pool, &mut record)?;
        // A vault's owner who wants everything also wants the commission of this moment: alone it may be too little to ask for.
        let shares = if shares > Shares(0) && shares == had { free(&who) } else { shares };
        let waits = record.queue.shares > Shares(0);
        Self::enqueue(pool, &mut record, who.clone(), None, shares)?;
        let locked = Self::check_votes(&who)?;
        if !waits {
            Self::fill(pool, &mut record, 1);
        }
        Pools::<T>::insert(pool, record);
        Ok(locked)
    }

    pub(crate) fn do_cancel(who: &T::AccountId, pool: PoolId, request: RequestId, shares: Shares) -> DispatchResult {
        let mut record = Self::pool(pool)?;
        let mut found = Requests::<T>::get(pool, request).ok_or(Error::<T>::RequestUnknown)?;
        ensure!(found.holder == Self::key(who), Error::<T>::NotHolder);
        ensure!(shares > Shares(0) && shares <= found.shares, Error::<T>::NotEnoughShares);
        found.shares = minus(found.shares, shares);
        Self::leave_queue(pool, &mut record, who, request, &found, shares, shares);
        Pools::<T>::insert(pool, record);
        Self::deposit_event(Event::WithdrawalCancelled { pool, request, shares, left: found.shares });
        Ok(())
    }

    /// Gives shares a place at the end of the queue. The pool is settled.
    pub(crate) fn enqueue(
        pool: PoolId,
        record: &mut PoolRecord,
        holder: T::AccountId,
        vault: Option<PoolId>,
        shares: Shares,
    ) -> DispatchResult {
        let had = Holdings::<T>::get(pool, &holder).unwrap_or_default().free;
        ensure!(shares > Shares(0) && shares <= had, Error::<T>::NotEnoughShares);
        ensure!(shares == had || record.ledger.worth(shares) >= CONTRIBUTION_MIN, Error::<T>::TooFewShares);
        Self::with_holding(pool, record, &holder, |holding| {
            holding.free = minus(holding.free, shares);
            holding.queued = plus(holding.queued, shares);
        });
        let request = record.queue.back;
        record.queue.back = request.next();
        record.queue.shares = plus(record.queue.shares, shares);
        let place = Request { holder: Self::key(&holder), vault, shares, since: Self::block() };
        Requests::<T>::insert(pool, request, place);
        Self::join_line(pool, record);
        Self::deposit_event(Event::WithdrawalRequested { pool, request, holder, shares });
        Ok(())
    }

    /// Pays requests from what is free, the oldest first, at one price; takes `steps` at most, and answers how many. The pool is settled.
    pub(crate) fn fill(pool: PoolId, record: &mut PoolRecord, steps: u32) -> u32 {
        let mut counter = Counter::open(&record.ledger, record.free);
        let mut taken = 0;
        while taken < steps && record.queue.shares > Shares(0) {
            taken = taken.saturating_add(1);
            let id = record.queue.front;
            let Some(request) = Requests::<T>::get(pool, id) else {
                record.queue.front = id.next();
                record.queue.overdue = record.queue.overdue.max(id.next());
                continue;
            };
            let fill = counter.fill(request.shares);
            if fill.burned == Shares(0) {
                break;
            }
            if !Self::pay(pool, record, id, request, fill) {
                Self::give_back(pool, record, id, request);
                counter = Counter::open(&record.ledger, record.free);
            }
        }
        taken
    }

    /// Finds requests that have become overdue; takes `steps` at most, and answers how many.
    pub(crate) fn find_overdue(pool: PoolId, record: &mut PoolRecord, steps: u32) -> u32 {
        let now = Self::block();
        let queue = &mut record.queue;
        let mut taken = 0;
        while taken < steps && queue.overdue < queue.back {
            taken = taken.saturating_add(1);
            if let Some(request) = Requests::<T>::get(pool, queue.overdue) {
                if now.since(request.since) < GRACE_BLOCKS {
                    break;
                }
                queue.shares_overdue = plus(queue.shares_overdue, request.shares);
            }
            queue.overdue = queue.overdue.next();
        }
        taken
    }

    /// Carries one fill out. False, and nothing is changed, if the holder cannot be paid.
    fn pay(pool: PoolId, record: &mut PoolRecord, id: RequestId, mut request: Request, fill: Fill) -> bool {
        let holder = T::AccountId::from(request.holder.0);
        let mut ledger = record.ledger;
        if ledger.burn(fill.burned, fill.paid).is_err() {
            return false;
        }
        if fill.paid > Planck(0) {
            let (from, amount) = (Self::account(pool), fill.paid.0);
            if T::Currency::transfer(&from, &holder, amount, Preservation::Preserve).is_err() {
                return false;
            }
        }
        record.ledger = ledger;
        record.free = Planck(record.free.0.saturating_sub(fill.paid.0));
        if let Some(vault) = request.vault {
            Pools::<T>::mutate_extant(vault, |vault| vault.free = Planck(vault.free.0.saturating_add(fill.paid.0)));
        }
        request.shares = fill.left;
        Self::leave_queue(pool, record, &holder, id, &request, fill.burned, Shares(0));
        Self::deposit_event(Event::Withdrawn {
            pool,
            request: id,
            holder,
            shares: fill.burned,
            amount: fill.paid,
            left: fill.left,
        });
        true
    }

    /// Gives a request's shares back to a holder who cannot be paid: its account does not exist, and this would not make it exist.
    fn give_back(pool: PoolId, record: &mut PoolRecord, id: RequestId, mut request: Request) {
        let (holder, shares) = (T::AccountId::from(request.holder.0), request.shares);
        request.shares = Shares(0);
        Self::leave_queue(pool, record, &holder, id, &request, shares, shares);
        Self::deposit_event(Event::WithdrawalReturned { pool, request: id, holder, shares });
    }

    /// Takes `shares` of a request out of the queue; `request` says what is left of it, `returned` how many are the holder's again.
    fn leave_queue(
        pool: PoolId,
        record: &mut PoolRecord,
        holder: &T::AccountId,
        id: RequestId,
        request: &Request,
        shares: Shares,
        returned: Shares,
    ) {
        let queue = &mut record.queue;
        queue.shares = minus(queue.shares, shares);
        if id < queue.overdue {
            queue.shares_overdue = minus(queue.shares_overdue, shares);
        }
        if request.shares > Shares(0) {
            Requests::<T>::insert(pool, id, request);
        } else {
            Requests::<T>::remove(pool, id);
            if id == queue.front {
                queue.front = id.next();
                queue.overdue = queue.overdue.max(id.next());
            }
        }
        if queue.shares == Shares(0) {
            let Queue { back, in_line, .. } = *queue;
            *queue = Queue { front: back, overdue: back, back, in_line, ..Queue::default() };
        }
        Self::with_holding(pool, record, holder, |holding| {
            holding.queued = minus(holding.queued, shares);
            holding.free = plus(holding.free, returned);
        });
    }

    /// A stake pool, for the calls that take nothing else.
    pub(crate) fn stake_pool(pool: PoolId) -> Result<PoolRecord, DispatchError> {
        let record = Self::pool(pool)?;
        ensure!(record.kind == PoolKind::StakePool, Error::<T>::NotStakePool);
        Ok(record)
    }
}
