//! What is measured, one file a group.

pub mod economy;
pub mod evidence;
pub mod keys;
pub mod processor;
pub mod query;
pub mod sealing;
pub mod start;

use crate::load::percentile;
use std::time::{Duration, Instant};

/// How long each of many repetitions took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    /// Does it and notes how long it took.
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.0.push(began.elapsed());
        done
    }

    fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        percentile(&self.0, percent)
    }

    /// The middle one: what happens beside us does not move it.
    fn median(&mut self) -> Duration {
        self.percentile(50)
    }
}
