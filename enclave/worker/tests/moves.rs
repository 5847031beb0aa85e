//! Programs change keys, on a small chain: as it should go, and with a death at every step.

mod common;

use common::{Caller, Faults, Fetched, Lab, Process, caller_request as request, hash_of, other_probe, probe_hash};
use phala_enclave_worker::Problem;
use phala_messages::{
    CodeEpoch, Keep, KeyName, ProgramId, TransportKey, anchor::EMPTY_ROOT, custody::RootGeneration,
    moves::OLD_TRANSPORT_BLOCKS, query::SETTINGS_PATH,
};
use std::{sync::atomic::Ordering, time::Duration};

const ROOT: Option<RootGeneration> = Some(RootGeneration(0));
const NEXT_ROOT: Option<RootGeneration> = Some(RootGeneration(1));

async fn ask(process: &Process, caller: &Caller, program: &ProgramId, path: &str) -> Fetched {
    caller.query(&process.worker, request(program, "GET", path, b"")).await.expect("the request opens")
}

/// What the program answers, as soon as its worker serves it.
async fn text(lab: &Lab, process: &Process, caller: &Caller, program: &ProgramId, path: &str) -> String {
    lab.until_serving(process, program).await;
    ask(process, caller, program, path).await.text()
}

fn increment(lab: &Lab, caller: &Caller, program: &ProgramId) -> u64 {
    lab.send(caller, program, request(program, "POST", "/kv?inc:n=1", b""))
}

/// Everything of the program lies on one shelf with a label.
fn lies_on_one_labelled_shelf(lab: &Lab, program: &ProgramId) -> bool {
    let names: Vec<_> = lab.disks.state.copy(program).into_keys().collect();
    let first = names.first().map(|name| name[..16].to_vec()).unwrap_or_default();
    names.iter().all(|name| name.len() == 48 && name.starts_with(&first))
}

