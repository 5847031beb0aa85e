//! Custody of program keys: where they come from.
//!
//! A program's key is the root of everything the program keeps: its state's keys, the key that commands are
//! sealed to, and the keys it derives for itself. Gatekeepers hold the key from which it follows, in shares, and each gives its
//! part to a worker that the finalised chain has assigned.
//!
//! ```text
//! chain, by proof   program ─► root, code epoch ─► epoch: members, output hash ─► members' keys and endpoints
//! a member       →  the epoch's output (its hash stands on chain)
//! each member    →  its part of the key, sealed to this process ─► combined, and verified against the output
//! ```
//!
//! A network whose chain has no root yet has no gatekeepers: programs deployed there have keys of their one worker's own,
//! and die with it. The chain says which it is, so no host can choose.
//!
//! # Properties
//! - A key is used only if it verifies against the root's public key that the finalised chain names.
//! - A worker's own keys are bound to the network, the program and its terms: each code of it has its own.

use codec::Encode;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use phala_crypto::{Secret, derive};
use phala_follow::{Finalized, Head};
use phala_machine::{
    Clock, Courier, Entropy, Identity, Proofs,
    courier::{open_answer, seal},
    proofs::ReadError,
};
use phala_messages::{
    CodeEpoch, KeyName, ProgramId, ProgramRecord, WorkerRecord,
    custody::{EpochRecord, Member, RootGeneration, RootRecord},
    release::{KEY_PATH, KeyQuery, KeyReply, OUTPUT_PATH, SignedKeyQuery, seal_info},
    storage,
    transcript::sha256,
};
use phala_threshold::{KeyIdentity, Output, PartialKey, ParticipantKey, combine};
use std::sync::{Arc, PoisonError, RwLock};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CustodyError(pub String);

/// Where program keys come from.
pub trait Custody: Send + Sync + 'static {
    /// The key `name` of the program that is, or is to be, as `record` describes it.
    fn program_key<'a>(
        &'a self,
        program: &'a ProgramId,
        record: &'a ProgramRecord,
        name: &'a KeyName,
    ) -> BoxFuture<'a, Result<Secret<32>, CustodyError>>;

    /// A newer finalised head: what the chain says is read there from now on.
    fn see(&self, head: &Finalized<Head>);
}

/// Program keys from gatekeepers, or, where the chain has none, out of the worker's own secret.
pub struct ChainCustody {
    identity: Arc<Identity>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    proofs: Arc<dyn Proofs>,
    courier: Arc<dyn Courier>,
    head: RwLock<Option<Finalized<Head>>>,
}

/// The epoch that a program's key comes from, and where its members are.
struct Guard {
    root: RootGeneration,
    code: CodeEpoch,
    epoch: EpochRecord,
    members: Vec<(Member, WorkerRecord)>,
}

impl ChainCustody {
    /// Keys for the worker `identity`.
    pub fn new(
        identity: Arc<Identity>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        proofs: Arc<dyn Proofs>,
        courier: Arc<dyn Courier>,
    ) -> Self {
        Self { identity, clock, entropy, proofs, courier, head: RwLock::default() }
    }

    /// The key of a program that no gatekeepers guard.
    fn own_key(&self, program: &ProgramId, record: &ProgramRecord, code: CodeEpoch) -> Secret<32> {
        let terms = sha256(&(record.owner, record.code, record.code_bytes, &record.manifest).encode());
        let ids: [&[u8]; 4] = [&self.identity.genesis.0, &program.0, &terms.0, &code.0.to_le_bytes()];
        // The first code's key has the name that it had before there were others.
        let ids = if code == CodeEpoch::default() { ids.get(..3).unwrap_or_default() } else { &ids };
        derive(self.identity.master(), "phala/program-key/v1", ids)
    }

    async fn key(
        &self,
        program: &ProgramId,
        record: &ProgramRecord,
        name: &KeyName,
    ) -> Result<Secret<32>, CustodyError> {
        let Some(root) = name.root else { return Ok(self.own_key(program, record, name.code)) };
        let head = self.head.read().unwrap_or_else(PoisonError::into_inner).clone();
        let head = head.ok_or_else(|| CustodyError("the chain is not followed yet".into()))?;
        let guard = self.guard(&head, root, name.code).await?;
        let output = self.output(&guard).await?;
        let mut asked: FuturesUnordered<_> =
            guard.members.iter().map(|member| self.ask(&guard, member, program, head.block().number)).collect();
        let identity = KeyIdentity {
            genesis: self.identity.genesis.0,
            cluster: record.cluster.0,
            program: program.0,
            code_epoch: name.code.0,
        }
        .into();
        let mut parts = Vec::new();
        let mut refused = Vec::new();
        while let Some(answered) = asked.next().await {
            match answered {
                Ok(part) => parts.push(part),
                Err(error) => {
                    refused.push(error.0);
                    continue;
                }
            }
            if parts.len() < guard.epoch.threshold as usize {
                continue;
            }
            match combine(&output, &identity, &parts) {
                Ok(combined) => {
                    for bad in combined.bad {
                        tracing::warn!(%program, ?bad, "a gatekeeper gave a bad part of the key");
                    }
                    return Ok(combined.key);
                }
                // Another member's part may do.
                Err(error) => refused.push(error.to_string()),
            }
        }
        Err(CustodyError(format!(
            "{} of {} gatekeepers gave their part of the key, {} are needed: {}",
            parts.len(),
            guard.members.len(),
            guard.epoch.threshold,
            refused.join("; ")
        )))
    }

