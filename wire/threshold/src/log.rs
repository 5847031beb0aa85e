//! What dealers say about their dealings, and what follows from it.

use crate::{
    LOG_BYTES_MAX, Output, ParseError, ParticipantKey, Round,
    backend::{self, Faults, LibLog, LibOutput, LibSignedLog, Logs, PARTICIPANTS},
    check_length,
};
use chacha20::ChaCha20Rng;
use codec::Encode;
use commonware_codec::{EncodeSize, Write};
use commonware_cryptography::bls12381::dkg::feldman_desmedt::{self, DealerLogSummary, Failure};
use commonware_parallel::Sequential;
use core::fmt;
use phala_crypto::Secret;
use zeroize::Zeroizing;

/// A dealer's signed account: what it committed to, who acknowledged, and the shares of those who did not.
///
/// Secret while it reveals anything: send it sealed to the other players and store it sealed. Only [`DealerLog::hash`] goes
/// on chain, which thereby fixes which logs count, and in which order.
pub struct DealerLog {
    bytes: Zeroizing<Vec<u8>>,
    dealer: ParticipantKey,
    /// Who did not acknowledge; `None` when the dealer kept all of it to itself.
    revealed: Option<Vec<ParticipantKey>>,
    library: LibSignedLog,
}

impl DealerLog {
    pub(crate) fn of_library(log: &LibSignedLog) -> Result<Self, ParseError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(log.encode_size()));
        log.write(&mut *bytes);
        Self::parse(&bytes)
    }

    /// Reads what [`DealerLog::bytes_to_seal`] wrote. Nothing is verified yet: [`DealerLog::check`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        check_length(bytes, LOG_BYTES_MAX)?;
        let library: LibSignedLog = backend::decode(bytes, &PARTICIPANTS).ok_or(ParseError::Malformed)?;
        // One log, one encoding: its hash names it.
        let mut again = Zeroizing::new(Vec::with_capacity(bytes.len()));
        library.write(&mut *again);
        if again.as_slice() != bytes {
            return Err(ParseError::Malformed);
        }
        // The library hands out what a log says only after verifying it; it lies between the dealer and the signature.
        let (dealer, rest) = bytes.split_first_chunk::<32>().ok_or(ParseError::Malformed)?;
        let (log, _) = rest.split_last_chunk::<64>().ok_or(ParseError::Malformed)?;
        let log: LibLog = backend::decode(log, &PARTICIPANTS).ok_or(ParseError::Malformed)?;
        let revealed = match log.summary() {
            DealerLogSummary::TooManyReveals => None,
            DealerLogSummary::Ok { reveals, .. } => Some(reveals.iter().map(ParticipantKey::of_library).collect()),
        };
        Ok(Self { bytes: again, dealer: ParticipantKey(*dealer), revealed, library })
    }

    /// The bytes, to be sealed.
    pub fn bytes_to_seal(&self) -> &Zeroizing<Vec<u8>> {
        &self.bytes
    }

    /// Whose log it is, as it says.
    pub fn dealer(&self) -> ParticipantKey {
        self.dealer
    }

    /// The players whose shares of this dealer stand in the log in clear, because they did not acknowledge.
    pub fn revealed(&self) -> &[ParticipantKey] {
        self.revealed.as_deref().unwrap_or_default()
    }

    /// Whether the dealer withheld everything, because it would have revealed more than a third. Such a log does not count.
    pub fn is_withheld(&self) -> bool {
        self.revealed.is_none()
    }

    /// Names the log without saying anything about it.
    pub fn hash(&self) -> [u8; 32] {
        crate::sha256(&[b"phala/threshold/log/v1", &self.bytes])
    }

    /// Verifies the log by itself: that it counts in `round`. Do this before agreeing on a list of logs.
    pub fn check(&self, round: &Round) -> Result<(), LogsError> {
        match conclude(round, core::slice::from_ref(self)) {
            Err(LogsError::TooFew { found: 1.., .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

impl fmt::Debug for DealerLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DealerLog({}, {} revealed)", self.dealer, self.revealed().len())
    }
}

/// What is wrong with a dealer's signed log. The log itself is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// It claims an acknowledgement that the player did not sign.
    #[error("it has an acknowledgement that was not signed")]
    InvalidAck,
    /// A revealed share does not match the commitment.
    #[error("it reveals a share that does not match its commitment")]
    InvalidReveal,
    /// The commitment has another number of points than the round's threshold.
    #[error("its commitment has the wrong degree")]
    WrongDegree,
    /// The commitment does not start with the public half of the dealer's old key share.
    #[error("its commitment does not carry on the dealer's key share")]
    OtherKeyShare,
    /// It does not account for exactly the round's players.
    #[error("it is not about the round's players")]
    WrongPlayers,
    /// It reveals the shares of more than a third.
    #[error("it reveals too many shares")]
    TooManyReveals,
}

/// Why a list of logs gives no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// A log is by none of the round's dealers.
    #[error("{0} is not a dealer of this round")]
    NotADealer(ParticipantKey),
    /// A log is not signed by its dealer, or is about another round.
    #[error("the log of {0} is not signed for this round")]
    NotSigned(ParticipantKey),
    /// The list has two logs of one dealer.
    #[error("two logs of {0}")]
    Twice(ParticipantKey),
    /// Too few usable logs. Repeat the round under a new number, without the faulty dealers.
    #[error("{found} usable logs, {required} are needed; {} are faulty", faults.len())]
    TooFew {
        /// How many are needed.
        required: usize,
        /// How many are usable.
        found: usize,
        /// Dealers proven wrong by their logs.
        faults: Vec<(ParticipantKey, LogFault)>,
        /// Dealers without a log, or with one that withholds everything.
        missing: Vec<ParticipantKey>,
    },
}

