//! Each rule, and what happens when it is broken.

use crate::{
    Abandoned, AbandonedCommands, Anchors, Assignments, COMMANDS_PENDING_MAX, Call, ClusterCount, ClusterPrograms,
    Clusters, Commands, Error, Event, FreeSlots, HoldReason, Keepers, Leads, Pallet, Payments as _, ProgramCount,
    ProgramDeposits, Programs as ProgramMap, Refusal, WeightInfo, command::SEALED_COMMAND_BYTES_MIN, mock::*,
    program::RELEASES_PER_BLOCK_MAX, weights::SubstrateWeight,
};
use codec::Encode;
use frame_support::{
    assert_noop, assert_ok,
    traits::{Hooks, fungible::InspectHold as _},
    weights::Weight,
};
use phala_messages::{
    AnchorRecord, ClusterId, CodeHash, Hash, InstanceKey, ProgramId, ProgramStatus, StateRoot, WorkerId,
    anchor::{ANCHOR_COMMANDS_MAX, EMPTY_ROOT},
    lead::LeadStep,
    limits::*,
};
use phala_units::{BlockNumber, Planck, UnixMillis};
use sp_core::Pair as _;
use sp_runtime::{
    AccountId32, DispatchError,
    transaction_validity::{InvalidTransaction, TransactionValidityError},
};

type Weights = SubstrateWeight<Test>;

fn held(reason: HoldReason, who: &AccountId32) -> u128 {
    Balances::balance_on_hold(&reason.into(), who)
}

fn error(error: Error<Test>) -> Result<(), DispatchError> {
    Err(error.into())
}

fn last_event() -> Event<Test> {
    let RuntimeEvent::Programs(event) = System::events().pop().unwrap().event else { panic!("the last event is ours") };
    event
}

/// Refused by the pool and by the block, with the same reason.
fn assert_refused(call: Call<Test>, refusal: Refusal) {
    assert_eq!(validate(call.clone()).unwrap_err(), refused(refusal));
    assert_eq!(apply(call).unwrap_err(), refused(refusal));
}

mod clusters {
    use super::*;

    #[test]
    fn anyone_founds_a_cluster_and_owns_it() {
        run(|| {
            assert_ok!(call(owner(), Call::create_cluster {}));
            assert_eq!(last_event(), Event::ClusterCreated { cluster: CLUSTER, owner: owner() });
            assert_ok!(call(caller(), Call::create_cluster {}));
            assert_eq!(Clusters::<Test>::get(ClusterId(1)).unwrap().owner.0, *AsRef::<[u8; 32]>::as_ref(&caller()));
        });
    }

    #[test]
    fn ids_of_clusters_run_out_rather_than_repeat() {
        new_test_ext().execute_with(|| {
            ClusterCount::<Test>::put(u32::MAX);
            assert_eq!(call(owner(), Call::create_cluster {}), error(Error::ClustersExhausted));
        });
    }

    #[test]
    fn a_worker_works_in_one_cluster_at_a_time() {
        run(|| {
            found_cluster();
            let leads = |lead, before| Event::LeadChanged { cluster: CLUSTER, lead, before };
            System::assert_has_event(Event::WorkerAssigned { cluster: CLUSTER, worker: WORKER }.into());
            assert_eq!(last_event(), leads(Some(WORKER), None));
            assert_ok!(call(owner(), Call::create_cluster {}));
            let again = Call::assign_worker { cluster: ClusterId(1), worker: WORKER };
            assert_eq!(call(owner(), again.clone()), error(Error::WorkerAssigned));

            assert_ok!(call(owner(), Call::unassign_worker { worker: WORKER }));
            System::assert_has_event(Event::WorkerUnassigned { cluster: CLUSTER, worker: WORKER }.into());
            assert_eq!(last_event(), leads(None, Some(WORKER)));
            assert!(Clusters::<Test>::get(CLUSTER).unwrap().workers.is_empty());
            assert_ok!(call(owner(), again));
            assert_eq!(Assignments::<Test>::get(WORKER), Some(ClusterId(1)));
        });
    }

