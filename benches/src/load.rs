//! The load: many connections that send prepared requests and note how long each answer took.
//!
//! Requests are prepared (sealed) before the clock starts and answers are judged (opened) after it has stopped,
//! so that the load costs the machine the same whether they are sealed or not.

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::Barrier};

/// A request, ready to be sent any number of times.
#[derive(Clone)]
pub struct Prepared {
    /// Path.
    pub path: &'static str,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// What came of a load.
pub struct Outcome {
    /// Answers per second.
    pub rate: f64,
    /// Half of the answers were there by then.
    pub p50: Duration,
    /// 99 of 100 answers were there by then.
    pub p99: Duration,
    /// The answers, by the number of their request.
    pub answers: Vec<(usize, Bytes)>,
}

/// How requests are spread over time.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Each connection sends as soon as it has its answer.
    Saturate,
    /// So many requests per second over all connections, whether answers come or not; an answer's time counts
    /// from when its request was due.
    PerSecond(f64),
}

/// Lets this process hold thousands of connections. Where that is refused, connecting will say so.
pub fn allow_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The time by which `percent` of the sorted `times` are done.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let at = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(at).copied().unwrap_or_default()
}

struct Shared {
    requests: Vec<Prepared>,
    next: AtomicUsize,
    pace: Pace,
    start: Barrier,
}

/// Sends every request once, over so many connections.
pub async fn run(
    address: SocketAddr,
    requests: Vec<Prepared>,
    connections: usize,
    pace: Pace,
) -> anyhow::Result<Outcome> {
    let total = requests.len();
    let shared = Arc::new(Shared { requests, next: AtomicUsize::new(0), pace, start: Barrier::new(connections + 1) });
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connection = connect(address).await?;
        tasks.push(tokio::spawn(work(shared.clone(), connection, address)));
    }
    shared.start.wait().await;
    let began = Instant::now();
    let (mut times, mut answers) = (Vec::with_capacity(total), Vec::with_capacity(total));
    for task in tasks {
        for (number, time, answer) in task.await.context("a connection's task ended early")?? {
            times.push(time);
            answers.push((number, answer));
        }
    }
    let took = began.elapsed();
    ensure!(times.len() == total, "{} of {total} requests were answered", times.len());
    times.sort_unstable();
    Ok(Outcome {
        rate: total as f64 / took.as_secs_f64(),
        p50: percentile(&times, 50),
        p99: percentile(&times, 99),
        answers,
    })
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("no connection to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

type Answered = (usize, Duration, Bytes);

async fn work(
    shared: Arc<Shared>,
    mut connection: SendRequest<Full<Bytes>>,
    address: SocketAddr,
) -> anyhow::Result<Vec<Answered>> {
    let mut answered = Vec::new();
    shared.start.wait().await;
    let began = Instant::now();
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(prepared) = shared.requests.get(number) else { return Ok(answered) };
        let mut due = Instant::now();
        if let Pace::PerSecond(rate) = shared.pace {
            due = began + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let request = Request::post(prepared.path)
            .header(header::HOST, address.to_string())
            .header(header::CONTENT_TYPE, prepared.content_type)
            .body(Full::new(prepared.body.clone()))?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        answered.push((number, due.elapsed(), body));
        if status != StatusCode::OK {
            bail!("request {number} was answered with {status}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
