//! One computing session's account: its V and D, brought up to date when somebody looks.
//!
//! ```text
//!            start              heartbeat: grow, measure, pay
//!   (none) ────────▶ responsive ◀───────────────────────────┐
//!                        │ challenge overdue                │ its heartbeat after all: no pay
//!                        └────────────▶ silent: V shrinks ──┘
//! ```
//!
//! Nothing happens between two events but what a closed form says ([`Growth`], [`silent`]), so an event costs the same after one block
//! and after a year. Settling is idempotent: a session that was settled for a block is not changed by settling it for that block again.
//!
//! # Properties
//! - In each block a session either grows, or shrinks, or answers: never two of them, never none.
//! - A heartbeat that has nothing to pay for (D is zero) leaves the time that is paid for open for the next one.
//! - No event panics, in whatever order they come.

use crate::{
    Confidence, Earned, FaultLevel, Fixed, Growth, Parameters, Payout, Performance, Score, StakeError, WorkIndex,
    WorkShare, current, payout, silent, stake, work_share,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, Planck};
use scale_info::TypeInfo;

/// What is known of a session's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Session {
    /// P_init.
    pub score: Score,
    /// How far the machine is trusted.
    pub confidence: Confidence,
    /// P_instant.
    pub lately: Performance,
    /// Whether it hosted programs when it last answered.
    pub serving: bool,
    /// Whether it answers.
    pub responsive: bool,
    /// Ve, in PHA.
    pub initial: Fixed,
    /// V in block `settled_at`, in PHA.
    pub value: Fixed,
    /// D in block `settled_at`, in PHA.
    pub deductible: Fixed,
    /// The last block that V and D include.
    pub settled_at: BlockNumber,
    /// The share that it has in the sum of shares, until it is visited again.
    pub share: WorkShare,
    /// What a unit of share had earned when it was last paid.
    pub earned: Earned,
}

impl Session {
    /// A session that starts in block `now`, which is the first it grows in.
    ///
    /// # Errors [`StakeError`].
    pub fn start(
        parameters: &Parameters,
        stake: Planck,
        score: Score,
        confidence: Confidence,
        now: BlockNumber,
    ) -> Result<Self, StakeError> {
        let initial = stake::admit(parameters, stake, score, confidence)?;
        Ok(Self {
            score,
            confidence,
            lately: score.into(),
            serving: false,
            responsive: true,
            initial,
            value: initial,
            deductible: Fixed::ZERO,
            settled_at: BlockNumber(now.0.saturating_sub(1)),
            share: WorkShare::default(),
            earned: Earned::default(),
        })
    }

    /// P_cur: its score while it serves programs, else what it did lately.
    pub fn performance(&self) -> Performance {
        current(self.score, self.lately, self.serving)
    }

    /// Brings V and D up to the end of block `through`.
    pub fn settle(&mut self, parameters: &Parameters, through: BlockNumber) {
        let blocks = u64::from(through.since(self.settled_at));
        if self.responsive {
            let growth = Growth::new(parameters, self.score, self.performance());
            let grown = growth.after(self.value, self.deductible, blocks);
            (self.value, self.deductible) = (grown.value, grown.deductible);
        } else {
            self.value = silent(parameters, self.value, blocks);
            self.deductible = Fixed::ZERO;
        }
        self.settled_at = self.settled_at.max(through);
    }

    /// Notes in block `now` that a challenge is overdue. This block is the first that V shrinks in.
    pub fn fall_silent(&mut self, parameters: &Parameters, now: BlockNumber) {
        self.settle(parameters, before(now));
        self.responsive = false;
    }

    /// Takes an answer in block `now`: what it `measured`, and whether it hosts programs. Returns whether there is something to pay for; a
    /// worker that was silent is responsive again, and paid from here on.
    pub fn answer(
        &mut self,
        parameters: &Parameters,
        now: BlockNumber,
        measured: Option<Performance>,
        serving: bool,
    ) -> Answer {
        self.settle(parameters, before(now));
        // The block of the answer itself adds nothing.
        self.settled_at = self.settled_at.max(now);
        self.lately = measured.unwrap_or(self.lately);
        self.serving = serving;
        if !self.responsive {
            self.responsive = true;
            self.deductible = Fixed::ZERO;
            return Answer::Recovered;
        }
        if self.deductible == Fixed::ZERO { Answer::NothingDue } else { Answer::Due }
    }

