//! Golden receipts: `tests/vectors/receipt/*.json`. Each file has what is trusted, a receipt file, and what a verifier
//! says of it. They are made here from seeds; run with `PHALA_WRITE_VECTORS=1` to write them anew.

mod common;
#[path = "common/world.rs"]
mod world;

use codec::Encode;
use common::{Chain, Node};
use phala_follow::{ChainProof, Checkpoint, Follower, ReceiptBundle, Trust, verify_receipt};
use phala_messages::{BlockRef, GenesisHash, Receipt, StateRoot};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};
use world::{BLOCK, FROM, Records, command, query, sign};

fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/vectors/receipt")
}

fn vector(about: &str, bundle: &ReceiptBundle, trust: &Trust) -> Value {
    let trusted = match trust {
        Trust::Genesis(genesis) => json!({"genesis": genesis.to_string()}),
        Trust::Checkpoint(checkpoint) => json!({"checkpoint": checkpoint.to_json()}),
    };
    let file: Value = serde_json::from_str(&bundle.to_json()).unwrap();
    let signing_hash = bundle.receipt.receipt.signing_hash().to_string();
    json!({"about": about, "trust": trusted, "file": file, "signing_hash": signing_hash, "expect": judge(&bundle.to_json(), trust)})
}

fn judge(file: &str, trust: &Trust) -> Value {
    match ReceiptBundle::parse_json(file).and_then(|bundle| verify_receipt(&bundle, trust)) {
        Ok(verified) => verified.to_json(),
        Err(refusal) => json!({"valid": false, "code": refusal.code(), "reason": refusal.to_string()}),
    }
}

async fn made() -> BTreeMap<&'static str, Value> {
    let chain = world::chain(&Records::default());
    let genesis = Trust::Genesis(chain.genesis());
    let block = chain.blocks[BLOCK as usize].reference();
    let asked = world::bundle(&chain, sign(query(block, &chain)), &genesis).await;
    let ordered = world::bundle(&chain, sign(command(block, &chain, FROM + 1)), &genesis).await;
    let mut node = Node::new(chain.clone());
    node.chain.cut(10);
    let mut follower = Follower::from_genesis(chain.genesis(), &node).await.unwrap();
    while follower.advance(&node).await.unwrap() {}
    let checkpoint = Trust::Checkpoint(follower.checkpoint());
    let short = world::bundle(&chain, asked.receipt.clone(), &checkpoint).await;

    let mut all = BTreeMap::new();
    all.insert("query", vector("a query's receipt, from genesis over two hand-overs", &asked, &genesis));
    all.insert("command", vector("a command's receipt, the second of three in its anchor", &ordered, &genesis));
    all.insert("query-checkpoint", vector("a query's receipt, from a checkpoint", &short, &checkpoint));
    all.insert(
        "query-genesis-past-checkpoint",
        vector("a proof from genesis, believed by a checkpoint", &asked, &checkpoint),
    );
    refused(&mut all, &chain, &asked, &ordered, &genesis);
    all
}

