//! Elections, referenda, the fast way and the veto.

use crate::{lab::*, *};
use frame_support::traits::{Bounded, fungible::InspectHold as _};
use phala_messages::{Hash as Digest, Role};
use sp_runtime::traits::{BlakeTwo256, Hash as _};

fn measurement() -> Digest {
    Digest([5; 32])
}

fn allow() -> RuntimeCall {
    pallet_registry::Call::allow_measurement { role: Role::Gatekeeper, measurement: measurement() }.into()
}

fn is_allowed() -> bool {
    pallet_registry::Measurements::<Runtime>::contains_key(Role::Gatekeeper, measurement())
}

#[test]
fn a_referendum_lists_a_measurement_and_nothing_shorter_does() {
    network().execute_with(|| {
        assert!(!is_allowed());
        let began = System::block_number();
        by_referendum(allow());
        assert!(is_allowed());
        let waited = constants::LAUNCH_BLOCKS.min(constants::VOTING_BLOCKS) + constants::ENACTMENT_BLOCKS;
        assert!(System::block_number() - began >= waited);
        assert_supply();
    });
}

#[test]
fn a_proposal_that_more_refuse_comes_to_nothing() {
    network().execute_with(|| {
        let proposal = preimage(Alice, &allow());
        dispatch(pallet_democracy::Call::propose { proposal, value: 10 * PHA }, signed(Alice)).expect("proposed");
        blocks_until(constants::LAUNCH_BLOCKS + 1, "the vote opens", || {
            pallet_democracy::ReferendumCount::<Runtime>::get() == 1
        });
        vote(Alice, 0, true, 100_000 * PHA).expect("voted");
        vote(Eve, 0, false, 200_000 * PHA).expect("voted");
        blocks(constants::VOTING_BLOCKS + constants::ENACTMENT_BLOCKS + 2);
        assert!(!is_allowed());
        assert!(pallet_democracy::ReferendumInfoOf::<Runtime>::get(0).is_some_and(|info| {
            matches!(info, pallet_democracy::ReferendumInfo::Finished { approved: false, .. })
        }));
    });
}

#[test]
fn the_council_is_elected_and_its_term_ends() {
    network().execute_with(|| {
        for (count, key) in [Eve, Ferdie, Dave].into_iter().enumerate() {
            let call = pallet_elections_phragmen::Call::submit_candidacy { candidate_count: count as u32 };
            dispatch(call, signed(key)).expect("a candidate");
        }
        let vote = |votes: &[sp_keyring::Sr25519Keyring], value| pallet_elections_phragmen::Call::vote {
            votes: votes.iter().map(|key| account(*key)).collect(),
            value,
        };
        dispatch(vote(&[Eve, Ferdie], 100_000 * PHA), signed(Alice)).expect("voted");
        dispatch(vote(&[Ferdie], 50_000 * PHA), signed(Bob)).expect("voted");
        assert!(pallet_collective::Members::<Runtime, origins::CouncilInstance>::get().is_empty());
        blocks(constants::TERM_BLOCKS);
        let mut seats = pallet_collective::Members::<Runtime, origins::CouncilInstance>::get();
        let mut elected = alloc::vec![account(Eve), account(Ferdie)];
        (seats.sort(), elected.sort());
        assert_eq!(seats, elected, "those with votes, and not Dave");
        // Votes are withdrawn, and the next term has no council.
        for key in [Alice, Bob] {
            dispatch(pallet_elections_phragmen::Call::remove_voter {}, signed(key)).expect("withdrawn");
        }
        for key in [Eve, Ferdie] {
            let renouncing = pallet_elections_phragmen::Renouncing::Member;
            let call = pallet_elections_phragmen::Call::renounce_candidacy { renouncing };
            dispatch(call, signed(key)).expect("left");
        }
        blocks(constants::TERM_BLOCKS);
        assert!(pallet_collective::Members::<Runtime, origins::CouncilInstance>::get().is_empty());
        assert_supply();
    });
}

/// A network with a council of three and a committee of three.
fn governed() -> sp_io::TestExternalities {
    network_with(|genesis| {
        genesis.elections.members = [Alice, Bob, Charlie].map(|key| (account(key), 100 * PHA)).to_vec();
        let committee = alloc::vec![account(Dave), account(Eve), account(Ferdie)];
        genesis.technical_membership.members = committee.try_into().expect("three are few");
    })
}

/// A motion of a body, voted for by some and closed.
fn motion<I: 'static>(by: &[sp_keyring::Sr25519Keyring], call: impl Into<RuntimeCall>)
where
    Runtime: pallet_collective::Config<I, Proposal = RuntimeCall>,
    RuntimeCall: From<pallet_collective::Call<Runtime, I>>,
{
    let proposal: RuntimeCall = call.into();
    let (hash, index) = (BlakeTwo256::hash_of(&proposal), pallet_collective::ProposalCount::<Runtime, I>::get());
    let length_bound = codec::Encode::encoded_size(&proposal) as u32;
    let weight = frame_support::dispatch::GetDispatchInfo::get_dispatch_info(&proposal).call_weight;
    let propose = pallet_collective::Call::<Runtime, I>::propose {
        threshold: by.len() as u32,
        proposal: alloc::boxed::Box::new(proposal),
        length_bound,
    };
    dispatch(propose, signed(by[0])).expect("proposed");
    for key in by {
        let call = pallet_collective::Call::<Runtime, I>::vote { proposal: hash, index, approve: true };
        dispatch(call, signed(*key)).expect("voted");
    }
    let close = pallet_collective::Call::<Runtime, I>::close {
        proposal_hash: hash,
        index,
        proposal_weight_bound: weight,
        length_bound,
    };
    dispatch(close, signed(by[0])).expect("closed");
}

