//! What each call costs, in its dearest case.

use crate::{
    Accrued, Call, Challenged, CheckedThrough, Config, CoolingTail, Pallet, PoolWorker, PoolWorkers, Pools as _,
    Programs as _, RELEASE_SESSIONS_MAX, Responsive, ResponsiveCount, Rules, SessionCount, Sessions, Tariff, Work,
    Workers as _,
};
use alloc::{boxed::Box, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::pallet_prelude::*;
use frame_system::{Origin, RawOrigin, pallet_prelude::BlockNumberFor};
use phala_economics::{
    CHALLENGES_MAX, CHALLENGES_PER_HOUR_MAX, Mark, Schedule, Score, Session, SessionRecord, WorkRules, draw,
};
use phala_messages::{
    Account, AnchorRef, BlockHash, BlockRef, CommandProof, Hash, InstanceKey, PoolId, ProgramId, Receipt, Signature,
    SignedReceipt, Subject, WorkerId,
    computation::{
        Challenge, FaultProof, Heartbeat, ReceiptProof, ScoreRecord, ScoreReport, SessionNumber, WorkConsent,
        WorkRecord,
    },
    custody::{CustodyMessage, Signed},
    limits::POOL_WORKERS_MAX,
    receipt::{RECEIPT_FORMAT, RESULT_PATH_MAX},
};
use phala_units::{BlockNumber, PHA, Planck};
use sp_core::{crypto::KeyTypeId, ed25519};

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"phal");
const SCORE: u32 = 1_000;
const STAKE: u128 = 5_000 * PHA;
/// What a worker did between two heartbeats, and how long that took.
const ITERATIONS: u64 = 10_000;
const MINUTE_MS: u64 = 60_000;

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
fn answer<T: Config>(arranged: &Arranged<T>) -> Result<Signed<Heartbeat>, BenchmarkError> {
    let challenge = Challenge { block: BlockNumber(100), time: Pallet::<T>::time().saturating_add(MINUTE_MS) };
    let session = Work::<T>::mutate(arranged.worker, |work| {
        work.as_mut().and_then(|work| {
            work.challenge = Some(challenge);
            work.session
        })
    });
    frame_system::Pallet::<T>::set_block_number(150u32.into());
    let session: SessionNumber = session.ok_or(BenchmarkError::Stop("the worker computes"))?;
    let message = Heartbeat { worker: arranged.worker, session, challenge: challenge.block, iterations: ITERATIONS };
    signed::<T, _>(&arranged.key, message)
}

fn cooled<T: Config>(worker: &WorkerId) {
    Sessions::<T>::mutate(worker, |record| {
        if let Some(cooling) = record.as_mut().and_then(|record| record.cooling.as_mut()) {
            cooling.until = Pallet::<T>::time();
        }
    });
}

/// What a worker signed about one block; of two with other states one is a lie.
fn receipt<T: Config>(arranged: &Arranged<T>, program: ProgramId, root: u8) -> Result<ReceiptProof, BenchmarkError> {
    let path = vec![Hash([3; 32]); RESULT_PATH_MAX];
    let proof = CommandProof { index: u64::MAX, caller: Account([1; 32]), blind: Hash([2; 32]), path };
    let receipt = Receipt {
        format: RECEIPT_FORMAT,
        genesis: Pallet::<T>::genesis(),
        program,
        code: Default::default(),
        subject: Subject::Command(proof),
        request: Hash([4; 32]),
        response: Hash([5; 32]),
        anchor: AnchorRef { block: BlockRef::default(), version: 1, root: [root; 32].into() },
        worker: arranged.worker,
        instance: InstanceKey(arranged.key.0),
        time: Pallet::<T>::time(),
    };
    let signature = sign(&arranged.key, receipt.signing_hash())?;
    ReceiptProof::new(&SignedReceipt { receipt, signature }).ok_or(BenchmarkError::Stop("the receipt fits"))
}

/// A session of a worker that exists, written as calls would have written it.
fn write_session<T: Config>(
    pool: PoolId,
    worker: WorkerId,
    challenge: Option<Challenge>,
) -> Result<(), BenchmarkError> {
    let machine = T::Workers::machine(&worker).ok_or(BenchmarkError::Stop("the worker exists"))?;
    let (now, stake) = (Pallet::<T>::block(), Planck(STAKE));
    let worth = Session::start(&Tariff::<T>::get(), stake, Score(SCORE), machine.confidence, now);
    let mut worth = worth.map_err(|_| BenchmarkError::Stop("the stake is within its limits"))?;
    let mut accrual = Pallet::<T>::accrue();
    worth.rejoin(&mut accrual.index).map_err(|_| BenchmarkError::Stop("the shares fit their sum"))?;
    Accrued::<T>::put(accrual);
    let number = SessionNumber(SessionCount::<T>::mutate(|count| {
        *count = count.saturating_add(1);
        *count
    }));
    let mut record = SessionRecord {
        number,
        pool,
        stake,
        worth,
        mark: Mark { iterations: 0, at_ms: Pallet::<T>::time().0 },
        place: None,
        started: now,
        earned: Planck(0),
        cooling: None,
    };
    Pallet::<T>::list(&worker, &mut record);
    Sessions::<T>::insert(worker, record);
    let score = Some(ScoreRecord { score: SCORE, instance: machine.instance, block: now });
    let (session, processes) = (Some(number), vec![machine.instance].try_into().unwrap_or_default());
    Work::<T>::insert(worker, WorkRecord { pool, score, session, challenge, leaving: false, processes });
    Pallet::<T>::change_pool(pool, |work| work.at_work = Planck(work.at_work.0.saturating_add(STAKE)));
    // A list that is full stays as it is.
    PoolWorkers::<T>::mutate(pool, |all| {
        let _ = all.try_push(PoolWorker { worker, stake });
    });
    Ok(())
}

