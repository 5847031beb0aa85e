//! Deliveries: each gatekeeper keeps a log of the key shares that it handed out, here, where everybody sees gaps.

use crate::{
    Config, DELIVERIES_KEPT, Deliveries, DeliveryHeads, Departures, Error, Event, LAST_DELIVERIES_BLOCKS, Pallet,
    Refusal, message::refuse,
};
use frame_support::pallet_prelude::*;
use phala_messages::{
    WorkerId,
    custody::{DeliveryBatch, DeliveryHead, Signed},
    limits::DELIVERIES_PER_BATCH_MAX,
};
use phala_units::BlockNumber;

impl<T: Config> Pallet<T> {
    /// Every rule of a batch but the signature.
    fn judge_deliveries(batch: &DeliveryBatch) -> Result<DeliveryHead, Refusal> {
        ensure!(Self::may_log(&batch.gatekeeper), Refusal::NotApproved);
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

    /// Approved gatekeepers keep a log; those that were expelled or cheated, for as long as they hold a key share and a while after:
    /// what they delivered is not to be hidden by throwing them out.
    fn may_log(gatekeeper: &WorkerId) -> bool {
        let now = Self::block();
        let is_late = |left: BlockNumber| now.since(left) <= LAST_DELIVERIES_BLOCKS;
        Self::candidate_of(gatekeeper).is_some_and(|record| record.approved)
            || Departures::<T>::get(gatekeeper).is_some_and(is_late)
            || Self::is_member(gatekeeper)
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
