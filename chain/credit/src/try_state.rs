//! What must hold between any two blocks.

use crate::{Config, Credits, HoldReason, Leaving, Pallet, Price, ProgramStakes, Programs as _, Reservations, Stakes};
use alloc::collections::BTreeMap;
use frame_support::{
    ensure,
    traits::{
        Get,
        fungible::{Inspect as _, InspectHold as _},
    },
};
use phala_messages::{ProgramId, credit::CreditRecord};
use phala_units::Planck;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(phala_economics::check_price(&Price::<T>::get()).is_ok(), "the price is one that may be set");
        Self::check_stakes()?;
        Self::check_escrow()
    }

    /// Σ stakes of a program = its total; Σ held of an account = its stakes and what is on its way back.
    fn check_stakes() -> Result<(), TryRuntimeError> {
        let mut totals = BTreeMap::<ProgramId, u128>::new();
        let mut held = BTreeMap::<T::AccountId, u128>::new();
        for (program, who, stake) in Stakes::<T>::iter() {
            ensure!(stake > Planck(0), "a stake is something");
            *totals.entry(program).or_default() += stake.0;
            *held.entry(who).or_default() += stake.0;
        }
        let noted: BTreeMap<_, _> = ProgramStakes::<T>::iter().map(|(program, total)| (program, total.0)).collect();
        ensure!(noted == totals, "a program's total is the sum of its stakes");
        let latest = Self::block().saturating_add(T::UnstakeBlocks::get());
        for (_, who, leaving) in Leaving::<T>::iter() {
            ensure!(leaving.amount > Planck(0), "what is on its way is something");
            ensure!(leaving.free_from <= latest, "nothing waits longer than the delay");
            *held.entry(who).or_default() += leaving.amount.0;
        }
        for (who, amount) in held {
            let on_hold = T::Currency::balance_on_hold(&HoldReason::ProgramStake.into(), &who);
            ensure!(on_hold == amount, "what is held of an account is its stakes and what is on its way back");
        }
        Ok(())
    }

    /// Escrow = Σ credit + Σ reservations of callers, above what keeps it open; what a program has reserved = Σ its reservations.
    fn check_escrow() -> Result<(), TryRuntimeError> {
        let mut reserved = BTreeMap::<ProgramId, u128>::new();
        let mut owed = 0u128;
        for (program, _, reservation) in Reservations::<T>::iter() {
            ensure!(reservation.amount > Planck(0), "what is laid aside is something");
            ensure!(reservation.since <= Self::block(), "it was laid aside in the past");
            if reservation.caller.is_some() {
                owed += reservation.amount.0;
            } else if T::Programs::owner(&program).is_some() {
                *reserved.entry(program).or_default() += reservation.amount.0;
            }
        }
        for (program, record) in Credits::<T>::iter() {
            ensure!(record != CreditRecord::default(), "the default is not written");
            ensure!(T::Programs::owner(&program).is_some(), "only a program that stands has credit");
            ensure!(
                reserved.remove(&program).unwrap_or_default() == record.reserved.0,
                "what a program has reserved is the sum of its reservations"
            );
            owed += record.free.0 + record.reserved.0;
        }
        ensure!(reserved.is_empty(), "who reserves has credit");
        // Anyone may send PHA to the escrow, and nobody has that.
        let holds = T::Currency::balance(&T::Escrow::get());
        let least = if owed > 0 { T::Currency::minimum_balance() } else { 0 };
        ensure!(holds >= owed + least, "the escrow holds all credit and all that callers have laid aside");
        Ok(())
    }
}
