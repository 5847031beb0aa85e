//! Recovery: what the chain keeps for the day on which too many gatekeepers are lost, and the steps of that day. Everything
//! that a custodian acts on is proven from the finalised chain.

use crate::{
    ChainError, Client, CustodianKeys, Hint, KeyPair, SubmitError,
    client::{POLL, decode},
};
use codec::{Decode, Encode};
use phala_follow::{RpcError, rpc};
use phala_messages::{
    WorkerId, WorkerRecord,
    calls::{Call, Recovery, Sudo},
    custody::{EpochRecord, RootGeneration, RootRecord},
    recovery::{
        CeremonyRecord, Custodian, CustodianCall, CustodianSet, EpochOutput, Handover, OutcomeRecord, PieceRefusal,
        PieceReply, RECOVERY_PATH, RecoveryParameters, SeatBackup, SeatProgress,
    },
    storage,
};
use phala_threshold::{Commitment, Output, backs, seat_public_key};
use std::time::{Duration, Instant};

/// How long the chain may take to show what it was told.
const SHOWN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a machine may take to see what this client sees of the chain.
const TAKEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a step of recovery is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The chain, or its proof.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Submitting a call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// No root of this number.
    #[error("the chain has no root {0}")]
    NoRoot(u32),
    /// Nobody was appointed.
    #[error("no custodians are appointed on this network")]
    NoCustodians,
    /// The keys are not those of an appointed custodian.
    #[error("this custodian is not one of those that the backups were made for")]
    NotACustodian,
    /// None stands.
    #[error("no ceremony stands for root {0}")]
    NoCeremony(u32),
    /// The delay is there so that a ceremony can be stopped.
    #[error("the ceremony's delay ends in block {opens}; the newest finalised one is {now}")]
    Early {
        /// First block in which pieces may be handed over.
        opens: u32,
        /// Newest finalised block.
        now: u32,
    },
    /// Governance has bound no machine.
    #[error("no machine is bound to a seat that is still to be taken")]
    NothingBound,
    /// The chain took the call and did nothing.
    #[error("the chain did not do it: {0}")]
    NotDone(&'static str),
    /// The chain refuses a custodian's call.
    #[error("the chain does not take the call: {0}")]
    Refused(String),
}

impl Hint for RecoveryError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Chain(error) => return error.hint(),
            Self::Submit(error) => return error.hint(),
            Self::NoRoot(_) => "`phala gatekeeper status` shows the root; name another with --root N".into(),
            Self::NoCustodians => "governance appoints them: `phala recovery appoint`".into(),
            Self::NotACustodian => "`phala recovery status` lists the custodians' public keys".into(),
            Self::NoCeremony(_) => "`phala recovery announce` announces one for a root that is lost".into(),
            Self::Early { .. } => "wait: until then gatekeepers that return, or governance, can stop it".into(),
            Self::NothingBound => "governance binds machines to seats: `phala recovery bind`".into(),
            Self::NotDone(hint) => (*hint).into(),
            Self::Refused(_) => "`phala recovery status` shows what stands, and why".into(),
        })
    }
}

/// A seat of the current epoch, and what is kept of it.
#[derive(Clone, Debug)]
pub struct SeatState {
    /// Its place.
    pub place: u32,
    /// Who holds it.
    pub gatekeeper: WorkerId,
    /// Its registration, if the chain has one.
    pub record: Option<WorkerRecord>,
    /// The newest backup, of whatever epoch.
    pub backup: Option<SeatBackup>,
}

/// What the chain knows of a root's recovery.
#[derive(Clone, Debug)]
pub struct RecoveryState {
    /// The newest finalised height.
    pub height: u32,
    /// Delays.
    pub parameters: RecoveryParameters,
    /// For whom backups are made.
    pub custodians: Option<CustodianSet>,
    /// The root's current epoch.
    pub epoch: EpochRecord,
    /// Its seats.
    pub seats: Vec<SeatState>,
    /// What the epoch came to, if it is kept.
    pub output: Option<EpochOutput>,
    /// The ceremony that stands.
    pub ceremony: Option<CeremonyRecord>,
    /// How the last one ended.
    pub outcome: Option<OutcomeRecord>,
}

/// What can be seen of a seat's backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatCheck {
    /// The seat.
    pub place: u32,
    /// There is a backup of the current epoch.
    pub fresh: bool,
    /// It begins with the public half of the seat's key share, and has the custodians' threshold.
    pub fits: bool,
    /// The custodian's own piece opens and lies on it. None when no custodian looked.
    pub piece: Option<bool>,
}

impl SeatCheck {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.fresh && self.fits && self.piece != Some(false)
    }
}

