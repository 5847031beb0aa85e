//! Stopping a network: nobody is left, and no port.

use super::{Layout, ports, processes};
use crate::{
    failure::{Failure, Outcome},
    output::Report,
};
use nix::sys::signal::Signal;
use phala_sdk::Network;
use std::time::{Duration, Instant};

/// How long the supervisor may take to end its network before it is done for it.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(30);

/// Stops whatever runs in `layout`; answers who was stopped. Stopping a network that does not run is no error.
pub fn stop(layout: &Layout, report: &dyn Report) -> Outcome<Vec<String>> {
    let found = processes::of_network(layout);
    let mut roles: Vec<_> = found.iter().map(|process| process.role.clone()).collect();
    if let Some(supervisor) = found.iter().find(|process| process.role == "supervisor") {
        report.step("waiting for the supervisor to end the network");
        supervisor.signal(Signal::SIGTERM);
        let deadline = Instant::now() + SUPERVISOR_TIMEOUT;
        while supervisor.is_alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    // Whoever is left has lost its supervisor. Someone may have been started while we were looking: look again.
    for _ in 0..5 {
        let left = processes::of_network(layout);
        if left.is_empty() {
            break;
        }
        report.step(&format!("ending {} processes", left.len()));
        processes::end(&left, || {});
        roles.extend(left.into_iter().map(|process| process.role));
    }
    let left = processes::of_network(layout);
    if !left.is_empty() {
        let list: Vec<_> = left.iter().map(|process| format!("{} ({})", process.role, process.pid)).collect();
        return Err(Failure::new(
            format!("these processes do not end: {}", list.join(", ")),
            "are they in a debugger, or waiting for a disk that does not answer?",
        ));
    }
    let _ = std::fs::remove_file(layout.processes());
    if !roles.is_empty() {
        await_closed_ports(layout, report)?;
    }
    report.done();
    roles.sort();
    roles.dedup();
    Ok(roles)
}

fn await_closed_ports(layout: &Layout, report: &dyn Report) -> Outcome {
    let Ok(network) = Network::read(&layout.dir) else { return Ok(()) };
    let urls = std::iter::once(&network.rpc).chain(&network.workers).chain(&network.gatekeepers);
    for port in urls.filter_map(|url| ports::of_url(url)) {
        report.step(&format!("waiting for port {port} to close"));
        let deadline = Instant::now() + Duration::from_secs(10);
        while ports::is_open(port) {
            if Instant::now() > deadline {
                return Err(Failure::new(
                    format!("port {port} is still open, though every process of the network has ended"),
                    format!("another program listens there: `ss -ltnp 'sport = :{port}'` names it"),
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}
