//! `phala stake`: stake behind validators, and validate.

mod show;
mod validate;

use crate::{
    Context,
    arguments::{amount, rate},
    failure::{Failure, Outcome},
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_economics::Ppm;
use phala_messages::{
    calls::{Address, Call},
    holders::{Payee, Staking},
};
use phala_sdk::{Client, address};
use phala_units::Planck;
use serde_json::json;

/// Parts per thousand million in a part per million.
const PPB_PER_PPM: u32 = 1_000;
/// Validators that one account may nominate.
const NOMINATIONS_MAX: usize = 16;

/// Secure the chain: stake behind validators, or validate, and be paid for it
#[derive(clap::Args)]
pub struct Stake {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List the validators of this session, with what stands behind them
    Validators,
    /// Show an account's stake: what counts, what is on its way out, whom it nominates. For example: phala stake status //Alice
    Status {
        /// Whose: a name, a key file, an address, or //Alice [default: who would sign]
        account: Option<String>,
    },
    /// Bond PHA: it stays yours, and counts for whom you nominate. For example: phala stake bond 100PHA
    Bond {
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        /// Where rewards go: stake (which grows), account, none, or another account
        #[arg(long, default_value = "stake", value_name = "WHERE")]
        payee: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Bond more. For example: phala stake bond-extra 50PHA
    BondExtra {
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Want PHA back, which takes 28 eras. For example: phala stake unbond 50PHA
    Unbond {
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take back what has waited long enough. For example: phala stake withdraw
    Withdraw {
        #[command(flatten)]
        send: SendArguments,
    },
    /// Change where rewards go. For example: phala stake set-payee account
    SetPayee {
        /// stake (which grows), account, none, or another account
        payee: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Stake behind validators, sixteen at most. For example: phala stake nominate //Alice
    Nominate {
        /// Which: names, key files, addresses, or //Alice
        #[arg(required = true)]
        validators: Vec<String>,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Be ready to validate. For example: phala stake validate --commission 5%
    Validate {
        /// What you keep of your nominators' rewards
        #[arg(long, value_parser = rate, value_name = "RATE")]
        commission: Ppm,
        /// Let nobody nominate you
        #[arg(long)]
        blocked: bool,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Neither validate nor nominate from the next era on. For example: phala stake chill
    Chill {
        #[command(flatten)]
        send: SendArguments,
    },
    /// Pay out what a validator and its nominators earned; anyone may. For example: phala stake payout //Alice
    Payout {
        /// Whose
        validator: String,
        /// Of which era [default: all that have not been paid]
        #[arg(long, value_name = "N")]
        era: Option<u32>,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Set the keys with which you validate: your node makes them. For example: phala stake keys --node http://127.0.0.1:9944
    Keys {
        /// Your own node's RPC, which makes new keys and keeps them [default: the network's]
        #[arg(long, value_name = "URL", conflicts_with_all = ["keys", "proof"])]
        node: Option<String>,
        /// Keys that were made already
        #[arg(long, value_name = "0x…", requires = "proof")]
        keys: Option<String>,
        /// The proof that came with them
        #[arg(long, value_name = "0x…", requires = "keys")]
        proof: Option<String>,
        #[command(flatten)]
        send: SendArguments,
    },
}

impl Stake {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        client.head().await?;
        let (plan, send) = match self.action {
            Action::Validators => return show::validators(context, &client).await,
            Action::Status { account } => return show::status(context, &client, account.as_deref()).await,
            Action::Withdraw { send } => return withdraw(context, &client, &send).await,
            Action::Payout { validator, era, send } => {
                return validate::payout(context, &client, &validator, era, &send).await;
            }
            Action::Keys { node, keys, proof, send } => {
                let given = keys.zip(proof);
                return validate::keys(context, &client, node.as_deref(), given, &send).await;
            }
            Action::Bond { amount, payee, send } => (bond(amount, &payee)?, send),
            Action::BondExtra { amount, send } => (bond_extra(amount), send),
            Action::Unbond { amount, send } => (unbond(amount), send),
            Action::SetPayee { payee, send } => (set_payee(&payee)?, send),
            Action::Nominate { validators, send } => (nominate(&validators)?, send),
            Action::Validate { commission, blocked, send } => (validate::plan(commission, blocked), send),
            Action::Chill { send } => (
                plan(Staking::Chill, "neither validate nor nominate", json!({}))
                    .change("from the next era on; the stake stays bonded"),
                send,
            ),
        };
        send.carry_out_and_tell(context, &client, &plan).await
    }
}

fn plan(call: Staking, does: impl Into<String>, json: serde_json::Value) -> Plan {
    Plan::new(Call::Staking(call), does, json)
}

/// Reads where rewards go.
fn payee(text: &str) -> Outcome<Payee> {
    Ok(match text {
        "stake" => Payee::Staked,
        "account" => Payee::Stash,
        "none" => Payee::None,
        other => Payee::Account(account_of(other)?),
    })
}

/// Says where rewards go.
fn payee_text(payee: Payee) -> String {
    match payee {
        Payee::Staked => "stake".into(),
        Payee::Stash => "account".into(),
        Payee::Account(account) => address(&account),
        Payee::None => "none".into(),
    }
}

fn bond(amount: Planck, to: &str) -> Outcome<Plan> {
    let payee = payee(to)?;
    let json = json!({ "amount_planck": amount.0.to_string(), "payee": payee_text(payee) });
    Ok(plan(Staking::Bond { amount: amount.0, payee }, format!("bond {amount}"), json)
        .change(format!("{amount} of yours are held; they can vote, and come back 28 eras after you want them back"))
        .change("until you nominate or validate, they earn nothing"))
}

fn bond_extra(amount: Planck) -> Plan {
    let json = json!({ "amount_planck": amount.0.to_string() });
    plan(Staking::BondExtra { amount: amount.0 }, format!("bond {amount} more"), json)
        .change(format!("{amount} more of yours are held, and count from the next era on"))
}

fn unbond(amount: Planck) -> Plan {
    let json = json!({ "amount_planck": amount.0.to_string() });
    plan(Staking::Unbond { amount: amount.0 }, format!("want {amount} back"), json)
        .change("they earn no more, and stay liable, for 28 eras; on development networks for 3")
        .change("then `phala stake withdraw` frees them")
}

fn set_payee(to: &str) -> Outcome<Plan> {
    let payee = payee(to)?;
    let text = payee_text(payee);
    let json = json!({ "payee": text });
    Ok(plan(Staking::SetPayee { payee }, format!("have rewards go to: {text}"), json))
}

fn nominate(validators: &[String]) -> Outcome<Plan> {
    let targets = validators.iter().map(|text| account_of(text)).collect::<Outcome<Vec<_>>>()?;
    if targets.len() > NOMINATIONS_MAX {
        return Err(Failure::usage(
            format!("{} validators are more than one account may nominate", targets.len()),
            format!("choose {NOMINATIONS_MAX} at most"),
        ));
    }
    let names: Vec<_> = targets.iter().map(address).collect();
    let json = json!({ "validators": names });
    let does = format!("nominate {}", names.join(", "));
    let call = Staking::Nominate { validators: targets.into_iter().map(Address::Id).collect() };
    Ok(plan(call, does, json)
        .change("from the next election on your stake stands behind those of them who are elected")
        .change("what they are slashed for, you are slashed for in proportion"))
}

async fn withdraw(context: &Context, client: &Client, send: &SendArguments) -> Outcome {
    let actor = send.actor(client)?;
    let amount = client.stake(&actor).await?.withdrawable();
    if amount == Planck(0) {
        return Err(Failure::new(
            format!("nothing of {}'s stake can be withdrawn now", address(&actor)),
            "`phala stake status` shows what is on its way out, and until when",
        ));
    }
    let slashing_spans = client.slashing_spans(&actor).await?;
    let json = json!({ "amount_planck": amount.0.to_string() });
    let plan = plan(Staking::WithdrawUnbonded { slashing_spans }, format!("withdraw {amount}"), json)
        .change(format!("{amount} are free again"));
    send.carry_out_and_tell(context, client, &plan).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_go_where_one_says() {
        for (text, where_to) in [("stake", Payee::Staked), ("account", Payee::Stash), ("none", Payee::None)] {
            assert_eq!(payee(text).unwrap(), where_to);
            assert_eq!(payee_text(where_to), text);
        }
        let bob = phala_sdk::KeyPair::parse("//Bob").unwrap();
        assert_eq!(payee("//Bob").unwrap(), Payee::Account(bob.account()));
        assert!(payee("nobody-of-this-name").is_err());
    }

    #[test]
    fn sixteen_can_be_nominated_and_no_more() {
        let names = |n: usize| vec!["//Alice".to_string(); n];
        assert!(nominate(&names(NOMINATIONS_MAX)).is_ok());
        assert!(nominate(&names(NOMINATIONS_MAX + 1)).err().is_some_and(|failure| failure.hint().is_some()));
    }
}
