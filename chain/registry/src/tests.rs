//! Each rule that needs no evidence, and what happens when it is broken. Those that need some are in
//! `tests_of_evidence.rs`.

use crate::{
    AdmissionMs, Call, Error, Event, EvidenceBlocks, EvidencePolicies, EvidenceRoot, GenesisRoot, Instances, Judged,
    Measurements, RECORD_KEPT_MS, Refusal, RegistrationsInBlock, SWEEP_BLOCKS, SWEEP_RECORDS_MAX, SweptUpTo, Verdict,
    WeightInfo, Workers, mock::*, weights::SubstrateWeight,
};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use phala_evidence::{DEVELOPMENT_ROOT_DER, INTEL_ROOT_DER, Policy, TrustedRoot};
use phala_messages::{
    Hash, InstanceKey, Role, Root, TcbStatus, WorkerRecord, calls,
    collateral::Collateral as Piece,
    limits::{REGISTRATION_BLOCK_AGE_MAX, REGISTRATIONS_PER_BLOCK_MAX},
    storage,
};
use phala_units::{BlockNumber, UnixMillis};
use sp_runtime::{
    BuildStorage, DispatchError,
    transaction_validity::{InvalidTransaction, TransactionValidityError},
};

type Weights = SubstrateWeight<Test>;

const HOUR_MS: u64 = 3_600_000;

fn record(n: u8) -> WorkerRecord {
    Workers::<Test>::get(worker(n)).unwrap()
}

fn is_admitted(n: u8, instance: u8) -> bool {
    Registry::is_admitted(&worker(n), &InstanceKey([instance; 32]), Role::Worker)
}

mod rules {
    use super::*;

    #[test]
    fn the_endpoint_is_one() {
        run(|| {
            for endpoint in ["", "127.0.0.1:80", "http://127.0.0.1:80/", "ftp://host"] {
                let mut registration = registration(1, 1);
                registration.endpoint = endpoint.as_bytes().to_vec().try_into().unwrap();
                assert_refused(&submission(1, registration, block(HEIGHT - 1), vec![]), Refusal::Endpoint);
            }
        });
    }

    #[test]
    fn the_block_is_a_recent_one_of_this_chain() {
        run(|| {
            let oldest = HEIGHT - REGISTRATION_BLOCK_AGE_MAX;
            assert_refused(&without_evidence(1, 1, oldest - 1), Refusal::BlockTooOld);
            for future in [HEIGHT, HEIGHT + 1, u32::MAX] {
                assert_refused(&without_evidence(1, 1, future), Refusal::BlockUnknown);
            }
            let mut other = block(HEIGHT - 1);
            other.hash.0[0] ^= 1;
            assert_refused(&submission(1, registration(1, 1), other, vec![]), Refusal::BlockUnknown);
            // At both ends of the window the next rule speaks: there is no root yet.
            for good in [oldest, HEIGHT - 1] {
                assert_refused(&without_evidence(1, 1, good), Refusal::RootMissing);
            }
        });
    }

    #[test]
    fn the_identity_signs_every_field() {
        run(|| {
            let good = without_evidence(1, 1, HEIGHT - 1);
            assert_refused(&good, Refusal::RootMissing);
            let alterations: [fn(&mut phala_messages::registration::Submission); 7] = [
                |all| all.registration.worker = worker(2),
                |all| all.registration.instance.0[0] ^= 1,
                |all| all.registration.transport.0[31] ^= 1,
                |all| all.registration.endpoint = b"http://127.0.0.1:8001".to_vec().try_into().unwrap(),
                |all| all.block = block(HEIGHT - 2),
                |all| all.quote = vec![0; 101].try_into().unwrap(),
                |all| all.signature[0] ^= 1,
            ];
            for alter in alterations {
                let mut altered = good.clone();
                alter(&mut altered);
                assert_refused(&altered, Refusal::IdentitySignature);
            }
            frame_system::BlockHash::<Test>::insert(0, sp_core::H256([1; 32]));
            assert_refused(&good, Refusal::IdentitySignature);
        });
    }

