//! Rounds: one after the other, from dealing to a key share.
//!
//! The chain says when a round begins, where it stands and what came of it; here is what this gatekeeper does about it. No
//! I/O but the cabinet: requests to others and messages to the chain are handed out, answers handed in, so that one
//! seed replays a whole network.
//!
//! ```text
//! chain     Dealing ───────────► Confirming ──────────► Reporting ─────────► Finished
//! dealer    deal · log · commit
//! player    acknowledge          fetch logs · confirm   compute · report     hold the key share, erase the rest
//! ```
//!
//! # Properties
//! - The number of the newest round, with its terms, lies sealed on disk before anything is dealt or acknowledged in it. A round
//!   with a smaller number is not played; one with the same number and other terms stops the gatekeeper.
//! - When a round is over, nothing of it stays but a key share that the chain counts, and for
//!   [`LATE_BLOCKS`] the logs, for players that were cut off.
//! - A member that was cut off while the others finished computes its key share from their logs afterwards; from logs that it
//!   has itself, even when the next round runs already.

mod keeping;
mod late;

use crate::{
    backup::Backups,
    dealing::{Deal, Start},
    peers::{PeerAnswer, PeerRefusal, PeerReply, PeerRequest, Sensitive},
    playing::{Play, Received},
    release::Entitled,
    seats::Seats,
    shares::Shares,
    view::{RoundView, View},
};
pub use crate::{
    doubt::Doubt,
    orders::{Ask, Say},
};
use codec::{Decode, DecodeAll, Encode};
use phala_machine::{Cabinet, Entropy};
use phala_messages::{
    GenesisHash, Hash, WorkerId,
    custody::{
        Complaint, Confirmation, EpochNumber, EpochRecord, GroupKey, LogCommitment, LogRecord, Member, Members,
        OutputReport, Phase, Places, Polynomial, RootGeneration, RoundNumber, RoundRecord, contains, place_of, with,
    },
};
use phala_threshold::{DealerLog, Dealing, Output, PartialKey, ParticipantKey, Round, RoundTerms, Signer, TermsError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use zeroize::Zeroizing;

/// The newest round, sealed.
const MARK: &str = "gatekeeper/mark";
/// The seed of the participant key, sealed.
const PARTICIPANT: &str = "gatekeeper/participant";

pub use late::LATE_BLOCKS;

/// Names of what a round keeps in the cabinet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names(RoundNumber);

impl Names {
    pub(crate) fn seed(self) -> String {
        format!("gatekeeper/round/{}/seed", self.0.0)
    }

    pub(crate) fn dealing(self, dealer: u32) -> String {
        format!("gatekeeper/round/{}/dealing/{dealer}", self.0.0)
    }

    pub(crate) fn log(self, dealer: u32) -> String {
        format!("gatekeeper/round/{}/log/{dealer}", self.0.0)
    }
}

/// The newest round that this gatekeeper took part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Mark {
    number: RoundNumber,
    terms: [u8; 32],
    dealers: u32,
    /// Everything of it was erased.
    closed: bool,
}

/// A round that this gatekeeper takes part in.
struct Attempt {
    number: RoundNumber,
    root: RootGeneration,
    round: Round,
    dealers: Members,
    players: Members,
    /// This gatekeeper's place among the dealers, and among the players.
    dealer_place: Option<u32>,
    player_place: Option<u32>,
    deal: Option<Deal>,
    play: Option<Play>,
    /// By the dealer's place.
    logs: BTreeMap<u32, DealerLog>,
    /// How often each log was asked for.
    tries: BTreeMap<u32, u32>,
    /// The selected logs gave this player nothing.
    barren: bool,
}

/// All that a gatekeeper does in rounds.
pub struct Rounds {
    genesis: GenesisHash,
    me: WorkerId,
    signer: Signer,
    cabinet: Arc<Cabinet>,
    entropy: Arc<dyn Entropy>,
    mark: Option<Mark>,
    attempt: Option<Attempt>,
    shares: Shares,
    seats: Seats,
    backups: Backups,
    /// Outputs that were fetched from others, by the hash that the chain has of them.
    outputs: BTreeMap<EpochNumber, Arc<Output>>,
    asked: u32,
}

