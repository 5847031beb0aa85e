//! Moves: a program changes its key, because its owner gives it other code or because its root is left.
//!
//! ```text
//! owner    upgrade ───────────────► an UpgradeRecord: code, epoch, and what the new code may have
//! custody  another root is open ──► nothing is written here: whoever asks is told the root that is wanted
//! worker   (old code answers what was ordered before the upgrade; state sealed anew) ── moved ──► all at once
//! ```
//!
//! # Properties
//! - A move leaves the version as it is: no command is lost, none is answered by it.
//! - A program moves to the root that takes programs, and to the code that runs or the one that its owner ordered last.
//! - A program that was never ready has no state: it only changes its root.
//! - Code that may have nothing begins with the empty state.
//! - An epoch that was given to a code is never given to another.

use crate::{Anchors, Config, Error, Event, Keepers, KeyRecords, Keys as _, Pallet, Programs, Refusal};
use frame_support::{pallet_prelude::*, traits::defensive_prelude::*};
use phala_messages::{
    CodeHash, Keep, KeyName, KeyRecord, Manifest, ProgramId, ProgramRecord, ProgramStatus,
    anchor::EMPTY_ROOT,
    limits::CODE_BYTES_MAX,
    moves::{MoveRecord, Moved, SignedMoved, UpgradeRecord},
};

/// What a move found and is about to change.
struct Judged {
    record: ProgramRecord,
    keys: KeyRecord,
    from: KeyName,
    /// Whether it carries the ordered upgrade out.
    upgrades: bool,
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_upgrade(
        owner: &T::AccountId,
        program: ProgramId,
        code: CodeHash,
        code_bytes: u32,
        manifest: Option<Manifest>,
        keep: Keep,
    ) -> DispatchResult {
        let record = Programs::<T>::get(program).ok_or(Error::<T>::ProgramUnknown)?;
        ensure!(record.owner == Self::account(owner), Error::<T>::NotProgramOwner);
        ensure!(record.status == ProgramStatus::Live, Error::<T>::ProgramNotLive);
        ensure!(code_bytes > 0, Error::<T>::CodeEmpty);
        ensure!(code_bytes <= CODE_BYTES_MAX, Error::<T>::CodeTooLarge);
        let manifest = manifest.unwrap_or(record.manifest);
        Self::check_manifest(&manifest)?;
        let mut keys = KeyRecords::<T>::get(program);
        let epoch = keys.newest.next();
        ensure!(epoch != keys.newest, Error::<T>::CodesExhausted);
        keys.newest = epoch;
        keys.upgrade = Some(UpgradeRecord {
            epoch,
            code,
            code_bytes,
            manifest,
            keep,
            commands: record.commands,
            ordered: Self::block(),
        });
        KeyRecords::<T>::insert(program, keys);
        Self::count_activity(record.cluster);
        Self::deposit_event(Event::UpgradeOrdered { program, code, epoch, keep });
        Ok(())
    }

    /// Checks the rules and the signature of a `moved`.
    pub(crate) fn authorize_moved(signed: &SignedMoved) -> TransactionValidityWithRefund {
        let refuse = |refusal: Refusal| InvalidTransaction::Custom(refusal.code());
        Self::judge_moved(&signed.moved).map_err(refuse)?;
        let hash = signed.moved.signing_hash(&Self::genesis());
        Self::check_instance(&signed.moved.worker, &hash, &signed.signature).map_err(refuse)?;
        let validity = ValidTransaction::with_tag_prefix("phala/moved")
            .priority(TransactionPriority::MAX / 2)
            .and_provides((signed.moved.program, signed.moved.to))
            .longevity(crate::anchor::LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Switches a program to its new key. Its authorisation has checked the signature; everything else is checked again.
    pub(crate) fn do_moved(signed: SignedMoved) -> DispatchResult {
        let moved = signed.moved;
        let Judged { mut record, mut keys, from, upgrades } = Self::judge_moved(&moved).map_err(Error::<T>::from)?;
        let Moved { program, to, transport, version, root, worker } = moved;
        let before = Anchors::<T>::get(program).defensive_ok_or(Error::<T>::ProgramUnknown)?;
        if from.root != to.root {
            T::Keys::moved(&program, to.root)?;
        }
        let mut keep = Keep::StateAndKeys;
        if let Some(upgrade) = keys.upgrade.take_if(|_| upgrades) {
            record.code = upgrade.code;
            record.code_bytes = upgrade.code_bytes;
            record.manifest = upgrade.manifest;
            keys.epoch = upgrade.epoch;
            keep = upgrade.keep;
        }
        if record.status == ProgramStatus::Live {
            record.transport = Some(transport);
        }
        let (code, commands, block) = (record.code, record.commands, Self::block());
        keys.moved = Some(MoveRecord { from, to, code, keep, version, commands, block });
        Self::count_activity(record.cluster);
        Anchors::<T>::insert(program, moved.anchor(before, block));
        KeyRecords::<T>::insert(program, keys);
        Programs::<T>::insert(program, record);
        Self::deposit_event(Event::ProgramMoved { program, from, to, code, keep, version, root, transport, worker });
        Ok(())
    }

    /// Every rule of a `moved` but the signature.
    fn judge_moved(moved: &Moved) -> Result<Judged, Refusal> {
        let record = Programs::<T>::get(moved.program).ok_or(Refusal::ProgramUnknown)?;
        Self::check_leads(&moved.worker, record.cluster)?;
        let from_root = T::Keys::root(&moved.program);
        let has_keys = from_root.is_some() || Keepers::<T>::get(moved.program) == Some(moved.worker);
        ensure!(has_keys, Refusal::NotKeeper);
        let keys = KeyRecords::<T>::get(moved.program);
        let from = KeyName { root: from_root, code: keys.epoch };
        ensure!(moved.to.root == T::Keys::root_wanted(&moved.program), Refusal::MoveElsewhere);
        let ordered = keys.upgrade.as_ref().filter(|upgrade| upgrade.epoch == moved.to.code);
        ensure!(ordered.is_some() || moved.to.code == from.code, Refusal::MoveElsewhere);
        ensure!(moved.to != from, Refusal::MoveElsewhere);
        ensure!(moved.version == Self::version(&moved.program), Refusal::MoveVersion);
        if let Some(upgrade) = ordered {
            ensure!(moved.version >= upgrade.commands, Refusal::MoveTooEarly);
            ensure!(upgrade.keep != Keep::Nothing || moved.root == EMPTY_ROOT, Refusal::MoveKeepsState);
        }
        ensure!(Some(moved.transport) != record.transport, Refusal::MoveSameTransport);
        let upgrades = ordered.is_some();
        // What was never ready has nothing that could be carried over: a root is left without waiting for it.
        let is_empty = !upgrades && moved.root == EMPTY_ROOT;
        ensure!(record.status == ProgramStatus::Live || is_empty, Refusal::NotLive);
        Ok(Judged { record, keys, from, upgrades })
    }
}
