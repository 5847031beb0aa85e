//! Backups of key shares: pieces for custodians, and back.

use crate::network::*;
use codec::Encode;
use phala_crypto::Secret;
use phala_threshold::*;
use sha2::{Digest, Sha256};

fn backup(epoch: &Epoch, machine: u8, custodians: usize, threshold: usize) -> (Commitment, Vec<Piece>) {
    split(&epoch.shares[&key(machine)], custodians, threshold, &Secret::new([machine ^ 0x55; 32])).unwrap()
}

/// The pieces at these places; each may be used once only, so they are copied.
fn some(pieces: &[Piece], places: &[u32]) -> Vec<(u32, Piece)> {
    places.iter().map(|place| (*place, copy_piece(&pieces[*place as usize]))).collect()
}

fn copy_piece(piece: &Piece) -> Piece {
    Piece::parse(piece.bytes_to_seal()).unwrap()
}

fn altered(piece: &Piece) -> Piece {
    let mut bytes = *piece.bytes_to_seal();
    bytes[31] ^= 1;
    Piece::parse(&bytes).unwrap()
}

#[test]
fn any_threshold_of_custodians_give_exactly_the_key_share_that_was_split() {
    let epoch = generate(4);
    let share = &epoch.shares[&key(2)];
    let (commitment, pieces) = backup(&epoch, 2, 5, 3);
    for places in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
        let again = restore(&epoch.output, &key(2), &commitment, &some(&pieces, &places)).unwrap();
        assert_eq!(*again.bytes_to_seal(), *share.bytes_to_seal(), "{places:?}");
        assert!(again.fits(&epoch.output, &key(2)));
        assert_eq!(again.keepsake_key(), share.keepsake_key());
        assert_ne!(again.keepsake_key(), epoch.shares[&key(1)].keepsake_key());
    }
}

#[test]
fn restored_key_shares_give_the_programs_the_same_keys_and_are_handed_on() {
    let epoch = generate(4);
    let wanted = epoch.derived_key(&identity());
    let mut partials = vec![];
    for machine in 1..=3 {
        let (commitment, pieces) = backup(&epoch, machine, 3, 2);
        let share = restore(&epoch.output, &key(machine), &commitment, &some(&pieces, &[0, 2])).unwrap();
        partials.push((key(machine), evaluate(&share, &identity())));
    }
    assert!(combine(&epoch.output, &identity(), &partials).unwrap().key == wanted);
}

#[test]
fn one_custodian_less_than_the_threshold_gives_nothing() {
    let epoch = generate(4);
    let (commitment, pieces) = backup(&epoch, 2, 5, 3);
    for count in 0..3 {
        let places: Vec<u32> = (0..count).collect();
        let error = restore(&epoch.output, &key(2), &commitment, &some(&pieces, &places)).unwrap_err();
        assert_eq!(error, RestoreError::TooFew { required: 3, good: count as usize, bad: vec![] });
    }
    // One custodian's piece several times is still one.
    let error = restore(&epoch.output, &key(2), &commitment, &some(&pieces, &[1, 1, 1, 2])).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 3, good: 2, bad: vec![] });
}

#[test]
fn a_wrong_piece_is_named_and_does_no_harm() {
    let epoch = generate(4);
    let (commitment, pieces) = backup(&epoch, 2, 5, 3);
    let mut given = some(&pieces, &[0, 1, 2]);
    given[1].1 = altered(&given[1].1);
    let error = restore(&epoch.output, &key(2), &commitment, &given).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 3, good: 2, bad: vec![1] });
    given.extend(some(&pieces, &[4]));
    assert!(restore(&epoch.output, &key(2), &commitment, &given).is_ok());
    // A good piece in another custodian's place is a wrong one.
    let mut swapped = some(&pieces, &[0, 1, 2]);
    swapped[0].0 = 3;
    let error = restore(&epoch.output, &key(2), &commitment, &swapped).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 3, good: 2, bad: vec![3] });
    for (place, piece) in pieces.iter().enumerate() {
        assert!(verify_piece(&commitment, place as u32, piece));
        assert!(!verify_piece(&commitment, place as u32 + 1, piece));
        assert!(!verify_piece(&commitment, place as u32, &altered(piece)));
    }
}

#[test]
fn pieces_of_two_backups_do_not_combine() {
    let epoch = generate(4);
    let next = play(&epoch.next(1..=4, 1..=4), &epoch.shares);
    let (old, mut pieces) = backup(&epoch, 2, 4, 3);
    let (new, fresh) = backup(&next, 2, 4, 3);
    // Two of the old epoch, one of the new: three would be enough, of one.
    pieces[2] = copy_piece(&fresh[2]);
    let mixed = || some(&pieces, &[0, 1, 2]);
    let error = restore(&epoch.output, &key(2), &old, &mixed()).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 3, good: 2, bad: vec![2] });
    let error = restore(&next.output, &key(2), &new, &mixed()).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 3, good: 1, bad: vec![0, 1] });
    // The whole backup of an epoch under the output of another.
    let all = some(&fresh, &[0, 1, 2]);
    assert_eq!(restore(&epoch.output, &key(2), &new, &all).unwrap_err(), RestoreError::OtherKeyShare);
    // And two backups of one key share.
    let share = &epoch.shares[&key(2)];
    let (_, other) = split(share, 4, 3, &Secret::new([1; 32])).unwrap();
    let (first, pieces) = backup(&epoch, 2, 4, 3);
    let mut given = some(&pieces, &[0, 1]);
    given.extend(some(&other, &[2]));
    let error = restore(&epoch.output, &key(2), &first, &given).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 3, good: 2, bad: vec![2] });
}

