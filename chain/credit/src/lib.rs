//! Pay for computation: stake that gives weight, credit that is spent.
//!
//! # Overview
//! Two ways to pay, for two things. *Stake* on a program says how much it matters: its total is the program's weight on the processors
//! of its cluster's workers. Nobody earns it; whoever staked has it back. *Credit* pays for commands: each has a price, which is
//! laid aside when it is ordered, paid to the pool of the worker that answered, or given back.
//!
//! # Scenario
//! ```text
//! anyone   stake ──► weight ──► unstake (weight falls at once) ── delay ──► withdraw_unstaked
//!
//! anyone   top_up ──► credit ──────────────┐              ┌── answered ──► pool of the worker, or the pot
//! owner    set_payer, withdraw_credit      ├── reserved ──┤
//! caller   ────────── a command ───────────┘              └── removed, or late ──► back to who paid
//! ```
//!
//! # Terminology
//! - *credit*: a program's own PHA, in this pallet's account; *free* can be reserved or taken back, *reserved* waits for answers.
//! - *escrow*: that account.
//! - *price*: what a command costs, by `phala_economics::price_of_command`; exact before it is sent.
//! - *late*: ordered so long ago that whoever paid may have it back, though the command still stands.
//!
//! # Properties
//! - The escrow holds the credit of all programs and the reservations of all callers; nothing else moves out of it.
//! - A command costs what the price was when it was ordered, whatever it is when it is answered.
//! - A reservation is spent or refunded, once. Refunded, it goes to whoever it came from, whole.
//! - What a program's owner paid is the owner's again in the block that removes the program, whatever still waits.
//! - Stake comes back whole: nobody but its owner moves it. Of a program that was removed it comes back at once.
//! - No call reads how many have staked, or how many commands wait.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod credit;
mod ports;
mod reservation;
mod stake;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_commands;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
pub mod weights;

