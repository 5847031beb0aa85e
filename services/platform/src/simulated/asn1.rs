//! Writes DER, as much of it as certificates and revocation lists need.

use der::{DateTime, Encode as _, asn1::ObjectIdentifier};
use std::time::Duration;

/// Tag of `[number] EXPLICIT`.
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// Tag, length, content.
pub fn field(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[length.leading_zeros() as usize / 8..];
            out.push(0x80 | bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// SEQUENCE.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    field(SEQUENCE, parts)
}

/// SET of one.
pub fn set(part: &[u8]) -> Vec<u8> {
    field(SET, &[part])
}

/// OBJECT IDENTIFIER.
pub fn oid(text: &str) -> Vec<u8> {
    let id = ObjectIdentifier::new(text).expect("the caller writes a well-formed identifier");
    id.to_der().expect("an identifier fits in memory")
}

/// INTEGER from unsigned big-endian bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let bytes = &bytes[start..];
    match bytes.first() {
        Some(first) if *first < 0x80 => field(INTEGER, &[bytes]),
        _ => field(INTEGER, &[&[0], bytes]),
    }
}

/// ENUMERATED.
pub fn enumerated(value: u8) -> Vec<u8> {
    field(ENUMERATED, &[&[value]])
}

/// BOOLEAN.
pub fn boolean(value: bool) -> Vec<u8> {
    field(BOOLEAN, &[&[if value { 0xff } else { 0 }]])
}

/// BIT STRING of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    field(BIT_STRING, &[&[0], bytes])
}

/// BIT STRING with unused bits at its end.
pub fn flags(unused: u8, byte: u8) -> Vec<u8> {
    field(BIT_STRING, &[&[unused, byte]])
}

/// OCTET STRING.
pub fn octets(bytes: &[u8]) -> Vec<u8> {
    field(OCTET_STRING, &[bytes])
}

/// A name with a common name and an organisation.
pub fn name(common: &str) -> Vec<u8> {
    let attribute = |id: &str, text: &str| set(&sequence(&[&oid(id), &field(UTF8_STRING, &[text.as_bytes()])]));
    sequence(&[&attribute("2.5.4.3", common), &attribute("2.5.4.10", "Phala simulation")])
}

/// UTCTime, from 2050 GeneralizedTime, as RFC 5280 asks.
pub fn time(seconds: u64) -> Vec<u8> {
    let time = date(seconds);
    let rest =
        format!("{:02}{:02}{:02}{:02}{:02}Z", time.month(), time.day(), time.hour(), time.minutes(), time.seconds());
    match time.year() {
        year @ ..2050 => field(UTC_TIME, &[format!("{:02}", year % 100).as_bytes(), rest.as_bytes()]),
        year => field(GENERALIZED_TIME, &[format!("{year:04}").as_bytes(), rest.as_bytes()]),
    }
}

/// `YYYY-MM-DDThh:mm:ssZ`.
pub fn iso_time(seconds: u64) -> String {
    date(seconds).to_string()
}

fn date(seconds: u64) -> DateTime {
    // The year 9999 ends at this second.
    DateTime::from_unix_duration(Duration::from_secs(seconds.min(253_402_300_799))).expect("before the year 10000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::{Decode, asn1::UintRef};

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        assert_eq!(field(4, &[&[7; 127]])[..2], [4, 127]);
        assert_eq!(field(4, &[&[7; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(field(4, &[&[7; 256]])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_are_never_negative() {
        for (bytes, content) in [(vec![0], vec![0]), (vec![0x80], vec![0, 0x80]), (vec![0, 0, 5], vec![5])] {
            let der = integer(&bytes);
            assert_eq!(der[2..], content[..]);
            UintRef::from_der(&der).unwrap();
        }
    }

    #[test]
    fn times_are_written_as_intel_and_rfc_5280_write_them() {
        assert_eq!(iso_time(1_750_353_600), "2025-06-19T17:20:00Z");
        assert_eq!(time(1_750_353_600), field(0x17, &[b"250619172000Z"]));
        assert_eq!(time(2_524_608_000), field(0x18, &[b"20500101000000Z"]));
    }
}
