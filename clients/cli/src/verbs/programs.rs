//! `phala programs`: what runs on the network.

use crate::{
    Context,
    failure::Outcome,
    output::{self, Progress, Report},
    signer::SignerArguments,
};
use phala_sdk::{Listed, address};
use serde_json::{Value, json};

/// List the network's programs, or remove one
#[derive(clap::Args)]
pub struct Programs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List them (this is what happens without a word)
    List,
    /// Remove a program of yours; its deposit returns, its state is lost
    Remove {
        /// The program: its id, the beginning of it, or its name
        program: String,
        #[command(flatten)]
        signer: SignerArguments,
    },
}

impl Programs {
    /// Lists or removes.
    pub async fn run(self, context: &Context) -> Outcome {
        match self.action {
            None | Some(Action::List) => list(context).await,
            Some(Action::Remove { program, signer }) => remove(context, &program, &signer).await,
        }
    }
}

async fn list(context: &Context) -> Outcome {
    let client = context.connect().await?;
    let programs = client.programs().await?;
    if context.json {
        output::object(&json!({ "programs": programs.iter().map(to_json).collect::<Vec<_>>() }));
    } else if programs.is_empty() {
        output::line("no programs yet; `phala deploy FILE` makes one");
    } else {
        let rows = programs.iter().map(|it| {
            let version = it.anchor.as_ref().map_or(0, |anchor| anchor.version);
            let waiting = it.record.commands.saturating_sub(version);
            [
                it.name(),
                it.id.to_string()[..14].to_owned() + "…",
                it.record.status.to_string(),
                it.record.cluster.0.to_string(),
                version.to_string(),
                waiting.to_string(),
                output::bytes(it.record.code_bytes.into()),
                address(&it.record.owner),
            ]
        });
        let head = ["NAME", "PROGRAM", "STATUS", "CLUSTER", "VERSION", "WAITING", "CODE", "OWNER"];
        output::line(output::table(head, rows));
    }
    Ok(())
}

async fn remove(context: &Context, program: &str, signer: &SignerArguments) -> Outcome {
    let client = context.connect().await?;
    let key = signer.key(client.network())?;
    let program = client.resolve(program).await?;
    let progress = Progress::new();
    progress.step("waiting for the chain to finalise the removal");
    let removed = client.remove(&key, program).await;
    progress.done();
    let height = removed?.block.number.0;
    if context.json {
        output::object(&json!({ "removed": program, "height": height }));
    } else {
        output::line(format!("removed {program} in block {height}"));
    }
    Ok(())
}

fn to_json(it: &Listed) -> Value {
    let hosts = it.record.manifest.outbound_hosts.iter();
    json!({
        "program": it.id,
        "name": it.name(),
        "status": it.record.status,
        "cluster": it.record.cluster,
        "owner": address(&it.record.owner),
        "code_hash": it.record.code,
        "code_bytes": it.record.code_bytes,
        "deployed_height": it.record.deployed.0,
        "commands": it.record.commands,
        "version": it.anchor.as_ref().map_or(0, |anchor| anchor.version),
        "root": it.anchor.as_ref().map(|anchor| anchor.root),
        "limits": it.record.manifest.limits,
        "outbound_hosts": hosts.map(|host| String::from_utf8_lossy(host).into_owned()).collect::<Vec<_>>(),
    })
}
