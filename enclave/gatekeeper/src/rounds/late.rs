//! Late: a round is over, the chain counts its epoch, and this gatekeeper lacks its key share.
//!
//! It was cut off, or stood still, when the others finished. While the round is the newest, the others keep the logs for it. When
//! the next one has begun they have erased them; what lies on this gatekeeper's own disk may still be enough, and has to be used
//! before it enters the next round: where a third of the members loses a key share to a thief, no honest one may lose its own to
//! a moment's outage.

use super::{Names, Rounds};
use crate::{doubt::Doubt, view::View};
use phala_messages::custody::{EpochNumber, RootGeneration, RoundRecord};

/// For so many blocks after a round, logs stay for players that were cut off: about two minutes.
pub const LATE_BLOCKS: u32 = 60;

/// Whether others still keep the logs of the round that `epoch` came from, if no other round has begun.
pub(super) fn in_time(view: &View, epoch: EpochNumber) -> bool {
    view.epochs.get(&epoch).is_some_and(|epoch| view.block.number.since(epoch.since) <= LATE_BLOCKS)
}

impl Rounds {
    /// Goes on in a round that is not the newest any more, if it is the one that this gatekeeper was in and its epoch is current.
    pub(super) fn catch_up(&mut self, view: &View) -> Result<(), Doubt> {
        let Some(mark) = self.mark.filter(|mark| !mark.closed) else { return Ok(()) };
        let Some(seen) = view.missed.iter().find(|seen| seen.record.number == mark.number) else { return Ok(()) };
        if self.attempt.as_ref().is_none_or(|attempt| attempt.number != mark.number) {
            self.enter(view, seen)?;
        }
        self.go_on(view, seen)
    }

    /// Whether this gatekeeper should hold a key share of `epoch` and does not.
    pub(super) fn is_late(&self, view: &View, root: RootGeneration, epoch: EpochNumber) -> bool {
        let current = view.roots.get(&root).and_then(|seen| seen.epoch.as_ref());
        current.is_some_and(|current| current.epoch == epoch) && self.shares.epoch(root).is_none_or(|held| held < epoch)
    }

    /// After a round: erases what no late player needs, and in the end everything.
    pub(super) fn forget_dealings(
        &mut self,
        view: &View,
        record: &RoundRecord,
        epoch: EpochNumber,
    ) -> Result<(), Doubt> {
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        let lacks = attempt.player_place.is_some()
            && !attempt.barren
            && self.shares.epoch(record.root).is_none_or(|held| held < epoch);
        if !in_time(view, epoch) {
            return self.close();
        }
        if !lacks && (attempt.deal.is_some() || attempt.play.is_some()) {
            attempt.deal = None;
            attempt.play = None;
            let names = Names(record.number);
            self.cabinet.delete(&names.seed())?;
            for place in 0..record.dealers.len() as u32 {
                self.cabinet.delete(&names.dealing(place))?;
            }
            if self.shares.pending().is_some() {
                self.shares.drop_pending(record.number)?;
            }
        }
        Ok(())
    }
}
