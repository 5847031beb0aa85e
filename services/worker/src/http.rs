//! The worker's HTTP: bytes in, bytes out. What they mean is the enclave's affair.
//!
//! ```text
//! GET  /v1/info                     who this is, and how it stands
//! POST /v1/query                    a sealed request; whole or chunked, by its content type
//! GET  /v1/programs/{id}            where a program stands
//! GET  /v1/result/{program}/{index} the sealed result of a command
//! PUT  /v1/code/{hash}              a component; GET gives it to other workers
//! POST /v1/copy                     what another worker of the cluster says about copies
//! GET  /metrics · /health
//! ```
//! The reference is `docs/reference/worker-http.md`.

use crate::metrics::{Latency, render};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, future::BoxFuture};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
        RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use phala_crypto::channel::{CHUNKED_REQUEST_TYPE, CHUNKED_RESPONSE_TYPE, REQUEST_TYPE, RESPONSE_TYPE};
use phala_enclave_worker::{Problem, Worker};
use phala_host::server::{self, Answer};
use phala_machine::problem::PROBLEM_TYPE;
use phala_messages::{
    Account, CodeHash, ProgramId, ProgramStatus,
    limits::{CODE_BYTES_MAX, COPY_MESSAGE_BYTES_MAX, HEAD_BYTES_MAX, QUERY_BODY_BYTES_MAX},
};
use serde_json::json;
use std::{
    convert::Infallible,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A sealed query, whole: body, head, and what sealing adds.
const SEALED_QUERY_BYTES_MAX: u64 = QUERY_BODY_BYTES_MAX + HEAD_BYTES_MAX as u64 + 4_096;
/// How long a whole query may take to arrive.
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long code may take to arrive.
const CODE_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest wait for a result.
const WAIT_MS_MAX: u64 = 60_000;
/// Uploads of code at once, and as many downloads: each holds its component in memory.
const UPLOADS_MAX: usize = 4;
/// How long a message about copies may take to arrive.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages about copies at once: each holds a piece in memory.
const COPIES_MAX: usize = 32;

/// Everything a request may need.
pub struct Service {
    worker: Arc<Worker>,
    operator: Option<Account>,
    latency: Latency,
    uploads: tokio::sync::Semaphore,
    downloads: tokio::sync::Semaphore,
    copies: tokio::sync::Semaphore,
}

fn full(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(bytes.into()).boxed_unsync()
}

fn answer(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(full(bytes));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn as_json(value: &serde_json::Value) -> Answer {
    answer(StatusCode::OK, "application/json", value.to_string())
}

/// A problem as plain HTTP.
fn refuse(problem: &Problem) -> Answer {
    let mut answer = answer(problem.status(), PROBLEM_TYPE, problem.problem());
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// Reads a body of at most `max` bytes.
async fn whole(body: Incoming, max: u64, timeout: Duration, too_large: Problem) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > max {
        return Err(too_large);
    }
    let read = async {
        let mut body = body;
        let mut first = Bytes::new();
        let mut all: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::Malformed("the body broke off"))?;
            let Ok(piece) = frame.into_data() else { continue };
            if (first.len() + all.len() + piece.len()) as u64 > max {
                return Err(too_large);
            }
            // Most requests come in one piece, which need not be copied.
            if first.is_empty() && all.is_empty() {
                first = piece;
                continue;
            }
            if all.is_empty() {
                all.reserve(first.len() + piece.len());
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&piece);
        }
        Ok(if all.is_empty() { first } else { all.into() })
    };
    tokio::time::timeout(timeout, read).await.unwrap_or(Err(Problem::Malformed("the body did not arrive in time")))
}

fn parse_program(text: &str) -> Result<ProgramId, Problem> {
    text.parse().map_err(|_| Problem::Path("a program's id"))
}

impl server::Service for Service {
    fn serve(&self, request: Request<Incoming>) -> BoxFuture<'_, Answer> {
        Box::pin(self.respond(request))
    }
}

impl Service {
    /// Serves `worker`, which `operator` may bind to a pool.
    pub fn new(worker: Arc<Worker>, operator: Option<Account>) -> Self {
        Self {
            worker,
            operator,
            latency: Latency::default(),
            uploads: tokio::sync::Semaphore::new(UPLOADS_MAX),
            downloads: tokio::sync::Semaphore::new(UPLOADS_MAX),
            copies: tokio::sync::Semaphore::new(COPIES_MAX),
        }
    }

