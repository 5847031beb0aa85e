//! JSON-RPC over HTTP to a node that is not trusted.

use futures::StreamExt;
use phala_follow::{Rpc, RpcError, rpc::REPLY_BYTES_MAX};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How long a node may take for one reply.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A node's RPC.
pub struct HttpRpc {
    client: reqwest::Client,
    url: String,
    next: AtomicU64,
}

impl HttpRpc {
    /// The node at `url`: `http(s)://…`, or `ws(s)://…` of a node that serves both at one port, as Substrate's do.
    ///
    /// # Errors
    /// The library's word.
    pub fn new(url: &str) -> Result<Self, reqwest::Error> {
        let url = match url.split_once("://") {
            Some(("ws", rest)) => format!("http://{rest}"),
            Some(("wss", rest)) => format!("https://{rest}"),
            _ => url.to_owned(),
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, url, next: AtomicU64::new(1) })
    }

    async fn exchange(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let unreachable = |error: reqwest::Error| RpcError::Unreachable(chain(&error.without_url()));
        let response = self.client.post(&self.url).json(&request).send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(unreachable)?;
            if body.len() + piece.len() > REPLY_BYTES_MAX {
                return Err(RpcError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        let mut reply: Value =
            serde_json::from_slice(&body).map_err(|_| RpcError::Unreachable("its reply is not JSON".into()))?;
        if let Some(error) = reply.get("error") {
            return Err(RpcError::from_error_object(error));
        }
        if reply.get("id") != Some(&Value::from(id)) {
            return Err(RpcError::Unreachable("it replied to another call".into()));
        }
        reply.get_mut("result").map(Value::take).ok_or_else(|| RpcError::Unreachable("its reply has no result".into()))
    }
}

impl Rpc for HttpRpc {
    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.exchange(method, params).await
    }
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
