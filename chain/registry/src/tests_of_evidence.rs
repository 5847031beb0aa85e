//! Registrations with evidence that a simulated TEE mints, from the wire to the record.

use crate::{
    COLLATERAL_PIECES_MAX, Call, Collateral, Event, EvidenceRoot, Judged, Refusal, Verdict, Workers,
    fixture::{FIXTURE, Fixture},
    mock::*,
};
use codec::{Decode, Encode};
use frame_support::{assert_noop, assert_ok};
use phala_evidence::{CollateralKey, DEVELOPMENT_ROOT_DER, Rejection, TrustedRoot};
use phala_messages::{
    Attested, BlockRef, InstanceKey, Measurement, Role, Root, TcbStatus, Tee,
    collateral::Collateral as Piece,
    registration::{Registration, Submission},
};
use phala_platform::simulated::{
    measurement_of,
    mint::{Machine, QuoteSpec, TdSpec},
    pki::{Pki, tcb_info_json},
};
use phala_units::UnixMillis;
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError};

const MR_TD: [u8; 48] = [0x11; 48];
const FUSE: [u8; 32] = [0x22; 32];
const DAY: u64 = 24 * 3_600;

fn measurement() -> Measurement {
    measurement_of(&MR_TD)
}

/// Collateral is published a day before `NOW` and replaced 29 days after it.
fn window() -> (u64, u64) {
    (NOW.seconds() - DAY, NOW.seconds() + 29 * DAY)
}

fn later_window() -> (u64, u64) {
    (NOW.seconds() - DAY / 2, NOW.seconds() + 30 * DAY)
}

/// A quote of an honest machine over this registration and block.
fn quote_over(registration: &Registration, block: &BlockRef) -> Vec<u8> {
    quote_with(registration, block, |_| {})
}

fn quote_with(registration: &Registration, block: &BlockRef, change: impl FnOnce(&mut TdSpec)) -> Vec<u8> {
    let mut td = TdSpec::new(MR_TD, registration.report_data(&block.hash, &genesis()));
    change(&mut td);
    Machine::new(&Pki::development(), &FUSE).quote(&QuoteSpec::tdx(&td))
}

/// A registration of worker `n` that every rule accepts.
fn good(n: u8, instance: u8, height: u32) -> Submission {
    let (registration, block) = (registration(n, instance), block(height));
    let quote = quote_over(&registration, &block);
    submission(n, registration, block, quote)
}

fn store(piece: Piece) -> Call<Test> {
    Call::store_collateral { collateral: Box::new(piece) }
}

/// Trusts the development root, lists the measurement and stores all collateral through the front door.
fn arrange() {
    EvidenceRoot::<Test>::put(TrustedRoot::insecure_development());
    Registry::allow_measurement(RuntimeOrigin::root(), Role::Worker, measurement()).unwrap();
    for piece in Pki::development().collateral(window()) {
        assert!(validate(store(piece.clone())).is_ok());
        assert_ok!(apply(store(piece)).unwrap());
    }
}

fn refused(refusal: Refusal) -> TransactionValidityError {
    InvalidTransaction::Custom(refusal.code()).into()
}

#[test]
fn a_machine_with_good_evidence_becomes_a_worker() {
    run(|| {
        arrange();
        let submission = good(1, 1, HEIGHT - 1);
        let attested =
            Attested { tee: Tee::Tdx, root: Root::Development, tcb: TcbStatus::UpToDate, measurement: measurement() };
        assert_eq!(Registry::dry_run(&submission), Ok(attested));
        let validity = validate(register(submission.clone())).unwrap();
        assert!(validity.propagate && validity.longevity <= 100);
        assert_ok!(apply(register(submission.clone())).unwrap());
        let record = Workers::<Test>::get(worker(1)).unwrap();
        assert_eq!((record.registration, record.attested), (submission.registration, attested));
        assert_eq!(record.expires_at, NOW.saturating_add(3_600_000));
        assert!(Registry::is_admitted(&worker(1), &InstanceKey([1; 32]), Role::Worker));
        assert_eq!(Judged::<Test>::get(), None);
    });
}

