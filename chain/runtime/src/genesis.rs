//! Genesis: what a network starts from.
//!
//! | preset | validators | for |
//! |---|---|---|
//! | `dev` | Alice | one process on one machine; the default |
//! | `local` | Alice, Bob, Charlie, Dave | finality that needs agreement |
//! | `production` | none: the chain specification must name them | the network that counts |
//!
//! `dev` and `local` trust the development root of simulated TEEs and have sudo (Alice); they exist in the
//! default build only. `production` trusts Intel's root and exists in the `production` build only. No preset
//! lists measurements: whoever makes a chain specification lists those of the worker it built
//! (`registry.measurements`: pairs of role and measurement). `custody.parameters` of `dev` are fast, those of the others are
//! [`CUSTODY`] but for the number of gatekeepers.
//!
//! `production` gives all PHA to accounts without keys ([`crate::token::Allocation`]): a chain specification names people in
//! `balances` and `vesting` instead, and validators in `staking.stakers` and `session.keys`, a council in `elections.members`, a
//! committee in `technicalMembership.members`. What it leaves as it is only a referendum can move.

use crate::constants::*;
use alloc::{vec, vec::Vec};
use phala_messages::{credit::CommandPrice, custody::Parameters, recovery::RecoveryParameters};
use phala_units::{PHA, Planck};
use serde_json::{Value, json};
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_genesis_builder::PresetId;

/// How slots are given to validators.
pub const EPOCH_CONFIGURATION: BabeEpochConfiguration =
    BabeEpochConfiguration { c: PRIMARY_PROBABILITY, allowed_slots: AllowedSlots::PrimaryAndSecondaryPlainSlots };

/// The times and amounts of custody: gatekeepers refresh their key shares every hour, and a bond is released a week after
/// its gatekeeper left.
pub const CUSTODY: Parameters = Parameters {
    members: 7,
    members_min: 4,
    bond: Planck(GATEKEEPER_BOND),
    refresh_blocks: HOURS,
    dealing_blocks: MINUTES,
    confirming_blocks: MINUTES,
    reporting_blocks: MINUTES,
    retry_blocks: 5,
    release_blocks: 7 * 24 * HOURS,
};

/// The times of recovery: a day in which a ceremony can be stopped, a week in which it must succeed.
pub const RECOVERY: RecoveryParameters =
    RecoveryParameters { delay_blocks: 24 * HOURS, silence_blocks: 4 * HOURS, lapse_blocks: 7 * 24 * HOURS };

/// What commands cost on the network that counts: one of a kibibyte, to a program with the usual limits, 0.0031 PHA. Development
/// networks take nothing.
pub const COMMAND_PRICE: CommandPrice = CommandPrice {
    base: Planck(PHA / 1_000),
    per_byte: Planck(PHA / 10_000_000),
    per_million_fuel: Planck(PHA / 1_000_000),
};

/// Part of a slash that goes to whoever reported it.
pub const SLASH_REWARD: sp_runtime::Perbill = sp_runtime::Perbill::from_percent(10);

#[cfg(not(feature = "production"))]
mod development {
    use super::*;
    use crate::{AccountId, opaque::SessionKeys, token};
    use phala_evidence::DEVELOPMENT_ROOT_DER;
    use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

    /// What each development account starts with.
    const ENDOWMENT: u128 = 1_000_000 * PHA;

    /// What each validator of a development network stakes.
    const STAKE: u128 = 100_000 * PHA;

    /// Small and fast, so that a refresh can be watched: four gatekeepers make a key, two can keep it, a phase ends within
    /// half a minute, and key shares are refreshed every minute.
    const CUSTODY_DEV: Parameters = Parameters {
        members: 4,
        members_min: 2,
        refresh_blocks: MINUTES,
        dealing_blocks: 15,
        confirming_blocks: 15,
        reporting_blocks: 15,
        retry_blocks: 2,
        release_blocks: 10 * MINUTES,
        ..CUSTODY
    };
    /// So fast that a ceremony can be watched: a root is lost after three refreshes that came to nothing.
    const RECOVERY_DEV: RecoveryParameters =
        RecoveryParameters { delay_blocks: 15, silence_blocks: 3 * MINUTES, lapse_blocks: HOURS };
    /// As many gatekeepers as validators; everything else as it counts.
    const CUSTODY_LOCAL: Parameters = Parameters { members: 4, members_min: 3, ..CUSTODY };

