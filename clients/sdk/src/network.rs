//! A network, as a client knows it: where it is, and what to believe about it.
//!
//! `phala up` leaves a directory. In it `network.json` names the node's RPC, the workers and the genesis;
//! the genesis is the one thing the client trusts. Everything else is proven from it.

use crate::Hint;
use phala_follow::Checkpoint;
use phala_messages::GenesisHash;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Name of the file in a network's directory.
pub const NETWORK_FILE: &str = "network.json";
/// Name of the file in which a client remembers what it has proven, so that the next start is quick.
const CHECKPOINT_FILE: &str = "checkpoint.json";
/// Format of `network.json`.
const NETWORK_FORMAT: u32 = 1;

/// Why there is no network to speak to.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The directory has no `network.json`.
    #[error("no network in {0}")]
    Absent(PathBuf),
    /// It cannot be read or written.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says something else.
    #[error("{path} is damaged")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
    /// Written by another version.
    #[error("{path} has format {format}; this software reads format {NETWORK_FORMAT}")]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says.
        format: u32,
    },
}

impl Hint for NetworkError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent(_) => "start one with `phala up`, or name another with --dir D (or PHALA_DIR=D)".into(),
            Self::File { path, .. } => format!("check that {} is yours", path.display()),
            Self::Malformed { path, .. } | Self::Format { path, .. } => format!(
                "`phala down`, remove {} and start again with `phala up`",
                path.parent().unwrap_or(path).display()
            ),
        })
    }
}

/// The content of `network.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// [`NETWORK_FORMAT`].
    pub format: u32,
    /// The chain's name: `dev` or `local`.
    pub chain: String,
    /// Whether the well-known development accounts may sign here.
    pub development: bool,
    /// WebSocket address of a node's RPC. It is not trusted.
    pub rpc: String,
    /// Addresses of workers. They are not trusted.
    pub workers: Vec<String>,
    /// Addresses of gatekeepers.
    #[serde(default)]
    pub gatekeepers: Vec<String>,
    /// Hash of block 0: what the client trusts.
    pub genesis: GenesisHash,
    /// The cluster that programs are deployed to when nobody says otherwise.
    #[serde(default)]
    pub cluster: Option<u32>,
}

impl Network {
    /// A network at `rpc` whose block 0 is `genesis`.
    pub fn new(chain: &str, rpc: String, genesis: GenesisHash) -> Self {
        Self {
            format: NETWORK_FORMAT,
            chain: chain.into(),
            development: matches!(chain, "dev" | "local"),
            rpc,
            workers: Vec::new(),
            gatekeepers: Vec::new(),
            genesis,
            cluster: None,
        }
    }

    /// Reads the network of `dir`.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn read(dir: &Path) -> Result<Self, NetworkError> {
        let path = dir.join(NETWORK_FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NetworkError::Absent(dir.into()));
            }
            other => other.map_err(|source| NetworkError::File { path: path.clone(), source })?,
        };
        let network: Self =
            serde_json::from_str(&text).map_err(|source| NetworkError::Malformed { path: path.clone(), source })?;
        if network.format != NETWORK_FORMAT {
            return Err(NetworkError::Format { path, format: network.format });
        }
        Ok(network)
    }

    /// Writes the network of `dir`, whole or not at all.
    ///
    /// # Errors
    /// [`NetworkError::File`].
    pub fn write(&self, dir: &Path) -> Result<(), NetworkError> {
        let path = dir.join(NETWORK_FILE);
        write_whole(&path, self).map_err(|source| NetworkError::File { path, source })
    }
}

/// Replaces `path` by the JSON of `value`, whole or not at all.
fn write_whole(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let aside = path.with_extension(format!("new.{}", std::process::id()));
    fs::write(&aside, serde_json::to_vec_pretty(value)?)?;
    fs::rename(&aside, path)
}

/// What the client proved last time. A damaged or foreign one is as good as none: following starts at genesis.
pub fn read_checkpoint(dir: &Path, genesis: &GenesisHash) -> Option<Checkpoint> {
    let text = fs::read_to_string(dir.join(CHECKPOINT_FILE)).ok()?;
    let checkpoint = Checkpoint::parse_json(&text).ok()?;
    (checkpoint.genesis == *genesis).then_some(checkpoint)
}

/// Remembers what was proven. Losing it costs time only, so nobody is told when it cannot be written.
pub fn write_checkpoint(dir: &Path, checkpoint: &Checkpoint) {
    let _ = write_whole(&dir.join(CHECKPOINT_FILE), &checkpoint.to_json());
}

/// The address for HTTP requests of an RPC whose address may be given for WebSocket.
pub fn http_url(rpc: &str) -> String {
    match rpc.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(_) => rpc.into(),
        None => format!("http://{rpc}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let mut network = Network::new("dev", "ws://127.0.0.1:9944".into(), GenesisHash([7; 32]));
        network.workers.push("http://127.0.0.1:8000".into());
        network
    }

    #[test]
    fn a_network_comes_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        network().write(dir.path()).unwrap();
        assert_eq!(Network::read(dir.path()).unwrap(), network());
    }

    #[test]
    fn each_way_to_have_no_network_has_its_own_error_and_hint() {
        let dir = tempfile::tempdir().unwrap();
        let read = || Network::read(dir.path()).unwrap_err();
        assert!(matches!(read(), NetworkError::Absent(_)) && read().hint().is_some());
        fs::write(dir.path().join(NETWORK_FILE), "{").unwrap();
        assert!(matches!(read(), NetworkError::Malformed { .. }) && read().hint().is_some());
        let newer = Network { format: 2, ..network() };
        newer.write(dir.path()).unwrap();
        assert!(matches!(read(), NetworkError::Format { format: 2, .. }) && read().hint().is_some());
        fs::remove_file(dir.path().join(NETWORK_FILE)).unwrap();
        fs::create_dir(dir.path().join(NETWORK_FILE)).unwrap();
        assert!(matches!(read(), NetworkError::File { .. }) && read().hint().is_some());
    }

    #[test]
    fn only_networks_for_development_accept_well_known_accounts() {
        for (chain, development) in [("dev", true), ("local", true), ("production", false)] {
            assert_eq!(Network::new(chain, String::new(), GenesisHash::default()).development, development);
        }
    }

    #[test]
    fn a_websocket_address_is_asked_over_http() {
        for (given, asked) in [
            ("ws://127.0.0.1:9944", "http://127.0.0.1:9944"),
            ("wss://node.example", "https://node.example"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ("127.0.0.1:1", "http://127.0.0.1:1"),
        ] {
            assert_eq!(http_url(given), asked);
        }
    }
}
