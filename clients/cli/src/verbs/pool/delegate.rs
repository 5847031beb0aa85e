//! What a delegator does: contribute, withdraw, change one's mind, give shares away.

use super::{At, longest_wait, name, show::shares_text};
use crate::{
    arguments::AmountOrAll,
    failure::{Failure, Outcome},
    signer,
    transact::{Plan, SendArguments, tell},
};
use phala_economics::{PoolKind, Shares};
use phala_messages::{PoolId, calls::Call, pools::Pools};
use phala_sdk::{PoolState, address};
use phala_units::Planck;
use serde_json::json;

/// Shares of `pool` that are meant, out of those that there are.
pub fn shares_of(pool: &PoolState, amount: AmountOrAll, had: Shares) -> Outcome<Shares> {
    let worth = pool.worth(had);
    match amount {
        AmountOrAll::All if had == Shares(0) => {
            Err(Failure::new("there are no shares to give", "`phala pool positions` shows what an account has"))
        }
        AmountOrAll::All => Ok(had),
        AmountOrAll::Amount(amount) if amount > worth => Err(Failure::new(
            format!("the shares are worth {worth}, less than {amount}"),
            "ask for less, or for `all`; `phala pool positions` shows what an account has",
        )),
        AmountOrAll::Amount(amount) => Ok(pool.record.ledger.shares_for(amount).min(had)),
    }
}

