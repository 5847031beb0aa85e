//! Many gatekeepers in one process, one seed for everything that goes wrong: lost, late, doubled and altered messages,
//! partitions, crashes, disks that are put back, liars, members that come and go.
//!
//! Here the rooms below HTTP play: rounds, shares, dealing, playing. The chain is what stands in the module `chain` beside this one: a
//! model of the pallet, or the runtime. Views are taken from it directly; `network.rs` puts proofs and seals around it.

use crate::{
    chain::{Custody, ROOT, id, instance},
    common::{Blobs, Chance, LabEntropy, LabVault, record},
};
use codec::{Decode, Encode};
use phala_crypto::Secret;
use phala_enclave_gatekeeper::{
    peers::{PeerAnswer, PeerRefusal, PeerReply, PeerRequest, Sensitive},
    rounds::{Ask, Doubt, LATE_BLOCKS, Rounds, Say},
    view::{RootView, RoundView, View},
};
use phala_machine::{Cabinet, Standing};
use phala_messages::{
    BlockHash, BlockRef, GenesisHash, Hash, ParticipantKey, Registration, Role, TransportKey, WorkerId,
    custody::{DeliveryHead, EpochNumber, Member, Parameters, Phase, RoundNumber, place_of},
};
use phala_threshold::{
    CombineError, Dealer, Identity, KeyIdentity, KeyShare, Output, PartialKey, RoundTerms, Signer, combine, evaluate,
};
use phala_units::{BlockNumber, UnixMillis};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const GENESIS: GenesisHash = GenesisHash([7; 32]);
const PARAMETERS: Parameters = Parameters {
    members: 4,
    members_min: 4,
    refresh_blocks: 10,
    dealing_blocks: 8,
    confirming_blocks: 8,
    reporting_blocks: 8,
    retry_blocks: 2,
    ..Parameters::DEFAULT
};

fn cabinet(n: usize, vault: &Arc<LabVault>, seed: u64) -> Arc<Cabinet> {
    Arc::new(Cabinet::new(vault.clone(), &Secret::new([n as u8 + 1; 32]), LabEntropy::new(seed)))
}

/// One gatekeeper: its disk, and its process while it runs.
struct Node {
    vault: Arc<LabVault>,
    rounds: Option<Rounds>,
    view: View,
    admitted: BlockNumber,
    starts: u64,
}

/// A message on its way.
struct Wire {
    due: u64,
    from: usize,
    ask: Ask,
}

/// What goes wrong, in percent.
#[derive(Clone, Copy, Default)]
struct Faults {
    lose: u64,
    delay: u64,
    double: u64,
    alter: u64,
    crash: u64,
    lag: u64,
    mute: u64,
}

struct World {
    seed: u64,
    chance: Chance,
    custody: Custody,
    block: BlockNumber,
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    step: u64,
    faults: Faults,
    /// Pairs that cannot talk.
    cut: BTreeSet<(usize, usize)>,
    /// Everything that must be said once only.
    dealt: BTreeMap<(RoundNumber, WorkerId, WorkerId), Hash>,
    logs: BTreeMap<(RoundNumber, WorkerId), Hash>,
    outputs: BTreeMap<RoundNumber, Hash>,
    key: Option<[u8; 32]>,
}

fn identity() -> Identity {
    KeyIdentity { genesis: GENESIS.0, cluster: 1, program: [5; 32], code_epoch: 0 }.into()
}

