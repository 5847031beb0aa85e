//! Bytes of a quote.
#![no_main]

#[path = "../../../wire/evidence/tests/common/mod.rs"]
mod common;
mod seeds;

use common::{Case, Store};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CASES: LazyLock<Vec<(Case, Store)>> = LazyLock::new(|| {
    let mut cases: Vec<Case> = Case::all_intel().into_iter().map(|(_, case)| case).collect();
    cases.push(Case::simulated());
    let stored = |case: Case| (case.store().expect("the samples' collateral is good"), case);
    cases.into_iter().map(stored).map(|(store, case)| (case, store)).collect()
});

fuzz_target!(
    init: seeds::write(|| {
        let seed = |(choice, (case, _)): (usize, &(Case, Store))| {
            (format!("sample-{choice}"), [&[choice as u8][..], &case.quote].concat())
        };
        CASES.iter().enumerate().map(seed).collect()
    }),
    |input: &[u8]| {
        let Some((choice, quote)) = input.split_first() else { return };
        let (case, store) = &CASES[usize::from(*choice) % CASES.len()];
        let case = Case { quote: quote.to_vec(), ..case.clone() };
        if let Err(difference) = common::agree_with(&case, store) {
            panic!("{difference}");
        }
    }
);
