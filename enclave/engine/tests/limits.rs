//! Every limit, and that whoever exceeds one loses that call and nothing else.

mod common;

use common::*;
use futures::future::join_all;
use http_body_util::BodyExt;
use phala_engine::{BodyError, CallError, Engine, EngineConfig, HANDLES_MAX, Mode, whole_body};
use phala_messages::limits::{ANSWER_BODY_BYTES_MAX, HEADERS_MAX, OUTBOUND_REQUESTS_DEFAULT};
use std::sync::Arc;

const MIB: u32 = 1024 * 1024;

/// The program still answers.
async fn still_answers() {
    assert_eq!(ask(&PROGRAM, "/hello").await, Ok("hello, world".into()));
}

#[tokio::test]
async fn a_crash_is_named() {
    let world = Arc::<World>::default();
    let crash = text(finish(&PROGRAM, call(Mode::Query, get("/trap"), Fixed::default(), &world)).await);
    assert_eq!(crash, Err(CallError::Trap("wasm `unreachable` instruction executed".into())));
    assert!(world.logs.lock().unwrap().iter().any(|line| line.contains("as asked")), "the panic's words are logged");
    assert_eq!(ask(&PROGRAM, "/exit?3").await, Err(CallError::Trap("it exited with code 1".into())));
    assert_eq!(ask(&PROGRAM, "/exit?0").await, Err(CallError::NoResponse));
    still_answers().await;
}

#[tokio::test]
async fn an_endless_loop_ends_with_the_querys_time() {
    let program = probe(|manifest| manifest.limits.query_ms_max = 200);
    assert_eq!(ask(&program, "/loop").await, Err(CallError::OutOfTime(200)));
    assert_eq!(ask(&program, "/wait-for-ever").await, Err(CallError::OutOfTime(200)));
    still_answers().await;
}

/// On one thread: if a loop did not give way, nobody else would be served.
#[tokio::test(flavor = "current_thread")]
async fn endless_loops_give_way_to_others() {
    let program = probe(|manifest| manifest.limits.query_ms_max = 2_000);
    let loops = join_all((0..4).map(|_| ask(&program, "/loop")));
    let (loops, answers) = tokio::join!(loops, join_all((0..20).map(|_| ask(&PROGRAM, "/hello"))));
    assert!(loops.iter().all(|ended| *ended == Err(CallError::OutOfTime(2_000))));
    assert!(answers.iter().all(|answer| *answer == Ok("hello, world".into())));
}

#[tokio::test]
async fn an_endless_loop_ends_with_the_commands_fuel() {
    let program = probe(|manifest| manifest.limits.command_fuel_max = 50_000_000);
    assert_eq!(order(&program, "/loop").await, Err(CallError::OutOfFuel(50_000_000)));
    assert_eq!(order(&program, "/hello").await, Ok("hello, world".into()));
}

#[tokio::test]
async fn the_last_unit_of_fuel_decides() {
    let (_, outcome) =
        finish(&PROGRAM, call(COMMAND, get("/count?1000"), Fixed::default(), &Arc::default())).await.unwrap();
    let enough = probe(|manifest| manifest.limits.command_fuel_max = outcome.fuel);
    assert_eq!(order(&enough, "/count?1000").await, Ok("1000".into()));
    let short = probe(|manifest| manifest.limits.command_fuel_max = outcome.fuel - 1);
    assert_eq!(order(&short, "/count?1000").await, Err(CallError::OutOfFuel(outcome.fuel - 1)));
}

#[tokio::test]
async fn work_that_the_host_does_is_paid_for() {
    let program = probe(|manifest| manifest.limits.command_fuel_max = 100_000_000);
    let large = "x".repeat(1_000_000);
    let state = Fixed::of([("large", large.as_str())]);
    let spent = finish(&program, call(COMMAND, get("/kv-read-loop"), state, &Arc::default())).await;
    assert_eq!(text(spent), Err(CallError::OutOfFuel(100_000_000)));
}

#[tokio::test]
async fn a_command_that_waits_for_nothing_is_told_so() {
    let stuck = Err(CallError::Trap("it waits for something that cannot come".into()));
    assert_eq!(order(&PROGRAM, "/deadlock").await, stuck);
    assert_eq!(order(&PROGRAM, "/wait-for-ever").await, Ok("it came".into()), "time does come");
}

