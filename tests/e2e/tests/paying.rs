//! Paying for programs on a real chain: stake that weighs, credit that is spent, and a price that is known before it is paid.

use anyhow::{Context, Result, ensure};
use phala_e2e::{NO_GATEKEEPERS, Network, notes};
use phala_messages::{
    calls::{Call, Sudo},
    credit::{CommandPrice, Credit},
};
use phala_sdk::{Client, KeyPair};
use phala_units::{PHA, Planck};
use serde_json::Value;

const PRICE: CommandPrice = CommandPrice {
    base: Planck(PHA / 1_000),
    per_byte: Planck(PHA / 10_000_000),
    per_million_fuel: Planck(PHA / 1_000_000),
};

/// A number of Planck in an answer.
fn planck(answer: &Value, field: &str) -> Result<u128> {
    let text = answer[field].as_str().with_context(|| format!("no `{field}` in {answer}"))?;
    Ok(text.parse()?)
}

/// The development network's administrator stands in for a referendum.
fn set_price(network: &Network) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = Client::connect(network.dir()).await?;
        let call = Box::new(Call::Credit(Credit::SetPrice { price: PRICE }));
        client.submit_and_wait(&KeyPair::parse("//Alice")?, &Call::Sudo(Sudo::Sudo { call })).await?;
        Ok(())
    })
}

/// The arguments that send a note.
fn send(more: &[&'static str]) -> Vec<&'static str> {
    [&["send", "notes", "/notes/1", "-X", "PUT", "-d", "remember"], more].concat()
}

#[test]
fn stake_weighs_and_a_command_costs_what_was_said_before() -> Result<()> {
    let network = Network::start(NO_GATEKEEPERS)?;
    network.deploy(&notes()?, "notes", &[])?;

    // Stake: it weighs at once, and stays Bob's.
    let staked = network.json(&["credit", "stake", "notes", "100PHA", "--account", "//Bob"])?;
    ensure!(staked["weight_estimated"] == 11, "{staked}");
    let shown = network.json(&["credit", "show", "notes", "//Bob"])?;
    ensure!(shown["weight"] == 11 && planck(&shown["stake"], "staked_planck")? == 100 * PHA, "{shown}");
    network.json(&["credit", "unstake", "notes", "all", "--account", "//Bob"])?;
    let shown = network.json(&["credit", "show", "notes", "//Bob"])?;
    ensure!(shown["weight"] == 1 && planck(&shown["stake"]["leaving"], "amount_planck")? == 100 * PHA, "{shown}");
    let early = network.run(&["credit", "collect", "notes", "--account", "//Bob"])?;
    let said = String::from_utf8_lossy(&early.stderr);
    ensure!(!early.status.success() && said.contains("still on its way"), "{said}");

    // A command is free on a new development network, and costs what governance says.
    let free = network.json(&send(&[]))?;
    ensure!(planck(&free, "price_planck")? == 0, "{free}");
    set_price(&network)?;
    let estimate = network.json(&send(&["--dry-run"]))?;
    let price = planck(&estimate, "price_planck")?;
    ensure!(price > PHA / 1_000 && estimate["payer"] == "caller", "{estimate}");
    ensure!(planck(&estimate, "own_planck")? == price, "{estimate}");

    // Nobody pays more than was agreed to, and nothing is sent then.
    let dear = network.run(&send(&["--pay-at-most", "0.0001PHA"]))?;
    let said = String::from_utf8_lossy(&dear.stderr);
    ensure!(!dear.status.success() && said.contains("more than the"), "{said}");

    // The caller pays; then the program, out of its credit; then, by its owner's word, the caller again.
    let paid = network.json(&send(&[]))?;
    ensure!(planck(&paid, "price_planck")? == price && paid["payer"] == "caller", "{paid}");
    network.json(&["credit", "top-up", "notes", "1PHA", "--account", "//Bob"])?;
    let paid = network.json(&send(&[]))?;
    ensure!(planck(&paid, "price_planck")? == price && paid["payer"] == "program", "{paid}");
    let shown = network.json(&["credit", "show", "notes"])?;
    ensure!(planck(&shown, "free_planck")? == PHA - price && planck(&shown, "reserved_planck")? == 0, "{shown}");
    network.json(&["credit", "payer", "notes", "caller"])?;
    let estimate = network.json(&send(&["--dry-run"]))?;
    ensure!(estimate["payer"] == "caller", "{estimate}");

    // What is left over is the owner's, and nobody else's.
    let stranger = network.run(&["credit", "withdraw", "notes", "all", "--account", "//Bob"])?;
    let said = String::from_utf8_lossy(&stranger.stderr);
    ensure!(!stranger.status.success() && said.contains("only the program's owner"), "{said}");
    let returned = network.json(&["credit", "withdraw", "notes", "all"])?;
    ensure!(planck(&returned, "amount_planck")? == PHA - price, "{returned}");
    network.stop()
}
