//! Backups of single key shares, in pieces for custodians.
//!
//! # The problem
//! When more gatekeepers are lost than may fail, the master key is gone, and everything with it. So somebody must hold more, and
//! must not by that hold the key.
//!
//! # The idea
//! Each player splits *its own* key share: a polynomial whose value at zero is the key share, one point of it for each custodian.
//! `threshold` points give that one key share again, one less give nothing. The polynomial is published "in the
//! exponent", so that everybody sees that it starts with the public half of this key share, and each custodian
//! that its piece lies on it. What comes back is one key share for one machine; the master key is computed by nobody.
//!
//! ```text
//! KeyShare ── split ─┬─ Commitment (public)
//!                    └─ Piece × custodians (sealed to each)
//! threshold × Piece ── restore (checked against Commitment and Output) ── KeyShare
//! ```
//!
//! # Properties
//! - Fewer than `threshold` pieces, or pieces of two backups, give no key share; bad ones are named.
//! - What [`restore`] returns is the key share whose public half everybody knows, or nothing is returned.

use crate::{
    Commitment, KeyShare, Output, POINT_BYTES, ParticipantKey,
    backend::{self, G2, MinSig},
};
use commonware_codec::{RangeCfg, Write};
use commonware_cryptography::bls12381::primitives::group::{Private, Scalar, Share};
use commonware_math::poly::{Interpolator, Poly};
use commonware_parallel::Sequential;
use commonware_utils::ordered::Map;
use core::fmt;
use phala_crypto::{Secret, derive};

/// How many custodians there are at most.
pub const CUSTODIANS_MAX: usize = 16;
/// How few pieces may give a key share: one custodian alone never can.
pub const PIECES_MIN: usize = 2;
/// The length of [`Piece::bytes_to_seal`].
pub const PIECE_BYTES: usize = 32;

/// Why a key share is not split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// More than [`CUSTODIANS_MAX`].
    #[error("{0} custodians, at most {CUSTODIANS_MAX} are allowed")]
    TooManyCustodians(usize),
    /// Fewer than [`PIECES_MIN`], more than there are custodians, or not more than half of them.
    #[error("{threshold} of {custodians} pieces: a majority of two at least is needed")]
    Threshold {
        /// How many pieces would give the key share.
        threshold: usize,
        /// How many there would be.
        custodians: usize,
    },
}

/// Whether so many of so many custodians are a threshold that may be chosen.
pub const fn is_custodians_threshold(threshold: usize, custodians: usize) -> bool {
    PIECES_MIN <= threshold && threshold <= custodians && threshold * 2 > custodians && custodians <= CUSTODIANS_MAX
}

/// One custodian's piece of a key share. Secret: erased when dropped, neither clonable nor printable.
pub struct Piece(Secret<PIECE_BYTES>);

impl Piece {
    /// The bytes, to be sealed to the custodian, or by it to the machine that takes the seat.
    pub const fn bytes_to_seal(&self) -> &[u8; PIECE_BYTES] {
        self.0.expose()
    }

    /// Reads what [`Piece::bytes_to_seal`] gave. Nothing is verified yet: [`verify_piece`] does.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PIECE_BYTES] = bytes.try_into().ok()?;
        Some(Self(Secret::generate(|out| out.copy_from_slice(bytes))))
    }

    fn scalar(&self) -> Option<Scalar> {
        backend::decode::<Private>(self.0.expose(), &()).map(Private::expose_unwrap)
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Piece(…)")
    }
}

/// Splits a key share into pieces for `custodians`, `threshold` of which give it again.
///
/// The polynomial follows from `seed` alone: draw a new one for each backup.
///
/// # Errors
/// [`SplitError`].
pub fn split(
    share: &KeyShare,
    custodians: usize,
    threshold: usize,
    seed: &Secret<32>,
) -> Result<(Commitment, Vec<Piece>), SplitError> {
    if custodians > CUSTODIANS_MAX {
        return Err(SplitError::TooManyCustodians(custodians));
    }
    if !is_custodians_threshold(threshold, custodians) {
        return Err(SplitError::Threshold { threshold, custodians });
    }
    let constant = share.to_library().private.expose_unwrap();
    let polynomial = Poly::new_with_constant(backend::rng(seed), threshold.saturating_sub(1) as u32, constant);
    let pieces = (0..custodians as u32).map(|place| Piece(bytes_of(&polynomial.eval(&point(place))))).collect();
    Ok((Commitment::of_library(&Poly::<G2>::commit(polynomial)), pieces))
}

/// Whether a published backup is one of the key share whose public half is `public`, with this threshold.
pub fn backs(public: &[u8; POINT_BYTES], threshold: usize, commitment: &Commitment) -> bool {
    commitment.points().len() == threshold
        && commitment.points().first() == Some(public)
        && poly(commitment).is_some_and(|poly| poly.required().get() as usize == threshold)
}

