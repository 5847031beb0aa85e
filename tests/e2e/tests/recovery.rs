//! The rehearsal: three of four gatekeepers are lost with their machines and disks. Custodians bring the seats back into fresh
//! machines, after the delay, and a program whose worker has forgotten its key has it again.

use anyhow::{Context, Result, bail, ensure};
use phala_e2e::{Network, Process, notes};
use phala_messages::Account;
use phala_sdk::{Client, Consent, KeyPair};
use serde_json::Value;
use std::{fs, net::TcpListener, path::PathBuf, process::Command, time::Duration};

/// Who bonds for the fresh gatekeepers: accounts that bond for none of the first four.
const FRESH: [&str; 2] = ["//Eve", "//Ferdie"];

#[test]
fn three_of_four_gatekeepers_are_lost_and_custodians_bring_the_root_back() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    let custodians = appoint(&network)?;
    network.deploy(&notes()?, "notes", &["--set", "greeting=Welcome"])?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "remember"])?;
    let before = network.json(&["gatekeeper", "status"])?;
    await_backups(&network)?;
    // A fire drill: each custodian's pieces open and fit, and nothing leaves.
    for custodian in &custodians {
        let checked = network.json(&as_custodian(&["recovery", "check"], custodian))?;
        ensure!(checked["good"] == true, "{checked}");
    }
    refused(&network, &["recovery", "announce"], "lost")?;

    await_fresh_backups(&network)?;
    for n in 1..=3 {
        lose(&network, n)?;
    }
    // What was backed up is the epoch that the lost ones last made: none follows without them.
    let lost = await_lost(&network)?;
    let members = lost["seats"].as_array().context("it lists seats")?.clone();
    let survivor = gatekeeper_at(&network, 3)?;
    let dead: Vec<u64> =
        members.iter().filter(|seat| seat["gatekeeper"] != survivor).filter_map(|seat| seat["seat"].as_u64()).collect();
    ensure!(dead.len() == 3, "{lost}");
    let fresh = start_fresh(&mut network)?;

    // Two custodians of three announce; before the delay has passed nobody gets anywhere.
    let first = network.json(&as_custodian(&["recovery", "announce"], &custodians[0]))?;
    ensure!(first["announced"] == false, "{first}");
    let second = network.json(&as_custodian(&["recovery", "announce"], &custodians[2]))?;
    ensure!(second["announced"] == true, "{second}");
    refused(&network, &as_custodian(&["recovery", "release"], &custodians[0]), "delay")?;
    refused(&network, &["recovery", "bind", &dead[0].to_string(), &fresh[0]], "delay")?;
    await_open(&network)?;
    refused(&network, &as_custodian(&["recovery", "release"], &custodians[0]), "bound")?;
    for (seat, gatekeeper) in dead.iter().zip(&fresh) {
        network.json(&["recovery", "bind", &seat.to_string(), gatekeeper])?;
    }
    let alone = network.json(&as_custodian(&["recovery", "release"], &custodians[0]))?;
    ensure!(alone["seats"][0]["pieces"] == 1 && alone["seats"][0]["required"] == 2, "{alone}");
    ensure!(network.json(&["recovery", "status"])?["ceremony"].is_object(), "one custodian is not enough");
    network.json(&as_custodian(&["recovery", "release"], &custodians[1]))?;

    await_end(&network)?;
    let after = network.json(&["gatekeeper", "status"])?;
    ensure!(after["master_public_key"] == before["master_public_key"] || after["root"] != before["root"], "{after}");
    // A worker that starts anew has no key but the one that gatekeepers give.
    let mut worker = Process::find(network.dir(), "phala-worker")?;
    network.replace(&mut worker, |_| ())?;
    let body = answer(&network)?;
    ensure!(body.contains("Welcome") && body.contains("There are 1 notes"), "{body}");
    network.stop()
}

/// A custodian's file, and the file with its passphrase.
struct Custodian {
    file: String,
    passphrase: String,
}

