//! Keeping: key shares between rounds. What the chain moved on from is erased, seats of lost members become this gatekeeper's
//! own, and what it holds is backed up.

use super::{PARTICIPANT, Rounds};
use crate::{
    backup::{self, Making},
    doubt::Doubt,
    observer::Held,
    orders::Say,
    recover::Wanted,
    view::View,
};
use phala_crypto::Secret;
use phala_messages::recovery::{Handover, PieceReply};
use phala_threshold::Piece;
use zeroize::Zeroizing;

impl Rounds {
    /// Brings key shares in line with the chain.
    pub(super) fn settle(&mut self, view: &View) -> Result<(), Doubt> {
        self.seats.settle(view, &mut self.shares)?;
        self.shares.settle(view)?;
        if view.recovery.custodians.is_none() {
            return Ok(());
        }
        let Some(bytes) = self.cabinet.get(PARTICIPANT)?.map(Zeroizing::new) else { return Ok(()) };
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| Doubt::Corrupt(PARTICIPANT.into()))?;
        let making = Making {
            genesis: &self.genesis,
            me: &self.me,
            entropy: &*self.entropy,
            shares: &self.shares,
            seats: &self.seats,
            participant: self.signer.key(),
            seed: &Secret::generate(|out| out.copy_from_slice(bytes)),
        };
        self.backups.make(view, &making);
        Ok(())
    }

    /// Roots of which this gatekeeper keeps anything, with the epoch whose key share it holds.
    pub(crate) fn held(&self) -> Held {
        let roots = self.shares.roots().into_iter().chain(self.seats.roots().iter().copied());
        roots.map(|root| (root, self.shares.epoch(root))).collect()
    }

    /// Takes a custodian's piece of a seat that this machine may take.
    ///
    /// # Errors
    /// [`Doubt`].
    pub(crate) fn take_piece(
        &mut self,
        wanted: &Wanted,
        handover: &Handover,
        piece: &Piece,
    ) -> Result<PieceReply, Doubt> {
        self.seats.take_piece(&wanted.epoch, &wanted.seat, handover, piece)
    }

    /// What the chain is to be told of backups and seats. It takes each once.
    pub fn says_of_recovery(&self, view: &View) -> Vec<Say> {
        let backups = self.backups.says().map(|backup| Say::Backup(Box::new(backup)));
        let outputs = backup::outputs(view, &self.shares, &self.me).into_iter();
        let objections = backup::objections(view, &self.shares, &self.me).into_iter();
        let mut out: Vec<Say> = backups.collect();
        out.extend(outputs.map(|(root, output)| Say::Output(root, output)));
        out.extend(objections.map(Say::Object));
        out.extend(self.seats.says(view).into_iter().map(Say::Take));
        out
    }
}
