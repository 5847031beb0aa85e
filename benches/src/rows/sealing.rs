//! What opening, signing and sealing add to a call of 1 KiB, in one process and one task at a time.

use super::Times;
use crate::{
    Effort,
    guest::Component,
    ours,
    table::{Figure, Goal, Row},
};
use anyhow::{anyhow, ensure};
use bytes::Bytes;
use http::Request;
use phala_crypto::{Secret, channel};
use phala_enclave_worker::{
    receipts::{self, Facts},
    transcripts,
};
use phala_engine::{Program, whole_body};
use phala_machine::{Cabinet, Entropy, Identity, Vault, VaultError};
use phala_messages::{AnchorRef, BlockRef, GenesisHash, ProgramId, StateRoot, Subject, limits::ANSWER_BODY_BYTES_MAX};
use phala_units::UnixMillis;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Measures.
pub fn measure(runtime: &Runtime, component: &Component, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let program = ours::load(&ours::engine()?, &component.bytes)?;
    let identity = identity()?;
    let body = Bytes::from(vec![b'x'; 1_024]);
    let (mut plain, mut full) = (Times::default(), Times::default());
    for _ in 0..effort.scale(10_000) {
        let request = Request::post("https://bench.phala/echo").body(body.to_vec())?;
        let (sealed, opener) = channel::seal_request(&identity.channel().public(), &request)?;
        plain.time(|| runtime.block_on(ours::call(&program, "/echo", body.clone())))?;
        let answer = full.time(|| runtime.block_on(answer(&program, &identity, &sealed)))?;
        let (response, trailers) = opener.open(&answer)?;
        ensure!(response.body() == &body && trailers.len() == 1, "the sealed echo came back altered");
    }
    let row = Row::beside(
        "open, run, sign, seal at 1 KiB",
        full.median(),
        ("the same engine, run", Figure::from(plain.median())),
        Goal::RatioAtMost(1.15),
    );
    let note = "the goal is a ratio to a call of tens of microseconds; one X25519, one Ed25519 signature and the hashes are its floor";
    Ok(vec![row.note(note)])
}

/// What a worker does with a sealed query, minus looking things up.
async fn answer(program: &Program, identity: &Identity, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (request, sealer) = identity.channel().open(sealed)?;
    let (parts, body) = request.into_parts();
    let mut asked = transcripts::request(&parts);
    asked.body(&body);
    let request = Request::from_parts(parts, whole_body(body));
    let (response, _) = ours::answer(program, request).await?.collect(ANSWER_BODY_BYTES_MAX).await?;
    let (parts, body) = response.into_parts();
    let mut answered = transcripts::response(&parts);
    answered.body(&body);
    let receipt = receipts::sign(
        identity,
        Facts {
            program: ProgramId::default(),
            code: program.wasm(),
            subject: Subject::Query,
            request: asked.finish(),
            response: answered.finish(),
            anchor: AnchorRef { block: BlockRef::default(), version: 0, root: StateRoot::default() },
            time: UnixMillis(0),
        },
    );
    let response = http::Response::from_parts(parts, body);
    Ok(sealer.seal(&response, &receipts::trailers(&receipt))?)
}

/// A worker's keys, kept nowhere.
fn identity() -> anyhow::Result<Identity> {
    let entropy: Arc<dyn Entropy> = Arc::new(System);
    let cabinet = Cabinet::new(Arc::new(NoVault), &Secret::new([0; 32]), entropy.clone());
    Identity::open(&cabinet, GenesisHash::default(), &*entropy).map_err(|error| anyhow!("{error}"))
}

struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system has entropy");
    }
}

struct NoVault;

impl Vault for NoVault {
    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(None)
    }
    fn put(&self, _: &str, _: &[u8]) -> Result<(), VaultError> {
        Ok(())
    }
    fn delete(&self, _: &str) -> Result<(), VaultError> {
        Ok(())
    }
}
