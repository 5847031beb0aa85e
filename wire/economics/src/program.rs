//! What a program costs who runs it: the weight that stake gives, and the price of a command.
//!
//! Both are read before anything is sent: the price of a command follows from what the chain has written down, the sealed command's
//! size and the program's own limits. So an estimate is not an estimate; it is the price.

use phala_messages::{ProgramLimits, credit::CommandPrice};
use phala_units::{PHA, Planck};

/// Stake that gives one point of weight: 10 PHA.
pub const STAKE_PER_WEIGHT: Planck = Planck(10 * PHA);
/// The weight of a program that nobody has staked on: it is served like all others, last when there is a crowd.
pub const WEIGHT_MIN: u32 = 1;
/// The largest weight, at 99,990 PHA: nobody can buy so much that the others stand still.
pub const WEIGHT_MAX: u32 = 10_000;

/// The largest [`CommandPrice::base`].
pub const PRICE_BASE_MAX: Planck = Planck(1_000 * PHA);
/// The largest [`CommandPrice::per_byte`].
pub const PRICE_PER_BYTE_MAX: Planck = Planck(PHA);
/// The largest [`CommandPrice::per_million_fuel`].
pub const PRICE_PER_MILLION_FUEL_MAX: Planck = Planck(PHA);

/// Fuel that [`CommandPrice::per_million_fuel`] is for.
const FUEL_UNIT: u64 = 1_000_000;

/// A program's part of its cluster's processors, beside the parts of the other programs there.
///
/// ```text
/// weight = 1 + stake / 10 PHA, 10,000 at most
/// ```
///
/// # Rounding Down.
pub fn weight_of_stake(total: Planck) -> u32 {
    let points = total.0.checked_div(STAKE_PER_WEIGHT.0).unwrap_or_default();
    let weight = points.saturating_add(WEIGHT_MIN.into());
    u32::try_from(weight).map_or(WEIGHT_MAX, |weight| weight.min(WEIGHT_MAX))
}

/// Why a price is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// [`PRICE_BASE_MAX`].
    #[error("the base price of a command is at most {PRICE_BASE_MAX}")]
    Base,
    /// [`PRICE_PER_BYTE_MAX`].
    #[error("the price of a command's byte is at most {PRICE_PER_BYTE_MAX}")]
    PerByte,
    /// [`PRICE_PER_MILLION_FUEL_MAX`].
    #[error("the price of a million of fuel is at most {PRICE_PER_MILLION_FUEL_MAX}")]
    PerMillionFuel,
}

/// Whether governance may set this price.
///
/// # Errors The first part that is too large.
pub fn check_price(price: &CommandPrice) -> Result<(), PriceError> {
    if price.base > PRICE_BASE_MAX {
        return Err(PriceError::Base);
    }
    if price.per_byte > PRICE_PER_BYTE_MAX {
        return Err(PriceError::PerByte);
    }
    if price.per_million_fuel > PRICE_PER_MILLION_FUEL_MAX {
        return Err(PriceError::PerMillionFuel);
    }
    Ok(())
}

