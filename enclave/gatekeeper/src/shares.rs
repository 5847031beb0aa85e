//! Key shares: at most one of each root, sealed on disk, and none that the chain has moved on from.
//!
//! ```text
//! round ─► pending ──(the chain names its output as the root's epoch)──► held ──(a newer epoch)──► erased
//!              └─(the chain names another output, or gives the round up)──► erased
//! ```
//!
//! # Properties
//! - The older key share is gone from disk and memory before the newer one is held.
//! - After a crash at any point the next start ends where this one would have.
//! - A key share that does not open, or is not what its name says, stops the gatekeeper.
//!
//! To erase means to delete the sealed blob. Whoever runs the machine may have copied it; what it copied is worthless to all but
//! this code on this machine, which opens no key share but the one of the epoch that the chain names.

use crate::{rounds::Doubt, view::View};
use codec::{Decode, DecodeAll, Encode};
use phala_machine::Cabinet;
use phala_messages::custody::{EpochNumber, RootGeneration, RootStatus, RoundNumber};
use phala_threshold::{Identity, KeyShare, Output, PartialKey, evaluate};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroizing;

/// Which roots there may be key shares of.
const INDEX: &str = "gatekeeper/shares";

fn share_name(root: RootGeneration) -> String {
    format!("gatekeeper/share/{}", root.0)
}

fn pending_name(round: RoundNumber) -> String {
    format!("gatekeeper/round/{}/pending", round.0)
}

#[derive(Encode, Decode)]
struct Stored {
    epoch: EpochNumber,
    root: RootGeneration,
    output: Vec<u8>,
    share: Vec<u8>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.share);
    }
}

/// A key share and the output that it belongs to.
pub(crate) struct Share {
    root: RootGeneration,
    pub(crate) output: Arc<Output>,
    pub(crate) share: KeyShare,
}

impl Share {
    pub(crate) const fn new(root: RootGeneration, output: Arc<Output>, share: KeyShare) -> Self {
        Self { root, output, share }
    }

    fn seal(&self, cabinet: &Cabinet, name: &str, epoch: EpochNumber) -> Result<(), Doubt> {
        let share = self.share.bytes_to_seal().to_vec();
        let stored = Stored { epoch, root: self.root, output: self.output.encode(), share };
        Ok(cabinet.put(name, &Zeroizing::new(stored.encode()))?)
    }

    pub(crate) fn open(cabinet: &Cabinet, name: &str) -> Result<Option<(EpochNumber, Self)>, Doubt> {
        let Some(bytes) = cabinet.get(name)?.map(Zeroizing::new) else { return Ok(None) };
        let corrupt = || Doubt::Corrupt(name.into());
        let stored = Stored::decode_all(&mut bytes.as_slice()).map_err(|_| corrupt())?;
        let output = Output::parse(&stored.output).map_err(|_| corrupt())?;
        let share = KeyShare::parse(&stored.share).map_err(|_| corrupt())?;
        if share.output() != output.hash() {
            return Err(corrupt());
        }
        Ok(Some((stored.epoch, Self { root: stored.root, output: Arc::new(output), share })))
    }
}

/// The key shares of one gatekeeper.
pub struct Shares {
    cabinet: Arc<Cabinet>,
    held: BTreeMap<RootGeneration, (EpochNumber, Share)>,
    pending: Option<Share>,
}

