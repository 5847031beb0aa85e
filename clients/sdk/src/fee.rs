//! What a call would cost, before it is sent.
//!
//! The fee is the node's word: it follows from the load of the next block, which nobody can prove. A node that lies can make a call look
//! dear or cheap; what is taken in the end is what the chain's rules say.

use crate::{Client, client::ChainError, submit::SubmitError};
use codec::Encode;
use phala_messages::{Account, Hash, calls::Call, storage};
use phala_units::Planck;
use serde_json::{Value, json};
use sp_crypto_hashing::blake2_256;

/// What the node says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// What would be taken for it.
    pub fee: Planck,
    /// The computation that it takes at most, in picoseconds.
    pub ref_time: u64,
    /// The bytes of proof that it takes at most.
    pub proof_size: u64,
}

/// The name of a call: Blake2b-256 of its bytes. Multisigs, motions and preimages name calls by it.
pub fn call_hash(call: &Call) -> Hash {
    Hash(blake2_256(&call.encode()))
}

/// The name of a runtime: Blake2b-256 of its code.
pub fn code_hash(code: &[u8]) -> Hash {
    Hash(blake2_256(code))
}

impl Client {
    /// What `call` would cost `signer`, says the node. Nothing is sent: what the node is asked about bears no signature, so it
    /// cannot send it either.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn estimate(&self, signer: &Account, call: &Call) -> Result<Estimate, SubmitError> {
        let nonce = self.account(signer).await?.nonce;
        let unsigned = call.signed(signer, &[0; 64], nonce);
        let answer = self.ask("payment_queryInfo", json!([format!("0x{}", hex::encode(unsigned))])).await?;
        parse(&answer).ok_or(SubmitError::Answer("payment_queryInfo"))
    }

    /// The bytes that a hash stands for, if they are on chain.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn preimage(&self, hash: &Hash, bytes: u32) -> Result<Option<Vec<u8>>, ChainError> {
        self.one(storage::preimage(hash, bytes), "a preimage").await
    }
}

fn parse(answer: &Value) -> Option<Estimate> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let weight = answer.get("weight")?;
    let part = |snake: &str, camel: &str| number(weight.get(snake).or_else(|| weight.get(camel))?);
    let fee = answer.get("partialFee")?;
    let fee = fee.as_str().and_then(|text| text.parse().ok()).or_else(|| fee.as_u64().map(u128::from))?;
    Some(Estimate {
        fee: Planck(fee),
        ref_time: part("ref_time", "refTime")?,
        proof_size: part("proof_size", "proofSize")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_s_answer_is_a_fee_and_a_weight_or_nothing() {
        let good = json!({ "weight": { "ref_time": 7, "proof_size": 8 }, "class": "normal", "partialFee": "12345678901234567890" });
        let estimate = Estimate { fee: Planck(12_345_678_901_234_567_890), ref_time: 7, proof_size: 8 };
        assert_eq!(parse(&good), Some(estimate));
        for bad in [json!(null), json!({ "partialFee": "1" }), json!({ "weight": {}, "partialFee": "1" })] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_call_is_named_by_the_hash_of_its_bytes() {
        let call = Call::Encoded(vec![1, 2, 3]);
        assert_eq!(call_hash(&call).0, blake2_256(&[1, 2, 3]));
    }
}
