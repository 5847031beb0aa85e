//! Ports on the loopback interface.

use crate::failure::{Failure, Outcome};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Gives out ports, none twice.
#[derive(Default)]
pub struct Ports {
    given: Vec<u16>,
}

impl Ports {
    /// `wanted` if it is free, else any free one.
    pub fn take(&mut self, wanted: u16) -> Outcome<u16> {
        for _ in 0..64 {
            let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
                .ok()
                .filter(|_| !self.given.contains(&wanted))
                .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)?;
            let port = bound.local_addr()?.port();
            if !self.given.contains(&port) {
                self.given.push(port);
                return Ok(port);
            }
        }
        Err(Failure::new("no free port on 127.0.0.1", "stop something that listens; `ss -ltn` lists what does"))
    }
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
    fn a_url_s_port_is_found() {
        assert_eq!(of_url("ws://127.0.0.1:9944"), Some(9944));
        assert_eq!(of_url("http://localhost:80/x:9"), Some(80));
        assert_eq!(of_url("http://localhost"), None);
    }
}