    async fn respond(&self, request: Request<Incoming>) -> Answer {
        let mut answer = match self.route(request).await {
            Ok(answer) => answer,
            Err(problem) => refuse(&problem),
        };
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let path = request.uri().path().to_owned();
        let mut parts = path.split('/').skip(1);
        let route = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
        let allowed = match route {
            [Some("v1"), Some("query" | "copy"), None, ..] => Method::POST,
            [Some("v1"), Some("code"), Some(_), None, _] if gives(request.method()) => Method::GET,
            [Some("v1"), Some("code"), Some(_), None, _] => Method::PUT,
            [Some("v1"), Some("info"), None, ..]
            | [Some("v1"), Some("programs"), Some(_), None, _]
            | [Some("v1"), Some("result"), Some(_), Some(_), None]
            | [Some("metrics" | "health"), None, ..] => Method::GET,
            _ => return Err(Problem::NotFound),
        };
        if request.method() == Method::OPTIONS {
            return Ok(preflight());
        }
        if request.method() != allowed && !(request.method() == Method::HEAD && allowed == Method::GET) {
            let mut answer = refuse(&Problem::Method);
            if let Ok(value) = HeaderValue::from_str(&format!("{allowed}, OPTIONS")) {
                answer.headers_mut().insert(ALLOW, value);
            }
            return Ok(answer);
        }
        match route {
            [Some("v1"), Some("query"), ..] => self.query(request).await,
            [Some("v1"), Some("copy"), ..] => self.copy(request).await,
            [Some("v1"), Some("info"), ..] => Ok(as_json(&self.info())),
            [Some("v1"), Some("programs"), Some(id), ..] => self.program(id),
            [Some("v1"), Some("result"), Some(program), Some(index), _] => {
                self.result(program, index, request.uri().query()).await
            }
            [Some("v1"), Some("code"), Some(hash), ..] if gives(request.method()) => self.give_code(hash).await,
            [Some("v1"), Some("code"), Some(hash), ..] => self.code(hash, request).await,
            [Some("metrics"), ..] => {
                Ok(answer(StatusCode::OK, "text/plain; version=0.0.4", render(&self.worker, &self.latency)))
            }
            _ => Ok(self.health()),
        }
    }

    async fn query(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if kind == REQUEST_TYPE.as_bytes() {
            let sealed =
                whole(request.into_body(), SEALED_QUERY_BYTES_MAX, QUERY_TIMEOUT, Problem::body_too_large()).await?;
            let start = Instant::now();
            let answered = self.worker.query(&sealed).await?;
            self.latency.add(start.elapsed());
            return Ok(answer(StatusCode::OK, RESPONSE_TYPE, answered));
        }
        if kind == CHUNKED_REQUEST_TYPE.as_bytes() {
            let start = Instant::now();
            let pieces =
                BodyStream::new(request.into_body()).try_filter_map(|frame| async move { Ok(frame.into_data().ok()) });
            let pieces = Box::pin(pieces.map_err(io::Error::other));
            let source = Box::pin(pieces.into_async_read());
            let opened = tokio::time::timeout(QUERY_TIMEOUT, self.worker.clone().query_chunked(source)).await;
            let chunks = opened.unwrap_or(Err(Problem::Malformed("the request's head did not arrive in time")))?;
            self.latency.add(start.elapsed());
            return Ok(streamed(CHUNKED_RESPONSE_TYPE, chunks));
        }
        Err(Problem::ContentType)
    }

