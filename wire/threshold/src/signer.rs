//! What a participant signs with, and its key as the library has it.

use crate::{
    ParticipantKey,
    backend::{self, PrivateKey, PublicKey},
};
use core::fmt;
use phala_crypto::{Secret, SigningKey};

impl ParticipantKey {
    pub(crate) fn to_library(self) -> Option<PublicKey> {
        backend::decode(&self.0, &())
    }

    pub(crate) fn of_library(key: &PublicKey) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(key);
        Self(bytes)
    }
}

/// What a participant signs with. Prints only its public half.
pub struct Signer {
    own: SigningKey,
    library: PrivateKey,
}

impl Signer {
    /// The signer whose Ed25519 seed is `seed`.
    pub fn new(seed: &Secret<32>) -> Self {
        let library = backend::decode(seed.expose(), &());
        Self {
            own: SigningKey::new(seed),
            library: library.unwrap_or_else(|| unreachable!("every 32 bytes are a seed")),
        }
    }

    /// The participant that signs.
    pub fn key(&self) -> ParticipantKey {
        ParticipantKey(self.own.public())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.own.sign(message)
    }

    pub(crate) fn library(&self) -> PrivateKey {
        self.library.clone()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key())
    }
}
