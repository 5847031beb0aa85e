//! Know clusters, programs, commands and anchors.
//!
//! # Overview
//! A *cluster* is a group of workers with an owner. A *program* is a hash of code with a manifest, deployed
//! to a cluster. A *command* is a sealed request to a program: the chain gives it a number and keeps it until
//! a worker *anchors* that it is answered. The chain sees no plaintext and no state, only the state's root.
//!
//! # Scenario
//! ```text
//! owner   create_cluster ─► assign_worker
//! anyone  deploy ──────────► Deploying ──(ready, by the worker)──► Live ──► remove
//! anyone                                     command 0, 1, 2 …      │
//! worker                                     anchor 0..2, 2..3 …    ▼   version = commands answered
//! ```
//!
//! # Terminology
//! - *version*: how many commands a program has answered; its newest anchor carries it.
//! - *pending*: ordered and not yet answered; `commands - version` of them, no more than
//!   [`COMMANDS_PENDING_MAX`].
//! - *lead*: the first of a cluster's workers. It alone makes programs ready and anchors; the others *stand by*, hold copies
//!   of the state, and one of them takes the lead when it dies.
//! - *keeper*: the worker that made a program ready. Where no gatekeepers guard a program's keys they are that worker's own, so
//!   nobody else can answer, and nobody else's anchors are taken.
//! - *abandoned*: pending when their program was removed. Their deposits go back block by block.
//!
//! # What a new instance means
//! A worker signs `ready` and `anchor` with the key of its current process (see `pallet-registry`). As soon
//! as the worker registers a new instance, everything that the old one signed and that is not yet in a block is
//! refused ([`Refusal::InstanceSignature`]), however valid it was when it was made. So of two clones of a worker
//! only the one that registered last can move a program's state, and a version is anchored once: the new
//! process starts from the newest finalised anchor and answers again what its predecessor could not anchor.
//!
//! # What a new lead means
//! The same, between machines: an anchor counts only from the worker that leads in the block that holds it
//! ([`Refusal::NotLead`]). Whoever takes the lead starts from the newest finalised anchor; what the old lead answered and
//! could not anchor any more is answered again.
//!
//! # Properties
//! - A command is ordered once, has one index, and is answered by one anchor.
//! - A program's anchors have no gap and no overlap: each starts at the version where the last one ended.
//! - At any block a cluster with workers has one lead, and a lead that answers doubts keeps the lead.
//! - A deposit is held from the call that causes it until what it pays for leaves the chain's state, and
//!   returns whole to who paid it.
//! - A command's price is laid aside when it is ordered, and is spent or refunded once, when it leaves the chain's state.
//! - While a cluster's `activity` stands still, there is nothing new for its workers to read.
//! - No call costs more than its weight: whatever grows with use is bounded or done piece by piece when a block
//!   has room.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod anchor;
mod cluster;
mod command;
mod lead;
mod moves;
mod payments;
mod program;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_lead;
#[cfg(test)]
mod tests_of_moves;
#[cfg(test)]
mod tests_of_payments;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
pub mod weights;

use frame_support::pallet_prelude::*;
use phala_messages::{InstanceKey, ProgramId, WorkerId, custody::RootGeneration};

pub use pallet::*;
pub use payments::Payments;
pub use phala_messages::{limits::COMMANDS_PENDING_MAX, refusal::Refusal};
pub use weights::WeightInfo;

/// What programs must know of workers. The runtime answers from its registry, and knows machines in the role of a
/// worker only: a gatekeeper runs no programs.
pub trait Workers {
    /// Whether `instance` is the worker's current process and its admission has not run out.
    fn admits(worker: &WorkerId, instance: &InstanceKey) -> bool;

    /// The worker's current process, admitted or expired. None for who never registered.
    fn instance(worker: &WorkerId) -> Option<InstanceKey>;

    /// Whether the worker is registered, admitted or expired.
    fn exists(worker: &WorkerId) -> bool;

    /// An admitted worker was doubted as the lead, did not show itself, and leads no more.
    fn deposed(_worker: &WorkerId) {}

    /// Makes a worker exist with this instance, admitted, without evidence.
    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(worker: &WorkerId, instance: &InstanceKey);

    /// Gives a worker that exists stake at work, for it to lose.
    #[cfg(feature = "runtime-benchmarks")]
    fn employ_for_benchmark(_worker: &WorkerId) {}
}

