//! Price work: V, share, payout, slash as pure functions.
//!
//! # The problem
//! Workers stake, compute and are paid; stakers share what a worker earns. The original network computed who earns what outside its
//! chain, in one loop over all workers in each block, and had to be believed. Here the chain computes it, so it has to be cheap: the cost of
//! a heartbeat may not depend on how many workers there are, nor on how long ago the last one was.
//!
//! # The idea
//! A worker's *value* V stands for what it has at risk and what it cost to run. Between events V follows a rule that has a closed form, so nobody
//! touches it until somebody looks. Everything here is arithmetic: numbers in, numbers out.
//!
//! ```text
//!   stake ── initial_value ──→ V ──── Growth (idle) ────→ V, D ──┐
//!                              ↑      silent (offline) ─→ V      │
//!                              └───── value_after ←── Payout ←── split ←── owed ←── WorkIndex ←── Schedule
//!                                                       │                             ↑
//!                      owner ←── split ── SharePool ←───┘                        work_share (V, P)
//!                                            └── Counter ──→ Fill (withdrawals)
//! ```
//!
//! # Words
//! *score*: the result of a benchmark (P_init). *performance*: how fast a worker was lately (P_instant). *work share*: a worker's part in
//! the division of the budget; *shares*: parts of a pool. *D*: what V has grown by since the last payout.
//!
//! # Properties
//! - No floating point, no clock, no randomness, no loop over blocks or workers.
//! - No input panics; what is too large saturates or is refused, and each function says which.
//! - Rounding goes against who takes; what is left over stays where it was.
//! - The parts that are paid never exceed the whole.
//! - Where a closed form replaces the original's loop, the difference is bounded, stated and tested: [`LOOP_DEVIATION_STEPS_PER_BLOCK`].
//!
//! Why so: `docs/decisions/0017-economics-in-closed-form.md`.
#![cfg_attr(not(feature = "std"), no_std)]

mod budget;
mod commission;
mod confidence;
mod fixed;
mod growth;
mod lottery;
mod parameters;
mod payout;
mod performance;
mod pool;
mod program;
mod rate;
mod record;
mod session;
mod share;
mod slash;
mod stake;
mod wide;
mod withdrawal;
mod work;

pub use budget::{BUDGET_PER_BLOCK_MAX, PERIOD_BLOCKS_MIN, Schedule, ScheduleError};
pub use commission::{Commission, HighWater, NOTICE_BLOCKS, Rise, Split, split};
pub use confidence::Confidence;
pub use fixed::{Fixed, mul_div, mul_div_up};
pub use growth::{COMMUTE_DEVIATION_STEPS, Grown, Growth, LOOP_DEVIATION_STEPS_PER_BLOCK};
pub use lottery::{CHALLENGES_MAX, CHALLENGES_PER_HOUR, CHALLENGES_PER_HOUR_MAX, draw, is_hit, target};
pub use parameters::*;
pub use payout::{Payout, split as split_budget, value_after};
pub use performance::{Mark, Performance, SCORE_MAX, Score, cap as performance_cap, current, measure};
pub use pool::{
    BurnError, CONTRIBUTION_MIN, ContributeError, DUST_MAX, POOL_VALUE_MAX, RewardError, SHARES_MAX, SharePool, Shares,
};
pub use program::{
    PRICE_BASE_MAX, PRICE_PER_BYTE_MAX, PRICE_PER_MILLION_FUEL_MAX, PriceError, STAKE_PER_WEIGHT, WEIGHT_MAX,
    WEIGHT_MIN, check_price, price_of_command, weight_of_stake,
};
pub use rate::{PPM, Ppm, RateAboveWhole};
pub use record::{Holding, PoolKind, PoolRecord, Queue, Request, RequestId};
pub use session::{Answer, Session};
pub use share::{Earned, SumError, WorkIndex, WorkShare, part_of_budget, work_share};
pub use slash::{FaultLevel, silent, stake_returned};
pub use stake::{StakeError, admit, initial_value, stake_max, stake_min};
pub use withdrawal::{Counter, Fill};
pub use work::{Accrual, COOL_DOWN_MS_MAX, Cooling, PoolWork, SessionRecord, WorkRules, WorkRulesError};
