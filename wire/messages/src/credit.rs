//! Paying for computation: stake that gives a program weight, credit that its commands are paid from.
//!
//! ```text
//! anyone  → chain: Stake, Unstake, WithdrawUnstaked   this program matters so much to me
//! anyone  → chain: TopUp                              its commands are paid for
//! owner   → chain: SetPayer, WithdrawCredit           who pays; what is left over is mine
//! chain:           CommandPrice ──(order)──► Reservation ──(answer)──► spent    or back to who paid
//! ```
//!
//! What stake and price come to, `phala_economics` computes.

use crate::ids::{Account, ProgramId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, Planck};
use scale_info::TypeInfo;

/// What a command costs. `phala_economics::price_of_command` adds it up.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct CommandPrice {
    /// For any command.
    pub base: Planck,
    /// For each byte, as it lies on chain, sealed.
    pub per_byte: Planck,
    /// For each million of fuel that the program's manifest allows a command, begun ones included.
    pub per_million_fuel: Planck,
}

/// Whose PHA a program's commands are paid with: its owner's choice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Payer {
    /// The program's credit; while that is too little, whoever calls.
    #[default]
    #[codec(index = 0)]
    Owner,
    /// Whoever calls.
    #[codec(index = 1)]
    Caller,
}

/// A program's credit, as the chain keeps it. None stands for the default.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct CreditRecord {
    /// Who pays.
    pub payer: Payer,
    /// What can be reserved, or taken back by the owner.
    pub free: Planck,
    /// What is reserved for commands that wait for their answer.
    pub reserved: Planck,
}

/// What was laid aside for one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Reservation {
    /// Its price when it was ordered, whatever the price is now.
    pub amount: Planck,
    /// The caller, if the caller paid. None: the program's credit did.
    pub caller: Option<Account>,
    /// The block that ordered it.
    pub since: BlockNumber,
}

/// Stake on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct LeavingStake {
    /// How much.
    pub amount: Planck,
    /// The first block in which it can be had.
    pub free_from: BlockNumber,
}

/// Calls of `pallet-credit`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Credit {
    /// Stakes on a program.
    #[codec(index = 0)]
    Stake {
        /// Which.
        program: ProgramId,
        /// How much more.
        amount: Planck,
    },
    /// Takes stake off a program; it is free again after a delay.
    #[codec(index = 1)]
    Unstake {
        /// Which.
        program: ProgramId,
        /// How much.
        amount: Planck,
    },
    /// Takes back what has waited for long enough.
    #[codec(index = 2)]
    WithdrawUnstaked {
        /// Off which program it came.
        program: ProgramId,
    },
    /// Adds to a program's credit.
    #[codec(index = 3)]
    TopUp {
        /// Which.
        program: ProgramId,
        /// How much.
        amount: Planck,
    },
    /// The owner takes credit back.
    #[codec(index = 4)]
    WithdrawCredit {
        /// Of which program.
        program: ProgramId,
        /// How much.
        amount: Planck,
    },
    /// The owner says who pays.
    #[codec(index = 5)]
    SetPayer {
        /// For which program's commands.
        program: ProgramId,
        /// Who.
        payer: Payer,
    },
    /// Anyone sends back what was laid aside for a command that nobody has answered for too long.
    #[codec(index = 6)]
    RefundLate {
        /// To which program.
        program: ProgramId,
        /// The command.
        command: u64,
    },
    /// Governance sets the price.
    #[codec(index = 7)]
    SetPrice {
        /// All of it.
        price: CommandPrice,
    },
}
