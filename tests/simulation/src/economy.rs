//! An economy in one process: the runtime with its pools and its computation, people, and machines that are admitted without
//! evidence. What they say is signed, authorised and dispatched as on a network.

use frame_support::{
    traits::{Authorize, Hooks, fungible::Mutate},
    weights::Weight,
};
use pallet_computation as work;
use phala_messages::{
    Account, Attested, BlockHash, BlockRef, GenesisHash, Hash, InstanceKey, PoolId, Registration, Role, Root,
    TcbStatus, Tee, TransportKey, WorkerId, WorkerRecord,
    computation::{Heartbeat, ScoreReport, WorkConsent},
    custody::{CustodyMessage, Signed},
};
use phala_runtime::{AccountId, Balances, Computation, Pools, Runtime, RuntimeCall, RuntimeOrigin, System, token};
use phala_units::{BlockNumber, PHA, UnixMillis};
use sp_core::{H256, Pair, ed25519};
use sp_runtime::{BuildStorage, DispatchError, traits::Dispatchable, transaction_validity::TransactionSource};

/// Milliseconds between blocks.
pub const BLOCK_MS: u64 = 2_000;
const START_MS: u64 = 1_700_000_000_000;
const GENESIS: GenesisHash = GenesisHash([7; 32]);
const CODE: Hash = Hash([0x57; 32]);

