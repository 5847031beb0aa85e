//! A runtime with nothing but this pallet and what it stands on; machines, validators and programs are whatever a test says.

use crate::{self as pallet_custody, Machines, Offences, Refusal, Validators};
use codec::Encode;
use core::cell::RefCell;
use frame_support::{
    derive_impl,
    dispatch::GetDispatchInfo,
    traits::{ConstU128, Hooks},
};
use frame_system::{AuthorizeCall, EnsureRoot};
use phala_messages::{
    Account, GenesisHash, Hash, InstanceKey, ParticipantKey, ProgramId, WorkerId,
    custody::{
        Candidacy, Complaint, Confirmation, CustodyMessage, DealerFault, DeliveryBatch, GroupKey, LogCommitment,
        Member, OutputReport, Parameters, Places, RoundNumber, RoundRecord, Signed, threshold,
    },
};
use phala_units::{BlockNumber, Planck};
use sp_core::{Pair as _, ed25519};
use sp_runtime::{
    AccountId32, BuildStorage, DispatchError, MultiSignature,
    generic::{self, ExtrinsicFormat},
    traits::{Applyable, BlakeTwo256, Checkable, IdentityLookup},
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

type Header = generic::Header<u32, BlakeTwo256>;
type Extension = (AuthorizeCall<Test>,);
/// What a node would send.
pub type Extrinsic = generic::UncheckedExtrinsic<AccountId32, RuntimeCall, MultiSignature, Extension>;
type Block = generic::Block<Header, Extrinsic>;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeTask
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system::Pallet<Test>;
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances::Pallet<Test>;
    #[runtime::pallet_index(52)]
    pub type Custody = pallet_custody::Pallet<Test>;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<u128>;
    type DbWeight = frame_support::weights::constants::ParityDbWeight;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<10>;
    type AccountStore = System;
}

impl pallet_custody::Config for Test {
    type Machines = World;
    type Validators = World;
    type Offences = World;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type AdminOrigin = EnsureRoot<AccountId32>;
    type CareOrigin = EnsureRoot<AccountId32>;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
}

/// What each account starts with.
pub const RICH: u128 = 10_000_000;
/// What is held of a candidate.
pub const BOND: u128 = 5_000;
/// Short times.
pub const PARAMETERS: Parameters = Parameters {
    members: 4,
    members_min: 3,
    bond: Planck(BOND),
    refresh_blocks: 100,
    dealing_blocks: 10,
    confirming_blocks: 10,
    reporting_blocks: 10,
    retry_blocks: 5,
    release_blocks: 50,
};

thread_local! {
    static GATEKEEPERS: RefCell<BTreeMap<WorkerId, InstanceKey>> = const { RefCell::new(BTreeMap::new()) };
    static VALIDATORS: RefCell<BTreeSet<AccountId32>> = const { RefCell::new(BTreeSet::new()) };
}

thread_local! {
    static OFFENCES: RefCell<Vec<(WorkerId, RoundNumber, DealerFault)>> = const { RefCell::new(Vec::new()) };
}

/// The offences that were told so far.
pub fn offences() -> Vec<(WorkerId, RoundNumber, DealerFault)> {
    OFFENCES.with_borrow(Vec::clone)
}

/// What lies outside this pallet.
pub struct World;

impl World {
    /// Admits gatekeeper `n`, or lets its admission run out.
    pub fn admit(n: u8, admitted: bool) {
        GATEKEEPERS.with_borrow_mut(|all| match admitted {
            true => all.insert(gatekeeper(n), InstanceKey(instance(n).public().0)),
            false => all.remove(&gatekeeper(n)),
        });
    }

    /// Elects validator `n`, or not.
    pub fn elect(n: u8, elected: bool) {
        VALIDATORS.with_borrow_mut(|all| match elected {
            true => all.insert(account(n)),
            false => all.remove(&account(n)),
        });
    }
}

