//! The runtime, block after block, with its pools and its computation, and machines that are admitted without evidence.

use crate::dice::Dice;
use frame_support::{
    traits::{Authorize, Hooks, fungible::Mutate},
    weights::Weight,
};
use pallet_computation as work;
use pallet_pools as pools;
use phala_economics::{PoolKind, Ppm, Shares};
use phala_messages::{
    Account, Attested, BlockHash, BlockRef, GenesisHash, Hash, InstanceKey, PoolId, Registration, Role, Root,
    TcbStatus, Tee, TransportKey, WorkerId, WorkerRecord,
    computation::{Heartbeat, ScoreReport, WorkConsent},
    custody::{CustodyMessage, Signed},
};
use phala_runtime::{AccountId, Balances, Computation, Pools, Runtime, RuntimeCall, RuntimeOrigin, System, token};
use phala_units::{BlockNumber, PHA, UnixMillis};
use sp_core::{H256, Pair, ed25519};
use sp_runtime::{BuildStorage, traits::Dispatchable, transaction_validity::TransactionSource};
use std::collections::BTreeMap;

pub const STAKE_POOLS: u64 = 50;
pub const VAULTS: u64 = 10;
pub const WORKERS: u32 = 300;
pub const DELEGATORS: u64 = 150;
pub const DAY_BLOCKS: u32 = 43_200;
const BLOCK_MS: u64 = 2_000;
const START_MS: u64 = 1_700_000_000_000;
const GENESIS: GenesisHash = GenesisHash([7; 32]);

