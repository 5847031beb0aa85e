//! A whole network on this machine: node, simulated TEEs, workers and gatekeepers as processes, in one directory.
//!
//! ```text
//! DIR/network.json      what clients need: rpc, workers, genesis
//! DIR/chain-spec.json   the chain's genesis, with the measurements of the binaries
//! DIR/processes.json    who is running: process id and start time
//! DIR/lock              held by the supervisor as long as it lives
//! DIR/node-1 …          a node's database and keys
//! DIR/machine-1 …       a simulated machine: its fuse key is its identity
//! DIR/worker-1 …        a worker's sealed storage
//! DIR/gatekeeper-1 …    a gatekeeper's sealed storage, with its key share
//! DIR/logs/             what each of them says
//! ```
//!
//! # Properties
//! - Every process carries the directory in its environment, so a supervisor that was killed leaves nobody
//!   behind that `phala down` cannot find.
//! - A process is signalled only after its start time was compared: a recycled process id is nobody's victim.
//! - A start that fails or is interrupted takes back what it began.

pub mod binaries;
pub mod gatekeepers;
pub mod ports;
pub mod processes;
pub mod spec;
pub mod start;
pub mod stop;

use crate::failure::{Failure, Outcome};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The files of one network.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The network's directory.
    pub dir: PathBuf,
}

impl Layout {
    /// The network in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    /// Makes the directory, and its path absolute: processes started from elsewhere must find it.
    pub fn create(dir: &Path) -> Outcome<Self> {
        use crate::failure::Explain;
        let say = |what| format!("{what} {}", dir.display());
        std::fs::create_dir_all(dir.join("logs"))
            .doing(say("making"))
            .help("choose a directory that you may write with --dir D or PHALA_DIR=D")?;
        let dir = dir.canonicalize().doing(say("finding"))?;
        Ok(Self { dir })
    }

    /// A role's log.
    pub fn log(&self, role: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{role}.log"))
    }

    /// The chain's genesis.
    pub fn spec(&self) -> PathBuf {
        self.dir.join("chain-spec.json")
    }

    /// Who is running.
    pub fn processes(&self) -> PathBuf {
        self.dir.join("processes.json")
    }

    /// Held by the supervisor.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// A simulated machine's socket. Unix allows 107 bytes for its path; longer ones move to the temporary folder.
    pub fn socket(&self, role: &str) -> PathBuf {
        let near = self.dir.join(format!("{role}.sock"));
        if near.as_os_str().len() <= 100 {
            return near;
        }
        let name = phala_messages::transcript::sha256(near.as_os_str().as_encoded_bytes()).to_string();
        env::temp_dir().join(format!("phala-{}.sock", &name[2..18]))
    }
}

/// The network's directory: `--dir`, else `PHALA_DIR` (both arrive as `given`), else `~/.phala/local`.
pub fn directory(given: Option<&Path>) -> Outcome<PathBuf> {
    match (given, home()) {
        (Some(dir), _) => Ok(dir.into()),
        (None, Some(home)) => Ok(home.join("local")),
        (None, None) => Err(Failure::usage("there is no home directory", "name a directory: --dir D")),
    }
}

/// Where `phala` keeps what is its user's: `PHALA_HOME`, else `~/.phala`.
pub fn home() -> Option<PathBuf> {
    let chosen = env::var_os("PHALA_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    chosen.or_else(|| env::var_os("HOME").filter(|dir| !dir.is_empty()).map(|home| Path::new(&home).join(".phala")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_s_path_always_fits() {
        let short = Layout::new(Path::new("/tmp/n"));
        assert_eq!(short.socket("machine-1"), Path::new("/tmp/n/machine-1.sock"));
        let long = Layout::new(Path::new(&format!("/tmp/{}", "n".repeat(200))));
        assert!(long.socket("machine-1").as_os_str().len() <= 107);
        assert_ne!(long.socket("machine-1"), long.socket("machine-2"));
    }

    #[test]
    fn a_given_directory_wins() {
        assert_eq!(directory(Some(Path::new("/d"))).unwrap(), Path::new("/d"));
    }
}
