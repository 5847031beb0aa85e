//! Moves: a newer master key, other code for a program; and how far programs are on their way.

use crate::{
    Client, Hint, KeyPair, Listed,
    client::{ChainError, POLL, decode},
    deploy::{DeployError, Step, check_component},
    programs::name_of,
    submit::SubmitError,
};
use bytes::Bytes;
use phala_messages::{
    CodeEpoch, CodeHash, Keep, KeyRecord, Manifest, ProgramId, ProgramStatus,
    calls::{Call, Custody, Programs, Sudo},
    custody::{RootGeneration, RootRecord, RootStatus},
    storage,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A root that is not closed.
#[derive(Clone, Debug)]
pub struct LiveRoot {
    /// Which.
    pub generation: RootGeneration,
    /// What the chain says of it.
    pub record: RootRecord,
    /// The programs whose keys come from it.
    pub programs: Vec<Listed>,
}

/// How far a rotation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The new master key is being made.
    Making(RootGeneration),
    /// Programs move to it; these are still under the older ones.
    Moving {
        /// To which.
        to: RootGeneration,
        /// Their names.
        left: Vec<String>,
    },
    /// The older ones have no programs any more and are given up.
    Closing(Vec<RootGeneration>),
}

/// What a rotation came to.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The root that takes programs now.
    pub open: RootGeneration,
    /// Those that were given up.
    pub closed: Vec<RootGeneration>,
    /// How long it took.
    pub took: Duration,
}

/// Why a rotation did not come to its end. It can be taken up again.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The chain did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// There is no master key yet.
    #[error("no gatekeepers guard a master key on this network yet")]
    NoRoot,
    /// The administrator's word did nothing.
    #[error("the chain took the transaction, and nothing came of it")]
    Ignored,
    /// It did not end in time.
    #[error("after {seconds} s the rotation is not over: {}", describe(.at))]
    Timeout {
        /// How long it had.
        seconds: u64,
        /// How far it is.
        at: Rotation,
    },
}

fn describe(at: &Rotation) -> String {
    match at {
        Rotation::Making(root) => format!("the key of root {} is not made", root.0),
        Rotation::Moving { left, .. } => format!("still under an older root: {}", left.join(", ")),
        Rotation::Closing(roots) => format!("{} roots are not closed", roots.len()),
    }
}

impl Hint for RotateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Submit(error) => error.hint(),
            Self::NoRoot => Some("`phala gatekeeper status` shows it".into()),
            Self::Ignored => Some("only the network's administrator rotates: --account".into()),
            Self::Timeout { at: Rotation::Moving { .. }, .. } => Some(
                "a program moves when a worker of its cluster runs; say `phala gatekeeper rotate` again to wait on"
                    .into(),
            ),
            Self::Timeout { .. } => Some("say `phala gatekeeper rotate` again to wait on".into()),
        }
    }
}

/// Other code for a program.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Which program.
    pub program: ProgramId,
    /// The component.
    pub component: Bytes,
    /// What it asks for. None leaves that as it is.
    pub manifest: Option<Manifest>,
    /// What it may have.
    pub keep: Keep,
    /// How long it may take.
    pub timeout: Duration,
}

/// A program that runs other code.
#[derive(Clone, Debug)]
pub struct Upgraded {
    /// Hash of the component.
    pub code: CodeHash,
    /// Its epoch.
    pub epoch: CodeEpoch,
    /// The version at which it took over.
    pub version: u64,
    /// Addresses of the workers that run it.
    pub workers: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

fn as_administrator(call: Custody) -> Call {
    Call::Sudo(Sudo::Sudo { call: Box::new(Call::Custody(Box::new(call))) })
}

impl Client {
    /// The roots that are not closed, oldest first, each with the programs under it.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn roots(&self) -> Result<Vec<LiveRoot>, ChainError> {
        let (_, values) = self.read_raw(&[storage::item("Custody", "LiveRoots")]).await?;
        let live: Vec<RootGeneration> = decode(&values, 0, "the live roots")?.unwrap_or_default();
        let (_, values) = self.read_raw(&live.iter().map(|root| storage::root(*root)).collect::<Vec<_>>()).await?;
        let mut roots = Vec::new();
        for (n, generation) in live.into_iter().enumerate() {
            if let Some(record) = decode(&values, n, "a root")? {
                roots.push(LiveRoot { generation, record, programs: Vec::new() });
            }
        }
        for programs in self.programs().await?.chunks(64) {
            let keys: Vec<_> = programs.iter().map(|program| storage::program_root(&program.id)).collect();
            let (_, values) = self.read_raw(&keys).await?;
            for (n, program) in programs.iter().enumerate() {
                let of: Option<RootGeneration> = decode(&values, n, "a program's root")?;
                if let Some(root) = roots.iter_mut().find(|root| Some(root.generation) == of) {
                    root.programs.push(program.clone());
                }
            }
        }
        Ok(roots)
    }

