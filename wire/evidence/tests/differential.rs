//! Our verdict and dcap-qvl's, side by side: on samples, on simulated evidence, and on thousands of seeded mutations of both.

mod common;

use common::{Case, DAY, NOW, Random, STRICTER, WINDOW, agree, at, oracle};
use dcap_qvl::policy::QuotePolicy;
use phala_evidence::{Policy, Rejection, TrustedRoot};
use phala_messages::{TcbStatus, collateral::Collateral};
use phala_platform::simulated::{
    mint::{Machine, QuoteSpec, TdSpec},
    pki::{Pki, PlatformSpec, qe_identity_json, tcb_info_json},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn check(case: &Case, what: impl Fn() -> String) -> Result<TcbStatus, Rejection> {
    agree(case).unwrap_or_else(|difference| panic!("{}: {difference}", what()))
}

fn cases() -> Vec<(&'static str, Case)> {
    let mut cases = Case::all_intel();
    cases.push(("simulated", Case::simulated()));
    cases
}

#[test]
fn verdicts_agree_on_every_sample() {
    for (name, case) in cases() {
        assert!(check(&case, || name.into()).is_ok(), "{name}");
    }
    assert_eq!(check(&Case::intel_outdated(), || "outdated".into()), Err(Rejection::TcbTooOld));
}

#[test]
fn verdicts_agree_on_mutated_quotes() {
    let mut random = Random(1);
    for (name, case) in cases() {
        for round in 0..250 {
            let mut mutant = case.clone();
            for _ in 0..=random.below(3) {
                random.mutate(&mut mutant.quote);
            }
            let _ = check(&mutant, || format!("{name}, round {round}"));
        }
    }
}

#[test]
fn verdicts_agree_on_mutated_collateral() {
    let mut random = Random(2);
    for (name, case) in cases() {
        for round in 0..250 {
            let mut mutant = case.clone();
            let index = random.below(mutant.collateral.len());
            mutate_piece(&mut mutant.collateral[index], &mut random);
            let _ = check(&mutant, || format!("{name}, round {round}, piece {index}"));
        }
    }
}

/// Changes any field but the chain of a PCK revocation list's issuer: dcap-qvl does not read that one, it takes the issuer from the quote.
fn mutate_piece(piece: &mut Collateral, random: &mut Random) {
    let field = match piece {
        Collateral::RootCrl { crl } | Collateral::PckCrl { crl, .. } => crl,
        Collateral::TcbInfo { json, signature, issuer_chain }
        | Collateral::QeIdentity { json, signature, issuer_chain } => match random.below(3) {
            0 => json,
            1 => issuer_chain,
            _ => {
                let at = random.below(64);
                signature[at] ^= 1 << random.below(8);
                return;
            }
        },
    };
    let mut bytes = field.to_vec();
    random.mutate(&mut bytes);
    *field = bytes.try_into().unwrap();
}

#[test]
fn verdicts_agree_on_collateral_signed_with_other_content() {
    let pki = Pki::development();
    let mut random = Random(3);
    let mut accepted = 0;
    for round in 0..600 {
        let mut case = Case::simulated();
        let tcb = random.below(2) == 0;
        let mut content = if tcb { tcb_info_json(WINDOW) } else { qe_identity_json(WINDOW) };
        for _ in 0..=random.below(2) {
            mutate_json(&mut content, &mut random);
        }
        let text = content.to_string();
        match tcb {
            true => case.collateral[2] = pki.tcb_info(&text),
            false => case.collateral[3] = pki.qe_identity(&text),
        }
        accepted += usize::from(check(&case, || format!("round {round}: {text}")).is_ok());
    }
    assert!(accepted > 50, "mutations are too wild to compare anything: {accepted}");
}

/// Changes one value somewhere.
fn mutate_json(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(map) => {
            let key = map.keys().nth(random.below(map.len())).unwrap().clone();
            match random.below(24) {
                0 => drop(map.remove(&key)),
                1 => drop(map.insert("surprise".into(), json!(1))),
                _ => mutate_json(map.get_mut(&key).unwrap(), random),
            }
        }
        Value::Array(list) if list.is_empty() => list.push(json!(1)),
        Value::Array(list) => {
            let at = random.below(list.len());
            match random.below(16) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => list.reverse(),
                _ => mutate_json(&mut list[at], random),
            }
        }
        Value::Number(number) => {
            let old = number.as_i64().unwrap();
            *value = match random.below(6) {
                0 => json!(old + 1),
                1 => json!(old - 1),
                2 => json!(0),
                3 => json!(255),
                4 => json!(70_000),
                _ => json!(old.to_string()),
            };
        }
        Value::String(text) => {
            let statuses = [
                "UpToDate",
                "OutOfDate",
                "Revoked",
                "SWHardeningNeeded",
                "ConfigurationNeeded",
                "ConfigurationAndSWHardeningNeeded",
                "OutOfDateConfigurationNeeded",
                "TDRelaunchAdvised",
            ];
            *text = if statuses.contains(&text.as_str()) {
                statuses[random.below(statuses.len())].into()
            } else {
                let mut bytes = text.clone().into_bytes();
                if let Some(byte) = {
                    let at = random.below(bytes.len());
                    bytes.get_mut(at)
                } {
                    *byte = b"0123456789ABCDEFabcdefTZ:-"[random.below(26)];
                }
                String::from_utf8(bytes).unwrap()
            };
        }
        Value::Bool(_) | Value::Null => *value = json!(1),
    }
}

