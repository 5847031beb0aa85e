//! Programs of this worker: what it holds of each, and where each stands.
//!
//! ```text
//! needs code ─► compiling ─► opening state ─► declared ready ─► live: serves what is anchored
//!                  └► unrunnable       └► rolled back · foreign key · behind
//! ```
//! That is where this worker leads its cluster. Where it stands by, it has the code ready and holds a copy of the state.
//! One [`ProgramCell`] per program joins three parties: the follower, which says what the chain says; the
//! keeper ([`crate::keeper`]), which does the work; and queries, which read.

use crate::{
    carried::{Carried, OldTransport},
    cluster::Held,
    inbox::Inbox,
    ledger::{Entries, LeadDisk},
    limits::ProgramGate,
    logs::{CallLog, Logs},
    moves::KeySide,
    problem::Problem,
    results::Results,
};
use codec::Encode;
use phala_crypto::{
    OpenError, Secret, SigningKey, derive,
    hpke::{Exports, KeyPair},
};
use phala_engine::{Attester, CallError, Program, ProgramKeys};
use phala_machine::ports::Machine;
use phala_messages::{
    AnchorRecord, BlockRef, CodeHash, CommandRecord, KeyName, ProgramId, ProgramRecord, ProgramStatus, StateRoot,
    TransportKey, moves::MoveRecord, transcript::sha256,
};
use phala_state::{ProgramState, Snapshot};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// A program's keys, derived from the one that custody gives.
pub struct ProgramSecrets {
    root: Secret<32>,
    transport_seed: Secret<32>,
    transport: KeyPair,
    /// Keys that commands may be sealed to which were ordered before the last moves, the newest last.
    older: Vec<OldTransport>,
    labels: Secret<32>,
    signing: Secret<32>,
    seeds: Secret<32>,
}

impl ProgramSecrets {
    /// Derives them.
    pub fn derive(root: Secret<32>) -> Self {
        let transport_seed = derive(&root, "phala/program-transport/v1", &[]);
        Self {
            transport: KeyPair::derive(&transport_seed),
            transport_seed,
            older: Vec::new(),
            labels: derive(&root, "phala/program-labels/v1", &[]),
            signing: derive(&root, "phala/program-signing/v1", &[]),
            seeds: derive(&root, "phala/program-seeds/v1", &[]),
            root,
        }
    }

    /// The same with what was sealed into the state when the key changed last. None when that is not readable here.
    pub fn with_carried(mut self, carried: Option<&[u8]>) -> Option<Self> {
        let Some(carried) = carried else { return Some(self) };
        let carried = Carried::parse(carried)?;
        if let Some((labels, signing)) = &carried.derived {
            self.labels = Secret::new(*labels);
            self.signing = Secret::new(*signing);
        }
        self.older.clone_from(&carried.transports);
        Some(self)
    }

    /// What the program takes along from here, where the chain says `chain`; with or without what it derives its keys from.
    pub fn carry(&self, derived: bool, chain: &ChainSide) -> Vec<u8> {
        let derived = derived.then(|| (*self.labels.expose(), *self.signing.expose()));
        let carried = Carried { derived, transports: self.older.clone() };
        let (version, last) = (chain.anchor.version, chain.keys.record.moved.as_ref());
        carried.after(*self.transport_seed.expose(), version, chain.block.number, last).encode()
    }

    /// Opens a command: with the program's key, or with the one that it was sealed to before the program moved.
    ///
    /// # Errors
    /// [`OpenError`] when it is sealed to none of them.
    pub fn open(
        &self,
        info: &[u8],
        index: u64,
        command: &CommandRecord,
        last: Option<&MoveRecord>,
    ) -> Result<(Vec<u8>, Exports), OpenError> {
        let mut opened = self.transport.open(info, &command.sealed);
        for old in self.older.iter().rev().filter(|old| old.may_open(index, command.block, last)) {
            if opened.is_ok() {
                break;
            }
            opened = KeyPair::derive(&Secret::new(old.seed)).open(info, &command.sealed);
        }
        opened
    }

