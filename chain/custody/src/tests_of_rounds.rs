//! Rounds: each transition in its order, and what happens out of it.

use crate::{
    Complaints, Epochs, Event, LOOK_BLOCKS, Logs, NewestRound, NextEpoch, OpenRoot, Outputs, ROUNDS_KEPT, Refusal,
    Roots, Rounds, mock::*,
};
use frame_support::assert_ok;
use phala_messages::{
    GenesisHash, Hash,
    custody::{
        Abandonment, Confirmation, EpochNumber, GROUP_POINT_BYTES, GroupKey, LogCommitment, OutputReport, Phase,
        Purpose, RootGeneration, RootStatus, RoundNumber,
    },
};

const ROOT: RootGeneration = RootGeneration(0);

fn epoch() -> phala_messages::custody::EpochRecord {
    Custody::epoch_of(ROOT).unwrap()
}

fn members() -> Vec<u8> {
    numbers(&epoch().members)
}

fn is_idle() -> bool {
    Custody::running().is_none()
}

/// Plays the running round with `silent` missing: the others do everything, deadlines do the rest.
fn play_without(silent: u8, key: u8) {
    let (dealers, players) = (numbers(&round().dealers), numbers(&round().players));
    dealers.iter().filter(|n| **n != silent).for_each(|n| accepted(log(*n)));
    if round().phase == Phase::Dealing {
        blocks(PARAMETERS.dealing_blocks);
    }
    let logs = (0..dealers.len()).filter(|place| dealers[*place] != silent).fold(0, |all, place| all | 1 << place);
    players.iter().filter(|n| **n != silent).for_each(|n| accepted(confirm(*n, logs)));
    if round().phase == Phase::Confirming {
        blocks(PARAMETERS.confirming_blocks);
    }
    assert_eq!(round().phase, Phase::Reporting);
    let needed = round().threshold as usize;
    players.iter().filter(|n| **n != silent).take(needed).for_each(|n| accepted(report(*n, key)));
}

mod generation {
    use super::*;

