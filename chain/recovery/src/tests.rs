//! Every transition in order, and every one out of order refused.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use phala_messages::{
    InstanceKey,
    custody::{EpochNumber, RootGeneration},
    limits::CUSTODIANS_MAX,
    recovery::{CeremonyNumber, Ending, Ground, OutcomeRecord, SeatBackup, SetNumber},
};
use phala_units::BlockNumber;
use sp_runtime::DispatchError;

fn error(error: Error<Test>) -> DispatchError {
    error.into()
}

fn outcome() -> OutcomeRecord {
    Outcomes::<Test>::get(ROOT).unwrap()
}

#[test]
fn only_governance_appoints_sets_announces_cancels_and_binds() {
    run(|| {
        let parameters = RecoveryParameters::DEFAULT;
        let all =
            [appoint(2, 3), Call::set_parameters { parameters }, announce(), Call::cancel { root: ROOT }, bind(0, 9)];
        for call in all {
            let account = sp_runtime::AccountId32::new([1; 32]);
            assert_noop!(dispatch(RuntimeOrigin::signed(account), call.clone()), DispatchError::BadOrigin);
            assert_noop!(dispatch(RuntimeOrigin::none(), call), DispatchError::BadOrigin);
        }
    });
}

#[test]
fn custodians_are_a_majority_of_at_least_two_and_no_more_than_there_may_be() {
    run(|| {
        for (threshold, count) in [(2, 2), (2, 3), (9, CUSTODIANS_MAX), (CUSTODIANS_MAX, CUSTODIANS_MAX)] {
            assert_ok!(govern(appoint(threshold, count)));
            assert_eq!(Custodians::<Test>::get().unwrap().custodians.len() as u32, count);
        }
        for (threshold, count) in [(0, 0), (1, 1), (1, 2), (1, 3), (4, 3), (8, CUSTODIANS_MAX)] {
            assert_eq!(govern(appoint(threshold, count)), Err(error(Error::CustodiansUnfit)), "{threshold} of {count}");
        }
        let mut twice = custodians(3);
        twice[2] = twice[0];
        let call = Call::appoint { threshold: 2, custodians: twice.try_into().unwrap() };
        assert_noop!(govern(call), error(Error::CustodiansUnfit));
        // One past the limit does not decode.
        let many = codec::Encode::encode(&(2u32, custodians(CUSTODIANS_MAX + 1)));
        type Arguments = (u32, BoundedVec<phala_messages::recovery::Custodian, ConstU32<CUSTODIANS_MAX>>);
        assert!(<Arguments as codec::Decode>::decode(&mut many.as_slice()).is_err());
        // Old sets go, the newest stay.
        for _ in 0..SETS_KEPT {
            assert_ok!(govern(appoint(2, 3)));
        }
        assert_eq!(CustodianSets::<Test>::iter().count() as u32, SETS_KEPT);
        assert_eq!(Custodians::<Test>::get().unwrap().number, SetNumber(4 + SETS_KEPT));
    });
}

#[test]
fn delays_are_at_least_one_block() {
    run(|| {
        let parameters = RecoveryParameters { delay_blocks: 0, ..TIMES };
        assert_noop!(govern(Call::set_parameters { parameters }), error(Error::ParametersUnfit));
        let parameters = RecoveryParameters { delay_blocks: 1, ..TIMES };
        assert_ok!(govern(Call::set_parameters { parameters }));
        assert_eq!(RecoveryTimes::<Test>::get(), parameters);
    });
}

#[test]
fn a_seat_is_backed_up_once_in_an_epoch_for_a_set() {
    run(|| {
        assert_refused(store(backup(1, 3, 1), 1), Refusal::CustodiansOther);
        assert_ok!(govern(appoint(2, 3)));
        assert_refused(store(backup(1, 3, 2), 1), Refusal::CustodiansOther);
        assert_refused(store(backup(1, 2, 1), 1), Refusal::NotSeat);
        assert_refused(store(backup(5, 3, 1), 5), Refusal::NotSeat);
        assert_refused(store(SeatBackup { gatekeeper: gatekeeper(2), ..backup(1, 3, 1) }, 2), Refusal::NotSeat);
        let other = SeatBackup { root: RootGeneration(1), ..backup(1, 3, 1) };
        assert_refused(store(other, 1), Refusal::RootUnknown);
        assert_refused(store(backup(1, 3, 1), 2), Refusal::GatekeeperSignature);
        for points in [1, 191, 193, 288] {
            let polynomial = vec![1; points].try_into().unwrap();
            assert_refused(store(SeatBackup { polynomial, ..backup(1, 3, 1) }, 1), Refusal::BackupMalformed);
        }
        for pieces in [0, 2, 4] {
            let pieces = vec![[1; 80]; pieces].try_into().unwrap();
            assert_refused(store(SeatBackup { pieces, ..backup(1, 3, 1) }, 1), Refusal::BackupMalformed);
        }
        World::admit(1, false);
        assert_refused(store(backup(1, 3, 1), 1), Refusal::GatekeeperNotAdmitted);
        World::admit(1, true);
        accepted(store(backup(1, 3, 1), 1));
        assert_refused(store(backup(1, 3, 1), 1), Refusal::BackupStored);
        // For other custodians, and in another epoch, it is made again.
        assert_ok!(govern(appoint(2, 3)));
        accepted(store(backup(1, 3, 2), 1));
        World::epoch_is(ROOT, 4, 4);
        accepted(store(backup(1, 4, 2), 1));
        assert_eq!(Backups::<Test>::get(ROOT, 0).unwrap().epoch, EpochNumber(4));
        assert_eq!(Backups::<Test>::iter().count(), 1);
    });
}

