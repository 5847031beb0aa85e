//! Golden bytes of sessions, scores, challenges, heartbeats and faults.

use super::*;
use phala_messages::computation::*;

const POOL: PoolId = PoolId(4);

fn report() -> ScoreReport {
    ScoreReport { worker: WORKER, score: 1_900, block: block() }
}

fn heartbeat() -> Heartbeat {
    Heartbeat { worker: WORKER, session: SessionNumber(7), challenge: BlockNumber(4_242), iterations: 123_456 }
}

fn two_anchors() -> FaultProof {
    let first = Box::new(SignedAnchor { anchor: anchor(), signature: SIGNATURE });
    let second = SignedAnchor { anchor: Anchor { root: StateRoot([9; 32]), ..anchor() }, signature: SIGNATURE };
    FaultProof::TwoAnchors { first, second: Box::new(second), instance: INSTANCE }
}

fn receipt_proof() -> ReceiptProof {
    ReceiptProof::new(&SignedReceipt { receipt: receipt(Subject::Query), signature: SIGNATURE }).unwrap()
}

fn said_by_worker<M: CustodyMessage + Clone + Decode + PartialEq + Debug>(
    vectors: &mut Vectors,
    name: &str,
    message: M,
) {
    vectors.bytes(&format!("work/{name}/signing-hash"), message.signing_hash(&GENESIS));
    vectors.value(&format!("work/{name}"), &message);
    vectors.value(&format!("work/{name}/signed"), &Signed { message, signature: SIGNATURE });
}

pub fn values(vectors: &mut Vectors) {
    said_by_worker(vectors, "consent", WorkConsent { worker: WORKER, operator: ALICE });
    said_by_worker(vectors, "score", report());
    said_by_worker(vectors, "heartbeat", heartbeat());
    vectors.value("work/pool", &POOL);
    let bare = WorkRecord {
        pool: POOL,
        score: None,
        session: None,
        challenge: None,
        leaving: false,
        processes: Default::default(),
    };
    vectors.value("work/record/bare", &bare);
    let record = WorkRecord {
        score: Some(ScoreRecord { score: 1_900, instance: INSTANCE, block: BlockNumber(4_243) }),
        session: Some(SessionNumber(7)),
        challenge: Some(Challenge { block: BlockNumber(4_242), time: UnixMillis(1_700_000_000_123) }),
        leaving: true,
        processes: vec![INSTANCE].try_into().unwrap(),
        ..bare
    };
    vectors.value("work/record", &record);
    vectors.value("fault/two-anchors", &two_anchors());
    vectors.value("fault/two-receipts", &FaultProof::TwoReceipts { first: receipt_proof(), second: receipt_proof() });
    vectors.value("fault/other-state", &FaultProof::OtherState { receipt: receipt_proof() });
    vectors.value("fault/expired-evidence", &FaultProof::ExpiredEvidence { receipt: receipt_proof() });
    vectors.bytes("fault/id", fault_id(1, &WORKER, &(PROGRAM, 7u64)));
}

pub fn calls() -> Vec<(&'static str, Call)> {
    use calls::Computation as C;
    let stake = 5_000 * phala_units::PHA;
    [
        ("bind-worker", C::Bind { pool: POOL, worker: WORKER, consent: SIGNATURE }),
        ("unbind-worker", C::Unbind { worker: WORKER }),
        ("start", C::Start { worker: WORKER, stake }),
        ("stop", C::Stop { worker: WORKER }),
        ("restart", C::Restart { worker: WORKER, stake }),
        ("reclaim", C::Reclaim { worker: WORKER }),
        ("report-score", C::ReportScore { report: Signed { message: report(), signature: SIGNATURE } }),
        ("heartbeat", C::Heartbeat { heartbeat: Signed { message: heartbeat(), signature: SIGNATURE } }),
        ("report-fault", C::ReportFault { proof: Box::new(two_anchors()) }),
    ]
    .map(|(name, call)| (name, Call::Computation(Box::new(call))))
    .into()
}

pub fn storage_keys(vectors: &mut Vectors) {
    for (name, key) in [
        ("work", storage::work(&WORKER)),
        ("session", storage::session(&WORKER)),
        ("pool-work", storage::pool_work(POOL)),
        ("work-parameters", storage::work_parameters()),
        ("budget-schedule", storage::budget_schedule()),
    ] {
        vectors.bytes(&format!("storage/{name}"), key);
    }
}
