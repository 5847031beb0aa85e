//! Golden bytes. A change here is a change of what chains have stored.

mod common;

use codec::{Decode, Encode};
use common::Case;
use phala_evidence::{CollateralKey, Policy, Rejection, StoredCollateral, TcbStatuses, measure_sgx, measure_tdx};
use phala_messages::{Hash, Root, TcbStatus, Tee};
use sha2::{Digest, Sha256};

#[test]
fn codes_of_rejections() {
    let codes: Vec<String> =
        Rejection::ALL.iter().map(|rejection| format!("{} {}", rejection.code(), rejection.name())).collect();
    assert_eq!(codes.join("\n") + "\n", include_str!("../../../tests/vectors/evidence/rejections.txt"));
}

#[test]
fn policies() {
    let strict = Policy::strict();
    assert_eq!(hex::encode(strict.encode()), "0300000000000001");
    let open = Policy {
        accept: TcbStatuses::default().with(TcbStatus::UpToDate).with(TcbStatus::OutOfDateConfigurationNeeded),
        tcb_evaluation_number_min: 17,
        accept_dynamic_platform: true,
        accept_cached_keys: true,
        accept_smt: false,
    };
    assert_eq!(hex::encode(open.encode()), "2111000000010100");
    assert_eq!(Policy::decode(&mut open.encode().as_slice()), Ok(open));
    let json = r#"{"accept":["UpToDate","OutOfDateConfigurationNeeded"],"tcb_evaluation_number_min":17,"accept_dynamic_platform":true,"accept_cached_keys":true,"accept_smt":false}"#;
    assert_eq!(serde_json::to_string(&open).unwrap(), json);
    assert_eq!(serde_json::from_str::<Policy>(json).unwrap(), open);
}

#[test]
fn a_policy_cannot_accept_what_is_revoked() {
    let all: Policy = serde_json::from_str(
        r#"{"accept":["Revoked"],"tcb_evaluation_number_min":0,"accept_dynamic_platform":true,"accept_cached_keys":true,"accept_smt":true}"#,
    )
    .unwrap();
    assert_eq!(all.accept, TcbStatuses::default());
    let every_bit = TcbStatuses::decode(&mut [0xff].as_slice()).unwrap();
    assert!(!every_bit.contains(TcbStatus::Revoked) && every_bit.contains(TcbStatus::OutOfDate));
}

#[test]
fn keys_of_collateral() {
    for (key, golden) in [
        (CollateralKey::RootCrl { root: Root::Intel }, "0000".to_owned()),
        (CollateralKey::PckCrl { root: Root::Development, issuer: Hash([7; 32]) }, format!("0101{}", "07".repeat(32))),
        (
            CollateralKey::TcbInfo { root: Root::Intel, tee: Tee::Tdx, fmspc: [1, 2, 3, 4, 5, 6] },
            "020001010203040506".into(),
        ),
        (CollateralKey::QeIdentity { root: Root::Development, tee: Tee::Sgx }, "030100".into()),
    ] {
        assert_eq!(hex::encode(key.encode()), golden);
        assert_eq!(CollateralKey::decode(&mut key.encode().as_slice()), Ok(key));
    }
}

#[test]
fn stored_collateral() {
    let mut lines = String::new();
    for (name, case) in Case::all_intel() {
        for piece in case.store().unwrap().values() {
            let (encoded, kind) = (
                piece.encode(),
                match piece {
                    StoredCollateral::RootCrl(_) => "root-crl",
                    StoredCollateral::PckCrl(_) => "pck-crl",
                    StoredCollateral::TcbInfo(_) => "tcb-info",
                    StoredCollateral::QeIdentity(_) => "qe-identity",
                },
            );
            // Small pieces whole, large ones by their hash.
            let bytes = match encoded.len() {
                ..=320 => hex::encode(&encoded),
                _ => format!("sha256:{}", hex::encode(Sha256::digest(&encoded))),
            };
            lines += &format!("{name} {kind} {} {bytes}\n", encoded.len());
        }
    }
    assert_eq!(lines, include_str!("../../../tests/vectors/evidence/stored.txt"));
}

#[test]
fn measurements() {
    let registers: [[u8; 48]; 4] = [[2; 48], [3; 48], [4; 48], [5; 48]];
    let tdx = measure_tdx(&[1; 48], [&registers[0], &registers[1], &registers[2], &registers[3]]);
    let sgx = measure_sgx(&[1; 32], &[2; 32], 3, 4);
    assert_eq!(format!("tdx {tdx}\nsgx {sgx}\n"), include_str!("../../../tests/vectors/evidence/measurements.txt"));
}
