//! The runtime holds what people with PHA read by proof, as `phala_messages` reads it, against its own: where it lies, and its bytes.

use crate::*;
use alloc::{vec, vec::Vec};
use codec::{Decode, Encode};
use frame_support::traits::{Bounded, ConstU32, tokens::IdAmount};
use pallet_collective::{Instance1, Instance2};
use phala_messages::{
    Account, Hash as Digest, PoolId, WorkerId,
    bounties::{Bounty, BountyStatus, OpenTip},
    holders::{Line, Person, ProxyType},
    ledgers::*,
    storage,
};
use sp_runtime::{Perbill, traits::BlakeTwo256};

const AMOUNT: u128 = 1_500_000_000_000;
const ALICE: Account = Account([0x77; 32]);
const BOB: Account = Account([0x78; 32]);
const HASH: Digest = Digest([0x11; 32]);
const POOL: PoolId = PoolId(4);
const WORKER: WorkerId = WorkerId([8; 32]);

fn id(account: Account) -> AccountId {
    AccountId::from(account.0)
}

fn hash() -> Hash {
    HASH.0.into()
}

#[track_caller]
fn same(ours: impl Encode, theirs: impl Encode) {
    assert_eq!(ours.encode(), theirs.encode());
}

#[test]
fn what_holders_have_lies_where_clients_look_for_it() {
    let alice = || id(ALICE);
    assert_eq!(storage::total_issuance(), pallet_balances::TotalIssuance::<Runtime>::hashed_key());
    assert_eq!(storage::inactive_issuance(), pallet_balances::InactiveIssuance::<Runtime>::hashed_key());
    assert_eq!(storage::locks(&ALICE), pallet_balances::Locks::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::holds(&ALICE), pallet_balances::Holds::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::vesting(&ALICE), pallet_vesting::Vesting::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::proxies(&ALICE), pallet_proxy::Proxies::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::identity(&ALICE), pallet_identity::IdentityOf::<Runtime>::hashed_key_for(alice()));
    assert_eq!(
        storage::multisig_call(&ALICE, &HASH),
        pallet_multisig::Multisigs::<Runtime>::hashed_key_for(alice(), HASH.0)
    );
}

#[test]
fn pools_and_work_lie_where_clients_look_for_them() {
    let alice = || id(ALICE);
    assert_eq!(storage::pool_count(), pallet_pools::PoolCount::<Runtime>::hashed_key());
    assert_eq!(storage::pool(POOL), pallet_pools::Pools::<Runtime>::hashed_key_for(POOL));
    assert_eq!(storage::pool_description(POOL), pallet_pools::Descriptions::<Runtime>::hashed_key_for(POOL));
    assert_eq!(storage::pool_listed(POOL, &ALICE), pallet_pools::Listed::<Runtime>::hashed_key_for(POOL, alice()));
    assert_eq!(storage::holding(POOL, &ALICE), pallet_pools::Holdings::<Runtime>::hashed_key_for(POOL, alice()));
    assert_eq!(storage::positions(&ALICE), pallet_pools::Positions::<Runtime>::hashed_key_for(alice()));
    assert_eq!(
        storage::pool_request(POOL, 7),
        pallet_pools::Requests::<Runtime>::hashed_key_for(POOL, phala_economics::RequestId(7))
    );
    assert_eq!(storage::pool_vote_lock(&ALICE), pallet_pools::VoteLocks::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::pool_workers(POOL), pallet_computation::PoolWorkers::<Runtime>::hashed_key_for(POOL));
    assert_eq!(storage::pool_work(POOL), pallet_computation::PoolsAtWork::<Runtime>::hashed_key_for(POOL));
    assert_eq!(storage::work(&WORKER), pallet_computation::Work::<Runtime>::hashed_key_for(WORKER));
    assert_eq!(storage::session(&WORKER), pallet_computation::Sessions::<Runtime>::hashed_key_for(WORKER));
    assert_eq!(storage::work_parameters(), pallet_computation::Tariff::<Runtime>::hashed_key());
    assert_eq!(storage::budget_schedule(), pallet_computation::Budget::<Runtime>::hashed_key());
    assert_eq!(storage::work_rules(), pallet_computation::Rules::<Runtime>::hashed_key());
    assert_eq!(storage::work_accrued(), pallet_computation::Accrued::<Runtime>::hashed_key());
    assert_eq!(storage::responsive_count(), pallet_computation::ResponsiveCount::<Runtime>::hashed_key());
    assert_eq!(storage::banned(&WORKER), pallet_computation::Banned::<Runtime>::hashed_key_for(WORKER));
}

