//! Queries: an HTTP request, sealed to a worker that the chain vouches for, and an answer with a receipt.
//!
//! ```text
//! chain, by proof:  program ─► cluster ─► the worker that leads it: endpoint, transport key, instance
//! client ──OHTTP──► worker ──► program
//! client ◄──OHTTP── answer + receipt (signed by the instance)
//! ```
//!
//! # Properties
//! - The key that a request is sealed to stood in a storage proof at a finalised block less than a minute old.
//! - An answer is believed when its receipt is signed by that worker's instance, names this network, program and
//!   code, hashes this request and this answer, and was read from state no older than the client has seen.
//! - Nothing is sent a second time unless the first time certainly reached no program.

mod streamed;

pub use streamed::Streamed;

use crate::{
    Client, Hint, KeyPair,
    client::{ChainError, POLL, decode, now},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use codec::Encode;
use http::{HeaderMap, HeaderValue, Method, Request, Response, request};
use phala_crypto::channel::{self, ChannelError};
use phala_messages::{
    AnchorRecord, ClusterRecord, Hash, ProgramId, ProgramRecord, ProgramStatus, SignedReceipt, Subject, WorkerRecord,
    limits::{ANSWER_BODY_BYTES_MAX, QUERY_BODY_BYTES_MAX},
    query::{AUTHORIZATION_FIELD, Authorization, ERROR_FIELD, authority},
    receipt::RECEIPT_FIELD,
    storage,
    transcript::Transcript,
};
use phala_units::UnixMillis;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// How long an authorisation counts. Enough for a slow link, too short to be worth stealing.
const AUTHORIZATION_MS: u64 = 60_000;
/// How long the client waits for a worker that has restarted to register its new process.
const RESTART_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes by which a sealed answer may exceed its body: head, trailers and framing.
const ANSWER_OVERHEAD_BYTES: u64 = 1024 * 1024;

/// Why there is no verified answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No such program.
    #[error("program {0} is not on chain")]
    Unknown(ProgramId),
    /// Its workers do not have the code yet.
    #[error("program {0} is not live yet")]
    NotLive(ProgramId),
    /// Nobody serves it.
    #[error("no admitted worker serves program {0}")]
    NoWorker(ProgramId),
    /// The request is no HTTP request.
    #[error("the request is malformed: {0}")]
    Request(#[from] http::Error),
    /// The body is longer than a query's may be.
    #[error("the body has {bytes} bytes; a query's has at most {QUERY_BODY_BYTES_MAX}")]
    BodyTooLarge {
        /// How long it is.
        bytes: usize,
    },
    /// The worker does not answer.
    #[error("worker {endpoint} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        endpoint: String,
        /// What happened instead.
        reason: String,
    },
    /// Nothing listens where the worker should be: no request has left.
    #[error("worker {endpoint} cannot be reached: {reason}")]
    Unconnected {
        /// Where it should be.
        endpoint: String,
        /// What happened instead.
        reason: String,
    },
    /// The worker gives a reason instead of an answer.
    #[error("the worker refused: {0}")]
    Refused(Problem),
    /// Sealing or opening did not succeed.
    #[error("the sealed channel to the worker")]
    Channel(#[from] ChannelError),
    /// The answer came without a receipt, or with one that does not fit it.
    #[error("the answer cannot be believed: {0}")]
    Receipt(#[from] ReceiptError),
}

/// What is wrong with an answer's receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// There is none.
    #[error("it carries no receipt")]
    Missing,
    /// It does not parse.
    #[error("its receipt is damaged")]
    Malformed,
    /// Not signed by the instance that the chain names.
    #[error("its receipt is not signed by the worker that was asked")]
    Signature,
    /// It names something else than was asked for.
    #[error("its receipt names another {0}")]
    Other(&'static str),
    /// It was read from older state than the chain knows.
    #[error("it was read from version {got} of the program's state; the chain has version {known}")]
    OldState {
        /// What the receipt says.
        got: u64,
        /// What the chain says.
        known: u64,
    },
}

/// A worker's or program's reason for no answer (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The name that stays.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// What the reader can do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.detail.is_empty(), self.title.is_empty()) {
            (false, false) => write!(f, "{} ({})", self.detail, self.title),
            (false, true) => f.write_str(&self.detail),
            (true, false) => f.write_str(&self.title),
            (true, true) => write!(f, "status {}", self.status),
        }
    }
}

