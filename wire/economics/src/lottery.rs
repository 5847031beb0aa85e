//! Who is asked for a sign of life in a block.
//!
//! Each block draws some workers by the chain's randomness; whoever is drawn has to answer within a window, and is paid when it does. How many
//! are drawn bounds the chain's work per block, however many workers there are.
//!
//! Two ways lead there. [`target`] and [`is_hit`] are the original's: a worker finds out by itself, by its key, and the chain would have to
//! try every worker to know who was drawn. [`draw`] turns it around: the chain draws places in its list of workers, so that its work is
//! as many steps as there are challenges.
//!
//! # Properties
//! - On average `expected` workers are drawn per block, and no worker more often than twice an hour, by both ways.
//! - The same seed and count draw the same workers anywhere.

use phala_messages::WorkerId;
use primitive_types::U256;
use sp_crypto_hashing::blake2_256;

/// How often a worker is drawn at most, per hour, on average, on the network that counts.
pub const CHALLENGES_PER_HOUR: u32 = 2;
/// The most often that governance can ask one worker, per hour: in every second block of two seconds.
pub const CHALLENGES_PER_HOUR_MAX: u32 = 900;
/// Most challenges a block may have: what governance can ask for.
pub const CHALLENGES_MAX: u32 = 256;

/// What [`draw`] hashes begins with this, so that no other use of the same randomness gives the same numbers.
const DOMAIN: &[u8; 16] = b"phala/lottery/1\0";

const MS_PER_HOUR: u64 = 3_600_000;

/// How many workers of `online` are drawn in a block, on average, where the network asks for `wanted`.
///
/// # Shape A number with 32 bits behind the binary point.
/// # Units Workers per block.
/// # Rounding Down.
/// # Source The original's rule: min(wanted, 2 × online / blocks per hour).
fn expected(wanted: u32, per_hour: u32, online: u32, block_ms: u32) -> u64 {
    let blocks_per_hour = MS_PER_HOUR.checked_div(block_ms.into()).unwrap_or(MS_PER_HOUR).max(1);
    let per_hour = per_hour.min(CHALLENGES_PER_HOUR_MAX);
    let by_the_hour = u128::from(u64::from(online).saturating_mul(u64::from(per_hour))) << 32;
    let wanted = u128::from(wanted.min(CHALLENGES_MAX)) << 32;
    // Not more than `wanted`, which is small.
    wanted.min(by_the_hour.checked_div(blocks_per_hour.into()).unwrap_or(0)) as u64
}

/// The number that a worker's hash, mixed with the seed, must not be above in order to be drawn ([`is_hit`]); zero without workers.
///
/// # Shape Big-endian.
/// # Rounding Down, as the original's 32-bit fixed point does: its numbers come out exactly.
pub fn target(wanted: u32, per_hour: u32, online: u32, block_ms: u32) -> [u8; 32] {
    let Some(each) = expected(wanted, per_hour, online, block_ms).checked_div(online.into()) else { return [0; 32] };
    // 24 of the 32 bits behind the point.
    (U256::MAX >> 24).saturating_mul(U256::from(each >> 8)).to_big_endian()
}

/// Whether `worker` is drawn in the block with this seed.
pub fn is_hit(worker: &WorkerId, seed: &[u8; 32], target: &[u8; 32]) -> bool {
    let mut mixed = blake2_256(&worker.0);
    for (byte, seed) in mixed.iter_mut().zip(seed) {
        *byte ^= seed;
    }
    mixed <= *target
}

/// The places, in a list of `online` workers, that are drawn in the block with this seed; a place may be drawn twice.
///
/// # Invariant Every place is below `online`; there are at most [`CHALLENGES_MAX`].
pub fn draw(seed: [u8; 32], wanted: u32, per_hour: u32, online: u32, block_ms: u32) -> impl Iterator<Item = u32> {
    let expected = expected(wanted, per_hour, online, block_ms);
    // A part of a challenge is one challenge in that part of the blocks.
    let by_chance = hash(&seed, u32::MAX) & u64::from(u32::MAX) < expected & u64::from(u32::MAX);
    let count = (expected >> 32) as u32 + u32::from(by_chance);
    (0..count.min(CHALLENGES_MAX)).filter_map(move |n| {
        // 64 bits over at most 32: the first places are likelier by less than 2⁻³².
        hash(&seed, n).checked_rem(online.into()).map(|place| place as u32)
    })
}

