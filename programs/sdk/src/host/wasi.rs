//! The host on a worker: WASI 0.2 and the interfaces of `phala:program`.

use crate::{
    Body, Error, IntoResponse, Request, Response, attestation,
    bindings::{
        phala::program as phala,
        wasi::{
            config0_2_0_rc_1::store as settings_store,
            keyvalue0_2_0_draft2::{atomics, store},
            logging0_1_0_draft::logging,
        },
    },
    config,
    context::{Account, Call, Mode},
    fetch as fetching, keys, kv,
    log::Level,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, uri};
use std::{
    io::{self, Read, Write},
    time::Duration,
};
use wasip2::{
    http::{
        outgoing_handler,
        types::{
            Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, Method as WasiMethod,
            OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam,
            Scheme,
        },
    },
    io::streams::{InputStream, OutputStream},
};

// ——— serving ———

/// Answers one request with `handler`.
pub fn serve<H, R>(handler: H, request: IncomingRequest, answer: ResponseOutparam)
where
    H: Fn(Request) -> R,
    R: IntoResponse,
{
    let response = match receive(request) {
        Ok(request) => handler(request).into_response(),
        Err(error) => error.into_response(),
    };
    respond(response, answer);
}

/// The request in the words of `http`.
fn receive(request: IncomingRequest) -> Result<Request, Error> {
    let method = match request.method() {
        WasiMethod::Get => Method::GET,
        WasiMethod::Head => Method::HEAD,
        WasiMethod::Post => Method::POST,
        WasiMethod::Put => Method::PUT,
        WasiMethod::Delete => Method::DELETE,
        WasiMethod::Connect => Method::CONNECT,
        WasiMethod::Options => Method::OPTIONS,
        WasiMethod::Trace => Method::TRACE,
        WasiMethod::Patch => Method::PATCH,
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes())
            .map_err(|_| Error::bad_request("the method is not a token"))?,
    };
    let mut parts = uri::Parts::default();
    let path = request.path_with_query().unwrap_or_else(|| "/".into());
    let path = path.parse().map_err(|_| Error::bad_request("the path is not one of a URL"))?;
    parts.path_and_query = Some(path);
    // A URL has both or neither.
    if let (Some(scheme), Some(authority)) = (request.scheme(), request.authority()) {
        let scheme = match scheme {
            Scheme::Http => Some(uri::Scheme::HTTP),
            Scheme::Https => Some(uri::Scheme::HTTPS),
            Scheme::Other(name) => name.parse().ok(),
        };
        let authority = authority.parse::<uri::Authority>().ok();
        (parts.scheme, parts.authority) = scheme.zip(authority).unzip();
    }
    let uri = Uri::from_parts(parts).map_err(|why| Error::bad_request(why.to_string()))?;
    let headers = headers(&request.headers());
    let body = request.consume().map_err(|()| Error::bad_request("the body was taken"))?;
    let mut message = Request::new(incoming(body)?);
    *message.method_mut() = method;
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    Ok(message)
}

/// Sends the answer: its head, then its body as it is written.
fn respond(response: Response, answer: ResponseOutparam) {
    let (parts, body) = response.into_parts();
    let outgoing = OutgoingResponse::new(fields(&parts.headers));
    if outgoing.set_status_code(parts.status.as_u16()).is_err() {
        crate::log::error(format_args!("{} is not a status of an answer", parts.status));
        let _ = outgoing.set_status_code(StatusCode::INTERNAL_SERVER_ERROR.as_u16());
    }
    let outgoing_body = outgoing.body();
    ResponseOutparam::set(answer, Ok(outgoing));
    if let Ok(outgoing_body) = outgoing_body
        && let Err(why) = write(body, outgoing_body)
    {
        crate::log::error(format_args!("the answer was cut off: {why}"));
    }
}

/// Writes `body` whole and finishes it, or drops it unfinished, which the other side sees.
fn write(body: Body, outgoing: OutgoingBody) -> io::Result<()> {
    if !body.is_empty() {
        let taken = |()| io::Error::other("the body was taken");
        let mut out = Out(outgoing.write().map_err(taken)?);
        body.write_to(&mut out)?;
        out.flush()?;
    }
    OutgoingBody::finish(outgoing, None).map_err(|why| io::Error::other(format!("{why:?}")))
}

