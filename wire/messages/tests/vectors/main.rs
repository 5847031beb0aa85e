//! Golden bytes of every encoded type, in both directions. `tests/vectors/messages.json` is the contract: who changes a byte
//! changes it visibly. Run with `PHALA_WRITE_VECTORS=1` to write it anew.

mod computation;
mod credit;
mod gatekeepers;

use codec::{Decode, DecodeAll, Encode};
use gatekeepers::*;
use phala_messages::{
    anchor::{SignedAnchor, results_path, results_root},
    calls::{self, Address, Balances, Call, Programs, Registry, Session, SigningContext, Sudo},
    collateral::Collateral,
    command::seal_info,
    copies::*,
    custody::*,
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
    moves::{MoveRecord, Moved, SignedMoved, UpgradeRecord},
    program::{Ready, SignedReady},
    recovery::*,
    registration::Submission,
    release::{
        self, Delivery, DeliveryProof, KeyAnswer, KeyQuery, KeyReply, ReleaseRefusal, SealedPartialKey, SignedKeyQuery,
    },
    transcript::{Transcript, sha256},
    *,
};
use phala_units::{BlockNumber, Planck, UnixMillis};
use std::{collections::BTreeMap, fmt::Debug, path::PathBuf};

const GENESIS: GenesisHash = GenesisHash([0x11; 32]);
const WORKER: WorkerId = WorkerId([0x22; 32]);
const INSTANCE: InstanceKey = InstanceKey([0x33; 32]);
const TRANSPORT: TransportKey = TransportKey([0x44; 32]);
const PROGRAM: ProgramId = ProgramId([0x55; 32]);
const CODE: CodeHash = CodeHash([0x66; 32]);
const ALICE: Account = Account([0x77; 32]);
const ROOT: StateRoot = StateRoot([0x88; 32]);
const CLUSTER: ClusterId = ClusterId(3);
const SIGNATURE: Signature = [0x99; 64];

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/vectors/messages.json")
}

/// Names and bytes, collected and then held against the file.
struct Vectors {
    golden: BTreeMap<String, String>,
    found: BTreeMap<String, String>,
    writing: bool,
}

impl Vectors {
    fn open() -> Self {
        let writing = std::env::var_os("PHALA_WRITE_VECTORS").is_some();
        let golden = match std::fs::read_to_string(path()) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) if writing => BTreeMap::new(),
            Err(error) => panic!("{}: {error}", path().display()),
        };
        Self { golden, found: BTreeMap::new(), writing }
    }

    /// Bytes that are only written: hashes, keys, payloads.
    fn bytes(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        let text = hex::encode(bytes);
        if !self.writing {
            assert_eq!(self.golden.get(name), Some(&text), "{name}");
        }
        assert!(self.found.insert(name.into(), text).is_none(), "{name} twice");
    }

    /// A value that encodes to the golden bytes, and that they decode to.
    fn value<T: Encode + Decode + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        self.bytes(name, value.encode());
        let golden = if self.writing { &self.found } else { &self.golden };
        let bytes = hex::decode(&golden[name]).unwrap();
        assert_eq!(&T::decode_all(&mut bytes.as_slice()).unwrap(), value, "{name}");
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(T::decode_all(&mut longer.as_slice()).is_err(), "{name} with a byte more");
        assert!(T::decode_all(&mut &bytes[..bytes.len() - 1]).is_err(), "{name} with a byte less");
    }

    fn close(self) {
        if self.writing {
            let text = serde_json::to_string_pretty(&self.found).unwrap();
            std::fs::write(path(), text + "\n").unwrap();
        } else {
            assert!(self.golden.keys().eq(self.found.keys()), "vectors without a test");
        }
    }
}

fn registration() -> Registration {
    let endpoint = b"http://127.0.0.1:8001".to_vec().try_into().unwrap();
    Registration { worker: WORKER, instance: INSTANCE, transport: TRANSPORT, role: Role::Worker, endpoint }
}

