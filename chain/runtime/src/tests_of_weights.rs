//! What was measured fits: every call, what blocks do by themselves, and the heartbeats that a block causes.
//!
//! Weights without proof sizes: this chain is its own, nobody proves its blocks to another.

use crate::{configs::BlockWeights, *};
use frame_support::{dispatch::DispatchClass, weights::Weight};
use pallet_computation::WeightInfo as _;
use pallet_credit::WeightInfo as _;
use pallet_custody::WeightInfo as _;
use pallet_key_recovery::WeightInfo as _;
use pallet_pools::WeightInfo as _;
use pallet_programs::{Payments as _, WeightInfo as _};
use pallet_registry::WeightInfo as _;
use phala_economics::{CHALLENGES_MAX, WorkRules};
use phala_messages::{
    anchor::ANCHOR_COMMANDS_MAX,
    limits::{OUTBOUND_HOSTS_MAX, SEALED_COMMAND_BYTES_MAX},
};

type Work = pallet_computation::weights::SubstrateWeight<Runtime>;
type Pools = pallet_pools::weights::SubstrateWeight<Runtime>;
type Custody = pallet_custody::weights::SubstrateWeight<Runtime>;
type Recovery = pallet_key_recovery::weights::SubstrateWeight<Runtime>;
type Programs = pallet_programs::weights::SubstrateWeight<Runtime>;
type Registry = pallet_registry::weights::SubstrateWeight<Runtime>;
type Credit = pallet_credit::weights::SubstrateWeight<Runtime>;
type Paid = crate::credit::Paid;

/// Parts per thousand of a block's computation, and what that is in microseconds.
fn share(what: &str, weight: Weight) -> u64 {
    let share = weight.ref_time() * 1_000 / BlockWeights::get().max_block.ref_time();
    println!("{what}: {} us, {}.{} % of a block", weight.ref_time() / 1_000_000, share / 10, share % 10);
    share
}

fn all(parts: impl IntoIterator<Item = Weight>) -> Weight {
    parts.into_iter().fold(Weight::zero(), |sum, part| sum.saturating_add(part))
}

/// One answer, with what a block pays for every extrinsic.
fn heartbeat() -> Weight {
    let base = BlockWeights::get().get(DispatchClass::Normal).base_extrinsic;
    all([base, Work::authorize_heartbeat(), Work::heartbeat()])
}

/// The dearest visit of the sweep: a pool in whose queue everybody is paid or overdue, and which stops sessions; or a vault.
fn visit() -> Weight {
    all([
        Pools::sweep_base(),
        Pools::visit(),
        Pools::fill().saturating_mul(pallet_pools::FILLS_PER_VISIT.into()),
        Pools::find_overdue().saturating_mul(pallet_pools::OVERDUE_PER_VISIT.into()),
        Work::release().saturating_mul(2).max(Pools::visit_vault()),
    ])
}

#[test]
fn the_dearest_calls_of_each_pallet_fit_a_block() {
    let commands = ANCHOR_COMMANDS_MAX as u32;
    let calls = [
        ("register", all([Registry::register(), Registry::authorize_register()])),
        ("store_collateral", all([Registry::store_collateral(), Registry::authorize_store_collateral()])),
        ("set_root", Registry::set_root(pallet_registry::COLLATERAL_PIECES_MAX)),
        ("deploy", Programs::deploy(OUTBOUND_HOSTS_MAX)),
        ("command", all([Programs::command(SEALED_COMMAND_BYTES_MAX), Paid::weight_of_reserve()])),
        ("anchor", all([Programs::authorize_anchor(), Programs::anchor(commands), Paid::weight_of_spent(commands)])),
        ("moved", all([Programs::moved(), Programs::authorize_moved()])),
        ("lead", all([Programs::lead(), Programs::authorize_lead()])),
        ("report_output", all([Custody::report_output(), Custody::authorize_message()])),
        ("complain", all([Custody::complain(), Custody::authorize_message(), Custody::judge_evidence()])),
        ("close_root", Custody::close_root()),
        ("call_for", all([Recovery::call_for(), Recovery::authorize_call()])),
        ("take_seat", all([Recovery::take_seat(), Recovery::authorize_message()])),
        ("store_output", all([Recovery::store_output(), Recovery::authorize_message()])),
        ("report_fault", Work::report_fault()),
        ("restart", Work::restart()),
        ("heartbeat", heartbeat()),
        ("withdraw", all([Pools::withdraw(), Pools::check_votes()])),
        ("remove", Pools::remove()),
        ("vault_contribute", Pools::vault_contribute()),
        ("top_up", Credit::top_up()),
        ("stake", Credit::stake()),
    ];
    let largest = BlockWeights::get().get(DispatchClass::Normal).max_extrinsic.unwrap();
    for (name, weight) in calls {
        share(name, weight);
        assert!(weight.ref_time() <= largest.ref_time(), "{name} fits a block: {weight:?} of {largest:?}");
    }
}

#[test]
fn what_a_block_does_by_itself_leaves_calls_their_room() {
    let custody = all([Custody::look(pallet_custody::CANDIDATES_MAX), Custody::open_round()]);
    let others = [
        ("custody's look and round", custody.max(Custody::end_phase())),
        ("recovery's ceremonies", Recovery::advance(pallet_key_recovery::ROOTS_MAX)),
        ("a visit of the pools' sweep", visit()),
    ];
    for (name, weight) in &others {
        share(name, *weight);
    }
    let others = all(others.map(|(_, weight)| weight));
    // As the rules are: all that were asked a window ago are silent, and as many are asked.
    let asked = WorkRules::DEFAULT.challenges;
    let usual = others.saturating_add(Work::begin_block(0, asked, asked));
    assert!(share("a block's own work", usual) <= 250, "what is not for calls is for that");
    // As the rules may be: two blocks are judged at once, after the window was shortened.
    let most = others.saturating_add(Work::begin_block(0, 2 * CHALLENGES_MAX, CHALLENGES_MAX));
    assert!(share("a block's own work, at all limits", most) <= 750, "such a block still has room");
}

#[test]
fn answers_to_all_challenges_of_a_block_take_a_quarter_of_it_at_most() {
    let asked = WorkRules::DEFAULT.challenges;
    assert_eq!(asked, 20);
    let answers = heartbeat().saturating_mul(asked.into());
    let block = Work::begin_block(0, asked, asked).saturating_add(answers);
    assert!(share("twenty challenges, and their heartbeats", block) <= 250);
}

#[test]
fn the_sweeps_that_wait_for_room_make_progress_in_a_block_that_is_full_of_calls() {
    // What normal calls leave: nothing else is as large, so it is what `on_idle` finds at least.
    let limits = BlockWeights::get();
    let normal = limits.get(DispatchClass::Normal).max_total.unwrap();
    let room = limits.max_block.saturating_sub(normal).ref_time() / 2;
    let steps = [
        ("a stake returned", Work::sweep()),
        ("a pool visited", visit()),
        ("a command released", Programs::release_abandoned().saturating_add(Paid::weight_of_refunded())),
        ("a record forgotten", Registry::sweep(1)),
    ];
    for (name, weight) in steps {
        share(name, weight);
        assert!(weight.ref_time() <= room, "{name}: {weight:?} of {room}");
    }
}
