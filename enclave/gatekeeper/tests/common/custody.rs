//! A small faithful model of `pallet-custody`: its round machine, epochs, roots and logs of deliveries, with the pallet's rules
//! for each message. Bonds, approvals and validators are left out: who is eligible is said by the test. (The pallet itself
//! would make the enclave's tests build the chain, which must not be needed.)

use phala_messages::{
    InstanceKey, Refusal, WorkerId,
    custody::{
        Abandonment, Complaint, Confirmation, DeliveryBatch, DeliveryHead, EpochNumber, EpochRecord, GROUP_POINT_BYTES,
        LogCommitment, LogRecord, Member, Members, OutputRecord, OutputReport, Parameters, Phase, Places, Purpose,
        RootGeneration, RootRecord, RootStatus, RoundLogs, RoundNumber, RoundRecord, contains, first_places, place_of,
        threshold, with,
    },
    limits::DELIVERIES_PER_BATCH_MAX,
};
use phala_units::BlockNumber;
use std::collections::{BTreeMap, BTreeSet};

pub const ROOT: RootGeneration = RootGeneration(0);

/// What the chain knows of custody.
#[derive(Clone)]
pub struct Custody {
    pub parameters: Parameters,
    /// In the order in which they bonded.
    pub eligible: Vec<Member>,
    pub newest: RoundNumber,
    pub rounds: BTreeMap<RoundNumber, (RoundRecord, RoundLogs)>,
    pub outputs: BTreeMap<(RoundNumber, phala_messages::Hash), OutputRecord>,
    pub complaints: Vec<Complaint>,
    /// Dealers that were complained of, with evidence that a test looks at: they are not approved any more.
    pub cheats: BTreeSet<WorkerId>,
    pub epochs: BTreeMap<EpochNumber, EpochRecord>,
    pub root: Option<RootRecord>,
    pub heads: BTreeMap<WorkerId, DeliveryHead>,
    pub batches: BTreeMap<(WorkerId, u64), DeliveryBatch>,
    rest_until: BlockNumber,
}

macro_rules! ensure {
    ($condition:expr, $refusal:ident) => {
        if !$condition {
            return Err(Refusal::$refusal);
        }
    };
}

fn in_order(mut members: Vec<Member>) -> Members {
    members.sort_by_key(|member| member.participant);
    members.try_into().unwrap()
}

fn committed(logs: &RoundLogs) -> Places {
    (0..).zip(logs).filter(|(_, log)| log.is_some()).fold(0, |all, (place, _)| with(all, place))
}

impl Custody {
    pub fn new(parameters: Parameters) -> Self {
        Self {
            parameters,
            eligible: vec![],
            newest: RoundNumber::default(),
            rounds: BTreeMap::new(),
            outputs: BTreeMap::new(),
            complaints: vec![],
            cheats: BTreeSet::new(),
            epochs: BTreeMap::new(),
            root: None,
            heads: BTreeMap::new(),
            batches: BTreeMap::new(),
            rest_until: BlockNumber(0),
        }
    }

    pub fn epoch(&self) -> Option<&EpochRecord> {
        self.epochs.get(&self.root.as_ref()?.epoch)
    }

    pub fn round(&self) -> Option<&(RoundRecord, RoundLogs)> {
        self.rounds.get(&self.newest)
    }

    /// Machines take the seats of members that are lost, who come back with new keys only.
    pub fn reseat(&mut self, seats: &[(u32, WorkerId)]) {
        let epoch = self.root.unwrap().epoch;
        for (place, gatekeeper) in seats {
            let member = &mut self.epochs.get_mut(&epoch).unwrap().members[*place as usize];
            let old = core::mem::replace(&mut member.gatekeeper, *gatekeeper);
            self.eligible.retain(|one| one.gatekeeper != old);
        }
    }

    fn running(&self, number: RoundNumber) -> Result<(RoundRecord, RoundLogs), Refusal> {
        ensure!(number <= self.newest, RoundUnknown);
        let round = self.round().filter(|(record, _)| record.number == number && !record.phase.is_over());
        round.cloned().ok_or(Refusal::RoundOver)
    }

    fn put(&mut self, record: RoundRecord, logs: RoundLogs) {
        self.rounds.insert(record.number, (record, logs));
    }

    /// What a block does by itself. `admitted` says who is admitted as a gatekeeper.
    pub fn advance(&mut self, now: BlockNumber, admitted: impl Fn(&WorkerId) -> bool) {
        match self.round().cloned() {
            Some((record, logs)) if !record.phase.is_over() => {
                if now >= record.deadline {
                    self.end_phase(record, logs, now);
                }
            }
            _ if now >= self.rest_until => self.open_due(now, admitted),
            _ => {}
        }
    }

