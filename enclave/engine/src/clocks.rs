//! `wasi:clocks`: the machine's clocks for queries, the block's time for commands.
//!
//! In a command the wall clock stands still at the block's time. The monotonic clock starts at zero and moves
//! only when the program waits: once nothing else can go on, it jumps to the earliest time that is waited for.
//! So a timeout never wins against work that could be done, sleeping costs nothing, and every replica sees the
//! same.

use crate::{
    call::Mode,
    host::{HasHost, Host},
};
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi::{
    p2::{
        DynPollable, Pollable,
        bindings::clocks::{monotonic_clock as p2_monotonic, wall_clock as p2_wall},
        subscribe,
    },
    p3::bindings::clocks::{monotonic_clock as p3_monotonic, system_clock as p3_system, types as p3_types},
};

/// The clocks of one call.
#[derive(Clone)]
pub(crate) enum Clock {
    /// The machine's; the monotonic one counts from the start of the call.
    Machine(Instant),
    /// The block's time, and a timeline that moves only by waiting.
    Block(Duration, Arc<Mutex<Timeline>>),
}

impl Clock {
    pub(crate) fn new(mode: &Mode) -> Self {
        match mode {
            Mode::Query => Self::Machine(Instant::now()),
            Mode::Command { time, .. } => Self::Block(Duration::from_millis(time.0), Arc::default()),
        }
    }

    fn wall(&self) -> Duration {
        match self {
            Self::Machine(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Block(time, _) => *time,
        }
    }

    fn resolution(&self) -> Duration {
        match self {
            Self::Machine(_) => Duration::from_nanos(1),
            Self::Block(..) => Duration::from_millis(1),
        }
    }

    fn monotonic(&self) -> u64 {
        match self {
            Self::Machine(start) => start.elapsed().as_nanos() as u64,
            Self::Block(_, timeline) => lock(timeline).now,
        }
    }

    /// Waits until the monotonic clock shows `when`.
    fn wait_until(&self, when: u64) -> Wait {
        match self {
            Self::Machine(start) => match start.checked_add(Duration::from_nanos(when)) {
                Some(instant) => Wait::Machine(instant),
                None => Wait::Forever,
            },
            Self::Block(_, timeline) => Wait::Block(when, timeline.clone()),
        }
    }
}

/// One wait, which may be started again and again.
enum Wait {
    Machine(Instant),
    Forever,
    Block(u64, Arc<Mutex<Timeline>>),
}

impl Wait {
    async fn elapsed(&self) {
        match self {
            Self::Machine(instant) if *instant <= Instant::now() => {
                // A program that polls with a timeout of zero in a loop must not starve what it polls for.
                tokio::task::yield_now().await;
            }
            Self::Machine(instant) => tokio::time::sleep_until((*instant).into()).await,
            Self::Forever => pending().await,
            Self::Block(when, timeline) => Timer { when: *when, timeline: timeline.clone(), id: None }.await,
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Wait {
    async fn ready(&mut self) {
        self.elapsed().await;
    }
}

/// Time as a command sees it: nanoseconds since it began, and who waits for what.
#[derive(Default)]
pub(crate) struct Timeline {
    now: u64,
    timers_made: u64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    id: u64,
    when: u64,
    waker: Waker,
}

impl Timeline {
    /// Forgets a timer; the others may be the earliest now.
    fn forget(&mut self, id: u64) {
        self.waiting.retain(|waiting| waiting.id != id);
        self.waiting.iter().for_each(|waiting| waiting.waker.wake_by_ref());
    }
}

fn lock(timeline: &Mutex<Timeline>) -> std::sync::MutexGuard<'_, Timeline> {
    timeline.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Resolves when nothing else could be done and no other timer is earlier.
struct Timer {
    when: u64,
    timeline: Arc<Mutex<Timeline>>,
    id: Option<u64>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<()> {
        let timeline = self.timeline.clone();
        let mut timeline = lock(&timeline);
        let Some(id) = self.id else {
            if self.when <= timeline.now {
                return Poll::Ready(());
            }
            let id = timeline.timers_made;
            timeline.timers_made += 1;
            timeline.waiting.push(Waiting { id, when: self.when, waker: context.waker().clone() });
            self.id = Some(id);
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        let earliest = timeline.waiting.iter().map(|waiting| waiting.when).min();
        if earliest.is_some_and(|earliest| earliest < self.when) {
            if let Some(waiting) = timeline.waiting.iter_mut().find(|waiting| waiting.id == id) {
                waiting.waker.clone_from(context.waker());
            }
            return Poll::Pending;
        }
        timeline.now = timeline.now.max(self.when);
        timeline.forget(id);
        self.id = None;
        Poll::Ready(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            lock(&self.timeline).forget(id);
        }
    }
}

impl Host {
    fn subscribe(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = self.table.push(self.clock.wait_until(when))?;
        subscribe(&mut self.table, wait)
    }
}

impl p2_wall::Host for Host {
    fn now(&mut self) -> wasmtime::Result<p2_wall::Datetime> {
        Ok(p2_datetime(self.clock.wall()))
    }

    fn resolution(&mut self) -> wasmtime::Result<p2_wall::Datetime> {
        Ok(p2_datetime(self.clock.resolution()))
    }
}

fn p2_datetime(time: Duration) -> p2_wall::Datetime {
    p2_wall::Datetime { seconds: time.as_secs(), nanoseconds: time.subsec_nanos() }
}

impl p2_monotonic::Host for Host {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.resolution().as_nanos() as u64)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe(self.clock.monotonic().saturating_add(duration))
    }
}

impl p3_types::Host for Host {}

impl p3_system::Host for Host {
    fn now(&mut self) -> wasmtime::Result<p3_system::Instant> {
        let now = self.clock.wall();
        Ok(p3_system::Instant { seconds: now.as_secs() as i64, nanoseconds: now.subsec_nanos() })
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.resolution().as_nanos() as u64)
    }
}

impl p3_monotonic::Host for Host {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.monotonic())
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.resolution().as_nanos() as u64)
    }
}

