//! Release: who may have a part of a program's key, and how it leaves.
//!
//! ```text
//! query ─► signature ─► own view fresh? ─► facts, by proof ─► entitled? ─► evaluate ─► note down ─► seal to the worker
//! ```
//!
//! # Properties
//! - Everything that is decided by comes from one finalised block, not older than
//!   [`HEAD_AGE_MS_MAX`](crate::view::HEAD_AGE_MS_MAX) when it is asked for and still when it is answered.
//! - A part of a key is computed only for a name that the program has or is to have: never for code that it once ran, nor
//!   under a root that is closed.
//! - A part of a key is computed for [`Entitled`] only, and only [`judge`] makes one.
//! - What leaves opens with the transport key that the chain has of the worker, and no other.
//! - A query is answered once.

use crate::{
    gatekeeper::Gatekeeper,
    observer::{Proofs, Values},
    view::View,
};
use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use codec::{Decode, DecodeAll};
use phala_crypto::{hpke, verify_ed25519};
use phala_machine::{Entropy, chain::read};
use phala_messages::{
    ClusterId, ClusterRecord, CodeEpoch, GenesisHash, Hash, KeyRecord, ProgramId, ProgramRecord, Role, TransportKey,
    WorkerId, WorkerRecord,
    custody::{RootGeneration, RootStatus, place_of},
    limits::KEY_QUERY_BLOCK_AGE_MAX,
    release::{Delivery, KeyAnswer, KeyQuery, KeyReply, ReleaseRefusal, SignedKeyQuery, seal_info},
    storage,
};
use phala_threshold::{Identity, KeyIdentity};
use phala_units::{BlockNumber, UnixMillis};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Queries that are decided at once: each costs the node two proofs.
pub const QUERIES_MAX: usize = 64;
/// Queries that are remembered.
pub const REMEMBERED_MAX: usize = 65_536;
/// A worker's node may be so many blocks ahead of the gatekeeper's.
pub const BLOCKS_AHEAD_MAX: u32 = 5;

/// What the chain says about a query, all of one block.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Of the machine that asks.
    pub worker: Option<WorkerRecord>,
    /// Whether its measurement is on the list of workers' code.
    pub listed: bool,
    /// Where it works.
    pub assignment: Option<ClusterId>,
    /// The program.
    pub program: Option<ProgramRecord>,
    /// The program's cluster.
    pub cluster: Option<ClusterRecord>,
    /// Where the program's key comes from.
    pub root: Option<RootGeneration>,
    /// The root that takes programs: those under an older one are to move to it.
    pub open_root: Option<RootGeneration>,
    /// What code the program has, and is to have.
    pub keys: KeyRecord,
}

impl Facts {
    /// Whether the program's key comes from this root, or is to come from it.
    fn has_root(&self, root: RootGeneration) -> bool {
        self.root.is_some_and(|own| own == root || self.open_root == Some(root))
    }

    /// Whether the program runs this code, or its owner has ordered that it shall. Code that it once ran has no key any more:
    /// what its owner lets the next one have is carried over while both are entitled, and no later.
    fn has_code(&self, code: CodeEpoch) -> bool {
        self.keys.epoch == code || self.keys.upgrade.as_ref().is_some_and(|upgrade| upgrade.epoch == code)
    }
}

/// A query whose sender may have what it asks for.
#[derive(Debug)]
pub struct Entitled {
    transport: TransportKey,
    cluster: ClusterId,
    program: ProgramId,
    code: CodeEpoch,
    worker: WorkerId,
}

impl Entitled {
    /// The name of the key.
    pub fn identity(&self, genesis: &GenesisHash) -> Identity {
        key_identity(genesis, self.cluster, &self.program, self.code).into()
    }
}

/// The name of a program's key.
pub const fn key_identity(
    genesis: &GenesisHash,
    cluster: ClusterId,
    program: &ProgramId,
    code: CodeEpoch,
) -> KeyIdentity {
    KeyIdentity { genesis: genesis.0, cluster: cluster.0, program: program.0, code_epoch: code.0 }
}