impl Machines for World {
    fn gatekeeper(id: &WorkerId) -> Option<InstanceKey> {
        GATEKEEPERS.with_borrow(|all| all.get(id).copied())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(id: &WorkerId, instance: &InstanceKey) {
        GATEKEEPERS.with_borrow_mut(|all| all.insert(*id, *instance));
    }
}

impl Validators<AccountId32> for World {
    fn is_validator(account: &AccountId32) -> bool {
        VALIDATORS.with_borrow(|all| all.contains(account))
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn elect_for_benchmark(account: &AccountId32) {
        VALIDATORS.with_borrow_mut(|all| all.insert(account.clone()));
    }
}

impl Offences for World {
    fn cheated(dealer: &WorkerId, round: RoundNumber, fault: DealerFault) {
        OFFENCES.with_borrow_mut(|all| all.push((*dealer, round, fault)));
    }
}

/// An account by number.
pub fn account(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

/// The identity of gatekeeper `n`.
pub fn identity(n: u8) -> ed25519::Pair {
    ed25519::Pair::from_seed(&[n; 32])
}

/// Its id.
pub fn gatekeeper(n: u8) -> WorkerId {
    WorkerId(identity(n).public().0)
}

/// The key that its current process signs with.
pub fn instance(n: u8) -> ed25519::Pair {
    let mut seed = [n; 32];
    seed[0] = 0xff;
    ed25519::Pair::from_seed(&seed)
}

/// Keys to deal with, in order of their public halves: the order of gatekeepers is the order of their numbers.
static DEALERS: LazyLock<Vec<ed25519::Pair>> = LazyLock::new(|| {
    let mut pairs: Vec<_> = (0..=u8::MAX).map(|seed| ed25519::Pair::from_seed(&[seed; 32])).collect();
    pairs.sort_by_key(|pair| pair.public().0);
    pairs
});

/// What `n` deals with.
pub fn participant(n: u8) -> ParticipantKey {
    ParticipantKey(DEALERS[usize::from(n)].public().0)
}

/// Storage with rich validators 1 to 9 whose gatekeepers are admitted, at block 1.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let balances = (1..=200).map(|n| (account(n), RICH)).collect();
    let genesis = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
        custody: crate::GenesisConfig { parameters: Some(PARAMETERS), ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    GATEKEEPERS.with_borrow_mut(BTreeMap::clear);
    VALIDATORS.with_borrow_mut(BTreeSet::clear);
    OFFENCES.with_borrow_mut(Vec::clear);
    ext.execute_with(|| {
        System::set_block_number(1);
        for n in 1..=9 {
            World::admit(n, true);
            World::elect(n, true);
        }
    });
    ext
}

/// Runs `test` and checks the invariants after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Custody::on_finalize(0);
        Custody::do_try_state().unwrap();
    });
}

/// Builds so many blocks without extrinsics; the invariants hold in each.
pub fn blocks(count: u32) {
    for _ in 0..count {
        Custody::on_finalize(System::block_number());
        System::set_block_number(System::block_number() + 1);
        Custody::on_initialize(System::block_number());
        Custody::do_try_state().unwrap();
    }
}

/// Lets an account make a call.
pub fn call(who: AccountId32, call: crate::Call<Test>) -> Result<(), DispatchError> {
    dispatch(RuntimeOrigin::signed(who), call)
}

/// Makes a call as governance.
pub fn govern(call: crate::Call<Test>) -> Result<(), DispatchError> {
    dispatch(RuntimeOrigin::root(), call)
}

fn dispatch(origin: RuntimeOrigin, call: crate::Call<Test>) -> Result<(), DispatchError> {
    use sp_runtime::traits::Dispatchable;
    RuntimeCall::Custody(call).dispatch(origin).map(|_| ()).map_err(|error| error.error)
}

/// What a pool says to a call that carries its own authority.
pub fn validate(call: crate::Call<Test>) -> TransactionValidity {
    let extrinsic = Extrinsic::new_transaction(call.into(), (AuthorizeCall::new(),));
    let info = extrinsic.get_dispatch_info();
    let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Test>::default())?;
    let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
    let validity = checked.validate::<Test>(TransactionSource::External, &info, 0);
    assert_eq!(sp_io::storage::root(sp_runtime::StateVersion::V1), before, "validation leaves no trace");
    validity
}

/// Puts a call that carries its own authority into the block. Outer error: the block does not take it.
pub fn apply(call: crate::Call<Test>) -> Result<Result<(), DispatchError>, TransactionValidityError> {
    let extrinsic = Extrinsic::new_transaction(call.into(), (AuthorizeCall::new(),));
    let info = extrinsic.get_dispatch_info();
    let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Test>::default())?;
    assert!(matches!(checked.format, ExtrinsicFormat::General(..)));
    checked.apply::<Test>(&info, 0).map(|result| result.map(|_| ()).map_err(|error| error.error))
}

