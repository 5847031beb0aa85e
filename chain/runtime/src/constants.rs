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
/// Blocks of a day.
pub const DAYS: BlockNumber = HOURS * 24;
/// Blocks of a month of thirty days.
pub const MONTHS: BlockNumber = DAYS * 30;

/// A time of the network that counts, or, in a build for development, one that can be watched.
pub const fn by_network(production: BlockNumber, development: BlockNumber) -> BlockNumber {
    if cfg!(feature = "production") { production } else { development }
}

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

/// Least stake of an account on a program: what gives it one point of weight.
pub const PROGRAM_STAKE_MIN: Balance = 10 * PHA;
/// How long stake is on its way back from a program: whoever lends weight for a moment pays for it with time.
pub const UNSTAKE_BLOCKS: BlockNumber = by_network(7 * DAYS, 2 * MINUTES);
/// After how long an unanswered command's price may be had back. As many commands as may wait, of the dearest kind, take a worker a
/// day: nobody makes others' commands late by sending many.
pub const LATE_BLOCKS: BlockNumber = by_network(2 * DAYS, 10 * MINUTES);

/// Held from a validator for its gatekeeper.
pub const GATEKEEPER_BOND: Balance = 1_000 * PHA;

/// SS58 prefix of addresses: Phala's.
pub const SS58_PREFIX: u8 = 30;

/// Workers of one cluster: one leads, the others stand by with copies, which it waits for before each anchor.
pub const WORKERS_PER_CLUSTER: u32 = 7;

/// All there is and ever will be: no call makes more of it.
pub const SUPPLY: Balance = 1_000_000_000 * PHA;
/// Share of fees that goes to the treasury; the rest, and all tips, go to the block's author.
pub const FEES_TO_TREASURY: u32 = 80;
/// What is held for something kept on chain, for each item …
pub const DEPOSIT_ITEM: Balance = 15 * PHA / 100;
/// … and for each of its bytes.
pub const DEPOSIT_BYTE: Balance = PHA / 100;

/// What is held for so many items and bytes.
pub const fn deposit(items: u32, bytes: u32) -> Balance {
    items as Balance * DEPOSIT_ITEM + bytes as Balance * DEPOSIT_BYTE
}

/// Epochs of an era, after which validators are elected anew: a day; on development networks ten minutes.
pub const ERA_EPOCHS: u32 = if cfg!(feature = "production") { 6 } else { 30 };
/// Eras in which stake stays bonded after its owner wants it back: time enough to prove what it vouched for.
pub const BONDING_ERAS: u32 = if cfg!(feature = "production") { 28 } else { 3 };
/// Eras between a slash and its execution, in which a mistake can be undone.
pub const SLASH_DEFER_ERAS: u32 = if cfg!(feature = "production") { 7 } else { 1 };
/// Eras of which rewards can be claimed.
pub const HISTORY_ERAS: u32 = 84;
/// Validators elected at most: what the chain itself can count in one block, see the election's weight in the tests.
pub const VALIDATORS_MAX: u32 = 200;
/// Nominators (and validators' votes for themselves) that an election counts, those with the most stake first.
pub const ELECTORS_MAX: u32 = 2_000;
/// Candidates that an election considers.
pub const ELECTABLE_MAX: u32 = 400;
/// Validators that one nominator may name.
pub const NOMINATIONS_MAX: u32 = 16;
/// Nominators behind one validator that one payout reaches; the next page is another payout.
pub const EXPOSURE_PAGE: u32 = 64;
/// What an era pays validators: this share of their pot, so that it never runs empty at once.
pub const ERA_PAYOUT_DIVISOR: Balance = if cfg!(feature = "production") { 365 } else { 10 };

/// From a proposal's launch to its vote.
pub const LAUNCH_BLOCKS: BlockNumber = by_network(7 * DAYS, 2 * MINUTES);
/// How long a referendum is open.
pub const VOTING_BLOCKS: BlockNumber = by_network(7 * DAYS, 2 * MINUTES);
/// From a referendum that passed to its effect: whoever disagrees can leave. Votes stay locked as long.
pub const ENACTMENT_BLOCKS: BlockNumber = by_network(8 * DAYS, MINUTES);
/// The shortest vote, of what cannot wait.
pub const FAST_TRACK_BLOCKS: BlockNumber = by_network(3 * HOURS, MINUTES / 2);
/// How long a vetoed proposal stays away.
pub const COOLOFF_BLOCKS: BlockNumber = by_network(7 * DAYS, 2 * MINUTES);
/// How long a motion of the council or the technical committee is open.
pub const MOTION_BLOCKS: BlockNumber = by_network(3 * DAYS, 5 * MINUTES);
/// A council's term.
pub const TERM_BLOCKS: BlockNumber = by_network(7 * DAYS, 5 * MINUTES);
/// How often the treasury pays.
pub const SPEND_BLOCKS: BlockNumber = by_network(DAYS, 2 * MINUTES);
/// How long money stands still in an emergency. It moves again by itself.
pub const STANDSTILL_BLOCKS: BlockNumber = by_network(4 * HOURS, MINUTES);
/// Seats of the council.
pub const COUNCIL_SEATS: u32 = 8;
/// Those who take a seat that falls free.
pub const COUNCIL_RUNNERS_UP: u32 = 8;
/// Members that a body can have.
pub const BODY_MAX: u32 = 100;
