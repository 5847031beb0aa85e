//! Dealers that cheat, and players that slander.

use crate::network::*;
use codec::Encode;
use commonware_codec::DecodeExt;
use commonware_cryptography::{
    ed25519,
    transcript::{Summary, Transcript, Version},
};
use phala_threshold::*;
use std::collections::BTreeMap;

/// What machine 1 honestly deals to machine 2 in `terms`.
fn honest(terms: &RoundTerms, share: Option<&KeyShare>) -> Parts {
    let round = terms.check().unwrap();
    let (_, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), share).unwrap();
    take_apart(&dealings.iter().find(|(player, _)| *player == key(2)).unwrap().1)
}

/// Machine 2's answer to a dealing, after those it got before.
fn receive(terms: &RoundTerms, dealings: &[&Dealing]) -> Result<Ack, DealingError> {
    let mut player = Player::new(&terms.check().unwrap(), &signer(2)).unwrap();
    let mut answer = Err(DealingError::OtherPlayer);
    for dealing in dealings {
        answer = player.receive(dealing);
    }
    answer
}

/// The proven fault of machine 1; the proof survives being sent.
fn fault(terms: &RoundTerms, dealings: &[&Dealing]) -> FaultKind {
    let Err(DealingError::Cheating(complaint)) = receive(terms, dealings) else { panic!("accepted") };
    let complaint = Complaint::parse(&complaint.encode()).unwrap();
    let fault = complaint.verify(&terms.check().unwrap()).unwrap();
    assert_eq!(fault.dealer, key(1));
    // The same accusation against somebody else, or in another round, proves nothing.
    let slander = Complaint { dealer: key(3), ..complaint.clone() };
    assert_eq!(slander.verify(&terms.check().unwrap()), Err(ComplaintError::NotSigned));
    let stranger = Complaint { dealer: key(60), ..complaint.clone() };
    assert_eq!(stranger.verify(&terms.check().unwrap()), Err(ComplaintError::NotADealer));
    let later = RoundTerms { number: terms.number + 1, ..terms.clone() }.check().unwrap();
    assert_eq!(complaint.verify(&later), Err(ComplaintError::OtherRound));
    fault.kind
}

#[test]
fn what_the_tests_sign_is_what_a_dealer_signs() {
    let terms = generation(1, 1..=4);
    assert!(receive(&terms, &[&sign_anything(1, &honest(&terms, None))]).is_ok());
}

#[test]
fn a_wrong_share_is_proven() {
    let terms = generation(1, 1..=4);
    let mut parts = honest(&terms, None);
    parts.share[31] ^= 1;
    assert_eq!(fault(&terms, &[&sign_anything(1, &parts)]), FaultKind::WrongShare);
    // Not a number below the group's order, and zero, which the library takes for none.
    for share in [[0xff; 32], [0; 32]] {
        parts.share = share;
        assert_eq!(fault(&terms, &[&sign_anything(1, &parts)]), FaultKind::WrongShare);
    }
}

#[test]
fn a_second_share_of_the_same_commitment_is_proven_wrong() {
    let terms = generation(1, 1..=4);
    let right = sign_anything(1, &honest(&terms, None));
    let mut parts = honest(&terms, None);
    parts.share[0] ^= 1;
    assert_eq!(fault(&terms, &[&right, &sign_anything(1, &parts)]), FaultKind::WrongShare);
}

#[test]
fn a_contradiction_is_proven_without_showing_a_share() {
    let terms = generation(1, 1..=4);
    let round = terms.check().unwrap();
    let deal = |seed: u8| {
        let (_, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(seed), None).unwrap();
        dealings.into_iter().find(|(player, _)| *player == key(2)).unwrap().1
    };
    // Two seeds in one round, as after a crash without the stored seed, or a number used twice.
    let (one, other) = (deal(1), deal(2));
    assert_eq!(fault(&terms, &[&one, &other]), FaultKind::Contradiction);
    let Err(DealingError::Cheating(complaint)) = receive(&terms, &[&one, &other]) else { panic!("accepted") };
    let bytes = complaint.encode();
    for dealing in [&one, &other] {
        let share = take_apart(dealing).share;
        assert!(!bytes.windows(32).any(|window| window == share));
    }
}

