//! A WASI 0.3 program that does whatever a test asks of it: the path names the deed.

use wasip3::{
    clocks::{monotonic_clock, system_clock},
    http::{
        client,
        types::{ErrorCode, Fields, Request, Response, Scheme},
    },
    random::random,
    wit_bindgen, wit_future, wit_stream,
};

struct Probe;
wasip3::http::service::export!(Probe);

impl wasip3::exports::http::handler::Guest for Probe {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let text = match path {
            "/hello" => "hello, world".to_owned(),
            "/echo" => return Ok(echo(request)),
            "/stream" => return Ok(stream(query.parse().unwrap())),
            "/trap" => panic!("as asked"),
            "/head-then-trap" => return Ok(head_then_trap()),
            "/error-code" => return Err(ErrorCode::LoopDetected),
            "/loop" => loop {
                std::hint::black_box(0);
            },
            "/random" => random::get_random_u64().to_string(),
            "/time" => system_clock::now().seconds.to_string(),
            "/sleep" => {
                let before = monotonic_clock::now();
                monotonic_clock::wait_for(query.parse::<u64>().unwrap() * 1_000_000).await;
                ((monotonic_clock::now() - before) / 1_000_000).to_string()
            }
            "/wait-for-ever" => {
                // The end that would write is here, and nobody writes.
                let (_writer, reader) = wit_future::new(|| Ok(None));
                format!("{:?}", reader.await)
            }
            "/fetch" => fetch(query).await,
            _ => "no such deed".to_owned(),
        };
        Ok(answer(async move |mut body| {
            body.write_all(text.into_bytes()).await;
        }))
    }
}

type Body = wit_bindgen::StreamWriter<u8>;

fn answer(write: impl AsyncFnOnce(Body) + 'static) -> Response {
    let (body, reader) = wit_stream::new();
    let (trailers, end) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(reader), end);
    wit_bindgen::spawn_local(async move {
        write(body).await;
        let _ = trailers.write(Ok(None)).await;
    });
    response
}

fn echo(request: Request) -> Response {
    let (_done, result) = wit_future::new(|| Ok(()));
    let (mut incoming, _trailers) = Request::consume_body(request, result);
    answer(async move |mut body| {
        while let Some(byte) = incoming.next().await {
            if !body.write_all(vec![byte]).await.is_empty() {
                break;
            }
        }
    })
}

fn stream(events: u32) -> Response {
    answer(async move |mut body| {
        for event in 0..events {
            body.write_all(format!("data: {event}\n\n").into_bytes()).await;
            monotonic_clock::wait_for(10_000_000).await;
        }
    })
}

fn head_then_trap() -> Response {
    answer(async |mut body| {
        body.write_all(b"so far so good".to_vec()).await;
        panic!("after the head");
    })
}

async fn fetch(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (trailers, end) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (request, _sent) = Request::new(Fields::new(), None, end, None);
    request.set_scheme(Some(&if scheme == "http" { Scheme::Http } else { Scheme::Https })).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(&format!("/{path}"))).unwrap();
    match client::send(request).await {
        Ok(response) => response.get_status_code().to_string(),
        Err(error) => format!("{error:?}"),
    }
}
