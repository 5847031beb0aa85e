//! Backups: this gatekeeper's own key share in pieces, each sealed to one custodian, once in each epoch.
//!
//! Beside the pieces goes the seed of what the seat deals with, sealed under a key that only the whole key share gives: with the
//! key share comes what hands it on.
//!
//! # Properties
//! - A backup is made of the key share that is held, for the custodians that the finalised chain names.
//! - Each backup has a polynomial of its own; what one custodian has of several gives nothing.
//! - A custodian whose key takes no piece gets none; the others do.

use crate::{seats::Seats, shares::Shares, view::View};
use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use phala_crypto::{SealKey, Secret, hpke};
use phala_machine::Entropy;
use phala_messages::{
    GenesisHash, WorkerId,
    custody::{EpochNumber, EpochRecord, RootGeneration, contains, place_of},
    recovery::{
        BackupPolynomial, CustodianSet, EpochOutput, KEEPSAKE_BYTES, Objection, SEALED_PIECE_BYTES, SeatBackup,
        SetNumber,
    },
};
use phala_threshold::{KeyShare, Output, ParticipantKey, split};
use std::collections::BTreeMap;

/// Members store their epoch's output one after the other, so many blocks apart, until it is there.
const OUTPUT_TURN_BLOCKS: u32 = 4;

type Name = (RootGeneration, EpochNumber, SetNumber);

/// Backups that were made and that the chain does not have yet.
#[derive(Default)]
pub(crate) struct Backups(BTreeMap<Name, SeatBackup>);

/// What making a backup takes.
pub(crate) struct Making<'a> {
    pub genesis: &'a GenesisHash,
    pub me: &'a WorkerId,
    pub entropy: &'a dyn Entropy,
    pub shares: &'a Shares,
    pub seats: &'a Seats,
    /// This gatekeeper's own participant key, and its seed.
    pub participant: ParticipantKey,
    pub seed: &'a Secret<32>,
}

/// The epochs of which this gatekeeper holds a key share, with its place in them.
fn held<'a>(view: &'a View, shares: &'a Shares, me: &'a WorkerId) -> impl Iterator<Item = (&'a EpochRecord, u32)> {
    view.roots.values().filter_map(move |seen| {
        let epoch = seen.epoch.as_deref().filter(|epoch| shares.epoch(epoch.root) == Some(epoch.epoch))?;
        Some((epoch, place_of(&epoch.members, me)?))
    })
}

impl Backups {
    /// Makes what is missing on chain, and forgets the rest.
    pub(crate) fn make(&mut self, view: &View, making: &Making<'_>) {
        let mut due = BTreeMap::new();
        if let Some(set) = &view.recovery.custodians {
            for (epoch, place) in held(view, making.shares, making.me) {
                if view.recovery.backed.get(&epoch.root) != Some(&(epoch.epoch, set.number)) {
                    due.insert((epoch.root, epoch.epoch, set.number), (epoch, place, set));
                }
            }
        }
        self.0.retain(|name, _| due.contains_key(name));
        for (name, (epoch, place, set)) in due {
            if self.0.contains_key(&name) {
                continue;
            }
            match making.backup(epoch, place, set) {
                Some(backup) => {
                    self.0.insert(name, backup);
                }
                None => tracing::error!(root = epoch.root.0, "no backup can be made for these custodians"),
            }
        }
    }

    /// What the chain is to be told.
    pub(crate) fn says(&self) -> impl Iterator<Item = SeatBackup> + '_ {
        self.0.values().cloned()
    }
}

impl Making<'_> {
    fn backup(&self, epoch: &EpochRecord, place: u32, set: &CustodianSet) -> Option<SeatBackup> {
        let member = epoch.members.get(place as usize)?;
        let participant = ParticipantKey(member.participant.0);
        let seed = match participant == self.participant {
            true => self.seed,
            false => self.seats.seed(epoch.root, &participant)?,
        };
        let (_, share) = self.shares.held(epoch.root)?;
        seal(self, epoch, place, set, share, seed)
    }
}

fn seal(
    making: &Making<'_>,
    epoch: &EpochRecord,
    place: u32,
    set: &CustodianSet,
    share: &KeyShare,
    participant: &Secret<32>,
) -> Option<SeatBackup> {
    let entropy = making.entropy;
    let (commitment, pieces) = split(share, set.custodians.len(), set.threshold as usize, &entropy.secret()).ok()?;
    let name = SeatBackup::keepsake_place(making.genesis, epoch.root, epoch.epoch, place);
    let keepsake = SealKey::new(share.keepsake_key()).seal(entropy.bytes(), &name, participant.expose());
    let mut backup = SeatBackup {
        root: epoch.root,
        epoch: epoch.epoch,
        place,
        set: set.number,
        gatekeeper: *making.me,
        polynomial: BackupPolynomial::try_from(commitment.points().as_flattened().to_vec()).ok()?,
        pieces: Default::default(),
        keepsake: <[u8; KEEPSAKE_BYTES]>::try_from(keepsake).ok()?,
    };
    let mut usable = 0;
    for (custodian, piece) in (0..).zip(&pieces) {
        let key = set.custodians.get(custodian as usize)?.sealing;
        let mut rng = ChaCha20Rng::from_seed(entropy.bytes());
        let info = backup.piece_info(making.genesis, custodian);
        let sealed = match hpke::seal(&mut rng, &key.0, &info, piece.bytes_to_seal()) {
            Ok((sealed, _)) => {
                usable += 1;
                <[u8; SEALED_PIECE_BYTES]>::try_from(sealed).ok()?
            }
            Err(_) => {
                tracing::warn!(custodian, "a custodian's key takes no piece");
                [0; SEALED_PIECE_BYTES]
            }
        };
        backup.pieces.try_push(sealed).ok()?;
    }
    (usable >= set.threshold).then_some(backup)
}

/// Outputs of epochs that the chain does not keep yet, when it is this member's turn.
pub(crate) fn outputs(view: &View, shares: &Shares, me: &WorkerId) -> Vec<(RootGeneration, EpochOutput)> {
    let mut out = Vec::new();
    if view.recovery.custodians.is_none() {
        return out;
    }
    for (epoch, place) in held(view, shares, me) {
        let kept = view.recovery.outputs.get(&epoch.root) == Some(&epoch.epoch);
        let turn = epoch.since.saturating_add(place.saturating_mul(OUTPUT_TURN_BLOCKS));
        if kept || view.block.number < turn {
            continue;
        }
        let output: Option<Vec<u8>> =
            shares.output(epoch.epoch).map(|output: std::sync::Arc<Output>| codec::Encode::encode(&*output));
        out.extend(output.and_then(|output| Some((epoch.root, EpochOutput::try_from(output).ok()?))));
    }
    out
}

/// Objections to ceremonies whose seat this member still holds.
pub(crate) fn objections(view: &View, shares: &Shares, me: &WorkerId) -> Vec<Objection> {
    let mut out = Vec::new();
    for (epoch, place) in held(view, shares, me) {
        let ceremony = view.recovery.ceremonies.get(&epoch.root);
        let ceremony = ceremony.filter(|it| it.epoch == epoch.epoch && !contains(it.objected, place));
        out.extend(ceremony.map(|it| Objection { root: it.root, ceremony: it.number, gatekeeper: *me }));
    }
    out
}
