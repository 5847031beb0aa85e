//! Know workers, gatekeepers, measurements, TCB policy and collateral.
//!
//! # Overview
//! A machine becomes a worker, or a gatekeeper, by proving what it is: it registers with a quote of its TEE, and the chain
//! itself judges that quote, against collateral that anyone may mirror here and that is verified when it is
//! stored. Admission is short and is renewed; what stops proving itself stops counting.
//!
//! # Scenario
//! ```text
//! administrator   allow_measurement, set_policy, set_root
//! anyone          store_collateral (CRLs, TCB info, QE identity) ──► verified once, kept parsed
//! worker          register(registration, block, quote, signature)
//!                   │ authorise: identity signature · block recent and of this chain
//!                   │            quote → collateral → root · report data · TCB policy · measurement
//!                   ▼
//!                 WorkerRecord, admitted until `expires_at`; renewed by registering again
//! ```
//!
//! # Terminology
//! - *instance*: one process of a worker; a key made fresh at each start. Registering with another instance
//!   replaces the old one: of two clones only the one that registered last is believed.
//! - *worker*: in the names of this pallet, a registered machine of either role.
//! - *role*: worker or gatekeeper. Each has its own list of measurements, its own policy and its own length of an
//!   admission; a machine keeps its role for as long as its record stands.
//! - *renewal*: registering again with the same instance and new evidence.
//! - *admitted*: registered, not expired, and with a measurement that is still on its role's list.
//!
//! # Evidence is verified once
//! Verifying evidence is the dearest thing a block does, and these messages pay no fee, so a bad one must not
//! enter a block: all of it is judged by the call's `authorize`. In a block, FRAME runs `authorize` and then
//! the call, within one extrinsic; the verdict is handed over in [`Judged`](pallet::Judged), together with
//! the hash of what was judged, and taken by the call. So the call trusts its `Authorized` origin and that
//! verdict, repeats the cheap rules, and verifies no signature a second time. The pool's validation leaves
//! no trace: it writes nothing, and its state is thrown away.
//!
//! # Properties
//! - No record exists without evidence that every rule accepted at `admitted_at`.
//! - Evidence registers a worker once: each registration must be over a later block than the one before.
//! - An instance key belongs to one worker.
//! - A network that refuses the development root admits nobody under it, whatever its storage says.
//! - Collateral never goes back: only a newer piece replaces an older one, and a new root forgets all of it.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod collateral;
mod expiry;
#[cfg(any(test, feature = "runtime-benchmarks"))]
mod fixture;
mod measurements;
mod policy;
mod register;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_evidence;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
pub mod weights;

use frame_support::pallet_prelude::*;
use phala_evidence::{Policy, StoredCollateral};

pub use expiry::{RECORD_KEPT_MS, SWEEP_BLOCKS, SWEEP_RECORDS_MAX};
pub use pallet::*;
pub use phala_messages::refusal::Refusal;
pub use policy::GenesisRoot;
pub use register::Judgement;
pub use weights::WeightInfo;

/// How long a worker's admission lasts unless genesis says otherwise: one hour.
pub const WORKER_ADMISSION_MS_DEFAULT: u64 = 3_600_000;

/// How long a gatekeeper's admission lasts unless genesis says otherwise: 15 minutes. It holds others' keys, so its
/// evidence is fresher.
pub const GATEKEEPER_ADMISSION_MS_DEFAULT: u64 = 900_000;

/// Pieces of collateral that the chain keeps: far more than there are families of platforms.
pub const COLLATERAL_PIECES_MAX: u32 = 512;

/// What an authorisation found, for the call that follows it in the same extrinsic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Verdict {
    /// Evidence was accepted.
    Evidence(Judgement),
    /// Collateral was accepted; in its parsed form.
    Collateral(StoredCollateral),
}

