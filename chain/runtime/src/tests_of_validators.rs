//! Validators: elected, judged, slashed.

use crate::{lab::*, *};
use codec::Encode;
use frame_support::traits::KeyOwnerProofSystem as _;
use sp_consensus_babe::{BABE_ENGINE_ID, EquivocationProof, Slot, digests};
use sp_core::Pair as _;
use sp_runtime::{Digest, DigestItem, Perbill, traits::Header as _};
use sp_staking::offence::{Offence as _, ReportOffence as _};

fn era() -> u32 {
    pallet_staking::ActiveEra::<Runtime>::get().map_or(0, |era| era.index)
}

fn staked(who: sp_keyring::Sr25519Keyring) -> Balance {
    pallet_staking::Ledger::<Runtime>::get(account(who)).map_or(0, |ledger| ledger.active)
}

#[test]
fn validators_of_genesis_stay_while_nobody_has_more_stake() {
    network().execute_with(|| {
        let mut first = Session::validators();
        first.sort();
        blocks_until(1_300, "two eras end", || era() == 2);
        let mut now = Session::validators();
        now.sort();
        assert_eq!(first, now);
        assert_eq!(now.len(), 4);
        assert!(pallet_session::DisabledValidators::<Runtime>::get().is_empty());
    });
}

#[test]
fn a_nominator_with_stake_seats_another_validator() {
    network().execute_with(|| {
        let keys =
            opaque::SessionKeys { babe: Eve.public().into(), grandpa: sp_keyring::Ed25519Keyring::Eve.public().into() };
        let bond = |value| pallet_staking::Call::bond { value, payee: pallet_staking::RewardDestination::Staked };
        dispatch(bond(100 * PHA), signed(Eve)).expect("bonded");
        let prefs = pallet_staking::ValidatorPrefs { commission: Perbill::from_percent(5), blocked: false };
        dispatch(pallet_staking::Call::validate { prefs }, signed(Eve)).expect("a candidate");
        pallet_session::NextKeys::<Runtime>::insert(account(Eve), keys);
        dispatch(bond(500_000 * PHA), signed(Ferdie)).expect("bonded");
        let targets = alloc::vec![sp_runtime::MultiAddress::Id(account(Eve))];
        dispatch(pallet_staking::Call::nominate { targets }, signed(Ferdie)).expect("nominated");
        blocks_until(700, "Eve is elected", || Session::validators().contains(&account(Eve)));
        assert_eq!(Session::validators().len(), 4);
    });
}

/// Two headers of one author for one slot.
fn equivocation(slot: u64, key: sp_keyring::Sr25519Keyring, index: u32) -> EquivocationProof<Header> {
    let header = |extrinsics: u8| {
        let pre = digests::PreDigest::SecondaryPlain(digests::SecondaryPlainPreDigest {
            authority_index: index,
            slot: Slot::from(slot),
        });
        let digest = Digest { logs: alloc::vec![DigestItem::PreRuntime(BABE_ENGINE_ID, pre.encode())] };
        let mut header = Header::new(5, [extrinsics; 32].into(), Default::default(), Default::default(), digest);
        let signature = key.pair().sign(header.hash().as_ref());
        header.digest_mut().push(DigestItem::Seal(BABE_ENGINE_ID, signature.0.encode()));
        header
    };
    EquivocationProof {
        offender: key.public().into(),
        slot: slot.into(),
        first_header: header(1),
        second_header: header(2),
    }
}

#[test]
fn two_blocks_in_one_slot_cost_stake_after_a_time_to_undo_mistakes() {
    network().execute_with(|| {
        blocks(25);
        let slot = *pallet_babe::CurrentSlot::<Runtime>::get();
        let offender: sp_consensus_babe::AuthorityId = Dave.public().into();
        let index =
            Babe::authorities().iter().position(|(id, _)| *id == offender).expect("Dave is an authority") as u32;
        let proof = equivocation(slot, Dave, index);
        let key_owner_proof = Historical::prove((sp_consensus_babe::KEY_TYPE, offender)).expect("his key is known");
        let report = |proof: EquivocationProof<Header>| {
            let call = pallet_babe::Call::<Runtime>::report_equivocation {
                equivocation_proof: alloc::boxed::Box::new(proof),
                key_owner_proof: key_owner_proof.clone(),
            };
            dispatch(call, signed(Eve))
        };
        // What was not signed by him proves nothing.
        let mut forged = proof.clone();
        forged.second_header.digest_mut().pop();
        forged.second_header.digest_mut().push(DigestItem::Seal(BABE_ENGINE_ID, [7u8; 64].encode()));
        assert!(report(forged).is_err());
        assert_eq!(staked(Dave), STAKE);
        report(proof.clone()).expect("it is proven");
        assert!(report(proof).is_err(), "once is enough");
        assert_eq!(staked(Dave), STAKE, "not yet");
        assert_eq!(
            pallet_session::DisabledValidators::<Runtime>::get().len(),
            1,
            "he makes no more blocks in this era"
        );
        // One of four: (3/4)².
        let slash = Perbill::from_rational(9u32, 16u32) * STAKE;
        let treasury = Balances::free_balance(Treasury::account_id());
        let others: alloc::vec::Vec<u32> = (0..4).filter(|other| *other != index).collect();
        let due = 1 + constants::SLASH_DEFER_ERAS;
        for _ in 0..(due + 1) * constants::ERA_EPOCHS * constants::EPOCH_BLOCKS as u32 {
            if staked(Dave) < STAKE {
                break;
            }
            next_block_by(&others);
        }
        // Elections count in whole units of so many Planck, and so do slashes.
        assert!((STAKE - staked(Dave)).abs_diff(slash) < 100);
        // Whoever reported it gets a part, the treasury the rest.
        let gained = Balances::free_balance(Treasury::account_id()) - treasury;
        assert!(gained > 0 && gained < slash);
        assert_supply();
    });
}

