//! Bytes of a quote.
#![no_main]

#[path = "../../../wire/evidence/tests/common/mod.rs"]
mod common;

use common::Case;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases: Vec<Case> = Case::all_intel().into_iter().map(|(_, case)| case).collect();
    cases.push(Case::simulated());
    cases
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, quote)) = input.split_first() else { return };
    let case = &CASES[usize::from(*choice) % CASES.len()];
    let case = Case { quote: quote.to_vec(), ..case.clone() };
    if let Err(difference) = common::agree(&case) {
        panic!("{difference}");
    }
});
