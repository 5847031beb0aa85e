//! Expiry: a record outlives its admission, but not for ever.
//!
//! An expired worker is no longer admitted, yet its record stays readable, so that people see what became
//! of it and its next registration is known for what it is. Long after, a sweep forgets it: every
//! [`SWEEP_BLOCKS`] blocks, when the block has room, it looks at the next few records.

use crate::{Config, Event, EvidenceBlocks, Instances, Pallet, SweptUpTo, WeightInfo as _, Workers};
use frame_support::{pallet_prelude::*, weights::WeightMeter};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Zero;

/// How long a record stays after its admission ran out: seven days.
pub const RECORD_KEPT_MS: u64 = 7 * 24 * 3_600_000;
/// Blocks from one sweep to the next.
pub const SWEEP_BLOCKS: u32 = 32;
/// Records that one sweep looks at.
pub const SWEEP_RECORDS_MAX: u32 = 32;

impl<T: Config> Pallet<T> {
    /// Looks at the next records, as many as `room` allows, and forgets those that expired long ago.
    pub(crate) fn sweep(block: BlockNumberFor<T>, room: Weight) -> Weight {
        let mut meter = WeightMeter::with_limit(room);
        let is_due = (block % BlockNumberFor::<T>::from(SWEEP_BLOCKS)).is_zero();
        if !is_due || meter.try_consume(T::WeightInfo::sweep(0)).is_err() {
            return Weight::zero();
        }
        let one = T::WeightInfo::sweep(1).saturating_sub(T::WeightInfo::sweep(0));
        let now = Self::now();
        let mut records = match SweptUpTo::<T>::get() {
            Some(last) => Workers::<T>::iter_from(Workers::<T>::hashed_key_for(last)),
            None => Workers::<T>::iter(),
        };
        let mut last = None;
        for _ in 0..SWEEP_RECORDS_MAX {
            if meter.try_consume(one).is_err() {
                break;
            }
            let Some((worker, record)) = records.next() else {
                last = None;
                break;
            };
            last = Some(worker);
            if now.since(record.expires_at) >= RECORD_KEPT_MS {
                Workers::<T>::remove(worker);
                Instances::<T>::remove(record.registration.instance);
                EvidenceBlocks::<T>::remove(worker);
                Self::deposit_event(Event::WorkerForgotten { worker });
            }
        }
        SweptUpTo::<T>::set(last);
        meter.consumed()
    }
}
