//! Registering: evidence is judged, a record is written.
//!
//! ```text
//! authorize_register   limits ─► endpoint ─► block ─► replay ─► instance ─► identity ─► evidence
//!                      cheap rules first, five P-256 checks last              │
//! do_register          the verdict, once ◄── Judged ──────────────────────────┘
//! ```

use crate::{
    AdmissionMs, Config, Error, Event, EvidenceBlocks, EvidencePolicies, EvidenceRoot, GATEKEEPER_ADMISSION_MS_DEFAULT,
    Instances, Judged, Measurements, Pallet, Refusal, RegistrationsInBlock, Verdict, WORKER_ADMISSION_MS_DEFAULT,
    Workers, collateral::Store,
};
use codec::Encode;
use frame_support::{pallet_prelude::*, traits::Time as _};
use frame_system::pallet_prelude::BlockNumberFor;
use phala_evidence::Policy;
use phala_messages::{
    Attested, BlockRef, GenesisHash, Hash, InstanceKey, Role, WorkerId, WorkerRecord,
    address::endpoint_is_well_formed,
    limits::{REGISTRATION_BLOCK_AGE_MAX, REGISTRATIONS_PER_BLOCK_MAX},
    registration::Submission,
};
use phala_units::{BlockNumber, UnixMillis};
use sp_runtime::traits::{UniqueSaturatedInto, Zero};

/// What judging a submission found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Judgement {
    /// What the evidence says.
    pub attested: Attested,
    /// When the first certificate or piece of collateral behind it expires: no admission outlives it.
    pub valid_until: UnixMillis,
}

impl<T: Config> Pallet<T> {
    /// Judges a submission as a block built now would, and changes nothing.
    ///
    /// # Errors
    /// The [`Refusal`] that the submission would meet.
    pub fn dry_run(submission: &Submission) -> Result<Attested, Refusal> {
        Self::judge(submission).map(|judgement| judgement.attested)
    }

    /// Whether the machine registered in `role`, `instance` is its current process, its admission has not run out,
    /// and the network still allows what it runs.
    pub fn is_admitted(worker: &WorkerId, instance: &InstanceKey, role: Role) -> bool {
        Self::registered(worker, role).is_some_and(|record| {
            record.admits(instance, Self::now()) && Measurements::<T>::contains_key(role, record.attested.measurement)
        })
    }

    /// The record of a machine that registered in `role`, admitted or expired.
    pub fn registered(worker: &WorkerId, role: Role) -> Option<WorkerRecord> {
        Workers::<T>::get(worker).filter(|record| record.has_role(role))
    }

    /// Which machines are current enough for a role: what was set, or [`Policy::strict`] for workers and
    /// [`Policy::key_holders`] for gatekeepers.
    pub fn policy(role: Role) -> Policy {
        EvidencePolicies::<T>::get(role).unwrap_or(match role {
            Role::Worker => Policy::strict(),
            Role::Gatekeeper => Policy::key_holders(),
        })
    }

    /// How long an admission lasts in a role, milliseconds: what genesis says, or [`WORKER_ADMISSION_MS_DEFAULT`] and
    /// [`GATEKEEPER_ADMISSION_MS_DEFAULT`].
    pub fn admission_ms(role: Role) -> u64 {
        AdmissionMs::<T>::get(role).unwrap_or(match role {
            Role::Worker => WORKER_ADMISSION_MS_DEFAULT,
            Role::Gatekeeper => GATEKEEPER_ADMISSION_MS_DEFAULT,
        })
    }