/// The `n`th number of a seed.
fn hash(seed: &[u8; 32], n: u32) -> u64 {
    let mut preimage = [0u8; 52];
    let (domain, rest) = preimage.split_at_mut(DOMAIN.len());
    domain.copy_from_slice(DOMAIN);
    let (middle, end) = rest.split_at_mut(seed.len());
    middle.copy_from_slice(seed);
    end.copy_from_slice(&n.to_le_bytes());
    let [a, b, c, d, e, f, g, h, ..] = blake2_256(&preimage);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_original_networks() {
        let decimal = |online| U256::from_big_endian(&target(20, CHALLENGES_PER_HOUR, online, 12_000)).to_string();
        assert_eq!(decimal(20), "771946525395830978497002573683960742805751636319313395421818009383503547160");
        assert_eq!(decimal(200_000), "11574228623567775471528085581038571683760509746329738253007553123311417715");
    }

    #[test]
    fn without_workers_nobody_is_drawn() {
        assert_eq!(target(20, CHALLENGES_PER_HOUR, 0, 2_000), [0; 32]);
        assert_eq!(draw([7; 32], 20, CHALLENGES_PER_HOUR, 0, 2_000).count(), 0);
        assert_eq!(draw([7; 32], 0, CHALLENGES_PER_HOUR, 1_000, 2_000).count(), 0);
    }

    #[test]
    fn as_many_are_drawn_as_the_network_asks_for() {
        // 100,000 workers: 20 a block are less than two an hour of each.
        let mut drawn = 0;
        for block in 0u32..200 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&block.to_le_bytes());
            let places: Vec<u32> = draw(seed, 20, CHALLENGES_PER_HOUR, 100_000, 2_000).collect();
            assert!(places.iter().all(|place| *place < 100_000));
            drawn += places.len();
        }
        assert_eq!(drawn, 4_000);
    }

    #[test]
    fn few_workers_are_drawn_twice_an_hour() {
        let hours = 100;
        let mut drawn = [0u32; 9];
        for block in 0u32..hours * 1_800 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&block.to_le_bytes());
            for place in draw(seed, 20, CHALLENGES_PER_HOUR, 9, 2_000) {
                drawn[place as usize] += 1;
            }
        }
        // Each about 200 times; 60 more or less are four standard deviations.
        assert!(drawn.iter().all(|times| times.abs_diff(2 * hours) < 60), "{drawn:?}");
    }

    #[test]
    fn a_hit_is_as_likely_as_the_target_says() {
        let target = target(20, CHALLENGES_PER_HOUR, 20, 12_000);
        let mut hits = 0;
        for worker in 0u32..20_000 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&worker.to_le_bytes());
            hits += u32::from(is_hit(&WorkerId(id), &[0x5a; 32], &target));
        }
        // 1 in 150: about 133.
        assert!((90..180).contains(&hits), "{hits}");
        assert!(is_hit(&WorkerId([1; 32]), &[2; 32], &[0xff; 32]));
        assert!(!is_hit(&WorkerId([1; 32]), &[2; 32], &[0; 32]));
    }

    #[test]
    fn what_is_asked_for_is_bounded() {
        assert_eq!(draw([1; 32], CHALLENGES_MAX, CHALLENGES_PER_HOUR, u32::MAX, 2_000).count(), 256);
        assert_eq!(draw([1; 32], CHALLENGES_MAX + 1, CHALLENGES_PER_HOUR, u32::MAX, 2_000).count(), 256);
        for block_ms in [0, 1, 600_000, u32::MAX] {
            assert!(draw([1; 32], u32::MAX, CHALLENGES_PER_HOUR, u32::MAX, block_ms).count() <= 256);
            let _ = target(u32::MAX, u32::MAX, u32::MAX, block_ms);
        }
    }
}
