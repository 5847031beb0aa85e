//! Commands: ordered, kept until they are answered.

use crate::{COMMANDS_PENDING_MAX, Commands, Config, Error, Event, HoldReason, Pallet, Payments as _, Programs};
use frame_support::{
    pallet_prelude::*,
    traits::{Time as _, fungible::MutateHold as _},
};
use phala_messages::{CommandRecord, ProgramId, ProgramStatus, SealedCommand};
use phala_units::{Planck, UnixMillis};

/// The shortest sealed command: an encapsulated key and the tag of an empty ciphertext.
pub(crate) const SEALED_COMMAND_BYTES_MIN: usize = 32 + 16;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_command(
        caller: T::AccountId,
        program: ProgramId,
        sealed: SealedCommand,
        price_max: Option<Planck>,
    ) -> DispatchResult {
        ensure!(sealed.len() >= SEALED_COMMAND_BYTES_MIN, Error::<T>::CommandMalformed);
        let mut record = Programs::<T>::get(program).ok_or(Error::<T>::ProgramUnknown)?;
        ensure!(record.status == ProgramStatus::Live, Error::<T>::ProgramNotLive);
        let pending = record.commands.saturating_sub(Self::version(&program));
        ensure!(pending < COMMANDS_PENDING_MAX, Error::<T>::CommandsPending);

        let deposit = Self::command_deposit(sealed.len() as u32);
        T::Currency::hold(&HoldReason::Command.into(), &caller, deposit.0)?;
        let index = record.commands;
        record.commands = index.saturating_add(1);
        let command = CommandRecord {
            caller: Self::account(&caller),
            block: Self::block(),
            time: UnixMillis(T::Time::now()),
            deposit,
            sealed,
        };
        T::Payments::reserve(&program, index, &command, &record.manifest.limits, price_max)?;
        Self::count_activity(record.cluster);
        Programs::<T>::insert(program, record);
        Commands::<T>::insert(program, index, command);
        Self::deposit_event(Event::CommandOrdered { program, index, caller });
        Ok(())
    }

    /// What is held for a sealed command of so many bytes.
    pub fn command_deposit(sealed_bytes: u32) -> Planck {
        let for_bytes = T::CommandDepositPerByte::get().saturating_mul(sealed_bytes.into());
        Planck(T::CommandDepositBase::get().saturating_add(for_bytes))
    }
}
