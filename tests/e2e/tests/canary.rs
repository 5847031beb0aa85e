//! Nobody reads a program's data: strings that must appear nowhere.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, Process, notes};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
};

const SETTING: &str = "canary-in-a-setting-6f1b0c2e";
const COMMAND: &str = "canary-in-a-command-93ad7715";
const QUERY: &str = "canary-in-a-query-41c7ee08";
const HEADER: &str = "canary-in-a-header-b5520d9a";

#[test]
fn secrets_appear_nowhere_on_chain_disk_logs_memory_of_hosts_or_wire() -> Result<()> {
    let mut network = Network::start(&[])?;
    let (proxy, seen) = record(&network.worker())?;
    reach_worker_through(&mut network, &proxy)?;
    network.deploy(&notes()?, "notes", &["--set", &format!("greeting={SETTING}")])?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", COMMAND])?;
    let notes = network.ok(&["call", "notes", "/notes", "--as", "//Alice"])?;
    ensure!(contains(&notes, COMMAND.as_bytes()), "the caller reads what it wrote");
    let asked = network.ok(&["call", "notes", &format!("/{QUERY}"), "-H", &format!("x-canary: {HEADER}")])?;
    ensure!(!asked.is_empty());
    let greeting = network.ok(&["call", "notes", "/"])?;
    ensure!(String::from_utf8_lossy(&greeting).contains(SETTING), "the setting is in use");

    let canaries = [SETTING, COMMAND, QUERY, HEADER];
    let wire = seen.lock().map_err(|_| anyhow::anyhow!("the recorder died"))?.clone();
    ensure!(wire.len() > 500, "the recorder saw {} bytes", wire.len());
    for canary in canaries {
        ensure!(!contains(&wire, canary.as_bytes()), "{canary} crossed the wire");
    }
    let mut files = 0;
    scan(network.dir(), &mut |path, bytes| {
        files += 1;
        for canary in canaries {
            ensure!(!contains(bytes, canary.as_bytes()), "{canary} lies in {}", path.display());
        }
        Ok(())
    })?;
    ensure!(files > 10, "only {files} files were scanned");
    // The node never sees a plaintext, so its memory cannot hold one either.
    let node = Process::find(network.dir(), "phala-node")?;
    for canary in canaries {
        ensure!(!in_memory(node.pid, canary.as_bytes())?, "{canary} is in the node's memory");
    }
    network.stop()
}

/// Restarts the worker so that it registers `proxy` as the place where it is reached.
fn reach_worker_through(network: &mut Network, proxy: &str) -> Result<()> {
    network.unsupervised()?;
    let mut worker = Process::find(network.dir(), "phala-worker")?;
    let at = worker.arguments.iter().position(|argument| argument == "--endpoint").context("it has --endpoint")?;
    network.replace(&mut worker, |arguments| arguments[at + 1] = proxy.into())?;
    while !network.json(&["status"])?.to_string().contains(proxy) {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    Ok(())
}

/// A proxy in front of `target` that remembers every byte of both directions.
fn record(target: &str) -> Result<(String, Arc<Mutex<Vec<u8>>>)> {
    let target = target.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else { continue };
            for (from, to) in [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))] {
                let (Ok(from), Ok(to)) = (from, to) else { continue };
                let record = record.clone();
                std::thread::spawn(move || copy(from, to, &record));
            }
        }
    });
    Ok((url, seen))
}

fn copy(mut from: TcpStream, mut to: TcpStream, record: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if let Ok(mut seen) = record.lock() {
            seen.extend_from_slice(&buffer[..n]);
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn scan(dir: &Path, look: &mut impl FnMut(&Path, &[u8]) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            scan(&path, look)?;
        } else if kind.is_file() {
            let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            look(&path, &bytes)?;
        }
    }
    Ok(())
}

/// Whether the private memory of `pid` holds `needle`.
fn in_memory(pid: i32, needle: &[u8]) -> Result<bool> {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = fs::File::open(format!("/proc/{pid}/mem"))?;
    for line in maps.lines().filter(|line| line.contains("rw-p")) {
        let (range, _) = line.split_once(' ').context("a line of maps")?;
        let (from, to) = range.split_once('-').context("a range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut buffer = vec![0; (1 << 20) + needle.len()];
        let mut at = from;
        while at < to {
            let take = ((to - at) as usize).min(buffer.len());
            let Ok(read) = memory.read_at(&mut buffer[..take], at) else { break };
            if read == 0 {
                break;
            }
            if contains(&buffer[..read], needle) {
                return Ok(true);
            }
            at += (1 << 20).min(read as u64);
        }
    }
    Ok(false)
}
