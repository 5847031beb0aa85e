//! Seeds: everything at once.

use crate::{
    chain::id,
    common::Chance,
    world::{Faults, World},
};

/// A key is made and handed on while everything goes wrong; then the network heals, and everybody holds a key share again.
fn run(seed: u64) {
    let mut world = World::new(seed, if seed % 3 == 0 { 5 } else { 4 });
    let mut chance = Chance::new(seed ^ 0xfeed);
    let mut pick = |max: u64| chance.below(max + 1);
    world.faults = Faults {
        lose: pick(30),
        delay: pick(30),
        double: pick(20),
        alter: pick(5),
        crash: pick(4),
        lag: pick(30),
        mute: pick(40),
        // Every fourth network has no thief.
        theft: if seed % 4 == 2 { 0 } else { pick(30) },
        reassign: pick(10),
    };
    if seed % 4 == 1 {
        world.cut.insert((0, 1 + pick(2) as usize));
    }
    let trouble = 20 + pick(10) as u32;
    for _ in 0..trouble {
        world.advance();
    }
    // A member leaves or is expelled, another one takes its place.
    if seed % 3 == 0 {
        let gone = pick(3) as usize;
        if seed % 2 == 0 { world.custody.expel(id(gone)) } else { world.custody.leave(id(gone)) }
    }
    let was_robbed = world.was_robbed();
    world.heal();
    let before = world.custody.epochs.len();
    world.until("an epoch after the trouble", 60, |world| world.custody.epochs.len() > before);
    // Whoever lost its key share to the thief gets the next one; all others get this one.
    world.until("key shares for all", if was_robbed { 80 } else { 10 }, |world| world.holders().len() == 4);
    world.check_key();
    // Whoever works for the program gets its key, and nobody else.
    world.assign(true);
    world.until("parts of the key for the worker", 40, |world| world.given >= 4);
    world.assign(false);
    world.until("nothing for a worker that was sent away", 2, |world| world.given == 0);
}

fn run_all(seeds: std::ops::Range<u64>) {
    seeds.for_each(run);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_0_to_49() {
    run_all(0..50);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_50_to_99() {
    run_all(50..100);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_100_to_149() {
    run_all(100..150);
}

#[test]
fn whatever_goes_wrong_nothing_is_said_twice_and_the_key_stays_seeds_150_to_199() {
    run_all(150..200);
}
