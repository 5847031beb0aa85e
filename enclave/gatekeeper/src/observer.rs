//! The observer: from the newest finalised head to a view, by proof.
//!
//! ```text
//! head ─► time, own record, newest round, roots, own log of deliveries
//!           ├► round, logs ─► dealers and players
//!           └► roots ─► epochs ─► members ─► measurements
//! ```
//! What the last view needed is asked for first, in one proof; only what is new costs another.

use crate::view::{RecoveryView, RootView, RoundView, SeatView, View};
use codec::Decode;
use phala_follow::{Finalized, FollowError, Follower, Head, Rpc};
pub use phala_machine::proofs::{NodeProofs, Proofs, Values};
use phala_machine::{
    Member,
    chain::{Unreadable, read},
    trail::Trail,
};
use phala_messages::{
    Hash, Role, WorkerId, WorkerRecord,
    custody::{DeliveryHead, EpochNumber, EpochRecord, Parameters, RootGeneration, RootRecord, RoundNumber, place_of},
    recovery::{CeremonyRecord, CustodianSet, EpochOutput, SeatBackup},
    storage,
};
use phala_units::UnixMillis;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Why a head was not observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The node, or its proofs.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The chain is of another version.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// What was read at one head; remembers what was asked for.
struct Reader<'a> {
    proofs: &'a dyn Proofs,
    head: &'a Finalized<Head>,
    values: Values,
    used: BTreeSet<Vec<u8>>,
}

impl Reader<'_> {
    /// Makes sure that these keys were read.
    async fn fetch(&mut self, keys: impl IntoIterator<Item = Vec<u8>>) -> Result<(), FollowError> {
        let missing: BTreeSet<_> = keys.into_iter().filter(|key| !self.values.contains_key(key)).collect();
        if !missing.is_empty() {
            let missing: Vec<_> = missing.into_iter().collect();
            self.values.extend(self.proofs.read(self.head, &missing).await?);
        }
        Ok(())
    }

    async fn get<T: Decode>(&mut self, what: &'static str, key: Vec<u8>) -> Result<Option<T>, ObserveError> {
        self.fetch([key.clone()]).await?;
        let value = read(what, self.values.get(&key).and_then(Option::as_ref))?;
        self.used.insert(key);
        Ok(value)
    }
}

/// Follows the chain and makes views of it.
pub struct Observer<R> {
    member: Arc<Member>,
    rpc: Arc<R>,
    proofs: Arc<dyn Proofs>,
    follower: Follower,
    trail: Trail,
    /// What the last view needed.
    keys: BTreeSet<Vec<u8>>,
    looked: bool,
}

