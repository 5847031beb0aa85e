//! Intel TDX through Linux' configfs-tsm.
//!
//! ```text
//! mkdir report/NAME ─► write inblob (64 bytes) ─► read outblob (the quote) ─► generation == writes? ─► rmdir
//! ```
//! Every call makes an entry of its own, so that two processes never meet in one. `generation` counts writes to an entry; if it is
//! not what we wrote, somebody wrote between and the quote may be over their bytes.
//!
//! # Source
//! Linux, `Documentation/ABI/testing/configfs-tsm-report`.

use crate::{Platform, PlatformError};
use phala_crypto::Secret;
use phala_messages::collateral::{Collateral, CollateralBytes};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

/// Where configfs is mounted on every distribution that we know.
pub const CONFIGFS_REPORTS: &str = "/sys/kernel/config/tsm/report";
/// Provider of TDX quotes.
const PROVIDER_TDX: &str = "tdx_guest";
/// How often a busy interface or a race is tried again.
const ATTEMPTS_MAX: u32 = 8;
/// How long to wait before that.
const RETRY: Duration = Duration::from_millis(20);

/// What the kernel offers for making reports. A trait, because a directory cannot behave as the kernel's does: there, attributes appear with
/// `mkdir` and `outblob` is computed when it is read.
pub trait ReportTree: Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> String;
    /// Makes a report entry.
    fn make(&self, entry: &str) -> io::Result<()>;
    /// Reads an attribute.
    fn read(&self, entry: &str, attribute: &str) -> io::Result<Vec<u8>>;
    /// Writes an attribute, in one write.
    fn write(&self, entry: &str, attribute: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a report entry.
    fn remove(&self, entry: &str) -> io::Result<()>;
}

/// The kernel's own tree.
#[derive(Debug)]
pub struct Configfs(PathBuf);

impl ReportTree for Configfs {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn make(&self, entry: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(entry))
    }

    fn read(&self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(entry).join(attribute))
    }

    fn write(&self, entry: &str, attribute: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(self.0.join(entry).join(attribute))?;
        file.write_all(bytes)
    }

    fn remove(&self, entry: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(entry))
    }
}

/// A TDX virtual machine.
#[derive(Debug)]
pub struct Tsm<T = Configfs> {
    reports: T,
    collateral: PathBuf,
    entries: AtomicU64,
}

impl Tsm {
    /// `reports`: [`CONFIGFS_REPORTS`] or wherever configfs is mounted. `collateral`: a directory that the operator fills from Intel's service or a PCCS:
    ///
    /// | file | from |
    /// |---|---|
    /// | `root.crl` | `https://certificates.trustedservices.intel.com/IntelSGXRootCA.der` |
    /// | `pck.crl` | `pckcrl?ca=platform&encoding=der`; `pck.pem`: its header `SGX-PCK-CRL-Issuer-Chain`, URL-decoded |
    /// | `tcb.json` | `tdx/certification/v4/tcb?fmspc=…&update=early`; `tcb.pem`: its header `TCB-Info-Issuer-Chain`, URL-decoded |
    /// | `qe.json` | `tdx/certification/v4/qe/identity?update=early`; `qe.pem`: its header, URL-decoded |
    pub fn new(reports: impl Into<PathBuf>, collateral: impl Into<PathBuf>) -> Self {
        Self::with_tree(Configfs(reports.into()), collateral)
    }
}

impl<T: ReportTree> Tsm<T> {
    /// A virtual machine with another tree.
    pub fn with_tree(reports: T, collateral: impl Into<PathBuf>) -> Self {
        Self { reports, collateral: collateral.into(), entries: AtomicU64::new(0) }
    }