    #[test]
    fn only_the_owner_assigns_and_unassigns() {
        run(|| {
            assert_ok!(call(owner(), Call::create_cluster {}));
            let assign = Call::assign_worker { cluster: CLUSTER, worker: WORKER };
            assert_eq!(call(caller(), assign.clone()), error(Error::NotClusterOwner));
            assert_ok!(call(owner(), assign));
            assert_eq!(call(caller(), Call::unassign_worker { worker: WORKER }), error(Error::NotClusterOwner));
        });
    }

    #[test]
    fn who_is_not_there_cannot_be_assigned() {
        run(|| {
            let unknown = WorkerId([9; 32]);
            assert_eq!(
                call(owner(), Call::assign_worker { cluster: CLUSTER, worker: WORKER }),
                error(Error::ClusterUnknown)
            );
            assert_ok!(call(owner(), Call::create_cluster {}));
            assert_eq!(
                call(owner(), Call::assign_worker { cluster: CLUSTER, worker: unknown }),
                error(Error::WorkerUnknown)
            );
            assert_eq!(call(owner(), Call::unassign_worker { worker: WORKER }), error(Error::WorkerNotAssigned));
        });
    }

    #[test]
    fn a_cluster_has_as_many_workers_as_the_runtime_says() {
        run(|| {
            found_cluster();
            let second = Call::assign_worker { cluster: CLUSTER, worker: OTHER_WORKER };
            assert_eq!(call(owner(), second.clone()), error(Error::WorkersFull));
            WorkersPerCluster::set(2);
            assert_ok!(call(owner(), second));
        });
    }
}

mod programs {
    use super::*;

    fn deploy_with(change: impl FnOnce(&mut Call<Test>)) -> Result<(), DispatchError> {
        let mut deploy = deploy_call();
        change(&mut deploy);
        call(owner(), deploy)
    }

    #[test]
    fn a_deployed_program_waits_for_its_worker_at_version_0() {
        run(|| {
            found_cluster();
            let before = activity();
            let program = deploy();
            assert_eq!(
                last_event(),
                Event::ProgramDeployed { program, cluster: CLUSTER, owner: owner(), code: CodeHash([0xcc; 32]) }
            );
            let record = ProgramMap::<Test>::get(program).unwrap();
            assert_eq!((record.status, record.transport, record.commands), (ProgramStatus::Deploying, None, 0));
            assert_eq!((record.slot, record.deployed), (0, BlockNumber(1)));
            let anchor = Anchors::<Test>::get(program).unwrap();
            let empty = AnchorRecord {
                from: 0,
                version: 0,
                root: EMPTY_ROOT,
                results: Hash::default(),
                by: None,
                block: BlockNumber(1),
            };
            assert_eq!(anchor, empty);
            assert_eq!(held(HoldReason::Program, &owner()), PROGRAM_DEPOSIT);
            assert!(activity() > before);
        });
    }

    #[test]
    fn two_programs_of_one_owner_have_different_ids() {
        run(|| {
            found_cluster();
            let (first, second) = (deploy(), deploy());
            assert_ne!(first, second);
            assert_eq!(ClusterPrograms::<Test>::get(CLUSTER, 1), Some(second));
            assert_eq!(ProgramCount::<Test>::get(), 2);
        });
    }

    #[test]
    fn a_name_is_text() {
        run(|| {
            found_cluster();
            let with_name = |name: &[u8]| {
                deploy_with(|call| {
                    if let Call::deploy { name: field, .. } = call {
                        *field = name.to_vec().try_into().unwrap();
                    }
                })
            };
            assert_eq!(with_name(b""), error(Error::NameEmpty));
            for name in [&b"\xff"[..], b"a\nb", b"\x1b[2J"] {
                assert_eq!(with_name(name), error(Error::NameNotText), "{name:?}");
            }
            assert_ok!(with_name("Grüße 👋".as_bytes()));
            assert_ok!(with_name(&[b'a'; NAME_BYTES_MAX as usize]));
        });
    }

    #[test]
    fn code_has_a_size_up_to_the_largest() {
        run(|| {
            found_cluster();
            let with_bytes = |bytes| {
                deploy_with(|call| {
                    if let Call::deploy { code_bytes, .. } = call {
                        *code_bytes = bytes;
                    }
                })
            };
            assert_eq!(with_bytes(0), error(Error::CodeEmpty));
            assert_eq!(with_bytes(CODE_BYTES_MAX + 1), error(Error::CodeTooLarge));
            assert_ok!(with_bytes(CODE_BYTES_MAX));
        });
    }

