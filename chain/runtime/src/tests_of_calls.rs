//! The runtime holds what people with PHA ask of it, as `phala_messages::holders` writes it, against its own words.

use crate::*;
use alloc::{boxed::Box, vec};
use codec::Encode;
use frame_support::{traits::Bounded, weights::Weight};
use pallet_collective::{Instance1, Instance2};
use phala_messages::{
    Account, Hash as Digest, PoolId, WorkerId,
    bounties::{Bounties, Tips},
    calls::{self, Call, Computation as Work},
    holders::{
        AccountVote, Body, Democracy, Elections, Identity, Line, Multisig, Payee, Person, Preimage, Proposal, Proxy,
        ProxyType, Renouncing, SafeMode, Staking, System, Timepoint, Treasury, Vesting, Vote,
    },
    pools::Pools as Stake,
};
use sp_runtime::{MultiAddress, Perbill};

const AMOUNT: u128 = 1_500_000_000_000;
const DIGEST: Digest = Digest([0x11; 32]);
const ALICE: Account = Account([0x77; 32]);

fn id() -> AccountId {
    AccountId::from(ALICE.0)
}

fn theirs() -> Address {
    MultiAddress::Id(id())
}

fn ours() -> calls::Address {
    calls::Address::Id(ALICE)
}

fn transfer() -> Box<Call> {
    Box::new(Call::Balances(calls::Balances::TransferKeepAlive { to: ours(), amount: 5 }))
}

fn their_transfer() -> Box<RuntimeCall> {
    Box::new(pallet_balances::Call::transfer_keep_alive { dest: theirs(), value: 5 }.into())
}

fn same(pairs: Vec<(Call, RuntimeCall)>) {
    for (ours, theirs) in pairs {
        assert_eq!(ours.encode(), theirs.encode(), "{ours:?}");
    }
}

#[test]
fn staking_is_encoded_as_the_runtime_encodes_it() {
    use pallet_staking::{Call as S, RewardDestination};
    same(vec![
        (
            Call::Staking(Staking::Bond { amount: AMOUNT, payee: Payee::Staked }),
            S::bond { value: AMOUNT, payee: RewardDestination::Staked }.into(),
        ),
        (
            Call::Staking(Staking::Bond { amount: AMOUNT, payee: Payee::Stash }),
            S::bond { value: AMOUNT, payee: RewardDestination::Stash }.into(),
        ),
        (
            Call::Staking(Staking::Bond { amount: AMOUNT, payee: Payee::Account(ALICE) }),
            S::bond { value: AMOUNT, payee: RewardDestination::Account(id()) }.into(),
        ),
        (
            Call::Staking(Staking::Bond { amount: AMOUNT, payee: Payee::None }),
            S::bond { value: AMOUNT, payee: RewardDestination::None }.into(),
        ),
        (Call::Staking(Staking::BondExtra { amount: AMOUNT }), S::bond_extra { max_additional: AMOUNT }.into()),
        (Call::Staking(Staking::Unbond { amount: AMOUNT }), S::unbond { value: AMOUNT }.into()),
        (
            Call::Staking(Staking::WithdrawUnbonded { slashing_spans: 2 }),
            S::withdraw_unbonded { num_slashing_spans: 2 }.into(),
        ),
        (
            Call::Staking(Staking::Validate { commission_ppb: 50_000_000, blocked: true }),
            S::validate {
                prefs: pallet_staking::ValidatorPrefs { commission: Perbill::from_percent(5), blocked: true },
            }
            .into(),
        ),
        (Call::Staking(Staking::Nominate { validators: vec![ours()] }), S::nominate { targets: vec![theirs()] }.into()),
        (Call::Staking(Staking::Chill), S::chill {}.into()),
        (
            Call::Staking(Staking::PayoutStakers { validator: ALICE, era: 7 }),
            S::payout_stakers { validator_stash: id(), era: 7 }.into(),
        ),
        (
            Call::Staking(Staking::SetPayee { payee: Payee::Stash }),
            S::set_payee { payee: RewardDestination::Stash }.into(),
        ),
    ]);
}