impl RecoveryState {
    /// Whether the output that is kept is the epoch's.
    pub fn output_is_kept(&self) -> bool {
        let output = self.output.as_ref().and_then(|bytes| Output::parse(bytes).ok());
        output.is_some_and(|output| output.hash() == self.epoch.output_hash.0)
    }

    /// How many members are admitted at `now_ms`.
    pub fn admitted(&self, now_ms: u64) -> u32 {
        let records = self.seats.iter().filter_map(|seat| seat.record.as_ref());
        records.filter(|record| record.expires_at.0 > now_ms).count() as u32
    }

    /// Looks at every backup; with keys, opens the custodian's own pieces. Nothing secret leaves.
    pub fn check(
        &self,
        genesis: &phala_messages::GenesisHash,
        custodian: Option<(&CustodianKeys, u32)>,
    ) -> Vec<SeatCheck> {
        let threshold = self.custodians.as_ref().map_or(0, |set| set.threshold as usize);
        let look = |seat: &SeatState| {
            let backup = seat.backup.as_ref().filter(|backup| backup.epoch == self.epoch.epoch);
            let commitment = backup.and_then(|backup| Commitment::of_points(&backup.polynomial));
            let public = seat_public_key(&self.epoch.polynomial, seat.place);
            let fits =
                commitment.zip(public).is_some_and(|(commitment, public)| backs(&public, threshold, &commitment));
            let piece = custodian
                .map(|(keys, place)| backup.is_some_and(|backup| keys.piece(genesis, backup, place).is_some()));
            SeatCheck { place: seat.place, fresh: backup.is_some(), fits, piece }
        };
        self.seats.iter().map(look).collect()
    }
}

/// A call that governance makes.
fn governed(call: Recovery) -> Call {
    Call::Sudo(Sudo::Sudo { call: Box::new(Call::Recovery(Box::new(call))) })
}

