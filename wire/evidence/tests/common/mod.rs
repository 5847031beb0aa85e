//! What the tests of this crate share: samples signed by Intel, simulated machines, and both verdicts.
#![allow(dead_code, reason = "each test file uses its part")]

use dcap_qvl::{QuoteCollateralV3, configs::RustCryptoConfig, policy::QuotePolicy, verify::QuoteVerifier};
use phala_evidence::{
    CollateralKey, Rejection, Report, StoredCollateral, TrustedRoot, Verified, verify, verify_collateral,
};
use phala_messages::{TcbStatus, collateral::Collateral};
use phala_platform::simulated::{
    mint::{Machine, QuoteSpec, TdSpec},
    pki::Pki,
};
use phala_units::UnixMillis;
use std::{collections::BTreeMap, path::Path};

pub type Store = BTreeMap<CollateralKey, StoredCollateral>;

/// 2026-11-20, about.
pub const NOW: u64 = 1_795_000_000;
pub const DAY: u64 = 24 * 3_600;
pub const WINDOW: (u64, u64) = (NOW - DAY, NOW + 29 * DAY);

pub fn at(seconds: u64) -> UnixMillis {
    UnixMillis::from_seconds(seconds)
}

/// A quote, its collateral, and when it is judged.
#[derive(Clone)]
pub struct Case {
    pub quote: Vec<u8>,
    pub collateral: Vec<Collateral>,
    pub root: TrustedRoot,
    pub now: u64,
}

impl Case {
    /// A sample signed by Intel.
    pub fn intel(name: &str, now: u64) -> Self {
        let directory =
            Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/vectors/evidence");
        let quote = std::fs::read(directory.join(name)).unwrap();
        let text = std::fs::read_to_string(directory.join(format!("{name}_collateral.json"))).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let string = |field: &str| json[field].as_str().unwrap().to_owned();
        let text = |field: &str| string(field).into_bytes().try_into().unwrap();
        let bytes = |field: &str| hex::decode(string(field)).unwrap();
        let collateral = vec![
            Collateral::RootCrl { crl: bytes("root_ca_crl").try_into().unwrap() },
            Collateral::PckCrl {
                crl: bytes("pck_crl").try_into().unwrap(),
                issuer_chain: text("pck_crl_issuer_chain"),
            },
            Collateral::TcbInfo {
                json: text("tcb_info"),
                signature: bytes("tcb_info_signature").try_into().unwrap(),
                issuer_chain: text("tcb_info_issuer_chain"),
            },
            Collateral::QeIdentity {
                json: text("qe_identity"),
                signature: bytes("qe_identity_signature").try_into().unwrap(),
                issuer_chain: text("qe_identity_issuer_chain"),
            },
        ];
        Self { quote, collateral, root: TrustedRoot::intel(), now }
    }

    /// Every sample signed by Intel that is to be admitted.
    pub fn all_intel() -> Vec<(&'static str, Self)> {
        [("sgx_quote", 1_750_353_600), ("tdx_quote", 1_750_353_600), ("tdx_quote_td15ex", 1_791_436_800)]
            .map(|(name, now)| (name, Self::intel(name, now)))
            .to_vec()
    }

    /// A real TDX 1.5 machine that is older than every level Intel knows.
    pub fn intel_outdated() -> Self {
        Self::intel("tdx_quote_outdated", 1_771_900_000)
    }

    /// An honest simulated machine.
    pub fn simulated() -> Self {
        let pki = Pki::development();
        let machine = Machine::new(&pki, &[7; 32]);
        Self {
            quote: machine.quote(&QuoteSpec::tdx(&TdSpec::new([0xaa; 48], [0x55; 64]))),
            collateral: pki.collateral(WINDOW),
            root: TrustedRoot::insecure_development(),
            now: NOW,
        }
    }

    /// Stores every piece.
    pub fn store(&self) -> Result<Store, Rejection> {
        store(&self.collateral, &self.root, self.now)
    }

    /// Our verdict.
    pub fn verify(&self) -> Result<Verified<Report>, Rejection> {
        verify(&self.quote, &self.root, &self.store()?, at(self.now))
    }

    /// Our verdict against pieces stored before.
    pub fn verify_with(&self, store: &Store) -> Result<Verified<Report>, Rejection> {
        verify(&self.quote, &self.root, store, at(self.now))
    }

    /// dcap-qvl's verdict.
    pub fn oracle(&self) -> Result<TcbStatus, String> {
        oracle(self, &QuotePolicy::claims_only(self.now))
    }
}

pub fn store(collateral: &[Collateral], root: &TrustedRoot, now: u64) -> Result<Store, Rejection> {
    let mut store = Store::new();
    for piece in collateral {
        let stored = verify_collateral(piece, root, &store, at(now))?.into_inner();
        store.insert(stored.key(), stored);
    }
    Ok(store)
}

/// dcap-qvl's verdict under one of its policies, with the status in our words.
pub fn oracle(case: &Case, policy: &QuotePolicy) -> Result<TcbStatus, String> {
    let collateral = oracle_collateral(&case.collateral).ok_or("a text is not UTF-8")?;
    QuoteVerifier::<RustCryptoConfig>::new_with_config(case.root.certificate.clone())
        .verify_with_policy(&case.quote, collateral, case.now, policy)
        .map(|claims| status(claims.tcb.status))
        .map_err(|error| format!("{error:#}"))
}

