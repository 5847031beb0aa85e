//! Seats: what a machine holds that takes the place of one that is lost.
//!
//! ```text
//! pieces (sealed on disk) ─► restored ─► taken (the chain is told) ─► held: the key share is the gatekeeper's own
//!     └─(the ceremony is over, and the seat is not ours)──► erased        └─(the next epoch)──► erased
//! ```
//! A seat is a key share and the participant key under which its epoch knows it: with it the machine deals in the round that
//! hands the key on. After that round it holds a key share under its own participant key, and nothing of the seat is left.
//!
//! # Properties
//! - One seat of a root at most, and only one that the chain bound this machine to.
//! - Pieces and seats lie sealed on disk; with the ceremony, or the epoch, they are gone.

use crate::{
    rounds::Doubt,
    shares::{Share, Shares},
    view::{SeatView, View},
};
use codec::{Decode, DecodeAll, Encode};
use phala_crypto::{SealKey, Secret};
use phala_machine::Cabinet;
use phala_messages::{
    GenesisHash, WorkerId,
    custody::{EpochNumber, EpochRecord, RootGeneration, RootStatus, RoundRecord, place_of},
    recovery::{CeremonyNumber, Handover, PieceRefusal, PieceReply, SeatBackup, SeatProgress, SeatTaken},
};
use phala_threshold::{Commitment, KeyShare, Output, ParticipantKey, Piece, Signer, backs, restore, verify_piece};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::{Zeroize, Zeroizing};

/// Roots of which there may be a seat.
const INDEX: &str = "gatekeeper/seats";

fn seat_name(root: RootGeneration) -> String {
    format!("gatekeeper/seat/{}", root.0)
}

fn pieces_name(root: RootGeneration) -> String {
    format!("gatekeeper/pieces/{}", root.0)
}

/// Pieces of a seat that came so far, by the custodian's place.
#[derive(Default, Encode, Decode)]
struct Pieces {
    ceremony: CeremonyNumber,
    place: u32,
    pieces: Vec<(u32, [u8; 32])>,
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.pieces.iter_mut().for_each(|(_, piece)| piece.zeroize());
    }
}

#[derive(Encode, Decode)]
struct Stored {
    ceremony: CeremonyNumber,
    epoch: EpochNumber,
    place: u32,
    participant: [u8; 32],
    output: Vec<u8>,
    share: Vec<u8>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.participant.zeroize();
        self.share.zeroize();
    }
}

/// A seat whose key share is whole again.
struct Seat {
    ceremony: CeremonyNumber,
    epoch: EpochNumber,
    place: u32,
    /// The seed of what it deals with.
    seed: Secret<32>,
    signer: Signer,
    /// Until the chain gives this machine the seat; then it lies with the gatekeeper's key shares.
    share: Option<(Arc<Output>, KeyShare)>,
}

