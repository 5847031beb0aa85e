//! TCB info: which security versions of a family of platforms are how good.
//!
//! # Source
//! Intel PCS API v4, TCB info v3; the order in which levels are tried and statuses are combined is that of Intel's Quote Verification Library.

use crate::{certificate::Window, collateral::Signer, json, pck::Platform, quote::TdReport, rejection::Rejection};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use phala_messages::{Root, TcbStatus, Tee};
use scale_info::TypeInfo;
use serde::Deserialize;

const COMPONENTS: usize = 16;

/// TCB info whose signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct TcbInfo {
    pub(crate) root: Root,
    pub(crate) signer: Signer,
    pub(crate) tee: Tee,
    pub(crate) fmspc: [u8; 6],
    pub(crate) pce_id: [u8; 2],
    pub(crate) window: Window,
    pub(crate) evaluation_number: u32,
    /// Best first.
    pub(crate) levels: Vec<TcbLevel>,
    /// TDX only.
    pub(crate) module: Option<TdxModule>,
    /// TDX only: one per version of the module.
    pub(crate) module_versions: Vec<TdxModuleVersion>,
}

/// Versions that a platform must have at least, and what it is worth then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub(crate) struct TcbLevel {
    pub(crate) sgx: [u8; COMPONENTS],
    pub(crate) pce_svn: u16,
    /// Zeros for SGX.
    pub(crate) tdx: [u8; COMPONENTS],
    pub(crate) status: TcbStatus,
}

/// Who signed a TDX module and which attributes it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub(crate) struct TdxModule {
    pub(crate) mr_signer: [u8; 48],
    pub(crate) attributes: [u8; 8],
    pub(crate) attributes_mask: [u8; 8],
}

/// One major version of the TDX module.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub(crate) struct TdxModuleVersion {
    pub(crate) version: u8,
    pub(crate) module: TdxModule,
    /// Security version and status, in Intel's order.
    pub(crate) levels: Vec<(u8, TcbStatus)>,
}

impl TcbInfo {
    /// The platform's status, for a machine of either technology.
    ///
    /// A TDX 1.5 machine that was started at an old level and has since been updated in place keeps the status of its start: Intel advises to
    /// start it again ("TD relaunch advised").
    pub(crate) fn judge_sgx(&self, platform: &Platform) -> Result<TcbStatus, Rejection> {
        self.level(platform, None)
    }

    /// The platform's and TDX module's status now (`None`: before TDX 1.5) and when the machine was started.
    pub(crate) fn judge_tdx(
        &self,
        platform: &Platform,
        td: &TdReport<'_>,
    ) -> Result<(TcbStatus, Option<TcbStatus>), Rejection> {
        let launch = self.judge_tdx_svn(platform, td.tee_tcb_svn)?;
        self.check_module(td)?;
        let current = td.current.map(|current| self.judge_tdx_svn(platform, current.tee_tcb_svn)).transpose()?;
        Ok((launch, current))
    }

    fn judge_tdx_svn(&self, platform: &Platform, svn: &[u8; COMPONENTS]) -> Result<TcbStatus, Rejection> {
        let platform_status = self.level(platform, Some(svn))?;
        let Some(version) = self.module_version(svn)? else { return Ok(platform_status) };
        let (_, status) =
            version.levels.iter().find(|(least, _)| svn[0] >= *least).ok_or(Rejection::TdxModuleTooOld)?;
        Ok(converge(platform_status, *status))
    }

    /// The first level, best first, whose every version the platform has.
    fn level(&self, platform: &Platform, tdx: Option<&[u8; COMPONENTS]>) -> Result<TcbStatus, Rejection> {
        let reaches = |have: &[u8], need: &[u8]| have.iter().zip(need).all(|(have, need)| have >= need);
        self.levels
            .iter()
            .find(|level| {
                reaches(&platform.cpu_svn, &level.sgx)
                    && platform.pce_svn >= level.pce_svn
                    && tdx.is_none_or(|svn| {
                        // With a module version, the first two components are the module's and judged by its identity.
                        let skip = if svn[1] > 0 { 2 } else { 0 };
                        svn.iter().zip(&level.tdx).skip(skip).all(|(have, need)| have >= need)
                    })
            })
            .map(|level| level.status)
            .ok_or(Rejection::TcbTooOld)
    }

