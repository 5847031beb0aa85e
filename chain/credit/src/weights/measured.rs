//! Weights of `credit`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 4 values of each component, of 8 runs each the quickest quarter's slowest; runtime 100 in
//! WebAssembly, host functions as nodes are built (profile `dev`). Picoseconds, entries read, entries written.
use super::{SubstrateWeight, WeightInfo, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn stake() -> Weight {
        priced::<T>(246_997_000, 5, 4)
    }

    fn unstake() -> Weight {
        priced::<T>(371_167_000, 5, 4)
    }

    fn withdraw_unstaked() -> Weight {
        priced::<T>(299_721_000, 3, 3)
    }

    fn top_up() -> Weight {
        priced::<T>(582_563_000, 5, 4)
    }

    fn withdraw_credit() -> Weight {
        priced::<T>(384_726_000, 4, 3)
    }

    fn set_payer() -> Weight {
        priced::<T>(153_254_000, 2, 1)
    }

    fn refund_late() -> Weight {
        priced::<T>(303_763_000, 3, 3)
    }

    fn set_price() -> Weight {
        priced::<T>(40_669_000, 0, 1)
    }

    fn reserve() -> Weight {
        priced::<T>(616_464_000, 5, 4)
    }

    fn spent(commands: u32) -> Weight {
        priced::<T>(5_326_000_172, 4, 3).saturating_add(priced::<T>(13_471_634, 1, 1).saturating_mul(commands.into()))
    }

    fn refunded() -> Weight {
        priced::<T>(164_228_000, 3, 3)
    }

    fn removed() -> Weight {
        priced::<T>(169_986_000, 3, 3)
    }
}
