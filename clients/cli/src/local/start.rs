//! Starting a network, and keeping it running.
//!
//! ```text
//! machines ─┐                         ┌─ workers register (evidence judged on chain)
//! nodes ────┴─► RPC answers ─► genesis ┼─ cluster founded ─► worker assigned ─► finalised ─┐
//!                                     └─ gatekeepers register, are bonded and approved ─► master key ─► ready
//! ```

use super::{
    Layout,
    binaries::Binaries,
    gatekeepers,
    ports::{self, Ports},
    processes::{self, Process},
    spec::{self, Measurements},
};
use crate::{
    failure::{Explain, Failure, Outcome},
    output::Report,
};
use nix::fcntl::{Flock, FlockArg};
use phala_messages::{ClusterId, GenesisHash, InstanceKey, WorkerId, storage};
use phala_sdk::{Client, HttpRpc, KeyPair, Network};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

/// The account that owns local clusters and may do what an administrator may: its key is public.
pub const ADMINISTRATOR: &str = "//Alice";
/// How long each role has until it answers.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a worker may take to be admitted.
pub(super) const ADMISSION_TIMEOUT: Duration = Duration::from_secs(120);
/// Workers of one cluster, as the runtime takes them.
const WORKERS_PER_CLUSTER: usize = 7;
/// How often a role that does not answer yet is asked.
const POLL: Duration = Duration::from_millis(40);
/// How often one role is started again within [`RESTARTS_WITHIN`] before the network gives up.
const RESTARTS_MAX: usize = 3;
/// See [`RESTARTS_MAX`].
const RESTARTS_WITHIN: Duration = Duration::from_secs(60);

/// What network to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many workers.
    pub workers: usize,
    /// How many validators.
    pub validators: usize,
    /// How many gatekeepers; none leaves programs with keys of their worker's own.
    pub gatekeepers: usize,
}

/// A network that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// WebSocket address of a node.
    pub rpc: String,
    /// Addresses of the workers.
    pub workers: Vec<String>,
    /// Addresses of the gatekeepers.
    pub gatekeepers: Vec<String>,
    /// The network's directory.
    pub dir: PathBuf,
    /// How long it took, milliseconds.
    pub ready_ms: u64,
}

/// Who a worker says it is.
#[derive(Deserialize)]
struct Info {
    worker: WorkerId,
    instance: InstanceKey,
}

/// One role's process, and how to start it again.
struct Role {
    process: Process,
    child: Child,
    command: Command,
    restarts: Vec<Instant>,
}

/// A running network, owned by this process. Dropping it ends every process.
pub struct Running {
    pub(super) layout: Layout,
    roles: Vec<Role>,
    supervisor: Process,
    _ports: Ports,
    _lock: Flock<File>,
}

/// Addresses of the roles.
struct Places {
    rpc: Vec<u16>,
    p2p: Vec<u16>,
    metrics: Vec<u16>,
    workers: Vec<u16>,
    gatekeepers: Vec<u16>,
    ports: Ports,
}

impl Places {
    /// The ports that the network had last time, as far as they are free, else the usual ones, else any.
    fn choose(layout: &Layout, options: Options) -> Outcome<Self> {
        let last = Network::read(&layout.dir).ok();
        let mut ports = Ports::default();
        let mut take = |count: usize, usual: u16, last: Vec<Option<u16>>| -> Outcome<Vec<u16>> {
            (0..count).map(|n| ports.take(last.get(n).copied().flatten().unwrap_or(usual + n as u16))).collect()
        };
        let last_rpc = vec![last.as_ref().and_then(|network| ports::of_url(&network.rpc))];
        let last_workers = last.iter().flat_map(|network| &network.workers).map(|url| ports::of_url(url)).collect();
        let rpc = take(options.validators, 9944, last_rpc)?;
        let p2p = take(options.validators, 30333, Vec::new())?;
        let metrics = take(options.validators, 9615, Vec::new())?;
        let workers = take(options.workers, 8701, last_workers)?;
        let last_gatekeepers =
            last.iter().flat_map(|network| &network.gatekeepers).map(|url| ports::of_url(url)).collect();
        let gatekeepers = take(options.gatekeepers, 8801, last_gatekeepers)?;
        Ok(Self { rpc, p2p, metrics, workers, gatekeepers, ports })
    }