    fn quote_once(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, PlatformError> {
        let number = self.entries.fetch_add(1, Ordering::Relaxed);
        let entry = Entry::make(&self.reports, format!("phala-{}-{number}", std::process::id()))?;
        let provider = entry.read("provider")?;
        let provider = String::from_utf8_lossy(&provider).trim().to_owned();
        if provider != PROVIDER_TDX {
            return Err(PlatformError::Provider { found: provider });
        }
        let before = entry.generation()?;
        entry.write("inblob", report_data)?;
        let quote = entry.read("outblob")?;
        if entry.generation()? != before.wrapping_add(1) {
            return Err(PlatformError::Race);
        }
        if quote.is_empty() {
            return Err(PlatformError::Quote(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(quote)
    }
}

impl<T: ReportTree> Platform for Tsm<T> {
    fn name(&self) -> &'static str {
        "tdx"
    }

    fn simulated(&self) -> bool {
        false
    }

    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, PlatformError> {
        let mut attempt = 1;
        loop {
            match self.quote_once(&report_data) {
                Err(PlatformError::Race) if attempt < ATTEMPTS_MAX => {}
                Err(PlatformError::Quote(error)) if is_busy(&error) && attempt < ATTEMPTS_MAX => {}
                result => return result,
            }
            attempt += 1;
            thread::sleep(RETRY);
        }
    }

    fn sealing_key(&self, _context: &'static str) -> Result<Secret<32>, PlatformError> {
        Err(PlatformError::NoSealing)
    }

    fn collateral(&self) -> Result<Vec<Collateral>, PlatformError> {
        read_collateral(&self.collateral)
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
    )
}

/// One report entry; removed when dropped.
struct Entry<'t, T: ReportTree> {
    tree: &'t T,
    name: String,
}

impl<'t, T: ReportTree> Entry<'t, T> {
    fn make(tree: &'t T, name: String) -> Result<Self, PlatformError> {
        match tree.make(&name) {
            // Left behind by an earlier process with our number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                tree.remove(&name).and_then(|()| tree.make(&name))
            }
            result => result,
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PlatformError::NoTsm { path: tree.place() },
            _ => PlatformError::Quote(error),
        })?;
        Ok(Self { tree, name })
    }

    fn read(&self, attribute: &str) -> Result<Vec<u8>, PlatformError> {
        self.tree.read(&self.name, attribute).map_err(PlatformError::Quote)
    }

    fn write(&self, attribute: &str, bytes: &[u8]) -> Result<(), PlatformError> {
        self.tree.write(&self.name, attribute, bytes).map_err(PlatformError::Quote)
    }

    fn generation(&self) -> Result<u64, PlatformError> {
        let text = self.read("generation")?;
        let malformed =
            || PlatformError::Quote(io::Error::new(io::ErrorKind::InvalidData, "generation is not a number"));
        std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(malformed)
    }
}

impl<T: ReportTree> Drop for Entry<'_, T> {
    fn drop(&mut self) {
        // Nothing depends on it: names are not used twice by one process.
        let _ = self.tree.remove(&self.name);
    }
}

/// A response of Intel's service: the signed object, byte for byte, and its signature.
#[derive(Deserialize)]
struct SignedResponse<'a> {
    #[serde(borrow, alias = "tcbInfo", alias = "enclaveIdentity")]
    content: &'a RawValue,
    signature: String,
}

/// Reads the files named at [`Tsm::new`].
///
/// # Errors
/// Which file is missing or malformed.
pub fn read_collateral(directory: &Path) -> Result<Vec<Collateral>, PlatformError> {
    let read = |name: &str| -> Result<CollateralBytes, PlatformError> {
        let path = directory.join(name);
        let bytes = fs::read(&path)
            .map_err(|source| PlatformError::CollateralFile { path: path.display().to_string(), source })?;
        bytes.try_into().map_err(|_| malformed(&path, "it is larger than 64 KiB"))
    };
    let signed = |name: &str| -> Result<(CollateralBytes, [u8; 64]), PlatformError> {
        let path = directory.join(name);
        let text = read(name)?;
        let response: SignedResponse<'_> =
            serde_json::from_slice(&text).map_err(|error| malformed(&path, &error.to_string()))?;
        let mut signature = [0; 64];
        hex::decode_to_slice(&response.signature, &mut signature)
            .map_err(|_| malformed(&path, "its signature is not 64 bytes in hexadecimal"))?;
        let content = response.content.get().as_bytes().to_vec();
        Ok((content.try_into().map_err(|_| malformed(&path, "it is larger than 64 KiB"))?, signature))
    };
    let (tcb, tcb_signature) = signed("tcb.json")?;
    let (qe, qe_signature) = signed("qe.json")?;
    Ok(vec![
        Collateral::RootCrl { crl: read("root.crl")? },
        Collateral::PckCrl { crl: read("pck.crl")?, issuer_chain: read("pck.pem")? },
        Collateral::TcbInfo { json: tcb, signature: tcb_signature, issuer_chain: read("tcb.pem")? },
        Collateral::QeIdentity { json: qe, signature: qe_signature, issuer_chain: read("qe.pem")? },
    ])
}

