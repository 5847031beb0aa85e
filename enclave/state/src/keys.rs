//! The keys of one program's state, and what is made of them: names, leaves, nonces, seals.

use crate::entry::Kind;
use phala_crypto::{OpenError, SEAL_NONCE_BYTES, SealKey, Secret, derive, keyed_hash};
use phala_messages::ProgramId;

/// Where randomness comes from: the platform, inside the TEE.
pub trait Entropy: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    fn fill(&self, out: &mut [u8]);
}

impl<F: Fn(&mut [u8]) + Send + Sync> Entropy for F {
    fn fill(&self, out: &mut [u8]) {
        self(out)
    }
}

/// Name of an entry on disk and of its leaf in a tree.
pub(crate) type Name = [u8; 32];
/// Nonce of a sealed entry.
pub(crate) type Nonce = [u8; SEAL_NONCE_BYTES];

/// The keys of one program's state. Replicas of a program have the same.
pub struct StateKeys {
    seal: SealKey,
    names: Secret<32>,
    leaves: Secret<32>,
    nonces: Secret<32>,
}

impl StateKeys {
    /// Derives them from the program's key, which serves nothing but derivation.
    pub fn derive(program_key: &Secret<32>) -> Self {
        Self {
            seal: SealKey::new(derive(program_key, "state-seal/v1", &[])),
            names: derive(program_key, "state-names/v1", &[]),
            leaves: derive(program_key, "state-leaves/v1", &[]),
            nonces: derive(program_key, "state-nonces/v1", &[]),
        }
    }

    /// The name of an entry.
    ///
    /// # Shape
    /// HMAC-SHA-256 over `kind`, then each part preceded by its length (u32 little-endian).
    pub(crate) fn name(&self, kind: Kind, parts: &[&[u8]]) -> Name {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(kind as u8);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        keyed_hash(&self.names, &bytes)
    }

    /// The leaf of a value in the state's tree: bound to its name, so that equal values do not look equal.
    pub(crate) fn leaf(&self, name: &Name, value: &[u8]) -> [u8; 32] {
        keyed_hash(&self.leaves, &[name, value].concat())
    }

    /// Seals an entry into its place.
    pub(crate) fn seal(
        &self,
        program: &ProgramId,
        name: &Name,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> (Nonce, Vec<u8>) {
        let nonce = self.nonce(name, plain, entropy);
        (nonce, self.seal.seal(nonce, &place(program, name), plain))
    }

    /// Opens what was sealed into that place.
    pub(crate) fn open(&self, program: &ProgramId, name: &[u8], sealed: &[u8]) -> Result<(Nonce, Vec<u8>), OpenError> {
        let nonce = *sealed.first_chunk().ok_or(OpenError)?;
        Ok((nonce, self.seal.open(&place(program, name), sealed)?))
    }

    /// A nonce out of randomness, name and plaintext together. Should the machine's entropy ever repeat (a
    /// cloned virtual machine), a nonce repeats only with the same plaintext in the same place.
    fn nonce(&self, name: &Name, plain: &[u8], entropy: &dyn Entropy) -> Nonce {
        let mut random = [0; 32];
        entropy.fill(&mut random);
        let hash = keyed_hash(&self.nonces, &[&random, name.as_slice(), plain].concat());
        let mut nonce = [0; SEAL_NONCE_BYTES];
        nonce.copy_from_slice(&hash[..SEAL_NONCE_BYTES]);
        nonce
    }
}

/// What an entry is sealed to: it opens for no other program and under no other name.
fn place(program: &ProgramId, name: &[u8]) -> Vec<u8> {
    [b"phala/state/v1".as_slice(), &program.0, name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> StateKeys {
        StateKeys::derive(&Secret::new([7; 32]))
    }

    #[test]
    fn entropy_that_repeats_repeats_a_nonce_only_with_the_same_plaintext_in_the_same_place() {
        let stuck = |out: &mut [u8]| out.fill(4);
        let nonce = |name, plain: &[u8]| keys().nonce(&[name; 32], plain, &stuck);
        assert_eq!(nonce(1, b"a"), nonce(1, b"a"));
        assert_ne!(nonce(1, b"a"), nonce(1, b"b"));
        assert_ne!(nonce(1, b"a"), nonce(2, b"a"));
    }

    #[test]
    fn entropy_that_does_not_repeat_never_repeats_a_nonce() {
        let count = std::sync::atomic::AtomicU64::new(0);
        let counting = move |out: &mut [u8]| {
            out[..8].copy_from_slice(&count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_le_bytes());
        };
        assert_ne!(keys().nonce(&[1; 32], b"a", &counting), keys().nonce(&[1; 32], b"a", &counting));
    }

    #[test]
    fn what_moves_between_a_names_parts_changes_the_name() {
        let name = |kind, parts: &[&[u8]]| keys().name(kind, parts);
        let all = [
            name(Kind::State, &[b"a", b"bc"]),
            name(Kind::State, &[b"ab", b"c"]),
            name(Kind::State, &[b"abc"]),
            name(Kind::State, &[b"abc", b""]),
            name(Kind::Setting, &[b"abc"]),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn an_entry_opens_in_its_place_only() {
        let entropy = |out: &mut [u8]| out.fill(4);
        let program = ProgramId([1; 32]);
        let (nonce, sealed) = keys().seal(&program, &[2; 32], b"plain", &entropy);
        assert_eq!(keys().open(&program, &[2; 32], &sealed), Ok((nonce, b"plain".to_vec())));
        assert_eq!(keys().open(&ProgramId([9; 32]), &[2; 32], &sealed), Err(OpenError));
        assert_eq!(keys().open(&program, &[3; 32], &sealed), Err(OpenError));
        assert_eq!(keys().open(&program, &[2; 32], b"short"), Err(OpenError));
    }
}
