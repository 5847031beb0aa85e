//! Ports on the loopback interface.

use crate::failure::{Failure, Outcome};
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
};

/// Gives out ports, none twice, and keeps other networks of this machine away from them while it lives.
///
/// A port is bound only when its process is up, seconds later. Until then two networks that start at the same
/// moment would find the same ones free, so each port given out is a locked file as well.
#[derive(Default)]
pub struct Ports {
    given: Vec<u16>,
    held: Vec<Flock<File>>,
}

impl Ports {
    /// `wanted` if it is free, else any free one.
    pub fn take(&mut self, wanted: u16) -> Outcome<u16> {
        let mut candidate = wanted;
        for _ in 0..64 {
            let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, candidate));
            candidate = 0;
            let Ok(bound) = bound else { continue };
            let port = bound.local_addr()?.port();
            if self.given.contains(&port) {
                continue;
            }
            if let Some(lock) = hold(port) {
                self.held.push(lock);
                self.given.push(port);
                return Ok(port);
            }
        }
        Err(Failure::new("no free port on 127.0.0.1", "stop something that listens; `ss -ltn` lists what does"))
    }
}

/// The port's lock; None while another network of this machine has it.
fn hold(port: u16) -> Option<Flock<File>> {
    let path = std::env::temp_dir().join(format!("phala-port-{port}.lock"));
    // Another user's file cannot be written, but it can be locked.
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).or_else(|_| File::open(&path));
    Flock::lock(file.ok()?, FlockArg::LockExclusiveNonblock).ok()
}

/// Whether somebody accepts connections on `port`.
pub fn is_open(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1)).is_ok()
}

/// The port of a URL like `ws://127.0.0.1:9944`.
pub fn of_url(url: &str) -> Option<u16> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next()?.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_and_none_is_given_twice() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let wanted = taken.local_addr().unwrap().port();
        let mut ports = Ports::default();
        let first = ports.take(wanted).unwrap();
        let second = ports.take(first).unwrap();
        assert!(first != wanted && second != first);
        assert!(is_open(wanted));
        drop(taken);
        assert!(!is_open(wanted));
    }

    #[test]
    fn two_networks_that_start_at_the_same_moment_get_different_ports() {
        let (mut one, mut other) = (Ports::default(), Ports::default());
        let port = one.take(0).unwrap();
        // Nobody has bound it yet.
        assert!(!is_open(port));
        assert_ne!(other.take(port).unwrap(), port);
        drop(one);
        assert_eq!(Ports::default().take(port).unwrap(), port);
    }

    #[test]
    fn a_url_s_port_is_found() {
        assert_eq!(of_url("ws://127.0.0.1:9944"), Some(9944));
        assert_eq!(of_url("http://localhost:80/x:9"), Some(80));
        assert_eq!(of_url("http://localhost"), None);
    }
}