fn refused(
    all: &mut BTreeMap<&'static str, Value>,
    chain: &Chain,
    asked: &ReceiptBundle,
    ordered: &ReceiptBundle,
    trust: &Trust,
) {
    let says = |receipt: Receipt, of: &ReceiptBundle| ReceiptBundle { receipt: sign(receipt), proof: of.proof.clone() };
    let change = |of: &ReceiptBundle, change: fn(&mut Receipt)| {
        let mut receipt = of.receipt.receipt.clone();
        change(&mut receipt);
        says(receipt, of)
    };
    let prove = |change: fn(&mut ChainProof)| {
        let mut bundle = asked.clone();
        change(&mut bundle.proof);
        bundle
    };
    let records = |change: fn(&mut Records)| {
        let mut records = Records::default();
        change(&mut records);
        let other = world::chain(&records);
        let block = other.blocks[BLOCK as usize].reference();
        let receipt = query(block, &other);
        let proof = ChainProof {
            finality: phala_follow::receipt::Finality::Justified {
                justification: other.blocks[16].justification.clone().unwrap_or_default(),
                headers: other.blocks[14..=16].iter().map(|block| block.header.clone()).collect(),
            },
            storage: other.read_proof(&other.blocks[BLOCK as usize], &phala_follow::receipt::storage_keys(&receipt)),
            ..asked.proof.clone()
        };
        ReceiptBundle { receipt: sign(receipt), proof }
    };
    let mut unsigned = asked.clone();
    unsigned.receipt.signature[0] ^= 1;
    let other = Trust::Genesis(Chain::new(1, &[1, 2, 3, 4]).genesis());
    let mut put = |name: &'static str, bundle: ReceiptBundle, trust: &Trust| {
        let about = format!("refused: {name}");
        assert!(all.insert(name, vector(&about, &bundle, trust)).is_none());
    };
    put("signature", unsigned, trust);
    put("wrong-genesis", asked.clone(), &other);
    put("hand-over-missing", prove(|proof| drop(proof.hand_overs.remove(0))), trust);
    put(
        "hand-over-forged",
        prove(|proof| proof.hand_overs[1].header.digest.logs = vec![common::appoints(&[9], 0)]),
        trust,
    );
    put(
        "justification-of-another-block",
        prove(|proof| {
            let phala_follow::receipt::Finality::Justified { headers, .. } = &mut proof.finality else { return };
            headers.pop();
        }),
        trust,
    );
    put("not-an-ancestor", change(asked, |receipt| receipt.anchor.block = BlockRef::default()), trust);
    put("storage-node-missing", prove(|proof| drop(proof.storage.pop())), trust);
    put("storage-node-altered", prove(|proof| proof.storage[0][1] ^= 1), trust);
    put("worker-not-registered", records(|records| records.worker = None), trust);
    put(
        "instance-superseded",
        records(|records| records.worker.as_mut().unwrap().registration.instance.0 = [1; 32]),
        trust,
    );
    put("admission-expired", change(asked, |receipt| receipt.time.0 += 3_600_000), trust);
    put("program-unknown", records(|records| records.program = None), trust);
    put("worker-not-assigned", records(|records| records.cluster = None), trust);
    put("code-differs", change(asked, |receipt| receipt.code.0[0] ^= 1), trust);
    put("anchor-superseded", change(asked, |receipt| receipt.anchor.version -= 1), trust);
    put("anchor-ahead", change(asked, |receipt| receipt.anchor.version += 1), trust);
    put("root-differs", change(asked, |receipt| receipt.anchor.root = StateRoot::default()), trust);
    put("result-not-anchored", change(ordered, |receipt| receipt.response.0[0] ^= 1), trust);
    put("time-implausible", change(asked, |receipt| receipt.time.0 -= 20_000), trust);
    assert_eq!(chain.genesis(), trust.genesis());
}

#[tokio::test]
async fn golden_receipts_are_made_and_judged_as_they_always_were() {
    let made = made().await;
    if std::env::var_os("PHALA_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        for (name, vector) in &made {
            let text = serde_json::to_string_pretty(vector).unwrap() + "\n";
            std::fs::write(folder().join(format!("{name}.json")), text).unwrap();
        }
    }
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let vector: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(made.get(name.as_str()), Some(&vector), "{name}");
        let trust = match &vector["trust"]["checkpoint"] {
            Value::Null => Trust::Genesis(vector["trust"]["genesis"].as_str().unwrap().parse::<GenesisHash>().unwrap()),
            checkpoint => Trust::Checkpoint(Checkpoint::parse_json(&checkpoint.to_string()).unwrap()),
        };
        let file = vector["file"].to_string();
        assert_eq!(judge(&file, &trust), vector["expect"], "{name}");
        let bundle = ReceiptBundle::parse_json(&file).unwrap();
        let field = |name: &str| hex::decode(&vector["file"][name].as_str().unwrap()[2..]).unwrap();
        assert_eq!((bundle.receipt.encode(), bundle.proof.encode()), (field("receipt"), field("proof")), "{name}");
        files += 1;
    }
    assert_eq!(files, made.len());
}

#[tokio::test]
async fn golden_receipts_cover_acceptance_and_refusal() {
    let made = made().await;
    for (name, vector) in &made {
        let valid = vector["expect"]["valid"].as_bool().unwrap();
        assert_eq!(valid, name.starts_with("query") || *name == "command", "{name}");
        if let Some(code) = vector["expect"]["code"].as_str() {
            let expected = match *name {
                "hand-over-missing" | "hand-over-forged" => "hand-over",
                "justification-of-another-block" => "justification",
                "storage-node-missing" | "storage-node-altered" => "storage-proof",
                other => other,
            };
            assert_eq!(code, expected, "{name}");
        }
    }
}
