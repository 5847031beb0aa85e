//! Compile once: from a component as it was uploaded to machine code for this processor.

use crate::{
    audit::{AuditError, World, audit},
    engine::{Engine, Flavor},
};
use codec::{Decode, Encode};
use phala_messages::{ids::CodeHash, limits::CODE_BYTES_MAX, transcript::sha256};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use wasmtime::component::Component;

/// Whether floating-point NaNs are made equal across processor architectures, which can cost a multiple in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Nans {
    /// As the processor makes them.
    #[default]
    #[codec(index = 0)]
    Native,
    /// All alike.
    #[codec(index = 1)]
    Canonical,
}

impl From<bool> for Nans {
    /// From [`phala_messages::program::Manifest::canonical_nans`].
    fn from(canonical: bool) -> Self {
        if canonical { Self::Canonical } else { Self::Native }
    }
}

/// A compiled component.
///
/// # Invariants
/// `code` was made by this crate's compiler from the component whose hash is `wasm`; see [`crate::danger`].
#[derive(Clone, Encode, Decode)]
pub struct Artifact {
    wasm: CodeHash,
    nans: Nans,
    p3: bool,
    compatibility: [u8; 32],
    pub(crate) code: Vec<u8>,
}

impl Artifact {
    /// Hash of the component that was compiled.
    pub fn wasm(&self) -> CodeHash {
        self.wasm
    }

    /// How it treats NaNs.
    pub fn nans(&self) -> Nans {
        self.nans
    }

    /// Stands for the compiler's version and settings and the processor's features. An artifact with another one
    /// cannot be loaded here: compile again.
    pub fn compatibility(&self) -> [u8; 32] {
        self.compatibility
    }

    /// Size of the machine code.
    pub fn code_bytes(&self) -> usize {
        self.code.len()
    }

    /// The artifact as bytes, to be sealed. The way back is [`crate::danger::artifact_from_authenticated`].
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    pub(crate) fn world(&self) -> World {
        if self.p3 { World::P3 } else { World::P2 }
    }
}

impl std::fmt::Debug for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Artifact({}, {} bytes)", self.wasm, self.code.len())
    }
}

/// Why a component cannot become a program. Its owner is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It is larger than a component may be.
    #[error("the component has {0} bytes, more than {CODE_BYTES_MAX}")]
    TooLarge(usize),
    /// The bytes are no WebAssembly, or broken.
    #[error("not valid WebAssembly: {0}")]
    NotWebAssembly(String),
    /// It is a core module.
    #[error("a core module, not a component: build for wasm32-wasip2, or wrap it with `wasm-tools component new`")]
    NotComponent,
    /// It exports no handler.
    #[error("exports no `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`")]
    NoHandler,
    /// It wants something that workers do not offer.
    #[error("imports `{0}`, which workers do not offer")]
    UnknownImport(String),
    /// It imports something known, but with another shape.
    #[error("imports do not fit: {0}")]
    Imports(String),
    /// It is valid, and beyond what an instance may have (memories, tables, instances).
    #[error("cannot be run here: {0}")]
    Unsupported(String),
}

impl From<AuditError> for CompileError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::NotWebAssembly(reason) => Self::NotWebAssembly(reason),
            AuditError::NotComponent => Self::NotComponent,
            AuditError::UnknownImport(name) => Self::UnknownImport(name),
            AuditError::NoHandler => Self::NoHandler,
        }
    }
}

impl Engine {
    /// Validates a component, checks that everything it imports is offered, and compiles it.
    ///
    /// Keeps a core busy for a tenth of a second (Rust) to a minute (JavaScript, Python): call it on a thread
    /// that may block.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn compile(&self, wasm: &[u8], nans: Nans) -> Result<Artifact, CompileError> {
        if wasm.len() > CODE_BYTES_MAX as usize {
            return Err(CompileError::TooLarge(wasm.len()));
        }
        let world = audit(wasm)?;
        let flavor = self.flavor(world, nans).map_err(|error| CompileError::Unsupported(error.to_string()))?;
        let component = Component::new(&flavor.engine, wasm).map_err(|error| {
            // The engine's error does not tell what is broken from what it does not know.
            match wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(wasm) {
                Err(invalid) => CompileError::NotWebAssembly(invalid.to_string()),
                Ok(_) => CompileError::Unsupported(format!("{error:#}")),
            }
        })?;
        flavor.linker.instantiate_pre(&component).map_err(|error| CompileError::Imports(format!("{error:#}")))?;
        let code = component.serialize().map_err(|error| CompileError::Unsupported(format!("{error:#}")))?;
        Ok(Artifact {
            wasm: CodeHash(sha256(wasm).0),
            nans,
            p3: world == World::P3,
            compatibility: compatibility(flavor),
            code,
        })
    }
}

/// A name for everything that machine code depends on.
pub(crate) fn compatibility(flavor: &Flavor) -> [u8; 32] {
    struct Sink(Sha256);

    impl Hasher for Sink {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0 // never asked for: the digest itself is the result
        }
    }

    let mut sink = Sink(Sha256::new());
    flavor.engine.precompile_compatibility_hash().hash(&mut sink);
    sink.0.finalize().into()
}
