//! Machines that forget everything but what they stored.

use crate::network::*;
use phala_threshold::*;
use std::collections::BTreeMap;

#[test]
fn a_dealer_that_replays_sends_the_same_bytes() {
    let epoch = generate(4);
    for (terms, share) in [(generation(2, 1..=4), None), (epoch.next(1..=4, 1..=5), Some(&epoch.shares[&key(1)]))] {
        let round = terms.check().unwrap();
        let deal = || {
            let (dealer, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), share).unwrap();
            let bytes: Vec<_> = dealings.iter().map(|(_, d)| d.bytes_to_seal().to_vec()).collect();
            (bytes, dealer.finish().hash())
        };
        assert_eq!(deal(), deal());
    }
}

#[test]
fn a_player_resumes_from_its_stored_dealings_with_the_same_acknowledgements() {
    let round = generation(1, 1..=4).check().unwrap();
    let mut stored = Vec::new();
    let mut logs = Vec::new();
    let mut players: BTreeMap<_, _> = (1..=4).map(|m| (key(m), Player::new(&round, &signer(m)).unwrap())).collect();
    let mut acks = Vec::new();
    for machine in 1..=4 {
        let (mut dealer, dealings) = Dealer::start(&round, &signer(machine), &dealing_seed(machine), None).unwrap();
        for (player, dealing) in dealings {
            let ack = players.get_mut(&player).unwrap().receive(&dealing).unwrap();
            dealer.acknowledge(&player, &ack).unwrap();
            if player == key(1) {
                stored.push(dealing.bytes_to_seal());
                acks.push(ack);
            }
        }
        logs.push(dealer.finish());
    }
    let stored = || stored.iter().map(|bytes| Dealing::parse(bytes).unwrap()).collect::<Vec<_>>();
    let mut resumed = Player::resume(&round, &signer(1), &stored(), &logs).unwrap();
    assert_eq!(resumed.accepted().count(), 4);
    for (dealing, ack) in stored().iter().zip(&acks) {
        assert_eq!(resumed.receive(dealing).as_ref(), Ok(ack));
    }
    let (output, share) = resumed.finish(&logs).unwrap();
    let (expected, expected_share) = players.remove(&key(1)).unwrap().finish(&logs).unwrap();
    assert_eq!(output, expected);
    assert_eq!(*share.bytes_to_seal(), *expected_share.bytes_to_seal());

    // Acknowledged before it was stored: noticed at once, not at the end.
    let resume = |dealings: &[Dealing], logs: &[DealerLog], machine| {
        Player::resume(&round, &signer(machine), dealings, logs).map(|_| ()).unwrap_err()
    };
    assert_eq!(resume(&stored()[1..], &logs, 1), ResumeError::DealingMissing);
    assert_eq!(resume(&stored(), &logs, 5), ResumeError::NotAPlayer);
    assert_eq!(resume(&stored(), &logs, 2), ResumeError::StoredDealing(key(1)));
    let other = generation(9, 1..=4).check().unwrap();
    let error = Player::resume(&other, &signer(1), &[], &logs).map(|_| ()).unwrap_err();
    assert_eq!(error, ResumeError::OtherLog);
    let forgetful = Player::new(&round, &signer(1)).unwrap();
    assert_eq!(forgetful.finish(&logs).unwrap_err(), FinishError::DealingMissing);
}

#[test]
fn a_dealing_that_comes_twice_is_acknowledged_twice_in_the_same_way() {
    let round = generation(1, 1..=4).check().unwrap();
    let (mut dealer, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), None).unwrap();
    let mut player = Player::new(&round, &signer(2)).unwrap();
    let dealing = &dealings.iter().find(|(player, _)| *player == key(2)).unwrap().1;
    let ack = player.receive(dealing).unwrap();
    assert_eq!(player.receive(dealing), Ok(ack));
    dealer.acknowledge(&key(2), &ack).unwrap();
    dealer.acknowledge(&key(2), &ack).unwrap();
    assert_eq!(dealer.acknowledge(&key(3), &ack), Err(AckError::NotSigned));
    assert_eq!(dealer.acknowledge(&key(9), &ack), Err(AckError::NotAPlayer));
}
