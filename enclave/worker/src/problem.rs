//! Problems: everything that a worker may say instead of an answer, each with a name that stays.
//!
//! Who gets one sees a *problem* (RFC 9457): a `type` that never changes its meaning, what happened, and a
//! hint what to do. Outside the sealed channel it travels as plain JSON; inside, as a sealed response that
//! carries the name in the header `phala-error` as well, so that it is never taken for a program's answer.

use phala_machine::Unfit;
use phala_messages::{ProgramId, WorkerId, limits::*};

phala_machine::problems! {
    // The worker as a whole.
    /// Nothing was proven to it for too long.
    #[error("the newest block that this worker could verify is {0} ms old; it serves up to {1} ms")]
    Stale(u64, u64): SERVICE_UNAVAILABLE, "chain-stale", "try another worker; its operator should look at the node behind it";
    /// The chain does not count it in.
    #[error("this worker is not registered: {0}")]
    Unregistered(String): SERVICE_UNAVAILABLE, "worker-unregistered", "wait a few blocks, or try another worker";
    /// Another process took its place.
    #[error("a newer process of this worker has registered; this one has stopped")]
    Superseded: SERVICE_UNAVAILABLE, "worker-superseded", "ask the chain for the worker's current keys";
    /// Too many at once.
    #[error("too many requests wait here")]
    Busy: SERVICE_UNAVAILABLE, "busy", "try again in a second, or try another worker";
    /// It is going down.
    #[error("this worker is shutting down")]
    Stopping: SERVICE_UNAVAILABLE, "stopping", "try another worker";

    // The sealed channel.
    /// Not sealed to this process, or altered.
    #[error("the request does not open: it is not sealed to this process, or was altered on its way")]
    Sealed: BAD_REQUEST, "not-sealed-to-this-process", "read the worker's keys again from the chain and seal to them";
    /// Sealed, but not binary HTTP.
    #[error("the request is not binary HTTP (RFC 9292): {0}")]
    Malformed(&'static str): BAD_REQUEST, "malformed-request", "encode the request as RFC 9292 says, as a request";
    /// More bytes than a query may have.
    #[error("the request is larger than its limit: {0}")]
    TooLarge(&'static str): PAYLOAD_TOO_LARGE, "request-too-large", "see the limits in docs/reference/program-world.md; send less";
    /// Neither kind of OHTTP.
    #[error("the content type is neither message/ohttp-req nor message/ohttp-chunked-req")]
    ContentType: UNSUPPORTED_MEDIA_TYPE, "content-type", "send an Oblivious HTTP request (RFC 9458)";
    /// The authority is no program's.
    #[error("the request's authority is not a program")]
    Authority: BAD_REQUEST, "no-such-authority", "write the program's 64 hexadecimal digits and `.phala` as authority";
    /// A path of the worker's own that it does not know.
    #[error("this worker has nothing at this path and method")]
    Reserved: NOT_FOUND, "no-such-path", "paths under /.phala/ belong to the worker; see docs/reference/worker-http.md";

    // Who asks.
    /// The header is not an authorisation, or its signature does not hold.
    #[error("the authorisation does not hold: {0}")]
    Authorization(&'static str): UNAUTHORIZED, "authorization-invalid", "sign this very request, for this process, with the account's key";
    /// Its time is over, or lies too far ahead.
    #[error("the authorisation has expired or reaches too far ahead (at most 300 s)")]
    AuthorizationExpired: UNAUTHORIZED, "authorization-expired", "sign again; check the clock";
    /// Seen before.
    #[error("the authorisation was used before")]
    AuthorizationReplayed: UNAUTHORIZED, "authorization-replayed", "sign each request with a nonce of its own";
    /// Not the owner.
    #[error("only the program's owner may do this")]
    NotOwner: FORBIDDEN, "not-owner", "authorise the request with the owner's account";

    // The program.
    /// Not one of this worker's.
    #[error("program {0} is not run by this worker")]
    UnknownProgram(ProgramId): NOT_FOUND, "unknown-program", "ask the chain which workers run it";
    /// Another worker of its cluster runs it.
    #[error("this worker stands by; the program is run by the worker that leads the cluster, {0}")]
    StandsBy(WorkerId): SERVICE_UNAVAILABLE, "stands-by", "ask the worker that leads: the first of the cluster's workers on chain";
    /// Its code is not here yet.
    #[error("the program's code has not been uploaded to this worker")]
    NeedsCode: SERVICE_UNAVAILABLE, "needs-code", "upload the component with PUT /v1/code/{hash}; `phala deploy` does so";
    /// Compiling, or waiting for the chain to say that it is live.
    #[error("the program is being prepared: {0}")]
    Preparing(&'static str): SERVICE_UNAVAILABLE, "preparing", "wait a few seconds";
    /// The code is no program.
    #[error("the program's code cannot run: {0}")]
    Unrunnable(String): UNPROCESSABLE_ENTITY, "unrunnable", "the component must export wasi:http/incoming-handler and import only what docs/reference names";
    /// Somebody put an old disk back, or the disk is lost.
    #[error("the state on this worker's disk is not the state that the chain knows: {0}")]
    RolledBack(String): CONFLICT, "rolled-back", "the worker's operator must bring back the newest disk; older state is never served";
    /// The chain lags behind what this worker has already done.
    #[error("the chain has not finalised this worker's newest anchor yet")]
    Behind: SERVICE_UNAVAILABLE, "anchor-pending", "wait a few blocks";
    /// Commands of it are sealed to a key that this worker does not hold.
    #[error("this worker does not hold the program's key")]
    ForeignKey: CONFLICT, "foreign-key", "the program was made ready by another worker, or this worker lost its identity";
    /// The disk does not work.
    #[error("this worker's disk does not work")]
    Disk: INTERNAL_SERVER_ERROR, "disk", "the worker's operator must look at its log";

    // The call.
    /// It crashed.
    #[error("the program crashed: {0}")]
    Trapped(String): INTERNAL_SERVER_ERROR, "program-trapped", "see the program's logs: phala logs";
    /// It gave no answer.
    #[error("the program ended without an answer: {0}")]
    NoAnswer(String): BAD_GATEWAY, "program-gave-no-answer", "see the program's logs: phala logs";
    /// Too slow.
    #[error("the program ran longer than its {0} ms")]
    OutOfTime(u32): GATEWAY_TIMEOUT, "program-out-of-time", "do less per call, or deploy with a larger query_ms_max";
    /// A command that counts too many instructions.
    #[error("the command used up its fuel of {0}")]
    OutOfFuel(u64): GATEWAY_TIMEOUT, "program-out-of-fuel", "do less per command, or deploy with a larger command_fuel_max";
    /// Too much memory.
    #[error("the program asked for more than its {0} bytes of memory")]
    OutOfMemory(u64): INSUFFICIENT_STORAGE, "program-out-of-memory", "use less, or deploy with a larger memory_bytes_max";
    /// Its answer has no end.
    #[error("the program's answer is larger than its limit of {0} bytes")]
    AnswerTooLarge(u64): BAD_GATEWAY, "answer-too-large", "answer in several pieces";
    /// A limit of the engine that has no name of its own here.
    #[error("the program went beyond a limit: {0}")]
    Limit(String): INSUFFICIENT_STORAGE, "program-limit", "see the limits in docs/reference/program-world.md";

    // Commands.
    /// Sealed to another key, program, caller or network.
    #[error("the command does not open: it is not sealed to this program by this account")]
    CommandSealed: BAD_REQUEST, "command-not-sealed-to-this-program", "read the program's key again from the chain; the account that seals must be the one that sends";
    /// Not a settings object.
    #[error("the settings are not accepted: {0}")]
    Settings(String): BAD_REQUEST, "settings-invalid", "send one JSON object of strings; see docs/reference/program-world.md";

    // Plain HTTP.
    /// No such thing here.
    #[error("there is nothing at this path")]
    NotFound: NOT_FOUND, "not-found", "see docs/reference/worker-http.md";
    /// Wrong verb.
    #[error("this path does not take this method")]
    Method: METHOD_NOT_ALLOWED, "method-not-allowed", "see docs/reference/worker-http.md";
    /// A part of the path is not what it should be.
    #[error("the path names nothing: {0}")]
    Path(&'static str): BAD_REQUEST, "bad-path", "identifiers are 64 hexadecimal digits, with or without 0x";
    /// Nobody asked for this code.
    #[error("no program that was assigned to this worker has this code")]
    CodeUnassigned: FORBIDDEN, "code-unassigned", "deploy first: the chain must name the code before a worker takes it";
    /// Bytes that are not the code they claim to be.
    #[error("the bytes do not have the hash that the path names")]
    CodeHash: UNPROCESSABLE_ENTITY, "code-hash-mismatch", "send the component whose SHA-256 stands on chain, whole";
    /// Not yet.
    #[error("the command is not answered yet")]
    ResultPending: ACCEPTED, "result-pending", "ask again, or give wait_ms";
    /// Too late.
    #[error("the result is not kept any more")]
    ResultGone: GONE, "result-gone", "a worker keeps the newest 1,024 results of a program";
}

impl Problem {
    /// A body beyond what a query may have.
    pub const fn body_too_large() -> Self {
        const _: () = assert!(QUERY_BODY_BYTES_MAX == 16 * 1024 * 1024);
        Self::TooLarge("a query's body has at most 16 MiB")
    }

    /// A head beyond what a request may have.
    pub const fn head_too_large() -> Self {
        const _: () = assert!(HEAD_BYTES_MAX == 64 * 1024 && HEADERS_MAX == 128);
        Self::TooLarge("a request's head has at most 64 KiB and 128 headers")
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Superseded => Self::Superseded,
            Unfit::Unregistered(why) => Self::Unregistered(why),
            Unfit::Stale { age_ms, max_ms } => Self::Stale(age_ms, max_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own_and_kebab_case() {
        let distinct: std::collections::BTreeSet<_> = Problem::SLUGS.iter().collect();
        assert_eq!(distinct.len(), Problem::SLUGS.len());
        for slug in Problem::SLUGS {
            assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{slug}");
        }
    }

    #[test]
    fn every_name_stands_in_the_reference() {
        let reference = include_str!("../../../docs/reference/worker-http.md");
        for slug in Problem::SLUGS {
            assert!(reference.contains(&format!("`{slug}`")), "{slug} is not documented");
        }
    }

    #[test]
    fn a_problem_says_what_happened_and_what_to_do() {
        let problem: serde_json::Value = serde_json::from_slice(&Problem::OutOfTime(7).problem()).unwrap();
        assert_eq!(problem["type"], "urn:phala:error:program-out-of-time");
        assert_eq!(problem["status"], 504);
        assert!(problem["detail"].as_str().unwrap().contains("7 ms"));
        assert!(!problem["hint"].as_str().unwrap().is_empty());
    }
}
