//! Measurements: for each role, the list of code that may register in it.

use crate::{Config, Error, Event, Measurements, Pallet};
use frame_support::pallet_prelude::*;
use phala_messages::{Hash, Role};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_allow_measurement(role: Role, measurement: Hash) -> DispatchResult {
        ensure!(!Measurements::<T>::contains_key(role, measurement), Error::<T>::MeasurementListed);
        Measurements::<T>::insert(role, measurement, ());
        Self::deposit_event(Event::MeasurementAllowed { role, measurement });
        Ok(())
    }

    pub(crate) fn do_disallow_measurement(role: Role, measurement: Hash) -> DispatchResult {
        ensure!(Measurements::<T>::contains_key(role, measurement), Error::<T>::MeasurementNotListed);
        Measurements::<T>::remove(role, measurement);
        Self::deposit_event(Event::MeasurementDisallowed { role, measurement });
        Ok(())
    }
}
