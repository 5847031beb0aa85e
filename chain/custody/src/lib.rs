//! Know gatekeepers, rounds, epochs, roots and key deliveries.
//!
//! # Overview
//! A *gatekeeper* is a TEE machine run by a validator. Together gatekeepers hold a master key that none of them ever
//! sees: each holds one key share. This pallet decides who they are, and orders the *rounds* in which key shares are made
//! and handed on. It never sees a share: dealers' logs stay off chain, only their hashes are here.
//!
//! # Scenario
//! ```text
//! validator   bond(gatekeeper, consent) ──► candidate ──(approve, by governance)──► eligible
//! chain       at least `members` are eligible, or an epoch is old, or its members are not the wanted ones
//!               │ opens a round, under a number never used before
//!               ▼
//! dealers     commit_log     Dealing ────── all, or the deadline and enough ──┐
//! players     confirm        Confirming ─── all, or the deadline; logs that enough players hold are selected
//! players     report_output  Reporting ──── enough agree ──► the next epoch
//!               │ too few, too late, or disagreement
//!               ▼ abandoned; the old epoch goes on, and after a pause another round follows
//! ```
//!
//! # Terminology
//! - *root*: a master key, numbered by generation. It stays the same from epoch to epoch.
//! - *epoch*: one sharing of a root's key among its members. Shares of two epochs do not fit together.
//! - *eligible*: a candidate that bonded, was approved, does not leave, whose account is a validator's, and whose machine is
//!   admitted as a gatekeeper. The wanted members are those that are and stay eligible, then the longest-waiting others, up
//!   to [`Parameters::members`](phala_messages::custody::Parameters).
//! - *place*: the index of a dealer or player in its round, by the order of participant keys.
//! - *to abandon*: to give a round up. Nothing of it is used, and its number never returns.
//!
//! # Properties
//! - Nobody becomes a member without a bond, an approval, a validator's account and an admitted machine, whatever it proves.
//! - A root's group key never changes.
//! - A round's number is used once, and a message counts in its round and phase only.
//! - While a round runs or fails, the epoch before it serves.
//! - A bond is held from `bond` until the member has held no key share for [`release_blocks`], and returns whole.
//! - A gatekeeper's log of deliveries has no gap.
//! - Revealed shares are worth nothing after the early refresh that they cause; however many logs reveal shares, there are at most
//!   twice as many rounds.
//! - A root with programs is not closed.
//! - A dealer that the chain was shown to cheat keeps no place, unless governance approves it again.
//! - What a block does by itself is bounded, whatever the number of programs or past rounds.
//!
//! [`release_blocks`]: phala_messages::custody::Parameters::release_blocks
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod candidate;
mod complaint;
mod delivery;
mod epoch;
mod message;
mod ports;
mod root;
mod round;
mod seats;
mod watch;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_incidents;
#[cfg(test)]
mod tests_of_rounds;
#[cfg(test)]
mod tests_of_seats;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
pub mod weights;

use frame_support::pallet_prelude::*;

pub use pallet::*;
pub use phala_messages::{custody::ROUNDS_KEPT, refusal::Refusal};
pub use ports::*;
pub use watch::Watch;
pub use weights::WeightInfo;