/// What the chain writes down of an agreed list of logs.
///
/// # Shape
/// SHA-256 of `"phala/threshold/log-list/v1"` and SCALE of the hashes in order.
pub fn log_list_hash(hashes: &[[u8; 32]]) -> [u8; 32] {
    crate::sha256(&[b"phala/threshold/log-list/v1", &hashes.encode()])
}

/// The output that follows from `logs`, for those who hold no key share of it.
pub fn observe(round: &Round, logs: &[DealerLog]) -> Result<Output, LogsError> {
    let output = conclude(round, logs)?;
    Ok(Output::of_library(round, list_hash(logs), output))
}

pub(crate) fn list_hash(logs: &[DealerLog]) -> [u8; 32] {
    log_list_hash(&logs.iter().map(DealerLog::hash).collect::<Vec<_>>())
}

fn conclude(round: &Round, logs: &[DealerLog]) -> Result<LibOutput, LogsError> {
    let collected = collect(round, logs)?;
    feldman_desmedt::observe::<_, _, Faults>(&mut challenges(round, logs), collected, &Sequential).map_err(logs_error)
}

/// The library's form of `logs`, signatures verified.
pub(crate) fn collect(round: &Round, logs: &[DealerLog]) -> Result<Logs, LogsError> {
    let mut collected = Logs::new(round.info.clone());
    for log in logs {
        let dealer = log.dealer;
        if round.dealers.binary_search(&dealer).is_err() {
            return Err(LogsError::NotADealer(dealer));
        }
        let (key, library) = log.library.clone().check(&round.info).ok_or(LogsError::NotSigned(dealer))?;
        // The library would let the later one win, and which is later is up to who orders them.
        if collected.record(key, library) {
            return Err(LogsError::Twice(dealer));
        }
    }
    Ok(collected)
}

/// The random weights with which many signatures and shares are verified at once. They follow from everything that is verified
/// (Fiat–Shamir), so nobody can choose a log to fit them, and everybody comes to the same verdict.
pub(crate) fn challenges(round: &Round, logs: &[DealerLog]) -> ChaCha20Rng {
    let tag = b"phala/threshold/challenges/v1";
    backend::rng(&Secret::new(crate::sha256(&[tag, &round.hash, &list_hash(logs)])))
}

pub(crate) fn logs_error(failure: Failure<backend::PublicKey>) -> LogsError {
    let Failure::InsufficientLogs { required, found, faults, unavailable } = failure;
    let faults = faults.iter_pairs();
    LogsError::TooFew {
        required: required as usize,
        found: found as usize,
        faults: faults.map(|(key, reason)| (ParticipantKey::of_library(key), log_fault(reason))).collect(),
        missing: unavailable.iter().map(ParticipantKey::of_library).collect(),
    }
}

fn log_fault(reason: &feldman_desmedt::FaultReason) -> LogFault {
    use feldman_desmedt::FaultReason as Reason;
    match reason {
        Reason::InvalidAck => LogFault::InvalidAck,
        Reason::InvalidReveal => LogFault::InvalidReveal,
        Reason::InvalidCommitmentDegree { .. } => LogFault::WrongDegree,
        Reason::MismatchedReshareCommitment => LogFault::OtherKeyShare,
        Reason::MismatchedLogPlayers => LogFault::WrongPlayers,
        Reason::ExcessiveReveals => LogFault::TooManyReveals,
    }
}