#[test]
fn what_cannot_wait_is_voted_on_fast_and_by_all() {
    governed().execute_with(|| {
        let proposal = preimage(Alice, &allow());
        let hash = proposal.hash();
        let external = pallet_democracy::Call::external_propose_majority { proposal };
        motion::<origins::CouncilInstance>(&[Alice, Bob, Charlie], external);
        assert!(pallet_democracy::NextExternal::<Runtime>::exists());
        let fast = |voting_period| pallet_democracy::Call::fast_track { proposal_hash: hash, voting_period, delay: 2 };
        // An instant vote is none, whoever wants it.
        assert!(dispatch(fast(1), committee(3, 3)).is_err());
        motion::<origins::TechnicalInstance>(&[Dave, Eve], fast(constants::FAST_TRACK_BLOCKS));
        assert!(pallet_democracy::ReferendumCount::<Runtime>::get() == 1, "the vote is open");
        vote(Ferdie, 0, true, 10_000 * PHA).expect("voted");
        blocks(constants::FAST_TRACK_BLOCKS - 1);
        assert!(!is_allowed());
        blocks(5);
        assert!(is_allowed());
    });
}

#[test]
fn one_of_the_committee_may_veto_once_and_only_for_a_time() {
    governed().execute_with(|| {
        let proposal = preimage(Alice, &allow());
        let external = || pallet_democracy::Call::external_propose { proposal: proposal.clone() };
        dispatch(external(), council(2, 3)).expect("proposed");
        let veto = || pallet_democracy::Call::veto_external { proposal_hash: proposal.hash() };
        let of_committee = |key| -> RuntimeOrigin {
            pallet_collective::RawOrigin::<AccountId, origins::TechnicalInstance>::Member(account(key)).into()
        };
        dispatch(veto(), of_committee(Dave)).expect("vetoed");
        assert!(dispatch(external(), council(2, 3)).is_err());
        blocks(constants::COOLOFF_BLOCKS + 1);
        dispatch(external(), council(2, 3)).expect("the veto is over");
        assert!(dispatch(veto(), of_committee(Dave)).is_err(), "nobody vetoes the same twice");
    });
}

#[test]
fn staked_pha_keeps_its_vote_and_votes_once() {
    network().execute_with(|| {
        let reason: RuntimeHoldReason = pallet_staking::HoldReason::Staking.into();
        let bond =
            pallet_staking::Call::bond { value: 900_000 * PHA, payee: pallet_staking::RewardDestination::Staked };
        dispatch(bond, signed(Eve)).expect("bonded");
        assert_eq!(Balances::balance_on_hold(&reason, &account(Eve)), 900_000 * PHA);
        let proposal = preimage(Alice, &allow());
        dispatch(pallet_democracy::Call::propose { proposal, value: 10 * PHA }, signed(Alice)).expect("proposed");
        blocks_until(constants::LAUNCH_BLOCKS + 1, "the vote opens", || {
            pallet_democracy::ReferendumCount::<Runtime>::get() == 1
        });
        vote(Eve, 0, true, 950_000 * PHA).expect("nine tenths of it are staked");
        assert!(vote(Eve, 0, true, 1_000_001 * PHA).is_err(), "more than there is");
        // What voted stays, staked or not, until the vote's time is over.
        let send = |value| pallet_balances::Call::transfer_allow_death {
            dest: sp_runtime::MultiAddress::Id(account(Ferdie)),
            value,
        };
        assert!(dispatch(send(51_000 * PHA), signed(Eve)).is_err(), "half of what is free voted");
        dispatch(send(49_000 * PHA), signed(Eve)).expect("the other half did not");
        let unbond = pallet_staking::Call::unbond { value: 800_000 * PHA };
        dispatch(unbond, signed(Eve)).expect("unbonding");
        for _ in 0..(constants::BONDING_ERAS + 1) * constants::ERA_EPOCHS * constants::EPOCH_BLOCKS as u32 + 30 {
            next_block();
        }
        assert!(is_allowed(), "and it counted");
        let out = pallet_staking::Call::withdraw_unbonded { num_slashing_spans: 0 };
        dispatch(out, signed(Eve)).expect("withdrawn");
        assert_eq!(Balances::balance_on_hold(&reason, &account(Eve)), 100_000 * PHA);
        // Its stake is free, its vote is not yet taken back.
        assert!(dispatch(send(100_000 * PHA), signed(Eve)).is_err());
        dispatch(pallet_democracy::Call::remove_vote { index: 0 }, signed(Eve)).expect("over");
        dispatch(pallet_democracy::Call::unlock { target: sp_runtime::MultiAddress::Id(account(Eve)) }, signed(Eve))
            .expect("unlocked");
        dispatch(send(100_000 * PHA), signed(Eve)).expect("and free");
    });
}

#[test]
fn what_is_proposed_must_be_shown() {
    network().execute_with(|| {
        let call = allow();
        let bytes = codec::Encode::encode(&call);
        let hidden = Bounded::Lookup { hash: BlakeTwo256::hash(&bytes), len: bytes.len() as u32 };
        dispatch(pallet_democracy::Call::propose { proposal: hidden, value: 10 * PHA }, signed(Alice))
            .expect("proposed");
        blocks_until(constants::LAUNCH_BLOCKS + 1, "the vote opens", || {
            pallet_democracy::ReferendumCount::<Runtime>::get() == 1
        });
        vote(Alice, 0, true, 500_000 * PHA).expect("voted");
        blocks(constants::VOTING_BLOCKS + constants::ENACTMENT_BLOCKS + 2);
        assert!(!is_allowed(), "nothing to execute");
    });
}
