//! More gatekeepers are lost than may fail, with their disks. Custodians bring the seats back, and every program has its key
//! again; and whatever is early, for another machine, too little or nonsense, brings nothing.

mod common;
#[path = "common/network.rs"]
mod network;

use codec::DecodeAll;
use common::{
    Chance, LabVault,
    custody::ROOT,
    recovery::{DELAY_BLOCKS, Person, bytes, handover},
};
use network::*;
use phala_messages::{
    Role, TransportKey, WorkerId,
    custody::{Parameters, Signed},
    recovery::{Ending, Handover, PieceRefusal, PieceRelease, PieceReply, RECOVERY_PATH, SeatBackup, SeatProgress},
    storage,
};
use std::sync::Arc;

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

/// A network with four gatekeepers, disks for as many fresh ones, three custodians of whom two are needed, and a worker.
struct Story {
    lab: Lab,
    people: Vec<Person>,
    worker: Worker,
}

impl Story {
    async fn begin() -> (Self, Vec<Process>) {
        let lab = Lab::new(PARAMETERS, 8);
        let people: Vec<_> = (1..=3).map(Person::new).collect();
        lab.network.recovery(|recovery, _| recovery.appoint(2, &people));
        let processes: Vec<_> = (0..4).map(|n| lab.start(n)).collect();
        lab.until("key shares for all", || processes.iter().all(holds)).await;
        let worker = Worker::new(&lab, 1);
        lab.network.admit(worker.registration(Role::Worker), LIFE_MS);
        lab.network.assign(worker.identity.worker, true);
        lab.blocks(3).await;
        lab.until("backups", || lab.network.recovery(|recovery, custody| recovery.is_backed(custody))).await;
        (Self { lab, people, worker }, processes)
    }

    /// Gatekeeper `n` is gone, with its disk and its admission.
    fn destroy(&self, n: usize, process: Process) {
        let id = process.gatekeeper.identity.worker;
        drop(process);
        self.lab.disks[n].put_back(Default::default());
        self.expire(&id);
    }

    fn expire(&self, id: &WorkerId) {
        self.lab.network.change(|state| {
            state.remove(&storage::worker(id));
        });
    }

    async fn announce(&self) {
        let now = self.lab.network.height();
        self.lab.network.recovery(|recovery, custody| recovery.announce(custody, now));
        self.lab.blocks(2).await;
    }

    fn place(&self, id: &WorkerId) -> u32 {
        let members = self.lab.network.custody(|custody| custody.epoch().unwrap().members.clone());
        phala_messages::custody::place_of(&members, id).unwrap()
    }

    fn backup(&self, place: u32) -> SeatBackup {
        self.lab.network.recovery(|recovery, _| recovery.backups[&place].clone())
    }

    fn handover(&self, place: u32, custodian: u32, to: &Process) -> Handover {
        let to = (to.gatekeeper.identity.worker, to.gatekeeper.identity.instance);
        let backup = self.backup(place);
        self.lab.network.recovery(|recovery, _| handover(recovery.ceremony.as_ref().unwrap(), &backup, custodian, to))
    }

    /// What a custodian has of a seat.
    fn piece(&self, place: u32, custodian: u32) -> Vec<u8> {
        let (genesis, backup) = (self.lab.network.genesis(), self.backup(place));
        let person = &self.people[custodian as usize];
        let piece = self.lab.network.custody(|custody| person.open(&genesis, &backup, custodian, custody));
        piece.expect("it opens, and it is one of this seat").bytes_to_seal().to_vec()
    }

    fn sealed(&self, handover: Handover, piece: &[u8], transport: &TransportKey) -> Signed<PieceRelease> {
        let person = &self.people[handover.custodian as usize];
        person.release(&self.lab.network.genesis(), handover, piece, transport)
    }

    /// A custodian hands its piece over as it should.
    async fn release(&self, place: u32, custodian: u32, to: &Process) -> PieceReply {
        let handover = self.handover(place, custodian, to);
        let sealed = self.sealed(handover, &self.piece(place, custodian), &to.gatekeeper.identity.transport);
        send(to, bytes(&sealed)).await
    }