    /// The key that commands are sealed to, as the chain keeps it.
    pub const fn transport_key(&self) -> TransportKey {
        TransportKey(self.transport.public())
    }

    /// What the state's keys are derived from.
    pub(crate) fn state_keys(&self) -> phala_state::StateKeys {
        phala_state::StateKeys::derive(&derive(&self.root, "phala/program-state/v1", &[]))
    }

    /// Where a command's randomness comes from: equal on every replica, unknown to everyone outside.
    pub fn command_seed(&self, index: u64, sealed: &[u8]) -> [u8; 32] {
        *derive(&self.seeds, "phala/command-seed/v1", &[&index.to_le_bytes(), &sha256(sealed).0]).expose()
    }

    fn signer(&self, label: &str) -> SigningKey {
        SigningKey::new(&derive(&self.signing, "phala/program-signing-label/v1", &[label.as_bytes()]))
    }
}

impl ProgramKeys for ProgramSecrets {
    fn derive(&self, label: &str) -> [u8; 32] {
        *derive(&self.labels, "phala/program-label/v1", &[label.as_bytes()]).expose()
    }

    fn public(&self, label: &str) -> [u8; 32] {
        self.signer(label).public()
    }

    fn sign(&self, label: &str, message: &[u8]) -> [u8; 64] {
        self.signer(label).sign(message)
    }
}

/// The TEE, as programs ask it for quotes.
pub struct MachineAttester(pub Arc<dyn Machine>);

impl Attester for MachineAttester {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, String> {
        self.0.quote(report_data).map_err(|error| error.to_string())
    }
}

/// What a failed call is to whoever asked.
pub fn call_problem(error: CallError) -> Problem {
    match error {
        CallError::Trap(reason) => Problem::Trapped(reason),
        CallError::OutOfFuel(max) => Problem::OutOfFuel(max),
        CallError::OutOfTime(ms) => Problem::OutOfTime(ms),
        CallError::OutOfMemory(max) => Problem::OutOfMemory(max.into()),
        CallError::BodyTooLarge(max) => Problem::AnswerTooLarge(max),
        CallError::Busy => Problem::Busy,
        CallError::RequestHeadTooLarge => Problem::head_too_large(),
        error @ (CallError::NoResponse | CallError::ErrorCode(_) | CallError::Broken(_)) => {
            Problem::NoAnswer(error.to_string())
        }
        error => Problem::Limit(error.to_string()),
    }
}

/// What the chain says about a program, at one finalised block.
#[derive(Clone)]
pub struct ChainSide {
    /// Which block.
    pub block: BlockRef,
    /// Whether this process was registered there.
    pub registered: bool,
    /// The program.
    pub record: Arc<ProgramRecord>,
    /// Its newest anchor.
    pub anchor: Arc<AnchorRecord>,
    /// Its keys.
    pub keys: Arc<KeySide>,
}

impl ChainSide {
    /// Size of the code with this hash, if it is what the program runs or is to run.
    pub fn code_bytes(&self, code: &CodeHash) -> Option<u32> {
        let runs = (self.record.code == *code).then_some(self.record.code_bytes);
        let ordered = self.keys.record.upgrade.as_ref().filter(|upgrade| upgrade.code == *code);
        runs.max(ordered.map(|upgrade| upgrade.code_bytes))
    }
}

/// What a program has once it can run.
pub struct Loaded {
    /// The name of its key.
    pub name: KeyName,
    /// Its code.
    pub program: Arc<Program>,
    /// Its keys.
    pub secrets: Arc<ProgramSecrets>,
    /// The disk, as far as this keeper may write to it: every key's shelf is on it.
    pub disk: Arc<LeadDisk>,
    /// Its state on disk. Locked only where blocking is allowed: a commit waits for the disk.
    pub state: Mutex<ProgramState>,
    /// The versions of it that can be read.
    versions: Mutex<Vec<Snapshot>>,
}

