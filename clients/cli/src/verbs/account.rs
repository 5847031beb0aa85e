//! `phala account`: keys and PHA.

mod balance;
mod identity;
mod multisig;
mod proxy;

use crate::{
    Context,
    arguments::{CallBytes, amount, call},
    failure::{Failure, Outcome},
    output,
    signer::{self, account_of},
    transact::{Plan, SendArguments},
};
use phala_messages::{
    calls::{Address, Balances, Call, Utility},
    holders::Vesting,
};
use phala_sdk::{KeyPair, address, is_development, read_key_file_address, write_key_file};
use phala_units::Planck;
use serde_json::json;
use std::path::PathBuf;

/// Make and list accounts, see balances, send PHA, act for each other
#[derive(clap::Args)]
pub struct Account {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make a new account; its key file is readable by you alone. For example: phala account new ada
    New {
        /// What to call it
        name: String,
        /// Also print the recovery phrase: whoever reads it owns the account
        #[arg(long)]
        show_phrase: bool,
    },
    /// List the accounts in your folder of key files
    List,
    /// Show an account's address and public key. For example: phala account show //Alice
    Show {
        /// A name, a key file, an address, or //Alice
        account: String,
    },
    /// Show what an account owns: free, held, frozen, vested, in pools. For example: phala account balance //Bob
    Balance {
        /// A name, a key file, an address, or //Alice
        account: String,
    },
    /// Send PHA. For example: phala account send //Bob 1.5PHA
    #[command(visible_alias = "send")]
    Transfer {
        /// To whom: a name, a key file, an address, or //Bob
        to: String,
        /// How much: 1.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Free what has vested, of your own or of another account. For example: phala account vest
    Vest {
        /// Whose [default: the signer's]
        #[arg(value_name = "ACCOUNT")]
        whose: Option<String>,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Say who an account is, or see who it says that it is
    Identity {
        #[command(subcommand)]
        action: identity::Action,
    },
    /// Let other accounts act for one, within limits
    Proxy {
        #[command(subcommand)]
        action: proxy::Action,
    },
    /// Share an account: it acts when so many of its signers agree
    Multisig {
        #[command(subcommand)]
        action: multisig::Action,
    },
    /// Make several calls at once, all or none. For example: phala account batch 0x3d09… 0x3d09…
    Batch {
        /// Calls as --dry-run shows them, or files with them: @FILE
        #[arg(required = true, value_parser = call)]
        calls: Vec<CallBytes>,
        #[command(flatten)]
        send: SendArguments,
    },
}

impl Account {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        match self.action {
            Action::New { name, show_phrase } => new(context, &name, show_phrase),
            Action::List => list(context),
            Action::Show { account } => show(context, &account),
            Action::Balance { account } => balance::show(context, &account).await,
            Action::Transfer { to, amount, send } => transfer(context, &to, amount, &send).await,
            Action::Vest { whose, send } => vest(context, whose.as_deref(), &send).await,
            Action::Identity { action } => action.run(context).await,
            Action::Proxy { action } => action.run(context).await,
            Action::Multisig { action } => action.run(context).await,
            Action::Batch { calls, send } => batch(context, calls, &send).await,
        }
    }
}

fn new(context: &Context, name: &str, show_phrase: bool) -> Outcome {
    if name.contains('/') || name.starts_with('.') || name.is_empty() {
        return Err(Failure::usage(
            format!("`{name}` is not a name"),
            "choose letters, digits and dashes: phala account new ada",
        ));
    }
    let path = signer::path_of(name)?;
    let (pair, phrase) = KeyPair::generate();
    write_key_file(&path, &pair, &phrase)?;
    if context.json {
        let mut object = json!({ "name": name, "address": pair.address(), "public_key": pair.account(), "file": path });
        if show_phrase {
            object["phrase"] = phrase.as_str().into();
        }
        output::object(&object);
        return Ok(());
    }
    output::line(format!("address   {}", pair.address()));
    output::line(format!("key file  {}", path.display()));
    if show_phrase {
        output::line(format!("phrase    {}", phrase.as_str()));
    }
    output::line(format!(
        "\nkeep the key file: it is the only copy. On a development network, fill the account with\n  phala account send {name} 100PHA"
    ));
    Ok(())
}

fn list(context: &Context) -> Outcome {
    let folder = signer::folder()?;
    let mut accounts: Vec<(String, PathBuf, String)> = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if let (Some(name), Ok(address)) = (path.file_stem(), read_key_file_address(&path)) {
            accounts.push((name.to_string_lossy().into_owned(), path.clone(), address));
        }
    }
    accounts.sort();
    if context.json {
        let list =
            accounts.iter().map(|(name, path, address)| json!({ "name": name, "address": address, "file": path }));
        output::object(&json!({ "accounts": list.collect::<Vec<_>>() }));
    } else if accounts.is_empty() {
        output::line(format!("no accounts in {}; `phala account new NAME` makes one", folder.display()));
    } else {
        let rows = accounts.into_iter().map(|(name, path, address)| [name, address, path.display().to_string()]);
        output::line(output::table(["NAME", "ADDRESS", "FILE"], rows));
    }
    Ok(())
}

