//! The terms of a round: what everybody must agree on before anything is dealt.

use crate::{
    JudgedEpoch, JudgedRound, Output, PARTICIPANTS_MAX, PARTICIPANTS_MIN, ParticipantKey,
    backend::{Faults, Info, PublicKey},
    round_hash, threshold,
};
use commonware_cryptography::bls12381::{dkg::feldman_desmedt::Reveal, primitives::sharing::Mode};
use commonware_utils::ordered::Set;
use core::fmt;

/// The library's namespace; a network's genesis hash is put behind it. It never changes.
const NAMESPACE: &[u8] = b"phala/threshold/v1";

/// What a round is about. All participants take it from the same finalised block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTerms {
    /// Hash of block 0: key shares of two networks never meet.
    pub network: [u8; 32],
    /// Counts attempts, failed ones too. **Never use a number again**: a dealer that deals twice under the same terms looks like
    /// one that cheats, and proves it against itself.
    pub number: u64,
    /// The output whose key is handed on; `None` to generate a new key.
    pub previous: Option<Output>,
    /// Who deals. With a previous output: some of its players, at least its threshold.
    pub dealers: Vec<ParticipantKey>,
    /// Who receives key shares.
    pub players: Vec<ParticipantKey>,
}

/// Why terms cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Fewer dealers or players than [`PARTICIPANTS_MIN`]; with one alone the master key would be in one hand.
    #[error("{count} {role}, at least {PARTICIPANTS_MIN} are needed")]
    TooFew {
        /// `dealers` or `players`.
        role: &'static str,
        /// How many there are.
        count: usize,
    },
    /// More dealers or players than [`PARTICIPANTS_MAX`].
    #[error("{count} {role}, at most {PARTICIPANTS_MAX} are allowed")]
    TooMany {
        /// `dealers` or `players`.
        role: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A participant is listed twice in one role.
    #[error("{0} is listed twice")]
    Duplicate(ParticipantKey),
    /// The bytes are not an Ed25519 public key.
    #[error("{0} is not an Ed25519 public key")]
    NotAKey(ParticipantKey),
    /// A dealer holds no key share of the previous output.
    #[error("dealer {0} was not a player of the previous output")]
    DealerWithoutShare(ParticipantKey),
    /// The dealers together hold too little to hand the key on.
    #[error("{dealers} dealers, the previous output needs {required}")]
    BelowPreviousThreshold {
        /// How many deal.
        dealers: usize,
        /// The previous threshold.
        required: usize,
    },
    /// The round's number is not above that of the previous output.
    #[error("round {number} does not come after round {previous}")]
    NumberReused {
        /// This round's number.
        number: u64,
        /// The previous output's.
        previous: u64,
    },
    /// The previous output belongs to another network.
    #[error("the previous output belongs to another network")]
    OtherNetwork,
    /// The library refuses the previous output.
    #[error("the previous output is inconsistent")]
    InconsistentPrevious,
}

/// Terms that were checked: what dealers, players and observers work with.
#[derive(Clone)]
pub struct Round {
    pub(crate) hash: [u8; 32],
    pub(crate) number: u64,
    pub(crate) network: [u8; 32],
    pub(crate) previous: Option<Output>,
    pub(crate) dealers: Vec<ParticipantKey>,
    pub(crate) players: Vec<ParticipantKey>,
    pub(crate) info: Info,
}

impl RoundTerms {
    /// Checks the terms. The order of dealers and players does not matter.
    pub fn check(&self) -> Result<Round, TermsError> {
        let (dealers, library_dealers) = participants("dealers", &self.dealers)?;
        let (players, library_players) = participants("players", &self.players)?;
        if let Some(previous) = &self.previous {
            if previous.network() != &self.network {
                return Err(TermsError::OtherNetwork);
            }
            if self.number <= previous.round() {
                return Err(TermsError::NumberReused { number: self.number, previous: previous.round() });
            }
            if let Some(dealer) = dealers.iter().find(|key| previous.position(key).is_none()) {
                return Err(TermsError::DealerWithoutShare(*dealer));
            }
            if dealers.len() < previous.threshold() {
                return Err(TermsError::BelowPreviousThreshold {
                    dealers: dealers.len(),
                    required: previous.threshold(),
                });
            }
        }
        let namespace = [NAMESPACE, &self.network].concat();
        let info = Info::new::<Faults>(
            &namespace,
            self.number,
            self.previous.as_ref().map(|previous| previous.library().clone()),
            Mode::NonZeroCounter,
            Reveal::V1,
            library_dealers,
            library_players,
        )
        .map_err(|_| TermsError::InconsistentPrevious)?;
        let previous_hash = self.previous.as_ref().map(Output::hash);
        Ok(Round {
            hash: round_hash(&self.network, self.number, previous_hash, &dealers, &players),
            number: self.number,
            network: self.network,
            previous: self.previous.clone(),
            dealers,
            players,
            info,
        })
    }
}

impl Round {
    /// Names these terms: everything that is signed carries it. See [`round_hash`].
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The round's number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The dealers, in order of their keys.
    pub fn dealers(&self) -> &[ParticipantKey] {
        &self.dealers
    }

    /// The players, in order of their keys; a player's place is the index of its key share.
    pub fn players(&self) -> &[ParticipantKey] {
        &self.players
    }

    /// How many key shares will be needed.
    pub fn threshold(&self) -> usize {
        threshold(self.players.len())
    }

    /// How many usable logs the round needs to finish.
    pub fn logs_required(&self) -> usize {
        let previous = self.previous.as_ref().map_or(0, Output::threshold);
        threshold(self.dealers.len()).max(previous)
    }
}

impl Round {
    /// What a judge of complaints must know of it.
    pub fn judged(&self) -> JudgedRound {
        let epoch = |previous: &Output| JudgedEpoch {
            players: previous.players().to_vec(),
            polynomial: previous.commitment().points().to_vec(),
        };
        JudgedRound {
            hash: self.hash,
            dealers: self.dealers.clone(),
            players: self.players.clone(),
            previous: self.previous.as_ref().map(epoch),
        }
    }
}

impl fmt::Debug for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Round")
            .field("number", &self.number)
            .field("dealers", &self.dealers.len())
            .field("players", &self.players.len())
            .finish_non_exhaustive()
    }
}

fn participants(
    role: &'static str,
    keys: &[ParticipantKey],
) -> Result<(Vec<ParticipantKey>, Set<PublicKey>), TermsError> {
    let count = keys.len();
    if count < PARTICIPANTS_MIN {
        return Err(TermsError::TooFew { role, count });
    }
    if count > PARTICIPANTS_MAX {
        return Err(TermsError::TooMany { role, count });
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(TermsError::Duplicate(pair[0]));
    }
    let library =
        sorted.iter().map(|key| key.to_library().ok_or(TermsError::NotAKey(*key))).collect::<Result<Vec<_>, _>>()?;
    Ok((sorted, Set::from_iter_dedup(library)))
}
