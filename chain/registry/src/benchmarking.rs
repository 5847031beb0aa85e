//! What each call costs, in its dearest case.
//!
//! Evidence is that of [`crate::fixture`]: a simulated TEE's quote, in Intel's format.

use crate::{
    BenchmarkHelper as _, COLLATERAL_PIECES_MAX, Call, Collateral, Config, EvidenceRoot, Measurements, Pallet,
    SWEEP_RECORDS_MAX, SweptUpTo, Verdict, Workers,
    fixture::{FIXTURE, Fixture},
};
use alloc::{boxed::Box, vec, vec::Vec};
use codec::Decode;
use frame_benchmarking::v2::*;
use frame_support::{pallet_prelude::*, traits::Authorize};
use frame_system::{Origin, pallet_prelude::BlockNumberFor};
use phala_evidence::{CollateralKey, Policy, StoredCollateral, TrustedRoot};
use phala_messages::{
    Attested, Hash, InstanceKey, Registration, Role, Root, TcbStatus, Tee, TransportKey, WorkerId, WorkerRecord,
    collateral::Collateral as Piece, limits::ENDPOINT_BYTES_MAX,
};
use phala_units::{BlockNumber, UnixMillis};
use sp_runtime::traits::Zero;

fn system_hash<T: Config>(hash: [u8; 32]) -> Result<T::Hash, BenchmarkError> {
    T::Hash::decode(&mut &hash[..]).map_err(|_| BenchmarkError::Stop("a hash has 32 bytes"))
}

/// A chain that is ready to judge the fixture's registration.
fn arranged<T: Config>() -> Result<Fixture, BenchmarkError> {
    let fixture = Fixture::decode(&mut &FIXTURE[..]).map_err(|_| BenchmarkError::Stop("the fixture is one"))?;
    let cited = fixture.submission.block;
    frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::zero(), system_hash::<T>(fixture.genesis.0)?);
    frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::from(cited.number.0), system_hash::<T>(cited.hash.0)?);
    frame_system::Pallet::<T>::set_block_number(BlockNumberFor::<T>::from(cited.number.0.saturating_add(1)));
    T::BenchmarkHelper::set_time(fixture.time.0);
    EvidenceRoot::<T>::put(TrustedRoot::insecure_development());
    Measurements::<T>::insert(fixture.submission.registration.role, fixture.measurement, ());
    for piece in &fixture.collateral {
        store::<T>(piece)?;
    }
    Ok(fixture)
}

fn store<T: Config>(piece: &Piece) -> Result<(), BenchmarkError> {
    let call = Call::<T>::store_collateral { collateral: Box::new(piece.clone()) };
    judge(&call)?;
    Ok(Pallet::<T>::store_collateral(Origin::<T>::Authorized.into(), Box::new(piece.clone()))?)
}

fn judge<T: Config>(call: &Call<T>) -> Result<(), BenchmarkError> {
    call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
    Ok(())
}

/// The fixture's TCB info, as if nothing were stored for its platforms yet.
fn tcb_info<T: Config>() -> Result<Piece, BenchmarkError> {
    let fixture = arranged::<T>()?;
    let piece = fixture.collateral.into_iter().find(|piece| matches!(piece, Piece::TcbInfo { .. }));
    let piece = piece.ok_or("the fixture holds TCB info")?;
    let stored: Vec<_> =
        Collateral::<T>::iter_keys().filter(|key| matches!(key, CollateralKey::TcbInfo { .. })).collect();
    stored.into_iter().for_each(Collateral::<T>::remove);
    Ok(piece)
}

/// Fills the chain with so many pieces, each as large as the fixture's TCB info.
fn fill<T: Config>(pieces: u32) -> Result<(), BenchmarkError> {
    arranged::<T>()?;
    let large: StoredCollateral = Collateral::<T>::iter_values()
        .find(|piece| matches!(piece, StoredCollateral::TcbInfo(_)))
        .ok_or("the fixture holds TCB info")?;
    let _ = Collateral::<T>::clear(u32::MAX, None);
    for n in 0..pieces {
        let [a, b, c, d] = n.to_le_bytes();
        let key = CollateralKey::TcbInfo { root: Root::Development, tee: Tee::Tdx, fmspc: [a, b, c, d, 0, 0] };
        Collateral::<T>::insert(key, large.clone());
    }
    Ok(())
}

