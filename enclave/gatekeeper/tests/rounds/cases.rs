//! Single cases: each thing that can go wrong, by itself.

use crate::{
    chain::{ROOT, id},
    common::{LabEntropy, LabVault},
    world::{GENESIS, World, cabinet, identity, open},
};
use phala_crypto::Secret;
use phala_enclave_gatekeeper::{
    peers::{PeerAnswer, PeerRefusal, PeerRequest, Sensitive},
    rounds::{Doubt, LATE_BLOCKS, Rounds},
};
use phala_messages::custody::{EpochNumber, Member, Phase, RoundNumber, place_of};
use phala_threshold::{CombineError, Dealer, PartialKey, RoundTerms, Signer, combine};
use phala_units::BlockNumber;
use std::{collections::BTreeSet, sync::Arc};

#[test]
fn a_key_is_made_and_refreshed_and_stays() {
    let mut world = World::new(1_000, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    world.check_key();
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    world.check_key();
    // What the rounds left on disk: nothing but key share, names and, for a while, logs.
    let mut quiet = world;
    quiet.custody.parameters.refresh_blocks = 1_000;
    let end = quiet.block.saturating_add(LATE_BLOCKS + 2);
    quiet.until("the end of lateness", LATE_BLOCKS + 3, |world| world.block >= end);
    let expected = BTreeSet::from([
        "gatekeeper/mark".to_string(),
        "gatekeeper/participant".into(),
        "gatekeeper/share/0".into(),
        "gatekeeper/shares".into(),
    ]);
    for node in &quiet.nodes {
        assert_eq!(node.vault.contents().into_keys().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn key_shares_of_two_epochs_do_not_combine_and_one_below_the_threshold_derives_nothing() {
    let mut world = World::new(1_001, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    // A thief copies two whole machines, disk and sealing key, now, and one more after the refresh.
    let (output, mut stolen) = world.partials(&[0, 1]);
    assert!(matches!(combine(&output, &identity(), &stolen), Err(CombineError::TooFew { good: 2, .. })));
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    let (newer, more) = world.partials(&[2]);
    stolen.extend(more);
    assert!(matches!(combine(&output, &identity(), &stolen), Err(CombineError::TooFew { good: 2, .. })));
    assert!(matches!(combine(&newer, &identity(), &stolen), Err(CombineError::TooFew { good: 1, .. })));
    // Relabelled, they are told apart by the mathematics.
    for (_, partial) in &mut stolen {
        let mut bytes = partial.bytes_to_seal().to_vec();
        bytes[..8].copy_from_slice(&newer.round().to_le_bytes());
        *partial = PartialKey::parse(&bytes).unwrap();
    }
    assert!(matches!(combine(&newer, &identity(), &stolen), Err(CombineError::TooFew { good: 1, .. })));
}

#[test]
fn a_key_share_that_was_put_back_is_erased_and_never_used() {
    let mut world = World::new(1_002, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    let old = world.nodes[0].vault.contents();
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    world.crash(0);
    world.nodes[0].vault.put_back(old);
    world.start(0);
    assert_eq!(world.rounds(0).shares().epoch(ROOT), Some(EpochNumber(0)));
    let view = world.view(0);
    world.rounds(0).observe(&view).unwrap();
    assert_eq!(world.rounds(0).shares().epoch(ROOT), None);
    assert!(!world.nodes[0].vault.contents().contains_key("gatekeeper/share/0"));
    world.nodes[0].view = view;
    // The next epoch gives it a key share again: it plays, although it cannot deal.
    world.until("the third epoch", 60, |world| world.holders().len() == 4 && world.epoch().0 == 2);
    world.check_key();
}

#[test]
fn a_disk_put_back_in_the_middle_of_dealing_deals_nothing_else() {
    let mut world = World::new(1_003, 4);
    let before = world.nodes[0].vault.contents();
    let dealing = |world: &World| world.custody.round().is_some_and(|(record, _)| record.phase == Phase::Dealing);
    // Nobody answers: the dealings of the first process are out, and the round goes on.
    world.faults.mute = 100;
    world.until("dealing", 10, dealing);
    world.advance();
    let round = world.custody.newest;
    assert!(world.dealt.keys().any(|(number, dealer, _)| (*number, *dealer) == (round, id(0))));
    world.crash(0);
    world.nodes[0].vault.put_back(before);
    world.start(0);
    for _ in 0..3 {
        // `talk` asserts that no second dealing differs from the first.
        world.advance();
    }
    assert!(!world.nodes[0].vault.contents().contains_key(&format!("gatekeeper/round/{}/seed", round.0)));
    world.faults.mute = 0;
    world.until("an epoch all the same", 60, |world| world.holders().len() == 4);
}

#[test]
fn a_crash_after_every_write_ends_where_no_crash_would() {
    for writes in 0..12 {
        let mut world = World::new(2_000 + writes, 4);
        world.until("the round", 10, |world| world.custody.newest.0 == 1);
        // One gatekeeper crashes once in each of the first blocks of the round, another later.
        for block in 0..writes {
            world.advance();
            world.crash((block % 4) as usize);
            world.start((block % 4) as usize);
        }
        world.until("an epoch", 80, |world| world.holders().len() == 4);
        world.check_key();
    }
}

#[test]
fn a_player_that_was_cut_off_gets_its_key_share_from_the_logs_of_the_others() {
    let mut world = World::new(1_004, 4);
    world.faults.mute = 100;
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    // All dealings arrive; then one of them hears nothing until the others have finished.
    world.advance();
    world.faults.mute = 0;
    world.cut = [(0, 1), (0, 2), (0, 3)].into();
    world.until("the epoch of the others", 40, |world| world.custody.root.is_some());
    world.advance();
    assert_eq!(world.holders(), [1, 2, 3]);
    world.cut.clear();
    world.until("the late key share", 10, |world| world.holders().len() == 4);
    assert_eq!(world.epoch(), EpochNumber(0));
    world.check_key();
}

#[test]
fn a_dealer_that_cheats_is_complained_of_and_the_others_go_on() {
    let mut world = World::new(1_005, 4);
    world.faults.mute = 100;
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    let record = world.custody.round().unwrap().0.clone();
    // Gatekeeper 3 deals with another seed than the one it dealt with before: a contradiction.
    world.advance();
    let liar_seed = {
        let bytes = open(3, &world.nodes[3].vault.contents(), "gatekeeper/participant").unwrap();
        Secret::new(bytes.try_into().unwrap())
    };
    let keys = |members: &[Member]| {
        members.iter().map(|member| phala_threshold::ParticipantKey(member.participant.0)).collect()
    };
    let terms = RoundTerms {
        network: GENESIS.0,
        number: 1,
        previous: None,
        dealers: keys(&record.dealers),
        players: keys(&record.players),
    };
    let (_, dealings) =
        Dealer::start(&terms.check().unwrap(), &Signer::new(&liar_seed), &Secret::new([66; 32]), None).unwrap();
    let victim = world.rounds(0).participant();
    let (_, other) = dealings.into_iter().find(|(player, _)| *player == victim).unwrap();
    let request = PeerRequest::Deal { round: RoundNumber(1), dealing: Sensitive(other.bytes_to_seal()) };
    let view = world.view(0);
    assert_eq!(world.rounds(0).answer(&view, &id(3), &request).unwrap(), Err(PeerRefusal::BadDealing));
    // Brought by another one it gets nowhere.
    assert_eq!(world.rounds(0).answer(&view, &id(2), &request).unwrap(), Err(PeerRefusal::NoPart));
    world.faults.mute = 0;
    world.advance();
    let complaint = world.custody.complaints.first().expect("the chain was told").clone();
    assert_eq!((complaint.dealer, complaint.by), (id(3), id(0)));
    let proof = phala_threshold::Complaint::parse(&complaint.evidence).unwrap();
    assert!(proof.verify(&terms.check().unwrap()).is_ok(), "anyone can verify it");
    world.until("an epoch", 60, |world| world.holders().len() == 4);
}

#[test]
fn a_round_with_a_known_number_and_other_terms_stops_the_gatekeeper() {
    let mut world = World::new(1_006, 4);
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    world.advance();
    let mut view = world.view(0);
    let mut round = (**view.round.as_ref().unwrap()).clone();
    let mut players = round.record.players.to_vec();
    players.pop();
    round.record.players = players.try_into().unwrap();
    round.record.threshold = 3;
    view.round = Some(Arc::new(round));
    world.crash(0);
    world.start(0);
    assert!(matches!(world.rounds(0).observe(&view), Err(Doubt::OtherTerms(RoundNumber(1)))));
}

#[test]
fn an_older_view_after_a_restart_takes_nothing_away() {
    let mut world = World::new(1_007, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    let old = world.view(0);
    world.until("the second epoch", 40, |world| world.holders().len() == 4 && world.epoch().0 == 1);
    world.crash(0);
    world.start(0);
    world.rounds(0).observe(&old).unwrap();
    assert_eq!(world.rounds(0).shares().epoch(ROOT), Some(EpochNumber(1)));
}

#[test]
fn a_broken_disk_stops_the_gatekeeper_before_it_says_anything() {
    let mut world = World::new(1_008, 4);
    world.custody.advance(BlockNumber(2), |_| true);
    world.block = BlockNumber(2);
    let view = world.view(0);
    world.nodes[0].vault.break_it(true);
    assert!(matches!(world.rounds(0).observe(&view), Err(Doubt::Cabinet(_))));
    assert!(world.rounds(0).asks(&view).is_empty(), "no dealing left");
    assert!(world.rounds(0).says(&view).is_empty());
}

#[test]
fn a_blob_that_was_altered_stops_the_start() {
    let mut world = World::new(1_009, 4);
    world.until("the first epoch", 40, |world| world.holders().len() == 4);
    world.crash(0);
    let whole = world.nodes[0].vault.contents();
    for name in ["gatekeeper/participant", "gatekeeper/mark", "gatekeeper/share/0", "gatekeeper/shares"] {
        let mut blobs = whole.clone();
        *blobs.get_mut(name).unwrap().last_mut().unwrap() ^= 1;
        let opened = Rounds::open(GENESIS, id(0), cabinet(0, &LabVault::with(blobs), 1), LabEntropy::new(1));
        assert!(matches!(opened.err(), Some(Doubt::Cabinet(_))), "{name}");
    }
    // On another machine nothing of it opens.
    let opened = Rounds::open(GENESIS, id(0), cabinet(1, &LabVault::with(whole), 1), LabEntropy::new(1));
    assert!(opened.is_err());
}

#[test]
fn logs_are_for_players_of_the_round_and_not_before_the_chain_has_their_hashes() {
    let mut world = World::new(1_010, 5);
    world.faults.mute = 100;
    world.until("dealing", 10, |world| world.custody.newest.0 == 1);
    world.advance();
    let view = world.view(0);
    let ask = |dealer| PeerRequest::Log { round: RoundNumber(1), dealer };
    assert_eq!(world.rounds(0).answer(&view, &id(1), &ask(0)).unwrap(), Err(PeerRefusal::NotYet));
    world.faults.mute = 0;
    world.until("confirming", 10, |world| world.custody.round().unwrap().0.phase != Phase::Dealing);
    world.advance();
    let view = world.view(0);
    let own = place_of(&view.round.as_ref().unwrap().record.dealers, &id(0)).unwrap();
    assert!(matches!(world.rounds(0).answer(&view, &id(1), &ask(own)).unwrap(), Ok(PeerAnswer::Log(_))));
    assert_eq!(world.rounds(0).answer(&view, &id(1), &ask(63)).unwrap(), Err(PeerRefusal::Unknown));
    // The fifth gatekeeper waits for a place; it has no part in this round.
    assert_eq!(world.rounds(0).answer(&view, &id(4), &ask(own)).unwrap(), Err(PeerRefusal::NoPart));
    let later = PeerRequest::Log { round: RoundNumber(9), dealer: 0 };
    assert_eq!(world.rounds(0).answer(&view, &id(1), &later).unwrap(), Err(PeerRefusal::NotYet));
    let unknown = PeerRequest::Output { epoch: EpochNumber(9) };
    assert_eq!(world.rounds(0).answer(&view, &id(1), &unknown).unwrap(), Err(PeerRefusal::Unknown));
}
