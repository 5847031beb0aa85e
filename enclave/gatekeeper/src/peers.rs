//! Peers: how gatekeepers are reached, and what they say to each other.
//!
//! ```text
//! dealer → player       Deal     this is your share                   → Ack
//! player → anyone       Log      I need this dealer's log             → the log
//! anyone → member       Output   I need what the epoch came to        → the output
//! ```
//! Each request is an HTTP request sealed to the transport key that the finalised chain has of the receiver (OHTTP, RFC 9458);
//! only the receiver's process reads it, and only who asked reads the answer. Inside, it is signed by the sender's instance
//! for the receiver's instance; the receiver looks the sender up in its own view of the chain.
//!
//! # Properties
//! - A request counts at one process, from one process, on one network.
//! - A request that comes twice changes nothing the second time.
//! - Nothing larger than its limit is opened.

use codec::{Decode, DecodeAll, Encode};
use core::fmt;
use http::{HeaderMap, Response};
use phala_crypto::{
    channel::{ResponseSealer, Server},
    verify_ed25519,
};
use phala_machine::Identity;
pub use phala_machine::{
    Courier as Peers, CourierError as PeerError,
    courier::{open_answer, seal},
};
use phala_messages::{
    GenesisHash, Hash, InstanceKey, WorkerId,
    custody::{EpochNumber, RoundNumber},
    limits::GATEKEEPER_REQUEST_BYTES_MAX,
    transcript::Preimage,
};
use phala_threshold::{Ack, DEALING_BYTES_MAX};
use zeroize::Zeroizing;

use crate::problem::Problem;

/// Where gatekeepers take sealed requests of gatekeepers.
pub const PEER_PATH: &str = "/v1/peer";

/// Bytes that hold somebody's share. Erased when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(pub Zeroizing<Vec<u8>>);

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sensitive({} bytes)", self.0.len())
    }
}

impl Encode for Sensitive {
    fn encode_to<T: codec::Output + ?Sized>(&self, dest: &mut T) {
        self.0.as_slice().encode_to(dest);
    }
}

impl Decode for Sensitive {
    fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
        Vec::<u8>::decode(input).map(|bytes| Self(Zeroizing::new(bytes)))
    }
}

/// gatekeeper → gatekeeper.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PeerRequest {
    /// dealer → player: your share of what I deal.
    #[codec(index = 0)]
    Deal {
        /// In which round.
        round: RoundNumber,
        /// [`phala_threshold::Dealing::bytes_to_seal`].
        dealing: Sensitive,
    },
    /// player → whoever has it: a dealer's log.
    #[codec(index = 1)]
    Log {
        /// In which round.
        round: RoundNumber,
        /// The dealer's place.
        dealer: u32,
    },
    /// anyone → member: what an epoch came to.
    #[codec(index = 2)]
    Output {
        /// Which epoch.
        epoch: EpochNumber,
    },
}

impl PeerRequest {
    /// What it is about: of two requests to one peer with the same topic one is enough.
    pub fn topic(&self) -> (u8, u64) {
        match self {
            Self::Deal { round, .. } => (0, round.0),
            Self::Log { dealer, .. } => (1, u64::from(*dealer)),
            Self::Output { epoch } => (2, u64::from(epoch.0)),
        }
    }
}

/// gatekeeper → gatekeeper: what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PeerAnswer {
    /// The share is right and sealed on disk.
    #[codec(index = 0)]
    Ack(Ack),
    /// The log.
    #[codec(index = 1)]
    Log(Sensitive),
    /// The output.
    #[codec(index = 2)]
    Output(Vec<u8>),
}