    #[test]
    fn a_round_makes_the_key_as_soon_as_enough_gatekeepers_are_eligible() {
        run(|| {
            join(1..=3);
            blocks(10);
            assert_eq!(NewestRound::<Test>::get(), RoundNumber(0));
            join([4]);
            blocks(LOOK_BLOCKS);
            let record = round();
            assert_eq!((record.number, record.purpose, record.root), (RoundNumber(1), Purpose::Generate, ROOT));
            assert_eq!((numbers(&record.dealers), numbers(&record.players)), (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
            assert_eq!((record.threshold, record.logs_required, record.previous), (3, 3, None));
            assert_eq!((record.phase, record.deadline.0), (Phase::Dealing, record.opened.0 + 10));
        });
    }

    #[test]
    fn a_round_goes_from_logs_over_confirmations_and_reports_to_an_epoch() {
        run(|| {
            join(1..=4);
            blocks(1);
            for n in 1..=3 {
                accepted(log(n));
                assert_eq!(round().phase, Phase::Dealing);
            }
            accepted(log(4));
            assert_eq!(round().phase, Phase::Confirming);
            assert_eq!(Logs::<Test>::get(RoundNumber(1))[2].unwrap().hash, Hash([3; 32]));
            for n in 1..=3 {
                accepted(confirm(n, 0b1111));
                assert_eq!(round().phase, Phase::Confirming);
            }
            accepted(confirm(4, 0b0111));
            assert_eq!((round().phase, round().selected), (Phase::Reporting, 0b1111));
            assert_eq!(Logs::<Test>::get(RoundNumber(1))[3].unwrap().confirmed_by, 0b0111);
            accepted(report(1, 7));
            accepted(report(4, 7));
            assert_eq!(Custody::epoch_of(ROOT), None);
            accepted(report(2, 7));

            let epoch = epoch();
            assert_eq!((epoch.epoch, epoch.round, epoch.root), (EpochNumber(0), RoundNumber(1), ROOT));
            assert_eq!((epoch.threshold, epoch.group_key), (3, GroupKey([7; 96])));
            assert_eq!((epoch.output_hash, epoch.polynomial.len()), (Hash([7; 32]), 3 * GROUP_POINT_BYTES));
            assert_eq!(members(), [1, 2, 3, 4]);
            assert_eq!(round().phase, Phase::Finished(EpochNumber(0)));
            let root = Roots::<Test>::get(ROOT).unwrap();
            assert_eq!((root.status, root.group_key), (RootStatus::Open, GroupKey([7; 96])));
            assert_eq!(OpenRoot::<Test>::get(), Some(ROOT));
            let ours = events();
            assert!(ours.contains(&Event::RootOpened { root: ROOT, group_key: GroupKey([7; 96]) }));
            let round = RoundNumber(1);
            assert!(ours.contains(&Event::LogsSelected { round, selected: 0b1111 }));
            assert!(ours.contains(&Event::ConfirmingStarted { round }));
            let started = Event::EpochStarted { epoch: EpochNumber(0), round, root: ROOT, members: 4, threshold: 3 };
            assert!(ours.contains(&started));
        });
    }

    #[test]
    fn one_silent_gatekeeper_of_four_stops_nothing() {
        run(|| {
            join(1..=4);
            blocks(1);
            play_without(2, 7);
            assert_eq!(members(), [1, 2, 3, 4]);
            assert_eq!(round().selected, 0b1101);
        });
    }

    #[test]
    fn places_follow_participant_keys_not_the_order_of_bonding() {
        run(|| {
            join([4, 2, 3, 1]);
            blocks(1);
            assert_eq!(numbers(&round().players), [1, 2, 3, 4]);
        });
    }
}

mod order {
    use super::*;

    #[test]
    fn each_message_is_refused_outside_its_phase() {
        run(|| {
            join(1..=5);
            blocks(1);
            // Five are eligible, four are wanted: the fifth waits.
            assert_eq!(numbers(&round().players), [1, 2, 3, 4]);
            assert_refused(confirm(1, 1), Refusal::NotConfirming);
            assert_refused(report(1, 7), Refusal::NotReporting);
            assert_refused(log(5), Refusal::NotDealer);
            assert_refused(confirm(5, 1), Refusal::NotPlayer);
            assert_refused(report(5, 7), Refusal::NotPlayer);
            accepted(log(1));
            assert_refused(log(1), Refusal::LogCommitted);
            accepted(log(2));
            accepted(log(3));
            blocks(PARAMETERS.dealing_blocks);

            assert_eq!(round().phase, Phase::Confirming);
            assert_refused(log(4), Refusal::NotDealing);
            assert_refused(report(1, 7), Refusal::NotReporting);
            assert_refused(confirm(1, 0b1000), Refusal::LogUnknown);
            assert_refused(confirm(1, 1 << 63), Refusal::LogUnknown);
            accepted(confirm(1, 0b0111));
            assert_refused(confirm(1, 0b0111), Refusal::Confirmed);
            for n in 2..=4 {
                accepted(confirm(n, 0b0111));
            }

            assert_eq!(round().phase, Phase::Reporting);
            assert_refused(log(4), Refusal::NotDealing);
            assert_refused(confirm(2, 1), Refusal::NotConfirming);
            accepted(report(1, 7));
            assert_refused(report(1, 7), Refusal::Reported);
            accepted(report(2, 7));
            let (log, confirm, report) = (log(4), confirm(4, 0), report(4, 7));
            accepted(super::report(3, 7));
            for late in [log, confirm, report] {
                assert_refused(late, Refusal::RoundOver);
            }
        });
    }

    #[test]
    fn a_message_names_the_round_that_runs() {
        run(|| {
            assert_refused(log_in(RoundNumber(0), 1, 0), Refusal::RoundOver);
            assert_refused(log_in(RoundNumber(1), 1, 0), Refusal::RoundUnknown);
            join(1..=4);
            blocks(1);
            assert_refused(log_in(RoundNumber(0), 1, 0), Refusal::RoundOver);
            assert_refused(log_in(RoundNumber(2), 1, 0), Refusal::RoundUnknown);
            accepted(log_in(RoundNumber(1), 1, 0));
        });
    }

    #[test]
    fn a_message_of_another_round_network_or_process_is_refused() {
        run(|| {
            join(1..=4);
            blocks(1);
            let commitment = |round: u64| LogCommitment {
                round: RoundNumber(round),
                dealer: gatekeeper(1),
                log_hash: Hash([1; 32]),
                revealed: 0,
            };
            let call = |commitment| crate::Call::commit_log { commitment };
            let other = sign_for(commitment(1), &instance(1), &GenesisHash([9; 32]));
            assert_refused(call(other), Refusal::GatekeeperSignature);
            // The signature of round 2 under a message of round 1.
            let mut replayed = signed(commitment(2), 1);
            replayed.message.round = RoundNumber(1);
            assert_refused(call(replayed), Refusal::GatekeeperSignature);
            for by in [instance(2), identity(1)] {
                assert_refused(call(sign_for(commitment(1), &by, &genesis())), Refusal::GatekeeperSignature);
            }
            let good = signed(commitment(1), 1);
            for alter in [
                (|all| all.dealer = gatekeeper(2)) as fn(&mut LogCommitment),
                |all| all.log_hash = Hash([2; 32]),
                |all| all.revealed = 1,
            ] {
                let mut altered = good.clone();
                alter(&mut altered.message);
                assert_refused(call(altered), Refusal::GatekeeperSignature);
            }
            accepted(call(good));
            // A confirmation's signature is none of a commitment, though the bytes may agree.
            let confirmation = Confirmation { round: RoundNumber(1), player: gatekeeper(2), logs: 0 };
            let signature = signed(confirmation, 2).signature;
            let message = LogCommitment { dealer: gatekeeper(2), ..commitment(1) };
            assert_refused(call(phala_messages::custody::Signed { message, signature }), Refusal::GatekeeperSignature);
        });
    }

    #[test]
    fn a_member_whose_admission_ran_out_says_nothing() {
        run(|| {
            join(1..=4);
            blocks(1);
            World::admit(1, false);
            assert_refused(log(1), Refusal::GatekeeperNotAdmitted);
            assert_refused(complain(1, 2), Refusal::GatekeeperNotAdmitted);
            for n in 2..=4 {
                accepted(log(n));
            }
            blocks(PARAMETERS.dealing_blocks);
            assert_refused(confirm(1, 0), Refusal::GatekeeperNotAdmitted);
            for n in 2..=4 {
                accepted(confirm(n, 0b1110));
            }
            blocks(PARAMETERS.confirming_blocks);
            assert_refused(report(1, 7), Refusal::GatekeeperNotAdmitted);
        });
    }

    #[test]
    fn an_output_has_the_rounds_number_of_points_and_starts_with_its_key() {
        run(|| {
            join(1..=4);
            blocks(1);
            (1..=4).for_each(|n| accepted(log(n)));
            (1..=4).for_each(|n| accepted(confirm(n, 0b1111)));
            let with = |change: fn(&mut OutputReport)| {
                let mut output = output(1, 7);
                change(&mut output);
                crate::Call::report_output { report: Box::new(signed(output, 1)) }
            };
            assert_eq!(output(1, 7).polynomial.to_vec(), vec![7; 3 * 96]);
            for malformed in [
                (|all| all.polynomial = Default::default()) as fn(&mut OutputReport),
                |all| all.polynomial = vec![7; 2 * 96].try_into().unwrap(),
                |all| all.polynomial = vec![7; 4 * 96].try_into().unwrap(),
                |all| all.polynomial = vec![7; 3 * 96 - 1].try_into().unwrap(),
                |all| all.group_key = GroupKey([8; 96]),
            ] {
                assert_refused(with(malformed), Refusal::OutputMalformed);
            }
            accepted(with(|_| {}));
        });
    }

    #[test]
    fn a_log_that_reveals_what_a_round_can_bear_is_an_incident_and_one_more_is_refused() {
        run(|| {
            join(1..=4);
            blocks(1);
            let number = round().number;
            assert_refused(log_in(number, 1, 2), Refusal::LogRevealsTooMuch);
            accepted(log_in(number, 1, 1));
            let incident = Event::SharesRevealed { round: number, dealer: gatekeeper(1), revealed: 1 };
            assert!(events().contains(&incident));
            accepted(log(2));
            assert_eq!(events().iter().filter(|event| matches!(event, Event::SharesRevealed { .. })).count(), 1);
        });
    }
}

mod abandonment {
    use super::*;

    /// The round was abandoned for `reason`, and another one follows after the pause, under the next number.
    fn assert_retried(reason: Abandonment) {
        let number = round().number;
        assert_eq!(round().phase, Phase::Abandoned(reason));
        assert!(events().contains(&Event::RoundAbandoned { round: number, reason }));
        blocks(PARAMETERS.retry_blocks - 1);
        assert!(is_idle());
        blocks(1);
        assert_eq!((round().number, round().phase), (number.next(), Phase::Dealing));
        assert_eq!(Rounds::<Test>::get(number).unwrap().phase, Phase::Abandoned(reason));
    }

    #[test]
    fn too_few_logs() {
        run(|| {
            join(1..=4);
            blocks(1);
            accepted(log(1));
            accepted(log(2));
            blocks(PARAMETERS.dealing_blocks - 1);
            assert_eq!(round().phase, Phase::Dealing);
            blocks(1);
            assert_retried(Abandonment::FewLogs);
            play(7);
            assert_eq!(epoch().round, RoundNumber(2));
        });
    }

    #[test]
    fn too_few_players_hold_the_same_logs() {
        run(|| {
            join(1..=4);
            blocks(1);
            (1..=4).for_each(|n| accepted(log(n)));
            // Logs 1 and 2 are held by three, 3 and 4 by two: two are selected, three are needed.
            for (n, logs) in [(1, 0b1111), (2, 0b1111), (3, 0b0011)] {
                accepted(confirm(n, logs));
            }
            blocks(PARAMETERS.confirming_blocks - 1);
            assert_eq!(round().phase, Phase::Confirming);
            blocks(1);
            assert_retried(Abandonment::FewConfirmed);
        });
    }

    #[test]
    fn players_disagree() {
        run(|| {
            join(1..=4);
            blocks(1);
            (1..=4).for_each(|n| accepted(log(n)));
            (1..=4).for_each(|n| accepted(confirm(n, 0b1111)));
            for (n, key) in [(1, 7), (2, 7), (3, 8), (4, 8)] {
                accepted(report(n, key));
            }
            assert_eq!(Outputs::<Test>::iter_prefix_values(RoundNumber(1)).count(), 2);
            blocks(PARAMETERS.reporting_blocks);
            assert_retried(Abandonment::Disagreement);
            assert_eq!(NextEpoch::<Test>::get(), EpochNumber(0));
        });
    }

    #[test]
    fn outputs_that_differ_in_one_part_do_not_count_together() {
        run(|| {
            join(1..=4);
            blocks(1);
            (1..=4).for_each(|n| accepted(log(n)));
            (1..=4).for_each(|n| accepted(confirm(n, 0b1111)));
            accepted(report(1, 7));
            accepted(report(2, 7));
            let mut other = output(3, 7);
            other.output_hash = Hash([8; 32]);
            accepted(crate::Call::report_output { report: Box::new(signed(other, 3)) });
            let mut other = output(4, 7);
            other.polynomial[2 * 96] = 8;
            accepted(crate::Call::report_output { report: Box::new(signed(other, 4)) });
            assert_eq!(round().phase, Phase::Reporting);
            assert_eq!(Outputs::<Test>::iter_prefix_values(RoundNumber(1)).count(), 3);
        });
    }

    #[test]
    fn the_old_epoch_serves_while_rounds_fail() {
        run(|| {
            found();
            let before = epoch();
            blocks(PARAMETERS.refresh_blocks);
            for _ in 0..3 {
                assert_eq!(round().purpose, Purpose::Reshare);
                blocks(PARAMETERS.dealing_blocks + PARAMETERS.retry_blocks);
                assert_eq!(epoch(), before);
            }
            play(7);
            assert_eq!(epoch().epoch, EpochNumber(1));
        });
    }

    #[test]
    fn old_rounds_are_forgotten_and_numbers_never_return() {
        run(|| {
            join(1..=5);
            blocks(1);
            accepted(complain(1, 2));
            for _ in 0..ROUNDS_KEPT {
                blocks(PARAMETERS.dealing_blocks + PARAMETERS.retry_blocks);
            }
            assert_eq!(NewestRound::<Test>::get(), RoundNumber(ROUNDS_KEPT + 1));
            assert!(!Rounds::<Test>::contains_key(RoundNumber(1)) && Rounds::<Test>::contains_key(RoundNumber(2)));
            assert_eq!(Rounds::<Test>::iter().count() as u64, ROUNDS_KEPT);
            assert_eq!((Complaints::<Test>::iter().count(), Logs::<Test>::iter().count() as u64), (0, ROUNDS_KEPT));
        });
    }
}

mod resharing {
    use super::*;

    #[test]
    fn an_old_epoch_is_refreshed_among_the_same_members() {
        run(|| {
            found();
            blocks(PARAMETERS.refresh_blocks - 1);
            assert!(is_idle());
            blocks(1);
            let record = round();
            assert_eq!((record.purpose, record.previous), (Purpose::Reshare, Some(EpochNumber(0))));
            assert_eq!((numbers(&record.dealers), numbers(&record.players)), (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
            play(7);
            assert_eq!((epoch().epoch, members()), (EpochNumber(1), vec![1, 2, 3, 4]));
            assert_eq!(epoch().since.0, System::block_number());
            blocks(PARAMETERS.refresh_blocks - 1);
            assert!(is_idle());
        });
    }

    #[test]
    fn a_reshare_with_another_group_key_is_refused() {
        run(|| {
            found();
            blocks(PARAMETERS.refresh_blocks);
            (1..=4).for_each(|n| accepted(log(n)));
            (1..=4).for_each(|n| accepted(confirm(n, 0b1111)));
            assert_refused(report(1, 8), Refusal::GroupKeyChanged);
            accepted(report(1, 7));
        });
    }

    #[test]
    fn who_waits_takes_the_place_of_who_leaves() {
        run(|| {
            found();
            join([5, 6]);
            blocks(20);
            assert!(is_idle(), "four are wanted and four are there");
            assert_ok!(call(account(2), crate::Call::unbond {}));
            blocks(LOOK_BLOCKS);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![1, 2, 3, 4], vec![1, 3, 4, 5]));
            play(7);
            assert_eq!(members(), [1, 3, 4, 5]);
        });
    }

    #[test]
    fn who_joins_is_given_a_share_when_more_are_wanted() {
        run(|| {
            found();
            join(5..=7);
            let parameters = phala_messages::custody::Parameters { members: 7, ..PARAMETERS };
            assert_ok!(govern(crate::Call::set_parameters { parameters }));
            blocks(LOOK_BLOCKS);
            let record = round();
            assert_eq!((numbers(&record.dealers), numbers(&record.players)), (vec![1, 2, 3, 4], (1..=7).collect()));
            assert_eq!((record.threshold, record.logs_required), (5, 3));
            play(7);
            assert_eq!((members(), epoch().threshold), ((1..=7).collect::<Vec<_>>(), 5));
            // And back: those that bonded first stay.
            assert_ok!(govern(crate::Call::set_parameters { parameters: PARAMETERS }));
            blocks(LOOK_BLOCKS);
            assert_eq!(round().logs_required, 5);
            play(7);
            assert_eq!(members(), [1, 2, 3, 4]);
        });
    }

    #[test]
    fn a_member_whose_admission_expired_is_left_out_and_does_not_deal() {
        run(|| {
            found();
            World::admit(3, false);
            blocks(10);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![1, 2, 4], vec![1, 2, 4]));
            play(7);
            assert_eq!((members(), epoch().threshold), (vec![1, 2, 4], 3));
            // It comes back.
            World::admit(3, true);
            blocks(10);
            assert_eq!(numbers(&round().players), [1, 2, 3, 4]);
        });
    }

