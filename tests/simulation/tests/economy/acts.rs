//! What people, machines and accidents do, drawn at random.

use crate::world::{STAKE_POOLS, VAULTS, WORKERS, World, account, delegator, owner, pool_of};
use pallet_computation as work;
use pallet_pools as pools;
use phala_economics::{FaultLevel, Ppm, Shares};
use phala_messages::{Hash, PoolId, WorkerId};
use phala_runtime::{AccountId, Computation, Pools, Runtime};
use phala_units::{PHA, Planck};
use std::collections::BTreeMap;

/// How often each thing was carried out, and refused.
pub type Tally = BTreeMap<&'static str, (u32, u32)>;

impl World {
    fn stake_pool(&mut self) -> PoolId {
        PoolId(self.dice.below(STAKE_POOLS))
    }

    fn vault(&mut self) -> PoolId {
        PoolId(STAKE_POOLS + self.dice.below(VAULTS))
    }

    fn any_pool(&mut self) -> PoolId {
        PoolId(self.dice.below(STAKE_POOLS + VAULTS))
    }

    fn holding(&mut self, pool: PoolId, who: &AccountId) -> u128 {
        self.run(|| pools::Holdings::<Runtime>::get(pool, who).unwrap_or_default().free.0)
    }

    fn free(&mut self, pool: PoolId) -> u128 {
        self.run(|| pools::Pools::<Runtime>::get(pool).map_or(0, |record| record.free.0))
    }

    /// One operation; its name, and whether it was carried out.
    pub fn act(&mut self) -> (&'static str, bool) {
        match self.dice.below(100) {
            0..50 => self.act_of_delegator(),
            50..65 => self.act_of_owner(),
            65..88 => self.act_of_operator(),
            88..98 => {
                let n = self.dice.below(u64::from(WORKERS)) as u32;
                // Every fifth worker is on a bad line.
                let reachable = n % 5 != 0 || self.dice.percent(2);
                ("answer", (0..40).any(|next| reachable && self.answered((n + next) % WORKERS)))
            }
            98 => self.fault(),
            _ => {
                let (pool, wanted) = (self.stake_pool(), Planck(self.dice.amount()));
                let before = self.run(|| Computation::on_its_way(pool));
                ("release", self.run(|| Computation::release(pool, wanted)) > before)
            }
        }
    }

    /// A pool that an account has shares of; sometimes any.
    fn own_pool(&mut self, who: &AccountId) -> PoolId {
        let own = self.run(|| pools::Positions::<Runtime>::get(who));
        match own.get(self.dice.below(own.len() as u64) as usize) {
            Some(pool) if !self.dice.percent(10) => *pool,
            _ => self.any_pool(),
        }
    }

    fn act_of_delegator(&mut self) -> (&'static str, bool) {
        let who = delegator(&mut self.dice);
        match self.dice.below(20) {
            0..10 => {
                let (pool, amount) = (self.any_pool(), Planck(self.dice.amount()));
                ("contribute", self.by(who, pools::Call::contribute { pool, amount }))
            }
            10..15 => {
                let pool = self.own_pool(&who);
                let had = self.holding(pool, &who);
                let shares = Shares(self.dice.part(had));
                ("withdraw", self.by(who, pools::Call::withdraw { pool, shares }))
            }
            15..17 => {
                let pool = self.any_pool();
                let queue: Vec<_> = self.run(|| pools::Requests::<Runtime>::iter_prefix(pool).collect());
                let queue: Vec<_> = queue.into_iter().filter(|(_, request)| request.vault.is_none()).collect();
                let Some((request, found)) = queue.get(self.dice.below(queue.len() as u64) as usize) else {
                    return ("cancel", false);
                };
                let (holder, request, shares) =
                    (found.holder.0.into(), *request, Shares(self.dice.part(found.shares.0)));
                ("cancel", self.by(holder, pools::Call::cancel_withdrawal { pool, request, shares }))
            }
            17 | 18 => {
                let pool = self.own_pool(&who);
                let had = self.holding(pool, &who);
                let (to, shares) = (delegator(&mut self.dice), Shares(self.dice.part(had)));
                ("transfer", self.by(who, pools::Call::transfer_shares { pool, to, shares }))
            }
            _ => {
                let vault = self.vault();
                ("settle", self.by(who, pools::Call::settle_vault { vault }))
            }
        }
    }

