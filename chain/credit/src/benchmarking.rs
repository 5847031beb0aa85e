//! What each call, and each thing that happens to a command, costs in its dearest case.

use crate::{Call, Config, HoldReason, Leaving, Pallet, Price, ProgramStakes, Programs as _, Reservations, Stakes};
use frame_benchmarking::v2::*;
use frame_support::traits::{
    EnsureOrigin, Get,
    fungible::{Inspect as _, Unbalanced as _, hold::Mutate as _},
};
use frame_system::RawOrigin;
use phala_messages::{
    Account, ProgramId, ProgramLimits, WorkerId,
    credit::{CommandPrice, LeavingStake, Payer},
};
use phala_units::{BlockNumber, PHA, Planck};

const AMOUNT: Planck = Planck(1_000 * PHA);
const WORKER: WorkerId = WorkerId([0x77; 32]);

/// An account that can pay for everything here.
fn rich<T: Config>(name: &'static str) -> T::AccountId {
    let account: T::AccountId = account(name, 0, 0);
    let _ = T::Currency::write_balance(&account, T::Currency::minimum_balance().saturating_add(100_000 * PHA));
    account
}

fn signed<T: Config>(who: &T::AccountId) -> T::RuntimeOrigin {
    RawOrigin::Signed(who.clone()).into()
}

fn named<T: Config>(who: &T::AccountId) -> Account {
    Account(*who.as_ref())
}

/// A pot that can open the escrow, and a program whose commands cost one PHA, which callers pay.
fn program<T: Config>() -> (T::AccountId, ProgramId) {
    let _ = T::Currency::write_balance(&T::Pot::get(), 1_000 * PHA);
    let owner = rich::<T>("owner");
    let program = T::Programs::deploy_for_benchmark(&named::<T>(&owner));
    Price::<T>::put(CommandPrice { base: Planck(PHA), ..Default::default() });
    (owner, program)
}

/// So many commands of a caller's.
fn ordered<T: Config>(commands: u64) -> Result<(T::AccountId, ProgramId), BenchmarkError> {
    let (_, program) = program::<T>();
    let caller = rich::<T>("caller");
    for command in 0..commands {
        Pallet::<T>::reserve(&program, command, named::<T>(&caller), 1, &ProgramLimits::default(), None)?;
    }
    Ok((caller, program))
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn stake() -> Result<(), BenchmarkError> {
        let (_, program) = program::<T>();
        let who = rich::<T>("staker");
        Pallet::<T>::stake(signed::<T>(&who), program, AMOUNT)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), program, AMOUNT);
        assert_eq!(Stakes::<T>::get(program, who).0, 2 * AMOUNT.0);
        Ok(())
    }

    #[benchmark]
    fn unstake() -> Result<(), BenchmarkError> {
        // Of a program that is no more: the stake is back at once.
        let (who, gone) = (rich::<T>("staker"), ProgramId([7; 32]));
        T::Currency::hold(&HoldReason::ProgramStake.into(), &who, AMOUNT.0)?;
        Stakes::<T>::insert(gone, &who, AMOUNT);
        ProgramStakes::<T>::insert(gone, AMOUNT);
        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), gone, AMOUNT);
        assert!(!Stakes::<T>::contains_key(gone, who));
        Ok(())
    }

    #[benchmark]
    fn withdraw_unstaked() -> Result<(), BenchmarkError> {
        let (_, program) = program::<T>();
        let who = rich::<T>("staker");
        Pallet::<T>::stake(signed::<T>(&who), program, AMOUNT)?;
        Pallet::<T>::unstake(signed::<T>(&who), program, AMOUNT)?;
        Leaving::<T>::insert(program, &who, LeavingStake { amount: AMOUNT, free_from: BlockNumber(0) });
        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), program);
        assert!(!Leaving::<T>::contains_key(program, who));
        Ok(())
    }

    #[benchmark]
    fn top_up() -> Result<(), BenchmarkError> {
        let (_, program) = program::<T>();
        let who = rich::<T>("donor");
        #[extrinsic_call]
        _(RawOrigin::Signed(who), program, AMOUNT);
        Ok(())
    }

    #[benchmark]
    fn withdraw_credit() -> Result<(), BenchmarkError> {
        let (owner, program) = program::<T>();
        Pallet::<T>::top_up(signed::<T>(&owner), program, AMOUNT)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), program, AMOUNT);
        Ok(())
    }

    #[benchmark]
    fn set_payer() -> Result<(), BenchmarkError> {
        let (owner, program) = program::<T>();
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), program, Payer::Caller);
        Ok(())
    }

    #[benchmark]
    fn refund_late() -> Result<(), BenchmarkError> {
        let (caller, program) = ordered::<T>(1)?;
        Reservations::<T>::mutate(program, 0, |reservation| {
            if let Some(reservation) = reservation {
                reservation.since = BlockNumber(0);
            }
        });
        frame_system::Pallet::<T>::set_block_number(T::LateBlocks::get().into());
        #[extrinsic_call]
        _(RawOrigin::Signed(caller), program, 0);
        assert!(!Reservations::<T>::contains_key(program, 0));
        Ok(())
    }

    #[benchmark]
    fn set_price() -> Result<(), BenchmarkError> {
        let origin = T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
        let price = CommandPrice { base: Planck(PHA), ..Default::default() };
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, price);
        Ok(())
    }

    #[benchmark]
    fn reserve() -> Result<(), BenchmarkError> {
        let (caller, program) = ordered::<T>(0)?;
        let caller = named::<T>(&caller);
        #[block]
        {
            Pallet::<T>::reserve(&program, 0, caller, 1, &ProgramLimits::default(), None)?;
        }
        assert!(Reservations::<T>::contains_key(program, 0));
        Ok(())
    }

    #[benchmark]
    fn spent(n: Linear<1, 1_024>) -> Result<(), BenchmarkError> {
        let (_, program) = ordered::<T>(n.into())?;
        #[block]
        {
            Pallet::<T>::spent(&program, 0..n.into(), &WORKER);
        }
        assert!(!Reservations::<T>::contains_key(program, 0));
        Ok(())
    }

    #[benchmark]
    fn refunded() -> Result<(), BenchmarkError> {
        let (_, program) = ordered::<T>(1)?;
        #[block]
        {
            Pallet::<T>::refunded(&program, 0);
        }
        assert!(!Reservations::<T>::contains_key(program, 0));
        Ok(())
    }

    #[benchmark]
    fn removed() -> Result<(), BenchmarkError> {
        let (owner, program) = program::<T>();
        Pallet::<T>::top_up(signed::<T>(&owner), program, AMOUNT)?;
        let owner = named::<T>(&owner);
        #[block]
        {
            Pallet::<T>::removed(&program, &owner);
        }
        Ok(())
    }
}
