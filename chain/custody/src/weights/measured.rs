//! Weights of `custody`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.
//!
//! 2 × Intel(R) Xeon(R) Processor @ 2.50GHz; 2026-11-22; 3 values of each component, of 9 runs each the quickest quarter's slowest; processor
//! time of the runtime 100 in WebAssembly, with host functions as nodes are built (profile `dev`). Picoseconds, entries read,
//! entries written.

use super::{SubstrateWeight, WeightInfo, estimated, priced};
use frame_support::weights::Weight;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn bond() -> Weight {
        priced::<T>(668_485_000, 9, 6)
    }

    fn unbond() -> Weight {
        priced::<T>(243_753_000, 11, 2)
    }

    fn withdraw_bond() -> Weight {
        priced::<T>(293_717_000, 7, 7)
    }

    fn approve() -> Weight {
        priced::<T>(75_147_000, 2, 2)
    }

    fn set_parameters() -> Weight {
        priced::<T>(277_660_000, 14, 2)
    }

    fn rotate_root() -> Weight {
        priced::<T>(123_698_000, 4, 2)
    }

    fn close_root() -> Weight {
        priced::<T>(8_649_891_000, 145, 132)
    }

    fn authorize_message() -> Weight {
        priced::<T>(522_347_000, 7, 0)
    }

    fn commit_log() -> Weight {
        priced::<T>(263_446_000, 7, 2)
    }

    fn confirm() -> Weight {
        priced::<T>(329_551_000, 7, 2)
    }

    fn report_output() -> Weight {
        priced::<T>(9_620_535_000, 279, 262)
    }

    fn judge_evidence() -> Weight {
        // Not measured.
        estimated::judge_evidence::<T>()
    }

    fn complain() -> Weight {
        priced::<T>(1_287_871_000, 21, 9)
    }

    fn log_deliveries() -> Weight {
        priced::<T>(338_192_000, 6, 2)
    }

    fn watch() -> Weight {
        priced::<T>(414_868_000, 20, 1)
    }

    fn look(candidates: u32) -> Weight {
        priced::<T>(947_556_048, 17, 0).saturating_add(priced::<T>(68_394_593, 3, 0).saturating_mul(candidates.into()))
    }

    fn open_round() -> Weight {
        priced::<T>(496_255_000, 130, 133)
    }

    fn end_phase() -> Weight {
        priced::<T>(140_070_000, 3, 2)
    }
}
