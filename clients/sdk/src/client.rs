//! The client: one network, believed by proof.
//!
//! ```text
//! genesis (trusted) ──hand-overs──► newest finalised header ──storage proof──► records
//!                        node's RPC, trusted with nothing but its time
//! ```
//! A node that lies is caught by the proofs; a node that keeps quiet about new blocks is caught by the age of
//! its newest one.

use crate::{
    Hint,
    network::{self, Network, NetworkError},
    rpc::HttpRpc,
};
use codec::{Decode, DecodeAll};
use phala_follow::{Checkpoint, FollowError, Follower, ProveError, ReceiptBundle, Rpc as _, Trust, check_age, prove};
use phala_messages::{
    Account, AnchorRecord, BlockRef, ClusterId, ClusterRecord, GenesisHash, ProgramId, ProgramRecord, SignedReceipt,
    WorkerId, WorkerRecord, storage,
};
use phala_units::{Planck, UnixMillis};
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Mutex;

/// How old the newest finalised block may be before the client calls the chain stalled or the node a liar.
pub const HEAD_AGE_MS_MAX: u64 = 60_000;
/// How many records are asked for at once.
const BATCH: usize = 64;
/// How often a waiting client asks the node for a newer finalised block.
pub(crate) const POLL: Duration = Duration::from_millis(150);

/// Why the chain's state is not known.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The network's directory.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What the node said is not proven, or it said nothing.
    #[error("following the chain at {url}")]
    Follow {
        /// Whom the client asked.
        url: String,
        /// What was wrong.
        source: FollowError,
    },
    /// The node's newest finalised block is old.
    #[error("the newest finalised block at {url} is {} s old; at most {} s are accepted", age_ms / 1000, HEAD_AGE_MS_MAX / 1000)]
    Stale {
        /// Whom the client asked.
        url: String,
        /// How old.
        age_ms: u64,
    },
    /// A proven record that this software does not understand.
    #[error("the chain's record of {0} is written by a newer version of the network")]
    Record(&'static str),
}

impl Hint for ChainError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Network(error) => error.hint(),
            Self::Follow { url, source } if crate::rpc::unreachable(source) => {
                Some(format!("is the network running at {url}? `phala status` shows it, `phala up` starts it"))
            }
            Self::Follow { .. } => Some(
                "the node gave no valid proof: it belongs to another network, or it lies; ask another node. \
                 If you know that the network began anew, delete checkpoint.json in its directory"
                    .into(),
            ),
            Self::Stale { .. } => Some(
                "the chain stands still, the node is behind, or this machine's clock is wrong; `phala status` shows more"
                    .into(),
            ),
            Self::Record(_) => Some("update `phala`".into()),
        }
    }
}

/// One network and what the client has proven of it.
pub struct Client {
    network: Network,
    dir: Option<PathBuf>,
    pub(crate) rpc: HttpRpc,
    pub(crate) http: reqwest::Client,
    follower: Mutex<Follower>,
}

/// An account's place in the chain's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Decode)]
pub struct AccountState {
    /// How many extrinsics it has sent.
    pub nonce: u32,
    consumers: u32,
    providers: u32,
    sufficients: u32,
    /// What is not held. What is frozen of it pays fees at most.
    pub free: Planck,
    /// What is held for it: deposits.
    pub reserved: Planck,
    /// What of it must stay, for votes and vesting.
    pub frozen: Planck,
    flags: u128,
}

/// The newest finalised block, proven, with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Height and hash.
    pub block: BlockRef,
    /// When it was made.
    pub time: UnixMillis,
}

