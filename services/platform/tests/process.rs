//! The simulated machine as a process of its own.

use codec::Encode;
use phala_evidence::{CollateralKey, Policy, StoredCollateral, TrustedRoot, verify, verify_collateral};
use phala_messages::Root;
use phala_platform::{
    Platform, PlatformError,
    simulated::{
        Simulated,
        protocol::{REQUEST_BYTES_MAX, Request},
        simulated_measurement,
    },
};
use phala_units::UnixMillis;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// Cargo builds the binary before this test and puts it next to the folder of tests. (Its variable `CARGO_BIN_EXE_…` has a name that shells
/// drop, so it is lost behind compiler wrappers.)
static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("phala-simulated-tee")
});

/// A running process; ended when dropped.
struct Process {
    child: Child,
    socket: PathBuf,
}

impl Process {
    /// Starts and waits until it says what it is, which it does when it is ready.
    fn start(machine: &Path, socket: &Path) -> Self {
        let mut child = Command::new(&*BINARY)
            .arg("--machine")
            .arg(machine)
            .arg("--socket")
            .arg(socket)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("SIMULATION") && line.contains("NO SECRET"));
        assert!(said, "it ended without saying what it is");
        // Keeps the pipe open and empty.
        thread::spawn(move || lines.for_each(drop));
        Self { child, socket: socket.to_owned() }
    }

    fn client(&self) -> Simulated {
        Simulated::connect(&self.socket).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn now() -> UnixMillis {
    UnixMillis::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

#[test]
fn its_quotes_are_admitted_under_the_development_root() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("machine"), &directory.path().join("socket"));
    let client = process.client();
    assert!(client.simulated());
    assert_eq!(client.name(), "simulated-tdx");

    let root = TrustedRoot::insecure_development();
    let mut store = BTreeMap::<CollateralKey, StoredCollateral>::new();
    for piece in client.collateral().unwrap() {
        let stored = verify_collateral(&piece, &root, &store, now()).unwrap().into_inner();
        store.insert(stored.key(), stored);
    }
    let quote = client.quote([9; 64]).unwrap();
    let report = verify(&quote, &root, &store, now()).unwrap();
    assert_eq!(report.report_data, [9; 64]);
    // The measurement is this test's own executable.
    assert_eq!(report.measurement, simulated_measurement(&std::env::current_exe().unwrap()).unwrap());
    assert_eq!(Policy::strict().judge(&report).unwrap().root, Root::Development);
    // Intel's root has never heard of it.
    assert!(verify(&quote, &TrustedRoot::intel(), &store, now()).is_err());
}

#[test]
fn a_sealing_key_belongs_to_machine_code_and_context() {
    let directory = tempfile::tempdir().unwrap();
    let machine = directory.path().join("machine");
    let key = |machine: &Path, context| {
        let process = Process::start(machine, &directory.path().join("socket"));
        *process.client().sealing_key(context).unwrap().expose()
    };
    let first = key(&machine, "state");
    assert_eq!(first, key(&machine, "state"), "a restart changes nothing");
    assert_ne!(first, key(&machine, "identity"), "another use");
    assert_ne!(first, key(&directory.path().join("other"), "state"), "another machine");
    let mode = fs::metadata(machine.join("fuse.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::read_to_string(machine.join("pck.pem")).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn a_client_survives_the_restart_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let (machine, socket) = (directory.path().join("machine"), directory.path().join("socket"));
    let process = Process::start(&machine, &socket);
    let client = process.client();
    let before = client.quote([1; 64]).unwrap();
    drop(process);
    let Err(PlatformError::Unreachable { .. }) = client.quote([1; 64]) else { panic!("nobody is there") };
    // The killed process left its socket behind.
    let _process = Process::start(&machine, &socket);
    assert_eq!(client.quote([1; 64]).unwrap(), before);
}

#[test]
fn no_input_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("machine"), &directory.path().join("socket"));
    let long = vec![0; REQUEST_BYTES_MAX + 1];
    let context = Request::SealingKey("c".repeat(300)).encode();
    let trailing = [Request::Collateral.encode(), vec![0]].concat();
    for request in [&[][..], &[9], &[0; 10], &long, &context, &trailing, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = UnixStream::connect(&process.socket).unwrap();
        stream.write_all(&(request.len() as u32).to_le_bytes()).unwrap();
        // The process may refuse before it has read everything.
        let _ = stream.write_all(request);
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut response = vec![0; u32::from_le_bytes(length) as usize];
        stream.read_exact(&mut response).unwrap();
        assert_eq!(response[0], 3, "not a refusal: {request:?}");
    }
    // Half a frame, and nothing more.
    let mut stream = UnixStream::connect(&process.socket).unwrap();
    stream.write_all(&[200, 0, 0, 0, 1]).unwrap();
    drop(stream);
    process.client().quote([2; 64]).unwrap();
}

#[test]
fn several_clients_are_served_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("machine"), &directory.path().join("socket"));
    thread::scope(|scope| {
        for n in 0..8 {
            let client = process.client();
            scope.spawn(move || {
                for _ in 0..5 {
                    let quote = client.quote([n; 64]).unwrap();
                    assert_eq!(quote[48 + 520..48 + 584], [n; 64]);
                }
            });
        }
    });
}

#[test]
fn a_damaged_fuse_key_is_an_error_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("fuse.key"), [1; 31]).unwrap();
    let output = Command::new(&*BINARY)
        .args([std::ffi::OsStr::new("--machine"), directory.path().as_os_str()])
        .arg("--socket")
        .arg(directory.path().join("socket"))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("hint:"), "{error}");
}

#[test]
fn two_processes_do_not_share_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _process = Process::start(&directory.path().join("machine"), &socket);
    let output =
        Command::new(&*BINARY).arg("--machine").arg(directory.path()).arg("--socket").arg(&socket).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("in use"), "{error}");
}

#[test]
fn a_measurement_can_be_asked_for_without_a_machine() {
    let output = Command::new(&*BINARY).arg("measure").arg(&*BINARY).arg("--json").output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let measurement = simulated_measurement(&BINARY).unwrap().to_string();
    assert_eq!((&json["measurement"], &json["simulated"]), (&measurement.clone().into(), &true.into()));
    let output = Command::new(&*BINARY).arg("measure").arg(&*BINARY).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), measurement);
}
