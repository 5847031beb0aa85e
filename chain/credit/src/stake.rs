//! Stake on programs: put on, taken off, returned after a delay.

use crate::{Config, Error, Event, HoldReason, Leaving, Pallet, ProgramStakes, Programs as _, Stakes};
use frame_support::{
    pallet_prelude::*,
    traits::{Defensive as _, DefensiveSaturating as _, fungible::hold::Mutate as _, tokens::Precision},
};
use phala_messages::{ProgramId, credit::LeavingStake};
use phala_units::{BlockNumber, Planck};
use sp_runtime::traits::UniqueSaturatedInto;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_stake(who: T::AccountId, program: ProgramId, amount: Planck) -> DispatchResult {
        ensure!(amount > Planck(0), Error::<T>::AmountZero);
        ensure!(T::Programs::owner(&program).is_some(), Error::<T>::ProgramUnknown);
        let staked = Planck(Stakes::<T>::get(program, &who).0.saturating_add(amount.0));
        ensure!(staked.0 >= T::StakeMin::get(), Error::<T>::StakeTooLittle);
        T::Currency::hold(&HoldReason::ProgramStake.into(), &who, amount.0)?;
        // What is held exists, so the sums have room.
        let total = Planck(ProgramStakes::<T>::get(program).0.saturating_add(amount.0));
        Stakes::<T>::insert(program, &who, staked);
        ProgramStakes::<T>::insert(program, total);
        Self::deposit_event(Event::Staked { program, who, amount, total });
        Ok(())
    }

    pub(crate) fn do_unstake(who: T::AccountId, program: ProgramId, amount: Planck) -> DispatchResult {
        ensure!(amount > Planck(0), Error::<T>::AmountZero);
        let staked = Stakes::<T>::get(program, &who);
        let rest = staked.0.checked_sub(amount.0).ok_or(Error::<T>::StakeExceeded)?;
        let gone = T::Programs::owner(&program).is_none();
        ensure!(rest == 0 || rest >= T::StakeMin::get() || gone, Error::<T>::StakeTooLittle);

        let total = Planck(ProgramStakes::<T>::get(program).0.defensive_saturating_sub(amount.0));
        if rest == 0 {
            Stakes::<T>::remove(program, &who);
        } else {
            Stakes::<T>::insert(program, &who, Planck(rest));
        }
        if total == Planck(0) {
            ProgramStakes::<T>::remove(program);
        } else {
            ProgramStakes::<T>::insert(program, total);
        }
        if gone {
            Self::deposit_event(Event::Unstaked { program, who: who.clone(), amount, total, free_from: None });
            Self::return_stake(who, program, amount);
            return Ok(());
        }
        let free_from = Self::block().saturating_add(T::UnstakeBlocks::get());
        let before = Leaving::<T>::get(program, &who).map_or(0, |leaving| leaving.amount.0);
        let leaving = LeavingStake { amount: Planck(before.saturating_add(amount.0)), free_from };
        Leaving::<T>::insert(program, &who, leaving);
        Self::deposit_event(Event::Unstaked { program, who, amount, total, free_from: Some(free_from) });
        Ok(())
    }

    pub(crate) fn do_withdraw_unstaked(who: T::AccountId, program: ProgramId) -> DispatchResult {
        let leaving = Leaving::<T>::get(program, &who).ok_or(Error::<T>::NothingLeaving)?;
        let free = Self::block() >= leaving.free_from || T::Programs::owner(&program).is_none();
        ensure!(free, Error::<T>::StakeNotFree);
        Leaving::<T>::remove(program, &who);
        Self::return_stake(who, program, leaving.amount);
        Ok(())
    }

    /// Returns stake to its owner. What is held is always there to be returned; should it not be, what is there is returned.
    fn return_stake(who: T::AccountId, program: ProgramId, amount: Planck) {
        let reason = HoldReason::ProgramStake.into();
        let released = T::Currency::release(&reason, &who, amount.0, Precision::BestEffort);
        if released.defensive() != Ok(amount.0) {
            frame_support::defensive!("a stake is held in full until it is returned");
        }
        Self::deposit_event(Event::StakeReturned { program, who, amount });
    }

    /// The block being built.
    pub(crate) fn block() -> BlockNumber {
        BlockNumber(frame_system::Pallet::<T>::block_number().unique_saturated_into())
    }
}
