//! What a program wrote, for its owner: a query to the worker itself, signed by the owner.

use crate::{Client, Hint, KeyPair, Query, call::CallError};
use phala_messages::{ProgramId, query::LOGS_PATH};
use serde::{Deserialize, Serialize};

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The query was not answered.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer makes no sense.
    #[error("the worker's answer is not a list of log lines")]
    Malformed,
}

impl Hint for LogsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::Malformed => Some("the worker runs another version; update `phala`".into()),
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Counts the program's lines since the worker's process started.
    pub seq: u64,
    /// When, Unix milliseconds by the worker's clock.
    pub time: u64,
    /// `trace` … `critical`.
    pub level: String,
    /// `query`, or `command N`.
    pub call: String,
    /// What the program calls its context; `stdout` and `stderr` for those.
    pub context: String,
    /// The message.
    pub message: String,
}

#[derive(Deserialize)]
struct Page {
    lines: Vec<LogLine>,
    next: u64,
}

impl Client {
    /// Lines from number `from` on, waiting up to `wait_ms` for one, and the number to ask for next.
    ///
    /// # Errors
    /// [`LogsError`]; the worker refuses everyone but the program's owner.
    pub async fn logs(
        &self,
        owner: &KeyPair,
        program: &ProgramId,
        from: u64,
        wait_ms: u64,
    ) -> Result<(Vec<LogLine>, u64), LogsError> {
        let path = format!("{LOGS_PATH}?from={from}&wait_ms={wait_ms}");
        let query = Query { signer: Some(owner.clone()), ..Query::get(&path) };
        // The worker itself answers, not the program: there is no state and no receipt. That it is this worker
        // that answers is certain, for only it can open what was sealed to its key.
        let (_, _, response, _) = self.exchange(program, &query).await?;
        let page: Page = serde_json::from_slice(response.body()).map_err(|_| LogsError::Malformed)?;
        Ok((page.lines, page.next))
    }
}
