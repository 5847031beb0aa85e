//! Queries: open, authenticate, run on the newest anchored state, sign, seal.
//!
//! ```text
//! sealed bytes ─► channel (open) ─► authority: which program ─► judge: who asks ─► place ─► engine
//!                                        │ /.phala/… is answered here                        │ snapshot
//!      sealed bytes ◄─ channel (seal) ◄──┴──── receipt in the trailer ◄──────────────────────┘
//! ```
//!
//! # Properties
//! - The chain is not touched and no lock is held while the program runs.
//! - A query sees the state whose root is the newest finalised anchor, and nothing else.
//! - Whatever goes wrong after the request has opened is said inside the channel.

use crate::{
    authorize::Authenticated,
    command::problem_response,
    limits::Place,
    problem::Problem,
    programs::call_problem,
    receipts::{self, Facts},
    transcripts,
    view::{Entry, View},
    worker::Worker,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header::CONTENT_TYPE, request};
use phala_crypto::channel::{ChannelError, framing::FramingError};
use phala_engine::{Answer, Body, Call, Context, Mode};
use phala_messages::{
    Account, AnchorRef, Hash, ProgramId, SignedReceipt, Subject,
    limits::{ANSWER_BODY_BYTES_MAX, QUERY_BODY_BYTES_MAX},
    query::{AUTHORIZATION_FIELD, ERROR_FIELD, LOGS_PATH, RESERVED_PREFIX, SETTINGS_PATH, parse_authority},
};
use std::sync::{Arc, atomic::Ordering};

/// Lines of a log in one answer.
const LOG_LINES_MAX: usize = 1_000;
/// How long a request for lines may wait for one.
const LOG_WAIT_MS_MAX: u64 = 30_000;

/// A request for a program, its head only.
#[derive(Debug)]
pub struct Query {
    /// For which program.
    pub program: ProgramId,
    /// Its head, as the program will see it.
    pub parts: request::Parts,
}

/// A call that runs, and what its receipt will say.
pub(crate) struct Running {
    pub answer: Answer,
    pub facts: Pinned,
    /// Held until the call has ended.
    pub _place: Place,
}

/// Everything that a receipt says, except the hashes of what was said.
pub(crate) struct Pinned {
    program: ProgramId,
    code: phala_messages::CodeHash,
    anchor: AnchorRef,
}

/// A response with its trailers, before it is sealed.
pub type Spoken = (Response<Bytes>, HeaderMap);

/// What a request that does not open is.
pub(crate) fn channel_problem(error: &ChannelError) -> Problem {
    match error {
        ChannelError::Sealed | ChannelError::Key => Problem::Sealed,
        ChannelError::Framing(FramingError::HeadTooLarge) => Problem::head_too_large(),
        ChannelError::Framing(FramingError::Truncated) => Problem::Malformed("it ends too early"),
        ChannelError::Framing(FramingError::Trailing) => Problem::Malformed("something follows its end"),
        ChannelError::Framing(FramingError::Kind) => Problem::Malformed("it is not a request"),
        ChannelError::Framing(FramingError::Malformed(what)) => Problem::Malformed(what),
    }
}

impl Worker {
    /// Answers a whole sealed request with a whole sealed response.
    ///
    /// # Errors
    /// What stands in the way before the request has opened; everything later is said inside the channel.
    pub async fn query(&self, sealed: &[u8]) -> Result<Vec<u8>, Problem> {
        let answered = self.query_inner(sealed).await;
        if answered.is_err() {
            self.metrics.refused.fetch_add(1, Ordering::Relaxed);
        }
        answered
    }

    async fn query_inner(&self, sealed: &[u8]) -> Result<Vec<u8>, Problem> {
        let view = self.view();
        self.may_serve(&view)?;
        let (request, sealer) = self.identity.channel().open(sealed).map_err(|error| channel_problem(&error))?;
        let (parts, body) = request.into_parts();
        let (response, trailers) = match self.whole(&view, parts, body.into()).await {
            Ok(spoken) => {
                self.metrics.queries.fetch_add(1, Ordering::Relaxed);
                spoken
            }
            Err(problem @ (Problem::Busy | Problem::Stopping)) => return Err(problem),
            Err(problem) => {
                self.metrics.problems.fetch_add(1, Ordering::Relaxed);
                (problem_response(&problem), HeaderMap::new())
            }
        };
        sealer.seal(&response, &trailers).map_err(|error| channel_problem(&error))
    }

    /// Answers a whole request.
    pub(crate) async fn whole(&self, view: &View, parts: request::Parts, body: Bytes) -> Result<Spoken, Problem> {
        let (query, hash) = self.judge_whole(parts, &body)?;
        if is_reserved(&query.inner().parts) {
            return self.reserved(view, &query).await.map(|response| (response, HeaderMap::new()));
        }
        let Running { answer, facts, _place } = self.call(view, query, phala_engine::whole_body(body)).await?;
        // Tokio's budget would make a ready body look unready, which after a program's end means that it broke off.
        // Programs yield by themselves, by fuel.
        let collected = tokio::task::unconstrained(answer.collect(ANSWER_BODY_BYTES_MAX));
        let (response, _) = collected.await.map_err(call_problem)?;
        let (mut parts, body) = response.into_parts();
        parts.headers.remove(ERROR_FIELD);
        let mut transcript = transcripts::response(&parts);
        transcript.body(&body);
        let receipt = self.receipt(facts, hash, transcript.finish());
        Ok((Response::from_parts(parts, body), receipts::trailers(&receipt)))
    }

