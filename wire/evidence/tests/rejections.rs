//! Every rule refuses something: one forgery per rejection, all of them from the simulated authority.

mod common;

use common::{Case, DAY, NOW, Store, WINDOW, at, store};
use phala_evidence::{
    CollateralKey, CollateralStore, Policy, Rejection, StoredCollateral, TrustedRoot, verify, verify_collateral,
};
use phala_messages::{Root, TcbStatus, Tee, collateral::Collateral};
use phala_platform::simulated::{
    mint::{EnclaveSpec, Machine, QuoteSpec, TD_ATTRIBUTES, TdSpec},
    pki::{CertificateSpec, Pki, PlatformSpec, key, pem, qe_identity_json, tcb_info_json},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FUSE: [u8; 32] = [7; 32];

fn honest() -> TdSpec {
    TdSpec::new([0xaa; 48], [0x55; 64])
}

/// Verdict on a machine of choice and a quote of choice, everything else honest.
fn judge(machine: &Machine, spec: &QuoteSpec) -> Result<TcbStatus, Rejection> {
    Case { quote: machine.quote(spec), ..Case::simulated() }.verify().map(|report| report.tcb)
}

fn judge_td(change: impl FnOnce(&mut TdSpec)) -> Result<TcbStatus, Rejection> {
    let mut td = honest();
    change(&mut td);
    judge(&Machine::new(&Pki::development(), &FUSE), &QuoteSpec::tdx(&td))
}

fn judge_quote(change: impl FnOnce(&mut QuoteSpec)) -> Result<TcbStatus, Rejection> {
    let mut spec = QuoteSpec::tdx(&honest());
    change(&mut spec);
    judge(&Machine::new(&Pki::development(), &FUSE), &spec)
}

fn judge_certificate(change: impl FnOnce(&mut CertificateSpec)) -> Result<TcbStatus, Rejection> {
    let machine = Machine::certified(&Pki::development(), &FUSE, PlatformSpec::default(), change);
    judge(&machine, &QuoteSpec::tdx(&honest()))
}

fn judge_platform(change: impl FnOnce(&mut PlatformSpec)) -> Result<TcbStatus, Rejection> {
    let mut platform = PlatformSpec::default();
    change(&mut platform);
    let machine = Machine::certified(&Pki::development(), &FUSE, platform, |_| {});
    let mut td = honest();
    td.tee_tcb_svn[2..].copy_from_slice(&platform_svn(&machine));
    judge(&machine, &QuoteSpec::tdx(&td))
}

fn platform_svn(machine: &Machine) -> [u8; 14] {
    machine.platform.cpu_svn[2..].try_into().unwrap()
}

fn judge_bytes(change: impl FnOnce(&mut Vec<u8>)) -> Result<TcbStatus, Rejection> {
    let mut case = Case::simulated();
    change(&mut case.quote);
    case.verify().map(|report| report.tcb)
}

/// Verdict with one piece of collateral replaced.
fn judge_collateral(index: usize, piece: Collateral) -> Result<TcbStatus, Rejection> {
    let mut case = Case::simulated();
    case.collateral[index] = piece;
    case.verify().map(|report| report.tcb)
}

fn judge_tcb_info(change: impl FnOnce(&mut Value)) -> Result<TcbStatus, Rejection> {
    let mut info = tcb_info_json(WINDOW);
    change(&mut info);
    judge_collateral(2, Pki::development().tcb_info(&info.to_string()))
}

fn judge_qe_identity(change: impl FnOnce(&mut Value)) -> Result<TcbStatus, Rejection> {
    let mut identity = qe_identity_json(WINDOW);
    change(&mut identity);
    judge_collateral(3, Pki::development().qe_identity(&identity.to_string()))
}

fn judge_chain(change: impl FnOnce(&mut String)) -> Result<TcbStatus, Rejection> {
    let mut machine = Machine::new(&Pki::development(), &FUSE);
    change(&mut machine.chain);
    judge(&machine, &QuoteSpec::tdx(&honest()))
}

fn without(missing: impl Fn(&CollateralKey) -> bool) -> Result<TcbStatus, Rejection> {
    let case = Case::simulated();
    let mut pieces = case.store().unwrap();
    pieces.retain(|key, _| !missing(key));
    case.verify_with(&pieces).map(|report| report.tcb)
}

fn serial_of(subject: &str) -> Vec<u8> {
    CertificateSpec::new("", subject, true).serial
}

/// Verdict after the root's list has grown since everything else was stored.
fn judge_after_revocation(serial: Vec<u8>) -> Result<TcbStatus, Rejection> {
    let case = Case::simulated();
    let mut pieces = case.store().unwrap();
    let list = Pki::development().root_crl((WINDOW.0 + 60, WINDOW.1), &[serial]);
    let newer = verify_collateral(&list, &case.root, &pieces, at(NOW))?.into_inner();
    assert!(newer.newer_than(&pieces[&newer.key()]));
    pieces.insert(newer.key(), newer);
    case.verify_with(&pieces).map(|report| report.tcb)
}

fn judge_policy(platform: PlatformSpec, change: impl FnOnce(&mut Policy)) -> Result<TcbStatus, Rejection> {
    let machine = Machine::certified(&Pki::development(), &FUSE, platform, |_| {});
    let report = Case { quote: machine.quote(&QuoteSpec::tdx(&honest())), ..Case::simulated() }.verify()?;
    let mut policy = Policy::strict();
    change(&mut policy);
    policy.judge(&report).map(|attested| attested.tcb)
}

fn configured(flags: [bool; 3]) -> PlatformSpec {
    PlatformSpec { configuration: Some(flags), ..PlatformSpec::default() }
}

/// Answers every question with the same piece.
struct Confused(StoredCollateral);

impl CollateralStore for Confused {
    fn get(&self, _: &CollateralKey) -> Option<StoredCollateral> {
        Some(self.0.clone())
    }
}

/// Where the outer certification data begins in a version 4 quote.
const CERTIFICATION: usize = 48 + 584 + 4 + 128;
/// Where the quoting enclave's report begins.
const QE_REPORT: usize = CERTIFICATION + 6;

fn forgeries_of_form() -> Vec<(Rejection, Result<TcbStatus, Rejection>)> {
    use Rejection::*;
    vec![
        (QuoteTooLarge, judge_bytes(|quote| quote.resize(16 * 1024 + 1, 0))),
        (QuoteTruncated, judge_bytes(|quote| quote.truncate(1_000))),
        (QuoteTrailingBytes, judge_bytes(|quote| quote.push(1))),
        (QuoteVersion, judge_quote(|spec| spec.version = 3)),
        (QuoteVersion, judge_quote(|spec| spec.version = 6)),
        (TeeUnknown, judge_quote(|spec| spec.tee = 0x82)),
        (AttestationKeyType, judge_quote(|spec| spec.key_type = 3)),
        (QeVendor, judge_quote(|spec| spec.vendor[0] ^= 1)),
        (QuoteBody, judge_quote(|spec| (spec.version, spec.body_type) = (5, Some(1)))),
        (QuoteBody, judge_quote(|spec| (spec.version, spec.body_type) = (5, Some(3)))),
        (CertificationData, judge_bytes(|quote| quote[CERTIFICATION] = 5)),
        (CertificationData, judge_bytes(|quote| quote[QE_REPORT + 384 + 64 + 2 + 32] = 3)),
        (QeAuthData, judge_bytes(|quote| quote[QE_REPORT + 384 + 64] = 31)),
        (AttestationKey, judge_quote(|spec| spec.attestation_key = Some([1; 64]))),
        (QuoteSignature, judge_bytes(|quote| quote[48 + 520] ^= 1)),
        (QeReportSignature, judge_bytes(|quote| quote[QE_REPORT] ^= 1)),
        (QeReportData, judge_bytes(|quote| quote[QE_REPORT + 384 + 64 + 2] ^= 1)),
    ]
}

fn forgeries_of_certificates() -> Vec<(Rejection, Result<TcbStatus, Rejection>)> {
    use Rejection::*;
    let development = Pki::development();
    let mut stolen_name = development.clone();
    stolen_name.intermediate.key = key(&[1; 32], "another key");
    let case = Case::simulated();
    let broken_root = TrustedRoot { root: Root::Development, certificate: vec![0x30, 0] };
    let stranger = Machine::new(&Pki::new(&[1; 32]), &FUSE);
    vec![
        (ChainMalformed, judge_chain(|chain| chain.push_str("more"))),
        (ChainMalformed, judge_chain(|chain| *chain = chain.replace('\n', "\r\n"))),
        (ChainMalformed, judge_chain(|chain| *chain = chain.repeat(2))),
        (ChainMalformed, judge_chain(String::clear)),
        (
            CertificateMalformed,
            judge_chain(|chain| {
                *chain = pem(&[0x30, 0]) + &development.chain(&development.intermediate.certificate);
            }),
        ),
        (CertificateExtension, judge_certificate(|spec| spec.extensions.push(("2.5.29.54", true, vec![5, 0])))),
        (CertificateExtension, judge_certificate(|spec| spec.extensions.push(("2.5.29.37", false, vec![0x30, 0])))),
        (CertificateRole, judge_certificate(|spec| spec.authority = true)),
        (CertificateIssuer, judge_certificate(|spec| spec.issuer = "somebody else".into())),
        (CertificateSignature, judge(&Machine::new(&stolen_name, &FUSE), &QuoteSpec::tdx(&honest()))),
        (CertificateNotYetValid, judge_certificate(|spec| spec.window.0 = NOW + 1)),
        (CertificateExpired, judge_certificate(|spec| spec.window.1 = NOW - 1)),
        (RootMismatch, judge(&stranger, &QuoteSpec::tdx(&honest()))),
        (RootMalformed, verify(&case.quote, &broken_root, &case.store().unwrap(), at(NOW)).map(|report| report.tcb)),
        (SgxExtension, judge_certificate(|spec| spec.extensions.clear())),
        (SgxExtension, judge_certificate(|spec| spec.extensions[0].2[4] ^= 1)),
        (LeafRevoked, {
            let machine = Machine::new(&development, &FUSE);
            judge_collateral(1, development.pck_crl(WINDOW, &[machine.serial]))
        }),
        (IntermediateRevoked, judge_after_revocation(serial_of(&development.intermediate.name))),
        (SignerRevoked, judge_after_revocation(serial_of(&development.signer.name))),
        (SignerRevoked, judge_collateral(0, development.root_crl(WINDOW, &[serial_of(&development.signer.name)]))),
        (RootRevoked, judge_collateral(0, development.root_crl(WINDOW, &[serial_of(&development.root.name)]))),
    ]
}

fn forgeries_of_collateral() -> Vec<(Rejection, Result<TcbStatus, Rejection>)> {
    use Rejection::*;
    let pki = Pki::development();
    let stranger = Pki::new(&[1; 32]);
    let early = (NOW + DAY, NOW + 2 * DAY);
    let late = (NOW - 2 * DAY, NOW - DAY);
    let case = Case::simulated();
    let pieces = case.store().unwrap();
    let root_list = pieces[&CollateralKey::RootCrl { root: Root::Development }].clone();
    let mut forged_signature = case.collateral[2].clone();
    if let Collateral::TcbInfo { signature, .. } = &mut forged_signature {
        signature[40] ^= 1;
    }
    let crl = |bytes: Vec<u8>| Collateral::RootCrl { crl: bytes.try_into().unwrap() };
    vec![
        (RootCrlMissing, without(|key| matches!(key, CollateralKey::RootCrl { .. }))),
        (PckCrlMissing, without(|key| matches!(key, CollateralKey::PckCrl { .. }))),
        (TcbInfoMissing, without(|key| matches!(key, CollateralKey::TcbInfo { .. }))),
        (QeIdentityMissing, without(|key| matches!(key, CollateralKey::QeIdentity { .. }))),
        (RootCrlMissing, store(&case.collateral[1..], &case.root, NOW).map(|_| TcbStatus::UpToDate)),
        (CollateralNotYetValid, judge_collateral(0, pki.root_crl(early, &[]))),
        (CollateralNotYetValid, judge_collateral(1, pki.pck_crl(early, &[]))),
        (CollateralNotYetValid, judge_collateral(2, pki.tcb_info(&tcb_info_json(early).to_string()))),
        (CollateralNotYetValid, judge_collateral(3, pki.qe_identity(&qe_identity_json(early).to_string()))),
        (CollateralExpired, judge_collateral(0, pki.root_crl(late, &[]))),
        (CollateralExpired, judge_collateral(1, pki.pck_crl(late, &[]))),
        (CollateralExpired, judge_collateral(2, pki.tcb_info(&tcb_info_json(late).to_string()))),
        (CollateralExpired, judge_collateral(3, pki.qe_identity(&qe_identity_json(late).to_string()))),
        (CollateralSignature, judge_collateral(2, forged_signature)),
        (RootMismatch, judge_collateral(2, stranger.tcb_info(&tcb_info_json(WINDOW).to_string()))),
        (CrlMalformed, judge_collateral(0, crl(vec![0x30, 0]))),
        (CrlSignature, judge_collateral(0, stranger.root_crl(WINDOW, &[]))),
        (CrlIssuer, judge_collateral(0, crl(pki.intermediate.crl(1, WINDOW, &[])))),
        (TcbInfoMalformed, judge_collateral(2, pki.tcb_info("{}"))),
        (TcbInfoMalformed, judge_tcb_info(|info| info["tcbLevels"][0]["tcb"]["sgxtcbcomponents"] = json!([]))),
        (TcbInfoMalformed, judge_tcb_info(|info| info["tcbLevels"][0]["tcbStatus"] = json!("Splendid"))),
        (TcbInfoMalformed, judge_tcb_info(|info| info["issueDate"] = json!("yesterday"))),
        (TcbInfoKind, judge_tcb_info(|info| info["version"] = json!(2))),
        (TcbInfoKind, judge_tcb_info(|info| info["tcbType"] = json!(1))),
        (QeIdentityMalformed, judge_collateral(3, pki.qe_identity("[]"))),
        (QeIdentityMalformed, judge_qe_identity(|identity| identity["mrsigner"] = json!("00"))),
        (QeIdentityKind, judge_qe_identity(|identity| identity["id"] = json!("QVE"))),
        (
            CollateralMismatch,
            verify(&case.quote, &case.root, &Confused(pieces.values().last().unwrap().clone()), at(NOW))
                .map(|report| report.tcb),
        ),
        (CollateralMismatch, verify(&case.quote, &case.root, &Confused(root_list), at(NOW)).map(|report| report.tcb)),
    ]
}

fn forgeries_of_content() -> Vec<(Rejection, Result<TcbStatus, Rejection>)> {
    use Rejection::*;
    vec![
        (QeSigner, judge_quote(|spec| spec.quoting.mr_signer[0] ^= 1)),
        (QeDebug, judge_quote(|spec| spec.quoting.attributes[0] |= 2)),
        (QeProduct, judge_quote(|spec| spec.quoting.isv_prod_id = 1)),
        (QeMiscSelect, judge_quote(|spec| spec.quoting.misc_select = 1)),
        (QeAttributes, judge_quote(|spec| spec.quoting.attributes[0] = 0x01)),
        (QeTooOld, judge_quote(|spec| spec.quoting.isv_svn = 1)),
        (PceMismatch, judge_platform(|platform| platform.pce_id = [1, 0])),
        (TcbInfoMissing, judge_platform(|platform| platform.fmspc = [1; 6])),
        (TcbTooOld, judge_platform(|platform| platform.cpu_svn = [1; 16])),
        (TcbTooOld, judge_platform(|platform| platform.pce_svn = 1)),
        (TcbRevoked, judge_platform(|platform| platform.cpu_svn = [2; 16])),
        (TdxModuleUnknown, judge_td(|td| td.tee_tcb_svn[1] = 9)),
        (TdxModuleTooOld, judge_td(|td| td.tee_tcb_svn[0] = 1)),
        (TdxModuleSigner, judge_td(|td| td.mr_signer_seam[47] = 1)),
        (TdxModuleAttributes, judge_td(|td| td.seam_attributes[7] = 0x80)),
        (Debug, judge_td(|td| td.attributes |= 1)),
        (Profiling, judge_td(|td| td.attributes |= 1 << 4)),
        (Profiling, judge_td(|td| td.attributes |= 1 << 6)),
        (ReservedAttributes, judge_td(|td| td.attributes |= 1 << 7)),
        (ReservedAttributes, judge_td(|td| td.attributes |= 1 << 61)),
        (Migratable, judge_td(|td| td.attributes |= 1 << 29)),
        (ServiceTd, judge_td(|td| td.attributes |= 1 << 17)),
        (ServiceTd, judge_td(|td| td.current = Some((td.tee_tcb_svn, [1; 48])))),
        (SeptVe, judge_td(|td| td.attributes &= !TD_ATTRIBUTES)),
        (StatusNotAccepted, judge_policy(PlatformSpec { cpu_svn: [4; 16], ..PlatformSpec::default() }, |_| {})),
        (TcbEvaluationTooOld, judge_policy(PlatformSpec::default(), |policy| policy.tcb_evaluation_number_min = 21)),
        (DynamicPlatform, judge_policy(configured([true, false, false]), |_| {})),
        (CachedKeys, judge_policy(configured([false, true, false]), |_| {})),
        (SmtEnabled, judge_policy(configured([false, false, true]), |policy| policy.accept_smt = false)),
    ]
}

#[test]
fn an_honest_simulated_machine_is_admitted() {
    let report = Case::simulated().verify().unwrap();
    assert_eq!(report.report_data, [0x55; 64]);
    assert_eq!(report.measurement, phala_platform::simulated::measurement_of(&[0xaa; 48]));
    let attested = Policy::strict().judge(&report).unwrap();
    assert_eq!((attested.tcb, attested.root, attested.tee), (TcbStatus::UpToDate, Root::Development, Tee::Tdx));
    assert_eq!(attested.tee_name(), "simulated-tdx");
}

#[test]
fn every_rule_refuses_its_forgery() {
    let forgeries = [
        forgeries_of_form(),
        forgeries_of_certificates(),
        forgeries_of_collateral(),
        forgeries_of_content(),
        vec![(Rejection::Debug, judge_debug_enclave())],
    ]
    .concat();
    for (number, (expected, verdict)) in forgeries.iter().enumerate() {
        assert_eq!(*verdict, Err(*expected), "forgery {number}");
    }
    let shown: BTreeSet<_> = forgeries.iter().map(|(rejection, _)| *rejection).collect();
    let unshown: Vec<_> = Rejection::ALL.iter().filter(|rejection| !shown.contains(rejection)).collect();
    assert!(unshown.is_empty(), "no forgery shows {unshown:?}");
}

/// Collateral for simulated SGX machines.
fn sgx_collateral() -> Vec<Collateral> {
    let pki = Pki::development();
    let mut info = tcb_info_json(WINDOW);
    info["id"] = json!("SGX");
    let mut identity = qe_identity_json(WINDOW);
    identity["id"] = json!("QE");
    vec![
        pki.root_crl(WINDOW, &[]),
        pki.pck_crl(WINDOW, &[]),
        pki.tcb_info(&info.to_string()),
        pki.qe_identity(&identity.to_string()),
    ]
}

fn judge_enclave(change: impl FnOnce(&mut EnclaveSpec)) -> Result<TcbStatus, Rejection> {
    let mut enclave = EnclaveSpec { isv_prod_id: 9, ..EnclaveSpec::quoting() };
    change(&mut enclave);
    let quote = Machine::new(&Pki::development(), &FUSE).quote(&QuoteSpec::sgx(&enclave, &[3; 64]));
    Case { quote, collateral: sgx_collateral(), ..Case::simulated() }.verify().map(|report| report.tcb)
}

fn judge_debug_enclave() -> Result<TcbStatus, Rejection> {
    judge_enclave(|enclave| enclave.attributes[0] |= 2)
}

#[test]
fn an_honest_simulated_enclave_is_admitted() {
    assert_eq!(judge_enclave(|_| {}), Ok(TcbStatus::UpToDate));
}

#[test]
fn a_status_is_the_worst_of_platform_module_and_quoting_enclave() {
    use TcbStatus::{OutOfDate, OutOfDateConfigurationNeeded, UpToDate};
    assert_eq!(judge_td(|_| {}), Ok(UpToDate));
    assert_eq!(judge_platform(|platform| platform.cpu_svn = [4; 16]), Ok(OutOfDate));
    assert_eq!(judge_td(|td| td.tee_tcb_svn[0] = 4), Ok(OutOfDate));
    assert_eq!(judge_quote(|spec| spec.quoting.isv_svn = 3), Ok(OutOfDate));
    let configuration = |info: &mut Value| {
        info["tcbLevels"][0]["tcbStatus"] = json!("ConfigurationNeeded");
        info["tdxModuleIdentities"][0]["tcbLevels"][0]["tcbStatus"] = json!("OutOfDate");
    };
    assert_eq!(judge_tcb_info(configuration), Ok(OutOfDateConfigurationNeeded));
    let revoked = |info: &mut Value| info["tdxModuleIdentities"][0]["tcbLevels"][0]["tcbStatus"] = json!("Revoked");
    assert_eq!(judge_tcb_info(revoked), Err(Rejection::TcbRevoked));
    let revoked = |identity: &mut Value| identity["tcbLevels"][0]["tcbStatus"] = json!("Revoked");
    assert_eq!(judge_qe_identity(revoked), Err(Rejection::TcbRevoked));
}

#[test]
fn a_machine_updated_in_place_keeps_the_status_of_its_start() {
    let updated = |launch: u8, current: u8| {
        judge_td(|td| {
            let mut svn = td.tee_tcb_svn;
            svn[0] = current;
            td.tee_tcb_svn[0] = launch;
            td.current = Some((svn, [0; 48]));
        })
    };
    assert_eq!(updated(5, 5), Ok(TcbStatus::UpToDate));
    assert_eq!(updated(4, 5), Ok(TcbStatus::OutOfDate));
    assert_eq!(updated(5, 1), Err(Rejection::TdxModuleTooOld));
}

#[test]
fn levels_are_tried_best_first_whatever_their_order() {
    let reversed = |info: &mut Value| info["tcbLevels"].as_array_mut().unwrap().reverse();
    assert_eq!(judge_tcb_info(reversed), Ok(TcbStatus::UpToDate));
}

#[test]
fn newer_collateral_replaces_older_and_never_the_other_way_round() {
    let case = Case::simulated();
    let pieces: Store = case.store().unwrap();
    let later = (WINDOW.0 + 60, WINDOW.1);
    for piece in Pki::development().collateral(later) {
        let newer = verify_collateral(&piece, &case.root, &pieces, at(NOW)).unwrap();
        let old = &pieces[&newer.key()];
        assert!(newer.newer_than(old) && !old.newer_than(&newer) && !old.newer_than(old));
        assert_eq!(newer.next_update(), at(WINDOW.1));
    }
    // A lower evaluation number with a later date does not bring back what was judged worse since.
    let mut info = tcb_info_json(later);
    info["tcbEvaluationDataNumber"] = json!(19);
    let piece = Pki::development().tcb_info(&info.to_string());
    let lower = verify_collateral(&piece, &case.root, &pieces, at(NOW)).unwrap();
    assert!(!lower.newer_than(&pieces[&lower.key()]));
}

#[test]
fn the_report_expires_with_its_first_piece() {
    let mut case = Case::simulated();
    let soon = (WINDOW.0, NOW + 60);
    case.collateral[3] = Pki::development().qe_identity(&qe_identity_json(soon).to_string());
    let report = case.verify().unwrap();
    assert_eq!(report.valid_until, at(NOW + 60));
    let pieces = case.store().unwrap();
    let verdict = |now| verify(&case.quote, &case.root, &pieces, at(now)).map(|report| report.tcb);
    assert_eq!(verdict(NOW + 60), Ok(TcbStatus::UpToDate));
    assert_eq!(verdict(NOW + 61), Err(Rejection::CollateralExpired));
}

#[test]
fn the_development_root_is_the_simulated_authoritys() {
    assert_eq!(phala_evidence::DEVELOPMENT_ROOT_DER, Pki::development().root.certificate);
}
