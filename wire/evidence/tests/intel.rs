//! Evidence signed by Intel passes at its time and nowhere else.

mod common;

use codec::{Decode, Encode};
use common::{Case, DAY, NOW, at, store};
use phala_evidence::{
    CollateralKey, Policy, Quote, Rejection, StoredCollateral, TrustedRoot, measure_sgx, measure_tdx, verify,
    verify_collateral,
};
use phala_messages::{Root, TcbStatus, Tee};

#[test]
fn real_quotes_pass_inside_their_window() {
    let expected = [
        ("sgx_quote", Tee::Sgx, TcbStatus::ConfigurationAndSWHardeningNeeded, 17),
        ("tdx_quote", Tee::Tdx, TcbStatus::UpToDate, 17),
        ("tdx_quote_td15ex", Tee::Tdx, TcbStatus::UpToDate, 20),
    ];
    for ((name, case), (expected_name, tee, status, evaluation)) in Case::all_intel().into_iter().zip(expected) {
        assert_eq!(name, expected_name);
        let report = case.verify().unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!((report.tee, report.root, report.tcb), (tee, Root::Intel, status), "{name}");
        assert_eq!(report.tcb_evaluation_number, evaluation, "{name}");
        assert_eq!(case.oracle(), Ok(status), "{name}");
        assert!(report.valid_until > at(case.now), "{name}");
    }
}

#[test]
fn a_report_says_what_the_quote_says() {
    let sgx = Case::intel("sgx_quote", 1_750_353_600);
    let report = sgx.verify().unwrap();
    let phala_evidence::Body::Sgx(enclave) = Quote::parse(&sgx.quote).unwrap().body else { panic!("not SGX") };
    assert_eq!(
        report.measurement,
        measure_sgx(enclave.mr_enclave, enclave.mr_signer, enclave.isv_prod_id, enclave.isv_svn)
    );
    assert_eq!(report.report_data[..], sgx.quote[48 + 320..48 + 384]);
    assert_eq!(enclave.mr_enclave[..], sgx.quote[48 + 64..48 + 96]);

    let tdx = Case::intel("tdx_quote", 1_750_353_600);
    let report = tdx.verify().unwrap();
    let register = |at: usize| <&[u8; 48]>::try_from(&tdx.quote[48 + at..48 + at + 48]).unwrap();
    let rtmr = [328, 376, 424, 472].map(register);
    assert_eq!(report.measurement, measure_tdx(register(136), rtmr));
    assert_eq!(report.report_data[..], tdx.quote[48 + 520..48 + 584]);
}

#[test]
fn every_flipped_byte_of_a_real_quote_is_refused() {
    for (name, case) in Case::all_intel() {
        let pieces = case.store().unwrap();
        for index in 0..case.quote.len() {
            let mut forged = case.clone();
            forged.quote[index] ^= 1 << (index % 8);
            assert!(forged.verify_with(&pieces).is_err(), "{name}: byte {index} does not matter");
        }
    }
}

#[test]
fn every_flipped_byte_of_real_collateral_is_refused() {
    let case = Case::intel("tdx_quote_td15ex", 1_791_436_800);
    let pieces = case.store().unwrap();
    for piece in &case.collateral {
        let encoded = piece.encode();
        for index in (0..encoded.len()).step_by(3) {
            let mut forged = encoded.clone();
            forged[index] ^= 1 << (index % 8);
            let Ok(forged) = phala_messages::collateral::Collateral::decode(&mut forged.as_slice()) else { continue };
            let verdict = verify_collateral(&forged, &case.root, &pieces, at(case.now));
            assert!(verdict.is_err(), "byte {index} of {} does not matter", encoded[0]);
        }
    }
}

#[test]
fn truncated_quotes_are_refused() {
    for (name, case) in Case::all_intel() {
        let pieces = case.store().unwrap();
        let end = case.quote.len() - case.quote.iter().rev().take_while(|byte| **byte == 0).count();
        for length in (0..end).step_by(7).chain([end - 1]) {
            let verdict = verify(&case.quote[..length], &case.root, &pieces, at(case.now));
            assert!(verdict.is_err(), "{name}: {length} bytes are enough");
        }
    }
}

