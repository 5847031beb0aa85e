//! Receipts: believed when everything holds, refused with its reason when one thing does not.

mod common;
#[path = "common/world.rs"]
mod world;

use codec::Encode;
use common::{Chain, Node, authority_list};
use phala_follow::{
    ChainProof, Checkpoint, FollowError, Follower, ProveError, ReceiptBundle, Refusal, Trust,
    handover::HandOver,
    header::hash_of,
    prove,
    receipt::{CHAIN_PROOF_BYTES_MAX, Finality, HAND_OVERS_MAX, PATH_HEADERS_MAX, Start, storage_keys},
    verify_receipt,
};
use phala_messages::{Account, ClusterId, CodeHash, GenesisHash, Hash, Receipt, SignedReceipt, StateRoot, Subject};
use phala_units::UnixMillis;
use proptest::prelude::*;
use world::{BLOCK, FROM, Records, VERSION, command, query, sign};

fn code(result: Result<impl Sized, Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code(), |_| "valid")
}

/// A chain, a query's receipt, and its bundle from genesis.
async fn good() -> (Chain, ReceiptBundle, Trust) {
    let chain = world::chain(&Records::default());
    let trust = Trust::Genesis(chain.genesis());
    let receipt = sign(query(chain.blocks[BLOCK as usize].reference(), &chain));
    let bundle = world::bundle(&chain, receipt, &trust).await;
    (chain, bundle, trust)
}

/// A follower's checkpoint at a height.
async fn checkpoint_at(chain: &Chain, height: u32) -> Checkpoint {
    let mut node = Node::new(chain.clone());
    node.chain.cut(height);
    let mut follower = Follower::from_genesis(chain.genesis(), &node).await.unwrap();
    while follower.advance(&node).await.unwrap() {}
    assert_eq!(follower.head().number.0, height);
    follower.checkpoint()
}

/// The proof with the storage of another receipt's keys, or another chain's.
fn proof_with_storage(chain: &Chain, proof: &ChainProof, receipt: &Receipt) -> ChainProof {
    let block = &chain.blocks[receipt.anchor.block.number.0 as usize];
    ChainProof { storage: chain.read_proof(block, &storage_keys(receipt)), ..proof.clone() }
}

/// What a changed receipt, signed again, comes to on the good chain.
async fn changed(change: impl FnOnce(&mut Receipt)) -> &'static str {
    let (chain, bundle, trust) = good().await;
    let mut receipt = bundle.receipt.receipt.clone();
    change(&mut receipt);
    let proof = proof_with_storage(&chain, &bundle.proof, &receipt);
    code(verify_receipt(&ReceiptBundle { receipt: sign(receipt), proof }, &trust))
}

