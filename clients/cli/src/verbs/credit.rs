//! `phala credit`: pay for a program: stake that gives it weight, credit for its commands.

use crate::{
    Context,
    arguments::{AmountOrAll, amount, amount_or_all},
    failure::{Failure, Outcome},
    output, signer,
    transact::{Plan, SendArguments},
};
use phala_economics::weight_of_stake;
use phala_messages::{
    ProgramId,
    calls::Call,
    credit::{self, Payer},
};
use phala_sdk::{Client, ProgramCredit, ProgramStake, address};
use phala_units::Planck;
use serde_json::{Value, json};

/// A command of so many sealed bytes is shown as an example of what commands cost.
const EXAMPLE_BYTES: u32 = 1_024;

/// Pay for a program: stake that gives it weight, credit for its commands
#[derive(clap::Args)]
pub struct Credit {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show what commands of a program cost, who pays, its credit and weight, and an account's stake on it. For example: phala credit show hello
    Show {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// Whose stake: a name, a key file, an address, or //Bob [default: nobody's]
        account: Option<String>,
        /// Size of the example, sealed bytes
        #[arg(long, value_name = "BYTES", default_value_t = EXAMPLE_BYTES)]
        bytes: u32,
    },
    /// Stake on a program: more of its workers' processors for it; the PHA stays yours. For example: phala credit stake hello 100PHA
    Stake {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// How much more: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take stake off a program; a week later it can be collected. For example: phala credit unstake hello all
    Unstake {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// How much: 12.5PHA, or all
        #[arg(value_parser = amount_or_all)]
        amount: AmountOrAll,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Collect stake that came off a program and has waited. For example: phala credit collect hello
    Collect {
        /// The program: its id, the beginning of it, or its name
        program: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Give a program PHA for its commands; what is left over is its owner's. For example: phala credit top-up hello 5PHA
    TopUp {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take free credit of a program of yours. For example: phala credit withdraw hello all
    Withdraw {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// How much: 12.5PHA, or all
        #[arg(value_parser = amount_or_all)]
        amount: AmountOrAll,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Say who pays for the commands of a program of yours. For example: phala credit payer hello caller
    Payer {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// `program`: its credit, while that lasts; `caller`: whoever calls
        who: Who,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Give back what was laid aside for a command that nobody has answered for two days. For example: phala credit refund hello 7
    Refund {
        /// The program: its id, the beginning of it, or its name
        program: String,
        /// The command: the `index` that `phala send --json` printed
        command: u64,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// Who pays.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Who {
    /// The program's credit; where that is too little, whoever calls.
    Program,
    /// Whoever calls.
    Caller,
}

/// The word for who pays.
pub const fn word(payer: Payer) -> &'static str {
    match payer {
        Payer::Owner => "program",
        Payer::Caller => "caller",
    }
}

impl Credit {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        client.head().await?;
        let at = At { context, client: &client };
        match self.action {
            Action::Show { program, account, bytes } => show(&at, &program, account.as_deref(), bytes).await,
            Action::Stake { program, amount, send } => stake(&at, &program, amount, &send).await,
            Action::Unstake { program, amount, send } => unstake(&at, &program, amount, &send).await,
            Action::Collect { program, send } => collect(&at, &program, &send).await,
            Action::TopUp { program, amount, send } => top_up(&at, &program, amount, &send).await,
            Action::Withdraw { program, amount, send } => withdraw(&at, &program, amount, &send).await,
            Action::Payer { program, who, send } => set_payer(&at, &program, who, &send).await,
            Action::Refund { program, command, send } => refund(&at, &program, command, &send).await,
        }
    }
}

struct At<'a> {
    context: &'a Context,
    client: &'a Client,
}

impl At<'_> {
    /// A program, and what pays for it.
    async fn find(&self, program: &str) -> Outcome<ProgramCredit> {
        let id = self.client.resolve(program).await?;
        Ok(self.client.program_credit(&id).await?)
    }

    async fn carry_out(&self, send: &SendArguments, plan: &Plan) -> Outcome {
        send.carry_out_and_tell(self.context, self.client, plan).await
    }
}

/// Out of what there is, what is meant.
fn part(amount: AmountOrAll, all: Planck, of: &str) -> Outcome<Planck> {
    match amount {
        AmountOrAll::All if all == Planck(0) => {
            Err(Failure::new(format!("there is no {of}"), "`phala credit show PROGRAM ACCOUNT` shows what there is"))
        }
        AmountOrAll::All => Ok(all),
        AmountOrAll::Amount(amount) if amount > all => {
            Err(Failure::new(format!("there are {all} of {of}, less than {amount}"), "ask for less, or for `all`"))
        }
        AmountOrAll::Amount(amount) => Ok(amount),
    }
}

fn weight_change(found: &ProgramCredit, staked: Planck) -> String {
    format!(
        "its weight goes from {} to {}, beside the weights of its cluster's other programs",
        found.weight(),
        weight_of_stake(staked)
    )
}

async fn stake(at: &At<'_>, program: &str, amount: Planck, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let staked = Planck(found.staked.0.saturating_add(amount.0));
    let json = json!({
        "program": found.program,
        "amount_planck": amount.0.to_string(),
        "weight_estimated": weight_of_stake(staked),
    });
    let call = Call::Credit(credit::Credit::Stake { program: found.program, amount });
    let plan = Plan::new(call, format!("stake {amount} on {}", short(&found.program)), json)
        .change(format!("{amount} stay yours and are held until you take them off again"))
        .change(weight_change(&found, staked));
    at.carry_out(send, &plan).await
}

async fn unstake(at: &At<'_>, program: &str, amount: AmountOrAll, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let own = at.client.program_stake(&found.program, &send.actor(at.client)?).await?;
    let amount = part(amount, own.staked, "stake of yours on this program")?;
    let staked = Planck(found.staked.0.saturating_sub(amount.0));
    let json = json!({
        "program": found.program,
        "amount_planck": amount.0.to_string(),
        "weight_estimated": weight_of_stake(staked),
    });
    let call = Call::Credit(credit::Credit::Unstake { program: found.program, amount });
    let plan = Plan::new(call, format!("take {amount} off {}", short(&found.program)), json)
        .change(weight_change(&found, staked))
        .change(format!(
            "{amount} are on their way for a week (two minutes on a development network); `phala credit collect` then"
        ));
    at.carry_out(send, &plan).await
}

async fn collect(at: &At<'_>, program: &str, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let own = at.client.program_stake(&found.program, &send.actor(at.client)?).await?;
    let amount = own.leaving.map_or(Planck(0), |leaving| leaving.amount);
    let json = json!({ "program": found.program, "amount_planck": amount.0.to_string() });
    let call = Call::Credit(credit::Credit::WithdrawUnstaked { program: found.program });
    let mut plan = Plan::new(call, format!("collect {amount} that came off {}", short(&found.program)), json);
    if let Some(leaving) = own.leaving {
        plan = plan.change(format!(
            "{amount} are free, from block {} on; this is block {}",
            leaving.free_from.0, found.block.number.0
        ));
    }
    at.carry_out(send, &plan).await
}

async fn top_up(at: &At<'_>, program: &str, amount: Planck, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let free = Planck(found.record.free.0.saturating_add(amount.0));
    let json = json!({
        "program": found.program,
        "amount_planck": amount.0.to_string(),
        "free_planck_estimated": free.0.to_string(),
    });
    let call = Call::Credit(credit::Credit::TopUp { program: found.program, amount });
    let plan = Plan::new(call, format!("top {} up by {amount}", short(&found.program)), json)
        .change(format!("{amount} leave your account; what is left over is the program's owner's"))
        .change(format!("its commands are paid out of {free}"));
    at.carry_out(send, &plan).await
}

async fn withdraw(at: &At<'_>, program: &str, amount: AmountOrAll, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let amount = part(amount, found.record.free, "free credit of this program")?;
    let left = Planck(found.record.free.0.saturating_sub(amount.0));
    let json = json!({ "program": found.program, "amount_planck": amount.0.to_string() });
    let call = Call::Credit(credit::Credit::WithdrawCredit { program: found.program, amount });
    let plan = Plan::new(call, format!("take {amount} of the credit of {}", short(&found.program)), json)
        .change(format!("{left} are left for its commands; when that is spent, whoever calls pays"));
    at.carry_out(send, &plan).await
}

async fn set_payer(at: &At<'_>, program: &str, who: Who, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let payer = match who {
        Who::Program => Payer::Owner,
        Who::Caller => Payer::Caller,
    };
    let json = json!({ "program": found.program, "payer": word(payer) });
    let call = Call::Credit(credit::Credit::SetPayer { program: found.program, payer });
    let plan = Plan::new(call, format!("let the {} pay for commands of {}", word(payer), short(&found.program)), json)
        .change("commands that wait are paid as they were ordered");
    at.carry_out(send, &plan).await
}

async fn refund(at: &At<'_>, program: &str, command: u64, send: &SendArguments) -> Outcome {
    let found = at.find(program).await?;
    let laid_aside = at.client.reservation(&found.program, command, found.block).await?;
    let Some(laid_aside) = laid_aside else {
        return Err(Failure::new(
            format!("nothing is laid aside for command {command}"),
            "it was free, was answered, or was never sent",
        ));
    };
    let json =
        json!({ "program": found.program, "command": command, "amount_planck": laid_aside.amount.0.to_string() });
    let call = Call::Credit(credit::Credit::RefundLate { program: found.program, command });
    let to = laid_aside.caller.map_or_else(|| "the program's credit".to_owned(), |caller| address(&caller));
    let plan = Plan::new(call, format!("refund {} for command {command}", laid_aside.amount), json)
        .change(format!("{} go back to {to}", laid_aside.amount))
        .change("the command stands; whoever still answers it is not paid");
    at.carry_out(send, &plan).await
}

async fn show(at: &At<'_>, program: &str, account: Option<&str>, bytes: u32) -> Outcome {
    let found = at.find(program).await?;
    let whose = account.map(signer::account_of).transpose()?;
    let own = match &whose {
        Some(account) => Some(at.client.program_stake(&found.program, account).await?),
        None => None,
    };
    // What was removed has no limits any more, and takes no commands.
    let limits = at.client.program(&found.program).await?.map(|record| record.manifest.limits);
    let example = limits.map(|limits| found.cost(bytes, &limits));
    if at.context.json {
        let mut object = to_json(&found);
        object["example"] = example
            .map(|cost| json!({ "sealed_bytes": bytes, "price_planck": cost.price.0.to_string(), "payer": word(cost.payer) }))
            .into();
        if let (Some(account), Some(own)) = (&whose, &own) {
            object["account"] = address(account).into();
            object["stake"] = stake_json(own);
        }
        output::object(&object);
        return Ok(());
    }
    let mut rows = vec![
        ("program", found.program.to_string()),
        (
            "pays",
            match found.record.payer {
                Payer::Owner => "its credit; where that is too little, whoever calls".into(),
                Payer::Caller => "whoever calls".into(),
            },
        ),
        ("credit", format!("{} free, {} laid aside for commands that wait", found.record.free, found.record.reserved)),
        (
            "price",
            format!(
                "{} a command, {} a sealed byte, {} for each million of fuel that it may burn",
                found.price.base, found.price.per_byte, found.price.per_million_fuel
            ),
        ),
    ];
    if let Some(cost) = example {
        rows.push(("so", format!("a command of {bytes} bytes costs {}, paid by the {}", cost.price, word(cost.payer))));
    }
    rows.push(("staked", format!("{} by everybody; weight {}", found.staked, found.weight())));
    if let (Some(account), Some(own)) = (&whose, &own) {
        rows.push(("of that", format!("{} by {}", own.staked, address(account))));
        if let Some(leaving) = own.leaving {
            rows.push(("comes back", format!("{} from block {} on", leaving.amount, leaving.free_from.0)));
        }
    }
    rows.push(("at", format!("block {}", found.block.number.0)));
    output::fields(&rows);
    Ok(())
}

fn to_json(found: &ProgramCredit) -> Value {
    json!({
        "program": found.program,
        "payer": word(found.record.payer),
        "free_planck": found.record.free.0.to_string(),
        "reserved_planck": found.record.reserved.0.to_string(),
        "price": {
            "base_planck": found.price.base.0.to_string(),
            "per_byte_planck": found.price.per_byte.0.to_string(),
            "per_million_fuel_planck": found.price.per_million_fuel.0.to_string(),
        },
        "staked_planck": found.staked.0.to_string(),
        "weight": found.weight(),
        "height": found.block.number.0,
    })
}

fn stake_json(own: &ProgramStake) -> Value {
    json!({
        "staked_planck": own.staked.0.to_string(),
        "leaving": own.leaving.map(|leaving| json!({
            "amount_planck": leaving.amount.0.to_string(),
            "free_from_height": leaving.free_from.0,
        })),
    })
}

/// A program's id, as much of it as one reads.
fn short(program: &ProgramId) -> String {
    let mut text = program.to_string();
    text.truncate(14);
    text + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_some_or_all_and_never_more() {
        assert_eq!(part(AmountOrAll::All, Planck(7), "x").ok(), Some(Planck(7)));
        assert_eq!(part(AmountOrAll::Amount(Planck(7)), Planck(7), "x").ok(), Some(Planck(7)));
        assert!(part(AmountOrAll::Amount(Planck(8)), Planck(7), "x").is_err());
        assert!(part(AmountOrAll::All, Planck(0), "x").is_err());
    }
}
