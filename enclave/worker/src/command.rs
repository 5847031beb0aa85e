//! Commands: open, run, answer.
//!
//! # Properties
//! - Every command that the chain has ordered gets exactly one answer, whatever its bytes: one that does not
//!   open, says nothing sensible, crashes or never ends is answered with its problem, and changes nothing.
//! - The answer depends on the command, the state and the program alone, never on this machine.

use crate::{
    authorize::Authenticated,
    logs::{CallLog, Logs},
    overlay::Overlay,
    problem::Problem,
    programs::{ProgramSecrets, call_problem},
    transcripts,
};
use bytes::Bytes;
use codec::{Decode, Encode};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use phala_crypto::channel::framing;
use phala_engine::{Attester, Call, CallError, Context, Mode, Outbound, Outcome, Program};
use phala_machine::problem::PROBLEM_TYPE;
use phala_messages::{
    Account, CommandRecord, GenesisHash, Hash, ProgramId, ProgramRecord, ResultLeaf,
    command::{EXPORT_BLIND, EXPORT_RESULT_KEY, seal_info},
    limits::*,
    moves::MoveRecord,
    query::{ERROR_FIELD, RESERVED_PREFIX, SETTINGS_PATH, parse_authority},
    transcript::Preimage,
};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroize;

/// What runs a program's commands.
pub struct Runner {
    /// Which network.
    pub genesis: GenesisHash,
    /// Which program.
    pub id: ProgramId,
    /// As the chain keeps it.
    pub record: Arc<ProgramRecord>,
    /// Its code, ready to run.
    pub program: Arc<Program>,
    /// Its keys.
    pub secrets: Arc<ProgramSecrets>,
    /// Its last move: until when commands may be sealed to the key before.
    pub moved: Option<MoveRecord>,
    /// Where its words go.
    pub logs: Arc<Logs>,
    /// Where its fetches would go, were they allowed.
    pub outbound: Arc<dyn Outbound>,
    /// Where its quotes come from.
    pub attester: Arc<dyn Attester>,
}

/// What a command came to, as it is kept until it has been sealed for its caller.
#[derive(Clone, Encode, Decode)]
pub struct Answered {
    /// Its place under the anchor.
    pub leaf: ResultLeaf,
    /// Encrypts the result for the caller; None when the command did not open.
    pub result_key: Option<[u8; 32]>,
    /// Time of the block that ordered it.
    pub time_ms: u64,
    /// The response as binary HTTP, without receipt.
    pub response: Vec<u8>,
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.result_key.zeroize();
        self.response.zeroize();
    }
}

/// Why a command has no answer yet. It will be tried again; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("the engine could not run the command now: {0}")]
pub struct NotNow(pub CallError);

/// A response as a problem.
pub fn problem_response(problem: &Problem) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(problem.problem()));
    *response.status_mut() = problem.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
    response.headers_mut().insert(ERROR_FIELD, HeaderValue::from_static(problem.slug()));
    response
}

/// Transcript hash of a whole response.
pub fn response_hash(response: &Response<Bytes>) -> Hash {
    let (parts, body) = response.clone().into_parts();
    let mut transcript = transcripts::response(&parts);
    transcript.body(&body);
    transcript.finish()
}

impl Runner {
    /// Answers command `index` and puts what it changes on top of `state`; says how much fuel it took.
    ///
    /// # Errors
    /// [`NotNow`] when the engine has no room; the command waits.
    pub async fn answer(
        &self,
        index: u64,
        command: &CommandRecord,
        state: &mut Overlay,
    ) -> Result<(Answered, u64), NotNow> {
        let info = seal_info(&self.genesis, &self.id, &command.caller);
        let opened = self.secrets.open(&info, index, command, self.moved.as_ref());
        let Ok((plain, exports)) = opened else {
            let request = Preimage::new("phala/unopened-request/v1").bytes(&command.sealed).hash();
            let response = problem_response(&Problem::CommandSealed);
            return Ok((answered(index, command, Hash::default(), None, request, &response), 0));
        };
        let blind = Hash(*exports.export(EXPORT_BLIND).expose());
        let key = *exports.export(EXPORT_RESULT_KEY).expose();
        let (request, outcome) = match framing::decode_request(&plain) {
            Ok(request) => {
                let (parts, body) = request.into_parts();
                let mut transcript = transcripts::request(&parts);
                transcript.body(&body);
                let request =
                    Authenticated::by_the_chain(Request::from_parts(parts, Bytes::from(body)), command.caller);
                (transcript.finish(), self.respond(index, command, request, state).await)
            }
            Err(_) => {
                let hash = Preimage::new("phala/unreadable-request/v1").bytes(&plain).hash();
                (hash, Ok((problem_response(&Problem::Malformed("the command's content cannot be read")), 0)))
            }
        };
        let (response, fuel) = outcome?;
        Ok((answered(index, command, blind, Some(key), request, &response), fuel))
    }

