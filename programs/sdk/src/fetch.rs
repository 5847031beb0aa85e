//! Requests to the Internet, from queries only, to hosts that the program's manifest names.
//!
//! # Example
//! ```no_run
//! use phala_program::{Error, fetch, http::Request, prelude::*};
//!
//! fn price(_: phala_program::Request) -> Result<String, Error> {
//!     let request = Request::get("https://api.example.com/price").body(Body::empty())?;
//!     Ok(fetch::send(request)?.into_body().text()?)
//! }
//! ```

use crate::{Request, Response, host};
use std::{fmt, time::Duration};

/// Sends `request` and waits for the head of its response; the body follows as it is read.
pub fn send(request: Request) -> Result<Response, Error> {
    send_within(request, None)
}

/// [`send`], with a limit on each wait: to connect, for the first byte, and between two bytes.
pub fn send_within(request: Request, wait: impl Into<Option<Duration>>) -> Result<Response, Error> {
    host::fetch(vec![request], wait.into()).pop().unwrap_or(Err(Error::NoAnswer))
}

/// Sends every request at once and waits for all of them. The answers come in the order of the requests.
pub fn all(requests: Vec<Request>) -> Vec<Result<Response, Error>> {
    host::fetch(requests, None)
}

/// Why there is no response. `?` in a handler answers 502 with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request itself cannot be sent, in words: no host, for one.
    Request(String),
    /// The worker refused it, or the other side did not answer, in words.
    Failed(String),
    /// There is no answer to this request.
    NoAnswer,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(why) => write!(f, "the request cannot be sent: {why}"),
            Self::Failed(why) => write!(f, "the fetch failed: {why}"),
            Self::NoAnswer => f.write_str("the fetch was not answered"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, testing::Worker};

    fn get(url: &str) -> Request {
        http::Request::get(url).body(Body::empty()).unwrap()
    }

    #[test]
    fn answers_come_in_the_order_of_requests() {
        let worker = Worker::new().internet(|request| {
            Ok(Response::new(request.uri().path().trim_start_matches('/').into()))
        });
        let bodies: Vec<String> = worker.as_query(|| {
            all(vec![get("http://a/1"), get("http://b/2")])
                .into_iter()
                .map(|answer| answer.unwrap().into_body().text().unwrap())
                .collect()
        });
        assert_eq!(bodies, ["1", "2"]);
    }

    #[test]
    fn a_command_may_not_fetch() {
        let worker = Worker::new().internet(|_| Ok(Response::default()));
        let answer = worker.as_command(|| send(get("http://a/")));
        assert!(matches!(answer, Err(Error::Failed(_))));
    }

    #[test]
    fn without_a_host_there_is_nothing_to_send_to() {
        let answer = Worker::new().as_query(|| send(get("/path")));
        assert!(matches!(answer, Err(Error::Request(_))));
    }
}
