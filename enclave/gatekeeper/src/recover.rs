//! Recovery: a custodian's piece comes in, if the chain says that it may.
//!
//! ```text
//! piece ─► own view fresh? ─► ceremony stands, delay passed, bound to this seat ─► custodian's signature ─► open ─► seats
//! ```
//!
//! # Properties
//! - A piece is opened only when the finalised chain that this gatekeeper verified itself says that the ceremony stands, that
//!   its delay has passed, and that this machine is bound to the seat.
//! - It counts for that seat, epoch, ceremony and process only.

use crate::{
    gatekeeper::Gatekeeper,
    view::{SeatView, View},
};
use codec::DecodeAll;
use phala_crypto::verify_ed25519;
use phala_machine::task::blocking;
use phala_messages::{
    GenesisHash, InstanceKey, WorkerId,
    custody::{EpochRecord, Signed},
    recovery::{CustodianMessage as _, PieceRefusal, PieceRelease, PieceReply},
};
use phala_threshold::Piece;
use std::sync::Arc;

/// What a piece is taken for.
pub(crate) struct Wanted {
    pub(crate) epoch: Arc<EpochRecord>,
    pub(crate) seat: Arc<SeatView>,
}

/// Whether the machine `me`, by its view, may take this piece.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn judge(
    release: &Signed<PieceRelease>,
    view: &View,
    genesis: &GenesisHash,
    me: &WorkerId,
    instance: &InstanceKey,
) -> Result<Wanted, PieceRefusal> {
    let handover = &release.message.handover;
    let ceremony = view.recovery.ceremonies.get(&handover.root).ok_or(PieceRefusal::NoCeremony)?;
    if ceremony.number != handover.ceremony || ceremony.epoch != handover.epoch {
        return Err(PieceRefusal::NoCeremony);
    }
    if !ceremony.is_open(view.block.number) {
        return Err(PieceRefusal::Early);
    }
    let bound = ceremony.seat_of(me).is_some_and(|seat| seat.place == handover.place);
    if !bound || handover.gatekeeper != *me {
        return Err(PieceRefusal::NotBound);
    }
    if handover.instance != *instance {
        return Err(PieceRefusal::OtherInstance);
    }
    let epoch = view.roots.get(&handover.root).and_then(|seen| seen.epoch.clone());
    let epoch = epoch.filter(|epoch| epoch.epoch == ceremony.epoch).ok_or(PieceRefusal::NoCeremony)?;
    let seat = view.recovery.seats.get(&handover.root).cloned().ok_or(PieceRefusal::NoBackup)?;
    if seat.backup.set != handover.set || seat.backup.epoch != handover.epoch || seat.backup.place != handover.place {
        return Err(PieceRefusal::OtherBackup);
    }
    let custodian = seat.set.custodians.get(handover.custodian as usize).ok_or(PieceRefusal::Signature)?;
    let hash = release.message.signing_hash(genesis);
    if !verify_ed25519(&custodian.signing.0, &hash.0, &release.signature) {
        return Err(PieceRefusal::Signature);
    }
    Ok(Wanted { epoch, seat })
}

impl Gatekeeper {
    /// Takes a custodian's piece.
    pub(crate) async fn recover(self: &Arc<Self>, bytes: &[u8]) -> PieceReply {
        let release = Signed::<PieceRelease>::decode_all(&mut &*bytes).map_err(|_| PieceRefusal::Malformed)?;
        let view = self.view();
        self.may_serve(&view).map_err(|_| PieceRefusal::NotServing)?;
        let wanted = judge(&release, &view, &self.identity.genesis, &self.identity.worker, &self.identity.instance)?;
        let handover = release.message.handover;
        let info = handover.info(&self.identity.genesis);
        let plain = self.identity.open_sealed(&info, &release.message.sealed);
        let piece = plain.ok().and_then(|plain| Piece::parse(&plain)).ok_or(PieceRefusal::DoesNotOpen)?;
        let this = self.clone();
        let outcome = blocking(move || this.rounds().take_piece(&wanted, &handover, &piece)).await;
        self.settle(outcome).ok_or(PieceRefusal::Disk)?
    }
}