    fn endings(&self) -> Vec<Ending> {
        self.lab.network.recovery(|recovery, _| recovery.endings.clone())
    }
}

async fn send(to: &Process, bytes: Vec<u8>) -> PieceReply {
    let reply = to.gatekeeper.handle(RECOVERY_PATH, &bytes).await.expect("it answers");
    PieceReply::decode_all(&mut reply.as_slice()).unwrap()
}

fn names(vault: &Arc<LabVault>) -> Vec<String> {
    vault
        .contents()
        .into_keys()
        .filter(|name| name.starts_with("gatekeeper/seat/") || name.starts_with("gatekeeper/pieces/"))
        .collect()
}

const WHOLE: PieceReply = Ok(SeatProgress { pieces: 2, required: 2 });
const HALF: PieceReply = Ok(SeatProgress { pieces: 1, required: 2 });

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_four_are_destroyed_and_custodians_bring_every_programs_key_back() {
    let (story, mut processes) = Story::begin().await;
    let lab = &story.lab;
    let key = story.worker.program_key(lab, &processes[..3]).await;
    let ids: Vec<_> = processes.iter().map(|process| process.gatekeeper.identity.worker).collect();
    let seats: Vec<u32> = ids.iter().map(|id| story.place(id)).collect();
    for n in (0..3).rev() {
        story.destroy(n, processes.remove(n));
    }
    let survivor = processes.remove(0);
    lab.blocks(5).await;
    let mut fresh: Vec<Process> = (4..7).map(|n| lab.start(n)).collect();
    lab.until("fresh ones to be admitted", || fresh.iter().all(|it| it.gatekeeper.status().serving)).await;
    assert!(fresh.iter().all(|it| !holds(it)), "who holds nothing gets nothing");

    // Nothing before the delay has passed, and nothing for who is not bound.
    story.announce().await;
    assert_eq!(story.release(seats[0], 0, &fresh[0]).await, Err(PieceRefusal::Early));
    lab.blocks(DELAY_BLOCKS).await;
    assert_eq!(story.release(seats[0], 0, &fresh[0]).await, Err(PieceRefusal::NotBound));
    for n in 0..3 {
        let id = fresh[n].gatekeeper.identity.worker;
        lab.network.recovery(|recovery, _| recovery.bind(seats[n], id));
    }
    lab.blocks(2).await;

    // For another seat, another machine, another process; not by the custodian; nonsense.
    let transport = fresh[0].gatekeeper.identity.transport;
    assert_eq!(story.release(seats[1], 0, &fresh[0]).await, Err(PieceRefusal::NotBound));
    let good = story.handover(seats[0], 0, &fresh[0]);
    let piece = story.piece(seats[0], 0);
    let other = fresh[1].gatekeeper.identity.transport;
    assert_eq!(send(&fresh[0], bytes(&story.sealed(good, &piece, &other))).await, Err(PieceRefusal::DoesNotOpen));
    let right = story.sealed(good, &piece, &transport);
    assert_eq!(send(&fresh[1], bytes(&right)).await, Err(PieceRefusal::NotBound));
    let mut forged = right.clone();
    forged.signature[0] ^= 1;
    assert_eq!(send(&fresh[0], bytes(&forged)).await, Err(PieceRefusal::Signature));
    let unknown = Handover { custodian: 9, ..good };
    let unsigned = Signed { message: PieceRelease { handover: unknown, ..right.message.clone() }, ..right.clone() };
    assert_eq!(send(&fresh[0], bytes(&unsigned)).await, Err(PieceRefusal::Signature));
    for (change, refusal) in [
        (Handover { ceremony: good.ceremony.next(), ..good }, PieceRefusal::NoCeremony),
        (Handover { epoch: good.epoch.next(), ..good }, PieceRefusal::NoCeremony),
        (Handover { root: ROOT.next(), ..good }, PieceRefusal::NoCeremony),
        (Handover { set: good.set.next(), ..good }, PieceRefusal::OtherBackup),
        (Handover { instance: phala_messages::InstanceKey([1; 32]), ..good }, PieceRefusal::OtherInstance),
    ] {
        assert_eq!(send(&fresh[0], bytes(&story.sealed(change, &piece, &transport))).await, Err(refusal));
    }
    let foreign = story.piece(seats[1], 0);
    assert_eq!(send(&fresh[0], bytes(&story.sealed(good, &foreign, &transport))).await, Err(PieceRefusal::WrongPiece));
    let garbage = [7; 32];
    assert_eq!(send(&fresh[0], bytes(&story.sealed(good, &garbage, &transport))).await, Err(PieceRefusal::WrongPiece));
    assert_eq!(send(&fresh[0], vec![1, 2, 3]).await, Err(PieceRefusal::Malformed));

    // One custodian is not enough, however often it comes; what it gave survives the process.
    assert_eq!(send(&fresh[0], bytes(&right)).await, HALF);
    assert_eq!(send(&fresh[0], bytes(&right)).await, HALF);
    fresh[0] = lab.start(4);
    lab.until("it is back", || fresh[0].gatekeeper.status().serving).await;
    lab.blocks(2).await;
    assert_eq!(send(&fresh[0], bytes(&right)).await, Err(PieceRefusal::OtherInstance));
    assert_eq!(story.release(seats[0], 2, &fresh[0]).await, WHOLE);
    assert_eq!(story.release(seats[0], 1, &fresh[0]).await, Err(PieceRefusal::Taken));

    // Two seats and the survivor give a key.
    assert_eq!(story.release(seats[1], 1, &fresh[1]).await, HALF);
    assert!(story.endings().is_empty());
    assert_eq!(story.release(seats[1], 2, &fresh[1]).await, WHOLE);
    lab.until("the ceremony's end", || !story.endings().is_empty()).await;
    assert_eq!(story.endings(), [Ending::Completed]);
    let serving: Vec<Process> = vec![fresh.remove(0), fresh.remove(0), survivor];
    lab.until("key shares", || serving.iter().all(holds)).await;
    assert_eq!(story.worker.program_key(lab, &serving).await, key, "the same key as before");

    // The third machine, bound and without a seat, keeps nothing; the key is handed on to it under its own name.
    let mut all = serving;
    all.push(fresh.remove(0));
    lab.until("the next epoch", || lab.network.custody(|custody| custody.epochs.len()) > 1).await;
    lab.until("key shares for all", || all.iter().all(holds)).await;
    assert_eq!(story.worker.program_key(lab, &all[1..]).await, key);
    lab.blocks(3).await;
    for n in 4..7 {
        assert_eq!(names(&lab.disks[n]), Vec::<String>::new(), "nothing is left of a seat");
    }
    lab.until("fresh backups", || lab.network.recovery(|recovery, custody| recovery.is_backed(custody))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_return_stop_a_ceremony_and_what_was_handed_over_is_erased() {
    let (story, mut processes) = Story::begin().await;
    let lab = &story.lab;
    let id = processes[0].gatekeeper.identity.worker;
    let place = story.place(&id);
    // Two of four are away, with their disks; three are needed.
    for _ in 0..2 {
        let process = processes.remove(0);
        let id = process.gatekeeper.identity.worker;
        drop(process);
        story.expire(&id);
    }
    lab.blocks(3).await;
    let fresh = lab.start(4);
    story.announce().await;
    lab.blocks(DELAY_BLOCKS).await;
    let bound = fresh.gatekeeper.identity.worker;
    lab.network.recovery(|recovery, _| recovery.bind(place, bound));
    lab.blocks(2).await;
    assert_eq!(story.release(place, 0, &fresh).await, HALF);
    assert_eq!(names(&lab.disks[4]).len(), 1);
    assert!(story.endings().is_empty(), "two members are there, which is too few");
    processes.push(lab.start(1));
    lab.until("the end", || !story.endings().is_empty()).await;
    assert_eq!(story.endings(), [Ending::MembersBack]);
    lab.blocks(3).await;
    assert_eq!(names(&lab.disks[4]), Vec::<String>::new());
    lab.until("they serve", || processes.iter().all(holds)).await;
    story.worker.program_key(lab, &processes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_keeps_one_seat_at_a_time_and_forgets_it_with_its_ceremony() {
    let (story, mut processes) = Story::begin().await;
    let lab = &story.lab;
    let mut seats = vec![];
    for n in 0..3 {
        let process = processes.remove(0);
        seats.push(story.place(&process.gatekeeper.identity.worker));
        story.destroy(n, process);
    }
    let fresh = lab.start(4);
    lab.until("it is admitted", || fresh.gatekeeper.status().serving).await;
    let id = fresh.gatekeeper.identity.worker;
    for (ceremony, place) in seats[..2].iter().enumerate() {
        story.announce().await;
        lab.blocks(DELAY_BLOCKS).await;
        lab.network.recovery(|recovery, _| recovery.bind(*place, id));
        lab.blocks(2).await;
        let other = seats[1 - ceremony];
        assert_eq!(story.release(other, 0, &fresh).await, Err(PieceRefusal::NotBound));
        assert_eq!(story.release(*place, 0, &fresh).await, HALF);
        assert_eq!(story.release(*place, 1, &fresh).await, WHOLE);
        lab.blocks(2).await;
        assert_eq!(names(&lab.disks[4]), ["gatekeeper/seat/0"]);
        assert!(story.endings().len() == ceremony, "one seat and one member are too few");
        lab.network.recovery(|recovery, _| recovery.end(Ending::Cancelled));
        lab.blocks(3).await;
        assert_eq!(names(&lab.disks[4]), Vec::<String>::new());
        assert!(!holds(&fresh));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceremony_succeeds_whatever_is_killed_in_between() {
    for seed in 0..3 {
        let mut chance = Chance::new(seed);
        let (story, mut processes) = Story::begin().await;
        let lab = &story.lab;
        let key = story.worker.program_key(lab, &processes[..3]).await;
        let mut seats = vec![];
        for n in 0..3 {
            let process = processes.remove(0);
            seats.push(story.place(&process.gatekeeper.identity.worker));
            story.destroy(n, process);
        }
        let mut fresh: Vec<Process> = (4..7).map(|n| lab.start(n)).collect();
        lab.until("fresh ones", || fresh.iter().all(|it| it.gatekeeper.status().serving)).await;
        story.announce().await;
        lab.blocks(DELAY_BLOCKS).await;
        for (place, process) in seats.iter().zip(&fresh) {
            lab.network.recovery(|recovery, _| recovery.bind(*place, process.gatekeeper.identity.worker));
        }
        for _ in 0..200 {
            if !story.endings().is_empty() {
                break;
            }
            let n = chance.below(3) as usize;
            if chance.percent(25) {
                fresh[n] = lab.start(n + 4);
            }
            if lab.network.recovery(|recovery, _| recovery.ceremony.is_some()) {
                let _ = story.release(seats[n], chance.below(3) as u32, &fresh[n]).await;
            }
            lab.blocks(chance.below(3) as u32).await;
        }
        assert_eq!(story.endings(), [Ending::Completed], "seed {seed}");
        fresh.extend(processes);
        // Whoever took no seat joins in the next round.
        let over = || lab.network.custody(|custody| custody.round().is_none_or(|(record, _)| record.phase.is_over()));
        lab.until("key shares for all", || over() && fresh.iter().all(holds)).await;
        lab.blocks(4).await;
        lab.until("key shares for all", || over() && fresh.iter().all(holds)).await;
        assert_eq!(story.worker.program_key(lab, &fresh).await, key, "seed {seed}");
    }
}
