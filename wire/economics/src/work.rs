//! What a chain keeps of work: sessions, what of a pool is at work, what has been divided; and the rules that are not prices.

use crate::{CHALLENGES_MAX, CHALLENGES_PER_HOUR, CHALLENGES_PER_HOUR_MAX, Mark, Ppm, Session, WorkIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_messages::{PoolId, computation::SessionNumber};
use phala_units::{BlockNumber, Planck, UnixMillis};
use scale_info::TypeInfo;

/// Longest cool-down: thirty days. Whoever wants to leave a pool waits for it.
pub const COOL_DOWN_MS_MAX: u64 = 30 * 86_400_000;

/// A session of a worker: it computes, or its stake cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SessionRecord {
    /// Which.
    pub number: SessionNumber,
    /// Whose stake.
    pub pool: PoolId,
    /// What is at work, Planck; fines for faults are off already, what silence costs is not.
    pub stake: Planck,
    /// V, D, score and share.
    pub worth: Session,
    /// How far the worker's counter was when it answered last.
    pub mark: Mark,
    /// Its place in the list of workers that answer; none while it is silent or cools down.
    pub place: Option<u32>,
    /// The block that it began in.
    pub started: BlockNumber,
    /// What it brought its pool, Planck.
    pub earned: Planck,
    /// It computes no more; this is what becomes of its stake.
    pub cooling: Option<Cooling>,
}

/// A stake on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Cooling {
    /// When it comes back.
    pub until: UnixMillis,
    /// How much of the stake comes back, Planck; the rest is slashed then.
    pub returned: Planck,
    /// Its turn in the queue of those that cool down.
    pub turn: u64,
}

/// What of a pool is at work.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct PoolWork {
    /// The stakes of all its sessions, those that cool down among them, Planck.
    pub at_work: Planck,
    /// What comes back of those that cool down, Planck.
    pub returning: Planck,
}

/// How far the budget has been divided.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Accrual {
    /// Shares, and what they have earned.
    pub index: WorkIndex,
    /// The last block whose budget is divided.
    pub through: BlockNumber,
    /// What has been divided since the beginning, Planck.
    pub divided: Planck,
    /// What has been paid since the beginning, Planck; never more than was divided.
    pub paid: Planck,
}

/// Rules of work that are not prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WorkRules {
    /// How many workers are challenged in a block, on average; with zero nobody is.
    pub challenges: u32,
    /// How often one worker is challenged at most, per hour, on average.
    pub per_hour: u32,
    /// How long a stake stays liable after its worker has stopped, milliseconds.
    pub cool_down_ms: u64,
    /// What part of a fine the owner of the harmed program gets, before anybody else.
    pub harmed: Ppm,
    /// What part of a fine goes to who proved the fault. The treasury gets the rest.
    pub reporter: Ppm,
}

/// Why rules are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkRulesError {
    /// [`CHALLENGES_MAX`].
    #[error("a block would challenge more than 256 workers")]
    Challenges,
    /// [`CHALLENGES_PER_HOUR_MAX`].
    #[error("one worker would be challenged more than 900 times an hour")]
    PerHour,
    /// [`COOL_DOWN_MS_MAX`].
    #[error("the cool-down is longer than thirty days")]
    CoolDown,
    /// More than there is.
    #[error("the parts of a fine are more than the fine")]
    Parts,
}

impl WorkRules {
    /// Twenty challenges a block, seven days, half of a fine to the harmed, a tenth to who reports.
    pub const DEFAULT: Self = Self {
        challenges: 20,
        per_hour: CHALLENGES_PER_HOUR,
        cool_down_ms: 7 * 86_400_000,
        harmed: Ppm::percent(50),
        reporter: Ppm::percent(10),
    };

    /// These rules, if each lies in its range.
    ///
    /// # Errors The first that does not.
    pub fn validate(self) -> Result<Self, WorkRulesError> {
        if self.challenges > CHALLENGES_MAX {
            return Err(WorkRulesError::Challenges);
        }
        if self.per_hour > CHALLENGES_PER_HOUR_MAX {
            return Err(WorkRulesError::PerHour);
        }
        if self.cool_down_ms > COOL_DOWN_MS_MAX {
            return Err(WorkRulesError::CoolDown);
        }
        if self.harmed.parts().saturating_add(self.reporter.parts()) > Ppm::WHOLE.parts() {
            return Err(WorkRulesError::Parts);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_allowed_and_one_past_it_is_not() {
        let rules = WorkRules::DEFAULT;
        assert_eq!(rules.validate(), Ok(rules));
        let challenges = |challenges| WorkRules { challenges, ..rules }.validate().err();
        assert_eq!(
            (challenges(CHALLENGES_MAX), challenges(CHALLENGES_MAX + 1)),
            (None, Some(WorkRulesError::Challenges))
        );
        let per_hour = |per_hour| WorkRules { per_hour, ..rules }.validate().err();
        assert_eq!(per_hour(CHALLENGES_PER_HOUR_MAX), None);
        assert_eq!(per_hour(CHALLENGES_PER_HOUR_MAX + 1), Some(WorkRulesError::PerHour));
        let cool_down = |cool_down_ms| WorkRules { cool_down_ms, ..rules }.validate().err();
        assert_eq!(cool_down(COOL_DOWN_MS_MAX), None);
        assert_eq!(cool_down(COOL_DOWN_MS_MAX + 1), Some(WorkRulesError::CoolDown));
        let parts = |parts| WorkRules { harmed: Ppm::new(parts).unwrap(), ..rules }.validate().err();
        assert_eq!((parts(900_000), parts(900_001)), (None, Some(WorkRulesError::Parts)));
    }
}
