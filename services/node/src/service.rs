//! The parts of a node and how they are connected.

use crate::rpc;
use phala_runtime::{RuntimeApi, opaque::Block};
use sc_client_api::BlockBackend;
use sc_consensus_babe::{BabeLink, BabeWorkerHandle, SlotProportion};
use sc_consensus_grandpa::{FinalityProofProvider, SharedVoterState};
use sc_network::{NetworkBackend, config::FullNetworkConfiguration};
use sc_service::{Configuration, TaskManager, WarpSyncConfig, error::Error};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use std::{sync::Arc, time::Duration};

/// Every finalised block gets a justification that is kept: who follows by proof can ask for any of them.
const JUSTIFICATION_PERIOD_BLOCKS: u32 = 1;
/// How long GRANDPA waits for votes to travel. A round takes about four of these.
const GOSSIP: Duration = Duration::from_millis(150);

type HostFunctions = sp_io::SubstrateHostFunctions;
pub type Client = sc_service::TFullClient<Block, RuntimeApi, sc_executor::WasmExecutor<HostFunctions>>;
pub type Backend = sc_service::TFullBackend<Block>;
pub type SelectChain = sc_consensus::LongestChain<Backend, Block>;
pub type Pool = sc_transaction_pool::TransactionPoolHandle<Block, Client>;
type GrandpaImport = sc_consensus_grandpa::GrandpaBlockImport<Backend, Block, Client, SelectChain>;
type GrandpaLink = sc_consensus_grandpa::LinkHalf<Block, Client, SelectChain>;

/// Everything that exists before the network does.
pub struct Parts {
    pub client: Arc<Client>,
    pub backend: Arc<Backend>,
    pub task_manager: TaskManager,
    pub import_queue: sc_consensus::DefaultImportQueue<Block>,
    keystore: sc_service::KeystoreContainer,
    select_chain: SelectChain,
    pool: Arc<Pool>,
    block_import: Box<dyn sc_consensus::BlockImport<Block, Error = sp_consensus::Error> + Send + Sync>,
    babe_link: BabeLink<Block>,
    babe_worker: BabeWorkerHandle<Block>,
    grandpa_link: GrandpaLink,
    telemetry: Option<Telemetry>,
}

fn telemetry(config: &Configuration) -> Result<Option<(TelemetryWorker, Telemetry)>, Error> {
    let Some(endpoints) = config.telemetry_endpoints.clone().filter(|endpoints| !endpoints.is_empty()) else {
        return Ok(None);
    };
    let worker = TelemetryWorker::new(16)?;
    let telemetry = worker.handle().new_telemetry(endpoints);
    Ok(Some((worker, telemetry)))
}

/// Opens the database and builds everything that exists before the network does.
pub fn parts(config: &Configuration) -> Result<Parts, Error> {
    let telemetry = telemetry(config)?;
    let executor = sc_service::new_wasm_executor::<HostFunctions>(&config.executor);
    let (client, backend, keystore, task_manager) = sc_service::new_full_parts::<Block, RuntimeApi, _>(
        config,
        telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
        executor,
        Vec::new(),
    )?;
    let client = Arc::new(client);
    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager.spawn_handle().spawn("telemetry", None, worker.run());
        telemetry
    });
    let handle = telemetry.as_ref().map(Telemetry::handle);
    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let pool = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    let (grandpa_import, grandpa_link): (GrandpaImport, GrandpaLink) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD_BLOCKS,
        &client,
        select_chain.clone(),
        handle.clone(),
    )?;
    let justification_import = Box::new(grandpa_import.clone());
    let babe_configuration = sc_consensus_babe::configuration(&*client)?;
    let slot_duration = babe_configuration.slot_duration();
    let (block_import, babe_link) = sc_consensus_babe::block_import(
        babe_configuration,
        grandpa_import,
        client.clone(),
        move |_, ()| async move { Ok(inherents(slot_duration)) },
        select_chain.clone(),
        OffchainTransactionPoolFactory::new(Arc::clone(&pool)),
    )?;
    let (import_queue, babe_worker) = sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
        link: babe_link.clone(),
        block_import: block_import.clone(),
        justification_import: Some(justification_import),
        client: client.clone(),
        slot_duration,
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        telemetry: handle,
    })?;
    Ok(Parts {
        client,
        backend,
        task_manager,
        import_queue,
        keystore,
        select_chain,
        pool,
        block_import: Box::new(block_import),
        babe_link,
        babe_worker,
        grandpa_link,
        telemetry,
    })
}

/// What a block's author states beside its extrinsics: the slot and the time.
fn inherents(
    slot_duration: sp_consensus_babe::SlotDuration,
) -> (sp_consensus_babe::inherents::InherentDataProvider, sp_timestamp::InherentDataProvider) {
    let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
    let slot =
        sp_consensus_babe::inherents::InherentDataProvider::from_timestamp_and_slot_duration(*timestamp, slot_duration);
    (slot, timestamp)
}

