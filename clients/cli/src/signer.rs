//! Who signs: `--account`, else //Alice where everyone may be Alice.

use crate::{
    failure::{Failure, Outcome},
    local,
};
use phala_messages::Account;
use phala_sdk::{AccountError, KeyPair, Network, is_development, parse_address, read_key_file, read_key_file_address};
use std::path::{Path, PathBuf};

/// The account that signs when nobody says otherwise, on development networks only.
const DEFAULT: &str = "//Alice";

/// `--account` for verbs that sign.
#[derive(clap::Args)]
pub struct SignerArguments {
    /// Who signs: a name from `phala account list`, a key file, or //Alice on development networks
    #[arg(long, value_name = "ACCOUNT", env = "PHALA_ACCOUNT", hide_env_values = true)]
    pub account: Option<String>,
}

impl SignerArguments {
    /// Who signs where the verb has no `--account`: PHALA_ACCOUNT, else //Alice where everyone may be Alice.
    pub fn from_environment() -> Self {
        Self { account: std::env::var("PHALA_ACCOUNT").ok().filter(|account| !account.is_empty()) }
    }

    /// Who signs on `network`, where no key is needed: an address will do.
    pub fn account_only(&self, network: &Network) -> Outcome<Account> {
        match &self.account {
            Some(account) => account_of(account),
            None => Ok(self.key(network)?.account()),
        }
    }

    /// The key that signs on `network`.
    pub fn key(&self, network: &Network) -> Outcome<KeyPair> {
        match &self.account {
            Some(account) => named(account, network),
            None if network.development => Ok(KeyPair::parse(DEFAULT)?),
            None => Err(Failure::usage(
                "this network is not for development: somebody must sign",
                "make an account with `phala account new NAME` and pass --account NAME",
            )),
        }
    }
}

/// The key of the account called `account`.
pub fn named(account: &str, network: &Network) -> Outcome<KeyPair> {
    if is_development(account) {
        if !network.development {
            return Err(AccountError::Development(account.into()).into());
        }
        return Ok(KeyPair::parse(account)?);
    }
    Ok(read_key_file(&path_of(account)?)?)
}

/// The account that a text names: no secret is read for it.
pub fn account_of(text: &str) -> Outcome<Account> {
    if is_development(text) {
        return Ok(KeyPair::parse(text)?.account());
    }
    let path = path_of(text)?;
    if path.is_file() {
        return Ok(parse_address(&read_key_file_address(&path)?)?);
    }
    Ok(parse_address(text)?)
}

/// Folder of the user's key files.
pub fn folder() -> Outcome<PathBuf> {
    let home = local::home().ok_or_else(|| Failure::new("there is no home directory", "set PHALA_HOME=DIR"))?;
    Ok(home.join("accounts"))
}

/// The key file of an account given by name or by path.
pub fn path_of(account: &str) -> Outcome<PathBuf> {
    let path = Path::new(account);
    if account.contains('/') || path.is_file() {
        return Ok(path.into());
    }
    Ok(folder()?.join(format!("{account}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::GenesisHash;

    fn network(chain: &str) -> Network {
        Network::new(chain, String::new(), GenesisHash::default())
    }

    #[test]
    fn alice_signs_by_herself_on_development_networks_only() {
        let nobody = SignerArguments { account: None };
        let alice = KeyPair::parse("//Alice").unwrap();
        assert_eq!(nobody.key(&network("dev")).unwrap().account(), alice.account());
        assert!(nobody.key(&network("production")).unwrap_err().hint().is_some());
    }

    #[test]
    fn a_development_account_is_refused_where_money_may_be_at_stake() {
        assert!(named("//Bob", &network("local")).is_ok());
        assert!(named("//Bob", &network("production")).unwrap_err().message().contains("everyone in the world"));
    }

    #[test]
    fn an_account_is_named_by_path_address_or_development_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.json");
        let (pair, phrase) = KeyPair::generate();
        phala_sdk::write_key_file(&path, &pair, &phrase).unwrap();
        assert_eq!(account_of(path.to_str().unwrap()).unwrap(), pair.account());
        assert_eq!(account_of(&pair.address()).unwrap(), pair.account());
        assert_eq!(account_of("//Alice").unwrap(), KeyPair::parse("//Alice").unwrap().account());
        assert!(account_of("nobody-of-this-name").unwrap_err().hint().is_some());
    }

    #[test]
    fn an_account_is_a_name_or_a_path() {
        assert!(path_of("ada").unwrap().ends_with("accounts/ada.json"));
        assert_eq!(path_of("./ada.json").unwrap(), Path::new("./ada.json"));
    }
}