    /// Where a program stands with its keys.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn key_record(&self, program: &ProgramId) -> Result<KeyRecord, ChainError> {
        let (_, values) = self.read_raw(&[storage::key_record(program)]).await?;
        Ok(decode(&values, 0, "a program's keys")?.unwrap_or_default())
    }

    /// Makes a new master key, waits until every program has moved to it, and gives the older ones up. One that was begun
    /// before is brought to its end instead.
    ///
    /// # Errors
    /// [`RotateError`].
    pub async fn rotate(
        &self,
        administrator: &KeyPair,
        timeout: Duration,
        progress: impl Fn(&Rotation) + Send + Sync,
    ) -> Result<Rotated, RotateError> {
        let began = Instant::now();
        let roots = self.roots().await?;
        let newest = roots.iter().map(|root| root.generation).max().ok_or(RotateError::NoRoot)?;
        let mut wanted = self.root_wanted().await?;
        if wanted == newest && roots.iter().all(|root| root.record.status != RootStatus::Closing) {
            progress(&Rotation::Making(newest.next()));
            self.submit_and_wait(administrator, &as_administrator(Custody::RotateRoot)).await?;
            wanted = self.root_wanted().await?;
            if wanted == newest {
                return Err(RotateError::Ignored);
            }
        }
        let mut closed = Vec::new();
        loop {
            self.advance().await?;
            let roots = self.roots().await?;
            let is_open = |root: &LiveRoot| root.generation == wanted && root.record.status == RootStatus::Open;
            let older: Vec<_> = roots.iter().filter(|root| root.generation < wanted).collect();
            let left = older.iter().flat_map(|root| &root.programs).map(|program| name_of(&program.record)).collect();
            let at = match (roots.iter().any(is_open), older.iter().map(|root| root.record.programs).sum::<u64>()) {
                (false, _) => Rotation::Making(wanted),
                (true, 0) if older.is_empty() => {
                    return Ok(Rotated { open: wanted, closed, took: began.elapsed() });
                }
                (true, 0) => Rotation::Closing(older.iter().map(|root| root.generation).collect()),
                (true, _) => Rotation::Moving { to: wanted, left },
            };
            progress(&at);
            if let Rotation::Closing(roots) = &at {
                for root in roots {
                    self.submit_and_wait(administrator, &as_administrator(Custody::CloseRoot { root: *root })).await?;
                    if !closed.contains(root) {
                        closed.push(*root);
                    }
                }
            }
            if began.elapsed() > timeout {
                return Err(RotateError::Timeout { seconds: timeout.as_secs(), at });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn root_wanted(&self) -> Result<RootGeneration, ChainError> {
        let (_, values) = self.read_raw(&[storage::item("Custody", "RootWanted")]).await?;
        Ok(decode(&values, 0, "the wanted root")?.unwrap_or_default())
    }

    /// Gives a program other code and waits until that answers.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn upgrade(
        &self,
        owner: &KeyPair,
        upgrade: &Upgrade,
        progress: impl Fn(Step) + Send + Sync + 'static,
    ) -> Result<Upgraded, DeployError> {
        let began = Instant::now();
        let progress: Arc<dyn Fn(Step) + Send + Sync> = Arc::new(progress);
        let Upgrade { program, component, manifest, keep, timeout } = upgrade;
        let code = check_component(component)?;
        let record = self.program(program).await?.ok_or(DeployError::Lost)?;
        let workers = self.workers_of(record.cluster).await?;
        progress(Step::Ordering);
        let before = self.key_record(program).await?.newest;
        let call = Call::Programs(Programs::Upgrade {
            program: *program,
            code,
            code_bytes: component.len() as u32,
            manifest: manifest.clone(),
            keep: *keep,
        });
        self.submit_and_wait(owner, &call).await?;
        let keys = self.key_record(program).await?;
        let ordered = keys.upgrade.map(|upgrade| (upgrade.epoch, upgrade.code));
        let (epoch, _) = ordered.filter(|it| it.0 > before && it.1 == code).ok_or(DeployError::Lost)?;
        let mut endpoints = Vec::new();
        for worker in &workers {
            let endpoint = String::from_utf8_lossy(&worker.registration.endpoint).into_owned();
            self.upload(&endpoint, code, component, &progress).await?;
            endpoints.push(endpoint);
        }
        progress(Step::Preparing(*program));
        let version = self.await_epoch(program, epoch, &endpoints, *timeout).await?;
        Ok(Upgraded { code, epoch, version, workers: endpoints, took: began.elapsed() })
    }

    /// Waits until a program runs the code of this epoch, and every worker serves it.
    async fn await_epoch(
        &self,
        program: &ProgramId,
        epoch: CodeEpoch,
        endpoints: &[String],
        timeout: Duration,
    ) -> Result<u64, DeployError> {
        let deadline = Instant::now() + timeout;
        loop {
            self.advance().await?;
            let keys = self.key_record(program).await?;
            if keys.epoch > epoch || keys.upgrade.as_ref().is_some_and(|upgrade| upgrade.epoch > epoch) {
                return Err(DeployError::Replaced);
            }
            let standings = self.standings(*program, endpoints).await;
            if keys.epoch == epoch {
                let record = self.program(program).await?.ok_or(DeployError::Lost)?;
                let is_live = record.status == ProgramStatus::Live;
                if is_live && standings.iter().all(|it| it.serving && it.code_epoch == Some(epoch)) {
                    return Ok(keys.moved.map_or(0, |moved| moved.version));
                }
            }
            // The chain never hears why code does not run; the worker tells.
            for standing in standings.into_iter().filter_map(|standing| standing.upgrade) {
                if standing.code_epoch == epoch && standing.problem.as_deref() == Some("unrunnable") {
                    let reason = standing.detail.unwrap_or_else(|| "it does not say why".into());
                    return Err(DeployError::Unrunnable(reason));
                }
            }
            if Instant::now() > deadline {
                return Err(DeployError::Timeout { program: *program, seconds: timeout.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
