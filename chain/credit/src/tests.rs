//! Stake, credit and prices: each rule, and what happens when it is broken.

use crate::{Leaving, Price, ProgramStakes, Stakes, mock::*};
use frame_support::{assert_noop, assert_ok};
use phala_economics::{PRICE_BASE_MAX, PRICE_PER_BYTE_MAX, PRICE_PER_MILLION_FUEL_MAX, weight_of_stake};
use phala_messages::{
    ProgramId,
    credit::{CommandPrice, CreditRecord, LeavingStake, Payer},
};
use phala_units::{BlockNumber, PHA, Planck};
use sp_runtime::{BuildStorage, DispatchError, TokenError};

fn stake(program: ProgramId, amount: u128) -> Call {
    Call::stake { program, amount: Planck(amount) }
}

fn unstake(program: ProgramId, amount: u128) -> Call {
    Call::unstake { program, amount: Planck(amount) }
}

fn top_up(program: ProgramId, amount: u128) -> Call {
    Call::top_up { program, amount: Planck(amount) }
}

fn withdraw(program: ProgramId, amount: u128) -> Call {
    Call::withdraw_credit { program, amount: Planck(amount) }
}

fn held(n: u8) -> u128 {
    Balances::reserved_balance(account(n))
}

fn total(program: ProgramId) -> u128 {
    ProgramStakes::<Test>::get(program).0
}

mod stakes {
    use super::*;