    /// Stake comes back two minutes after its worker has stopped.
    const COOL_DOWN_MS_DEV: u64 = 120_000;
    /// A worker is asked, and paid, about once a minute.
    const CHALLENGES_PER_HOUR_DEV: u32 = 60;

    pub fn preset(
        validators: &[(Sr25519Keyring, Ed25519Keyring)],
        custody: Parameters,
        recovery: RecoveryParameters,
    ) -> Value {
        let people = Sr25519Keyring::well_known().map(|key| (key.to_account_id(), ENDOWMENT));
        let pots =
            [(token::pot(token::REWARDS), SUPPLY / 100 * 70), (token::TreasuryAccount::get(), EXISTENTIAL_DEPOSIT)];
        let balances: Vec<(AccountId, u128)> = people.chain(pots).collect();
        let keys: Vec<_> = validators
            .iter()
            .map(|(account, finality)| {
                let id = account.to_account_id();
                let keys = SessionKeys { babe: account.public().into(), grandpa: finality.public().into() };
                (id.clone(), id, keys)
            })
            .collect();
        json!({
            "balances": { "balances": balances },
            "babe": { "epochConfig": EPOCH_CONFIGURATION },
            "session": { "keys": keys },
            "staking": {
                "validatorCount": validators.len(),
                // None is unseated while the others are too few: a development network may be stopped and started again.
                "minimumValidatorCount": validators.len(),
                "slashRewardFraction": SLASH_REWARD,
                "stakers": validators.iter().map(|(account, _)| {
                    let stash = account.to_account_id();
                    (stash.clone(), stash, STAKE, pallet_staking::StakerStatus::<AccountId>::Validator)
                }).collect::<Vec<_>>(),
            },
            "sudo": { "key": Sr25519Keyring::Alice.to_account_id() },
            "registry": { "root": { "root": "development", "certificate": hex::encode(DEVELOPMENT_ROOT_DER) } },
            "custody": { "parameters": custody },
            "recovery": { "parameters": recovery },
            "computation": { "coolDownMs": COOL_DOWN_MS_DEV, "perHour": CHALLENGES_PER_HOUR_DEV },
        })
    }

    pub fn named(id: &str) -> Option<Value> {
        use Ed25519Keyring as E;
        use Sr25519Keyring as S;
        match id {
            "dev" | sp_genesis_builder::DEV_RUNTIME_PRESET => {
                Some(preset(&[(S::Alice, E::Alice)], CUSTODY_DEV, RECOVERY_DEV))
            }
            "local" | sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET => {
                let all = [(S::Alice, E::Alice), (S::Bob, E::Bob), (S::Charlie, E::Charlie), (S::Dave, E::Dave)];
                Some(preset(&all, CUSTODY_LOCAL, RECOVERY))
            }
            _ => None,
        }
    }

    pub fn names() -> Vec<PresetId> {
        vec![PresetId::from("dev"), PresetId::from("local")]
    }
}

#[cfg(feature = "production")]
mod production {
    use super::*;
    use phala_evidence::INTEL_ROOT_DER;

    /// Least stake of a nominator.
    const NOMINATOR_BOND_MIN: u128 = 10 * PHA;
    /// Least stake of a validator.
    const VALIDATOR_BOND_MIN: u128 = 10_000 * PHA;

    pub fn named(id: &str) -> Option<Value> {
        (id == "production").then(|| {
            let allocation = crate::token::Allocation::default();
            json!({
                "balances": { "balances": allocation.balances() },
                "vesting": { "vesting": allocation.vesting() },
                "staking": {
                    "validatorCount": 20,
                    "minimumValidatorCount": 4,
                    "slashRewardFraction": SLASH_REWARD,
                    "minNominatorBond": NOMINATOR_BOND_MIN,
                    "minValidatorBond": VALIDATOR_BOND_MIN,
                },
                "babe": { "epochConfig": EPOCH_CONFIGURATION },
                "registry": { "root": { "root": "intel", "certificate": hex::encode(INTEL_ROOT_DER) } },
                "custody": { "parameters": CUSTODY },
                "recovery": { "parameters": RECOVERY },
                "credit": { "price": COMMAND_PRICE },
            })
        })
    }

    pub fn names() -> Vec<PresetId> {
        vec![PresetId::from("production")]
    }
}

#[cfg(not(feature = "production"))]
use development as build;
#[cfg(feature = "production")]
use production as build;

/// The preset of that name, as JSON.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
    build::named(id.as_ref()).map(|value| alloc::format!("{value}").into_bytes())
}

/// Presets of this build.
pub fn names() -> Vec<PresetId> {
    build::names()
}
