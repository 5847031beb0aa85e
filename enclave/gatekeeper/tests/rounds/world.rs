//! Many gatekeepers in one process, one seed for everything that goes wrong: lost, late, doubled and altered messages,
//! partitions, crashes, disks that are put back, liars, members that come and go.
//!
//! Here the rooms below HTTP play: rounds, shares, dealing, playing, and who may have a part of a key. The chain is what stands in
//! the module `chain` beside this one: a model of the pallets, or the runtime. Views are taken from it directly; `network.rs` puts
//! proofs and seals around it.
//!
//! One gatekeeper at a time is a thief's: its disk is put back and copied, a copy runs beside it, it hears no news. That is what
//! four of which three are needed must bear. See `thief.rs`.

use crate::{
    chain::{Custody, ROOT, id, instance},
    common::{Blobs, Chance, LabEntropy, LabVault, record},
    thief::Thief,
};
use codec::{Decode, Encode};
use phala_crypto::Secret;
use phala_enclave_gatekeeper::{
    peers::{PeerReply, PeerRequest},
    release::{Facts, judge},
    rounds::{Ask, Rounds, Say},
    view::{HEAD_AGE_MS_MAX, RootView, RoundView, View},
};
use phala_machine::{Cabinet, Standing};
use phala_messages::{
    BlockHash, BlockRef, ClusterId, CodeEpoch, GenesisHash, Hash, InstanceKey, ParticipantKey, ProgramId, Registration,
    Role, TransportKey, WorkerId,
    custody::{DeliveryHead, EpochNumber, Member, Parameters, RoundNumber},
    release::KeyQuery,
};
use phala_threshold::{CombineError, Identity, KeyIdentity, KeyShare, Output, PartialKey, combine, evaluate};
use phala_units::{BlockNumber, UnixMillis};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub const GENESIS: GenesisHash = GenesisHash([7; 32]);
pub const PARAMETERS: Parameters = Parameters {
    members: 4,
    members_min: 4,
    refresh_blocks: 10,
    dealing_blocks: 8,
    confirming_blocks: 8,
    reporting_blocks: 8,
    retry_blocks: 2,
    ..Parameters::DEFAULT
};

pub fn cabinet(n: usize, vault: &Arc<LabVault>, seed: u64) -> Arc<Cabinet> {
    Arc::new(Cabinet::new(vault.clone(), &Secret::new([n as u8 + 1; 32]), LabEntropy::new(seed)))
}

/// Whose key is asked for, and where it works.
pub const PROGRAM: ProgramId = ProgramId([5; 32]);
pub const CLUSTER: ClusterId = ClusterId(1);
/// So long after it was sent away, a worker gets nothing from anybody, however old the news that a gatekeeper goes by.
const FRESH_BLOCKS: u32 = (HEAD_AGE_MS_MAX / BLOCK_MS) as u32;
const BLOCK_MS: u64 = 2_000;

pub fn time(block: BlockNumber) -> UnixMillis {
    UnixMillis(u64::from(block.0) * BLOCK_MS)
}

/// A gatekeeper's disk, and the process on it while one runs. A copy of the disk is another one of these.
pub struct Node {
    /// Which gatekeeper this is, or is a copy of.
    pub of: usize,
    pub vault: Arc<LabVault>,
    pub rounds: Option<Rounds>,
    pub view: View,
    /// What the chain said in the same block about the worker that asks for keys.
    facts: Facts,
    /// The how-manieth process of its gatekeeper it is.
    pub start: u32,
    /// Until then it hears no news.
    pub deaf_until: BlockNumber,
}

/// The process that the chain knows a gatekeeper by.
#[derive(Clone, Copy, Default)]
pub struct Registered {
    pub start: u32,
    admitted: BlockNumber,
}

/// A message on its way, from a process to the process that it was sealed to.
struct Wire {
    due: u64,
    from: (usize, InstanceKey),
    to: (usize, InstanceKey),
    ask: Ask,
}

/// What goes wrong, in percent.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub lose: u64,
    pub delay: u64,
    pub double: u64,
    pub alter: u64,
    pub crash: u64,
    pub lag: u64,
    pub mute: u64,
    pub theft: u64,
    pub reassign: u64,
}

