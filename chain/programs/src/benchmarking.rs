//! What each call costs, in its dearest case.

use crate::{
    AbandonedCommands, Anchors, Call, ClusterCount, Clusters, Commands, Config, FreeSlots, KeyRecords, Keys as _,
    Leads, Pallet, ProgramCount, Programs, Workers as _, command::SEALED_COMMAND_BYTES_MIN,
};
use alloc::{format, string::String, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
    pallet_prelude::*,
    traits::{
        Authorize, UnfilteredDispatchable as _,
        fungible::{Inspect as _, Unbalanced as _},
    },
};
use frame_system::{Origin, RawOrigin};
use phala_messages::{
    Account, ClusterId, CodeHash, Hash, InstanceKey, Keep, KeyName, Manifest, ProgramId, Signature, StateRoot,
    TransportKey, WorkerId,
    anchor::{ANCHOR_COMMANDS_MAX, Anchor, SignedAnchor},
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
    limits::{NAME_BYTES_MAX, OUTBOUND_HOSTS_MAX, SEALED_COMMAND_BYTES_MAX},
    moves::{Moved, SignedMoved},
    program::{Ready, SignedReady},
};
use sp_core::crypto::KeyTypeId;

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"phal");
const CLUSTER: ClusterId = ClusterId(0);

/// An account that can pay every deposit.
fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId {
    let account: T::AccountId = account(name, index, 0);
    let amount = T::Currency::minimum_balance()
        .saturating_mul(1_000)
        .saturating_add(T::ProgramDeposit::get().saturating_mul(100))
        .saturating_add(Pallet::<T>::command_deposit(SEALED_COMMAND_BYTES_MAX).0.saturating_mul(100));
    let _ = T::Currency::write_balance(&account, amount);
    account
}

/// A worker with an instance whose key the keystore holds.
fn worker<T: Config>() -> (WorkerId, sp_core::ed25519::Public) {
    let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
    let worker = WorkerId([0x77; 32]);
    T::Workers::admit_for_benchmark(&worker, &InstanceKey(key.0));
    (worker, key)
}

fn sign(key: &sp_core::ed25519::Public, hash: Hash) -> Result<Signature, BenchmarkError> {
    let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, key, &hash.0);
    Ok(signature.ok_or(BenchmarkError::Stop("the keystore holds the key"))?.0)
}

fn manifest(hosts: u32) -> Result<Manifest, BenchmarkError> {
    let host = |n| -> Result<_, BenchmarkError> {
        let name: String = format!("*.{}.{n}.example.org:65535", "a".repeat(60));
        name.into_bytes().try_into().map_err(|_| BenchmarkError::Stop("a host fits"))
    };
    let hosts = (0..hosts).map(host).collect::<Result<Vec<_>, _>>()?;
    let outbound_hosts = hosts.try_into().map_err(|_| BenchmarkError::Stop("the hosts fit"))?;
    Ok(Manifest { outbound_hosts, ..Default::default() })
}

fn deploy_call<T: Config>(hosts: u32) -> Result<Call<T>, BenchmarkError> {
    let name = vec![b'a'; NAME_BYTES_MAX as usize].try_into().map_err(|_| BenchmarkError::Stop("the name fits"))?;
    Ok(Call::deploy { cluster: CLUSTER, name, code: CodeHash([0xcc; 32]), code_bytes: 1, manifest: manifest(hosts)? })
}

/// A program of this owner's, for the benchmarks of others.
pub fn found<T: Config>(owner: &Account) -> ProgramId {
    let account = T::AccountId::from(owner.0);
    let amount = T::Currency::minimum_balance().saturating_add(T::ProgramDeposit::get().saturating_mul(2));
    let _ = T::Currency::write_balance(&account, T::Currency::balance(&account).saturating_add(amount));
    let origin: <T as frame_system::Config>::RuntimeOrigin = RawOrigin::Signed(account).into();
    let program = ProgramId::derive(owner, ProgramCount::<T>::get());
    let cluster = ClusterId(ClusterCount::<T>::get());
    let _ = Pallet::<T>::create_cluster(origin.clone());
    if let Ok(Call::deploy { name, code, code_bytes, manifest, .. }) = deploy_call::<T>(0) {
        let _ = Pallet::<T>::deploy(origin, cluster, name, code, code_bytes, manifest);
    }
    program
}

struct Arranged<T: Config> {
    owner: T::AccountId,
    worker: WorkerId,
    key: sp_core::ed25519::Public,
    program: ProgramId,
}

/// A cluster with a worker and a deployed program.
fn deployed<T: Config>() -> Result<Arranged<T>, BenchmarkError> {
    let owner = rich::<T>("owner", 0);
    let (worker, key) = worker::<T>();
    T::Keys::guard_for_benchmark();
    Pallet::<T>::create_cluster(RawOrigin::Signed(owner.clone()).into())?;
    Pallet::<T>::assign_worker(RawOrigin::Signed(owner.clone()).into(), CLUSTER, worker)?;
    let program = ProgramId::derive(&Pallet::<T>::account(&owner), 0);
    let origin: <T as frame_system::Config>::RuntimeOrigin = RawOrigin::Signed(owner.clone()).into();
    deploy_call::<T>(OUTBOUND_HOSTS_MAX)?.dispatch_bypass_filter(origin).map_err(|error| error.error)?;
    Ok(Arranged { owner, worker, key, program })
}

