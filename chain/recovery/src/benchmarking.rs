//! What each call costs, in its dearest case: a root with as many members as there may be, as many custodians, every seat backed up.
//!
//! Only a runtime has a custody of that size: the mock cannot run any of these.

use crate::{
    ActiveCeremonies, BackedRoots, Backups, Call, Calls, Ceremonies, Config, Custodians, Custody as _, EpochOutputs,
    OutputEpochs, Pallet, ROOTS_MAX, RecoveryTimes, SETS_KEPT,
};
use alloc::{boxed::Box, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::pallet_prelude::*;
use frame_system::{Origin, pallet_prelude::BlockNumberFor};
use phala_messages::{
    CustodianKey, Hash, InstanceKey, Signature, WorkerId,
    custody::{CustodyMessage, EpochNumber, EpochRecord, GROUP_POINT_BYTES, Places, RootGeneration, Signed, with},
    limits::{CUSTODIANS_MAX, EPOCH_OUTPUT_BYTES_MAX, GATEKEEPERS_MAX},
    recovery::{
        Binding, CeremonyNumber, CeremonyRecord, Custodian, CustodianCall, CustodianMessage as _, EpochOutput, Ground,
        KEEPSAKE_BYTES, RecoveryParameters, SEALED_PIECE_BYTES, SeatBackup, SeatTaken,
    },
    transcript::Preimage,
};
use phala_units::BlockNumber;
use sp_core::{crypto::KeyTypeId, ed25519};

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"phal");
const OUTPUT_DOMAIN: &str = "phala/threshold/output/v1";
/// A root that was closed since it was backed up.
const CLOSED: RootGeneration = RootGeneration(1_000);