    fn module_version(&self, svn: &[u8; COMPONENTS]) -> Result<Option<&TdxModuleVersion>, Rejection> {
        match svn[1] {
            0 => Ok(None),
            version => self
                .module_versions
                .iter()
                .find(|entry| entry.version == version)
                .map(Some)
                .ok_or(Rejection::TdxModuleUnknown),
        }
    }

    fn check_module(&self, td: &TdReport<'_>) -> Result<(), Rejection> {
        let module = match self.module_version(td.tee_tcb_svn)? {
            Some(version) => version.module,
            None => self.module.ok_or(Rejection::TdxModuleUnknown)?,
        };
        if *td.mr_signer_seam != module.mr_signer {
            return Err(Rejection::TdxModuleSigner);
        }
        let fits = td.seam_attributes.iter().zip(module.attributes).zip(module.attributes_mask).all(
            // Bits outside the mask must be zero.
            |((have, need), mask)| have & mask == need & mask && have & !mask == 0,
        );
        if fits { Ok(()) } else { Err(Rejection::TdxModuleAttributes) }
    }
}

/// Status of a platform together with one of its parts (TDX module or quoting enclave).
pub(crate) const fn converge(platform: TcbStatus, part: TcbStatus) -> TcbStatus {
    use TcbStatus::*;
    match (part, platform) {
        (Revoked, _) => Revoked,
        (OutOfDate, UpToDate | SWHardeningNeeded) => OutOfDate,
        (OutOfDate, ConfigurationNeeded | ConfigurationAndSWHardeningNeeded) => OutOfDateConfigurationNeeded,
        _ => platform,
    }
}

