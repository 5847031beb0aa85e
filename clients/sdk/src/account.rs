//! Accounts: who signs.
//!
//! A key pair is sr25519, as on every Substrate chain. It comes from a recovery phrase, a seed, or, on
//! development networks only, from a well-known path like `//Alice` that the whole world can sign with.
//! Addresses are SS58 with prefix 30, as on the Phala chain.

use crate::Hint;
use phala_messages::Account;
use serde::{Deserialize, Serialize};
use sp_core::{
    Pair as _,
    crypto::{Ss58AddressFormat, Ss58Codec},
    sr25519,
};
use std::{
    fmt, fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::{Zeroize, Zeroizing};

/// The SS58 prefix of the network's addresses.
pub const SS58_PREFIX: u16 = 30;
/// A key file's first field.
const KEY_FILE_FORMAT: u32 = 1;

/// Why there is no such account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The text is no address.
    #[error("`{0}` is not an address")]
    Address(String),
    /// The text is no secret.
    #[error("not a recovery phrase, a seed (0x and 64 hexadecimal digits) or a development path like //Alice")]
    Secret,
    /// A well-known key where money may be at stake.
    #[error("`{0}` is a development account: everyone in the world can sign for it")]
    Development(String),
    /// A file that cannot be read or written.
    #[error("key file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that says something else.
    #[error("{0} is not a key file")]
    Malformed(PathBuf),
    /// Readable by others.
    #[error("key file {path} can be read by other users (mode {mode:o})")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Hint for AccountError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address(_) => "an address is an SS58 text like 45… or 0x and 64 hexadecimal digits".into(),
            Self::Secret => "make an account with `phala account new NAME` and pass `--account NAME`".into(),
            Self::Development(_) => "make an account with `phala account new NAME` and pass `--account NAME`".into(),
            Self::File { source, path } if source.kind() == io::ErrorKind::NotFound => {
                format!("`phala account list` shows the accounts you have; nothing is at {}", path.display())
            }
            Self::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                "choose another name: a key file is never overwritten".into()
            }
            Self::File { .. } => "check that the path exists and is yours".into(),
            Self::Malformed(_) => "a key file is made by `phala account new NAME`".into(),
            Self::Exposed { path, .. } => format!("chmod 600 {}", path.display()),
        })
    }
}

/// A signing key. Prints its address only.
#[derive(Clone)]
pub struct KeyPair(sr25519::Pair);

impl KeyPair {
    /// Makes a new account; the recovery phrase is the only way to make it again.
    pub fn generate() -> (Self, Zeroizing<String>) {
        let (pair, phrase, mut seed) = sr25519::Pair::generate_with_phrase(None);
        seed.zeroize();
        (Self(pair), Zeroizing::new(phrase))
    }

    /// The account of a recovery phrase, a seed or a path: `word word …`, `0x…`, `//Alice`.
    ///
    /// # Errors
    /// [`AccountError::Secret`].
    pub fn parse(secret: &str) -> Result<Self, AccountError> {
        sr25519::Pair::from_string(secret.trim(), None).map(Self).map_err(|_| AccountError::Secret)
    }

    /// The account itself: its public key.
    pub fn account(&self) -> Account {
        Account(self.0.public().0)
    }

    /// Its address.
    pub fn address(&self) -> String {
        address(&self.account())
    }

    /// Signs `message` in Substrate's signing context.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).0
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.address())
    }
}

/// The SS58 address of an account.
pub fn address(account: &Account) -> String {
    sr25519::Public::from_raw(account.0).to_ss58check_with_version(Ss58AddressFormat::custom(SS58_PREFIX))
}

/// Reads an address: SS58 of any network (a key is the same key everywhere), or hexadecimal.
///
/// # Errors
/// [`AccountError::Address`].
pub fn parse_address(text: &str) -> Result<Account, AccountError> {
    if let Ok(account) = text.parse() {
        return Ok(account);
    }
    sr25519::Public::from_ss58check_with_version(text)
        .map(|(public, _)| Account(public.0))
        .map_err(|_| AccountError::Address(text.into()))
}

