//! Which network: a preset of the runtime by name, or a chain specification in a file.

use phala_runtime::{WASM_BINARY, constants::SS58_PREFIX, genesis};
use sc_service::{ChainType, GenericChainSpec, Properties};
use std::path::PathBuf;

/// A specification without extensions of its own.
type Spec = GenericChainSpec;

/// The chain specification named `id`: one of the runtime's presets, or a path.
///
/// # Errors
/// When `id` is neither, or the file is not a chain specification.
pub fn load(id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
    let id = if id.is_empty() { default_preset() } else { id };
    if genesis::names().iter().any(|name| name == id) {
        return preset(id).map(|spec| Box::new(spec) as Box<_>);
    }
    let path = PathBuf::from(id);
    if !path.exists() {
        let names = genesis::names().join(", ");
        return Err(format!(
            "no network is called `{id}` in this build, and no such file exists\n\
             hint: this build knows {names}{}",
            if cfg!(feature = "production") {
                ""
            } else {
                "; `production` needs a node built with `--features production`"
            }
        ));
    }
    Spec::from_json_file(path).map(|spec| Box::new(spec) as Box<_>)
}

const fn default_preset() -> &'static str {
    if cfg!(feature = "production") { "production" } else { "dev" }
}

fn preset(id: &str) -> Result<Spec, String> {
    let code = WASM_BINARY
        .ok_or("the runtime was built without its WebAssembly\nhint: unset SKIP_WASM_BUILD and build again")?;
    let json = genesis::preset(&id.into()).ok_or_else(|| format!("the runtime has no preset `{id}`"))?;
    let patch = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let (name, chain_type) = match id {
        "dev" => ("Phala Development (simulated TEE)", ChainType::Development),
        "local" => ("Phala Local Network (simulated TEE)", ChainType::Local),
        _ => ("Phala", ChainType::Live),
    };
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), "PHA".into());
    properties.insert("tokenDecimals".into(), 12.into());
    properties.insert("ss58Format".into(), SS58_PREFIX.into());
    Ok(Spec::builder(code, None)
        .with_name(name)
        .with_id(&format!("phala_{id}"))
        .with_protocol_id("phala")
        .with_chain_type(chain_type)
        .with_properties(properties)
        .with_genesis_config_patch(patch)
        .build())
}
