//! Measuring: iterations of the benchmark, counted on all cores.
//!
//! Lanes run on threads where blocking is allowed, one for each core, iteration after iteration, until whoever holds [`Lanes`] lets go.
//! They need no clock, and look at none.

use phala_engine::{
    Engine,
    benchmark::{BenchmarkError, Lane},
};
use phala_machine::task::blocking;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Iterations done so far, since this process started.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lanes that run. Dropping it ends each after its iteration.
pub struct Lanes(Arc<AtomicBool>);

impl Drop for Lanes {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Starts so many lanes, which add to `counter`.
    ///
    /// # Errors
    /// [`BenchmarkError`]: this machine cannot be measured.
    pub async fn start(engine: &Engine, counter: &Arc<Counter>, lanes: usize) -> Result<Self, BenchmarkError> {
        let engine = engine.clone();
        let ready = move || (0..lanes.max(1)).map(|_| Lane::new(&engine)).collect::<Result<Vec<_>, _>>();
        let lanes = blocking(ready).await?;
        let stop = Arc::new(AtomicBool::new(false));
        for mut lane in lanes {
            let (stop, counter) = (stop.clone(), counter.clone());
            tokio::task::spawn_blocking(move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(error) = lane.iterate() {
                        return tracing::error!(%error, "a lane of the benchmark ends");
                    }
                    counter.0.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(Self(stop))
    }
}
