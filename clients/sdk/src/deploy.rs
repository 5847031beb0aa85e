//! Deploying: a component becomes a program that answers.
//!
//! ```text
//! hash ──programs.deploy──► finalised: the program's id
//! component ──PUT /v1/code/{hash}──► the lead: compares the hash, compiles, asks the chain to say `live`
//! chain ──► live, by proof ──► settings, sealed, as the first command
//! ```

use crate::{
    Client, Command, Hint, KeyPair, Query,
    call::Problem,
    client::{ChainError, POLL, decode},
    send::SendError,
    submit::{Applied, SubmitError},
};
use bytes::Bytes;
use futures::stream;
use http::Method;
use phala_messages::{
    ClusterId, CodeEpoch, CodeHash, Manifest, ProgramId, ProgramRecord, ProgramStatus, WorkerRecord,
    calls::{Call, Programs},
    limits::CODE_BYTES_MAX,
    program::Name,
    query::SETTINGS_PATH,
    storage,
    transcript::sha256,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A piece of an upload.
const PIECE_BYTES: usize = 64 * 1024;
/// How long a worker may take until it has seen that it needs the code.
const ASSIGNED_TIMEOUT: Duration = Duration::from_secs(60);
/// The first bytes of a component: `\0asm`, version 13, layer 1.
const COMPONENT_MAGIC: [u8; 8] = [0, b'a', b's', b'm', 13, 0, 1, 0];

/// Why a component did not become a program that answers.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The chain did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The bytes are no component.
    #[error("{0}")]
    NotAComponent(&'static str),
    /// Larger than the network takes.
    #[error("the component has {bytes} bytes; at most {CODE_BYTES_MAX} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// The name is longer than the chain keeps.
    #[error("a name has 1 to 64 bytes")]
    Name,
    /// No such cluster.
    #[error("{0} is not on chain")]
    Cluster(ClusterId),
    /// Nobody would run it.
    #[error("{0} has no admitted worker")]
    NoWorker(ClusterId),
    /// It was deployed, and is not there.
    #[error("the program was deployed and is not on chain")]
    Lost,
    /// A worker did not take the code.
    #[error("worker {endpoint} did not take the code: {reason}")]
    Upload {
        /// Where.
        endpoint: String,
        /// What it said.
        reason: String,
        /// What it advises.
        hint: Option<String>,
    },
    /// The worker has the code, and cannot run it.
    #[error("the worker cannot run it: {0}")]
    Unrunnable(String),
    /// Another upgrade of the same program was ordered meanwhile.
    #[error("another upgrade took this one's place")]
    Replaced,
    /// It did not become live in time.
    #[error("program {program} is not live after {seconds} s")]
    Timeout {
        /// Which.
        program: ProgramId,
        /// How long it had.
        seconds: u64,
    },
    /// Its settings did not arrive.
    #[error("the program is live, but its settings were not taken")]
    Settings(#[source] SendError),
    /// Its settings were refused.
    #[error("the program is live, but its settings were refused: {0}")]
    SettingsRefused(Problem),
}

impl Hint for DeployError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Submit(error) => error.hint(),
            Self::NotAComponent(_) => Some("`phala build` turns a project into a component; deploy that file".into()),
            Self::TooLarge { .. } => Some("build it with optimisation, and strip it".into()),
            Self::Name => Some("choose another: --name NAME".into()),
            Self::Cluster(_) => Some("leave `--cluster` away to use the network's own".into()),
            Self::NoWorker(_) => Some("`phala status` shows the workers and what they wait for".into()),
            Self::Replaced => Some("`phala programs` shows what runs".into()),
            Self::Lost => Some("`phala programs` shows what the chain has; try again".into()),
            Self::Upload { hint, .. } => hint.clone().or_else(|| Some("`phala status` shows the worker".into())),
            Self::Timeout { .. } => {
                Some("the worker's log says what it waits for; `phala programs` shows when the program is live".into())
            }
            Self::Settings(error) => error.hint(),
            Self::SettingsRefused(problem) => problem.hint.clone(),
            Self::Unrunnable(_) => {
                Some("a component must export wasi:http/incoming-handler and import only what docs/reference/program-world.md names".into())
            }
        }
    }
}