impl Rounds {
    /// What lies on disk, or a new participant.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn open(
        genesis: GenesisHash,
        me: WorkerId,
        cabinet: Arc<Cabinet>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Doubt> {
        let seed = match cabinet.get(PARTICIPANT)?.map(Zeroizing::new) {
            Some(bytes) => {
                let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| Doubt::Corrupt(PARTICIPANT.into()))?;
                phala_crypto::Secret::generate(|out| out.copy_from_slice(bytes))
            }
            None => {
                let seed = entropy.secret();
                cabinet.put(PARTICIPANT, seed.expose())?;
                seed
            }
        };
        let mark = match cabinet.get(MARK)? {
            Some(bytes) => Some(Mark::decode_all(&mut bytes.as_slice()).map_err(|_| Doubt::Corrupt(MARK.into()))?),
            None => None,
        };
        let shares = Shares::open(cabinet.clone(), mark.map(|mark| mark.number))?;
        let seats = Seats::open(cabinet.clone(), genesis, me)?;
        let (attempt, outputs, backups, signer) = (None, BTreeMap::new(), Backups::default(), Signer::new(&seed));
        Ok(Self { genesis, me, signer, cabinet, entropy, mark, attempt, shares, seats, backups, outputs, asked: 0 })
    }

    /// The key that this gatekeeper deals and acknowledges with.
    pub fn participant(&self) -> ParticipantKey {
        self.signer.key()
    }

    /// The key shares.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// The newest round that this gatekeeper took part in.
    pub fn newest(&self) -> Option<RoundNumber> {
        self.mark.map(|mark| mark.number)
    }

    /// The output of an epoch, if this gatekeeper has it.
    pub fn output(&self, epoch: EpochNumber) -> Option<Arc<Output>> {
        self.shares.output(epoch).or_else(|| self.outputs.get(&epoch).cloned())
    }

    /// This gatekeeper's part of the key that somebody is entitled to, if it holds a key share of exactly this epoch.
    pub fn evaluate(&self, root: RootGeneration, epoch: &EpochRecord, entitled: &Entitled) -> Option<PartialKey> {
        self.shares.evaluate(root, epoch, &entitled.identity(&self.genesis))
    }

    /// Forgets all secrets. What lies on disk stays, for the next start.
    pub fn forget(&mut self) {
        self.attempt = None;
        self.shares.forget();
        self.seats.forget();
    }

    // ---- what the chain shows

    /// Takes a newer view: enters a round, goes on in it, leaves it.
    ///
    /// # Errors
    /// [`Doubt`]: the gatekeeper must stop.
    pub fn observe(&mut self, view: &View) -> Result<(), Doubt> {
        // Public, and what late players of the next round start from.
        let held = self.shares.roots().into_iter().filter_map(|root| self.shares.epoch(root));
        let held: Vec<_> = held.filter_map(|epoch| Some((epoch, self.shares.output(epoch)?))).collect();
        self.outputs.extend(held);
        self.settle(view)?;
        self.outputs.retain(|epoch, _| view.epochs.contains_key(epoch));
        self.catch_up(view)?;
        let Some(seen) = view.round.clone() else { return Ok(()) };
        if self.attempt.as_ref().is_none_or(|attempt| attempt.number != seen.record.number) {
            self.enter(view, &seen)?;
        }
        self.go_on(view, &seen)
    }

    /// Enters a round, or enters it again after a crash.
    fn enter(&mut self, view: &View, seen: &RoundView) -> Result<(), Doubt> {
        let record = &seen.record;
        let dealer = self.seats.dealer(&self.signer, record).key();
        let own = |members: &[Member], key: ParticipantKey| {
            let place = place_of(members, &self.me)?;
            // Somebody else's key under this gatekeeper's name: it cannot play with that.
            let member = members.get(place as usize)?;
            (member.participant.0 == key.0).then_some(place)
        };
        let (dealer_place, player_place) = (own(&record.dealers, dealer), own(&record.players, self.signer.key()));
        let resumed = match self.mark {
            Some(mark) if mark.number > record.number => return Ok(()),
            Some(mark) if mark.number == record.number && mark.closed => return Ok(()),
            Some(mark) => mark.number == record.number,
            None => false,
        };
        if !self.concerns(view, record, dealer_place, player_place, resumed) {
            return if resumed { self.close() } else { Ok(()) };
        }
        let previous = match record.previous.map(|epoch| self.previous(view, epoch)) {
            None => None,
            Some(Some(output)) => Some((*output).clone()),
            // It is asked for; the round is entered when it is there.
            Some(None) => return Ok(()),
        };
        let keys = |members: &Members| members.iter().map(|member| ParticipantKey(member.participant.0)).collect();
        let (dealers, players) = (keys(&record.dealers), keys(&record.players));
        let terms = RoundTerms { network: self.genesis.0, number: record.number.0, previous, dealers, players };
        let round = match terms.check() {
            Ok(round) => round,
            Err(error) => return self.unplayable(record, &error),
        };
        if round.threshold() as u32 != record.threshold || round.logs_required() as u32 != record.logs_required {
            return Err(Doubt::UnknownTerms(record.number));
        }
        let mark =
            Mark { number: record.number, terms: round.hash(), dealers: record.dealers.len() as u32, closed: false };
        if resumed && self.mark.is_some_and(|before| before.terms != mark.terms) {
            return Err(Doubt::OtherTerms(record.number));
        }
        if !resumed {
            self.erase_round()?;
            self.set_mark(mark)?;
        }
        let names = Names(record.number);
        let attempt = Attempt {
            number: record.number,
            root: record.root,
            dealers: record.dealers.clone(),
            players: record.players.clone(),
            dealer_place,
            player_place,
            deal: None,
            play: Play::resume(&self.cabinet, names, &round, &self.signer)?,
            logs: self.stored_logs(names, &round)?,
            tries: BTreeMap::new(),
            barren: false,
            round,
        };
        self.attempt = Some(attempt);
        if record.phase == Phase::Dealing {
            self.start_dealing(view, record)?;
        }
        Ok(())
    }

    /// Whether there is anything to do in a round that this gatekeeper enters: for the first time, or again.
    fn concerns(
        &self,
        view: &View,
        record: &RoundRecord,
        dealer: Option<u32>,
        player: Option<u32>,
        resumed: bool,
    ) -> bool {
        match record.phase {
            Phase::Abandoned(_) => false,
            Phase::Finished(epoch) => {
                let can_come = resumed || late::in_time(view, epoch);
                player.is_some() && can_come && self.is_late(view, record.root, epoch)
            }
            _ => dealer.is_some() || player.is_some(),
        }
    }

    fn unplayable(&self, record: &RoundRecord, error: &TermsError) -> Result<(), Doubt> {
        tracing::error!(round = record.number.0, %error, "the chain opened a round that cannot be played");
        Err(Doubt::UnknownTerms(record.number))
    }

    /// The output that a round hands on.
    fn previous(&self, view: &View, epoch: EpochNumber) -> Option<Arc<Output>> {
        let record = view.epochs.get(&epoch)?;
        self.output(epoch).filter(|output| output.hash() == record.output_hash.0)
    }

    fn stored_logs(&self, names: Names, round: &Round) -> Result<BTreeMap<u32, DealerLog>, Doubt> {
        let mut logs = BTreeMap::new();
        for place in 0..round.dealers().len() as u32 {
            let name = names.log(place);
            if let Some(bytes) = self.cabinet.get(&name)?.map(Zeroizing::new) {
                logs.insert(place, DealerLog::parse(&bytes).map_err(|_| Doubt::Corrupt(name))?);
            }
        }
        Ok(logs)
    }

    fn start_dealing(&mut self, view: &View, record: &RoundRecord) -> Result<(), Doubt> {
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        let Some(place) = attempt.dealer_place.filter(|place| !attempt.logs.contains_key(place)) else {
            return Ok(());
        };
        let admitted = view.own().map(|own| own.admitted_block);
        let previous = record.previous.and_then(|epoch| view.epochs.get(&epoch));
        let old_output = previous.and_then(|epoch| self.shares.output(epoch.epoch));
        let start = Start {
            cabinet: &self.cabinet,
            entropy: &*self.entropy,
            names: Names(record.number),
            round: &attempt.round,
            signer: self.seats.dealer(&self.signer, record),
            old_share: old_output.and_then(|output| self.shares.dealt_from(record.root, &output)),
            may_draw: admitted.is_some_and(|admitted| admitted < record.opened),
        };
        attempt.deal = Deal::start(&start)?;
        // To itself it deals without a network.
        let (Some(deal), Some(own)) = (&mut attempt.deal, attempt.player_place) else { return Ok(()) };
        let Some(dealing) = deal.dealing(own) else { return Ok(()) };
        if let Some(play) = &mut attempt.play
            && let Received::Accepted(ack) = play.receive(&self.cabinet, Names(record.number), place, dealing)?
        {
            deal.acknowledge(&attempt.players, own, &ack);
        }
        Ok(())
    }

    /// Goes on in the round that was entered.
    fn go_on(&mut self, view: &View, seen: &RoundView) -> Result<(), Doubt> {
        let record = &seen.record;
        let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.number == record.number) else {
            // Another gatekeeper's round, or one that cannot be entered yet: what this one kept of the last is over.
            return match self.mark {
                Some(mark) if mark.number < record.number && !mark.closed => self.close(),
                _ => Ok(()),
            };
        };
        match record.phase {
            Phase::Dealing => self.finish_dealing(view, record),
            Phase::Confirming => Ok(()),
            Phase::Reporting => self.conclude(record.selected, None),
            Phase::Abandoned(reason) => {
                tracing::info!(round = record.number.0, ?reason, "the round was given up");
                self.close()
            }
            Phase::Finished(epoch) => {
                let late = attempt.player_place.is_some() && self.is_late(view, record.root, epoch);
                let expected = view.epochs.get(&epoch).map(|epoch| epoch.output_hash.0);
                if self.shares.pending().is_some_and(|output| Some(output.hash()) != expected) {
                    tracing::error!(round = record.number.0, "the chain counts another output than this gatekeeper's");
                    self.shares.drop_pending(record.number)?;
                }
                if late && let Some(epoch) = view.epochs.get(&epoch).cloned() {
                    self.conclude(record.selected, Some(&epoch))?;
                    self.shares.settle(view)?;
                }
                self.forget_dealings(view, record, epoch)
            }
        }
    }

    /// Closes the dealer's books when all have acknowledged, or when it is time and enough have.
    fn finish_dealing(&mut self, view: &View, record: &RoundRecord) -> Result<(), Doubt> {
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        let (Some(place), Some(deal)) = (attempt.dealer_place, &mut attempt.deal) else { return Ok(()) };
        let waiting = deal.waiting().count() as u32;
        let faults = (record.players.len() as u32).saturating_sub(record.threshold);
        let in_time = closing(view, record, view.parameters.dealing_blocks);
        if waiting > 0 && (!in_time || waiting > faults) {
            return Ok(());
        }
        if let Some(log) = deal.finish() {
            self.cabinet.put(&Names(record.number).log(place), log.bytes_to_seal())?;
            attempt.logs.insert(place, log);
        }
        Ok(())
    }

    /// Computes output and key share once the selected logs are there. With `epoch`, only what the chain has counted already.
    fn conclude(&mut self, selected: Places, epoch: Option<&EpochRecord>) -> Result<(), Doubt> {
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        let places: Vec<u32> = (0..attempt.dealers.len() as u32).filter(|place| contains(selected, *place)).collect();
        let there = places.iter().all(|place| attempt.logs.contains_key(place));
        if self.shares.pending().is_some() || attempt.play.is_none() || attempt.barren || !there {
            return Ok(());
        }
        // The library wants them side by side, in order of places.
        let logs: Vec<DealerLog> = places.iter().filter_map(|place| attempt.logs.remove(place)).collect();
        let names = Names(attempt.number);
        let outcome = Play::conclude(&self.cabinet, names, &attempt.round, &self.signer, &logs)?;
        attempt.logs.extend(places.into_iter().zip(logs));
        match outcome {
            Some((output, share)) if epoch.is_none_or(|epoch| epoch.output_hash.0 == output.hash()) => {
                self.shares.put_pending(attempt.root, output, share)
            }
            _ => {
                attempt.barren = true;
                Ok(())
            }
        }
    }

    /// Erases everything of the round.
    fn close(&mut self) -> Result<(), Doubt> {
        self.erase_round()?;
        if let Some(mark) = self.mark.filter(|mark| !mark.closed) {
            self.set_mark(Mark { closed: true, ..mark })?;
        }
        Ok(())
    }

    fn erase_round(&mut self) -> Result<(), Doubt> {
        self.attempt = None;
        let Some(mark) = self.mark.filter(|mark| !mark.closed) else { return Ok(()) };
        let names = Names(mark.number);
        self.cabinet.delete(&names.seed())?;
        for place in 0..mark.dealers {
            self.cabinet.delete(&names.dealing(place))?;
            self.cabinet.delete(&names.log(place))?;
        }
        self.shares.drop_pending(mark.number)
    }

    fn set_mark(&mut self, mark: Mark) -> Result<(), Doubt> {
        self.cabinet.put(MARK, &mark.encode())?;
        self.mark = Some(mark);
        Ok(())
    }

    // ---- what others are asked for

    /// What other gatekeepers are to be asked for now. Asking too often does no harm.
    pub fn asks(&mut self, view: &View) -> Vec<Ask> {
        self.asked = self.asked.wrapping_add(1);
        let Some(seen) = &view.round else { return Vec::new() };
        let record = &seen.record;
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.number == record.number) else {
            return self.ask_output(view, record).into_iter().collect();
        };
        match record.phase {
            Phase::Dealing => attempt.ask_acks(&self.me),
            Phase::Confirming => attempt.ask_logs(&self.me, seen, committed(seen)),
            Phase::Reporting => attempt.ask_logs(&self.me, seen, record.selected),
            Phase::Finished(_) if attempt.play.is_some() => attempt.ask_logs(&self.me, seen, record.selected),
            Phase::Finished(_) | Phase::Abandoned(_) => Vec::new(),
        }
    }

    /// The previous output, if the round cannot be entered without it.
    fn ask_output(&self, view: &View, record: &RoundRecord) -> Option<Ask> {
        let newer = self.mark.is_none_or(|mark| mark.number < record.number || !mark.closed);
        let part = [&record.dealers, &record.players].iter().any(|members| place_of(members, &self.me).is_some());
        let epoch = record.previous.filter(|_| newer && part && !matches!(record.phase, Phase::Abandoned(_)))?;
        if self.previous(view, epoch).is_some() {
            return None;
        }
        let mut members = view.epochs.get(&epoch)?.members.clone();
        members.retain(|member| member.gatekeeper != self.me);
        let to = members.get(self.asked as usize % members.len().max(1))?.gatekeeper;
        Some(Ask { to, request: PeerRequest::Output { epoch } })
    }

    /// Another gatekeeper's request. `sender` was authenticated.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn answer(&mut self, view: &View, sender: &WorkerId, request: &PeerRequest) -> Result<PeerReply, Doubt> {
        match request {
            PeerRequest::Deal { round, dealing } => self.answer_deal(view, sender, *round, dealing),
            PeerRequest::Log { round, dealer } => Ok(self.answer_log(view, sender, *round, *dealer)),
            PeerRequest::Output { epoch } => {
                Ok(self.output(*epoch).map(|output| PeerAnswer::Output(output.encode())).ok_or(PeerRefusal::Unknown))
            }
        }
    }

    /// The round that both mean, as this gatekeeper plays it.
    fn common<'a>(
        &'a mut self,
        view: &'a View,
        number: RoundNumber,
    ) -> Result<(&'a mut Attempt, &'a RoundRecord), PeerRefusal> {
        let newest = view.round.as_ref().map(|seen| seen.record.number).unwrap_or_default();
        if newest > number {
            return Err(PeerRefusal::Over);
        }
        let seen = view.round.as_ref().filter(|seen| seen.record.number == number).ok_or(PeerRefusal::NotYet)?;
        if self.mark.is_some_and(|mark| mark.number == number && mark.closed) {
            return Err(PeerRefusal::Over);
        }
        let attempt = self.attempt.as_mut().filter(|attempt| attempt.number == number);
        Ok((attempt.ok_or(PeerRefusal::NotYet)?, &seen.record))
    }

    fn answer_deal(
        &mut self,
        view: &View,
        sender: &WorkerId,
        number: RoundNumber,
        dealing: &Sensitive,
    ) -> Result<PeerReply, Doubt> {
        let cabinet = self.cabinet.clone();
        let (attempt, record) = match self.common(view, number) {
            Ok(common) => common,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if record.phase != Phase::Dealing {
            return Ok(Err(PeerRefusal::Over));
        }
        let Some(place) = place_of(&attempt.dealers, sender) else { return Ok(Err(PeerRefusal::NoPart)) };
        let Ok(dealing) = Dealing::parse(&dealing.0) else { return Ok(Err(PeerRefusal::BadDealing)) };
        // Only the dealer itself may bring it: nobody else's dealing gets a place on this disk.
        let is_own =
            attempt.dealers.get(place as usize).is_some_and(|dealer| dealer.participant.0 == dealing.dealer().0);
        let (true, Some(play)) = (is_own, &mut attempt.play) else { return Ok(Err(PeerRefusal::NoPart)) };
        Ok(match play.receive(&cabinet, Names(number), place, &dealing)? {
            Received::Accepted(ack) => Ok(PeerAnswer::Ack(ack)),
            Received::Refused => Err(PeerRefusal::BadDealing),
        })
    }

    fn answer_log(&mut self, view: &View, sender: &WorkerId, number: RoundNumber, dealer: u32) -> PeerReply {
        let (attempt, record) = self.common(view, number)?;
        if place_of(&attempt.players, sender).is_none() {
            return Err(PeerRefusal::NoPart);
        }
        // Before the chain has its hash, a log is its dealer's alone.
        match record.phase {
            Phase::Dealing => return Err(PeerRefusal::NotYet),
            Phase::Abandoned(_) => return Err(PeerRefusal::Over),
            Phase::Confirming | Phase::Reporting | Phase::Finished(_) => {}
        }
        let log = attempt.logs.get(&dealer).ok_or(PeerRefusal::Unknown)?;
        Ok(PeerAnswer::Log(Sensitive(log.bytes_to_seal().clone())))
    }

    /// What another gatekeeper answered. An answer that is no good changes nothing.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn take(
        &mut self,
        view: &View,
        sender: &WorkerId,
        request: &PeerRequest,
        answer: PeerAnswer,
    ) -> Result<(), Doubt> {
        match (request, answer) {
            (PeerRequest::Deal { round, .. }, PeerAnswer::Ack(ack)) => {
                if let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.number == *round)
                    && let (Some(place), Some(deal)) = (place_of(&attempt.players, sender), &mut attempt.deal)
                    && !deal.acknowledge(&attempt.players, place, &ack)
                {
                    tracing::warn!(%sender, "an acknowledgement does not count");
                }
                self.go_on_after(view)
            }
            (PeerRequest::Log { round, dealer }, PeerAnswer::Log(bytes)) => {
                self.take_log(view, sender, *round, *dealer, &bytes)?;
                self.go_on_after(view)
            }
            (PeerRequest::Output { epoch }, PeerAnswer::Output(bytes)) => {
                let expected = view.epochs.get(epoch).map(|record| record.output_hash.0);
                match Output::parse(&bytes) {
                    Ok(output) if Some(output.hash()) == expected => {
                        self.outputs.insert(*epoch, Arc::new(output));
                        self.observe(view)
                    }
                    _ => {
                        tracing::warn!(%sender, "not the output that the chain names");
                        Ok(())
                    }
                }
            }
            _ => {
                tracing::warn!(%sender, "an answer to another question");
                Ok(())
            }
        }
    }

    fn go_on_after(&mut self, view: &View) -> Result<(), Doubt> {
        match view.round.clone() {
            Some(seen) if self.attempt.as_ref().is_some_and(|attempt| attempt.number == seen.record.number) => {
                self.go_on(view, &seen)
            }
            _ => Ok(()),
        }
    }

    fn take_log(
        &mut self,
        view: &View,
        sender: &WorkerId,
        number: RoundNumber,
        place: u32,
        bytes: &Sensitive,
    ) -> Result<(), Doubt> {
        let Some(seen) = view.round.as_ref().filter(|seen| seen.record.number == number) else { return Ok(()) };
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.number == number) else { return Ok(()) };
        let Some(record) = seen.logs.get(place as usize).copied().flatten() else { return Ok(()) };
        if attempt.logs.contains_key(&place) {
            return Ok(());
        }
        match attempt.judge_log(place, &record, bytes) {
            Ok(log) => {
                self.cabinet.put(&Names(number).log(place), log.bytes_to_seal())?;
                attempt.logs.insert(place, log);
            }
            Err(reason) => tracing::warn!(%sender, place, reason, "a log is not taken"),
        }
        Ok(())
    }

    // ---- what the chain is told

    /// What the chain is to be told now. It takes each once, so saying it again does no harm.
    pub fn says(&self, view: &View) -> Vec<Say> {
        let Some(seen) = &view.round else { return Vec::new() };
        let record = &seen.record;
        let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.number == record.number) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        out.extend(match record.phase {
            Phase::Dealing => self.say_log(attempt, seen),
            Phase::Confirming => self.say_confirmation(attempt, view, seen),
            Phase::Reporting => self.say_output(attempt, record),
            Phase::Finished(_) | Phase::Abandoned(_) => None,
        });
        out.extend(self.say_complaint(attempt, record));
        out
    }

    fn say_log(&self, attempt: &Attempt, seen: &RoundView) -> Option<Say> {
        let place = attempt.dealer_place?;
        let log = attempt.logs.get(&place)?;
        if seen.logs.get(place as usize)?.is_some() {
            return None;
        }
        let (round, revealed) = (attempt.number, log.revealed().len() as u32);
        Some(Say::Log(LogCommitment { round, dealer: self.me, log_hash: Hash(log.hash()), revealed }))
    }

    fn say_confirmation(&self, attempt: &Attempt, view: &View, seen: &RoundView) -> Option<Say> {
        let place = attempt.player_place?;
        if contains(seen.record.confirmed, place) {
            return None;
        }
        // Its own log it knows to be the one on chain; the others were compared when they came.
        let held = (0..).zip(&seen.logs).filter(|(dealer, record)| {
            let log = attempt.logs.get(dealer);
            log.zip(record.as_ref()).is_some_and(|(log, record)| log.hash() == record.hash.0)
        });
        let logs = held.fold(0, |all, (dealer, _)| with(all, dealer));
        let all = logs == committed(seen);
        let in_time = closing(view, &seen.record, view.parameters.confirming_blocks);
        let enough = logs.count_ones() > 0 && (all || in_time);
        enough.then_some(Say::Confirm(Confirmation { round: attempt.number, player: self.me, logs }))
    }

    fn say_output(&self, attempt: &Attempt, record: &RoundRecord) -> Option<Say> {
        let place = attempt.player_place.filter(|place| !contains(record.reported, *place))?;
        let output = self.shares.pending().filter(|output| output.round() == attempt.number.0)?;
        debug_assert!(place < record.players.len() as u32);
        let points = output.commitment().points().as_flattened().to_vec();
        Some(Say::Report(OutputReport {
            round: attempt.number,
            player: self.me,
            output_hash: Hash(output.hash()),
            group_key: GroupKey(output.group_key()),
            polynomial: Polynomial::try_from(points).ok()?,
        }))
    }

    fn say_complaint(&self, attempt: &Attempt, record: &RoundRecord) -> Option<Say> {
        let place = attempt.player_place.filter(|place| !contains(record.complained, *place))?;
        let (accused, evidence) = attempt.play.as_ref()?.complaint()?;
        let dealer = attempt.dealers.iter().find(|dealer| dealer.participant.0 == accused.0)?.gatekeeper;
        debug_assert!(place < record.players.len() as u32);
        let (round, evidence) = (attempt.number, evidence.clone());
        Some(Say::Complain(Complaint { round, dealer, by: self.me, evidence }))
    }
}