fn show(context: &Context, text: &str) -> Outcome {
    let account = account_of(text)?;
    if context.json {
        output::object(&json!({ "address": address(&account), "public_key": account }));
    } else {
        output::line(format!("address     {}", address(&account)));
        output::line(format!("public key  {account}"));
        if is_development(text) {
            output::line("\na development account: everyone in the world can sign for it");
        }
    }
    Ok(())
}

async fn transfer(context: &Context, to: &str, amount: Planck, send: &SendArguments) -> Outcome {
    let to = account_of(to)?;
    let client = context.connect().await?;
    let from = send.actor(&client)?;
    let call = Call::Balances(Balances::TransferKeepAlive { to: Address::Id(to), amount: amount.0 });
    let json = json!({ "from": address(&from), "to": address(&to), "amount_planck": amount.0.to_string() });
    let spendable = client.balances(&from).await?.spendable();
    let plan = Plan::new(call, format!("send {amount} to {}", address(&to)), json)
        .change(format!("of the {spendable} that can leave {}, {amount} do", address(&from)));
    send.carry_out_and_tell(context, &client, &plan).await
}

async fn vest(context: &Context, account: Option<&str>, send: &SendArguments) -> Outcome {
    let client = context.connect().await?;
    let (whose, call) = match account {
        Some(account) => {
            let target = account_of(account)?;
            (target, Vesting::VestOther { target: Address::Id(target) })
        }
        None => (send.actor(&client)?, Vesting::Vest),
    };
    let balances = client.balances(&whose).await?;
    if balances.vesting.is_empty() {
        return Err(Failure::new(
            format!("nothing of {} is vested", address(&whose)),
            "`phala account balance ACCOUNT` shows what is frozen, and by what",
        ));
    }
    let (frees, stays) = (balances.to_vest(), balances.unvested());
    let json = json!({
        "account": address(&whose),
        "frees_planck": frees.0.to_string(),
        "unvested_planck": stays.0.to_string(),
    });
    let plan = Plan::new(Call::Vesting(call), format!("free what has vested of {}", address(&whose)), json)
        .change(format!("{frees} are free to leave, {stays} are not yet"));
    send.carry_out_and_tell(context, &client, &plan).await
}

async fn batch(context: &Context, calls: Vec<CallBytes>, send: &SendArguments) -> Outcome {
    let client = context.connect().await?;
    let count = calls.len();
    let calls = calls.into_iter().map(|CallBytes(bytes)| Call::Encoded(bytes)).collect();
    let plan = Plan::new(
        Call::Utility(Utility::BatchAll { calls }),
        format!("make {count} calls, all or none"),
        json!({ "calls": count }),
    )
    .change("if one of them fails, none has happened; the fee is taken all the same");
    send.carry_out_and_tell(context, &client, &plan).await
}