    #[test]
    fn a_manifest_asks_for_no_more_than_the_network_gives() {
        run(|| {
            found_cluster();
            let with_limits = |change: fn(&mut phala_messages::ProgramLimits)| {
                deploy_with(|call| {
                    if let Call::deploy { manifest, .. } = call {
                        change(&mut manifest.limits);
                    }
                })
            };
            assert_eq!(with_limits(|limits| limits.memory_bytes_max = MEMORY_BYTES_MAX + 1), error(Error::LimitMemory));
            assert_eq!(with_limits(|limits| limits.query_ms_max = 0), error(Error::LimitQueryTime));
            assert_eq!(
                with_limits(|limits| limits.command_fuel_max = COMMAND_FUEL_MAX + 1),
                error(Error::LimitCommandFuel)
            );
            let requests = with_limits(|limits| limits.outbound_requests_max = OUTBOUND_REQUESTS_MAX + 1);
            assert_eq!(requests, error(Error::LimitOutboundRequests));
            assert_ok!(with_limits(|limits| {
                limits.memory_bytes_max = MEMORY_BYTES_MAX;
                limits.query_ms_max = QUERY_MS_MAX;
                limits.command_fuel_max = COMMAND_FUEL_MAX;
                limits.outbound_requests_max = OUTBOUND_REQUESTS_MAX;
            }));
        });
    }

    #[test]
    fn hosts_of_a_manifest_are_hosts() {
        run(|| {
            found_cluster();
            let with_host = |host: &str| {
                deploy_with(|call| {
                    if let Call::deploy { manifest, .. } = call {
                        manifest.outbound_hosts =
                            vec![host.as_bytes().to_vec().try_into().unwrap()].try_into().unwrap();
                    }
                })
            };
            assert_eq!(with_host("https://example.org"), error(Error::HostMalformed));
            assert_ok!(with_host("*.example.org:443"));
        });
    }

    #[test]
    fn a_cluster_has_a_bounded_number_of_programs_and_fills_empty_slots_first() {
        new_test_ext().execute_with(|| {
            found_cluster();
            assert_eq!(call(owner(), deploy_call()), Ok(()));
            let programs = [deploy(), deploy(), deploy()];
            assert_ok!(call(owner(), Call::remove { program: programs[1] }));
            assert!(FreeSlots::<Test>::contains_key(CLUSTER, 2));
            Clusters::<Test>::mutate(CLUSTER, |cluster| cluster.as_mut().unwrap().slots = CLUSTER_PROGRAMS_MAX);
            let again = deploy();
            assert_eq!(ProgramMap::<Test>::get(again).unwrap().slot, 2);
            assert_noop!(call(owner(), deploy_call()), Error::<Test>::ProgramsFull);
        });
    }

    #[test]
    fn a_refused_deployment_changes_nothing() {
        run(|| {
            assert_noop!(call(owner(), deploy_call()), Error::<Test>::ClusterUnknown);
            found_cluster();
            let poor = account(8);
            assert!(call(poor, deploy_call()).is_err());
            assert_eq!(ProgramCount::<Test>::get(), 0);
            assert_eq!(Clusters::<Test>::get(CLUSTER).unwrap().slots, 0);
        });
    }

    #[test]
    fn removing_a_program_returns_its_deposit_and_tells_the_workers() {
        run(|| {
            let program = live_program();
            assert_eq!(call(caller(), Call::remove { program }), error(Error::NotProgramOwner));
            let before = activity();
            assert_ok!(call(owner(), Call::remove { program }));
            assert_eq!(last_event(), Event::ProgramRemoved { program, abandoned: 0 });
            assert_eq!(held(HoldReason::Program, &owner()), 0);
            assert!(activity() > before);
            assert!(!ProgramMap::<Test>::contains_key(program));
            assert!(!Anchors::<Test>::contains_key(program) && !Keepers::<Test>::contains_key(program));
            assert!(!ProgramDeposits::<Test>::contains_key(program));
            assert_eq!(call(owner(), Call::remove { program }), error(Error::ProgramUnknown));
        });
    }

