//! The library's types under short names, and the ways across. Nothing of this leaves the crate.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use commonware_codec::{Copying, Decode, Read};
use commonware_cryptography::{
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{group, variant},
    },
    ed25519,
};
use core::num::NonZeroU32;
use phala_crypto::Secret;
use zeroize::Zeroizing;

/// Short signatures (48 bytes, derived keys in G1), long public keys (96 bytes, G2).
pub type MinSig = variant::MinSig;
pub type PublicKey = ed25519::PublicKey;
pub type PrivateKey = ed25519::PrivateKey;
pub type G1 = group::G1;
pub type G2 = group::G2;
pub type Info = feldman_desmedt::Info<MinSig, PublicKey>;
pub type LibOutput = feldman_desmedt::Output<MinSig, PublicKey>;
pub type LibLog = feldman_desmedt::DealerLog<MinSig, PublicKey>;
pub type LibSignedLog = feldman_desmedt::SignedDealerLog<MinSig, PublicKey>;
/// At most a third of the participants may fail; `threshold` says the same in our words.
pub type Faults = commonware_utils::N3f1;
pub type Logs = feldman_desmedt::Logs<MinSig, PublicKey, Faults>;

/// [`crate::PARTICIPANTS_MAX`], in the library's type.
pub const PARTICIPANTS: NonZeroU32 = NonZeroU32::new(crate::PARTICIPANTS_MAX as u32).unwrap();

/// Reads one `T` from all of `bytes`.
pub fn decode<T: Read>(bytes: &[u8], cfg: &T::Cfg) -> Option<T> {
    T::decode_cfg(Copying(bytes), cfg).ok()
}

/// The stream of numbers that a secret stands for.
pub fn rng(seed: &Secret<32>) -> ChaCha20Rng {
    let seed = Zeroizing::new(*seed.expose());
    ChaCha20Rng::from_seed(*seed)
}
