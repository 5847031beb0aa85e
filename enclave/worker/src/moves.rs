//! Moves: a program takes another key, and perhaps other code, between two batches of commands.
//!
//! ```text
//! head ─► is to move? ─► prepare, aside: code compiled, key from the gatekeepers       (the old goes on answering)
//!           at an anchored version ─► state sealed anew on a shelf of its own          (queries go on; commands wait)
//!           shipped to the workers that stand by, like everything that is written
//!           `moved` ─► final: the new side serves, the old shelf is cleared
//!                   └► it is not to move there any more: the new shelf is cleared, the old goes on
//! ```
//! A crash before the move is final begins it again from the old shelf, which is whole; after that the new shelf is. A shelf is
//! cleared only by a process that the chain knows, at a block that knows the process: nothing its predecessor sent can still come.
//!
//! # Properties
//! - At any moment one side is whole on disk, and it is the one that the chain names.
//! - Queries are answered all the while: from the old side until the chain switches, then from the new one.
//! - Code that may have nothing gets neither state nor settings nor keys; acknowledged results stay for their callers.
//! - While code or key of the new side are missing, commands go on being answered.

use crate::{
    artifacts,
    keeper::{KeepError, RESEND_MS},
    problem::Problem,
    programs::{ChainSide, Loaded, ProgramCell, ProgramSecrets},
    shipping::Lanes,
    worker::Worker,
};
use codec::Encode;
use phala_crypto::Secret;
use phala_engine::Program;
use phala_machine::{
    SubmitError,
    task::{Task, blocking},
};
use phala_messages::{
    CodeEpoch, Keep, KeyName, KeyRecord, ProgramRecord, ProgramStatus, TransportKey,
    anchor::EMPTY_ROOT,
    calls::{Call, Programs},
    custody::RootGeneration,
    moves::{Moved, SignedMoved, UpgradeRecord},
    transcript::sha256,
};
use phala_state::{Rekey, Shelf, ShelfLabel};
use phala_units::UnixMillis;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How long to wait after something was missing.
const RETRY_MS: u64 = 2_000;

/// What the chain says of a program's keys, at one finalised block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySide {
    /// Where its key comes from.
    pub root: Option<RootGeneration>,
    /// The root that takes programs.
    pub open_root: Option<RootGeneration>,
    /// Its codes and moves.
    pub record: KeyRecord,
}

impl KeySide {
    /// The name of the program's key.
    pub const fn name(&self) -> KeyName {
        KeyName { root: self.root, code: self.record.epoch }
    }

    /// The root that its next key comes from. What no gatekeepers guard stays with its worker.
    pub fn root_wanted(&self) -> Option<RootGeneration> {
        self.root.map(|root| self.open_root.unwrap_or(root))
    }

    /// The upgrade that is to be carried out, once the commands before it are answered.
    fn upgrade(&self, version: u64) -> Option<&UpgradeRecord> {
        self.record.upgrade.as_ref().filter(|upgrade| version >= upgrade.commands)
    }

    /// Whether the chain takes a move of the program, at `version`, to the key `to`.
    fn takes(&self, to: &KeyName, version: u64) -> bool {
        let code = to.code == self.record.epoch || self.upgrade(version).is_some_and(|it| it.epoch == to.code);
        code && to.root == self.root_wanted() && *to != self.name()
    }

    /// The shelf on which the program's state lies.
    pub fn shelf(&self) -> Option<ShelfLabel> {
        self.record.moved.is_some().then(|| label(&self.name()))
    }
}

/// The shelf of a key that a program has moved to.
pub fn label(name: &KeyName) -> ShelfLabel {
    let hash = sha256(&(b"phala/shelf/v1", name).encode());
    let mut label = ShelfLabel::default();
    label.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
    label
}

/// What a move needs before anything is touched.
struct Prepared {
    name: KeyName,
    keep: Keep,
    program: Arc<Program>,
    key: Secret<32>,
}

/// Prepares aside.
struct Preparing {
    name: KeyName,
    done: oneshot::Receiver<Result<Option<Prepared>, KeepError>>,
    _task: Task,
}

