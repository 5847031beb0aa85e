//! `phala-drill`: rob gatekeepers of a local network, and see what it opens.
//!
//! The TEEs of a local network are simulated, so they can be broken: a machine's fuse key lies in its directory. This program breaks
//! all but one of the gatekeepers that are needed, takes their disks and their memory, and tries to get a program's key out of them.
//!
//! ```text
//! t − 1 gatekeepers   fuse key ─► sealing key ─► sealed blobs ─► key shares ─► parts of the key ─► combine: too few
//!                     memory ─► searched for the other key shares, and for the key itself
//!                     sealing keys ─► tried on the worker's blobs
//! one more            the same parts and one more do give the key: the drill could have succeeded
//! ```
//!
//! It is not part of the gatekeeper: code that opens key shares for anything but their purpose has no place in what TEEs measure.

use anyhow::{Context, bail, ensure};
use clap::Parser;
use phala_enclave_gatekeeper::danger::Loot;
use phala_host::{system::SystemEntropy, vault::FileVault};
use phala_machine::Cabinet;
use phala_messages::{ClusterId, GenesisHash, ProgramId};
use phala_platform::simulated::server::danger::sealing_key;
use phala_threshold::{Identity, KeyIdentity, PartialKey, ParticipantKey, combine};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use zeroize::Zeroizing;

/// Rob gatekeepers of a local network with simulated TEEs, and see what it opens
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// A gatekeeper: machine's directory, data directory, process id (0: its memory is not taken); repeat for each
    #[arg(long, num_args = 3, value_names = ["MACHINE", "DATA", "PID"], required = true)]
    gatekeeper: Vec<String>,
    /// Vault of the worker that runs the program
    #[arg(long, value_name = "DIR")]
    worker_vault: PathBuf,
    /// The gatekeepers' executable
    #[arg(long, value_name = "FILE")]
    executable: PathBuf,
    /// The network
    #[arg(long, value_name = "HASH")]
    genesis: GenesisHash,
    /// The program whose key is wanted
    #[arg(long, value_name = "ID")]
    program: ProgramId,
    /// Its cluster
    #[arg(long, value_name = "N")]
    cluster: u32,
    /// The number of its code
    #[arg(long, value_name = "N", default_value_t = 0)]
    code_epoch: u32,
}