    async fn respond(
        &self,
        index: u64,
        command: &CommandRecord,
        request: Authenticated<Request<Bytes>>,
        state: &mut Overlay,
    ) -> Result<(Response<Bytes>, u64), NotNow> {
        let refuse = |problem: &Problem| Ok((problem_response(problem), self.record.manifest.limits.command_fuel_max));
        let authority = request.inner().uri().authority().map_or("", |authority| authority.as_str());
        if parse_authority(authority) != Some(self.id) {
            return Ok((problem_response(&Problem::Authority), 0));
        }
        if request.inner().uri().path().starts_with(RESERVED_PREFIX) {
            let done = self.reserved(&request, state);
            return Ok((done.unwrap_or_else(|problem| problem_response(&problem)), 0));
        }
        match self.run(index, command, request, state).await {
            Ok((response, outcome)) => {
                if state.bytes_with(&outcome.changes) > STATE_BYTES_MAX {
                    return refuse(&Problem::Limit(format!("the state would exceed {STATE_BYTES_MAX} bytes")));
                }
                state.apply(outcome.changes);
                Ok((response, outcome.fuel))
            }
            Err(error @ (CallError::Busy | CallError::Cancelled)) => Err(NotNow(error)),
            Err(CallError::BodyTooLarge(max)) => refuse(&Problem::AnswerTooLarge(max)),
            Err(error) => refuse(&call_problem(error)),
        }
    }

    async fn run(
        &self,
        index: u64,
        command: &CommandRecord,
        request: Authenticated<Request<Bytes>>,
        state: &Overlay,
    ) -> Result<(Response<Bytes>, Outcome), CallError> {
        let caller = request.caller();
        let call = Call {
            mode: Mode::Command { index, time: command.time, seed: self.secrets.command_seed(index, &command.sealed) },
            request: request.into_inner().map(phala_engine::whole_body),
            context: Context { program: self.id, caller, height: command.block },
            state: Arc::new(state.clone()),
            settings: state.settings().clone(),
            outbound: self.outbound.clone(),
            logs: Arc::new(CallLog::command(self.logs.clone(), index)),
            keys: self.secrets.clone(),
            attester: self.attester.clone(),
        };
        // Tokio's budget would make a ready body look unready, at a moment that depends on this machine alone.
        let answered =
            tokio::task::unconstrained(async { self.program.call(call).await?.collect(RESULT_BYTES_MAX).await });
        let (mut response, outcome) = answered.await?;
        response.headers_mut().remove(ERROR_FIELD);
        Ok((response, outcome))
    }

    fn reserved(
        &self,
        request: &Authenticated<Request<Bytes>>,
        state: &mut Overlay,
    ) -> Result<Response<Bytes>, Problem> {
        let inner = request.inner();
        if inner.uri().path() != SETTINGS_PATH || inner.method() != Method::PUT {
            return Err(Problem::Reserved);
        }
        request.require(&self.record.owner)?;
        state.set_settings(parse_settings(inner.body())?);
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}

fn answered(
    index: u64,
    command: &CommandRecord,
    blind: Hash,
    result_key: Option<[u8; 32]>,
    request: Hash,
    response: &Response<Bytes>,
) -> Answered {
    let caller: Account = command.caller;
    let leaf = ResultLeaf { index, caller, blind, request, response: response_hash(response) };
    let response = framing::encode_response(response, &Default::default());
    Answered { leaf, result_key, time_ms: command.time.0, response }
}

/// Reads settings: one JSON object of strings.
///
/// # Errors
/// [`Problem::Settings`].
pub fn parse_settings(body: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
    let settings: BTreeMap<String, String> =
        serde_json::from_slice(body).map_err(|_| Problem::Settings("not a JSON object of strings".into()))?;
    if settings.len() > SETTINGS_MAX as usize {
        return Err(Problem::Settings(format!("at most {SETTINGS_MAX} settings")));
    }
    if let Some((key, _)) = settings.iter().find(|(key, value)| key.len() + value.len() > SETTING_BYTES_MAX as usize) {
        let start: String = key.chars().take(32).collect();
        return Err(Problem::Settings(format!(
            "`{start}` is larger than {SETTING_BYTES_MAX} bytes, name and value together"
        )));
    }
    Ok(settings)
}