impl<R: Rpc + Send + Sync + 'static> Observer<R> {
    /// An observer that goes on from `follower`.
    pub fn new(member: Arc<Member>, rpc: Arc<R>, proofs: Arc<dyn Proofs>, follower: Follower) -> Self {
        Self { member, rpc, proofs, follower, trail: Trail::default(), keys: BTreeSet::new(), looked: false }
    }

    /// Moves to the newest finalised head. A view when it is another one than last time; `held` are the roots of which this
    /// gatekeeper keeps anything, with the epoch whose key share it holds.
    ///
    /// # Errors
    /// [`ObserveError`]; the next call tries again.
    pub async fn observe(&mut self, held: &Held) -> Result<Option<View>, ObserveError> {
        while self.follower.advance(&*self.rpc).await? {
            self.looked = false;
        }
        if self.looked {
            return Ok(None);
        }
        let view = self.look(held).await?;
        self.looked = true;
        self.trail.save(&self.member, &self.follower);
        Ok(Some(view))
    }

    async fn look(&mut self, held: &Held) -> Result<View, ObserveError> {
        let head = self.follower.head().clone();
        let me = self.member.identity.worker;
        let mut reader = Reader { proofs: &*self.proofs, head: &head, values: Values::new(), used: BTreeSet::new() };
        let always = [
            storage::timestamp_now(),
            storage::worker(&me),
            storage::custody_parameters(),
            storage::newest_round(),
            storage::open_root(),
            storage::delivery_head(&me),
            storage::custodians(),
            storage::active_ceremonies(),
        ];
        reader.fetch(self.keys.iter().cloned().chain(always)).await?;
        let time = UnixMillis(reader.get("time", storage::timestamp_now()).await?.unwrap_or_default());
        let own: Option<WorkerRecord> = reader.get("worker record", storage::worker(&me)).await?;
        let parameters = reader.get("custody parameters", storage::custody_parameters()).await?;
        let delivered: Option<DeliveryHead> = reader.get("delivery head", storage::delivery_head(&me)).await?;
        let newest: Option<RoundNumber> = reader.get("newest round", storage::newest_round()).await?;
        let round = match newest {
            Some(number) if number != RoundNumber::default() => round_view(&mut reader, number).await?,
            _ => None,
        };
        let mut wanted: BTreeSet<RootGeneration> = held.keys().copied().collect();
        wanted.extend(reader.get::<RootGeneration>("open root", storage::open_root()).await?);
        wanted.extend(round.as_ref().map(|round| round.record.root));
        let active: Vec<RootGeneration> =
            reader.get("ceremonies", storage::active_ceremonies()).await?.unwrap_or_default();
        wanted.extend(&active);
        let (roots, mut epochs) = roots(&mut reader, &wanted, round.as_deref()).await?;
        let missed = missed(&mut reader, &me, newest, held, &roots).await?;
        for number in missed.iter().filter_map(|round| round.record.previous) {
            epochs.extend(epoch(&mut reader, number).await?.map(|epoch| (number, epoch)));
        }
        let recovery = recovery(&mut reader, &me, &active, &roots).await?;
        let machines = machines(&mut reader, &me, round.as_deref(), &epochs).await?;
        // What this process stands for is judged at every head, also when its own code was taken off the list.
        let listed = match &own {
            Some(record) => is_listed(&mut reader, Role::Gatekeeper, &record.attested.measurement).await?,
            None => true,
        };
        self.keys = reader.used;
        let seen = self.member.observe(head.block(), time, own.filter(|_| listed));
        Ok(View {
            block: seen.block,
            time,
            standing: seen.standing,
            parameters: parameters.unwrap_or(Parameters::DEFAULT),
            round,
            missed,
            roots,
            epochs,
            machines,
            delivered: delivered.unwrap_or_default(),
            recovery,
            head: Some(head),
        })
    }
}

/// Roots of which a gatekeeper keeps anything, with the epoch whose key share it holds.
pub type Held = BTreeMap<RootGeneration, Option<EpochNumber>>;
type Roots = BTreeMap<RootGeneration, RootView>;
type Epochs = BTreeMap<EpochNumber, Arc<EpochRecord>>;

async fn round_view(reader: &mut Reader<'_>, number: RoundNumber) -> Result<Option<Arc<RoundView>>, ObserveError> {
    reader.fetch([storage::round(number), storage::round_logs(number)]).await?;
    let record = reader.get("round", storage::round(number)).await?;
    let logs = reader.get("logs", storage::round_logs(number)).await?.unwrap_or_default();
    Ok(record.map(|record| Arc::new(RoundView { record, logs })))
}

/// Rounds before the newest whose key share this gatekeeper should hold and does not.
async fn missed(
    reader: &mut Reader<'_>,
    me: &WorkerId,
    newest: Option<RoundNumber>,
    held: &Held,
    roots: &Roots,
) -> Result<Vec<Arc<RoundView>>, ObserveError> {
    let mut missed = Vec::new();
    for epoch in roots.values().filter_map(|seen| seen.epoch.as_ref()) {
        let holds = held.get(&epoch.root).copied().flatten().is_some_and(|held| held >= epoch.epoch);
        if !holds && Some(epoch.round) != newest && place_of(&epoch.members, me).is_some() {
            missed.extend(round_view(reader, epoch.round).await?);
        }
    }
    Ok(missed)
}

async fn roots(
    reader: &mut Reader<'_>,
    wanted: &BTreeSet<RootGeneration>,
    round: Option<&RoundView>,
) -> Result<(Roots, Epochs), ObserveError> {
    reader.fetch(wanted.iter().map(|root| storage::root(*root))).await?;
    let (mut roots, mut epochs) = (Roots::new(), Epochs::new());
    let mut numbers: BTreeSet<EpochNumber> = round.and_then(|round| round.record.previous).into_iter().collect();
    let mut records = Vec::new();
    for root in wanted {
        if let Some(record) = reader.get::<RootRecord>("root", storage::root(*root)).await? {
            numbers.insert(record.epoch);
            records.push((*root, record));
        }
    }
    reader.fetch(numbers.iter().map(|number| storage::epoch(*number))).await?;
    for number in numbers {
        epochs.extend(epoch(reader, number).await?.map(|epoch| (number, epoch)));
    }
    for (root, record) in records {
        let epoch = epochs.get(&record.epoch).cloned();
        roots.insert(root, RootView { record, epoch });
    }
    Ok((roots, epochs))
}

