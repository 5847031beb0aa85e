//! The runtime's WebAssembly, executed as nodes do.

use anyhow::{Context, Result, anyhow};
use sc_executor::{
    DEFAULT_HEAP_ALLOC_STRATEGY, WasmExecutionMethod, WasmExecutor, WasmtimeInstantiationStrategy,
    sp_wasm_interface::ExtendedHostFunctions,
};
use sp_core::{
    H256,
    traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
};
use sp_externalities::{Extensions, Externalities};
use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{Backend, OverlayedChanges, StateMachine};

/// What nodes offer, what benchmarks need, and our clock in place of theirs.
type HostFunctions = ExtendedHostFunctions<
    (sp_io::SubstrateHostFunctions, frame_benchmarking::benchmarking::HostFunctions),
    crate::clock::benchmarking::HostFunctions,
>;

/// The runtime.
pub struct Wasm {
    executor: WasmExecutor<HostFunctions>,
    code: &'static [u8],
}

impl Wasm {
    /// The runtime that this program was built with.
    ///
    /// # Errors
    /// When it was built without.
    pub fn new() -> Result<Self> {
        let code = phala_runtime::WASM_BINARY.context("this was built with SKIP_WASM_BUILD; build it without")?;
        let strategy = WasmtimeInstantiationStrategy::PoolingCopyOnWrite;
        let executor = WasmExecutor::builder()
            .with_execution_method(WasmExecutionMethod::Compiled { instantiation_strategy: strategy })
            .with_onchain_heap_alloc_strategy(DEFAULT_HEAP_ALLOC_STRATEGY)
            .with_offchain_heap_alloc_strategy(DEFAULT_HEAP_ALLOC_STRATEGY)
            .with_max_runtime_instances(1)
            .build();
        Ok(Self { executor, code })
    }

    /// Calls the runtime on a state, which stays as it is but for what benchmarks do to theirs.
    ///
    /// # Errors
    /// When the runtime traps.
    pub fn call<B: Backend<BlakeTwo256>>(&self, state: &B, method: &str, data: &[u8]) -> Result<Vec<u8>> {
        let mut changes = OverlayedChanges::<BlakeTwo256>::default();
        let mut extensions = Extensions::new();
        extensions.register(KeystoreExt::new(MemoryKeystore::new()));
        self.with_code(|code| {
            let context = CallContext::Offchain;
            let mut machine =
                StateMachine::new(state, &mut changes, &self.executor, method, data, &mut extensions, code, context);
            machine.execute().map_err(|error| anyhow!("{method}: {error}"))
        })
    }

    /// Calls the runtime on storage that it may change.
    ///
    /// # Errors
    /// When the runtime traps.
    pub fn change(&self, storage: &mut dyn Externalities, method: &str, data: &[u8]) -> Result<Vec<u8>> {
        self.with_code(|code| {
            let (result, _) = self.executor.call(storage, code, method, data, CallContext::Offchain);
            result.map_err(|error| anyhow!("{method}: {error}"))
        })
    }

    fn with_code<R>(&self, run: impl FnOnce(&RuntimeCode) -> R) -> R {
        let fetcher = WrappedRuntimeCode(self.code.into());
        let hash = H256(sp_io::hashing::blake2_256(self.code)).as_bytes().to_vec();
        run(&RuntimeCode { code_fetcher: &fetcher, hash, heap_pages: None })
    }
}
