//! Copies: what a worker holds for the day its cluster's lead dies, and how it is kept.
//!
//! # Properties
//! - A copy is changed only by the worker that leads the cluster as far as this one has followed the chain, by its current
//!   instance, addressed to this process, each message once and in order.
//! - A worker that leads takes a whole copy only while it looks for one, from any member; it is tried before it counts.
//! - Everything in memory for it is bounded: one change per program, [`COPY_BYTES_MAX`] for all together.

use crate::{cluster::Cluster, programs::ProgramCell, shipping, worker::Worker};
use codec::{DecodeAll, Encode};
use phala_crypto::verify_ed25519;
use phala_machine::task::blocking;
use phala_messages::{
    Hash, InstanceKey, ProgramId, WorkerId,
    copies::{
        CopyChange, CopyMessage, CopyRefusal, CopyReply, CopySay, CopyState, PieceBytes, SignedCopyMessage,
        SignedCopyState,
    },
    limits::{COPY_BYTES_MAX, COPY_MESSAGE_BYTES_MAX},
};
use phala_units::UnixMillis;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A change whose next piece does not come for so long is given up.
const ASSEMBLY_MS_MAX: u64 = 30_000;

/// Changes on their way.
#[derive(Default)]
pub struct Arrivals(Mutex<HashMap<ProgramId, Arrival>>);

#[derive(Default)]
struct Arrival {
    /// Whose piece was taken last, and its number.
    heard: Option<(InstanceKey, u64)>,
    assembly: Option<Assembly>,
}

struct Assembly {
    change: CopyChange,
    after: Hash,
    total: u32,
    bytes: Vec<u8>,
    touched: UnixMillis,
}

/// A piece, as it was said.
struct Piece {
    program: ProgramId,
    change: CopyChange,
    after: Hash,
    total: u32,
    offset: u32,
    bytes: PieceBytes,
}

impl Arrivals {
    /// Takes a piece; the whole change once it is the last.
    fn take(
        &self,
        from: InstanceKey,
        number: u64,
        now: UnixMillis,
        piece: Piece,
    ) -> Result<Option<Vec<u8>>, CopyRefusal> {
        if piece.total > COPY_BYTES_MAX {
            return Err(CopyRefusal::TooLarge);
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for arrival in all.values_mut() {
            arrival.assembly.take_if(|it| now.since(it.touched) > ASSEMBLY_MS_MAX);
        }
        let promised: u64 = all
            .iter()
            .filter(|(program, _)| **program != piece.program)
            .filter_map(|(_, arrival)| arrival.assembly.as_ref())
            .map(|assembly| u64::from(assembly.total))
            .sum();
        let arrival = all.entry(piece.program).or_default();
        if arrival.heard.is_some_and(|(last, heard)| last == from && number <= heard) {
            return Err(CopyRefusal::Replayed);
        }
        if arrival.heard.is_some_and(|(last, _)| last != from) {
            arrival.assembly = None;
        }
        arrival.heard = Some((from, number));
        let Piece { change, after, total, offset, bytes, .. } = piece;
        if offset == 0 {
            if promised.saturating_add(total.into()) > COPY_BYTES_MAX.into() {
                return Err(CopyRefusal::Busy);
            }
            arrival.assembly = Some(Assembly { change, after, total, bytes: Vec::new(), touched: now });
        }
        let Some(mut assembly) = arrival.assembly.take() else { return Err(CopyRefusal::Gap) };
        let follows = (assembly.change, assembly.after, assembly.total) == (change, after, total)
            && assembly.bytes.len() == offset as usize
            && assembly.bytes.len().saturating_add(bytes.len()) <= total as usize
            && !bytes.is_empty();
        if !follows {
            return Err(CopyRefusal::Gap);
        }
        assembly.bytes.extend_from_slice(&bytes);
        if assembly.bytes.len() == total as usize {
            return Ok(Some(assembly.bytes));
        }
        assembly.touched = now;
        arrival.assembly = Some(assembly);
        Ok(None)
    }
}

impl Worker {
    /// Takes what another member of the cluster says about copies, and answers.
    pub async fn copy(self: &Arc<Self>, bytes: &[u8]) -> Vec<u8> {
        let reply: CopyReply = self.copy_inner(bytes).await;
        if let Err(refusal) = &reply {
            tracing::debug!(%refusal, "a message about copies is refused");
        }
        reply.encode()
    }

