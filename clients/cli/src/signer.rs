//! Who signs: `--account`, else //Alice where everyone may be Alice.

use crate::{
    failure::{Failure, Outcome},
    local,
};
use phala_sdk::{AccountError, KeyPair, Network, is_development, read_key_file};
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
    fn an_account_is_a_name_or_a_path() {
        assert!(path_of("ada").unwrap().ends_with("accounts/ada.json"));
        assert_eq!(path_of("./ada.json").unwrap(), Path::new("./ada.json"));
    }
}