#[test]
fn a_pool_keeps_one_registration_of_a_worker_the_one_over_the_later_block() {
    run(|| {
        arrange();
        let earlier = validate(register(good(1, 1, HEIGHT - 20))).unwrap();
        let later = validate(register(good(1, 2, HEIGHT - 10))).unwrap();
        assert_eq!(earlier.provides, later.provides);
        assert!(later.priority > earlier.priority);
        assert!(later.longevity > earlier.longevity);
        let other = validate(register(good(2, 3, HEIGHT - 10))).unwrap();
        assert_ne!(other.provides, later.provides);
    });
}

/// Before the root's revocation list is there, a pool puts in order what it cannot judge: list, collateral,
/// registration. A block judges all of it, and takes nothing on trust.
#[test]
fn a_young_network_takes_collateral_and_registration_in_one_block() {
    run(|| {
        EvidenceRoot::<Test>::put(TrustedRoot::insecure_development());
        Registry::allow_measurement(RuntimeOrigin::root(), Role::Worker, measurement()).unwrap();
        let mut pieces = Pki::development().collateral(window()).into_iter();
        let list = store(pieces.next().unwrap());
        let rest: Vec<_> = pieces.map(store).collect();
        let registration = register(good(1, 1, HEIGHT - 1));

        let first = validate(list.clone()).unwrap();
        assert!(first.requires.is_empty());
        let mut least = first.priority;
        for call in rest.iter().chain([&registration]) {
            let kept = validate(call.clone()).unwrap();
            assert_eq!(kept.requires, first.provides);
            assert!(kept.priority <= least && kept.longevity <= 8);
            least = kept.priority;
            assert_eq!(apply(call.clone()).unwrap_err(), refused(Refusal::Evidence(Rejection::RootCrlMissing.code())));
        }
        assert!(least < first.priority);
        for call in [list].into_iter().chain(rest).chain([registration]) {
            assert_ok!(apply(call).unwrap());
        }
        assert!(Registry::is_admitted(&worker(1), &InstanceKey([1; 32]), Role::Worker));
        // From now on a pool judges by itself.
        let unjudged = register(without_evidence(2, 2, HEIGHT - 1));
        assert!(validate(unjudged).is_err());
    });
}

#[test]
fn an_admission_ends_with_the_collateral_behind_it() {
    run(|| {
        arrange();
        let until = UnixMillis::from_seconds(window().1);
        at(HEIGHT + 1, UnixMillis(until.0 - 60_000));
        assert_ok!(apply(register(good(1, 1, HEIGHT))).unwrap());
        assert_eq!(Workers::<Test>::get(worker(1)).unwrap().expires_at, until);
        at(HEIGHT + 2, until.saturating_add(1_000));
        assert_refused(&good(1, 1, HEIGHT + 1), Refusal::Evidence(Rejection::CollateralExpired.code()));
    });
}

#[test]
fn evidence_over_something_else_is_refused() {
    run(|| {
        arrange();
        let (ours, cited) = (registration(1, 1), block(HEIGHT - 1));
        let over_other_instance = quote_over(&registration(1, 2), &cited);
        assert_refused(&submission(1, ours.clone(), cited, over_other_instance), Refusal::ReportData);
        let over_other_block = quote_over(&ours, &block(HEIGHT - 2));
        assert_refused(&submission(1, ours.clone(), cited, over_other_block), Refusal::ReportData);
        let relayed = quote_over(&registration(2, 2), &cited);
        assert_refused(&submission(1, ours, cited, relayed), Refusal::ReportData);
    });
}

#[test]
fn code_that_is_not_on_the_list_is_refused() {
    run(|| {
        arrange();
        let (ours, cited) = (registration(1, 1), block(HEIGHT - 1));
        let other_code = quote_with(&ours, &cited, |td| td.mr_td[0] ^= 1);
        assert_refused(&submission(1, ours, cited, other_code), Refusal::Measurement);
        assert_ok!(Registry::disallow_measurement(RuntimeOrigin::root(), Role::Worker, measurement()));
        assert_refused(&good(1, 1, HEIGHT - 1), Refusal::Measurement);
    });
}

