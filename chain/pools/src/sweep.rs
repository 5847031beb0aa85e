//! The sweep: in every block it comes by pools in whose queues somebody waits, and does for them what else somebody would have to call for.
//!
//! ```text
//!           front                                  back
//!   Line:     7     2     9     4     ·     ·
//!             │ visit: pay · find overdue · stop sessions (stake pool) or ask stake pools (vault)
//!             └── somebody still waits ──────────► the end of the line
//! ```
//!
//! A pool joins the line when somebody begins to wait there, and stands in it once. A sweep visits each pool of the line once at
//! most: who joins while it goes on is left for the next.

use crate::{
    Config, Ends, Event, FILLS_PER_VISIT, Line, OVERDUE_PER_VISIT, Pallet, Pools, Sessions as _, WeightInfo as _,
};
use frame_support::{pallet_prelude::*, weights::WeightMeter};
use phala_economics::{PoolKind, PoolRecord, Shares};
use phala_messages::PoolId;
use phala_units::Planck;

impl<T: Config> Pallet<T> {
    /// What a sweep needs at least: that of one visit, whatever it finds.
    pub(crate) fn sweep_min() -> Weight {
        T::WeightInfo::sweep_base().saturating_add(Self::visit_max())
    }

    /// Visits so many pools of the line at most, each once; spends no more than `room`, and answers how much it spent.
    pub(crate) fn sweep(room: Weight, visits: u32) -> Weight {
        let mut meter = WeightMeter::with_limit(room);
        if meter.try_consume(T::WeightInfo::sweep_base()).is_err() {
            return Weight::zero();
        }
        let (end, visit_max) = (Ends::<T>::get().back, Self::visit_max());
        for _ in 0..visits {
            if !meter.can_consume(visit_max) {
                break;
            }
            let Some(pool) = Self::next_in_line(end) else { break };
            meter.consume(Self::visit(pool));
        }
        meter.consumed()
    }

    /// Gives a pool a place in the line, if it has none.
    pub(crate) fn join_line(pool: PoolId, record: &mut PoolRecord) {
        if record.queue.in_line {
            return;
        }
        record.queue.in_line = true;
        Ends::<T>::mutate(|ends| {
            Line::<T>::insert(ends.back, pool);
            ends.back = ends.back.saturating_add(1);
        });
    }

    /// Takes the next pool out of the line, if it stands before `end`.
    fn next_in_line(end: u64) -> Option<PoolId> {
        Ends::<T>::mutate(|ends| {
            let place = ends.front;
            if place >= end {
                return None;
            }
            ends.front = place.saturating_add(1);
            Line::<T>::take(place)
        })
    }

    /// The most that a visit costs.
    fn visit_max() -> Weight {
        T::WeightInfo::visit()
            .saturating_add(T::WeightInfo::fill().saturating_mul(FILLS_PER_VISIT.into()))
            .saturating_add(T::WeightInfo::find_overdue().saturating_mul(OVERDUE_PER_VISIT.into()))
            .saturating_add(T::Sessions::weight().saturating_mul(2).max(T::WeightInfo::visit_vault()))
    }

    /// Does for a pool what there is to do, and answers what it cost.
    fn visit(pool: PoolId) -> Weight {
        let mut spent = T::WeightInfo::visit();
        let Some(mut record) = Pools::<T>::get(pool) else { return spent };
        record.queue.in_line = false;
        if record.kind == PoolKind::Vault {
            spent.saturating_accrue(T::WeightInfo::visit_vault());
        }
        // A vault that cannot be valued is paid nothing out of; it stays in line.
        if Self::settle(pool, &mut record).is_ok() {
            let filled = Self::fill(pool, &mut record, FILLS_PER_VISIT);
            let found = Self::find_overdue(pool, &mut record, OVERDUE_PER_VISIT);
            spent.saturating_accrue(T::WeightInfo::fill().saturating_mul(filled.into()));
            spent.saturating_accrue(T::WeightInfo::find_overdue().saturating_mul(found.into()));
        }
        if record.queue.shares > Shares(0) {
            Self::join_line(pool, &mut record);
        }
        // What follows changes other pools, and may change this one.
        Pools::<T>::insert(pool, record);
        match record.kind {
            PoolKind::Vault => Self::recall(pool, &record),
            PoolKind::StakePool => spent.saturating_accrue(Self::stop_sessions(pool, &record)),
        }
        spent
    }

    /// Asks sessions to stop for what is overdue and neither free nor on its way; answers what that cost.
    fn stop_sessions(pool: PoolId, record: &PoolRecord) -> Weight {
        let due = record.ledger.worth(record.queue.shares_overdue);
        let wanted = Planck(due.0.saturating_sub(record.free.0).min(record.at_work.0));
        if wanted == Planck(0) {
            return Weight::zero();
        }
        let before = T::Sessions::on_its_way(pool);
        if before >= wanted {
            return T::Sessions::weight();
        }
        let on_its_way = T::Sessions::release(pool, wanted);
        if on_its_way > before {
            Self::deposit_event(Event::SessionsStopped { pool, wanted, on_its_way });
        }
        T::Sessions::weight().saturating_mul(2)
    }
}
