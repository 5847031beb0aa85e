//! Queries whose bodies stream, both ways.
//!
//! ```text
//! pieces of the request ──► hash ──► program ──► hash ──► pieces of the response
//!                                                             └► end: trailer with the receipt
//! ```
//! The receipt covers the whole request: pieces that the program does not care to read are still taken and
//! hashed. A signed request is taken whole before the program sees it, for its signature covers its body.
//!
//! # Properties
//! - A response that breaks off never looks complete: its stream ends without the sealed end.
//! - Whoever drops the stream stops the program.

use crate::{
    command::problem_response,
    problem::Problem,
    programs::call_problem,
    query::{Running, channel_problem, is_reserved},
    receipts, transcripts,
    view::View,
    worker::Worker,
};
use bytes::Bytes;
use futures::{
    AsyncWrite, SinkExt, Stream, StreamExt,
    channel::mpsc,
    future::{Either, join, select},
};
use http::{HeaderMap, request};
use http_body_util::{BodyExt, StreamBody};
use phala_crypto::channel::streaming::{BoxRead, BoxWrite, Incoming, Writer};
use phala_engine::{Body, BodyError};
use phala_messages::{
    Hash,
    limits::QUERY_BODY_BYTES_MAX,
    query::{AUTHORIZATION_FIELD, ERROR_FIELD},
    transcript::Transcript,
};
use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

/// Sealed pieces under way to the caller.
const PIECES_MAX: usize = 4;
/// How long the rest of a request may take after the program has ended.
const REST_MS_MAX: u64 = 10_000;

/// The sealed response, piece by piece. Dropping it stops the program.
pub struct Chunks {
    pieces: mpsc::Receiver<Bytes>,
    task: tokio::task::JoinHandle<()>,
}

impl Stream for Chunks {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.pieces.poll_next_unpin(cx)
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where sealed bytes go.
struct Sink(mpsc::Sender<Bytes>);

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.0.poll_ready(cx)).map_err(io::Error::other)?;
        self.0.start_send(Bytes::copy_from_slice(bytes)).map_err(io::Error::other)?;
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

/// How a streamed response ended early.
enum Broken {
    /// Before its head: this can be said.
    Early(Problem),
    /// After its head: the stream is cut.
    Late(Problem),
    /// Whoever asked has gone.
    Gone,
}

impl Worker {
    /// Answers a request that streams in with a response that streams out.
    ///
    /// # Errors
    /// What stands in the way before the request's head has opened; everything later is said inside the channel.
    pub async fn query_chunked(self: Arc<Self>, source: BoxRead) -> Result<Chunks, Problem> {
        let opened = self.open_chunked(source).await;
        let (view, incoming, parts) = match opened {
            Ok(opened) => opened,
            Err(problem) => {
                self.metrics.refused.fetch_add(1, Ordering::Relaxed);
                return Err(problem);
            }
        };
        let (pieces_in, pieces) = mpsc::channel(PIECES_MAX);
        let writer =
            incoming.respond(Box::pin(Sink(pieces_in)) as BoxWrite).map_err(|error| channel_problem(&error))?;
        let task = tokio::spawn(async move { self.converse(view, parts, incoming, writer).await });
        Ok(Chunks { pieces, task })
    }

    async fn open_chunked(&self, source: BoxRead) -> Result<(Arc<View>, Incoming, request::Parts), Problem> {
        let view = self.view();
        self.may_serve(&view)?;
        let mut incoming =
            self.identity.channel().open_chunked(source).await.map_err(|error| channel_problem(&error))?;
        let parts = incoming.take_parts().ok_or(Problem::Sealed)?;
        Ok((view, incoming, parts))
    }

    async fn converse(&self, view: Arc<View>, parts: request::Parts, incoming: Incoming, mut writer: Writer) {
        let whole = parts.headers.contains_key(AUTHORIZATION_FIELD) || is_reserved(&parts);
        let done = if whole {
            self.converse_whole(&view, parts, incoming, &mut writer).await
        } else {
            self.converse_streaming(&view, parts, incoming, &mut writer).await
        };
        match done {
            Ok(()) => {
                self.metrics.queries.fetch_add(1, Ordering::Relaxed);
            }
            Err(Broken::Early(problem)) => {
                self.metrics.problems.fetch_add(1, Ordering::Relaxed);
                let (head, body) = problem_response(&problem).into_parts();
                // Nobody is left to tell when this fails, too.
                drop(say_all(&mut writer, &head, &body, &HeaderMap::new()).await);
            }
            Err(Broken::Late(problem)) => {
                self.metrics.problems.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(problem = problem.slug(), "a streamed answer broke off");
            }
            Err(Broken::Gone) => {}
        }
    }

