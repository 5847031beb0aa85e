//! Challenges: who is asked in a block, and who did not answer.
//!
//! # Properties
//! - A block's work is as large as the number of its challenges, however many workers there are.
//! - A worker has one challenge at a time: the oldest that it did not answer.

use crate::{
    Challenged, CheckedThrough, Config, Event, Pallet, Randomness as _, Responsive, ResponsiveCount, Rules, Sessions,
    Tariff, WeightInfo as _, Work,
};
use frame_support::{pallet_prelude::*, traits::Get};
use phala_economics::{WorkRules, draw};
use phala_messages::{WorkerId, computation::Challenge};
use phala_units::BlockNumber;
use sp_io::hashing::blake2_256;

/// Blocks of overdue challenges that are judged in one block: more than one only after the window was shortened.
const BLOCKS_JUDGED_MAX: u32 = 2;

impl<T: Config> Pallet<T> {
    /// What every block begins with: who is overdue falls silent, then others are asked.
    pub(crate) fn begin_block() -> Weight {
        let (checked, silent) = Self::judge_overdue();
        let asked = Self::ask();
        T::WeightInfo::begin_block(checked.saturating_sub(silent), silent, asked)
    }

    /// Lets workers fall silent whose window is over. Answers how many challenges were looked at, and how many workers fell silent.
    fn judge_overdue() -> (u32, u32) {
        let now = Self::block();
        let window = Tariff::<T>::get().heartbeat_window_blocks;
        let (mut checked, mut silent) = (0u32, 0u32);
        // A chain that has never asked has nothing to judge.
        let before = CheckedThrough::<T>::try_get().unwrap_or(BlockNumber(now.0.saturating_sub(1)));
        let mut through = before;
        for _ in 0..BLOCKS_JUDGED_MAX {
            let next = through.next();
            // Overdue is what is older than the window.
            if now.since(next) <= window {
                break;
            }
            through = next;
            for worker in Challenged::<T>::take(next) {
                checked = checked.saturating_add(1);
                silent = silent.saturating_add(u32::from(Self::judge_one(&worker, next)));
            }
        }
        if through != before || !CheckedThrough::<T>::exists() {
            CheckedThrough::<T>::put(through);
        }
        (checked, silent)
    }

    /// Whether the worker has not answered this challenge, and falls silent.
    fn judge_one(worker: &WorkerId, asked: BlockNumber) -> bool {
        let waits = Work::<T>::get(worker)
            .is_some_and(|work| work.session.is_some() && work.challenge.is_some_and(|waiting| waiting.block == asked));
        let Some(mut record) = Sessions::<T>::get(worker).filter(|record| waits && record.worth.responsive) else {
            return false;
        };
        record.worth.fall_silent(&Tariff::<T>::get(), Self::block());
        Self::leave_index(&mut record);
        Self::unlist(&mut record);
        let session = record.number;
        Sessions::<T>::insert(worker, record);
        Self::deposit_event(Event::WorkerSilent { worker: *worker, session });
        true
    }

    /// What the places of those who are asked in this block are drawn from.
    pub(crate) fn seed_of_challenges() -> [u8; 32] {
        blake2_256(&codec::Encode::encode(&(b"phala/challenge/1", T::Randomness::seed(), Self::block())))
    }

    /// Draws workers and asks them. Answers how many were drawn.
    fn ask() -> u32 {
        let online = ResponsiveCount::<T>::get();
        let WorkRules { challenges: wanted, per_hour, .. } = Rules::<T>::get();
        if online == 0 || wanted == 0 {
            return 0;
        }
        let (now, time) = (Self::block(), Self::time());
        let seed = Self::seed_of_challenges();
        let mut drawn = 0u32;
        let mut asked = BoundedVec::default();
        for place in draw(seed, wanted, per_hour, online, T::BlockMs::get()) {
            drawn = drawn.saturating_add(1);
            let Some(worker) = Responsive::<T>::get(place) else { continue };
            let taken = Work::<T>::mutate(worker, |work| match work {
                Some(work) if work.challenge.is_none() => {
                    work.challenge = Some(Challenge { block: now, time });
                    true
                }
                _ => false,
            });
            if taken {
                Self::deposit_event(Event::WorkerChallenged { worker });
                // No more are drawn than the list holds.
                let _ = asked.try_push(worker);
            }
        }
        if !asked.is_empty() {
            Challenged::<T>::insert(now, asked);
        }
        drawn
    }
}