    /// Judges a registration for a pool or a block.
    pub(crate) fn authorize_register(
        source: TransactionSource,
        submission: &Submission,
    ) -> TransactionValidityWithRefund {
        let cited = submission.block.number;
        // Of two registrations of one worker a pool keeps the one over the later block.
        let priority = (TransactionPriority::MAX / 2).saturating_add(cited.0.into());
        let judgement = match Self::judge(submission) {
            Ok(judgement) => judgement,
            Err(refusal) if Self::may_wait(source, refusal) => {
                return Self::after_root_crl(priority, submission.registration.worker);
            }
            Err(Refusal::BlockFull) => return Err(InvalidTransaction::ExhaustsResources.into()),
            Err(refusal) => return Err(InvalidTransaction::Custom(refusal.code()).into()),
        };
        Self::hand_over(source, submission, || Verdict::Evidence(judgement));
        let age = Self::block().since(cited);
        let validity = ValidTransaction::with_tag_prefix("phala/register")
            .priority(priority)
            .and_provides(submission.registration.worker)
            .longevity(REGISTRATION_BLOCK_AGE_MAX.saturating_sub(age).max(1).into())
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Writes what was judged. The rules that storage decides are checked once more.
    pub(crate) fn do_register(submission: Submission) -> DispatchResult {
        let Some(Verdict::Evidence(judgement)) = Self::take_verdict(&submission) else {
            return Err(Error::<T>::NotJudged.into());
        };
        Self::check_limits(&submission).map_err(Error::<T>::from)?;
        RegistrationsInBlock::<T>::mutate(|count| *count = count.saturating_add(1));

        let Submission { registration, block, .. } = submission;
        let (worker, instance, role) = (registration.worker, registration.instance, registration.role);
        let (now, this_block) = (Self::now(), Self::block());
        let expires_at = now.saturating_add(Self::admission_ms(role)).min(judgement.valid_until);
        let attested = judgement.attested;
        let before = Workers::<T>::get(worker);
        let old = before.as_ref().map(|record| record.registration.instance);
        let admitted_block = before
            .filter(|record| record.registration.instance == instance)
            .map_or(this_block, |record| record.admitted_block);

        if let Some(old) = old.filter(|old| *old != instance) {
            Instances::<T>::remove(old);
        }
        Instances::<T>::insert(instance, worker);
        EvidenceBlocks::<T>::insert(worker, block.number);
        Workers::<T>::insert(
            worker,
            WorkerRecord { registration, attested, admitted_block, admitted_at: now, expires_at },
        );
        Self::deposit_event(match old {
            None => Event::WorkerRegistered { worker, instance, attested, expires_at },
            Some(old) if old == instance => Event::WorkerRenewed { worker, expires_at },
            Some(old) => Event::InstanceReplaced { worker, old, new: instance, attested, expires_at },
        });
        Ok(())
    }

    /// Every rule of a registration.
    fn judge(submission: &Submission) -> Result<Judgement, Refusal> {
        Self::check_limits(submission)?;
        let registration = &submission.registration;
        ensure!(endpoint_is_well_formed(&registration.endpoint), Refusal::Endpoint);
        Self::check_block(&submission.block)?;
        Self::check_identity(submission)?;
        Self::judge_evidence(submission)
    }

    /// The rules that the pallet's own storage decides.
    fn check_limits(submission: &Submission) -> Result<(), Refusal> {
        let (worker, instance) = (&submission.registration.worker, &submission.registration.instance);
        ensure!(RegistrationsInBlock::<T>::get() < REGISTRATIONS_PER_BLOCK_MAX, Refusal::BlockFull);
        let used = EvidenceBlocks::<T>::get(worker).is_some_and(|newest| submission.block.number <= newest);
        ensure!(!used, Refusal::EvidenceUsed);
        if let Some(record) = Workers::<T>::get(worker) {
            ensure!(record.admitted_at != Self::now(), Refusal::RegisteredThisBlock);
            ensure!(record.has_role(submission.registration.role), Refusal::RoleChanged);
        }
        let taken = Instances::<T>::get(instance).is_some_and(|owner| owner != *worker);
        ensure!(!taken, Refusal::InstanceTaken);
        Ok(())
    }

    /// The block is one of this chain's, before the one being built, and recent.
    fn check_block(block: &BlockRef) -> Result<(), Refusal> {
        let now = Self::block();
        ensure!(block.number < now, Refusal::BlockUnknown);
        ensure!(now.since(block.number) <= REGISTRATION_BLOCK_AGE_MAX, Refusal::BlockTooOld);
        let hash = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::from(block.number.0));
        ensure!(hash.as_ref() == block.hash.0.as_slice(), Refusal::BlockUnknown);
        Ok(())
    }

    /// The worker's identity signed exactly this.
    fn check_identity(submission: &Submission) -> Result<(), Refusal> {
        let Submission { registration, block, quote, signature } = submission;
        let hash = registration.signing_hash(&block.hash, &Self::genesis(), quote);
        let signed = sp_io::crypto::ed25519_verify(&(*signature).into(), &hash.0, &registration.worker.0.into());
        ensure!(signed, Refusal::IdentitySignature);
        Ok(())
    }

    /// The evidence is valid, is over this registration, and is of a machine that this network wants.
    fn judge_evidence(submission: &Submission) -> Result<Judgement, Refusal> {
        let root = EvidenceRoot::<T>::get().ok_or(Refusal::RootMissing)?;
        Self::check_root(&root)?;
        let refuse = |rejection: phala_evidence::Rejection| Refusal::Evidence(rejection.code());
        let report =
            phala_evidence::verify(&submission.quote, &root, &Store::<T>::default(), Self::now()).map_err(refuse)?;
        let expected = submission.registration.report_data(&submission.block.hash, &Self::genesis());
        ensure!(report.report_data == expected, Refusal::ReportData);
        let role = submission.registration.role;
        let attested = Self::policy(role).judge(&report).map_err(refuse)?;
        ensure!(Measurements::<T>::contains_key(role, attested.measurement), Refusal::Measurement);
        Ok(Judgement { attested, valid_until: report.valid_until })
    }

    /// Leaves a verdict for the call that follows in the same extrinsic.
    pub(crate) fn hand_over<M: Encode>(source: TransactionSource, judged: &M, verdict: impl FnOnce() -> Verdict) {
        if source == TransactionSource::InBlock {
            Judged::<T>::put((Self::fingerprint(judged), verdict()));
        }
    }

    /// Takes the verdict over `judged`, once. None when something else was judged last, or nothing.
    pub(crate) fn take_verdict<M: Encode>(judged: &M) -> Option<Verdict> {
        let (fingerprint, verdict) = Judged::<T>::take()?;
        (fingerprint == Self::fingerprint(judged)).then_some(verdict)
    }

    fn fingerprint<M: Encode>(judged: &M) -> Hash {
        Hash(judged.using_encoded(sp_io::hashing::blake2_256))
    }

    /// The block's time.
    pub(crate) fn now() -> UnixMillis {
        UnixMillis(T::Time::now())
    }

    /// The block being built.
    pub(crate) fn block() -> BlockNumber {
        BlockNumber(frame_system::Pallet::<T>::block_number().unique_saturated_into())
    }

    /// Names the network in everything that is signed.
    fn genesis() -> GenesisHash {
        let hash = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
        let mut genesis = GenesisHash::default();
        for (to, from) in genesis.0.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        genesis
    }
}
