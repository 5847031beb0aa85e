//! A caller: an account, and what it can do with a worker's and a program's keys alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use codec::{DecodeAll, Encode};
use futures::{
    AsyncWrite, StreamExt, TryStreamExt,
    channel::mpsc,
    future::{Either, select},
};
use getrandom::{SysRng, rand_core::UnwrapErr};
use http::{HeaderMap, Request, Response};
use phala_crypto::{
    SealKey,
    channel::{self, framing},
    hpke::{self, Exports},
};
use phala_enclave_worker::{Problem, Worker, command::response_hash, transcripts};
use phala_messages::{
    Account, GenesisHash, Hash, ProgramId, SignedReceipt, TransportKey,
    command::{EXPORT_BLIND, EXPORT_RESULT_KEY, seal_info},
    query::{AUTHORIZATION_FIELD, Authorization, authority, result_place},
    receipt::RECEIPT_FIELD,
};
use phala_units::UnixMillis;
use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

/// An account.
pub struct Caller {
    pair: schnorrkel::Keypair,
    sent: Mutex<HashMap<u64, Exports>>,
}

/// An opened answer.
#[derive(Debug)]
pub struct Fetched {
    pub response: Response<Bytes>,
    pub receipt: Option<SignedReceipt>,
}

impl Fetched {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.response.body()).into_owned()
    }

    /// The name of the problem that it is.
    pub fn problem(&self) -> Option<&str> {
        self.response.headers().get("phala-error").map(|name| name.to_str().unwrap())
    }

    /// The receipt, its signature and hash of the response verified.
    pub fn receipt(&self) -> &SignedReceipt {
        let signed = self.receipt.as_ref().expect("there is a receipt");
        let receipt = &signed.receipt;
        assert!(phala_crypto::verify_ed25519(&receipt.instance.0, &receipt.signing_hash().0, &signed.signature));
        assert_eq!(receipt.response, response_hash(&self.response));
        signed
    }
}

pub fn fetched(response: Response<Vec<u8>>, trailers: &HeaderMap) -> Fetched {
    let receipt = trailers.get(RECEIPT_FIELD).map(|field| {
        let bytes = STANDARD.decode(field.as_bytes()).unwrap();
        SignedReceipt::decode_all(&mut bytes.as_slice()).unwrap()
    });
    Fetched { response: response.map(Bytes::from), receipt }
}

/// A request to a program.
pub fn request(program: &ProgramId, method: &str, path: &str, body: &[u8]) -> Request<Vec<u8>> {
    let uri = format!("https://{}{path}", authority(program));
    Request::builder().method(method).uri(uri).body(body.to_vec()).unwrap()
}

pub fn request_hash(request: &Request<Vec<u8>>) -> Hash {
    let (parts, body) = request.clone().into_parts();
    let mut transcript = transcripts::request(&parts);
    transcript.body(&body);
    transcript.finish()
}

