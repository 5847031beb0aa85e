//! Shipping: the lead's side of copies.
//!
//! ```text
//! keeper: commit ─► line ─► a lane to each worker that stands by ─► signed acknowledgement
//!           └── before the anchor goes out: wait for every lane that answers, so long and no longer
//! ```
//! A lane finds out where the other's copy stands; sends the batches that it lacks, or, where those are not kept any more or
//! it stands somewhere else, everything; and goes on so. It runs beside the program: a worker that is slow, away or new is caught
//! up without anybody waiting for it a second time.
//!
//! # Properties
//! - A version is anchored only after every worker that stands by, is admitted and answers in time holds it.
//! - A copy counts as held only by a signature of an admitted member's current instance, over the very message that asked.
//! - Nothing is sent of a state that is not the one the chain has anchored: an old disk overwrites no newer copy.

use crate::{
    cluster::{Held, endpoint, short},
    ledger::{Ledger, LedgerError, Whole},
    programs::ProgramCell,
    worker::Worker,
};
use codec::{DecodeAll, Encode};
use futures::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use phala_crypto::verify_ed25519;
use phala_machine::{
    courier::CourierError,
    task::{Task, blocking},
};
use phala_messages::{
    Hash, ProgramId, WorkerId, WorkerRecord,
    copies::{
        COPY_PATH, CopyChange, CopyMessage, CopyRefusal, CopyReply, CopySay, PieceBytes, SignedCopyMessage, mark_after,
    },
    limits::COPY_PIECE_BYTES_MAX,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::watch;

/// How long an anchor waits for workers that stand by.
pub const SHIP_MS_MAX: u64 = 5_000;
/// How long a lane rests after an error.
const REST_MS: u64 = 2_000;
/// How often a lane makes sure that the other still has what it had.
const LOOK_MS: u64 = 15_000;

/// Why another member did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It is no admitted member.
    #[error("it is no admitted member of the cluster")]
    NotMember,
    /// It did not answer.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// Its answer is none.
    #[error("its answer is not signed by its current instance, for this message")]
    Answer,
    /// It says no.
    #[error("it refuses: {0}")]
    Refused(CopyRefusal),
    /// This worker's own disk.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It holds something else than what it was sent.
    #[error("its copy stands elsewhere")]
    Elsewhere,
}

/// Says something to another member; answers where it says that its copy stands.
///
/// # Errors
/// [`ExchangeError`].
pub async fn exchange(worker: &Worker, to: &WorkerRecord, say: CopySay) -> Result<Hash, ExchangeError> {
    let identity = &worker.identity;
    let number = worker.said.fetch_add(1, Ordering::Relaxed);
    let message = CopyMessage { from: identity.worker, number, say };
    let instance = &to.registration.instance;
    let hash = message.signing_hash(&identity.genesis, instance);
    let signature = identity.sign_as_instance(&hash.0);
    let bytes = SignedCopyMessage { message, signature }.encode();
    let answer = worker.ports.courier.post(&endpoint(to), COPY_PATH, bytes).await?;
    let reply = CopyReply::decode_all(&mut answer.as_slice()).map_err(|_| ExchangeError::Answer)?;
    let signed = reply.map_err(ExchangeError::Refused)?;
    let signing_hash = signed.state.signing_hash(&identity.genesis);
    if signed.state.to != hash || !verify_ed25519(&instance.0, &signing_hash.0, &signed.signature) {
        return Err(ExchangeError::Answer);
    }
    Ok(signed.state.mark)
}

/// Sends a change in pieces; answers where the other's copy stands after the last.
///
/// # Errors
/// [`ExchangeError`].
pub async fn send(
    worker: &Worker,
    to: &WorkerRecord,
    program: ProgramId,
    change: CopyChange,
    after: Hash,
    bytes: &[u8],
) -> Result<Hash, ExchangeError> {
    let total = u32::try_from(bytes.len()).map_err(|_| LedgerError::TooLarge)?;
    let (mut offset, mut mark) = (0u32, Hash::default());
    for piece in bytes.chunks(COPY_PIECE_BYTES_MAX as usize) {
        let sent = piece.len() as u32;
        let bytes = PieceBytes::truncate_from(piece.to_vec());
        mark = exchange(worker, to, CopySay::Piece { program, change, after, total, offset, bytes }).await?;
        offset = offset.saturating_add(sent);
    }
    Ok(mark)
}

