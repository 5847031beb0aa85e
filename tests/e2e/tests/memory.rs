//! What lies in whose memory: the master secret in nobody's, a program's key in its worker's alone. The test breaks the simulated
//! TEEs of a whole network, computes what nobody may ever compute, and looks for it in every process, at rest and while key shares
//! are handed on.

use crate::group_secret::{encodings, group_secret, public_half};
use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use phala_e2e::{Network, Process, binary, notes, processes_under};
use phala_enclave_gatekeeper::danger::Loot;
use phala_host::{system::SystemEntropy, vault::FileVault};
use phala_machine::Cabinet;
use phala_messages::{GenesisHash, ProgramId};
use phala_platform::simulated::server::danger::sealing_key;
use phala_threshold::{Identity, KeyIdentity, Output, combine};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const GATEKEEPERS: usize = 4;

#[test]
fn nobody_holds_the_master_secret_and_only_its_worker_holds_a_programs_key() -> Result<()> {
    let network = Network::start(&["--workers", "2"])?;
    let program: ProgramId = network.deploy(&notes()?, "notes", &[])?.parse()?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "remember"])?;
    let status = network.json(&["gatekeeper", "status"])?;
    let epoch = status["epoch"].as_u64().context("there is an epoch")?;
    let told: Value = serde_json::from_slice(&fs::read(network.dir().join("network.json"))?)?;
    let genesis: GenesisHash = told["genesis"].as_str().context("network.json names the genesis")?.parse()?;

    let (output, loot) = rob(network.dir())?;
    let numbers: Vec<_> = loot.iter().map(|loot| number(&output, loot)).collect::<Result<_>>()?;
    let secret = group_secret(&numbers[..output.threshold()]);
    ensure!(public_half(&secret) == output.group_key(), "the test computes the master secret");
    ensure!(group_secret(&numbers[1..]) == secret, "whichever key shares it takes");
    let identity: Identity = KeyIdentity { genesis: genesis.0, cluster: 0, program: program.0, code_epoch: 0 }.into();
    let partials: Vec<_> = loot
        .iter()
        .filter_map(|loot| Some((*output.players().iter().find(|key| loot.fits(key))?, loot.partial(&identity))))
        .collect();
    let program_key = *combine(&output, &identity, &partials)?.key.expose();

    let deadline = Instant::now() + Duration::from_secs(300);
    let mut scans = 0;
    while scans < 2 || network.json(&["gatekeeper", "status"])?["epoch"].as_u64() < Some(epoch + 2) {
        ensure!(Instant::now() < deadline, "key shares are not handed on");
        let mut roles = Vec::new();
        for process in processes_under(network.dir()) {
            let Some(role) = role(&process) else { continue };
            let Ok(memory) = memory(process.pid) else { continue };
            for (form, secret) in encodings(&secret) {
                let here = memory.iter().any(|part| memmem::find(part, &secret).is_some());
                ensure!(!here, "{role} ({}) has the master secret in its memory, {form}", process.pid);
            }
            let holds = memory.iter().any(|part| memmem::find(part, &program_key).is_some());
            ensure!(!holds || role == "phala-worker", "{role} has a program's key in its memory");
            roles.push((role, holds));
        }
        let of = |name| roles.iter().filter(|(role, _)| role == name).count();
        ensure!(of("phala-gatekeeper") == GATEKEEPERS && of("phala-worker") == 2 && of("phala-node") > 0, "{roles:?}");
        // And the search finds what is there: the worker that leads has the key, the one that stands by has it not.
        ensure!(roles.iter().filter(|(_, holds)| *holds).count() == 1, "{roles:?}");
        scans += 1;
    }
    network.stop()
}

/// What all gatekeepers hold of one epoch.
fn rob(dir: &Path) -> Result<(Arc<Output>, Vec<Loot>)> {
    for _ in 0..20 {
        let loot: Vec<Loot> = (1..=GATEKEEPERS).filter_map(|n| rob_one(dir, n).transpose()).collect::<Result<_>>()?;
        let output = loot.first().context("somebody holds a key share")?.output.clone();
        if loot.len() == GATEKEEPERS && loot.iter().all(|loot| *loot.output == *output) {
            return Ok((output, loot));
        }
        // They are just going to another epoch.
        std::thread::sleep(Duration::from_secs(3));
    }
    bail!("the gatekeepers never hold key shares of the same epoch")
}

fn rob_one(dir: &Path, n: usize) -> Result<Option<Loot>> {
    let machine = dir.join(format!("machine-of-gatekeeper-{n}"));
    let key = sealing_key(&machine, &binary("phala-gatekeeper"), "phala-gatekeeper")?;
    let vault = dir.join(format!("gatekeeper-{n}/vault"));
    let cabinet = Cabinet::new(Arc::new(FileVault::open(&vault)?), &key, Arc::new(SystemEntropy));
    let shares = fs::read_dir(vault.join("gatekeeper/share"))?;
    let names = shares.map(|entry| Ok(format!("gatekeeper/share/{}", entry?.file_name().to_string_lossy())));
    let names: Vec<String> = names.collect::<Result<_>>()?;
    Ok(names.iter().find_map(|name| Loot::open(&cabinet, name)))
}

/// A key share's place and number.
fn number(output: &Output, loot: &Loot) -> Result<(u32, [u8; 32])> {
    let place = output.players().iter().position(|key| loot.fits(key)).context("it is a player's")?;
    let bytes = loot.bytes();
    Ok((place as u32, bytes[bytes.len() - 32..].try_into()?))
}

fn role(process: &Process) -> Option<String> {
    let name = Path::new(process.arguments.first()?).file_name()?.to_string_lossy().into_owned();
    name.starts_with("phala").then_some(name)
}

/// Everything that a process can write to.
fn memory(pid: i32) -> Result<Vec<Vec<u8>>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut memory = fs::File::open(format!("/proc/{pid}/mem"))?;
    let mut parts = Vec::new();
    for line in maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
        let (from, to) = range.context("a range of addresses")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut bytes = Vec::new();
        // What is reserved and not there cannot be read.
        let _ =
            memory.seek(SeekFrom::Start(from)).and_then(|_| memory.by_ref().take(to - from).read_to_end(&mut bytes));
        parts.push(bytes);
    }
    ensure!(parts.iter().map(Vec::len).sum::<usize>() > 1 << 20, "the memory of {pid} can be read");
    Ok(parts)
}
