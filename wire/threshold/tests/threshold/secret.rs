//! The master secret is in nothing that whole rounds give out, not even to those who hold key shares. Here it is computed, to know
//! what to look for.

use crate::{group_secret::*, network::*};
use codec::Encode;
use phala_threshold::*;
use std::collections::BTreeMap;

/// The number in a key share.
fn number(share: &KeyShare) -> [u8; 32] {
    share.bytes_to_seal().last_chunk().copied().unwrap()
}

fn secret_of(epoch: &Epoch, skip: usize) -> [u8; 32] {
    let shares: Vec<_> = epoch.shares.values().map(|share| (share.index(), number(share))).collect();
    group_secret(&shares[skip..skip + epoch.output.threshold()])
}

/// All bytes that anybody gets in a round, and everything as it prints.
fn everything(terms: &RoundTerms, old: &BTreeMap<ParticipantKey, KeyShare>, epoch: &Epoch) -> Vec<(String, Vec<u8>)> {
    let round = terms.check().unwrap();
    let mut all = vec![
        ("round".into(), format!("{round:?}").into_bytes()),
        ("output".into(), epoch.output.encode()),
        ("output, printed".into(), format!("{:?}", epoch.output).into_bytes()),
        ("derived key".into(), epoch.derived_key(&identity()).expose().to_vec()),
    ];
    for (place, dealer) in round.dealers().iter().enumerate() {
        let machine = (1..=8).find(|machine| key(*machine) == *dealer).unwrap();
        let share = terms.previous.as_ref().and_then(|_| old.get(dealer));
        let (dealer, dealings) = Dealer::start(&round, &signer(machine), &dealing_seed(machine), share).unwrap();
        all.push((format!("dealer {place}"), format!("{dealer:?}").into_bytes()));
        for (_, dealing) in dealings {
            all.push((format!("dealing of {place}"), dealing.bytes_to_seal().to_vec()));
            all.push((format!("dealing of {place}, printed"), format!("{dealing:?}").into_bytes()));
        }
    }
    for (log, share) in epoch.logs.iter().zip(epoch.shares.values()) {
        all.push(("log".into(), log.bytes_to_seal().to_vec()));
        all.push(("log, printed".into(), format!("{log:?}").into_bytes()));
        all.push(("key share".into(), share.bytes_to_seal().to_vec()));
        all.push(("key share, printed".into(), format!("{share:?}").into_bytes()));
        all.push(("partial key".into(), evaluate(share, &identity()).bytes_to_seal().to_vec()));
    }
    all
}

#[test]
fn what_is_looked_for_is_the_master_secret_and_every_threshold_gives_it() {
    let epoch = generate(7);
    let secret = secret_of(&epoch, 0);
    assert_eq!(public_half(&secret), epoch.output.group_key());
    assert_eq!(secret_of(&epoch, 2), secret);
    let shares: Vec<_> = epoch.shares.values().map(|share| (share.index(), number(share))).collect();
    let fewer = group_secret(&shares[..epoch.output.threshold() - 1]);
    assert_ne!(public_half(&fewer), epoch.output.group_key(), "fewer give something else");
}

#[test]
fn nothing_that_a_round_gives_out_holds_the_master_secret_in_any_form() {
    let terms = generation(1, 1..=4);
    let made = play(&terms, &BTreeMap::new());
    let next = made.next(1..=4, 1..=5);
    let handed_on = play(&next, &made.shares);
    let secret = secret_of(&made, 0);
    assert_eq!(secret_of(&handed_on, 1), secret, "it is the same after a round");
    let all = [everything(&terms, &BTreeMap::new(), &made), everything(&next, &made.shares, &handed_on)].concat();
    for (form, needle) in encodings(&secret) {
        for (what, bytes) in &all {
            assert!(!contains(bytes, &needle), "the master secret, {form}, is in: {what}");
        }
    }
    // Whoever looks like this finds what is there.
    let share = number(made.shares.values().next().unwrap());
    let found: Vec<_> =
        all.iter().filter(|(_, bytes)| contains(bytes, &share)).map(|(what, _)| what.as_str()).collect();
    assert_eq!(found, ["key share"]);
}
