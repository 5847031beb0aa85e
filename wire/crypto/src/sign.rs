//! Signatures: Ed25519 for machines, sr25519 for people's accounts.

use crate::Secret;
use core::fmt;
use ed25519_dalek::{Signature, Signer, VerifyingKey};

/// An Ed25519 signing key. Prints only its public half.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key whose seed is `seed`.
    pub fn new(seed: &Secret<32>) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `message`; deterministic (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:02x?}…)", &self.public()[..4])
    }
}

/// Whether `signature` over `message` is by `public`. Strict: refuses small-order keys and non-canonical forms,
/// so a signature has one meaning for everybody.
pub fn verify_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// Whether `signature` over `message` is by the account key `public`, in Substrate's signing context.
pub fn verify_sr25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(public) = schnorrkel::PublicKey::from_bytes(public) else { return false };
    let Ok(signature) = schnorrkel::Signature::from_bytes(signature) else { return false };
    public.verify_simple(b"substrate", message, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_and_message_only() {
        let key = SigningKey::new(&Secret::new([3; 32]));
        let other = SigningKey::new(&Secret::new([4; 32]));
        let signature = key.sign(b"yes");
        assert!(verify_ed25519(&key.public(), b"yes", &signature));
        assert!(!verify_ed25519(&key.public(), b"no", &signature));
        assert!(!verify_ed25519(&other.public(), b"yes", &signature));
        for bit in 0..512 {
            let mut altered = signature;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_ed25519(&key.public(), b"yes", &altered), "bit {bit}");
        }
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The neutral element as key, and as R with s = 0, satisfies the unchecked equation for any message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify_ed25519(&neutral, b"anything", &signature));
    }

    #[test]
    fn an_account_signature_is_verified_in_substrates_context() {
        let pair = schnorrkel::MiniSecretKey::from_bytes(&[5; 32])
            .unwrap()
            .expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
        let signature = pair.sign_simple(b"substrate", b"yes").to_bytes();
        let public = pair.public.to_bytes();
        assert!(verify_sr25519(&public, b"yes", &signature));
        assert!(!verify_sr25519(&public, b"no", &signature));
        assert!(!verify_sr25519(&[0xff; 32], b"yes", &signature));
        assert!(!verify_sr25519(&public, b"yes", &[0; 64]));
    }
}
