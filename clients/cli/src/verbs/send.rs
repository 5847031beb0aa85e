//! `phala send`: a command, ordered by the chain, and its verified result.

use crate::{
    Context,
    arguments::{RequestArguments, amount, duration},
    failure::{self, Failure, Outcome},
    output::{self, Progress, Report},
    signer::SignerArguments,
    verbs::{
        call::{fail_if, print_body, print_head, with_body, write},
        credit::word,
    },
};
use phala_messages::{ProgramId, Root};
use phala_sdk::{Client, Command, Sent, address};
use phala_units::Planck;
use serde_json::{Value, json};
use std::{io::IsTerminal, path::PathBuf, time::Duration};

/// Send a program a command: an encrypted request that the chain orders and that may change its state
///
/// Waits until the command is finalised, answered and anchored, verifies the whole proof and prints the answer.
/// A deposit is held until the command is answered; its price is the program's credit's or yours (`phala credit show`),
/// and never more than it was when you sent it. Exits 0 when a verified answer of the program's came, whatever its
/// status; 1 when the worker had to answer in its place (a crash, no fuel): then the command changed nothing.
#[derive(clap::Args)]
pub struct Send {
    /// The program: its id, the beginning of it, or its name
    program: String,
    /// Path with query, beginning with /
    path: String,
    #[command(flatten)]
    request: RequestArguments,
    #[command(flatten)]
    signer: SignerArguments,
    /// Write the receipt, with everything that `phala verify` needs, to this file
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Exit with 22 when the status is 400 or more
    #[arg(short, long)]
    fail: bool,
    /// Print the answer's status and headers before its body
    #[arg(short, long)]
    include: bool,
    /// How long to wait for the result once the command is ordered
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    wait: Duration,
    /// Let the command cost you so much at most, beside fee and deposit [default: its price now]
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pay_at_most: Option<Planck>,
    /// Show what the command would cost, and whom; send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Send {
    /// Sends.
    pub async fn run(self, context: &Context) -> Outcome {
        let query = self.request.query(&self.path)?;
        let client = context.connect().await?;
        if self.dry_run {
            client.head().await?;
            let program = client.resolve(&self.program).await?;
            return self.tell_what_if(context, &client, &program).await;
        }
        let key = self.signer.key(client.network())?;
        let program = client.resolve(&self.program).await?;
        let progress = Progress::new();
        progress.step("waiting for the chain to order the command and for its result");
        let sent =
            client.send(&key, &program, &Command { query, timeout: self.wait, pay_at_most: self.pay_at_most }).await;
        progress.done();
        let sent = sent?;
        if let Some(path) = &self.receipt {
            write(path, sent.bundle.to_json().as_bytes())?;
        }
        self.print(context, &sent)
    }

    async fn tell_what_if(&self, context: &Context, client: &Client, program: &ProgramId) -> Outcome {
        let query = self.request.query(&self.path)?;
        let signer = self.signer.account_only(client.network())?;
        let estimate = client.estimate_command(&signer, program, &query).await?;
        let cost = estimate.cost;
        if context.json {
            output::object(&json!({
                "dry_run": true,
                "program": program,
                "signer": address(&signer),
                "sealed_bytes": estimate.sealed_bytes,
                "price_planck": cost.price.0.to_string(),
                "payer": word(cost.payer),
                "own_planck": cost.own().0.to_string(),
                "fee_planck": estimate.fee.fee.0.to_string(),
                "fee_according_to": "node",
            }));
            return Ok(());
        }
        output::fields(&[
            ("would", format!("send a command of {} sealed bytes to {program}", estimate.sealed_bytes)),
            ("signed by", address(&signer)),
            ("price", format!("{}, paid by the {}", cost.price, word(cost.payer))),
            ("fee", format!("{} (the node's word; the chain decides)", estimate.fee.fee)),
            ("then", "a deposit is held until the command is answered".into()),
        ]);
        output::line("nothing was sent");
        Ok(())
    }

    fn print(&self, context: &Context, sent: &Sent) -> Outcome {
        let status = sent.response.status().as_u16();
        if context.json {
            output::object(&to_json(sent));
        } else if sent.problem.is_none() {
            if self.include {
                print_head(status, sent.response.headers());
            }
            print_body(sent.response.body());
        }
        if let Some(problem) = &sent.problem {
            let hint = problem.hint.clone().unwrap_or_else(|| "`phala logs` shows what the program wrote".into());
            let failure = Failure::new(format!("the command changed nothing: {problem}"), hint);
            eprint!("{failure}");
            return Err(Failure::silent(failure::FAILURE));
        }
        if sent.verified.attested.root == Root::Development && std::io::stderr().is_terminal() {
            output::note("(answered by a simulated TEE: no secret is kept from its machine's owner)");
        }
        fail_if(self.fail, status)
    }
}

fn to_json(sent: &Sent) -> Value {
    let receipt = &sent.verified.receipt;
    let mut object = json!({
        "status": sent.response.status().as_u16(),
        "height": receipt.anchor.block.number.0,
        "version": receipt.anchor.version,
        "root": receipt.anchor.root,
        "index": sent.index,
        "price_planck": sent.cost.price.0.to_string(),
        "payer": word(sent.cost.payer),
        "program": receipt.program,
        "code_hash": receipt.code,
        "tee": sent.verified.attested.tee_name(),
    });
    if let Some(problem) = &sent.problem {
        object["problem"] = problem.title.clone().into();
    }
    with_body(object, sent.response.body())
}
