//! What becomes of a command's price: who pays, who is paid, and who has it back.

use crate::{Reservations, mock::*};
use frame_support::{assert_ok, traits::LockableCurrency};
use phala_economics::price_of_command;
use phala_messages::{
    ProgramId, ProgramLimits,
    credit::{CommandPrice, Payer, Reservation},
};
use phala_units::{BlockNumber, Planck};

fn top_up(program: ProgramId, amount: u128) {
    by(OTHER, Call::top_up { program, amount: Planck(amount) }).unwrap();
}

fn set_payer(program: ProgramId, payer: Payer) {
    by(OWNER, Call::set_payer { program, payer }).unwrap();
}

fn cannot(result: Result<(), sp_runtime::DispatchError>, error: Error) {
    assert_eq!(result, Err(error.into()));
}

/// What a program has free and reserved.
fn has(program: ProgramId) -> (u128, u128) {
    (credit(program).free.0, credit(program).reserved.0)
}

#[test]
fn a_free_command_leaves_no_trace() {
    run(|| {
        let program = deploy(OWNER, 1);
        assert_ok!(order(program, 0, CALLER, Some(0)));
        assert_eq!(reservation(program, 0), None);
        Credit::spent(&program, 0..1, &WORKER);
        Credit::refunded(&program, 0);
        assert_eq!(System::events(), vec![]);
    });
}

#[test]
fn the_estimate_is_the_price() {
    let limits = ProgramLimits::default();
    assert_eq!(price_of_command(&PRICE, BYTES, &limits), Planck(COST));
}

#[test]
fn the_programs_credit_pays_for_its_callers() {
    run(|| {
        let program = priced_program();
        top_up(program, COST + 7);
        assert_ok!(order(program, 0, CALLER, Some(0)));
        let amount = Planck(COST);
        assert_eq!(last_event(), Event::Reserved { program, command: 0, amount, caller: None });
        assert_eq!((has(program), balance(CALLER)), ((7, COST), RICH));
        // What is reserved is not the owner's to take.
        refused(OWNER, Call::withdraw_credit { program, amount: Planck(8) }, Error::CreditTooLittle);
        Credit::spent(&program, 0..1, &WORKER);
        assert_eq!(last_event(), Event::Spent { program, amount, worker: WORKER, pool: Some(POOL) });
        assert_eq!((has(program), Working::rewarded(POOL)), ((7, 0), COST));
        assert_eq!(reservation(program, 0), None);
    });
}

#[test]
fn a_caller_pays_where_the_credit_is_too_little() {
    run(|| {
        let program = priced_program();
        top_up(program, COST - 1);
        cannot(order(program, 0, CALLER, Some(COST - 1)), Error::PriceAboveMax);
        assert_ok!(order(program, 0, CALLER, Some(COST)));
        let caller = Some(account(CALLER));
        assert_eq!(last_event(), Event::Reserved { program, command: 0, amount: Planck(COST), caller });
        assert_eq!((has(program), balance(CALLER)), ((COST - 1, 0), RICH - COST));
        let since = BlockNumber(1);
        let expected = Reservation { amount: Planck(COST), caller: Some(named(CALLER)), since };
        assert_eq!(reservation(program, 0), Some(expected));
    });
}

#[test]
fn a_caller_pays_where_the_owner_says_so() {
    run(|| {
        let program = priced_program();
        top_up(program, 10 * COST);
        set_payer(program, Payer::Caller);
        assert_ok!(order(program, 0, CALLER, None));
        assert_eq!((has(program), balance(CALLER)), ((10 * COST, 0), RICH - COST));
        set_payer(program, Payer::Owner);
        assert_ok!(order(program, 1, CALLER, None));
        assert_eq!((has(program), balance(CALLER)), ((9 * COST, COST), RICH - COST));
        Credit::spent(&program, 0..2, &WORKER);
        assert_eq!((has(program), Working::rewarded(POOL)), ((9 * COST, 0), 2 * COST));
    });
}

#[test]
fn a_command_that_neither_can_pay_is_refused() {
    run(|| {
        let program = priced_program();
        cannot(order(program, 0, POOR, None), Error::CannotPay);
        top_up(program, COST - 1);
        cannot(order(program, 0, POOR, None), Error::CannotPay);
        assert_eq!(reservation(program, 0), None);
        top_up(program, 1);
        assert_ok!(order(program, 0, POOR, None));
        // An account keeps what it needs to exist.
        set_price(CommandPrice { base: Planck(DEPOSIT + 1), ..Default::default() }).unwrap();
        cannot(order(program, 1, POOR, None), Error::CannotPay);
        set_price(CommandPrice { base: Planck(DEPOSIT), ..Default::default() }).unwrap();
        assert_ok!(order(program, 1, POOR, None));
        assert_eq!(balance(POOR), DEPOSIT);
    });
}

#[test]
fn what_may_not_leave_an_account_pays_for_no_command() {
    run(|| {
        let program = priced_program();
        let all = frame_support::traits::WithdrawReasons::all();
        let locked = RICH - COST + 1;
        <Balances as LockableCurrency<_>>::set_lock(*b"vesting ", &account(CALLER), locked, all);
        cannot(order(program, 0, CALLER, None), Error::CannotPay);
        <Balances as LockableCurrency<_>>::set_lock(*b"vesting ", &account(CALLER), locked - 1, all);
        assert_ok!(order(program, 0, CALLER, None));
    });
}

