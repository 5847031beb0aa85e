//! Sealing one message to a public key: HPKE, base mode, X25519, HKDF-SHA-256, ChaCha20-Poly1305.
//!
//! Both sides can export further secrets from the same context; that is how a command's result finds its
//! way back to the caller alone.
//!
//! # Source
//! RFC 9180; suite 0x0020, 0x0001, 0x0003.

use crate::{OpenError, Secret};
use alloc::vec::Vec;
use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256 as Kem, setup_receiver, setup_sender_with_rng,
};
use rand_core::CryptoRng;

/// Bytes of the encapsulated key in front of the ciphertext.
pub const ENCAPSULATED_BYTES: usize = 32;
/// How much longer the sealed bytes are: encapsulated key and tag.
pub const HPKE_OVERHEAD_BYTES: usize = ENCAPSULATED_BYTES + 16;
/// The longest `info`; the library would panic on more.
const INFO_BYTES_MAX: usize = 1024;

/// A key pair that messages are sealed to.
pub struct KeyPair {
    private: <Kem as hpke::Kem>::PrivateKey,
    public: [u8; 32],
}

/// Further secrets of one sealed message, equal on both sides.
pub struct Exports(ExportFn);

type ExportFn = alloc::boxed::Box<dyn Fn(&[u8], &mut [u8]) -> bool + Send + Sync>;

impl Exports {
    /// The secret that this message exports under `label`.
    pub fn export(&self, label: &[u8]) -> Secret<32> {
        Secret::generate(|out| {
            // The exporter refuses only lengths above 255 hash blocks.
            let exported = (self.0)(label, out);
            debug_assert!(exported);
        })
    }
}

impl KeyPair {
    /// The pair that RFC 9180's DeriveKeyPair makes of `secret`.
    pub fn derive(secret: &Secret<32>) -> Self {
        let (private, public) = Kem::derive_keypair(secret.expose());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&public.to_bytes());
        Self { private, public: bytes }
    }

    /// The public key, as it is published.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Opens `encapsulated key ‖ ciphertext`, sealed with the same `info`.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open(&self, info: &[u8], sealed: &[u8]) -> Result<(Vec<u8>, Exports), OpenError> {
        let (encapsulated, ciphertext) = sealed.split_first_chunk::<ENCAPSULATED_BYTES>().ok_or(OpenError)?;
        if info.len() > INFO_BYTES_MAX {
            return Err(OpenError);
        }
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| OpenError)?;
        let mut context =
            setup_receiver::<ChaCha20Poly1305, HkdfSha256, Kem>(&OpModeR::Base, &self.private, &encapsulated, info)
                .map_err(|_| OpenError)?;
        let plain = context.open(ciphertext, b"").map_err(|_| OpenError)?;
        let exports = Exports(alloc::boxed::Box::new(move |label, out| context.export(label, out).is_ok()));
        Ok((plain, exports))
    }
}

/// Seals `plain` to `public`: `encapsulated key ‖ ciphertext`, and what both sides can export.
///
/// # Errors
/// [`OpenError`] when `public` is not a usable key or `info` is longer than 1 KiB.
pub fn seal(
    rng: &mut impl CryptoRng,
    public: &[u8; 32],
    info: &[u8],
    plain: &[u8],
) -> Result<(Vec<u8>, Exports), OpenError> {
    if info.len() > INFO_BYTES_MAX {
        return Err(OpenError);
    }
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(public).map_err(|_| OpenError)?;
    let (encapsulated, mut context) =
        setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(&OpModeS::Base, &public, info, rng)
            .map_err(|_| OpenError)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend(context.seal(plain, b"").map_err(|_| OpenError)?);
    let exports = Exports(alloc::boxed::Box::new(move |label, out| context.export(label, out).is_ok()));
    Ok((sealed, exports))
}

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::{SysRng, rand_core::UnwrapErr};

    fn sealed(pair: &KeyPair) -> (Vec<u8>, Exports) {
        seal(&mut UnwrapErr(SysRng), &pair.public(), b"info", b"plain").unwrap()
    }

    #[test]
    fn what_is_sealed_opens_and_exports_the_same_on_both_sides() {
        let pair = KeyPair::derive(&Secret::new([1; 32]));
        let (bytes, ours) = sealed(&pair);
        assert_eq!(bytes.len(), 5 + HPKE_OVERHEAD_BYTES);
        let (plain, theirs) = pair.open(b"info", &bytes).unwrap();
        assert_eq!(plain, b"plain");
        assert_eq!(ours.export(b"a"), theirs.export(b"a"));
        assert_ne!(ours.export(b"a"), theirs.export(b"b"));
    }

    #[test]
    fn any_altered_bit_and_any_other_info_or_key_is_refused() {
        let pair = KeyPair::derive(&Secret::new([1; 32]));
        let (bytes, _) = sealed(&pair);
        assert!(pair.open(b"other", &bytes).is_err());
        assert!(KeyPair::derive(&Secret::new([2; 32])).open(b"info", &bytes).is_err());
        // Bit 255 of an X25519 public value is ignored by RFC 7748, so it is left out.
        for bit in (0..bytes.len() * 8).filter(|bit| *bit != 255) {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(pair.open(b"info", &altered).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(pair.open(b"info", &bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_useless_public_key_is_refused() {
        assert!(seal(&mut UnwrapErr(SysRng), &[0; 32], b"", b"").is_err());
    }
}