/// A stream to the other side.
struct Out(OutputStream);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Write::write(&mut self.0, bytes)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::BrokenPipe.into()),
            n => Ok(n),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.0)
    }
}

/// A body that arrives. The stream is dropped before the body it belongs to.
struct Arriving {
    stream: InputStream,
    _body: IncomingBody,
}

impl Read for Arriving {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.stream, bytes)
    }
}

/// The body in our words.
fn incoming(body: IncomingBody) -> Result<Body, Error> {
    let stream = body.stream().map_err(|()| Error::bad_request("the body was taken"))?;
    Ok(Body::from_reader(Arriving { stream, _body: body }))
}

/// Headers in the words of `http`. What `http` would refuse is left out.
fn headers(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.entries() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// Headers in the words of WASI. Those that belong to the connection are the worker's: it refuses them.
fn fields(headers: &HeaderMap) -> Fields {
    let fields = Fields::new();
    for (name, value) in headers {
        if fields.append(name.as_str(), value.as_bytes()).is_err() {
            crate::log::error(format_args!("the header '{name}' is not the program's to set"));
        }
    }
    fields
}

// ——— fetching ———

/// Sends every request, then waits for the head of each response.
pub(crate) fn fetch(
    requests: Vec<Request>,
    wait: Option<Duration>,
) -> Vec<Result<Response, fetching::Error>> {
    let sent: Vec<_> = requests.into_iter().map(|request| start(request, wait)).collect();
    sent.into_iter().map(|pending| finish(pending?)).collect()
}

/// Sends a request.
fn start(
    request: Request,
    wait: Option<Duration>,
) -> Result<FutureIncomingResponse, fetching::Error> {
    let cannot = |why: &str| fetching::Error::Request(why.into());
    let (parts, body) = request.into_parts();
    let authority = parts.uri.authority().ok_or_else(|| cannot("its URL has no host"))?;
    let scheme = match parts.uri.scheme_str() {
        Some("http") => Scheme::Http,
        None | Some("https") => Scheme::Https,
        Some(other) => Scheme::Other(other.into()),
    };
    let mut header_map = parts.headers;
    header_map.remove(header::HOST); // the worker writes it from the URL
    let outgoing = OutgoingRequest::new(fields(&header_map));
    let method = match parts.method.as_str() {
        "GET" => WasiMethod::Get,
        "HEAD" => WasiMethod::Head,
        "POST" => WasiMethod::Post,
        "PUT" => WasiMethod::Put,
        "DELETE" => WasiMethod::Delete,
        "OPTIONS" => WasiMethod::Options,
        "PATCH" => WasiMethod::Patch,
        other => WasiMethod::Other(other.into()),
    };
    outgoing.set_method(&method).map_err(|()| cannot("its method is refused"))?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| cannot("its scheme is refused"))?;
    let host = Some(authority.as_str());
    outgoing.set_authority(host).map_err(|()| cannot("its host is refused"))?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    outgoing.set_path_with_query(Some(path)).map_err(|()| cannot("its path is refused"))?;
    let outgoing_body = outgoing.body().map_err(|()| cannot("its body was taken"))?;

    let options = wait.map(|wait| {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let options = RequestOptions::new();
        // An option that the worker does not know leaves its own limit in place.
        let _ = options.set_connect_timeout(Some(nanos));
        let _ = options.set_first_byte_timeout(Some(nanos));
        let _ = options.set_between_bytes_timeout(Some(nanos));
        options
    });
    let failed = |why: String| fetching::Error::Failed(why);
    let pending = outgoing_handler::handle(outgoing, options)
        .map_err(|why| failed(format!("{why:?}")))?;
    write(body, outgoing_body).map_err(|why| failed(why.to_string()))?;
    Ok(pending)
}

