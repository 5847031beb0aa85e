//! Sealing under a passphrase: for keys that people keep, on machines that may be offline for years.
//!
//! # Shape
//! The sealing key is PBKDF2-HMAC-SHA-512 of the passphrase, with a salt of 16 bytes and as many rounds as stand beside it. It
//! slows a thief of the file down in proportion to its rounds; it does not cost the thief memory, so a passphrase must be
//! long.
//!
//! # Source
//! RFC 8018, section 5.2.

use crate::{SealKey, Secret};
use hmac::Hmac;
use pbkdf2::pbkdf2;
use sha2_pbkdf2::Sha512;

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;
/// Rounds for new files: about a second of one core.
pub const ROUNDS: u32 = 1_000_000;
/// The fewest rounds that a file may ask for.
pub const ROUNDS_MIN: u32 = 200_000;
/// The most: a minute, so that nobody's file stops a machine.
pub const ROUNDS_MAX: u32 = 50_000_000;

/// The key that a passphrase stands for. None when the rounds are fewer or more than may be.
pub fn passphrase_key(passphrase: &[u8], salt: &[u8; SALT_BYTES], rounds: u32) -> Option<SealKey> {
    if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
        return None;
    }
    let mut sound = false;
    let key = Secret::generate(|out| {
        // An HMAC key may have any length, so this does not fail.
        sound = pbkdf2::<Hmac<Sha512>>(passphrase, salt, rounds, out).is_ok();
    });
    sound.then(|| SealKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_its_salt_and_its_rounds_open_what_they_sealed_and_nothing_else_does() {
        let key = |passphrase: &[u8], salt, rounds| passphrase_key(passphrase, &[salt; SALT_BYTES], rounds).unwrap();
        let sealed = key(b"correct horse", 1, ROUNDS_MIN).seal([0; 24], b"place", b"secret");
        assert_eq!(key(b"correct horse", 1, ROUNDS_MIN).open(b"place", &sealed).unwrap(), b"secret");
        assert!(key(b"correct house", 1, ROUNDS_MIN).open(b"place", &sealed).is_err());
        assert!(key(b"correct horse", 2, ROUNDS_MIN).open(b"place", &sealed).is_err());
        assert!(key(b"correct horse", 1, ROUNDS_MIN + 1).open(b"place", &sealed).is_err());
    }

    #[test]
    fn rounds_have_limits() {
        assert!(passphrase_key(b"p", &[0; SALT_BYTES], ROUNDS_MIN - 1).is_none());
        assert!(passphrase_key(b"p", &[0; SALT_BYTES], ROUNDS_MAX + 1).is_none());
    }

    #[test]
    fn golden_bytes_of_a_passphrase() {
        let sealed = passphrase_key(b"passphrase", &[7; SALT_BYTES], ROUNDS_MIN).unwrap().seal([9; 24], b"", b"");
        assert_eq!(hex::encode(&sealed[24..]), GOLDEN);
    }

    const GOLDEN: &str = "0d601e5b711a2e47ac93876561671751";
}