    fn rpc_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.rpc.first().copied().unwrap_or_default())
    }

    fn worker_urls(&self) -> Vec<String> {
        self.workers.iter().map(|port| format!("http://127.0.0.1:{port}")).collect()
    }

    fn gatekeeper_urls(&self) -> Vec<String> {
        self.gatekeepers.iter().map(|port| format!("http://127.0.0.1:{port}")).collect()
    }
}

/// Starts the network of `layout` and returns when it is ready. Whatever goes wrong, nothing is left running.
pub async fn start(layout: &Layout, options: Options, report: &dyn Report) -> Outcome<(Running, Ready)> {
    let began = Instant::now();
    let lock = lock(layout)?;
    let left = processes::of_network(layout);
    if !left.is_empty() {
        report.step(&format!("ending {} processes that a killed network left behind", left.len()));
        processes::end(&left, || {});
    }
    let binaries = Binaries::find()?;
    report.step("measuring the worker's and the gatekeeper's binaries");
    let measurements = Measurements::take(&binaries)?;
    spec::write(layout, &binaries, options.validators, options.gatekeepers, &measurements)?;
    // A network that was there before has the validators of its genesis, and the gatekeepers that hold its key.
    let options = Options {
        validators: spec::validators(layout).unwrap_or(options.validators),
        gatekeepers: Network::read(&layout.dir).map_or(options.gatekeepers, |last| last.gatekeepers.len()),
        ..options
    };
    let mut places = Places::choose(layout, options)?;
    let supervisor = Process::this("supervisor")?;
    let mut running = Running {
        layout: layout.clone(),
        roles: Vec::new(),
        supervisor,
        _ports: std::mem::take(&mut places.ports),
        _lock: lock,
    };
    running.record()?;

    report.step("starting the simulated TEEs and the nodes");
    let machines: Vec<_> = (1..=options.workers)
        .map(|n| format!("machine-{n}"))
        .chain((1..=options.gatekeepers).map(gatekeepers::machine))
        .collect();
    for machine in &machines {
        running.start_machine(&binaries, machine)?;
    }
    for n in 1..=options.validators {
        running.start_node(&binaries, &places, n)?;
    }
    running.await_sockets(&machines).await?;
    report.step("waiting for the node's RPC");
    let genesis = running.await_genesis(&places.rpc_url()).await?;
    let mut network = Network::new(spec::preset(options.validators), places.rpc_url(), genesis);
    network.workers = places.worker_urls();
    network.gatekeepers = places.gatekeeper_urls();
    report.step("starting the workers and gatekeepers");
    for n in 1..=options.workers {
        running.start_worker(&binaries, &network, &places, n)?;
    }
    for n in 1..=options.gatekeepers {
        running.start_gatekeeper(&binaries, &network, n)?;
    }
    let client = Client::connect_to(network.clone(), None).await?;
    running.admit_measurements(&client, &measurements, report).await?;
    let approved = running.admit_gatekeepers(&client, &network, report).await?;
    let clusters = running.assemble(&client, &network, options.workers, report).await?;
    running.await_root(&client, &approved, report).await?;
    network.cluster = clusters.first().map(|cluster| cluster.0);
    network.write(&layout.dir)?;
    report.done();
    let ready = Ready {
        rpc: network.rpc,
        workers: network.workers,
        gatekeepers: network.gatekeepers,
        dir: layout.dir.clone(),
        ready_ms: began.elapsed().as_millis() as u64,
    };
    Ok((running, ready))
}

/// Takes the network for this process alone.
fn lock(layout: &Layout) -> Outcome<Flock<File>> {
    let path = layout.lock();
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.doing(format!("opening {}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        Failure::new(
            format!("a network is already running in {}", layout.dir.display()),
            "`phala status` shows it, `phala down` stops it; --dir D starts another one beside it",
        )
    })
}

impl Running {
    fn record(&self) -> Outcome {
        let mut all = vec![self.supervisor.clone()];
        all.extend(self.roles.iter().map(|role| role.process.clone()));
        processes::record(&self.layout, &all)
    }

    pub(super) fn spawn(&mut self, role: &str, mut command: Command) -> Outcome {
        let (process, child) = processes::spawn(role, &mut command)?;
        self.roles.push(Role { process, child, command, restarts: Vec::new() });
        self.record()
    }

