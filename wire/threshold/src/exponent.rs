//! Polynomials in the exponent, for judges: points of G2, by `blst` alone, which also builds for the chain's runtime.
//!
//! A public key of `blst`'s short-signature scheme is a point of G2, and a secret key is a number: the public half of a key
//! share is what that scheme calls the public key of a secret key.

use crate::commitment::{POINT_BYTES, POINTS_MAX};
use alloc::vec::Vec;
use blst::{
    MultiPoint,
    min_sig::{PublicKey, SecretKey},
};

/// Bytes of a number below the group's order.
const SCALAR_BYTES: usize = 32;
const SCALAR_BITS: usize = 255;

// A place's powers are numbers below the group's order without being reduced: 64⁴² = 2²⁵² is the largest.
const _: () = assert!(crate::PARTICIPANTS_MAX <= 64 && 6 * (POINTS_MAX - 1) < 254);

/// At least one point and at most [`POINTS_MAX`], each on the curve, in the group and not infinite.
pub(crate) struct Polynomial(Vec<PublicKey>);

impl Polynomial {
    pub(crate) fn parse(points: &[[u8; POINT_BYTES]]) -> Option<Self> {
        if points.is_empty() || points.len() > POINTS_MAX {
            return None;
        }
        let read = |bytes: &[u8; POINT_BYTES]| {
            let point = PublicKey::uncompress(bytes).ok()?;
            point.validate().ok()?;
            Some(point)
        };
        points.iter().map(read).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Its value for the player at `place`, which holds the polynomial's value at `place + 1`.
    pub(crate) fn at(&self, place: usize) -> [u8; POINT_BYTES] {
        let mut powers = Vec::with_capacity(self.0.len() * SCALAR_BYTES);
        let mut power = [0; SCALAR_BYTES];
        power[0] = 1;
        for _ in &self.0 {
            powers.extend_from_slice(&power);
            multiply(&mut power, place as u64 + 1);
        }
        self.0.as_slice().mult(&powers, SCALAR_BITS).to_public_key().to_bytes()
    }
}

/// Whether `point` is the public half of `share`, big end first; neither zero nor a number from the order up has one.
pub(crate) fn is_public_half(point: &[u8; POINT_BYTES], share: &[u8; SCALAR_BYTES]) -> bool {
    SecretKey::from_bytes(share).is_ok_and(|share| share.sk_to_pk().to_bytes() == *point)
}

/// `number`, little end first, times `factor`.
fn multiply(number: &mut [u8; SCALAR_BYTES], factor: u64) {
    let mut carry = 0;
    for byte in number {
        let product = u64::from(*byte) * factor + carry;
        *byte = product as u8;
        carry = product >> 8;
    }
}
