//! Run sessions: bind, start, stop, challenge, heartbeat, settle, punish.
//!
//! # Overview
//! A pool puts stake behind a worker, and the worker computes: that is a *session*. The chain challenges a few workers in each block by
//! chance; who answers is paid out of a budget that all share, who does not loses a little of its worth with each block. All arithmetic
//! is `phala-economics`; this pallet decides when it is done, and moves the money.
//!
//! # Scenario
//! ```text
//! operator  bind ─► (worker: report_score) ─► start ─────────────► stop ─► seven days ─► stake returns by itself
//! chain              each block: challenge ─► worker │  ▲   │
//! worker                                   heartbeat ┘  │   └ none within the window: silent, V shrinks
//! chain     pot ──► pool, treasury                  ────┘     until a heartbeat comes after all
//! anyone    report_fault ─► a fine: harmed owner, reporter, treasury
//! ```
//!
//! # Terminology
//! See `phala-economics` for V, D, score, share, index; GLOSSARY.md for the rest. *Responsive* workers stand in a list without gaps, from which
//! challenges are drawn. A stake *cools down* from the end of its session until it returns.
//!
//! # Properties
//! - A heartbeat touches as many records as any other, however many sessions there are and however long ago the last one was; a block begins with as
//!   much work as it has challenges.
//! - A worker works for one pool, has one session, and waits for one answer at most.
//! - What is paid is never more than what was divided, and what was divided is the schedule's. An empty pot pays what is left.
//! - A stake is at work, cools down, or is back: it returns by itself, less what it was slashed, and nobody has to ask.
//! - Hosting programs costs a worker no pay.
//! - A fault is punished once, and only with a proof that the chain checked.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod binding;
mod budget;
mod challenge;
mod faults;
mod heartbeat;
mod message;
mod ports;
mod score;
mod session;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_faults;
#[cfg(test)]
mod tests_of_figures;
#[cfg(test)]
mod tests_of_scale;
#[cfg(test)]
mod tests_of_simulation;
mod try_state;
pub mod weights;

use frame_support::pallet_prelude::*;
use phala_messages::WorkerId;
use phala_units::Planck;

pub use faults::{Fault, Proven};
pub use pallet::*;
pub use phala_messages::refusal::Refusal;
pub use ports::*;
pub use session::RELEASE_SESSIONS_MAX;
pub use weights::WeightInfo;

