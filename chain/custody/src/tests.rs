//! Candidates, roots, deliveries, and the contract with others. Rounds are in `tests_of_rounds.rs`.

use crate::{
    CANDIDATES_MAX, CandidateQueue, Candidates, CustodyParameters, DELIVERIES_KEPT, Deliveries, DeliveryHeads, Error,
    Event, Gatekeepers, HoldReason, LOOK_BLOCKS, LiveRoots, NewestRound, OpenRoot, Participants, ProgramRoots as _,
    ROOTS_LIVE_MAX, Refusal, RootWanted, Roots, WeightInfo, mock::*, weights::SubstrateWeight,
};
use codec::Encode;
use frame_support::{
    assert_noop, assert_ok,
    traits::{Hooks, fungible::InspectHold as _},
};
use phala_messages::{
    Account, Hash, ParticipantKey,
    custody::{
        Candidacy, CustodyMessage as _, DeliveryHead, GroupKey, Parameters, Phase, RootGeneration, RootStatus,
        RoundNumber,
    },
    limits::*,
    storage,
};
use phala_units::{BlockNumber, Planck};
use sp_core::Pair as _;
use sp_runtime::{BuildStorage, DispatchError};

const ROOT: RootGeneration = RootGeneration(0);
const NEXT_ROOT: RootGeneration = RootGeneration(1);

fn error(error: Error<Test>) -> Result<(), DispatchError> {
    Err(error.into())
}

fn held(n: u8) -> u128 {
    Balances::balance_on_hold(&HoldReason::Bond.into(), &account(n))
}

fn candidate(n: u8) -> phala_messages::custody::CandidateRecord {
    Candidates::<Test>::get(Account([n; 32])).unwrap()
}

fn members(root: RootGeneration) -> Vec<u8> {
    numbers(&Custody::epoch_of(root).unwrap().members)
}

mod candidacies {
    use super::*;

    #[test]
    fn a_validator_bonds_with_its_gatekeepers_consent() {
        run(|| {
            assert_ok!(call(account(1), bond_call(1)));
            let bond = Planck(BOND);
            assert_eq!(events(), [Event::Bonded { account: account(1), gatekeeper: gatekeeper(1), bond }]);
            let record = candidate(1);
            assert_eq!((record.gatekeeper, record.participant, record.bond), (gatekeeper(1), participant(1), bond));
            assert!(!record.approved && record.leaving.is_none() && record.left.is_none());
            assert_eq!(held(1), BOND);
            assert_eq!(call(account(1), bond_call(1)), error(Error::CandidateAlready));
        });
    }

    #[test]
    fn nobody_bonds_for_a_machine_without_its_consent_to_exactly_that() {
        run(|| {
            // Consent to account 1, shown by account 2.
            assert_eq!(call(account(2), bond_call(1)), error(Error::ConsentInvalid));
            let crate::Call::bond { gatekeeper, consent, .. } = bond_call(1) else { unreachable!("it is one") };
            let other = crate::Call::bond { gatekeeper, participant: ParticipantKey([9; 32]), consent };
            assert_eq!(call(account(1), other), error(Error::ConsentInvalid));
            let candidacy = Candidacy { gatekeeper, participant: participant(1), account: Account([1; 32]) };
            let elsewhere = identity(1).sign(&candidacy.signing_hash(&phala_messages::GenesisHash([8; 32])).0).0;
            let other = crate::Call::bond { gatekeeper, participant: participant(1), consent: elsewhere };
            assert_eq!(call(account(1), other), error(Error::ConsentInvalid));
            assert_eq!(held(1), 0);
        });
    }

    #[test]
    fn a_gatekeeper_and_a_participant_key_have_one_account() {
        run(|| {
            assert_ok!(call(account(1), bond_call(1)));
            assert_eq!(call(account(2), bond_call(1)), error(Error::GatekeeperTaken));
            let candidacy =
                Candidacy { gatekeeper: gatekeeper(2), participant: participant(1), account: Account([2; 32]) };
            let consent = identity(2).sign(&candidacy.signing_hash(&genesis()).0).0;
            let taken = crate::Call::bond { gatekeeper: gatekeeper(2), participant: participant(1), consent };
            assert_eq!(call(account(2), taken), error(Error::ParticipantTaken));
        });
    }

