//! Faults: what a worker signed and must not have signed, proven by anyone; what it costs; who gets it.
//!
//! | fault | proof | level |
//! |---|---|---|
//! | two anchors | of one process, for the same commands, with other roots | grave: 10 % |
//! | two receipts | of one process, of the same block, with other states | attack: everything, and banned |
//! | another state | a receipt's state is not the one on chain at its block | attack |
//! | expired evidence | a receipt of a time when the admission had run out | minor: 1 % |
//! | absence | a doubted lead that did not show itself: the chain knows by itself | minor |
//!
//! Silence, the mildest level, is no fault to be proven: V shrinks with each block (`challenge`).
//!
//! Whatever else will count as a fault implements [`Fault`], and [`Pallet::punish`] does the rest.
//!
//! # Properties
//! - A fault is punished once.
//! - A fine is taken of the stake, of V and of Ve alike, so that the end of the session takes nothing for it again.
//! - Of a fine, the owner of the harmed program is compensated first, then whoever proved the fault; the rest is the treasury's.
//!
//! # What cannot be proven here
//! A process is known by the chain while it is the worker's current one, or was among the last
//! [`phala_messages::limits::RECENT_PROCESSES_MAX`] that were seen at work. A false state can be shown until the program's next anchor.

use crate::{
    Banned, Config, Error, Event, Pallet, Pools as _, Programs as _, Punished, Refusal, Rules, Sessions, Tariff, Work,
    Workers as _,
};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::BlockNumberFor;
use phala_economics::FaultLevel;
use phala_messages::{
    Account, Hash, InstanceKey, ProgramId, Receipt, Signature, SignedReceipt, WorkerId,
    anchor::SignedAnchor,
    computation::{FaultProof, ReceiptProof, fault_id},
    limits::QUERY_MS_MAX,
};
use phala_units::{BlockNumber, Planck};

/// A fault that was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Names what happened.
    pub id: Hash,
    /// Whose fault it is.
    pub worker: WorkerId,
    /// How grave it is.
    pub level: FaultLevel,
    /// Who was harmed.
    pub harmed: Option<Account>,
}

/// A kind of fault.
pub trait Fault<T: Config> {
    /// Checks the proof.
    ///
    /// # Errors
    /// [`Refusal::FaultUnproven`], [`Refusal::FaultInstance`].
    fn prove(&self) -> Result<Proven, Refusal>;
}

/// Two anchors of one process.
struct TwoAnchors<'a>(&'a SignedAnchor, &'a SignedAnchor, &'a InstanceKey);
/// Two receipts of one process.
struct TwoReceipts(SignedReceipt, SignedReceipt);
/// A receipt beside the chain's own anchor.
struct OtherState(SignedReceipt);
/// A receipt beside the worker's admission.
struct ExpiredEvidence(SignedReceipt);
/// A lead that was deposed for its silence.
struct Absence<'a>(&'a WorkerId, BlockNumber);

impl<T: Config> Fault<T> for FaultProof {
    fn prove(&self) -> Result<Proven, Refusal> {
        let open = |receipt: &ReceiptProof| receipt.open().ok_or(Refusal::FaultUnproven);
        match self {
            Self::TwoAnchors { first, second, instance } => Fault::<T>::prove(&TwoAnchors(first, second, instance)),
            Self::TwoReceipts { first, second } => Fault::<T>::prove(&TwoReceipts(open(first)?, open(second)?)),
            Self::OtherState { receipt } => Fault::<T>::prove(&OtherState(open(receipt)?)),
            Self::ExpiredEvidence { receipt } => Fault::<T>::prove(&ExpiredEvidence(open(receipt)?)),
        }
    }
}

impl<T: Config> Fault<T> for TwoAnchors<'_> {
    fn prove(&self) -> Result<Proven, Refusal> {
        let Self(SignedAnchor { anchor: one, signature }, SignedAnchor { anchor: other, signature: others }, instance) =
            self;
        let same = (one.program, one.worker, one.from, one.to) == (other.program, other.worker, other.from, other.to);
        let differ = one.root != other.root || one.results != other.results;
        ensure!(same && differ, Refusal::FaultUnproven);
        let known_since = known_process::<T>(&one.worker, instance)?;
        // Under another key the same commands come to another root: the process must have had one key all the time.
        let moved = T::Programs::moved(&one.program);
        ensure!(moved.is_none_or(|block| known_since.is_some_and(|since| block < since)), Refusal::FaultUnproven);
        for (anchor, signature) in [(one, signature), (other, others)] {
            ensure!(signed(instance, &anchor.signing_hash(&Pallet::<T>::genesis()), signature), Refusal::FaultUnproven);
        }
        let id = fault_id(0, &one.worker, &(one.program, one.from, one.to));
        Ok(proven::<T>(id, one.worker, FaultLevel::Grave, &one.program))
    }
}

