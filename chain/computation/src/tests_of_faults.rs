//! Faults, proven and not; who pays and who gets it.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use phala_economics::FaultLevel;
use phala_messages::{
    Account, Anchor, AnchorRecord, AnchorRef, Hash, InstanceKey, ProgramId, Receipt, SignedReceipt, StateRoot, Subject,
    anchor::SignedAnchor,
    computation::{FaultProof, ReceiptProof},
    limits::QUERY_MS_MAX,
    receipt::RECEIPT_FORMAT,
};
use phala_units::{BlockNumber, UnixMillis};
use sp_core::{Pair as _, ed25519};

const PROGRAM: ProgramId = ProgramId([0x55; 32]);
/// Owns the program that is harmed.
const HARMED: u8 = 2;
/// Reports.
const WATCHER: u8 = 9;

/// Worker 1 computes with the stake that tests use; the program is anchored at version 7 in block 3.
fn arrange() {
    ask_nobody();
    computing(1, POOL);
    pass(5);
    let anchor = AnchorRecord {
        from: 5,
        version: 7,
        root: StateRoot([7; 32]),
        results: Hash([8; 32]),
        by: None,
        block: BlockNumber(3),
    };
    let owner = Some(Account([HARMED; 32]));
    Hosts::set(PROGRAM, Hosted { anchor: Some(anchor), owner, moved: None });
}

fn anchor(root: u8, results: u8, by: &ed25519::Pair) -> Box<SignedAnchor> {
    let anchor = Anchor {
        program: PROGRAM,
        from: 7,
        to: 9,
        root: StateRoot([root; 32]),
        results: Hash([results; 32]),
        worker: worker(1),
    };
    let signature = by.sign(&anchor.signing_hash(&genesis()).0).0;
    Box::new(SignedAnchor { anchor, signature })
}

fn two_anchors(first: Box<SignedAnchor>, second: Box<SignedAnchor>, by: &ed25519::Pair) -> FaultProof {
    FaultProof::TwoAnchors { first, second, instance: InstanceKey(by.public().0) }
}

fn receipt(block: u32, version: u64, root: u8) -> Receipt {
    Receipt {
        format: RECEIPT_FORMAT,
        genesis: genesis(),
        program: PROGRAM,
        code: Default::default(),
        subject: Subject::Query,
        request: Hash([1; 32]),
        response: Hash([2; 32]),
        anchor: AnchorRef { block: block_ref(block), version, root: StateRoot([root; 32]) },
        worker: worker(1),
        instance: InstanceKey(instance(1).public().0),
        time: Computation::time(),
    }
}

fn sealed(receipt: Receipt) -> ReceiptProof {
    let signature = instance(1).sign(&receipt.signing_hash().0).0;
    ReceiptProof::new(&SignedReceipt { receipt, signature }).unwrap()
}

fn report(proof: FaultProof) -> Call<Test> {
    Call::report_fault { proof: Box::new(proof) }
}

fn fines() -> u128 {
    SimplePools::get(POOL.0).slashed
}

#[test]
fn two_anchors_for_the_same_commands_cost_a_tenth_of_everything_once() {
    run(|| {
        arrange();
        let pair = instance(1);
        let proof = || two_anchors(anchor(1, 1, &pair), anchor(2, 1, &pair), &pair);
        let (harmed, treasury) = (Balances::free_balance(account(HARMED)), Balances::free_balance(Treasury::get()));
        let before = session(1);
        assert_ok!(call(WATCHER, report(proof())));
        assert_eq!(fines(), STAKE / 10);
        assert_eq!(Balances::free_balance(account(HARMED)) - harmed, STAKE / 20, "the harmed first");
        assert_eq!(Balances::free_balance(account(WATCHER)), STAKE / 100, "then the reporter");
        assert_eq!(Balances::free_balance(Treasury::get()) - treasury, STAKE * 4 / 100, "then the treasury");
        let after = session(1);
        assert_eq!(after.stake.0, STAKE * 9 / 10);
        assert!(after.worth.value < before.worth.value && after.worth.initial < before.worth.initial);
        assert_noop!(call(WATCHER, report(proof())), refused_call(Refusal::FaultPunished));
        // Other lies about the same commands are the same fault.
        let again = two_anchors(anchor(1, 1, &pair), anchor(1, 3, &pair), &pair);
        assert_noop!(call(WATCHER, report(again)), refused_call(Refusal::FaultPunished));
        // The end of the session takes nothing for it again.
        assert_ok!(call(OWNER, Call::stop { worker: worker(1) }));
        assert_eq!(Computation::on_its_way(POOL).0, STAKE * 9 / 10);
    });
}

