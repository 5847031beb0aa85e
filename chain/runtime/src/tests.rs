//! The runtime holds the words of `phala_messages` against its own.

use crate::*;
use codec::{Decode, Encode};
use frame_support::traits::BuildGenesisConfig;
use phala_messages::{
    Account, ClusterId, CodeEpoch, CodeHash, GenesisHash, Keep, KeyName, Manifest, ProgramId, StateRoot, TransportKey,
    WorkerId,
    calls::{self, Call, SigningContext},
    custody::RootGeneration,
    moves::{Moved, SignedMoved},
    storage,
};
use sp_runtime::{BuildStorage, generic::Preamble, traits::Checkable};

fn alice() -> (sp_core::sr25519::Pair, Account) {
    let pair = sp_keyring::Sr25519Keyring::Alice.pair();
    let account = Account(sp_core::Pair::public(&pair).0);
    (pair, account)
}

fn externalities() -> sp_io::TestExternalities {
    let storage = frame_system::GenesisConfig::<Runtime>::default().build_storage();
    sp_io::TestExternalities::new(storage.unwrap_or_default())
}

fn moved(program: ProgramId, worker: WorkerId) -> SignedMoved {
    let moved = Moved {
        program,
        to: KeyName { root: Some(RootGeneration(3)), code: CodeEpoch(4) },
        transport: TransportKey([5; 32]),
        version: 6,
        root: StateRoot([7; 32]),
        worker,
    };
    SignedMoved { moved, signature: [8; 64] }
}

#[test]
fn calls_are_encoded_as_the_runtime_encodes_them() {
    let (_, account) = alice();
    let to = calls::Address::Id(account);
    let (program, worker, cluster) = (ProgramId([7; 32]), WorkerId([8; 32]), ClusterId(9));
    let id = AccountId::from(account.0);
    let pairs: Vec<(Call, RuntimeCall)> = vec![
        (
            Call::Balances(calls::Balances::TransferKeepAlive { to, amount: 12_345_678_901_234 }),
            pallet_balances::Call::transfer_keep_alive { dest: id.into(), value: 12_345_678_901_234 }.into(),
        ),
        (Call::Programs(calls::Programs::CreateCluster), pallet_programs::Call::create_cluster {}.into()),
        (
            Call::Programs(calls::Programs::AssignWorker { cluster, worker }),
            pallet_programs::Call::assign_worker { cluster, worker }.into(),
        ),
        (
            Call::Programs(calls::Programs::UnassignWorker { worker }),
            pallet_programs::Call::unassign_worker { worker }.into(),
        ),
        (
            Call::Programs(calls::Programs::Deploy {
                cluster,
                name: b"notes".to_vec().try_into().unwrap_or_default(),
                code: CodeHash([1; 32]),
                code_bytes: 77,
                manifest: Manifest::default(),
            }),
            pallet_programs::Call::deploy {
                cluster,
                name: b"notes".to_vec().try_into().unwrap_or_default(),
                code: CodeHash([1; 32]),
                code_bytes: 77,
                manifest: Manifest::default(),
            }
            .into(),
        ),
        (
            Call::Programs(calls::Programs::Upgrade {
                program,
                code: CodeHash([2; 32]),
                code_bytes: 78,
                manifest: Some(Manifest::default()),
                keep: Keep::State,
            }),
            pallet_programs::Call::upgrade {
                program,
                code: CodeHash([2; 32]),
                code_bytes: 78,
                manifest: Some(Manifest::default()),
                keep: Keep::State,
            }
            .into(),
        ),
        (
            Call::Programs(calls::Programs::Moved { moved: moved(program, worker) }),
            pallet_programs::Call::moved { moved: moved(program, worker) }.into(),
        ),
        (Call::Programs(calls::Programs::Remove { program }), pallet_programs::Call::remove { program }.into()),
        (
            Call::Programs(calls::Programs::Command { program, sealed: vec![1; 300].try_into().unwrap_or_default() }),
            pallet_programs::Call::command { program, sealed: vec![1; 300].try_into().unwrap_or_default() }.into(),
        ),
        (
            Call::Recovery(Box::new(calls::Recovery::Bind {
                root: RootGeneration(1),
                place: 2,
                gatekeeper: WorkerId([8; 32]),
            })),
            pallet_key_recovery::Call::bind { root: RootGeneration(1), place: 2, gatekeeper: WorkerId([8; 32]) }.into(),
        ),
        (
            Call::Recovery(Box::new(calls::Recovery::Appoint { threshold: 2, custodians: Default::default() })),
            pallet_key_recovery::Call::appoint { threshold: 2, custodians: Default::default() }.into(),
        ),
        (
            Call::Recovery(Box::new(calls::Recovery::TakeSeat { taken: taken() })),
            pallet_key_recovery::Call::take_seat { taken: taken() }.into(),
        ),
        (
            Call::Recovery(Box::new(calls::Recovery::StoreOutput {
                root: RootGeneration(1),
                output: vec![1; 300].try_into().unwrap_or_default(),
            })),
            pallet_key_recovery::Call::store_output {
                root: RootGeneration(1),
                output: vec![1; 300].try_into().unwrap_or_default(),
            }
            .into(),
        ),
        (
            Call::Registry(calls::Registry::AllowMeasurement {
                role: phala_messages::Role::Gatekeeper,
                measurement: phala_messages::Hash([5; 32]),
            }),
            pallet_registry::Call::allow_measurement {
                role: phala_messages::Role::Gatekeeper,
                measurement: phala_messages::Hash([5; 32]),
            }
            .into(),
        ),
        #[cfg(not(feature = "production"))]
        (
            Call::Sudo(calls::Sudo::Sudo { call: Box::new(Call::Programs(calls::Programs::CreateCluster)) }),
            pallet_sudo::Call::sudo { call: Box::new(pallet_programs::Call::create_cluster {}.into()) }.into(),
        ),
        (
            Call::Session(calls::Session::SetKeys { keys: [[1; 32], [2; 32]], proof: vec![3; 130] }),
            pallet_session::Call::set_keys {
                keys: opaque::SessionKeys::decode(&mut &[[1u8; 32], [2; 32]].encode()[..])
                    .expect("64 bytes are two keys"),
                proof: vec![3; 130],
            }
            .into(),
        ),
    ];
    for (ours, theirs) in pairs {
        assert_eq!(ours.encode(), theirs.encode(), "{ours:?}");
    }
}

