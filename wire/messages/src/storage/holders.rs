//! Where the chain keeps what people with PHA read: balances, stakes, pools, votes.
//!
//! FRAME's own pallets hash the keys of their maps in three ways; each function here hashes as its pallet does.

use super::{entry, item};
use crate::ids::{Account, Hash, PoolId};
use alloc::vec::Vec;
use codec::Encode;
use sp_crypto_hashing::{blake2_128, twox_64};

/// A map whose keys stand behind 64 bits of xxHash each.
fn twox(pallet: &str, name: &str, keys: &[Vec<u8>]) -> Vec<u8> {
    let mut out = item(pallet, name);
    for key in keys {
        out.extend_from_slice(&twox_64(key));
        out.extend_from_slice(key);
    }
    out
}

/// A map whose keys are hashes already.
fn plain(pallet: &str, name: &str, key: &impl Encode) -> Vec<u8> {
    let mut out = item(pallet, name);
    key.encode_to(&mut out);
    out
}

/// `u128`, Planck: all that there is.
pub fn total_issuance() -> Vec<u8> {
    item("Balances", "TotalIssuance")
}

/// `u128`, Planck: what of it can take no part in anything.
pub fn inactive_issuance() -> Vec<u8> {
    item("Balances", "InactiveIssuance")
}

/// List of [`crate::ledgers::Lock`]s on an account.
pub fn locks(account: &Account) -> Vec<u8> {
    entry("Balances", "Locks", &[account.encode()])
}

/// List of [`crate::ledgers::Hold`]s on an account.
pub fn holds(account: &Account) -> Vec<u8> {
    entry("Balances", "Holds", &[account.encode()])
}

/// List of [`crate::ledgers::VestingSchedule`]s of an account.
pub fn vesting(account: &Account) -> Vec<u8> {
    entry("Vesting", "Vesting", &[account.encode()])
}

/// List of [`crate::ledgers::ProxyDefinition`]s of an account, and the deposit for them.
pub fn proxies(account: &Account) -> Vec<u8> {
    twox("Proxy", "Proxies", &[account.encode()])
}

/// [`crate::ledgers::IdentityRecord`] of an account.
pub fn identity(account: &Account) -> Vec<u8> {
    twox("Identity", "IdentityOf", &[account.encode()])
}

/// [`crate::ledgers::MultisigCall`] that waits for agreement, by its account and the hash of the call.
pub fn multisig_call(account: &Account, call_hash: &Hash) -> Vec<u8> {
    let mut out = twox("Multisig", "Multisigs", &[account.encode()]);
    out.extend_from_slice(&blake2_128(&call_hash.0));
    out.extend_from_slice(&call_hash.0);
    out
}

/// `u64`: pools ever made.
pub fn pool_count() -> Vec<u8> {
    item("Pools", "PoolCount")
}

/// `phala_economics::PoolRecord`.
pub fn pool(pool: PoolId) -> Vec<u8> {
    entry("Pools", "Pools", &[pool.encode()])
}

/// UTF-8 text: what its owner says of a pool.
pub fn pool_description(pool: PoolId) -> Vec<u8> {
    entry("Pools", "Descriptions", &[pool.encode()])
}

/// UTF-8 text beside an account on a pool's list; none if it is not on it.
pub fn pool_listed(pool: PoolId, account: &Account) -> Vec<u8> {
    entry("Pools", "Listed", &[pool.encode(), account.encode()])
}

/// `phala_economics::Holding` of an account in a pool.
pub fn holding(pool: PoolId, account: &Account) -> Vec<u8> {
    entry("Pools", "Holdings", &[pool.encode(), account.encode()])
}

/// List of [`PoolId`]s of which an account has shares, or that are vaults of its own.
pub fn positions(account: &Account) -> Vec<u8> {
    entry("Pools", "Positions", &[account.encode()])
}

