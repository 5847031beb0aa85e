//! Messages of workers: who may say what is decided by each; that they said it, here.

use crate::{Config, Machine, Pallet, Refusal, Workers as _};
use codec::Encode;
use frame_support::{pallet_prelude::*, traits::Time as _};
use frame_system::pallet_prelude::BlockNumberFor;
use phala_messages::{
    Account, GenesisHash, WorkerId,
    custody::{CustodyMessage, Signed},
};
use phala_units::{BlockNumber, UnixMillis};
use sp_runtime::traits::{UniqueSaturatedInto, Zero};

/// Blocks for which a message stays in a pool: about a minute. Its sender sends it again if it is lost.
const LONGEVITY_BLOCKS: u64 = 32;

pub(crate) fn refuse(refusal: Refusal) -> TransactionValidityError {
    InvalidTransaction::Custom(refusal.code()).into()
}

impl<T: Config> Pallet<T> {
    /// A worker that is admitted now.
    pub(crate) fn admitted(worker: &WorkerId) -> Result<Machine, Refusal> {
        T::Workers::machine(worker).filter(|machine| machine.admitted).ok_or(Refusal::NotAdmitted)
    }

    /// Whether `key` signed the message, for this network.
    pub(crate) fn is_signed<M: CustodyMessage>(signed: &Signed<M>, key: &[u8; 32]) -> bool {
        let hash = signed.message.signing_hash(&Self::genesis());
        sp_io::crypto::ed25519_verify(&signed.signature.into(), &hash.0, &(*key).into())
    }

    /// A valid message that a pool keeps once under `name`.
    pub(crate) fn accept<M: CustodyMessage>(name: impl Encode) -> TransactionValidityWithRefund {
        let validity = ValidTransaction::with_tag_prefix(M::DOMAIN)
            .priority(TransactionPriority::MAX / 2)
            .and_provides(name)
            .longevity(LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// The block's time.
    pub(crate) fn time() -> UnixMillis {
        UnixMillis(T::Time::now())
    }

    /// The block being built.
    pub(crate) fn block() -> BlockNumber {
        BlockNumber(frame_system::Pallet::<T>::block_number().unique_saturated_into())
    }

    /// An account, as messages have it.
    pub(crate) fn account(account: &T::AccountId) -> Account {
        Account(*account.as_ref())
    }

    /// Names the network in everything that is signed.
    pub(crate) fn genesis() -> GenesisHash {
        GenesisHash(Self::hash_of(BlockNumberFor::<T>::zero()))
    }

    /// The hash of a block of this chain; zeros for one that it has forgotten.
    pub(crate) fn hash_of(block: BlockNumberFor<T>) -> [u8; 32] {
        let hash = frame_system::Pallet::<T>::block_hash(block);
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        bytes
    }
}