#[test]
fn a_wrong_commitment_is_proven() {
    let terms = generation(1, 1..=4);
    let mut parts = honest(&terms, None);
    parts.points = honest(&generation(1, 1..=7), None).points;
    assert_eq!(fault(&terms, &[&sign_anything(1, &parts)]), FaultKind::WrongDegree);
    parts.points = honest(&terms, None).points;
    parts.points.pop();
    assert_eq!(fault(&terms, &[&sign_anything(1, &parts)]), FaultKind::WrongDegree);
    parts.points.clear();
    assert_eq!(fault(&terms, &[&sign_anything(1, &parts)]), FaultKind::CommitmentMalformed);
    let mut infinity = [0; 96];
    infinity[0] = 0xc0;
    // With x = 0 a point is outside the group, if there is one.
    let mut outside = [0; 96];
    outside[0] = 0x80;
    for point in [[0xff; 96], [0; 96], infinity, outside] {
        parts.points = honest(&terms, None).points;
        parts.points[2] = point;
        assert_eq!(fault(&terms, &[&sign_anything(1, &parts)]), FaultKind::CommitmentMalformed);
    }
}

#[test]
fn an_attempt_to_change_the_master_key_is_proven() {
    let epoch = generate(4);
    let next = epoch.next(1..=4, 1..=4);
    assert!(receive(&next, &[&sign_anything(1, &honest(&next, epoch.shares.get(&key(1))))]).is_ok());
    // A fresh polynomial, consistent in itself, in the place of the old key share's.
    let parts = Parts { round: next.check().unwrap().hash(), ..honest(&generation(5, 1..=4), None) };
    assert_eq!(fault(&next, &[&sign_anything(1, &parts)]), FaultKind::OtherKeyShare);
}

#[test]
fn nothing_is_proven_against_an_honest_dealer() {
    let epoch = generate(4);
    for (terms, share) in [(generation(3, 1..=4), None), (epoch.next(1..=4, 1..=4), epoch.shares.get(&key(1)))] {
        let round = terms.check().unwrap();
        let (_, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), share).unwrap();
        for (player, dealing) in &dealings {
            let parts = take_apart(dealing);
            let bytes = dealing.bytes_to_seal();
            let commitment_at = 96..96 + parts.points.encode().len() + 64;
            let commitment: SignedCommitment = codec::Decode::decode(&mut &bytes[commitment_at]).unwrap();
            let signature = *bytes.last_chunk::<64>().unwrap();
            let accuse = |evidence| Complaint { round: round.hash(), dealer: key(1), evidence }.verify(&round);
            let share =
                |share, player| Evidence::Share { player, commitment: commitment.commitment.clone(), share, signature };
            let mut altered = parts.share;
            altered[5] ^= 1;
            assert_eq!(accuse(Evidence::Commitment(commitment.clone())), Err(ComplaintError::Unfounded));
            assert_eq!(accuse(share(parts.share, *player)), Err(ComplaintError::Unfounded));
            assert_eq!(accuse(share(altered, *player)), Err(ComplaintError::NotSigned));
            assert_eq!(accuse(share(parts.share, key(9))), Err(ComplaintError::NotSigned));
            assert_eq!(
                accuse(Evidence::Contradiction { first: commitment.clone(), second: commitment.clone() }),
                Err(ComplaintError::Unfounded)
            );
        }
    }
}

