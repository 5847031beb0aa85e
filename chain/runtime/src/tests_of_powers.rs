//! The table of powers, call by call: who may, and who may not.

use crate::{lab::*, *};
use frame_support::traits::{Contains as _, InstanceFilter as _};
use phala_messages::{Hash as Digest, Role, custody::RootGeneration};
use sp_runtime::DispatchError;

/// Whether this origin may make the call at all. What the call then says is another matter.
fn may(call: impl Into<RuntimeCall>, origin: RuntimeOrigin) -> bool {
    // Dispatched in a transaction that is taken back.
    let result = frame_support::storage::with_transaction(|| {
        sp_runtime::TransactionOutcome::Rollback(Ok::<_, DispatchError>(dispatch(call, origin)))
    });
    !matches!(result, Ok(Err(DispatchError::BadOrigin)))
}

/// Who may, as letters: anyone signed, council half, two thirds, three quarters, all; committee two thirds, all; Root.
fn powers(call: impl Into<RuntimeCall>) -> alloc::string::String {
    let call = call.into();
    let origins = [
        ("signed", signed(Eve)),
        ("half", council(5, 8)),
        ("2/3", council(6, 9)),
        ("3/4", council(6, 8)),
        ("council", council(8, 8)),
        ("tc2/3", committee(2, 3)),
        ("tc", committee(3, 3)),
        ("root", RuntimeOrigin::root()),
    ];
    let who: alloc::vec::Vec<&str> =
        origins.into_iter().filter(|(_, origin)| may(call.clone(), origin.clone())).map(|(name, _)| name).collect();
    who.join(" ")
}

fn measurement() -> Digest {
    Digest([5; 32])
}

#[test]
fn each_power_is_with_whom_the_table_says() {
    const ROOT: &str = "root";
    const TWO_THIRDS: &str = "2/3 3/4 council root";
    network().execute_with(|| {
        let who = sp_runtime::MultiAddress::<AccountId, ()>::Id(account(Eve));
        let root = RootGeneration(1);
        let worker = phala_messages::WorkerId([8; 32]);
        let rows: alloc::vec::Vec<(RuntimeCall, &str)> = alloc::vec![
            // What gives trust is for all.
            (
                pallet_registry::Call::allow_measurement { role: Role::Gatekeeper, measurement: measurement() }.into(),
                ROOT
            ),
            (
                pallet_registry::Call::set_root { root: phala_messages::Root::Intel, certificate: Default::default() }
                    .into(),
                ROOT
            ),
            (pallet_custody::Call::close_root { root }.into(), ROOT),
            (pallet_custody::Call::set_parameters { parameters: genesis::CUSTODY }.into(), ROOT),
            (pallet_key_recovery::Call::appoint { threshold: 2, custodians: Default::default() }.into(), ROOT),
            (pallet_key_recovery::Call::set_parameters { parameters: genesis::RECOVERY }.into(), ROOT),
            (pallet_credit::Call::set_price { price: genesis::COMMAND_PRICE }.into(), ROOT),
            (frame_system::Call::authorize_upgrade { code_hash: [1; 32].into() }.into(), ROOT),
            (frame_system::Call::set_storage { items: alloc::vec![] }.into(), ROOT),
            (pallet_balances::Call::force_set_balance { who: who.clone(), new_free: 0 }.into(), ROOT),
            (
                pallet_membership::Call::<Runtime, pallet_membership::Instance1>::add_member { who: who.clone() }
                    .into(),
                ROOT
            ),
            (pallet_safe_mode::Call::force_extend {}.into(), ROOT),
            // What takes it away cannot wait.
            (
                pallet_registry::Call::disallow_measurement { role: Role::Gatekeeper, measurement: measurement() }
                    .into(),
                "half 2/3 3/4 council tc2/3 tc root"
            ),
            (pallet_safe_mode::Call::force_enter {}.into(), "tc2/3 tc root"),
            (pallet_safe_mode::Call::force_exit {}.into(), "half 2/3 3/4 council root"),
            (
                pallet_membership::Call::<Runtime, pallet_membership::Instance1>::remove_member { who }.into(),
                TWO_THIRDS
            ),
            // The set of those who keep keys.
            (pallet_custody::Call::approve { account: account(Eve) }.into(), TWO_THIRDS),
            (pallet_custody::Call::expel { account: account(Eve) }.into(), TWO_THIRDS),
            (pallet_custody::Call::rotate_root {}.into(), TWO_THIRDS),
            (pallet_key_recovery::Call::announce { root }.into(), TWO_THIRDS),
            (pallet_key_recovery::Call::cancel { root }.into(), TWO_THIRDS),
            (pallet_key_recovery::Call::bind { root, place: 0, gatekeeper: worker }.into(), TWO_THIRDS),
        ];
        for (call, who) in rows {
            assert_eq!(powers(call.clone()), who, "{call:?}");
        }
    });
}