    #[test]
    fn commands_of_a_removed_program_return_their_deposits_piece_by_piece() {
        run(|| {
            let program = live_program();
            let commands = u64::from(RELEASES_PER_BLOCK_MAX) + 5;
            for _ in 0..commands {
                assert_ok!(call(caller(), command(program)));
            }
            assert_ok!(apply(anchor(program, 0, 2, WORKER, &instance())).unwrap());
            assert_ok!(call(owner(), Call::remove { program }));
            assert_eq!(last_event(), Event::ProgramRemoved { program, abandoned: commands - 2 });
            let each = Pallet::<Test>::command_deposit(SEALED_BYTES as u32).0;
            assert_eq!(held(HoldReason::Command, &caller()), u128::from(commands - 2) * each);

            idle();
            assert_eq!(held(HoldReason::Command, &caller()), 3 * each);
            Programs::do_try_state().unwrap();
            idle();
            assert_eq!(held(HoldReason::Command, &caller()), 0);
            assert_eq!(last_event(), Event::AbandonedReleased { program });
            assert_eq!(Balances::free_balance(caller()), RICH);
            assert_eq!(idle(), Weights::find_abandoned());
        });
    }

    #[test]
    fn deposits_return_no_faster_than_a_block_has_room() {
        run(|| {
            let program = live_program();
            for _ in 0..3 {
                assert_ok!(call(caller(), command(program)));
            }
            assert_ok!(call(owner(), Call::remove { program }));
            assert_eq!(Programs::on_idle(1, Weight::zero()), Weight::zero());
            let each = Weights::release_abandoned() + Purse::weight_of_refunded();
            let room = Weights::find_abandoned() + each * 2;
            assert_eq!(Programs::on_idle(1, room), room);
            assert_eq!(AbandonedCommands::<Test>::get(program), Some(Abandoned { next: 2, end: 3 }));
        });
    }
}

mod readiness {
    use super::*;

    #[test]
    fn a_worker_makes_a_program_live() {
        run(|| {
            found_cluster();
            let program = deploy();
            let before = activity();
            assert!(validate(ready(program, WORKER, &instance())).is_ok());
            assert_ok!(apply(ready(program, WORKER, &instance())).unwrap());
            assert_eq!(last_event(), Event::ProgramReady { program, worker: WORKER, transport: TRANSPORT });
            let record = ProgramMap::<Test>::get(program).unwrap();
            assert_eq!((record.status, record.transport), (ProgramStatus::Live, Some(TRANSPORT)));
            assert_eq!(Keepers::<Test>::get(program), Some(WORKER));
            assert!(activity() > before);
        });
    }

    #[test]
    fn every_rule_of_readiness_is_refused_by_its_own_code() {
        run(|| {
            found_cluster();
            let program = deploy();
            assert_refused(ready(ProgramId([0; 32]), WORKER, &instance()), Refusal::ProgramUnknown);
            assert_refused(ready(program, OTHER_WORKER, &other_instance()), Refusal::NotAssigned);
            assert_refused(ready(program, WORKER, &other_instance()), Refusal::InstanceSignature);
            Registered::set(WORKER, &instance(), false);
            assert_refused(ready(program, WORKER, &instance()), Refusal::NotAdmitted);
            Registered::set(WORKER, &instance(), true);
            assert_ok!(apply(ready(program, WORKER, &instance())).unwrap());
            assert_refused(ready(program, WORKER, &instance()), Refusal::NotDeploying);
        });
    }

    #[test]
    fn every_field_is_under_the_signature() {
        run(|| {
            found_cluster();
            let program = deploy();
            let Call::ready { ready: signed } = ready(program, WORKER, &instance()) else { unreachable!() };
            let mut altered = signed.clone();
            altered.ready.transport.0[0] ^= 1;
            assert_refused(Call::ready { ready: altered }, Refusal::InstanceSignature);
            for byte in [0, 31, 32, 63] {
                let mut altered = signed.clone();
                altered.signature[byte] ^= 1;
                assert_refused(Call::ready { ready: altered }, Refusal::InstanceSignature);
            }
        });
    }

