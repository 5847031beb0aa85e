//! Reaching other machines over HTTP. They are not trusted, and neither is the way to them: all is sealed or verified.

use crate::rpc::chain;
use futures::{StreamExt, future::BoxFuture};
use phala_crypto::channel::REQUEST_TYPE;
use phala_machine::{Courier, CourierError};
use phala_messages::limits::GATEKEEPER_ANSWER_BYTES_MAX;
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a component may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// What sealing adds to an answer, and more.
const SEALED_BYTES: usize = 4_096;

/// Other machines, by the endpoints that they registered.
pub struct HttpCourier(reqwest::Client);

impl HttpCourier {
    /// A client that follows no redirects and gives up after some seconds.
    ///
    /// # Errors
    /// The library's word.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self(client))
    }

    async fn exchange(&self, url: String, body: Vec<u8>) -> Result<Vec<u8>, CourierError> {
        let request = self.0.post(url).header("content-type", REQUEST_TYPE).body(body);
        read(request, GATEKEEPER_ANSWER_BYTES_MAX as usize + SEALED_BYTES).await
    }

    async fn fetch(&self, url: String, bytes_max: usize) -> Result<Vec<u8>, CourierError> {
        read(self.0.get(url).timeout(FETCH_TIMEOUT), bytes_max).await
    }
}

/// Sends a request and reads an answer of at most `bytes_max`.
async fn read(request: reqwest::RequestBuilder, bytes_max: usize) -> Result<Vec<u8>, CourierError> {
    let lost = |error: reqwest::Error| CourierError(chain(&error.without_url()));
    let response = request.send().await.map_err(lost)?;
    let status = response.status();
    let bytes_max = if status.is_success() { bytes_max } else { SEALED_BYTES };
    let mut bytes = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.map_err(lost)?);
        if bytes.len() > bytes_max {
            return Err(CourierError("its answer is too large".into()));
        }
    }
    if status.is_success() {
        return Ok(bytes);
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or_default();
    Err(CourierError(format!("it answers {status}: {detail}")))
}

impl Courier for HttpCourier {
    fn post<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CourierError>> {
        Box::pin(self.exchange(format!("{}{path}", endpoint.trim_end_matches('/')), body))
    }

    fn get<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<u8>, CourierError>> {
        Box::pin(self.fetch(format!("{}{path}", endpoint.trim_end_matches('/')), bytes_max))
    }
}
