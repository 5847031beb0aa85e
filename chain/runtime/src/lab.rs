//! A network of four validators in one process: blocks are made one after another, each in its slot, by its author.

use crate::*;
use alloc::{format, vec::Vec};
use codec::Encode;
use frame_support::traits::{OnFinalize, OnIdle, OnInitialize, UnfilteredDispatchable};
use sp_consensus_babe::{
    BABE_ENGINE_ID, Slot,
    digests::{PreDigest, SecondaryPlainPreDigest},
};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::{BuildStorage, DigestItem, traits::Dispatchable};

pub use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie, Dave, Eve, Ferdie};

/// PHA, in Planck.
pub const PHA: Balance = phala_units::PHA;
/// The slot of the first block.
const FIRST_SLOT: u64 = 1_000;
/// The validators, in the order in which they stand in genesis.
const VALIDATORS: [(Sr25519Keyring, Ed25519Keyring); 4] = [
    (Sr25519Keyring::Alice, Ed25519Keyring::Alice),
    (Sr25519Keyring::Bob, Ed25519Keyring::Bob),
    (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
    (Sr25519Keyring::Dave, Ed25519Keyring::Dave),
];
/// What each validator stakes.
pub const STAKE: Balance = 10_000 * PHA;

pub fn account(key: Sr25519Keyring) -> AccountId {
    key.to_account_id()
}

pub fn signed(key: Sr25519Keyring) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(key))
}

/// So many of so many members of the council.
pub fn council(yes: u32, of: u32) -> RuntimeOrigin {
    pallet_collective::RawOrigin::<AccountId, origins::CouncilInstance>::Members(yes, of).into()
}

/// So many of so many members of the technical committee.
pub fn committee(yes: u32, of: u32) -> RuntimeOrigin {
    pallet_collective::RawOrigin::<AccountId, origins::TechnicalInstance>::Members(yes, of).into()
}

pub fn dispatch(call: impl Into<RuntimeCall>, origin: RuntimeOrigin) -> Result<(), sp_runtime::DispatchError> {
    call.into().dispatch(origin).map(drop).map_err(|error| error.error)
}

/// The same without the base filter, as Root's calls are.
pub fn force(call: impl Into<RuntimeCall>) {
    let call: RuntimeCall = call.into();
    call.dispatch_bypass_filter(RuntimeOrigin::root()).map(drop).expect("Root may");
}

/// Genesis: all PHA, four validators, a million for each of six people, `change`d.
pub fn network_with(change: impl FnOnce(&mut RuntimeGenesisConfig)) -> sp_io::TestExternalities {
    let mut allocation = token::Allocation::default().balances();
    let people = [Alice, Bob, Charlie, Dave, Eve, Ferdie];
    for (holder, amount) in &mut allocation {
        if *holder == token::Allocation::default().drop {
            *amount -= people.len() as Balance * 1_000_000 * PHA;
        }
    }
    allocation.extend(people.map(|key| (account(key), 1_000_000 * PHA)));
    let keys = VALIDATORS.map(|(babe, grandpa)| {
        let keys = opaque::SessionKeys { babe: babe.public().into(), grandpa: grandpa.public().into() };
        (account(babe), account(babe), keys)
    });
    let stakers = VALIDATORS
        .map(|(key, _)| (account(key), account(key), STAKE, pallet_staking::StakerStatus::<AccountId>::Validator));
    let mut config = RuntimeGenesisConfig::default();
    config.balances.balances = allocation;
    config.vesting.vesting = token::Allocation::default().vesting();
    config.babe.epoch_config = genesis::EPOCH_CONFIGURATION;
    config.session.keys = keys.to_vec();
    config.staking.stakers = stakers.to_vec();
    config.staking.validator_count = 4;
    config.staking.minimum_validator_count = 1;
    config.staking.slash_reward_fraction = genesis::SLASH_REWARD;
    change(&mut config);
    let mut externalities: sp_io::TestExternalities = config.build_storage().expect("a genesis").into();
    externalities.execute_with(|| {
        begin(1, FIRST_SLOT, 0);
    });
    externalities
}

pub fn network() -> sp_io::TestExternalities {
    network_with(|_| {})
}