fn malformed(path: &Path, reason: &str) -> PlatformError {
    PlatformError::CollateralMalformed { path: path.display().to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, sync::Mutex};

    /// Behaves as the kernel: attributes appear with the entry, `outblob` answers `inblob`, `generation` counts writes.
    #[derive(Default)]
    struct Kernel {
        entries: Mutex<BTreeMap<String, (u64, Vec<u8>)>>,
        made: Mutex<u32>,
        /// This many entries are written to by somebody else, too.
        races: u32,
        /// This many reads of `outblob` are answered with EBUSY.
        busy: Mutex<u32>,
        provider: Option<&'static str>,
        silent: bool,
    }

    impl ReportTree for Kernel {
        fn place(&self) -> String {
            "here".into()
        }

        fn make(&self, entry: &str) -> io::Result<()> {
            *self.made.lock().unwrap() += 1;
            match self.entries.lock().unwrap().insert(entry.into(), (0, Vec::new())) {
                None => Ok(()),
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            }
        }

        fn read(&self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
            let entries = self.entries.lock().unwrap();
            let (generation, inblob) = entries.get(entry).ok_or(io::ErrorKind::NotFound)?;
            match attribute {
                "provider" => Ok(format!("{}\n", self.provider.unwrap_or(PROVIDER_TDX)).into_bytes()),
                "generation" => Ok(format!("{generation}\n").into_bytes()),
                "outblob" if self.silent => Ok(Vec::new()),
                "outblob" => {
                    let mut busy = self.busy.lock().unwrap();
                    if *busy > 0 {
                        *busy -= 1;
                        return Err(io::ErrorKind::ResourceBusy.into());
                    }
                    Ok([b"quote over ", inblob.as_slice()].concat())
                }
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }

        fn write(&self, entry: &str, attribute: &str, bytes: &[u8]) -> io::Result<()> {
            assert_eq!(attribute, "inblob");
            let stranger = *self.made.lock().unwrap() <= self.races;
            let mut entries = self.entries.lock().unwrap();
            let (generation, inblob) = entries.get_mut(entry).ok_or(io::ErrorKind::NotFound)?;
            *generation += 1;
            *inblob = bytes.to_vec();
            if stranger {
                *generation += 1;
                *inblob = b"somebody else's".to_vec();
            }
            Ok(())
        }

        fn remove(&self, entry: &str) -> io::Result<()> {
            self.entries.lock().unwrap().remove(entry).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn quote(kernel: Kernel) -> Result<Vec<u8>, PlatformError> {
        let tsm = Tsm::with_tree(kernel, "");
        let result = tsm.quote([7; 64]);
        assert!(tsm.reports.entries.lock().unwrap().is_empty(), "an entry was left behind");
        result
    }

    fn expected() -> Vec<u8> {
        [b"quote over ".as_slice(), &[7; 64]].concat()
    }

    #[test]
    fn a_quote_is_over_what_was_asked() {
        assert_eq!(quote(Kernel::default()).unwrap(), expected());
    }

    #[test]
    fn a_race_is_noticed_and_tried_again_with_a_new_entry() {
        assert_eq!(quote(Kernel { races: 2, ..Kernel::default() }).unwrap(), expected());
        let always = quote(Kernel { races: u32::MAX, ..Kernel::default() });
        assert!(matches!(always, Err(PlatformError::Race)));
    }

    #[test]
    fn a_busy_interface_is_tried_again() {
        let busy = |times| Kernel { busy: Mutex::new(times), ..Kernel::default() };
        assert_eq!(quote(busy(3)).unwrap(), expected());
        assert!(matches!(quote(busy(u32::MAX)), Err(PlatformError::Quote(_))));
    }

    #[test]
    fn an_entry_left_behind_is_replaced() {
        let kernel = Kernel::default();
        kernel.make(&format!("phala-{}-0", std::process::id())).unwrap();
        assert_eq!(quote(kernel).unwrap(), expected());
    }

    #[test]
    fn another_technologys_reports_are_refused() {
        let result = quote(Kernel { provider: Some("sev_guest"), ..Kernel::default() });
        assert!(matches!(result, Err(PlatformError::Provider { found }) if found == "sev_guest"));
    }

    #[test]
    fn an_empty_quote_is_an_error() {
        assert!(matches!(quote(Kernel { silent: true, ..Kernel::default() }), Err(PlatformError::Quote(_))));
    }

    #[test]
    fn a_machine_without_the_interface_says_what_is_missing() {
        let Err(error) = Tsm::new("/nonexistent/tsm/report", "").quote([7; 64]) else { panic!("it exists") };
        assert!(error.to_string().contains("Linux 6.7"), "{error}");
    }

    #[test]
    fn tdx_says_that_it_has_no_sealing_key() {
        let Err(error) = Tsm::with_tree(Kernel::default(), "").sealing_key("state") else { panic!("it has one") };
        assert!(error.to_string().contains("hint:"), "{error}");
    }

    #[test]
    fn the_kernels_tree_is_a_directory_of_entries() {
        let root = tempfile::tempdir().unwrap();
        let tree = Configfs(root.path().to_owned());
        tree.make("entry").unwrap();
        assert_eq!(tree.make("entry").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        // An attribute is never made by writing to it.
        assert_eq!(tree.write("entry", "inblob", &[1]).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(root.path().join("entry/inblob"), []).unwrap();
        tree.write("entry", "inblob", &[1, 2]).unwrap();
        assert_eq!(tree.read("entry", "inblob").unwrap(), [1, 2]);
        fs::remove_file(root.path().join("entry/inblob")).unwrap();
        tree.remove("entry").unwrap();
        assert!(!root.path().join("entry").exists());
    }

    #[test]
    fn collateral_is_read_as_intels_service_sends_it() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &str| fs::write(directory.path().join(name), content).unwrap();
        let signature = "ab".repeat(64);
        put("tcb.json", &format!(r#"{{"tcbInfo":{{"id": "TDX"}},"signature":"{signature}"}}"#));
        put("qe.json", &format!(r#"{{"enclaveIdentity":{{"id":"TD_QE" }},"signature":"{signature}"}}"#));
        for name in ["root.crl", "pck.crl", "pck.pem", "tcb.pem"] {
            put(name, name);
        }
        let missing = read_collateral(directory.path()).unwrap_err();
        assert!(
            matches!(&missing, PlatformError::CollateralFile { path, .. } if path.ends_with("qe.pem")),
            "{missing}"
        );
        put("qe.pem", "qe.pem");
        let pieces = read_collateral(directory.path()).unwrap();
        assert_eq!(pieces.len(), 4);
        // Byte for byte: the signature is over these spaces, too.
        let Collateral::TcbInfo { json, signature, issuer_chain } = &pieces[2] else { panic!("not TCB info") };
        assert_eq!(
            (json.as_slice(), signature, issuer_chain.as_slice()),
            (&br#"{"id": "TDX"}"#[..], &[0xab; 64], &b"tcb.pem"[..])
        );
        put("tcb.json", r#"{"tcbInfo":{},"signature":"00"}"#);
        assert!(matches!(read_collateral(directory.path()), Err(PlatformError::CollateralMalformed { .. })));
    }
}
