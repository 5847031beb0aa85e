//! The ledger: every write to a program's disk passes here, in order, whoever makes it.
//!
//! ```text
//! this worker leads       state ─► LeadDisk ─► disk, then the line: batches that copies must follow
//! this worker stands by   pieces from the lead ─► apply ─► disk
//! ```
//! # Properties
//! - At most one of them writes: a [`LeadDisk`] writes nothing once the program was given to another keeper, or this worker
//!   stands by.
//! - What is in the line is on disk, and in the same order.
//! - A copy changes by whole batches that lead from the mark where it stands, or by a whole copy; anything else leaves it as it was.

use codec::{DecodeAll, Encode};
use phala_messages::{
    Hash, ProgramId,
    copies::{CopyChange, CopyRefusal, mark_after, mark_of_whole},
    limits::COPY_BYTES_MAX,
    transcript::sha256,
};
use phala_state::{Batch, Disk, DiskError};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Bytes of batches that a program's lead keeps for workers that lag behind. Who lags further gets everything.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A program's entries, in the order of their names.
pub type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// All ledgers of a worker.
pub struct Ledgers {
    disk: Arc<dyn Disk>,
    ledgers: Mutex<HashMap<ProgramId, Arc<Ledger>>>,
}

impl Ledgers {
    /// Ledgers over `disk`.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, ledgers: Mutex::default() }
    }

    /// The ledger of a program.
    pub fn of(&self, program: &ProgramId) -> Arc<Ledger> {
        let mut all = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(*program).or_insert_with(|| Arc::new(Ledger::new(*program, self.disk.clone()))).clone()
    }
}

/// The ledger of one program.
pub struct Ledger {
    program: ProgramId,
    disk: Arc<dyn Disk>,
    inner: Mutex<Inner>,
    /// How many batches the line ever had.
    grown: watch::Sender<u64>,
}

struct Inner {
    /// Counts who may write. Zero to begin with: nobody.
    lease: u64,
    stands_by: bool,
    /// The number of the batch that comes next; not reset while the process lives.
    next: u64,
    /// The newest batches, up to `next`.
    line: VecDeque<Arc<Sent>>,
    line_bytes: usize,
    /// Whether anybody follows the line.
    followed: bool,
    /// Mark of the copy while this worker stands by, as far as it is known.
    mark: Option<Hash>,
}

/// A batch as it travels.
pub struct Sent {
    /// SCALE of the [`Batch`].
    pub bytes: Vec<u8>,
    /// Its SHA-256.
    pub hash: Hash,
}

/// A whole copy as it travels.
pub struct Whole {
    /// The number of the batch that comes after it.
    pub next: u64,
    /// Its mark.
    pub mark: Hash,
    /// SCALE of its entries.
    pub bytes: Vec<u8>,
}

/// Why a ledger does not say what is on disk.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// See [`COPY_BYTES_MAX`].
    #[error("the program has more than {COPY_BYTES_MAX} bytes on disk, too many for a copy")]
    TooLarge,
}

impl From<LedgerError> for CopyRefusal {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Disk(_) => Self::Disk,
            LedgerError::TooLarge => Self::TooLarge,
        }
    }
}

