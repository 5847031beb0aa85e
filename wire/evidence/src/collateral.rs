//! Collateral: verified once, when it is stored, and kept in the form that admission reads.
//!
//! ```text
//! anyone ── Collateral (signed by Intel) ──► verify_collateral ──► Verified<StoredCollateral> ──► the chain's state
//!                                                                                                     │ get(key)
//! worker ── quote ─────────────────────────► verify ◄─────────────────────────────────────────────────┘
//! ```
//! Order matters: a root's revocation list first, since every other piece is checked against it.
//!
//! # Properties
//! - What is stored under a key was signed by an issuer that chains to the key's root.
//! - A piece never replaces a newer one ([`StoredCollateral::newer_than`]).
//! - A signer revoked after its piece was stored is refused at admission: pieces remember their signer.

use crate::{
    certificate::{Certificate, Window, is_signed, parse_pem},
    crl::{Crl, ParsedCrl},
    identity::{self, QeIdentity},
    rejection::Rejection,
    report::TrustedRoot,
    tcb::{self, TcbInfo},
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use p256::ecdsa::VerifyingKey;
use phala_messages::{Hash, Root, Tee, collateral::Collateral};
use phala_units::UnixMillis;
use scale_info::TypeInfo;

/// Which piece of collateral.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum CollateralKey {
    /// The revocation list of a root.
    #[codec(index = 0)]
    RootCrl {
        /// Whose.
        root: Root,
    },
    /// The revocation list of an authority that certifies machines.
    #[codec(index = 1)]
    PckCrl {
        /// Under which root.
        root: Root,
        /// SHA-256 of the authority's name and public key.
        issuer: Hash,
    },
    /// TCB levels of a family of platforms.
    #[codec(index = 2)]
    TcbInfo {
        /// Under which root.
        root: Root,
        /// For which technology.
        tee: Tee,
        /// Which family.
        fmspc: [u8; 6],
    },
    /// Identity of a technology's quoting enclave.
    #[codec(index = 3)]
    QeIdentity {
        /// Under which root.
        root: Root,
        /// Which technology.
        tee: Tee,
    },
}

/// A piece of collateral, verified and parsed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum StoredCollateral {
    /// The revocation list of a root.
    #[codec(index = 0)]
    RootCrl(Crl),
    /// The revocation list of an authority that certifies machines.
    #[codec(index = 1)]
    PckCrl(Crl),
    /// TCB levels of a family of platforms.
    #[codec(index = 2)]
    TcbInfo(TcbInfo),
    /// Identity of a technology's quoting enclave.
    #[codec(index = 3)]
    QeIdentity(QeIdentity),
}

impl StoredCollateral {
    /// Under which key it is stored.
    pub const fn key(&self) -> CollateralKey {
        match self {
            Self::RootCrl(crl) => CollateralKey::RootCrl { root: crl.root },
            Self::PckCrl(crl) => CollateralKey::PckCrl { root: crl.root, issuer: crl.issuer },
            Self::TcbInfo(info) => CollateralKey::TcbInfo { root: info.root, tee: info.tee, fmspc: info.fmspc },
            Self::QeIdentity(identity) => CollateralKey::QeIdentity { root: identity.root, tee: identity.tee },
        }
    }

    /// Whether it replaces `other`: a later list; TCB info and QE identity with a higher evaluation number, then a later date. Intel issues
    /// old evaluation numbers with new dates for a while, so the number decides first.
    pub fn newer_than(&self, other: &Self) -> bool {
        self.key() == other.key() && self.age() > other.age()
    }

    const fn age(&self) -> (u32, UnixMillis, u32) {
        match self {
            Self::RootCrl(crl) | Self::PckCrl(crl) => (0, crl.window.from, crl.number),
            Self::TcbInfo(info) => (info.evaluation_number, info.window.from, 0),
            Self::QeIdentity(identity) => (identity.evaluation_number, identity.window.from, 0),
        }
    }

    /// Until when it may be used; a newer piece is published before.
    pub const fn next_update(&self) -> UnixMillis {
        match self {
            Self::RootCrl(crl) | Self::PckCrl(crl) => crl.window.until,
            Self::TcbInfo(info) => info.window.until,
            Self::QeIdentity(identity) => identity.window.until,
        }
    }
}

/// Where verified collateral is found: the chain's state.
pub trait CollateralStore {
    /// The piece stored under a key.
    fn get(&self, key: &CollateralKey) -> Option<StoredCollateral>;
}

impl CollateralStore for BTreeMap<CollateralKey, StoredCollateral> {
    fn get(&self, key: &CollateralKey) -> Option<StoredCollateral> {
        BTreeMap::get(self, key).cloned()
    }
}

/// Who signed TCB info or QE identity.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub(crate) struct Signer {
    pub(crate) serial: Vec<u8>,
    pub(crate) window: Window,
}

impl Signer {
    /// A signer was verified when its piece was stored; time has passed since.
    pub(crate) fn check(&self, root_crl: &Crl, now: UnixMillis) -> Result<(), Rejection> {
        self.window.check(now, Rejection::CertificateNotYetValid, Rejection::CertificateExpired)?;
        if root_crl.revokes(&self.serial) { Err(Rejection::SignerRevoked) } else { Ok(()) }
    }
}

/// The trusted root, parsed.
pub(crate) struct Anchor<'a> {
    pub(crate) root: Root,
    pub(crate) certificate: Certificate<'a>,
    pub(crate) key: VerifyingKey,
}

