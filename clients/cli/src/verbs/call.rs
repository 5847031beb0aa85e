//! `phala call`: an encrypted query and its verified answer.

use crate::{
    Context,
    arguments::RequestArguments,
    failure::{self, Explain, Failure, Outcome},
    output, signer,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Response};
use phala_crypto::channel::framing;
use phala_messages::{ProgramId, Root, SignedReceipt, WorkerRecord};
use phala_sdk::{Client, Query};
use serde_json::{Value, json};
use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

/// Ask a program: an HTTP request, encrypted to its worker's TEE
///
/// The request is sealed to a key that the chain vouches for, and the answer is printed only when its receipt was
/// verified: this program, this code, the newest state, this request and answer. Exits 0 when a verified answer came,
/// whatever its status; with --fail, 22 when the status is 400 or more.
#[derive(clap::Args)]
pub struct Call {
    /// The program: its id, the beginning of it, or its name
    program: String,
    /// Path with query, beginning with /
    path: String,
    #[command(flatten)]
    request: RequestArguments,
    /// Sign the request as this account (a name, a key file, or //Alice); otherwise nobody asks
    #[arg(long = "as", value_name = "ACCOUNT")]
    caller: Option<String>,
    /// Write the receipt, with everything that `phala verify` needs, to this file
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Write the request as binary HTTP, for `phala verify --request`
    #[arg(long, value_name = "FILE")]
    save_request: Option<PathBuf>,
    /// Write the answer as binary HTTP, for `phala verify --response`
    #[arg(long, value_name = "FILE")]
    save_response: Option<PathBuf>,
    /// Exit with 22 when the status is 400 or more
    #[arg(short, long)]
    fail: bool,
    /// Print the answer's status and headers before its body
    #[arg(short, long)]
    include: bool,
    /// Print the body as it arrives; it counts as verified only when the exit code is 0
    #[arg(long, conflicts_with_all = ["json", "save_response"])]
    stream: bool,
}

impl Call {
    /// Asks.
    pub async fn run(self, context: &Context) -> Outcome {
        let mut query = self.request.query(&self.path)?;
        let client = context.connect().await?;
        query.signer = self.caller.as_deref().map(|caller| signer::named(caller, client.network())).transpose()?;
        let program = client.resolve(&self.program).await?;
        if let Some(path) = &self.save_request {
            let bytes = framing::encode_request(&query.to_request(&program)?);
            write(path, &bytes)?;
        }
        if self.stream {
            return self.streamed(&client, &program, &query).await;
        }
        let answer = client.call(&program, &query).await?;
        if let Some(path) = &self.save_response {
            write(path, &framing::encode_response(&answer.response, &HeaderMap::new()))?;
        }
        let status = answer.response.status().as_u16();
        if context.json {
            output::object(&to_json(&answer.response, &answer.receipt, &answer.worker));
        } else {
            if self.include {
                print_head(status, answer.response.headers());
            }
            print_body(answer.response.body());
        }
        self.finish(&client, answer.receipt, &answer.worker, status).await
    }

    async fn streamed(&self, client: &Client, program: &ProgramId, query: &Query) -> Outcome {
        let mut answer = client.stream(program, query).await?;
        let status = answer.head.status.as_u16();
        if self.include {
            print_head(status, &answer.head.headers);
        }
        while let Some(piece) = answer.piece().await? {
            print_body(&piece);
        }
        let (receipt, worker) = answer.finish(client).await.doing("the answer above is NOT verified")?;
        self.finish(client, receipt, &worker, status).await
    }

    /// What remains once a verified answer is out.
    async fn finish(&self, client: &Client, receipt: SignedReceipt, worker: &WorkerRecord, status: u16) -> Outcome {
        if let Some(path) = &self.receipt {
            let bundle = client.prove(receipt).await.doing("proving the receipt")?;
            write(path, bundle.to_json().as_bytes())?;
        }
        if worker.attested.root == Root::Development && std::io::stderr().is_terminal() {
            output::note("(answered by a simulated TEE: no secret is kept from its machine's owner)");
        }
        fail_if(self.fail, status)
    }
}

/// Exit code 22 for `--fail` and a status of 400 or more.
pub fn fail_if(wanted: bool, status: u16) -> Outcome {
    if wanted && status >= 400 { Err(Failure::silent(failure::ANSWER_FAILED)) } else { Ok(()) }
}

/// Writes a file, and says which when it cannot.
pub fn write(path: &Path, bytes: &[u8]) -> Outcome {
    std::fs::write(path, bytes).doing(format!("writing {}", path.display())).help("choose a file that you may write")
}

/// Prints a body as it is, byte for byte.
pub fn print_body(body: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(body).and_then(|()| out.flush());
}

/// Prints status and headers, as HTTP/1.1 writes them.
pub fn print_head(status: u16, headers: &HeaderMap) {
    let mut text = format!("HTTP {status}\r\n").into_bytes();
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    print_body(&text);
}

/// `body` as text where it is text; otherwise `body_base64`.
pub fn with_body(mut object: Value, body: &[u8]) -> Value {
    match std::str::from_utf8(body) {
        Ok(text) => object["body"] = text.into(),
        Err(_) => object["body_base64"] = STANDARD.encode(body).into(),
    }
    object
}

/// Headers as an object; the values of a repeated one are joined by a comma, as HTTP allows.
fn headers_json(headers: &HeaderMap) -> Value {
    let mut object = serde_json::Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        object.insert(name.to_string(), values.collect::<Vec<_>>().join(", ").into());
    }
    object.into()
}

fn to_json(response: &Response<Vec<u8>>, signed: &SignedReceipt, worker: &WorkerRecord) -> Value {
    let receipt = &signed.receipt;
    let object = json!({
        "status": response.status().as_u16(),
        "headers": headers_json(response.headers()),
        "program": receipt.program,
        "code_hash": receipt.code,
        "request_hash": receipt.request,
        "response_hash": receipt.response,
        "height": receipt.anchor.block.number.0,
        "version": receipt.anchor.version,
        "root": receipt.anchor.root,
        "worker": receipt.worker,
        "tee": worker.attested.tee_name(),
        "tcb_status": worker.attested.tcb.name(),
    });
    with_body(object, response.body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_text_travels_as_base64() {
        assert_eq!(with_body(json!({}), b"text"), json!({ "body": "text" }));
        assert_eq!(with_body(json!({}), b"\xff\x00"), json!({ "body_base64": "/wA=" }));
    }

    #[test]
    fn repeated_headers_are_joined() {
        let mut headers = HeaderMap::new();
        headers.append("a", "1".parse().unwrap());
        headers.append("a", "2".parse().unwrap());
        assert_eq!(headers_json(&headers), json!({ "a": "1, 2" }));
    }

    #[test]
    fn fail_looks_at_the_status_only_when_it_was_given() {
        assert!(fail_if(false, 500).is_ok() && fail_if(true, 399).is_ok());
        assert!(fail_if(true, 400).is_err());
    }
}