#[test]
fn stakes_lie_where_clients_look_for_them() {
    use pallet_staking as staking;
    let alice = || id(ALICE);
    assert_eq!(storage::stake_ledger(&ALICE), staking::Ledger::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::stake_payee(&ALICE), staking::Payee::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::validator_prefs(&ALICE), staking::Validators::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::nominations(&ALICE), staking::Nominators::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::slashing_spans(&ALICE), staking::SlashingSpans::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::active_era(), staking::ActiveEra::<Runtime>::hashed_key());
    assert_eq!(storage::era_reward(7), staking::ErasValidatorReward::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::era_points(7), staking::ErasRewardPoints::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::era_exposure(7, &ALICE), staking::ErasStakersOverview::<Runtime>::hashed_key_for(7, alice()));
    assert_eq!(storage::era_claimed(7, &ALICE), staking::ClaimedRewards::<Runtime>::hashed_key_for(7, alice()));
    assert_eq!(storage::session_validators(), pallet_session::Validators::<Runtime>::hashed_key());
    assert_eq!(storage::session_next_keys(&ALICE), pallet_session::NextKeys::<Runtime>::hashed_key_for(alice()));
}

#[test]
fn votes_lie_where_clients_look_for_them() {
    use pallet_democracy as democracy;
    let alice = || id(ALICE);
    assert_eq!(storage::referendum_count(), democracy::ReferendumCount::<Runtime>::hashed_key());
    assert_eq!(storage::referendum(7), democracy::ReferendumInfoOf::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::public_proposals(), democracy::PublicProps::<Runtime>::hashed_key());
    assert_eq!(storage::proposal_deposits(7), democracy::DepositOf::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::voting(&ALICE), democracy::VotingOf::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::next_external(), democracy::NextExternal::<Runtime>::hashed_key());
    assert_eq!(storage::body_members("Council"), pallet_collective::Members::<Runtime, Instance1>::hashed_key());
    assert_eq!(storage::body_motions("Council"), pallet_collective::Proposals::<Runtime, Instance1>::hashed_key());
    assert_eq!(
        storage::body_motion_call("TechnicalCommittee", &HASH),
        pallet_collective::ProposalOf::<Runtime, Instance2>::hashed_key_for(hash())
    );
    assert_eq!(
        storage::body_motion("Council", &HASH),
        pallet_collective::Voting::<Runtime, Instance1>::hashed_key_for(hash())
    );
    assert_eq!(storage::elected_members(), pallet_elections_phragmen::Members::<Runtime>::hashed_key());
    assert_eq!(storage::runners_up(), pallet_elections_phragmen::RunnersUp::<Runtime>::hashed_key());
    assert_eq!(storage::election_candidates(), pallet_elections_phragmen::Candidates::<Runtime>::hashed_key());
    assert_eq!(storage::election_vote(&ALICE), pallet_elections_phragmen::Voting::<Runtime>::hashed_key_for(alice()));
    assert_eq!(storage::bounty_count(), pallet_bounties::BountyCount::<Runtime>::hashed_key());
    assert_eq!(storage::bounty(7), pallet_bounties::Bounties::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::bounty_description(7), pallet_bounties::BountyDescriptions::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::tip(&HASH), pallet_tips::Tips::<Runtime>::hashed_key_for(hash()));
    assert_eq!(storage::tip_reason(&HASH), pallet_tips::Reasons::<Runtime>::hashed_key_for(hash()));
    assert_eq!(storage::treasury_approvals(), pallet_treasury::Approvals::<Runtime>::hashed_key());
    assert_eq!(storage::treasury_spend(7), pallet_treasury::Proposals::<Runtime>::hashed_key_for(7));
    assert_eq!(storage::preimage(&HASH, 300), pallet_preimage::PreimageFor::<Runtime>::hashed_key_for((hash(), 300)));
    assert_eq!(storage::safe_mode_until(), pallet_safe_mode::EnteredUntil::<Runtime>::hashed_key());
}

