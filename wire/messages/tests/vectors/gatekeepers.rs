//! Custody: rounds, deliveries, releases, recovery.

use super::*;

pub(super) const GATEKEEPER: WorkerId = WorkerId([0xa1; 32]);
pub(super) const PARTICIPANT: ParticipantKey = ParticipantKey([0xa2; 32]);
pub(super) const ROUND: RoundNumber = RoundNumber(12);
pub(super) const GROUP: GroupKey = GroupKey([0xa3; GROUP_POINT_BYTES]);

pub(super) fn signed<M>(message: M) -> Signed<M> {
    Signed { message, signature: SIGNATURE }
}

pub(super) fn candidacy() -> Candidacy {
    Candidacy { gatekeeper: GATEKEEPER, participant: PARTICIPANT, account: ALICE }
}

pub(super) fn commitment() -> LogCommitment {
    LogCommitment { round: ROUND, dealer: GATEKEEPER, log_hash: Hash([0xa4; 32]), revealed: 1 }
}

pub(super) fn confirmation() -> Confirmation {
    Confirmation { round: ROUND, player: GATEKEEPER, logs: 0b1011 }
}

pub(super) fn polynomial() -> Polynomial {
    [[0xa3; GROUP_POINT_BYTES], [0xa5; GROUP_POINT_BYTES]].concat().try_into().unwrap()
}

pub(super) fn report() -> OutputReport {
    OutputReport {
        round: ROUND,
        player: GATEKEEPER,
        output_hash: Hash([0xa6; 32]),
        group_key: GROUP,
        polynomial: polynomial(),
    }
}

pub(super) fn complaint() -> Complaint {
    let evidence = vec![1, 2, 3].try_into().unwrap();
    Complaint { round: ROUND, dealer: GATEKEEPER, by: WORKER, evidence }
}

pub(super) fn batch() -> DeliveryBatch {
    DeliveryBatch {
        gatekeeper: GATEKEEPER,
        sequence: 4,
        root: Hash([0xa7; 32]),
        count: 17,
        first: BlockNumber(4_200),
        last: BlockNumber(4_242),
    }
}

pub(super) fn said<M: CustodyMessage + Clone + Decode + PartialEq + Debug>(
    vectors: &mut Vectors,
    name: &str,
    message: M,
) {
    vectors.value(&format!("custody/{name}"), &message);
    vectors.bytes(&format!("custody/{name}/signing-hash"), message.signing_hash(&GENESIS));
    vectors.value(&format!("custody/signed-{name}"), &signed(message));
}

pub(super) fn custody(vectors: &mut Vectors) {
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

pub(super) fn custody_records(vectors: &mut Vectors) {
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

pub(super) fn custody_calls() -> Vec<(&'static str, Call)> {
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

pub(super) fn releases(vectors: &mut Vectors) {
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

pub(super) const SET: SetNumber = SetNumber(3);

pub(super) fn custodian() -> Custodian {
    Custodian { sealing: CustodianKey([0xb1; 32]), signing: CustodianKey([0xb2; 32]) }
}

pub(super) fn backup() -> SeatBackup {
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

pub(super) fn objection() -> Objection {
    Objection { root: RootGeneration(1), ceremony: CeremonyNumber(5), gatekeeper: GATEKEEPER }
}

pub(super) fn taken() -> SeatTaken {
    SeatTaken { root: RootGeneration(1), ceremony: CeremonyNumber(5), place: 2, gatekeeper: GATEKEEPER }
}

pub(super) fn custodian_call() -> CustodianCall {
    CustodianCall { root: RootGeneration(1), epoch: EpochNumber(3), set: SET, custodian: 1 }
}

pub(super) fn recovery(vectors: &mut Vectors) {
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

pub(super) fn recovery_calls() -> Vec<(&'static str, Call)> {
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
