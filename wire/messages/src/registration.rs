//! Registration: how a machine becomes a worker or a gatekeeper.
//!
//! ```text
//! worker                               chain
//!   │  Registration, block, quote,       │
//!   │  signature ───────────────────────►│ signature by the worker's identity
//!   │                                    │ block recent, of this chain
//!   │                                    │ quote valid, current, over hash(Registration ‖ block ‖ genesis)
//!   │                                    │ measurement allowed, TCB allowed
//!   │◄──────────────── WorkerRecord      │ admitted until `expires_at`
//! ```
//! A later registration of the same worker replaces its instance: of two clones only the one that
//! registered last is believed.
//!
//! Both roles register alike; a *worker* in these names is a machine of either. What differs is decided by the chain:
//! which code is allowed, how current the machine must be, and how long an admission lasts.

use crate::{
    Signature,
    attested::Attested,
    ids::{BlockHash, GenesisHash, Hash, InstanceKey, TransportKey, WorkerId},
    limits::{ENDPOINT_BYTES_MAX, QUOTE_BYTES_MAX},
    transcript::Preimage,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, UnixMillis};
use scale_info::TypeInfo;

/// A quote, not yet parsed.
pub type Quote = BoundedVec<u8, ConstU32<QUOTE_BYTES_MAX>>;
/// URL at which a worker is reached.
pub type Endpoint = BoundedVec<u8, ConstU32<ENDPOINT_BYTES_MAX>>;

/// What a machine wants to be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Role {
    /// Runs programs.
    #[codec(index = 0)]
    Worker,
    /// Holds one share of the master key.
    #[codec(index = 1)]
    Gatekeeper,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Worker, Self::Gatekeeper];
}

/// worker → chain: who I am. The quote is taken over its hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Registration {
    /// Identity, kept over restarts.
    pub worker: WorkerId,
    /// This process.
    pub instance: InstanceKey,
    /// Requests to this process are sealed to it.
    pub transport: TransportKey,
    /// What it wants to be.
    pub role: Role,
    /// Where it is reached: `http://host:port`, no path.
    pub endpoint: Endpoint,
}

/// A block by height and hash.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BlockRef {
    /// Height.
    pub number: BlockNumber,
    /// Hash of its header.
    pub hash: BlockHash,
}

impl Registration {
    /// The 64 bytes that the quote must carry as its report data.
    ///
    /// # Shape
    /// SHA-256 of `"phala/report-data/v1" ‖ genesis ‖ block hash ‖ SCALE(self)`, then 32 zero bytes.
    pub fn report_data(&self, block: &BlockHash, genesis: &GenesisHash) -> [u8; 64] {
        let hash = Preimage::new("phala/report-data/v1").bytes(&genesis.0).bytes(&block.0).bytes(&self.encode()).hash();
        let mut data = [0; 64];
        data[..32].copy_from_slice(&hash.0);
        data
    }

    /// The hash that the worker's identity signs, so that nobody can register in its name.
    ///
    /// # Shape
    /// SHA-256 of `"phala/register/v1" ‖ genesis ‖ block hash ‖ SCALE(self) ‖ SHA-256(quote)`.
    pub fn signing_hash(&self, block: &BlockHash, genesis: &GenesisHash, quote: &[u8]) -> Hash {
        Preimage::new("phala/register/v1")
            .bytes(&genesis.0)
            .bytes(&block.0)
            .bytes(&self.encode())
            .bytes(&crate::transcript::sha256(quote).0)
            .hash()
    }
}

/// The arguments of `registry.register`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Submission {
    /// Who registers.
    pub registration: Registration,
    /// A recent block, so that old evidence cannot be replayed.
    pub block: BlockRef,
    /// Evidence over [`Registration::report_data`].
    pub quote: Quote,
    /// By the worker's identity, over [`Registration::signing_hash`].
    pub signature: Signature,
}

/// A registered worker, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WorkerRecord {
    /// What it registered last.
    pub registration: Registration,
    /// What its evidence said.
    pub attested: Attested,
    /// Block in which this instance was admitted.
    pub admitted_block: BlockNumber,
    /// When the evidence was last judged.
    pub admitted_at: UnixMillis,
    /// Until when it counts, unless it is renewed.
    pub expires_at: UnixMillis,
}

impl WorkerRecord {
    /// Whether `instance` is this worker's current process and its admission has not run out at `now`.
    pub fn admits(&self, instance: &InstanceKey, now: UnixMillis) -> bool {
        self.registration.instance == *instance && now < self.expires_at
    }

    /// Whether the machine registered for this role.
    pub fn has_role(&self, role: Role) -> bool {
        self.registration.role == role
    }
}
