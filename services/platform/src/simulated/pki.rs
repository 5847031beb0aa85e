//! The development certificate authority: the shape of Intel's, under a root whose private key everybody has.
//!
//! ```text
//! seed (public) ─► root ─┬─► PCK authority ─► PCK certificate of a machine ─► quoting enclave ─► quote
//!                        └─► TCB signer    ─► TCB info, QE identity
//! ```
//! Everything is deterministic: the same seed gives the same bytes, so the root can be compiled into the chain.

use super::asn1::{
    bits, boolean, context, enumerated, field, flags, integer, iso_time, name, octets, oid, sequence, time,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use phala_messages::collateral::{Collateral, CollateralBytes};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The seed of the development root. It is public on purpose: a simulation must not look as if it kept a secret.
pub const DEVELOPMENT_SEED: [u8; 32] = *b"phala simulation keeps no secret";
/// 2025-01-01: when the development authorities begin.
const BEGIN: u64 = 1_735_689_600;
/// 2049-12-31: when they end.
const END: u64 = 2_524_521_600;
/// The family of simulated platforms: "PHSIM" and a zero.
pub const FMSPC: [u8; 6] = *b"PHSIM\0";
/// The provisioning certification enclave of simulated platforms.
pub const PCE_ID: [u8; 2] = [0, 0];
/// Signer of the simulated TDX module: zero, as Intel's own.
pub const TDX_MODULE_SIGNER: [u8; 48] = [0; 48];
/// SVN of every TCB component of a simulated platform that is up to date.
pub const SVN: u8 = 5;
/// SVN of the simulated provisioning certification enclave.
pub const PCE_SVN: u16 = 13;
/// SVN of the simulated quoting enclave.
pub const QE_SVN: u16 = 4;
/// Product number of the TDX quoting enclave.
pub const QE_PRODUCT: u16 = 2;
/// Evaluation number of the simulated TCB data.
pub const EVALUATION_NUMBER: u32 = 20;

const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const SGX: &str = "1.2.840.113741.1.13.1";

/// Signer of the simulated quoting enclave.
pub fn qe_signer() -> [u8; 32] {
    Sha256::digest(b"phala simulated quoting enclave").into()
}

/// A P-256 key from a seed and a name.
pub fn key(seed: &[u8], name: &str) -> SigningKey {
    (0u32..)
        .find_map(|attempt| {
            let candidate = Sha256::new()
                .chain_update(b"phala simulated key")
                .chain_update(attempt.to_le_bytes())
                .chain_update(seed)
                .chain_update(name)
                .finalize();
            SigningKey::from_slice(&candidate).ok()
        })
        .expect("one hash in 2^32 is no scalar; not all of them")
}

/// `r ‖ s` over a message.
pub fn sign(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    let signature: Signature = key.sign(message);
    signature.to_bytes().into()
}

/// `x ‖ y` of a key.
pub fn point(key: &SigningKey) -> [u8; 64] {
    let point = key.verifying_key().to_sec1_point(false);
    point.as_bytes()[1..].try_into().expect("an uncompressed point is a tag and two coordinates of 32 bytes")
}

/// What a certificate says. Fields are open, so that tests can forge.
#[derive(Clone, Debug)]
pub struct CertificateSpec {
    /// Common name of the issuer.
    pub issuer: String,
    /// Common name of the subject.
    pub subject: String,
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// First and last second of its life.
    pub window: (u64, u64),
    /// Whether it is an authority's.
    pub authority: bool,
    /// Further extensions: identifier, critical, content.
    pub extensions: Vec<(&'static str, bool, Vec<u8>)>,
}

impl CertificateSpec {
    /// A certificate of the development authority's usual life, its serial number a hash of its subject.
    pub fn new(issuer: &str, subject: &str, authority: bool) -> Self {
        let mut serial = Sha256::digest(subject)[..20].to_vec();
        // A serial number is positive and has one form.
        serial[0] = serial[0] & 0x7f | 0x40;
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            serial,
            window: (BEGIN, END),
            authority,
            extensions: Vec::new(),
        }
    }

    /// The certificate, DER.
    pub fn sign(&self, subject_key: &SigningKey, issuer_key: &SigningKey) -> Vec<u8> {
        let extension = |id: &str, critical: bool, content: &[u8]| match critical {
            true => sequence(&[&oid(id), &boolean(true), &octets(content)]),
            false => sequence(&[&oid(id), &octets(content)]),
        };
        // KeyUsage: keyCertSign and cRLSign, or digitalSignature and nonRepudiation.
        let usage = if self.authority { flags(1, 0x06) } else { flags(6, 0xc0) };
        let constraints = if self.authority { sequence(&[&boolean(true)]) } else { sequence(&[]) };
        let mut extensions = vec![extension("2.5.29.15", true, &usage), extension("2.5.29.19", true, &constraints)];
        extensions.extend(self.extensions.iter().map(|(id, critical, content)| extension(id, *critical, content)));
        let mut public = vec![4];
        public.extend_from_slice(&point(subject_key));
        let content = sequence(&[
            &field(context(0), &[&integer(&[2])]),
            &integer(&self.serial),
            &algorithm(),
            &name(&self.issuer),
            &sequence(&[&time(self.window.0), &time(self.window.1)]),
            &name(&self.subject),
            &sequence(&[&sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]), &bits(&public)]),
            &field(context(3), &[&sequence(&extensions.iter().map(Vec::as_slice).collect::<Vec<_>>())]),
        ]);
        signed(&content, issuer_key)
    }
}

