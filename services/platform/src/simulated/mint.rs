//! Mints quotes in Intel's format, as a TDX machine's quoting enclave would.
//!
//! Fields are open, so that tests can mint what an honest machine never would: debug machines, old firmware, other vendors.

use super::pki::{
    CertificateSpec, Pki, PlatformSpec, QE_PRODUCT, QE_SVN, SVN, TDX_MODULE_SIGNER, key, pem, point, qe_signer, sign,
};
use p256::ecdsa::SigningKey;
use sha2::{Digest, Sha256};

/// SEPT_VE_DISABLE: what an honest machine sets, and nothing else.
pub const TD_ATTRIBUTES: u64 = 1 << 28;

/// An enclave's report body, 384 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnclaveSpec {
    /// MISCSELECT.
    pub misc_select: u32,
    /// FLAGS and XFRM.
    pub attributes: [u8; 16],
    /// MRENCLAVE.
    pub mr_enclave: [u8; 32],
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// ISVPRODID.
    pub isv_prod_id: u16,
    /// ISVSVN.
    pub isv_svn: u16,
}

impl EnclaveSpec {
    /// The simulated quoting enclave.
    pub fn quoting() -> Self {
        let mut attributes = [0; 16];
        // INIT and PROVISION_KEY; XFRM x87, SSE, AVX.
        attributes[0] = 0x11;
        attributes[8] = 0x07;
        Self {
            misc_select: 0,
            attributes,
            mr_enclave: Sha256::digest(b"phala simulated quoting enclave, pages").into(),
            mr_signer: qe_signer(),
            isv_prod_id: QE_PRODUCT,
            isv_svn: QE_SVN,
        }
    }

    /// The report body.
    pub fn report(&self, cpu_svn: &[u8; 16], report_data: &[u8; 64]) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        out.extend_from_slice(cpu_svn);
        out.extend_from_slice(&self.misc_select.to_le_bytes());
        out.extend_from_slice(&[0; 28]);
        out.extend_from_slice(&self.attributes);
        out.extend_from_slice(&self.mr_enclave);
        out.extend_from_slice(&[0; 32]);
        out.extend_from_slice(&self.mr_signer);
        out.extend_from_slice(&[0; 96]);
        out.extend_from_slice(&self.isv_prod_id.to_le_bytes());
        out.extend_from_slice(&self.isv_svn.to_le_bytes());
        out.extend_from_slice(&[0; 60]);
        out.extend_from_slice(report_data);
        out
    }
}

/// A virtual machine's report body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdSpec {
    /// TEE_TCB_SVN: TDX module's SVN, its version, SVNs of the processor.
    pub tee_tcb_svn: [u8; 16],
    /// MRSIGNERSEAM.
    pub mr_signer_seam: [u8; 48],
    /// SEAMATTRIBUTES.
    pub seam_attributes: [u8; 8],
    /// TDATTRIBUTES.
    pub attributes: u64,
    /// MRTD.
    pub mr_td: [u8; 48],
    /// RTMR0 to RTMR3.
    pub rtmr: [[u8; 48]; 4],
    /// REPORTDATA.
    pub report_data: [u8; 64],
    /// TDX 1.5: TEE_TCB_SVN2 and MRSERVICETD; makes a version 5 quote.
    pub current: Option<([u8; 16], [u8; 48])>,
}

impl TdSpec {
    /// An honest, current machine.
    pub fn new(mr_td: [u8; 48], report_data: [u8; 64]) -> Self {
        let mut tee_tcb_svn = [SVN; 16];
        // The module's major version.
        tee_tcb_svn[1] = 1;
        Self {
            tee_tcb_svn,
            mr_signer_seam: TDX_MODULE_SIGNER,
            seam_attributes: [0; 8],
            attributes: TD_ATTRIBUTES,
            mr_td,
            rtmr: [[0; 48]; 4],
            report_data,
            current: None,
        }
    }

    /// The report body: 584 bytes, or 648 for TDX 1.5.
    pub fn report(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(648);
        out.extend_from_slice(&self.tee_tcb_svn);
        // MRSEAM: the module's hash; the simulated module has none to hash.
        out.extend_from_slice(&[0; 48]);
        out.extend_from_slice(&self.mr_signer_seam);
        out.extend_from_slice(&self.seam_attributes);
        out.extend_from_slice(&self.attributes.to_le_bytes());
        // XFAM: x87, SSE, AVX.
        out.extend_from_slice(&7u64.to_le_bytes());
        out.extend_from_slice(&self.mr_td);
        out.extend_from_slice(&[0; 3 * 48]);
        self.rtmr.iter().for_each(|register| out.extend_from_slice(register));
        out.extend_from_slice(&self.report_data);
        if let Some((svn, service)) = &self.current {
            out.extend_from_slice(svn);
            out.extend_from_slice(service);
        }
        out
    }
}

