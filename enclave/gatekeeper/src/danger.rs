//! What a thief has who took a gatekeeper's disk and broke its TEE. For drills: nothing in a gatekeeper calls this.

use crate::shares::Share;
use phala_machine::Cabinet;
use phala_messages::custody::EpochNumber;
use phala_threshold::{Identity, Output, PartialKey, ParticipantKey, evaluate};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A stolen key share.
pub struct Loot {
    /// Of which epoch.
    pub epoch: EpochNumber,
    /// What the epoch came to.
    pub output: Arc<Output>,
    share: Share,
}

impl Loot {
    /// The key share under `name`, if there is one and the cabinet's key opens it.
    pub fn open(cabinet: &Cabinet, name: &str) -> Option<Self> {
        let (epoch, share) = Share::open(cabinet, name).ok()??;
        Some(Self { epoch, output: share.output.clone(), share })
    }

    /// What the key share computes for `identity`.
    pub fn partial(&self, identity: &Identity) -> PartialKey {
        evaluate(&self.share.share, identity)
    }

    /// Whether it is this player's.
    pub fn fits(&self, player: &ParticipantKey) -> bool {
        self.share.share.fits(&self.output, player)
    }

    /// The key share's bytes, to be looked for elsewhere.
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        self.share.share.bytes_to_seal()
    }
}
