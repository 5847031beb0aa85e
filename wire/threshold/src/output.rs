//! The public result of a round.

use crate::{
    OUTPUT_BYTES_MAX, PARTICIPANTS_MAX, PARTICIPANTS_MIN, ParseError, ParticipantKey, Round,
    backend::{self, G2, LibOutput, PARTICIPANTS},
    check_length,
    commitment::{Commitment, POINT_BYTES},
    threshold,
};
use codec::{Decode, Encode, Input};
use commonware_codec::Write;
use commonware_cryptography::bls12381::primitives::sharing::ModeVersion;
use commonware_utils::Participant;
use core::fmt;

/// What everybody may know of a finished round: who holds key shares, and the public half of each.
///
/// # Shape
/// SCALE of (network, round number, hash of the terms, hash of the list of logs, the library's summary of the terms, dealers,
/// players, revealed, commitment). Participants are in order of their keys; the commitment has [`Output::threshold`] points.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    head: Head,
    /// The same as the library sees it; it also remembers the partial keys once computed.
    library: LibOutput,
}

#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct Head {
    network: [u8; 32],
    round: u64,
    terms: [u8; 32],
    logs: [u8; 32],
    summary: [u8; 32],
    dealers: Vec<ParticipantKey>,
    players: Vec<ParticipantKey>,
    revealed: Vec<ParticipantKey>,
    commitment: Commitment,
}

impl Output {
    /// The genesis hash of the network whose key this is.
    pub fn network(&self) -> &[u8; 32] {
        &self.head.network
    }

    /// The number of the round that it came from.
    pub fn round(&self) -> u64 {
        self.head.round
    }

    /// [`Round::hash`] of the terms that it came from.
    pub fn terms(&self) -> [u8; 32] {
        self.head.terms
    }

    /// [`crate::log_list_hash`] of the logs that it was computed from.
    pub fn logs(&self) -> [u8; 32] {
        self.head.logs
    }

    /// The dealers whose logs were used.
    pub fn dealers(&self) -> &[ParticipantKey] {
        &self.head.dealers
    }

    /// Who holds key shares, in order of their keys.
    pub fn players(&self) -> &[ParticipantKey] {
        &self.head.players
    }

    /// Players whose key shares can be computed from what the logs reveal. If there are any, run another round: an absent
    /// player's key share is known to whoever reads the logs.
    pub fn revealed(&self) -> &[ParticipantKey] {
        &self.head.revealed
    }

    /// How many key shares give an identity's key.
    pub fn threshold(&self) -> usize {
        threshold(self.head.players.len())
    }

    /// The polynomial in the exponent; its first point is the group key.
    pub fn commitment(&self) -> &Commitment {
        &self.head.commitment
    }

    /// The master public key: a compressed point of G2.
    pub fn group_key(&self) -> [u8; POINT_BYTES] {
        point_bytes(self.library.public().public())
    }

    /// The public half of a player's key share.
    pub fn partial_key(&self, player: &ParticipantKey) -> Option<[u8; POINT_BYTES]> {
        Some(point_bytes(&self.partial_point(player)?))
    }

    /// Whether identities have the same keys under both.
    pub fn same_group_key(&self, other: &Self) -> bool {
        self.group_key() == other.group_key()
    }

    /// Names this output. Participants that used other logs, or the same in another order, have another hash.
    pub fn hash(&self) -> [u8; 32] {
        crate::sha256(&[b"phala/threshold/output/v1", &self.encode()])
    }

    /// Reads an output of at most [`OUTPUT_BYTES_MAX`] bytes and nothing behind it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        check_length(bytes, OUTPUT_BYTES_MAX)?;
        let mut input = bytes;
        let output = Self::decode(&mut input).map_err(|_| ParseError::Malformed)?;
        if input.is_empty() { Ok(output) } else { Err(ParseError::Malformed) }
    }

    pub(crate) fn of_library(round: &Round, logs: [u8; 32], library: LibOutput) -> Self {
        // The library's encoding starts with its summary of the terms.
        let mut encoded = Vec::with_capacity(OUTPUT_BYTES_MAX);
        library.write(&mut encoded);
        let mut summary = [0; 32];
        summary.copy_from_slice(&encoded[..32]);
        // Then one byte of mode and four of the number of players precede the polynomial.
        let points = threshold(round.players.len()) * POINT_BYTES;
        let commitment = Commitment::of_library_bytes(&encoded[37..38 + points]);
        let keys =
            |set: &commonware_utils::ordered::Set<_>| set.iter().map(ParticipantKey::of_library).collect::<Vec<_>>();
        let head = Head {
            network: round.network,
            round: round.number,
            terms: round.hash,
            logs,
            summary,
            dealers: keys(library.dealers()),
            players: keys(library.players()),
            revealed: keys(library.revealed()),
            commitment,
        };
        Self { head, library }
    }

    pub(crate) fn library(&self) -> &LibOutput {
        &self.library
    }

    pub(crate) fn position(&self, player: &ParticipantKey) -> Option<Participant> {
        self.head.players.binary_search(player).ok().map(Participant::from_usize)
    }

    pub(crate) fn partial_point(&self, player: &ParticipantKey) -> Option<G2> {
        self.library.public().partial_public(self.position(player)?).ok()
    }
}

impl Encode for Output {
    fn size_hint(&self) -> usize {
        self.head.size_hint()
    }

    fn encode_to<T: codec::Output + ?Sized>(&self, dest: &mut T) {
        self.head.encode_to(dest);
    }
}

impl codec::EncodeLike for Output {}

impl Decode for Output {
    fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
        let head = Head::decode(input)?;
        let library = head.to_library().ok_or("not the output of a round")?;
        Ok(Self { head, library })
    }
}

impl Head {
    fn to_library(&self) -> Option<LibOutput> {
        let all = PARTICIPANTS_MIN..=PARTICIPANTS_MAX;
        let sane = all.contains(&self.players.len())
            && all.contains(&self.dealers.len())
            && self.commitment.points().len() == threshold(self.players.len())
            && [&self.dealers, &self.players, &self.revealed].iter().all(|keys| ascending(keys))
            && self.revealed.iter().all(|key| self.players.binary_search(key).is_ok());
        if !sane {
            return None;
        }
        let mut bytes = Vec::with_capacity(OUTPUT_BYTES_MAX);
        bytes.extend_from_slice(&self.summary);
        bytes.push(0); // mode: player i holds the polynomial's value at i + 1
        bytes.extend_from_slice(&(self.players.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&self.commitment.to_library_bytes()?);
        for keys in [&self.dealers, &self.players, &self.revealed] {
            bytes.push(keys.len() as u8); // a varint below 128
            keys.iter().for_each(|key| bytes.extend_from_slice(&key.0));
        }
        backend::decode(&bytes, &(PARTICIPANTS, ModeVersion::v0()))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("round", &self.head.round)
            .field("players", &self.head.players.len())
            .field("threshold", &self.threshold())
            .finish_non_exhaustive()
    }
}

fn ascending(keys: &[ParticipantKey]) -> bool {
    keys.windows(2).all(|pair| pair[0] < pair[1])
}

fn point_bytes(point: &G2) -> [u8; POINT_BYTES] {
    let mut bytes = [0; POINT_BYTES];
    point.write(&mut bytes.as_mut_slice());
    bytes
}
