//! Golden bytes of every encoded type, in both directions. `tests/vectors/messages.json` is the contract: who changes a byte
//! changes it visibly. Run with `PHALA_WRITE_VECTORS=1` to write it anew.

use codec::{Decode, DecodeAll, Encode};
use phala_messages::{
    anchor::{SignedAnchor, results_path, results_root},
    calls::{self, Address, Balances, Call, Programs, Registry, Session, SigningContext, Sudo},
    collateral::Collateral,
    command::seal_info,
    copies::*,
    custody::*,
    moves::{MoveRecord, Moved, SignedMoved, UpgradeRecord},
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
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

#[path = "vectors/computation.rs"]
mod computation;

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
    let query = release::KeyQuery {
        worker: WORKER,
        instance: INSTANCE,
        program: PROGRAM,
        root: RootGeneration(1),
        code: CodeEpoch(2),
        asked: BlockNumber(4_242),
        nonce: [7; 16],
    };
    vectors.value("key-query", &query);
    vectors.bytes("key-query/signing-hash", query.signing_hash(&GENESIS, &INSTANCE));
    let delivery = release::Delivery {
        worker: WORKER,
        instance: INSTANCE,
        program: PROGRAM,
        root: RootGeneration(1),
        code: CodeEpoch(2),
        epoch: EpochNumber(3),
        block: BlockNumber(4_242),
        query: Hash([0xa8; 32]),
    };
    vectors.value("delivery", &delivery);
    vectors.bytes("delivery/hash", delivery.hash());
}

const GATEKEEPER: WorkerId = WorkerId([0xa1; 32]);
const PARTICIPANT: ParticipantKey = ParticipantKey([0xa2; 32]);
const ROUND: RoundNumber = RoundNumber(12);
const GROUP: GroupKey = GroupKey([0xa3; GROUP_POINT_BYTES]);

fn signed<M>(message: M) -> Signed<M> {
    Signed { message, signature: SIGNATURE }
}

fn candidacy() -> Candidacy {
    Candidacy { gatekeeper: GATEKEEPER, participant: PARTICIPANT, account: ALICE }
}

fn commitment() -> LogCommitment {
    LogCommitment { round: ROUND, dealer: GATEKEEPER, log_hash: Hash([0xa4; 32]), revealed: 1 }
}

fn confirmation() -> Confirmation {
    Confirmation { round: ROUND, player: GATEKEEPER, logs: 0b1011 }
}

fn polynomial() -> Polynomial {
    [[0xa3; GROUP_POINT_BYTES], [0xa5; GROUP_POINT_BYTES]].concat().try_into().unwrap()
}

fn report() -> OutputReport {
    OutputReport {
        round: ROUND,
        player: GATEKEEPER,
        output_hash: Hash([0xa6; 32]),
        group_key: GROUP,
        polynomial: polynomial(),
    }
}

fn complaint() -> Complaint {
    let evidence = vec![1, 2, 3].try_into().unwrap();
    Complaint { round: ROUND, dealer: GATEKEEPER, by: WORKER, evidence }
}

fn batch() -> DeliveryBatch {
    DeliveryBatch {
        gatekeeper: GATEKEEPER,
        sequence: 4,
        root: Hash([0xa7; 32]),
        count: 17,
        first: BlockNumber(4_200),
        last: BlockNumber(4_242),
    }
}

fn said<M: CustodyMessage + Clone + Decode + PartialEq + Debug>(vectors: &mut Vectors, name: &str, message: M) {
    vectors.value(&format!("custody/{name}"), &message);
    vectors.bytes(&format!("custody/{name}/signing-hash"), message.signing_hash(&GENESIS));
    vectors.value(&format!("custody/signed-{name}"), &signed(message));
}

fn custody(vectors: &mut Vectors) {
    said(vectors, "candidacy", candidacy());
    said(vectors, "log-commitment", commitment());
    said(vectors, "confirmation", confirmation());
    said(vectors, "output-report", report());
    said(vectors, "complaint", complaint());
    said(vectors, "delivery-batch", batch());
    vectors.bytes("custody/output-report/output-id", report().output_id());
    let head = DeliveryHead::default().after(&batch());
    vectors.value("custody/delivery-head", &head);
    vectors.value("custody/delivery-head/next", &head.after(&batch()));
    vectors.value("custody/parameters", &Parameters::DEFAULT);
    custody_records(vectors);
}

