//! Backups: each gatekeeper's own key share in sealed pieces, and what the epoch came to, without which a key share is worth
//! nothing.
//!
//! The chain does no cryptography of key shares: it sees that a backup is the seat's, for the custodians that are appointed, and
//! as long as it must be. That it begins with the seat's public key and that pieces lie on it is for everybody and for the
//! custodians to see (`phala recovery check`).

use crate::{
    BackedRoots, Backups, Config, Custodians, Custody as _, EpochOutputs, Error, Event, OutputEpochs, Pallet, Refusal,
    message::refuse,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::*;
use phala_messages::{
    custody::{EpochRecord, GROUP_POINT_BYTES, RootGeneration, Signed},
    limits::GATEKEEPERS_MAX,
    recovery::{EpochOutput, SeatBackup},
    transcript::Preimage,
};

/// Under which an output is hashed; the threshold library's name for it.
const OUTPUT_DOMAIN: &str = "phala/threshold/output/v1";

impl<T: Config> Pallet<T> {
    /// Every rule of a backup but the signature.
    fn judge_backup(backup: &SeatBackup) -> Result<EpochRecord, Refusal> {
        let set = Custodians::<T>::get().filter(|set| set.number == backup.set).ok_or(Refusal::CustodiansOther)?;
        let epoch = T::Custody::epoch(backup.root).ok_or(Refusal::RootUnknown)?;
        let member = epoch.members.get(backup.place as usize);
        let holds = member.is_some_and(|member| member.gatekeeper == backup.gatekeeper);
        ensure!(holds && epoch.epoch == backup.epoch, Refusal::NotSeat);
        let stored = Backups::<T>::get(backup.root, backup.place);
        let is_new = stored.is_none_or(|old| (old.epoch, old.set) != (backup.epoch, backup.set));
        ensure!(is_new, Refusal::BackupStored);
        let points = set.threshold as usize;
        let fits = backup.polynomial.len() == points.saturating_mul(GROUP_POINT_BYTES);
        ensure!(fits && backup.pieces.len() == set.custodians.len(), Refusal::BackupMalformed);
        Ok(epoch)
    }

    pub(crate) fn authorize_backup(signed: &Signed<SeatBackup>) -> TransactionValidityWithRefund {
        Self::judge_backup(&signed.message).and_then(|_| Self::check_gatekeeper(signed)).map_err(refuse)?;
        let SeatBackup { root, epoch, place, set, .. } = signed.message;
        Self::accept("phala/recovery-backup/v1", (root, epoch, place, set))
    }

    pub(crate) fn do_store_backup(backup: SeatBackup) -> DispatchResult {
        Self::judge_backup(&backup).map_err(Error::<T>::from)?;
        let SeatBackup { root, epoch, place, set, gatekeeper, .. } = backup;
        Self::note_root(root);
        Backups::<T>::insert(root, place, backup);
        Self::deposit_event(Event::BackupStored { root, epoch, place, set, gatekeeper });
        Ok(())
    }

    /// Every rule of an output. It carries its own authority: its hash is what the epoch's members agreed on.
    fn judge_output(root: RootGeneration, output: &EpochOutput) -> Result<EpochRecord, Refusal> {
        let epoch = T::Custody::epoch(root).ok_or(Refusal::RootUnknown)?;
        ensure!(OutputEpochs::<T>::get(root) != Some(epoch.epoch), Refusal::OutputStored);
        let hash = Preimage::new(OUTPUT_DOMAIN).bytes(output).hash();
        ensure!(hash == epoch.output_hash, Refusal::OutputOther);
        Ok(epoch)
    }

    pub(crate) fn authorize_output(root: RootGeneration, output: &EpochOutput) -> TransactionValidityWithRefund {
        let epoch = Self::judge_output(root, output).map_err(refuse)?;
        Self::accept("phala/recovery-output/v1", (root, epoch.epoch))
    }

    pub(crate) fn do_store_output(root: RootGeneration, output: EpochOutput) -> DispatchResult {
        let epoch = Self::judge_output(root, &output).map_err(Error::<T>::from)?;
        Self::note_root(root);
        OutputEpochs::<T>::insert(root, epoch.epoch);
        EpochOutputs::<T>::insert(root, output);
        // Seats that a smaller epoch has no more.
        for place in epoch.members.len() as u32..GATEKEEPERS_MAX {
            Backups::<T>::remove(root, place);
        }
        Self::deposit_event(Event::OutputStored { root, epoch: epoch.epoch });
        Ok(())
    }

    /// Notes that something is kept for a root, and forgets what is kept for closed ones.
    fn note_root(root: RootGeneration) {
        let mut roots = BackedRoots::<T>::get();
        if roots.contains(&root) {
            return;
        }
        let (live, closed): (Vec<_>, Vec<_>) = roots.iter().copied().partition(|old| T::Custody::epoch(*old).is_some());
        for old in closed {
            OutputEpochs::<T>::remove(old);
            EpochOutputs::<T>::remove(old);
            for place in 0..GATEKEEPERS_MAX {
                Backups::<T>::remove(old, place);
            }
        }
        roots.retain(|old| live.contains(old));
        if roots.try_push(root).is_err() {
            frame_support::defensive!("no more roots live than are noted");
        }
        BackedRoots::<T>::put(roots);
    }

    /// How many seats of an epoch have a backup.
    pub(crate) fn backed_seats(epoch: &EpochRecord) -> u32 {
        let places = 0..epoch.members.len() as u32;
        let backups = places.filter_map(|place| Backups::<T>::get(epoch.root, place));
        backups.filter(|backup| backup.epoch == epoch.epoch).count() as u32
    }
}