fn begin(number: BlockNumber, slot: u64, author: u32) {
    let digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index: author, slot: Slot::from(slot) });
    let logs = Vec::from([DigestItem::PreRuntime(BABE_ENGINE_ID, digest.encode())]);
    System::reset_events();
    System::initialize(&number, &Default::default(), &sp_runtime::Digest { logs });
    AllPalletsWithSystem::on_initialize(number);
    let now = pallet_timestamp::Call::set { now: slot * constants::BLOCK_MS };
    dispatch(now, RuntimeOrigin::none()).expect("the time is the slot's");
}

/// Ends the block and begins the next, made by the next of `authors` in turn.
pub fn next_block_by(authors: &[u32]) {
    let number = System::block_number();
    let weight = configs::BlockWeights::get().max_block / 4;
    AllPalletsWithSystem::on_idle(number, weight);
    AllPalletsWithSystem::on_finalize(number);
    let next = number + 1;
    let slot = FIRST_SLOT + u64::from(next) - 1;
    begin(next, slot, authors[next as usize % authors.len()]);
}

pub fn next_block() {
    let authors: Vec<u32> = (0..Session::validators().len() as u32).collect();
    next_block_by(&authors);
}

/// Makes so many blocks.
pub fn blocks(count: BlockNumber) {
    (0..count).for_each(|_| next_block());
}

/// Makes blocks until something holds; fails after `most`.
pub fn blocks_until(most: BlockNumber, what: &str, holds: impl Fn() -> bool) {
    for _ in 0..most {
        if holds() {
            return;
        }
        next_block();
    }
    assert!(holds(), "{}", format!("not within {most} blocks: {what}"));
}

/// Puts a call where a referendum finds it.
pub fn preimage(by: Sr25519Keyring, call: &RuntimeCall) -> frame_support::traits::Bounded<RuntimeCall, Hashing> {
    let bytes = call.encode();
    let (hash, len) = (sp_core::H256(sp_io::hashing::blake2_256(&bytes)), bytes.len() as u32);
    dispatch(pallet_preimage::Call::note_preimage { bytes }, signed(by)).expect("noted");
    frame_support::traits::Bounded::Lookup { hash, len }
}

type Hashing = sp_runtime::traits::BlakeTwo256;

/// Votes.
pub fn vote(by: Sr25519Keyring, referendum: u32, aye: bool, balance: Balance) -> Result<(), sp_runtime::DispatchError> {
    let vote = pallet_democracy::Vote { aye, conviction: pallet_democracy::Conviction::Locked1x };
    let vote = pallet_democracy::AccountVote::Standard { vote, balance };
    dispatch(pallet_democracy::Call::vote { ref_index: referendum, vote }, signed(by))
}

/// From a proposal of one holder to its effect, all times waited for.
pub fn by_referendum(call: impl Into<RuntimeCall>) {
    let proposal = preimage(Alice, &call.into());
    let referendum = pallet_democracy::ReferendumCount::<Runtime>::get();
    dispatch(pallet_democracy::Call::propose { proposal, value: 10 * PHA }, signed(Alice)).expect("proposed");
    dispatch(pallet_democracy::Call::second { proposal: referendum }, signed(Bob)).expect("seconded");
    blocks_until(constants::LAUNCH_BLOCKS + 1, "the vote opens", || {
        pallet_democracy::ReferendumCount::<Runtime>::get() > referendum
    });
    vote(Alice, referendum, true, 500_000 * PHA).expect("voted");
    vote(Bob, referendum, true, 500_000 * PHA).expect("voted");
    vote(Charlie, referendum, false, 1_000 * PHA).expect("voted");
    blocks(constants::VOTING_BLOCKS + constants::ENACTMENT_BLOCKS + 1);
}

/// Whether such an event happened in this block.
pub fn happened(matches: impl Fn(&RuntimeEvent) -> bool) -> bool {
    System::events().iter().any(|record| matches(&record.event))
}

/// Every balance there is adds up to what is issued, and that to the supply.
pub fn assert_supply() {
    let held: Balance =
        frame_system::Account::<Runtime>::iter_values().map(|one| one.data.free + one.data.reserved).sum();
    assert_eq!(held, Balances::total_issuance());
    assert_eq!(held, constants::SUPPLY);
}
