//! The treasury, what hashes stand for, and the standstill of money.

use super::{
    MotionArguments, Proposed,
    bodies::{Part, moved},
};
use crate::{
    Context,
    arguments::{CallBytes, amount, call},
    failure::{Failure, Outcome},
    output,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use codec::Encode;
use phala_messages::{
    Hash,
    calls::{Address, Call},
    holders::{self, Democracy},
};
use phala_sdk::{Body, Client, address};
use phala_units::Planck;
use serde_json::json;

/// What is done with the treasury.
#[derive(clap::Subcommand)]
pub enum Action {
    /// List what it is about to pay (this is what happens without a word)
    List,
    /// Move in the council that it pay somebody: half of the council up to 10,000 PHA, three quarters up to 1,000,000. For example: phala gov treasury spend //Bob 500PHA
    Spend {
        /// To whom: a name, a key file, an address, or //Bob
        to: String,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Propose to all holders that it pay somebody, however much. For example: phala gov treasury ask //Bob 500PHA --deposit 10PHA
    Ask {
        /// To whom: a name, a key file, an address, or //Bob
        to: String,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        /// What you put behind the proposal, 10PHA at least
        #[arg(long, value_parser = amount, value_name = "AMOUNT")]
        deposit: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// What is done with what hashes stand for.
#[derive(clap::Subcommand)]
pub enum PreimageAction {
    /// Put a call on chain, so that everyone can read what is voted on. For example: phala gov preimage note 0x00001468656c6c6f
    Note {
        /// The call, as --dry-run shows it, or a file with it: @FILE
        #[arg(value_parser = call)]
        call: CallBytes,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Read a call. For example: phala gov preimage show 0x… 8
    Show {
        /// Its hash
        hash: Hash,
        /// How many bytes it has
        bytes: u32,
    },
}

/// What is done about the standstill of money.
#[derive(clap::Subcommand)]
pub enum SafeModeAction {
    /// Move in the technical committee that money stand still: two thirds of it can. For example: phala gov safe-mode enter
    Enter {
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Move in the council that money move again: half of it can. For example: phala gov safe-mode exit
    Exit {
        #[command(flatten)]
        motion: MotionArguments,
    },
}

/// Half of the council grants so much.
const SMALL_SPEND_MAX: Planck = Planck(10_000 * phala_units::PHA);

fn spend_call(to: &phala_messages::Account, amount: Planck) -> Call {
    Call::Treasury(holders::Treasury::SpendLocal { amount: amount.0, beneficiary: Address::Id(*to) })
}

/// What part of the council can grant so much.
pub(super) fn part_for(amount: Planck) -> Part {
    if amount > SMALL_SPEND_MAX { Part::ThreeQuarters } else { Part::Half }
}

pub(super) async fn run(context: &Context, client: &Client, action: Option<Action>) -> Outcome {
    match action {
        None | Some(Action::List) => list(context, client).await,
        Some(Action::Spend { to, amount, motion }) => {
            let to = account_of(&to)?;
            let part = part_for(amount);
            let json = json!({ "to": address(&to), "amount_planck": amount.0.to_string() });
            let does = format!("pay {amount} to {}", address(&to));
            let plan = moved(client, Body::Council, part, &motion, spend_call(&to, amount), &does, json).await?;
            motion.send.carry_out_and_tell(context, client, &plan).await
        }
        Some(Action::Ask { to, amount, deposit, send }) => {
            let to = account_of(&to)?;
            let proposed = Proposed::new(client, spend_call(&to, amount).encode()).await?;
            let propose = Democracy::Propose { proposal: proposed.proposal.clone(), deposit: deposit.0 };
            let json = json!({
                "proposal_hash": proposed.hash,
                "to": address(&to),
                "amount_planck": amount.0.to_string(),
                "deposit_planck": deposit.0.to_string(),
            });
            let does = format!("propose that the treasury pay {amount} to {}", address(&to));
            let plan = Plan::new(proposed.before(Call::Democracy(propose)), does, json)
                .change(proposed.deposit())
                .change(format!("{deposit} of yours are held until its vote opens"));
            send.carry_out_and_tell(context, client, &plan).await
        }
    }
}

async fn list(context: &Context, client: &Client) -> Outcome {
    let treasury = client.treasury().await?;
    if context.json {
        output::object(&json!({
            "account": address(&treasury.account),
            "free_planck": treasury.free.0.to_string(),
            "waiting": treasury.waiting.iter().map(|(number, spend)| json!({
                "spend": number,
                "to": address(&spend.beneficiary),
                "amount_planck": spend.amount.to_string(),
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    output::fields(&[("account", address(&treasury.account)), ("has", treasury.free.to_string())]);
    if treasury.waiting.is_empty() {
        output::line("nothing waits to be paid");
        return Ok(());
    }
    let rows = treasury
        .waiting
        .iter()
        .map(|(number, spend)| [number.to_string(), Planck(spend.amount).to_string(), address(&spend.beneficiary)]);
    output::line(output::table(["NO", "AMOUNT", "TO"], rows));
    Ok(())
}

impl PreimageAction {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        match self {
            Self::Note { call, send } => {
                let length = call.0.len();
                let proposed = Proposed::new(client, call.0).await?;
                let Some(note) = proposed.note.clone() else {
                    return Err(Failure::new(
                        format!("what {} stands for lies on chain already", proposed.hash),
                        "nothing is left to do: it can be proposed",
                    ));
                };
                let json = json!({ "hash": proposed.hash, "bytes": length });
                let plan = Plan::new(note, format!("put the {length} bytes of {} on chain", proposed.hash), json)
                    .change(proposed.deposit());
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Show { hash, bytes } => {
                let Some(call) = client.preimage(&hash, bytes).await? else {
                    return Err(Failure::new(
                        format!("no {bytes} bytes with the hash {hash} lie on chain"),
                        "`phala gov preimage note CALL` puts them there; check hash and length",
                    ));
                };
                let text = format!("0x{}", hex::encode(&call));
                if context.json {
                    output::object(&json!({ "hash": hash, "bytes": call.len(), "call": text }));
                } else {
                    output::line(text);
                }
                Ok(())
            }
        }
    }
}

pub(super) async fn safe_mode(context: &Context, client: &Client, action: Option<SafeModeAction>) -> Outcome {
    let (body, part, call, does, motion) = match action {
        None => return safe_mode_status(context, client).await,
        Some(SafeModeAction::Enter { motion }) => {
            (Body::Committee, Part::TwoThirds, holders::SafeMode::ForceEnter, "let money stand still", motion)
        }
        Some(SafeModeAction::Exit { motion }) => {
            (Body::Council, Part::Half, holders::SafeMode::ForceExit, "let money move again", motion)
        }
    };
    let plan = moved(client, body, part, &motion, Call::SafeMode(call), does, json!({})).await?;
    motion.send.carry_out_and_tell(context, client, &plan).await
}

async fn safe_mode_status(context: &Context, client: &Client) -> Outcome {
    let until = client.safe_mode_until().await?;
    let now = client.advance().await?.number.0;
    if context.json {
        output::object(&json!({ "standstill": until.is_some(), "until_height": until, "height": now }));
        return Ok(());
    }
    output::line(match until {
        Some(until) => format!("money stands still for {} more", output::blocks(until.saturating_sub(now))),
        None => "money moves".into(),
    });
    Ok(())
}