impl Problem {
    pub(crate) fn parse(status: u16, body: &[u8]) -> Self {
        let known = serde_json::from_slice::<Self>(body).ok();
        known.map_or_else(|| Self { status, ..Self::default() }, |problem| Self { status, ..problem })
    }
}

impl Hint for CallError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Unknown(_) => Some("`phala programs` lists what there is".into()),
            Self::NotLive(_) => Some(
                "its code is not on its worker yet: `phala deploy` uploads it; `phala programs` shows when it is live"
                    .into(),
            ),
            Self::NoWorker(_) => Some("`phala status` shows the workers; one must be admitted and assigned".into()),
            Self::Request(_) => Some("PATH begins with /, a header is `name: value`".into()),
            Self::BodyTooLarge { .. } => Some("send it in several calls".into()),
            Self::Unreachable { .. } => Some("is the worker running? `phala status` shows it".into()),
            Self::Unconnected { .. } => Some(
                "is the worker running? If others stand by, one of them takes its place within two minutes; \
                 `phala worker list` shows who leads"
                    .into(),
            ),
            Self::Refused(problem) => problem.hint.clone(),
            Self::Channel(_) => Some("try again: the worker may just have restarted with another key".into()),
            Self::Receipt(ReceiptError::OldState { .. }) => {
                Some("the worker serves an old copy of the state; do not use the answer".into())
            }
            Self::Receipt(_) => Some("do not use the answer: the worker or the wire altered it".into()),
        }
    }
}

/// A request to a program.
#[derive(Clone, Debug)]
pub struct Query {
    /// `GET`, `POST` …
    pub method: Method,
    /// Path with query, beginning with `/`.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Who asks; None asks without a name.
    pub signer: Option<KeyPair>,
}

impl Query {
    /// `GET path`, without a name.
    pub fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.into(), headers: HeaderMap::new(), body: Bytes::new(), signer: None }
    }

    /// `POST path` with a body, without a name.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(path) }
    }

    /// The request as a program sees it.
    ///
    /// # Errors
    /// A path, header or method that HTTP does not allow.
    pub fn to_request(&self, program: &ProgramId) -> Result<Request<Vec<u8>>, http::Error> {
        let path = if self.path.starts_with('/') { self.path.clone() } else { format!("/{}", self.path) };
        let uri = format!("https://{}{path}", authority(program));
        let mut request = Request::builder().method(self.method.clone()).uri(uri).body(self.body.to_vec())?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

/// A verified answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the program said.
    pub response: Response<Vec<u8>>,
    /// Whence it came.
    pub receipt: SignedReceipt,
    /// The worker, as the chain knows it.
    pub worker: WorkerRecord,
}

/// What the chain says about a program and who serves it.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) program: ProgramId,
    pub(crate) record: ProgramRecord,
    pub(crate) anchor: Option<AnchorRecord>,
    pub(crate) worker: WorkerRecord,
}

impl Service {
    pub(crate) fn endpoint(&self) -> String {
        String::from_utf8_lossy(&self.worker.registration.endpoint).into_owned()
    }
}