#[tokio::test]
async fn a_memory_bomb_is_named() {
    let program = probe(|manifest| manifest.limits.memory_bytes_max = 8 * MIB);
    assert_eq!(ask(&program, "/memory?4000000").await, Ok("4000000".into()));
    assert_eq!(ask(&program, "/memory?9000000").await, Err(CallError::OutOfMemory(8 * MIB)));
    assert_eq!(ask(&program, "/memory-politely?9000000").await, Ok("refused".into()));
    assert_eq!(ask(&PROGRAM, "/memory?100000000").await, Ok("100000000".into()));
    assert_eq!(ask(&PROGRAM, "/memory?140000000").await, Err(CallError::OutOfMemory(128 * MIB)));
    let tiny = probe(|manifest| manifest.limits.memory_bytes_max = 64 * 1024);
    assert_eq!(ask(&tiny, "/hello").await, Err(CallError::OutOfMemory(64 * 1024)));
    still_answers().await;
}

#[tokio::test]
async fn deep_recursion_ends_on_the_stack() {
    assert_eq!(ask(&PROGRAM, "/recursion?1000").await, Ok("1000".into()));
    let Err(CallError::Trap(reason)) = ask(&PROGRAM, "/recursion?100000000").await else { panic!("it must crash") };
    assert!(reason.contains("call stack exhausted") || reason.contains("out of bounds"), "{reason}");
    still_answers().await;
}

#[tokio::test]
async fn handles_are_limited() {
    assert_eq!(ask(&PROGRAM, &format!("/handles?{}", HANDLES_MAX / 2)).await, Ok((HANDLES_MAX / 2).to_string()));
    assert_eq!(
        ask(&PROGRAM, &format!("/handles?{}", 2 * HANDLES_MAX)).await,
        Err(CallError::TooManyHandles(HANDLES_MAX))
    );
}

#[tokio::test]
async fn random_bytes_are_limited() {
    assert_eq!(ask(&PROGRAM, "/random-bytes?1048576").await, Ok("1048576".into()));
    assert!(matches!(ask(&PROGRAM, "/random-bytes?1048577").await, Err(CallError::Trap(_))));
}

#[tokio::test]
async fn a_request_head_fits_exactly_and_not_one_header_more() {
    let with = |headers: u32, value: usize| {
        let mut request = get("/hello");
        for n in 0..headers {
            let name: http::HeaderName = format!("x-{n}").parse().unwrap();
            request.headers_mut().insert(name, "v".repeat(value).parse().unwrap());
        }
        request
    };
    assert!(finish(&PROGRAM, query(with(HEADERS_MAX, 1))).await.is_ok());
    assert_eq!(text(finish(&PROGRAM, query(with(HEADERS_MAX + 1, 1))).await), Err(CallError::RequestHeadTooLarge));
    assert!(finish(&PROGRAM, query(with(1, 65_536 - 7))).await.is_ok());
    assert_eq!(text(finish(&PROGRAM, query(with(1, 65_536 - 6))).await), Err(CallError::RequestHeadTooLarge));
    let long = http::Request::get(format!("/hello?{}", "x".repeat(65_000))).header("x", "y".repeat(600));
    assert!(finish(&PROGRAM, query(long.body(whole_body("")).unwrap())).await.is_ok(), "line and headers count apart");
}

#[tokio::test]
async fn an_answers_head_fits_exactly_and_not_one_header_more() {
    assert!(finish(&PROGRAM, query(get(&format!("/many-headers?{HEADERS_MAX}")))).await.is_ok());
    let many = ask(&PROGRAM, &format!("/many-headers?{}", HEADERS_MAX + 1)).await;
    assert_eq!(many, Err(CallError::HeadTooLarge));
    assert!(finish(&PROGRAM, query(get("/large-header?65525"))).await.is_ok());
    assert_eq!(ask(&PROGRAM, "/large-header?65526").await, Err(CallError::HeadTooLarge));
    assert_eq!(ask(&PROGRAM, "/many-headers?1000000").await, Err(CallError::HeadTooLarge), "long before its end");
}

#[tokio::test]
async fn an_answers_body_fits_exactly_and_not_a_byte_more() {
    let max = ANSWER_BODY_BYTES_MAX;
    let (response, _) = finish(&PROGRAM, query(get(&format!("/large-body?{max}")))).await.unwrap();
    assert_eq!(response.body().len() as u64, max);
    let more = ask(&PROGRAM, &format!("/large-body?{}", max + 1)).await;
    assert_eq!(more, Err(CallError::BodyTooLarge(max)));
    let narrow = PROGRAM.call(query(get("/large-body?1001"))).await.unwrap().collect(1_000).await;
    assert_eq!(narrow.unwrap_err(), CallError::BodyTooLarge(1_000));
}

#[tokio::test]
async fn an_endless_answer_ends_with_the_query() {
    let program = probe(|manifest| manifest.limits.query_ms_max = 300);
    let mut answer = program.call(query(get("/never-ends"))).await.unwrap();
    let error = loop {
        match answer.response.body_mut().frame().await.expect("it never ends well") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, BodyError::Call(CallError::OutOfTime(300)) | BodyError::Call(CallError::BodyTooLarge(_))),
        "{error}"
    );
    assert!(answer.response.body_mut().frame().await.is_none());
    assert!(answer.outcome.await.is_err());
}