    fn open_due(&mut self, now: BlockNumber, admitted: impl Fn(&WorkerId) -> bool) {
        let eligible: Vec<_> = self.eligible.iter().filter(|member| admitted(&member.gatekeeper)).copied().collect();
        let count = self.parameters.members as usize;
        let Some(epoch) = self.epoch().cloned() else {
            let Some(players) = eligible.get(..count) else { return };
            return self.open(Purpose::Generate, None, players.to_vec(), players.to_vec(), now);
        };
        let is_member = |one: &&Member| place_of(&epoch.members, &one.gatekeeper).is_some();
        let staying = eligible.iter().filter(is_member);
        let joining = eligible.iter().filter(|one| !is_member(one));
        let players: Vec<_> = staying.chain(joining).take(count).copied().collect();
        let stays = players.len() == epoch.members.len() && players.iter().all(|one| is_member(&one));
        let is_old = now.since(epoch.since) >= self.parameters.refresh_blocks;
        if (stays && !is_old) || (players.len() as u32) < self.parameters.members_min {
            return;
        }
        let present: Vec<_> = epoch.members.iter().filter(|one| admitted(&one.gatekeeper)).copied().collect();
        if (present.len() as u32) < epoch.threshold {
            return;
        }
        let approved = |one: &&Member| !self.cheats.contains(&one.gatekeeper);
        let trusted: Vec<_> = present.iter().filter(approved).copied().collect();
        // A round of trusted dealers for this epoch was given up: one of them may lack its key share.
        let later = self.rounds.range(epoch.round.next()..).map(|(_, (round, _))| round);
        let was_tried = later.into_iter().any(|round| round.dealers.iter().all(|dealer| approved(&dealer)));
        let can_do_without = trusted.len() as u32 >= epoch.threshold && !was_tried;
        let dealers = if can_do_without { trusted } else { present };
        self.open(Purpose::Reshare, Some(epoch), dealers, players, now);
    }

    fn open(
        &mut self,
        purpose: Purpose,
        previous: Option<EpochRecord>,
        dealers: Vec<Member>,
        players: Vec<Member>,
        now: BlockNumber,
    ) {
        let number = self.newest.next();
        let (dealers, players) = (in_order(dealers), in_order(players));
        let deal = threshold(dealers.len() as u32);
        let logs: RoundLogs = vec![None; dealers.len()].try_into().unwrap();
        let record = RoundRecord {
            number,
            purpose,
            root: ROOT,
            logs_required: previous.as_ref().map_or(deal, |epoch| deal.max(epoch.threshold)),
            previous: previous.map(|epoch| epoch.epoch),
            dealers,
            threshold: threshold(players.len() as u32),
            players,
            phase: Phase::Dealing,
            deadline: now.saturating_add(self.parameters.dealing_blocks),
            opened: now,
            confirmed: 0,
            selected: 0,
            reported: 0,
            complained: 0,
        };
        self.newest = number;
        self.put(record, logs);
    }

    fn end_phase(&mut self, record: RoundRecord, logs: RoundLogs, now: BlockNumber) {
        match record.phase {
            Phase::Dealing if committed(&logs).count_ones() >= record.logs_required => {
                self.start_confirming(record, logs, now);
            }
            Phase::Dealing => self.abandon(record, logs, Abandonment::FewLogs, now),
            Phase::Confirming => self.select(record, logs, now),
            _ => self.abandon(record, logs, Abandonment::Disagreement, now),
        }
    }

    fn start_confirming(&mut self, mut record: RoundRecord, logs: RoundLogs, now: BlockNumber) {
        record.phase = Phase::Confirming;
        record.deadline = now.saturating_add(self.parameters.confirming_blocks);
        self.put(record, logs);
    }

    fn select(&mut self, mut record: RoundRecord, logs: RoundLogs, now: BlockNumber) {
        let held = |log: &Option<LogRecord>| log.is_some_and(|log| log.confirmed_by.count_ones() >= record.threshold);
        let selected = (0..).zip(&logs).filter(|(_, log)| held(log)).fold(0, |all, (place, _)| with(all, place));
        if selected.count_ones() < record.logs_required {
            return self.abandon(record, logs, Abandonment::FewConfirmed, now);
        }
        record.selected = selected;
        record.phase = Phase::Reporting;
        record.deadline = now.saturating_add(self.parameters.reporting_blocks);
        self.put(record, logs);
    }

    fn abandon(&mut self, mut record: RoundRecord, logs: RoundLogs, reason: Abandonment, now: BlockNumber) {
        record.phase = Phase::Abandoned(reason);
        self.rest_until = now.saturating_add(self.parameters.retry_blocks);
        self.put(record, logs);
    }

    pub fn commit_log(&mut self, message: &LogCommitment, now: BlockNumber) -> Result<(), Refusal> {
        let (record, mut logs) = self.running(message.round)?;
        let place = place_of(&record.dealers, &message.dealer).ok_or(Refusal::NotDealer)?;
        ensure!(record.phase == Phase::Dealing, NotDealing);
        ensure!(logs[place as usize].is_none(), LogCommitted);
        ensure!(message.revealed <= record.players.len() as u32 - record.threshold, LogRevealsTooMuch);
        logs[place as usize] = Some(LogRecord { hash: message.log_hash, revealed: message.revealed, confirmed_by: 0 });
        if logs.iter().all(Option::is_some) {
            self.start_confirming(record, logs, now);
        } else {
            self.put(record, logs);
        }
        Ok(())
    }

