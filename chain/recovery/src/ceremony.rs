//! The ceremony: announced, delayed, stopped by those who return, ended by those who take the seats.

use crate::{
    ActiveCeremonies, Calls, Ceremonies, Config, Custodians, Custody as _, Error, Event, NextCeremony, Outcomes,
    OutputEpochs, Pallet, RecoveryTimes, Refusal, message::refuse,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::*;
use phala_messages::{
    WorkerId,
    custody::{EpochRecord, Places, RootGeneration, Signed, contains, place_of, with},
    recovery::{
        Binding, CeremonyRecord, CustodianCall, CustodianMessage as _, Ending, Ground, Objection, OutcomeRecord,
        SeatTaken,
    },
};

/// Which custodians called for a ceremony: of which epoch, in which set, and who.
pub type CallRecord = (phala_messages::custody::EpochNumber, phala_messages::recovery::SetNumber, Places);

impl<T: Config> Pallet<T> {
    /// Why the root counts as lost. None while it does not.
    pub(crate) fn lost(epoch: &EpochRecord) -> Option<Ground> {
        let admitted = epoch.members.iter().filter(|member| T::Custody::instance(&member.gatekeeper).is_some());
        if (admitted.count() as u32) < epoch.threshold {
            return Some(Ground::Absent);
        }
        let silence = RecoveryTimes::<T>::get().silence_blocks;
        (Self::block().since(epoch.since) > silence).then_some(Ground::Silent)
    }

    pub(crate) fn do_announce(root: RootGeneration) -> DispatchResult {
        let epoch = T::Custody::epoch(root).ok_or(Error::<T>::RootUnknown)?;
        ensure!(!Ceremonies::<T>::contains_key(root), Error::<T>::CeremonyRunning);
        let ground = Self::lost(&epoch).ok_or(Error::<T>::NotLost)?;
        let output = OutputEpochs::<T>::get(root) == Some(epoch.epoch);
        ensure!(output && Self::backed_seats(&epoch) > 0, Error::<T>::NotBackedUp);
        ActiveCeremonies::<T>::try_append(root).map_err(|()| Error::<T>::CeremonyRunning)?;
        let number = NextCeremony::<T>::get();
        NextCeremony::<T>::put(number.next());
        let (times, announced) = (RecoveryTimes::<T>::get(), Self::block());
        let opens = announced.saturating_add(times.delay_blocks);
        let ceremony = CeremonyRecord {
            number,
            root,
            epoch: epoch.epoch,
            ground,
            announced,
            opens,
            lapses: opens.saturating_add(times.lapse_blocks),
            objected: 0,
            seats: BoundedVec::new(),
        };
        Ceremonies::<T>::insert(root, ceremony);
        Calls::<T>::remove(root);
        Self::deposit_event(Event::Announced { root, ceremony: number, epoch: epoch.epoch, ground, opens });
        Ok(())
    }

    /// Every rule of a custodian's call, the signature among them.
    fn judge_call(signed: &Signed<CustodianCall>) -> Result<CallRecord, Refusal> {
        let call = &signed.message;
        let set = Custodians::<T>::get().filter(|set| set.number == call.set).ok_or(Refusal::CustodiansOther)?;
        let epoch = T::Custody::epoch(call.root).ok_or(Refusal::RootUnknown)?;
        ensure!(!Ceremonies::<T>::contains_key(call.root), Refusal::CeremonyStands);
        let backed = OutputEpochs::<T>::get(call.root) == Some(epoch.epoch) && Self::backed_seats(&epoch) > 0;
        let lost = epoch.epoch == call.epoch && Self::lost(&epoch).is_some();
        ensure!(backed && lost, Refusal::NotLost);
        // Custodians cannot announce one ceremony after the other: after one that was stopped there is a pause.
        let pause = RecoveryTimes::<T>::get().delay_blocks;
        let rested = |over: OutcomeRecord| Self::block().since(over.block) >= pause;
        ensure!(Outcomes::<T>::get(call.root).is_none_or(rested), Refusal::CeremonyEarly);
        let called = Calls::<T>::get(call.root).filter(|(epoch, set, _)| (*epoch, *set) == (call.epoch, call.set));
        let called = called.map_or(0, |(_, _, places)| places);
        ensure!(!contains(called, call.custodian), Refusal::CustodianCalled);
        let custodian = set.custodians.get(call.custodian as usize).ok_or(Refusal::CustodianSignature)?;
        let hash = call.signing_hash(&Self::genesis());
        ensure!(Self::is_signed(&hash, &signed.signature, &custodian.signing.0), Refusal::CustodianSignature);
        Ok((call.epoch, call.set, with(called, call.custodian)))
    }

    pub(crate) fn authorize_call(signed: &Signed<CustodianCall>) -> TransactionValidityWithRefund {
        Self::judge_call(signed).map_err(refuse)?;
        Self::accept(CustodianCall::DOMAIN, &signed.message)
    }

    pub(crate) fn do_call_for(signed: Signed<CustodianCall>) -> DispatchResult {
        let record = Self::judge_call(&signed).map_err(Error::<T>::from)?;
        let CustodianCall { root, custodian, .. } = signed.message;
        Calls::<T>::insert(root, record);
        Self::deposit_event(Event::CalledFor { root, custodian });
        let threshold = Custodians::<T>::get().map_or(u32::MAX, |set| set.threshold);
        if record.2.count_ones() >= threshold { Self::do_announce(root) } else { Ok(()) }
    }

    pub(crate) fn do_cancel(root: RootGeneration) -> DispatchResult {
        let ceremony = Ceremonies::<T>::get(root).ok_or(Error::<T>::CeremonyUnknown)?;
        Self::end(&ceremony, Ending::Cancelled);
        Ok(())
    }

    pub(crate) fn do_bind(root: RootGeneration, place: u32, gatekeeper: WorkerId) -> DispatchResult {
        let mut ceremony = Ceremonies::<T>::get(root).ok_or(Error::<T>::CeremonyUnknown)?;
        let epoch = T::Custody::epoch(root).ok_or(Error::<T>::RootUnknown)?;
        ensure!(ceremony.is_open(Self::block()), Error::<T>::TooEarly);
        ensure!((place as usize) < epoch.members.len(), Error::<T>::SeatUnknown);
        ensure!(!contains(ceremony.objected, place), Error::<T>::SeatAlive);
        ensure!(T::Custody::may_take_seat(root, &gatekeeper), Error::<T>::MachineUnfit);
        let other = ceremony.seats.iter().any(|seat| seat.gatekeeper == gatekeeper && seat.place != place);
        ensure!(!other, Error::<T>::MachineBound);
        let binding = Binding { place, gatekeeper, taken: false };
        match ceremony.seats.iter_mut().find(|seat| seat.place == place) {
            Some(seat) => {
                ensure!(!seat.taken, Error::<T>::SeatTaken);
                *seat = binding;
            }
            None => ceremony.seats.try_push(binding).map_err(|_| Error::<T>::SeatUnknown)?,
        }
        let number = ceremony.number;
        Ceremonies::<T>::insert(root, ceremony);
        Self::deposit_event(Event::SeatBound { root, ceremony: number, place, gatekeeper });
        Ok(())
    }

    /// The ceremony that a message means, and its epoch.
    fn standing(
        root: RootGeneration,
        number: phala_messages::recovery::CeremonyNumber,
    ) -> Result<(CeremonyRecord, EpochRecord), Refusal> {
        let ceremony = Ceremonies::<T>::get(root).filter(|ceremony| ceremony.number == number);
        let ceremony = ceremony.ok_or(Refusal::CeremonyUnknown)?;
        let epoch = T::Custody::epoch(root).filter(|epoch| epoch.epoch == ceremony.epoch);
        Ok((ceremony, epoch.ok_or(Refusal::CeremonyUnknown)?))
    }

    /// Every rule of an objection but the signature.
    fn judge_objection(objection: &Objection) -> Result<(CeremonyRecord, EpochRecord), Refusal> {
        let (mut ceremony, epoch) = Self::standing(objection.root, objection.ceremony)?;
        let place = place_of(&epoch.members, &objection.gatekeeper).ok_or(Refusal::NotSeat)?;
        ensure!(!contains(ceremony.objected, place), Refusal::Objected);
        ceremony.objected = with(ceremony.objected, place);
        Ok((ceremony, epoch))
    }

    pub(crate) fn authorize_objection(signed: &Signed<Objection>) -> TransactionValidityWithRefund {
        Self::judge_objection(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        Self::accept("phala/recovery-objection/v1", &signed.message)
    }

    pub(crate) fn do_object(objection: Objection) -> DispatchResult {
        let (ceremony, epoch) = Self::judge_objection(&objection).map_err(Error::<T>::from)?;
        let Objection { root, ceremony: number, gatekeeper } = objection;
        Self::deposit_event(Event::Objected { root, ceremony: number, gatekeeper });
        if ceremony.objected.count_ones() >= epoch.threshold {
            Self::end(&ceremony, Ending::MembersBack);
            return Ok(());
        }
        Self::go_on(ceremony, &epoch)
    }

    /// Every rule of a seat that is taken but the signature.
    fn judge_taken(taken: &SeatTaken) -> Result<(CeremonyRecord, EpochRecord), Refusal> {
        let (mut ceremony, epoch) = Self::standing(taken.root, taken.ceremony)?;
        ensure!(ceremony.is_open(Self::block()), Refusal::CeremonyEarly);
        let fits = T::Custody::may_take_seat(taken.root, &taken.gatekeeper);
        let mut seats = ceremony.seats.iter_mut();
        let seat = seats.find(|seat| seat.place == taken.place && seat.gatekeeper == taken.gatekeeper && fits);
        let seat = seat.ok_or(Refusal::NotBound)?;
        ensure!(!seat.taken, Refusal::SeatTaken);
        seat.taken = true;
        Ok((ceremony, epoch))
    }

    pub(crate) fn authorize_taken(signed: &Signed<SeatTaken>) -> TransactionValidityWithRefund {
        Self::judge_taken(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        Self::accept("phala/recovery-seat/v1", &signed.message)
    }

    pub(crate) fn do_take_seat(taken: SeatTaken) -> DispatchResult {
        let (ceremony, epoch) = Self::judge_taken(&taken).map_err(Error::<T>::from)?;
        let SeatTaken { root, ceremony: number, place, gatekeeper } = taken;
        Self::deposit_event(Event::SeatTaken { root, ceremony: number, place, gatekeeper });
        Self::go_on(ceremony, &epoch)
    }

    /// Completes the ceremony when members that are there and seats that are taken give a key; else keeps it.
    fn go_on(ceremony: CeremonyRecord, epoch: &EpochRecord) -> DispatchResult {
        let root = ceremony.root;
        let fits = |seat: &&Binding| seat.taken && T::Custody::may_take_seat(root, &seat.gatekeeper);
        // Who came back meanwhile keeps its seat.
        let seats = ceremony.seats.iter().filter(fits).filter(|seat| !contains(ceremony.objected, seat.place));
        let seats: Vec<_> = seats.map(|seat| (seat.place, seat.gatekeeper)).collect();
        let there = seats.iter().fold(ceremony.objected, |all, (place, _)| with(all, *place));
        if there.count_ones() < epoch.threshold {
            Ceremonies::<T>::insert(root, ceremony);
            return Ok(());
        }
        T::Custody::reseat(root, &seats)?;
        Self::end(&ceremony, Ending::Completed);
        let asked = T::Custody::rotate(root).is_ok();
        Self::deposit_event(Event::RotationDue { root, asked });
        Ok(())
    }

    /// Takes the ceremony down.
    fn end(ceremony: &CeremonyRecord, ending: Ending) {
        let CeremonyRecord { number, root, .. } = *ceremony;
        Ceremonies::<T>::remove(root);
        ActiveCeremonies::<T>::mutate(|active| active.retain(|other| *other != root));
        let before = Outcomes::<T>::get(root).is_some_and(|outcome| outcome.recovered);
        let recovered = before || ending == Ending::Completed;
        Outcomes::<T>::insert(root, OutcomeRecord { number, ending, block: Self::block(), recovered });
        Self::deposit_event(Event::Ended { root, ceremony: number, ending });
    }

    /// What each block does first: gives up ceremonies that came to nothing. Returns how many stand.
    pub(crate) fn advance() -> u32 {
        let now = Self::block();
        let active = ActiveCeremonies::<T>::get();
        for root in &active {
            let Some(ceremony) = Ceremonies::<T>::get(root) else { continue };
            let current = T::Custody::epoch(*root).map(|epoch| epoch.epoch);
            if current != Some(ceremony.epoch) {
                Self::end(&ceremony, Ending::Overtaken);
            } else if now >= ceremony.lapses {
                Self::end(&ceremony, Ending::Lapsed);
            }
        }
        active.len() as u32
    }
}
