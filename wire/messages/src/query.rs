//! Queries: the words that a caller and a worker share beside HTTP itself.
//!
//! A query is an HTTP request sealed to a worker's process. Which program it is for stands in its authority;
//! who asks may stand in a header, signed; paths under [`RESERVED_PREFIX`] are answered by the worker itself
//! and never reach a program.

use crate::{
    Signature,
    ids::{Account, GenesisHash, Hash, InstanceKey, ProgramId},
    transcript::Preimage,
};
use alloc::{format, string::String, vec::Vec};
use codec::{Decode, DecodeAll, Encode};
use phala_units::UnixMillis;

/// The header field that carries the base64 (standard alphabet, padded) of an [`Authorization`].
pub const AUTHORIZATION_FIELD: &str = "phala-authorization";
/// The header field that marks an answer as the worker's own refusal and names its kind.
pub const ERROR_FIELD: &str = "phala-error";
/// Paths that begin like this are the worker's.
pub const RESERVED_PREFIX: &str = "/.phala/";
/// `PUT` in a command, by the owner: replaces the settings. `GET` in a query, by the owner: lists their names.
pub const SETTINGS_PATH: &str = "/.phala/settings";
/// `GET` in a query, by the owner: what the program logged.
pub const LOGS_PATH: &str = "/.phala/logs";
/// How far ahead an authorisation's end may lie.
pub const AUTHORIZATION_MS_MAX: u64 = 300_000;

/// The authority that names a program in a request: 64 hexadecimal digits, then `.phala`.
pub fn authority(program: &ProgramId) -> String {
    format!("{}.phala", hex::encode(program.0))
}

/// The program that an authority names.
pub fn parse_authority(authority: &str) -> Option<ProgramId> {
    let digits = authority.strip_suffix(".phala")?;
    let mut id = [0; 32];
    hex::decode_to_slice(digits, &mut id).ok()?;
    Some(ProgramId(id))
}

/// The place that a command's sealed result is bound to (associated data).
///
/// # Shape
/// `"phala/command-result/v1" ‖ genesis ‖ program ‖ index as u64 little-endian`.
pub fn result_place(genesis: &GenesisHash, program: &ProgramId, index: u64) -> Vec<u8> {
    [b"phala/command-result/v1".as_slice(), &genesis.0, &program.0, &index.to_le_bytes()].concat()
}

/// caller → worker: it is me who asks, and only this, and only now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Authorization {
    /// Who asks.
    pub account: Account,
    /// From then on it counts no more; at most [`AUTHORIZATION_MS_MAX`] ahead.
    pub expires_at: UnixMillis,
    /// Random: makes each one different, so that a worker can refuse the second use.
    pub nonce: [u8; 16],
    /// By the account (sr25519, context `substrate`), over [`Authorization::signing_hash`].
    pub signature: Signature,
}

impl Authorization {
    /// The hash that the account signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/query-authorization/v1" ‖ genesis ‖ program ‖ instance ‖ request ‖ account ‖ expires_at ‖ nonce`, where
    /// `request` is the transcript hash of the request without this header.
    pub fn signing_hash(
        &self,
        genesis: &GenesisHash,
        program: &ProgramId,
        instance: &InstanceKey,
        request: &Hash,
    ) -> Hash {
        Preimage::new("phala/query-authorization/v1")
            .bytes(&genesis.0)
            .bytes(&program.0)
            .bytes(&instance.0)
            .bytes(&request.0)
            .bytes(&self.account.0)
            .bytes(&self.expires_at.0.to_le_bytes())
            .bytes(&self.nonce)
            .hash()
    }

    /// Reads an authorisation; every byte must belong to it.
    pub fn parse(mut bytes: &[u8]) -> Option<Self> {
        Self::decode_all(&mut bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_names_its_program() {
        let program = ProgramId([0xab; 32]);
        assert_eq!(parse_authority(&authority(&program)), Some(program));
        for text in ["", "phala", ".phala", "ab.phala", &"ab".repeat(32), &format!("{}.phala:80", "ab".repeat(32))] {
            assert_eq!(parse_authority(text), None, "{text}");
        }
    }

    #[test]
    fn every_part_of_an_authorization_changes_what_is_signed() {
        let of = |genesis: u8, program: u8, instance: u8, request: u8, account: u8, expires: u64, nonce: u8| {
            Authorization {
                account: Account([account; 32]),
                expires_at: UnixMillis(expires),
                nonce: [nonce; 16],
                signature: [0; 64],
            }
            .signing_hash(
                &GenesisHash([genesis; 32]),
                &ProgramId([program; 32]),
                &InstanceKey([instance; 32]),
                &Hash([request; 32]),
            )
        };
        let all = [
            of(0, 0, 0, 0, 0, 0, 0),
            of(1, 0, 0, 0, 0, 0, 0),
            of(0, 1, 0, 0, 0, 0, 0),
            of(0, 0, 1, 0, 0, 0, 0),
            of(0, 0, 0, 1, 0, 0, 0),
            of(0, 0, 0, 0, 1, 0, 0),
            of(0, 0, 0, 0, 0, 1, 0),
            of(0, 0, 0, 0, 0, 0, 1),
        ];
        let distinct: alloc::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn an_authorization_survives_being_written_and_read_and_nothing_may_follow_it() {
        let one =
            Authorization { account: Account([1; 32]), expires_at: UnixMillis(2), nonce: [3; 16], signature: [4; 64] };
        let mut bytes = one.encode();
        assert_eq!(Authorization::parse(&bytes), Some(one));
        bytes.push(0);
        assert_eq!(Authorization::parse(&bytes), None);
    }
}
