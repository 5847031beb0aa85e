//! What a queue of withdrawals is paid, out of what a pool has free.
//!
//! Most of a pool's value is staked on workers. What lies free is paid out in the order in which people asked; the first who cannot be paid
//! whole is paid in part, and stays first.

use crate::{DUST_MAX, SharePool, Shares};
use phala_units::Planck;

/// One price for all who are paid at the same time, and what is left to pay them with.
///
/// # Invariant Applying the fills ([`SharePool::burn`]) in any order never lowers the price of the shares that stay.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    price: SharePool,
    free: Planck,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Shares that are destroyed.
    pub burned: Shares,
    /// What is paid for them.
    pub paid: Planck,
    /// Shares that stay in the queue.
    pub left: Shares,
}

impl Counter {
    /// Pays out at the price that `pool` has now, from `free`.
    pub fn open(pool: &SharePool, free: Planck) -> Self {
        Self { price: *pool, free: free.min(pool.value()) }
    }

    /// What is left to pay with.
    pub const fn free(&self) -> Planck {
        self.free
    }

    /// Pays `requested` shares, as far as what is free goes.
    ///
    /// # Rounding The payment down, the shares burned for a part of it up: against who leaves, in both.
    /// # Invariant `burned + left == requested`; `paid` is at most the worth of `burned`, and at most what was free.
    ///
    /// What would stay in the queue and is worth no more than dust is burned with the rest, and a payment of dust waits. The
    /// shares of a bankrupt pool are burned for nothing.
    pub fn fill(&mut self, requested: Shares) -> Fill {
        let nothing = Fill { burned: Shares(0), paid: Planck(0), left: requested };
        let worth = self.price.worth(requested);
        if worth <= DUST_MAX {
            return Fill { burned: requested, left: Shares(0), ..nothing };
        }
        if worth <= self.free {
            self.free = Planck(self.free.0.saturating_sub(worth.0));
            return Fill { burned: requested, paid: worth, left: Shares(0) };
        }
        if self.free <= DUST_MAX {
            return nothing;
        }
        let paid = self.free;
        let mut burned = self.price.shares_for(paid).min(requested);
        let mut left = Shares(requested.0.saturating_sub(burned.0));
        if self.price.worth(left) <= DUST_MAX {
            (burned, left) = (requested, Shares(0));
        }
        self.free = Planck(0);
        Fill { burned, paid, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;
    use proptest::prelude::*;

    fn pool(shares: u128, value: u128) -> SharePool {
        SharePool::new(Shares(shares), Planck(value)).unwrap()
    }

    #[test]
    fn who_cannot_be_paid_whole_is_paid_in_part() {
        // Ten thousand shares at 1.25; 1,500 PHA free; requests of 1,000 and 500 shares.
        let mut pool = pool(10_000 * PHA, 12_500 * PHA);
        let mut counter = Counter::open(&pool, Planck(1_500 * PHA));
        let first = counter.fill(Shares(1_000 * PHA));
        assert_eq!(first, Fill { burned: Shares(1_000 * PHA), paid: Planck(1_250 * PHA), left: Shares(0) });
        let second = counter.fill(Shares(500 * PHA));
        assert_eq!(second, Fill { burned: Shares(200 * PHA), paid: Planck(250 * PHA), left: Shares(300 * PHA) });
        let third = counter.fill(Shares(PHA));
        assert_eq!(third, Fill { burned: Shares(0), paid: Planck(0), left: Shares(PHA) });
        for fill in [first, second, third] {
            pool.burn(fill.burned, fill.paid).unwrap();
        }
        assert_eq!(pool.price(), crate::Fixed::from_ratio(5, 4));
    }

    #[test]
    fn dust_is_not_paid_and_does_not_wait() {
        let pool = pool(10_000, 10_000);
        let fill = |free, shares| Counter::open(&pool, Planck(free)).fill(Shares(shares));
        // A request of dust is burned, at the limit; one past it is paid.
        assert_eq!(fill(5_000, 1_000), Fill { burned: Shares(1_000), paid: Planck(0), left: Shares(0) });
        assert_eq!(fill(5_000, 1_001), Fill { burned: Shares(1_001), paid: Planck(1_001), left: Shares(0) });
        // A payment of dust waits; one past it is made.
        assert_eq!(fill(1_000, 5_000), Fill { burned: Shares(0), paid: Planck(0), left: Shares(5_000) });
        assert_eq!(fill(1_001, 5_000), Fill { burned: Shares(1_001), paid: Planck(1_001), left: Shares(3_999) });
        // Dust that would stay in the queue is burned.
        assert_eq!(fill(4_000, 5_000), Fill { burned: Shares(5_000), paid: Planck(4_000), left: Shares(0) });
        assert_eq!(fill(3_999, 5_000), Fill { burned: Shares(3_999), paid: Planck(3_999), left: Shares(1_001) });
    }

    #[test]
    fn nobody_waits_for_a_bankrupt_pool() {
        let mut bankrupt = pool(10_000 * PHA, 900);
        let fill = Counter::open(&bankrupt, Planck(0)).fill(Shares(10_000 * PHA));
        assert_eq!(fill, Fill { burned: Shares(10_000 * PHA), paid: Planck(0), left: Shares(0) });
        bankrupt.burn(fill.burned, fill.paid).unwrap();
        assert_eq!(bankrupt.shares(), Shares(0));
    }

    proptest! {
        #[test]
        fn whoever_leaves_those_who_stay_lose_nothing(
            shares in 1u128..1 << 100,
            value in 0u128..1 << 100,
            free in any::<u128>(),
            parts in prop::collection::vec(0u128..1 << 98, 1..12),
        ) {
            let mut pool = pool(shares, value);
            let mut counter = Counter::open(&pool, Planck(free));
            let (mut paid, mut asked) = (0, 0);
            let mut fills = Vec::new();
            for part in parts {
                let requested = Shares(part.min(shares - asked));
                asked += requested.0;
                let fill = counter.fill(requested);
                prop_assert_eq!(fill.burned.0 + fill.left.0, requested.0);
                paid += fill.paid.0;
                fills.push(fill);
            }
            prop_assert!(paid <= free.min(value));
            prop_assert_eq!(counter.free().0, free.min(value) - paid);
            for fill in fills {
                let before = pool;
                pool.burn(fill.burned, fill.paid).unwrap();
                let stays = pool.shares();
                prop_assert!(pool.worth(stays) >= before.worth(stays));
            }
            prop_assert_eq!(pool.value().0 + paid, value);
        }
    }
}
