//! A small faithful model of `pallet-key-recovery`, and custodians with their keys.

use super::custody::{Custody, ROOT};
use codec::Encode;
use phala_crypto::{Secret, SigningKey, derive, hpke};
use phala_messages::{
    CustodianKey, GenesisHash, InstanceKey, Refusal, TransportKey, WorkerId,
    custody::{EpochNumber, GROUP_POINT_BYTES, Signed, contains, place_of, with},
    recovery::{
        Binding, CeremonyNumber, CeremonyRecord, Custodian, CustodianMessage as _, CustodianSet, Ending, EpochOutput,
        Ground, Handover, Objection, PieceRelease, SeatBackup, SeatTaken, SetNumber,
    },
    transcript::Preimage,
};
use phala_threshold::{Commitment, Piece, backs, seat_public_key, verify_piece};
use phala_units::BlockNumber;
use std::collections::BTreeMap;

pub const DELAY_BLOCKS: u32 = 10;

/// What the chain knows of recovery, of one root.
#[derive(Default)]
pub struct Recovery {
    pub set: Option<CustodianSet>,
    pub backups: BTreeMap<u32, SeatBackup>,
    pub output: Option<(EpochNumber, EpochOutput)>,
    pub ceremony: Option<CeremonyRecord>,
    pub endings: Vec<Ending>,
    next: CeremonyNumber,
}

macro_rules! ensure {
    ($condition:expr, $refusal:ident) => {
        if !$condition {
            return Err(Refusal::$refusal);
        }
    };
}

impl Recovery {
    pub fn appoint(&mut self, threshold: u32, people: &[Person]) {
        let number = self.set.as_ref().map_or(SetNumber(0), |set| set.number).next();
        let custodians = people.iter().map(Person::custodian).collect::<Vec<_>>().try_into().unwrap();
        let set = CustodianSet { number, threshold, custodians };
        assert!(set.is_sane());
        self.set = Some(set);
    }

    /// Whether every seat of the current epoch is backed up, and its output kept.
    pub fn is_backed(&self, custody: &Custody) -> bool {
        let Some(epoch) = custody.epoch() else { return false };
        let set = self.set.as_ref().map(|set| set.number);
        let seats = (0..epoch.members.len() as u32).filter_map(|place| self.backups.get(&place));
        let fresh = seats.filter(|backup| backup.epoch == epoch.epoch && Some(backup.set) == set).count();
        fresh == epoch.members.len() && self.output.as_ref().is_some_and(|(kept, _)| *kept == epoch.epoch)
    }

    pub fn announce(&mut self, custody: &Custody, now: BlockNumber) {
        assert!(self.ceremony.is_none());
        let opens = now.saturating_add(DELAY_BLOCKS);
        self.ceremony = Some(CeremonyRecord {
            number: self.next,
            root: ROOT,
            epoch: custody.epoch().unwrap().epoch,
            ground: Ground::Absent,
            announced: now,
            opens,
            lapses: opens.saturating_add(10_000),
            objected: 0,
            seats: Default::default(),
        });
        self.next = self.next.next();
    }

    pub fn bind(&mut self, place: u32, gatekeeper: WorkerId) {
        let ceremony = self.ceremony.as_mut().unwrap();
        ceremony.seats.retain(|seat| seat.place != place);
        ceremony.seats.try_push(Binding { place, gatekeeper, taken: false }).unwrap();
    }

    pub fn end(&mut self, ending: Ending) {
        self.ceremony = None;
        self.endings.push(ending);
    }

    pub fn advance(&mut self, custody: &Custody) {
        let current = custody.epoch().map(|epoch| epoch.epoch);
        if self.ceremony.as_ref().is_some_and(|ceremony| Some(ceremony.epoch) != current) {
            self.end(Ending::Overtaken);
        }
    }

    pub fn store_backup(&mut self, backup: &SeatBackup, custody: &Custody) -> Result<(), Refusal> {
        let set = self.set.as_ref().filter(|set| set.number == backup.set).ok_or(Refusal::CustodiansOther)?;
        let epoch = custody.epoch().ok_or(Refusal::RootUnknown)?;
        let holds = place_of(&epoch.members, &backup.gatekeeper) == Some(backup.place);
        ensure!(holds && epoch.epoch == backup.epoch, NotSeat);
        let stored = self.backups.get(&backup.place);
        ensure!(stored.is_none_or(|old| (old.epoch, old.set) != (backup.epoch, backup.set)), BackupStored);
        let fits = backup.polynomial.len() == set.threshold as usize * GROUP_POINT_BYTES;
        ensure!(fits && backup.pieces.len() == set.custodians.len(), BackupMalformed);
        self.backups.insert(backup.place, backup.clone());
        Ok(())
    }

    pub fn store_output(&mut self, output: &EpochOutput, custody: &Custody) -> Result<(), Refusal> {
        let epoch = custody.epoch().ok_or(Refusal::RootUnknown)?;
        ensure!(self.output.as_ref().is_none_or(|(kept, _)| *kept != epoch.epoch), OutputStored);
        let hash = Preimage::new("phala/threshold/output/v1").bytes(output).hash();
        ensure!(hash == epoch.output_hash, OutputOther);
        self.output = Some((epoch.epoch, output.clone()));
        Ok(())
    }

