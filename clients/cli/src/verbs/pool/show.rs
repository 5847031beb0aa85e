//! Reading pools: all of them, one, and what somebody has of them.

use super::{At, longest_wait, name};
use crate::{arguments::percent, failure::Outcome, output, signer};
use phala_economics::{PoolKind, Shares};
use phala_messages::PoolId;
use phala_sdk::{PoolState, Position, Yearly, address, pool_account};
use phala_units::{BlockNumber, PHA, Planck};
use serde_json::{Value, json};

/// Shares as people read them: as many as PHA at a price of one.
pub fn shares_text(shares: Shares) -> String {
    format!("{} shares", Planck(shares.0).to_string().trim_end_matches(" PHA"))
}

/// The worth of one whole share, for people and programs.
fn price(pool: &PoolState) -> String {
    // A pool without shares sells the first ones at one Planck each.
    pool.record.ledger.price().map_or_else(
        || "1".into(),
        |_| {
            let worth = pool.worth(Shares(PHA)).0;
            Planck(if pool.record.ledger.shares().0 >= PHA { worth } else { 0 })
                .to_string()
                .trim_end_matches(" PHA")
                .into()
        },
    )
}

/// A pool for programs.
pub fn to_json(pool: &PoolState) -> Value {
    let PoolState { id, record, .. } = pool;
    let now = pool.block.number;
    json!({
        "pool": id.0,
        "kind": pool.kind(),
        "owner": address(&record.owner),
        "account": address(&pool_account(*id)),
        "description": pool.description,
        "open": record.open,
        "commission_ppm": record.commission.rate_at(now).parts(),
        "commission_rise": record.commission.announced_at(now).map(|rise| json!({
            "commission_ppm": rise.rate.parts(),
            "from_height": rise.from.0,
        })),
        "value_planck": record.ledger.value().0.to_string(),
        "shares": record.ledger.shares().0.to_string(),
        "free_planck": record.free.0.to_string(),
        "at_work_planck": record.at_work.0.to_string(),
        "returning_planck": pool.work.returning.0.to_string(),
        "cap_planck": record.cap.map(|cap| cap.0.to_string()),
        "room_planck": pool.room().map(|room| room.0.to_string()),
        "whitelisted": record.listed,
        "queued_shares": record.queue.shares.0.to_string(),
        "queued_planck": pool.owed().0.to_string(),
        "height": now.0,
    })
}

