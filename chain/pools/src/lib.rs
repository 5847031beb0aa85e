//! Share stake and reward: stake pools and vaults over one share ledger.
//!
//! # Overview
//! A worker needs stake, and who has PHA need not have a machine. A *stake pool* takes PHA from many and stakes it on its owner's
//! workers; a *vault* takes PHA from many and gives it to stake pools. Both keep one and the same ledger: whoever contributes gets
//! shares, a reward makes every share worth more, a slash less. Nothing has to be claimed, and nobody has to be awake for a
//! withdrawal to be paid.
//!
//! # Scenario
//! ```text
//! owner      create_stake_pool ─► set_cap · set_commission (a rise waits a week) · add_to_list · close ─► remove
//! delegator  contribute ─► shares ─► transfer_shares
//!                            │ withdraw ─► a place in the queue ─► cancel_withdrawal, of any part
//!                            ▼
//!            the sweep, in every block: pays the oldest request from what is free; for what waits longer than a week
//!            it asks sessions to stop (stake pool), and whatever waits at all it asks back from stake pools (vault)
//!
//! computation   take_stake: free ─► at work ─► return_stake: free, and slashed · reward
//! ```
//!
//! # Terminology
//! - *shares*, *worth*, *dust*, *bankrupt*: see `phala_economics::SharePool`.
//! - *free*, *at work*, *queue*, *overdue*: see `phala_economics::PoolRecord`.
//! - *request*: a place in the queue of one pool, with a number.
//! - *line*: the pools in whose queues somebody waits, in the order in which the sweep comes by. Whoever was visited and still has a
//!   queue stands at the end again.
//! - *position*: a pool of which an account has shares. An account has [`POSITIONS_MAX`] at most.
//!
//! # Properties
//! - All shares of a pool are somebody's; together they are worth what the pool has, at most; the pool's account holds what the
//!   ledger says that it has.
//! - Only a slash lowers what somebody's shares are worth, and a vault's commission what they gained.
//! - A request keeps its place until it is paid or cancelled. Who asked first is paid first.
//! - Stake that is owed to the queue goes nowhere else: neither to a worker nor, from a vault, to a stake pool.
//! - A rate of commission rises a week after it was announced, and for what is earned from then on.
//! - The sweep spends no more than the weight it is given, and comes to every pool in line before it comes to one again. One pool
//!   is visited in every block, however full.
//! - No call costs more than its weight: whatever grows with use is bounded or done piece by piece.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod delegate;
mod pool;
mod ports;
mod queue;
mod stake;
mod sweep;
mod vault;
mod votes;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_incidents;
#[cfg(test)]
mod tests_of_queue;
#[cfg(test)]
mod tests_of_vaults;
mod try_state;
pub mod weights;

