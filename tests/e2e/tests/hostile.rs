//! Whatever a stranger sends, and whatever a program does: the worker says what is wrong, and goes on.

use anyhow::{Context, Result, ensure};
use phala_e2e::{NO_GATEKEEPERS, Network, Process, foreign, notes};
use reqwest::{Client, Method, StatusCode};

#[test]
fn malformed_requests_are_answered_clearly_and_hurt_nobody() -> Result<()> {
    let network = Network::start(NO_GATEKEEPERS)?;
    let program = network.deploy(&notes()?, "notes", &[])?;
    let worker = network.worker();
    let before = Process::find(network.dir(), "phala-worker")?.pid;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let http = Client::new();
        let ohttp = "message/ohttp-req";
        let sealed = |bytes: Vec<u8>| (Method::POST, "/v1/query".to_owned(), ohttp, bytes);
        let cases = [
            sealed(vec![]),
            sealed(vec![0]),
            sealed(vec![0xff; 10]),
            sealed(vec![0; 1_000]),
            sealed(b"not sealed at all, just text that somebody sent".to_vec()),
            (Method::POST, "/v1/query".into(), "application/json", b"{}".to_vec()),
            (Method::POST, "/v1/query".into(), "message/ohttp-chunked-req", vec![0xff; 300]),
            (Method::GET, "/v1/query".into(), "text/plain", vec![]),
            (Method::GET, "/".into(), "text/plain", vec![]),
            (Method::GET, "/v1/nothing".into(), "text/plain", vec![]),
            (Method::GET, "/v1/programs/zz".into(), "text/plain", vec![]),
            (Method::GET, format!("/v1/result/{program}/99999999999999999999999"), "text/plain", vec![]),
            (Method::GET, format!("/v1/result/{program}/-1"), "text/plain", vec![]),
            (Method::PUT, format!("/v1/code/0x{}", "00".repeat(32)), "application/wasm", vec![0; 100]),
            (Method::PUT, "/v1/code/xyz".into(), "application/wasm", vec![]),
            (Method::DELETE, "/v1/info".into(), "text/plain", vec![]),
            (Method::GET, format!("/{}", "a".repeat(9_000)), "text/plain", vec![]),
            (Method::GET, "/v1/../../etc/passwd".into(), "text/plain", vec![]),
        ];
        for (method, path, kind, body) in cases {
            let shown =
                format!("{method} {} ({kind}, {} bytes)", path.chars().take(60).collect::<String>(), body.len());
            let request = http.request(method, format!("{worker}{path}")).header("content-type", kind).body(body);
            let answer = request.send().await.with_context(|| shown.clone())?;
            let status = answer.status();
            ensure!(status.is_client_error(), "{shown}: {status}");
            let text = answer.text().await?;
            let problem: serde_json::Value =
                serde_json::from_str(&text).with_context(|| format!("{shown}: {status} with {text:?}"))?;
            ensure!(problem["title"].is_string() && problem["status"] == status.as_u16(), "{shown}: {problem}");
        }
        // More than a query may have.
        let much = vec![0; 40 * 1024 * 1024];
        let answer = http.post(format!("{worker}/v1/query")).header("content-type", ohttp).body(much).send().await;
        ensure!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == StatusCode::PAYLOAD_TOO_LARGE));
        anyhow::Ok(())
    })?;
    assert_eq!(Process::find(network.dir(), "phala-worker")?.pid, before, "the worker survived");
    ensure!(!network.ok(&["call", "notes", "/", "--fail"])?.is_empty());
    network.stop()
}

#[test]
fn a_hostile_program_hurts_only_its_own_calls() -> Result<()> {
    let hostile = foreign()?.join("hostile.wasm");
    let network = Network::start(NO_GATEKEEPERS)?;
    network.deploy(&hostile, "hostile", &["--timeout", "3s"])?;
    let before = Process::find(network.dir(), "phala-worker")?.pid;
    for (verb, path, cause) in DEEDS {
        let output = network.run(&[verb, "hostile", path])?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "{verb} {path} succeeded");
        ensure!(said.contains(cause), "{verb} {path} ended with {said:?} instead of {cause}");
        let after = network.ok(&["call", "hostile", "/", "--fail"])?;
        ensure!(after.starts_with(b"still here"), "after {verb} {path}: {}", String::from_utf8_lossy(&after));
    }
    // Hosts that the deployment does not allow are not fetched from; a full state takes nothing more.
    ensure!(network.ok(&["call", "hostile", "/fetch?3", "--fail"])?.starts_with(b"0"));
    ensure!(network.ok(&["send", "hostile", "/fill?70", "--fail"])?.starts_with(b"6"));
    ensure!(network.ok(&["call", "hostile", "/was-silent", "--fail"])?.starts_with(b"false"));
    assert_eq!(Process::find(network.dir(), "phala-worker")?.pid, before, "the worker survived");
    network.stop()
}

/// How the program is called, for which deed, and the code of what becomes of it.
const DEEDS: [(&str, &str, &str); 14] = [
    ("call", "/trap", "program-trapped"),
    ("call", "/loop", "program-out-of-time"),
    ("call", "/memory", "program-out-of-memory"),
    ("call", "/recursion", "program-trapped"),
    ("call", "/headers?100", "program-limit"),
    ("call", "/body?65", "answer-too-large"),
    ("call", "/drip", "program-out-of-time"),
    ("call", "/cut", "program-trapped"),
    ("send", "/trap", "program-trapped"),
    ("send", "/loop", "program-out-of-fuel"),
    ("send", "/memory", "program-out-of-memory"),
    ("send", "/body?2", "answer-too-large"),
    ("send", "/drip", "answer-too-large"),
    ("send", "/silent", "program-trapped"),
];
