//! What is asked of pools of stake: to make one, to give it PHA, to take PHA back.
//!
//! What the numbers mean (shares, rates, places in a queue) is `phala-economics`'s to say, which builds on this crate; here they are
//! plain. The runtime's tests hold each call against the runtime.

use crate::ids::{Account, PoolId};
use alloc::vec::Vec;
use codec::Encode;

/// Calls of `pallet-pools`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Pools {
    /// Makes a stake pool.
    #[codec(index = 0)]
    CreateStakePool {
        /// What its owner takes, parts per million.
        commission_ppm: u32,
    },
    /// Makes a vault.
    #[codec(index = 1)]
    CreateVault {
        /// What its owner takes, parts per million.
        commission_ppm: u32,
    },
    /// Changes what the owner takes.
    #[codec(index = 2)]
    SetCommission {
        /// Of which pool.
        pool: PoolId,
        /// Parts per million.
        rate_ppm: u32,
    },
    /// Changes how much a pool takes in.
    #[codec(index = 3)]
    SetCap {
        /// Which pool.
        pool: PoolId,
        /// Planck; none: as much as comes.
        cap: Option<u128>,
    },
    /// Describes a pool.
    #[codec(index = 4)]
    SetDescription {
        /// Which pool.
        pool: PoolId,
        /// UTF-8 text; empty: none.
        description: Vec<u8>,
    },
    /// Puts an account on a pool's list.
    #[codec(index = 5)]
    AddToList {
        /// Whose list.
        pool: PoolId,
        /// Who.
        account: Account,
        /// What the owner notes beside it, UTF-8 text.
        note: Vec<u8>,
    },
    /// Takes an account off a pool's list.
    #[codec(index = 6)]
    RemoveFromList {
        /// Whose list.
        pool: PoolId,
        /// Who.
        account: Account,
    },
    /// Closes a pool for good.
    #[codec(index = 7)]
    Close {
        /// Which.
        pool: PoolId,
    },
    /// Removes a closed pool that everybody has left.
    #[codec(index = 8)]
    Remove {
        /// Which.
        pool: PoolId,
    },
    /// Gives PHA to a pool.
    #[codec(index = 9)]
    Contribute {
        /// To which.
        pool: PoolId,
        /// Planck.
        amount: u128,
    },
    /// Asks for PHA in return for shares.
    #[codec(index = 10)]
    Withdraw {
        /// From which pool.
        pool: PoolId,
        /// How many shares.
        shares: u128,
    },
    /// Takes a request back, or a part of it.
    #[codec(index = 11)]
    CancelWithdrawal {
        /// Of which pool.
        pool: PoolId,
        /// Its number in the pool's queue.
        request: u64,
        /// How many shares of it.
        shares: u128,
    },
    /// Gives shares to another account.
    #[codec(index = 12)]
    TransferShares {
        /// Of which pool.
        pool: PoolId,
        /// To whom.
        to: Account,
        /// How many.
        shares: u128,
    },
    /// Gives a vault's PHA to a stake pool.
    #[codec(index = 13)]
    VaultContribute {
        /// Whose PHA.
        vault: PoolId,
        /// To which stake pool.
        pool: PoolId,
        /// Planck.
        amount: u128,
    },
    /// Asks a stake pool for a vault's PHA.
    #[codec(index = 14)]
    VaultWithdraw {
        /// Whose shares.
        vault: PoolId,
        /// Of which stake pool.
        pool: PoolId,
        /// How many.
        shares: u128,
    },
    /// Takes back what a vault asked of a stake pool.
    #[codec(index = 15)]
    VaultCancel {
        /// Whose request.
        vault: PoolId,
        /// In which stake pool's queue.
        pool: PoolId,
        /// Its number there.
        request: u64,
        /// How many shares of it.
        shares: u128,
    },
    /// Values a vault anew.
    #[codec(index = 16)]
    SettleVault {
        /// Which.
        vault: PoolId,
    },
}