struct Arranged {
    root: RootGeneration,
    epoch: EpochRecord,
    /// Machines that may take seats.
    others: Vec<WorkerId>,
    /// The instance of all machines, and what all custodians sign with.
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

/// The longest output.
fn output() -> EpochOutput {
    vec![9; EPOCH_OUTPUT_BYTES_MAX as usize].try_into().unwrap_or_default()
}

/// As many custodians as there may be; all but the first have keys that nobody has.
fn custodians(key: &ed25519::Public) -> BoundedVec<Custodian, ConstU32<CUSTODIANS_MAX>> {
    let keys = |n: u8| Custodian {
        sealing: CustodianKey([n; 32]),
        signing: CustodianKey(if n == 1 { key.0 } else { [0x80 | n; 32] }),
    };
    (1..=CUSTODIANS_MAX as u8).map(keys).collect::<Vec<_>>().try_into().unwrap_or_default()
}

fn appoint<T: Config>(key: &ed25519::Public) -> Result<(), BenchmarkError> {
    Ok(Pallet::<T>::do_appoint(CUSTODIANS_MAX, custodians(key))?)
}

fn backup<T: Config>(epoch: &EpochRecord, place: u32) -> Result<SeatBackup, BenchmarkError> {
    let set = Custodians::<T>::get().ok_or(BenchmarkError::Stop("custodians are appointed"))?;
    let member = epoch.members.get(place as usize).ok_or(BenchmarkError::Stop("the epoch has the seat"))?;
    let polynomial = vec![7; GROUP_POINT_BYTES.saturating_mul(set.threshold as usize)];
    let pieces = vec![[8; SEALED_PIECE_BYTES]; set.custodians.len()];
    Ok(SeatBackup {
        root: epoch.root,
        epoch: epoch.epoch,
        place,
        set: set.number,
        gatekeeper: member.gatekeeper,
        polynomial: polynomial.try_into().map_err(|_| BenchmarkError::Stop("the polynomial fits"))?,
        pieces: pieces.try_into().map_err(|_| BenchmarkError::Stop("the pieces fit"))?,
        keepsake: [9; KEEPSAKE_BYTES],
    })
}

fn at<T: Config>(block: BlockNumber) {
    frame_system::Pallet::<T>::set_block_number(BlockNumberFor::<T>::from(block.0));
}

/// Custodians, and a root of which nothing is kept; of a closed root everything is.
fn rooted<T: Config>() -> Result<Arranged, BenchmarkError> {
    let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
    let hash = Preimage::new(OUTPUT_DOMAIN).bytes(&output()).hash();
    let arranged = T::Custody::arrange_for_benchmark(&InstanceKey(key.0), hash);
    let (root, others) = arranged.ok_or(BenchmarkError::Stop("custody is arranged"))?;
    let epoch = T::Custody::epoch(root).ok_or(BenchmarkError::Stop("the root has an epoch"))?;
    appoint::<T>(&key)?;
    BackedRoots::<T>::put(BoundedVec::truncate_from(vec![CLOSED]));
    OutputEpochs::<T>::insert(CLOSED, EpochNumber(77));
    EpochOutputs::<T>::insert(CLOSED, output());
    for place in 0..GATEKEEPERS_MAX {
        Backups::<T>::insert(CLOSED, place, backup::<T>(&epoch, place)?);
    }
    Ok(Arranged { root, epoch, others, key })
}

/// A root that is backed up.
fn backed<T: Config>() -> Result<Arranged, BenchmarkError> {
    let arranged = rooted::<T>()?;
    Pallet::<T>::do_store_output(arranged.root, output())?;
    for place in 0..GATEKEEPERS_MAX {
        Pallet::<T>::do_store_backup(backup::<T>(&arranged.epoch, place)?)?;
    }
    Ok(arranged)
}

/// A root that counts as lost because it hands nothing on: everybody is looked at for that.
fn lost<T: Config>() -> Result<Arranged, BenchmarkError> {
    let arranged = backed::<T>()?;
    at::<T>(arranged.epoch.since.saturating_add(RecoveryTimes::<T>::get().silence_blocks).next());
    Ok(arranged)
}

/// A ceremony whose delay has passed.
fn open<T: Config>() -> Result<(Arranged, CeremonyRecord), BenchmarkError> {
    let arranged = lost::<T>()?;
    Pallet::<T>::do_announce(arranged.root)?;
    let ceremony = Ceremonies::<T>::get(arranged.root).ok_or(BenchmarkError::Stop("the ceremony stands"))?;
    at::<T>(ceremony.opens);
    Ok((arranged, ceremony))
}

/// A ceremony with a machine for every seat: as many have taken theirs as lack one to a key. The message of that one.
fn nearly_complete<T: Config>() -> Result<(Arranged, Signed<SeatTaken>), BenchmarkError> {
    let (arranged, mut ceremony) = open::<T>()?;
    let last = arranged.epoch.threshold.saturating_sub(1);
    let seats = (0u32..).zip(&arranged.others).take(arranged.epoch.members.len());
    let seats = seats.map(|(place, gatekeeper)| Binding { place, gatekeeper: *gatekeeper, taken: place < last });
    ceremony.seats = BoundedVec::truncate_from(seats.collect());
    let gatekeeper = arranged.others.get(last as usize).ok_or(BenchmarkError::Stop("there are as many machines"))?;
    let taken = SeatTaken { root: arranged.root, ceremony: ceremony.number, place: last, gatekeeper: *gatekeeper };
    Ceremonies::<T>::insert(arranged.root, ceremony);
    let taken = signed::<T, _>(&arranged.key, taken)?;
    Ok((arranged, taken))
}

/// The custodian's call that announces.
fn last_call<T: Config>(arranged: &Arranged) -> Result<Signed<CustodianCall>, BenchmarkError> {
    let Arranged { root, epoch, key, .. } = arranged;
    let set = Custodians::<T>::get().ok_or(BenchmarkError::Stop("custodians are appointed"))?;
    let others = (1..CUSTODIANS_MAX).fold(0 as Places, with);
    Calls::<T>::insert(root, (epoch.epoch, set.number, others));
    let message = CustodianCall { root: *root, epoch: epoch.epoch, set: set.number, custodian: 0 };
    let signature = sign(key, message.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(Signed { message, signature })
}

fn admin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)
}

