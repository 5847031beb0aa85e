//! Reading what is voted on, and how somebody votes.

use crate::{
    Context,
    failure::{Failure, Outcome},
    output,
    signer::{SignerArguments, account_of},
};
use phala_messages::{
    Hash,
    ledgers::{CastVote, Proposed, Referendum, Threshold, Voting},
};
use phala_sdk::{Client, address, call_hash, passing};
use phala_units::Planck;
use serde_json::{Value, json};

/// What is proposed, by its hash and, where it lies on chain, its bytes.
struct Matter {
    hash: Hash,
    call: Option<Vec<u8>>,
}

async fn matter(client: &Client, proposal: &Proposed) -> Outcome<Matter> {
    Ok(match proposal {
        Proposed::Legacy { hash } => Matter { hash: *hash, call: None },
        Proposed::Inline(call) => {
            let hash = call_hash(&phala_messages::calls::Call::Encoded(call.clone()));
            Matter { hash, call: Some(call.clone()) }
        }
        Proposed::Lookup { hash, bytes } => Matter { hash: *hash, call: client.preimage(hash, *bytes).await? },
    })
}

impl Matter {
    fn hex(&self) -> Option<String> {
        self.call.as_ref().map(|call| format!("0x{}", hex::encode(call)))
    }
}

const fn threshold_word(threshold: Threshold) -> &'static str {
    match threshold {
        Threshold::SuperMajorityApprove => "super-majority-approve",
        Threshold::SuperMajorityAgainst => "super-majority-against",
        Threshold::SimpleMajority => "simple-majority",
    }
}

const fn threshold_text(threshold: Threshold) -> &'static str {
    match threshold {
        Threshold::SuperMajorityApprove => "far more ayes than nays, the more so the fewer vote",
        Threshold::SuperMajorityAgainst => "it passes unless there are far more nays than ayes",
        Threshold::SimpleMajority => "more ayes than nays",
    }
}

fn to_json(number: u32, referendum: &Referendum, matter: Option<&Matter>, electorate: Planck, now: u32) -> Value {
    match referendum {
        Referendum::Finished { approved, end } => {
            json!({ "referendum": number, "open": false, "approved": approved, "ended_height": end })
        }
        Referendum::Ongoing { end, threshold, delay_blocks, tally, .. } => json!({
            "referendum": number,
            "open": true,
            "end_height": end,
            "blocks_left": end.saturating_sub(now),
            "proposal_hash": matter.map(|matter| matter.hash),
            "call": matter.and_then(Matter::hex),
            "threshold": threshold_word(*threshold),
            "delay_blocks": delay_blocks,
            "ayes_planck": tally.ayes.to_string(),
            "nays_planck": tally.nays.to_string(),
            "turnout_planck": tally.turnout.to_string(),
            "passing": passing(*threshold, tally.ayes, tally.nays, tally.turnout, electorate.0),
        }),
    }
}

pub(super) async fn list(context: &Context, client: &Client) -> Outcome {
    let (all, electorate) = (client.referenda().await?, client.electorate().await?);
    let now = client.advance().await?.number.0;
    if context.json {
        let mut list = Vec::new();
        for state in &all {
            let matter = match &state.referendum {
                Referendum::Ongoing { proposal, .. } => Some(matter(client, proposal).await?),
                Referendum::Finished { .. } => None,
            };
            list.push(to_json(state.number, &state.referendum, matter.as_ref(), electorate, now));
        }
        output::object(&json!({ "referenda": list, "height": now }));
        return Ok(());
    }
    if all.is_empty() {
        output::line("no referendum yet; `phala gov proposals` shows what may come to a vote");
        return Ok(());
    }
    let rows = all.iter().map(|state| match &state.referendum {
        Referendum::Finished { approved, end } => {
            let state_word = if *approved { "passed" } else { "failed" };
            [state.number.to_string(), state_word.into(), format!("block {end}"), String::new(), String::new()]
        }
        Referendum::Ongoing { end, threshold, tally, .. } => {
            let stands = passing(*threshold, tally.ayes, tally.nays, tally.turnout, electorate.0);
            [
                state.number.to_string(),
                if stands { "open, passing" } else { "open, failing" }.into(),
                format!("in {}", output::blocks(end.saturating_sub(now))),
                Planck(tally.ayes).to_string(),
                Planck(tally.nays).to_string(),
            ]
        }
    });
    output::line(output::table(["NO", "STATE", "ENDS", "AYES", "NAYS"], rows));
    Ok(())
}

