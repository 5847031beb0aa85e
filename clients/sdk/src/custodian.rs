//! A recovery custodian: its keys, in a file under a passphrase.
//!
//! A custodian keeps one secret. From it follow a key that pieces of key shares are sealed to, and one that it signs with. The
//! file may lie on a machine that is offline for years; without the passphrase it is worth as much as the passphrase is long.

use crate::Hint;
use phala_crypto::{
    Secret, SigningKey, derive, hpke,
    passphrase::{ROUNDS, SALT_BYTES, passphrase_key},
};
use phala_messages::{
    CustodianKey, GenesisHash, TransportKey,
    custody::Signed,
    recovery::{Custodian, CustodianCall, CustodianMessage, Handover, PieceRelease, SEALED_PIECE_BYTES, SeatBackup},
};
use phala_threshold::{Commitment, Piece, verify_piece};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const FORMAT: u32 = 1;
/// What the sealed secret is bound to.
const PLACE: &[u8] = b"phala/custodian-file/v1";
/// The fewest characters of a passphrase: stretching makes up for no shorter one.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why there is no custodian's key.
#[derive(Debug, thiserror::Error)]
pub enum CustodianError {
    /// A file that cannot be read or written.
    #[error("custodian's file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that says something else.
    #[error("{0} is not a custodian's file")]
    Malformed(PathBuf),
    /// The passphrase is not the one under which the file was made.
    #[error("the passphrase does not open {0}")]
    Passphrase(PathBuf),
    /// Too easy to guess.
    #[error("the passphrase has fewer than {PASSPHRASE_CHARS_MIN} characters")]
    Short,
    /// No randomness.
    #[error("the operating system gives no randomness")]
    Entropy,
}

impl Hint for CustodianError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                "choose another name: a custodian's file is never overwritten".into()
            }
            Self::File { .. } => "check that the path exists and is yours".into(),
            Self::Malformed(_) => "`phala recovery custodian new FILE` makes one".into(),
            Self::Passphrase(_) => "nobody can help if it is forgotten: governance can only appoint another".into(),
            Self::Short => "take several words that nobody would put together".into(),
            Self::Entropy => "try again on another machine".into(),
        })
    }
}

/// A custodian's file. What it shows is public; the secret is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianFile {
    format: u32,
    /// Pieces are sealed to it.
    pub sealing: CustodianKey,
    /// It signs with it.
    pub signing: CustodianKey,
    /// How the passphrase is stretched.
    stretching: String,
    rounds: u32,
    salt: String,
    sealed: String,
}

const STRETCHING: &str = "pbkdf2-hmac-sha512";

impl CustodianFile {
    /// Makes a new custodian and its file, which only its owner can read.
    ///
    /// # Errors
    /// [`CustodianError`]; an existing file stays.
    pub fn create(path: &Path, passphrase: &[u8]) -> Result<Self, CustodianError> {
        if String::from_utf8_lossy(passphrase).chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(CustodianError::Short);
        }
        let mut drawn = Zeroizing::new([0; 32 + SALT_BYTES + 24]);
        getrandom::fill(&mut *drawn).map_err(|_| CustodianError::Entropy)?;
        let (secret, rest) = drawn.split_first_chunk::<32>().ok_or(CustodianError::Entropy)?;
        let (salt, nonce) = rest.split_first_chunk::<SALT_BYTES>().ok_or(CustodianError::Entropy)?;
        let nonce = nonce.try_into().map_err(|_| CustodianError::Entropy)?;
        let keys = CustodianKeys(Secret::generate(|out| out.copy_from_slice(secret)));
        let key = passphrase_key(passphrase, salt, ROUNDS).ok_or(CustodianError::Entropy)?;
        let Custodian { sealing, signing } = keys.public();
        let file = Self {
            format: FORMAT,
            sealing,
            signing,
            stretching: STRETCHING.into(),
            rounds: ROUNDS,
            salt: hex::encode(salt),
            sealed: hex::encode(key.seal(nonce, PLACE, secret)),
        };
        let failed = |source| CustodianError::File { path: path.into(), source };
        let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let text = serde_json::to_string_pretty(&file).map_err(|_| CustodianError::Malformed(path.into()))?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
        Ok(file)
    }

    /// Reads a file, not its secret.
    ///
    /// # Errors
    /// [`CustodianError`].
    pub fn read(path: &Path) -> Result<Self, CustodianError> {
        let failed = |source| CustodianError::File { path: path.into(), source };
        if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
            return Err(CustodianError::Malformed(path.into()));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let file: Self = serde_json::from_str(&text).map_err(|_| CustodianError::Malformed(path.into()))?;
        if file.format != FORMAT || file.stretching != STRETCHING {
            return Err(CustodianError::Malformed(path.into()));
        }
        Ok(file)
    }

    /// The custodian, as governance appoints it.
    pub const fn custodian(&self) -> Custodian {
        Custodian { sealing: self.sealing, signing: self.signing }
    }

    /// Opens the secret. `path` is for messages.
    ///
    /// # Errors
    /// [`CustodianError`].
    pub fn open(&self, path: &Path, passphrase: &[u8]) -> Result<CustodianKeys, CustodianError> {
        let malformed = || CustodianError::Malformed(path.into());
        let mut salt = [0; SALT_BYTES];
        hex::decode_to_slice(&self.salt, &mut salt).map_err(|_| malformed())?;
        let sealed = hex::decode(&self.sealed).map_err(|_| malformed())?;
        let key = passphrase_key(passphrase, &salt, self.rounds).ok_or_else(malformed)?;
        let secret = key.open(PLACE, &sealed).map(Zeroizing::new);
        let secret = secret.map_err(|_| CustodianError::Passphrase(path.into()))?;
        let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| malformed())?;
        let keys = CustodianKeys(Secret::generate(|out| out.copy_from_slice(secret)));
        // A file whose public keys belong to another secret was edited by hand.
        if keys.public() == self.custodian() { Ok(keys) } else { Err(malformed()) }
    }
}

