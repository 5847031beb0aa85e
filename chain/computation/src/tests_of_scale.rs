//! What a heartbeat and a block cost does not depend on how many sessions there are.

use crate::{mock::*, *};
use frame_support::traits::Hooks;
use phala_economics::{Mark, Score, Session, SessionRecord, WorkRules};
use phala_messages::{
    PoolId,
    computation::{ScoreRecord, SessionNumber, WorkRecord},
};
use phala_units::{BlockNumber, Planck};
use sp_core::Pair as _;

/// What something touched: nodes of the state's tree that were read, and keys that were written.
#[derive(Clone, Copy, Debug)]
struct Touched {
    nodes: usize,
    written: usize,
}

/// So many sessions, in pools of 200 workers each, written as calls would have written them.
fn populate(sessions: u32) {
    let tariff = Tariff::<Test>::get();
    let mut accrual = Accrued::<Test>::get();
    for n in 0..sessions {
        let pool = PoolId(100 + u64::from(n) / 200);
        // Only those that answer in the test have keys of their own.
        let id =
            if n < 100 { worker(n) } else { phala_messages::WorkerId(sp_io::hashing::blake2_256(&n.to_le_bytes())) };
        let confidence = phala_economics::Confidence::One;
        let mut worth = Session::start(&tariff, Planck(STAKE), Score(SCORE), confidence, BlockNumber(1)).unwrap();
        worth.rejoin(&mut accrual.index).unwrap();
        let number = SessionNumber(u64::from(n) + 1);
        let mark = Mark { iterations: 0, at_ms: GENESIS_MS };
        let mut record = SessionRecord {
            number,
            pool,
            stake: Planck(STAKE),
            worth,
            mark,
            place: None,
            started: BlockNumber(1),
            earned: Planck(0),
            cooling: None,
        };
        Computation::list(&id, &mut record);
        Sessions::<Test>::insert(id, record);
        let instance = phala_messages::InstanceKey(instance(n.min(100)).public().0);
        let score = Some(ScoreRecord { score: SCORE, instance, block: BlockNumber(1) });
        let processes = vec![instance].try_into().unwrap();
        let session = Some(number);
        Work::<Test>::insert(id, WorkRecord { pool, score, session, challenge: None, leaving: false, processes });
        Computation::change_pool(pool, |work| work.at_work.0 += STAKE);
        PoolWorkers::<Test>::mutate(pool, |all| all.try_push(PoolWorker { worker: id, stake: Planck(STAKE) })).unwrap();
    }
    Accrued::<Test>::put(accrual);
    SessionCount::<Test>::put(u64::from(sessions));
    for pool in 0..sessions.div_ceil(200) {
        SimplePools::found(100 + u64::from(pool), 1);
    }
    for n in 0..sessions.min(100) {
        Registered::set(worker(n), &instance(n));
    }
}

/// Does `work` on what is stored so far, and says what it touched.
fn touched(ext: &mut sp_io::TestExternalities, work: impl FnOnce()) -> Touched {
    ext.commit_all().unwrap();
    let ((), proof) = ext.execute_and_prove(work);
    let written = ext.overlayed_changes().clone().changes_mut().count();
    Touched { nodes: proof.into_nodes().len(), written }
}

/// One heartbeat and one block's beginning, among so many sessions.
fn measure(sessions: u32) -> [Touched; 2] {
    let mut ext = new_test_ext();
    ext.execute_with(|| {
        populate(sessions);
        check_index(sessions);
        jump_to(900);
        challenge(0);
        let call = heartbeat_call(0, 300_000);
        jump_to(905);
        // Signed here: what follows is only the chain's.
        HEARTBEAT.with_borrow_mut(|kept| *kept = Some(call));
    });
    let heartbeat = touched(&mut ext, || {
        let call = HEARTBEAT.with_borrow_mut(Option::take).unwrap();
        apply(call).unwrap().unwrap();
    });
    let block = touched(&mut ext, || {
        jump_to(906);
        Computation::on_initialize(906);
    });
    [heartbeat, block]
}

fn check_index(sessions: u32) {
    assert_eq!(ResponsiveCount::<Test>::get(), sessions);
    if sessions <= 1_000 {
        Computation::do_try_state().unwrap();
    }
}

thread_local! {
    static HEARTBEAT: core::cell::RefCell<Option<Call<Test>>> = const { core::cell::RefCell::new(None) };
}

#[test]
fn fifty_thousand_sessions_cost_a_block_and_a_heartbeat_what_a_thousand_do() {
    // From 18,000 sessions on, a block asks as many as it wants: below, it asks each twice an hour.
    let few = WorkRules::DEFAULT.challenges;
    let (small, large) = (measure(18_000), measure(50_000));
    println!("heartbeat and block: {small:?} at 18000 sessions, {large:?} at 50000");
    for (small, large) in small.iter().zip(large) {
        assert_eq!(small.written, large.written, "as many keys are written");
        // A tree three times as large is at most one node deeper on the way to each key.
        assert!(large.nodes <= small.nodes + small.nodes / 4, "{small:?} {large:?}");
    }
    // A heartbeat writes no more than its weight says.
    assert!(large[0].written <= 14, "{large:?}");
    // A block that asks twenty writes their records, their list, and nothing else of it.
    assert!(large[1].written <= few as usize + 10, "{large:?}");
}

#[test]
fn a_block_of_challenges_and_their_heartbeats_takes_a_quarter_of_a_block_at_most() {
    type W = <Test as Config>::WeightInfo;
    let asked = WorkRules::DEFAULT.challenges;
    let beat = W::heartbeat().saturating_add(W::authorize_heartbeat());
    // Everybody who was asked a window ago is silent, twenty are asked, and twenty answer.
    let worst = W::begin_block(0, asked, asked).saturating_add(beat.saturating_mul(asked.into()));
    // One second of computation in a block of two seconds.
    let block = frame_support::weights::constants::WEIGHT_REF_TIME_PER_SECOND;
    println!("{} us of {} us", worst.ref_time() / 1_000_000, block / 1_000_000);
    assert!(worst.ref_time() <= block / 4);
    let price: frame_support::weights::RuntimeDbWeight = <Test as frame_system::Config>::DbWeight::get();
    assert!(price.write > 0, "storage has its price here");
}
