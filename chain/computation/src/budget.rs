//! The budget: divided among shares, paid out of the pot.
//!
//! Nothing happens in a block without events. When something does happen, the budgets of all blocks since the last event are
//! divided at once: shares did not change in between.

use crate::{Accrued, Budget, Config, Event, Pallet, Pools as _};
use frame_support::traits::{
    Get,
    fungible::{Inspect as _, Mutate as _},
    tokens::{Fortitude, Preservation},
};
use phala_economics::{Accrual, SessionRecord};
use phala_messages::WorkerId;
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    /// Divides the budget of every block up to this one. Whoever changes shares does this first, and stores the result.
    pub(crate) fn accrue() -> Accrual {
        let mut accrual = Accrued::<T>::get();
        let now = Self::block();
        if accrual.through < now {
            let budget = Budget::<T>::get().between(accrual.through, now);
            accrual.through = now;
            if accrual.index.sum().0 > phala_economics::Fixed::ZERO {
                accrual.index.divide(budget);
                accrual.divided = Planck(accrual.divided.0.saturating_add(budget.0));
            }
        }
        accrual
    }

    /// Pays a session what it is owed, as far as the pot goes.
    pub(crate) fn pay(worker: &WorkerId, record: &mut SessionRecord, accrual: &mut Accrual) {
        let pot = T::Pot::get();
        let left = Planck(T::Currency::reducible_balance(&pot, Preservation::Expendable, Fortitude::Polite));
        let owed = record.worth.owed(&accrual.index);
        let paid = record.worth.pay(&crate::Tariff::<T>::get(), owed, left);
        let account = T::Pools::account(record.pool);
        let to_pool = Self::transfer(&pot, &account, paid.pool);
        let to_treasury = Self::transfer(&pot, &T::Treasury::get(), paid.treasury);
        accrual.paid = Planck(accrual.paid.0.saturating_add(to_pool.0).saturating_add(to_treasury.0));
        if to_pool.0 > 0 {
            T::Pools::reward(record.pool, to_pool);
            record.earned = Planck(record.earned.0.saturating_add(to_pool.0));
        }
        let event = Event::Paid { worker: *worker, pool: record.pool, owed, paid: to_pool, treasury: to_treasury };
        Self::deposit_event(event);
    }

    /// Moves PHA; answers how much. An account that cannot take so little, or does not exist, gets nothing, and the sender keeps it.
    pub(crate) fn transfer(from: &T::AccountId, to: &T::AccountId, amount: Planck) -> Planck {
        if amount.0 == 0 || from == to {
            return Planck(0);
        }
        match T::Currency::transfer(from, to, amount.0, Preservation::Expendable) {
            Ok(_) => amount,
            Err(_) => Planck(0),
        }
    }

    /// Passes slashed stake on; answers how much. The account that it lies in stays alive, so that the next one finds it.
    pub(crate) fn pass_on(to: &T::AccountId, amount: Planck) -> Planck {
        let slashed = T::Slashed::get();
        let left = T::Currency::reducible_balance(&slashed, Preservation::Preserve, Fortitude::Polite);
        let amount = amount.0.min(left);
        if amount == 0 || slashed == *to {
            return Planck(0);
        }
        T::Currency::transfer(&slashed, to, amount, Preservation::Preserve).map_or(Planck(0), |_| Planck(amount))
    }
}
