//! The inbox: commands of one program in the chain's order.
//!
//! # Properties
//! - Commands leave in ascending order of their index, each once, without a gap.
//! - What is behind the program's version is never taken again.

use phala_messages::CommandRecord;
use std::collections::VecDeque;

/// A command was skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("command {got} arrived where {expected} must be next")]
pub struct Gap {
    /// What must be next.
    pub expected: u64,
    /// What came.
    pub got: u64,
}

/// Commands of one program that wait.
#[derive(Debug, Default)]
pub struct Inbox {
    first: u64,
    waiting: VecDeque<CommandRecord>,
}

impl Inbox {
    /// An inbox of a program that has answered `version` commands.
    pub const fn new(version: u64) -> Self {
        Self { first: version, waiting: VecDeque::new() }
    }

    /// The index that must be put next.
    pub fn next(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// Index of the command that leaves next.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts the command at `index`. One that was put before is ignored.
    ///
    /// # Errors
    /// [`Gap`] when one before it is missing.
    pub fn put(&mut self, index: u64, command: CommandRecord) -> Result<(), Gap> {
        let expected = self.next();
        if index > expected {
            return Err(Gap { expected, got: index });
        }
        if index == expected {
            self.waiting.push_back(command);
        }
        Ok(())
    }

    /// Takes the next command.
    pub fn take(&mut self) -> Option<(u64, CommandRecord)> {
        let command = self.waiting.pop_front()?;
        let index = self.first;
        self.first += 1;
        Some((index, command))
    }

    /// Starts over at `version`: after a restart of the program's keeper, or when the chain is ahead.
    pub fn restart_at(&mut self, version: u64) {
        if version >= self.first && version <= self.next() {
            self.waiting.drain(..(version - self.first) as usize);
        } else {
            self.waiting.clear();
        }
        self.first = version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::Account;
    use phala_units::{BlockNumber, Planck, UnixMillis};
    use proptest::prelude::*;

    fn command(n: u64) -> CommandRecord {
        CommandRecord {
            caller: Account([0; 32]),
            block: BlockNumber(0),
            time: UnixMillis(n),
            deposit: Planck(0),
            sealed: Default::default(),
        }
    }

    proptest! {
        /// However the chain's reads overlap or repeat, commands leave in order, each once.
        #[test]
        fn commands_leave_in_order_without_gaps_or_repeats(
            version in 0u64..10, reads in proptest::collection::vec((0u64..30, 0u64..10, 0usize..5), 0..40)
        ) {
            let mut inbox = Inbox::new(version);
            let mut left = version;
            for (start, count, takes) in reads {
                for index in start..start + count {
                    let expected = inbox.next();
                    prop_assert_eq!(inbox.put(index, command(index)).is_err(), index > expected);
                }
                for _ in 0..takes {
                    if let Some((index, record)) = inbox.take() {
                        prop_assert_eq!(index, left);
                        prop_assert_eq!(record.time.0, left);
                        left += 1;
                    }
                }
            }
        }
    }

    #[test]
    fn starting_over_keeps_what_is_still_ahead() {
        let mut inbox = Inbox::new(0);
        (0..5).for_each(|n| inbox.put(n, command(n)).unwrap());
        inbox.restart_at(3);
        assert_eq!((inbox.first(), inbox.len()), (3, 2));
        assert_eq!(inbox.take().unwrap().1.time.0, 3);
        inbox.restart_at(1);
        assert_eq!((inbox.first(), inbox.len(), inbox.next()), (1, 0, 1));
        inbox.restart_at(9);
        assert_eq!(inbox.next(), 9);
    }
}