fn signed_ready<T: Config>(arranged: &Arranged<T>) -> Result<SignedReady, BenchmarkError> {
    let ready = Ready { program: arranged.program, transport: TransportKey([5; 32]), worker: arranged.worker };
    let signature = sign(&arranged.key, ready.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(SignedReady { ready, signature })
}

/// A live program with so many commands, each from an account of its own.
fn live<T: Config>(commands: u32, bytes: u32) -> Result<Arranged<T>, BenchmarkError> {
    let arranged = deployed::<T>()?;
    Pallet::<T>::ready(Origin::<T>::Authorized.into(), signed_ready(&arranged)?)?;
    for index in 0..commands {
        let sealed = vec![0xab; bytes as usize].try_into().map_err(|_| BenchmarkError::Stop("the command fits"))?;
        Pallet::<T>::command(RawOrigin::Signed(rich::<T>("caller", index)).into(), arranged.program, sealed)?;
    }
    Ok(arranged)
}

/// A lead that was doubted and did not show itself, with stake at work, in the largest cluster; and who takes its place.
fn doubted<T: Config>() -> Result<SignedLeadMessage, BenchmarkError> {
    let Arranged { owner, worker: lead, key, .. } = deployed::<T>()?;
    T::Workers::employ_for_benchmark(&lead);
    let worker = WorkerId([0x78; 32]);
    T::Workers::admit_for_benchmark(&worker, &InstanceKey(key.0));
    Pallet::<T>::assign_worker(RawOrigin::Signed(owner.clone()).into(), CLUSTER, worker)?;
    for n in 2..T::WorkersPerCluster::get().min(100) {
        let other = WorkerId([n as u8; 32]);
        T::Workers::admit_for_benchmark(&other, &InstanceKey(other.0));
        Pallet::<T>::assign_worker(RawOrigin::Signed(owner.clone()).into(), CLUSTER, other)?;
    }
    let newest = Pallet::<T>::block();
    Leads::<T>::mutate(CLUSTER, |record| record.doubted = Some(newest));
    frame_system::Pallet::<T>::set_block_number(newest.saturating_add(T::LeadPatience::get()).next().0.into());
    let term = Leads::<T>::get(CLUSTER).term;
    let message = LeadMessage { cluster: CLUSTER, term, newest, step: LeadStep::Take, worker };
    let signature = sign(&key, message.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(SignedLeadMessage { message, signature })
}

fn signed_anchor<T: Config>(arranged: &Arranged<T>, to: u64) -> Result<SignedAnchor, BenchmarkError> {
    let root = StateRoot([1; 32]);
    let anchor =
        Anchor { program: arranged.program, from: 0, to, root, results: Hash([2; 32]), worker: arranged.worker };
    let signature = sign(&arranged.key, anchor.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(SignedAnchor { anchor, signature })
}

/// Orders an upgrade, and says that it is carried out.
fn signed_moved<T: Config>(arranged: &Arranged<T>) -> Result<SignedMoved, BenchmarkError> {
    let Arranged { owner, program, worker, .. } = arranged;
    let manifest = Some(manifest(OUTBOUND_HOSTS_MAX)?);
    let origin = RawOrigin::Signed(owner.clone()).into();
    Pallet::<T>::upgrade(origin, *program, CodeHash([0xcd; 32]), 1, manifest, Keep::StateAndKeys)?;
    let to = KeyName { root: T::Keys::root_wanted(program), code: KeyRecords::<T>::get(program).newest };
    let (transport, root) = (TransportKey([6; 32]), StateRoot([1; 32]));
    let moved = Moved { program: *program, to, transport, version: 0, root, worker: *worker };
    let signature = sign(&arranged.key, moved.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(SignedMoved { moved, signature })
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn create_cluster() {
        let owner = rich::<T>("owner", 0);
        #[extrinsic_call]
        _(RawOrigin::Signed(owner));
        assert!(Clusters::<T>::contains_key(CLUSTER));
    }

    #[benchmark]
    fn assign_worker() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        let (worker, _) = worker::<T>();
        Pallet::<T>::create_cluster(RawOrigin::Signed(owner.clone()).into())?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), CLUSTER, worker);
        Ok(())
    }

    #[benchmark]
    fn unassign_worker() -> Result<(), BenchmarkError> {
        let Arranged { owner, worker, .. } = deployed::<T>()?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), worker);
        Ok(())
    }

    #[benchmark]
    fn deploy(h: Linear<0, OUTBOUND_HOSTS_MAX>) -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner", 0);
        T::Keys::guard_for_benchmark();
        Pallet::<T>::create_cluster(RawOrigin::Signed(owner.clone()).into())?;
        Clusters::<T>::mutate(CLUSTER, |cluster| cluster.as_mut().map(|cluster| cluster.slots = 1));
        FreeSlots::<T>::insert(CLUSTER, 0, ());
        let call = deploy_call::<T>(h)?;
        let origin: <T as frame_system::Config>::RuntimeOrigin = RawOrigin::Signed(owner).into();
        #[block]
        {
            call.dispatch_bypass_filter(origin).map_err(|error| error.error)?;
        }
        assert_eq!(Programs::<T>::iter().count(), 1);
        Ok(())
    }

    #[benchmark]
    fn remove() -> Result<(), BenchmarkError> {
        let Arranged { owner, program, .. } = live::<T>(1, SEALED_COMMAND_BYTES_MIN as u32)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), program);
        assert!(AbandonedCommands::<T>::contains_key(program));
        Ok(())
    }

    #[benchmark]
    fn command(b: Linear<48, SEALED_COMMAND_BYTES_MAX>) -> Result<(), BenchmarkError> {
        let Arranged { program, .. } = live::<T>(0, 0)?;
        let caller = rich::<T>("caller", 0);
        let sealed = vec![0xab; b as usize].try_into().map_err(|_| BenchmarkError::Stop("the command fits"))?;
        #[extrinsic_call]
        _(RawOrigin::Signed(caller), program, sealed);
        assert!(Commands::<T>::contains_key(program, 0));
        Ok(())
    }

    #[benchmark]
    fn authorize_ready() -> Result<(), BenchmarkError> {
        let arranged = deployed::<T>()?;
        let call = Call::<T>::ready { ready: signed_ready(&arranged)? };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn ready() -> Result<(), BenchmarkError> {
        let arranged = deployed::<T>()?;
        let signed = signed_ready(&arranged)?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, signed);
        Ok(())
    }

    #[benchmark]
    fn authorize_anchor() -> Result<(), BenchmarkError> {
        let arranged = live::<T>(1, SEALED_COMMAND_BYTES_MIN as u32)?;
        let call = Call::<T>::anchor { anchor: signed_anchor(&arranged, 1)? };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn anchor(n: Linear<1, 1_024>) -> Result<(), BenchmarkError> {
        assert_eq!(ANCHOR_COMMANDS_MAX, 1_024);
        let arranged = live::<T>(n, 1_024)?;
        let signed = signed_anchor(&arranged, n.into())?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, signed);
        assert_eq!(Anchors::<T>::get(arranged.program).map(|record| record.version), Some(n.into()));
        Ok(())
    }

    #[benchmark]
    fn upgrade() -> Result<(), BenchmarkError> {
        let Arranged { owner, program, .. } = live::<T>(1, SEALED_COMMAND_BYTES_MIN as u32)?;
        let manifest = Some(manifest(OUTBOUND_HOSTS_MAX)?);
        #[extrinsic_call]
        _(RawOrigin::Signed(owner), program, CodeHash([0xcd; 32]), 1, manifest, Keep::StateAndKeys);
        assert!(KeyRecords::<T>::get(program).upgrade.is_some());
        Ok(())
    }

    #[benchmark]
    fn authorize_moved() -> Result<(), BenchmarkError> {
        let arranged = live::<T>(0, 0)?;
        let call = Call::<T>::moved { moved: signed_moved(&arranged)? };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn authorize_lead() -> Result<(), BenchmarkError> {
        let call = Call::<T>::lead { lead: doubted::<T>()? };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn moved() -> Result<(), BenchmarkError> {
        let arranged = live::<T>(0, 0)?;
        let signed = signed_moved(&arranged)?;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, signed);
        assert!(KeyRecords::<T>::get(arranged.program).moved.is_some());
        Ok(())
    }

    #[benchmark]
    fn lead() -> Result<(), BenchmarkError> {
        let signed = doubted::<T>()?;
        let worker = signed.message.worker;
        #[extrinsic_call]
        _(Origin::<T>::Authorized, signed);
        assert_eq!(Clusters::<T>::get(CLUSTER).and_then(|cluster| cluster.workers.first().copied()), Some(worker));
        Ok(())
    }

    #[benchmark]
    fn find_abandoned() -> Result<(), BenchmarkError> {
        let Arranged { owner, program, .. } = live::<T>(1, SEALED_COMMAND_BYTES_MIN as u32)?;
        Pallet::<T>::remove(RawOrigin::Signed(owner).into(), program)?;
        #[block]
        {
            if let Some((program, left)) = AbandonedCommands::<T>::iter().next() {
                AbandonedCommands::<T>::insert(program, left);
            }
        }
        Ok(())
    }

    #[benchmark]
    fn release_abandoned() -> Result<(), BenchmarkError> {
        let Arranged { program, .. } = live::<T>(1, SEALED_COMMAND_BYTES_MAX)?;
        #[block]
        {
            Pallet::<T>::release_command(&program, 0);
        }
        assert!(!Commands::<T>::contains_key(program, 0));
        Ok(())
    }
}
