//! Scores: how fast a machine is, by its own benchmark.
//!
//! A score is believed as far as the code that measured it is: the registry admits only measured code, and the worker's process signs. What
//! its host can do is to let time pass between the last block that it shows to the worker and the moment it lets the message go; so
//! that block must be recent.

use crate::{Config, Error, Event, Machine, Pallet, Refusal, Work, message::refuse};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::BlockNumberFor;
use phala_messages::{
    InstanceKey, WorkerId,
    computation::{ScoreRecord, ScoreReport, WorkRecord},
    custody::Signed,
    limits::{RECENT_PROCESSES_MAX, SCORE_BLOCK_AGE_MAX},
};

impl<T: Config> Pallet<T> {
    /// Checks the rules and the signature of a score.
    pub(crate) fn authorize_score(signed: &Signed<ScoreReport>) -> TransactionValidityWithRefund {
        let (machine, _) = Self::judge_score(&signed.message).map_err(refuse)?;
        ensure!(Self::is_signed(signed, &machine.instance.0), refuse(Refusal::InstanceSignature));
        Self::accept::<ScoreReport>((signed.message.worker, machine.instance))
    }

    /// Notes a score. Its authorisation has checked the signature; everything else is checked again.
    pub(crate) fn do_report_score(signed: Signed<ScoreReport>) -> DispatchResult {
        let ScoreReport { worker, score, .. } = signed.message;
        let (machine, mut record) = Self::judge_score(&signed.message).map_err(Error::<T>::from)?;
        record.score = Some(ScoreRecord { score, instance: machine.instance, block: Self::block() });
        note_process(&mut record, machine.instance);
        Work::<T>::insert(worker, record);
        Self::deposit_event(Event::Scored { worker, score });
        Ok(())
    }

    fn judge_score(report: &ScoreReport) -> Result<(Machine, WorkRecord), Refusal> {
        let record = Self::at_work(&report.worker)?;
        let machine = Self::admitted(&report.worker)?;
        let stands = record.score.is_some_and(|score| score.instance == machine.instance);
        ensure!(!stands, Refusal::ScoreStands);
        ensure!((1..=machine.confidence.score_max().0).contains(&report.score), Refusal::ScoreRange);
        let (cited, now) = (report.block.number, Self::block());
        let recent = cited < now && now.since(cited) <= SCORE_BLOCK_AGE_MAX;
        let ours = Self::hash_of(BlockNumberFor::<T>::from(cited.0)) == report.block.hash.0;
        ensure!(recent && ours, Refusal::ScoreBlock);
        Ok((machine, record))
    }

    /// The record of a worker that works for a pool.
    pub(crate) fn at_work(worker: &WorkerId) -> Result<WorkRecord, Refusal> {
        Work::<T>::get(worker).ok_or(Refusal::WorkerUnbound)
    }
}

/// Remembers a process that was seen at work; the oldest is forgotten.
pub(crate) fn note_process(record: &mut WorkRecord, instance: InstanceKey) {
    if record.processes.last() == Some(&instance) {
        return;
    }
    record.processes.retain(|known| *known != instance);
    if record.processes.len() as u32 >= RECENT_PROCESSES_MAX {
        record.processes.remove(0);
    }
    // There is room now.
    let _ = record.processes.try_push(instance);
}
