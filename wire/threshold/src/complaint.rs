//! Proofs that a dealer cheats, for those who were not there.

use crate::{
    COMPLAINT_BYTES_MAX, Commitment, ParseError, ParticipantKey, Round, SignedCommitment,
    backend::{self, G2},
    dealing::{POINTS_MAX, check_length, share_message},
};
use codec::{Decode, Encode};
use commonware_cryptography::bls12381::primitives::group::{Scalar, ScalarReadCfg};
use commonware_math::{algebra::CryptoGroup, poly::Poly};
use commonware_parallel::Sequential;
use core::fmt;
use phala_crypto::verify_ed25519;

/// What a dealer signed and an honest one never signs.
///
/// It reveals at most one share: a wrong one, of a dealer that is to be excluded. Whoever complains about a right share fails,
/// and has given that share away.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Complaint {
    /// [`Round::hash`] of the round.
    pub round: [u8; 32],
    /// Who is accused.
    pub dealer: ParticipantKey,
    /// By what.
    pub evidence: Evidence,
}

/// What proves it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Evidence {
    /// A signed commitment that is wrong by itself.
    #[codec(index = 0)]
    Commitment(SignedCommitment),
    /// A signed share that does not match the commitment it was signed with.
    #[codec(index = 1)]
    Share {
        /// Whose share it should have been.
        player: ParticipantKey,
        /// What the dealer committed to.
        commitment: Commitment,
        /// The wrong share.
        share: [u8; 32],
        /// By the dealer.
        signature: [u8; 64],
    },
    /// Two commitments in one round.
    #[codec(index = 2)]
    Contradiction {
        /// One.
        first: SignedCommitment,
        /// The other.
        second: SignedCommitment,
    },
}

/// A proven fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose.
    pub dealer: ParticipantKey,
    /// Which.
    pub kind: FaultKind,
}

/// What a dealer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It committed to something that is no list of points.
    CommitmentMalformed,
    /// It committed to a polynomial of another degree than the round's threshold asks for.
    WrongDegree,
    /// It committed to another constant term than its old key share: it tried to change the master key.
    OtherKeyShare,
    /// It sent a share that is no number, or not the value of its polynomial.
    WrongShare,
    /// It committed to two polynomials.
    Contradiction,
}

/// Why a complaint proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComplaintError {
    /// It is about another round.
    #[error("the complaint is about another round")]
    OtherRound,
    /// The accused does not deal in this round.
    #[error("the accused is not a dealer of this round")]
    NotADealer,
    /// The share is for nobody who plays in this round.
    #[error("the share is for nobody in this round")]
    NotAPlayer,
    /// The accused did not sign the evidence.
    #[error("the evidence is not signed by the accused")]
    NotSigned,
    /// The evidence is what an honest dealer signs.
    #[error("the evidence shows nothing wrong")]
    Unfounded,
}

impl Complaint {
    /// What the complaint proves, to anyone who knows the round's terms.
    pub fn verify(&self, round: &Round) -> Result<Fault, ComplaintError> {
        if self.round != round.hash {
            return Err(ComplaintError::OtherRound);
        }
        if round.dealers.binary_search(&self.dealer).is_err() {
            return Err(ComplaintError::NotADealer);
        }
        let kind = match &self.evidence {
            Evidence::Commitment(commitment) => {
                self.require(commitment.verify(&self.round, &self.dealer))?;
                judge_commitment(round, &self.dealer, &commitment.commitment).err()
            }
            Evidence::Share { player, commitment, share, signature } => {
                let message = share_message(&self.round, &self.dealer, player, commitment, share);
                self.require(verify_ed25519(&self.dealer.0, &message, signature))?;
                let index = round.players.binary_search(player);
                let index = index.map_err(|_| ComplaintError::NotAPlayer)?;
                match judge_commitment(round, &self.dealer, commitment) {
                    Err(kind) => Some(kind),
                    Ok(poly) => (!share_matches(&poly, index, share)).then_some(FaultKind::WrongShare),
                }
            }
            Evidence::Contradiction { first, second } => {
                self.require(first.verify(&self.round, &self.dealer))?;
                self.require(second.verify(&self.round, &self.dealer))?;
                (first.commitment != second.commitment).then_some(FaultKind::Contradiction)
            }
        };
        Ok(Fault { dealer: self.dealer, kind: kind.ok_or(ComplaintError::Unfounded)? })
    }

    /// Reads a complaint of at most [`COMPLAINT_BYTES_MAX`] bytes and nothing behind it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        check_length(bytes, COMPLAINT_BYTES_MAX)?;
        let mut input = bytes;
        let complaint = Self::decode(&mut input).map_err(|_| ParseError::Malformed)?;
        if input.is_empty() { Ok(complaint) } else { Err(ParseError::Malformed) }
    }

    fn require(&self, signed: bool) -> Result<(), ComplaintError> {
        if signed { Ok(()) } else { Err(ComplaintError::NotSigned) }
    }
}

/// The polynomial that an honest dealer could have committed to.
fn judge_commitment(round: &Round, dealer: &ParticipantKey, commitment: &Commitment) -> Result<Poly<G2>, FaultKind> {
    if commitment.points().is_empty() || commitment.points().len() > POINTS_MAX {
        return Err(FaultKind::CommitmentMalformed);
    }
    let poly = commitment.poly().ok_or(FaultKind::CommitmentMalformed)?;
    if poly.degree_exact() as usize + 1 != round.threshold() {
        return Err(FaultKind::WrongDegree);
    }
    if let Some(previous) = &round.previous
        && previous.partial_point(dealer).as_ref() != Some(poly.constant())
    {
        return Err(FaultKind::OtherKeyShare);
    }
    Ok(poly)
}

/// Whether `share` is the value of `poly` for the player at `index`.
fn share_matches(poly: &Poly<G2>, index: usize, share: &[u8; 32]) -> bool {
    let place = Scalar::from_u64(index as u64 + 1);
    backend::decode::<Scalar>(share, &ScalarReadCfg::RejectZero)
        .is_some_and(|share| poly.eval_msm(&place, &Sequential) == G2::generator() * &share)
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commitment(_) => "a wrong commitment",
            Self::Share { .. } => "a wrong share",
            Self::Contradiction { .. } => "two commitments",
        })
    }
}