/// `phala_economics::Request` by its number in the pool's queue.
pub fn pool_request(pool: PoolId, request: u64) -> Vec<u8> {
    entry("Pools", "Requests", &[pool.encode(), request.encode()])
}

/// `phala_units::Planck`: what an account's shares must be worth for its votes.
pub fn pool_vote_lock(account: &Account) -> Vec<u8> {
    entry("Pools", "VoteLocks", &[account.encode()])
}

/// List of [`crate::ledgers::PoolWorker`]s of a pool.
pub fn pool_workers(pool: PoolId) -> Vec<u8> {
    entry("Computation", "PoolWorkers", &[pool.encode()])
}

/// `phala_economics::WorkRules`.
pub fn work_rules() -> Vec<u8> {
    item("Computation", "Rules")
}

/// `phala_economics::Accrual`.
pub fn work_accrued() -> Vec<u8> {
    item("Computation", "Accrued")
}

/// `u32`: workers that compute and answer.
pub fn responsive_count() -> Vec<u8> {
    item("Computation", "ResponsiveCount")
}

/// Block from which on a worker may never come back.
pub fn banned(worker: &crate::ids::WorkerId) -> Vec<u8> {
    entry("Computation", "Banned", &[worker.encode()])
}

/// [`crate::ledgers::StakeLedger`] of an account that bonded.
pub fn stake_ledger(account: &Account) -> Vec<u8> {
    entry("Staking", "Ledger", &[account.encode()])
}

/// [`crate::holders::Payee`] of an account that bonded.
pub fn stake_payee(account: &Account) -> Vec<u8> {
    twox("Staking", "Payee", &[account.encode()])
}

/// [`crate::ledgers::ValidatorPrefs`] of an account that is ready to validate.
pub fn validator_prefs(account: &Account) -> Vec<u8> {
    twox("Staking", "Validators", &[account.encode()])
}

/// [`crate::ledgers::Nominations`] of an account.
pub fn nominations(account: &Account) -> Vec<u8> {
    twox("Staking", "Nominators", &[account.encode()])
}

/// [`crate::ledgers::SlashingSpans`] of an account that was slashed.
pub fn slashing_spans(account: &Account) -> Vec<u8> {
    twox("Staking", "SlashingSpans", &[account.encode()])
}

/// [`crate::ledgers::ActiveEra`].
pub fn active_era() -> Vec<u8> {
    item("Staking", "ActiveEra")
}

/// `u128`, Planck: what an era pays in all.
pub fn era_reward(era: u32) -> Vec<u8> {
    twox("Staking", "ErasValidatorReward", &[era.encode()])
}

/// [`crate::ledgers::EraPoints`].
pub fn era_points(era: u32) -> Vec<u8> {
    twox("Staking", "ErasRewardPoints", &[era.encode()])
}

/// [`crate::ledgers::Exposure`] of a validator in an era.
pub fn era_exposure(era: u32, validator: &Account) -> Vec<u8> {
    twox("Staking", "ErasStakersOverview", &[era.encode(), validator.encode()])
}

/// List of `u32`: pages of an era's rewards that were paid out for a validator.
pub fn era_claimed(era: u32, validator: &Account) -> Vec<u8> {
    twox("Staking", "ClaimedRewards", &[era.encode(), validator.encode()])
}

/// List of [`Account`]s: validators of the session.
pub fn session_validators() -> Vec<u8> {
    item("Session", "Validators")
}

/// Two times 32 bytes: the keys with which an account will validate, BABE's and GRANDPA's.
pub fn session_next_keys(account: &Account) -> Vec<u8> {
    twox("Session", "NextKeys", &[account.encode()])
}

/// `u32`: referenda ever opened.
pub fn referendum_count() -> Vec<u8> {
    item("Democracy", "ReferendumCount")
}

/// [`crate::ledgers::Referendum`].
pub fn referendum(number: u32) -> Vec<u8> {
    twox("Democracy", "ReferendumInfoOf", &[number.encode()])
}

