//! Conversing with a worker: OHTTP (RFC 9458) around binary HTTP (RFC 9292).
//!
//! A request is sealed to the worker's transport key; only that worker reads it, and only who asked reads the
//! answer. Two forms, told apart by media type:
//!
//! | form | request | response | for |
//! |---|---|---|---|
//! | whole | `message/ohttp-req` | `message/ohttp-res` | everything that fits memory; the fast path |
//! | chunked | `message/ohttp-chunked-req` | `message/ohttp-chunked-res` | bodies that stream, both ways |
//!
//! # Source
//! RFC 9458, RFC 9292, draft-ietf-ohai-chunked-ohttp.

pub mod framing;
mod lengths;
pub mod streaming;

use crate::Secret;
use framing::FramingError;
use http::{HeaderMap, Request, Response};
use ohttp::{
    KeyConfig, SymmetricSuite,
    hpke::{Aead, Kdf, Kem},
};

/// Media type of a whole request.
pub const REQUEST_TYPE: &str = "message/ohttp-req";
/// Media type of a whole response.
pub const RESPONSE_TYPE: &str = "message/ohttp-res";
/// Media type of a chunked request.
pub const CHUNKED_REQUEST_TYPE: &str = "message/ohttp-chunked-req";
/// Media type of a chunked response.
pub const CHUNKED_RESPONSE_TYPE: &str = "message/ohttp-chunked-res";

/// A worker has one transport key per process; its identifier in the OHTTP header.
const KEY_ID: u8 = 0;
/// What both sides speak, preferred first: AES has instructions of its own on every TEE there is.
const SUITES: [SymmetricSuite; 2] = [
    SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm),
    SymmetricSuite::new(Kdf::HkdfSha256, Aead::ChaCha20Poly1305),
];

/// Why a message does not open, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Not sealed to this key, altered, or not OHTTP at all.
    #[error("the message does not open: altered, or sealed to another key")]
    Sealed,
    /// Opened, but what is inside is not an HTTP message.
    #[error("the message inside is not binary HTTP: {0}")]
    Framing(#[from] FramingError),
    /// The transport key is not an X25519 public key.
    #[error("the transport key is not usable")]
    Key,
}

fn sealed(_: ohttp::Error) -> ChannelError {
    ChannelError::Sealed
}

/// The worker's end.
#[derive(Clone)]
pub struct Server {
    inner: ohttp::Server,
    public: [u8; 32],
    config: Vec<u8>,
}

/// Seals the one response to a request.
pub struct ResponseSealer(ohttp::ServerResponse);

impl Server {
    /// The end whose key pair is derived from `secret` (RFC 9180, DeriveKeyPair).
    ///
    /// # Errors
    /// [`ChannelError::Key`] if the library refuses the suite; it does not.
    pub fn new(secret: &Secret<32>) -> Result<Self, ChannelError> {
        let config = KeyConfig::derive(KEY_ID, Kem::X25519Sha256, SUITES.to_vec(), secret.expose())
            .map_err(|_| ChannelError::Key)?;
        let encoded = config.encode().map_err(|_| ChannelError::Key)?;
        // key id (1), KEM (2), public key (32): RFC 9458 §3.1.
        let public = encoded.get(3..35).and_then(|key| key.try_into().ok()).ok_or(ChannelError::Key)?;
        let inner = ohttp::Server::new(config).map_err(|_| ChannelError::Key)?;
        Ok(Self { inner, public, config: encoded })
    }

    /// The transport key, as it is registered.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The key configuration (`application/ohttp-keys` without its length), for clients that speak plain OHTTP.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// Opens a whole request.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn open(&self, bytes: &[u8]) -> Result<(Request<Vec<u8>>, ResponseSealer), ChannelError> {
        let (plain, response) = self.inner.decapsulate(bytes).map_err(sealed)?;
        Ok((framing::decode_request(&plain)?, ResponseSealer(response)))
    }

    /// Opens a chunked request: reads and checks its head, leaves its body to be read.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn open_chunked(&self, source: streaming::BoxRead) -> Result<streaming::Incoming, ChannelError> {
        streaming::Incoming::open(self.inner.clone(), source).await
    }
}

