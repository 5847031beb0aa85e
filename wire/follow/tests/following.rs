//! Following: by honest nodes, by lying ones, over many hand-overs.

mod common;

use codec::Encode;
use common::{Chain, Node, Vote, appoints, forces, hex, justification};
use phala_follow::{
    Checkpoint, FollowError, Follower, Rpc, RpcError, check_age, handover::HandOverError, header::hash_of,
    justification::JustificationError, proof::ProofError,
};
use phala_messages::{BlockHash, BlockRef, GenesisHash, storage};
use phala_units::{BlockNumber, UnixMillis};
use serde_json::{Value, json};

const FOUR: &[u8] = &[1, 2, 3, 4];

async fn started(node: &Node) -> Follower {
    Follower::from_genesis(node.chain.genesis(), node).await.unwrap()
}

/// Advances until nothing is new.
async fn caught_up(node: &Node) -> Follower {
    let mut follower = started(node).await;
    while follower.advance(node).await.unwrap() {}
    follower
}

fn busy(hand_overs: u8, blocks_between: u32) -> Chain {
    let mut chain = Chain::new(0, FOUR);
    for n in 0..hand_overs {
        chain.grow(blocks_between);
        chain.hand_over(&[n + 1, n + 2, n + 3, n + 4]);
    }
    chain.grow(3);
    chain
}

#[tokio::test]
async fn from_genesis_over_hand_overs_to_the_newest_head() {
    let node = Node::new(busy(5, 7));
    let follower = caught_up(&node).await;
    assert_eq!(follower.head().block(), node.chain.head().reference());
    assert_eq!(follower.authorities().id(), 5);
    let values = follower.read(&node, &[storage::timestamp_now(), b"absent".to_vec()]).await.unwrap();
    assert_eq!(*values, vec![Some(Chain::time_ms(follower.head().number.0).encode()), None]);
    assert_eq!(values.block(), follower.head().block());
}

#[tokio::test]
async fn distant_hand_overs_are_found_with_small_replies() {
    let mut chain = Chain::new(0, FOUR);
    chain.period = 3;
    for seeds in [[2, 3, 4, 5], [3, 4, 5, 6], [4, 5, 6, 7]] {
        chain.grow(700);
        chain.hand_over(&seeds);
    }
    chain.grow(901);
    let mut node = Node::new(chain);
    node.headers_max = 256;
    let follower = caught_up(&node).await;
    assert_eq!(follower.authorities().id(), 3);
    assert!(node.chain.head().header.number - follower.head().number.0 < node.chain.period);
    assert!(node.calls.lock().unwrap().len() < 400, "{} calls", node.calls.lock().unwrap().len());
}

#[tokio::test]
async fn one_call_does_a_bounded_amount_of_work() {
    let node = Node::new(busy(70, 1));
    let mut follower = started(&node).await;
    assert!(follower.advance(&node).await.unwrap());
    assert_eq!(follower.authorities().id(), 64);
    assert!(follower.advance(&node).await.unwrap());
    assert_eq!(follower.head().block(), node.chain.head().reference());
    assert!(!follower.advance(&node).await.unwrap());
}

#[tokio::test]
async fn a_checkpoint_goes_on_where_it_was_taken() {
    let mut node = Node::new(busy(2, 5));
    let first = caught_up(&node).await;
    let text = first.checkpoint().to_json().to_string();
    let checkpoint = Checkpoint::parse_json(&text).unwrap();
    assert_eq!(checkpoint, first.checkpoint());
    let mut second = Follower::from_checkpoint(&checkpoint).unwrap();
    assert_eq!(second, first);
    node.chain.hand_over(&[9, 10, 11]);
    node.chain.grow(4);
    while second.advance(&node).await.unwrap() {}
    assert_eq!(second.head().block(), node.chain.head().reference());
}