pub struct World {
    pub seed: u64,
    pub chance: Chance,
    pub custody: Custody,
    pub block: BlockNumber,
    /// One for each gatekeeper, then copies.
    pub nodes: Vec<Node>,
    pub registered: Vec<Registered>,
    wires: Vec<Wire>,
    step: u64,
    pub faults: Faults,
    /// Pairs that cannot talk.
    pub cut: BTreeSet<(usize, usize)>,
    pub thief: Thief,
    /// Whether the worker is assigned, and since when.
    assigned: (bool, BlockNumber),
    /// How many parts of the current epoch it was given in this block.
    pub given: usize,
    /// Everything that must be said once only.
    pub dealt: BTreeMap<(RoundNumber, WorkerId, WorkerId), Hash>,
    logs: BTreeMap<(RoundNumber, WorkerId), Hash>,
    outputs: BTreeMap<RoundNumber, Hash>,
    key: Option<[u8; 32]>,
}

pub fn identity() -> Identity {
    KeyIdentity { genesis: GENESIS.0, cluster: CLUSTER.0, program: PROGRAM.0, code_epoch: 0 }.into()
}

fn worker() -> Registration {
    Registration {
        worker: WorkerId([90; 32]),
        instance: InstanceKey([91; 32]),
        transport: TransportKey([92; 32]),
        role: Role::Worker,
        endpoint: Default::default(),
    }
}

fn query(asked: BlockNumber) -> KeyQuery {
    let Registration { worker, instance, .. } = worker();
    KeyQuery { worker, instance, program: PROGRAM, root: ROOT, code: CodeEpoch(0), asked, nonce: [0; 16] }
}

fn change_a_bit(chance: &mut Chance, percent: u64, bytes: &mut [u8]) {
    if !bytes.is_empty() && chance.percent(percent) {
        let at = chance.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << chance.below(8);
    }
}

impl World {
    pub fn new(seed: u64, count: usize) -> Self {
        let mut world = Self {
            seed,
            chance: Chance::new(seed),
            custody: Custody::new(PARAMETERS),
            block: BlockNumber(1),
            nodes: vec![],
            registered: vec![Registered::default(); count],
            wires: vec![],
            step: 0,
            faults: Faults::default(),
            cut: BTreeSet::new(),
            thief: Thief::default(),
            assigned: (false, BlockNumber(1)),
            given: 0,
            dealt: BTreeMap::new(),
            logs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            key: None,
        };
        for n in 0..count {
            world.add(n, Arc::default());
            world.start(n);
            let participant = ParticipantKey(world.rounds(n).participant().0);
            world.custody.eligible.push(Member { gatekeeper: id(n), participant });
        }
        world.assign(true);
        world
    }

    /// One more disk of gatekeeper `of`; its place among the nodes.
    pub fn add(&mut self, of: usize, vault: Arc<LabVault>) -> usize {
        let (view, facts) = (View::nothing(), Facts::default());
        self.nodes.push(Node { of, vault, rounds: None, view, facts, start: 0, deaf_until: BlockNumber(0) });
        self.nodes.len() - 1
    }

    /// A new process on this disk. It registers, and so takes the place of any other process of its gatekeeper.
    pub fn start(&mut self, n: usize) {
        let of = self.nodes[n].of;
        let Registered { start, admitted } = &mut self.registered[of];
        *start += 1;
        *admitted = self.block;
        let node = &mut self.nodes[n];
        node.start = *start;
        let entropy_seed = self.seed << 16 ^ (of as u64) << 8 ^ u64::from(node.start);
        let cabinet = cabinet(of, &node.vault, entropy_seed ^ 0xabcd);
        let rounds = Rounds::open(GENESIS, id(of), cabinet, LabEntropy::new(entropy_seed));
        node.rounds = Some(rounds.expect("what it kept opens"));
        node.view = View::nothing();
        self.custody.register(of, node.start);
    }

    pub fn crash(&mut self, n: usize) {
        self.nodes[n].rounds = None;
    }

    pub fn rounds(&mut self, n: usize) -> &mut Rounds {
        self.nodes[n].rounds.as_mut().expect("it runs")
    }