impl ResponseSealer {
    /// Seals `response` with `trailers`.
    ///
    /// # Errors
    /// [`ChannelError`] if the response cannot be framed.
    pub fn seal(self, response: &Response<impl AsRef<[u8]>>, trailers: &HeaderMap) -> Result<Vec<u8>, ChannelError> {
        self.0.encapsulate(&framing::encode_response(response, trailers)).map_err(sealed)
    }
}

/// Opens the one response to a request.
pub struct ResponseOpener(ohttp::ClientResponse);

/// The key configuration of a worker whose transport key is `public`.
fn client(public: &[u8; 32]) -> Result<ohttp::ClientRequest, ChannelError> {
    let mut config = vec![KEY_ID];
    config.extend(u16::from(Kem::X25519Sha256).to_be_bytes());
    config.extend(public);
    config.extend((4 * SUITES.len() as u16).to_be_bytes());
    for suite in SUITES {
        config.extend(u16::from(suite.kdf()).to_be_bytes());
        config.extend(u16::from(suite.aead()).to_be_bytes());
    }
    ohttp::ClientRequest::from_encoded_config(&config).map_err(|_| ChannelError::Key)
}

/// Seals a whole `request` to the worker whose transport key is `public`.
///
/// # Errors
/// [`ChannelError::Key`] if the key is not usable.
pub fn seal_request(
    public: &[u8; 32],
    request: &Request<impl AsRef<[u8]>>,
) -> Result<(Vec<u8>, ResponseOpener), ChannelError> {
    let (bytes, response) =
        client(public)?.encapsulate(&framing::encode_request(request)).map_err(|_| ChannelError::Key)?;
    Ok((bytes, ResponseOpener(response)))
}

/// Starts a chunked request to the worker whose transport key is `public`, written to `sink`.
///
/// # Errors
/// [`ChannelError::Key`] if the key is not usable.
pub fn start_chunked(public: &[u8; 32], sink: streaming::BoxWrite) -> Result<streaming::Outgoing, ChannelError> {
    streaming::Outgoing::start(client(public)?, sink)
}

impl ResponseOpener {
    /// Opens the response: message and trailers.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn open(self, bytes: &[u8]) -> Result<(Response<Vec<u8>>, HeaderMap), ChannelError> {
        let plain = self.0.decapsulate(bytes).map_err(sealed)?;
        Ok(framing::decode_response(&plain)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(n: u8) -> Server {
        Server::new(&Secret::new([n; 32])).unwrap()
    }

    fn request() -> Request<Vec<u8>> {
        Request::post("https://p.phala/a?b=c").header("x-k", "v").body(b"body".to_vec()).unwrap()
    }

    #[test]
    fn a_request_and_its_response_survive_the_way() {
        let server = server(1);
        let (bytes, opener) = seal_request(&server.public(), &request()).unwrap();
        let (opened, sealer) = server.open(&bytes).unwrap();
        assert_eq!(opened.method(), "POST");
        assert_eq!(opened.uri(), "https://p.phala/a?b=c");
        assert_eq!(opened.headers()["x-k"], "v");
        assert_eq!(opened.body(), b"body");

        let mut trailers = HeaderMap::new();
        trailers.insert("phala-receipt", "r".parse().unwrap());
        let response = Response::builder().status(404).header("x-l", "w").body(b"answer".to_vec()).unwrap();
        let (back, theirs) = opener.open(&sealer.seal(&response, &trailers).unwrap()).unwrap();
        assert_eq!(back.status(), 404);
        assert_eq!(back.headers()["x-l"], "w");
        assert_eq!(back.body(), b"answer");
        assert_eq!(theirs, trailers);
    }

    #[test]
    fn another_server_and_altered_bytes_do_not_open() {
        let ours = server(1);
        let (bytes, _) = seal_request(&ours.public(), &request()).unwrap();
        assert!(matches!(server(2).open(&bytes), Err(ChannelError::Sealed)));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(ours.open(&altered).is_err(), "byte {at}");
            assert!(ours.open(&bytes[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_useless_transport_key_is_refused() {
        assert!(matches!(seal_request(&[0; 32], &request()), Err(ChannelError::Key)));
    }
}