/// What a receipt comes to on a chain with other records.
async fn on(change: impl FnOnce(&mut Records)) -> &'static str {
    let mut records = Records::default();
    change(&mut records);
    let chain = world::chain(&records);
    let receipt = sign(query(chain.blocks[BLOCK as usize].reference(), &chain));
    match prove(&receipt, &Trust::Genesis(chain.genesis()), &Node::new(chain.clone())).await {
        Ok(_) => "valid",
        Err(ProveError::Refused(refusal)) => refusal.code(),
        Err(ProveError::Follow(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_query_is_verified_from_its_file_and_the_genesis_hash() {
    let (chain, bundle, trust) = good().await;
    let bundle = ReceiptBundle::parse_json(&bundle.to_json()).unwrap();
    let verified = verify_receipt(&bundle, &trust).unwrap();
    assert_eq!(verified.receipt, bundle.receipt.receipt);
    assert_eq!(verified.block_time, UnixMillis(Chain::time_ms(BLOCK)));
    assert_eq!((verified.program_name().as_str(), verified.owner), ("classifier", world::owner()));
    let json = verified.to_json();
    assert_eq!(json["valid"], true);
    assert_eq!(json["tee"], "simulated-tdx");
    assert_eq!(json["tcb_status"], "UpToDate");
    assert_eq!(json["height"], BLOCK);
    assert_eq!(json["version"], VERSION);
    assert!(matches!(&bundle.proof.finality, Finality::Justified { headers, .. } if headers.len() == 3));
    assert_eq!(bundle.proof.hand_overs.len(), chain.sets.len() - 1);
}

#[tokio::test]
async fn every_command_of_an_anchor_is_verified() {
    let chain = world::chain(&Records::default());
    let trust = Trust::Genesis(chain.genesis());
    let block = chain.blocks[BLOCK as usize].reference();
    for index in FROM..VERSION {
        let bundle = world::bundle(&chain, sign(command(block, &chain, index)), &trust).await;
        let verified = verify_receipt(&bundle, &trust).unwrap();
        assert_eq!(verified.to_json()["subject"], "command");
    }
}

#[tokio::test]
async fn a_receipt_is_verified_at_every_block_that_has_its_records() {
    let chain = world::chain(&Records::default());
    let trust = Trust::Genesis(chain.genesis());
    for height in 11..chain.blocks.len() {
        let block = chain.blocks[height].reference();
        let bundle = world::bundle(&chain, sign(query(block, &chain)), &trust).await;
        assert_eq!(code(verify_receipt(&bundle, &trust)), "valid", "{height}");
    }
}

#[tokio::test]
async fn a_checkpoint_does_for_genesis() {
    let (chain, from_genesis, _) = good().await;
    for height in [4, 5, 7, 9, 10, 12, 13] {
        let trust = Trust::Checkpoint(checkpoint_at(&chain, height).await);
        let bundle = world::bundle(&chain, from_genesis.receipt.clone(), &trust).await;
        assert!(matches!(bundle.proof.start, Start::Checkpoint(_)));
        assert_eq!(code(verify_receipt(&bundle, &trust)), "valid", "{height}");
        assert_eq!(code(verify_receipt(&from_genesis, &trust)), "valid", "{height}");
        let genesis = Trust::Genesis(chain.genesis());
        assert_eq!(code(verify_receipt(&bundle, &genesis)), "other-start", "{height}");
    }
}

#[tokio::test]
async fn a_receipt_of_the_checkpoint_itself_needs_no_justification() {
    let chain = world::chain(&Records::default());
    let trust = Trust::Checkpoint(checkpoint_at(&chain, 12).await);
    let receipt = sign(query(chain.blocks[12].reference(), &chain));
    let bundle = world::bundle(&chain, receipt.clone(), &trust).await;
    assert_eq!(bundle.proof.finality, Finality::Reached);
    let from_genesis = world::bundle(&chain, receipt, &Trust::Genesis(chain.genesis())).await;
    assert_eq!(code(verify_receipt(&from_genesis, &trust)), "valid");
    let other = Checkpoint { hash: Hash([1; 32]).0.into(), ..checkpoint_at(&chain, 12).await };
    assert_eq!(code(verify_receipt(&from_genesis, &Trust::Checkpoint(other))), "checkpoint-differs");
}

#[tokio::test]
async fn another_checkpoint_is_refused() {
    let (chain, bundle, _) = good().await;
    let later = Trust::Checkpoint(checkpoint_at(&chain, 15 + 1).await);
    assert_eq!(code(verify_receipt(&bundle, &later)), "older-than-checkpoint");
    let there = checkpoint_at(&chain, 7).await;
    let mut strangers = there.clone();
    strangers.authorities = vec![([9; 32], 1)];
    assert_eq!(code(verify_receipt(&bundle, &Trust::Checkpoint(strangers))), "checkpoint-differs");
    let at_hand_over = Checkpoint { hash: Hash([1; 32]).0.into(), ..checkpoint_at(&chain, 5).await };
    assert_eq!(code(verify_receipt(&bundle, &Trust::Checkpoint(at_hand_over))), "checkpoint-differs");
    let from_there = world::bundle(&chain, bundle.receipt.clone(), &Trust::Checkpoint(there.clone())).await;
    let elsewhere = Trust::Checkpoint(checkpoint_at(&chain, 8).await);
    assert_eq!(code(verify_receipt(&from_there, &elsewhere)), "other-start");
    let foreign = Checkpoint { genesis: GenesisHash([1; 32]), ..there };
    assert_eq!(code(verify_receipt(&from_there, &Trust::Checkpoint(foreign))), "wrong-genesis");
}

#[tokio::test]
async fn another_network_is_refused() {
    let (chain, bundle, trust) = good().await;
    let other = Chain::new(1, &[1, 2, 3, 4]);
    assert_eq!(code(verify_receipt(&bundle, &Trust::Genesis(other.genesis()))), "wrong-genesis");
    let mut start = bundle.clone();
    let nodes = other.read_proof(&other.blocks[0], &[phala_messages::storage::grandpa_authorities()]);
    start.proof.start = Start::Genesis { header: other.blocks[0].header.clone(), authorities: nodes.clone() };
    assert_eq!(code(verify_receipt(&start, &trust)), "wrong-genesis");
    start.proof.start = Start::Genesis { header: chain.blocks[0].header.clone(), authorities: nodes };
    assert_eq!(code(verify_receipt(&start, &trust)), "genesis-authorities");
}

#[tokio::test]
async fn only_the_named_instance_signs() {
    let (_, mut bundle, trust) = good().await;
    bundle.receipt = world::sign_by(bundle.receipt.receipt.clone(), 0x34);
    assert_eq!(code(verify_receipt(&bundle, &trust)), "signature");
}

#[tokio::test]
async fn a_broken_chain_of_hand_overs_is_refused() {
    let (chain, good, trust) = good().await;
    let with = |hand_overs: Vec<HandOver>| {
        let bundle = ReceiptBundle { proof: ChainProof { hand_overs, ..good.proof.clone() }, ..good.clone() };
        code(verify_receipt(&bundle, &trust))
    };
    let of = |block: &common::Block| HandOver {
        header: block.header.clone(),
        justification: block.justification.clone().unwrap_or_default(),
    };
    let [first, second] = good.proof.hand_overs.clone().try_into().unwrap();
    assert_eq!(with(vec![first.clone(), second.clone()]), "valid");
    assert_eq!(with(vec![second.clone()]), "hand-over");
    assert_eq!(with(vec![second.clone(), first.clone()]), "hand-over");
    assert_eq!(with(vec![first.clone()]), "justification");
    assert_eq!(with(vec![]), "justification");
    assert_eq!(with(vec![first.clone(), of(&chain.blocks[7]), second.clone()]), "hand-over");
    let swapped = HandOver { justification: second.justification.clone(), ..first.clone() };
    assert_eq!(with(vec![swapped, second.clone()]), "hand-over");
    let mut forged = first.clone();
    forged.header.digest.logs = vec![common::appoints(&[9], 0)];
    assert_eq!(with(vec![forged, second]), "hand-over");
    assert_eq!(with(vec![first; HAND_OVERS_MAX + 1]), "proof-too-large");
}

#[tokio::test]
async fn a_block_that_is_not_final_is_refused() {
    let (chain, good, trust) = good().await;
    let with = |finality: Finality| {
        let bundle = ReceiptBundle { proof: ChainProof { finality, ..good.proof.clone() }, ..good.clone() };
        code(verify_receipt(&bundle, &trust))
    };
    let Finality::Justified { justification, headers } = good.proof.finality.clone() else { panic!("not justified") };
    let justified = |justification: &[u8], headers: &[phala_follow::Header]| {
        with(Finality::Justified { justification: justification.to_vec(), headers: headers.to_vec() })
    };
    assert_eq!(justified(&justification, &headers), "valid");
    assert_eq!(with(Finality::Reached), "justification");
    assert_eq!(justified(&[], &headers), "justification");
    assert_eq!(justified(&justification, &headers[..2]), "justification");
    assert_eq!(justified(&justification, &headers[1..]), "not-an-ancestor");
    assert_eq!(justified(&justification, &[]), "not-an-ancestor");
    assert_eq!(justified(&justification, &[headers[0].clone(), headers[2].clone()]), "not-an-ancestor");
    assert_eq!(justified(&justification, &vec![headers[2].clone(); PATH_HEADERS_MAX + 1]), "proof-too-large");
    let strangers = common::justification(
        1,
        2,
        chain.blocks[16].reference(),
        &[21, 22, 23].map(|seed| common::Vote { seed, block: chain.blocks[16].reference() }),
        vec![],
    );
    assert_eq!(justified(&strangers.encode(), &headers), "justification");
}

#[tokio::test]
async fn a_storage_proof_has_all_its_nodes_and_no_others() {
    let (_, good, trust) = good().await;
    let with = |storage: Vec<Vec<u8>>| {
        let bundle = ReceiptBundle { proof: ChainProof { storage, ..good.proof.clone() }, ..good.clone() };
        code(verify_receipt(&bundle, &trust))
    };
    let nodes = good.proof.storage.clone();
    for place in 0..nodes.len() {
        let mut fewer = nodes.clone();
        fewer.remove(place);
        assert_eq!(with(fewer), "storage-proof");
    }
    let mut more = nodes.clone();
    more.push(vec![1, 2, 3]);
    assert_eq!(with(more), "storage-proof");
    let mut twice = nodes.clone();
    twice.push(nodes[0].clone());
    assert_eq!(with(twice), "storage-proof");
}

#[tokio::test]
async fn the_chain_must_know_worker_and_program() {
    assert_eq!(on(|_| {}).await, "valid");
    assert_eq!(on(|records| records.worker = None).await, "worker-not-registered");
    assert_eq!(on(|records| records.program = None).await, "program-unknown");
    assert_eq!(on(|records| records.anchor = None).await, "program-unknown");
    assert_eq!(on(|records| records.cluster = None).await, "worker-not-assigned");
    assert_eq!(on(|records| records.cluster = Some(ClusterId(1))).await, "worker-not-assigned");
    let instance = |records: &mut Records| records.worker.as_mut().unwrap().registration.instance.0 = [1; 32];
    assert_eq!(on(instance).await, "instance-superseded");
    let expired = |at: u64| move |records: &mut Records| records.worker.as_mut().unwrap().expires_at = UnixMillis(at);
    assert_eq!(on(expired(Chain::time_ms(BLOCK))).await, "admission-expired");
    assert_eq!(on(expired(Chain::time_ms(BLOCK) + 1_234)).await, "admission-expired");
    assert_eq!(on(expired(Chain::time_ms(BLOCK) + 1_235)).await, "valid");
    assert_eq!(on(|records| records.program.as_mut().unwrap().code = CodeHash([9; 32])).await, "code-differs");
    assert_eq!(on(|records| records.anchor.as_mut().unwrap().version = VERSION + 1).await, "anchor-superseded");
    assert_eq!(on(|records| records.anchor.as_mut().unwrap().version = VERSION - 1).await, "anchor-ahead");
    assert_eq!(on(|records| records.anchor.as_mut().unwrap().root = StateRoot([9; 32])).await, "root-differs");
}

#[tokio::test]
async fn an_expired_worker_does_not_vouch_for_commands_either() {
    let mut records = Records::default();
    records.worker.as_mut().unwrap().expires_at = UnixMillis(Chain::time_ms(BLOCK));
    let chain = world::chain(&records);
    let trust = Trust::Genesis(chain.genesis());
    let receipt = sign(command(chain.blocks[BLOCK as usize].reference(), &chain, FROM));
    let error = prove(&receipt, &trust, &Node::new(chain)).await.unwrap_err();
    let expires_at = UnixMillis(Chain::time_ms(BLOCK));
    assert_eq!(error, ProveError::Refused(Refusal::AdmissionExpired { expires_at }));
}

#[tokio::test]
async fn records_of_another_version_are_named() {
    let receipt = |chain: &Chain| sign(query(chain.blocks[BLOCK as usize].reference(), chain));
    for place in 0..4 {
        let chain = world::chain_by(|state| {
            Records::default().write(state);
            let keys = storage_keys(&query(Default::default(), &Chain::new(0, &[1, 2, 3, 4])));
            state.get_mut(&keys[place]).unwrap().push(0);
        });
        let trust = Trust::Genesis(chain.genesis());
        let error = prove(&receipt(&chain), &trust, &Node::new(chain.clone())).await.unwrap_err();
        let name = ["worker", "assignment", "program", "anchor"][place];
        assert_eq!(error, ProveError::Refused(Refusal::RecordMalformed(name)));
    }
}

#[tokio::test]
async fn a_receipt_that_claims_something_else_is_refused() {
    assert_eq!(changed(|_| {}).await, "valid");
    assert_eq!(changed(|receipt| receipt.code.0[0] ^= 1).await, "code-differs");
    assert_eq!(changed(|receipt| receipt.program.0[0] ^= 1).await, "program-unknown");
    assert_eq!(changed(|receipt| receipt.worker.0[0] ^= 1).await, "worker-not-registered");
    assert_eq!(changed(|receipt| receipt.anchor.version -= 1).await, "anchor-superseded");
    assert_eq!(changed(|receipt| receipt.anchor.version += 1).await, "anchor-ahead");
    assert_eq!(changed(|receipt| receipt.anchor.root.0[0] ^= 1).await, "root-differs");
    assert_eq!(changed(|receipt| receipt.anchor.block.hash.0[0] ^= 1).await, "not-an-ancestor");
    assert_eq!(changed(|receipt| receipt.genesis.0[0] ^= 1).await, "wrong-genesis");
    let at = Chain::time_ms(BLOCK);
    assert_eq!(changed(|receipt| receipt.time = UnixMillis(at - 10_000)).await, "valid");
    assert_eq!(changed(|receipt| receipt.time = UnixMillis(at - 10_001)).await, "time-implausible");
    assert_eq!(changed(|receipt| receipt.time = UnixMillis(u64::MAX)).await, "admission-expired");
}

#[tokio::test]
async fn a_command_that_was_not_anchored_is_refused() {
    let (chain, bundle, trust) = good().await;
    let good = command(chain.blocks[BLOCK as usize].reference(), &chain, FROM + 1);
    let verify = |receipt: Receipt| {
        let proof = bundle.proof.clone();
        code(verify_receipt(&ReceiptBundle { receipt: sign(receipt), proof }, &trust))
    };
    assert_eq!(verify(good.clone()), "valid");
    let altered = |change: fn(&mut Receipt)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        verify(receipt)
    };
    fn proof(receipt: &mut Receipt) -> &mut phala_messages::CommandProof {
        let Subject::Command(proof) = &mut receipt.subject else { panic!("not a command") };
        proof
    }
    let changes: [fn(&mut Receipt); 10] = [
        |receipt| receipt.request.0[0] ^= 1,
        |receipt| receipt.response.0[0] ^= 1,
        |receipt| proof(receipt).index += 1,
        |receipt| proof(receipt).index = FROM - 1,
        |receipt| proof(receipt).index = u64::MAX,
        |receipt| proof(receipt).caller = Account([9; 32]),
        |receipt| proof(receipt).blind.0[0] ^= 1,
        |receipt| proof(receipt).path[0].0[0] ^= 1,
        |receipt| _ = proof(receipt).path.pop(),
        |receipt| proof(receipt).path.push(Hash::default()),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        assert_eq!(altered(change), "result-not-anchored", "{place}");
    }
    assert_eq!(altered(|receipt| receipt.time.0 = Chain::time_ms(BLOCK)), "valid");
    assert_eq!(altered(|receipt| receipt.time.0 = Chain::time_ms(BLOCK) + 1), "time-implausible");
}

#[tokio::test]
async fn every_byte_of_a_receipt_counts() {
    let (chain, bundle, trust) = good().await;
    let block = chain.blocks[BLOCK as usize].reference();
    for receipt in [bundle.receipt.clone(), sign(command(block, &chain, FROM))] {
        let bytes = receipt.encode();
        for place in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut altered = bytes.clone();
                altered[place] ^= flip;
                let Ok(receipt) = SignedReceipt::parse(&altered) else { continue };
                let bundle = ReceiptBundle { receipt, proof: bundle.proof.clone() };
                assert_eq!(code(verify_receipt(&bundle, &trust)), "signature", "byte {place} ^ {flip}");
            }
        }
    }
}

