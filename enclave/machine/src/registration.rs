//! Registration: being counted in, and staying so.
//!
//! ```text
//! not admitted ──► mirror collateral that the chain lacks ──► quote over (registration, newest final block)
//!      ▲                                                          │ registry.register
//!      └───────────── refused: the rule is logged ◄───────────────┤
//!                                                                 ▼
//!             renewed at a random moment between 50 % and 90 % of its life  ◄── admitted
//! ```
//! The moment is random so that machines which were admitted together do not come back together.

use crate::{
    chain::SubmitError,
    member::Member,
    ports::{Entropy, MachineError},
    standing::Standing,
    task::blocking,
};
use phala_evidence::Rejection;
use phala_messages::{
    BlockRef, Refusal, Registration, WorkerRecord,
    calls::{Call, Registry},
    collateral::Collateral,
    registration::{Endpoint, Quote, Submission},
};
use phala_units::UnixMillis;
use std::{collections::HashSet, sync::Arc};

/// How long a submitted registration may take to be final before another is sent.
const CONFIRM_MS: u64 = 20_000;
/// How long to wait after a refusal or an error.
const RETRY_MS: u64 = 2_000;

/// Why a registration was not sent.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The TEE gave no quote.
    #[error("the TEE: {0}")]
    Machine(#[from] MachineError),
    /// A quote that no chain would read.
    #[error("the TEE's quote has {0} bytes, more than the chain reads")]
    QuoteTooLarge(usize),
    /// The chain or the node says no.
    #[error("{0}")]
    Submit(SubmitError),
}

/// When an admission is to be renewed: between 50 % and 90 % of its life, where `chance` of 0..=255 says.
pub fn renewal_due(record: &WorkerRecord, chance: u8) -> UnixMillis {
    let life = record.expires_at.since(record.admitted_at);
    let share = life / 2 + (life / 5 * 2) / 255 * u64::from(chance);
    record.admitted_at.saturating_add(share)
}

/// Keeps one process registered.
pub struct Registrar {
    member: Arc<Member>,
    /// Pieces of collateral that the chain has.
    mirrored: HashSet<phala_messages::Hash>,
    /// For which admission the moment of renewal was drawn, and what.
    drawn: Option<(UnixMillis, u8)>,
}

