//! What nobody but a test computes: the master secret, out of a threshold of key shares, and how it could lie in memory.

use commonware_codec::{Copying, Encode as _};
use commonware_cryptography::bls12381::primitives::group::{G2, Scalar, ScalarReadCfg};
use commonware_math::algebra::{CryptoGroup, Field, Ring};

fn number(bytes: &[u8; 32]) -> Scalar {
    commonware_codec::Decode::decode_cfg(Copying(bytes.as_slice()), &ScalarReadCfg::RejectZero)
        .expect("a number of the group")
}

fn bytes(number: &Scalar) -> [u8; 32] {
    number.encode().as_ref().try_into().expect("a number has 32 bytes")
}

/// The polynomial's value at zero, out of (place, key share); a player at place `i` holds its value at `i + 1`.
pub fn group_secret(shares: &[(u32, [u8; 32])]) -> [u8; 32] {
    let at = |place: u32| Scalar::from_u64(u64::from(place) + 1);
    let mut terms = shares.iter().map(|(place, share)| {
        let mut term = number(share);
        for (other, _) in shares.iter().filter(|(other, _)| other != place) {
            term = term * &at(*other) * &(at(*other) - &at(*place)).inv();
        }
        term
    });
    let first = terms.next().expect("there are key shares");
    bytes(&terms.fold(first, |sum, term| sum + &term))
}

/// Its public half, compressed: the group key, if the secret is the right one.
pub fn public_half(secret: &[u8; 32]) -> [u8; 96] {
    (G2::generator() * &number(secret)).encode().as_ref().try_into().expect("a point has 96 bytes")
}

/// A number as code could hold it: big and little end first, in the form in which `blst` computes (Montgomery's), and in text.
pub fn encodings(secret: &[u8; 32]) -> Vec<(&'static str, Vec<u8>)> {
    let reversed = |bytes: &[u8; 32]| bytes.iter().rev().copied().collect::<Vec<u8>>();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let montgomery = bytes(&(number(secret) * &Scalar::from_u64(2).exp(&[256])));
    let little = reversed(secret);
    vec![
        ("big end first", secret.to_vec()),
        ("little end first", little.clone()),
        ("in Montgomery's form", reversed(&montgomery)),
        ("in Montgomery's form, big end first", montgomery.to_vec()),
        ("in hexadecimal", hex(secret).into_bytes()),
        ("in hexadecimal capitals", hex(secret).to_uppercase().into_bytes()),
        ("in hexadecimal, little end first", hex(&little).into_bytes()),
    ]
}

/// Whether `needle` lies in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