    /// Who guards keys of this root, as the chain has it.
    async fn guard(
        &self,
        head: &Finalized<Head>,
        root: RootGeneration,
        code: CodeEpoch,
    ) -> Result<Guard, CustodyError> {
        let lost = |error: ReadError| CustodyError(format!("reading the chain: {error}"));
        let missing = || CustodyError("the chain names a root that it does not have".into());
        let found = self.proofs.get::<RootRecord>(head, "a root", &[storage::root(root)]).await.map_err(lost)?;
        let record = found.into_iter().next().flatten().ok_or_else(missing)?;
        let found = self.proofs.get(head, "an epoch", &[storage::epoch(record.epoch)]).await.map_err(lost)?;
        let epoch: EpochRecord = found.into_iter().next().flatten().ok_or_else(missing)?;
        let keys: Vec<_> = epoch.members.iter().map(|member| storage::worker(&member.gatekeeper)).collect();
        let records = self.proofs.get::<WorkerRecord>(head, "a gatekeeper", &keys).await.map_err(lost)?;
        let now = self.clock.now();
        let members = epoch.members.iter().zip(records);
        let members = members
            .filter_map(|(member, record)| Some((*member, record?)))
            .filter(|(_, record)| record.admits(&record.registration.instance, now))
            .collect();
        Ok(Guard { root, code, epoch, members })
    }

    /// What the epoch came to, from whichever member has it.
    async fn output(&self, guard: &Guard) -> Result<Output, CustodyError> {
        let mut reason = String::from("no member is admitted");
        for (_, record) in &guard.members {
            let asked = guard.epoch.epoch.encode();
            match self.courier.post(&endpoint(record), OUTPUT_PATH, asked).await {
                Ok(bytes) => match Output::parse(&bytes) {
                    Ok(output) if output.hash() == guard.epoch.output_hash.0 => return Ok(output),
                    _ => reason = "it is not the one whose hash the chain has".into(),
                },
                Err(error) => reason = error.to_string(),
            }
        }
        Err(CustodyError(format!("no gatekeeper gives the epoch's output: {reason}")))
    }

    /// One member's part of the key.
    async fn ask(
        &self,
        guard: &Guard,
        (member, record): &(Member, WorkerRecord),
        program: &ProgramId,
        asked: phala_units::BlockNumber,
    ) -> Result<(ParticipantKey, PartialKey), CustodyError> {
        let lost = |error: &dyn std::fmt::Display| CustodyError(format!("{}: {error}", member.gatekeeper));
        let query = KeyQuery {
            worker: self.identity.worker,
            instance: self.identity.instance,
            program: *program,
            root: guard.root,
            code: guard.code,
            asked,
            nonce: self.entropy.bytes(),
        };
        let hash = query.signing_hash(&self.identity.genesis, &record.registration.instance);
        let signature = self.identity.sign_as_instance(&hash.0);
        let message = SignedKeyQuery { query, signature }.encode();
        let (sealed, opener) = seal(&record.registration.transport, KEY_PATH, message).map_err(|error| lost(&error))?;
        let answer = self.courier.post(&endpoint(record), KEY_PATH, sealed).await.map_err(|error| lost(&error))?;
        let reply: KeyReply = open_answer(opener, &answer).map_err(|error| lost(&error))?;
        let answer = reply.map_err(|refusal| lost(&refusal))?;
        if answer.output != guard.epoch.output_hash || answer.member != member.participant {
            return Err(lost(&"its part is of another epoch"));
        }
        let plain = self.identity.open_sealed(&seal_info(&hash), &answer.sealed);
        let plain = plain.map_err(|_| lost(&"its part does not open"))?;
        let part = PartialKey::parse(&plain).map_err(|error| lost(&error))?;
        Ok((ParticipantKey(member.participant.0), part))
    }
}

fn endpoint(record: &WorkerRecord) -> String {
    String::from_utf8_lossy(&record.registration.endpoint).into_owned()
}

impl Custody for ChainCustody {
    fn program_key<'a>(
        &'a self,
        program: &'a ProgramId,
        record: &'a ProgramRecord,
        name: &'a KeyName,
    ) -> BoxFuture<'a, Result<Secret<32>, CustodyError>> {
        Box::pin(self.key(program, record, name))
    }

    fn see(&self, head: &Finalized<Head>) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Some(head.clone());
    }
}
