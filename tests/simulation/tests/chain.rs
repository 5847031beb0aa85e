//! The chain: `phala-runtime` with its registry, sessions, balances and custody, one block after the other. Machines are admitted
//! without evidence (that is `chain/registry`'s to judge); everything else is said as gatekeepers say it: signed by their
//! instances, authorised, dispatched.
//!
//! What the world reads and sets is mirrored in fields, with the names of the model's.

use crate::{
    common::{GATEKEEPER_CODE, WORKER_CODE, program_record, record},
    world::{CLUSTER, PROGRAM},
};
use codec::{Decode, Encode};
use frame_support::{
    traits::{Authorize, Hooks, fungible::Mutate},
    weights::Weight,
};
use pallet_custody as custody;
use phala_enclave_gatekeeper::{release::Facts, rounds::Say};
use phala_messages::{
    Account, ClusterRecord, InstanceKey, Refusal, Registration, Role, TransportKey, WorkerId,
    custody::{
        Candidacy, Complaint, CustodyMessage, EpochNumber, EpochRecord, Member, Parameters, ROUNDS_KEPT,
        RootGeneration, RootRecord, RoundLogs, RoundNumber, RoundRecord, Signed,
    },
    release::KeyQuery,
    storage,
};
use phala_runtime::{AccountId, Balances, Custody as Pallet, Runtime, RuntimeOrigin, System};
use phala_units::{BlockNumber, UnixMillis};
use sp_core::{H256, Pair, ed25519};
use sp_runtime::{
    BuildStorage,
    traits::Dispatchable,
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{LazyLock, Mutex},
};

pub const ROOT: RootGeneration = RootGeneration(0);
const GENESIS: [u8; 32] = [7; 32];
const GATEKEEPERS: usize = 16;
/// An admission of the registry's, in this world: longer than any run.
const LIFE_MS: u64 = 1_000_000_000;

fn identity_pair(n: usize) -> ed25519::Pair {
    ed25519::Pair::from_seed(&[n as u8 + 1; 32])
}

fn instance_pair(n: usize, start: u32) -> ed25519::Pair {
    let mut seed = [n as u8 + 101; 32];
    seed[..4].copy_from_slice(&start.to_le_bytes());
    ed25519::Pair::from_seed(&seed)
}

pub fn id(n: usize) -> WorkerId {
    // The world asks for them all the time.
    static IDS: LazyLock<Vec<WorkerId>> =
        LazyLock::new(|| (0..GATEKEEPERS).map(|n| WorkerId(identity_pair(n).public().0)).collect());
    IDS[n]
}

/// The key of a gatekeeper's how-manieth process.
pub fn instance(n: usize, start: u32) -> InstanceKey {
    static KEYS: Mutex<BTreeMap<(usize, u32), InstanceKey>> = Mutex::new(BTreeMap::new());
    let mut keys = KEYS.lock().unwrap();
    *keys.entry((n, start)).or_insert_with(|| InstanceKey(instance_pair(n, start).public().0))
}

fn number(gatekeeper: &WorkerId) -> usize {
    (0..GATEKEEPERS).find(|n| id(*n) == *gatekeeper).expect("it is one of ours")
}

fn account(gatekeeper: &WorkerId) -> AccountId {
    AccountId::from([number(gatekeeper) as u8 + 201; 32])
}

/// Custody as the runtime has it.
pub struct Custody {
    pub parameters: Parameters,
    /// Who shall be a candidate. Whoever is put here bonds and is approved; who is taken away leaves.
    pub eligible: Vec<Member>,
    pub newest: RoundNumber,
    pub complaints: Vec<Complaint>,
    pub epochs: BTreeMap<EpochNumber, EpochRecord>,
    pub root: Option<RootRecord>,
    rounds: BTreeMap<RoundNumber, (RoundRecord, RoundLogs)>,
    candidates: Vec<Member>,
    /// Those that are to be expelled rather than to leave.
    expelled: BTreeSet<WorkerId>,
    /// The process that each gatekeeper is counted in with.
    processes: BTreeMap<WorkerId, u32>,
    chain: sp_io::TestExternalities,
}