#[test]
fn referenda_are_encoded_as_the_runtime_encodes_them() {
    use pallet_democracy::{AccountVote as Theirs, Call as D, Conviction};
    let proposal = || Proposal::Lookup { hash: DIGEST, bytes: 300 };
    let their_proposal = || Bounded::Lookup { hash: DIGEST.0.into(), len: 300 };
    let hash: Hash = DIGEST.0.into();
    let mut pairs: Vec<(Call, RuntimeCall)> = vec![
        (
            Call::Democracy(Democracy::Propose { proposal: proposal(), deposit: AMOUNT }),
            D::propose { proposal: their_proposal(), value: AMOUNT }.into(),
        ),
        (Call::Democracy(Democracy::Second { proposal: 70 }), D::second { proposal: 70 }.into()),
        (
            Call::Democracy(Democracy::ExternalPropose { proposal: proposal() }),
            D::external_propose { proposal: their_proposal() }.into(),
        ),
        (
            Call::Democracy(Democracy::ExternalProposeMajority { proposal: proposal() }),
            D::external_propose_majority { proposal: their_proposal() }.into(),
        ),
        (
            Call::Democracy(Democracy::FastTrack { hash: DIGEST, voting_blocks: 5_400, delay_blocks: 1 }),
            D::fast_track { proposal_hash: hash, voting_period: 5_400, delay: 1 }.into(),
        ),
        (Call::Democracy(Democracy::VetoExternal { hash: DIGEST }), D::veto_external { proposal_hash: hash }.into()),
        (Call::Democracy(Democracy::RemoveVote { referendum: 70 }), D::remove_vote { index: 70 }.into()),
        (
            Call::Democracy(Democracy::CancelReferendum { referendum: 70 }),
            D::cancel_referendum { ref_index: 70 }.into(),
        ),
        (
            Call::Democracy(Democracy::Delegate { to: ours(), conviction: 6, balance: AMOUNT }),
            D::delegate { to: theirs(), conviction: Conviction::Locked6x, balance: AMOUNT }.into(),
        ),
        (Call::Democracy(Democracy::Undelegate), D::undelegate {}.into()),
        (Call::Democracy(Democracy::Unlock { target: ours() }), D::unlock { target: theirs() }.into()),
        (
            Call::Preimage(Preimage::Note { bytes: vec![1, 2, 3] }),
            pallet_preimage::Call::note_preimage { bytes: vec![1, 2, 3] }.into(),
        ),
        (
            Call::System(System::AuthorizeUpgrade { code_hash: DIGEST }),
            frame_system::Call::authorize_upgrade { code_hash: hash }.into(),
        ),
        (
            Call::System(System::ApplyAuthorizedUpgrade { code: vec![1, 2, 3] }),
            frame_system::Call::apply_authorized_upgrade { code: vec![1, 2, 3] }.into(),
        ),
        (Call::SafeMode(SafeMode::ForceEnter), pallet_safe_mode::Call::force_enter {}.into()),
        (Call::SafeMode(SafeMode::ForceExtend), pallet_safe_mode::Call::force_extend {}.into()),
        (Call::SafeMode(SafeMode::ForceExit), pallet_safe_mode::Call::force_exit {}.into()),
    ];
    let convictions = [
        Conviction::None,
        Conviction::Locked1x,
        Conviction::Locked2x,
        Conviction::Locked3x,
        Conviction::Locked4x,
        Conviction::Locked5x,
        Conviction::Locked6x,
    ];
    for (number, conviction) in convictions.into_iter().enumerate() {
        for aye in [true, false] {
            let vote = Vote { aye, conviction: number as u8 };
            let theirs = pallet_democracy::Vote { aye, conviction };
            pairs.push((
                Call::Democracy(Democracy::Vote {
                    referendum: 70,
                    vote: AccountVote::Standard { vote, balance: AMOUNT },
                }),
                D::vote { ref_index: 70, vote: Theirs::Standard { vote: theirs, balance: AMOUNT } }.into(),
            ));
        }
    }
    same(pairs);
}

