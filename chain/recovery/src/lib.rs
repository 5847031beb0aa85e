//! Know custodians, backups of key shares, and ceremonies that bring lost seats back.
//!
//! # Overview
//! Gatekeepers hold a master key in key shares, and a third of them may fail. *Custodians* are for the day on which more do. In
//! each epoch every gatekeeper stores its own key share here in pieces, each sealed to one custodian. When a root is lost, a
//! *ceremony* brings single key shares back into fresh machines. The master key is put together by nobody, and no piece is
//! ever seen here unsealed.
//!
//! # Scenario
//! ```text
//! governance   appoint(threshold, custodians)
//! gatekeeper   store_backup · store_output       each epoch, replacing the last one's
//!                │ more are lost than may fail: fewer admitted than give a key, or nothing handed on for too long
//!                ▼
//! announce (governance) or call_for (as many custodians as a key share takes pieces)
//!                │ the delay: `object` by as many members as give a key, or `cancel` by governance, ends it
//!                ▼
//! governance   bind(seat, machine)
//! custodian    hands its piece of the seat to the machine, off chain
//! machine      take_seat ── with enough: the machines hold the seats, the root serves again, and a rotation is asked for
//! ```
//!
//! # Terminology
//! - *seat*: a place among an epoch's members: a key share, and the key it deals with.
//! - *lost*: a root whose epoch has fewer admitted members than give a key, or that is older than
//!   [`silence_blocks`](RecoveryParameters::silence_blocks).
//! - *ceremony*: one attempt at recovering a root's current epoch. Its number never returns.
//!
//! # Properties
//! - A ceremony is announced for a lost root only, and no seat is bound or taken before its delay has passed.
//! - As many members as give a key end it by saying so; so does the next epoch, whoever made it.
//! - A machine takes one seat; only one that custody would have as a member, and is none.
//! - Seats change hands together, when there are enough.
//! - A recovered root is marked for ever, and its rotation is asked for in the same block.
//! - What is kept is bounded: one backup of each seat, one output of each live root.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod backup;
mod ceremony;
mod custodians;
mod message;
mod ports;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
pub mod weights;

use frame_support::pallet_prelude::*;
use phala_messages::recovery::RecoveryParameters;

pub use ceremony::CallRecord;
pub use pallet::*;
pub use phala_messages::refusal::Refusal;
pub use ports::*;
pub use weights::WeightInfo;

