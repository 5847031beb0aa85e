//! Fetching for programs: a name is resolved, its addresses are judged, and only judged addresses are
//! connected to.
//!
//! # Properties
//! - No loopback, private, link-local, shared, multicast, reserved or otherwise special address is ever connected to,
//!   however it is written or embedded in another, unless the operator allows it.
//! - Redirects are not followed: the program sees them, and the engine judges the next request anew.
//! - No proxy is taken from the environment.

use futures::StreamExt;
use http_body_util::{BodyExt, BodyStream};
use phala_engine::{Body, BodyError, Outbound, OutboundError};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// Whether an address belongs to the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// # Source
/// IANA IPv4 Special-Purpose Address Registry (RFC 6890 and updates).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0 // this network
        || a == 10 || (a == 172 && (16..32).contains(&b)) || (a == 192 && b == 168) // private
        || (a == 100 && (64..128).contains(&b)) // shared (CGNAT)
        || a == 127 // loopback
        || (a == 169 && b == 254) // link-local, clouds' metadata
        || (a == 192 && b == 0 && (c == 0 || c == 2)) // protocol assignments, documentation
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (b == 18 || b == 19)) // benchmarks
        || (a == 198 && b == 51 && c == 100) || (a == 203 && b == 0 && c == 113) // documentation
        || a >= 224; // multicast, reserved, broadcast
    !special
}

/// # Source
/// IANA IPv6 Special-Purpose Address Registry. Addresses that embed an IPv4 address are as public as that one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        // Mapped (::ffff:0:0/96) and NAT64 (64:ff9b::/96).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Teredo, ORCHID, benchmarks and other protocol assignments; documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Of everything else only global unicast is public.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is not a public address")]
struct NotPublic(String);

#[derive(Debug, thiserror::Error)]
#[error("no address for {0}")]
struct NotFound(String);

/// Resolves names to judged addresses.
struct Judged {
    allow_private: bool,
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| NotFound(name.clone()))?;
            let all: Vec<SocketAddr> = found.collect();
            let Some(first) = all.first().copied() else { return Err(NotFound(name).into()) };
            let judged: Vec<_> = all.into_iter().filter(|address| allow_private || is_public(address.ip())).collect();
            if judged.is_empty() {
                return Err(NotPublic(format!("{name} ({})", first.ip())).into());
            }
            Ok(Box::new(judged.into_iter()) as Addrs)
        })
    }
}

/// How programs of this worker fetch.
pub struct HttpOutbound {
    client: reqwest::Client,
    allow_private: bool,
}

impl HttpOutbound {
    /// `allow_private`: the operator's word that programs may reach the machine's own network.
    ///
    /// # Errors
    /// The library's word.
    pub fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(Judged { allow_private }))
            .connect_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(4)
            .build()?;
        Ok(Self { client, allow_private })
    }

    /// The URL of a request, if its host may be reached. A host that is an address is never resolved, so it is judged here.
    fn judge(&self, uri: &http::Uri) -> Result<Url, OutboundError> {
        let url = Url::parse(&uri.to_string()).map_err(|error| OutboundError::Protocol(error.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            Ok(address) if !self.allow_private && !is_public(address) => {
                Err(OutboundError::AddressNotPublic(host.to_owned()))
            }
            _ => Ok(url),
        }
    }
}

fn outbound_error(error: &reqwest::Error) -> OutboundError {
    let mut source = error.source();
    let mut last = error.to_string();
    while let Some(cause) = source {
        if let Some(NotPublic(what)) = cause.downcast_ref() {
            return OutboundError::AddressNotPublic(what.clone());
        }
        if let Some(NotFound(name)) = cause.downcast_ref() {
            return OutboundError::NameNotFound(name.clone());
        }
        if cause.to_string().contains("certificate") {
            return OutboundError::Tls(cause.to_string());
        }
        last = cause.to_string();
        source = cause.source();
    }
    if error.is_timeout() {
        OutboundError::OutOfTime
    } else if error.is_connect() {
        OutboundError::NotConnected(last)
    } else {
        OutboundError::Protocol(last)
    }
}

#[async_trait::async_trait]
impl Outbound for HttpOutbound {
    async fn fetch(
        &self,
        request: http::Request<Body>,
        timeout: Duration,
    ) -> Result<http::Response<Body>, OutboundError> {
        let (parts, body) = request.into_parts();
        let url = self.judge(&parts.uri)?;
        let mut headers = parts.headers;
        // The client writes both from the URL and the body.
        headers.remove(http::header::HOST);
        headers.remove(http::header::TRANSFER_ENCODING);
        let empty = http_body::Body::is_end_stream(&body);
        let pieces = BodyStream::new(body).filter_map(|frame| async move {
            match frame {
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(error) => Some(Err(error)),
            }
        });
        let mut call = self.client.request(parts.method, url).headers(headers);
        if !empty {
            call = call.body(reqwest::Body::wrap_stream(pieces));
        }
        let response = match tokio::time::timeout(timeout, call.send()).await {
            Err(_) => return Err(OutboundError::OutOfTime),
            Ok(Err(error)) => return Err(outbound_error(&error)),
            Ok(Ok(response)) => response,
        };
        let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        let body = body.map_err(|error| BodyError::Broken(outbound_error(&error).to_string()));
        Ok(http::Response::from_parts(parts, body.boxed_unsync()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public_however_they_are_written() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.1.1.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "2002:101:101::",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_host_that_is_an_address_is_judged_in_every_spelling() {
        let outbound = HttpOutbound::new(false).unwrap();
        for uri in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
        ] {
            let judged = outbound.judge(&uri.parse().unwrap());
            assert!(matches!(judged, Err(OutboundError::AddressNotPublic(_))), "{uri}");
        }
        assert!(outbound.judge(&"http://1.1.1.1/".parse().unwrap()).is_ok());
        assert!(HttpOutbound::new(true).unwrap().judge(&"http://127.0.0.1/".parse().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_and_the_program_is_told_why() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let request = || http::Request::get(&uri).body(phala_engine::whole_body("")).unwrap();
        let outbound = HttpOutbound::new(false).unwrap();
        let refused = outbound.fetch(request(), Duration::from_secs(5)).await.err();
        assert!(matches!(refused, Some(OutboundError::AddressNotPublic(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn where_the_operator_allows_it_bodies_travel_both_ways_and_redirects_are_handed_back() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://127.0.0.1:{}/x", listener.local_addr().unwrap().port());
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.windows(4).any(|end| end == b"ping") {
                let mut piece = [0; 1024];
                let n = socket.read(&mut piece).await.unwrap();
                seen.extend_from_slice(&piece[..n]);
            }
            let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\npong";
            socket.write_all(answer).await.unwrap();
        });
        let outbound = HttpOutbound::new(true).unwrap();
        let request = http::Request::post(&uri).body(phala_engine::whole_body("ping")).unwrap();
        let response = outbound.fetch(request, Duration::from_secs(10)).await.unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "pong");
        server.await.unwrap();
    }
}