    /// Pays `part` (B_w) as far as the pot goes, and takes it off V.
    pub fn pay(&mut self, parameters: &Parameters, part: Planck, pot: Planck) -> Payout {
        let paid = payout::split(parameters, part, pot);
        self.value = payout::value_after(self.value, self.deductible, paid.pool);
        self.deductible = Fixed::ZERO;
        paid
    }

    /// The share that it would have now.
    pub fn current_share(&self) -> WorkShare {
        work_share(self.value, self.performance(), self.confidence)
    }

    /// Takes part in the division of the budget from now on, with the share that it has now. Where it took part before, with another share, it
    /// leaves that; what it had earned with it must have been paid.
    ///
    /// # Errors [`crate::SumError`], and nothing is changed.
    pub fn rejoin(&mut self, index: &mut WorkIndex) -> Result<(), crate::SumError> {
        let mut next = *index;
        next.leave(self.share)?;
        let share = self.current_share();
        let earned = next.join(share)?;
        (*index, self.share, self.earned) = (next, share, earned);
        Ok(())
    }

    /// Takes no part any more: it is silent, or stops.
    ///
    /// # Errors [`crate::SumError`], and nothing is changed.
    pub fn leave(&mut self, index: &mut WorkIndex) -> Result<(), crate::SumError> {
        index.leave(self.share)?;
        self.share = WorkShare::default();
        self.earned = index.earned();
        Ok(())
    }

    /// B_w, by the share that it took part with.
    ///
    /// # Units Planck.
    /// # Rounding Down.
    pub fn owed(&self, index: &WorkIndex) -> Planck {
        index.owed(self.share, self.earned)
    }

