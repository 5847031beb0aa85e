//! What the treasury pays for work: bounties and tips. By proof.
//!
//! Bounties are numbered, so a list of them is complete. Tips have names that follow from what they are for and for whom.

use crate::{Client, client::ChainError};
use phala_messages::{
    Hash,
    bounties::{Bounty, OpenTip},
    storage,
};

/// Bounties that are read at most, the newest.
const BOUNTIES_READ_MAX: u32 = 256;

/// A bounty, with its number and what it is for.
#[derive(Clone, Debug)]
pub struct BountyState {
    /// Its number.
    pub number: u32,
    /// What the chain keeps of it.
    pub bounty: Bounty,
    /// What is to be done.
    pub description: String,
}

/// A tip, with its name and what it is for.
#[derive(Clone, Debug)]
pub struct TipState {
    /// Its name.
    pub name: Hash,
    /// What the chain keeps of it.
    pub tip: OpenTip,
    /// What it is for.
    pub reason: String,
}

impl Client {
    /// Bounties that are neither paid nor closed, the oldest first.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn bounties(&self) -> Result<Vec<BountyState>, ChainError> {
        self.advance().await?;
        let count: u32 = self.one(storage::bounty_count(), "the count of bounties").await?.unwrap_or_default();
        let numbers: Vec<u32> = (count.saturating_sub(BOUNTIES_READ_MAX)..count).collect();
        self.some_bounties(&numbers).await
    }

    /// One bounty.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn bounty(&self, number: u32) -> Result<Option<BountyState>, ChainError> {
        self.advance().await?;
        Ok(self.some_bounties(&[number]).await?.pop())
    }

    async fn some_bounties(&self, numbers: &[u32]) -> Result<Vec<BountyState>, ChainError> {
        let keys: Vec<_> = numbers.iter().map(|number| storage::bounty(*number)).collect();
        let found: Vec<Option<Bounty>> = self.many(&keys, "a bounty").await?;
        let keys: Vec<_> = numbers.iter().map(|number| storage::bounty_description(*number)).collect();
        let texts: Vec<Option<Vec<u8>>> = self.many(&keys, "what a bounty is for").await?;
        let all = numbers.iter().zip(found).zip(texts);
        let state = |((number, bounty), text): ((&u32, Option<Bounty>), Option<Vec<u8>>)| {
            let description = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
            bounty.map(|bounty| BountyState { number: *number, bounty, description })
        };
        Ok(all.filter_map(state).collect())
    }

    /// A tip that is being settled.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn tip(&self, name: &Hash) -> Result<Option<TipState>, ChainError> {
        self.advance().await?;
        let tip: Option<OpenTip> = self.one(storage::tip(name), "a tip").await?;
        let Some(tip) = tip else { return Ok(None) };
        let reason: Option<Vec<u8>> = self.one(storage::tip_reason(&tip.reason), "what a tip is for").await?;
        let reason = String::from_utf8_lossy(&reason.unwrap_or_default()).into_owned();
        Ok(Some(TipState { name: *name, tip, reason }))
    }
}
