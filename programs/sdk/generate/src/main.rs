//! Writes `programs/sdk/src/bindings.rs` from `programs/wit`.
//!
//! The SDK carries its bindings as source, so that a program needs neither WIT files nor a code generator to
//! build. `wasi:http` and what it stands on come from the crate `wasip2`; here is the rest of the world.
//!
//! ```text
//! cargo run              writes the file
//! cargo run -- --check   exits 1 when the file differs from what would be written
//! ```

use anyhow::{Context as _, Result, bail};
use std::{env, fs, path::Path};
use wit_bindgen_core::{Files, WorldGenerator as _, wit_parser::Resolve};
use wit_bindgen_rust::{Opts, WithOption};

/// The part of `phala:program/program` that `wasip2` does not bind.
const WORLD: &str = "
package phala:bindings;
world sdk {
  import wasi:keyvalue/store@0.2.0-draft2;
  import wasi:keyvalue/atomics@0.2.0-draft2;
  import wasi:config/store@0.2.0-rc.1;
  import wasi:logging/logging@0.1.0-draft;
  import phala:program/context@1.0.0;
  import phala:program/keys@1.0.0;
  import phala:program/attestation@1.0.0;
}";

fn main() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.join("../src/bindings.rs");
    let bindings = generate(&here.join("../../wit"))?;
    if env::args().any(|argument| argument == "--check") {
        if fs::read_to_string(&target).context("src/bindings.rs")? != bindings {
            bail!("src/bindings.rs is not what programs/wit says; run `cargo run` in programs/sdk/generate");
        }
    } else {
        fs::write(&target, bindings).context("src/bindings.rs")?;
    }
    Ok(())
}

/// The bindings as source text.
fn generate(wit: &Path) -> Result<String> {
    let mut resolve = Resolve::new();
    resolve.push_path(wit).context("programs/wit")?;
    let package = resolve.push_source("sdk.wit", WORLD)?;
    let world = resolve.select_world(&[package], Some("sdk"))?;
    let options = Opts {
        format: true,
        generate_all: true,
        with: Vec::<(String, WithOption)>::new(),
        runtime_path: Some("wit_bindgen::rt".into()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let mut sources = files.iter();
    match (sources.next(), sources.next()) {
        (Some((_, source)), None) => Ok(String::from_utf8(source.to_vec())?),
        _ => bail!("the generator wrote something else than one file"),
    }
}