#[test]
fn three_quarters_of_the_council_may_undo_a_slash_and_fewer_may_not() {
    network().execute_with(|| {
        blocks(25);
        let cheat = validators::Cheat {
            round: phala_messages::custody::RoundNumber(1),
            session: Session::current_index(),
            validators: 4,
            offender: (account(Dave), ()),
        };
        assert_eq!(cheat.slash_fraction(1), Perbill::from_percent(10));
        Offences::report_offence(alloc::vec![], cheat).unwrap_or_else(|_| panic!("it is new"));
        let at = era() + constants::SLASH_DEFER_ERAS + 1;
        let deferred = || pallet_staking::UnappliedSlashes::<Runtime>::get(at).len();
        assert_eq!(deferred(), 1);
        let undo = || pallet_staking::Call::cancel_deferred_slash { era: at, slash_indices: alloc::vec![0] };
        assert!(dispatch(undo(), council(5, 8)).is_err());
        assert!(dispatch(undo(), committee(3, 3)).is_err());
        assert_eq!(deferred(), 1);
        dispatch(undo(), council(6, 8)).expect("three quarters");
        assert_eq!(deferred(), 0);
    });
}

#[test]
fn silence_costs_nothing_for_a_tenth_and_up_to_seven_percent_beyond() {
    let fraction = |validators, silent: u32| {
        validators::Silence { era: 0, session: 0, validators, offenders: alloc::vec![] }.slash_fraction(silent)
    };
    assert_eq!(fraction(50, 6), Perbill::zero());
    assert_eq!(fraction(50, 7), Perbill::from_rational(3u32, 50u32) * Perbill::from_percent(7));
    assert_eq!(fraction(50, 50), Perbill::from_percent(7));
    assert_eq!(fraction(0, 1), Perbill::zero());
}

#[test]
fn a_validator_that_made_no_block_in_an_era_is_reported_and_unseated() {
    network().execute_with(|| {
        let silent = Session::validators().iter().position(|one| *one == account(Charlie)).expect("he is one") as u32;
        let awake: alloc::vec::Vec<u32> = (0..4).filter(|index| *index != silent).collect();
        let mut reported = false;
        for _ in 0..700 {
            next_block_by(&awake);
            reported |= happened(|event| {
                matches!(event, RuntimeEvent::Staking(pallet_staking::Event::SlashReported { validator, fraction, .. })
                    if *validator == account(Charlie) && fraction.is_zero())
            });
            if era() == 1 {
                break;
            }
        }
        assert!(reported);
        assert!(!pallet_staking::Validators::<Runtime>::contains_key(account(Charlie)));
        assert!(pallet_staking::Validators::<Runtime>::contains_key(account(Alice)));
        // One of four costs no stake, and disables nobody who is back.
        assert_eq!(staked(Charlie), STAKE);
        assert!(pallet_session::DisabledValidators::<Runtime>::get().is_empty());
    });
}

#[test]
fn too_few_validators_are_kept_even_if_silent() {
    network_with(|genesis| genesis.staking.minimum_validator_count = 4).execute_with(|| {
        (0..700).for_each(|_| next_block_by(&[0, 1]));
        assert_eq!(era(), 2);
        assert_eq!(pallet_staking::Validators::<Runtime>::count(), 4);
    });
}

#[test]
fn the_largest_election_fits_in_a_block() {
    use frame_election_provider_support::{NposSolver as _, SequentialPhragmen};
    type Weights = frame_election_provider_support::weights::SubstrateWeight<Runtime>;
    let weight = SequentialPhragmen::<AccountId, Perbill>::weight::<Weights>(
        constants::ELECTORS_MAX,
        constants::ELECTABLE_MAX,
        constants::NOMINATIONS_MAX,
    );
    let block = configs::BlockWeights::get().max_block;
    assert!(weight.ref_time() < block.ref_time() / 2, "{} of {}", weight.ref_time(), block.ref_time());
}

#[test]
fn a_gatekeeper_that_cheats_in_custody_is_known_to_staking() {
    network().execute_with(|| {
        blocks(25);
        let dealer = phala_messages::WorkerId([7; 32]);
        let holder = phala_messages::Account(account(Bob).into());
        pallet_custody::Gatekeepers::<Runtime>::insert(dealer, holder);
        let round = phala_messages::custody::RoundNumber(3);
        let told = || {
            <validators::Cheats as pallet_custody::Offences>::cheated(
                &dealer,
                round,
                phala_messages::custody::DealerFault::WrongShare,
            );
        };
        told();
        let deferred = || pallet_staking::UnappliedSlashes::<Runtime>::iter().map(|(_, all)| all.len()).sum::<usize>();
        assert_eq!(deferred(), 1);
        told();
        assert_eq!(deferred(), 1, "one round, one punishment");
    });
}
