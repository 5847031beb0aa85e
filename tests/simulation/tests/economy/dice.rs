//! Numbers that follow from a seed.

use phala_units::PHA;

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// From a hundredth of a PHA to ninety thousand, and never a round number.
    pub fn amount(&mut self) -> u128 {
        let digits = self.below(7) as u32;
        (u128::from(1 + self.below(9)) * PHA / 100 * 10u128.pow(digits)).saturating_add(u128::from(self.below(1_000)))
    }

    /// A part of what there is: mostly some, sometimes all, sometimes too much.
    pub fn part(&mut self, all: u128) -> u128 {
        match self.below(8) {
            0 => all,
            1 => all.saturating_add(1),
            _ => all / 1_000 * u128::from(self.below(1_000)),
        }
    }
}