fn custody_records(vectors: &mut Vectors) {
    let member = Member { gatekeeper: GATEKEEPER, participant: PARTICIPANT };
    vectors.value("custody/member", &member);
    let members: Members = vec![member].try_into().unwrap();
    for purpose in [Purpose::Generate, Purpose::Reshare] {
        vectors.value(&format!("custody/purpose/{purpose:?}"), &purpose);
    }
    for reason in [Abandonment::FewLogs, Abandonment::FewConfirmed, Abandonment::Disagreement, Abandonment::RootClosed]
    {
        vectors.value(&format!("custody/phase/{reason:?}"), &Phase::Abandoned(reason));
    }
    for phase in [Phase::Dealing, Phase::Confirming, Phase::Reporting, Phase::Finished(EpochNumber(3))] {
        vectors.value(&format!("custody/phase/{phase:?}"), &phase);
    }
    let round = RoundRecord {
        number: ROUND,
        purpose: Purpose::Reshare,
        root: RootGeneration(1),
        previous: Some(EpochNumber(2)),
        dealers: members.clone(),
        players: members.clone(),
        threshold: 1,
        logs_required: 1,
        phase: Phase::Reporting,
        deadline: BlockNumber(4_260),
        opened: BlockNumber(4_230),
        confirmed: 1,
        selected: 1,
        reported: 0,
        complained: 0,
    };
    vectors.value("custody/round-record", &round);
    let log = LogRecord { hash: Hash([0xa4; 32]), revealed: 1, confirmed_by: 0b101 };
    let logs: RoundLogs = vec![Some(log), None].try_into().unwrap();
    vectors.value("custody/round-logs", &logs);
    let output =
        OutputRecord { output_hash: Hash([0xa6; 32]), group_key: GROUP, polynomial: polynomial(), reported_by: 0b11 };
    vectors.value("custody/output-record", &output);
    let epoch = EpochRecord {
        epoch: EpochNumber(3),
        round: ROUND,
        root: RootGeneration(1),
        threshold: 1,
        members,
        group_key: GROUP,
        polynomial: polynomial(),
        output_hash: Hash([0xa6; 32]),
        since: BlockNumber(4_242),
    };
    vectors.value("custody/epoch-record", &epoch);
    for status in [RootStatus::Open, RootStatus::Closing, RootStatus::Closed] {
        let epoch = EpochNumber(3);
        let root = RootRecord { status, group_key: GROUP, epoch, programs: 5, opened: BlockNumber(17) };
        vectors.value(&format!("custody/root-record/{status:?}"), &root);
    }
    let candidate = CandidateRecord {
        gatekeeper: GATEKEEPER,
        participant: PARTICIPANT,
        bond: Planck(1_000),
        approved: true,
        leaving: Some(BlockNumber(5)),
        left: None,
    };
    vectors.value("custody/candidate-record", &candidate);
    let Complaint { round, dealer, by, evidence } = complaint();
    let (evidence_hash, block) = (sha256(&evidence), BlockNumber(4_242));
    for fault in [
        DealerFault::CommitmentMalformed,
        DealerFault::WrongDegree,
        DealerFault::OtherKeyShare,
        DealerFault::WrongShare,
        DealerFault::Contradiction,
    ] {
        vectors.value(&format!("custody/dealer-fault/{fault:?}"), &fault);
    }
    let fault = DealerFault::WrongShare;
    let record = ComplaintRecord { round, dealer, by, evidence_hash, evidence, fault, block };
    vectors.value("custody/complaint-record", &record);
}

fn custody_calls() -> Vec<(&'static str, Call)> {
    use calls::Custody as C;
    [
        ("bond", C::Bond { gatekeeper: GATEKEEPER, participant: PARTICIPANT, consent: SIGNATURE }),
        ("unbond", C::Unbond),
        ("withdraw-bond", C::WithdrawBond),
        ("approve", C::Approve { account: ALICE }),
        ("expel", C::Expel { account: ALICE }),
        ("set-parameters", C::SetParameters { parameters: Parameters::DEFAULT }),
        ("rotate-root", C::RotateRoot),
        ("close-root", C::CloseRoot { root: RootGeneration(1) }),
        ("commit-log", C::CommitLog { commitment: signed(commitment()) }),
        ("confirm", C::Confirm { confirmation: signed(confirmation()) }),
        ("report-output", C::ReportOutput { report: Box::new(signed(report())) }),
        ("complain", C::Complain { complaint: Box::new(signed(complaint())) }),
        ("log-deliveries", C::LogDeliveries { batch: signed(batch()) }),
    ]
    .into_iter()
    .map(|(name, call)| (name, Call::Custody(Box::new(call))))
    .collect()
}

