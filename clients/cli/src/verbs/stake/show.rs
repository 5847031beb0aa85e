//! Reading stakes: the validators of the session, and one account's part.

use super::payee_text;
use crate::{
    Context,
    arguments::percent,
    failure::Outcome,
    output,
    signer::{SignerArguments, account_of},
};
use phala_economics::Ppm;
use phala_messages::ledgers::{Unlocking, ValidatorPrefs};
use phala_sdk::{Client, StakeState, address};
use phala_units::Planck;
use serde_json::{Value, json};

/// A validator's commission, for people.
fn commission(prefs: &ValidatorPrefs) -> String {
    percent(Ppm::new(prefs.commission_ppb / super::PPB_PER_PPM).unwrap_or(Ppm::WHOLE))
}

pub(super) async fn validators(context: &Context, client: &Client) -> Outcome {
    let (era, validators) = client.validators().await?;
    if context.json {
        let list = validators.iter().map(|validator| {
            json!({
                "account": address(&validator.account),
                "commission_ppm": validator.prefs.map(|prefs| prefs.commission_ppb / super::PPB_PER_PPM),
                "blocked": validator.prefs.map(|prefs| prefs.blocked),
                "own_planck": validator.exposure.map(|exposure| exposure.own.to_string()),
                "total_planck": validator.exposure.map(|exposure| exposure.total.to_string()),
                "nominators": validator.exposure.map(|exposure| exposure.nominators),
                "era_points": validator.points,
            })
        });
        output::object(&json!({ "era": era.map(|era| era.index), "validators": list.collect::<Vec<_>>() }));
        return Ok(());
    }
    let rows = validators.iter().map(|validator| {
        let exposure = validator.exposure;
        [
            address(&validator.account),
            validator.prefs.as_ref().map_or_else(|| "resigned".into(), commission),
            exposure.map_or_else(String::new, |exposure| Planck(exposure.own).to_string()),
            exposure.map_or_else(String::new, |exposure| Planck(exposure.total).to_string()),
            exposure.map_or_else(String::new, |exposure| exposure.nominators.to_string()),
            validator.points.to_string(),
        ]
    });
    output::line(output::table(["VALIDATOR", "COMMISSION", "OWN", "IN ALL", "NOMINATORS", "POINTS"], rows));
    output::line(format!("era {}", era.map_or(0, |era| era.index)));
    Ok(())
}

pub(super) async fn status(context: &Context, client: &Client, account: Option<&str>) -> Outcome {
    let account = match account {
        Some(account) => account_of(account)?,
        None => SignerArguments::from_environment().account_only(client.network())?,
    };
    let state = client.stake(&account).await?;
    let unpaid = match state.prefs.is_some() || state.elected {
        true => client.unpaid_eras(&account).await?,
        false => Vec::new(),
    };
    if context.json {
        let mut object = to_json(&state);
        object["account"] = address(&account).into();
        object["unpaid_eras"] = unpaid.into();
        output::object(&object);
        return Ok(());
    }
    let Some(ledger) = &state.ledger else {
        output::line(format!("{} has no stake; `phala stake bond AMOUNT` bonds some", address(&account)));
        return Ok(());
    };
    let mut rows = vec![
        ("account", address(&account)),
        ("counts", Planck(ledger.active).to_string()),
        ("of in all", Planck(ledger.total).to_string()),
        ("to withdraw", state.withdrawable().to_string()),
    ];
    let now = state.era.map_or(0, |era| era.index);
    rows.extend(
        ledger
            .unlocking
            .iter()
            .filter(|chunk| chunk.era > now)
            .map(|Unlocking { amount, era }| ("on its way out", format!("{}, free in era {era}", Planck(*amount)))),
    );
    rows.push(("rewards go to", state.payee.map_or_else(|| "nowhere".into(), payee_text)));
    if let Some(nominations) = &state.nominations {
        rows.extend(nominations.targets.iter().map(|target| ("nominates", address(target))));
    }
    if let Some(prefs) = &state.prefs {
        let blocked = if prefs.blocked { "; nobody may nominate it" } else { "" };
        rows.push(("validates", format!("for {}{blocked}", commission(prefs))));
        rows.push((
            "keys",
            match state.keys {
                Some(_) => "set".into(),
                None => "none yet; `phala stake keys` sets them".into(),
            },
        ));
        rows.push(("elected", if state.elected { "in this session" } else { "not in this session" }.into()));
    }
    if let (Some(first), Some(last)) = (unpaid.first(), unpaid.last()) {
        let eras = if first == last { format!("era {first}") } else { format!("eras {first} to {last}") };
        rows.push(("not paid out", format!("{eras}; `phala stake payout` does it")));
    }
    rows.push(("era", now.to_string()));
    output::fields(&rows);
    Ok(())
}

fn to_json(state: &StakeState) -> Value {
    let ledger = state.ledger.as_ref();
    json!({
        "active_planck": ledger.map(|ledger| ledger.active.to_string()),
        "total_planck": ledger.map(|ledger| ledger.total.to_string()),
        "withdrawable_planck": state.withdrawable().0.to_string(),
        "unlocking": ledger.map(|ledger| ledger.unlocking.iter().map(|chunk| json!({
            "amount_planck": chunk.amount.to_string(),
            "era": chunk.era,
        })).collect::<Vec<_>>()),
        "payee": state.payee.map(payee_text),
        "nominates": state.nominations.as_ref().map(|all| all.targets.iter().map(address).collect::<Vec<_>>()),
        "commission_ppm": state.prefs.map(|prefs| prefs.commission_ppb / super::PPB_PER_PPM),
        "blocked": state.prefs.map(|prefs| prefs.blocked),
        "keys": state.keys.map(|keys| keys.map(|key| format!("0x{}", hex::encode(key)))),
        "elected": state.elected,
        "era": state.era.map(|era| era.index),
    })
}