/// What to deploy.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The component.
    pub component: Bytes,
    /// What its owner calls it.
    pub name: String,
    /// Who runs it.
    pub cluster: ClusterId,
    /// What it asks for.
    pub manifest: Manifest,
    /// Settings (`wasi:config`); sent sealed, once it is live.
    pub settings: BTreeMap<String, String>,
    /// How long it may take to become live.
    pub timeout: Duration,
}

/// How far a deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The extrinsic is on its way into a finalised block.
    Ordering,
    /// The component is on its way to a worker.
    Uploading {
        /// Where.
        endpoint: String,
        /// Bytes sent.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A worker compiles it; the chain does not call it live yet.
    Preparing(ProgramId),
    /// Its settings are on their way.
    Settings,
}

/// A program that answers.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its id.
    pub program: ProgramId,
    /// Hash of its component.
    pub code: CodeHash,
    /// Addresses of the workers that have it: the first leads, the others stand by.
    pub workers: Vec<String>,
    /// How long it took, from the first question on.
    pub took: Duration,
}

/// Where a program stands on a worker, as the worker tells it.
#[derive(Deserialize)]
pub(crate) struct Standing {
    pub serving: bool,
    problem: Option<String>,
    detail: Option<String>,
    /// Of the code that runs.
    pub code_epoch: Option<CodeEpoch>,
    /// What the worker makes of an upgrade that was ordered.
    pub upgrade: Option<Preparing>,
}

/// An upgrade that a worker is to carry out.
#[derive(Deserialize)]
pub(crate) struct Preparing {
    pub code_epoch: CodeEpoch,
    pub problem: Option<String>,
    pub detail: Option<String>,
}