    #[test]
    fn evidence_registers_once() {
        run(|| {
            let first = without_evidence(1, 1, HEIGHT - 2);
            assert_ok!(register_judged(&first));
            at(HEIGHT + 1, NOW.saturating_add(2_000));
            for replayed in [first, without_evidence(1, 2, HEIGHT - 2), without_evidence(1, 2, HEIGHT - 3)] {
                assert_refused(&replayed, Refusal::EvidenceUsed);
            }
            assert_refused(&without_evidence(1, 2, HEIGHT - 1), Refusal::RootMissing);
        });
    }

    #[test]
    fn an_old_instance_cannot_be_brought_back_with_its_old_evidence() {
        run(|| {
            let old = without_evidence(1, 1, HEIGHT - 2);
            assert_ok!(register_judged(&old));
            at(HEIGHT + 1, NOW.saturating_add(2_000));
            assert_ok!(register_judged(&without_evidence(1, 2, HEIGHT)));
            at(HEIGHT + 2, NOW.saturating_add(4_000));
            assert_refused(&old, Refusal::EvidenceUsed);
        });
    }

    #[test]
    fn a_worker_registers_once_per_block() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 2)));
            assert_refused(&without_evidence(1, 2, HEIGHT - 1), Refusal::RegisteredThisBlock);
            at(HEIGHT + 1, NOW.saturating_add(2_000));
            assert_refused(&without_evidence(1, 2, HEIGHT - 1), Refusal::RootMissing);
        });
    }

    #[test]
    fn an_instance_belongs_to_one_worker() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 7, HEIGHT - 1)));
            assert_refused(&without_evidence(2, 7, HEIGHT - 1), Refusal::InstanceTaken);
        });
    }

    #[test]
    fn a_block_takes_a_bounded_number_of_registrations_and_a_pool_keeps_the_rest() {
        run(|| {
            RegistrationsInBlock::<Test>::put(REGISTRATIONS_PER_BLOCK_MAX - 1);
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
            let next = without_evidence(2, 2, HEIGHT - 1);
            let later: TransactionValidityError = InvalidTransaction::ExhaustsResources.into();
            assert_eq!(apply(register(next.clone())).unwrap_err(), later);
            assert_eq!(Registry::dry_run(&next), Err(Refusal::BlockFull));
            let full = DispatchError::from(Error::<Test>::Refused(Refusal::BlockFull.code()));
            assert_eq!(register_judged(&next), Err(full));
            at(HEIGHT + 1, NOW.saturating_add(2_000));
            assert_ok!(register_judged(&next));
        });
    }

    #[test]
    fn without_a_root_nothing_is_believed() {
        run(|| {
            assert_refused(&without_evidence(1, 1, HEIGHT - 1), Refusal::RootMissing);
            let piece = Piece::RootCrl { crl: Default::default() };
            let error: TransactionValidityError = InvalidTransaction::Custom(Refusal::RootMissing.code()).into();
            assert_eq!(apply(Call::store_collateral { collateral: Box::new(piece) }).unwrap_err(), error);
        });
    }

    #[test]
    fn a_network_that_refuses_the_development_root_refuses_it_even_when_storage_holds_it() {
        run(|| {
            EvidenceRoot::<Test>::put(TrustedRoot::insecure_development());
            AllowDevelopmentRoot::set(false);
            assert_refused(&without_evidence(1, 1, HEIGHT - 1), Refusal::DevelopmentRoot);
            assert_eq!(
                Registry::dry_run_collateral(&Piece::RootCrl { crl: Default::default() }),
                Err(Refusal::DevelopmentRoot)
            );
            let disguised = TrustedRoot { root: Root::Intel, certificate: DEVELOPMENT_ROOT_DER.to_vec() };
            EvidenceRoot::<Test>::put(disguised);
            assert_refused(&without_evidence(1, 1, HEIGHT - 1), Refusal::RootMislabelled);
            EvidenceRoot::<Test>::put(TrustedRoot::intel());
        });
    }
}

mod calls_without_verdict {
    use super::*;

    #[test]
    fn a_call_that_was_not_judged_does_nothing() {
        run(|| {
            let submission = without_evidence(1, 1, HEIGHT - 1);
            assert_noop!(Registry::register(authorized(), Box::new(submission.clone())), Error::<Test>::NotJudged);
            let piece = Box::new(Piece::RootCrl { crl: Default::default() });
            assert_noop!(Registry::store_collateral(authorized(), piece), Error::<Test>::NotJudged);
            assert_eq!(Registry::register(RuntimeOrigin::root(), Box::new(submission)), Err(DispatchError::BadOrigin));
        });
    }