/// A custodian's secret. Erased when dropped, never printed.
pub struct CustodianKeys(Secret<32>);

impl CustodianKeys {
    fn sealing(&self) -> hpke::KeyPair {
        hpke::KeyPair::derive(&derive(&self.0, "recovery/custodian-sealing/v1", &[]))
    }

    fn signing(&self) -> SigningKey {
        SigningKey::new(&derive(&self.0, "recovery/custodian-signing/v1", &[]))
    }

    /// Its public half.
    pub fn public(&self) -> Custodian {
        let (sealing, signing) = (self.sealing().public(), self.signing().public());
        Custodian { sealing: CustodianKey(sealing), signing: CustodianKey(signing) }
    }

    fn sign<M: CustodianMessage>(&self, genesis: &GenesisHash, message: M) -> Signed<M> {
        let signature = self.signing().sign(&message.signing_hash(genesis).0);
        Signed { message, signature }
    }

    /// This custodian's call for a ceremony.
    pub fn call(&self, genesis: &GenesisHash, call: CustodianCall) -> Signed<CustodianCall> {
        self.sign(genesis, call)
    }

    /// Opens this custodian's piece of a backup, and verifies it. None when it does not open, or does not lie on the backup's
    /// polynomial.
    pub fn piece(&self, genesis: &GenesisHash, backup: &SeatBackup, place: u32) -> Option<Piece> {
        let sealed = backup.pieces.get(place as usize)?;
        let (plain, _) = self.sealing().open(&backup.piece_info(genesis, place), sealed).ok()?;
        let piece = Piece::parse(&Zeroizing::new(plain))?;
        let commitment = Commitment::of_points(&backup.polynomial)?;
        verify_piece(&commitment, place, &piece).then_some(piece)
    }

    /// A piece, sealed to the process that the chain names. None when its transport key is of no use.
    pub fn release(
        &self,
        genesis: &GenesisHash,
        handover: Handover,
        piece: &Piece,
        transport: &TransportKey,
    ) -> Option<Signed<PieceRelease>> {
        let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
        let (sealed, _) = hpke::seal(&mut rng, &transport.0, &handover.info(genesis), piece.bytes_to_seal()).ok()?;
        let sealed = <[u8; SEALED_PIECE_BYTES]>::try_from(sealed).ok()?;
        Some(self.sign(genesis, PieceRelease { handover, sealed }))
    }
}

impl std::fmt::Debug for CustodianKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustodianKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_custodian_comes_back_from_its_file_with_its_passphrase_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.json");
        let made = CustodianFile::create(&path, b"four words and a number 7").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let file = CustodianFile::read(&path).unwrap();
        assert_eq!(file.custodian(), made.custodian());
        let keys = file.open(&path, b"four words and a number 7").unwrap();
        assert_eq!(keys.public(), file.custodian());
        assert_eq!(format!("{keys:?}"), "CustodianKeys(…)");
        assert!(matches!(file.open(&path, b"four words and a number 8"), Err(CustodianError::Passphrase(_))));
        let again = CustodianFile::create(&path, b"four words and a number 7").unwrap_err();
        assert!(matches!(&again, CustodianError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
        let mut forged = file.clone();
        forged.sealing.0[0] ^= 1;
        let opened = forged.open(&path, b"four words and a number 7");
        assert!(matches!(opened, Err(CustodianError::Malformed(_))));
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("words"));
    }

    #[test]
    fn a_short_passphrase_and_a_strange_file_are_refused_with_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        let short = CustodianFile::create(&path, b"eleven char").unwrap_err();
        assert!(matches!(short, CustodianError::Short) && short.hint().is_some());
        assert!(!path.exists());
        assert!(matches!(CustodianFile::read(&path), Err(CustodianError::File { .. })));
        fs::write(&path, "{}").unwrap();
        assert!(matches!(CustodianFile::read(&path), Err(CustodianError::Malformed(_))));
        fs::write(&path, vec![b' '; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(CustodianFile::read(&path), Err(CustodianError::Malformed(_))));
    }
}