#[test]
fn what_an_epoch_came_to_is_known_by_its_hash() {
    run(|| {
        assert_refused(keep_output(ROOT, 4), Refusal::OutputOther);
        assert_refused(keep_output(RootGeneration(1), 3), Refusal::RootUnknown);
        accepted(keep_output(ROOT, 3));
        assert_refused(keep_output(ROOT, 3), Refusal::OutputStored);
        World::epoch_is(ROOT, 4, 4);
        accepted(keep_output(ROOT, 4));
        assert_eq!(OutputEpochs::<Test>::get(ROOT), Some(EpochNumber(4)));
        assert_eq!(EpochOutputs::<Test>::get(ROOT), Some(output(ROOT, 4)));
    });
}

#[test]
fn what_belongs_to_seats_and_roots_that_are_gone_is_forgotten() {
    run(|| {
        backed();
        World::epoch_is(ROOT, 4, 2);
        accepted(keep_output(ROOT, 4));
        assert_eq!(Backups::<Test>::iter().count(), 2);
        World::epoch_is(RootGeneration(1), 5, 4);
        World::close(ROOT);
        accepted(keep_output(RootGeneration(1), 5));
        assert_eq!(Backups::<Test>::iter().count(), 0);
        assert_eq!(EpochOutputs::<Test>::iter().count(), 1);
        assert_eq!(BackedRoots::<Test>::get().into_inner(), [RootGeneration(1)]);
    });
}

#[test]
fn a_ceremony_is_announced_for_a_lost_root_only() {
    run(|| {
        assert_noop!(govern(Call::announce { root: RootGeneration(1) }), error(Error::RootUnknown));
        backed();
        assert_noop!(govern(announce()), error(Error::NotLost));
        // One may fail.
        World::admit(1, false);
        assert_noop!(govern(announce()), error(Error::NotLost));
        World::admit(2, false);
        assert_ok!(govern(announce()));
        let ceremony = ceremony();
        assert_eq!((ceremony.ground, ceremony.epoch), (Ground::Absent, EpochNumber(3)));
        assert_eq!((ceremony.announced, ceremony.opens), (BlockNumber(1), BlockNumber(11)));
        assert_noop!(govern(announce()), error(Error::CeremonyRunning));
        assert_noop!(govern(appoint(2, 3)), error(Error::CeremonyRunning));
    });
}

#[test]
fn a_root_that_hands_nothing_on_is_lost_although_its_members_are_admitted() {
    run(|| {
        backed();
        blocks(TIMES.silence_blocks);
        assert_noop!(govern(announce()), error(Error::NotLost));
        blocks(1);
        assert_ok!(govern(announce()));
        assert_eq!(ceremony().ground, Ground::Silent);
    });
}

#[test]
fn there_is_no_ceremony_without_a_backup_of_the_current_epoch() {
    run(|| {
        lose();
        assert_noop!(govern(announce()), error(Error::NotBackedUp));
        assert_ok!(govern(appoint(2, 3)));
        accepted(keep_output(ROOT, 3));
        assert_noop!(govern(announce()), error(Error::NotBackedUp));
        accepted(store(backup(4, 3, 1), 4));
        World::epoch_is(ROOT, 4, 4);
        assert_noop!(govern(announce()), error(Error::NotBackedUp));
        assert_refused(call_by(0, 0, 1, 4), Refusal::NotLost);
    });
}