    /// Lets the worker work for the program, or sends it away.
    pub fn assign(&mut self, assigned: bool) {
        if self.assigned.0 != assigned {
            self.assigned = (assigned, self.block);
            self.custody.assign(&worker(), assigned);
        }
    }

    /// The newest view that node `n` can have.
    pub fn view(&self, n: usize) -> View {
        let now = time(self.block);
        let machine = |of: usize| {
            let Registered { start, admitted } = self.registered[of];
            let registration = Registration {
                worker: id(of),
                instance: instance(of, start),
                transport: TransportKey([of as u8; 32]),
                role: Role::Gatekeeper,
                endpoint: Default::default(),
            };
            Arc::new(record(registration, admitted, now, 1_000_000))
        };
        let Node { of, start, .. } = self.nodes[n];
        let is_registered = self.registered[of].start == start;
        let round = self.custody.round().cloned();
        let epochs: BTreeMap<_, _> =
            self.custody.epochs.iter().map(|(number, epoch)| (*number, Arc::new(epoch.clone()))).collect();
        let root =
            self.custody.root.map(|record| (ROOT, RootView { epoch: epochs.get(&record.epoch).cloned(), record }));
        View {
            head: None,
            block: BlockRef { number: self.block, hash: BlockHash([0; 32]) },
            time: now,
            standing: if is_registered { Standing::Admitted(machine(of)) } else { Standing::Superseded },
            parameters: PARAMETERS,
            round: round.map(|(record, logs)| Arc::new(RoundView { record, logs })),
            missed: self.missed(n),
            roots: root.into_iter().collect(),
            epochs,
            machines: (0..self.registered.len()).map(|of| (id(of), machine(of))).collect(),
            delivered: DeliveryHead::default(),
            recovery: Default::default(),
        }
    }

    /// The round of the current epoch, if it is not the newest and node `n` lacks its key share.
    fn missed(&self, n: usize) -> Vec<Arc<RoundView>> {
        let Some(epoch) = self.custody.epoch() else { return vec![] };
        let held = self.nodes[n].rounds.as_ref().and_then(|rounds| rounds.shares().epoch(ROOT));
        if epoch.round == self.custody.newest || held == Some(epoch.epoch) {
            return vec![];
        }
        let round = self.custody.kept(epoch.round);
        Vec::from_iter(round.map(|(record, logs)| Arc::new(RoundView { record, logs })))
    }

    /// One block, and what happens until the next one.
    pub fn advance(&mut self) {
        self.block = self.block.next();
        let running: BTreeSet<_> = self.nodes.iter().filter(|node| node.rounds.is_some()).map(|n| id(n.of)).collect();
        self.custody.advance(self.block, |gatekeeper| running.contains(gatekeeper));
        if self.chance.percent(self.faults.reassign) {
            self.assign(!self.assigned.0);
        }
        if self.chance.percent(self.faults.theft) {
            self.steal();
        }
        let gatekeepers = self.registered.len();
        for n in 0..self.nodes.len() {
            if self.nodes[n].rounds.is_some() {
                if self.chance.percent(self.faults.crash) {
                    self.crash(n);
                }
            } else if n < gatekeepers && self.chance.percent(40) {
                self.start(n);
            }
            if !self.chance.percent(self.faults.lag) && self.block >= self.nodes[n].deaf_until {
                self.look(n);
            }
        }
        for _ in 0..3 {
            self.talk();
        }
        self.tell();
        self.check();
        self.given = self.release();
    }

    /// Node `n` sees what there is to see.
    fn look(&mut self, n: usize) {
        if self.nodes[n].rounds.is_none() {
            return;
        }
        let (view, facts) = (self.view(n), self.custody.facts(&query(self.block)));
        self.rounds(n).observe(&view).expect("nothing to doubt");
        // Another process took its place: it stops, as the service does.
        if view.standing == Standing::Superseded {
            return self.crash(n);
        }
        self.nodes[n].view = view;
        self.nodes[n].facts = facts;
    }

    /// Whether this node speaks, by what it sees.
    fn serves(&self, n: usize) -> bool {
        let node = &self.nodes[n];
        node.rounds.is_some() && node.view.may_serve(time(self.block)).is_ok()
    }

