//! Key requests: workers ask here, gatekeepers look here, and what nobody answered is forgotten.

use crate::{
    Config, Error, Event, KEY_REQUEST_BLOCKS, KEY_REQUESTS_SWEPT, KeyRequestCounts, KeyRequestOf, KeyRequests,
    KeyRequestsWaiting, Machines as _, Pallet, ProgramRootOf, Programs as _, Refusal, Roots, message::refuse,
};
use frame_support::pallet_prelude::*;
use phala_messages::{
    custody::{KeyRequest, KeyRequestRecord, RootStatus, Signed},
    limits::{KEY_REQUEST_BLOCK_AGE_MAX, KEY_REQUESTS_MAX, KEY_REQUESTS_PER_WORKER_MAX},
};
use phala_units::BlockNumber;

impl<T: Config> Pallet<T> {
    /// Every rule of a request but the signature.
    fn judge_request(message: &KeyRequest) -> Result<(), Refusal> {
        let now = Self::block();
        let is_recent = message.asked < now && now.since(message.asked) <= KEY_REQUEST_BLOCK_AGE_MAX;
        ensure!(is_recent, Refusal::KeyRequestTooOld);
        let root = Roots::<T>::get(message.root).ok_or(Refusal::RootUnknown)?;
        ensure!(root.status != RootStatus::Closed, Refusal::RootClosed);
        ensure!(T::Machines::worker(&message.worker).is_some(), Refusal::NotAdmitted);
        ensure!(T::Programs::serves(&message.worker, &message.program), Refusal::NotServing);
        // A root that is being left answers for the programs that are still under it, and for no other.
        let answers = root.status == RootStatus::Open || ProgramRootOf::<T>::get(message.program) == Some(message.root);
        ensure!(answers, Refusal::NotServing);
        ensure!(!KeyRequestOf::<T>::contains_key(message.worker, message.program), Refusal::KeyRequested);
        let waiting = KeyRequestsWaiting::<T>::get();
        ensure!(waiting.end.saturating_sub(waiting.first) < KEY_REQUESTS_MAX.into(), Refusal::KeyRequestsFull);
        let of_worker = KeyRequestCounts::<T>::get(message.worker);
        ensure!(of_worker < KEY_REQUESTS_PER_WORKER_MAX, Refusal::KeyRequestsOfWorkerFull);
        Ok(())
    }

    pub(crate) fn authorize_request(signed: &Signed<KeyRequest>) -> TransactionValidityWithRefund {
        Self::judge_request(&signed.message).map_err(refuse)?;
        let instance = T::Machines::worker(&signed.message.worker).ok_or_else(|| refuse(Refusal::NotAdmitted))?;
        ensure!(Self::is_signed(signed, &instance.0), refuse(Refusal::InstanceSignature));
        Self::accept::<KeyRequest>((signed.message.worker, signed.message.program))
    }

    pub(crate) fn do_request_key(message: KeyRequest) -> DispatchResult {
        Self::judge_request(&message).map_err(Error::<T>::from)?;
        let KeyRequest { worker, program, root, .. } = message;
        let index = KeyRequestsWaiting::<T>::mutate(|waiting| {
            let index = waiting.end;
            waiting.end = index.saturating_add(1);
            index
        });
        let expires = Self::block().saturating_add(KEY_REQUEST_BLOCKS);
        KeyRequests::<T>::insert(index, KeyRequestRecord { worker, program, root, expires });
        KeyRequestOf::<T>::insert(worker, program, index);
        KeyRequestCounts::<T>::mutate(worker, |count| *count = count.saturating_add(1));
        Self::deposit_event(Event::KeyRequested { index, worker, program, root });
        Ok(())
    }

    /// Forgets expired requests, oldest first. Returns how many.
    pub(crate) fn sweep_requests(now: BlockNumber) -> u32 {
        let before = KeyRequestsWaiting::<T>::get();
        let mut waiting = before;
        for _ in 0..KEY_REQUESTS_SWEPT {
            if waiting.first >= waiting.end {
                break;
            }
            // Requests expire in the order in which they came.
            if KeyRequests::<T>::get(waiting.first).is_some_and(|record| now < record.expires) {
                break;
            }
            if let Some(KeyRequestRecord { worker, program, .. }) = KeyRequests::<T>::take(waiting.first) {
                KeyRequestOf::<T>::remove(worker, program);
                KeyRequestCounts::<T>::mutate_exists(worker, |count| {
                    *count = count.and_then(|count| count.checked_sub(1)).filter(|count| *count > 0);
                });
            }
            waiting.first = waiting.first.saturating_add(1);
        }
        if waiting != before {
            KeyRequestsWaiting::<T>::put(waiting);
        }
        waiting.first.saturating_sub(before.first) as u32
    }
}