/// Moves one program. What it has begun is on its cell, see [`ProgramCell::next`].
#[derive(Default)]
pub struct Mover {
    preparing: Option<Preparing>,
    prepared: Option<Prepared>,
    /// Not before then.
    retry: Option<UnixMillis>,
    sent: Option<UnixMillis>,
    /// Code that can never run.
    unrunnable: Option<CodeEpoch>,
    /// Whether what earlier keys left on the disk is cleared.
    swept: bool,
    /// Results that the new side has on its shelf.
    written: Vec<u64>,
}

impl Mover {
    /// The chain has switched to what was prepared here: from now on that is what the cell has. False if it was not.
    pub fn adopt(&mut self, worker: &Worker, cell: &ProgramCell, chain: &ChainSide) -> bool {
        *self = Self { written: std::mem::take(&mut self.written), ..Self::default() };
        let Some(next) = cell.take_next() else { return false };
        if next.name != chain.keys.name() {
            return false;
        }
        cell.results.written(self.written.drain(..));
        cell.set_upgrade_phase(None);
        tracing::info!(program = %cell.id, root = ?next.name.root, code = %next.name.code, "moved");
        cell.set_loaded(next);
        worker.note_change();
        true
    }

    /// Does the next thing there is to do for a move, at a state whose newest version is anchored and issued. True: one is under
    /// way, and no command may be answered until it is decided.
    pub async fn step(
        &mut self,
        worker: &Arc<Worker>,
        cell: &Arc<ProgramCell>,
        lanes: &mut Lanes,
        loaded: &Arc<Loaded>,
        chain: &ChainSide,
    ) -> Result<bool, KeepError> {
        self.sweep(cell, loaded, chain).await?;
        let version = chain.anchor.version;
        if let Some(next) = cell.next() {
            if chain.keys.takes(&next.name, version) {
                self.send(worker, cell, &next, version).await;
                return Ok(true);
            }
            tracing::info!(program = %cell.id, "the program is to move elsewhere by now");
            cell.take_next();
            self.prepared = None;
            let (shelf, id) = (Shelf::new(loaded.disk.clone(), Some(label(&next.name))), cell.id);
            blocking(move || shelf.clear(&id)).await?;
        }
        self.prepare(worker, cell, chain);
        let Some(prepared) = self.prepared.take_if(|it| chain.keys.takes(&it.name, version)) else { return Ok(false) };
        let next = self.seal_anew(worker, cell, loaded, chain, prepared).await?;
        // Whoever leads next finds the program under whichever key the chain names by then.
        lanes.ship(worker, cell).await;
        cell.set_next(next.clone());
        worker.note_change();
        self.sent = None;
        self.send(worker, cell, &next, version).await;
        Ok(true)
    }

    /// Leaves a root for a program that was never ready: there is nothing to take along.
    pub async fn leave_undeployed(&mut self, worker: &Worker, cell: &ProgramCell, chain: &ChainSide) {
        let to = KeyName { root: chain.keys.root_wanted(), code: chain.keys.record.epoch };
        let is_due = chain.registered && chain.record.status == ProgramStatus::Deploying;
        if is_due && chain.keys.takes(&to, 0) {
            let moved = Moved {
                program: cell.id,
                to,
                transport: TransportKey::default(),
                version: 0,
                root: EMPTY_ROOT,
                worker: worker.identity.worker,
            };
            self.submit(worker, moved).await;
        }
    }

    /// Clears what earlier keys left on the disk, once per process and move.
    async fn sweep(&mut self, cell: &ProgramCell, loaded: &Loaded, chain: &ChainSide) -> Result<(), KeepError> {
        if !self.swept && chain.keys.record.moved.is_some() && cell.next().is_none() {
            let (shelf, id) = (Shelf::new(loaded.disk.clone(), chain.keys.shelf()), cell.id);
            blocking(move || shelf.clear_others(&id)).await?;
        }
        self.swept = true;
        Ok(())
    }

