//! Derive, seal, open, sign: the only door to cryptography.
//!
//! # The problem
//! Keys of many kinds live here side by side: identities, state keys, transport keys, keys of single
//! commands. A key used for two purposes, a nonce used twice, or a secret that slips into a log undoes all
//! of it. So no other crate of this project names a primitive; they name purposes.
//!
//! ```text
//! secret    Secret<N>: zeroised, never printed, compared in constant time
//! derive    the key tree: HKDF-SHA-256, every edge has a name and a version
//! seal      keep bytes on somebody else's disk: XChaCha20-Poly1305
//! sign      Ed25519 (machines), sr25519 verification (people)
//! hpke      seal one message to a public key: RFC 9180, for commands
//! passphrase  keep a key in a file: PBKDF2-HMAC-SHA-512 (RFC 8018)
//! channel   converse with a worker: OHTTP (RFC 9458) carrying binary HTTP (RFC 9292), for queries
//! ```
//!
//! # Properties
//! - Nothing here is of our own making: primitives come from RustCrypto, dalek, schnorrkel, hpke and ohttp.
//! - Opening answers "no" to any altered bit, and says nothing more.
//! - `core` parts are `no_std` and draw no randomness: whoever needs some hands it in. `channel` (std) lets
//!   the ohttp library draw from the operating system.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "channel")]
pub mod channel;
mod derive;
pub mod hpke;
#[cfg(feature = "passphrase")]
pub mod passphrase;
mod seal;
mod secret;
mod sign;

pub use derive::{derive, keyed_hash};
pub use seal::{OpenError, SEAL_NONCE_BYTES, SEAL_OVERHEAD_BYTES, SealKey};
pub use secret::Secret;
pub use sign::{SigningKey, verify_ed25519, verify_sr25519};
