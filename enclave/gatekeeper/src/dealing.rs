//! The dealer's part of a round: one seed, one set of dealings, one log.
//!
//! ```text
//! seed (sealed) ─► dealings ─► acknowledgements ─► log (sealed) ─► its hash to the chain
//! ```
//!
//! # Properties
//! - The seed lies sealed on disk before the first dealing leaves; after a crash it makes the same dealings.
//! - The log lies sealed on disk before its hash is submitted; there is never another one.
//! - A process that was admitted after a round was opened deals in it only from a seed that lies on disk: without one it may
//!   have dealt before, and its disk been put back.

use crate::rounds::{Doubt, Names};
use phala_crypto::Secret;
use phala_machine::{Cabinet, Entropy};
use phala_messages::custody::{Members, Places, contains, with};
use phala_threshold::{Ack, Dealer, DealerLog, Dealing, KeyShare, ParticipantKey, Round, Signer};
use zeroize::Zeroizing;

/// A dealer at work.
pub(crate) struct Deal {
    dealer: Option<Dealer>,
    /// By the player's place.
    dealings: Vec<Dealing>,
    acknowledged: Places,
}

/// What a dealer starts with.
pub(crate) struct Start<'a> {
    pub cabinet: &'a Cabinet,
    pub entropy: &'a dyn Entropy,
    pub names: Names,
    pub round: &'a Round,
    pub signer: &'a Signer,
    pub old_share: Option<&'a KeyShare>,
    /// Whether a seed may be drawn.
    pub may_draw: bool,
}

impl Deal {
    /// Deals, or deals again what was dealt before the crash. None when it cannot, or must not.
    pub(crate) fn start(start: &Start<'_>) -> Result<Option<Self>, Doubt> {
        let Some(seed) = seed(start)? else {
            tracing::warn!("not dealing in this round: this process was admitted after it was opened, and has no seed");
            return Ok(None);
        };
        match Dealer::start(start.round, start.signer, &seed, start.old_share) {
            // Dealings come in order of the players' keys, as places do.
            Ok((dealer, dealings)) => {
                let dealings = dealings.into_iter().map(|(_, dealing)| dealing).collect();
                Ok(Some(Self { dealer: Some(dealer), dealings, acknowledged: 0 }))
            }
            Err(error) => {
                tracing::warn!(%error, "not dealing in this round");
                Ok(None)
            }
        }
    }

    /// Whether acknowledgements still count.
    pub(crate) const fn is_open(&self) -> bool {
        self.dealer.is_some()
    }

    /// The dealing for the player at `place`.
    pub(crate) fn dealing(&self, place: u32) -> Option<&Dealing> {
        self.dealings.get(place as usize)
    }

    /// Places of the players that have not acknowledged.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.dealings.len() as u32).filter(|place| !contains(self.acknowledged, *place))
    }

    /// Takes an acknowledgement; says whether it counts.
    pub(crate) fn acknowledge(&mut self, players: &Members, place: u32, ack: &Ack) -> bool {
        let (Some(dealer), Some(player)) = (&mut self.dealer, players.get(place as usize)) else { return false };
        let counts = dealer.acknowledge(&ParticipantKey(player.participant.0), ack).is_ok();
        if counts {
            self.acknowledged = with(self.acknowledged, place);
        }
        counts
    }

    /// Closes the books. None when they are closed.
    pub(crate) fn finish(&mut self) -> Option<DealerLog> {
        Some(self.dealer.take()?.finish())
    }
}

fn seed(start: &Start<'_>) -> Result<Option<Secret<32>>, Doubt> {
    let name = start.names.seed();
    if let Some(bytes) = start.cabinet.get(&name)?.map(Zeroizing::new) {
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| Doubt::Corrupt(name))?;
        return Ok(Some(Secret::generate(|out| out.copy_from_slice(bytes))));
    }
    if !start.may_draw {
        return Ok(None);
    }
    let seed = start.entropy.secret();
    start.cabinet.put(&name, seed.expose())?;
    Ok(Some(seed))
}
