//! Limits of what a gatekeeper takes, each met and passed by one.

mod common;

use common::{LabEntropy, LabVault};
use phala_crypto::Secret;
use phala_enclave_gatekeeper::{
    deliveries::{BATCH_DELIVERIES_MAX, Deliveries, NoteError},
    release::{QUERIES_MAX, QueryPlaces},
    view::View,
};
use phala_machine::Cabinet;
use phala_messages::{
    CodeEpoch, Hash, InstanceKey, ProgramId, WorkerId,
    custody::{EpochNumber, RootGeneration},
    release::Delivery,
};
use phala_units::BlockNumber;
use std::sync::Arc;

fn delivery(n: usize) -> Delivery {
    let mut query = Hash::default();
    query.0[..8].copy_from_slice(&n.to_le_bytes());
    Delivery {
        worker: WorkerId([1; 32]),
        instance: InstanceKey([2; 32]),
        program: ProgramId([3; 32]),
        root: RootGeneration(0),
        code: CodeEpoch(0),
        epoch: EpochNumber(0),
        block: BlockNumber(5),
        query,
    }
}

#[test]
fn a_batch_takes_so_many_deliveries_and_the_next_one_waits_for_it_to_be_closed() {
    let cabinet = Arc::new(Cabinet::new(Arc::new(LabVault::default()), &Secret::new([1; 32]), LabEntropy::new(1)));
    let mut deliveries = Deliveries::open(cabinet.clone(), WorkerId([9; 32])).unwrap();
    for n in 0..BATCH_DELIVERIES_MAX {
        deliveries.note(delivery(n)).unwrap();
    }
    assert!(matches!(deliveries.note(delivery(BATCH_DELIVERIES_MAX)), Err(NoteError::Full)));
    // After a restart, too.
    drop(deliveries);
    let mut deliveries = Deliveries::open(cabinet, WorkerId([9; 32])).unwrap();
    assert!(matches!(deliveries.note(delivery(BATCH_DELIVERIES_MAX)), Err(NoteError::Full)));
    assert_eq!(deliveries.waiting(), BATCH_DELIVERIES_MAX);

    let mut view = View::nothing();
    view.block.number = BlockNumber(6);
    let batch = deliveries.observe(&view).unwrap().expect("it is full, and so it is closed");
    assert_eq!(batch.count as usize, BATCH_DELIVERIES_MAX);
    deliveries.note(delivery(BATCH_DELIVERIES_MAX)).unwrap();
    assert_eq!(deliveries.waiting(), BATCH_DELIVERIES_MAX + 1);
}

#[test]
fn so_many_queries_are_decided_at_once_and_one_more_is_told_that_it_is_busy() {
    let places = QueryPlaces::default();
    let mut taken: Vec<_> = (0..QUERIES_MAX).map(|_| places.take().expect("there is a place")).collect();
    assert!(places.take().is_none());
    // Whoever was sent away took no place.
    assert!(places.take().is_none());
    drop(taken.pop());
    assert!(places.take().is_some());
    assert!(places.take().is_some(), "the place that was taken a line above was given back");
}
