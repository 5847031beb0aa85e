//! The observer: from the newest finalised head to a view, by proof.
//!
//! ```text
//! head ─► time, own record, newest round, roots, own log of deliveries
//!           ├► round, logs ─► dealers and players
//!           └► roots ─► epochs ─► members ─► measurements
//! ```
//! What the last view needed is asked for first, in one proof; only what is new costs another.

use crate::view::{RootView, RoundView, View};
use codec::Decode;
use futures::future::BoxFuture;
use phala_follow::{Finalized, FollowError, Follower, Head, Rpc, rpc::read_proof};
use phala_machine::{
    Member,
    chain::{Unreadable, read},
    trail::Trail,
};
use phala_messages::{
    Hash, Role, WorkerId, WorkerRecord,
    custody::{DeliveryHead, EpochNumber, EpochRecord, Parameters, RootGeneration, RootRecord, RoundNumber},
    storage,
};
use phala_units::UnixMillis;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Keys in one proof: more than a view of the largest round needs.
const KEYS_PER_PROOF: usize = 512;

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

/// Values of the chain's state, by key.
pub type Values = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Reads the chain's state by proof.
pub trait Proofs: Send + Sync + 'static {
    /// The values of `keys` at `head`; each key is in the answer.
    fn read<'a>(&'a self, head: &'a Finalized<Head>, keys: &'a [Vec<u8>])
    -> BoxFuture<'a, Result<Values, FollowError>>;
}

/// Proofs from a node.
pub struct NodeProofs<R>(pub Arc<R>);

impl<R: Rpc + Send + Sync + 'static> Proofs for NodeProofs<R> {
    fn read<'a>(
        &'a self,
        head: &'a Finalized<Head>,
        keys: &'a [Vec<u8>],
    ) -> BoxFuture<'a, Result<Values, FollowError>> {
        Box::pin(async move {
            let mut out = Values::new();
            for keys in keys.chunks(KEYS_PER_PROOF) {
                let nodes = read_proof(&*self.0, keys, &head.hash).await?;
                let values = head.values(&nodes, keys)?.into_inner();
                out.extend(keys.iter().cloned().zip(values));
            }
            Ok(out)
        })
    }
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
    /// gatekeeper holds a key share.
    ///
    /// # Errors
    /// [`ObserveError`]; the next call tries again.
    pub async fn observe(&mut self, held: &[RootGeneration]) -> Result<Option<View>, ObserveError> {
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

    async fn look(&mut self, held: &[RootGeneration]) -> Result<View, ObserveError> {
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
        ];
        reader.fetch(self.keys.iter().cloned().chain(always)).await?;
        let time = UnixMillis(reader.get("time", storage::timestamp_now()).await?.unwrap_or_default());
        let own: Option<WorkerRecord> = reader.get("worker record", storage::worker(&me)).await?;
        let parameters = reader.get("custody parameters", storage::custody_parameters()).await?;
        let delivered: Option<DeliveryHead> = reader.get("delivery head", storage::delivery_head(&me)).await?;
        let newest: Option<RoundNumber> = reader.get("newest round", storage::newest_round()).await?;
        let round = match newest {
            Some(number) if number != RoundNumber::default() => {
                reader.fetch([storage::round(number), storage::round_logs(number)]).await?;
                let record = reader.get("round", storage::round(number)).await?;
                let logs = reader.get("logs", storage::round_logs(number)).await?.unwrap_or_default();
                record.map(|record| Arc::new(RoundView { record, logs }))
            }
            _ => None,
        };
        let mut wanted: BTreeSet<RootGeneration> = held.iter().copied().collect();
        wanted.extend(reader.get::<RootGeneration>("open root", storage::open_root()).await?);
        wanted.extend(round.as_ref().map(|round| round.record.root));
        let (roots, epochs) = roots(&mut reader, &wanted, round.as_deref()).await?;
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
            roots,
            epochs,
            machines,
            delivered: delivered.unwrap_or_default(),
            head: Some(head),
        })
    }
}

type Roots = BTreeMap<RootGeneration, RootView>;
type Epochs = BTreeMap<EpochNumber, Arc<EpochRecord>>;

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
        if let Some(epoch) = reader.get::<EpochRecord>("epoch", storage::epoch(number)).await? {
            epochs.insert(number, Arc::new(epoch));
        }
    }
    for (root, record) in records {
        let epoch = epochs.get(&record.epoch).cloned();
        roots.insert(root, RootView { record, epoch });
    }
    Ok((roots, epochs))
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