impl<T: Config> Fault<T> for TwoReceipts {
    fn prove(&self) -> Result<Proven, Refusal> {
        let (one, other) = (check_receipt::<T>(&self.0)?, check_receipt::<T>(&self.1)?);
        let same = (one.program, one.instance, one.worker, one.anchor.block)
            == (other.program, other.instance, other.worker, other.anchor.block);
        let differ = (one.anchor.version, one.anchor.root) != (other.anchor.version, other.anchor.root);
        ensure!(same && differ, Refusal::FaultUnproven);
        Ok(false_state::<T>(one))
    }
}

impl<T: Config> Fault<T> for OtherState {
    fn prove(&self) -> Result<Proven, Refusal> {
        let receipt = check_receipt::<T>(&self.0)?;
        let anchor = T::Programs::anchor(&receipt.program).ok_or(Refusal::FaultUnproven)?;
        let block = receipt.anchor.block;
        // From the anchor's block on, and until now, the chain's state holds this anchor and no other.
        ensure!(anchor.block <= block.number && block.number < Pallet::<T>::block(), Refusal::FaultUnproven);
        let hash = Pallet::<T>::hash_of(BlockNumberFor::<T>::from(block.number.0));
        ensure!(hash == block.hash.0, Refusal::FaultUnproven);
        let differ = (receipt.anchor.version, receipt.anchor.root) != (anchor.version, anchor.root);
        ensure!(differ, Refusal::FaultUnproven);
        Ok(false_state::<T>(receipt))
    }
}

impl<T: Config> Fault<T> for ExpiredEvidence {
    fn prove(&self) -> Result<Proven, Refusal> {
        let receipt = check_receipt::<T>(&self.0)?;
        let machine = T::Workers::machine(&receipt.worker).ok_or(Refusal::FaultInstance)?;
        ensure!(machine.instance == receipt.instance, Refusal::FaultInstance);
        // What began while the admission held may end after it.
        let grace = machine.expires_at.saturating_add(QUERY_MS_MAX.into());
        ensure!(grace < receipt.time, Refusal::FaultUnproven);
        let id = fault_id(3, &receipt.worker, &machine.expires_at);
        Ok(proven::<T>(id, receipt.worker, FaultLevel::Minor, &receipt.program))
    }
}

impl<T: Config> Fault<T> for Absence<'_> {
    fn prove(&self) -> Result<Proven, Refusal> {
        let Self(worker, block) = self;
        Ok(Proven { id: fault_id(4, worker, block), worker: **worker, level: FaultLevel::Minor, harmed: None })
    }
}

/// The receipt, if it is of this network and signed by a process of the worker that it names.
fn check_receipt<T: Config>(signed_receipt: &SignedReceipt) -> Result<&Receipt, Refusal> {
    let SignedReceipt { receipt, signature } = signed_receipt;
    ensure!(receipt.genesis == Pallet::<T>::genesis(), Refusal::FaultUnproven);
    known_process::<T>(&receipt.worker, &receipt.instance)?;
    ensure!(signed(&receipt.instance, &receipt.signing_hash(), signature), Refusal::FaultUnproven);
    Ok(receipt)
}

/// Whether the chain has seen this process of the worker, and if it is the current one, since when.
fn known_process<T: Config>(worker: &WorkerId, instance: &InstanceKey) -> Result<Option<BlockNumber>, Refusal> {
    if let Some(machine) = T::Workers::machine(worker).filter(|machine| machine.instance == *instance) {
        return Ok(Some(machine.since));
    }
    let seen = Work::<T>::get(worker).is_some_and(|work| work.processes.contains(instance));
    seen.then_some(None).ok_or(Refusal::FaultInstance)
}

fn signed(key: &InstanceKey, hash: &Hash, signature: &Signature) -> bool {
    sp_io::crypto::ed25519_verify(&(*signature).into(), &hash.0, &key.0.into())
}

/// A lie about the state at one block, however it was proven: one fault.
fn false_state<T: Config>(receipt: &Receipt) -> Proven {
    let id = fault_id(1, &receipt.worker, &(receipt.program, receipt.anchor.block));
    proven::<T>(id, receipt.worker, FaultLevel::Attack, &receipt.program)
}

