//! The simulated TEE: a machine is a directory, its processor a process.
//!
//! ```text
//! worker ──unix socket──► phala-simulated-tee --machine DIR
//!   Quote, SealingKey,      measures its peer: SHA-384 of /proc/PID/exe is MRTD
//!   Collateral              fuse key in DIR: PCK key, attestation key, sealing keys
//! ```
//! **It keeps no secret.** Whoever can read DIR, or runs the same executable, gets every key. What it does give is the real shape of
//! things: quotes that the real verifier judges, measurements that differ between programs, sealing keys that differ between machines. So
//! attacks on the protocol (cloned disks, relayed quotes, replaced programs) can be tried on it.
//!
//! [`pki`] is the certificate authority, [`mint`] makes quotes, [`server`] is the process, [`Simulated`] its client.

pub mod asn1;
pub mod mint;
pub mod pki;
pub mod protocol;
pub mod server;

use crate::{Platform, PlatformError};
use phala_crypto::Secret;
use phala_evidence::measure_tdx;
use phala_messages::{Measurement, collateral::Collateral};
use protocol::{Request, Response};
use sha2::{Digest, Sha384};
use std::{
    fs::File,
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroize;

/// How long the process may take: the first request of a connection waits until an executable of hundreds of megabytes is hashed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// MRTD of an executable: SHA-384 of the file.
///
/// # Errors
/// The file cannot be read.
pub fn simulated_mr_td(executable: &Path) -> io::Result<[u8; 48]> {
    hash_file(File::open(executable)?)
}

/// The measurement that a process of this executable will have: what goes on a network's allow-list.
///
/// # Errors
/// The file cannot be read.
pub fn simulated_measurement(executable: &Path) -> io::Result<Measurement> {
    Ok(measurement_of(&simulated_mr_td(executable)?))
}

/// The measurement of a simulated machine with this MRTD: its run-time registers are zero.
pub fn measurement_of(mr_td: &[u8; 48]) -> Measurement {
    measure_tdx(mr_td, [&[0; 48]; 4])
}

pub(crate) fn hash_file(mut file: File) -> io::Result<[u8; 48]> {
    let mut hash = Sha384::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// The client of a simulated TEE.
#[derive(Debug)]
pub struct Simulated {
    socket: PathBuf,
    stream: Mutex<Option<UnixStream>>,
}

impl Simulated {
    /// Connects to the process behind `socket`.
    ///
    /// # Errors
    /// [`PlatformError::Unreachable`].
    pub fn connect(socket: impl Into<PathBuf>) -> Result<Self, PlatformError> {
        let this = Self { socket: socket.into(), stream: Mutex::new(None) };
        let stream = this.open()?;
        *this.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        Ok(this)
    }

    fn open(&self) -> Result<UnixStream, PlatformError> {
        let open = || {
            let stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(stream)
        };
        open().map_err(|source| self.unreachable(source))
    }

    fn unreachable(&self, source: io::Error) -> PlatformError {
        PlatformError::Unreachable { socket: self.socket.display().to_string(), source }
    }

    /// Asks once more over a new connection if the old one broke: the process may have been restarted.
    fn ask(&self, request: &Request) -> Result<Response, PlatformError> {
        let mut held = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut stream) = held.take() {
            if let Ok(response) = protocol::ask(&mut stream, request) {
                *held = Some(stream);
                return refused(response);
            }
        }
        let mut stream = self.open()?;
        let response = protocol::ask(&mut stream, request).map_err(|source| self.unreachable(source))?;
        *held = Some(stream);
        refused(response)
    }
}

fn refused(response: Response) -> Result<Response, PlatformError> {
    match response {
        Response::Refused(reason) => Err(PlatformError::Refused(reason)),
        response => Ok(response),
    }
}

impl Platform for Simulated {
    fn name(&self) -> &'static str {
        "simulated-tdx"
    }

    fn simulated(&self) -> bool {
        true
    }

    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, PlatformError> {
        match self.ask(&Request::Quote(report_data))? {
            Response::Quote(quote) => Ok(quote),
            _ => Err(PlatformError::Protocol),
        }
    }

    fn sealing_key(&self, context: &'static str) -> Result<Secret<32>, PlatformError> {
        match self.ask(&Request::SealingKey(context.into()))? {
            Response::SealingKey(mut key) => {
                let secret = Secret::new(key);
                key.zeroize();
                Ok(secret)
            }
            _ => Err(PlatformError::Protocol),
        }
    }

    fn collateral(&self) -> Result<Vec<Collateral>, PlatformError> {
        match self.ask(&Request::Collateral)? {
            Response::Collateral(pieces) => Ok(pieces),
            _ => Err(PlatformError::Protocol),
        }
    }
}
