//! Incidents: dealers that are proven to cheat, shares that stand open, gatekeepers that are thrown out and what they say last.

use crate::{
    Complaints, Departures, EARLY_REFRESH_BLOCKS, EarlyRefreshes, Event, LAST_DELIVERIES_BLOCKS, LOOK_BLOCKS, Refusal,
    mock::*,
};
use blst::min_sig::SecretKey;
use codec::Encode;
use frame_support::assert_ok;
use phala_messages::{
    WorkerId,
    custody::{ComplaintEvidence, DealerFault, EpochNumber, Phase, RootGeneration, RoundNumber},
    limits::COMPLAINT_EVIDENCE_BYTES_MAX,
    transcript::sha256,
};
use phala_units::BlockNumber;

const ROOT: RootGeneration = RootGeneration(0);

fn members() -> Vec<u8> {
    numbers(&Custody::epoch_of(ROOT).unwrap().members)
}

fn is_idle() -> bool {
    Custody::running().is_none()
}

mod complaints {
    use super::*;

    /// Numbers, big end first, and the points that they stand for.
    fn number(n: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[31] = n;
        bytes
    }

    fn point(n: u8) -> [u8; 96] {
        SecretKey::from_bytes(&number(n)).unwrap().sk_to_pk().to_bytes()
    }