impl Ledger {
    fn new(program: ProgramId, disk: Arc<dyn Disk>) -> Self {
        let inner = Inner {
            lease: 0,
            stands_by: false,
            next: 0,
            line: VecDeque::new(),
            line_bytes: 0,
            followed: false,
            mark: None,
        };
        Self { program, disk, inner: Mutex::new(inner), grown: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk for a keeper that leads. Every earlier one writes nothing any more. May block.
    pub fn lead(self: &Arc<Self>) -> LeadDisk {
        let mut inner = self.lock();
        inner.begin(false);
        LeadDisk { ledger: self.clone(), lease: inner.lease }
    }

    /// From now on only the lead's pieces change what is on disk. May block.
    pub fn stand_by(&self) {
        self.lock().begin(true);
    }

    /// Batches are kept for others from now on, or not any more. Answers the number of the next one.
    pub fn follow(&self, followed: bool) -> u64 {
        let mut inner = self.lock();
        inner.followed = followed;
        if !followed {
            inner.forget(u64::MAX);
        }
        inner.next
    }

    /// Everybody has what comes before batch `number`.
    pub fn forget_below(&self, number: u64) {
        self.lock().forget(number);
    }

    /// The number of the batch that comes next.
    pub fn next(&self) -> u64 {
        self.lock().next
    }

    /// Tells when there is another batch.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The batch of this number. None when it is not kept, or not made yet.
    pub fn sent(&self, number: u64) -> Option<Arc<Sent>> {
        let inner = self.lock();
        let first = inner.next.saturating_sub(inner.line.len() as u64);
        inner.line.get(usize::try_from(number.checked_sub(first)?).ok()?).cloned()
    }

    /// Everything that is on disk. Blocks, and so do writes meanwhile.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn whole(&self) -> Result<Whole, LedgerError> {
        let inner = self.lock();
        let bytes = self.load()?.encode();
        Ok(Whole { next: inner.next, mark: mark_of_whole(&sha256(&bytes)), bytes })
    }

    fn load(&self) -> Result<Entries, LedgerError> {
        let (mut entries, mut bytes) = (Entries::new(), 8usize);
        self.disk.load(&self.program, &mut |name, content| {
            // Each is preceded by its length, of up to 5 bytes.
            bytes = bytes.saturating_add(name.len()).saturating_add(content.len()).saturating_add(10);
            if bytes <= COPY_BYTES_MAX as usize {
                entries.insert(name, content);
            }
        })?;
        if bytes > COPY_BYTES_MAX as usize { Err(LedgerError::TooLarge) } else { Ok(entries) }
    }

    /// Where the copy stands. Blocks.
    ///
    /// # Errors
    /// [`CopyRefusal::NotLead`] when this worker does not stand by; the disk's.
    pub fn mark(&self) -> Result<Hash, CopyRefusal> {
        let mut inner = self.standing_by()?;
        self.mark_of(&mut inner)
    }

    fn standing_by(&self) -> Result<MutexGuard<'_, Inner>, CopyRefusal> {
        let inner = self.lock();
        if inner.stands_by { Ok(inner) } else { Err(CopyRefusal::NotLead) }
    }

    fn mark_of(&self, inner: &mut Inner) -> Result<Hash, CopyRefusal> {
        if let Some(mark) = inner.mark {
            return Ok(mark);
        }
        let mark = mark_of_whole(&sha256(&self.load()?.encode()));
        inner.mark = Some(mark);
        Ok(mark)
    }

    /// Applies a change from the lead, and answers where the copy stands then: at `after`, or where it was when the change
    /// does not begin there. Blocks.
    ///
    /// # Errors
    /// [`CopyRefusal`]; the copy is as it was, or the disk does not work.
    pub fn apply(&self, change: CopyChange, after: Hash, bytes: &[u8]) -> Result<Hash, CopyRefusal> {
        let mut inner = self.standing_by()?;
        let batch = match change {
            CopyChange::Batch { before } => {
                let mark = self.mark_of(&mut inner)?;
                if mark == after || mark != before {
                    return Ok(mark);
                }
                if mark_after(&before, &sha256(bytes)) != after {
                    return Err(CopyRefusal::Mark);
                }
                Batch::decode_all(&mut &*bytes).map_err(|_| CopyRefusal::Malformed)?
            }
            CopyChange::Whole => {
                let entries = parse_whole(after, bytes)?;
                replacement(&*self.disk, &self.program, entries).map_err(|_| CopyRefusal::Disk)?
            }
        };
        inner.mark = None;
        self.disk.commit(&self.program, batch).map_err(|error| {
            tracing::error!(program = %self.program, %error, "a copy cannot be written");
            CopyRefusal::Disk
        })?;
        inner.mark = Some(after);
        Ok(after)
    }
}

/// The entries of a whole copy with this mark.
///
/// # Errors
/// [`CopyRefusal::Mark`], [`CopyRefusal::Malformed`].
pub fn parse_whole(mark: Hash, bytes: &[u8]) -> Result<Entries, CopyRefusal> {
    if mark_of_whole(&sha256(bytes)) != mark {
        return Err(CopyRefusal::Mark);
    }
    Entries::decode_all(&mut &*bytes).map_err(|_| CopyRefusal::Malformed)
}

/// What makes `entries` of whatever is on disk.
///
/// # Errors
/// The disk's.
pub fn replacement(disk: &dyn Disk, program: &ProgramId, entries: Entries) -> Result<Batch, DiskError> {
    let mut batch: Batch = Vec::with_capacity(entries.len());
    disk.load(program, &mut |name, _| {
        if !entries.contains_key(&name) {
            batch.push((name, None));
        }
    })?;
    batch.extend(entries.into_iter().map(|(name, bytes)| (name, Some(bytes))));
    Ok(batch)
}

