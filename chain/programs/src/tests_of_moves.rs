//! Moves: each transition, and each one out of order.

use crate::{Anchors, Call, Error, Event, KeyRecords, Programs as ProgramMap, Refusal, mock::*};
use frame_support::{assert_noop, assert_ok};
use phala_messages::{
    CodeEpoch, CodeHash, Keep, KeyName, KeyRecord, ProgramId, StateRoot, TransportKey,
    anchor::EMPTY_ROOT,
    custody::RootGeneration,
    limits::CODE_BYTES_MAX,
    moves::{Moved, SignedMoved},
};
use phala_units::BlockNumber;
use sp_runtime::DispatchError;

const NEW_CODE: CodeHash = CodeHash([0xcd; 32]);
const SEALED_ANEW: StateRoot = StateRoot([0x99; 32]);

fn name(root: Option<u32>, code: u32) -> KeyName {
    KeyName { root: root.map(RootGeneration), code: CodeEpoch(code) }
}

fn upgrade(program: ProgramId, keep: Keep) -> Call<Test> {
    Call::upgrade { program, code: NEW_CODE, code_bytes: 2_000, manifest: None, keep }
}

fn go(program: ProgramId, to: KeyName, version: u64, root: StateRoot) -> Call<Test> {
    moved(program, to, version, root, &instance())
}

fn assert_refused(call: Call<Test>, refusal: Refusal) {
    assert_eq!(validate(call.clone()).unwrap_err(), refused(refusal));
    assert_eq!(apply(call).unwrap_err(), refused(refusal));
}

fn move_now(call: Call<Test>) {
    assert_ok!(validate(call.clone()));
    assert_ok!(apply(call).unwrap());
}

fn error(error: Error<Test>) -> DispatchError {
    error.into()
}

fn answer(program: ProgramId, from: u64, to: u64) {
    assert_ok!(apply(anchor(program, from, to, WORKER, &instance())).unwrap());
}

#[test]
fn an_upgrade_is_ordered_by_the_owner_of_a_live_program() {
    run(|| {
        found_cluster();
        let program = deploy();
        assert_noop!(call(owner(), upgrade(program, Keep::State)), error(Error::ProgramNotLive));
        assert_ok!(apply(ready(program, WORKER, &instance())).unwrap());
        assert_noop!(call(owner(), upgrade(ProgramId([9; 32]), Keep::State)), error(Error::ProgramUnknown));
        assert_noop!(call(caller(), upgrade(program, Keep::State)), error(Error::NotProgramOwner));
        for (code_bytes, refusal) in [(0, Error::CodeEmpty), (CODE_BYTES_MAX + 1, Error::CodeTooLarge)] {
            let call_ = Call::upgrade { program, code: NEW_CODE, code_bytes, manifest: None, keep: Keep::State };
            assert_noop!(call(owner(), call_), error(refusal));
        }
        let mut greedy = ProgramMap::<Test>::get(program).unwrap().manifest;
        greedy.limits.memory_bytes_max = 0;
        let call_ = Call::upgrade { program, code: NEW_CODE, code_bytes: 1, manifest: Some(greedy), keep: Keep::State };
        assert_noop!(call(owner(), call_), error(Error::LimitMemory));

        let before = activity();
        assert_ok!(call(owner(), command(program)));
        assert_ok!(call(
            owner(),
            Call::upgrade { program, code: NEW_CODE, code_bytes: CODE_BYTES_MAX, manifest: None, keep: Keep::State }
        ));
        let record = KeyRecords::<Test>::get(program);
        let ordered = record.upgrade.unwrap();
        assert_eq!((record.epoch, record.newest, ordered.epoch), (CodeEpoch(0), CodeEpoch(1), CodeEpoch(1)));
        assert_eq!((ordered.code, ordered.keep, ordered.commands), (NEW_CODE, Keep::State, 1));
        assert_eq!(activity(), before + 2);
        // What runs is what ran.
        assert_eq!(ProgramMap::<Test>::get(program).unwrap().code, CodeHash([0xcc; 32]));
    });
}

