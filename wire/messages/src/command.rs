//! Commands: requests that the chain orders and that may change a program's state.
//!
//! A command is a binary HTTP request (RFC 9292) sealed by HPKE (RFC 9180, base mode, X25519,
//! HKDF-SHA-256, ChaCha20-Poly1305) to the program's transport key. The chain sees who sent it, when, and
//! its size.

use crate::{
    ids::{Account, GenesisHash, ProgramId},
    limits::SEALED_COMMAND_BYTES_MAX,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, Planck, UnixMillis};
use scale_info::TypeInfo;

/// `encapsulated key (32 bytes) ‖ ciphertext`.
pub type SealedCommand = BoundedVec<u8, ConstU32<SEALED_COMMAND_BYTES_MAX>>;

/// Exported from the command's HPKE context: encrypts the result for the caller alone.
pub const EXPORT_RESULT_KEY: &[u8] = b"phala/command-result/v1";
/// Exported from the command's HPKE context: blinds the command's leaf in the anchor, so that nobody can
/// guess a request or an answer and compare hashes.
pub const EXPORT_BLIND: &[u8] = b"phala/command-blind/v1";

/// The `info` that binds a sealed command to its network, program and caller: it opens for no other.
///
/// # Shape
/// `"phala/command/v1" ‖ genesis ‖ program ‖ caller`.
pub fn seal_info(genesis: &GenesisHash, program: &ProgramId, caller: &Account) -> Vec<u8> {
    [b"phala/command/v1".as_slice(), &genesis.0, &program.0, &caller.0].concat()
}

/// A command that waits for its answer, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct CommandRecord {
    /// Who sent it.
    pub caller: Account,
    /// Block that ordered it.
    pub block: BlockNumber,
    /// That block's time: the clock that the program sees.
    pub time: UnixMillis,
    /// Held until the command is answered.
    pub deposit: Planck,
    /// The request.
    pub sealed: SealedCommand,
}