#[test]
fn verdicts_agree_on_quotes_signed_with_other_content() {
    let pki = Pki::development();
    let mut random = Random(4);
    let mut accepted = 0;
    for round in 0..600 {
        let mut td = TdSpec::new([0xaa; 48], [0x55; 64]);
        let mut platform = PlatformSpec::default();
        let mut service = [0; 48];
        if random.below(2) == 0 {
            service[random.below(48)] = u8::from(random.below(4) == 0);
            td.current = Some((td.tee_tcb_svn, service));
        }
        let mut quoting = None;
        for _ in 0..=random.below(2) {
            match random.below(8) {
                0 => td.tee_tcb_svn[random.below(3)] = random.below(7) as u8,
                1 => td.attributes ^= 1 << random.below(64),
                2 => td.seam_attributes[random.below(8)] = random.below(2) as u8,
                3 => td.mr_signer_seam[random.below(48)] = random.below(2) as u8,
                4 => platform.cpu_svn = [random.below(7) as u8; 16],
                5 => platform.pce_svn = random.below(20) as u16,
                6 => {
                    if let Some((svn, _)) = &mut td.current {
                        svn[random.below(3)] = random.below(7) as u8;
                    }
                }
                _ => quoting = Some((random.below(6) as u16, random.below(4))),
            }
        }
        let machine = Machine::certified(&pki, &[7; 32], platform, |_| {});
        let mut spec = QuoteSpec::tdx(&td);
        if let Some((svn, change)) = quoting {
            spec.quoting.isv_svn = svn;
            match change {
                0 => spec.quoting.attributes[random.below(16)] ^= 1 << random.below(8),
                1 => spec.quoting.misc_select = random.below(2) as u32,
                2 => spec.quoting.isv_prod_id = 1 + random.below(2) as u16,
                _ => {}
            }
        }
        let case = Case { quote: machine.quote(&spec), ..Case::simulated() };
        accepted += usize::from(check(&case, || format!("round {round}: {spec:?}")).is_ok());
    }
    assert!(accepted > 50, "mutations are too wild to compare anything: {accepted}");
}

#[test]
fn verdicts_agree_at_every_edge_of_time() {
    let mut checked = 0;
    for (name, case) in cases() {
        for piece in case.store().unwrap().values() {
            let edge = piece.next_update().seconds();
            for now in [edge - 1, edge, edge + 1] {
                let _ = check(&Case { now, ..case.clone() }, || format!("{name} at {now}"));
                checked += 1;
            }
        }
        let until = case.verify().unwrap().valid_until.seconds();
        assert!(Case { now: until + 1, ..case.clone() }.verify().is_err());
    }
    assert_eq!(checked, 4 * 4 * 3);
}

#[test]
fn strict_policies_agree() {
    for (name, case) in cases() {
        let theirs = oracle(
            &case,
            &QuotePolicy::strict(case.now).allow_status(dcap_qvl::TcbStatus::SWHardeningNeeded).allow_smt(true),
        );
        let ours = case.verify().and_then(|report| Policy::strict().judge(&report));
        assert_eq!(ours.ok().map(|attested| attested.tcb), theirs.ok(), "{name}");
    }
}

