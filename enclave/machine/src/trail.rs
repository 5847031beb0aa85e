//! The trail: where following the chain goes on after a restart.
//!
//! # Properties
//! - A machine starts at the genesis that its evidence names, or at a checkpoint that it sealed itself. Nobody may
//!   hand it another: whoever runs the machine would choose the chain that it believes.

use crate::member::Member;
use codec::{DecodeAll, Encode};
use phala_follow::{Checkpoint, FollowError, Follower, Rpc};

/// Name of the checkpoint in the cabinet.
const CHECKPOINT: &str = "checkpoint";
/// A checkpoint is kept every so many heads.
const CHECKPOINT_HEADS: u32 = 100;

/// Keeps the follower's checkpoint.
#[derive(Debug, Default)]
pub struct Trail {
    saved_at: u32,
}

impl Trail {
    /// Where to go on: where this machine was, else its genesis. Waits for the node.
    ///
    /// # Errors
    /// When the node is of another network; in words.
    pub async fn follower<R: Rpc>(member: &Member, rpc: &R, poll_ms: u64) -> Result<Follower, String> {
        if let Some(follower) = kept(member) {
            return Ok(follower);
        }
        loop {
            match Follower::from_genesis(member.identity.genesis, rpc).await {
                Ok(follower) => return Ok(follower),
                Err(error @ FollowError::WrongGenesis { .. }) => return Err(error.to_string()),
                Err(error) => {
                    tracing::warn!(%error, "waiting for the node");
                    member.ports.clock.sleep(poll_ms * 2).await;
                }
            }
        }
    }

    /// Keeps where the follower is, now and then.
    pub fn save(&mut self, member: &Member, follower: &Follower) {
        let number = follower.head().number.0;
        if self.saved_at != 0 && number.saturating_sub(self.saved_at) < CHECKPOINT_HEADS {
            return;
        }
        match member.cabinet.put(CHECKPOINT, &follower.checkpoint().encode()) {
            Ok(()) => self.saved_at = number,
            Err(error) => tracing::warn!(%error, "the checkpoint cannot be kept; the next start begins further back"),
        }
    }
}

/// The follower as this machine left it, if it kept one of this network.
fn kept(member: &Member) -> Option<Follower> {
    let bytes = member.cabinet.get(CHECKPOINT).ok().flatten()?;
    let checkpoint = Checkpoint::decode_all(&mut bytes.as_slice()).ok()?;
    if checkpoint.genesis != member.identity.genesis {
        return None;
    }
    Follower::from_checkpoint(&checkpoint).ok()
}
