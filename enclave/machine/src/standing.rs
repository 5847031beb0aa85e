//! How a process stands with the chain.

use phala_follow::check_age;
use phala_messages::{BlockRef, WorkerRecord};
use phala_units::UnixMillis;
use std::sync::Arc;

/// How this process stands with the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not counted in; the words say why.
    Unregistered(String),
    /// It is counted in.
    Admitted(Arc<WorkerRecord>),
    /// Another process took its place.
    Superseded,
}

/// Why a process may not serve now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Another process took its place.
    Superseded,
    /// It is not counted in, or not any more; the words say why.
    Unregistered(String),
    /// Nothing was proven to it for too long.
    Stale {
        /// Age of the newest block that it could verify.
        age_ms: u64,
        /// What it may be.
        max_ms: u64,
    },
}

impl Standing {
    /// Whether a process that stands so at a block of time `at` may serve at `now`, if its newest block may be `age_ms_max` old.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn may_serve(&self, at: UnixMillis, now: UnixMillis, age_ms_max: u64) -> Result<(), Unfit> {
        match self {
            Self::Superseded => return Err(Unfit::Superseded),
            Self::Unregistered(why) => return Err(Unfit::Unregistered(why.clone())),
            Self::Admitted(record) if record.expires_at <= now.max(at) => {
                return Err(Unfit::Unregistered("its admission has expired".into()));
            }
            Self::Admitted(_) => {}
        }
        check_age(at, now, age_ms_max).map_err(|_| Unfit::Stale { age_ms: now.since(at), max_ms: age_ms_max })
    }
}

/// What a look at the chain found of this process.
#[derive(Clone, Debug)]
pub struct Seen {
    /// A finalised block.
    pub block: BlockRef,
    /// Its time.
    pub time: UnixMillis,
    /// How this process stands there.
    pub standing: Standing,
    /// When a process of this machine was last admitted there: this one or another.
    pub admitted_at: Option<UnixMillis>,
}

impl Seen {
    /// Before anything was proven.
    pub fn nothing() -> Self {
        Self {
            block: BlockRef::default(),
            time: UnixMillis(0),
            standing: Standing::Unregistered("this process has just started".into()),
            admitted_at: None,
        }
    }
}
