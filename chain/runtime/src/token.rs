//! PHA: where it starts, and where fees, slashes and dust go. None is made, none is destroyed.
//!
//! ```text
//! genesis   70 % rewards of computation · 15 % private sale · 9 % drop and auction · 5 % team, vested · 1 % test network
//! fee       80 % treasury · 20 % author of the block; tips: the author
//! slash, dust, forfeited bonds                                      treasury
//! era       a part of the validators' pot ─► owed to validators ─► claimed, page by page
//! ```

use crate::{AccountId, Balance, Balances, BlockNumber, Runtime, Treasury, constants::*};
use alloc::{vec, vec::Vec};
use frame_support::{
    PalletId,
    traits::{
        Imbalance, OnUnbalanced,
        fungible::{Balanced, Credit, Debt, Inspect, Mutate},
        tokens::{Fortitude, Preservation},
    },
};
use sp_runtime::traits::AccountIdConversion;

/// Pays computation.
pub const REWARDS: PalletId = PalletId(*b"phala/pp");
/// Pays validators and their nominators. Whoever wants them paid more fills it: the treasury, by vote.
pub const VALIDATORS_POT: PalletId = PalletId(*b"phala/vp");
/// What ended eras owe validators and nominators, until they claim it.
pub const VALIDATORS_DUE: PalletId = PalletId(*b"phala/vd");

/// The account of a pot: nobody has its key.
pub fn pot(id: PalletId) -> AccountId {
    id.into_account_truncating()
}

/// Who gets what at genesis. A chain specification may name others; the default has accounts without a key, which only a
/// referendum can move.
pub struct Allocation {
    /// 70 %: rewards of computation. It is to be the pot that pays them.
    pub rewards: AccountId,
    /// 15 %: private sale. Three fifths at once, the rest between the seventh and the thirteenth month.
    pub sale: AccountId,
    /// 9 %: drop and auction.
    pub drop: AccountId,
    /// 5 %: team. A fifth at once, the rest evenly over sixteen months.
    pub team: AccountId,
    /// 1 %: those who ran the test network. The treasury's least balance comes out of it.
    pub testers: AccountId,
}

impl Default for Allocation {
    fn default() -> Self {
        Self {
            rewards: pot(REWARDS),
            sale: pot(PalletId(*b"phala/sl")),
            drop: pot(PalletId(*b"phala/dr")),
            team: pot(PalletId(*b"phala/tm")),
            testers: pot(PalletId(*b"phala/tn")),
        }
    }
}

/// What is not free yet: who, from which block on, over how many blocks, and how much is free at once.
pub type Vested = (AccountId, BlockNumber, BlockNumber, Balance);

impl Allocation {
    /// What each starts with; the sum is [`SUPPLY`].
    pub fn balances(&self) -> Vec<(AccountId, Balance)> {
        let percent = |share: Balance| SUPPLY / 100 * share;
        vec![
            (self.rewards.clone(), percent(70)),
            (self.sale.clone(), percent(15)),
            (self.drop.clone(), percent(9)),
            (self.team.clone(), percent(5)),
            (self.testers.clone(), percent(1).saturating_sub(EXISTENTIAL_DEPOSIT)),
            (Treasury::account_id(), EXISTENTIAL_DEPOSIT),
        ]
    }

    /// What of it is vested.
    pub fn vesting(&self) -> Vec<Vested> {
        vec![
            (self.sale.clone(), 7 * MONTHS, 6 * MONTHS, SUPPLY / 100 * 15 / 5 * 3),
            (self.team.clone(), 0, 16 * MONTHS, SUPPLY / 100 * 5 / 5),
        ]
    }
}

frame_support::parameter_types! {
    /// The treasury's account.
    pub TreasuryAccount: AccountId = Treasury::account_id();
}

/// Takes what nobody owns any more: slashes, dust, forfeited bonds.
pub type ToTreasury = frame_support::traits::tokens::imbalance::ResolveTo<TreasuryAccount, Balances>;

/// Shares fees.
pub struct Fees;

impl OnUnbalanced<Credit<AccountId, Balances>> for Fees {
    fn on_unbalanceds(mut parts: impl Iterator<Item = Credit<AccountId, Balances>>) {
        let Some(fee) = parts.next() else { return };
        let (treasury, mut author) = fee.ration(FEES_TO_TREASURY, 100 - FEES_TO_TREASURY);
        if let Some(tip) = parts.next() {
            tip.merge_into(&mut author);
        }
        ToTreasury::on_unbalanced(treasury);
        // An author too poor for its account to exist gets nothing.
        let rest = match pallet_authorship::Pallet::<Runtime>::author() {
            Some(account) => Balances::resolve(&account, author).err(),
            None => Some(author),
        };
        if let Some(rest) = rest {
            ToTreasury::on_unbalanced(rest);
        }
    }
}

/// How fees are taken.
pub type Charge = pallet_transaction_payment::FungibleAdapter<Balances, Fees>;

/// What an era pays: a part of the validators' pot, laid aside until it is claimed.
pub struct FromPot;

impl sp_staking::EraPayout<Balance> for FromPot {
    fn era_payout(_staked: Balance, _issuance: Balance, _era_millis: u64) -> (Balance, Balance) {
        let from = pot(VALIDATORS_POT);
        let holds = Balances::reducible_balance(&from, Preservation::Preserve, Fortitude::Polite);
        let payout = holds.checked_div(ERA_PAYOUT_DIVISOR).unwrap_or_default();
        match Balances::transfer(&from, &pot(VALIDATORS_DUE), payout, Preservation::Preserve) {
            Ok(_) => (payout, 0),
            // Too little for an account to exist on.
            Err(_) => (0, 0),
        }
    }
}

/// Takes each payout out of what was laid aside for it, so that nothing is made.
pub struct FromDue;

impl OnUnbalanced<Debt<AccountId, Balances>> for FromDue {
    fn on_nonzero_unbalanced(payout: Debt<AccountId, Balances>) {
        if Balances::settle(&pot(VALIDATORS_DUE), payout, Preservation::Expendable).is_err() {
            frame_support::defensive!("an era never owes more than was laid aside");
        }
    }
}
