//! Runs a handler without a worker, for `cargo test`.
//!
//! # Example
//! ```
//! use phala_program::{http::Request, prelude::*, testing::Worker};
//!
//! fn handle(_: phala_program::Request) -> Result<String, Error> {
//!     Ok(kv::open("")?.increment("visits", 1)?.to_string())
//! }
//!
//! let worker = Worker::new();
//! let request = || Request::post("/").body(Body::empty()).unwrap();
//! assert_eq!(worker.command(handle, request()).into_body().text().unwrap(), "1");
//! assert_eq!(worker.command(handle, request()).into_body().text().unwrap(), "2");
//! assert_eq!(worker.query(handle, request()).status(), 403);
//! ```
//!
//! What differs from a worker: keys and signatures are stand-ins, there are no quotes, and no limits on memory,
//! time or sizes.

use crate::{
    Body, IntoResponse, Request, Response,
    context::{Account, Mode},
    host::{World, within},
};
use std::{cell::RefCell, rc::Rc};

/// A worker's memory of one program: state, settings and logs. State lasts from call to call.
pub struct Worker(RefCell<World>);

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Worker {
    /// Nothing stored, nothing set, nobody signed.
    pub fn new() -> Self {
        Self(RefCell::new(World::new()))
    }

    /// Gives the program a setting.
    pub fn setting(self, key: &str, value: &str) -> Self {
        self.0.borrow_mut().settings.insert(key.into(), value.into());
        self
    }

    /// Signs every call that follows.
    pub fn caller(self, account: Account) -> Self {
        self.0.borrow_mut().caller = Some(account);
        self
    }

    /// Answers the program's fetches.
    pub fn internet(
        self,
        answer: impl Fn(Request) -> Result<Response, String> + 'static,
    ) -> Self {
        self.0.borrow_mut().internet = Some(Rc::new(answer));
        self
    }

    /// Sends `request` as a query.
    pub fn query<R: IntoResponse>(
        &self,
        handler: impl Fn(Request) -> R,
        request: Request,
    ) -> Response {
        self.as_query(|| whole(handler(request).into_response()))
    }

    /// Sends `request` as a command.
    pub fn command<R: IntoResponse>(
        &self,
        handler: impl Fn(Request) -> R,
        request: Request,
    ) -> Response {
        self.as_command(|| whole(handler(request).into_response()))
    }

    /// Runs `call` as a query would run.
    pub fn as_query<T>(&self, call: impl FnOnce() -> T) -> T {
        self.run(Mode::Query, call)
    }

    /// Runs `call` as the next command would run.
    pub fn as_command<T>(&self, call: impl FnOnce() -> T) -> T {
        let index = {
            let mut world = self.0.borrow_mut();
            let index = world.commands;
            world.commands += 1;
            world.height += 1;
            index
        };
        self.run(Mode::Command { index }, call)
    }

    /// What the program logged so far, one string a line.
    pub fn logs(&self) -> Vec<String> {
        self.0.borrow().logs.clone()
    }

    fn run<T>(&self, mode: Mode, call: impl FnOnce() -> T) -> T {
        let mut world = self.0.borrow_mut();
        world.mode = mode;
        within(&mut world, call)
    }
}

/// Produces a streamed body while the program still runs.
///
/// # Panics
/// When the body fails: on a worker the answer would be cut off there.
fn whole(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = body.bytes().expect("the program wrote its whole body");
    Response::from_parts(parts, Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv;

    #[test]
    fn two_workers_share_nothing() {
        let (one, two) = (Worker::new(), Worker::new());
        one.as_command(|| kv::open("")?.set("k", "v")).unwrap();
        assert_eq!(two.as_query(|| kv::open("")?.get("k")), Ok(None));
    }

    #[test]
    fn a_panic_in_a_call_leaves_the_worker_usable() {
        let worker = Worker::new();
        worker.as_command(|| kv::open("")?.set("k", "v")).unwrap();
        let call = std::panic::AssertUnwindSafe(|| worker.as_query(|| panic!("on purpose")));
        assert!(std::panic::catch_unwind(call).is_err());
        assert!(worker.as_query(|| kv::open("")?.exists("k")).unwrap());
    }

    #[test]
    fn a_streamed_body_is_written_as_part_of_the_call() {
        fn handle(_: Request) -> Response {
            Response::new(Body::stream(|out| {
                let stored = kv::open("").and_then(|bucket| bucket.get("k"));
                out.write_all(&stored.map_err(std::io::Error::other)?.unwrap_or_default())
            }))
        }
        let worker = Worker::new();
        worker.as_command(|| kv::open("")?.set("k", "v")).unwrap();
        let answer = worker.query(handle, http::Request::new(Body::empty()));
        assert_eq!(answer.into_body().text().unwrap(), "v");
    }
}
