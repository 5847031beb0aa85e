//! The lead: the first of a cluster's workers makes programs ready and anchors; the others stand by.
//!
//! A worker that stands by takes the lead by itself when the lead is dead by what the chain knows: its admission has expired, or it
//! was *doubted* and has not *shown itself* within [`Config::LeadPatience`] blocks. A lead that lives can always answer a
//! doubt: one small, free message, ahead of every anchor. So nobody deposes it, whatever its programs burn and however many
//! commands wait; and nobody can make it answer more often than once in that many blocks.

use crate::{Assignments, Clusters, Config, Event, Leads, Pallet, Refusal, Workers as _};
use frame_support::pallet_prelude::*;
use phala_messages::{
    ClusterId, ClusterRecord, LeadRecord, WorkerId,
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
};

impl<T: Config> Pallet<T> {
    /// Checks the rules and the signature of a message about the lead.
    pub(crate) fn authorize_lead(signed: &SignedLeadMessage) -> TransactionValidityWithRefund {
        let refuse = |refusal: Refusal| InvalidTransaction::Custom(refusal.code());
        let message = &signed.message;
        Self::judge_lead(message).map_err(refuse)?;
        let hash = message.signing_hash(&Self::genesis());
        Self::check_instance(&message.worker, &hash, &signed.signature).map_err(refuse)?;
        // Whoever shows itself must not wait behind anchors: its time is counted in blocks.
        let validity = ValidTransaction::with_tag_prefix("phala/lead")
            .priority(TransactionPriority::MAX / 2 + 1)
            .and_provides((message.cluster, message.term, message.newest, message.step))
            .longevity(crate::anchor::LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Does what the message says. Its authorisation has checked the signature; everything else is checked again.
    pub(crate) fn do_lead(signed: SignedLeadMessage) -> DispatchResult {
        let LeadMessage { cluster, step, worker, .. } = signed.message;
        let (record, members) = Self::judge_lead(&signed.message).map_err(crate::Error::<T>::from)?;
        match step {
            LeadStep::Doubt => {
                Leads::<T>::insert(cluster, LeadRecord { doubted: Some(Self::block()), ..record });
                if let Some(lead) = members.workers.first() {
                    Self::deposit_event(Event::LeadDoubted { cluster, lead: *lead, by: worker });
                }
            }
            LeadStep::Show => {
                Leads::<T>::insert(cluster, LeadRecord { shown: Self::block(), doubted: None, ..record });
                Self::deposit_event(Event::LeadShown { cluster, lead: worker });
            }
            LeadStep::Take => {
                let before = members.workers.first().copied();
                if let Some(lead) = before.filter(Self::is_admitted) {
                    T::Workers::deposed(&lead);
                }
                Clusters::<T>::mutate(cluster, |cluster| {
                    if let Some(cluster) = cluster {
                        put_first(cluster, &worker);
                        cluster.activity = cluster.activity.saturating_add(1);
                    }
                });
                Self::begin_term(cluster);
                Self::deposit_event(Event::LeadChanged { cluster, lead: Some(worker), before });
            }
        }
        Ok(())
    }

    /// Every rule of a message about the lead but the signature.
    fn judge_lead(message: &LeadMessage) -> Result<(LeadRecord, ClusterRecord), Refusal> {
        let LeadMessage { cluster, term, newest, step, worker } = message;
        Self::check_member(worker, *cluster)?;
        let members = Clusters::<T>::get(cluster).ok_or(Refusal::NotAssigned)?;
        let lead = members.workers.first().ok_or(Refusal::NotAssigned)?;
        let record = Leads::<T>::get(cluster);
        ensure!(record.term == *term && record.newest() == *newest, Refusal::LeadStale);
        let patience = T::LeadPatience::get();
        let now = Self::block();
        match step {
            LeadStep::Show => {
                ensure!(lead == worker, Refusal::NotLead);
                ensure!(record.doubted.is_some(), Refusal::LeadNotDoubted);
            }
            LeadStep::Doubt => {
                ensure!(lead != worker, Refusal::LeadsAlready);
                ensure!(record.doubted.is_none(), Refusal::LeadDoubted);
                ensure!(now.since(record.shown) >= patience, Refusal::LeadShown);
            }
            LeadStep::Take => {
                ensure!(lead != worker, Refusal::LeadsAlready);
                let silent = record.doubted.is_some_and(|block| now.since(block) >= patience);
                ensure!(silent || !Self::is_admitted(lead), Refusal::LeadAlive);
            }
        }
        Ok((record, members))
    }

    /// The worker leads its cluster, and its admission has not run out.
    pub(crate) fn check_leads(worker: &WorkerId, cluster: ClusterId) -> Result<(), Refusal> {
        Self::check_member(worker, cluster)?;
        let leads = Clusters::<T>::get(cluster).is_some_and(|record| record.workers.first() == Some(worker));
        ensure!(leads, Refusal::NotLead);
        Ok(())
    }

    /// The worker works in the cluster and its admission has not run out.
    fn check_member(worker: &WorkerId, cluster: ClusterId) -> Result<(), Refusal> {
        ensure!(Assignments::<T>::get(worker) == Some(cluster), Refusal::NotAssigned);
        ensure!(Self::is_admitted(worker), Refusal::NotAdmitted);
        Ok(())
    }

    fn is_admitted(worker: &WorkerId) -> bool {
        T::Workers::instance(worker).is_some_and(|instance| T::Workers::admits(worker, &instance))
    }

    /// Another worker leads from now on.
    pub(crate) fn begin_term(cluster: ClusterId) {
        Leads::<T>::mutate(cluster, |record| {
            *record = LeadRecord { term: record.term.saturating_add(1), shown: Self::block(), doubted: None };
        });
    }
}

/// The worker leads; whoever led is the last to lead again.
fn put_first(cluster: &mut ClusterRecord, worker: &WorkerId) {
    let before = cluster.workers.first().copied();
    // None of this makes the list longer.
    cluster.workers.retain(|member| member != worker && Some(*member) != before);
    let _ = cluster.workers.try_insert(0, *worker);
    if let Some(before) = before.filter(|before| before != worker) {
        let _ = cluster.workers.try_push(before);
    }
}