/// Candidates that there may be: twice as many as members, so that there are always others to take a place.
pub const CANDIDATES_MAX: u32 = 128;
/// Roots that are not closed: one open, and the ones that programs are moving away from.
pub const ROOTS_LIVE_MAX: u32 = 4;
/// Epochs whose records stay beside the current ones.
pub const EPOCHS_KEPT: u32 = 64;
/// Batches of deliveries that stay, of each gatekeeper; the head's hash covers all before.
pub const DELIVERIES_KEPT: u64 = 1_024;
/// Blocks from one fruitless look at all candidates to the next.
pub const LOOK_BLOCKS: u32 = 3;
/// From an epoch in whose making shares were revealed to the round that makes them worthless: half a minute, in which players that
/// were away may be back.
pub const EARLY_REFRESH_BLOCKS: u32 = 15;
/// For so many blocks after its last epoch a gatekeeper brings batches of what it delivered: ten minutes, although its last batch
/// closes within one.
pub const LAST_DELIVERIES_BLOCKS: u32 = 300;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::boxed::Box;
    use frame_support::traits::fungible;
    use frame_system::pallet_prelude::*;
    use phala_messages::{
        Account, Hash, ParticipantKey, ProgramId, Signature, WorkerId,
        custody::{
            Abandonment, CandidateRecord, Complaint, ComplaintRecord, Confirmation, DealerFault, DeliveryBatch,
            DeliveryHead, EpochNumber, EpochRecord, GroupKey, LogCommitment, OutputRecord, OutputReport, Parameters,
            Places, Purpose, RootGeneration, RootRecord, RoundLogs, RoundNumber, RoundRecord, Signed,
        },
        limits::GATEKEEPERS_MAX,
    };
    use phala_units::{BlockNumber, Planck};

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
        /// What is known of machines.
        type Machines: Machines;

        /// What is known of validators.
        type Validators: Validators<Self::AccountId>;

        /// Who is told of proven offences.
        type Offences: Offences;

        /// PHA, in Planck.
        type Currency: fungible::hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>
            + fungible::Inspect<Self::AccountId, Balance = u128>;

        /// Why an account's PHA is held.
        type RuntimeHoldReason: From<HoldReason>;

        /// Who sets parameters and gives up roots.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who approves and expels gatekeepers, and rotates roots: it must not wait, and gives nobody a key.
        type CareOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;
    }

    /// Why PHA is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A gatekeeper's bond.
        #[codec(index = 0)]
        Bond,
    }

    /// [`CustodyParameters`] until they are set.
    #[pallet::type_value]
    pub fn ParametersDefault() -> Parameters {
        Parameters::DEFAULT
    }

    /// Times and amounts.
    #[pallet::storage]
    pub type CustodyParameters<T: Config> = StorageValue<_, Parameters, ValueQuery, ParametersDefault>;

    /// Each candidate, members among them, by its account.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Candidates<T: Config> = StorageMap<_, Blake2_128Concat, Account, CandidateRecord>;

    /// The account behind each gatekeeper.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Gatekeepers<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, Account>;

    /// The gatekeeper behind each participant key.
    // Hasher: Blake2_128Concat, keys are chosen by their makers.
    #[pallet::storage]
    pub type Participants<T: Config> = StorageMap<_, Blake2_128Concat, ParticipantKey, WorkerId>;

    /// All candidates, the one that bonded first first.
    #[pallet::storage]
    pub type CandidateQueue<T: Config> = StorageValue<_, BoundedVec<Account, ConstU32<CANDIDATES_MAX>>, ValueQuery>;

    /// The newest round, running or over; 0 before the first.
    #[pallet::storage]
    pub type NewestRound<T: Config> = StorageValue<_, RoundNumber, ValueQuery>;

    /// The newest [`ROUNDS_KEPT`] rounds.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Rounds<T: Config> = StorageMap<_, Blake2_128Concat, RoundNumber, RoundRecord>;

    /// The logs of each kept round.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Logs<T: Config> = StorageMap<_, Blake2_128Concat, RoundNumber, RoundLogs, ValueQuery>;

    /// The outputs reported in each kept round, by the output's id.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Outputs<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, RoundNumber, Blake2_128Concat, Hash, OutputRecord>;

    /// The complaints in each kept round, by the place of the player that complains.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Complaints<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, RoundNumber, Blake2_128Concat, u32, ComplaintRecord>;

    /// From an authorisation to its call, within one extrinsic: the hash of the complaint, and what it proves.
    #[pallet::storage]
    pub type Judged<T: Config> = StorageValue<_, (Hash, DealerFault)>;

    /// The generation whose key is the newest, or is yet to be made.
    #[pallet::storage]
    pub type RootWanted<T: Config> = StorageValue<_, RootGeneration, ValueQuery>;

    /// The root that takes new programs.
    #[pallet::storage]
    pub type OpenRoot<T: Config> = StorageValue<_, RootGeneration>;

    /// Roots that are not closed, oldest first.
    #[pallet::storage]
    pub type LiveRoots<T: Config> = StorageValue<_, BoundedVec<RootGeneration, ConstU32<ROOTS_LIVE_MAX>>, ValueQuery>;

    /// Each root whose key was made.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Roots<T: Config> = StorageMap<_, Blake2_128Concat, RootGeneration, RootRecord>;

    /// Epochs ever made; the number of the next one.
    #[pallet::storage]
    pub type NextEpoch<T: Config> = StorageValue<_, EpochNumber, ValueQuery>;

    /// Current epochs, and the newest [`EPOCHS_KEPT`].
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Epochs<T: Config> = StorageMap<_, Blake2_128Concat, EpochNumber, EpochRecord>;

    /// The root that each program's keys come from.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type ProgramRootOf<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, RootGeneration>;

    /// What is watched between rounds.
    #[pallet::storage]
    pub type Watching<T: Config> = StorageValue<_, Watch, ValueQuery>;

    /// When the newest early refresh of each live root is or was due: there is one in [`Parameters::refresh_blocks`] at most.
    // Hasher: Twox64Concat, the chain numbers roots itself.
    #[pallet::storage]
    pub type EarlyRefreshes<T: Config> = StorageMap<_, Twox64Concat, RootGeneration, BlockNumber>;

    /// Since when each candidate that held a key share holds none.
    // Hasher: Blake2_128Concat, keys are chosen by their makers.
    #[pallet::storage]
    pub type Departures<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, BlockNumber>;

    /// Where each gatekeeper's log of deliveries stands.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type DeliveryHeads<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, DeliveryHead, ValueQuery>;

    /// The newest [`DELIVERIES_KEPT`] batches of each gatekeeper.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Deliveries<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, WorkerId, Blake2_128Concat, u64, DeliveryBatch>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A validator bonded for its gatekeeper.
        Bonded {
            /// Who.
            account: T::AccountId,
            /// For which machine.
            gatekeeper: WorkerId,
            /// What is held.
            bond: Planck,
        },
        /// A candidate was approved.
        Approved {
            /// Whose.
            account: T::AccountId,
            /// Which machine.
            gatekeeper: WorkerId,
        },
        /// A candidate wants to leave; as a member it stays one until its key share is handed on.
        Leaving {
            /// Whose.
            account: T::AccountId,
            /// Which machine.
            gatekeeper: WorkerId,
        },
        /// A candidate was expelled.
        Expelled {
            /// Whose.
            account: T::AccountId,
            /// Which machine.
            gatekeeper: WorkerId,
        },
        /// A bond was released.
        BondReleased {
            /// To whom.
            account: T::AccountId,
            /// Which machine it was for.
            gatekeeper: WorkerId,
            /// How much.
            bond: Planck,
        },
        /// Other times and amounts hold.
        ParametersSet {
            /// All of them.
            parameters: Parameters,
        },
        /// A round was opened.
        RoundOpened {
            /// Which.
            round: RoundNumber,
            /// What for.
            purpose: Purpose,
            /// Which master key.
            root: RootGeneration,
            /// How many deal.
            dealers: u32,
            /// How many are to hold key shares.
            players: u32,
        },
        /// A dealer committed to its log.
        LogCommitted {
            /// In which round.
            round: RoundNumber,
            /// Who.
            dealer: WorkerId,
            /// Hash of the log.
            hash: Hash,
        },
        /// An incident: shares stand open in a dealer's log, of players that did not acknowledge them.
        SharesRevealed {
            /// In which round.
            round: RoundNumber,
            /// In whose log.
            dealer: WorkerId,
            /// How many.
            revealed: u32,
        },
        /// Shares stand open in logs that an epoch was made of. It is refreshed early.
        RefreshHastened {
            /// Which epoch.
            epoch: EpochNumber,
            /// When it is due.
            at: BlockNumber,
        },
        /// Dealing is over; players confirm.
        ConfirmingStarted {
            /// Of which round.
            round: RoundNumber,
        },
        /// A player said which logs it holds.
        LogsConfirmed {
            /// In which round.
            round: RoundNumber,
            /// Who.
            player: WorkerId,
            /// Places of the dealers.
            logs: Places,
        },
        /// The logs that count are known; players report.
        LogsSelected {
            /// Of which round.
            round: RoundNumber,
            /// Places of the dealers.
            selected: Places,
        },
        /// A player reported an output.
        OutputReported {
            /// In which round.
            round: RoundNumber,
            /// Who.
            player: WorkerId,
            /// Hash of the output.
            output_hash: Hash,
        },
        /// A dealer was proven to cheat. It needs a new approval to be a member again.
        ComplaintProven {
            /// In which round.
            round: RoundNumber,
            /// Of whom.
            dealer: WorkerId,
            /// By whom.
            by: WorkerId,
            /// SHA-256 of the evidence.
            evidence_hash: Hash,
            /// What it did.
            fault: DealerFault,
        },
        /// A round came to nothing.
        RoundAbandoned {
            /// Which.
            round: RoundNumber,
            /// Why.
            reason: Abandonment,
        },
        /// An epoch began.
        EpochStarted {
            /// Which.
            epoch: EpochNumber,
            /// By which round.
            round: RoundNumber,
            /// Of which root.
            root: RootGeneration,
            /// How many hold a key share.
            members: u32,
            /// How many of them give a key.
            threshold: u32,
        },
        /// A master key was made; it takes new programs from now on.
        RootOpened {
            /// Which.
            root: RootGeneration,
            /// Its public half.
            group_key: GroupKey,
        },
        /// A new master key is wanted.
        RotationWanted {
            /// Which.
            root: RootGeneration,
        },
        /// A root takes no new programs any more.
        RootClosing {
            /// Which.
            root: RootGeneration,
        },
        /// A root was given up.
        RootClosed {
            /// Which.
            root: RootGeneration,
        },
        /// A program's keys come from another root.
        ProgramMoved {
            /// Which program.
            program: ProgramId,
            /// From where. None for a new program.
            from: Option<RootGeneration>,
            /// To where.
            to: RootGeneration,
        },
        /// A gatekeeper logged deliveries.
        DeliveriesLogged {
            /// What it said.
            batch: DeliveryBatch,
            /// Names its whole log up to here.
            head: Hash,
        },
    }

    /// Why a call is not carried out. What an authorisation refuses is told by [`Refusal`] instead.
    #[pallet::error]
    pub enum Error<T> {
        /// Only validators run gatekeepers. Sign with the account of a current validator.
        NotValidator,
        /// The gatekeeper did not agree to this account. Ask it for its consent to exactly this account.
        ConsentInvalid,
        /// The account bonds for a gatekeeper already. Unbond and withdraw first, or use another account.
        CandidateAlready,
        /// Another account bonds for this gatekeeper.
        GatekeeperTaken,
        /// Another gatekeeper deals with this participant key. Start the gatekeeper with a key of its own.
        ParticipantTaken,
        /// There are as many candidates as there may be. Try again when one has left.
        CandidatesFull,
        /// The account bonds for no gatekeeper.
        NotCandidate,
        /// The candidate is approved already.
        ApprovedAlready,
        /// The candidate is leaving, or was expelled.
        LeavingAlready,
        /// The candidate does not leave. Unbond first.
        NotLeaving,
        /// The gatekeeper still holds a key share. Wait for the round that hands it on.
        StillMember,
        /// The bond is released some time after the gatekeeper has left. Try again then.
        BondLocked,
        /// Parameters want 2 to 64 members, at least the fewest, and time for every phase.
        ParametersUnfit,
        /// The key of the newest root is not made yet. Wait for it.
        RotationPending,
        /// There are as many roots as there may be. Close one first.
        RootsFull,
        /// No root of this generation, or its key is not made yet.
        RootUnknown,
        /// Only a root that takes no programs any more can be closed. Rotate first.
        RootNotClosing,
        /// Programs' keys still come from this root. Move them first.
        RootInUse,
        /// The root takes no programs. Use the open one.
        RootNotOpen,
        /// The call was not judged before it was made.
        NotJudged,
        /// A gatekeeper's message broke the rule with this code; see `phala_messages::Refusal`.
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
        /// Times and amounts; [`Parameters::DEFAULT`] when absent.
        pub parameters: Option<Parameters>,
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
                assert!(parameters.are_sane(), "the genesis has custody parameters that no network can live with");
                CustodyParameters::<T>::put(parameters);
            }
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Bonds for a gatekeeper, as a validator; holds [`Parameters::bond`]. `consent` is the signature of the gatekeeper's
        /// identity over its candidacy.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::bond())]
        pub fn bond(
            origin: OriginFor<T>,
            gatekeeper: WorkerId,
            participant: ParticipantKey,
            consent: Signature,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_bond(account, gatekeeper, participant, consent)
        }

        /// Leaves. A member stays one until a round has handed its key share on.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::unbond())]
        pub fn unbond(origin: OriginFor<T>) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_unbond(account)
        }

        /// Takes the bond back, some time after the gatekeeper has left.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::withdraw_bond())]
        pub fn withdraw_bond(origin: OriginFor<T>) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_withdraw_bond(account)
        }

        /// Approves a candidate.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::approve())]
        pub fn approve(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            T::CareOrigin::ensure_origin(origin)?;
            Self::do_approve(account)
        }

        /// Expels a candidate: it deals no more where others can, and the next round leaves it out.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::unbond())]
        pub fn expel(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            T::CareOrigin::ensure_origin(origin)?;
            Self::do_expel(account)
        }

        /// Sets times and amounts. Bonds that are held stay as they are.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::set_parameters())]
        pub fn set_parameters(origin: OriginFor<T>, parameters: Parameters) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_set_parameters(parameters)
        }

        /// Wants a new master key. Once it is made it takes all new programs, and the old one none.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::rotate_root())]
        pub fn rotate_root(origin: OriginFor<T>) -> DispatchResult {
            T::CareOrigin::ensure_origin(origin)?;
            Self::do_rotate_root()
        }

        /// Gives up a master key that no program uses any more.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::close_root())]
        pub fn close_root(origin: OriginFor<T>, root: RootGeneration) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_close_root(root)
        }

        /// dealer → chain: the hash of its log. Authorised by the signature of the gatekeeper's current instance, as all
        /// that follow.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::commit_log())]
        #[pallet::authorize(|_source, commitment| Self::authorize_log(commitment))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn commit_log(origin: OriginFor<T>, commitment: Signed<LogCommitment>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_commit_log(commitment.message)
        }

        /// player → chain: which logs it holds.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::confirm())]
        #[pallet::authorize(|_source, confirmation| Self::authorize_confirmation(confirmation))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn confirm(origin: OriginFor<T>, confirmation: Signed<Confirmation>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_confirm(confirmation.message)
        }

        /// player → chain: what it computed from the selected logs.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::report_output())]
        #[pallet::authorize(|_source, report| Self::authorize_report(report))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn report_output(origin: OriginFor<T>, report: Box<Signed<OutputReport>>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_report_output(report.message)
        }

        /// player → chain: a dealer cheats. Its approval is withdrawn.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::complain())]
        #[pallet::authorize(|source, complaint| Self::authorize_complaint(source, complaint))]
        #[pallet::weight_of_authorize(
            T::WeightInfo::authorize_message().saturating_add(T::WeightInfo::judge_evidence())
        )]
        pub fn complain(origin: OriginFor<T>, complaint: Box<Signed<Complaint>>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_complain(complaint.message)
        }

        /// gatekeeper → chain: the next batch of its log of deliveries.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::log_deliveries())]
        #[pallet::authorize(|_source, batch| Self::authorize_deliveries(batch))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_message())]
        pub fn log_deliveries(origin: OriginFor<T>, batch: Signed<DeliveryBatch>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_log_deliveries(batch.message)
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            Self::advance().saturating_add(T::DbWeight::get().writes(1))
        }

        fn on_finalize(_now: BlockNumberFor<T>) {
            Judged::<T>::kill();
        }

        fn integrity_test() {
            use phala_messages::custody::threshold;
            const { assert!(CANDIDATES_MAX >= GATEKEEPERS_MAX, "there may be as many candidates as members") };
            const { assert!(GATEKEEPERS_MAX <= u64::BITS, "places are bits") };
            const { assert!(threshold(GATEKEEPERS_MAX) <= GATEKEEPERS_MAX, "a threshold can be reached") };
            let largest = T::BlockWeights::get().get(DispatchClass::Normal).max_extrinsic.unwrap_or(Weight::MAX);
            let message = T::WeightInfo::authorize_message();
            for weight in [
                T::WeightInfo::commit_log().saturating_add(message),
                T::WeightInfo::confirm().saturating_add(message),
                T::WeightInfo::report_output().saturating_add(message),
                T::WeightInfo::complain().saturating_add(message).saturating_add(T::WeightInfo::judge_evidence()),
                T::WeightInfo::close_root(),
                T::WeightInfo::look(CANDIDATES_MAX).saturating_add(T::WeightInfo::open_round()),
            ] {
                assert!(weight.all_lte(largest), "every call, and opening a round, fits a block");
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
