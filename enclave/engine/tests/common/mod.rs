//! What the engine's tests share: guests, and ports that remember what they were asked.
#![allow(dead_code, reason = "each test file uses a part")]

use bytes::Bytes;
use http_body_util::BodyExt;
use phala_engine::{
    Attester, Body, Call, CallError, Changes, Context, Engine, EngineConfig, LogLevel, LogSink, Mode, Nans, Outbound,
    OutboundError, Outcome, Program, ProgramKeys, Settings, Snapshot, whole_body,
};
use phala_messages::{
    ids::{Account, ProgramId},
    limits::{ANSWER_BODY_BYTES_MAX, state_entry_bytes},
    program::Manifest,
};
use phala_units::{BlockNumber, UnixMillis};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

/// Builds `tests/guests/<name>` and returns the component. Cargo keeps what is up to date.
pub fn guest(name: &str) -> Vec<u8> {
    let root = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/guests").join(name);
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("../../../target"), PathBuf::from).join("guests");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-wasip2"]).current_dir(&root);
    cargo.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS");
    if let Some(sysroot) = debian_sysroot() {
        cargo.env("RUSTC", "/usr/bin/rustc");
        cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", format!("--sysroot {}", sysroot.display()));
    }
    let built = cargo.status().expect("cargo starts: it started this test");
    assert!(built.success(), "the guest {name} does not build");
    let file = target.join("wasm32-wasip2/release").join(format!("{}.wasm", name.replace('-', "_")));
    std::fs::read(file).expect("the build has made it")
}

/// What `setup` made for Debian's compiler, on a machine whose own has no standard library for WebAssembly.
fn debian_sysroot() -> Option<PathBuf> {
    let own = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let own = PathBuf::from(String::from_utf8(own.stdout).ok()?.trim());
    let cache = std::env::var_os("PHALA_CACHE").map(PathBuf::from).or_else(|| {
        let dir = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        Some(dir.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?.join("phala"))
    })?;
    let library = "lib/rustlib/wasm32-wasip2/lib";
    let sysroot = cache.join("wasm-sysroot");
    (!own.join(library).is_dir() && sysroot.join(library).is_dir()).then_some(sysroot)
}

/// The component of `tests/guests/probe`.
pub static PROBE: LazyLock<Vec<u8>> = LazyLock::new(|| guest("probe"));
/// The component of `tests/guests/probe-p3`.
pub static PROBE_P3: LazyLock<Vec<u8>> = LazyLock::new(|| guest("probe-p3"));

/// One engine for all tests of a file.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(engine);

/// An engine of its own.
pub fn engine() -> Engine {
    Engine::new(EngineConfig { instances_max: 50, ..EngineConfig::default() }).expect("this machine runs it")
}

/// Compiles and loads.
pub fn load(engine: &Engine, wasm: &[u8], manifest: &Manifest) -> Program {
    let artifact = engine.compile(wasm, Nans::from(manifest.canonical_nans)).expect("it compiles");
    engine.load(&artifact, manifest).expect("it loads")
}

/// The probe, under default limits.
pub static PROGRAM: LazyLock<Program> = LazyLock::new(|| load(&ENGINE, &PROBE, &Manifest::default()));

/// The probe, with a changed manifest.
pub fn probe(change: impl FnOnce(&mut Manifest)) -> Program {
    static ARTIFACT: LazyLock<phala_engine::Artifact> =
        LazyLock::new(|| ENGINE.compile(&PROBE, Nans::Native).expect("it compiles"));
    let mut manifest = Manifest::default();
    change(&mut manifest);
    ENGINE.load(&ARTIFACT, &manifest).expect("it loads")
}

/// State as a plain map.
#[derive(Clone, Default)]
pub struct Fixed(pub Changes);

impl Fixed {
    /// What `(bucket, key)` are.
    pub fn of<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entry = |(key, value): (&str, &str)| {
            (("default".into(), key.into()), Some(Bytes::copy_from_slice(value.as_bytes())))
        };
        Self(entries.into_iter().map(entry).collect())
    }
}

impl Snapshot for Fixed {
    fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.0.get(&(bucket.into(), key.into())).cloned().flatten()
    }

    fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let keys = self.0.keys().filter(|(of, key)| of == bucket && after.is_none_or(|after| key.as_str() > after));
        keys.map(|(_, key)| key.clone()).take(limit).collect()
    }

    fn bytes(&self) -> u64 {
        let size = |((bucket, key), value): (&(String, String), &Option<Bytes>)| {
            value.as_ref().map_or(0, |value| state_entry_bytes(bucket, key, value.len()))
        };
        self.0.iter().map(size).sum()
    }
}

/// Every port in one: keeps logs and what was fetched.
#[derive(Default)]
pub struct World {
    /// `level context: message`
    pub logs: Mutex<Vec<String>>,
    /// `method uri body-bytes`
    pub fetched: Mutex<Vec<String>>,
    /// What was quoted.
    pub quoted: Mutex<Vec<[u8; 64]>>,
}