#[test]
fn money_is_written_as_clients_read_it() {
    let reasons = pallet_balances::Reasons::All;
    same(
        Lock { id: *b"democrac", amount: AMOUNT, reasons: 2 },
        pallet_balances::BalanceLock { id: *b"democrac", amount: AMOUNT, reasons },
    );
    for (pallet, reason, theirs) in [
        (9, 0, RuntimeHoldReason::from(pallet_staking::HoldReason::Staking)),
        (24, 0, pallet_preimage::HoldReason::Preimage.into()),
        (51, 0, pallet_programs::HoldReason::Program.into()),
        (51, 1, pallet_programs::HoldReason::Command.into()),
        (52, 0, pallet_custody::HoldReason::Bond.into()),
        (62, 0, pallet_credit::HoldReason::ProgramStake.into()),
    ] {
        same(Hold { pallet, reason, amount: AMOUNT }, IdAmount { id: theirs, amount: AMOUNT });
    }
    same(
        VestingSchedule { locked: AMOUNT, per_block: 7, from: 3 },
        pallet_vesting::VestingInfo::<Balance, BlockNumber>::new(AMOUNT, 7, 3),
    );
    same(
        ProxyDefinition { delegate: ALICE, kind: ProxyType::StakePoolManager, delay_blocks: 9 },
        pallet_proxy::ProxyDefinition::<AccountId, accounts::ProxyType, BlockNumber> {
            delegate: id(ALICE),
            proxy_type: accounts::ProxyType::StakePoolManager,
            delay: 9,
        },
    );
    same(
        MultisigCall { height: 4, index: 3, deposit: AMOUNT, depositor: ALICE, approvals: vec![ALICE, BOB] },
        pallet_multisig::Multisig::<BlockNumber, Balance, AccountId, ConstU32<100>> {
            when: pallet_multisig::Timepoint { height: 4, index: 3 },
            deposit: AMOUNT,
            depositor: id(ALICE),
            approvals: vec![id(ALICE), id(BOB)].try_into().unwrap_or_default(),
        },
    );
    same(
        PoolWorker { worker: WORKER, stake: AMOUNT },
        pallet_computation::PoolWorker { worker: WORKER, stake: phala_units::Planck(AMOUNT) },
    );
}

#[test]
fn identities_are_written_as_clients_read_them() {
    let data = pallet_identity::Data::Raw(b"Ada".to_vec().try_into().unwrap_or_default());
    let none = || pallet_identity::Data::None;
    let info = pallet_identity::legacy::IdentityInfo::<ConstU32<100>> {
        additional: Default::default(),
        display: data,
        legal: none(),
        web: none(),
        riot: none(),
        email: none(),
        pgp_fingerprint: None,
        image: none(),
        twitter: none(),
    };
    let judgements = vec![
        (0, pallet_identity::Judgement::FeePaid(AMOUNT)),
        (1, pallet_identity::Judgement::KnownGood),
        (2, pallet_identity::Judgement::Erroneous),
    ];
    let theirs = pallet_identity::Registration::<Balance, ConstU32<20>, _> {
        judgements: judgements.try_into().unwrap_or_default(),
        deposit: AMOUNT,
        info,
    };
    let person = Person { display: Line::new("Ada").unwrap_or_default(), ..Person::default() };
    let judgements = vec![(0, Judgement::FeePaid(AMOUNT)), (1, Judgement::KnownGood), (2, Judgement::Erroneous)];
    same(IdentityRecord { judgements, deposit: AMOUNT, person }, theirs);
}