/// Whether the query's sender may have what it asks for at `now`.
///
/// # Errors
/// The first rule that it breaks.
pub fn judge(query: &KeyQuery, facts: &Facts, now: UnixMillis) -> Result<Entitled, ReleaseRefusal> {
    let worker = facts.worker.as_ref().ok_or(ReleaseRefusal::UnknownWorker)?;
    let registration = &worker.registration;
    if registration.instance != query.instance {
        return Err(ReleaseRefusal::OtherInstance);
    }
    if !worker.has_role(Role::Worker) {
        return Err(ReleaseRefusal::NotAWorker);
    }
    if !worker.admits(&query.instance, now) {
        return Err(ReleaseRefusal::Expired);
    }
    if !facts.listed {
        return Err(ReleaseRefusal::Unlisted);
    }
    let program = facts.program.as_ref().ok_or(ReleaseRefusal::UnknownProgram)?;
    let cluster = facts.cluster.as_ref().ok_or(ReleaseRefusal::UnknownProgram)?;
    if facts.assignment != Some(program.cluster) || !cluster.workers.contains(&query.worker) {
        return Err(ReleaseRefusal::Unassigned);
    }
    if !facts.has_root(query.root) {
        return Err(ReleaseRefusal::OtherRoot);
    }
    if !facts.has_code(query.code) {
        return Err(ReleaseRefusal::OtherCode);
    }
    Ok(Entitled {
        transport: registration.transport,
        cluster: program.cluster,
        program: query.program,
        code: query.code,
        worker: query.worker,
    })
}

/// Queries that were answered, for as long as they could come again.
#[derive(Default)]
pub(crate) struct Remembered(BTreeMap<(BlockNumber, Hash), ()>);

impl Remembered {
    /// Whether the query is new; from now on it is not.
    fn insert(&mut self, asked: BlockNumber, query: Hash, now: BlockNumber) -> Result<(), ReleaseRefusal> {
        let oldest = BlockNumber(now.0.saturating_sub(KEY_QUERY_BLOCK_AGE_MAX));
        self.0 = self.0.split_off(&(oldest, Hash::default()));
        if self.0.contains_key(&(asked, query)) {
            return Err(ReleaseRefusal::Replayed);
        }
        if self.0.len() >= REMEMBERED_MAX {
            return Err(ReleaseRefusal::Busy);
        }
        self.0.insert((asked, query), ());
        Ok(())
    }

    fn contains(&self, asked: BlockNumber, query: Hash) -> bool {
        self.0.contains_key(&(asked, query))
    }
}

/// Places for queries that are decided at once.
#[derive(Debug, Default)]
pub struct QueryPlaces(AtomicUsize);

/// A query's place, until it is dropped.
#[derive(Debug)]
pub struct QueryPlace<'a>(&'a AtomicUsize);

impl QueryPlaces {
    /// A place. None when all [`QUERIES_MAX`] are taken.
    pub fn take(&self) -> Option<QueryPlace<'_>> {
        let place = QueryPlace(&self.0);
        (self.0.fetch_add(1, Ordering::Relaxed) < QUERIES_MAX).then_some(place)
    }
}

impl Drop for QueryPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gatekeeper {
    /// Answers a query for a part of a key.
    pub(crate) async fn release(&self, bytes: &[u8]) -> KeyReply {
        let signed = SignedKeyQuery::decode_all(&mut &*bytes).map_err(|_| ReleaseRefusal::Malformed)?;
        let SignedKeyQuery { query, signature } = &signed;
        let hash = query.signing_hash(&self.identity.genesis, &self.identity.instance);
        if !verify_ed25519(&query.instance.0, &hash.0, signature) {
            return Err(ReleaseRefusal::Signature);
        }
        let view = self.view();
        self.check_serving(&view)?;
        let height = view.block.number;
        if height.since(query.asked) > KEY_QUERY_BLOCK_AGE_MAX || query.asked.since(height) > BLOCKS_AHEAD_MAX {
            return Err(ReleaseRefusal::Asked);
        }
        if self.remembered().contains(query.asked, hash) {
            return Err(ReleaseRefusal::Replayed);
        }
        let _place = self.query_place().ok_or(ReleaseRefusal::Busy)?;
        let facts = facts(&*self.proofs, &view, query).await.ok_or(ReleaseRefusal::Unreadable)?;
        // Reading may have taken as long as the node liked.
        self.check_serving(&view)?;
        let entitled = judge(query, &facts, self.member.ports.clock.now().max(view.time))?;
        let root = view.roots.get(&query.root).filter(|root| root.record.status != RootStatus::Closed);
        let epoch = root.and_then(|root| root.epoch.clone());
        let epoch = epoch.ok_or(ReleaseRefusal::NoKeyShare)?;
        let partial = {
            let rounds = self.rounds();
            rounds.evaluate(query.root, &epoch, &entitled).ok_or(ReleaseRefusal::NoKeyShare)?
        };
        let mut rng = ChaCha20Rng::from_seed({
            let entropy: &dyn Entropy = &*self.member.ports.entropy;
            entropy.bytes()
        });
        let plain = partial.bytes_to_seal();
        let (sealed, _) = hpke::seal(&mut rng, &entitled.transport.0, &seal_info(&hash), &plain)
            .map_err(|_| ReleaseRefusal::TransportKey)?;
        let sealed = sealed.try_into().map_err(|_| ReleaseRefusal::TransportKey)?;
        self.remembered().insert(query.asked, hash, height)?;
        let delivery = Delivery {
            worker: entitled.worker,
            instance: query.instance,
            program: query.program,
            root: query.root,
            code: query.code,
            epoch: epoch.epoch,
            block: height,
            query: hash,
        };
        self.deliveries().note(delivery).map_err(|error| {
            tracing::error!(%error, "a delivery cannot be noted down; nothing is given out");
            ReleaseRefusal::NotLogged
        })?;
        // A seat that this machine took over keeps the participant key under which its epoch knows it.
        let place = place_of(&epoch.members, &self.identity.worker).ok_or(ReleaseRefusal::NoKeyShare)?;
        let member = epoch.members.get(place as usize).ok_or(ReleaseRefusal::NoKeyShare)?.participant;
        Ok(KeyAnswer { epoch: epoch.epoch, output: epoch.output_hash, member, sealed })
    }

