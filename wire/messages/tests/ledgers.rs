//! Golden bytes of what holders read: records of FRAME's pallets in both directions, and where they lie. `tests/vectors/ledgers.json` is the
//! contract; run with `PHALA_WRITE_VECTORS=1` to write it anew.

use codec::{Decode, DecodeAll, Encode};
use phala_messages::{
    Account, Hash, PoolId, WorkerId,
    bounties::{Bounty, BountyStatus, OpenTip},
    holders::{Line, Person, ProxyType},
    ledgers::*,
    storage,
};
use std::{collections::BTreeMap, fmt::Debug, path::PathBuf};

const ALICE: Account = Account([0x77; 32]);
const BOB: Account = Account([0x78; 32]);
const HASH: Hash = Hash([0x11; 32]);
const POOL: PoolId = PoolId(4);
const AMOUNT: u128 = 1_500_000_000_000;

type Found = BTreeMap<String, String>;

/// Its bytes, which no byte more or less decodes like.
fn value<T: Encode + Decode + PartialEq + Debug>(found: &mut Found, name: &str, value: T) {
    let bytes = value.encode();
    assert_eq!(T::decode_all(&mut &bytes[..]).as_ref(), Ok(&value), "{name}");
    assert!(T::decode_all(&mut &[bytes.clone(), vec![0]].concat()[..]).is_err(), "{name} with a byte more");
    assert!(T::decode_all(&mut &bytes[..bytes.len() - 1]).is_err(), "{name} with a byte less");
    assert!(found.insert(format!("ledger/{name}"), hex::encode(bytes)).is_none(), "{name} twice");
}

fn money(found: &mut Found) {
    value(found, "lock", Lock { id: *b"democrac", amount: AMOUNT, reasons: 2 });
    value(found, "hold", Hold { pallet: 9, reason: 0, amount: AMOUNT });
    value(found, "vesting", VestingSchedule { locked: AMOUNT, per_block: 7, from: 3 });
    value(found, "proxy", ProxyDefinition { delegate: ALICE, kind: ProxyType::StakePoolManager, delay_blocks: 9 });
    value(
        found,
        "multisig",
        MultisigCall { height: 4, index: 3, deposit: AMOUNT, depositor: ALICE, approvals: vec![ALICE] },
    );
    let person = Person { display: Line::new("Ada").unwrap(), ..Person::default() };
    let judgements = vec![(0, Judgement::FeePaid(AMOUNT)), (1, Judgement::KnownGood)];
    value(found, "identity", IdentityRecord { judgements, deposit: AMOUNT, person });
    value(found, "pool-worker", PoolWorker { worker: WorkerId([0x22; 32]), stake: AMOUNT });
    let unlocking = vec![Unlocking { amount: 5, era: 70 }];
    value(found, "stake", StakeLedger { stash: ALICE, total: AMOUNT, active: 5, unlocking, claimed_before: vec![3] });
    value(found, "validator", ValidatorPrefs { commission_ppb: 50_000_000, blocked: true });
    value(found, "nominations", Nominations { targets: vec![ALICE], submitted_in: 7, suppressed: false });
    value(found, "slashing-spans", SlashingSpans { index: 1, last_start: 2, last_slash: 3, prior: vec![4] });
    value(found, "era", ActiveEra { index: 7, start: Some(1_700_000_000_123) });
    value(found, "points", EraPoints { total: 40, individual: vec![(ALICE, 20), (BOB, 20)] });
    value(found, "exposure", Exposure { total: AMOUNT, own: 5, nominators: 3, pages: 1 });
}

fn votes(found: &mut Found) {
    value(found, "proposed/legacy", Proposed::Legacy { hash: HASH });
    value(found, "proposed/inline", Proposed::Inline(vec![1, 2, 3]));
    value(found, "proposed/lookup", Proposed::Lookup { hash: HASH, bytes: 300 });
    let tally = Tally { ayes: AMOUNT, nays: 5, turnout: 9 };
    let proposal = Proposed::Lookup { hash: HASH, bytes: 300 };
    let threshold = Threshold::SuperMajorityApprove;
    value(found, "referendum/open", Referendum::Ongoing { end: 9, proposal, threshold, delay_blocks: 3, tally });
    value(found, "referendum/over", Referendum::Finished { approved: true, end: 9 });
    let (delegations, prior) = (Delegations { votes: 3, capital: 1 }, PriorLock { until: 9, amount: 4 });
    let votes = vec![
        (0, CastVote::Standard { aye: true, conviction: 6, balance: AMOUNT }),
        (1, CastVote::Split { aye: 3, nay: 4 }),
    ];
    value(found, "voting/direct", Voting::Direct { votes, delegations, prior });
    value(
        found,
        "voting/delegating",
        Voting::Delegating { balance: AMOUNT, target: BOB, conviction: 2, delegations, prior },
    );
    value(found, "motion", Motion { number: 7, threshold: 5, ayes: vec![ALICE], nays: vec![BOB], end: 9 });
    value(found, "seat", Seat { who: ALICE, backing: AMOUNT, deposit: 5 });
    value(found, "election-vote", ElectionVote { candidates: vec![ALICE], stake: AMOUNT, deposit: 5 });
    value(found, "spend", Spend { proposer: ALICE, amount: AMOUNT, beneficiary: BOB, bond: 5 });
    let statuses = [
        ("proposed", BountyStatus::Proposed),
        ("approved", BountyStatus::Approved),
        ("funded", BountyStatus::Funded),
        ("curator-proposed", BountyStatus::CuratorProposed { curator: BOB }),
        ("active", BountyStatus::Active { curator: BOB, update_due: 9 }),
        ("pending-payout", BountyStatus::PendingPayout { curator: BOB, beneficiary: ALICE, unlock_at: 9 }),
        ("approved-with-curator", BountyStatus::ApprovedWithCurator { curator: BOB }),
    ];
    for (name, status) in statuses {
        let bounty = Bounty { proposer: ALICE, value: AMOUNT, fee: 5, curator_deposit: 6, bond: 7, status };
        value(found, &format!("bounty/{name}"), bounty);
    }
    value(found, "authorized-upgrade", AuthorizedUpgrade { code_hash: HASH, checks_version: true });
    let (closes, tips) = (Some(9), vec![(BOB, AMOUNT)]);
    value(found, "tip", OpenTip { reason: HASH, who: ALICE, finder: BOB, deposit: 5, closes, tips, finders_fee: true });
}