#[test]
fn stakes_are_written_as_clients_read_them() {
    let chunk = pallet_staking::UnlockChunk { value: 5u128, era: 70 };
    same(
        StakeLedger {
            stash: ALICE,
            total: AMOUNT,
            active: 5,
            unlocking: vec![Unlocking { amount: 5, era: 70 }],
            claimed_before: vec![3],
        },
        pallet_staking::StakingLedger::<Runtime> {
            stash: id(ALICE),
            total: AMOUNT,
            active: 5,
            unlocking: vec![chunk].try_into().unwrap_or_default(),
            legacy_claimed_rewards: vec![3].try_into().unwrap_or_default(),
            controller: None,
        },
    );
    same(
        ValidatorPrefs { commission_ppb: 50_000_000, blocked: true },
        pallet_staking::ValidatorPrefs { commission: Perbill::from_percent(5), blocked: true },
    );
    same(
        Nominations { targets: vec![ALICE], submitted_in: 7, suppressed: true },
        pallet_staking::Nominations::<Runtime> {
            targets: vec![id(ALICE)].try_into().unwrap_or_default(),
            submitted_in: 7,
            suppressed: true,
        },
    );
    same(ActiveEra { index: 7, start: Some(8) }, pallet_staking::ActiveEraInfo { index: 7, start: Some(8) });
    same(
        EraPoints { total: 40, individual: vec![(ALICE, 20), (BOB, 20)] },
        pallet_staking::EraRewardPoints { total: 40, individual: [(id(ALICE), 20), (id(BOB), 20)].into() },
    );
    same(
        Exposure { total: AMOUNT, own: 5, nominators: 3, pages: 1 },
        sp_staking::PagedExposureMetadata { total: AMOUNT, own: 5, nominator_count: 3, page_count: 1 },
    );
}

#[test]
fn votes_are_written_as_clients_read_them() {
    use pallet_democracy as democracy;
    type Call = Bounded<RuntimeCall, BlakeTwo256>;
    same(Proposed::Lookup { hash: HASH, bytes: 300 }, Call::Lookup { hash: hash(), len: 300 });
    same(Proposed::Inline(vec![1, 2, 3]), Call::Inline(vec![1, 2, 3].try_into().unwrap_or_default()));
    for (ours, theirs) in [
        (Threshold::SuperMajorityApprove, democracy::VoteThreshold::SuperMajorityApprove),
        (Threshold::SuperMajorityAgainst, democracy::VoteThreshold::SuperMajorityAgainst),
        (Threshold::SimpleMajority, democracy::VoteThreshold::SimpleMajority),
    ] {
        let status = democracy::ReferendumStatus::<BlockNumber, Call, Balance> {
            end: 9,
            proposal: Call::Lookup { hash: hash(), len: 300 },
            threshold: theirs,
            delay: 3,
            tally: democracy::Tally { ayes: AMOUNT, nays: 5, turnout: 9 },
        };
        let proposal = Proposed::Lookup { hash: HASH, bytes: 300 };
        let tally = Tally { ayes: AMOUNT, nays: 5, turnout: 9 };
        same(
            Referendum::Ongoing { end: 9, proposal, threshold: ours, delay_blocks: 3, tally },
            democracy::ReferendumInfo::Ongoing(status),
        );
    }
    same(
        Referendum::Finished { approved: true, end: 9 },
        democracy::ReferendumInfo::<BlockNumber, Call, Balance>::Finished { approved: true, end: 9 },
    );
    let conviction = democracy::Conviction::Locked6x;
    let vote = democracy::Vote { aye: true, conviction };
    type Voted = democracy::Voting<Balance, AccountId, BlockNumber, ConstU32<100>>;
    let mut theirs = Voted::default();
    if let Voted::Direct { votes, delegations, prior } = &mut theirs {
        let cast = [
            (0, democracy::AccountVote::Standard { vote, balance: AMOUNT }),
            (1, democracy::AccountVote::Split { aye: 3, nay: 4 }),
        ];
        *votes = cast.to_vec().try_into().unwrap_or_default();
        *delegations = democracy::Delegations { votes: 3, capital: 1 };
        prior.accumulate(9, 4);
    }
    let (delegations, prior) = (Delegations { votes: 3, capital: 1 }, PriorLock { until: 9, amount: 4 });
    let votes = vec![
        (0, CastVote::Standard { aye: true, conviction: 6, balance: AMOUNT }),
        (1, CastVote::Split { aye: 3, nay: 4 }),
    ];
    same(Voting::Direct { votes, delegations, prior }, theirs);
    same(
        Voting::Delegating {
            balance: AMOUNT,
            target: BOB,
            conviction: 6,
            delegations: Delegations::default(),
            prior: PriorLock::default(),
        },
        Voted::Delegating {
            balance: AMOUNT,
            target: id(BOB),
            conviction,
            delegations: Default::default(),
            prior: *Voted::default().prior(),
        },
    );
}

