//! The guides for delegators, operators and voters, word for word: every block of commands is run, in order, on a network of its own.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, binary};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Blocks of `sh` in a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

/// Runs every block of a guide; gives what it printed, block by block.
fn follow(guide: &str) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides").join(guide);
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let network = Network::start(&["--workers", "2"])?;
    let home = tempfile::tempdir()?;
    let phala = binary("phala");
    let folder = phala.parent().context("a binary lies in a folder")?;
    let search = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut said = Vec::new();
    for block in blocks(&page) {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &block])
            .env("PATH", &search)
            .env("PHALA_DIR", network.dir())
            .env("PHALA_HOME", home.path())
            .env_remove("PHALA_ACCOUNT")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{guide}: {}\n{block}\n{text}{stderr}", output.status);
        said.push(text);
    }
    network.stop()?;
    Ok(said)
}

/// Every text stands somewhere in what was printed, one after the other.
fn in_this_order(said: &[String], texts: &[&str]) -> Result<()> {
    let whole = said.join("\n");
    let mut rest = whole.as_str();
    for text in texts {
        let found = rest.find(text).with_context(|| format!("`{text}` is missing, or out of order, in\n{whole}"))?;
        rest = &rest[found + text.len()..];
    }
    Ok(())
}

#[test]
fn a_delegator_follows_the_guide() -> Result<()> {
    let said = follow("delegator.md")?;
    in_this_order(
        &said,
        &[
            "free",
            "made stake pool 0",
            "stake pool",
            "nothing was sent",
            "done: contribute 100 PHA to stake pool 0",
            "worth 100 PHA in all",
            "withdrew 40 PHA from stake pool 0",
            "worth 60 PHA in all",
            "worth 10 PHA in all",
            "made vault 1",
            "in stake pool 0",
            "PHA",
            "done: bond 500 PHA",
            "done: nominate",
            "500 PHA",
            "done: want 100 PHA back",
        ],
    )
}

#[test]
fn an_operator_follows_the_guide() -> Result<()> {
    let said = follow("operator.md")?;
    in_this_order(
        &said,
        &[
            "made stake pool 0",
            "60000 PHA",
            "on the list: a friend",
            "stake-pool-manager",
            "done: bind",
            "done: let",
            "computes and answers",
            "nothing was sent",
            "stopped; its stake cools down",
        ],
    )
}

#[test]
fn a_voter_follows_the_guide() -> Result<()> {
    let said = follow("voter.md")?;
    in_this_order(
        &said,
        &[
            "no referendum yet",
            "nothing is proposed",
            "money moves",
            "nothing was sent",
            "done: propose the call",
            "done: second proposal 0",
            "referendum",
            "done: vote aye on referendum 0 with 1000 PHA",
            "aye with 1000 PHA, conviction 1",
            "done: take the vote in referendum 0 back",
            "lends its vote",
            "done: be a candidate for the council",
            "wants in the council",
            "money moves",
            "done: propose a bounty of 500 PHA",
            "waits for the council",
            "done: report that",
            "no code waits to be brought",
            "governance",
        ],
    )
}