/// Who guards the keys of programs. The runtime answers from its custody; `()` says that nobody does.
pub trait Keys {
    /// A program was deployed: from now on its keys come from the master key that takes programs, if there is one.
    ///
    /// # Errors
    /// When its keys can come from nowhere.
    fn deployed(program: &ProgramId) -> DispatchResult;

    /// A program was removed.
    fn removed(program: &ProgramId);

    /// Whether any worker of its cluster can have the program's keys. If not, only the one that made it ready has them.
    fn guarded(program: &ProgramId) -> bool;

    /// The root that the program's keys come from. None when nobody guards them.
    fn root(program: &ProgramId) -> Option<RootGeneration>;

    /// The root that the program's next keys come from: its own while that takes programs, then the one that does.
    fn root_wanted(program: &ProgramId) -> Option<RootGeneration>;

    /// From now on the program's keys come from `root`, which is the wanted one.
    ///
    /// # Errors
    /// When that root takes no programs.
    fn moved(program: &ProgramId, root: Option<RootGeneration>) -> DispatchResult;

    /// From now on somebody guards the keys of new programs.
    #[cfg(feature = "runtime-benchmarks")]
    fn guard_for_benchmark() {}
}

impl Keys for () {
    fn deployed(_: &ProgramId) -> DispatchResult {
        Ok(())
    }

    fn removed(_: &ProgramId) {}

    fn guarded(_: &ProgramId) -> bool {
        false
    }

    fn root(_: &ProgramId) -> Option<RootGeneration> {
        None
    }

    fn root_wanted(_: &ProgramId) -> Option<RootGeneration> {
        None
    }

    fn moved(_: &ProgramId, _: Option<RootGeneration>) -> DispatchResult {
        Ok(())
    }
}

