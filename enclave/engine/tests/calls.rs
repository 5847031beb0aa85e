//! What a program sees and can do, in queries and in commands.

mod common;

use common::*;
use http_body_util::{BodyExt, StreamBody};
use phala_engine::{Body, BodyError, CallError, Mode, attestation::report_data, whole_body};
use phala_messages::ids::ProgramId;
use phala_units::UnixMillis;
use std::sync::Arc;

#[tokio::test]
async fn a_query_is_answered() {
    let (response, outcome) = finish(&PROGRAM, query(get("/hello"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.body(), "hello, world");
    assert!(outcome.fuel > 100 && outcome.fuel < 1_000_000, "{}", outcome.fuel);
    assert!(outcome.changes.is_empty());
}

#[tokio::test]
async fn a_program_sees_the_request_as_it_was_sent() {
    let request = http::Request::put("http://shop.example:81/describe?a=b&c")
        .header("x-one", "1")
        .header("connection", "close")
        .body(whole_body(""))
        .unwrap();
    let seen = text(finish(&PROGRAM, query(request)).await).unwrap();
    assert_eq!(seen, r#"Method::Put Some(Scheme::Http) Some("shop.example:81") Some("/describe?a=b&c") ["x-one=1"]"#);
}

#[tokio::test]
async fn a_request_without_an_authority_gets_one() {
    let request = http::Request::get("/describe").header("host", "named.example").body(whole_body("")).unwrap();
    assert!(text(finish(&PROGRAM, query(request)).await).unwrap().contains(r#"Some("named.example")"#));
    let request = http::Request::get("/describe").body(whole_body("")).unwrap();
    assert!(text(finish(&PROGRAM, query(request)).await).unwrap().contains(r#"Some("phala.invalid")"#));
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let (send, receive) = tokio::sync::mpsc::channel::<&'static str>(1);
    let pieces = futures::stream::unfold(receive, |mut receive| async {
        let piece = receive.recv().await?;
        Some((Ok::<_, BodyError>(http_body::Frame::data(piece.into())), receive))
    });
    let request = get("/echo").map(|_| -> Body { BodyExt::boxed_unsync(StreamBody::new(pieces)) });
    let mut answer = PROGRAM.call(query(request)).await.unwrap();
    for piece in ["first", "second", "third"] {
        send.send(piece).await.unwrap();
        let frame = answer.response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece, "each piece comes back before the next one is sent");
    }
    drop(send);
    assert!(answer.response.body_mut().frame().await.is_none());
    answer.outcome.await.unwrap();
}

#[tokio::test]
async fn a_request_body_that_breaks_off_ends_what_the_program_reads() {
    let pieces = futures::stream::iter([
        Ok(http_body::Frame::data("begun".into())),
        Err(BodyError::Broken("the caller went away".into())),
    ]);
    let request = get("/echo").map(|_| -> Body { BodyExt::boxed_unsync(StreamBody::new(pieces)) });
    assert_eq!(text(finish(&PROGRAM, query(request)).await), Ok("begun".into()));
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let mut answer = PROGRAM.call(query(get("/stream?3"))).await.unwrap();
    assert_eq!(answer.response.headers()["content-type"], "text/event-stream");
    let mut frames = Vec::new();
    while let Some(frame) = answer.response.body_mut().frame().await {
        frames.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(frames, ["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"]);
    answer.outcome.await.unwrap();
}

#[tokio::test]
async fn a_large_body_passes_whole() {
    let body = vec![b'y'; 5_000_000];
    let request = get("/echo").map(|_| whole_body(body.clone()));
    let (response, _) = finish(&PROGRAM, query(request)).await.unwrap();
    assert!(response.body() == &body, "{} bytes came back", response.body().len());
}

#[tokio::test]
async fn a_command_reads_its_writes_and_leaves_them_behind() {
    let state = Fixed::of([("a", "1"), ("b", "2")]);
    let script = "/kv?get:a;set:a=new;get:a;del:b;get:b;exists:b;inc:n=5;inc:n=-2;list";
    let (response, outcome) = finish(&PROGRAM, call(COMMAND, get(script), state, &Arc::default())).await.unwrap();
    let lines: Vec<_> = std::str::from_utf8(response.body()).unwrap().lines().collect();
    assert_eq!(
        lines,
        [
            r#"Ok(Some("1"))"#,
            "Ok(())",
            r#"Ok(Some("new"))"#,
            "Ok(())",
            "Ok(None)",
            "Ok(false)",
            "Ok(5)",
            "Ok(3)",
            r#"Ok(["a", "n"])"#
        ]
    );
    let change =
        |key: &str, value: Option<&'static str>| (("default".to_owned(), key.to_owned()), value.map(Into::into));
    assert_eq!(outcome.changes, [change("a", Some("new")), change("b", None), change("n", Some("3"))].into());
}

#[tokio::test]
async fn batches_are_all_or_nothing() {
    let state = Fixed::of([("a", "1")]);
    let long = "k".repeat(513);
    let script = format!("/kv?many:a=2,b=3;gets:a,b,c;many:a=9,{long}=1;gets:a,b;dels:a,b,c;list");
    let (response, outcome) = finish(&PROGRAM, call(COMMAND, get(&script), state, &Arc::default())).await.unwrap();
    let lines: Vec<_> = std::str::from_utf8(response.body()).unwrap().lines().collect();
    assert_eq!(lines[0], "Ok(())");
    assert_eq!(lines[1], r#"Ok([("a", Some([50])), ("b", Some([51])), ("c", None)])"#);
    assert!(lines[2].contains("a key has at most 512 bytes"), "{}", lines[2]);
    assert_eq!(lines[3], r#"Ok([("a", Some([50])), ("b", Some([51]))])"#);
    assert_eq!(lines[4..], ["Ok(())", "Ok([])"]);
    assert_eq!(outcome.changes.len(), 1, "b came and went: {:?}", outcome.changes);
}

#[tokio::test]
async fn a_swap_fails_when_the_value_has_changed_and_succeeds_afresh() {
    assert_eq!(order(&PROGRAM, "/kv-cas").await, Ok(r#"None true Some("won")"#.into()));
}

#[tokio::test]
async fn all_keys_can_be_listed_page_by_page() {
    let keys: Vec<_> = (0..1_000).map(|n| format!("{n:04}")).collect();
    let state = Fixed::of(keys.iter().map(|key| (key.as_str(), "v")));
    let answer = finish(&PROGRAM, call(Mode::Query, get("/kv-pages"), state, &Arc::default())).await;
    assert_eq!(text(answer), Ok("1000 keys on 4 pages".into()));
}

#[tokio::test]
async fn a_query_reads_state_and_is_told_that_it_may_not_write() {
    let state = Fixed::of([("a", "1")]);
    let script = get("/kv?get:a;set:a=2;del:a;inc:a=1;get:a");
    let (response, outcome) = finish(&PROGRAM, call(Mode::Query, script, state, &Arc::default())).await.unwrap();
    let lines: Vec<_> = std::str::from_utf8(response.body()).unwrap().lines().collect();
    for refused in &lines[1..4] {
        assert!(refused.contains("a query may not write: send a command"), "{refused}");
    }
    assert_eq!((lines[0], lines[4]), (r#"Ok(Some("1"))"#, r#"Ok(Some("1"))"#));
    assert!(outcome.changes.is_empty());
}

#[tokio::test]
async fn keys_and_values_that_are_too_large_are_refused_in_words() {
    let answer = order(&PROGRAM, "/kv?size:512=1048576;size:513=1;size:1=1048577;open:;open:other").await.unwrap();
    let lines: Vec<_> = answer.lines().collect();
    assert_eq!(lines[0], "Ok(())");
    assert!(lines[1].contains("a key has at most 512 bytes"), "{}", lines[1]);
    assert!(lines[2].contains("a value has at most 1048576 bytes"), "{}", lines[2]);
    assert!(lines[3].contains("NoSuchStore"), "{}", lines[3]);
    assert_eq!(lines[4], "Ok(())");
}

#[tokio::test]
async fn state_that_is_full_is_refused_in_words() {
    let program = probe(|manifest| manifest.limits.command_fuel_max = 20_000_000_000);
    let answer = order(&program, "/kv-fill?70").await.unwrap();
    assert!(answer.starts_with("63: ") && answer.contains("the program's state is full"), "{answer}");
}

#[tokio::test]
async fn settings_are_read() {
    assert_eq!(
        ask(&PROGRAM, "/config?greeting").await,
        Ok(r#"Some("hi") [("greeting", "hi"), ("other", "1")]"#.into())
    );
    assert_eq!(ask(&PROGRAM, "/config?none").await, Ok(r#"None [("greeting", "hi"), ("other", "1")]"#.into()));
}

#[tokio::test]
async fn words_reach_the_log() {
    let world = Arc::<World>::default();
    finish(&PROGRAM, call(Mode::Query, get("/log?hey"), Fixed::default(), &world)).await.unwrap();
    let mut logs = world.logs.lock().unwrap().clone();
    logs.sort();
    assert_eq!(logs, ["error stderr: err hey", "info stdout: out hey", "warn probe: hey"]);
}

#[tokio::test]
async fn a_program_knows_who_calls_and_how() {
    let query = ask(&PROGRAM, "/context").await.unwrap();
    assert!(query.contains("Mode::Query") && query.contains("height: 42"), "{query}");
    let command = order(&PROGRAM, "/context").await.unwrap();
    assert!(command.contains("Mode::Command(7)") && command.contains(&format!("{:?}", [2_u8; 32])), "{command}");
}

#[tokio::test]
async fn keys_come_from_the_port_and_labels_are_limited() {
    let answer = order(&PROGRAM, "/keys?label").await.unwrap();
    assert_eq!(answer, format!("Ok({:?}) Ok({:?}) Ok({:?})", [5_u8; 32], [6_u8; 32], vec![12_u8; 64]));
    let long = ask(&PROGRAM, &format!("/keys?{}", "x".repeat(257))).await.unwrap();
    assert_eq!(long.matches("LabelTooLong(256)").count(), 3, "{long}");
}

#[tokio::test]
async fn a_quote_speaks_for_the_program_and_is_refused_to_commands() {
    let world = Arc::<World>::default();
    let answer = finish(&PROGRAM, call(Mode::Query, get("/quote?nonce"), Fixed::default(), &world)).await;
    assert_eq!(text(answer), Ok(format!("Ok({:?})", b"quote")));
    assert_eq!(*world.quoted.lock().unwrap(), [report_data(&ProgramId([1; 32]), b"nonce")]);
    assert!(order(&PROGRAM, "/quote?nonce").await.unwrap().contains("Error::Command"));
    assert!(ask(&PROGRAM, "/quote-size?1024").await.unwrap().starts_with("Ok"));
    assert!(ask(&PROGRAM, "/quote-size?1025").await.unwrap().contains("DataTooLong(1024)"));
}

#[tokio::test]
async fn there_is_nothing_around_a_program() {
    assert_eq!(ask(&PROGRAM, "/surroundings").await, Ok("[] [] true true true".into()));
}

#[tokio::test]
async fn a_query_has_the_machines_clock() {
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let seen: u128 = ask(&PROGRAM, "/std-time").await.unwrap().parse().unwrap();
    assert!(seen >= before && seen < before + 600_000);
    let slept: u64 = ask(&PROGRAM, "/sleep?20").await.unwrap().parse().unwrap();
    assert!(slept >= 20);
}

#[tokio::test]
async fn a_command_has_the_blocks_clock_and_sleeps_in_no_time() {
    assert_eq!(order(&PROGRAM, "/std-time").await, Ok("1700000000000".into()));
    assert_eq!(order(&PROGRAM, "/time").await, Ok("1700000000 0".into()));
    assert_eq!(order(&PROGRAM, "/sleep?86400000").await, Ok("86400000".into()));
    assert_eq!(order(&PROGRAM, "/timeouts").await, Ok("[1] 1000000000 9000000000".into()));
}

#[tokio::test]
async fn the_same_command_gives_the_same_everywhere() {
    let other = load(&engine(), &PROBE, &Default::default());
    for path in [
        "/hello",
        "/random",
        "/time",
        "/timeouts",
        "/kv?inc:n=1;set:a=b;list",
        "/stream?20",
        "/large-body?300000",
        "/trap",
    ] {
        let run = |program| finish(program, call(COMMAND, get(path), Fixed::of([("x", "y")]), &Arc::default()));
        let first = run(&PROGRAM).await.map(|(response, outcome)| (response.into_body(), outcome));
        let again = run(&PROGRAM).await.map(|(response, outcome)| (response.into_body(), outcome));
        let elsewhere = run(&other).await.map(|(response, outcome)| (response.into_body(), outcome));
        assert!(first == again && first == elsewhere, "{path}: {first:?} {again:?} {elsewhere:?}");
        assert_eq!(first.is_err(), path == "/trap");
    }
}

#[tokio::test]
async fn another_seed_gives_other_randomness_and_a_query_fresh_one() {
    let seeded = |seed| Mode::Command { index: 0, time: UnixMillis(0), seed };
    let random = async |mode| {
        text(finish(&PROGRAM, call(mode, get("/random"), Fixed::default(), &Arc::default())).await).unwrap()
    };
    assert_ne!(random(seeded([1; 32])).await, random(seeded([2; 32])).await);
    assert_ne!(random(Mode::Query).await, random(Mode::Query).await);
}

#[tokio::test]
async fn canonical_nans_are_a_program_of_their_own() {
    let program =
        load(&ENGINE, &PROBE, &phala_messages::program::Manifest { canonical_nans: true, ..Default::default() });
    assert_eq!(order(&program, "/hello").await, Ok("hello, world".into()));
}

#[tokio::test]
async fn each_call_has_an_instance_of_its_own_unless_the_program_shares() {
    for _ in 0..3 {
        assert_eq!(ask(&PROGRAM, "/counter").await, Ok("0".into()));
    }
    let sharing = probe(|manifest| manifest.reuse = 3);
    for expected in ["0", "1", "2", "0"] {
        assert_eq!(ask(&sharing, "/counter").await, Ok(expected.into()));
    }
    for _ in 0..2 {
        assert_eq!(order(&sharing, "/counter").await, Ok("0".into()), "commands never share");
    }
}

#[tokio::test]
async fn a_shared_instance_is_dropped_after_a_crash() {
    let sharing = probe(|manifest| manifest.reuse = 100);
    assert_eq!(ask(&sharing, "/counter").await, Ok("0".into()));
    assert!(matches!(ask(&sharing, "/trap").await, Err(CallError::Trap(_))));
    assert_eq!(ask(&sharing, "/counter").await, Ok("0".into()));
}