/// Taken by pool and block.
pub fn accepted(call: crate::Call<Test>) {
    let validity = validate(call.clone()).unwrap();
    assert!(validity.propagate && !validity.provides.is_empty());
    apply(call).unwrap().unwrap();
}

/// Refused by pool and block, with the same reason.
pub fn assert_refused(call: crate::Call<Test>, refusal: Refusal) {
    let error: TransactionValidityError = InvalidTransaction::Custom(refusal.code()).into();
    assert_eq!(validate(call.clone()).unwrap_err(), error, "{refusal:?}");
    assert_eq!(apply(call).unwrap_err(), error, "{refusal:?}");
}

/// The mock's genesis hash.
pub fn genesis() -> GenesisHash {
    GenesisHash(System::block_hash(0).0)
}

/// A message, signed by `by` for `network`.
pub fn sign_for<M: CustodyMessage>(message: M, by: &ed25519::Pair, network: &GenesisHash) -> Signed<M> {
    let signature = by.sign(&message.signing_hash(network).0).0;
    Signed { message, signature }
}

/// A message, signed by the instance of `n`.
pub fn signed<M: CustodyMessage>(message: M, n: u8) -> Signed<M> {
    sign_for(message, &instance(n), &genesis())
}

/// Bonds for gatekeeper `n` with account `n`.
pub fn bond_call(n: u8) -> crate::Call<Test> {
    let candidacy = Candidacy { gatekeeper: gatekeeper(n), participant: participant(n), account: Account([n; 32]) };
    let consent = identity(n).sign(&candidacy.signing_hash(&genesis()).0).0;
    crate::Call::bond { gatekeeper: gatekeeper(n), participant: participant(n), consent }
}

/// Bonds for these, and approves them.
pub fn join(all: impl IntoIterator<Item = u8>) {
    for n in all {
        call(account(n), bond_call(n)).unwrap();
        govern(crate::Call::approve { account: account(n) }).unwrap();
    }
}

/// The newest round.
pub fn round() -> RoundRecord {
    crate::Rounds::<Test>::get(crate::NewestRound::<Test>::get()).unwrap()
}

/// `commit_log` by `n` in round `number`, signed by it.
pub fn log_in(number: RoundNumber, n: u8, revealed: u32) -> crate::Call<Test> {
    let commitment = LogCommitment { round: number, dealer: gatekeeper(n), log_hash: Hash([n; 32]), revealed };
    crate::Call::commit_log { commitment: signed(commitment, n) }
}

/// The same in the newest round, with nothing revealed.
pub fn log(n: u8) -> crate::Call<Test> {
    log_in(round().number, n, 0)
}

/// `confirm` by `n`.
pub fn confirm(n: u8, logs: Places) -> crate::Call<Test> {
    let confirmation = Confirmation { round: round().number, player: gatekeeper(n), logs };
    crate::Call::confirm { confirmation: signed(confirmation, n) }
}

/// What `n` reports in a round of so many players, of group key `key`.
pub fn output(n: u8, key: u8) -> OutputReport {
    let points = round().threshold as usize * 96;
    OutputReport {
        round: round().number,
        player: gatekeeper(n),
        output_hash: Hash([key; 32]),
        group_key: GroupKey([key; 96]),
        polynomial: vec![key; points].try_into().unwrap(),
    }
}

/// `report_output` by `n`.
pub fn report(n: u8, key: u8) -> crate::Call<Test> {
    crate::Call::report_output { report: Box::new(signed(output(n, key), n)) }
}

/// What `dealer` signs as its commitment in the newest round: SCALE of the points, and the signature.
pub fn committed_to(dealer: u8, points: &[[u8; 96]]) -> Vec<u8> {
    let message = (round_hash(), participant(dealer), points.to_vec());
    let message = [b"phala/threshold/commitment/v1".to_vec(), message.encode()].concat();
    (points.to_vec(), DEALERS[usize::from(dealer)].sign(&message).0).encode()
}

/// What names the newest round to those who deal in it.
pub fn round_hash() -> [u8; 32] {
    let previous = round().previous.and_then(crate::Epochs::<Test>::get);
    phala_threshold::JudgedRound::of_chain(&genesis(), &round(), previous.as_ref()).hash
}

