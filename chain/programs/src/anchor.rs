//! Anchors: commands are answered, the state moves on.
//!
//! A worker may send the next anchor before the last one is in a block: a transaction pool keeps it until its
//! turn (`requires` the version that the earlier one `provides`). A block takes it in its turn only.

use crate::{
    Anchors, Config, Error, Event, Keepers, Keys as _, Pallet, Payments as _, Programs, Refusal, WeightInfo as _,
    Workers as _,
};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::BlockNumberFor;
use phala_messages::{
    Anchor, AnchorRecord, GenesisHash, Hash, ProgramRecord, ProgramStatus, Signature, WorkerId,
    anchor::{ANCHOR_COMMANDS_MAX, SignedAnchor},
};
use sp_runtime::traits::Zero;

/// Blocks for which a worker's message stays in a pool: about a minute. The worker sends it again if it is lost.
pub(crate) const LONGEVITY_BLOCKS: u64 = 32;

/// Where an anchor starts, seen from the program's newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// At it.
    Now,
    /// Beyond it: another anchor must come first.
    Later,
}

impl<T: Config> Pallet<T> {
    /// Checks the rules and the signature of an anchor.
    pub(crate) fn authorize_anchor(source: TransactionSource, signed: &SignedAnchor) -> TransactionValidityWithRefund {
        let refuse = |refusal: Refusal| InvalidTransaction::Custom(refusal.code());
        let anchor = &signed.anchor;
        let (turn, _) = Self::judge_anchor(anchor).map_err(refuse)?;
        if turn == Turn::Later && source == TransactionSource::InBlock {
            return Err(refuse(Refusal::AnchorGap).into());
        }
        let hash = anchor.signing_hash(&Self::genesis());
        Self::check_instance(&anchor.worker, &hash, &signed.signature).map_err(refuse)?;

        let validity = ValidTransaction::with_tag_prefix("phala/anchor")
            .priority(TransactionPriority::MAX / 2)
            .and_provides((anchor.program, "from", anchor.from))
            .and_provides((anchor.program, "version", anchor.to))
            .longevity(LONGEVITY_BLOCKS)
            .propagate(true);
        let validity = match turn {
            Turn::Now => validity,
            Turn::Later => validity.and_requires((anchor.program, "version", anchor.from)),
        };
        Ok((validity.build()?, Weight::zero()))
    }

    /// Moves a program's version on. Its authorisation has checked the signature; everything else is checked
    /// again.
    pub(crate) fn do_anchor(signed: SignedAnchor) -> DispatchResult {
        let anchor = signed.anchor;
        let (turn, record) = Self::judge_anchor(&anchor).map_err(Error::<T>::from)?;
        ensure!(turn == Turn::Now, Error::<T>::from(Refusal::AnchorGap));
        let instance = T::Workers::instance(&anchor.worker).ok_or(Error::<T>::from(Refusal::NotAdmitted))?;

        T::Payments::spent(&anchor.program, anchor.from..anchor.to, &anchor.worker);
        for index in anchor.from..anchor.to {
            Self::release_command(&anchor.program, index);
        }
        let Anchor { program, from, to: version, root, results, worker } = anchor;
        let by = Some((worker, instance));
        Anchors::<T>::insert(program, AnchorRecord { from, version, root, results, by, block: Self::block() });
        Self::count_activity(record.cluster);
        Self::deposit_event(Event::Anchored { program, from, version, root, worker });
        Ok(())
    }

    /// What an anchor of so many commands costs, with what is paid for them.
    pub(crate) fn weight_of_anchor(commands: u32) -> Weight {
        T::WeightInfo::anchor(commands).saturating_add(T::Payments::weight_of_spent(commands))
    }

    /// Every rule of an anchor but the signature.
    fn judge_anchor(anchor: &Anchor) -> Result<(Turn, ProgramRecord), Refusal> {
        ensure!(anchor.to > anchor.from, Refusal::AnchorEmpty);
        ensure!(anchor.to.saturating_sub(anchor.from) <= ANCHOR_COMMANDS_MAX, Refusal::AnchorTooLong);
        let record = Programs::<T>::get(anchor.program).ok_or(Refusal::ProgramUnknown)?;
        ensure!(record.status == ProgramStatus::Live, Refusal::NotLive);
        Self::check_leads(&anchor.worker, record.cluster)?;
        let has_keys = Keepers::<T>::get(anchor.program) == Some(anchor.worker) || T::Keys::guarded(&anchor.program);
        ensure!(has_keys, Refusal::NotKeeper);
        ensure!(anchor.to <= record.commands, Refusal::AnchorBeyondCommands);
        let version = Self::version(&anchor.program);
        ensure!(anchor.from >= version, Refusal::AnchorStale);
        let turn = if anchor.from == version { Turn::Now } else { Turn::Later };
        Ok((turn, record))
    }

    /// The worker's current instance signed `hash`.
    pub(crate) fn check_instance(worker: &WorkerId, hash: &Hash, signature: &Signature) -> Result<(), Refusal> {
        let instance = T::Workers::instance(worker).ok_or(Refusal::NotAdmitted)?;
        let signed = sp_io::crypto::ed25519_verify(&(*signature).into(), &hash.0, &instance.0.into());
        ensure!(signed, Refusal::InstanceSignature);
        Ok(())
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
