//! A guest that computes, against the same source compiled natively.

use super::Times;
use crate::{
    Effort,
    guest::Component,
    ours,
    table::{Figure, Goal, Row},
};
use anyhow::ensure;
use bytes::Bytes;
use std::{hint::black_box, time::Instant};
use tokio::runtime::Runtime;

#[path = "../../guest/src/work.rs"]
mod work;

/// How long the native side of one repetition should take.
const NATIVE_SECONDS: f64 = 0.5;
/// Repetitions; the middle one counts.
const REPETITIONS: usize = 5;

/// Measures every kernel.
pub fn measure(runtime: &Runtime, component: &Component, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let program = ours::load(&ours::engine()?, &component.bytes)?;
    let mut rows = Vec::new();
    let mut product = 1.0;
    for kernel in work::KERNELS {
        let rounds = if effort.quick { 1 } else { rounds(kernel) };
        let path = format!("/work/{kernel}?{rounds}");
        let (mut native, mut guest) = (Times::default(), Times::default());
        for _ in 0..if effort.quick { 1 } else { REPETITIONS } {
            let expected = native.time(|| work::run(black_box(kernel), black_box(rounds)));
            let found = guest.time(|| runtime.block_on(ours::call(&program, &path, Bytes::new())))?;
            let expected = expected.map(|result| result.to_string()).unwrap_or_default();
            ensure!(found == expected.as_bytes(), "{kernel}: the guest computes something else");
        }
        // Speed, not time: more is better.
        let per_second =
            |times: &mut Times| Figure::RequestsPerSecond(f64::from(rounds) / times.median().as_secs_f64());
        let (ours, peer) = (per_second(&mut guest), per_second(&mut native));
        if let (Figure::RequestsPerSecond(ours), Figure::RequestsPerSecond(peer)) = (ours, peer) {
            product *= ours / peer;
        }
        rows.push(Row::beside(format!("{kernel}, rounds"), ours, ("native", peer), Goal::RatioAtLeast(0.8)));
    }
    let mean = product.powf(1.0 / work::KERNELS.len() as f64);
    if let Some(last) = rows.pop() {
        rows.push(last.note(format!("geometric mean of the four kernels: {mean:.2} of native speed")));
    }
    Ok(rows)
}

/// So many rounds that the native side has something to do.
fn rounds(kernel: &str) -> u32 {
    let mut rounds = 1;
    loop {
        let began = Instant::now();
        black_box(work::run(black_box(kernel), rounds));
        let seconds = began.elapsed().as_secs_f64();
        if seconds > NATIVE_SECONDS / 10.0 {
            return ((f64::from(rounds) * NATIVE_SECONDS / seconds).ceil() as u32).max(1);
        }
        rounds *= 4;
    }
}