#[test]
fn what_does_not_prove_two_anchors_costs_nobody_anything() {
    run(|| {
        arrange();
        let (pair, stranger) = (instance(1), instance(2));
        let unproven = refused_call(Refusal::FaultUnproven);
        let same = two_anchors(anchor(1, 1, &pair), anchor(1, 1, &pair), &pair);
        assert_noop!(call(WATCHER, report(same)), unproven);
        let forged = two_anchors(anchor(1, 1, &pair), anchor(2, 1, &stranger), &pair);
        assert_noop!(call(WATCHER, report(forged)), unproven);
        let by_stranger = two_anchors(anchor(1, 1, &stranger), anchor(2, 1, &stranger), &stranger);
        assert_noop!(call(WATCHER, report(by_stranger)), refused_call(Refusal::FaultInstance));
        let mut longer = anchor(2, 1, &pair);
        longer.anchor.to = 10;
        longer.signature = pair.sign(&longer.anchor.signing_hash(&genesis()).0).0;
        let other = two_anchors(anchor(1, 1, &pair), longer, &pair);
        assert_noop!(call(WATCHER, report(other)), unproven);
        // A move gives the same commands another root: it must lie before this process.
        let proof = || two_anchors(anchor(1, 1, &pair), anchor(2, 1, &pair), &pair);
        let owner = Some(Account([HARMED; 32]));
        Registered::change(worker(1), |machine| machine.since = BlockNumber(4));
        Hosts::set(PROGRAM, Hosted { anchor: None, owner, moved: Some(BlockNumber(4)) });
        assert_noop!(call(WATCHER, report(proof())), unproven);
        Hosts::set(PROGRAM, Hosted { anchor: None, owner, moved: Some(BlockNumber(3)) });
        assert_ok!(call(WATCHER, report(proof())));
    });
}

#[test]
fn a_process_that_is_over_still_answers_for_what_it_signed() {
    run(|| {
        arrange();
        let pair = instance(1);
        Registered::set(worker(1), &instance(77));
        assert_ok!(call(WATCHER, report(two_anchors(anchor(1, 1, &pair), anchor(2, 1, &pair), &pair))));
        assert_eq!(fines(), STAKE / 10);
    });
}

#[test]
fn two_states_at_one_block_cost_everything_and_the_worker_never_comes_back() {
    run(|| {
        arrange();
        let proof = |first, second| FaultProof::TwoReceipts { first: sealed(first), second: sealed(second) };
        let unproven = refused_call(Refusal::FaultUnproven);
        assert_noop!(call(WATCHER, report(proof(receipt(4, 7, 7), receipt(4, 7, 7)))), unproven);
        assert_noop!(call(WATCHER, report(proof(receipt(4, 7, 7), receipt(5, 8, 8)))), unproven);
        let elsewhere = Receipt { genesis: phala_messages::GenesisHash([9; 32]), ..receipt(4, 7, 6) };
        assert_noop!(call(WATCHER, report(proof(receipt(4, 7, 7), elsewhere))), unproven);
        let garbage = ReceiptProof(vec![1, 2, 3].try_into().unwrap());
        let broken = FaultProof::TwoReceipts { first: sealed(receipt(4, 7, 7)), second: garbage };
        assert_noop!(call(WATCHER, report(broken)), unproven);
        assert_ok!(call(WATCHER, report(proof(receipt(4, 7, 7), receipt(4, 7, 6)))));
        assert_eq!(fines(), STAKE);
        assert!(!Sessions::<Test>::contains_key(worker(1)) && !Work::<Test>::contains_key(worker(1)));
        assert_noop!(
            call(OWNER, bind_call(POOL, 1, OWNER)),
            sp_runtime::DispatchError::from(Error::<Test>::WorkerBanned)
        );
        let more = proof(receipt(5, 7, 7), receipt(5, 7, 6));
        assert_noop!(call(WATCHER, report(more)), refused_call(Refusal::NothingAtStake));
    });
}

