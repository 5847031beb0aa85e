//! Credit: what a program has to pay its commands with.

use crate::{Config, Credits, Error, Event, Pallet, Programs as _};
use frame_support::{
    pallet_prelude::*,
    traits::{
        fungible::{Inspect as _, Mutate as _},
        tokens::Preservation,
    },
};
use phala_messages::{
    Account, ProgramId,
    credit::{CreditRecord, Payer},
};
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_top_up(who: T::AccountId, program: ProgramId, amount: Planck) -> DispatchResult {
        ensure!(amount > Planck(0), Error::<T>::AmountZero);
        ensure!(T::Programs::owner(&program).is_some(), Error::<T>::ProgramUnknown);
        Self::take_in(&who, amount)?;
        Credits::<T>::mutate(program, |record| record.free = Planck(record.free.0.saturating_add(amount.0)));
        Self::deposit_event(Event::ToppedUp { program, who, amount });
        Ok(())
    }

    pub(crate) fn do_withdraw_credit(owner: T::AccountId, program: ProgramId, amount: Planck) -> DispatchResult {
        ensure!(amount > Planck(0), Error::<T>::AmountZero);
        Self::check_owner(&owner, &program)?;
        let mut record = Credits::<T>::get(program);
        record.free = Planck(record.free.0.checked_sub(amount.0).ok_or(Error::<T>::CreditTooLittle)?);
        Self::give_out(&owner, amount)?;
        Self::put_credit(&program, record);
        Self::deposit_event(Event::CreditReturned { program, amount });
        Ok(())
    }

    pub(crate) fn do_set_payer(owner: &T::AccountId, program: ProgramId, payer: Payer) -> DispatchResult {
        Self::check_owner(owner, &program)?;
        Self::put_credit(&program, CreditRecord { payer, ..Credits::<T>::get(program) });
        Self::deposit_event(Event::PayerSet { program, payer });
        Ok(())
    }

    /// A program was removed: its owner has all of its credit back, reserved or not, for nothing of it can be spent any more. Its
    /// reservations stand until [`Pallet::refunded`] forgets them.
    pub fn removed(program: &ProgramId, owner: &Account) {
        if !Credits::<T>::contains_key(program) {
            return;
        }
        let record = Credits::<T>::take(program);
        let amount = Planck(record.free.0.saturating_add(record.reserved.0));
        if amount == Planck(0) {
            return;
        }
        let owner = T::AccountId::from(owner.0);
        if Self::give_out(&owner, amount).is_err() {
            // The program's deposit was returned to this account a moment ago, so it takes any amount.
            frame_support::defensive!("an owner that removes a program has an account");
            let _ = Self::give_out(&T::Pot::get(), amount);
        }
        Self::deposit_event(Event::CreditReturned { program: *program, amount });
    }

    /// Writes a program's credit down; the default is not written.
    pub(crate) fn put_credit(program: &ProgramId, record: CreditRecord) {
        if record == CreditRecord::default() {
            Credits::<T>::remove(program);
        } else {
            Credits::<T>::insert(program, record);
        }
    }

    /// Into the escrow. The first that ever comes finds it opened by the pot, so that nobody pays for that.
    ///
    /// # Errors
    /// When the account has not as much, beside what it needs to exist.
    pub(crate) fn take_in(from: &T::AccountId, amount: Planck) -> DispatchResult {
        let (escrow, least) = (T::Escrow::get(), T::Currency::minimum_balance());
        if T::Currency::balance(&escrow) < least {
            T::Currency::transfer(&T::Pot::get(), &escrow, least, Preservation::Preserve)?;
        }
        T::Currency::transfer(from, &escrow, amount.0, Preservation::Preserve)?;
        Ok(())
    }

    /// Out of the escrow, which stays open.
    ///
    /// # Errors
    /// When the account does not exist and the amount would not open it.
    pub(crate) fn give_out(to: &T::AccountId, amount: Planck) -> DispatchResult {
        T::Currency::transfer(&T::Escrow::get(), to, amount.0, Preservation::Preserve)?;
        Ok(())
    }

    fn check_owner(owner: &T::AccountId, program: &ProgramId) -> DispatchResult {
        let record = T::Programs::owner(program).ok_or(Error::<T>::ProgramUnknown)?;
        ensure!(record == Account(*owner.as_ref()), Error::<T>::NotProgramOwner);
        Ok(())
    }
}