use frame_support::pallet_prelude::*;
use phala_economics::{ContributeError, Holding, PoolRecord, Ppm, Request, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::Planck;

pub use pallet::*;
pub use ports::Sessions;
pub use weights::WeightInfo;

/// Blocks of two seconds in a day.
pub const DAY_BLOCKS: u32 = 43_200;
/// How long a request waits before sessions are stopped for it: a week, less an hour for the sweep. With the week that a worker cools
/// down for, a stake pool's delegator has waited for fourteen days at most, and a vault's for no more than twenty-one.
pub const GRACE_BLOCKS: u32 = 7 * DAY_BLOCKS - DAY_BLOCKS / 24;
/// Pools of which one account may have shares. Whatever is summed up over an account's pools, or a vault's, stays this short.
pub const POSITIONS_MAX: u32 = 16;
/// Positions that others may give to an account: who fills it with gifts leaves it room for its own.
pub const POSITIONS_GIVEN_MAX: u32 = 8;
/// A pool's description.
pub const DESCRIPTION_BYTES_MAX: u32 = 480;
/// Accounts on a pool's list.
pub const LIST_MAX: u32 = 100;
/// What an owner notes beside an account on the list.
pub const NOTE_BYTES_MAX: u32 = 64;
/// Requests that one visit pays, at most.
pub const FILLS_PER_VISIT: u32 = 8;
/// Requests that one visit finds to be overdue, at most.
pub const OVERDUE_PER_VISIT: u32 = 64;
/// Pools that are visited in one block, at most.
pub const VISITS_MAX: u32 = 64;

/// A pool's description: UTF-8 text.
pub type Description = BoundedVec<u8, ConstU32<DESCRIPTION_BYTES_MAX>>;
/// What an owner notes beside an account: UTF-8 text.
pub type Note = BoundedVec<u8, ConstU32<NOTE_BYTES_MAX>>;

/// The line of pools that the sweep comes by: places `front..back`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct LineEnds {
    /// The pool that is visited next.
    pub front: u64,
    /// The next one to join stands here.
    pub back: u64,
}

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{PalletId, traits::fungible};
    use frame_system::pallet_prelude::*;
    use phala_economics::PoolKind;

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
        /// PHA, in Planck.
        type Currency: fungible::Mutate<Self::AccountId> + fungible::Inspect<Self::AccountId, Balance = u128>;

        /// Where stake is at work.
        type Sessions: Sessions;

        /// The accounts of pools are derived from it.
        #[pallet::constant]
        type PalletId: Get<PalletId>;

        /// Receives what is slashed.
        type SlashTo: Get<Self::AccountId>;

        /// Receives rewards that a pool cannot take: nobody has a share of it, or it is bankrupt.
        type UnclaimedTo: Get<Self::AccountId>;

        /// Measured cost of each call.
        type WeightInfo: WeightInfo;
    }

    /// Pools ever made; the id of the next one.
    #[pallet::storage]
    pub type PoolCount<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Each pool.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Pools<T: Config> = StorageMap<_, Blake2_128Concat, PoolId, PoolRecord>;

    /// What owners say of their pools.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Descriptions<T: Config> = StorageMap<_, Blake2_128Concat, PoolId, Description>;

    /// Accounts on a pool's list, with the owner's note.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Listed<T: Config> = StorageDoubleMap<_, Blake2_128Concat, PoolId, Blake2_128Concat, T::AccountId, Note>;

    /// Who has shares of a pool. None: no shares.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Holdings<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, PoolId, Blake2_128Concat, T::AccountId, Holding>;

    /// The pools of which an account has shares, and the vaults that it owns.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Positions<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, BoundedVec<PoolId, ConstU32<POSITIONS_MAX>>, ValueQuery>;

    /// Accounts that are a pool's own.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type PoolAccounts<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, PoolId>;

    /// Who waits for a withdrawal.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type Requests<T: Config> = StorageDoubleMap<_, Blake2_128Concat, PoolId, Blake2_128Concat, RequestId, Request>;

    /// The pool at each place of the line.
    // Hasher: Twox64Concat, places are numbers that the chain gives.
    #[pallet::storage]
    pub type Line<T: Config> = StorageMap<_, Twox64Concat, u64, PoolId>;

    /// Where the line begins and ends.
    #[pallet::storage]
    pub type Ends<T: Config> = StorageValue<_, LineEnds, ValueQuery>;

    /// What an account's shares must be worth as long as its votes count.
    // Hasher: Blake2_128Concat, as every map that clients read by proof.
    #[pallet::storage]
    pub type VoteLocks<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Planck>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A pool was made.
        PoolCreated {
            /// Its id.
            pool: PoolId,
            /// Stake pool or vault.
            kind: PoolKind,
            /// Who decides.
            owner: T::AccountId,
            /// What the owner takes.
            commission: Ppm,
        },
        /// The owner changed its rate. One that rises counts from a later block on.
        CommissionChanged {
            /// Of which pool.
            pool: PoolId,
            /// To what.
            rate: Ppm,
            /// From which block on.
            from: phala_units::BlockNumber,
        },
        /// A pool takes in another amount.
        CapSet {
            /// Which pool.
            pool: PoolId,
            /// How much; none: as much as comes.
            cap: Option<Planck>,
        },
        /// A pool is described anew.
        DescriptionSet {
            /// Which pool.
            pool: PoolId,
        },
        /// An account stands on a pool's list.
        AddedToList {
            /// Whose list.
            pool: PoolId,
            /// Who.
            account: T::AccountId,
        },
        /// An account stands on a pool's list no more.
        RemovedFromList {
            /// Whose list.
            pool: PoolId,
            /// Who.
            account: T::AccountId,
        },
        /// A pool takes nothing in any more.
        PoolClosed {
            /// Which pool.
            pool: PoolId,
        },
        /// A pool is gone.
        PoolRemoved {
            /// Which pool.
            pool: PoolId,
        },
        /// PHA came in.
        Contributed {
            /// To which pool.
            pool: PoolId,
            /// From whom; a vault by its account.
            from: T::AccountId,
            /// How much.
            amount: Planck,
            /// The shares given for it.
            shares: Shares,
        },
        /// Someone wants PHA back.
        WithdrawalRequested {
            /// From which pool.
            pool: PoolId,
            /// The place in its queue.
            request: RequestId,
            /// Who; a vault by its account.
            holder: T::AccountId,
            /// For how many shares.
            shares: Shares,
        },
        /// A request was paid, whole or in part.
        Withdrawn {
            /// From which pool.
            pool: PoolId,
            /// Which request.
            request: RequestId,
            /// To whom; a vault by its account.
            holder: T::AccountId,
            /// Shares that are gone.
            shares: Shares,
            /// What was paid for them.
            amount: Planck,
            /// Shares that still wait.
            left: Shares,
        },
        /// A request was taken back, whole or in part. What is left keeps its place.
        WithdrawalCancelled {
            /// From which pool.
            pool: PoolId,
            /// Which request.
            request: RequestId,
            /// Shares that are the holder's again.
            shares: Shares,
            /// Shares that still wait.
            left: Shares,
        },
        /// A request could not be paid: its holder's account does not exist, and the amount is too small to make it exist. The shares are
        /// the holder's again.
        WithdrawalReturned {
            /// From which pool.
            pool: PoolId,
            /// Which request.
            request: RequestId,
            /// Whose.
            holder: T::AccountId,
            /// How many.
            shares: Shares,
        },
        /// Shares changed hands.
        SharesTransferred {
            /// Of which pool.
            pool: PoolId,
            /// Who had them.
            from: T::AccountId,
            /// Who has them.
            to: T::AccountId,
            /// How many.
            shares: Shares,
        },
        /// A reward came in and was divided.
        Rewarded {
            /// To which pool.
            pool: PoolId,
            /// To its shares.
            stakers: Planck,
            /// To its owner.
            owner: Planck,
        },
        /// A reward came for a pool that cannot take it.
        RewardUnclaimed {
            /// Which pool.
            pool: PoolId,
            /// How much.
            amount: Planck,
        },
        /// A pool lost stake.
        Slashed {
            /// Which pool.
            pool: PoolId,
            /// How much.
            amount: Planck,
        },
        /// A vault's owner took its part of what the vault gained, in shares.
        CommissionTaken {
            /// Which vault.
            vault: PoolId,
            /// How many shares.
            shares: Shares,
        },
        /// Requests are overdue: sessions are asked to stop.
        SessionsStopped {
            /// Of which pool.
            pool: PoolId,
            /// What the overdue requests lack.
            wanted: Planck,
            /// What is on its way now.
            on_its_way: Planck,
        },
    }

    /// Why a call is not carried out.
    #[pallet::error]
    pub enum Error<T> {
        /// No pool has this id, or it was removed.
        PoolUnknown,
        /// Only the pool's owner may do this. Sign with the owner's account.
        NotOwner,
        /// This is a vault; a stake pool is wanted. A vault gives PHA to stake pools only.
        NotStakePool,
        /// This is a stake pool; a vault is wanted.
        NotVault,
        /// No more pools can be made: the ids are used up.
        PoolsExhausted,
        /// The pool takes nothing in any more. Choose another one.
        PoolClosed,
        /// The pool is open. Close it first.
        PoolOpen,
        /// Someone has shares of the pool, or it has stake at work or shares of other pools. Wait until all have left.
        PoolInUse,
        /// The pool takes only from accounts on its list. Ask its owner, or choose another pool.
        NotListed,
        /// The account stands on the list already.
        AlreadyListed,
        /// The list is full. Remove an account from it first.
        ListFull,
        /// Text is UTF-8 without control characters other than line feeds.
        NotText,
        /// The pool would hold more than its owner lets it. Contribute less.
        CapExceeded,
        /// A contribution is 0.01 PHA at least.
        TooLittle,
        /// The pool lost everything. It takes nothing until those who have shares of it have withdrawn them.
        Bankrupt,
        /// A share of this pool is worth so much that part of the contribution would be lost. Contribute more.
        LostToRounding,
        /// The pool cannot hold as much.
        TooMuch,
        /// The account has shares of as many pools as it may. Leave one, or use another account.
        PositionsFull,
        /// None, or more shares than the account has outside the queue.
        NotEnoughShares,
        /// A withdrawal or a first transfer is worth 0.01 PHA at least, or is everything that there is.
        TooFewShares,
        /// No such request waits; it may have been paid.
        RequestUnknown,
        /// The request is somebody else's.
        NotHolder,
        /// The pool has not as much free, beside what its queue is owed.
        NotEnoughFree,
        /// The account is a pool's own, or the sender's.
        NotRecipient,
        /// Delegators of the vault wait for what it asked back.
        VaultQueue,
        /// The shares stand for votes. Take the votes back first.
        VotesLocked,
        /// More would come back than is at work.
        NotAtWork,
    }

    impl<T: Config> From<ContributeError> for Error<T> {
        fn from(error: ContributeError) -> Self {
            match error {
                ContributeError::TooLittle => Self::TooLittle,
                ContributeError::Bankrupt => Self::Bankrupt,
                ContributeError::LostToRounding => Self::LostToRounding,
                ContributeError::TooMuch => Self::TooMuch,
            }
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Makes a stake pool, owned by the caller, who pays the existential deposit of its account.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::create())]
        pub fn create_stake_pool(origin: OriginFor<T>, commission: Ppm) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_create(owner, PoolKind::StakePool, commission)
        }

        /// Makes a vault, owned by the caller, who pays the existential deposit of its account. The owner takes its commission in
        /// shares: the vault is one of its positions.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::create())]
        pub fn create_vault(origin: OriginFor<T>, commission: Ppm) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_create(owner, PoolKind::Vault, commission)
        }

        /// Changes what the caller takes of its pool's earnings: at once if less, a week later if more. What was earned
        /// before is settled at the old rate.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::set_commission())]
        pub fn set_commission(origin: OriginFor<T>, pool: PoolId, rate: Ppm) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_set_commission(&owner, pool, rate)
        }

        /// Lets the caller's pool take in `cap` at most, what is asked back not counted. What it has beyond that stays.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::set_cap())]
        pub fn set_cap(origin: OriginFor<T>, pool: PoolId, cap: Option<Planck>) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_set_cap(&owner, pool, cap)
        }

        /// Describes the caller's pool; an empty text takes the description away.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::set_description())]
        pub fn set_description(origin: OriginFor<T>, pool: PoolId, description: Description) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_set_description(&owner, pool, description)
        }

        /// Puts an account on the list of the caller's pool. From the first one on, only those on the list may contribute or be
        /// given shares, and the owner. Who has shares keeps them.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::add_to_list())]
        pub fn add_to_list(origin: OriginFor<T>, pool: PoolId, account: T::AccountId, note: Note) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_add_to_list(&owner, pool, account, note)
        }

        /// Takes an account off the list of the caller's pool. An empty list lets everybody in.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::remove_from_list())]
        pub fn remove_from_list(origin: OriginFor<T>, pool: PoolId, account: T::AccountId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_remove_from_list(&owner, pool, account)
        }

        /// Closes the caller's pool for good: it takes no contribution and starts no work. Who has shares withdraws them as
        /// before.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::close())]
        pub fn close(origin: OriginFor<T>, pool: PoolId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_close(&owner, pool)
        }

        /// Removes a closed pool of the caller's that everybody has left. What its account still holds is the caller's.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::remove())]
        pub fn remove(origin: OriginFor<T>, pool: PoolId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_remove(&owner, pool)
        }

        /// Gives PHA to a pool, for shares of it at the price of the moment.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::contribute())]
        pub fn contribute(origin: OriginFor<T>, pool: PoolId, amount: Planck) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_contribute(who, pool, amount)
        }

        /// Asks for PHA in return for shares. If nobody else waits, what is free is paid at once; the rest waits in the queue, where
        /// it earns as before, and is paid at the price that it has then.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::withdraw().saturating_add(T::WeightInfo::check_votes()))]
        pub fn withdraw(origin: OriginFor<T>, pool: PoolId, shares: Shares) -> DispatchResultWithPostInfo {
            let who = ensure_signed(origin)?;
            let locked = Self::do_withdraw(who, pool, shares)?;
            Ok(Self::spent(T::WeightInfo::withdraw(), locked))
        }

        /// Takes a request back, or so many shares of it. The rest keeps its place.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::cancel_withdrawal())]
        pub fn cancel_withdrawal(
            origin: OriginFor<T>,
            pool: PoolId,
            request: RequestId,
            shares: Shares,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_cancel(&who, pool, request, shares)
        }

        /// Gives shares to another account, which the pool would take a contribution from.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::transfer_shares().saturating_add(T::WeightInfo::check_votes()))]
        pub fn transfer_shares(
            origin: OriginFor<T>,
            pool: PoolId,
            to: T::AccountId,
            shares: Shares,
        ) -> DispatchResultWithPostInfo {
            let who = ensure_signed(origin)?;
            let locked = Self::do_transfer_shares(who, pool, to, shares)?;
            Ok(Self::spent(T::WeightInfo::transfer_shares(), locked))
        }

        /// Gives PHA of the caller's vault to a stake pool: what is free beside what the vault's queue is owed.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::vault_contribute())]
        pub fn vault_contribute(origin: OriginFor<T>, vault: PoolId, pool: PoolId, amount: Planck) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_vault_contribute(&owner, vault, pool, amount)
        }

        /// Asks a stake pool for PHA in return for shares that the caller's vault has of it.
        #[pallet::call_index(14)]
        #[pallet::weight(T::WeightInfo::withdraw())]
        pub fn vault_withdraw(origin: OriginFor<T>, vault: PoolId, pool: PoolId, shares: Shares) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_vault_withdraw(&owner, vault, pool, shares)
        }

        /// Takes back what the caller's vault asked of a stake pool, as long as nobody waits for it.
        #[pallet::call_index(15)]
        #[pallet::weight(T::WeightInfo::cancel_withdrawal())]
        pub fn vault_cancel(
            origin: OriginFor<T>,
            vault: PoolId,
            pool: PoolId,
            request: RequestId,
            shares: Shares,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_vault_cancel(&owner, vault, pool, request, shares)
        }

        /// Values a vault anew, and gives its owner the commission on what it gained. Anyone may call; whoever comes to the vault
        /// or leaves it does so, too.
        #[pallet::call_index(16)]
        #[pallet::weight(T::WeightInfo::settle_vault())]
        pub fn settle_vault(origin: OriginFor<T>, vault: PoolId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_settle_vault(vault)
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// Visits one pool, whether or not the block is full.
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            Self::sweep(Self::sweep_min(), 1)
        }

        fn on_idle(_now: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::sweep(room, VISITS_MAX)
        }

        fn integrity_test() {
            let largest = T::BlockWeights::get().get(DispatchClass::Normal).max_extrinsic.unwrap_or(Weight::MAX);
            let mandatory = Self::sweep_min();
            assert!(mandatory.all_lte(largest), "a visit fits a block");
            for call in [
                T::WeightInfo::withdraw().saturating_add(T::WeightInfo::check_votes()),
                T::WeightInfo::vault_contribute(),
                T::WeightInfo::remove(),
            ] {
                assert!(call.all_lte(largest), "the largest call fits a block");
            }
            assert!(POSITIONS_GIVEN_MAX < POSITIONS_MAX, "gifts leave an account room");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}
