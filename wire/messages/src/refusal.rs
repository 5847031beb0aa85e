//! Refusals: why the chain does not take what a worker brings.
//!
//! A worker's messages carry their own authority and pay no fee, so a bad one must never enter a block: it
//! is refused where it is checked, and all that comes back is one byte, the `n` of
//! `InvalidTransaction::Custom(n)`. Here that byte gets its meaning back.
//!
//! # Shape
//! 0–127: the evidence was refused; `phala-evidence` names the rule. 128–159: the registry. 160–191: programs. 192–222: custody
//! (217–222 belonged to requests for keys on chain, which are no more). 223–239: computation. 240–255: recovery.
//!
//! # Properties
//! - Every code stands for one rule, for ever: a code is never given to another rule.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The largest code that belongs to evidence.
pub const EVIDENCE_CODE_MAX: u8 = 127;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A rule of the chain that a message broke.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen,
            TypeInfo, thiserror::Error,
        )]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
        pub enum Refusal {
            /// The evidence itself, or a piece of collateral, was refused by the rule with this code of
            /// `phala_evidence::Rejection`.
            #[codec(index = 0)]
            #[error("the evidence is refused (rule {0})")]
            Evidence(u8),
            $($(#[$doc])* #[codec(index = $code)] #[error($text)] $name,)*
        }

        impl Refusal {
            /// Every refusal that is not the evidence's.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The byte that travels.
            ///
            /// # Invariant
            /// `Refusal::from_code(refusal.code()) == Some(refusal)` for every evidence code up to
            /// [`EVIDENCE_CODE_MAX`] and every other refusal.
            pub const fn code(self) -> u8 {
                match self {
                    Self::Evidence(rule) if rule > EVIDENCE_CODE_MAX => EVIDENCE_CODE_MAX,
                    Self::Evidence(rule) => rule,
                    $(Self::$name => $code,)*
                }
            }

            /// What a byte means. None when no rule has this code.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    0..=EVIDENCE_CODE_MAX => Some(Self::Evidence(code)),
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

refusals! {
    /// The network was started without a certificate that evidence could chain up to.
    RootMissing = 128, "the network has no trusted root yet: its administrator must set one";
    /// See [`crate::address::endpoint_is_well_formed`].
    Endpoint = 129, "the endpoint is not http(s)://host[:port] without a path";
    /// The block named in the evidence is not one of this chain's recent blocks.
    BlockUnknown = 130, "the block named in the registration is not a block of this chain";
    /// See [`crate::limits::REGISTRATION_BLOCK_AGE_MAX`].
    BlockTooOld = 131, "the block named in the registration is too old: register again with a recent one";
    /// Not signed by the worker's identity.
    IdentitySignature = 132, "the registration is not signed by the worker's identity";
    /// The quote was taken over something else.
    ReportData = 133, "the quote was not taken over this registration, block and network";
    /// The code that the machine runs is not on its role's list.
    Measurement = 134, "the measurement is not on the network's list of allowed ones for its role";
    /// A simulated TEE on a network that wants real ones.
    DevelopmentRoot = 135, "the evidence comes from a simulated TEE, which this network refuses";
    /// A certificate is called Intel's and is not.
    RootMislabelled = 136, "a root other than Intel's is configured under Intel's name";
    /// Another worker has this instance key.
    InstanceTaken = 137, "another worker has registered this instance key";
    /// Evidence over this block, or a later one, was already used: a replay.
    EvidenceUsed = 138, "the worker has already registered with evidence over this block or a later one";
    /// One registration of a worker per block.
    RegisteredThisBlock = 139, "the worker has registered in this block: renew in a later one";
    /// See [`crate::limits::REGISTRATIONS_PER_BLOCK_MAX`]. A transaction pool tries again in the next block.
    BlockFull = 140, "the block already holds as many registrations as it may: try the next one";
    /// Collateral replaces older collateral only.
    CollateralNotNewer = 141, "the chain has this piece of collateral or a newer one";
    /// The chain keeps a bounded number of pieces.
    CollateralFull = 142, "the chain already holds as many pieces of collateral as it may";

    /// A machine keeps its role for as long as its record stands.
    RoleChanged = 143, "the machine is registered in another role: use another identity";

    /// No such program, or it was removed.
    ProgramUnknown = 160, "no such program";
    /// Only a program that is being deployed becomes ready.
    NotDeploying = 161, "the program is already live";
    /// The worker does not work in the program's cluster.
    NotAssigned = 162, "the worker is not assigned to the program's cluster";
    /// No current admission: never registered, or it has expired.
    NotAdmitted = 163, "the worker's admission has expired or never was: register first";
    /// Not signed by the worker's current instance: an older process, a clone, or a forger.
    InstanceSignature = 164, "the message is not signed by the worker's current instance";
    /// The program has no worker that made it ready.
    NotLive = 165, "the program is not live yet";
    /// Another worker holds the program's keys.
    NotKeeper = 166, "another worker made this program ready and holds its keys";
    /// The anchor answers what is answered already.
    AnchorStale = 167, "the anchor starts before the program's newest version";
    /// The anchor leaves a gap.
    AnchorGap = 168, "the anchor starts after the program's newest version";
    /// The anchor answers no command.
    AnchorEmpty = 169, "the anchor must answer at least one command";
    /// See [`crate::anchor::ANCHOR_COMMANDS_MAX`].
    AnchorTooLong = 170, "the anchor answers more commands than one anchor may";
    /// The anchor answers commands that nobody sent.
    AnchorBeyondCommands = 171, "the anchor answers commands that were never sent";

    /// It names a key that the program is not to have: another root is open, or another upgrade was ordered.
    MoveElsewhere = 180, "the program is not to move to this key";
    /// A move carries on from the newest anchor.
    MoveVersion = 181, "the move does not start from the program's newest version";
    /// Commands ordered before an upgrade are answered by the code that they were sent to.
    MoveTooEarly = 182, "commands that were ordered before the upgrade are not answered yet";
    /// Without the owner's consent new code starts with nothing.
    MoveKeepsState = 183, "the owner has not agreed that the new code has the old state";
    /// Another name is another key.
    MoveSameTransport = 184, "the program's transport key does not change with the move";
    /// Only the first of a cluster's workers makes programs ready and anchors.
    NotLead = 185, "another worker leads the cluster";
    /// Only a worker that does not lead doubts the lead or takes its place.
    LeadsAlready = 186, "the worker leads the cluster itself";
    /// See [`crate::lead::LeadMessage`]: it was overtaken by another, or said before.
    LeadStale = 187, "the message names an earlier state of the cluster's lead";
    /// A lead is doubted once at a time.
    LeadDoubted = 188, "the lead is doubted already";
    /// See [`crate::limits::LEAD_PATIENCE_BLOCKS`].
    LeadShown = 189, "the lead has shown itself not long ago";
    /// Nobody asked for it.
    LeadNotDoubted = 190, "nobody doubts the lead";
    /// See [`crate::limits::LEAD_PATIENCE_BLOCKS`].
    LeadAlive = 191, "the lead is admitted and still has time to show itself";

    /// The chain has not opened it.
    RoundUnknown = 192, "no round has this number yet";
    /// It made an epoch or was abandoned; another one follows under another number.
    RoundOver = 193, "the round is over";
    /// See [`crate::custody::RoundRecord::dealers`].
    NotDealer = 194, "the gatekeeper is not a dealer of the round";
    /// See [`crate::custody::RoundRecord::players`].
    NotPlayer = 195, "the gatekeeper is not a player of the round";
    /// Logs are committed while dealers deal.
    NotDealing = 196, "the round is no longer in its dealing phase";
    /// Logs are confirmed once they are committed, and until they are selected.
    NotConfirming = 197, "the round is not in its confirming phase";
    /// Outputs follow from selected logs.
    NotReporting = 198, "the round is not in its reporting phase yet";
    /// One log of a dealer per round.
    LogCommitted = 199, "the dealer has committed to a log in this round";
    /// A log in which more stand open than may fail gives the key away.
    LogRevealsTooMuch = 200, "the log reveals more shares than a round can bear";
    /// One confirmation of a player per round.
    Confirmed = 201, "the player has confirmed logs in this round";
    /// A confirmation names only logs that the chain knows.
    LogUnknown = 202, "the confirmation names a dealer without a log";
    /// One report of a player per round.
    Reported = 203, "the player has reported an output in this round";
    /// See [`crate::custody::OutputReport::polynomial`].
    OutputMalformed = 204, "the polynomial has not as many points as the round's threshold, or does not start with the group key";
    /// The master key is handed on, never changed.
    GroupKeyChanged = 205, "the output has another group key than the root";
    /// Only gatekeepers that governance approved keep a log of deliveries.
    NotApproved = 206, "the gatekeeper has no approved candidacy";
    /// No current admission as a gatekeeper: never registered, in another role, or expired.
    GatekeeperNotAdmitted = 207, "the gatekeeper's admission has expired or never was: register first";
    /// Not signed by the gatekeeper's current instance: an older process, a clone, or a forger.
    GatekeeperSignature = 208, "the message is not signed by the gatekeeper's current instance";
    /// One complaint of a player per round.
    Complained = 209, "the player has complained in this round";
    /// The chain checked the evidence.
    ComplaintUnfounded = 210, "the evidence does not prove the complaint";
    /// A complaint without evidence.
    ComplaintEmpty = 211, "the complaint has no evidence";
    /// The batch stands in the log already.
    DeliveryStale = 212, "the batch of deliveries stands in the log already";
    /// Batches of a gatekeeper have no gap.
    DeliveryGap = 213, "an earlier batch of deliveries is missing";
    /// See [`crate::limits::DELIVERIES_PER_BATCH_MAX`].
    DeliveryCount = 214, "a batch holds at least one delivery and no more than one batch may";
    /// Batches follow each other in time and lie in the past.
    DeliveryBlocks = 215, "the blocks of the batch are not after those of the last one and before the next block";
    /// No root has this generation.
    RootUnknown = 216, "no root of this generation";

    /// Only a worker that works for a pool measures and answers.
    WorkerUnbound = 223, "the worker is bound to no pool: its operator binds it first";
    /// One score of each process.
    ScoreStands = 224, "this process of the worker has given its score";
    /// See `phala_economics::SCORE_MAX`; less where a machine is trusted less.
    ScoreRange = 225, "the score is zero, or above the largest that the chain takes from this machine";
    /// See [`crate::limits::SCORE_BLOCK_AGE_MAX`].
    ScoreBlock = 226, "the measurement ended with no block of this chain, or with one that is too old: measure again";
    /// A challenge is answered once.
    NotChallenged = 227, "no such challenge waits for the worker's answer";
    /// A heartbeat names the session that it belongs to.
    SessionOther = 228, "the worker does not compute in this session";
    /// See [`crate::computation::FaultProof`].
    FaultUnproven = 229, "this does not prove the fault";
    /// See [`crate::computation::WorkRecord::processes`].
    FaultInstance = 230, "who signed is no process of the worker that the chain has seen at work";
    /// One punishment for each fault.
    FaultPunished = 231, "the fault has been punished";
    /// Whoever has nothing at work cannot lose it.
    NothingAtStake = 232, "the worker has no stake at work";

    /// No custodians were appointed, or others were since.
    CustodiansOther = 240, "these are not the custodians that are appointed now";
    /// Seats are those of a root's current epoch.
    NotSeat = 241, "the gatekeeper does not hold this seat of the root's current epoch";
    /// One backup of a seat in each epoch, for each set of custodians.
    BackupStored = 242, "the seat has its backup of this epoch for these custodians";
    /// See [`crate::recovery::SeatBackup::polynomial`].
    BackupMalformed = 243, "the backup has not as many points as the custodians' threshold, or not a piece for each of them";
    /// One output of an epoch.
    OutputStored = 244, "the chain has what this epoch came to";
    /// Its hash was agreed on by the epoch's members.
    OutputOther = 245, "this is not what the root's current epoch came to";
    /// None stands, or another one.
    CeremonyUnknown = 246, "no such ceremony stands";
    /// One ceremony of a root at a time.
    CeremonyStands = 247, "a ceremony stands for this root";
    /// A ceremony is for roots that are lost.
    NotLost = 248, "enough of the epoch's members are there, and handed its key on lately";
    /// No such custodian, or not by it.
    CustodianSignature = 249, "the call is not signed by this custodian";
    /// One call of a custodian in each epoch.
    CustodianCalled = 250, "the custodian has called for this ceremony";
    /// See [`crate::recovery::CeremonyRecord::seats`].
    NotBound = 251, "the machine is not bound to this seat";
    /// A seat is taken once.
    SeatTaken = 252, "the machine has said that it holds this seat";
    /// See [`crate::recovery::CeremonyRecord::opens`].
    CeremonyEarly = 253, "too early: the ceremony's delay, or the pause after the last one, has not passed";
    /// One objection of a member to a ceremony.
    Objected = 254, "the member has objected to this ceremony";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_survives_its_byte() {
        for refusal in Refusal::ALL {
            assert!(refusal.code() > EVIDENCE_CODE_MAX);
            assert_eq!(Refusal::from_code(refusal.code()), Some(*refusal));
        }
        for code in 0..=EVIDENCE_CODE_MAX {
            assert_eq!(Refusal::from_code(code).map(Refusal::code), Some(code));
        }
    }

    #[test]
    fn a_byte_means_one_rule_or_none() {
        let known = (0..=u8::MAX).filter(|code| Refusal::from_code(*code).is_some()).count();
        assert_eq!(known, 128 + Refusal::ALL.len());
    }
}