async fn until_moved(lab: &Lab, process: &Process, program: &ProgramId, to: KeyName) {
    let cell = process.worker.cell(program).expect("it is assigned");
    lab.until("the move", || cell.loaded().is_some_and(|loaded| loaded.name == to)).await;
    lab.until_serving(process, program).await;
    lab.until("the old shelf to be cleared", || lies_on_one_labelled_shelf(lab, program)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_is_left_while_queries_and_commands_go_on_and_no_caller_notices() {
    let lab = Lab::guarded();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let first = increment(&lab, &alice, &program);
    assert_eq!(lab.fetched(&process, &alice, &program, first).await.text(), "Ok(1)");
    let derived = text(&lab, &process, &alice, &program, "/keys?wallet").await;
    let old = lab.network.transport(&program).unwrap();

    lab.network.rotate(1);
    let mut sent = vec![first];
    let cell = process.worker.cell(&program).unwrap();
    let to = KeyName { root: NEXT_ROOT, code: CodeEpoch(0) };
    for round in 0.. {
        assert!(round < 2_000, "the program does not move");
        if round % 3 == 0 {
            sent.push(increment(&lab, &alice, &program));
        }
        lab.blocks(1).await;
        let view = process.worker.view();
        if view.programs[&program].serving.is_ok() {
            let answer = ask(&process, &alice, &program, "/hello").await;
            assert_eq!(answer.text(), "hello, world", "{:?}", answer.problem());
        } else {
            let serving = view.programs[&program].serving.as_ref().err();
            assert_eq!(serving, Some(&Problem::Behind), "a query is refused");
        }
        if cell.loaded().is_some_and(|loaded| loaded.name == to) {
            break;
        }
    }
    until_moved(&lab, &process, &program, to).await;
    for index in sent {
        let done = lab.fetched(&process, &alice, &program, index).await;
        assert_eq!(done.text(), format!("Ok({})", index + 1), "command {index}");
    }
    assert_eq!(lab.network.root_of(&program), NEXT_ROOT);
    assert_eq!(lab.network.moves(), 1);
    assert_ne!(lab.network.transport(&program).unwrap(), old);
    assert_eq!(text(&lab, &process, &alice, &program, "/keys?wallet").await, derived, "a wallet keeps its address");
    let custody = lab.custody.as_ref().unwrap();
    assert!(custody.ask(&program, &KeyName { root: ROOT, code: CodeEpoch(0) }).is_err(), "nobody gets the old key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_sealed_to_the_old_key_are_opened_for_as_long_as_they_may_come_also_after_a_restart() {
    let lab = Lab::guarded();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let old = lab.network.transport(&program).unwrap();
    lab.network.rotate(1);
    until_moved(&lab, &process, &program, KeyName { root: NEXT_ROOT, code: CodeEpoch(0) }).await;
    drop(process);
    let command = || request(&program, "POST", "/kv?inc:n=1", b"");
    let moved = lab.network.key_record(&program).moved.unwrap().block.0;
    assert!(lab.network.height() < moved + OLD_TRANSPORT_BLOCKS, "the test is slow: the old key is over");
    let sealed_to_old = lab.send_to(&alice, &program, &old, command());
    lab.network.seal();
    let process = lab.start();
    assert_eq!(lab.fetched(&process, &alice, &program, sealed_to_old).await.text(), "Ok(1)");
    while lab.network.height() < moved + OLD_TRANSPORT_BLOCKS {
        lab.blocks(1).await;
    }
    let too_late = lab.send_to(&alice, &program, &old, command());
    let in_time = increment(&lab, &alice, &program);
    assert_eq!(lab.fetched(&process, &alice, &program, in_time).await.text(), "Ok(2)");
    assert_eq!(process.worker.result(&program, too_late, 0).await, Err(Problem::CommandSealed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_at_any_step_of_a_move_loses_nothing_and_the_move_comes_to_its_end() {
    for pause_ms in [0, 15, 30, 45, 60, 80, 100, 130, 160, 200, 260] {
        for lose_moves in [false, true] {
            let lab = Lab::guarded();
            let alice = Caller::new(1);
            let (process, program) = lab.live(&alice).await;
            let first = increment(&lab, &alice, &program);
            lab.fetched(&process, &alice, &program, first).await;
            let derived = text(&lab, &process, &alice, &program, "/keys?wallet").await;
            lab.network.fault(Faults { lose_moves, ..Faults::default() });
            lab.network.rotate(1);
            let second = increment(&lab, &alice, &program);
            lab.network.seal();
            tokio::time::sleep(Duration::from_millis(pause_ms / 2)).await;
            lab.network.seal();
            tokio::time::sleep(Duration::from_millis(pause_ms / 2)).await;
            drop(process);
            lab.network.fault(Faults::default());
            lab.network.seal();
            let process = lab.start();
            let to = KeyName { root: NEXT_ROOT, code: CodeEpoch(0) };
            lab.until("the program", || process.worker.cell(&program).is_ok()).await;
            until_moved(&lab, &process, &program, to).await;
            for index in [first, second] {
                let done = lab.fetched(&process, &alice, &program, index).await;
                assert_eq!(done.text(), format!("Ok({})", index + 1), "command {index}, killed after {pause_ms} ms");
            }
            assert_eq!(text(&lab, &process, &alice, &program, "/keys?wallet").await, derived);
            assert_eq!(lab.network.moves(), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_root_is_left_meanwhile_goes_to_the_newest() {
    let lab = Lab::guarded();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let first = increment(&lab, &alice, &program);
    lab.fetched(&process, &alice, &program, first).await;
    lab.network.fault(Faults { lose_moves: true, ..Faults::default() });
    lab.network.rotate(1);
    let cell = process.worker.cell(&program).unwrap();
    lab.until("the first attempt", || cell.next().is_some()).await;
    lab.network.rotate(2);
    lab.network.fault(Faults::default());
    let to = KeyName { root: Some(RootGeneration(2)), code: CodeEpoch(0) };
    until_moved(&lab, &process, &program, to).await;
    assert_eq!(text(&lab, &process, &alice, &program, "/kv?get:n").await, "Ok(Some(\"1\"))");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_no_new_key_is_to_be_had_the_program_goes_on_under_the_old_one() {
    let lab = Lab::guarded();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let custody = lab.custody.clone().unwrap();
    custody.silence(true);
    lab.network.rotate(1);
    for _ in 0..3 {
        let index = increment(&lab, &alice, &program);
        assert_eq!(lab.fetched(&process, &alice, &program, index).await.text(), format!("Ok({})", index + 1));
    }
    assert_eq!(lab.network.root_of(&program), ROOT);
    custody.silence(false);
    until_moved(&lab, &process, &program, KeyName { root: NEXT_ROOT, code: CodeEpoch(0) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_whose_code_never_came_leaves_its_root_all_the_same() {
    let lab = Lab::guarded();
    let process = lab.start();
    lab.until("the admission", || process.worker.standing().0 == "admitted").await;
    lab.network.assign(process.worker.identity.worker);
    let program = lab.network.deploy(Caller::new(1).account(), probe_hash(), 7);
    lab.blocks(3).await;
    lab.network.rotate(1);
    lab.until("it to leave", || lab.network.root_of(&program) == NEXT_ROOT).await;
    assert_eq!(lab.network.anchor(&program).root, EMPTY_ROOT);
}

/// A program with a state, settings and a result that is not fetched yet; then other code is ordered and brought.
async fn upgraded(lab: &Lab, keep: Keep) -> (Process, ProgramId, Caller, Before) {
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let settings = lab.send(&alice, &program, request(&program, "PUT", SETTINGS_PATH, br#"{"greeting":"hi"}"#));
    lab.fetched(&process, &alice, &program, settings).await;
    let unfetched = increment(lab, &alice, &program);
    let version = |entry: &phala_enclave_worker::view::Entry| entry.chain.anchor.version;
    lab.until("its anchor", || process.worker.view().programs.get(&program).map_or(0, version) > unfetched).await;
    let derived = text(lab, &process, &alice, &program, "/keys?wallet").await;
    let transport = lab.network.transport(&program).unwrap();
    let ordered_before = increment(lab, &alice, &program);
    lab.network.upgrade(&program, &other_probe(), keep);
    // Without the code nothing changes, and what is ordered is answered.
    let ordered_after = increment(lab, &alice, &program);
    assert_eq!(lab.fetched(&process, &alice, &program, ordered_before).await.text(), "Ok(2)");
    let done = lab.fetched(&process, &alice, &program, ordered_after).await;
    assert_eq!((done.text().as_str(), done.receipt().receipt.code), ("Ok(3)", probe_hash()));
    let cell = process.worker.cell(&program).unwrap();
    lab.until("the worker to ask for the code", || cell.upgrade_phase() == Some(Problem::NeedsCode)).await;
    process.worker.store_code(hash_of(&other_probe()), other_probe()).await.expect("it is wanted");
    let to = KeyName { root: lab.network.root_of(&program), code: CodeEpoch(1) };
    until_moved(lab, &process, &program, to).await;
    let done = lab.fetched(&process, &alice, &program, unfetched).await;
    assert_eq!(done.text(), "Ok(1)", "a result stays for its caller");
    (process, program, alice, Before { derived, transport })
}

/// As it was before an upgrade.
struct Before {
    derived: String,
    transport: TransportKey,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_code_with_consent_has_state_settings_and_keys_and_the_old_code_s_key_is_over() {
    for guarded in [true, false] {
        let lab = if guarded { Lab::guarded() } else { Lab::new() };
        let (process, program, alice, before) = upgraded(&lab, Keep::StateAndKeys).await;
        let answer = ask(&process, &alice, &program, "/kv?get:n").await;
        assert_eq!(answer.text(), "Ok(Some(\"3\"))");
        assert_eq!(answer.receipt().receipt.code, hash_of(&other_probe()));
        assert!(text(&lab, &process, &alice, &program, "/config?greeting").await.contains("hi"));
        assert_eq!(text(&lab, &process, &alice, &program, "/keys?wallet").await, before.derived);
        // A caller that read the old key just before.
        let late = lab.send_to(&alice, &program, &before.transport, request(&program, "POST", "/kv?inc:n=1", b""));
        assert_eq!(lab.fetched(&process, &alice, &program, late).await.text(), "Ok(4)");
        if let Some(custody) = &lab.custody {
            assert!(custody.ask(&program, &KeyName { root: ROOT, code: CodeEpoch(0) }).is_err());
        }
        // And after a restart.
        drop(process);
        let process = lab.start();
        let index = increment(&lab, &alice, &program);
        assert_eq!(lab.fetched(&process, &alice, &program, index).await.text(), "Ok(5)");
        assert_eq!(text(&lab, &process, &alice, &program, "/keys?wallet").await, before.derived);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_code_without_consent_begins_with_nothing_at_the_same_version() {
    let lab = Lab::guarded();
    let (process, program, alice, before) = upgraded(&lab, Keep::Nothing).await;
    let anchor = lab.network.anchor(&program);
    assert_eq!((anchor.version, anchor.root), (4, EMPTY_ROOT));
    assert_eq!(ask(&process, &alice, &program, "/kv?get:n").await.text(), "Ok(None)");
    assert!(!text(&lab, &process, &alice, &program, "/config?greeting").await.contains("hi"));
    assert_ne!(text(&lab, &process, &alice, &program, "/keys?wallet").await, before.derived);
    // What was sealed to the old code is not for the new one.
    let late = lab.send_to(&alice, &program, &before.transport, request(&program, "POST", "/kv?inc:n=1", b""));
    let index = increment(&lab, &alice, &program);
    assert_eq!(lab.fetched(&process, &alice, &program, index).await.text(), "Ok(1)");
    assert_eq!(process.worker.result(&program, late, 0).await, Err(Problem::CommandSealed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_can_keep_the_state_and_have_new_keys_derived() {
    let lab = Lab::guarded();
    let (process, program, alice, before) = upgraded(&lab, Keep::State).await;
    assert_eq!(ask(&process, &alice, &program, "/kv?get:n").await.text(), "Ok(Some(\"3\"))");
    assert_ne!(text(&lab, &process, &alice, &program, "/keys?wallet").await, before.derived);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_whose_code_cannot_run_or_never_comes_holds_no_rotation_up() {
    let lab = Lab::guarded();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let nonsense = b"\0asm\x0d\0\x01\0 and nothing that runs".to_vec();
    lab.network.upgrade(&program, &nonsense, Keep::StateAndKeys);
    let cell = process.worker.cell(&program).unwrap();
    lab.until("the worker to ask for the code", || cell.upgrade_phase() == Some(Problem::NeedsCode)).await;
    lab.network.rotate(1);
    until_moved(&lab, &process, &program, KeyName { root: NEXT_ROOT, code: CodeEpoch(0) }).await;
    process.worker.store_code(hash_of(&nonsense), nonsense).await.expect("it is wanted");
    lab.until("its verdict", || matches!(cell.upgrade_phase(), Some(Problem::Unrunnable(_)))).await;
    lab.network.rotate(2);
    let to = KeyName { root: Some(RootGeneration(2)), code: CodeEpoch(0) };
    until_moved(&lab, &process, &program, to).await;
    let index = increment(&lab, &alice, &program);
    assert_eq!(lab.fetched(&process, &alice, &program, index).await.text(), "Ok(1)");
    // Another order takes the place of the one that cannot be carried out.
    lab.network.upgrade(&program, &other_probe(), Keep::StateAndKeys);
    let wanted = || process.worker.code_bytes(&hash_of(&other_probe())).is_ok();
    lab.until("the order to be seen", wanted).await;
    process.worker.store_code(hash_of(&other_probe()), other_probe()).await.expect("it is wanted");
    let to = KeyName { root: Some(RootGeneration(2)), code: CodeEpoch(2) };
    until_moved(&lab, &process, &program, to).await;
    assert_eq!(text(&lab, &process, &alice, &program, "/kv?get:n").await, "Ok(Some(\"1\"))");
    assert_eq!(process.worker.metrics.commands.load(Ordering::Relaxed), 1);
}