/// One gatekeeper's belongings.
struct Victim {
    name: String,
    cabinet: Cabinet,
    blobs: Vec<(String, u64)>,
    opened: usize,
    loot: Option<Loot>,
    pid: i32,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(report) => {
            println!("{report}");
            if report["opened"] == 0 && report["could_have_succeeded"] == true {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Value> {
    let victims: Vec<Victim> = arguments
        .gatekeeper
        .chunks(3)
        .map(|parts| match parts {
            [machine, data, pid] => rob(Path::new(machine), Path::new(data), pid, &arguments.executable),
            _ => bail!("--gatekeeper takes three values"),
        })
        .collect::<anyhow::Result<_>>()?;
    let first = victims.iter().find_map(|victim| victim.loot.as_ref()).context("no gatekeeper holds a key share")?;
    let (output, threshold) = (first.output.clone(), first.output.threshold());
    let identity: Identity = KeyIdentity {
        genesis: arguments.genesis.0,
        cluster: ClusterId(arguments.cluster).0,
        program: arguments.program.0,
        code_epoch: arguments.code_epoch,
    }
    .into();
    let holders: Vec<_> = victims
        .iter()
        .filter_map(|victim| {
            let loot = victim.loot.as_ref().filter(|loot| *loot.output == *output)?;
            let key = output.players().iter().find(|key| loot.fits(key)).copied()?;
            Some((victim, loot, key))
        })
        .collect();
    ensure!(holders.len() >= threshold, "only {} of the gatekeepers hold a key share of this epoch", holders.len());
    let (stolen, others) = holders.split_at(threshold - 1);
    let parts: Vec<(ParticipantKey, PartialKey)> =
        stolen.iter().map(|(_, loot, key)| (*key, loot.partial(&identity))).collect();

    let mut attempts = Vec::new();
    let attempt = combine(&output, &identity, &parts);
    attempts.push(json!({
        "attempt": format!("the program's key out of {} key shares", stolen.len()),
        "opened": u32::from(attempt.is_ok()),
        "why": attempt.as_ref().err().map(ToString::to_string),
    }));

    // The referee, who has all machines: the same with one more, and what must be found nowhere.
    let mut all = parts;
    all.extend(others.iter().take(1).map(|(_, loot, key)| (*key, loot.partial(&identity))));
    let key = combine(&output, &identity, &all).ok().map(|combined| combined.key);
    let mut secrets: Vec<(String, Zeroizing<Vec<u8>>)> = others
        .iter()
        .map(|(victim, loot, _)| (format!("the key share of {}", victim.name), tail(&loot.bytes())))
        .collect();
    if let Some(key) = &key {
        secrets.push(("the program's key".into(), Zeroizing::new(key.expose().to_vec())));
    }
    let mut memory_bytes = 0;
    let mut found = Vec::new();
    for (victim, ..) in stolen.iter().filter(|(victim, ..)| victim.pid != 0) {
        memory_bytes += search(victim.pid, &secrets, &mut found)?;
    }
    attempts.push(json!({
        "attempt": "other key shares, or the program's key, in their memory",
        "opened": found.len(),
        "why": if found.is_empty() { "not there".to_owned() } else { found.join(", ") },
    }));

    let worker = FileVault::open(&arguments.worker_vault)?;
    let names = blobs(&arguments.worker_vault)?;
    let mut opened = 0;
    for (victim, ..) in stolen {
        opened += names.iter().filter(|(name, _)| opens(&worker, victim, name)).count();
    }
    attempts.push(json!({
        "attempt": format!("the worker's {} sealed blobs with their sealing keys", names.len()),
        "opened": opened,
        "why": "sealed by another machine",
    }));

    let taken: Vec<_> = stolen
        .iter()
        .map(|(victim, loot, _)| {
            json!({
                "gatekeeper": victim.name,
                "blobs": victim.blobs.len(),
                "bytes": victim.blobs.iter().map(|(_, bytes)| bytes).sum::<u64>(),
                "blobs_opened": victim.opened,
                "key_share_of_epoch": loot.epoch.0,
            })
        })
        .collect();
    let sum = attempts.iter().filter_map(|attempt| attempt["opened"].as_u64()).sum::<u64>();
    Ok(json!({
        "threshold": threshold,
        "robbed": stolen.len(),
        "taken": taken,
        "memory_bytes": memory_bytes,
        "attempts": attempts,
        "opened": sum,
        "could_have_succeeded": key.is_some(),
    }))
}

/// Breaks a machine and takes what its gatekeeper keeps.
fn rob(machine: &Path, data: &Path, pid: &str, executable: &Path) -> anyhow::Result<Victim> {
    let key = sealing_key(machine, executable, "phala-gatekeeper")?;
    let dir = data.join("vault");
    let vault = Arc::new(FileVault::open(&dir)?);
    let cabinet = Cabinet::new(vault, &key, Arc::new(SystemEntropy));
    let blobs = blobs(&dir)?;
    let opened = blobs.iter().filter(|(name, _)| matches!(cabinet.get(name), Ok(Some(_)))).count();
    let loot = blobs
        .iter()
        .filter(|(name, _)| name.starts_with("gatekeeper/share/"))
        .find_map(|(name, _)| Loot::open(&cabinet, name));
    let name = data.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Victim { name, cabinet, blobs, opened, loot, pid: pid.parse().context("the process id is a number")? })
}

/// Names and sizes of the blobs in a vault.
fn blobs(dir: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_dir() {
                folders.push(entry.path());
            } else if let Ok(name) = entry.path().strip_prefix(dir) {
                found.push((name.to_string_lossy().into_owned(), meta.len()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn opens(vault: &FileVault, victim: &Victim, name: &str) -> bool {
    use phala_machine::Vault;
    let Ok(Some(sealed)) = vault.get(name) else { return false };
    victim.cabinet.opens(name, &sealed)
}

/// The last 32 bytes: the secret number of a key share.
fn tail(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes[bytes.len().saturating_sub(32)..].to_vec())
}

/// Searches a process's memory for secrets; adds those found, and answers how many bytes were read.
fn search(pid: i32, secrets: &[(String, Zeroizing<Vec<u8>>)], found: &mut Vec<String>) -> anyhow::Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("the gatekeeper's memory cannot be listed")?;
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).context("the gatekeeper's memory cannot be read")?;
    let mut total = 0;
    for line in maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let Some((from, to)) = line.split_whitespace().next().and_then(|range| range.split_once('-')) else { continue };
        let (Ok(from), Ok(to)) = (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)) else { continue };
        let mut bytes = Zeroizing::new(Vec::new());
        if memory.seek(SeekFrom::Start(from)).is_err()
            || memory.by_ref().take(to - from).read_to_end(&mut bytes).is_err()
        {
            // Reserved, not there.
            continue;
        }
        total += bytes.len() as u64;
        for (name, secret) in secrets {
            if bytes.windows(secret.len()).any(|window| window == secret.as_slice()) {
                found.push(name.clone());
            }
        }
    }
    Ok(total)
}
