//! Rounds: from the hashes of logs to an output that enough players agree on.

use crate::{
    Complaints, Config, CustodyParameters, Error, Event, Logs, NewestRound, Outputs, Pallet, ROUNDS_KEPT, Refusal,
    Roots, Rounds, Watching, message::refuse,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::*;
use phala_messages::{
    WorkerId,
    custody::{
        Abandonment, Confirmation, EpochRecord, GROUP_POINT_BYTES, LogCommitment, LogRecord, Member, Members,
        OutputRecord, OutputReport, Phase, Places, Purpose, RootGeneration, RoundLogs, RoundNumber, RoundRecord,
        Signed, contains, first_places, place_of, threshold, with,
    },
    limits::GATEKEEPERS_MAX,
};
use phala_units::BlockNumber;

impl<T: Config> Pallet<T> {
    /// The round that runs.
    pub(crate) fn running() -> Option<RoundRecord> {
        Rounds::<T>::get(NewestRound::<T>::get()).filter(|round| !round.phase.is_over())
    }

    /// Whether the gatekeeper is to hold a key share of the round that runs.
    pub(crate) fn is_player(gatekeeper: &WorkerId) -> bool {
        Self::running().is_some_and(|round| place_of(&round.players, gatekeeper).is_some())
    }

    /// Opens a round, and forgets the one that is no longer kept.
    pub(crate) fn open_round(
        purpose: Purpose,
        root: RootGeneration,
        previous: Option<EpochRecord>,
        dealers: Vec<Member>,
        players: Vec<Member>,
        now: BlockNumber,
    ) {
        let (Some(dealers), Some(players)) = (in_order(dealers), in_order(players)) else {
            frame_support::defensive!("no more gatekeepers are wanted than a list holds");
            return;
        };
        let number = NewestRound::<T>::get().next();
        if let Some(old) = number.0.checked_sub(ROUNDS_KEPT) {
            Self::forget_round(RoundNumber(old));
        }
        let deal = threshold(dealers.len() as u32);
        let logs_required = previous.as_ref().map_or(deal, |epoch| deal.max(epoch.threshold));
        let (dealer_count, player_count) = (dealers.len() as u32, players.len() as u32);
        let mut logs = RoundLogs::new();
        for _ in &dealers {
            if logs.try_push(None).is_err() {
                frame_support::defensive!("a round has as many logs as dealers");
            }
        }
        Logs::<T>::insert(number, logs);
        let record = RoundRecord {
            number,
            purpose,
            root,
            previous: previous.map(|epoch| epoch.epoch),
            dealers,
            threshold: threshold(player_count),
            players,
            logs_required,
            phase: Phase::Dealing,
            deadline: now.saturating_add(CustodyParameters::<T>::get().dealing_blocks),
            opened: now,
            confirmed: 0,
            selected: 0,
            reported: 0,
            complained: 0,
        };
        Rounds::<T>::insert(number, record);
        NewestRound::<T>::put(number);
        Self::deposit_event(Event::RoundOpened {
            round: number,
            purpose,
            root,
            dealers: dealer_count,
            players: player_count,
        });
    }

    fn forget_round(number: RoundNumber) {
        Rounds::<T>::remove(number);
        Logs::<T>::remove(number);
        // One of each for a player at most.
        let outputs = Outputs::<T>::clear_prefix(number, GATEKEEPERS_MAX, None);
        let complaints = Complaints::<T>::clear_prefix(number, GATEKEEPERS_MAX, None);
        if outputs.maybe_cursor.is_some() || complaints.maybe_cursor.is_some() {
            frame_support::defensive!("a player reports and complains once in a round");
        }
    }

    /// Ends a phase at its deadline.
    pub(crate) fn end_phase(round: RoundRecord, now: BlockNumber) {
        match round.phase {
            Phase::Dealing => {
                let logs = Logs::<T>::get(round.number).iter().flatten().count() as u32;
                if logs >= round.logs_required {
                    Self::start_confirming(round, now);
                } else {
                    Self::abandon(round, Abandonment::FewLogs, now);
                }
            }
            Phase::Confirming => Self::select_logs(round, now),
            Phase::Reporting => Self::abandon(round, Abandonment::Disagreement, now),
            Phase::Finished(_) | Phase::Abandoned(_) => {
                frame_support::defensive!("a round that is over has no deadline");
            }
        }
    }

    fn start_confirming(mut round: RoundRecord, now: BlockNumber) {
        round.phase = Phase::Confirming;
        round.deadline = now.saturating_add(CustodyParameters::<T>::get().confirming_blocks);
        Self::deposit_event(Event::ConfirmingStarted { round: round.number });
        Rounds::<T>::insert(round.number, round);
    }

    /// Selects the logs that enough players hold.
    fn select_logs(mut round: RoundRecord, now: BlockNumber) {
        let held = |log: &Option<LogRecord>| log.is_some_and(|log| log.confirmed_by.count_ones() >= round.threshold);
        let logs = Logs::<T>::get(round.number);
        let selected = (0..).zip(&logs).filter(|(_, log)| held(log)).fold(0, |all, (place, _)| with(all, place));
        if selected.count_ones() < round.logs_required {
            return Self::abandon(round, Abandonment::FewConfirmed, now);
        }
        round.selected = selected;
        round.phase = Phase::Reporting;
        round.deadline = now.saturating_add(CustodyParameters::<T>::get().reporting_blocks);
        Self::deposit_event(Event::LogsSelected { round: round.number, selected });
        Rounds::<T>::insert(round.number, round);
    }

    /// Gives a round up. Another one follows after a pause, under another number.
    pub(crate) fn abandon(mut round: RoundRecord, reason: Abandonment, now: BlockNumber) {
        round.phase = Phase::Abandoned(reason);
        let pause = CustodyParameters::<T>::get().retry_blocks;
        Watching::<T>::mutate(|watch| {
            watch.changed = true;
            watch.rest_until = now.saturating_add(pause);
        });
        Self::deposit_event(Event::RoundAbandoned { round: round.number, reason });
        Rounds::<T>::insert(round.number, round);
    }

    /// The round of that number, if it runs.
    fn running_round(number: RoundNumber) -> Result<RoundRecord, Refusal> {
        ensure!(number <= NewestRound::<T>::get(), Refusal::RoundUnknown);
        Self::running().filter(|round| round.number == number).ok_or(Refusal::RoundOver)
    }

    // ---- logs

    /// Every rule of a commitment but the signature.
    fn judge_log(message: &LogCommitment) -> Result<(RoundRecord, RoundLogs, u32), Refusal> {
        let round = Self::running_round(message.round)?;
        let place = place_of(&round.dealers, &message.dealer).ok_or(Refusal::NotDealer)?;
        ensure!(round.phase == Phase::Dealing, Refusal::NotDealing);
        let logs = Logs::<T>::get(round.number);
        let is_free = logs.get(place as usize).is_some_and(Option::is_none);
        ensure!(is_free, Refusal::LogCommitted);
        let faults = (round.players.len() as u32).saturating_sub(round.threshold);
        ensure!(message.revealed <= faults, Refusal::LogRevealsTooMuch);
        Self::gatekeeper_instance(&message.dealer)?;
        Ok((round, logs, place))
    }

    pub(crate) fn authorize_log(signed: &Signed<LogCommitment>) -> TransactionValidityWithRefund {
        Self::judge_log(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        Self::accept::<LogCommitment>((signed.message.round, signed.message.dealer))
    }

    pub(crate) fn do_commit_log(message: LogCommitment) -> DispatchResult {
        let (round, mut logs, place) = Self::judge_log(&message).map_err(Error::<T>::from)?;
        let LogCommitment { dealer, log_hash: hash, revealed, .. } = message;
        if let Some(log) = logs.get_mut(place as usize) {
            *log = Some(LogRecord { hash, revealed, confirmed_by: 0 });
        }
        Self::deposit_event(Event::LogCommitted { round: round.number, dealer, hash });
        if revealed > 0 {
            Self::deposit_event(Event::SharesRevealed { round: round.number, dealer, revealed });
        }
        let all_did = logs.iter().all(Option::is_some);
        Logs::<T>::insert(round.number, logs);
        if all_did {
            Self::start_confirming(round, Self::block());
        }
        Ok(())
    }

    // ---- confirmations

    /// Every rule of a confirmation but the signature.
    fn judge_confirmation(message: &Confirmation) -> Result<(RoundRecord, RoundLogs, u32), Refusal> {
        let round = Self::running_round(message.round)?;
        let place = place_of(&round.players, &message.player).ok_or(Refusal::NotPlayer)?;
        ensure!(round.phase == Phase::Confirming, Refusal::NotConfirming);
        ensure!(!contains(round.confirmed, place), Refusal::Confirmed);
        let logs = Logs::<T>::get(round.number);
        ensure!(message.logs & !committed(&logs) == 0, Refusal::LogUnknown);
        Self::gatekeeper_instance(&message.player)?;
        Ok((round, logs, place))
    }

    pub(crate) fn authorize_confirmation(signed: &Signed<Confirmation>) -> TransactionValidityWithRefund {
        Self::judge_confirmation(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        Self::accept::<Confirmation>((signed.message.round, signed.message.player))
    }

    pub(crate) fn do_confirm(message: Confirmation) -> DispatchResult {
        let (mut round, mut logs, place) = Self::judge_confirmation(&message).map_err(Error::<T>::from)?;
        for (dealer, log) in (0..).zip(logs.iter_mut()) {
            if let Some(log) = log.as_mut().filter(|_| contains(message.logs, dealer)) {
                log.confirmed_by = with(log.confirmed_by, place);
            }
        }
        Logs::<T>::insert(round.number, logs);
        round.confirmed = with(round.confirmed, place);
        let Confirmation { player, logs, .. } = message;
        Self::deposit_event(Event::LogsConfirmed { round: round.number, player, logs });
        if round.confirmed == first_places(round.players.len() as u32) {
            Self::select_logs(round, Self::block());
        } else {
            Rounds::<T>::insert(round.number, round);
        }
        Ok(())
    }

    // ---- outputs

    /// Every rule of a report but the signature.
    fn judge_report(message: &OutputReport) -> Result<(RoundRecord, u32), Refusal> {
        let round = Self::running_round(message.round)?;
        let place = place_of(&round.players, &message.player).ok_or(Refusal::NotPlayer)?;
        ensure!(round.phase == Phase::Reporting, Refusal::NotReporting);
        ensure!(!contains(round.reported, place), Refusal::Reported);
        let points = round.threshold as usize;
        let is_well_formed = message.polynomial.len() == points.saturating_mul(GROUP_POINT_BYTES)
            && message.polynomial.starts_with(&message.group_key.0);
        ensure!(is_well_formed, Refusal::OutputMalformed);
        let kept = Roots::<T>::get(round.root).is_none_or(|root| root.group_key == message.group_key);
        ensure!(kept, Refusal::GroupKeyChanged);
        Self::gatekeeper_instance(&message.player)?;
        Ok((round, place))
    }

    pub(crate) fn authorize_report(signed: &Signed<OutputReport>) -> TransactionValidityWithRefund {
        Self::judge_report(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        Self::accept::<OutputReport>((signed.message.round, signed.message.player))
    }

    pub(crate) fn do_report_output(message: OutputReport) -> DispatchResult {
        let (mut round, place) = Self::judge_report(&message).map_err(Error::<T>::from)?;
        let id = message.output_id();
        let OutputReport { player, output_hash, group_key, polynomial, .. } = message;
        let mut output = Outputs::<T>::get(round.number, id).unwrap_or(OutputRecord {
            output_hash,
            group_key,
            polynomial,
            reported_by: 0,
        });
        output.reported_by = with(output.reported_by, place);
        Outputs::<T>::insert(round.number, id, &output);
        round.reported = with(round.reported, place);
        Self::deposit_event(Event::OutputReported { round: round.number, player, output_hash });
        if output.reported_by.count_ones() >= round.threshold {
            Self::start_epoch(round, output);
        } else {
            Rounds::<T>::insert(round.number, round);
        }
        Ok(())
    }
}

/// The list in order of participant keys. None when it is too long.
fn in_order(mut members: Vec<Member>) -> Option<Members> {
    members.sort_by_key(|member| member.participant);
    members.try_into().ok()
}

/// Places of the dealers that committed.
fn committed(logs: &RoundLogs) -> Places {
    (0..).zip(logs).filter(|(_, log)| log.is_some()).fold(0, |all, (place, _)| with(all, place))
}
