//! A thief has one machine at a time, and does what one can do who holds a machine without being able to look into its TEE.

use crate::{
    chain::id,
    common::{Blobs, LabVault},
    world::{Faults, World, stored_epoch},
};
use phala_messages::custody::place_of;
use phala_units::BlockNumber;

/// Disks that are kept of the victim.
const KEPT_MAX: usize = 6;

/// Whose machine it is, and what its disk looked like at times.
#[derive(Default)]
pub struct Thief {
    victim: Option<usize>,
    kept: Vec<Blobs>,
}

impl World {
    /// The thief does something.
    pub fn steal(&mut self) {
        let gatekeepers = self.registered.len();
        if self.all_is_well() && self.chance.percent(30) {
            self.thief = Thief::default();
            self.nodes.truncate(gatekeepers);
        }
        let victim = match self.thief.victim {
            Some(victim) => victim,
            None => self.chance.below(gatekeepers as u64) as usize,
        };
        self.thief.victim = Some(victim);
        let now = self.nodes[self.registered_node(victim)].vault.contents();
        if self.thief.kept.len() < KEPT_MAX {
            self.thief.kept.push(now);
        }
        let old = self.thief.kept[self.chance.below(self.thief.kept.len() as u64) as usize].clone();
        match self.chance.below(5) {
            0 => {
                self.crash(victim);
                self.nodes[victim].vault.put_back(old);
            }
            1 | 2 => {
                self.nodes.truncate(gatekeepers);
                let copy = self.add(victim, LabVault::with(old));
                self.start(copy);
            }
            3 => {
                self.crash(victim);
                self.start(victim);
            }
            _ => {
                let until = self.block.saturating_add(5 + self.chance.below(25) as u32);
                let processes = self.nodes.iter_mut().filter(|node| node.of == victim);
                processes.for_each(|node| node.deaf_until = until);
            }
        }
    }

    /// The node whose process the chain knows this gatekeeper by, or last did.
    fn registered_node(&self, of: usize) -> usize {
        let is_it = |n: &usize| self.nodes[*n].of == of && self.nodes[*n].start == self.registered[of].start;
        (0..self.nodes.len()).find(is_it).unwrap_or(of)
    }

    /// Whether every member has its key share on its own disk and no round runs: then the thief may go to another one. Before, two
    /// of four would have lost theirs.
    fn all_is_well(&self) -> bool {
        let Some(epoch) = self.custody.epoch() else { return false };
        let idle = self.custody.round().is_none_or(|(record, _)| record.phase.is_over());
        let has_share = |of: usize| {
            let is_member = place_of(&epoch.members, &id(of)).is_some();
            !is_member || stored_epoch(of, &self.nodes[of].vault) == Some(epoch.epoch)
        };
        idle && (0..self.registered.len()).all(has_share)
    }

    /// Whether somebody's machine has been the thief's lately.
    pub fn was_robbed(&self) -> bool {
        self.thief.victim.is_some()
    }

    /// Nothing goes wrong any more; every gatekeeper runs on its own machine.
    pub fn heal(&mut self) {
        self.faults = Faults::default();
        self.cut.clear();
        self.thief = Thief::default();
        self.nodes.truncate(self.registered.len());
        for n in 0..self.nodes.len() {
            self.nodes[n].deaf_until = BlockNumber(0);
            if self.nodes[n].start != self.registered[n].start {
                self.crash(n);
            }
        }
    }
}