fn as_custodian<'a>(verb: &[&'a str], custodian: &'a Custodian) -> Vec<&'a str> {
    let mut arguments = verb.to_vec();
    arguments.extend(["--custodian", &custodian.file, "--passphrase-file", &custodian.passphrase]);
    arguments
}

/// Makes three custodians, and appoints them: two are needed.
fn appoint(network: &Network) -> Result<Vec<Custodian>> {
    let mut custodians = Vec::new();
    for n in 1..=3 {
        let text = |path: PathBuf| path.to_str().map(str::to_owned).context("paths here are text");
        let file = text(network.dir().join(format!("custodian-{n}.json")))?;
        let passphrase = text(network.dir().join(format!("passphrase-{n}")))?;
        fs::write(&passphrase, format!("correct horse battery {n}\n"))?;
        let made = network.json(&["recovery", "custodian", "new", &file, "--passphrase-file", &passphrase])?;
        ensure!(made["sealing"].is_string() && made["signing"].is_string(), "{made}");
        custodians.push(Custodian { file, passphrase });
    }
    let files: Vec<&str> = custodians.iter().map(|custodian| custodian.file.as_str()).collect();
    let arguments = [&["recovery", "appoint", "--threshold", "2"], files.as_slice()].concat();
    let appointed = network.json(&arguments)?;
    ensure!(appointed["custodians"].as_array().is_some_and(|all| all.len() == 3), "{appointed}");
    Ok(custodians)
}

fn refused(network: &Network, arguments: &[&str], word: &str) -> Result<()> {
    let output = network.run(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains(word), "phala {}: {said}", arguments.join(" "));
    Ok(())
}

