//! Measurements: the list of code that may become a worker.

use crate::{Config, Error, Event, Measurements, Pallet};
use frame_support::pallet_prelude::*;
use phala_messages::Hash;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_allow_measurement(measurement: Hash) -> DispatchResult {
        ensure!(!Measurements::<T>::contains_key(measurement), Error::<T>::MeasurementListed);
        Measurements::<T>::insert(measurement, ());
        Self::deposit_event(Event::MeasurementAllowed { measurement });
        Ok(())
    }

    pub(crate) fn do_disallow_measurement(measurement: Hash) -> DispatchResult {
        ensure!(Measurements::<T>::contains_key(measurement), Error::<T>::MeasurementNotListed);
        Measurements::<T>::remove(measurement);
        Self::deposit_event(Event::MeasurementDisallowed { measurement });
        Ok(())
    }
}
