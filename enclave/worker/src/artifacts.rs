//! Code: taken from whoever uploads it, or from another worker of the cluster, compiled here, kept sealed.
//!
//! # Properties
//! - Code is taken only when the chain names its hash for a program of this worker, and only if it has that hash.
//! - An artifact is loaded only if this code on this machine has made it: it lies sealed, and is opened into
//!   private memory.

use crate::{cluster::endpoint, keeper::KeepError, problem::Problem, programs::ProgramCell, worker::Worker};
use phala_engine::{Program, danger};
use phala_machine::{cabinet::CabinetError, task::blocking};
use phala_messages::{CodeHash, ProgramRecord, copies::code_path, limits::CODE_BYTES_MAX, transcript::sha256};
use std::sync::Arc;

fn code_name(code: &CodeHash) -> String {
    format!("code/{}", hex::encode(code.0))
}

fn artifact_name(record: &ProgramRecord) -> String {
    let nans = if record.manifest.canonical_nans { "canonical" } else { "native" };
    format!("artifact/{}/{nans}", hex::encode(record.code.0))
}

/// What stands under `name`. What was altered can be had again, from whoever uploads it: it counts as missing.
fn get(worker: &Worker, name: &str) -> Result<Option<Vec<u8>>, CabinetError> {
    match worker.cabinet.get(name) {
        Err(error @ CabinetError::Sealed(_)) => {
            tracing::warn!(%error, "taken for missing");
            Ok(None)
        }
        other => other,
    }
}

/// Takes the code with this hash. No bytes at all ask whether it is here already.
///
/// # Errors
/// [`Problem::CodeUnassigned`], [`Problem::CodeHash`], [`Problem::Disk`].
pub async fn store(worker: &Arc<Worker>, code: CodeHash, component: Vec<u8>) -> Result<(), Problem> {
    let wanted: Vec<Arc<ProgramCell>> = worker.cells_of_code(&code);
    let Some(bytes) = wanted.iter().filter_map(|cell| cell.chain().code_bytes(&code)).max() else {
        return Err(Problem::CodeUnassigned);
    };
    if component.is_empty() {
        // Somebody asks whether it has to be sent at all.
        let runs = |cell: &Arc<ProgramCell>| cell.chain().record.code == code && cell.loaded().is_some();
        let (cabinet, has_loaded) = (worker.cabinet.clone(), wanted.iter().any(runs));
        let here = has_loaded || blocking(move || matches!(cabinet.get(&code_name(&code)), Ok(Some(_)))).await;
        return if here { Ok(()) } else { Err(Problem::CodeHash) };
    }
    if component.len() != bytes as usize || sha256(&component).0 != code.0 {
        return Err(Problem::CodeHash);
    }
    let cabinet = worker.cabinet.clone();
    blocking(move || cabinet.put(&code_name(&code), &component)).await.map_err(|error| {
        tracing::error!(%error, "code cannot be kept");
        Problem::Disk
    })?;
    wanted.iter().for_each(|cell| cell.wake());
    Ok(())
}

/// The code with this hash, as it was taken.
///
/// # Errors
/// [`Problem::CodeUnassigned`], [`Problem::NeedsCode`].
pub async fn give(worker: &Worker, code: &CodeHash) -> Result<Vec<u8>, Problem> {
    if worker.cells_of_code(code).is_empty() {
        return Err(Problem::CodeUnassigned);
    }
    let (cabinet, name) = (worker.cabinet.clone(), code_name(code));
    blocking(move || cabinet.get(&name).ok().flatten()).await.ok_or(Problem::NeedsCode)
}

/// Brings code from another worker of the cluster, whoever has it. False when nobody does.
pub async fn fetch(worker: &Arc<Worker>, record: &ProgramRecord) -> bool {
    let Some(cluster) = worker.cluster() else { return false };
    let bytes = record.code_bytes.min(CODE_BYTES_MAX) as usize;
    for (id, other) in cluster.others(&worker.identity.worker) {
        let Ok(component) = worker.ports.courier.get(&endpoint(other), &code_path(&record.code), bytes).await else {
            continue;
        };
        match store(worker, record.code, component).await {
            Ok(()) => return true,
            Err(problem) => tracing::warn!(worker = %id, %problem, "code from another worker is not taken"),
        }
    }
    false
}

/// Where it is said why there is no program yet.
pub type Note = fn(&ProgramCell, Problem);

/// The program, ready to run. None when its code is not here, or cannot run; `note` is told which.
pub async fn load(
    worker: &Arc<Worker>,
    cell: &Arc<ProgramCell>,
    record: &Arc<ProgramRecord>,
    note: Note,
) -> Result<Option<Arc<Program>>, KeepError> {
    let mut loaded = load_in_turn(worker, cell, record, note).await?;
    if loaded.as_ref().is_err_and(|problem| *problem == Problem::NeedsCode) && fetch(worker, record).await {
        loaded = load_in_turn(worker, cell, record, note).await?;
    }
    Ok(loaded.map_err(|problem| note(cell, problem)).ok())
}

async fn load_in_turn(
    worker: &Arc<Worker>,
    cell: &Arc<ProgramCell>,
    record: &Arc<ProgramRecord>,
    note: Note,
) -> Result<Result<Arc<Program>, Problem>, KeepError> {
    const COMPILING: Problem = Problem::Preparing("its code is being compiled");
    // One at a time: compiling takes all cores there are.
    let Ok(_turn) = worker.compiling.acquire().await else { return Ok(Err(COMPILING)) };
    let (worker, cell, record) = (worker.clone(), cell.clone(), record.clone());
    blocking(move || load_now(&worker, &cell, &record, &|| note(&cell, COMPILING))).await
}

fn load_now(
    worker: &Worker,
    cell: &ProgramCell,
    record: &ProgramRecord,
    note_compiling: &dyn Fn(),
) -> Result<Result<Arc<Program>, Problem>, KeepError> {
    let name = artifact_name(record);
    if let Some(bytes) = get(worker, &name)? {
        let kept = danger::artifact_from_authenticated(&bytes)
            .ok()
            .map(|artifact| worker.engine.load(&artifact, &record.manifest));
        if let Some(Ok(program)) =
            kept.filter(|program| program.as_ref().is_ok_and(|program| program.wasm() == record.code))
        {
            return Ok(Ok(Arc::new(program)));
        }
        tracing::info!(program = %cell.id, "compiling again for this version of the engine");
    }
    let Some(component) = get(worker, &code_name(&record.code))? else {
        return Ok(Err(Problem::NeedsCode));
    };
    note_compiling();
    worker.note_change();
    let compiled =
        worker.engine.compile(&component, record.manifest.canonical_nans.into()).map_err(|error| error.to_string());
    let loaded = compiled.and_then(|artifact| {
        let program = worker.engine.load(&artifact, &record.manifest).map_err(|error| error.to_string())?;
        Ok((artifact, program))
    });
    match loaded {
        Ok((artifact, program)) => {
            worker.cabinet.put(&name, &artifact.to_bytes())?;
            Ok(Ok(Arc::new(program)))
        }
        Err(reason) => {
            tracing::warn!(program = %cell.id, reason, "the code cannot run");
            Ok(Err(Problem::Unrunnable(reason)))
        }
    }
}