#[test]
fn a_backup_of_one_seat_is_refused_for_another() {
    let epoch = generate(4);
    let (commitment, pieces) = backup(&epoch, 2, 3, 2);
    let given = some(&pieces, &[0, 1]);
    for other in [1, 3, 4, 9] {
        let error = restore(&epoch.output, &key(other), &commitment, &given).unwrap_err();
        assert_eq!(error, RestoreError::OtherKeyShare, "{other}");
    }
}

#[test]
fn everybody_sees_whose_key_share_a_backup_is_of() {
    let epoch = generate(7);
    let polynomial = epoch.output.commitment().points().as_flattened().to_vec();
    for (place, player) in (0..).zip(epoch.output.players()) {
        let public = seat_public_key(&polynomial, place).unwrap();
        assert_eq!(Some(public), epoch.output.partial_key(player));
        let (commitment, _) = split(&epoch.shares[player], 3, 2, &Secret::new([3; 32])).unwrap();
        assert!(backs(&public, 2, &commitment));
        assert!(!backs(&public, 3, &commitment));
        assert!(!backs(&epoch.output.group_key(), 2, &commitment));
    }
    assert_eq!(seat_public_key(&polynomial[1..], 0), None);
    assert_eq!(seat_public_key(&[], 0), None);
    assert_eq!(seat_public_key(&[0xff; POINT_BYTES], 0), None);
    assert_eq!(seat_public_key(&vec![0; POINT_BYTES * 65], 0), None);
}

#[test]
fn a_lie_in_the_commitment_is_seen() {
    let epoch = generate(4);
    let (commitment, pieces) = backup(&epoch, 2, 3, 2);
    let mut points = commitment.points().to_vec();
    points[1] = epoch.output.group_key();
    let lie = Commitment::of_points(points.as_flattened()).unwrap();
    // It still begins with the key share's public half; but no piece lies on it.
    assert!(backs(&epoch.output.partial_key(&key(2)).unwrap(), 2, &lie));
    let error = restore(&epoch.output, &key(2), &lie, &some(&pieces, &[0, 1])).unwrap_err();
    assert_eq!(error, RestoreError::TooFew { required: 2, good: 0, bad: vec![0, 1] });
    points[1] = [0xff; POINT_BYTES];
    let nonsense = Commitment::of_points(points.as_flattened()).unwrap();
    assert!(!backs(&epoch.output.partial_key(&key(2)).unwrap(), 2, &nonsense));
    assert!(!verify_piece(&nonsense, 0, &pieces[0]));
}

#[test]
fn a_threshold_is_a_majority_of_two_at_least() {
    let epoch = generate(4);
    let share = &epoch.shares[&key(1)];
    let of =
        |custodians, threshold| split(share, custodians, threshold, &Secret::new([1; 32])).map(|(_, all)| all.len());
    assert_eq!(of(2, 2), Ok(2));
    assert_eq!(of(CUSTODIANS_MAX, CUSTODIANS_MAX), Ok(CUSTODIANS_MAX));
    assert_eq!(of(CUSTODIANS_MAX, CUSTODIANS_MAX / 2 + 1), Ok(CUSTODIANS_MAX));
    assert_eq!(of(CUSTODIANS_MAX + 1, 9), Err(SplitError::TooManyCustodians(CUSTODIANS_MAX + 1)));
    for (custodians, threshold) in [(0, 0), (1, 1), (2, 1), (3, 4), (4, 2), (CUSTODIANS_MAX, CUSTODIANS_MAX / 2)] {
        assert_eq!(of(custodians, threshold), Err(SplitError::Threshold { threshold, custodians }));
    }
}

#[test]
fn what_is_no_piece_is_refused() {
    assert!(Piece::parse(&[1; PIECE_BYTES - 1]).is_none() && Piece::parse(&[1; PIECE_BYTES + 1]).is_none());
    let epoch = generate(4);
    let (commitment, _) = backup(&epoch, 2, 3, 2);
    // Zero, and a number above the group's order.
    for bytes in [[0; PIECE_BYTES], [0xff; PIECE_BYTES]] {
        assert!(!verify_piece(&commitment, 0, &Piece::parse(&bytes).unwrap()));
    }
    assert_eq!(format!("{:?}", Piece::parse(&[7; PIECE_BYTES]).unwrap()), "Piece(…)");
}

#[test]
fn golden_bytes() {
    let hash = |bytes: &[u8]| hex::encode(&Sha256::digest(bytes)[..8]);
    let epoch = generate(4);
    let (commitment, pieces) = backup(&epoch, 2, 3, 2);
    let golden = [
        ("backup", hash(&commitment.encode())),
        ("piece", hash(pieces[1].bytes_to_seal())),
        ("keepsake key", hash(epoch.shares[&key(2)].keepsake_key().expose())),
    ];
    let found: String = golden.iter().map(|(name, hash)| format!("{name}: {hash}\n")).collect();
    assert_eq!(found, include_str!("golden-backups.txt"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_are_mistaken_for_a_backup(points: Vec<u8>, piece: [u8; PIECE_BYTES], place: u32) {
        let piece = Piece::parse(&piece).unwrap();
        proptest::prop_assert_eq!(seat_public_key(&points, place), None);
        if let Some(commitment) = Commitment::of_points(&points) {
            proptest::prop_assert!(!verify_piece(&commitment, place, &piece));
        }
    }
}