    #[test]
    fn a_verdict_counts_for_what_was_judged_and_once() {
        run(|| {
            let (judged, other) = (without_evidence(1, 1, HEIGHT - 2), without_evidence(1, 2, HEIGHT - 1));
            let verdict =
                Verdict::Evidence(crate::Judgement { attested: attested(), valid_until: UnixMillis(u64::MAX) });
            Judged::<Test>::put((Hash(sp_io::hashing::blake2_256(&judged.encode())), verdict));
            assert_noop!(Registry::register(authorized(), Box::new(other)), Error::<Test>::NotJudged);
            assert_ok!(Registry::register(authorized(), Box::new(judged.clone())));
            assert_noop!(Registry::register(authorized(), Box::new(judged)), Error::<Test>::NotJudged);
        });
    }
}

mod records {
    use super::*;

    #[test]
    fn a_worker_is_admitted_until_its_admission_expires() {
        run(|| {
            let submission = without_evidence(1, 1, HEIGHT - 1);
            assert!(!is_admitted(1, 1));
            assert_ok!(register_judged(&submission));
            let expires_at = NOW.saturating_add(HOUR_MS);
            let instance = InstanceKey([1; 32]);
            assert_eq!(
                events(),
                [Event::WorkerRegistered { worker: worker(1), instance, attested: attested(), expires_at }]
            );
            assert_eq!(
                record(1),
                WorkerRecord {
                    registration: submission.registration,
                    attested: attested(),
                    admitted_block: BlockNumber(HEIGHT),
                    admitted_at: NOW,
                    expires_at,
                }
            );
            assert!(is_admitted(1, 1) && !is_admitted(1, 2) && !is_admitted(2, 1));
            at(HEIGHT + 1, UnixMillis(expires_at.0 - 1));
            assert!(is_admitted(1, 1));
            at(HEIGHT + 2, expires_at);
            assert!(!is_admitted(1, 1));
            assert_eq!(record(1).expires_at, expires_at);
        });
    }

    #[test]
    fn renewal_keeps_the_instance_and_moves_the_expiry() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
            at(HEIGHT + 50, NOW.saturating_add(HOUR_MS / 2));
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT + 40)));
            let expires_at = NOW.saturating_add(HOUR_MS / 2 + HOUR_MS);
            assert_eq!(events(), [Event::WorkerRenewed { worker: worker(1), expires_at }]);
            let record = record(1);
            assert_eq!((record.admitted_block, record.expires_at), (BlockNumber(HEIGHT), expires_at));
            assert_eq!(record.admitted_at, NOW.saturating_add(HOUR_MS / 2));
        });
    }

    #[test]
    fn a_new_instance_replaces_the_old_one_at_once() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
            at(HEIGHT + 1, NOW.saturating_add(2_000));
            assert_ok!(register_judged(&without_evidence(1, 2, HEIGHT)));
            let expires_at = NOW.saturating_add(2_000 + HOUR_MS);
            let (old, new) = (InstanceKey([1; 32]), InstanceKey([2; 32]));
            assert_eq!(
                events(),
                [Event::InstanceReplaced { worker: worker(1), old, new, attested: attested(), expires_at }]
            );
            assert!(!is_admitted(1, 1) && is_admitted(1, 2));
            assert_eq!(record(1).admitted_block, BlockNumber(HEIGHT + 1));
            assert_eq!(Instances::<Test>::get(old), None);
            assert_eq!(Instances::<Test>::get(new), Some(worker(1)));
        });
    }

    #[test]
    fn no_admission_outlives_the_collateral_behind_it() {
        run(|| {
            let valid_until = NOW.saturating_add(60_000);
            assert_ok!(register_judged_until(&without_evidence(1, 1, HEIGHT - 1), valid_until));
            assert_eq!(record(1).expires_at, valid_until);
        });
    }

    #[test]
    fn how_long_an_admission_lasts_is_the_networks_choice() {
        run(|| {
            AdmissionMs::<Test>::insert(Role::Worker, 5_000);
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
            assert_eq!(record(1).expires_at, NOW.saturating_add(5_000));
        });
    }

    #[test]
    fn a_worker_whose_measurement_is_taken_off_the_list_counts_no_more() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
            assert!(is_admitted(1, 1));
            assert_ok!(Registry::disallow_measurement(RuntimeOrigin::root(), Role::Worker, MEASUREMENT));
            assert!(!is_admitted(1, 1));
        });
    }
}

