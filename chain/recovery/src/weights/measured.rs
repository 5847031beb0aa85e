//! Weights of `recovery`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 4 values of each component, of 8 runs each the quickest quarter's slowest; runtime 100 in
//! WebAssembly, host functions as nodes are built (profile `dev`). Picoseconds, entries read, entries written.
use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn appoint() -> Weight {
        priced::<T>(124_464_000, 2, 3)
    }

    fn set_parameters() -> Weight {
        priced::<T>(40_562_000, 0, 1)
    }

    fn announce() -> Weight {
        priced::<T>(3_157_274_000, 138, 4)
    }

    fn cancel() -> Weight {
        priced::<T>(116_605_000, 3, 3)
    }

    fn bind() -> Weight {
        priced::<T>(328_036_000, 10, 1)
    }

    fn authorize_message() -> Weight {
        priced::<T>(651_016_000, 11, 0)
    }

    fn authorize_call() -> Weight {
        priced::<T>(4_533_058_000, 140, 0)
    }

    fn store_backup() -> Weight {
        priced::<T>(956_786_000, 7, 68)
    }

    fn store_output() -> Weight {
        priced::<T>(750_809_000, 6, 69)
    }

    fn call_for() -> Weight {
        priced::<T>(5_364_631_000, 142, 4)
    }

    fn take_seat() -> Weight {
        priced::<T>(19_855_356_000, 227, 135)
    }

    fn advance(ceremonies: u32) -> Weight {
        priced::<T>(72_677_752, 2, 1).saturating_add(priced::<T>(80_913_156, 3, 2).saturating_mul(ceremonies.into()))
    }
}
