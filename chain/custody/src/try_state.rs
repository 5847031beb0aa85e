//! What must hold between any two blocks.

use crate::{
    CANDIDATES_MAX, CandidateQueue, Candidates, Complaints, Config, Deliveries, DeliveryHeads, Departures, EPOCHS_KEPT,
    EarlyRefreshes, Epochs, Gatekeepers, Judged, LiveRoots, Logs, NewestRound, NextEpoch, OpenRoot, Outputs, Pallet,
    Participants, ProgramRootOf, ROUNDS_KEPT, RootWanted, Roots, Rounds,
};
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::ensure;
use phala_messages::custody::{Member, Phase, RootStatus, first_places, threshold};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_candidates()?;
        Self::check_rounds()?;
        Self::check_epochs()?;
        Self::check_roots()?;
        Self::check_deliveries()?;
        ensure!(!Judged::<T>::exists(), "a verdict does not outlive its extrinsic");
        Ok(())
    }

    /// Candidates ↔ gatekeepers ↔ participants ↔ queue; Σ held = Σ bonds.
    fn check_candidates() -> Result<(), TryRuntimeError> {
        let queue = CandidateQueue::<T>::get();
        ensure!(queue.len() as u32 <= CANDIDATES_MAX, "candidates are bounded");
        let mut candidates = 0;
        for (account, record) in Candidates::<T>::iter() {
            candidates += 1;
            ensure!(Gatekeepers::<T>::get(record.gatekeeper) == Some(account), "a gatekeeper has one account");
            ensure!(
                Participants::<T>::get(record.participant) == Some(record.gatekeeper),
                "a participant key is one gatekeeper's"
            );
            ensure!(queue.contains(&account), "a candidate waits in the queue");
            ensure!(Self::held(&account) == record.bond, "what is held of an account is its bond");
            let member = Self::is_member(&record.gatekeeper);
            ensure!(!(member && record.left.is_some()), "a member has not left");
            ensure!(record.leaving.is_some() || record.left.is_none(), "who left wanted to, or was expelled");
            ensure!(
                member || record.leaving.is_none() || record.left.is_some(),
                "who leaves and holds nothing has left"
            );
        }
        ensure!(queue.len() == candidates, "whoever waits is a candidate, once");
        ensure!(Gatekeepers::<T>::iter().count() == candidates, "a gatekeeper has a candidacy");
        ensure!(Participants::<T>::iter().count() == candidates, "a participant key has a candidacy");
        Ok(())
    }

    fn check_members(members: &[Member]) -> Result<(), TryRuntimeError> {
        ensure!(members.windows(2).all(|pair| pair[0].participant < pair[1].participant), "members are in order");
        let distinct: BTreeSet<_> = members.iter().map(|member| member.gatekeeper).collect();
        ensure!(distinct.len() == members.len(), "members are unique");
        Ok(())
    }

    fn check_rounds() -> Result<(), TryRuntimeError> {
        let newest = NewestRound::<T>::get();
        for (number, round) in Rounds::<T>::iter() {
            ensure!(round.number == number && number <= newest, "a round's number was given by the counter");
            ensure!(number.0.saturating_add(ROUNDS_KEPT) > newest.0, "old rounds are forgotten");
            ensure!(round.phase.is_over() || number == newest, "only the newest round runs");
            Self::check_members(&round.dealers)?;
            Self::check_members(&round.players)?;
            ensure!(Logs::<T>::get(number).len() == round.dealers.len(), "a dealer has a place for its log");
            ensure!(round.threshold == threshold(round.players.len() as u32), "a round has its threshold");
            ensure!(round.logs_required as usize <= round.dealers.len(), "a round can succeed");
            let players = first_places(round.players.len() as u32);
            let said = round.confirmed | round.reported | round.complained;
            ensure!(said & !players == 0, "who speaks is a player");
            ensure!(round.selected & !first_places(round.dealers.len() as u32) == 0, "a selected log has a dealer");
            let reported = Outputs::<T>::iter_prefix_values(number).fold(0, |all, output| all | output.reported_by);
            ensure!(reported == round.reported, "who reported stands with its output");
            let complaints = Complaints::<T>::iter_key_prefix(number).count() as u32;
            ensure!(complaints == round.complained.count_ones(), "who complained stands with its complaint");
        }
        ensure!(newest.0 == 0 || Rounds::<T>::contains_key(newest), "the newest round is kept");
        for number in Logs::<T>::iter_keys().chain(Outputs::<T>::iter_keys().map(|(number, _)| number)) {
            ensure!(Rounds::<T>::contains_key(number), "what belongs to a round is forgotten with it");
        }
        Ok(())
    }

    fn check_epochs() -> Result<(), TryRuntimeError> {
        let next = NextEpoch::<T>::get();
        let live = LiveRoots::<T>::get();
        let current: BTreeSet<_> = live.iter().filter_map(Roots::<T>::get).map(|root| root.epoch.0).collect();
        for (number, epoch) in Epochs::<T>::iter() {
            ensure!(epoch.epoch == number && number < next, "an epoch's number was given by the counter");
            let is_new = number.0.saturating_add(EPOCHS_KEPT) >= next.0;
            ensure!(is_new || current.contains(&number.0), "old epochs are forgotten");
            ensure!(epoch.threshold == threshold(epoch.members.len() as u32), "an epoch has its threshold");
            Self::check_members(&epoch.members)?;
            let root = Roots::<T>::get(epoch.root).ok_or("an epoch's root is known")?;
            ensure!(root.group_key == epoch.group_key, "a root's group key never changes");
            ensure!(epoch.polynomial.starts_with(&epoch.group_key.0), "a polynomial starts with the group key");
            if let Some(round) = Rounds::<T>::get(epoch.round) {
                ensure!(round.phase == Phase::Finished(number), "an epoch's round finished with it");
            }
        }
        ensure!(
            EarlyRefreshes::<T>::iter_keys().all(|root| live.contains(&root)),
            "an early refresh is of a live root"
        );
        for gatekeeper in Departures::<T>::iter_keys() {
            ensure!(Gatekeepers::<T>::contains_key(gatekeeper), "who departed keeps its candidacy");
            ensure!(!Self::is_member(&gatekeeper), "who departed holds no key share");
        }
        for root in &live {
            let epoch = Self::epoch_of(*root).ok_or("a live root has an epoch")?;
            ensure!(epoch.root == *root, "a root's epoch is its own");
            for member in &epoch.members {
                ensure!(Gatekeepers::<T>::contains_key(member.gatekeeper), "a member keeps its candidacy");
            }
        }
        Ok(())
    }

    fn check_roots() -> Result<(), TryRuntimeError> {
        let mut programs = BTreeMap::<u32, u64>::new();
        for root in ProgramRootOf::<T>::iter_values() {
            *programs.entry(root.0).or_default() += 1;
        }
        let live = LiveRoots::<T>::get();
        let mut open = None;
        for (generation, root) in Roots::<T>::iter() {
            ensure!(generation <= RootWanted::<T>::get(), "a root's generation was given by the counter");
            let counted = programs.remove(&generation.0).unwrap_or_default();
            ensure!(root.programs == counted, "a root counts its programs");
            ensure!(root.status != RootStatus::Closed || counted == 0, "a root with programs is not closed");
            ensure!(
                live.contains(&generation) == (root.status != RootStatus::Closed),
                "roots live until they are closed"
            );
            if root.status == RootStatus::Open {
                ensure!(open.replace(generation).is_none(), "one root is open");
            }
        }
        ensure!(programs.is_empty(), "a program's root is known");
        ensure!(OpenRoot::<T>::get() == open, "the open root is known");
        Ok(())
    }

    fn check_deliveries() -> Result<(), TryRuntimeError> {
        for (gatekeeper, sequence, batch) in Deliveries::<T>::iter() {
            ensure!(batch.gatekeeper == gatekeeper && batch.sequence == sequence, "a batch lies in its place");
            ensure!(sequence < DeliveryHeads::<T>::get(gatekeeper).next, "a log has no gap");
        }
        Ok(())
    }
}