/// Why a gatekeeper does not do what another one asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum PeerRefusal {
    /// The chain has not shown it so far. Ask again.
    #[error("it has not seen the round so far yet")]
    #[codec(index = 0)]
    NotYet,
    /// The round has moved on.
    #[error("the round has moved on")]
    #[codec(index = 1)]
    Over,
    /// It does not have it. Ask another.
    #[error("it does not have it")]
    #[codec(index = 2)]
    Unknown,
    /// The sender has no such part in the round.
    #[error("the sender has no such part in the round")]
    #[codec(index = 3)]
    NoPart,
    /// What was dealt is not what an honest dealer deals.
    #[error("what was dealt is not right")]
    #[codec(index = 4)]
    BadDealing,
    /// The sender's process is not one that the chain admits as a gatekeeper.
    #[error("the sender is not an admitted gatekeeper's current process")]
    #[codec(index = 5)]
    NotAdmitted,
    /// Not signed, or for another process.
    #[error("the request is not signed for this process")]
    #[codec(index = 6)]
    Signature,
    /// The bytes are no request.
    #[error("the request is malformed")]
    #[codec(index = 7)]
    Malformed,
}

/// What comes back.
pub type PeerReply = Result<PeerAnswer, PeerRefusal>;

/// A request, its sender and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedPeerRequest {
    /// Who asks.
    pub sender: WorkerId,
    /// SCALE of a [`PeerRequest`].
    pub request: Sensitive,
    /// By the sender's instance.
    pub signature: [u8; 64],
}

/// What a sender signs: it binds network, receiver's process, sender and request.
///
/// # Shape
/// SHA-256 of `"phala/gatekeeper-peer/v1" ‖ genesis ‖ receiver's instance ‖ sender ‖ request`.
pub fn signing_hash(genesis: &GenesisHash, receiver: &InstanceKey, sender: &WorkerId, request: &[u8]) -> Hash {
    Preimage::new("phala/gatekeeper-peer/v1")
        .bytes(&genesis.0)
        .bytes(&receiver.0)
        .bytes(&sender.0)
        .bytes(request)
        .hash()
}

impl SignedPeerRequest {
    /// Signs `request` for the process `receiver`.
    pub fn sign(identity: &Identity, receiver: &InstanceKey, request: &PeerRequest) -> Self {
        let request = Sensitive(Zeroizing::new(request.encode()));
        let hash = signing_hash(&identity.genesis, receiver, &identity.worker, &request.0);
        Self { sender: identity.worker, request, signature: identity.sign_as_instance(&hash.0) }
    }

    /// The request, if the process `sender` signed it for the process `receiver`.
    ///
    /// # Errors
    /// [`PeerRefusal::Signature`], [`PeerRefusal::Malformed`].
    pub fn open(
        &self,
        genesis: &GenesisHash,
        receiver: &InstanceKey,
        sender: &InstanceKey,
    ) -> Result<PeerRequest, PeerRefusal> {
        let hash = signing_hash(genesis, receiver, &self.sender, &self.request.0);
        if !verify_ed25519(&sender.0, &hash.0, &self.signature) {
            return Err(PeerRefusal::Signature);
        }
        let request = PeerRequest::decode_all(&mut self.request.0.as_slice()).map_err(|_| PeerRefusal::Malformed)?;
        match &request {
            PeerRequest::Deal { dealing, .. } if dealing.0.len() > DEALING_BYTES_MAX => Err(PeerRefusal::Malformed),
            _ => Ok(request),
        }
    }
}