    fn check_serving(&self, view: &View) -> Result<(), ReleaseRefusal> {
        use crate::problem::Problem;
        self.may_serve(view).map_err(|problem| match problem {
            Problem::Stale(..) => ReleaseRefusal::Stale,
            _ => ReleaseRefusal::NotAdmitted,
        })
    }
}

/// Reads what there is to know about a query. None when the node proves nothing, or the chain is of another version.
async fn facts(proofs: &dyn Proofs, view: &Arc<View>, query: &KeyQuery) -> Option<Facts> {
    let head = view.head.as_ref()?;
    let first = [
        storage::worker(&query.worker),
        storage::assignment(&query.worker),
        storage::program(&query.program),
        storage::program_root(&query.program),
        storage::open_root(),
        storage::key_record(&query.program),
    ];
    let values = proofs.read(head, &first).await.ok()?;
    let mut facts = Facts {
        worker: value(&values, "worker record", &first[0])?,
        assignment: value(&values, "assignment", &first[1])?,
        program: value(&values, "program", &first[2])?,
        root: value(&values, "program's root", &first[3])?,
        open_root: value(&values, "open root", &first[4])?,
        keys: value::<KeyRecord>(&values, "program's keys", &first[5])?.unwrap_or_default(),
        ..Facts::default()
    };
    let cluster = facts.program.as_ref().map(|program| storage::cluster(program.cluster));
    let code = facts.worker.as_ref().map(|worker| storage::measurement(Role::Worker, &worker.attested.measurement));
    let second: Vec<_> = cluster.iter().chain(&code).cloned().collect();
    if second.is_empty() {
        return Some(facts);
    }
    let values = proofs.read(head, &second).await.ok()?;
    if let Some(key) = cluster {
        facts.cluster = value(&values, "cluster", &key)?;
    }
    if let Some(key) = code {
        facts.listed = values.get(&key)?.is_some();
    }
    Some(facts)
}

/// Some when the value was proven and reads; inside, whether there is one.
fn value<T: Decode>(values: &Values, what: &'static str, key: &[u8]) -> Option<Option<T>> {
    match read(what, values.get(key)?.as_ref()) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::error!(%error, "a query cannot be decided");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(n: u32) -> Hash {
        let mut hash = Hash::default();
        hash.0[..4].copy_from_slice(&n.to_le_bytes());
        hash
    }

    #[test]
    fn a_query_is_remembered_for_as_long_as_it_could_come_again() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.insert(BlockNumber(10), query(1), BlockNumber(10)), Ok(()));
        let again = BlockNumber(10 + KEY_QUERY_BLOCK_AGE_MAX);
        assert_eq!(remembered.insert(BlockNumber(10), query(1), again), Err(ReleaseRefusal::Replayed));
        assert_eq!(remembered.insert(BlockNumber(40), query(2), BlockNumber(40)), Ok(()));
        assert_eq!(remembered.0.len(), 1);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut remembered = Remembered::default();
        let now = BlockNumber(5);
        for n in 0..REMEMBERED_MAX as u32 {
            remembered.0.insert((now, query(n)), ());
        }
        assert_eq!(remembered.insert(now, query(u32::MAX), now), Err(ReleaseRefusal::Busy));
        let later = BlockNumber(now.0 + KEY_QUERY_BLOCK_AGE_MAX + 1);
        assert_eq!(remembered.insert(later, query(u32::MAX), later), Ok(()));
    }
}
