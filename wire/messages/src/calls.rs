//! Extrinsics: what can be asked of the runtime, and how it is signed.
//!
//! A worker must not believe a node's metadata about the meaning of what it signs, so it encodes calls by
//! itself; clients share that. The runtime's tests hold every call here against the runtime's own encoding.
//!
//! # Shape
//! `compact length ‖ preamble ‖ extension ‖ call`. Preamble: `0x84 ‖ address ‖ signature` when an account signs, `0x45 ‖ 0x00`
//! (general transaction, extension version 0) when the call carries its own authority.

use crate::Signature;
use crate::{
    anchor::SignedAnchor,
    bounties,
    collateral::Collateral,
    command::SealedCommand,
    computation::{FaultProof, Heartbeat, ScoreReport},
    credit,
    custody::{
        Complaint, Confirmation, DeliveryBatch, LogCommitment, OutputReport, Parameters, RootGeneration, Signed,
    },
    holders,
    ids::{Account, ClusterId, CodeHash, GenesisHash, Hash, ParticipantKey, PoolId, ProgramId, WorkerId},
    lead::SignedLeadMessage,
    limits::CUSTODIANS_MAX,
    moves::{Keep, SignedMoved},
    pools::Pools,
    program::{Manifest, Name, SignedReady},
    recovery::{Custodian, CustodianCall, EpochOutput, Objection, RecoveryParameters, SeatBackup, SeatTaken},
    registration::{Role, Submission},
};
use alloc::{boxed::Box, vec, vec::Vec};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Compact, Encode};
use phala_units::Planck;
use sp_crypto_hashing::blake2_256;

/// A call of the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// The chain's code.
    System(holders::System),
    /// PHA.
    Balances(Balances),
    /// Keys of validators.
    Session(Session),
    /// Stake behind validators.
    Staking(holders::Staking),
    /// PHA that is free later.
    Vesting(holders::Vesting),
    /// Several calls at once.
    Utility(Utility),
    /// Accounts of several people.
    Multisig(holders::Multisig),
    /// Accounts that act for others.
    Proxy(holders::Proxy),
    /// Who accounts say that they are.
    Identity(holders::Identity),
    /// What hashes of proposals stand for.
    Preimage(holders::Preimage),
    /// Money stands still.
    SafeMode(holders::SafeMode),
    /// Referenda.
    Democracy(holders::Democracy),
    /// The council.
    Council(holders::Body),
    /// The technical committee.
    TechnicalCommittee(holders::Body),
    /// Elections of the council.
    Elections(holders::Elections),
    /// The network's own fund.
    Treasury(holders::Treasury),
    /// What the treasury pays for work.
    Bounties(bounties::Bounties),
    /// What the treasury gives.
    Tips(bounties::Tips),
    /// The development network's administrator.
    Sudo(Sudo),
    /// Workers.
    Registry(Registry),
    /// Programs.
    Programs(Programs),
    /// Gatekeepers and their key shares.
    Custody(Box<Custody>),
    /// Backups of key shares, and ceremonies.
    Recovery(Box<Recovery>),
    /// Sessions of workers.
    Computation(Box<Computation>),
    /// Pools of stake.
    Pools(Pools),
    /// Stake on programs, credit for their commands.
    Credit(credit::Credit),
    /// Any call, encoded already: its first byte is the pallet's index.
    Encoded(Vec<u8>),
}

impl Encode for Call {
    /// The pallet's index in the runtime, then its call.
    fn encode_to<O: codec::Output + ?Sized>(&self, out: &mut O) {
        match self {
            Self::System(call) => (0u8, call).encode_to(out),
            Self::Balances(call) => (5u8, call).encode_to(out),
            Self::Session(call) => (7u8, call).encode_to(out),
            Self::Staking(call) => (9u8, call).encode_to(out),
            Self::Vesting(call) => (12u8, call).encode_to(out),
            Self::Utility(call) => (20u8, call).encode_to(out),
            Self::Multisig(call) => (21u8, call).encode_to(out),
            Self::Proxy(call) => (22u8, call).encode_to(out),
            Self::Identity(call) => (23u8, call).encode_to(out),
            Self::Preimage(call) => (24u8, call).encode_to(out),
            Self::SafeMode(call) => (26u8, call).encode_to(out),
            Self::Democracy(call) => (30u8, call).encode_to(out),
            Self::Council(call) => (31u8, call).encode_to(out),
            Self::TechnicalCommittee(call) => (32u8, call).encode_to(out),
            Self::Elections(call) => (33u8, call).encode_to(out),
            Self::Treasury(call) => (35u8, call).encode_to(out),
            Self::Bounties(call) => (36u8, call).encode_to(out),
            Self::Tips(call) => (38u8, call).encode_to(out),
            Self::Sudo(call) => (40u8, call).encode_to(out),
            Self::Registry(call) => (50u8, call).encode_to(out),
            Self::Programs(call) => (51u8, call).encode_to(out),
            Self::Custody(call) => (52u8, call).encode_to(out),
            Self::Recovery(call) => (53u8, call).encode_to(out),
            Self::Computation(call) => (60u8, call).encode_to(out),
            Self::Pools(call) => (61u8, call).encode_to(out),
            Self::Credit(call) => (62u8, call).encode_to(out),
            Self::Encoded(bytes) => out.write(bytes),
        }
    }
}

