//! Every path on which a command comes or goes, and what its payments are told. That something lies aside for exactly the commands
//! that stand, [`run`] checks after each test of this pallet.

use crate::{Call, Commands, Payments as _, WeightInfo as _, mock::*, weights::SubstrateWeight};
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo, traits::Hooks, weights::Weight};
use phala_messages::{Account, ProgramId};
use phala_units::Planck;
use sp_runtime::DispatchError;

type Weights = SubstrateWeight<Test>;

fn within(program: ProgramId, price_max: u128) -> Call<Test> {
    Call::command_within { program, sealed: sealed(SEALED_BYTES), price_max: Planck(price_max) }
}

#[test]
fn a_command_is_reserved_for_when_it_is_ordered() {
    run(|| {
        let program = live_program();
        Price::set(5);
        assert_ok!(call(caller(), command(program)));
        assert_eq!(Purse::reserved(&program, 0), Some(5 * SEALED_BYTES as u128));
        assert_eq!(Purse::told(), vec![]);
    });
}

#[test]
fn a_command_that_nobody_pays_for_is_not_ordered() {
    run(|| {
        let program = live_program();
        Broke::set(true);
        let before = activity();
        assert_noop!(call(caller(), command(program)), DispatchError::Other("nobody pays"));
        assert_eq!((Purse::reserved(&program, 0), activity()), (None, before));
    });
}

#[test]
fn a_caller_pays_no_more_than_it_agreed_to() {
    run(|| {
        let program = live_program();
        Price::set(5);
        let price = 5 * SEALED_BYTES as u128;
        assert_noop!(call(caller(), within(program, price - 1)), DispatchError::Other("too dear"));
        assert_ok!(call(caller(), within(program, price)));
        assert_eq!(Commands::<Test>::get(program, 0).unwrap().sealed, sealed(SEALED_BYTES));
        assert_eq!(Purse::reserved(&program, 0), Some(price));
    });
}

#[test]
fn answered_commands_are_spent_for_who_answered() {
    run(|| {
        let program = live_program();
        for _ in 0..3 {
            assert_ok!(call(caller(), command(program)));
        }
        apply(anchor(program, 0, 2, WORKER, &instance())).unwrap().unwrap();
        assert_eq!(Purse::told(), vec![Paid::Spent(program, 0..2, WORKER)]);
        assert_eq!(Purse::reserved(&program, 1), None);
        assert!(Purse::reserved(&program, 2).is_some());
    });
}

#[test]
fn an_anchor_that_is_refused_spends_nothing() {
    run(|| {
        let program = live_program();
        assert_ok!(call(caller(), command(program)));
        apply(anchor(program, 0, 1, WORKER, &other_instance())).unwrap_err();
        apply(anchor(program, 0, 2, WORKER, &instance())).unwrap_err();
        assert_eq!(Purse::told(), vec![]);
    });
}

#[test]
fn commands_of_a_removed_program_are_refunded_as_blocks_have_room() {
    run(|| {
        let program = live_program();
        for _ in 0..4 {
            assert_ok!(call(caller(), command(program)));
        }
        apply(anchor(program, 0, 1, WORKER, &instance())).unwrap().unwrap();
        assert_ok!(call(owner(), Call::remove { program }));
        let owner = Account(*AsRef::<[u8; 32]>::as_ref(&owner()));
        let mut told = vec![Paid::Spent(program, 0..1, WORKER), Paid::Removed(program, owner)];
        assert_eq!(Purse::told(), told);
        let each = Weights::release_abandoned() + Purse::weight_of_refunded();
        Programs::on_idle(1, Weights::find_abandoned() + each * 2);
        told.extend([1, 2].map(|index| Paid::Refunded(program, index)));
        assert_eq!(Purse::told(), told);
        idle();
        told.push(Paid::Refunded(program, 3));
        assert_eq!(Purse::told(), told);
    });
}

#[test]
fn calls_carry_the_weight_of_their_payments() {
    let weight = |call: Call<Test>| call.get_dispatch_info().call_weight;
    let program = ProgramId([1; 32]);
    let one = Weights::command(SEALED_BYTES as u32) + Weight::from_parts(1, 0);
    assert_eq!(weight(command(program)), one);
    assert_eq!(weight(within(program, 0)), one);
    assert_eq!(weight(Call::remove { program }), Weights::remove() + Weight::from_parts(3, 0));
    new_test_ext().execute_with(|| {
        let two = Weights::anchor(2) + Weight::from_parts(2, 0);
        assert_eq!(weight(anchor(program, 0, 2, WORKER, &instance())), two);
    });
}
