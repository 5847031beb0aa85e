//! `phala gov`: propose, vote, serve on a body, see what the treasury pays.

mod bodies;
mod bounties;
mod elections;
mod referenda;
mod treasury;
mod upgrade;
mod vote;

use crate::{Context, failure::Outcome, transact::SendArguments};
use phala_messages::{
    Hash,
    calls::{Call, Utility},
    holders::{Preimage, Proposal},
};
use phala_sdk::{Body, Client, call_hash};
use std::fmt;

/// Decide with all others: propose, vote, elect, serve, see what the treasury pays
#[derive(clap::Args)]
pub struct Gov {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List referenda, open ones and those that are over
    Referenda,
    /// Show one referendum, and what it would do. For example: phala gov show 0
    Show {
        /// Its number
        referendum: u32,
    },
    /// List proposals that wait for a vote: the one with most deposits is next
    Proposals,
    /// Show how an account votes, and what is locked for it. For example: phala gov votes //Bob
    Votes {
        /// Whose: a name, a key file, an address, or //Bob [default: who would sign]
        account: Option<String>,
    },
    #[command(flatten)]
    Vote(vote::Action),
    #[command(flatten)]
    Elect(elections::Action),
    /// The council: its members and motions, and what its members do
    Council {
        #[command(subcommand)]
        action: Option<bodies::Action>,
    },
    /// The technical committee: its members and motions, and what its members do
    Committee {
        #[command(subcommand)]
        action: Option<bodies::CommitteeAction>,
    },
    /// The treasury: what it has and what it is about to pay
    Treasury {
        #[command(subcommand)]
        action: Option<treasury::Action>,
    },
    /// Bounties: what the treasury pays for work, and who looks after it
    Bounty {
        #[command(subcommand)]
        action: Option<bounties::BountyAction>,
    },
    /// Tips: what the treasury gives to who deserves it
    Tip {
        #[command(subcommand)]
        action: bounties::TipAction,
    },
    /// Give the chain other code: look at it, propose it, bring it
    Upgrade {
        #[command(subcommand)]
        action: upgrade::Action,
    },
    /// What a hash stands for: put a call on chain, or read one
    Preimage {
        #[command(subcommand)]
        action: treasury::PreimageAction,
    },
    /// Whether money stands still, and until when; or let it, or let it move again
    SafeMode {
        #[command(subcommand)]
        action: Option<treasury::SafeModeAction>,
    },
}

impl Gov {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        client.head().await?;
        match self.action {
            Action::Referenda => referenda::list(context, &client).await,
            Action::Show { referendum } => referenda::show(context, &client, referendum).await,
            Action::Proposals => referenda::proposals(context, &client).await,
            Action::Votes { account } => referenda::votes(context, &client, account.as_deref()).await,
            Action::Vote(action) => action.run(context, &client).await,
            Action::Elect(action) => action.run(context, &client).await,
            Action::Council { action } => {
                action.unwrap_or(bodies::Action::Show).run(context, &client, Body::Council).await
            }
            Action::Committee { action } => match action {
                None => bodies::Action::Show.run(context, &client, Body::Committee).await,
                Some(action) => action.run(context, &client).await,
            },
            Action::Treasury { action } => treasury::run(context, &client, action).await,
            Action::Bounty { action } => action.unwrap_or(bounties::BountyAction::List).run(context, &client).await,
            Action::Tip { action } => action.run(context, &client).await,
            Action::Upgrade { action } => action.run(context, &client).await,
            Action::Preimage { action } => action.run(context, &client).await,
            Action::SafeMode { action } => treasury::safe_mode(context, &client, action).await,
        }
    }
}

/// For or against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Choice {
    /// For it
    Aye,
    /// Against it
    Nay,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aye => "aye",
            Self::Nay => "nay",
        })
    }
}

/// A call that is to be proposed, and how it is named.
struct Proposed {
    proposal: Proposal,
    hash: Hash,
    /// Puts its bytes on chain; none if they lie there already.
    note: Option<Call>,
}

impl Proposed {
    /// Looks whether the call's bytes lie on chain already.
    async fn new(client: &Client, bytes: Vec<u8>) -> Outcome<Self> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let hash = call_hash(&Call::Encoded(bytes.clone()));
        let known = client.preimage(&hash, length).await?.is_some();
        let note = (!known).then(|| Call::Preimage(Preimage::Note { bytes }));
        Ok(Self { proposal: Proposal::Lookup { hash, bytes: length }, hash, note })
    }

    /// `call`, after the bytes are put on chain where they are not there yet.
    fn before(&self, call: Call) -> Call {
        match &self.note {
            Some(note) => Call::Utility(Utility::BatchAll { calls: vec![note.clone(), call] }),
            None => call,
        }
    }

    /// What that costs.
    const fn deposit(&self) -> &'static str {
        match self.note {
            Some(_) => "its bytes are put on chain, for a deposit: 1 PHA, and 0.01 PHA for each byte",
            None => "its bytes lie on chain already",
        }
    }
}

/// `--threshold`, and what every sender takes, for motions.
#[derive(clap::Args)]
pub struct MotionArguments {
    /// How many members must agree [default: what the matter takes]
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    #[command(flatten)]
    send: SendArguments,
}
