//! Accounts that act for others.

use crate::{
    Context,
    failure::Outcome,
    output,
    signer::{SignerArguments, account_of},
    transact::{Plan, SendArguments},
};
use phala_messages::{
    calls::{Address, Call},
    holders::{Proxy, ProxyType},
};
use phala_sdk::address;
use serde_json::json;

/// What is done with proxies.
#[derive(clap::Subcommand)]
pub enum Action {
    /// List who may act for an account. For example: phala account proxy list //Alice
    List {
        /// For whom [default: who would sign]
        account: Option<String>,
    },
    /// Let an account act for yours. For example: phala account proxy add //Bob --kind stake-pool-manager
    Add {
        /// Whom
        delegate: String,
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        send: SendArguments,
    },
    /// No longer let it. For example: phala account proxy remove //Bob --kind stake-pool-manager
    Remove {
        /// Whom
        delegate: String,
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// As what a proxy acts.
#[derive(clap::Args)]
pub struct Terms {
    /// What it may do
    #[arg(long, value_enum)]
    kind: Kind,
    /// Blocks between its announcing and its doing
    #[arg(long, default_value = "0", value_name = "BLOCKS")]
    delay: u32,
}

/// What a proxy may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Kind {
    /// Everything
    Any,
    /// Everything that moves no PHA
    NonTransfer,
    /// Stop another proxy's delayed call
    CancelProxy,
    /// Vote and propose
    Governance,
    /// Stake behind validators
    Staking,
    /// Run a pool and its workers; it can take no PHA out
    StakePoolManager,
}

impl Kind {
    const ALL: [(Self, ProxyType, &'static str); 6] = [
        (Self::Any, ProxyType::Any, "any"),
        (Self::NonTransfer, ProxyType::NonTransfer, "non-transfer"),
        (Self::CancelProxy, ProxyType::CancelProxy, "cancel-proxy"),
        (Self::Governance, ProxyType::Governance, "governance"),
        (Self::Staking, ProxyType::Staking, "staking"),
        (Self::StakePoolManager, ProxyType::StakePoolManager, "stake-pool-manager"),
    ];

    fn proxy_type(self) -> ProxyType {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(ProxyType::CancelProxy, |(_, kind, _)| *kind)
    }
}

fn word(kind: ProxyType) -> &'static str {
    Kind::ALL.iter().find(|(_, known, _)| *known == kind).map_or("unknown", |(.., word)| word)
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        match self {
            Self::List { account } => list(context, &client, account.as_deref()).await,
            Self::Add { delegate, terms, send } => {
                let (who, kind) = (account_of(&delegate)?, terms.kind.proxy_type());
                let call = Proxy::Add { delegate: Address::Id(who), kind, delay_blocks: terms.delay };
                let json = json!({ "delegate": address(&who), "kind": word(kind), "delay_blocks": terms.delay });
                let does = format!("let {} act for you as {}", address(&who), word(kind));
                let plan = Plan::new(Call::Proxy(call), does, json)
                    .change("it signs with --proxy-for and your account's name")
                    .change("a deposit is held from you until you remove it: about half a PHA for the first one");
                send.carry_out_and_tell(context, &client, &plan).await
            }
            Self::Remove { delegate, terms, send } => {
                let (who, kind) = (account_of(&delegate)?, terms.kind.proxy_type());
                let call = Proxy::Remove { delegate: Address::Id(who), kind, delay_blocks: terms.delay };
                let json = json!({ "delegate": address(&who), "kind": word(kind), "delay_blocks": terms.delay });
                let does = format!("let {} no longer act for you as {}", address(&who), word(kind));
                let plan = Plan::new(Call::Proxy(call), does, json).change("the deposit for it is yours again");
                send.carry_out_and_tell(context, &client, &plan).await
            }
        }
    }
}

async fn list(context: &Context, client: &phala_sdk::Client, account: Option<&str>) -> Outcome {
    client.head().await?;
    let account = match account {
        Some(account) => account_of(account)?,
        None => SignerArguments::from_environment().account_only(client.network())?,
    };
    let (proxies, deposit) = client.proxies(&account).await?;
    if context.json {
        output::object(&json!({
            "account": address(&account),
            "deposit_planck": deposit.0.to_string(),
            "proxies": proxies.iter().map(|proxy| json!({
                "delegate": address(&proxy.delegate),
                "kind": word(proxy.kind),
                "delay_blocks": proxy.delay_blocks,
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    if proxies.is_empty() {
        output::line(format!("nobody acts for {}", address(&account)));
        return Ok(());
    }
    let rows = proxies
        .iter()
        .map(|proxy| [address(&proxy.delegate), word(proxy.kind).into(), output::blocks(proxy.delay_blocks)]);
    output::line(output::table(["WHO", "AS", "DELAY"], rows));
    output::line(format!("{deposit} are held for it"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_kind_of_proxy_has_its_word() {
        for kind in Kind::value_variants() {
            let name = kind.to_possible_value().unwrap();
            assert_eq!(word(kind.proxy_type()), name.get_name());
        }
    }
}