impl World {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = Self {
            seed,
            chance: Chance::new(seed),
            custody: Custody::new(PARAMETERS),
            block: BlockNumber(1),
            nodes: vec![],
            wires: vec![],
            step: 0,
            faults: Faults::default(),
            cut: BTreeSet::new(),
            dealt: BTreeMap::new(),
            logs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            key: None,
        };
        for n in 0..count {
            world.nodes.push(Node {
                vault: Arc::default(),
                rounds: None,
                view: View::nothing(),
                admitted: BlockNumber(0),
                starts: 0,
            });
            world.start(n);
            let participant = ParticipantKey(world.rounds(n).participant().0);
            world.custody.eligible.push(Member { gatekeeper: id(n), participant });
        }
        world
    }

    fn start(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.starts += 1;
        let entropy_seed = self.seed << 16 ^ (n as u64) << 8 ^ node.starts;
        let cabinet = cabinet(n, &node.vault, entropy_seed ^ 0xabcd);
        let rounds = Rounds::open(GENESIS, id(n), cabinet, LabEntropy::new(entropy_seed));
        node.rounds = Some(rounds.expect("what it kept opens"));
        node.admitted = self.block;
    }

    fn crash(&mut self, n: usize) {
        self.nodes[n].rounds = None;
    }

    fn rounds(&mut self, n: usize) -> &mut Rounds {
        self.nodes[n].rounds.as_mut().expect("it runs")
    }

    fn view(&self, n: usize) -> View {
        let time = UnixMillis(u64::from(self.block.0) * 2_000);
        let registration = |n: usize| Registration {
            worker: id(n),
            instance: instance(n),
            transport: TransportKey([n as u8; 32]),
            role: Role::Gatekeeper,
            endpoint: Default::default(),
        };
        let machine = |n: usize| Arc::new(record(registration(n), self.nodes[n].admitted, time, 1_000_000));
        let round = self.custody.round().cloned();
        let epochs: BTreeMap<_, _> =
            self.custody.epochs.iter().map(|(number, epoch)| (*number, Arc::new(epoch.clone()))).collect();
        let root =
            self.custody.root.map(|record| (ROOT, RootView { epoch: epochs.get(&record.epoch).cloned(), record }));
        View {
            head: None,
            block: BlockRef { number: self.block, hash: BlockHash([0; 32]) },
            time,
            standing: Standing::Admitted(machine(n)),
            parameters: PARAMETERS,
            round: round.map(|(record, logs)| Arc::new(RoundView { record, logs })),
            roots: root.into_iter().collect(),
            epochs,
            machines: (0..self.nodes.len()).map(|n| (id(n), machine(n))).collect(),
            delivered: DeliveryHead::default(),
            recovery: Default::default(),
        }
    }

    /// One block, and what happens until the next one.
    fn advance(&mut self) {
        self.block = self.block.next();
        let running: BTreeSet<_> = (0..self.nodes.len()).filter(|n| self.nodes[*n].rounds.is_some()).map(id).collect();
        self.custody.advance(self.block, |gatekeeper| running.contains(gatekeeper));
        for n in 0..self.nodes.len() {
            if self.nodes[n].rounds.is_some() {
                if self.chance.percent(self.faults.crash) {
                    self.crash(n);
                }
            } else if self.chance.percent(40) {
                self.start(n);
            }
            if self.nodes[n].rounds.is_some() && !self.chance.percent(self.faults.lag) {
                let view = self.view(n);
                self.rounds(n).observe(&view).expect("nothing to doubt");
                self.nodes[n].view = view;
            }
        }
        for _ in 0..3 {
            self.talk();
        }
        self.tell();
        self.check();
    }

    /// Everybody asks what it wants to know; what was on its way arrives.
    fn talk(&mut self) {
        self.step += 1;
        for n in 0..self.nodes.len() {
            let node = &mut self.nodes[n];
            let Some(rounds) = &mut node.rounds else { continue };
            for ask in rounds.asks(&node.view) {
                if let PeerRequest::Deal { round, dealing } = &ask.request {
                    let hash = phala_messages::transcript::sha256(&dealing.0);
                    let before = *self.dealt.entry((*round, id(n), ask.to)).or_insert(hash);
                    assert_eq!(before, hash, "seed {}: a dealer dealt twice and differently", self.seed);
                }
                if self.chance.percent(self.faults.lose) {
                    continue;
                }
                let late = if self.chance.percent(self.faults.delay) { 1 + self.chance.below(9) } else { 0 };
                if self.chance.percent(self.faults.double) {
                    let due = self.step + self.chance.below(9);
                    self.wires.push(Wire { due, from: n, ask: ask.clone() });
                }
                self.wires.push(Wire { due: self.step + late, from: n, ask });
            }
        }
        let now = self.step;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.wires).into_iter().partition(|w| w.due <= now);
        self.wires = later;
        for Wire { from, ask, .. } in due {
            self.deliver(from, ask);
        }
    }

    fn alter(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() && self.chance.percent(self.faults.alter) {
            let at = self.chance.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << self.chance.below(8);
        }
    }

    fn deliver(&mut self, from: usize, ask: Ask) {
        let to = (0..self.nodes.len()).find(|n| id(*n) == ask.to).expect("everybody is here");
        if self.cut.contains(&(from.min(to), from.max(to))) {
            return;
        }
        // Altered on the way: the seal would stop it, but what is behind the seal must bear it, too.
        let mut bytes = ask.request.encode();
        self.alter(&mut bytes);
        let Ok(request) = PeerRequest::decode(&mut bytes.as_slice()) else { return };
        let node = &mut self.nodes[to];
        let Some(rounds) = &mut node.rounds else { return };
        let reply = rounds.answer(&node.view, &id(from), &request).expect("nothing to doubt");
        if self.chance.percent(self.faults.lose) {
            return;
        }
        let mut bytes = reply.encode();
        self.alter(&mut bytes);
        let Ok(Ok(answer)) = PeerReply::decode(&mut bytes.as_slice()) else { return };
        let node = &mut self.nodes[from];
        let Some(rounds) = &mut node.rounds else { return };
        rounds.take(&node.view, &id(to), &ask.request, answer).expect("nothing to doubt");
    }

    /// Everybody tells the chain what it has to say.
    fn tell(&mut self) {
        for n in 0..self.nodes.len() {
            let node = &self.nodes[n];
            let Some(rounds) = &node.rounds else { continue };
            for say in rounds.says(&node.view) {
                match &say {
                    Say::Log(log) => {
                        let before = *self.logs.entry((log.round, log.dealer)).or_insert(log.log_hash);
                        assert_eq!(before, log.log_hash, "seed {}: a dealer has two logs", self.seed);
                    }
                    Say::Report(report) => {
                        let before = *self.outputs.entry(report.round).or_insert(report.output_hash);
                        assert_eq!(before, report.output_hash, "seed {}: two outputs of one round", self.seed);
                    }
                    _ => {}
                }
                if !self.chance.percent(self.faults.mute) {
                    let (custody, now) = (&mut self.custody, self.block);
                    // Refusals are part of the game: views lag.
                    let _ = match &say {
                        Say::Log(message) => custody.commit_log(message, now),
                        Say::Confirm(message) => custody.confirm(message, now),
                        Say::Report(message) => custody.report(message, now),
                        Say::Complain(message) => custody.complain(message),
                        other => panic!("no custodians were appointed: {other:?}"),
                    };
                }
            }
        }
    }

    /// What must always hold.
    fn check(&mut self) {
        let Some(root) = self.custody.root else { return };
        let seed = self.seed;
        for epoch in self.custody.epochs.values() {
            assert_eq!(epoch.group_key, root.group_key, "seed {seed}: the group key changed");
        }
        for (n, node) in self.nodes.iter().enumerate() {
            let Some(rounds) = &node.rounds else { continue };
            let Some(held) = rounds.shares().epoch(ROOT) else { continue };
            assert!(held <= root.epoch, "seed {seed}: {n} is ahead of the chain");
            // As soon as it has seen a newer epoch, the older key share is gone, from memory and disk.
            let seen = node.view.roots.get(&ROOT).map(|seen| seen.record.epoch);
            assert!(seen.is_none_or(|seen| seen <= held), "seed {seed}: {n} holds a key share of an old epoch");
            assert_eq!(stored_epoch(n, &node.vault), Some(held), "seed {seed}: {n} keeps another key share on disk");
        }
    }

    fn holders(&self) -> Vec<usize> {
        let Some(epoch) = self.custody.epoch() else { return vec![] };
        let holds = |node: &Node| node.rounds.as_ref().is_some_and(|r| r.shares().epoch(ROOT) == Some(epoch.epoch));
        (0..self.nodes.len()).filter(|n| holds(&self.nodes[*n])).collect()
    }

    /// Makes blocks until `done`.
    fn until(&mut self, what: &str, blocks: u32, done: impl Fn(&Self) -> bool) {
        for _ in 0..blocks {
            if done(self) {
                return;
            }
            self.advance();
        }
        let round = self.custody.round().map(|(record, _)| record.clone());
        panic!("seed {}: never came: {what}; {round:?}, holders {:?}", self.seed, self.holders());
    }

    fn epoch(&self) -> EpochNumber {
        self.custody.epoch().expect("there is an epoch").epoch
    }

    /// The key share as it lies on this gatekeeper's disk.
    fn share(&self, n: usize) -> (Output, KeyShare) {
        stored_share(n, &self.nodes[n].vault.contents()).expect("it holds one")
    }

    fn partials(&self, nodes: &[usize]) -> (Output, Vec<(phala_threshold::ParticipantKey, PartialKey)>) {
        let output = self.share(nodes[0]).0;
        let of = |n: &usize| {
            let key = self.nodes[*n].rounds.as_ref().expect("it runs").participant();
            (key, evaluate(&self.share(*n).1, &identity()))
        };
        (output, nodes.iter().map(of).collect())
    }

    /// The program's key from these gatekeepers: always the same.
    fn check_key(&mut self) {
        let holders = self.holders();
        let epoch = self.custody.epoch().unwrap();
        let needed = epoch.threshold as usize;
        let (output, partials) = self.partials(&holders[holders.len() - needed..]);
        assert_eq!(output.hash(), epoch.output_hash.0);
        let key = *combine(&output, &identity(), &partials).expect("enough of them").key.expose();
        assert_eq!(*self.key.get_or_insert(key), key, "seed {}: the program's key changed", self.seed);
        let (output, partials) = self.partials(&holders[..needed - 1]);
        assert!(matches!(combine(&output, &identity(), &partials), Err(CombineError::TooFew { .. })));
    }
}

