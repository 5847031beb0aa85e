//! The component that both sides run.

use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A built component: where it lies, and its bytes.
pub struct Component {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub bytes: Vec<u8>,
}

/// Builds the component if it is not built yet.
pub fn build() -> anyhow::Result<Component> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    // Beside this program, outside the checkout.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).context("this program lies in target/PROFILE")?.join("bench-guest");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2", "--manifest-path"])
        .arg(source.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // What was set for building the benchmark itself is not for the guest.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        // As `phala build` does.
        .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C target-feature=+simd128")
        .status()
        .context("cargo does not start")?;
    if !status.success() {
        bail!("the guest does not build: {status}; `rustup target add wasm32-wasip2` may help");
    }
    let path = target.join("wasm32-wasip2/release/bench_guest.wasm");
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(Component { path: path.canonicalize()?, bytes })
}
