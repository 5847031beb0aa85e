//! Messages whose bodies stream: heads are read whole, bodies piece by piece.
//!
//! ```text
//! client                                   worker
//!   Outgoing ── head, body pieces ──►        Incoming: parts(), read_body()
//!   Outgoing::response → IncomingResponse    Incoming::respond → Answering
//!   IncomingResponse ◄── head, body pieces, trailers ── Answering
//! ```

use super::{
    ChannelError,
    framing::{self, FramingError, HEAD_BYTES_MAX, Head, Reader},
    lengths::{REQUEST_HEADER_BYTES, RESPONSE_HEADER_BYTES, WholeLengths},
};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use http::{HeaderMap, request, response};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// Where bytes come from.
pub type BoxRead = Pin<Box<dyn AsyncRead + Send>>;
/// Where bytes go.
pub type BoxWrite = Pin<Box<dyn AsyncWrite + Send>>;

/// How much is read from below at once.
const READ_BYTES: usize = 16 * 1024;

fn unsealed(_: io::Error) -> ChannelError {
    ChannelError::Sealed
}

/// The ohttp library does not name the types of its streams: `T` is one of them, `answer` its method that opens the
/// other direction.
struct Sealed<T, From, To> {
    stream: Pin<Box<T>>,
    answer: fn(&T, From) -> Option<To>,
}

/// A decrypting reader that can also be answered.
trait Request: AsyncRead + Send {
    fn answer(&self, sink: BoxWrite) -> Option<BoxWrite>;
}

/// An encrypting writer whose answer can be read.
trait Conversation: AsyncWrite + Send {
    fn answer(&self, source: BoxRead) -> Option<BoxRead>;
}

impl<T: AsyncRead + Send> Request for Sealed<T, BoxWrite, BoxWrite> {
    fn answer(&self, sink: BoxWrite) -> Option<BoxWrite> {
        (self.answer)(&self.stream, sink)
    }
}

impl<T: AsyncWrite + Send> Conversation for Sealed<T, BoxRead, BoxRead> {
    fn answer(&self, source: BoxRead) -> Option<BoxRead> {
        (self.answer)(&self.stream, source)
    }
}

impl<T: AsyncRead, A, B> AsyncRead for Sealed<T, A, B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_read(cx, out)
    }
}

impl<T: AsyncWrite, A, B> AsyncWrite for Sealed<T, A, B> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_close(cx)
    }
}

/// Where a body stands.
enum Body {
    /// So many bytes of the current piece are left.
    Piece {
        left: u64,
        known: bool,
    },
    /// A length follows.
    Length {
        known: bool,
    },
    /// Only trailers are left.
    Trailers {
        known: bool,
    },
    Done,
}

/// Binary HTTP out of a stream of decrypted bytes.
struct Parser<R> {
    source: R,
    /// Where the source writes; whoever stops waiting for it leaves nothing half-read in `buffer`.
    scratch: Box<[u8]>,
    /// Read from the source, not yet consumed.
    buffer: Vec<u8>,
    ended: bool,
    body: Body,
    trailers: HeaderMap,
}