/// Roots that are not closed, at most; custody keeps fewer.
pub const ROOTS_MAX: u32 = 8;
/// Sets of custodians that are kept: backups may have been made for an older one.
pub const SETS_KEPT: u32 = 16;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::boxed::Box;
    use frame_system::pallet_prelude::*;
    use phala_messages::{
        WorkerId,
        custody::{EpochNumber, RootGeneration, Signed},
        limits::CUSTODIANS_MAX,
        recovery::{
            CeremonyNumber, CeremonyRecord, Custodian, CustodianCall, CustodianSet, Ending, EpochOutput, Ground,
            Objection, OutcomeRecord, SeatBackup, SeatTaken, SetNumber,
        },
    };
    use phala_units::BlockNumber;

    /// The layout of this pallet's storage.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Who holds key shares.
        type Custody: Custody;

        /// Who appoints custodians and sets delays.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who announces, cancels and binds.
        type CareOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;
    }

    /// [`RecoveryTimes`] until they are set.
    #[pallet::type_value]
    pub fn TimesDefault() -> RecoveryParameters {
        RecoveryParameters::DEFAULT
    }

    /// Delays.
    #[pallet::storage]
    pub type RecoveryTimes<T: Config> = StorageValue<_, RecoveryParameters, ValueQuery, TimesDefault>;

    /// The custodians for whom backups are made.
    #[pallet::storage]
    pub type Custodians<T: Config> = StorageValue<_, CustodianSet>;

    /// The newest [`SETS_KEPT`] sets of custodians.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type CustodianSets<T: Config> = StorageMap<_, Blake2_128Concat, SetNumber, CustodianSet>;

    /// The newest backup of each seat.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Backups<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, RootGeneration, Blake2_128Concat, u32, SeatBackup>;

    /// The epoch whose output is kept for a root.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type OutputEpochs<T: Config> = StorageMap<_, Blake2_128Concat, RootGeneration, EpochNumber>;

    /// What that epoch came to.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type EpochOutputs<T: Config> = StorageMap<_, Blake2_128Concat, RootGeneration, EpochOutput>;

    /// Roots for which something is kept.
    #[pallet::storage]
    pub type BackedRoots<T: Config> = StorageValue<_, BoundedVec<RootGeneration, ConstU32<ROOTS_MAX>>, ValueQuery>;

    /// Custodians that called for a ceremony of a root.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Calls<T: Config> = StorageMap<_, Blake2_128Concat, RootGeneration, CallRecord>;

    /// Ceremonies ever announced; the number of the next one.
    #[pallet::storage]
    pub type NextCeremony<T: Config> = StorageValue<_, CeremonyNumber, ValueQuery>;

    /// Roots with a ceremony.
    #[pallet::storage]
    pub type ActiveCeremonies<T: Config> = StorageValue<_, BoundedVec<RootGeneration, ConstU32<ROOTS_MAX>>, ValueQuery>;

    /// The ceremony that stands for a root.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Ceremonies<T: Config> = StorageMap<_, Blake2_128Concat, RootGeneration, CeremonyRecord>;

    /// How a root's newest ceremony ended, and whether the root was ever recovered.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Outcomes<T: Config> = StorageMap<_, Blake2_128Concat, RootGeneration, OutcomeRecord>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Others keep pieces from now on.
        CustodiansAppointed {
            /// Which set.
            set: SetNumber,
            /// How many.
            custodians: u32,
            /// How many pieces give a key share.
            threshold: u32,
        },
        /// Other delays hold.
        ParametersSet {
            /// All of them.
            parameters: RecoveryParameters,
        },
        /// A seat was backed up.
        BackupStored {
            /// Of which root.
            root: RootGeneration,
            /// In which epoch.
            epoch: EpochNumber,
            /// Which seat.
            place: u32,
            /// For which custodians.
            set: SetNumber,
            /// By whom.
            gatekeeper: WorkerId,
        },
        /// What an epoch came to is kept.
        OutputStored {
            /// Of which root.
            root: RootGeneration,
            /// Of which epoch.
            epoch: EpochNumber,
        },
        /// A custodian called for a ceremony.
        CalledFor {
            /// For which root.
            root: RootGeneration,
            /// Its place in the set.
            custodian: u32,
        },
        /// An incident: a root is lost, and after the delay its seats may be taken by other machines.
        Announced {
            /// Which root.
            root: RootGeneration,
            /// Which ceremony.
            ceremony: CeremonyNumber,
            /// The epoch whose seats are lost.
            epoch: EpochNumber,
            /// Why it counts as lost.
            ground: Ground,
            /// Block from which on pieces may be handed over.
            opens: BlockNumber,
        },
        /// A member said that it is there.
        Objected {
            /// Of which root.
            root: RootGeneration,
            /// To which ceremony.
            ceremony: CeremonyNumber,
            /// Who.
            gatekeeper: WorkerId,
        },
        /// A machine may take a seat.
        SeatBound {
            /// Of which root.
            root: RootGeneration,
            /// In which ceremony.
            ceremony: CeremonyNumber,
            /// Which seat.
            place: u32,
            /// Which machine.
            gatekeeper: WorkerId,
        },
        /// A machine holds the key share of a seat.
        SeatTaken {
            /// Of which root.
            root: RootGeneration,
            /// In which ceremony.
            ceremony: CeremonyNumber,
            /// Which seat.
            place: u32,
            /// Which machine.
            gatekeeper: WorkerId,
        },
        /// A ceremony is over.
        Ended {
            /// Of which root.
            root: RootGeneration,
            /// Which.
            ceremony: CeremonyNumber,
            /// How.
            ending: Ending,
        },
        /// A root was recovered: its programs must move to a new one.
        RotationDue {
            /// Which root.
            root: RootGeneration,
            /// Whether a new root could be asked for now. If not, governance must, as soon as it can be.
            asked: bool,
        },
    }

    /// Why a call is not carried out. What an authorisation refuses is told by [`Refusal`] instead.
    #[pallet::error]
    pub enum Error<T> {
        /// A threshold is a majority of at least two; every custodian has keys of its own, and nobody is named twice.
        CustodiansUnfit,
        /// Delays are at least one block.
        ParametersUnfit,
        /// A ceremony stands. Wait for its end, or cancel it.
        CeremonyRunning,
        /// No ceremony stands for this root.
        CeremonyUnknown,
        /// No root of this generation, or it is closed.
        RootUnknown,
        /// Enough of the root's members are admitted, and handed its key on lately.
        NotLost,
        /// The chain has no backup of the root's current epoch: there is nothing to recover from.
        NotBackedUp,
        /// The ceremony's delay has not passed.
        TooEarly,
        /// The epoch has no such seat.
        SeatUnknown,
        /// The seat's member said that it is there. Leave the seat to it.
        SeatAlive,
        /// A machine has taken the seat.
        SeatTaken,
        /// The machine may take no seat: it must be bonded for, approved and admitted, and hold none of this root.
        MachineUnfit,
        /// The machine is bound to another seat.
        MachineBound,
        /// A message broke the rule with this code; see `phala_messages::Refusal`.
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
        /// Delays; [`RecoveryParameters::DEFAULT`] when absent.
        pub parameters: Option<RecoveryParameters>,
        /// Ties the genesis to its runtime.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        /// # Panics
        /// When no network can live with the parameters: such a network must not come to be.
        fn build(&self) {
            if let Some(parameters) = &self.parameters {
                assert!(parameters.are_sane(), "the genesis has recovery parameters that no network can live with");
                RecoveryTimes::<T>::put(parameters);
            }
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Appoints custodians. Gatekeepers then make backups for them; until then those of the last set count.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::appoint())]
        pub fn appoint(
            origin: OriginFor<T>,
            threshold: u32,
            custodians: BoundedVec<Custodian, ConstU32<CUSTODIANS_MAX>>,
        ) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_appoint(threshold, custodians)
        }

        /// Sets delays. A ceremony that stands keeps its own.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::set_parameters())]
        pub fn set_parameters(origin: OriginFor<T>, parameters: RecoveryParameters) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_set_parameters(parameters)
        }

        /// Announces a ceremony for a lost root.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::announce())]
        pub fn announce(origin: OriginFor<T>, root: RootGeneration) -> DispatchResult {
            T::CareOrigin::ensure_origin(origin)?;
            Self::do_announce(root)
        }

        /// Gives a ceremony up.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::cancel())]
        pub fn cancel(origin: OriginFor<T>, root: RootGeneration) -> DispatchResult {
            T::CareOrigin::ensure_origin(origin)?;
            Self::do_cancel(root)
        }

        /// Says which machine is to take a seat. It must be one that custody would have as a member.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::bind())]
        pub fn bind(origin: OriginFor<T>, root: RootGeneration, place: u32, gatekeeper: WorkerId) -> DispatchResult {
            T::CareOrigin::ensure_origin(origin)?;
            Self::do_bind(root, place, gatekeeper)
        }

        /// gatekeeper → chain: its key share in pieces. Authorised by the signature of its current instance.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::store_backup())]
        #[pallet::authorize(|_source, backup| Self::authorize_backup(backup))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn store_backup(origin: OriginFor<T>, backup: Box<Signed<SeatBackup>>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_store_backup(backup.message)
        }

        /// anyone → chain: what a root's current epoch came to. Authorised by its hash, which the epoch's members agreed on.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::store_output())]
        #[pallet::authorize(|_source, root, output| Self::authorize_output(*root, output))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn store_output(origin: OriginFor<T>, root: RootGeneration, output: EpochOutput) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_store_output(root, output)
        }

        /// custodian → chain: a root is lost. Authorised by its signature; the last one that is needed announces the ceremony.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::call_for())]
        #[pallet::authorize(|_source, call| Self::authorize_call(call))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_call())]
        pub fn call_for(origin: OriginFor<T>, call: Signed<CustodianCall>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_call_for(call)
        }

        /// member → chain: it is there. Authorised by the signature of its current instance.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::take_seat())]
        #[pallet::authorize(|_source, objection| Self::authorize_objection(objection))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn object(origin: OriginFor<T>, objection: Signed<Objection>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_object(objection.message)
        }

        /// gatekeeper → chain: it holds the key share of the seat that it was bound to. Authorised likewise.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::take_seat())]
        #[pallet::authorize(|_source, taken| Self::authorize_taken(taken))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn take_seat(origin: OriginFor<T>, taken: Signed<SeatTaken>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_take_seat(taken.message)
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            T::WeightInfo::advance(Self::advance())
        }

        fn integrity_test() {
            use phala_messages::limits::GATEKEEPERS_MAX;
            const { assert!(GATEKEEPERS_MAX <= u64::BITS && CUSTODIANS_MAX <= u64::BITS, "places are bits") };
            let largest = T::BlockWeights::get().get(DispatchClass::Normal).max_extrinsic.unwrap_or(Weight::MAX);
            let message = T::WeightInfo::authorize_message();
            for weight in [
                T::WeightInfo::announce(),
                T::WeightInfo::store_backup().saturating_add(message),
                T::WeightInfo::store_output().saturating_add(message),
                T::WeightInfo::call_for().saturating_add(T::WeightInfo::authorize_call()),
                T::WeightInfo::take_seat().saturating_add(message),
                T::WeightInfo::advance(ROOTS_MAX),
            ] {
                assert!(weight.all_lte(largest), "every call fits a block");
            }
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    impl<T: Config> Pallet<T> {
        /// The block being built.
        pub(crate) fn block() -> BlockNumber {
            use sp_runtime::traits::UniqueSaturatedInto;
            BlockNumber(frame_system::Pallet::<T>::block_number().unique_saturated_into())
        }
    }
}
