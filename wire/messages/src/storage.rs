//! The chain's state that others read by proof: where each thing lies.
//!
//! # Shape
//! `twox128(pallet) ‖ twox128(item)`, then for maps `blake2b128(SCALE(key)) ‖ SCALE(key)` for each key. The runtime's
//! tests hold these against the storage that FRAME generates.

use crate::ids::{Account, ClusterId, ProgramId, WorkerId};
use alloc::vec::Vec;
use codec::Encode;
use sp_crypto_hashing::{blake2_128, twox_128};

/// Key of a plain value, and the prefix of a map.
pub fn item(pallet: &str, name: &str) -> Vec<u8> {
    [twox_128(pallet.as_bytes()), twox_128(name.as_bytes())].concat()
}

fn entry(pallet: &str, name: &str, keys: &[Vec<u8>]) -> Vec<u8> {
    let mut out = item(pallet, name);
    for key in keys {
        out.extend_from_slice(&blake2_128(key));
        out.extend_from_slice(key);
    }
    out
}

/// `u64`: the block's time, Unix milliseconds.
pub fn timestamp_now() -> Vec<u8> {
    item("Timestamp", "Now")
}

/// `Vec<(AuthorityId, u64)>`: who finalises.
pub fn grandpa_authorities() -> Vec<u8> {
    item("Grandpa", "Authorities")
}

/// [`crate::WorkerRecord`].
pub fn worker(id: &WorkerId) -> Vec<u8> {
    entry("Registry", "Workers", &[id.encode()])
}

/// [`ClusterId`]: where a worker works.
pub fn assignment(id: &WorkerId) -> Vec<u8> {
    entry("Programs", "Assignments", &[id.encode()])
}

/// [`crate::ClusterRecord`].
pub fn cluster(id: ClusterId) -> Vec<u8> {
    entry("Programs", "Clusters", &[id.encode()])
}

/// [`ProgramId`] in a slot of a cluster.
pub fn cluster_program(id: ClusterId, slot: u32) -> Vec<u8> {
    entry("Programs", "ClusterPrograms", &[id.encode(), slot.encode()])
}

/// [`crate::ProgramRecord`].
pub fn program(id: &ProgramId) -> Vec<u8> {
    entry("Programs", "Programs", &[id.encode()])
}

/// [`crate::AnchorRecord`].
pub fn anchor(id: &ProgramId) -> Vec<u8> {
    entry("Programs", "Anchors", &[id.encode()])
}

/// [`crate::CommandRecord`].
pub fn command(id: &ProgramId, index: u64) -> Vec<u8> {
    entry("Programs", "Commands", &[id.encode(), index.encode()])
}

/// `frame_system::AccountInfo`: nonce and balance.
pub fn account(id: &Account) -> Vec<u8> {
    entry("System", "Account", &[id.encode()])
}