fn taken() -> phala_messages::custody::Signed<phala_messages::recovery::SeatTaken> {
    let (root, ceremony) = (RootGeneration(1), phala_messages::recovery::CeremonyNumber(3));
    let message = phala_messages::recovery::SeatTaken { root, ceremony, place: 2, gatekeeper: WorkerId([8; 32]) };
    phala_messages::custody::Signed { message, signature: [9; 64] }
}

#[test]
fn an_extrinsic_signed_by_a_client_is_signed_in_the_eyes_of_the_runtime() {
    externalities().execute_with(|| {
        let (pair, account) = alice();
        let genesis = System::block_hash(0);
        for call in [
            Call::Programs(calls::Programs::CreateCluster),
            // Longer than 256 bytes: the hash of the payload is signed.
            Call::Programs(calls::Programs::Command {
                program: ProgramId([7; 32]),
                sealed: vec![1; 300].try_into().unwrap_or_default(),
            }),
        ] {
            let context = SigningContext {
                genesis: GenesisHash(genesis.0),
                spec_version: VERSION.spec_version,
                transaction_version: VERSION.transaction_version,
                nonce: 3,
            };
            let signature = sp_core::Pair::sign(&pair, &call.signing_payload(&context)).0;
            let bytes = call.signed(&account, &signature, 3);
            let extrinsic = UncheckedExtrinsic::decode(&mut &bytes[..]).expect("the runtime reads it");
            assert_eq!(extrinsic.encode(), bytes);
            let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Runtime>::default());
            assert!(checked.is_ok(), "{call:?}: {:?}", checked.err());
        }
    });
}

#[test]
fn an_extrinsic_with_its_own_authority_is_general() {
    let call = Call::Programs(calls::Programs::CreateCluster);
    let bytes = call.authorized();
    let extrinsic = UncheckedExtrinsic::decode(&mut &bytes[..]).expect("the runtime reads it");
    assert!(matches!(extrinsic.preamble, Preamble::General(..)));
    assert_eq!(extrinsic.encode(), bytes);
}

