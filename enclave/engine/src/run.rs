//! Drives one call: from its first instruction to the last byte of its answer.
//!
//! There is no task of its own per call. Whoever waits for the answer's head runs the program; once the head is
//! there, whoever reads the body does. So a program never runs ahead of its reader, and stops when nobody reads.

use crate::{
    call::{Body, BodyError, CallError, Outcome},
    outbound::head_fits,
};
use bytes::Bytes;
use futures::task::{ArcWake, waker};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use phala_messages::limits::ANSWER_BODY_BYTES_MAX;
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep_until},
};
use wasmtime_wasi_http::WasiBody;

/// The program, running. Resolves when it has returned.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<Outcome, CallError>> + Send>>;

/// Where the program puts its answer's head.
#[derive(Clone, Default)]
pub(crate) struct HeadSlot(Arc<Mutex<Option<Result<http::Response<WasiBody>, CallError>>>>);

impl HeadSlot {
    pub(crate) fn put(&self, head: Result<http::Response<WasiBody>, CallError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    fn take(&self) -> Option<Result<http::Response<WasiBody>, CallError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What may end a call that does not end by itself.
pub(crate) enum Patience {
    /// A query: a deadline, and the milliseconds it stands for.
    Until(Pin<Box<Sleep>>, u32),
    /// A command: nothing outside is waited for, so a program that neither runs nor answers never will.
    WhileItRuns,
}

impl Patience {
    /// A query's patience, from now on.
    pub(crate) fn for_query(query_ms_max: u32) -> Self {
        let deadline = Instant::now() + Duration::from_millis(query_ms_max.into());
        Self::Until(Box::pin(sleep_until(deadline)), query_ms_max)
    }
}

/// A program and its limits in time.
pub(crate) struct Run {
    guest: Option<Guest>,
    patience: Patience,
}

/// How far a program got.
enum Step {
    /// It waits, and will be woken.
    Waiting,
    /// It waits, and nothing will wake it but a reader of what it has written.
    Stuck,
    /// It has just ended.
    Ended(Result<Outcome, CallError>),
    /// It had ended before.
    Gone,
}

impl Run {
    pub(crate) fn new(guest: Guest, patience: Patience) -> Self {
        Self { guest: Some(guest), patience }
    }

    /// Lets the program run for a while.
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let Some(guest) = &mut self.guest else { return Step::Gone };
        let step = match &mut self.patience {
            Patience::Until(deadline, ms) => {
                // A busy executor may be late to notice a timer: look at the clock as well.
                if deadline.deadline() <= Instant::now() || deadline.as_mut().poll(context).is_ready() {
                    Step::Ended(Err(CallError::OutOfTime(*ms)))
                } else {
                    match guest.as_mut().poll(context) {
                        Poll::Pending => Step::Waiting,
                        Poll::Ready(result) => Step::Ended(result),
                    }
                }
            }
            Patience::WhileItRuns => step_watched(guest, context),
        };
        if let Step::Ended(_) = step {
            self.guest = None;
        }
        step
    }

    /// Runs the program until its answer has a head.
    pub(crate) async fn head(
        &mut self,
        slot: &HeadSlot,
    ) -> Result<(http::Response<WasiBody>, Option<Outcome>), CallError> {
        let mut outcome = None;
        let head = std::future::poll_fn(|context| {
            let step = self.step(context);
            if let Step::Ended(Err(error)) = step {
                return Poll::Ready(Err(error));
            }
            if let Some(head) = slot.take() {
                if let Step::Ended(Ok(done)) = step {
                    outcome = Some(done);
                }
                return Poll::Ready(head);
            }
            match step {
                Step::Waiting => Poll::Pending,
                Step::Stuck => Poll::Ready(Err(stuck())),
                Step::Ended(_) | Step::Gone => Poll::Ready(Err(CallError::NoResponse)),
            }
        })
        .await?;
        if !head_fits(head.headers()) {
            return Err(CallError::HeadTooLarge);
        }
        Ok((head, outcome))
    }
}

fn stuck() -> CallError {
    CallError::Trap("it waits for something that cannot come".into())
}

/// Lets a command's program run, and watches whether anything will ever wake it.
fn step_watched(guest: &mut Guest, context: &mut Context<'_>) -> Step {
    struct Flag(AtomicBool, Waker);

    impl ArcWake for Flag {
        fn wake_by_ref(flag: &Arc<Self>) {
            flag.0.store(true, Relaxed);
            flag.1.wake_by_ref();
        }
    }

    let flag = Arc::new(Flag(AtomicBool::new(false), context.waker().clone()));
    let waker = waker(flag.clone());
    // Without tokio's budget, which would make a program wait for no reason of its own.
    let guest = pin!(tokio::task::unconstrained(guest));
    match guest.poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(result) => Step::Ended(result),
        Poll::Pending if flag.0.load(Relaxed) => Step::Waiting,
        Poll::Pending => Step::Stuck,
    }
}