    async fn copy_inner(self: &Arc<Self>, bytes: &[u8]) -> CopyReply {
        if bytes.len() > COPY_MESSAGE_BYTES_MAX as usize {
            return Err(CopyRefusal::TooLarge);
        }
        let SignedCopyMessage { message, signature } =
            SignedCopyMessage::decode_all(&mut &*bytes).map_err(|_| CopyRefusal::Malformed)?;
        self.may_serve(&self.view()).map_err(|_| CopyRefusal::NotServing)?;
        let cluster = self.cluster().ok_or(CopyRefusal::NotMember)?;
        let from = cluster.admitted(&message.from).ok_or(CopyRefusal::NotMember)?.registration.instance;
        let hash = message.signing_hash(&self.identity.genesis, &self.identity.instance);
        if message.from == self.identity.worker || !verify_ed25519(&from.0, &hash.0, &signature) {
            return Err(CopyRefusal::Signature);
        }
        let mark = self.heed(&cluster, from, message).await?;
        let state = CopyState { to: hash, mark };
        let signature = self.identity.sign_as_instance(&state.signing_hash(&self.identity.genesis).0);
        Ok(SignedCopyState { state, signature })
    }

    /// Does what an admitted member asks for; answers where the copy stands that it is about.
    async fn heed(
        self: &Arc<Self>,
        cluster: &Cluster,
        from: InstanceKey,
        message: CopyMessage,
    ) -> Result<Hash, CopyRefusal> {
        let leads = cluster.led_by(&self.identity.worker);
        let from_lead = cluster.led_by(&message.from);
        let known = |program: &ProgramId| self.cell(program).map_err(|_| CopyRefusal::UnknownProgram);
        match message.say {
            CopySay::Greet if leads => Ok(Hash::default()),
            CopySay::Where { program } if from_lead => {
                known(&program)?;
                let ledger = self.ledgers.of(&program);
                blocking(move || ledger.mark()).await
            }
            CopySay::Give { program } if from_lead => {
                known(&program)?;
                self.give(message.from, program).await.map(|()| Hash::default())
            }
            CopySay::Piece { program, change, after, total, offset, bytes } => {
                let cell = known(&program)?;
                let wanted = leads && change == CopyChange::Whole && cell.wants_copy();
                if !wanted && (leads || !from_lead) {
                    return Err(CopyRefusal::NotLead);
                }
                let piece = Piece { program, change, after, total, offset, bytes };
                let now = self.ports.clock.now();
                let Some(bytes) = self.arrivals.take(from, message.number, now, piece)? else {
                    return Ok(Hash::default());
                };
                if wanted { arrived(&cell, after, bytes) } else { self.apply(&program, change, after, bytes).await }
            }
            CopySay::Greet | CopySay::Where { .. } | CopySay::Give { .. } => Err(CopyRefusal::NotLead),
        }
    }

    async fn apply(
        &self,
        program: &ProgramId,
        change: CopyChange,
        after: Hash,
        bytes: Vec<u8>,
    ) -> Result<Hash, CopyRefusal> {
        let ledger = self.ledgers.of(program);
        blocking(move || ledger.apply(change, after, &bytes)).await
    }

