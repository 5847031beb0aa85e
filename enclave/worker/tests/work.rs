//! A worker that is bound to a pool: it measures itself, answers, and does not measure itself while it hosts programs.

mod common;

use common::*;
use phala_enclave_worker::heartbeat::BENCHMARK_MS;
use phala_messages::{
    Account,
    computation::{SessionNumber, WorkConsent},
    custody::CustodyMessage,
};
use std::time::Duration;

const SESSION: SessionNumber = SessionNumber(7);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_measures_itself_once_when_it_is_bound_and_answers_when_it_is_asked() {
    let lab = Lab::new();
    let process = lab.start();
    let (worker, id) = (&process.worker, process.worker.identity.worker);
    lab.until("the admission", || worker.standing().0 == "admitted").await;
    lab.blocks(3).await;
    assert_eq!((worker.iterations(), lab.network.scores()), (0, 0), "nobody asked it to");

    lab.network.bind(id);
    let bound = lab.network.height();
    // Time passes here as slowly as an iteration or two need.
    for _ in 0..600 {
        if lab.network.work(&id).score.is_some() {
            break;
        }
        lab.network.seal();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let score = lab.network.work(&id).score.unwrap();
    assert_eq!(score.instance, worker.identity.instance);
    assert!(score.score > 0);
    let least = (BENCHMARK_MS / 2_000) as u32;
    assert!(lab.network.height() - bound >= least, "a minute of the chain's time has passed");
    // The worker sees that it counted, and rests.
    lab.until("its rest", || worker.work().is_some_and(|seen| seen.record.as_ref().unwrap().score.is_some())).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rested = worker.iterations();
    lab.blocks(5).await;
    assert_eq!((worker.iterations(), lab.network.scores()), (rested, 1));

    lab.network.open_session(id, SESSION);
    lab.until("its work", || worker.iterations() > rested + 2).await;
    lab.network.challenge(id);
    lab.until("the answer", || lab.network.work(&id).challenge.is_none()).await;
    let beats = lab.network.heartbeats();
    assert_eq!(beats.len(), 1);
    assert!(beats[0].session == SESSION && beats[0].iterations > 0);
    assert!(beats[0].iterations <= worker.iterations() - rested, "counted from where the session began");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_hosts_programs_answers_and_does_not_measure_itself() {
    let lab = Lab::new();
    let owner = Caller::new(1);
    let (process, _) = lab.live(&owner).await;
    let (worker, id) = (&process.worker, process.worker.identity.worker);
    lab.network.bind_scored(id, worker.identity.instance);
    lab.network.open_session(id, SESSION);
    lab.blocks(5).await;
    lab.network.challenge(id);
    lab.until("the answer", || lab.network.work(&id).challenge.is_none()).await;
    assert_eq!((worker.iterations(), lab.network.heartbeats().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_consents_to_its_operator_and_to_nobody_else() {
    let lab = Lab::new();
    let process = lab.start();
    let identity = &process.worker.identity;
    let operator = Account([7; 32]);
    let signature = process.worker.consent(operator);
    let says = |operator| {
        let consent = WorkConsent { worker: identity.worker, operator };
        let hash = consent.signing_hash(&identity.genesis).0;
        phala_crypto::verify_ed25519(&identity.worker.0, &hash, &signature)
    };
    assert!(says(operator) && !says(Account([8; 32])));
}