fn algorithm() -> Vec<u8> {
    sequence(&[&oid(ECDSA_WITH_SHA256)])
}

/// `SEQUENCE { content, algorithm, signature }`.
pub fn signed(content: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature: Signature = key.sign(content);
    sequence(&[content, &algorithm(), &bits(signature.to_der().as_bytes())])
}

/// A certificate in PEM.
pub fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// What a PCK certificate says of its platform. Fields are open, so that tests can forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformSpec {
    /// Family.
    pub fmspc: [u8; 6],
    /// Provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// TCB components.
    pub cpu_svn: [u8; 16],
    /// SVN of the provisioning certification enclave.
    pub pce_svn: u16,
    /// Dynamic platform, cached keys, hyper-threading.
    pub configuration: Option<[bool; 3]>,
}

impl Default for PlatformSpec {
    fn default() -> Self {
        Self { fmspc: FMSPC, pce_id: PCE_ID, cpu_svn: [SVN; 16], pce_svn: PCE_SVN, configuration: Some([false; 3]) }
    }
}

impl PlatformSpec {
    /// The SGX extension's content.
    pub fn extension(&self, ppid: &[u8; 16]) -> Vec<u8> {
        let entry = |path: &str, value: &[u8]| sequence(&[&oid(&format!("{SGX}.{path}")), value]);
        let list = |entries: &[Vec<u8>]| sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut tcb: Vec<_> = (1..)
            .zip(self.cpu_svn)
            .map(|(number, svn): (u8, u8)| entry(&format!("2.{number}"), &integer(&[svn])))
            .collect();
        tcb.push(entry("2.17", &integer(&self.pce_svn.to_be_bytes())));
        tcb.push(entry("2.18", &octets(&self.cpu_svn)));
        let mut all = vec![
            entry("1", &octets(ppid)),
            entry("2", &list(&tcb)),
            entry("3", &octets(&self.pce_id)),
            entry("4", &octets(&self.fmspc)),
            entry("5", &enumerated(1)),
        ];
        if let Some(flags) = self.configuration {
            all.push(entry("6", &octets(ppid)));
            let flags: Vec<_> =
                (1..).zip(flags).map(|(n, flag): (u8, bool)| entry(&format!("7.{n}"), &boolean(flag))).collect();
            all.push(entry("7", &list(&flags)));
        }
        list(&all)
    }
}

/// An authority: its name, key and certificate.
#[derive(Clone)]
pub struct Authority {
    /// Common name.
    pub name: String,
    /// Private key.
    pub key: SigningKey,
    /// DER.
    pub certificate: Vec<u8>,
}

impl Authority {
    fn new(seed: &[u8], issuer: Option<&Authority>, name: &str, authority: bool) -> Self {
        let key = key(seed, name);
        let spec = CertificateSpec::new(issuer.map_or(name, |issuer| &issuer.name), name, authority);
        let certificate = spec.sign(&key, issuer.map_or(&key, |issuer| &issuer.key));
        Self { name: name.into(), key, certificate }
    }

    /// A revocation list, DER.
    pub fn crl(&self, number: u32, window: (u64, u64), revoked: &[Vec<u8>]) -> Vec<u8> {
        let extension = |id: &str, content: &[u8]| sequence(&[&oid(id), &octets(content)]);
        let entries: Vec<Vec<u8>> =
            revoked.iter().map(|serial| sequence(&[&integer(serial), &time(window.0)])).collect();
        let list = match entries.as_slice() {
            [] => Vec::new(),
            entries => sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        };
        let content = sequence(&[
            &integer(&[1]),
            &algorithm(),
            &name(&self.name),
            &time(window.0),
            &time(window.1),
            &list,
            &field(context(0), &[&sequence(&[&extension("2.5.29.20", &integer(&number.to_be_bytes()))])]),
        ]);
        signed(&content, &self.key)
    }
}

/// The whole authority.
#[derive(Clone)]
pub struct Pki {
    /// Self-signed.
    pub root: Authority,
    /// Certifies machines.
    pub intermediate: Authority,
    /// Signs TCB info and QE identity.
    pub signer: Authority,
}

impl Pki {
    /// The authority of all simulated networks.
    pub fn development() -> Self {
        Self::new(&DEVELOPMENT_SEED)
    }