#[test]
fn a_command_costs_what_it_did_when_it_was_ordered() {
    run(|| {
        let program = priced_program();
        top_up(program, 2 * COST);
        assert_ok!(order(program, 0, CALLER, None));
        set_price(CommandPrice { base: Planck(PRICE.base.0 + 5), ..PRICE }).unwrap();
        assert_ok!(order(program, 1, CALLER, None));
        assert_eq!(has(program), (COST, COST), "what is missing, the caller pays");
        set_price(CommandPrice::default()).unwrap();
        assert_ok!(order(program, 2, CALLER, None));
        Credit::spent(&program, 0..3, &WORKER);
        assert_eq!(Working::rewarded(POOL), 2 * COST + 5);
    });
}

#[test]
fn who_works_for_nobody_works_for_the_pot() {
    run(|| {
        let program = priced_program();
        top_up(program, 2 * COST);
        assert_ok!(order(program, 0, CALLER, None));
        Credit::spent(&program, 0..1, &IDLER);
        assert_eq!(last_event(), Event::Spent { program, amount: Planck(COST), worker: IDLER, pool: None });
        assert_eq!(balance(POT), RICH - DEPOSIT + COST);
        // A pool without an account cannot take less than opens one; the pot does.
        Working::bind(IDLER, phala_messages::PoolId(30));
        set_price(CommandPrice { base: Planck(1), ..Default::default() }).unwrap();
        assert_ok!(order(program, 1, CALLER, None));
        Credit::spent(&program, 1..2, &IDLER);
        assert_eq!(last_event(), Event::Spent { program, amount: Planck(1), worker: IDLER, pool: None });
        assert_eq!(balance(POT), RICH - DEPOSIT + COST + 1);
    });
}

#[test]
fn commands_of_a_removed_program_are_refunded_to_who_paid() {
    run(|| {
        let program = priced_program();
        top_up(program, COST);
        assert_ok!(order(program, 0, CALLER, None));
        assert_ok!(order(program, 1, CALLER, None));
        assert_eq!((has(program), balance(CALLER)), ((0, COST), RICH - COST));
        remove(program);
        // The owner's part at once …
        assert_eq!(last_event(), Event::CreditReturned { program, amount: Planck(COST) });
        assert_eq!(balance(OWNER), RICH + COST);
        check();
        // … the callers' as blocks have room.
        let events = System::events().len();
        Credit::refunded(&program, 0);
        assert_eq!(System::events().len(), events, "that has happened");
        Credit::refunded(&program, 1);
        let caller = Some(account(CALLER));
        assert_eq!(last_event(), Event::Refunded { program, command: 1, amount: Planck(COST), caller });
        assert_eq!((balance(OWNER), balance(CALLER)), (RICH + COST, RICH));
        assert_eq!(Reservations::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_late_command_is_refunded_to_who_paid_and_answered_for_nothing() {
    run(|| {
        let program = priced_program();
        top_up(program, COST);
        assert_ok!(order(program, 0, CALLER, None));
        assert_ok!(order(program, 1, CALLER, None));
        pass(LATE_BLOCKS - 1);
        for command in [0, 1] {
            refused(OTHER, Call::refund_late { program, command }, Error::NotLate);
        }
        refused(OTHER, Call::refund_late { program, command: 2 }, Error::NothingReserved);
        pass(1);
        for command in [0, 1] {
            assert_ok!(by(OTHER, Call::refund_late { program, command }));
            refused(OTHER, Call::refund_late { program, command }, Error::NothingReserved);
        }
        assert_eq!((has(program), balance(CALLER)), ((COST, 0), RICH));
        Credit::spent(&program, 0..2, &WORKER);
        assert_eq!(Working::rewarded(POOL), 0);
        check();
        remove(program);
        Credit::refunded(&program, 1);
        assert_eq!(balance(OWNER), RICH + COST);
    });
}

#[test]
fn an_account_that_has_ended_has_its_refund_when_it_can_take_it() {
    run(|| {
        let program = deploy(OWNER, 1);
        set_price(CommandPrice { base: Planck(5), ..Default::default() }).unwrap();
        assert_ok!(order(program, 0, POOR, None));
        // Programs hold a deposit meanwhile, so this does not happen there.
        let all = pallet_balances::Call::<Test>::transfer_all { dest: account(OTHER), keep_alive: false };
        let from = frame_support::dispatch::RawOrigin::Signed(account(POOR));
        sp_runtime::traits::Dispatchable::dispatch(RuntimeCall::Balances(all), from.into()).unwrap();
        assert_eq!(balance(POOR), 0);
        remove(program);
        Credit::refunded(&program, 0);
        assert!(reservation(program, 0).is_some(), "nothing is lost");
        check();
        pass(LATE_BLOCKS);
        let again = pallet_balances::Call::<Test>::transfer_allow_death { dest: account(POOR), value: DEPOSIT };
        let from = frame_support::dispatch::RawOrigin::Signed(account(OTHER));
        sp_runtime::traits::Dispatchable::dispatch(RuntimeCall::Balances(again), from.into()).unwrap();
        assert_ok!(by(OTHER, Call::refund_late { program, command: 0 }));
        assert_eq!(balance(POOR), DEPOSIT + 5);
    });
}

#[test]
fn what_nobody_can_be_paid_is_the_programs() {
    run(|| {
        let program = deploy(OWNER, 1);
        set_price(CommandPrice { base: Planck(5), ..Default::default() }).unwrap();
        top_up(program, 6);
        assert_ok!(order(program, 0, CALLER, None));
        let all = pallet_balances::Call::<Test>::transfer_all { dest: account(OTHER), keep_alive: false };
        let from = frame_support::dispatch::RawOrigin::Signed(account(POT));
        sp_runtime::traits::Dispatchable::dispatch(RuntimeCall::Balances(all), from.into()).unwrap();
        Credit::spent(&program, 0..1, &IDLER);
        assert_eq!(has(program), (6, 0));
    });
}