    #[test]
    fn only_validators_bond_and_only_what_they_have() {
        run(|| {
            World::elect(1, false);
            assert_eq!(call(account(1), bond_call(1)), error(Error::NotValidator));
            World::elect(1, true);
            let parameters = Parameters { bond: Planck(RICH + 1), ..PARAMETERS };
            assert_ok!(govern(crate::Call::set_parameters { parameters }));
            assert!(call(account(1), bond_call(1)).is_err());
        });
    }

    #[test]
    fn candidates_are_bounded() {
        new_test_ext().execute_with(|| {
            let full: Vec<_> = (0..CANDIDATES_MAX).map(|n| Account([n as u8 + 50; 32])).collect();
            CandidateQueue::<Test>::put(frame_support::BoundedVec::truncate_from(full[1..].to_vec()));
            assert_ok!(call(account(1), bond_call(1)));
            assert_eq!(CandidateQueue::<Test>::get().len() as u32, CANDIDATES_MAX);
            assert_noop!(
                Custody::bond(RuntimeOrigin::signed(account(2)), gatekeeper(2), participant(2), consent(2)),
                Error::<Test>::CandidatesFull
            );
        });
    }

    fn consent(n: u8) -> phala_messages::Signature {
        let crate::Call::bond { consent, .. } = bond_call(n) else { unreachable!("it is one") };
        consent
    }

    #[test]
    fn governance_approves_once_and_expels() {
        run(|| {
            let approve = || crate::Call::approve { account: account(1) };
            let expel = || crate::Call::expel { account: account(1) };
            assert_eq!(govern(approve()), error(Error::NotCandidate));
            assert_eq!(govern(expel()), error(Error::NotCandidate));
            assert_ok!(call(account(1), bond_call(1)));
            assert_ok!(govern(approve()));
            assert_eq!(govern(approve()), error(Error::ApprovedAlready));
            assert_ok!(call(account(1), crate::Call::unbond {}));
            assert_ok!(govern(expel()));
            assert_eq!(events().last(), Some(&Event::Expelled { account: account(1), gatekeeper: gatekeeper(1) }));
            assert!(!candidate(1).approved);
            assert_eq!(govern(expel()), error(Error::LeavingAlready));
            assert_eq!(govern(approve()), error(Error::LeavingAlready));
            assert_eq!(call(account(1), crate::Call::unbond {}), error(Error::LeavingAlready));
        });
    }

    #[test]
    fn only_governance_governs() {
        run(|| {
            for denied in [
                crate::Call::approve { account: account(1) },
                crate::Call::expel { account: account(1) },
                crate::Call::set_parameters { parameters: PARAMETERS },
                crate::Call::rotate_root {},
                crate::Call::close_root { root: ROOT },
            ] {
                assert_eq!(call(account(1), denied), Err(DispatchError::BadOrigin));
            }
            for free in [log_in(RoundNumber(1), 1, 0), deliver(1, batch(1, 0, 1, 1))] {
                assert_eq!(govern(free), Err(DispatchError::BadOrigin));
            }
        });
    }

