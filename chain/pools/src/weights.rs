//! What each call costs.
//!
//! Storage accesses are counted from the code, in the dearest case, and priced by the runtime's `DbWeight`. The computation is estimated:
//! a ledger's arithmetic takes less than a microsecond, a transfer of PHA about ten; what stands here is three times what an access
//! and a transfer came to in `pallet-programs`, where they were measured. The bodies in `benchmarking.rs` (feature
//! `runtime-benchmarks`) measure the same in WebAssembly.
use crate::POSITIONS_MAX;
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of each piece of the sweep.
pub trait WeightInfo {
    /// `create_stake_pool` and `create_vault`.
    fn create() -> Weight;
    /// `set_commission`, of a vault.
    fn set_commission() -> Weight;
    /// `set_cap`.
    fn set_cap() -> Weight;
    /// `set_description`.
    fn set_description() -> Weight;
    /// `add_to_list`.
    fn add_to_list() -> Weight;
    /// `remove_from_list`.
    fn remove_from_list() -> Weight;
    /// `close`.
    fn close() -> Weight;
    /// `remove`, with a full list.
    fn remove() -> Weight;
    /// `contribute`, to a vault.
    fn contribute() -> Weight;
    /// `withdraw`, from a vault and paid at once, and `vault_withdraw`; without counting votes.
    fn withdraw() -> Weight;
    /// `cancel_withdrawal` and `vault_cancel`.
    fn cancel_withdrawal() -> Weight;
    /// `transfer_shares`, without counting votes.
    fn transfer_shares() -> Weight;
    /// `vault_contribute`.
    fn vault_contribute() -> Weight;
    /// `settle_vault`.
    fn settle_vault() -> Weight;
    /// Counting somebody's votes: all positions are vaults with all positions.
    fn check_votes() -> Weight;
    /// Looking for the line's ends.
    fn sweep_base() -> Weight;
    /// Visiting a pool, without what is found there.
    fn visit() -> Weight;
    /// Valuing a visited vault, and asking all its stake pools.
    fn visit_vault() -> Weight;
    /// Paying one request.
    fn fill() -> Weight;
    /// Finding one request overdue.
    fn find_overdue() -> Weight;
    /// What computation pays for `take_stake`.
    fn take_stake() -> Weight;
    /// What computation pays for `return_stake`.
    fn return_stake() -> Weight;
    /// What computation pays for `reward`.
    fn reward() -> Weight;
}

/// Computation, estimated, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// Pools of a vault, at most.
const POSITIONS: u64 = POSITIONS_MAX as u64;

/// Valuing a vault: its positions, a holding and a pool for each; the owner's holding and position.
fn settled<T: frame_system::Config>() -> Weight {
    priced::<T>(30 + 10 * POSITIONS, 3 + 2 * POSITIONS, 2)
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    // Counter, two accounts, position; pool and its account.
    fn create() -> Weight {
        priced::<T>(200, 5, 6)
    }

    fn set_commission() -> Weight {
        priced::<T>(40, 1, 1).saturating_add(settled::<T>())
    }

    fn set_cap() -> Weight {
        priced::<T>(40, 1, 1)
    }

    fn set_description() -> Weight {
        priced::<T>(50, 1, 1)
    }

    fn add_to_list() -> Weight {
        priced::<T>(50, 2, 2)
    }

    fn remove_from_list() -> Weight {
        priced::<T>(50, 2, 2)
    }

    fn close() -> Weight {
        priced::<T>(40, 1, 1)
    }

    // Pool, positions of the vault and of the owner, two accounts, description, pool account; the list.
    fn remove() -> Weight {
        priced::<T>(200, 6, 7).saturating_add(priced::<T>(5, 1, 1).saturating_mul(crate::LIST_MAX.into()))
    }

    // Pool, list, two accounts, positions, holding.
    fn contribute() -> Weight {
        priced::<T>(220, 7, 5).saturating_add(settled::<T>())
    }

    // Pool, holding, request, lock, the line; the fill.
    fn withdraw() -> Weight {
        priced::<T>(100, 6, 5).saturating_add(settled::<T>()).saturating_add(Self::fill())
    }

    // Vault, pool, request, holding, position.
    fn cancel_withdrawal() -> Weight {
        priced::<T>(80, 5, 4)
    }

    // Pool, pool account, list, two holdings, two positions, lock.
    fn transfer_shares() -> Weight {
        priced::<T>(100, 8, 4)
    }

    // As `contribute`, and another pool.
    fn vault_contribute() -> Weight {
        priced::<T>(240, 8, 6).saturating_add(settled::<T>())
    }

    fn settle_vault() -> Weight {
        priced::<T>(40, 1, 1).saturating_add(settled::<T>())
    }

    fn check_votes() -> Weight {
        priced::<T>(30, 2, 0)
            .saturating_add(priced::<T>(20 + 10 * POSITIONS, 3 + 2 * POSITIONS, 0).saturating_mul(POSITIONS))
    }

    fn sweep_base() -> Weight {
        priced::<T>(5, 1, 0)
    }

    // The line's front and back, the pool.
    fn visit() -> Weight {
        priced::<T>(40, 3, 5)
    }

    // A request, a holding, a pool and a place in the line for each stake pool.
    fn visit_vault() -> Weight {
        settled::<T>().saturating_add(priced::<T>(50, 6, 5).saturating_mul(POSITIONS))
    }

    // Request, two accounts, holding, positions, vault.
    fn fill() -> Weight {
        priced::<T>(200, 6, 6)
    }

    fn find_overdue() -> Weight {
        priced::<T>(8, 1, 0)
    }

    fn take_stake() -> Weight {
        priced::<T>(30, 1, 1)
    }

    // Pool, two accounts.
    fn return_stake() -> Weight {
        priced::<T>(180, 3, 3)
    }

    // Pool, two accounts.
    fn reward() -> Weight {
        priced::<T>(190, 3, 3)
    }
}