    /// Judges a request whose body is there: which program, who asks.
    pub(crate) fn judge_whole(
        &self,
        mut parts: request::Parts,
        body: &[u8],
    ) -> Result<(Authenticated<Query>, Hash), Problem> {
        if body.len() as u64 > QUERY_BODY_BYTES_MAX {
            return Err(Problem::body_too_large());
        }
        let program = program_of(&parts)?;
        let mut transcript = transcripts::request(&parts);
        transcript.body(body);
        let hash = transcript.finish();
        let headers = authorization(&mut parts.headers);
        let now = self.ports.clock.now();
        let query = self.judge.authenticate(Query { program, parts }, &headers, &program, &hash, now)?;
        Ok((query, hash))
    }

    /// Judges a request whose body is still to come, which nobody can have signed.
    pub(crate) fn judge_streaming(&self, parts: request::Parts) -> Result<Authenticated<Query>, Problem> {
        let program = program_of(&parts)?;
        let now = self.ports.clock.now();
        self.judge.authenticate(Query { program, parts }, &HeaderMap::new(), &program, &Hash::default(), now)
    }

    /// Starts the call.
    pub(crate) async fn call(&self, view: &View, query: Authenticated<Query>, body: Body) -> Result<Running, Problem> {
        let caller = query.caller();
        let Query { program, parts } = query.into_inner();
        let entry = view.programs.get(&program).ok_or(Problem::UnknownProgram(program))?;
        let snapshot = entry.serving.clone()?;
        let loaded = entry.loaded.clone().ok_or_else(|| entry.cell.phase())?;
        let place = self.gate.enter(&entry.cell.gate).await?;
        let anchor = &entry.chain.anchor;
        let facts = Pinned {
            program,
            code: entry.chain.record.code,
            anchor: AnchorRef { block: view.block, version: anchor.version, root: anchor.root },
        };
        let call = Call {
            mode: Mode::Query,
            request: Request::from_parts(parts, body),
            context: Context { program, caller, height: view.block.number },
            settings: snapshot.settings().clone(),
            state: Arc::new(crate::overlay::Version(snapshot)),
            outbound: self.ports.outbound.clone(),
            logs: entry.cell.query_log.clone(),
            keys: loaded.secrets.clone(),
            attester: self.attester.clone(),
        };
        let answer = tokio::task::unconstrained(loaded.program.call(call)).await.map_err(call_problem)?;
        Ok(Running { answer, facts, _place: place })
    }

    /// Signs what was answered.
    pub(crate) fn receipt(&self, facts: Pinned, request: Hash, response: Hash) -> SignedReceipt {
        let Pinned { program, code, anchor } = facts;
        let time = self.ports.clock.now();
        receipts::sign(
            &self.identity,
            Facts { program, code, subject: Subject::Query, request, response, anchor, time },
        )
    }

    /// Answers what is the worker's own.
    pub(crate) async fn reserved(&self, view: &View, query: &Authenticated<Query>) -> Result<Response<Bytes>, Problem> {
        let Query { program, parts } = query.inner();
        let entry = view.programs.get(program).ok_or(Problem::UnknownProgram(*program))?;
        if parts.method != Method::GET {
            return Err(Problem::Reserved);
        }
        query.require(&owner(entry))?;
        let body = match parts.uri.path() {
            LOGS_PATH => {
                let (from, limit, wait_ms) = log_range(parts.uri.query().unwrap_or_default());
                let (lines, next) = entry.cell.logs.follow(from, limit, wait_ms).await;
                serde_json::json!({ "lines": lines, "next": next })
            }
            SETTINGS_PATH => {
                let snapshot = entry.serving.clone()?;
                serde_json::json!({ "settings": snapshot.settings().keys().collect::<Vec<_>>() })
            }
            _ => return Err(Problem::Reserved),
        };
        let mut response = Response::new(Bytes::from(body.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

fn owner(entry: &Entry) -> Account {
    entry.chain.record.owner
}

/// Whether the worker answers this itself.
pub(crate) fn is_reserved(parts: &request::Parts) -> bool {
    parts.uri.path().starts_with(RESERVED_PREFIX)
}

fn program_of(parts: &request::Parts) -> Result<ProgramId, Problem> {
    parts.uri.authority().and_then(|authority| parse_authority(authority.as_str())).ok_or(Problem::Authority)
}

/// Takes the header that says who asks out of the headers that the program will see.
fn authorization(headers: &mut HeaderMap) -> HeaderMap {
    let mut taken = HeaderMap::new();
    if let http::header::Entry::Occupied(found) = headers.entry(AUTHORIZATION_FIELD) {
        let (name, values) = found.remove_entry_mult();
        for value in values {
            taken.append(name.clone(), value);
        }
    }
    taken
}

/// `from`, `limit` and `wait_ms` of a request for lines.
fn log_range(query: &str) -> (u64, usize, u64) {
    let number = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1.parse::<u64>().ok()
    };
    let limit =
        number("limit").map_or(LOG_LINES_MAX, |n| usize::try_from(n).unwrap_or(LOG_LINES_MAX)).min(LOG_LINES_MAX);
    (number("from").unwrap_or(0), limit, number("wait_ms").unwrap_or(0).min(LOG_WAIT_MS_MAX))
}
