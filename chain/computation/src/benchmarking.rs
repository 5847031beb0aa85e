//! What each call costs, in its dearest case.

use crate::{
    Call, CheckedThrough, Config, CoolingTail, Pallet, PoolWorker, PoolWorkers, Pools as _, Sessions, Work,
    Workers as _,
};
use alloc::boxed::Box;
use frame_benchmarking::v2::*;
use frame_support::{pallet_prelude::*, traits::Authorize as _};
use frame_system::{Origin, RawOrigin, pallet_prelude::BlockNumberFor};
use phala_economics::{Parameters, Schedule, WorkRules};
use phala_messages::{
    BlockHash, BlockRef, Hash, InstanceKey, PoolId, Signature, WorkerId,
    anchor::{Anchor, SignedAnchor},
    computation::{Challenge, FaultProof, Heartbeat, ScoreReport, SessionNumber, WorkConsent},
    custody::{CustodyMessage, Signed},
    limits::POOL_WORKERS_MAX,
};
use phala_units::{BlockNumber, PHA, Planck};
use sp_core::{crypto::KeyTypeId, ed25519};

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"phal");
const SCORE: u32 = 1_000;
const STAKE: u128 = 5_000 * PHA;

struct Arranged<T: Config> {
    owner: T::AccountId,
    pool: PoolId,
    worker: WorkerId,
    /// The worker's identity, and its instance at once.
    key: ed25519::Public,
}

fn sign(key: &ed25519::Public, hash: Hash) -> Result<Signature, BenchmarkError> {
    let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, key, &hash.0);
    Ok(signature.ok_or(BenchmarkError::Stop("the keystore holds the key"))?.0)
}

fn signed<T: Config, M: CustodyMessage>(key: &ed25519::Public, message: M) -> Result<Signed<M>, BenchmarkError> {
    let signature = sign(key, message.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(Signed { message, signature })
}

/// A pool with as many workers as it may have but one, and a worker that is registered.
fn registered<T: Config>() -> Result<Arranged<T>, BenchmarkError> {
    frame_system::Pallet::<T>::set_block_number(100u32.into());
    CheckedThrough::<T>::put(BlockNumber(99));
    let owner: T::AccountId = account("owner", 0, 0);
    let pool = T::Pools::found_for_benchmark(&owner, Planck(10 * STAKE));
    let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
    let worker = WorkerId(key.0);
    T::Workers::admit_for_benchmark(&worker, &InstanceKey(key.0));
    for n in 1..POOL_WORKERS_MAX {
        let other = WorkerId(sp_io::hashing::blake2_256(&n.to_le_bytes()));
        PoolWorkers::<T>::mutate(pool, |all| all.try_push(PoolWorker { worker: other, stake: Planck(0) }))
            .map_err(|_| BenchmarkError::Stop("the pool has room"))?;
    }
    Ok(Arranged { owner, pool, worker, key })
}

fn bound<T: Config>() -> Result<Arranged<T>, BenchmarkError> {
    let arranged = registered::<T>()?;
    let message = WorkConsent { worker: arranged.worker, operator: Pallet::<T>::account(&arranged.owner) };
    let consent = signed::<T, _>(&arranged.key, message)?.signature;
    Pallet::<T>::do_bind(&arranged.owner, arranged.pool, arranged.worker, consent)?;
    Ok(arranged)
}

fn score<T: Config>(arranged: &Arranged<T>) -> Result<Signed<ScoreReport>, BenchmarkError> {
    let number = BlockNumber(99);
    frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::from(99u32), T::Hash::default());
    let block = BlockRef { number, hash: BlockHash(Pallet::<T>::hash_of(99u32.into())) };
    signed::<T, _>(&arranged.key, ScoreReport { worker: arranged.worker, score: SCORE, block })
}

fn computing<T: Config>() -> Result<Arranged<T>, BenchmarkError> {
    let arranged = bound::<T>()?;
    Pallet::<T>::do_report_score(score(&arranged)?)?;
    Pallet::<T>::do_start(&arranged.owner, arranged.worker, Planck(STAKE))?;
    Ok(arranged)
}

/// A worker that computes was asked, and some blocks have passed.
fn heartbeat<T: Config>(arranged: &Arranged<T>) -> Result<Signed<Heartbeat>, BenchmarkError> {
    let challenge = Challenge { block: BlockNumber(100), time: Pallet::<T>::time() };
    let session = Work::<T>::mutate(arranged.worker, |work| {
        work.as_mut().and_then(|work| {
            work.challenge = Some(challenge);
            work.session
        })
    });
    frame_system::Pallet::<T>::set_block_number(150u32.into());
    let session: SessionNumber = session.ok_or(BenchmarkError::Stop("the worker computes"))?;
    let message = Heartbeat { worker: arranged.worker, session, challenge: challenge.block, iterations: 1_000 };
    signed::<T, _>(&arranged.key, message)
}

fn cooled<T: Config>(worker: &WorkerId) {
    Sessions::<T>::mutate(worker, |record| {
        if let Some(cooling) = record.as_mut().and_then(|record| record.cooling.as_mut()) {
            cooling.until = Pallet::<T>::time();
        }
    });
}

