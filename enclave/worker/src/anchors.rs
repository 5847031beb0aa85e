//! Anchors: telling the chain what a program's state is now.

use crate::worker::Worker;
use codec::DecodeAll;
use phala_machine::SubmitError;
use phala_messages::{
    Anchor, Hash, ProgramId, StateRoot,
    anchor::SignedAnchor,
    calls::{Call, Programs},
};
use phala_state::ProgramState;

/// What is committed and not anchored.
pub struct Pending {
    /// The version that the chain has.
    pub from: u64,
    /// The version on disk.
    pub to: u64,
    /// Its root.
    pub root: StateRoot,
    /// Root over the results between.
    pub results: Hash,
}

/// The commit that leads on from version `anchored`, as it lies on disk. The same after every restart.
pub fn pending(state: &ProgramState, anchored: u64) -> Option<Pending> {
    let (from, to, mut results) = state.pending().find(|(from, ..)| *from == anchored)?;
    let results = Hash::decode_all(&mut results).ok()?;
    Some(Pending { from, to, root: state.snapshot_at(to)?.root(), results })
}

/// Signs the anchor as this process and hands it in.
///
/// # Errors
/// [`SubmitError`].
pub async fn send(worker: &Worker, program: ProgramId, pending: Pending) -> Result<(), SubmitError> {
    let identity = &worker.identity;
    let Pending { from, to, root, results } = pending;
    let anchor = Anchor { program, from, to, root, results, worker: identity.worker };
    let signature = identity.sign_as_instance(&anchor.signing_hash(&identity.genesis).0);
    let call = Call::Programs(Programs::Anchor { anchor: SignedAnchor { anchor, signature } });
    match worker.submitter.submit(&call).await {
        Ok(()) | Err(SubmitError::Known | SubmitError::Had) => Ok(()),
        Err(error) => Err(error),
    }
}
