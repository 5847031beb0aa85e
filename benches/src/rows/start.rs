//! From nothing to the first answer, against bare wasmtime.

use super::Times;
use crate::{
    Effort,
    bare::{self, Bare, told},
    guest::Component,
    ours,
    table::{Figure, Goal, Row},
};
use anyhow::ensure;
use bytes::Bytes;
use phala_engine::Nans;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Measures.
pub fn measure(runtime: &Runtime, component: &Component, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let body = Bytes::from(vec![b'x'; 1_024]);
    let (engine, bare_engine) = (ours::engine()?, bare::engine().map_err(told)?);
    let program = ours::load(&engine, &component.bytes)?;
    let peer = Bare::new(&bare_engine, &component.bytes).map_err(told)?;

    let (mut ours_instance, mut peer_instance) = (Times::default(), Times::default());
    for _ in 0..effort.scale(5_000) {
        let mine = ours_instance.time(|| runtime.block_on(ours::call(&program, "/echo", body.clone())))?;
        let theirs = peer_instance.time(|| runtime.block_on(peer.call("/echo", body.clone()))).map_err(told)?;
        ensure!(mine == body && theirs == body, "an echo came back altered");
    }

    let artifact = engine.compile(&component.bytes, Nans::Native)?;
    let (mut ours_artifact, mut ours_component, mut peer_component) = Default::default();
    for _ in 0..effort.scale(100).min(20) {
        time(&mut ours_artifact, || {
            let program = engine.load(&artifact, &ours::manifest())?;
            runtime.block_on(ours::call(&program, "/echo", body.clone()))
        })?;
        time(&mut ours_component, || {
            let program = ours::load(&engine, &component.bytes)?;
            runtime.block_on(ours::call(&program, "/echo", body.clone()))
        })?;
        time(&mut peer_component, || {
            let peer = Bare::new(&bare_engine, &component.bytes).map_err(told)?;
            runtime.block_on(peer.call("/echo", body.clone())).map_err(told)
        })?;
    }
    let beside = |figure: Duration| ("wasmtime", Figure::from(figure));
    let millisecond = Figure::Seconds(1e-3);
    Ok(vec![
        Row::beside(
            "instance, code in memory, p50",
            ours_instance.median(),
            beside(peer_instance.median()),
            Goal::None,
        )
        .note("from the request to the whole answer, one at a time, a fresh instance each"),
        Row::beside(
            "instance, code in memory, p99",
            ours_instance.percentile(99),
            beside(peer_instance.percentile(99)),
            Goal::AtMost(millisecond),
        ),
        Row::alone("program, compiled code on disk", ours_artifact.median(), Goal::None),
        Row::beside("program, nothing cached", ours_component.median(), beside(peer_component.median()), Goal::None)
            .note("a component of 200 kB is compiled, linked and answers once"),
    ])
}

fn time(times: &mut Times, work: impl FnOnce() -> anyhow::Result<Bytes>) -> anyhow::Result<()> {
    times.time(work).map(drop)
}