impl<R: AsyncRead + Unpin> Parser<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            scratch: vec![0; READ_BYTES].into(),
            buffer: Vec::new(),
            ended: false,
            body: Body::Done,
            trailers: HeaderMap::new(),
        }
    }

    async fn more(&mut self) -> Result<(), ChannelError> {
        let read = self.source.read(&mut self.scratch).await.map_err(unsealed)?;
        self.buffer.extend_from_slice(&self.scratch[..read]);
        self.ended |= read == 0;
        Ok(())
    }

    /// Lets `read` try on what is there, with more and more of it, until it is content.
    async fn parse<T>(&mut self, read: impl Fn(&mut Reader<'_>) -> Result<T, FramingError>) -> Result<T, ChannelError> {
        loop {
            // A section that is left out is told from one not yet arrived only by the end of the stream.
            let mut reader = if self.ended { Reader::whole(&self.buffer) } else { Reader::part(&self.buffer) };
            let outcome = read(&mut reader);
            let left = reader.bytes.len();
            match outcome {
                Ok(value) => {
                    let consumed = self.buffer.len() - left;
                    self.buffer.drain(..consumed);
                    return Ok(value);
                }
                Err(FramingError::Truncated) if !self.ended => {
                    if self.buffer.len() > HEAD_BYTES_MAX + READ_BYTES {
                        return Err(FramingError::HeadTooLarge.into());
                    }
                    self.more().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn head(&mut self) -> Result<Head, ChannelError> {
        let (head, known) = self.parse(framing::read_head).await?;
        self.body = Body::Length { known };
        Ok(head)
    }

    /// The next piece of the body; None at its end.
    async fn piece(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        loop {
            match self.body {
                Body::Length { known } => {
                    if self.buffer.is_empty() && !self.ended {
                        self.more().await?;
                    }
                    if self.buffer.is_empty() && self.ended {
                        // RFC 9292 §3.8: a message may end before its empty parts; a known-length one, that is.
                        self.body = Body::Done;
                        return if known { Ok(None) } else { Err(FramingError::Truncated.into()) };
                    }
                    let left = self.varint().await?;
                    self.body = match left {
                        0 => Body::Trailers { known },
                        left => Body::Piece { left, known },
                    };
                }
                Body::Piece { left, known } => {
                    if self.buffer.is_empty() {
                        self.more().await?;
                        if self.ended {
                            return Err(FramingError::Truncated.into());
                        }
                    }
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    let rest = self.buffer.split_off(take);
                    let piece = std::mem::replace(&mut self.buffer, rest);
                    self.body = match left - take as u64 {
                        0 if known => Body::Trailers { known },
                        0 => Body::Length { known },
                        left => Body::Piece { left, known },
                    };
                    return Ok(Some(piece));
                }
                Body::Trailers { known } => {
                    while !self.ended && self.buffer.len() <= HEAD_BYTES_MAX {
                        self.more().await?;
                    }
                    self.trailers = self.parse(|reader| framing::read_fields(reader, known)).await?;
                    self.body = Body::Done;
                }
                Body::Done => return Ok(None),
            }
        }
    }

    async fn varint(&mut self) -> Result<u64, ChannelError> {
        loop {
            let mut reader = Reader::part(&self.buffer);
            match reader.varint() {
                Ok(n) => {
                    let consumed = self.buffer.len() - reader.bytes.len();
                    self.buffer.drain(..consumed);
                    return Ok(n);
                }
                Err(error) if self.ended => return Err(error.into()),
                Err(_) => self.more().await?,
            }
        }
    }
}

/// A chunked request, at the worker: its head is here, its body is yet to come.
pub struct Incoming {
    parser: Parser<Pin<Box<dyn Request>>>,
    parts: Option<request::Parts>,
}

impl Incoming {
    pub(super) async fn open(server: ohttp::Server, source: BoxRead) -> Result<Self, ChannelError> {
        let stream = Box::pin(server.decapsulate_stream(WholeLengths::new(source, REQUEST_HEADER_BYTES)));
        let request =
            Sealed { stream, answer: |stream, sink: BoxWrite| Some(Box::pin(stream.response(sink).ok()?) as BoxWrite) };
        let mut parser = Parser::new(Box::pin(request) as Pin<Box<dyn Request>>);
        match parser.head().await? {
            Head::Request(parts) => Ok(Self { parser, parts: Some(parts) }),
            Head::Response(_) => Err(FramingError::Kind.into()),
        }
    }

    /// The request's head; None when it was taken before.
    pub const fn take_parts(&mut self) -> Option<request::Parts> {
        self.parts.take()
    }

    /// The next piece of the body; None at its end. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        self.parser.piece().await
    }

    /// Starts the response, written to `sink`. May be called while the request's body is still arriving.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] if the library refuses; it does not once a head was read.
    pub fn respond(&self, sink: BoxWrite) -> Result<Writer, ChannelError> {
        self.parser.source.answer(sink).map(Writer).ok_or(ChannelError::Sealed)
    }
}

/// Writes one message: head, pieces, end.
pub struct Writer<W = BoxWrite>(W);

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn put(&mut self, bytes: &[u8]) -> Result<(), ChannelError> {
        self.0.write_all(bytes).await.map_err(unsealed)?;
        self.0.flush().await.map_err(unsealed)
    }

    /// Writes a response's head.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn response(&mut self, parts: &response::Parts) -> Result<(), ChannelError> {
        let mut out = Vec::new();
        framing::put_response_head(&mut out, parts, false);
        self.put(&out).await
    }

    /// Writes a request's head.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn request(&mut self, parts: &request::Parts) -> Result<(), ChannelError> {
        let mut out = Vec::new();
        framing::put_request_head(&mut out, parts, false);
        self.put(&out).await
    }

    /// Writes a piece of the body.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn piece(&mut self, piece: &[u8]) -> Result<(), ChannelError> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut out = Vec::with_capacity(piece.len() + 8);
        framing::put_chunk(&mut out, piece);
        self.put(&out).await
    }

    /// Ends the message with `trailers`.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn finish(&mut self, trailers: &HeaderMap) -> Result<(), ChannelError> {
        let mut out = Vec::new();
        framing::put_end(&mut out, trailers);
        self.0.write_all(&out).await.map_err(unsealed)?;
        self.0.close().await.map_err(unsealed)
    }
}

