//! What an account owns: free, held and frozen, and what each is for.
//!
//! ```text
//! total ─┬─ held      deposits, bonds, stake behind validators: elsewhere until it is released
//!        └─ free ─┬─ frozen   locked for votes or not vested yet: it stays, and pays fees at most
//!                 └─ to spend
//! ```
//! Locks lie over each other: what is frozen is the largest of them, not their sum; and they lie over what is held, too.

use crate::{
    Client,
    client::{AccountState, ChainError, decode},
};
use codec::Encode;
use phala_messages::{
    Account, BlockRef,
    ledgers::{Hold, IdentityRecord, Lock, MultisigCall, ProxyDefinition, VestingSchedule},
    storage,
};
use phala_units::Planck;
use sp_crypto_hashing::blake2_256;

/// Least that an account may hold: 0.01 PHA.
const ACCOUNT_MIN: Planck = Planck(phala_units::PHA / 100);
/// People who may share one account.
pub const MULTISIG_SIGNERS_MAX: usize = 100;

/// An account's PHA at one block.
#[derive(Clone, Debug)]
pub struct Balances {
    /// Free, held, frozen; and how many extrinsics it sent.
    pub state: AccountState,
    /// What is frozen, by who froze it.
    pub locks: Vec<Lock>,
    /// What is held, by what for. Deposits of older pallets are held without a name.
    pub holds: Vec<Hold>,
    /// What is freed block by block.
    pub vesting: Vec<VestingSchedule>,
    /// When.
    pub block: BlockRef,
}

impl Balances {
    /// What can leave the account, with the account living on.
    pub fn spendable(&self) -> Planck {
        let AccountState { free, reserved, frozen, .. } = self.state;
        // What is held counts for what must stay.
        let stays = frozen.0.saturating_sub(reserved.0).max(ACCOUNT_MIN.0);
        Planck(free.0.saturating_sub(stays))
    }

    /// What is not vested yet.
    pub fn unvested(&self) -> Planck {
        let now = self.block.number.0;
        Planck(self.vesting.iter().map(|schedule| schedule.locked_at(now)).fold(0, u128::saturating_add))
    }

    /// What has vested and is still locked, until somebody says `vest`.
    pub fn to_vest(&self) -> Planck {
        let locked = self.locks.iter().find(|lock| lock.id == *b"vesting ").map_or(0, |lock| lock.amount);
        Planck(locked.saturating_sub(self.unvested().0))
    }
}

/// What a lock is for, in words.
pub fn lock_name(lock: &Lock) -> String {
    match &lock.id {
        b"vesting " => "vesting".into(),
        b"democrac" => "votes in referenda".into(),
        b"phrelect" => "votes for the council".into(),
        id => String::from_utf8_lossy(id).trim().into(),
    }
}

/// What a hold is for, in words.
pub fn hold_name(hold: &Hold) -> String {
    match (hold.pallet, hold.reason) {
        (7, _) => "session keys".into(),
        (9, _) => "stake behind validators".into(),
        (24, _) => "preimage".into(),
        (26, _) => "safe mode".into(),
        (51, 0) => "program".into(),
        (51, _) => "command".into(),
        (52, _) => "gatekeeper's bond".into(),
        (62, _) => "stake on programs".into(),
        (pallet, reason) => format!("reason {reason} of pallet {pallet}"),
    }
}

/// The account that `threshold` of `signers` share, in whatever order they are given.
///
/// # Shape Blake2b-256 of `"modlpy/utilisuba" ‖ SCALE(sorted signers) ‖ threshold as u16`.
/// # Source `pallet-multisig`.
pub fn multisig_account(signers: &[Account], threshold: u16) -> Account {
    let mut signers = signers.to_vec();
    signers.sort();
    Account(blake2_256(&(b"modlpy/utilisuba", signers, threshold).encode()))
}

impl Client {
    /// What an account owns, by proof.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn balances(&self, account: &Account) -> Result<Balances, ChainError> {
        self.advance().await?;
        let keys =
            [storage::account(account), storage::locks(account), storage::holds(account), storage::vesting(account)];
        let (block, values) = self.read_raw(&keys).await?;
        Ok(Balances {
            state: decode(&values, 0, "an account")?.unwrap_or_default(),
            locks: decode(&values, 1, "locks")?.unwrap_or_default(),
            holds: decode(&values, 2, "holds")?.unwrap_or_default(),
            vesting: decode(&values, 3, "a vesting")?.unwrap_or_default(),
            block,
        })
    }

    /// Who may act for an account, and the deposit for it.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn proxies(&self, account: &Account) -> Result<(Vec<ProxyDefinition>, Planck), ChainError> {
        Ok(self.one(storage::proxies(account), "proxies").await?.unwrap_or_default())
    }

    /// Who an account says that it is.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn identity(&self, account: &Account) -> Result<Option<IdentityRecord>, ChainError> {
        self.one(storage::identity(account), "an identity").await
    }

    /// A call of a shared account that waits for others to agree.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn multisig_call(
        &self,
        account: &Account,
        call: &phala_messages::Hash,
    ) -> Result<Option<MultisigCall>, ChainError> {
        self.one(storage::multisig_call(account, call), "a call that waits").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;

    fn balances(free: u128, reserved: u128, frozen: u128) -> Balances {
        let mut state = AccountState::default();
        (state.free, state.reserved, state.frozen) = (Planck(free * PHA), Planck(reserved * PHA), Planck(frozen * PHA));
        Balances { state, locks: vec![], holds: vec![], vesting: vec![], block: BlockRef::default() }
    }

    #[test]
    fn what_is_frozen_may_be_held_at_the_same_time() {
        assert_eq!(balances(100, 0, 0).spendable(), Planck(100 * PHA - PHA / 100));
        assert_eq!(balances(100, 0, 30).spendable(), Planck(70 * PHA));
        assert_eq!(balances(100, 20, 30).spendable(), Planck(90 * PHA));
        assert_eq!(balances(100, 50, 30).spendable(), Planck(100 * PHA - PHA / 100));
        assert_eq!(balances(10, 0, 30).spendable(), Planck(0));
    }

    #[test]
    fn what_has_vested_is_locked_until_somebody_says_so() {
        let mut balances = balances(100, 0, 60);
        balances.block.number.0 = 30;
        balances.vesting = vec![VestingSchedule { locked: 60 * PHA, per_block: PHA, from: 0 }];
        balances.locks = vec![Lock { id: *b"vesting ", amount: 60 * PHA, reasons: 1 }];
        assert_eq!((balances.unvested(), balances.to_vest()), (Planck(30 * PHA), Planck(30 * PHA)));
    }

    #[test]
    fn a_shared_account_is_the_same_in_whatever_order_its_signers_come() {
        let [a, b, c] = [1, 2, 3].map(|n| Account([n; 32]));
        assert_eq!(multisig_account(&[a, b, c], 2), multisig_account(&[c, a, b], 2));
        assert_ne!(multisig_account(&[a, b, c], 2), multisig_account(&[a, b, c], 3));
    }
}