/// Status of a TDX 1.5 machine from its start and now. Where Intel says "relaunch advised", we say what it was started with.
pub(crate) const fn relaunch(launch: TcbStatus, current: TcbStatus) -> TcbStatus {
    use TcbStatus::*;
    match (launch, current) {
        (OutOfDate, ConfigurationNeeded | ConfigurationAndSWHardeningNeeded) => OutOfDateConfigurationNeeded,
        _ => launch,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TcbInfoJson {
    id: String,
    version: u8,
    issue_date: String,
    next_update: String,
    fmspc: String,
    pce_id: String,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    tcb_levels: Vec<TcbLevelJson>,
    #[serde(default)]
    tdx_module: Option<TdxModuleJson>,
    #[serde(default)]
    tdx_module_identities: Vec<TdxModuleIdentityJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TcbLevelJson {
    tcb: TcbJson,
    tcb_date: String,
    tcb_status: String,
    #[serde(default, rename = "advisoryIDs")]
    _advisories: Vec<String>,
}

#[derive(Deserialize)]
struct TcbJson {
    sgxtcbcomponents: Vec<ComponentJson>,
    #[serde(default)]
    tdxtcbcomponents: Vec<ComponentJson>,
    pcesvn: u16,
}

#[derive(Deserialize)]
struct ComponentJson {
    svn: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TdxModuleJson {
    mrsigner: String,
    attributes: String,
    attributes_mask: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TdxModuleIdentityJson {
    id: String,
    mrsigner: String,
    attributes: String,
    attributes_mask: String,
    tcb_levels: Vec<TdxModuleLevelJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TdxModuleLevelJson {
    tcb: TdxModuleTcbJson,
    tcb_date: String,
    tcb_status: String,
    #[serde(default, rename = "advisoryIDs")]
    _advisories: Vec<String>,
}

#[derive(Deserialize)]
struct TdxModuleTcbJson {
    isvsvn: u8,
}

/// Parses TCB info whose signature holds.
///
/// # Errors
/// [`Rejection::TcbInfoMalformed`] and [`Rejection::TcbInfoKind`].
pub(crate) fn parse(bytes: &[u8], root: Root, signer: Signer) -> Result<TcbInfo, Rejection> {
    let info: TcbInfoJson = serde_json::from_slice(bytes).map_err(|_| Rejection::TcbInfoMalformed)?;
    let tee = match info.id.as_str() {
        "SGX" => Tee::Sgx,
        "TDX" => Tee::Tdx,
        _ => return Err(Rejection::TcbInfoKind),
    };
    if info.version != 3 || info.tcb_type != 0 {
        return Err(Rejection::TcbInfoKind);
    }
    build(info, tee, root, signer).ok_or(Rejection::TcbInfoMalformed)
}

fn build(info: TcbInfoJson, tee: Tee, root: Root, signer: Signer) -> Option<TcbInfo> {
    let mut levels = info.tcb_levels.into_iter().map(|level| level.build(tee)).collect::<Option<Vec<_>>>()?;
    // Intel's order does not depend on the order in the document.
    levels.sort_by(|a, b| (b.sgx, b.pce_svn, b.tdx).cmp(&(a.sgx, a.pce_svn, a.tdx)));
    let (module, module_versions) = match tee {
        Tee::Sgx => (None, Vec::new()),
        Tee::Tdx => {
            let module = info.tdx_module?;
            // Identities of another form are not of a module version that a quote can name.
            let versions = info
                .tdx_module_identities
                .into_iter()
                .filter_map(|identity| identity.version().map(|version| identity.build(version)));
            (
                Some(parse_module(&module.mrsigner, &module.attributes, &module.attributes_mask)?),
                versions.collect::<Option<Vec<_>>>()?,
            )
        }
    };
    Some(TcbInfo {
        root,
        signer,
        tee,
        fmspc: json::hex(&info.fmspc)?,
        pce_id: json::hex(&info.pce_id)?,
        window: Window { from: json::time(&info.issue_date)?, until: json::time(&info.next_update)? },
        evaluation_number: info.tcb_evaluation_data_number,
        levels,
        module,
        module_versions,
    })
}

impl TcbLevelJson {
    fn build(self, tee: Tee) -> Option<TcbLevel> {
        json::time(&self.tcb_date)?;
        Some(TcbLevel {
            sgx: components(&self.tcb.sgxtcbcomponents)?,
            pce_svn: self.tcb.pcesvn,
            tdx: match tee {
                Tee::Sgx => [0; COMPONENTS],
                Tee::Tdx => components(&self.tcb.tdxtcbcomponents)?,
            },
            status: json::status(&self.tcb_status)?,
        })
    }
}

impl TdxModuleIdentityJson {
    /// `TDX_` and two hexadecimal digits.
    fn version(&self) -> Option<u8> {
        let digits = self.id.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("TDX_")).and(self.id.get(4..))?;
        json::hex(digits).map(u8::from_be_bytes)
    }

    fn build(self, version: u8) -> Option<TdxModuleVersion> {
        let levels = self.tcb_levels.into_iter().map(|level| {
            json::time(&level.tcb_date)?;
            let status = json::status(&level.tcb_status)?;
            let known = matches!(status, TcbStatus::UpToDate | TcbStatus::OutOfDate | TcbStatus::Revoked);
            known.then_some((level.tcb.isvsvn, status))
        });
        Some(TdxModuleVersion {
            version,
            module: parse_module(&self.mrsigner, &self.attributes, &self.attributes_mask)?,
            levels: levels.collect::<Option<Vec<_>>>()?,
        })
    }
}

fn parse_module(mr_signer: &str, attributes: &str, attributes_mask: &str) -> Option<TdxModule> {
    Some(TdxModule {
        mr_signer: json::hex(mr_signer)?,
        attributes: json::hex(attributes)?,
        attributes_mask: json::hex(attributes_mask)?,
    })
}

fn components(list: &[ComponentJson]) -> Option<[u8; COMPONENTS]> {
    let bytes: Vec<u8> = list.iter().map(|component| component.svn).collect();
    bytes.try_into().ok()
}