#[tokio::test]
async fn a_program_without_an_answer_is_named() {
    assert_eq!(ask(&PROGRAM, "/no-response").await, Err(CallError::NoResponse));
    let Err(CallError::ErrorCode(code)) = ask(&PROGRAM, "/error-code").await else { panic!("an error code") };
    assert!(code.contains("LoopDetected"), "{code}");
}

#[tokio::test]
async fn a_crash_after_the_head_ends_the_body() {
    let answer = PROGRAM.call(query(get("/head-then-trap"))).await;
    let crash = match answer {
        Ok(answer) => {
            assert_eq!(answer.response.status(), 200);
            answer.collect(1_000).await.unwrap_err()
        }
        Err(crash) => crash,
    };
    assert!(matches!(crash, CallError::Trap(_)), "{crash}");
}

#[tokio::test]
async fn a_body_without_an_end_is_never_taken_for_a_whole_one() {
    assert!(matches!(ask(&PROGRAM, "/unfinished-body").await, Err(CallError::Broken(_))));
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_the_program() {
    let answer = PROGRAM.call(query(get("/never-ends"))).await.unwrap();
    drop(answer.response);
    assert_eq!(answer.outcome.await, Err(CallError::Cancelled));
}

#[tokio::test]
async fn a_full_worker_says_that_it_is_busy() {
    let engine = Engine::new(EngineConfig { instances_max: 2, ..EngineConfig::default() }).unwrap();
    let program = load(&engine, &PROBE, &Default::default());
    let first = program.call(query(get("/never-ends"))).await.unwrap();
    let second = program.call(query(get("/never-ends"))).await.unwrap();
    assert_eq!(ask(&program, "/hello").await, Err(CallError::Busy));
    drop(first);
    assert_eq!(ask(&program, "/hello").await, Ok("hello, world".into()));
    drop(second);
}

#[tokio::test]
async fn idle_instances_make_room_for_other_programs() {
    let engine = Engine::new(EngineConfig { instances_max: 1, ..EngineConfig::default() }).unwrap();
    let manifest = phala_messages::program::Manifest { reuse: 10, ..Default::default() };
    let (one, other) = (load(&engine, &PROBE, &manifest), load(&engine, &PROBE, &manifest));
    assert_eq!(ask(&one, "/counter").await, Ok("0".into()));
    assert_eq!(ask(&other, "/counter").await, Ok("0".into()));
    assert_eq!(ask(&one, "/counter").await, Ok("0".into()), "its instance made room");
}

/// Memory of a finished instance never shows in the next one.
#[tokio::test]
async fn instances_start_clean() {
    for never_swaps in [false, true] {
        let engine = Engine::new(EngineConfig { instances_max: 1, memory_never_swaps: never_swaps }).unwrap();
        let program = load(&engine, &PROBE, &Default::default());
        for _ in 0..20 {
            assert_eq!(ask(&program, "/memory?3000000").await, Ok("3000000".into()));
            assert_eq!(ask(&program, "/counter").await, Ok("0".into()));
        }
    }
}

#[tokio::test]
async fn a_storm_of_fetches_is_cut_off() {
    let program = probe(|manifest| allow(manifest, &["example.com"]));
    let world = Arc::<World>::default();
    let path = "/fetch-many?100%20https://example.com/";
    let answer = text(finish(&program, call(Mode::Query, get(path), Fixed::default(), &world)).await).unwrap();
    let allowed = OUTBOUND_REQUESTS_DEFAULT as usize;
    assert!(answer.starts_with(&format!("{allowed} answered, {} refused", 100 - allowed)), "{answer}");
    assert!(answer.contains("ConnectionLimitReached"), "{answer}");
    assert_eq!(world.fetched.lock().unwrap().len(), allowed);
}

#[tokio::test]
async fn many_bad_calls_do_not_hurt_a_good_one() {
    let program = probe(|manifest| {
        manifest.limits.query_ms_max = 500;
        manifest.limits.memory_bytes_max = 16 * MIB;
    });
    let bad =
        ["/trap", "/loop", "/memory?90000000", "/recursion?100000000", "/handles?20000", "/no-response", "/never-ends"];
    let bad = join_all((0..21).map(|n| ask(&program, bad[n % bad.len()])));
    let (bad, good) = tokio::join!(bad, join_all((0..20).map(|_| ask(&PROGRAM, "/hello"))));
    assert!(bad.iter().all(Result::is_err), "{bad:?}");
    assert!(good.iter().all(|answer| *answer == Ok("hello, world".into())), "{good:?}");
}
