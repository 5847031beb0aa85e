//! A runtime with nothing but this pallet; custody is whatever a test says.

use crate::{self as pallet_key_recovery, Custody, Refusal};
use core::cell::RefCell;
use frame_support::{derive_impl, dispatch::GetDispatchInfo, traits::Hooks};
use frame_system::{AuthorizeCall, EnsureRoot};
use phala_messages::{
    CustodianKey, GenesisHash, InstanceKey, ParticipantKey, WorkerId,
    custody::{
        CustodyMessage, EpochNumber, EpochRecord, GroupKey, Member, RootGeneration, RoundNumber, Signed, threshold,
    },
    recovery::{
        CeremonyNumber, CeremonyRecord, Custodian, CustodianCall, CustodianMessage as _, EpochOutput, KEEPSAKE_BYTES,
        Objection, RecoveryParameters, SeatBackup, SeatTaken, SetNumber,
    },
    transcript::Preimage,
};
use phala_units::BlockNumber;
use sp_core::{Pair as _, ed25519};
use sp_runtime::{
    AccountId32, BuildStorage, DispatchError, DispatchResult, MultiSignature,
    generic::{self, ExtrinsicFormat},
    traits::{Applyable, BlakeTwo256, Checkable, IdentityLookup},
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError},
};
use std::collections::{BTreeMap, BTreeSet};

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
    #[runtime::pallet_index(53)]
    pub type Recovery = pallet_key_recovery::Pallet<Test>;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type DbWeight = frame_support::weights::constants::ParityDbWeight;
}

impl pallet_key_recovery::Config for Test {
    type Custody = World;
    type AdminOrigin = EnsureRoot<AccountId32>;
    type CareOrigin = EnsureRoot<AccountId32>;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
}

/// The root of most tests.
pub const ROOT: RootGeneration = RootGeneration(0);
/// Short times.
pub const TIMES: RecoveryParameters = RecoveryParameters { delay_blocks: 10, silence_blocks: 100, lapse_blocks: 50 };

/// What lies outside this pallet.
#[derive(Default)]
pub struct World {
    epochs: BTreeMap<RootGeneration, EpochRecord>,
    admitted: BTreeSet<WorkerId>,
    unfit: BTreeSet<WorkerId>,
    rotated: Vec<RootGeneration>,
    may_rotate: bool,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

impl World {
    fn with<T>(change: impl FnOnce(&mut Self) -> T) -> T {
        WORLD.with_borrow_mut(change)
    }

    /// The root's current epoch is this, with so many members.
    pub fn epoch_is(root: RootGeneration, number: u32, members: u8) {
        let list: Vec<_> =
            (1..=members).map(|n| Member { gatekeeper: gatekeeper(n), participant: ParticipantKey([n; 32]) }).collect();
        let epoch = EpochRecord {
            epoch: EpochNumber(number),
            round: RoundNumber(number.into()),
            root,
            threshold: threshold(members.into()),
            members: list.try_into().unwrap(),
            group_key: GroupKey([7; 96]),
            polynomial: Default::default(),
            output_hash: Preimage::new("phala/threshold/output/v1").bytes(&output(root, number)).hash(),
            since: BlockNumber(System::block_number()),
        };
        Self::with(|world| world.epochs.insert(root, epoch));
    }

    /// The root is closed.
    pub fn close(root: RootGeneration) {
        Self::with(|world| world.epochs.remove(&root));
    }

    /// Admits gatekeeper `n`, or lets its admission run out.
    pub fn admit(n: u8, admitted: bool) {
        Self::with(|world| match admitted {
            true => world.admitted.insert(gatekeeper(n)),
            false => world.admitted.remove(&gatekeeper(n)),
        });
    }

    /// Lets custody have `n` as a member, or not.
    pub fn fit(n: u8, fit: bool) {
        Self::with(|world| match fit {
            true => world.unfit.remove(&gatekeeper(n)),
            false => world.unfit.insert(gatekeeper(n)),
        });
    }

    /// Lets a rotation be asked for, or not.
    pub fn may_rotate(may: bool) {
        Self::with(|world| world.may_rotate = may);
    }

