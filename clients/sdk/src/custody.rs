//! Custody: who guards the master key, and how far they are. Everything here is proven from the chain.

use crate::{
    Client, ClusterError, KeyPair, SubmitError,
    client::{ChainError, POLL, decode},
};
use phala_messages::{
    Account, ParticipantKey, Signature, WorkerId, WorkerRecord,
    calls::{Call, Custody, Sudo},
    custody::{
        CandidateRecord, DeliveryHead, EpochRecord, Member, Parameters, RootGeneration, RootRecord, RoundNumber,
        RoundRecord,
    },
    storage,
};
use std::time::{Duration, Instant};

/// How long bonds may take to be in a block.
const BOND_TIMEOUT: Duration = Duration::from_secs(30);

/// One gatekeeper that guards a root.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Which machine, and what it deals with.
    pub member: Member,
    /// Its registration, if the chain has one.
    pub record: Option<WorkerRecord>,
    /// Where its log of deliveries stands.
    pub deliveries: DeliveryHead,
}

/// The root that takes programs, and who guards it.
#[derive(Clone, Debug)]
pub struct Root {
    /// Which.
    pub generation: RootGeneration,
    /// What the chain says of it.
    pub record: RootRecord,
    /// Its current epoch.
    pub epoch: EpochRecord,
    /// The epoch's members.
    pub guards: Vec<Guard>,
}

/// What the chain knows of custody.
#[derive(Clone, Debug)]
pub struct CustodyState {
    /// Times and amounts. None on a network without them in its genesis.
    pub parameters: Option<Parameters>,
    /// The root that takes programs. None before its key is made.
    pub root: Option<Root>,
    /// The newest round, running or over.
    pub round: Option<RoundRecord>,
}

/// A gatekeeper's consent that an account bonds for it, as its `/v1/info` gives it.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The machine.
    pub gatekeeper: WorkerId,
    /// What it deals with.
    pub participant: ParticipantKey,
    /// By its identity.
    pub signature: Signature,
}

/// The call that bonds for a gatekeeper.
pub fn bond_call(consent: &Consent) -> Call {
    let Consent { gatekeeper, participant, signature } = *consent;
    Call::Custody(Box::new(Custody::Bond { gatekeeper, participant, consent: signature }))
}

/// The administrator's call that approves an account's candidate.
pub fn approve_call(account: Account) -> Call {
    let call = Box::new(Call::Custody(Box::new(Custody::Approve { account })));
    Call::Sudo(Sudo::Sudo { call })
}

impl Client {
    /// What the chain knows of custody.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn custody(&self) -> Result<CustodyState, ChainError> {
        let keys = [storage::custody_parameters(), storage::open_root(), storage::newest_round()];
        let (_, values) = self.read_raw(&keys).await?;
        let parameters = decode(&values, 0, "the parameters of custody")?;
        let generation: Option<RootGeneration> = decode(&values, 1, "the open root")?;
        let newest: Option<RoundNumber> = decode(&values, 2, "the newest round")?;
        let round = match newest {
            Some(number) => self.one(storage::round(number), "a round").await?,
            None => None,
        };
        let root = match generation {
            Some(generation) => self.root(generation).await?,
            None => None,
        };
        Ok(CustodyState { parameters, root, round })
    }

    async fn root(&self, generation: RootGeneration) -> Result<Option<Root>, ChainError> {
        let Some(record) = self.one::<RootRecord>(storage::root(generation), "a root").await? else { return Ok(None) };
        let Some(epoch) = self.one::<EpochRecord>(storage::epoch(record.epoch), "an epoch").await? else {
            return Ok(None);
        };
        let keys: Vec<_> = epoch
            .members
            .iter()
            .flat_map(|member| [storage::worker(&member.gatekeeper), storage::delivery_head(&member.gatekeeper)])
            .collect();
        let (_, values) = self.read_raw(&keys).await?;
        let mut guards = Vec::with_capacity(epoch.members.len());
        for (n, member) in epoch.members.iter().enumerate() {
            guards.push(Guard {
                member: *member,
                record: decode(&values, 2 * n, "a gatekeeper")?,
                deliveries: decode(&values, 2 * n + 1, "a log of deliveries")?.unwrap_or_default(),
            });
        }
        Ok(Some(Root { generation, record, epoch, guards }))
    }

    /// What an account bonded for.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn candidate(&self, account: &Account) -> Result<Option<CandidateRecord>, ChainError> {
        self.one(storage::candidate(account), "a candidate").await
    }

    /// Bonds for gatekeepers, each as its owner, and approves them as `administrator`: what a development network does
    /// by itself. Back when the transactions are sent.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit_gatekeepers(
        &self,
        administrator: &KeyPair,
        candidates: &[(KeyPair, Consent)],
    ) -> Result<(), SubmitError> {
        let mut bonds = Vec::new();
        for (owner, consent) in candidates {
            bonds.push(self.submit(owner, &bond_call(consent)).await?);
        }
        // The node's word that the bonds are in a block is enough to go on: an approval before its bond fails, and is seen.
        let deadline = Instant::now() + BOND_TIMEOUT;
        for (owner, _) in candidates {
            let key = format!("0x{}", hex::encode(storage::candidate(&owner.account())));
            while Instant::now() < deadline {
                let value = self.ask("state_getStorage", serde_json::json!([key])).await?;
                if value.is_string() {
                    break;
                }
                tokio::time::sleep(POLL).await;
            }
        }
        for (owner, _) in candidates {
            self.submit(administrator, &approve_call(owner.account())).await?;
        }
        Ok(())
    }

    /// Waits until a root takes programs, and gives it.
    ///
    /// # Errors
    /// [`ClusterError::NoRoot`] after `timeout`.
    pub async fn await_root(&self, timeout: Duration) -> Result<Root, ClusterError> {
        let deadline = Instant::now() + timeout;
        loop {
            self.advance().await?;
            if let Some(root) = self.custody().await?.root {
                return Ok(root);
            }
            if Instant::now() > deadline {
                return Err(ClusterError::NoRoot { seconds: timeout.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