impl Loaded {
    /// A program with its state.
    pub fn new(
        name: KeyName,
        program: Arc<Program>,
        secrets: Arc<ProgramSecrets>,
        disk: Arc<LeadDisk>,
        state: ProgramState,
    ) -> Self {
        let versions = Mutex::new(readable(&state));
        Self { name, program, secrets, disk, state: Mutex::new(state), versions }
    }

    /// The state, for whoever may block.
    pub fn lock_state(&self) -> MutexGuard<'_, ProgramState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called after the state has changed.
    pub fn note_versions(&self, state: &ProgramState) {
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner) = readable(state);
    }

    /// The newest version on disk.
    pub fn newest(&self) -> u64 {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).last().map_or(0, Snapshot::version)
    }

    /// Its root.
    pub fn newest_root(&self) -> StateRoot {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.last().map_or(phala_messages::anchor::EMPTY_ROOT, Snapshot::root)
    }

    /// The version that the chain has anchored.
    ///
    /// # Errors
    /// [`Problem::RolledBack`] when the disk has not what the chain knows, [`Problem::Behind`] when the chain, as far as
    /// this worker has followed it, has not yet what the disk has.
    pub fn at_anchor(&self, anchor: &AnchorRecord) -> Result<Snapshot, Problem> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = versions.last().map_or(0, Snapshot::version);
        if let Some(snapshot) = versions.iter().find(|snapshot| snapshot.version() == anchor.version) {
            return if snapshot.root() == anchor.root {
                Ok(snapshot.clone())
            } else {
                Err(Problem::RolledBack(format!("version {} has another root than the chain's", anchor.version)))
            };
        }
        if newest < anchor.version {
            return Err(Problem::RolledBack(format!(
                "the disk has version {newest}, the chain has version {}",
                anchor.version
            )));
        }
        Err(Problem::Behind)
    }
}

fn readable(state: &ProgramState) -> Vec<Snapshot> {
    let kept: Vec<u64> = state.pending().map(|(from, ..)| from).collect();
    kept.into_iter().filter_map(|version| state.snapshot_at(version)).chain([state.snapshot()]).collect()
}

/// A copy that a lead asks others for.
enum Gift {
    /// Not now.
    Unwanted,
    /// It would be welcome.
    Wanted,
    /// Here it is; not tried yet.
    Arrived(Entries),
}

/// What this worker holds of one program.
pub struct ProgramCell {
    /// Which.
    pub id: ProgramId,
    /// What it said.
    pub logs: Arc<Logs>,
    /// The door through which its queries speak.
    pub query_log: Arc<CallLog>,
    /// How many of its calls run at once.
    pub gate: ProgramGate,
    /// Results of its commands.
    pub results: Results,
    /// Commands that wait.
    pub inbox: Mutex<Inbox>,
    /// Whether this worker leads the program's cluster. When that changes, another cell takes this one's place.
    pub leads: bool,
    /// Another cell has taken this one's place.
    retired: AtomicBool,
    gift: Mutex<Gift>,
    held: Mutex<Held>,
    /// What stands between it and running.
    phase: Mutex<Problem>,
    chain: Mutex<ChainSide>,
    loaded: RwLock<Option<Arc<Loaded>>>,
    next: RwLock<Option<Arc<Loaded>>>,
    /// What stands between the program and an upgrade that was ordered.
    upgrade_phase: Mutex<Option<Problem>>,
    wake: Notify,
}

