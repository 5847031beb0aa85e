//! A program that does whatever a test asks of it: the path names the deed.

wit_bindgen::generate!({ path: "../../../programs/wit", world: "phala:program/program", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use phala::program::{attestation, context, keys};
use wasi::{
    clocks::{monotonic_clock, wall_clock},
    config0_2_0_rc_1::store as config,
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
            RequestOptions, ResponseOutparam, Scheme,
        },
    },
    io::{poll, streams::{OutputStream, StreamError}},
    keyvalue0_2_0_draft2::{atomics, batch, store as kv},
    logging0_1_0_draft::logging,
    random::random,
};

struct Probe;
export!(Probe);

impl Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/echo" => echo(request, out),
            "/stream" => stream(out, query.parse().unwrap()),
            "/never-ends" => never_ends(out),
            "/head-then-trap" => head_then_trap(out),
            "/no-response" => {}
            "/error-code" => ResponseOutparam::set(out, Err(ErrorCode::LoopDetected)),
            "/many-headers" => many_headers(out, query.parse().unwrap()),
            "/large-header" => large_header(out, query.parse().unwrap()),
            "/large-body" => large_body(out, query.parse().unwrap()),
            "/unfinished-body" => unfinished_body(out),
            _ => whole(out, &deed(path, query, &request)),
        }
    }
}