/// Sends everything that is on this worker's disk of a program.
///
/// # Errors
/// [`ExchangeError`].
pub async fn send_whole(
    worker: &Worker,
    to: &WorkerRecord,
    program: ProgramId,
    whole: &Whole,
) -> Result<(), ExchangeError> {
    let mark = send(worker, to, program, CopyChange::Whole, whole.mark, &whole.bytes).await?;
    if mark == whole.mark { Ok(()) } else { Err(ExchangeError::Elsewhere) }
}

/// How far a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LaneState {
    /// What comes before this batch the other holds.
    held: Option<u64>,
    /// Whether anybody waits for it: it answers, and was in time.
    counts: bool,
}

struct LaneEnd {
    state: watch::Receiver<LaneState>,
    /// An anchor has waited for it in vain, and it has not caught up since.
    late: bool,
    _task: Task,
}

/// The lanes of one program. They end with their keeper.
#[derive(Default)]
pub struct Lanes {
    ends: BTreeMap<WorkerId, LaneEnd>,
}

impl Lanes {
    /// Makes a lane to each admitted worker that stands by, and ends those to others. To be called while the state is the
    /// one that the chain has anchored.
    pub fn arrange(&mut self, worker: &Arc<Worker>, cell: &Arc<ProgramCell>) {
        let Some(cluster) = worker.cluster() else { return };
        let me = worker.identity.worker;
        let wanted: Vec<WorkerId> = cluster.others(&me).map(|(id, _)| id).collect();
        let ledger = worker.ledgers.of(&cell.id);
        self.ends.retain(|id, _| wanted.contains(id));
        if wanted.is_empty() {
            ledger.follow(false);
        }
        for id in wanted {
            self.ends.entry(id).or_insert_with(|| {
                ledger.follow(true);
                let (state, told) = watch::channel(LaneState { held: None, counts: true });
                let lane = Lane {
                    worker: worker.clone(),
                    program: cell.id,
                    to: id,
                    ledger: ledger.clone(),
                    place: None,
                    state,
                };
                LaneEnd { state: told, late: false, _task: Task::start(lane.run()) }
            });
        }
        let next = ledger.next();
        for end in self.ends.values_mut() {
            end.late &= end.state.borrow().held != Some(next);
        }
        self.forget(&ledger);
        cell.set_held(self.held(&ledger));
    }

    /// Everybody has it: nobody needs it again.
    fn forget(&self, ledger: &Ledger) {
        let held = self.ends.values().filter_map(|end| end.state.borrow().held).min();
        if let Some(held) = held {
            ledger.forget_below(held);
        }
    }

    fn held(&self, ledger: &Ledger) -> Held {
        let next = ledger.next();
        let complete = self.ends.values().filter(|end| end.state.borrow().held == Some(next)).count();
        Held { standing_by: self.ends.len(), complete }
    }

    /// Waits until every worker that stands by and answers holds what is on disk now, at most [`SHIP_MS_MAX`].
    pub async fn ship(&mut self, worker: &Arc<Worker>, cell: &Arc<ProgramCell>) {
        self.arrange(worker, cell);
        let ledger = worker.ledgers.of(&cell.id);
        let next = ledger.next();
        let has = move |state: &LaneState| !state.counts || state.held.is_some_and(|held| held >= next);
        let mut waiting: FuturesUnordered<_> = self
            .ends
            .values()
            .filter(|end| !end.late)
            .map(|end| {
                let mut state = end.state.clone();
                async move { drop(state.wait_for(has).await) }
            })
            .collect();
        let all = async move { while waiting.next().await.is_some() {} };
        let late = worker.ports.clock.sleep(SHIP_MS_MAX);
        if let Either::Right(_) = select(std::pin::pin!(all), late).await {
            for (id, end) in self.ends.iter_mut().filter(|(_, end)| !end.late && !has(&end.state.borrow())) {
                tracing::warn!(program = %short(&cell.id), worker = %id, "its copy is late; the program goes on without it");
                end.late = true;
            }
        }
        cell.set_held(self.held(&ledger));
    }
}