#[test]
fn bodies_are_encoded_as_the_runtime_encodes_them() {
    use pallet_elections_phragmen::{Call as E, Renouncing as Theirs};
    let hash: Hash = DIGEST.0.into();
    same(vec![
        (
            Call::Council(Body::Propose { threshold: 5, call: transfer(), bytes: 70 }),
            pallet_collective::Call::<Runtime, Instance1>::propose {
                threshold: 5,
                proposal: their_transfer(),
                length_bound: 70,
            }
            .into(),
        ),
        (
            Call::Council(Body::Vote { motion: DIGEST, number: 70, approve: true }),
            pallet_collective::Call::<Runtime, Instance1>::vote { proposal: hash, index: 70, approve: true }.into(),
        ),
        (
            Call::TechnicalCommittee(Body::Close {
                motion: DIGEST,
                number: 70,
                ref_time: 1_000_000_000,
                proof_size: 70,
                bytes: 70,
            }),
            pallet_collective::Call::<Runtime, Instance2>::close {
                proposal_hash: hash,
                index: 70,
                proposal_weight_bound: Weight::from_parts(1_000_000_000, 70),
                length_bound: 70,
            }
            .into(),
        ),
        (
            Call::Elections(Elections::Vote { candidates: vec![ALICE], amount: AMOUNT }),
            E::vote { votes: vec![id()], value: AMOUNT }.into(),
        ),
        (Call::Elections(Elections::RemoveVoter), E::remove_voter {}.into()),
        (
            Call::Elections(Elections::SubmitCandidacy { candidates: 3 }),
            E::submit_candidacy { candidate_count: 3 }.into(),
        ),
        (
            Call::Elections(Elections::RenounceCandidacy { renouncing: Renouncing::Member }),
            E::renounce_candidacy { renouncing: Theirs::Member }.into(),
        ),
        (
            Call::Elections(Elections::RenounceCandidacy { renouncing: Renouncing::RunnerUp }),
            E::renounce_candidacy { renouncing: Theirs::RunnerUp }.into(),
        ),
        (
            Call::Elections(Elections::RenounceCandidacy { renouncing: Renouncing::Candidate(3) }),
            E::renounce_candidacy { renouncing: Theirs::Candidate(3) }.into(),
        ),
        (
            Call::Treasury(Treasury::SpendLocal { amount: AMOUNT, beneficiary: ours() }),
            pallet_treasury::Call::spend_local { amount: AMOUNT, beneficiary: theirs() }.into(),
        ),
    ]);
}

#[test]
fn bounties_and_tips_are_encoded_as_the_runtime_encodes_them() {
    use pallet_bounties::Call as B;
    use pallet_tips::Call as T;
    let (bounty, bounty_id, text) = (70, 70, || b"a bridge".to_vec());
    let (tip, hash) = (DIGEST, Hash::from(DIGEST.0));
    let bounties = [
        (
            Bounties::Propose { amount: AMOUNT, description: text() },
            B::propose_bounty { value: AMOUNT, description: text() },
        ),
        (Bounties::Approve { bounty }, B::approve_bounty { bounty_id }),
        (
            Bounties::ProposeCurator { bounty, curator: ours(), fee: 5 },
            B::propose_curator { bounty_id, curator: theirs(), fee: 5 },
        ),
        (Bounties::UnassignCurator { bounty }, B::unassign_curator { bounty_id }),
        (Bounties::AcceptCurator { bounty }, B::accept_curator { bounty_id }),
        (Bounties::Award { bounty, beneficiary: ours() }, B::award_bounty { bounty_id, beneficiary: theirs() }),
        (Bounties::Claim { bounty }, B::claim_bounty { bounty_id }),
        (Bounties::Close { bounty }, B::close_bounty { bounty_id }),
        (Bounties::Extend { bounty, remark: text() }, B::extend_bounty_expiry { bounty_id, remark: text() }),
    ];
    same(bounties.map(|(ours, theirs)| (Call::Bounties(ours), RuntimeCall::from(theirs))).into());
    let tips = [
        (Tips::Report { reason: text(), who: ours() }, T::report_awesome { reason: text(), who: theirs() }),
        (Tips::Retract { tip }, T::retract_tip { hash }),
        (
            Tips::New { reason: text(), who: ours(), amount: AMOUNT },
            T::tip_new { reason: text(), who: theirs(), tip_value: AMOUNT },
        ),
        (Tips::Tip { tip, amount: AMOUNT }, T::tip { hash, tip_value: AMOUNT }),
        (Tips::Close { tip }, T::close_tip { hash }),
    ];
    same(tips.map(|(ours, theirs)| (Call::Tips(ours), RuntimeCall::from(theirs))).into());
}

