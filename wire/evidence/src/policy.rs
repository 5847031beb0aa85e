//! What a network accepts beyond what is always refused.

use crate::{rejection::Rejection, report::Report, verify::Verified};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_messages::{Attested, TcbStatus};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// A set of TCB statuses. [`TcbStatus::Revoked`] is in no set: it is refused before any policy is asked.
///
/// # Shape
/// SCALE: one byte, bit n for the status with index n. JSON: a list of Intel's names.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
#[serde(from = "Vec<TcbStatus>", into = "Vec<TcbStatus>")]
pub struct TcbStatuses(u8);

impl TcbStatuses {
    const ORDER: [TcbStatus; 6] = [
        TcbStatus::UpToDate,
        TcbStatus::SWHardeningNeeded,
        TcbStatus::ConfigurationNeeded,
        TcbStatus::ConfigurationAndSWHardeningNeeded,
        TcbStatus::OutOfDate,
        TcbStatus::OutOfDateConfigurationNeeded,
    ];

    /// The empty set with one more status.
    pub const fn with(self, status: TcbStatus) -> Self {
        match status {
            TcbStatus::Revoked => self,
            _ => Self(self.0 | 1 << status as u8),
        }
    }

    /// Whether the status is in the set.
    pub const fn contains(self, status: TcbStatus) -> bool {
        match status {
            TcbStatus::Revoked => false,
            _ => self.0 & (1 << status as u8) != 0,
        }
    }
}

impl From<Vec<TcbStatus>> for TcbStatuses {
    fn from(list: Vec<TcbStatus>) -> Self {
        list.into_iter().fold(Self::default(), Self::with)
    }
}

impl From<TcbStatuses> for Vec<TcbStatus> {
    fn from(set: TcbStatuses) -> Self {
        TcbStatuses::ORDER.into_iter().filter(|status| set.contains(*status)).collect()
    }
}

/// Which verified evidence a network accepts.
///
/// Debug mode, migration, service TDs, revoked levels and expired collateral are refused whatever the policy says.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Accepted statuses.
    pub accept: TcbStatuses,
    /// The least evaluation number of the TCB data by which evidence was judged.
    pub tcb_evaluation_number_min: u32,
    /// Accept platforms to which packages can be added.
    pub accept_dynamic_platform: bool,
    /// Accept platforms whose root keys Intel keeps.
    pub accept_cached_keys: bool,
    /// Accept hyper-threading: nearly every server has it.
    pub accept_smt: bool,
}

impl Policy {
    /// Only platforms with nothing left to patch; hyper-threading is accepted.
    pub const fn strict() -> Self {
        Self {
            accept: TcbStatuses(0).with(TcbStatus::UpToDate).with(TcbStatus::SWHardeningNeeded),
            tcb_evaluation_number_min: 0,
            accept_dynamic_platform: false,
            accept_cached_keys: false,
            accept_smt: true,
        }
    }

    /// For machines that hold keys of others: nothing left to patch and nothing left to the software, without grace.
    pub const fn key_holders() -> Self {
        Self { accept: TcbStatuses(0).with(TcbStatus::UpToDate), ..Self::strict() }
    }

    /// Judges verified evidence.
    ///
    /// # Errors
    /// The first rule of the policy that the report breaks.
    pub fn judge(&self, report: &Verified<Report>) -> Result<Attested, Rejection> {
        if !self.accept.contains(report.tcb) {
            return Err(Rejection::StatusNotAccepted);
        }
        if report.tcb_evaluation_number < self.tcb_evaluation_number_min {
            return Err(Rejection::TcbEvaluationTooOld);
        }
        let configuration = &report.configuration;
        for (found, accepted, rejection) in [
            (configuration.dynamic_platform, self.accept_dynamic_platform, Rejection::DynamicPlatform),
            (configuration.cached_keys, self.accept_cached_keys, Rejection::CachedKeys),
            (configuration.smt_enabled, self.accept_smt, Rejection::SmtEnabled),
        ] {
            if found == Some(true) && !accepted {
                return Err(rejection);
            }
        }
        Ok(Attested { tee: report.tee, root: report.root, tcb: report.tcb, measurement: report.measurement })
    }
}