/// List of [`crate::ledgers::PublicProposal`]s.
pub fn public_proposals() -> Vec<u8> {
    item("Democracy", "PublicProps")
}

/// Who put a deposit behind a proposal, and how much each: a list of [`Account`]s, and Planck.
pub fn proposal_deposits(proposal: u32) -> Vec<u8> {
    twox("Democracy", "DepositOf", &[proposal.encode()])
}

/// [`crate::ledgers::Voting`] of an account.
pub fn voting(account: &Account) -> Vec<u8> {
    twox("Democracy", "VotingOf", &[account.encode()])
}

/// [`crate::ledgers::Proposed`] by the council, and what it takes to pass.
pub fn next_external() -> Vec<u8> {
    item("Democracy", "NextExternal")
}

/// List of [`Account`]s in a body: `Council` or `TechnicalCommittee`.
pub fn body_members(body: &str) -> Vec<u8> {
    item(body, "Members")
}

/// List of [`Hash`]es: motions of a body.
pub fn body_motions(body: &str) -> Vec<u8> {
    item(body, "Proposals")
}

/// The call that a motion is to make, encoded.
pub fn body_motion_call(body: &str, motion: &Hash) -> Vec<u8> {
    plain(body, "ProposalOf", motion)
}

/// [`crate::ledgers::Motion`].
pub fn body_motion(body: &str, motion: &Hash) -> Vec<u8> {
    plain(body, "Voting", motion)
}

/// List of [`crate::ledgers::Seat`]s of the council.
pub fn elected_members() -> Vec<u8> {
    item("Elections", "Members")
}

/// List of [`crate::ledgers::Seat`]s of those who come next, the best last.
pub fn runners_up() -> Vec<u8> {
    item("Elections", "RunnersUp")
}

/// List of [`Account`]s and deposits: who wants to be elected.
pub fn election_candidates() -> Vec<u8> {
    item("Elections", "Candidates")
}

/// [`crate::ledgers::ElectionVote`] of an account.
pub fn election_vote(account: &Account) -> Vec<u8> {
    twox("Elections", "Voting", &[account.encode()])
}

/// List of `u32`: spends that wait for the treasury's next payment.
pub fn treasury_approvals() -> Vec<u8> {
    item("Treasury", "Approvals")
}

/// [`crate::ledgers::Spend`].
pub fn treasury_spend(number: u32) -> Vec<u8> {
    twox("Treasury", "Proposals", &[number.encode()])
}

/// A hash and a flag: the code that may replace the chain's.
pub fn authorized_upgrade() -> Vec<u8> {
    item("System", "AuthorizedUpgrade")
}

/// `u32`: how many bounties there have been.
pub fn bounty_count() -> Vec<u8> {
    item("Bounties", "BountyCount")
}

/// [`crate::bounties::Bounty`].
pub fn bounty(number: u32) -> Vec<u8> {
    twox("Bounties", "Bounties", &[number.encode()])
}

/// `Vec<u8>`: what a bounty is for.
pub fn bounty_description(number: u32) -> Vec<u8> {
    twox("Bounties", "BountyDescriptions", &[number.encode()])
}

/// [`crate::bounties::OpenTip`], by its name.
pub fn tip(name: &Hash) -> Vec<u8> {
    twox("Tips", "Tips", &[name.encode()])
}

/// `Vec<u8>`: what a tip is for, by its hash.
pub fn tip_reason(hash: &Hash) -> Vec<u8> {
    [item("Tips", "Reasons"), hash.encode()].concat()
}

/// Bytes that a hash stands for: an encoded call.
pub fn preimage(hash: &Hash, bytes: u32) -> Vec<u8> {
    plain("Preimage", "PreimageFor", &(*hash, bytes))
}

/// Block until which money stands still.
pub fn safe_mode_until() -> Vec<u8> {
    item("SafeMode", "EnteredUntil")
}