impl Caller {
    pub fn new(seed: u8) -> Self {
        let secret = schnorrkel::MiniSecretKey::from_bytes(&[seed; 32]).unwrap();
        Self { pair: secret.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519), sent: Mutex::default() }
    }

    pub fn account(&self) -> Account {
        Account(self.pair.public.to_bytes())
    }

    /// Asks a worker something.
    pub async fn query(&self, worker: &Worker, request: Request<Vec<u8>>) -> Result<Fetched, Problem> {
        let (sealed, opener) = channel::seal_request(&worker.identity.transport.0, &request).unwrap();
        let answer = worker.query(&sealed).await?;
        let (response, trailers) = opener.open(&answer).unwrap();
        Ok(fetched(response, &trailers))
    }

    /// Asks a worker something, in pieces. None when the answer was cut.
    pub async fn query_chunked(&self, worker: &Arc<Worker>, request: Request<Vec<u8>>) -> Option<Fetched> {
        let (parts, body) = request.into_parts();
        let (to_worker, source) = pipe();
        let mut out = channel::start_chunked(&worker.identity.transport.0, to_worker).unwrap();
        let write = async {
            out.request(&parts).await.unwrap();
            for piece in body.chunks(10_000) {
                // A worker that has said all it has to say may listen no more.
                if out.piece(piece).await.is_err() {
                    break;
                }
            }
            let _ = out.finish().await;
            futures::future::pending::<()>().await
        };
        let read = async {
            let chunks = worker.clone().query_chunked(source).await.unwrap();
            let sealed: Vec<Bytes> = chunks.collect().await;
            sealed.concat()
        };
        let sealed = match select(std::pin::pin!(read), std::pin::pin!(write)).await {
            Either::Left((sealed, _)) => sealed,
            Either::Right(((), _)) => unreachable!("the writer never ends"),
        };
        let mut back = out.response(Box::pin(futures::io::Cursor::new(sealed))).unwrap();
        let head = back.head().await.ok()?;
        let mut body = Vec::new();
        while let Some(piece) = back.piece().await.ok()? {
            body.extend(piece);
        }
        Some(fetched(Response::from_parts(head, body), back.trailers()))
    }

    /// Signs a request to `program` at `worker`.
    pub fn authorize(
        &self,
        worker: &Worker,
        program: &ProgramId,
        mut request: Request<Vec<u8>>,
        expires_at: UnixMillis,
    ) -> Request<Vec<u8>> {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&NONCE.fetch_add(1, Ordering::SeqCst).to_le_bytes());
        let hash = request_hash(&request);
        let mut it = Authorization { account: self.account(), expires_at, nonce, signature: [0; 64] };
        let signed = it.signing_hash(&worker.identity.genesis, program, &worker.identity.instance, &hash);
        it.signature = self.pair.sign_simple(b"substrate", &signed.0).to_bytes();
        request.headers_mut().insert(AUTHORIZATION_FIELD, STANDARD.encode(it.encode()).parse().unwrap());
        request
    }

    /// Seals the command that will have this index.
    pub fn seal(
        &self,
        genesis: &GenesisHash,
        program: &ProgramId,
        transport: &TransportKey,
        request: Request<Vec<u8>>,
        index: u64,
    ) -> Vec<u8> {
        self.seal_bytes(genesis, program, transport, &framing::encode_request(&request), index)
    }

    pub fn seal_bytes(
        &self,
        genesis: &GenesisHash,
        program: &ProgramId,
        transport: &TransportKey,
        plain: &[u8],
        index: u64,
    ) -> Vec<u8> {
        let info = seal_info(genesis, program, &self.account());
        let (sealed, exports) = hpke::seal(&mut UnwrapErr(SysRng), &transport.0, &info, plain).unwrap();
        self.sent.lock().unwrap().insert(index, exports);
        sealed
    }

    /// Opens the result of a command that it sent, and checks what its receipt says of it.
    pub fn open(&self, genesis: &GenesisHash, program: &ProgramId, index: u64, sealed: &[u8]) -> Fetched {
        let sent = self.sent.lock().unwrap();
        let exports = &sent[&index];
        let key = SealKey::new(exports.export(EXPORT_RESULT_KEY));
        let plain = key.open(&result_place(genesis, program, index), sealed).expect("it is sealed to the caller");
        let (response, trailers) = framing::decode_response(&plain).unwrap();
        let fetched = fetched(response, &trailers);
        let phala_messages::Subject::Command(proof) = &fetched.receipt().receipt.subject else {
            panic!("a command's receipt")
        };
        assert_eq!((proof.index, proof.caller), (index, self.account()));
        assert_eq!(proof.blind.0, *exports.export(EXPORT_BLIND).expose());
        fetched
    }
}

struct PipeIn(mpsc::Sender<io::Result<Vec<u8>>>);

impl AsyncWrite for PipeIn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.0.poll_ready(cx)).map_err(io::Error::other)?;
        self.0.start_send(Ok(bytes.to_vec())).map_err(io::Error::other)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.close_channel();
        Poll::Ready(Ok(()))
    }
}

fn pipe() -> (channel::streaming::BoxWrite, channel::streaming::BoxRead) {
    let (sink, source) = mpsc::channel(4);
    (Box::pin(PipeIn(sink)), Box::pin(source.into_async_read()))
}