fn open(n: usize, blobs: &Blobs, name: &str) -> Option<Vec<u8>> {
    cabinet(n, &LabVault::with(blobs.clone()), 0).get(name).expect("it opens on its own machine")
}

fn stored_share(n: usize, blobs: &Blobs) -> Option<(Output, KeyShare)> {
    let bytes = open(n, blobs, "gatekeeper/share/0")?;
    let (_, _, output, share) = <(u32, u32, Vec<u8>, Vec<u8>)>::decode(&mut bytes.as_slice()).unwrap();
    Some((Output::parse(&output).unwrap(), KeyShare::parse(&share).unwrap()))
}

fn stored_epoch(n: usize, vault: &Arc<LabVault>) -> Option<EpochNumber> {
    let bytes = open(n, &vault.contents(), "gatekeeper/share/0")?;
    Some(EpochNumber::decode(&mut bytes.as_slice()).unwrap())
}

/// A key is made and handed on while everything goes wrong; then the network heals, and everybody holds a key share again.
fn run(seed: u64) {
    let mut world = World::new(seed, if seed % 3 == 0 { 5 } else { 4 });
    let mut chance = Chance::new(seed ^ 0xfeed);
    let mut pick = |max: u64| chance.below(max + 1);
    world.faults = Faults {
        lose: pick(30),
        delay: pick(30),
        double: pick(20),
        alter: pick(5),
        crash: pick(4),
        lag: pick(30),
        mute: pick(40),
    };
    if seed % 4 == 1 {
        world.cut.insert((0, 1 + pick(2) as usize));
    }
    let trouble = 20 + pick(10) as u32;
    for _ in 0..trouble {
        world.advance();
    }
    // A member leaves, another one takes its place.
    if seed % 3 == 0 {
        world.custody.eligible.remove(pick(3) as usize);
    }
    world.faults = Faults::default();
    world.cut.clear();
    let before = world.custody.epochs.len();
    world.until("an epoch after the trouble", 60, |world| world.custody.epochs.len() > before);
    world.until("key shares for all", 10, |world| world.holders().len() == 4);
    world.check_key();
}

