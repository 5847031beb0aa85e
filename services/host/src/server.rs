//! Sockets: accepting connections, and ending them gracefully.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};

/// Connections at once.
const CONNECTIONS_MAX: usize = 8_192;
/// How long a request's head may take; also how long a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests under way may take once the process stops.
const GRACE: Duration = Duration::from_secs(10);

/// What a service answers with.
pub type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Whoever answers requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one.
    fn serve(&self, request: Request<Incoming>) -> BoxFuture<'_, Answer>;
}

/// Serves until `stop` resolves, then lets requests under way finish.
pub async fn serve(listener: TcpListener, service: Arc<impl Service>, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(64).pipeline_flush(true);
    loop {
        let place = places.clone().acquire_owned();
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        let (Ok(place), Ok((socket, _))) = accepted else {
            // Out of file descriptors, most likely: let some close first.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Answers are small; whoever waits for one should not wait for more.
        let _ = socket.set_nodelay(true);
        let service = service.clone();
        let connection = http.serve_connection(
            TokioIo::new(socket),
            service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(service.serve(request).await) }
            }),
        );
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks concerns nobody but its other end.
            let _ = connection.await;
            drop(place);
        });
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}
