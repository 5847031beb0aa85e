//! Weights of `computation`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 2 values of each component, of 7 runs each the quickest quarter's slowest; processor
//! time of the runtime 100 in WebAssembly, with host functions as nodes are built (profile `dev`). Picoseconds, entries read,
//! entries written.

use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn bind() -> Weight {
        priced::<T>(465_507_000, 8, 2)
    }

    fn unbind() -> Weight {
        priced::<T>(258_173_000, 12, 9)
    }

    fn start() -> Weight {
        priced::<T>(334_485_000, 13, 9)
    }

    fn stop() -> Weight {
        priced::<T>(405_724_000, 13, 9)
    }

    fn restart() -> Weight {
        priced::<T>(558_464_000, 14, 9)
    }

    fn reclaim() -> Weight {
        priced::<T>(262_242_000, 7, 6)
    }

    fn authorize_score() -> Weight {
        priced::<T>(367_904_000, 6, 0)
    }

    fn report_score() -> Weight {
        priced::<T>(258_589_000, 5, 1)
    }

    fn authorize_heartbeat() -> Weight {
        priced::<T>(437_685_000, 6, 0)
    }

    fn heartbeat() -> Weight {
        priced::<T>(789_306_000, 14, 8)
    }

    fn report_fault() -> Weight {
        priced::<T>(1_263_453_000, 21, 16)
    }

    fn set() -> Weight {
        priced::<T>(103_717_000, 1, 2)
    }

    fn begin_block(answered: u32, silent: u32, asked: u32) -> Weight {
        priced::<T>(15_275_831_184, 70, 67)
            .saturating_add(priced::<T>(55_988_829, 2, 0).saturating_mul(answered.into()))
            .saturating_add(priced::<T>(131_912_915, 4, 4).saturating_mul(silent.into()))
            .saturating_add(priced::<T>(66_037_267, 2, 1).saturating_mul(asked.into()))
    }

    fn sweep() -> Weight {
        priced::<T>(351_803_000, 10, 7)
    }

    fn release() -> Weight {
        priced::<T>(974_857_000, 28, 37)
    }
}