    /// Rotations that were asked for.
    pub fn rotated() -> Vec<RootGeneration> {
        Self::with(|world| world.rotated.clone())
    }

    /// Who holds the root's seats.
    pub fn members(root: RootGeneration) -> Vec<WorkerId> {
        Self::with(|world| world.epochs[&root].members.iter().map(|member| member.gatekeeper).collect())
    }
}

impl Custody for World {
    fn epoch(root: RootGeneration) -> Option<EpochRecord> {
        Self::with(|world| world.epochs.get(&root).cloned())
    }

    fn instance(gatekeeper: &WorkerId) -> Option<InstanceKey> {
        let admitted = Self::with(|world| world.admitted.contains(gatekeeper));
        let n = (1..=99).find(|n| self::gatekeeper(*n) == *gatekeeper)?;
        admitted.then(|| InstanceKey(instance(n).public().0))
    }

    fn may_take_seat(root: RootGeneration, gatekeeper: &WorkerId) -> bool {
        let is_member = Self::members(root).contains(gatekeeper);
        Self::instance(gatekeeper).is_some() && !is_member && !Self::with(|world| world.unfit.contains(gatekeeper))
    }

    fn reseat(root: RootGeneration, seats: &[(u32, WorkerId)]) -> DispatchResult {
        Self::with(|world| {
            let epoch = world.epochs.get_mut(&root).ok_or(DispatchError::Unavailable)?;
            for (place, gatekeeper) in seats {
                epoch.members[*place as usize].gatekeeper = *gatekeeper;
            }
            Ok(())
        })
    }

    fn rotate(root: RootGeneration) -> DispatchResult {
        Self::with(|world| {
            if !world.may_rotate {
                return Err(DispatchError::Unavailable);
            }
            world.rotated.push(root);
            Ok(())
        })
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn arrange_for_benchmark(_: &InstanceKey, _: phala_messages::Hash) -> Option<(RootGeneration, Vec<WorkerId>)> {
        // Only the runtime has as many gatekeepers.
        None
    }
}

/// Gatekeeper `n`.
pub fn gatekeeper(n: u8) -> WorkerId {
    WorkerId([n; 32])
}

/// The key that its current process signs with.
pub fn instance(n: u8) -> ed25519::Pair {
    let mut seed = [n; 32];
    seed[0] = 0xff;
    ed25519::Pair::from_seed(&seed)
}

/// What custodian `n` signs with.
pub fn custodian(n: u32) -> ed25519::Pair {
    ed25519::Pair::from_seed(&[n as u8 + 100; 32])
}

/// What an epoch came to.
pub fn output(root: RootGeneration, epoch: u32) -> EpochOutput {
    [root.0 as u8, epoch as u8, 9, 9].to_vec().try_into().unwrap()
}

/// Storage with gatekeepers 1 to 4 in epoch 3 of the root, and 1 to 20 admitted, at block 1.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let genesis = RuntimeGenesisConfig {
        recovery: crate::GenesisConfig { parameters: Some(TIMES), ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    WORLD.set(World { may_rotate: true, ..World::default() });
    ext.execute_with(|| {
        System::set_block_number(1);
        (1..=20).for_each(|n| World::admit(n, true));
        World::epoch_is(ROOT, 3, 4);
    });
    ext
}

/// Runs `test` and checks the invariants after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Recovery::do_try_state().unwrap();
    });
}

/// Builds so many blocks without extrinsics; the invariants hold in each.
pub fn blocks(count: u32) {
    for _ in 0..count {
        System::set_block_number(System::block_number() + 1);
        Recovery::on_initialize(System::block_number());
        Recovery::do_try_state().unwrap();
    }
}

/// Makes a call as governance.
pub fn govern(call: crate::Call<Test>) -> Result<(), DispatchError> {
    dispatch(RuntimeOrigin::root(), call)
}

