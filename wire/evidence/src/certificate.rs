//! X.509 certificates as Intel issues them: P-256, SHA-256, one authority between leaf and root.
//!
//! Parsed without copying, and only what is needed; what is not understood is refused.
//!
//! # Source
//! RFC 5280; Intel SGX PCK Certificate and CRL Profile Specification.

use crate::rejection::Rejection;
use alloc::vec::Vec;
use base64::{Engine, engine::general_purpose::STANDARD};
use codec::{Decode, DecodeWithMemTracking, Encode};
use const_oid::ObjectIdentifier;
use der::{
    Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
    asn1::{AnyRef, BitStringRef, GeneralizedTime, UtcTime},
};
use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use phala_messages::Hash;
use phala_units::UnixMillis;
use scale_info::TypeInfo;
use sha2::{Digest, Sha256};

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SGX_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");

/// Bits of KeyUsage, counted from the first.
const KEY_CERT_SIGN: usize = 5;
const CRL_SIGN: usize = 6;

/// The fields of a DER structure, one after the other. `None` means malformed.
#[derive(Clone)]
pub(crate) struct Fields<'a>(SliceReader<'a>);

impl<'a> Fields<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        SliceReader::new(bytes).ok().map(Self)
    }

    pub(crate) fn decode<T: der::Decode<'a>>(&mut self) -> Option<T> {
        self.0.decode().ok()
    }

    /// Content of the next field, which must have this tag.
    pub(crate) fn value(&mut self, tag: Tag) -> Option<&'a [u8]> {
        let any: AnyRef<'a> = self.decode()?;
        (any.tag() == tag).then(|| any.value())
    }

    /// The next field, with its tag and length.
    pub(crate) fn whole(&mut self) -> Option<&'a [u8]> {
        self.0.tlv_bytes().ok()
    }

    /// The next field, with its tag and length; it must be a sequence.
    pub(crate) fn whole_sequence(&mut self) -> Option<&'a [u8]> {
        if self.peek() == Some(Tag::Sequence) { self.whole() } else { None }
    }

    pub(crate) fn sequence(&mut self) -> Option<Self> {
        Self::of(self.value(Tag::Sequence)?)
    }

    pub(crate) fn peek(&self) -> Option<Tag> {
        if self.0.is_finished() { None } else { Tag::peek(&self.0).ok() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }

    /// UTCTime or GeneralizedTime.
    pub(crate) fn time(&mut self) -> Option<UnixMillis> {
        let since_epoch = match self.peek()? {
            Tag::UtcTime => self.decode::<UtcTime>()?.to_unix_duration(),
            Tag::GeneralizedTime => self.decode::<GeneralizedTime>()?.to_unix_duration(),
            _ => return None,
        };
        Some(UnixMillis::from_seconds(since_epoch.as_secs()))
    }

    /// Extensions of a certificate, a list or an entry of a list: `[tag] SEQUENCE OF` is unwrapped by the caller.
    pub(crate) fn extension(&mut self) -> Option<Extension<'a>> {
        let mut fields = self.sequence()?;
        let id = fields.decode()?;
        let critical = if fields.peek() == Some(Tag::Boolean) { fields.decode()? } else { false };
        let value = fields.value(Tag::OctetString)?;
        fields.end()?;
        Some(Extension { id, critical, value })
    }
}

pub(crate) struct Extension<'a> {
    pub(crate) id: ObjectIdentifier,
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// `[number] EXPLICIT`.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// A span of time, both ends included, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub(crate) struct Window {
    pub(crate) from: UnixMillis,
    pub(crate) until: UnixMillis,
}

impl Window {
    pub(crate) fn check(&self, now: UnixMillis, early: Rejection, late: Rejection) -> Result<(), Rejection> {
        if now.seconds() < self.from.seconds() {
            Err(early)
        } else if now.seconds() > self.until.seconds() {
            Err(late)
        } else {
            Ok(())
        }
    }
}