/// An answer's body, which runs the program as it is read.
pub(crate) struct AnswerBody {
    run: Run,
    inner: Option<WasiBody>,
    bytes: u64,
    outcome: Option<Outcome>,
    report: Option<oneshot::Sender<Result<Outcome, CallError>>>,
}

impl AnswerBody {
    pub(crate) fn new(
        run: Run,
        inner: WasiBody,
        outcome: Option<Outcome>,
        report: oneshot::Sender<Result<Outcome, CallError>>,
    ) -> Body {
        Self { run, inner: Some(inner), bytes: 0, outcome, report: Some(report) }.boxed_unsync()
    }

    /// The next frame that the program has written, if there is one. `None` at the body's end.
    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        // Without tokio's budget: a channel that has something must say so, or what was written looks lost.
        let frame =
            pin!(tokio::task::unconstrained(std::future::poll_fn(|context| Pin::new(&mut *inner).poll_frame(context))));
        match ready!(frame.poll(context)) {
            None => {
                self.inner = None;
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                Poll::Ready(Some(Err(CallError::Broken(format!("the answer's body broke off: {error}")))))
            }
            Some(Ok(frame)) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.bytes > ANSWER_BODY_BYTES_MAX {
                    return Poll::Ready(Some(Err(CallError::BodyTooLarge(ANSWER_BODY_BYTES_MAX))));
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn report(&mut self, result: Result<Outcome, CallError>) {
        if let Some(report) = self.report.take() {
            let _ = report.send(result); // nobody may be interested
        }
    }

    /// Ends the call with an error.
    fn fail(&mut self, error: CallError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.run.guest = None;
        self.inner = None;
        let first = self.report.is_some();
        self.report(Err(error.clone()));
        Poll::Ready(first.then_some(Err(BodyError::Call(error))))
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let ended = match self.poll_inner(context) {
                Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(error))) => {
                    // If the body broke off because the program crashed, say that.
                    return match self.run.step(context) {
                        Step::Ended(Err(crash)) => self.fail(crash),
                        _ => self.fail(error),
                    };
                }
                Poll::Ready(None) => true,
                Poll::Pending => false,
            };
            let step = self.run.step(context);
            match step {
                Step::Waiting if ended => return Poll::Pending,
                Step::Stuck if ended => return self.fail(stuck()),
                // What it has written meanwhile comes first; then wait for both.
                Step::Waiting | Step::Stuck => match self.poll_inner(context) {
                    Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
                    Poll::Ready(Some(Err(error))) => return self.fail(error),
                    Poll::Ready(None) => {}
                    Poll::Pending if matches!(step, Step::Stuck) => return self.fail(stuck()),
                    Poll::Pending => return Poll::Pending,
                },
                Step::Ended(Err(error)) => return self.fail(error),
                Step::Ended(Ok(outcome)) => self.outcome = Some(outcome),
                Step::Gone if ended => {
                    if let Some(outcome) = self.outcome.take() {
                        self.report(Ok(outcome));
                    }
                    return Poll::Ready(None);
                }
                Step::Gone => {
                    // The program is gone and its body still open: nothing more can come.
                    return self.fail(CallError::Broken("the program returned before its answer's end".into()));
                }
            }
        }
    }
}