    /// Everybody asks what it wants to know; what was on its way arrives.
    fn talk(&mut self) {
        self.step += 1;
        for n in 0..self.nodes.len() {
            if !self.serves(n) {
                continue;
            }
            let node = &mut self.nodes[n];
            let Some(rounds) = &mut node.rounds else { continue };
            for ask in rounds.asks(&node.view) {
                if let PeerRequest::Deal { round, dealing } = &ask.request {
                    let hash = phala_messages::transcript::sha256(&dealing.0);
                    let before = *self.dealt.entry((*round, id(node.of), ask.to)).or_insert(hash);
                    assert_eq!(before, hash, "seed {}: a dealer dealt twice and differently", self.seed);
                }
                let Some(whom) = node.view.machine(&ask.to, time(self.block)) else { continue };
                let to = (0..self.registered.len()).find(|of| id(*of) == ask.to).expect("everybody is here");
                let to = (to, whom.registration.instance);
                let from = (node.of, instance(node.of, node.start));
                if self.chance.percent(self.faults.lose) {
                    continue;
                }
                let late = if self.chance.percent(self.faults.delay) { 1 + self.chance.below(9) } else { 0 };
                if self.chance.percent(self.faults.double) {
                    let due = self.step + self.chance.below(9);
                    self.wires.push(Wire { due, from, to, ask: ask.clone() });
                }
                self.wires.push(Wire { due: self.step + late, from, to, ask });
            }
        }
        let now = self.step;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.wires).into_iter().partition(|w| w.due <= now);
        self.wires = later;
        for wire in due {
            self.deliver(wire);
        }
    }

    /// The running process of this gatekeeper with this instance key.
    fn process(&self, of: usize, key: InstanceKey) -> Option<usize> {
        (0..self.nodes.len()).find(|n| {
            let node = &self.nodes[*n];
            node.of == of && node.rounds.is_some() && instance(of, node.start) == key
        })
    }

    fn deliver(&mut self, Wire { from: (of, sender), to: (to, receiver), ask, .. }: Wire) {
        if self.cut.contains(&(of.min(to), of.max(to))) {
            return;
        }
        // It was sealed to one process, and is signed by one.
        let Some(to_node) = self.process(to, receiver).filter(|n| self.serves(*n)) else { return };
        let believed = self.nodes[to_node].view.machine(&id(of), time(self.block));
        if believed.is_none_or(|record| record.registration.instance != sender) {
            return;
        }
        // Altered on the way: the seal would stop it, but what is behind the seal must bear it, too.
        let mut bytes = ask.request.encode();
        change_a_bit(&mut self.chance, self.faults.alter, &mut bytes);
        let Ok(request) = PeerRequest::decode(&mut bytes.as_slice()) else { return };
        let node = &mut self.nodes[to_node];
        let Some(rounds) = &mut node.rounds else { return };
        let reply = rounds.answer(&node.view, &id(of), &request).expect("nothing to doubt");
        if self.chance.percent(self.faults.lose) {
            return;
        }
        let mut bytes = reply.encode();
        change_a_bit(&mut self.chance, self.faults.alter, &mut bytes);
        let Ok(Ok(answer)) = PeerReply::decode(&mut bytes.as_slice()) else { return };
        // The answer opens for the process that asked.
        let Some(from) = self.process(of, sender) else { return };
        let node = &mut self.nodes[from];
        let Some(rounds) = &mut node.rounds else { return };
        rounds.take(&node.view, &id(to), &ask.request, answer).expect("nothing to doubt");
    }

    /// Everybody tells the chain what it has to say.
    fn tell(&mut self) {
        for n in 0..self.nodes.len() {
            let node = &self.nodes[n];
            let Some(rounds) = node.rounds.as_ref().filter(|_| node.view.own().is_some()) else { continue };
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
                    // Refusals are part of the game: views lag, and copies speak.
                    let _ = self.custody.tell((node.of, node.start), &say, self.block);
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
            let stored = stored_epoch(node.of, &node.vault);
            assert_eq!(stored, Some(held), "seed {seed}: {n} keeps another key share on disk");
        }
    }

    /// The worker asks everybody for its part of the program's key. How many gave one of the current epoch.
    fn release(&mut self) -> usize {
        let (now, seed) = (time(self.block), self.seed);
        let mut given: BTreeMap<EpochNumber, (Arc<Output>, BTreeMap<_, _>)> = BTreeMap::new();
        for (n, node) in self.nodes.iter().enumerate().filter(|(n, _)| self.serves(*n)) {
            let Some(rounds) = &node.rounds else { continue };
            let Ok(entitled) = judge(&query(self.block), &node.facts, now) else { continue };
            let Some(epoch) = node.view.roots.get(&ROOT).and_then(|root| root.epoch.clone()) else { continue };
            let Some(partial) = rounds.evaluate(ROOT, &epoch, &entitled) else { continue };
            let (assigned, since) = self.assigned;
            let late = self.block.since(since) > FRESH_BLOCKS;
            assert!(assigned || !late, "seed {seed}: {n} gave a part to a worker that was sent away long ago");
            let output = rounds.output(epoch.epoch).expect("who holds a key share has the output");
            given.entry(epoch.epoch).or_insert((output, BTreeMap::new())).1.insert(rounds.participant(), partial);
        }
        let current = self.custody.root.and_then(|root| given.get(&root.epoch));
        let current = current.map_or(0, |(_, partials)| partials.len());
        for (output, partials) in given.into_values() {
            let partials = Vec::from_iter(partials);
            match combine(&output, &identity(), &partials) {
                Ok(combined) => {
                    assert!(combined.bad.is_empty(), "seed {seed}: a part is no good");
                    let key = *combined.key.expose();
                    assert_eq!(*self.key.get_or_insert(key), key, "seed {seed}: the worker got another key");
                }
                Err(CombineError::TooFew { .. }) => {}
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
        }
        current
    }

    pub fn holders(&self) -> Vec<usize> {
        let Some(epoch) = self.custody.epoch() else { return vec![] };
        let holds = |node: &Node| node.rounds.as_ref().is_some_and(|r| r.shares().epoch(ROOT) == Some(epoch.epoch));
        (0..self.registered.len()).filter(|n| holds(&self.nodes[*n])).collect()
    }

    /// Makes blocks until `done`.
    pub fn until(&mut self, what: &str, blocks: u32, done: impl Fn(&Self) -> bool) {
        for _ in 0..blocks {
            if done(self) {
                return;
            }
            self.advance();
        }
        let round = self.custody.round().map(|(record, _)| record.clone());
        panic!("seed {}: never came: {what}; {round:?}, holders {:?}", self.seed, self.holders());
    }

    pub fn epoch(&self) -> EpochNumber {
        self.custody.epoch().expect("there is an epoch").epoch
    }

    /// The key share as it lies on this gatekeeper's disk.
    pub fn share(&self, n: usize) -> (Output, KeyShare) {
        stored_share(n, &self.nodes[n].vault.contents()).expect("it holds one")
    }

    pub fn partials(&self, nodes: &[usize]) -> (Output, Vec<(phala_threshold::ParticipantKey, PartialKey)>) {
        let output = self.share(nodes[0]).0;
        let of = |n: &usize| {
            let key = self.nodes[*n].rounds.as_ref().expect("it runs").participant();
            (key, evaluate(&self.share(*n).1, &identity()))
        };
        (output, nodes.iter().map(of).collect())
    }

    /// The program's key from these gatekeepers: always the same.
    pub fn check_key(&mut self) {
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

pub fn open(n: usize, blobs: &Blobs, name: &str) -> Option<Vec<u8>> {
    cabinet(n, &LabVault::with(blobs.clone()), 0).get(name).expect("it opens on its own machine")
}

fn stored_share(n: usize, blobs: &Blobs) -> Option<(Output, KeyShare)> {
    let bytes = open(n, blobs, "gatekeeper/share/0")?;
    let (_, _, output, share) = <(u32, u32, Vec<u8>, Vec<u8>)>::decode(&mut bytes.as_slice()).unwrap();
    Some((Output::parse(&output).unwrap(), KeyShare::parse(&share).unwrap()))
}

pub fn stored_epoch(n: usize, vault: &Arc<LabVault>) -> Option<EpochNumber> {
    let bytes = open(n, &vault.contents(), "gatekeeper/share/0")?;
    Some(EpochNumber::decode(&mut bytes.as_slice()).unwrap())
}
