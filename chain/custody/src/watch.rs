//! Watching: what a block does by itself. It ends phases at their deadlines, and between rounds it looks whether one is due.
//!
//! Looking at all candidates costs a few reads for each of them, so a block looks at one only, in turn. Whatever it finds
//! out of place, and whatever a call changes, leads to a look at all of them, at most every [`LOOK_BLOCKS`].

use crate::{
    CandidateQueue, Candidates, Config, CustodyParameters, Epochs, LOOK_BLOCKS, LiveRoots, Machines as _, NewestRound,
    Pallet, ROUNDS_KEPT, RootWanted, Roots, Rounds, Watching, WeightInfo as _,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::*;
use phala_messages::{
    WorkerId,
    custody::{CandidateRecord, EpochRecord, Member, Parameters, Purpose, RootGeneration, RoundNumber, place_of},
};
use phala_units::BlockNumber;

/// What is watched between rounds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Watch {
    /// Block before which nobody looks.
    pub rest_until: BlockNumber,
    /// Block in which the oldest current epoch is due for a refresh. None without an epoch.
    pub refresh_at: Option<BlockNumber>,
    /// Something changed since the last look.
    pub changed: bool,
    /// The candidate to look at next, by its place in the queue.
    pub cursor: u32,
    /// The root of the newest round: where several are due, the others come first.
    pub last_root: RootGeneration,
}

/// A round that is due.
struct Due {
    purpose: Purpose,
    root: RootGeneration,
    previous: Option<EpochRecord>,
    dealers: Vec<Member>,
    players: Vec<Member>,
}

impl<T: Config> Pallet<T> {
    /// What each block does first.
    pub(crate) fn advance() -> Weight {
        let now = Self::block();
        match Self::running() {
            Some(round) if now >= round.deadline => {
                Self::end_phase(round, now);
                T::WeightInfo::end_phase()
            }
            Some(_) => T::WeightInfo::watch(),
            None => Self::watch(now),
        }
    }

    /// Lets the next block look at all candidates, unless a pause is on.
    pub(crate) fn look_soon() {
        Watching::<T>::mutate(|watch| watch.changed = true);
    }

    /// Notes when the oldest current epoch is due for a refresh.
    pub(crate) fn set_refresh_time() {
        let live = LiveRoots::<T>::get();
        let due = live.iter().filter_map(|root| Some(Self::refresh_at(&Self::epoch_of(*root)?))).min();
        Watching::<T>::mutate(|watch| watch.refresh_at = due);
    }

    /// Looks whether a round is due, and opens it.
    fn watch(now: BlockNumber) -> Weight {
        let mut watch = Watching::<T>::get();
        if now < watch.rest_until {
            return T::WeightInfo::watch();
        }
        let generate = !Roots::<T>::contains_key(RootWanted::<T>::get());
        let refresh = watch.refresh_at.is_some_and(|due| now >= due);
        if !generate && !refresh && !watch.changed {
            watch.changed = Self::look_at_one(&mut watch.cursor);
            Watching::<T>::put(watch);
            return T::WeightInfo::watch();
        }
        let look = T::WeightInfo::look(CandidateQueue::<T>::decode_len().unwrap_or_default() as u32);
        watch.changed = false;
        watch.rest_until = now.saturating_add(LOOK_BLOCKS);
        let Some(due) = Self::find_due(now, watch.last_root) else {
            Watching::<T>::put(watch);
            return look;
        };
        // There may be more to do once this round is over.
        watch.changed = true;
        watch.last_root = due.root;
        Watching::<T>::put(watch);
        Self::open_round(due.purpose, due.root, due.previous, due.dealers, due.players, now);
        look.saturating_add(T::WeightInfo::open_round())
    }

    /// Whether the next candidate is a member and should not be, or the other way round.
    fn look_at_one(cursor: &mut u32) -> bool {
        let queue = CandidateQueue::<T>::get();
        if *cursor as usize >= queue.len() {
            *cursor = 0;
        }
        let Some(account) = queue.get(*cursor as usize) else { return false };
        *cursor = cursor.saturating_add(1);
        let Some(record) = Candidates::<T>::get(account) else { return false };
        let eligible = Self::is_eligible(account, &record);
        let wanted = CustodyParameters::<T>::get().members;
        LiveRoots::<T>::get().into_iter().filter_map(Self::epoch_of).any(|epoch| {
            let is_member = place_of(&epoch.members, &record.gatekeeper).is_some();
            if eligible { !is_member && (epoch.members.len() as u32) < wanted } else { is_member }
        })
    }