impl Custody {
    pub fn new(parameters: Parameters) -> Self {
        let storage = frame_system::GenesisConfig::<Runtime>::default().build_storage().unwrap();
        let mut chain = sp_io::TestExternalities::new(storage);
        chain.execute_with(|| {
            frame_system::BlockHash::<Runtime>::insert(0, H256(GENESIS));
            System::set_block_number(1);
            // One operator for all of them, as on a development network.
            pallet_session::Validators::<Runtime>::put(vec![AccountId::from([200; 32])]);
            pallet_registry::Measurements::<Runtime>::insert(Role::Gatekeeper, GATEKEEPER_CODE, ());
            pallet_registry::Measurements::<Runtime>::insert(Role::Worker, WORKER_CODE, ());
            pallet_programs::Programs::<Runtime>::insert(PROGRAM, program_record(CLUSTER));
            sp_io::storage::set(&storage::program_root(&PROGRAM), &ROOT.encode());
        });
        let mut new = Self {
            parameters,
            eligible: vec![],
            newest: RoundNumber::default(),
            complaints: vec![],
            epochs: BTreeMap::new(),
            root: None,
            rounds: BTreeMap::new(),
            candidates: vec![],
            expelled: BTreeSet::new(),
            processes: BTreeMap::new(),
            chain,
        };
        new.govern(custody::Call::set_parameters { parameters });
        new
    }

    pub fn epoch(&self) -> Option<&EpochRecord> {
        self.epochs.get(&self.root.as_ref()?.epoch)
    }

    pub fn round(&self) -> Option<&(RoundRecord, RoundLogs)> {
        self.rounds.get(&self.newest)
    }

    fn govern(&mut self, call: custody::Call<Runtime>) {
        let call = phala_runtime::RuntimeCall::from(call);
        self.chain.execute_with(|| call.dispatch(RuntimeOrigin::root())).expect("governance may do that");
    }

    /// What a block does by itself. `admitted` says who is admitted as a gatekeeper.
    pub fn advance(&mut self, now: BlockNumber, admitted: impl Fn(&WorkerId) -> bool) {
        let at = UnixMillis(u64::from(now.0) * 2_000);
        let known: Vec<WorkerId> = self.eligible.iter().chain(&self.candidates).map(|one| one.gatekeeper).collect();
        let processes = self.processes.clone();
        let admit = |gatekeeper: &WorkerId, at, admitted| admit(gatekeeper, processes[gatekeeper], at, admitted);
        self.chain.execute_with(|| {
            pallet_timestamp::Now::<Runtime>::put(at.0);
            for gatekeeper in &known {
                admit(gatekeeper, at, true);
            }
        });
        self.settle_candidates();
        let parameters = self.parameters;
        if self.chain.execute_with(custody::CustodyParameters::<Runtime>::get) != parameters {
            self.govern(custody::Call::set_parameters { parameters });
        }
        self.chain.execute_with(|| {
            for gatekeeper in &known {
                admit(gatekeeper, at, admitted(gatekeeper));
            }
            Pallet::on_finalize(System::block_number());
            System::set_block_number(now.0);
            let weight = Pallet::on_initialize(now.0);
            assert!(weight.all_lte(Weight::from_parts(500_000_000_000, u64::MAX)), "a block bears it");
            // Who is not admitted for a moment can come back in this block: messages are judged as of it.
            for gatekeeper in &known {
                admit(gatekeeper, at, true);
            }
        });
        self.look();
    }

