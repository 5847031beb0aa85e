//! Authorities: whose signatures make a block final.

use alloc::vec::Vec;
use finality_grandpa::voter_set::VoterSet;
use sp_consensus_grandpa::{AuthorityId, AuthorityList};

/// Authorities of one set. Larger sets than any network of this kind has had (Polkadot: about 600).
pub const AUTHORITIES_MAX: usize = 4_096;

/// Why a list is not a set of authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// Nobody could finalise anything.
    #[error("the set of authorities is empty")]
    Empty,
    /// See [`AUTHORITIES_MAX`].
    #[error("the set has {0} authorities, more than {AUTHORITIES_MAX}")]
    TooMany(usize),
    /// Weights start at one, and their sum fits 64 bits.
    #[error("the weights of the authorities are not valid")]
    Weights,
}

/// The authorities in office, and how many sets were in office before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthoritySet {
    id: u64,
    list: AuthorityList,
    voters: VoterSet<AuthorityId>,
}

impl AuthoritySet {
    /// The `id`-th set, counted from zero at genesis.
    ///
    /// # Errors
    /// [`AuthoritiesError`], one variant for each rule.
    pub fn new(id: u64, list: AuthorityList) -> Result<Self, AuthoritiesError> {
        if list.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        if list.len() > AUTHORITIES_MAX {
            return Err(AuthoritiesError::TooMany(list.len()));
        }
        if list.iter().any(|(_, weight)| *weight == 0) {
            return Err(AuthoritiesError::Weights);
        }
        let voters = VoterSet::new(list.iter().cloned()).ok_or(AuthoritiesError::Weights)?;
        Ok(Self { id, list, voters })
    }

    /// The set that takes over from this one.
    ///
    /// # Errors
    /// As [`AuthoritySet::new`].
    pub fn next(&self, list: AuthorityList) -> Result<Self, AuthoritiesError> {
        Self::new(self.id.saturating_add(1), list)
    }

    /// How many sets were in office before.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who they are, with their weights.
    pub fn list(&self) -> &AuthorityList {
        &self.list
    }

    /// The same, as bytes.
    pub(crate) fn keys(&self) -> Vec<([u8; 32], u64)> {
        self.list.iter().map(|(id, weight)| (raw(id), *weight)).collect()
    }

    pub(crate) fn voters(&self) -> &VoterSet<AuthorityId> {
        &self.voters
    }
}

/// An authority's Ed25519 public key.
pub(crate) fn raw(id: &AuthorityId) -> [u8; 32] {
    sp_core::ed25519::Public::from(id.clone()).0
}

/// The authority with this Ed25519 public key.
pub(crate) fn from_raw(key: [u8; 32]) -> AuthorityId {
    sp_core::ed25519::Public::from_raw(key).into()
}
