//! Hand-overs: how one set of authorities appoints the next.
//!
//! The last block of a set carries the next set in its digest and is finalised by the set that leaves.
//! Nobody can skip a set: the signatures of each name its number.

use crate::{authorities::AuthoritiesError, header::Header, justification::JustificationError};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode};
use sp_consensus_grandpa::{AuthorityList, ConsensusLog, GRANDPA_ENGINE_ID};

/// Why a block does not hand over to another set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// A change without the consent of the set in office needs people to decide: start from a newer checkpoint.
    #[error("the block forces a change of authorities, which a follower cannot judge")]
    Forced,
    /// The chain's runtime appoints without delay.
    #[error("the block appoints authorities with a delay of {0} blocks, which this network never does")]
    Delayed(u32),
    /// A digest of GRANDPA that cannot be read.
    #[error("the block's message about authorities is damaged")]
    Malformed,
    /// The block appoints nobody.
    #[error("the block does not appoint new authorities")]
    None,
    /// The appointed set is not valid.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// The set that leaves did not finalise the block.
    #[error(transparent)]
    Justification(#[from] JustificationError),
}

/// The authorities that `header` appoints.
///
/// # Errors
/// [`HandOverError::Forced`], [`HandOverError::Delayed`], [`HandOverError::Malformed`].
pub fn appointed(header: &Header) -> Result<Option<AuthorityList>, HandOverError> {
    let mut next = None;
    for log in header.digest.logs() {
        let Some((GRANDPA_ENGINE_ID, mut message)) = log.as_consensus() else { continue };
        match ConsensusLog::<u32>::decode_all(&mut message).map_err(|_| HandOverError::Malformed)? {
            ConsensusLog::ForcedChange(..) => return Err(HandOverError::Forced),
            ConsensusLog::ScheduledChange(change) if change.delay != 0 => {
                return Err(HandOverError::Delayed(change.delay));
            }
            // The first one counts, as it does for the nodes.
            ConsensusLog::ScheduledChange(change) => next = next.or(Some(change.next_authorities)),
            ConsensusLog::OnDisabled(_) | ConsensusLog::Pause(_) | ConsensusLog::Resume(_) => {}
        }
    }
    Ok(next)
}

/// The last block of a set, with the proof that this set finalised it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct HandOver {
    /// Its header, which appoints the next set.
    pub header: Header,
    /// An encoded justification by the set that leaves.
    pub justification: Vec<u8>,
}
