//! Who calls, and how.

use crate::{Error, host};
use http::StatusCode;
use std::fmt;

/// How the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sent straight to one worker: sees a snapshot of state, may fetch, may not write.
    Query,
    /// Ordered by the chain: may write, may not fetch.
    Command {
        /// Its place among the program's commands, from 0.
        index: u64,
    },
}

/// An account on the chain: its public key. Displayed as hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub [u8; 32]);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How the program was called.
    pub mode: Mode,
    /// The program's own id.
    pub program: [u8; 32],
    /// The account that signed the request. A command always has one.
    pub caller: Option<Account>,
    /// A query: the newest finalised block. A command: the block that ordered it.
    pub height: u32,
}

impl Call {
    /// Whether state may change.
    pub fn is_command(&self) -> bool {
        matches!(self.mode, Mode::Command { .. })
    }

    /// The caller, or 401 when nobody signed.
    pub fn signed(&self) -> Result<Account, Error> {
        let message = "this needs a signed request, so that the program knows whose it is";
        self.caller.ok_or_else(|| Error::new(StatusCode::UNAUTHORIZED, message))
    }
}

/// The call being answered.
pub fn current() -> Call {
    host::call()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Worker;

    #[test]
    fn an_unsigned_query_has_no_caller_and_a_command_has() {
        let worker = Worker::new();
        worker.as_query(|| {
            assert!(!current().is_command());
            assert_eq!(current().signed().unwrap_err().status(), StatusCode::UNAUTHORIZED);
        });
        for index in 0..2 {
            worker.as_command(|| {
                assert_eq!(current().mode, Mode::Command { index });
                assert!(current().signed().is_ok());
            });
        }
    }

    #[test]
    fn a_caller_is_who_signed() {
        let alice = Account([0xa1; 32]);
        Worker::new().caller(alice).as_query(|| assert_eq!(current().signed().unwrap(), alice));
        assert_eq!(alice.to_string(), format!("0x{}", "a1".repeat(32)));
    }
}