/// Whether a piece is that of the custodian at `place` in a published backup.
pub fn verify_piece(commitment: &Commitment, place: u32, piece: &Piece) -> bool {
    poly(commitment).is_some_and(|poly| lies_on(&poly, place, piece))
}

/// The public half of the key share at `place` of an epoch, from the epoch's polynomial in the exponent. None when these
/// are not points of a polynomial.
pub fn seat_public_key(polynomial: &[u8], place: u32) -> Option<[u8; POINT_BYTES]> {
    let poly = poly(&Commitment::of_points(polynomial)?)?;
    let mut public = [0; POINT_BYTES];
    poly.eval(&point(place)).write(&mut public.as_mut_slice());
    Some(public)
}

/// Why pieces give no key share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The backup is not one of this player's key share of this output.
    #[error("the backup is not of this player's key share")]
    OtherKeyShare,
    /// Too few of different custodians lie on the polynomial.
    #[error("{good} good pieces, {required} are needed; {} are bad", bad.len())]
    TooFew {
        /// The backup's threshold.
        required: usize,
        /// How many custodians gave a good one.
        good: usize,
        /// Places of custodians whose pieces do not count.
        bad: Vec<u32>,
    },
}

/// The key share of `player`, from at least as many pieces as the backup's threshold, each with its custodian's place.
///
/// # Errors
/// [`RestoreError`]. Bad pieces among enough good ones do no harm.
pub fn restore(
    output: &Output,
    player: &ParticipantKey,
    commitment: &Commitment,
    pieces: &[(u32, Piece)],
) -> Result<KeyShare, RestoreError> {
    let required = commitment.points().len();
    let public = output.partial_key(player).ok_or(RestoreError::OtherKeyShare)?;
    let (true, Some(poly), Some(index)) =
        (backs(&public, required, commitment), poly(commitment), output.position(player))
    else {
        return Err(RestoreError::OtherKeyShare);
    };
    let mut bad = Vec::new();
    let mut good: Vec<(u32, Scalar)> = Vec::new();
    for (place, piece) in pieces.iter().take(CUSTODIANS_MAX) {
        match piece.scalar().filter(|_| lies_on(&poly, *place, piece)) {
            Some(_) if good.iter().any(|(known, _)| known == place) => {}
            Some(scalar) => good.push((*place, scalar)),
            None => bad.push(*place),
        }
    }
    let too_few = |good: usize, bad: Vec<u32>| RestoreError::TooFew { required, good, bad };
    if good.len() < required {
        return Err(too_few(good.len(), bad));
    }
    good.truncate(required);
    let weights = Interpolator::new(good.iter().map(|(place, _)| (*place, point(*place))));
    let scalar = weights.interpolate(&Map::from_iter_dedup(good), &Sequential);
    let share = scalar.map(|scalar| KeyShare::of_library(output, Share::new(index, Private::new(scalar))));
    share.filter(|share| share.fits(output, player)).ok_or(RestoreError::OtherKeyShare)
}

impl KeyShare {
    /// A key that only who holds this key share knows: for what must come back together with it.
    ///
    /// # Shape
    /// [`phala_crypto::derive`] from the key share's number, context `threshold/keepsake/v1`, ids (output's hash, index as u32
    /// little-endian).
    pub fn keepsake_key(&self) -> Secret<32> {
        let number = bytes_of(&self.to_library().private.expose_unwrap());
        derive(&number, "threshold/keepsake/v1", &[&self.output(), &self.index().to_le_bytes()])
    }
}

/// Where the polynomial is evaluated for the custodian, or player, at `place`: never at zero.
fn point(place: u32) -> Scalar {
    Scalar::from(u64::from(place).saturating_add(1))
}

fn bytes_of(scalar: &Scalar) -> Secret<PIECE_BYTES> {
    Secret::generate(|out| scalar.write(&mut out.as_mut_slice()))
}

fn lies_on(poly: &Poly<G2>, place: u32, piece: &Piece) -> bool {
    let private: Option<Private> = backend::decode(piece.0.expose(), &());
    let index = commonware_utils::Participant::new(place);
    private.is_some_and(|private| Share::new(index, private).public::<MinSig>() == poly.eval(&point(place)))
}

/// The polynomial; `None` if a point is not on the curve, not in the group or infinite.
fn poly(commitment: &Commitment) -> Option<Poly<G2>> {
    let range = RangeCfg::from(core::num::NonZeroU32::MIN..=backend::PARTICIPANTS);
    backend::decode(&commitment.to_library_bytes()?, &(range, ()))
}