/// Starts the node with the network stack that `config` chooses.
pub fn start(config: Configuration) -> Result<TaskManager, Error> {
    use sc_network::config::NetworkBackendType;
    match config.network.network_backend {
        NetworkBackendType::Libp2p => start_on::<sc_network::NetworkWorker<_, _>>(config),
        NetworkBackendType::Litep2p => start_on::<sc_network::Litep2pNetworkBackend>(config),
    }
}

fn start_on<N>(config: Configuration) -> Result<TaskManager, Error>
where
    N: NetworkBackend<Block, phala_runtime::Hash>,
{
    let Parts {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore,
        select_chain,
        pool,
        block_import,
        babe_link,
        babe_worker,
        grandpa_link,
        mut telemetry,
    } = parts(&config)?;

    let metrics = N::register_notification_metrics(config.prometheus_registry());
    let mut net_config =
        FullNetworkConfiguration::<_, _, N>::new(&config.network, config.prometheus_registry().cloned());
    let genesis = client.block_hash(0)?.ok_or_else(|| Error::Other("the database has no genesis block".into()))?;
    let grandpa_protocol = sc_consensus_grandpa::protocol_standard_name(&genesis, &config.chain_spec);
    let (grandpa_config, grandpa_notifications) = sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
        grandpa_protocol.clone(),
        metrics.clone(),
        net_config.peer_store_handle(),
    );
    net_config.add_notification_protocol(grandpa_config);
    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        grandpa_link.shared_authority_set().clone(),
        Vec::new(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync, _) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    let role = config.role;
    let name = config.network.node_name.clone();
    let force_authoring = config.force_authoring;
    let prometheus = config.prometheus_registry().cloned();
    let voter_state = SharedVoterState::empty();
    let rpc_builder = {
        let dependencies = rpc::Dependencies {
            client: client.clone(),
            pool: pool.clone(),
            select_chain: select_chain.clone(),
            babe: babe_worker,
            keystore: keystore.keystore(),
            finality: rpc::Finality {
                voter_state: voter_state.clone(),
                authorities: grandpa_link.shared_authority_set().clone(),
                justifications: grandpa_link.justification_stream(),
                proofs: FinalityProofProvider::new_for_service(
                    backend.clone(),
                    Some(grandpa_link.shared_authority_set().clone()),
                ),
            },
        };
        Box::new(move |executor| rpc::build(dependencies.clone(), executor).map_err(Into::into))
    };
    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        config,
        client: client.clone(),
        backend,
        task_manager: &mut task_manager,
        keystore: keystore.keystore(),
        transaction_pool: pool.clone(),
        rpc_builder,
        network: network.clone(),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync.clone(),
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if role.is_authority() {
        let env = sc_basic_authorship::ProposerFactory::new(
            task_manager.spawn_handle(),
            client.clone(),
            pool.clone(),
            prometheus.as_ref(),
            telemetry.as_ref().map(Telemetry::handle),
        );
        let slot_duration = babe_link.config().slot_duration();
        let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
            keystore: keystore.keystore(),
            client,
            select_chain,
            env,
            block_import,
            sync_oracle: sync.clone(),
            justification_sync_link: sync.clone(),
            create_inherent_data_providers: move |_, ()| async move { Ok(inherents(slot_duration)) },
            force_authoring,
            backoff_authoring_blocks: None::<()>,
            babe_link,
            block_proposal_slot_portion: SlotProportion::new(0.5),
            max_block_proposal_slot_portion: None,
            telemetry: telemetry.as_ref().map(Telemetry::handle),
        })?;
        task_manager.spawn_essential_handle().spawn_blocking("babe", Some("block-authoring"), babe);
    }

    let grandpa = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
        config: sc_consensus_grandpa::Config {
            gossip_duration: GOSSIP,
            justification_generation_period: JUSTIFICATION_PERIOD_BLOCKS,
            observer_enabled: false,
            local_role: role,
            name: Some(name),
            keystore: role.is_authority().then(|| keystore.keystore()),
            telemetry: telemetry.as_ref().map(Telemetry::handle),
            protocol_name: grandpa_protocol,
        },
        link: grandpa_link,
        network,
        sync: Arc::new(sync),
        notification_service: grandpa_notifications,
        // Voting for the best block rather than some blocks behind it: a command waits for finality.
        voting_rule: (),
        prometheus_registry: prometheus,
        shared_voter_state: voter_state,
        telemetry: telemetry.as_ref().map(Telemetry::handle),
        offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(pool),
    })?;
    task_manager.spawn_essential_handle().spawn_blocking("grandpa", None, grandpa);
    Ok(task_manager)
}
