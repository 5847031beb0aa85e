//! Finality changes hands, and who follows by proof follows.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, notes};
use phala_messages::{
    Account,
    calls::{Call, Session},
    storage,
};
use phala_sdk::{Client, KeyPair};
use serde_json::{Value, json};

/// Authority sets that the test moves through.
const CHANGES: u64 = 3;
const VALIDATORS: [&str; 4] = ["//Alice", "//Bob", "//Charlie", "//Dave"];

#[test]
fn workers_and_receipts_follow_through_three_authority_set_changes() -> Result<()> {
    let network = Network::start(&["--validators", "4"])?;
    network.deploy(&notes()?, "notes", &[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect(network.dir()).await?;
        let start = set_id(&client).await?;
        for change in 0..CHANGES {
            let validator = VALIDATORS[change as usize];
            rotate(&network, &client, validator, change as usize).await?;
            while set_id(&client).await? <= start + change {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
        anyhow::Ok(())
    })?;
    // The worker followed: it answers and anchors. A new client, which knows the genesis only, believes it.
    let receipt = network.dir().join("after.receipt");
    let receipt = receipt.to_str().context("text")?;
    let sent = network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "after", "--receipt", receipt])?;
    assert_eq!(sent["status"], 201);
    let text = std::fs::read(network.dir().join("network.json"))?;
    let genesis: Value = serde_json::from_slice(&text)?;
    let genesis = genesis["genesis"].as_str().context("network.json names the genesis")?.to_owned();
    let output = phala_e2e::phala(&["verify", receipt, "--genesis", &genesis, "--json"])?;
    let verified: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(verified["valid"] == true, "{verified}");
    network.stop()
}

/// The id of the set that finalises now, by proof.
async fn set_id(client: &Client) -> Result<u64> {
    client.advance().await?;
    let (_, values) = client.read_raw(&[storage::item("Grandpa", "CurrentSetId")]).await?;
    let bytes = values.into_iter().next().flatten().unwrap_or_else(|| vec![0; 8]);
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| anyhow::anyhow!("a set id has 8 bytes"))?))
}

/// Gives a validator new keys, as its operator would: its node makes them, its account announces them.
async fn rotate(network: &Network, client: &Client, validator: &str, index: usize) -> Result<()> {
    let pair = KeyPair::parse(validator)?;
    let Account(owner) = pair.account();
    let rpc = node_rpc(network, index)?;
    let request = json!({
        "jsonrpc": "2.0", "id": 1,
        "method": "author_rotateKeysWithOwner",
        "params": [format!("0x{}", hex::encode(owner))],
    });
    let answer: Value = reqwest::Client::new().post(&rpc).json(&request).send().await?.json().await?;
    let keys = answer["result"]["keys"].as_str().with_context(|| format!("{rpc} answered {answer}"))?;
    let proof = answer["result"]["proof"].as_str().context("the node proves that it holds the keys")?;
    let keys = hex::decode(keys.trim_start_matches("0x"))?;
    let proof = hex::decode(proof.trim_start_matches("0x"))?;
    let (babe, grandpa) = keys.split_at(32);
    let keys = [babe.try_into()?, grandpa.try_into()?];
    client.submit_and_wait(&pair, &Call::Session(Session::SetKeys { keys, proof })).await?;
    Ok(())
}

/// The RPC of the `index`-th validator.
fn node_rpc(network: &Network, index: usize) -> Result<String> {
    let nodes: Vec<_> = phala_e2e::processes_under(network.dir())
        .into_iter()
        .filter(|process| process.arguments[0].ends_with("phala-node"))
        .collect();
    assert_eq!(nodes.len(), VALIDATORS.len());
    let name = format!("--{}", VALIDATORS[index].trim_start_matches('/').to_lowercase());
    let node = nodes.iter().find(|node| node.arguments.contains(&name)).with_context(|| format!("no node {name}"))?;
    let at = node.arguments.iter().position(|argument| argument.starts_with("--rpc-port")).context("--rpc-port")?;
    let port = match node.arguments[at].split_once('=') {
        Some((_, port)) => port.to_owned(),
        None => node.arguments.get(at + 1).context("a port follows")?.clone(),
    };
    Ok(format!("http://127.0.0.1:{port}"))
}