    fn info(&self) -> serde_json::Value {
        let worker = &self.worker;
        let identity = &worker.identity;
        let view = worker.view();
        let (tee, simulated) = worker.tee();
        let (standing, reason) = worker.standing();
        let cluster = worker.cluster();
        let expires_at = match &view.standing {
            phala_machine::Standing::Admitted(record) => Some(record.expires_at.0),
            _ => None,
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "genesis": identity.genesis,
            "worker": identity.worker,
            "instance": identity.instance,
            "transport": identity.transport,
            "ohttp_key_config": hex::encode(identity.channel().config()),
            "endpoint": String::from_utf8_lossy(&worker.config.endpoint),
            "tee": tee,
            "simulated": simulated,
            "warning": simulated.then_some("this TEE is a simulation: it keeps no secret"),
            "registration": { "status": standing, "reason": reason, "expires_at": expires_at },
            "head": { "number": view.block.number, "hash": view.block.hash, "time": view.time },
            "cluster": cluster.as_ref().map(|cluster| json!({
                "id": cluster.id.0,
                "leads": cluster.led_by(&identity.worker),
                "lead": cluster.leader(),
                "workers": cluster.workers.len(),
                "alone": cluster.led_by(&identity.worker) && cluster.others(&identity.worker).next().is_none(),
            })),
            "consent": self.operator.map(|operator| json!({
                "operator": operator,
                "signature": format!("0x{}", hex::encode(worker.consent(operator))),
            })),
            "work": worker.work().and_then(|seen| seen.record.clone()).map(|record| json!({
                "pool": record.pool,
                "score": record.score.map(|score| score.score),
                "session": record.session,
                "iterations": worker.iterations(),
            })),
            "programs": view.programs.len(),
            "evidence": worker.evidence().map(|quote| hex::encode(&*quote)),
        })
    }

    fn program(&self, id: &str) -> Result<Answer, Problem> {
        let id = parse_program(id)?;
        let cell = self.worker.cell(&id)?;
        let chain = cell.chain();
        let loaded = cell.loaded();
        let serving = cell.serving(&chain);
        let problem = serving.as_ref().err();
        let held = cell.held();
        Ok(as_json(&json!({
            "program": id,
            "code": chain.record.code,
            "needs_code": loaded.is_none() && cell.phase() == Problem::NeedsCode,
            "compiled": loaded.is_some(),
            "live": chain.record.status == ProgramStatus::Live,
            "serving": serving.is_ok(),
            "anchored_version": chain.anchor.version,
            "version": loaded.map(|loaded| loaded.newest()),
            "code_epoch": chain.keys.record.epoch.0,
            "upgrade": chain.keys.record.upgrade.as_ref().map(|upgrade| {
                let problem = cell.upgrade_phase();
                json!({
                    "code": upgrade.code,
                    "code_epoch": upgrade.epoch.0,
                    "problem": problem.as_ref().map(Problem::slug),
                    "detail": problem.as_ref().map(ToString::to_string),
                })
            }),
            "commands": chain.record.commands,
            "leads": cell.leads,
            "copies": { "standing_by": held.standing_by, "complete": held.complete },
            "problem": problem.map(Problem::slug),
            "detail": problem.map(ToString::to_string),
        })))
    }

    async fn result(&self, program: &str, index: &str, query: Option<&str>) -> Result<Answer, Problem> {
        let program = parse_program(program)?;
        let index: u64 = index.parse().map_err(|_| Problem::Path("a command's index"))?;
        let wait = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("wait_ms="));
        let wait_ms: u64 = wait.map_or(Ok(0), str::parse).map_err(|_| Problem::Path("wait_ms"))?;
        let sealed = self.worker.result(&program, index, wait_ms.min(WAIT_MS_MAX)).await?;
        Ok(answer(StatusCode::OK, "application/octet-stream", sealed))
    }

    async fn code(&self, hash: &str, request: Request<Incoming>) -> Result<Answer, Problem> {
        let hash: CodeHash = hash.parse().map_err(|_| Problem::Path("the hash of code"))?;
        let expected = self.worker.code_bytes(&hash)?;
        let _upload = self.uploads.try_acquire().map_err(|_| Problem::Busy)?;
        let max = u64::from(expected.min(CODE_BYTES_MAX));
        let component = whole(request.into_body(), max, CODE_TIMEOUT, Problem::CodeHash).await?;
        self.worker.store_code(hash, component.into()).await?;
        let mut answer = Response::new(full(""));
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok(answer)
    }

    async fn give_code(&self, hash: &str) -> Result<Answer, Problem> {
        let hash: CodeHash = hash.parse().map_err(|_| Problem::Path("the hash of code"))?;
        let _download = self.downloads.try_acquire().map_err(|_| Problem::Busy)?;
        let component = self.worker.code(&hash).await?;
        Ok(answer(StatusCode::OK, "application/wasm", component))
    }

    async fn copy(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let _place = self.copies.try_acquire().map_err(|_| Problem::Busy)?;
        let max = u64::from(COPY_MESSAGE_BYTES_MAX);
        let too_large = Problem::TooLarge("a message about copies has at most 513 KiB");
        let message = whole(request.into_body(), max, COPY_TIMEOUT, too_large).await?;
        Ok(answer(StatusCode::OK, "application/octet-stream", self.worker.copy(&message).await))
    }

    fn health(&self) -> Answer {
        match self.worker.may_serve(&self.worker.view()) {
            Ok(()) => as_json(&json!({ "status": "ok" })),
            Err(problem) => refuse(&problem),
        }
    }
}

/// Whether the method asks for something, rather than bringing it.
fn gives(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn streamed(kind: &'static str, pieces: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
    let mut answer = Response::new(StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Browsers ask first.
fn preflight() -> Answer {
    let mut answer = Response::new(full(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, OPTIONS"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("content-type, retry-after"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    answer
}
