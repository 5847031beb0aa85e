//! What this pallet must know of others. The runtime answers.

use frame_support::pallet_prelude::*;
use phala_economics::Confidence;
use phala_messages::{Account, AnchorRecord, InstanceKey, PoolId, ProgramId, WorkerId};
use phala_units::{BlockNumber, Planck, UnixMillis};

/// A worker, as the registry knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its current process.
    pub instance: InstanceKey,
    /// How far its evidence is trusted.
    pub confidence: Confidence,
    /// The block in which this process was admitted.
    pub since: BlockNumber,
    /// When its admission runs out, or ran out.
    pub expires_at: UnixMillis,
    /// Whether it is admitted now: not expired, and running code that the network still allows.
    pub admitted: bool,
}

/// Who is registered in the role of a worker.
pub trait Workers {
    /// A worker, admitted or expired. None for who never registered.
    fn machine(worker: &WorkerId) -> Option<Machine>;

    /// Makes a worker exist with this instance, admitted, without evidence.
    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(worker: &WorkerId, instance: &InstanceKey);
}

/// Whether a worker hosts programs: then it is paid by its score, whatever the benchmark measures beside them.
pub trait Serving {
    /// Whether the worker's cluster has a program.
    fn serves(worker: &WorkerId) -> bool;
}

/// What programs have anchored: a fault is measured against it.
pub trait Programs {
    /// The newest anchor.
    fn anchor(program: &ProgramId) -> Option<AnchorRecord>;

    /// Who is harmed by a false answer.
    fn owner(program: &ProgramId) -> Option<Account>;

    /// The block of the program's last move to another key or other code: the same commands may come to another root after it.
    fn moved(program: &ProgramId) -> Option<BlockNumber>;

    /// Makes a program of this owner's exist.
    #[cfg(feature = "runtime-benchmarks")]
    fn deploy_for_benchmark(owner: &Account) -> ProgramId;
}

/// Chance that nobody chooses.
pub trait Randomness {
    /// Chance for this block, the same wherever it is asked for.
    fn seed() -> [u8; 32];
}

/// Pools of stake.
pub trait Pools<AccountId> {
    /// Who decides about the pool's workers. None for what is no pool of this kind: a vault puts no stake to work.
    fn owner(pool: PoolId) -> Option<AccountId>;

    /// The account that a payout is paid into.
    fn account(pool: PoolId) -> AccountId;

    /// Puts free stake to work.
    ///
    /// # Errors
    /// When so much is not free.
    fn take_stake(pool: PoolId, amount: Planck) -> DispatchResult;

    /// Gives back what was at work: `returned` is free again, and `slashed` has gone to [`crate::Config::Slashed`].
    ///
    /// # Errors
    /// When so much was not at work; then nothing has moved.
    fn return_stake(pool: PoolId, returned: Planck, slashed: Planck) -> DispatchResult;

    /// Notes that `amount` was paid into [`Pools::account`].
    fn reward(pool: PoolId, amount: Planck);

    /// Makes a pool with so much free stake.
    #[cfg(feature = "runtime-benchmarks")]
    fn found_for_benchmark(owner: &AccountId, free: Planck) -> PoolId;
}