    fn settle_candidates(&mut self) {
        let (eligible, candidates) = (self.eligible.clone(), std::mem::take(&mut self.candidates));
        for gone in candidates.iter().filter(|one| !eligible.contains(one)) {
            let account = account(&gone.gatekeeper);
            if self.expelled.contains(&gone.gatekeeper) {
                self.govern(custody::Call::expel { account });
                continue;
            }
            let call = phala_runtime::RuntimeCall::from(custody::Call::<Runtime>::unbond {});
            self.chain.execute_with(|| call.dispatch(RuntimeOrigin::signed(account))).expect("a candidate may leave");
        }
        for new in eligible.iter().filter(|one| !candidates.contains(one)) {
            let Member { gatekeeper, participant } = *new;
            let by = account(&gatekeeper);
            let candidacy = Candidacy { gatekeeper, participant, account: Account(by.clone().into()) };
            let hash = candidacy.signing_hash(&phala_messages::GenesisHash(GENESIS));
            let consent = identity_pair(number(&gatekeeper)).sign(&hash.0).0;
            let call = custody::Call::<Runtime>::bond { gatekeeper, participant, consent };
            let bond = self.parameters.bond.0;
            self.chain.execute_with(|| {
                Balances::mint_into(&by, bond.saturating_mul(2).max(1_000_000_000_000)).expect("it is rich");
                phala_runtime::RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(by.clone())).expect("it bonds");
            });
            self.govern(custody::Call::approve { account: by });
        }
        self.candidates = eligible;
    }

    fn look(&mut self) {
        let (newest, round, epochs, root) = self.chain.execute_with(|| {
            let newest = custody::NewestRound::<Runtime>::get();
            let record = custody::Rounds::<Runtime>::get(newest);
            let round = record.map(|record| (record, custody::Logs::<Runtime>::get(newest)));
            let epochs = custody::Epochs::<Runtime>::iter().collect();
            (newest, round, epochs, custody::Roots::<Runtime>::get(ROOT))
        });
        self.newest = newest;
        self.rounds.extend(round.map(|round| (newest, round)));
        while self.rounds.len() > ROUNDS_KEPT as usize {
            self.rounds.pop_first();
        }
        // Epochs that the chain has forgotten stay in the world's memory: the key must not have changed since.
        let epochs: BTreeMap<_, _> = epochs;
        self.epochs.extend(epochs);
        self.root = root;
    }

    fn say<M: CustodyMessage + Clone>(
        &mut self,
        start: u32,
        message: &M,
        call: impl FnOnce(Signed<M>) -> custody::Call<Runtime>,
    ) -> Result<(), Refusal> {
        let hash = message.signing_hash(&phala_messages::GenesisHash(GENESIS));
        let signature = instance_pair(number(&message.sender()), start).sign(&hash.0).0;
        let call = call(Signed { message: message.clone(), signature });
        let said = self.chain.execute_with(|| {
            let authority = call.authorize(TransactionSource::InBlock).expect("it carries its own");
            if let Err(TransactionValidityError::Invalid(InvalidTransaction::Custom(code))) = authority {
                return Err(Refusal::from_code(code).expect("every code has a meaning"));
            }
            authority.expect("nothing else refuses it");
            let origin = RuntimeOrigin::from(frame_system::Origin::<Runtime>::Authorized);
            phala_runtime::RuntimeCall::from(call).dispatch(origin).expect("what was authorised is carried out");
            Ok(())
        });
        self.look();
        said
    }

    /// A round that is kept.
    pub fn kept(&self, number: RoundNumber) -> Option<(RoundRecord, RoundLogs)> {
        self.rounds.get(&number).cloned()
    }

    /// Counts in this process of gatekeeper `n`, in place of any other.
    pub fn register(&mut self, n: usize, start: u32) {
        let gatekeeper = id(n);
        self.processes.insert(gatekeeper, start);
        self.chain.execute_with(|| {
            if pallet_registry::Workers::<Runtime>::contains_key(gatekeeper) {
                let now = UnixMillis(pallet_timestamp::Now::<Runtime>::get());
                admit(&gatekeeper, start, now, true);
            }
        });
    }

    /// What a process says.
    pub fn tell(&mut self, (_, start): (usize, u32), say: &Say, _now: BlockNumber) -> Result<(), Refusal> {
        match say {
            Say::Log(message) => self.say(start, message, |commitment| custody::Call::commit_log { commitment }),
            Say::Confirm(message) => self.say(start, message, |confirmation| custody::Call::confirm { confirmation }),
            Say::Report(message) => {
                self.say(start, message, |report| custody::Call::report_output { report: Box::new(report) })
            }
            Say::Complain(message) => {
                self.say(start, message, |complaint| custody::Call::complain { complaint: Box::new(complaint) })?;
                // The chain has judged it: the dealer is out, until governance approves it again.
                self.eligible.retain(|one| one.gatekeeper != message.dealer);
                self.candidates.retain(|one| one.gatekeeper != message.dealer);
                self.complaints.push(message.clone());
                Ok(())
            }
            other => panic!("no custodians were appointed: {other:?}"),
        }
    }

    /// A member goes of its own will.
    pub fn leave(&mut self, gatekeeper: WorkerId) {
        self.eligible.retain(|one| one.gatekeeper != gatekeeper);
    }

    /// Governance sends a member away.
    pub fn expel(&mut self, gatekeeper: WorkerId) {
        self.leave(gatekeeper);
        self.expelled.insert(gatekeeper);
    }

    pub fn assign(&mut self, worker: &Registration, assigned: bool) {
        self.chain.execute_with(|| {
            let at = UnixMillis(pallet_timestamp::Now::<Runtime>::get());
            let admitted = record(worker.clone(), BlockNumber(1), at, LIFE_MS);
            pallet_registry::Workers::<Runtime>::insert(worker.worker, admitted);
            let workers = if assigned { vec![worker.worker] } else { vec![] };
            let cluster = ClusterRecord {
                owner: Account([0; 32]),
                workers: workers.try_into().expect("one is not too many"),
                slots: 0,
                activity: 0,
            };
            pallet_programs::Clusters::<Runtime>::insert(CLUSTER, cluster);
            match assigned {
                true => pallet_programs::Assignments::<Runtime>::insert(worker.worker, CLUSTER),
                false => pallet_programs::Assignments::<Runtime>::remove(worker.worker),
            }
        });
    }

    /// What a gatekeeper would read, under the keys by which it reads it.
    pub fn facts(&mut self, query: &KeyQuery) -> Facts {
        fn read<T: Decode>(key: &[u8]) -> Option<T> {
            sp_io::storage::get(key).map(|bytes| T::decode(&mut &bytes[..]).expect("it reads"))
        }
        self.chain.execute_with(|| Facts {
            worker: read(&storage::worker(&query.worker)),
            listed: sp_io::storage::exists(&storage::measurement(Role::Worker, &WORKER_CODE)),
            assignment: read(&storage::assignment(&query.worker)),
            program: read(&storage::program(&query.program)),
            cluster: read(&storage::cluster(CLUSTER)),
            root: read(&storage::program_root(&query.program)),
            open_root: read(&storage::open_root()),
            keys: read(&storage::key_record(&query.program)).unwrap_or_default(),
        })
    }
}

fn admit(gatekeeper: &WorkerId, start: u32, at: UnixMillis, admitted: bool) {
    let n = number(gatekeeper);
    let registration = Registration {
        worker: *gatekeeper,
        instance: instance(n, start),
        transport: TransportKey([n as u8; 32]),
        role: Role::Gatekeeper,
        endpoint: Default::default(),
    };
    match admitted {
        true => {
            pallet_registry::Workers::<Runtime>::insert(gatekeeper, record(registration, BlockNumber(1), at, LIFE_MS))
        }
        false => pallet_registry::Workers::<Runtime>::remove(gatekeeper),
    }
}