pub fn oracle_collateral(pieces: &[Collateral]) -> Option<QuoteCollateralV3> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let mut out = QuoteCollateralV3 {
        pck_crl_issuer_chain: String::new(),
        root_ca_crl: Vec::new(),
        pck_crl: Vec::new(),
        tcb_info_issuer_chain: String::new(),
        tcb_info: String::new(),
        tcb_info_signature: Vec::new(),
        qe_identity_issuer_chain: String::new(),
        qe_identity: String::new(),
        qe_identity_signature: Vec::new(),
        pck_certificate_chain: None,
    };
    for piece in pieces {
        match piece {
            Collateral::RootCrl { crl } => out.root_ca_crl = crl.to_vec(),
            Collateral::PckCrl { crl, issuer_chain } => {
                out.pck_crl = crl.to_vec();
                out.pck_crl_issuer_chain = text(issuer_chain)?;
            }
            Collateral::TcbInfo { json, signature, issuer_chain } => {
                out.tcb_info = text(json)?;
                out.tcb_info_signature = signature.to_vec();
                out.tcb_info_issuer_chain = text(issuer_chain)?;
            }
            Collateral::QeIdentity { json, signature, issuer_chain } => {
                out.qe_identity = text(json)?;
                out.qe_identity_signature = signature.to_vec();
                out.qe_identity_issuer_chain = text(issuer_chain)?;
            }
        }
    }
    Some(out)
}

/// dcap-qvl's status in our words. It has two more, for TDX 1.5 machines that were started at an old level and updated in place; we say what they
/// were started with.
pub fn status(status: dcap_qvl::TcbStatus) -> TcbStatus {
    use dcap_qvl::TcbStatus as Theirs;
    match status {
        Theirs::UpToDate => TcbStatus::UpToDate,
        Theirs::SWHardeningNeeded => TcbStatus::SWHardeningNeeded,
        Theirs::ConfigurationNeeded => TcbStatus::ConfigurationNeeded,
        Theirs::ConfigurationAndSWHardeningNeeded => TcbStatus::ConfigurationAndSWHardeningNeeded,
        Theirs::OutOfDate | Theirs::TDRelaunchAdvised => TcbStatus::OutOfDate,
        Theirs::OutOfDateConfigurationNeeded | Theirs::TDRelaunchAdvisedConfigurationNeeded => {
            TcbStatus::OutOfDateConfigurationNeeded
        }
        Theirs::Revoked => TcbStatus::Revoked,
    }
}

/// Rules by which we refuse what dcap-qvl may accept, and why. Nothing else may differ.
pub const STRICTER: &[(Rejection, &str)] = &[
    (Rejection::QuoteTooLarge, "we bound what we parse"),
    (
        Rejection::QuoteTrailingBytes,
        "it ignores what follows the quote or a nested structure; we account for every byte",
    ),
    (Rejection::CertificationData, "it ignores the outer certification type"),
    (Rejection::ChainMalformed, "it reads PEM leniently, in any order and with certificates to spare"),
    (Rejection::RootMismatch, "it ignores the root that a chain shows"),
    (Rejection::CertificateExtension, "we refuse extensions that narrow a certificate; it evaluates them"),
    (
        Rejection::SgxExtension,
        "we require that TCB components equal CPUSVN, and every field once; it reads what it needs",
    ),
    (Rejection::PceMismatch, "it compares FMSPC and not PCEID"),
    (Rejection::CrlMalformed, "we refuse lists with a scope"),
    (Rejection::CollateralNotYetValid, "it does not read a list's thisUpdate"),
    (Rejection::TcbInfoMalformed, "it looks only at the levels that it visits"),
    (Rejection::TcbInfoKind, "we know version 3 and type 0, not later ones"),
    (Rejection::QeIdentityMalformed, "it looks only at the levels that it visits"),
    (Rejection::CertificateNotYetValid, "it does not ask when the root begins"),
];

/// Whether both verdicts agree as they must: what we accept, dcap-qvl accepts with the same status; what we refuse, it refuses, unless the rule is
/// one of [`STRICTER`].
pub fn agree(case: &Case) -> Result<Result<TcbStatus, Rejection>, String> {
    compare(case, case.verify().map(|report| report.tcb))
}

/// The same, with pieces stored before.
pub fn agree_with(case: &Case, store: &Store) -> Result<Result<TcbStatus, Rejection>, String> {
    compare(case, case.verify_with(store).map(|report| report.tcb))
}

fn compare(case: &Case, ours: Result<TcbStatus, Rejection>) -> Result<Result<TcbStatus, Rejection>, String> {
    let theirs = case.oracle();
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) if ours == theirs => {}
        (Err(_), Err(_)) => {}
        (Err(rejection), Ok(_)) if STRICTER.iter().any(|(rule, _)| rule == rejection) => {}
        _ => return Err(format!("ours: {ours:?}, dcap-qvl: {theirs:?}")),
    }
    Ok(ours)
}

/// A small generator of numbers: SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Changes bytes in one of the ways in which bytes go wrong.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let length = self.below(64.min(bytes.len() - at).max(1));
        match self.below(8) {
            0..=2 => bytes[at] ^= 1 << self.below(8),
            3 => bytes[at] = self.next() as u8,
            4 => bytes[at..at + length].fill(0),
            5 => bytes.truncate(at),
            6 => drop(bytes.drain(at..at + length)),
            _ => {
                let copy = bytes[at..at + length].to_vec();
                let to = self.below(bytes.len());
                bytes.splice(to..to, copy);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}
