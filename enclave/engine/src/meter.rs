//! Fuel for what the host does on a program's behalf.
//!
//! WebAssembly instructions are counted by the machine code itself. Host functions cost nothing there, so a
//! command could make the host copy megabytes for a handful of instructions. They are charged here, by their
//! bytes, and the two sums are held against one limit.

use crate::call::{CallError, Mode};

/// What calling any metered host function costs.
const CALL_FUEL: u64 = 500;
/// Bytes that the host copies or hashes for one unit of fuel.
const BYTES_PER_FUEL: u64 = 4;
/// A program gives way to others whenever it has used this much: about a millisecond.
pub(crate) const YIELD_FUEL: u64 = 1_000_000;

/// Counts fuel of host functions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    limit: Option<u64>,
    host_fuel: u64,
}

impl Meter {
    /// A command is limited to `command_fuel_max`; a query is limited in time instead.
    pub(crate) fn new(mode: &Mode, command_fuel_max: u64) -> Self {
        let limit = matches!(mode, Mode::Command { .. }).then_some(command_fuel_max);
        Self { limit, host_fuel: 0 }
    }

    /// What to fill the tank with. A command's holds a little more than it may use: machine code looks at the
    /// tank only at loops and calls and may run it dry in between, which must not hide how much was used.
    pub(crate) fn tank(&self) -> u64 {
        self.limit.map_or(u64::MAX, |limit| limit.saturating_add(YIELD_FUEL))
    }

    /// That everything is used.
    pub(crate) fn exhausted(&self) -> CallError {
        CallError::OutOfFuel(self.limit.unwrap_or(u64::MAX))
    }

    /// Counts one host call that moved `bytes`.
    ///
    /// # Errors
    /// [`CallError::OutOfFuel`] when host functions alone have used everything.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), CallError> {
        self.charge_work(CALL_FUEL + bytes as u64 / BYTES_PER_FUEL)
    }

    /// Counts work of the host that does not go by bytes.
    ///
    /// # Errors
    /// As [`Self::charge`].
    pub(crate) fn charge_work(&mut self, fuel: u64) -> Result<(), CallError> {
        self.host_fuel = self.host_fuel.saturating_add(fuel);
        match self.limit {
            Some(limit) if self.host_fuel > limit => Err(CallError::OutOfFuel(limit)),
            _ => Ok(()),
        }
    }

    /// Everything used, when the tank holds `rest`.
    ///
    /// # Errors
    /// [`CallError::OutOfFuel`] when instructions and host functions together have used more than there was.
    pub(crate) fn total(&self, rest: u64) -> Result<u64, CallError> {
        let total = self.tank().saturating_sub(rest).saturating_add(self.host_fuel);
        match self.limit {
            Some(limit) if total > limit => Err(CallError::OutOfFuel(limit)),
            _ => Ok(total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::UnixMillis;

    const COMMAND: Mode = Mode::Command { index: 0, time: UnixMillis(0), seed: [0; 32] };

    #[test]
    fn a_command_pays_for_instructions_and_host_work_together() {
        let mut meter = Meter::new(&COMMAND, 10_000);
        meter.charge(4_000).expect("1,500 of 10,000");
        let left = |used| meter.tank() - used;
        assert_eq!(meter.total(left(5_000)), Ok(6_500));
        assert_eq!(meter.total(left(8_500)), Ok(10_000));
        assert_eq!(meter.total(left(8_501)), Err(CallError::OutOfFuel(10_000)));
        assert_eq!(meter.total(0), Err(CallError::OutOfFuel(10_000)));
    }

    #[test]
    fn host_work_alone_can_exhaust_a_command() {
        let mut meter = Meter::new(&COMMAND, 1_000);
        meter.charge(2_000).expect("exactly 1,000");
        assert_eq!(meter.charge(0), Err(CallError::OutOfFuel(1_000)));
    }

    #[test]
    fn a_query_has_no_limit_on_fuel() {
        let mut meter = Meter::new(&Mode::Query, 1);
        meter.charge(usize::MAX).expect("no limit");
        assert!(meter.total(0).is_ok());
    }
}
