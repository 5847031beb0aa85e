//! A laboratory: a small chain with real headers, justifications and proofs, a pretended runtime on it, a
//! pretended TEE, disks that can be copied and put back, and a caller.
#![allow(dead_code, unused_imports, missing_docs, reason = "each test file uses a part")]

#[path = "../../../../wire/follow/tests/common/mod.rs"]
pub mod chain;

mod caller;
mod moving;
mod runtime;
mod working;

pub use caller::{Caller, Fetched, request as caller_request, request_hash};
pub use moving::{LabCustody, hash_of, other_probe};
pub use runtime::{Faults, Network};

use futures::future::BoxFuture;
use phala_crypto::Secret;
use phala_enclave_worker::{Config, Places, Ports, Worker};
use phala_engine::{Body, Engine, EngineConfig, Outbound, OutboundError};
use phala_machine::{
    Cabinet, Clock, Courier, CourierError, Entropy, Machine, MachineError, StartError, Vault, VaultError,
    registration::parse_endpoint,
};
use phala_messages::{CodeHash, ProgramId, collateral::Collateral, transcript::sha256};
use phala_state::MemoryDisk;
use phala_units::UnixMillis;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, LazyLock, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Builds `tests/guests/<name>` and returns the component. Cargo keeps what is up to date.
fn guest(name: &str) -> Vec<u8> {
    let root = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/guests").join(name);
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("../../../target"), PathBuf::from).join("guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2"])
        .current_dir(&root)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .status()
        .expect("cargo starts: it started this test");
    assert!(built.success(), "the guest {name} does not build");
    let file = target.join("wasm32-wasip2/release").join(format!("{}.wasm", name.replace('-', "_")));
    std::fs::read(file).expect("the build has made it")
}

/// A program that does whatever it is asked.
pub static PROBE: LazyLock<Vec<u8>> = LazyLock::new(|| guest("probe"));

pub fn probe_hash() -> CodeHash {
    CodeHash(sha256(&PROBE).0)
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineConfig { instances_max: 50, ..EngineConfig::default() }).expect("this machine runs it")
});

/// Time that passes with the chain, and as far as a test moves it. Waiting is real, but short.
#[derive(Default)]
pub struct LabClock(AtomicU64);

impl LabClock {
    pub fn set(&self, ms: u64) {
        self.0.fetch_max(ms, Ordering::SeqCst);
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for LabClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms.min(2_000) / 50 + 1)))
    }
}

pub struct LabEntropy;

impl Entropy for LabEntropy {
    fn fill(&self, out: &mut [u8]) {
        use std::hash::{BuildHasher, RandomState};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        for piece in out.chunks_mut(8) {
            let n = RandomState::new().hash_one(COUNT.fetch_add(1, Ordering::SeqCst));
            piece.copy_from_slice(&n.to_le_bytes()[..piece.len()]);
        }
    }
}

struct LabMachine;

impl Machine for LabMachine {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, MachineError> {
        Ok(report_data.to_vec())
    }

    fn sealing_key(&self) -> Result<Secret<32>, MachineError> {
        Ok(Secret::new([9; 32]))
    }

    fn collateral(&self) -> Result<Vec<Collateral>, MachineError> {
        Ok(vec![Collateral::RootCrl { crl: vec![1].try_into().expect("it is short") }])
    }

    fn simulated(&self) -> bool {
        true
    }

    fn tee(&self) -> &'static str {
        "laboratory"
    }
}

#[derive(Default)]
pub struct LabVault(Mutex<BTreeMap<String, Vec<u8>>>);

