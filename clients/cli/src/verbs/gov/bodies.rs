//! The council and the technical committee: motions, and what one member can do alone.

use super::{Choice, MotionArguments, Proposed};
use crate::{
    Context,
    arguments::{CallBytes, call},
    failure::{Failure, Outcome},
    output,
    transact::{Plan, SendArguments},
};
use codec::Encode;
use phala_messages::{
    Hash,
    calls::Call,
    holders::{self, Democracy},
};
use phala_sdk::{Body, Client, MotionState, address, call_hash};
use serde_json::{Value, json};

/// What is done in a body.
#[derive(clap::Subcommand)]
pub enum Action {
    /// List its members and motions (this is what happens without a word)
    Show,
    /// Move that a call be made in its name. For example: phala gov council propose 0x2303… --threshold 5
    Propose {
        /// The call, as --dry-run shows it, or a file with it: @FILE
        #[arg(value_parser = call)]
        call: CallBytes,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Move that a call be put to the vote of all, next. For example: phala gov council table 0x00001468656c6c6f
    Table {
        /// The call, as --dry-run shows it, or a file with it: @FILE
        #[arg(value_parser = call)]
        call: CallBytes,
        /// Ask for three quarters of the council; then more ayes than nays suffice
        #[arg(long)]
        majority: bool,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Vote on a motion. For example: phala gov council vote 0x… aye
    Vote {
        /// Its hash in `phala gov council`
        motion: Hash,
        /// For or against
        choice: Choice,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Close a motion that enough agreed to or refused, or whose time is over; anyone may. For example: phala gov council close 0x…
    Close {
        /// Its hash in `phala gov council`
        motion: Hash,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Move that an open referendum be cancelled, which two thirds of the council can. For example: phala gov council cancel 0
    Cancel {
        /// The referendum's number
        referendum: u32,
        #[command(flatten)]
        motion: MotionArguments,
    },
}

/// What is done in the technical committee.
#[derive(clap::Subcommand)]
pub enum CommitteeAction {
    #[command(flatten)]
    AsBody(Action),
    /// Move that the council's proposal be voted on now, and for a shorter time. For example: phala gov committee fast-track 0x… --voting-blocks 5400
    FastTrack {
        /// Hash of the council's proposal, from `phala gov proposals`
        proposal: Hash,
        /// How long the vote is open, in blocks of two seconds: three hours at least
        #[arg(long, value_name = "BLOCKS")]
        voting_blocks: u32,
        /// From the vote's end to its effect, in blocks
        #[arg(long, value_name = "BLOCKS", default_value = "1")]
        delay_blocks: u32,
        #[command(flatten)]
        motion: MotionArguments,
    },
    /// Veto the council's proposal, as one member: once for each matter. For example: phala gov committee veto 0x…
    Veto {
        /// Its hash, from `phala gov proposals`
        proposal: Hash,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// What part of a body a matter takes.
#[derive(Clone, Copy)]
pub enum Part {
    /// More than half.
    Half,
    /// Two thirds at least.
    TwoThirds,
    /// Three quarters at least.
    ThreeQuarters,
}

impl Part {
    /// Of so many members, so many.
    fn of(self, members: usize) -> u32 {
        let count = match self {
            Self::Half => members / 2 + 1,
            Self::TwoThirds => (2 * members).div_ceil(3),
            Self::ThreeQuarters => (3 * members).div_ceil(4),
        };
        u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    }
}

const fn word(body: Body) -> &'static str {
    match body {
        Body::Council => "council",
        Body::Committee => "committee",
    }
}

/// The call to a body.
fn body_call(body: Body, call: holders::Body) -> Call {
    match body {
        Body::Council => Call::Council(call),
        Body::Committee => Call::TechnicalCommittee(call),
    }
}

/// Moves in `body` that `call` be made: `does` says what that is.
pub async fn moved(
    client: &Client,
    body: Body,
    part: Part,
    arguments: &MotionArguments,
    call: Call,
    does: &str,
    json: Value,
) -> Outcome<Plan> {
    let members = client.members(body).await?;
    let actor = arguments.send.actor(client)?;
    if !members.contains(&actor) {
        return Err(Failure::new(
            format!("{} is no member of {}", address(&actor), body.name()),
            format!("`phala gov {}` lists its members: sign as one with --account", word(body)),
        ));
    }
    let threshold = arguments.threshold.unwrap_or_else(|| part.of(members.len()));
    let bytes = u32::try_from(call.encoded_size()).unwrap_or(u32::MAX);
    let hash = call_hash(&call);
    let mut fields = json!({ "motion": hash, "threshold": threshold, "members": members.len() });
    fields = crate::transact::merged(fields, json);
    let motion = holders::Body::Propose { threshold, call: Box::new(call), bytes };
    let happens = match threshold {
        0 | 1 => "it happens at once: nobody else must agree".into(),
        _ => format!("it waits until {threshold} of {} agree; moving it is no vote", members.len()),
    };
    Ok(Plan::new(body_call(body, motion), format!("move in {}: {does}", body.name()), fields).change(happens))
}

async fn find(client: &Client, body: Body, hash: &Hash) -> Outcome<MotionState> {
    let found = client.motions(body).await?.into_iter().find(|motion| motion.hash == *hash);
    found.ok_or_else(|| {
        Failure::new(
            format!("{} has no motion {hash}", body.name()),
            format!("it may have been closed; `phala gov {}` lists those that wait", word(body)),
        )
    })
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client, body: Body) -> Outcome {
        match self {
            Self::Show => show(context, client, body).await,
            Self::Propose { call, motion } => {
                let call = Call::Encoded(call.0);
                let does = format!("make the call {}", call_hash(&call));
                let plan = moved(client, body, Part::Half, &motion, call, &does, json!({})).await?;
                motion.send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Table { call, majority, motion } => {
                let plan = table(client, body, call.0, majority, &motion).await?;
                motion.send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Vote { motion, choice, send } => {
                let number = find(client, body, &motion).await?.motion.number;
                let call = holders::Body::Vote { motion, number, approve: choice == Choice::Aye };
                let does = format!("vote {choice} on motion {number} of {}", body.name());
                let json = json!({ "motion": motion, "number": number, "choice": choice.to_string() });
                let plan = Plan::new(body_call(body, call), does, json)
                    .change("a first vote that counts costs no fee; `close` makes it happen once enough agree");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Close { motion, send } => {
                let plan = close(client, body, motion).await?;
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Cancel { referendum, motion } => {
                let call = Call::Democracy(Democracy::CancelReferendum { referendum });
                let json = json!({ "referendum": referendum });
                let does = format!("cancel referendum {referendum}");
                let plan = moved(client, body, Part::TwoThirds, &motion, call, &does, json).await?;
                motion.send.carry_out_and_tell(context, client, &plan).await
            }
        }
    }
}

impl CommitteeAction {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        match self {
            Self::AsBody(action) => action.run(context, client, Body::Committee).await,
            Self::FastTrack { proposal, voting_blocks, delay_blocks, motion } => {
                let call = Call::Democracy(Democracy::FastTrack { hash: proposal, voting_blocks, delay_blocks });
                let does = format!("let {proposal} be voted on now, for {}", output::blocks(voting_blocks));
                let json = json!({ "proposal_hash": proposal, "voting_blocks": voting_blocks });
                let plan = moved(client, Body::Committee, Part::TwoThirds, &motion, call, &does, json).await?;
                motion.send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Veto { proposal, send } => {
                let call = Call::Democracy(Democracy::VetoExternal { hash: proposal });
                let json = json!({ "proposal_hash": proposal });
                let plan = Plan::new(call, format!("veto {proposal}"), json)
                    .change("it stays away for seven days and comes back by itself; you cannot veto it again");
                send.carry_out_and_tell(context, client, &plan).await
            }
        }
    }
}

/// A motion that all vote on a call next. Its bytes go on chain with it.
/// Moves in the council that a call be put to the vote of all.
pub(super) async fn table(
    client: &Client,
    body: Body,
    call: Vec<u8>,
    majority: bool,
    arguments: &MotionArguments,
) -> Outcome<Plan> {
    if body == Body::Committee {
        let hint = "a member of the council moves it: `phala gov council table CALL`";
        return Err(Failure::usage("the committee puts nothing to a vote by itself", hint));
    }
    let proposed = Proposed::new(client, call).await?;
    let proposal = proposed.proposal.clone();
    let (part, external) = match majority {
        true => (Part::ThreeQuarters, Democracy::ExternalProposeMajority { proposal }),
        false => (Part::Half, Democracy::ExternalPropose { proposal }),
    };
    let does = format!("put the call {} to the vote of all", proposed.hash);
    let json = json!({ "proposal_hash": proposed.hash, "majority": majority });
    let mut plan = moved(client, body, part, arguments, Call::Democracy(external), &does, json).await?;
    plan.call = proposed.before(plan.call);
    Ok(plan.change(proposed.deposit()))
}

async fn close(client: &Client, body: Body, hash: Hash) -> Outcome<Plan> {
    let state = find(client, body, &hash).await?;
    let motion = &state.motion;
    let bytes = state.call.unwrap_or_default();
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    // The node's word on the weight: too little is refused, too much costs nothing.
    let payer = motion.ayes.first().copied().unwrap_or_default();
    let estimate = client.estimate(&payer, &Call::Encoded(bytes)).await?;
    let call = holders::Body::Close {
        motion: hash,
        number: motion.number,
        ref_time: estimate.ref_time,
        proof_size: estimate.proof_size,
        bytes: length,
    };
    let agreed = motion.ayes.len();
    let enough = agreed >= motion.threshold as usize;
    let json = json!({ "motion": hash, "number": motion.number, "agreed": agreed, "passes": enough });
    let does = format!("close motion {} of {}", motion.number, body.name());
    Ok(Plan::new(body_call(body, call), does, json).change(match enough {
        true => "enough have agreed: it happens".into(),
        false => format!("{agreed} of {} have agreed: it fails, if it can be closed at all now", motion.threshold),
    }))
}

async fn show(context: &Context, client: &Client, body: Body) -> Outcome {
    let (motions, members) = (client.motions(body).await?, client.members(body).await?);
    let now = client.advance().await?.number.0;
    if context.json {
        let list = motions.iter().map(|state| {
            json!({
                "motion": state.hash,
                "number": state.motion.number,
                "threshold": state.motion.threshold,
                "ayes": state.motion.ayes.iter().map(address).collect::<Vec<_>>(),
                "nays": state.motion.nays.iter().map(address).collect::<Vec<_>>(),
                "end_height": state.motion.end,
                "call": state.call.as_ref().map(|call| format!("0x{}", hex::encode(call))),
            })
        });
        let members: Vec<_> = members.iter().map(address).collect();
        output::object(&json!({ "members": members, "motions": list.collect::<Vec<_>>(), "height": now }));
        return Ok(());
    }
    if members.is_empty() {
        output::line(format!("nobody sits in {}", body.name()));
    }
    for member in &members {
        output::line(address(member));
    }
    for state in &motions {
        let motion = &state.motion;
        output::line(format!(
            "motion {} ({}): {} of {} agree, {} do not; {} left",
            motion.number,
            state.hash,
            motion.ayes.len(),
            motion.threshold,
            motion.nays.len(),
            output::blocks(motion.end.saturating_sub(now))
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_body_is_rounded_up() {
        let of = |part: Part| [1, 2, 7, 8].map(|members| part.of(members));
        assert_eq!(of(Part::Half), [1, 2, 4, 5]);
        assert_eq!(of(Part::TwoThirds), [1, 2, 5, 6]);
        assert_eq!(of(Part::ThreeQuarters), [1, 2, 6, 6]);
        assert_eq!(Part::Half.of(0), 1);
    }
}