impl Seat {
    fn store(&self, cabinet: &Cabinet, root: RootGeneration) -> Result<(), Doubt> {
        let (output, share) = match &self.share {
            Some((output, share)) => (output.encode(), share.bytes_to_seal().to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        let Self { ceremony, epoch, place, .. } = *self;
        let stored = Stored { ceremony, epoch, place, participant: *self.seed.expose(), output, share };
        Ok(cabinet.put(&seat_name(root), &Zeroizing::new(stored.encode()))?)
    }

    fn open(cabinet: &Cabinet, root: RootGeneration) -> Result<Option<Self>, Doubt> {
        let name = seat_name(root);
        let Some(bytes) = cabinet.get(&name)?.map(Zeroizing::new) else { return Ok(None) };
        let corrupt = || Doubt::Corrupt(name.clone());
        let stored = Stored::decode_all(&mut bytes.as_slice()).map_err(|_| corrupt())?;
        let share = match stored.share.is_empty() {
            true => None,
            false => {
                let output = Output::parse(&stored.output).map_err(|_| corrupt())?;
                let share = KeyShare::parse(&stored.share).map_err(|_| corrupt())?;
                Some((Arc::new(output), share))
            }
        };
        let seed = Secret::generate(|out| *out = stored.participant);
        let Stored { ceremony, epoch, place, .. } = stored;
        Ok(Some(Self { ceremony, epoch, place, signer: Signer::new(&seed), seed, share }))
    }

    /// Whether the chain has given this seat to `me`.
    fn is_given(&self, epoch: &EpochRecord, me: &WorkerId) -> bool {
        let member = epoch.members.get(self.place as usize);
        epoch.epoch == self.epoch
            && member.is_some_and(|member| member.gatekeeper == *me && member.participant.0 == self.signer.key().0)
    }
}

/// The seats of one gatekeeper.
pub(crate) struct Seats {
    cabinet: Arc<Cabinet>,
    genesis: GenesisHash,
    me: WorkerId,
    seats: BTreeMap<RootGeneration, Seat>,
    /// Roots of which there is a seat on disk, or a piece of one: [`INDEX`].
    noted: Vec<RootGeneration>,
}

impl Seats {
    /// What lies on disk.
    pub(crate) fn open(cabinet: Arc<Cabinet>, genesis: GenesisHash, me: WorkerId) -> Result<Self, Doubt> {
        let mut seats = BTreeMap::new();
        let noted = index(&cabinet)?;
        for root in &noted {
            if let Some(seat) = Seat::open(&cabinet, *root)? {
                seats.insert(*root, seat);
            }
        }
        Ok(Self { cabinet, genesis, me, seats, noted })
    }

    /// Roots of which there is a seat, or a piece of one.
    pub(crate) fn roots(&self) -> &[RootGeneration] {
        &self.noted
    }

    /// Who deals for this gatekeeper in a round: a seat that it took, or itself.
    pub(crate) fn dealer<'a>(&'a self, own: &'a Signer, record: &RoundRecord) -> &'a Signer {
        let place = place_of(&record.dealers, &self.me);
        let member = place.and_then(|place| record.dealers.get(place as usize));
        let seat = self.seats.get(&record.root).filter(|seat| seat.share.is_none());
        match (seat, member) {
            (Some(seat), Some(member)) if seat.signer.key().0 == member.participant.0 => &seat.signer,
            _ => own,
        }
    }

    /// The seed of what the member `participant` of a root deals with, if it is a seat of this gatekeeper.
    pub(crate) fn seed(&self, root: RootGeneration, participant: &ParticipantKey) -> Option<&Secret<32>> {
        let seat = self.seats.get(&root).filter(|seat| seat.signer.key() == *participant)?;
        Some(&seat.seed)
    }

    /// Whether the seat of a root is whole, but not given to this machine yet.
    pub(crate) fn is_taken(&self, handover: &Handover) -> bool {
        let seat = self.seats.get(&handover.root);
        seat.is_some_and(|seat| (seat.ceremony, seat.place) == (handover.ceremony, handover.place))
    }

    /// Takes a custodian's piece of the seat that this machine is bound to. The last one that is needed makes it whole.
    pub(crate) fn take_piece(
        &mut self,
        epoch: &EpochRecord,
        seen: &SeatView,
        handover: &Handover,
        piece: &Piece,
    ) -> Result<PieceReply, Doubt> {
        if self.is_taken(handover) {
            return Ok(Err(PieceRefusal::Taken));
        }
        let Some(known) = known_seat(epoch, seen) else { return Ok(Err(PieceRefusal::NoBackup)) };
        if !verify_piece(&known.commitment, handover.custodian, piece) {
            return Ok(Err(PieceRefusal::WrongPiece));
        }
        let Handover { root, ceremony, place, .. } = *handover;
        if self.seats.get(&root).is_some_and(|seat| seat.share.is_some()) {
            // Of another ceremony or place, which the chain has moved on from: one seat at a time.
            self.erase(root)?;
        }
        let name = pieces_name(root);
        let stored = self.cabinet.get(&name)?.map(Zeroizing::new);
        let mut pieces = match stored {
            Some(bytes) => Pieces::decode_all(&mut bytes.as_slice()).map_err(|_| Doubt::Corrupt(name.clone()))?,
            None => Pieces::default(),
        };
        if (pieces.ceremony, pieces.place) != (ceremony, place) {
            pieces = Pieces { ceremony, place, pieces: Vec::new() };
        }
        if pieces.pieces.iter().all(|(custodian, _)| *custodian != handover.custodian) {
            pieces.pieces.push((handover.custodian, *piece.bytes_to_seal()));
        }
        self.note(root)?;
        self.cabinet.put(&name, &Zeroizing::new(pieces.encode()))?;
        let progress = SeatProgress { pieces: pieces.pieces.len() as u32, required: seen.set.threshold };
        if progress.pieces < progress.required {
            return Ok(Ok(progress));
        }
        let Some(seat) = self.restore(&known, seen, &pieces) else {
            tracing::error!(root = root.0, place, "enough pieces came, and they do not give the seat");
            return Ok(Err(PieceRefusal::NoBackup));
        };
        seat.store(&self.cabinet, root)?;
        self.cabinet.delete(&name)?;
        self.seats.insert(root, seat);
        tracing::info!(root = root.0, place, "the key share of a lost seat is whole again");
        Ok(Ok(progress))
    }

    fn restore(&self, known: &KnownSeat, seen: &SeatView, pieces: &Pieces) -> Option<Seat> {
        let SeatBackup { root, epoch, place, keepsake, .. } = &seen.backup;
        let given: Vec<_> =
            pieces.pieces.iter().filter_map(|(custodian, piece)| Some((*custodian, Piece::parse(piece)?))).collect();
        let share = restore(&known.output, &known.participant, &known.commitment, &given).ok()?;
        let name = SeatBackup::keepsake_place(&self.genesis, *root, *epoch, *place);
        let seed = Zeroizing::new(SealKey::new(share.keepsake_key()).open(&name, keepsake).ok()?);
        let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
        let seed = Secret::generate(|out| out.copy_from_slice(seed));
        let signer = Signer::new(&seed);
        if signer.key() != known.participant {
            return None;
        }
        let share = Some((Arc::new(known.output.clone()), share));
        Some(Seat { ceremony: pieces.ceremony, epoch: *epoch, place: *place, seed, signer, share })
    }

    /// What the chain is to be told.
    pub(crate) fn says(&self, view: &View) -> Vec<SeatTaken> {
        let mut out = Vec::new();
        for (root, seat) in &self.seats {
            let Some(ceremony) = view.recovery.ceremonies.get(root) else { continue };
            let bound = ceremony.seat_of(&self.me).filter(|bound| bound.place == seat.place && !bound.taken);
            if ceremony.number == seat.ceremony && bound.is_some() {
                let (ceremony, place, gatekeeper) = (seat.ceremony, seat.place, self.me);
                out.push(SeatTaken { root: *root, ceremony, place, gatekeeper });
            }
        }
        out
    }

    /// Erases what the chain has moved on from, and hands a seat that it gave to this machine over to its key shares.
    pub(crate) fn settle(&mut self, view: &View, shares: &mut Shares) -> Result<(), Doubt> {
        for root in self.noted.clone() {
            let seen = view.roots.get(&root);
            let epoch = seen.and_then(|seen| seen.epoch.as_deref());
            let over = match (self.seats.get(&root), seen) {
                (_, None) => false,
                (Some(seat), Some(seen)) if seat.share.is_none() => {
                    seen.record.epoch > seat.epoch || seen.record.status == RootStatus::Closed
                }
                (Some(seat), Some(_)) => {
                    let given = epoch.is_some_and(|epoch| seat.is_given(epoch, &self.me));
                    !given && !self.stands(view, root, seat.ceremony, seat.place)
                }
                (None, Some(_)) => match self.cabinet.get(&pieces_name(root))?.map(Zeroizing::new) {
                    None => true,
                    Some(bytes) => {
                        let pieces = Pieces::decode_all(&mut bytes.as_slice());
                        let pieces = pieces.map_err(|_| Doubt::Corrupt(pieces_name(root)))?;
                        !self.stands(view, root, pieces.ceremony, pieces.place)
                    }
                },
            };
            if over {
                self.erase(root)?;
                continue;
            }
            let (Some(epoch), Some(seat)) = (epoch, self.seats.get_mut(&root)) else { continue };
            if !seat.is_given(epoch, &self.me) {
                continue;
            }
            if let Some((output, share)) = seat.share.take() {
                shares.adopt(seat.epoch, Share::new(root, output, share))?;
                // From here on it lies in one place only.
                seat.store(&self.cabinet, root)?;
                tracing::info!(root = root.0, place = seat.place, "holding the seat of a member that was lost");
            }
        }
        Ok(())
    }

    /// Whether the ceremony still wants this machine on this seat.
    fn stands(&self, view: &View, root: RootGeneration, number: CeremonyNumber, place: u32) -> bool {
        let ceremony = view.recovery.ceremonies.get(&root).filter(|ceremony| ceremony.number == number);
        ceremony.and_then(|ceremony| ceremony.seat_of(&self.me)).is_some_and(|seat| seat.place == place)
    }

    fn note(&mut self, root: RootGeneration) -> Result<(), Doubt> {
        if self.noted.contains(&root) {
            return Ok(());
        }
        self.noted.push(root);
        Ok(self.cabinet.put(INDEX, &self.noted.encode())?)
    }

    fn erase(&mut self, root: RootGeneration) -> Result<(), Doubt> {
        self.seats.remove(&root);
        self.cabinet.delete(&seat_name(root))?;
        self.cabinet.delete(&pieces_name(root))?;
        self.noted.retain(|other| *other != root);
        Ok(self.cabinet.put(INDEX, &self.noted.encode())?)
    }

    /// Drops everything from memory. What lies on disk stays, for the next start.
    pub(crate) fn forget(&mut self) {
        self.seats.clear();
        self.noted.clear();
    }
}

/// A seat whose backup everybody can see to be one of its key share.
struct KnownSeat {
    output: Output,
    participant: ParticipantKey,
    commitment: Commitment,
}

fn known_seat(epoch: &EpochRecord, seen: &SeatView) -> Option<KnownSeat> {
    let SeatView { backup, set, output } = seen;
    let member = epoch.members.get(backup.place as usize)?;
    let participant = ParticipantKey(member.participant.0);
    let output = Output::parse(output).ok().filter(|output| output.hash() == epoch.output_hash.0)?;
    let commitment = Commitment::of_points(&backup.polynomial)?;
    let public = output.partial_key(&participant)?;
    let fits = backup.epoch == epoch.epoch && backs(&public, set.threshold as usize, &commitment);
    fits.then_some(KnownSeat { output, participant, commitment })
}

fn index(cabinet: &Cabinet) -> Result<Vec<RootGeneration>, Doubt> {
    let Some(bytes) = cabinet.get(INDEX)? else { return Ok(Vec::new()) };
    DecodeAll::decode_all(&mut bytes.as_slice()).map_err(|_| Doubt::Corrupt(INDEX.into()))
}
