//! Share a key: distributed generation, resharing, threshold evaluation.
//!
//! # The problem
//! The network has one master key from which the keys of all programs follow. Whoever holds it reads everything, so nobody
//! may: not a gatekeeper, not all gatekeepers but a few, not for a moment. And it must outlive every machine that guards it.
//!
//! # The idea
//! The master key is a number that exists only as a sum of numbers that different machines drew. Each *player* holds one
//! point of a polynomial whose value at zero would be that key; with `threshold(n)` points a value can be computed, with one
//! less nothing can. A program's key is a BLS signature over its name: each player signs with its point alone, and whoever
//! receives enough of these *partial keys* combines them. The master key is never computed on the way.
//!
//! ```text
//!            terms (on chain: number, previous output, dealers, players)
//!                                   │
//!   Dealer::start ── Dealing (sealed) ──→ Player::receive        or a Complaint that anyone can verify
//!        ↑                                      │
//!        └───────────────── Ack ────────────────┘
//!   Dealer::finish ── DealerLog (sealed; its hash on chain, which orders them) ──┬→ Player::finish → Output, KeyShare
//!                                                                                └→ observe        → Output
//!   split(KeyShare) ── Piece × custodians (sealed) ──→ restore(Output, Commitment, pieces) → that one KeyShare
//!   evaluate(KeyShare, identity) ── PartialKey (sealed) ──→ combine(Output, identity, partial keys) → the identity's key
//! ```
//!
//! The same round, given the previous output and old key shares, hands the *same* key on to the same players (refresh) or to
//! others (reshare). Old key shares are worthless with new ones, so erase them: a thief must get `threshold` of one round.
//!
//! # Words
//! *dealer*: deals parts of what it holds. *player*: receives a key share. *commitment*: what a dealer publishes so that
//! dealt shares can be checked. *log*: what a dealer says about who acknowledged; the shares of those who did not are *revealed*
//! in it, so logs travel sealed and stay off chain. *output*: what everybody may know of a finished round.
//!
//! # Properties
//! - No function returns the master key, and none adds up key shares: what [`restore`] puts together is one player's.
//! - Everyone who finishes with the same logs in the same order has the same output; else the outputs' hashes differ.
//! - Refreshing and resharing change no identity's key.
//! - Fewer than `threshold` partial keys, or partial keys of different rounds, give no key; bad ones are named.
//! - A dealer that cheats in what it deals can be proven wrong to a third party; an honest one cannot.
//! - Everything is a pure function of its arguments: a machine that crashed and replays sends the same bytes.
//! - No bytes from outside cause a panic.
//!
//! # What the library below does
//! Joint-Feldman generation and Desmedt–Jajodia resharing over BLS12-381 come from `commonware-cryptography`, wrapped so that
//! none of its types leaves this crate. It is not audited. An adversary can bias a few bits of the generated key (Gennaro et
//! al. 1999), which does not help against BLS.

//! # Without `std`
//! Only what judging a complaint needs: the chain's runtime does that, in WebAssembly, where the library below is not.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
mod backend;
#[cfg(feature = "std")]
mod backup;
mod chain;
#[cfg(feature = "std")]
mod combine;
mod commitment;
mod complaint;
#[cfg(feature = "std")]
mod dealer;
#[cfg(feature = "std")]
mod dealing;
mod exponent;
#[cfg(feature = "std")]
mod identity;
#[cfg(feature = "std")]
mod key_share;
#[cfg(feature = "std")]
mod log;
#[cfg(feature = "std")]
mod output;
mod participant;
#[cfg(feature = "std")]
mod player;
#[cfg(feature = "std")]
mod round;
#[cfg(feature = "std")]
mod signer;
mod terms;

#[cfg(feature = "std")]
pub use backup::{
    CUSTODIANS_MAX, PIECE_BYTES, PIECES_MIN, Piece, RestoreError, SplitError, backs, is_custodians_threshold, restore,
    seat_public_key, split, verify_piece,
};
pub use chain::judge_on_chain;
#[cfg(feature = "std")]
pub use combine::{BadPartial, CombineError, Combined, PartialFault, combine, verify_partial};
pub use commitment::{Commitment, POINT_BYTES, SignedCommitment, Verify};
pub use complaint::{Complaint, ComplaintError, Evidence, Fault, FaultKind};
#[cfg(feature = "std")]
pub use dealer::{AckError, DealError, Dealer};
#[cfg(feature = "std")]
pub use dealing::{Ack, Dealing};
#[cfg(feature = "std")]
pub use identity::{IDENTITY_BYTES_MAX, Identity, IdentityTooLong, KeyIdentity};
#[cfg(feature = "std")]
pub use key_share::{KeyShare, PARTIAL_KEY_BYTES, PartialKey, evaluate};
#[cfg(feature = "std")]
pub use log::{DealerLog, LogFault, LogsError, log_list_hash, observe};
#[cfg(feature = "std")]
pub use output::Output;
pub use participant::ParticipantKey;
#[cfg(feature = "std")]
pub use player::{DealingError, FinishError, Player, ResumeError};
#[cfg(feature = "std")]
pub use round::{Round, RoundTerms, TermsError};
#[cfg(feature = "std")]
pub use signer::Signer;
pub use terms::{JudgedEpoch, JudgedRound, round_hash, threshold};

pub(crate) use terms::sha256;

/// How many dealers or players a round has at most. A dealing then is about 4 KiB, and generation stays within seconds.
pub const PARTICIPANTS_MAX: usize = 64;

/// How few dealers or players a round may have: one alone would know the whole master key.
pub const PARTICIPANTS_MIN: usize = 2;

/// The longest encoding of a [`Dealing`].
pub const DEALING_BYTES_MAX: usize = 8 * 1024;

/// The longest encoding of a [`DealerLog`].
pub const LOG_BYTES_MAX: usize = 16 * 1024;

/// The longest encoding of an [`Output`].
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// The longest encoding of a [`Complaint`].
pub const COMPLAINT_BYTES_MAX: usize = 16 * 1024;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// More bytes than the type's limit.
    #[error("{length} bytes, at most {limit} are allowed")]
    TooLong {
        /// What came.
        length: usize,
        /// What may come.
        limit: usize,
    },
    /// The bytes do not encode such a thing, or encode it in another than the one canonical way.
    #[error("malformed")]
    Malformed,
}

pub(crate) fn check_length(bytes: &[u8], limit: usize) -> Result<(), ParseError> {
    let length = bytes.len();
    if length > limit { Err(ParseError::TooLong { length, limit }) } else { Ok(()) }
}