/// An account by number.
pub fn account(n: u64) -> AccountId {
    let mut bytes = [0xac; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes.into()
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

fn signed<M: CustodyMessage>(message: M, by: &ed25519::Pair) -> Signed<M> {
    let signature = by.sign(&message.signing_hash(&GENESIS).0).0;
    Signed { message, signature }
}

/// The chain, and the keys of its workers.
pub struct Economy {
    workers: Vec<Keys>,
    /// Time without blocks, so far.
    pub lost_ms: u64,
    chain: sp_io::TestExternalities,
}

impl Economy {
    /// A chain at its first block, with so many workers that nobody has admitted yet.
    pub fn new(workers: u32) -> Self {
        let storage = frame_system::GenesisConfig::<Runtime>::default().build_storage().expect("an empty genesis");
        let workers = (0..workers).map(keys).collect();
        let mut new = Self { workers, lost_ms: 0, chain: sp_io::TestExternalities::new(storage) };
        new.run(|| {
            frame_system::BlockHash::<Runtime>::insert(0, H256(GENESIS.0));
            pallet_registry::Measurements::<Runtime>::insert(Role::Worker, CODE, ());
        });
        new.endow(token::pot(token::REWARDS), 700_000_000 * PHA);
        new.endow(token::TreasuryAccount::get(), PHA);
        new.begin(1, 0);
        new
    }

    /// Gives an account new PHA.
    pub fn endow(&mut self, who: AccountId, amount: u128) {
        self.run(|| Balances::mint_into(&who, amount)).expect("there is room for it");
    }

    /// Looks at the chain, or changes it.
    pub fn run<T>(&mut self, act: impl FnOnce() -> T) -> T {
        self.chain.execute_with(act)
    }

    /// Writes what was changed to the trie below: from now on it is read as an older block's state is.
    pub fn settle(&mut self) {
        self.chain.commit_all().expect("changes can be written");
    }

    /// Lets an account make a call; whether it was carried out.
    pub fn by(&mut self, who: AccountId, call: impl Into<RuntimeCall>) -> bool {
        self.tried(who, call).is_ok()
    }

    /// Lets an account make a call.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub fn tried(&mut self, who: AccountId, call: impl Into<RuntimeCall>) -> Result<(), DispatchError> {
        let call = call.into();
        self.run(|| call.dispatch(RuntimeOrigin::signed(who)).map(drop).map_err(|refused| refused.error))
    }

    /// Lets a machine say something that carries its own authority; whether it was carried out.
    pub fn said(&mut self, call: work::Call<Runtime>) -> bool {
        self.run(|| {
            let authority = call.authorize(TransactionSource::InBlock).expect("it carries its own");
            let origin = RuntimeOrigin::from(frame_system::Origin::<Runtime>::Authorized);
            authority.is_ok() && RuntimeCall::from(call).dispatch(origin).is_ok()
        })
    }

    /// The id of worker `n`.
    pub fn id(&self, n: u32) -> WorkerId {
        WorkerId(self.keys(n).identity.public().0)
    }

    fn keys(&self, n: u32) -> &Keys {
        self.workers.get(n as usize).expect("it is one of ours")
    }

    /// Admits worker `n`.
    pub fn admit(&mut self, n: u32) {
        let Keys { identity, instance } = self.keys(n);
        let record = WorkerRecord {
            registration: Registration {
                worker: WorkerId(identity.public().0),
                instance: InstanceKey(instance.public().0),
                transport: TransportKey([3; 32]),
                role: Role::Worker,
                endpoint: Default::default(),
            },
            attested: Attested { tee: Tee::Tdx, root: Root::Intel, tcb: TcbStatus::UpToDate, measurement: CODE },
            admitted_block: BlockNumber(1),
            admitted_at: UnixMillis(START_MS),
            expires_at: UnixMillis(u64::MAX),
        };
        let worker = record.registration.worker;
        self.run(|| pallet_registry::Workers::<Runtime>::insert(worker, record));
    }

    /// Worker `n` starts as a new process, and is admitted as that.
    pub fn renew(&mut self, n: u32) {
        if let Some(keys) = self.workers.get_mut(n as usize) {
            let seed = sp_io::hashing::blake2_256(&keys.instance.public().0);
            keys.instance = ed25519::Pair::from_seed(&seed);
        }
        self.admit(n);
    }

    /// Binds worker `n` to a pool of `operator`.
    pub fn bind(&mut self, n: u32, pool: PoolId, operator: AccountId) -> bool {
        let worker = self.id(n);
        let consent = WorkConsent { worker, operator: Account(operator.clone().into()) };
        let consent = signed(consent, &self.keys(n).identity).signature;
        self.by(operator, work::Call::bind { pool, worker, consent })
    }

    /// The message with which worker `n` reports its score.
    pub fn score(&mut self, n: u32, score: u32) -> work::Call<Runtime> {
        let number = self.run(System::block_number).saturating_sub(1);
        let block = BlockRef { number: BlockNumber(number), hash: BlockHash(hash_of(number).0) };
        let report = ScoreReport { worker: self.id(n), score, block };
        work::Call::report_score { report: signed(report, &self.keys(n).instance) }
    }

    /// The message with which worker `n` answers what it was asked, if it was.
    pub fn answer(&mut self, n: u32) -> Option<work::Call<Runtime>> {
        let worker = self.id(n);
        let (session, challenge, now) = self.run(|| {
            let record = work::Work::<Runtime>::get(worker)?;
            Some((record.session?, record.challenge?.block, System::block_number()))
        })?;
        let iterations = u64::from(now).saturating_mul(1_000);
        let heartbeat = Heartbeat { worker, session, challenge, iterations };
        Some(work::Call::heartbeat { heartbeat: signed(heartbeat, &self.keys(n).instance) })
    }

    /// Begins block `number`, with this chance.
    pub fn begin(&mut self, number: u32, chance: u64) {
        let time = START_MS.saturating_add(u64::from(number) * BLOCK_MS).saturating_add(self.lost_ms);
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

    /// Ends the block with so much room left; its number.
    ///
    /// # Panics
    /// When a pallet takes more than it was given.
    pub fn end(&mut self, room: Weight) -> u32 {
        self.run(|| {
            let number = System::block_number();
            let used = Computation::on_idle(number, room);
            assert!(used.all_lte(room), "computation keeps to the room it was given");
            let rest = room.saturating_sub(used);
            let used = Pools::on_idle(number, rest);
            assert!(used.all_lte(rest), "pools keep to the room they were given");
            number
        })
    }
}
