//! Prove a machine: parse, verify and judge evidence of trusted execution.
//!
//! # The problem
//! A machine far away says: "I am a trusted execution environment, I run this code, and it says these 64 bytes". It shows a *quote*. Whether
//! to believe it depends on certificates, on lists of what was revoked and on tables of which firmware is safe (*collateral*), all signed by the
//! manufacturer, all dated.
//!
//! # The idea
//! Collateral changes once a month and quotes come every minute, so collateral is verified once, when it is stored, and a quote is then
//! judged against what is stored: three P-256 signatures. The same code runs in the chain's runtime, in clients and in tests. Only the trusted root
//! differs between real machines and simulated ones.
//!
//! # The words, in the order in which evidence meets them
//! ```text
//! quote        bytes, parsed: nothing believed
//! certificate  root → authority → PCK certificate of the machine
//! pck          what the PCK certificate says of the platform
//! crl          who has been revoked
//! identity     which enclave of Intel's may vouch for attestation keys
//! tcb          which versions are how good
//! collateral   the three above, verified on storing
//! verify       all of it together: Verified<Report>
//! report       what it said: measurement, report data, status
//! policy       what a network accepts of that
//! rejection    why not
//! ```
//!
//! # Properties
//! - No bytes panic it; every byte of a quote is covered by a signature or by a rule.
//! - No clock, no randomness, no I/O, no float: the same input gives the same verdict everywhere.
//! - Whatever it accepts, `dcap-qvl` accepts with the same status (tests and fuzzing hold the two together). Where it refuses what `dcap-qvl`
//!   accepts, the tests name the rule.
//!
//! # Source
//! Intel SGX and TDX DCAP, Quote Verification Library and PCS API v4.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod certificate;
mod collateral;
mod crl;
mod identity;
mod json;
mod pck;
mod policy;
mod quote;
mod rejection;
pub mod report;
mod tcb;
mod verify;

pub use collateral::{CollateralKey, CollateralStore, StoredCollateral};
pub use crl::Crl;
pub use identity::QeIdentity;
pub use policy::{Policy, TcbStatuses};
pub use quote::{Body, EnclaveReport, Quote, TdCurrent, TdReport};
pub use rejection::Rejection;
pub use report::{Report, TrustedRoot, measure_sgx, measure_tdx};
pub use tcb::TcbInfo;
pub use verify::{Verified, verify, verify_collateral};

/// Intel's SGX root certificate authority, DER.
pub const INTEL_ROOT_DER: &[u8] = include_bytes!("../roots/intel.der");
/// The development root, DER. Its private key is public: **evidence under it keeps no secret.**
pub const DEVELOPMENT_ROOT_DER: &[u8] = include_bytes!("../roots/development.der");