async fn epoch(reader: &mut Reader<'_>, number: EpochNumber) -> Result<Option<Arc<EpochRecord>>, ObserveError> {
    Ok(reader.get::<EpochRecord>("epoch", storage::epoch(number)).await?.map(Arc::new))
}

/// What the chain has of this gatekeeper's seats, and what it wants of it.
async fn recovery(
    reader: &mut Reader<'_>,
    me: &WorkerId,
    active: &[RootGeneration],
    roots: &Roots,
) -> Result<RecoveryView, ObserveError> {
    let custodians: Option<CustodianSet> = reader.get("custodians", storage::custodians()).await?;
    let mut view = RecoveryView { custodians, ..RecoveryView::default() };
    let held = roots.values().filter_map(|seen| seen.epoch.as_ref());
    let held: Vec<_> = held.filter_map(|epoch| Some((epoch.root, place_of(&epoch.members, me)?))).collect();
    let keys =
        held.iter().flat_map(|(root, place)| [storage::seat_backup(*root, *place), storage::output_epoch(*root)]);
    reader.fetch(keys.chain(active.iter().map(|root| storage::ceremony(*root)))).await?;
    for (root, place) in held {
        let backup: Option<SeatBackup> = reader.get("backup", storage::seat_backup(root, place)).await?;
        view.backed.extend(backup.map(|backup| (root, (backup.epoch, backup.set))));
        view.outputs
            .extend(reader.get("output's epoch", storage::output_epoch(root)).await?.map(|epoch| (root, epoch)));
    }
    for root in active {
        let Some(ceremony) = reader.get::<CeremonyRecord>("ceremony", storage::ceremony(*root)).await? else {
            continue;
        };
        if let Some(seat) = ceremony.seat_of(me) {
            view.seats.extend(seat_view(reader, *root, seat.place).await?.map(|seat| (*root, Arc::new(seat))));
        }
        view.ceremonies.insert(*root, Arc::new(ceremony));
    }
    Ok(view)
}

/// What there is to know of a seat. None when the chain does not have all of it.
async fn seat_view(
    reader: &mut Reader<'_>,
    root: RootGeneration,
    place: u32,
) -> Result<Option<SeatView>, ObserveError> {
    reader.fetch([storage::seat_backup(root, place), storage::epoch_output(root)]).await?;
    let backup: Option<SeatBackup> = reader.get("backup", storage::seat_backup(root, place)).await?;
    let output: Option<EpochOutput> = reader.get("output", storage::epoch_output(root)).await?;
    let (Some(backup), Some(output)) = (backup, output) else { return Ok(None) };
    let set: Option<CustodianSet> = reader.get("custodians", storage::custodian_set(backup.set)).await?;
    Ok(set.map(|set| SeatView { backup, set, output }))
}

/// All gatekeepers that this one may have to do with, as far as the chain admits them now.
async fn machines(
    reader: &mut Reader<'_>,
    me: &WorkerId,
    round: Option<&RoundView>,
    epochs: &Epochs,
) -> Result<BTreeMap<WorkerId, Arc<WorkerRecord>>, ObserveError> {
    let of_round = round.into_iter().flat_map(|round| round.record.dealers.iter().chain(&round.record.players));
    let of_epochs = epochs.values().flat_map(|epoch| &epoch.members);
    let ids: BTreeSet<WorkerId> = of_round.chain(of_epochs).map(|member| member.gatekeeper).collect();
    reader.fetch(ids.iter().map(storage::worker)).await?;
    let mut machines = BTreeMap::new();
    for id in ids.iter().filter(|id| *id != me) {
        let Some(record) = reader.get::<WorkerRecord>("worker record", storage::worker(id)).await? else { continue };
        let listed = is_listed(reader, Role::Gatekeeper, &record.attested.measurement).await?;
        if listed && record.has_role(Role::Gatekeeper) {
            machines.insert(*id, Arc::new(record));
        }
    }
    Ok(machines)
}

async fn is_listed(reader: &mut Reader<'_>, role: Role, measurement: &Hash) -> Result<bool, ObserveError> {
    let key = storage::measurement(role, measurement);
    reader.fetch([key.clone()]).await?;
    let listed = reader.values.get(&key).is_some_and(Option::is_some);
    reader.used.insert(key);
    Ok(listed)
}
