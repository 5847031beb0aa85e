//! The judged content of evidence.
//!
//! # What a measurement is
//! One hash over everything that decides which code runs, so that an allow-list is a list of hashes:
//!
//! - **TDX**: SHA-256 of `"phala/measurement/tdx/v1" ‖ MRTD ‖ RTMR0 ‖ RTMR1 ‖ RTMR2 ‖ RTMR3`: the machine's initial
//!   memory, then firmware configuration, kernel, command line and disk, and what it loaded while running. Left out: MRSEAM (the TDX module
//!   is Intel's, is updated often and is judged by TCB info), MRCONFIGID, MROWNER and MROWNERCONFIG (chosen by the host,
//!   read by none of our software), attributes (judged by rules).
//! - **SGX**: SHA-256 of `"phala/measurement/sgx/v1" ‖ MRENCLAVE ‖ MRSIGNER ‖ ISVPRODID ‖ ISVSVN` (both little-endian, 2 bytes): the
//!   enclave's pages, who signed them, and as what.

use crate::quote::{Body, EnclaveReport, TdReport};
use alloc::vec::Vec;
use phala_messages::{Measurement, Root, TcbStatus, Tee};
use phala_units::UnixMillis;
use sha2::{Digest, Sha256};

/// What verified evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Technology that vouches.
    pub tee: Tee,
    /// Certificate authority behind it.
    pub root: Root,
    /// How current the machine is: the worst of platform, TDX module and quoting enclave, as Intel combines them.
    pub tcb: TcbStatus,
    /// What code runs; see the module.
    pub measurement: Measurement,
    /// What the code wanted to say.
    pub report_data: [u8; 64],
    /// Family of the platform.
    pub fmspc: [u8; 6],
    /// The lower of the evaluation numbers of TCB info and QE identity: how new the judgement's data is.
    pub tcb_evaluation_number: u32,
    /// When the first piece of collateral or certificate behind this report expires.
    pub valid_until: UnixMillis,
    /// What the platform's certificate says about its configuration.
    pub configuration: Configuration,
}

/// Configuration of a platform as its PCK certificate states it; `None` where it is silent (single-package platforms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Packages can be added.
    pub dynamic_platform: Option<bool>,
    /// Intel keeps the platform's root keys.
    pub cached_keys: Option<bool>,
    /// Hyper-threading is on.
    pub smt_enabled: Option<bool>,
}

/// The measurement of a virtual machine. See the [module](self).
pub fn measure_tdx(mr_td: &[u8; 48], rtmr: [&[u8; 48]; 4]) -> Measurement {
    let mut hash = Sha256::new().chain_update(b"phala/measurement/tdx/v1").chain_update(mr_td);
    for register in rtmr {
        hash.update(register);
    }
    phala_messages::Hash(hash.finalize().into())
}

/// The measurement of an enclave. See the [module](self).
pub fn measure_sgx(mr_enclave: &[u8; 32], mr_signer: &[u8; 32], isv_prod_id: u16, isv_svn: u16) -> Measurement {
    let hash = Sha256::new()
        .chain_update(b"phala/measurement/sgx/v1")
        .chain_update(mr_enclave)
        .chain_update(mr_signer)
        .chain_update(isv_prod_id.to_le_bytes())
        .chain_update(isv_svn.to_le_bytes());
    phala_messages::Hash(hash.finalize().into())
}

pub(crate) fn measure(body: &Body<'_>) -> (Measurement, [u8; 64]) {
    match body {
        Body::Sgx(EnclaveReport { mr_enclave, mr_signer, isv_prod_id, isv_svn, report_data, .. }) => {
            (measure_sgx(mr_enclave, mr_signer, *isv_prod_id, *isv_svn), **report_data)
        }
        Body::Tdx(TdReport { mr_td, rtmr, report_data, .. }) => (measure_tdx(mr_td, *rtmr), **report_data),
    }
}

/// The certificate that evidence must chain up to.
#[derive(
    Clone, Debug, PartialEq, Eq, codec::Encode, codec::Decode, codec::DecodeWithMemTracking, scale_info::TypeInfo,
)]
pub struct TrustedRoot {
    /// Whose it is.
    pub root: Root,
    /// X.509, DER, self-signed, P-256.
    pub certificate: Vec<u8>,
}

impl TrustedRoot {
    /// Intel's SGX root: real hardware.
    pub fn intel() -> Self {
        Self { root: Root::Intel, certificate: crate::INTEL_ROOT_DER.to_vec() }
    }

    /// The development root, whose private key is public: evidence under it proves **nothing** about secrecy.
    pub fn insecure_development() -> Self {
        Self { root: Root::Development, certificate: crate::DEVELOPMENT_ROOT_DER.to_vec() }
    }
}