    #[test]
    fn without_authority_nothing_happens() {
        run(|| {
            found_cluster();
            let program = deploy();
            assert_eq!(call(owner(), ready(program, WORKER, &instance())), Err(DispatchError::BadOrigin));
            assert_eq!(call(owner(), anchor(program, 0, 1, WORKER, &instance())), Err(DispatchError::BadOrigin));
        });
    }

    #[test]
    fn an_authorised_call_that_a_change_has_overtaken_fails() {
        run(|| {
            let program = live_program();
            let origin = || RuntimeOrigin::from(frame_system::Origin::<Test>::Authorized);
            let Call::ready { ready: signed } = ready(program, WORKER, &instance()) else { unreachable!() };
            assert_noop!(Programs::ready(origin(), signed), Error::<Test>::Refused(Refusal::NotDeploying.code()));
            assert_ok!(call(caller(), command(program)));
            assert_ok!(call(caller(), command(program)));
            let Call::anchor { anchor: signed } = anchor(program, 1, 2, WORKER, &instance()) else { unreachable!() };
            assert_noop!(Programs::anchor(origin(), signed), Error::<Test>::Refused(Refusal::AnchorGap.code()));
        });
    }
}

mod commands {
    use super::*;

    #[test]
    fn a_command_gets_the_next_index_the_blocks_time_and_a_deposit_by_its_size() {
        run(|| {
            let program = live_program();
            let before = activity();
            assert_ok!(call(caller(), command(program)));
            assert_ok!(call(caller(), command(program)));
            assert_eq!(last_event(), Event::CommandOrdered { program, index: 1, caller: caller() });
            let record = Commands::<Test>::get(program, 1).unwrap();
            assert_eq!(AccountId32::new(record.caller.0), caller());
            assert_eq!((record.block, record.time), (BlockNumber(1), UnixMillis(NOW)));
            assert_eq!(record.deposit, Planck(COMMAND_DEPOSIT_BASE + SEALED_BYTES as u128));
            assert_eq!(record.sealed, sealed(SEALED_BYTES));
            assert_eq!(held(HoldReason::Command, &caller()), 2 * record.deposit.0);
            assert_eq!(ProgramMap::<Test>::get(program).unwrap().commands, 2);
            assert_eq!(activity(), before + 2);
        });
    }

    #[test]
    fn only_a_live_program_takes_commands() {
        run(|| {
            assert_eq!(call(caller(), command(ProgramId([0; 32]))), error(Error::ProgramUnknown));
            found_cluster();
            let program = deploy();
            assert_eq!(call(caller(), command(program)), error(Error::ProgramNotLive));
        });
    }

    #[test]
    fn what_is_too_short_to_be_sealed_is_refused() {
        run(|| {
            let program = live_program();
            let of_bytes = |bytes| call(caller(), Call::command { program, sealed: sealed(bytes) });
            assert_eq!(of_bytes(SEALED_COMMAND_BYTES_MIN - 1), error(Error::CommandMalformed));
            assert_ok!(of_bytes(SEALED_COMMAND_BYTES_MIN));
            assert_ok!(of_bytes(SEALED_COMMAND_BYTES_MAX as usize));
        });
    }

    #[test]
    fn who_cannot_pay_the_deposit_sends_nothing() {
        run(|| {
            let program = live_program();
            assert!(call(account(8), command(program)).is_err());
            assert_eq!(ProgramMap::<Test>::get(program).unwrap().commands, 0);
        });
    }

    #[test]
    fn a_bounded_number_of_commands_waits() {
        run(|| {
            let program = live_program();
            for _ in 0..COMMANDS_PENDING_MAX {
                assert_ok!(call(caller(), command(program)));
            }
            assert_noop!(call(caller(), command(program)), Error::<Test>::CommandsPending);
            assert_ok!(apply(anchor(program, 0, 1, WORKER, &instance())).unwrap());
            assert_ok!(call(caller(), command(program)));
        });
    }
}

mod anchors {
    use super::*;

    fn program_with_commands(count: u64) -> ProgramId {
        let program = live_program();
        for _ in 0..count {
            assert_ok!(call(caller(), command(program)));
        }
        program
    }

