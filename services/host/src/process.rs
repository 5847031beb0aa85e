//! The process around an enclave: its arguments, its log, its TEE, and how it ends.

use crate::{harden, rpc::HttpRpc, server};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use phala_machine::registration::parse_endpoint;
use phala_messages::{GenesisHash, registration::Endpoint};
use phala_platform::{
    Platform,
    simulated::Simulated,
    tsm::{CONFIGFS_REPORTS, Tsm},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

/// How often a node is asked for a newer head when nobody says otherwise.
const POLL_MS_DEFAULT: u64 = 250;
/// How often it may be asked at most.
const POLL_MS_MIN: u64 = 20;
/// How long what still runs may take once a process ends. It is of no use to anyone any more.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// What every machine of the network is told at its start, whatever its role.
#[derive(Args)]
pub struct MachineArguments {
    /// RPC of a node, http(s)://… or ws(s)://…; it is not trusted
    #[arg(long, value_name = "URL")]
    pub rpc: String,
    /// Where to keep what is sealed
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// URL at which others reach this machine [default: the address it listens at]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Hash of the network's block 0
    #[arg(long, value_name = "HASH")]
    pub genesis: GenesisHash,
    /// Which TEE vouches for this machine [default: simulated where --tee-socket is given, else tdx]
    #[arg(long, value_enum)]
    pub tee: Option<Tee>,
    /// Socket of the simulated TEE
    #[arg(long, value_name = "PATH")]
    pub tee_socket: Option<PathBuf>,
    /// Where the kernel offers TEE reports
    #[arg(long, value_name = "DIR", default_value = CONFIGFS_REPORTS)]
    pub tsm_root: PathBuf,
    /// Collateral of this machine, as files
    #[arg(long, value_name = "DIR")]
    pub collateral_dir: Option<PathBuf>,
    /// How often to ask the node for a newer head
    #[arg(long, value_name = "MS", default_value_t = POLL_MS_DEFAULT)]
    poll_ms: u64,
    /// Write the log as JSON
    #[arg(long)]
    json_logs: bool,
}

/// Who vouches for a machine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tee {
    /// A simulation that keeps no secret
    Simulated,
    /// Intel TDX
    Tdx,
}

impl MachineArguments {
    /// How often to ask the node for a newer head.
    pub fn poll_ms(&self) -> u64 {
        self.poll_ms.max(POLL_MS_MIN)
    }

    fn platform(&self) -> anyhow::Result<Arc<dyn Platform>> {
        let tee = self.tee.unwrap_or(if self.tee_socket.is_some() { Tee::Simulated } else { Tee::Tdx });
        match tee {
            Tee::Simulated => {
                let socket = self.tee_socket.clone().context("--tee simulated needs --tee-socket PATH")?;
                tracing::warn!("the TEE is SIMULATED: it keeps no secret. Use it for development only");
                Ok(Arc::new(Simulated::connect(socket)?))
            }
            Tee::Tdx => {
                let collateral = self.collateral_dir.clone().context("--tee tdx needs --collateral-dir DIR")?;
                Ok(Arc::new(Tsm::new(&self.tsm_root, collateral)))
            }
        }
    }
}

/// Starts the log, and runs `main` on a runtime until it is done.
///
/// # Errors
/// Those of `main`; when the runtime does not start.
pub fn run<F: Future<Output = anyhow::Result<()>>>(
    arguments: MachineArguments,
    main: impl FnOnce(MachineArguments) -> F,
) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if arguments.json_logs {
        log.json().init()
    } else {
        log.init()
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime does not start")?;
    let done = runtime.block_on(main(arguments));
    runtime.shutdown_timeout(SHUTDOWN);
    done
}

/// A machine's process, ready to serve: hardened, listening, and told when to end.
pub struct Process {
    /// The TEE.
    pub platform: Arc<dyn Platform>,
    /// The node.
    pub rpc: Arc<HttpRpc>,
    /// The URL at which others reach this machine, as text and as the chain takes it.
    pub endpoint: (String, Endpoint),
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    signals: [Signal; 2],
}

impl Process {
    /// Prepares everything that does not depend on the role.
    ///
    /// # Errors
    /// When an argument is not what it should be, the TEE is not there, or the operating system refuses.
    pub async fn start(arguments: &MachineArguments) -> anyhow::Result<Self> {
        let signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let platform = arguments.platform()?;
        harden::harden(platform.simulated()).context("the process cannot be hardened")?;
        let listener = TcpListener::bind(arguments.listen)
            .await
            .with_context(|| format!("cannot listen at {}", arguments.listen))?;
        let address = listener.local_addr()?;
        let url = arguments.endpoint.clone().unwrap_or_else(|| format!("http://{address}"));
        let endpoint = parse_endpoint(&url)
            .with_context(|| format!("`{url}` is not http(s)://host[:port]; hint: give --endpoint URL"))?;
        let rpc =
            Arc::new(HttpRpc::new(&arguments.rpc).with_context(|| format!("`{}` is not a node's URL", arguments.rpc))?);
        Ok(Self { platform, rpc, endpoint: (url, endpoint), address, listener, signals })
    }

    /// Serves until `enclave` gives up and says why, or the operator ends the process.
    ///
    /// # Errors
    /// Why the enclave gave up.
    pub async fn serve(
        self,
        service: Arc<impl server::Service>,
        enclave: impl Future<Output = String>,
    ) -> anyhow::Result<()> {
        let [mut terminate, mut interrupt] = self.signals;
        let (stop, mut stopped) = watch::channel(false);
        let serving = tokio::spawn(server::serve(self.listener, service, async move {
            // When the sender is gone the process ends as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        let reason = tokio::select! {
            reason = enclave => Some(reason),
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
        };
        let _ = stop.send(true);
        serving.await?;
        match reason {
            Some(reason) => bail!(reason),
            None => Ok(()),
        }
    }
}
