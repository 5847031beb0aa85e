//! Heartbeats: a worker answers its challenge, and is paid.
//!
//! # Properties
//! - A heartbeat costs the same however many workers there are, and however long ago the last one was.
//! - Hosting programs costs no pay: whoever serves, or served when it answered last, is not measured.

use crate::{
    Accrued, Config, Error, Event, Machine, Pallet, Refusal, Serving as _, Sessions, Tariff, Work, message::refuse,
    score::note_process,
};
use frame_support::{defensive, pallet_prelude::*};
use phala_economics::{Answer, Mark, SessionRecord, measure};
use phala_messages::{
    computation::{Challenge, Heartbeat, WorkRecord},
    custody::Signed,
};

/// What a heartbeat answers.
struct Answered {
    machine: Machine,
    work: WorkRecord,
    challenge: Challenge,
    record: SessionRecord,
}

impl<T: Config> Pallet<T> {
    /// Checks the rules and the signature of a heartbeat.
    pub(crate) fn authorize_heartbeat(signed: &Signed<Heartbeat>) -> TransactionValidityWithRefund {
        let answered = Self::judge_heartbeat(&signed.message).map_err(refuse)?;
        ensure!(Self::is_signed(signed, &answered.machine.instance.0), refuse(Refusal::InstanceSignature));
        Self::accept::<Heartbeat>((signed.message.worker, signed.message.challenge))
    }

    /// Takes an answer. Its authorisation has checked the signature; everything else is checked again.
    pub(crate) fn do_heartbeat(signed: Signed<Heartbeat>) -> DispatchResult {
        let Heartbeat { worker, iterations, .. } = signed.message;
        let Answered { machine, mut work, challenge, mut record } =
            Self::judge_heartbeat(&signed.message).map_err(Error::<T>::from)?;
        let tariff = Tariff::<T>::get();
        let serving = T::Serving::serves(&worker);
        let mark = Mark { iterations, at_ms: challenge.time.0 };
        let undisturbed = !serving && !record.worth.serving;
        let measured = if undisturbed { measure(&tariff, record.worth.score, record.mark, mark) } else { None };
        record.mark = mark;
        record.worth.confidence = machine.confidence;

        let mut accrual = Self::accrue();
        let answer = record.worth.answer(&tariff, Self::block(), measured, serving);
        match answer {
            Answer::Due => {
                Self::pay(&worker, &mut record, &mut accrual);
                Self::rejoin(&mut record, &mut accrual);
            }
            Answer::Recovered => {
                Self::rejoin(&mut record, &mut accrual);
                Self::list(&worker, &mut record);
                Self::deposit_event(Event::WorkerRecovered { worker, session: record.number });
            }
            Answer::NothingDue => {}
        }
        Accrued::<T>::put(accrual);
        Sessions::<T>::insert(worker, record);
        work.challenge = None;
        note_process(&mut work, machine.instance);
        Work::<T>::insert(worker, work);
        Ok(())
    }

    fn rejoin(record: &mut SessionRecord, accrual: &mut phala_economics::Accrual) {
        if record.worth.rejoin(&mut accrual.index).is_err() {
            // The sum holds 2⁶⁴; V and the score are bounded far below. The old share stays.
            defensive!("the shares fit their sum");
        }
    }

    /// Every rule of a heartbeat but the signature.
    fn judge_heartbeat(heartbeat: &Heartbeat) -> Result<Answered, Refusal> {
        let work = Self::at_work(&heartbeat.worker)?;
        ensure!(work.session == Some(heartbeat.session), Refusal::SessionOther);
        let challenge =
            work.challenge.filter(|waiting| waiting.block == heartbeat.challenge).ok_or(Refusal::NotChallenged)?;
        let machine = Self::admitted(&heartbeat.worker)?;
        let record = Sessions::<T>::get(heartbeat.worker)
            .filter(|record| record.cooling.is_none())
            .ok_or(Refusal::SessionOther)?;
        Ok(Answered { machine, work, challenge, record })
    }
}
