//! `phala account`: keys and PHA.

use crate::{
    Context,
    failure::{Explain, Failure, Outcome},
    output::{self, Progress, Report},
    signer::{self, SignerArguments},
};
use phala_messages::{
    Account as AccountId,
    calls::{Address, Balances, Call},
};
use phala_sdk::{KeyPair, address, is_development, parse_address, read_key_file_address, write_key_file};
use phala_units::Planck;
use serde_json::json;
use std::path::PathBuf;

/// Make and list accounts, see balances, send PHA
#[derive(clap::Args)]
pub struct Account {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make a new account; its key file is readable by you alone
    New {
        /// What to call it
        name: String,
        /// Also print the recovery phrase: whoever reads it owns the account
        #[arg(long)]
        show_phrase: bool,
    },
    /// List the accounts in your folder of key files
    List,
    /// Show an account's address and public key
    Show {
        /// A name, a key file, an address, or //Alice
        account: String,
    },
    /// Show what an account owns, by proof
    Balance {
        /// A name, a key file, an address, or //Alice
        account: String,
    },
    /// Send PHA
    Transfer {
        /// To whom: a name, a key file, an address, or //Bob
        to: String,
        /// How much: `1.5` or `1.5 PHA`
        amount: Planck,
        #[command(flatten)]
        signer: SignerArguments,
    },
}

impl Account {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        match self.action {
            Action::New { name, show_phrase } => new(context, &name, show_phrase),
            Action::List => list(context),
            Action::Show { account } => show(context, &account),
            Action::Balance { account } => balance(context, &account).await,
            Action::Transfer { to, amount, signer } => transfer(context, &to, amount, &signer).await,
        }
    }
}

/// The account that a text names: no secret is read for it.
fn named(text: &str) -> Outcome<AccountId> {
    if is_development(text) {
        return Ok(KeyPair::parse(text)?.account());
    }
    let path = signer::path_of(text)?;
    if path.is_file() {
        return Ok(parse_address(&read_key_file_address(&path)?)?);
    }
    Ok(parse_address(text)?)
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
        "\nkeep the key file: it is the only copy. On a development network, fill the account with\n  phala account transfer {name} 100"
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
    let account = named(text)?;
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

async fn balance(context: &Context, text: &str) -> Outcome {
    let account = named(text)?;
    let client = context.connect().await?;
    let head = client.head().await?;
    let state = client.account(&account).await?;
    if context.json {
        output::object(&json!({
            "address": address(&account),
            // A JSON number would lose digits.
            "free_planck": state.free.0.to_string(),
            "held_planck": state.reserved.0.to_string(),
            "nonce": state.nonce,
            "height": head.block.number.0,
        }));
    } else {
        output::line(format!("free  {}", state.free));
        output::line(format!("held  {} (deposits; they return)", state.reserved));
        output::line(format!("at    block {}", head.block.number.0));
    }
    Ok(())
}

async fn transfer(context: &Context, to: &str, amount: Planck, signer: &SignerArguments) -> Outcome {
    let to = named(to)?;
    let client = context.connect().await?;
    let key = signer.key(client.network())?;
    let progress = Progress::new();
    progress.step("waiting for the chain to finalise the transfer");
    let call = Call::Balances(Balances::TransferKeepAlive { to: Address::Id(to), amount: amount.0 });
    let applied = client.submit_and_wait(&key, &call).await;
    progress.done();
    let height = applied.doing(format!("sending {amount} from {}", key.address()))?.block.number.0;
    if context.json {
        output::object(&json!({
            "from": key.address(),
            "to": address(&to),
            "amount_planck": amount.0.to_string(),
            "height": height,
        }));
    } else {
        output::line(format!("sent {amount} to {} in block {height}", address(&to)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_by_path_address_or_development_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.json");
        let (pair, phrase) = KeyPair::generate();
        write_key_file(&path, &pair, &phrase).unwrap();
        assert_eq!(named(path.to_str().unwrap()).unwrap(), pair.account());
        assert_eq!(named(&pair.address()).unwrap(), pair.account());
        assert_eq!(named("//Alice").unwrap(), KeyPair::parse("//Alice").unwrap().account());
        assert!(named("nobody-of-this-name").unwrap_err().hint().is_some());
    }
}
