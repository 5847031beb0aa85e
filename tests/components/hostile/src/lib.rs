//! A program that nobody nice would write. Each path is one way to hurt a worker; none may hurt more than its call.
//!
//! | path | what it does |
//! |---|---|
//! | `/` | answers `still here`: for asking after each of the others |
//! | `/trap` | panics |
//! | `/loop` | never ends |
//! | `/memory` | takes memory until there is no more |
//! | `/recursion` | calls itself until the stack ends |
//! | `/fetch?N` | fetches `x-url` N times at once, answers how many were answered |
//! | `/headers?N` | answers with N headers of 1 KiB |
//! | `/body?N` | answers with N MiB |
//! | `/drip` | answers one byte at a time and never stops |
//! | `/fill?N` | writes N values of 1 MiB (a command), answers how many were taken |
//! | `/cut` | sends half an answer, then panics |
//! | `/silent` | panics without ever answering, after it wrote state (a command) |
//! | `/was-silent` | whether that write was kept |

use phala_program::{Request, Response, Result, config, fetch, http, info, prelude::*};
use std::hint::black_box;

phala_program::export!(handle);

fn handle(request: Request) -> Response {
    Router::new()
        .route(request.method().clone(), "/", |_: Request| "still here")
        .route(request.method().clone(), "/trap", |_: Request| -> () { panic!("as asked") })
        .route(request.method().clone(), "/loop", |_: Request| -> () { spin() })
        .route(request.method().clone(), "/memory", |_: Request| memory())
        .route(request.method().clone(), "/recursion", |_: Request| recursion(1).to_string())
        .route(request.method().clone(), "/fetch", storm)
        .route(request.method().clone(), "/headers", headers)
        .route(request.method().clone(), "/body", large)
        .route(request.method().clone(), "/drip", |_: Request| drip())
        .route(request.method().clone(), "/fill", fill)
        .route(request.method().clone(), "/cut", |_: Request| cut())
        .route(request.method().clone(), "/silent", |_: Request| silent())
        .route(request.method().clone(), "/was-silent", |_: Request| was_silent())
        .handle(request)
}

/// The number in the URL's query string.
fn number(request: &Request) -> usize {
    request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(1)
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

fn memory() -> String {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion)]
fn recursion(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recursion(depth + 1) + frame[0]
}

fn storm(request: Request) -> Result<String> {
    let url = request.header("x-url").unwrap_or("http://127.0.0.1/").to_owned();
    let get = |_| http::Request::get(&url).body(Body::empty());
    let requests = (0..number(&request)).map(get).collect::<Result<Vec<_>, _>>()?;
    let answers = fetch::all(requests);
    if let Some(Err(why)) = answers.iter().find(|answer| answer.is_err()) {
        info!("{why}");
    }
    Ok(answers.iter().filter(|answer| answer.is_ok()).count().to_string())
}

fn headers(request: Request) -> Result<Response> {
    let mut response = Response::new(Body::empty());
    for n in 0..number(&request) {
        let name = http::HeaderName::try_from(format!("x-{n}"))?;
        response.headers_mut().insert(name, http::HeaderValue::try_from("v".repeat(1024))?);
    }
    Ok(response)
}

fn large(request: Request) -> Response {
    let pieces = number(&request);
    Response::new(Body::stream(move |out| {
        let piece = vec![b'.'; 1 << 20];
        (0..pieces).try_for_each(|_| out.write_all(&piece))
    }))
}

fn drip() -> Response {
    Response::new(Body::stream(|out| {
        loop {
            out.write_all(b".")?;
            out.flush()?;
        }
    }))
}

fn fill(request: Request) -> Result<String> {
    let bucket = kv::open("fill")?;
    let value = vec![7_u8; 1 << 20];
    let mut taken = 0;
    for n in 0..number(&request) {
        match bucket.set(&n.to_string(), &value) {
            Ok(()) => taken += 1,
            Err(why) => {
                info!("{why}");
                break;
            }
        }
    }
    Ok(taken.to_string())
}

fn cut() -> Response {
    Response::new(Body::stream(|out| {
        out.write_all(b"half of an ans")?;
        out.flush()?;
        panic!("as asked")
    }))
}

fn silent() -> Result<()> {
    kv::open("silent")?.set("k", config::get("word")?.unwrap_or_default())?;
    panic!("as asked")
}

fn was_silent() -> Result<String> {
    Ok(kv::open("silent")?.exists("k")?.to_string())
}
