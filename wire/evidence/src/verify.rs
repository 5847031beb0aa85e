//! Verify: the one place where evidence and collateral become [`Verified`].

use crate::{
    certificate::{Certificate, is_signed, parse_pem},
    collateral::{Anchor, CollateralKey, CollateralStore, StoredCollateral, check_collateral_window},
    crl::Crl,
    identity::QeIdentity,
    pck::Platform,
    quote::{Body, Quote, TdReport},
    rejection::Rejection,
    report::{self, Report, TrustedRoot},
    tcb::{self, TcbInfo},
};
use core::ops::Deref;
use p256::ecdsa::VerifyingKey;
use phala_messages::{TcbStatus, Tee, collateral::Collateral};
use phala_units::UnixMillis;
use sha2::{Digest, Sha256};

/// Something that this module has verified. Nobody else can build one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Gives up the proof, to store the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Verifies one piece of collateral. `store` gives the root's revocation list, which must have been stored before any other piece.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_collateral<S: CollateralStore>(
    collateral: &Collateral,
    root: &TrustedRoot,
    store: &S,
    now: UnixMillis,
) -> Result<Verified<StoredCollateral>, Rejection> {
    crate::collateral::open(collateral, root, store, now).map(Verified)
}

/// Verifies a quote against a root and stored collateral.
///
/// Three P-256 signatures: root → authority was verified with the authority's revocation list (else a fourth); authority → PCK certificate;
/// PCK certificate → quoting enclave; quoting enclave → quote.
///
/// # Errors
/// The first rule that is broken, in the order of trust.
pub fn verify<S: CollateralStore>(
    quote: &[u8],
    root: &TrustedRoot,
    store: &S,
    now: UnixMillis,
) -> Result<Verified<Report>, Rejection> {
    let quote = Quote::parse(quote)?;
    let tee = quote.body.tee();
    let anchor = Anchor::open(root, now)?;
    let root_crl = anchor.crl(store, now)?;
    let mut valid_until = anchor.certificate.window.until.min(root_crl.window.until);

    let pck = verify_pck(&quote, &anchor, &root_crl, store, now)?;
    valid_until = valid_until.min(pck.valid_until);

    let identity = qe_identity(&anchor, tee, store)?;
    check_collateral_window(&identity.window, now)?;
    identity.signer.check(&root_crl, now)?;
    valid_until = valid_until.min(identity.window.until).min(identity.signer.window.until);
    let qe_status = verify_quoting_enclave(&quote, &pck.key, &identity)?;
    verify_quote_signature(&quote)?;

    let info = tcb_info(&anchor, tee, &pck.platform, store)?;
    check_collateral_window(&info.window, now)?;
    info.signer.check(&root_crl, now)?;
    valid_until = valid_until.min(info.window.until).min(info.signer.window.until);
    let tcb = judge_tcb(&info, &pck.platform, &quote.body, qe_status)?;
    check_attributes(&quote.body)?;

    let (measurement, report_data) = report::measure(&quote.body);
    Ok(Verified(Report {
        tee,
        root: anchor.root,
        tcb,
        measurement,
        report_data,
        fmspc: pck.platform.fmspc,
        tcb_evaluation_number: info.evaluation_number.min(identity.evaluation_number),
        valid_until,
        configuration: pck.platform.configuration,
    }))
}

struct Pck {
    platform: Platform,
    key: VerifyingKey,
    valid_until: UnixMillis,
}

/// Root → authority → PCK certificate, none of them revoked or out of time.
fn verify_pck<S: CollateralStore>(
    quote: &Quote<'_>,
    anchor: &Anchor<'_>,
    root_crl: &Crl,
    store: &S,
    now: UnixMillis,
) -> Result<Pck, Rejection> {
    let [leaf, authority, root] = parse_pem(quote.pck_chain)?;
    if root != anchor.certificate.der {
        return Err(Rejection::RootMismatch);
    }
    let authority = Certificate::parse(&authority)?;
    let leaf = Certificate::parse(&leaf)?;
    authority.check_role(true)?;
    leaf.check_role(false)?;
    authority.check_issuer(&anchor.certificate)?;
    leaf.check_issuer(&authority)?;
    authority.check_window(now)?;
    leaf.check_window(now)?;
    if root_crl.revokes(authority.serial) {
        return Err(Rejection::IntermediateRevoked);
    }
    let issuer = authority.authority_id();
    let pck_crl = match store.get(&CollateralKey::PckCrl { root: anchor.root, issuer }) {
        Some(StoredCollateral::PckCrl(crl)) if crl.root == anchor.root && crl.issuer == issuer => crl,
        Some(_) => return Err(Rejection::CollateralMismatch),
        None => return Err(Rejection::PckCrlMissing),
    };
    pck_crl.check_window(now)?;
    if pck_crl.revokes(leaf.serial) {
        return Err(Rejection::LeafRevoked);
    }
    if pck_crl.issuer_certificate != authority.hash() {
        authority.check_signature(&anchor.key)?;
    }
    leaf.check_signature(&authority.key()?)?;
    Ok(Pck {
        platform: leaf.sgx.and_then(Platform::parse).ok_or(Rejection::SgxExtension)?,
        key: leaf.key()?,
        valid_until: pck_crl.window.until.min(authority.window.until).min(leaf.window.until),
    })
}

