//! The process of a simulated machine.
//!
//! # Properties
//! - A client is measured when it connects; what it asks later is answered for that measurement.
//! - A malformed request is answered with a refusal and ends that connection; nothing that arrives ends the process.

use super::{
    hash_file,
    mint::{Machine, QuoteSpec, TdSpec},
    pki::Pki,
    protocol::{REQUEST_BYTES_MAX, Request, Response},
};
use anyhow::{Context, bail};
use codec::{DecodeAll, Encode};
use phala_crypto::{Secret, derive};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

/// Clients at once; one more waits.
const CLIENTS_MAX: usize = 256;
/// Collateral is dated a little back: a chain's clock may be behind ours.
const BACKDATE_SECONDS: u64 = 3_600;
/// How long collateral lasts, as Intel's does.
const COLLATERAL_SECONDS: u64 = 30 * 24 * 3_600;
/// Longest context of a sealing key.
const CONTEXT_BYTES_MAX: usize = 256;
/// Executables whose measurement is remembered.
const MEASUREMENTS_MAX: usize = 64;

/// File of the fuse key inside a machine's directory.
const FUSE: &str = "fuse.key";
/// File of the certificate chain inside a machine's directory, for people to look at.
const CHAIN: &str = "pck.pem";

/// Which executable: device, inode, size, time of change in nanoseconds.
type FileId = (u64, u64, u64, i128);

/// A simulated machine.
pub struct SimulatedMachine {
    fuse: Secret<32>,
    pki: Pki,
    machine: Machine,
    measured: Mutex<HashMap<FileId, [u8; 48]>>,
}

/// What whoever broke a machine can do.
pub mod danger {
    use super::*;

    /// The sealing key of a program, from the machine's fuse key: what a real machine gives to nobody but the program.
    ///
    /// # Errors
    /// The directory is no machine, or the executable cannot be read.
    pub fn sealing_key(machine: &Path, executable: &Path, context: &str) -> anyhow::Result<Secret<32>> {
        let fuse = open_fuse(machine)?;
        let mr_td = hash_file(File::open(executable)?)?;
        Ok(derive(&fuse, "simulated-tee/sealing", &[&mr_td, context.as_bytes()]))
    }
}

impl SimulatedMachine {
    /// Opens the machine in `directory`, making it on the first start.
    ///
    /// # Errors
    /// The directory cannot be written, or its fuse key is damaged.
    pub fn open(directory: &Path, pki: Pki) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("machine {} cannot be made", directory.display()))?;
        let fuse = open_fuse(directory)?;
        let machine = Machine::new(&pki, fuse.expose());
        let chain = directory.join(CHAIN);
        fs::write(&chain, &machine.chain).with_context(|| format!("{} cannot be written", chain.display()))?;
        Ok(Self { fuse, pki, machine, measured: Mutex::default() })
    }

    /// Serves clients until the future is dropped.
    pub async fn serve(self: Arc<Self>, listener: UnixListener) {
        let clients = Arc::new(Semaphore::new(CLIENTS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&clients).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let this = Arc::clone(&self);
                    tokio::spawn(async move {
                        if let Err(error) = this.client(stream).await {
                            tracing::debug!(%error, "client left");
                        }
                        drop(permit);
                    });
                }
                // Out of file descriptors, most likely: let clients leave.
                Err(error) => {
                    tracing::warn!(%error, "connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn client(self: Arc<Self>, mut stream: UnixStream) -> io::Result<()> {
        let pid = stream.peer_cred()?.pid();
        let this = Arc::clone(&self);
        let measured = tokio::task::spawn_blocking(move || this.measure(pid)).await.map_err(io::Error::other)?;
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).await?;
            let length = u32::from_le_bytes(length) as usize;
            if length > REQUEST_BYTES_MAX {
                send(&mut stream, &Response::Refused("request is too long".into())).await?;
                return Ok(());
            }
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await?;
            let Ok(request) = Request::decode_all(&mut bytes.as_slice()) else {
                send(&mut stream, &Response::Refused("request is malformed".into())).await?;
                return Ok(());
            };
            let response = match &measured {
                Ok(mr_td) => self.answer(&request, mr_td),
                Err(error) => Response::Refused(format!("client could not be measured: {error}")),
            };
            send(&mut stream, &response).await?;
        }
    }

    /// Answers one request of a client with this measurement.
    fn answer(&self, request: &Request, mr_td: &[u8; 48]) -> Response {
        match request {
            Request::Quote(report_data) => {
                Response::Quote(self.machine.quote(&QuoteSpec::tdx(&TdSpec::new(*mr_td, *report_data))))
            }
            Request::SealingKey(context) if context.len() <= CONTEXT_BYTES_MAX => Response::SealingKey(
                *derive(&self.fuse, "simulated-tee/sealing", &[mr_td, context.as_bytes()]).expose(),
            ),
            Request::SealingKey(_) => Response::Refused("context of the sealing key is too long".into()),
            Request::Collateral => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                // Whole hours, so that a network's workers bring the same bytes most of the time.
                let from = (now - now % 3_600).saturating_sub(BACKDATE_SECONDS);
                Response::Collateral(self.pki.collateral((from, from + COLLATERAL_SECONDS)))
            }
        }
    }

    /// MRTD of the process with this number: SHA-384 of the file that it runs.
    fn measure(&self, pid: Option<i32>) -> io::Result<[u8; 48]> {
        let pid = pid.ok_or_else(|| io::Error::other("the system does not say which process it is"))?;
        let file = File::open(format!("/proc/{pid}/exe"))?;
        let meta = file.metadata()?;
        let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        let id = (meta.dev(), meta.ino(), meta.size(), changed);
        if let Some(mr_td) = self.measured.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(*mr_td);
        }
        let mr_td = hash_file(file)?;
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if measured.len() >= MEASUREMENTS_MAX {
            measured.clear();
        }
        measured.insert(id, mr_td);
        Ok(mr_td)
    }
}

async fn send(stream: &mut UnixStream, response: &Response) -> io::Result<()> {
    let bytes = response.encode();
    let mut frame = (bytes.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(&bytes);
    stream.write_all(&frame).await
}

/// The fuse key, made on the first start and complete or absent at any moment.
fn open_fuse(directory: &Path) -> anyhow::Result<Secret<32>> {
    let path = directory.join(FUSE);
    if !path.exists() {
        let temporary = directory.join(format!("{FUSE}.{}", std::process::id()));
        let fuse = Secret::<32>::generate(|bytes| {
            getrandom::fill(bytes).expect("the operating system has entropy once it has booted");
        });
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .with_context(|| format!("{} cannot be made", temporary.display()))?;
        file.write_all(fuse.expose())?;
        file.sync_all()?;
        // A link is made whole and only if there is none: of two first starts, one wins and both use its key.
        let linked = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary)?;
        if let Err(error) = linked {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error).with_context(|| format!("{} cannot be made", path.display()));
            }
        }
        File::open(directory)?.sync_all()?;
    }
    let bytes = zeroize::Zeroizing::new(fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?);
    let Ok(fuse) = <[u8; 32]>::try_from(bytes.as_slice()) else {
        bail!(
            "{} is damaged: it has {} bytes, not 32; hint: a machine without its fuse key is a new machine, remove the directory",
            path.display(),
            bytes.len()
        );
    };
    Ok(Secret::new(fuse))
}