impl Client {
    /// What the chain knows of a root's recovery; of the open one when none is named.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn recovery(&self, root: Option<RootGeneration>) -> Result<RecoveryState, RecoveryError> {
        let root = match root {
            Some(root) => root,
            None => {
                let (_, values) = self.read_raw(&[storage::open_root()]).await?;
                decode(&values, 0, "the open root")?.unwrap_or_default()
            }
        };
        let (_, values) = self.read_raw(&[storage::root(root)]).await?;
        let record: RootRecord = decode(&values, 0, "a root")?.ok_or(RecoveryError::NoRoot(root.0))?;
        let (_, values) = self.read_raw(&[storage::epoch(record.epoch)]).await?;
        let epoch: EpochRecord = decode(&values, 0, "an epoch")?.ok_or(RecoveryError::NoRoot(root.0))?;
        let mut keys = vec![
            storage::recovery_parameters(),
            storage::custodians(),
            storage::epoch_output(root),
            storage::ceremony(root),
            storage::ceremony_outcome(root),
        ];
        let fixed = keys.len();
        for (place, member) in (0..).zip(&epoch.members) {
            keys.extend([storage::worker(&member.gatekeeper), storage::seat_backup(root, place)]);
        }
        let (block, values) = self.read_raw(&keys).await?;
        let mut seats = Vec::with_capacity(epoch.members.len());
        for (n, member) in epoch.members.iter().enumerate() {
            seats.push(SeatState {
                place: n as u32,
                gatekeeper: member.gatekeeper,
                record: decode(&values, fixed + 2 * n, "a gatekeeper")?,
                backup: decode(&values, fixed + 2 * n + 1, "a backup")?,
            });
        }
        Ok(RecoveryState {
            height: block.number.0,
            parameters: decode(&values, 0, "the parameters of recovery")?.unwrap_or(RecoveryParameters::DEFAULT),
            custodians: decode(&values, 1, "the custodians")?,
            output: decode(&values, 2, "an epoch's output")?,
            ceremony: decode(&values, 3, "a ceremony")?,
            outcome: decode(&values, 4, "a ceremony's outcome")?,
            epoch,
            seats,
        })
    }

    /// Makes a call as the administrator, and waits until `done` holds on the finalised chain.
    async fn govern(
        &self,
        administrator: &KeyPair,
        root: Option<RootGeneration>,
        call: Recovery,
        hint: &'static str,
        done: impl Fn(&RecoveryState) -> bool,
    ) -> Result<RecoveryState, RecoveryError> {
        self.submit_and_wait(administrator, &governed(call)).await?;
        let state = self.recovery(root).await?;
        if done(&state) { Ok(state) } else { Err(RecoveryError::NotDone(hint)) }
    }

    /// Appoints custodians, as the administrator.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn appoint_custodians(
        &self,
        administrator: &KeyPair,
        threshold: u32,
        custodians: Vec<Custodian>,
    ) -> Result<CustodianSet, RecoveryError> {
        let hint =
            "at most 16 custodians, none twice; a majority of at least two is the threshold; and no ceremony may stand";
        let bounded = custodians.clone().try_into().map_err(|_| RecoveryError::NotDone(hint))?;
        let call = Recovery::Appoint { threshold, custodians: bounded };
        self.submit_and_wait(administrator, &governed(call)).await?;
        let (_, values) = self.read_raw(&[storage::custodians()]).await?;
        let set: Option<CustodianSet> = decode(&values, 0, "the custodians")?;
        let set = set.filter(|set| set.threshold == threshold && set.custodians.as_slice() == custodians.as_slice());
        set.ok_or(RecoveryError::NotDone(hint))
    }

    /// Announces a ceremony, as the administrator.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn announce_recovery(
        &self,
        administrator: &KeyPair,
        root: RootGeneration,
    ) -> Result<RecoveryState, RecoveryError> {
        let hint = "a ceremony is for a root that is lost and backed up: `phala recovery status` shows both";
        let call = Recovery::Announce { root };
        self.govern(administrator, Some(root), call, hint, |state| state.ceremony.is_some()).await
    }

    /// Gives a ceremony up, as the administrator.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn cancel_recovery(
        &self,
        administrator: &KeyPair,
        root: RootGeneration,
    ) -> Result<RecoveryState, RecoveryError> {
        if self.recovery(Some(root)).await?.ceremony.is_none() {
            return Err(RecoveryError::NoCeremony(root.0));
        }
        let call = Recovery::Cancel { root };
        self.govern(administrator, Some(root), call, "try again", |state| state.ceremony.is_none()).await
    }

    /// Binds a machine to a seat, as the administrator.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn bind_seat(
        &self,
        administrator: &KeyPair,
        root: RootGeneration,
        place: u32,
        gatekeeper: WorkerId,
    ) -> Result<RecoveryState, RecoveryError> {
        let before = self.recovery(Some(root)).await?;
        open_ceremony(&before, root)?;
        let hint = "the machine must be bonded for, approved and admitted, hold no seat, and be bound to no other; \
                    and the seat's own member must not have said that it is there";
        let bound = |state: &RecoveryState| {
            let seats = state.ceremony.as_ref().map(|ceremony| &ceremony.seats);
            seats.is_some_and(|seats| seats.iter().any(|seat| seat.place == place && seat.gatekeeper == gatekeeper))
        };
        self.govern(administrator, Some(root), Recovery::Bind { root, place, gatekeeper }, hint, bound).await
    }

    /// Calls for a ceremony, as a custodian. True when it is announced by that.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn call_for_recovery(&self, keys: &CustodianKeys, root: RootGeneration) -> Result<bool, RecoveryError> {
        let state = self.recovery(Some(root)).await?;
        let set = state.custodians.ok_or(RecoveryError::NoCustodians)?;
        let custodian = place_in(&set, keys)?;
        let call = CustodianCall { root, epoch: state.epoch.epoch, set: set.number, custodian };
        let call = Call::Recovery(Box::new(Recovery::CallFor { call: keys.call(&self.genesis(), call) }));
        match rpc::submit_extrinsic(&self.rpc, &call.authorized()).await {
            Ok(_) => {}
            Err(RpcError::Refused { message, .. }) => return Err(RecoveryError::Refused(message)),
            Err(error) => return Err(self.follow_error(error.into()).into()),
        }
        let deadline = Instant::now() + SHOWN_TIMEOUT;
        let from = state.height;
        loop {
            self.advance().await?;
            let state = self.recovery(Some(root)).await?;
            // Some blocks later it has been counted, whether or not it was the last one that was needed.
            if state.ceremony.is_some() || state.height > from + 5 || Instant::now() > deadline {
                return Ok(state.ceremony.is_some());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Which piece of each backup is this custodian's: its place in the set for which the current backups were made.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub fn custodian_place(&self, state: &RecoveryState, keys: &CustodianKeys) -> Result<u32, RecoveryError> {
        place_in(state.custodians.as_ref().ok_or(RecoveryError::NoCustodians)?, keys)
    }

    /// Hands this custodian's pieces to the machines that the finalised chain has bound to seats: after the delay, each sealed to
    /// the process that the chain has of its machine. Says for each seat what the machine answered.
    ///
    /// # Errors
    /// [`RecoveryError`]; nothing has left then.
    pub async fn release_pieces(
        &self,
        keys: &CustodianKeys,
        root: RootGeneration,
    ) -> Result<Vec<(u32, WorkerId, Result<SeatProgress, String>)>, RecoveryError> {
        let state = self.recovery(Some(root)).await?;
        let ceremony = open_ceremony(&state, root)?;
        let waiting: Vec<_> = ceremony.seats.iter().filter(|seat| !seat.taken).copied().collect();
        if waiting.is_empty() {
            return Err(RecoveryError::NothingBound);
        }
        let mut out = Vec::new();
        for binding in waiting {
            let told = self.release_piece(keys, &state, ceremony, binding.place, &binding.gatekeeper).await?;
            out.push((binding.place, binding.gatekeeper, told));
        }
        Ok(out)
    }

    async fn release_piece(
        &self,
        keys: &CustodianKeys,
        state: &RecoveryState,
        ceremony: &CeremonyRecord,
        place: u32,
        gatekeeper: &WorkerId,
    ) -> Result<Result<SeatProgress, String>, RecoveryError> {
        let backup = state.seats.get(place as usize).and_then(|seat| seat.backup.as_ref());
        let Some(backup) = backup.filter(|backup| backup.epoch == ceremony.epoch) else {
            return Ok(Err("the chain has no backup of this seat".into()));
        };
        let (_, values) = self.read_raw(&[storage::worker(gatekeeper), storage::custodian_set(backup.set)]).await?;
        let set: CustodianSet = decode(&values, 1, "the custodians")?.ok_or(RecoveryError::NoCustodians)?;
        let Some(record) = decode::<WorkerRecord>(&values, 0, "a gatekeeper")? else {
            return Ok(Err("the machine is not registered".into()));
        };
        let custodian = place_in(&set, keys)?;
        let commitment = Commitment::of_points(&backup.polynomial);
        let public = seat_public_key(&state.epoch.polynomial, place);
        let fits = commitment.zip(public).is_some_and(|(it, public)| backs(&public, set.threshold as usize, &it));
        let piece = keys.piece(&self.genesis(), backup, custodian).filter(|_| fits);
        let Some(piece) = piece else { return Ok(Err("the piece does not open, or does not fit the seat".into())) };
        let registration = &record.registration;
        let handover = Handover {
            root: ceremony.root,
            ceremony: ceremony.number,
            epoch: ceremony.epoch,
            place,
            set: backup.set,
            custodian,
            gatekeeper: *gatekeeper,
            instance: registration.instance,
        };
        let Some(release) = keys.release(&self.genesis(), handover, &piece, &registration.transport) else {
            return Ok(Err("the machine's transport key is of no use".into()));
        };
        let endpoint = String::from_utf8_lossy(&registration.endpoint);
        let url = format!("{}{RECOVERY_PATH}", endpoint.trim_end_matches('/'));
        let lost = |error: reqwest::Error| format!("the machine does not answer: {}", crate::chain_of(&error));
        let whole = SeatProgress { pieces: set.threshold, required: set.threshold };
        let deadline = Instant::now() + TAKEN_TIMEOUT;
        loop {
            let reply = self.http.post(&url).body(release.encode()).send().await.and_then(|it| it.error_for_status());
            let reply = match reply {
                Ok(reply) => reply.bytes().await.map_err(lost),
                Err(error) => Err(lost(error)),
            };
            let told = reply.map(|bytes| PieceReply::decode(&mut bytes.as_ref()));
            return Ok(match told {
                Ok(Ok(Ok(progress))) => Ok(progress),
                Ok(Ok(Err(PieceRefusal::Taken))) => Ok(whole),
                // The machine may see the chain a few blocks later than this client.
                Ok(Ok(Err(refusal))) if refusal.passes() && Instant::now() < deadline => {
                    tokio::time::sleep(POLL * 4).await;
                    continue;
                }
                Ok(Ok(Err(refusal))) => Err(refusal.to_string()),
                Ok(Err(_)) => Err("the machine's answer is of another version".into()),
                Err(reason) => Err(reason),
            });
        }
    }
}

/// The ceremony that stands, once its delay has passed.
fn open_ceremony(state: &RecoveryState, root: RootGeneration) -> Result<&CeremonyRecord, RecoveryError> {
    let ceremony = state.ceremony.as_ref().filter(|ceremony| ceremony.epoch == state.epoch.epoch);
    let ceremony = ceremony.ok_or(RecoveryError::NoCeremony(root.0))?;
    if ceremony.is_open(phala_units::BlockNumber(state.height)) {
        return Ok(ceremony);
    }
    Err(RecoveryError::Early { opens: ceremony.opens.0, now: state.height })
}

/// The custodian's place in a set.
fn place_in(set: &CustodianSet, keys: &CustodianKeys) -> Result<u32, RecoveryError> {
    let own = keys.public();
    let place = set.custodians.iter().position(|custodian| *custodian == own);
    place.map(|place| place as u32).ok_or(RecoveryError::NotACustodian)
}