#[test]
fn what_the_evidence_breaks_is_told_by_its_own_code() {
    run(|| {
        arrange();
        let (ours, cited) = (registration(1, 1), block(HEIGHT - 1));
        let with = |quote: Vec<u8>| submission(1, ours.clone(), cited, quote);
        let debug = quote_with(&ours, &cited, |td| td.attributes |= 1);
        assert_refused(&with(debug), Refusal::Evidence(Rejection::Debug.code()));
        let mut cut = quote_over(&ours, &cited);
        cut.truncate(600);
        assert_refused(&with(cut), Refusal::Evidence(Rejection::QuoteTruncated.code()));
        let mut altered = quote_over(&ours, &cited);
        altered[100] ^= 1;
        assert_refused(&with(altered), Refusal::Evidence(Rejection::QuoteSignature.code()));
        let stranger = Pki::new(&[9; 32]);
        let td = TdSpec::new(MR_TD, ours.report_data(&cited.hash, &genesis()));
        let foreign = Machine::new(&stranger, &FUSE).quote(&QuoteSpec::tdx(&td));
        assert_refused(&with(foreign), Refusal::Evidence(Rejection::RootMismatch.code()));
    });
}

#[test]
fn the_policy_decides_which_status_is_good_enough() {
    run(|| {
        arrange();
        let mut policy = Registry::policy(Role::Worker);
        policy.tcb_evaluation_number_min = u32::MAX;
        assert_ok!(Registry::set_policy(RuntimeOrigin::root(), Role::Worker, policy));
        assert_refused(&good(1, 1, HEIGHT - 1), Refusal::Evidence(Rejection::TcbEvaluationTooOld.code()));
        policy.tcb_evaluation_number_min = 0;
        assert_ok!(Registry::set_policy(RuntimeOrigin::root(), Role::Worker, policy));
        assert_ok!(apply(register(good(1, 1, HEIGHT - 1))).unwrap());
    });
}

#[test]
fn without_collateral_no_evidence_is_believed() {
    run(|| {
        arrange();
        let tcb_info =
            Collateral::<Test>::iter_keys().find(|key| matches!(key, CollateralKey::TcbInfo { .. })).unwrap();
        Collateral::<Test>::remove(tcb_info);
        assert_refused(&good(1, 1, HEIGHT - 1), Refusal::Evidence(Rejection::TcbInfoMissing.code()));
    });
}

#[test]
fn a_revoked_machine_is_refused() {
    run(|| {
        arrange();
        let machine = Machine::new(&Pki::development(), &FUSE);
        let newer = Pki::development().pck_crl(later_window(), &[machine.serial]);
        assert_ok!(apply(store(newer)).unwrap());
        assert_refused(&good(1, 1, HEIGHT - 1), Refusal::Evidence(Rejection::LeafRevoked.code()));
    });
}

#[test]
fn good_evidence_is_refused_by_a_network_that_wants_real_machines() {
    run(|| {
        arrange();
        AllowDevelopmentRoot::set(false);
        assert_refused(&good(1, 1, HEIGHT - 1), Refusal::DevelopmentRoot);
        EvidenceRoot::<Test>::put(TrustedRoot { root: Root::Intel, certificate: DEVELOPMENT_ROOT_DER.to_vec() });
        assert_refused(&good(1, 1, HEIGHT - 1), Refusal::RootMislabelled);
        EvidenceRoot::<Test>::put(TrustedRoot::intel());
        assert_eq!(Registry::dry_run(&good(1, 1, HEIGHT - 1)).unwrap_err().code() & 0x80, 0);
    });
}

#[test]
fn collateral_is_stored_when_it_is_newer_and_says_until_when_it_counts() {
    run(|| {
        arrange();
        let Some(Event::CollateralStored { next_update, .. }) = events().pop() else {
            panic!("a piece was stored last")
        };
        assert_eq!(next_update, UnixMillis::from_seconds(window().1));
        let pki = Pki::development();
        for piece in pki.collateral(window()) {
            assert_eq!(validate(store(piece.clone())).unwrap_err(), refused(Refusal::CollateralNotNewer));
            assert_eq!(apply(store(piece)).unwrap_err(), refused(Refusal::CollateralNotNewer));
        }
        for piece in pki.collateral(later_window()) {
            assert_ok!(apply(store(piece)).unwrap());
        }
        for piece in pki.collateral(window()) {
            assert_eq!(Registry::dry_run_collateral(&piece), Err(Refusal::CollateralNotNewer));
        }
        assert_eq!(Collateral::<Test>::count(), 4);
    });
}

