//! Who an account says that it is.

use crate::{
    Context,
    failure::{Failure, Outcome},
    output,
    signer::account_of,
    transact::{Plan, SendArguments},
};
use phala_messages::{
    calls::Call,
    holders::{Identity, LINE_BYTES_MAX, Line, Person},
    ledgers::Judgement,
};
use phala_sdk::address;
use phala_units::Planck;
use serde_json::json;

/// What is done with an identity.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Show what an account says of itself, and what registrars found. For example: phala account identity show //Bob
    Show {
        /// Whose: a name, a key file, an address, or //Bob
        account: String,
    },
    /// Say who you are, on chain, against a deposit. For example: phala account identity set --name Ada --web ada.example
    Set {
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Say it no more, and have the deposit back. For example: phala account identity clear
    Clear {
        #[command(flatten)]
        send: SendArguments,
    },
}

/// Lines of an identity, 32 bytes each at most.
#[derive(clap::Args)]
pub struct Lines {
    /// What to be called
    #[arg(long, value_parser = line)]
    name: Line,
    /// The name in law
    #[arg(long, value_parser = line)]
    legal: Option<Line>,
    /// A web site
    #[arg(long, value_parser = line)]
    web: Option<Line>,
    /// An address for mail
    #[arg(long, value_parser = line)]
    email: Option<Line>,
    /// A Matrix handle
    #[arg(long, value_parser = line)]
    matrix: Option<Line>,
    /// A handle on X, once Twitter
    #[arg(long, value_parser = line)]
    twitter: Option<Line>,
}

fn line(text: &str) -> Result<Line, String> {
    Line::new(text).ok_or_else(|| format!("a line has {LINE_BYTES_MAX} bytes at most; this has {}", text.len()))
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        match self {
            Self::Show { account } => show(context, &client, &account).await,
            Self::Set { lines, send } => {
                let person = Person {
                    display: lines.name,
                    legal: lines.legal.unwrap_or_default(),
                    web: lines.web.unwrap_or_default(),
                    email: lines.email.unwrap_or_default(),
                    matrix: lines.matrix.unwrap_or_default(),
                    twitter: lines.twitter.unwrap_or_default(),
                    ..Person::default()
                };
                let json = json!({ "account": address(&send.actor(&client)?), "name": person.display.to_string() });
                let does = format!("say that you are {}", person.display);
                let plan = Plan::new(Call::Identity(Identity::Set { person: Box::new(person) }), does, json)
                    .change("everyone reads it, on chain; whether it is true, registrars say")
                    .change("a deposit is held from you until you clear it: 10 PHA, and 0.01 PHA for each byte");
                send.carry_out_and_tell(context, &client, &plan).await
            }
            Self::Clear { send } => {
                let json = json!({ "account": address(&send.actor(&client)?) });
                let plan = Plan::new(Call::Identity(Identity::Clear), "clear your identity", json)
                    .change("its deposit is yours again; blocks of the past remember what you said");
                send.carry_out_and_tell(context, &client, &plan).await
            }
        }
    }
}

async fn show(context: &Context, client: &phala_sdk::Client, text: &str) -> Outcome {
    let account = account_of(text)?;
    client.head().await?;
    let Some(record) = client.identity(&account).await? else {
        let hint = "`phala account identity set --name NAME` says something";
        return Err(Failure::new(format!("{} says nothing of itself", address(&account)), hint));
    };
    let person = &record.person;
    let lines = [
        ("name", &person.display),
        ("legal", &person.legal),
        ("web", &person.web),
        ("email", &person.email),
        ("matrix", &person.matrix),
        ("twitter", &person.twitter),
    ];
    let judged: Vec<_> = record.judgements.iter().map(|(by, judgement)| (*by, word(*judgement))).collect();
    if context.json {
        let mut object = json!({
            "account": address(&account),
            "deposit_planck": record.deposit.to_string(),
            "judgements": judged.iter().map(|(by, word)| json!({ "registrar": by, "judgement": word })).collect::<Vec<_>>(),
        });
        for (name, line) in lines {
            object[name] = line.to_string().into();
        }
        output::object(&object);
        return Ok(());
    }
    let mut rows: Vec<_> = lines.iter().map(|(name, line)| (*name, line.to_string())).collect();
    rows.retain(|(_, line)| !line.is_empty());
    rows.extend(judged.iter().map(|(by, word)| ("judged", format!("{word}, by registrar {by}"))));
    if judged.is_empty() {
        rows.push(("judged", "by nobody: anyone can say anything".into()));
    }
    rows.push(("deposit", Planck(record.deposit).to_string()));
    output::fields(&rows);
    Ok(())
}

const fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Unknown => "unknown",
        Judgement::FeePaid(_) => "asked for",
        Judgement::Reasonable => "reasonable",
        Judgement::KnownGood => "known to be right",
        Judgement::OutOfDate => "out of date",
        Judgement::LowQuality => "vague",
        Judgement::Erroneous => "wrong",
    }
}
