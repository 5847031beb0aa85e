//! Seats: machines take those of members that are lost, and hand the key on.

use crate::{Candidates, Error, RootWanted, mock::*};
use frame_support::{assert_noop, assert_ok};
use phala_messages::{
    Account,
    custody::{Phase, Purpose, RootGeneration},
};

const ROOT: RootGeneration = RootGeneration(0);

/// Members 1 to 3 of 4 are gone, 5 to 7 wait, and no round runs.
fn lost() {
    found();
    (1..=3).for_each(|n| World::admit(n, false));
    join(5..=7);
    blocks(20);
    assert!(Custody::running().is_none(), "nobody is there to hand the key on");
}

#[test]
fn a_seat_is_for_an_eligible_machine_that_has_none() {
    run(|| {
        lost();
        assert!(Custody::may_take_seat(ROOT, &gatekeeper(5)));
        assert!(!Custody::may_take_seat(ROOT, &gatekeeper(4)), "a member");
        assert!(!Custody::may_take_seat(ROOT, &gatekeeper(8)), "nobody bonded for it");
        assert!(!Custody::may_take_seat(RootGeneration(1), &gatekeeper(5)), "no such root");
        World::admit(5, false);
        assert!(!Custody::may_take_seat(ROOT, &gatekeeper(5)), "not admitted");
        govern(crate::Call::expel { account: account(6) }).unwrap();
        assert!(!Custody::may_take_seat(ROOT, &gatekeeper(6)), "expelled");
    });
}

#[test]
fn who_took_seats_hands_the_key_on_and_who_lost_them_is_expelled() {
    run(|| {
        lost();
        let before = Custody::epoch_of(ROOT).unwrap();
        assert_ok!(Custody::reseat(ROOT, &[(0, gatekeeper(5)), (1, gatekeeper(6))]));
        Custody::do_try_state().unwrap();
        let epoch = Custody::epoch_of(ROOT).unwrap();
        assert_eq!(numbers(&epoch.members), [1, 2, 3, 4], "seats keep their participant keys");
        assert_eq!((epoch.output_hash, epoch.epoch), (before.output_hash, before.epoch));
        let old = Candidates::<Test>::get(Account([1; 32])).unwrap();
        assert!(!old.approved && old.leaving.is_some() && old.left.is_some());
        assert!(Custody::is_member(&gatekeeper(5)) && !Custody::is_member(&gatekeeper(1)));
        // 5, 6 and 4 are a threshold: the key is handed on, to their own participant keys.
        blocks(5);
        let round = round();
        assert_eq!((round.purpose, round.phase), (Purpose::Reshare, Phase::Dealing));
        assert_eq!(numbers(&round.dealers), [1, 2, 4]);
        let dealers: Vec<_> = round.dealers.iter().map(|dealer| dealer.gatekeeper).collect();
        assert_eq!(dealers, [gatekeeper(5), gatekeeper(6), gatekeeper(4)]);
        assert_eq!(numbers(&round.players), [4, 5, 6, 7]);
        // The machine that returns finds its seat taken.
        World::admit(1, true);
        blocks(3);
        assert!(!Custody::is_member(&gatekeeper(1)));
    });
}

#[test]
fn there_is_no_seat_beyond_the_members() {
    run(|| {
        lost();
        let before = Custody::epoch_of(ROOT);
        assert_noop!(Custody::reseat(ROOT, &[(4, gatekeeper(5))]), Error::<Test>::NotCandidate);
        assert_noop!(Custody::reseat(RootGeneration(1), &[(0, gatekeeper(5))]), Error::<Test>::RootUnknown);
        assert_eq!(Custody::epoch_of(ROOT), before);
    });
}

#[test]
fn a_recovered_root_is_rotated_once() {
    run(|| {
        lost();
        assert_ok!(Custody::rotate_from(ROOT));
        assert_eq!(RootWanted::<Test>::get(), RootGeneration(1));
        assert_ok!(Custody::rotate_from(ROOT));
        assert_eq!(RootWanted::<Test>::get(), RootGeneration(1), "it is wanted already");
    });
}