/// Calls of `pallet-utility`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Utility {
    /// Makes calls one after another, all or none.
    #[codec(index = 2)]
    BatchAll {
        /// The calls.
        calls: Vec<Call>,
    },
}

/// An account as an address: `MultiAddress::Id`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Address {
    /// An account's 32 bytes.
    #[codec(index = 0)]
    Id(Account),
}

/// Calls of `pallet-balances`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Balances {
    /// Sends PHA, keeping the sender alive.
    #[codec(index = 3)]
    TransferKeepAlive {
        /// Who receives.
        to: Address,
        /// Planck.
        #[codec(compact)]
        amount: u128,
    },
}

/// Calls of `pallet-session`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Session {
    /// Replaces the caller's session keys from the session after next on.
    #[codec(index = 0)]
    SetKeys {
        /// BABE and GRANDPA public keys.
        keys: [[u8; 32]; 2],
        /// Proof that the caller holds them, as `author_rotateKeysWithOwner` gives it.
        proof: Vec<u8>,
    },
}

/// Calls of `pallet-sudo`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Sudo {
    /// Makes a call as root.
    #[codec(index = 0)]
    Sudo {
        /// The call.
        call: Box<Call>,
    },
}

/// Calls of `pallet-registry`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Registry {
    /// A worker registers or renews. Carries its own authority.
    #[codec(index = 0)]
    Register {
        /// Registration and evidence.
        submission: Box<Submission>,
    },
    /// Anyone refreshes collateral. Carries its own authority.
    #[codec(index = 1)]
    StoreCollateral {
        /// The piece.
        collateral: Box<Collateral>,
    },
    /// Root lists a measurement.
    #[codec(index = 2)]
    AllowMeasurement {
        /// Of which role's code.
        role: Role,
        /// Which.
        measurement: Hash,
    },
    /// Root unlists a measurement.
    #[codec(index = 3)]
    DisallowMeasurement {
        /// Of which role's code.
        role: Role,
        /// Which.
        measurement: Hash,
    },
}

/// Calls of `pallet-programs`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Programs {
    /// Founds a cluster owned by the caller.
    #[codec(index = 0)]
    CreateCluster,
    /// The cluster's owner gives it a registered worker.
    #[codec(index = 1)]
    AssignWorker {
        /// To which.
        cluster: ClusterId,
        /// Whom.
        worker: WorkerId,
    },
    /// The cluster's owner takes a worker away.
    #[codec(index = 2)]
    UnassignWorker {
        /// Whom.
        worker: WorkerId,
    },
    /// Deploys a program.
    #[codec(index = 3)]
    Deploy {
        /// Who runs it.
        cluster: ClusterId,
        /// What its owner calls it.
        name: Name,
        /// What runs.
        code: CodeHash,
        /// Its size.
        code_bytes: u32,
        /// What it asks for.
        manifest: Manifest,
    },
    /// The owner removes a program.
    #[codec(index = 4)]
    Remove {
        /// Which.
        program: ProgramId,
    },
    /// Sends a sealed command.
    #[codec(index = 5)]
    Command {
        /// To which program.
        program: ProgramId,
        /// The request.
        sealed: SealedCommand,
    },
    /// A worker says that a program answers. Carries its own authority.
    #[codec(index = 6)]
    Ready {
        /// Signed by its instance.
        ready: SignedReady,
    },
    /// A worker anchors. Carries its own authority.
    #[codec(index = 7)]
    Anchor {
        /// Signed by its instance.
        anchor: SignedAnchor,
    },
    /// The owner gives a program other code.
    #[codec(index = 12)]
    Upgrade {
        /// Which.
        program: ProgramId,
        /// What is to run.
        code: CodeHash,
        /// Its size.
        code_bytes: u32,
        /// What it asks for. None leaves that as it is.
        manifest: Option<Manifest>,
        /// What it may have of what the code before had.
        keep: Keep,
    },
    /// A worker says that a program has moved. Carries its own authority.
    #[codec(index = 13)]
    Moved {
        /// Signed by its instance.
        moved: SignedMoved,
    },
    /// Sends a sealed command that may cost the caller so much.
    #[codec(index = 15)]
    CommandWithin {
        /// To which program.
        program: ProgramId,
        /// The request.
        sealed: SealedCommand,
        /// Of the caller's own.
        price_max: Planck,
    },
    /// A worker doubts its cluster's lead, shows itself, or takes the lead. Carries its own authority.
    #[codec(index = 14)]
    Lead {
        /// Signed by its instance.
        lead: SignedLeadMessage,
    },
}