    /// A machine with good evidence, admitted as a gatekeeper: the vendor's root may have leaked.
    #[test]
    fn evidence_alone_makes_nobody_a_member() {
        run(|| {
            found();
            let parameters = Parameters { members: 9, ..PARAMETERS };
            assert_ok!(govern(crate::Call::set_parameters { parameters }));
            // 5: admitted, no bond. 6: bonded, not approved. 7: approved, no validator's any more.
            // 8: approved, its measurement or evidence gone. 9: approved, leaves.
            assert_ok!(call(account(6), bond_call(6)));
            join(7..=9);
            World::elect(7, false);
            World::admit(8, false);
            assert_ok!(call(account(9), crate::Call::unbond {}));
            for _ in 0..3 {
                blocks(PARAMETERS.refresh_blocks);
                assert_eq!(numbers(&round().players), [1, 2, 3, 4]);
                for outsider in 5..=9 {
                    assert!(validate(log(outsider)).is_err() && validate(complain(outsider, 1)).is_err());
                    World::admit(outsider, outsider != 8);
                }
                play(7);
                assert_eq!(members(ROOT), [1, 2, 3, 4]);
            }
            assert_refused(deliver(5, batch(5, 0, 1, 1)), Refusal::NotApproved);
            assert_refused(deliver(6, batch(6, 0, 1, 1)), Refusal::NotApproved);
        });
    }
}

mod bonds {
    use super::*;

    #[test]
    fn a_candidate_that_never_was_a_member_waits_from_unbonding_on() {
        run(|| {
            assert_eq!(call(account(1), crate::Call::withdraw_bond {}), error(Error::NotCandidate));
            assert_eq!(call(account(1), crate::Call::unbond {}), error(Error::NotCandidate));
            assert_ok!(call(account(1), bond_call(1)));
            assert_eq!(call(account(1), crate::Call::withdraw_bond {}), error(Error::NotLeaving));
            assert_ok!(call(account(1), crate::Call::unbond {}));
            assert_eq!(events().last(), Some(&Event::Leaving { account: account(1), gatekeeper: gatekeeper(1) }));
            let due = System::block_number() + PARAMETERS.release_blocks;
            assert_eq!(Custody::bond_released_at(&Account([1; 32])), Some(BlockNumber(due)));
            blocks(PARAMETERS.release_blocks - 1);
            assert_eq!(call(account(1), crate::Call::withdraw_bond {}), error(Error::BondLocked));
            blocks(1);
            assert_ok!(call(account(1), crate::Call::withdraw_bond {}));
            let released = Event::BondReleased { account: account(1), gatekeeper: gatekeeper(1), bond: Planck(BOND) };
            assert_eq!(events().last(), Some(&released));
            assert_eq!((held(1), Balances::free_balance(account(1))), (0, RICH));
            assert!(!Candidates::<Test>::contains_key(Account([1; 32])));
            assert!(!Gatekeepers::<Test>::contains_key(gatekeeper(1)));
            assert!(!Participants::<Test>::contains_key(participant(1)));
            // And may come again.
            assert_ok!(call(account(1), bond_call(1)));
        });
    }

    #[test]
    fn a_member_waits_from_the_epoch_without_it_on() {
        run(|| {
            found();
            join([5]);
            assert_ok!(call(account(2), crate::Call::unbond {}));
            assert_eq!(candidate(2).left, None);
            assert_eq!(call(account(2), crate::Call::withdraw_bond {}), error(Error::StillMember));
            blocks(LOOK_BLOCKS);
            assert_eq!(numbers(&round().players), [1, 3, 4, 5]);
            blocks(5);
            assert_eq!(call(account(2), crate::Call::withdraw_bond {}), error(Error::StillMember));
            play(7);
            let left = System::block_number();
            assert_eq!(candidate(2).left, Some(BlockNumber(left)));
            blocks(PARAMETERS.release_blocks - 1);
            assert_eq!(call(account(2), crate::Call::withdraw_bond {}), error(Error::BondLocked));
            blocks(1);
            assert_ok!(call(account(2), crate::Call::withdraw_bond {}));
            assert_eq!(held(2), 0);
        });
    }