#[tokio::test]
async fn every_byte_of_a_proof_counts() {
    let (_, bundle, trust) = good().await;
    let bytes = bundle.proof.encode();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1 << (place % 8);
        let Ok(proof) = ChainProof::parse(&altered) else { continue };
        let bundle = ReceiptBundle { proof, receipt: bundle.receipt.clone() };
        assert!(verify_receipt(&bundle, &trust).is_err(), "byte {place}");
    }
}

#[tokio::test]
async fn what_is_not_a_receipt_file_is_refused() {
    let (_, bundle, _) = good().await;
    let good: serde_json::Value = serde_json::from_str(&bundle.to_json()).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut file = good.clone();
        file[field] = value;
        code(ReceiptBundle::parse_json(&file.to_string()))
    };
    assert_eq!(with("format", 1.into()), "valid");
    assert_eq!(with("format", 2.into()), "bundle-malformed");
    assert_eq!(with("more", 2.into()), "bundle-malformed");
    assert_eq!(with("receipt", "01".into()), "bundle-malformed");
    assert_eq!(with("receipt", "0x01".into()), "receipt-malformed");
    assert_eq!(with("receipt", "0x02".into()), "receipt-malformed");
    assert_eq!(with("proof", "0x0102".into()), "proof-malformed");
    assert_eq!(code(ReceiptBundle::parse_json("[]")), "bundle-malformed");
    assert_eq!(code(ChainProof::parse(&vec![0; CHAIN_PROOF_BYTES_MAX + 1])), "proof-too-large");
}

#[tokio::test]
async fn what_a_node_does_not_have_cannot_be_proven() {
    let (chain, bundle, trust) = good().await;
    let mut shorter = chain.clone();
    shorter.cut(BLOCK - 1);
    let error = prove(&bundle.receipt, &trust, &Node::new(shorter)).await.unwrap_err();
    let block = hash_of(&chain.blocks[BLOCK as usize].header);
    assert_eq!(error, ProveError::Follow(FollowError::MissingBlock { block }));
}

#[test]
fn authorities_of_a_checkpoint_keep_their_weights() {
    let list = authority_list(&[1, 2]);
    let set = phala_follow::AuthoritySet::new(3, list.clone()).unwrap();
    assert_eq!((set.id(), set.list()), (3, &list));
}

proptest! {
    #[test]
    fn no_bytes_panic_a_parser(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in ".{0,80}") {
        let _ = ChainProof::parse(&bytes);
        let _ = SignedReceipt::parse(&bytes);
        let _ = phala_follow::justification::Justification::parse(&bytes);
        let _ = ReceiptBundle::parse_json(&text);
        let _ = Checkpoint::parse_json(&text);
        let _ = phala_follow::proof::read_proof(&Hash([1; 32]), &[bytes.clone()], &[bytes]);
    }
}
