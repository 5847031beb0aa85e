//! Messages of gatekeepers and custodians: who may say what is decided by each; that they said it, here.

use crate::{Config, Custody as _, Pallet, Refusal};
use codec::Encode;
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::BlockNumberFor;
use phala_messages::{
    GenesisHash, Hash, Signature,
    custody::{CustodyMessage, Signed},
};
use sp_runtime::traits::Zero;

/// Blocks for which a message stays in a pool: about a minute. Its sender sends it again if it is lost.
const LONGEVITY_BLOCKS: u64 = 32;

pub(crate) fn refuse(refusal: Refusal) -> TransactionValidityError {
    InvalidTransaction::Custom(refusal.code()).into()
}

impl<T: Config> Pallet<T> {
    /// An admitted gatekeeper's current instance signed the message.
    pub(crate) fn check_gatekeeper<M: CustodyMessage>(signed: &Signed<M>) -> Result<(), Refusal> {
        let instance = T::Custody::instance(&signed.message.sender()).ok_or(Refusal::GatekeeperNotAdmitted)?;
        let hash = signed.message.signing_hash(&Self::genesis());
        ensure!(Self::is_signed(&hash, &signed.signature, &instance.0), Refusal::GatekeeperSignature);
        Ok(())
    }

    /// Whether `key` signed the hash.
    pub(crate) fn is_signed(hash: &Hash, signature: &Signature, key: &[u8; 32]) -> bool {
        sp_io::crypto::ed25519_verify(&(*signature).into(), &hash.0, &(*key).into())
    }

    /// A valid message that a pool keeps once under `name`.
    pub(crate) fn accept(domain: &'static str, name: impl Encode) -> TransactionValidityWithRefund {
        let validity = ValidTransaction::with_tag_prefix(domain)
            .priority(TransactionPriority::MAX / 2)
            .and_provides(name)
            .longevity(LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Names the network in everything that is signed.
    pub(crate) fn genesis() -> GenesisHash {
        let hash = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
        let mut genesis = GenesisHash::default();
        for (to, from) in genesis.0.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        genesis
    }
}