mod roles {
    use super::*;

    fn as_gatekeeper(n: u8, instance: u8, number: u32) -> phala_messages::registration::Submission {
        let mut registration = registration(n, instance);
        registration.role = Role::Gatekeeper;
        submission(n, registration, block(number), vec![])
    }

    #[test]
    fn a_gatekeeper_is_admitted_as_one_and_for_a_shorter_time() {
        run(|| {
            Measurements::<Test>::insert(Role::Gatekeeper, MEASUREMENT, ());
            assert_ok!(register_judged(&as_gatekeeper(1, 1, HEIGHT - 1)));
            assert_eq!(record(1).expires_at, NOW.saturating_add(HOUR_MS / 4));
            assert!(Registry::is_admitted(&worker(1), &InstanceKey([1; 32]), Role::Gatekeeper));
            assert!(!is_admitted(1, 1));
            assert!(Registry::registered(&worker(1), Role::Gatekeeper).is_some());
            assert_eq!(Registry::registered(&worker(1), Role::Worker), None);
        });
    }

    #[test]
    fn a_measurement_listed_for_one_role_counts_for_no_other() {
        run(|| {
            assert_ok!(register_judged(&as_gatekeeper(1, 1, HEIGHT - 1)));
            assert!(!Registry::is_admitted(&worker(1), &InstanceKey([1; 32]), Role::Gatekeeper));
            assert_ok!(Registry::allow_measurement(RuntimeOrigin::root(), Role::Gatekeeper, MEASUREMENT));
            assert!(Registry::is_admitted(&worker(1), &InstanceKey([1; 32]), Role::Gatekeeper));
            assert_ok!(Registry::disallow_measurement(RuntimeOrigin::root(), Role::Worker, MEASUREMENT));
            assert!(Registry::is_admitted(&worker(1), &InstanceKey([1; 32]), Role::Gatekeeper));
        });
    }

    #[test]
    fn a_machine_keeps_its_role() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 2)));
            at(HEIGHT + 1, NOW.saturating_add(2_000));
            assert_refused(&as_gatekeeper(1, 1, HEIGHT), Refusal::RoleChanged);
            assert_refused(&without_evidence(1, 1, HEIGHT), Refusal::RootMissing);
        });
    }

    #[test]
    fn the_identity_signs_the_role() {
        run(|| {
            let mut altered = without_evidence(1, 1, HEIGHT - 1);
            altered.registration.role = Role::Gatekeeper;
            assert_refused(&altered, Refusal::IdentitySignature);
        });
    }
}

mod sweeping {
    use super::*;

    fn sweep_at(height: u32, now: UnixMillis) -> Weight {
        at(height, now);
        Registry::on_idle(height, Weight::MAX)
    }

    const SWEEP: u32 = HEIGHT.next_multiple_of(SWEEP_BLOCKS);

    #[test]
    fn a_record_is_forgotten_seven_days_after_it_expired() {
        run(|| {
            assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
            let forgotten_at = record(1).expires_at.saturating_add(RECORD_KEPT_MS);
            sweep_at(SWEEP, UnixMillis(forgotten_at.0 - 1));
            assert!(Workers::<Test>::contains_key(worker(1)));
            sweep_at(SWEEP + SWEEP_BLOCKS, forgotten_at);
            assert_eq!(events(), [Event::WorkerForgotten { worker: worker(1) }]);
            assert!(!Workers::<Test>::contains_key(worker(1)) && !EvidenceBlocks::<Test>::contains_key(worker(1)));
            assert!(!Instances::<Test>::contains_key(InstanceKey([1; 32])));
        });
    }

