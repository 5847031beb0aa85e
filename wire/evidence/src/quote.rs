//! Parse a quote: every bound checked, every byte accounted for, nothing believed.
//!
//! ```text
//! header 48 │ (v5: body type 2, size 4) │ body 384 | 584 | 648 | 885 │ length 4 │ signature data │ zeros
//! └────────────────────── signed by the attestation key ──────────────┘
//! signature data, v3: signature 64, key 64,                 QE report 384, its signature 64, auth, chain
//!                v4+: signature 64, key 64, type 6, length, QE report 384, its signature 64, auth, chain
//! auth:  length 2, bytes          chain: type 5, length 4, PEM
//! ```
//!
//! # Source
//! Intel SGX ECDSA Quote Library API, appendix A; Intel TDX DCAP Quoting Library API, appendix A.

use crate::rejection::Rejection;
use phala_messages::{Tee, limits::QUOTE_BYTES_MAX};

/// Bytes of a quote's header.
pub(crate) const HEADER_BYTES: usize = 48;
/// Bytes of an enclave's report body.
pub(crate) const ENCLAVE_REPORT_BYTES: usize = 384;
/// Bytes of a TDX 1.0 report body.
const TD_REPORT_10_BYTES: u32 = 584;
/// Bytes of a TDX 1.5 report body.
const TD_REPORT_15_BYTES: u32 = 648;
/// Bytes of a TDX 1.5 report body with the extension for service TDs.
const TD_REPORT_15_EX_BYTES: u32 = 885;
/// What TDX 1.5 appends to the report of 1.5: identifiers that are signed but judged by no rule.
const TD_REPORT_EX_TAIL: usize = (TD_REPORT_15_EX_BYTES - TD_REPORT_15_BYTES) as usize;

/// Intel's quoting enclaves.
const QE_VENDOR_INTEL: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];
const KEY_TYPE_P256: u16 = 2;
const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;
/// Certification data that is a PCK certificate chain in PEM.
const CERTIFICATION_PCK_CHAIN: u16 = 5;
/// Certification data that is a QE report with its own certification data.
const CERTIFICATION_QE_REPORT: u16 = 6;
const QE_AUTH_BYTES: usize = 32;

/// Reads fields from the front of bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Rejection> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Rejection::QuoteTruncated)?;
        self.0 = rest;
        Ok(field)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Rejection> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(Rejection::QuoteTruncated)?;
        self.0 = rest;
        Ok(field)
    }

    fn u16(&mut self) -> Result<u16, Rejection> {
        self.array().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Result<u32, Rejection> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// Bytes preceded by their number.
    fn prefixed(&mut self) -> Result<&'a [u8], Rejection> {
        let length = self.u32()?;
        // A length that does not fit in memory is longer than what is left.
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn end(self) -> Result<(), Rejection> {
        if self.0.is_empty() { Ok(()) } else { Err(Rejection::QuoteTrailingBytes) }
    }
}

/// What an enclave is: the body of a v3 quote, and of the quoting enclave itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnclaveReport<'a> {
    /// Bit vector of extended features.
    pub misc_select: u32,
    /// FLAGS and XFRM.
    pub attributes: &'a [u8; 16],
    /// Hash of the enclave's pages.
    pub mr_enclave: &'a [u8; 32],
    /// Hash of its signer's key.
    pub mr_signer: &'a [u8; 32],
    /// Product number given by the signer.
    pub isv_prod_id: u16,
    /// Security version given by the signer.
    pub isv_svn: u16,
    /// What the enclave wanted to say.
    pub report_data: &'a [u8; 64],
}