    /// Gets code and key of where the program is to move, aside.
    fn prepare(&mut self, worker: &Arc<Worker>, cell: &Arc<ProgramCell>, chain: &ChainSide) {
        let Some((name, keep, record)) = self.target(chain) else {
            self.preparing = None;
            self.prepared = None;
            return;
        };
        if self.prepared.as_ref().is_some_and(|prepared| prepared.name == name) {
            return;
        }
        let now = worker.ports.clock.now();
        if let Some(preparing) = self.preparing.as_mut().filter(|preparing| preparing.name == name) {
            let done = match preparing.done.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return,
                Err(oneshot::error::TryRecvError::Closed) => Ok(None),
                Ok(done) => done,
            };
            self.preparing = None;
            self.retry = Some(now.saturating_add(RETRY_MS));
            match done {
                Ok(Some(prepared)) => self.prepared = Some(prepared),
                Ok(None) if matches!(cell.upgrade_phase(), Some(Problem::Unrunnable(_))) => {
                    self.unrunnable = Some(name.code);
                }
                Ok(None) => {}
                // The old side goes on meanwhile.
                Err(error) => tracing::warn!(program = %cell.id, %error, "the program cannot move yet"),
            }
            return;
        }
        if self.retry.is_some_and(|retry| now < retry) {
            return;
        }
        let (tell, done) = oneshot::channel();
        let (worker, cell) = (worker.clone(), cell.clone());
        let _task = Task::start(async move {
            let prepared = prepare(&worker, &cell, name, keep, Arc::new(record)).await;
            // Nobody waits any more when the program was removed.
            drop(tell.send(prepared));
            cell.wake();
        });
        self.preparing = Some(Preparing { name, done, _task });
    }

    /// Where the program is to move: its record as it will be then. An upgrade first, and a newer root with it.
    fn target(&self, chain: &ChainSide) -> Option<(KeyName, Keep, ProgramRecord)> {
        let (root, record) = (chain.keys.root_wanted(), (*chain.record).clone());
        let upgrade = chain.keys.upgrade(chain.anchor.version).filter(|it| self.unrunnable != Some(it.epoch));
        if let Some(UpgradeRecord { epoch, code, code_bytes, manifest, keep, .. }) = upgrade.cloned() {
            let record = ProgramRecord { code, code_bytes, manifest, ..record.clone() };
            // Code that nobody has brought yet must not keep the program under a root that is being left.
            if root == chain.keys.root || self.retry.is_none() {
                return Some((KeyName { root, code: epoch }, keep, record));
            }
        }
        let name = KeyName { root, code: chain.keys.record.epoch };
        (name != chain.keys.name()).then_some((name, Keep::StateAndKeys, record))
    }

    async fn seal_anew(
        &mut self,
        worker: &Worker,
        cell: &Arc<ProgramCell>,
        loaded: &Arc<Loaded>,
        chain: &ChainSide,
        prepared: Prepared,
    ) -> Result<Arc<Loaded>, KeepError> {
        let Prepared { name, keep, program, key } = prepared;
        let secrets = ProgramSecrets::derive(key);
        let carried = (keep != Keep::Nothing).then(|| loaded.secrets.carry(keep == Keep::StateAndKeys, chain));
        let attachments = cell.results.to_write();
        self.written = attachments.keys().copied().collect();
        let rekey = Rekey { contents: keep != Keep::Nothing, carried, attachments };
        let disk = loaded.disk.clone();
        let shelf = Shelf::new(disk.clone(), Some(label(&name)));
        let (keys, loaded, entropy) = (secrets.state_keys(), loaded.clone(), worker.entropy());
        let state = blocking(move || loaded.lock_state().rekey(shelf, keys, entropy, rekey)).await?;
        let secrets = secrets.with_carried(state.snapshot().carried()).ok_or(KeepError::Carried)?;
        Ok(Arc::new(Loaded::new(name, program, Arc::new(secrets), disk, state)))
    }

    async fn send(&mut self, worker: &Worker, cell: &ProgramCell, next: &Loaded, version: u64) {
        let root = next.newest_root();
        let transport = next.secrets.transport_key();
        let moved = Moved { program: cell.id, to: next.name, transport, version, root, worker: worker.identity.worker };
        self.submit(worker, moved).await;
    }

    async fn submit(&mut self, worker: &Worker, moved: Moved) {
        let now = worker.ports.clock.now();
        if self.sent.is_some_and(|sent| now.since(sent) < RESEND_MS) {
            return;
        }
        let program = moved.program;
        let signature = worker.identity.sign_as_instance(&moved.signing_hash(&worker.identity.genesis).0);
        let call = Call::Programs(Programs::Moved { moved: SignedMoved { moved, signature } });
        match worker.submitter.submit(&call).await {
            Ok(()) | Err(SubmitError::Known | SubmitError::Had) => self.sent = Some(now),
            Err(error) => tracing::warn!(%program, %error, "the chain does not take the move yet"),
        }
    }
}

