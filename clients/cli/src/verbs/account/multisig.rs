//! Accounts that several people share.

use crate::{
    Context,
    arguments::{CallBytes, call},
    failure::{Failure, Outcome},
    output,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_messages::{
    Account, Hash,
    calls::Call,
    holders::{Multisig, Timepoint},
};
use phala_sdk::{Client, MULTISIG_SIGNERS_MAX, address, call_hash, multisig_account};
use phala_units::Planck;
use serde_json::json;

/// What is done with a shared account.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Show the account that people share. For example: phala account multisig address --threshold 2 //Alice //Bob //Charlie
    Address {
        /// How many must agree
        #[arg(long, value_name = "N")]
        threshold: u16,
        /// All who share it
        #[arg(required = true)]
        signers: Vec<String>,
    },
    /// Make a call of a shared account, or agree to one: the last to agree makes it happen. For example: phala account multisig send --threshold 2 --with //Bob --with //Charlie 0x0503…
    Send {
        #[command(flatten)]
        shared: Shared,
        /// The call, as --dry-run shows it, or a file with it: @FILE
        #[arg(value_parser = call)]
        call: CallBytes,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Show who agreed to a call that waits. For example: phala account multisig show --threshold 2 --with //Bob --with //Charlie 0x…
    Show {
        #[command(flatten)]
        shared: Shared,
        /// The call's hash, as --dry-run shows it
        call_hash: Hash,
        #[command(flatten)]
        signer: crate::signer::SignerArguments,
    },
    /// Give a call up that you were the first to make, and have the deposit back. For example: phala account multisig cancel --threshold 2 --with //Bob 0x…
    Cancel {
        #[command(flatten)]
        shared: Shared,
        /// The call's hash, as --dry-run shows it
        call_hash: Hash,
        #[command(flatten)]
        send: SendArguments,
    },
}

/// Who shares an account with the signer.
#[derive(clap::Args)]
pub struct Shared {
    /// How many must agree
    #[arg(long, value_name = "N")]
    threshold: u16,
    /// Another one who shares the account; repeat it for each
    #[arg(long = "with", value_name = "ACCOUNT", required = true)]
    others: Vec<String>,
}

impl Shared {
    /// The others in order, and the account.
    fn resolve(&self, actor: &Account) -> Outcome<(Vec<Account>, Account)> {
        let mut others = self.others.iter().map(|text| account_of(text)).collect::<Outcome<Vec<_>>>()?;
        others.sort();
        let all = [others.as_slice(), &[*actor]].concat();
        let shared = shared_account(&all, self.threshold)?;
        Ok((others, shared))
    }
}

/// The account of these people, if they can share one.
fn shared_account(signers: &[Account], threshold: u16) -> Outcome<Account> {
    let mut once = signers.to_vec();
    once.sort();
    once.dedup();
    if once.len() != signers.len() {
        return Err(Failure::usage("somebody is named twice", "name each of the others once, and not who signs"));
    }
    if signers.len() > MULTISIG_SIGNERS_MAX || threshold < 2 || usize::from(threshold) > signers.len() {
        let hint = format!("2 at least, and no more than there are signers: {} at most", MULTISIG_SIGNERS_MAX);
        return Err(Failure::usage(format!("{threshold} of {} cannot share an account", signers.len()), hint));
    }
    Ok(multisig_account(signers, threshold))
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Address { threshold, signers } => {
                let signers = signers.iter().map(|text| account_of(text)).collect::<Outcome<Vec<_>>>()?;
                let shared = shared_account(&signers, threshold)?;
                if context.json {
                    let signers: Vec<_> = signers.iter().map(address).collect();
                    let account = address(&shared);
                    output::object(&json!({ "address": account, "threshold": threshold, "signers": signers }));
                } else {
                    output::line(address(&shared));
                }
                Ok(())
            }
            Self::Send { shared, call, send } => make(context, &shared, call.0, &send).await,
            Self::Show { shared, call_hash, signer } => {
                let client = context.connect().await?;
                client.head().await?;
                let actor = signer.account_only(client.network())?;
                let (_, account) = shared.resolve(&actor)?;
                show(context, &client, &account, &call_hash, shared.threshold).await
            }
            Self::Cancel { shared, call_hash, send } => {
                let client = context.connect().await?;
                let actor = send.actor(&client)?;
                let (others, account) = shared.resolve(&actor)?;
                let first = waiting(&client, &account, &call_hash).await?;
                let call = Multisig::Cancel { threshold: shared.threshold, others, first, call_hash };
                let json = json!({ "account": address(&account), "call_hash": call_hash });
                let plan = Plan::new(Call::Multisig(call), format!("give the call {call_hash} up"), json)
                    .change("the deposit for it is yours again");
                send.carry_out_and_tell(context, &client, &plan).await
            }
        }
    }
}