pub use pallet::*;
pub use ports::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{
        pallet_prelude::*,
        traits::{EnsureOrigin, fungible},
    };
    use frame_system::pallet_prelude::*;
    use phala_messages::{
        PoolId, ProgramId, WorkerId,
        credit::{CommandPrice, CreditRecord, LeavingStake, Payer, Reservation},
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
        /// What is staked on and called.
        type Programs: Programs;

        /// Who is paid.
        type Earners: Earners<Self::AccountId>;

        /// PHA, in Planck.
        type Currency: fungible::hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>
            + fungible::Mutate<Self::AccountId>
            + fungible::Inspect<Self::AccountId, Balance = u128>;

        /// Why an account's PHA is held.
        type RuntimeHoldReason: From<HoldReason>;

        /// The account that keeps credit and reservations.
        type Escrow: Get<Self::AccountId>;

        /// The account that is paid where a worker works for no pool: the one that pays work. It also opens the escrow.
        type Pot: Get<Self::AccountId>;

        /// Least stake of an account on a program, Planck.
        #[pallet::constant]
        type StakeMin: Get<u128>;

        /// Blocks from `unstake` until the stake can be had.
        #[pallet::constant]
        type UnstakeBlocks: Get<u32>;

        /// Blocks after which an unanswered command is late.
        #[pallet::constant]
        type LateBlocks: Get<u32>;

        /// Who sets the price.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;
    }

    /// Why PHA is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// It is staked on a program, or on its way back.
        #[codec(index = 0)]
        ProgramStake,
    }

    /// What a command costs.
    #[pallet::storage]
    pub type Price<T: Config> = StorageValue<_, CommandPrice, ValueQuery>;

    /// Programs' credit. None, and the default, until something changes.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Credits<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, CreditRecord, ValueQuery>;

    /// What is laid aside for commands that wait. None for those that cost nothing.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Reservations<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, ProgramId, Blake2_128Concat, u64, Reservation>;

    /// All that is staked on a program.
    // Hasher: Blake2_128Concat, as every map that workers read by proof.
    #[pallet::storage]
    pub type ProgramStakes<T: Config> = StorageMap<_, Blake2_128Concat, ProgramId, Planck, ValueQuery>;

    /// What an account has staked on a program.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Stakes<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, ProgramId, Blake2_128Concat, T::AccountId, Planck, ValueQuery>;

    /// What is on its way back to an account.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Leaving<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, ProgramId, Blake2_128Concat, T::AccountId, LeavingStake>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Stake was put on a program.
        Staked {
            /// Which.
            program: ProgramId,
            /// Whose stake.
            who: T::AccountId,
            /// How much more.
            amount: Planck,
            /// All that is staked on the program now.
            total: Planck,
        },
        /// Stake was taken off a program.
        Unstaked {
            /// Which.
            program: ProgramId,
            /// Whose stake.
            who: T::AccountId,
            /// How much.
            amount: Planck,
            /// All that is staked on the program now.
            total: Planck,
            /// The first block in which it can be had, together with what was on its way before. None: it is back already, for the
            /// program is gone.
            free_from: Option<BlockNumber>,
        },
        /// Stake is its owner's again.
        StakeReturned {
            /// Off which program it came.
            program: ProgramId,
            /// Whose it is.
            who: T::AccountId,
            /// How much.
            amount: Planck,
        },
        /// A program has more credit.
        ToppedUp {
            /// Which.
            program: ProgramId,
            /// Who gave it.
            who: T::AccountId,
            /// How much.
            amount: Planck,
        },
        /// A program's owner has credit back: on demand, or because the program was removed.
        CreditReturned {
            /// Which program.
            program: ProgramId,
            /// How much.
            amount: Planck,
        },
        /// A program's owner said who pays.
        PayerSet {
            /// For which program's commands.
            program: ProgramId,
            /// Who.
            payer: Payer,
        },
        /// Governance set the price of commands.
        PriceSet {
            /// What commands cost from now on.
            price: CommandPrice,
        },
        /// A command's price was laid aside.
        Reserved {
            /// To which program.
            program: ProgramId,
            /// The command.
            command: u64,
            /// Its price.
            amount: Planck,
            /// Who paid. None: the program's credit.
            caller: Option<T::AccountId>,
        },
        /// Commands were answered, and are paid for.
        Spent {
            /// Of which program.
            program: ProgramId,
            /// Their prices together.
            amount: Planck,
            /// Who answered.
            worker: WorkerId,
            /// Whose pool has it. None: the pot.
            pool: Option<PoolId>,
        },
        /// A command's price went back to whoever paid it.
        Refunded {
            /// To which program.
            program: ProgramId,
            /// The command.
            command: u64,
            /// How much.
            amount: Planck,
            /// To whom. None: the program's credit.
            caller: Option<T::AccountId>,
        },
    }

    /// Why a call is not carried out.
    #[pallet::error]
    pub enum Error<T> {
        /// No program has this id, or it was removed.
        ProgramUnknown,
        /// Only the program's owner may do this. Sign with the owner's account.
        NotProgramOwner,
        /// Nothing is nothing. Name an amount above zero.
        AmountZero,
        /// An account stakes at least `StakeMin` on a program, or nothing. Stake more, or take all of it.
        StakeTooLittle,
        /// The account has not staked as much on this program.
        StakeExceeded,
        /// Nothing of the account's is on its way back from this program. Unstake first.
        NothingLeaving,
        /// The stake can not be had yet. Wait for the block that `unstake` named.
        StakeNotFree,
        /// The program has not as much free credit. What is reserved for commands is not free.
        CreditTooLittle,
        /// The price is higher than any that may be set.
        PriceTooHigh,
        /// Nobody pays for the command: the program's credit is too little, or its owner lets callers pay, and the caller has less than
        /// the price. Top up the program's credit, or the caller's account.
        CannotPay,
        /// The command costs the caller more than it agreed to. Read the price again.
        PriceAboveMax,
        /// Nothing is laid aside for this command: it was free, was answered, or never sent.
        NothingReserved,
        /// The command is not late yet. It may still be answered, and paid.
        NotLate,
    }

    /// What a network starts from.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// What commands cost. Nothing when absent.
        pub price: CommandPrice,
        /// Ties the genesis to its runtime.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        /// # Panics
        /// When no command could be paid: such a network must not come to be.
        fn build(&self) {
            assert!(phala_economics::check_price(&self.price).is_ok(), "the genesis has a price that may not be set");
            Price::<T>::put(self.price);
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Stakes so much more on a program; it stays the caller's, held.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::stake())]
        pub fn stake(origin: OriginFor<T>, program: ProgramId, amount: Planck) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_stake(who, program, amount)
        }

        /// Takes stake off a program. Its weight falls at once; the stake is free [`Config::UnstakeBlocks`] later, and what was already on
        /// its way waits with it. Off a program that was removed it comes back at once.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::unstake())]
        pub fn unstake(origin: OriginFor<T>, program: ProgramId, amount: Planck) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_unstake(who, program, amount)
        }

        /// Takes back what came off a program and has waited for long enough, or came off one that was removed since.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::withdraw_unstaked())]
        pub fn withdraw_unstaked(origin: OriginFor<T>, program: ProgramId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_withdraw_unstaked(who, program)
        }

        /// Gives PHA of the caller's to a program, for its commands. What is left over is its owner's.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::top_up())]
        pub fn top_up(origin: OriginFor<T>, program: ProgramId, amount: Planck) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_top_up(who, program, amount)
        }

        /// Takes free credit of a program of the caller's.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::withdraw_credit())]
        pub fn withdraw_credit(origin: OriginFor<T>, program: ProgramId, amount: Planck) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_withdraw_credit(owner, program, amount)
        }

        /// Says who pays for the commands of a program of the caller's. Those that wait are paid as they were ordered.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::set_payer())]
        pub fn set_payer(origin: OriginFor<T>, program: ProgramId, payer: Payer) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_set_payer(&owner, program, payer)
        }

        /// Gives what was laid aside for a late command back to whoever paid it. The command stands; whoever still answers it is not paid.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::refund_late())]
        pub fn refund_late(origin: OriginFor<T>, program: ProgramId, command: u64) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_refund_late(program, command)
        }

        /// Sets what commands cost from now on. Those that wait cost what they did.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::set_price())]
        pub fn set_price(origin: OriginFor<T>, price: CommandPrice) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            phala_economics::check_price(&price).map_err(|_| Error::<T>::PriceTooHigh)?;
            Price::<T>::put(price);
            Self::deposit_event(Event::PriceSet { price });
            Ok(())
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(T::StakeMin::get() > 0, "a stake is something");
            assert!(T::UnstakeBlocks::get() > 0 && T::LateBlocks::get() > 0, "a delay is one");
            assert!(T::Escrow::get() != T::Pot::get(), "what is laid aside is not what pays");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}