fn keys(found: &mut Found) {
    let all = [
        ("total-issuance", storage::total_issuance()),
        ("inactive-issuance", storage::inactive_issuance()),
        ("locks", storage::locks(&ALICE)),
        ("holds", storage::holds(&ALICE)),
        ("vesting", storage::vesting(&ALICE)),
        ("proxies", storage::proxies(&ALICE)),
        ("identity", storage::identity(&ALICE)),
        ("multisig-call", storage::multisig_call(&ALICE, &HASH)),
        ("authorized-upgrade", storage::authorized_upgrade()),
        ("bounty-count", storage::bounty_count()),
        ("bounty", storage::bounty(7)),
        ("bounty-description", storage::bounty_description(7)),
        ("tip", storage::tip(&HASH)),
        ("tip-reason", storage::tip_reason(&HASH)),
        ("pool-count", storage::pool_count()),
        ("pool", storage::pool(POOL)),
        ("pool-description", storage::pool_description(POOL)),
        ("pool-listed", storage::pool_listed(POOL, &ALICE)),
        ("holding", storage::holding(POOL, &ALICE)),
        ("positions", storage::positions(&ALICE)),
        ("pool-request", storage::pool_request(POOL, 7)),
        ("pool-vote-lock", storage::pool_vote_lock(&ALICE)),
        ("pool-workers", storage::pool_workers(POOL)),
        ("work-rules", storage::work_rules()),
        ("work-accrued", storage::work_accrued()),
        ("responsive-count", storage::responsive_count()),
        ("banned", storage::banned(&WorkerId([0x22; 32]))),
        ("stake-ledger", storage::stake_ledger(&ALICE)),
        ("stake-payee", storage::stake_payee(&ALICE)),
        ("validator-prefs", storage::validator_prefs(&ALICE)),
        ("nominations", storage::nominations(&ALICE)),
        ("slashing-spans", storage::slashing_spans(&ALICE)),
        ("active-era", storage::active_era()),
        ("era-reward", storage::era_reward(7)),
        ("era-points", storage::era_points(7)),
        ("era-exposure", storage::era_exposure(7, &ALICE)),
        ("era-claimed", storage::era_claimed(7, &ALICE)),
        ("session-validators", storage::session_validators()),
        ("session-next-keys", storage::session_next_keys(&ALICE)),
        ("referendum-count", storage::referendum_count()),
        ("referendum", storage::referendum(7)),
        ("public-proposals", storage::public_proposals()),
        ("proposal-deposits", storage::proposal_deposits(7)),
        ("voting", storage::voting(&ALICE)),
        ("next-external", storage::next_external()),
        ("council-members", storage::body_members("Council")),
        ("council-motions", storage::body_motions("Council")),
        ("council-motion-call", storage::body_motion_call("Council", &HASH)),
        ("council-motion", storage::body_motion("Council", &HASH)),
        ("elected-members", storage::elected_members()),
        ("runners-up", storage::runners_up()),
        ("election-candidates", storage::election_candidates()),
        ("election-vote", storage::election_vote(&ALICE)),
        ("treasury-approvals", storage::treasury_approvals()),
        ("treasury-spend", storage::treasury_spend(7)),
        ("preimage", storage::preimage(&HASH, 300)),
        ("safe-mode-until", storage::safe_mode_until()),
    ];
    for (name, key) in all {
        assert!(found.insert(format!("storage/{name}"), hex::encode(key)).is_none(), "{name} twice");
    }
}

#[test]
fn what_holders_read_has_golden_bytes() {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = PathBuf::from(folder).join("../../tests/vectors/ledgers.json");
    let mut found = Found::new();
    money(&mut found);
    votes(&mut found);
    keys(&mut found);
    if std::env::var_os("PHALA_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let golden: Found = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found, golden);
}
