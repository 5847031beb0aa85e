//! Who leads, who may say so, and what it takes to lead instead.

use crate::{
    Call, Clusters, Event, Leads, Refusal,
    mock::{self, *},
};
use frame_support::assert_ok;
use phala_messages::{
    ClusterId, LeadRecord, ProgramId, WorkerId,
    lead::{LeadMessage, LeadStep},
};
use phala_units::BlockNumber;
use sp_core::{Pair as _, ed25519};

const THIRD: WorkerId = WorkerId([0x79; 32]);

fn third() -> ed25519::Pair {
    ed25519::Pair::from_seed(&[3; 32])
}

fn assert_refused(call: Call<Test>, refusal: Refusal) {
    assert_eq!(validate(call.clone()).unwrap_err(), refused(refusal));
    assert_eq!(apply(call).unwrap_err(), refused(refusal));
}

/// A cluster of three, a live program with guarded keys and waiting commands.
fn three(test: impl FnOnce(ProgramId)) {
    run(|| {
        WorkersPerCluster::set(3);
        Guarded::set(true);
        Registered::set(THIRD, &third(), true);
        let program = live_program();
        for worker in [OTHER_WORKER, THIRD] {
            assert_ok!(mock::call(owner(), Call::assign_worker { cluster: CLUSTER, worker }));
        }
        for _ in 0..3 {
            assert_ok!(mock::call(caller(), command(program)));
        }
        test(program);
        Guarded::set(false);
    });
}

fn members() -> Vec<WorkerId> {
    Clusters::<Test>::get(CLUSTER).unwrap().workers.into_inner()
}

fn pass(blocks: u32) {
    System::set_block_number(System::block_number() + blocks);
}

fn doubt(worker: WorkerId, by: &ed25519::Pair) -> Call<Test> {
    lead_message(LeadStep::Doubt, worker, by)
}

fn show(worker: WorkerId, by: &ed25519::Pair) -> Call<Test> {
    lead_message(LeadStep::Show, worker, by)
}

fn take(worker: WorkerId, by: &ed25519::Pair) -> Call<Test> {
    lead_message(LeadStep::Take, worker, by)
}

#[test]
fn the_first_of_a_clusters_workers_leads_and_alone_makes_ready_and_anchors() {
    three(|program| {
        assert_refused(anchor(program, 0, 1, OTHER_WORKER, &other_instance()), Refusal::NotLead);
        let second = deploy();
        assert_refused(ready(second, OTHER_WORKER, &other_instance()), Refusal::NotLead);
        assert_ok!(apply(ready(second, WORKER, &instance())).unwrap());
        assert_ok!(apply(anchor(program, 0, 1, WORKER, &instance())).unwrap());
    });
}

#[test]
fn when_the_lead_is_unassigned_the_next_one_leads() {
    three(|program| {
        assert_ok!(mock::call(owner(), Call::unassign_worker { worker: THIRD }));
        assert_eq!(Leads::<Test>::get(CLUSTER).term, 1, "who stands by may go");
        let in_flight = anchor(program, 0, 1, WORKER, &instance());
        pass(3);
        assert_ok!(mock::call(owner(), Call::unassign_worker { worker: WORKER }));
        System::assert_last_event(
            Event::LeadChanged { cluster: CLUSTER, lead: Some(OTHER_WORKER), before: Some(WORKER) }.into(),
        );
        assert_eq!(Leads::<Test>::get(CLUSTER), LeadRecord { term: 2, shown: BlockNumber(4), doubted: None });
        assert_refused(in_flight, Refusal::NotAssigned);
        assert_ok!(apply(anchor(program, 0, 1, OTHER_WORKER, &other_instance())).unwrap());
        // Who comes back stands by.
        assert_ok!(mock::call(owner(), Call::assign_worker { cluster: CLUSTER, worker: WORKER }));
        assert_eq!(members(), [OTHER_WORKER, WORKER]);
        assert_refused(anchor(program, 1, 2, WORKER, &instance()), Refusal::NotLead);
    });
}