pub(super) async fn contribute(at: &At<'_>, id: PoolId, amount: Planck, send: &SendArguments) -> Outcome {
    let pool = at.find(id).await?;
    let mut ledger = pool.record.ledger;
    let shares = ledger.contribute(amount).map_err(|error| {
        Failure::new(error, "`phala pool list` shows what pools there are; a contribution is 0.01PHA at least")
    })?;
    let json = json!({ "pool": id.0, "amount_planck": amount.0.to_string(), "shares_estimated": shares.0.to_string() });
    let plan = Plan::new(
        Call::Pools(Pools::Contribute { pool: id, amount: amount.0 }),
        format!("contribute {amount} to {} {}", name(at.kind), id.0),
        json,
    )
    .change(format!("{amount} leave your account and are the pool's"))
    .change(format!("you have {} more, worth {}", shares_text(shares), ledger.worth(shares)))
    .change(format!("whoever withdraws waits {} at most", longest_wait(at.kind)));
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

pub(super) async fn withdraw(at: &At<'_>, id: PoolId, amount: AmountOrAll, send: &SendArguments) -> Outcome {
    let pool = at.find(id).await?;
    let actor = send.actor(at.client)?;
    let had = at.client.holding(id, &actor).await?.free;
    let shares = shares_of(&pool, amount, had)?;
    let worth = pool.worth(shares);
    let at_once = match pool.record.queue.shares {
        Shares(0) => worth.min(pool.record.free),
        _ => Planck(0),
    };
    let json = json!({
        "pool": id.0,
        "shares": shares.0.to_string(),
        "worth_planck": worth.0.to_string(),
        "at_once_planck_estimated": at_once.0.to_string(),
    });
    let plan = Plan::new(
        Call::Pools(Pools::Withdraw { pool: id, shares: shares.0 }),
        format!("withdraw {worth} from {} {}", name(at.kind), id.0),
        json,
    )
    .change(format!("you ask back {}, worth {worth} now", shares_text(shares)))
    .change(format!("{at_once} is paid at once; {} waits before you", pool.owed()))
    .change(format!(
        "the rest waits {} at most, earns as before, and is paid at the price of then",
        longest_wait(at.kind)
    ));
    let Some(applied) = send.carry_out(at.context, at.client, &plan).await? else { return Ok(()) };
    let request = at.client.made_request(&applied, id, &actor).await?;
    let mut json = plan.json;
    json["request"] = request.map(|(request, _)| request.0).into();
    let line = match request {
        Some((request, place)) => format!(
            "asked back {worth}: {} waits as request {} of {} {}, {} at most",
            pool.worth(place.shares),
            request.0,
            name(at.kind),
            id.0,
            longest_wait(at.kind)
        ),
        None => format!("withdrew {worth} from {} {}", name(at.kind), id.0),
    };
    tell(at.context, &applied, json, &line);
    Ok(())
}

pub(super) async fn cancel(
    at: &At<'_>,
    id: PoolId,
    request: u64,
    amount: AmountOrAll,
    send: &SendArguments,
) -> Outcome {
    let pool = at.find(id).await?;
    let queue = at.client.requests(&pool).await?;
    let Some(place) = queue.iter().find(|place| place.id.0 == request) else {
        return Err(Failure::new(
            format!("no request {request} waits in {} {}", name(at.kind), id.0),
            "it may have been paid; `phala pool positions` shows those that wait",
        ));
    };
    let shares = shares_of(&pool, amount, place.request.shares)?;
    let worth = pool.worth(shares);
    let plan = Plan::new(
        Call::Pools(Pools::CancelWithdrawal { pool: id, request, shares: shares.0 }),
        format!("take back {worth} of request {request} of {} {}", name(at.kind), id.0),
        json!({ "pool": id.0, "request": request, "shares": shares.0.to_string(), "worth_planck": worth.0.to_string() }),
    )
    .change("those shares are yours again; what is left of the request keeps its place");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

pub(super) async fn transfer(at: &At<'_>, id: PoolId, to: &str, amount: AmountOrAll, send: &SendArguments) -> Outcome {
    let (pool, to) = (at.find(id).await?, signer::account_of(to)?);
    let actor = send.actor(at.client)?;
    let shares = shares_of(&pool, amount, at.client.holding(id, &actor).await?.free)?;
    let worth = pool.worth(shares);
    let plan = Plan::new(
        Call::Pools(Pools::TransferShares { pool: id, to, shares: shares.0 }),
        format!("give {}, worth {worth}, of {} {} to {}", shares_text(shares), name(at.kind), id.0, address(&to)),
        json!({
            "pool": id.0,
            "to": address(&to),
            "shares": shares.0.to_string(),
            "worth_planck": worth.0.to_string(),
        }),
    )
    .change("who gets them asks the pool for their worth, not you");
    send.carry_out_and_tell(at.context, at.client, &plan).await
}

/// Shares of a pool for `amount`, for verbs of a vault.
pub async fn vault_shares(at: &At<'_>, pool: PoolId, vault: PoolId, amount: AmountOrAll) -> Outcome<(Shares, Planck)> {
    let stake_pools = At { kind: PoolKind::StakePool, ..*at };
    let pool = stake_pools.find(pool).await?;
    let had = at.client.holding(pool.id, &phala_sdk::pool_account(vault)).await?.free;
    let shares = shares_of(&pool, amount, had)?;
    Ok((shares, pool.worth(shares)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_economics::{Commission, HighWater, PoolRecord, PoolWork, Queue, SharePool};
    use phala_messages::{Account, BlockRef};
    use phala_units::PHA;

    #[test]
    fn pha_are_asked_for_and_shares_are_given() {
        // 100 shares worth 200 PHA.
        let record = PoolRecord {
            kind: PoolKind::StakePool,
            owner: Account([1; 32]),
            ledger: SharePool::new(Shares(100 * PHA), Planck(200 * PHA)).unwrap(),
            free: Planck(0),
            at_work: Planck(0),
            commission: Commission::default(),
            mark: HighWater::default(),
            cap: None,
            open: true,
            listed: 0,
            queue: Queue::default(),
        };
        let (description, work) = (String::new(), PoolWork::default());
        let pool = PoolState { id: PoolId(0), record, description, work, block: BlockRef::default() };
        let amount = |pha: u128| AmountOrAll::Amount(Planck(pha * PHA));
        let had = Shares(40 * PHA);
        assert_eq!(shares_of(&pool, amount(20), had).unwrap(), Shares(10 * PHA));
        assert_eq!(shares_of(&pool, amount(80), had).unwrap(), had);
        assert_eq!(shares_of(&pool, AmountOrAll::All, had).unwrap(), had);
        assert!(shares_of(&pool, amount(81), had).unwrap_err().hint().is_some_and(|hint| hint.contains("all")));
        assert!(shares_of(&pool, AmountOrAll::All, Shares(0)).is_err());
    }
}