async fn waiting(client: &Client, account: &Account, hash: &Hash) -> Outcome<Timepoint> {
    let found = client.multisig_call(account, hash).await?;
    found.map(|found| Timepoint { height: found.height, index: found.index }).ok_or_else(|| {
        Failure::new(
            format!("no call {hash} of {} waits", address(account)),
            "it may have happened already; check threshold, signers and hash",
        )
    })
}

async fn make(context: &Context, shared: &Shared, call: Vec<u8>, send: &SendArguments) -> Outcome {
    let client = context.connect().await?;
    client.head().await?;
    let actor = send.actor(&client)?;
    let (others, account) = shared.resolve(&actor)?;
    let call = Call::Encoded(call);
    let hash = call_hash(&call);
    let found = client.multisig_call(&account, &hash).await?;
    let agreed = found.as_ref().map_or(0, |found| found.approvals.len());
    let last = agreed + 1 >= usize::from(shared.threshold);
    // The node's word on the weight: too little is refused, too much costs nothing.
    let estimate = client.estimate(&account, &call).await?;
    let plan = Plan::new(
        Call::Multisig(Multisig::AsMulti {
            threshold: shared.threshold,
            others,
            first: found.as_ref().map(|found| Timepoint { height: found.height, index: found.index }),
            call: Box::new(call),
            ref_time: estimate.ref_time,
            proof_size: estimate.proof_size,
        }),
        format!("agree to the call {hash} of {}", address(&account)),
        json!({
            "account": address(&account),
            "call_hash": hash,
            "threshold": shared.threshold,
            "agreed": agreed + 1,
            "happens": last,
        }),
    )
    .change(match last {
        true => "it happens: as many as must have agreed".into(),
        false => format!("{} of {} have agreed, it waits for the others", agreed + 1, shared.threshold),
    });
    send.carry_out_and_tell(context, &client, &plan).await
}

async fn show(context: &Context, client: &Client, account: &Account, hash: &Hash, threshold: u16) -> Outcome {
    let found = client.multisig_call(account, hash).await?;
    let Some(found) = found else {
        waiting(client, account, hash).await?;
        return Ok(());
    };
    if context.json {
        output::object(&json!({
            "account": address(account),
            "call_hash": hash,
            "threshold": threshold,
            "agreed": found.approvals.iter().map(address).collect::<Vec<_>>(),
            "depositor": address(&found.depositor),
            "deposit_planck": found.deposit.to_string(),
            "height": found.height,
        }));
        return Ok(());
    }
    let mut rows = vec![
        ("account", address(account)),
        ("agreed", format!("{} of {threshold}, since block {}", found.approvals.len(), found.height)),
    ];
    rows.extend(found.approvals.iter().map(|who| ("  by", address(who))));
    rows.push(("deposit", format!("{} of {}", Planck(found.deposit), address(&found.depositor))));
    output::fields(&rows);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_share_an_account_if_two_at_least_must_agree() {
        let [a, b, c] = [1, 2, 3].map(|n| Account([n; 32]));
        assert!(shared_account(&[a, b, c], 2).is_ok());
        for (signers, threshold) in [(vec![a, b], 1), (vec![a, b], 3), (vec![a, a, b], 2), (vec![a], 1)] {
            assert!(shared_account(&signers, threshold).unwrap_err().hint().is_some());
        }
        let many: Vec<_> = (0..=100).map(|n| Account([n; 32])).collect();
        assert!(shared_account(&many[..100], 2).is_ok() && shared_account(&many, 2).is_err());
    }
}
