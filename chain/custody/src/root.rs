//! Roots: a new one is made, programs move to it, the old one is given up.

use crate::{
    Config, EarlyRefreshes, Error, Event, LiveRoots, OpenRoot, Pallet, ProgramRootOf, ProgramRoots, ROOTS_LIVE_MAX,
    RootWanted, Roots,
};
use frame_support::pallet_prelude::*;
use phala_messages::{
    ProgramId,
    custody::{Abandonment, RootGeneration, RootStatus},
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_rotate_root() -> DispatchResult {
        let newest = RootWanted::<T>::get();
        ensure!(Roots::<T>::contains_key(newest), Error::<T>::RotationPending);
        ensure!((LiveRoots::<T>::get().len() as u32) < ROOTS_LIVE_MAX, Error::<T>::RootsFull);
        let root = newest.next();
        ensure!(root != newest, Error::<T>::RootsFull);
        RootWanted::<T>::put(root);
        Self::look_soon();
        Self::deposit_event(Event::RotationWanted { root });
        Ok(())
    }

    pub(crate) fn do_close_root(root: RootGeneration) -> DispatchResult {
        let mut record = Roots::<T>::get(root).ok_or(Error::<T>::RootUnknown)?;
        ensure!(record.status == RootStatus::Closing, Error::<T>::RootNotClosing);
        ensure!(record.programs == 0, Error::<T>::RootInUse);
        let now = Self::block();
        if let Some(round) = Self::running().filter(|round| round.root == root) {
            Self::abandon(round, Abandonment::RootClosed, now);
        }
        let epoch = Self::epoch_of(root);
        record.status = RootStatus::Closed;
        Roots::<T>::insert(root, record);
        LiveRoots::<T>::mutate(|live| live.retain(|other| *other != root));
        for member in epoch.into_iter().flat_map(|epoch| epoch.members) {
            Self::note_departure(&member.gatekeeper, now);
        }
        Self::forget_epoch(record.epoch);
        EarlyRefreshes::<T>::remove(root);
        Self::set_refresh_time();
        Self::deposit_event(Event::RootClosed { root });
        Ok(())
    }

    /// Changes how many programs a root has.
    fn count_programs(root: RootGeneration, change: impl FnOnce(u64) -> u64) {
        Roots::<T>::mutate(root, |record| match record {
            Some(record) => record.programs = change(record.programs),
            None => {
                frame_support::defensive!("a program's root is known");
            }
        });
    }
}

impl<T: Config> ProgramRoots for Pallet<T> {
    fn open_root() -> Option<RootGeneration> {
        OpenRoot::<T>::get()
    }

    fn root_of(program: &ProgramId) -> Option<RootGeneration> {
        ProgramRootOf::<T>::get(program)
    }

    fn root_wanted(program: &ProgramId) -> Option<RootGeneration> {
        let root = ProgramRootOf::<T>::get(program)?;
        let is_open = Roots::<T>::get(root).is_some_and(|record| record.status == RootStatus::Open);
        if is_open { Some(root) } else { OpenRoot::<T>::get().or(Some(root)) }
    }

    fn note_program_root(program: &ProgramId, root: RootGeneration) -> DispatchResult {
        let from = ProgramRootOf::<T>::get(program);
        if from == Some(root) {
            return Ok(());
        }
        let record = Roots::<T>::get(root).ok_or(Error::<T>::RootUnknown)?;
        ensure!(record.status == RootStatus::Open, Error::<T>::RootNotOpen);
        if let Some(from) = from {
            Self::count_programs(from, |count| count.saturating_sub(1));
        }
        Self::count_programs(root, |count| count.saturating_add(1));
        ProgramRootOf::<T>::insert(program, root);
        Self::deposit_event(Event::ProgramMoved { program: *program, from, to: root });
        Ok(())
    }

    fn forget_program(program: &ProgramId) {
        if let Some(root) = ProgramRootOf::<T>::take(program) {
            Self::count_programs(root, |count| count.saturating_sub(1));
        }
    }
}
