//! A piece of collateral as bytes: first the piece, then which field, then the field.
#![no_main]

#[path = "../../../wire/evidence/tests/common/mod.rs"]
mod common;
mod seeds;

use common::Case;
use libfuzzer_sys::fuzz_target;
use phala_messages::collateral::Collateral;
use std::sync::LazyLock;

static CASE: LazyLock<Case> = LazyLock::new(Case::simulated);

/// Every field of every piece of a simulated machine's collateral, and of Intel's.
fn fields() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let cases = Case::all_intel().into_iter().chain([("simulated", Case::simulated())]);
    for (name, case) in cases {
        for (piece, collateral) in case.collateral.iter().enumerate() {
            let fields: &[&[u8]] = match collateral {
                Collateral::RootCrl { crl } | Collateral::PckCrl { crl, .. } => &[crl],
                Collateral::TcbInfo { json, issuer_chain, .. } | Collateral::QeIdentity { json, issuer_chain, .. } => {
                    &[json, issuer_chain]
                }
            };
            for (field, content) in fields.iter().enumerate() {
                let header = [piece as u8, field as u8];
                seeds.push((format!("{name}-{piece}-{field}"), [&header[..], content].concat()));
            }
        }
    }
    seeds
}

fuzz_target!(
    init: seeds::write(fields),
    |input: &[u8]| {
        let [piece, field, content @ ..] = input else { return };
        let Ok(content) = content.to_vec().try_into() else { return };
        let mut case = CASE.clone();
        let index = usize::from(*piece) % case.collateral.len();
        match &mut case.collateral[index] {
            // dcap-qvl does not read the chain of a revocation list's issuer.
            Collateral::RootCrl { crl } | Collateral::PckCrl { crl, .. } => *crl = content,
            Collateral::TcbInfo { json, issuer_chain, .. } | Collateral::QeIdentity { json, issuer_chain, .. } => {
                *(if field % 2 == 0 { json } else { issuer_chain }) = content;
            }
        }
        if let Err(difference) = common::agree(&case) {
            panic!("{difference}");
        }
    }
);