/// Deeds that answer with a short text.
fn deed(path: &str, query: &str, request: &IncomingRequest) -> String {
    match path {
        "/hello" => "hello, world".into(),
        "/describe" => describe(request),
        "/trap" => panic!("as asked"),
        "/exit" => std::process::exit(query.parse().unwrap()),
        "/loop" => loop {
            std::hint::black_box(0);
        },
        "/count" => {
            let mut n = 0_u64;
            while n < query.parse().unwrap() {
                n = std::hint::black_box(n + 1);
            }
            n.to_string()
        }
        "/memory" => memory(query.parse().unwrap()),
        "/memory-politely" => memory_politely(query.parse().unwrap()),
        "/recursion" => recursion(query.parse().unwrap()).to_string(),
        "/handles" => handles(query.parse().unwrap()),
        "/kv" => key_value(query),
        "/kv-fill" => kv_fill(query.parse().unwrap()),
        "/kv-pages" => kv_pages(),
        "/kv-cas" => kv_cas(),
        "/kv-read-loop" => loop {
            let store = kv::open("default").unwrap();
            std::hint::black_box(store.get("large").unwrap());
        },
        "/config" => format!("{:?} {:?}", config::get(query).unwrap(), config::get_all().unwrap()),
        "/random" => format!("{:?} {} {:?}", random::get_random_bytes(8), random::get_random_u64(), hash_seed()),
        "/random-bytes" => random::get_random_bytes(query.parse().unwrap()).len().to_string(),
        "/time" => format!("{} {}", wall_clock::now().seconds, monotonic_clock::now()),
        "/std-time" => format!("{:?}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()),
        "/sleep" => sleep(query.parse().unwrap()),
        "/timeouts" => timeouts(),
        "/wait-for-ever" => {
            monotonic_clock::subscribe_instant(u64::MAX).block();
            "it came".into()
        }
        "/deadlock" => deadlock(),
        "/log" => {
            logging::log(logging::Level::Warn, "probe", query);
            println!("out {query}");
            eprintln!("err {query}");
            "logged".into()
        }
        "/context" => format!("{:?}", context::current()),
        "/keys" => format!("{:?} {:?} {:?}", keys::derive(query), keys::public_key(query), keys::sign(query, b"message")),
        "/quote" => format!("{:?}", attestation::quote(query.as_bytes())),
        "/quote-size" => format!("{:?}", attestation::quote(&vec![0; query.parse().unwrap()])),
        "/fetch" => fetch(query, None),
        "/fetch-impatiently" => fetch(query, Some(50_000_000)),
        "/fetch-many" => fetch_many(query),
        "/fetch-post" => fetch_post(query),
        "/surroundings" => surroundings(),
        "/counter" => {
            static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string()
        }
        _ => "no such deed".into(),
    }
}

fn respond(out: ResponseOutparam, fields: Fields) -> OutgoingBody {
    let response = OutgoingResponse::new(fields);
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    body
}

fn write(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(4096).try_for_each(|chunk| stream.blocking_write_and_flush(chunk))
}

fn whole(out: ResponseOutparam, text: &str) {
    let fields = Fields::new();
    fields.append("content-type", b"text/plain").unwrap();
    let body = respond(out, fields);
    let stream = body.write().unwrap();
    let _ = write(&stream, text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Answers with the request's body, piece by piece as it arrives.
fn echo(request: IncomingRequest, out: ResponseOutparam) {
    let body = respond(out, Fields::new());
    let stream = body.write().unwrap();
    let incoming = request.consume().unwrap();
    let input = incoming.stream().unwrap();
    loop {
        match input.blocking_read(64 * 1024) {
            Ok(piece) => {
                if write(&stream, &piece).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Server-sent events, one every ten milliseconds.
fn stream(out: ResponseOutparam, events: u32) {
    let fields = Fields::new();
    fields.append("content-type", b"text/event-stream").unwrap();
    let body = respond(out, fields);
    let stream = body.write().unwrap();
    for event in 0..events {
        let _ = write(&stream, format!("data: {event}\n\n").as_bytes());
        monotonic_clock::subscribe_duration(10_000_000).block();
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn never_ends(out: ResponseOutparam) {
    let body = respond(out, Fields::new());
    let stream = body.write().unwrap();
    while write(&stream, b"more\n").is_ok() {}
}

fn head_then_trap(out: ResponseOutparam) {
    let body = respond(out, Fields::new());
    let stream = body.write().unwrap();
    let _ = write(&stream, b"so far so good");
    panic!("after the head");
}

/// Returns although the body says nothing about its end.
fn unfinished_body(out: ResponseOutparam) {
    let body = respond(out, Fields::new());
    let stream = body.write().unwrap();
    let _ = write(&stream, b"begun");
}

fn many_headers(out: ResponseOutparam, count: usize) {
    let fields = Fields::new();
    for n in 0..count {
        if let Err(error) = fields.append(&format!("x-{n}"), b"v") {
            return whole(out, &format!("{n}: {error:?}"));
        }
    }
    let _ = OutgoingBody::finish(respond(out, fields), None);
}

fn large_header(out: ResponseOutparam, bytes: usize) {
    let fields = Fields::new();
    match fields.append("x-large", &vec![b'v'; bytes]) {
        Ok(()) => drop(OutgoingBody::finish(respond(out, fields), None)),
        Err(error) => whole(out, &format!("{error:?}")),
    }
}

fn large_body(out: ResponseOutparam, bytes: usize) {
    let body = respond(out, Fields::new());
    let stream = body.write().unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(piece.len());
        if write(&stream, &piece[..now]).is_err() {
            return;
        }
        left -= now;
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn describe(request: &IncomingRequest) -> String {
    let mut headers = request.headers().entries();
    headers.sort();
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect();
    format!(
        "{:?} {:?} {:?} {:?} {headers:?}",
        request.method(),
        request.scheme(),
        request.authority(),
        request.path_with_query()
    )
}

fn memory(bytes: usize) -> String {
    std::hint::black_box(vec![1_u8; bytes]).len().to_string()
}

fn memory_politely(bytes: usize) -> String {
    let mut vec: Vec<u8> = Vec::new();
    match vec.try_reserve_exact(bytes) {
        Ok(()) => "reserved".into(),
        Err(_) => "refused".into(),
    }
}

fn recursion(depth: u64) -> u64 {
    if depth == 0 { 0 } else { 1 + std::hint::black_box(recursion)(std::hint::black_box(depth - 1)) }
}

fn handles(count: usize) -> String {
    let held: Vec<_> = (0..count).map(|_| Fields::new()).collect();
    held.len().to_string()
}

fn hash_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(1)
}

/// `set:k=v;get:k;del:k;exists:k;inc:k=n;many:k=v,k=v;cas:k=v` and so on, each answered on a line.
fn key_value(script: &str) -> String {
    let store = kv::open("default").unwrap();
    let mut lines = Vec::new();
    for step in script.split(';') {
        let (verb, rest) = step.split_once(':').unwrap_or((step, ""));
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        lines.push(match verb {
            "set" => format!("{:?}", store.set(key, value.as_bytes())),
            "get" => format!("{:?}", store.get(key).map(|v| v.map(|v| String::from_utf8_lossy(&v).into_owned()))),
            "del" => format!("{:?}", store.delete(key)),
            "exists" => format!("{:?}", store.exists(key)),
            "inc" => format!("{:?}", atomics::increment(&store, key, value.parse().unwrap())),
            "list" => format!("{:?}", store.list_keys(None).map(|page| page.keys)),
            "size" => format!("{:?}", store.set(&"k".repeat(key.parse().unwrap()), &vec![0; value.parse().unwrap()])),
            "open" => format!("{:?}", kv::open(key).map(drop)),
            "many" => {
                let pairs: Vec<_> = rest
                    .split(',')
                    .map(|pair| pair.split_once('=').unwrap())
                    .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
                    .collect();
                format!("{:?}", batch::set_many(&store, &pairs))
            }
            "gets" => {
                let keys: Vec<_> = rest.split(',').map(str::to_owned).collect();
                format!("{:?}", batch::get_many(&store, &keys))
            }
            "dels" => {
                let keys: Vec<_> = rest.split(',').map(str::to_owned).collect();
                format!("{:?}", batch::delete_many(&store, &keys))
            }
            _ => "no such verb".into(),
        });
    }
    lines.join("\n")
}

fn kv_fill(values: usize) -> String {
    let store = kv::open("default").unwrap();
    let value = vec![7; 1024 * 1024];
    for n in 0..values {
        if let Err(error) = store.set(&format!("fill-{n:04}"), &value) {
            return format!("{n}: {error:?}");
        }
    }
    "filled".into()
}

fn kv_pages() -> String {
    let store = kv::open("default").unwrap();
    let (mut keys, mut pages, mut cursor) = (0, 0, None);
    loop {
        let page = store.list_keys(cursor.as_deref()).unwrap();
        keys += page.keys.len();
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            return format!("{keys} keys on {pages} pages");
        }
    }
}

fn kv_cas() -> String {
    let store = kv::open("default").unwrap();
    let stale = atomics::Cas::new(&store, "k").unwrap();
    let seen = stale.current().unwrap();
    store.set("k", b"changed meanwhile").unwrap();
    let fresh = match atomics::swap(stale, b"lost") {
        Err(atomics::CasError::CasFailed(fresh)) => fresh,
        other => return format!("not refused: {:?}", other.is_ok()),
    };
    let done = atomics::swap(fresh, b"won").is_ok();
    format!("{seen:?} {done} {:?}", store.get("k").unwrap().map(|v| String::from_utf8_lossy(&v).into_owned()))
}

fn sleep(ms: u64) -> String {
    let before = monotonic_clock::now();
    std::thread::sleep(std::time::Duration::from_millis(ms));
    ((monotonic_clock::now() - before) / 1_000_000).to_string()
}

/// Which of several waits comes first?
fn timeouts() -> String {
    let late = monotonic_clock::subscribe_duration(9_000_000_000);
    let early = monotonic_clock::subscribe_duration(1_000_000_000);
    let first = poll::poll(&[&late, &early]);
    let between = monotonic_clock::now();
    late.block();
    format!("{first:?} {between} {}", monotonic_clock::now())
}

/// Writes a request that it never sends, until nothing takes more of it.
fn deadlock() -> String {
    let request = OutgoingRequest::new(Fields::new());
    let body = request.body().unwrap();
    let stream = body.write().unwrap();
    loop {
        stream.subscribe().block();
        let room = stream.check_write().unwrap();
        stream.write(&vec![0; room as usize]).unwrap();
    }
}

fn request_to(url: &str, method: Method) -> OutgoingRequest {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&method).unwrap();
    request.set_scheme(Some(&if scheme == "http" { Scheme::Http } else { Scheme::Https })).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(&format!("/{path}"))).unwrap();
    request
}

fn fetch(url: &str, first_byte_timeout: Option<u64>) -> String {
    let options = RequestOptions::new();
    options.set_first_byte_timeout(first_byte_timeout).unwrap();
    let future = match outgoing_handler::handle(request_to(url, Method::Get), Some(options)) {
        Ok(future) => future,
        Err(error) => return format!("at once: {error:?}"),
    };
    future.subscribe().block();
    let response = match future.get().unwrap().unwrap() {
        Ok(response) => response,
        Err(error) => return format!("{error:?}"),
    };
    let status = response.status();
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let mut bytes = 0;
    loop {
        match stream.blocking_read(1024 * 1024) {
            Ok(piece) => bytes += piece.len(),
            Err(StreamError::Closed) => return format!("{status} {bytes}"),
            Err(StreamError::LastOperationFailed(error)) => return format!("{status} {bytes} {}", error.to_debug_string()),
        }
    }
}

/// `n url`: starts n requests, then waits for all.
fn fetch_many(query: &str) -> String {
    let (count, url) = query.split_once(' ').or(query.split_once("%20")).unwrap();
    let futures: Vec<_> = (0..count.parse().unwrap())
        .map(|_| outgoing_handler::handle(request_to(url, Method::Get), None).unwrap())
        .collect();
    let (mut answered, mut refused) = (0, Vec::new());
    for future in futures {
        future.subscribe().block();
        match future.get().unwrap().unwrap() {
            Ok(_) => answered += 1,
            Err(error) => refused.push(error),
        }
    }
    format!("{answered} answered, {} refused: {:?}", refused.len(), refused.first())
}

/// `bytes url`: posts a body of that size.
fn fetch_post(query: &str) -> String {
    let (bytes, url) = query.split_once("%20").unwrap();
    let request = request_to(url, Method::Post);
    let body = request.body().unwrap();
    let stream = body.write().unwrap();
    let future = outgoing_handler::handle(request, None).unwrap();
    let written = write(&stream, &vec![b'x'; bytes.parse().unwrap()]).is_ok();
    drop(stream);
    let finished = OutgoingBody::finish(body, None).is_ok();
    future.subscribe().block();
    format!("{written} {finished} {:?}", future.get().unwrap().unwrap().map(|response| response.status()))
}

/// Everything around it that a program could reach.
fn surroundings() -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        std::env::vars().collect::<Vec<_>>(),
        std::env::args().collect::<Vec<_>>(),
        std::fs::read_dir("/").map(drop).is_err(),
        std::net::TcpStream::connect("127.0.0.1:80").is_err(),
        std::net::UdpSocket::bind("127.0.0.1:0").is_err(),
    )
}