/// Each difference that is allowed exists: we refuse by that rule, dcap-qvl accepts.
#[test]
fn where_we_are_stricter_it_is_on_purpose() {
    let pki = Pki::development();
    let honest = QuoteSpec::tdx(&TdSpec::new([0xaa; 48], [0x55; 64]));
    let case = Case::simulated;
    let quote = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut case = case();
        change(&mut case.quote);
        case
    };
    let piece = |index: usize, piece: Collateral| {
        let mut case = case();
        case.collateral[index] = piece;
        case
    };
    let chain = |change: &dyn Fn(&str) -> String| {
        let mut machine = Machine::new(&pki, &[7; 32]);
        machine.chain = change(&machine.chain);
        Case { quote: machine.quote(&honest), ..case() }
    };
    let certified = |platform: PlatformSpec, change: &dyn Fn(&mut Vec<u8>)| {
        let machine = Machine::certified(&pki, &[7; 32], platform, |spec| change(&mut spec.extensions[0].2));
        Case { quote: machine.quote(&honest), ..case() }
    };
    let extended = Machine::certified(&pki, &[7; 32], PlatformSpec::default(), |spec| {
        // serverAuth, which dcap-qvl's X.509 library happens to look for.
        spec.extensions.push(("2.5.29.37", false, hex::decode("300a06082b06010505070301").unwrap()));
    });
    let mut info = tcb_info_json(WINDOW);
    info["tcbLevels"][2]["tcbStatus"] = json!("TDRelaunchAdvised");
    let mut later = tcb_info_json(WINDOW);
    later["version"] = json!(4);
    let mut identity = qe_identity_json(WINDOW);
    identity["tcbLevels"][1]["tcbDate"] = json!("last year");
    let allowed = [
        (Rejection::QuoteTooLarge, quote(&|quote| quote.resize(17_000, 0))),
        (Rejection::QuoteTrailingBytes, quote(&|quote| quote.push(1))),
        (Rejection::CertificationData, quote(&|quote| quote[48 + 584 + 4 + 128] = 7)),
        (Rejection::ChainMalformed, chain(&|chain| format!("a comment\n{chain}"))),
        (
            Rejection::ChainMalformed,
            chain(&|chain| {
                let end = "-----END CERTIFICATE-----\n";
                chain.split_inclusive(end).take(2).collect()
            }),
        ),
        (
            Rejection::RootMismatch,
            chain(&|chain| {
                let end = "-----END CERTIFICATE-----\n";
                let other = phala_platform::simulated::pki::pem(phala_evidence::INTEL_ROOT_DER);
                chain.split_inclusive(end).take(2).collect::<String>() + &other
            }),
        ),
        (Rejection::CertificateExtension, Case { quote: extended.quote(&honest), ..case() }),
        // Component 1 is raised; CPUSVN says what it said.
        (Rejection::SgxExtension, certified(PlatformSpec::default(), &raise_component)),
        (Rejection::PceMismatch, certified(PlatformSpec { pce_id: [1, 0], ..PlatformSpec::default() }, &|_| {})),
        (Rejection::CrlMalformed, piece(0, Collateral::RootCrl { crl: scoped_crl(&pki).try_into().unwrap() })),
        (Rejection::CollateralNotYetValid, piece(0, pki.root_crl((NOW + DAY, NOW + 2 * DAY), &[]))),
        (Rejection::TcbInfoMalformed, piece(2, pki.tcb_info(&info.to_string()))),
        (Rejection::TcbInfoKind, piece(2, pki.tcb_info(&later.to_string()))),
        (Rejection::QeIdentityMalformed, piece(3, pki.qe_identity(&identity.to_string()))),
        (Rejection::CertificateNotYetValid, young_root()),
    ];
    for (rejection, case) in &allowed {
        assert_eq!(case.verify().unwrap_err(), *rejection);
        let theirs = case.oracle();
        assert!(theirs.is_ok(), "{rejection:?}: dcap-qvl refuses too: {theirs:?}");
    }
    let shown: BTreeSet<_> = allowed.iter().map(|(rejection, _)| *rejection).collect();
    let listed: BTreeSet<_> = STRICTER.iter().map(|(rejection, _)| *rejection).collect();
    assert_eq!(shown, listed);
}

/// Raises the first TCB component inside an SGX extension.
fn raise_component(extension: &mut Vec<u8>) {
    let first = hex::decode("060b2a864886f84d010d010201").unwrap();
    let found = extension.windows(first.len()).position(|window| window == first).unwrap();
    // INTEGER, one byte.
    extension[found + first.len() + 2] += 1;
}

/// A root's revocation list that is limited to one distribution point.
fn scoped_crl(pki: &Pki) -> Vec<u8> {
    use phala_platform::simulated::{
        asn1::{context, field, integer, name, octets, oid, sequence, time},
        pki::signed,
    };
    let uri = field(0x86, &[b"http://example.invalid/crl"]);
    let point = sequence(&[&field(context(0), &[&field(context(0), &[&uri])])]);
    let content = sequence(&[
        &integer(&[1]),
        &sequence(&[&oid("1.2.840.10045.4.3.2")]),
        &name(&pki.root.name),
        &time(WINDOW.0),
        &time(WINDOW.1),
        &field(
            context(0),
            &[&sequence(&[
                &sequence(&[&oid("2.5.29.20"), &octets(&integer(&[1]))]),
                &sequence(&[&oid("2.5.29.28"), &octets(&point)]),
            ])],
        ),
    ]);
    signed(&content, &pki.root.key)
}

/// Evidence under a root that begins tomorrow.
fn young_root() -> Case {
    use phala_platform::simulated::pki::CertificateSpec;
    let mut pki = Pki::new(&[9; 32]);
    let mut spec = CertificateSpec::new(&pki.root.name, &pki.root.name, true);
    spec.window.0 = NOW + DAY;
    pki.root.certificate = spec.sign(&pki.root.key, &pki.root.key);
    let machine = Machine::new(&pki, &[7; 32]);
    Case {
        quote: machine.quote(&QuoteSpec::tdx(&TdSpec::new([0xaa; 48], [0x55; 64]))),
        collateral: pki.collateral(WINDOW),
        root: TrustedRoot { certificate: pki.root.certificate, ..TrustedRoot::insecure_development() },
        now: at(NOW).seconds(),
    }
}