    #[test]
    fn stake_is_held_and_gives_weight() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_eq!(weight_of_stake(ProgramStakes::<Test>::get(program)), 1);
            assert_ok!(by(OTHER, stake(program, 15 * PHA)));
            let (amount, who) = (Planck(15 * PHA), account(OTHER));
            assert_eq!(last_event(), Event::Staked { program, who, amount, total: amount });
            assert_ok!(by(OWNER, stake(program, 25 * PHA)));
            assert_eq!((total(program), held(OTHER), balance(OTHER)), (40 * PHA, 15 * PHA, RICH - 15 * PHA));
            assert_eq!(weight_of_stake(ProgramStakes::<Test>::get(program)), 5);
        });
    }

    #[test]
    fn the_least_stake_is_taken_and_one_less_is_not() {
        run(|| {
            let program = deploy(OWNER, 1);
            refused(OTHER, stake(program, STAKE_MIN - 1), Error::StakeTooLittle);
            refused(OTHER, stake(program, 0), Error::AmountZero);
            assert_ok!(by(OTHER, stake(program, STAKE_MIN)));
            // Who has staked may add anything.
            assert_ok!(by(OTHER, stake(program, 1)));
            assert_eq!(Stakes::<Test>::get(program, account(OTHER)), Planck(STAKE_MIN + 1));
        });
    }

    #[test]
    fn only_a_program_that_stands_is_staked_on() {
        run(|| {
            let program = ProgramId([1; 32]);
            refused(OTHER, stake(program, STAKE_MIN), Error::ProgramUnknown);
            deploy(OWNER, 1);
            remove(program);
            refused(OTHER, stake(program, STAKE_MIN), Error::ProgramUnknown);
        });
    }

    #[test]
    fn nobody_stakes_more_than_it_has() {
        run(|| {
            let program = deploy(OWNER, 1);
            let error = DispatchError::Token(TokenError::FundsUnavailable);
            assert_noop!(by(OTHER, stake(program, RICH + 1)), error);
            assert_noop!(by(OTHER, stake(program, u128::MAX)), error);
            // What an account needs to exist stays free.
            assert_noop!(by(OTHER, stake(program, RICH)), error);
            assert_ok!(by(OTHER, stake(program, RICH - DEPOSIT)));
        });
    }

    #[test]
    fn weight_falls_at_once_and_stake_returns_after_the_delay() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, stake(program, 100 * PHA)));
            assert_ok!(by(OTHER, unstake(program, 60 * PHA)));
            let free_from = BlockNumber(1 + UNSTAKE_BLOCKS);
            let (who, amount) = (account(OTHER), Planck(60 * PHA));
            let event = Event::Unstaked { program, who, amount, total: Planck(40 * PHA), free_from: Some(free_from) };
            assert_eq!(last_event(), event);
            assert_eq!((total(program), held(OTHER)), (40 * PHA, 100 * PHA));
            pass(UNSTAKE_BLOCKS - 1);
            refused(OTHER, Call::withdraw_unstaked { program }, Error::StakeNotFree);
            pass(1);
            assert_ok!(by(OTHER, Call::withdraw_unstaked { program }));
            assert_eq!(last_event(), Event::StakeReturned { program, who: account(OTHER), amount });
            assert_eq!((held(OTHER), balance(OTHER)), (40 * PHA, RICH - 40 * PHA));
            refused(OTHER, Call::withdraw_unstaked { program }, Error::NothingLeaving);
        });
    }

    #[test]
    fn what_is_on_its_way_waits_with_what_follows_it() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, stake(program, 100 * PHA)));
            assert_ok!(by(OTHER, unstake(program, 20 * PHA)));
            pass(UNSTAKE_BLOCKS);
            assert_ok!(by(OTHER, unstake(program, 30 * PHA)));
            let leaving = Leaving::<Test>::get(program, account(OTHER));
            let free_from = BlockNumber(1 + 2 * UNSTAKE_BLOCKS);
            assert_eq!(leaving, Some(LeavingStake { amount: Planck(50 * PHA), free_from }));
            refused(OTHER, Call::withdraw_unstaked { program }, Error::StakeNotFree);
        });
    }

    #[test]
    fn a_rest_is_nothing_or_at_least_the_least() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, stake(program, 2 * STAKE_MIN)));
            refused(OTHER, unstake(program, STAKE_MIN + 1), Error::StakeTooLittle);
            refused(OTHER, unstake(program, 2 * STAKE_MIN + 1), Error::StakeExceeded);
            refused(OTHER, unstake(program, 0), Error::AmountZero);
            refused(OWNER, unstake(program, 1), Error::StakeExceeded);
            assert_ok!(by(OTHER, unstake(program, STAKE_MIN)));
            assert_ok!(by(OTHER, unstake(program, STAKE_MIN)));
            assert_eq!(total(program), 0);
            assert!(!ProgramStakes::<Test>::contains_key(program));
            assert!(!Stakes::<Test>::contains_key(program, account(OTHER)));
        });
    }

    #[test]
    fn off_a_removed_program_stake_comes_back_at_once() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, stake(program, 100 * PHA)));
            assert_ok!(by(CALLER, stake(program, 50 * PHA)));
            assert_ok!(by(OTHER, unstake(program, 40 * PHA)));
            remove(program);
            check();
            // What was on its way need not wait, and a rest may be anything.
            assert_ok!(by(OTHER, Call::withdraw_unstaked { program }));
            assert_ok!(by(OTHER, unstake(program, 60 * PHA - 1)));
            assert_ok!(by(OTHER, unstake(program, 1)));
            let (who, amount) = (account(OTHER), Planck(1));
            assert_eq!(last_event(), Event::StakeReturned { program, who, amount });
            assert_eq!((held(OTHER), balance(OTHER), total(program)), (0, RICH, 50 * PHA));
            assert_ok!(by(CALLER, unstake(program, 50 * PHA)));
            assert_eq!((balance(CALLER), total(program)), (RICH, 0));
        });
    }
}

mod credits {
    use super::*;