    #[test]
    fn a_dealer_that_is_proven_to_cheat_is_out_until_governance_approves_it_again() {
        run(|| {
            found();
            join([5]);
            blocks(PARAMETERS.refresh_blocks);
            let number = round().number;
            accepted(complain(1, 3));
            let record = Complaints::<Test>::get(number, 0).unwrap();
            let fault = DealerFault::Contradiction;
            assert_eq!((record.dealer, record.by, record.fault), (gatekeeper(3), gatekeeper(1), fault));
            assert_eq!((record.evidence_hash, record.evidence.to_vec()), (sha256(&contradiction(3)), contradiction(3)));
            assert_eq!(record.block, BlockNumber(System::block_number()));
            let (dealer, by, evidence_hash) = (gatekeeper(3), gatekeeper(1), record.evidence_hash);
            assert_eq!(
                events().last(),
                Some(&Event::ComplaintProven { round: number, dealer, by, evidence_hash, fault })
            );
            assert_eq!(offences(), [(gatekeeper(3), number, fault)]);
            // Another proof of the same is kept, and told to nobody.
            accepted(complain(2, 3));
            assert_eq!(offences().len(), 1);

            blocks(PARAMETERS.dealing_blocks + PARAMETERS.retry_blocks);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![1, 2, 4], vec![1, 2, 4, 5]));
            play(7);
            assert_eq!(members(), [1, 2, 4, 5]);
            // Its place is gone; approved again it waits for one.
            assert_ok!(govern(crate::Call::approve { account: account(3) }));
            call(account(5), crate::Call::unbond {}).unwrap();
            blocks(2 * LOOK_BLOCKS);
            play(7);
            assert_eq!(members(), [1, 2, 3, 4]);
        });
    }

    #[test]
    fn where_the_quorum_needs_them_cheats_still_deal_and_are_handed_nothing() {
        run(|| {
            found();
            join(5..=6);
            blocks(PARAMETERS.refresh_blocks);
            accepted(complain(1, 3));
            accepted(complain(2, 4));
            blocks(PARAMETERS.dealing_blocks + PARAMETERS.retry_blocks);
            assert_eq!((numbers(&round().dealers), numbers(&round().players)), (vec![1, 2, 3, 4], vec![1, 2, 5, 6]));
        });
    }

    #[test]
    fn a_wrong_share_is_proven_against_the_polynomial_and_a_right_one_is_not() {
        run(|| {
            join(1..=4);
            blocks(1);
            // 5 + 7x + 11x², for the player at place 1: 5 + 14 + 44.
            let points = [5, 7, 11].map(point);
            assert_refused(complain_with(2, 1, sent(1, 2, &points, number(63))), Refusal::ComplaintUnfounded);
            // Signed by another, or for a player who is not there.
            let mut forged = sent(1, 2, &points, number(64));
            *forged.last_mut().unwrap() ^= 1;
            assert_refused(complain_with(2, 1, forged), Refusal::ComplaintUnfounded);
            assert_refused(complain_with(2, 1, sent(1, 9, &points, number(64))), Refusal::ComplaintUnfounded);
            // Evidence against one dealer says nothing of another.
            assert_refused(complain_with(2, 3, sent(1, 2, &points, number(64))), Refusal::ComplaintUnfounded);
            accepted(complain_with(2, 1, sent(1, 2, &points, number(64))));
            accepted(complain_with(3, 1, sent(1, 2, &points[..2], number(19))));
            accepted(complain_with(4, 1, sent(1, 2, &[points[0], [0xff; 96], points[2]], number(63))));
            let faults: Vec<_> = (1..=3).map(|by| Complaints::<Test>::get(RoundNumber(1), by).unwrap().fault).collect();
            assert_eq!(faults, [DealerFault::WrongShare, DealerFault::WrongDegree, DealerFault::CommitmentMalformed]);
        });
    }

    #[test]
    fn an_attempt_to_change_the_master_key_is_proven_against_the_epoch_before() {
        run(|| {
            found_with(&[5, 7, 11].map(point));
            blocks(PARAMETERS.refresh_blocks);
            // Gatekeeper 1 holds 5 + 7 + 11 = 23, and must hand on just that.
            let honest = [23, 2, 3].map(point);
            assert_refused(complain_with(2, 1, sent(1, 2, &honest, number(39))), Refusal::ComplaintUnfounded);
            let other = [24, 2, 3].map(point);
            accepted(complain_with(2, 1, sent(1, 2, &other, number(40))));
            assert_eq!(Complaints::<Test>::get(round().number, 1).unwrap().fault, DealerFault::OtherKeyShare);
        });
    }

    #[test]
    fn a_player_complains_once_with_evidence_until_the_next_round() {
        run(|| {
            join(1..=5);
            blocks(1);
            let of = |dealer: WorkerId, by: u8| {
                let evidence = contradiction(2).try_into().unwrap();
                let complaint =
                    phala_messages::custody::Complaint { round: round().number, dealer, by: gatekeeper(by), evidence };
                crate::Call::complain { complaint: Box::new(signed(complaint, by)) }
            };
            assert_refused(complain_with(1, 2, vec![]), Refusal::ComplaintEmpty);
            assert_refused(of(gatekeeper(5), 1), Refusal::NotDealer);
            assert_refused(of(gatekeeper(2), 5), Refusal::NotPlayer);
            assert_refused(complain_with(1, 2, vec![1, 2, 3]), Refusal::ComplaintUnfounded);
            accepted(complain(1, 2));
            assert_refused(complain(1, 3), Refusal::Complained);
            let late = complain(2, 3);
            let later = complain(3, 4);
            blocks(PARAMETERS.dealing_blocks);
            assert!(is_idle());
            accepted(late.clone());
            join(6..=7);
            blocks(PARAMETERS.retry_blocks + LOOK_BLOCKS);
            assert_eq!(round().number, RoundNumber(2));
            assert_refused(later, Refusal::RoundOver);
            assert_refused(late, Refusal::RoundOver);
        });
    }

    #[test]
    fn evidence_of_the_limit_is_judged_and_one_byte_more_is_not_read() {
        run(|| {
            join(1..=4);
            blocks(1);
            let largest = COMPLAINT_EVIDENCE_BYTES_MAX as usize;
            // Two commitments that fill it: what is missing to a whole point is put behind, and so is refused.
            assert!(ComplaintEvidence::try_from(vec![0; largest]).is_ok());
            assert!(ComplaintEvidence::try_from(vec![0; largest + 1]).is_err());
            let points = (largest - contradiction(2).len()) / 96;
            let two = [committed_to(2, &vec![[1; 96]; points]), committed_to(2, &[[2; 96]])].concat();
            let mut evidence = [(round_hash(), participant(2), 2u8).encode(), two].concat();
            accepted(complain_with(1, 2, evidence.clone()));
            evidence.resize(largest, 0);
            assert_refused(complain_with(3, 2, evidence), Refusal::ComplaintUnfounded);
        });
    }

    #[test]
    fn a_complaint_that_was_not_judged_does_nothing() {
        run(|| {
            join(1..=4);
            blocks(1);
            let authorized = || -> RuntimeOrigin { frame_system::Origin::<Test>::Authorized.into() };
            let crate::Call::complain { complaint } = complain(1, 2) else { unreachable!("it is one") };
            let not_judged = crate::Error::<Test>::NotJudged;
            frame_support::assert_noop!(Custody::complain(authorized(), complaint.clone()), not_judged);
            // The verdict over another complaint is none over this one.
            crate::Judged::<Test>::put((phala_messages::Hash::default(), DealerFault::WrongShare));
            let not_judged = crate::Error::<Test>::NotJudged;
            frame_support::assert_noop!(Custody::complain(authorized(), complaint), not_judged);
        });
    }
}

mod revealed_shares {
    use super::*;

    /// Plays the running round; the log of dealer 1 reveals one share.
    fn play_revealing(key: u8) {
        let number = round().number;
        let dealers = numbers(&round().dealers);
        dealers.iter().for_each(|n| accepted(log_in(number, *n, u32::from(*n == 1))));
        dealers.iter().for_each(|n| accepted(confirm(*n, 0b1111)));
        dealers.iter().take(3).for_each(|n| accepted(report(*n, key)));
    }