fn releases(vectors: &mut Vectors) {
    let query = KeyQuery {
        worker: WORKER,
        instance: INSTANCE,
        program: PROGRAM,
        root: RootGeneration(1),
        code: CodeEpoch(2),
        asked: BlockNumber(4_241),
        nonce: [0xb1; 16],
    };
    let hash = query.signing_hash(&GENESIS, &InstanceKey([0xb2; 32]));
    vectors.value("release/key-query", &query);
    vectors.bytes("release/key-query/signing-hash", hash);
    vectors.bytes("release/seal-info", release::seal_info(&hash));
    vectors.value("release/signed-key-query", &SignedKeyQuery { query, signature: SIGNATURE });
    let sealed: SealedPartialKey = vec![0xb3; 104].try_into().unwrap();
    let answer = KeyAnswer { epoch: EpochNumber(3), output: Hash([0xa6; 32]), member: PARTICIPANT, sealed };
    vectors.value("release/key-answer", &answer);
    vectors.value("release/key-reply/answer", &KeyReply::Ok(answer));
    for refusal in ReleaseRefusal::ALL {
        vectors.value(&format!("release/key-reply/{refusal:?}"), &KeyReply::Err(refusal));
    }
    let delivery = Delivery {
        worker: WORKER,
        instance: INSTANCE,
        program: PROGRAM,
        root: RootGeneration(1),
        code: CodeEpoch(2),
        epoch: EpochNumber(3),
        block: BlockNumber(4_242),
        query: hash,
    };
    vectors.value("release/delivery", &delivery);
    vectors.bytes("release/delivery/leaf", delivery.hash());
    let path = vec![Hash([0xb4; 32]), Hash([0xb5; 32])];
    vectors.value("release/delivery-proof", &DeliveryProof { batch: batch(), index: 2, delivery, path });
    for (name, path) in
        [("key", release::KEY_PATH), ("output", release::OUTPUT_PATH), ("delivery", release::DELIVERY_PATH)]
    {
        vectors.bytes(&format!("release/path/{name}"), path);
    }
    vectors.bytes("release/authority", release::GATEKEEPER_AUTHORITY);
}

#[test]
fn a_sealed_part_of_a_key_has_a_limit() {
    use phala_messages::limits::SEALED_PARTIAL_KEY_BYTES_MAX;
    let sized = |length: u32| vec![7u8; length as usize].encode();
    assert!(SealedPartialKey::decode_all(&mut sized(SEALED_PARTIAL_KEY_BYTES_MAX).as_slice()).is_ok());
    assert!(SealedPartialKey::decode_all(&mut sized(SEALED_PARTIAL_KEY_BYTES_MAX + 1).as_slice()).is_err());
}

#[test]
fn a_list_of_members_has_a_limit() {
    use phala_messages::limits::GATEKEEPERS_MAX;
    let member = Member { gatekeeper: GATEKEEPER, participant: PARTICIPANT };
    let sized = |count: u32| vec![member; count as usize].encode();
    assert!(Members::decode_all(&mut sized(GATEKEEPERS_MAX).as_slice()).is_ok());
    assert!(Members::decode_all(&mut sized(GATEKEEPERS_MAX + 1).as_slice()).is_err());
}

const SET: SetNumber = SetNumber(3);

fn custodian() -> Custodian {
    Custodian { sealing: CustodianKey([0xb1; 32]), signing: CustodianKey([0xb2; 32]) }
}

fn backup() -> SeatBackup {
    SeatBackup {
        root: RootGeneration(1),
        epoch: EpochNumber(3),
        place: 2,
        set: SET,
        gatekeeper: GATEKEEPER,
        polynomial: vec![0xb3; 192].try_into().unwrap(),
        pieces: vec![[0xb4; 80]].try_into().unwrap(),
        keepsake: [0xb5; 72],
    }
}

fn objection() -> Objection {
    Objection { root: RootGeneration(1), ceremony: CeremonyNumber(5), gatekeeper: GATEKEEPER }
}

