//! Standing by: what a worker does for a program that another one leads, and how it goes on when its turn comes.
//!
//! Who stands by has the code compiled and holds a copy. Taking the lead is then: open the copy with the program's key, hold it
//! against the newest anchor, go on. A copy that is older than the anchor is never served; the other members are asked for theirs, and
//! whichever is good takes its place.

use crate::{
    artifacts,
    cluster::short,
    keeper::KeepError,
    ledger::{Entries, LeadDisk, replacement},
    problem::Problem,
    programs::{ChainSide, ProgramCell, ProgramSecrets},
    shipping::exchange,
    worker::Worker,
};
use futures::future::select;
use phala_machine::task::blocking;
use phala_messages::{WorkerRecord, copies::CopySay};
use phala_state::{AnchorError, Disk, MemoryDisk, OpenError, ProgramState, Shelf};
use std::sync::Arc;

/// A program's state, and the disk that it may be written to.
type Opened = (Arc<LeadDisk>, ProgramState);

/// How long to wait between two looks at a program that another worker leads.
const LOOK_MS: u64 = 2_000;
/// How long a member may take to give its copy.
const GIFT_MS_MAX: u64 = 30_000;

/// Keeps a program ready for the day its lead dies, until the task is dropped.
pub async fn keep(worker: &Arc<Worker>, cell: &Arc<ProgramCell>) {
    let stands_by = cell.phase();
    let mut prepared = None;
    loop {
        let record = cell.chain().record;
        if prepared != Some(record.code) {
            // Compiling leaves the artifact in the cabinet; the program itself would only take memory here.
            match artifacts::load(worker, cell, &record, ProgramCell::set_phase).await {
                Ok(loaded) => {
                    let done = loaded.is_some() || matches!(cell.phase(), Problem::Unrunnable(_));
                    prepared = done.then_some(record.code);
                }
                Err(error) => tracing::warn!(program = %short(&cell.id), %error, "its code cannot be made ready"),
            }
            cell.set_phase(stands_by.clone());
            worker.note_change();
        }
        let woken = std::pin::pin!(cell.woken());
        drop(select(woken, worker.ports.clock.sleep(LOOK_MS)).await);
    }
}

/// Opens a program's state on this worker's disk. If it is not what the chain has anchored, and there are others to ask, only
/// once one of them has given a copy that is.
///
/// # Errors
/// [`KeepError::Open`], when what is there cannot be used at all; [`KeepError::Anchor`], when it is old and nobody has better.
pub async fn open(
    worker: &Arc<Worker>,
    cell: &Arc<ProgramCell>,
    chain: &ChainSide,
    secrets: &ProgramSecrets,
) -> Result<Opened, KeepError> {
    let opened = open_here(worker, cell, chain, secrets).await;
    let chain = &newest(cell, chain);
    let Some(cluster) = worker.cluster().filter(|cluster| cluster.workers.len() > 1) else { return Ok(opened?) };
    if opened.as_ref().is_ok_and(|(_, state)| anchored(state, chain).is_ok()) {
        return Ok(opened?);
    }
    for (_, other) in cluster.others(&worker.identity.worker) {
        tracing::warn!(
            program = %short(&cell.id), worker = %other.registration.worker,
            "this worker's copy is not what the chain has anchored; asking another for its own"
        );
        if ask(worker, cell, chain, secrets, other).await {
            return Ok(open_here(worker, cell, chain, secrets).await?);
        }
    }
    let (disk, state) = opened?;
    anchored(&state, chain)?;
    Ok((disk, state))
}

async fn open_here(
    worker: &Arc<Worker>,
    cell: &ProgramCell,
    chain: &ChainSide,
    secrets: &ProgramSecrets,
) -> Result<Opened, OpenError> {
    let (ledger, id, keys) = (worker.ledgers.of(&cell.id), cell.id, secrets.state_keys());
    let shelf = chain.keys.shelf();
    let entropy = worker.ports.entropy.clone();
    let fill = Arc::new(move |out: &mut [u8]| entropy.fill(out));
    blocking(move || {
        let disk = Arc::new(ledger.lead());
        let state = ProgramState::open(Arc::new(Shelf::new(disk.clone(), shelf)), id, keys, fill)?;
        Ok((disk, state))
    })
    .await
}

/// What the chain says by now, unless the program has another key by now: then everything is opened anew anyhow.
fn newest(cell: &ProgramCell, chain: &ChainSide) -> ChainSide {
    let newest = cell.chain();
    if newest.keys.name() == chain.keys.name() { newest } else { chain.clone() }
}

/// Whether the state holds the version that the chain has anchored. Being ahead of what this worker has seen of the chain is no
/// fault.
fn anchored(state: &ProgramState, chain: &ChainSide) -> Result<(), AnchorError> {
    match state.at_anchor(chain.anchor.version, &chain.anchor.root) {
        Ok(_) | Err(AnchorError::NotKept { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Asks another member for its copy, and puts it on this worker's disk if it is what the chain has anchored.
async fn ask(
    worker: &Arc<Worker>,
    cell: &Arc<ProgramCell>,
    chain: &ChainSide,
    secrets: &ProgramSecrets,
    other: &WorkerRecord,
) -> bool {
    cell.want_copy(true);
    let entries = match exchange(worker, other, CopySay::Give { program: cell.id }).await {
        Ok(_) => wait(worker, cell).await,
        Err(error) => {
            tracing::info!(program = %short(&cell.id), %error, "no copy from there");
            None
        }
    };
    cell.want_copy(false);
    let Some(entries) = entries else { return false };
    let (ledger, id, keys, chain) = (worker.ledgers.of(&cell.id), cell.id, secrets.state_keys(), newest(cell, chain));
    let taken = blocking(move || {
        if !is_good(&entries, id, keys, &chain) {
            return Ok(false);
        }
        let disk = ledger.lead();
        let batch = replacement(&disk, &id, entries)?;
        disk.commit(&id, batch).map(|()| true)
    })
    .await;
    match taken {
        Ok(taken) => taken,
        Err(error) => {
            tracing::error!(program = %short(&cell.id), %error, "a copy cannot be written");
            false
        }
    }
}

async fn wait(worker: &Worker, cell: &ProgramCell) -> Option<Entries> {
    let mut deadline = worker.ports.clock.sleep(GIFT_MS_MAX);
    loop {
        if let Some(entries) = cell.take_copy() {
            return Some(entries);
        }
        match select(std::pin::pin!(cell.woken()), deadline).await {
            futures::future::Either::Left((_, rest)) => deadline = rest,
            futures::future::Either::Right(_) => return None,
        }
    }
}

/// Tries a copy beside the disk. Blocks.
fn is_good(
    entries: &Entries,
    program: phala_messages::ProgramId,
    keys: phala_state::StateKeys,
    chain: &ChainSide,
) -> bool {
    let disk = MemoryDisk::new();
    disk.replace(&program, entries.clone());
    // Nothing is written, so nothing is drawn.
    let nothing = Arc::new(|_: &mut [u8]| ());
    let shelf = Arc::new(Shelf::new(Arc::new(disk), chain.keys.shelf()));
    ProgramState::open(shelf, program, keys, nothing).is_ok_and(|state| anchored(&state, chain).is_ok())
}