#[test]
fn another_root_is_refused() {
    for (name, case) in Case::all_intel() {
        let pieces = case.store().unwrap();
        let wrong = TrustedRoot::insecure_development();
        // Nothing of Intel's is stored under the other root.
        assert_eq!(
            verify(&case.quote, &wrong, &pieces, at(case.now)).unwrap_err(),
            Rejection::RootCrlMissing,
            "{name}"
        );
        let other = Case::simulated();
        let verdict = verify(&case.quote, &wrong, &other.store().unwrap(), at(NOW));
        assert_eq!(verdict.unwrap_err(), Rejection::RootMismatch, "{name}");
        // A root that calls itself Intel's finds Intel's pieces, and they are not by its key.
        let liar = TrustedRoot { root: Root::Intel, ..wrong };
        assert_eq!(
            verify(&case.quote, &liar, &pieces, at(case.now)).unwrap_err(),
            Rejection::CollateralMismatch,
            "{name}"
        );
    }
}

#[test]
fn the_wrong_time_is_refused() {
    for (name, case) in Case::all_intel() {
        let pieces = case.store().unwrap();
        for (now, allowed) in [
            (case.now - 40 * DAY, &[Rejection::CollateralNotYetValid, Rejection::CertificateNotYetValid][..]),
            (case.now + 40 * DAY, &[Rejection::CollateralExpired]),
            (1_400_000_000, &[Rejection::CertificateNotYetValid]),
            (2_600_000_000, &[Rejection::CertificateExpired]),
        ] {
            let rejection = verify(&case.quote, &case.root, &pieces, at(now)).unwrap_err();
            assert!(allowed.contains(&rejection), "{name} at {now}: {rejection:?}");
            assert!(store(&case.collateral, &case.root, now).is_err(), "{name} at {now}: collateral was stored");
            assert!(Case { now, ..case.clone() }.oracle().is_err(), "{name} at {now}: dcap-qvl accepts");
        }
    }
}

/// The stored form of a revocation list, as its golden bytes fix it.
#[derive(Encode, Decode)]
struct StoredCrl {
    index: u8,
    root: Root,
    issuer: [u8; 32],
    issuer_certificate: [u8; 32],
    number: u32,
    window: (u64, u64),
    revoked: Vec<Vec<u8>>,
}

#[test]
fn a_revoked_real_certificate_is_refused() {
    for (name, case) in Case::all_intel() {
        let pieces = case.store().unwrap();
        for (key, stored) in &pieces {
            let expected = match key {
                CollateralKey::RootCrl { .. } => Rejection::RootRevoked,
                CollateralKey::PckCrl { .. } => Rejection::LeafRevoked,
                _ => continue,
            };
            let serial = match key {
                CollateralKey::RootCrl { .. } => serial(&case.root.certificate),
                _ => serial(&leaf(&case.quote)),
            };
            let mut crl = StoredCrl::decode(&mut stored.encode().as_slice()).unwrap();
            crl.revoked.push(serial);
            crl.revoked.sort();
            let mut revoked = pieces.clone();
            revoked.insert(*key, StoredCollateral::decode(&mut crl.encode().as_slice()).unwrap());
            assert_eq!(case.verify_with(&revoked).unwrap_err(), expected, "{name}");
        }
    }
}

/// The first certificate of the chain in a quote.
fn leaf(quote: &[u8]) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = String::from_utf8_lossy(quote);
    let body = text.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap().split("-----END").next().unwrap();
    STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
}

/// The serial number's content: certificates of the samples have headers of fixed size before it.
fn serial(der: &[u8]) -> Vec<u8> {
    let length = usize::from(der[14]);
    assert_eq!((der[0], der[4], der[8], der[13]), (0x30, 0x30, 0xa0, 0x02));
    der[15..15 + length].to_vec()
}

#[test]
fn a_real_machine_older_than_every_level_is_refused() {
    let case = Case::intel_outdated();
    assert_eq!(case.verify().unwrap_err(), Rejection::TcbTooOld);
    assert!(case.oracle().is_err());
}

#[test]
fn a_policy_decides_which_status_is_good_enough() {
    let report = Case::intel("sgx_quote", 1_750_353_600).verify().unwrap();
    assert_eq!(Policy::strict().judge(&report), Err(Rejection::StatusNotAccepted));
    let mut policy = Policy::strict();
    policy.accept = policy.accept.with(TcbStatus::ConfigurationAndSWHardeningNeeded);
    let attested = policy.judge(&report).unwrap();
    assert_eq!((attested.tcb, attested.tee_name()), (TcbStatus::ConfigurationAndSWHardeningNeeded, "sgx"));
}