impl Shares {
    /// What lies on disk; `round` is the newest round that this gatekeeper took part in.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn open(cabinet: Arc<Cabinet>, round: Option<RoundNumber>) -> Result<Self, Doubt> {
        let mut held = BTreeMap::new();
        for root in index(&cabinet)? {
            if let Some((epoch, share)) = Share::open(&cabinet, &share_name(root))? {
                if share.root != root {
                    return Err(Doubt::Corrupt(share_name(root)));
                }
                held.insert(root, (epoch, share));
            }
        }
        let pending = match round {
            Some(round) => Share::open(&cabinet, &pending_name(round))?.map(|(_, share)| share),
            None => None,
        };
        Ok(Self { cabinet, held, pending })
    }

    /// Roots of which there is a key share.
    pub fn roots(&self) -> Vec<RootGeneration> {
        self.held.keys().copied().collect()
    }

    /// The epoch whose key share of `root` is held.
    pub fn epoch(&self, root: RootGeneration) -> Option<EpochNumber> {
        Some(self.held.get(&root)?.0)
    }

    /// The output of an epoch, if its key share is held.
    pub fn output(&self, epoch: EpochNumber) -> Option<Arc<Output>> {
        self.held.values().find(|(held, _)| *held == epoch).map(|(_, share)| share.output.clone())
    }

    /// The epoch and the key share of `root` that is held.
    pub(crate) fn held(&self, root: RootGeneration) -> Option<(EpochNumber, &KeyShare)> {
        self.held.get(&root).map(|(epoch, share)| (*epoch, &share.share))
    }

    /// Holds the key share of a seat that the chain has given to this machine.
    pub(crate) fn adopt(&mut self, epoch: EpochNumber, share: Share) -> Result<(), Doubt> {
        let root = share.root;
        if self.epoch(root).is_some_and(|held| held >= epoch) {
            return Ok(());
        }
        self.erase(root)?;
        self.hold(epoch, share)
    }

    /// The key share to deal from, if it belongs to `previous`.
    pub(crate) fn dealt_from(&self, root: RootGeneration, previous: &Output) -> Option<&KeyShare> {
        let (_, share) = self.held.get(&root)?;
        (share.share.output() == previous.hash()).then_some(&share.share)
    }

    /// The output that a round came to, before the chain has said whether it counts.
    pub fn pending(&self) -> Option<&Output> {
        self.pending.as_ref().map(|share| &*share.output)
    }

    /// Seals what a round came to.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn put_pending(&mut self, root: RootGeneration, output: Output, share: KeyShare) -> Result<(), Doubt> {
        let round = RoundNumber(output.round());
        let pending = Share { root, output: Arc::new(output), share };
        // The chain has not given the epoch a number yet.
        pending.seal(&self.cabinet, &pending_name(round), EpochNumber::default())?;
        self.pending = Some(pending);
        Ok(())
    }

    /// Erases what a round came to.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn drop_pending(&mut self, round: RoundNumber) -> Result<(), Doubt> {
        self.pending = None;
        Ok(self.cabinet.delete(&pending_name(round))?)
    }

    /// Erases what the chain has moved on from, then holds what it has moved on to. True when a key share became current.
    ///
    /// # Errors
    /// [`Doubt`].
    pub fn settle(&mut self, view: &View) -> Result<bool, Doubt> {
        let mut outdated = Vec::new();
        for (root, (epoch, _)) in &self.held {
            let Some(seen) = view.roots.get(root) else { continue };
            // A view of an older block says nothing about a newer key share.
            if seen.record.epoch > *epoch || (seen.record.status == RootStatus::Closed && seen.record.epoch >= *epoch) {
                outdated.push(*root);
            }
        }
        for root in outdated {
            self.erase(root)?;
        }
        let Some(pending) = &self.pending else { return Ok(false) };
        let root = pending.root;
        let current = view.roots.get(&root).and_then(|seen| seen.epoch.clone());
        let Some(epoch) = current.filter(|epoch| epoch.output_hash.0 == pending.share.output()) else {
            return Ok(false);
        };
        if self.held.contains_key(&root) {
            // It was held already, and the crash came before the pending copy was deleted.
            self.drop_pending(epoch.round)?;
            return Ok(false);
        }
        let Some(pending) = self.pending.take() else { return Ok(false) };
        self.hold(epoch.epoch, pending)?;
        self.drop_pending(epoch.round)?;
        tracing::info!(epoch = epoch.epoch.0, root = root.0, "holding a key share of the new epoch");
        Ok(true)
    }

    fn hold(&mut self, epoch: EpochNumber, share: Share) -> Result<(), Doubt> {
        let root = share.root;
        let mut roots = index(&self.cabinet)?;
        if !roots.contains(&root) {
            roots.push(root);
            self.cabinet.put(INDEX, &roots.encode())?;
        }
        share.seal(&self.cabinet, &share_name(root), epoch)?;
        self.held.insert(root, (epoch, share));
        Ok(())
    }

    fn erase(&mut self, root: RootGeneration) -> Result<(), Doubt> {
        self.cabinet.delete(&share_name(root))?;
        if let Some((epoch, _)) = self.held.remove(&root) {
            tracing::info!(epoch = epoch.0, root = root.0, "erased the key share of an old epoch");
        }
        Ok(())
    }

    /// This gatekeeper's part of the key of `identity`, if it holds a key share of exactly this epoch.
    pub(crate) fn evaluate(
        &self,
        root: RootGeneration,
        epoch: &phala_messages::custody::EpochRecord,
        identity: &Identity,
    ) -> Option<PartialKey> {
        let (held, share) = self.held.get(&root)?;
        let current = *held == epoch.epoch && share.share.output() == epoch.output_hash.0;
        current.then(|| evaluate(&share.share, identity))
    }

    /// Drops everything from memory. What lies on disk stays, for the next start.
    pub fn forget(&mut self) {
        self.held.clear();
        self.pending = None;
    }
}

fn index(cabinet: &Cabinet) -> Result<Vec<RootGeneration>, Doubt> {
    let Some(bytes) = cabinet.get(INDEX)? else { return Ok(Vec::new()) };
    DecodeAll::decode_all(&mut bytes.as_slice()).map_err(|_| Doubt::Corrupt(INDEX.into()))
}