/// PCK certificate → quoting enclave → attestation key.
fn verify_quoting_enclave(
    quote: &Quote<'_>,
    pck: &VerifyingKey,
    identity: &QeIdentity,
) -> Result<TcbStatus, Rejection> {
    if !is_signed(pck, quote.qe_report_bytes, quote.qe_report_signature) {
        return Err(Rejection::QeReportSignature);
    }
    let vouched: [u8; 32] =
        Sha256::new().chain_update(quote.attestation_key).chain_update(quote.qe_auth).finalize().into();
    if !quote.qe_report.report_data.starts_with(&vouched) {
        return Err(Rejection::QeReportData);
    }
    identity.judge(&quote.qe_report)
}

/// Attestation key → quote.
fn verify_quote_signature(quote: &Quote<'_>) -> Result<(), Rejection> {
    let mut point = [4; 65];
    for (to, from) in point.iter_mut().skip(1).zip(quote.attestation_key) {
        *to = *from;
    }
    let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| Rejection::AttestationKey)?;
    if is_signed(&key, quote.signed, quote.signature) { Ok(()) } else { Err(Rejection::QuoteSignature) }
}

fn qe_identity<S: CollateralStore>(anchor: &Anchor<'_>, tee: Tee, store: &S) -> Result<QeIdentity, Rejection> {
    match store.get(&CollateralKey::QeIdentity { root: anchor.root, tee }) {
        Some(StoredCollateral::QeIdentity(identity)) if identity.root == anchor.root && identity.tee == tee => {
            Ok(identity)
        }
        Some(_) => Err(Rejection::CollateralMismatch),
        None => Err(Rejection::QeIdentityMissing),
    }
}

fn tcb_info<S: CollateralStore>(
    anchor: &Anchor<'_>,
    tee: Tee,
    platform: &Platform,
    store: &S,
) -> Result<TcbInfo, Rejection> {
    let info = match store.get(&CollateralKey::TcbInfo { root: anchor.root, tee, fmspc: platform.fmspc }) {
        Some(StoredCollateral::TcbInfo(info))
            if info.root == anchor.root && info.tee == tee && info.fmspc == platform.fmspc =>
        {
            info
        }
        Some(_) => return Err(Rejection::CollateralMismatch),
        None => return Err(Rejection::TcbInfoMissing),
    };
    if info.pce_id == platform.pce_id { Ok(info) } else { Err(Rejection::PceMismatch) }
}

/// Status of platform, TDX module and quoting enclave together.
fn judge_tcb(info: &TcbInfo, platform: &Platform, body: &Body<'_>, qe: TcbStatus) -> Result<TcbStatus, Rejection> {
    let (launch, current) = match body {
        Body::Sgx(_) => (info.judge_sgx(platform)?, None),
        Body::Tdx(td) => info.judge_tdx(platform, td)?,
    };
    let launch = tcb::converge(launch, qe);
    let current = current.map(|status| tcb::converge(status, qe));
    if launch == TcbStatus::Revoked || current == Some(TcbStatus::Revoked) {
        return Err(Rejection::TcbRevoked);
    }
    Ok(current.map_or(launch, |current| tcb::relaunch(launch, current)))
}

const fn bit(n: u32) -> u64 {
    1 << n
}

const TD_DEBUG: u64 = bit(0);
const TD_PROFILING: u64 = bit(4) | bit(5) | bit(6);
const TD_SERVICE_TD_EXTENSION: u64 = bit(17);
const TD_SEPT_VE_DISABLE: u64 = bit(28);
const TD_MIGRATABLE: u64 = bit(29);
/// Bits with a meaning, TDX Module ABI specification, table "ATTRIBUTES definition"; all others must be zero.
const TD_DEFINED: u64 = bit(0) | (0x7f << 16) | TD_PROFILING | (0x1f << 27) | bit(62) | bit(63);

/// Refuses enclaves and machines into which somebody else can look or reach.
fn check_attributes(body: &Body<'_>) -> Result<(), Rejection> {
    match body {
        Body::Sgx(enclave) if enclave.debug() => Err(Rejection::Debug),
        Body::Sgx(_) => Ok(()),
        Body::Tdx(td) => check_td_attributes(td),
    }
}

fn check_td_attributes(td: &TdReport<'_>) -> Result<(), Rejection> {
    let TdReport { td_attributes, current, .. } = td;
    for (bits, rejection) in [
        (TD_DEBUG, Rejection::Debug),
        (TD_PROFILING, Rejection::Profiling),
        (!TD_DEFINED, Rejection::ReservedAttributes),
        (TD_MIGRATABLE, Rejection::Migratable),
        (TD_SERVICE_TD_EXTENSION, Rejection::ServiceTd),
    ] {
        if td_attributes & bits != 0 {
            return Err(rejection);
        }
    }
    if td_attributes & TD_SEPT_VE_DISABLE == 0 {
        return Err(Rejection::SeptVe);
    }
    if current.is_some_and(|current| current.mr_service_td.iter().any(|byte| *byte != 0)) {
        return Err(Rejection::ServiceTd);
    }
    Ok(())
}
