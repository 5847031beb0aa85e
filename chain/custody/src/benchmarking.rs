//! What each call costs, in its dearest case.

use crate::{
    CANDIDATES_MAX, Call, CandidateQueue, Candidates, Complaints, Config, CustodyParameters, Epochs, Gatekeepers,
    HoldReason, Judged, LiveRoots, Logs, Machines as _, NewestRound, OpenRoot, Pallet, Participants, ROOTS_LIVE_MAX,
    ROUNDS_KEPT, Roots, Rounds, Validators as _, Watching, complaint::fingerprint,
};
use alloc::{boxed::Box, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
    pallet_prelude::*,
    traits::{
        Authorize,
        fungible::{Inspect as _, Unbalanced as _, hold::Mutate as _},
    },
};
use frame_system::{Origin, RawOrigin, pallet_prelude::BlockNumberFor};
use phala_messages::{
    Hash, InstanceKey, ParticipantKey, Signature, WorkerId,
    custody::{Member, *},
    limits::{COMPLAINT_EVIDENCE_BYTES_MAX, DELIVERIES_PER_BATCH_MAX, GATEKEEPERS_MAX},
};
use phala_units::{BlockNumber, Planck};
use sp_core::crypto::KeyTypeId;

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"phal");
const GROUP_KEY: GroupKey = GroupKey([7; GROUP_POINT_BYTES]);

fn sign(key: &sp_core::ed25519::Public, hash: Hash) -> Result<Signature, BenchmarkError> {
    let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, key, &hash.0);
    Ok(signature.ok_or(BenchmarkError::Stop("the keystore holds the key"))?.0)
}

fn signed<T: Config, M: CustodyMessage>(
    key: &sp_core::ed25519::Public,
    message: M,
) -> Result<Signed<M>, BenchmarkError> {
    let signature = sign(key, message.signing_hash(&Pallet::<T>::genesis()))?;
    Ok(Signed { message, signature })
}

/// A validator that can pay its bond.
fn validator<T: Config>(n: u32) -> T::AccountId {
    let who: T::AccountId = account("validator", n, 0);
    let bond = CustodyParameters::<T>::get().bond.0;
    let amount = T::Currency::minimum_balance().saturating_mul(1_000).saturating_add(bond.saturating_mul(10));
    let _ = T::Currency::write_balance(&who, amount);
    T::Validators::elect_for_benchmark(&who);
    who
}

fn gatekeeper(n: u32) -> WorkerId {
    let mut id = [0x77; 32];
    id[..4].copy_from_slice(&n.to_be_bytes());
    WorkerId(id)
}

/// `count` approved candidates, their machines admitted with one instance, whose key the keystore holds.
fn candidates<T: Config>(count: u32) -> Result<sp_core::ed25519::Public, BenchmarkError> {
    let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
    candidates_with::<T>(count, &InstanceKey(key.0))?;
    Ok(key)
}

fn candidates_with<T: Config>(count: u32, instance: &InstanceKey) -> Result<(), BenchmarkError> {
    for n in 0..count {
        let (account, gatekeeper) = (Pallet::<T>::account(&validator::<T>(n)), gatekeeper(n));
        let participant = ParticipantKey(gatekeeper.0);
        T::Machines::admit_for_benchmark(&gatekeeper, instance);
        Gatekeepers::<T>::insert(gatekeeper, account);
        Participants::<T>::insert(participant, gatekeeper);
        CandidateQueue::<T>::try_append(account).map_err(|()| BenchmarkError::Stop("the candidates fit"))?;
        let bond = Planck(0);
        let record = CandidateRecord { gatekeeper, participant, bond, approved: true, leaving: None, left: None };
        Candidates::<T>::insert(account, record);
    }
    CustodyParameters::<T>::mutate(|parameters| parameters.members = GATEKEEPERS_MAX);
    Ok(())
}

fn members(from: u32, count: u32) -> Vec<Member> {
    let ids = (from..from.saturating_add(count)).map(gatekeeper);
    ids.map(|gatekeeper| Member { gatekeeper, participant: ParticipantKey(gatekeeper.0) }).collect()
}

/// A round of the largest size in this phase, among the first 64 candidates.
fn round_in<T: Config>(phase: Phase) -> Result<(sp_core::ed25519::Public, RoundRecord), BenchmarkError> {
    let key = candidates::<T>(GATEKEEPERS_MAX)?;
    Ok((key, enter::<T>(0, GATEKEEPERS_MAX, phase)?))
}

fn enter<T: Config>(from: u32, count: u32, phase: Phase) -> Result<RoundRecord, BenchmarkError> {
    let players = members(from, count);
    Pallet::<T>::open_round(Purpose::Generate, RootGeneration(0), None, players.clone(), players, BlockNumber(1));
    let number = NewestRound::<T>::get();
    Rounds::<T>::mutate(number, |round| {
        let round = round.as_mut().ok_or(BenchmarkError::Stop("the round is open"))?;
        round.phase = phase;
        Ok(round.clone())
    })
}