    fn start_machine(&mut self, binaries: &Binaries, role: &str) -> Outcome {
        let socket = self.layout.socket(role);
        let _ = std::fs::remove_file(&socket);
        let mut command = processes::command(&self.layout, role, &binaries.tee)?;
        command.arg("--machine").arg(self.layout.dir.join(role)).arg("--socket").arg(socket);
        self.spawn(role, command)
    }

    fn start_node(&mut self, binaries: &Binaries, places: &Places, n: usize) -> Outcome {
        let role = format!("node-{n}");
        let mut command = processes::command(&self.layout, &role, &binaries.node)?;
        let place = |ports: &[u16]| ports.get(n - 1).copied().unwrap_or_default().to_string();
        command
            .arg("--chain")
            .arg(self.layout.spec())
            .arg("--base-path")
            .arg(self.layout.dir.join(&role))
            .arg(format!("--{}", spec::VALIDATORS[n - 1]))
            .args(["--validator", "--force-authoring", "--no-telemetry", "--no-mdns"])
            // Proofs of old receipts need old states.
            .args(["--state-pruning", "archive-canonical", "--blocks-pruning", "archive-canonical"])
            .args(["--rpc-cors", "all", "--rpc-port", &place(&places.rpc)])
            .args(["--prometheus-port", &place(&places.metrics)])
            .args(["--node-key", &format!("{n:064x}")])
            .args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{}", place(&places.p2p))]);
        if n > 1 {
            // The peer id of the node key 00…01.
            let peer = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
            let first = places.p2p.first().copied().unwrap_or_default();
            command.args(["--bootnodes", &format!("/ip4/127.0.0.1/tcp/{first}/p2p/{peer}")]);
        }
        self.spawn(&role, command)
    }

    fn start_worker(&mut self, binaries: &Binaries, network: &Network, places: &Places, n: usize) -> Outcome {
        let role = format!("worker-{n}");
        let port = places.workers.get(n - 1).copied().unwrap_or_default();
        // Whoever may sign here by itself may bind the worker to a pool.
        let operator = KeyPair::parse(ADMINISTRATOR)?.account();
        let mut command = processes::command(&self.layout, &role, &binaries.worker)?;
        command
            .args(["--operator", &operator.to_string()])
            .arg("--data")
            .arg(self.layout.dir.join(&role))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--endpoint", &format!("http://127.0.0.1:{port}")])
            .args(["--rpc", &phala_sdk::network::http_url(&network.rpc)])
            .args(["--genesis", &network.genesis.to_string()])
            .arg("--tee-socket")
            .arg(self.layout.socket(&format!("machine-{n}")));
        self.spawn(&role, command)
    }

    /// An error when one of the roles has ended.
    fn check_alive(&mut self) -> Outcome {
        for role in &mut self.roles {
            if let Some(status) = role.child.try_wait()? {
                let tail = processes::log_tail(&self.layout, &role.process.role, 8);
                return Err(Failure::new(
                    format!("{} ended with {status}; it last said:\n{tail}", role.process.role),
                    format!("the whole log is {}", self.layout.log(&role.process.role).display()),
                ));
            }
        }
        Ok(())
    }

