//! Bytes: golden ones, round trips, limits, and nonsense.

use crate::network::*;
use codec::{Decode, Encode};
use phala_threshold::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, path::PathBuf, sync::LazyLock};

/// One epoch with a revealed share, shared by the tests that only read.
static EPOCH: LazyLock<Epoch> = LazyLock::new(|| play_without(&generation(1, 1..=4), &BTreeMap::new(), &[key(4)]));

fn dealing() -> Dealing {
    let round = generation(1, 1..=4).check().unwrap();
    let (_, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), None).unwrap();
    dealings.into_iter().find(|(player, _)| *player == key(2)).unwrap().1
}

/// One complaint with each kind of evidence.
fn complaints() -> [(&'static str, Complaint); 3] {
    let round = generation(1, 1..=4).check().unwrap();
    let complaint = |dealings: &[Dealing]| {
        let mut player = Player::new(&round, &signer(2)).unwrap();
        let answer = dealings.iter().map(|dealing| player.receive(dealing)).last().unwrap();
        match answer.unwrap_err() {
            DealingError::Cheating(complaint) => *complaint,
            other => panic!("{other}"),
        }
    };
    let mut share = take_apart(&dealing());
    share.share[0] ^= 1;
    let mut commitment = take_apart(&dealing());
    commitment.points.pop();
    let (_, others) = Dealer::start(&round, &signer(1), &dealing_seed(2), None).unwrap();
    let other = others.into_iter().find(|(player, _)| *player == key(2)).unwrap().1;
    [
        ("commitment", complaint(&[sign_anything(1, &commitment)])),
        ("share", complaint(&[sign_anything(1, &share)])),
        ("contradiction", complaint(&[dealing(), other])),
    ]
}

fn complaint() -> Complaint {
    complaints()[1].1.clone()
}

/// Every kind of bytes, whole. `tests/vectors/threshold.txt` is the contract: who changes a byte changes it visibly. Run with
/// `PHALA_WRITE_VECTORS=1` to write it anew.
#[test]
fn every_encoded_type_has_its_golden_bytes() {
    let round = generation(1, 1..=4).check().unwrap();
    let share = &EPOCH.shares[&key(1)];
    let mut receiver = Player::new(&round, &signer(2)).unwrap();
    let ack = receiver.receive(&dealing()).unwrap();
    let name = KeyIdentity { genesis: NETWORK, cluster: 7, program: [9; 32], code_epoch: 1 };
    let evidence = |at: &str| complaints().into_iter().find(|(name, _)| *name == at).unwrap().1.encode();
    let found = [
        ("round hash", round.hash().to_vec()),
        ("dealing", dealing().bytes_to_seal().to_vec()),
        ("signed commitment", dealing().bytes_to_seal()[96..96 + 1 + 3 * POINT_BYTES + 64].to_vec()),
        ("ack", ack.encode()),
        ("complaint of a commitment", evidence("commitment")),
        ("complaint of a share", evidence("share")),
        ("complaint of a contradiction", evidence("contradiction")),
        ("log", EPOCH.logs[0].bytes_to_seal().to_vec()),
        ("log hash", EPOCH.logs[0].hash().to_vec()),
        ("log list hash", log_list_hash(&[EPOCH.logs[0].hash(), EPOCH.logs[1].hash()]).to_vec()),
        ("output", EPOCH.output.encode()),
        ("output hash", EPOCH.output.hash().to_vec()),
        ("key share", share.bytes_to_seal().to_vec()),
        ("partial key", evaluate(share, &identity()).bytes_to_seal().to_vec()),
        ("derived key", EPOCH.derived_key(&identity()).expose().to_vec()),
        ("key identity", name.encode()),
        ("identity", Identity::from(name).as_bytes().to_vec()),
        ("participant key", key(1).encode()),
    ];
    // Asked when it runs: build results are shared among checkouts.
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let path = package.join("../../tests/vectors/threshold.txt");
    let text: String = found.iter().map(|(name, bytes)| format!("{name}: {}\n", hex::encode(bytes))).collect();
    if std::env::var_os("PHALA_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    for (line, (name, _)) in text.lines().zip(&found) {
        assert_eq!(golden.lines().find(|golden| golden.starts_with(&format!("{name}: "))), Some(line), "{name}");
    }
    assert_eq!(golden, text, "vectors without a test");

    // And back.
    let golden = |name: &str| {
        let line = golden.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        hex::decode(line.unwrap()).unwrap()
    };
    assert_eq!(*Dealing::parse(&golden("dealing")).unwrap().bytes_to_seal(), *dealing().bytes_to_seal());
    assert_eq!(Ack::decode(&mut golden("ack").as_slice()).unwrap(), ack);
    for (name, complaint) in complaints() {
        let golden = golden(&format!("complaint of a {name}"));
        assert_eq!(Complaint::parse(&golden).unwrap(), complaint);
        assert!(complaint.verify(&round).is_ok());
    }
    assert_eq!(DealerLog::parse(&golden("log")).unwrap().hash(), EPOCH.logs[0].hash());
    assert!(Output::parse(&golden("output")).unwrap() == EPOCH.output);
    assert!(KeyShare::parse(&golden("key share")).unwrap().fits(&EPOCH.output, &key(1)));
    assert_eq!(PartialKey::parse(&golden("partial key")).unwrap().bytes_to_seal().to_vec(), golden("partial key"));
    assert_eq!(KeyIdentity::decode(&mut golden("key identity").as_slice()).unwrap(), name);
}

#[test]
fn the_group_key_and_partial_keys_are_points_as_zcash_writes_them() {
    // Compressed, finite: the first bit is set, the second is not.
    assert_eq!(EPOCH.output.group_key()[0] & 0xc0, 0x80);
    assert_eq!(EPOCH.output.group_key(), EPOCH.output.commitment().points()[0]);
    let partial = evaluate(&EPOCH.shares[&key(1)], &identity()).bytes_to_seal();
    assert_eq!(partial.len(), PARTIAL_KEY_BYTES);
    assert_eq!(partial[8] & 0xc0, 0x80);
}

#[test]
fn what_is_written_is_read_again() {
    let again = Output::parse(&EPOCH.output.encode()).unwrap();
    assert!(again == EPOCH.output && again.hash() == EPOCH.output.hash());
    assert_eq!(again.revealed(), [key(4)]);
    let share = &EPOCH.shares[&key(1)];
    let read = KeyShare::parse(&share.bytes_to_seal()).unwrap();
    assert!(read.fits(&again, &key(1)));
    assert_eq!((read.round(), read.index(), read.output()), (1, share.index(), again.hash()));
    assert_eq!(*dealing().bytes_to_seal(), *Dealing::parse(&dealing().bytes_to_seal()).unwrap().bytes_to_seal());
    assert_eq!(Complaint::parse(&complaint().encode()).unwrap(), complaint());
    assert_eq!(copy(&EPOCH.logs[0]).hash(), EPOCH.logs[0].hash());
    let ack = Ack::decode(&mut [7; 64].as_slice()).unwrap();
    assert_eq!(ack.encode(), [7; 64]);
    // An output that was read serves as the previous one.
    let terms = RoundTerms { previous: Some(again), ..EPOCH.next(1..=4, 1..=4) };
    assert_eq!(terms.check().unwrap().hash(), EPOCH.next(1..=4, 1..=4).check().unwrap().hash());
}

#[test]
fn the_largest_things_stay_within_their_limits() {
    let terms = generation(1, 1..=64);
    let round = terms.check().unwrap();
    let (mut dealer, dealings) = Dealer::start(&round, &signer(1), &dealing_seed(1), None).unwrap();
    assert!(dealings.iter().all(|(_, d)| d.bytes_to_seal().len() <= DEALING_BYTES_MAX));
    let bytes = dealings[0].1.bytes_to_seal();
    assert!(Dealing::parse(&bytes).is_ok());
    let commitment: SignedCommitment = Decode::decode(&mut &bytes[96..]).unwrap();
    let evidence = Evidence::Contradiction { first: commitment.clone(), second: commitment };
    let complaint = Complaint { round: round.hash(), dealer: key(1), evidence };
    assert!(Complaint::parse(&complaint.encode()).is_ok());
    for (player, dealing) in dealings {
        let (_, machine) = machines(&[player]).next().unwrap();
        // A revealed share takes less room than a signature: a log is largest when everybody acknowledges.
        let ack = Player::new(&round, &signer(machine)).unwrap().receive(&dealing).unwrap();
        dealer.acknowledge(&player, &ack).unwrap();
    }
    let log = dealer.finish();
    assert!(log.bytes_to_seal().len() <= LOG_BYTES_MAX && log.revealed().is_empty());
}

#[test]
fn one_byte_past_a_limit_is_refused_before_it_is_read() {
    fn refused<T>(read: fn(&[u8]) -> Result<T, ParseError>, limit: usize) {
        let length = limit + 1;
        let bytes = vec![0; length];
        assert_eq!(read(&bytes).err(), Some(ParseError::TooLong { length, limit }));
        assert_eq!(read(&bytes[..limit]).err(), Some(ParseError::Malformed));
    }
    refused(Dealing::parse, DEALING_BYTES_MAX);
    refused(DealerLog::parse, LOG_BYTES_MAX);
    refused(Output::parse, OUTPUT_BYTES_MAX);
    refused(Complaint::parse, COMPLAINT_BYTES_MAX);
}

#[test]
fn an_output_that_no_round_gives_is_refused() {
    let bytes = EPOCH.output.encode();
    let players_at = 32 + 8 + 32 + 32 + 32 + (1 + 3 * 32);
    assert_eq!(bytes[players_at], 4 << 2);
    let mut swapped = bytes.clone();
    swapped[players_at + 1..].rotate_left(0);
    let (a, b) = (players_at + 1, players_at + 33);
    for i in 0..32 {
        swapped.swap(a + i, b + i);
    }
    assert_eq!(Output::parse(&swapped), Err(ParseError::Malformed));
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Output::parse(&longer), Err(ParseError::Malformed));
    let last_point = bytes.len() - 96;
    let mut infinite = bytes;
    infinite[last_point..].fill(0);
    infinite[last_point] = 0xc0;
    assert_eq!(Output::parse(&infinite), Err(ParseError::Malformed));
}

