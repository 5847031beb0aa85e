//! Results of commands: kept until their callers have fetched them.
//!
//! ```text
//! answered ──────────► (anchor finalised) ──────► issued: sealed to the caller, with a receipt
//! kept with the state                             kept in memory until the next commit writes it
//! ```
//! A receipt names the block in which the anchor stands, so it can only be written then; and the next anchor
//! replaces this one, so it must be on disk before the next anchor goes out. The commit of the next batch,
//! which precedes that, carries it.

use crate::{
    command::Answered,
    problem::Problem,
    receipts::{self, Facts},
};
use bytes::Bytes;
use codec::{Decode, DecodeAll, Encode};
use phala_crypto::{SEAL_NONCE_BYTES, SealKey, Secret, channel::framing};
use phala_machine::identity::Identity;
use phala_messages::{
    AnchorRef, CodeHash, CommandProof, Hash, ProgramId, Subject,
    anchor::{results_path, results_root},
    query::result_place,
};
use phala_state::ProgramState;
use phala_units::UnixMillis;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Results kept of one program: the newest.
pub const RESULTS_KEPT: u64 = 1_024;

/// What is kept beside the state under a command's index.
#[derive(Encode, Decode)]
pub enum Stored {
    /// Not issued yet.
    #[codec(index = 0)]
    Answered(Answered),
    /// Issued.
    #[codec(index = 1)]
    Issued(Issued),
}

impl Stored {
    /// Reads what was kept.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::decode_all(&mut &*bytes).ok()
    }
}

/// A result as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Issued {
    /// Sealed to the caller.
    #[codec(index = 0)]
    Sealed(Vec<u8>),
    /// The command did not open, so there is nobody to seal to, and nothing to hide.
    #[codec(index = 1)]
    Unopened,
}

/// Results that are not on disk yet, and who waits for some.
#[derive(Default)]
pub struct Results {
    fresh: Mutex<BTreeMap<u64, Issued>>,
    more: Notify,
}

impl Results {
    /// Takes newly issued results.
    pub fn issue(&self, issued: BTreeMap<u64, Issued>) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).extend(issued);
        self.more.notify_waiters();
    }

    /// A result that is not on disk yet.
    pub fn fresh(&self, index: u64) -> Option<Issued> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned()
    }

    /// Whether this one was issued by this process and is not on disk yet.
    pub fn is_fresh(&self, index: u64) -> bool {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&index)
    }

    /// All that are not on disk yet, as attachments.
    pub fn to_write(&self) -> BTreeMap<u64, Vec<u8>> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.iter().map(|(index, issued)| (*index, Stored::Issued(issued.clone()).encode())).collect()
    }

    /// These are on disk now.
    pub fn written(&self, indices: impl IntoIterator<Item = u64>) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        for index in indices {
            fresh.remove(&index);
        }
    }

    /// Resolves when the next results are issued.
    pub fn more(&self) -> tokio::sync::futures::Notified<'_> {
        self.more.notified()
    }
}

/// Reads a result from disk. Blocks.
///
/// # Errors
/// [`Problem::ResultPending`], [`Problem::ResultGone`], [`Problem::Disk`].
pub fn read(state: &ProgramState, index: u64) -> Result<Issued, Problem> {
    if index >= state.version() {
        return Err(Problem::ResultPending);
    }
    let bytes = state.attachment(index).map_err(|error| {
        tracing::error!(program = %state.program(), index, %error, "a result could not be read");
        Problem::Disk
    })?;
    match bytes.as_deref().map(Stored::parse) {
        None => Err(Problem::ResultGone),
        Some(Some(Stored::Issued(issued))) => Ok(issued),
        Some(Some(Stored::Answered(_))) => Err(Problem::ResultPending),
        Some(None) => Err(Problem::Disk),
    }
}

/// The root that an anchor over these answers carries.
pub fn root(answers: &BTreeMap<u64, Answered>) -> Hash {
    let leaves: Vec<Hash> = answers.values().map(|answered| answered.leaf.hash()).collect();
    results_root(&leaves)
}

/// Issues the results of one anchor: receipts signed, everything sealed to its caller.
pub fn issue(
    identity: &Identity,
    program: ProgramId,
    code: CodeHash,
    anchor: AnchorRef,
    answers: &BTreeMap<u64, Answered>,
    nonce: impl Fn() -> [u8; SEAL_NONCE_BYTES],
) -> BTreeMap<u64, Issued> {
    let leaves: Vec<Hash> = answers.values().map(|answered| answered.leaf.hash()).collect();
    let mut out = BTreeMap::new();
    for (place, (index, answered)) in answers.iter().enumerate() {
        let Some(key) = answered.result_key else {
            out.insert(*index, Issued::Unopened);
            continue;
        };
        let path = results_path(&leaves, place).unwrap_or_default();
        let leaf = &answered.leaf;
        let proof = CommandProof { index: *index, caller: leaf.caller, blind: leaf.blind, path };
        let receipt = receipts::sign(
            identity,
            Facts {
                program,
                code,
                subject: Subject::Command(proof),
                request: leaf.request,
                response: leaf.response,
                anchor,
                time: UnixMillis(answered.time_ms),
            },
        );
        // It is what we framed ourselves.
        let Ok((response, _)) = framing::decode_response(&answered.response) else { continue };
        let content = framing::encode_response(&response, &receipts::trailers(&receipt));
        let place = result_place(&identity.genesis, &program, *index);
        let sealed = SealKey::new(Secret::new(key)).seal(nonce(), &place, &content);
        out.insert(*index, Issued::Sealed(sealed));
    }
    out
}

/// How a result travels.
pub enum Fetched {
    /// Bytes that only the caller can open.
    Sealed(Bytes),
    /// The command did not open.
    Unopened,
}
