//! The keeper: one task per program that brings it to life and answers its commands.
//!
//! ```text
//! code? ─► compile ─► keys ─► state ─► `ready` ─► ┌─► run a batch of commands
//!                                                 │   commit it to disk, with its answers        (A)
//!                                                 │   ship it to the workers that stand by
//!                                                 │   anchor it on chain, until that is final    (B)
//!                                                 ├── issue results and receipts                 (C)
//!                                                 └── move to another key, if it is to: see [`crate::moves`]
//! ```
//! A crash before A runs the batch again, with the same outcome. Between A and B the same anchor is sent again.
//! Between B and C, or before what C made is on disk, the answers are still beside the state: C is done again.
//!
//! # Properties
//! - The state changes only by finalised commands, in order, without gaps or repeats (A3).
//! - At most one anchor of a program is on its way.
//! - An acknowledged result survives the death of the process at any moment.

use crate::{
    anchors, artifacts,
    command::{Answered, Runner},
    moves::Mover,
    overlay::Overlay,
    problem::Problem,
    programs::{ChainSide, Loaded, ProgramCell, ProgramSecrets},
    results::{self, RESULTS_KEPT, Stored},
    shipping::Lanes,
    standby,
    worker::Worker,
};
use codec::Encode;
use futures::future::{Either, select};
use phala_machine::{ports::Entropy, task::blocking};
use phala_messages::{
    AnchorRef, ProgramStatus,
    anchor::ANCHOR_COMMANDS_MAX,
    calls::{Call, Programs},
    limits::COMMAND_FUEL_DEFAULT,
    program::{Ready, SignedReady},
};
use phala_state::Commit;
use phala_units::UnixMillis;
use std::{collections::BTreeMap, sync::Arc};

/// A message that is not final by then is sent again.
pub const RESEND_MS: u64 = 10_000;
/// How long to wait after an error, and at most between two looks at the program.
const LOOK_MS: u64 = 1_000;
/// Bytes of answers in one batch.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Fuel of one batch: about two seconds.
const BATCH_FUEL_MAX: u64 = COMMAND_FUEL_DEFAULT;