/// Code and key of a program as `record` will describe it. None while the code is missing, or when it cannot run.
async fn prepare(
    worker: &Arc<Worker>,
    cell: &Arc<ProgramCell>,
    name: KeyName,
    keep: Keep,
    record: Arc<ProgramRecord>,
) -> Result<Option<Prepared>, KeepError> {
    let is_upgrade = name.code != cell.chain().keys.record.epoch;
    let loaded = if is_upgrade { None } else { cell.loaded() };
    let program = match loaded {
        Some(loaded) => loaded.program.clone(),
        None => {
            cell.set_upgrade_phase(None);
            match artifacts::load(worker, cell, &record, ProgramCell::note_upgrade_phase).await? {
                Some(program) => program,
                None => return Ok(None),
            }
        }
    };
    let key = worker.custody.program_key(&cell.id, &record, &name).await?;
    Ok(Some(Prepared { name, keep, program, key }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::{CodeHash, Manifest};
    use phala_units::BlockNumber;

    fn root(n: u32) -> Option<RootGeneration> {
        Some(RootGeneration(n))
    }

    fn name(root: Option<RootGeneration>, code: u32) -> KeyName {
        KeyName { root, code: CodeEpoch(code) }
    }

    fn side(own: Option<RootGeneration>, open: Option<RootGeneration>, upgrade: Option<(u32, u64)>) -> KeySide {
        let upgrade = upgrade.map(|(epoch, commands)| UpgradeRecord {
            epoch: CodeEpoch(epoch),
            code: CodeHash([1; 32]),
            code_bytes: 1,
            manifest: Manifest::default(),
            keep: Keep::State,
            commands,
            ordered: BlockNumber(1),
        });
        KeySide { root: own, open_root: open, record: KeyRecord { upgrade, ..KeyRecord::default() } }
    }

    #[test]
    fn a_program_moves_to_the_open_root_and_to_the_code_that_was_ordered() {
        let still = side(root(0), root(0), None);
        assert!(!still.takes(&name(root(0), 0), 5) && !still.takes(&name(root(0), 1), 5));
        let rotating = side(root(0), root(1), None);
        assert!(rotating.takes(&name(root(1), 0), 5) && !rotating.takes(&name(root(0), 0), 5));
        assert!(!rotating.takes(&name(None, 0), 5));
        let upgrading = side(root(0), root(0), Some((2, 5)));
        assert!(upgrading.takes(&name(root(0), 2), 5) && !upgrading.takes(&name(root(0), 1), 5));
        assert!(!upgrading.takes(&name(root(0), 2), 4), "the old code has commands to answer");
        let both = side(root(0), root(1), Some((2, 5)));
        assert!(both.takes(&name(root(1), 2), 5) && both.takes(&name(root(1), 0), 5));
        assert!(!both.takes(&name(root(0), 2), 5));
    }

    #[test]
    fn what_no_gatekeepers_guard_stays_with_its_worker() {
        let unguarded = side(None, root(1), Some((1, 0)));
        assert_eq!(unguarded.root_wanted(), None);
        assert!(unguarded.takes(&name(None, 1), 0) && !unguarded.takes(&name(root(1), 1), 0));
    }

    #[test]
    fn each_key_has_a_shelf_of_its_own() {
        let labels =
            [name(None, 0), name(None, 1), name(root(0), 0), name(root(0), 1), name(root(1), 0)].map(|n| label(&n));
        assert_eq!(labels.iter().collect::<std::collections::BTreeSet<_>>().len(), labels.len());
        assert_eq!(side(root(0), root(1), None).shelf(), None, "who has never moved lies on the bare one");
    }
}
