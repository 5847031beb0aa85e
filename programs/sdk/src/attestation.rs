//! Evidence for others that this program runs in a trusted execution environment.

use crate::host;
use std::fmt;

/// A quote that speaks for this program and `data`.
///
/// Its report data is SHA-256 of `"phala/program-quote/v1" ‖ program id ‖ data`, then 32 zero bytes. Commands run
/// on every replica and must agree, so only a query can have one.
pub fn quote(data: &[u8]) -> Result<Vec<u8>, Error> {
    host::quote(data)
}

/// Why there is no quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A command asked. `?` in a handler answers 403 with it.
    Command,
    /// `data` may have this many bytes.
    DataTooLong(u32),
    /// The platform could not make one, in words.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command => f.write_str("a command cannot have a quote; ask in a query"),
            Self::DataTooLong(max) => write!(f, "a quote's data may have {max} bytes"),
            Self::Unavailable(why) => write!(f, "the platform made no quote: {why}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Worker;

    #[test]
    fn off_a_worker_there_is_no_quote_and_in_a_command_never() {
        let worker = Worker::new();
        assert!(matches!(worker.as_query(|| quote(b"x")), Err(Error::Unavailable(_))));
        assert_eq!(worker.as_command(|| quote(b"x")), Err(Error::Command));
    }
}
