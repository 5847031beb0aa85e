//! The view: what queries see of the chain, whole and consistent, replaced as one.
//!
//! # Properties
//! - Everything in a view is true at its block: the worker's admission, each program and its newest anchor.
//! - Reading it takes no lock beyond the copy of one pointer.

use crate::{
    problem::Problem,
    programs::{ChainSide, Loaded, ProgramCell},
};
use phala_machine::Standing;
use phala_messages::{BlockRef, ProgramId};
use phala_state::Snapshot;
use phala_units::UnixMillis;
use std::{collections::HashMap, sync::Arc};

/// One program, as queries see it.
pub struct Entry {
    /// What this worker holds of it.
    pub cell: Arc<ProgramCell>,
    /// What the chain says.
    pub chain: ChainSide,
    /// Code and keys that go with the state, once they are there.
    pub loaded: Option<Arc<Loaded>>,
    /// The state that may be read, or why none may.
    pub serving: Result<Snapshot, Problem>,
}

/// What queries see of the chain.
#[derive(Clone)]
pub struct View {
    /// A finalised block.
    pub block: BlockRef,
    /// Its time.
    pub time: UnixMillis,
    /// How this process stands there.
    pub standing: Standing,
    /// The programs assigned to this worker.
    pub programs: Arc<HashMap<ProgramId, Entry>>,
}

impl View {
    /// Before anything was proven.
    pub fn nothing() -> Self {
        Self {
            block: BlockRef::default(),
            time: UnixMillis(0),
            standing: Standing::Unregistered("this worker has just started".into()),
            programs: Arc::default(),
        }
    }

    /// Whether this worker may serve at all at `now`.
    ///
    /// # Errors
    /// [`Problem::Superseded`], [`Problem::Unregistered`], [`Problem::Stale`].
    pub fn may_serve(&self, now: UnixMillis, head_age_ms_max: u64) -> Result<(), Problem> {
        Ok(self.standing.may_serve(self.time, now, head_age_ms_max)?)
    }
}
