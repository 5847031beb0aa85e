//! Custodians: governance says who they are.

use crate::{ActiveCeremonies, Config, CustodianSets, Custodians, Error, Event, Pallet, RecoveryTimes, SETS_KEPT};
use frame_support::pallet_prelude::*;
use phala_messages::{
    limits::CUSTODIANS_MAX,
    recovery::{Custodian, CustodianSet, RecoveryParameters, SetNumber},
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_appoint(
        threshold: u32,
        custodians: BoundedVec<Custodian, ConstU32<CUSTODIANS_MAX>>,
    ) -> DispatchResult {
        ensure!(ActiveCeremonies::<T>::get().is_empty(), Error::<T>::CeremonyRunning);
        let number = Custodians::<T>::get().map_or(SetNumber(0), |set| set.number).next();
        let set = CustodianSet { number, threshold, custodians };
        ensure!(set.is_sane(), Error::<T>::CustodiansUnfit);
        let count = set.custodians.len() as u32;
        CustodianSets::<T>::insert(number, &set);
        Custodians::<T>::put(set);
        if let Some(old) = number.0.checked_sub(SETS_KEPT) {
            CustodianSets::<T>::remove(SetNumber(old));
        }
        Self::deposit_event(Event::CustodiansAppointed { set: number, custodians: count, threshold });
        Ok(())
    }

    pub(crate) fn do_set_parameters(parameters: RecoveryParameters) -> DispatchResult {
        ensure!(parameters.are_sane(), Error::<T>::ParametersUnfit);
        RecoveryTimes::<T>::put(parameters);
        Self::deposit_event(Event::ParametersSet { parameters });
        Ok(())
    }
}
