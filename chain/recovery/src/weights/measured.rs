//! Weights of `recovery`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 2 values of each component, of 9 runs each the quickest quarter's slowest; processor
//! time of the runtime 100 in WebAssembly, with host functions as nodes are built (profile `dev`). Picoseconds, entries read,
//! entries written.

use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn appoint() -> Weight {
        priced::<T>(60_896_000, 2, 3)
    }

    fn set_parameters() -> Weight {
        priced::<T>(24_074_000, 0, 1)
    }

    fn announce() -> Weight {
        priced::<T>(3_044_434_000, 138, 4)
    }

    fn cancel() -> Weight {
        priced::<T>(116_707_000, 3, 3)
    }

    fn bind() -> Weight {
        priced::<T>(369_380_000, 10, 1)
    }

    fn authorize_message() -> Weight {
        priced::<T>(450_648_000, 11, 0)
    }

    fn authorize_call() -> Weight {
        priced::<T>(3_191_521_000, 140, 0)
    }

    fn store_backup() -> Weight {
        priced::<T>(566_790_000, 7, 68)
    }

    fn store_output() -> Weight {
        priced::<T>(1_196_015_000, 6, 69)
    }

    fn call_for() -> Weight {
        priced::<T>(8_158_497_000, 142, 4)
    }

    fn take_seat() -> Weight {
        priced::<T>(13_046_723_000, 231, 135)
    }

    fn advance(ceremonies: u32) -> Weight {
        priced::<T>(16_702_000, 2, 1).saturating_add(priced::<T>(48_967_375, 3, 2).saturating_mul(ceremonies.into()))
    }
}
