//! `phala verify`: a receipt, offline.

use crate::{
    Context,
    failure::{self, Explain, Failure, Outcome},
    output,
};
use phala_follow::{Checkpoint, Trust, VerifiedReceipt};
use phala_messages::{GenesisHash, Hash, Root};
use phala_sdk::{Demands, Network, VerifyError};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Verify a receipt, offline: no network, no worker, nothing but what you trust
///
/// Checks that the answer came from that program and code, from the newest state, out of a TEE whose evidence the
/// chain had judged, all the way from the genesis (or a checkpoint) of the network. Exits 0 when it is valid, else 1.
#[derive(clap::Args)]
pub struct Verify {
    /// The receipt, as `phala call --receipt FILE` writes it; - for standard input
    receipt: PathBuf,
    /// Trust this genesis hash [default: the genesis of the network's directory]
    #[arg(long, value_name = "HASH", conflicts_with = "checkpoint")]
    genesis: Option<GenesisHash>,
    /// Trust the checkpoint in this file
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Also check that the receipt is for this request (binary HTTP, as `phala call --save-request` writes it)
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Also check that the receipt is for this answer (binary HTTP, as `phala call --save-response` writes it)
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// Also demand a real TEE: refuse what a simulated one signed
    #[arg(long)]
    hardware: bool,
    /// Also demand that the worker was this build (`phala status --json` lists what the network allows)
    #[arg(long, value_name = "HASH")]
    measurement: Option<Hash>,
}

impl Verify {
    /// Verifies and tells the verdict.
    pub fn run(self, context: &Context) -> Outcome {
        match self.verdict(context) {
            Ok(verified) if context.json => output::object(&verified.to_json()),
            Ok(verified) => print(&verified),
            Err(failure) if context.json => {
                let causes = failure.causes();
                let reason = std::iter::once(failure.message()).chain(causes).collect::<Vec<_>>().join(": ");
                let code = failure.find::<VerifyError>().map(VerifyError::code);
                output::object(&json!({ "valid": false, "code": code, "reason": reason, "hint": failure.hint() }));
                return Err(Failure::silent(failure::FAILURE));
            }
            Err(failure) => return Err(failure.context("the receipt is NOT valid")),
        }
        Ok(())
    }

    fn verdict(&self, context: &Context) -> Outcome<VerifiedReceipt> {
        let text = if self.receipt == Path::new("-") {
            std::io::read_to_string(std::io::stdin().lock()).doing("reading standard input")?
        } else {
            String::from_utf8(read(&self.receipt)?).unwrap_or_default()
        };
        let trust = self.trust(context)?;
        let demands = Demands {
            request: self.request.as_deref().map(read).transpose()?,
            response: self.response.as_deref().map(read).transpose()?,
            hardware: self.hardware,
            measurement: self.measurement,
        };
        Ok(phala_sdk::verify(&text, &trust, &demands)?)
    }

    fn trust(&self, context: &Context) -> Outcome<Trust> {
        if let Some(genesis) = self.genesis {
            return Ok(Trust::Genesis(genesis));
        }
        if let Some(path) = &self.checkpoint {
            let text = String::from_utf8(read(path)?).unwrap_or_default();
            let checkpoint = Checkpoint::parse_json(&text).doing(format!("{} is not a checkpoint", path.display()))?;
            return Ok(Trust::Checkpoint(checkpoint));
        }
        let network = Network::read(&context.dir()?);
        let network = network.map_err(|error| {
            Failure::new(error, "say what you trust: --genesis HASH, --checkpoint FILE, or --dir of a network")
        })?;
        Ok(Trust::Genesis(network.genesis))
    }
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path)
        .doing(format!("reading {}", path.display()))
        .help("name a file that exists and that you may read")
}

fn print(verified: &VerifiedReceipt) {
    let receipt = &verified.receipt;
    let attested = &verified.attested;
    output::line("the receipt is valid\n");
    output::line(format!("  program    {} ({})", receipt.program, verified.program_name()));
    output::line(format!("  code       {}", receipt.code));
    output::line(format!("  request    {}", receipt.request));
    output::line(format!("  answer     {}", receipt.response));
    output::line(format!("  state      version {}, root {}", receipt.anchor.version, receipt.anchor.root));
    output::line(format!(
        "  block      {} at {}",
        receipt.anchor.block.number.0,
        output::moment(verified.block_time.0)
    ));
    output::line(format!("  worker     {}", receipt.worker));
    output::line(format!("  tee        {}, {}", attested.tee_name(), attested.tcb));
    if attested.root == Root::Development {
        output::line(
            "\nthe TEE is SIMULATED: the answer is what that program said, but its machine's owner could read along.",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(receipt: &Path) -> Verify {
        Verify {
            receipt: receipt.into(),
            genesis: Some(GenesisHash::default()),
            checkpoint: None,
            request: None,
            response: None,
            hardware: false,
            measurement: None,
        }
    }

    fn context() -> Context {
        Context { json: false, dir: Some("/nonexistent".into()) }
    }

    #[test]
    fn a_file_that_is_no_receipt_is_not_valid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        assert!(verify(&path).verdict(&context()).unwrap_err().message().contains("reading"));
        for text in ["", "{}", "\u{0}"] {
            std::fs::write(&path, text).unwrap();
            let failure = verify(&path).verdict(&context()).unwrap_err();
            assert!(failure.message().contains("receipt"), "{failure}");
            assert!(failure.hint().is_some());
        }
    }

    #[test]
    fn somebody_must_say_what_to_trust() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        std::fs::write(&path, "{}").unwrap();
        let nothing = Verify { genesis: None, ..verify(&path) };
        assert!(nothing.verdict(&context()).unwrap_err().hint().is_some_and(|hint| hint.contains("--genesis")));
        let checkpoint = Verify { genesis: None, checkpoint: Some(path.clone()), ..verify(&path) };
        assert!(checkpoint.verdict(&context()).unwrap_err().message().contains("is not a checkpoint"));
    }
}
