//! What a handler returns when it cannot answer.

use crate::{
    Body, BodyError, IntoResponse, Response, attestation, config, fetch, keys, kv, log,
};
use http::{HeaderValue, StatusCode, header};
use std::{any::Any, fmt::Display};

/// An answer that says what is wrong, as `application/problem+json` (RFC 9457).
///
/// `?` makes one of any error: 400 of a bad body, 403 of a write in a query, 502 of a failed fetch, and 500 of
/// everything else. The caller of a 500 does not see its cause; the program's log has it.
///
/// # Example
/// ```
/// use phala_program::{Error, prelude::*};
///
/// fn half(n: &str) -> Result<u32, Error> {
///     let n: u32 = n.parse().or_status(StatusCode::BAD_REQUEST)?;
///     if n % 2 == 1 {
///         return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "an odd number has no half"));
///     }
///     Ok(n / 2)
/// }
/// assert_eq!(half("x").unwrap_err().status(), StatusCode::BAD_REQUEST);
/// ```
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    message: String,
}

impl Error {
    /// Answers `status`, and `message` for whoever called.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 403: this caller may not, or not in this way.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// The status it answers.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it tells the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Keeps the cause for the owner; the caller learns that there was one.
    fn internal(chain: &str) -> Self {
        log::error(format_args!("{chain}"));
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the program failed; its log has the cause")
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let any = &error as &dyn Any;
        let status = if any.is::<BodyError>() {
            StatusCode::BAD_REQUEST
        } else if let Some(kv::Error::AccessDenied) = any.downcast_ref() {
            StatusCode::FORBIDDEN
        } else if let Some(attestation::Error::Command) = any.downcast_ref() {
            StatusCode::FORBIDDEN
        } else if any.is::<fetch::Error>() {
            StatusCode::BAD_GATEWAY
        } else {
            let mut chain = error.to_string();
            let mut cause = error.source();
            while let Some(next) = cause {
                chain = format!("{chain}: {next}");
                cause = next.source();
            }
            return Self::internal(&chain);
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("error");
        let body = format!(
            "{{\"title\":{},\"status\":{},\"detail\":{}}}",
            quoted(title),
            self.status.as_u16(),
            quoted(&self.message)
        );
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Gives an error the status that it deserves here.
pub trait OrStatus<T> {
    /// Answers `status` and the error's own words.
    fn or_status(self, status: StatusCode) -> Result<T, Error>;
}

impl<T, E: Display> OrStatus<T> for Result<T, E> {
    fn or_status(self, status: StatusCode) -> Result<T, Error> {
        self.map_err(|why| Error::new(status, why.to_string()))
    }
}

// Every error of this crate can pass through `?`.
const _: () = {
    const fn is_error<E: std::error::Error + 'static>() {}
    is_error::<BodyError>();
    is_error::<kv::Error>();
    is_error::<config::Error>();
    is_error::<fetch::Error>();
    is_error::<keys::Error>();
    is_error::<attestation::Error>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Worker;
    use http::Request;

    #[test]
    fn a_foreign_error_is_500_and_its_cause_goes_to_the_log_only() {
        fn handle(_: crate::Request) -> Result<(), Error> {
            Err(std::io::Error::other("the password is hunter2"))?;
            Ok(())
        }
        let worker = Worker::new();
        let answer = worker.query(handle, Request::get("/").body(Body::empty()).unwrap());
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!answer.into_body().text().unwrap().contains("hunter2"));
        assert!(worker.logs().iter().any(|line| line.contains("hunter2")));
    }

    #[test]
    fn a_bad_body_is_400_and_says_why() {
        let error = Error::from(Body::from(vec![0xff]).text().unwrap_err());
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert!(error.message().contains("UTF-8"));
    }

    #[test]
    fn details_are_escaped() {
        let answer = Error::bad_request("a \"b\"\\\n\u{1}").into_response();
        let text = answer.into_body().text().unwrap();
        assert_eq!(
            text,
            r#"{"title":"Bad Request","status":400,"detail":"a \"b\"\\\n\u0001"}"#
        );
    }
}