impl<T> p3_monotonic::HostWithStore<T> for HasHost {
    async fn wait_until(store: &Accessor<T, Self>, when: u64) -> wasmtime::Result<()> {
        let clock = store.with(|mut host| host.get().clock.clone());
        clock.wait_until(when).elapsed().await;
        Ok(())
    }

    async fn wait_for(store: &Accessor<T, Self>, duration: u64) -> wasmtime::Result<()> {
        let clock = store.with(|mut host| host.get().clock.clone());
        clock.wait_until(clock.monotonic().saturating_add(duration)).elapsed().await;
        Ok(())
    }
}

pub(crate) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p2_wall::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p2_monotonic::add_to_linker::<Host, HasHost>(linker, |host| host)
}

pub(crate) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p3_types::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p3_system::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p3_monotonic::add_to_linker::<Host, HasHost>(linker, |host| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, executor::block_on, future::select};
    use phala_units::UnixMillis;

    fn command() -> Clock {
        Clock::new(&Mode::Command { index: 0, time: UnixMillis(1_500), seed: [0; 32] })
    }

    #[test]
    fn a_commands_clock_is_the_blocks_and_moves_by_waiting() {
        let clock = command();
        assert_eq!((clock.wall(), clock.monotonic()), (Duration::from_millis(1_500), 0));
        block_on(clock.wait_until(7_000).elapsed());
        assert_eq!((clock.wall(), clock.monotonic()), (Duration::from_millis(1_500), 7_000));
        block_on(clock.wait_until(3_000).elapsed());
        assert_eq!(clock.monotonic(), 7_000, "time does not run back");
    }

    #[test]
    fn the_earliest_wait_ends_first_whatever_the_order() {
        let clock = command();
        let (late, early) = (clock.wait_until(9_000), clock.wait_until(1_000));
        let first = block_on(select(late.elapsed().boxed(), early.elapsed().boxed()));
        assert!(matches!(first, futures::future::Either::Right(_)));
        assert_eq!(clock.monotonic(), 1_000);
    }

    #[test]
    fn a_wait_never_wins_against_what_is_ready() {
        let clock = command();
        let wait = clock.wait_until(1);
        let first = block_on(select(wait.elapsed().boxed(), futures::future::ready(())));
        assert!(matches!(first, futures::future::Either::Right(_)));
        assert_eq!(clock.monotonic(), 0);
    }

    #[test]
    fn a_dropped_wait_does_not_hold_the_others_up() {
        let clock = command();
        let late = clock.wait_until(9_000);
        let mut late = late.elapsed().boxed();
        let early = clock.wait_until(1_000);
        let mut early = early.elapsed().boxed();
        let waker = futures::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(early.as_mut().poll(&mut context).is_pending());
        assert!(late.as_mut().poll(&mut context).is_pending());
        assert!(late.as_mut().poll(&mut context).is_pending(), "the other one is earlier");
        drop(early);
        block_on(late);
        assert_eq!(clock.monotonic(), 9_000);
    }
}