/// Makes a call from any origin.
pub fn dispatch(origin: RuntimeOrigin, call: crate::Call<Test>) -> Result<(), DispatchError> {
    use sp_runtime::traits::Dispatchable;
    RuntimeCall::Recovery(call).dispatch(origin).map(|_| ()).map_err(|error| error.error)
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

/// A message, signed by the instance of `n`.
pub fn signed<M: CustodyMessage>(message: M, n: u8) -> Signed<M> {
    let signature = instance(n).sign(&message.signing_hash(&genesis()).0).0;
    Signed { message, signature }
}

/// So many custodians.
pub fn custodians(count: u32) -> Vec<Custodian> {
    let keys =
        |n| Custodian { sealing: CustodianKey([n as u8 + 1; 32]), signing: CustodianKey(custodian(n).public().0) };
    (0..count).map(keys).collect()
}

/// `appoint` of so many.
pub fn appoint(threshold: u32, count: u32) -> crate::Call<Test> {
    crate::Call::appoint { threshold, custodians: custodians(count).try_into().unwrap() }
}

/// The backup of gatekeeper `n`'s seat in an epoch of the root, for the set of 2 of 3.
pub fn backup(n: u8, epoch: u32, set: u32) -> SeatBackup {
    SeatBackup {
        root: ROOT,
        epoch: EpochNumber(epoch),
        place: u32::from(n) - 1,
        set: SetNumber(set),
        gatekeeper: gatekeeper(n),
        polynomial: vec![n; 192].try_into().unwrap(),
        pieces: vec![[n; 80]; 3].try_into().unwrap(),
        keepsake: [n; KEEPSAKE_BYTES],
    }
}

/// `store_backup` of it, signed by `n`.
pub fn store(backup: SeatBackup, n: u8) -> crate::Call<Test> {
    crate::Call::store_backup { backup: Box::new(signed(backup, n)) }
}

/// `store_output` of an epoch.
pub fn keep_output(root: RootGeneration, epoch: u32) -> crate::Call<Test> {
    crate::Call::store_output { root, output: output(root, epoch) }
}

/// `call_for` by custodian `n`, signed by `by`.
pub fn call_by(n: u32, by: u32, set: u32, epoch: u32) -> crate::Call<Test> {
    let message = CustodianCall { root: ROOT, epoch: EpochNumber(epoch), set: SetNumber(set), custodian: n };
    let signature = custodian(by).sign(&message.signing_hash(&genesis()).0).0;
    crate::Call::call_for { call: Signed { message, signature } }
}

/// `object` by `n` to ceremony `number`.
pub fn object(n: u8, number: u32) -> crate::Call<Test> {
    let objection = Objection { root: ROOT, ceremony: CeremonyNumber(number), gatekeeper: gatekeeper(n) };
    crate::Call::object { objection: signed(objection, n) }
}

/// `take_seat` by `n` in ceremony `number`.
pub fn take(n: u8, place: u32, number: u32) -> crate::Call<Test> {
    let taken = SeatTaken { root: ROOT, ceremony: CeremonyNumber(number), place, gatekeeper: gatekeeper(n) };
    crate::Call::take_seat { taken: signed(taken, n) }
}

/// `bind` of `n` to a seat.
pub fn bind(place: u32, n: u8) -> crate::Call<Test> {
    crate::Call::bind { root: ROOT, place, gatekeeper: gatekeeper(n) }
}

/// `announce` for the root.
pub fn announce() -> crate::Call<Test> {
    crate::Call::announce { root: ROOT }
}

/// Custodians, 2 of 3, and every seat of epoch 3 backed up.
pub fn backed() {
    govern(appoint(2, 3)).unwrap();
    accepted(keep_output(ROOT, 3));
    (1..=4).for_each(|n| accepted(store(backup(n, 3, 1), n)));
}

/// Gatekeepers 1 to 3 of 4 are gone.
pub fn lose() {
    (1..=3).for_each(|n| World::admit(n, false));
}

/// A ceremony whose delay has passed.
pub fn open() {
    backed();
    lose();
    govern(announce()).unwrap();
    blocks(TIMES.delay_blocks);
}

/// The ceremony that stands.
pub fn ceremony() -> CeremonyRecord {
    crate::Ceremonies::<Test>::get(ROOT).unwrap()
}

/// The pallet's events so far.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Recovery(event) => Some(event),
            _ => None,
        })
        .collect()
}
