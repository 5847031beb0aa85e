//! Settings, which the program's owner gives it when it is deployed. They are sealed to the program.

use crate::host;
use std::fmt;

/// The setting called `key`.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    host::setting(key)
}

/// The setting called `key`, without which the program cannot work.
pub fn require(key: &str) -> Result<String, Error> {
    get(key)?.ok_or_else(|| Error::Missing(key.into()))
}

/// Every setting.
pub fn all() -> Result<Vec<(String, String)>, Error> {
    host::settings()
}

/// Why a setting cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The owner did not set it.
    Missing(String),
    /// The worker could not read it, in words.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "the setting '{key}' is missing"),
            Self::Unavailable(why) => write!(f, "settings cannot be read: {why}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Worker;

    #[test]
    fn a_setting_is_there_or_it_is_not() {
        Worker::new().setting("greeting", "hello").as_query(|| {
            assert_eq!(require("greeting").as_deref(), Ok("hello"));
            assert_eq!(get("other"), Ok(None));
            assert_eq!(require("other"), Err(Error::Missing("other".into())));
            assert_eq!(all().unwrap(), [("greeting".into(), "hello".into())]);
        });
    }
}
