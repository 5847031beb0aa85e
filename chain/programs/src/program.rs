//! Programs: deployed, made ready by a worker, removed.

use crate::{
    Abandoned, AbandonedCommands, Anchors, ClusterPrograms, Clusters, Commands, Config, Error, Event, FreeSlots,
    HoldReason, Keepers, KeyRecords, Keys as _, Pallet, Payments as _, ProgramCount, ProgramDeposits, Programs,
    Refusal, WeightInfo as _,
};
use frame_support::{
    pallet_prelude::*,
    traits::{defensive_prelude::*, fungible::MutateHold as _, tokens::Precision},
    weights::WeightMeter,
};
use phala_messages::{
    Account, AnchorRecord, ClusterId, ClusterRecord, CodeHash, Hash, Manifest, ProgramId, ProgramRecord, ProgramStatus,
    address::outbound_host_is_well_formed,
    anchor::EMPTY_ROOT,
    limits::{CLUSTER_PROGRAMS_MAX, CODE_BYTES_MAX},
    program::{LimitError, Name, Ready, SignedReady},
};
use phala_units::{BlockNumber, Planck};
use sp_runtime::traits::UniqueSaturatedInto;

/// Deposits of abandoned commands that one block returns at most.
pub(crate) const RELEASES_PER_BLOCK_MAX: u32 = 256;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_deploy(
        owner: T::AccountId,
        cluster: ClusterId,
        name: Name,
        code: CodeHash,
        code_bytes: u32,
        manifest: Manifest,
    ) -> DispatchResult {
        Self::check_name(&name)?;
        ensure!(code_bytes > 0, Error::<T>::CodeEmpty);
        ensure!(code_bytes <= CODE_BYTES_MAX, Error::<T>::CodeTooLarge);
        Self::check_manifest(&manifest)?;

        let id = ProgramCount::<T>::mutate(|count| {
            let id = ProgramId::derive(&Self::account(&owner), *count);
            *count = count.saturating_add(1);
            id
        });
        let slot = Clusters::<T>::try_mutate(cluster, |record| {
            let record = record.as_mut().ok_or(Error::<T>::ClusterUnknown)?;
            record.activity = record.activity.saturating_add(1);
            Self::take_slot(cluster, record)
        })?;
        let deposit = T::ProgramDeposit::get();
        T::Currency::hold(&HoldReason::Program.into(), &owner, deposit)?;

        let block = Self::block();
        let record = ProgramRecord {
            owner: Self::account(&owner),
            name,
            cluster,
            slot,
            code,
            code_bytes,
            manifest,
            status: ProgramStatus::Deploying,
            transport: None,
            deployed: block,
            commands: 0,
        };
        let anchor = AnchorRecord { from: 0, version: 0, root: EMPTY_ROOT, results: Hash::default(), by: None, block };
        ClusterPrograms::<T>::insert(cluster, slot, id);
        Programs::<T>::insert(id, record);
        ProgramDeposits::<T>::insert(id, Planck(deposit));
        Anchors::<T>::insert(id, anchor);
        T::Keys::deployed(&id)?;
        Self::deposit_event(Event::ProgramDeployed { program: id, cluster, owner, code });
        Ok(())
    }

    pub(crate) fn do_remove(owner: &T::AccountId, program: ProgramId) -> DispatchResult {
        let record = Programs::<T>::get(program).ok_or(Error::<T>::ProgramUnknown)?;
        ensure!(record.owner == Self::account(owner), Error::<T>::NotProgramOwner);
        let version = Self::version(&program);

        Programs::<T>::remove(program);
        Anchors::<T>::remove(program);
        Keepers::<T>::remove(program);
        KeyRecords::<T>::remove(program);
        T::Keys::removed(&program);
        ClusterPrograms::<T>::remove(record.cluster, record.slot);
        FreeSlots::<T>::insert(record.cluster, record.slot, ());
        if let Some(deposit) = ProgramDeposits::<T>::take(program) {
            Self::release(HoldReason::Program, &record.owner, deposit);
        }
        T::Payments::removed(&program, &record.owner);
        let abandoned = record.commands.saturating_sub(version);
        if abandoned > 0 {
            AbandonedCommands::<T>::insert(program, Abandoned { next: version, end: record.commands });
        }
        Self::count_activity(record.cluster);
        Self::deposit_event(Event::ProgramRemoved { program, abandoned });
        Ok(())
    }

    /// Checks the rules and the signature of a `ready`.
    pub(crate) fn authorize_ready(signed: &SignedReady) -> TransactionValidityWithRefund {
        let refuse = |refusal: Refusal| InvalidTransaction::Custom(refusal.code());
        Self::judge_ready(&signed.ready).map_err(refuse)?;
        let hash = signed.ready.signing_hash(&Self::genesis());
        Self::check_instance(&signed.ready.worker, &hash, &signed.signature).map_err(refuse)?;
        let validity = ValidTransaction::with_tag_prefix("phala/ready")
            .priority(TransactionPriority::MAX / 2)
            .and_provides(signed.ready.program)
            .longevity(crate::anchor::LONGEVITY_BLOCKS)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Makes a program live. Its authorisation has checked the signature; everything else is checked again.
    pub(crate) fn do_ready(signed: SignedReady) -> DispatchResult {
        let Ready { program, transport, worker } = signed.ready;
        let mut record = Self::judge_ready(&signed.ready).map_err(Error::<T>::from)?;
        record.status = ProgramStatus::Live;
        record.transport = Some(transport);
        Self::count_activity(record.cluster);
        Programs::<T>::insert(program, record);
        Keepers::<T>::insert(program, worker);
        Self::deposit_event(Event::ProgramReady { program, worker, transport });
        Ok(())
    }

    /// Every rule of `ready` but the signature.
    fn judge_ready(ready: &Ready) -> Result<ProgramRecord, Refusal> {
        let record = Programs::<T>::get(ready.program).ok_or(Refusal::ProgramUnknown)?;
        ensure!(record.status == ProgramStatus::Deploying, Refusal::NotDeploying);
        Self::check_leads(&ready.worker, record.cluster)?;
        Ok(record)
    }

    fn check_name(name: &[u8]) -> Result<(), Error<T>> {
        ensure!(!name.is_empty(), Error::<T>::NameEmpty);
        let text = core::str::from_utf8(name).map_err(|_| Error::<T>::NameNotText)?;
        ensure!(!text.chars().any(char::is_control), Error::<T>::NameNotText);
        Ok(())
    }

    pub(crate) fn check_manifest(manifest: &Manifest) -> Result<(), Error<T>> {
        manifest.limits.check().map_err(|limit| match limit {
            LimitError::Memory => Error::<T>::LimitMemory,
            LimitError::QueryTime => Error::<T>::LimitQueryTime,
            LimitError::CommandFuel => Error::<T>::LimitCommandFuel,
            LimitError::OutboundRequests => Error::<T>::LimitOutboundRequests,
        })?;
        let well_formed = manifest.outbound_hosts.iter().all(|host| outbound_host_is_well_formed(host));
        ensure!(well_formed, Error::<T>::HostMalformed);
        Ok(())
    }

    /// A slot that is free again, or the next new one.
    fn take_slot(cluster: ClusterId, record: &mut ClusterRecord) -> Result<u32, DispatchError> {
        if let Some(slot) = FreeSlots::<T>::iter_key_prefix(cluster).next() {
            FreeSlots::<T>::remove(cluster, slot);
            return Ok(slot);
        }
        let slot = record.slots;
        ensure!(slot < CLUSTER_PROGRAMS_MAX, Error::<T>::ProgramsFull);
        record.slots = slot.saturating_add(1);
        Ok(slot)
    }

    /// Returns deposits of abandoned commands, as many as `room` allows.
    pub(crate) fn release_abandoned(room: Weight) -> Weight {
        let mut meter = WeightMeter::with_limit(room);
        if meter.try_consume(T::WeightInfo::find_abandoned()).is_err() {
            return Weight::zero();
        }
        let Some((program, Abandoned { next, end })) = AbandonedCommands::<T>::iter().next() else {
            return meter.consumed();
        };
        let mut index = next;
        for _ in 0..RELEASES_PER_BLOCK_MAX {
            let weight = T::WeightInfo::release_abandoned().saturating_add(T::Payments::weight_of_refunded());
            if index >= end || meter.try_consume(weight).is_err() {
                break;
            }
            // First the price: while the deposit is held, its account takes any amount back.
            T::Payments::refunded(&program, index);
            Self::release_command(&program, index);
            index = index.saturating_add(1);
        }
        if index < end {
            AbandonedCommands::<T>::insert(program, Abandoned { next: index, end });
        } else {
            AbandonedCommands::<T>::remove(program);
            Self::deposit_event(Event::AbandonedReleased { program });
        }
        meter.consumed()
    }

    /// Forgets a command and returns its deposit.
    pub(crate) fn release_command(program: &ProgramId, index: u64) {
        if let Some(command) = Commands::<T>::take(program, index).defensive() {
            Self::release(HoldReason::Command, &command.caller, command.deposit);
        }
    }

    /// Returns a deposit to whoever paid it. A held amount is always there to be returned; should it not be, what
    /// is there is returned, for nobody else's deposit may depend on it.
    fn release(reason: HoldReason, account: &Account, deposit: Planck) {
        let account = T::AccountId::from(account.0);
        let released = T::Currency::release(&reason.into(), &account, deposit.0, Precision::BestEffort);
        if released.defensive() != Ok(deposit.0) {
            frame_support::defensive!("every deposit is held in full until it is released");
        }
    }

    /// How many commands the program has answered.
    pub(crate) fn version(program: &ProgramId) -> u64 {
        Anchors::<T>::get(program).defensive_map_or_else(|| 0, |anchor| anchor.version)
    }

    /// The block being built.
    pub(crate) fn block() -> BlockNumber {
        BlockNumber(frame_system::Pallet::<T>::block_number().unique_saturated_into())
    }
}