/// A chunked request, at the client.
pub struct Outgoing(Writer<Pin<Box<dyn Conversation>>>);

impl Outgoing {
    pub(super) fn start(client: ohttp::ClientRequest, sink: BoxWrite) -> Result<Self, ChannelError> {
        let stream = Box::pin(client.encapsulate_stream(sink).map_err(|_| ChannelError::Key)?);
        let request = Sealed {
            stream,
            answer: |stream, source: BoxRead| Some(Box::pin(stream.response(source).ok()?) as BoxRead),
        };
        Ok(Self(Writer(Box::pin(request) as Pin<Box<dyn Conversation>>)))
    }

    /// Writes the request's head.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn request(&mut self, parts: &request::Parts) -> Result<(), ChannelError> {
        self.0.request(parts).await
    }

    /// Writes a piece of the request's body.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn piece(&mut self, piece: &[u8]) -> Result<(), ChannelError> {
        self.0.piece(piece).await
    }

    /// Ends the request.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] when the other side is gone.
    pub async fn finish(&mut self) -> Result<(), ChannelError> {
        self.0.finish(&HeaderMap::new()).await
    }

    /// Opens the response that arrives from `source`. May be called before the request has ended.
    ///
    /// # Errors
    /// [`ChannelError::Sealed`] if the library refuses; it does not.
    pub fn response(&self, source: BoxRead) -> Result<IncomingResponse, ChannelError> {
        let source = Box::pin(WholeLengths::new(source, RESPONSE_HEADER_BYTES));
        let inner = self.0.0.answer(source).ok_or(ChannelError::Sealed)?;
        Ok(IncomingResponse(Parser::new(inner)))
    }
}

/// A chunked response, at the client.
pub struct IncomingResponse(Parser<BoxRead>);