#[test]
fn collateral_that_its_issuer_did_not_sign_is_refused() {
    run(|| {
        arrange();
        let pki = Pki::development();
        let mut forged = pki.tcb_info(&tcb_info_json(later_window()).to_string());
        let Piece::TcbInfo { signature, .. } = &mut forged else { unreachable!() };
        signature[40] ^= 1;
        assert_eq!(
            apply(store(forged)).unwrap_err(),
            refused(Refusal::Evidence(Rejection::CollateralSignature.code()))
        );
        let stranger = Pki::new(&[9; 32]).root_crl(later_window(), &[]);
        assert!(matches!(Registry::dry_run_collateral(&stranger), Err(Refusal::Evidence(_))));
    });
}

#[test]
fn the_chain_keeps_a_bounded_number_of_pieces() {
    new_test_ext().execute_with(|| {
        arrange();
        let key = |n: u32| {
            let [a, b, c, d] = n.to_le_bytes();
            CollateralKey::TcbInfo { root: Root::Development, tee: Tee::Tdx, fmspc: [a, b, c, d, 0, 0] }
        };
        let piece = Collateral::<Test>::iter_values().next().unwrap();
        for n in Collateral::<Test>::count()..COLLATERAL_PIECES_MAX - 1 {
            Collateral::<Test>::insert(key(n), piece.clone());
        }
        let mut other = tcb_info_json(window());
        other["fmspc"] = "AABBCCDDEEFF".into();
        let other = Pki::development().tcb_info(&other.to_string());
        assert!(Registry::dry_run_collateral(&other).is_ok());
        Collateral::<Test>::insert(key(u32::MAX), piece);
        assert_eq!(Registry::dry_run_collateral(&other), Err(Refusal::CollateralFull));
        let renewed = Pki::development().root_crl(later_window(), &[]);
        assert!(Registry::dry_run_collateral(&renewed).is_ok());
    });
}

#[test]
fn a_new_root_forgets_what_the_old_one_vouched_for() {
    run(|| {
        arrange();
        assert_eq!(Collateral::<Test>::count(), 4);
        let certificate = DEVELOPMENT_ROOT_DER.to_vec().try_into().unwrap();
        assert_ok!(Registry::set_root(RuntimeOrigin::root(), Root::Development, certificate));
        assert_eq!((Collateral::<Test>::count(), Collateral::<Test>::iter().count()), (0, 0));
        let missing = Refusal::Evidence(Rejection::RootCrlMissing.code());
        assert_eq!(apply(register(good(1, 1, HEIGHT - 1))).unwrap_err(), refused(missing));
    });
}

#[test]
fn the_verdict_over_evidence_is_not_one_over_collateral() {
    run(|| {
        arrange();
        let submission = good(1, 1, HEIGHT - 1);
        let piece = Collateral::<Test>::iter_values().next().unwrap();
        let fingerprint = phala_messages::Hash(sp_io::hashing::blake2_256(&submission.encode()));
        Judged::<Test>::put((fingerprint, Verdict::Collateral(piece)));
        assert_noop!(Registry::register(authorized(), Box::new(submission)), crate::Error::<Test>::NotJudged);
    });
}

/// To write the file anew after a change of its content: `BLESS=1 cargo test -p pallet-registry fixture`.
#[test]
fn the_fixture_of_the_benchmarks_is_what_a_simulated_machine_makes() {
    run(|| {
        arrange();
        let fixture = Fixture {
            genesis: genesis(),
            time: NOW,
            measurement: measurement(),
            collateral: Pki::development().collateral(window()),
            submission: good(1, 1, HEIGHT - 1),
        };
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/fixture.scale"), fixture.encode()).unwrap();
            return;
        }
        assert_eq!(Fixture::decode(&mut &FIXTURE[..]), Ok(fixture.clone()));
        assert!(Registry::dry_run(&fixture.submission).is_ok());
    });
}