/// What benchmarks must be able to arrange.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper {
    /// Sets the block's time, Unix milliseconds.
    fn set_time(now: u64);
}

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::{boxed::Box, vec::Vec};
    use frame_support::traits::Time;
    use frame_system::pallet_prelude::*;
    use phala_evidence::{CollateralKey, TrustedRoot};
    use phala_messages::{
        Attested, Hash, InstanceKey, Role, Root, WorkerId, WorkerRecord,
        collateral::{Collateral as CollateralPiece, CollateralBytes},
        registration::Submission,
    };
    use phala_units::{BlockNumber, UnixMillis};

    /// The layout of this pallet's storage.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The block's time, Unix milliseconds.
        type Time: Time<Moment = u64>;

        /// Who lists measurements and sets policy and root.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who unlists measurements. Taking trust away is urgent, and can be undone; giving it can not.
        type GuardOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Whether simulated TEEs may register. False on every network that counts.
        #[pallet::constant]
        type AllowDevelopmentRoot: Get<bool>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;

        /// What benchmarks must be able to arrange.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper;
    }

    /// Each worker that ever registered and was not swept since.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Workers<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, WorkerRecord>;

    /// The worker behind each current instance.
    // Hasher: Blake2_128Concat, keys are chosen by their makers.
    #[pallet::storage]
    pub type Instances<T: Config> = StorageMap<_, Blake2_128Concat, InstanceKey, WorkerId>;

    /// The block that each worker's newest evidence was made over.
    // Hasher: Blake2_128Concat, keys are chosen by their makers.
    #[pallet::storage]
    pub type EvidenceBlocks<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, BlockNumber>;

    /// Registrations in the block being built.
    #[pallet::storage]
    pub type RegistrationsInBlock<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// From an authorisation to its call, within one extrinsic: the hash of what was judged, and the verdict.
    #[pallet::storage]
    #[pallet::unbounded]
    pub type Judged<T: Config> = StorageValue<_, (Hash, Verdict)>;

    /// Collateral, verified and parsed.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    #[pallet::unbounded]
    pub type Collateral<T: Config> = CountedStorageMap<_, Blake2_128Concat, CollateralKey, StoredCollateral>;

    /// Measurements of code that may register in a role.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Measurements<T: Config> = StorageDoubleMap<_, Blake2_128Concat, Role, Blake2_128Concat, Hash, ()>;

    /// The certificate that evidence must chain up to.
    #[pallet::storage]
    #[pallet::unbounded]
    pub type EvidenceRoot<T: Config> = StorageValue<_, TrustedRoot>;

    /// Which machines are current enough for a role, where it was set; see [`Pallet::policy`].
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type EvidencePolicies<T: Config> = StorageMap<_, Blake2_128Concat, Role, Policy>;

    /// How long an admission lasts in a role, milliseconds, where genesis says so; see [`Pallet::admission_ms`].
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type AdmissionMs<T: Config> = StorageMap<_, Blake2_128Concat, Role, u64>;

    /// The worker that the sweep of expired records looked at last.
    #[pallet::storage]
    pub type SweptUpTo<T: Config> = StorageValue<_, WorkerId>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A new worker was admitted.
        WorkerRegistered {
            /// Which.
            worker: WorkerId,
            /// Its process.
            instance: InstanceKey,
            /// What its evidence said.
            attested: Attested,
            /// Until when it counts.
            expires_at: UnixMillis,
        },
        /// A worker renewed its admission.
        WorkerRenewed {
            /// Which.
            worker: WorkerId,
            /// Until when it counts.
            expires_at: UnixMillis,
        },
        /// A worker was admitted with a new process; the old one counts no more.
        InstanceReplaced {
            /// Which.
            worker: WorkerId,
            /// The process that counts no more.
            old: InstanceKey,
            /// The process that counts.
            new: InstanceKey,
            /// What its evidence said.
            attested: Attested,
            /// Until when it counts.
            expires_at: UnixMillis,
        },
        /// The record of a worker that expired long ago was forgotten.
        WorkerForgotten {
            /// Which.
            worker: WorkerId,
        },
        /// A piece of collateral was stored.
        CollateralStored {
            /// Which.
            key: CollateralKey,
            /// When its issuer will have replaced it.
            next_update: UnixMillis,
        },
        /// Code with this measurement may register from now on.
        MeasurementAllowed {
            /// In which role.
            role: Role,
            /// Which.
            measurement: Hash,
        },
        /// Code with this measurement counts no more.
        MeasurementDisallowed {
            /// In which role.
            role: Role,
            /// Which.
            measurement: Hash,
        },
        /// Another policy judges evidence.
        PolicySet {
            /// Of machines in which role.
            role: Role,
        },
        /// Evidence must chain up to another root. All collateral was forgotten with the old one.
        RootSet {
            /// Whose.
            root: Root,
        },
    }

    /// Why a call is not carried out. What an authorisation refuses is told by [`Refusal`] instead.
    #[pallet::error]
    pub enum Error<T> {
        /// The measurement is on the list already.
        MeasurementListed,
        /// The measurement is not on the list.
        MeasurementNotListed,
        /// This network refuses the development root: it holds no secret.
        DevelopmentRoot,
        /// Only Intel's own root certificate may be called Intel's.
        RootMislabelled,
        /// The call was not judged before it was made.
        NotJudged,
        /// A worker's message broke the rule with this code; see `phala_messages::Refusal`.
        Refused(u8),
    }

    impl<T: Config> From<Refusal> for Error<T> {
        fn from(refusal: Refusal) -> Self {
            Self::Refused(refusal.code())
        }
    }

    /// What a network starts with.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The certificate that evidence must chain up to. Without one nobody can register.
        pub root: Option<GenesisRoot>,
        /// Measurements of code that may register, each with its role.
        pub measurements: Vec<(Role, Hash)>,
        /// Which machines are current enough for a role; see [`Pallet::policy`] for the others.
        pub policies: Vec<(Role, Policy)>,
        /// How long an admission lasts in a role, milliseconds; see [`Pallet::admission_ms`] for the others.
        pub admission_ms: Vec<(Role, u64)>,
        /// Ties the genesis to its runtime.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        /// # Panics
        /// When the root is one that this network refuses: such a network must not come to be.
        fn build(&self) {
            if let Some(root) = &self.root {
                let root = root.clone().into();
                assert!(Pallet::<T>::check_root(&root).is_ok(), "this network refuses the root of its genesis");
                EvidenceRoot::<T>::put(root);
            }
            for (role, measurement) in &self.measurements {
                Measurements::<T>::insert(role, measurement, ());
            }
            for (role, policy) in &self.policies {
                EvidencePolicies::<T>::insert(role, policy);
            }
            for (role, ms) in &self.admission_ms {
                AdmissionMs::<T>::insert(role, ms);
            }
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// worker → chain: registers a worker, renews it, or replaces its instance. Authorised by its identity's
        /// signature and its evidence.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register())]
        #[pallet::authorize(|source, submission| Self::authorize_register(source, submission))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_register())]
        pub fn register(origin: OriginFor<T>, submission: Box<Submission>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_register(*submission)
        }

        /// anyone → chain: a newer piece of collateral. Authorised by its issuer's signature.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::store_collateral())]
        #[pallet::authorize(|source, collateral| Self::authorize_collateral(source, collateral))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_store_collateral())]
        pub fn store_collateral(origin: OriginFor<T>, collateral: Box<CollateralPiece>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_store_collateral(&collateral)
        }

        /// Lists a measurement: code with it may register in this role, and in no other.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::allow_measurement())]
        pub fn allow_measurement(origin: OriginFor<T>, role: Role, measurement: Hash) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_allow_measurement(role, measurement)
        }

        /// Unlists a measurement. Machines of this role that run it are no longer admitted, at once.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::disallow_measurement())]
        pub fn disallow_measurement(origin: OriginFor<T>, role: Role, measurement: Hash) -> DispatchResult {
            T::GuardOrigin::ensure_origin(origin)?;
            Self::do_disallow_measurement(role, measurement)
        }

        /// Sets which machines are current enough for a role. Holds for registrations and renewals from now on.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::set_policy())]
        pub fn set_policy(origin: OriginFor<T>, role: Role, policy: Policy) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            EvidencePolicies::<T>::insert(role, policy);
            Self::deposit_event(Event::PolicySet { role });
            Ok(())
        }

        /// Sets the certificate (DER) that evidence must chain up to, and forgets all collateral: the old root
        /// vouched for it.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::set_root(COLLATERAL_PIECES_MAX))]
        pub fn set_root(origin: OriginFor<T>, root: Root, certificate: CollateralBytes) -> DispatchResultWithPostInfo {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_set_root(TrustedRoot { root, certificate: certificate.into_inner() })
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            T::DbWeight::get().reads_writes(0, 2)
        }

        fn on_finalize(_now: BlockNumberFor<T>) {
            RegistrationsInBlock::<T>::kill();
            Judged::<T>::kill();
        }

        fn on_idle(now: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::sweep(now, room)
        }

        fn integrity_test() {
            use phala_messages::limits::REGISTRATION_BLOCK_AGE_MAX;
            assert!(
                T::BlockHashCount::get() >= REGISTRATION_BLOCK_AGE_MAX.into(),
                "the chain remembers every block that a registration may name"
            );
            let largest = T::BlockWeights::get().get(DispatchClass::Normal).max_extrinsic.unwrap_or(Weight::MAX);
            for weight in [
                T::WeightInfo::register().saturating_add(T::WeightInfo::authorize_register()),
                T::WeightInfo::store_collateral().saturating_add(T::WeightInfo::authorize_store_collateral()),
                T::WeightInfo::set_root(COLLATERAL_PIECES_MAX),
            ] {
                assert!(weight.all_lte(largest), "every call fits a block");
            }
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}