impl LogSink for World {
    fn log(&self, level: LogLevel, context: &str, message: &str) {
        self.logs.lock().unwrap().push(format!("{} {context}: {message}", level.name()));
    }
}

impl ProgramKeys for World {
    fn derive(&self, label: &str) -> [u8; 32] {
        [label.len() as u8; 32]
    }

    fn public(&self, label: &str) -> [u8; 32] {
        [label.len() as u8 + 1; 32]
    }

    fn sign(&self, label: &str, message: &[u8]) -> [u8; 64] {
        [label.len() as u8 + message.len() as u8; 64]
    }
}

impl Attester for World {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, String> {
        self.quoted.lock().unwrap().push(report_data);
        Ok(b"quote".to_vec())
    }
}

/// Answers by the host's name.
#[async_trait::async_trait]
impl Outbound for World {
    async fn fetch(
        &self,
        request: http::Request<Body>,
        timeout: Duration,
    ) -> Result<http::Response<Body>, OutboundError> {
        let (head, body) = request.into_parts();
        let host = head.uri.host().unwrap_or_default().to_owned();
        let bytes = body.collect().await.map_err(|error| OutboundError::Protocol(error.to_string()))?.to_bytes().len();
        self.fetched.lock().unwrap().push(format!("{} {} {bytes}", head.method, head.uri));
        let path = head.uri.path().trim_start_matches('/');
        match host.split('.').next().unwrap_or_default() {
            "private" => Err(OutboundError::AddressNotPublic("127.0.0.1".into())),
            "nowhere" => Err(OutboundError::NameNotFound(host)),
            "refused" => Err(OutboundError::NotConnected("refused".into())),
            "tls" => Err(OutboundError::Tls("expired".into())),
            "silent" => {
                tokio::time::sleep(timeout).await;
                Err(OutboundError::OutOfTime)
            }
            "garbage" => Err(OutboundError::Protocol("not HTTP".into())),
            "offline" => Err(OutboundError::Unavailable),
            "large" => Ok(http::Response::new(whole_body(vec![b'x'; path.parse().unwrap()]))),
            "headers" => {
                let mut response = http::Response::new(whole_body(""));
                for n in 0..path.parse().unwrap() {
                    response.headers_mut().append("x-many", http::HeaderValue::from(n as u32));
                }
                Ok(response)
            }
            _ => Ok(http::Response::new(whole_body("ok"))),
        }
    }
}

/// A request for `path`.
pub fn get(path: &str) -> http::Request<Body> {
    http::Request::get(format!("https://probe.test{path}")).body(whole_body("")).expect("the path is valid")
}

/// A query with nothing around it.
pub fn query(request: http::Request<Body>) -> Call {
    call(Mode::Query, request, Fixed::default(), &Arc::default())
}

/// The mode of command number 7.
pub const COMMAND: Mode = Mode::Command { index: 7, time: UnixMillis(1_700_000_000_000), seed: [3; 32] };

/// A call with everything around it.
pub fn call(mode: Mode, request: http::Request<Body>, state: Fixed, world: &Arc<World>) -> Call {
    Call {
        mode,
        request,
        context: Context { program: ProgramId([1; 32]), caller: Some(Account([2; 32])), height: BlockNumber(42) },
        state: Arc::new(state),
        settings: Arc::new(Settings::from([("greeting".into(), "hi".into()), ("other".into(), "1".into())])),
        outbound: world.clone(),
        logs: world.clone(),
        keys: world.clone(),
        attester: world.clone(),
    }
}

/// Calls and reads everything.
pub async fn finish(program: &Program, call: Call) -> Result<(http::Response<Bytes>, Outcome), CallError> {
    program.call(call).await?.collect(ANSWER_BODY_BYTES_MAX).await
}

/// What a query answers.
pub async fn ask(program: &Program, path: &str) -> Result<String, CallError> {
    text(finish(program, query(get(path))).await)
}

/// What a command answers, on empty state.
pub async fn order(program: &Program, path: &str) -> Result<String, CallError> {
    text(finish(program, call(COMMAND, get(path), Fixed::default(), &Arc::default())).await)
}

/// The body as text.
pub fn text(answer: Result<(http::Response<Bytes>, Outcome), CallError>) -> Result<String, CallError> {
    answer.map(|(response, _)| String::from_utf8(response.into_body().to_vec()).expect("the probe speaks UTF-8"))
}

/// Puts hosts on a manifest's list.
pub fn allow(manifest: &mut Manifest, hosts: &[&str]) {
    let hosts: Vec<_> = hosts.iter().map(|host| host.as_bytes().to_vec().try_into().expect("a short name")).collect();
    manifest.outbound_hosts = hosts.try_into().expect("a short list");
}
