//! Governance: what is voted on, how it stands, who serves on which body, what the treasury pays. Everything here is proven from the chain.

use crate::{
    Client,
    client::{ChainError, decode},
};
use phala_messages::{
    Account, Hash,
    ledgers::{
        AuthorizedUpgrade, ElectionVote, Motion, Proposed, PublicProposal, Referendum, Seat, Spend, Threshold, Voting,
    },
    storage,
};
use phala_units::Planck;

/// Referenda that are read at most, the newest.
const REFERENDA_READ_MAX: u32 = 256;
/// Spends that are read at most, the newest.
const SPENDS_READ_MAX: u32 = 256;
/// The account that holds the treasury: `modl` and its name.
const TREASURY: &[u8; 12] = b"modlpy/trsry";

/// A body: the council or the technical committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Elected by all.
    Council,
    /// Chosen by referendum.
    Committee,
}

impl Body {
    /// Its pallet's name in the runtime.
    const fn pallet(self) -> &'static str {
        match self {
            Self::Council => "Council",
            Self::Committee => "TechnicalCommittee",
        }
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Council => "the council",
            Self::Committee => "the technical committee",
        }
    }
}

/// A referendum, with its number.
#[derive(Clone, Debug)]
pub struct ReferendumState {
    /// Its number.
    pub number: u32,
    /// What the chain keeps of it.
    pub referendum: Referendum,
}

/// A motion of a body.
#[derive(Clone, Debug)]
pub struct MotionState {
    /// Its name.
    pub hash: Hash,
    /// Who agreed, and how many must.
    pub motion: Motion,
    /// What it is to do: an encoded call.
    pub call: Option<Vec<u8>>,
}

/// The council and who wants to be in it.
#[derive(Clone, Debug)]
pub struct Elections {
    /// Who sits there.
    pub members: Vec<Seat>,
    /// Who comes next, the best last.
    pub runners_up: Vec<Seat>,
    /// Who wants to be elected, and their deposits.
    pub candidates: Vec<(Account, u128)>,
}

/// The treasury.
#[derive(Clone, Debug)]
pub struct TreasuryState {
    /// Its account.
    pub account: Account,
    /// What it has.
    pub free: Planck,
    /// Spends that wait for the next payment.
    pub waiting: Vec<(u32, Spend)>,
}

/// Whether a referendum would pass with these votes, out of `electorate`: all PHA there is.
///
/// # Source `pallet-democracy`: turnout biases the supermajorities, by square roots.
pub fn passing(threshold: Threshold, ayes: u128, nays: u128, turnout: u128, electorate: u128) -> bool {
    let (voters, all) = (turnout.isqrt(), electorate.isqrt());
    if voters == 0 {
        return false;
    }
    match threshold {
        Threshold::SuperMajorityApprove => less(nays, voters, ayes, all),
        Threshold::SuperMajorityAgainst => less(nays, all, ayes, voters),
        Threshold::SimpleMajority => ayes > nays,
    }
}

/// a / b < c / d, exactly, for roots b and d of 128-bit numbers.
fn less(a: u128, b: u128, c: u128, d: u128) -> bool {
    // Both products fit 192 bits: compare the parts above and below 64 bits.
    let product = |x: u128, y: u128| {
        let (high, low) = (x >> 64, x & u128::from(u64::MAX));
        let low = low.saturating_mul(y);
        (high.saturating_mul(y).saturating_add(low >> 64), low & u128::from(u64::MAX))
    };
    product(a, d) < product(c, b)
}