/// What is signed, with which algorithm named inside, and the signature.
pub(crate) struct Signed<'a> {
    pub(crate) content: Fields<'a>,
    whole: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Parses `SEQUENCE { content SEQUENCE, algorithm, signature }`; only ECDSA with SHA-256.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut outer = Fields::of(der)?;
        let mut fields = outer.sequence()?;
        outer.end()?;
        let whole = fields.whole_sequence()?;
        let content = Fields::of(whole)?.sequence()?;
        let algorithm = fields.whole_sequence()?;
        let signature: BitStringRef<'a> = fields.decode()?;
        fields.end()?;
        let mut id = Fields::of(algorithm)?.sequence()?;
        if id.decode::<ObjectIdentifier>()? != ECDSA_WITH_SHA256 {
            return None;
        }
        id.end()?;
        Some(Self { content, whole, algorithm, signature: signature.as_bytes()? })
    }

    /// Whether the algorithm named inside the content is the one outside.
    pub(crate) fn names(&self, algorithm: &[u8]) -> Option<()> {
        (self.algorithm == algorithm).then_some(())
    }

    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        Signature::from_der(self.signature).is_ok_and(|signature| key.verify(self.whole, &signature).is_ok())
    }
}

/// Whether `key` signed `message` with the signature `r ‖ s`.
pub(crate) fn is_signed(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// A certificate, parsed.
pub(crate) struct Certificate<'a> {
    pub(crate) der: &'a [u8],
    signed: Signed<'a>,
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    key_info: &'a [u8],
    point: &'a [u8],
    pub(crate) window: Window,
    authority: bool,
    signs_certificates_and_lists: bool,
    unsupported_extension: bool,
    pub(crate) sgx: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// # Errors
    /// [`Rejection::CertificateMalformed`], or [`Rejection::CertificateExtension`] for one that this verifier does not know.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Rejection> {
        let certificate = Self::parse_fields(der).ok_or(Rejection::CertificateMalformed)?;
        if certificate.unsupported_extension {
            return Err(Rejection::CertificateExtension);
        }
        Ok(certificate)
    }

    fn parse_fields(der: &'a [u8]) -> Option<Self> {
        let signed = Signed::parse(der)?;
        let mut fields = signed.content.clone();
        let mut version = Fields::of(fields.value(context(0))?)?;
        if version.decode::<u8>()? != 2 {
            return None;
        }
        version.end()?;
        let serial = fields.value(Tag::Integer)?;
        signed.names(fields.whole_sequence()?)?;
        let issuer = fields.whole_sequence()?;
        let mut validity = fields.sequence()?;
        let window = Window { from: validity.time()?, until: validity.time()? };
        validity.end()?;
        let subject = fields.whole_sequence()?;
        let key_info = fields.whole_sequence()?;
        let mut extensions = Fields::of(fields.value(context(3))?)?;
        fields.end()?;
        let mut list = extensions.sequence()?;
        extensions.end()?;

        let mut certificate = Self {
            der,
            signed,
            serial,
            issuer,
            subject,
            key_info,
            point: point(key_info)?,
            window,
            authority: false,
            signs_certificates_and_lists: false,
            unsupported_extension: false,
            sgx: None,
        };
        let mut seen = Vec::new();
        while !list.is_empty() {
            let extension = list.extension()?;
            if seen.contains(&extension.id) {
                return None;
            }
            seen.push(extension.id);
            certificate.read(&extension)?;
        }
        Some(certificate)
    }

    fn read(&mut self, extension: &Extension<'a>) -> Option<()> {
        match extension.id {
            KEY_USAGE => {
                let bits = BitStringRef::from_der(extension.value).ok()?;
                self.signs_certificates_and_lists =
                    bits.get(KEY_CERT_SIGN).unwrap_or(false) && bits.get(CRL_SIGN).unwrap_or(false);
            }
            BASIC_CONSTRAINTS => {
                let mut outer = Fields::of(extension.value)?;
                let mut fields = outer.sequence()?;
                outer.end()?;
                if fields.peek() == Some(Tag::Boolean) {
                    self.authority = fields.decode()?;
                }
                // The depth of our chains is fixed, so a path length limits nothing further.
                if !fields.is_empty() {
                    fields.decode::<u8>()?;
                }
                fields.end()?;
            }
            SGX_EXTENSION => self.sgx = Some(extension.value),
            // They narrow what a certificate may do; Intel's have none.
            NAME_CONSTRAINTS | EXTENDED_KEY_USAGE => self.unsupported_extension = true,
            _ => self.unsupported_extension |= extension.critical,
        }
        Some(())
    }

    /// The public key. Costs a check that the point is on the curve.
    pub(crate) fn key(&self) -> Result<VerifyingKey, Rejection> {
        VerifyingKey::from_sec1_bytes(self.point).map_err(|_| Rejection::CertificateMalformed)
    }

    /// Identifies an authority by name and key, whatever certificate it shows.
    pub(crate) fn authority_id(&self) -> Hash {
        Hash(Sha256::new().chain_update(self.subject).chain_update(self.key_info).finalize().into())
    }

    pub(crate) fn hash(&self) -> Hash {
        Hash(Sha256::digest(self.der).into())
    }

    pub(crate) fn check_window(&self, now: UnixMillis) -> Result<(), Rejection> {
        self.window.check(now, Rejection::CertificateNotYetValid, Rejection::CertificateExpired)
    }

    pub(crate) fn check_role(&self, authority: bool) -> Result<(), Rejection> {
        let fits = if authority { self.authority && self.signs_certificates_and_lists } else { !self.authority };
        if fits { Ok(()) } else { Err(Rejection::CertificateRole) }
    }

    pub(crate) fn check_issuer(&self, issuer: &Certificate<'_>) -> Result<(), Rejection> {
        if self.issuer == issuer.subject { Ok(()) } else { Err(Rejection::CertificateIssuer) }
    }

    pub(crate) fn check_signature(&self, key: &VerifyingKey) -> Result<(), Rejection> {
        if self.signed.is_signed_by(key) { Ok(()) } else { Err(Rejection::CertificateSignature) }
    }
}

