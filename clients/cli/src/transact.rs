//! Sending: what every verb does that signs something, and what it says when it is only asked what it would do.
//!
//! ```text
//! plan (call, words) ──► --dry-run: the node's fee, what would change; nothing is sent
//!                   └──► sign ──► finalised ──► what came of it, by proof
//! ```

use crate::{
    Context,
    failure::{Explain, Outcome},
    output::{self, Progress, Report},
    signer::{self, SignerArguments},
};
use codec::Encode;
use phala_messages::{
    Account,
    calls::{Address, Call},
    holders::Proxy,
};
use phala_sdk::{Applied, Client, address, call_hash};
use serde_json::{Value, json};

/// `--account`, `--proxy-for` and `--dry-run`, for verbs that send.
#[derive(clap::Args)]
pub struct SendArguments {
    #[command(flatten)]
    signer: SignerArguments,
    /// Act for this account, whose proxy the signer is: `phala account proxy add` makes one
    #[arg(long, value_name = "ACCOUNT")]
    proxy_for: Option<String>,
    /// Show what would be sent, its fee and what would change; send nothing
    #[arg(long)]
    dry_run: bool,
}

/// What a verb is about to do.
pub struct Plan {
    /// The call that does it.
    pub call: Call,
    /// In a few words, as one says what one does: `contribute 5 PHA to pool 3`.
    pub does: String,
    /// What would be otherwise afterwards, a sentence each.
    pub changes: Vec<String>,
    /// The same for programs: fields of the answer.
    pub json: Value,
}

impl Plan {
    /// A plan without more words.
    pub fn new(call: Call, does: impl Into<String>, json: Value) -> Self {
        Self { call, does: does.into(), changes: Vec::new(), json }
    }

    /// A sentence more on what would change.
    pub fn change(mut self, sentence: impl Into<String>) -> Self {
        self.changes.push(sentence.into());
        self
    }
}

impl SendArguments {
    /// Who acts: the signer, or whom it acts for.
    pub fn actor(&self, client: &Client) -> Outcome<Account> {
        match &self.proxy_for {
            Some(account) => signer::account_of(account),
            None => self.signing(client),
        }
    }

    /// Who signs.
    fn signing(&self, client: &Client) -> Outcome<Account> {
        // What is only asked needs no key.
        match self.dry_run {
            true => self.signer.account_only(client.network()),
            false => Ok(self.signer.key(client.network())?.account()),
        }
    }

    /// Does what is planned, and gives where. None: it was only asked about, and told.
    pub async fn carry_out(&self, context: &Context, client: &Client, plan: &Plan) -> Outcome<Option<Applied>> {
        let call = match &self.proxy_for {
            Some(account) => {
                let (real, call) = (Address::Id(signer::account_of(account)?), Box::new(plan.call.clone()));
                Call::Proxy(Proxy::Proxy { real, kind: None, call })
            }
            None => plan.call.clone(),
        };
        if self.dry_run {
            self.tell_what_if(context, client, plan, &call).await?;
            return Ok(None);
        }
        let key = self.signer.key(client.network())?;
        let progress = Progress::new();
        progress.step(&format!("{}: waiting for the chain to finalise it", plan.does));
        let applied = client.submit_and_wait(&key, &call).await;
        progress.done();
        applied.doing(format!("to {}", plan.does)).map(Some)
    }

    /// Does what is planned, and says so in one line.
    pub async fn carry_out_and_tell(&self, context: &Context, client: &Client, plan: &Plan) -> Outcome {
        if let Some(applied) = self.carry_out(context, client, plan).await? {
            tell(context, &applied, plan.json.clone(), &format!("done: {}", plan.does));
        }
        Ok(())
    }

    async fn tell_what_if(&self, context: &Context, client: &Client, plan: &Plan, call: &Call) -> Outcome {
        let signer = self.signing(client)?;
        let estimate = client.estimate(&signer, call).await?;
        let (bytes, hash) = (format!("0x{}", hex::encode(plan.call.encode())), call_hash(&plan.call));
        if context.json {
            let more = json!({
                "dry_run": true,
                "signer": address(&signer),
                "does": plan.does,
                "changes": plan.changes,
                "fee_planck": estimate.fee.0.to_string(),
                "fee_according_to": "node",
                "call": bytes,
                "call_hash": hash,
            });
            output::object(&merged(plan.json.clone(), more));
            return Ok(());
        }
        let mut rows = vec![
            ("would", plan.does.clone()),
            ("signed by", address(&signer)),
            ("fee", format!("{} (the node's word; the chain decides)", estimate.fee)),
        ];
        rows.extend(plan.changes.iter().map(|change| ("then", change.clone())));
        rows.push(("call", bytes));
        rows.push(("call hash", hash.to_string()));
        output::fields(&rows);
        output::line("nothing was sent");
        Ok(())
    }
}

/// Says what was done: `line` and the block, or `json` with it.
pub fn tell(context: &Context, applied: &Applied, json: Value, line: &str) {
    let height = applied.block.number.0;
    if context.json {
        output::object(&merged(json, json!({ "height": height })));
    } else {
        output::line(format!("{line}, in block {height}"));
    }
}

/// One object with the fields of both.
pub fn merged(mut first: Value, second: Value) -> Value {
    if let (Some(into), Value::Object(from)) = (first.as_object_mut(), second) {
        into.extend(from);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_fields_of_the_verb_and_those_of_sending() {
        let both = merged(json!({ "pool": 3 }), json!({ "height": 7 }));
        assert_eq!(both, json!({ "pool": 3, "height": 7 }));
    }

    #[test]
    fn a_plan_says_what_would_change() {
        let plan = Plan::new(Call::Encoded(vec![]), "do nothing", json!({})).change("nothing changes");
        assert_eq!((plan.does.as_str(), plan.changes.len()), ("do nothing", 1));
    }
}
