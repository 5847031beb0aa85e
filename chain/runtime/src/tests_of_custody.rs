//! What clients and gatekeepers take for granted of custody, held against the runtime: where things lie, how calls are encoded, and
//! what a network without a master key does.

use crate::{AccountId, Balances, Programs, Runtime, RuntimeCall, RuntimeOrigin, System};
use codec::Encode;
use frame_support::{assert_ok, traits::fungible::Mutate};
use phala_messages::{
    Account, ClusterId, CodeHash, Hash, Manifest, ParticipantKey, WorkerId,
    calls::{self, Call},
    custody::{Confirmation, EpochNumber, LogCommitment, Parameters, RootGeneration, RoundNumber, Signed},
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
    storage,
};
use phala_units::BlockNumber;
use sp_runtime::{BuildStorage, DispatchError};

const ALICE: Account = Account([7; 32]);
const GATEKEEPER: WorkerId = WorkerId([8; 32]);
const SIGNATURE: [u8; 64] = [9; 64];

#[test]
fn storage_lies_where_gatekeepers_look_for_it() {
    use pallet_custody::*;
    let (round, root, epoch, output) = (RoundNumber(3), RootGeneration(1), EpochNumber(2), Hash([5; 32]));
    let program = phala_messages::ProgramId([6; 32]);
    let pairs = [
        (storage::custody_parameters(), CustodyParameters::<Runtime>::hashed_key().to_vec()),
        (storage::candidate(&ALICE), Candidates::<Runtime>::hashed_key_for(ALICE)),
        (storage::gatekeeper_account(&GATEKEEPER), Gatekeepers::<Runtime>::hashed_key_for(GATEKEEPER)),
        (storage::newest_round(), NewestRound::<Runtime>::hashed_key().to_vec()),
        (storage::round(round), Rounds::<Runtime>::hashed_key_for(round)),
        (storage::round_logs(round), Logs::<Runtime>::hashed_key_for(round)),
        (storage::round_output(round, &output), Outputs::<Runtime>::hashed_key_for(round, output)),
        (storage::complaint(round, 4), Complaints::<Runtime>::hashed_key_for(round, 4)),
        (storage::open_root(), OpenRoot::<Runtime>::hashed_key().to_vec()),
        (storage::root(root), Roots::<Runtime>::hashed_key_for(root)),
        (storage::epoch(epoch), Epochs::<Runtime>::hashed_key_for(epoch)),
        (storage::program_root(&program), ProgramRootOf::<Runtime>::hashed_key_for(program)),
        (storage::delivery_head(&GATEKEEPER), DeliveryHeads::<Runtime>::hashed_key_for(GATEKEEPER)),
        (storage::delivery(&GATEKEEPER, 9), Deliveries::<Runtime>::hashed_key_for(GATEKEEPER, 9)),
        (storage::lead(ClusterId(2)), pallet_programs::Leads::<Runtime>::hashed_key_for(ClusterId(2))),
    ];
    for (n, (asked, kept)) in pairs.into_iter().enumerate() {
        assert_eq!(hex::encode(asked), hex::encode(kept), "{n}");
    }
}

#[test]
fn calls_of_custody_are_encoded_as_the_runtime_encodes_them() {
    use calls::Custody as Wire;
    use pallet_custody::Call as Kept;
    let custody = |call| Call::Custody(Box::new(call));
    let account = AccountId::from(ALICE.0);
    let participant = ParticipantKey([4; 32]);
    let commitment = Signed {
        message: LogCommitment { round: RoundNumber(3), dealer: GATEKEEPER, log_hash: Hash([5; 32]), revealed: 1 },
        signature: SIGNATURE,
    };
    let confirmation = Signed {
        message: Confirmation { round: RoundNumber(3), player: GATEKEEPER, logs: Default::default() },
        signature: SIGNATURE,
    };
    let lead = SignedLeadMessage {
        message: LeadMessage {
            cluster: ClusterId(1),
            term: 2,
            newest: BlockNumber(3),
            step: LeadStep::Doubt,
            worker: GATEKEEPER,
        },
        signature: SIGNATURE,
    };
    let pairs: Vec<(Call, RuntimeCall)> = vec![
        (
            custody(Wire::Bond { gatekeeper: GATEKEEPER, participant, consent: SIGNATURE }),
            Kept::bond { gatekeeper: GATEKEEPER, participant, consent: SIGNATURE }.into(),
        ),
        (custody(Wire::Unbond), Kept::unbond {}.into()),
        (custody(Wire::WithdrawBond), Kept::withdraw_bond {}.into()),
        (custody(Wire::Approve { account: ALICE }), Kept::approve { account: account.clone() }.into()),
        (custody(Wire::Expel { account: ALICE }), Kept::expel { account }.into()),
        (
            custody(Wire::SetParameters { parameters: Parameters::DEFAULT }),
            Kept::set_parameters { parameters: Parameters::DEFAULT }.into(),
        ),
        (custody(Wire::RotateRoot), Kept::rotate_root {}.into()),
        (custody(Wire::CloseRoot { root: RootGeneration(1) }), Kept::close_root { root: RootGeneration(1) }.into()),
        (custody(Wire::CommitLog { commitment: commitment.clone() }), Kept::commit_log { commitment }.into()),
        (custody(Wire::Confirm { confirmation: confirmation.clone() }), Kept::confirm { confirmation }.into()),
        (Call::Programs(calls::Programs::Lead { lead: lead.clone() }), pallet_programs::Call::lead { lead }.into()),
    ];
    for (wire, kept) in pairs {
        assert_eq!(hex::encode(wire.encode()), hex::encode(kept.encode()), "{wire:?}");
    }
}

/// A production network keeps no program whose keys nobody guards; a network of one machine may.
#[test]
fn in_production_there_are_no_programs_before_there_is_a_master_key() {
    let storage = frame_system::GenesisConfig::<Runtime>::default().build_storage().unwrap();
    sp_io::TestExternalities::new(storage).execute_with(|| {
        System::set_block_number(1);
        let owner = AccountId::from(ALICE.0);
        let _ = <Balances as Mutate<_>>::mint_into(&owner, 1_000_000_000_000_000);
        let by = || RuntimeOrigin::signed(owner.clone());
        assert_ok!(Programs::create_cluster(by()));
        let deployed = Programs::deploy(
            by(),
            ClusterId(0),
            b"early".to_vec().try_into().unwrap(),
            CodeHash([1; 32]),
            1,
            Manifest::default(),
        );
        if cfg!(feature = "production") {
            assert_eq!(deployed, Err(DispatchError::Other("no gatekeepers guard keys yet")));
        } else {
            assert_ok!(deployed);
        }
    });
}
