//! A worker's journeys on a small chain: once as they should go, then with a fault at every step.

mod common;

use common::{Caller, Disks, Faults, Lab, chain::Chain};
use phala_enclave_worker::Problem;
use phala_machine::{Standing, registration::renewal_due};
use phala_messages::{
    Subject, WorkerRecord,
    anchor::EMPTY_ROOT,
    query::{LOGS_PATH, SETTINGS_PATH},
};
use phala_units::UnixMillis;
use std::sync::Arc;

use common::caller_request as request;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_deployed_queried_and_commanded_and_every_answer_carries_a_receipt() {
    let lab = Lab::new();
    let (alice, bob) = (Caller::new(1), Caller::new(2));
    let (process, program) = lab.live(&alice).await;
    let worker = &process.worker;

    let ask = request(&program, "GET", "/hello", b"");
    let hash = common::request_hash(&ask);
    let answer = bob.query(worker, ask).await.unwrap();
    assert_eq!((answer.response.status().as_u16(), answer.text().as_str()), (200, "hello, world"));
    let receipt = &answer.receipt().receipt;
    assert_eq!((receipt.program, receipt.code, receipt.request), (program, common::probe_hash(), hash));
    assert_eq!((receipt.subject.clone(), receipt.anchor.version, receipt.anchor.root), (Subject::Query, 0, EMPTY_ROOT));

    let set = request(&program, "POST", "/kv?set:name=ada", b"");
    let hash = common::request_hash(&set);
    let (index, done) = lab.command(&process, &bob, &program, set).await;
    assert_eq!((index, done.text().as_str()), (0, "Ok(())"));
    let anchor = lab.network.anchor(&program);
    let receipt = &done.receipt().receipt;
    assert_eq!((receipt.request, receipt.anchor.version, receipt.anchor.root), (hash, 1, anchor.root));
    assert_eq!(receipt.results_root(anchor.from), Some(anchor.results));

    lab.until_serving(&process, &program).await;
    let answer = bob.query(worker, request(&program, "GET", "/kv?get:name", b"")).await.unwrap();
    assert_eq!(answer.text(), "Ok(Some(\"ada\"))");
    assert_eq!(answer.receipt().receipt.anchor.version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_are_answered_in_order_each_once() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let mut sent = Vec::new();
    for n in 0..60 {
        sent.push(lab.send(&alice, &program, request(&program, "POST", "/kv?inc:n=1", b"")));
        if n % 7 == 0 {
            lab.blocks(1).await;
        }
    }
    for index in sent {
        let done = lab.fetched(&process, &alice, &program, index).await;
        assert_eq!(done.text(), format!("Ok({})", index + 1));
    }
    assert_eq!(lab.network.anchor(&program).version, 60);
}

/// Kills the worker after the commit, while the chain has not taken the anchor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_between_commit_and_anchor_anchors_the_same_after_its_restart() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    lab.network.fault(Faults { lose_anchors: true, ..Faults::default() });
    let index = lab.send(&alice, &program, request(&program, "POST", "/kv?inc:n=1", b""));
    let cell = process.worker.cell(&program).unwrap();
    lab.until("the commit", || cell.loaded().unwrap().newest() == 1).await;
    drop(process);
    let committed = cell.loaded().unwrap().lock_state().root();

    lab.network.fault(Faults::default());
    let process = lab.start();
    let done = lab.fetched(&process, &alice, &program, index).await;
    assert_eq!(done.text(), "Ok(1)");
    assert_eq!(lab.network.anchor(&program).root, committed);
    assert_eq!(lab.network.anchor(&program).version, 1);
    let (_, done) = lab.command(&process, &alice, &program, request(&program, "POST", "/kv?inc:n=1", b"")).await;
    assert_eq!(done.text(), "Ok(2)");
}

