//! A program's state outlives its worker's disk: copies, and another worker that leads.
#![allow(missing_docs, reason = "tests")]

mod common;

use codec::{Decode, DecodeAll, Encode};
use common::{Caller, Disks, Faults, Lab, Process, caller_request as request};
use phala_enclave_worker::{Problem, shipping};
use phala_machine::Clock as _;
use phala_messages::{
    Hash, ProgramId, WorkerId,
    copies::{CopyChange, CopyMessage, CopyRefusal, CopyReply, CopySay, PieceBytes, SignedCopyMessage, mark_after},
    limits::{COPY_BYTES_MAX, COPY_MESSAGE_BYTES_MAX},
    transcript::sha256,
};
use std::sync::Arc;

/// Workers of one cluster, the first of them leading, and a live program.
struct Trio {
    lab: Lab,
    alice: Caller,
    program: ProgramId,
    disks: Vec<Disks>,
    processes: Vec<Option<Process>>,
}

impl Trio {
    async fn new(workers: u8) -> Self {
        let lab = Lab::new();
        let mut trio = Self {
            alice: Caller::new(1),
            program: ProgramId([0; 32]),
            disks: (1..=workers).map(|n| lab.disks_with_shared_keys(n)).collect(),
            processes: Vec::new(),
            lab,
        };
        for n in 0..usize::from(workers) {
            trio.processes.push(None);
            trio.start(n);
            trio.admitted(n).await;
            trio.lab.network.assign(trio.worker(n).identity.worker);
        }
        trio.program = trio.lab.network.deploy(trio.alice.account(), common::probe_hash(), common::PROBE.len() as u32);
        let (lead, program) = (trio.worker(0).clone(), trio.program);
        trio.lab.until("the assignment", || lead.cell(&program).is_ok()).await;
        lead.store_code(common::probe_hash(), common::PROBE.clone()).await.expect("the code is wanted");
        trio.lab.until_serving(trio.process(0), &program).await;
        trio
    }

    fn start(&mut self, n: usize) {
        let process = self.lab.try_start_at(&self.disks[n], 10 + n as u16).expect("it starts");
        self.processes[n] = Some(process);
    }

    async fn admitted(&self, n: usize) {
        let worker = self.worker(n).clone();
        self.lab.until("the admission", || worker.standing().0 == "admitted").await;
    }

    fn process(&self, n: usize) -> &Process {
        self.processes[n].as_ref().expect("it lives")
    }

    fn worker(&self, n: usize) -> &Arc<phala_enclave_worker::Worker> {
        &self.process(n).worker
    }

    fn id(&self, n: usize) -> WorkerId {
        self.worker(n).identity.worker
    }

    /// `kill -9`, and the disk is gone.
    fn destroy(&mut self, n: usize) {
        self.processes[n] = None;
        self.disks[n] = self.lab.disks_with_shared_keys(n as u8 + 1);
    }

    async fn count(&self, n: usize) -> String {
        let inc = request(&self.program, "POST", "/kv?inc:n=1", b"");
        self.lab.command(self.process(n), &self.alice, &self.program, inc).await.1.text()
    }

    fn held(&self, n: usize) -> (usize, usize) {
        let held = self.worker(n).cell(&self.program).map(|cell| cell.held()).unwrap_or_default();
        (held.standing_by, held.complete)
    }

    async fn until_held(&self, n: usize, by: usize) {
        self.lab.until("the copies", || self.held(n) == (by, by)).await;
    }

    /// Until two disks hold the same, byte for byte: the lead may just be writing what it issued.
    async fn until_same(&self, a: usize, b: usize) {
        let copy = |n: usize| self.disks[n].state.copy(&self.program);
        self.lab.until("the same bytes", || copy(a) == copy(b)).await;
    }

    /// Until the lead has nothing more to write.
    async fn until_quiet(&self, lead: usize, other: usize) {
        loop {
            let before = self.disks[lead].state.copy(&self.program);
            self.lab.blocks(20).await;
            self.until_same(lead, other).await;
            if self.disks[lead].state.copy(&self.program) == before {
                return;
            }
        }
    }

    async fn serving(&self, n: usize) {
        self.lab.until_serving(self.process(n), &self.program).await;
    }

