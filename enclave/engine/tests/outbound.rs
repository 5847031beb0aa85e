//! Fetching: who may, where, how much, and what a program is told when it may not.

mod common;

use common::*;
use phala_engine::Mode;
use std::sync::Arc;

/// What a query that may fetch from every `*.test` answers.
async fn fetch(path: &str) -> String {
    let program = probe(|manifest| allow(manifest, &["*.test"]));
    ask(&program, path).await.unwrap()
}

#[tokio::test]
async fn a_query_fetches_from_hosts_on_its_list() {
    let program = probe(|manifest| allow(manifest, &["example.com", "*.test:8080"]));
    let world = Arc::<World>::default();
    for (url, answer) in [
        ("https://example.com/a?b", "200 2"),
        ("http://a.b.test:8080/", "200 2"),
        ("https://example.com:8443/", "ErrorCode::HttpRequestDenied"),
        ("https://other.com/", "ErrorCode::HttpRequestDenied"),
        ("http://a.b.test/", "ErrorCode::HttpRequestDenied"),
    ] {
        let seen =
            text(finish(&program, call(Mode::Query, get(&format!("/fetch?{url}")), Fixed::default(), &world)).await);
        assert_eq!(seen, Ok(answer.into()), "{url}");
    }
    assert_eq!(*world.fetched.lock().unwrap(), ["GET https://example.com/a?b 0", "GET http://a.b.test:8080/ 0"]);
    let logs = world.logs.lock().unwrap();
    assert!(
        logs.contains(&"warn outbound: other.com is not among the program's outbound hosts".to_owned()),
        "{logs:?}"
    );
}

#[tokio::test]
async fn a_program_without_a_list_fetches_nothing() {
    assert_eq!(ask(&PROGRAM, "/fetch?https://example.com/").await, Ok("ErrorCode::HttpRequestDenied".into()));
}

#[tokio::test]
async fn a_command_may_not_fetch_and_is_told_why() {
    let program = probe(|manifest| allow(manifest, &["example.com"]));
    let world = Arc::<World>::default();
    let path = get("/fetch?https://example.com/");
    let answer = text(finish(&program, call(COMMAND, path, Fixed::default(), &world)).await).unwrap();
    assert!(answer.starts_with("at once: ") && answer.contains("a command may not fetch: ask in a query"), "{answer}");
    assert!(world.fetched.lock().unwrap().is_empty());
}

#[tokio::test]
async fn each_failure_has_its_code() {
    for (host, code) in [
        ("private", "ErrorCode::DestinationIpProhibited"),
        ("refused", "ErrorCode::ConnectionRefused"),
        ("tls", "ErrorCode::TlsProtocolError"),
        ("garbage", "ErrorCode::HttpProtocolError"),
    ] {
        assert_eq!(fetch(&format!("/fetch?https://{host}.test/")).await, code);
    }
    assert!(fetch("/fetch?https://nowhere.test/").await.contains("no address for nowhere.test"));
    assert!(fetch("/fetch?https://offline.test/").await.contains("this worker does not fetch"));
}

#[tokio::test]
async fn a_silent_host_does_not_outlast_the_query() {
    let program = probe(|manifest| {
        allow(manifest, &["silent.test"]);
        manifest.limits.query_ms_max = 300;
    });
    assert_eq!(ask(&program, "/fetch?https://silent.test/").await, Err(phala_engine::CallError::OutOfTime(300)));
}

#[tokio::test]
async fn a_silent_host_is_given_up_when_the_program_says() {
    assert_eq!(fetch("/fetch-impatiently?https://silent.test/").await, "ErrorCode::HttpResponseTimeout");
}

#[tokio::test]
async fn bodies_are_limited_both_ways() {
    assert_eq!(fetch("/fetch?https://large.test/8388608").await, "200 8388608");
    let large = fetch("/fetch?https://large.test/8388609").await;
    assert!(large.starts_with("200 ") && large.contains("body size exceeds limit"), "{large}");
    assert_eq!(fetch("/fetch-post?1000000%20https://any.test/").await, "true true Ok(200)");
    let large = fetch("/fetch-post?9000000%20https://any.test/").await;
    assert!(large.contains("Err("), "{large}");
}

#[tokio::test]
async fn a_responses_head_is_limited() {
    assert_eq!(fetch("/fetch?https://headers.test/128").await, "200 0");
    assert!(fetch("/fetch?https://headers.test/129").await.contains("HttpResponseHeaderSectionSize"));
}