    /// Another authority, which no network trusts.
    pub fn new(seed: &[u8; 32]) -> Self {
        let root = Authority::new(seed, None, "Phala DEVELOPMENT root, keeps no secret", true);
        let intermediate = Authority::new(seed, Some(&root), "Phala simulated PCK Platform CA", true);
        let signer = Authority::new(seed, Some(&root), "Phala simulated TCB signing", false);
        Self { root, intermediate, signer }
    }

    /// The chain of a certificate issued by the root, PEM.
    pub fn chain(&self, certificate: &[u8]) -> String {
        pem(certificate) + &pem(&self.root.certificate)
    }

    /// The root's revocation list.
    pub fn root_crl(&self, window: (u64, u64), revoked: &[Vec<u8>]) -> Collateral {
        Collateral::RootCrl { crl: bytes(&self.root.crl(1, window, revoked)) }
    }

    /// The PCK authority's revocation list.
    pub fn pck_crl(&self, window: (u64, u64), revoked: &[Vec<u8>]) -> Collateral {
        Collateral::PckCrl {
            crl: bytes(&self.intermediate.crl(1, window, revoked)),
            issuer_chain: bytes(self.chain(&self.intermediate.certificate).as_bytes()),
        }
    }

    /// Signs TCB info.
    pub fn tcb_info(&self, json: &str) -> Collateral {
        Collateral::TcbInfo {
            json: bytes(json.as_bytes()),
            signature: sign(&self.signer.key, json.as_bytes()),
            issuer_chain: bytes(self.chain(&self.signer.certificate).as_bytes()),
        }
    }

    /// Signs QE identity.
    pub fn qe_identity(&self, json: &str) -> Collateral {
        Collateral::QeIdentity {
            json: bytes(json.as_bytes()),
            signature: sign(&self.signer.key, json.as_bytes()),
            issuer_chain: bytes(self.chain(&self.signer.certificate).as_bytes()),
        }
    }

    /// Everything that a simulated TDX machine needs to be admitted, in the order in which it must be stored.
    pub fn collateral(&self, window: (u64, u64)) -> Vec<Collateral> {
        vec![
            self.root_crl(window, &[]),
            self.pck_crl(window, &[]),
            self.tcb_info(&tcb_info_json(window).to_string()),
            self.qe_identity(&qe_identity_json(window).to_string()),
        ]
    }
}

/// Longer than any collateral may be is a mistake in the caller's forgery.
fn bytes(bytes: &[u8]) -> CollateralBytes {
    bytes.to_vec().try_into().expect("simulated collateral is a few kilobytes")
}

/// TCB info of simulated platforms: up to date, out of date, revoked.
pub fn tcb_info_json(window: (u64, u64)) -> Value {
    let level = |svn: u8, pce_svn: u16, date: &str, status: &str| {
        json!({
            "tcb": {
                "sgxtcbcomponents": vec![json!({"svn": svn}); 16],
                "pcesvn": pce_svn,
                "tdxtcbcomponents": vec![json!({"svn": svn}); 16],
            },
            "tcbDate": date,
            "tcbStatus": status,
            "advisoryIDs": ["SIMULATED"],
        })
    };
    let module = json!({
        "mrsigner": hex::encode_upper(TDX_MODULE_SIGNER),
        "attributes": "0000000000000000",
        "attributesMask": "FFFFFFFFFFFFFFFF",
    });
    let mut version = module.clone();
    version["id"] = json!("TDX_01");
    version["tcbLevels"] = json!([
        {"tcb": {"isvsvn": SVN}, "tcbDate": "2025-03-13T00:00:00Z", "tcbStatus": "UpToDate"},
        {"tcb": {"isvsvn": 2}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": "OutOfDate"},
    ]);
    json!({
        "id": "TDX",
        "version": 3,
        "issueDate": iso_time(window.0),
        "nextUpdate": iso_time(window.1),
        "fmspc": hex::encode_upper(FMSPC),
        "pceId": hex::encode_upper(PCE_ID),
        "tcbType": 0,
        "tcbEvaluationDataNumber": EVALUATION_NUMBER,
        "tdxModule": module,
        "tdxModuleIdentities": [version],
        "tcbLevels": [
            level(SVN, PCE_SVN, "2025-03-13T00:00:00Z", "UpToDate"),
            level(3, 11, "2024-03-13T00:00:00Z", "OutOfDate"),
            level(2, 5, "2023-03-13T00:00:00Z", "Revoked"),
        ],
    })
}

/// Identity of the simulated quoting enclave.
pub fn qe_identity_json(window: (u64, u64)) -> Value {
    json!({
        "id": "TD_QE",
        "version": 2,
        "issueDate": iso_time(window.0),
        "nextUpdate": iso_time(window.1),
        "tcbEvaluationDataNumber": EVALUATION_NUMBER,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": hex::encode_upper(qe_signer()),
        "isvprodid": QE_PRODUCT,
        "tcbLevels": [
            {"tcb": {"isvsvn": QE_SVN}, "tcbDate": "2025-03-13T00:00:00Z", "tcbStatus": "UpToDate"},
            {"tcb": {"isvsvn": 2}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": "OutOfDate"},
        ],
    })
}
