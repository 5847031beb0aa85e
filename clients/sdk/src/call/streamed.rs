//! Answers that stream: chunked OHTTP.

use super::{CallError, Query, RESTART_TIMEOUT, Service, parse_receipt, refuse_problem, response_head};
use crate::Client;
use futures::{AsyncWrite, TryStreamExt};
use http::response;
use phala_crypto::channel;
use phala_messages::{Hash, ProgramId, SignedReceipt, WorkerRecord, query::ERROR_FIELD, transcript::Transcript};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

impl Client {
    /// Asks `program`; its answer streams. See [`Streamed`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn stream(&self, program: &ProgramId, query: &Query) -> Result<Streamed, CallError> {
        let mut service = self.service(program).await?;
        let deadline = Instant::now() + RESTART_TIMEOUT;
        loop {
            let (parts, body, request) = self.sign(&service, query)?;
            let sink = Sink::default();
            let key = service.worker.registration.transport.0;
            let mut outgoing = channel::start_chunked(&key, Box::pin(sink.clone()))?;
            outgoing.request(&parts).await?;
            outgoing.piece(&body).await?;
            outgoing.finish().await?;
            let begun = async {
                let reply = self.post(&service, channel::CHUNKED_REQUEST_TYPE, sink.take()).await?;
                let source = reply.bytes_stream().map_err(io::Error::other).into_async_read();
                let mut incoming = outgoing.response(Box::pin(source))?;
                let head = incoming.head().await?;
                Streamed::begin(service.clone(), request, head, incoming).await
            };
            match begun.await {
                Ok(streamed) => return Ok(streamed),
                Err(error) => service = self.when_it_is_back(&service, error, deadline).await?,
            }
        }
    }
}

/// An answer that streams. Its pieces are not verified until [`Streamed::finish`] says so: the receipt comes last.
pub struct Streamed {
    /// Status and headers.
    pub head: response::Parts,
    service: Service,
    request: Hash,
    transcript: Transcript,
    incoming: channel::streaming::IncomingResponse,
}

impl Streamed {
    async fn begin(
        service: Service,
        request: Hash,
        head: response::Parts,
        mut incoming: channel::streaming::IncomingResponse,
    ) -> Result<Self, CallError> {
        if head.headers.contains_key(ERROR_FIELD) {
            let mut body = Vec::new();
            while let Some(piece) = incoming.piece().await? {
                body.extend(piece);
            }
            refuse_problem(head.status.as_u16(), &head.headers, &body)?;
        }
        let transcript = response_head(head.status.as_u16(), &head.headers);
        Ok(Self { head, service, request, transcript, incoming })
    }

    /// The next piece of the body; None at its end.
    ///
    /// # Errors
    /// [`CallError::Channel`].
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let piece = self.incoming.piece().await?;
        if let Some(piece) = &piece {
            self.transcript.body(piece);
        }
        Ok(piece)
    }

    /// Reads what is left and verifies the whole answer.
    ///
    /// # Errors
    /// [`CallError`]: then none of the pieces may be believed.
    pub async fn finish(mut self, client: &Client) -> Result<(SignedReceipt, WorkerRecord), CallError> {
        while self.piece().await?.is_some() {}
        let receipt = parse_receipt(self.incoming.trailers())?;
        client.check(&receipt, &self.service, self.request, self.transcript.finish()).await?;
        Ok((receipt, self.service.worker))
    }
}

/// Where a chunked request is written before it is posted.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