#[test]
fn what_is_not_a_checkpoint_is_refused() {
    for text in ["", "{}", "[]", r#"{"genesis":"0x00"}"#] {
        assert!(Checkpoint::parse_json(text).is_err(), "{text}");
    }
    let good = json!({
        "genesis": GenesisHash::default().to_string(), "number": 1, "hash": BlockHash::default().to_string(),
        "state_root": BlockHash::default().to_string(), "set_id": 0, "authorities": [BlockHash([1; 32]).to_string()],
    });
    assert!(Checkpoint::parse_json(&good.to_string()).is_ok());
    for (field, value) in [
        ("authorities", json!([])),
        ("authorities", json!([format!("{}:0", BlockHash([1; 32]))])),
        ("number", json!(-1)),
        ("number", json!(4_294_967_296u64)),
        ("hash", json!("0x12")),
        ("more", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(Checkpoint::parse_json(&bad.to_string()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_node_of_another_network_is_refused() {
    let ours = Chain::new(0, FOUR);
    let node = Node::new(Chain::new(1, FOUR));
    let error = Follower::from_genesis(ours.genesis(), &node).await.unwrap_err();
    assert_eq!(error, FollowError::WrongGenesis { genesis: ours.genesis() });
}

#[tokio::test]
async fn a_node_that_gives_another_header_for_genesis_is_refused() {
    let (mut ours, theirs) = (Chain::new(0, FOUR), Chain::new(1, &[9]));
    ours.grow(3);
    let header = json!(theirs.blocks[0].header);
    let genesis = ours.genesis();
    let node = Node::lying(ours, move |_, method, _| (method == "chain_getHeader").then(|| Ok(header.clone())));
    let error = Follower::from_genesis(genesis, &node).await.unwrap_err();
    assert_eq!(error, FollowError::AlteredHeader { block: genesis.into() });
}

#[tokio::test]
async fn genesis_authorities_come_from_its_state_only() {
    let other = Chain::new(1, &[9]);
    let nodes: Vec<Value> =
        other.read_proof(&other.blocks[0], &[storage::grandpa_authorities()]).iter().map(|node| hex(node)).collect();
    let node = Node::lying(Chain::new(0, FOUR), move |_, method, _| {
        (method == "state_getReadProof").then(|| Ok(json!({"at": "0x", "proof": nodes})))
    });
    let error = Follower::from_genesis(node.chain.genesis(), &node).await.unwrap_err();
    assert_eq!(error, FollowError::Proof(ProofError::Incomplete { key: 0 }));
}

#[tokio::test]
async fn a_genesis_without_authorities_is_refused() {
    let mut chain = Chain::new(0, FOUR);
    for bytes in [None, Some(vec![255]), Some(vec![0])] {
        let mut state = chain.blocks[0].state.clone();
        state.remove(&storage::grandpa_authorities());
        state.extend(bytes.clone().map(|bytes| (storage::grandpa_authorities(), bytes)));
        chain.blocks.clear();
        chain.sets = vec![FOUR.to_vec()];
        chain.reseal(state);
        let node = Node::new(chain.clone());
        let error = Follower::from_genesis(chain.genesis(), &node).await.unwrap_err();
        match bytes.as_deref() {
            Some([0]) => assert!(matches!(error, FollowError::Authorities(_)), "{error:?}"),
            _ => assert_eq!(error, FollowError::GenesisAuthorities),
        }
    }
}

#[tokio::test]
async fn a_node_that_is_behind_moves_nothing() {
    let mut node = Node::new(busy(2, 5));
    let mut follower = caught_up(&node).await;
    let head = follower.head().clone();
    node.chain.cut(4);
    assert_eq!(follower.advance(&node).await, Ok(false));
    assert_eq!(*follower.head(), head);
}

#[tokio::test]
async fn another_block_at_the_same_height_is_a_disagreement() {
    let mut node = Node::new(busy(0, 0));
    let mut follower = caught_up(&node).await;
    let ours = follower.head().block();
    node.chain.cut(ours.number.0 - 1);
    node.chain.block(|state| drop(state.insert(b"fork".to_vec(), vec![1])));
    assert_eq!(follower.advance(&node).await, Err(FollowError::Fork { ours }));
}

#[tokio::test]
async fn a_longer_chain_without_our_finalised_block_is_a_disagreement() {
    for more in [1, 5] {
        let mut node = Node::new(busy(0, 0));
        let mut follower = caught_up(&node).await;
        let ours = follower.head().block();
        node.chain.cut(ours.number.0 - 1);
        node.chain.block(|state| drop(state.insert(b"fork".to_vec(), vec![1])));
        node.chain.grow(more);
        assert_eq!(follower.advance(&node).await, Err(FollowError::Fork { ours }), "{more}");
        assert_eq!(follower.head().block(), ours);
    }
}

#[tokio::test]
async fn forged_and_foreign_justifications_are_refused() {
    type Forge = fn(&Chain) -> Vec<u8>;
    let forgeries: [(&str, Forge, JustificationError); 4] = [
        ("by strangers", |chain| forge(chain, &[21, 22, 23, 24], 0), JustificationError::NotFinal),
        ("by two of four", |chain| forge(chain, &[1, 2], 0), JustificationError::NotFinal),
        ("of a later set", |chain| forge(chain, &[1, 2, 3], 1), JustificationError::Signature),
        ("damaged", |_| vec![1, 2, 3], JustificationError::Malformed),
    ];
    for (name, forge, expected) in forgeries {
        let mut chain = Chain::new(0, FOUR);
        chain.grow(3);
        chain.blocks[3].justification = Some(forge(&chain));
        let node = Node::new(chain);
        let mut follower = started(&node).await;
        match follower.advance(&node).await {
            Err(FollowError::Justification { source, .. }) => assert_eq!(source, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(follower.head().number, BlockNumber(0));
    }
}

fn forge(chain: &Chain, seeds: &[u8], set: u64) -> Vec<u8> {
    let block = chain.head().reference();
    let votes: Vec<_> = seeds.iter().map(|seed| Vote { seed: *seed, block }).collect();
    justification(1, set, block, &votes, vec![]).encode()
}

/// Heights at the very end of their range, in votes that were never cast and in votes that were: added to, they
/// would overflow.
#[tokio::test]
async fn heights_that_do_not_fit_together_are_refused_before_they_are_counted() {
    for cast in [false, true] {
        let mut chain = Chain::new(0, FOUR);
        chain.grow(4);
        let at = |place: usize| BlockRef { number: BlockNumber(u32::MAX), ..chain.blocks[place].reference() };
        let votes = [(1, at(3)), (2, at(3)), (3, at(4))].map(|(seed, block)| Vote { seed, block });
        let mut forged = justification(1, 0, chain.blocks[4].reference(), &votes, vec![chain.blocks[4].header.clone()]);
        if !cast {
            forged.round = 2;
        }
        chain.blocks[4].justification = Some(forged.encode());
        let node = Node::new(chain);
        let mut follower = started(&node).await;
        let expected = if cast { JustificationError::Ancestry } else { JustificationError::Signature };
        match follower.advance(&node).await {
            Err(FollowError::Justification { source, .. }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
    }
}

/// Until its first change of authorities, a node refuses `grandpa_proveFinality`.
fn refuses_to_prove(chain: Chain) -> Node {
    Node::lying(chain, |_, method, _| {
        let message = "Block not covered by authority set changes".into();
        (method == "grandpa_proveFinality").then(|| Err(RpcError::Refused { code: 1, message }))
    })
}

#[tokio::test]
async fn before_the_first_change_of_authorities_the_blocks_own_justification_is_taken() {
    for blocks in [1, 5, 300] {
        let mut chain = Chain::new(0, FOUR);
        chain.grow(blocks);
        let node = refuses_to_prove(chain);
        let mut follower = started(&node).await;
        while follower.advance(&node).await.unwrap() {}
        assert_eq!(follower.head().number, BlockNumber(blocks));
    }
}

#[tokio::test]
async fn without_a_proof_from_the_node_a_fork_is_still_seen() {
    let mut node = refuses_to_prove(busy(0, 0));
    let mut follower = caught_up(&node).await;
    let ours = follower.head().block();
    node.chain.cut(ours.number.0 - 1);
    node.chain.block(|state| drop(state.insert(b"fork".to_vec(), vec![1])));
    node.chain.grow(3);
    assert_eq!(follower.advance(&node).await, Err(FollowError::Fork { ours }));
}

#[tokio::test]
async fn votes_for_one_block_do_not_finalise_another() {
    let mut chain = Chain::new(0, FOUR);
    chain.grow(4);
    let mut relabelled = chain.justify(&chain.blocks[3]);
    relabelled.commit.target_hash = sp_core::H256(hash_of(&chain.blocks[4].header).0);
    relabelled.commit.target_number = 4;
    chain.blocks[4].justification = Some(relabelled.encode());
    let node = Node::new(chain);
    let mut follower = started(&node).await;
    let error = follower.advance(&node).await.unwrap_err();
    assert!(matches!(error, FollowError::Justification { source: JustificationError::NotFinal, .. }), "{error:?}");
}

#[tokio::test]
async fn a_set_that_has_left_finalises_nothing() {
    let mut chain = Chain::new(0, FOUR);
    chain.grow(2);
    chain.hand_over(&[5, 6, 7, 8]);
    chain.grow(2);
    let node = Node::new(chain.clone());
    let mut follower = caught_up(&node).await;
    let before = follower.head().clone();
    chain.grow(1);
    let stale = forge(&chain, FOUR, 0);
    chain.blocks.last_mut().unwrap().justification = Some(stale);
    let error = follower.advance(&Node::new(chain)).await.unwrap_err();
    assert!(matches!(error, FollowError::Justification { .. }), "{error:?}");
    assert_eq!(*follower.head(), before);
}

#[tokio::test]
async fn forced_delayed_and_damaged_changes_are_refused() {
    use sp_consensus_grandpa::GRANDPA_ENGINE_ID;
    use sp_runtime::generic::DigestItem;
    for (log, expected) in [
        (forces(&[9]), HandOverError::Forced),
        (appoints(&[9], 3), HandOverError::Delayed(3)),
        (DigestItem::Consensus(GRANDPA_ENGINE_ID, vec![1, 255]), HandOverError::Malformed),
        (appoints(&[], 0), HandOverError::Authorities(phala_follow::authorities::AuthoritiesError::Empty)),
    ] {
        let mut chain = Chain::new(0, FOUR);
        chain.grow(1);
        chain.hand_over_by(vec![log], &[9]);
        let node = Node::new(chain);
        let mut follower = started(&node).await;
        assert_eq!(follower.advance(&node).await, Err(FollowError::HandOver(expected)));
        assert_eq!(follower.head().number, BlockNumber(0));
    }
}

#[tokio::test]
async fn a_node_without_a_proof_moves_nothing() {
    let mut chain = Chain::new(0, FOUR);
    chain.grow(20);
    let node =
        Node::lying(chain.clone(), |_, method, _| (method == "grandpa_proveFinality").then_some(Ok(Value::Null)));
    assert_eq!(started(&node).await.advance(&node).await, Ok(false));
    chain.grow(600);
    for block in &mut chain.blocks {
        block.justification = None;
    }
    let node = Node::new(chain);
    let error = started(&node).await.advance(&node).await.unwrap_err();
    assert_eq!(error, FollowError::Unprovable { number: BlockNumber(620) });
}

#[tokio::test]
async fn a_proof_for_another_block_than_it_names_is_refused() {
    let mut chain = Chain::new(0, FOUR);
    chain.grow(20);
    let node = Node::lying(chain, |chain, method, _| {
        let mut proof = (method == "grandpa_proveFinality").then(|| chain.prove_finality(1))??;
        proof.block = sp_core::H256(hash_of(&chain.blocks[2].header).0);
        Some(Ok(hex(&proof.encode())))
    });
    assert_eq!(started(&node).await.advance(&node).await, Err(FollowError::OtherBlock));
}

#[tokio::test]
async fn a_block_that_the_node_does_not_have_is_named() {
    let node = Node::lying(busy(0, 0), |_, method, _| (method == "chain_getFinalizedHead").then(|| Ok(hex(&[7; 32]))));
    let error = started(&node).await.advance(&node).await.unwrap_err();
    assert_eq!(error, FollowError::MissingBlock { block: BlockHash([7; 32]) });
}

#[tokio::test]
async fn replies_of_another_form_are_refused() {
    let replies = [json!(1), json!("0x"), json!("zz"), json!([]), json!({"proof": [1]}), json!({"digest": {}})];
    for method in ["chain_getFinalizedHead", "chain_getHeader", "grandpa_proveFinality"] {
        for reply in replies.clone() {
            let node = Node::new(busy(1, 2));
            let mut follower = started(&node).await;
            let lying =
                Node::lying(node.chain.clone(), move |_, called, _| (called == method).then(|| Ok(reply.clone())));
            assert_eq!(follower.advance(&lying).await, Err(FollowError::Rpc(RpcError::Malformed { method })));
        }
    }
}

#[tokio::test]
async fn missing_and_altered_proof_nodes_are_refused() {
    let node = Node::new(busy(1, 3));
    let follower = caught_up(&node).await;
    let key = storage::timestamp_now();
    let nodes = node.chain.read_proof(node.chain.head(), std::slice::from_ref(&key));
    assert!(nodes.len() > 1);
    let read = |nodes: Vec<Vec<u8>>| {
        follower.head().values(&nodes, std::slice::from_ref(&key)).map(|values| values.into_inner())
    };
    assert!(read(nodes.clone()).unwrap()[0].is_some());
    for place in 0..nodes.len() {
        let mut missing = nodes.clone();
        missing.remove(place);
        assert_eq!(read(missing), Err(ProofError::Incomplete { key: 0 }));
        for byte in 0..nodes[place].len() {
            let mut altered = nodes.clone();
            altered[place][byte] ^= 1;
            assert_eq!(read(altered), Err(ProofError::Incomplete { key: 0 }));
        }
    }
    let mut twice = nodes.clone();
    twice.push(nodes[0].clone());
    assert_eq!(read(twice), Err(ProofError::DuplicateNode));
    let too_many: Vec<_> = (0..=phala_follow::proof::PROOF_NODES_MAX as u32).map(|n| n.encode()).collect();
    assert_eq!(read(too_many.clone()), Err(ProofError::TooManyNodes(too_many.len())));
    assert_eq!(read(vec![vec![0; phala_follow::proof::PROOF_BYTES_MAX + 1]]), Err(ProofError::TooLarge));
}

#[tokio::test]
async fn an_older_block_is_read_when_it_is_an_ancestor() {
    for period in [1, 100] {
        let mut chain = Chain::new(0, FOUR);
        chain.period = period;
        chain.grow(9);
        chain.hand_over(&[5, 6, 7]);
        let node = Node::new(chain);
        let follower = caught_up(&node).await;
        for number in [2u32, 9, 10] {
            let block = node.chain.blocks[number as usize].reference();
            let values = follower.read_at_finalized(&node, &block, &[storage::timestamp_now()]).await.unwrap();
            assert_eq!(values[0], Some(Chain::time_ms(number).encode()));
            assert_eq!(values.block(), block);
        }
        let mut fork = node.chain.clone();
        fork.cut(5);
        fork.period = 100;
        fork.block(|state| drop(state.insert(b"fork".to_vec(), vec![1])));
        let (foreign, header) = (fork.head().reference(), json!(fork.head().header));
        let lying = Node::lying(node.chain.clone(), move |_, method, params| {
            (method == "chain_getHeader" && params[0] == foreign.hash.to_string()).then(|| Ok(header.clone()))
        });
        let error = follower.finalized(&lying, &foreign).await.unwrap_err();
        assert!(matches!(error, FollowError::Fork { .. }), "{error:?}");
        let mut wrong = node.chain.blocks[3].reference();
        wrong.number = BlockNumber(4);
        assert_eq!(follower.finalized(&node, &wrong).await.unwrap_err(), FollowError::OtherBlock);
        wrong.number = BlockNumber(99);
        assert_eq!(
            follower.finalized(&node, &wrong).await.unwrap_err(),
            FollowError::NotFinalYet { number: BlockNumber(99) }
        );
    }
}

#[tokio::test]
async fn a_block_too_far_below_the_head_is_not_walked_to() {
    let mut chain = Chain::new(0, FOUR);
    chain.period = 10_000;
    chain.grow(1_025);
    chain.hand_over(&[5]);
    let node = Node::new(chain);
    let follower = caught_up(&node).await;
    let block = node.chain.blocks[1].reference();
    assert_eq!(follower.finalized(&node, &block).await.unwrap_err(), FollowError::TooOld { number: BlockNumber(1) });
    let block = node.chain.blocks[2].reference();
    assert_eq!(follower.finalized(&node, &block).await.unwrap().block(), block);
}

#[test]
fn age_is_limited() {
    let at = UnixMillis(10_000);
    assert_eq!(check_age(at, UnixMillis(15_000), 5_000), Ok(()));
    assert_eq!(check_age(at, UnixMillis(5_000), 0), Ok(()));
    let error = FollowError::Stale { age_ms: 5_001, max_age_ms: 5_000 };
    assert_eq!(check_age(at, UnixMillis(15_001), 5_000), Err(error));
}

#[tokio::test]
async fn the_other_calls_parse_their_replies() {
    use phala_follow::rpc;
    let node = Node::new(Chain::new(0, FOUR));
    let version = rpc::runtime_version(&node).await.unwrap();
    assert_eq!((version.spec_version, version.transaction_version), (7, 2));
    assert_eq!(rpc::next_index(&node, "5F").await, Ok(3));
    assert_ne!(rpc::submit_extrinsic(&node, &[1, 2]).await.unwrap(), Default::default());
    let unknown = node.call("x", json!([])).await.unwrap_err();
    assert_eq!(unknown, RpcError::Refused { code: 1, message: "Method not found: x".into() });
    let error = RpcError::from_error_object(&json!({"code": 1010, "message": "Invalid", "data": "Payment"}));
    assert_eq!(error, RpcError::Refused { code: 1010, message: "Invalid: Payment".into() });
}

#[test]
fn futures_can_move_between_threads() {
    fn assert_send<T: Send>(_: T) {}
    let node = Node::new(Chain::new(0, FOUR));
    assert_send(Follower::from_genesis(node.chain.genesis(), &node));
    assert_send(async {
        let mut follower = started(&node).await;
        let _ = follower.advance(&node).await;
        let _ = follower.read(&node, &[]).await;
    });
}