#[test]
fn a_share_for_nobody_proves_nothing() {
    let terms = generation(1, 1..=4);
    let parts = Parts { player: key(9), ..honest(&terms, None) };
    let dealing = sign_anything(1, &parts);
    assert_eq!(receive(&terms, &[&dealing]), Err(DealingError::OtherPlayer));
    let bytes = dealing.bytes_to_seal();
    let commitment: Commitment = codec::Decode::decode(&mut &bytes[96..]).unwrap();
    let evidence =
        Evidence::Share { player: key(9), commitment, share: parts.share, signature: *bytes.last_chunk().unwrap() };
    let complaint = Complaint { round: parts.round, dealer: key(1), evidence };
    assert_eq!(complaint.verify(&terms.check().unwrap()), Err(ComplaintError::NotAPlayer));
}

#[test]
fn a_dealing_that_is_not_the_dealers_is_refused_without_blame() {
    let terms = generation(1, 1..=4);
    // Machine 3 signs as itself what machine 1 dealt, then names machine 1 as the dealer.
    let mut bytes = sign_anything(3, &honest(&terms, None)).bytes_to_seal().to_vec();
    bytes[32..64].copy_from_slice(&key(1).0);
    let forged = Dealing::parse(&bytes).unwrap();
    assert_eq!(receive(&terms, &[&forged]), Err(DealingError::NotSigned));
    let other = generation(2, 1..=4);
    let dealing = sign_anything(1, &honest(&other, None));
    assert_eq!(receive(&terms, &[&dealing]), Err(DealingError::OtherRound));
    let stranger = sign_anything(9, &honest(&terms, None));
    assert_eq!(receive(&terms, &[&stranger]), Err(DealingError::NotADealer(key(9))));
}

#[test]
fn a_player_whom_a_dealer_cheated_still_gets_its_key_share() {
    let terms = generation(1, 1..=4);
    let round = terms.check().unwrap();
    let mut players: BTreeMap<_, _> = (1..=4).map(|m| (key(m), Player::new(&round, &signer(m)).unwrap())).collect();
    let mut logs = Vec::new();
    for machine in 1..=4 {
        let (mut dealer, dealings) = Dealer::start(&round, &signer(machine), &dealing_seed(machine), None).unwrap();
        for (player, dealing) in dealings {
            if (machine, player) == (1, key(2)) {
                let mut parts = take_apart(&dealing);
                parts.share[31] ^= 1;
                let wrong = sign_anything(1, &parts);
                assert!(players.get_mut(&player).unwrap().receive(&wrong).is_err());
                continue;
            }
            let ack = players.get_mut(&player).unwrap().receive(&dealing).unwrap();
            dealer.acknowledge(&player, &ack).unwrap();
        }
        logs.push(dealer.finish());
    }
    // The dealer must account for everybody: without an acknowledgement it has to reveal the right share.
    assert_eq!(logs[0].revealed(), [key(2)]);
    let outputs: Vec<_> = players
        .into_iter()
        .map(|(key, player)| {
            let (output, share) = player.finish(&logs).unwrap();
            assert!(share.fits(&output, &key));
            output
        })
        .collect();
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    // One dealer's revealed share is not enough to know the player's key share.
    assert!(outputs[0].revealed().is_empty());
}

/// A log as its bytes lie: who deals, what it commits to, and an answer (tag and acknowledgement or share) of each player.
struct LogParts {
    dealer: ParticipantKey,
    points: Vec<[u8; 96]>,
    players: Vec<ParticipantKey>,
    answers: Vec<Vec<u8>>,
}

impl LogParts {
    fn of(log: &DealerLog) -> Self {
        let bytes = log.bytes_to_seal();
        let mut rest = &bytes[32..];
        let mut take = |count: usize| {
            let (taken, others) = rest.split_at(count);
            rest = others;
            taken.to_vec()
        };
        let count = take(1)[0];
        let points = (0..count).map(|_| take(96).try_into().unwrap()).collect();
        assert_eq!(take(1), [0]);
        let count = take(1)[0];
        let players = (0..count).map(|_| ParticipantKey(take(32).try_into().unwrap())).collect();
        assert_eq!(take(1), [count]);
        let answers = (0..count)
            .map(|_| {
                let tag = take(1)[0];
                [vec![tag], take(if tag == 0 { 64 } else { 32 })].concat()
            })
            .collect();
        assert_eq!(rest.len(), 64);
        Self { dealer: log.dealer(), points, players, answers }
    }

