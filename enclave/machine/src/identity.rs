//! Who a machine is: what it keeps over restarts, and what it makes anew at each start.
//!
//! ```text
//! kept, sealed     identity key (Ed25519)   names the machine on chain
//!                  own secret               what a machine alone derives keys from
//!                  genesis                  the one network that both serve
//! made at start    instance key (Ed25519)   signs anchors and receipts of this process
//!                  transport key (X25519)   requests are sealed to this process
//! ```
//! A process never writes its instance or transport key anywhere: a copy of the disk cannot speak for it.

use crate::{
    cabinet::{Cabinet, CabinetError},
    ports::Entropy,
};
use codec::{Decode, DecodeAll, Encode};
use phala_crypto::{OpenError, Secret, SigningKey, channel, hpke};
use phala_messages::{GenesisHash, InstanceKey, TransportKey, WorkerId};
use zeroize::{Zeroize, Zeroizing};

const NAME: &str = "identity";

/// Why a machine does not know who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The disk, or the seal.
    #[error(transparent)]
    Cabinet(#[from] CabinetError),
    /// The directory served another network before.
    #[error("this directory belongs to the network {kept}; it was started for {asked}")]
    Network {
        /// The network of the directory.
        kept: GenesisHash,
        /// The network asked for.
        asked: GenesisHash,
    },
    /// Opens, but says nothing sensible.
    #[error("the sealed identity was written by another version of this software")]
    Format,
    /// The channel's library refuses the transport key.
    #[error("the transport key: {0}")]
    Channel(#[from] channel::ChannelError),
}

#[derive(Encode, Decode)]
struct Kept {
    format: u8,
    genesis: GenesisHash,
    seed: [u8; 32],
    master: [u8; 32],
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.master.zeroize();
    }
}

/// Who this machine is.
pub struct Identity {
    /// Which network it serves.
    pub genesis: GenesisHash,
    /// Its name on chain.
    pub worker: WorkerId,
    /// This process.
    pub instance: InstanceKey,
    /// Requests to this process are sealed to it.
    pub transport: TransportKey,
    worker_key: SigningKey,
    instance_key: SigningKey,
    channel: channel::Server,
    transport_pair: hpke::KeyPair,
    master: Secret<32>,
}

impl Identity {
    /// Opens the kept identity, or makes one if there is none, and makes this process's keys.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn open(cabinet: &Cabinet, genesis: GenesisHash, entropy: &dyn Entropy) -> Result<Self, IdentityError> {
        let kept = match cabinet.get(NAME)? {
            Some(bytes) => {
                let bytes = Zeroizing::new(bytes);
                Kept::decode_all(&mut bytes.as_slice())
                    .ok()
                    .filter(|kept| kept.format == 1)
                    .ok_or(IdentityError::Format)?
            }
            None => {
                let kept = Kept { format: 1, genesis, seed: entropy.bytes(), master: entropy.bytes() };
                cabinet.put(NAME, &Zeroizing::new(kept.encode()))?;
                kept
            }
        };
        if kept.genesis != genesis {
            return Err(IdentityError::Network { kept: kept.genesis, asked: genesis });
        }
        let worker_key = SigningKey::new(&Secret::new(kept.seed));
        let instance_key = SigningKey::new(&entropy.secret());
        let secret = entropy.secret();
        let channel = channel::Server::new(&secret)?;
        // The same pair: both derive it as RFC 9180 says.
        let transport_pair = hpke::KeyPair::derive(&secret);
        if transport_pair.public() != channel.public() {
            return Err(channel::ChannelError::Key.into());
        }
        Ok(Self {
            genesis,
            worker: WorkerId(worker_key.public()),
            instance: InstanceKey(instance_key.public()),
            transport: TransportKey(channel.public()),
            master: Secret::new(kept.master),
            worker_key,
            instance_key,
            channel,
            transport_pair,
        })
    }

    /// Signs as the machine.
    pub fn sign_as_worker(&self, message: &[u8]) -> [u8; 64] {
        self.worker_key.sign(message)
    }

    /// Signs as this process.
    pub fn sign_as_instance(&self, message: &[u8]) -> [u8; 64] {
        self.instance_key.sign(message)
    }

    /// Opens requests to this process.
    pub const fn channel(&self) -> &channel::Server {
        &self.channel
    }

    /// Opens one message that was HPKE-sealed to the transport key of this process.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_sealed(&self, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.transport_pair.open(info, sealed).map(|(plain, _)| Zeroizing::new(plain))
    }

    /// What program keys are derived from.
    pub const fn master(&self) -> &Secret<32> {
        &self.master
    }
}
