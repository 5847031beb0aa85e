//! Paying for programs: what a command costs and who pays for it, and the stake that gives a program weight. By proof.

use crate::{
    Client,
    client::{ChainError, decode},
};
use phala_economics::{price_of_command, weight_of_stake};
use phala_messages::{
    Account, BlockRef, ProgramId, ProgramLimits,
    credit::{CommandPrice, CreditRecord, LeavingStake, Payer, Reservation},
    storage,
};
use phala_units::Planck;

/// What pays for a program, as the chain keeps it.
#[derive(Clone, Copy, Debug)]
pub struct ProgramCredit {
    /// Which program.
    pub program: ProgramId,
    /// Who pays, and the program's credit.
    pub record: CreditRecord,
    /// What commands cost on this network.
    pub price: CommandPrice,
    /// All that is staked on the program.
    pub staked: Planck,
    /// The block at which this was read.
    pub block: BlockRef,
}

/// What one command costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandCost {
    /// Its price.
    pub price: Planck,
    /// Whose PHA that is: the program's credit, or the caller's own.
    pub payer: Payer,
}

impl CommandCost {
    /// What of it is the caller's own.
    pub fn own(&self) -> Planck {
        match self.payer {
            Payer::Owner => Planck(0),
            Payer::Caller => self.price,
        }
    }
}

impl From<&Reservation> for CommandCost {
    fn from(reservation: &Reservation) -> Self {
        let payer = if reservation.caller.is_some() { Payer::Caller } else { Payer::Owner };
        Self { price: reservation.amount, payer }
    }
}

impl ProgramCredit {
    /// What a command of so many sealed bytes costs now, and who would pay: the chain's own rule.
    pub fn cost(&self, sealed_bytes: u32, limits: &ProgramLimits) -> CommandCost {
        let price = price_of_command(&self.price, sealed_bytes, limits);
        let covered = self.record.payer == Payer::Owner && price <= self.record.free;
        CommandCost { price, payer: if covered { Payer::Owner } else { Payer::Caller } }
    }

    /// The program's part of its workers' processors, beside the parts of others.
    pub fn weight(&self) -> u32 {
        weight_of_stake(self.staked)
    }
}

/// What an account has staked on a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramStake {
    /// What gives weight.
    pub staked: Planck,
    /// What is on its way back.
    pub leaving: Option<LeavingStake>,
}

impl Client {
    /// What pays for a program. It need not exist any more.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn program_credit(&self, program: &ProgramId) -> Result<ProgramCredit, ChainError> {
        let keys = [storage::credit(program), storage::command_price(), storage::program_stake(program)];
        let (block, values) = self.read_raw(&keys).await?;
        Ok(ProgramCredit {
            program: *program,
            record: decode(&values, 0, "a program's credit")?.unwrap_or_default(),
            price: decode(&values, 1, "the price of commands")?.unwrap_or_default(),
            staked: decode(&values, 2, "a program's stake")?.unwrap_or_default(),
            block,
        })
    }

    /// What an account has staked on a program.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn program_stake(&self, program: &ProgramId, account: &Account) -> Result<ProgramStake, ChainError> {
        let keys = [storage::stake(program, account), storage::leaving_stake(program, account)];
        let (_, values) = self.read_raw(&keys).await?;
        Ok(ProgramStake {
            staked: decode(&values, 0, "stake on a program")?.unwrap_or_default(),
            leaving: decode(&values, 1, "stake on its way back")?,
        })
    }

    /// What is laid aside for a command in the state of `block`; none if it was free.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn reservation(
        &self,
        program: &ProgramId,
        command: u64,
        block: BlockRef,
    ) -> Result<Option<Reservation>, ChainError> {
        let values = self.read_raw_at(block, &[storage::reservation(program, command)]).await?;
        decode(&values, 0, "what is laid aside for a command")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(payer: Payer, free: u128) -> ProgramCredit {
        ProgramCredit {
            program: ProgramId([1; 32]),
            record: CreditRecord { payer, free: Planck(free), reserved: Planck(0) },
            price: CommandPrice { base: Planck(10), per_byte: Planck(1), per_million_fuel: Planck(2) },
            staked: Planck(25 * phala_units::PHA),
            block: BlockRef::default(),
        }
    }

    #[test]
    fn the_program_pays_while_its_credit_lasts_and_its_owner_lets_it() {
        let limits = ProgramLimits { command_fuel_max: 3_000_000, ..Default::default() };
        let price = Planck(10 + 100 + 6);
        for (payer, free, pays) in [
            (Payer::Owner, 116, Payer::Owner),
            (Payer::Owner, 115, Payer::Caller),
            (Payer::Caller, 1_000, Payer::Caller),
        ] {
            let cost = credit(payer, free).cost(100, &limits);
            assert_eq!(cost, CommandCost { price, payer: pays });
            assert_eq!(cost.own(), if pays == Payer::Owner { Planck(0) } else { price });
        }
    }

    #[test]
    fn stake_weighs() {
        assert_eq!(credit(Payer::Owner, 0).weight(), 3);
    }
}
