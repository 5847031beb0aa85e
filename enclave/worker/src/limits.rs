//! How much runs at once: no program may take the whole worker, no crowd may drown it.
//!
//! ```text
//! request ──► program's places ──► worker's places ──► runs
//!             (half the worker)    (running at once)
//!          waits here while there is room to wait; else `busy`
//! ```

use crate::problem::Problem;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many calls run, and how many wait.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Calls that run at once; at least 2.
    pub running_max: usize,
    /// Requests that wait for a place; one more is refused.
    pub waiting_max: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { running_max: 256, waiting_max: 4_096 }
    }
}

/// The worker's places.
pub struct Gate {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    places: Places,
}

/// One program's places.
pub struct ProgramGate(Arc<Semaphore>);

/// A place, held while a call runs.
pub struct Place {
    _program: OwnedSemaphorePermit,
    _worker: OwnedSemaphorePermit,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate with `places`.
    pub fn new(places: Places) -> Self {
        Self { running: Arc::new(Semaphore::new(places.running_max.max(2))), waiting: AtomicUsize::new(0), places }
    }

    /// A program's part of it: half.
    pub fn program(&self) -> ProgramGate {
        ProgramGate(Arc::new(Semaphore::new(self.places.running_max.div_ceil(2).max(1))))
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`Problem::Busy`] when too many wait already, [`Problem::Stopping`] when the gate is closed.
    pub async fn enter(&self, program: &ProgramGate) -> Result<Place, Problem> {
        let taken = (program.0.clone().try_acquire_owned(), self.running.clone().try_acquire_owned());
        if let (Ok(program), Ok(worker)) = taken {
            return Ok(Place { _program: program, _worker: worker });
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.places.waiting_max {
            return Err(Problem::Busy);
        }
        let program = program.0.clone().acquire_owned().await.map_err(|_| Problem::Stopping)?;
        let worker = self.running.clone().acquire_owned().await.map_err(|_| Problem::Stopping)?;
        Ok(Place { _program: program, _worker: worker })
    }

    /// Calls that run now.
    pub fn running(&self) -> usize {
        self.places.running_max.max(2) - self.running.available_permits()
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.running.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_program_gets_half_the_worker_and_the_rest_stays_for_others() {
        let gate = Gate::new(Places { running_max: 4, waiting_max: 10 });
        let (greedy, other) = (gate.program(), gate.program());
        let held: Vec<_> = [gate.enter(&greedy).await.unwrap(), gate.enter(&greedy).await.unwrap()].into();
        assert!(gate.enter(&greedy).now_or_never().is_none());
        assert!(gate.enter(&other).now_or_never().unwrap().is_ok());
        drop(held);
        assert!(gate.enter(&greedy).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn whoever_comes_when_there_is_no_room_to_wait_is_told_so_and_leaves_no_trace() {
        let gate = Gate::new(Places { running_max: 2, waiting_max: 1 });
        let program = gate.program();
        let _held = gate.enter(&program).await.unwrap();
        let mut first = Box::pin(gate.enter(&program));
        assert!(first.as_mut().now_or_never().is_none());
        assert_eq!(gate.waiting(), 1);
        assert_eq!(gate.enter(&program).await.err(), Some(Problem::Busy));
        drop(first);
        assert_eq!(gate.waiting(), 0);
        assert_eq!(gate.running(), 1);
    }

    #[tokio::test]
    async fn a_closed_gate_says_that_the_worker_stops() {
        let gate = Gate::new(Places::default());
        gate.close();
        assert_eq!(gate.enter(&gate.program()).await.err(), Some(Problem::Stopping));
    }
}