fn care<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::CareOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn appoint() -> Result<(), BenchmarkError> {
        let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
        for _ in 0..SETS_KEPT {
            super::appoint::<T>(&key)?;
        }
        let origin = admin::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, CUSTODIANS_MAX, custodians(&key));
        assert_eq!(Custodians::<T>::get().map(|set| set.number.0), Some(SETS_KEPT.saturating_add(1)));
        Ok(())
    }

    #[benchmark]
    fn set_parameters() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, RecoveryParameters::DEFAULT);
        Ok(())
    }

    #[benchmark]
    fn announce() -> Result<(), BenchmarkError> {
        let Arranged { root, .. } = lost::<T>()?;
        let origin = care::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, root);
        assert!(Ceremonies::<T>::contains_key(root));
        Ok(())
    }

    #[benchmark]
    fn cancel() -> Result<(), BenchmarkError> {
        let (Arranged { root, .. }, _) = nearly_complete::<T>()?;
        let origin = care::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, root);
        assert!(!Ceremonies::<T>::contains_key(root));
        Ok(())
    }

    #[benchmark]
    fn bind() -> Result<(), BenchmarkError> {
        let (Arranged { root, others, .. }, _) = nearly_complete::<T>()?;
        let last = GATEKEEPERS_MAX.saturating_sub(1);
        let gatekeeper = *others.get(last as usize).ok_or(BenchmarkError::Stop("there are as many machines"))?;
        let origin = care::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, root, last, gatekeeper);
        Ok(())
    }

    // Of a backup, an output, an objection and a seat that is taken, the last one has the most looked up.
    #[benchmark]
    fn authorize_message() -> Result<(), BenchmarkError> {
        let (_, taken) = nearly_complete::<T>()?;
        let call = Call::<T>::take_seat { taken };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn authorize_call() -> Result<(), BenchmarkError> {
        let call = Call::<T>::call_for { call: last_call::<T>(&lost::<T>()?)? };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn store_backup() -> Result<(), BenchmarkError> {
        let Arranged { root, epoch, key, .. } = rooted::<T>()?;
        let backup = Box::new(signed::<T, _>(&key, backup::<T>(&epoch, 0)?)?);
        #[extrinsic_call]
        _(Origin::<T>::Authorized, backup);
        assert!(Backups::<T>::contains_key(root, 0) && !Backups::<T>::contains_key(CLOSED, 0));
        Ok(())
    }

    #[benchmark]
    fn store_output() -> Result<(), BenchmarkError> {
        let Arranged { root, .. } = rooted::<T>()?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, root, output());
        assert!(EpochOutputs::<T>::contains_key(root) && !EpochOutputs::<T>::contains_key(CLOSED));
        Ok(())
    }

    #[benchmark]
    fn call_for() -> Result<(), BenchmarkError> {
        let arranged = lost::<T>()?;
        let call = last_call::<T>(&arranged)?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, call);
        assert!(Ceremonies::<T>::contains_key(arranged.root));
        Ok(())
    }

    #[benchmark]
    fn take_seat() -> Result<(), BenchmarkError> {
        let (Arranged { root, .. }, taken) = nearly_complete::<T>()?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, taken);
        assert!(!Ceremonies::<T>::contains_key(root));
        Ok(())
    }

    // Each is given up: its root is no more.
    #[benchmark]
    fn advance(n: Linear<0, ROOTS_MAX>) -> Result<(), BenchmarkError> {
        let seats = (0..GATEKEEPERS_MAX).map(|place| Binding { place, gatekeeper: WorkerId([7; 32]), taken: true });
        let seats: Vec<_> = seats.collect();
        for n in 0..n {
            let ceremony = CeremonyRecord {
                number: CeremonyNumber(n),
                root: RootGeneration(n),
                epoch: EpochNumber(n),
                ground: Ground::Silent,
                announced: BlockNumber(0),
                opens: BlockNumber(1),
                lapses: BlockNumber(2),
                objected: 0,
                seats: BoundedVec::truncate_from(seats.clone()),
            };
            Ceremonies::<T>::insert(RootGeneration(n), ceremony);
            ActiveCeremonies::<T>::try_append(RootGeneration(n)).map_err(|()| "as many as there may be")?;
        }
        #[block]
        {
            Pallet::<T>::advance();
        }
        assert!(ActiveCeremonies::<T>::get().is_empty());
        Ok(())
    }
}
