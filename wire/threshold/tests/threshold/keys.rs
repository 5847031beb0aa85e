//! Partial keys, and what they combine to.

use crate::network::*;
use phala_threshold::*;

#[test]
fn any_threshold_of_players_give_the_same_key() {
    let epoch = generate(4);
    let wanted = epoch.derived_key(&identity());
    for absent in 0..4 {
        let mut partials = epoch.partials(&identity(), 4);
        partials.remove(absent);
        partials.reverse();
        let combined = combine(&epoch.output, &identity(), &partials).unwrap();
        assert!(combined.key == wanted && combined.bad.is_empty(), "without {absent}");
    }
    // More than needed is not looked at.
    let all = epoch.partials(&identity(), 4);
    assert_eq!(combine(&epoch.output, &identity(), &all).unwrap().key, wanted);
}

#[test]
fn one_player_less_than_the_threshold_gives_nothing() {
    let epoch = generate(4);
    for count in 0..3 {
        let error = combine(&epoch.output, &identity(), &epoch.partials(&identity(), count));
        assert_eq!(error.unwrap_err(), CombineError::TooFew { required: 3, good: count, bad: vec![] });
    }
    // One player's partial key several times is still one.
    let mut partials = epoch.partials(&identity(), 2);
    partials.extend(epoch.partials(&identity(), 2));
    assert!(matches!(
        combine(&epoch.output, &identity(), &partials).unwrap_err(),
        CombineError::TooFew { good: 2, .. }
    ));
}

#[test]
fn key_shares_of_two_epochs_together_give_nothing() {
    let first = generate(4);
    let second = play(&first.next(1..=4, 1..=4), &first.shares);
    // A thief has two key shares of the first epoch and two of the second: three would be enough, of one.
    let mut partials = first.partials(&identity(), 4);
    let fresh = second.partials(&identity(), 4);
    let stale: Vec<_> = partials[2..].iter().map(|(sender, _)| *sender).collect();
    partials.splice(..2, fresh.into_iter().take(2));
    let named =
        |output: &Output, partials: &[(ParticipantKey, PartialKey)]| match combine(output, &identity(), partials)
            .unwrap_err()
        {
            CombineError::TooFew { good: 2, bad, .. } => bad,
            other => panic!("{other}"),
        };
    let bad = |fault| stale.iter().map(move |sender| BadPartial { sender: *sender, fault }).collect::<Vec<_>>();
    assert_eq!(named(&second.output, &partials), bad(PartialFault::OtherRound));
    // Even if they lie about the round.
    for (_, partial) in &mut partials[2..] {
        let mut bytes = partial.bytes_to_seal();
        bytes[..8].copy_from_slice(&second.output.round().to_le_bytes());
        *partial = PartialKey::parse(&bytes).unwrap();
    }
    assert_eq!(named(&second.output, &partials), bad(PartialFault::DoesNotVerify));
}

#[test]
fn whoever_sends_a_bad_partial_key_is_named_and_harmless() {
    let epoch = generate(4);
    let wanted = epoch.derived_key(&identity());
    let other = Identity::new(b"something else").unwrap();
    let mut not_a_point = epoch.partials(&identity(), 1)[0].1.bytes_to_seal();
    not_a_point[8..].fill(0xff);
    let mut infinity = not_a_point.clone();
    infinity[8..].fill(0);
    infinity[8] = 0xc0;
    // (0, 2) is on the curve, but of order 3: outside the group in which signatures live.
    let mut small_order = not_a_point.clone();
    small_order[8..].fill(0);
    small_order[8] = 0x80;
    for (bytes, fault) in [
        (small_order, PartialFault::Malformed),
        (epoch.partials(&other, 1)[0].1.bytes_to_seal(), PartialFault::DoesNotVerify),
        (epoch.partials(&identity(), 2)[1].1.bytes_to_seal(), PartialFault::DoesNotVerify),
        (not_a_point, PartialFault::Malformed),
        (infinity, PartialFault::Malformed),
    ] {
        let mut partials = epoch.partials(&identity(), 4);
        let sender = partials[0].0;
        partials[0].1 = PartialKey::parse(&bytes).unwrap();
        let verdict = verify_partial(&epoch.output, &sender, &identity(), &partials[0].1);
        assert_eq!(verdict, Err(fault));
        let combined = combine(&epoch.output, &identity(), &partials).unwrap();
        assert_eq!(combined.key, wanted);
        assert_eq!(combined.bad, [BadPartial { sender, fault }]);
        partials.pop();
        assert_eq!(
            combine(&epoch.output, &identity(), &partials).unwrap_err(),
            CombineError::TooFew { required: 3, good: 2, bad: vec![BadPartial { sender, fault }] }
        );
    }
}

#[test]
fn a_good_partial_key_counts_though_a_bad_one_came_in_its_senders_name() {
    let epoch = generate(4);
    let other = Identity::new(b"something else").unwrap();
    let mut partials = epoch.partials(&other, 1);
    partials.extend(epoch.partials(&identity(), 3));
    let combined = combine(&epoch.output, &identity(), &partials).unwrap();
    assert_eq!(combined.key, epoch.derived_key(&identity()));
    assert_eq!(combined.bad.len(), 1);
}

#[test]
fn a_stranger_contributes_nothing() {
    let epoch = generate(4);
    let mut partials = epoch.partials(&identity(), 3);
    partials[1].0 = key(9);
    let bad = vec![BadPartial { sender: key(9), fault: PartialFault::NotAPlayer }];
    assert_eq!(
        combine(&epoch.output, &identity(), &partials).unwrap_err(),
        CombineError::TooFew { required: 3, good: 2, bad }
    );
    let many: Vec<_> = (0..65).flat_map(|_| epoch.partials(&identity(), 1)).collect();
    assert_eq!(combine(&epoch.output, &identity(), &many).unwrap_err(), CombineError::TooMany(65));
    assert!(matches!(
        combine(&epoch.output, &identity(), &many[..64]).unwrap_err(),
        CombineError::TooFew { good: 1, .. }
    ));
}

#[test]
fn every_part_of_an_identity_changes_its_key() {
    let epoch = generate(4);
    let base = KeyIdentity { genesis: NETWORK, cluster: 7, program: [9; 32], code_epoch: 1 };
    let keys = [
        base,
        KeyIdentity { genesis: [0; 32], ..base },
        KeyIdentity { cluster: 8, ..base },
        KeyIdentity { program: [8; 32], ..base },
        KeyIdentity { code_epoch: 2, ..base },
    ]
    .map(|identity| epoch.derived_key(&identity.into()));
    for (place, one) in keys.iter().enumerate() {
        assert!(keys.iter().skip(place + 1).all(|other| one != other), "{place}");
    }
}

#[test]
fn an_identity_has_a_longest_length() {
    assert!(Identity::new(&[0; IDENTITY_BYTES_MAX]).is_ok());
    assert_eq!(Identity::new(&[0; IDENTITY_BYTES_MAX + 1]), Err(IdentityTooLong(IDENTITY_BYTES_MAX + 1)));
}

#[test]
fn secrets_are_not_printed() {
    let epoch = generate(4);
    let share = &epoch.shares[&key(1)];
    let partial = evaluate(share, &identity());
    assert_eq!(format!("{share:?}"), "KeyShare(round 1, …)");
    assert_eq!(format!("{partial:?}"), "PartialKey(round 1, …)");
    assert!(format!("{:?}", epoch.logs[0]).starts_with("DealerLog(0x"));
}