#[test]
fn bodies_and_the_treasury_write_as_clients_read() {
    same(
        Seat { who: ALICE, backing: AMOUNT, deposit: 5 },
        pallet_elections_phragmen::SeatHolder { who: id(ALICE), stake: AMOUNT, deposit: 5u128 },
    );
    same(
        ElectionVote { candidates: vec![ALICE], stake: AMOUNT, deposit: 5 },
        pallet_elections_phragmen::Voter { votes: vec![id(ALICE)], stake: AMOUNT, deposit: 5u128 },
    );
    same(
        Spend { proposer: ALICE, amount: AMOUNT, beneficiary: BOB, bond: 5 },
        pallet_treasury::Proposal { proposer: id(ALICE), value: AMOUNT, beneficiary: id(BOB), bond: 5u128 },
    );
    sp_io::TestExternalities::default().execute_with(|| {
        System::set_block_number(1);
        pallet_collective::Members::<Runtime, Instance1>::put(vec![id(ALICE), id(BOB)]);
        let call: RuntimeCall = frame_system::Call::remark { remark: vec![1] }.into();
        let bytes = call.encode();
        let name = <BlakeTwo256 as sp_runtime::traits::Hash>::hash(&bytes);
        let moved = Council::propose(RuntimeOrigin::signed(id(ALICE)), 2, alloc::boxed::Box::new(call), 100);
        assert!(moved.is_ok(), "{moved:?}");
        let voted = Council::vote(RuntimeOrigin::signed(id(BOB)), name, 0, false);
        assert!(voted.is_ok(), "{voted:?}");
        let read = |key: Vec<u8>| sp_io::storage::get(&key).map(|value| value.to_vec());
        let motion = read(storage::body_motion("Council", &Digest(name.0))).unwrap_or_default();
        let motion = Motion::decode(&mut &motion[..]);
        let end = 1 + constants::MOTION_BLOCKS;
        assert_eq!(motion, Ok(Motion { number: 0, threshold: 2, ayes: vec![], nays: vec![BOB], end }));
        assert_eq!(read(storage::body_motion_call("Council", &Digest(name.0))), Some(bytes));
    });
}

