//! Where recovery meets custody: what it must know of members, and what it changes. The runtime joins them.

use frame_support::pallet_prelude::*;
use phala_messages::{
    InstanceKey, WorkerId,
    custody::{EpochRecord, RootGeneration},
};

/// What recovery must know of custody, and may change in it. The runtime answers from its custody and its registry.
pub trait Custody {
    /// The current epoch of a root that is not closed.
    fn epoch(root: RootGeneration) -> Option<EpochRecord>;

    /// The current instance of a machine that is admitted as a gatekeeper now.
    fn instance(gatekeeper: &WorkerId) -> Option<InstanceKey>;

    /// Whether a machine may take a seat of the root: bonded, approved, admitted, not leaving, and no member of its epoch.
    fn may_take_seat(root: RootGeneration, gatekeeper: &WorkerId) -> bool;

    /// From now on these machines hold these seats of the root's current epoch; those that held them are expelled.
    fn reseat(root: RootGeneration, seats: &[(u32, WorkerId)]) -> DispatchResult;

    /// A new master key is wanted, because this root's key shares were in custodians' hands.
    fn rotate(root: RootGeneration) -> DispatchResult;

    /// Makes a root whose epoch came to this and has as many members as there may be, all admitted with one instance. Answers the
    /// root, and as many machines that may take their seats.
    #[cfg(feature = "runtime-benchmarks")]
    fn arrange_for_benchmark(
        instance: &InstanceKey,
        output_hash: phala_messages::Hash,
    ) -> Option<(RootGeneration, alloc::vec::Vec<WorkerId>)>;
}
