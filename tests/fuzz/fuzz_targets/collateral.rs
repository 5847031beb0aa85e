//! A piece of collateral as bytes: first the piece, then which field, then the field.
#![no_main]

#[path = "../../../wire/evidence/tests/common/mod.rs"]
mod common;

use common::Case;
use libfuzzer_sys::fuzz_target;
use phala_messages::collateral::Collateral;
use std::sync::LazyLock;

static CASE: LazyLock<Case> = LazyLock::new(Case::simulated);

fuzz_target!(|input: &[u8]| {
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
});
