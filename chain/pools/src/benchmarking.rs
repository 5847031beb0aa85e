//! What each call and each piece of the sweep costs, in its dearest case.

use crate::{
    Call, Config, DESCRIPTION_BYTES_MAX, Description, GRACE_BLOCKS, Holdings, LIST_MAX, Listed, NOTE_BYTES_MAX, Note,
    POSITIONS_MAX, Pallet, PoolCount, Pools, Requests,
};
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
    traits::fungible::{Inspect as _, Unbalanced as _},
    weights::Weight,
};
use frame_system::RawOrigin;
use phala_economics::{CONTRIBUTION_MIN, Ppm, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::{PHA, Planck};

/// An account that can pay for everything here.
fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId {
    let account: T::AccountId = account(name, index, 0);
    let _ = T::Currency::write_balance(&account, T::Currency::minimum_balance().saturating_add(100_000 * PHA));
    account
}

fn signed<T: Config>(who: &T::AccountId) -> T::RuntimeOrigin {
    RawOrigin::Signed(who.clone()).into()
}

fn next<T: Config>() -> PoolId {
    PoolId(PoolCount::<T>::get())
}

fn stake_pool<T: Config>(owner: &T::AccountId) -> Result<PoolId, BenchmarkError> {
    let pool = next::<T>();
    Pallet::<T>::create_stake_pool(signed::<T>(owner), Ppm::percent(10))?;
    Ok(pool)
}

/// A stake pool of this owner's with so much free, for the benchmarks of others.
pub fn found<T: Config>(owner: &T::AccountId, free: Planck) -> PoolId {
    let more = T::Currency::minimum_balance().saturating_mul(2).saturating_add(free.0);
    let _ = T::Currency::write_balance(owner, T::Currency::balance(owner).saturating_add(more));
    let pool = next::<T>();
    let _ = Pallet::<T>::create_stake_pool(signed::<T>(owner), Ppm::percent(10));
    let _ = Pallet::<T>::contribute(signed::<T>(owner), pool, free);
    pool
}

/// A vault with shares of as many pools as it may, which have earned since, and 100 PHA free; a delegator has 1,000 shares of it.
fn full_vault<T: Config>(
    owner: &T::AccountId,
    delegator: &T::AccountId,
) -> Result<(PoolId, Vec<PoolId>), BenchmarkError> {
    let vault = next::<T>();
    Pallet::<T>::create_vault(signed::<T>(owner), Ppm::percent(10))?;
    let amount = u128::from(POSITIONS_MAX) * 10 * PHA;
    Pallet::<T>::contribute(signed::<T>(delegator), vault, Planck(amount + 100 * PHA))?;
    let mut pools = Vec::new();
    for _ in 0..POSITIONS_MAX {
        let pool = stake_pool::<T>(owner)?;
        Pallet::<T>::vault_contribute(signed::<T>(owner), vault, pool, Planck(10 * PHA))?;
        let account = Pallet::<T>::account(pool);
        let _ = T::Currency::write_balance(&account, T::Currency::balance(&account).saturating_add(PHA));
        Pallet::<T>::reward(pool, Planck(PHA))?;
        pools.push(pool);
    }
    Ok((vault, pools))
}

/// A pool in which so many requests wait and all is at work.
fn waiting<T: Config>(owner: &T::AccountId, requests: u32) -> Result<PoolId, BenchmarkError> {
    let pool = stake_pool::<T>(owner)?;
    for index in 0..requests {
        let who = rich::<T>("holder", index);
        Pallet::<T>::contribute(signed::<T>(&who), pool, Planck(PHA))?;
    }
    Pallet::<T>::take_stake(pool, Planck(u128::from(requests) * PHA))?;
    for index in 0..requests {
        let who: T::AccountId = account("holder", index, 0);
        Pallet::<T>::withdraw(signed::<T>(&who), pool, Shares(PHA)).map_err(|error| error.error)?;
    }
    Ok(pool)
}

fn full<const MAX: u32>(
    length: u32,
) -> Result<frame_support::BoundedVec<u8, frame_support::traits::ConstU32<MAX>>, BenchmarkError> {
    vec![b'a'; length as usize].try_into().map_err(|_| BenchmarkError::Stop("the text fits"))
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn create() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        #[extrinsic_call]
        create_vault(RawOrigin::Signed(owner), Ppm::percent(10));
        assert_eq!(PoolCount::<T>::get(), 1);
        Ok(())
    }

    #[benchmark]
    fn set_commission() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, _) = full_vault::<T>(&owner, &delegator)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner.clone()), vault, Ppm::percent(20));
        assert!(Holdings::<T>::contains_key(vault, owner));
        Ok(())
    }

    #[benchmark]
    fn set_cap() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), pool, Some(Planck(PHA)));
        Ok(())
    }

    #[benchmark]
    fn set_description() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        let description: Description = full(DESCRIPTION_BYTES_MAX)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), pool, description);
        Ok(())
    }

    #[benchmark]
    fn add_to_list() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        let note: Note = full(NOTE_BYTES_MAX)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner.clone()), pool, owner.clone(), note);
        assert!(Listed::<T>::contains_key(pool, owner));
        Ok(())
    }

    #[benchmark]
    fn remove_from_list() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        Pallet::<T>::add_to_list(signed::<T>(&owner), pool, owner.clone(), full(NOTE_BYTES_MAX)?)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner.clone()), pool, owner.clone());
        assert!(!Listed::<T>::contains_key(pool, owner));
        Ok(())
    }

    #[benchmark]
    fn close() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), pool);
        Ok(())
    }

    #[benchmark]
    fn remove() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        for index in 0..LIST_MAX {
            Pallet::<T>::add_to_list(signed::<T>(&owner), pool, account("listed", index, 0), full(NOTE_BYTES_MAX)?)?;
        }
        Pallet::<T>::close(signed::<T>(&owner), pool)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), pool);
        assert!(!Pools::<T>::contains_key(pool));
        Ok(())
    }

    #[benchmark]
    fn contribute() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, _) = full_vault::<T>(&owner, &delegator)?;
        let other = rich::<T>("delegator", 1);
        #[extrinsic_call]
        _(RawOrigin::Signed(other.clone()), vault, Planck(PHA));
        assert!(Holdings::<T>::contains_key(vault, other));
        Ok(())
    }

    #[benchmark]
    fn withdraw() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, _) = full_vault::<T>(&owner, &delegator)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(delegator), vault, Shares(50 * PHA));
        assert!(!Requests::<T>::contains_key(vault, RequestId(0)));
        Ok(())
    }

    #[benchmark]
    fn cancel_withdrawal() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = waiting::<T>(&owner, 2)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(account("holder", 1, 0)), pool, RequestId(1), Shares(PHA));
        assert!(!Requests::<T>::contains_key(pool, RequestId(1)));
        Ok(())
    }

    #[benchmark]
    fn transfer_shares() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let pool = stake_pool::<T>(&owner)?;
        Pallet::<T>::contribute(signed::<T>(&delegator), pool, Planck(PHA))?;
        let to = rich::<T>("delegator", 1);
        #[extrinsic_call]
        _(RawOrigin::Signed(delegator), pool, to.clone(), Shares(PHA));
        assert!(Holdings::<T>::contains_key(pool, to));
        Ok(())
    }

    #[benchmark]
    fn vault_contribute() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, pools) = full_vault::<T>(&owner, &delegator)?;
        let pool = *pools.last().ok_or(BenchmarkError::Stop("the vault has pools"))?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), vault, pool, CONTRIBUTION_MIN);
        Ok(())
    }

    #[benchmark]
    fn settle_vault() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, _) = full_vault::<T>(&owner, &delegator)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(delegator), vault);
        assert!(Holdings::<T>::contains_key(vault, owner));
        Ok(())
    }

    #[benchmark]
    fn check_votes() -> Result<(), BenchmarkError> {
        let delegator = rich::<T>("delegator", 0);
        for index in 0..POSITIONS_MAX {
            full_vault::<T>(&rich::<T>("owner", index), &delegator)?;
        }
        #[block]
        {
            assert!(Pallet::<T>::votes(&delegator) > Planck(0));
        }
        Ok(())
    }

    #[benchmark]
    fn sweep_base() {
        #[block]
        {
            Pallet::<T>::sweep(Weight::MAX, 1);
        }
    }

    #[benchmark]
    fn visit() -> Result<(), BenchmarkError> {
        let pool = waiting::<T>(&rich::<T>("owner", 0), 1)?;
        #[block]
        {
            Pallet::<T>::sweep(Weight::MAX, 1);
        }
        assert!(Requests::<T>::contains_key(pool, RequestId(0)));
        Ok(())
    }

    #[benchmark]
    fn visit_vault() -> Result<(), BenchmarkError> {
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, _) = full_vault::<T>(&owner, &delegator)?;
        let all = Holdings::<T>::get(vault, &delegator).unwrap_or_default().free;
        Pallet::<T>::withdraw(signed::<T>(&delegator), vault, all).map_err(|error| error.error)?;
        #[block]
        {
            Pallet::<T>::sweep(Weight::MAX, 1);
        }
        Ok(())
    }

    #[benchmark]
    fn fill() -> Result<(), BenchmarkError> {
        // A vault asked for all that it has of the pool.
        let (owner, delegator) = (rich::<T>("owner", 0), rich::<T>("delegator", 0));
        let (vault, pools) = full_vault::<T>(&owner, &delegator)?;
        let pool = *pools.last().ok_or(BenchmarkError::Stop("the vault has pools"))?;
        let free = Pallet::<T>::pool(pool)?.free;
        Pallet::<T>::take_stake(pool, free)?;
        let held = Holdings::<T>::get(pool, Pallet::<T>::account(vault)).unwrap_or_default().free;
        Pallet::<T>::vault_withdraw(signed::<T>(&owner), vault, pool, held)?;
        Pallet::<T>::return_stake(pool, free, Planck(0))?;
        let mut record = Pallet::<T>::pool(pool)?;
        #[block]
        {
            Pallet::<T>::fill(pool, &mut record, 1);
        }
        assert!(!Requests::<T>::contains_key(pool, RequestId(0)));
        Ok(())
    }

    #[benchmark]
    fn find_overdue() -> Result<(), BenchmarkError> {
        let pool = waiting::<T>(&rich::<T>("owner", 0), 1)?;
        let mut record = Pallet::<T>::pool(pool)?;
        frame_system::Pallet::<T>::set_block_number(GRACE_BLOCKS.saturating_add(10).into());
        #[block]
        {
            Pallet::<T>::find_overdue(pool, &mut record, 1);
        }
        assert!(record.queue.shares_overdue > Shares(0));
        Ok(())
    }

    #[benchmark]
    fn take_stake() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = stake_pool::<T>(&owner)?;
        Pallet::<T>::contribute(signed::<T>(&owner), pool, Planck(PHA))?;
        #[block]
        {
            Pallet::<T>::take_stake(pool, Planck(PHA))?;
        }
        Ok(())
    }

    #[benchmark]
    fn return_stake() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = waiting::<T>(&owner, 1)?;
        #[block]
        {
            Pallet::<T>::return_stake(pool, Planck(PHA / 2), Planck(PHA / 2))?;
        }
        Ok(())
    }

    #[benchmark]
    fn reward() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let pool = waiting::<T>(&owner, 1)?;
        let account = Pallet::<T>::account(pool);
        let _ = T::Currency::write_balance(&account, T::Currency::balance(&account).saturating_add(PHA));
        #[block]
        {
            Pallet::<T>::reward(pool, Planck(PHA))?;
        }
        Ok(())
    }
}
