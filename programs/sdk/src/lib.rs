//! Write programs for Phala.
//!
//! A program answers HTTP requests inside a trusted execution environment. A *query* is a request sent straight
//! to a worker: it sees a snapshot of the program's state and may fetch from the Internet. A *command* is a
//! request ordered by the chain: it may change state and may not fetch. Both arrive at the same handler.
//!
//! ```
//! use phala_program::{Request, Result, Router, kv, prelude::*};
//!
//! phala_program::export!(handle);
//!
//! fn handle(request: Request) -> Response {
//!     Router::new().get("/greeting", read).put("/greeting", write).handle(request)
//! }
//!
//! fn read(_: Request) -> Result<String> {
//!     let greeting = kv::open("")?.get_text("greeting")?;
//!     Ok(greeting.unwrap_or_else(|| "nothing was said yet".into()))
//! }
//!
//! fn write(request: Request) -> Result<StatusCode> {
//!     kv::open("")?.set("greeting", request.text()?)?;
//!     Ok(StatusCode::NO_CONTENT)
//! }
//! # use phala_program::testing::Worker;
//! # let worker = Worker::new();
//! # let put = http::Request::put("/greeting").body("hello".into()).unwrap();
//! # assert_eq!(worker.command(handle, put).status(), 204);
//! # let get = http::Request::get("/greeting").body("".into()).unwrap();
//! # assert_eq!(worker.query(handle, get).into_body().text().unwrap(), "hello");
//! ```
//!
//! `cargo build --target wasm32-wasip2 --release` (or `phala build`) turns a `cdylib` into a component. On any
//! other target the same code runs against [`testing`], so `cargo test` tests a program without a worker.
//!
//! # What there is
//! [`Request`], [`Response`], [`Body`] (whole or streamed) · [`Router`] · [`kv`] state · [`config`] settings ·
//! [`context`] who calls and how · [`fetch`] from the Internet · [`keys`] the program's own · [`attestation`] ·
//! [`log`] to the program's owner · [`Error`], into which `?` turns every other error.

#![warn(missing_docs)]

pub mod attestation;
mod body;
pub mod config;
pub mod context;
mod error;
pub mod fetch;
pub mod keys;
pub mod kv;
pub mod log;
mod request;
mod response;
mod router;

#[cfg(target_os = "wasi")]
#[allow(missing_docs, clippy::all)]
mod bindings;
#[cfg(target_os = "wasi")]
#[path = "host/wasi.rs"]
mod host;
#[cfg(not(target_os = "wasi"))]
#[path = "host/memory.rs"]
mod host;
#[cfg(not(target_os = "wasi"))]
pub mod testing;

pub use body::{Body, BodyError};
pub use error::{Error, OrStatus};
pub use http;
#[cfg(feature = "json")]
pub use response::Json;
pub use response::{Html, IntoResponse};
pub use request::RequestExt;
pub use router::Router;

/// What a handler receives.
pub type Request = http::Request<Body>;
/// What a handler answers.
pub type Response = http::Response<Body>;
/// What a handler returns when it can fail.
pub type Result<T = Response, E = Error> = core::result::Result<T, E>;

/// Names that nearly every program uses: `use phala_program::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "json")]
    pub use crate::Json;
    pub use crate::{Body, Error, IntoResponse, OrStatus, Request, RequestExt, Response, Router, kv};
    pub use http::{Method, StatusCode, header};
}

/// Makes `handler` what the program answers requests with.
///
/// A handler is any `Fn(Request) -> impl IntoResponse`. Use this once, at the root of a `cdylib`.
#[macro_export]
macro_rules! export {
    ($handler:path) => {
        #[cfg(target_os = "wasi")]
        const _: () = {
            struct Program;
            impl $crate::__private::Guest for Program {
                fn handle(
                    request: $crate::__private::IncomingRequest,
                    answer: $crate::__private::ResponseOutparam,
                ) {
                    $crate::__private::serve($handler, request, answer)
                }
            }
            $crate::__private::export_proxy!(Program with_types_in $crate::__private::wasip2);
        };
        #[cfg(not(target_os = "wasi"))]
        const _: () = $crate::__private::is_handler($handler);
    };
}

/// What [`export!`] needs; not for programs.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_os = "wasi")]
    pub use crate::host::serve;
    #[cfg(target_os = "wasi")]
    pub use wasip2::{
        self,
        exports::http::incoming_handler::Guest,
        http::{
            proxy::export as export_proxy,
            types::{IncomingRequest, ResponseOutparam},
        },
    };

    /// Off the WebAssembly target nothing is exported; this keeps the handler checked and in use.
    #[cfg(not(target_os = "wasi"))]
    pub const fn is_handler<H, R>(_: H)
    where
        H: Fn(crate::Request) -> R + Copy,
        R: crate::IntoResponse,
    {
    }
}