#[test]
fn a_lead_that_is_doubted_and_shows_itself_keeps_the_lead() {
    three(|program| {
        pass(PATIENCE);
        assert_ok!(apply(doubt(OTHER_WORKER, &other_instance())).unwrap());
        System::assert_last_event(Event::LeadDoubted { cluster: CLUSTER, lead: WORKER, by: OTHER_WORKER }.into());
        pass(PATIENCE - 1);
        assert_refused(take(OTHER_WORKER, &other_instance()), Refusal::LeadAlive);
        assert_ok!(apply(show(WORKER, &instance())).unwrap());
        System::assert_last_event(Event::LeadShown { cluster: CLUSTER, lead: WORKER }.into());
        pass(PATIENCE);
        assert_refused(take(OTHER_WORKER, &other_instance()), Refusal::LeadAlive);
        assert_ok!(apply(anchor(program, 0, 1, WORKER, &instance())).unwrap());
        assert_eq!(members(), [WORKER, OTHER_WORKER, THIRD]);
    });
}

#[test]
fn a_lead_that_is_doubted_and_silent_loses_the_lead_to_whoever_takes_it_first() {
    three(|program| {
        pass(PATIENCE);
        let in_flight = anchor(program, 0, 2, WORKER, &instance());
        assert_ok!(apply(doubt(OTHER_WORKER, &other_instance())).unwrap());
        pass(PATIENCE);
        let late = take(OTHER_WORKER, &other_instance());
        assert_ok!(apply(take(THIRD, &third())).unwrap());
        System::assert_last_event(
            Event::LeadChanged { cluster: CLUSTER, lead: Some(THIRD), before: Some(WORKER) }.into(),
        );
        assert_eq!(members(), [THIRD, OTHER_WORKER, WORKER]);
        assert_refused(late, Refusal::LeadStale);
        assert_refused(take(OTHER_WORKER, &other_instance()), Refusal::LeadAlive);
        assert_refused(in_flight, Refusal::NotLead);
        assert_ok!(apply(anchor(program, 0, 1, THIRD, &third())).unwrap());
    });
}

/// A lead may anchor up to the block in which another takes the lead: versions go on from where it stopped.
#[test]
fn anchors_of_two_leads_neither_overlap_nor_leave_a_gap() {
    three(|program| {
        pass(PATIENCE);
        assert_ok!(apply(doubt(OTHER_WORKER, &other_instance())).unwrap());
        pass(PATIENCE);
        assert_ok!(apply(anchor(program, 0, 2, WORKER, &instance())).unwrap());
        assert_ok!(apply(take(OTHER_WORKER, &other_instance())).unwrap());
        assert_refused(anchor(program, 0, 1, OTHER_WORKER, &other_instance()), Refusal::AnchorStale);
        assert_ok!(apply(anchor(program, 2, 3, OTHER_WORKER, &other_instance())).unwrap());
    });
}

#[test]
fn a_lead_whose_admission_has_expired_is_replaced_at_once() {
    three(|_| {
        assert_refused(take(OTHER_WORKER, &other_instance()), Refusal::LeadAlive);
        Registered::set(WORKER, &instance(), false);
        assert_refused(show(WORKER, &instance()), Refusal::NotAdmitted);
        assert_ok!(apply(take(OTHER_WORKER, &other_instance())).unwrap());
        // It comes back, admitted again: it stands by.
        Registered::set(WORKER, &instance(), true);
        assert_eq!(members(), [OTHER_WORKER, THIRD, WORKER]);
        assert_refused(take(WORKER, &instance()), Refusal::LeadAlive);
    });
}

#[test]
fn a_lead_need_not_show_itself_more_often_than_its_patience() {
    three(|_| {
        assert_refused(doubt(OTHER_WORKER, &other_instance()), Refusal::LeadShown);
        pass(PATIENCE - 1);
        assert_refused(doubt(OTHER_WORKER, &other_instance()), Refusal::LeadShown);
        pass(1);
        assert_ok!(apply(doubt(OTHER_WORKER, &other_instance())).unwrap());
        assert_refused(doubt(THIRD, &third()), Refusal::LeadDoubted);
        assert_ok!(apply(show(WORKER, &instance())).unwrap());
        assert_refused(show(WORKER, &instance()), Refusal::LeadNotDoubted);
        pass(PATIENCE - 1);
        assert_refused(doubt(THIRD, &third()), Refusal::LeadShown);
        pass(1);
        assert_ok!(apply(doubt(THIRD, &third())).unwrap());
    });
}