    /// The round that is due, if one is: of the roots after `last` first, so that none waits for ever.
    fn find_due(now: BlockNumber, last: RootGeneration) -> Option<Due> {
        let parameters = CustodyParameters::<T>::get();
        let eligible = Self::eligible();
        let mut roots = LiveRoots::<T>::get().into_inner();
        let wanted = RootWanted::<T>::get();
        if !roots.contains(&wanted) && !Roots::<T>::contains_key(wanted) {
            roots.push(wanted);
        }
        roots.sort_by_key(|root| (*root <= last, *root));
        roots.into_iter().find_map(|root| match Self::epoch_of(root) {
            None => Self::due_generation(root, &eligible, &parameters),
            Some(epoch) => Self::due_resharing(epoch, &eligible, &parameters, now),
        })
    }

    /// A look at all candidates, without what follows from it.
    #[cfg(feature = "runtime-benchmarks")]
    pub(crate) fn look() {
        let _ = Self::find_due(Self::block(), RootGeneration::default());
    }

    /// Making a root's key, once as many as wanted are eligible.
    fn due_generation(root: RootGeneration, eligible: &[Member], parameters: &Parameters) -> Option<Due> {
        let players = eligible.get(..parameters.members as usize)?.to_vec();
        Some(Due { purpose: Purpose::Generate, root, previous: None, dealers: players.clone(), players })
    }

    /// Handing a root's key on, when its epoch is old or its members are not the wanted ones.
    fn due_resharing(
        epoch: EpochRecord,
        eligible: &[Member],
        parameters: &Parameters,
        now: BlockNumber,
    ) -> Option<Due> {
        let players = Self::wanted(&epoch.members, eligible, parameters.members);
        let stays = players.len() == epoch.members.len()
            && players.iter().all(|player| place_of(&epoch.members, &player.gatekeeper).is_some());
        let is_old = now >= Self::refresh_at(&epoch);
        // With too few to hand it to, the key stays where it is.
        if (stays && !is_old) || (players.len() as u32) < parameters.members_min {
            return None;
        }
        let present: Vec<_> = epoch
            .members
            .iter()
            .filter(|member| T::Machines::gatekeeper(&member.gatekeeper).is_some())
            .copied()
            .collect();
        if (present.len() as u32) < epoch.threshold {
            return None;
        }
        // Neither expelled nor proven to cheat. Each is looked up once.
        let trusted: Vec<_> = epoch.members.iter().filter(|one| Self::is_trusted(&one.gatekeeper)).copied().collect();
        let ready: Vec<_> = present.iter().filter(|one| trusted.contains(one)).copied().collect();
        let others_suffice = ready.len() as u32 >= epoch.threshold;
        let dealers = if others_suffice && !Self::was_tried(&epoch, &trusted) { ready } else { present };
        Some(Due { purpose: Purpose::Reshare, root: epoch.root, previous: Some(epoch), dealers, players })
    }

    /// Members that are still eligible stay, then the longest-waiting others join, up to `count`.
    fn wanted(members: &[Member], eligible: &[Member], count: u32) -> Vec<Member> {
        let is_member = |one: &&Member| place_of(members, &one.gatekeeper).is_some();
        let staying = eligible.iter().filter(is_member);
        let joining = eligible.iter().filter(|one| !is_member(one));
        staying.chain(joining).take(count as usize).copied().collect()
    }

    /// Whether a round in which only `trusted` members dealt was to hand this epoch on, and was given up. Then one of them may lack
    /// its key share, and everybody who is present deals: a dealing is verified whoever made it, and more dealers do not raise
    /// the number of logs that are required.
    fn was_tried(epoch: &EpochRecord, trusted: &[Member]) -> bool {
        // Where all are trusted it makes no difference.
        let later = (epoch.round.0.saturating_add(1)..=NewestRound::<T>::get().0).rev().take(ROUNDS_KEPT as usize);
        trusted.len() < epoch.members.len()
            && later.filter_map(|number| Rounds::<T>::get(RoundNumber(number))).any(|round| {
                round.previous == Some(epoch.epoch) && round.dealers.iter().all(|dealer| trusted.contains(dealer))
            })
    }

    /// Whether the dealer was neither expelled nor proven to cheat.
    fn is_trusted(dealer: &WorkerId) -> bool {
        Self::candidate_of(dealer).is_some_and(|CandidateRecord { approved, .. }| approved)
    }

    /// The current epoch of a root.
    pub fn epoch_of(root: RootGeneration) -> Option<EpochRecord> {
        Epochs::<T>::get(Roots::<T>::get(root)?.epoch)
    }
}
