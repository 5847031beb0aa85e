//! The node's JSON-RPC: the few calls that a follower and its users make. Nothing that it says is believed
//! before it is checked.

use crate::{
    follower::FollowError,
    header::{HEADER_BYTES_MAX, Header, hash_of},
    justification::JUSTIFICATION_BYTES_MAX,
    proof::{PROOF_BYTES_MAX, PROOF_NODES_MAX, ProofError},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use codec::{Decode, DecodeAll};
use core::future::Future;
use phala_messages::{BlockHash, Hash};
use serde_json::{Map, Value, json};
use sp_consensus_grandpa::GRANDPA_ENGINE_ID;
use sp_core::H256;
use sp_runtime::generic::{Digest, DigestItem};

/// One reply of a node. Whoever carries calls refuses larger ones before they fill memory.
pub const REPLY_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Headers beside one proof of finality: a node never gives more.
pub const UNKNOWN_HEADERS_MAX: usize = 100_000;
/// Log entries in one header.
const DIGEST_LOGS_MAX: usize = 64;
/// Text that a node may put into an error.
const MESSAGE_BYTES_MAX: usize = 512;

/// Carries JSON-RPC calls to a node. Implemented where there are sockets.
pub trait Rpc: Sync {
    /// Calls `method` with positional `params`.
    ///
    /// # Errors
    /// [`RpcError`]; an error object in the reply is [`RpcError::Refused`].
    fn call(&self, method: &str, params: Value) -> impl Future<Output = Result<Value, RpcError>> + Send;
}

/// Why a call got no usable reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No reply came: no connection, a time limit, not JSON.
    #[error("the node does not reply: {0}")]
    Unreachable(String),
    /// The node replied with an error.
    #[error("the node refuses ({code}): {message}")]
    Refused {
        /// JSON-RPC error code.
        code: i64,
        /// What it says.
        message: String,
    },
    /// See [`REPLY_BYTES_MAX`].
    #[error("the node's reply has more than {REPLY_BYTES_MAX} bytes")]
    TooLarge,
    /// The reply has not the form that the method's reply has.
    #[error("the node's reply to {method} is malformed")]
    Malformed {
        /// Which call.
        method: &'static str,
    },
}

impl RpcError {
    /// An error object of JSON-RPC 2.0, as a node sends it.
    pub fn from_error_object(error: &Value) -> Self {
        let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
        let mut message = error.get("message").and_then(Value::as_str).unwrap_or("no message").to_string();
        if let Some(data) = error.get("data").and_then(Value::as_str) {
            message = format!("{message}: {data}");
        }
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self::Refused { code, message }
    }
}

/// What `grandpa_proveFinality` gives.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
#[cfg_attr(feature = "std", derive(codec::Encode))]
pub struct FinalityProof {
    /// Block that the justification finalises.
    pub block: H256,
    /// Encoded justification.
    pub justification: Vec<u8>,
    /// Headers above the block asked for, up to and with [`FinalityProof::block`].
    pub unknown_headers: Vec<Header>,
}

/// What a signature on an extrinsic commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeVersion {
    /// Version of the rules.
    pub spec_version: u32,
    /// Version of the form of extrinsics.
    pub transaction_version: u32,
}

fn malformed(method: &'static str) -> RpcError {
    RpcError::Malformed { method }
}

/// Bytes from `0x…`, at most `max` of them.
fn bytes(value: &Value, max: usize) -> Option<Vec<u8>> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    if digits.len() > max.saturating_mul(2) { None } else { hex::decode(digits).ok() }
}

fn hash(value: &Value) -> Option<[u8; 32]> {
    bytes(value, 32)?.try_into().ok()
}

/// A number from `0x…`, as Substrate writes block numbers.
fn number(value: &Value) -> Option<u32> {
    u32::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn object<'a>(value: &'a Value, fields: &[&str]) -> Option<&'a Map<String, Value>> {
    let object = value.as_object()?;
    object.keys().all(|key| fields.contains(&key.as_str())).then_some(object)
}