/// One program's way to one other worker.
struct Lane {
    worker: Arc<Worker>,
    program: ProgramId,
    to: WorkerId,
    ledger: Arc<Ledger>,
    /// What the other holds: everything before this batch, and the mark of it.
    place: Option<(u64, Hash)>,
    state: watch::Sender<LaneState>,
}

impl Lane {
    async fn run(mut self) {
        let mut grown = self.ledger.watch();
        loop {
            grown.mark_unchanged();
            match self.follow().await {
                Ok(()) => {
                    self.tell(true);
                    if self.place.is_none_or(|(held, _)| held != self.ledger.next()) {
                        continue;
                    }
                    let more = std::pin::pin!(grown.changed());
                    let look = self.worker.ports.clock.sleep(LOOK_MS);
                    if let Either::Right(_) = select(more, look).await {
                        self.look_again().await;
                    }
                }
                Err(error) => {
                    tracing::debug!(program = %short(&self.program), worker = %self.to, %error, "its copy does not follow");
                    self.tell(false);
                    if matches!(error, ExchangeError::Elsewhere | ExchangeError::Refused(_)) {
                        self.place = None;
                    }
                    self.worker.ports.clock.sleep(REST_MS).await;
                }
            }
        }
    }

    fn tell(&self, counts: bool) {
        let held = self.place.map(|(held, _)| held);
        self.state.send_replace(LaneState { held, counts });
    }

    fn peer(&self) -> Result<WorkerRecord, ExchangeError> {
        let cluster = self.worker.cluster().ok_or(ExchangeError::NotMember)?;
        cluster.admitted(&self.to).cloned().ok_or(ExchangeError::NotMember)
    }

    /// Brings the other to where this worker's disk is.
    async fn follow(&mut self) -> Result<(), ExchangeError> {
        loop {
            let Some((held, mark)) = self.place else {
                self.begin().await?;
                continue;
            };
            self.note_progress();
            if held == self.ledger.next() {
                return Ok(());
            }
            let Some(sent) = self.ledger.sent(held) else {
                self.place = None;
                continue;
            };
            let after = mark_after(&mark, &sent.hash);
            let change = CopyChange::Batch { before: mark };
            let stands = send(&self.worker, &self.peer()?, self.program, change, after, &sent.bytes).await?;
            // Elsewhere: it has restarted, or somebody else has written to it.
            self.place = (stands == after).then_some((held.saturating_add(1), after));
        }
    }

    /// Tells whoever waits how far it is.
    fn note_progress(&self) {
        let held = self.place.map(|(held, _)| held);
        self.state.send_modify(|state| state.held = held);
    }

    /// Finds out where the other stands; sends everything unless it has that.
    async fn begin(&mut self) -> Result<(), ExchangeError> {
        let peer = self.peer()?;
        let stands = exchange(&self.worker, &peer, CopySay::Where { program: self.program }).await?;
        let ledger = self.ledger.clone();
        let whole = blocking(move || ledger.whole()).await?;
        if stands != whole.mark {
            tracing::info!(
                program = %short(&self.program), worker = %self.to, bytes = whole.bytes.len(), "sending a whole copy"
            );
            send_whole(&self.worker, &peer, self.program, &whole).await?;
        }
        self.place = Some((whole.next, whole.mark));
        Ok(())
    }

    /// After a time without batches: whether the other still has what it had. A disk may have been lost.
    async fn look_again(&mut self) {
        let Some((_, mark)) = self.place else { return };
        let Ok(peer) = self.peer() else { return };
        match exchange(&self.worker, &peer, CopySay::Where { program: self.program }).await {
            Ok(stands) if stands == mark => {}
            Ok(_) => self.place = None,
            Err(_) => self.tell(false),
        }
    }
}