    #[test]
    fn an_anchor_answers_commands_and_returns_their_deposits() {
        run(|| {
            let program = program_with_commands(3);
            let before = activity();
            assert_ok!(apply(anchor(program, 0, 2, WORKER, &instance())).unwrap());
            let root = StateRoot([2; 32]);
            assert_eq!(last_event(), Event::Anchored { program, from: 0, version: 2, root, worker: WORKER });
            let by = Some((WORKER, InstanceKey(instance().public().0)));
            let record =
                AnchorRecord { from: 0, version: 2, root, results: Hash([0xee; 32]), by, block: BlockNumber(1) };
            assert_eq!(Anchors::<Test>::get(program), Some(record));
            assert_eq!(Commands::<Test>::iter_key_prefix(program).collect::<Vec<_>>(), [2]);
            assert_eq!(held(HoldReason::Command, &caller()), Pallet::<Test>::command_deposit(SEALED_BYTES as u32).0);
            assert!(activity() > before);
            assert_ok!(apply(anchor(program, 2, 3, WORKER, &instance())).unwrap());
            assert_eq!(Balances::free_balance(caller()), RICH);
        });
    }

    #[test]
    fn every_rule_of_an_anchor_is_refused_by_its_own_code() {
        run(|| {
            let program = program_with_commands(3);
            let by = instance();
            assert_refused(anchor(ProgramId([0; 32]), 0, 1, WORKER, &by), Refusal::ProgramUnknown);
            assert_refused(anchor(program, 1, 1, WORKER, &by), Refusal::AnchorEmpty);
            assert_refused(anchor(program, 2, 1, WORKER, &by), Refusal::AnchorEmpty);
            assert_refused(anchor(program, 0, ANCHOR_COMMANDS_MAX + 1, WORKER, &by), Refusal::AnchorTooLong);
            assert_refused(anchor(program, 0, u64::MAX, WORKER, &by), Refusal::AnchorTooLong);
            assert_refused(anchor(program, 0, 4, WORKER, &by), Refusal::AnchorBeyondCommands);
            assert_refused(anchor(program, 0, 1, OTHER_WORKER, &other_instance()), Refusal::NotAssigned);
            assert_refused(anchor(program, 0, 1, WORKER, &other_instance()), Refusal::InstanceSignature);
            let deploying = deploy();
            assert_refused(anchor(deploying, 0, 1, WORKER, &by), Refusal::NotLive);
            assert_ok!(apply(anchor(program, 0, 1, WORKER, &by)).unwrap());
            assert_refused(anchor(program, 0, 1, WORKER, &by), Refusal::AnchorStale);
            Registered::set(WORKER, &by, false);
            assert_refused(anchor(program, 1, 2, WORKER, &by), Refusal::NotAdmitted);
        });
    }

    #[test]
    fn the_longest_anchor_is_taken() {
        run(|| {
            let program = program_with_commands(ANCHOR_COMMANDS_MAX);
            assert_ok!(apply(anchor(program, 0, ANCHOR_COMMANDS_MAX, WORKER, &instance())).unwrap());
            assert_eq!(held(HoldReason::Command, &caller()), 0);
        });
    }

    #[test]
    fn a_pool_keeps_the_next_anchor_until_its_turn_and_a_block_does_not_take_it_earlier() {
        run(|| {
            let program = program_with_commands(2);
            let (first, next) =
                (anchor(program, 0, 1, WORKER, &instance()), anchor(program, 1, 2, WORKER, &instance()));
            let (early, late) = (validate(first.clone()).unwrap(), validate(next.clone()).unwrap());
            assert!(early.requires.is_empty());
            assert_eq!(late.requires.len(), 1);
            assert!(early.provides.contains(&late.requires[0]));
            assert_eq!(apply(next.clone()).unwrap_err(), refused(Refusal::AnchorGap));
            assert_ok!(apply(first).unwrap());
            assert!(validate(next.clone()).unwrap().requires.is_empty());
            assert_ok!(apply(next).unwrap());
        });
    }

