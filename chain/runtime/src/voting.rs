//! Votes weigh what an account owns, staked or not.
//!
//! Staked PHA is on hold, and democracy and elections count what is free. This currency counts both, and is the chain's own
//! in everything else. A vote's lock lies over held PHA too, so unbonding does not free it before the vote's time is over.

use crate::{AccountId, Balance, Balances, BlockNumber, RuntimeHoldReason};
use frame_support::traits::{
    BalanceStatus, Currency, ExistenceRequirement, Get, LockIdentifier, LockableCurrency, ReservableCurrency,
    SignedImbalance, WithdrawReasons, fungible::InspectHold,
};
use sp_runtime::{DispatchError, DispatchResult};

/// The chain's currency, in which staked PHA keeps its vote.
pub struct Voting;

type Positive = <Balances as Currency<AccountId>>::PositiveImbalance;
type Negative = <Balances as Currency<AccountId>>::NegativeImbalance;

impl Voting {
    fn staked(who: &AccountId) -> Balance {
        let reasons: [RuntimeHoldReason; 2] =
            [pallet_staking::HoldReason::Staking.into(), pallet_credit::HoldReason::ProgramStake.into()];
        reasons.iter().fold(0, |sum, reason| sum.saturating_add(Balances::balance_on_hold(reason, who)))
    }
}

impl Currency<AccountId> for Voting {
    type Balance = Balance;
    type PositiveImbalance = Positive;
    type NegativeImbalance = Negative;

    /// What can vote: all that is free, and all that is staked.
    fn free_balance(who: &AccountId) -> Balance {
        <Balances as Currency<AccountId>>::free_balance(who).saturating_add(Self::staked(who))
    }

    fn total_balance(who: &AccountId) -> Balance {
        <Balances as Currency<AccountId>>::total_balance(who)
    }
    fn can_slash(who: &AccountId, value: Balance) -> bool {
        Balances::can_slash(who, value)
    }
    fn total_issuance() -> Balance {
        <Balances as Currency<AccountId>>::total_issuance()
    }
    fn active_issuance() -> Balance {
        <Balances as Currency<AccountId>>::active_issuance()
    }
    fn deactivate(amount: Balance) {
        <Balances as Currency<AccountId>>::deactivate(amount)
    }
    fn reactivate(amount: Balance) {
        <Balances as Currency<AccountId>>::reactivate(amount)
    }
    fn minimum_balance() -> Balance {
        <Balances as Currency<AccountId>>::minimum_balance()
    }
    fn burn(amount: Balance) -> Positive {
        <Balances as Currency<AccountId>>::burn(amount)
    }
    fn issue(amount: Balance) -> Negative {
        <Balances as Currency<AccountId>>::issue(amount)
    }
    fn ensure_can_withdraw(who: &AccountId, amount: Balance, reasons: WithdrawReasons, new: Balance) -> DispatchResult {
        Balances::ensure_can_withdraw(who, amount, reasons, new)
    }
    fn transfer(from: &AccountId, to: &AccountId, value: Balance, existence: ExistenceRequirement) -> DispatchResult {
        <Balances as Currency<AccountId>>::transfer(from, to, value, existence)
    }
    fn slash(who: &AccountId, value: Balance) -> (Negative, Balance) {
        <Balances as Currency<AccountId>>::slash(who, value)
    }
    fn deposit_into_existing(who: &AccountId, value: Balance) -> Result<Positive, DispatchError> {
        Balances::deposit_into_existing(who, value)
    }
    fn deposit_creating(who: &AccountId, value: Balance) -> Positive {
        Balances::deposit_creating(who, value)
    }
    fn withdraw(
        who: &AccountId,
        value: Balance,
        reasons: WithdrawReasons,
        existence: ExistenceRequirement,
    ) -> Result<Negative, DispatchError> {
        <Balances as Currency<AccountId>>::withdraw(who, value, reasons, existence)
    }
    fn make_free_balance_be(who: &AccountId, balance: Balance) -> SignedImbalance<Balance, Positive> {
        Balances::make_free_balance_be(who, balance)
    }
}

impl ReservableCurrency<AccountId> for Voting {
    fn can_reserve(who: &AccountId, value: Balance) -> bool {
        Balances::can_reserve(who, value)
    }
    fn slash_reserved(who: &AccountId, value: Balance) -> (Negative, Balance) {
        Balances::slash_reserved(who, value)
    }
    fn reserved_balance(who: &AccountId) -> Balance {
        Balances::reserved_balance(who)
    }
    fn reserve(who: &AccountId, value: Balance) -> DispatchResult {
        Balances::reserve(who, value)
    }
    fn unreserve(who: &AccountId, value: Balance) -> Balance {
        Balances::unreserve(who, value)
    }
    fn repatriate_reserved(
        slashed: &AccountId,
        beneficiary: &AccountId,
        value: Balance,
        status: BalanceStatus,
    ) -> Result<Balance, DispatchError> {
        Balances::repatriate_reserved(slashed, beneficiary, value, status)
    }
}

/// How many locks an account may have: the chain's own limit.
pub struct LocksMax;

impl Get<u32> for LocksMax {
    fn get() -> u32 {
        <Balances as LockableCurrency<AccountId>>::MaxLocks::get()
    }
}

impl LockableCurrency<AccountId> for Voting {
    type Moment = BlockNumber;
    type MaxLocks = LocksMax;

    fn set_lock(id: LockIdentifier, who: &AccountId, amount: Balance, reasons: WithdrawReasons) {
        Balances::set_lock(id, who, amount, reasons)
    }
    fn extend_lock(id: LockIdentifier, who: &AccountId, amount: Balance, reasons: WithdrawReasons) {
        Balances::extend_lock(id, who, amount, reasons)
    }
    fn remove_lock(id: LockIdentifier, who: &AccountId) {
        Balances::remove_lock(id, who)
    }
}