impl<'a> EnclaveReport<'a> {
    pub(crate) fn parse(bytes: &'a [u8; ENCLAVE_REPORT_BYTES]) -> Result<Self, Rejection> {
        let mut cursor = Cursor(bytes);
        let _cpu_svn = cursor.array::<16>()?;
        let misc_select = cursor.u32()?;
        let _reserved = cursor.array::<28>()?;
        let attributes = cursor.array()?;
        let mr_enclave = cursor.array()?;
        let _reserved = cursor.array::<32>()?;
        let mr_signer = cursor.array()?;
        let _reserved = cursor.array::<96>()?;
        let isv_prod_id = cursor.u16()?;
        let isv_svn = cursor.u16()?;
        let _reserved = cursor.array::<60>()?;
        let report_data = cursor.array()?;
        cursor.end()?;
        Ok(Self { misc_select, attributes, mr_enclave, mr_signer, isv_prod_id, isv_svn, report_data })
    }

    /// Whether the host can read the enclave's memory.
    pub(crate) const fn debug(&self) -> bool {
        self.attributes[0] & 0x02 != 0
    }
}

/// What a virtual machine is: the body of a v4 or v5 quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdReport<'a> {
    /// Security versions of TDX module and processor when the machine was started.
    pub tee_tcb_svn: &'a [u8; 16],
    /// Hash of the TDX module.
    pub mr_seam: &'a [u8; 48],
    /// Hash of its signer's key; zero is Intel.
    pub mr_signer_seam: &'a [u8; 48],
    /// Attributes of the TDX module.
    pub seam_attributes: &'a [u8; 8],
    /// Attributes of the virtual machine.
    pub td_attributes: u64,
    /// Extended features it may use.
    pub xfam: &'a [u8; 8],
    /// Hash of its initial memory.
    pub mr_td: &'a [u8; 48],
    /// Registers extended while it runs: firmware, kernel, initial disk, application.
    pub rtmr: [&'a [u8; 48]; 4],
    /// What the machine wanted to say.
    pub report_data: &'a [u8; 64],
    /// TDX 1.5: the versions now, after updates that the machine has lived through, and the service TDs bound to it.
    pub current: Option<TdCurrent<'a>>,
}

/// What TDX 1.5 adds to a TD report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdCurrent<'a> {
    /// Security versions of TDX module and processor now.
    pub tee_tcb_svn: &'a [u8; 16],
    /// Hash of the service TDs bound to the machine; zero when there is none.
    pub mr_service_td: &'a [u8; 48],
}

impl<'a> TdReport<'a> {
    fn parse(cursor: &mut Cursor<'a>, bytes: u32) -> Result<Self, Rejection> {
        let tee_tcb_svn = cursor.array()?;
        let mr_seam = cursor.array()?;
        let mr_signer_seam = cursor.array()?;
        let seam_attributes = cursor.array()?;
        let td_attributes = u64::from_le_bytes(*cursor.array()?);
        let xfam = cursor.array()?;
        let mr_td = cursor.array()?;
        let _config_id = cursor.array::<48>()?;
        let _owner = cursor.array::<48>()?;
        let _owner_config = cursor.array::<48>()?;
        let rtmr = [cursor.array()?, cursor.array()?, cursor.array()?, cursor.array()?];
        let report_data = cursor.array()?;
        let current = match bytes {
            TD_REPORT_10_BYTES => None,
            _ => Some(TdCurrent { tee_tcb_svn: cursor.array()?, mr_service_td: cursor.array()? }),
        };
        if bytes == TD_REPORT_15_EX_BYTES {
            cursor.array::<TD_REPORT_EX_TAIL>()?;
        }
        Ok(Self {
            tee_tcb_svn,
            mr_seam,
            mr_signer_seam,
            seam_attributes,
            td_attributes,
            xfam,
            mr_td,
            rtmr,
            report_data,
            current,
        })
    }
}

/// What is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// An enclave.
    Sgx(EnclaveReport<'a>),
    /// A virtual machine.
    Tdx(TdReport<'a>),
}

impl Body<'_> {
    /// Technology of the body.
    pub const fn tee(&self) -> Tee {
        match self {
            Self::Sgx(_) => Tee::Sgx,
            Self::Tdx(_) => Tee::Tdx,
        }
    }
}

