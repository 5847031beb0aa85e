//! Machines that play rounds with each other, without faults unless asked.

use codec::Encode;
use phala_crypto::{Secret, SigningKey};
use phala_threshold::*;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, ops::RangeInclusive, sync::LazyLock};

pub const NETWORK: [u8; 32] = [0x6e; 32];

pub fn seed(machine: u8) -> Secret<32> {
    Secret::new([machine; 32])
}

pub fn signer(machine: u8) -> Signer {
    Signer::new(&seed(machine))
}

pub fn key(machine: u8) -> ParticipantKey {
    static KEYS: LazyLock<Vec<ParticipantKey>> =
        LazyLock::new(|| (0..=65).map(|machine| signer(machine).key()).collect());
    KEYS[machine as usize]
}

pub fn keys(machines: RangeInclusive<u8>) -> Vec<ParticipantKey> {
    machines.map(key).collect()
}

/// The seed with which a machine deals in the tests' rounds.
pub fn dealing_seed(machine: u8) -> Secret<32> {
    Secret::new([machine ^ 0x80; 32])
}

pub fn generation(number: u64, machines: RangeInclusive<u8>) -> RoundTerms {
    let players = keys(machines);
    RoundTerms { network: NETWORK, number, previous: None, dealers: players.clone(), players }
}

/// What is left of a finished round.
pub struct Epoch {
    pub output: Output,
    pub shares: BTreeMap<ParticipantKey, KeyShare>,
    pub logs: Vec<DealerLog>,
}

impl Epoch {
    pub fn next(&self, dealers: RangeInclusive<u8>, players: RangeInclusive<u8>) -> RoundTerms {
        RoundTerms {
            network: NETWORK,
            number: self.output.round() + 1,
            previous: Some(self.output.clone()),
            dealers: keys(dealers),
            players: keys(players),
        }
    }

    /// The partial keys of the first `count` players.
    pub fn partials(&self, identity: &Identity, count: usize) -> Vec<(ParticipantKey, PartialKey)> {
        let shares = self.shares.iter().take(count);
        shares.map(|(player, share)| (*player, evaluate(share, identity))).collect()
    }

    pub fn derived_key(&self, identity: &Identity) -> Secret<32> {
        let partials = self.partials(identity, self.output.threshold());
        combine(&self.output, identity, &partials).unwrap().key
    }
}

/// A whole round between all dealers and players.
pub fn play(terms: &RoundTerms, shares: &BTreeMap<ParticipantKey, KeyShare>) -> Epoch {
    play_without(terms, shares, &[])
}

/// A whole round in which the players `deaf` receive nothing and therefore acknowledge nothing.
pub fn play_without(terms: &RoundTerms, shares: &BTreeMap<ParticipantKey, KeyShare>, deaf: &[ParticipantKey]) -> Epoch {
    let round = terms.check().unwrap();
    let mut players: BTreeMap<_, _> =
        machines(round.players()).map(|(key, machine)| (key, Player::new(&round, &signer(machine)).unwrap())).collect();
    let mut logs = Vec::new();
    for (key, machine) in machines(round.dealers()) {
        let share = terms.previous.as_ref().and_then(|_| shares.get(&key));
        let (mut dealer, dealings) = Dealer::start(&round, &signer(machine), &dealing_seed(machine), share).unwrap();
        for (player, dealing) in dealings {
            if deaf.contains(&player) {
                continue;
            }
            let dealing = Dealing::parse(&dealing.bytes_to_seal()).unwrap();
            let ack = players.get_mut(&player).unwrap().receive(&dealing).unwrap();
            dealer.acknowledge(&player, &ack).unwrap();
        }
        let log = dealer.finish();
        log.check(&round).unwrap();
        logs.push(log);
    }
    let output = observe(&round, &logs).unwrap();
    let mut shares = BTreeMap::new();
    for (key, player) in players {
        let (own_output, share) = player.finish(&logs).unwrap();
        assert_eq!(own_output, output);
        assert!(share.fits(&output, &key));
        shares.insert(key, share);
    }
    Epoch { output, shares, logs }
}

/// A new key among machines 1 to `n`.
pub fn generate(n: u8) -> Epoch {
    play(&generation(1, 1..=n), &BTreeMap::new())
}

pub fn identity() -> Identity {
    KeyIdentity { genesis: NETWORK, cluster: 7, program: [9; 32], code_epoch: 1 }.into()
}

/// Which test machines these keys are of.
pub fn machines(keys: &[ParticipantKey]) -> impl Iterator<Item = (ParticipantKey, u8)> {
    keys.iter().map(|wanted| (*wanted, (1..=64).find(|machine| key(*machine) == *wanted).unwrap()))
}

/// Copies a log, as sending it does.
pub fn copy(log: &DealerLog) -> DealerLog {
    DealerLog::parse(log.bytes_to_seal()).unwrap()
}

/// The parts of a dealing's bytes: round, dealer, player, points, signature, share, signature.
pub struct Parts {
    pub round: [u8; 32],
    pub player: ParticipantKey,
    pub points: Vec<[u8; 96]>,
    pub share: [u8; 32],
}

pub fn take_apart(dealing: &Dealing) -> Parts {
    use codec::Decode;
    let bytes = dealing.bytes_to_seal();
    let mut input = bytes.as_slice();
    let input = &mut input;
    let round = Decode::decode(input).unwrap();
    let _: ParticipantKey = Decode::decode(input).unwrap();
    let player = Decode::decode(input).unwrap();
    let points = Decode::decode(input).unwrap();
    let _: [u8; 64] = Decode::decode(input).unwrap();
    let share = Decode::decode(input).unwrap();
    let _: [u8; 64] = Decode::decode(input).unwrap();
    assert!(input.is_empty());
    Parts { round, player, points, share }
}

/// What a dealer can sign if it wants to: anything. Written from the described shapes, not with the crate's code.
pub fn sign_anything(machine: u8, parts: &Parts) -> Dealing {
    let key = SigningKey::new(&seed(machine));
    let mut message = b"phala/threshold/commitment/v1".to_vec();
    (parts.round, key.public(), &parts.points).encode_to(&mut message);
    let commitment_signature = key.sign(&message);
    let hash: [u8; 32] = Sha256::digest(parts.points.encode()).into();
    let mut message = b"phala/threshold/share/v1".to_vec();
    (parts.round, key.public(), parts.player, hash, parts.share).encode_to(&mut message);
    let bytes =
        (parts.round, key.public(), parts.player, &parts.points, commitment_signature, parts.share, key.sign(&message))
            .encode();
    Dealing::parse(&bytes).unwrap()
}