impl ProgramCell {
    /// A program that the chain has just assigned.
    pub fn new(id: ProgramId, chain: ChainSide, leads: bool, logs: Arc<Logs>, gate: ProgramGate) -> Self {
        Self {
            id,
            query_log: Arc::new(CallLog::query(logs.clone())),
            logs,
            gate,
            results: Results::default(),
            inbox: Mutex::default(),
            leads,
            retired: AtomicBool::new(false),
            gift: Mutex::new(Gift::Unwanted),
            held: Mutex::default(),
            phase: Mutex::new(Problem::Preparing("this worker has just learnt of it")),
            chain: Mutex::new(chain),
            loaded: RwLock::default(),
            next: RwLock::default(),
            upgrade_phase: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Another cell takes this one's place.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether another cell has taken this one's place.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Who else holds what is on this worker's disk, while it leads.
    pub fn held(&self) -> Held {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lanes say how far they are.
    pub fn set_held(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    fn lock_gift(&self) -> MutexGuard<'_, Gift> {
        self.gift.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keeper looks for a copy, or no longer.
    pub fn want_copy(&self, wanted: bool) {
        *self.lock_gift() = if wanted { Gift::Wanted } else { Gift::Unwanted };
    }

    /// Whether the keeper looks for a copy.
    pub fn wants_copy(&self) -> bool {
        matches!(*self.lock_gift(), Gift::Wanted)
    }

    /// A copy has come.
    pub fn put_copy(&self, entries: Entries) {
        let mut gift = self.lock_gift();
        if matches!(*gift, Gift::Wanted) {
            *gift = Gift::Arrived(entries);
        }
        drop(gift);
        self.wake();
    }

    /// The copy that has come, to be tried.
    pub fn take_copy(&self) -> Option<Entries> {
        let mut gift = self.lock_gift();
        match std::mem::replace(&mut *gift, Gift::Unwanted) {
            Gift::Arrived(entries) => Some(entries),
            other => {
                *gift = other;
                None
            }
        }
    }

    /// What the chain said last.
    pub fn chain(&self) -> ChainSide {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The follower brings news.
    pub fn observe(&self, chain: ChainSide) {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        self.wake.notify_one();
    }

    /// Something happened that the keeper should look at.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for that.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The commands that wait.
    pub fn lock_inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands between the program and running.
    pub fn phase(&self) -> Problem {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keeper says what stands between the program and running.
    pub fn set_phase(&self, problem: Problem) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Code, keys and state, once they are there.
    pub fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keeper has everything together.
    pub fn set_loaded(&self, loaded: Arc<Loaded>) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
    }

    /// What was loaded is not what the chain names any more.
    pub fn unload(&self) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The same under the key that the program is about to have.
    pub fn next(&self) -> Option<Arc<Loaded>> {
        self.next.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keeper has that together, too.
    pub fn set_next(&self, next: Arc<Loaded>) {
        *self.next.write().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    /// The program has moved, or is not to.
    pub fn take_next(&self) -> Option<Arc<Loaded>> {
        self.next.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What stands between the program and an upgrade that was ordered.
    pub fn upgrade_phase(&self) -> Option<Problem> {
        self.upgrade_phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keeper says what stands between the program and its upgrade.
    pub fn set_upgrade_phase(&self, problem: Option<Problem>) {
        *self.upgrade_phase.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub(crate) fn note_upgrade_phase(&self, problem: Problem) {
        self.set_upgrade_phase(Some(problem));
    }

    /// Code, keys and state under the key that the chain names at `chain`.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn side(&self, chain: &ChainSide) -> Result<Arc<Loaded>, Problem> {
        let name = chain.keys.name();
        let loaded = self.loaded();
        let here = [loaded.clone(), self.next()].into_iter().flatten().find(|side| side.name == name);
        here.ok_or_else(|| match loaded {
            Some(_) => Problem::Preparing("it has another key, and its state under that is being opened"),
            None => self.phase(),
        })
    }

    /// What queries may read, according to the chain as of `chain`.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn serving(&self, chain: &ChainSide) -> Result<Snapshot, Problem> {
        let loaded = self.side(chain)?;
        if chain.record.status != ProgramStatus::Live {
            return Err(Problem::Preparing("the chain has not yet declared it live"));
        }
        if chain.record.transport != Some(loaded.secrets.transport_key()) {
            return Err(Problem::ForeignKey);
        }
        loaded.at_anchor(&chain.anchor)
    }
}
