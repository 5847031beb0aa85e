//! The chain's state that others read by proof: where each thing lies.
//!
//! # Shape
//! `twox128(pallet) ‖ twox128(item)`, then for maps `blake2b128(SCALE(key)) ‖ SCALE(key)` for each key. The runtime's
//! tests hold these against the storage that FRAME generates.

use crate::{
    custody::{EpochNumber, RootGeneration, RoundNumber},
    ids::{Account, ClusterId, Hash, PoolId, ProgramId, WorkerId},
    recovery::SetNumber,
    registration::Role,
};
use alloc::vec::Vec;
use codec::Encode;
use sp_crypto_hashing::{blake2_128, twox_128};

mod holders;

pub use holders::*;

/// Key of a plain value, and the prefix of a map.
pub fn item(pallet: &str, name: &str) -> Vec<u8> {
    [twox_128(pallet.as_bytes()), twox_128(name.as_bytes())].concat()
}

fn entry(pallet: &str, name: &str, keys: &[Vec<u8>]) -> Vec<u8> {
    let mut out = item(pallet, name);
    for key in keys {
        out.extend_from_slice(&blake2_128(key));
        out.extend_from_slice(key);
    }
    out
}

/// `u64`: the block's time, Unix milliseconds.
pub fn timestamp_now() -> Vec<u8> {
    item("Timestamp", "Now")
}

/// `Vec<(AuthorityId, u64)>`: who finalises.
pub fn grandpa_authorities() -> Vec<u8> {
    item("Grandpa", "Authorities")
}

/// [`crate::WorkerRecord`].
pub fn worker(id: &WorkerId) -> Vec<u8> {
    entry("Registry", "Workers", &[id.encode()])
}

/// Whether there is a value: code with this measurement may register in this role.
pub fn measurement(role: Role, measurement: &Hash) -> Vec<u8> {
    entry("Registry", "Measurements", &[role.encode(), measurement.encode()])
}

/// [`ClusterId`]: where a worker works.
pub fn assignment(id: &WorkerId) -> Vec<u8> {
    entry("Programs", "Assignments", &[id.encode()])
}

/// [`crate::ClusterRecord`].
pub fn cluster(id: ClusterId) -> Vec<u8> {
    entry("Programs", "Clusters", &[id.encode()])
}

/// [`crate::LeadRecord`] of a cluster; none until its lead has changed or was doubted.
pub fn lead(id: ClusterId) -> Vec<u8> {
    entry("Programs", "Leads", &[id.encode()])
}

/// [`ProgramId`] in a slot of a cluster.
pub fn cluster_program(id: ClusterId, slot: u32) -> Vec<u8> {
    entry("Programs", "ClusterPrograms", &[id.encode(), slot.encode()])
}

/// [`crate::ProgramRecord`].
pub fn program(id: &ProgramId) -> Vec<u8> {
    entry("Programs", "Programs", &[id.encode()])
}

/// [`crate::AnchorRecord`].
pub fn anchor(id: &ProgramId) -> Vec<u8> {
    entry("Programs", "Anchors", &[id.encode()])
}

/// [`crate::KeyRecord`]; none stands for the default.
pub fn key_record(id: &ProgramId) -> Vec<u8> {
    entry("Programs", "KeyRecords", &[id.encode()])
}

/// [`crate::CommandRecord`].
pub fn command(id: &ProgramId, index: u64) -> Vec<u8> {
    entry("Programs", "Commands", &[id.encode(), index.encode()])
}

/// [`crate::custody::Parameters`].
pub fn custody_parameters() -> Vec<u8> {
    item("Custody", "CustodyParameters")
}

/// [`crate::custody::CandidateRecord`] of an account.
pub fn candidate(account: &Account) -> Vec<u8> {
    entry("Custody", "Candidates", &[account.encode()])
}

/// [`Account`] that bonded for a gatekeeper.
pub fn gatekeeper_account(gatekeeper: &WorkerId) -> Vec<u8> {
    entry("Custody", "Gatekeepers", &[gatekeeper.encode()])
}

/// [`RoundNumber`] of the newest round, running or over.
pub fn newest_round() -> Vec<u8> {
    item("Custody", "NewestRound")
}

/// [`crate::custody::RoundRecord`].
pub fn round(number: RoundNumber) -> Vec<u8> {
    entry("Custody", "Rounds", &[number.encode()])
}

/// [`crate::custody::RoundLogs`].
pub fn round_logs(number: RoundNumber) -> Vec<u8> {
    entry("Custody", "Logs", &[number.encode()])
}

/// [`crate::custody::OutputRecord`] by the output's id.
pub fn round_output(number: RoundNumber, output: &Hash) -> Vec<u8> {
    entry("Custody", "Outputs", &[number.encode(), output.encode()])
}

/// [`crate::custody::ComplaintRecord`] by the place of the player that complains.
pub fn complaint(number: RoundNumber, by: u32) -> Vec<u8> {
    entry("Custody", "Complaints", &[number.encode(), by.encode()])
}

/// [`RootGeneration`] that takes new programs.
pub fn open_root() -> Vec<u8> {
    item("Custody", "OpenRoot")
}