#[test]
fn storage_lies_where_clients_look_for_it() {
    let (program, worker, cluster) = (ProgramId([7; 32]), WorkerId([8; 32]), ClusterId(9));
    assert_eq!(storage::worker(&worker), pallet_registry::Workers::<Runtime>::hashed_key_for(worker));
    assert_eq!(storage::assignment(&worker), pallet_programs::Assignments::<Runtime>::hashed_key_for(worker));
    assert_eq!(storage::cluster(cluster), pallet_programs::Clusters::<Runtime>::hashed_key_for(cluster));
    assert_eq!(
        storage::cluster_program(cluster, 3),
        pallet_programs::ClusterPrograms::<Runtime>::hashed_key_for(cluster, 3)
    );
    assert_eq!(storage::program(&program), pallet_programs::Programs::<Runtime>::hashed_key_for(program));
    assert_eq!(storage::anchor(&program), pallet_programs::Anchors::<Runtime>::hashed_key_for(program));
    assert_eq!(storage::command(&program, 5), pallet_programs::Commands::<Runtime>::hashed_key_for(program, 5));
    assert_eq!(storage::key_record(&program), pallet_programs::KeyRecords::<Runtime>::hashed_key_for(program));
    assert_eq!(storage::timestamp_now(), pallet_timestamp::Now::<Runtime>::hashed_key().to_vec());
    assert_eq!(storage::grandpa_authorities(), pallet_grandpa::Authorities::<Runtime>::hashed_key().to_vec());
    let (root, set) = (RootGeneration(1), phala_messages::recovery::SetNumber(2));
    assert_eq!(storage::recovery_parameters(), pallet_key_recovery::RecoveryTimes::<Runtime>::hashed_key().to_vec());
    assert_eq!(storage::custodians(), pallet_key_recovery::Custodians::<Runtime>::hashed_key().to_vec());
    assert_eq!(storage::custodian_set(set), pallet_key_recovery::CustodianSets::<Runtime>::hashed_key_for(set));
    assert_eq!(storage::seat_backup(root, 3), pallet_key_recovery::Backups::<Runtime>::hashed_key_for(root, 3));
    assert_eq!(storage::output_epoch(root), pallet_key_recovery::OutputEpochs::<Runtime>::hashed_key_for(root));
    assert_eq!(storage::epoch_output(root), pallet_key_recovery::EpochOutputs::<Runtime>::hashed_key_for(root));
    assert_eq!(storage::active_ceremonies(), pallet_key_recovery::ActiveCeremonies::<Runtime>::hashed_key().to_vec());
    assert_eq!(storage::ceremony(root), pallet_key_recovery::Ceremonies::<Runtime>::hashed_key_for(root));
    assert_eq!(storage::ceremony_outcome(root), pallet_key_recovery::Outcomes::<Runtime>::hashed_key_for(root));
    let (_, account) = alice();
    assert_eq!(
        storage::account(&account),
        frame_system::Account::<Runtime>::hashed_key_for(AccountId::from(account.0))
    );
}

#[test]
fn every_preset_builds_a_genesis_that_obeys_the_pallets() {
    for name in genesis::names() {
        let json = genesis::preset(&name).expect("a preset that is listed exists");
        let config: RuntimeGenesisConfig =
            serde_json::from_slice(&patched(&json)).expect("a preset is a configuration");
        sp_io::TestExternalities::default().execute_with(|| {
            config.build();
            assert!(pallet_registry::EvidenceRoot::<Runtime>::exists(), "{name}");
            let development = pallet_registry::EvidenceRoot::<Runtime>::get()
                .is_some_and(|root| root.root == phala_messages::Root::Development);
            assert_eq!(development, configs::ALLOW_DEVELOPMENT_ROOT, "{name}");
        });
    }
}

/// The default genesis with a preset's values in place of its own, as `build_state` sees it.
fn patched(patch: &[u8]) -> Vec<u8> {
    fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
        match (into, from) {
            (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
                for (key, value) in from {
                    merge(into.entry(key).or_insert(serde_json::Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }
    let mut whole = serde_json::to_value(RuntimeGenesisConfig::default()).expect("a configuration is JSON");
    merge(&mut whole, serde_json::from_slice(patch).expect("a preset is JSON"));
    whole.to_string().into_bytes()
}

#[test]
fn fees_are_what_the_pages_say() {
    sp_io::TestExternalities::default().execute_with(|| {
        // 256 KiB at a millionth of a PHA per byte.
        assert_eq!(TransactionPayment::length_to_fee(256 * 1024), 262_144 * constants::BYTE_FEE);
    });
}

#[cfg(not(feature = "production"))]
#[test]
fn this_build_is_for_development_and_says_so() {
    assert!(configs::ALLOW_DEVELOPMENT_ROOT);
    assert_eq!(genesis::names(), ["dev", "local"]);
}

#[cfg(feature = "production")]
#[test]
fn a_production_runtime_refuses_the_development_root_and_has_no_sudo() {
    assert_eq!(genesis::names(), ["production"]);
    let root = serde_json::json!({ "registry": { "root": {
        "root": "development", "certificate": hex::encode(phala_evidence::DEVELOPMENT_ROOT_DER),
    } } });
    let config: RuntimeGenesisConfig =
        serde_json::from_slice(&patched(root.to_string().as_bytes())).expect("it is a configuration");
    let built = std::panic::catch_unwind(|| sp_io::TestExternalities::default().execute_with(|| config.build()));
    assert!(built.is_err(), "a production genesis with the development root was built");
}

#[cfg(feature = "production")]
#[test]
fn a_production_genesis_has_all_pha_and_what_is_vested() {
    let json = genesis::preset(&"production".into()).expect("it exists");
    let config: RuntimeGenesisConfig = serde_json::from_slice(&patched(&json)).expect("it is a configuration");
    sp_io::TestExternalities::default().execute_with(|| {
        config.build();
        assert_eq!(Balances::total_issuance(), constants::SUPPLY);
        let team = token::Allocation::default().team;
        assert_eq!(Balances::free_balance(&team), constants::SUPPLY / 100 * 5);
        assert_eq!(Balances::usable_balance(&team), constants::SUPPLY / 100);
        assert_eq!(pallet_staking::ValidatorCount::<Runtime>::get(), 20);
    });
}