fn block() -> BlockRef {
    BlockRef { number: BlockNumber(4_242), hash: BlockHash([0xbb; 32]) }
}

fn attested() -> Attested {
    Attested { tee: Tee::Tdx, root: Root::Development, tcb: TcbStatus::UpToDate, measurement: Hash([0xcc; 32]) }
}

fn manifest() -> Manifest {
    Manifest {
        limits: ProgramLimits::default(),
        outbound_hosts: vec![b"*.example.org:443".to_vec().try_into().unwrap()].try_into().unwrap(),
        reuse: 2,
        canonical_nans: true,
    }
}

fn anchor() -> Anchor {
    Anchor { program: PROGRAM, from: 5, to: 7, root: ROOT, results: Hash([0xdd; 32]), worker: WORKER }
}

fn leaf(index: u64) -> ResultLeaf {
    ResultLeaf { index, caller: ALICE, blind: Hash([0xee; 32]), request: Hash([1; 32]), response: Hash([2; 32]) }
}

fn receipt(subject: Subject) -> Receipt {
    Receipt {
        format: receipt::RECEIPT_FORMAT,
        genesis: GENESIS,
        program: PROGRAM,
        code: CODE,
        subject,
        request: Hash([1; 32]),
        response: Hash([2; 32]),
        anchor: AnchorRef { block: block(), version: 7, root: ROOT },
        worker: WORKER,
        instance: INSTANCE,
        time: UnixMillis(1_700_000_000_123),
    }
}

fn ready() -> SignedReady {
    SignedReady { ready: Ready { program: PROGRAM, transport: TRANSPORT, worker: WORKER }, signature: SIGNATURE }
}

fn submission() -> Submission {
    let quote = vec![4, 0, 2].try_into().unwrap();
    Submission { registration: registration(), block: block(), quote, signature: SIGNATURE }
}