/// A worker of a pool, and what the pool has at work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PoolWorker {
    /// Who.
    pub worker: WorkerId,
    /// Zero while it does not compute.
    pub stake: Planck,
}

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::boxed::Box;
    use frame_support::traits::{EnsureOrigin, Time, fungible};
    use frame_system::pallet_prelude::*;
    use phala_economics::{
        Accrual, CHALLENGES_MAX, FaultLevel, Parameters, PoolWork, Schedule, SessionRecord, WorkRules,
    };
    use phala_messages::{
        Hash, PoolId, Signature,
        computation::{FaultProof, Heartbeat, ScoreReport, SessionNumber, WorkRecord},
        custody::Signed,
        limits::POOL_WORKERS_MAX,
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
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>, AccountId: AsRef<[u8; 32]> + From<[u8; 32]>>
    {
        /// Who is registered.
        type Workers: Workers;

        /// Whose stake is at work.
        type Pools: Pools<Self::AccountId>;

        /// Who hosts programs.
        type Serving: Serving;

        /// What programs have anchored.
        type Programs: Programs;

        /// Who is challenged.
        type Randomness: Randomness;

        /// PHA, in Planck.
        type Currency: fungible::Mutate<Self::AccountId> + fungible::Inspect<Self::AccountId, Balance = u128>;

        /// The account that workers are paid out of.
        type Pot: Get<Self::AccountId>;

        /// The account that gets its part of each payout, and of each fine.
        type Treasury: Get<Self::AccountId>;

        /// The account that slashed stake goes to, by [`Pools::return_stake`]; this pallet passes it on.
        type Slashed: Get<Self::AccountId>;

        /// The block's time, Unix milliseconds.
        type Time: Time<Moment = u64>;

        /// Milliseconds between blocks.
        #[pallet::constant]
        type BlockMs: Get<u32>;

        /// Who sets prices, budget and rules.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;
    }

    /// [`Budget`] until it is set.
    #[pallet::type_value]
    pub fn StandardBudget() -> Schedule {
        Schedule::standard(BlockNumber(1))
    }

    /// [`Rules`] until they are set.
    #[pallet::type_value]
    pub fn DefaultRules() -> WorkRules {
        WorkRules::DEFAULT
    }

    /// The price of work.
    #[pallet::storage]
    pub type Tariff<T: Config> = StorageValue<_, Parameters, ValueQuery>;

    /// How much is paid in which block.
    #[pallet::storage]
    pub type Budget<T: Config> = StorageValue<_, Schedule, ValueQuery, StandardBudget>;

    /// What is not a price.
    #[pallet::storage]
    pub type Rules<T: Config> = StorageValue<_, WorkRules, ValueQuery, DefaultRules>;

    /// How far the budget has been divided, and among how many shares.
    #[pallet::storage]
    pub type Accrued<T: Config> = StorageValue<_, Accrual, ValueQuery>;

    /// What bound workers have to know.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Work<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, WorkRecord>;

    /// Sessions that compute, and those whose stake cools down.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Sessions<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, SessionRecord>;

    /// Sessions ever started.
    #[pallet::storage]
    pub type SessionCount<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// The workers of a pool.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type PoolWorkers<T: Config> =
        StorageMap<_, Blake2_128Concat, PoolId, BoundedVec<PoolWorker, ConstU32<POOL_WORKERS_MAX>>, ValueQuery>;

    /// What of a pool is at work.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type PoolsAtWork<T: Config> = StorageMap<_, Blake2_128Concat, PoolId, PoolWork>;

    /// The workers that answer, in places 0, 1, 2 … without a gap.
    // Hasher: Twox64Concat, places are numbers that the chain gives.
    #[pallet::storage]
    pub type Responsive<T: Config> = StorageMap<_, Twox64Concat, u32, WorkerId>;

    /// How many there are.
    #[pallet::storage]
    pub type ResponsiveCount<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Who was asked in a block whose window is not over.
    // Hasher: Twox64Concat, blocks are numbers that the chain gives.
    #[pallet::storage]
    pub type Challenged<T: Config> =
        StorageMap<_, Twox64Concat, BlockNumber, BoundedVec<WorkerId, ConstU32<CHALLENGES_MAX>>, ValueQuery>;

    /// The last block whose challenges were judged.
    #[pallet::storage]
    pub type CheckedThrough<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

    /// Whose stake cools down, in the order of their ends.
    // Hasher: Twox64Concat, turns are numbers that the chain gives.
    #[pallet::storage]
    pub type CoolingQueue<T: Config> = StorageMap<_, Twox64Concat, u64, WorkerId>;

    /// The first turn in that queue that was not looked at.
    #[pallet::storage]
    pub type CoolingHead<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// The next turn to give.
    #[pallet::storage]
    pub type CoolingTail<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Workers that may never come back, and since when.
    // Hasher: Blake2_128Concat, workers name themselves.
    #[pallet::storage]
    pub type Banned<T: Config> = StorageMap<_, Blake2_128Concat, WorkerId, BlockNumber>;

    /// Faults that were punished, and when.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Punished<T: Config> = StorageMap<_, Blake2_128Concat, Hash, BlockNumber>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A worker works for a pool.
        WorkerBound {
            /// Which pool.
            pool: PoolId,
            /// Which worker.
            worker: WorkerId,
        },
        /// A worker is nobody's any more.
        WorkerUnbound {
            /// Which pool it worked for.
            pool: PoolId,
            /// Which worker.
            worker: WorkerId,
        },
        /// A worker's benchmark was taken.
        Scored {
            /// Which worker.
            worker: WorkerId,
            /// Iterations in six seconds.
            score: u32,
        },
        /// A worker computes.
        SessionStarted {
            /// Which worker.
            worker: WorkerId,
            /// With whose stake.
            pool: PoolId,
            /// Which session.
            session: SessionNumber,
            /// The stake, Planck.
            stake: Planck,
            /// What the session before it had lost, where this one replaces it.
            slashed: Planck,
        },
        /// A worker computes no more; its stake cools down.
        SessionStopped {
            /// Which worker.
            worker: WorkerId,
            /// Whose stake.
            pool: PoolId,
            /// Which session.
            session: SessionNumber,
            /// What will come back, Planck.
            returned: Planck,
            /// When.
            until: UnixMillis,
        },
        /// A stake is back.
        StakeReturned {
            /// Which worker's.
            worker: WorkerId,
            /// Whose.
            pool: PoolId,
            /// Which session's.
            session: SessionNumber,
            /// What came back, Planck.
            returned: Planck,
            /// What did not.
            slashed: Planck,
        },
        /// A stake did not return by itself, which cannot be: anyone can reclaim it.
        StakeStuck {
            /// Which worker's.
            worker: WorkerId,
            /// Whose.
            pool: PoolId,
        },
        /// A worker is to give a sign of life.
        WorkerChallenged {
            /// Which.
            worker: WorkerId,
        },
        /// A worker did not answer in time: its V shrinks from now on.
        WorkerSilent {
            /// Which worker.
            worker: WorkerId,
            /// Which session.
            session: SessionNumber,
        },
        /// A worker that was silent answered.
        WorkerRecovered {
            /// Which worker.
            worker: WorkerId,
            /// Which session.
            session: SessionNumber,
        },
        /// A heartbeat was paid.
        Paid {
            /// Which worker's.
            worker: WorkerId,
            /// Which pool got it.
            pool: PoolId,
            /// Its part of the budget; the pot may have held less.
            owed: Planck,
            /// What the pool got.
            paid: Planck,
            /// What the treasury got.
            treasury: Planck,
        },
        /// A fault was proven, and cost its worker.
        FaultPunished {
            /// Names the fault.
            fault: Hash,
            /// Whose it is.
            worker: WorkerId,
            /// Whose stake it cost.
            pool: PoolId,
            /// How grave it is.
            level: FaultLevel,
            /// What it cost at once, Planck.
            fine: Planck,
            /// What of it the harmed owner got.
            compensated: Planck,
            /// What of it the reporter got.
            rewarded: Planck,
        },
        /// A worker may never come back.
        WorkerBanned {
            /// Which.
            worker: WorkerId,
        },
        /// Prices have changed.
        TariffSet {
            /// All of them.
            tariff: Parameters,
        },
        /// The budget has changed.
        BudgetSet {
            /// All of it.
            budget: Schedule,
        },
        /// Rules have changed.
        RulesSet {
            /// All of them.
            rules: WorkRules,
        },
    }

    /// Why a call is not carried out.
    #[pallet::error]
    pub enum Error<T> {
        /// Only the owner of the worker's pool may do this. Sign with the owner's account.
        NotPoolOwner,
        /// The worker is not registered. Start it and wait until it has registered.
        WorkerUnknown,
        /// The worker attacked the network, and may never work again.
        WorkerBanned,
        /// The worker works for a pool already. Its owner must unbind it first.
        WorkerBound,
        /// The worker works for no pool. Bind it first.
        WorkerNotBound,
        /// The worker has not named the pool's owner as its operator. Start it with `--operator` and the owner's account.
        NoConsent,
        /// The pool has as many workers as it may have. Unbind one, or use another pool.
        WorkersFull,
        /// The worker computes already, or its stake cools down. Wait until it is back.
        SessionStands,
        /// The worker does not compute.
        NoSession,
        /// The worker is unbound as soon as its stake is back. Bind it again then.
        WorkerLeaving,
        /// The worker has not reported its benchmark. It does a minute or two after it was bound.
        NoScore,
        /// The worker is too slow for a session.
        ScoreTooLow,
        /// The worker's score is above the largest that there is.
        ScoreTooHigh,
        /// The stake is less than this score needs.
        StakeTooLittle,
        /// The stake is more than this score may have.
        StakeTooMuch,
        /// The stake is not more than what is at work. To stake less, stop the worker and start it again.
        StakeNotMore,
        /// The worker does not answer. Bring it back first.
        WorkerSilent,
        /// The worker computes: stop it first.
        NotCooling,
        /// The stake still cools down.
        CoolingDown,
        /// The sum of all shares is as large as it can be.
        SharesFull,
        /// A price lies outside its range.
        TariffUnfit,
        /// The budget lies outside its range.
        BudgetUnfit,
        /// A rule lies outside its range.
        RulesUnfit,
        /// A message or a proof broke the rule with this code; see `phala_messages::Refusal`.
        Refused(u8),
    }

    impl<T: Config> From<Refusal> for Error<T> {
        fn from(refusal: Refusal) -> Self {
            Self::Refused(refusal.code())
        }
    }

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// How long a stake stays liable after its worker has stopped, milliseconds; [`WorkRules::DEFAULT`]'s when absent.
        pub cool_down_ms: Option<u64>,
        /// How often one worker is challenged at most, per hour; [`WorkRules::DEFAULT`]'s when absent.
        pub per_hour: Option<u32>,
        /// Ties the genesis to its runtime.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        /// # Panics
        /// When the rules would be refused as a call.
        fn build(&self) {
            let standard = WorkRules::DEFAULT;
            let rules = WorkRules {
                cool_down_ms: self.cool_down_ms.unwrap_or(standard.cool_down_ms),
                per_hour: self.per_hour.unwrap_or(standard.per_hour),
                ..standard
            };
            assert!(rules.validate().is_ok(), "the genesis has rules of work that no network can live with");
            Rules::<T>::put(rules);
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Binds a worker to a pool of the caller's. `consent` is the worker's word that the caller is its operator.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::bind())]
        pub fn bind(origin: OriginFor<T>, pool: PoolId, worker: WorkerId, consent: Signature) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_bind(&who, pool, worker, consent)
        }

        /// Lets a worker go. One that computes is stopped, and goes when its stake is back.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::unbind())]
        pub fn unbind(origin: OriginFor<T>, worker: WorkerId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_unbind(&who, worker)
        }

        /// Lets a worker compute, with stake that is free in its pool.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::start())]
        pub fn start(origin: OriginFor<T>, worker: WorkerId, stake: u128) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_start(&who, worker, Planck(stake))
        }

        /// Lets a worker stop. Its stake cools down and returns to the pool by itself. What was earned since the last heartbeat
        /// stays in the pot.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::stop())]
        pub fn stop(origin: OriginFor<T>, worker: WorkerId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_stop(&who, worker)
        }

        /// Starts a worker that computes anew, with more stake: without cooling down. What the session had lost is slashed, what it had
        /// grown by since its last payout is gone.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::restart())]
        pub fn restart(origin: OriginFor<T>, worker: WorkerId, stake: u128) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_restart(&who, worker, Planck(stake))
        }

        /// Returns a stake that has cooled down. The chain does that by itself when blocks have room; anyone may hasten it.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::reclaim())]
        pub fn reclaim(origin: OriginFor<T>, worker: WorkerId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_reclaim(worker)
        }

        /// worker → chain: so fast is this machine. Authorised by the signature of the worker's current instance.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::report_score())]
        #[pallet::authorize(|_source, report| Self::authorize_score(report))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_score())]
        pub fn report_score(origin: OriginFor<T>, report: Signed<ScoreReport>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_report_score(report)
        }

        /// worker → chain: here I am. Authorised by the signature of the worker's current instance.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::heartbeat())]
        #[pallet::authorize(|_source, heartbeat| Self::authorize_heartbeat(heartbeat))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_heartbeat())]
        pub fn heartbeat(origin: OriginFor<T>, heartbeat: Signed<Heartbeat>) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_heartbeat(heartbeat)
        }

        /// Proves a fault of a worker. The caller gets a part of what it costs, and pays no fee; a proof that proves nothing costs one.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::report_fault())]
        pub fn report_fault(origin: OriginFor<T>, proof: Box<FaultProof>) -> DispatchResultWithPostInfo {
            let reporter = ensure_signed(origin)?;
            Self::do_report_fault(reporter, &proof)?;
            Ok(Pays::No.into())
        }

        /// Sets prices. What is settled from now on is settled by them.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::set())]
        pub fn set_tariff(origin: OriginFor<T>, tariff: Box<Parameters>) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            let tariff = tariff.validate().map_err(|_| Error::<T>::TariffUnfit)?;
            Tariff::<T>::put(tariff);
            Self::deposit_event(Event::TariffSet { tariff });
            Ok(())
        }

        /// Sets the budget, from the next block on. What was earned until now was earned by the old one.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::set())]
        pub fn set_budget(origin: OriginFor<T>, budget: Schedule) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            let budget = budget.validate().map_err(|_| Error::<T>::BudgetUnfit)?;
            Accrued::<T>::put(Self::accrue());
            Budget::<T>::put(budget);
            Self::deposit_event(Event::BudgetSet { budget });
            Ok(())
        }

        /// Sets rules. Stakes that cool down already are back when they were to be.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::set())]
        pub fn set_rules(origin: OriginFor<T>, rules: WorkRules) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            let rules = rules.validate().map_err(|_| Error::<T>::RulesUnfit)?;
            Rules::<T>::put(rules);
            Self::deposit_event(Event::RulesSet { rules });
            Ok(())
        }

        /// Stops a worker, whoever's it is.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::stop())]
        pub fn force_stop(origin: OriginFor<T>, worker: WorkerId) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::stop_session(&worker)
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            Self::begin_block()
        }

        fn on_idle(_now: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::sweep(room)
        }

        fn integrity_test() {
            use phala_messages::limits::SCORE_BLOCK_AGE_MAX;
            assert!(
                T::BlockHashCount::get() >= SCORE_BLOCK_AGE_MAX.into(),
                "the chain remembers every block that a score may name"
            );
            assert!(T::BlockMs::get() > 0, "blocks take time");
            let limits = T::BlockWeights::get();
            let largest = limits.get(DispatchClass::Normal).max_extrinsic.unwrap_or(Weight::MAX);
            let calls = [
                T::WeightInfo::report_fault(),
                T::WeightInfo::restart(),
                T::WeightInfo::heartbeat().saturating_add(T::WeightInfo::authorize_heartbeat()),
            ];
            assert!(calls.into_iter().all(|weight| weight.all_lte(largest)), "every call fits a block");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}
