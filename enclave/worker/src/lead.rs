//! The lead's watch: who leads shows itself when it is doubted; who stands by doubts a lead that is silent, and takes its place.
//!
//! ```text
//! standing by: the lead answers ───────────────────────────────────────────► nothing
//!              no answer for a while ─► Doubt ─► (chain: so many blocks) ─► still doubted ─► Take
//!              its admission has expired ─────────────────────────────────────────────────► Take
//! lead:        doubted ─► Show
//! ```
//! Who stands first in line takes first; the next waits some blocks longer, so that not all speak at once.
//!
//! # Properties
//! - A lead that follows the chain and is heard by it keeps the lead.
//! - After a time without finality nobody is deposed for what he could not see: who takes the lead has seen the doubt for a while.

use crate::{cluster::Cluster, shipping::exchange, worker::Worker};
use phala_machine::chain::SubmitError;
use phala_messages::{
    calls::{Call, Programs},
    copies::CopySay,
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
    limits::LEAD_PATIENCE_BLOCKS,
};
use phala_units::{BlockNumber, UnixMillis};
use std::sync::Arc;

/// How often to look.
const LOOK_MS: u64 = 1_000;
/// How often a lead is asked whether it is there.
const GREET_MS: u64 = 3_000;
/// A lead that does not answer for so long is doubted.
pub const SILENT_MS: u64 = 12_000;
/// A message that has changed nothing by then is sent again.
const RESEND_MS: u64 = 8_000;
/// How long a doubt must have been seen before the lead is taken.
const SEEN_MS: u64 = 10_000;
/// Blocks between one that stands by and the next.
const RANK_BLOCKS: u32 = 3;

/// Watches over who leads.
pub struct Watch {
    worker: Arc<Worker>,
    /// The term that this is about.
    term: Option<u64>,
    /// When the lead was asked last, and when it answered.
    asked: UnixMillis,
    heard: UnixMillis,
    /// The doubt that stands, and since when it was seen.
    doubt: Option<(BlockNumber, UnixMillis)>,
    /// What was sent last, and when.
    sent: Option<(LeadMessage, UnixMillis)>,
}

impl Watch {
    /// A watch for `worker`.
    pub const fn new(worker: Arc<Worker>) -> Self {
        Self { worker, term: None, asked: UnixMillis(0), heard: UnixMillis(0), doubt: None, sent: None }
    }

    /// Watches until the task is dropped.
    pub async fn run(mut self) {
        loop {
            self.worker.ports.clock.sleep(LOOK_MS).await;
            if self.worker.may_serve(&self.worker.view()).is_err() {
                // Who cannot speak for himself has nothing to say about others.
                self.term = None;
                continue;
            }
            if let Some(cluster) = self.worker.cluster() {
                self.look(&cluster).await;
            }
        }
    }

    async fn look(&mut self, cluster: &Cluster) {
        let now = self.worker.ports.clock.now();
        if self.term != Some(cluster.lead.term) {
            self.term = Some(cluster.lead.term);
            self.heard = now;
            self.asked = UnixMillis(0);
        }
        self.doubt = match (self.doubt, cluster.lead.doubted) {
            (Some((seen, since)), Some(block)) if seen == block => Some((block, since)),
            (_, Some(block)) => Some((block, now)),
            (_, None) => None,
        };
        let Some(leader) = cluster.leader() else { return };
        if leader == self.worker.identity.worker {
            if self.doubt.is_some() {
                self.say(cluster, LeadStep::Show).await;
            }
            return;
        }
        if cluster.admitted(&leader).is_none() {
            return self.say(cluster, LeadStep::Take).await;
        }
        if let Some((block, since)) = self.doubt {
            let turn = LEAD_PATIENCE_BLOCKS
                .saturating_add(RANK_BLOCKS.saturating_mul(cluster.rank(&self.worker.identity.worker)));
            if cluster.block.number.since(block) >= turn && now.since(since) >= SEEN_MS {
                self.say(cluster, LeadStep::Take).await;
            }
            return;
        }
        if now.since(self.asked) >= GREET_MS {
            self.asked = now;
            self.greet(cluster).await;
        }
        let silent = now.since(self.heard) >= SILENT_MS;
        if silent && cluster.block.number.since(cluster.lead.shown) >= LEAD_PATIENCE_BLOCKS {
            self.say(cluster, LeadStep::Doubt).await;
        }
    }

    async fn greet(&mut self, cluster: &Cluster) {
        let Some(record) = cluster.leader().and_then(|leader| cluster.admitted(&leader)) else { return };
        match exchange(&self.worker, record, CopySay::Greet).await {
            Ok(_) => self.heard = self.worker.ports.clock.now(),
            Err(error) => tracing::info!(%error, "the lead does not answer"),
        }
    }

    async fn say(&mut self, cluster: &Cluster, step: LeadStep) {
        let now = self.worker.ports.clock.now();
        let identity = &self.worker.identity;
        let message = LeadMessage {
            cluster: cluster.id,
            term: cluster.lead.term,
            newest: cluster.lead.newest(),
            step,
            worker: identity.worker,
        };
        if self.sent.as_ref().is_some_and(|(sent, at)| *sent == message && now.since(*at) < RESEND_MS) {
            return;
        }
        let signature = identity.sign_as_instance(&message.signing_hash(&identity.genesis).0);
        let call = Call::Programs(Programs::Lead { lead: SignedLeadMessage { message: message.clone(), signature } });
        match self.worker.submitter.submit(&call).await {
            Ok(()) => tracing::warn!(?step, cluster = cluster.id.0, "said to the chain, about who leads"),
            Err(SubmitError::Known | SubmitError::Had) => {}
            Err(error) => tracing::warn!(?step, %error, "the chain does not take it yet"),
        }
        self.sent = Some((message, now));
    }
}