    #[test]
    fn sweeps_look_at_all_records_piece_by_piece_and_begin_again() {
        run(|| {
            let all = 2 * SWEEP_RECORDS_MAX as u8 + 3;
            for n in 1..=all {
                RegistrationsInBlock::<Test>::kill();
                assert_ok!(register_judged(&without_evidence(n, n, HEIGHT - 1)));
            }
            let long_after = record(1).expires_at.saturating_add(RECORD_KEPT_MS);
            for (sweep, left) in [(0, SWEEP_RECORDS_MAX + 3), (1, 3), (2, 0)] {
                sweep_at(SWEEP + sweep * SWEEP_BLOCKS, long_after);
                assert_eq!(Workers::<Test>::iter().count() as u32, left);
            }
            assert_eq!(SweptUpTo::<Test>::get(), None);
        });
    }

    #[test]
    fn fresh_records_are_passed_by() {
        run(|| {
            let all = SWEEP_RECORDS_MAX as u8 + 3;
            for n in 1..=all {
                RegistrationsInBlock::<Test>::kill();
                assert_ok!(register_judged(&without_evidence(n, n, HEIGHT - 1)));
            }
            sweep_at(SWEEP, NOW);
            assert!(SweptUpTo::<Test>::get().is_some());
            sweep_at(SWEEP + SWEEP_BLOCKS, NOW);
            assert_eq!(SweptUpTo::<Test>::get(), None);
            assert_eq!(Workers::<Test>::iter().count(), usize::from(all));
        });
    }

    #[test]
    fn a_sweep_takes_no_more_than_a_block_has_room_for() {
        run(|| {
            for n in 1..=5 {
                assert_ok!(register_judged(&without_evidence(n, n, HEIGHT - 1)));
            }
            let long_after = record(1).expires_at.saturating_add(RECORD_KEPT_MS);
            at(SWEEP, long_after);
            assert_eq!(Registry::on_idle(SWEEP, Weight::zero()), Weight::zero());
            assert_eq!(Registry::on_idle(SWEEP + 1, Weight::MAX), Weight::zero());
            let room = Weights::sweep(2);
            assert_eq!(Registry::on_idle(SWEEP, room), room);
            assert_eq!(Workers::<Test>::iter().count(), 3);
        });
    }
}

mod administration {
    use super::*;

    #[test]
    fn measurements_are_listed_and_unlisted_once() {
        run(|| {
            let measurement = Hash([9; 32]);
            assert_ok!(Registry::allow_measurement(RuntimeOrigin::root(), Role::Worker, measurement));
            assert_eq!(events(), [Event::MeasurementAllowed { role: Role::Worker, measurement }]);
            assert_noop!(
                Registry::allow_measurement(RuntimeOrigin::root(), Role::Worker, measurement),
                Error::<Test>::MeasurementListed
            );
            assert_ok!(Registry::disallow_measurement(RuntimeOrigin::root(), Role::Worker, measurement));
            assert_eq!(events().last(), Some(&Event::MeasurementDisallowed { role: Role::Worker, measurement }));
            assert_noop!(
                Registry::disallow_measurement(RuntimeOrigin::root(), Role::Worker, measurement),
                Error::<Test>::MeasurementNotListed
            );
        });
    }

    #[test]
    fn only_the_administrator_administers() {
        run(|| {
            let anyone = || RuntimeOrigin::signed([1; 32].into());
            assert_eq!(Registry::allow_measurement(anyone(), Role::Worker, MEASUREMENT), Err(DispatchError::BadOrigin));
            assert_eq!(
                Registry::disallow_measurement(anyone(), Role::Worker, MEASUREMENT),
                Err(DispatchError::BadOrigin)
            );
            assert_eq!(Registry::set_policy(anyone(), Role::Worker, Policy::strict()), Err(DispatchError::BadOrigin));
            let root = Registry::set_root(anyone(), Root::Intel, INTEL_ROOT_DER.to_vec().try_into().unwrap());
            assert_eq!(root.unwrap_err().error, DispatchError::BadOrigin);
        });
    }

    #[test]
    fn a_policy_is_strict_until_another_is_set() {
        run(|| {
            assert_eq!(Registry::policy(Role::Worker), Policy::strict());
            assert_eq!(Registry::policy(Role::Gatekeeper), Policy::key_holders());
            let mut policy = Policy::strict();
            policy.accept = policy.accept.with(TcbStatus::OutOfDate);
            assert_ok!(Registry::set_policy(RuntimeOrigin::root(), Role::Worker, policy));
            assert_eq!(Registry::policy(Role::Worker), policy);
            assert_eq!(Registry::policy(Role::Gatekeeper), Policy::key_holders());
            assert_eq!(events(), [Event::PolicySet { role: Role::Worker }]);
        });
    }

