//! What strangers throw at a worker: every malformed thing gets a clear answer, and nothing falls over.

mod common;

use common::{Caller, Lab, caller_request as request, request_hash};
use http::{HeaderValue, Request};
use phala_crypto::channel;
use phala_enclave_worker::Problem;
use phala_machine::Clock;
use phala_messages::{ProgramId, limits::QUERY_BODY_BYTES_MAX, query::AUTHORIZATION_FIELD};
use phala_units::UnixMillis;
use proptest::{prelude::*, test_runner::TestRunner};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_a_sealed_request_are_refused() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let worker = &process.worker;
    let (sealed, _) =
        channel::seal_request(&worker.identity.transport.0, &request(&program, "GET", "/hello", b"")).unwrap();
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert_eq!(worker.query(&altered).await, Err(Problem::Sealed), "byte {at}");
        assert_eq!(worker.query(&sealed[..at]).await, Err(Problem::Sealed), "{at} bytes");
    }
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        TestRunner::default()
            .run(&proptest::collection::vec(any::<u8>(), 0..300), |bytes| {
                prop_assert_eq!(handle.block_on(worker.query(&bytes)), Err(Problem::Sealed));
                Ok(())
            })
            .unwrap();
    });
    assert!(alice.query(worker, request(&program, "GET", "/hello", b"")).await.is_ok(), "it still answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_nobody_and_beyond_limits_are_answered_with_their_problem() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let worker = &process.worker;
    let to = |uri: &str| Request::get(uri).body(Vec::new()).unwrap();
    let large = vec![0; QUERY_BODY_BYTES_MAX as usize + 1];
    for (ask, name) in [
        (to("https://example.org/hello"), "no-such-authority"),
        (to(&format!("https://{}.phala:80/hello", "ab".repeat(32))), "no-such-authority"),
        (request(&ProgramId([9; 32]), "GET", "/hello", b""), "unknown-program"),
        (request(&program, "GET", "/.phala/nothing", b""), "not-owner"),
        (request(&program, "POST", "/.phala/logs", b""), "no-such-path"),
        (request(&program, "POST", "/hello", &large), "request-too-large"),
        (request(&program, "GET", "/trap", b""), "program-trapped"),
        (request(&program, "GET", "/loop", b""), "program-out-of-time"),
        (request(&program, "GET", "/memory?140000000", b""), "program-out-of-memory"),
        (request(&program, "GET", "/no-response", b""), "program-gave-no-answer"),
    ] {
        let what = ask.uri().to_string();
        let answer = alice.query(worker, ask).await.unwrap();
        assert_eq!(answer.problem(), Some(name), "{what}");
        assert!(answer.receipt.is_none(), "{what}");
    }
    let answer = alice.query(worker, request(&program, "GET", "/hello", b"")).await.unwrap();
    assert_eq!(answer.text(), "hello, world", "the worker is unharmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorization_counts_once_for_one_request_one_process_and_a_short_time() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let worker = &process.worker;
    let ask = || request(&program, "GET", "/context", b"");
    let at = |ms: i64| UnixMillis(lab.clock.now().0.saturating_add_signed(ms));
    let name = async |request| alice.query(worker, request).await.unwrap().problem().map(str::to_owned);

    let good = alice.authorize(worker, &program, ask(), at(60_000));
    let answer = alice.query(worker, good.clone()).await.unwrap();
    assert!(answer.problem().is_none());
    assert_eq!(answer.receipt().receipt.request, request_hash(&ask()), "the header is no part of the request");
    assert_eq!(name(good).await.as_deref(), Some("authorization-replayed"));
    assert_eq!(name(alice.authorize(worker, &program, ask(), at(-1))).await.as_deref(), Some("authorization-expired"));
    assert_eq!(
        name(alice.authorize(worker, &program, ask(), at(301_000))).await.as_deref(),
        Some("authorization-expired")
    );

    let mut other_path = alice.authorize(worker, &program, ask(), at(60_000));
    *other_path.uri_mut() = request(&program, "GET", "/hello", b"").uri().clone();
    assert_eq!(name(other_path).await.as_deref(), Some("authorization-invalid"));
    let mut other_body = alice.authorize(worker, &program, ask(), at(60_000));
    other_body.body_mut().push(1);
    assert_eq!(name(other_body).await.as_deref(), Some("authorization-invalid"));
    let elsewhere = alice.authorize(worker, &ProgramId([9; 32]), ask(), at(60_000));
    assert_eq!(name(elsewhere).await.as_deref(), Some("authorization-invalid"));
    for garbage in ["", "!", "AAAA"] {
        let mut request = ask();
        request.headers_mut().insert(AUTHORIZATION_FIELD, HeaderValue::from_static(garbage));
        assert_eq!(name(request).await.as_deref(), Some("authorization-invalid"), "{garbage}");
    }
    let mut twice = alice.authorize(worker, &program, ask(), at(60_000));
    let field = twice.headers()[AUTHORIZATION_FIELD].clone();
    twice.headers_mut().append(AUTHORIZATION_FIELD, field);
    assert_eq!(name(twice).await.as_deref(), Some("authorization-invalid"));

    // Another process of the same worker takes none that was made for this one.
    let good = alice.authorize(worker, &program, ask(), at(200_000));
    drop(process);
    let process = lab.start();
    lab.until_serving(&process, &program).await;
    let answer = alice.query(&process.worker, good).await.unwrap();
    assert_eq!(answer.problem(), Some("authorization-invalid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_streamed_query_is_answered_in_pieces_with_a_receipt_over_all_of_them() {
    let lab = Lab::new();
    let alice = Caller::new(1);
    let (process, program) = lab.live(&alice).await;
    let body: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let echo = request(&program, "POST", "/echo", &body);
    let hash = request_hash(&echo);
    let answer = alice.query_chunked(&process.worker, echo).await.unwrap();
    assert_eq!(answer.response.body(), &body);
    assert_eq!(answer.receipt().receipt.request, hash);

    // A program that does not read its request: the receipt covers all of it nevertheless.
    let ignored = request(&program, "POST", "/hello", &body);
    let hash = request_hash(&ignored);
    let answer = alice.query_chunked(&process.worker, ignored).await.unwrap();
    assert_eq!((answer.text().as_str(), answer.receipt().receipt.request), ("hello, world", hash));

    let soon = UnixMillis(lab.clock.now().0 + 30_000);
    let signed = alice.authorize(&process.worker, &program, request(&program, "POST", "/echo", b"signed"), soon);
    assert_eq!(alice.query_chunked(&process.worker, signed).await.unwrap().text(), "signed");

    for (path, name) in [("/trap", "program-trapped"), ("/.phala/logs", "not-owner")] {
        let answer = alice.query_chunked(&process.worker, request(&program, "GET", path, b"")).await.unwrap();
        assert_eq!(answer.problem(), Some(name), "{path}");
    }
    // One that fails after it has begun to speak: if its head is out already the stream is cut, never complete.
    let cut = alice.query_chunked(&process.worker, request(&program, "GET", "/head-then-trap", b"")).await;
    assert!(cut.is_none_or(|answer| answer.problem() == Some("program-trapped") && answer.receipt.is_none()));
}