    /// Signs them as the dealer, with the library's transcript: a dealer can sign whatever it wants.
    fn sign(&self, output: &Output) -> DealerLog {
        let mut log = vec![self.points.len() as u8];
        log.extend(self.points.concat());
        log.extend([0, self.players.len() as u8]);
        self.players.iter().for_each(|player| log.extend(player.0));
        log.push(self.answers.len() as u8);
        log.extend(self.answers.concat());
        // The library's summary of the terms stands in the output.
        let summary = Summary::decode(bytes_of(&output.encode()[104..136])).unwrap();
        let mut transcript = Transcript::resume(summary, Version::V0).fork(b"log");
        transcript.commit(log.as_slice());
        let (_, machine) = machines(&[self.dealer]).next().unwrap();
        let key = ed25519::PrivateKey::decode(bytes_of(seed(machine).expose())).unwrap();
        let signature = transcript.sign(&key);
        DealerLog::parse(&[&self.dealer.0[..], &log, &signature].concat()).unwrap()
    }
}

fn bytes_of(bytes: &[u8]) -> commonware_codec::Copying<'_> {
    commonware_codec::Copying(bytes)
}

#[test]
fn a_lying_log_is_named_and_the_others_suffice() {
    let terms = generation(1, 1..=4);
    let honest = play(&terms, &BTreeMap::new());
    let absent = play_without(&terms, &BTreeMap::new(), &[key(4)]);
    let next = honest.next(1..=4, 1..=4);
    let reshared = play(&next, &honest.shares);
    let lie = |epoch: &Epoch, change: &dyn Fn(&mut LogParts)| {
        let mut parts = LogParts::of(&epoch.logs[0]);
        assert_eq!(parts.sign(&epoch.output).hash(), epoch.logs[0].hash());
        change(&mut parts);
        parts.sign(&epoch.output)
    };
    let reveal = |parts: &LogParts| parts.answers.iter().position(|answer| answer[0] == 1).unwrap();
    let lies = [
        (LogFault::InvalidAck, &terms, lie(&honest, &|log| log.answers.swap(0, 1))),
        (
            LogFault::InvalidReveal,
            &terms,
            lie(&absent, &|log| {
                let at = reveal(log);
                log.answers[at][32] ^= 1;
            }),
        ),
        (LogFault::WrongDegree, &terms, lie(&honest, &|log| log.points.truncate(2))),
        (
            LogFault::WrongPlayers,
            &terms,
            lie(&honest, &|log| {
                log.players.pop();
                log.answers.pop();
            }),
        ),
        (
            LogFault::TooManyReveals,
            &terms,
            lie(&honest, &|log| {
                log.answers[0] = [[1; 1].as_slice(), &[1; 32]].concat();
                log.answers[1] = log.answers[0].clone();
            }),
        ),
        (
            LogFault::OtherKeyShare,
            &next,
            lie(&reshared, &|log| {
                log.points = LogParts::of(&honest.logs[0]).points;
            }),
        ),
    ];
    for (fault, terms, log) in lies {
        let round = terms.check().unwrap();
        let dealer = log.dealer();
        let Err(LogsError::TooFew { found: 0, faults, .. }) = log.check(&round) else {
            panic!("{fault:?} was not noticed")
        };
        assert_eq!(faults, [(dealer, fault)]);
        // A player is not stopped by what a liar says it acknowledged.
        let lies = [log];
        assert!(Player::resume(&round, &signer(2), &[], &lies).is_ok());
        let [log] = lies;
        let epoch = if terms.previous.is_some() { &reshared } else { &honest };
        let mut logs: Vec<_> = epoch.logs[1..].iter().map(copy).collect();
        logs.push(log);
        let output = observe(&round, &logs).unwrap();
        assert!(!output.dealers().contains(&dealer) && output.dealers().len() == 3);
    }
}
