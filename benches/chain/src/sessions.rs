//! What sessions and pools cost while so many workers compute.

use crate::row;
use frame_support::{traits::Hooks, weights::Weight};
use pallet_computation as work;
use pallet_pools as pools;
use phala_economics::{Ppm, Shares, WorkRules};
use phala_messages::{PoolId, WorkerId, limits::POOL_WORKERS_MAX};
use phala_runtime::{AccountId, Computation, Pools, Runtime, System};
use phala_simulation::economy::{Economy, account};
use phala_units::{PHA, Planck};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How often each thing is done.
const TIMES: u32 = 100;
const STAKE: u128 = 10_000 * PHA;
/// What is left of a block that nobody fills.
const ROOM: Weight = Weight::from_parts(500_000_000_000, 4_000_000);

fn middle(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn timed<T>(times: &mut Vec<Duration>, act: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = act();
    times.push(began.elapsed());
    done
}

/// Whose a pool is: an account has shares of a few pools only.
fn owner(pool: u64) -> AccountId {
    account(10_000 + pool)
}

/// A chain on which so many workers compute.
fn found(workers: u32) -> (Economy, u64) {
    let mut chain = Economy::new(workers);
    let count = u64::from(workers.div_ceil(POOL_WORKERS_MAX));
    for id in 0..count {
        let amount = Planck((STAKE + PHA) * u128::from(POOL_WORKERS_MAX));
        chain.endow(owner(id), amount.0 + 1_000 * PHA);
        assert!(chain.by(owner(id), pools::Call::create_stake_pool { commission: Ppm::percent(5) }));
        let given = chain.tried(owner(id), pools::Call::contribute { pool: PoolId(id), amount });
        assert_eq!(given, Ok(()), "pool {id} has stake");
    }
    chain.end(ROOM);
    chain.begin(2, 2);
    for n in 0..workers {
        let pool = u64::from(n / POOL_WORKERS_MAX);
        chain.admit(n);
        assert!(chain.bind(n, PoolId(pool), owner(pool)));
        let score = chain.score(n, 1_500);
        assert!(chain.said(score));
        let worker = chain.id(n);
        let started = chain.tried(owner(pool), work::Call::start { worker, stake: STAKE });
        assert_eq!(started, Ok(()), "worker {n} computes");
        if n % 1_000 == 999 {
            chain.settle();
        }
    }
    chain.settle();
    (chain, count)
}

/// Measures with so many sessions.
pub fn measure(workers: u32) -> Vec<Value> {
    let (mut chain, pool_count) = found(workers);
    let (mut begins, mut beats, mut gives, mut takes, mut sweeps) = (vec![], vec![], vec![], vec![], vec![]);
    let rich = account(2);
    chain.endow(rich.clone(), 100_000_000 * PHA);
    let mut answered = 0;
    let mut number = 2;
    while beats.len() < TIMES as usize && number < 5_000 {
        chain.end(ROOM);
        number += 1;
        timed(&mut begins, || chain.begin(number, u64::from(number) * 0x9e37_79b9));
        let waiting: Vec<u32> = (0..workers)
            .filter(|n| {
                let id = chain.id(*n);
                chain.run(|| work::Work::<Runtime>::get(id)).is_some_and(|record| record.challenge.is_some())
            })
            .take(TIMES as usize)
            .collect();
        for n in waiting {
            let Some(answer) = chain.answer(n) else { continue };
            assert!(timed(&mut beats, || chain.said(answer)), "it is answered in time");
            answered += 1;
        }
        chain.settle();
    }
    assert!(answered > 0, "somebody was asked");
    let mut settles = vec![];
    for n in 0..TIMES.min(workers) {
        let id = chain.id(n);
        timed(&mut settles, || chain.run(|| settle(&id)));
    }
    for turn in 0..TIMES {
        let pool = PoolId(u64::from(turn) % pool_count.min(8));
        let amount = Planck(1_000 * PHA + u128::from(turn));
        assert!(timed(&mut gives, || chain.by(rich.clone(), pools::Call::contribute { pool, amount })));
        let shares = Shares(100 * PHA);
        assert!(timed(&mut takes, || chain.by(rich.clone(), pools::Call::withdraw { pool, shares })));
        // More than is free: it waits, and the sweep of the next block looks at it.
        let all = chain.run(|| pools::Holdings::<Runtime>::get(pool, &rich)).unwrap_or_default().free;
        assert!(chain.by(rich.clone(), pools::Call::withdraw { pool, shares: all }));
        timed(&mut sweeps, || chain.run(|| Pools::on_idle(System::block_number(), ROOM)));
        chain.settle();
    }
    let name = |what: &str| format!("{what}, {workers} sessions");
    let (begin, beat) = (middle(begins), middle(beats));
    let mut rows = vec![
        row(&name("a heartbeat"), "seconds", beat, None),
        row(&name("settling a session"), "seconds", middle(settles), None),
        row(&name("a block's own work"), "seconds", begin, None),
        row(&name("contribute"), "seconds", middle(gives), None),
        row(&name("withdraw"), "seconds", middle(takes), None),
        row(&name("a sweep"), "seconds", middle(sweeps), None),
    ];
    rows.push(row(&name("share of a block's weight"), "share", share_of_weight(&mut chain), None));
    rows
}

/// Brings what a session is worth up to this block, as its heartbeat does.
fn settle(worker: &WorkerId) {
    let Some(mut record) = work::Sessions::<Runtime>::get(worker) else { return };
    let tariff = work::Tariff::<Runtime>::get();
    let now = phala_units::BlockNumber(System::block_number());
    record.worth.settle(&tariff, now);
    std::hint::black_box(record);
}

/// What of a block's weight answers and a block's own work take, when as many are asked as the rules say.
fn share_of_weight(chain: &mut Economy) -> f64 {
    let beat = chain.run(|| {
        use work::WeightInfo as _;
        <Runtime as work::Config>::WeightInfo::heartbeat()
    });
    let own = chain.run(|| Computation::on_initialize(System::block_number()));
    let asked = u64::from(WorkRules::DEFAULT.challenges);
    let all = beat.saturating_mul(asked).saturating_add(own);
    let block = <Runtime as frame_system::Config>::BlockWeights::get().max_block;
    all.ref_time() as f64 / block.ref_time() as f64
}