impl LabVault {
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

impl Vault for LabVault {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(name.into(), bytes.into());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

struct NoOutbound;

#[async_trait::async_trait]
impl Outbound for NoOutbound {
    async fn fetch(&self, _: http::Request<Body>, _: Duration) -> Result<http::Response<Body>, OutboundError> {
        Err(OutboundError::Unavailable)
    }
}

/// Carries messages between workers of one process, as far as a test lets it.
#[derive(Default)]
pub struct Wires {
    workers: Mutex<BTreeMap<String, Weak<Worker>>>,
    /// Messages that still pass; none says all.
    pub budget: Mutex<Option<u32>>,
    /// Whoever is reached here is not reached.
    pub cut: Mutex<BTreeSet<String>>,
    /// Everything that passed: to whom, and what.
    pub passed: Mutex<Vec<(String, Vec<u8>)>>,
    /// Runs when the budget is used up.
    pub exhausted: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Wires {
    fn find(&self, endpoint: &str) -> Result<Arc<Worker>, CourierError> {
        let gone = || CourierError("nobody is there".into());
        if self.cut.lock().unwrap().contains(endpoint) {
            return Err(gone());
        }
        self.workers.lock().unwrap().get(endpoint).and_then(Weak::upgrade).ok_or_else(gone)
    }

    /// False: this message and all that follow are lost.
    fn passes(&self) -> bool {
        let mut budget = self.budget.lock().unwrap();
        match &mut *budget {
            None => true,
            Some(0) => {
                drop(budget);
                self.exhausted.lock().unwrap().as_ref().inspect(|run| run());
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

struct LabCourier(Arc<Wires>);

impl Courier for LabCourier {
    fn post<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CourierError>> {
        Box::pin(async move {
            let worker = self.0.find(endpoint)?;
            assert_eq!(path, phala_messages::copies::COPY_PATH);
            // On its way there, and on its way back.
            if !self.0.passes() {
                return std::future::pending().await;
            }
            self.0.passed.lock().unwrap().push((endpoint.to_owned(), body.clone()));
            let answer = worker.copy(&body).await;
            drop(worker);
            if !self.0.passes() {
                return std::future::pending().await;
            }
            Ok(answer)
        })
    }

    fn get<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<u8>, CourierError>> {
        Box::pin(async move {
            let code = path.strip_prefix("/v1/code/").unwrap().parse().unwrap();
            let found = self.0.find(endpoint)?.code(&code).await;
            found.ok().filter(|code| code.len() <= bytes_max).ok_or(CourierError("no".into()))
        })
    }
}

/// A machine's disks.
#[derive(Clone, Default)]
pub struct Disks {
    pub state: Arc<MemoryDisk>,
    pub vault: Arc<LabVault>,
}

/// A worker's process. Dropping it is `kill -9`.
pub struct Process {
    pub worker: Arc<Worker>,
    pub endpoint: String,
    wires: Arc<Wires>,
    task: tokio::task::JoinHandle<String>,
}

impl Process {
    /// Why it stopped by itself.
    pub async fn reason(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), &mut self.task)
            .await
            .expect("it stops")
            .expect("it does not panic")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
        // Another process may listen there by now.
        let mut workers = self.wires.workers.lock().unwrap();
        if workers.get(&self.endpoint).is_some_and(|worker| worker.ptr_eq(&Arc::downgrade(&self.worker))) {
            workers.remove(&self.endpoint);
        }
    }
}

/// Everything together.
pub struct Lab {
    pub network: Arc<Network>,
    pub clock: Arc<LabClock>,
    pub disks: Disks,
    /// Where programs' keys come from, if not from the worker itself.
    pub custody: Option<Arc<LabCustody>>,
    pub wires: Arc<Wires>,
}

impl Lab {
    pub fn new() -> Self {
        let clock = Arc::new(LabClock::default());
        let network = Arc::new(Network::new(clock.clone()));
        Self { network, clock, disks: Disks::default(), custody: None, wires: Arc::default() }
    }

    /// With a root that takes programs.
    pub fn guarded() -> Self {
        let mut lab = Self::new();
        lab.network.rotate(0);
        lab.custody = Some(Arc::new(LabCustody { network: lab.network.clone(), silent: Default::default() }));
        lab
    }

    /// Starts a worker on these disks.
    pub fn start(&self) -> Process {
        self.start_on(&self.disks)
    }

    pub fn start_on(&self, disks: &Disks) -> Process {
        self.try_start_on(disks).expect("it starts")
    }

    pub fn try_start_on(&self, disks: &Disks) -> Result<Process, StartError> {
        self.try_start_at(disks, 1)
    }

    /// Disks of a machine that has the same program keys as all that are made like this, as gatekeepers would give them.
    pub fn disks_with_shared_keys(&self, machine: u8) -> Disks {
        let disks = Disks::default();
        let cabinet = Cabinet::new(disks.vault.clone(), &Secret::new([9; 32]), Arc::new(LabEntropy));
        let kept = (1u8, self.network.genesis(), [machine; 32], [0xdd_u8; 32]);
        cabinet.put("identity", &codec::Encode::encode(&kept)).expect("it fits");
        disks
    }

    pub fn try_start_at(&self, disks: &Disks, port: u16) -> Result<Process, StartError> {
        let endpoint = format!("http://127.0.0.1:{port}");
        let config = Config {
            genesis: self.network.genesis(),
            endpoint: parse_endpoint(&endpoint).expect("it is an endpoint"),
            head_age_ms_max: 60_000,
            poll_ms: 100,
            places: Places::default(),
            lanes: 1,
        };
        let ports = Ports {
            clock: self.clock.clone(),
            entropy: Arc::new(LabEntropy),
            machine: Arc::new(LabMachine),
            disk: disks.state.clone(),
            vault: disks.vault.clone(),
            outbound: Arc::new(NoOutbound),
            courier: Arc::new(LabCourier(self.wires.clone())),
        };
        let (engine, network) = (ENGINE.clone(), self.network.clone());
        let worker = match self.custody.clone() {
            Some(custody) => Worker::start_with(config, ports, engine, network, |_| custody)?,
            None => Worker::start(config, ports, engine, network)?,
        };
        self.wires.workers.lock().unwrap().insert(endpoint.clone(), Arc::downgrade(&worker));
        let task = tokio::spawn(worker.clone().run(self.network.clone()));
        Ok(Process { worker, endpoint, wires: self.wires.clone(), task })
    }

    /// Makes blocks until `done` says so.
    pub async fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        for _ in 0..6_000 {
            if done() {
                return;
            }
            self.network.seal();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never came: {what}");
    }

    /// Makes a block and lets everybody look at it.
    pub async fn blocks(&self, n: u32) {
        for _ in 0..n {
            self.network.seal();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// A worker that is admitted, and the probe, deployed by `owner` and answering.
    pub async fn live(&self, owner: &Caller) -> (Process, ProgramId) {
        let process = self.start();
        let worker = &process.worker;
        self.until("the admission", || worker.standing().0 == "admitted").await;
        self.network.assign(worker.identity.worker);
        let program = self.network.deploy(owner.account(), probe_hash(), PROBE.len() as u32);
        self.until("the assignment", || worker.cell(&program).is_ok()).await;
        worker.store_code(probe_hash(), PROBE.clone()).await.expect("the code is wanted");
        self.until_serving(&process, &program).await;
        (process, program)
    }

    pub async fn until_serving(&self, process: &Process, program: &ProgramId) {
        let serving = || process.worker.view().programs.get(program).is_some_and(|entry| entry.serving.is_ok());
        self.until("the program to serve", || serving() && process.worker.standing().0 == "admitted").await;
    }

    /// Sends a command and waits until it is answered and anchored.
    pub async fn command(
        &self,
        process: &Process,
        caller: &Caller,
        program: &ProgramId,
        request: http::Request<Vec<u8>>,
    ) -> (u64, Fetched) {
        let index = self.send(caller, program, request);
        let fetched = self.fetched(process, caller, program, index).await;
        (index, fetched)
    }

    /// Puts a command into the next block, sealed to this key.
    pub fn send_to(
        &self,
        caller: &Caller,
        program: &ProgramId,
        transport: &phala_messages::TransportKey,
        request: http::Request<Vec<u8>>,
    ) -> u64 {
        let sealed = caller.seal(&self.network.genesis(), program, transport, request, self.network.commands(program));
        self.network.command(program, caller.account(), sealed)
    }

    /// Puts a command into the next block.
    pub fn send(&self, caller: &Caller, program: &ProgramId, request: http::Request<Vec<u8>>) -> u64 {
        let transport = self.network.transport(program).expect("the program is live");
        let sealed = caller.seal(&self.network.genesis(), program, &transport, request, self.network.commands(program));
        self.network.command(program, caller.account(), sealed)
    }

    pub async fn fetched(&self, process: &Process, caller: &Caller, program: &ProgramId, index: u64) -> Fetched {
        let version = || process.worker.view().programs.get(program).map_or(0, |entry| entry.chain.anchor.version);
        self.until("the command's anchor", || version() > index).await;
        for _ in 0..3_000 {
            if let Ok(sealed) = process.worker.result(program, index, 0).await {
                return caller.open(&self.network.genesis(), program, index, &sealed);
            }
            self.blocks(1).await;
        }
        panic!("the result never came");
    }
}