#[test]
fn no_epoch_is_given_twice_and_none_past_the_last() {
    run(|| {
        let program = live_program();
        assert_ok!(call(owner(), upgrade(program, Keep::State)));
        assert_ok!(call(owner(), upgrade(program, Keep::Nothing)));
        assert_eq!(KeyRecords::<Test>::get(program).upgrade.unwrap().epoch, CodeEpoch(2));
        assert_refused(go(program, name(None, 1), 0, EMPTY_ROOT), Refusal::MoveElsewhere);
        move_now(go(program, name(None, 2), 0, EMPTY_ROOT));
        KeyRecords::<Test>::mutate(program, |record| record.newest = CodeEpoch(u32::MAX));
        assert_noop!(call(owner(), upgrade(program, Keep::State)), error(Error::CodesExhausted));
    });
}

#[test]
fn an_upgrade_with_consent_switches_code_key_and_root_at_once_and_keeps_the_version() {
    run(|| {
        let program = live_program();
        for _ in 0..3 {
            assert_ok!(call(caller(), command(program)));
        }
        answer(program, 0, 2);
        assert_ok!(call(owner(), upgrade(program, Keep::StateAndKeys)));
        // The third command was ordered before: the old code answers it.
        assert_refused(go(program, name(None, 1), 2, SEALED_ANEW), Refusal::MoveTooEarly);
        assert_refused(go(program, name(None, 1), 3, SEALED_ANEW), Refusal::MoveVersion);
        answer(program, 2, 3);
        assert_ok!(call(caller(), command(program)));
        let by = Anchors::<Test>::get(program).unwrap().by;
        move_now(go(program, name(None, 1), 3, SEALED_ANEW));

        let record = ProgramMap::<Test>::get(program).unwrap();
        assert_eq!((record.code, record.code_bytes, record.commands), (NEW_CODE, 2_000, 4));
        assert_ne!(record.transport, Some(TRANSPORT));
        let anchor = Anchors::<Test>::get(program).unwrap();
        assert_eq!((anchor.from, anchor.version, anchor.root, anchor.by), (3, 3, SEALED_ANEW, by));
        let KeyRecord { epoch, upgrade: ordered, moved, .. } = KeyRecords::<Test>::get(program);
        assert_eq!((epoch, ordered), (CodeEpoch(1), None));
        let moved = moved.unwrap();
        assert_eq!((moved.from, moved.to, moved.keep), (name(None, 0), name(None, 1), Keep::StateAndKeys));
        assert_eq!((moved.version, moved.commands, moved.block), (3, 4, BlockNumber(1)));
        let event = System::events().pop().unwrap().event;
        assert!(matches!(event, RuntimeEvent::Programs(Event::ProgramMoved { version: 3, code: NEW_CODE, .. })));
        // It goes on from there, and the same move does not come again.
        assert_refused(go(program, name(None, 1), 3, SEALED_ANEW), Refusal::MoveElsewhere);
        answer(program, 3, 4);
    });
}

#[test]
fn without_consent_new_code_begins_with_the_empty_state() {
    run(|| {
        let program = live_program();
        assert_ok!(call(caller(), command(program)));
        answer(program, 0, 1);
        assert_ok!(call(owner(), upgrade(program, Keep::Nothing)));
        assert_refused(go(program, name(None, 1), 1, SEALED_ANEW), Refusal::MoveKeepsState);
        move_now(go(program, name(None, 1), 1, EMPTY_ROOT));
        assert_eq!(KeyRecords::<Test>::get(program).moved.unwrap().keep, Keep::Nothing);
    });
}

#[test]
fn a_program_moves_to_the_open_root_with_or_without_its_upgrade() {
    run(|| {
        Guarded::set(true);
        let program = live_program();
        // Nothing to move for.
        assert_refused(go(program, name(Some(0), 0), 0, SEALED_ANEW), Refusal::MoveElsewhere);
        assert_refused(go(program, name(None, 0), 0, SEALED_ANEW), Refusal::MoveElsewhere);
        OpenRoot::set(RootGeneration(1));
        assert_refused(go(program, name(Some(2), 0), 0, SEALED_ANEW), Refusal::MoveElsewhere);
        assert_refused(go(program, name(Some(1), 1), 0, SEALED_ANEW), Refusal::MoveElsewhere);
        move_now(go(program, name(Some(1), 0), 0, SEALED_ANEW));
        assert_eq!(KeyRecords::<Test>::get(program).moved.unwrap().to, name(Some(1), 0));
        assert_eq!(ProgramMap::<Test>::get(program).unwrap().code, CodeHash([0xcc; 32]));

        // An upgrade under a root that is being left goes to the new root at once; or the rotation goes first.
        assert_ok!(call(owner(), upgrade(program, Keep::StateAndKeys)));
        OpenRoot::set(RootGeneration(2));
        assert_refused(go(program, name(Some(1), 1), 0, SEALED_ANEW), Refusal::MoveElsewhere);
        move_now(go(program, name(Some(2), 0), 0, SEALED_ANEW));
        assert!(KeyRecords::<Test>::get(program).upgrade.is_some());
        move_now(go(program, name(Some(2), 1), 0, SEALED_ANEW));
        assert_eq!(KeyRecords::<Test>::get(program).epoch, CodeEpoch(1));
    });
}

