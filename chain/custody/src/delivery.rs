//! Deliveries: each gatekeeper keeps a log of the key shares that it handed out, here, where everybody sees gaps.

use crate::{Config, DELIVERIES_KEPT, Deliveries, DeliveryHeads, Error, Event, Pallet, Refusal, message::refuse};
use frame_support::pallet_prelude::*;
use phala_messages::{
    custody::{DeliveryBatch, DeliveryHead, Signed},
    limits::DELIVERIES_PER_BATCH_MAX,
};

impl<T: Config> Pallet<T> {
    /// Every rule of a batch but the signature.
    fn judge_deliveries(batch: &DeliveryBatch) -> Result<DeliveryHead, Refusal> {
        let approved = Self::candidate_of(&batch.gatekeeper).is_some_and(|record| record.approved);
        ensure!(approved, Refusal::NotApproved);
        Self::gatekeeper_instance(&batch.gatekeeper)?;
        let head = DeliveryHeads::<T>::get(batch.gatekeeper);
        ensure!(batch.sequence >= head.next, Refusal::DeliveryStale);
        ensure!(batch.sequence == head.next, Refusal::DeliveryGap);
        ensure!((1..=DELIVERIES_PER_BATCH_MAX).contains(&batch.count), Refusal::DeliveryCount);
        // Each batch ends after the one before, so that there is one per block at most.
        let in_time = batch.first <= batch.last && batch.last < Self::block();
        let in_order = head.next == 0 || (batch.first >= head.last && batch.last > head.last);
        ensure!(in_time && in_order, Refusal::DeliveryBlocks);
        Ok(head)
    }

    pub(crate) fn authorize_deliveries(signed: &Signed<DeliveryBatch>) -> TransactionValidityWithRefund {
        Self::judge_deliveries(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        Self::accept::<DeliveryBatch>((signed.message.gatekeeper, signed.message.sequence))
    }

    pub(crate) fn do_log_deliveries(batch: DeliveryBatch) -> DispatchResult {
        let head = Self::judge_deliveries(&batch).map_err(Error::<T>::from)?.after(&batch);
        DeliveryHeads::<T>::insert(batch.gatekeeper, head);
        Deliveries::<T>::insert(batch.gatekeeper, batch.sequence, &batch);
        if let Some(old) = batch.sequence.checked_sub(DELIVERIES_KEPT) {
            Deliveries::<T>::remove(batch.gatekeeper, old);
        }
        Self::deposit_event(Event::DeliveriesLogged { batch, head: head.hash });
        Ok(())
    }
}
