//! PHA: what it starts with, and that nothing makes or destroys any.

use crate::{lab::*, *};
use frame_support::traits::{OnUnbalanced as _, fungible::Balanced};
use token::{Allocation, pot};

fn percent(share: Balance) -> Balance {
    constants::SUPPLY / 100 * share
}

#[test]
fn there_are_a_thousand_million_pha_and_they_are_shared_as_promised() {
    assert_eq!(constants::SUPPLY, 1_000_000_000_000_000_000_000);
    let allocation = Allocation::default();
    let balances = allocation.balances();
    assert_eq!(balances.iter().map(|(_, amount)| amount).sum::<Balance>(), constants::SUPPLY);
    let of = |who: &AccountId| balances.iter().find(|(account, _)| account == who).map(|(_, amount)| *amount);
    assert_eq!(of(&allocation.rewards), Some(percent(70)));
    assert_eq!(of(&allocation.sale), Some(percent(15)));
    assert_eq!(of(&allocation.drop), Some(percent(9)));
    assert_eq!(of(&allocation.team), Some(percent(5)));
    // A cent of the test network's share keeps the treasury's account alive.
    assert_eq!(of(&allocation.testers), Some(percent(1) - PHA / 100));
    network().execute_with(assert_supply);
}

#[test]
fn the_team_gets_a_fifth_at_once_and_the_rest_over_sixteen_months() {
    network().execute_with(|| {
        let Allocation { team, sale, .. } = Allocation::default();
        let free = |who: &AccountId| Balances::usable_balance(who);
        assert_eq!(free(&team), percent(1));
        assert_eq!(free(&sale), percent(9));
        // What is due by a block follows from the block; nobody has to claim in time.
        for (month, of_team, of_sale) in
            [(1, 125, 900), (7, 275, 900), (8, 300, 1000), (13, 425, 1500), (16, 500, 1500)]
        {
            System::set_block_number(month * constants::MONTHS);
            for who in [&team, &sale] {
                // A schedule that is over is removed.
                let target = sp_runtime::MultiAddress::Id(who.clone());
                if pallet_vesting::Vesting::<Runtime>::contains_key(who) {
                    dispatch(pallet_vesting::Call::vest_other { target }, signed(Alice)).expect("vested");
                }
            }
            assert!(free(&team).abs_diff(percent(1) / 100 * of_team) < PHA, "month {month}: {}", free(&team));
            assert!(free(&sale).abs_diff(percent(1) / 100 * of_sale) < PHA, "month {month}: {}", free(&sale));
        }
    });
}

#[test]
fn a_fee_goes_to_the_treasury_and_to_the_author_and_a_tip_to_the_author() {
    network().execute_with(|| {
        next_block();
        let author = pallet_authorship::Pallet::<Runtime>::author().expect("a block has an author");
        let (treasury, before) = (Treasury::account_id(), Balances::free_balance(&author));
        let pay = |amount| {
            <Balances as Balanced<AccountId>>::withdraw(
                &account(Eve),
                amount,
                frame_support::traits::tokens::Precision::Exact,
                frame_support::traits::tokens::Preservation::Preserve,
                frame_support::traits::tokens::Fortitude::Polite,
            )
            .expect("Eve is rich")
        };
        let had = Balances::free_balance(&treasury);
        // A fee far below the least balance of an account.
        token::Fees::on_unbalanceds([pay(1_000), pay(77)].into_iter());
        assert_eq!(Balances::free_balance(&treasury) - had, 800);
        assert_eq!(Balances::free_balance(&author) - before, 277);
        assert_supply();
    });
}

#[test]
fn dust_and_slashes_go_to_the_treasury() {
    network().execute_with(|| {
        let poor = AccountId::from([9; 32]);
        let to = sp_runtime::MultiAddress::Id(poor.clone());
        dispatch(pallet_balances::Call::transfer_keep_alive { dest: to, value: 2 * PHA / 100 }, signed(Eve))
            .expect("sent");
        let had = Balances::free_balance(Treasury::account_id());
        let back = sp_runtime::MultiAddress::Id(account(Eve));
        let most = pallet_balances::Call::transfer_allow_death { dest: back, value: 2 * PHA / 100 - 5 };
        dispatch(most, RuntimeOrigin::signed(poor.clone())).expect("sent");
        assert_eq!(Balances::free_balance(&poor), 0);
        assert_eq!(Balances::free_balance(Treasury::account_id()) - had, 5);
        assert_supply();
    });
}

#[test]
fn an_era_pays_validators_out_of_their_pot_and_makes_nothing() {
    network().execute_with(|| {
        let give = pallet_balances::Call::transfer_keep_alive {
            dest: sp_runtime::MultiAddress::Id(pot(token::VALIDATORS_POT)),
            value: 10_000 * PHA,
        };
        dispatch(give, signed(Eve)).expect("given");
        let era = || pallet_staking::ActiveEra::<Runtime>::get().map_or(0, |era| era.index);
        blocks_until(700, "an era ends", || era() == 1);
        let owed = pallet_staking::ErasValidatorReward::<Runtime>::get(0).expect("the era paid");
        assert_eq!(owed, Balances::free_balance(pot(token::VALIDATORS_DUE)));
        assert!(owed > 0 && owed <= 10_000 * PHA / constants::ERA_PAYOUT_DIVISOR);
        assert_supply();
        for validator in [Alice, Bob, Charlie, Dave] {
            let staked = pallet_staking::Ledger::<Runtime>::get(account(validator)).map_or(0, |ledger| ledger.active);
            let call = pallet_staking::Call::payout_stakers { validator_stash: account(validator), era: 0 };
            dispatch(call, signed(Eve)).expect("paid");
            let now = pallet_staking::Ledger::<Runtime>::get(account(validator)).map_or(0, |ledger| ledger.active);
            // Each made about a quarter of the blocks.
            assert!((now - staked).abs_diff(owed / 4) < owed / 50, "{} of {owed}", now - staked);
            assert_supply();
        }
        assert!(Balances::free_balance(pot(token::VALIDATORS_DUE)) < 100, "all but dust was claimed");
        // Nothing can be claimed twice.
        let again = pallet_staking::Call::payout_stakers { validator_stash: account(Alice), era: 0 };
        assert!(dispatch(again, signed(Eve)).is_err());
    });
}

#[test]
fn an_empty_pot_pays_nothing_and_stops_nobody() {
    network().execute_with(|| {
        let era = || pallet_staking::ActiveEra::<Runtime>::get().map_or(0, |era| era.index);
        blocks_until(700, "an era ends", || era() == 1);
        assert_eq!(pallet_staking::ErasValidatorReward::<Runtime>::get(0), Some(0));
        assert_supply();
    });
}