fn proven<T: Config>(id: Hash, worker: WorkerId, level: FaultLevel, program: &ProgramId) -> Proven {
    Proven { id, worker, level, harmed: T::Programs::owner(program) }
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_report_fault(reporter: T::AccountId, proof: &FaultProof) -> DispatchResult {
        let fault = Fault::<T>::prove(proof).map_err(Error::<T>::from)?;
        Self::punish(fault, Some(reporter))
    }

    /// A lead was deposed because it did not show itself. Costs nothing to who has nothing at work.
    pub fn punish_absence(worker: &WorkerId) {
        let proven = Fault::<T>::prove(&Absence(worker, Self::block())).ok();
        if let Some(fault) = proven.filter(|_| Sessions::<T>::contains_key(worker)) {
            // Refused only if it was punished already.
            let _ = frame_support::storage::with_storage_layer(|| Self::punish(fault, None));
        }
    }

    /// Takes what a fault costs, and gives it to who is to have it.
    ///
    /// # Errors
    /// [`Refusal::FaultPunished`], [`Refusal::NothingAtStake`].
    pub fn punish(fault: Proven, reporter: Option<T::AccountId>) -> DispatchResult {
        let Proven { id, worker, level, harmed } = fault;
        ensure!(!Punished::<T>::contains_key(id), Error::<T>::from(Refusal::FaultPunished));
        let record = Sessions::<T>::get(worker).filter(|record| at_stake(record).0 > 0);
        let mut record = record.ok_or(Error::<T>::from(Refusal::NothingAtStake))?;
        Punished::<T>::insert(id, Self::block());

        let fine = level.fine(at_stake(&record));
        T::Pools::return_stake(record.pool, Planck(0), fine)?;
        record.stake = Planck(record.stake.0.saturating_sub(fine.0));
        match &mut record.cooling {
            Some(cooling) => cooling.returned = Planck(cooling.returned.0.saturating_sub(fine.0)),
            None => {
                record.worth.settle(&Tariff::<T>::get(), Self::block());
                record.worth.punish(level);
                record.worth.initial = level.value_after(record.worth.initial);
            }
        }
        let (pool, cools) = (record.pool, record.cooling.is_some());
        Self::change_pool(pool, |work| {
            work.at_work = Planck(work.at_work.0.saturating_sub(fine.0));
            if cools {
                work.returning = Planck(work.returning.0.saturating_sub(fine.0));
            }
        });
        if !cools {
            Self::note_stake(pool, &worker, record.stake);
        }
        Sessions::<T>::insert(worker, record);
        let (compensated, rewarded) = Self::divide_fine(fine, harmed, reporter);
        Self::deposit_event(Event::FaultPunished { fault: id, worker, pool, level, fine, compensated, rewarded });
        if level.bans() {
            Self::ban(&worker)?;
        }
        Ok(())
    }

    /// The harmed first, then the reporter, then the treasury. Answers what the first two got.
    fn divide_fine(fine: Planck, harmed: Option<Account>, reporter: Option<T::AccountId>) -> (Planck, Planck) {
        let rules = Rules::<T>::get();
        let part = |to: Option<T::AccountId>, rate: phala_economics::Ppm| {
            to.map_or(Planck(0), |to| Self::pass_on(&to, rate.of(fine)))
        };
        let compensated = part(harmed.map(|account| account.0.into()), rules.harmed);
        let rewarded = part(reporter, rules.reporter);
        let rest = fine.0.saturating_sub(compensated.0).saturating_sub(rewarded.0);
        Self::pass_on(&T::Treasury::get(), Planck(rest));
        (compensated, rewarded)
    }

    /// The worker may never come back. What is left of its session ends at once: nothing is at stake any more.
    fn ban(worker: &WorkerId) -> DispatchResult {
        Banned::<T>::insert(worker, Self::block());
        if Sessions::<T>::get(worker).is_some_and(|record| record.cooling.is_none()) {
            Self::stop_session(worker)?;
        }
        if let Some(record) = Sessions::<T>::get(worker)
            && let Some(cooling) = record.cooling
        {
            Self::finish(worker, &record, cooling)?;
        }
        Self::deposit_event(Event::WorkerBanned { worker: *worker });
        Ok(())
    }
}

/// What a fine is measured against: the stake at work, or what of it will come back.
fn at_stake(record: &phala_economics::SessionRecord) -> Planck {
    record.cooling.map_or(record.stake, |cooling| cooling.returned)
}