/// Whether `name` is a path under the development phrase, which is public.
pub fn is_development(name: &str) -> bool {
    name.starts_with("//")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: u32,
    scheme: String,
    address: String,
    secret: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// Writes a new key file, readable by its owner alone. Never overwrites one.
///
/// # Errors
/// [`AccountError::File`].
pub fn write_key_file(path: &Path, pair: &KeyPair, phrase: &str) -> Result<(), AccountError> {
    let file_error = |source| AccountError::File { path: path.into(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(file_error)?;
    }
    let content =
        KeyFile { format: KEY_FILE_FORMAT, scheme: "sr25519".into(), address: pair.address(), secret: phrase.into() };
    let text = Zeroizing::new(serde_json::to_string_pretty(&content).map_err(|e| file_error(e.into()))?);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file_error)?;
    io::Write::write_all(&mut file, text.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error)
}

/// Reads a key file; refuses one that others can read.
///
/// # Errors
/// [`AccountError`].
pub fn read_key_file(path: &Path) -> Result<KeyPair, AccountError> {
    let (content, mode) = open_key_file(path)?;
    if mode & 0o077 != 0 {
        return Err(AccountError::Exposed { path: path.into(), mode });
    }
    let pair = KeyPair::parse(&content.secret).map_err(|_| AccountError::Malformed(path.into()))?;
    // A file whose address belongs to another key was edited by hand; signing with it would surprise.
    if pair.address() != content.address { Err(AccountError::Malformed(path.into())) } else { Ok(pair) }
}

/// The address in a key file, without touching its secret.
///
/// # Errors
/// [`AccountError`].
pub fn read_key_file_address(path: &Path) -> Result<String, AccountError> {
    open_key_file(path).map(|(mut content, _)| std::mem::take(&mut content.address))
}

fn open_key_file(path: &Path) -> Result<(KeyFile, u32), AccountError> {
    let file_error = |source| AccountError::File { path: path.into(), source };
    let mode = fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o777;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file_error)?);
    let content: KeyFile = serde_json::from_str(&text).map_err(|_| AccountError::Malformed(path.into()))?;
    if content.format != KEY_FILE_FORMAT || content.scheme != "sr25519" {
        return Err(AccountError::Malformed(path.into()));
    }
    Ok((content, mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alice_is_the_alice_that_every_substrate_chain_knows() {
        let alice = KeyPair::parse("//Alice").unwrap();
        let known = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
        assert_eq!(alice.account().to_string(), known);
        assert_eq!(parse_address("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY").unwrap(), alice.account());
        assert_eq!(parse_address(&alice.address()).unwrap(), alice.account());
        assert_eq!(parse_address(known).unwrap(), alice.account());
    }

    #[test]
    fn a_signature_is_believed_by_the_chain_s_verifier() {
        let alice = KeyPair::parse("//Alice").unwrap();
        let signature = alice.sign(b"message");
        assert!(phala_crypto::verify_sr25519(&alice.account().0, b"message", &signature));
        assert!(!phala_crypto::verify_sr25519(&alice.account().0, b"massage", &signature));
    }

    #[test]
    fn a_new_account_comes_back_from_its_key_file_and_from_its_phrase() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accounts/ada.json");
        let (pair, phrase) = KeyPair::generate();
        write_key_file(&path, &pair, &phrase).unwrap();
        assert_eq!(read_key_file(&path).unwrap().account(), pair.account());
        assert_eq!(KeyPair::parse(&phrase).unwrap().account(), pair.account());
        assert_eq!(read_key_file_address(&path).unwrap(), pair.address());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = write_key_file(&path, &pair, &phrase).unwrap_err();
        assert!(matches!(&again, AccountError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.json");
        let (pair, phrase) = KeyPair::generate();
        write_key_file(&path, &pair, &phrase).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_key_file(&path), Err(AccountError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn what_is_not_an_account_is_refused_with_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        assert!(matches!(read_key_file(&path), Err(AccountError::File { .. })));
        fs::write(&path, "{}").unwrap();
        assert!(matches!(read_key_file(&path), Err(AccountError::Malformed(_))));
        for text in ["", "bob", "5Grwva", "0x12"] {
            let error = parse_address(text).unwrap_err();
            assert!(error.hint().is_some(), "{text}");
        }
        assert!(matches!(KeyPair::parse("one two three"), Err(AccountError::Secret)));
    }

    #[test]
    fn a_key_prints_its_address_only() {
        let alice = KeyPair::parse("//Alice").unwrap();
        assert_eq!(format!("{alice:?}"), format!("KeyPair({})", alice.address()));
    }
}
