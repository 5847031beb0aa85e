//! What the treasury pays for work: bounties and tips.

use super::{
    MotionArguments,
    bodies::{Part, moved},
    treasury::part_for,
};
use crate::{
    Context,
    arguments::amount,
    failure::{Failure, Outcome},
    output,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_messages::{
    Hash,
    bounties::{self, BountyStatus, tip_name},
    calls::{Address, Call},
};
use phala_sdk::{Body, BountyState, Client, TipState, address};
use phala_units::Planck;
use serde_json::{Value, json};

/// Bytes of a description or reason.
const TEXT_BYTES_MAX: usize = 16_384;

/// What is done with bounties.
#[derive(clap::Subcommand)]
pub enum BountyAction {
    /// List those that are open (this is what happens without a word)
    List,
    /// Show one. For example: phala gov bounty show 0
    Show {
        /// Its number
        bounty: u32,
    },
    /// Propose that the treasury pay for something to be done. For example: phala gov bounty propose 500PHA "a client in Go"
    Propose {
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        /// What is to be done
        text: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Move in the council that it be funded. For example: phala gov bounty approve 0
    Approve {
        /// Its number
        bounty: u32,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Move in the council that somebody look after it. For example: phala gov bounty curator 0 //Bob --fee 20PHA
    Curator {
        /// Its number
        bounty: u32,
        /// Who: a name, a key file, an address, or //Bob
        who: String,
        /// What of the bounty is the curator's
        #[arg(long, value_parser = amount)]
        fee: Planck,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Accept to look after it, for a deposit. For example: phala gov bounty accept 0
    Accept {
        /// Its number
        bounty: u32,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Say that work goes on, as its curator. For example: phala gov bounty extend 0 "half is done"
    Extend {
        /// Its number
        bounty: u32,
        /// What goes on
        text: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Give it to whoever did the work, as its curator. For example: phala gov bounty award 0 //Charlie
    Award {
        /// Its number
        bounty: u32,
        /// Who: a name, a key file, an address, or //Charlie
        who: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Have an awarded one paid out, after its delay; anyone may. For example: phala gov bounty claim 0
    Claim {
        /// Its number
        bounty: u32,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Stop looking after it, or take it from a curator who is silent. For example: phala gov bounty unassign 0
    Unassign {
        /// Its number
        bounty: u32,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Move in the council that it be cancelled. For example: phala gov bounty close 0
    Close {
        /// Its number
        bounty: u32,
        #[command(flatten)]
        motion: MotionArguments,
    },
}

/// What is done with tips.
#[derive(clap::Subcommand)]
pub enum TipAction {
    /// Show one, by its name. For example: phala gov tip show 0x…
    Show {
        /// Its name, as `report` or `new` printed it
        tip: Hash,
    },
    /// Report that somebody deserves one; a part of it is yours. For example: phala gov tip report //Bob "found a bug"
    Report {
        /// Who: a name, a key file, an address, or //Bob
        who: String,
        /// What for
        text: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take a report of yours back. For example: phala gov tip retract 0x…
    Retract {
        /// Its name
        tip: Hash,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Suggest one, as a member of the council. For example: phala gov tip new //Bob 5PHA "found a bug"
    New {
        /// For whom: a name, a key file, an address, or //Bob
        who: String,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        /// What for
        text: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Say how large it should be, as a member of the council. For example: phala gov tip vote 0x… 5PHA
    Vote {
        /// Its name
        tip: Hash,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Have one paid whose countdown is over; anyone may. For example: phala gov tip close 0x…
    Close {
        /// Its name
        tip: Hash,
        #[command(flatten)]
        send: SendArguments,
    },
}

fn bytes(text: &str) -> Outcome<Vec<u8>> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Failure::new(
            format!("the text has {} bytes", text.len()),
            format!("say it in 1 to {TEXT_BYTES_MAX} bytes, or name an address where it can be read"),
        ));
    }
    Ok(text.as_bytes().to_vec())
}

async fn find(client: &Client, number: u32) -> Outcome<BountyState> {
    let found = client.bounty(number).await?;
    found.ok_or_else(|| {
        Failure::new(format!("there is no bounty {number}"), "`phala gov bounty` lists those that are open")
    })
}

/// How far a bounty is, in words.
fn standing(status: &BountyStatus) -> String {
    match status {
        BountyStatus::Proposed => "waits for the council".into(),
        BountyStatus::Approved | BountyStatus::ApprovedWithCurator { .. } => {
            "waits for the treasury's next spending".into()
        }
        BountyStatus::Funded => "waits for a curator".into(),
        BountyStatus::CuratorProposed { curator } => format!("waits for {} to accept it", address(curator)),
        BountyStatus::Active { curator, update_due } => {
            format!("can be earned; {} looks after it, heard of by block {update_due}", address(curator))
        }
        BountyStatus::PendingPayout { beneficiary, unlock_at, .. } => {
            format!("awarded to {}, to be claimed from block {unlock_at} on", address(beneficiary))
        }
    }
}

/// The same for programs.
const fn word(status: &BountyStatus) -> &'static str {
    match status {
        BountyStatus::Proposed => "proposed",
        BountyStatus::Approved => "approved",
        BountyStatus::Funded => "funded",
        BountyStatus::CuratorProposed { .. } => "curator-proposed",
        BountyStatus::Active { .. } => "active",
        BountyStatus::PendingPayout { .. } => "pending-payout",
        BountyStatus::ApprovedWithCurator { .. } => "approved-with-curator",
    }
}

fn bounty_json(state: &BountyState) -> Value {
    let bounty = &state.bounty;
    let (curator, beneficiary) = match &bounty.status {
        BountyStatus::CuratorProposed { curator }
        | BountyStatus::Active { curator, .. }
        | BountyStatus::ApprovedWithCurator { curator } => (Some(address(curator)), None),
        BountyStatus::PendingPayout { curator, beneficiary, .. } => {
            (Some(address(curator)), Some(address(beneficiary)))
        }
        _ => (None, None),
    };
    json!({
        "bounty": state.number,
        "description": state.description,
        "proposer": address(&bounty.proposer),
        "amount_planck": bounty.value.to_string(),
        "fee_planck": bounty.fee.to_string(),
        "status": word(&bounty.status),
        "curator": curator,
        "beneficiary": beneficiary,
    })
}

async fn list(context: &Context, client: &Client) -> Outcome {
    let bounties = client.bounties().await?;
    if context.json {
        output::object(&json!({ "bounties": bounties.iter().map(bounty_json).collect::<Vec<_>>() }));
    } else if bounties.is_empty() {
        output::line("no bounty is open; `phala gov bounty propose` proposes one");
    } else {
        let rows = bounties.iter().map(|state| {
            let text: String = state.description.lines().next().unwrap_or_default().chars().take(40).collect();
            [state.number.to_string(), Planck(state.bounty.value).to_string(), standing(&state.bounty.status), text]
        });
        output::line(output::table(["NO", "AMOUNT", "STANDS", "FOR"], rows));
    }
    Ok(())
}

async fn show_bounty(context: &Context, client: &Client, number: u32) -> Outcome {
    let state = find(client, number).await?;
    if context.json {
        output::object(&bounty_json(&state));
        return Ok(());
    }
    output::fields(&[
        ("bounty", number.to_string()),
        ("for", state.description),
        ("amount", Planck(state.bounty.value).to_string()),
        ("curator gets", Planck(state.bounty.fee).to_string()),
        ("proposed by", address(&state.bounty.proposer)),
        ("stands", standing(&state.bounty.status)),
    ]);
    Ok(())
}

impl BountyAction {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        use bounties::Bounties as B;
        let (number, call, does, send) = match self {
            Self::List => return list(context, client).await,
            Self::Show { bounty } => return show_bounty(context, client, bounty).await,
            Self::Propose { amount, text, send } => {
                let call = Call::Bounties(B::Propose { amount: amount.0, description: bytes(&text)? });
                let json = json!({ "amount_planck": amount.0.to_string(), "description": text });
                let plan = Plan::new(call, format!("propose a bounty of {amount}"), json)
                    .change("a deposit of yours is held until the council decides: 1 PHA, and 0.01 PHA for each byte");
                return send.carry_out_and_tell(context, client, &plan).await;
            }
            Self::Approve { bounty, motion } => {
                let value = Planck(find(client, bounty).await?.bounty.value);
                let (call, does) = (B::Approve { bounty }, format!("fund bounty {bounty} with {value}"));
                return in_council(context, client, part_for(value), &motion, call, &does, bounty).await;
            }
            Self::Curator { bounty, who, fee, motion } => {
                let value = Planck(find(client, bounty).await?.bounty.value);
                let who = account_of(&who)?;
                let call = B::ProposeCurator { bounty, curator: Address::Id(who), fee: fee.0 };
                let does = format!("let {} look after bounty {bounty} for {fee}", address(&who));
                return in_council(context, client, part_for(value), &motion, call, &does, bounty).await;
            }
            Self::Close { bounty, motion } => {
                find(client, bounty).await?;
                let (call, does) = (B::Close { bounty }, format!("cancel bounty {bounty}"));
                return in_council(context, client, Part::Half, &motion, call, &does, bounty).await;
            }
            Self::Accept { bounty, send } => {
                (bounty, B::AcceptCurator { bounty }, format!("look after bounty {bounty}"), send)
            }
            Self::Extend { bounty, text, send } => {
                let remark = bytes(&text)?;
                (bounty, B::Extend { bounty, remark }, format!("say that work on bounty {bounty} goes on"), send)
            }
            Self::Award { bounty, who, send } => {
                let who = account_of(&who)?;
                let call = B::Award { bounty, beneficiary: Address::Id(who) };
                (bounty, call, format!("award bounty {bounty} to {}", address(&who)), send)
            }
            Self::Claim { bounty, send } => {
                (bounty, B::Claim { bounty }, format!("have bounty {bounty} paid out"), send)
            }
            Self::Unassign { bounty, send } => {
                (bounty, B::UnassignCurator { bounty }, format!("take bounty {bounty} from its curator"), send)
            }
        };
        let state = find(client, number).await?;
        let plan = Plan::new(Call::Bounties(call), does, json!({ "bounty": number }))
            .change(format!("now it {}", standing(&state.bounty.status)));
        send.carry_out_and_tell(context, client, &plan).await
    }
}

async fn in_council(
    context: &Context,
    client: &Client,
    part: Part,
    motion: &MotionArguments,
    call: bounties::Bounties,
    does: &str,
    bounty: u32,
) -> Outcome {
    let json = json!({ "bounty": bounty });
    let plan = moved(client, Body::Council, part, motion, Call::Bounties(call), does, json).await?;
    motion.send.carry_out_and_tell(context, client, &plan).await
}

impl TipAction {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        use bounties::Tips as T;
        let (send, plan) = match self {
            Self::Show { tip } => return show_tip(context, client, &tip).await,
            Self::Report { who, text, send } => {
                let (who, reason) = (account_of(&who)?, bytes(&text)?);
                let name = tip_name(&reason, &who);
                let call = Call::Tips(T::Report { reason, who: Address::Id(who) });
                let json = json!({ "tip": name, "who": address(&who) });
                let plan = Plan::new(call, format!("report that {} deserves tip {name}", address(&who)), json)
                    .change("a deposit of yours is held until it is settled: 1 PHA, and 0.01 PHA for each byte");
                (send, plan)
            }
            Self::New { who, amount, text, send } => {
                let (who, reason) = (account_of(&who)?, bytes(&text)?);
                let name = tip_name(&reason, &who);
                let call = Call::Tips(T::New { reason, who: Address::Id(who), amount: amount.0 });
                let json = json!({ "tip": name, "who": address(&who), "amount_planck": amount.0.to_string() });
                let does = format!("suggest tip {name} of {amount} for {}", address(&who));
                (
                    send,
                    Plan::new(call, does, json).change("more than half of the council must say how large it should be"),
                )
            }
            Self::Retract { tip, send } => {
                let json = json!({ "tip": tip });
                (send, Plan::new(Call::Tips(T::Retract { tip }), format!("take the report of tip {tip} back"), json))
            }
            Self::Vote { tip, amount, send } => {
                let json = json!({ "tip": tip, "amount_planck": amount.0.to_string() });
                let call = Call::Tips(T::Tip { tip, amount: amount.0 });
                (send, Plan::new(call, format!("say that tip {tip} should be {amount}"), json))
            }
            Self::Close { tip, send } => {
                let json = json!({ "tip": tip });
                (send, Plan::new(Call::Tips(T::Close { tip }), format!("have tip {tip} paid"), json))
            }
        };
        send.carry_out_and_tell(context, client, &plan).await
    }
}

async fn show_tip(context: &Context, client: &Client, name: &Hash) -> Outcome {
    let Some(TipState { tip, reason, .. }) = client.tip(name).await? else {
        return Err(Failure::new(
            format!("no tip {name} is being settled"),
            "it may have been paid; `phala gov tip report` and `new` print a tip's name",
        ));
    };
    if context.json {
        output::object(&json!({
            "tip": name,
            "reason": reason,
            "who": address(&tip.who),
            "finder": address(&tip.finder),
            "closes_height": tip.closes,
            "votes": tip.tips.iter().map(|(member, amount)| json!({
                "member": address(member),
                "amount_planck": amount.to_string(),
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    output::fields(&[
        ("for", reason),
        ("to", address(&tip.who)),
        ("found by", address(&tip.finder)),
        (
            "closes",
            tip.closes
                .map_or_else(|| "when more than half of the council has spoken".into(), |at| format!("at block {at}")),
        ),
    ]);
    for (member, amount) in &tip.tips {
        output::line(format!("  {} says {}", address(member), Planck(*amount)));
    }
    Ok(())
}
