//! Deliveries: every part of a key that was given out, noted down before it left.
//!
//! ```text
//! note (sealed, durable) ─► open batch ─► closed batch ─► its Merkle root to the chain ─► kept, for proofs
//! ```
//! One batch at a time is on its way to the chain; what comes meanwhile goes into the next one.
//!
//! # Properties
//! - No answer leaves before its delivery lies on disk; when the disk does not take it, nothing is given out.
//! - Batches of a gatekeeper have no gap, and each ends in a later block than the one before.
//! - A disk that was put back does not stop the log: it goes on where the chain says.

use crate::{rounds::Doubt, view::View};
use codec::{Decode, DecodeAll, Encode};
use phala_machine::Cabinet;
use phala_messages::{
    Hash, WorkerId,
    anchor::{results_path, results_root},
    custody::DeliveryBatch,
    limits::DELIVERIES_PER_BATCH_MAX,
    release::{Delivery, DeliveryProof},
};
use phala_units::BlockNumber;
use std::sync::Arc;

/// Sequence of the open batch, and the oldest that is kept; sealed.
const HEAD: &str = "gatekeeper/deliveries";
/// A batch is closed that many blocks after its first delivery.
pub const BATCH_BLOCKS: u32 = 5;
/// A batch is closed when it holds that many.
pub const BATCH_DELIVERIES_MAX: usize = 4_096;
/// Batches whose deliveries stay on disk, for proofs.
pub const BATCHES_KEPT: u64 = 256;

const _: () = assert!(BATCH_DELIVERIES_MAX <= DELIVERIES_PER_BATCH_MAX as usize);

fn batch_name(sequence: u64) -> String {
    format!("gatekeeper/batch/{sequence}")
}

fn name(sequence: u64, index: usize) -> String {
    format!("gatekeeper/delivery/{sequence}/{index}")
}

#[derive(Clone, Copy, Debug, Default, Encode, Decode)]
struct Head {
    /// Sequence of the open batch.
    open: u64,
    oldest: u64,
}

/// Why a delivery is not noted down.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The open batch is full, and the one before is not on chain yet.
    #[error("the open batch is full")]
    Full,
    /// The disk does not take it.
    #[error(transparent)]
    Disk(#[from] phala_machine::CabinetError),
}

/// The log of one gatekeeper's deliveries.
pub struct Deliveries {
    cabinet: Arc<Cabinet>,
    gatekeeper: WorkerId,
    head: Head,
    open: Vec<Delivery>,
    /// On its way to the chain.
    closed: Option<DeliveryBatch>,
}

