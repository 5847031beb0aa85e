//! An upgrade tried: migrations on a state, with their own checks, and every pallet's invariants afterwards.

use crate::{state, wasm::Wasm};
use anyhow::{Context, Result, bail};
use codec::{Decode, Encode};
use frame_try_runtime::UpgradeCheckSelect;
use sp_core::storage::well_known_keys::CODE;
use sp_runtime::{StateVersion, Weight, traits::BlakeTwo256};
use sp_state_machine::InMemoryBackend;
use std::path::Path;

/// Runs this runtime's migrations on a state.
///
/// # Errors
/// When a check fails, or they do not fit a block.
pub fn run(path: Option<&Path>) -> Result<()> {
    let wasm = Wasm::new()?;
    let storage = path.map_or_else(|| state::genesis(&wasm), state::from_file)?;
    let name = path.map_or("the dev network's genesis".into(), |path| path.display().to_string());
    let with_code = storage.top.contains_key(CODE);
    println!("state: {name}, {} entries, {} code", storage.top.len(), if with_code { "with" } else { "without" });
    let state = InMemoryBackend::<BlakeTwo256>::from((storage, StateVersion::V1));
    let answer = wasm
        .call(&state, "TryRuntime_on_runtime_upgrade", &UpgradeCheckSelect::All.encode())
        .context("the upgrade fails on this state")?;
    let (used, room) = <(Weight, Weight)>::decode(&mut answer.as_slice())?;
    let us = |weight: Weight| weight.ref_time() / 1_000_000;
    println!("migrations: {} us of a block's {} us", us(used), us(room));
    if used.any_gt(room) {
        bail!("the migrations do not fit a block");
    }
    println!("every entry decodes, every invariant holds: the upgrade would succeed");
    Ok(())
}