impl Client {
    /// Asks `program` and returns its verified answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&self, program: &ProgramId, query: &Query) -> Result<Answer, CallError> {
        let (service, request, response, trailers) = self.exchange(program, query).await?;
        let response_hash = response_transcript(&response);
        let receipt = parse_receipt(&trailers)?;
        self.check(&receipt, &service, request, response_hash).await?;
        Ok(Answer { response, receipt, worker: service.worker })
    }

    /// Sends a query and opens what comes back, without judging its receipt.
    pub(crate) async fn exchange(
        &self,
        program: &ProgramId,
        query: &Query,
    ) -> Result<(Service, Hash, Response<Vec<u8>>, HeaderMap), CallError> {
        let mut service = self.service(program).await?;
        let deadline = Instant::now() + RESTART_TIMEOUT;
        loop {
            let (parts, body, request) = self.sign(&service, query)?;
            let sealed = Request::from_parts(parts, body);
            let (bytes, opener) = channel::seal_request(&service.worker.registration.transport.0, &sealed)?;
            let exchanged = async {
                let reply = self.post(&service, channel::REQUEST_TYPE, bytes).await?;
                let bytes = self.whole(&service, reply).await?;
                let (response, trailers) = opener.open(&bytes)?;
                refuse_problem(response.status().as_u16(), response.headers(), response.body())?;
                Ok((response, trailers))
            };
            match exchanged.await {
                Ok((response, trailers)) => return Ok((service, request, response, trailers)),
                Err(error) => service = self.when_it_is_back(&service, error, deadline).await?,
            }
        }
    }

    /// Everything about a program that a query needs, by proof, at a fresh finalised block.
    pub(crate) async fn service(&self, program: &ProgramId) -> Result<Service, CallError> {
        let head = self.head().await?;
        let keys = [storage::program(program), storage::anchor(program)];
        let (_, values) = self.read_raw(&keys).await?;
        let record: ProgramRecord = decode(&values, 0, "a program")?.ok_or(CallError::Unknown(*program))?;
        let anchor = decode(&values, 1, "an anchor")?;
        if record.status != ProgramStatus::Live {
            return Err(CallError::NotLive(*program));
        }
        let worker = self.admitted_worker(&record, head.time).await?.ok_or(CallError::NoWorker(*program))?;
        Ok(Service { program: *program, record, anchor, worker })
    }

    /// The worker that leads the program's cluster, if its admission has not run out: nobody else answers.
    pub(crate) async fn admitted_worker(
        &self,
        record: &ProgramRecord,
        time: UnixMillis,
    ) -> Result<Option<WorkerRecord>, ChainError> {
        let cluster: Option<ClusterRecord> = self.cluster(record.cluster).await?;
        let Some(lead) = cluster.and_then(|cluster| cluster.workers.first().copied()) else { return Ok(None) };
        let worker = self.worker(&lead).await?;
        Ok(worker.filter(|worker| time < worker.expires_at))
    }

    /// The request as it is sealed, and its transcript hash.
    fn sign(&self, service: &Service, query: &Query) -> Result<(request::Parts, Vec<u8>, Hash), CallError> {
        if query.body.len() as u64 > QUERY_BODY_BYTES_MAX {
            return Err(CallError::BodyTooLarge { bytes: query.body.len() });
        }
        let (mut parts, body) = query.to_request(&service.program)?.into_parts();
        let hash = request_transcript(&parts, &body);
        if let Some(signer) = &query.signer {
            let mut authorization = Authorization {
                account: signer.account(),
                expires_at: now().saturating_add(AUTHORIZATION_MS),
                nonce: [0; 16],
                signature: [0; 64],
            };
            getrandom::fill(&mut authorization.nonce).map_err(|_| ChannelError::Sealed)?;
            let instance = &service.worker.registration.instance;
            let signed = authorization.signing_hash(&self.genesis(), &service.program, instance, &hash);
            authorization.signature = signer.sign(&signed.0);
            let value = HeaderValue::try_from(STANDARD.encode(authorization.encode())).map_err(http::Error::from)?;
            parts.headers.insert(AUTHORIZATION_FIELD, value);
        }
        Ok((parts, body, hash))
    }

    async fn post(
        &self,
        service: &Service,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<reqwest::Response, CallError> {
        let endpoint = service.endpoint();
        let unreachable = |e: reqwest::Error| {
            let (connects, endpoint) = (!e.is_connect(), endpoint.clone());
            let reason = crate::chain_of(&e.without_url());
            if connects {
                CallError::Unreachable { endpoint, reason }
            } else {
                CallError::Unconnected { endpoint, reason }
            }
        };
        // The program's own limit ends a query; the client waits a little longer, for the worker to say so.
        let timeout =
            Duration::from_millis(u64::from(service.record.manifest.limits.query_ms_max)) + Duration::from_secs(60);
        let request = self.http.post(format!("{endpoint}/v1/query")).header("content-type", content_type);
        let response = request.body(bytes).timeout(timeout).send().await.map_err(unreachable)?;
        let status = response.status();
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        if !content_type.starts_with("message/ohttp-") {
            let body = response.bytes().await.map_err(unreachable)?;
            return Err(CallError::Refused(Problem::parse(status.as_u16(), &body)));
        }
        Ok(response)
    }

    /// A whole body, refused when it is longer than any answer may be.
    async fn whole(&self, service: &Service, mut response: reqwest::Response) -> Result<Vec<u8>, CallError> {
        let unreachable = |reason: String| CallError::Unreachable { endpoint: service.endpoint(), reason };
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| unreachable(crate::chain_of(&e.without_url())))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > ANSWER_BODY_BYTES_MAX + ANSWER_OVERHEAD_BYTES {
                return Err(unreachable("its answer has no end".into()));
            }
        }
        Ok(bytes)
    }

    /// What passes by itself is waited for: a worker whose process is another one than the chain named until the
    /// chain names the new one; a process that the chain has not admitted yet, or has without its knowing; a program
    /// that its worker is still preparing; and a worker that stands by, or that was never reached, until the chain names another
    /// lead. Any other error stays what it is.
    async fn when_it_is_back(&self, old: &Service, error: CallError, deadline: Instant) -> Result<Service, CallError> {
        if matches!(error, CallError::Unconnected { .. }) {
            // Perhaps another worker leads by now; if not, there is nobody to wait for.
            let service = self.service(&old.program).await?;
            let moved = service.worker.registration.instance != old.worker.registration.instance;
            return if moved { Ok(service) } else { Err(error) };
        }
        let CallError::Refused(problem) = &error else { return Err(error) };
        let same = ["preparing", "worker-unregistered"].contains(&problem.title.as_str());
        if !same && !["not-sealed-to-this-process", "stands-by"].contains(&problem.title.as_str()) {
            return Err(error);
        }
        while Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
            let service = self.service(&old.program).await?;
            if same || service.worker.registration.instance != old.worker.registration.instance {
                return Ok(service);
            }
        }
        Err(error)
    }

    /// Whether `receipt` is for this question, this answer, this program, and state that is not old.
    pub(crate) async fn check(
        &self,
        signed: &SignedReceipt,
        service: &Service,
        request: Hash,
        response: Hash,
    ) -> Result<(), CallError> {
        let receipt = &signed.receipt;
        let other = |what| Err(CallError::Receipt(ReceiptError::Other(what)));
        if receipt.genesis != self.genesis() {
            return other("network");
        }
        if receipt.worker != service.worker.registration.worker {
            return other("worker");
        }
        if receipt.instance != service.worker.registration.instance
            || !phala_crypto::verify_ed25519(&receipt.instance.0, &receipt.signing_hash().0, &signed.signature)
        {
            return Err(ReceiptError::Signature.into());
        }
        if receipt.program != service.program {
            return other("program");
        }
        if receipt.code != service.record.code {
            return other("code");
        }
        if receipt.subject != Subject::Query {
            return other("kind of call");
        }
        if receipt.request != request {
            return other("request");
        }
        if receipt.response != response {
            return other("answer");
        }
        self.check_state(signed, service).await
    }

    /// Whether the state that was read is the one the chain has, or a newer one.
    async fn check_state(&self, signed: &SignedReceipt, service: &Service) -> Result<(), CallError> {
        let read = &signed.receipt.anchor;
        let known = service.anchor.as_ref().map_or(0, |anchor| anchor.version);
        if read.version < known {
            return Err(ReceiptError::OldState { got: read.version, known }.into());
        }
        if service.anchor.as_ref().is_some_and(|anchor| anchor.version == read.version && anchor.root == read.root) {
            return Ok(());
        }
        // The worker is ahead of what this client had seen: look at the block that it names.
        let values = self.read_raw_at(read.block, &[storage::anchor(&service.program)]).await?;
        match decode::<AnchorRecord>(&values, 0, "an anchor")? {
            Some(anchor) if anchor.version == read.version && anchor.root == read.root => Ok(()),
            _ => Err(ReceiptError::Other("state").into()),
        }
    }
}

