//! A seeded life of 300 workers in 50 pools: whatever they do in whatever order, the books are right after every block.

use crate::{mock::*, *};
use phala_economics::FaultLevel;
use phala_messages::{Hash, PoolId};
use phala_units::{PHA, Planck};

const WORKERS: u32 = 300;
const POOLS: u64 = 50;
const OPERATIONS: u32 = 24_000;

/// Numbers that follow from a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// What succeeded.
#[derive(Debug, Default)]
struct Done {
    starts: u32,
    stops: u32,
    restarts: u32,
    heartbeats: u32,
    faults: u32,
    returns: u32,
    silences: u32,
}

fn owner_of(n: u32) -> u8 {
    10 + (u64::from(n) % POOLS) as u8
}

fn pool_of(n: u32) -> PoolId {
    PoolId(10 + u64::from(n) % POOLS)
}

fn operate(numbers: &mut Numbers, done: &mut Done, faults: &mut u64) {
    let n = numbers.below(WORKERS.into()) as u32;
    let (id, owner) = (worker(n), owner_of(n));
    let stake = (1_000 + numbers.below(20_000) as u128) * PHA;
    match numbers.below(100) {
        0..=19 => done.starts += u32::from(call(owner, Call::start { worker: id, stake }).is_ok()),
        20..=23 => done.stops += u32::from(call(owner, Call::stop { worker: id }).is_ok()),
        24..=27 => done.restarts += u32::from(call(owner, Call::restart { worker: id, stake }).is_ok()),
        28..=29 => {
            let _ = call(owner, Call::unbind { worker: id });
        }
        30..=34 => {
            if call(owner, bind_call(pool_of(n), n, owner)).is_ok() {
                let score = 50 + numbers.below(3_000) as u32;
                apply(score_call(n, score)).unwrap().unwrap();
            }
        }
        35 => {
            *faults += 1;
            let level = match numbers.below(40) {
                0 => FaultLevel::Attack,
                1..=9 => FaultLevel::Grave,
                _ => FaultLevel::Minor,
            };
            let mut name = [0; 32];
            name[..8].copy_from_slice(&faults.to_le_bytes());
            let fault = Proven { id: Hash(name), worker: id, level, harmed: None };
            let punished = frame_support::storage::with_storage_layer(|| Computation::punish(fault, Some(account(9))));
            done.faults += u32::from(punished.is_ok());
        }
        36 => {
            Computation::release(pool_of(n), Planck(stake));
        }
        37 => Hosts::serve(id, numbers.below(2) == 0),
        38 => {
            let _ = call(9, Call::reclaim { worker: id });
        }
        39 => lose_time(numbers.below(86_400_000)),
        _ => {
            // Most of those that were asked answer in good time, some late.
            for _ in 0..12 {
                let n = numbers.below(WORKERS.into()) as u32;
                let waits = Work::<Test>::get(worker(n)).is_some_and(|work| work.challenge.is_some());
                // Every fifth worker is on a bad line.
                if waits && (n % 5 != 0 || numbers.below(200) == 0) {
                    let iterations = numbers.below(1 << 40);
                    done.heartbeats +=
                        u32::from(apply(heartbeat_call(n, iterations)).is_ok_and(|applied| applied.is_ok()));
                    break;
                }
            }
        }
    }
}

#[test]
fn the_books_are_right_after_every_block_of_a_long_life() {
    run(|| {
        for pool in 0..POOLS {
            SimplePools::found(10 + pool, 10 + pool as u8);
        }
        next_block();
        for n in 0..WORKERS {
            Registered::set(worker(n), &instance(n));
            call(owner_of(n), bind_call(pool_of(n), n, owner_of(n))).unwrap();
            apply(score_call(n, 1_000)).unwrap().unwrap();
        }
        let (mut numbers, mut done, mut faults) = (Numbers(2_026), Done::default(), 0);
        let mut operations = 0;
        let mut blocks = 0u32;
        while operations < OPERATIONS {
            next_block();
            let events = System::events();
            for event in events {
                match event.event {
                    RuntimeEvent::Computation(Event::StakeReturned { .. }) => done.returns += 1,
                    RuntimeEvent::Computation(Event::WorkerSilent { .. }) => done.silences += 1,
                    _ => {}
                }
            }
            for _ in 0..1 + numbers.below(24) {
                operate(&mut numbers, &mut done, &mut faults);
                operations += 1;
            }
            blocks += 1;
            // All of it is looked at in every block at first, then in some.
            if blocks < 40 || blocks.is_multiple_of(16) {
                check();
            }
        }
        println!("{operations} operations in {blocks} blocks: {done:?}");
        let Done { starts, stops, restarts, heartbeats, faults, returns, silences } = done;
        assert!(starts > 300 && stops > 50 && restarts > 20 && faults > 20 && returns > 50, "all of it happened");
        assert!(heartbeats > 100 && silences > 20, "and workers answered, and did not");
        let accrual = Accrued::<Test>::get();
        assert!(accrual.paid <= accrual.divided && accrual.paid.0 > 0);
    });
}