    fn act_of_owner(&mut self) -> (&'static str, bool) {
        let (vault, pool) = (self.vault(), self.stake_pool());
        match self.dice.below(6) {
            0 | 1 => {
                let free = self.free(vault);
                let amount = Planck(self.dice.part(free));
                ("invest", self.by(owner(vault), pools::Call::vault_contribute { vault, pool, amount }))
            }
            2 => {
                let had = self.holding(pool, &Pools::account(vault));
                let shares = Shares(self.dice.part(had));
                ("divest", self.by(owner(vault), pools::Call::vault_withdraw { vault, pool, shares }))
            }
            3 => {
                let (pool, rate) = (self.any_pool(), Ppm::percent(self.dice.below(101) as u8));
                ("rate", self.by(owner(pool), pools::Call::set_commission { pool, rate }))
            }
            4 => {
                let pool = self.any_pool();
                let cap = self.dice.percent(25).then(|| Planck(u128::from(self.dice.below(4_000_000)) * PHA));
                ("cap", self.by(owner(pool), pools::Call::set_cap { pool, cap }))
            }
            _ => {
                let (who, pool) = (owner(pool), self.any_pool());
                let amount = Planck(self.dice.amount());
                ("owner contributes", self.by(who, pools::Call::contribute { pool, amount }))
            }
        }
    }

    fn act_of_operator(&mut self) -> (&'static str, bool) {
        let n = self.dice.below(u64::from(WORKERS)) as u32;
        let (worker, pool) = (self.id(n), pool_of(n));
        let operator = owner(pool);
        // Mostly what a session takes, sometimes too little or too much.
        let stake = match self.dice.below(8) {
            0 => self.dice.amount(),
            _ => u128::from(2_000 + self.dice.below(20_000)) * PHA,
        };
        match self.dice.below(20) {
            0..9 => ("start", self.by(operator, work::Call::start { worker, stake })),
            9 | 10 => ("stop", self.by(operator, work::Call::stop { worker })),
            11..14 => ("restart", self.by(operator, work::Call::restart { worker, stake })),
            14 | 15 => {
                let worker = self.due().unwrap_or(worker);
                ("reclaim", self.by(account(100), work::Call::reclaim { worker }))
            }
            16 if self.dice.percent(30) => ("unbind", self.by(operator, work::Call::unbind { worker })),
            17 => {
                self.renew(n);
                ("score", self.score_anew(n))
            }
            _ => {
                let bound = self.bound(n);
                self.score_anew(n);
                ("bind", bound)
            }
        }
    }

    fn score_anew(&mut self, n: u32) -> bool {
        let score = 50 + self.dice.below(3_000) as u32;
        self.scored(n, score)
    }

    /// A worker whose stake has cooled down, and nobody has given it back yet.
    fn due(&mut self) -> Option<WorkerId> {
        self.run(|| {
            let now = phala_units::UnixMillis(phala_runtime::Timestamp::get());
            let mut all = work::Sessions::<Runtime>::iter();
            all.find(|(_, session)| session.cooling.is_some_and(|cooling| cooling.until <= now)).map(|found| found.0)
        })
    }

    /// Something that a worker signed and must not have signed.
    fn fault(&mut self) -> (&'static str, bool) {
        let n = self.dice.below(u64::from(WORKERS)) as u32;
        let worker: WorkerId = self.id(n);
        self.faults += 1;
        let level = match self.dice.below(40) {
            0 => FaultLevel::Attack,
            1..=9 => FaultLevel::Grave,
            _ => FaultLevel::Minor,
        };
        let mut name = [0; 32];
        name[..8].copy_from_slice(&self.faults.to_le_bytes());
        let harmed = self.dice.percent(50).then(|| phala_messages::Account(account(101).into()));
        let fault = work::Proven { id: Hash(name), worker, level, harmed };
        let punished = self.run(|| {
            frame_support::storage::with_storage_layer(|| Computation::punish(fault, Some(account(102)))).is_ok()
        });
        ("fault", punished)
    }
}