pub(super) async fn show(context: &Context, client: &Client, number: u32) -> Outcome {
    let Some(referendum) = client.referendum(number).await? else {
        return Err(Failure::new(format!("there is no referendum {number}"), "`phala gov referenda` lists them"));
    };
    let electorate = client.electorate().await?;
    let now = client.advance().await?.number.0;
    let matter = match &referendum {
        Referendum::Ongoing { proposal, .. } => Some(matter(client, proposal).await?),
        Referendum::Finished { .. } => None,
    };
    if context.json {
        output::object(&to_json(number, &referendum, matter.as_ref(), electorate, now));
        return Ok(());
    }
    match referendum {
        Referendum::Finished { approved, end } => {
            let how = if approved { "passed" } else { "failed" };
            output::line(format!("referendum {number} {how} in block {end}"));
        }
        Referendum::Ongoing { end, threshold, delay_blocks, tally, .. } => {
            let stands = passing(threshold, tally.ayes, tally.nays, tally.turnout, electorate.0);
            let mut rows = vec![
                ("referendum", number.to_string()),
                ("open", format!("for {} more, until block {end}", output::blocks(end.saturating_sub(now)))),
                ("ayes", format!("{} of votes", Planck(tally.ayes))),
                ("nays", format!("{} of votes", Planck(tally.nays))),
                ("turnout", format!("{} of {electorate}", Planck(tally.turnout))),
                ("passes with", threshold_text(threshold).into()),
                ("stands", if stands { "it would pass now" } else { "it would fail now" }.into()),
                ("takes effect", format!("{} after that", output::blocks(delay_blocks))),
            ];
            if let Some(matter) = matter {
                rows.push(("proposal", matter.hash.to_string()));
                rows.push(("call", matter.hex().unwrap_or_else(|| "its bytes are not on chain".into())));
            }
            output::fields(&rows);
        }
    }
    Ok(())
}

pub(super) async fn proposals(context: &Context, client: &Client) -> Outcome {
    let all = client.proposals().await?;
    let external = client.next_external().await?;
    let mut found = Vec::new();
    for ((number, proposal, who), seconds, each) in all {
        found.push((number, matter(client, &proposal).await?, who, seconds, each));
    }
    let external = match external {
        Some((proposal, threshold)) => Some((matter(client, &proposal).await?, threshold)),
        None => None,
    };
    if context.json {
        output::object(&json!({
            "proposals": found.iter().map(|(number, matter, who, seconds, each)| json!({
                "proposal": number,
                "proposal_hash": matter.hash,
                "call": matter.hex(),
                "proposer": address(who),
                "seconds": seconds.len(),
                "deposit_each_planck": each.0.to_string(),
            })).collect::<Vec<_>>(),
            "council": external.as_ref().map(|(matter, threshold)| json!({
                "proposal_hash": matter.hash,
                "call": matter.hex(),
                "threshold": threshold_word(*threshold),
            })),
        }));
        return Ok(());
    }
    if found.is_empty() && external.is_none() {
        output::line("nothing is proposed; `phala gov propose CALL --deposit 10PHA` proposes something");
        return Ok(());
    }
    if let Some((matter, threshold)) = &external {
        output::line(format!("next, by the council: {} ({})", matter.hash, threshold_text(*threshold)));
    }
    let rows = found.iter().map(|(number, matter, who, seconds, each)| {
        [number.to_string(), matter.hash.to_string(), address(who), seconds.len().to_string(), each.to_string()]
    });
    if !found.is_empty() {
        output::line(output::table(["NO", "PROPOSAL", "BY", "BEHIND IT", "EACH WITH"], rows));
    }
    Ok(())
}

