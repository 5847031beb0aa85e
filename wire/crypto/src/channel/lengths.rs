//! A source whose chunk lengths arrive whole.
//!
//! A chunked message is a header, then chunks: a length (varint, RFC 9000 §16), then so many sealed bytes; length 0
//! begins the last. The ohttp library (0.8.0) forgets the first byte of a length when the rest is not there yet, takes
//! it for 0 and waits for the end of the stream. Networks cut where they like, so a length is held back here until
//! all of it has arrived.

use super::streaming::BoxRead;
use futures::AsyncRead;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A request's header: key identifier, KEM, KDF, AEAD (7), encapsulated X25519 key (32).
pub(super) const REQUEST_HEADER_BYTES: u64 = 39;
/// A response's header: the nonce, as long as the key of AES-128-GCM, which our clients choose.
pub(super) const RESPONSE_HEADER_BYTES: u64 = 16;

/// What comes next.
enum Next {
    /// So many bytes that pass as they come.
    Bytes(u64),
    /// The rest passes as it comes.
    Rest,
    /// A length, of which `have` bytes are here and `given` were passed on.
    Length { bytes: [u8; 8], have: usize, given: usize },
}

impl Next {
    const LENGTH: Self = Self::Length { bytes: [0; 8], have: 0, given: 0 };
}

/// See the module.
pub(super) struct WholeLengths {
    source: BoxRead,
    next: Next,
}

impl WholeLengths {
    pub(super) fn new(source: BoxRead, header_bytes: u64) -> Self {
        Self { source, next: Next::Bytes(header_bytes) }
    }
}

impl AsyncRead for WholeLengths {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { source, next } = &mut *self;
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match next {
            Next::Rest => source.as_mut().poll_read(cx, out),
            Next::Bytes(left) => {
                let take = out.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let read = ready!(source.as_mut().poll_read(cx, &mut out[..take]))?;
                *left -= read as u64;
                if *left == 0 {
                    *next = Next::LENGTH;
                }
                Poll::Ready(Ok(read))
            }
            Next::Length { bytes, have, given } => {
                let size = loop {
                    let size = if *have == 0 { 1 } else { 1 << (bytes[0] >> 6) };
                    if *have > 0 && *have == size {
                        break size;
                    }
                    match ready!(source.as_mut().poll_read(cx, &mut bytes[*have..size]))? {
                        0 => return Poll::Ready(Ok(0)),
                        read => *have += read,
                    }
                };
                let take = out.len().min(size - *given);
                out[..take].copy_from_slice(&bytes[*given..*given + take]);
                *given += take;
                if *given == size {
                    // The first two bits said how long the length is.
                    let first = u64::from(bytes[0] & 0x3f);
                    *next = match bytes[1..size].iter().fold(first, |n, byte| n << 8 | u64::from(*byte)) {
                        0 => Next::Rest,
                        length => Next::Bytes(length),
                    };
                }
                Poll::Ready(Ok(take))
            }
        }
    }
}
