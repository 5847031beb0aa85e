//! Golden bytes of what people with PHA ask of the chain. `tests/vectors/holders.json` is the contract; run with
//! `PHALA_WRITE_VECTORS=1` to write it anew.

use codec::Encode;
use phala_messages::{
    Account, Hash, PoolId,
    bounties::{Bounties, Tips},
    calls::{Address, Balances, Call, Utility},
    holders::*,
    pools::Pools,
};
use std::{collections::BTreeMap, path::PathBuf};

const ALICE: Account = Account([0x77; 32]);
const HASH: Hash = Hash([0x11; 32]);

fn to() -> Address {
    Address::Id(ALICE)
}

fn transfer() -> Box<Call> {
    Box::new(Call::Balances(Balances::TransferKeepAlive { to: to(), amount: 5 }))
}

fn proposal() -> Proposal {
    Proposal::Lookup { hash: HASH, bytes: 300 }
}

fn vote(aye: bool, conviction: u8) -> AccountVote {
    AccountVote::Standard { vote: Vote { aye, conviction }, balance: 1_500_000_000_000 }
}

fn calls() -> Vec<(&'static str, Call)> {
    let amount = 1_500_000_000_000;
    let kind = ProxyType::StakePoolManager;
    let time = Timepoint { height: 4_242, index: 3 };
    let first = Some(time);
    vec![
        ("authorize-upgrade", Call::System(System::AuthorizeUpgrade { code_hash: HASH })),
        ("apply-upgrade", Call::System(System::ApplyAuthorizedUpgrade { code: vec![1, 2, 3] })),
        ("bond", Call::Staking(Staking::Bond { amount, payee: Payee::Staked })),
        ("bond-to-account", Call::Staking(Staking::Bond { amount, payee: Payee::Account(ALICE) })),
        ("bond-extra", Call::Staking(Staking::BondExtra { amount })),
        ("unbond", Call::Staking(Staking::Unbond { amount })),
        ("withdraw-unbonded", Call::Staking(Staking::WithdrawUnbonded { slashing_spans: 2 })),
        ("validate", Call::Staking(Staking::Validate { commission_ppb: 50_000_000, blocked: false })),
        ("nominate", Call::Staking(Staking::Nominate { validators: vec![to()] })),
        ("chill", Call::Staking(Staking::Chill)),
        ("payout-stakers", Call::Staking(Staking::PayoutStakers { validator: ALICE, era: 7 })),
        ("vest", Call::Vesting(Vesting::Vest)),
        ("vest-other", Call::Vesting(Vesting::VestOther { target: to() })),
        ("batch-all", Call::Utility(Utility::BatchAll { calls: vec![*transfer(), *transfer()] })),
        (
            "as-multi",
            Call::Multisig(Multisig::AsMulti {
                threshold: 2,
                others: vec![ALICE],
                first,
                call: transfer(),
                ref_time: 1_000_000_000,
                proof_size: 70,
            }),
        ),
        ("proxy", Call::Proxy(Proxy::Proxy { real: to(), kind: Some(kind), call: transfer() })),
        ("add-proxy", Call::Proxy(Proxy::Add { delegate: to(), kind, delay_blocks: 9 })),
        ("remove-proxy", Call::Proxy(Proxy::Remove { delegate: to(), kind, delay_blocks: 9 })),
        ("note-preimage", Call::Preimage(Preimage::Note { bytes: vec![1, 2, 3] })),
        ("force-enter", Call::SafeMode(SafeMode::ForceEnter)),
        ("force-extend", Call::SafeMode(SafeMode::ForceExtend)),
        ("force-exit", Call::SafeMode(SafeMode::ForceExit)),
        ("propose", Call::Democracy(Democracy::Propose { proposal: proposal(), deposit: amount })),
        ("second", Call::Democracy(Democracy::Second { proposal: 70 })),
        ("vote-aye", Call::Democracy(Democracy::Vote { referendum: 70, vote: vote(true, 1) })),
        ("vote-nay", Call::Democracy(Democracy::Vote { referendum: 70, vote: vote(false, 6) })),
        ("external-propose", Call::Democracy(Democracy::ExternalPropose { proposal: proposal() })),
        ("external-propose-majority", Call::Democracy(Democracy::ExternalProposeMajority { proposal: proposal() })),
        ("fast-track", Call::Democracy(Democracy::FastTrack { hash: HASH, voting_blocks: 5_400, delay_blocks: 1 })),
        ("veto", Call::Democracy(Democracy::VetoExternal { hash: HASH })),
        ("remove-vote", Call::Democracy(Democracy::RemoveVote { referendum: 70 })),
        ("unlock", Call::Democracy(Democracy::Unlock { target: to() })),
        ("council-propose", Call::Council(Body::Propose { threshold: 5, call: transfer(), bytes: 70 })),
        ("council-vote", Call::Council(Body::Vote { motion: HASH, number: 70, approve: true })),
        (
            "council-close",
            Call::Council(Body::Close { motion: HASH, number: 70, ref_time: 1_000_000_000, proof_size: 70, bytes: 70 }),
        ),
        ("committee-vote", Call::TechnicalCommittee(Body::Vote { motion: HASH, number: 70, approve: false })),
        ("elect", Call::Elections(Elections::Vote { candidates: vec![ALICE], amount })),
        ("remove-voter", Call::Elections(Elections::RemoveVoter)),
        ("submit-candidacy", Call::Elections(Elections::SubmitCandidacy { candidates: 3 })),
        ("renounce-seat", Call::Elections(Elections::RenounceCandidacy { renouncing: Renouncing::Member })),
        ("renounce-candidacy", Call::Elections(Elections::RenounceCandidacy { renouncing: Renouncing::Candidate(3) })),
        ("spend-local", Call::Treasury(Treasury::SpendLocal { amount, beneficiary: to() })),
        ("set-payee", Call::Staking(Staking::SetPayee { payee: Payee::Stash })),
        ("cancel-referendum", Call::Democracy(Democracy::CancelReferendum { referendum: 70 })),
        ("delegate", Call::Democracy(Democracy::Delegate { to: to(), conviction: 6, balance: amount })),
        ("undelegate", Call::Democracy(Democracy::Undelegate)),
        (
            "cancel-multi",
            Call::Multisig(Multisig::Cancel { threshold: 2, others: vec![ALICE], first: time, call_hash: HASH }),
        ),
        ("set-identity", Call::Identity(Identity::Set { person: Box::new(person()) })),
        ("clear-identity", Call::Identity(Identity::Clear)),
        ("encoded", Call::Encoded(transfer().encode())),
        ("encoded-in-a-proxy", Call::Proxy(Proxy::Proxy { real: to(), kind: None, call: encoded() })),
    ]
    .into_iter()
    .chain(pools())
    .chain(treasury())
    .collect()
}