    #[test]
    fn a_player_that_unbonds_before_its_first_epoch_becomes_a_member_and_waits_as_one() {
        run(|| {
            found();
            join([5]);
            assert_ok!(govern(crate::Call::set_parameters { parameters: Parameters { members: 5, ..PARAMETERS } }));
            blocks(LOOK_BLOCKS);
            assert_eq!(numbers(&round().players), [1, 2, 3, 4, 5]);
            assert_ok!(call(account(5), crate::Call::unbond {}));
            assert_eq!(candidate(5).left, Some(BlockNumber(System::block_number())));
            assert_eq!(call(account(5), crate::Call::withdraw_bond {}), error(Error::StillMember));
            play(7);
            assert_eq!((candidate(5).left, members(ROOT)), (None, vec![1, 2, 3, 4, 5]));
            blocks(LOOK_BLOCKS);
            play(7);
            assert_eq!(candidate(5).left, Some(BlockNumber(System::block_number())));
        });
    }

    #[test]
    fn an_expelled_members_bond_is_held_as_long() {
        run(|| {
            found();
            assert_ok!(govern(crate::Call::expel { account: account(1) }));
            assert_eq!(call(account(1), crate::Call::withdraw_bond {}), error(Error::StillMember));
            blocks(LOOK_BLOCKS);
            play(7);
            assert_eq!(call(account(1), crate::Call::withdraw_bond {}), error(Error::BondLocked));
            blocks(PARAMETERS.release_blocks);
            assert_ok!(call(account(1), crate::Call::withdraw_bond {}));
        });
    }

    #[test]
    fn other_parameters_change_no_bond_that_is_held() {
        run(|| {
            assert_ok!(call(account(1), bond_call(1)));
            assert_ok!(govern(crate::Call::set_parameters {
                parameters: Parameters { bond: Planck(1), ..PARAMETERS }
            }));
            assert_ok!(call(account(2), bond_call(2)));
            assert_eq!((held(1), held(2)), (BOND, 1));
        });
    }
}

mod parameters {
    use super::*;

    #[test]
    fn those_that_no_network_can_live_with_are_refused() {
        run(|| {
            for parameters in [
                Parameters { members: GATEKEEPERS_MAX + 1, ..PARAMETERS },
                Parameters { members_min: 1, ..PARAMETERS },
                Parameters { members: 2, ..PARAMETERS },
                Parameters { dealing_blocks: 0, ..PARAMETERS },
            ] {
                assert_eq!(govern(crate::Call::set_parameters { parameters }), error(Error::ParametersUnfit));
            }
            let parameters = Parameters { members: GATEKEEPERS_MAX, ..PARAMETERS };
            assert_ok!(govern(crate::Call::set_parameters { parameters }));
            assert_eq!(events(), [Event::ParametersSet { parameters }]);
            assert_eq!(CustodyParameters::<Test>::get(), parameters);
        });
    }

    #[test]
    fn a_shorter_refresh_interval_holds_for_the_epoch_that_is() {
        run(|| {
            found();
            blocks(10);
            let parameters = Parameters { refresh_blocks: 10, ..PARAMETERS };
            assert_ok!(govern(crate::Call::set_parameters { parameters }));
            blocks(LOOK_BLOCKS);
            assert_eq!(round().number, RoundNumber(2));
        });
    }

    #[test]
    fn a_network_starts_with_what_its_specification_says() {
        let config = crate::GenesisConfig::<Test> { parameters: Some(PARAMETERS), ..Default::default() };
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(json["parameters"]["refreshBlocks"], 100);
        let read: crate::GenesisConfig<Test> = serde_json::from_value(json).unwrap();
        assert_eq!(read.parameters, config.parameters);
        let storage = crate::GenesisConfig::<Test>::default().build_storage().unwrap();
        sp_io::TestExternalities::from(storage)
            .execute_with(|| assert_eq!(CustodyParameters::<Test>::get(), Parameters::DEFAULT));
        let unfit = Parameters { members_min: 0, ..PARAMETERS };
        let config = crate::GenesisConfig::<Test> { parameters: Some(unfit), ..Default::default() };
        assert!(std::panic::catch_unwind(|| config.build_storage()).is_err());
    }
}

mod roots {
    use super::*;

    /// A second root beside the first, with group key 8.
    fn rotate() {
        assert_ok!(govern(crate::Call::rotate_root {}));
        blocks(LOOK_BLOCKS);
        assert_eq!(round().root, RootWanted::<Test>::get());
        play(round().root.0 as u8 + 7);
    }