/// Makes a machine exist in this role, its instance admitted, without evidence: for the benchmarks of others.
pub fn admit<T: Config>(role: Role, worker: &WorkerId, instance: &InstanceKey) {
    let measurement = Hash([0x4d; 32]);
    let endpoint = vec![b'a'; ENDPOINT_BYTES_MAX as usize].try_into().unwrap_or_default();
    let (worker, instance) = (*worker, *instance);
    let record = WorkerRecord {
        registration: Registration { worker, instance, transport: TransportKey([5; 32]), role, endpoint },
        attested: Attested { tee: Tee::Tdx, root: Root::Intel, tcb: TcbStatus::UpToDate, measurement },
        admitted_block: BlockNumber(0),
        admitted_at: UnixMillis(0),
        expires_at: UnixMillis(u64::MAX),
    };
    Measurements::<T>::insert(role, measurement, ());
    Workers::<T>::insert(worker, record);
    crate::Instances::<T>::insert(instance, worker);
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn authorize_register() -> Result<(), BenchmarkError> {
        let call = Call::<T>::register { submission: Box::new(arranged::<T>()?.submission) };
        #[block]
        {
            judge(&call)?;
        }
        Ok(())
    }

    #[benchmark]
    fn register() -> Result<(), BenchmarkError> {
        let submission = Box::new(arranged::<T>()?.submission);
        let worker = submission.registration.worker;
        judge(&Call::<T>::register { submission: submission.clone() })?;
        // The dearest case replaces an instance.
        let (hash, verdict) = crate::Judged::<T>::get().ok_or("a verdict was handed over")?;
        let Verdict::Evidence(judgement) = &verdict else { return Err("the verdict is over evidence".into()) };
        let mut before = WorkerRecord {
            registration: submission.registration.clone(),
            attested: judgement.attested,
            admitted_block: BlockNumber(0),
            admitted_at: UnixMillis(0),
            expires_at: UnixMillis(0),
        };
        before.registration.instance = InstanceKey([0; 32]);
        Workers::<T>::insert(worker, before);
        crate::Instances::<T>::insert(InstanceKey([0; 32]), worker);
        crate::EvidenceBlocks::<T>::insert(worker, BlockNumber(0));
        crate::Judged::<T>::put((hash, verdict));
        #[extrinsic_call]
        _(Origin::<T>::Authorized, submission.clone());
        assert_eq!(Workers::<T>::get(worker).map(|record| record.registration), Some(submission.registration));
        Ok(())
    }

    #[benchmark]
    fn authorize_store_collateral() -> Result<(), BenchmarkError> {
        let call = Call::<T>::store_collateral { collateral: Box::new(tcb_info::<T>()?) };
        #[block]
        {
            judge(&call)?;
        }
        Ok(())
    }

    #[benchmark]
    fn store_collateral() -> Result<(), BenchmarkError> {
        let piece = Box::new(tcb_info::<T>()?);
        judge(&Call::<T>::store_collateral { collateral: piece.clone() })?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, piece);
        Ok(())
    }

    #[benchmark]
    fn allow_measurement() -> Result<(), BenchmarkError> {
        let origin = T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Role::Worker, Hash([1; 32]));
        Ok(())
    }

    #[benchmark]
    fn disallow_measurement() -> Result<(), BenchmarkError> {
        let origin = T::GuardOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        Measurements::<T>::insert(Role::Worker, Hash([1; 32]), ());
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Role::Worker, Hash([1; 32]));
        Ok(())
    }

    #[benchmark]
    fn set_policy() -> Result<(), BenchmarkError> {
        let origin = T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Role::Worker, Policy::strict());
        Ok(())
    }

    #[benchmark]
    fn set_root(n: Linear<0, COLLATERAL_PIECES_MAX>) -> Result<(), BenchmarkError> {
        let origin = T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        fill::<T>(n)?;
        let intel = TrustedRoot::intel().certificate.try_into().map_err(|_| "the certificate fits")?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Root::Intel, intel);
        assert_eq!(Collateral::<T>::count(), 0);
        Ok(())
    }

    #[benchmark]
    fn sweep(n: Linear<0, SWEEP_RECORDS_MAX>) -> Result<(), BenchmarkError> {
        let fixture = arranged::<T>()?;
        judge(&Call::<T>::register { submission: Box::new(fixture.submission.clone()) })?;
        Pallet::<T>::register(Origin::<T>::Authorized.into(), Box::new(fixture.submission.clone()))?;
        let worker = fixture.submission.registration.worker;
        let record = Workers::<T>::take(worker).ok_or("the worker is registered")?;
        crate::Instances::<T>::remove(record.registration.instance);
        crate::EvidenceBlocks::<T>::remove(worker);
        for n in 0..n {
            let mut key = [7; 32];
            key[..4].copy_from_slice(&n.to_le_bytes());
            let mut record = record.clone();
            record.registration.worker = WorkerId(key);
            record.registration.instance = InstanceKey(key);
            crate::Instances::<T>::insert(InstanceKey(key), WorkerId(key));
            crate::EvidenceBlocks::<T>::insert(WorkerId(key), BlockNumber(0));
            Workers::<T>::insert(WorkerId(key), record);
        }
        T::BenchmarkHelper::set_time(record.expires_at.saturating_add(crate::RECORD_KEPT_MS).0);
        #[block]
        {
            Pallet::<T>::sweep(BlockNumberFor::<T>::zero(), Weight::MAX);
        }
        assert_eq!(Workers::<T>::iter().count(), 0);
        assert_eq!(SweptUpTo::<T>::get().is_some(), n == SWEEP_RECORDS_MAX);
        Ok(())
    }
}
