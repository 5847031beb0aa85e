//! Seats: a machine takes the place of a member that is lost, together with its key share. Recovery decides when.
//!
//! A seat keeps the participant key under which the epoch knows it, so that nothing of the epoch changes but the machine behind
//! it. The next round hands the key on to the machine under its own participant key.

use crate::{Config, Epochs, Error, Machines as _, OpenRoot, Pallet, RootWanted, Roots};
use frame_support::pallet_prelude::*;
use phala_messages::{
    Account, InstanceKey, WorkerId,
    custody::{RootGeneration, place_of},
};

impl<T: Config> Pallet<T> {
    /// The current instance of a machine that is admitted as a gatekeeper now.
    pub fn admitted_gatekeeper(gatekeeper: &WorkerId) -> Option<InstanceKey> {
        T::Machines::gatekeeper(gatekeeper)
    }

    /// Whether a machine may take a seat of the root: eligible, and no member of its current epoch.
    pub fn may_take_seat(root: RootGeneration, gatekeeper: &WorkerId) -> bool {
        let account: Option<Account> = crate::Gatekeepers::<T>::get(gatekeeper);
        let eligible = account.is_some_and(|account| {
            crate::Candidates::<T>::get(account).is_some_and(|record| Self::is_eligible(&account, &record))
        });
        let is_member = Self::epoch_of(root).is_none_or(|epoch| place_of(&epoch.members, gatekeeper).is_some());
        eligible && !is_member
    }

    /// From now on these machines hold these seats of the root's current epoch. Those that held them are expelled: what they
    /// deal with is in another machine, so they come back with new keys only.
    ///
    /// # Errors
    /// When the root has no such seat.
    pub fn reseat(root: RootGeneration, seats: &[(u32, WorkerId)]) -> DispatchResult {
        let mut epoch = Self::epoch_of(root).ok_or(Error::<T>::RootUnknown)?;
        let now = Self::block();
        let mut gone = alloc::vec::Vec::with_capacity(seats.len());
        for (place, gatekeeper) in seats {
            let member = epoch.members.get_mut(*place as usize).ok_or(Error::<T>::NotCandidate)?;
            gone.push(core::mem::replace(&mut member.gatekeeper, *gatekeeper));
        }
        Epochs::<T>::insert(epoch.epoch, epoch);
        for (_, gatekeeper) in seats {
            Self::change_candidate(gatekeeper, |record| record.left = None);
        }
        for gatekeeper in &gone {
            Self::change_candidate(gatekeeper, |record| {
                record.approved = false;
                record.leaving = record.leaving.or(Some(now));
            });
            Self::note_departure(gatekeeper, now);
        }
        Self::look_soon();
        Ok(())
    }

    /// A new master key is wanted in this one's stead, unless one is made or being made already.
    ///
    /// # Errors
    /// When there are as many roots as there may be.
    pub fn rotate_from(root: RootGeneration) -> DispatchResult {
        let newer = RootWanted::<T>::get() > root || !Roots::<T>::contains_key(RootWanted::<T>::get());
        if newer || OpenRoot::<T>::get() != Some(root) {
            return Ok(());
        }
        Self::do_rotate_root()
    }
}