#[test]
fn only_admitted_members_speak_and_only_in_their_part() {
    three(|_| {
        pass(PATIENCE);
        assert_refused(doubt(WORKER, &instance()), Refusal::LeadsAlready);
        assert_refused(take(WORKER, &instance()), Refusal::LeadsAlready);
        assert_refused(show(OTHER_WORKER, &other_instance()), Refusal::NotLead);
        assert_refused(doubt(WorkerId([9; 32]), &instance()), Refusal::NotAssigned);
        assert_refused(doubt(OTHER_WORKER, &instance()), Refusal::InstanceSignature);
        assert_ok!(mock::call(owner(), Call::unassign_worker { worker: THIRD }));
        assert_refused(doubt(THIRD, &third()), Refusal::NotAssigned);
        Registered::set(OTHER_WORKER, &other_instance(), false);
        assert_refused(doubt(OTHER_WORKER, &other_instance()), Refusal::NotAdmitted);
        assert_refused(take(OTHER_WORKER, &other_instance()), Refusal::NotAdmitted);
    });
}

#[test]
fn what_was_said_once_counts_once() {
    three(|_| {
        pass(PATIENCE);
        let doubted = doubt(OTHER_WORKER, &other_instance());
        assert_ok!(apply(doubted.clone()).unwrap());
        let shown = show(WORKER, &instance());
        assert_ok!(apply(shown.clone()).unwrap());
        pass(PATIENCE);
        assert_refused(doubted, Refusal::LeadStale);
        assert_ok!(apply(doubt(OTHER_WORKER, &other_instance())).unwrap());
        assert_refused(shown, Refusal::LeadStale);
        pass(PATIENCE);
        let taken = take(OTHER_WORKER, &other_instance());
        assert_ok!(apply(taken.clone()).unwrap());
        Registered::set(OTHER_WORKER, &other_instance(), false);
        assert_ok!(apply(take(THIRD, &third())).unwrap());
        Registered::set(OTHER_WORKER, &other_instance(), true);
        Registered::set(THIRD, &third(), false);
        assert_refused(taken, Refusal::LeadStale);
    });
}

#[test]
fn every_field_of_a_message_about_the_lead_is_under_the_signature() {
    three(|_| {
        pass(PATIENCE);
        Registered::set(WORKER, &instance(), false);
        let Call::lead { lead: signed } = take(OTHER_WORKER, &other_instance()) else { unreachable!() };
        let alterations: [fn(&mut LeadMessage); 2] =
            [|message| message.step = LeadStep::Doubt, |message| message.worker = THIRD];
        for alter in alterations {
            let mut altered = signed.clone();
            alter(&mut altered.message);
            assert_refused(Call::lead { lead: altered }, Refusal::InstanceSignature);
        }
        let alterations: [fn(&mut LeadMessage); 3] = [
            |message| message.term += 1,
            |message| message.newest = BlockNumber(7),
            |message| message.cluster = ClusterId(1),
        ];
        for alter in alterations {
            let mut altered = signed.clone();
            alter(&mut altered.message);
            assert!(apply(Call::lead { lead: altered }).is_err());
        }
        frame_system::BlockHash::<Test>::insert(0, sp_core::H256([1; 32]));
        assert_refused(Call::lead { lead: signed }, Refusal::InstanceSignature);
    });
}

#[test]
fn a_cluster_of_one_has_nobody_who_could_take_its_lead() {
    run(|| {
        let program = live_program();
        assert_ok!(mock::call(caller(), command(program)));
        pass(1_000);
        assert_refused(doubt(OTHER_WORKER, &other_instance()), Refusal::NotAssigned);
        assert_ok!(apply(anchor(program, 0, 1, WORKER, &instance())).unwrap());
    });
}

#[test]
fn of_messages_that_say_the_same_a_pool_keeps_one() {
    three(|_| {
        pass(PATIENCE);
        let one = validate(doubt(OTHER_WORKER, &other_instance())).unwrap();
        let two = validate(doubt(THIRD, &third())).unwrap();
        assert_eq!(one.provides, two.provides);
        assert!(one.priority > validate(ready(deploy(), WORKER, &instance())).unwrap().priority);
    });
}