    fn set_root(root: Root, certificate: &[u8]) -> Result<(), DispatchError> {
        let set = Registry::set_root(RuntimeOrigin::root(), root, certificate.to_vec().try_into().unwrap());
        set.map(|_| ()).map_err(|error| error.error)
    }

    #[test]
    fn a_root_is_set_under_its_true_name() {
        run(|| {
            assert_ok!(set_root(Root::Intel, INTEL_ROOT_DER));
            assert_eq!(EvidenceRoot::<Test>::get(), Some(TrustedRoot::intel()));
            assert_ok!(set_root(Root::Development, DEVELOPMENT_ROOT_DER));
            assert_eq!(events().last(), Some(&Event::RootSet { root: Root::Development }));
            assert_noop!(set_root(Root::Intel, DEVELOPMENT_ROOT_DER), Error::<Test>::RootMislabelled);
            AllowDevelopmentRoot::set(false);
            assert_noop!(set_root(Root::Development, DEVELOPMENT_ROOT_DER), Error::<Test>::DevelopmentRoot);
            // Another encoding of the same key is no more welcome.
            let mut other = DEVELOPMENT_ROOT_DER.to_vec();
            other.push(0);
            assert_noop!(set_root(Root::Development, &other), Error::<Test>::DevelopmentRoot);
            assert_noop!(set_root(Root::Intel, &other), Error::<Test>::RootMislabelled);
            assert_ok!(set_root(Root::Intel, INTEL_ROOT_DER));
        });
    }
}

mod genesis {
    use super::*;

    fn build(root: TrustedRoot) -> sp_runtime::Storage {
        let config = crate::GenesisConfig::<Test> { root: Some(root.into()), ..Default::default() };
        config.build_storage().unwrap()
    }

    #[test]
    fn a_network_starts_with_what_its_specification_says() {
        AllowDevelopmentRoot::set(true);
        let mut policy = Policy::strict();
        policy.tcb_evaluation_number_min = 7;
        let config = crate::GenesisConfig::<Test> {
            root: Some(TrustedRoot::insecure_development().into()),
            measurements: vec![(Role::Worker, MEASUREMENT), (Role::Gatekeeper, Hash([1; 32]))],
            policies: vec![(Role::Gatekeeper, policy)],
            admission_ms: vec![(Role::Gatekeeper, 60_000)],
            ..Default::default()
        };
        sp_io::TestExternalities::from(config.build_storage().unwrap()).execute_with(|| {
            assert_eq!(EvidenceRoot::<Test>::get(), Some(TrustedRoot::insecure_development()));
            assert!(Measurements::<Test>::contains_key(Role::Worker, MEASUREMENT));
            assert!(Measurements::<Test>::contains_key(Role::Gatekeeper, Hash([1; 32])));
            assert_eq!(Measurements::<Test>::iter().count(), 2);
            assert_eq!(EvidencePolicies::<Test>::get(Role::Worker), None);
            assert_eq!(Registry::policy(Role::Gatekeeper), policy);
            assert_eq!(Registry::admission_ms(Role::Worker), HOUR_MS);
            assert_eq!(Registry::admission_ms(Role::Gatekeeper), 60_000);
        });
    }

    #[test]
    fn a_network_without_a_specification_admits_nobody_and_knows_how_long_admissions_last() {
        new_test_ext().execute_with(|| {
            assert_eq!(EvidenceRoot::<Test>::get(), None);
            assert_eq!(Registry::admission_ms(Role::Worker), HOUR_MS);
            assert_eq!(Registry::admission_ms(Role::Gatekeeper), HOUR_MS / 4);
        });
    }

    #[test]
    fn a_network_that_refuses_the_development_root_cannot_start_with_it() {
        for (root, der) in [(Root::Development, DEVELOPMENT_ROOT_DER), (Root::Intel, DEVELOPMENT_ROOT_DER)] {
            AllowDevelopmentRoot::set(false);
            let trusted = TrustedRoot { root, certificate: der.to_vec() };
            assert!(std::panic::catch_unwind(|| build(trusted)).is_err());
        }
        AllowDevelopmentRoot::set(false);
        build(TrustedRoot::intel());
    }

