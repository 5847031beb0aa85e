//! How fast a worker is, and was lately.

use crate::{Fixed, PPM, Parameters};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Largest score: 2²⁰, three hundred times a good desktop processor of 2021. Twice its square still fits a [`Fixed`].
pub const SCORE_MAX: u32 = 1 << 20;

/// P_init: the result of the benchmark that a worker ran before its session, in iterations per six seconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Score(pub u32);

/// P_instant: how fast a worker was between its last two answers, in iterations per six seconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Performance(pub Fixed);

impl From<Score> for Performance {
    fn from(score: Score) -> Self {
        Self(Fixed::from_int(score.0.into()))
    }
}

/// How far a worker's counter of iterations had come, and when.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Mark {
    /// Iterations since the session began.
    pub iterations: u64,
    /// The time of the challenge that was answered, in milliseconds.
    pub at_ms: u64,
}

/// P_instant = min((iterations − before) × 6 / Δt, cap × P_init); `None` when no time has passed, and nothing is to change.
///
/// A counter that went backwards (the process restarted) counts as one that stood still, and later ones from there.
///
/// # Units Iterations per six seconds.
/// # Rounding Down.
/// # Source Phala's worker rewards; the cap keeps one lucky interval from paying more than the stake allows.
pub fn measure(parameters: &Parameters, score: Score, before: Mark, now: Mark) -> Option<Performance> {
    let elapsed_ms = now.at_ms.checked_sub(before.at_ms).filter(|ms| *ms > 0)?;
    let done = now.iterations.saturating_sub(before.iterations);
    // Iterations per six seconds of 1,000 milliseconds.
    let pace = Fixed::from_ratio(u128::from(done).saturating_mul(6_000), elapsed_ms.into()).unwrap_or(Fixed::MAX);
    Some(Performance(pace.min(cap(parameters, score))))
}

/// The largest performance that a worker of `score` is paid for.
///
/// # Rounding Down.
pub fn cap(parameters: &Parameters, score: Score) -> Fixed {
    let parts = u128::from(score.0).saturating_mul(parameters.performance_cap_ppm.into());
    Fixed::from_ratio(parts, PPM.into()).unwrap_or(Fixed::MAX)
}

/// P_cur: what a worker is paid for. While it serves programs that is its score, whatever the benchmark measures beside them.
pub fn current(score: Score, lately: Performance, serving: bool) -> Performance {
    if serving { score.into() } else { lately }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Mark = Mark { iterations: 0, at_ms: 0 };

    fn pace(score: u32, before: Mark, iterations: u64, at_ms: u64) -> Option<Fixed> {
        let now = Mark { iterations, at_ms };
        measure(&Parameters::ORIGINAL, Score(score), before, now).map(|performance| performance.0)
    }

    #[test]
    fn performance_is_what_was_done_in_six_seconds_up_to_its_cap() {
        assert_eq!(pace(600, START, 11_000, 100_000), Some(Fixed::from_int(660)));
        let before = Mark { iterations: 11_000, at_ms: 100_000 };
        assert_eq!(pace(600, before, 26_000, 200_000), Some(Fixed::from_int(720)));
    }

    #[test]
    fn a_counter_that_fell_back_counts_as_standing_still() {
        let before = Mark { iterations: 11_000, at_ms: 100_000 };
        assert_eq!(pace(600, before, 10_999, 200_000), Some(Fixed::ZERO));
    }

    #[test]
    fn without_time_there_is_no_performance() {
        let before = Mark { iterations: 0, at_ms: 100 };
        assert_eq!(pace(600, before, 5, 100), None);
        assert_eq!(pace(600, before, 5, 99), None);
        assert_eq!(pace(600, before, 5, 101), Some(Fixed::from_int(720)));
    }

    #[test]
    fn nothing_that_a_worker_claims_panics() {
        assert_eq!(pace(u32::MAX, START, u64::MAX, u64::MAX), Some(Fixed::from_int(6_000)));
        assert_eq!(pace(SCORE_MAX, START, u64::MAX, 1).map(Fixed::to_int), Some(u64::from(SCORE_MAX) * 12 / 10));
        assert_eq!(pace(0, START, u64::MAX, 1), Some(Fixed::ZERO));
    }

    #[test]
    fn serving_programs_costs_no_pay() {
        let slow = Performance(Fixed::from_int(1));
        assert_eq!(current(Score(700), slow, true), Score(700).into());
        assert_eq!(current(Score(700), slow, false), slow);
    }
}
