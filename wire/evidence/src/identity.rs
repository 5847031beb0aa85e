//! Identity of the quoting enclave: which enclave of Intel's may vouch for attestation keys.
//!
//! # Source
//! Intel PCS API v4, enclave identity v2.

use crate::{certificate::Window, collateral::Signer, json, quote::EnclaveReport, rejection::Rejection};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use phala_messages::{Root, TcbStatus, Tee};
use scale_info::TypeInfo;
use serde::Deserialize;

/// QE identity whose signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct QeIdentity {
    pub(crate) root: Root,
    pub(crate) signer: Signer,
    pub(crate) tee: Tee,
    pub(crate) window: Window,
    pub(crate) evaluation_number: u32,
    pub(crate) misc_select: u32,
    pub(crate) misc_select_mask: u32,
    pub(crate) attributes: [u8; 16],
    pub(crate) attributes_mask: [u8; 16],
    pub(crate) mr_signer: [u8; 32],
    pub(crate) isv_prod_id: u16,
    /// Security version and status, in Intel's order.
    pub(crate) levels: Vec<(u16, TcbStatus)>,
}

impl QeIdentity {
    /// The status of the quoting enclave with this report.
    pub(crate) fn judge(&self, qe: &EnclaveReport<'_>) -> Result<TcbStatus, Rejection> {
        if *qe.mr_signer != self.mr_signer {
            return Err(Rejection::QeSigner);
        }
        if qe.debug() {
            return Err(Rejection::QeDebug);
        }
        if qe.isv_prod_id != self.isv_prod_id {
            return Err(Rejection::QeProduct);
        }
        if qe.misc_select & self.misc_select_mask != self.misc_select & self.misc_select_mask {
            return Err(Rejection::QeMiscSelect);
        }
        let same = qe
            .attributes
            .iter()
            .zip(self.attributes)
            .zip(self.attributes_mask)
            .all(|((have, need), mask)| have & mask == need & mask);
        if !same {
            return Err(Rejection::QeAttributes);
        }
        self.levels.iter().find(|(least, _)| qe.isv_svn >= *least).map(|(_, status)| *status).ok_or(Rejection::QeTooOld)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QeIdentityJson {
    id: String,
    version: u8,
    issue_date: String,
    next_update: String,
    tcb_evaluation_data_number: u32,
    miscselect: String,
    miscselect_mask: String,
    attributes: String,
    attributes_mask: String,
    mrsigner: String,
    isvprodid: u16,
    tcb_levels: Vec<QeLevelJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QeLevelJson {
    tcb: QeTcbJson,
    tcb_date: String,
    tcb_status: String,
    #[serde(default, rename = "advisoryIDs")]
    _advisories: Vec<String>,
}

#[derive(Deserialize)]
struct QeTcbJson {
    isvsvn: u16,
}

/// Parses QE identity whose signature holds.
///
/// # Errors
/// [`Rejection::QeIdentityMalformed`] and [`Rejection::QeIdentityKind`].
pub(crate) fn parse(bytes: &[u8], root: Root, signer: Signer) -> Result<QeIdentity, Rejection> {
    let identity: QeIdentityJson = serde_json::from_slice(bytes).map_err(|_| Rejection::QeIdentityMalformed)?;
    let tee = match (identity.id.as_str(), identity.version) {
        ("QE", 2) => Tee::Sgx,
        ("TD_QE", 2 | 3) => Tee::Tdx,
        _ => return Err(Rejection::QeIdentityKind),
    };
    build(identity, tee, root, signer).ok_or(Rejection::QeIdentityMalformed)
}

fn build(identity: QeIdentityJson, tee: Tee, root: Root, signer: Signer) -> Option<QeIdentity> {
    let levels = identity.tcb_levels.into_iter().map(|level| {
        json::time(&level.tcb_date)?;
        let status = json::status(&level.tcb_status)?;
        let known = !matches!(status, TcbStatus::SWHardeningNeeded | TcbStatus::ConfigurationAndSWHardeningNeeded);
        known.then_some((level.tcb.isvsvn, status))
    });
    Some(QeIdentity {
        root,
        signer,
        tee,
        window: Window { from: json::time(&identity.issue_date)?, until: json::time(&identity.next_update)? },
        evaluation_number: identity.tcb_evaluation_data_number,
        misc_select: u32::from_le_bytes(json::hex(&identity.miscselect)?),
        misc_select_mask: u32::from_le_bytes(json::hex(&identity.miscselect_mask)?),
        attributes: json::hex(&identity.attributes)?,
        attributes_mask: json::hex(&identity.attributes_mask)?,
        mr_signer: json::hex(&identity.mrsigner)?,
        isv_prod_id: identity.isvprodid,
        levels: levels.collect::<Option<Vec<_>>>()?,
    })
}