/// Calls of `pallet-custody`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Custody {
    /// A validator bonds for its gatekeeper.
    #[codec(index = 0)]
    Bond {
        /// The machine.
        gatekeeper: WorkerId,
        /// What it deals with.
        participant: ParticipantKey,
        /// By the gatekeeper's identity, over its [`crate::custody::Candidacy`].
        consent: Signature,
    },
    /// A candidate leaves.
    #[codec(index = 1)]
    Unbond,
    /// A candidate that has left takes its bond back.
    #[codec(index = 2)]
    WithdrawBond,
    /// Governance approves a candidate.
    #[codec(index = 3)]
    Approve {
        /// Whose.
        account: Account,
    },
    /// Governance expels a candidate.
    #[codec(index = 4)]
    Expel {
        /// Whose.
        account: Account,
    },
    /// Governance sets times and amounts.
    #[codec(index = 5)]
    SetParameters {
        /// All of them.
        parameters: Parameters,
    },
    /// Governance wants a new master key.
    #[codec(index = 6)]
    RotateRoot,
    /// Governance gives a master key up that no program uses.
    #[codec(index = 7)]
    CloseRoot {
        /// Which.
        root: RootGeneration,
    },
    /// A dealer commits to its log. Carries its own authority.
    #[codec(index = 8)]
    CommitLog {
        /// Signed by its instance.
        commitment: Signed<LogCommitment>,
    },
    /// A player confirms logs. Carries its own authority.
    #[codec(index = 9)]
    Confirm {
        /// Signed by its instance.
        confirmation: Signed<Confirmation>,
    },
    /// A player reports an output. Carries its own authority.
    #[codec(index = 10)]
    ReportOutput {
        /// Signed by its instance.
        report: Box<Signed<OutputReport>>,
    },
    /// A player complains of a dealer. Carries its own authority.
    #[codec(index = 11)]
    Complain {
        /// Signed by its instance.
        complaint: Box<Signed<Complaint>>,
    },
    /// A gatekeeper logs what it delivered. Carries its own authority.
    #[codec(index = 12)]
    LogDeliveries {
        /// Signed by its instance.
        batch: Signed<DeliveryBatch>,
    },
}

/// Calls of `pallet-key-recovery`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Recovery {
    /// Governance appoints custodians.
    #[codec(index = 0)]
    Appoint {
        /// How many pieces give a key share.
        threshold: u32,
        /// Who.
        custodians: BoundedVec<Custodian, ConstU32<CUSTODIANS_MAX>>,
    },
    /// Governance sets times.
    #[codec(index = 1)]
    SetParameters {
        /// All of them.
        parameters: RecoveryParameters,
    },
    /// Governance announces a ceremony.
    #[codec(index = 2)]
    Announce {
        /// For which master key.
        root: RootGeneration,
    },
    /// Governance gives a ceremony up.
    #[codec(index = 3)]
    Cancel {
        /// For which master key.
        root: RootGeneration,
    },
    /// Governance binds a machine to a seat.
    #[codec(index = 4)]
    Bind {
        /// Of which master key.
        root: RootGeneration,
        /// The seat.
        place: u32,
        /// The machine.
        gatekeeper: WorkerId,
    },
    /// A gatekeeper backs its key share up. Carries its own authority.
    #[codec(index = 5)]
    StoreBackup {
        /// Signed by its instance.
        backup: Box<Signed<SeatBackup>>,
    },
    /// Anyone stores what an epoch came to. Carries its own authority: its hash.
    #[codec(index = 6)]
    StoreOutput {
        /// Of which master key.
        root: RootGeneration,
        /// The round's output, encoded.
        output: EpochOutput,
    },
    /// A custodian calls for a ceremony. Carries its own authority.
    #[codec(index = 7)]
    CallFor {
        /// Signed by the custodian.
        call: Signed<CustodianCall>,
    },
    /// A member is there. Carries its own authority.
    #[codec(index = 8)]
    Object {
        /// Signed by its instance.
        objection: Signed<Objection>,
    },
    /// A machine holds the key share of its seat. Carries its own authority.
    #[codec(index = 9)]
    TakeSeat {
        /// Signed by its instance.
        taken: Signed<SeatTaken>,
    },
}

