//! What goes into a call of a program, and what comes out.

use crate::ports::{Attester, LogSink, Outbound, ProgramKeys, Snapshot};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use phala_messages::{
    ids::{Account, ProgramId},
    limits::{HEAD_BYTES_MAX, HEADERS_MAX},
};
use phala_units::{BlockNumber, UnixMillis};
use std::{collections::BTreeMap, sync::Arc};

/// A body that streams: of a request, an answer, or an outbound message.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// What the program changed: `(bucket, key)` to its new value, or to nothing when it was deleted.
pub type Changes = BTreeMap<(String, String), Option<Bytes>>;

/// The program's settings (`wasi:config`).
pub type Settings = BTreeMap<String, String>;

/// A body that is already whole.
pub fn whole_body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Why a body ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than it may be.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    OutOfTime,
    /// Whoever sent it went away or broke the protocol.
    #[error("the body broke off: {0}")]
    Broken(String),
    /// The program failed while its answer streamed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// How the program is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sees a snapshot of state, may fetch, may not write. Limited in wall-clock time.
    Query,
    /// May write, may not fetch; gives the same bytes on every replica. Limited in fuel.
    Command {
        /// Its index among the program's commands.
        index: u64,
        /// Time of the block that ordered it: the clock the program sees.
        time: UnixMillis,
        /// Where all randomness the program sees comes from.
        seed: [u8; 32],
    },
}

/// What `phala:program/context` tells the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The program's own id.
    pub program: ProgramId,
    /// Who signed the request.
    pub caller: Option<Account>,
    /// A query: the newest finalised block. A command: the block that ordered it.
    pub height: BlockNumber,
}

/// One call. The ports are shared by many calls; cloning them is cheap.
pub struct Call {
    /// Query or command.
    pub mode: Mode,
    /// The request. Its URI should be absolute (`scheme://authority/path`); without an authority the `host`
    /// header is used, without that `phala.invalid`. The engine limits the head; the body is whoever calls's to limit.
    pub request: http::Request<Body>,
    /// Who calls whom, and when.
    pub context: Context,
    /// The program's state.
    pub state: Arc<dyn Snapshot>,
    /// The program's settings.
    pub settings: Arc<Settings>,
    /// How to fetch.
    pub outbound: Arc<dyn Outbound>,
    /// Where the program's words go.
    pub logs: Arc<dyn LogSink>,
    /// The program's keys.
    pub keys: Arc<dyn ProgramKeys>,
    /// How to get quotes.
    pub attester: Arc<dyn Attester>,
}

/// An answer whose head is known. Its body streams while the program still runs: whoever polls the body runs
/// the program, and whoever drops the body stops it.
pub struct Answer {
    /// Status, headers, streaming body. When the program fails midway the body ends with [`BodyError::Call`].
    pub response: http::Response<Body>,
    /// Resolves when the program is done, that is: once the body has been read to its end or dropped.
    pub outcome: BoxFuture<'static, Result<Outcome, CallError>>,
}

impl Answer {
    /// Reads the whole body, at most `bytes_max`, and waits for the program to be done.
    ///
    /// # Errors
    /// [`CallError::BodyTooLarge`] when the body is longer; else whatever the program failed with.
    pub async fn collect(self, bytes_max: u64) -> Result<(http::Response<Bytes>, Outcome), CallError> {
        let (head, mut body) = self.response.into_parts();
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error {
                BodyError::Call(error) => error,
                BodyError::TooLarge(max) => CallError::BodyTooLarge(max),
                error => CallError::Broken(error.to_string()),
            })?;
            if let Ok(piece) = frame.into_data() {
                if whole.len() as u64 + piece.len() as u64 > bytes_max {
                    return Err(CallError::BodyTooLarge(bytes_max));
                }
                whole.extend_from_slice(&piece);
            }
        }
        let outcome = self.outcome.await?;
        Ok((http::Response::from_parts(head, whole.into()), outcome))
    }
}

/// What a finished call leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How much it cost: about one per WebAssembly instruction, and host work by its bytes. The same for the
    /// same command on every replica.
    pub fuel: u64,
    /// What a command changed; empty for a query.
    pub changes: Changes,
}

/// Why a call failed. It failed alone: other calls and the program's state are untouched.
///
/// Not here, because the program itself is told and may go on: a fetch that was refused, a key or value that
/// is too large, state that is full, a write in a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The program crashed; the reason as WebAssembly gives it (unreachable code, stack overflow …).
    #[error("the program crashed: {0}")]
    Trap(String),
    /// A command used more than `command_fuel_max`.
    #[error("the program used more than its {0} units of fuel")]
    OutOfFuel(u64),
    /// A query took longer than `query_ms_max`, its answer's way to the caller included.
    #[error("the program took longer than its {0} ms")]
    OutOfTime(u32),
    /// The program wanted more memory than `memory_bytes_max` and could not go on without it.
    #[error("the program needs more than its {0} bytes of memory")]
    OutOfMemory(u32),
    /// The program holds more open streams, requests and handles than one call may.
    #[error("the program holds more than {0} handles at once")]
    TooManyHandles(usize),
    /// The request's head is too large.
    #[error("the request's head is larger than {HEAD_BYTES_MAX} bytes or has more than {HEADERS_MAX} headers")]
    RequestHeadTooLarge,
    /// The answer's head is too large.
    #[error("the answer's head is larger than {HEAD_BYTES_MAX} bytes or has more than {HEADERS_MAX} headers")]
    HeadTooLarge,
    /// The answer's body is too large: [`ANSWER_BODY_BYTES_MAX`], or less where the caller says so.
    #[error("the answer's body is larger than {0} bytes")]
    BodyTooLarge(u64),
    /// The program returned without an answer.
    #[error("the program returned without an answer")]
    NoResponse,
    /// The program answered with an error code of `wasi:http` instead of a response.
    #[error("the program answered with an error: {0}")]
    ErrorCode(String),
    /// The request's or the answer's body broke off.
    #[error("{0}")]
    Broken(String),
    /// The worker has no room for one more instance now; another call may succeed.
    #[error("the worker runs as many instances as it can")]
    Busy,
    /// Whoever asked dropped the answer before its end.
    #[error("the caller went away before the answer was complete")]
    Cancelled,
}