/// The `n`th of many workers that compute; `kind` sets them apart.
fn one_of_many<T: Config>(
    pool: PoolId,
    kind: u8,
    n: u32,
    challenge: Option<Challenge>,
) -> Result<WorkerId, BenchmarkError> {
    let worker = WorkerId(sp_io::hashing::blake2_256(&codec::Encode::encode(&(kind, n))));
    T::Workers::admit_for_benchmark(&worker, &InstanceKey(worker.0));
    write_session::<T>(pool, worker, challenge)?;
    Ok(worker)
}

/// Lets a worker that exists compute, with stake of a pool's: for the benchmarks of others.
pub fn employ<T: Config>(worker: &WorkerId) {
    let owner: T::AccountId = account("employer", 0, 0);
    let pool = T::Pools::found_for_benchmark(&owner, Planck(10 * STAKE));
    if T::Pools::take_stake(pool, Planck(STAKE)).is_ok() {
        let _ = write_session::<T>(pool, *worker, None);
    }
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
        let call = Call::<T>::heartbeat { heartbeat: answer(&computing::<T>()?)? };
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
        let answer = answer(&arranged)?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, answer);
        assert!(Work::<T>::get(arranged.worker).is_some_and(|work| work.challenge.is_none()));
        Ok(())
    }

    #[benchmark]
    fn report_fault() -> Result<(), BenchmarkError> {
        let arranged = computing::<T>()?;
        let program = T::Programs::deploy_for_benchmark(&Pallet::<T>::account(&arranged.owner));
        let (first, second) = (receipt(&arranged, program, 1)?, receipt(&arranged, program, 2)?);
        let proof = Box::new(FaultProof::TwoReceipts { first, second });
        let reporter: T::AccountId = account("reporter", 0, 0);
        #[extrinsic_call]
        _(RawOrigin::Signed(reporter), proof);
        assert!(crate::Banned::<T>::contains_key(arranged.worker));
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
        Ok(())
    }

    #[benchmark]
    fn begin_block(
        a: Linear<0, CHALLENGES_MAX>,
        s: Linear<0, CHALLENGES_MAX>,
        n: Linear<0, CHALLENGES_MAX>,
    ) -> Result<(), BenchmarkError> {
        let Arranged { pool, .. } = registered::<T>()?;
        let window = Tariff::<T>::get().heartbeat_window_blocks;
        let time = Pallet::<T>::time();
        let old = BlockNumber(100);
        let waiting = Some(Challenge { block: old, time });
        let answered = (0..a).map(|n| one_of_many::<T>(pool, 0, n, None)).collect::<Result<Vec<_>, _>>()?;
        let silent = (0..s).map(|n| one_of_many::<T>(pool, 1, n, waiting)).collect::<Result<Vec<_>, _>>()?;
        // Two blocks are judged at once: that is how there are so many.
        for (block, workers) in [(old, silent), (old.next(), answered)] {
            Challenged::<T>::insert(block, BoundedVec::<_, ConstU32<CHALLENGES_MAX>>::truncate_from(workers));
        }
        let now = old.next().saturating_add(window).next();
        frame_system::Pallet::<T>::set_block_number(now.0.into());
        // So many are asked, and each is somebody else.
        let online = 1_000_000;
        Rules::<T>::put(WorkRules { challenges: n, per_hour: CHALLENGES_PER_HOUR_MAX, ..WorkRules::DEFAULT });
        let seed = Pallet::<T>::seed_of_challenges();
        for place in draw(seed, n, CHALLENGES_PER_HOUR_MAX, online, T::BlockMs::get()) {
            let worker = one_of_many::<T>(pool, 2, place, None)?;
            Responsive::<T>::insert(place, worker);
        }
        // Whoever falls silent leaves a place, which the last in the list takes.
        for last in 1..=s {
            let worker = one_of_many::<T>(pool, 3, last, None)?;
            Responsive::<T>::insert(online.saturating_sub(last), worker);
        }
        ResponsiveCount::<T>::put(online);
        CheckedThrough::<T>::put(BlockNumber(99));
        #[block]
        {
            Pallet::<T>::begin_block();
        }
        assert_eq!(CheckedThrough::<T>::get(), old.next());
        assert_eq!(ResponsiveCount::<T>::get(), online.saturating_sub(s));
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
        let Arranged { pool, .. } = registered::<T>()?;
        PoolWorkers::<T>::mutate(pool, |all| all.truncate(POOL_WORKERS_MAX as usize - RELEASE_SESSIONS_MAX));
        for n in 0..RELEASE_SESSIONS_MAX as u32 {
            one_of_many::<T>(pool, 0, n, None)?;
        }
        #[block]
        {
            Pallet::<T>::release(pool, Planck(u128::MAX));
        }
        assert_eq!(CoolingTail::<T>::get(), RELEASE_SESSIONS_MAX as u64);
        Ok(())
    }
}
