//! The gatekeeper's HTTP: bytes in, bytes out. What they mean is the enclave's affair.
//!
//! ```text
//! POST /v1/key       a worker's sealed query for its part of a program's key
//! POST /v1/peer      a gatekeeper's sealed request
//! POST /v1/output    what an epoch came to · POST /v1/delivery   the proof of a delivery
//! POST /v1/recovery  a custodian's piece of a lost seat
//! GET  /v1/info      who this is, how it stands, and its consent to whoever bonds for it
//! GET  /metrics · /health
//! ```
//! The reference is `docs/reference/gatekeeper-http.md`.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use phala_crypto::channel::RESPONSE_TYPE;
use phala_enclave_gatekeeper::{Gatekeeper, Problem};
use phala_host::server::{self, Answer};
use phala_machine::problem::PROBLEM_TYPE;
use phala_messages::{
    Account,
    limits::GATEKEEPER_REQUEST_BYTES_MAX,
    recovery::RECOVERY_PATH,
    release::{DELIVERY_PATH, OUTPUT_PATH},
};
use serde_json::json;
use std::{
    fmt::Write,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// What sealing adds to a request, and more.
const SEALED_BYTES: usize = 1_024;
/// How long a request may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything a request may need.
pub struct Service {
    gatekeeper: Arc<Gatekeeper>,
    operator: Option<Account>,
}

impl Service {
    /// Serves `gatekeeper`, whose operator bonds from `operator`.
    pub const fn new(gatekeeper: Arc<Gatekeeper>, operator: Option<Account>) -> Self {
        Self { gatekeeper, operator }
    }

    async fn respond(&self, request: Request<Incoming>) -> Answer {
        let mut answer = match self.route(request).await {
            Ok(answer) => answer,
            Err(problem) => refuse(&problem),
        };
        let headers = answer.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let path = request.uri().path().to_owned();
        if request.method() == Method::POST {
            let limit = GATEKEEPER_REQUEST_BYTES_MAX as usize + SEALED_BYTES;
            let body = Limited::new(request.into_body(), limit);
            let bytes = match tokio::time::timeout(BODY_TIMEOUT, body.collect()).await {
                Ok(Ok(body)) => body.to_bytes(),
                Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                    return Err(Problem::TooLarge(limit + 1, limit));
                }
                _ => return Err(Problem::Malformed("the body did not arrive")),
            };
            let kind = if [OUTPUT_PATH, DELIVERY_PATH, RECOVERY_PATH].contains(&path.as_str()) {
                "application/octet-stream"
            } else {
                RESPONSE_TYPE
            };
            return Ok(answer(StatusCode::OK, kind, self.gatekeeper.handle(&path, &bytes).await?));
        }
        match (request.method(), path.as_str()) {
            (&Method::GET, "/v1/info") => Ok(self.info()),
            (&Method::GET, "/health") => Ok(self.health()),
            (&Method::GET, "/metrics") => Ok(answer(StatusCode::OK, "text/plain; version=0.0.4", self.metrics())),
            _ => Err(Problem::NotFound),
        }
    }

    fn info(&self) -> Answer {
        let identity = &self.gatekeeper.identity;
        let mut info = json!({
            "gatekeeper": identity.worker,
            "instance": identity.instance,
            "transport": identity.transport,
            "genesis": identity.genesis,
            "endpoint": String::from_utf8_lossy(&self.gatekeeper.config.endpoint),
            "version": env!("CARGO_PKG_VERSION"),
            "status": self.gatekeeper.status(),
            "evidence": self.gatekeeper.evidence().map(|quote| format!("0x{}", hex::encode(&*quote))),
        });
        if let Some(account) = self.operator {
            let consent = self.gatekeeper.consent(account);
            info["consent"] = json!({
                "account": account,
                "participant": consent.message.participant,
                "signature": format!("0x{}", hex::encode(consent.signature)),
            });
        }
        answer(StatusCode::OK, "application/json", info.to_string())
    }

    fn health(&self) -> Answer {
        let status = self.gatekeeper.status();
        let code = if status.serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = json!({ "serving": status.serving, "standing": status.standing, "reason": status.reason });
        answer(code, "application/json", body.to_string())
    }

    fn metrics(&self) -> String {
        let (metrics, status) = (&self.gatekeeper.metrics, self.gatekeeper.status());
        let held = status.roots.iter().filter(|root| root.holds_key_share).count();
        let mut out = String::new();
        for (kind, name, help, value) in [
            ("counter", "keys_released", "Parts of keys given out.", metrics.released.load(Ordering::Relaxed)),
            ("counter", "keys_refused", "Queries for keys that were refused.", metrics.refused.load(Ordering::Relaxed)),
            ("counter", "peer_requests", "Requests of gatekeepers answered.", metrics.peers.load(Ordering::Relaxed)),
            ("counter", "unopened", "Requests that did not open.", metrics.unopened.load(Ordering::Relaxed)),
            ("gauge", "key_shares", "Roots of which it holds a key share.", held as u64),
            ("gauge", "deliveries_waiting", "Deliveries not yet on chain.", status.deliveries_waiting as u64),
            ("gauge", "head_age_ms", "Age of the newest block that it verified.", status.head_age_ms),
            ("gauge", "serving", "Whether it gives parts of keys.", u64::from(status.serving)),
        ] {
            // Writing to a string does not fail.
            let _ = writeln!(out, "# HELP phala_gatekeeper_{name} {help}\n# TYPE phala_gatekeeper_{name} {kind}");
            let _ = writeln!(out, "phala_gatekeeper_{name} {value}");
        }
        out
    }
}

impl server::Service for Service {
    fn serve(&self, request: Request<Incoming>) -> BoxFuture<'_, Answer> {
        Box::pin(self.respond(request))
    }
}

fn answer(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(bytes.into()).boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn refuse(problem: &Problem) -> Answer {
    let mut answer = answer(problem.status(), PROBLEM_TYPE, problem.problem());
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}