    /// What a worker says to a query.
    async fn ask(&self, n: usize) -> common::Fetched {
        let query = request(&self.program, "GET", "/kv?get:n", b"");
        self.alice.query(self.worker(n), query).await.expect("it answers")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_outlives_every_worker_that_runs_it_and_their_disks() {
    let mut trio = Trio::new(3).await;
    for n in 1..=3 {
        assert_eq!(trio.count(0).await, format!("Ok({n})"));
    }
    assert_eq!(trio.ask(1).await.problem(), Some("stands-by"));
    trio.until_held(0, 2).await;
    // Nobody touches the chain: the next one sees that the lead is gone, and takes its place.
    trio.destroy(0);
    trio.serving(1).await;
    assert_eq!(trio.lab.network.workers()[0], trio.id(1));
    let old = trio.lab.fetched(trio.process(1), &trio.alice, &trio.program, 2).await;
    assert_eq!(old.text(), "Ok(3)", "an acknowledged result is still there");
    assert_eq!(trio.count(1).await, "Ok(4)");

    trio.until_held(1, 1).await;
    trio.destroy(1);
    trio.serving(2).await;
    assert_eq!(trio.count(2).await, "Ok(5)");
    assert_eq!((trio.held(2).1, trio.lab.network.anchor(&trio.program).version), (0, 5), "nobody else is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_lives_keeps_the_lead_although_others_cannot_reach_it() {
    let trio = Trio::new(2).await;
    trio.lab.wires.cut.lock().unwrap().insert(trio.process(0).endpoint.clone());
    let network = trio.lab.network.clone();
    trio.lab.until("a doubt", || network.lead().doubted.is_some()).await;
    trio.lab.until("its answer", || network.lead().doubted.is_none()).await;
    assert_eq!(network.workers()[0], trio.id(0));
    assert_eq!(trio.count(0).await, "Ok(1)");
}

/// Every anchored version is held by whoever stands by, wherever the lead dies: nothing is lost, nothing repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_dies_at_any_step_of_shipping_loses_no_command_and_repeats_none() {
    for messages in 0..10 {
        let mut trio = Trio::new(2).await;
        assert_eq!(trio.count(0).await, "Ok(1)");
        trio.until_held(0, 1).await;
        let network = trio.lab.network.clone();
        // From then on nothing leaves the lead any more, to nobody.
        *trio.lab.wires.exhausted.lock().unwrap() =
            Some(Box::new(move || network.fault(Faults { silent: true, ..Faults::default() })));
        *trio.lab.wires.budget.lock().unwrap() = Some(messages);
        for _ in 0..3 {
            trio.lab.send(&trio.alice, &trio.program, request(&trio.program, "POST", "/kv?inc:n=1", b""));
            trio.lab.blocks(2).await;
        }
        trio.destroy(0);
        *trio.lab.wires.budget.lock().unwrap() = None;
        trio.lab.network.fault(Faults::default());
        trio.lab.network.promote(&trio.id(1));
        for index in 1..4 {
            let done = trio.lab.fetched(trio.process(1), &trio.alice, &trio.program, index).await;
            assert_eq!(done.text(), format!("Ok({})", index + 1), "command {index} after {messages} messages");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_by_and_does_not_answer_stops_nobody_and_is_caught_up() {
    let mut trio = Trio::new(3).await;
    trio.until_held(0, 2).await;
    let endpoint = trio.process(2).endpoint.clone();
    trio.lab.wires.cut.lock().unwrap().insert(endpoint.clone());
    assert_eq!(trio.count(0).await, "Ok(1)");
    assert_eq!(trio.count(0).await, "Ok(2)");
    trio.lab.until("the gap to be seen", || trio.held(0) == (2, 1)).await;
    trio.lab.wires.cut.lock().unwrap().remove(&endpoint);
    trio.until_held(0, 2).await;
    trio.until_same(0, 2).await;

    // Its disk is lost: it gets everything again.
    trio.destroy(2);
    trio.start(2);
    trio.admitted(2).await;
    assert_eq!(trio.count(0).await, "Ok(3)");
    trio.until_held(0, 2).await;
    trio.until_same(0, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_assigned_later_gets_state_and_code_from_the_others() {
    let mut trio = Trio::new(1).await;
    assert_eq!(trio.count(0).await, "Ok(1)");
    assert_eq!(trio.held(0), (0, 0), "who works alone ships nothing");
    trio.disks.push(trio.lab.disks_with_shared_keys(2));
    trio.processes.push(None);
    trio.start(1);
    trio.admitted(1).await;
    trio.lab.network.assign(trio.id(1));
    trio.until_held(0, 1).await;
    let code = || trio.disks[1].vault.contents().keys().any(|name| name.starts_with("artifact"));
    trio.lab.until("the code, compiled", code).await;
    trio.lab.network.unassign(&trio.id(0));
    trio.serving(1).await;
    assert_eq!(trio.count(1).await, "Ok(2)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_rolled_back_is_not_served_and_a_newer_one_takes_its_place() {
    let mut trio = Trio::new(3).await;
    assert_eq!(trio.count(0).await, "Ok(1)");
    trio.until_held(0, 2).await;
    let old = trio.disks[1].state.copy(&trio.program);
    assert_eq!(trio.count(0).await, "Ok(2)");
    trio.until_held(0, 2).await;
    let third = trio.process(2).endpoint.clone();
    trio.processes[0] = None;
    trio.lab.wires.cut.lock().unwrap().insert(third);
    trio.processes[1] = None;
    trio.disks[1].state.replace(&trio.program, old);
    trio.start(1);
    trio.admitted(1).await;
    trio.lab.network.promote(&trio.id(1));
    let (worker, program) = (trio.worker(1).clone(), trio.program);
    let phase = || worker.cell(&program).map(|cell| cell.phase());
    trio.lab.until("the refusal", || matches!(phase(), Ok(Problem::RolledBack(_)))).await;
    let refused = trio.ask(1).await;
    // Between two attempts it says what it is doing.
    assert!(matches!(refused.problem(), Some("rolled-back" | "preparing")), "{:?}", refused.problem());
    // Nothing of it goes to those whose copy is newer.
    trio.lab.wires.cut.lock().unwrap().clear();
    trio.serving(1).await;
    assert_eq!(trio.count(1).await, "Ok(3)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_lead_that_comes_back_stands_by_and_drops_what_nobody_anchored() {
    let mut trio = Trio::new(2).await;
    assert_eq!(trio.count(0).await, "Ok(1)");
    trio.until_held(0, 1).await;
    // It answers a command, and nobody hears of it.
    let (lead, other) = (trio.process(0).endpoint.clone(), trio.process(1).endpoint.clone());
    trio.lab.wires.cut.lock().unwrap().extend([lead, other]);
    trio.lab.network.fault(Faults { lose_anchors: true, ..Faults::default() });
    trio.lab.send(&trio.alice, &trio.program, request(&trio.program, "POST", "/kv?inc:n=1", b""));
    let cell = trio.worker(0).cell(&trio.program).unwrap();
    trio.lab.until("the commit", || cell.loaded().unwrap().newest() == 2).await;
    trio.lab.network.fault(Faults::default());
    trio.lab.wires.cut.lock().unwrap().clear();
    trio.lab.network.promote(&trio.id(1));
    trio.serving(1).await;
    assert_eq!(trio.count(1).await, "Ok(3)", "the waiting command was answered again, by the new lead");
    let worker = trio.worker(0).clone();
    let stands_by = || worker.cell(&trio.program).is_ok_and(|cell| matches!(cell.phase(), Problem::StandsBy(_)));
    trio.lab.until("the old lead to stand by", stands_by).await;
    trio.until_held(1, 1).await;
    trio.until_same(0, 1).await;
    assert!(trio.worker(0).standing().0 == "admitted", "it has not stopped");
    // And it can lead again.
    trio.destroy(1);
    trio.lab.network.promote(&trio.id(0));
    trio.serving(0).await;
    assert_eq!(trio.count(0).await, "Ok(4)");
}

/// What one worker would say to another.
fn message(from: &Process, to: &Process, number: u64, say: CopySay) -> SignedCopyMessage {
    let identity = &from.worker.identity;
    let message = CopyMessage { from: identity.worker, number, say };
    let hash = message.signing_hash(&identity.genesis, &to.worker.identity.instance);
    let signature = identity.sign_as_instance(&hash.0);
    SignedCopyMessage { message, signature }
}

async fn hear(to: &Process, message: &SignedCopyMessage) -> Result<Hash, CopyRefusal> {
    let reply = CopyReply::decode_all(&mut to.worker.copy(&message.encode()).await.as_slice()).unwrap();
    reply.map(|signed| signed.state.mark)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_replayed_gapped_and_oversized_messages_change_nothing() {
    let trio = Trio::new(3).await;
    assert_eq!(trio.count(0).await, "Ok(1)");
    trio.until_held(0, 2).await;
    trio.until_quiet(0, 1).await;
    let (lead, first, second) = (trio.process(0), trio.process(1), trio.process(2));
    let program = trio.program;
    let copy = || trio.disks[1].state.copy(&program);
    let before = copy();
    let ask = CopySay::Where { program };
    let mark = hear(first, &message(lead, first, 1 << 40, ask.clone())).await.unwrap();

    let batch: phala_state::Batch = vec![(vec![1; 32], Some(vec![2; 40]))];
    let bytes = PieceBytes::try_from(batch.encode()).unwrap();
    let after = mark_after(&mark, &sha256(&bytes));
    let total = bytes.len() as u32;
    let piece = |change, after, total, offset, bytes: &PieceBytes| CopySay::Piece {
        program,
        change,
        after,
        total,
        offset,
        bytes: bytes.clone(),
    };
    let good = piece(CopyChange::Batch { before: mark }, after, total, 0, &bytes);

    // From one that stands by, too; to another process; altered; by another's key.
    let refused = async |message: &SignedCopyMessage, refusal| assert_eq!(hear(first, message).await, Err(refusal));
    for say in [good.clone(), ask.clone(), CopySay::Give { program }, CopySay::Greet] {
        refused(&message(second, first, 1 << 41, say), CopyRefusal::NotLead).await;
    }
    refused(&message(lead, second, 1 << 41, good.clone()), CopyRefusal::Signature).await;
    let mut altered = message(lead, first, 1 << 41, good.clone());
    altered.message.number += 1;
    refused(&altered, CopyRefusal::Signature).await;
    let mut forged = message(second, first, 1 << 41, good.clone());
    forged.message.from = lead.worker.identity.worker;
    refused(&forged, CopyRefusal::Signature).await;
    let mut stranger = message(lead, first, 1 << 41, good.clone());
    stranger.message.from = WorkerId([7; 32]);
    refused(&stranger, CopyRefusal::NotMember).await;
    // What does not fit, too large, out of order, of no program.
    let large = piece(CopyChange::Whole, after, COPY_BYTES_MAX + 1, 0, &bytes);
    refused(&message(lead, first, 1 << 42, large), CopyRefusal::TooLarge).await;
    let gap = piece(CopyChange::Batch { before: mark }, after, total + 1, 1, &bytes);
    refused(&message(lead, first, (1 << 42) + 1, gap), CopyRefusal::Gap).await;
    let wrong = piece(CopyChange::Batch { before: mark }, Hash([3; 32]), total, 0, &bytes);
    refused(&message(lead, first, (1 << 42) + 2, wrong), CopyRefusal::Mark).await;
    let wrong = piece(CopyChange::Whole, after, total, 0, &bytes);
    refused(&message(lead, first, (1 << 42) + 3, wrong), CopyRefusal::Mark).await;
    let unknown = CopySay::Where { program: ProgramId([9; 32]) };
    refused(&message(lead, first, (1 << 42) + 4, unknown), CopyRefusal::UnknownProgram).await;
    for bytes in [vec![], vec![7; 300], message(lead, first, 1 << 43, good.clone()).encode()[1..].to_vec()] {
        assert_eq!(CopyReply::decode(&mut &first.worker.copy(&bytes).await[..]), Ok(Err(CopyRefusal::Malformed)));
    }
    let endless = vec![0; COPY_MESSAGE_BYTES_MAX as usize + 1];
    assert_eq!(CopyReply::decode(&mut &first.worker.copy(&endless).await[..]), Ok(Err(CopyRefusal::TooLarge)));
    let endless = vec![0; COPY_MESSAGE_BYTES_MAX as usize];
    assert_eq!(CopyReply::decode(&mut &first.worker.copy(&endless).await[..]), Ok(Err(CopyRefusal::Malformed)));
    // A batch for where the copy does not stand changes nothing, and says where it stands.
    let elsewhere = piece(CopyChange::Batch { before: Hash([4; 32]) }, Hash([5; 32]), total, 0, &bytes);
    assert_eq!(hear(first, &message(lead, first, (1 << 42) + 5, elsewhere)).await, Ok(mark));
    // Everything that the lead really said, brought again.
    let passed = trio.lab.wires.passed.lock().unwrap().clone();
    for (_, bytes) in passed.iter().filter(|(to, _)| *to == first.endpoint) {
        let signed = SignedCopyMessage::decode_all(&mut &bytes[..]).unwrap();
        if matches!(signed.message.say, CopySay::Piece { .. }) {
            refused(&signed, CopyRefusal::Replayed).await;
        }
    }
    assert_eq!(copy(), before);
    // The same message as it should be is taken; and the lead finds out, and puts right what was not its own.
    assert_eq!(hear(first, &message(lead, first, 1 << 44, good)).await, Ok(after));
    assert_ne!(copy(), before);

    // A lead that others have deposed changes nothing, whatever it believes.
    trio.lab.network.promote(&second.worker.identity.worker);
    trio.serving(2).await;
    let told = || first.worker.cluster().is_some_and(|cluster| cluster.led_by(&second.worker.identity.worker));
    trio.lab.until("the new lead to be known", told).await;
    let whole = piece(CopyChange::Whole, after, total, 0, &bytes);
    refused(&message(lead, first, 1 << 45, whole), CopyRefusal::NotLead).await;
    let now = trio.lab.clock.now();
    assert!(now.0 > 0 && shipping::SHIP_MS_MAX > 0);
}