/// Evidence that `dealer` committed to two polynomials.
pub fn contradiction(dealer: u8) -> Vec<u8> {
    let two = [committed_to(dealer, &[[1; 96]]), committed_to(dealer, &[[2; 96]])].concat();
    [(round_hash(), participant(dealer), 2u8).encode(), two].concat()
}

/// Evidence that `dealer` sent `share` to `player` under a commitment to these points.
pub fn sent(dealer: u8, player: u8, points: &[[u8; 96]], share: [u8; 32]) -> Vec<u8> {
    let commitment = phala_messages::transcript::sha256(&points.to_vec().encode()).0;
    let message = (round_hash(), participant(dealer), participant(player), commitment, share);
    let message = [b"phala/threshold/share/v1".to_vec(), message.encode()].concat();
    let signature = DEALERS[usize::from(dealer)].sign(&message).0;
    let evidence = (round_hash(), participant(dealer), 1u8, participant(player), points.to_vec(), share, signature);
    evidence.encode()
}

/// `complain` by `by` of `dealer`, with this evidence.
pub fn complain_with(by: u8, dealer: u8, evidence: Vec<u8>) -> crate::Call<Test> {
    let (round, evidence) = (round().number, evidence.try_into().unwrap());
    let complaint = Complaint { round, dealer: gatekeeper(dealer), by: gatekeeper(by), evidence };
    crate::Call::complain { complaint: Box::new(signed(complaint, by)) }
}

/// `complain` by `by` of `dealer`, which committed to two polynomials.
pub fn complain(by: u8, dealer: u8) -> crate::Call<Test> {
    complain_with(by, dealer, contradiction(dealer))
}

/// A batch of `n` over `first..=last`.
pub fn batch(n: u8, sequence: u64, first: u32, last: u32) -> DeliveryBatch {
    let (first, last) = (BlockNumber(first), BlockNumber(last));
    DeliveryBatch { gatekeeper: gatekeeper(n), sequence, root: Hash([9; 32]), count: 3, first, last }
}

/// `log_deliveries` of it.
pub fn deliver(n: u8, batch: DeliveryBatch) -> crate::Call<Test> {
    crate::Call::log_deliveries { batch: signed(batch, n) }
}

/// A program by number.
pub fn program(n: u16) -> ProgramId {
    let mut id = [0x50; 32];
    id[..2].copy_from_slice(&n.to_le_bytes());
    ProgramId(id)
}

/// The numbers of a round's or epoch's members.
pub fn numbers(members: &[Member]) -> Vec<u8> {
    let number = |member: &Member| (0..=u8::MAX).find(|n| participant(*n) == member.participant);
    members.iter().map(|member| number(member).expect("it is one of the test's")).collect()
}

/// Plays the running round through with everybody: dealers deal, players confirm and report `key`.
pub fn play(key: u8) {
    let dealers = numbers(&round().dealers);
    dealers.iter().for_each(|n| accepted(log(*n)));
    let all = phala_messages::custody::first_places(dealers.len() as u32);
    let players = numbers(&round().players);
    players.iter().for_each(|n| accepted(confirm(*n, all)));
    let needed = threshold(players.len() as u32) as usize;
    players.iter().take(needed).for_each(|n| accepted(report(*n, key)));
}

/// A network whose first epoch has gatekeepers 1 to 4 and a polynomial of these points.
pub fn found_with(points: &[[u8; 96]]) {
    join(1..=4);
    blocks(1);
    (1..=4).for_each(|n| accepted(log(n)));
    (1..=4).for_each(|n| accepted(confirm(n, 0b1111)));
    for n in 1..=3 {
        let polynomial = points.as_flattened().to_vec().try_into().unwrap();
        let report = OutputReport { group_key: GroupKey(points[0]), polynomial, ..output(n, 7) };
        accepted(crate::Call::report_output { report: Box::new(signed(report, n)) });
    }
}

/// A network whose first epoch has gatekeepers 1 to 4, with group key 7.
pub fn found() {
    join(1..=4);
    blocks(1);
    play(7);
}

/// The pallet's events so far.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Custody(event) => Some(event),
            _ => None,
        })
        .collect()
}
