//! Custody of program keys: the door through which gatekeepers will enter.
//!
//! A program's key is the root of everything the program keeps: its state's keys, the key that commands are
//! sealed to, and the keys it derives for itself. Today the one worker of a cluster derives it from its own
//! sealed master secret.
//!
//! # Properties
//! - The key is bound to the network and to everything about the program that never changes: its owner, code and
//!   manifest. A host that shows the worker a chain of his own making, with his code or his name under a
//!   program's id, gets another key, which opens nothing.

use codec::Encode;
use futures::future::BoxFuture;
use phala_crypto::{Secret, derive};
use phala_machine::identity::Identity;
use phala_messages::{ProgramId, ProgramRecord, transcript::sha256};
use std::sync::Arc;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CustodyError(pub String);

/// Where program keys come from.
pub trait Custody: Send + Sync + 'static {
    /// The key of the program that a finalised block describes as `record`.
    fn program_key<'a>(
        &'a self,
        program: &'a ProgramId,
        record: &'a ProgramRecord,
    ) -> BoxFuture<'a, Result<Secret<32>, CustodyError>>;
}

/// Program keys out of the worker's own master secret.
pub struct OwnCustody(pub Arc<Identity>);

impl Custody for OwnCustody {
    fn program_key<'a>(
        &'a self,
        program: &'a ProgramId,
        record: &'a ProgramRecord,
    ) -> BoxFuture<'a, Result<Secret<32>, CustodyError>> {
        let terms = sha256(&(record.owner, record.code, record.code_bytes, &record.manifest).encode());
        let key = derive(self.0.master(), "phala/program-key/v1", &[&self.0.genesis.0, &program.0, &terms.0]);
        Box::pin(std::future::ready(Ok(key)))
    }
}
