//! Components of WASI 0.3.

mod common;

use common::*;
use http_body_util::BodyExt;
use phala_engine::{CallError, Program};
use phala_messages::program::Manifest;
use std::sync::{Arc, LazyLock};

static P3: LazyLock<Program> = LazyLock::new(|| load(&ENGINE, &PROBE_P3, &Manifest::default()));

#[tokio::test]
async fn a_query_is_answered() {
    let (response, outcome) = finish(&P3, query(get("/hello"))).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, b"hello, world".as_slice()));
    assert!(outcome.fuel > 100);
}

#[tokio::test]
async fn bodies_stream() {
    let body = vec![b'y'; 300_000];
    let (response, _) = finish(&P3, query(get("/echo").map(|_| phala_engine::whole_body(body.clone())))).await.unwrap();
    assert!(response.body() == &body, "{} bytes came back", response.body().len());
    let mut answer = P3.call(query(get("/stream?3"))).await.unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = answer.response.body_mut().frame().await {
        frames.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(frames, ["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"]);
    answer.outcome.await.unwrap();
}

#[tokio::test]
async fn failures_are_named() {
    assert!(matches!(ask(&P3, "/trap").await, Err(CallError::Trap(_))));
    assert!(matches!(ask(&P3, "/error-code").await, Err(CallError::ErrorCode(code)) if code.contains("LoopDetected")));
    assert!(matches!(ask(&P3, "/head-then-trap").await, Err(CallError::Trap(_))));
    assert_eq!(ask(&P3, "/hello").await, Ok("hello, world".into()));
}

#[tokio::test]
async fn limits_hold() {
    let mut manifest = Manifest::default();
    manifest.limits.query_ms_max = 200;
    manifest.limits.command_fuel_max = 20_000_000;
    let program = load(&ENGINE, &PROBE_P3, &manifest);
    assert_eq!(ask(&program, "/loop").await, Err(CallError::OutOfTime(200)));
    assert_eq!(order(&program, "/loop").await, Err(CallError::OutOfFuel(20_000_000)));
    assert_eq!(ask(&program, "/wait-for-ever").await, Err(CallError::OutOfTime(200)));
    assert!(matches!(order(&program, "/wait-for-ever").await, Err(CallError::Trap(_))), "nobody will wake it");
}

#[tokio::test]
async fn the_same_command_gives_the_same_everywhere() {
    let other = load(&engine(), &PROBE_P3, &Manifest::default());
    for path in ["/hello", "/random", "/time", "/sleep?5000", "/stream?5"] {
        let run = |program| finish(program, call(COMMAND, get(path), Fixed::default(), &Arc::default()));
        let first = run(&P3).await.map(|(response, outcome)| (response.into_body(), outcome)).unwrap();
        let elsewhere = run(&other).await.map(|(response, outcome)| (response.into_body(), outcome)).unwrap();
        assert_eq!(first, elsewhere, "{path}");
    }
    assert_eq!(order(&P3, "/time").await, Ok("1700000000".into()));
    assert_eq!(order(&P3, "/sleep?5000").await, Ok("5000".into()));
}

#[tokio::test]
async fn only_queries_fetch() {
    let mut manifest = Manifest::default();
    allow(&mut manifest, &["example.com"]);
    let program = load(&ENGINE, &PROBE_P3, &manifest);
    assert_eq!(ask(&program, "/fetch?https://example.com/").await, Ok("200".into()));
    assert!(ask(&program, "/fetch?https://other.com/").await.unwrap().contains("HttpRequestDenied"));
    assert!(order(&program, "/fetch?https://example.com/").await.unwrap().contains("a command may not fetch"));
}
