//! What this pallet must know of others. The runtime answers.

use phala_messages::{Account, PoolId, ProgramId, WorkerId};
use phala_units::Planck;

/// The programs that are staked on and called.
pub trait Programs {
    /// Who owns a program. None when there is none, or it was removed.
    fn owner(program: &ProgramId) -> Option<Account>;

    /// Makes a program of this owner's exist.
    #[cfg(feature = "runtime-benchmarks")]
    fn deploy_for_benchmark(owner: &Account) -> ProgramId;
}

/// Who is paid for an answer: the pool that a worker works for.
pub trait Earners<AccountId> {
    /// The worker's pool. None when it works for nobody.
    fn pool(worker: &WorkerId) -> Option<PoolId>;

    /// The account that a pool is paid into.
    fn account(pool: PoolId) -> AccountId;

    /// Notes that `amount` was paid into [`Earners::account`].
    fn reward(pool: PoolId, amount: Planck);

    /// What [`Earners::reward`] costs.
    fn weight_of_reward() -> frame_support::weights::Weight;
}
