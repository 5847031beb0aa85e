//! The WebAssembly runtime, configured: up to four flavors of it, each made when first needed.

use crate::{
    artifact::Nans,
    audit::World,
    host::{Host, link},
    limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX},
    program::Idles,
};
use phala_messages::limits::MEMORY_BYTES_MAX;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Strategy,
    component::Linker,
};

/// Native stack that a program may use.
const STACK_BYTES_MAX: usize = 1024 * 1024;
/// The stack that a call runs on: the program's part, and room for host functions.
const CALL_STACK_BYTES: usize = STACK_BYTES_MAX + 1024 * 1024;
/// Address space of one memory. With this much, most bounds checks are done by the processor.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Unmapped space behind a memory.
const MEMORY_GUARD_BYTES: u64 = 32 << 20;
/// Memory of a finished instance that is wiped and kept rather than given back.
const WARM_BYTES: usize = 1 << 20;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Instances that may live at once, per flavor. One more call is [`crate::CallError::Busy`].
    pub instances_max: u32,
    /// Whether the machine swaps no memory to disk. Then the kernel's word on which pages an instance wrote can
    /// be trusted, and only those are wiped after it, which halves the cost of a short call. Where memory may be
    /// swapped out this must be false: the kernel would forget some of the pages, and the next instance would
    /// find them.
    pub memory_never_swaps: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { instances_max: 1_000, memory_never_swaps: false }
    }
}

/// Why there is no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The runtime does not run on this processor or with these settings.
    #[error("the WebAssembly runtime does not start: {0}")]
    Runtime(String),
}

/// Compiles and runs programs. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    config: EngineConfig,
    flavors: Arc<[OnceLock<Flavor>; 4]>,
    making: Arc<Mutex<()>>,
}

/// A runtime for one generation of WASI and one treatment of NaNs, with everything linked.
pub(crate) struct Flavor {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Host>,
    pub(crate) idles: Idles,
}

impl Engine {
    /// Starts an engine.
    ///
    /// # Errors
    /// [`EngineError::Runtime`] when the runtime does not start on this machine.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let engine = Self { config, flavors: Arc::default(), making: Arc::default() };
        engine.flavor(World::P2, Nans::Native)?;
        Ok(engine)
    }

    pub(crate) fn flavor(&self, world: World, nans: Nans) -> Result<&Flavor, EngineError> {
        let index = usize::from(world == World::P3) + 2 * usize::from(nans == Nans::Canonical);
        let cell = &self.flavors[index];
        if let Some(flavor) = cell.get() {
            return Ok(flavor);
        }
        let _only_one_makes_it = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if cell.get().is_none() {
            let made =
                Flavor::new(&self.config, world, nans).map_err(|error| EngineError::Runtime(format!("{error:#}")))?;
            let _ = cell.set(made);
        }
        Ok(cell.get().expect("just set"))
    }
}

impl Flavor {
    fn new(config: &EngineConfig, world: World, nans: Nans) -> wasmtime::Result<Self> {
        let mut settings = settings(world, nans);
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
        // The pool reserves terabytes of address space, which not every machine grants.
        let engine = wasmtime::Engine::new(&settings).or_else(|refused| {
            tracing::warn!(%refused, "no pool of instances, each call allocates its own memory: calls are slower");
            settings.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            wasmtime::Engine::new(&settings)
        })?;
        let mut linker = Linker::new(&engine);
        link(&mut linker, world)?;
        Ok(Self { engine, linker, idles: Idles::default() })
    }
}

/// Everything that compiled code depends on.
fn settings(world: World, nans: Nans) -> Config {
    let mut settings = Config::new();
    settings
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .cranelift_nan_canonicalization(nans == Nans::Canonical)
        .relaxed_simd_deterministic(true)
        .wasm_component_model(true)
        // Costs a tenth of a short call; components of the second generation do not need it.
        .wasm_component_model_async(world == World::P3)
        .concurrency_support(world == World::P3)
        .wasm_memory64(false)
        .shared_memory(false)
        .consume_fuel(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20))
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .memory_init_cow(true)
        .table_lazy_init(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(CALL_STACK_BYTES)
        .parallel_compilation(true);
    settings
}

fn pool(config: &EngineConfig) -> PoolingAllocationConfig {
    let instances = config.instances_max.max(1);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        // Components made of several modules (JavaScript, Python, Go) have up to five.
        .total_core_instances(instances.saturating_mul(5))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX as u32)
        .max_memories_per_component(MEMORIES_MAX as u32)
        .max_tables_per_component(TABLES_MAX as u32)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_memory_size(MEMORY_BYTES_MAX as usize)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(instances / 4);
    if config.memory_never_swaps {
        pool.linear_memory_keep_resident(WARM_BYTES).table_keep_resident(WARM_BYTES / 2).pagemap_scan(Enabled::Auto);
    } else {
        pool.pagemap_scan(Enabled::No);
    }
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flavor_links() {
        let engine =
            Engine::new(EngineConfig { instances_max: 4, ..EngineConfig::default() }).expect("this machine runs it");
        for world in [World::P2, World::P3] {
            for nans in [Nans::Native, Nans::Canonical] {
                engine.flavor(world, nans).expect("everything links");
            }
        }
    }
}