    fn close(root: RootGeneration) -> Result<(), DispatchError> {
        govern(crate::Call::close_root { root })
    }

    #[test]
    fn a_new_root_takes_all_new_programs_and_the_old_one_closes_when_its_last_has_moved() {
        run(|| {
            found();
            assert_ok!(Custody::note_program_root(&program(1), ROOT));
            assert_ok!(Custody::note_program_root(&program(2), ROOT));
            let moved = Event::ProgramMoved { program: program(1), from: None, to: ROOT };
            assert!(events().contains(&moved));
            assert_eq!(close(ROOT), error(Error::RootNotClosing));
            let (root_of, wanted) =
                (<Custody as crate::ProgramRoots>::root_of, <Custody as crate::ProgramRoots>::root_wanted);
            assert_eq!((root_of(&program(1)), wanted(&program(1))), (Some(ROOT), Some(ROOT)));
            assert_eq!((root_of(&program(9)), wanted(&program(9))), (None, None), "whom no root guards none awaits");
            rotate();
            assert_eq!((root_of(&program(1)), wanted(&program(1))), (Some(ROOT), Some(NEXT_ROOT)));
            assert_eq!(OpenRoot::<Test>::get(), Some(NEXT_ROOT));
            assert_eq!(<Custody as crate::ProgramRoots>::open_root(), Some(NEXT_ROOT));
            assert_eq!(Roots::<Test>::get(NEXT_ROOT).unwrap().group_key, GroupKey([8; 96]));
            assert_eq!(Roots::<Test>::get(ROOT).unwrap().status, RootStatus::Closing);
            assert!(events().contains(&Event::RootClosing { root: ROOT }));

            assert_eq!(Custody::note_program_root(&program(3), ROOT), error(Error::RootNotOpen));
            assert_eq!(Custody::note_program_root(&program(3), RootGeneration(9)), error(Error::RootUnknown));
            assert_eq!(close(ROOT), error(Error::RootInUse));
            assert_ok!(Custody::note_program_root(&program(1), NEXT_ROOT));
            assert_ok!(Custody::note_program_root(&program(1), NEXT_ROOT));
            assert_eq!(close(ROOT), error(Error::RootInUse));
            Custody::forget_program(&program(2));
            Custody::forget_program(&program(2));
            assert_eq!(Roots::<Test>::get(NEXT_ROOT).unwrap().programs, 1);
            assert_ok!(close(ROOT));
            assert_eq!(events().last(), Some(&Event::RootClosed { root: ROOT }));
            assert_eq!(LiveRoots::<Test>::get().to_vec(), [NEXT_ROOT]);
            assert_eq!(close(ROOT), error(Error::RootNotClosing));
            assert_eq!(close(RootGeneration(9)), error(Error::RootUnknown));
        });
    }

    #[test]
    fn every_root_that_lives_is_refreshed_and_none_waits_for_ever() {
        run(|| {
            found();
            rotate();
            blocks(PARAMETERS.refresh_blocks);
            assert_eq!(round().root, ROOT);
            // Its round fails: the other root comes first now, once it is due.
            blocks(PARAMETERS.dealing_blocks + PARAMETERS.retry_blocks);
            assert_eq!(round().root, NEXT_ROOT);
            play(8);
            blocks(LOOK_BLOCKS);
            assert_eq!(round().root, ROOT);
            play(7);
            blocks(LOOK_BLOCKS);
            assert_eq!(round().phase, Phase::Finished(phala_messages::custody::EpochNumber(3)));
        });
    }

