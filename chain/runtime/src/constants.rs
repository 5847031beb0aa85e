//! Times, amounts and limits, each with its reason.

use crate::{Balance, BlockNumber};
use frame_support::weights::{Weight, constants::WEIGHT_REF_TIME_PER_SECOND};
use phala_units::PHA;
use sp_runtime::Perbill;

/// Milliseconds between blocks: short, so that a command is answered within a few seconds.
pub const BLOCK_MS: u64 = 2_000;
/// Blocks of a minute.
pub const MINUTES: BlockNumber = (60_000 / BLOCK_MS) as BlockNumber;
/// Blocks of an hour.
pub const HOURS: BlockNumber = MINUTES * 60;

/// Blocks of an epoch, after which keys of validators may change. Development turns fast, so that a hand-over
/// of finality can be watched.
#[cfg(not(feature = "production"))]
pub const EPOCH_BLOCKS: u64 = 10;
/// Blocks of an epoch, after which validators may change.
#[cfg(feature = "production")]
pub const EPOCH_BLOCKS: u64 = 4 * HOURS as u64;

/// BABE's chance that a slot has a primary author, so that about one slot in four does.
pub const PRIMARY_PROBABILITY: (u64, u64) = (1, 4);

/// How many validators there may be.
pub const AUTHORITIES_MAX: u32 = 1_000;

/// Computation per block: half of the time between blocks, the other half is for the network.
pub const BLOCK_WEIGHT_MAX: Weight = Weight::from_parts(WEIGHT_REF_TIME_PER_SECOND, u64::MAX);
/// Share of a block open to ordinary extrinsics.
pub const NORMAL_RATIO: Perbill = Perbill::from_percent(75);
/// Bytes per block.
pub const BLOCK_BYTES_MAX: u32 = 5 * 1024 * 1024;

/// Least that an account may hold.
pub const EXISTENTIAL_DEPOSIT: Balance = PHA / 100;
/// Fee for each byte of an extrinsic: a command of 256 KiB costs 0.26 PHA.
pub const BYTE_FEE: Balance = PHA / 1_000_000;
/// Held while a program stands.
pub const PROGRAM_DEPOSIT: Balance = PHA;
/// Held until a command is answered.
pub const COMMAND_DEPOSIT: Balance = PHA / 100;
/// The same, for each of its bytes: a command of 256 KiB holds 0.27 PHA.
pub const COMMAND_DEPOSIT_PER_BYTE: Balance = PHA / 1_000_000;

/// Held from a validator for its gatekeeper.
pub const GATEKEEPER_BOND: Balance = 1_000 * PHA;

/// SS58 prefix of addresses: Phala's.
pub const SS58_PREFIX: u8 = 30;

/// Workers of one cluster: one leads, the others stand by with copies, which it waits for before each anchor.
pub const WORKERS_PER_CLUSTER: u32 = 7;
