//! Keys that only this program has, on every worker that runs it.
//!
//! They are the same in each call, in queries and in commands, and survive the program's state.

use crate::host;
use std::fmt;

/// 32 secret bytes, the same ones each time for the same `label`.
pub fn derive(label: &str) -> Result<[u8; 32], Error> {
    host::derive(label)
}

/// The Ed25519 public key of `label`.
pub fn public_key(label: &str) -> Result<[u8; 32], Error> {
    host::public_key(label)
}

/// Signs `message` with the Ed25519 key of `label`.
pub fn sign(label: &str, message: &[u8]) -> Result<[u8; 64], Error> {
    host::sign(label, message)
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A label may have this many bytes.
    LabelTooLong(u32),
    /// The worker answered with so many bytes, which is not a key's or a signature's length.
    Length(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LabelTooLong(max) => write!(f, "a key's label may have {max} bytes"),
            Self::Length(length) => write!(f, "the worker answered with a key of {length} bytes"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Worker;

    #[test]
    fn a_label_has_one_key_and_two_labels_have_two() {
        let worker = Worker::new();
        let one = worker.as_query(|| derive("a")).unwrap();
        assert_eq!(worker.as_command(|| derive("a")).unwrap(), one);
        assert_ne!(worker.as_query(|| derive("b")).unwrap(), one);
        assert_ne!(worker.as_query(|| public_key("a")).unwrap(), one);
    }
}