    #[test]
    fn a_rotation_is_wanted_once_at_a_time_and_roots_are_bounded() {
        run(|| {
            assert_eq!(govern(crate::Call::rotate_root {}), error(Error::RotationPending));
            found();
            assert_ok!(govern(crate::Call::rotate_root {}));
            assert_eq!(events().last(), Some(&Event::RotationWanted { root: NEXT_ROOT }));
            assert_eq!(govern(crate::Call::rotate_root {}), error(Error::RotationPending));
            blocks(LOOK_BLOCKS);
            play(8);
            for _ in 2..ROOTS_LIVE_MAX {
                rotate();
            }
            assert_eq!(LiveRoots::<Test>::get().len() as u32, ROOTS_LIVE_MAX);
            assert_eq!(govern(crate::Call::rotate_root {}), error(Error::RootsFull));
            assert_ok!(close(ROOT));
            assert_ok!(govern(crate::Call::rotate_root {}));
        });
    }

    #[test]
    fn closing_a_root_ends_its_round() {
        run(|| {
            found();
            rotate();
            blocks(PARAMETERS.refresh_blocks);
            assert_eq!(round().root, ROOT);
            assert_ok!(close(ROOT));
            let reason = phala_messages::custody::Abandonment::RootClosed;
            assert_eq!(round().phase, Phase::Abandoned(reason));
            blocks(PARAMETERS.retry_blocks);
            assert_eq!(round().root, NEXT_ROOT);
        });
    }

    #[test]
    fn a_member_of_a_closed_root_only_has_left() {
        run(|| {
            found();
            join([5]);
            rotate();
            assert_ok!(call(account(1), crate::Call::unbond {}));
            blocks(LOOK_BLOCKS);
            // The newer root had the last round: the older one hands on first.
            let first = round().root;
            play(first.0 as u8 + 7);
            assert_eq!(candidate(1).left, None, "it still holds a share of the other root");
            blocks(LOOK_BLOCKS);
            let second = round().root;
            assert_ne!(first, second);
            play(second.0 as u8 + 7);
            assert_eq!(candidate(1).left, Some(BlockNumber(System::block_number())));
            assert_ok!(call(account(2), crate::Call::unbond {}));
            assert_eq!(candidate(2).left, None);
            assert_ok!(close(ROOT));
            assert_eq!(candidate(2).left, None);
            blocks(PARAMETERS.retry_blocks);
            play(8);
            assert!(candidate(2).left.is_some());
        });
    }
}

mod deliveries {
    use super::*;

    #[test]
    fn batches_follow_each_other_without_a_gap() {
        run(|| {
            join([1]);
            blocks(20);
            assert_refused(deliver(1, batch(1, 1, 1, 5)), Refusal::DeliveryGap);
            accepted(deliver(1, batch(1, 0, 1, 5)));
            let head = DeliveryHead::default().after(&batch(1, 0, 1, 5));
            assert_eq!(DeliveryHeads::<Test>::get(gatekeeper(1)), head);
            let logged = Event::DeliveriesLogged { batch: batch(1, 0, 1, 5), head: head.hash };
            assert_eq!(events().last(), Some(&logged));
            assert_refused(deliver(1, batch(1, 0, 1, 5)), Refusal::DeliveryStale);
            assert_refused(deliver(1, batch(1, 2, 6, 7)), Refusal::DeliveryGap);
            accepted(deliver(1, batch(1, 1, 5, 7)));
            assert_eq!(DeliveryHeads::<Test>::get(gatekeeper(1)), head.after(&batch(1, 1, 5, 7)));
            assert_eq!(Deliveries::<Test>::get(gatekeeper(1), 1), Some(batch(1, 1, 5, 7)));
        });
    }

    #[test]
    fn batches_lie_in_the_past_and_in_order_and_have_a_size() {
        run(|| {
            join([1]);
            blocks(20);
            let now = System::block_number();
            assert_refused(deliver(1, batch(1, 0, 1, now)), Refusal::DeliveryBlocks);
            assert_refused(deliver(1, batch(1, 0, 6, 5)), Refusal::DeliveryBlocks);
            for count in [0, DELIVERIES_PER_BATCH_MAX + 1] {
                let sized = phala_messages::custody::DeliveryBatch { count, ..batch(1, 0, 1, 5) };
                assert_refused(deliver(1, sized), Refusal::DeliveryCount);
            }
            let largest =
                phala_messages::custody::DeliveryBatch { count: DELIVERIES_PER_BATCH_MAX, ..batch(1, 0, 1, 5) };
            accepted(deliver(1, largest));
            // One batch per block at most: the next one ends later.
            assert_refused(deliver(1, batch(1, 1, 5, 5)), Refusal::DeliveryBlocks);
            assert_refused(deliver(1, batch(1, 1, 4, 6)), Refusal::DeliveryBlocks);
            accepted(deliver(1, batch(1, 1, 5, now - 1)));
        });
    }

