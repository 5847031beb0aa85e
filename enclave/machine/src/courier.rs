//! The courier: sealed requests from one machine of the network to another.
//!
//! Each is an HTTP request sealed to the transport key that the finalised chain has of the receiver (OHTTP, RFC 9458): only the
//! receiver's process reads it, and only who asked reads the answer. Whoever carries it learns sizes and times.

use codec::{Decode, DecodeAll};
use futures::future::BoxFuture;
use http::Request;
use phala_crypto::channel::{ResponseOpener, seal_request};
use phala_messages::{TransportKey, limits::GATEKEEPER_ANSWER_BYTES_MAX, release::GATEKEEPER_AUTHORITY};
use zeroize::Zeroizing;

/// Why a machine did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CourierError(pub String);

/// Carries requests to other machines. Implemented where there are sockets. It may lose, delay, repeat and alter what it
/// carries; it gives up by itself after some seconds.
pub trait Courier: Send + Sync + 'static {
    /// Posts `body` as `message/ohttp-req` to `endpoint` (`http(s)://host[:port]`) and `path`; back with the answer's body.
    fn post<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CourierError>>;

    /// What `endpoint` gives at `path`, of at most `bytes_max` bytes.
    fn get<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<u8>, CourierError>> {
        let _ = (endpoint, path, bytes_max);
        Box::pin(std::future::ready(Err(CourierError("this courier fetches nothing".into()))))
    }
}

/// Seals `message` to a gatekeeper's process: what to post to `path`, and what opens the answer.
///
/// # Errors
/// [`CourierError`] when the transport key is not usable.
pub fn seal(transport: &TransportKey, path: &str, message: Vec<u8>) -> Result<(Vec<u8>, ResponseOpener), CourierError> {
    let request = Request::post(format!("https://{GATEKEEPER_AUTHORITY}{path}")).body(Body(Zeroizing::new(message)));
    let request = request.map_err(|error| CourierError(error.to_string()))?;
    seal_request(&transport.0, &request).map_err(|error| CourierError(error.to_string()))
}

struct Body(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Opens an answer.
///
/// # Errors
/// [`CourierError`] when it is too large, does not open, or is no answer of this kind.
pub fn open_answer<T: Decode>(opener: ResponseOpener, bytes: &[u8]) -> Result<T, CourierError> {
    if bytes.len() > GATEKEEPER_ANSWER_BYTES_MAX as usize {
        return Err(CourierError(format!("the answer has {} bytes", bytes.len())));
    }
    let (response, _) = opener.open(bytes).map_err(|error| CourierError(error.to_string()))?;
    let body = Zeroizing::new(response.into_body());
    T::decode_all(&mut body.as_slice()).map_err(|_| CourierError("the answer is malformed".into()))
}