impl Attempt {
    fn ask_acks(&self, me: &WorkerId) -> Vec<Ask> {
        let Some(deal) = self.deal.as_ref().filter(|deal| deal.is_open()) else { return Vec::new() };
        let mut asks = Vec::new();
        for place in deal.waiting() {
            let player = self.players.get(place as usize).filter(|player| player.gatekeeper != *me);
            if let (Some(player), Some(dealing)) = (player, deal.dealing(place)) {
                let dealing = Sensitive(dealing.bytes_to_seal());
                let request = PeerRequest::Deal { round: self.number, dealing };
                asks.push(Ask { to: player.gatekeeper, request });
            }
        }
        asks
    }

    /// Asks the dealer of each missing log first, then everybody who may have it, in turn.
    fn ask_logs(&mut self, me: &WorkerId, seen: &RoundView, wanted: Places) -> Vec<Ask> {
        let mut asks = Vec::new();
        if self.player_place.is_none() {
            return asks;
        }
        for (place, record) in (0..).zip(&seen.logs) {
            if record.is_none() || !contains(wanted, place) || self.logs.contains_key(&place) {
                continue;
            }
            let dealer = self.dealers.get(place as usize).map(|dealer| dealer.gatekeeper);
            let others = self.players.iter().map(|player| player.gatekeeper);
            let mut known = BTreeSet::from([*me]);
            let whom: Vec<WorkerId> = dealer.into_iter().chain(others).filter(|one| known.insert(*one)).collect();
            let tries = self.tries.entry(place).or_default();
            if let Some(to) = whom.get(*tries as usize % whom.len().max(1)) {
                asks.push(Ask { to: *to, request: PeerRequest::Log { round: self.number, dealer: place } });
            }
            *tries = tries.wrapping_add(1);
        }
        asks
    }

    /// Whether these bytes are the log that the dealer committed to, and one that counts.
    fn judge_log(&self, place: u32, record: &LogRecord, bytes: &Sensitive) -> Result<DealerLog, &'static str> {
        let log = DealerLog::parse(&bytes.0).map_err(|_| "it is malformed")?;
        if log.hash() != record.hash.0 {
            return Err("it is not the one that the dealer committed to");
        }
        let dealer = self.dealers.get(place as usize).ok_or("there is no such dealer")?;
        if log.dealer().0 != dealer.participant.0 {
            return Err("it is another dealer's");
        }
        if log.revealed().len() as u32 != record.revealed {
            return Err("it reveals another number of shares than its dealer said");
        }
        log.check(&self.round).map_err(|_| "it does not count")?;
        Ok(log)
    }
}

/// Places of the dealers that committed.
fn committed(seen: &RoundView) -> Places {
    (0..).zip(&seen.logs).filter(|(_, log)| log.is_some()).fold(0, |all, (place, _)| with(all, place))
}

/// Whether a phase of `blocks` draws to its end: in its last quarter, two blocks at least.
fn closing(view: &View, record: &RoundRecord, blocks: u32) -> bool {
    record.deadline.since(view.block.number) <= (blocks / 4).max(2)
}