/// A quote's header and what is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteSpec {
    /// Quote format.
    pub version: u16,
    /// Kind of the attestation key.
    pub key_type: u16,
    /// Technology.
    pub tee: u32,
    /// Vendor of the quoting enclave.
    pub vendor: [u8; 16],
    /// Version 5: kind of the body.
    pub body_type: Option<u16>,
    /// The body.
    pub body: Vec<u8>,
    /// The quoting enclave.
    pub quoting: EnclaveSpec,
    /// Another attestation key than the machine's, `x ‖ y`; the quoting enclave vouches for it.
    pub attestation_key: Option<[u8; 64]>,
}

impl QuoteSpec {
    /// A quote of a virtual machine.
    pub fn tdx(td: &TdSpec) -> Self {
        Self {
            version: if td.current.is_some() { 5 } else { 4 },
            key_type: 2,
            tee: 0x81,
            vendor: [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07],
            body_type: td.current.map(|_| 3),
            body: td.report(),
            quoting: EnclaveSpec::quoting(),
            attestation_key: None,
        }
    }

    /// A quote of an enclave.
    pub fn sgx(enclave: &EnclaveSpec, report_data: &[u8; 64]) -> Self {
        let td = TdSpec::new([0; 48], [0; 64]);
        Self { version: 3, tee: 0, body: enclave.report(&[SVN; 16], report_data), ..Self::tdx(&td) }
    }

    /// Header and body: what the attestation key signs.
    fn signed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.key_type.to_le_bytes());
        out.extend_from_slice(&self.tee.to_le_bytes());
        // SVNs of QE and PCE: reserved since version 4.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.vendor);
        out.extend_from_slice(b"phala simulated tee\0");
        if let Some(body_type) = self.body_type {
            out.extend_from_slice(&body_type.to_le_bytes());
            out.extend_from_slice(&(self.body.len() as u32).to_le_bytes());
        }
        out.extend_from_slice(&self.body);
        out
    }
}

/// The keys and the certificate of one machine.
#[derive(Clone)]
pub struct Machine {
    /// Signs reports of the quoting enclave.
    pub pck: SigningKey,
    /// Signs quotes.
    pub attestation: SigningKey,
    /// PCK certificate, PCK authority, root: PEM.
    pub chain: String,
    /// Serial number of the PCK certificate.
    pub serial: Vec<u8>,
    /// What the certificate says.
    pub platform: PlatformSpec,
}

impl Machine {
    /// The machine with this fuse key, certified as up to date.
    pub fn new(pki: &Pki, fuse: &[u8; 32]) -> Self {
        Self::certified(pki, fuse, PlatformSpec::default(), |_| {})
    }

    /// A machine with a certificate of choice.
    pub fn certified(
        pki: &Pki,
        fuse: &[u8; 32],
        platform: PlatformSpec,
        change: impl FnOnce(&mut CertificateSpec),
    ) -> Self {
        let pck = key(fuse, "pck");
        let id = Sha256::digest(point(&pck));
        let ppid: [u8; 16] = id[..16].try_into().expect("a hash has 32 bytes");
        let mut spec = CertificateSpec::new(&pki.intermediate.name, "Phala simulated PCK certificate", false);
        spec.serial = id[..20].to_vec();
        spec.serial[0] = spec.serial[0] & 0x7f | 0x40;
        spec.extensions.push(("1.2.840.113741.1.13.1", false, platform.extension(&ppid)));
        change(&mut spec);
        let leaf = spec.sign(&pck, &pki.intermediate.key);
        Self {
            attestation: key(fuse, "attestation"),
            chain: pem(&leaf) + &pki.chain(&pki.intermediate.certificate),
            serial: spec.serial,
            platform,
            pck,
        }
    }

    /// A quote.
    pub fn quote(&self, spec: &QuoteSpec) -> Vec<u8> {
        let signed = spec.signed();
        let key = spec.attestation_key.unwrap_or_else(|| point(&self.attestation));
        let auth: [u8; 32] = Sha256::digest(b"phala simulated quoting enclave, authentication data").into();
        let mut vouched = [0; 64];
        vouched[..32].copy_from_slice(&Sha256::new().chain_update(key).chain_update(auth).finalize());
        let report = spec.quoting.report(&self.platform.cpu_svn, &vouched);

        let mut certified = Vec::new();
        certified.extend_from_slice(&report);
        certified.extend_from_slice(&sign(&self.pck, &report));
        certified.extend_from_slice(&(auth.len() as u16).to_le_bytes());
        certified.extend_from_slice(&auth);
        certified.extend_from_slice(&5u16.to_le_bytes());
        certified.extend_from_slice(&(self.chain.len() as u32).to_le_bytes());
        certified.extend_from_slice(self.chain.as_bytes());

        let mut data = Vec::new();
        data.extend_from_slice(&sign(&self.attestation, &signed));
        data.extend_from_slice(&key);
        if spec.version > 3 {
            data.extend_from_slice(&6u16.to_le_bytes());
            data.extend_from_slice(&(certified.len() as u32).to_le_bytes());
        }
        data.extend_from_slice(&certified);

        let mut quote = signed;
        quote.extend_from_slice(&(data.len() as u32).to_le_bytes());
        quote.extend_from_slice(&data);
        quote
    }
}
