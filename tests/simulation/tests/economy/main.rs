//! Seasons of the economy on the runtime itself: pools, vaults, workers, delegators, faults, full blocks, lost days. After every block
//! both pallets' books balance, and no PHA is made or lost.

mod acts;
mod dice;
mod world;

use acts::Tally;
use dice::Dice;
use world::{DAY_BLOCKS, World};

/// Plays a seed of so many operations; returns what happened.
fn play(seed: u64, operations: u32) -> Tally {
    let mut world = World::new(Dice::new(seed));
    let mut tally = Tally::new();
    let mut done = 0;
    while done < operations {
        for _ in 0..1 + world.dice.below(120) {
            let (name, carried_out) = world.act();
            let (yes, no) = tally.entry(name).or_default();
            *if carried_out { yes } else { no } += 1;
            done += 1;
        }
        world.pass();
        world.check();
    }
    world.everybody_leaves();
    tally
}

#[test]
fn after_every_block_of_a_hundred_thousand_operations_the_books_balance_and_everybody_gets_out() {
    let tally = play(2_026, 100_000);
    println!("{tally:#?}");
    for (name, (yes, _)) in &tally {
        assert!(*yes > 20, "{name} hardly ever happened: {tally:?}");
    }
    assert_eq!(tally.len(), 20, "{tally:?}");
}

#[test]
fn other_seeds_balance_too() {
    for seed in 1..=4 {
        play(seed, 5_000);
    }
}

const _: () = assert!(DAY_BLOCKS == 43_200, "two seconds a block");