impl Registrar {
    /// A registrar for `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self { member, mirrored: HashSet::new(), drawn: None }
    }

    /// Registers and renews until the process stops.
    pub async fn run(mut self) {
        loop {
            let seen = self.member.seen();
            let due = match &seen.standing {
                Standing::Superseded => return,
                Standing::Unregistered(_) => seen.time.0 > 0,
                Standing::Admitted(record) => self.renewal(record) <= self.member.ports.clock.now().max(seen.time),
            };
            if !due {
                self.member.ports.clock.sleep(RETRY_MS / 4).await;
                continue;
            }
            match self.register(seen.block).await {
                Ok(true) => {
                    tracing::info!(block = seen.block.number.0, "registration sent");
                    self.confirmed(seen.admitted_at).await;
                }
                // Collateral is on its way into a block.
                Ok(false) => self.member.ports.clock.sleep(RETRY_MS / 8).await,
                Err(error) => {
                    let reason = reason(&error);
                    tracing::warn!(reason, hint = hint(&error), "registration refused");
                    self.member.note_refusal(reason);
                    self.member.ports.clock.sleep(RETRY_MS).await;
                }
            }
        }
    }

    fn renewal(&mut self, record: &WorkerRecord) -> UnixMillis {
        let chance = match self.drawn {
            Some((of, chance)) if of == record.admitted_at => chance,
            _ => {
                let entropy: &dyn Entropy = &*self.member.ports.entropy;
                let [chance] = entropy.bytes();
                self.drawn = Some((record.admitted_at, chance));
                chance
            }
        };
        renewal_due(record, chance)
    }

    /// Waits until the chain has admitted what was just sent, or until it will not any more.
    async fn confirmed(&self, before: Option<UnixMillis>) {
        let give_up = self.member.ports.clock.now().saturating_add(CONFIRM_MS);
        while self.member.ports.clock.now() < give_up {
            let seen = self.member.seen();
            match seen.standing {
                Standing::Superseded => return,
                Standing::Admitted(_) if seen.admitted_at > before => return tracing::info!("admitted"),
                // A process that was killed had registered, too; its message kept this one out of the pool.
                _ if seen.admitted_at > before => {
                    return tracing::info!("another process of this machine was admitted; registering again");
                }
                _ => self.member.ports.clock.sleep(RETRY_MS / 10).await,
            }
        }
        tracing::warn!("the registration did not become final in time; sending another");
    }

    /// False when collateral must be in a block first.
    async fn register(&mut self, block: BlockRef) -> Result<bool, RegisterError> {
        let mirrored = self.mirror().await?;
        let identity = self.member.identity.clone();
        let registration = Registration {
            worker: identity.worker,
            instance: identity.instance,
            transport: identity.transport,
            role: self.member.role,
            endpoint: self.member.endpoint.clone(),
        };
        let report_data = registration.report_data(&block.hash, &identity.genesis);
        let quote = self.member.quote(report_data).await?;
        let size = quote.len();
        let signature = identity.sign_as_worker(&registration.signing_hash(&block.hash, &identity.genesis, &quote).0);
        self.member.note_quote(quote.clone());
        let quote = Quote::try_from(quote).map_err(|_| RegisterError::QuoteTooLarge(size))?;
        let submission = Box::new(Submission { registration, block, quote, signature });
        match self.member.submitter.submit(&Call::Registry(Registry::Register { submission })).await {
            Ok(()) | Err(SubmitError::Known | SubmitError::Had) => Ok(true),
            Err(SubmitError::Refused(_)) if !mirrored => Ok(false),
            Err(error) => Err(RegisterError::Submit(error)),
        }
    }

    /// Brings collateral that the chain lacks, or has older. True when the chain has all of it.
    ///
    /// The root's revocation list goes first: everything rests on it, and a node keeps what rests on it until it comes.
    async fn mirror(&mut self) -> Result<bool, RegisterError> {
        let machine = self.member.ports.machine.clone();
        let pieces = blocking(move || machine.collateral()).await?;
        let mut complete = true;
        for piece in pieces {
            let name = phala_messages::transcript::sha256(&codec::Encode::encode(&piece));
            if self.mirrored.contains(&name) {
                continue;
            }
            let kind = kind(&piece);
            match self
                .member
                .submitter
                .submit(&Call::Registry(Registry::StoreCollateral { collateral: Box::new(piece) }))
                .await
            {
                Ok(()) => tracing::info!(kind, "collateral sent"),
                Err(SubmitError::Known) => {}
                Err(SubmitError::Refused(Refusal::CollateralNotNewer) | SubmitError::Had) => {
                    self.mirrored.insert(name);
                    continue;
                }
                Err(error) => tracing::warn!(kind, %error, "collateral not taken"),
            }
            complete = false;
        }
        Ok(complete)
    }
}

const fn kind(piece: &Collateral) -> &'static str {
    match piece {
        Collateral::RootCrl { .. } => "root CRL",
        Collateral::PckCrl { .. } => "PCK CRL",
        Collateral::TcbInfo { .. } => "TCB info",
        Collateral::QeIdentity { .. } => "QE identity",
    }
}

/// The rule that was broken, by its own name where it is the evidence's.
fn reason(error: &RegisterError) -> String {
    match error {
        RegisterError::Submit(SubmitError::Refused(Refusal::Evidence(code))) => match Rejection::from_code(*code) {
            Some(rejection) => format!("the evidence is refused: {rejection}"),
            None => error.to_string(),
        },
        error => error.to_string(),
    }
}

/// What the operator can do about it.
const fn hint(error: &RegisterError) -> &'static str {
    match error {
        RegisterError::Machine(_) | RegisterError::QuoteTooLarge(_) => {
            "is the TEE running, and its socket or configfs tree where the arguments say?"
        }
        RegisterError::Submit(SubmitError::Refused(refusal)) => match refusal {
            Refusal::Evidence(_) => {
                "the machine's evidence or its collateral is not good: it may need an update, or fresh collateral"
            }
            Refusal::RootMissing => "the network's administrator must set a trusted root",
            Refusal::Measurement => {
                "this build is not on the network's list: run a listed one, or ask its administrator to list it"
            }
            Refusal::DevelopmentRoot => "this network takes real TEEs only",
            Refusal::Endpoint => "give --endpoint as http(s)://host[:port]",
            _ => "this is tried again with newer evidence",
        },
        RegisterError::Submit(_) => "this is tried again; is the node reachable and in sync?",
    }
}

/// The URL as it is registered.
///
/// # Errors
/// None of them when it is not `http(s)://host[:port]`.
pub fn parse_endpoint(text: &str) -> Option<Endpoint> {
    if !phala_messages::address::endpoint_is_well_formed(text.as_bytes()) {
        return None;
    }
    Endpoint::try_from(text.as_bytes().to_vec()).ok()
}