    /// Asks again and again until there is an answer, a role ends or the time is up.
    pub(super) async fn until<T>(
        &mut self,
        what: &str,
        timeout: Duration,
        mut ask: impl AsyncFnMut() -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(answer) = ask().await {
                return Ok(answer);
            }
            self.check_alive()?;
            if Instant::now() > deadline {
                return Err(Failure::new(
                    format!("{what} took more than {} s", timeout.as_secs()),
                    format!("the logs are in {}", self.layout.dir.join("logs").display()),
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn await_sockets(&mut self, machines: &[String]) -> Outcome {
        for machine in machines {
            let socket = self.layout.socket(machine);
            let answers = async || UnixStream::connect(&socket).ok().map(drop);
            self.until("starting the simulated TEE", ANSWER_TIMEOUT, answers).await?;
        }
        Ok(())
    }

    async fn await_genesis(&mut self, rpc: &str) -> Outcome<GenesisHash> {
        use phala_follow::Rpc as _;
        let rpc = HttpRpc::new(local_http(), rpc);
        let ask = async || rpc.call("chain_getBlockHash", json!([0])).await.ok()?.as_str()?.parse().ok();
        self.until("starting the node", ANSWER_TIMEOUT, ask).await
    }

    /// Lists the measurements of binaries that were rebuilt since the genesis.
    async fn admit_measurements(&self, client: &Client, measurements: &Measurements, report: &dyn Report) -> Outcome {
        let admitted = spec::admitted(&self.layout);
        let owner = KeyPair::parse(ADMINISTRATOR)?;
        for (role, measurement) in measurements.by_role() {
            if !admitted.contains(&(role, measurement)) {
                report.step("admitting the measurement of a rebuilt binary");
                client.allow_measurement(&owner, role, measurement).await?;
            }
        }
        Ok(())
    }

    /// From running processes to a network that runs programs: workers admitted, the first leading a cluster, the others standing
    /// by in it. More than a cluster holds begin the next one.
    async fn assemble(
        &mut self,
        client: &Client,
        network: &Network,
        workers: usize,
        report: &dyn Report,
    ) -> Outcome<Vec<ClusterId>> {
        let owner = KeyPair::parse(ADMINISTRATOR)?;
        // Founding clusters needs nobody but the chain: it goes on while the workers start.
        let missing = workers.div_ceil(WORKERS_PER_CLUSTER).saturating_sub(client.clusters().await?.len());
        let mut founding = Vec::new();
        for _ in 0..missing {
            founding.push(client.submit(&owner, &phala_sdk::create_cluster_call()).await?);
        }
        report.step("waiting for the workers to register");
        let infos = self.await_infos(&network.workers).await?;
        let mut assigning = Vec::new();
        for (n, info) in infos.iter().enumerate() {
            self.await_registration_sent(client, info).await?;
            if client.assignment(&info.worker).await?.is_none() {
                // A block takes registrations first, so both may share one.
                let call = phala_sdk::assign_worker_call(ClusterId((n / WORKERS_PER_CLUSTER) as u32), info.worker);
                assigning.push((client.submit(&owner, &call).await?, call));
            }
        }
        report.step("waiting for the clusters to be finalised");
        for pending in &founding {
            client.finalised(pending).await?;
        }
        let mut clusters = Vec::new();
        for info in &infos {
            let registered = |record: &phala_messages::WorkerRecord| record.registration.instance == info.instance;
            client.await_worker(info.worker, ADMISSION_TIMEOUT, registered).await?;
        }
        for (pending, call) in &assigning {
            match client.finalised(pending).await {
                // The registration came a block later.
                Err(phala_sdk::SubmitError::Failed { .. }) => drop(client.submit_and_wait(&owner, call).await?),
                outcome => drop(outcome?),
            }
        }
        for info in &infos {
            clusters.extend(client.assignment(&info.worker).await?);
        }
        self.await_health(&network.workers).await?;
        Ok(clusters)
    }

    async fn await_infos(&mut self, urls: &[String]) -> Outcome<Vec<Info>> {
        let http = local_http();
        let mut infos = Vec::new();
        for url in urls {
            let url = format!("{url}/v1/info");
            let ask = async || http.get(&url).send().await.ok()?.json::<Info>().await.ok();
            infos.push(self.until("starting the worker", ANSWER_TIMEOUT, ask).await?);
        }
        Ok(infos)
    }

    /// Until the workers themselves have heard that they may serve.
    async fn await_health(&mut self, urls: &[String]) -> Outcome {
        let http = local_http();
        for url in urls {
            let ask = async || http.get(format!("{url}/health")).send().await.ok()?.error_for_status().ok().map(drop);
            self.until("serving", ADMISSION_TIMEOUT, ask).await?;
        }
        Ok(())
    }

    /// Until the node's pool or best block has the worker's registration. A hint for when to go on, not a proof.
    async fn await_registration_sent(&mut self, client: &Client, info: &Info) -> Outcome {
        use codec::Decode;
        let key = format!("0x{}", hex::encode(storage::worker(&info.worker)));
        let (worker, instance) = (hex::encode(info.worker.0), hex::encode(info.instance.0));
        let ask = async || {
            let pool = client.ask("author_pendingExtrinsics", json!([])).await.ok()?;
            let registers =
                |hex: &Value| hex.as_str().is_some_and(|hex| hex.contains(&worker) && hex.contains(&instance));
            if pool.as_array()?.iter().any(registers) {
                return Some(());
            }
            let value = client.ask("state_getStorage", json!([key])).await.ok()?;
            let bytes = hex::decode(value.as_str()?.strip_prefix("0x")?).ok()?;
            let record = phala_messages::WorkerRecord::decode(&mut bytes.as_slice()).ok()?;
            (record.registration.instance == info.instance).then_some(())
        };
        self.until("registering the worker", ADMISSION_TIMEOUT, ask).await
    }

    /// Watches over the network; starts again who ends. Returns an error when one ends again and again.
    pub async fn supervise(&mut self, report: &dyn Report) -> Outcome {
        loop {
            for index in 0..self.roles.len() {
                if let Some(status) = self.roles[index].child.try_wait()? {
                    self.restart(index, status, report)?;
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn restart(&mut self, index: usize, status: std::process::ExitStatus, report: &dyn Report) -> Outcome {
        let role = &mut self.roles[index];
        let name = role.process.role.clone();
        role.restarts.retain(|then| then.elapsed() < RESTARTS_WITHIN);
        if role.restarts.len() >= RESTARTS_MAX {
            let tail = processes::log_tail(&self.layout, &name, 8);
            return Err(Failure::new(
                format!(
                    "{name} ended {} times within a minute, last with {status}; it last said:\n{tail}",
                    RESTARTS_MAX + 1
                ),
                format!("the whole log is {}", self.layout.log(&name).display()),
            ));
        }
        report.remark(&format!("{name} ended with {status}; starting it again"));
        role.restarts.push(Instant::now());
        let (process, child) = processes::spawn(&name, &mut role.command)?;
        role.process = process;
        role.child = child;
        self.record()
    }

    /// Ends the network in order: workers first, so that they can say goodbye to a chain that is still there.
    pub fn stop(&mut self) {
        for prefix in ["worker", "gatekeeper", "machine", "node"] {
            let of_prefix = |role: &&mut Role| role.process.role.starts_with(prefix);
            let mut roles: Vec<_> = self.roles.iter_mut().filter(of_prefix).collect();
            let list: Vec<_> = roles.iter().map(|role| role.process.clone()).collect();
            processes::end(&list, || {
                for role in &mut roles {
                    let _ = role.child.try_wait();
                }
            });
            for role in &mut roles {
                let _ = role.child.try_wait();
            }
        }
        self.roles.clear();
        let _ = std::fs::remove_file(self.layout.processes());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A client for addresses on this machine: short time limits, no proxy.
pub fn local_http() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    builder.build().unwrap_or_default()
}

/// What `--json` prints.
impl From<&Ready> for Value {
    fn from(ready: &Ready) -> Self {
        json!({
            "rpc": ready.rpc,
            "workers": ready.workers,
            "gatekeepers": ready.gatekeepers,
            "dir": ready.dir,
            "ready_ms": ready.ready_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_network_is_not_started_twice() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let held = lock(&layout).unwrap();
        let failure = lock(&layout).unwrap_err();
        assert!(failure.message().contains("already running"));
        assert!(failure.hint().is_some_and(|hint| hint.contains("phala down")));
        drop(held);
        assert!(lock(&layout).is_ok());
    }

    #[test]
    fn ready_is_told_with_exactly_the_promised_fields() {
        let ready = Ready {
            rpc: "ws://127.0.0.1:9944".into(),
            workers: vec!["http://127.0.0.1:8701".into()],
            gatekeepers: Vec::new(),
            dir: "/d".into(),
            ready_ms: 7,
        };
        let value = Value::from(&ready);
        let names: std::collections::BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["dir", "gatekeepers", "ready_ms", "rpc", "workers"].into());
        assert_eq!(value["dir"], "/d");
    }

    #[test]
    fn a_network_comes_back_at_its_old_ports() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let options = Options { workers: 2, validators: 1, gatekeepers: 2 };
        // Another test, or its child before it runs what it is to run, may hold the port for a moment.
        let places = (0..20).find_map(|_| {
            let free = Ports::default().take(0).unwrap();
            Network::new("dev", format!("ws://127.0.0.1:{free}"), GenesisHash::default()).write(&layout.dir).unwrap();
            Places::choose(&layout, options).ok().filter(|places| places.rpc == [free])
        });
        let places = places.expect("a port that is free is taken again");
        assert_eq!((places.workers.len(), places.gatekeepers.len()), (2, 2));
        assert_ne!(places.workers[0], places.workers[1]);
    }
}
