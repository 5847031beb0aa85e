//! What must hold between any two blocks.

use crate::{
    AbandonedCommands, Anchors, Assignments, COMMANDS_PENDING_MAX, ClusterCount, ClusterPrograms, Clusters, Commands,
    Config, FreeSlots, HoldReason, Keepers, KeyRecords, Keys as _, Leads, Pallet, ProgramDeposits, Programs,
};
use alloc::collections::BTreeMap;
use frame_support::{
    ensure,
    traits::{Get, fungible::InspectHold as _},
};
use phala_messages::{Account, ProgramStatus};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the pallet's storage.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_clusters()?;
        Self::check_programs()?;
        Self::check_moves()?;
        Self::check_commands()?;
        Self::check_holds()
    }

    /// Assignments ↔ workers of clusters; slots ↔ programs.
    fn check_clusters() -> Result<(), TryRuntimeError> {
        let mut workers = 0;
        for (id, cluster) in Clusters::<T>::iter() {
            ensure!(id.0 < ClusterCount::<T>::get(), "a cluster's id was given by the counter");
            ensure!(
                cluster.workers.len() as u32 <= T::WorkersPerCluster::get(),
                "a cluster has at most its number of workers"
            );
            for worker in &cluster.workers {
                ensure!(Assignments::<T>::get(worker) == Some(id), "a cluster's worker is assigned to it");
            }
            workers += cluster.workers.len();
            let used = ClusterPrograms::<T>::iter_key_prefix(id).count();
            let free = FreeSlots::<T>::iter_key_prefix(id).count();
            ensure!(used + free == cluster.slots as usize, "each slot of a cluster is used or free");
        }
        ensure!(Assignments::<T>::iter().count() == workers, "an assigned worker stands in its cluster, once");
        for (id, lead) in Leads::<T>::iter() {
            let cluster = Clusters::<T>::get(id).ok_or("only a cluster has a lead")?;
            let newest = lead.newest();
            ensure!(
                lead.shown <= newest && newest <= Self::block(),
                "a lead was shown, then doubted, and not tomorrow"
            );
            ensure!(lead.doubted.is_none() || !cluster.workers.is_empty(), "only a lead that is there is doubted");
        }
        for (cluster, slot, program) in ClusterPrograms::<T>::iter() {
            let record = Programs::<T>::get(program).ok_or("a program in a slot exists")?;
            ensure!((record.cluster, record.slot) == (cluster, slot), "a program knows its slot");
            ensure!(!FreeSlots::<T>::contains_key(cluster, slot), "a used slot is not free");
        }
        Ok(())
    }

    /// Programs ↔ slots, anchors, deposits, keepers.
    fn check_programs() -> Result<(), TryRuntimeError> {
        let (mut programs, mut live) = (0, 0);
        for (id, record) in Programs::<T>::iter() {
            programs += 1;
            ensure!(ClusterPrograms::<T>::get(record.cluster, record.slot) == Some(id), "a program stands in its slot");
            ensure!(ProgramDeposits::<T>::contains_key(id), "a program has a deposit");
            let is_live = record.status == ProgramStatus::Live;
            live += usize::from(is_live);
            ensure!(is_live == record.transport.is_some(), "a live program has a key");
            ensure!(is_live == Keepers::<T>::contains_key(id), "a live program has a keeper");
            let anchor = Anchors::<T>::get(id).ok_or("a program has an anchor")?;
            ensure!(anchor.version <= record.commands, "no more commands are answered than were sent");
            ensure!(anchor.from <= anchor.version, "an anchor goes forward");
            ensure!(anchor.by.is_some() == (anchor.version > 0), "whoever anchored is known");
            let pending = record.commands - anchor.version;
            ensure!(pending <= COMMANDS_PENDING_MAX, "commands wait in bounded number");
            let stored = Commands::<T>::iter_key_prefix(id).count() as u64;
            ensure!(stored == pending, "pending commands are commands minus version");
            let in_range =
                Commands::<T>::iter_key_prefix(id).all(|index| (anchor.version..record.commands).contains(&index));
            ensure!(in_range, "pending commands follow the version");
        }
        ensure!(ClusterPrograms::<T>::iter().count() == programs, "one slot per program");
        ensure!(Anchors::<T>::iter().count() == programs, "one anchor per program");
        ensure!(ProgramDeposits::<T>::iter().count() == programs, "one deposit per program");
        ensure!(Keepers::<T>::iter().count() == live, "one keeper per live program");
        Ok(())
    }

    /// Key records ↔ programs, roots, anchors.
    fn check_moves() -> Result<(), TryRuntimeError> {
        for (id, keys) in KeyRecords::<T>::iter() {
            let record = Programs::<T>::get(id).ok_or("a key record is a program's")?;
            let anchor = Anchors::<T>::get(id).ok_or("a program has an anchor")?;
            ensure!(keys.epoch <= keys.newest, "an epoch that runs was given");
            if let Some(upgrade) = &keys.upgrade {
                ensure!(upgrade.epoch == keys.newest && upgrade.epoch > keys.epoch, "an upgrade has the newest epoch");
                ensure!(upgrade.commands <= record.commands, "an upgrade was ordered after its commands");
            }
            let Some(moved) = keys.moved else {
                ensure!(keys.epoch.0 == 0, "another code came by a move");
                continue;
            };
            ensure!(moved.to.code == keys.epoch && moved.code == record.code, "what runs came by the last move");
            ensure!(moved.to.root == T::Keys::root(&id), "a program's root is that of its last move");
            ensure!(moved.to != moved.from, "a move leads elsewhere");
            ensure!(moved.version <= anchor.version && moved.commands <= record.commands, "a move lies in the past");
        }
        Ok(())
    }

    /// Commands belong to a program, or to what a removed one left.
    fn check_commands() -> Result<(), TryRuntimeError> {
        for (program, left) in AbandonedCommands::<T>::iter() {
            ensure!(!Programs::<T>::contains_key(program), "only a removed program abandons commands");
            ensure!(left.next < left.end, "what is abandoned is not empty");
            let stored = Commands::<T>::iter_key_prefix(program).count() as u64;
            ensure!(stored == left.end - left.next, "every abandoned command is stored");
        }
        for (program, index) in Commands::<T>::iter_keys() {
            let abandoned =
                AbandonedCommands::<T>::get(program).is_some_and(|left| (left.next..left.end).contains(&index));
            ensure!(abandoned || Programs::<T>::contains_key(program), "a command belongs to someone");
        }
        Ok(())
    }

    /// Σ held = Σ deposits, for every account and reason.
    fn check_holds() -> Result<(), TryRuntimeError> {
        let mut deposits = BTreeMap::<(Account, bool), u128>::new();
        for (id, record) in Programs::<T>::iter() {
            let deposit = ProgramDeposits::<T>::get(id).ok_or("a program has a deposit")?;
            *deposits.entry((record.owner, true)).or_default() += deposit.0;
            deposits.entry((record.owner, false)).or_default();
        }
        for (_, _, command) in Commands::<T>::iter() {
            *deposits.entry((command.caller, false)).or_default() += command.deposit.0;
            deposits.entry((command.caller, true)).or_default();
        }
        for ((account, for_program), deposit) in deposits {
            let reason = if for_program { HoldReason::Program } else { HoldReason::Command };
            let held = T::Currency::balance_on_hold(&reason.into(), &T::AccountId::from(account.0));
            ensure!(held == deposit, "what is held of an account is the sum of its deposits");
        }
        Ok(())
    }
}