/// Why a program does not go on. Tried again.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// No key.
    #[error(transparent)]
    Custody(#[from] crate::custody::CustodyError),
    /// The sealed blobs.
    #[error(transparent)]
    Cabinet(#[from] phala_machine::cabinet::CabinetError),
    /// The state on disk.
    #[error("the state on disk: {0}")]
    Open(#[from] phala_state::OpenError),
    /// The copy is not what the chain has anchored, and no other worker of the cluster has given a better one.
    #[error("the copy on disk: {0}")]
    Anchor(#[from] phala_state::AnchorError),
    /// A commit.
    #[error("the state: {0}")]
    Commit(#[from] phala_state::CommitError),
    /// An attachment.
    #[error("the results on disk: {0}")]
    Attachment(#[from] phala_state::AttachmentError),
    /// Something on disk that we wrote and cannot read.
    #[error("what is kept of command {0} cannot be read")]
    Stored(u64),
    /// A state that could not be sealed anew.
    #[error("sealing the state anew: {0}")]
    Rekey(#[from] phala_state::RekeyError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] phala_state::DiskError),
    /// What a state carries was written by another version of this software.
    #[error("what the state carries cannot be read")]
    Carried,
    /// The engine is full.
    #[error(transparent)]
    NotNow(#[from] crate::command::NotNow),
}

/// Keeps one program.
pub struct Keeper {
    worker: Arc<Worker>,
    cell: Arc<ProgramCell>,
    /// When `ready` was sent last.
    ready_sent: Option<UnixMillis>,
    /// Which version was anchored when.
    anchor_sent: Option<(u64, UnixMillis)>,
    /// Answers of the batch whose results are not issued yet.
    answers: BTreeMap<u64, Answered>,
    /// The anchor whose results are issued.
    issued: Option<u64>,
    /// Takes it to another key.
    mover: Mover,
    /// Ways to the workers that stand by.
    lanes: Lanes,
}

impl Keeper {
    /// A keeper for `cell`.
    pub fn new(worker: Arc<Worker>, cell: Arc<ProgramCell>) -> Self {
        let (answers, mover, lanes) = (BTreeMap::new(), Mover::default(), Lanes::default());
        Self { worker, cell, ready_sent: None, anchor_sent: None, answers, issued: None, mover, lanes }
    }

    /// Keeps the program until the task is dropped.
    pub async fn run(mut self) {
        if !self.cell.leads {
            return standby::keep(&self.worker, &self.cell).await;
        }
        while !self.load().await {
            // Code that cannot run is not tried again; but it holds no root up.
            let refused = matches!(self.cell.phase(), Problem::Unrunnable(_)).then(|| self.cell.chain().record.code);
            while refused == Some(self.cell.chain().record.code) {
                self.wait().await;
                let chain = self.cell.chain();
                self.mover.leave_undeployed(&self.worker, &self.cell, &chain).await;
            }
            self.wait().await;
        }
        self.worker.note_change();
        loop {
            match self.step().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(program = %self.cell.id, %error, "the program does not go on");
                    self.worker.ports.clock.sleep(LOOK_MS).await;
                }
            }
            self.wait().await;
        }
    }

    async fn wait(&self) {
        let woken = std::pin::pin!(self.cell.woken());
        match select(woken, self.worker.ports.clock.sleep(LOOK_MS)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    /// Brings code, keys and state together. False: something is missing; try again.
    async fn load(&mut self) -> bool {
        let chain = self.cell.chain();
        let loaded = self.try_load(&chain).await;
        self.worker.note_change();
        match loaded {
            Ok(Some(loaded)) => {
                self.cell.lock_inbox().restart_at(loaded.newest());
                tracing::info!(program = %self.cell.id, version = loaded.newest(), "program loaded");
                self.cell.set_loaded(Arc::new(loaded));
                true
            }
            Ok(None) => {
                self.mover.leave_undeployed(&self.worker, &self.cell, &chain).await;
                false
            }
            Err(KeepError::Custody(error)) => {
                tracing::warn!(program = %self.cell.id, %error, "waiting for the program's key");
                self.cell.set_phase(Problem::Preparing("its key is awaited from the gatekeepers"));
                self.worker.note_change();
                self.worker.ports.clock.sleep(LOOK_MS).await;
                false
            }
            Err(error) => {
                tracing::error!(program = %self.cell.id, %error, "the program cannot be loaded");
                self.cell.set_phase(match error {
                    KeepError::Open(error) => Problem::RolledBack(error.to_string()),
                    KeepError::Anchor(error) => Problem::RolledBack(error.to_string()),
                    _ => Problem::Disk,
                });
                self.worker.note_change();
                self.worker.ports.clock.sleep(10 * LOOK_MS).await;
                false
            }
        }
    }

    async fn try_load(&self, chain: &ChainSide) -> Result<Option<Loaded>, KeepError> {
        let Some(program) = artifacts::load(&self.worker, &self.cell, &chain.record, ProgramCell::set_phase).await?
        else {
            return Ok(None);
        };
        self.cell.set_phase(Problem::Preparing("its state is being opened"));
        let name = chain.keys.name();
        let key = self.worker.custody.program_key(&self.cell.id, &chain.record, &name).await?;
        let secrets = ProgramSecrets::derive(key);
        let (disk, state) = standby::open(&self.worker, &self.cell, chain, &secrets).await?;
        let secrets = secrets.with_carried(state.snapshot().carried()).ok_or(KeepError::Carried)?;
        Ok(Some(Loaded::new(name, program, Arc::new(secrets), disk, state)))
    }

    /// Does the next thing there is to do. True: there may be more at once.
    async fn step(&mut self) -> Result<bool, KeepError> {
        let chain = self.cell.chain();
        let Some(loaded) = self.cell.loaded() else { return Ok(self.load().await) };
        if !chain.registered {
            return Ok(false);
        }
        if loaded.name != chain.keys.name() {
            if !self.mover.adopt(&self.worker, &self.cell, &chain) {
                self.cell.unload();
            }
            (self.anchor_sent, self.issued) = (None, None);
            self.answers.clear();
            return Ok(true);
        }
        if chain.record.status == ProgramStatus::Deploying {
            let transport = loaded.secrets.transport_key();
            self.say_ready(transport).await;
            return Ok(false);
        }
        if chain.record.transport != Some(loaded.secrets.transport_key()) || loaded.at_anchor(&chain.anchor).is_err() {
            return Ok(false);
        }
        self.lanes.arrange(&self.worker, &self.cell);
        if loaded.newest() > chain.anchor.version {
            self.anchor(&chain).await?;
            return Ok(false);
        }
        self.issue(&chain).await?;
        if self.mover.step(&self.worker, &self.cell, &mut self.lanes, &loaded, &chain).await? {
            return Ok(false);
        }
        self.run_batch(&chain).await
    }

    async fn say_ready(&mut self, transport: phala_messages::TransportKey) {
        let now = self.worker.ports.clock.now();
        if self.ready_sent.is_some_and(|sent| now.since(sent) < RESEND_MS) {
            return;
        }
        let identity = &self.worker.identity;
        let ready = Ready { program: self.cell.id, transport, worker: identity.worker };
        let signature = identity.sign_as_instance(&ready.signing_hash(&identity.genesis).0);
        let call = Call::Programs(Programs::Ready { ready: SignedReady { ready, signature } });
        match self.worker.submitter.submit(&call).await {
            Ok(()) | Err(phala_machine::chain::SubmitError::Known | phala_machine::chain::SubmitError::Had) => {
                self.ready_sent = Some(now)
            }
            Err(error) => tracing::warn!(program = %self.cell.id, %error, "the chain does not take `ready` yet"),
        }
    }

    /// Runs waiting commands and commits what they came to.
    async fn run_batch(&mut self, chain: &ChainSide) -> Result<bool, KeepError> {
        let Some(loaded) = self.cell.loaded() else { return Ok(false) };
        let from = loaded.newest();
        {
            let mut inbox = self.cell.lock_inbox();
            if inbox.first() != from {
                inbox.restart_at(from);
            }
            if inbox.is_empty() {
                return Ok(false);
            }
        }
        let runner = Runner {
            genesis: self.worker.identity.genesis,
            id: self.cell.id,
            record: chain.record.clone(),
            program: loaded.program.clone(),
            secrets: loaded.secrets.clone(),
            moved: chain.keys.record.moved,
            logs: self.cell.logs.clone(),
            outbound: self.worker.ports.outbound.clone(),
            attester: self.worker.attester.clone(),
        };
        let base = loaded.at_anchor(&chain.anchor).ok();
        let Some(base) = base else { return Ok(false) };
        let mut state = Overlay::new(base);
        let (mut bytes, mut fuel) = (0, 0u64);
        let mut answers = BTreeMap::new();
        while (answers.len() as u64) < ANCHOR_COMMANDS_MAX && bytes < BATCH_BYTES_MAX && fuel < BATCH_FUEL_MAX {
            let Some((index, command)) = self.cell.lock_inbox().take() else { break };
            let answered = runner.answer(index, &command, &mut state).await;
            let (answered, used) = match answered {
                Ok(done) => done,
                Err(error) if answers.is_empty() => {
                    // It stays the next one: the inbox starts over from the state's version.
                    return Err(error.into());
                }
                Err(_) => break,
            };
            self.worker.metrics.commands.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            bytes += answered.response.len();
            fuel = fuel.saturating_add(used);
            answers.insert(index, answered);
        }
        self.commit(from, state, answers).await?;
        self.anchor(chain).await?;
        Ok(false)
    }

    async fn commit(&mut self, from: u64, state: Overlay, answers: BTreeMap<u64, Answered>) -> Result<(), KeepError> {
        let to = from + answers.len() as u64;
        let (changes, settings) = state.into_changes();
        let mut attachments = self.cell.results.to_write();
        let written: Vec<u64> = attachments.keys().copied().collect();
        attachments
            .extend(answers.iter().map(|(index, answered)| (*index, Stored::Answered(answered.clone()).encode())));
        let pending = results::root(&answers).encode();
        let commit = Commit { version: to, changes, settings, attachments, pending };
        let (worker, cell) = (self.worker.clone(), self.cell.clone());
        blocking(move || {
            let Some(loaded) = cell.loaded() else { return Ok(()) };
            let mut state = loaded.lock_state();
            if let Err(error) = state.commit(commit) {
                let unknown = matches!(error, phala_state::CommitError::Disk(_) | phala_state::CommitError::MustReopen);
                if unknown && !cell.is_retired() {
                    // Nobody knows what is on the disk now. A worker that doubts itself starts again.
                    worker.fail(format!("the disk failed while program {} was written: {error}", cell.id));
                }
                return Err(error);
            }
            loaded.note_versions(&state);
            Ok(())
        })
        .await?;
        self.cell.results.written(written);
        self.answers = answers;
        self.worker.note_change();
        Ok(())
    }

    /// Sends the anchor of what is committed and not anchored.
    async fn anchor(&mut self, chain: &ChainSide) -> Result<(), KeepError> {
        let now = self.worker.ports.clock.now();
        let Some(loaded) = self.cell.loaded() else { return Ok(()) };
        let to = loaded.newest();
        if self.anchor_sent.is_some_and(|(version, sent)| version == to && now.since(sent) < RESEND_MS) {
            return Ok(());
        }
        let cell = self.cell.clone();
        let from = chain.anchor.version;
        let anchor =
            blocking(move || cell.loaded().and_then(|loaded| anchors::pending(&loaded.lock_state(), from))).await;
        let Some(anchor) = anchor else { return Ok(()) };
        self.lanes.ship(&self.worker, &self.cell).await;
        match anchors::send(&self.worker, self.cell.id, anchor).await {
            Ok(()) => self.anchor_sent = Some((to, now)),
            Err(error) => tracing::warn!(program = %self.cell.id, %error, "the chain does not take the anchor yet"),
        }
        Ok(())
    }

    /// Issues the results of the newest anchor, unless that is done, and forgets what lies before it.
    async fn issue(&mut self, chain: &ChainSide) -> Result<(), KeepError> {
        let anchor = &chain.anchor;
        if anchor.by.is_none() || self.issued == Some(anchor.version) {
            return Ok(());
        }
        let (from, to) = (anchor.from, anchor.version);
        let complete = self.answers.keys().next() == Some(&from) && self.answers.len() as u64 == to - from;
        if !complete {
            let cell = self.cell.clone();
            self.answers = blocking(move || unissued(&cell, from, to)).await?;
        }
        let entropy: &dyn Entropy = &*self.worker.ports.entropy;
        let place = AnchorRef { block: chain.block, version: to, root: anchor.root };
        let issued =
            results::issue(&self.worker.identity, self.cell.id, chain.record.code, place, &self.answers, || {
                entropy.bytes()
            });
        self.cell.results.issue(issued);
        self.answers.clear();
        let cell = self.cell.clone();
        blocking(move || {
            let Some(loaded) = cell.loaded() else { return Ok(()) };
            let mut state = loaded.lock_state();
            let old: Vec<u64> = state.attachments().take_while(|index| index + RESULTS_KEPT < to).collect();
            let done = state.retire_below(to, old);
            loaded.note_versions(&state);
            done
        })
        .await?;
        self.issued = Some(to);
        Ok(())
    }
}

/// Answers of an anchor that an earlier process made, as they lie beside the state. None of them when that
/// process has also issued and written them. Blocks.
fn unissued(cell: &ProgramCell, from: u64, to: u64) -> Result<BTreeMap<u64, Answered>, KeepError> {
    let Some(loaded) = cell.loaded() else { return Ok(BTreeMap::new()) };
    let state = loaded.lock_state();
    let mut answers = BTreeMap::new();
    for index in from..to {
        let Some(bytes) = state.attachment(index)? else { continue };
        match Stored::parse(&bytes) {
            Some(Stored::Answered(answered)) => drop(answers.insert(index, answered)),
            Some(Stored::Issued(_)) => {}
            None => return Err(KeepError::Stored(index)),
        }
    }
    Ok(answers)
}
