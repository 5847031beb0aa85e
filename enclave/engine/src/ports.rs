//! What the engine asks of whoever runs it. Each port is shared by concurrent calls.

use crate::call::Body;
use bytes::Bytes;
use std::time::Duration;

/// A program's state as it was at one version. Reading is cheap and never waits.
pub trait Snapshot: Send + Sync {
    /// The value of `key` in `bucket`.
    fn get(&self, bucket: &str, key: &str) -> Option<Bytes>;

    /// Up to `limit` keys of `bucket` in ascending order, those greater than `after`.
    fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Vec<String>;

    /// All of the state: the sum over its entries of [`phala_messages::limits::state_entry_bytes`].
    fn bytes(&self) -> u64;
}

/// How queries fetch. The engine has already counted the request and checked its host against the program's
/// list; the port looks the name up, connects, and refuses addresses that are not public.
#[async_trait::async_trait]
pub trait Outbound: Send + Sync {
    /// Sends `request`, whose URI is absolute, and returns the response once its head is there.
    /// Bodies stream; the engine limits them.
    ///
    /// # Errors
    /// See [`OutboundError`]; [`OutboundError::OutOfTime`] when there is no head within `timeout`.
    async fn fetch(
        &self,
        request: http::Request<Body>,
        timeout: Duration,
    ) -> Result<http::Response<Body>, OutboundError>;
}

/// Why a fetch failed. The program is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The name leads to a loopback, private, link-local or otherwise special address.
    #[error("{0} is not a public address")]
    AddressNotPublic(String),
    /// There is no address for the name.
    #[error("no address for {0}")]
    NameNotFound(String),
    /// Nobody answers there.
    #[error("no connection: {0}")]
    NotConnected(String),
    /// The other side could not prove who it is, or TLS broke.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// It took too long.
    #[error("no response in time")]
    OutOfTime,
    /// The response is not HTTP, or broke off.
    #[error("no proper response: {0}")]
    Protocol(String),
    /// This worker does not fetch at all.
    #[error("this worker does not fetch")]
    Unavailable,
}

/// How much a message of a program matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// The flow of control, values of variables.
    Trace,
    /// For whoever debugs the program.
    Debug,
    /// For whoever watches it; also lines on standard output.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong; also lines on standard error.
    Error,
    /// Nothing works any more.
    Critical,
}

impl LogLevel {
    /// Its name, lowercase.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Where a program's words go: `wasi:logging`, and lines on standard output and error (contexts `stdout` and `stderr`).
pub trait LogSink: Send + Sync {
    /// Takes one message. Must not wait: drop what does not fit.
    fn log(&self, level: LogLevel, context: &str, message: &str);
}

/// Keys that belong to one program.
pub trait ProgramKeys: Send + Sync {
    /// 32 secret bytes for `label`.
    fn derive(&self, label: &str) -> [u8; 32];
    /// The Ed25519 public key for `label`.
    fn public(&self, label: &str) -> [u8; 32];
    /// Signs `message` with the Ed25519 key for `label`.
    fn sign(&self, label: &str, message: &[u8]) -> [u8; 64];
}

/// Where quotes come from.
pub trait Attester: Send + Sync {
    /// A quote over `report_data`. The engine has already bound it to the program; see
    /// [`crate::attestation::report_data`].
    ///
    /// # Errors
    /// The reason in words; the program is told.
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, String>;
}
