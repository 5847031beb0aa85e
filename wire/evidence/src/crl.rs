//! Certificate revocation lists, reduced to what admission asks: is this serial number on it?
//!
//! # Source
//! RFC 5280 §5. Delta lists, indirect lists and lists with a scope are refused: Intel publishes none.

use crate::{
    certificate::{Extension, Fields, Signed, Window, context},
    rejection::Rejection,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use const_oid::ObjectIdentifier;
use der::{Decode as _, Tag, asn1::UintRef};
use p256::ecdsa::VerifyingKey;
use phala_messages::{Hash, Root};
use phala_units::UnixMillis;
use scale_info::TypeInfo;

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const DELTA_CRL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// Tag of the reason code.
const ENUMERATED: u8 = 0x0a;

/// A revocation list whose signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Crl {
    pub(crate) root: Root,
    /// Name and key of its issuer.
    pub(crate) issuer: Hash,
    /// The issuer's certificate by which it was verified. A quote that shows the same one need not have it verified again.
    pub(crate) issuer_certificate: Hash,
    pub(crate) number: u32,
    pub(crate) window: Window,
    /// Serial numbers, sorted, as they stand in DER.
    pub(crate) revoked: Vec<Vec<u8>>,
}

impl Crl {
    /// Whether the certificate with this serial number is revoked.
    pub fn revokes(&self, serial: &[u8]) -> bool {
        self.revoked.binary_search_by(|entry| entry.as_slice().cmp(serial)).is_ok()
    }

    /// When it was issued.
    pub const fn issued(&self) -> UnixMillis {
        self.window.from
    }

    pub(crate) fn check_window(&self, now: UnixMillis) -> Result<(), Rejection> {
        self.window.check(now, Rejection::CollateralNotYetValid, Rejection::CollateralExpired)?;
        // A list has been replaced at its `nextUpdate`, not after it.
        if now.seconds() == self.window.until.seconds() { Err(Rejection::CollateralExpired) } else { Ok(()) }
    }
}

/// A list, parsed.
pub(crate) struct ParsedCrl<'a> {
    signed: Signed<'a>,
    pub(crate) issuer: &'a [u8],
    pub(crate) number: u32,
    pub(crate) window: Window,
    pub(crate) revoked: Vec<Vec<u8>>,
}

impl<'a> ParsedCrl<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Rejection> {
        Self::parse_fields(der).ok_or(Rejection::CrlMalformed)
    }

    pub(crate) fn check_signature(&self, key: &VerifyingKey) -> Result<(), Rejection> {
        if self.signed.is_signed_by(key) { Ok(()) } else { Err(Rejection::CrlSignature) }
    }

    fn parse_fields(der: &'a [u8]) -> Option<Self> {
        let signed = Signed::parse(der)?;
        let mut fields = signed.content.clone();
        if fields.decode::<u8>()? != 1 {
            return None;
        }
        signed.names(fields.whole_sequence()?)?;
        let issuer = fields.whole_sequence()?;
        let window = Window { from: fields.time()?, until: fields.time()? };
        let mut revoked = Vec::new();
        if fields.peek() == Some(Tag::Sequence) {
            let mut entries = fields.sequence()?;
            while !entries.is_empty() {
                revoked.push(entry(entries.sequence()?)?);
            }
        }
        revoked.sort();
        revoked.dedup();
        let mut extensions = Fields::of(fields.value(context(0))?)?;
        fields.end()?;
        let number = number(extensions.sequence()?)?;
        extensions.end()?;
        Some(Self { signed, issuer, number, window, revoked })
    }
}

/// The serial number of one revoked certificate.
fn entry(mut fields: Fields<'_>) -> Option<Vec<u8>> {
    let serial = fields.value(Tag::Integer)?;
    fields.time()?;
    if !fields.is_empty() {
        let mut extensions = fields.sequence()?;
        while !extensions.is_empty() {
            let Extension { id, critical, value } = extensions.extension()?;
            // Why it was revoked changes nothing, but a list that says nonsense is not Intel's.
            let nonsense = id == REASON_CODE && !matches!(value, [ENUMERATED, 1, 0..=6 | 8..=10]);
            if critical || nonsense || id == CERTIFICATE_ISSUER {
                return None;
            }
        }
    }
    fields.end()?;
    Some(serial.to_vec())
}

/// The list's number; zero when it has none.
fn number(mut extensions: Fields<'_>) -> Option<u32> {
    let mut number = None;
    if extensions.is_empty() {
        return None;
    }
    while !extensions.is_empty() {
        let extension = extensions.extension()?;
        match extension.id {
            CRL_NUMBER if number.is_none() => {
                let bytes = UintRef::from_der(extension.value).ok()?;
                let mut value = [0; 4];
                let at = value.len().checked_sub(bytes.as_bytes().len())?;
                value.get_mut(at..)?.copy_from_slice(bytes.as_bytes());
                number = Some(u32::from_be_bytes(value));
            }
            CRL_NUMBER | DELTA_CRL | ISSUING_DISTRIBUTION_POINT => return None,
            _ if extension.critical => return None,
            _ => {}
        }
    }
    Some(number.unwrap_or(0))
}
