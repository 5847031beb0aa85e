//! How a process stands with the chain.

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