impl Client {
    /// Referenda, the oldest first, by the chain's count of them.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn referenda(&self) -> Result<Vec<ReferendumState>, ChainError> {
        self.advance().await?;
        let count: u32 = self.one(storage::referendum_count(), "the count of referenda").await?.unwrap_or_default();
        let numbers: Vec<u32> = (count.saturating_sub(REFERENDA_READ_MAX)..count).collect();
        let keys: Vec<_> = numbers.iter().map(|number| storage::referendum(*number)).collect();
        let found = self.many(&keys, "a referendum").await?;
        let all = numbers.into_iter().zip(found);
        Ok(all.filter_map(|(number, referendum)| Some(ReferendumState { number, referendum: referendum? })).collect())
    }

    /// All PHA that could vote.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn electorate(&self) -> Result<Planck, ChainError> {
        let (_, values) = self.read_raw(&[storage::total_issuance(), storage::inactive_issuance()]).await?;
        let total: u128 = decode(&values, 0, "what there is")?.unwrap_or_default();
        let inactive: u128 = decode(&values, 1, "what takes no part")?.unwrap_or_default();
        Ok(Planck(total.saturating_sub(inactive)))
    }

    /// One referendum.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn referendum(&self, number: u32) -> Result<Option<Referendum>, ChainError> {
        self.one(storage::referendum(number), "a referendum").await
    }

    /// Proposals of holders that wait for a vote, and for each how many stand behind it with how much.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn proposals(&self) -> Result<Vec<(PublicProposal, Vec<Account>, Planck)>, ChainError> {
        self.advance().await?;
        let all: Vec<PublicProposal> = self.one(storage::public_proposals(), "proposals").await?.unwrap_or_default();
        let mut found = Vec::new();
        for proposal in all {
            let deposits = self.one(storage::proposal_deposits(proposal.0), "deposits").await?;
            let (who, each): (Vec<Account>, Planck) = deposits.unwrap_or_default();
            found.push((proposal, who, each));
        }
        Ok(found)
    }

    /// The council's proposal that is voted on next.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn next_external(&self) -> Result<Option<(Proposed, Threshold)>, ChainError> {
        self.one(storage::next_external(), "the council's proposal").await
    }

    /// How an account votes.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn voting(&self, account: &Account) -> Result<Option<Voting>, ChainError> {
        self.one(storage::voting(account), "votes").await
    }

    /// The members of a body.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn members(&self, body: Body) -> Result<Vec<Account>, ChainError> {
        Ok(self.one(storage::body_members(body.pallet()), "a body's members").await?.unwrap_or_default())
    }

    /// The motions of a body that wait for votes or for being closed.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn motions(&self, body: Body) -> Result<Vec<MotionState>, ChainError> {
        self.advance().await?;
        let hashes: Vec<Hash> = self.one(storage::body_motions(body.pallet()), "motions").await?.unwrap_or_default();
        let mut all = Vec::new();
        for hash in hashes {
            let keys = [storage::body_motion(body.pallet(), &hash), storage::body_motion_call(body.pallet(), &hash)];
            let (_, mut values) = self.read_raw(&keys).await?;
            // The call's bytes are of whatever pallet: they are kept as they lie.
            let call = values.pop().flatten();
            if let Some(motion) = decode(&values, 0, "a motion")? {
                all.push(MotionState { hash, motion, call });
            }
        }
        Ok(all)
    }

    /// The council, and who wants to be in it.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn elections(&self) -> Result<Elections, ChainError> {
        self.advance().await?;
        let keys = [storage::elected_members(), storage::runners_up(), storage::election_candidates()];
        let (_, values) = self.read_raw(&keys).await?;
        Ok(Elections {
            members: decode(&values, 0, "the council")?.unwrap_or_default(),
            runners_up: decode(&values, 1, "the council's runners-up")?.unwrap_or_default(),
            candidates: decode(&values, 2, "candidates")?.unwrap_or_default(),
        })
    }

    /// Whom an account wants in the council.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn election_vote(&self, account: &Account) -> Result<ElectionVote, ChainError> {
        Ok(self.one(storage::election_vote(account), "a vote for the council").await?.unwrap_or_default())
    }

    /// The treasury.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn treasury(&self) -> Result<TreasuryState, ChainError> {
        let mut account = Account([0; 32]);
        for (to, from) in account.0.iter_mut().zip(TREASURY) {
            *to = *from;
        }
        self.advance().await?;
        let free = self.account(&account).await?.free;
        let waiting: Vec<u32> =
            self.one(storage::treasury_approvals(), "the treasury's spends").await?.unwrap_or_default();
        let waiting = waiting.get(..waiting.len().min(SPENDS_READ_MAX as usize)).unwrap_or_default();
        let keys: Vec<_> = waiting.iter().map(|number| storage::treasury_spend(*number)).collect();
        let spends = self.many(&keys, "a spend").await?;
        let waiting = waiting.iter().zip(spends).filter_map(|(number, spend)| Some((*number, spend?))).collect();
        Ok(TreasuryState { account, free, waiting })
    }

    /// The hash of the code that a vote lets replace the chain's, if one waits to be brought.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn authorized_upgrade(&self) -> Result<Option<Hash>, ChainError> {
        self.advance().await?;
        let allowed: Option<AuthorizedUpgrade> = self.one(storage::authorized_upgrade(), "an upgrade").await?;
        Ok(allowed.map(|allowed| allowed.code_hash))
    }

    /// The block until which money stands still, if it does.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn safe_mode_until(&self) -> Result<Option<u32>, ChainError> {
        self.advance().await?;
        self.one(storage::safe_mode_until(), "safe mode").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;

    #[test]
    fn the_fewer_vote_the_more_of_them_must_agree() {
        use Threshold::{SimpleMajority, SuperMajorityAgainst, SuperMajorityApprove};
        let all = 1_000_000 * PHA;
        // A hundredth votes: ten times as many ayes as nays are needed.
        let votes = |threshold, ayes, nays| passing(threshold, ayes * PHA, nays * PHA, 10_000 * PHA, all);
        assert!(votes(SuperMajorityApprove, 9_100, 900) && !votes(SuperMajorityApprove, 9_000, 1_000));
        assert!(votes(SuperMajorityAgainst, 1_000, 9_000) && !votes(SuperMajorityAgainst, 900, 9_100));
        assert!(votes(SimpleMajority, 5_001, 4_999) && !votes(SimpleMajority, 5_000, 5_000));
        assert!(!passing(SimpleMajority, 1, 0, 0, all));
    }

    #[test]
    fn the_largest_votes_are_compared_exactly() {
        assert!(less(u128::MAX - 1, u64::MAX.into(), u128::MAX, u64::MAX.into()));
        assert!(!less(u128::MAX, u64::MAX.into(), u128::MAX, u64::MAX.into()));
    }
}
