//! Reservations: laid aside when a command is ordered, spent when it is answered, refunded when it is not.

use crate::{Config, Credits, Earners as _, Error, Event, Pallet, Price, Reservations};
use core::ops::Range;
use frame_support::pallet_prelude::*;
use phala_economics::price_of_command;
use phala_messages::{
    Account, PoolId, ProgramId, ProgramLimits, WorkerId,
    credit::{Payer, Reservation},
};
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    /// Lays a command's price aside: out of the program's credit if that is to pay and has as much, else from the caller, who
    /// agreed to `price_max`. A command that costs nothing leaves no trace.
    ///
    /// # Errors
    /// [`Error::CannotPay`], [`Error::PriceAboveMax`].
    pub fn reserve(
        program: &ProgramId,
        command: u64,
        caller: Account,
        sealed_bytes: u32,
        limits: &ProgramLimits,
        price_max: Option<Planck>,
    ) -> DispatchResult {
        let amount = price_of_command(&Price::<T>::get(), sealed_bytes, limits);
        if amount == Planck(0) {
            return Ok(());
        }
        let mut record = Credits::<T>::get(program);
        let free = record.free.0.checked_sub(amount.0).filter(|_| record.payer == Payer::Owner);
        let caller = if let Some(free) = free {
            record.free = Planck(free);
            record.reserved = Planck(record.reserved.0.saturating_add(amount.0));
            Self::put_credit(program, record);
            None
        } else {
            ensure!(price_max.is_none_or(|max| amount <= max), Error::<T>::PriceAboveMax);
            Self::take_in(&T::AccountId::from(caller.0), amount).map_err(|_| Error::<T>::CannotPay)?;
            Some(caller)
        };
        Reservations::<T>::insert(program, command, Reservation { amount, caller, since: Self::block() });
        let caller = caller.map(|caller| T::AccountId::from(caller.0));
        Self::deposit_event(Event::Reserved { program: *program, command, amount, caller });
        Ok(())
    }

    /// Commands were answered: what was laid aside for them goes to the pool of the worker that answered, or to the pot where it has
    /// none. A program that cannot serve a command has still computed; that is its owner's matter.
    pub fn spent(program: &ProgramId, commands: Range<u64>, worker: &WorkerId) {
        let (mut amount, mut of_credit) = (0u128, 0u128);
        for command in commands {
            if let Some(reservation) = Reservations::<T>::take(program, command) {
                amount = amount.saturating_add(reservation.amount.0);
                if reservation.caller.is_none() {
                    of_credit = of_credit.saturating_add(reservation.amount.0);
                }
            }
        }
        if amount == 0 {
            return;
        }
        let amount = Planck(amount);
        let mut record = Credits::<T>::get(program);
        record.reserved = Planck(record.reserved.0.saturating_sub(of_credit));
        match Self::pay(worker, amount) {
            Ok(pool) => Self::deposit_event(Event::Spent { program: *program, amount, worker: *worker, pool }),
            // There is neither a pool nor a pot that could take so little: the program has it.
            Err(_) => record.free = Planck(record.free.0.saturating_add(amount.0)),
        }
        Self::put_credit(program, record);
    }

    /// A command will not be answered: what was laid aside for it goes back. Nothing of a removed program's own credit does; its owner
    /// has that already ([`Pallet::removed`]).
    pub fn refunded(program: &ProgramId, command: u64) {
        if let Some(reservation) = Reservations::<T>::get(program, command) {
            Self::refund(program, command, reservation);
        }
    }

    pub(crate) fn do_refund_late(program: ProgramId, command: u64) -> DispatchResult {
        let reservation = Reservations::<T>::get(program, command).ok_or(Error::<T>::NothingReserved)?;
        ensure!(Self::block().since(reservation.since) >= T::LateBlocks::get(), Error::<T>::NotLate);
        Self::refund(&program, command, reservation);
        Ok(())
    }

    fn refund(program: &ProgramId, command: u64, reservation: Reservation) {
        let Reservation { amount, caller, .. } = reservation;
        let caller = caller.map(|caller| T::AccountId::from(caller.0));
        // An account that cannot take so little has it later: the reservation stays, and anyone may try again once it is late.
        if caller.as_ref().is_some_and(|caller| Self::give_out(caller, amount).is_err()) {
            return;
        }
        Reservations::<T>::remove(program, command);
        if caller.is_none() {
            let mut record = Credits::<T>::get(program);
            // Of a removed program nothing is reserved any more.
            let Some(reserved) = record.reserved.0.checked_sub(amount.0) else { return };
            record.reserved = Planck(reserved);
            record.free = Planck(record.free.0.saturating_add(amount.0));
            Self::put_credit(program, record);
        }
        Self::deposit_event(Event::Refunded { program: *program, command, amount, caller });
    }

    /// Pays for answers. Where the worker's pool cannot be paid, the pot is.
    fn pay(worker: &WorkerId, amount: Planck) -> Result<Option<PoolId>, DispatchError> {
        let pool = T::Earners::pool(worker);
        if let Some(pool) = pool.filter(|pool| Self::give_out(&T::Earners::account(*pool), amount).is_ok()) {
            T::Earners::reward(pool, amount);
            return Ok(Some(pool));
        }
        Self::give_out(&T::Pot::get(), amount)?;
        Ok(None)
    }
}
