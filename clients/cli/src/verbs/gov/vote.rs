//! What every holder does: propose, second, vote, lend the vote, take it back.

use super::{Choice, Proposed};
use crate::{
    Context,
    arguments::{CallBytes, amount, call},
    failure::{Failure, Outcome},
    output,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_messages::{
    calls::{Address, Call},
    holders::{AccountVote, Democracy, Vote},
    ledgers::Referendum,
};
use phala_sdk::{Client, address};
use phala_units::Planck;
use serde_json::json;

/// What is done with votes.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Propose that a call be made by all together. For example: phala gov propose 0x00001468656c6c6f --deposit 10PHA
    Propose {
        /// The call, as --dry-run shows it, or a file with it: @FILE
        #[arg(value_parser = call)]
        call: CallBytes,
        /// What you put behind it, 10PHA at least: the proposal with most deposits is voted on next
        #[arg(long, value_parser = amount, value_name = "AMOUNT")]
        deposit: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Put the same deposit behind a proposal. For example: phala gov second 0
    Second {
        /// Its number in `phala gov proposals`
        proposal: u32,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Vote in a referendum. For example: phala gov vote 0 aye 100PHA --conviction 1
    Vote {
        /// Its number in `phala gov referenda`
        referendum: u32,
        /// For or against
        choice: Choice,
        /// With how much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        conviction: Conviction,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take a vote back, or forget one in a referendum that is over. For example: phala gov remove-vote 0
    RemoveVote {
        /// The referendum's number
        referendum: u32,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Let another account vote with your PHA. For example: phala gov delegate //Charlie 100PHA --conviction 1
    Delegate {
        /// Whom
        to: String,
        /// With how much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        conviction: Conviction,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Vote by yourself again. For example: phala gov undelegate
    Undelegate {
        #[command(flatten)]
        send: SendArguments,
    },
    /// Free what was locked by votes whose time is over. For example: phala gov unlock
    Unlock {
        /// Whose [default: the signer's]
        #[arg(value_name = "ACCOUNT")]
        whose: Option<String>,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// `--conviction`.
#[derive(clap::Args, Clone, Copy)]
pub struct Conviction {
    /// How heavy: 0 counts a tenth and locks nothing; 1 to 6 count so many times, and lock 1, 2, 4, 8, 16, 32 periods after a won vote
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=6), default_value = "1")]
    conviction: u8,
}

impl Conviction {
    /// Votes for so many Planck.
    pub fn votes(self, amount: Planck) -> Planck {
        match self.conviction {
            0 => Planck(amount.0 / 10),
            times => Planck(amount.0.saturating_mul(times.into())),
        }
    }

    fn locks(self) -> String {
        match self.conviction {
            0 => "nothing stays locked when the vote is over".into(),
            n => format!("if the vote is won, it stays locked for {} periods of enactment after it", 1u32 << (n - 1)),
        }
    }
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        let (plan, send) = match self {
            Self::Propose { call, deposit, send } => (propose(client, call.0, deposit).await?, send),
            Self::Second { proposal, send } => (second(client, proposal).await?, send),
            Self::Vote { referendum, choice, amount, conviction, send } => {
                (vote(client, referendum, choice, amount, conviction).await?, send)
            }
            Self::RemoveVote { referendum, send } => {
                let does = format!("take the vote in referendum {referendum} back");
                let call = Call::Democracy(Democracy::RemoveVote { referendum });
                let plan = Plan::new(call, does, json!({ "referendum": referendum }))
                    .change("what it locks is locked no more, unless it was won: then `phala gov unlock`, later");
                (plan, send)
            }
            Self::Delegate { to, amount, conviction, send } => (delegate(&to, amount, conviction)?, send),
            Self::Undelegate { send } => {
                let plan = Plan::new(Call::Democracy(Democracy::Undelegate), "vote by yourself again", json!({}))
                    .change("what you lent stays locked as long as a won vote of its conviction would be");
                (plan, send)
            }
            Self::Unlock { whose, send } => {
                let whose = match whose {
                    Some(account) => account_of(&account)?,
                    None => send.actor(client)?,
                };
                let call = Call::Democracy(Democracy::Unlock { target: Address::Id(whose) });
                let does = format!("free what votes of {} no longer lock", address(&whose));
                (Plan::new(call, does, json!({ "account": address(&whose) })), send)
            }
        };
        send.carry_out_and_tell(context, client, &plan).await
    }
}

async fn propose(client: &Client, call: Vec<u8>, deposit: Planck) -> Outcome<Plan> {
    let proposed = Proposed::new(client, call).await?;
    let propose = Democracy::Propose { proposal: proposed.proposal.clone(), deposit: deposit.0 };
    let json = json!({ "proposal_hash": proposed.hash, "deposit_planck": deposit.0.to_string() });
    let does = format!("propose the call {} with {deposit} behind it", proposed.hash);
    Ok(Plan::new(proposed.before(Call::Democracy(propose)), does, json)
        .change(proposed.deposit())
        .change(format!("{deposit} of yours are held until its vote opens"))
        .change("the proposal with most deposits is voted on next; others may second it"))
}

async fn second(client: &Client, proposal: u32) -> Outcome<Plan> {
    let all = client.proposals().await?;
    let Some((_, seconds, each)) = all.iter().find(|((number, ..), ..)| *number == proposal) else {
        return Err(Failure::new(
            format!("no proposal {proposal} waits for a vote"),
            "`phala gov proposals` lists those that do",
        ));
    };
    let json = json!({ "proposal": proposal, "deposit_planck": each.0.to_string() });
    Ok(Plan::new(Call::Democracy(Democracy::Second { proposal }), format!("second proposal {proposal}"), json)
        .change(format!("{each} of yours are held until its vote opens; {} stand behind it", seconds.len() + 1)))
}

async fn vote(
    client: &Client,
    referendum: u32,
    choice: Choice,
    amount: Planck,
    conviction: Conviction,
) -> Outcome<Plan> {
    let now = client.advance().await?.number.0;
    let end = match client.referendum(referendum).await? {
        Some(Referendum::Ongoing { end, .. }) if end > now => end,
        Some(_) => {
            return Err(Failure::new(
                format!("the vote on referendum {referendum} is over"),
                "`phala gov referenda` lists those that are open",
            ));
        }
        None => {
            let hint = "`phala gov referenda` lists them; a proposal has another number until its vote opens";
            return Err(Failure::new(format!("there is no referendum {referendum}"), hint));
        }
    };
    let vote = Vote { aye: choice == Choice::Aye, conviction: conviction.conviction };
    let votes = conviction.votes(amount);
    let json = json!({
        "referendum": referendum,
        "choice": choice.to_string(),
        "amount_planck": amount.0.to_string(),
        "conviction": conviction.conviction,
        "votes_planck": votes.0.to_string(),
    });
    let call = Democracy::Vote { referendum, vote: AccountVote::Standard { vote, balance: amount.0 } };
    let does = format!("vote {choice} on referendum {referendum} with {amount}");
    Ok(Plan::new(Call::Democracy(call), does, json)
        .change(format!("it counts {votes} of votes; a vote that you cast on it before is replaced"))
        .change(format!("{amount} of yours cannot leave until the vote ends, in {}", output::blocks(end - now)))
        .change(conviction.locks()))
}

fn delegate(to: &str, amount: Planck, conviction: Conviction) -> Outcome<Plan> {
    let to = account_of(to)?;
    let json = json!({
        "to": address(&to),
        "amount_planck": amount.0.to_string(),
        "conviction": conviction.conviction,
        "votes_planck": conviction.votes(amount).0.to_string(),
    });
    let call = Democracy::Delegate { to: Address::Id(to), conviction: conviction.conviction, balance: amount.0 };
    let does = format!("let {} vote with {amount} of yours", address(&to));
    Ok(Plan::new(Call::Democracy(call), does, json)
        .change("you cannot vote in referenda yourself until you undelegate; take open votes back first")
        .change(format!("{amount} of yours cannot leave as long")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conviction_weighs_and_locks() {
        let votes = |conviction| Conviction { conviction }.votes(Planck(100));
        assert_eq!([0, 1, 6].map(votes), [Planck(10), Planck(100), Planck(600)]);
        assert!(Conviction { conviction: 6 }.locks().contains("32"));
        assert!(Conviction { conviction: 0 }.locks().contains("nothing"));
    }
}
