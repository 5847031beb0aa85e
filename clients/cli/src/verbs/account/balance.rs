//! What an account owns, and where it is.

use crate::{Context, failure::Outcome, output, signer::account_of};
use phala_sdk::{Balances, Client, address, hold_name, lock_name};
use phala_units::Planck;
use serde_json::{Value, json};

pub(super) async fn show(context: &Context, text: &str) -> Outcome {
    let account = account_of(text)?;
    let client = context.connect().await?;
    client.head().await?;
    let balances = client.balances(&account).await?;
    let pools = in_pools(&client, &account).await?;
    if context.json {
        let mut object = to_json(&balances);
        object["address"] = address(&account).into();
        object["in_pools_planck"] = pools.0.to_string().into();
        output::object(&object);
        return Ok(());
    }
    let state = balances.state;
    let mut rows = vec![
        ("free", state.free.to_string()),
        ("of that to spend", balances.spendable().to_string()),
        ("held", state.reserved.to_string()),
    ];
    rows.extend(balances.holds.iter().map(|hold| ("  for", format!("{}: {}", hold_name(hold), Planck(hold.amount)))));
    rows.push(("frozen", format!("{}, of what is free and held", state.frozen)));
    rows.extend(balances.locks.iter().map(|lock| ("  for", format!("{}: {}", lock_name(lock), Planck(lock.amount)))));
    if let Some(end) = balances.vesting.iter().map(|schedule| schedule.end()).max() {
        let (unvested, due) = (balances.unvested(), balances.to_vest());
        rows.push(("not vested yet", format!("{unvested}, all of it in block {end}")));
        rows.push(("vested, not freed", format!("{due}; `phala account vest` frees it")));
    }
    rows.push(("in pools", format!("{pools}; `phala pool positions` shows where")));
    rows.push(("at", format!("block {}", balances.block.number.0)));
    output::fields(&rows);
    Ok(())
}

/// The worth of all its shares.
async fn in_pools(client: &Client, account: &phala_messages::Account) -> Outcome<Planck> {
    let positions = client.positions(account).await?;
    let worth = positions.iter().map(|position| position.pool.worth(position.holding.shares()).0);
    Ok(Planck(worth.fold(0, u128::saturating_add)))
}

fn to_json(balances: &Balances) -> Value {
    // A JSON number would lose digits.
    json!({
        "free_planck": balances.state.free.0.to_string(),
        "spendable_planck": balances.spendable().0.to_string(),
        "held_planck": balances.state.reserved.0.to_string(),
        "holds": balances.holds.iter().map(|hold| json!({
            "for": hold_name(hold),
            "amount_planck": hold.amount.to_string(),
        })).collect::<Vec<_>>(),
        "frozen_planck": balances.state.frozen.0.to_string(),
        "locks": balances.locks.iter().map(|lock| json!({
            "for": lock_name(lock),
            "amount_planck": lock.amount.to_string(),
        })).collect::<Vec<_>>(),
        "unvested_planck": balances.unvested().0.to_string(),
        "vested_locked_planck": balances.to_vest().0.to_string(),
        "vested_at_height": balances.vesting.iter().map(|schedule| schedule.end()).max(),
        "nonce": balances.state.nonce,
        "height": balances.block.number.0,
    })
}
