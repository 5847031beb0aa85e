//! Work: where workers, pools of stake and hosted programs meet.
//!
//! ```text
//! registry ── machine ──┐                        ┌── take_stake, return_stake, reward ──► pools
//! programs ── serving, ─┼──►  computation  ◄─────┤
//!             anchors   │                        └── release, on_its_way ◄── pools (a queue is overdue)
//! babe ────── chance ───┘         ▲
//!                                 └── deposed ◄── programs (a lead was silent)
//! ```

use crate::{
    AccountId, Balances, Computation, Pools, Registry, Runtime, Timestamp, configs::Registered, constants::*, token,
};
use frame_support::{PalletId, parameter_types, traits::ConstU32, weights::Weight};
use pallet_computation::WeightInfo as _;
use phala_economics::Confidence;
use phala_messages::{Account, AnchorRecord, PoolId, ProgramId, Role, WorkerId};
use phala_units::{BlockNumber, Planck};
use sp_runtime::{DispatchResult, traits::AccountIdConversion};

parameter_types! {
    /// Pools' accounts follow from it.
    pub const PoolsId: PalletId = PalletId(*b"phala/po");
    /// Pays work.
    pub RewardsPot: AccountId = token::REWARDS.into_account_truncating();
}

impl pallet_computation::Workers for Registered {
    fn machine(worker: &WorkerId) -> Option<pallet_computation::Machine> {
        let record = Registry::registered(worker, Role::Worker)?;
        let instance = record.registration.instance;
        Some(pallet_computation::Machine {
            instance,
            confidence: Confidence::from_attested(&record.attested),
            since: record.admitted_block,
            expires_at: record.expires_at,
            admitted: Registry::is_admitted(worker, &instance, Role::Worker),
        })
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(worker: &WorkerId, instance: &phala_messages::InstanceKey) {
        pallet_registry::benchmarking::admit::<Runtime>(Role::Worker, worker, instance);
    }
}

/// Computation asks programs who hosts, and what was anchored.
pub struct Hosting;

impl pallet_computation::Serving for Hosting {
    fn serves(worker: &WorkerId) -> bool {
        let cluster = pallet_programs::Assignments::<Runtime>::get(worker);
        cluster.is_some_and(|cluster| {
            pallet_programs::ClusterPrograms::<Runtime>::iter_key_prefix(cluster).next().is_some()
        })
    }
}

impl pallet_computation::Programs for Hosting {
    fn anchor(program: &ProgramId) -> Option<AnchorRecord> {
        pallet_programs::Anchors::<Runtime>::get(program)
    }

    fn owner(program: &ProgramId) -> Option<Account> {
        pallet_programs::Programs::<Runtime>::get(program).map(|record| record.owner)
    }

    fn moved(program: &ProgramId) -> Option<BlockNumber> {
        pallet_programs::KeyRecords::<Runtime>::get(program).moved.map(|moved| moved.block)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn deploy_for_benchmark(owner: &Account) -> ProgramId {
        pallet_programs::benchmarking::found::<Runtime>(owner)
    }
}

/// Chance of BABE's: of the parent's slot where its author drew for it, else of the epoch. Computation mixes the block's number in.
pub struct Chance;

impl pallet_computation::Randomness for Chance {
    fn seed() -> [u8; 32] {
        pallet_babe::AuthorVrfRandomness::<Runtime>::get().unwrap_or_else(pallet_babe::Randomness::<Runtime>::get)
    }
}

/// Computation takes stake out of pools, and brings stake and rewards back.
pub struct Stakes;

impl pallet_computation::Pools<AccountId> for Stakes {
    fn owner(pool: PoolId) -> Option<AccountId> {
        Pools::is_stake_pool(pool).then(|| Pools::owner(pool)).flatten()
    }

    fn account(pool: PoolId) -> AccountId {
        Pools::account(pool)
    }

    fn take_stake(pool: PoolId, amount: Planck) -> DispatchResult {
        Pools::take_stake(pool, amount)
    }

    fn return_stake(pool: PoolId, returned: Planck, slashed: Planck) -> DispatchResult {
        Pools::return_stake(pool, returned, slashed)
    }

    fn reward(pool: PoolId, amount: Planck) {
        // It is in the pool's account by now. No pool ever disappears, and what none can take goes to the treasury.
        if Pools::reward(pool, amount).is_err() {
            frame_support::defensive!("a session's pool takes its rewards");
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn found_for_benchmark(owner: &AccountId, free: Planck) -> PoolId {
        pallet_pools::benchmarking::found::<Runtime>(owner, free)
    }
}

impl pallet_computation::Config for Runtime {
    type Workers = Registered;
    type Pools = Stakes;
    type Serving = Hosting;
    type Programs = Hosting;
    type Randomness = Chance;
    type Currency = Balances;
    type Pot = RewardsPot;
    type Treasury = token::TreasuryAccount;
    type Slashed = token::TreasuryAccount;
    type Time = Timestamp;
    type BlockMs = ConstU32<{ BLOCK_MS as u32 }>;
    type AdminOrigin = crate::origins::Referendum;
    type WeightInfo = pallet_computation::weights::SubstrateWeight<Runtime>;
}

/// Pools stop sessions for those who wait for their stake.
pub struct Sessions;

impl pallet_pools::Sessions for Sessions {
    fn release(pool: PoolId, wanted: Planck) -> Planck {
        Computation::release(pool, wanted)
    }

    fn on_its_way(pool: PoolId) -> Planck {
        Computation::on_its_way(pool)
    }

    fn weight() -> Weight {
        <Runtime as pallet_computation::Config>::WeightInfo::release()
    }
}

impl pallet_pools::Config for Runtime {
    type Currency = Balances;
    type Sessions = Sessions;
    type PalletId = PoolsId;
    type SlashTo = token::TreasuryAccount;
    type UnclaimedTo = token::TreasuryAccount;
    type WeightInfo = pallet_pools::weights::SubstrateWeight<Runtime>;
}
