//! What an owner does: make a pool, set its terms, decide who may come, close it.

use super::{At, ListAction, name, word};
use crate::{
    arguments::{amount, percent},
    failure::{Failure, Outcome},
    output, signer,
    transact::{Plan, SendArguments, merged, tell},
};
use phala_economics::{PoolKind, Ppm};
use phala_messages::{PoolId, calls::Call, pools::Pools};
use phala_sdk::{PoolState, address};
use serde_json::json;

/// The pool, which must be the actor's own.
pub async fn owned(at: &At<'_>, id: PoolId, send: &SendArguments) -> Outcome<PoolState> {
    let (pool, actor) = (at.find(id).await?, send.actor(at.client)?);
    if pool.record.owner == actor {
        return Ok(pool);
    }
    let (name, owner) = (name(at.kind), address(&pool.record.owner));
    Err(Failure::new(
        format!("{name} {} is {owner}'s, not {}'s", id.0, address(&actor)),
        "sign with its owner's account: --account NAME; or as its proxy: --proxy-for NAME",
    ))
}

pub(super) async fn create(at: &At<'_>, commission: Ppm, send: &SendArguments) -> Outcome {
    let owner = send.actor(at.client)?;
    let commission_ppm = commission.parts();
    let call = match at.kind {
        PoolKind::StakePool => Pools::CreateStakePool { commission_ppm },
        PoolKind::Vault => Pools::CreateVault { commission_ppm },
    };
    let takes = match at.kind {
        PoolKind::StakePool => "of each reward, at once",
        PoolKind::Vault => "of what its shares gain above their highest price so far, in shares",
    };
    let json = json!({ "owner": address(&owner), "commission_ppm": commission_ppm });
    let plan =
        Plan::new(Call::Pools(call), format!("make a {} with {} commission", name(at.kind), percent(commission)), json)
            .change("0.01 PHA of yours keep its account alive; they return when it is removed")
            .change(format!("you take {} {takes}", percent(commission)));
    let Some(applied) = send.carry_out(at.context, at.client, &plan).await? else { return Ok(()) };
    let pool = at.client.made_pool(&applied, &owner).await?;
    let json = merged(plan.json, json!({ "pool": pool.map(|pool| pool.0) }));
    let line = match pool {
        Some(pool) => format!(
            "made {} {} with {} commission; `phala {} contribute {} AMOUNT` gives it PHA",
            name(at.kind),
            pool.0,
            percent(commission),
            word(at.kind),
            pool.0
        ),
        None => format!("made a {}; `phala {} list` shows it", name(at.kind), at.word()),
    };
    tell(at.context, &applied, json, &line);
    Ok(())
}

pub(super) async fn set_commission(at: &At<'_>, id: PoolId, rate: Ppm, send: &SendArguments) -> Outcome {
    let pool = owned(at, id, send).await?;
    let now = pool.block.number;
    let when = if rate > pool.record.commission.rate_at(now) { "a week from now" } else { "at once" };
    let plan = Plan::new(
        Call::Pools(Pools::SetCommission { pool: id, rate_ppm: rate.parts() }),
        format!("set the commission of {} {} to {}", name(at.kind), id.0, percent(rate)),
        json!({ "pool": id.0, "commission_ppm": rate.parts() }),
    )
    .change(format!("it counts {when}, for what is earned from then on"));
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

pub(super) async fn set_cap(at: &At<'_>, id: PoolId, cap: &str, send: &SendArguments) -> Outcome {
    owned(at, id, send).await?;
    let cap = match cap {
        "none" => None,
        text => Some(amount(text).map_err(|error| Failure::usage(error, "or say `none` for as much as comes"))?),
    };
    let told = cap.map_or_else(|| "as much as comes".into(), |cap| format!("{cap} at most"));
    let plan = Plan::new(
        Call::Pools(Pools::SetCap { pool: id, cap: cap.map(|cap| cap.0) }),
        format!("let {} {} take in {told}", name(at.kind), id.0),
        json!({ "pool": id.0, "cap_planck": cap.map(|cap| cap.0.to_string()) }),
    )
    .change("what it has beyond that stays");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

pub(super) async fn describe(at: &At<'_>, id: PoolId, text: &str, send: &SendArguments) -> Outcome {
    owned(at, id, send).await?;
    let plan = Plan::new(
        Call::Pools(Pools::SetDescription { pool: id, description: text.as_bytes().to_vec() }),
        format!("describe {} {}", name(at.kind), id.0),
        json!({ "pool": id.0, "description": text }),
    )
    .change("everyone reads it, on chain");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

pub(super) async fn whitelist(at: &At<'_>, id: PoolId, action: ListAction) -> Outcome {
    match action {
        ListAction::Add { who, note, send } => {
            owned(at, id, &send).await?;
            let account = signer::account_of(&who)?;
            let plan = Plan::new(
                Call::Pools(Pools::AddToList { pool: id, account, note: note.as_bytes().to_vec() }),
                format!("put {} on the list of {} {}", address(&account), name(at.kind), id.0),
                json!({ "pool": id.0, "account": address(&account), "note": note }),
            )
            .change("only you and those on the list may contribute; who has shares keeps them");
            send.carry_out_and_tell(at.context, at.client, &plan).await
        }
        ListAction::Remove { who, send } => {
            owned(at, id, &send).await?;
            let account = signer::account_of(&who)?;
            let plan = Plan::new(
                Call::Pools(Pools::RemoveFromList { pool: id, account }),
                format!("take {} off the list of {} {}", address(&account), name(at.kind), id.0),
                json!({ "pool": id.0, "account": address(&account) }),
            )
            .change("it keeps what shares it has; an empty list lets everybody in");
            send.carry_out_and_tell(at.context, at.client, &plan).await
        }
        ListAction::Show { who } => {
            let pool = at.find(id).await?;
            let account = signer::account_of(&who)?;
            let note = at.client.listed(id, &account).await?;
            let welcome = pool.record.listed == 0 || note.is_some() || pool.record.owner == account;
            if at.context.json {
                output::object(&json!({
                    "pool": id.0,
                    "account": address(&account),
                    "listed": note.is_some(),
                    "note": note,
                    "may_contribute": welcome && pool.record.open,
                }));
                return Ok(());
            }
            output::line(match (&note, welcome) {
                (Some(note), _) if note.is_empty() => "on the list".into(),
                (Some(note), _) => format!("on the list: {note}"),
                (None, true) => "not on the list, and need not be".into(),
                (None, false) => "not on the list; its owner may add it".into(),
            });
            Ok(())
        }
    }
}

pub(super) async fn close(at: &At<'_>, id: PoolId, send: &SendArguments) -> Outcome {
    owned(at, id, send).await?;
    let plan = Plan::new(
        Call::Pools(Pools::Close { pool: id }),
        format!("close {} {} for good", name(at.kind), id.0),
        json!({ "pool": id.0 }),
    )
    .change("it takes no contribution and starts no work; who has shares withdraws them as before");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

pub(super) async fn remove(at: &At<'_>, id: PoolId, send: &SendArguments) -> Outcome {
    owned(at, id, send).await?;
    let plan = Plan::new(
        Call::Pools(Pools::Remove { pool: id }),
        format!("remove {} {}", name(at.kind), id.0),
        json!({ "pool": id.0 }),
    )
    .change("it is gone, and what its account still holds is yours");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}