struct Body(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Opens a sealed request that came to `path`.
///
/// # Errors
/// [`Problem::TooLarge`], [`Problem::Sealed`], [`Problem::OtherPath`].
pub fn open(channel: &Server, path: &str, bytes: &[u8]) -> Result<(Zeroizing<Vec<u8>>, ResponseSealer), Problem> {
    let max = GATEKEEPER_REQUEST_BYTES_MAX as usize;
    if bytes.len() > max {
        return Err(Problem::TooLarge(bytes.len(), max));
    }
    let (request, sealer) = channel.open(bytes).map_err(|_| Problem::Sealed)?;
    if request.uri().path() != path {
        return Err(Problem::OtherPath);
    }
    Ok((Zeroizing::new(request.into_body()), sealer))
}

/// Seals the answer to a request.
///
/// # Errors
/// [`Problem::Sealed`] if it cannot be framed; it can.
pub fn seal_answer(sealer: ResponseSealer, message: Vec<u8>) -> Result<Vec<u8>, Problem> {
    sealer.seal(&Response::new(Body(Zeroizing::new(message))), &HeaderMap::new()).map_err(|_| Problem::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_crypto::Secret;
    use phala_messages::{TransportKey, limits::GATEKEEPER_ANSWER_BYTES_MAX};

    const MAX: usize = GATEKEEPER_REQUEST_BYTES_MAX as usize;

    #[test]
    fn a_request_opens_for_its_receiver_at_its_path_and_no_larger_than_the_limit() {
        let channel = Server::new(&Secret::new([1; 32])).unwrap();
        let transport = TransportKey(channel.public());
        let (sealed, opener) = seal(&transport, PEER_PATH, b"hello".to_vec()).unwrap();
        let overhead = sealed.len() - 5;
        let (opened, sealer) = open(&channel, PEER_PATH, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"hello");
        assert_eq!(open(&channel, "/v1/key", &sealed).err(), Some(Problem::OtherPath));
        let other = Server::new(&Secret::new([2; 32])).unwrap();
        assert_eq!(open(&other, PEER_PATH, &sealed).err(), Some(Problem::Sealed));
        let answer = seal_answer(sealer, PeerReply::Err(PeerRefusal::NotYet).encode()).unwrap();
        assert_eq!(open_answer::<PeerReply>(opener, &answer).unwrap(), Err(PeerRefusal::NotYet));

        // Lengths inside take a few more bytes when there is more inside.
        let fits = (MAX - overhead - 16..=MAX).rev().find_map(|length| {
            let (sealed, _) = seal(&transport, PEER_PATH, vec![7; length]).unwrap();
            (sealed.len() == MAX).then_some(sealed)
        });
        assert!(open(&channel, PEER_PATH, &fits.expect("some length gives the limit")).is_ok());
        assert_eq!(open(&channel, PEER_PATH, &vec![0; MAX + 1]).err(), Some(Problem::TooLarge(MAX + 1, MAX)));
    }

    #[test]
    fn an_answer_of_the_limit_opens_and_one_beyond_does_not() {
        let channel = Server::new(&Secret::new([1; 32])).unwrap();
        let max = GATEKEEPER_ANSWER_BYTES_MAX as usize;
        let answer = |length: usize| {
            let (sealed, opener) = seal(&TransportKey(channel.public()), PEER_PATH, vec![]).unwrap();
            let (_, sealer) = open(&channel, PEER_PATH, &sealed).unwrap();
            let reply = PeerReply::Ok(PeerAnswer::Log(Sensitive(Zeroizing::new(vec![3; length]))));
            (seal_answer(sealer, reply.encode()).unwrap(), opener)
        };
        // How lengths are written depends on them; near the limit they are written alike.
        let overhead = answer(max - 200).0.len() - (max - 200);
        let [fits, beyond] = [max, max + 1].map(|length| {
            let (answer, opener) = answer(length - overhead);
            assert_eq!(answer.len(), length);
            open_answer::<PeerReply>(opener, &answer)
        });
        assert!(fits.is_ok());
        assert_eq!(beyond.unwrap_err(), PeerError(format!("the answer has {} bytes", max + 1)));
    }

    #[test]
    fn the_longest_messages_fit() {
        const { assert!(DEALING_BYTES_MAX + 512 <= MAX) };
        const { assert!(phala_threshold::LOG_BYTES_MAX + 512 <= GATEKEEPER_ANSWER_BYTES_MAX as usize) };
        const { assert!(phala_threshold::OUTPUT_BYTES_MAX + 512 <= GATEKEEPER_ANSWER_BYTES_MAX as usize) };
    }

    #[test]
    fn what_holds_a_share_is_never_printed() {
        let request = PeerRequest::Deal { round: RoundNumber(1), dealing: Sensitive(Zeroizing::new(vec![0xab; 3])) };
        assert_eq!(format!("{request:?}"), "Deal { round: RoundNumber(1), dealing: Sensitive(3 bytes) }");
    }
}
