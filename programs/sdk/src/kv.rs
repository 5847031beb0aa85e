//! The program's state: values under keys, in buckets.
//!
//! State is private: it is encrypted wherever it leaves the enclave, and no other program can read it. Commands
//! change it; what a command wrote is kept only when the command ends without a trap. A query reads a snapshot,
//! and its writes are refused with [`Error::AccessDenied`].
//!
//! # Example
//! ```
//! # use phala_program::testing::Worker;
//! # Worker::new().as_command(|| {
//! use phala_program::kv;
//!
//! let votes = kv::open("votes")?;
//! votes.increment("alice", 1)?;
//! votes.increment("alice", 2)?;
//! assert_eq!(votes.increment("alice", 0)?, 3);
//! assert_eq!(votes.keys()?, ["alice"]);
//! # Ok::<(), kv::Error>(())
//! # }).unwrap();
//! ```

use crate::host;
use std::fmt;

/// One named set of values. Buckets exist as soon as they are opened.
pub struct Bucket(host::Bucket);

/// Opens the bucket called `name`; `""` and `"default"` are two names like any other.
pub fn open(name: &str) -> Result<Bucket, Error> {
    host::open(name).map(Bucket)
}

impl Bucket {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(key)
    }

    /// The value under `key`, which is text.
    pub fn get_text(&self, key: &str) -> Result<Option<String>, Error> {
        let text = |bytes| String::from_utf8(bytes).map_err(|why| Error::Value(why.to_string()));
        self.get(key)?.map(text).transpose()
    }

    /// The value under `key`, which is JSON.
    #[cfg(feature = "json")]
    pub fn get_json<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let parse = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|why| Error::Value(why.to_string()))
        };
        self.get(key)?.map(parse).transpose()
    }

    /// Puts `value` under `key`, in place of what was there.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.0.set(key, value.as_ref())
    }

    /// Puts `value` under `key` as JSON.
    #[cfg(feature = "json")]
    pub fn set_json<T: serde::Serialize>(&self, key: &str, value: &T) -> Result<(), Error> {
        let bytes = serde_json::to_vec(value).map_err(|why| Error::Value(why.to_string()))?;
        self.set(key, bytes)
    }

    /// Removes the value under `key`, if there is one.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }

    /// Whether there is a value under `key`.
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        self.0.exists(key)
    }

    /// Adds `delta` to the number under `key` and returns the sum; a missing number counts as 0.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.0.increment(key, delta)
    }

    /// Every key, in the order of their bytes.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        let (mut keys, mut next) = self.0.list(None)?;
        while let Some(cursor) = next {
            let (more, after) = self.0.list(Some(&cursor))?;
            keys.extend(more);
            next = after;
        }
        Ok(keys)
    }
}

/// Why state cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The worker knows no such bucket.
    NoSuchStore,
    /// A query tried to write. `?` in a handler answers 403 with it.
    AccessDenied,
    /// The value is not text, or not the JSON that was expected; in words.
    Value(String),
    /// Anything else, in words: a key or value that is too large, for one.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => f.write_str("there is no such bucket"),
            Self::AccessDenied => {
                f.write_str("a query may not change state; send the request as a command")
            }
            Self::Value(why) => write!(f, "the stored value is of another kind: {why}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Worker;

    #[test]
    fn a_value_is_what_was_put_there_last() {
        Worker::new()
            .as_command(|| {
                let bucket = open("b")?;
                assert_eq!(bucket.get("k")?, None);
                bucket.set("k", "one")?;
                bucket.set("k", b"two")?;
                assert_eq!(bucket.get_text("k")?.as_deref(), Some("two"));
                assert!(bucket.exists("k")?);
                assert_eq!(open("other")?.get("k")?, None);
                bucket.delete("k")?;
                bucket.delete("k")?;
                assert!(!bucket.exists("k")?);
                Ok::<(), Error>(())
            })
            .unwrap();
    }

    #[test]
    fn a_query_reads_and_cannot_write() {
        let worker = Worker::new();
        worker.as_command(|| open("b")?.set("k", "v")).unwrap();
        worker
            .as_query(|| {
                let bucket = open("b")?;
                assert_eq!(bucket.get_text("k")?.as_deref(), Some("v"));
                assert_eq!(bucket.set("k", "w"), Err(Error::AccessDenied));
                assert_eq!(bucket.delete("k"), Err(Error::AccessDenied));
                assert_eq!(bucket.increment("n", 1), Err(Error::AccessDenied));
                Ok::<(), Error>(())
            })
            .unwrap();
    }

    #[test]
    fn more_keys_than_one_page_are_all_listed() {
        Worker::new()
            .as_command(|| {
                let bucket = open("b")?;
                let expected: Vec<String> = (0..2_500).map(|n| format!("{n:05}")).collect();
                for key in expected.iter().rev() {
                    bucket.set(key, "")?;
                }
                assert_eq!(bucket.keys()?, expected);
                Ok::<(), Error>(())
            })
            .unwrap();
    }

    #[test]
    fn a_value_of_another_kind_is_an_error() {
        Worker::new()
            .as_command(|| {
                let bucket = open("b")?;
                bucket.set("k", [0xff])?;
                assert!(matches!(bucket.get_text("k"), Err(Error::Value(_))));
                #[cfg(feature = "json")]
                assert!(matches!(bucket.get_json::<u32>("k"), Err(Error::Value(_))));
                Ok::<(), Error>(())
            })
            .unwrap();
    }
}
