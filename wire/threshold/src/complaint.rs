//! Proofs that a dealer cheats, for those who were not there.

use crate::{
    COMPLAINT_BYTES_MAX, Commitment, JudgedRound, ParseError, ParticipantKey, SignedCommitment, check_length,
    commitment::{POINTS_MAX, Verify, share_message},
    exponent::{Polynomial, is_public_half},
    threshold,
};
use codec::{Decode, Encode};
use core::fmt;

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
    #[cfg(feature = "std")]
    pub fn verify(&self, round: &crate::Round) -> Result<Fault, ComplaintError> {
        self.judge(&round.judged(), &phala_crypto::verify_ed25519)
    }

    /// The same, to who has the round's terms from the chain; `is_signed` verifies Ed25519.
    pub fn judge(&self, round: &JudgedRound, is_signed: &impl Verify) -> Result<Fault, ComplaintError> {
        if self.round != round.hash {
            return Err(ComplaintError::OtherRound);
        }
        if round.dealers.binary_search(&self.dealer).is_err() {
            return Err(ComplaintError::NotADealer);
        }
        let kind = match &self.evidence {
            Evidence::Commitment(commitment) => {
                self.require(commitment.is_signed(&self.round, &self.dealer, is_signed))?;
                judge_commitment(round, &self.dealer, &commitment.commitment).err()
            }
            Evidence::Share { player, commitment, share, signature } => {
                let message = share_message(&self.round, &self.dealer, player, commitment, share);
                self.require(is_signed(&self.dealer.0, &message, signature))?;
                let index = round.players.binary_search(player);
                let index = index.map_err(|_| ComplaintError::NotAPlayer)?;
                match judge_commitment(round, &self.dealer, commitment) {
                    Err(kind) => Some(kind),
                    Ok(polynomial) => (!is_public_half(&polynomial.at(index), share)).then_some(FaultKind::WrongShare),
                }
            }
            Evidence::Contradiction { first, second } => {
                self.require(first.is_signed(&self.round, &self.dealer, is_signed))?;
                self.require(second.is_signed(&self.round, &self.dealer, is_signed))?;
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
fn judge_commitment(
    round: &JudgedRound,
    dealer: &ParticipantKey,
    commitment: &Commitment,
) -> Result<Polynomial, FaultKind> {
    if commitment.points().is_empty() || commitment.points().len() > POINTS_MAX {
        return Err(FaultKind::CommitmentMalformed);
    }
    let polynomial = Polynomial::parse(commitment.points()).ok_or(FaultKind::CommitmentMalformed)?;
    if commitment.points().len() != threshold(round.players.len()) {
        return Err(FaultKind::WrongDegree);
    }
    if let Some(previous) = &round.previous {
        let place = previous.players.binary_search(dealer).ok();
        let held = place.zip(Polynomial::parse(&previous.polynomial)).map(|(place, all)| all.at(place));
        if held.as_ref() != commitment.points().first() {
            return Err(FaultKind::OtherKeyShare);
        }
    }
    Ok(polynomial)
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
