//! Sealing: bytes kept where an adversary can read and write.

use crate::Secret;
use alloc::vec::Vec;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};

/// Bytes of a nonce. 24 random bytes do not collide in this universe's lifetime.
pub const SEAL_NONCE_BYTES: usize = 24;
/// How much longer the sealed bytes are: nonce and tag.
pub const SEAL_OVERHEAD_BYTES: usize = SEAL_NONCE_BYTES + 16;

/// The sealed bytes were altered, cut, made under another key, or belong in another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open: altered, or not made for this key and place")]
pub struct OpenError;

/// A key that seals and opens.
pub struct SealKey(Secret<32>);

impl SealKey {
    /// Takes a key; derive one per purpose.
    pub const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// Encrypts `plain`; it opens only together with the same `place` (associated data).
    ///
    /// # Shape
    /// `nonce ‖ XChaCha20-Poly1305(plain)`, [`SEAL_OVERHEAD_BYTES`] longer than `plain`.
    pub fn seal(&self, nonce: [u8; SEAL_NONCE_BYTES], place: &[u8], plain: &[u8]) -> Vec<u8> {
        let cipher = XChaCha20Poly1305::new(self.0.expose().into());
        let mut out = Vec::with_capacity(plain.len().saturating_add(SEAL_OVERHEAD_BYTES));
        out.extend_from_slice(&nonce);
        // Encryption into a growing vector refuses only messages of 256 GiB and more.
        let sealed = cipher.encrypt(&nonce.into(), Payload { msg: plain, aad: place });
        debug_assert!(sealed.is_ok());
        out.extend(sealed.unwrap_or_default());
        out
    }

    /// The bytes that were sealed for `place`.
    ///
    /// # Errors
    /// [`OpenError`], without saying which of its causes it was.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (nonce, msg) = sealed.split_first_chunk::<SEAL_NONCE_BYTES>().ok_or(OpenError)?;
        let cipher = XChaCha20Poly1305::new(self.0.expose().into());
        cipher.decrypt(&(*nonce).into(), Payload { msg, aad: place }).map_err(|_| OpenError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u8) -> SealKey {
        SealKey::new(Secret::new([n; 32]))
    }

    #[test]
    fn any_altered_bit_and_any_other_place_or_key_is_refused() {
        let sealed = key(1).seal([9; 24], b"place", b"plain");
        assert_eq!(key(1).open(b"place", &sealed), Ok(b"plain".to_vec()));
        assert_eq!(key(2).open(b"place", &sealed), Err(OpenError));
        assert_eq!(key(1).open(b"other", &sealed), Err(OpenError));
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key(1).open(b"place", &altered), Err(OpenError), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert_eq!(key(1).open(b"place", &sealed[..len]), Err(OpenError), "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plain: Vec<u8>, place: Vec<u8>, nonce: [u8; 24]) {
            let sealed = key(1).seal(nonce, &place, &plain);
            prop_assert_eq!(sealed.len(), plain.len() + SEAL_OVERHEAD_BYTES);
            prop_assert_eq!(key(1).open(&place, &sealed), Ok(plain));
        }

        #[test]
        fn opening_never_panics(bytes: Vec<u8>) {
            prop_assert_eq!(key(1).open(b"", &bytes), Err(OpenError));
        }
    }
}