#[test]
fn as_many_custodians_as_a_key_share_takes_pieces_announce_a_ceremony() {
    run(|| {
        backed();
        assert_refused(call_by(0, 0, 1, 3), Refusal::NotLost);
        lose();
        assert_refused(call_by(0, 0, 2, 3), Refusal::CustodiansOther);
        assert_refused(call_by(0, 0, 1, 2), Refusal::NotLost);
        assert_refused(call_by(0, 1, 1, 3), Refusal::CustodianSignature);
        assert_refused(call_by(3, 3, 1, 3), Refusal::CustodianSignature);
        assert_refused(call_by(77, 0, 1, 3), Refusal::CustodianSignature);
        accepted(call_by(2, 2, 1, 3));
        assert_refused(call_by(2, 2, 1, 3), Refusal::CustodianCalled);
        assert!(!Ceremonies::<Test>::contains_key(ROOT));
        accepted(call_by(0, 0, 1, 3));
        assert_eq!(ceremony().number, CeremonyNumber(0));
        assert_refused(call_by(1, 1, 1, 3), Refusal::CeremonyStands);
        // After one that was stopped there is a pause for custodians, not for governance.
        assert_ok!(govern(Call::cancel { root: ROOT }));
        assert_refused(call_by(1, 1, 1, 3), Refusal::CeremonyEarly);
        blocks(TIMES.delay_blocks);
        accepted(call_by(1, 1, 1, 3));
    });
}

#[test]
fn calls_of_other_epochs_and_sets_do_not_add_up() {
    run(|| {
        backed();
        lose();
        accepted(call_by(0, 0, 1, 3));
        World::epoch_is(ROOT, 4, 4);
        accepted(keep_output(ROOT, 4));
        accepted(store(backup(4, 4, 1), 4));
        accepted(call_by(1, 1, 1, 4));
        assert!(!Ceremonies::<Test>::contains_key(ROOT));
        assert_ok!(govern(appoint(2, 3)));
        accepted(call_by(2, 2, 2, 4));
        assert!(!Ceremonies::<Test>::contains_key(ROOT));
        accepted(call_by(1, 1, 2, 4));
        assert!(Ceremonies::<Test>::contains_key(ROOT));
    });
}

#[test]
fn nothing_is_bound_or_taken_before_the_delay_has_passed() {
    run(|| {
        assert_noop!(govern(bind(0, 9)), error(Error::CeremonyUnknown));
        assert_refused(take(9, 0, 0), Refusal::CeremonyUnknown);
        backed();
        lose();
        assert_ok!(govern(announce()));
        for _ in 0..TIMES.delay_blocks {
            assert_noop!(govern(bind(0, 9)), error(Error::TooEarly));
            assert_refused(take(9, 0, 0), Refusal::CeremonyEarly);
            blocks(1);
        }
        assert_refused(take(9, 0, 0), Refusal::NotBound);
        assert_ok!(govern(bind(0, 9)));
        accepted(take(9, 0, 0));
    });
}

#[test]
fn members_that_return_end_a_ceremony() {
    run(|| {
        backed();
        lose();
        assert_refused(object(4, 0), Refusal::CeremonyUnknown);
        assert_ok!(govern(announce()));
        assert_refused(object(4, 1), Refusal::CeremonyUnknown);
        assert_refused(object(9, 0), Refusal::NotSeat);
        assert_refused(object(1, 0), Refusal::GatekeeperNotAdmitted);
        accepted(object(4, 0));
        assert_refused(object(4, 0), Refusal::Objected);
        World::admit(1, true);
        accepted(object(1, 0));
        assert_eq!(ceremony().objected, 0b1001);
        World::admit(2, true);
        accepted(object(2, 0));
        assert!(ActiveCeremonies::<Test>::get().is_empty());
        assert_eq!((outcome().ending, outcome().recovered), (Ending::MembersBack, false));
        assert_eq!(World::rotated(), []);
    });
}

#[test]
fn the_next_epoch_and_the_end_of_the_root_overtake_a_ceremony() {
    run(|| {
        open();
        World::epoch_is(ROOT, 4, 4);
        assert_refused(object(4, 0), Refusal::CeremonyUnknown);
        blocks(1);
        assert_eq!(outcome().ending, Ending::Overtaken);
    });
    run(|| {
        open();
        World::close(ROOT);
        blocks(1);
        assert_eq!(outcome().ending, Ending::Overtaken);
    });
}

#[test]
fn a_ceremony_that_takes_too_long_lapses_and_another_has_another_number() {
    run(|| {
        open();
        assert_ok!(govern(bind(0, 9)));
        blocks(TIMES.lapse_blocks - 1);
        assert!(ceremony().is_open(BlockNumber(System::block_number())));
        blocks(1);
        assert_eq!(outcome().ending, Ending::Lapsed);
        assert_ok!(govern(announce()));
        blocks(TIMES.delay_blocks);
        assert_eq!(ceremony().number, CeremonyNumber(1));
        assert!(ceremony().seats.is_empty());
        assert_ok!(govern(bind(0, 9)));
        assert_refused(take(9, 0, 0), Refusal::CeremonyUnknown);
        accepted(take(9, 0, 1));
    });
}