fn taken() -> SeatTaken {
    SeatTaken { root: RootGeneration(1), ceremony: CeremonyNumber(5), place: 2, gatekeeper: GATEKEEPER }
}

fn custodian_call() -> CustodianCall {
    CustodianCall { root: RootGeneration(1), epoch: EpochNumber(3), set: SET, custodian: 1 }
}

fn recovery(vectors: &mut Vectors) {
    said(vectors, "seat-backup", backup());
    said(vectors, "objection", objection());
    said(vectors, "seat-taken", taken());
    vectors.bytes("recovery/piece-info", backup().piece_info(&GENESIS, 1));
    let keepsake_place = SeatBackup::keepsake_place(&GENESIS, RootGeneration(1), EpochNumber(3), 2);
    vectors.bytes("recovery/keepsake-place", keepsake_place);
    vectors.value("recovery/custodian-call", &custodian_call());
    vectors.bytes("recovery/custodian-call/signing-hash", custodian_call().signing_hash(&GENESIS));
    let handover = Handover {
        root: RootGeneration(1),
        ceremony: CeremonyNumber(5),
        epoch: EpochNumber(3),
        place: 2,
        set: SET,
        custodian: 1,
        gatekeeper: GATEKEEPER,
        instance: INSTANCE,
    };
    vectors.bytes("recovery/handover/info", handover.info(&GENESIS));
    let release = PieceRelease { handover, sealed: [0xb6; 80] };
    vectors.value("recovery/piece-release", &release);
    vectors.bytes("recovery/piece-release/signing-hash", release.signing_hash(&GENESIS));
    vectors.value("recovery/signed-piece-release", &signed(release));
    vectors.value("recovery/piece-reply/taken", &PieceReply::Ok(SeatProgress { pieces: 2, required: 3 }));
    vectors.value("recovery/piece-reply/refused", &PieceReply::Err(PieceRefusal::Early));
    let set = CustodianSet { number: SET, threshold: 2, custodians: vec![custodian()].try_into().unwrap() };
    vectors.value("recovery/custodian-set", &set);
    vectors.value("recovery/parameters", &RecoveryParameters::DEFAULT);
    for ground in [Ground::Absent, Ground::Silent] {
        vectors.value(&format!("recovery/ground/{ground:?}"), &ground);
    }
    let binding = Binding { place: 2, gatekeeper: GATEKEEPER, taken: true };
    let ceremony = CeremonyRecord {
        number: CeremonyNumber(5),
        root: RootGeneration(1),
        epoch: EpochNumber(3),
        ground: Ground::Silent,
        announced: BlockNumber(4_200),
        opens: BlockNumber(4_300),
        lapses: BlockNumber(4_400),
        objected: 0b100,
        seats: vec![binding].try_into().unwrap(),
    };
    vectors.value("recovery/ceremony-record", &ceremony);
    use Ending::{Cancelled, Completed, Lapsed, MembersBack, Overtaken};
    for ending in [Completed, MembersBack, Cancelled, Overtaken, Lapsed] {
        let outcome = OutcomeRecord { number: CeremonyNumber(5), ending, block: BlockNumber(4_400), recovered: true };
        vectors.value(&format!("recovery/outcome-record/{ending:?}"), &outcome);
    }
}

fn recovery_calls() -> Vec<(&'static str, Call)> {
    use calls::Recovery as R;
    let root = RootGeneration(1);
    [
        ("appoint", R::Appoint { threshold: 2, custodians: vec![custodian()].try_into().unwrap() }),
        ("set-recovery-parameters", R::SetParameters { parameters: RecoveryParameters::DEFAULT }),
        ("announce", R::Announce { root }),
        ("cancel", R::Cancel { root }),
        ("bind", R::Bind { root, place: 2, gatekeeper: GATEKEEPER }),
        ("store-backup", R::StoreBackup { backup: Box::new(signed(backup())) }),
        ("store-output", R::StoreOutput { root, output: vec![1, 2, 3].try_into().unwrap() }),
        ("call-for", R::CallFor { call: signed(custodian_call()) }),
        ("object", R::Object { objection: signed(objection()) }),
        ("take-seat", R::TakeSeat { taken: signed(taken()) }),
    ]
    .into_iter()
    .map(|(name, call)| (name, Call::Recovery(Box::new(call))))
    .collect()
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
    for (name, call) in all.into_iter().chain(custody_calls()).chain(recovery_calls()).chain(computation::calls()) {
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
