//! Age: whether what is finalised is also recent.
//!
//! A node that stops telling news cannot forge, but it can hold its listener in the past. The only remedy
//! is a clock: the newest finalised block must not be older than a limit of the caller's choice.

use crate::follower::FollowError;
use phala_units::UnixMillis;

/// Whether a block of time `time_at_head` is recent enough at `now`. Read `Timestamp::Now` in the same proof as
/// what is judged by it. A block from the future is as recent as can be: clocks differ by seconds.
///
/// # Errors
/// [`FollowError::Stale`].
pub fn check_age(time_at_head: UnixMillis, now: UnixMillis, max_age_ms: u64) -> Result<(), FollowError> {
    let age_ms = now.since(time_at_head);
    if age_ms > max_age_ms { Err(FollowError::Stale { age_ms, max_age_ms }) } else { Ok(()) }
}
