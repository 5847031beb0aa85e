//! A program that moves: under which names its key goes out, and under which it does not.

mod common;
#[path = "common/network.rs"]
mod network;

use codec::Encode;
use common::custody::ROOT;
use network::*;
use phala_messages::{
    CodeEpoch, CodeHash, Keep, KeyName, KeyRecord, Manifest, Role,
    custody::{Parameters, RootGeneration, RootStatus},
    moves::{MoveRecord, UpgradeRecord},
    release::{KeyQuery, ReleaseRefusal},
    storage,
};
use phala_units::BlockNumber;

const PARAMETERS: Parameters = Parameters {
    members: 4,
    members_min: 4,
    refresh_blocks: 1_000_000,
    dealing_blocks: 40,
    confirming_blocks: 40,
    reporting_blocks: 40,
    retry_blocks: 2,
    ..Parameters::DEFAULT
};
const NEXT_ROOT: RootGeneration = RootGeneration(1);

fn upgrade(epoch: u32, keep: Keep) -> UpgradeRecord {
    let (code, manifest, ordered) = (CodeHash([9; 32]), Manifest::default(), BlockNumber(3));
    UpgradeRecord { epoch: CodeEpoch(epoch), code, code_bytes: 9, manifest, keep, commands: 0, ordered }
}

fn name(root: RootGeneration, code: u32) -> KeyName {
    KeyName { root: Some(root), code: CodeEpoch(code) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_out_under_the_names_that_a_program_has_or_is_to_have_and_no_other() {
    let lab = Lab::new(PARAMETERS, 4);
    let processes = lab.live().await;
    let gatekeeper = &processes[0].gatekeeper;
    let worker = Worker::new(&lab, 1);
    lab.network.admit(worker.registration(Role::Worker), 10_000_000);
    lab.network.assign(worker.identity.worker, true);
    let set = async |root: RootGeneration, open: RootGeneration, keys: KeyRecord| {
        lab.network.change(|state| {
            state.insert(storage::program_root(&PROGRAM), root.encode());
            state.insert(storage::open_root(), open.encode());
            state.insert(storage::key_record(&PROGRAM), keys.encode());
        });
        lab.blocks(3).await;
    };
    let ask = async |root: RootGeneration, code: u32| {
        let query = KeyQuery { root, code: CodeEpoch(code), ..worker.query(lab.network.height()) };
        let signed = worker.sign(gatekeeper, query);
        worker.ask(gatekeeper, &signed).await.unwrap().map(|_| ())
    };

    // Never moved: one name.
    set(ROOT, ROOT, KeyRecord::default()).await;
    assert_eq!(ask(ROOT, 0).await, Ok(()));
    assert_eq!(ask(ROOT, 1).await, Err(ReleaseRefusal::OtherCode));
    assert_eq!(ask(NEXT_ROOT, 0).await, Err(ReleaseRefusal::OtherRoot));

    // While an upgrade is under way, with consent or without, the code that runs and the one that was ordered last.
    for keep in [Keep::Nothing, Keep::State, Keep::StateAndKeys] {
        let keys = KeyRecord { newest: CodeEpoch(2), upgrade: Some(upgrade(2, keep)), ..KeyRecord::default() };
        set(ROOT, ROOT, keys).await;
        assert_eq!(ask(ROOT, 0).await, Ok(()));
        assert_eq!(ask(ROOT, 1).await, Err(ReleaseRefusal::OtherCode), "it was ordered, and replaced");
        assert_eq!(ask(ROOT, 2).await, Ok(()));
        assert_eq!(ask(ROOT, 3).await, Err(ReleaseRefusal::OtherCode));
        // Once it has moved, the old code has no key any more.
        let (from, to) = (name(ROOT, 0), name(ROOT, 2));
        let block = BlockNumber(9);
        let moved = MoveRecord { from, to, code: CodeHash([9; 32]), keep, version: 0, commands: 0, block };
        let keys = KeyRecord { epoch: CodeEpoch(2), newest: CodeEpoch(2), upgrade: None, moved: Some(moved) };
        set(ROOT, ROOT, keys).await;
        assert_eq!(ask(ROOT, 2).await, Ok(()));
        assert_eq!(ask(ROOT, 0).await, Err(ReleaseRefusal::OtherCode));
    }

    // Another root is open: this one and that one, of which this gatekeeper holds no key share.
    set(ROOT, NEXT_ROOT, KeyRecord::default()).await;
    assert_eq!(ask(ROOT, 0).await, Ok(()));
    assert_eq!(ask(NEXT_ROOT, 0).await, Err(ReleaseRefusal::NoKeyShare));
    assert_eq!(ask(RootGeneration(2), 0).await, Err(ReleaseRefusal::OtherRoot));
    // It has moved there: what the old root gives is not its key any more.
    set(NEXT_ROOT, NEXT_ROOT, KeyRecord::default()).await;
    assert_eq!(ask(ROOT, 0).await, Err(ReleaseRefusal::OtherRoot));

    // A closed root gives nothing, whatever else the chain should say.
    set(ROOT, ROOT, KeyRecord::default()).await;
    lab.network.custody(|custody| custody.root.as_mut().unwrap().status = RootStatus::Closed);
    lab.blocks(4).await;
    assert_eq!(ask(ROOT, 0).await, Err(ReleaseRefusal::NoKeyShare));
}