/// [`crate::custody::RootRecord`].
pub fn root(generation: RootGeneration) -> Vec<u8> {
    entry("Custody", "Roots", &[generation.encode()])
}

/// [`crate::custody::EpochRecord`].
pub fn epoch(number: EpochNumber) -> Vec<u8> {
    entry("Custody", "Epochs", &[number.encode()])
}

/// [`RootGeneration`] that a program's key comes from.
pub fn program_root(program: &ProgramId) -> Vec<u8> {
    entry("Custody", "ProgramRootOf", &[program.encode()])
}

/// [`crate::custody::DeliveryHead`].
pub fn delivery_head(gatekeeper: &WorkerId) -> Vec<u8> {
    entry("Custody", "DeliveryHeads", &[gatekeeper.encode()])
}

/// [`crate::custody::DeliveryBatch`].
pub fn delivery(gatekeeper: &WorkerId, sequence: u64) -> Vec<u8> {
    entry("Custody", "Deliveries", &[gatekeeper.encode(), sequence.encode()])
}

/// [`crate::recovery::RecoveryParameters`].
pub fn recovery_parameters() -> Vec<u8> {
    item("Recovery", "RecoveryTimes")
}

/// [`crate::recovery::CustodianSet`] for which backups are made.
pub fn custodians() -> Vec<u8> {
    item("Recovery", "Custodians")
}

/// [`crate::recovery::CustodianSet`] by its number.
pub fn custodian_set(number: SetNumber) -> Vec<u8> {
    entry("Recovery", "CustodianSets", &[number.encode()])
}

/// [`crate::recovery::SeatBackup`] of a seat.
pub fn seat_backup(root: RootGeneration, place: u32) -> Vec<u8> {
    entry("Recovery", "Backups", &[root.encode(), place.encode()])
}

/// [`EpochNumber`] whose output is kept for a root.
pub fn output_epoch(root: RootGeneration) -> Vec<u8> {
    entry("Recovery", "OutputEpochs", &[root.encode()])
}

/// [`crate::recovery::EpochOutput`] of that epoch.
pub fn epoch_output(root: RootGeneration) -> Vec<u8> {
    entry("Recovery", "EpochOutputs", &[root.encode()])
}

/// List of [`RootGeneration`]s with a ceremony.
pub fn active_ceremonies() -> Vec<u8> {
    item("Recovery", "ActiveCeremonies")
}

/// [`crate::recovery::CeremonyRecord`] of a root.
pub fn ceremony(root: RootGeneration) -> Vec<u8> {
    entry("Recovery", "Ceremonies", &[root.encode()])
}

/// [`crate::recovery::OutcomeRecord`] of a root.
pub fn ceremony_outcome(root: RootGeneration) -> Vec<u8> {
    entry("Recovery", "Outcomes", &[root.encode()])
}

/// [`crate::computation::WorkRecord`] of a worker that is bound to a pool.
pub fn work(worker: &WorkerId) -> Vec<u8> {
    entry("Computation", "Work", &[worker.encode()])
}

/// `phala_economics::SessionRecord`: the session of a worker that computes, or whose stake cools down.
pub fn session(worker: &WorkerId) -> Vec<u8> {
    entry("Computation", "Sessions", &[worker.encode()])
}

/// `phala_economics::PoolWork`: what of a pool is at work.
pub fn pool_work(pool: PoolId) -> Vec<u8> {
    entry("Computation", "PoolsAtWork", &[pool.encode()])
}

/// `phala_economics::Parameters`.
pub fn work_parameters() -> Vec<u8> {
    item("Computation", "Tariff")
}

/// `phala_economics::Schedule`.
pub fn budget_schedule() -> Vec<u8> {
    item("Computation", "Budget")
}

/// [`crate::credit::CommandPrice`].
pub fn command_price() -> Vec<u8> {
    item("Credit", "Price")
}

/// [`crate::credit::CreditRecord`] of a program; none stands for the default.
pub fn credit(program: &ProgramId) -> Vec<u8> {
    entry("Credit", "Credits", &[program.encode()])
}

/// [`crate::credit::Reservation`] for a command.
pub fn reservation(program: &ProgramId, command: u64) -> Vec<u8> {
    entry("Credit", "Reservations", &[program.encode(), command.encode()])
}

/// [`phala_units::Planck`]: all that is staked on a program; none stands for nothing. `phala_economics::weight_of_stake` says what it gives.
pub fn program_stake(program: &ProgramId) -> Vec<u8> {
    entry("Credit", "ProgramStakes", &[program.encode()])
}

/// [`phala_units::Planck`]: what one account has staked on a program.
pub fn stake(program: &ProgramId, account: &Account) -> Vec<u8> {
    entry("Credit", "Stakes", &[program.encode(), account.encode()])
}

/// [`crate::credit::LeavingStake`] that came off a program and is an account's.
pub fn leaving_stake(program: &ProgramId, account: &Account) -> Vec<u8> {
    entry("Credit", "Leaving", &[program.encode(), account.encode()])
}

/// `frame_system::AccountInfo`: nonce and balance.
pub fn account(id: &Account) -> Vec<u8> {
    entry("System", "Account", &[id.encode()])
}