fn encoded() -> Box<Call> {
    Box::new(Call::Encoded(transfer().encode()))
}

fn person() -> Person {
    let line = |text: &str| Line::new(text).unwrap();
    Person {
        additional: vec![(line("pet"), line("cat"))],
        display: line("Ada"),
        web: line("ada.example"),
        pgp_fingerprint: Some([7; 20]),
        ..Person::default()
    }
}

fn pools() -> Vec<(&'static str, Call)> {
    let (pool, vault, shares, amount) = (PoolId(4), PoolId(5), 2_500_000_000_000, 1_500_000_000_000);
    [
        ("create-stake-pool", Pools::CreateStakePool { commission_ppm: 50_000 }),
        ("create-vault", Pools::CreateVault { commission_ppm: 50_000 }),
        ("set-commission", Pools::SetCommission { pool, rate_ppm: 60_000 }),
        ("set-cap", Pools::SetCap { pool, cap: Some(amount) }),
        ("set-no-cap", Pools::SetCap { pool, cap: None }),
        ("set-description", Pools::SetDescription { pool, description: b"in Lisbon".to_vec() }),
        ("add-to-list", Pools::AddToList { pool, account: ALICE, note: b"a friend".to_vec() }),
        ("remove-from-list", Pools::RemoveFromList { pool, account: ALICE }),
        ("close-pool", Pools::Close { pool }),
        ("remove-pool", Pools::Remove { pool }),
        ("contribute", Pools::Contribute { pool, amount }),
        ("withdraw", Pools::Withdraw { pool, shares }),
        ("cancel-withdrawal", Pools::CancelWithdrawal { pool, request: 7, shares }),
        ("transfer-shares", Pools::TransferShares { pool, to: ALICE, shares }),
        ("vault-contribute", Pools::VaultContribute { vault, pool, amount }),
        ("vault-withdraw", Pools::VaultWithdraw { vault, pool, shares }),
        ("vault-cancel", Pools::VaultCancel { vault, pool, request: 7, shares }),
        ("settle-vault", Pools::SettleVault { vault }),
    ]
    .map(|(name, call)| (name, Call::Pools(call)))
    .into()
}

fn treasury() -> Vec<(&'static str, Call)> {
    let (bounty, amount) = (70, 1_500_000_000_000);
    let bounties = [
        ("propose-bounty", Bounties::Propose { amount, description: b"a bridge".to_vec() }),
        ("approve-bounty", Bounties::Approve { bounty }),
        ("propose-curator", Bounties::ProposeCurator { bounty, curator: to(), fee: 5 }),
        ("unassign-curator", Bounties::UnassignCurator { bounty }),
        ("accept-curator", Bounties::AcceptCurator { bounty }),
        ("award-bounty", Bounties::Award { bounty, beneficiary: to() }),
        ("claim-bounty", Bounties::Claim { bounty }),
        ("close-bounty", Bounties::Close { bounty }),
        ("extend-bounty", Bounties::Extend { bounty, remark: b"half".to_vec() }),
    ];
    let tips = [
        ("report-tip", Tips::Report { reason: b"a bug".to_vec(), who: to() }),
        ("retract-tip", Tips::Retract { tip: HASH }),
        ("new-tip", Tips::New { reason: b"a bug".to_vec(), who: to(), amount }),
        ("tip", Tips::Tip { tip: HASH, amount }),
        ("close-tip", Tips::Close { tip: HASH }),
    ];
    let bounties = bounties.map(|(name, call)| (name, Call::Bounties(call)));
    bounties.into_iter().chain(tips.map(|(name, call)| (name, Call::Tips(call)))).collect()
}

#[test]
fn calls_of_holders_have_golden_bytes() {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = PathBuf::from(folder).join("../../tests/vectors/holders.json");
    let found: BTreeMap<String, String> =
        calls().into_iter().map(|(name, call)| (name.to_owned(), hex::encode(call.encode()))).collect();
    assert_eq!(found.len(), calls().len());
    if std::env::var_os("PHALA_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let golden: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found, golden);
}
