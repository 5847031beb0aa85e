//! A stake pool and a vault in it, through seasons of rewards, slashes, comings and goings: what comes in is what goes out and what is held,
//! and nobody pays for another.

use phala_economics::*;
use phala_units::{BlockNumber, PHA, Planck};
use proptest::prelude::*;

const HOLDERS: usize = 6;

/// Everyone's shares, and what moved.
#[derive(Debug, Default)]
struct Book {
    pool: SharePool,
    shares: [u128; HOLDERS],
    owner: u128,
    came: u128,
    went: u128,
    mark: HighWater,
}

impl Book {
    fn check(&self) {
        assert_eq!(self.shares.iter().sum::<u128>() + self.owner, self.pool.shares().0);
        assert_eq!(self.came, self.went + self.pool.value().0);
        let worth = |shares: &u128| self.pool.worth(Shares(*shares)).0;
        assert!(self.shares.iter().map(worth).sum::<u128>() + worth(&self.owner) <= self.pool.value().0);
    }

    /// What each holder's shares are worth.
    fn worths(&self) -> [u128; HOLDERS] {
        self.shares.map(|shares| self.pool.worth(Shares(shares)).0)
    }

    fn contribute(&mut self, who: usize, amount: u128) {
        if let Ok(shares) = self.pool.contribute(Planck(amount)) {
            self.shares[who] += shares.0;
            self.came += amount;
            let worth = self.pool.worth(shares).0;
            assert!(amount.saturating_sub(worth) <= amount / 1_000_000, "{amount} became {worth}");
        }
    }

    fn withdraw(&mut self, who: usize, shares: u128, free: u128) {
        let asked = shares.min(self.shares[who]);
        let fill = Counter::open(&self.pool, Planck(free)).fill(Shares(asked));
        let worth = self.pool.worth(Shares(asked));
        assert!(fill.paid <= worth);
        self.pool.burn(fill.burned, fill.paid).unwrap();
        self.shares[who] -= fill.burned.0;
        self.went += fill.paid.0;
    }
}

/// (what, who, how much, how much more)
fn operations() -> impl Strategy<Value = Vec<(u8, usize, u128, u128)>> {
    let amount = || (any::<u128>(), 44u32..128).prop_map(|(n, shift)| n >> shift);
    prop::collection::vec((0u8..12, 0..HOLDERS, amount(), amount()), 0..160)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_comes_in_is_what_goes_out_and_what_is_held(operations in operations(), rate in 0u32..=PPM) {
        let mut book = Book::default();
        let rate = Ppm::new(rate).unwrap();
        for (what, who, much, more) in operations {
            let before = book.worths();
            let price = book.pool;
            let mut slashed = false;
            let mut charged = false;
            match what {
                0..=3 => book.contribute(who, much),
                4..=6 => book.withdraw(who, much, more),
                7..=8 => {
                    if book.pool.reward(Planck(much)).is_ok() {
                        book.came += much;
                    }
                }
                9..=10 => {
                    book.owner += book.mark.settle(&mut book.pool, rate).0;
                    charged = true;
                }
                _ => {
                    book.went += book.pool.slash(Planck(much)).0;
                    slashed = true;
                }
            }
            book.check();
            for (holder, (before, after)) in before.into_iter().zip(book.worths()).enumerate() {
                let leaves = (4..=6).contains(&what) && holder == who;
                prop_assert!(
                    slashed || charged || leaves || after >= before,
                    "{what} by {who} took from {holder}: {before} {after}, {price:?} {:?}", book.pool
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The owner of a vault changes its rate as it likes and collects whenever it likes; it never gets more of any gain than
    /// the rate that was in force, and known for a week, when the gain was made.
    #[test]
    fn an_owner_gets_the_rate_that_was_known(steps in prop::collection::vec((0u32..PPM, 0u128..1_000 * PHA, 0u32..400_000), 1..30)) {
        let mut vault = SharePool::new(Shares(10_000 * PHA), Planck(10_000 * PHA)).unwrap();
        let (mut mark, mut commission, mut now) = (HighWater::default(), Commission::new(Ppm::percent(5)), BlockNumber(1));
        let (mut known, mut due) = (Ppm::percent(5), 0u128);
        for (rate, gain, blocks) in steps {
            vault.reward(Planck(gain)).unwrap();
            due += commission.rate_at(now).of(Planck(gain)).0 + 1;
            let minted = mark.settle(&mut vault, commission.rate_at(now));
            prop_assert!(vault.worth(minted).0 <= due);
            due -= vault.worth(minted).0;
            let rate = Ppm::new(rate).unwrap();
            commission.change(rate, now);
            prop_assert_eq!(commission.rate_at(now), known.min(rate));
            now = now.saturating_add(blocks);
            if blocks < NOTICE_BLOCKS {
                prop_assert_eq!(commission.rate_at(now), known.min(rate));
            }
            // A rise that has come into force since counts for what is gained from then on; the chain settles when it does.
            known = commission.rate_at(now);
        }
    }

    #[test]
    fn no_number_breaks_a_pool(shares in 0u128..=1 << 120, value in 0u128..=1 << 120, much in any::<u128>(), more in any::<u128>(), mark in any::<u128>()) {
        let pool = SharePool::new(Shares(shares), Planck(value)).unwrap();
        let mut one = pool;
        let _ = one.contribute(Planck(much));
        let _ = one.reward(Planck(more));
        let _ = one.slash(Planck(much));
        let _ = one.burn(Shares(much), Planck(more));
        let mut counter = Counter::open(&one, Planck(more));
        let fill = counter.fill(Shares(much));
        prop_assert_eq!(fill.burned.0 + fill.left.0, much);
        let _ = HighWater(Fixed::from_bits(mark)).settle(&mut one, Ppm::new((much % 1_000_001) as u32).unwrap());
        prop_assert!(one.shares() <= SHARES_MAX && one.value() <= POOL_VALUE_MAX);
    }
}
