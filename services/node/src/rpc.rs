//! What is served on the RPC port beside polkadot-sdk's own methods (`state_getReadProof` among them).

use crate::service::{Backend, Client, Pool, SelectChain};
use jsonrpsee::RpcModule;
use phala_runtime::opaque::Block;
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use substrate_frame_rpc_system::{System, SystemApiServer};

/// What GRANDPA's methods need.
#[derive(Clone)]
pub struct Finality {
    pub voter_state: SharedVoterState,
    pub authorities: SharedAuthoritySet<phala_runtime::Hash, u32>,
    pub justifications: GrandpaJustificationStream<Block>,
    pub proofs: Arc<FinalityProofProvider<Backend, Block>>,
}

/// What all methods need.
#[derive(Clone)]
pub struct Dependencies {
    pub client: Arc<Client>,
    pub pool: Arc<Pool>,
    pub select_chain: SelectChain,
    pub babe: BabeWorkerHandle<Block>,
    pub keystore: KeystorePtr,
    pub finality: Finality,
}

/// Builds the methods.
pub fn build(
    deps: Dependencies,
    executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
    use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
    let Dependencies { client, pool, select_chain, babe, keystore, finality } = deps;
    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::<_, Block>::new(client.clone()).into_rpc())?;
    module.merge(Babe::new(client, babe, keystore, select_chain).into_rpc())?;
    let Finality { voter_state, authorities, justifications, proofs } = finality;
    module.merge(Grandpa::new(executor, authorities, voter_state, justifications, proofs).into_rpc())?;
    Ok(module)
}