/// An estimated yield for people: a hundredth of a percent is as exact as it is.
fn yearly_text(yearly: Yearly) -> String {
    let hundredths = yearly.0 / 100;
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn with_yearly(mut pool: Value, yearly: Yearly) -> Value {
    pool["yearly_ppm_estimated"] = yearly.0.into();
    pool
}

pub(super) async fn list(at: &At<'_>) -> Outcome {
    let pools: Vec<_> = at.client.pools().await?.into_iter().filter(|pool| pool.record.kind == at.kind).collect();
    let yearly = at.client.yearly(&pools).await?;
    if at.context.json {
        let all = pools.iter().zip(&yearly).map(|(pool, yearly)| with_yearly(to_json(pool), *yearly));
        output::object(&json!({ "pools": all.collect::<Vec<_>>() }));
        return Ok(());
    }
    if pools.is_empty() {
        output::line(format!("no {} yet; `phala {} create` makes one", name(at.kind), at.word()));
        return Ok(());
    }
    let rows = pools.iter().zip(yearly).map(|(pool, yearly)| {
        let record = &pool.record;
        let state = match (record.open, record.listed, record.ledger.is_bankrupt()) {
            (_, _, true) => "bankrupt",
            (false, ..) => "closed",
            (true, 0, _) => "open",
            (true, ..) => "by list",
        };
        [
            pool.id.0.to_string(),
            state.into(),
            percent(record.commission.rate_at(pool.block.number)),
            yearly_text(yearly),
            record.ledger.value().to_string(),
            record.free.to_string(),
            pool.owed().to_string(),
            pool.description.lines().next().unwrap_or_default().chars().take(40).collect(),
        ]
    });
    output::line(output::table(["NO", "STATE", "COMMISSION", "A YEAR", "VALUE", "FREE", "ASKED BACK", "SAYS"], rows));
    Ok(())
}

pub(super) async fn show(at: &At<'_>, id: PoolId) -> Outcome {
    let pool = at.find(id).await?;
    let queue = at.client.requests(&pool).await?;
    let yearly = at.client.yearly(std::slice::from_ref(&pool)).await?.pop().unwrap_or_default();
    let workers = match at.kind {
        PoolKind::StakePool => at.client.pool_workers(id).await?,
        PoolKind::Vault => Vec::new(),
    };
    let invested = match at.kind {
        PoolKind::Vault => at.client.positions(&pool_account(id)).await?,
        PoolKind::StakePool => Vec::new(),
    };
    if at.context.json {
        let mut object = with_yearly(to_json(&pool), yearly);
        object["queue"] = queue
            .iter()
            .map(|place| {
                json!({
                    "request": place.id.0,
                    "holder": address(&place.request.holder),
                    "vault": place.request.vault.map(|vault| vault.0),
                    "shares": place.request.shares.0.to_string(),
                    "worth_planck": pool.worth(place.request.shares).0.to_string(),
                    "since_height": place.request.since.0,
                })
            })
            .collect();
        object["workers"] = workers
            .iter()
            .map(|bound| json!({ "worker": bound.worker, "stake_planck": bound.stake.to_string() }))
            .collect();
        object["positions"] = invested.iter().map(position_json).collect();
        output::object(&object);
        return Ok(());
    }
    let mut rows = rows(&pool, at.kind);
    rows.push(("earns", format!("about {} a year, after commission, at the pace of now", yearly_text(yearly))));
    output::fields(&rows);
    for bound in &workers {
        let stake = Planck(bound.stake);
        output::line(format!("  {}  {stake} at work", bound.worker));
    }
    for position in &invested {
        output::line(format!("  in stake pool {}: {}", position.pool.id.0, worth_of(position)));
    }
    for place in &queue {
        output::line(format!(
            "  request {}: {} for {}, since block {}",
            place.id.0,
            address(&place.request.holder),
            pool.worth(place.request.shares),
            place.request.since.0
        ));
    }
    Ok(())
}

fn rows(pool: &PoolState, kind: PoolKind) -> Vec<(&'static str, String)> {
    let (record, now) = (&pool.record, pool.block.number);
    let mut rows = vec![
        (name(kind), format!("{}{}", pool.id.0, if record.open { "" } else { " (closed)" })),
        ("owner", address(&record.owner)),
        ("account", address(&pool_account(pool.id))),
        ("commission", commission(pool, now)),
        ("value", record.ledger.value().to_string()),
        ("of that free", record.free.to_string()),
    ];
    if kind == PoolKind::StakePool {
        rows.push(("at work", record.at_work.to_string()));
        rows.push(("cools down", pool.work.returning.to_string()));
    }
    rows.push(("shares", format!("{}, each worth {} PHA", shares_text(record.ledger.shares()), price(pool))));
    rows.push(("asked back", format!("{}; who asks now waits {} at most", pool.owed(), longest_wait(kind))));
    rows.push((
        "takes in",
        match pool.room() {
            _ if !record.open => "nothing any more".into(),
            None => "as much as comes".into(),
            Some(room) => format!("{room} more"),
        },
    ));
    if record.listed > 0 {
        rows.push(("from", format!("its owner, and the {} accounts on its list", record.listed)));
    }
    if record.ledger.is_bankrupt() {
        rows.push(("bankrupt", "it lost everything; it begins anew when all shares are withdrawn".into()));
    }
    if !pool.description.is_empty() {
        rows.push(("says", pool.description.clone()));
    }
    rows.push(("at", format!("block {}", now.0)));
    rows
}

fn commission(pool: &PoolState, now: BlockNumber) -> String {
    let commission = pool.record.commission;
    let rate = percent(commission.rate_at(now));
    match commission.announced_at(now) {
        Some(rise) => format!("{rate}, from block {} on {}", rise.from.0, percent(rise.rate)),
        None => rate,
    }
}

fn worth_of(position: &Position) -> String {
    let (pool, holding) = (&position.pool, position.holding);
    format!("{}, worth {}", shares_text(holding.shares()), pool.worth(holding.shares()))
}

fn position_json(position: &Position) -> Value {
    let (pool, holding) = (&position.pool, position.holding);
    json!({
        "pool": pool.id.0,
        "kind": pool.kind(),
        "shares": holding.shares().0.to_string(),
        "queued_shares": holding.queued.0.to_string(),
        "worth_planck": pool.worth(holding.shares()).0.to_string(),
        "queued_planck": pool.worth(holding.queued).0.to_string(),
        "requests": position.requests.iter().map(|place| json!({
            "request": place.id.0,
            "shares": place.request.shares.0.to_string(),
            "worth_planck": pool.worth(place.request.shares).0.to_string(),
            "ahead_planck": pool.worth(place.ahead).0.to_string(),
            "since_height": place.request.since.0,
        })).collect::<Vec<_>>(),
    })
}

pub(super) async fn positions(at: &At<'_>, account: Option<&str>) -> Outcome {
    let account = match account {
        Some(account) => signer::account_of(account)?,
        None => signer::SignerArguments::from_environment().account_only(at.client.network())?,
    };
    let positions = at.client.positions(&account).await?;
    let total = positions.iter().map(|position| position.pool.worth(position.holding.shares()).0);
    let total = Planck(total.fold(0, u128::saturating_add));
    if at.context.json {
        output::object(&json!({
            "account": address(&account),
            "positions": positions.iter().map(position_json).collect::<Vec<_>>(),
            "worth_planck": total.0.to_string(),
        }));
        return Ok(());
    }
    if positions.is_empty() {
        output::line(format!("{} has no shares; `phala pool contribute` gives some", address(&account)));
        return Ok(());
    }
    let rows = positions.iter().map(|position| {
        let (pool, holding) = (&position.pool, position.holding);
        [
            format!("{} {}", name(pool.record.kind), pool.id.0),
            shares_text(holding.shares()),
            pool.worth(holding.shares()).to_string(),
            pool.worth(holding.queued).to_string(),
        ]
    });
    output::line(output::table(["OF", "SHARES", "WORTH", "ASKED BACK"], rows));
    for (pool, place) in
        positions.iter().flat_map(|position| position.requests.iter().map(|place| (&position.pool, place)))
    {
        output::line(format!(
            "request {} of {} {}: {} since block {}, {} before it; it waits {} at most in all",
            place.id.0,
            name(pool.record.kind),
            pool.id.0,
            pool.worth(place.request.shares),
            place.request.since.0,
            pool.worth(place.ahead),
            longest_wait(pool.record.kind)
        ));
    }
    output::line(format!("worth {total} in all"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_like_pha_and_not_called_so() {
        assert_eq!(shares_text(Shares(12_500_000_000_000)), "12.5 shares");
        assert_eq!(shares_text(Shares(0)), "0 shares");
    }
}
