//! The one place where a wrong step breaks the sandbox: running machine code that was not compiled just now.
//!
//! A compiled component is machine code. Whoever can choose its bytes runs whatever they like inside the
//! enclave. So an [`Artifact`] is made in two ways only: by [`crate::Engine::compile`], or here, from bytes that
//! the caller has authenticated.
#![allow(unsafe_code, reason = "wasmtime cannot check machine code; the callers of this module answer for it")]

use crate::artifact::Artifact;
use codec::Decode;
use wasmtime::component::Component;

/// Why bytes are not an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not an artifact of this engine")]
pub struct NotAnArtifact;

/// Reads an artifact from what [`Artifact::to_bytes`] wrote.
///
/// # Safety without `unsafe`
/// `bytes` must come out of an authenticated envelope that only this enclave can seal (AEAD under a sealing
/// key), and must lie in private memory. Nothing here can check that.
///
/// # Errors
/// [`NotAnArtifact`] when the bytes have another shape.
pub fn artifact_from_authenticated(bytes: &[u8]) -> Result<Artifact, NotAnArtifact> {
    let mut rest = bytes;
    match Artifact::decode(&mut rest) {
        Ok(artifact) if rest.is_empty() => Ok(artifact),
        _ => Err(NotAnArtifact),
    }
}

/// Brings an artifact's machine code to life. It is copied out of `artifact`, into memory of its own.
pub(crate) fn revive(engine: &wasmtime::Engine, artifact: &Artifact) -> wasmtime::Result<Component> {
    // SAFETY: the code comes from this engine's own compiler, directly or by way of an envelope that the caller
    // of `artifact_from_authenticated` vouches for. It is private memory that nobody else can change.
    unsafe { Component::deserialize(engine, &artifact.code) }
}
