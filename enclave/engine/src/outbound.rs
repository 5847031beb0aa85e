//! `wasi:http/outgoing-handler` and `wasi:http/client`: fetching, for queries only.
//!
//! The engine decides whether a program may ask: how often, which hosts, how much. The [`Outbound`] port decides
//! which addresses a name may lead to, and connects.

use crate::{
    call::{Body, BodyError},
    ports::{LogLevel, LogSink, Outbound, OutboundError},
};
use bytes::Bytes;
use http::{Uri, uri::Scheme};
use http_body::Frame;
use http_body_util::BodyExt;
use phala_messages::limits::{HEAD_BYTES_MAX, HEADERS_MAX, OUTBOUND_BODY_BYTES_MAX, OUTBOUND_MS_MAX};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// What a command is told.
pub(crate) const COMMAND_MAY_NOT_FETCH: &str = "a command may not fetch: ask in a query";

/// Hosts that a program may fetch from, as its manifest lists them.
///
/// An entry is `host` (the scheme's own port) or `host:port`. A leading `*.` stands for one or more labels.
#[derive(Debug, Default)]
pub(crate) struct AllowList(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    host: String,
    any_label: bool,
    port: Option<u16>,
}

/// An entry of the list that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host, host:port or *.suffix")]
pub struct HostError(pub String);

impl AllowList {
    pub(crate) fn parse<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, HostError> {
        entries.into_iter().map(Entry::parse).collect::<Result<_, _>>().map(Self)
    }

    fn allows(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let own = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(own);
        self.0.iter().any(|entry| entry.port.unwrap_or(own) == port && entry.names(&host))
    }
}

impl Entry {
    fn parse(entry: &[u8]) -> Result<Self, HostError> {
        let error = || HostError(String::from_utf8_lossy(entry).into_owned());
        let text = std::str::from_utf8(entry).map_err(|_| error())?.to_ascii_lowercase();
        let (any_label, text) = match text.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, text.as_str()),
        };
        let authority: http::uri::Authority = text.parse().map_err(|_| error())?;
        let host = authority.host();
        let named = !host.is_empty() && !text.contains('@') && !host.contains('*');
        // `host:` or a port beyond 65535 parses as an authority without a port.
        let port_is_meant = authority.port().is_some() || text.len() != host.len();
        if !named || (port_is_meant && authority.port_u16().is_none()) {
            return Err(error());
        }
        Ok(Self { host: host.trim_end_matches('.').to_owned(), any_label, port: authority.port_u16() })
    }

    fn names(&self, host: &str) -> bool {
        if !self.any_label {
            return host == self.host;
        }
        host.strip_suffix(&self.host).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
    }
}

/// Fetching of one call.
pub(crate) struct Fetcher {
    pub(crate) command: bool,
    pub(crate) allowed: Arc<AllowList>,
    pub(crate) port: Arc<dyn Outbound>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) requests_left: u32,
}

type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl Fetcher {
    /// Decides whether the program may ask for `uri`, and tells its owner when not.
    fn admit(&mut self, uri: &Uri) -> Result<(), Error> {
        let refused = |reason: String, error| {
            self.logs.log(LogLevel::Warn, "outbound", &reason);
            Err(error)
        };
        if self.command {
            let reason = COMMAND_MAY_NOT_FETCH.to_owned();
            return refused(reason.clone(), Error::InternalError(Some(reason)));
        }
        if !self.allowed.allows(uri) {
            let host = uri.authority().map_or("", |authority| authority.as_str());
            return refused(format!("{host} is not among the program's outbound hosts"), Error::HttpRequestDenied);
        }
        let Some(left) = self.requests_left.checked_sub(1) else {
            return refused("the query has used all its outbound requests".into(), Error::ConnectionLimitReached);
        };
        self.requests_left = left;
        Ok(())
    }
}

impl WasiHttpHooks for Fetcher {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange, Error>> + Send> {
        if let Err(error) = self.admit(request.uri()) {
            return Box::new(async { Err(error) });
        }
        let port = self.port.clone();
        Box::new(fetch(port, request, options.unwrap_or_default()))
    }
}