#[test]
fn governance_cancels() {
    run(|| {
        assert_noop!(govern(Call::cancel { root: ROOT }), error(Error::CeremonyUnknown));
        open();
        assert_ok!(govern(Call::cancel { root: ROOT }));
        assert_eq!(outcome().ending, Ending::Cancelled);
        assert_noop!(govern(bind(0, 9)), error(Error::CeremonyUnknown));
    });
}

#[test]
fn a_machine_takes_one_seat_and_a_seat_has_one_machine() {
    run(|| {
        open();
        assert_noop!(govern(bind(4, 9)), error(Error::SeatUnknown));
        // A member, one that custody would not have, one that is not admitted.
        assert_noop!(govern(bind(0, 4)), error(Error::MachineUnfit));
        World::fit(9, false);
        assert_noop!(govern(bind(0, 9)), error(Error::MachineUnfit));
        World::fit(9, true);
        World::admit(9, false);
        assert_noop!(govern(bind(0, 9)), error(Error::MachineUnfit));
        World::admit(9, true);
        assert_ok!(govern(bind(0, 9)));
        assert_noop!(govern(bind(1, 9)), error(Error::MachineBound));
        // Until it is taken, a seat may be given to another machine.
        assert_ok!(govern(bind(0, 10)));
        assert_refused(take(9, 0, 0), Refusal::NotBound);
        assert_refused(take(10, 1, 0), Refusal::NotBound);
        World::fit(10, false);
        assert_refused(take(10, 0, 0), Refusal::NotBound);
        World::fit(10, true);
        accepted(take(10, 0, 0));
        assert_refused(take(10, 0, 0), Refusal::SeatTaken);
        assert_noop!(govern(bind(0, 9)), error(Error::SeatTaken));
        accepted(object(4, 0));
        assert_noop!(govern(bind(3, 11)), error(Error::SeatAlive));
    });
}

#[test]
fn a_seat_is_taken_by_the_machine_that_signs() {
    run(|| {
        open();
        assert_ok!(govern(bind(0, 9)));
        let taken = phala_messages::recovery::SeatTaken {
            root: ROOT,
            ceremony: CeremonyNumber(0),
            place: 0,
            gatekeeper: gatekeeper(9),
        };
        assert_refused(Call::take_seat { taken: signed(taken, 10) }, Refusal::GatekeeperSignature);
        assert_eq!(World::instance(&gatekeeper(9)), Some(InstanceKey(sp_core::Pair::public(&instance(9)).0)));
    });
}

#[test]
fn enough_seats_change_hands_together_and_a_rotation_is_asked_for() {
    run(|| {
        open();
        for (place, n) in [(0, 9), (1, 10), (2, 11)] {
            assert_ok!(govern(bind(place, n)));
        }
        accepted(take(9, 0, 0));
        accepted(take(10, 1, 0));
        assert_eq!(World::members(ROOT), (1..=4).map(gatekeeper).collect::<Vec<_>>());
        accepted(take(11, 2, 0));
        assert_eq!(World::members(ROOT), [9, 10, 11, 4].map(gatekeeper));
        assert_eq!((outcome().ending, outcome().recovered), (Ending::Completed, true));
        assert_eq!(World::rotated(), [ROOT]);
        assert!(events().contains(&Event::RotationDue { root: ROOT, asked: true }));
        // The mark stays, whatever becomes of the next ceremony.
        World::admit(9, false);
        World::admit(10, false);
        assert_ok!(govern(announce()));
        assert_ok!(govern(Call::cancel { root: ROOT }));
        assert!(outcome().recovered);
    });
}

#[test]
fn members_that_are_there_count_beside_seats_that_are_taken() {
    run(|| {
        open();
        assert_ok!(govern(bind(0, 9)));
        assert_ok!(govern(bind(1, 10)));
        accepted(take(9, 0, 0));
        accepted(object(4, 0));
        World::may_rotate(false);
        accepted(take(10, 1, 0));
        assert_eq!(World::members(ROOT), [9, 10, 3, 4].map(gatekeeper));
        assert!(events().contains(&Event::RotationDue { root: ROOT, asked: false }));
    });
}

#[test]
fn who_returns_keeps_its_seat_and_who_became_unfit_gets_none() {
    run(|| {
        open();
        for (place, n) in [(0, 9), (1, 10), (2, 11)] {
            assert_ok!(govern(bind(place, n)));
            if n < 11 {
                accepted(take(n, place, 0));
            }
        }
        World::fit(9, false);
        World::admit(2, true);
        // Seat 1 has its own member again, seat 0's machine does not count: 2, 4 and 11.
        accepted(object(2, 0));
        accepted(object(4, 0));
        assert!(Ceremonies::<Test>::contains_key(ROOT));
        accepted(take(11, 2, 0));
        assert_eq!(World::members(ROOT), [1, 2, 11, 4].map(gatekeeper));
    });
}
