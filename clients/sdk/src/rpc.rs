//! A node's JSON-RPC over HTTP.

use phala_follow::{FollowError, Rpc, RpcError, rpc::REPLY_BYTES_MAX};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How long one reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// A node, asked over HTTP. Nothing it says is believed without proof.
pub struct HttpRpc {
    http: reqwest::Client,
    url: String,
    next: AtomicU64,
}

impl HttpRpc {
    /// The node at `url` (`http`, `https`, `ws` or `wss`; requests go over HTTP in any case).
    pub fn new(http: reqwest::Client, url: &str) -> Self {
        Self { http, url: crate::network::http_url(url), next: AtomicU64::new(1) }
    }
}

impl Rpc for HttpRpc {
    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let reply = self.http.post(&self.url).json(&request).timeout(REPLY_TIMEOUT).send().await;
        let mut reply = reply.map_err(transport)?;
        let mut bytes = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(transport)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > REPLY_BYTES_MAX {
                return Err(RpcError::TooLarge);
            }
        }
        let mut reply: Value = serde_json::from_slice(&bytes)
            .map_err(|_| RpcError::Unreachable(format!("what answers at {} is no node", self.url)))?;
        if let Some(error) = reply.get("error").filter(|error| !error.is_null()) {
            return Err(RpcError::from_error_object(error));
        }
        let none = || RpcError::Unreachable("its reply has neither result nor error".into());
        reply.get_mut("result").map(Value::take).ok_or_else(none)
    }
}

fn transport(error: reqwest::Error) -> RpcError {
    RpcError::Unreachable(crate::chain_of(&error.without_url()))
}

/// Whether following failed because the node does not answer at all.
pub(crate) fn unreachable(error: &FollowError) -> bool {
    matches!(error, FollowError::Rpc(RpcError::Unreachable(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// A node that says `body` once.
    async fn ask(body: &'static str) -> Result<Value, RpcError> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let node = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Head and body may arrive one after the other; the body is one object, without a closing brace inside.
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..read]);
            }
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let reply = HttpRpc::new(http, &url).call("m", json!([])).await;
        node.join().unwrap();
        reply
    }

    #[tokio::test]
    async fn a_reply_is_a_result_or_an_error_or_no_node_s() {
        assert_eq!(ask(r#"{"jsonrpc":"2.0","id":1,"result":7}"#).await, Ok(json!(7)));
        assert_eq!(ask(r#"{"jsonrpc":"2.0","id":1,"result":null}"#).await, Ok(Value::Null));
        let refused = ask(r#"{"id":1,"error":{"code":1010,"message":"Invalid","data":"no money"}}"#).await;
        assert_eq!(refused, Err(RpcError::Refused { code: 1010, message: "Invalid: no money".into() }));
        assert!(matches!(ask("<html>").await, Err(RpcError::Unreachable(_))));
        assert!(matches!(ask("{}").await, Err(RpcError::Unreachable(_))));
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_unreachable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = HttpRpc::new(reqwest::Client::new(), &url).call("m", json!([])).await.unwrap_err();
        assert!(unreachable(&error.into()));
    }
}