#[test]
fn the_council_spends_within_its_limits() {
    network().execute_with(|| {
        force(pallet_balances::Call::force_transfer {
            source: sp_runtime::MultiAddress::Id(account(Eve)),
            dest: sp_runtime::MultiAddress::Id(Treasury::account_id()),
            value: 500_000 * PHA,
        });
        let spend = |amount| pallet_treasury::Call::spend_local {
            amount,
            beneficiary: sp_runtime::MultiAddress::Id(account(Ferdie)),
        };
        dispatch(spend(10_000 * PHA), council(5, 8)).expect("small");
        assert!(dispatch(spend(10_000 * PHA + 1), council(5, 8)).is_err());
        dispatch(spend(200_000 * PHA), council(6, 8)).expect("large");
        assert!(dispatch(spend(1_000_000 * PHA + 1), council(8, 8)).is_err());
        assert!(dispatch(spend(1), committee(3, 3)).is_err());
        assert!(dispatch(spend(1), signed(Eve)).is_err());
        let had = Balances::free_balance(account(Ferdie));
        blocks(constants::SPEND_BLOCKS + 1);
        assert_eq!(Balances::free_balance(account(Ferdie)) - had, 210_000 * PHA);
        assert_supply();
    });
}

#[test]
fn money_stands_still_in_an_emergency_and_moves_again_by_itself() {
    network().execute_with(|| {
        let pay = || pallet_balances::Call::transfer_keep_alive {
            dest: sp_runtime::MultiAddress::Id(account(Ferdie)),
            value: PHA,
        };
        dispatch(pay(), signed(Eve)).expect("before");
        assert!(dispatch(pallet_safe_mode::Call::enter {}, signed(Eve)).is_err(), "nobody can buy a standstill");
        dispatch(pallet_safe_mode::Call::force_enter {}, committee(2, 3)).expect("entered");
        assert!(dispatch(pay(), signed(Eve)).is_err());
        // Nor in a batch, nor through a proxy.
        let batch = pallet_utility::Call::batch_all { calls: alloc::vec![pay().into()] };
        assert!(dispatch(batch, signed(Eve)).is_err());
        // Votes, keys and programs go on.
        dispatch(pallet_programs::Call::create_cluster {}, signed(Eve)).expect("programs go on");
        preimage(Eve, &pay().into());
        assert!(governance::GoesOn::contains(&pallet_custody::Call::unbond {}.into()));
        assert!(!governance::GoesOn::contains(
            &pallet_staking::Call::withdraw_unbonded { num_slashing_spans: 0 }.into()
        ));
        // It cannot be entered twice, and the committee cannot make it longer.
        assert!(dispatch(pallet_safe_mode::Call::force_enter {}, committee(3, 3)).is_err());
        assert!(dispatch(pallet_safe_mode::Call::force_extend {}, committee(3, 3)).is_err());
        blocks(constants::STANDSTILL_BLOCKS + 1);
        dispatch(pay(), signed(Eve)).expect("after");
    });
}

#[test]
fn a_pool_manager_runs_workers_and_takes_nothing() {
    use accounts::ProxyType;
    network().execute_with(|| {
        let manager = ProxyType::StakePoolManager;
        let pay: RuntimeCall = pallet_balances::Call::transfer_keep_alive {
            dest: sp_runtime::MultiAddress::Id(account(Ferdie)),
            value: PHA,
        }
        .into();
        let withdraw: RuntimeCall = pallet_staking::Call::withdraw_unbonded { num_slashing_spans: 0 }.into();
        let batch: RuntimeCall = pallet_utility::Call::batch { calls: alloc::vec![pay.clone()] }.into();
        assert!(!manager.filter(&pay));
        assert!(!manager.filter(&withdraw));
        assert!(manager.filter(&batch), "what is inside is filtered by itself");
        assert!(ProxyType::Any.filter(&pay));
        assert!(!ProxyType::NonTransfer.filter(&pay));
        assert!(!ProxyType::Governance.filter(&pay));
        assert!(!ProxyType::Staking.filter(&pay));
        assert!(!ProxyType::CancelProxy.filter(&batch));
        for other in
            [ProxyType::NonTransfer, ProxyType::Governance, ProxyType::Staking, manager, ProxyType::CancelProxy]
        {
            assert!(ProxyType::Any.is_superset(&other));
            assert!(!other.is_superset(&ProxyType::Any));
        }
        // And in the flesh: the inner call of a batch meets the filter.
        let delegate = sp_runtime::MultiAddress::Id(account(Ferdie));
        let add = pallet_proxy::Call::add_proxy { delegate, proxy_type: manager, delay: 0 };
        dispatch(add, signed(Eve)).expect("named");
        let had = Balances::free_balance(account(Ferdie));
        let act = pallet_proxy::Call::proxy {
            real: sp_runtime::MultiAddress::Id(account(Eve)),
            force_proxy_type: None,
            call: alloc::boxed::Box::new(batch),
        };
        dispatch(act, signed(Ferdie)).expect("a proxy's call tells its result in an event");
        assert_eq!(Balances::free_balance(account(Ferdie)), had);
    });
}

#[test]
fn proxies_are_numbered_as_clients_write_them() {
    use accounts::ProxyType::*;
    use codec::Encode;
    let bytes = [Any, NonTransfer, CancelProxy, Governance, Staking, StakePoolManager].map(|kind| kind.encode());
    assert_eq!(bytes.concat(), [0, 1, 2, 3, 4, 5]);
}