/// What a sealed command of so many bytes costs, of a program with these limits.
///
/// ```text
/// price = base + bytes × per_byte + ⌈command_fuel_max / 10⁶⌉ × per_million_fuel
/// ```
///
/// What is paid for is what the command may burn, not what it burns: a worker could claim any amount, and the price would be known only afterwards.
///
/// # Units Planck.
/// # Rounding Begun millions of fuel count whole; nothing else is divided. What exceeds all there is saturates, and no price that
/// [`check_price`] lets through comes near.
pub fn price_of_command(price: &CommandPrice, sealed_bytes: u32, limits: &ProgramLimits) -> Planck {
    let fuel_units = limits.command_fuel_max.div_ceil(FUEL_UNIT);
    let for_bytes = price.per_byte.0.saturating_mul(sealed_bytes.into());
    let for_fuel = price.per_million_fuel.0.saturating_mul(fuel_units.into());
    Planck(price.base.0.saturating_add(for_bytes).saturating_add(for_fuel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::limits::{COMMAND_FUEL_MAX, SEALED_COMMAND_BYTES_MAX};
    use proptest::prelude::*;

    fn fuel(command_fuel_max: u64) -> ProgramLimits {
        ProgramLimits { command_fuel_max, ..Default::default() }
    }

    fn dearest() -> CommandPrice {
        CommandPrice {
            base: PRICE_BASE_MAX,
            per_byte: PRICE_PER_BYTE_MAX,
            per_million_fuel: PRICE_PER_MILLION_FUEL_MAX,
        }
    }

    #[test]
    fn stake_gives_weight_from_one_to_its_limit() {
        let weights = [
            (0, 1),
            (STAKE_PER_WEIGHT.0 - 1, 1),
            (STAKE_PER_WEIGHT.0, 2),
            (2 * STAKE_PER_WEIGHT.0 - 1, 2),
            (99_990 * PHA - 1, WEIGHT_MAX - 1),
            (99_990 * PHA, WEIGHT_MAX),
            (99_990 * PHA + 1, WEIGHT_MAX),
            (u128::MAX, WEIGHT_MAX),
        ];
        for (stake, weight) in weights {
            assert_eq!(weight_of_stake(Planck(stake)), weight, "{stake}");
        }
    }

    #[test]
    fn a_price_is_the_sum_of_its_parts() {
        let price = CommandPrice { base: Planck(1_000), per_byte: Planck(7), per_million_fuel: Planck(11) };
        assert_eq!(price_of_command(&price, 48, &fuel(3_000_000)), Planck(1_000 + 48 * 7 + 3 * 11));
        assert_eq!(price_of_command(&price, 48, &fuel(3_000_001)), Planck(1_000 + 48 * 7 + 4 * 11));
        assert_eq!(price_of_command(&price, 0, &fuel(1)), Planck(1_000 + 11));
        assert_eq!(price_of_command(&CommandPrice::default(), u32::MAX, &fuel(u64::MAX)), Planck(0));
    }

    #[test]
    fn a_price_is_taken_at_its_limits_and_not_past_them() {
        assert_eq!(check_price(&dearest()), Ok(()));
        let past = |limit: Planck| Planck(limit.0 + 1);
        assert_eq!(check_price(&CommandPrice { base: past(PRICE_BASE_MAX), ..dearest() }), Err(PriceError::Base));
        let per_byte = past(PRICE_PER_BYTE_MAX);
        assert_eq!(check_price(&CommandPrice { per_byte, ..dearest() }), Err(PriceError::PerByte));
        let per_million_fuel = past(PRICE_PER_MILLION_FUEL_MAX);
        assert_eq!(check_price(&CommandPrice { per_million_fuel, ..dearest() }), Err(PriceError::PerMillionFuel));
    }

    #[test]
    fn the_dearest_command_does_not_saturate() {
        let most = price_of_command(&dearest(), SEALED_COMMAND_BYTES_MAX, &fuel(COMMAND_FUEL_MAX));
        assert_eq!(most, Planck((1_000 + 262_144 + 20_000) * PHA));
    }

    proptest! {
        #[test]
        fn more_never_costs_less(base in any::<u128>(), byte in any::<u128>(), unit in any::<u128>(), bytes in any::<u32>(), burnt in any::<u64>()) {
            let price = CommandPrice { base: Planck(base), per_byte: Planck(byte), per_million_fuel: Planck(unit) };
            let one = price_of_command(&price, bytes, &fuel(burnt));
            prop_assert!(one.0 >= base);
            prop_assert!(price_of_command(&price, bytes.saturating_add(1), &fuel(burnt)) >= one);
            prop_assert!(price_of_command(&price, bytes, &fuel(burnt.saturating_add(1))) >= one);
        }

        #[test]
        fn more_stake_never_weighs_less(stake in any::<u128>(), more in any::<u128>()) {
            prop_assert!(weight_of_stake(Planck(stake.saturating_add(more))) >= weight_of_stake(Planck(stake)));
        }
    }
}
