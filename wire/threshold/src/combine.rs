//! From partial keys to an identity's key.

use crate::{
    Identity, Output, PARTICIPANTS_MAX, PartialKey, ParticipantKey,
    backend::{self, G1, MinSig},
    key_share::{NAMESPACE, SIGNATURE_BYTES},
};
use commonware_codec::Write;
use commonware_cryptography::bls12381::primitives::{
    ops::{self, threshold},
    variant::PartialSignature,
};
use commonware_parallel::Sequential;
use phala_crypto::{Secret, derive, keyed_hash};
use zeroize::Zeroizing;

/// HKDF's salt: what these keys are.
const SALT: Secret<32> = Secret::new(*b"phala/threshold/derived-key/v1\0\0");

/// Why a partial key does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartialFault {
    /// Its sender holds no key share of this output.
    #[error("its sender is not a player")]
    NotAPlayer,
    /// It was made in another round.
    #[error("it is of another round")]
    OtherRound,
    /// It is no point of the group.
    #[error("it is malformed")]
    Malformed,
    /// It is not this player's part of this identity's key.
    #[error("it does not verify")]
    DoesNotVerify,
}

/// A partial key that does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPartial {
    /// Who sent it.
    pub sender: ParticipantKey,
    /// What is wrong with it.
    pub fault: PartialFault,
}

/// An identity's key, and who sent something bad on the way to it.
#[derive(Debug)]
pub struct Combined {
    /// The key.
    pub key: Secret<32>,
    /// Bad partial keys that were noticed. What was not needed was not looked at.
    pub bad: Vec<BadPartial>,
}

/// Why partial keys give no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// More than [`PARTICIPANTS_MAX`] partial keys.
    #[error("{0} partial keys, at most {PARTICIPANTS_MAX} are allowed")]
    TooMany(usize),
    /// Too few of different players verify.
    #[error("{good} good partial keys, {required} are needed; {} are bad", bad.len())]
    TooFew {
        /// The output's threshold.
        required: usize,
        /// How many players sent a good one.
        good: usize,
        /// Those that do not count.
        bad: Vec<BadPartial>,
    },
}

/// Verifies one partial key.
pub fn verify_partial(
    output: &Output,
    player: &ParticipantKey,
    identity: &Identity,
    partial: &PartialKey,
) -> Result<(), PartialFault> {
    verify_signature(output, identity, &read(output, player, partial)?)
}

/// The key of `identity`, from the partial keys of at least [`Output::threshold`] players.
///
/// The signature that comes out of the first ones is verified against the group key; only if that fails is each partial key
/// verified by itself, the bad ones named and the good ones combined. Either way nothing but the identity's one key comes out.
///
/// # Shape
/// HKDF-SHA-256: extract with salt `"phala/threshold/derived-key/v1"` (zero-padded to 32 bytes) from the compressed signature;
/// then [`phala_crypto::derive`] in context `threshold/derived-key/v1` with ids (group key, identity).
pub fn combine(
    output: &Output,
    identity: &Identity,
    partials: &[(ParticipantKey, PartialKey)],
) -> Result<Combined, CombineError> {
    if partials.len() > PARTICIPANTS_MAX {
        return Err(CombineError::TooMany(partials.len()));
    }
    let required = output.threshold();
    let mut bad = Vec::new();
    let mut candidates: Vec<(ParticipantKey, PartialSignature<MinSig>)> = Vec::new();
    for (sender, partial) in partials {
        match read(output, sender, partial) {
            Ok(partial) => candidates.push((*sender, partial)),
            Err(fault) => bad.push(BadPartial { sender: *sender, fault }),
        }
    }
    if let Some(key) = recover(output, identity, &distinct(&candidates, required)) {
        return Ok(Combined { key, bad });
    }
    candidates.retain(|(sender, partial)| match verify_signature(output, identity, partial) {
        Ok(()) => true,
        Err(fault) => {
            bad.push(BadPartial { sender: *sender, fault });
            false
        }
    });
    let good = distinct(&candidates, usize::MAX);
    match recover(output, identity, &good[..good.len().min(required)]) {
        Some(key) => Ok(Combined { key, bad }),
        None => Err(CombineError::TooFew { required, good: good.len(), bad }),
    }
}

/// The first `limit` partial keys of different players.
fn distinct(candidates: &[(ParticipantKey, PartialSignature<MinSig>)], limit: usize) -> Vec<PartialSignature<MinSig>> {
    let mut distinct: Vec<PartialSignature<MinSig>> = Vec::new();
    for (_, partial) in candidates {
        if distinct.len() == limit {
            break;
        }
        if distinct.iter().all(|other| other.index != partial.index) {
            distinct.push(partial.clone());
        }
    }
    distinct
}

/// The key, if exactly these partial keys give a signature that the group key verifies.
fn recover(output: &Output, identity: &Identity, partials: &[PartialSignature<MinSig>]) -> Option<Secret<32>> {
    let sharing = output.library().public();
    let signature = threshold::recover::<MinSig, _>(sharing, partials, &Sequential).ok()?;
    ops::verify_message::<MinSig>(sharing.public(), NAMESPACE, identity.as_bytes(), &signature).ok()?;
    let mut bytes = Zeroizing::new([0; SIGNATURE_BYTES]);
    signature.write(&mut bytes.as_mut_slice());
    let extracted = Secret::generate(|out| *out = keyed_hash(&SALT, bytes.as_slice()));
    Some(derive(&extracted, "threshold/derived-key/v1", &[&output.group_key(), identity.as_bytes()]))
}

fn read(
    output: &Output,
    player: &ParticipantKey,
    partial: &PartialKey,
) -> Result<PartialSignature<MinSig>, PartialFault> {
    let index = output.position(player).ok_or(PartialFault::NotAPlayer)?;
    if partial.round != output.round() {
        return Err(PartialFault::OtherRound);
    }
    // Decoding checks that the point is in the group and not infinite; the library's verification relies on it.
    let value: G1 = backend::decode(partial.point.expose(), &()).ok_or(PartialFault::Malformed)?;
    Ok(PartialSignature { index, value })
}

fn verify_signature(
    output: &Output,
    identity: &Identity,
    partial: &PartialSignature<MinSig>,
) -> Result<(), PartialFault> {
    let sharing = output.library().public();
    threshold::verify_message::<MinSig>(sharing, NAMESPACE, identity.as_bytes(), partial)
        .map_err(|_| PartialFault::DoesNotVerify)
}