    pub fn object(&mut self, objection: &Objection, custody: &mut Custody) -> Result<(), Refusal> {
        let ceremony = self.ceremony.as_mut().filter(|it| it.number == objection.ceremony);
        let ceremony = ceremony.ok_or(Refusal::CeremonyUnknown)?;
        let epoch = custody.epoch().ok_or(Refusal::CeremonyUnknown)?;
        let place = place_of(&epoch.members, &objection.gatekeeper).ok_or(Refusal::NotSeat)?;
        ensure!(!contains(ceremony.objected, place), Objected);
        ceremony.objected = with(ceremony.objected, place);
        if ceremony.objected.count_ones() >= epoch.threshold {
            self.end(Ending::MembersBack);
        } else {
            self.go_on(custody);
        }
        Ok(())
    }

    pub fn take(&mut self, taken: &SeatTaken, custody: &mut Custody, now: BlockNumber) -> Result<(), Refusal> {
        let ceremony = self.ceremony.as_mut().filter(|it| it.number == taken.ceremony);
        let ceremony = ceremony.ok_or(Refusal::CeremonyUnknown)?;
        ensure!(ceremony.is_open(now), CeremonyEarly);
        let mut seats = ceremony.seats.iter_mut();
        let seat = seats.find(|seat| seat.place == taken.place && seat.gatekeeper == taken.gatekeeper);
        let seat = seat.ok_or(Refusal::NotBound)?;
        ensure!(!seat.taken, SeatTaken);
        seat.taken = true;
        self.go_on(custody);
        Ok(())
    }

    fn go_on(&mut self, custody: &mut Custody) {
        let Some(ceremony) = &self.ceremony else { return };
        let seats = ceremony.seats.iter().filter(|seat| seat.taken && !contains(ceremony.objected, seat.place));
        let seats: Vec<_> = seats.map(|seat| (seat.place, seat.gatekeeper)).collect();
        let there = seats.iter().fold(ceremony.objected, |all, (place, _)| with(all, *place));
        if there.count_ones() >= custody.epoch().unwrap().threshold {
            custody.reseat(&seats);
            self.end(Ending::Completed);
        }
    }
}

/// A custodian, with everything that it keeps: one seed.
pub struct Person(Secret<32>);

impl Person {
    pub fn new(n: u8) -> Self {
        Self(Secret::new([n; 32]))
    }

    fn sealing(&self) -> hpke::KeyPair {
        hpke::KeyPair::derive(&derive(&self.0, "recovery/custodian-sealing/v1", &[]))
    }

    fn signing(&self) -> SigningKey {
        SigningKey::new(&derive(&self.0, "recovery/custodian-signing/v1", &[]))
    }

    pub fn custodian(&self) -> Custodian {
        Custodian { sealing: CustodianKey(self.sealing().public()), signing: CustodianKey(self.signing().public()) }
    }

    /// Opens this custodian's piece, and checks that it is one of the seat.
    pub fn open(&self, genesis: &GenesisHash, backup: &SeatBackup, n: u32, custody: &Custody) -> Option<Piece> {
        let plain = self.sealing().open(&backup.piece_info(genesis, n), &backup.pieces[n as usize]).ok()?;
        let piece = Piece::parse(&plain.0)?;
        let commitment = Commitment::of_points(&backup.polynomial)?;
        let epoch = custody.epochs.get(&backup.epoch)?;
        let public = seat_public_key(&epoch.polynomial, backup.place)?;
        let threshold = commitment.points().len();
        (backs(&public, threshold, &commitment) && verify_piece(&commitment, n, &piece)).then_some(piece)
    }

    /// The bytes to send.
    pub fn release(
        &self,
        genesis: &GenesisHash,
        handover: Handover,
        piece: &[u8],
        transport: &TransportKey,
    ) -> Signed<PieceRelease> {
        use chacha20::rand_core::SeedableRng;
        let mut rng = chacha20::ChaCha20Rng::from_seed([handover.custodian as u8; 32]);
        let (sealed, _) = hpke::seal(&mut rng, &transport.0, &handover.info(genesis), piece).unwrap();
        let message = PieceRelease { handover, sealed: sealed.try_into().unwrap() };
        let signature = self.signing().sign(&message.signing_hash(genesis).0);
        Signed { message, signature }
    }
}

/// For whom a piece is, in a ceremony.
pub fn handover(
    ceremony: &CeremonyRecord,
    backup: &SeatBackup,
    custodian: u32,
    to: (WorkerId, InstanceKey),
) -> Handover {
    Handover {
        root: ceremony.root,
        ceremony: ceremony.number,
        epoch: ceremony.epoch,
        place: backup.place,
        set: backup.set,
        custodian,
        gatekeeper: to.0,
        instance: to.1,
    }
}

/// As it travels.
pub fn bytes(release: &Signed<PieceRelease>) -> Vec<u8> {
    release.encode()
}
