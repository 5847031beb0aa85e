//! The runtime holds what people with PHA ask of it, as `phala_messages::holders` writes it, against its own words.

use crate::*;
use alloc::{boxed::Box, vec};
use codec::Encode;
use frame_support::{traits::Bounded, weights::Weight};
use pallet_collective::{Instance1, Instance2};
use phala_messages::{
    Account, Hash as Digest,
    calls::{self, Call},
    holders::{
        AccountVote, Body, Democracy, Elections, Multisig, Payee, Preimage, Proposal, Proxy, ProxyType, Renouncing,
        SafeMode, Staking, System, Timepoint, Treasury, Vesting, Vote,
    },
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
