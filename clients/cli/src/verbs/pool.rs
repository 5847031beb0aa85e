//! `phala pool` and `phala vault`: give stake, take it back, and run a pool.
//!
//! Stake pools and vaults keep one and the same ledger, so most verbs are the same for both; what only a vault does is in
//! [`vault`](super::vault).

mod delegate;
mod own;
mod show;

pub use delegate::vault_shares;
pub use own::owned;

use crate::{
    Context,
    arguments::{AmountOrAll, amount, amount_or_all, rate},
    failure::{Failure, Outcome},
    transact::SendArguments,
};
use phala_economics::{PoolKind, Ppm};
use phala_messages::PoolId;
use phala_sdk::{Client, PoolState};
use phala_units::Planck;

/// Share stake and reward: stake pools, whose owners run workers with it
#[derive(clap::Args)]
pub struct Pool {
    #[command(subcommand)]
    action: Option<PoolAction>,
}

/// What is done with a stake pool as with a vault.
#[derive(clap::Subcommand)]
pub enum PoolAction {
    /// List all of them (this is what happens without a word)
    List,
    /// Show one: what it has, who waits, what its owner takes. For example: phala pool show 0
    Show {
        /// Its number
        pool: u64,
    },
    /// Show what an account has of pools and vaults, and what that is worth. For example: phala pool positions //Bob
    Positions {
        /// Whose: a name, a key file, an address, or //Bob [default: who would sign]
        account: Option<String>,
    },
    /// Make one of your own. For example: phala pool create --commission 5%
    Create {
        /// What you take of what it earns
        #[arg(long, value_name = "RATE", value_parser = rate)]
        commission: Ppm,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Give it PHA, for shares of it. For example: phala pool contribute 0 100PHA
    Contribute {
        /// Its number
        pool: u64,
        /// How much: 12.5PHA
        #[arg(value_parser = amount)]
        amount: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Ask for PHA back; what is not free now waits in its queue. For example: phala pool withdraw 0 50PHA
    Withdraw {
        /// Its number
        pool: u64,
        /// How much, at the price of now: 12.5PHA, or all
        #[arg(value_parser = amount_or_all)]
        amount: AmountOrAll,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take a request for PHA back, whole or in part. For example: phala pool cancel 0 7
    Cancel {
        /// Its number
        pool: u64,
        /// The request: its number in `phala pool positions`
        request: u64,
        /// So much of it only, at the price of now [default: all]
        #[arg(value_parser = amount_or_all, default_value = "all", hide_default_value = true)]
        amount: AmountOrAll,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Give shares to another account. For example: phala pool transfer-shares 0 //Charlie 10PHA
    TransferShares {
        /// Its number
        pool: u64,
        /// To whom: a name, a key file, an address, or //Charlie
        to: String,
        /// Shares worth so much now: 12.5PHA, or all
        #[arg(value_parser = amount_or_all)]
        amount: AmountOrAll,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Change what you take; a rise counts a week later. For example: phala pool set-commission 0 4%
    SetCommission {
        /// Your pool's number
        pool: u64,
        /// The rate
        #[arg(value_parser = rate)]
        rate: Ppm,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Let it take in so much at most. For example: phala pool set-cap 0 100000PHA
    SetCap {
        /// Your pool's number
        pool: u64,
        /// How much, or `none` for as much as comes
        cap: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Say something of it; an empty text takes that away. For example: phala pool describe 0 "in Lisbon, by Ada"
    Describe {
        /// Your pool's number
        pool: u64,
        /// What
        text: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Let in only accounts on a list, by adding them, or look who is on it. For example: phala pool whitelist 0 add //Bob
    Whitelist {
        /// Your pool's number
        pool: u64,
        #[command(subcommand)]
        action: ListAction,
    },
    /// Close it for good: it takes nothing any more, everybody can leave. For example: phala pool close 0
    Close {
        /// Your pool's number
        pool: u64,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Remove a closed one that everybody has left. For example: phala pool remove 0
    Remove {
        /// Your pool's number
        pool: u64,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// What is done with a pool's list.
#[derive(clap::Subcommand)]
pub enum ListAction {
    /// Put an account on it. For example: phala pool whitelist 0 add //Bob --note "a friend"
    Add {
        /// Whom
        #[arg(value_name = "ACCOUNT")]
        who: String,
        /// What you note beside it
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Take an account off it; an empty list lets everybody in. For example: phala pool whitelist 0 remove //Bob
    Remove {
        /// Whom
        #[arg(value_name = "ACCOUNT")]
        who: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Whether an account is on it. For example: phala pool whitelist 0 show //Bob
    Show {
        /// Whom
        #[arg(value_name = "ACCOUNT")]
        who: String,
    },
}

impl Pool {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        run(context, PoolKind::StakePool, self.action.unwrap_or(PoolAction::List)).await
    }
}

/// Does with a pool of this kind what is asked.
pub async fn run(context: &Context, kind: PoolKind, action: PoolAction) -> Outcome {
    let client = context.connect().await?;
    client.head().await?;
    let at = At { context, client: &client, kind };
    match action {
        PoolAction::List => show::list(&at).await,
        PoolAction::Show { pool } => show::show(&at, PoolId(pool)).await,
        PoolAction::Positions { account } => show::positions(&at, account.as_deref()).await,
        PoolAction::Create { commission, send } => own::create(&at, commission, &send).await,
        PoolAction::Contribute { pool, amount, send } => delegate::contribute(&at, PoolId(pool), amount, &send).await,
        PoolAction::Withdraw { pool, amount, send } => delegate::withdraw(&at, PoolId(pool), amount, &send).await,
        PoolAction::Cancel { pool, request, amount, send } => {
            delegate::cancel(&at, PoolId(pool), request, amount, &send).await
        }
        PoolAction::TransferShares { pool, to, amount, send } => {
            delegate::transfer(&at, PoolId(pool), &to, amount, &send).await
        }
        PoolAction::SetCommission { pool, rate, send } => own::set_commission(&at, PoolId(pool), rate, &send).await,
        PoolAction::SetCap { pool, cap, send } => own::set_cap(&at, PoolId(pool), &cap, &send).await,
        PoolAction::Describe { pool, text, send } => own::describe(&at, PoolId(pool), &text, &send).await,
        PoolAction::Whitelist { pool, action } => own::whitelist(&at, PoolId(pool), action).await,
        PoolAction::Close { pool, send } => own::close(&at, PoolId(pool), &send).await,
        PoolAction::Remove { pool, send } => own::remove(&at, PoolId(pool), &send).await,
    }
}

/// Where a verb is at work.
pub struct At<'a> {
    /// How it answers.
    pub context: &'a Context,
    /// The chain.
    pub client: &'a Client,
    /// Stake pools or vaults.
    pub kind: PoolKind,
}

impl At<'_> {
    /// The word on the command line.
    pub const fn word(&self) -> &'static str {
        word(self.kind)
    }

    /// The pool of this number, which must be of this kind.
    pub async fn find(&self, pool: PoolId) -> Outcome<PoolState> {
        let found = self.client.pool(pool).await?;
        let Some(found) = found else {
            let hint = format!("`phala {} list` lists them", self.word());
            return Err(Failure::new(format!("there is no {} {}", self.word(), pool.0), hint));
        };
        if found.record.kind == self.kind {
            return Ok(found);
        }
        let other = word(found.record.kind);
        Err(Failure::new(
            format!("{} is a {}", pool.0, name(found.record.kind)),
            format!("say `phala {other}` instead of `phala {}`", self.word()),
        ))
    }
}

/// The verb for a kind of pool.
pub const fn word(kind: PoolKind) -> &'static str {
    match kind {
        PoolKind::StakePool => "pool",
        PoolKind::Vault => "vault",
    }
}

/// What people call a kind of pool.
pub const fn name(kind: PoolKind) -> &'static str {
    match kind {
        PoolKind::StakePool => "stake pool",
        PoolKind::Vault => "vault",
    }
}

/// How long a request may have to wait at most, in words.
pub const fn longest_wait(kind: PoolKind) -> &'static str {
    match kind {
        // A week until workers are stopped for it, a week until their stake has cooled down; through a vault a week more.
        PoolKind::StakePool => "14 days",
        PoolKind::Vault => "21 days",
    }
}