/// Refuses a sealed answer that is the worker's own refusal.
fn refuse_problem(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), CallError> {
    match headers.get(ERROR_FIELD) {
        None => Ok(()),
        Some(name) => {
            let mut problem = Problem::parse(status, body);
            if problem.title.is_empty() {
                problem.title = String::from_utf8_lossy(name.as_bytes()).into_owned();
            }
            Err(CallError::Refused(problem))
        }
    }
}

/// The receipt in an answer's trailers.
pub(crate) fn parse_receipt(trailers: &HeaderMap) -> Result<SignedReceipt, ReceiptError> {
    let field = trailers.get(RECEIPT_FIELD).ok_or(ReceiptError::Missing)?;
    let bytes = STANDARD.decode(field.as_bytes()).map_err(|_| ReceiptError::Malformed)?;
    SignedReceipt::parse(&bytes).map_err(|_| ReceiptError::Malformed)
}

/// Hash of a request as the program sees it: without the header that says who asks.
pub(crate) fn request_transcript(parts: &request::Parts, body: &[u8]) -> Hash {
    let uri = &parts.uri;
    let headers = parts.headers.iter().filter(|(name, _)| name.as_str() != AUTHORIZATION_FIELD);
    let mut transcript = Transcript::request(
        parts.method.as_str(),
        uri.scheme_str().unwrap_or("https"),
        uri.authority().map_or("", |authority| authority.as_str()),
        uri.path_and_query().map_or("/", |path| path.as_str()),
        headers.map(|(name, value)| (name.as_str(), value.as_bytes())),
    );
    transcript.body(body);
    transcript.finish()
}