    #[test]
    fn a_member_that_is_a_validator_no_more_is_left_out() {
        run(|| {
            found();
            World::elect(1, false);
            blocks(10);
            assert_eq!(numbers(&round().players), [2, 3, 4]);
        });
    }

    #[test]
    fn an_expelled_member_deals_no_more_where_others_can() {
        run(|| {
            found();
            assert_ok!(govern(crate::Call::expel { account: account(4) }));
            blocks(LOOK_BLOCKS);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![1, 2, 3], vec![1, 2, 3]));
            play(7);
            // Of three members all three are needed: an expelled one deals, for else the key would be lost.
            join([5]);
            blocks(LOOK_BLOCKS);
            play(7);
            assert_eq!(members(), [1, 2, 3, 5]);
            World::admit(1, false);
            assert_ok!(govern(crate::Call::expel { account: account(5) }));
            join([6]);
            blocks(10);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![2, 3, 5], vec![2, 3, 6]));
        });
    }

    #[test]
    fn an_expelled_member_deals_again_where_a_round_without_it_was_given_up() {
        run(|| {
            found();
            assert_ok!(govern(crate::Call::expel { account: account(4) }));
            blocks(LOOK_BLOCKS);
            assert_eq!(numbers(&round().dealers), [1, 2, 3]);
            // One of the three has lost its key share: it cannot deal, and two are too few.
            accepted(log(1));
            accepted(log(2));
            blocks(PARAMETERS.dealing_blocks);
            assert_eq!(round().phase, Phase::Abandoned(Abandonment::FewLogs));
            blocks(PARAMETERS.retry_blocks);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![1, 2, 3, 4], vec![1, 2, 3]));
            [1, 2, 4].into_iter().for_each(|n| accepted(log(n)));
            blocks(PARAMETERS.dealing_blocks);
            let dealt =
                (0..4).filter(|place| numbers(&round().dealers)[*place] != 3).fold(0, |all, place| all | 1 << place);
            (1..=3).for_each(|n| accepted(confirm(n, dealt)));
            (1..=3).for_each(|n| accepted(report(n, 7)));
            // The new epoch was handed on by those who could; in the next one the expelled has no part.
            assert_eq!(members(), [1, 2, 3]);
            blocks(PARAMETERS.refresh_blocks);
            assert_eq!(numbers(&round().dealers), [1, 2, 3]);
        });
    }

    #[test]
    fn a_key_is_not_handed_to_fewer_than_the_least_number_and_stays_where_it_is() {
        run(|| {
            found();
            World::admit(3, false);
            World::admit(4, false);
            blocks(PARAMETERS.refresh_blocks * 2);
            assert_eq!((is_idle(), members()), (true, vec![1, 2, 3, 4]));
            World::admit(3, true);
            blocks(LOOK_BLOCKS);
            assert_eq!(numbers(&round().players), [1, 2, 3]);
        });
    }

    #[test]
    fn without_a_threshold_of_members_nobody_deals() {
        run(|| {
            found();
            join(5..=8);
            World::admit(1, false);
            World::admit(2, false);
            blocks(PARAMETERS.refresh_blocks * 2);
            assert_eq!((is_idle(), members()), (true, vec![1, 2, 3, 4]));
        });
    }

    #[test]
    fn old_epochs_are_forgotten_and_the_current_one_never() {
        run(|| {
            found();
            // As if so many epochs had passed.
            NextEpoch::<Test>::put(EpochNumber(crate::EPOCHS_KEPT));
            blocks(PARAMETERS.refresh_blocks);
            assert!(Epochs::<Test>::contains_key(EpochNumber(0)));
            play(7);
            assert_eq!(epoch().epoch, EpochNumber(crate::EPOCHS_KEPT));
            assert!(!Epochs::<Test>::contains_key(EpochNumber(0)));
        });
    }
}