#[test]
fn a_key_share_of_zero_or_above_the_order_is_refused() {
    let bytes = EPOCH.shares[&key(1)].bytes_to_seal();
    for fill in [0, 0xff] {
        let mut altered = bytes.clone();
        altered[44..].fill(fill);
        assert_eq!(KeyShare::parse(&altered).err(), Some(ParseError::Malformed));
    }
    assert_eq!(KeyShare::parse(&bytes[..75]).err(), Some(ParseError::Malformed));
}

/// Everything that reads bytes, and then uses what it read.
fn read_everything(bytes: &[u8]) {
    let round = generation(1, 1..=4).check().unwrap();
    if let Ok(dealing) = Dealing::parse(bytes) {
        let _ = Player::new(&round, &signer(2)).unwrap().receive(&dealing);
    }
    if let Ok(log) = DealerLog::parse(bytes) {
        let _ = log.check(&round);
        let _ = Player::new(&round, &signer(1)).unwrap().finish(&[log]);
    }
    if let Ok(output) = Output::parse(bytes) {
        let terms = RoundTerms { previous: Some(output), ..EPOCH.next(1..=4, 1..=4) };
        let _ = terms.check();
    }
    if let Ok(complaint) = Complaint::parse(bytes) {
        let _ = complaint.verify(&round);
    }
    if let Ok(share) = KeyShare::parse(bytes) {
        let _ = share.fits(&EPOCH.output, &key(1));
    }
    if let Ok(partial) = PartialKey::parse(bytes) {
        let _ = combine(&EPOCH.output, &identity(), &[(key(1), partial)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        read_everything(&bytes);
    }

    #[test]
    fn no_altered_message_causes_a_panic_or_blames_the_dealer(
        which in 0..6usize, at in any::<prop::sample::Index>(), flip in 1..=255u8, cut in any::<bool>(),
    ) {
        let share = &EPOCH.shares[&key(1)];
        let mut bytes = match which {
            0 => dealing().bytes_to_seal().to_vec(),
            1 => EPOCH.logs[0].bytes_to_seal().to_vec(),
            2 => EPOCH.output.encode(),
            3 => complaint().encode(),
            4 => share.bytes_to_seal().to_vec(),
            _ => evaluate(share, &identity()).bytes_to_seal().to_vec(),
        };
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
        read_everything(&bytes);
        if which == 0 && let Ok(dealing) = Dealing::parse(&bytes) {
            let round = generation(1, 1..=4).check().unwrap();
            let error = Player::new(&round, &signer(2)).unwrap().receive(&dealing).unwrap_err();
            prop_assert!(!matches!(error, DealingError::Cheating(_)));
        }
        if which == 3 && let Ok(complaint) = Complaint::parse(&bytes) {
            let round = generation(1, 1..=4).check().unwrap();
            prop_assert!(complaint.verify(&round).is_err());
        }
    }
}