impl Inner {
    fn begin(&mut self, stands_by: bool) {
        self.lease = self.lease.saturating_add(1);
        self.stands_by = stands_by;
        self.followed = false;
        self.mark = None;
        self.forget(u64::MAX);
    }

    fn forget(&mut self, below: u64) {
        while self.next.saturating_sub(self.line.len() as u64) < below {
            let Some(sent) = self.line.pop_front() else { break };
            self.line_bytes = self.line_bytes.saturating_sub(sent.bytes.len());
        }
    }

    fn append(&mut self, bytes: Vec<u8>) {
        let hash = sha256(&bytes);
        self.line_bytes = self.line_bytes.saturating_add(bytes.len());
        self.line.push_back(Arc::new(Sent { bytes, hash }));
        self.next = self.next.saturating_add(1);
        while self.line_bytes > LINE_BYTES_MAX {
            let first = self.next.saturating_sub(self.line.len() as u64);
            self.forget(first.saturating_add(1));
        }
    }
}

/// The disk of a keeper that leads.
pub struct LeadDisk {
    ledger: Arc<Ledger>,
    lease: u64,
}

impl Disk for LeadDisk {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        self.ledger.disk.load(program, visit)
    }

    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.ledger.disk.get(program, name)
    }

    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        let ledger = &self.ledger;
        let mut inner = ledger.lock();
        if inner.lease != self.lease || *program != ledger.program {
            return Err(DiskError::new("another keeper has the program now"));
        }
        let bytes = inner.followed.then(|| batch.encode());
        ledger.disk.commit(program, batch)?;
        match bytes {
            Some(bytes) => inner.append(bytes),
            None => inner.next = inner.next.saturating_add(1),
        }
        ledger.grown.send_replace(inner.next);
        Ok(())
    }

    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        let mut names = Vec::new();
        self.load(program, &mut |name, _| names.push((name, None)))?;
        self.commit(program, names)
    }

    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        self.ledger.disk.programs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_state::MemoryDisk;
    use proptest::prelude::*;

    const P: ProgramId = ProgramId([1; 32]);

    fn ledger() -> (Arc<MemoryDisk>, Arc<Ledger>) {
        let disk = Arc::new(MemoryDisk::new());
        (disk.clone(), Ledgers::new(disk).of(&P))
    }

    fn put(name: u8, content: u8) -> Batch {
        vec![(vec![name], Some(vec![content]))]
    }

    fn batch(before: Hash, batch: &Batch) -> (CopyChange, Hash, Vec<u8>) {
        let bytes = batch.encode();
        (CopyChange::Batch { before }, mark_after(&before, &sha256(&bytes)), bytes)
    }

    proptest! {
        /// Whatever batches a lead writes, and wherever a copy is cut off and given all again, it ends with the same bytes.
        #[test]
        fn a_copy_that_follows_ends_with_the_same_bytes(
            steps in proptest::collection::vec((0u8..6, proptest::option::of(any::<u8>()), 0u8..6), 0..60)
        ) {
            let ((from, lead), (to, copy)) = (ledger(), ledger());
            let disk = lead.lead();
            copy.stand_by();
            lead.follow(true);
            let (mut held, mut mark) = (0, copy.mark().unwrap());
            for (name, content, chance) in steps {
                disk.commit(&P, vec![(vec![name], content.map(|content| vec![content]))]).unwrap();
                match chance {
                    0 => {
                        // It was away: it begins from everything.
                        let whole = lead.whole().unwrap();
                        prop_assert_eq!(copy.apply(CopyChange::Whole, whole.mark, &whole.bytes), Ok(whole.mark));
                        (held, mark) = (whole.next, whole.mark);
                    }
                    1 | 2 => {}
                    _ => while let Some(sent) = lead.sent(held) {
                        let after = mark_after(&mark, &sent.hash);
                        // Twice: an acknowledgement may be lost.
                        for _ in 0..2 {
                            prop_assert_eq!(copy.apply(CopyChange::Batch { before: mark }, after, &sent.bytes), Ok(after));
                        }
                        (held, mark) = (held + 1, after);
                    },
                }
                if held == lead.next() {
                    prop_assert_eq!(from.copy(&P), to.copy(&P));
                }
            }
        }
    }

    #[test]
    fn a_batch_that_does_not_follow_changes_nothing() {
        let (disk, ledger) = ledger();
        ledger.stand_by();
        let start = ledger.mark().unwrap();
        let (change, after, bytes) = batch(start, &put(1, 1));
        assert_eq!(ledger.apply(change, after, &bytes), Ok(after));
        // From where it stood before; from nowhere; altered; not what it promises; no batch at all.
        assert_eq!(ledger.apply(change, Hash([7; 32]), &bytes), Ok(after));
        let (astray, elsewhere, _) = batch(Hash([9; 32]), &put(1, 2));
        assert_eq!(ledger.apply(astray, elsewhere, &bytes), Ok(after));
        let (next, beyond, mut altered) = batch(after, &put(1, 2));
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(ledger.apply(next, beyond, &altered), Err(CopyRefusal::Mark));
        let nonsense = mark_after(&after, &sha256(b"?"));
        assert_eq!(ledger.apply(next, nonsense, b"?"), Err(CopyRefusal::Malformed));
        assert_eq!(ledger.apply(CopyChange::Whole, beyond, &bytes), Err(CopyRefusal::Mark));
        assert_eq!(disk.copy(&P), Entries::from([(vec![1], vec![1])]));
        assert_eq!(ledger.mark(), Ok(after));
    }

    #[test]
    fn a_mark_of_contents_is_the_same_however_they_came_about() {
        let ((_, lead), (_, copy)) = (ledger(), ledger());
        let disk = lead.lead();
        for n in 0..5 {
            disk.commit(&P, put(n, n)).unwrap();
        }
        disk.commit(&P, vec![(vec![3], None)]).unwrap();
        let whole = lead.whole().unwrap();
        copy.stand_by();
        copy.apply(CopyChange::Whole, whole.mark, &whole.bytes).unwrap();
        copy.stand_by();
        assert_eq!(copy.mark(), Ok(whole.mark), "after a restart it reads its disk");
    }

    #[test]
    fn whoever_leads_no_more_writes_no_more_and_who_leads_takes_no_copies() {
        let (disk, ledger) = ledger();
        let first = ledger.lead();
        first.commit(&P, put(1, 1)).unwrap();
        assert_eq!(ledger.mark(), Err(CopyRefusal::NotLead));
        let whole = ledger.whole().unwrap();
        assert_eq!(ledger.apply(CopyChange::Whole, whole.mark, &whole.bytes), Err(CopyRefusal::NotLead));
        let second = ledger.lead();
        assert!(first.commit(&P, put(1, 2)).is_err());
        second.commit(&P, put(1, 3)).unwrap();
        ledger.stand_by();
        assert!(second.commit(&P, put(1, 4)).is_err() && second.erase(&P).is_err());
        assert!(ledger.lead().commit(&ProgramId([2; 32]), put(1, 1)).is_err(), "another program's");
        assert_eq!(disk.copy(&P)[&vec![1]], [3]);
    }

    #[test]
    fn the_line_has_bounded_size_and_nobody_is_told_what_it_forgot() {
        let (_, ledger) = ledger();
        let disk = ledger.lead();
        disk.commit(&P, put(1, 1)).unwrap();
        assert!(ledger.sent(0).is_none(), "nobody follows");
        assert_eq!(ledger.follow(true), 1);
        let large = || vec![(vec![1], Some(vec![0; LINE_BYTES_MAX / 2]))];
        for _ in 0..3 {
            disk.commit(&P, large()).unwrap();
        }
        assert_eq!(ledger.next(), 4);
        assert!(ledger.sent(1).is_none() && ledger.sent(2).is_none() && ledger.sent(3).is_some());
        assert!(ledger.sent(4).is_none());
        ledger.forget_below(4);
        assert!(ledger.sent(3).is_none());
    }

    #[test]
    fn a_copy_has_a_largest_size() {
        let (disk, ledger) = ledger();
        // One entry of the largest size that fits: 8 and 10 bytes around a name of 1.
        let fits = COPY_BYTES_MAX as usize - 19;
        disk.replace(&P, Entries::from([(vec![1], vec![0; fits])]));
        assert!(ledger.whole().is_ok_and(|whole| whole.bytes.len() <= COPY_BYTES_MAX as usize));
        disk.replace(&P, Entries::from([(vec![1], vec![0; fits + 1])]));
        assert!(matches!(ledger.whole(), Err(LedgerError::TooLarge)));
        ledger.stand_by();
        assert_eq!(ledger.mark(), Err(CopyRefusal::TooLarge));
    }
}