impl<'a> Anchor<'a> {
    /// # Errors
    /// The root is configured, not received, so its form is one rule; its time is checked as any certificate's.
    pub(crate) fn open(trusted: &'a TrustedRoot, now: UnixMillis) -> Result<Self, Rejection> {
        let certificate = Certificate::parse(&trusted.certificate).map_err(|_| Rejection::RootMalformed)?;
        certificate.check_role(true).map_err(|_| Rejection::RootMalformed)?;
        certificate.check_issuer(&certificate).map_err(|_| Rejection::RootMalformed)?;
        certificate.check_window(now)?;
        let key = certificate.key().map_err(|_| Rejection::RootMalformed)?;
        Ok(Self { root: trusted.root, certificate, key })
    }

    /// The root's revocation list, current, with the root itself not on it.
    pub(crate) fn crl<S: CollateralStore>(&self, store: &S, now: UnixMillis) -> Result<Crl, Rejection> {
        let Some(stored) = store.get(&CollateralKey::RootCrl { root: self.root }) else {
            return Err(Rejection::RootCrlMissing);
        };
        match stored {
            StoredCollateral::RootCrl(crl)
                if crl.root == self.root && crl.issuer == self.certificate.authority_id() =>
            {
                self.check_crl(&crl, now)?;
                Ok(crl)
            }
            _ => Err(Rejection::CollateralMismatch),
        }
    }

    fn check_crl(&self, crl: &Crl, now: UnixMillis) -> Result<(), Rejection> {
        crl.check_window(now)?;
        if crl.revokes(self.certificate.serial) { Err(Rejection::RootRevoked) } else { Ok(()) }
    }

    /// A certificate issued directly by the root, from a chain of exactly two.
    fn issued<'c>(
        &self,
        chain: &'c [Vec<u8>; 2],
        authority: bool,
        root_crl: &Crl,
        now: UnixMillis,
    ) -> Result<Certificate<'c>, Rejection> {
        let [certificate, root] = chain;
        if root != self.certificate.der {
            return Err(Rejection::RootMismatch);
        }
        let certificate = Certificate::parse(certificate)?;
        certificate.check_role(authority)?;
        certificate.check_issuer(&self.certificate)?;
        certificate.check_window(now)?;
        certificate.check_signature(&self.key)?;
        let revoked = if authority { Rejection::IntermediateRevoked } else { Rejection::SignerRevoked };
        if root_crl.revokes(certificate.serial) { Err(revoked) } else { Ok(certificate) }
    }

    fn signed<S: CollateralStore>(
        &self,
        json: &[u8],
        signature: &[u8; 64],
        issuer_chain: &[u8],
        store: &S,
        now: UnixMillis,
    ) -> Result<Signer, Rejection> {
        let root_crl = self.crl(store, now)?;
        let chain = parse_pem(issuer_chain)?;
        let signer = self.issued(&chain, false, &root_crl, now)?;
        if !is_signed(&signer.key()?, json, signature) {
            return Err(Rejection::CollateralSignature);
        }
        Ok(Signer { serial: signer.serial.to_vec(), window: signer.window })
    }
}

/// Everything that [`verify_collateral`](crate::verify_collateral) checks.
pub(crate) fn open<S: CollateralStore>(
    collateral: &Collateral,
    trusted: &TrustedRoot,
    store: &S,
    now: UnixMillis,
) -> Result<StoredCollateral, Rejection> {
    let anchor = Anchor::open(trusted, now)?;
    match collateral {
        Collateral::RootCrl { crl } => {
            let parsed = ParsedCrl::parse(crl)?;
            let crl = verify_crl(parsed, &anchor.certificate, &anchor.key, anchor.root, now)?;
            anchor.check_crl(&crl, now)?;
            Ok(StoredCollateral::RootCrl(crl))
        }
        Collateral::PckCrl { crl, issuer_chain } => {
            let root_crl = anchor.crl(store, now)?;
            let chain = parse_pem(issuer_chain)?;
            let issuer = anchor.issued(&chain, true, &root_crl, now)?;
            let parsed = ParsedCrl::parse(crl)?;
            verify_crl(parsed, &issuer, &issuer.key()?, anchor.root, now).map(StoredCollateral::PckCrl)
        }
        Collateral::TcbInfo { json, signature, issuer_chain } => {
            let signer = anchor.signed(json, signature, issuer_chain, store, now)?;
            let info = tcb::parse(json, anchor.root, signer)?;
            check_collateral_window(&info.window, now)?;
            Ok(StoredCollateral::TcbInfo(info))
        }
        Collateral::QeIdentity { json, signature, issuer_chain } => {
            let signer = anchor.signed(json, signature, issuer_chain, store, now)?;
            let identity = identity::parse(json, anchor.root, signer)?;
            check_collateral_window(&identity.window, now)?;
            Ok(StoredCollateral::QeIdentity(identity))
        }
    }
}

pub(crate) fn check_collateral_window(window: &Window, now: UnixMillis) -> Result<(), Rejection> {
    window.check(now, Rejection::CollateralNotYetValid, Rejection::CollateralExpired)
}

fn verify_crl(
    parsed: ParsedCrl<'_>,
    issuer: &Certificate<'_>,
    key: &VerifyingKey,
    root: Root,
    now: UnixMillis,
) -> Result<Crl, Rejection> {
    if parsed.issuer != issuer.subject {
        return Err(Rejection::CrlIssuer);
    }
    parsed.check_signature(key)?;
    let crl = Crl {
        root,
        issuer: issuer.authority_id(),
        issuer_certificate: issuer.hash(),
        number: parsed.number,
        window: parsed.window,
        revoked: parsed.revoked,
    };
    crl.check_window(now)?;
    Ok(crl)
}