pub(super) async fn votes(context: &Context, client: &Client, account: Option<&str>) -> Outcome {
    let account = match account {
        Some(account) => account_of(account)?,
        None => SignerArguments::from_environment().account_only(client.network())?,
    };
    let voting = client.voting(&account).await?;
    let elects = client.election_vote(&account).await?;
    if context.json {
        output::object(&json!({
            "account": address(&account),
            "referenda": voting.as_ref().map(voting_json),
            "council": { "candidates": elects.candidates.iter().map(address).collect::<Vec<_>>(),
                         "amount_planck": elects.stake.to_string() },
        }));
        return Ok(());
    }
    let mut rows = vec![("account", address(&account))];
    let (delegations, prior) = match &voting {
        None => (None, None),
        Some(Voting::Direct { votes, delegations, prior }) => {
            rows.extend(votes.iter().map(|(number, vote)| ("votes", format!("on {number}: {}", vote_text(vote)))));
            (Some(delegations), Some(prior))
        }
        Some(Voting::Delegating { balance, target, conviction, delegations, prior }) => {
            rows.push((
                "lends its vote",
                format!("{} to {}, conviction {conviction}", Planck(*balance), address(target)),
            ));
            (Some(delegations), Some(prior))
        }
    };
    if let Some(lent) = delegations.filter(|lent| lent.capital > 0) {
        rows.push(("was lent", format!("{} of votes", Planck(lent.votes))));
    }
    if let Some(prior) = prior.filter(|prior| prior.amount > 0) {
        rows.push(("still locked", format!("{} until block {}", Planck(prior.amount), prior.until)));
    }
    if !elects.candidates.is_empty() {
        let names: Vec<_> = elects.candidates.iter().map(address).collect();
        rows.push(("wants in the council", format!("{} with {}", names.join(", "), Planck(elects.stake))));
    }
    if rows.len() == 1 {
        rows.push(("votes", "nowhere".into()));
    }
    output::fields(&rows);
    Ok(())
}

fn vote_text(vote: &CastVote) -> String {
    match vote {
        CastVote::Standard { aye, conviction, balance } => {
            let choice = if *aye { "aye" } else { "nay" };
            format!("{choice} with {}, conviction {conviction}", Planck(*balance))
        }
        CastVote::Split { aye, nay } => format!("{} aye and {} nay", Planck(*aye), Planck(*nay)),
    }
}

fn voting_json(voting: &Voting) -> Value {
    let (mut object, delegations, prior) = match voting {
        Voting::Direct { votes, delegations, prior } => {
            let votes = votes.iter().map(|(number, vote)| match vote {
                CastVote::Standard { aye, conviction, balance } => json!({
                    "referendum": number,
                    "choice": if *aye { "aye" } else { "nay" },
                    "conviction": conviction,
                    "amount_planck": balance.to_string(),
                }),
                CastVote::Split { aye, nay } => json!({
                    "referendum": number,
                    "choice": "split",
                    "aye_planck": aye.to_string(),
                    "nay_planck": nay.to_string(),
                }),
            });
            (json!({ "votes": votes.collect::<Vec<_>>() }), delegations, prior)
        }
        Voting::Delegating { balance, target, conviction, delegations, prior } => {
            let lent = json!({
                "to": address(target),
                "conviction": conviction,
                "amount_planck": balance.to_string(),
            });
            (json!({ "delegated": lent }), delegations, prior)
        }
    };
    object["lent_votes_planck"] = delegations.votes.to_string().into();
    object["prior_lock_planck"] = prior.amount.to_string().into();
    object["prior_lock_until_height"] = prior.until.into();
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::ledgers::Tally;

    #[test]
    fn an_open_referendum_says_how_it_stands() {
        let tally = Tally { ayes: 10, nays: 1, turnout: 11 };
        let proposal = Proposed::Legacy { hash: Hash([1; 32]) };
        let threshold = Threshold::SimpleMajority;
        let open = Referendum::Ongoing { end: 20, proposal, threshold, delay_blocks: 5, tally };
        let json = to_json(3, &open, None, Planck(100), 15);
        assert_eq!((&json["passing"], &json["blocks_left"]), (&json!(true), &json!(5)));
        let over = to_json(3, &Referendum::Finished { approved: false, end: 9 }, None, Planck(100), 15);
        assert_eq!((&over["open"], &over["approved"]), (&json!(false), &json!(false)));
    }
}
