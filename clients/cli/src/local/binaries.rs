//! Where the other programs are: beside this one, or in `PHALA_BIN`.

use crate::failure::{Failure, Outcome};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The programs that a network is made of.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// Produces blocks.
    pub node: PathBuf,
    /// Runs programs.
    pub worker: PathBuf,
    /// Guards a share of the master key.
    pub gatekeeper: PathBuf,
    /// Pretends to be a TEE.
    pub tee: PathBuf,
    /// Robs gatekeepers.
    pub drill: PathBuf,
}

impl Binaries {
    /// Finds them all.
    pub fn find() -> Outcome<Self> {
        let places = places();
        Ok(Self {
            node: find("phala-node", &places)?,
            worker: find("phala-worker", &places)?,
            gatekeeper: find("phala-gatekeeper", &places)?,
            tee: find("phala-simulated-tee", &places)?,
            drill: find("phala-drill", &places)?,
        })
    }
}

/// Folders in which programs are looked for, first to last.
fn places() -> Vec<PathBuf> {
    let chosen = env::var_os("PHALA_BIN").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let beside = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    // `cargo test` puts executables one level deeper.
    let above = beside.as_ref().filter(|dir| dir.ends_with("deps")).and_then(|dir| dir.parent()).map(Path::to_path_buf);
    chosen.into_iter().chain(beside).chain(above).collect()
}

/// The real path of `name`: a link's target is what runs, and what is measured.
fn find(name: &str, places: &[PathBuf]) -> Outcome<PathBuf> {
    let found = places.iter().map(|place| place.join(name)).find(|path| path.is_file());
    match found {
        Some(path) => Ok(path.canonicalize()?),
        None => {
            let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
            Err(Failure::new(
                format!("{name} is not in {}", places.join(" nor in ")),
                "`make build` builds it beside `phala`; PHALA_BIN=DIR names another folder",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_where_it_was_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let failure = find("phala-node", &[dir.path().into()]).unwrap_err();
        assert!(failure.message().contains("phala-node is not in"));
        assert!(failure.message().contains(&dir.path().display().to_string()));
        assert!(failure.hint().is_some());
    }

    #[test]
    fn a_link_leads_to_what_really_runs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("real"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("phala-node")).unwrap();
        let found = find("phala-node", &[dir.path().into()]).unwrap();
        assert!(found.ends_with("real"));
    }
}
