//! Assemble: the state machine that every validator re-executes.
//!
//! This is the only crate that names two pallets. It decides constants, orders transaction extensions,
//! lets pallets meet, and writes genesis.
//!
//! ```text
//! constants   times, amounts, limits
//! configs     each pallet's `Config`; where pallets meet
//! origins     the table of powers: who may do what
//! governance  council, committee, referenda, treasury
//! validators  election, offences, slashes
//! accounts    vesting, identity, proxies, multisig
//! token       where PHA starts, and where fees go
//! voting      staked PHA keeps its vote
//! work        sessions, the pools behind them, the programs they serve
//! credit      stake on programs, credit for their commands
//! apis        what nodes and clients may ask
//! genesis     presets: dev (1 validator), local (4), production
//! ```
//!
//! # Two builds
//! The default build is for development: it has sudo and may trust the development root of simulated TEEs.
//! With the feature `production` neither is compiled in, and a constant assertion (see [`configs`]) and the
//! registry's own check at run time keep it so.
#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "256"]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

pub mod accounts;
#[cfg(feature = "runtime-benchmarks")]
#[macro_use]
mod benchmarks;
pub mod apis;
pub mod configs;
pub mod constants;
pub mod credit;
pub mod genesis;
pub mod governance;
pub mod origins;
pub mod token;
pub mod validators;
pub mod voting;
pub mod work;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
    MultiAddress, MultiSignature, generic,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
};
use sp_version::RuntimeVersion;

#[cfg(feature = "std")]
pub use apis::RuntimeApi;

/// Proof of an account's intent.
pub type Signature = MultiSignature;
/// An account.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// An amount, in Planck.
pub type Balance = u128;
/// How many extrinsics an account has sent.
pub type Nonce = u32;
/// Blake2b-256.
pub type Hash = sp_core::H256;
/// Height.
pub type BlockNumber = u32;
/// How extrinsics name accounts.
pub type Address = MultiAddress<AccountId, ()>;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

/// What an extrinsic carries beside its call. The order is part of the wire format: see `phala_messages::calls`.
pub type TxExtension = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);
/// An extrinsic.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What a signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Runs blocks.
pub type Executive =
    frame_executive::Executive<Runtime, Block, frame_system::ChainContext<Runtime>, Runtime, AllPalletsWithSystem>;

/// Types that a node needs without knowing the calls inside extrinsics.
pub mod opaque {
    use super::*;
    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    /// A block's header.
    pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
    /// A block.
    pub type Block = generic::Block<Header, UncheckedExtrinsic>;

    sp_runtime::impl_opaque_keys! {
        /// A validator's keys for one session.
        pub struct SessionKeys {
            pub babe: pallet_babe::Pallet<super::Runtime>,
            pub grandpa: pallet_grandpa::Pallet<super::Runtime>,
        }
    }
}

/// Which runtime this is.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("phala"),
    impl_name: Cow::Borrowed("phala-in-rust"),
    authoring_version: 1,
    spec_version: 100,
    impl_version: 1,
    apis: apis::VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

frame_support::construct_runtime!(
    pub enum Runtime {
        System: frame_system = 0,
        Timestamp: pallet_timestamp = 1,
        Babe: pallet_babe = 2,
        Authorship: pallet_authorship = 4,
        Balances: pallet_balances = 5,
        TransactionPayment: pallet_transaction_payment = 6,
        // Staking comes before the session that asks it for validators.
        VoterList: pallet_bags_list::<Instance1> = 13,
        Staking: pallet_staking = 9,
        Offences: pallet_offences = 10,
        Session: pallet_session = 7,
        Historical: pallet_session::historical = 11,
        Grandpa: pallet_grandpa = 8,
        Vesting: pallet_vesting = 12,
        Utility: pallet_utility = 20,
        Multisig: pallet_multisig = 21,
        Proxy: pallet_proxy = 22,
        Identity: pallet_identity = 23,
        Preimage: pallet_preimage = 24,
        Scheduler: pallet_scheduler = 25,
        SafeMode: pallet_safe_mode = 26,
        Democracy: pallet_democracy = 30,
        Council: pallet_collective::<Instance1> = 31,
        TechnicalCommittee: pallet_collective::<Instance2> = 32,
        Elections: pallet_elections_phragmen = 33,
        TechnicalMembership: pallet_membership::<Instance1> = 34,
        Treasury: pallet_treasury = 35,
        Bounties: pallet_bounties = 36,
        ChildBounties: pallet_child_bounties = 37,
        Tips: pallet_tips = 38,
        #[cfg(not(feature = "production"))]
        Sudo: pallet_sudo = 40,
        Registry: pallet_registry = 50,
        Programs: pallet_programs = 51,
        Custody: pallet_custody = 52,
        Recovery: pallet_key_recovery = 53,
        Computation: pallet_computation = 60,
        Pools: pallet_pools = 61,
        Credit: pallet_credit = 62,
    }
);

// A network in one process: with times that can be waited for.
#[cfg(all(test, not(feature = "production")))]
mod lab;
#[cfg(test)]
mod tests_of_calls;
#[cfg(all(test, not(feature = "production")))]
mod tests_of_credit;
#[cfg(all(test, not(feature = "production")))]
mod tests_of_governance;
#[cfg(all(test, not(feature = "production")))]
mod tests_of_powers;
#[cfg(test)]
mod tests_of_reads;
#[cfg(all(test, not(feature = "production")))]
mod tests_of_token;
#[cfg(all(test, not(feature = "production")))]
mod tests_of_upgrade;
#[cfg(all(test, not(feature = "production")))]
mod tests_of_validators;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_custody;
#[cfg(test)]
mod tests_of_weights;
