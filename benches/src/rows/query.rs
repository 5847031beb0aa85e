//! Sealed queries to a network of real processes, against the same component in a bare host over plain HTTP.

use crate::{
    Effort,
    guest::Component,
    load::{self, Outcome, Pace, Prepared},
    network::Network,
    table::{Figure, Goal, Row},
};
use anyhow::{Context, ensure};
use bytes::Bytes;
use phala_crypto::channel::{REQUEST_TYPE, ResponseOpener, seal_request};
use phala_messages::{ProgramId, receipt::RECEIPT_FIELD};
use phala_sdk::{Client, Query};
use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::Path,
    process::{Child, Command, Stdio},
};
use tokio::runtime::Runtime;

/// Connections, and how many requests they send together.
const LEVELS: [(usize, usize); 3] = [(1, 3_000), (64, 20_000), (1_000, 20_000)];
/// Requests per second that are offered when the machine is not saturated.
const OFFERED_PER_SECOND: f64 = 1_000.0;
/// Answers of each load that are opened and looked at.
const OPENED_MAX: usize = 1_000;

/// A bare host in a process of its own.
struct BareHost {
    child: Child,
    address: SocketAddr,
}

impl BareHost {
    fn start(component: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("bare")
            .arg(component)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the bare host does not start")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the bare host has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.trim().parse().context("the bare host named no port")?;
        Ok(Self { child, address: (Ipv4Addr::LOCALHOST, port).into() })
    }
}

impl Drop for BareHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The two sides, and how they are asked.
struct Sides<'a> {
    runtime: &'a Runtime,
    worker: SocketAddr,
    bare: BareHost,
    program: ProgramId,
    transport: [u8; 32],
    body: Bytes,
}

/// Measures.
pub fn measure(
    runtime: &Runtime,
    component: &Component,
    bin: Option<&Path>,
    effort: Effort,
) -> anyhow::Result<Vec<Row>> {
    let network = Network::up(bin)?;
    let program = network.deploy(&component.path)?;
    let body = Bytes::from(vec![b'x'; 1_024]);
    let first = runtime.block_on(async {
        let client = Client::connect(network.dir()).await?;
        anyhow::Ok(client.call(&program, &Query::post("/echo", body.clone())).await?)
    })?;
    ensure!(*first.response.body() == *body, "the program does not echo");
    let registration = &first.worker.registration;
    let endpoint = String::from_utf8_lossy(&registration.endpoint).into_owned();
    let worker =
        endpoint.trim_start_matches("http://").to_socket_addrs()?.next().context("the worker has no address")?;
    let bare = BareHost::start(&component.path)?;
    let sides = Sides { runtime, worker, bare, program, transport: registration.transport.0, body };

    let mut rows = Vec::new();
    for (connections, requests) in LEVELS {
        let requests = effort.scale(requests).max(connections);
        sides.ours(requests.div_ceil(10), connections.min(64), Pace::Saturate)?;
        let ours = sides.ours(requests, connections, Pace::Saturate)?;
        sides.peer(requests.div_ceil(10), connections.min(64), Pace::Saturate)?;
        let peer = sides.peer(requests, connections, Pace::Saturate)?;
        rows.extend(saturated(connections, &ours, &peer));
    }
    let (connections, requests) = (1_000, effort.scale(10_000));
    let ours = sides.ours(requests, connections, Pace::PerSecond(OFFERED_PER_SECOND))?;
    let peer = sides.peer(requests, connections, Pace::PerSecond(OFFERED_PER_SECOND))?;
    let what = format!("p99, {connections} connections, {OFFERED_PER_SECOND:.0} requests/s offered");
    rows.push(
        Row::beside(what, ours.p99, ("bare host", peer.p99.into()), Goal::AtMost(Figure::Seconds(0.020)))
            .note("requests arrive at their own pace; an answer's time counts from when its request was due"),
    );
    Ok(rows)
}

/// The rows of one level of saturation.
fn saturated(connections: usize, ours: &Outcome, peer: &Outcome) -> Vec<Row> {
    let at = |what: &str| format!("{what}, {connections} connection{}", if connections == 1 { "" } else { "s" });
    let rate = |outcome: &Outcome| Figure::RequestsPerSecond(outcome.rate);
    let beside = |figure| ("bare host", figure);
    let p99_goal = if connections == 1_000 { Goal::AtMost(Figure::Seconds(0.020)) } else { Goal::None };
    let mut rows = vec![
        Row::beside(at("requests"), rate(ours), beside(rate(peer)), Goal::RatioAtLeast(0.7)),
        Row::beside(at("p50"), ours.p50, beside(peer.p50.into()), Goal::None),
        Row::beside(at("p99"), ours.p99, beside(peer.p99.into()), p99_goal),
    ];
    if connections == 64 {
        rows.insert(
            1,
            Row::beside(
                at("requests"),
                rate(ours),
                beside(rate(peer)),
                Goal::AtLeast(Figure::RequestsPerSecond(5_000.0)),
            ),
        );
    }
    if connections == 1_000
        && let Some(last) = rows.pop()
    {
        rows.push(last.note(
            "saturated: every connection waits for all others, so 1,000 divided by the rate is the least it can be",
        ));
    }
    rows
}

impl Sides<'_> {
    /// Asks the worker, sealed.
    fn ours(&self, requests: usize, connections: usize, pace: Pace) -> anyhow::Result<Outcome> {
        let mut prepared = Vec::with_capacity(requests);
        let mut openers: Vec<Option<ResponseOpener>> = Vec::with_capacity(requests);
        let request = Query::post("/echo", self.body.clone()).to_request(&self.program)?;
        for _ in 0..requests {
            let (sealed, opener) = seal_request(&self.transport, &request)?;
            prepared.push(Prepared { path: "/v1/query", content_type: REQUEST_TYPE, body: sealed.into() });
            openers.push(Some(opener));
        }
        let outcome =
            self.runtime.block_on(load::run(self.worker, prepared, connections, pace)).context("the worker")?;
        for (number, answer) in outcome.answers.iter().take(OPENED_MAX) {
            let opener = openers[*number].take().context("a request was answered twice")?;
            let (response, trailers) = opener.open(answer)?;
            ensure!(response.status() == 200, "the program answered {}", response.status());
            ensure!(
                *response.body() == *self.body && trailers.contains_key(RECEIPT_FIELD),
                "an echo came back altered"
            );
        }
        Ok(outcome)
    }

    /// Asks the bare host, plain.
    fn peer(&self, requests: usize, connections: usize, pace: Pace) -> anyhow::Result<Outcome> {
        let prepared = Prepared { path: "/echo", content_type: "application/octet-stream", body: self.body.clone() };
        let prepared = vec![prepared; requests];
        let outcome = self
            .runtime
            .block_on(load::run(self.bare.address, prepared, connections, pace))
            .context("the bare host")?;
        ensure!(
            outcome.answers.iter().take(OPENED_MAX).all(|(_, answer)| *answer == self.body),
            "an echo came back altered"
        );
        Ok(outcome)
    }
}