    #[test]
    fn they_are_refreshed_soon_and_an_attacker_that_goes_on_makes_rounds_follow_no_faster_than_twice() {
        run(|| {
            join(1..=4);
            blocks(1);
            play_revealing(7);
            let started = System::block_number();
            let at = BlockNumber(started + EARLY_REFRESH_BLOCKS);
            assert!(events().contains(&Event::RefreshHastened { epoch: EpochNumber(0), at }));
            blocks(EARLY_REFRESH_BLOCKS - 1);
            assert!(is_idle());
            blocks(1);
            assert_eq!(round().number, RoundNumber(2));
            // Each round reveals again: between two early ones lies a regular one.
            let mut rounds = 0;
            let last = System::block_number() + 10 * PARAMETERS.refresh_blocks;
            while System::block_number() < last {
                if is_idle() {
                    blocks(1);
                } else {
                    play_revealing(7);
                    rounds += 1;
                }
            }
            assert!((15..=21).contains(&rounds), "{rounds} rounds in the time of ten");
        });
    }

    #[test]
    fn logs_that_do_not_count_reveal_nothing_of_the_epoch() {
        run(|| {
            join(1..=4);
            blocks(1);
            let number = round().number;
            for n in 1..=4 {
                accepted(log_in(number, n, u32::from(n == 1)));
            }
            // Nobody holds the log that reveals.
            (1..=4).for_each(|n| accepted(confirm(n, 0b1110)));
            (1..=3).for_each(|n| accepted(report(n, 7)));
            assert_eq!(round().phase, Phase::Finished(EpochNumber(0)));
            assert!(!EarlyRefreshes::<Test>::contains_key(ROOT));
            blocks(PARAMETERS.refresh_blocks - 1);
            assert!(is_idle());
        });
    }

    #[test]
    fn an_early_refresh_that_comes_to_nothing_is_tried_again() {
        run(|| {
            join(1..=4);
            blocks(1);
            play_revealing(7);
            blocks(EARLY_REFRESH_BLOCKS);
            assert!(!is_idle());
            blocks(PARAMETERS.dealing_blocks);
            assert!(is_idle());
            blocks(PARAMETERS.retry_blocks);
            assert_eq!(round().number, RoundNumber(3));
        });
    }
}

mod last_deliveries {
    use super::*;

    #[test]
    fn an_expelled_gatekeeper_says_what_it_delivered_and_after_a_while_nothing_more() {
        run(|| {
            found();
            join([5]);
            blocks(10);
            assert_ok!(govern(crate::Call::expel { account: account(2) }));
            // It holds its key share until a round has handed it on.
            accepted(deliver(2, batch(2, 0, 1, System::block_number() - 1)));
            blocks(2 * LOOK_BLOCKS);
            play(7);
            assert_eq!(members(), [1, 3, 4, 5]);
            let left = System::block_number();
            assert_eq!(Departures::<Test>::get(gatekeeper(2)), Some(BlockNumber(left)));
            System::set_block_number(left + LAST_DELIVERIES_BLOCKS);
            let last = batch(2, 1, left - 1, left);
            assert_ok!(validate(deliver(2, last.clone())));
            System::set_block_number(left + LAST_DELIVERIES_BLOCKS + 1);
            assert_refused(deliver(2, last), Refusal::NotApproved);
        });
    }

    #[test]
    fn a_cheat_logs_what_it_delivered_too_and_one_that_never_was_a_member_does_not() {
        run(|| {
            found();
            join([5]);
            blocks(PARAMETERS.refresh_blocks);
            accepted(complain(1, 3));
            accepted(deliver(3, batch(3, 0, 1, 2)));
            blocks(PARAMETERS.dealing_blocks + PARAMETERS.retry_blocks);
            play(7);
            blocks(1);
            accepted(deliver(3, batch(3, 1, 2, 3)));
            call(account(6), bond_call(6)).unwrap();
            assert_refused(deliver(6, batch(6, 0, 1, 2)), Refusal::NotApproved);
            call(account(6), crate::Call::unbond {}).unwrap();
            assert_refused(deliver(6, batch(6, 0, 1, 2)), Refusal::NotApproved);
        });
    }

    #[test]
    fn who_comes_back_has_not_departed_and_who_takes_its_bond_back_is_forgotten() {
        run(|| {
            found();
            join([5]);
            World::admit(2, false);
            blocks(2 * LOOK_BLOCKS + 6);
            play(7);
            assert!(Departures::<Test>::contains_key(gatekeeper(2)));
            World::admit(2, true);
            call(account(5), crate::Call::unbond {}).unwrap();
            blocks(2 * LOOK_BLOCKS);
            play(7);
            assert!(
                !Departures::<Test>::contains_key(gatekeeper(2)) && Departures::<Test>::contains_key(gatekeeper(5))
            );
            blocks(PARAMETERS.release_blocks);
            assert_ok!(call(account(5), crate::Call::withdraw_bond {}));
            assert!(!Departures::<Test>::contains_key(gatekeeper(5)));
        });
    }
}