/// Owners of pools come first, then those who only give.
pub fn account(n: u64) -> AccountId {
    let mut bytes = [0xac; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes.into()
}

/// Who owns a pool: six pools each.
pub fn owner(pool: PoolId) -> AccountId {
    account(pool.0 / 6)
}

pub fn delegator(dice: &mut Dice) -> AccountId {
    account(100 + dice.below(DELEGATORS))
}

/// The pool that a worker works for.
pub fn pool_of(n: u32) -> PoolId {
    PoolId(u64::from(n) % STAKE_POOLS)
}

/// Keys of a worker: its identity and its process.
#[derive(Clone)]
struct Keys {
    identity: ed25519::Pair,
    instance: ed25519::Pair,
}

fn keys(n: u32) -> Keys {
    let pair = |kind: u8| {
        let mut seed = [kind; 32];
        seed[..4].copy_from_slice(&n.to_le_bytes());
        ed25519::Pair::from_seed(&seed)
    };
    Keys { identity: pair(1), instance: pair(2) }
}

fn hash_of(number: u32) -> H256 {
    H256::from_low_u64_be(number.into())
}

pub struct World {
    pub dice: Dice,
    workers: Vec<Keys>,
    issued: u128,
    lost_ms: u64,
    /// The block of the last slash: whoever waits, waits from then on, for what was to pay for it is gone.
    slashed: u32,
    pub faults: u64,
    chain: sp_io::TestExternalities,
}

impl World {
    pub fn new(dice: Dice) -> Self {
        let storage = frame_system::GenesisConfig::<Runtime>::default().build_storage().unwrap();
        let mut world = Self {
            dice,
            workers: (0..WORKERS).map(keys).collect(),
            issued: 0,
            lost_ms: 0,
            slashed: 0,
            faults: 0,
            chain: sp_io::TestExternalities::new(storage),
        };
        world.run(|| {
            frame_system::BlockHash::<Runtime>::insert(0, H256(GENESIS.0));
            for n in (0..10).chain(100..100 + DELEGATORS) {
                Balances::mint_into(&account(n), 2_000_000 * PHA).unwrap();
            }
            Balances::mint_into(&token::pot(token::REWARDS), 700_000_000 * PHA).unwrap();
            Balances::mint_into(&token::TreasuryAccount::get(), PHA).unwrap();
        });
        world.begin(1);
        for id in 0..STAKE_POOLS + VAULTS {
            let (pool, commission) = (PoolId(id), Ppm::percent(world.dice.below(50) as u8));
            let call = match id < STAKE_POOLS {
                true => pools::Call::create_stake_pool { commission },
                false => pools::Call::create_vault { commission },
            };
            assert!(world.by(owner(pool), call), "the pool is founded");
        }
        world.block(Weight::MAX);
        for n in 0..WORKERS {
            world.admit(n);
            assert!(world.bind(n), "the worker is bound");
            assert!(world.score(n, 1_000), "its score is taken");
        }
        world.issued = world.run(Balances::total_issuance);
        world
    }

    /// Looks at the chain, or changes it.
    pub fn run<T>(&mut self, act: impl FnOnce() -> T) -> T {
        self.chain.execute_with(act)
    }

    /// Lets an account make a call; whether it was carried out.
    pub fn by(&mut self, who: AccountId, call: impl Into<RuntimeCall>) -> bool {
        let call = call.into();
        self.run(|| call.dispatch(RuntimeOrigin::signed(who)).is_ok())
    }

    /// Lets a machine say something that carries its own authority; whether it was carried out.
    fn said(&mut self, call: work::Call<Runtime>) -> bool {
        self.run(|| {
            let authority = call.authorize(TransactionSource::InBlock).expect("it carries its own");
            let origin = RuntimeOrigin::from(frame_system::Origin::<Runtime>::Authorized);
            authority.is_ok() && RuntimeCall::from(call).dispatch(origin).is_ok()
        })
    }

    pub fn id(&self, n: u32) -> WorkerId {
        WorkerId(self.workers[n as usize].identity.public().0)
    }

    fn signed<M: CustodyMessage>(message: M, by: &ed25519::Pair) -> Signed<M> {
        let signature = by.sign(&message.signing_hash(&GENESIS).0).0;
        Signed { message, signature }
    }

    fn admit(&mut self, n: u32) {
        let Keys { identity, instance } = &self.workers[n as usize];
        let record = WorkerRecord {
            registration: Registration {
                worker: WorkerId(identity.public().0),
                instance: InstanceKey(instance.public().0),
                transport: TransportKey([3; 32]),
                role: Role::Worker,
                endpoint: Default::default(),
            },
            attested: Attested {
                tee: Tee::Tdx,
                root: Root::Intel,
                tcb: TcbStatus::UpToDate,
                measurement: Hash([0x57; 32]),
            },
            admitted_block: BlockNumber(1),
            admitted_at: UnixMillis(START_MS),
            expires_at: UnixMillis(u64::MAX),
        };
        let worker = record.registration.worker;
        self.run(|| {
            pallet_registry::Measurements::<Runtime>::insert(Role::Worker, Hash([0x57; 32]), ());
            pallet_registry::Workers::<Runtime>::insert(worker, record);
        });
    }

    /// Binds a worker to its pool.
    pub fn bind(&mut self, n: u32) -> bool {
        let (pool, worker) = (pool_of(n), self.id(n));
        let operator = owner(pool);
        let consent = WorkConsent { worker, operator: Account(operator.clone().into()) };
        let consent = Self::signed(consent, &self.workers[n as usize].identity).signature;
        self.by(operator, work::Call::bind { pool, worker, consent })
    }

    /// A worker's score.
    pub fn score(&mut self, n: u32, score: u32) -> bool {
        let number = self.run(System::block_number).saturating_sub(1);
        let block = BlockRef { number: BlockNumber(number), hash: BlockHash(hash_of(number).0) };
        let report = ScoreReport { worker: self.id(n), score, block };
        let report = Self::signed(report, &self.workers[n as usize].instance);
        self.said(work::Call::report_score { report })
    }

    /// A worker answers what it was asked, if it was.
    pub fn answer(&mut self, n: u32) -> bool {
        let worker = self.id(n);
        let asked = self.run(|| {
            let record = work::Work::<Runtime>::get(worker)?;
            Some((record.session?, record.challenge?.block, System::block_number()))
        });
        let Some((session, challenge, now)) = asked else { return false };
        let iterations = u64::from(now).saturating_mul(1_000);
        let heartbeat = Heartbeat { worker, session, challenge, iterations };
        let heartbeat = Self::signed(heartbeat, &self.workers[n as usize].instance);
        self.said(work::Call::heartbeat { heartbeat })
    }

    fn begin(&mut self, number: u32) {
        let time = START_MS + u64::from(number) * BLOCK_MS + self.lost_ms;
        let chance = self.dice.next();
        self.run(|| {
            System::reset_events();
            System::set_block_number(number);
            if number > 1 {
                frame_system::BlockHash::<Runtime>::insert(number - 1, hash_of(number - 1));
            }
            pallet_timestamp::Now::<Runtime>::put(time);
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&chance.to_le_bytes());
            pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(seed));
            Pools::on_initialize(number);
            Computation::on_initialize(number);
        });
    }

    /// Ends the block with so much room left, and begins the next.
    pub fn block(&mut self, room: Weight) {
        let number = self.run(|| {
            let number = System::block_number();
            let used = Computation::on_idle(number, room);
            assert!(used.all_lte(room), "computation keeps to the room it was given");
            let rest = room.saturating_sub(used);
            let used = Pools::on_idle(number, rest);
            assert!(used.all_lte(rest), "pools keep to the room they were given");
            number
        });
        self.begin(number + 1);
    }

    /// One block, or a leap. Most blocks have room, some have little, some none.
    pub fn pass(&mut self) {
        let room = Weight::from_parts(500_000_000_000, 4_000_000);
        match self.dice.below(24) {
            0..4 => self.block(Weight::zero()),
            4 | 5 => self.block(Weight::from_parts(2_000_000_000, 100_000)),
            6 => {
                // The chain stood still.
                self.lost_ms += self.dice.below(86_400_000);
                self.block(room);
            }
            7 => {
                // Hours in which nobody does anything but answer.
                let until = self.run(System::block_number) + self.dice.below(u64::from(DAY_BLOCKS)) as u32;
                self.leap(until);
            }
            _ => self.block(room),
        }
    }

    /// Goes to a block far ahead, with a few blocks on the way.
    fn leap(&mut self, until: u32) {
        let room = Weight::from_parts(500_000_000_000, 4_000_000);
        let now = self.run(System::block_number);
        let steps = 8.min(until.saturating_sub(now));
        for step in 1..=steps {
            let number = now + (until - now) / steps * step;
            self.begin(number);
            for n in 0..WORKERS {
                self.answer(n);
            }
            self.block(room);
        }
    }

    pub fn note_slash(&mut self) {
        self.slashed = self.run(System::block_number);
    }

    /// What must hold after every block.
    pub fn check(&mut self) {
        let issued = self.issued;
        self.run(|| {
            Pools::do_try_state().expect("the books of pools balance");
            Computation::do_try_state().expect("the books of computation balance");
            assert_eq!(Balances::total_issuance(), issued, "no PHA is made or lost");
            let mut at_work: BTreeMap<PoolId, u128> = BTreeMap::new();
            for record in work::Sessions::<Runtime>::iter_values() {
                *at_work.entry(record.pool).or_default() += record.stake.0;
            }
            for (id, record) in pools::Pools::<Runtime>::iter() {
                let staked = at_work.get(&id).copied().unwrap_or_default();
                assert_eq!(record.at_work.0, staked, "{id}: what is at work is what sessions have");
                let worth = record.ledger.worth(record.ledger.shares());
                assert!(worth.0 <= record.free.0 + record.at_work.0 + invested(id), "{id}: no share is worth more than there is");
            }
        });
    }

    /// Everybody asks for everything back, and gets it in the time that is promised.
    pub fn everybody_leaves(&mut self) {
        let all: Vec<_> = self.run(|| pools::Holdings::<Runtime>::iter().collect());
        for (pool, who, holding) in all {
            let is_vault = self.run(|| pools::PoolAccounts::<Runtime>::contains_key(&who));
            if holding.free > Shares(0) && !is_vault {
                assert!(self.by(who, pools::Call::withdraw { pool, shares: holding.free }), "whoever has shares may go");
            }
        }
        let now = self.run(System::block_number);
        for day in 1..=22 {
            self.leap(now + day * DAY_BLOCKS);
            self.check();
        }
        self.run(|| {
            for (pool, who, holding) in pools::Holdings::<Runtime>::iter() {
                let record = pools::Pools::<Runtime>::get(pool).unwrap();
                let is_vault = pools::PoolAccounts::<Runtime>::contains_key(&who);
                let is_owner = record.kind == PoolKind::Vault && who == owner(pool);
                assert!(is_vault || is_owner, "{who} could not leave {pool}: {holding:?}, {record:?}");
            }
        });
    }
}

/// What a vault has in stake pools.
fn invested(vault: PoolId) -> u128 {
    let who = Pools::account(vault);
    let pools = pools::Positions::<Runtime>::get(&who);
    let worth = |pool: &PoolId| {
        let holding = pools::Holdings::<Runtime>::get(pool, &who).unwrap_or_default();
        let ledger = pools::Pools::<Runtime>::get(pool).map(|record| record.ledger).unwrap_or_default();
        ledger.worth(holding.free).0 + ledger.worth(holding.queued).0
    };
    // Each part is rounded down by itself.
    pools.iter().map(|pool| worth(pool) + 2).sum()
}
