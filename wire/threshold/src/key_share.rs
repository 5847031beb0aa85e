//! One player's part of the master key, and what it computes with it.

use crate::{
    Identity, Output, ParseError, ParticipantKey,
    backend::{self, MinSig},
};
use codec::Encode;
use commonware_codec::Write;
use commonware_cryptography::bls12381::primitives::{
    group::{Private, Share},
    ops,
};
use commonware_utils::Participant;
use core::fmt;
use phala_crypto::Secret;
use zeroize::Zeroizing;

/// Separates these signatures from all others under the same key. It never changes.
pub(crate) const NAMESPACE: &[u8] = b"phala/threshold/identity/v1";

/// The length of [`PartialKey::bytes_to_seal`]: the round's number and a point of G1.
pub const PARTIAL_KEY_BYTES: usize = 8 + SIGNATURE_BYTES;

pub(crate) const SIGNATURE_BYTES: usize = 48;
const KEY_SHARE_BYTES: usize = 32 + 8 + 4 + 32;

/// A player's key share. Erased when dropped; neither clonable nor printable.
///
/// Drop it, and delete what was stored of it, as soon as the next round's is stored: that old key shares are gone everywhere is
/// what makes refreshing worth anything.
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<phala_threshold::KeyShare>();
/// ```
pub struct KeyShare {
    output: [u8; 32],
    round: u64,
    share: Share,
}

impl KeyShare {
    pub(crate) fn of_library(output: &Output, share: Share) -> Self {
        Self { output: output.hash(), round: output.round(), share }
    }

    pub(crate) fn to_library(&self) -> Share {
        self.share.clone()
    }

    /// [`Output::hash`] of the output that it belongs to.
    pub fn output(&self) -> [u8; 32] {
        self.output
    }

    /// The number of the round that it came from.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// The place of its holder among the output's players.
    pub fn index(&self) -> u32 {
        self.share.index.get()
    }

    /// Whether this is `player`'s key share of `output`.
    pub fn fits(&self, output: &Output, player: &ParticipantKey) -> bool {
        self.output == output.hash()
            && output.position(player) == Some(self.share.index)
            && output.partial_point(player) == Some(self.share.public::<MinSig>())
    }

    /// The bytes, to be sealed to this machine and to nobody else.
    pub fn bytes_to_seal(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_SHARE_BYTES));
        (&self.output, self.round, self.share.index.get()).encode_to(&mut *bytes);
        self.share.private.write(&mut *bytes);
        bytes
    }

    /// Reads what [`KeyShare::bytes_to_seal`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let (output, rest) = bytes.split_first_chunk().ok_or(ParseError::Malformed)?;
        let (round, rest) = rest.split_first_chunk().ok_or(ParseError::Malformed)?;
        let (index, secret) = rest.split_first_chunk().ok_or(ParseError::Malformed)?;
        let private: Private = backend::decode(secret, &()).ok_or(ParseError::Malformed)?;
        let index = Participant::new(u32::from_le_bytes(*index));
        let round = u64::from_le_bytes(*round);
        Ok(Self { output: *output, round, share: Share::new(index, private) })
    }
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare(round {}, …)", self.round)
    }
}

/// player → whoever may have the key: one player's part of an identity's key. Secret: `threshold` of them are the key, so send
/// it sealed to the one machine that is entitled.
pub struct PartialKey {
    pub(crate) round: u64,
    pub(crate) point: Secret<SIGNATURE_BYTES>,
}

impl PartialKey {
    /// The number of the round whose key share made it, as it says.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// The bytes, to be sealed to the receiver.
    pub fn bytes_to_seal(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PARTIAL_KEY_BYTES));
        bytes.extend_from_slice(&self.round.to_le_bytes());
        bytes.extend_from_slice(self.point.expose());
        bytes
    }

    /// Reads what [`PartialKey::bytes_to_seal`] wrote. Nothing is verified yet: [`crate::combine`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let (round, point) = bytes.split_first_chunk().ok_or(ParseError::Malformed)?;
        let point: &[u8; SIGNATURE_BYTES] = point.try_into().map_err(|_| ParseError::Malformed)?;
        Ok(Self { round: u64::from_le_bytes(*round), point: Secret::generate(|out| *out = *point) })
    }
}

impl fmt::Debug for PartialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartialKey(round {}, …)", self.round)
    }
}

/// This player's part of the key of `identity`: a BLS signature over it. Whether the asker may have it is the caller's to know.
pub fn evaluate(share: &KeyShare, identity: &Identity) -> PartialKey {
    let signature = ops::sign_message::<MinSig>(&share.share.private, NAMESPACE, identity.as_bytes());
    PartialKey { round: share.round, point: Secret::generate(|out| signature.write(&mut out.as_mut_slice())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::bls12381::primitives::group::Scalar;
    use zeroize::ZeroizeOnDrop;

    fn erased<T: ZeroizeOnDrop>() {}

    #[test]
    fn what_is_secret_is_erased_when_dropped() {
        // A key share's number, in the box in which the library keeps it.
        erased::<commonware_cryptography::Secret<Scalar>>();
        erased::<Scalar>();
        assert!(core::mem::needs_drop::<Private>());
        // A partial key's point and a dealing's share; encodings on their way to be sealed.
        erased::<Secret<SIGNATURE_BYTES>>();
        erased::<Zeroizing<Vec<u8>>>();
    }
}
