//! Weights of `programs`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 2 values of each component, of 9 runs each the quickest quarter's slowest; processor
//! time of the runtime 100 in WebAssembly, with host functions as nodes are built (profile `dev`). Picoseconds, entries read,
//! entries written.

use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn create_cluster() -> Weight {
        priced::<T>(78_434_000, 1, 2)
    }

    fn assign_worker() -> Weight {
        priced::<T>(221_402_000, 4, 3)
    }

    fn unassign_worker() -> Weight {
        priced::<T>(172_831_000, 3, 3)
    }

    fn deploy(hosts: u32) -> Weight {
        priced::<T>(730_943_000, 8, 11).saturating_add(priced::<T>(0, 0, 0).saturating_mul(hosts.into()))
    }

    fn remove() -> Weight {
        priced::<T>(781_654_000, 9, 13)
    }

    fn command(bytes: u32) -> Weight {
        priced::<T>(626_528_722, 7, 5).saturating_add(priced::<T>(0, 0, 0).saturating_mul(bytes.into()))
    }

    fn authorize_ready() -> Weight {
        priced::<T>(272_387_000, 7, 0)
    }

    fn ready() -> Weight {
        priced::<T>(207_049_000, 6, 3)
    }

    fn authorize_anchor() -> Weight {
        priced::<T>(273_083_000, 9, 0)
    }

    fn anchor(commands: u32) -> Weight {
        priced::<T>(194_674_168, 8, 2).saturating_add(priced::<T>(205_438_993, 4, 3).saturating_mul(commands.into()))
    }

    fn upgrade() -> Weight {
        priced::<T>(250_537_000, 3, 2)
    }

    fn authorize_moved() -> Weight {
        priced::<T>(333_388_000, 11, 0)
    }

    fn moved() -> Weight {
        priced::<T>(558_709_000, 10, 4)
    }

    fn authorize_lead() -> Weight {
        priced::<T>(250_281_000, 7, 0)
    }

    fn lead() -> Weight {
        priced::<T>(958_675_000, 16, 9)
    }

    fn find_abandoned() -> Weight {
        priced::<T>(95_802_000, 2, 1)
    }

    fn release_abandoned() -> Weight {
        priced::<T>(780_979_000, 3, 3)
    }
}