#[test]
fn accounts_are_encoded_as_the_runtime_encodes_them() {
    use pallet_proxy::Call as P;
    let kinds = [
        (ProxyType::Any, accounts::ProxyType::Any),
        (ProxyType::NonTransfer, accounts::ProxyType::NonTransfer),
        (ProxyType::CancelProxy, accounts::ProxyType::CancelProxy),
        (ProxyType::Governance, accounts::ProxyType::Governance),
        (ProxyType::Staking, accounts::ProxyType::Staking),
        (ProxyType::StakePoolManager, accounts::ProxyType::StakePoolManager),
    ];
    for (kind, their_kind) in kinds {
        same(vec![
            (
                Call::Proxy(Proxy::Proxy { real: ours(), kind: Some(kind), call: transfer() }),
                P::proxy { real: theirs(), force_proxy_type: Some(their_kind), call: their_transfer() }.into(),
            ),
            (
                Call::Proxy(Proxy::Add { delegate: ours(), kind, delay_blocks: 9 }),
                P::add_proxy { delegate: theirs(), proxy_type: their_kind, delay: 9 }.into(),
            ),
            (
                Call::Proxy(Proxy::Remove { delegate: ours(), kind, delay_blocks: 9 }),
                P::remove_proxy { delegate: theirs(), proxy_type: their_kind, delay: 9 }.into(),
            ),
        ]);
    }
    let timepoint = pallet_multisig::Timepoint { height: 4_242, index: 3 };
    same(vec![
        (
            Call::Multisig(Multisig::AsMulti {
                threshold: 2,
                others: vec![ALICE],
                first: Some(Timepoint { height: 4_242, index: 3 }),
                call: transfer(),
                ref_time: 1_000_000_000,
                proof_size: 70,
            }),
            pallet_multisig::Call::as_multi {
                threshold: 2,
                other_signatories: vec![id()],
                maybe_timepoint: Some(timepoint),
                call: their_transfer(),
                max_weight: Weight::from_parts(1_000_000_000, 70),
            }
            .into(),
        ),
        (
            Call::Multisig(Multisig::Cancel {
                threshold: 2,
                others: vec![ALICE],
                first: Timepoint { height: 4_242, index: 3 },
                call_hash: DIGEST,
            }),
            pallet_multisig::Call::cancel_as_multi {
                threshold: 2,
                other_signatories: vec![id()],
                timepoint,
                call_hash: DIGEST.0,
            }
            .into(),
        ),
        (Call::Identity(Identity::Set { person: Box::new(person()) }), {
            pallet_identity::Call::set_identity { info: Box::new(their_person()) }.into()
        }),
        (Call::Identity(Identity::Clear), pallet_identity::Call::clear_identity {}.into()),
        (Call::Encoded(transfer().encode()), *their_transfer()),
        (Call::Vesting(Vesting::Vest), pallet_vesting::Call::vest {}.into()),
        (
            Call::Vesting(Vesting::VestOther { target: ours() }),
            pallet_vesting::Call::vest_other { target: theirs() }.into(),
        ),
        (
            Call::Utility(calls::Utility::BatchAll { calls: vec![*transfer(), *transfer()] }),
            pallet_utility::Call::batch_all { calls: vec![*their_transfer(), *their_transfer()] }.into(),
        ),
    ]);
}

fn person() -> Person {
    let line = |text: &str| Line::new(text).unwrap_or_default();
    Person {
        additional: vec![(line("pet"), line("cat"))],
        display: line("Ada"),
        legal: line("Augusta Ada King"),
        web: line("ada.example"),
        matrix: line("@ada"),
        email: line("ada@ada.example"),
        pgp_fingerprint: Some([7; 20]),
        image: line("ada.png"),
        twitter: line("ada"),
    }
}

