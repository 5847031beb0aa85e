//! How large each thing from outside may be. Whatever exceeds its limit is refused before it is parsed.

/// A quote (TDX v4 with its certificate chain is about 5 KiB).
pub const QUOTE_BYTES_MAX: u32 = 16 * 1024;
/// One piece of collateral: TCB info with its issuer chain is the largest, about 10 KiB.
pub const COLLATERAL_BYTES_MAX: u32 = 64 * 1024;
/// The URL at which a worker is reached.
pub const ENDPOINT_BYTES_MAX: u32 = 256;
/// A program's name.
pub const NAME_BYTES_MAX: u32 = 64;
/// A component. CPython inside one is 18 MB.
pub const CODE_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// A command as it lies on chain, sealed. A block holds about a dozen of the largest.
pub const SEALED_COMMAND_BYTES_MAX: u32 = 256 * 1024;
/// Commands of one program that wait for an answer; one more is refused until the worker catches up.
pub const COMMANDS_PENDING_MAX: u64 = 4_096;
/// Hosts that one program may fetch from.
pub const OUTBOUND_HOSTS_MAX: u32 = 32;
/// One entry of that list, `host` or `host:port`.
pub const OUTBOUND_HOST_BYTES_MAX: u32 = 128;
/// Workers in one cluster.
pub const CLUSTER_WORKERS_MAX: u32 = 16;
/// Programs in one cluster.
pub const CLUSTER_PROGRAMS_MAX: u32 = 10_000;

/// A request's head: request line and headers together.
pub const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Headers of one message.
pub const HEADERS_MAX: u32 = 128;
/// Body of a query, whole; streamed bodies count as they arrive.
pub const QUERY_BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Body of an answer.
pub const ANSWER_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Body of a command's answer: it is kept until the caller has fetched it.
pub const RESULT_BYTES_MAX: u64 = 1024 * 1024;

/// A key of `wasi:keyvalue`.
pub const STATE_KEY_BYTES_MAX: u32 = 512;
/// A value of `wasi:keyvalue`.
pub const STATE_VALUE_BYTES_MAX: u32 = 1024 * 1024;
/// All entries of one program, each counted by [`state_entry_bytes`].
pub const STATE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an entry counts beside its names and value: it also costs a worker memory, and empty ones must not be free.
pub const STATE_ENTRY_BYTES: u64 = 128;
/// One setting (`wasi:config`), key and value together.
pub const SETTING_BYTES_MAX: u32 = 16 * 1024;
/// Settings of one program.
pub const SETTINGS_MAX: u32 = 256;

/// Memory a program gets when its manifest does not say.
pub const MEMORY_BYTES_DEFAULT: u32 = 128 * 1024 * 1024;
/// The most a manifest may ask for.
pub const MEMORY_BYTES_MAX: u32 = 1024 * 1024 * 1024;
/// Wall-clock time of a query when the manifest does not say.
pub const QUERY_MS_DEFAULT: u32 = 10_000;
/// The most a manifest may ask for.
pub const QUERY_MS_MAX: u32 = 300_000;
/// Fuel of a command when the manifest does not say: about two seconds of one core.
pub const COMMAND_FUEL_DEFAULT: u64 = 2_000_000_000;
/// The most a manifest may ask for.
pub const COMMAND_FUEL_MAX: u64 = 20_000_000_000;
/// Outbound requests of one query.
pub const OUTBOUND_REQUESTS_DEFAULT: u32 = 16;
/// The most a manifest may ask for.
pub const OUTBOUND_REQUESTS_MAX: u32 = 256;
/// Body of one outbound request or its response.
pub const OUTBOUND_BODY_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Wall-clock time of one outbound request.
pub const OUTBOUND_MS_MAX: u32 = 30_000;

/// Registrations that one block admits: each costs five P-256 checks.
pub const REGISTRATIONS_PER_BLOCK_MAX: u32 = 16;
/// How old the block named in a registration's evidence may be, in blocks.
pub const REGISTRATION_BLOCK_AGE_MAX: u32 = 100;

/// Gatekeepers that share one master key: each round costs them the square of it in messages.
pub const GATEKEEPERS_MAX: u32 = 64;
/// Evidence of a complaint: two signed commitments of the longest polynomial are about 9 KiB.
pub const COMPLAINT_EVIDENCE_BYTES_MAX: u32 = 16 * 1024;
/// Deliveries that one batch of a gatekeeper's log may hold.
pub const DELIVERIES_PER_BATCH_MAX: u32 = 65_536;
/// A part of a program's key, sealed: 56 bytes and what sealing adds.
pub const SEALED_PARTIAL_KEY_BYTES_MAX: u32 = 256;
/// How old the block named in a query for a key may be, in blocks; so long gatekeepers remember queries.
pub const KEY_QUERY_BLOCK_AGE_MAX: u32 = 20;
/// A sealed request to a gatekeeper: the longest holds one dealing or asks for a log.
pub const GATEKEEPER_REQUEST_BYTES_MAX: u32 = 16 * 1024;
/// A gatekeeper's sealed answer: the longest holds one log or an output.
pub const GATEKEEPER_ANSWER_BYTES_MAX: u32 = 24 * 1024;
/// Recovery custodians: each epoch costs the chain a sealed piece for each of them, of each gatekeeper.
pub const CUSTODIANS_MAX: u32 = 16;
/// What an epoch came to, as the chain keeps it for recovery: 64 members and their polynomial are about 8 KiB.
pub const EPOCH_OUTPUT_BYTES_MAX: u32 = 16 * 1024;

/// A receipt in the proof of a fault: one of a command, with the longest path, has about 900 bytes.
pub const RECEIPT_PROOF_BYTES_MAX: u32 = 1_024;
/// Processes of a worker at work that the chain remembers, so that what one signed is still its worker's fault.
pub const RECENT_PROCESSES_MAX: u32 = 8;
/// Workers of one pool: their list is read whole when stake is called back.
pub const POOL_WORKERS_MAX: u32 = 200;
/// How old the block that a benchmark ended with may be, in blocks: so much longer than it says, at most, it was measured.
pub const SCORE_BLOCK_AGE_MAX: u32 = 10;

/// Blocks that a doubted lead has to show itself, and that lie between two doubts: one minute.
pub const LEAD_PATIENCE_BLOCKS: u32 = 30;
/// One piece of a copy on its way to another worker.
pub const COPY_PIECE_BYTES_MAX: u32 = 512 * 1024;
/// A copy of one program's disk, and a batch of changes to it: they pass through memory.
pub const COPY_BYTES_MAX: u32 = 256 * 1024 * 1024;
/// A message about copies: a piece, its header and signature.
pub const COPY_MESSAGE_BYTES_MAX: u32 = COPY_PIECE_BYTES_MAX + 1024;

/// What one entry of `wasi:keyvalue` counts against [`STATE_BYTES_MAX`].
///
/// # Units
/// Bytes: of bucket, key and value, and [`STATE_ENTRY_BYTES`].
pub const fn state_entry_bytes(bucket: &str, key: &str, value_bytes: usize) -> u64 {
    (bucket.len() as u64)
        .saturating_add(key.len() as u64)
        .saturating_add(value_bytes as u64)
        .saturating_add(STATE_ENTRY_BYTES)
}
