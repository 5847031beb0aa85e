//! How long a verdict takes: ours beside dcap-qvl's (same RustCrypto), on the real TDX quote. Build with `--release` for numbers that mean something.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Case, at};
use dcap_qvl::{configs::RustCryptoConfig, verify::QuoteVerifier};
use phala_evidence::verify;
use std::{hint::black_box, time::Instant};

const ROUNDS: u32 = 200;

fn measure(what: &str, mut run: impl FnMut()) {
    run();
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| run());
    println!("{what:<60} {:>8.1} µs", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

fn main() {
    let case = Case::intel("tdx_quote", 1_750_353_600);
    let store = case.store().expect("the sample is valid at its time");
    let collateral = common::oracle_collateral(&case.collateral).expect("the sample is text");
    let theirs = QuoteVerifier::<RustCryptoConfig>::new_with_config(case.root.certificate.clone());
    measure("phala-evidence, collateral verified before", || {
        black_box(verify(&case.quote, &case.root, &store, at(case.now)).is_ok());
    });
    measure("phala-evidence, collateral verified each time", || {
        black_box(case.verify().is_ok());
    });
    measure("dcap-qvl (rustcrypto), collateral verified each time", || {
        black_box(theirs.verify(&case.quote, &collateral, case.now).is_ok());
    });
}