fn their_person() -> pallet_identity::legacy::IdentityInfo<frame_support::traits::ConstU32<100>> {
    let data = |text: &str| pallet_identity::Data::Raw(text.as_bytes().to_vec().try_into().unwrap_or_default());
    pallet_identity::legacy::IdentityInfo {
        additional: vec![(data("pet"), data("cat"))].try_into().unwrap_or_default(),
        display: data("Ada"),
        legal: data("Augusta Ada King"),
        web: data("ada.example"),
        riot: data("@ada"),
        email: data("ada@ada.example"),
        pgp_fingerprint: Some([7; 20]),
        image: data("ada.png"),
        twitter: data("ada"),
    }
}

#[test]
fn work_is_encoded_as_the_runtime_encodes_it() {
    use pallet_computation::Call as C;
    let worker = WorkerId([8; 32]);
    let work = |call| Call::Computation(Box::new(call));
    same(vec![
        (
            work(Work::Bind { pool: PoolId(4), worker, consent: [9; 64] }),
            C::bind { pool: PoolId(4), worker, consent: [9; 64] }.into(),
        ),
        (work(Work::Unbind { worker }), C::unbind { worker }.into()),
        (work(Work::Start { worker, stake: AMOUNT }), C::start { worker, stake: AMOUNT }.into()),
        (work(Work::Stop { worker }), C::stop { worker }.into()),
        (work(Work::Restart { worker, stake: AMOUNT }), C::restart { worker, stake: AMOUNT }.into()),
        (work(Work::Reclaim { worker }), C::reclaim { worker }.into()),
    ]);
}

#[test]
fn pools_are_encoded_as_the_runtime_encodes_them() {
    use pallet_pools::Call as P;
    use phala_economics::{Ppm, RequestId, Shares};
    use phala_units::Planck;
    let (pool, vault, account) = (PoolId(4), PoolId(5), ALICE);
    let (shares, amount, request) = (Shares(AMOUNT), Planck(AMOUNT), RequestId(7));
    let commission = Ppm::percent(5);
    let text = || b"in Lisbon".to_vec();
    let pairs: Vec<(Stake, RuntimeCall)> = vec![
        (Stake::CreateStakePool { commission_ppm: 50_000 }, P::create_stake_pool { commission }.into()),
        (Stake::CreateVault { commission_ppm: 50_000 }, P::create_vault { commission }.into()),
        (Stake::SetCommission { pool, rate_ppm: 50_000 }, P::set_commission { pool, rate: commission }.into()),
        (Stake::SetCap { pool, cap: Some(AMOUNT) }, P::set_cap { pool, cap: Some(amount) }.into()),
        (Stake::SetCap { pool, cap: None }, P::set_cap { pool, cap: None }.into()),
        (
            Stake::SetDescription { pool, description: text() },
            P::set_description { pool, description: text().try_into().unwrap_or_default() }.into(),
        ),
        (
            Stake::AddToList { pool, account, note: text() },
            P::add_to_list { pool, account: id(), note: text().try_into().unwrap_or_default() }.into(),
        ),
        (Stake::RemoveFromList { pool, account }, P::remove_from_list { pool, account: id() }.into()),
        (Stake::Close { pool }, P::close { pool }.into()),
        (Stake::Remove { pool }, P::remove { pool }.into()),
        (Stake::Contribute { pool, amount: AMOUNT }, P::contribute { pool, amount }.into()),
        (Stake::Withdraw { pool, shares: AMOUNT }, P::withdraw { pool, shares }.into()),
        (
            Stake::CancelWithdrawal { pool, request: 7, shares: AMOUNT },
            P::cancel_withdrawal { pool, request, shares }.into(),
        ),
        (
            Stake::TransferShares { pool, to: account, shares: AMOUNT },
            P::transfer_shares { pool, to: id(), shares }.into(),
        ),
        (Stake::VaultContribute { vault, pool, amount: AMOUNT }, P::vault_contribute { vault, pool, amount }.into()),
        (Stake::VaultWithdraw { vault, pool, shares: AMOUNT }, P::vault_withdraw { vault, pool, shares }.into()),
        (
            Stake::VaultCancel { vault, pool, request: 7, shares: AMOUNT },
            P::vault_cancel { vault, pool, request, shares }.into(),
        ),
        (Stake::SettleVault { vault }, P::settle_vault { vault }.into()),
    ];
    same(pairs.into_iter().map(|(ours, theirs)| (Call::Pools(ours), theirs)).collect());
}
