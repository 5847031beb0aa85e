//! Work: a worker that is bound to a pool measures itself, and answers when it is asked.
//!
//! ```text
//! bound, no score of this process ─► lanes run for a minute of the chain's time ─► ScoreReport
//! in a session, no programs       ─► lanes run, and count
//! in a session, programs          ─► no lanes: it is paid by its score
//! challenged                      ─► Heartbeat
//! ```
//!
//! # Properties
//! - Time is the chain's, between blocks that were proven final. The host's clock decides how often to look, and nothing that is said.
//! - Whoever may not serve (not admitted, superseded, or on a head that is too old) says nothing.
//! - Every message is sent again until a block shows that it counted, or that it need not.

use crate::{
    benchmark::{Counter, Lanes},
    worker::Worker,
};
use phala_machine::chain::SubmitError;
use phala_messages::{
    Account, BlockRef, Signature,
    calls::{Call, Computation},
    computation::{Challenge, Heartbeat, ScoreReport, SessionNumber, WorkConsent, WorkRecord},
    custody::{CustodyMessage, Signed},
};
use phala_units::UnixMillis;
use std::sync::Arc;

/// How often to look.
const LOOK_MS: u64 = 1_000;
/// How long a benchmark lasts at least, of the chain's time: a block more or less is three per cent.
pub const BENCHMARK_MS: u64 = 60_000;
/// A message that has changed nothing by then is sent again.
const RESEND_MS: u64 = 8_000;
/// Scores are per six seconds.
const SCORE_MS: u128 = 6_000;

/// What the newest head says of this worker's work.
#[derive(Clone, Debug)]
pub struct WorkSeen {
    /// A finalised block.
    pub block: BlockRef,
    /// Its time.
    pub time: UnixMillis,
    /// What stands there; none for who is bound to no pool.
    pub record: Option<WorkRecord>,
}

/// Iterations in six seconds of the chain's time; none before enough of it has passed, or where nothing was done.
pub fn score(done: u64, elapsed_ms: u64) -> Option<u32> {
    if elapsed_ms < BENCHMARK_MS {
        return None;
    }
    let score = u128::from(done).saturating_mul(SCORE_MS).checked_div(elapsed_ms.into())?;
    (score > 0).then_some(u32::try_from(score).unwrap_or(u32::MAX))
}

/// What was said last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Score,
    Heartbeat(SessionNumber, Challenge),
}

/// Keeps a worker at work.
pub struct Earner {
    worker: Arc<Worker>,
    counter: Arc<Counter>,
    lanes: Option<Lanes>,
    /// Since when, and from which count on, the benchmark runs.
    measuring: Option<(UnixMillis, u64)>,
    /// The session, and the count that it began with.
    session: Option<(SessionNumber, u64)>,
    said: Option<(Said, UnixMillis)>,
}

impl Earner {
    /// For `worker`.
    pub fn new(worker: Arc<Worker>) -> Self {
        let counter = worker.iterations.clone();
        Self { worker, counter, lanes: None, measuring: None, session: None, said: None }
    }

    /// Works until the task is dropped.
    pub async fn run(mut self) {
        loop {
            self.worker.ports.clock.sleep(LOOK_MS).await;
            let view = self.worker.view();
            let seen = self.worker.work();
            match seen.as_deref() {
                Some(seen) if self.worker.may_serve(&view).is_ok() => {
                    let serving = !view.programs.is_empty();
                    self.look(seen, serving).await;
                }
                _ => self.rest(),
            }
        }
    }

    fn rest(&mut self) {
        self.lanes = None;
        self.measuring = None;
    }

    async fn look(&mut self, seen: &WorkSeen, serving: bool) {
        let Some(record) = &seen.record else { return self.rest() };
        let instance = self.worker.identity.instance;
        let scored = record.score.is_some_and(|score| score.instance == instance);
        if self.session.map(|(number, _)| number) != record.session {
            self.session = record.session.map(|number| (number, self.counter.get()));
        }
        if (record.session.is_some() && !serving) || !scored {
            self.work_on().await;
        } else {
            self.lanes = None;
        }
        if scored {
            self.measuring = None;
        } else {
            self.measure(seen).await;
        }
        if let (Some((session, began)), Some(challenge)) = (self.session, record.challenge) {
            let iterations = self.counter.get().saturating_sub(began);
            let worker = self.worker.identity.worker;
            let heartbeat = Heartbeat { worker, session, challenge: challenge.block, iterations };
            let call = |heartbeat| Computation::Heartbeat { heartbeat };
            self.say(Said::Heartbeat(session, challenge), heartbeat, call).await;
        }
    }

    /// Lets lanes run, if none do.
    async fn work_on(&mut self) {
        if self.lanes.is_some() {
            return;
        }
        match Lanes::start(&self.worker.engine, &self.counter, self.worker.config.lanes).await {
            Ok(lanes) => self.lanes = Some(lanes),
            Err(error) => tracing::error!(%error, "this machine cannot be measured"),
        }
    }

    async fn measure(&mut self, seen: &WorkSeen) {
        let (since, from) = *self.measuring.get_or_insert((seen.time, self.counter.get()));
        let done = self.counter.get().saturating_sub(from);
        let Some(score) = score(done, seen.time.since(since)) else { return };
        let report = ScoreReport { worker: self.worker.identity.worker, score, block: seen.block };
        if self.say(Said::Score, report, |report| Computation::ReportScore { report }).await {
            tracing::info!(score, "the benchmark is done");
        }
    }

    /// Signs and submits, unless that was done a moment ago. Whether it was done now.
    async fn say<M: CustodyMessage>(
        &mut self,
        what: Said,
        message: M,
        call: impl FnOnce(Signed<M>) -> Computation,
    ) -> bool {
        let now = self.worker.ports.clock.now();
        if self.said.is_some_and(|(said, at)| said == what && now.since(at) < RESEND_MS) {
            return false;
        }
        self.said = Some((what, now));
        let identity = &self.worker.identity;
        let signature = identity.sign_as_instance(&message.signing_hash(&identity.genesis).0);
        let call = Call::Computation(Box::new(call(Signed { message, signature })));
        match self.worker.submitter.submit(&call).await {
            Ok(()) | Err(SubmitError::Known | SubmitError::Had) => true,
            Err(error) => {
                tracing::warn!(?what, %error, "the chain does not take it yet");
                false
            }
        }
    }
}

impl Worker {
    /// This worker's word that `operator` may bind it to a pool; hand it to the account's owner.
    pub fn consent(&self, operator: Account) -> Signature {
        let consent = WorkConsent { worker: self.identity.worker, operator };
        self.identity.sign_as_worker(&consent.signing_hash(&self.identity.genesis).0)
    }

    /// Iterations of the benchmark that this process has done.
    pub fn iterations(&self) -> u64 {
        self.iterations.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_of_a_minute_at_least_and_counts_six_seconds() {
        assert_eq!(score(10_000, BENCHMARK_MS - 1), None);
        assert_eq!(score(10_000, BENCHMARK_MS), Some(1_000));
        assert_eq!(score(10_000, 2 * BENCHMARK_MS), Some(500));
        assert_eq!(score(0, BENCHMARK_MS), None);
        assert_eq!(score(u64::MAX, BENCHMARK_MS), Some(u32::MAX));
    }
}
