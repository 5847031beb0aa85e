//! Complaints: a player shows that a dealer cheats, the chain judges the evidence, and the dealer is out.
//!
//! # Properties
//! - Only what is proven enters a block; whoever complains of an honest dealer is refused.
//! - A dealer that was proven to cheat is no member of the next epoch, and deals where the quorum needs it at most, until
//!   governance approves it again.
//! - The evidence stands on chain for as long as its round does: whoever doubts the verdict judges it again.

use crate::{
    Complaints, Config, Epochs, Error, Event, Judged, NewestRound, Offences as _, Pallet, Refusal, Rounds,
    message::refuse,
};
use codec::Encode;
use frame_support::pallet_prelude::*;
use phala_messages::{
    Hash,
    custody::{Complaint, ComplaintRecord, DealerFault, RoundRecord, Signed, contains, place_of, with},
    transcript::sha256,
};

impl<T: Config> Pallet<T> {
    /// Every rule of a complaint but the signature and the evidence. It may come after the round, until the next one.
    fn judge_complaint(message: &Complaint) -> Result<(RoundRecord, u32), Refusal> {
        let newest = NewestRound::<T>::get();
        ensure!(message.round <= newest, Refusal::RoundUnknown);
        let round = Rounds::<T>::get(newest).filter(|round| round.number == message.round);
        let round = round.ok_or(Refusal::RoundOver)?;
        let place = place_of(&round.players, &message.by).ok_or(Refusal::NotPlayer)?;
        ensure!(place_of(&round.dealers, &message.dealer).is_some(), Refusal::NotDealer);
        ensure!(!contains(round.complained, place), Refusal::Complained);
        ensure!(!message.evidence.is_empty(), Refusal::ComplaintEmpty);
        Self::gatekeeper_instance(&message.by)?;
        Ok((round, place))
    }

    /// What the evidence proves.
    pub(crate) fn judge_evidence(round: &RoundRecord, complaint: &Complaint) -> Result<DealerFault, Refusal> {
        let previous = round.previous.and_then(Epochs::<T>::get);
        let is_signed = |key: &[u8; 32], message: &[u8], signature: &[u8; 64]| {
            sp_io::crypto::ed25519_verify(&(*signature).into(), message, &(*key).into())
        };
        phala_threshold::judge_on_chain(&Self::genesis(), round, previous.as_ref(), complaint, &is_signed)
            .ok_or(Refusal::ComplaintUnfounded)
    }

    pub(crate) fn authorize_complaint(
        source: TransactionSource,
        signed: &Signed<Complaint>,
    ) -> TransactionValidityWithRefund {
        let complaint = &signed.message;
        let (round, _) = Self::judge_complaint(complaint).map_err(refuse)?;
        // The evidence is dear to judge, so nobody but a gatekeeper has it judged.
        Self::check_gatekeeper(signed).map_err(refuse)?;
        let fault = Self::judge_evidence(&round, complaint).map_err(refuse)?;
        if source == TransactionSource::InBlock {
            Judged::<T>::put((fingerprint(complaint), fault));
        }
        Self::accept::<Complaint>((complaint.round, complaint.by))
    }

    pub(crate) fn do_complain(message: Complaint) -> DispatchResult {
        let (judged, fault) = Judged::<T>::take().ok_or(Error::<T>::NotJudged)?;
        ensure!(judged == fingerprint(&message), Error::<T>::NotJudged);
        let (mut round, place) = Self::judge_complaint(&message).map_err(Error::<T>::from)?;
        round.complained = with(round.complained, place);
        let number = round.number;
        Rounds::<T>::insert(number, round);
        let Complaint { dealer, by, evidence, .. } = message;
        let evidence_hash = sha256(&evidence);
        let block = Self::block();
        let record = ComplaintRecord { round: number, dealer, by, evidence_hash, evidence, fault, block };
        Complaints::<T>::insert(number, place, record);
        Self::deposit_event(Event::ComplaintProven { round: number, dealer, by, evidence_hash, fault });
        let mut first = false;
        Self::change_candidate(&dealer, |record| first = core::mem::take(&mut record.approved));
        if first {
            Self::look_soon();
            T::Offences::cheated(&dealer, number, fault);
        }
        Ok(())
    }
}

pub(crate) fn fingerprint(complaint: &Complaint) -> Hash {
    Hash(complaint.using_encoded(sp_io::hashing::blake2_256))
}
