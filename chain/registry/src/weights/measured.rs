//! Weights of `registry`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 4 values of each component, of 9 runs each the quickest quarter's slowest; processor
//! time of the runtime 100 in WebAssembly, with host functions as nodes are built (profile `dev`). Picoseconds, entries read,
//! entries written.

use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn authorize_register() -> Weight {
        priced::<T>(4_159_032_000, 14, 1)
    }

    fn register() -> Weight {
        priced::<T>(198_579_000, 7, 6)
    }

    fn authorize_store_collateral() -> Weight {
        priced::<T>(2_468_599_000, 5, 1)
    }

    fn store_collateral() -> Weight {
        priced::<T>(131_064_000, 3, 3)
    }

    fn allow_measurement() -> Weight {
        priced::<T>(86_500_000, 1, 1)
    }

    fn disallow_measurement() -> Weight {
        priced::<T>(92_412_000, 1, 1)
    }

    fn set_policy() -> Weight {
        priced::<T>(52_772_000, 0, 1)
    }

    fn set_root(pieces: u32) -> Weight {
        priced::<T>(404_104_336, 1, 2).saturating_add(priced::<T>(6_045_972, 1, 1).saturating_mul(pieces.into()))
    }

    fn sweep(records: u32) -> Weight {
        priced::<T>(939_126_409, 3, 1).saturating_add(priced::<T>(62_660_171, 1, 3).saturating_mul(records.into()))
    }
}
