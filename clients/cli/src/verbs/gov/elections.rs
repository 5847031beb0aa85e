//! Who is to sit in the council: candidates, and votes for them.

use crate::{
    Context,
    arguments::amount,
    failure::{Failure, Outcome},
    output,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_messages::{
    calls::Call,
    holders::{Elections, Renouncing},
};
use phala_sdk::{Client, address};
use phala_units::Planck;
use serde_json::json;

/// Candidates that one account may want.
const CANDIDATES_MAX: usize = 16;

/// What is done about elections of the council.
#[derive(clap::Subcommand)]
pub enum Action {
    /// List who sits in the council, who comes next, and who wants to be elected
    Candidates,
    /// Vote for members of the council, in the order in which you want them. For example: phala gov elect //Bob //Charlie --with 100PHA
    Elect {
        /// Whom: candidates, members or those who come next
        #[arg(required = true)]
        candidates: Vec<String>,
        /// With how much: 12.5PHA
        #[arg(long, value_parser = amount, value_name = "AMOUNT")]
        with: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take your vote for the council back. For example: phala gov elect-nobody
    ElectNobody {
        #[command(flatten)]
        send: SendArguments,
    },
    /// Be a candidate for the council, against a deposit of 10 PHA. For example: phala gov run
    Run {
        #[command(flatten)]
        send: SendArguments,
    },
    /// Give a candidacy, a next seat or a seat up. For example: phala gov resign
    Resign {
        #[command(flatten)]
        send: SendArguments,
    },
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        match self {
            Self::Candidates => list(context, client).await,
            Self::Elect { candidates, with, send } => {
                let candidates = candidates.iter().map(|text| account_of(text)).collect::<Outcome<Vec<_>>>()?;
                if candidates.len() > CANDIDATES_MAX {
                    let text = format!("{} candidates are more than one account may want", candidates.len());
                    return Err(Failure::usage(text, format!("choose {CANDIDATES_MAX} at most")));
                }
                let names: Vec<_> = candidates.iter().map(address).collect();
                let json = json!({ "candidates": names, "amount_planck": with.0.to_string() });
                let does = format!("want {} in the council, with {with}", names.join(", "));
                let plan = Plan::new(Call::Elections(Elections::Vote { candidates, amount: with.0 }), does, json)
                    .change(format!("{with} of yours cannot leave until you take the vote back"))
                    .change("a deposit is held as long: about 0.8 PHA, and 0.32 PHA for each candidate");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::ElectNobody { send } => {
                let call = Call::Elections(Elections::RemoveVoter);
                let plan = Plan::new(call, "take your vote for the council back", json!({}))
                    .change("its deposit is yours again, and nothing is locked for it");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Run { send } => {
                let known = client.elections().await?.candidates.len();
                let candidates = u32::try_from(known).unwrap_or(u32::MAX);
                let json = json!({ "account": address(&send.actor(client)?) });
                let call = Call::Elections(Elections::SubmitCandidacy { candidates });
                let plan = Plan::new(call, "be a candidate for the council", json)
                    .change("10 PHA of yours are held; who comes in last in an election loses them");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Resign { send } => resign(context, client, &send).await,
        }
    }
}

async fn resign(context: &Context, client: &Client, send: &SendArguments) -> Outcome {
    let (actor, elections) = (send.actor(client)?, client.elections().await?);
    let (renouncing, what) = if elections.members.iter().any(|seat| seat.who == actor) {
        (Renouncing::Member, "your seat in the council")
    } else if elections.runners_up.iter().any(|seat| seat.who == actor) {
        (Renouncing::RunnerUp, "the next seat in the council")
    } else if elections.candidates.iter().any(|(who, _)| *who == actor) {
        let count = u32::try_from(elections.candidates.len()).unwrap_or(u32::MAX);
        (Renouncing::Candidate(count), "your candidacy for the council")
    } else {
        return Err(Failure::new(
            format!("{} has no seat and is no candidate", address(&actor)),
            "`phala gov candidates` lists who is",
        ));
    };
    let json = json!({ "account": address(&actor) });
    let plan = Plan::new(Call::Elections(Elections::RenounceCandidacy { renouncing }), format!("give {what} up"), json)
        .change("its deposit is yours again");
    send.carry_out_and_tell(context, client, &plan).await
}

async fn list(context: &Context, client: &Client) -> Outcome {
    let all = client.elections().await?;
    let seats = |seats: &[phala_messages::ledgers::Seat]| {
        let list = seats
            .iter()
            .map(|seat| json!({ "account": address(&seat.who), "backing_planck": seat.backing.to_string() }));
        list.collect::<Vec<_>>()
    };
    if context.json {
        output::object(&json!({
            "members": seats(&all.members),
            "runners_up": seats(&all.runners_up),
            "candidates": all.candidates.iter().map(|(who, _)| address(who)).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    let row = |who, part: &str, backing: Option<u128>| {
        [address(who), part.into(), backing.map_or_else(String::new, |backing| Planck(backing).to_string())]
    };
    let members = all.members.iter().map(|seat| row(&seat.who, "member", Some(seat.backing)));
    let next = all.runners_up.iter().rev().map(|seat| row(&seat.who, "comes next", Some(seat.backing)));
    let candidates = all.candidates.iter().map(|(who, _)| row(who, "candidate", None));
    let rows: Vec<_> = members.chain(next).chain(candidates).collect();
    if rows.is_empty() {
        output::line("nobody sits in the council or wants to; `phala gov run` makes a candidate");
        return Ok(());
    }
    output::line(output::table(["WHO", "AS", "WITH VOTES OF"], rows));
    Ok(())
}
