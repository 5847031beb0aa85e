//! Paying for computation: where commands, their credit, and the pools of those who answer meet.
//!
//! ```text
//! programs ── reserve, spent, refunded, removed ──► credit ── reward ──► pools
//!             owner ◄──────────────────────────────┘   └── who works for whom ──► computation
//! ```

use crate::{AccountId, Balances, Credit, Pools, Runtime, RuntimeHoldReason, constants::*, token, work::RewardsPot};
use core::ops::Range;
use frame_support::{
    PalletId, parameter_types,
    traits::{ConstU32, ConstU128},
    weights::Weight,
};
use pallet_credit::WeightInfo as _;
use pallet_pools::WeightInfo as _;
use phala_messages::{Account, CommandRecord, PoolId, ProgramId, ProgramLimits, WorkerId};
use phala_units::Planck;
use sp_runtime::DispatchResult;

/// Keeps programs' credit, and what lies aside for commands.
pub const CREDIT: PalletId = PalletId(*b"phala/cr");

parameter_types! {
    /// Its account.
    pub CreditEscrow: AccountId = token::pot(CREDIT);
}

type Weights = pallet_credit::weights::SubstrateWeight<Runtime>;

/// Programs tell credit of their commands.
pub struct Paid;

impl pallet_programs::Payments for Paid {
    fn reserve(
        program: &ProgramId,
        index: u64,
        command: &CommandRecord,
        limits: &ProgramLimits,
        price_max: Option<Planck>,
    ) -> DispatchResult {
        let sealed_bytes = u32::try_from(command.sealed.len()).unwrap_or(u32::MAX);
        Credit::reserve(program, index, command.caller, sealed_bytes, limits, price_max)
    }

    fn spent(program: &ProgramId, commands: Range<u64>, worker: &WorkerId) {
        Credit::spent(program, commands, worker);
    }

    fn refunded(program: &ProgramId, command: u64) {
        Credit::refunded(program, command);
    }

    fn removed(program: &ProgramId, owner: &Account) {
        Credit::removed(program, owner);
    }

    fn weight_of_reserve() -> Weight {
        Weights::reserve()
    }

    fn weight_of_spent(commands: u32) -> Weight {
        <Earning as pallet_credit::Earners<AccountId>>::weight_of_reward().saturating_add(Weights::spent(commands))
    }

    fn weight_of_refunded() -> Weight {
        Weights::refunded()
    }

    fn weight_of_removed() -> Weight {
        Weights::removed()
    }
}

/// Credit asks programs whose they are.
pub struct Deployed;

impl pallet_credit::Programs for Deployed {
    fn owner(program: &ProgramId) -> Option<Account> {
        pallet_programs::Programs::<Runtime>::get(program).map(|record| record.owner)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn deploy_for_benchmark(owner: &Account) -> ProgramId {
        pallet_programs::benchmarking::found::<Runtime>(owner)
    }
}

/// Credit pays the pools that workers work for.
pub struct Earning;

impl pallet_credit::Earners<AccountId> for Earning {
    fn pool(worker: &WorkerId) -> Option<PoolId> {
        pallet_computation::Work::<Runtime>::get(worker).map(|record| record.pool)
    }

    fn account(pool: PoolId) -> AccountId {
        Pools::account(pool)
    }

    fn reward(pool: PoolId, amount: Planck) {
        // It is in the pool's account by now. No pool ever disappears, and what none can take goes to the treasury.
        if Pools::reward(pool, amount).is_err() {
            frame_support::defensive!("a worker's pool takes its rewards");
        }
    }

    fn weight_of_reward() -> Weight {
        <Runtime as pallet_pools::Config>::WeightInfo::reward()
    }
}

impl pallet_credit::Config for Runtime {
    type Programs = Deployed;
    type Earners = Earning;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Escrow = CreditEscrow;
    type Pot = RewardsPot;
    type StakeMin = ConstU128<PROGRAM_STAKE_MIN>;
    type UnstakeBlocks = ConstU32<UNSTAKE_BLOCKS>;
    type LateBlocks = ConstU32<LATE_BLOCKS>;
    type AdminOrigin = crate::origins::Referendum;
    type WeightInfo = Weights;
}