/// Kills the worker when its anchor is final but it has not seen so: nobody has a result yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_before_it_issues_a_result_issues_it_after_its_restart() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let index = lab.send(&alice, &program, request(&program, "POST", "/kv?inc:n=1", b""));
    let network = lab.network.clone();
    lab.until("the anchor to be taken", || network.anchors() == 1).await;
    lab.network.fault(Faults { silent: true, ..Faults::default() });
    drop(process);
    lab.network.seal();
    assert_eq!(lab.network.anchor(&program).version, 1);

    lab.network.fault(Faults::default());
    let process = lab.start();
    let done = lab.fetched(&process, &alice, &program, index).await;
    assert_eq!(done.text(), "Ok(1)");
    // The process that issued it vouches for it, at a block in which it was registered.
    assert_eq!(done.receipt().receipt.instance, process.worker.identity.instance);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_at_random_moments_loses_no_command_and_repeats_none() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (mut process, program) = lab.live(&alice).await;
    let mut last = 0;
    for round in 0..12u64 {
        for _ in 0..3 {
            last = lab.send(&alice, &program, request(&program, "POST", "/kv?inc:n=1", b""));
        }
        lab.network.seal();
        tokio::time::sleep(std::time::Duration::from_millis(round * 13 % 90)).await;
        drop(process);
        process = lab.start();
    }
    for index in 0..=last {
        let done = lab.fetched(&process, &alice, &program, index).await;
        assert_eq!(done.text(), format!("Ok({})", index + 1), "command {index}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_with_one_identity_the_one_that_registered_first_stops() {
    let lab = Lab::new();
    let mut first = lab.start();
    lab.until("the admission", || first.worker.standing().0 == "admitted").await;
    let second = lab.start_on(&lab.disks.clone());
    assert_eq!(first.worker.identity.worker, second.worker.identity.worker);
    lab.until("the second's admission", || second.worker.standing().0 == "admitted").await;
    let stopped = first.worker.clone();
    lab.until("the first to see it", || stopped.view().standing == Standing::Superseded).await;
    assert!(first.reason().await.contains("newer process"));
    assert_eq!(first.worker.query(b"x").await.unwrap_err(), Problem::Superseded);
    lab.blocks(3).await;
    assert_eq!(second.worker.standing().0, "admitted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_was_put_back_is_never_served() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    lab.command(&process, &alice, &program, request(&program, "POST", "/kv?set:balance=100", b"")).await;
    let old = lab.disks.state.copy(&program);
    lab.command(&process, &alice, &program, request(&program, "POST", "/kv?set:balance=0", b"")).await;
    drop(process);

    lab.disks.state.replace(&program, old);
    let process = lab.start();
    lab.until("the admission", || process.worker.standing().0 == "admitted").await;
    let loaded = || process.worker.cell(&program).is_ok_and(|cell| cell.loaded().is_some());
    lab.until("the program to be loaded", loaded).await;
    lab.blocks(3).await;
    let answer = alice.query(&process.worker, request(&program, "GET", "/kv?get:balance", b"")).await.unwrap();
    assert_eq!(answer.problem(), Some("rolled-back"));
    assert!(answer.receipt.is_none());
    // A command waits; it is not run on old state.
    lab.send(&alice, &program, request(&program, "POST", "/kv?inc:n=1", b""));
    lab.blocks(5).await;
    assert_eq!(lab.network.anchor(&program).version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_disk_is_never_served_and_a_lost_one_neither() {
    for erase in [false, true] {
        let lab = Lab::new();
        let alice = Caller::new(1);
        let (process, program) = lab.live(&alice).await;
        lab.command(&process, &alice, &program, request(&program, "POST", "/kv?set:a=1", b"")).await;
        drop(process);
        let mut entries = lab.disks.state.copy(&program);
        if erase {
            entries.clear();
        } else {
            *entries.values_mut().next().unwrap().last_mut().unwrap() ^= 1;
        }
        lab.disks.state.replace(&program, entries);
        let process = lab.start();
        lab.until("the admission", || process.worker.standing().0 == "admitted").await;
        let answered = async || alice.query(&process.worker, request(&program, "GET", "/hello", b"")).await.unwrap();
        let mut problem = None;
        for _ in 0..200 {
            problem = answered().await.problem().map(str::to_owned);
            if problem.as_deref() == Some("rolled-back") {
                break;
            }
            lab.blocks(1).await;
        }
        assert_eq!(problem.as_deref(), Some("rolled-back"), "erased: {erase}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_from_another_machine_or_network_is_refused_not_replaced() {
    let lab = Lab::new();
    let process = lab.start();
    let mut blobs = lab.disks.vault.contents();
    drop(process);
    let identity = blobs.get_mut("identity").unwrap();
    *identity.last_mut().unwrap() ^= 1;
    let altered = Disks::default();
    for (name, bytes) in &blobs {
        phala_machine::Vault::put(&*altered.vault, name, bytes).unwrap();
    }
    assert!(lab.try_start_on(&altered).is_err());
    assert_eq!(altered.vault.contents(), blobs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_chain_stands_still_stops_serving_and_goes_on_when_it_moves_again() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    lab.clock.advance(61_000);
    let refused = alice.query(&process.worker, request(&program, "GET", "/hello", b"")).await.unwrap_err();
    assert!(matches!(refused, Problem::Stale(age, 60_000) if age > 60_000), "{refused:?}");
    for _ in 0..40 {
        lab.network.seal();
    }
    lab.until("a recent head", || process.worker.may_serve(&process.worker.view()).is_ok()).await;
    assert!(alice.query(&process.worker, request(&program, "GET", "/hello", b"")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admission_is_renewed_unasked_between_half_and_nine_tenths_of_its_life() {
    let lab = Lab::new();
    let process = lab.start();
    let worker = process.worker.clone();
    lab.until("the admission", || worker.standing().0 == "admitted").await;
    let record: WorkerRecord = lab.network.worker_record(&worker.identity.worker).unwrap();
    let life = record.expires_at.since(record.admitted_at);
    for chance in [0, 1, 127, 254, 255] {
        let due = renewal_due(&record, chance).since(record.admitted_at);
        assert!(due >= life / 2 && due <= life / 10 * 9, "{chance}: {due} of {life}");
    }
    let registrations = lab.network.registrations();
    let blocks_to = |share: u64| {
        let until = record.admitted_at.0 + life / 100 * share;
        while Chain::time_ms(lab.network.height()) < until {
            lab.network.seal();
        }
    };
    blocks_to(49);
    lab.blocks(5).await;
    assert_eq!(lab.network.registrations(), registrations, "not before half of its life");
    blocks_to(91);
    lab.until("the renewal", || lab.network.registrations() > registrations).await;
    lab.until("its admission", || match &worker.view().standing {
        Standing::Admitted(renewed) => renewed.expires_at > record.expires_at,
        _ => false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_makes_no_sense_is_answered_and_changes_nothing() {
    let lab = Lab::new();
    let (alice, bob) = (Caller::new(1), Caller::new(2));
    let (process, program) = lab.live(&alice).await;
    let genesis = lab.network.genesis();
    let transport = lab.network.transport(&program).unwrap();
    let before = lab.network.anchor(&program).root;

    // Not sealed at all; sealed by another account than the one that sends.
    let unopened = lab.network.command(&program, bob.account(), vec![7; 100]);
    let stolen = alice.seal(&genesis, &program, &transport, request(&program, "POST", "/kv?set:a=1", b""), 1);
    let stolen = lab.network.command(&program, bob.account(), stolen);
    // Sealed garbage; another program's authority; a trap; an endless loop; not the owner's to set.
    let garbage = bob.seal_bytes(&genesis, &program, &transport, &[0xff; 64], 2);
    let garbage = lab.network.command(&program, bob.account(), garbage);
    let elsewhere = lab.send(&bob, &program, request(&phala_messages::ProgramId([9; 32]), "GET", "/hello", b""));
    let trap = lab.send(&bob, &program, request(&program, "POST", "/trap", b""));
    let looping = lab.send(&bob, &program, request(&program, "POST", "/loop", b""));
    let settings = lab.send(&bob, &program, request(&program, "PUT", SETTINGS_PATH, b"{}"));

    for (index, name) in [
        (garbage, "malformed-request"),
        (elsewhere, "no-such-authority"),
        (trap, "program-trapped"),
        (looping, "program-out-of-fuel"),
        (settings, "not-owner"),
    ] {
        let done = lab.fetched(&process, &bob, &program, index).await;
        assert_eq!(done.problem(), Some(name), "command {index}");
        assert!(done.receipt.is_some(), "a failure is provable");
    }
    for index in [unopened, stolen] {
        assert_eq!(process.worker.result(&program, index, 0).await.unwrap_err(), Problem::CommandSealed);
    }
    let anchor = lab.network.anchor(&program);
    assert_eq!((anchor.version, anchor.root), (7, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_and_logs_are_the_owners_alone() {
    let lab = Lab::new();
    let (alice, bob) = (Caller::new(1), Caller::new(2));
    let (process, program) = lab.live(&alice).await;
    let worker = &process.worker;
    let (_, done) = lab
        .command(&process, &alice, &program, request(&program, "PUT", SETTINGS_PATH, br#"{"token":"s3cret"}"#))
        .await;
    assert_eq!(done.response.status(), 204);
    let (_, done) =
        lab.command(&process, &alice, &program, request(&program, "PUT", SETTINGS_PATH, br#"{"token":1}"#)).await;
    assert_eq!(done.problem(), Some("settings-invalid"));
    lab.until_serving(&process, &program).await;
    let answer = bob.query(worker, request(&program, "GET", "/config?token", b"")).await.unwrap();
    assert!(answer.text().contains("s3cret"));

    let soon = || UnixMillis(phala_machine::Clock::now(&*lab.clock).0 + 30_000);
    bob.query(worker, request(&program, "GET", "/log?x", b"")).await.unwrap();
    for (path, words) in [(LOGS_PATH, "\"lines\":[{"), (SETTINGS_PATH, r#"{"settings":["token"]}"#)] {
        let ask = || request(&program, "GET", path, b"");
        let hers = alice.query(worker, alice.authorize(worker, &program, ask(), soon())).await.unwrap();
        assert!(hers.text().contains(words), "{path}: {}", hers.text());
        assert!(!hers.text().contains("s3cret"));
        let his = bob.query(worker, bob.authorize(worker, &program, ask(), soon())).await.unwrap();
        assert_eq!(his.problem(), Some("not-owner"));
        let nobodys = bob.query(worker, ask()).await.unwrap();
        assert_eq!(nobodys.problem(), Some("not-owner"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_secret_appears_nowhere_on_disk() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let canary = "canary-7f3a91c2";
    let set = request(&program, "POST", &format!("/kv?set:{canary}={canary}"), canary.as_bytes());
    lab.command(&process, &alice, &program, set).await;
    let settings = format!(r#"{{"{canary}":"{canary}"}}"#);
    lab.command(&process, &alice, &program, request(&program, "PUT", SETTINGS_PATH, settings.as_bytes())).await;
    alice.query(&process.worker, request(&program, "GET", &format!("/log?{canary}"), b"")).await.unwrap();
    let holds = |bytes: &[u8]| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
    for (name, bytes) in lab.disks.state.copy(&program) {
        assert!(!holds(&name) && !holds(&bytes));
    }
    for (name, bytes) in lab.disks.vault.contents() {
        assert!(!holds(name.as_bytes()) && !holds(&bytes), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_program_is_gone_and_code_that_nobody_asked_for_is_not_taken() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let worker: &Arc<_> = &process.worker;
    assert_eq!(worker.store_code(phala_messages::CodeHash([1; 32]), vec![1]).await, Err(Problem::CodeUnassigned));
    assert_eq!(worker.store_code(common::probe_hash(), vec![1; 10]).await, Err(Problem::CodeHash));
    assert_eq!(
        worker.store_code(common::probe_hash(), Vec::new()).await,
        Ok(()),
        "an empty body asks whether it is here"
    );
    lab.network.remove(&program);
    lab.until("the removal", || worker.cell(&program).is_err()).await;
    let answer = alice.query(worker, request(&program, "GET", "/hello", b"")).await.unwrap();
    assert_eq!(answer.problem(), Some("unknown-program"));
}