impl IncomingResponse {
    /// Reads the head. To be called once, first.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn head(&mut self) -> Result<response::Parts, ChannelError> {
        match self.0.head().await? {
            Head::Response(parts) => Ok(parts),
            Head::Request(_) => Err(FramingError::Kind.into()),
        }
    }

    /// The next piece of the body; None at its end. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        self.0.piece().await
    }

    /// The trailers; known once the body has ended.
    pub const fn trailers(&self) -> &HeaderMap {
        &self.0.trailers
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Server, start_chunked};
    use super::*;
    use crate::Secret;
    use futures::{FutureExt, channel::mpsc, executor::block_on, future::join, io::Cursor};
    use futures::{SinkExt, StreamExt, TryStreamExt};
    use http::{Request as HttpRequest, Response as HttpResponse};

    /// A pipe whose pieces arrive one by one.
    fn pipe() -> (BoxWrite, BoxRead) {
        let (tx, rx) = mpsc::channel::<Vec<u8>>(1);
        let sink = tx.sink_map_err(io::Error::other).into_async_write_vec();
        (Box::pin(sink), Box::pin(rx.map(io::Result::Ok).into_async_read()))
    }

    trait IntoAsyncWriteVec: Sized {
        fn into_async_write_vec(self) -> VecWrite<Self> {
            VecWrite(self)
        }
    }
    impl<S: futures::Sink<Vec<u8>, Error = io::Error>> IntoAsyncWriteVec for S {}
    struct VecWrite<S>(S);
    impl<S: futures::Sink<Vec<u8>, Error = io::Error> + Unpin> AsyncWrite for VecWrite<S> {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            futures::ready!(self.0.poll_ready_unpin(cx))?;
            // One byte short, so that readers see pieces that do not end where messages end.
            let take = bytes.len().min(7);
            self.0.start_send_unpin(bytes[..take].to_vec())?;
            Poll::Ready(Ok(take))
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_flush_unpin(cx)
        }
        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_close_unpin(cx)
        }
    }

    #[test]
    fn both_bodies_stream_at_once() {
        let server = Server::new(&Secret::new([1; 32])).unwrap();
        let (up_in, up_out) = pipe();
        let (down_in, down_out) = pipe();
        let client = async {
            let mut out = start_chunked(&server.public(), up_in).unwrap();
            let parts = HttpRequest::post("https://p.phala/echo").header("a", "b").body(()).unwrap().into_parts().0;
            out.request(&parts).await.unwrap();
            let mut back = out.response(down_out).unwrap();
            // The pipe holds next to nothing: whoever only writes, and whoever only reads, waits for ever.
            let (sent, head) = join(out.piece(b"one"), back.head()).await;
            sent.unwrap();
            assert_eq!(head.unwrap().status, 201);
            // The echo of the first piece arrives before the second is sent.
            let mut first = Vec::new();
            while first.len() < 3 {
                first.extend(back.piece().await.unwrap().unwrap());
            }
            assert_eq!(first, b"one");
            let send = async {
                out.piece(&[7; 40_000]).await.unwrap();
                out.finish().await.unwrap();
            };
            let receive = async {
                let mut rest = Vec::new();
                while let Some(piece) = back.piece().await.unwrap() {
                    rest.extend(piece);
                }
                rest
            };
            let ((), rest) = join(send, receive).await;
            assert_eq!(rest, vec![7; 40_000]);
            assert_eq!(back.trailers()["t"], "u");
        };
        let worker = async {
            let mut request = server.open_chunked(up_out).await.unwrap();
            let parts = request.take_parts().unwrap();
            assert_eq!(parts.uri, "https://p.phala/echo");
            let mut answer = request.respond(down_in).unwrap();
            answer.response(&HttpResponse::builder().status(201).body(()).unwrap().into_parts().0).await.unwrap();
            while let Some(piece) = request.piece().await.unwrap() {
                answer.piece(&piece).await.unwrap();
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("t", "u".parse().unwrap());
            answer.finish(&trailers).await.unwrap();
        };
        block_on(join(client, worker));
    }

    #[test]
    fn a_cut_or_altered_stream_is_never_taken_for_a_whole_one() {
        let server = Server::new(&Secret::new([1; 32])).unwrap();
        let (sink, source) = pipe();
        let send = async {
            let mut out = start_chunked(&server.public(), sink).unwrap();
            let parts = HttpRequest::post("https://p.phala/").body(()).unwrap().into_parts().0;
            out.request(&parts).await.unwrap();
            out.piece(b"body").await.unwrap();
            out.finish().await.unwrap();
        };
        let mut bytes = Vec::new();
        let mut source = source;
        block_on(join(send, source.read_to_end(&mut bytes).map(|r| r.unwrap())));
        let read = |bytes: Vec<u8>| {
            block_on(async {
                let mut request = server.open_chunked(Box::pin(Cursor::new(bytes))).await?;
                let mut body = Vec::new();
                while let Some(piece) = request.piece().await? {
                    body.extend(piece);
                }
                Ok::<_, ChannelError>(body)
            })
        };
        assert_eq!(read(bytes.clone()).unwrap(), b"body");
        for at in 0..bytes.len() {
            assert!(read(bytes[..at].to_vec()).is_err(), "cut at {at}");
            let mut altered = bytes.clone();
            altered[at] ^= 0x01;
            assert!(read(altered).is_err(), "altered at {at}");
        }
    }
}