    /// The request has to be whole before anything is done with it.
    async fn converse_whole(
        &self,
        view: &View,
        parts: request::Parts,
        mut incoming: Incoming,
        writer: &mut Writer,
    ) -> Result<(), Broken> {
        let mut body = Vec::new();
        while let Some(piece) = incoming.piece().await.map_err(|error| Broken::Early(channel_problem(&error)))? {
            if (body.len() + piece.len()) as u64 > QUERY_BODY_BYTES_MAX {
                return Err(Broken::Early(Problem::body_too_large()));
            }
            body.extend_from_slice(&piece);
        }
        let body = Bytes::from(body);
        let (query, hash) = self.judge_whole(parts, &body).map_err(Broken::Early)?;
        if is_reserved(&query.inner().parts) {
            let response = self.reserved(view, &query).await.map_err(Broken::Early)?;
            let (head, body) = response.into_parts();
            return say_all(writer, &head, &body, &HeaderMap::new()).await;
        }
        let running = self.call(view, query, phala_engine::whole_body(body)).await.map_err(Broken::Early)?;
        self.speak(running, writer, std::future::ready(Some(hash))).await
    }

    async fn converse_streaming(
        &self,
        view: &View,
        parts: request::Parts,
        incoming: Incoming,
        writer: &mut Writer,
    ) -> Result<(), Broken> {
        let transcript = transcripts::request(&parts);
        let query = self.judge_streaming(parts).map_err(Broken::Early)?;
        let (pieces_in, pieces) = mpsc::channel(1);
        let body: Body =
            StreamBody::new(pieces.map(|piece: Result<Bytes, BodyError>| piece.map(http_body::Frame::data)))
                .boxed_unsync();
        let (hash_in, hash) = futures::channel::oneshot::channel();
        let pump = async move {
            if let Some(hash) = pump(incoming, transcript, pieces_in).await {
                // Whoever spoke may have gone.
                let _ = hash_in.send(hash);
            }
        };
        let speak = async {
            let running = self.call(view, query, body).await.map_err(Broken::Early)?;
            let rest = async {
                match select(hash, self.ports.clock.sleep(REST_MS_MAX)).await {
                    Either::Left((hash, _)) => hash.ok(),
                    Either::Right(_) => None,
                }
            };
            self.speak(running, writer, rest).await
        };
        // The pump ends with the request; a speaker that fails ends both.
        match select(std::pin::pin!(pump), std::pin::pin!(speak)).await {
            Either::Left(((), speak)) => speak.await,
            Either::Right((done, _)) => done,
        }
    }

    /// Says what the program says, then signs. `request` is the request's hash, once it is known.
    async fn speak(
        &self,
        running: Running,
        writer: &mut Writer,
        request: impl Future<Output = Option<Hash>>,
    ) -> Result<(), Broken> {
        let Running { answer, facts, _place } = running;
        let (mut head, mut body) = answer.response.into_parts();
        head.headers.remove(ERROR_FIELD);
        let mut transcript = transcripts::response(&head);
        writer.response(&head).await.map_err(|_| Broken::Gone)?;
        // As for whole answers: a ready body must not look unready.
        while let Some(frame) = tokio::task::unconstrained(body.frame()).await {
            let frame = frame.map_err(|error| {
                Broken::Late(match error {
                    BodyError::Call(error) => call_problem(error),
                    error => Problem::NoAnswer(error.to_string()),
                })
            })?;
            if let Ok(piece) = frame.into_data() {
                transcript.body(&piece);
                writer.piece(&piece).await.map_err(|_| Broken::Gone)?;
            }
        }
        drop(body);
        let (outcome, request) = join(answer.outcome, request).await;
        outcome.map_err(|error| Broken::Late(call_problem(error)))?;
        let request = request.ok_or(Broken::Late(Problem::Malformed("the request's body did not arrive")))?;
        let receipt = self.receipt(facts, request, transcript.finish());
        writer.finish(&receipts::trailers(&receipt)).await.map_err(|_| Broken::Gone)
    }
}

/// Takes the request's body to its end, hashes it, and hands it to the program for as long as that reads. The hash,
/// if the body came whole and within its limit.
async fn pump(
    mut incoming: Incoming,
    mut transcript: Transcript,
    mut program: mpsc::Sender<Result<Bytes, BodyError>>,
) -> Option<Hash> {
    let mut bytes = 0u64;
    loop {
        let piece = match incoming.piece().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Some(transcript.finish()),
            Err(error) => {
                // A program that does not read any more need not know.
                drop(program.send(Err(BodyError::Broken(error.to_string()))).await);
                return None;
            }
        };
        bytes += piece.len() as u64;
        if bytes > QUERY_BODY_BYTES_MAX {
            drop(program.send(Err(BodyError::TooLarge(QUERY_BODY_BYTES_MAX))).await);
            return None;
        }
        transcript.body(&piece);
        // The same: the rest is hashed all the same.
        drop(program.send(Ok(piece.into())).await);
    }
}

async fn say_all(
    writer: &mut Writer,
    head: &http::response::Parts,
    body: &Bytes,
    trailers: &HeaderMap,
) -> Result<(), Broken> {
    writer.response(head).await.map_err(|_| Broken::Gone)?;
    writer.piece(body).await.map_err(|_| Broken::Gone)?;
    writer.finish(trailers).await.map_err(|_| Broken::Gone)
}
