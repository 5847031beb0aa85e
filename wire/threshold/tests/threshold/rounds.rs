//! Generating, refreshing and resharing.

use crate::network::*;
use phala_threshold::*;
use std::collections::BTreeMap;

#[test]
fn the_threshold_is_all_but_the_third_that_may_fail() {
    let expected = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (7, 5), (16, 11), (31, 21)];
    for (players, needed) in expected {
        assert_eq!(threshold(players), needed, "{players}");
    }
}

#[test]
fn refreshing_and_resharing_keep_every_identitys_key() {
    let first = generate(4);
    let wanted = first.derived_key(&identity());
    let same = |epoch: &Epoch, players: usize, threshold: usize| {
        assert!(epoch.output.same_group_key(&first.output));
        assert_eq!(epoch.output.players().len(), players);
        assert_eq!(epoch.output.threshold(), threshold);
        assert!(epoch.output.revealed().is_empty());
        assert_eq!(epoch.derived_key(&identity()), wanted);
    };
    let refreshed = play(&first.next(1..=4, 1..=4), &first.shares);
    same(&refreshed, 4, 3);
    let joined = play(&refreshed.next(1..=4, 1..=5), &refreshed.shares);
    same(&joined, 5, 4);
    let grown = play(&joined.next(1..=5, 1..=7), &joined.shares);
    same(&grown, 7, 5);
    let left = play(&grown.next(1..=5, 2..=5), &grown.shares);
    same(&left, 4, 3);
    let replaced = play(&left.next(3..=5, 6..=9), &left.shares);
    same(&replaced, 4, 3);
}

#[test]
fn a_refresh_changes_every_key_share() {
    let first = generate(4);
    let second = play(&first.next(1..=4, 1..=4), &first.shares);
    for player in first.output.players() {
        assert_ne!(first.output.partial_key(player), second.output.partial_key(player));
        assert!(!first.shares[player].fits(&second.output, player));
    }
    assert_eq!(first.output.partial_key(&key(9)), None);
}

#[test]
fn another_generation_gives_another_key() {
    let first = generate(4);
    let second = play(&generation(2, 1..=4), &BTreeMap::new());
    assert!(!first.output.same_group_key(&second.output));
    assert_ne!(first.derived_key(&identity()), second.derived_key(&identity()));
}

#[test]
fn one_seed_never_gives_two_rounds_the_same_polynomial() {
    let points = |terms: &RoundTerms| {
        let round = terms.check().unwrap();
        let (_, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), None).unwrap();
        take_apart(&dealings[0].1).points
    };
    let a = points(&generation(1, 1..=4));
    for other in [generation(2, 1..=4), generation(1, 1..=5), RoundTerms { network: [1; 32], ..generation(1, 1..=4) }] {
        assert!(points(&other).iter().all(|point| !a.contains(point)));
    }
}

#[test]
fn an_absent_players_shares_are_revealed_and_reported() {
    let absent = key(4);
    let epoch = play_without(&generation(1, 1..=4), &BTreeMap::new(), &[absent]);
    for log in &epoch.logs {
        assert_eq!(log.revealed(), [absent]);
        assert!(!log.is_withheld());
    }
    // Whoever reads the logs knows that key share: an incident, answered by another round.
    assert_eq!(epoch.output.revealed(), [absent]);
    assert!(epoch.shares[&absent].fits(&epoch.output, &absent));
    let next = play(&epoch.next(1..=3, 1..=4), &epoch.shares);
    assert!(next.output.revealed().is_empty() && next.output.same_group_key(&epoch.output));
}

#[test]
fn a_dealer_withholds_its_log_rather_than_reveal_more_than_a_third() {
    let round = generation(1, 1..=4).check().unwrap();
    let logs: Vec<_> = (1..=4)
        .map(|machine| {
            let started = Dealer::start(&round, &signer(machine), &dealing_seed(machine), None);
            started.unwrap().0.finish()
        })
        .collect();
    assert!(logs.iter().all(|log| log.is_withheld() && log.revealed().is_empty()));
    let mut missing = keys(1..=4);
    missing.sort();
    let expected = LogsError::TooFew { required: 3, found: 0, faults: vec![], missing };
    assert_eq!(observe(&round, &logs), Err(expected.clone()));
    let player = Player::new(&round, &signer(1)).unwrap();
    assert_eq!(player.finish(&logs).unwrap_err(), FinishError::Logs(expected));
    assert!(logs[0].check(&round).is_err());
}

#[test]
fn other_logs_or_another_order_of_them_show_in_the_outputs_hash() {
    let terms = generation(1, 1..=4);
    let epoch = play(&terms, &BTreeMap::new());
    let round = terms.check().unwrap();
    let hash = |order: &[usize]| {
        let logs: Vec<_> = order.iter().map(|place| copy(&epoch.logs[*place])).collect();
        observe(&round, &logs).unwrap().hash()
    };
    let hashes = [hash(&[0, 1, 2, 3]), hash(&[0, 1, 2]), hash(&[0, 1, 3]), hash(&[1, 0, 2, 3]), hash(&[3, 2, 1, 0])];
    assert_eq!(hashes[0], epoch.output.hash());
    assert_eq!(hashes[0], hash(&[0, 1, 2, 3]));
    for (place, one) in hashes.iter().enumerate() {
        assert!(hashes.iter().skip(place + 1).all(|other| one != other), "{place}");
    }
    let listed: Vec<_> = epoch.logs.iter().map(DealerLog::hash).collect();
    assert_eq!(epoch.output.logs(), log_list_hash(&listed));
    // The round's logs required are the dealers' threshold; one less is an error that names who is missing.
    let few: Vec<_> = epoch.logs[..2].iter().map(copy).collect();
    assert!(matches!(
        observe(&round, &few),
        Err(LogsError::TooFew { required: 3, found: 2, missing, .. }) if missing.len() == 2
    ));
}