#[test]
fn a_program_that_was_never_ready_leaves_its_root_with_nothing() {
    run(|| {
        Guarded::set(true);
        found_cluster();
        let program = deploy();
        OpenRoot::set(RootGeneration(1));
        assert_refused(go(program, name(Some(1), 0), 0, SEALED_ANEW), Refusal::NotLive);
        move_now(go(program, name(Some(1), 0), 0, EMPTY_ROOT));
        let record = ProgramMap::<Test>::get(program).unwrap();
        assert_eq!((record.status, record.transport), (phala_messages::ProgramStatus::Deploying, None));
        assert_ok!(apply(ready(program, WORKER, &instance())).unwrap());
    });
}

#[test]
fn only_the_worker_that_may_anchor_moves_a_program() {
    run(|| {
        found_cluster();
        let program = deploy();
        let to = name(None, 1);
        assert_refused(go(ProgramId([9; 32]), to, 0, SEALED_ANEW), Refusal::ProgramUnknown);
        assert_refused(go(program, to, 0, SEALED_ANEW), Refusal::NotKeeper);
        assert_ok!(apply(ready(program, WORKER, &instance())).unwrap());
        assert_ok!(call(owner(), upgrade(program, Keep::State)));
        assert_refused(moved(program, to, 0, SEALED_ANEW, &other_instance()), Refusal::InstanceSignature);
        let same = Moved { program, to, transport: TRANSPORT, version: 0, root: SEALED_ANEW, worker: WORKER };
        let signature = sign(&instance(), same.signing_hash(&genesis()));
        assert_refused(Call::moved { moved: SignedMoved { moved: same, signature } }, Refusal::MoveSameTransport);
        Registered::set(WORKER, &instance(), false);
        assert_refused(go(program, to, 0, SEALED_ANEW), Refusal::NotAdmitted);
        Registered::set(WORKER, &instance(), true);
        // Another worker, in the place of the one whose keys they are.
        assert_ok!(call(owner(), Call::unassign_worker { worker: WORKER }));
        assert_refused(go(program, to, 0, SEALED_ANEW), Refusal::NotAssigned);
        assert_ok!(call(owner(), Call::assign_worker { cluster: CLUSTER, worker: OTHER_WORKER }));
        let transport = TransportKey([0x61; 32]);
        let theirs = Moved { program, to, transport, version: 0, root: SEALED_ANEW, worker: OTHER_WORKER };
        let signature = sign(&other_instance(), theirs.signing_hash(&genesis()));
        let theirs = Call::moved { moved: SignedMoved { moved: theirs, signature } };
        assert_refused(theirs.clone(), Refusal::NotKeeper);
        Guarded::set(true);
        let Call::moved { moved: SignedMoved { mut moved, .. } } = theirs else { unreachable!() };
        moved.to = name(Some(0), 1);
        let signature = sign(&other_instance(), moved.signing_hash(&genesis()));
        move_now(Call::moved { moved: SignedMoved { moved, signature } });
    });
}

#[test]
fn a_removed_program_leaves_no_record_of_its_keys() {
    run(|| {
        let program = live_program();
        assert_ok!(call(owner(), upgrade(program, Keep::State)));
        assert_ok!(call(owner(), Call::remove { program }));
        assert!(!KeyRecords::<Test>::contains_key(program));
        assert_refused(go(program, name(None, 1), 0, SEALED_ANEW), Refusal::ProgramUnknown);
    });
}