fn response_head(status: u16, headers: &HeaderMap) -> Transcript {
    Transcript::response(status, headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// Hash of a response.
pub(crate) fn response_transcript(response: &Response<Vec<u8>>) -> Hash {
    let mut transcript = response_head(response.status().as_u16(), response.headers());
    transcript.body(response.body());
    transcript.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_program_and_its_path() {
        let program = ProgramId([0xab; 32]);
        let request = Query::get("/a?b=c").to_request(&program).unwrap();
        assert_eq!(request.uri().to_string(), format!("https://{}.phala/a?b=c", "ab".repeat(32)));
        assert_eq!(Query::get("a").to_request(&program).unwrap().uri().path(), "/a");
        assert!(Query::get("/ a").to_request(&program).is_err());
    }

    #[test]
    fn who_asks_is_not_part_of_what_is_asked() {
        let (mut parts, body) = Query::post("/", "x").to_request(&ProgramId([1; 32])).unwrap().into_parts();
        let before = request_transcript(&parts, &body);
        parts.headers.insert(AUTHORIZATION_FIELD, HeaderValue::from_static("x"));
        assert_eq!(request_transcript(&parts, &body), before);
        parts.headers.insert("x", HeaderValue::from_static("x"));
        assert_ne!(request_transcript(&parts, &body), before);
    }

    #[test]
    fn an_answer_without_a_receipt_or_with_a_damaged_one_is_refused() {
        let mut trailers = HeaderMap::new();
        assert_eq!(parse_receipt(&trailers).unwrap_err(), ReceiptError::Missing);
        for text in ["", "!", "AQID"] {
            trailers.insert(RECEIPT_FIELD, HeaderValue::from_static(text));
            assert_eq!(parse_receipt(&trailers).unwrap_err(), ReceiptError::Malformed, "{text}");
        }
    }

    #[test]
    fn a_worker_s_refusal_is_told_apart_from_a_program_s_answer() {
        let mut headers = HeaderMap::new();
        assert!(refuse_problem(500, &headers, b"a program's own answer").is_ok());
        headers.insert(ERROR_FIELD, HeaderValue::from_static("program-trapped"));
        let body = br#"{"title":"program-trapped","detail":"the program crashed","hint":"see logs"}"#;
        let error = refuse_problem(500, &headers, body).unwrap_err();
        assert_eq!(error.to_string(), "the worker refused: the program crashed (program-trapped)");
        assert_eq!(error.hint().as_deref(), Some("see logs"));
        let bare = refuse_problem(500, &headers, b"").unwrap_err();
        assert_eq!(bare.to_string(), "the worker refused: program-trapped");
    }
}
