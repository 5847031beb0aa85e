//! What each call costs.
//!
//! Estimates in the manner of `pallet-custody`: checking a signature is taken as 320 µs, a transfer as 60 µs, settling a session as 60 µs (measured
//! natively: 10 µs), decoding and encoding a pool's list of 200 workers as 100 µs. Storage accesses are counted from the code, with what the
//! runtime's pools, registry and programs access for them, and priced by the runtime's `DbWeight`. A test of this pallet holds the counts
//! of writes against what a heartbeat writes.
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of its authorisation where it carries its own authority.
pub trait WeightInfo {
    /// `bind`.
    fn bind() -> Weight;
    /// `unbind` of a worker that computes.
    fn unbind() -> Weight;
    /// `start`.
    fn start() -> Weight;
    /// `stop` and `force_stop`.
    fn stop() -> Weight;
    /// `restart`.
    fn restart() -> Weight;
    /// `reclaim`.
    fn reclaim() -> Weight;
    /// Checking a score.
    fn authorize_score() -> Weight;
    /// `report_score`.
    fn report_score() -> Weight;
    /// Checking a heartbeat.
    fn authorize_heartbeat() -> Weight;
    /// `heartbeat`.
    fn heartbeat() -> Weight;
    /// `report_fault`, the gravest.
    fn report_fault() -> Weight;
    /// `set_tariff`, `set_budget`, `set_rules`.
    fn set() -> Weight;
    /// The beginning of a block that finds so many overdue challenges answered, lets so many workers fall silent that did not
    /// answer theirs, and asks so many.
    fn begin_block(answered: u32, silent: u32, asked: u32) -> Weight;
    /// One step of returning stakes.
    fn sweep() -> Weight;
    /// [`crate::Pallet::release`].
    fn release() -> Weight;
}

/// Computation, estimated, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn bind() -> Weight {
        priced::<T>(440, 9, 2)
    }

    fn unbind() -> Weight {
        Self::stop().saturating_add(priced::<T>(110, 3, 2))
    }

    // The pool's owner and free stake, the machine, prices, the index, the lists.
    fn start() -> Weight {
        priced::<T>(260, 16, 10)
    }

    // The last of the list of responsive workers takes this one's place.
    fn stop() -> Weight {
        priced::<T>(230, 14, 11)
    }

    fn restart() -> Weight {
        priced::<T>(440, 26, 20)
    }

    fn reclaim() -> Weight {
        Self::sweep().saturating_add(priced::<T>(20, 1, 0))
    }

    fn authorize_score() -> Weight {
        priced::<T>(330, 6, 0)
    }

    fn report_score() -> Weight {
        priced::<T>(30, 5, 1)
    }

    fn authorize_heartbeat() -> Weight {
        priced::<T>(340, 6, 0)
    }

    // Work, session, machine (3), tariff, budget, index, serving (3), pot, pool (its record, commission, two accounts), treasury; or the list.
    fn heartbeat() -> Weight {
        priced::<T>(330, 18, 10)
    }

    // Two signatures, and a worker that is banned: its session ends at once.
    fn report_fault() -> Weight {
        priced::<T>(900, 20, 12)
            .saturating_add(Self::stop())
            .saturating_add(Self::sweep())
            .saturating_add(priced::<T>(100, 2, 2))
    }

    fn set() -> Weight {
        priced::<T>(40, 2, 2)
    }

    fn begin_block(checked: u32, silent: u32, asked: u32) -> Weight {
        let each = |weight: Weight, count: u32| weight.saturating_mul(count.into());
        priced::<T>(30, 7, 3)
            .saturating_add(each(priced::<T>(10, 2, 0), checked))
            .saturating_add(each(priced::<T>(100, 6, 6), silent))
            .saturating_add(each(priced::<T>(15, 2, 1), asked))
    }

    // The session, the pool's record and account, the account of what is slashed, the treasury, the pool's lists.
    fn sweep() -> Weight {
        priced::<T>(260, 13, 10)
    }

    fn release() -> Weight {
        priced::<T>(110, 3, 0).saturating_add(Self::stop().saturating_mul(crate::RELEASE_SESSIONS_MAX as u64))
    }
}
