//! What evidence said of a machine, once it has been judged.

use crate::ids::Hash;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Hash of everything a TEE measured of the code it runs. `phala-evidence` defines what enters it per TEE.
pub type Measurement = Hash;

/// A technology of trusted execution.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Tee {
    /// Intel Software Guard Extensions: one process.
    #[codec(index = 0)]
    Sgx,
    /// Intel Trust Domain Extensions: one virtual machine.
    #[codec(index = 1)]
    Tdx,
}

/// Whose certificate the evidence chains up to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Root {
    /// Intel's SGX root certificate authority: real hardware.
    #[codec(index = 0)]
    Intel,
    /// The development root: **a simulation that keeps no secret**. Refused by production networks.
    #[codec(index = 1)]
    Development,
}

/// How current a machine's firmware and microcode are, in Intel's terms, best first.
///
/// # Source
/// Intel PCS API v4, `tcbStatus` of TCB info and QE identity.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TcbStatus {
    /// Every component is at the newest level.
    #[codec(index = 0)]
    UpToDate,
    /// Up to date, but the software inside must harden itself.
    #[codec(index = 1)]
    SWHardeningNeeded,
    /// Up to date, but the machine's configuration exposes it.
    #[codec(index = 2)]
    ConfigurationNeeded,
    /// Both of the above.
    #[codec(index = 3)]
    ConfigurationAndSWHardeningNeeded,
    /// Known weaknesses are not patched.
    #[codec(index = 4)]
    OutOfDate,
    /// Known weaknesses are not patched, and the configuration exposes it.
    #[codec(index = 5)]
    OutOfDateConfigurationNeeded,
    /// The keys of this level are no longer trusted.
    #[codec(index = 6)]
    Revoked,
}

impl TcbStatus {
    /// Intel's name of the status, as it stands in collateral.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SWHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSWHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The judged content of evidence, as the chain keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Attested {
    /// Technology that vouches.
    pub tee: Tee,
    /// Certificate authority behind it.
    pub root: Root,
    /// How current the machine is.
    pub tcb: TcbStatus,
    /// What code it runs.
    pub measurement: Measurement,
}

impl Attested {
    /// The TEE as people read it; a simulated one says so.
    pub const fn tee_name(&self) -> &'static str {
        match (self.root, self.tee) {
            (Root::Intel, Tee::Sgx) => "sgx",
            (Root::Intel, Tee::Tdx) => "tdx",
            (Root::Development, Tee::Sgx) => "simulated-sgx",
            (Root::Development, Tee::Tdx) => "simulated-tdx",
        }
    }
}