/// Waits for a response.
fn finish(pending: FutureIncomingResponse) -> Result<Response, fetching::Error> {
    pending.subscribe().block();
    let response = match pending.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(why))) => return Err(fetching::Error::Failed(format!("{why:?}"))),
        Some(Err(())) | None => return Err(fetching::Error::NoAnswer),
    };
    let failed = |why: &str| fetching::Error::Failed(why.into());
    let status = StatusCode::from_u16(response.status());
    let head = headers(&response.headers());
    let body = response.consume().map_err(|()| failed("the response has no body"))?;
    let body = incoming(body).map_err(|why| failed(why.message()))?;
    let mut message = Response::new(body);
    *message.status_mut() = status.map_err(|_| failed("the response's status is no status"))?;
    *message.headers_mut() = head;
    Ok(message)
}

// ——— state and settings ———

/// One named set of values.
pub(crate) struct Bucket(store::Bucket);

/// Opens the bucket called `name`.
pub(crate) fn open(name: &str) -> Result<Bucket, kv::Error> {
    Ok(Bucket(store::open(name)?))
}

impl From<store::Error> for kv::Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(why) => Self::Other(why),
        }
    }
}

impl Bucket {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
        Ok(self.0.get(key)?)
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error> {
        Ok(self.0.set(key, value)?)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), kv::Error> {
        Ok(self.0.delete(key)?)
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, kv::Error> {
        Ok(self.0.exists(key)?)
    }

    pub(crate) fn increment(&self, key: &str, delta: i64) -> Result<i64, kv::Error> {
        Ok(atomics::increment(&self.0, key, delta)?)
    }

    pub(crate) fn list(
        &self,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), kv::Error> {
        let page = self.0.list_keys(cursor)?;
        Ok((page.keys, page.cursor))
    }
}

impl From<settings_store::Error> for config::Error {
    fn from(error: settings_store::Error) -> Self {
        match error {
            settings_store::Error::Upstream(why) | settings_store::Error::Io(why) => {
                Self::Unavailable(why)
            }
        }
    }
}

pub(crate) fn setting(key: &str) -> Result<Option<String>, config::Error> {
    Ok(settings_store::get(key)?)
}

pub(crate) fn settings() -> Result<Vec<(String, String)>, config::Error> {
    Ok(settings_store::get_all()?)
}

// ——— the rest ———

pub(crate) fn log(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
    };
    logging::log(level, context, message);
}

/// Ids are 32 bytes by the interface's definition; a worker that gave other bytes would be no worker.
fn id(bytes: Vec<u8>) -> [u8; 32] {
    bytes.try_into().expect("an id has 32 bytes")
}

pub(crate) fn call() -> Call {
    let call = phala::context::current();
    let mode = match call.mode {
        phala::context::Mode::Query => Mode::Query,
        phala::context::Mode::Command(index) => Mode::Command { index },
    };
    let caller = call.caller.map(|bytes| Account(id(bytes)));
    Call { mode, program: id(call.program), caller, height: call.height }
}

/// A key or signature of its right length.
fn fixed<const N: usize>(
    answer: Result<Vec<u8>, phala::keys::Error>,
) -> Result<[u8; N], keys::Error> {
    let bytes = answer.map_err(|error| match error {
        phala::keys::Error::LabelTooLong(max) => keys::Error::LabelTooLong(max),
    })?;
    bytes.try_into().map_err(|bytes: Vec<u8>| keys::Error::Length(bytes.len()))
}

pub(crate) fn derive(label: &str) -> Result<[u8; 32], keys::Error> {
    fixed(phala::keys::derive(label))
}

pub(crate) fn public_key(label: &str) -> Result<[u8; 32], keys::Error> {
    fixed(phala::keys::public_key(label))
}

pub(crate) fn sign(label: &str, message: &[u8]) -> Result<[u8; 64], keys::Error> {
    fixed(phala::keys::sign(label, message))
}

pub(crate) fn quote(data: &[u8]) -> Result<Vec<u8>, attestation::Error> {
    phala::attestation::quote(data).map_err(|error| match error {
        phala::attestation::Error::Command => attestation::Error::Command,
        phala::attestation::Error::DataTooLong(max) => attestation::Error::DataTooLong(max),
        phala::attestation::Error::Unavailable(why) => attestation::Error::Unavailable(why),
    })
}