fn collaterals() -> [(&'static str, Collateral); 4] {
    let bytes = |text: &str| text.as_bytes().to_vec().try_into().unwrap();
    let (json, signature) = (bytes("{}"), SIGNATURE);
    [
        ("root-crl", Collateral::RootCrl { crl: bytes("crl") }),
        ("pck-crl", Collateral::PckCrl { crl: bytes("crl"), issuer_chain: bytes("chain") }),
        ("tcb-info", Collateral::TcbInfo { json: bytes("{}"), signature, issuer_chain: bytes("chain") }),
        ("qe-identity", Collateral::QeIdentity { json, signature, issuer_chain: bytes("chain") }),
    ]
}

#[test]
fn every_encoded_type_has_its_golden_bytes() {
    let mut vectors = Vectors::open();
    registering(&mut vectors);
    programs(&mut vectors);
    commands_and_anchors(&mut vectors);
    moves(&mut vectors);
    custody(&mut vectors);
    releases(&mut vectors);
    recovery(&mut vectors);
    computation::values(&mut vectors);
    computation::storage_keys(&mut vectors);
    credit::values(&mut vectors);
    credit::storage_keys(&mut vectors);
    receipts(&mut vectors);
    calls(&mut vectors);
    storage_keys(&mut vectors);
    transcripts(&mut vectors);
    vectors.close();
}

fn registering(vectors: &mut Vectors) {
    vectors.value("registration", &registration());
    vectors.bytes("registration/report-data", registration().report_data(&block().hash, &GENESIS));
    vectors.bytes("registration/signing-hash", registration().signing_hash(&block().hash, &GENESIS, &[4, 0, 2]));
    vectors.value("submission", &submission());
    vectors.value("attested", &attested());
    for role in Role::ALL {
        vectors.value(&format!("role/{role:?}"), &role);
    }
    for tee in [Tee::Sgx, Tee::Tdx] {
        vectors.value(&format!("tee/{tee:?}"), &tee);
    }
    for root in [Root::Intel, Root::Development] {
        vectors.value(&format!("root/{root:?}"), &root);
    }
    for tcb in [
        TcbStatus::UpToDate,
        TcbStatus::SWHardeningNeeded,
        TcbStatus::ConfigurationNeeded,
        TcbStatus::ConfigurationAndSWHardeningNeeded,
        TcbStatus::OutOfDate,
        TcbStatus::OutOfDateConfigurationNeeded,
        TcbStatus::Revoked,
    ] {
        vectors.value(&format!("tcb-status/{tcb}"), &tcb);
    }
    let record = WorkerRecord {
        registration: registration(),
        attested: attested(),
        admitted_block: BlockNumber(4_243),
        admitted_at: UnixMillis(1_700_000_000_000),
        expires_at: UnixMillis(1_700_003_600_000),
    };
    vectors.value("worker-record", &record);
    vectors.value("block-ref", &block());
    vectors.value("pool-id", &PoolId(7));
    for (name, collateral) in collaterals() {
        vectors.value(&format!("collateral/{name}"), &collateral);
    }
}

fn programs(vectors: &mut Vectors) {
    vectors.bytes("program-id/derived", ProgramId::derive(&ALICE, 9));
    vectors.value("manifest", &manifest());
    vectors.value("manifest/default", &Manifest::default());
    vectors.value("program-limits", &ProgramLimits::default());
    let record = ProgramRecord {
        owner: ALICE,
        name: b"classifier".to_vec().try_into().unwrap(),
        cluster: CLUSTER,
        slot: 1,
        code: CODE,
        code_bytes: 1_000,
        manifest: manifest(),
        status: ProgramStatus::Live,
        transport: Some(TRANSPORT),
        deployed: BlockNumber(17),
        commands: 8,
    };
    vectors.value("program-record", &record);
    let deploying = ProgramRecord { status: ProgramStatus::Deploying, transport: None, commands: 0, ..record };
    vectors.value("program-record/deploying", &deploying);
    let cluster = ClusterRecord { owner: ALICE, workers: vec![WORKER].try_into().unwrap(), slots: 2, activity: 40 };
    vectors.value("cluster-record", &cluster);
    vectors.value("ready", &ready().ready);
    vectors.bytes("ready/signing-hash", ready().ready.signing_hash(&GENESIS));
    vectors.value("signed-ready", &ready());
    for step in [LeadStep::Doubt, LeadStep::Show, LeadStep::Take] {
        vectors.value(&format!("lead-message/{step:?}"), &LeadMessage { step, ..lead().message });
    }
    vectors.bytes("lead-message/signing-hash", lead().message.signing_hash(&GENESIS));
    vectors.value("signed-lead-message", &lead());
    let record = LeadRecord { term: 6, shown: BlockNumber(4_200), doubted: Some(BlockNumber(4_240)) };
    vectors.value("lead-record", &record);
    vectors.value("lead-record/trusted", &LeadRecord { doubted: None, ..record });
    copies(vectors);
}

fn lead() -> SignedLeadMessage {
    let message =
        LeadMessage { cluster: CLUSTER, term: 6, newest: BlockNumber(4_240), step: LeadStep::Take, worker: WORKER };
    SignedLeadMessage { message, signature: SIGNATURE }
}

fn copies(vectors: &mut Vectors) {
    let (program, after) = (PROGRAM, Hash([0xe1; 32]));
    let piece = |change| CopySay::Piece {
        program,
        change,
        after,
        total: 5,
        offset: 2,
        bytes: vec![1, 2, 3].try_into().unwrap(),
    };
    let says = [
        ("greet", CopySay::Greet),
        ("where", CopySay::Where { program }),
        ("give", CopySay::Give { program }),
        ("batch", piece(CopyChange::Batch { before: Hash([0xe2; 32]) })),
        ("whole", piece(CopyChange::Whole)),
    ];
    for (name, say) in says {
        let message = CopyMessage { from: WORKER, number: 77, say };
        vectors.value(&format!("copy/{name}"), &message);
        vectors.bytes(&format!("copy/{name}/signing-hash"), message.signing_hash(&GENESIS, &INSTANCE));
        let signed = SignedCopyMessage { message, signature: SIGNATURE };
        vectors.value(&format!("signed-copy/{name}"), &signed);
    }
    let state = CopyState { to: Hash([0xe3; 32]), mark: after };
    vectors.value("copy-state", &state);
    vectors.bytes("copy-state/signing-hash", state.signing_hash(&GENESIS));
    let state = SignedCopyState { state, signature: SIGNATURE };
    vectors.value("signed-copy-state", &state);
    vectors.value("copy-reply/state", &CopyReply::Ok(state));
    vectors.value("copy-reply/refusal", &CopyReply::Err(CopyRefusal::Gap));
    vectors.bytes("copy/mark-after", mark_after(&after, &Hash([0xe4; 32])).0);
    vectors.bytes("copy/mark-of-whole", mark_of_whole(&Hash([0xe4; 32])).0);
    vectors.bytes("copy/code-path", copies::code_path(&CODE));
}

fn commands_and_anchors(vectors: &mut Vectors) {
    let command = CommandRecord {
        caller: ALICE,
        block: BlockNumber(4_240),
        time: UnixMillis(1_700_000_000_000),
        deposit: Planck(1_000_000),
        sealed: vec![1, 2, 3].try_into().unwrap(),
    };
    vectors.value("command-record", &command);
    vectors.bytes("command/seal-info", seal_info(&GENESIS, &PROGRAM, &ALICE));
    vectors.value("anchor", &anchor());
    vectors.bytes("anchor/signing-hash", anchor().signing_hash(&GENESIS));
    vectors.value("signed-anchor", &SignedAnchor { anchor: anchor(), signature: SIGNATURE });
    let record = AnchorRecord {
        from: 5,
        version: 7,
        root: ROOT,
        results: Hash([0xdd; 32]),
        by: Some((WORKER, INSTANCE)),
        block: BlockNumber(4_241),
    };
    vectors.value("anchor-record", &record);
    let first =
        AnchorRecord { from: 0, version: 0, root: StateRoot::default(), results: Hash::default(), by: None, ..record };
    vectors.value("anchor-record/first", &first);
    vectors.value("result-leaf", &leaf(5));
    vectors.bytes("result-leaf/hash", leaf(5).hash());
    let leaves: Vec<_> = (0..5).map(|index| leaf(index).hash()).collect();
    for count in [0, 1, 2, 3, 5] {
        vectors.bytes(&format!("results-root/{count}"), results_root(&leaves[..count]));
    }
    vectors.value("results-path/2-of-5", &results_path(&leaves, 2).unwrap());
}

fn moved() -> SignedMoved {
    let to = KeyName { root: Some(RootGeneration(1)), code: CodeEpoch(2) };
    let moved = Moved { program: PROGRAM, to, transport: TRANSPORT, version: 7, root: ROOT, worker: WORKER };
    SignedMoved { moved, signature: SIGNATURE }
}

fn moves(vectors: &mut Vectors) {
    vectors.value("moved", &moved().moved);
    vectors.bytes("moved/signing-hash", moved().moved.signing_hash(&GENESIS));
    vectors.value("signed-moved", &moved());
    for keep in [Keep::Nothing, Keep::State, Keep::StateAndKeys] {
        vectors.value(&format!("keep/{keep:?}"), &keep);
    }
    let upgrade = UpgradeRecord {
        epoch: CodeEpoch(2),
        code: CODE,
        code_bytes: 1_000,
        manifest: manifest(),
        keep: Keep::State,
        commands: 9,
        ordered: BlockNumber(4_242),
    };
    let last = MoveRecord {
        from: KeyName { root: None, code: CodeEpoch(0) },
        to: KeyName { root: Some(RootGeneration(1)), code: CodeEpoch(0) },
        code: CODE,
        keep: Keep::StateAndKeys,
        version: 7,
        commands: 8,
        block: BlockNumber(4_240),
    };
    let record =
        KeyRecord { epoch: CodeEpoch(0), newest: CodeEpoch(2), upgrade: Some(upgrade.clone()), moved: Some(last) };
    vectors.value("upgrade-record", &upgrade);
    vectors.value("move-record", &last);
    vectors.value("key-record", &record);
    vectors.value("key-record/default", &KeyRecord::default());
}

fn receipts(vectors: &mut Vectors) {
    let proof = CommandProof { index: 6, caller: ALICE, blind: Hash([0xee; 32]), path: vec![leaf(5).hash()] };
    for (name, subject) in [("query", Subject::Query), ("command", Subject::Command(proof))] {
        let receipt = receipt(subject);
        vectors.value(&format!("receipt/{name}"), &receipt);
        vectors.bytes(&format!("receipt/{name}/signing-hash"), receipt.signing_hash());
        let signed = SignedReceipt { receipt, signature: SIGNATURE };
        vectors.value(&format!("signed-receipt/{name}"), &signed);
        assert_eq!(SignedReceipt::parse(&signed.encode()), Ok(signed));
    }
}

fn calls(vectors: &mut Vectors) {
    let sealed = vec![1, 2, 3].try_into().unwrap();
    let collateral = Box::new(collaterals()[0].1.clone());
    let all = [
        ("transfer", Call::Balances(Balances::TransferKeepAlive { to: Address::Id(ALICE), amount: 1_500_000_000_000 })),
        ("set-keys", Call::Session(Session::SetKeys { keys: [[1; 32], [2; 32]], proof: vec![] })),
        (
            "sudo",
            Call::Sudo(Sudo::Sudo {
                call: Box::new(Call::Registry(Registry::AllowMeasurement {
                    role: Role::Worker,
                    measurement: Hash([0xcc; 32]),
                })),
            }),
        ),
        ("register", Call::Registry(Registry::Register { submission: Box::new(submission()) })),
        ("store-collateral", Call::Registry(Registry::StoreCollateral { collateral })),
        (
            "allow-measurement",
            Call::Registry(Registry::AllowMeasurement { role: Role::Worker, measurement: Hash([0xcc; 32]) }),
        ),
        (
            "disallow-measurement",
            Call::Registry(Registry::DisallowMeasurement { role: Role::Gatekeeper, measurement: Hash([0xcc; 32]) }),
        ),
        ("create-cluster", Call::Programs(Programs::CreateCluster)),
        ("assign-worker", Call::Programs(Programs::AssignWorker { cluster: CLUSTER, worker: WORKER })),
        ("unassign-worker", Call::Programs(Programs::UnassignWorker { worker: WORKER })),
        (
            "deploy",
            Call::Programs(Programs::Deploy {
                cluster: CLUSTER,
                name: b"classifier".to_vec().try_into().unwrap(),
                code: CODE,
                code_bytes: 1_000,
                manifest: manifest(),
            }),
        ),
        ("remove", Call::Programs(Programs::Remove { program: PROGRAM })),
        ("command", Call::Programs(Programs::Command { program: PROGRAM, sealed })),
        ("ready", Call::Programs(Programs::Ready { ready: ready() })),
        ("lead", Call::Programs(Programs::Lead { lead: lead() })),
        (
            "anchor",
            Call::Programs(Programs::Anchor { anchor: SignedAnchor { anchor: anchor(), signature: SIGNATURE } }),
        ),
        (
            "upgrade",
            Call::Programs(Programs::Upgrade {
                program: PROGRAM,
                code: CODE,
                code_bytes: 1_000,
                manifest: Some(manifest()),
                keep: Keep::StateAndKeys,
            }),
        ),
        ("moved", Call::Programs(Programs::Moved { moved: moved() })),
    ];
    let context = SigningContext { genesis: GENESIS, spec_version: 100, transaction_version: 1, nonce: 70 };
    for (name, call) in all
        .into_iter()
        .chain(custody_calls())
        .chain(recovery_calls())
        .chain(computation::calls())
        .chain(credit::calls())
    {
        vectors.bytes(&format!("call/{name}"), call.encode());
        vectors.bytes(&format!("call/{name}/authorized"), call.authorized());
        vectors.bytes(&format!("call/{name}/signing-payload"), call.signing_payload(&context));
        vectors.bytes(&format!("call/{name}/signed"), call.signed(&ALICE, &SIGNATURE, 70));
    }
}

fn storage_keys(vectors: &mut Vectors) {
    for (name, key) in [
        ("timestamp-now", storage::timestamp_now()),
        ("grandpa-authorities", storage::grandpa_authorities()),
        ("worker", storage::worker(&WORKER)),
        ("assignment", storage::assignment(&WORKER)),
        ("cluster", storage::cluster(CLUSTER)),
        ("lead", storage::lead(CLUSTER)),
        ("cluster-program", storage::cluster_program(CLUSTER, 1)),
        ("program", storage::program(&PROGRAM)),
        ("anchor", storage::anchor(&PROGRAM)),
        ("command", storage::command(&PROGRAM, 6)),
        ("key-record", storage::key_record(&PROGRAM)),
        ("account", storage::account(&ALICE)),
        ("custody-parameters", storage::custody_parameters()),
        ("candidate", storage::candidate(&ALICE)),
        ("gatekeeper-account", storage::gatekeeper_account(&GATEKEEPER)),
        ("newest-round", storage::newest_round()),
        ("round", storage::round(ROUND)),
        ("round-logs", storage::round_logs(ROUND)),
        ("round-output", storage::round_output(ROUND, &report().output_id())),
        ("complaint", storage::complaint(ROUND, 2)),
        ("open-root", storage::open_root()),
        ("root", storage::root(RootGeneration(1))),
        ("epoch", storage::epoch(EpochNumber(3))),
        ("program-root", storage::program_root(&PROGRAM)),
        ("delivery-head", storage::delivery_head(&GATEKEEPER)),
        ("delivery", storage::delivery(&GATEKEEPER, 4)),
        ("recovery-parameters", storage::recovery_parameters()),
        ("custodians", storage::custodians()),
        ("custodian-set", storage::custodian_set(SET)),
        ("seat-backup", storage::seat_backup(RootGeneration(1), 2)),
        ("output-epoch", storage::output_epoch(RootGeneration(1))),
        ("epoch-output", storage::epoch_output(RootGeneration(1))),
        ("active-ceremonies", storage::active_ceremonies()),
        ("ceremony", storage::ceremony(RootGeneration(1))),
        ("ceremony-outcome", storage::ceremony_outcome(RootGeneration(1))),
    ] {
        vectors.bytes(&format!("storage/{name}"), key);
    }
}

fn transcripts(vectors: &mut Vectors) {
    vectors.bytes("sha256/abc", sha256(b"abc"));
    let headers = [("content-type", &b"text/plain"[..]), ("x-a", &b""[..])];
    let mut request = Transcript::request("POST", "https", "program", "/path?query=1", headers);
    vectors.bytes("transcript/request/empty", request.clone().finish());
    request.body(b"hello");
    vectors.bytes("transcript/request/hello", request.finish());
    let mut response = Transcript::response(200, headers);
    vectors.bytes("transcript/response/empty", response.clone().finish());
    response.body(b"hello");
    vectors.bytes("transcript/response/hello", response.finish());
    vectors.bytes("transcript/response/bare", Transcript::response(404, []).finish());
}