/// The uncompressed point of a P-256 key.
fn point(key_info: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::of(key_info)?.sequence()?;
    let mut algorithm = fields.sequence()?;
    if algorithm.decode::<ObjectIdentifier>()? != EC_PUBLIC_KEY || algorithm.decode::<ObjectIdentifier>()? != PRIME256V1
    {
        return None;
    }
    algorithm.end()?;
    let bits: BitStringRef<'_> = fields.decode()?;
    fields.end()?;
    let point = bits.as_bytes()?;
    (point.len() == 65 && point.first() == Some(&4)).then_some(point)
}

const PEM_BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----\n";
const PEM_END: &[u8] = b"-----END CERTIFICATE-----";
const PEM_LINE: usize = 64;

/// The `N` certificates of a PEM chain, exactly as RFC 7468 generates it, so that no two texts are the same chain. One line break and one
/// zero byte may follow (Intel's libraries count the terminating zero of C).
pub(crate) fn parse_pem<const N: usize>(pem: &[u8]) -> Result<[Vec<u8>; N], Rejection> {
    parse_pem_certificates(pem, N).and_then(|list| list.try_into().ok()).ok_or(Rejection::ChainMalformed)
}

fn parse_pem_certificates(pem: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let mut rest = pem.strip_suffix(b"\0").unwrap_or(pem);
    rest = rest.strip_suffix(b"\n").unwrap_or(rest);
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        if certificates.len() == count {
            return None;
        }
        if !certificates.is_empty() {
            rest = rest.strip_prefix(b"\n")?;
        }
        rest = rest.strip_prefix(PEM_BEGIN)?;
        let mut text = Vec::with_capacity(2048);
        loop {
            if let Some(after) = rest.strip_prefix(PEM_END) {
                rest = after;
                break;
            }
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (line, after) = rest.split_at_checked(end)?;
            rest = after.strip_prefix(b"\n")?;
            let last = rest.starts_with(PEM_END);
            if line.is_empty() || line.len() > PEM_LINE || (!last && line.len() != PEM_LINE) {
                return None;
            }
            text.extend_from_slice(line);
        }
        certificates.push(STANDARD.decode(&text).ok()?);
    }
    Some(certificates)
}