    /// Sends this worker's copy to the lead, beside everything else. One at a time.
    async fn give(self: &Arc<Self>, to: WorkerId, program: ProgramId) -> Result<(), CopyRefusal> {
        let place = self.giving.clone().try_acquire_owned().map_err(|_| CopyRefusal::Busy)?;
        let ledger = self.ledgers.of(&program);
        let whole = blocking(move || {
            // Only a copy can be given: what a lead has on disk is not one.
            ledger.mark()?;
            ledger.whole().map_err(CopyRefusal::from)
        })
        .await?;
        let worker = self.clone();
        tokio::spawn(async move {
            let _place = place;
            let Some(record) = worker.cluster().and_then(|cluster| cluster.admitted(&to).cloned()) else { return };
            if let Err(error) = shipping::send_whole(&worker, &record, program, &whole).await {
                tracing::warn!(%program, worker = %to, %error, "a copy could not be given");
            }
        });
        Ok(())
    }
}

/// A whole copy that this worker, which leads, was looking for. Whether it is good is for the keeper to see.
fn arrived(cell: &ProgramCell, after: Hash, bytes: Vec<u8>) -> Result<Hash, CopyRefusal> {
    let entries = crate::ledger::parse_whole(after, &bytes)?;
    cell.put_copy(entries);
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::limits::COPY_PIECE_BYTES_MAX;

    const LEAD: InstanceKey = InstanceKey([1; 32]);

    fn piece(program: u8, total: u32, offset: u32, bytes: u32) -> Piece {
        let bytes = PieceBytes::try_from(vec![7; bytes as usize]).unwrap();
        let program = ProgramId([program; 32]);
        Piece { program, change: CopyChange::Whole, after: Hash([9; 32]), total, offset, bytes }
    }

    fn at(ms: u64) -> UnixMillis {
        UnixMillis(ms)
    }

    #[test]
    fn pieces_add_up_in_order_and_in_no_other() {
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.take(LEAD, 1, at(0), piece(1, 5, 0, 2)), Ok(None));
        assert_eq!(arrivals.take(LEAD, 2, at(0), piece(1, 5, 2, 2)), Ok(None));
        assert_eq!(arrivals.take(LEAD, 3, at(0), piece(1, 5, 4, 1)), Ok(Some(vec![7; 5])));
        assert_eq!(arrivals.take(LEAD, 4, at(0), piece(1, 5, 4, 1)), Err(CopyRefusal::Gap));
        for (offset, bytes, total) in [(3, 2, 5), (1, 1, 5), (2, 4, 5), (2, 0, 5), (2, 1, 6)] {
            let number = u64::from(offset * 100 + bytes * 10 + total) * 10;
            let arrivals = Arrivals::default();
            assert_eq!(arrivals.take(LEAD, 1, at(0), piece(1, 5, 0, 2)), Ok(None));
            assert_eq!(
                arrivals.take(LEAD, number, at(0), piece(1, total, offset, bytes)),
                Err(CopyRefusal::Gap),
                "{offset} {bytes} {total}"
            );
        }
    }

    #[test]
    fn a_piece_is_taken_once_and_none_is_overtaken() {
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.take(LEAD, 7, at(0), piece(1, 5, 0, 2)), Ok(None));
        for number in [7, 6, 0] {
            assert_eq!(arrivals.take(LEAD, number, at(0), piece(1, 5, 2, 2)), Err(CopyRefusal::Replayed));
        }
        assert_eq!(arrivals.take(LEAD, 8, at(0), piece(1, 5, 2, 3)), Ok(Some(vec![7; 5])));
        // Another process counts for itself, and goes on with nothing that an earlier one began.
        assert_eq!(arrivals.take(LEAD, 9, at(0), piece(1, 5, 0, 2)), Ok(None));
        assert_eq!(arrivals.take(InstanceKey([2; 32]), 1, at(0), piece(1, 5, 2, 3)), Err(CopyRefusal::Gap));
    }

    #[test]
    fn what_is_on_its_way_is_bounded_and_given_up_in_time() {
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.take(LEAD, 1, at(0), piece(1, COPY_BYTES_MAX + 1, 0, 1)), Err(CopyRefusal::TooLarge));
        let first = COPY_PIECE_BYTES_MAX;
        assert_eq!(arrivals.take(LEAD, 2, at(0), piece(1, COPY_BYTES_MAX, 0, first)), Ok(None));
        assert_eq!(arrivals.take(LEAD, 3, at(ASSEMBLY_MS_MAX), piece(2, 1, 0, 1)), Err(CopyRefusal::Busy));
        assert_eq!(arrivals.take(LEAD, 4, at(ASSEMBLY_MS_MAX + 1), piece(2, 1, 0, 1)), Ok(Some(vec![7])));
        assert_eq!(
            arrivals.take(LEAD, 5, at(ASSEMBLY_MS_MAX + 1), piece(1, COPY_BYTES_MAX, first, 1)),
            Err(CopyRefusal::Gap)
        );
    }
}
