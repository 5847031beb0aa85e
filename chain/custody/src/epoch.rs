//! Epochs: who holds key shares from now on, and who does not any more.

use crate::{
    Config, CustodyParameters, Departures, EARLY_REFRESH_BLOCKS, EPOCHS_KEPT, EarlyRefreshes, Epochs, Event, LiveRoots,
    Logs, NextEpoch, OpenRoot, Pallet, ROOTS_LIVE_MAX, Roots, Rounds, Watching,
};
use phala_messages::{
    WorkerId,
    custody::{
        EpochNumber, EpochRecord, OutputRecord, Phase, RootGeneration, RootRecord, RootStatus, RoundRecord, contains,
        place_of,
    },
};
use phala_units::BlockNumber;

impl<T: Config> Pallet<T> {
    /// Makes an epoch of what enough players agreed on.
    pub(crate) fn start_epoch(mut round: RoundRecord, output: OutputRecord) {
        let now = Self::block();
        let number = NextEpoch::<T>::get();
        NextEpoch::<T>::put(number.next());
        let OutputRecord { output_hash, group_key, polynomial, .. } = output;
        let epoch = EpochRecord {
            epoch: number,
            round: round.number,
            root: round.root,
            threshold: round.threshold,
            members: round.players.clone(),
            group_key,
            polynomial,
            output_hash,
            since: now,
        };
        let (members, threshold, root) = (epoch.members.len() as u32, epoch.threshold, epoch.root);
        Epochs::<T>::insert(number, &epoch);
        round.phase = Phase::Finished(number);
        Rounds::<T>::insert(round.number, &round);
        Self::deposit_event(Event::EpochStarted { epoch: number, round: round.number, root, members, threshold });

        let before = Roots::<T>::get(root);
        match before {
            Some(record) => Roots::<T>::insert(root, RootRecord { epoch: number, ..record }),
            None => Self::open_root_with(&epoch),
        }
        let previous = before.and_then(|record| Epochs::<T>::get(record.epoch));
        Self::note_members(previous.as_ref(), &epoch);
        if let Some(old) = previous {
            Self::forget_epoch(old.epoch);
        }
        if let Some(old) = number.0.checked_sub(EPOCHS_KEPT) {
            Self::forget_epoch(EpochNumber(old));
        }
        if Self::reveals(&round) {
            Self::hasten_refresh(root, number);
        }
        Self::set_refresh_time();
        Watching::<T>::mutate(|watch| watch.changed = true);
    }

    /// Whether shares stand open in the logs that count.
    fn reveals(round: &RoundRecord) -> bool {
        let logs = Logs::<T>::get(round.number);
        (0..).zip(&logs).any(|(place, log)| contains(round.selected, place) && log.is_some_and(|log| log.revealed > 0))
    }

    /// Lets an epoch be refreshed early, unless its root was already within the time of one refresh: whoever can make logs reveal
    /// shares, by not acknowledging them, cannot make rounds follow each other without end.
    fn hasten_refresh(root: RootGeneration, epoch: EpochNumber) {
        let now = Self::block();
        let pause = CustodyParameters::<T>::get().refresh_blocks;
        if EarlyRefreshes::<T>::get(root).is_some_and(|last| now < last.saturating_add(pause)) {
            return;
        }
        let at = now.saturating_add(EARLY_REFRESH_BLOCKS);
        EarlyRefreshes::<T>::insert(root, at);
        Self::deposit_event(Event::RefreshHastened { epoch, at });
    }

    /// When the epoch is due for a refresh.
    pub(crate) fn refresh_at(epoch: &EpochRecord) -> BlockNumber {
        let regular = epoch.since.saturating_add(CustodyParameters::<T>::get().refresh_blocks);
        // An early refresh of an epoch before this one is over.
        let early = EarlyRefreshes::<T>::get(epoch.root).filter(|early| *early > epoch.since);
        early.map_or(regular, |early| early.min(regular))
    }

    /// A root's first epoch: it takes the programs from now on.
    fn open_root_with(epoch: &EpochRecord) {
        let EpochRecord { root, group_key, .. } = *epoch;
        if let Some(old) = OpenRoot::<T>::get() {
            Roots::<T>::mutate(old, |record| {
                if let Some(record) = record {
                    record.status = RootStatus::Closing;
                }
            });
            Self::deposit_event(Event::RootClosing { root: old });
        }
        let record =
            RootRecord { status: RootStatus::Open, group_key, epoch: epoch.epoch, programs: 0, opened: epoch.since };
        Roots::<T>::insert(root, record);
        OpenRoot::<T>::put(root);
        if LiveRoots::<T>::try_append(root).is_err() {
            frame_support::defensive!("a rotation leaves room for its root");
        }
        Self::deposit_event(Event::RootOpened { root, group_key });
    }

    /// Notes who joined although it leaves, and who leaves and holds nothing any more.
    fn note_members(previous: Option<&EpochRecord>, epoch: &EpochRecord) {
        let now = Self::block();
        for member in &epoch.members {
            Self::change_candidate(&member.gatekeeper, |record| record.left = None);
            Departures::<T>::remove(member.gatekeeper);
        }
        for member in previous.into_iter().flat_map(|epoch| &epoch.members) {
            if place_of(&epoch.members, &member.gatekeeper).is_none() {
                Self::note_departure(&member.gatekeeper, now);
            }
        }
    }

    /// A leaving candidate that holds no key share any more has left.
    pub(crate) fn note_departure(gatekeeper: &WorkerId, now: BlockNumber) {
        if !Self::is_member(gatekeeper) {
            Departures::<T>::insert(gatekeeper, now);
            Self::change_candidate(gatekeeper, |record| {
                if record.leaving.is_some() {
                    record.left = Some(now);
                }
            });
        }
    }

    /// Whether the gatekeeper holds a key share of any current epoch.
    pub fn is_member(gatekeeper: &WorkerId) -> bool {
        let live = LiveRoots::<T>::get();
        live.into_iter().filter_map(Self::epoch_of).any(|epoch| place_of(&epoch.members, gatekeeper).is_some())
    }

    /// Forgets an epoch that is neither current nor among the newest.
    pub(crate) fn forget_epoch(number: EpochNumber) {
        let is_new = number.0.saturating_add(EPOCHS_KEPT) >= NextEpoch::<T>::get().0;
        let live = LiveRoots::<T>::get();
        debug_assert!(live.len() as u32 <= ROOTS_LIVE_MAX, "roots are bounded");
        let is_current = live.iter().filter_map(Roots::<T>::get).any(|root| root.epoch == number);
        if !is_new && !is_current {
            Epochs::<T>::remove(number);
        }
    }
}
