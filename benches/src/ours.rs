//! Our engine in this process, with ports that lead nowhere.

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use phala_engine::{
    Answer, Attester, Body, Call, Context, Engine, EngineConfig, LogLevel, LogSink, Mode, Nans, Outbound,
    OutboundError, Program, ProgramKeys, Snapshot, whole_body,
};
use phala_messages::{
    ProgramId,
    limits::{ANSWER_BODY_BYTES_MAX, QUERY_MS_MAX},
    program::{Manifest, ProgramLimits},
};
use std::{sync::Arc, time::Duration};

struct Nothing;

impl Snapshot for Nothing {
    fn get(&self, _: &str, _: &str) -> Option<Bytes> {
        None
    }
    fn keys(&self, _: &str, _: Option<&str>, _: usize) -> Vec<String> {
        Vec::new()
    }
    fn bytes(&self) -> u64 {
        0
    }
}

#[async_trait::async_trait]
impl Outbound for Nothing {
    async fn fetch(&self, _: Request<Body>, _: Duration) -> Result<Response<Body>, OutboundError> {
        Err(OutboundError::Unavailable)
    }
}

impl LogSink for Nothing {
    fn log(&self, _: LogLevel, _: &str, _: &str) {}
}

impl ProgramKeys for Nothing {
    fn derive(&self, _: &str) -> [u8; 32] {
        [0; 32]
    }
    fn public(&self, _: &str) -> [u8; 32] {
        [0; 32]
    }
    fn sign(&self, _: &str, _: &[u8]) -> [u8; 64] {
        [0; 64]
    }
}

impl Attester for Nothing {
    fn quote(&self, _: [u8; 64]) -> Result<Vec<u8>, String> {
        Err("a benchmark has no TEE".into())
    }
}

/// The engine as a worker has it.
pub fn engine() -> anyhow::Result<Engine> {
    Ok(Engine::new(EngineConfig::default())?)
}

/// What the benchmark's program asks for: a fresh instance per call, as every program gets that does not say
/// otherwise, and time enough to compute.
pub fn manifest() -> Manifest {
    Manifest { limits: ProgramLimits { query_ms_max: QUERY_MS_MAX, ..ProgramLimits::default() }, ..Manifest::default() }
}

/// Compiles and loads a component.
pub fn load(engine: &Engine, component: &[u8]) -> anyhow::Result<Program> {
    let artifact = engine.compile(component, Nans::Native).context("our engine does not compile the guest")?;
    Ok(engine.load(&artifact, &manifest())?)
}

/// Calls the program with a request.
pub async fn answer(program: &Program, request: Request<Body>) -> anyhow::Result<Answer> {
    let nothing = Arc::new(Nothing);
    let call = Call {
        mode: Mode::Query,
        request,
        context: Context { program: ProgramId::default(), caller: None, height: Default::default() },
        state: nothing.clone(),
        settings: Arc::default(),
        outbound: nothing.clone(),
        logs: nothing.clone(),
        keys: nothing.clone(),
        attester: nothing,
    };
    Ok(program.call(call).await?)
}

/// Calls the program; the whole answer.
pub async fn call(program: &Program, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
    let request = Request::post(format!("https://bench.invalid{path}")).body(whole_body(body))?;
    let (response, _) = answer(program, request).await?.collect(ANSWER_BODY_BYTES_MAX).await?;
    anyhow::ensure!(response.status() == 200, "our engine answered {}", response.status());
    Ok(response.into_body())
}