/// Calls of `pallet-computation`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Computation {
    /// A pool's owner binds a worker to it.
    #[codec(index = 0)]
    Bind {
        /// To which pool.
        pool: PoolId,
        /// Whom.
        worker: WorkerId,
        /// By the worker's identity, over its [`crate::computation::WorkConsent`].
        consent: Signature,
    },
    /// The pool's owner lets a worker go, or the worker's stake cool down first.
    #[codec(index = 1)]
    Unbind {
        /// Whom.
        worker: WorkerId,
    },
    /// The pool's owner lets a worker compute.
    #[codec(index = 2)]
    Start {
        /// Whom.
        worker: WorkerId,
        /// Planck of the pool's free stake.
        stake: u128,
    },
    /// The pool's owner lets a worker stop; its stake cools down.
    #[codec(index = 3)]
    Stop {
        /// Whom.
        worker: WorkerId,
    },
    /// The pool's owner stakes more on a worker that computes.
    #[codec(index = 4)]
    Restart {
        /// Whom.
        worker: WorkerId,
        /// The whole stake from now on, Planck.
        stake: u128,
    },
    /// Anyone returns a stake that has cooled down.
    #[codec(index = 5)]
    Reclaim {
        /// Whose session's.
        worker: WorkerId,
    },
    /// A worker says how fast it is. Carries its own authority.
    #[codec(index = 6)]
    ReportScore {
        /// Signed by its instance.
        report: Signed<ScoreReport>,
    },
    /// A worker answers a challenge. Carries its own authority.
    #[codec(index = 7)]
    Heartbeat {
        /// Signed by its instance.
        heartbeat: Signed<Heartbeat>,
    },
    /// Anyone proves a fault, and has a part of what it costs.
    #[codec(index = 8)]
    ReportFault {
        /// What the worker signed.
        proof: Box<FaultProof>,
    },
}

/// What a signature commits to beside the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningContext {
    /// Which network.
    pub genesis: GenesisHash,
    /// The runtime's `spec_version`.
    pub spec_version: u32,
    /// The runtime's `transaction_version`.
    pub transaction_version: u32,
    /// How many extrinsics the account has sent.
    pub nonce: u32,
}

/// Explicit part of the transaction extensions: era (immortal), nonce, tip, metadata-hash mode (off).
fn extension(nonce: u32) -> Vec<u8> {
    let mut out = vec![0];
    Compact(nonce).encode_to(&mut out);
    Compact(0u128).encode_to(&mut out);
    out.push(0);
    out
}

fn framed(body: Vec<u8>) -> Vec<u8> {
    let mut out = Compact(body.len() as u32).encode();
    out.extend(body);
    out
}

impl Call {
    /// An extrinsic for a call that carries its own authority.
    pub fn authorized(&self) -> Vec<u8> {
        let mut body = vec![0x45, 0];
        body.extend(extension(0));
        self.encode_to(&mut body);
        framed(body)
    }

    /// The bytes that an account signs to make this call (sr25519, context `substrate`).
    pub fn signing_payload(&self, context: &SigningContext) -> Vec<u8> {
        let mut payload = self.encode();
        payload.extend(extension(context.nonce));
        context.spec_version.encode_to(&mut payload);
        context.transaction_version.encode_to(&mut payload);
        context.genesis.encode_to(&mut payload);
        context.genesis.encode_to(&mut payload);
        payload.push(0);
        if payload.len() > 256 { blake2_256(&payload).to_vec() } else { payload }
    }

    /// An extrinsic signed by `signer` with an sr25519 `signature` over [`Call::signing_payload`].
    pub fn signed(&self, signer: &Account, signature: &[u8; 64], nonce: u32) -> Vec<u8> {
        let mut body = vec![0x84, 0];
        body.extend_from_slice(&signer.0);
        body.push(1);
        body.extend_from_slice(signature);
        body.extend(extension(nonce));
        self.encode_to(&mut body);
        framed(body)
    }
}