impl Deliveries {
    /// What lies on disk.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn open(cabinet: Arc<Cabinet>, gatekeeper: WorkerId) -> Result<Self, Doubt> {
        let head: Head = get(&cabinet, HEAD)?.unwrap_or_default();
        let mut open = Vec::new();
        while let Some(delivery) = get(&cabinet, &name(head.open, open.len()))? {
            open.push(delivery);
        }
        let closed = match head.open.checked_sub(1) {
            Some(before) => get(&cabinet, &batch_name(before))?,
            None => None,
        };
        Ok(Self { cabinet, gatekeeper, head, open, closed })
    }

    /// Notes a delivery down, for good.
    ///
    /// # Errors
    /// [`NoteError`]: then nothing may be delivered.
    pub fn note(&mut self, mut delivery: Delivery) -> Result<(), NoteError> {
        if self.open.len() >= BATCH_DELIVERIES_MAX {
            return Err(NoteError::Full);
        }
        // After a restart the first view may be older than what was delivered by before.
        delivery.block = delivery.block.max(self.last().unwrap_or_default());
        self.cabinet.put(&name(self.head.open, self.open.len()), &delivery.encode())?;
        self.open.push(delivery);
        Ok(())
    }

    fn last(&self) -> Option<BlockNumber> {
        self.open.last().map(|delivery| delivery.block).or(self.closed.as_ref().map(|batch| batch.last))
    }

    /// Deliveries that the chain has no root over yet.
    pub fn waiting(&self) -> usize {
        self.open.len() + self.closed.as_ref().map_or(0, |batch| batch.count as usize)
    }

    /// Sequence of the batch that is open.
    pub const fn sequence(&self) -> u64 {
        self.head.open
    }

    /// Takes a newer view; the batch that the chain should have next.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn observe(&mut self, view: &View) -> Result<Option<DeliveryBatch>, Doubt> {
        let next = view.delivered.next;
        if next > self.head.open {
            self.renumber(next)?;
        }
        if self.closed.as_ref().is_some_and(|batch| batch.sequence < next) {
            self.closed = None;
        }
        // A view of an older block may not show the newest batch yet.
        if self.closed.is_none() && next == self.head.open {
            self.close(view.block.number)?;
        }
        Ok(self.closed.clone())
    }

    /// Goes on at `next`: this disk was put back, and the chain has batches that it does not know.
    fn renumber(&mut self, next: u64) -> Result<(), Doubt> {
        tracing::warn!(
            ours = self.head.open,
            chain = next,
            "the chain has more batches of deliveries than this disk: somebody has put an older disk back"
        );
        for (index, delivery) in self.open.iter().enumerate() {
            self.cabinet.put(&name(next, index), &delivery.encode())?;
        }
        self.closed = None;
        self.head = Head { open: next, oldest: next };
        Ok(self.cabinet.put(HEAD, &self.head.encode())?)
    }

    fn close(&mut self, now: BlockNumber) -> Result<(), Doubt> {
        let (Some(first), Some(last)) = (self.open.first(), self.open.last()) else { return Ok(()) };
        let (first, last) = (first.block, last.block);
        let due = now.since(first) >= BATCH_BLOCKS || self.open.len() >= BATCH_DELIVERIES_MAX;
        // Nothing more may come in the batch's last block.
        if !due || now <= last {
            return Ok(());
        }
        let batch = DeliveryBatch {
            gatekeeper: self.gatekeeper,
            sequence: self.head.open,
            root: results_root(&self.leaves()),
            count: self.open.len() as u32,
            first,
            last,
        };
        self.cabinet.put(&batch_name(batch.sequence), &batch.encode())?;
        let head = Head { open: batch.sequence + 1, oldest: self.head.oldest };
        self.cabinet.put(HEAD, &head.encode())?;
        self.head = head;
        self.open.clear();
        self.closed = Some(batch);
        self.forget_oldest()
    }

    fn leaves(&self) -> Vec<Hash> {
        self.open.iter().map(Delivery::hash).collect()
    }

    fn forget_oldest(&mut self) -> Result<(), Doubt> {
        while self.head.oldest + BATCHES_KEPT < self.head.open {
            let oldest = self.head.oldest;
            if let Some(batch) = get::<DeliveryBatch>(&self.cabinet, &batch_name(oldest))? {
                for index in 0..batch.count as usize {
                    self.cabinet.delete(&name(oldest, index))?;
                }
                self.cabinet.delete(&batch_name(oldest))?;
            }
            self.head.oldest += 1;
            self.cabinet.put(HEAD, &self.head.encode())?;
        }
        Ok(())
    }

    /// The proof that a delivery stands in a closed batch. None when there is no such delivery, or it is not kept any more.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn proof(&self, sequence: u64, index: u32) -> Result<Option<DeliveryProof>, Doubt> {
        let Some(batch) = get::<DeliveryBatch>(&self.cabinet, &batch_name(sequence))? else { return Ok(None) };
        let mut deliveries = Vec::new();
        for index in 0..batch.count as usize {
            match get::<Delivery>(&self.cabinet, &name(sequence, index))? {
                Some(delivery) => deliveries.push(delivery),
                None => return Ok(None),
            }
        }
        let leaves: Vec<_> = deliveries.iter().map(Delivery::hash).collect();
        let path = results_path(&leaves, index as usize);
        let delivery = deliveries.into_iter().nth(index as usize);
        Ok(delivery.zip(path).map(|(delivery, path)| DeliveryProof { batch, index, delivery, path }))
    }
}

fn get<T: Decode>(cabinet: &Cabinet, name: &str) -> Result<Option<T>, Doubt> {
    let Some(bytes) = cabinet.get(name)? else { return Ok(None) };
    T::decode_all(&mut bytes.as_slice()).map(Some).map_err(|_| Doubt::Corrupt(name.into()))
}