fn parse_header(value: &Value) -> Option<Header> {
    let header = object(value, &["parentHash", "number", "stateRoot", "extrinsicsRoot", "digest"])?;
    let logs = object(header.get("digest")?, &["logs"])?.get("logs")?.as_array()?;
    if logs.len() > DIGEST_LOGS_MAX {
        return None;
    }
    let log = |log: &Value| DigestItem::decode_all(&mut bytes(log, HEADER_BYTES_MAX)?.as_slice()).ok();
    Some(Header {
        parent_hash: H256(hash(header.get("parentHash")?)?),
        number: number(header.get("number")?)?,
        state_root: H256(hash(header.get("stateRoot")?)?),
        extrinsics_root: H256(hash(header.get("extrinsicsRoot")?)?),
        digest: Digest { logs: logs.iter().map(log).collect::<Option<_>>()? },
    })
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// The node's newest finalised block.
///
/// # Errors
/// [`RpcError`].
pub async fn finalized_head<R: Rpc>(rpc: &R) -> Result<BlockHash, RpcError> {
    let reply = rpc.call("chain_getFinalizedHead", json!([])).await?;
    hash(&reply).map(BlockHash).ok_or(malformed("chain_getFinalizedHead"))
}

/// The node's block at a height, on the chain that it takes for the best.
///
/// # Errors
/// [`RpcError`].
pub async fn block_hash<R: Rpc>(rpc: &R, height: u32) -> Result<Option<BlockHash>, RpcError> {
    match rpc.call("chain_getBlockHash", json!([height])).await? {
        Value::Null => Ok(None),
        reply => hash(&reply).map(|hash| Some(BlockHash(hash))).ok_or(malformed("chain_getBlockHash")),
    }
}

/// The header of block `at`: it has that hash.
///
/// # Errors
/// [`FollowError::Rpc`]; [`FollowError::AlteredHeader`] when it has another.
pub async fn header<R: Rpc>(rpc: &R, at: &BlockHash) -> Result<Option<Header>, FollowError> {
    let reply = match rpc.call("chain_getHeader", json!([at.to_string()])).await? {
        Value::Null => return Ok(None),
        reply => reply,
    };
    let header = parse_header(&reply).ok_or(malformed("chain_getHeader"))?;
    if hash_of(&header) == *at { Ok(Some(header)) } else { Err(FollowError::AlteredHeader { block: *at }) }
}

/// A justification for the last block of the set in which `height` lies, or of the newest finalised block.
/// None when the node has none.
///
/// # Errors
/// [`RpcError`].
pub async fn prove_finality<R: Rpc>(rpc: &R, height: u32) -> Result<Option<FinalityProof>, RpcError> {
    const METHOD: &str = "grandpa_proveFinality";
    let reply = match rpc.call(METHOD, json!([height])).await? {
        Value::Null => return Ok(None),
        reply => bytes(&reply, REPLY_BYTES_MAX / 2).ok_or(malformed(METHOD))?,
    };
    let proof = FinalityProof::decode_all(&mut reply.as_slice()).map_err(|_| malformed(METHOD))?;
    let fits =
        proof.unknown_headers.len() <= UNKNOWN_HEADERS_MAX && proof.justification.len() <= JUSTIFICATION_BYTES_MAX;
    if fits { Ok(Some(proof)) } else { Err(malformed(METHOD)) }
}

/// The encoded GRANDPA justification that the node stores with block `at`, if there is one.
///
/// # Errors
/// [`RpcError`].
pub async fn block_justification<R: Rpc>(rpc: &R, at: &BlockHash) -> Result<Option<Vec<u8>>, RpcError> {
    const METHOD: &str = "chain_getBlock";
    let reply = rpc.call(METHOD, json!([at.to_string()])).await?;
    let list = match reply.get("justifications") {
        None | Some(Value::Null) => return Ok(None),
        Some(list) => list.as_array().ok_or(malformed(METHOD))?,
    };
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    let all = |value: &Value, max: usize| -> Option<Vec<u8>> {
        let list = value.as_array()?;
        if list.len() > max { None } else { list.iter().map(byte).collect() }
    };
    for entry in list {
        let [engine, justification] = entry.as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err(malformed(METHOD));
        };
        if all(engine, 4).ok_or(malformed(METHOD))? == GRANDPA_ENGINE_ID {
            return all(justification, JUSTIFICATION_BYTES_MAX).map(Some).ok_or(malformed(METHOD));
        }
    }
    Ok(None)
}

/// Trie nodes that prove `keys` in the state after block `at`.
///
/// # Errors
/// [`FollowError::Rpc`], and [`FollowError::Proof`] for a proof past its limits.
pub async fn read_proof<R: Rpc>(rpc: &R, keys: &[Vec<u8>], at: &BlockHash) -> Result<Vec<Vec<u8>>, FollowError> {
    const METHOD: &str = "state_getReadProof";
    let keys: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    let reply = rpc.call(METHOD, json!([keys, at.to_string()])).await?;
    let nodes = reply.get("proof").and_then(Value::as_array).ok_or(malformed(METHOD))?;
    if nodes.len() > PROOF_NODES_MAX {
        return Err(ProofError::TooManyNodes(nodes.len()).into());
    }
    let digits = nodes.iter().map(|node| node.as_str().map_or(0, str::len)).fold(0, usize::saturating_add);
    if digits > PROOF_BYTES_MAX.saturating_mul(2).saturating_add(nodes.len().saturating_mul(2)) {
        return Err(ProofError::TooLarge.into());
    }
    let nodes: Option<Vec<_>> = nodes.iter().map(|node| bytes(node, PROOF_BYTES_MAX)).collect();
    nodes.ok_or(malformed(METHOD).into())
}

/// Submits an extrinsic; gives its hash. It may still never enter a block.
///
/// # Errors
/// [`RpcError`]; [`RpcError::Refused`] when the node's pool does not take it.
pub async fn submit_extrinsic<R: Rpc>(rpc: &R, extrinsic: &[u8]) -> Result<Hash, RpcError> {
    let reply = rpc.call("author_submitExtrinsic", json!([hex(extrinsic)])).await?;
    hash(&reply).map(Hash).ok_or(malformed("author_submitExtrinsic"))
}

/// Versions of the node's runtime at its best block. A node that lies here makes a signature void, not dangerous.
///
/// # Errors
/// [`RpcError`].
pub async fn runtime_version<R: Rpc>(rpc: &R) -> Result<RuntimeVersion, RpcError> {
    let reply = rpc.call("state_getRuntimeVersion", json!([])).await?;
    let field = |name| u32::try_from(reply.get(name)?.as_u64()?).ok();
    let version = || {
        Some(RuntimeVersion { spec_version: field("specVersion")?, transaction_version: field("transactionVersion")? })
    };
    version().ok_or(malformed("state_getRuntimeVersion"))
}

/// Index of the next extrinsic of the account with this SS58 address, those in the node's pool counted.
///
/// # Errors
/// [`RpcError`].
pub async fn next_index<R: Rpc>(rpc: &R, address: &str) -> Result<u32, RpcError> {
    let reply = rpc.call("system_accountNextIndex", json!([address])).await?;
    reply.as_u64().and_then(|index| u32::try_from(index).ok()).ok_or(malformed("system_accountNextIndex"))
}
