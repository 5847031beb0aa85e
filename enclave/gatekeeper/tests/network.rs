//! Whole gatekeepers on a whole chain: proofs, seals, signatures. What a worker gets, what it does not get, and why.

mod common;
#[path = "common/network.rs"]
mod network;

use codec::{DecodeAll, Encode};
use common::{LabVault, custody::ROOT};
use network::*;
use phala_enclave_gatekeeper::{Problem, deliveries::BATCH_BLOCKS, peers, release::BLOCKS_AHEAD_MAX};
use phala_messages::{
    ProgramId, Role,
    custody::{Parameters, RootGeneration},
    limits::KEY_QUERY_BLOCK_AGE_MAX,
    release::{DeliveryProof, KEY_PATH, KeyQuery, ReleaseRefusal, SignedKeyQuery},
    storage,
};
use phala_units::BlockNumber;

const PARAMETERS: Parameters = Parameters {
    members: 4,
    members_min: 4,
    refresh_blocks: 1_000_000,
    dealing_blocks: 40,
    confirming_blocks: 40,
    reporting_blocks: 40,
    retry_blocks: 2,
    ..Parameters::DEFAULT
};
const LIFE_MS: u64 = 10_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_gets_its_programs_key_the_same_before_and_after_a_refresh_and_every_delivery_is_shown() {
    let lab = Lab::new(PARAMETERS, 4);
    *lab.streets.disturbance.lock().unwrap() = Disturbance { lose: 10, alter: 5, double: 10 };
    let mut processes = lab.live().await;
    let worker = Worker::new(&lab, 1);
    lab.network.admit(worker.registration(Role::Worker), LIFE_MS);
    lab.network.assign(worker.identity.worker, true);
    lab.blocks(2).await;
    let key = worker.program_key(&lab, &processes[..3]).await;

    // Everything that was delivered is on chain after some blocks, with a proof for each delivery.
    lab.blocks(BATCH_BLOCKS + 6).await;
    for Process { gatekeeper, .. } in &processes[..3] {
        let proof = gatekeeper.handle("/v1/delivery", &(0u64, 0u32).encode()).await.expect("a batch was closed");
        let proof = DeliveryProof::decode_all(&mut proof.as_slice()).unwrap();
        assert!(proof.verify());
        let name = (gatekeeper.identity.worker, 0);
        let batch = lab.network.custody(|custody| custody.batches.get(&name).cloned());
        assert_eq!(Some(&proof.batch), batch.as_ref(), "it is the one on chain");
        assert_eq!((proof.delivery.worker, proof.delivery.program), (worker.identity.worker, PROGRAM));
        let unknown = gatekeeper.handle("/v1/delivery", &(0u64, 1u32).encode()).await;
        assert_eq!(unknown, Err(Problem::Unknown));
        assert_eq!(gatekeeper.status().deliveries_waiting, 0);
    }

    // One process is killed and started again, then the key is handed on.
    processes[3] = lab.start(3);
    lab.until("the restarted one", || holds(&processes[3])).await;
    lab.network.custody(|custody| custody.parameters.refresh_blocks = 1);
    lab.until("the second epoch", || lab.network.custody(|custody| custody.epochs.len()) > 1).await;
    lab.network.custody(|custody| custody.parameters.refresh_blocks = 1_000_000);
    let over = || lab.network.custody(|custody| custody.round().is_none_or(|(record, _)| record.phase.is_over()));
    lab.blocks(4).await;
    lab.until("key shares for all", || over() && processes.iter().all(holds)).await;
    assert_eq!(worker.program_key(&lab, &processes[1..]).await, key);
    let status = serde_json::to_string(&processes[0].gatekeeper.status()).unwrap();
    assert!(status.contains("\"holds_key_share\":true"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_should_not_gets_a_part_of_a_key_and_each_is_told_why() {
    let lab = Lab::new(PARAMETERS, 4);
    let processes = lab.live().await;
    let gatekeeper = &processes[0].gatekeeper;
    let worker = Worker::new(&lab, 1);
    let ask = async |query: KeyQuery| {
        let signed = worker.sign(gatekeeper, query);
        worker.ask(gatekeeper, &signed).await.unwrap().map(|_| ())
    };
    let query = || worker.query(lab.network.height());

    assert_eq!(ask(query()).await, Err(ReleaseRefusal::UnknownWorker));
    lab.network.admit(worker.registration(Role::Gatekeeper), LIFE_MS);
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::NotAWorker));
    lab.network.admit(worker.registration(Role::Worker), LIFE_MS);
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::Unassigned));
    // Only half an assignment: the worker's side without the cluster's.
    lab.network.change(|state| drop(state.insert(storage::assignment(&worker.identity.worker), CLUSTER.encode())));
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::Unassigned));
    lab.network.assign(worker.identity.worker, true);
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Ok(()));

    // Programs and roots.
    assert_eq!(ask(KeyQuery { program: ProgramId([9; 32]), ..query() }).await, Err(ReleaseRefusal::UnknownProgram));
    assert_eq!(ask(KeyQuery { program: ROOTLESS, ..query() }).await, Err(ReleaseRefusal::OtherRoot));
    assert_eq!(ask(KeyQuery { root: RootGeneration(1), ..query() }).await, Err(ReleaseRefusal::OtherRoot));
    lab.network.change(|state| drop(state.insert(storage::program_root(&PROGRAM), RootGeneration(1).encode())));
    lab.blocks(2).await;
    assert_eq!(ask(KeyQuery { root: RootGeneration(1), ..query() }).await, Err(ReleaseRefusal::NoKeyShare));
    lab.network.change(|state| drop(state.insert(storage::program_root(&PROGRAM), ROOT.encode())));

    // Too old a query, and one from a future that this gatekeeper has not seen. A little ahead is fine.
    lab.blocks(KEY_QUERY_BLOCK_AGE_MAX + 1).await;
    let height = lab.network.height();
    assert_eq!(
        ask(worker.query(BlockNumber(height.0 - KEY_QUERY_BLOCK_AGE_MAX - 1))).await,
        Err(ReleaseRefusal::Asked)
    );
    assert_eq!(ask(worker.query(BlockNumber(height.0 + BLOCKS_AHEAD_MAX + 1))).await, Err(ReleaseRefusal::Asked));
    let seen = gatekeeper.view().block.number;
    for asked in [seen.0 - KEY_QUERY_BLOCK_AGE_MAX, seen.0 + 1, seen.0 + BLOCKS_AHEAD_MAX] {
        assert_eq!(ask(worker.query(BlockNumber(asked))).await, Ok(()), "{asked}");
    }

    // The same query again; the query for another gatekeeper; one that somebody else signed; no query at all.
    let signed = worker.sign(gatekeeper, query());
    assert!(worker.ask(gatekeeper, &signed).await.unwrap().is_ok());
    assert_eq!(worker.ask(gatekeeper, &signed).await.unwrap(), Err(ReleaseRefusal::Replayed));
    let elsewhere = worker.ask(&processes[1].gatekeeper, &signed).await.unwrap();
    assert_eq!(elsewhere, Err(ReleaseRefusal::Signature));
    let forger = Worker::new(&lab, 2);
    let forged = SignedKeyQuery { query: query(), ..forger.sign(gatekeeper, query()) };
    assert_eq!(worker.ask(gatekeeper, &forged).await.unwrap(), Err(ReleaseRefusal::Signature));
    assert_eq!(post(gatekeeper, vec![1, 2, 3]).await.unwrap(), Err(ReleaseRefusal::Malformed));
    // Another machine's process under this worker's name.
    let impostor = KeyQuery { instance: forger.identity.instance, ..query() };
    let signed = forger.sign(gatekeeper, impostor);
    assert_eq!(worker.ask(gatekeeper, &signed).await.unwrap(), Err(ReleaseRefusal::OtherInstance));

    // Revocation: code taken off the list, evidence run out, program removed.
    let listed = storage::measurement(Role::Worker, &common::WORKER_CODE);
    lab.network.change(|state| drop(state.remove(&listed)));
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::Unlisted));
    lab.network.change(|state| drop(state.insert(listed.clone(), vec![])));
    lab.network.admit(worker.registration(Role::Worker), 1);
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::Expired));
    lab.network.admit(worker.registration(Role::Worker), LIFE_MS);
    lab.network.change(|state| drop(state.remove(&storage::program(&PROGRAM))));
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::UnknownProgram));
    lab.network
        .change(|state| drop(state.insert(storage::program(&PROGRAM), common::program_record(CLUSTER).encode())));

    // A transport key that nothing can be sealed to.
    let mut registration = worker.registration(Role::Worker);
    registration.transport.0 = [0; 32];
    lab.network.admit(registration, LIFE_MS);
    lab.blocks(2).await;
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::TransportKey));
    lab.network.admit(worker.registration(Role::Worker), LIFE_MS);
    lab.blocks(2).await;

    // No note, no key.
    lab.disks[0].break_it(true);
    assert_eq!(ask(query()).await, Err(ReleaseRefusal::NotLogged));
    lab.disks[0].break_it(false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gatekeeper_that_hears_no_news_gives_nothing_out_and_a_relayed_answer_opens_nowhere() {
    let lab = Lab::new(PARAMETERS, 4);
    let mut processes = lab.live().await;
    let worker = Worker::new(&lab, 1);
    lab.network.admit(worker.registration(Role::Worker), LIFE_MS);
    lab.network.assign(worker.identity.worker, true);
    lab.blocks(2).await;
    let gatekeeper = processes[0].gatekeeper.clone();

    // Whoever relays an answer, or asks with a stolen instance key from another machine, holds what opens for the worker alone.
    let query = worker.query(lab.network.height());
    let answer = worker.ask(&gatekeeper, &worker.sign(&gatekeeper, query.clone())).await.unwrap().unwrap();
    assert!(worker.open(&gatekeeper, &query, &answer).is_some());
    let thief = Worker::new(&lab, 2);
    assert!(thief.open(&gatekeeper, &query, &answer).is_none());
    // Nor is it the answer to another query, or another gatekeeper's.
    let other = worker.query(lab.network.height());
    assert!(worker.open(&gatekeeper, &other, &answer).is_none());
    assert!(worker.open(&processes[1].gatekeeper, &query, &answer).is_none());

    // What is sealed to another process does not open; what is sealed for another path is not taken.
    let signed = worker.sign(&gatekeeper, worker.query(lab.network.height()));
    let (sealed, _) = peers::seal(&processes[1].gatekeeper.identity.transport, KEY_PATH, signed.encode()).unwrap();
    assert_eq!(gatekeeper.handle(KEY_PATH, &sealed).await, Err(Problem::Sealed));
    let (sealed, _) = peers::seal(&gatekeeper.identity.transport, "/v1/peer", signed.encode()).unwrap();
    assert_eq!(gatekeeper.handle(KEY_PATH, &sealed).await, Err(Problem::OtherPath));
    assert_eq!(gatekeeper.handle("/v1/else", &[]).await, Err(Problem::NotFound));
    assert_eq!(gatekeeper.handle("/v1/output", &[1]).await.unwrap_err().slug(), "malformed-request");
    assert_eq!(gatekeeper.handle("/v1/output", &9u32.encode()).await, Err(Problem::Unknown));
    let longest = vec![0; 16 * 1024 + 1];
    assert_eq!(gatekeeper.handle(KEY_PATH, &longest).await.unwrap_err().slug(), "request-too-large");

    // Gatekeepers' own requests, brought again by whoever recorded them, change nothing.
    let epochs = lab.network.custody(|custody| custody.epochs.len());
    let posted = lab.streets.posted.lock().unwrap().clone();
    for (endpoint, body) in posted.iter().rev().take(20) {
        let n: usize = endpoint.rsplit(':').next().unwrap().parse::<usize>().unwrap() - 9_000;
        processes[n].gatekeeper.handle("/v1/peer", body).await.expect("answered, to the one who asked first");
    }
    lab.blocks(2).await;
    assert_eq!(lab.network.custody(|custody| custody.epochs.len()), epochs);

    // A node that proves slowly: while it did, the view grew too old.
    lab.network.slow(50_000);
    let signed = worker.sign(&gatekeeper, worker.query(lab.network.height()));
    assert_eq!(worker.ask(&gatekeeper, &signed).await.unwrap(), Err(ReleaseRefusal::Stale));
    lab.network.slow(0);

    // A node that does not prove: nothing to decide by. (Its clock was moved; the chain's time catches up first.)
    lab.until("news", || gatekeeper.status().serving).await;
    lab.network.silence(true);
    let signed = worker.sign(&gatekeeper, worker.query(lab.network.height()));
    assert_eq!(worker.ask(&gatekeeper, &signed).await.unwrap(), Err(ReleaseRefusal::Unreadable));
    // Twenty blocks later it gives nothing out, whoever asks.
    lab.network.clock.advance(40_001);
    let signed = worker.sign(&gatekeeper, worker.query(lab.network.height()));
    assert_eq!(worker.ask(&gatekeeper, &signed).await.unwrap(), Err(ReleaseRefusal::Stale));
    assert!(!gatekeeper.status().serving);
    lab.network.silence(false);
    lab.until("news again", || gatekeeper.status().serving).await;

    // A copy of the disk, started elsewhere: the first process stops, forgets, and says so.
    let copy = lab.start_on(0, LabVault::with(lab.disks[0].contents()));
    let mut first = processes.remove(0);
    lab.until("the copy", || copy.gatekeeper.status().standing == "admitted").await;
    lab.blocks(3).await;
    assert!(first.reason().await.contains("a newer process"));
    let signed = worker.sign(&gatekeeper, worker.query(lab.network.height()));
    assert_eq!(worker.ask(&gatekeeper, &signed).await.unwrap_err(), Problem::Stopping);
    assert!(gatekeeper.status().roots.iter().all(|root| !root.holds_key_share));
}