async fn fetch(
    port: Arc<dyn Outbound>,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<Exchange, Error> {
    let deadline = Instant::now() + Duration::from_millis(OUTBOUND_MS_MAX.into());
    let wanted = options.connect_timeout.unwrap_or_default() + options.first_byte_timeout.unwrap_or(Duration::MAX / 4);
    let head_deadline = Instant::now().checked_add(wanted).map_or(deadline, |wanted| wanted.min(deadline));
    let request = request.map(|body| {
        let body = body.map_err(|error| BodyError::Broken(error.to_string())).boxed_unsync();
        Capped::new(body, OUTBOUND_BODY_BYTES_MAX, deadline).boxed_unsync()
    });
    let response = timeout_at(head_deadline, port.fetch(request, head_deadline - Instant::now())).await;
    let response = response.map_err(|_| Error::HttpResponseTimeout)??;
    if !head_fits(response.headers()) {
        return Err(Error::HttpResponseHeaderSectionSize(Some(HEAD_BYTES_MAX)));
    }
    let response = response.map(|body| {
        Capped::new(body, OUTBOUND_BODY_BYTES_MAX, deadline)
            .map_err(|error| match error {
                BodyError::TooLarge(max) => Error::HttpResponseBodySize(Some(max)),
                BodyError::OutOfTime => Error::HttpResponseTimeout,
                error => Error::InternalError(Some(error.to_string())),
            })
            .boxed_unsync()
    });
    Ok((response, Box::new(async { Ok(()) })))
}

/// Whether headers stay within [`HEAD_BYTES_MAX`] and [`HEADERS_MAX`].
pub(crate) fn head_fits(headers: &http::HeaderMap) -> bool {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    headers.len() <= HEADERS_MAX as usize && bytes <= HEAD_BYTES_MAX as usize
}

impl From<OutboundError> for Error {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::AddressNotPublic(_) => Self::DestinationIpProhibited,
            OutboundError::NameNotFound(name) => {
                Self::DnsError { rcode: Some(format!("no address for {name}")), info_code: None }
            }
            OutboundError::NotConnected(_) => Self::ConnectionRefused,
            OutboundError::Tls(_) => Self::TlsProtocolError,
            OutboundError::OutOfTime => Self::HttpResponseTimeout,
            OutboundError::Protocol(_) => Self::HttpProtocolError,
            OutboundError::Unavailable => Self::InternalError(Some(error.to_string())),
        }
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(max) => Self::HttpRequestBodySize(Some(max)),
            BodyError::OutOfTime => Self::ConnectionReadTimeout,
            BodyError::Broken(_) => Self::ConnectionTerminated,
            BodyError::Call(error) => Self::InternalError(Some(error.to_string())),
        }
    }
}

/// A body that ends with an error when it grows too large or takes too long.
struct Capped {
    inner: Body,
    bytes_max: u64,
    bytes: u64,
    deadline: Pin<Box<Sleep>>,
}

impl Capped {
    fn new(inner: Body, bytes_max: u64, deadline: Instant) -> Self {
        Self { inner, bytes_max, bytes: 0, deadline: Box::pin(sleep_until(deadline)) }
    }
}

impl http_body::Body for Capped {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BodyError::OutOfTime)));
        }
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len() as u64;
            if self.bytes > self.bytes_max {
                return Poll::Ready(Some(Err(BodyError::TooLarge(self.bytes_max))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, uri: &str) -> bool {
        AllowList::parse([entry.as_bytes()]).expect("the entry names a host").allows(&uri.parse().expect("a URI"))
    }

    #[test]
    fn a_host_is_allowed_at_its_schemes_port() {
        assert!(allows("example.com", "https://example.com/a"));
        assert!(allows("example.com", "http://example.com/"));
        assert!(allows("example.com", "https://EXAMPLE.com.:443/"));
        assert!(!allows("example.com", "https://example.com:8443/"));
        assert!(!allows("example.com", "http://example.com:443/"));
        assert!(!allows("example.com", "https://www.example.com/"));
        assert!(!allows("example.com", "https://example.com.evil.org/"));
        assert!(!allows("example.com", "https://example.com@evil.org/"));
    }

    #[test]
    fn a_port_allows_that_port_only() {
        assert!(allows("example.com:8443", "https://example.com:8443/"));
        assert!(!allows("example.com:8443", "https://example.com/"));
        assert!(allows("[2001:db8::1]:80", "http://[2001:db8::1]/"));
    }

    #[test]
    fn a_star_stands_for_labels_and_not_for_parts_of_one() {
        assert!(allows("*.example.com", "https://a.example.com/"));
        assert!(allows("*.example.com", "https://a.b.example.com/"));
        assert!(!allows("*.example.com", "https://example.com/"));
        assert!(!allows("*.example.com", "https://badexample.com/"));
        assert!(!allows("*.example.com", "https://.example.com/"));
        assert!(allows("*.example.com:8080", "http://a.example.com:8080/"));
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for entry in [
            "",
            "*",
            "*.",
            "a b",
            "user@example.com",
            "https://example.com",
            "example.com:",
            "example.com:99999",
            "a.*.com",
            "example.com/path",
        ] {
            assert_eq!(AllowList::parse([entry.as_bytes()]).map(drop).err(), Some(HostError(entry.into())), "{entry}");
        }
        assert!(AllowList::parse([b"\xff".as_slice()]).is_err());
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert!(!AllowList::default().allows(&"https://example.com/".parse().expect("a URI")));
    }
}
