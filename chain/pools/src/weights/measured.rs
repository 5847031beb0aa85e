//! Weights of `pools`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 4 values of each component, of 8 runs each the quickest quarter's slowest; runtime 100 in
//! WebAssembly, host functions as nodes are built (profile `dev`). Picoseconds, entries read, entries written.
use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn create() -> Weight {
        priced::<T>(325_349_000, 4, 6)
    }

    fn set_commission() -> Weight {
        priced::<T>(881_465_000, 35, 2)
    }

    fn set_cap() -> Weight {
        priced::<T>(86_606_000, 1, 1)
    }

    fn set_description() -> Weight {
        priced::<T>(91_160_000, 1, 1)
    }

    fn add_to_list() -> Weight {
        priced::<T>(65_957_000, 2, 2)
    }

    fn remove_from_list() -> Weight {
        priced::<T>(64_535_000, 2, 2)
    }

    fn close() -> Weight {
        priced::<T>(70_498_000, 1, 1)
    }

    fn remove() -> Weight {
        priced::<T>(543_000_000, 104, 105)
    }

    fn contribute() -> Weight {
        priced::<T>(648_383_000, 39, 6)
    }

    fn withdraw() -> Weight {
        priced::<T>(708_821_000, 40, 8)
    }

    fn cancel_withdrawal() -> Weight {
        priced::<T>(100_144_000, 3, 3)
    }

    fn transfer_shares() -> Weight {
        priced::<T>(131_277_000, 7, 4)
    }

    fn vault_contribute() -> Weight {
        priced::<T>(632_989_000, 37, 7)
    }

    fn settle_vault() -> Weight {
        priced::<T>(467_654_000, 35, 2)
    }

    fn check_votes() -> Weight {
        priced::<T>(7_004_825_000, 561, 0)
    }

    fn sweep_base() -> Weight {
        priced::<T>(9_084_000, 1, 1)
    }

    fn visit() -> Weight {
        priced::<T>(82_475_000, 4, 4)
    }

    fn visit_vault() -> Weight {
        priced::<T>(1_374_144_000, 37, 68)
    }

    fn fill() -> Weight {
        priced::<T>(252_758_000, 6, 6)
    }

    fn find_overdue() -> Weight {
        priced::<T>(25_544_000, 1, 0)
    }

    fn take_stake() -> Weight {
        priced::<T>(29_101_000, 1, 1)
    }

    fn return_stake() -> Weight {
        priced::<T>(166_408_000, 3, 3)
    }

    fn reward() -> Weight {
        priced::<T>(166_448_000, 3, 3)
    }
}