#[test]
fn a_receipt_of_a_state_that_the_chain_does_not_have_costs_everything() {
    run(|| {
        arrange();
        let proof = |receipt| report(FaultProof::OtherState { receipt: sealed(receipt) });
        let unproven = refused_call(Refusal::FaultUnproven);
        assert_noop!(call(WATCHER, proof(receipt(4, 7, 7))), unproven);
        assert_noop!(call(WATCHER, proof(receipt(2, 6, 6))), unproven);
        let now = System::block_number();
        assert_noop!(call(WATCHER, proof(receipt(now, 9, 9))), unproven);
        let mut foreign = receipt(4, 7, 6);
        foreign.anchor.block.hash = phala_messages::BlockHash([1; 32]);
        assert_noop!(call(WATCHER, proof(foreign)), unproven);
        // Its stake cools down already: it is not too late.
        assert_ok!(call(OWNER, Call::stop { worker: worker(1) }));
        assert_ok!(call(WATCHER, proof(receipt(4, 6, 6))));
        assert_eq!(fines(), STAKE);
        assert_eq!(Computation::on_its_way(POOL).0, 0);
        // The same lie, proven otherwise.
        let two = FaultProof::TwoReceipts { first: sealed(receipt(4, 6, 6)), second: sealed(receipt(4, 7, 7)) };
        assert!(call(WATCHER, report(two)).is_err());
    });
}

#[test]
fn answering_on_expired_evidence_costs_a_hundredth_for_each_admission_that_ran_out() {
    run(|| {
        arrange();
        let expired = UnixMillis(Computation::time().0 - 1_000);
        let proof = |time| {
            report(FaultProof::ExpiredEvidence {
                receipt: sealed(Receipt { time: UnixMillis(time), ..receipt(4, 7, 7) }),
            })
        };
        let late = expired.0 + u64::from(QUERY_MS_MAX) + 1;
        assert_noop!(call(WATCHER, proof(late)), refused_call(Refusal::FaultUnproven));
        Registered::change(worker(1), |machine| machine.expires_at = expired);
        assert_noop!(call(WATCHER, proof(late - 1)), refused_call(Refusal::FaultUnproven));
        assert_ok!(call(WATCHER, proof(late)));
        assert_eq!(fines(), STAKE / 100);
        assert_noop!(call(WATCHER, proof(late + 5)), refused_call(Refusal::FaultPunished));
        Registered::set(worker(1), &instance(3));
        assert_noop!(call(WATCHER, proof(late)), refused_call(Refusal::FaultInstance));
    });
}

#[test]
fn a_lead_that_was_deposed_for_its_silence_pays_once_a_block_and_only_what_it_has() {
    run(|| {
        arrange();
        Computation::punish_absence(&worker(1));
        Computation::punish_absence(&worker(1));
        assert_eq!(fines(), STAKE / 100);
        Computation::punish_absence(&worker(2));
        next_block();
        Computation::punish_absence(&worker(1));
        assert_eq!(fines(), STAKE / 100 + STAKE * 99 / 10_000);
    });
}

#[test]
fn a_fine_that_nobody_can_be_given_goes_to_the_treasury() {
    run(|| {
        arrange();
        Hosts::set(PROGRAM, Hosted::default());
        let treasury = Balances::free_balance(Treasury::get());
        let fault =
            Proven { id: Hash([1; 32]), worker: worker(1), level: FaultLevel::Minor, harmed: Some(Account([77; 32])) };
        assert_ok!(Computation::punish(fault, None));
        let fine = STAKE / 100;
        assert_eq!(Balances::free_balance(account(77)), fine / 2);
        assert_eq!(Balances::free_balance(Treasury::get()) - treasury, fine / 2);
        let level = FaultLevel::Silence;
        let free = Proven { id: Hash([2; 32]), level, ..fault };
        assert_ok!(Computation::punish(free, Some(account(WATCHER))));
        assert_eq!((fines(), Balances::free_balance(account(WATCHER))), (fine, 0));
    });
}