    #[test]
    fn only_admitted_gatekeepers_log_and_sign_it() {
        run(|| {
            join([1]);
            blocks(5);
            assert_refused(deliver(2, batch(1, 0, 1, 2)), Refusal::GatekeeperSignature);
            World::admit(1, false);
            assert_refused(deliver(1, batch(1, 0, 1, 2)), Refusal::GatekeeperNotAdmitted);
        });
    }

    #[test]
    fn old_batches_are_forgotten_and_the_head_remembers() {
        run(|| {
            join([1]);
            blocks(5);
            let (next, hash, last) = (DELIVERIES_KEPT, Hash([1; 32]), BlockNumber(1));
            Deliveries::<Test>::insert(gatekeeper(1), 0, batch(1, 0, 1, 1));
            DeliveryHeads::<Test>::insert(gatekeeper(1), DeliveryHead { next, hash, last });
            accepted(deliver(1, batch(1, DELIVERIES_KEPT, 1, 2)));
            assert!(!Deliveries::<Test>::contains_key(gatekeeper(1), 0));
            assert_ne!(DeliveryHeads::<Test>::get(gatekeeper(1)).hash, hash);
        });
    }
}

mod contract {
    use super::*;
    use phala_messages::{
        calls::{self, Custody as Theirs},
        custody::EpochNumber,
    };

    #[test]
    fn storage_lies_where_others_look_for_it() {
        let (id, who, number) = (gatekeeper(1), Account([1; 32]), RoundNumber(5));
        assert_eq!(storage::custody_parameters(), CustodyParameters::<Test>::hashed_key());
        assert_eq!(storage::candidate(&who), Candidates::<Test>::hashed_key_for(who));
        assert_eq!(storage::gatekeeper_account(&id), Gatekeepers::<Test>::hashed_key_for(id));
        assert_eq!(storage::newest_round(), NewestRound::<Test>::hashed_key());
        assert_eq!(storage::round(number), crate::Rounds::<Test>::hashed_key_for(number));
        assert_eq!(storage::round_logs(number), crate::Logs::<Test>::hashed_key_for(number));
        let hash = Hash([4; 32]);
        assert_eq!(storage::round_output(number, &hash), crate::Outputs::<Test>::hashed_key_for(number, hash));
        assert_eq!(storage::complaint(number, 3), crate::Complaints::<Test>::hashed_key_for(number, 3));
        assert_eq!(storage::open_root(), OpenRoot::<Test>::hashed_key());
        assert_eq!(storage::root(NEXT_ROOT), Roots::<Test>::hashed_key_for(NEXT_ROOT));
        let epoch = EpochNumber(9);
        assert_eq!(storage::epoch(epoch), crate::Epochs::<Test>::hashed_key_for(epoch));
        assert_eq!(storage::program_root(&program(1)), crate::ProgramRootOf::<Test>::hashed_key_for(program(1)));
        assert_eq!(storage::delivery_head(&id), DeliveryHeads::<Test>::hashed_key_for(id));
        assert_eq!(storage::delivery(&id, 7), Deliveries::<Test>::hashed_key_for(id, 7));
    }