fn run_all(seeds: std::ops::Range<u64>) {
    seeds.for_each(run);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_0_to_49() {
    run_all(0..50);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_50_to_99() {
    run_all(50..100);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_100_to_149() {
    run_all(100..150);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_150_to_199() {
    run_all(150..200);
}

#[test]
fn a_key_is_made_and_refreshed_and_stays() {
    let mut world = World::new(1_000, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    world.check_key();
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    world.check_key();
    // What the rounds left on disk: nothing but key share, names and, for a while, logs.
    let mut quiet = world;
    quiet.custody.parameters.refresh_blocks = 1_000;
    let end = quiet.block.saturating_add(LATE_BLOCKS + 2);
    quiet.until("the end of lateness", LATE_BLOCKS + 3, |world| world.block >= end);
    let expected = BTreeSet::from([
        "gatekeeper/mark".to_string(),
        "gatekeeper/participant".into(),
        "gatekeeper/share/0".into(),
        "gatekeeper/shares".into(),
    ]);
    for node in &quiet.nodes {
        assert_eq!(node.vault.contents().into_keys().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn key_shares_of_two_epochs_do_not_combine_and_one_below_the_threshold_derives_nothing() {
    let mut world = World::new(1_001, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    // A thief copies two whole machines, disk and sealing key, now, and one more after the refresh.
    let (output, mut stolen) = world.partials(&[0, 1]);
    assert!(matches!(combine(&output, &identity(), &stolen), Err(CombineError::TooFew { good: 2, .. })));
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    let (newer, more) = world.partials(&[2]);
    stolen.extend(more);
    assert!(matches!(combine(&output, &identity(), &stolen), Err(CombineError::TooFew { good: 2, .. })));
    assert!(matches!(combine(&newer, &identity(), &stolen), Err(CombineError::TooFew { good: 1, .. })));
    // Relabelled, they are told apart by the mathematics.
    for (_, partial) in &mut stolen {
        let mut bytes = partial.bytes_to_seal().to_vec();
        bytes[..8].copy_from_slice(&newer.round().to_le_bytes());
        *partial = PartialKey::parse(&bytes).unwrap();
    }
    assert!(matches!(combine(&newer, &identity(), &stolen), Err(CombineError::TooFew { good: 1, .. })));
}

#[test]
fn a_key_share_that_was_put_back_is_erased_and_never_used() {
    let mut world = World::new(1_002, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    let old = world.nodes[0].vault.contents();
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    world.crash(0);
    world.nodes[0].vault.put_back(old);
    world.start(0);
    assert_eq!(world.rounds(0).shares().epoch(ROOT), Some(EpochNumber(0)));
    let view = world.view(0);
    world.rounds(0).observe(&view).unwrap();
    assert_eq!(world.rounds(0).shares().epoch(ROOT), None);
    assert!(!world.nodes[0].vault.contents().contains_key("gatekeeper/share/0"));
    world.nodes[0].view = view;
    // The next epoch gives it a key share again: it plays, although it cannot deal.
    world.until("the third epoch", 60, |world| world.holders().len() == 4 && world.epoch().0 == 2);
    world.check_key();
}

#[test]
fn a_disk_put_back_in_the_middle_of_dealing_deals_nothing_else() {
    let mut world = World::new(1_003, 4);
    let before = world.nodes[0].vault.contents();
    let dealing = |world: &World| world.custody.round().is_some_and(|(record, _)| record.phase == Phase::Dealing);
    // Nobody answers: the dealings of the first process are out, and the round goes on.
    world.faults.mute = 100;
    world.until("dealing", 10, dealing);
    world.advance();
    let round = world.custody.newest;
    assert!(world.dealt.keys().any(|(number, dealer, _)| (*number, *dealer) == (round, id(0))));
    world.crash(0);
    world.nodes[0].vault.put_back(before);
    world.start(0);
    for _ in 0..3 {
        // `talk` asserts that no second dealing differs from the first.
        world.advance();
    }
    assert!(!world.nodes[0].vault.contents().contains_key(&format!("gatekeeper/round/{}/seed", round.0)));
    world.faults.mute = 0;
    world.until("an epoch all the same", 60, |world| world.holders().len() == 4);
}

#[test]
fn a_crash_after_every_write_ends_where_no_crash_would() {
    for writes in 0..12 {
        let mut world = World::new(2_000 + writes, 4);
        world.until("the round", 10, |world| world.custody.newest.0 == 1);
        // One gatekeeper crashes once in each of the first blocks of the round, another later.
        for block in 0..writes {
            world.advance();
            world.crash((block % 4) as usize);
            world.start((block % 4) as usize);
        }
        world.until("an epoch", 80, |world| world.holders().len() == 4);
        world.check_key();
    }
}

#[test]
fn a_player_that_was_cut_off_gets_its_key_share_from_the_logs_of_the_others() {
    let mut world = World::new(1_004, 4);
    world.faults.mute = 100;
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    // All dealings arrive; then one of them hears nothing until the others have finished.
    world.advance();
    world.faults.mute = 0;
    world.cut = [(0, 1), (0, 2), (0, 3)].into();
    world.until("the epoch of the others", 40, |world| world.custody.root.is_some());
    world.advance();
    assert_eq!(world.holders(), [1, 2, 3]);
    world.cut.clear();
    world.until("the late key share", 10, |world| world.holders().len() == 4);
    assert_eq!(world.epoch(), EpochNumber(0));
    world.check_key();
}

#[test]
fn a_dealer_that_cheats_is_complained_of_and_the_others_go_on() {
    let mut world = World::new(1_005, 4);
    world.faults.mute = 100;
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    let record = world.custody.round().unwrap().0.clone();
    // Gatekeeper 3 deals with another seed than the one it dealt with before: a contradiction.
    world.advance();
    let liar_seed = {
        let bytes = open(3, &world.nodes[3].vault.contents(), "gatekeeper/participant").unwrap();
        Secret::new(bytes.try_into().unwrap())
    };
    let keys = |members: &[Member]| {
        members.iter().map(|member| phala_threshold::ParticipantKey(member.participant.0)).collect()
    };
    let terms = RoundTerms {
        network: GENESIS.0,
        number: 1,
        previous: None,
        dealers: keys(&record.dealers),
        players: keys(&record.players),
    };
    let (_, dealings) =
        Dealer::start(&terms.check().unwrap(), &Signer::new(&liar_seed), &Secret::new([66; 32]), None).unwrap();
    let victim = world.rounds(0).participant();
    let (_, other) = dealings.into_iter().find(|(player, _)| *player == victim).unwrap();
    let request = PeerRequest::Deal { round: RoundNumber(1), dealing: Sensitive(other.bytes_to_seal()) };
    let view = world.view(0);
    assert_eq!(world.rounds(0).answer(&view, &id(3), &request).unwrap(), Err(PeerRefusal::BadDealing));
    // Brought by another one it gets nowhere.
    assert_eq!(world.rounds(0).answer(&view, &id(2), &request).unwrap(), Err(PeerRefusal::NoPart));
    world.faults.mute = 0;
    world.advance();
    let complaint = world.custody.complaints.first().expect("the chain was told").clone();
    assert_eq!((complaint.dealer, complaint.by), (id(3), id(0)));
    let proof = phala_threshold::Complaint::parse(&complaint.evidence).unwrap();
    assert!(proof.verify(&terms.check().unwrap()).is_ok(), "anyone can verify it");
    world.until("an epoch", 60, |world| world.holders().len() == 4);
}

#[test]
fn a_round_with_a_known_number_and_other_terms_stops_the_gatekeeper() {
    let mut world = World::new(1_006, 4);
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    world.advance();
    let mut view = world.view(0);
    let mut round = (**view.round.as_ref().unwrap()).clone();
    let mut players = round.record.players.to_vec();
    players.pop();
    round.record.players = players.try_into().unwrap();
    round.record.threshold = 3;
    view.round = Some(Arc::new(round));
    world.crash(0);
    world.start(0);
    assert!(matches!(world.rounds(0).observe(&view), Err(Doubt::OtherTerms(RoundNumber(1)))));
}

#[test]
fn an_older_view_after_a_restart_takes_nothing_away() {
    let mut world = World::new(1_007, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    let old = world.view(0);
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    world.crash(0);
    world.start(0);
    world.rounds(0).observe(&old).unwrap();
    assert_eq!(world.rounds(0).shares().epoch(ROOT), Some(EpochNumber(1)));
}

#[test]
fn a_broken_disk_stops_the_gatekeeper_before_it_says_anything() {
    let mut world = World::new(1_008, 4);
    world.custody.advance(BlockNumber(2), |_| true);
    world.block = BlockNumber(2);
    let view = world.view(0);
    world.nodes[0].vault.break_it(true);
    assert!(matches!(world.rounds(0).observe(&view), Err(Doubt::Cabinet(_))));
    assert!(world.rounds(0).asks(&view).is_empty(), "no dealing left");
    assert!(world.rounds(0).says(&view).is_empty());
}

#[test]
fn a_blob_that_was_altered_stops_the_start() {
    let mut world = World::new(1_009, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    world.crash(0);
    let whole = world.nodes[0].vault.contents();
    for name in ["gatekeeper/participant", "gatekeeper/mark", "gatekeeper/share/0", "gatekeeper/shares"] {
        let mut blobs = whole.clone();
        *blobs.get_mut(name).unwrap().last_mut().unwrap() ^= 1;
        let opened = Rounds::open(GENESIS, id(0), cabinet(0, &LabVault::with(blobs), 1), LabEntropy::new(1));
        assert!(matches!(opened.err(), Some(Doubt::Cabinet(_))), "{name}");
    }
    // On another machine nothing of it opens.
    let opened = Rounds::open(GENESIS, id(0), cabinet(1, &LabVault::with(whole), 1), LabEntropy::new(1));
    assert!(opened.is_err());
}

#[test]
fn logs_are_for_players_of_the_round_and_not_before_the_chain_has_their_hashes() {
    let mut world = World::new(1_010, 5);
    world.faults.mute = 100;
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    world.advance();
    let view = world.view(0);
    let ask = |dealer| PeerRequest::Log { round: RoundNumber(1), dealer };
    assert_eq!(world.rounds(0).answer(&view, &id(1), &ask(0)).unwrap(), Err(PeerRefusal::NotYet));
    world.faults.mute = 0;
    world.until("confirming", 10, |world| world.custody.round().unwrap().0.phase != Phase::Dealing);
    world.advance();
    let view = world.view(0);
    let own = place_of(&view.round.as_ref().unwrap().record.dealers, &id(0)).unwrap();
    assert!(matches!(world.rounds(0).answer(&view, &id(1), &ask(own)).unwrap(), Ok(PeerAnswer::Log(_))));
    assert_eq!(world.rounds(0).answer(&view, &id(1), &ask(63)).unwrap(), Err(PeerRefusal::Unknown));
    // The fifth gatekeeper waits for a place; it has no part in this round.
    assert_eq!(world.rounds(0).answer(&view, &id(4), &ask(own)).unwrap(), Err(PeerRefusal::NoPart));
    let later = PeerRequest::Log { round: RoundNumber(9), dealer: 0 };
    assert_eq!(world.rounds(0).answer(&view, &id(1), &later).unwrap(), Err(PeerRefusal::NotYet));
    let unknown = PeerRequest::Output { epoch: EpochNumber(9) };
    assert_eq!(world.rounds(0).answer(&view, &id(1), &unknown).unwrap(), Err(PeerRefusal::Unknown));
}