#[test]
fn upgrades_bounties_and_tips_are_written_as_clients_read() {
    use pallet_bounties::BountyStatus as Theirs;
    let (curator, beneficiary) = (id(BOB), id(ALICE));
    same(BountyStatus::Proposed, Theirs::<AccountId, u32>::Proposed);
    same(BountyStatus::Approved, Theirs::<AccountId, u32>::Approved);
    same(BountyStatus::Funded, Theirs::<AccountId, u32>::Funded);
    same(
        BountyStatus::CuratorProposed { curator: BOB },
        Theirs::<_, u32>::CuratorProposed { curator: curator.clone() },
    );
    same(
        BountyStatus::Active { curator: BOB, update_due: 9 },
        Theirs::Active { curator: curator.clone(), update_due: 9u32 },
    );
    same(
        BountyStatus::PendingPayout { curator: BOB, beneficiary: ALICE, unlock_at: 9 },
        Theirs::PendingPayout { curator: curator.clone(), beneficiary, unlock_at: 9u32 },
    );
    same(BountyStatus::ApprovedWithCurator { curator: BOB }, Theirs::<_, u32>::ApprovedWithCurator { curator });

    sp_io::TestExternalities::default().execute_with(|| {
        System::set_block_number(1);
        let rich = 1_000 * AMOUNT;
        assert!(<Balances as frame_support::traits::fungible::Mutate<_>>::mint_into(&id(ALICE), rich).is_ok());
        let read = |key: Vec<u8>| sp_io::storage::get(&key).map(|value| value.to_vec()).unwrap_or_default();

        let allowed = System::authorize_upgrade(RuntimeOrigin::root(), hash());
        assert!(allowed.is_ok(), "{allowed:?}");
        let allowed = AuthorizedUpgrade::decode(&mut &read(storage::authorized_upgrade())[..]);
        assert_eq!(allowed, Ok(AuthorizedUpgrade { code_hash: HASH, checks_version: true }));

        let (value, text) = (10 * AMOUNT, b"a bridge".to_vec());
        let proposed = Bounties::propose_bounty(RuntimeOrigin::signed(id(ALICE)), value, text.clone());
        assert!(proposed.is_ok(), "{proposed:?}");
        let bounty = Bounty::decode(&mut &read(storage::bounty(0))[..]);
        let bond = bounty.as_ref().map_or(0, |bounty| bounty.bond);
        assert!(bond > 0, "a proposal has a deposit");
        let status = BountyStatus::Proposed;
        assert_eq!(bounty, Ok(Bounty { proposer: ALICE, value, fee: 0, curator_deposit: 0, bond, status }));
        assert_eq!(read(storage::bounty_description(0)), text.encode());

        let reason = b"a bug".to_vec();
        let reported = Tips::report_awesome(RuntimeOrigin::signed(id(ALICE)), reason.clone(), id(BOB).into());
        assert!(reported.is_ok(), "{reported:?}");
        let of_reason = Digest(sp_io::hashing::blake2_256(&reason));
        let name = Digest(phala_messages::bounties::tip_name(&reason, &BOB).0);
        let tip = OpenTip::decode(&mut &read(storage::tip(&name))[..]);
        let deposit = tip.as_ref().map_or(0, |tip| tip.deposit);
        let expected = OpenTip {
            reason: of_reason,
            who: BOB,
            finder: ALICE,
            deposit,
            closes: None,
            tips: vec![],
            finders_fee: true,
        };
        assert_eq!(tip, Ok(expected));
        assert_eq!(read(storage::tip_reason(&of_reason)), reason.encode());
    });
}

#[test]
fn accounts_without_a_key_are_where_clients_look_for_them() {
    for pool in [POOL, PoolId(u64::MAX)] {
        let mut ours = [0; 32];
        let name = [b"modlphala/po".as_slice(), &pool.0.to_le_bytes()].concat();
        ours[..name.len()].copy_from_slice(&name);
        assert_eq!(Pools::account(pool), AccountId::from(ours));
    }
    let mut treasury = [0; 32];
    treasury[..12].copy_from_slice(b"modlpy/trsry");
    assert_eq!(Treasury::account_id(), AccountId::from(treasury));
    let signers = vec![id(ALICE), id(BOB)];
    let shared = (b"modlpy/utilisuba", &signers, 2u16).using_encoded(sp_io::hashing::blake2_256);
    assert_eq!(Multisig::multi_account_id(&signers, 2), AccountId::from(shared));
}
