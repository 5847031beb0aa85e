//! Faults: what a worker signed that it must not have signed, shown to the chain.

use crate::{
    Context,
    failure::{Explain, Failure, Outcome},
    transact::{Plan, SendArguments},
};
use phala_follow::ReceiptBundle;
use phala_messages::{
    SignedReceipt, WorkerId,
    calls::{Call, Computation},
    computation::{FaultProof, ReceiptProof},
};
use phala_sdk::Client;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What can be proven by receipts.
#[derive(clap::Subcommand)]
pub enum Fault {
    /// Two receipts of one process, of the same block and program, that name other states
    TwoReceipts {
        /// One, as `phala call --receipt` wrote it
        first: PathBuf,
        /// The other
        second: PathBuf,
        #[command(flatten)]
        send: SendArguments,
    },
    /// A receipt whose state is not the one that the chain has at its block
    OtherState {
        /// The receipt, as `phala call --receipt` wrote it
        receipt: PathBuf,
        #[command(flatten)]
        send: SendArguments,
    },
    /// A receipt of a time when the worker's evidence had expired
    ExpiredEvidence {
        /// The receipt, as `phala call --receipt` wrote it
        receipt: PathBuf,
        #[command(flatten)]
        send: SendArguments,
    },
}

fn read(path: &Path) -> Outcome<SignedReceipt> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).doing(format!("reading {shown}"))?;
    let hint = "`phala call PROGRAM PATH --receipt FILE` writes one";
    let bundle = ReceiptBundle::parse_json(&text).doing(format!("{shown} is no receipt")).help(hint)?;
    Ok(bundle.receipt)
}

fn proof_of(receipt: &SignedReceipt) -> Outcome<ReceiptProof> {
    ReceiptProof::new(receipt).ok_or_else(|| Failure::new("the receipt is too long for a proof", "report another one"))
}

impl Fault {
    /// Shows the fault to the chain.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        let (worker, proof, what, send) = match self {
            Self::TwoReceipts { first, second, send } => {
                let (first, second) = (read(&first)?, read(&second)?);
                worth_showing(&first, &second)?;
                let proof = FaultProof::TwoReceipts { first: proof_of(&first)?, second: proof_of(&second)? };
                (first.receipt.worker, proof, "two-receipts", send)
            }
            Self::OtherState { receipt, send } => {
                let receipt = read(&receipt)?;
                let proof = FaultProof::OtherState { receipt: proof_of(&receipt)? };
                (receipt.receipt.worker, proof, "other-state", send)
            }
            Self::ExpiredEvidence { receipt, send } => {
                let receipt = read(&receipt)?;
                let proof = FaultProof::ExpiredEvidence { receipt: proof_of(&receipt)? };
                (receipt.receipt.worker, proof, "expired-evidence", send)
            }
        };
        let plan = plan(worker, proof, what);
        send.carry_out_and_tell(context, client, &plan).await
    }
}

/// Two receipts that prove nothing together cost a fee: they are looked at here first.
fn worth_showing(first: &SignedReceipt, second: &SignedReceipt) -> Outcome {
    let (a, b) = (&first.receipt, &second.receipt);
    let same = a.worker == b.worker && a.instance == b.instance && a.program == b.program;
    if same && a.anchor.block == b.anchor.block && a.anchor.root != b.anchor.root {
        return Ok(());
    }
    Err(Failure::new(
        "these receipts do not contradict each other",
        "two receipts of one process must name the same block and program, and other states",
    ))
}

fn plan(worker: WorkerId, proof: FaultProof, what: &str) -> Plan {
    let call = Call::Computation(Box::new(Computation::ReportFault { proof: Box::new(proof) }));
    Plan::new(call, format!("report a fault of {worker}: {what}"), json!({ "worker": worker, "fault": what }))
        .change("a tenth of the fine is yours, and the fee with it; a proof that proves nothing costs the fee")
}
