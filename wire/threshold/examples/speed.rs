//! How long rounds and keys take on one core: `cargo run --release -p phala-threshold --example speed`.

use phala_crypto::Secret;
use phala_threshold::*;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

type Shares = BTreeMap<ParticipantKey, KeyShare>;

fn signer(machine: u8) -> Signer {
    Signer::new(&Secret::new([machine; 32]))
}

/// A whole round on this one core; also the share of one machine that both deals and plays.
fn round(terms: &RoundTerms, old: &Shares, n: u8) -> (Output, Shares, Duration, Duration) {
    let round = terms.check().expect("the terms are sound");
    let start = Instant::now();
    let signers: BTreeMap<_, _> = (1..=n).map(|m| (signer(m).key(), signer(m))).collect();
    let mut players: BTreeMap<_, _> =
        signers.iter().map(|(key, signer)| (*key, Player::new(&round, signer).expect("everybody plays"))).collect();
    let mut logs = Vec::new();
    for signer in signers.values() {
        let share = old.get(&signer.key());
        let seed = Secret::new([0x5e; 32]);
        let (mut dealer, dealings) = Dealer::start(&round, signer, &seed, share).expect("everybody deals");
        for (key, dealing) in dealings {
            let player = players.get_mut(&key).expect("everybody plays");
            let ack = player.receive(&dealing).expect("everybody is honest");
            dealer.acknowledge(&key, &ack).expect("everybody is honest");
        }
        logs.push(dealer.finish());
    }
    let mut result = None;
    let mut shares = BTreeMap::new();
    for (key, player) in players {
        let (output, share) = player.finish(&logs).expect("all logs are there");
        shares.insert(key, share);
        result = Some(output);
    }
    let whole = start.elapsed();
    (result.expect("somebody plays"), shares, whole, whole / u32::from(n))
}

fn main() {
    println!("n   t   what       whole round  per machine");
    for n in [4, 7, 16, 31] {
        let players: Vec<_> = (1..=n).map(|machine| signer(machine).key()).collect();
        let mut terms = RoundTerms {
            network: [1; 32],
            number: 1,
            previous: None,
            dealers: players.clone(),
            players: players.clone(),
        };
        let (output, shares, whole, each) = round(&terms, &BTreeMap::new(), n);
        let t = output.threshold();
        println!("{n:<3} {t:<3} generate {whole:>11.1?} {each:>12.1?}");
        terms.number = 2;
        terms.previous = Some(output);
        let (output, shares, whole, each) = round(&terms, &shares, n);
        println!("{n:<3} {t:<3} refresh  {whole:>11.1?} {each:>12.1?}");
        terms.number = 3;
        terms.previous = Some(output);
        terms.dealers.truncate(t);
        // The machines with the highest keys stay players only; the dealers' threshold is the old one.
        let dealing: Shares = shares.into_iter().collect();
        let start = Instant::now();
        let reshared = terms.check().expect("enough dealers");
        let dealer = signer(1);
        let (_, dealings) = Dealer::start(&reshared, &dealer, &Secret::new([2; 32]), dealing.get(&dealer.key()))
            .expect("machine 1 deals");
        println!("{n:<3} {t:<3} deal once    {:>9.1?}", start.elapsed());
        let own = dealings.iter().find(|(key, _)| *key == dealer.key()).expect("it also plays");
        let mut player = Player::new(&reshared, &dealer).expect("it plays");
        let start = Instant::now();
        player.receive(&own.1).expect("it is honest");
        println!("{n:<3} {t:<3} receive once {:>9.1?}", start.elapsed());

        let output = terms.previous.take().expect("it was just set");
        let output = Output::parse(&codec::Encode::encode(&output)).expect("it was just written");
        let identity = Identity::new(b"a program").expect("it is short");
        let start = Instant::now();
        let partials: Vec<_> = dealing.iter().take(t).map(|(key, share)| (*key, evaluate(share, &identity))).collect();
        println!("{n:<3} {t:<3} evaluate once{:>9.1?}", start.elapsed() / t as u32);
        let start = Instant::now();
        combine(&output, &identity, &partials).expect("all are honest");
        println!("{n:<3} {t:<3} combine      {:>9.1?}", start.elapsed());
        let start = Instant::now();
        verify_partial(&output, &partials[0].0, &identity, &partials[0].1).expect("it is honest");
        println!("{n:<3} {t:<3} verify one   {:>9.1?}", start.elapsed());
    }
}
