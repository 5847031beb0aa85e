//! Content of TCB info (first byte even) or QE identity (odd), signed before it is judged.
#![no_main]

#[path = "../../../wire/evidence/tests/common/mod.rs"]
mod common;
mod seeds;

use common::Case;
use libfuzzer_sys::fuzz_target;
use phala_messages::collateral::Collateral;
use phala_platform::simulated::pki::Pki;
use std::sync::LazyLock;

static CASE: LazyLock<(Case, Pki)> = LazyLock::new(|| (Case::simulated(), Pki::development()));

/// What a simulated machine's makers say, and what Intel says.
fn contents() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let cases = Case::all_intel().into_iter().chain([("simulated", Case::simulated())]);
    for (name, case) in cases {
        for collateral in &case.collateral {
            let (kind, json) = match collateral {
                Collateral::TcbInfo { json, .. } => (0, json),
                Collateral::QeIdentity { json, .. } => (1, json),
                Collateral::RootCrl { .. } | Collateral::PckCrl { .. } => continue,
            };
            seeds.push((format!("{name}-{kind}"), [&[kind][..], json].concat()));
        }
    }
    seeds
}

fuzz_target!(
    init: seeds::write(contents),
    |input: &[u8]| {
        let Some((kind, content)) = input.split_first() else { return };
        let Ok(content) = std::str::from_utf8(content) else { return };
        if content.len() > 60_000 {
            return;
        }
        let (mut case, pki) = CASE.clone();
        match kind % 2 {
            0 => case.collateral[2] = pki.tcb_info(content),
            _ => case.collateral[3] = pki.qe_identity(content),
        }
        if let Err(difference) = common::agree(&case) {
            panic!("{difference}");
        }
    }
);
