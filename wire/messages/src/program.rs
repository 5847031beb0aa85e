//! Programs and the clusters that run them.

use crate::{
    Signature,
    ids::{Account, ClusterId, CodeHash, GenesisHash, Hash, ProgramId, TransportKey, WorkerId},
    limits::*,
    transcript::Preimage,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_units::BlockNumber;
use scale_info::TypeInfo;

/// A program's name, as its owner chose it. Not unique.
pub type Name = BoundedVec<u8, ConstU32<NAME_BYTES_MAX>>;
/// `host` or `host:port`; a leading `*.` stands for any one or more labels.
pub type OutboundHost = BoundedVec<u8, ConstU32<OUTBOUND_HOST_BYTES_MAX>>;

/// How much a call of a program may use. Whoever exceeds one of them loses that call and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ProgramLimits {
    /// Linear memory of one instance, bytes.
    pub memory_bytes_max: u32,
    /// Wall-clock time of a query, milliseconds.
    pub query_ms_max: u32,
    /// Fuel of a command; about one per WebAssembly instruction.
    pub command_fuel_max: u64,
    /// Outbound requests of one query.
    pub outbound_requests_max: u32,
}

impl Default for ProgramLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: MEMORY_BYTES_DEFAULT,
            query_ms_max: QUERY_MS_DEFAULT,
            command_fuel_max: COMMAND_FUEL_DEFAULT,
            outbound_requests_max: OUTBOUND_REQUESTS_DEFAULT,
        }
    }
}

impl ProgramLimits {
    /// Names the first limit that asks for more than the network gives, or for nothing at all.
    pub fn check(&self) -> Result<(), LimitError> {
        let within = |value: u64, max: u64| value > 0 && value <= max;
        if !within(self.memory_bytes_max.into(), MEMORY_BYTES_MAX.into()) {
            return Err(LimitError::Memory);
        }
        if !within(self.query_ms_max.into(), QUERY_MS_MAX.into()) {
            return Err(LimitError::QueryTime);
        }
        if !within(self.command_fuel_max, COMMAND_FUEL_MAX) {
            return Err(LimitError::CommandFuel);
        }
        if self.outbound_requests_max > OUTBOUND_REQUESTS_MAX {
            return Err(LimitError::OutboundRequests);
        }
        Ok(())
    }
}

/// Which limit of a manifest lies outside what the network gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// See [`MEMORY_BYTES_MAX`].
    #[error("memory_bytes_max must be between 1 and {MEMORY_BYTES_MAX}")]
    Memory,
    /// See [`QUERY_MS_MAX`].
    #[error("query_ms_max must be between 1 and {QUERY_MS_MAX}")]
    QueryTime,
    /// See [`COMMAND_FUEL_MAX`].
    #[error("command_fuel_max must be between 1 and {COMMAND_FUEL_MAX}")]
    CommandFuel,
    /// See [`OUTBOUND_REQUESTS_MAX`].
    #[error("outbound_requests_max must be at most {OUTBOUND_REQUESTS_MAX}")]
    OutboundRequests,
}

/// What a program asks of its workers. Public: it lies on chain, and receipts can be checked against it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Manifest {
    /// How much a call may use.
    pub limits: ProgramLimits,
    /// Hosts that queries may fetch from; empty means none.
    pub outbound_hosts: BoundedVec<OutboundHost, ConstU32<OUTBOUND_HOSTS_MAX>>,
    /// How many queries one instance serves before it is replaced. 1 (or 0) means a fresh instance per call,
    /// which keeps each caller's data out of the next one's reach.
    pub reuse: u16,
    /// Whether floating-point NaNs are made equal across processor architectures (slower).
    pub canonical_nans: bool,
}

/// Where a program stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum ProgramStatus {
    /// Its workers do not have the code yet.
    #[codec(index = 0)]
    Deploying,
    /// It answers.
    #[codec(index = 1)]
    Live,
}

impl fmt::Display for ProgramStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deploying => "deploying",
            Self::Live => "live",
        })
    }
}

/// A program, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ProgramRecord {
    /// May configure and remove it.
    pub owner: Account,
    /// As its owner calls it.
    pub name: Name,
    /// Who runs it.
    pub cluster: ClusterId,
    /// Slot in the cluster's list of programs.
    pub slot: u32,
    /// What runs.
    pub code: CodeHash,
    /// Size of that component.
    pub code_bytes: u32,
    /// What it asks for.
    pub manifest: Manifest,
    /// Where it stands.
    pub status: ProgramStatus,
    /// Commands are sealed to this key; present once the program is live.
    pub transport: Option<TransportKey>,
    /// Block in which it was deployed.
    pub deployed: BlockNumber,
    /// How many commands it was ever sent; the index of the next one.
    pub commands: u64,
}

/// A cluster, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClusterRecord {
    /// May assign workers.
    pub owner: Account,
    /// Who runs its programs.
    pub workers: BoundedVec<WorkerId, ConstU32<CLUSTER_WORKERS_MAX>>,
    /// Slots of its list of programs that were ever used; some may be empty again.
    pub slots: u32,
    /// Counts every change that a worker of the cluster must look at: deployed or removed programs, commands,
    /// anchors. While it stands still there is nothing to read.
    pub activity: u64,
}

/// worker → chain: the program answers; commands may be sealed to `transport`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Ready {
    /// Which program.
    pub program: ProgramId,
    /// The program's key.
    pub transport: TransportKey,
    /// Who says so.
    pub worker: WorkerId,
}

impl Ready {
    /// The hash that the worker's instance signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/ready/v1" ‖ genesis ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new("phala/ready/v1").bytes(&genesis.0).bytes(&self.encode()).hash()
    }
}

/// The arguments of `programs.ready`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedReady {
    /// What is said.
    pub ready: Ready,
    /// By the worker's current instance.
    pub signature: Signature,
}