    pub fn confirm(&mut self, message: &Confirmation, now: BlockNumber) -> Result<(), Refusal> {
        let (mut record, mut logs) = self.running(message.round)?;
        let place = place_of(&record.players, &message.player).ok_or(Refusal::NotPlayer)?;
        ensure!(record.phase == Phase::Confirming, NotConfirming);
        ensure!(!contains(record.confirmed, place), Confirmed);
        ensure!(message.logs & !committed(&logs) == 0, LogUnknown);
        for (dealer, log) in (0..).zip(logs.iter_mut()) {
            if let Some(log) = log.as_mut().filter(|_| contains(message.logs, dealer)) {
                log.confirmed_by = with(log.confirmed_by, place);
            }
        }
        record.confirmed = with(record.confirmed, place);
        if record.confirmed == first_places(record.players.len() as u32) {
            self.select(record, logs, now);
        } else {
            self.put(record, logs);
        }
        Ok(())
    }

    pub fn report(&mut self, message: &OutputReport, now: BlockNumber) -> Result<(), Refusal> {
        let (mut record, logs) = self.running(message.round)?;
        let place = place_of(&record.players, &message.player).ok_or(Refusal::NotPlayer)?;
        ensure!(record.phase == Phase::Reporting, NotReporting);
        ensure!(!contains(record.reported, place), Reported);
        let well_formed = message.polynomial.len() == record.threshold as usize * GROUP_POINT_BYTES
            && message.polynomial.starts_with(&message.group_key.0);
        ensure!(well_formed, OutputMalformed);
        ensure!(self.root.is_none_or(|root| root.group_key == message.group_key), GroupKeyChanged);
        let output = self.outputs.entry((record.number, message.output_id())).or_insert(OutputRecord {
            output_hash: message.output_hash,
            group_key: message.group_key,
            polynomial: message.polynomial.clone(),
            reported_by: 0,
        });
        output.reported_by = with(output.reported_by, place);
        let output = output.clone();
        record.reported = with(record.reported, place);
        if output.reported_by.count_ones() >= record.threshold {
            self.start_epoch(record, logs, output, now);
        } else {
            self.put(record, logs);
        }
        Ok(())
    }

    fn start_epoch(&mut self, mut record: RoundRecord, logs: RoundLogs, output: OutputRecord, now: BlockNumber) {
        let number = EpochNumber(self.epochs.len() as u32);
        let epoch = EpochRecord {
            epoch: number,
            round: record.number,
            root: ROOT,
            threshold: record.threshold,
            members: record.players.clone(),
            group_key: output.group_key,
            polynomial: output.polynomial,
            output_hash: output.output_hash,
            since: now,
        };
        self.epochs.insert(number, epoch);
        let before = self.root;
        self.root = Some(before.map_or(
            RootRecord {
                status: RootStatus::Open,
                group_key: output.group_key,
                epoch: number,
                programs: 0,
                opened: now,
            },
            |root| RootRecord { epoch: number, ..root },
        ));
        record.phase = Phase::Finished(number);
        self.put(record, logs);
    }

    pub fn complain(&mut self, message: &Complaint) -> Result<(), Refusal> {
        let newest = self.round().cloned().filter(|(record, _)| record.number == message.round);
        let (mut record, logs) = newest.ok_or(Refusal::RoundOver)?;
        let place = place_of(&record.players, &message.by).ok_or(Refusal::NotPlayer)?;
        ensure!(place_of(&record.dealers, &message.dealer).is_some(), NotDealer);
        ensure!(!contains(record.complained, place), Complained);
        ensure!(!message.evidence.is_empty(), ComplaintEmpty);
        record.complained = with(record.complained, place);
        self.put(record, logs);
        self.cheats.insert(message.dealer);
        self.eligible.retain(|one| one.gatekeeper != message.dealer);
        self.complaints.push(message.clone());
        Ok(())
    }

    pub fn log_deliveries(&mut self, batch: &DeliveryBatch, now: BlockNumber) -> Result<(), Refusal> {
        let head = self.heads.get(&batch.gatekeeper).copied().unwrap_or_default();
        ensure!(batch.sequence >= head.next, DeliveryStale);
        ensure!(batch.sequence == head.next, DeliveryGap);
        ensure!((1..=DELIVERIES_PER_BATCH_MAX).contains(&batch.count), DeliveryCount);
        let in_time = batch.first <= batch.last && batch.last < now;
        let in_order = head.next == 0 || (batch.first >= head.last && batch.last > head.last);
        ensure!(in_time && in_order, DeliveryBlocks);
        self.heads.insert(batch.gatekeeper, head.after(batch));
        self.batches.insert((batch.gatekeeper, batch.sequence), batch.clone());
        Ok(())
    }
}

pub type Instances = BTreeMap<WorkerId, InstanceKey>;
