//! What pools must know of others.

use frame_support::weights::Weight;
use phala_messages::PoolId;
use phala_units::Planck;

/// The computing sessions that a pool's stake is at work in. The runtime answers from its computation.
///
/// What a session gives back arrives by [`return_stake`](crate::Pallet::return_stake) when its worker has cooled down.
pub trait Sessions {
    /// Asks sessions of the pool to stop, no more of them than necessary, until `wanted` is on its way back; what was on its way
    /// before counts. Answers how much is. A call may stop at a few sessions, to stay within its weight: it is repeated.
    fn release(pool: PoolId, wanted: Planck) -> Planck;

    /// What sessions that have stopped will give back.
    fn on_its_way(pool: PoolId) -> Planck;

    /// The most that one of the two costs.
    fn weight() -> Weight;
}

/// Nobody computes.
impl Sessions for () {
    fn release(_: PoolId, _: Planck) -> Planck {
        Planck(0)
    }

    fn on_its_way(_: PoolId) -> Planck {
        Planck(0)
    }

    fn weight() -> Weight {
        Weight::zero()
    }
}