fn output(round: &RoundRecord, player: u32) -> Result<OutputReport, BenchmarkError> {
    output_with(round, player, Hash([1; 32]))
}

fn output_with(round: &RoundRecord, player: u32, output_hash: Hash) -> Result<OutputReport, BenchmarkError> {
    let points = vec![7; GROUP_POINT_BYTES.saturating_mul(round.threshold as usize)];
    let polynomial = points.try_into().map_err(|_| BenchmarkError::Stop("the polynomial fits"))?;
    let player = gatekeeper(player);
    Ok(OutputReport { round: round.number, player, output_hash, group_key: GROUP_KEY, polynomial })
}

/// Makes as many players agree as it takes for an epoch.
fn agree<T: Config>(round: &RoundRecord, output_hash: Hash) -> Result<(), BenchmarkError> {
    for player in 0..round.threshold {
        Pallet::<T>::do_report_output(output_with(round, player, output_hash)?)?;
    }
    Ok(())
}

/// Beside the first root as many others as may live but `free`, each with an epoch of 64 other members. They are looked at first.
fn crowd<T: Config>(free: u32) -> Result<(), BenchmarkError> {
    let first = RootGeneration(0);
    let record = Roots::<T>::get(first).ok_or(BenchmarkError::Stop("the first root is open"))?;
    let epoch = Pallet::<T>::epoch_of(first).ok_or(BenchmarkError::Stop("the first root has an epoch"))?;
    let members = BoundedVec::truncate_from(members(GATEKEEPERS_MAX, GATEKEEPERS_MAX));
    let others = 1..ROOTS_LIVE_MAX.saturating_sub(free);
    for n in others.clone() {
        let (root, number) = (RootGeneration(n), EpochNumber(n.saturating_add(1_000)));
        Epochs::<T>::insert(number, EpochRecord { epoch: number, root, members: members.clone(), ..epoch.clone() });
        Roots::<T>::insert(root, RootRecord { epoch: number, status: RootStatus::Closing, ..record });
    }
    LiveRoots::<T>::put(BoundedVec::truncate_from(others.map(RootGeneration).chain([first]).collect()));
    Ok(())
}

/// A root that takes programs, and nothing else of it: for the benchmarks of others.
pub fn open<T: Config>() {
    let (root, opened) = (RootGeneration(0), BlockNumber(0));
    let epoch = EpochNumber(0);
    let record = RootRecord { status: RootStatus::Open, group_key: GROUP_KEY, epoch, programs: 0, opened };
    Roots::<T>::insert(root, record);
    let _ = LiveRoots::<T>::try_append(root);
    OpenRoot::<T>::put(root);
}

/// A root with an epoch that came to this, of as many members as there may be, all with one instance; and as many machines that
/// may take their seats: for the benchmarks of others.
///
/// # Errors
/// When custody is not empty.
pub fn found<T: Config>(
    instance: &InstanceKey,
    output_hash: Hash,
) -> Result<(RootGeneration, Vec<WorkerId>), BenchmarkError> {
    candidates_with::<T>(CANDIDATES_MAX, instance)?;
    agree::<T>(&enter::<T>(0, GATEKEEPERS_MAX, Phase::Reporting)?, output_hash)?;
    // There is room for the root that takes its place.
    crowd::<T>(1)?;
    Ok((RootGeneration(0), (GATEKEEPERS_MAX..CANDIDATES_MAX).map(gatekeeper).collect()))
}

/// An open root whose epoch has the first 64 candidates.
fn open_root<T: Config>() -> Result<sp_core::ed25519::Public, BenchmarkError> {
    let (key, round) = round_in::<T>(Phase::Reporting)?;
    agree::<T>(&round, Hash([1; 32]))?;
    Ok(key)
}

/// An open root whose epoch has the first 64 of 128 candidates.
fn open_root_for_all<T: Config>() -> Result<(), BenchmarkError> {
    candidates::<T>(CANDIDATES_MAX)?;
    agree::<T>(&enter::<T>(0, GATEKEEPERS_MAX, Phase::Reporting)?, Hash([1; 32]))
}

fn complaint(round: RoundNumber) -> Result<Complaint, BenchmarkError> {
    let evidence = vec![1; COMPLAINT_EVIDENCE_BYTES_MAX as usize];
    let evidence = evidence.try_into().map_err(|_| BenchmarkError::Stop("the evidence fits"))?;
    Ok(Complaint { round, dealer: gatekeeper(1), by: gatekeeper(0), evidence })
}