/// Abandoned commands of one removed program: `next..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Abandoned {
    /// First command whose deposit is not yet returned.
    pub next: u64,
    /// One past the last.
    pub end: u64,
}

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::traits::{Time, fungible};
    use frame_system::pallet_prelude::*;
    use phala_messages::{
        AnchorRecord, ClusterId, ClusterRecord, CodeEpoch, CodeHash, CommandRecord, Keep, KeyName, KeyRecord,
        LeadRecord, Manifest, ProgramRecord, SealedCommand, StateRoot, TransportKey,
        anchor::{ANCHOR_COMMANDS_MAX, SignedAnchor},
        lead::SignedLeadMessage,
        moves::SignedMoved,
        program::{Name, SignedReady},
    };
    use phala_units::Planck;

    /// The layout of this pallet's storage.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>, AccountId: AsRef<[u8; 32]> + From<[u8; 32]>>
    {
        /// What is known of workers.
        type Workers: Workers;

        /// Who guards the keys of programs.
        type Keys: Keys;

        /// Who pays for commands.
        type Payments: Payments;

        /// PHA, in Planck.
        type Currency: fungible::hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>
            + fungible::Inspect<Self::AccountId, Balance = u128>;

        /// Why an account's PHA is held.
        type RuntimeHoldReason: From<HoldReason>;

        /// The block's time, Unix milliseconds.
        type Time: Time<Moment = u64>;

        /// Workers of one cluster: one leads, the others stand by.
        #[pallet::constant]
        type WorkersPerCluster: Get<u32>;

        /// Blocks that a doubted lead has to show itself, and that lie between two doubts.
        #[pallet::constant]
        type LeadPatience: Get<u32>;

        /// Held from a program's owner while the program stands, Planck.
        #[pallet::constant]
        type ProgramDeposit: Get<u128>;

        /// Held from a command's caller until the command is answered, whatever its size, Planck.
        #[pallet::constant]
        type CommandDepositBase: Get<u128>;

        /// Held in addition for each sealed byte, Planck.
        #[pallet::constant]
        type CommandDepositPerByte: Get<u128>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;
    }

    /// Why PHA is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A program stands in the chain's state.
        #[codec(index = 0)]
        Program,
        /// A command waits for its answer.
        #[codec(index = 1)]
        Command,
    }

    /// Clusters ever founded; the id of the next one.
    #[pallet::storage]
    pub type ClusterCount<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Each cluster.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Clusters<T: Config> = StorageMap<_, Blake2_128Concat, ClusterId, ClusterRecord>;

    /// Where a worker works.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Assignments<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, ClusterId>;

    /// What is known of each cluster's lead, beside who it is.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Leads<T: Config> = StorageMap<_, Blake2_128Concat, ClusterId, LeadRecord, ValueQuery>;

    /// The program in each slot of a cluster.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type ClusterPrograms<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, ClusterId, Blake2_128Concat, u32, ProgramId>;

    /// Slots of a cluster that were used and are empty again.
    // Hasher: Twox64Concat, slots are numbers that the chain gives.
    #[pallet::storage]
    pub type FreeSlots<T: Config> = StorageDoubleMap<_, Twox64Concat, ClusterId, Twox64Concat, u32, ()>;

    /// Programs ever deployed; enters the id of the next one.
    #[pallet::storage]
    pub type ProgramCount<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Each program.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Programs<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, ProgramRecord>;

    /// What is held from the owner of each program.
    // Hasher: Blake2_128Concat, ids depend on the owner's account.
    #[pallet::storage]
    pub type ProgramDeposits<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, Planck>;

    /// The worker whose keys a live program has.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Keepers<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, WorkerId>;

    /// The newest anchor of each program.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Anchors<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, AnchorRecord>;

    /// Where programs stand with their keys. None, and the default, until something changes.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type KeyRecords<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, KeyRecord, ValueQuery>;

    /// Commands that wait for their answer, and those of removed programs whose deposit is still held.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Commands<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, ProgramId, Blake2_128Concat, u64, CommandRecord>;

    /// Commands of removed programs whose deposits are not yet returned.
    // Hasher: Blake2_128Concat, ids depend on the owner's account.
    #[pallet::storage]
    pub type AbandonedCommands<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, Abandoned>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A cluster was founded.
        ClusterCreated {
            /// Its id.
            cluster: ClusterId,
            /// Who may assign workers to it.
            owner: T::AccountId,
        },
        /// A worker works in a cluster from now on.
        WorkerAssigned {
            /// Which cluster.
            cluster: ClusterId,
            /// Which worker.
            worker: WorkerId,
        },
        /// A worker no longer works in a cluster.
        WorkerUnassigned {
            /// Which cluster.
            cluster: ClusterId,
            /// Which worker.
            worker: WorkerId,
        },
        /// A program was deployed; its workers fetch the code.
        ProgramDeployed {
            /// Its id.
            program: ProgramId,
            /// Who runs it.
            cluster: ClusterId,
            /// Who owns it.
            owner: T::AccountId,
            /// What runs.
            code: CodeHash,
        },
        /// A program answers.
        ProgramReady {
            /// Which.
            program: ProgramId,
            /// Who runs it.
            worker: WorkerId,
            /// Commands are sealed to this key.
            transport: TransportKey,
        },
        /// A program was removed.
        ProgramRemoved {
            /// Which.
            program: ProgramId,
            /// Commands that will not be answered. Their deposits return in this and the next blocks.
            abandoned: u64,
        },
        /// A command was ordered.
        CommandOrdered {
            /// To which program.
            program: ProgramId,
            /// Its place among the program's commands.
            index: u64,
            /// Who sent it.
            caller: T::AccountId,
        },
        /// Commands were answered.
        Anchored {
            /// Of which program.
            program: ProgramId,
            /// The first of them.
            from: u64,
            /// One past the last; the program's version now.
            version: u64,
            /// Root of the state at that version.
            root: StateRoot,
            /// Who says so.
            worker: WorkerId,
        },
        /// A program's owner gave it other code, and consented to what that may have.
        UpgradeOrdered {
            /// Which program.
            program: ProgramId,
            /// What is to run.
            code: CodeHash,
            /// The epoch of that code.
            epoch: CodeEpoch,
            /// What it may have.
            keep: Keep,
        },
        /// A program has another key, and perhaps other code.
        ProgramMoved {
            /// Which program.
            program: ProgramId,
            /// The key before.
            from: KeyName,
            /// The key after.
            to: KeyName,
            /// What runs now.
            code: CodeHash,
            /// What went along.
            keep: Keep,
            /// The version, before and after.
            version: u64,
            /// Root of the state, under the new key.
            root: StateRoot,
            /// Commands are sealed to this key from now on.
            transport: TransportKey,
            /// Who says so.
            worker: WorkerId,
        },
        /// A worker that stands by misses the lead.
        LeadDoubted {
            /// Of which cluster.
            cluster: ClusterId,
            /// Who shall show itself.
            lead: WorkerId,
            /// Who misses it.
            by: WorkerId,
        },
        /// The lead was doubted, and lives.
        LeadShown {
            /// Of which cluster.
            cluster: ClusterId,
            /// Who leads.
            lead: WorkerId,
        },
        /// Another worker leads.
        LeadChanged {
            /// Of which cluster.
            cluster: ClusterId,
            /// Who leads now; none when the last worker was taken away.
            lead: Option<WorkerId>,
            /// Who led before.
            before: Option<WorkerId>,
        },
        /// All deposits for commands of a removed program have been returned.
        AbandonedReleased {
            /// Which program.
            program: ProgramId,
        },
    }

    /// Why a call is not carried out.
    #[pallet::error]
    pub enum Error<T> {
        /// No cluster has this id. List the clusters and choose one.
        ClusterUnknown,
        /// Only the cluster's owner may do this. Sign with the owner's account.
        NotClusterOwner,
        /// No more clusters can be founded: the ids are used up.
        ClustersExhausted,
        /// The worker is not registered. Start it and wait until it has registered.
        WorkerUnknown,
        /// The worker works in a cluster already. Unassign it there first.
        WorkerAssigned,
        /// The worker works in no cluster.
        WorkerNotAssigned,
        /// The cluster has as many workers as it may have. Unassign one, or found another cluster.
        WorkersFull,
        /// A program needs a name.
        NameEmpty,
        /// A name is UTF-8 text without control characters.
        NameNotText,
        /// The code is empty or its size was not given.
        CodeEmpty,
        /// The code is larger than the network takes. Leave out what is not needed, or strip it.
        CodeTooLarge,
        /// The manifest asks for no memory, or for more than a program may have.
        LimitMemory,
        /// The manifest asks for no time, or for more than a query may take.
        LimitQueryTime,
        /// The manifest asks for no fuel, or for more than a command may burn.
        LimitCommandFuel,
        /// The manifest asks for more outbound requests than a query may make.
        LimitOutboundRequests,
        /// A host in the manifest is not `host` or `host:port` in lowercase, perhaps with a leading `*.`.
        HostMalformed,
        /// The cluster has as many programs as it may have. Choose another one.
        ProgramsFull,
        /// No program has this id, or it was removed.
        ProgramUnknown,
        /// Only the program's owner may do this. Sign with the owner's account.
        NotProgramOwner,
        /// The program is not live yet. Wait until its worker has the code.
        ProgramNotLive,
        /// The program has too many unanswered commands. Wait until its worker has caught up.
        CommandsPending,
        /// These bytes are too short to be a sealed command.
        CommandMalformed,
        /// A worker's message broke the rule with this code; see `phala_messages::Refusal`.
        Refused(u8),
        /// The program had as many codes as there are numbers. Deploy another one.
        CodesExhausted,
    }

    impl<T: Config> From<Refusal> for Error<T> {
        fn from(refusal: Refusal) -> Self {
            Self::Refused(refusal.code())
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Founds a cluster, owned by the caller.
        ///
        /// A cluster is open: anyone may deploy to it, paying a deposit for each program.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::create_cluster())]
        pub fn create_cluster(origin: OriginFor<T>) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_create_cluster(owner)
        }

        /// Gives a registered worker, free until now, to a cluster of the caller's.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::assign_worker())]
        pub fn assign_worker(origin: OriginFor<T>, cluster: ClusterId, worker: WorkerId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_assign_worker(&owner, cluster, worker)
        }

        /// Takes a worker out of the caller's cluster. If it led, the next one leads.
        ///
        /// Where no gatekeepers guard keys, programs that the worker keeps stop answering until it is assigned again: their
        /// keys are its own. Their owners can remove them, and every deposit goes back.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::unassign_worker())]
        pub fn unassign_worker(origin: OriginFor<T>, worker: WorkerId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_unassign_worker(&owner, worker)
        }

        /// Deploys a program, owned by the caller; holds [`Config::ProgramDeposit`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::deploy(manifest.outbound_hosts.len() as u32))]
        pub fn deploy(
            origin: OriginFor<T>,
            cluster: ClusterId,
            name: Name,
            code: CodeHash,
            code_bytes: u32,
            manifest: Manifest,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_deploy(owner, cluster, name, code, code_bytes, manifest)
        }

        /// Removes a program of the caller's and returns its deposit. Commands that were not answered are
        /// abandoned: their deposits return to their callers as blocks have room, at the latest when the chain
        /// has nothing better to do.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::remove().saturating_add(T::Payments::weight_of_removed()))]
        pub fn remove(origin: OriginFor<T>, program: ProgramId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_remove(&owner, program)
        }

        /// Orders a sealed command; holds a deposit by its size until it is answered. Its price is paid as [`Payments`] has it;
        /// whoever calls agrees to it, whatever it is.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::command(sealed.len() as u32).saturating_add(T::Payments::weight_of_reserve()))]
        pub fn command(origin: OriginFor<T>, program: ProgramId, sealed: SealedCommand) -> DispatchResult {
            let caller = ensure_signed(origin)?;
            Self::do_command(caller, program, sealed, None)
        }

        /// Orders a sealed command as [`Pallet::command`] does, unless it would cost the caller more than `price_max`: prices, limits
        /// and who pays may change between an estimate and its block.
        #[pallet::call_index(15)]
        #[pallet::weight(T::WeightInfo::command(sealed.len() as u32).saturating_add(T::Payments::weight_of_reserve()))]
        pub fn command_within(
            origin: OriginFor<T>,
            program: ProgramId,
            sealed: SealedCommand,
            price_max: Planck,
        ) -> DispatchResult {
            let caller = ensure_signed(origin)?;
            Self::do_command(caller, program, sealed, Some(price_max))
        }

        /// worker → chain: the program answers. Authorised by the signature of the worker's current instance.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::ready())]
        #[pallet::authorize(|_source, ready| Self::authorize_ready(ready))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_ready())]
        pub fn ready(origin: OriginFor<T>, ready: SignedReady) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_ready(ready)
        }

        /// worker → chain: commands are answered and this is the state now. Authorised by the signature of
        /// the worker's current instance.
        #[pallet::call_index(7)]
        #[pallet::weight(Pallet::<T>::weight_of_anchor(
            anchor.anchor.to.saturating_sub(anchor.anchor.from).min(ANCHOR_COMMANDS_MAX) as u32
        ))]
        #[pallet::authorize(|source, anchor| Self::authorize_anchor(source, anchor))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_anchor())]
        pub fn anchor(origin: OriginFor<T>, anchor: SignedAnchor) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_anchor(anchor)
        }

        /// Gives a program of the caller's other code. The worker carries it out when it has the code; until then the old code
        /// answers. `keep` is the caller's consent: what the new code may have of what the old code had. An upgrade that is
        /// not carried out yet is replaced.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::upgrade())]
        pub fn upgrade(
            origin: OriginFor<T>,
            program: ProgramId,
            code: CodeHash,
            code_bytes: u32,
            manifest: Option<Manifest>,
            keep: Keep,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_upgrade(&owner, program, code, code_bytes, manifest, keep)
        }

        /// worker → chain: the program's state lies under its new key. Authorised by the signature of the worker's
        /// current instance.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::moved())]
        #[pallet::authorize(|_source, moved| Self::authorize_moved(moved))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_moved())]
        pub fn moved(origin: OriginFor<T>, moved: SignedMoved) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_moved(moved)
        }

        /// worker → chain: a worker of a cluster doubts its lead, shows itself as the lead, or takes the lead. Authorised by
        /// the signature of the worker's current instance.
        #[pallet::call_index(14)]
        #[pallet::weight(T::WeightInfo::lead())]
        #[pallet::authorize(|_source, lead| Self::authorize_lead(lead))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_lead())]
        pub fn lead(origin: OriginFor<T>, lead: SignedLeadMessage) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_lead(lead)
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_idle(_now: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::release_abandoned(room)
        }

        fn integrity_test() {
            use phala_messages::limits::CLUSTER_WORKERS_MAX;
            assert!(
                (1..=CLUSTER_WORKERS_MAX).contains(&T::WorkersPerCluster::get()),
                "a cluster has at least one worker and no more than its record holds"
            );
            assert!(T::LeadPatience::get() > 0, "a doubted lead has time to show itself");
            let largest = T::BlockWeights::get().get(DispatchClass::Normal).max_extrinsic.unwrap_or(Weight::MAX);
            let anchor =
                Self::weight_of_anchor(ANCHOR_COMMANDS_MAX as u32).saturating_add(T::WeightInfo::authorize_anchor());
            assert!(anchor.all_lte(largest), "the longest anchor fits a block");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}
