//! Builds the runtime a second time, as the WebAssembly that the network executes.

fn main() {
    #[cfg(feature = "std")]
    substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
