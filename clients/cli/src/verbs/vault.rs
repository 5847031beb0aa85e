//! `phala vault`: what is done with stake pools is done with vaults, and their owners put what they have into stake pools.

use super::pool::{At, PoolAction, name, owned, run, vault_shares};
use crate::{
    Context,
    arguments::{AmountOrAll, amount, amount_or_all},
    failure::{Failure, Outcome},
    transact::{Plan, SendArguments},
};
use phala_economics::{PoolKind, Shares};
use phala_messages::{PoolId, calls::Call, pools::Pools};
use phala_sdk::Client;
use phala_units::Planck;
use serde_json::json;

/// Share stake and reward: vaults, whose owners choose stake pools for it
#[derive(clap::Args)]
pub struct Vault {
    #[command(subcommand)]
    action: Option<VaultAction>,
}

#[derive(clap::Subcommand)]
enum VaultAction {
    #[command(flatten)]
    AsPool(PoolAction),
    /// Give PHA of your vault to a stake pool. For example: phala vault invest 1 0 50PHA
    Invest {
        /// Your vault's number
        vault: u64,
        /// The stake pool's number
        pool: u64,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Ask a stake pool for PHA of your vault. For example: phala vault divest 1 0 all
    Divest {
        /// Your vault's number
        vault: u64,
        /// The stake pool's number
        pool: u64,
        /// How much, at the price of now: 12.5PHA, or all
        #[arg(value_parser = amount_or_all)]
        amount: AmountOrAll,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take back what your vault asked of a stake pool. For example: phala vault cancel-divest 1 0 7
    CancelDivest {
        /// Your vault's number
        vault: u64,
        /// The stake pool's number
        pool: u64,
        /// The request: its number in `phala pool show`
        request: u64,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Value a vault anew, and give its owner the commission on what it gained; anyone may. For example: phala vault settle 1
    Settle {
        /// The vault's number
        vault: u64,
        #[command(flatten)]
        send: SendArguments,
    },
}

impl Vault {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        let action = self.action.unwrap_or(VaultAction::AsPool(PoolAction::List));
        if let VaultAction::AsPool(action) = action {
            return run(context, PoolKind::Vault, action).await;
        }
        let client = context.connect().await?;
        client.head().await?;
        let at = At { context, client: &client, kind: PoolKind::Vault };
        match action {
            VaultAction::AsPool(action) => run(context, PoolKind::Vault, action).await,
            VaultAction::Invest { vault, pool, amount, send } => {
                invest(&at, PoolId(vault), PoolId(pool), amount, &send).await
            }
            VaultAction::Divest { vault, pool, amount, send } => {
                divest(&at, PoolId(vault), PoolId(pool), amount, &send).await
            }
            VaultAction::CancelDivest { vault, pool, request, send } => {
                cancel(&at, PoolId(vault), PoolId(pool), request, &send).await
            }
            VaultAction::Settle { vault, send } => settle(&at, PoolId(vault), &send).await,
        }
    }
}

async fn invest(at: &At<'_>, vault: PoolId, pool: PoolId, amount: Planck, send: &SendArguments) -> Outcome {
    let own = owned(at, vault, send).await?;
    At { kind: PoolKind::StakePool, ..*at }.find(pool).await?;
    let left = own.record.free.0.saturating_sub(own.owed().0);
    if amount.0 > left {
        return Err(Failure::new(
            format!("vault {} has {} free, beside what its delegators asked back", vault.0, Planck(left)),
            "invest less, or wait for contributions",
        ));
    }
    let plan = Plan::new(
        Call::Pools(Pools::VaultContribute { vault, pool, amount: amount.0 }),
        format!("give {amount} of vault {} to stake pool {}", vault.0, pool.0),
        json!({ "vault": vault.0, "pool": pool.0, "amount_planck": amount.0.to_string() }),
    )
    .change("the vault has shares of the stake pool for it");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

async fn divest(at: &At<'_>, vault: PoolId, pool: PoolId, amount: AmountOrAll, send: &SendArguments) -> Outcome {
    owned(at, vault, send).await?;
    let (shares, worth) = vault_shares(at, pool, vault, amount).await?;
    let plan = Plan::new(
        Call::Pools(Pools::VaultWithdraw { vault, pool, shares: shares.0 }),
        format!("ask stake pool {} for {worth} of vault {}", pool.0, vault.0),
        json!({ "vault": vault.0, "pool": pool.0, "shares": shares.0.to_string(), "worth_planck": worth.0.to_string() }),
    )
    .change("it is the vault's again in 14 days at most");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

async fn cancel(at: &At<'_>, vault: PoolId, pool: PoolId, request: u64, send: &SendArguments) -> Outcome {
    owned(at, vault, send).await?;
    let shares = waiting(at.client, pool, request).await?;
    let plan = Plan::new(
        Call::Pools(Pools::VaultCancel { vault, pool, request, shares: shares.0 }),
        format!("take back request {request} of vault {} to stake pool {}", vault.0, pool.0),
        json!({ "vault": vault.0, "pool": pool.0, "request": request, "shares": shares.0.to_string() }),
    )
    .change("its shares stay where they are");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

async fn waiting(client: &Client, pool: PoolId, request: u64) -> Outcome<Shares> {
    let place = match client.pool(pool).await? {
        Some(state) => client.requests(&state).await?.into_iter().find(|place| place.id.0 == request),
        None => None,
    };
    place.map(|place| place.request.shares).ok_or_else(|| {
        Failure::new(
            format!("no request {request} waits in stake pool {}", pool.0),
            format!("it may have been paid; `phala pool show {}` shows those that wait", pool.0),
        )
    })
}

async fn settle(at: &At<'_>, vault: PoolId, send: &SendArguments) -> Outcome {
    at.find(vault).await?;
    let plan = Plan::new(
        Call::Pools(Pools::SettleVault { vault }),
        format!("value {} {} anew", name(PoolKind::Vault), vault.0),
        json!({ "vault": vault.0 }),
    )
    .change("its shares have the worth of what it has now, less its owner's commission on what they gained");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}