    #[test]
    fn anyone_tops_up_and_the_owner_takes_back() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, top_up(program, 5 * PHA)));
            let (who, amount) = (account(OTHER), Planck(5 * PHA));
            assert_eq!(last_event(), Event::ToppedUp { program, who, amount });
            assert_eq!(credit(program), CreditRecord { payer: Payer::Owner, free: amount, reserved: Planck(0) });
            assert_eq!(balance(OTHER), RICH - 5 * PHA);
            refused(OTHER, withdraw(program, PHA), Error::NotProgramOwner);
            refused(OWNER, withdraw(program, 5 * PHA + 1), Error::CreditTooLittle);
            refused(OWNER, withdraw(program, 0), Error::AmountZero);
            assert_ok!(by(OWNER, withdraw(program, 5 * PHA)));
            assert_eq!(last_event(), Event::CreditReturned { program, amount });
            assert_eq!((balance(OWNER), credit(program)), (RICH + 5 * PHA, CreditRecord::default()));
            assert!(!crate::Credits::<Test>::contains_key(program));
        });
    }

    #[test]
    fn the_pot_opens_the_escrow_and_the_smallest_amount_is_kept() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, top_up(program, 1)));
            assert_eq!((balance(ESCROW), balance(POT)), (DEPOSIT + 1, RICH - DEPOSIT));
            // One program's last credit leaves the other's alone.
            let other = deploy(OWNER, 2);
            assert_ok!(by(OTHER, top_up(other, DEPOSIT)));
            assert_ok!(by(OWNER, withdraw(other, DEPOSIT)));
            assert_ok!(by(OWNER, withdraw(program, 1)));
            assert_eq!((balance(ESCROW), balance(POT)), (DEPOSIT, RICH - DEPOSIT));
        });
    }

    #[test]
    fn only_a_program_that_stands_is_topped_up_by_who_can() {
        run(|| {
            let program = ProgramId([1; 32]);
            refused(OTHER, top_up(program, PHA), Error::ProgramUnknown);
            refused(OWNER, withdraw(program, PHA), Error::ProgramUnknown);
            deploy(OWNER, 1);
            refused(OTHER, top_up(program, 0), Error::AmountZero);
            assert_noop!(by(POOR, top_up(program, PHA)), DispatchError::Token(TokenError::FundsUnavailable));
            // Nobody's account ends for it.
            assert_noop!(by(POOR, top_up(program, 2 * DEPOSIT)), DispatchError::Token(TokenError::NotExpendable));
            assert_ok!(by(POOR, top_up(program, DEPOSIT)));
        });
    }

    #[test]
    fn the_owner_says_who_pays() {
        run(|| {
            let program = deploy(OWNER, 1);
            refused(OTHER, Call::set_payer { program, payer: Payer::Caller }, Error::NotProgramOwner);
            let unknown = ProgramId([9; 32]);
            refused(OWNER, Call::set_payer { program: unknown, payer: Payer::Caller }, Error::ProgramUnknown);
            assert_ok!(by(OWNER, Call::set_payer { program, payer: Payer::Caller }));
            assert_eq!(last_event(), Event::PayerSet { program, payer: Payer::Caller });
            assert_eq!(credit(program).payer, Payer::Caller);
            assert_ok!(by(OWNER, Call::set_payer { program, payer: Payer::Owner }));
            assert!(!crate::Credits::<Test>::contains_key(program), "the default is not written");
        });
    }

    #[test]
    fn a_removed_program_gives_its_credit_to_its_owner() {
        run(|| {
            let program = deploy(OWNER, 1);
            assert_ok!(by(OTHER, top_up(program, 7)));
            remove(program);
            assert_eq!(last_event(), Event::CreditReturned { program, amount: Planck(7) });
            assert_eq!(balance(OWNER), RICH + 7);
            // One without credit leaves nothing behind, whoever was to pay.
            let other = deploy(OWNER, 2);
            assert_ok!(by(OWNER, Call::set_payer { program: other, payer: Payer::Caller }));
            remove(other);
            assert!(!crate::Credits::<Test>::contains_key(other));
        });
    }
}

mod prices {
    use super::*;

    #[test]
    fn governance_sets_the_price_within_its_limits() {
        run(|| {
            assert_eq!(Price::<Test>::get(), CommandPrice::default());
            assert_noop!(by(OTHER, Call::set_price { price: PRICE }), DispatchError::BadOrigin);
            assert_ok!(set_price(PRICE));
            assert_eq!(last_event(), Event::PriceSet { price: PRICE });
            let dearest = CommandPrice {
                base: PRICE_BASE_MAX,
                per_byte: PRICE_PER_BYTE_MAX,
                per_million_fuel: PRICE_PER_MILLION_FUEL_MAX,
            };
            assert_ok!(set_price(dearest));
            let past = CommandPrice { base: Planck(PRICE_BASE_MAX.0 + 1), ..dearest };
            assert_noop!(set_price(past), Error::PriceTooHigh);
            assert_eq!(Price::<Test>::get(), dearest);
        });
    }

    #[test]
    fn a_network_starts_with_the_price_of_its_genesis() {
        let genesis = crate::GenesisConfig::<Test> { price: PRICE, _config: Default::default() };
        let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
        ext.execute_with(|| assert_eq!(Price::<Test>::get(), PRICE));
    }

    #[test]
    #[should_panic = "a price that may not be set"]
    fn no_network_starts_with_a_price_that_may_not_be_set() {
        let price = CommandPrice { base: Planck(u128::MAX), ..PRICE };
        let _ = crate::GenesisConfig::<Test> { price, _config: Default::default() }.build_storage();
    }
}