/// A quote, parsed. **Nothing in it is verified.**
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote<'a> {
    /// What is quoted.
    pub body: Body<'a>,
    pub(crate) signed: &'a [u8],
    pub(crate) signature: &'a [u8; 64],
    pub(crate) attestation_key: &'a [u8; 64],
    pub(crate) qe_report_bytes: &'a [u8; ENCLAVE_REPORT_BYTES],
    pub(crate) qe_report: EnclaveReport<'a>,
    pub(crate) qe_report_signature: &'a [u8; 64],
    pub(crate) qe_auth: &'a [u8; QE_AUTH_BYTES],
    pub(crate) pck_chain: &'a [u8],
}

impl<'a> Quote<'a> {
    /// Parses a quote. The result is worth no more than the bytes: see [`verify`](crate::verify).
    ///
    /// # Errors
    /// The rule about a quote's form that is broken.
    pub fn parse(quote: &'a [u8]) -> Result<Self, Rejection> {
        if quote.len() > QUOTE_BYTES_MAX as usize {
            return Err(Rejection::QuoteTooLarge);
        }
        let mut cursor = Cursor(quote);
        let (version, tee) = header(cursor.array()?)?;
        let body = match (tee, version) {
            (Tee::Sgx, 3) => Body::Sgx(EnclaveReport::parse(cursor.array()?)?),
            (Tee::Tdx, 4) => Body::Tdx(TdReport::parse(&mut cursor, TD_REPORT_10_BYTES)?),
            (Tee::Tdx, 5) => match (cursor.u16()?, cursor.u32()?) {
                (2, size @ TD_REPORT_10_BYTES) | (3, size @ TD_REPORT_15_BYTES) | (4, size @ TD_REPORT_15_EX_BYTES) => {
                    Body::Tdx(TdReport::parse(&mut cursor, size)?)
                }
                _ => return Err(Rejection::QuoteBody),
            },
            _ => return Err(Rejection::QuoteVersion),
        };
        let signed = quote.get(..quote.len().saturating_sub(cursor.0.len())).ok_or(Rejection::QuoteTruncated)?;

        let mut data = Cursor(cursor.prefixed()?);
        // Some hosts hand quotes out in a buffer of fixed size.
        if cursor.0.iter().any(|byte| *byte != 0) {
            return Err(Rejection::QuoteTrailingBytes);
        }
        let signature = data.array()?;
        let attestation_key = data.array()?;
        if version > 3 {
            if data.u16()? != CERTIFICATION_QE_REPORT {
                return Err(Rejection::CertificationData);
            }
            let inner = data.prefixed()?;
            data.end()?;
            data = Cursor(inner);
        }
        let qe_report_bytes = data.array()?;
        let qe_report_signature = data.array()?;
        if usize::from(data.u16()?) != QE_AUTH_BYTES {
            return Err(Rejection::QeAuthData);
        }
        let qe_auth = data.array()?;
        if data.u16()? != CERTIFICATION_PCK_CHAIN {
            return Err(Rejection::CertificationData);
        }
        let pck_chain = data.prefixed()?;
        data.end()?;
        Ok(Self {
            body,
            signed,
            signature,
            attestation_key,
            qe_report_bytes,
            qe_report: EnclaveReport::parse(qe_report_bytes)?,
            qe_report_signature,
            qe_auth,
            pck_chain,
        })
    }
}

fn header(bytes: &[u8; HEADER_BYTES]) -> Result<(u16, Tee), Rejection> {
    let mut cursor = Cursor(bytes);
    let version = cursor.u16()?;
    let key_type = cursor.u16()?;
    let tee = match cursor.u32()? {
        TEE_SGX => Tee::Sgx,
        TEE_TDX => Tee::Tdx,
        _ => return Err(Rejection::TeeUnknown),
    };
    if key_type != KEY_TYPE_P256 {
        return Err(Rejection::AttestationKeyType);
    }
    let _qe_and_pce_svn = cursor.u32()?;
    if *cursor.array::<16>()? != QE_VENDOR_INTEL {
        return Err(Rejection::QeVendor);
    }
    Ok((version, tee))
}
