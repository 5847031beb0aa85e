//! Touch the TEE: quotes, sealing keys and collateral behind one trait.
//!
//! # The problem
//! The same worker runs on real hardware and on a laptop. It must not know the difference anywhere but here, and a person must
//! never be left in doubt about which of the two it is.
//!
//! # The idea
//! [`Platform`] is what a worker asks of its machine. Two answer:
//! - [`tsm`]: Intel TDX through Linux' configfs-tsm. Real.
//! - [`simulated`]: a process of its own, reached over a unix socket, that measures who connects and mints quotes in Intel's format
//!   under the development root. **It keeps no secret**, and [`Platform::simulated`] says so.
//!
//! No verdict is reached here: evidence is judged by `phala-evidence`, for both alike.

use phala_crypto::Secret;
use phala_messages::collateral::Collateral;

pub mod simulated;
pub mod tsm;

/// What a worker asks of the machine that it runs on.
pub trait Platform: Send + Sync {
    /// Short name for people: `tdx`, `simulated-tdx`.
    fn name(&self) -> &'static str;

    /// Whether this is a simulation that keeps no secret.
    fn simulated(&self) -> bool;

    /// A quote over 64 bytes.
    ///
    /// # Errors
    /// [`PlatformError`]: nothing is lost, ask again.
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, PlatformError>;

    /// The key under which this code on this machine seals what it keeps. The same code on the same machine gets the same key; other code or
    /// another machine gets another.
    ///
    /// # Errors
    /// [`PlatformError::NoSealing`] where the hardware has no such key.
    fn sealing_key(&self, context: &'static str) -> Result<Secret<32>, PlatformError>;

    /// The collateral by which this machine's quotes are judged, in the order in which it must be stored.
    ///
    /// # Errors
    /// [`PlatformError`]: nothing is lost, ask again.
    fn collateral(&self) -> Result<Vec<Collateral>, PlatformError>;
}

/// Why the machine did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The simulated TEE is not there, or went away.
    #[error(
        "simulated TEE at {socket} cannot be reached; hint: start `phala-simulated-tee --machine DIR --socket {socket}`"
    )]
    Unreachable {
        /// Where it should be.
        socket: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The simulated TEE refused.
    #[error("simulated TEE refused: {0}")]
    Refused(String),
    /// The simulated TEE said something else than it was asked.
    #[error("simulated TEE answered something else than it was asked")]
    Protocol,
    /// The kernel offers no report interface.
    #[error(
        "{path} does not exist; hint: this needs a confidential virtual machine with Linux 6.7 or later, \
         CONFIG_TSM_REPORTS, configfs mounted and the modules `tsm` and `tdx_guest` loaded"
    )]
    NoTsm {
        /// What was looked for.
        path: String,
    },
    /// The kernel's report interface belongs to another technology.
    #[error("reports come from `{found}`, not from `tdx_guest`; only Intel TDX is supported")]
    Provider {
        /// Who makes reports here.
        found: String,
    },
    /// Another process used the same report entry at the same time.
    #[error("report entry was used by somebody else at the same time")]
    Race,
    /// The kernel or the host made no quote.
    #[error("quote could not be made")]
    Quote(#[source] std::io::Error),
    /// The machine has no sealing key.
    #[error(
        "Intel TDX offers no sealing key: a virtual machine forgets its keys when it stops; hint: let the network release keys to this worker, \
         or accept that it starts with a new identity each time"
    )]
    NoSealing,
    /// A file of collateral is missing or cannot be read.
    #[error(
        "collateral file {path} cannot be read; hint: fetch it from the Intel Provisioning Certification Service or your PCCS"
    )]
    CollateralFile {
        /// Which.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file of collateral is not what it should be.
    #[error("collateral file {path} is malformed: {reason}")]
    CollateralMalformed {
        /// Which.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}
