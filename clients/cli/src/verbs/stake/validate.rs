//! Validating: be ready for it, have keys for it, be paid for it.

use crate::{
    Context,
    failure::{Explain, Failure, Outcome},
    local::start::local_http,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_economics::Ppm;
use phala_follow::Rpc as _;
use phala_messages::{
    calls::{Call, Session, Utility},
    holders::Staking,
};
use phala_sdk::{Client, HttpRpc, address};
use serde_json::{Value, json};

/// Eras that one payout reaches.
const ERAS_MAX: usize = 10;

pub(super) fn plan(commission: Ppm, blocked: bool) -> Plan {
    let (text, commission_ppb) = (crate::arguments::percent(commission), commission.parts() * super::PPB_PER_PPM);
    let json = json!({ "commission_ppm": commission.parts(), "blocked": blocked });
    let call = Call::Staking(Staking::Validate { commission_ppb, blocked });
    Plan::new(call, format!("be ready to validate for {text}"), json)
        .change("from the next era on, if you are elected, your node must make blocks")
        .change("silence, and signing two things where one is allowed, cost stake: yours and your nominators'")
}

pub(super) async fn payout(
    context: &Context,
    client: &Client,
    validator: &str,
    era: Option<u32>,
    send: &SendArguments,
) -> Outcome {
    let validator = account_of(validator)?;
    let mut eras = match era {
        Some(era) => vec![era],
        None => client.unpaid_eras(&validator).await?,
    };
    eras.truncate(ERAS_MAX);
    if eras.is_empty() {
        return Err(Failure::new(
            format!("nothing is owed to {}, or the era is not over", address(&validator)),
            "an era pays when it has ended, and only if the validators' pot had something",
        ));
    }
    let mut calls: Vec<_> =
        eras.iter().map(|era| Call::Staking(Staking::PayoutStakers { validator, era: *era })).collect();
    let call = match calls.len() {
        1 => calls.remove(0),
        _ => Call::Utility(Utility::BatchAll { calls }),
    };
    let names: Vec<_> = eras.iter().map(ToString::to_string).collect();
    let json = json!({ "validator": address(&validator), "eras": eras });
    let does = format!("pay out era {} of {}", names.join(", "), address(&validator));
    let plan = Plan::new(call, does, json).change("it and a page of its nominators have what they earned");
    send.carry_out_and_tell(context, client, &plan).await
}

pub(super) async fn keys(
    context: &Context,
    client: &Client,
    node: Option<&str>,
    given: Option<(String, String)>,
    send: &SendArguments,
) -> Outcome {
    let actor = send.actor(client)?;
    let (keys, proof) = match given {
        Some((keys, proof)) => (bytes(&keys)?, bytes(&proof)?),
        None => make_keys(node.unwrap_or(&client.network().rpc), &actor).await?,
    };
    let (babe, grandpa) = keys.split_at_checked(32).unwrap_or_default();
    let (Ok(babe), Ok(grandpa)) = (babe.try_into(), grandpa.try_into()) else {
        return Err(Failure::new("keys are 64 bytes: BABE's and GRANDPA's", "the node runs another chain's software"));
    };
    let keys: [[u8; 32]; 2] = [babe, grandpa];
    let json = json!({ "keys": keys.map(|key| format!("0x{}", hex::encode(key))) });
    let plan = Plan::new(Call::Session(Session::SetKeys { keys, proof }), "set the keys with which you validate", json)
        .change("they count from the session after the next one on");
    send.carry_out_and_tell(context, client, &plan).await
}

fn bytes(text: &str) -> Outcome<Vec<u8>> {
    hex::decode(text.trim_start_matches("0x")).doing(format!("`{text}` is not hexadecimal")).help("write 0x and digits")
}

/// Lets the node make keys, and prove to the chain that it has them.
async fn make_keys(url: &str, actor: &phala_messages::Account) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let rpc = HttpRpc::new(local_http(), url);
    let owner = format!("0x{}", hex::encode(actor.0));
    let made = rpc.call("author_rotateKeysWithOwner", json!([owner])).await;
    let hint =
        "a node makes keys only for who reaches it on its own machine: run this there, or give --keys and --proof";
    let made = made.doing(format!("letting the node at {url} make keys")).help(hint)?;
    let field = |name: &str| made.get(name).and_then(Value::as_str).map(bytes);
    match (field("keys"), field("proof")) {
        (Some(keys), Some(proof)) => Ok((keys?, proof?)),
        _ => Err(Failure::new(format!("the node at {url} made no keys"), hint)),
    }
}