    #[test]
    fn of_two_anchors_that_start_together_a_pool_keeps_one() {
        run(|| {
            let program = program_with_commands(2);
            let one = validate(anchor(program, 0, 1, WORKER, &instance())).unwrap();
            let two = validate(anchor(program, 0, 2, WORKER, &instance())).unwrap();
            assert!(one.provides.iter().any(|tag| two.provides.contains(tag)));
        });
    }

    #[test]
    fn what_an_old_instance_signed_counts_no_more_once_the_worker_has_a_new_one() {
        run(|| {
            let program = program_with_commands(1);
            let old = anchor(program, 0, 1, WORKER, &instance());
            assert!(validate(old.clone()).is_ok());
            Registered::set(WORKER, &other_instance(), true);
            assert_refused(old, Refusal::InstanceSignature);
            assert_ok!(apply(anchor(program, 0, 1, WORKER, &other_instance())).unwrap());
        });
    }

    #[test]
    fn only_the_worker_that_holds_the_programs_keys_anchors_it() {
        run(|| {
            let program = program_with_commands(1);
            assert_ok!(call(owner(), Call::unassign_worker { worker: WORKER }));
            assert_ok!(call(owner(), Call::assign_worker { cluster: CLUSTER, worker: OTHER_WORKER }));
            assert_refused(anchor(program, 0, 1, WORKER, &instance()), Refusal::NotAssigned);
            assert_refused(anchor(program, 0, 1, OTHER_WORKER, &other_instance()), Refusal::NotKeeper);
        });
    }

    #[test]
    fn where_gatekeepers_guard_the_keys_whoever_is_assigned_anchors() {
        run(|| {
            Guarded::set(true);
            let program = program_with_commands(1);
            assert_ok!(call(owner(), Call::unassign_worker { worker: WORKER }));
            assert_refused(anchor(program, 0, 1, OTHER_WORKER, &other_instance()), Refusal::NotAssigned);
            assert_ok!(call(owner(), Call::assign_worker { cluster: CLUSTER, worker: OTHER_WORKER }));
            assert_ok!(apply(anchor(program, 0, 1, OTHER_WORKER, &other_instance())).unwrap());
            assert_refused(anchor(program, 1, 2, WORKER, &instance()), Refusal::NotAssigned);
        });
    }

    #[test]
    fn every_field_is_under_the_signature() {
        run(|| {
            let program = program_with_commands(3);
            let Call::anchor { anchor: signed } = anchor(program, 0, 2, WORKER, &instance()) else { unreachable!() };
            let alterations: [fn(&mut phala_messages::Anchor); 4] = [
                |anchor| anchor.to = 3,
                |anchor| anchor.root.0[31] ^= 1,
                |anchor| anchor.results.0[0] ^= 0x80,
                |anchor| anchor.to = 1,
            ];
            for alter in alterations {
                let mut altered = signed.clone();
                alter(&mut altered.anchor);
                assert_refused(Call::anchor { anchor: altered }, Refusal::InstanceSignature);
            }
        });
    }

    #[test]
    fn another_networks_anchor_is_refused() {
        run(|| {
            let program = program_with_commands(1);
            let ours = anchor(program, 0, 1, WORKER, &instance());
            frame_system::BlockHash::<Test>::insert(0, sp_core::H256([1; 32]));
            assert_refused(ours, Refusal::InstanceSignature);
        });
    }
}

mod contract {
    use super::*;
    use phala_messages::{calls, storage};

    #[test]
    fn storage_lies_where_clients_look_for_it() {
        let (program, worker) = (ProgramId([3; 32]), WorkerId([4; 32]));
        assert_eq!(storage::assignment(&worker), Assignments::<Test>::hashed_key_for(worker));
        assert_eq!(storage::cluster(ClusterId(5)), Clusters::<Test>::hashed_key_for(ClusterId(5)));
        assert_eq!(storage::lead(ClusterId(5)), Leads::<Test>::hashed_key_for(ClusterId(5)));
        assert_eq!(storage::cluster_program(ClusterId(5), 6), ClusterPrograms::<Test>::hashed_key_for(ClusterId(5), 6));
        assert_eq!(storage::program(&program), ProgramMap::<Test>::hashed_key_for(program));
        assert_eq!(storage::anchor(&program), Anchors::<Test>::hashed_key_for(program));
        assert_eq!(storage::command(&program, 7), Commands::<Test>::hashed_key_for(program, 7));
    }