impl Client {
    /// Connects to the network whose directory is `dir`: proves its newest finalised block.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn connect(dir: &Path) -> Result<Self, ChainError> {
        let network = Network::read(dir)?;
        let checkpoint = network::read_checkpoint(dir, &network.genesis);
        // What was proven once is not given up because a node contradicts it: that is what a lying node would do.
        let mut client = Self::connect_to(network, checkpoint).await?;
        client.dir = Some(dir.into());
        network::write_checkpoint(dir, &client.checkpoint().await);
        Ok(client)
    }

    /// Connects to `network`, starting from `checkpoint` where there is one and from the genesis otherwise.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn connect_to(network: Network, checkpoint: Option<Checkpoint>) -> Result<Self, ChainError> {
        let http =
            reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy().build().unwrap_or_default();
        let rpc = HttpRpc::new(http.clone(), &network.rpc);
        let follow_error = |source| ChainError::Follow { url: network.rpc.clone(), source };
        let mut follower = match checkpoint {
            Some(checkpoint) => Follower::from_checkpoint(&checkpoint).map_err(follow_error)?,
            None => Follower::from_genesis(network.genesis, &rpc).await.map_err(follow_error)?,
        };
        while follower.advance(&rpc).await.map_err(follow_error)? {}
        Ok(Self { network, dir: None, rpc, http, follower: Mutex::new(follower) })
    }

    /// The network, as its directory describes it.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The network's directory, if it has one.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// The network's name: the hash of its block 0.
    pub const fn genesis(&self) -> GenesisHash {
        self.network.genesis
    }

    /// What receipts are proven from: the genesis, so that everyone who knows the network can verify them.
    pub const fn trust(&self) -> Trust {
        Trust::Genesis(self.network.genesis)
    }

    /// The proof that makes a receipt verifiable offline.
    ///
    /// # Errors
    /// [`ProveError`].
    pub async fn prove(&self, receipt: SignedReceipt) -> Result<ReceiptBundle, ProveError> {
        let proof = prove(&receipt, &self.trust(), &self.rpc).await?;
        Ok(ReceiptBundle { receipt, proof })
    }

    /// What has been proven so far, to continue from another day.
    pub async fn checkpoint(&self) -> Checkpoint {
        self.follower.lock().await.checkpoint()
    }

    pub(crate) fn follow_error(&self, source: FollowError) -> ChainError {
        ChainError::Follow { url: self.network.rpc.clone(), source }
    }

    /// Moves to the newest finalised block.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn advance(&self) -> Result<BlockRef, ChainError> {
        let mut follower = self.follower.lock().await;
        while follower.advance(&self.rpc).await.map_err(|e| self.follow_error(e))? {}
        Ok(follower.head().block())
    }

    /// The newest finalised block, refused when it is old.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn head(&self) -> Result<Head, ChainError> {
        self.advance().await?;
        let (block, values) = self.read_raw(&[storage::timestamp_now()]).await?;
        let time = UnixMillis(decode(&values, 0, "the time")?.unwrap_or_default());
        let now = now();
        check_age(time, now, HEAD_AGE_MS_MAX)
            .map_err(|_| ChainError::Stale { url: self.network.rpc.clone(), age_ms: now.since(time) })?;
        Ok(Head { block, time })
    }

    /// Values of `keys` at the newest block this client has proven, with that block.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn read_raw(&self, keys: &[Vec<u8>]) -> Result<(BlockRef, Vec<Option<Vec<u8>>>), ChainError> {
        let follower = self.follower.lock().await;
        let values = follower.read(&self.rpc, keys).await.map_err(|e| self.follow_error(e))?;
        Ok((values.block(), values.into_inner()))
    }

    /// Values of `keys` at an older block of the finalised chain.
    ///
    /// # Errors
    /// [`ChainError`].
    pub(crate) async fn read_raw_at(
        &self,
        block: BlockRef,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Vec<u8>>>, ChainError> {
        let follower = self.follower.lock().await;
        let values = follower.read_at_finalized(&self.rpc, &block, keys).await;
        values.map(|values| values.into_inner()).map_err(|e| self.follow_error(e))
    }

    async fn record<T: Decode>(&self, key: Vec<u8>, what: &'static str) -> Result<Option<T>, ChainError> {
        let (_, values) = self.read_raw(&[key]).await?;
        decode(&values, 0, what)
    }

    /// A worker's registration.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn worker(&self, id: &WorkerId) -> Result<Option<WorkerRecord>, ChainError> {
        self.record(storage::worker(id), "a worker").await
    }

    /// A cluster.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn cluster(&self, id: ClusterId) -> Result<Option<ClusterRecord>, ChainError> {
        self.record(storage::cluster(id), "a cluster").await
    }

    /// A program.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn program(&self, id: &ProgramId) -> Result<Option<ProgramRecord>, ChainError> {
        self.record(storage::program(id), "a program").await
    }

    /// A program's newest anchor.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn anchor(&self, id: &ProgramId) -> Result<Option<AnchorRecord>, ChainError> {
        self.record(storage::anchor(id), "an anchor").await
    }

    /// An account; an unknown one has nothing.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn account(&self, id: &Account) -> Result<AccountState, ChainError> {
        self.record(storage::account(id), "an account").await.map(Option::unwrap_or_default)
    }

    /// A proven record under a key; `what` names it in an error.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn one<T: Decode>(&self, key: Vec<u8>, what: &'static str) -> Result<Option<T>, ChainError> {
        self.record(key, what).await
    }

    /// Proven records under many keys, asked for in batches at one block after the other.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn many<T: Decode>(&self, keys: &[Vec<u8>], what: &'static str) -> Result<Vec<Option<T>>, ChainError> {
        let mut all = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let (_, values) = self.read_raw(keys).await?;
            for index in 0..keys.len() {
                all.push(decode(&values, index, what)?);
            }
        }
        Ok(all)
    }

    /// What the node itself says, unproven: for people's eyes only.
    ///
    /// # Errors
    /// [`ChainError::Follow`].
    pub async fn ask(&self, method: &str, params: serde_json::Value) -> Result<serde_json::Value, ChainError> {
        self.rpc.call(method, params).await.map_err(|e| self.follow_error(e.into()))
    }
}

/// Reads the value at `index` of proven `values`.
pub(crate) fn decode<T: Decode>(
    values: &[Option<Vec<u8>>],
    index: usize,
    what: &'static str,
) -> Result<Option<T>, ChainError> {
    match values.get(index).and_then(Option::as_ref) {
        Some(bytes) => T::decode_all(&mut bytes.as_slice()).map(Some).map_err(|_| ChainError::Record(what)),
        None => Ok(None),
    }
}

/// This machine's clock.
pub fn now() -> UnixMillis {
    UnixMillis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;

    #[test]
    fn an_account_is_read_as_frame_writes_it() {
        // nonce, consumers, providers, sufficients, then free, reserved, frozen, flags.
        let bytes = (3u32, 1u32, 1u32, 0u32, (5u128, 7u128, 0u128, 1u128 << 127)).encode();
        let state: AccountState = decode(&[Some(bytes)], 0, "an account").unwrap().unwrap();
        assert_eq!((state.nonce, state.free, state.reserved), (3, Planck(5), Planck(7)));
    }

    #[test]
    fn a_record_with_bytes_left_over_is_refused() {
        let long = (1u64, 0u8).encode();
        assert!(matches!(decode::<u64>(&[Some(long)], 0, "x"), Err(ChainError::Record("x"))));
        assert!(matches!(decode::<u64>(&[None], 0, "x"), Ok(None)));
    }
}