impl Client {
    /// Deploys a component and waits until the program answers.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn deploy(
        &self,
        owner: &KeyPair,
        deployment: &Deployment,
        progress: impl Fn(Step) + Send + Sync + 'static,
    ) -> Result<Deployed, DeployError> {
        let began = Instant::now();
        let progress: Arc<dyn Fn(Step) + Send + Sync> = Arc::new(progress);
        let code = check_component(&deployment.component)?;
        let workers = self.workers_of(deployment.cluster).await?;
        progress(Step::Ordering);
        let program = self.order_deployment(owner, deployment, code).await?;
        let endpoint = |worker: &WorkerRecord| String::from_utf8_lossy(&worker.registration.endpoint).into_owned();
        let endpoints: Vec<String> = workers.iter().map(endpoint).collect();
        // Whoever stands by fetches the code from the lead.
        let lead = endpoints.get(..1).unwrap_or_default();
        for endpoint in lead {
            self.upload(endpoint, code, &deployment.component, &progress).await?;
        }
        progress(Step::Preparing(program));
        self.await_live(program, lead, deployment.timeout).await?;
        if !deployment.settings.is_empty() {
            progress(Step::Settings);
            self.send_settings(owner, &program, deployment).await?;
        }
        Ok(Deployed { program, code, workers: endpoints, took: began.elapsed() })
    }

    /// The admitted workers of a cluster.
    pub(crate) async fn workers_of(&self, cluster: ClusterId) -> Result<Vec<WorkerRecord>, DeployError> {
        let head = self.head().await?;
        let record = self.cluster(cluster).await?.ok_or(DeployError::Cluster(cluster))?;
        let mut workers = Vec::new();
        for id in &record.workers {
            workers.extend(self.worker(id).await?.filter(|worker| head.time < worker.expires_at));
        }
        if workers.is_empty() { Err(DeployError::NoWorker(cluster)) } else { Ok(workers) }
    }

    async fn order_deployment(
        &self,
        owner: &KeyPair,
        deployment: &Deployment,
        code: CodeHash,
    ) -> Result<ProgramId, DeployError> {
        let name = Name::try_from(deployment.name.clone().into_bytes()).map_err(|_| DeployError::Name)?;
        let counter = storage::item("Programs", "ProgramCount");
        let before: u64 = self.read_one(counter.clone(), "the program count").await?.1.unwrap_or_default();
        let call = Call::Programs(Programs::Deploy {
            cluster: deployment.cluster,
            name: name.clone(),
            code,
            code_bytes: deployment.component.len() as u32,
            manifest: deployment.manifest.clone(),
        });
        let Applied { block, .. } = self.submit_and_wait(owner, &call).await?;
        let after = decode(&self.read_raw_at(block, &[counter]).await?, 0, "the program count")?.unwrap_or(before);
        // Ids are derived from the owner and a counter: of those that were given out meanwhile, ours is the newest
        // that is this owner's, with this code and name.
        let ids: Vec<_> = (before..=after).rev().map(|n| ProgramId::derive(&owner.account(), n)).collect();
        for ids in ids.chunks(16) {
            let keys: Vec<_> = ids.iter().map(storage::program).collect();
            let values = self.read_raw_at(block, &keys).await?;
            for (at, id) in ids.iter().enumerate() {
                let record = decode::<ProgramRecord>(&values, at, "a program")?;
                if record
                    .is_some_and(|record| record.code == code && record.name == name && record.deployed == block.number)
                {
                    return Ok(*id);
                }
            }
        }
        Err(DeployError::Lost)
    }

    /// Brings the component to a worker, once the worker knows from the chain that it needs it.
    pub(crate) async fn upload(
        &self,
        endpoint: &str,
        code: CodeHash,
        component: &Bytes,
        progress: &Arc<dyn Fn(Step) + Send + Sync>,
    ) -> Result<(), DeployError> {
        let failed = |reason: String, hint| DeployError::Upload { endpoint: endpoint.into(), reason, hint };
        let unreachable = |e: reqwest::Error| failed(crate::chain_of(&e.without_url()), None);
        let url = format!("{endpoint}/v1/code/{code}");
        let deadline = Instant::now() + ASSIGNED_TIMEOUT;
        loop {
            // The worker hears of the deployment when it has verified the block: ask with an empty body until it has.
            let probe = self.http.put(&url).timeout(Duration::from_secs(30)).send().await.map_err(unreachable)?;
            let status = probe.status();
            if status.is_success() {
                return Ok(());
            }
            let problem = Problem::parse(status.as_u16(), &probe.bytes().await.unwrap_or_default());
            if problem.title != "code-unassigned" {
                break;
            }
            if Instant::now() > deadline {
                return Err(failed(problem.to_string(), problem.hint));
            }
            tokio::time::sleep(POLL).await;
        }
        let total = component.len() as u64;
        let pieces: Vec<Bytes> = (0..component.len())
            .step_by(PIECE_BYTES)
            .map(|at| component.slice(at..(at + PIECE_BYTES).min(component.len())))
            .collect();
        let (told, to) = (progress.clone(), endpoint.to_owned());
        let mut done = 0;
        let pieces = stream::iter(pieces.into_iter().map(move |piece| {
            done += piece.len() as u64;
            told(Step::Uploading { endpoint: to.clone(), done, total });
            Ok::<_, io::Error>(piece)
        }));
        let request = self.http.put(&url).header("content-length", total).header("content-type", "application/wasm");
        let response = request.body(reqwest::Body::wrap_stream(pieces)).timeout(Duration::from_secs(600));
        let response = response.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let problem = Problem::parse(status.as_u16(), &response.bytes().await.unwrap_or_default());
        Err(failed(problem.to_string(), problem.hint))
    }

    async fn await_live(&self, program: ProgramId, endpoints: &[String], timeout: Duration) -> Result<(), DeployError> {
        let deadline = Instant::now() + timeout;
        let mut asked = Instant::now();
        loop {
            self.advance().await?;
            match self.program(&program).await? {
                Some(record) if record.status == ProgramStatus::Live => {
                    // The workers learn it from the chain a moment later than this client may.
                    if self.standings(program, endpoints).await.iter().all(|standing| standing.serving) {
                        return Ok(());
                    }
                }
                Some(_) => {}
                None => return Err(DeployError::Lost),
            }
            // The chain never hears why a program does not start; its worker tells, sealed.
            if asked.elapsed() > Duration::from_secs(1) {
                asked = Instant::now();
                self.refuse_unrunnable(program, endpoints).await?;
            }
            if Instant::now() > deadline {
                return Err(DeployError::Timeout { program, seconds: timeout.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks the worker how the program is; an error only when it can never run.
    async fn refuse_unrunnable(&self, program: ProgramId, endpoints: &[String]) -> Result<(), DeployError> {
        for standing in self.standings(program, endpoints).await {
            if standing.problem.as_deref() == Some("unrunnable") {
                return Err(DeployError::Unrunnable(standing.detail.unwrap_or_else(|| "it does not say why".into())));
            }
        }
        Ok(())
    }

    /// How the program is at each worker that says so.
    pub(crate) async fn standings(&self, program: ProgramId, endpoints: &[String]) -> Vec<Standing> {
        let mut standings = Vec::new();
        for endpoint in endpoints {
            let url = format!("{endpoint}/v1/programs/{program}");
            let Ok(response) = self.http.get(url).timeout(Duration::from_secs(5)).send().await else { continue };
            standings.extend(response.json::<Standing>().await);
        }
        standings
    }

    /// Replaces a program's settings by a sealed command of its owner's.
    async fn send_settings(
        &self,
        owner: &KeyPair,
        program: &ProgramId,
        deployment: &Deployment,
    ) -> Result<(), DeployError> {
        let body = serde_json::to_vec(&deployment.settings).unwrap_or_default();
        let query = Query { method: Method::PUT, ..Query::post(SETTINGS_PATH, body) };
        let command = Command { query, timeout: deployment.timeout, pay_at_most: None };
        let sent = self.send(owner, program, &command).await.map_err(DeployError::Settings)?;
        sent.problem.map_or(Ok(()), |problem| Err(DeployError::SettingsRefused(problem)))
    }

    /// Removes a program; its deposit returns to its owner.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn remove(&self, owner: &KeyPair, program: ProgramId) -> Result<Applied, SubmitError> {
        self.submit_and_wait(owner, &Call::Programs(Programs::Remove { program })).await
    }
}

/// The hash of a component; refuses what certainly is none before anybody pays for it.
pub(crate) fn check_component(bytes: &[u8]) -> Result<CodeHash, DeployError> {
    if bytes.len() > CODE_BYTES_MAX as usize {
        return Err(DeployError::TooLarge { bytes: bytes.len() });
    }
    match bytes.first_chunk::<8>() {
        Some(&COMPONENT_MAGIC) => Ok(CodeHash(sha256(bytes).0)),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
            Err(DeployError::NotAComponent("the file is a core WebAssembly module, not a component"))
        }
        _ => Err(DeployError::NotAComponent("the file is not WebAssembly")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_told_apart_from_a_module_and_from_anything_else() {
        assert!(check_component(&COMPONENT_MAGIC).is_ok());
        let module = check_component(b"\0asm\x01\0\0\0").unwrap_err();
        assert!(module.to_string().contains("core WebAssembly module"));
        for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n"] {
            assert!(check_component(bytes).unwrap_err().to_string().contains("not WebAssembly"));
        }
    }

    #[test]
    fn a_component_past_the_limit_is_refused() {
        let mut bytes = vec![0; CODE_BYTES_MAX as usize];
        bytes[..8].copy_from_slice(&COMPONENT_MAGIC);
        assert!(check_component(&bytes).is_ok());
        bytes.push(0);
        assert!(matches!(check_component(&bytes), Err(DeployError::TooLarge { .. })));
    }

    #[test]
    fn a_component_s_code_hash_is_its_sha256() {
        assert_eq!(check_component(&COMPONENT_MAGIC).unwrap().0, sha256(&COMPONENT_MAGIC).0);
    }
}
