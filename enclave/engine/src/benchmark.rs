//! The benchmark: a fixed module, run by the same compiler and runtime that programs are run by.
//!
//! It needs no clock: it computes iteration after iteration, and whoever counts them knows what time has passed. `workload.wat` says what an
//! iteration is; `workload.wasm` is the same, assembled, so that a worker needs no assembler.
//!
//! # Properties
//! - An iteration does the same work on every machine, and comes to the same result: a machine that computes wrongly finds out.
//! - It reads nothing and writes nothing outside its own memory, and touches no program.

use crate::{artifact::Nans, audit::World, engine::Engine};
use wasmtime::{Instance, Module, Store, TypedFunc};

/// The module, assembled.
const WORKLOAD: &[u8] = include_bytes!("workload.wasm");
/// What the first three iterations from zero come to.
const RESULT: i64 = 0x41da_08c3_c5dc_53e8;
/// More than an iteration burns.
const FUEL: u64 = u64::MAX / 2;

/// Why there is no benchmark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BenchmarkError {
    /// The runtime does not take the module.
    #[error("the benchmark does not start: {0}")]
    Runtime(String),
    /// It came to something else than on every other machine.
    #[error("the benchmark came to {0:#x}: this machine computes wrongly")]
    Wrong(i64),
}

impl From<wasmtime::Error> for BenchmarkError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Runtime(format!("{error:#}"))
    }
}

/// One core's worth of benchmark, ready to run.
pub struct Lane {
    store: Store<()>,
    run: TypedFunc<i64, i64>,
    last: i64,
}

impl Lane {
    /// Makes ready, and checks that this machine computes as others do.
    ///
    /// # Errors
    /// [`BenchmarkError`].
    pub fn new(engine: &Engine) -> Result<Self, BenchmarkError> {
        let flavor =
            engine.flavor(World::P2, Nans::Native).map_err(|error| BenchmarkError::Runtime(error.to_string()))?;
        let module = Module::new(&flavor.engine, WORKLOAD)?;
        let mut store = Store::new(&flavor.engine, ());
        store.set_fuel(FUEL)?;
        let instance = Instance::new(&mut store, &module, &[])?;
        let run = instance.get_typed_func(&mut store, "run")?;
        let mut lane = Self { store, run, last: 0 };
        for _ in 0..3 {
            lane.iterate()?;
        }
        if lane.last == RESULT { Ok(lane) } else { Err(BenchmarkError::Wrong(lane.last)) }
    }

    /// One iteration: some milliseconds of one core.
    ///
    /// # Errors
    /// [`BenchmarkError::Runtime`], which cannot be.
    pub fn iterate(&mut self) -> Result<(), BenchmarkError> {
        self.store.set_fuel(FUEL)?;
        self.last = self.run.call(&mut self.store, self.last)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineConfig;
    use std::path::PathBuf;

    fn engine() -> Engine {
        Engine::new(EngineConfig { instances_max: 4, ..EngineConfig::default() }).expect("this machine runs it")
    }

    #[test]
    fn the_module_is_what_its_text_says() {
        let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says so")).join("src");
        let assembled = wat::parse_file(folder.join("workload.wat")).expect("it is a module");
        if std::env::var_os("PHALA_WRITE_VECTORS").is_some() {
            std::fs::write(folder.join("workload.wasm"), &assembled).expect("it can be written");
        } else {
            assert_eq!(assembled, WORKLOAD);
        }
    }

    #[test]
    fn every_machine_comes_to_the_same() {
        let mut lane = Lane::new(&engine()).expect("this machine computes rightly");
        lane.iterate().expect("it goes on");
        assert_ne!(lane.last, RESULT, "and what comes is new");
    }
}
