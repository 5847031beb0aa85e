//! Candidates: validators bond for their gatekeepers, governance approves and expels, bonds return.

use crate::{
    CandidateQueue, Candidates, Config, CustodyParameters, Departures, Error, Event, Gatekeepers, HoldReason,
    Machines as _, Pallet, Participants, Validators as _,
};
use frame_support::{
    pallet_prelude::*,
    traits::{fungible::MutateHold as _, tokens::Precision},
};
use phala_messages::{
    Account, ParticipantKey, Signature, WorkerId,
    custody::{Candidacy, CandidateRecord, Member, Parameters, Signed},
};
use phala_units::BlockNumber;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_bond(
        who: T::AccountId,
        gatekeeper: WorkerId,
        participant: ParticipantKey,
        consent: Signature,
    ) -> DispatchResult {
        let account = Self::account(&who);
        ensure!(T::Validators::is_validator(&who), Error::<T>::NotValidator);
        ensure!(!Candidates::<T>::contains_key(account), Error::<T>::CandidateAlready);
        ensure!(!Gatekeepers::<T>::contains_key(gatekeeper), Error::<T>::GatekeeperTaken);
        ensure!(!Participants::<T>::contains_key(participant), Error::<T>::ParticipantTaken);
        let signed = Signed { message: Candidacy { gatekeeper, participant, account }, signature: consent };
        ensure!(Self::is_signed(&signed, &gatekeeper.0), Error::<T>::ConsentInvalid);
        CandidateQueue::<T>::try_append(account).map_err(|()| Error::<T>::CandidatesFull)?;

        let bond = CustodyParameters::<T>::get().bond;
        T::Currency::hold(&HoldReason::Bond.into(), &who, bond.0)?;
        Gatekeepers::<T>::insert(gatekeeper, account);
        Participants::<T>::insert(participant, gatekeeper);
        let record = CandidateRecord { gatekeeper, participant, bond, approved: false, leaving: None, left: None };
        Candidates::<T>::insert(account, record);
        Self::deposit_event(Event::Bonded { account: who, gatekeeper, bond });
        Ok(())
    }

    pub(crate) fn do_unbond(who: T::AccountId) -> DispatchResult {
        let gatekeeper = Self::leave(&who, |record| {
            ensure!(record.leaving.is_none(), Error::<T>::LeavingAlready);
            Ok(())
        })?;
        Self::deposit_event(Event::Leaving { account: who, gatekeeper });
        Ok(())
    }

    pub(crate) fn do_expel(who: T::AccountId) -> DispatchResult {
        // One that leaves by itself can still be expelled: it deals no more.
        let gatekeeper = Self::leave(&who, |record| {
            ensure!(record.leaving.is_none() || record.approved, Error::<T>::LeavingAlready);
            record.approved = false;
            Ok(())
        })?;
        Self::deposit_event(Event::Expelled { account: who, gatekeeper });
        Ok(())
    }

    pub(crate) fn do_withdraw_bond(who: T::AccountId) -> DispatchResult {
        let account = Self::account(&who);
        let record = Candidates::<T>::get(account).ok_or(Error::<T>::NotCandidate)?;
        ensure!(record.leaving.is_some(), Error::<T>::NotLeaving);
        let left = record.left.ok_or(Error::<T>::StillMember)?;
        ensure!(!Self::is_player(&record.gatekeeper), Error::<T>::StillMember);
        let waited = Self::block().since(left);
        ensure!(waited >= CustodyParameters::<T>::get().release_blocks, Error::<T>::BondLocked);

        T::Currency::release(&HoldReason::Bond.into(), &who, record.bond.0, Precision::Exact)?;
        let CandidateRecord { gatekeeper, participant, bond, .. } = record;
        Candidates::<T>::remove(account);
        Gatekeepers::<T>::remove(gatekeeper);
        Participants::<T>::remove(participant);
        Departures::<T>::remove(gatekeeper);
        CandidateQueue::<T>::mutate(|queue| queue.retain(|other| *other != account));
        Self::deposit_event(Event::BondReleased { account: who, gatekeeper, bond });
        Ok(())
    }

    pub(crate) fn do_approve(who: T::AccountId) -> DispatchResult {
        let gatekeeper = Candidates::<T>::try_mutate(Self::account(&who), |record| {
            let record = record.as_mut().ok_or(Error::<T>::NotCandidate)?;
            ensure!(record.leaving.is_none(), Error::<T>::LeavingAlready);
            ensure!(!record.approved, Error::<T>::ApprovedAlready);
            record.approved = true;
            Ok::<_, DispatchError>(record.gatekeeper)
        })?;
        Self::look_soon();
        Self::deposit_event(Event::Approved { account: who, gatekeeper });
        Ok(())
    }

    pub(crate) fn do_set_parameters(parameters: Parameters) -> DispatchResult {
        ensure!(parameters.are_sane(), Error::<T>::ParametersUnfit);
        CustodyParameters::<T>::put(parameters);
        Self::set_refresh_time();
        Self::look_soon();
        Self::deposit_event(Event::ParametersSet { parameters });
        Ok(())
    }

    /// Marks a candidate as leaving, after `check`.
    fn leave(
        who: &T::AccountId,
        check: impl FnOnce(&mut CandidateRecord) -> Result<(), Error<T>>,
    ) -> Result<WorkerId, DispatchError> {
        let now = Self::block();
        let gatekeeper = Candidates::<T>::try_mutate(Self::account(who), |record| {
            let record = record.as_mut().ok_or(Error::<T>::NotCandidate)?;
            check(record)?;
            record.leaving = record.leaving.or(Some(now));
            if !Self::is_member(&record.gatekeeper) {
                record.left = record.left.or(Some(now));
            }
            Ok::<_, DispatchError>(record.gatekeeper)
        })?;
        Self::look_soon();
        Ok(gatekeeper)
    }

    /// The candidate behind a gatekeeper, changed.
    pub(crate) fn change_candidate(gatekeeper: &WorkerId, change: impl FnOnce(&mut CandidateRecord)) {
        let Some(account) = Gatekeepers::<T>::get(gatekeeper) else {
            frame_support::defensive!("a member keeps its candidacy");
            return;
        };
        Candidates::<T>::mutate(account, |record| match record {
            Some(record) => change(record),
            None => {
                frame_support::defensive!("a gatekeeper's account has a candidacy");
            }
        });
    }

    /// The candidacy of a gatekeeper.
    pub(crate) fn candidate_of(gatekeeper: &WorkerId) -> Option<CandidateRecord> {
        Candidates::<T>::get(Gatekeepers::<T>::get(gatekeeper)?)
    }

    /// Whether the candidate may become or stay a member: evidence is one condition among five.
    pub(crate) fn is_eligible(account: &Account, record: &CandidateRecord) -> bool {
        record.approved
            && record.leaving.is_none()
            && T::Validators::is_validator(&T::AccountId::from(account.0))
            && T::Machines::gatekeeper(&record.gatekeeper).is_some()
    }

    /// All who may be members, the one that bonded first first.
    pub(crate) fn eligible() -> alloc::vec::Vec<Member> {
        let queue = CandidateQueue::<T>::get();
        let records = queue.iter().filter_map(|account| Some((account, Candidates::<T>::get(account)?)));
        records
            .filter(|(account, record)| Self::is_eligible(account, record))
            .map(|(_, CandidateRecord { gatekeeper, participant, .. })| Member { gatekeeper, participant })
            .collect()
    }

    /// What is held of an account as a bond.
    #[cfg(any(test, feature = "try-runtime"))]
    pub(crate) fn held(account: &Account) -> phala_units::Planck {
        use frame_support::traits::fungible::InspectHold as _;
        phala_units::Planck(T::Currency::balance_on_hold(&HoldReason::Bond.into(), &T::AccountId::from(account.0)))
    }

    /// Since when a bond can be taken back. None while the gatekeeper does not leave, or holds a key share.
    pub fn bond_released_at(account: &Account) -> Option<BlockNumber> {
        let left = Candidates::<T>::get(account)?.left?;
        Some(left.saturating_add(CustodyParameters::<T>::get().release_blocks))
    }

    /// The account as messages name it.
    pub(crate) fn account(id: &T::AccountId) -> Account {
        Account(*id.as_ref())
    }
}