#[test]
fn logs_that_do_not_belong_are_named() {
    let terms = generation(1, 1..=4);
    let epoch = play(&terms, &BTreeMap::new());
    let round = terms.check().unwrap();
    let first = epoch.logs[0].dealer();
    let twice: Vec<_> = [0, 1, 2, 0].iter().map(|place| copy(&epoch.logs[*place])).collect();
    assert_eq!(observe(&round, &twice), Err(LogsError::Twice(first)));
    // The same machines, another number: nothing of one round counts in the other.
    let other = generation(2, 1..=4).check().unwrap();
    assert_eq!(observe(&other, &epoch.logs), Err(LogsError::NotSigned(first)));
    assert_eq!(epoch.logs[0].check(&other), Err(LogsError::NotSigned(first)));
    let strangers = generation(1, 5..=8).check().unwrap();
    assert_eq!(observe(&strangers, &epoch.logs), Err(LogsError::NotADealer(first)));
}

#[test]
fn terms_that_cannot_be_played_are_refused() {
    let good = generation(1, 1..=4);
    let refused = |change: fn(&mut RoundTerms)| {
        let mut terms = good.clone();
        change(&mut terms);
        terms.check().unwrap_err()
    };
    assert_eq!(refused(|terms| terms.players.clear()), TermsError::TooFew { role: "players", count: 0 });
    // A single dealer or player would know the whole master key.
    assert_eq!(refused(|terms| terms.dealers.truncate(1)), TermsError::TooFew { role: "dealers", count: 1 });
    assert_eq!(refused(|terms| terms.players.push(key(1))), TermsError::Duplicate(key(1)));
    // About every second y has no x on the curve; the smallest such bytes are 2.
    let mut two = [0; 32];
    two[0] = 2;
    let mut terms = good.clone();
    terms.players.push(ParticipantKey(two));
    assert_eq!(terms.check().unwrap_err(), TermsError::NotAKey(ParticipantKey(two)));
    assert!(generation(1, 1..=64).check().is_ok());
    let crowd = generation(1, 1..=65);
    assert_eq!(crowd.check().unwrap_err(), TermsError::TooMany { role: "dealers", count: 65 });
    let terms = RoundTerms { dealers: keys(1..=4), ..crowd };
    assert_eq!(terms.check().unwrap_err(), TermsError::TooMany { role: "players", count: 65 });
    let epoch = generate(4);
    let next = epoch.next(1..=4, 1..=4);
    let refused = |change: fn(&mut RoundTerms)| {
        let mut terms = next.clone();
        change(&mut terms);
        terms.check().unwrap_err()
    };
    assert_eq!(refused(|terms| terms.dealers.push(key(5))), TermsError::DealerWithoutShare(key(5)));
    assert_eq!(
        refused(|terms| terms.dealers.truncate(2)),
        TermsError::BelowPreviousThreshold { dealers: 2, required: 3 }
    );
    assert_eq!(refused(|terms| terms.number = 1), TermsError::NumberReused { number: 1, previous: 1 });
    assert_eq!(refused(|terms| terms.network = [0; 32]), TermsError::OtherNetwork);
    assert!(next.check().is_ok());
}

#[test]
fn the_order_in_which_participants_are_listed_does_not_matter() {
    let terms = generation(1, 1..=4);
    let mut reversed = terms.clone();
    reversed.dealers.reverse();
    reversed.players.reverse();
    assert_eq!(terms.check().unwrap().hash(), reversed.check().unwrap().hash());
}

#[test]
fn who_has_no_part_in_a_round_or_the_wrong_key_share_cannot_deal() {
    let start = |terms: &RoundTerms, machine: u8, share: Option<&KeyShare>| {
        let round = terms.check().unwrap();
        Dealer::start(&round, &signer(machine), &dealing_seed(machine), share).map(|_| ()).unwrap_err()
    };
    let epoch = generate(4);
    let next = epoch.next(1..=4, 1..=4);
    assert_eq!(start(&next, 5, None), DealError::NotADealer);
    assert_eq!(start(&next, 1, None), DealError::KeyShareMissing);
    assert_eq!(start(&next, 1, Some(&epoch.shares[&key(2)])), DealError::KeyShareOfOtherOutput);
    let refreshed = play(&next, &epoch.shares);
    // A stale key share would deal what looks like an attempt to change the master key.
    assert_eq!(start(&refreshed.next(1..=4, 1..=4), 1, Some(&epoch.shares[&key(1)])), DealError::KeyShareOfOtherOutput);
    assert_eq!(start(&generation(9, 1..=4), 1, Some(&epoch.shares[&key(1)])), DealError::KeyShareUnexpected);
    assert!(Player::new(&next.check().unwrap(), &signer(5)).is_none());
}