fn signed_anchor<T: Config>(arranged: &Arranged<T>, root: u8) -> Result<Box<SignedAnchor>, BenchmarkError> {
    let anchor = Anchor {
        program: Default::default(),
        from: 0,
        to: 1,
        root: [root; 32].into(),
        results: Hash::default(),
        worker: arranged.worker,
    };
    let signature = sign(&arranged.key, anchor.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(Box::new(SignedAnchor { anchor, signature }))
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn bind() -> Result<(), BenchmarkError> {
        let Arranged { owner, pool, worker, key } = registered::<T>()?;
        let message = WorkConsent { worker, operator: Pallet::<T>::account(&owner) };
        let consent = signed::<T, _>(&key, message)?.signature;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), pool, worker, consent);
        assert!(Work::<T>::contains_key(worker));
        Ok(())
    }

    #[benchmark]
    fn unbind() -> Result<(), BenchmarkError> {
        let Arranged { owner, worker, .. } = computing::<T>()?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), worker);
        assert!(Work::<T>::get(worker).is_some_and(|work| work.leaving));
        Ok(())
    }

    #[benchmark]
    fn start() -> Result<(), BenchmarkError> {
        let arranged = bound::<T>()?;
        Pallet::<T>::do_report_score(score(&arranged)?)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(arranged.owner), arranged.worker, STAKE);
        assert!(Sessions::<T>::contains_key(arranged.worker));
        Ok(())
    }

    #[benchmark]
    fn stop() -> Result<(), BenchmarkError> {
        let Arranged { owner, worker, .. } = computing::<T>()?;
        frame_system::Pallet::<T>::set_block_number(10_000u32.into());
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), worker);
        assert_eq!(CoolingTail::<T>::get(), 1);
        Ok(())
    }

    #[benchmark]
    fn restart() -> Result<(), BenchmarkError> {
        let Arranged { owner, worker, .. } = computing::<T>()?;
        frame_system::Pallet::<T>::set_block_number(10_000u32.into());
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), worker, 2 * STAKE);
        assert!(Sessions::<T>::get(worker).is_some_and(|record| record.stake.0 == 2 * STAKE));
        Ok(())
    }

    #[benchmark]
    fn reclaim() -> Result<(), BenchmarkError> {
        let Arranged { owner, worker, .. } = computing::<T>()?;
        Pallet::<T>::do_unbind(&owner, worker)?;
        cooled::<T>(&worker);
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), worker);
        assert!(!Work::<T>::contains_key(worker));
        Ok(())
    }

    #[benchmark]
    fn authorize_score() -> Result<(), BenchmarkError> {
        let report = score(&bound::<T>()?)?;
        let call = Call::<T>::report_score { report };
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("it carries its own authority")?
                .map_err(|_| "the score is good")?;
        }
        Ok(())
    }

    #[benchmark]
    fn report_score() -> Result<(), BenchmarkError> {
        let arranged = bound::<T>()?;
        let report = score(&arranged)?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, report);
        assert!(Work::<T>::get(arranged.worker).is_some_and(|work| work.score.is_some()));
        Ok(())
    }

    #[benchmark]
    fn authorize_heartbeat() -> Result<(), BenchmarkError> {
        let heartbeat = heartbeat(&computing::<T>()?)?;
        let call = Call::<T>::heartbeat { heartbeat };
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("it carries its own authority")?
                .map_err(|_| "the heartbeat is good")?;
        }
        Ok(())
    }

    #[benchmark]
    fn heartbeat() -> Result<(), BenchmarkError> {
        let arranged = computing::<T>()?;
        let heartbeat = super::heartbeat(&arranged)?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, heartbeat);
        assert!(Work::<T>::get(arranged.worker).is_some_and(|work| work.challenge.is_none()));
        Ok(())
    }

    #[benchmark]
    fn report_fault() -> Result<(), BenchmarkError> {
        let arranged = computing::<T>()?;
        let (first, second) = (signed_anchor(&arranged, 1)?, signed_anchor(&arranged, 2)?);
        let proof = Box::new(FaultProof::TwoAnchors { first, second, instance: InstanceKey(arranged.key.0) });
        #[extrinsic_call]
        _(RawOrigin::Signed(arranged.owner), proof);
        assert!(Sessions::<T>::get(arranged.worker).is_some_and(|record| record.stake.0 < STAKE));
        Ok(())
    }

    #[benchmark]
    fn set() -> Result<(), BenchmarkError> {
        computing::<T>()?;
        let origin = T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
        let budget = Schedule::standard(BlockNumber(7));
        #[extrinsic_call]
        set_budget(origin as T::RuntimeOrigin, budget);
        assert_eq!(crate::Budget::<T>::get(), budget);
        assert_ne!((Parameters::DEFAULT, WorkRules::DEFAULT.challenges), (Parameters::ORIGINAL, 0));
        Ok(())
    }

    #[benchmark]
    fn sweep() -> Result<(), BenchmarkError> {
        let Arranged { owner, worker, .. } = computing::<T>()?;
        Pallet::<T>::do_unbind(&owner, worker)?;
        cooled::<T>(&worker);
        #[block]
        {
            Pallet::<T>::sweep(Weight::MAX);
        }
        assert!(!Sessions::<T>::contains_key(worker));
        Ok(())
    }

    #[benchmark]
    fn release() -> Result<(), BenchmarkError> {
        let Arranged { pool, .. } = computing::<T>()?;
        #[block]
        {
            Pallet::<T>::release(pool, Planck(u128::MAX));
        }
        assert_eq!(Pallet::<T>::on_its_way(pool).0, STAKE);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