    #[test]
    fn calls_are_encoded_as_others_encode_them() {
        new_test_ext().execute_with(|| {
            join(1..=4);
            blocks(1);
            let crate::Call::bond { gatekeeper, participant, consent } = bond_call(1) else { unreachable!() };
            let crate::Call::commit_log { commitment } = log(1) else { unreachable!() };
            let crate::Call::confirm { confirmation } = confirm(1, 3) else { unreachable!() };
            let crate::Call::report_output { report } = report(1, 7) else { unreachable!() };
            let crate::Call::complain { complaint } = complain(1, 2) else { unreachable!() };
            let crate::Call::log_deliveries { batch } = deliver(1, batch(1, 0, 1, 2)) else { unreachable!() };
            let (who, parameters) = (Account([1; 32]), PARAMETERS);
            let pairs: Vec<(crate::Call<Test>, Theirs)> = vec![
                (bond_call(1), Theirs::Bond { gatekeeper, participant, consent }),
                (crate::Call::unbond {}, Theirs::Unbond),
                (crate::Call::withdraw_bond {}, Theirs::WithdrawBond),
                (crate::Call::approve { account: account(1) }, Theirs::Approve { account: who }),
                (crate::Call::expel { account: account(1) }, Theirs::Expel { account: who }),
                (crate::Call::set_parameters { parameters }, Theirs::SetParameters { parameters }),
                (crate::Call::rotate_root {}, Theirs::RotateRoot),
                (crate::Call::close_root { root: ROOT }, Theirs::CloseRoot { root: ROOT }),
                (log(1), Theirs::CommitLog { commitment }),
                (super::confirm(1, 3), Theirs::Confirm { confirmation }),
                (super::report(1, 7), Theirs::ReportOutput { report }),
                (super::complain(1, 2), Theirs::Complain { complaint }),
                (deliver(1, super::batch(1, 0, 1, 2)), Theirs::LogDeliveries { batch }),
            ];
            for (ours, theirs) in pairs {
                assert_eq!(RuntimeCall::from(ours).encode(), calls::Call::Custody(Box::new(theirs)).encode());
            }
        });
    }

    #[test]
    fn the_configuration_is_checked() {
        new_test_ext().execute_with(|| <Custody as Hooks<u32>>::integrity_test());
    }

    #[test]
    fn a_block_costs_no_more_than_its_bounds() {
        run(|| {
            let dearest = SubstrateWeight::<Test>::look(CANDIDATES_MAX)
                .saturating_add(SubstrateWeight::<Test>::open_round())
                .saturating_add(<Test as frame_system::Config>::DbWeight::get().writes(1));
            join(1..=4);
            for _ in 0..PARAMETERS.refresh_blocks {
                System::set_block_number(System::block_number() + 1);
                assert!(Custody::on_initialize(System::block_number()).all_lte(dearest));
            }
        });
    }

    #[test]
    fn a_broken_invariant_is_found() {
        let breakages: [fn(); 11] = [
            || Candidates::<Test>::mutate(Account([1; 32]), |one| one.as_mut().unwrap().bond = Planck(1)),
            || Candidates::<Test>::mutate(Account([1; 32]), |one| one.as_mut().unwrap().left = Some(BlockNumber(1))),
            || Gatekeepers::<Test>::remove(gatekeeper(1)),
            || Participants::<Test>::insert(participant(9), gatekeeper(1)),
            || CandidateQueue::<Test>::kill(),
            || NewestRound::<Test>::put(RoundNumber(0)),
            || crate::Rounds::<Test>::mutate(RoundNumber(1), |one| one.as_mut().unwrap().reported = 0),
            || Roots::<Test>::mutate(ROOT, |one| one.as_mut().unwrap().group_key = GroupKey([1; 96])),
            || Roots::<Test>::mutate(ROOT, |one| one.as_mut().unwrap().programs = 1),
            || OpenRoot::<Test>::kill(),
            || Deliveries::<Test>::insert(gatekeeper(1), 0, batch(1, 0, 1, 1)),
        ];
        for (n, breakage) in breakages.into_iter().enumerate() {
            new_test_ext().execute_with(|| {
                found();
                Custody::on_finalize(1);
                Custody::do_try_state().unwrap();
                breakage();
                assert!(Custody::do_try_state().is_err(), "{n}");
            });
        }
    }
}