/// Waits until `look` finds something, with so many seconds at most.
fn until<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    for _ in 0..seconds * 2 {
        if let Some(found) = look()? {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    bail!("never came: {what}")
}

fn await_backups(network: &Network) -> Result<()> {
    until("backups of every seat", 120, || Ok(network.run(&["recovery", "check"])?.status.success().then_some(())))
}

/// A new epoch that is backed up: the next one is most of a minute away.
fn await_fresh_backups(network: &Network) -> Result<()> {
    until("backups of a fresh epoch", 300, || {
        let (recovery, status) = (network.json(&["recovery", "status"])?, network.json(&["gatekeeper", "status"])?);
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let age = number(&recovery["height"]).saturating_sub(number(&status["epoch_height"]));
        let same = recovery["epoch"] == status["epoch"];
        Ok((same && recovery["backed_up"] == 4 && recovery["output_kept"] == true && age <= 12).then_some(()))
    })
}

/// Kills a gatekeeper and its machine, and takes away what they kept.
fn lose(network: &Network, n: usize) -> Result<()> {
    let dir = network.dir();
    Process::find(&dir.join(format!("gatekeeper-{n}")), "phala-gatekeeper")?.kill()?;
    Process::find(&dir.join(format!("machine-of-gatekeeper-{n}")), "phala-simulated-tee")?.kill()?;
    fs::remove_dir_all(dir.join(format!("machine-of-gatekeeper-{n}")))?;
    fs::remove_dir_all(dir.join(format!("gatekeeper-{n}")))?;
    Ok(())
}

/// Until the root counts as lost: its epoch is older than a root's silence may be, or too few are admitted.
fn await_lost(network: &Network) -> Result<Value> {
    let first = network.json(&["recovery", "status"])?;
    let silence = first["silence_blocks"].as_u64().context("it has a silence")?;
    until("a lost root", 900, || {
        let status = network.json(&["gatekeeper", "status"])?;
        let recovery = network.json(&["recovery", "status"])?;
        let since = status["epoch_height"].as_u64().context("it has an epoch")?;
        let silent = recovery["height"].as_u64().context("it has a height")? > since + silence + 1;
        let absent = recovery["admitted"].as_u64() < recovery["threshold"].as_u64();
        Ok((silent || absent).then_some(recovery))
    })
}

/// Two fresh gatekeepers on machines of their own, bonded for and approved; their ids.
fn start_fresh(network: &mut Network) -> Result<Vec<String>> {
    let dir = network.dir().to_owned();
    let process = Process::find(&dir.join("gatekeeper-4"), "phala-gatekeeper")?;
    let value = |name: &str| {
        let at = process.arguments.iter().position(|argument| argument == name);
        at.and_then(|at| process.arguments.get(at + 1).cloned()).with_context(|| format!("it has {name}"))
    };
    let (rpc, genesis) = (value("--rpc")?, value("--genesis")?);
    let mut urls = Vec::new();
    for (n, operator) in FRESH.iter().enumerate() {
        let socket = dir.join(format!("machine-of-fresh-{n}.sock"));
        let tee = phala_e2e::binary("phala-simulated-tee");
        let machine = dir.join(format!("machine-of-fresh-{n}"));
        network.adopt(Command::new(tee).arg("--machine").arg(machine).arg("--socket").arg(&socket))?;
        until("the machine's socket", 20, || Ok(socket.exists().then_some(())))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let url = format!("http://{address}");
        let account = KeyPair::parse(operator)?.account().to_string();
        let data = dir.join(format!("fresh-{n}"));
        fs::create_dir_all(&data)?;
        let mut command = Command::new(phala_e2e::binary("phala-gatekeeper"));
        command.arg("--data").arg(data).args(["--listen", &address, "--endpoint", &url, "--rpc", &rpc]);
        command.args(["--genesis", &genesis, "--account", &account]).arg("--tee-socket").arg(&socket);
        network.adopt(&mut command)?;
        urls.push(url);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect(&dir).await?;
        let mut candidates = Vec::new();
        let mut ids = Vec::new();
        for (url, operator) in urls.iter().zip(FRESH) {
            let info = info(url).await?;
            let consent = &info["consent"];
            let text = |value: &Value| value.as_str().map(str::to_owned).context("info has it");
            let account: Account = text(&consent["account"])?.parse()?;
            let operator = KeyPair::parse(operator)?;
            ensure!(account == operator.account(), "{info}");
            let signature = hex::decode(text(&consent["signature"])?.trim_start_matches("0x"))?;
            let gatekeeper = text(&info["gatekeeper"])?;
            let consent = Consent {
                gatekeeper: gatekeeper.parse()?,
                participant: text(&consent["participant"])?.parse()?,
                signature: signature.try_into().ok().context("a signature has 64 bytes")?,
            };
            client.await_worker(consent.gatekeeper, Duration::from_secs(120), |_| true).await?;
            candidates.push((operator, consent));
            ids.push(gatekeeper);
        }
        client.submit_gatekeepers(&KeyPair::parse("//Alice")?, &candidates).await?;
        anyhow::Ok(ids)
    })
}

async fn info(url: &str) -> Result<Value> {
    for _ in 0..200 {
        if let Ok(reply) = reqwest::get(format!("{url}/v1/info")).await {
            return Ok(serde_json::from_str(&reply.text().await?)?);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{url} does not answer")
}

/// Who the gatekeeper at a place of `phala up`'s list is.
fn gatekeeper_at(network: &Network, n: usize) -> Result<Value> {
    let url = network.up["gatekeepers"][n].as_str().context("up names it")?.trim_end_matches('/').to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(info(&url))?["gatekeeper"].clone())
}

fn await_open(network: &Network) -> Result<()> {
    until("the end of the delay", 180, || {
        let status = network.json(&["recovery", "status"])?;
        Ok((status["ceremony"]["open"] == true).then_some(()))
    })
}

fn await_end(network: &Network) -> Result<()> {
    until("the ceremony's end", 180, || {
        let status = network.json(&["recovery", "status", "--root", "0"])?;
        let last = &status["last"];
        ensure!(last.is_null() || last["ending"] == "completed", "{status}");
        Ok((last["recovered"] == true).then_some(()))
    })
}

/// The program's first page, as soon as its worker has the key again.
fn answer(network: &Network) -> Result<String> {
    until("an answer", 120, || {
        let output = network.run(&["call", "notes", "/"])?;
        Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
    })
}
