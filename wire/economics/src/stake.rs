//! What a worker must stake, may stake, and is worth with it.

use crate::{Confidence, Fixed, Parameters, Score};
use phala_units::Planck;

/// Why a stake does not start a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StakeError {
    /// The worker is too slow: [`Parameters::score_min`].
    #[error("the score is below the least that a session needs")]
    ScoreTooLow,
    /// The score is above [`crate::SCORE_MAX`].
    #[error("the score is above the largest there is")]
    ScoreTooHigh,
    /// [`stake_min`].
    #[error("the stake is less than {0}, which this score needs")]
    TooLittle(Planck),
    /// [`stake_max`].
    #[error("the stake is more than {0}, where V has its limit")]
    TooMuch(Planck),
}

/// S_min = k × √score: the least stake of a worker.
///
/// # Units PHA.
/// # Rounding Down, by at most k × 2⁻³².
/// # Source Phala's staking mechanism.
pub fn stake_min(parameters: &Parameters, score: Score) -> Fixed {
    parameters.stake_k.mul_down(Fixed::from_int(score.0.into()).sqrt())
}

/// Ve = (1 + (Re − 1) × confidence) × (S + C): the value that a session starts with.
///
/// # Units PHA.
/// # Rounding Down.
/// # Source Phala's worker rewards.
pub fn initial_value(parameters: &Parameters, stake: Fixed, score: Score, confidence: Confidence) -> Fixed {
    boost(parameters, confidence).mul_down(stake.saturating_add(parameters.hardware_cost(score)))
}

/// S_max = Vmax / (1 + (Re − 1) × confidence) − C: the largest stake of a worker; zero if its hardware alone has that value.
///
/// # Units PHA.
/// # Rounding Down.
/// # Invariant With this stake, [`initial_value`] is at most [`Parameters::value_max`].
/// # Source The inverse of [`initial_value`].
pub fn stake_max(parameters: &Parameters, score: Score, confidence: Confidence) -> Fixed {
    let whole = parameters.value_max.checked_div(boost(parameters, confidence)).unwrap_or(Fixed::ZERO);
    whole.saturating_sub(parameters.hardware_cost(score))
}

/// [`initial_value`] of a stake that may start a session.
///
/// # Errors The first rule that the stake or the score breaks.
pub fn admit(
    parameters: &Parameters,
    stake: Planck,
    score: Score,
    confidence: Confidence,
) -> Result<Fixed, StakeError> {
    if score.0 < parameters.score_min {
        return Err(StakeError::ScoreTooLow);
    }
    if score.0 > crate::SCORE_MAX {
        return Err(StakeError::ScoreTooHigh);
    }
    let amount = Fixed::from_planck(stake);
    let least = stake_min(parameters, score);
    if amount < least {
        // What is refused for a fraction of a Planck is told the whole Planck that it needs.
        return Err(StakeError::TooLittle(Planck(least.to_planck().0.saturating_add(1))));
    }
    let value = initial_value(parameters, amount, score, confidence);
    if value > parameters.value_max {
        return Err(StakeError::TooMuch(stake_max(parameters, score, confidence).to_planck()));
    }
    Ok(value)
}

/// 1 + (Re − 1) × confidence.
fn boost(parameters: &Parameters, confidence: Confidence) -> Fixed {
    Fixed::ONE.saturating_add(confidence.of(parameters.boost.saturating_sub(Fixed::ONE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SCORE_MAX;
    use phala_units::PHA;
    use proptest::prelude::*;

    const LEVELS: [Confidence; 5] =
        [Confidence::One, Confidence::Two, Confidence::Three, Confidence::Four, Confidence::Five];

    #[test]
    fn a_stake_that_is_refused_is_told_what_would_do() {
        let parameters = Parameters::ORIGINAL;
        let score = Score(1_000);
        let Err(StakeError::TooLittle(least)) = admit(&parameters, Planck(0), score, Confidence::One) else { panic!() };
        assert!(admit(&parameters, least, score, Confidence::One).is_ok());
        assert!(admit(&parameters, Planck(least.0 - 1), score, Confidence::One).is_err());
        let Err(StakeError::TooMuch(most)) = admit(&parameters, Planck(u128::MAX), score, Confidence::One) else {
            panic!()
        };
        assert!(admit(&parameters, most, score, Confidence::One).is_ok());
        assert!(admit(&parameters, Planck(most.0 + 1), score, Confidence::One).is_err());
    }

    #[test]
    fn a_score_is_admitted_at_its_limits_and_not_past_them() {
        let parameters = Parameters { value_max: crate::VALUE_MAX, ..Parameters::ORIGINAL };
        let stake = Planck(1_000_000 * PHA);
        let admit = |score| admit(&parameters, stake, Score(score), Confidence::One);
        assert!(admit(50).is_ok());
        assert_eq!(admit(49), Err(StakeError::ScoreTooLow));
        assert!(admit(SCORE_MAX).is_ok());
        assert_eq!(admit(SCORE_MAX + 1), Err(StakeError::ScoreTooHigh));
    }

    proptest! {
        #[test]
        fn the_largest_stake_reaches_the_limit_and_does_not_pass_it(score in 50u32..SCORE_MAX, level in 0usize..5, max in 1u64..1 << 30) {
            let parameters = Parameters { value_max: Fixed::from_int(max), ..Parameters::DEFAULT };
            let most = stake_max(&parameters, Score(score), LEVELS[level]);
            if most > Fixed::ZERO {
                let value = initial_value(&parameters, most, Score(score), LEVELS[level]);
                prop_assert!(value <= parameters.value_max);
                prop_assert!(parameters.value_max.saturating_sub(value) <= Fixed::from_bits(4));
            }
        }

        #[test]
        fn no_stake_and_no_score_panics(bits in any::<u128>(), score in any::<u32>(), level in 0usize..5) {
            for parameters in [Parameters::DEFAULT, Parameters { boost: Fixed::MAX, rig_k: Fixed::MAX, ..Parameters::DEFAULT }] {
                let _ = admit(&parameters, Planck(bits), Score(score), LEVELS[level]);
                let _ = stake_max(&parameters, Score(score), LEVELS[level]);
            }
        }
    }
}