fn at<T: Config>(block: u32) {
    frame_system::Pallet::<T>::set_block_number(BlockNumberFor::<T>::from(block));
}

fn admin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

fn care<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::CareOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

#[benchmarks(where T: Config)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn bond() -> Result<(), BenchmarkError> {
        candidates::<T>(CANDIDATES_MAX - 1)?;
        let who = validator::<T>(CANDIDATES_MAX);
        let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
        let (gatekeeper, participant) = (WorkerId(key.0), ParticipantKey(key.0));
        let candidacy = Candidacy { gatekeeper, participant, account: Pallet::<T>::account(&who) };
        let consent = sign(&key, candidacy.signing_hash(&Pallet::<T>::genesis()))?;
        #[extrinsic_call]
        _(RawOrigin::Signed(who), gatekeeper, participant, consent);
        assert!(Gatekeepers::<T>::contains_key(gatekeeper));
        Ok(())
    }

    #[benchmark]
    fn unbond() -> Result<(), BenchmarkError> {
        open_root::<T>()?;
        crowd::<T>(0)?;
        let who = validator::<T>(0);
        #[extrinsic_call]
        _(RawOrigin::Signed(who));
        Ok(())
    }

    #[benchmark]
    fn withdraw_bond() -> Result<(), BenchmarkError> {
        candidates::<T>(CANDIDATES_MAX)?;
        let who = validator::<T>(0);
        let held = CustodyParameters::<T>::get().bond;
        T::Currency::hold(&HoldReason::Bond.into(), &who, held.0)?;
        Candidates::<T>::mutate(Pallet::<T>::account(&who), |record| record.as_mut().map(|one| one.bond = held));
        Pallet::<T>::do_unbond(who.clone())?;
        at::<T>(CustodyParameters::<T>::get().release_blocks.saturating_add(10));
        #[extrinsic_call]
        _(RawOrigin::Signed(who));
        assert!(!Gatekeepers::<T>::contains_key(gatekeeper(0)));
        Ok(())
    }

    #[benchmark]
    fn approve() -> Result<(), BenchmarkError> {
        candidates::<T>(1)?;
        let who = validator::<T>(0);
        Candidates::<T>::mutate(Pallet::<T>::account(&who), |record| record.as_mut().map(|one| one.approved = false));
        let origin = care::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, who);
        Ok(())
    }

    #[benchmark]
    fn set_parameters() -> Result<(), BenchmarkError> {
        open_root::<T>()?;
        crowd::<T>(0)?;
        let origin = admin::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Parameters::DEFAULT);
        Ok(())
    }

    #[benchmark]
    fn rotate_root() -> Result<(), BenchmarkError> {
        open_root::<T>()?;
        crowd::<T>(1)?;
        let origin = care::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin);
        Ok(())
    }

    #[benchmark]
    fn close_root() -> Result<(), BenchmarkError> {
        open_root::<T>()?;
        crowd::<T>(0)?;
        Roots::<T>::mutate(RootGeneration(0), |root| root.as_mut().map(|root| root.status = RootStatus::Closing));
        let origin = admin::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, RootGeneration(0));
        Ok(())
    }

    #[benchmark]
    fn authorize_message() -> Result<(), BenchmarkError> {
        let (key, round) = round_in::<T>(Phase::Reporting)?;
        let call = Call::<T>::report_output { report: Box::new(signed::<T, _>(&key, output(&round, 0)?)?) };
        #[block]
        {
            call.authorize(TransactionSource::InBlock).ok_or("the call carries its own authority")??;
        }
        Ok(())
    }

    #[benchmark]
    fn commit_log() -> Result<(), BenchmarkError> {
        let (_, round) = round_in::<T>(Phase::Dealing)?;
        let last = GATEKEEPERS_MAX - 1;
        for dealer in 0..last {
            let dealer = gatekeeper(dealer);
            let (round, log_hash) = (round.number, Hash([1; 32]));
            Pallet::<T>::do_commit_log(LogCommitment { round, dealer, log_hash, revealed: 0 })?;
        }
        let message =
            LogCommitment { round: round.number, dealer: gatekeeper(last), log_hash: Hash([1; 32]), revealed: 1 };
        let signed = Signed { message, signature: [0; 64] };
        #[extrinsic_call]
        _(Origin::<T>::Authorized, signed);
        Ok(())
    }

    #[benchmark]
    fn confirm() -> Result<(), BenchmarkError> {
        let (_, round) = round_in::<T>(Phase::Confirming)?;
        let last = GATEKEEPERS_MAX - 1;
        Logs::<T>::mutate(round.number, |logs| {
            for log in logs.iter_mut() {
                *log = Some(LogRecord { hash: Hash([1; 32]), revealed: 0, confirmed_by: first_places(last) });
            }
        });
        Rounds::<T>::mutate(round.number, |round| round.as_mut().map(|round| round.confirmed = first_places(last)));
        let message = Confirmation { round: round.number, player: gatekeeper(last), logs: Places::MAX };
        let signed = Signed { message, signature: [0; 64] };
        #[extrinsic_call]
        _(Origin::<T>::Authorized, signed);
        Ok(())
    }

    #[benchmark]
    fn report_output() -> Result<(), BenchmarkError> {
        // All members change.
        open_root_for_all::<T>()?;
        crowd::<T>(0)?;
        let round = enter::<T>(GATEKEEPERS_MAX, GATEKEEPERS_MAX, Phase::Reporting)?;
        let last = round.threshold.saturating_sub(1);
        for player in 0..last {
            Pallet::<T>::do_report_output(output(&round, GATEKEEPERS_MAX.saturating_add(player))?)?;
        }
        let message = output(&round, GATEKEEPERS_MAX.saturating_add(last))?;
        let report = Box::new(Signed { message, signature: [0; 64] });
        #[extrinsic_call]
        _(Origin::<T>::Authorized, report);
        Ok(())
    }

    #[benchmark]
    fn complain() -> Result<(), BenchmarkError> {
        let (key, round) = round_in::<T>(Phase::Dealing)?;
        let complaint = Box::new(signed::<T, _>(&key, complaint(round.number)?)?);
        // The evidence is judged by `judge_evidence`, which is not measured here.
        Judged::<T>::put((fingerprint(&complaint.message), DealerFault::WrongShare));
        #[extrinsic_call]
        _(Origin::<T>::Authorized, complaint);
        Ok(())
    }

    #[benchmark]
    fn log_deliveries() -> Result<(), BenchmarkError> {
        open_root::<T>()?;
        crowd::<T>(0)?;
        at::<T>(10);
        let message = DeliveryBatch {
            gatekeeper: gatekeeper(0),
            sequence: 0,
            root: Hash([1; 32]),
            count: DELIVERIES_PER_BATCH_MAX,
            first: BlockNumber(1),
            last: BlockNumber(9),
        };
        let batch = Signed { message, signature: [0; 64] };
        #[extrinsic_call]
        _(Origin::<T>::Authorized, batch);
        Ok(())
    }

    #[benchmark]
    fn watch() -> Result<(), BenchmarkError> {
        open_root::<T>()?;
        crowd::<T>(0)?;
        Watching::<T>::mutate(|watching| watching.changed = false);
        #[block]
        {
            Pallet::<T>::advance();
        }
        Ok(())
    }

    #[benchmark]
    fn look(c: Linear<1, CANDIDATES_MAX>) -> Result<(), BenchmarkError> {
        candidates::<T>(c)?;
        agree::<T>(&enter::<T>(0, c.min(GATEKEEPERS_MAX), Phase::Reporting)?, Hash([1; 32]))?;
        // Its epoch is old, and one member is not trusted: rounds that were given up are looked at, too.
        let account = Pallet::<T>::account(&account("validator", 0, 0));
        Candidates::<T>::mutate(account, |record| record.as_mut().map(|one| one.approved = false));
        at::<T>(CustodyParameters::<T>::get().refresh_blocks.saturating_add(100));
        #[block]
        {
            Pallet::<T>::look();
        }
        Ok(())
    }

    #[benchmark]
    fn open_round() -> Result<(), BenchmarkError> {
        // The round that is forgotten for it: everybody reported something else and complained.
        let (_, old) = round_in::<T>(Phase::Reporting)?;
        for place in 0..GATEKEEPERS_MAX {
            Pallet::<T>::do_report_output(output_with(&old, place, Hash([place as u8; 32]))?)?;
            let Complaint { round, dealer, by, .. } = complaint(old.number)?;
            let (evidence_hash, fault, block) = (Hash([1; 32]), DealerFault::WrongShare, BlockNumber(1));
            let evidence = Default::default();
            let record = ComplaintRecord { round, dealer, by, evidence_hash, evidence, fault, block };
            Complaints::<T>::insert(round, place, record);
        }
        NewestRound::<T>::put(RoundNumber(ROUNDS_KEPT));
        let players = members(0, GATEKEEPERS_MAX);
        let dealers = players.clone();
        #[block]
        {
            Pallet::<T>::open_round(Purpose::Generate, RootGeneration(0), None, dealers, players, BlockNumber(1));
        }
        assert!(!Rounds::<T>::contains_key(old.number) && !Complaints::<T>::contains_key(old.number, 0));
        Ok(())
    }

    #[benchmark]
    fn end_phase() -> Result<(), BenchmarkError> {
        let (_, round) = round_in::<T>(Phase::Confirming)?;
        #[block]
        {
            Pallet::<T>::end_phase(round, BlockNumber(100));
        }
        Ok(())
    }
}