    #[test]
    fn a_specification_survives_being_written_and_read() {
        let config = crate::GenesisConfig::<Test> {
            root: Some(TrustedRoot::intel().into()),
            measurements: vec![(Role::Worker, MEASUREMENT), (Role::Gatekeeper, MEASUREMENT)],
            policies: vec![(Role::Worker, Policy::strict())],
            admission_ms: vec![],
            ..Default::default()
        };
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(json["root"]["root"], "intel");
        assert_eq!(json["measurements"][1], serde_json::json!(["gatekeeper", MEASUREMENT.to_string()]));
        let read: crate::GenesisConfig<Test> = serde_json::from_value(json).unwrap();
        assert_eq!(read.root, config.root);
        assert_eq!(
            (read.measurements, read.policies, read.admission_ms),
            (config.measurements, config.policies, config.admission_ms)
        );
        let wrong = serde_json::json!({ "root": "intel", "certificate": "xyz" });
        assert!(serde_json::from_value::<GenesisRoot>(wrong).is_err());
    }
}

mod contract {
    use super::*;

    #[test]
    fn storage_lies_where_clients_look_for_it() {
        assert_eq!(storage::worker(&worker(1)), Workers::<Test>::hashed_key_for(worker(1)));
    }

    #[test]
    fn calls_are_encoded_as_workers_and_clients_encode_them() {
        new_test_ext().execute_with(|| {
            let submission = without_evidence(1, 1, 1);
            let piece = Piece::RootCrl { crl: vec![1, 2, 3].try_into().unwrap() };
            let (role, measurement) = (Role::Gatekeeper, MEASUREMENT);
            let pairs = [
                (register(submission.clone()), calls::Registry::Register { submission: Box::new(submission) }),
                (
                    Call::store_collateral { collateral: Box::new(piece.clone()) },
                    calls::Registry::StoreCollateral { collateral: Box::new(piece) },
                ),
                (
                    Call::allow_measurement { role, measurement },
                    calls::Registry::AllowMeasurement { role, measurement },
                ),
                (
                    Call::disallow_measurement { role, measurement },
                    calls::Registry::DisallowMeasurement { role, measurement },
                ),
            ];
            for (ours, theirs) in pairs {
                assert_eq!(RuntimeCall::from(ours).encode(), calls::Call::Registry(theirs).encode());
            }
        });
    }

    #[test]
    fn the_configuration_is_checked() {
        new_test_ext().execute_with(|| {
            <Registry as Hooks<u32>>::integrity_test();
            BlockHashCount::set(REGISTRATION_BLOCK_AGE_MAX - 1);
            assert!(std::panic::catch_unwind(<Registry as Hooks<u32>>::integrity_test).is_err());
        });
    }

    #[test]
    fn what_an_authorisation_leaves_behind_is_gone_with_the_block() {
        run(|| {
            RegistrationsInBlock::<Test>::put(3);
            let verdict = Verdict::Evidence(crate::Judgement { attested: attested(), valid_until: NOW });
            Judged::<Test>::put((Hash::default(), verdict));
            assert!(Registry::do_try_state().is_err());
            Registry::on_finalize(HEIGHT);
            assert_ok!(Registry::do_try_state());
        });
    }

    #[test]
    fn a_broken_invariant_is_found() {
        let breakages: [fn(); 6] = [
            || Instances::<Test>::insert(InstanceKey([9; 32]), worker(1)),
            || Instances::<Test>::remove(InstanceKey([1; 32])),
            || EvidenceBlocks::<Test>::remove(worker(1)),
            || Workers::<Test>::mutate(worker(1), |record| record.as_mut().unwrap().registration.worker = worker(2)),
            || Workers::<Test>::mutate(worker(1), |record| record.as_mut().unwrap().expires_at = UnixMillis(0)),
            || EvidenceRoot::<Test>::put(TrustedRoot { root: Root::Intel, certificate: vec![] }),
        ];
        for (n, breakage) in breakages.into_iter().enumerate() {
            new_test_ext().execute_with(|| {
                assert_ok!(register_judged(&without_evidence(1, 1, HEIGHT - 1)));
                Registry::on_finalize(HEIGHT);
                Registry::do_try_state().unwrap();
                breakage();
                assert!(Registry::do_try_state().is_err(), "{n}");
            });
        }
    }
}