    #[test]
    fn calls_are_encoded_as_workers_and_clients_encode_them() {
        new_test_ext().execute_with(|| {
            let program = ProgramId([3; 32]);
            let Call::deploy { cluster, name, code, code_bytes, manifest } = deploy_call() else { unreachable!() };
            let Call::ready { ready: signed_ready } = ready(program, WORKER, &instance()) else { unreachable!() };
            let Call::anchor { anchor: signed_anchor } = anchor(program, 1, 2, WORKER, &instance()) else {
                unreachable!()
            };
            let take = lead_message(LeadStep::Take, WORKER, &instance());
            let Call::lead { lead: signed_lead } = take.clone() else { unreachable!() };
            let pairs = [
                (Call::create_cluster {}, calls::Programs::CreateCluster),
                (
                    Call::assign_worker { cluster, worker: WORKER },
                    calls::Programs::AssignWorker { cluster, worker: WORKER },
                ),
                (Call::unassign_worker { worker: WORKER }, calls::Programs::UnassignWorker { worker: WORKER }),
                (deploy_call(), calls::Programs::Deploy { cluster, name, code, code_bytes, manifest }),
                (Call::remove { program }, calls::Programs::Remove { program }),
                (command(program), calls::Programs::Command { program, sealed: sealed(SEALED_BYTES) }),
                (ready(program, WORKER, &instance()), calls::Programs::Ready { ready: signed_ready }),
                (anchor(program, 1, 2, WORKER, &instance()), calls::Programs::Anchor { anchor: signed_anchor }),
                (take.clone(), calls::Programs::Lead { lead: signed_lead }),
            ];
            for (ours, theirs) in pairs {
                assert_eq!(RuntimeCall::from(ours).encode(), calls::Call::Programs(theirs).encode());
            }
        });
    }

    #[test]
    fn the_configuration_is_checked() {
        new_test_ext().execute_with(|| {
            <Programs as Hooks<_>>::integrity_test();
            for wrong in [0, CLUSTER_WORKERS_MAX + 1] {
                WorkersPerCluster::set(wrong);
                assert!(std::panic::catch_unwind(<Programs as Hooks<u32>>::integrity_test).is_err(), "{wrong}");
            }
        });
    }

    #[test]
    fn a_message_that_no_rule_refuses_says_how_long_a_pool_may_keep_it() {
        run(|| {
            found_cluster();
            let program = deploy();
            let validity = validate(ready(program, WORKER, &instance())).unwrap();
            assert_eq!(validity.longevity, crate::anchor::LONGEVITY_BLOCKS);
            assert!(validity.propagate);
            let unauthorised: TransactionValidityError = InvalidTransaction::UnknownOrigin.into();
            assert_eq!(validate(Call::create_cluster {}), Err(unauthorised));
        });
    }

    #[test]
    fn a_broken_invariant_is_found() {
        let breakages: [fn(ProgramId); 9] = [
            |program| ProgramMap::<Test>::mutate(program, |record| record.as_mut().unwrap().commands += 1),
            |program| Commands::<Test>::mutate(program, 0, |record| record.as_mut().unwrap().deposit.0 += 1),
            |program| Anchors::<Test>::mutate(program, |record| record.as_mut().unwrap().version = 2),
            |program| Keepers::<Test>::remove(program),
            |_| ClusterPrograms::<Test>::remove(CLUSTER, 0),
            |_| Assignments::<Test>::remove(WORKER),
            |program| AbandonedCommands::<Test>::insert(program, Abandoned { next: 0, end: 1 }),
            |_| Leads::<Test>::mutate(CLUSTER, |lead| lead.shown = BlockNumber(2)),
            |_| Leads::<Test>::mutate(ClusterId(9), |_| ()),
        ];
        for (n, breakage) in breakages.into_iter().enumerate() {
            new_test_ext().execute_with(|| {
                let program = live_program();
                assert_ok!(call(caller(), command(program)));
                Programs::do_try_state().unwrap();
                breakage(program);
                assert!(Programs::do_try_state().is_err(), "{n}");
            });
        }
    }
}