    /// Takes off V what a fault of this level costs. V and D must be settled.
    pub fn punish(&mut self, level: FaultLevel) {
        self.value = level.value_after(self.value);
        self.deductible = self.deductible.min(self.value);
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The worker is to be paid.
    Due,
    /// V has not grown since the last payment: nothing is paid, and the time counts for the next one.
    NothingDue,
    /// The worker was silent and is back. The time of its silence is not paid.
    Recovered,
}

fn before(block: BlockNumber) -> BlockNumber {
    BlockNumber(block.0.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;
    use proptest::prelude::*;

    const PARAMETERS: Parameters = Parameters::DEFAULT;

    fn session() -> Session {
        Session::start(&PARAMETERS, Planck(3_000 * PHA), Score(1_000), Confidence::Two, BlockNumber(10)).unwrap()
    }

    #[test]
    fn settling_twice_for_a_block_is_settling_once() {
        let mut session = session();
        session.settle(&PARAMETERS, BlockNumber(500));
        let once = session;
        session.settle(&PARAMETERS, BlockNumber(500));
        session.settle(&PARAMETERS, BlockNumber(20));
        assert_eq!(session, once);
    }

    #[test]
    fn a_silent_worker_shrinks_until_it_answers_and_is_not_paid_for_it() {
        let mut session = session();
        session.fall_silent(&PARAMETERS, BlockNumber(100));
        let grown = session.value;
        session.settle(&PARAMETERS, BlockNumber(100));
        assert!(session.value < grown, "the block that noticed counts");
        let answer = session.answer(&PARAMETERS, BlockNumber(1_900), None, false);
        assert_eq!((answer, session.deductible), (Answer::Recovered, Fixed::ZERO));
        let at_once = silent(&PARAMETERS, grown, 1_800);
        assert!(session.value.to_bits().abs_diff(at_once.to_bits()) <= 2, "settled in between, and rounded there");
    }

    #[test]
    fn an_answer_on_the_heels_of_another_is_paid_with_the_next() {
        let mut session = session();
        assert_eq!(session.answer(&PARAMETERS, BlockNumber(100), None, false), Answer::Due);
        session.pay(&PARAMETERS, Planck(PHA), Planck(u128::MAX));
        assert_eq!(session.answer(&PARAMETERS, BlockNumber(101), None, false), Answer::NothingDue);
        assert_eq!(session.answer(&PARAMETERS, BlockNumber(101), None, false), Answer::NothingDue);
        assert_eq!(session.answer(&PARAMETERS, BlockNumber(103), None, false), Answer::Due);
    }

    #[test]
    fn serving_costs_no_pay_however_slow_the_benchmark_runs_beside_it() {
        let slow = Some(Performance(Fixed::ONE));
        let (mut serving, mut idle) = (session(), session());
        serving.answer(&PARAMETERS, BlockNumber(100), slow, true);
        idle.answer(&PARAMETERS, BlockNumber(100), slow, false);
        assert_eq!(serving.performance(), Score(1_000).into());
        assert!(serving.current_share() > idle.current_share());
        let mut undisturbed = session();
        undisturbed.answer(&PARAMETERS, BlockNumber(100), None, false);
        for session in [&mut serving, &mut undisturbed, &mut idle] {
            session.settle(&PARAMETERS, BlockNumber(5_000));
        }
        assert_eq!(serving.value, undisturbed.value);
        assert!(idle.value < serving.value);
    }

    #[test]
    fn shares_enter_and_leave_the_sum_as_a_whole() {
        let (mut index, mut session) = (WorkIndex::default(), session());
        session.rejoin(&mut index).unwrap();
        assert_eq!(index.sum(), session.current_share());
        index.divide(Planck(5 * PHA));
        assert!(Planck(5 * PHA).0 - session.owed(&index).0 <= 1);
        session.settle(&PARAMETERS, BlockNumber(50_000));
        session.rejoin(&mut index).unwrap();
        assert_eq!((index.sum(), session.owed(&index)), (session.share, Planck(0)));
        session.leave(&mut index).unwrap();
        session.leave(&mut index).unwrap();
        assert_eq!(index.sum(), WorkShare::default());
    }

    #[test]
    fn a_share_that_was_never_in_the_sum_does_not_leave_it() {
        let (mut index, mut stranger) = (WorkIndex::default(), session());
        stranger.share = WorkShare(Fixed::ONE);
        let before = stranger;
        assert!(stranger.rejoin(&mut index).is_err() && stranger.leave(&mut index).is_err());
        assert_eq!((stranger, index), (before, WorkIndex::default()));
    }

    #[test]
    fn a_fault_costs_v_by_its_level() {
        for (level, left) in [(FaultLevel::Silence, 100), (FaultLevel::Grave, 90), (FaultLevel::Attack, 0)] {
            let mut session = Session { value: Fixed::from_int(100), deductible: Fixed::from_int(95), ..session() };
            session.punish(level);
            assert_eq!(session.value.to_int(), left);
            assert!(session.deductible <= session.value);
        }
    }

    proptest! {
        #[test]
        fn no_order_of_events_breaks_an_account(events in prop::collection::vec((0u8..6, any::<u32>(), any::<u128>()), 0..40)) {
            let (mut session, mut index) = (session(), WorkIndex::default());
            let (mut budget, mut paid) = (0u128, 0u128);
            for (event, block, number) in events {
                let now = BlockNumber(block);
                match event {
                    0 => session.settle(&PARAMETERS, now),
                    1 => session.fall_silent(&PARAMETERS, now),
                    2 => {
                        let measured = Performance(Fixed::from_bits(number).min(crate::performance::cap(&PARAMETERS, session.score)));
                        if session.answer(&PARAMETERS, now, Some(measured), number & 1 == 1) == Answer::Due {
                            let owed = session.owed(&index);
                            let payout = session.pay(&PARAMETERS, owed, Planck(u128::MAX));
                            paid += payout.pool.0 + payout.treasury.0;
                        }
                        session.rejoin(&mut index).unwrap();
                    }
                    3 => session.leave(&mut index).unwrap(),
                    4 => session.punish(FaultLevel::Minor),
                    _ => {
                        index.divide(Planck(number % (100 * PHA)));
                        budget += number % (100 * PHA);
                    }
                }
                prop_assert!(session.value <= PARAMETERS.value_max);
                prop_assert!(paid <= budget);
            }
        }
    }
}
