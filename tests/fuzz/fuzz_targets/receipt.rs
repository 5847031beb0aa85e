//! Receipts with their proof. The first byte chooses a golden receipt, the second what the rest stands for: the file, the
//! receipt's bytes beside the golden proof, or the proof's bytes beside the golden receipt.
#![no_main]

mod seeds;

use codec::Encode;
use libfuzzer_sys::fuzz_target;
use phala_follow::{ChainProof, Checkpoint, ReceiptBundle, Trust, verify_receipt};
use phala_messages::SignedReceipt;
use serde_json::Value;
use std::{path::Path, sync::LazyLock};

struct Golden {
    name: String,
    trust: Trust,
    file: String,
    bundle: ReceiptBundle,
    expect: Value,
}

static GOLDEN: LazyLock<Vec<Golden>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/receipt");
    let mut paths: Vec<_> =
        folder.read_dir().expect("the vectors are there").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let golden = |path: &std::path::PathBuf| {
        let vector: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).expect("vectors are JSON");
        let trust = match &vector["trust"]["checkpoint"] {
            Value::Null => Trust::Genesis(vector["trust"]["genesis"].as_str().unwrap().parse().unwrap()),
            checkpoint => Trust::Checkpoint(Checkpoint::parse_json(&checkpoint.to_string()).unwrap()),
        };
        let file = vector["file"].to_string();
        let bundle = ReceiptBundle::parse_json(&file).expect("golden files are bundles");
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Golden { name, trust, file, bundle, expect: vector["expect"].clone() }
    };
    paths.iter().map(golden).collect()
});

fn files() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (choice, golden) in GOLDEN.iter().enumerate() {
        let contents = [golden.file.clone().into_bytes(), golden.bundle.receipt.encode(), golden.bundle.proof.encode()];
        for (kind, content) in contents.iter().enumerate() {
            seeds.push((format!("{}-{kind}", golden.name), [&[choice as u8, kind as u8][..], content].concat()));
        }
    }
    seeds
}

fn bundle(golden: &Golden, kind: u8, content: &[u8]) -> Option<ReceiptBundle> {
    let bundle = golden.bundle.clone();
    match kind % 3 {
        0 => ReceiptBundle::parse_json(std::str::from_utf8(content).ok()?).ok(),
        1 => {
            let receipt = SignedReceipt::parse(content).ok()?;
            assert_eq!(receipt.encode(), content, "two encodings of one receipt");
            Some(ReceiptBundle { receipt, ..bundle })
        }
        _ => {
            let proof = ChainProof::parse(content).ok()?;
            assert_eq!(proof.encode(), content, "two encodings of one proof");
            Some(ReceiptBundle { proof, ..bundle })
        }
    }
}

fuzz_target!(
    init: seeds::write(files),
    |input: &[u8]| {
        let [choice, kind, content @ ..] = input else { return };
        let golden = &GOLDEN[usize::from(*choice) % GOLDEN.len()];
        let Some(bundle) = bundle(golden, *kind, content) else { return };
        assert_eq!(ReceiptBundle::parse_json(&bundle.to_json()).as_ref(), Ok(&bundle), "a bundle survives its file");
        let Ok(verified) = verify_receipt(&bundle, &golden.trust) else { return };
        // Nobody but the golden world's authorities and worker signs anything: whatever verifies says what they said.
        let said = verified.to_json();
        let same = |other: &&Golden| other.trust.genesis() == golden.trust.genesis() && other.expect == said;
        assert!(GOLDEN.iter().find(same).is_some(), "an altered receipt verifies: {said}");
    }
);
