//! The chain's own code: what a vote lets in, and who brings it.
//!
//! ```text
//! propose, or table in the council ─► vote ─► the code's hash is let in ─► apply: anyone brings the code itself
//! ```
//! What is voted on is a hash of 32 bytes, so that the code need not lie on chain while people decide. Whoever builds the same code
//! finds the same hash, and need trust nobody's word on it.

use super::{MotionArguments, Proposed, bodies::table};
use crate::{
    Context,
    arguments::amount,
    failure::{Failure, Outcome},
    output,
    transact::{Plan, SendArguments},
};
use codec::Encode;
use phala_messages::{
    Hash,
    calls::Call,
    holders::{Democracy, System},
};
use phala_sdk::{Body, Client, code_hash};
use phala_units::Planck;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A block takes no more.
const CODE_BYTES_MAX: u64 = 4 << 20;

/// What is done about the chain's code.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Show what code a vote has let in, and the hash of a file. For example: phala gov upgrade show runtime.wasm
    Show {
        /// A runtime: WebAssembly, compressed or not
        file: Option<PathBuf>,
    },
    /// Propose to all holders that the chain run this code. For example: phala gov upgrade propose runtime.wasm --deposit 10PHA
    Propose {
        /// A runtime: WebAssembly, compressed or not
        file: PathBuf,
        /// What you put behind the proposal, 10PHA at least
        #[arg(long, value_parser = amount)]
        deposit: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Move in the council that it be put to the vote of all, next. For example: phala gov upgrade table runtime.wasm --majority
    Table {
        /// A runtime: WebAssembly, compressed or not
        file: PathBuf,
        /// Ask for three quarters of the council; then more ayes than nays suffice
        #[arg(long)]
        majority: bool,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Bring the code that a vote has let in; anyone may, and it costs nothing. For example: phala gov upgrade apply runtime.wasm
    Apply {
        /// The very file whose hash was let in
        file: PathBuf,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// A runtime's bytes and their hash.
fn read(path: &Path) -> Outcome<(Vec<u8>, Hash)> {
    let hint = "name the WebAssembly of a runtime: `phala_runtime.compact.compressed.wasm` of a build";
    let trouble = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()), hint);
    let size = std::fs::metadata(path).map_err(trouble)?.len();
    if size > CODE_BYTES_MAX {
        return Err(Failure::new(
            format!("{} has {size} bytes, more than the {CODE_BYTES_MAX} that a block takes", path.display()),
            "name the compressed file",
        ));
    }
    let code = std::fs::read(path).map_err(trouble)?;
    // Compressed code begins with a mark of its own, in place of WebAssembly's.
    let known = [b"\0asm".as_slice(), &[82, 188, 83, 118, 70, 219, 142, 5]];
    if !known.iter().any(|mark| code.starts_with(mark)) {
        return Err(Failure::new(format!("{} is no WebAssembly", path.display()), hint));
    }
    let hash = code_hash(&code);
    Ok((code, hash))
}

fn authorize(hash: Hash) -> Vec<u8> {
    Call::System(System::AuthorizeUpgrade { code_hash: hash }).encode()
}

/// What every way to a vote says of it.
fn explained(plan: Plan, hash: &Hash) -> Plan {
    plan.change(format!("code with the hash {hash} may replace the chain's, once the vote is won"))
        .change("then anyone brings it: `phala gov upgrade apply FILE`")
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        match self {
            Self::Show { file } => show(context, client, file.as_deref()).await,
            Self::Propose { file, deposit, send } => {
                let (_, hash) = read(&file)?;
                let proposed = Proposed::new(client, authorize(hash)).await?;
                let propose = Democracy::Propose { proposal: proposed.proposal.clone(), deposit: deposit.0 };
                let json = json!({
                    "code_hash": hash,
                    "proposal_hash": proposed.hash,
                    "deposit_planck": deposit.0.to_string(),
                });
                let does = format!("propose that the chain run the code {hash}");
                let plan = Plan::new(proposed.before(Call::Democracy(propose)), does, json)
                    .change(proposed.deposit())
                    .change(format!("{deposit} of yours are held until its vote opens"));
                send.carry_out_and_tell(context, client, &explained(plan, &hash)).await
            }
            Self::Table { file, majority, motion } => {
                let (_, hash) = read(&file)?;
                let mut plan = table(client, Body::Council, authorize(hash), majority, &motion).await?;
                plan.json["code_hash"] = json!(hash);
                motion.send.carry_out_and_tell(context, client, &explained(plan, &hash)).await
            }
            Self::Apply { file, send } => {
                let (code, hash) = read(&file)?;
                let allowed = client.authorized_upgrade().await?;
                if allowed != Some(hash) {
                    let what = allowed.map_or_else(|| "none".into(), |hash| hash.to_string());
                    return Err(Failure::new(
                        format!("the code {hash} was not let in by a vote; what was: {what}"),
                        "bring the very file that was voted on; `phala gov upgrade show FILE` compares",
                    ));
                }
                let call = Call::System(System::ApplyAuthorizedUpgrade { code });
                let plan = Plan::new(call, format!("bring the code {hash}"), json!({ "code_hash": hash }))
                    .change("from the next block on the chain runs it");
                send.carry_out_and_tell(context, client, &plan).await
            }
        }
    }
}

async fn show(context: &Context, client: &Client, file: Option<&Path>) -> Outcome {
    let allowed = client.authorized_upgrade().await?;
    let hash = file.map(read).transpose()?.map(|(_, hash)| hash);
    if context.json {
        output::object(&json!({
            "authorized_code_hash": allowed,
            "code_hash": hash,
            "call": hash.map(|hash| format!("0x{}", hex::encode(authorize(hash)))),
        }));
        return Ok(());
    }
    output::line(match allowed {
        Some(hash) => format!("a vote let in the code {hash}; it waits to be brought: `phala gov upgrade apply FILE`"),
        None => "no code waits to be brought".into(),
    });
    if let Some(hash) = hash {
        output::fields(&[("the file", hash.to_string()), ("its call", format!("0x{}", hex::encode(authorize(hash))))]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_webassembly_of_a_size_that_a_block_takes_is_code() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runtime.wasm");
        assert!(read(&path).is_err(), "there is none");
        for (bytes, is_code) in [
            (b"\0asm\x01\0\0\0".to_vec(), true),
            ([82, 188, 83, 118, 70, 219, 142, 5, 1].to_vec(), true),
            (b"ELF".to_vec(), false),
            (vec![], false),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).is_ok(), is_code, "{bytes:?}");
        }
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(CODE_BYTES_MAX + 1).unwrap();
        assert!(read(&path).is_err(), "it is too large");
    }
}
