//! Paying for computation on the runtime itself: a command from its estimate to the pool of the worker that answered.

use crate::{credit::Paid, lab::*, *};
use codec::Encode;
use frame_support::traits::Contains as _;
use pallet_programs::Payments as _;
use phala_economics::{Ppm, price_of_command, weight_of_stake};
use phala_messages::{
    Account, ClusterId, CodeHash, Manifest, PoolId, ProgramId, ProgramStatus, SealedCommand, WorkerId,
    calls::{self, Call},
    computation::WorkRecord,
    credit::{self as words, Payer},
    storage,
};
use phala_units::Planck;
use sp_keyring::Sr25519Keyring;

const WORKER: WorkerId = WorkerId([8; 32]);

fn free(who: Sr25519Keyring) -> Balance {
    Balances::free_balance(account(who))
}

fn sealed() -> SealedCommand {
    alloc::vec![0xab; 1_024].try_into().unwrap_or_default()
}

/// A live program of Eve's, on a network where commands have the price of the one that counts.
fn live_program() -> ProgramId {
    force(pallet_credit::Call::set_price { price: genesis::COMMAND_PRICE });
    dispatch(pallet_programs::Call::create_cluster {}, signed(Eve)).expect("founded");
    let deploy = pallet_programs::Call::deploy {
        cluster: ClusterId(0),
        name: b"hello".to_vec().try_into().unwrap_or_default(),
        code: CodeHash([1; 32]),
        code_bytes: 1,
        manifest: Manifest::default(),
    };
    dispatch(deploy, signed(Eve)).expect("deployed");
    let program = ProgramId::derive(&Account(account(Eve).into()), 0);
    pallet_programs::Programs::<Runtime>::mutate(program, |record| {
        if let Some(record) = record {
            record.status = ProgramStatus::Live;
        }
    });
    program
}

/// What a client computes before it sends.
fn estimate(program: ProgramId) -> Balance {
    let record = pallet_programs::Programs::<Runtime>::get(program).expect("it stands");
    price_of_command(&pallet_credit::Price::<Runtime>::get(), 1_024, &record.manifest.limits).0
}

fn command(program: ProgramId, price_max: Balance) -> RuntimeCall {
    pallet_programs::Call::command_within { program, sealed: sealed(), price_max: Planck(price_max) }.into()
}

fn deposit() -> Balance {
    Programs::command_deposit(1_024).0
}

#[test]
fn a_command_costs_its_estimate_and_pays_the_pool_of_who_answered() {
    network().execute_with(|| {
        let program = live_program();
        let price = estimate(program);
        assert_eq!(price, PHA / 1_000 + 1_024 * PHA / 10_000_000 + 2 * PHA / 1_000);
        dispatch(pallet_pools::Call::create_stake_pool { commission: Ppm::percent(0) }, signed(Dave)).expect("founded");
        let pool = PoolId(0);
        dispatch(pallet_pools::Call::contribute { pool, amount: Planck(100 * PHA) }, signed(Dave)).expect("staked");
        let work = WorkRecord {
            pool,
            score: None,
            session: None,
            challenge: None,
            leaving: false,
            processes: Default::default(),
        };
        pallet_computation::Work::<Runtime>::insert(WORKER, work);

        let had = free(Ferdie);
        assert!(dispatch(command(program, price - 1), signed(Ferdie)).is_err(), "one Planck less is too little");
        dispatch(command(program, price), signed(Ferdie)).expect("ordered");
        assert_eq!(had - free(Ferdie), price + deposit());
        dispatch(pallet_credit::Call::top_up { program, amount: Planck(price) }, signed(Alice)).expect("topped up");
        let had = free(Ferdie);
        dispatch(command(program, 0), signed(Ferdie)).expect("the program pays");
        assert_eq!(had - free(Ferdie), deposit());

        let worth = |pool| pallet_pools::Pools::<Runtime>::get(pool).map(|record| record.ledger.value());
        Paid::spent(&program, 0..2, &WORKER);
        assert_eq!(worth(pool), Some(Planck(100 * PHA + 2 * price)));
        assert_supply();
    });
}

#[test]
fn a_removed_program_gives_everybody_theirs_back() {
    network().execute_with(|| {
        let (eve, ferdie, alice) = (free(Eve), free(Ferdie), free(Alice));
        let program = live_program();
        let price = estimate(program);
        dispatch(pallet_credit::Call::top_up { program, amount: Planck(3 * price) }, signed(Alice)).expect("topped up");
        dispatch(pallet_credit::Call::stake { program, amount: Planck(50 * PHA) }, signed(Alice)).expect("staked");
        assert_eq!(weight_of_stake(pallet_credit::ProgramStakes::<Runtime>::get(program)), 6);
        dispatch(command(program, 0), signed(Ferdie)).expect("the program pays");
        dispatch(pallet_credit::Call::set_payer { program, payer: Payer::Caller }, signed(Eve)).expect("set");
        dispatch(command(program, price), signed(Ferdie)).expect("Ferdie pays");
        dispatch(pallet_programs::Call::remove { program }, signed(Eve)).expect("removed");
        next_block();
        // Blocks pay their authors out of fees only, and nobody paid any.
        assert_eq!(free(Eve), eve + 3 * price);
        assert_eq!(free(Ferdie), ferdie);
        dispatch(pallet_credit::Call::unstake { program, amount: Planck(50 * PHA) }, signed(Alice)).expect("at once");
        assert_eq!(free(Alice), alice - 3 * price);
        assert_supply();
    });
}

#[test]
fn what_is_staked_on_a_program_keeps_its_vote() {
    use frame_support::traits::Currency as _;
    network().execute_with(|| {
        let program = live_program();
        let votes = voting::Voting::free_balance(&account(Alice));
        dispatch(pallet_credit::Call::stake { program, amount: Planck(50 * PHA) }, signed(Alice)).expect("staked");
        assert_eq!(voting::Voting::free_balance(&account(Alice)), votes);
    });
}

#[test]
fn only_a_referendum_sets_the_price() {
    network().execute_with(|| {
        let call = || pallet_credit::Call::set_price { price: genesis::COMMAND_PRICE };
        assert!(dispatch(call(), council(8, 8)).is_err());
        assert!(dispatch(call(), committee(3, 3)).is_err());
        assert!(dispatch(call(), signed(Eve)).is_err());
        dispatch(call(), RuntimeOrigin::root()).expect("Root may");
    });
}

#[test]
fn while_money_stands_still_no_credit_and_no_stake_moves() {
    let (program, amount) = (ProgramId([7; 32]), Planck(5));
    let waits = [
        pallet_credit::Call::<Runtime>::stake { program, amount },
        pallet_credit::Call::unstake { program, amount },
        pallet_credit::Call::withdraw_unstaked { program },
        pallet_credit::Call::top_up { program, amount },
        pallet_credit::Call::withdraw_credit { program, amount },
        pallet_credit::Call::refund_late { program, command: 1 },
    ];
    for call in waits {
        assert!(!governance::GoesOn::contains(&call.into()));
    }
    let goes_on = pallet_credit::Call::<Runtime>::set_payer { program, payer: Payer::Owner };
    assert!(governance::GoesOn::contains(&goes_on.into()));
}

#[test]
fn calls_are_encoded_as_the_runtime_encodes_them() {
    use pallet_credit::Call as C;
    let (program, amount, price) = (ProgramId([7; 32]), Planck(5), genesis::COMMAND_PRICE);
    let pairs: Vec<(words::Credit, C<Runtime>)> = alloc::vec![
        (words::Credit::Stake { program, amount }, C::stake { program, amount }),
        (words::Credit::Unstake { program, amount }, C::unstake { program, amount }),
        (words::Credit::WithdrawUnstaked { program }, C::withdraw_unstaked { program }),
        (words::Credit::TopUp { program, amount }, C::top_up { program, amount }),
        (words::Credit::WithdrawCredit { program, amount }, C::withdraw_credit { program, amount }),
        (words::Credit::SetPayer { program, payer: Payer::Caller }, C::set_payer { program, payer: Payer::Caller }),
        (words::Credit::RefundLate { program, command: 6 }, C::refund_late { program, command: 6 }),
        (words::Credit::SetPrice { price }, C::set_price { price }),
    ];
    for (ours, theirs) in pairs {
        assert_eq!(Call::Credit(ours.clone()).encode(), RuntimeCall::from(theirs).encode(), "{ours:?}");
    }
    let ours = calls::Programs::CommandWithin { program, sealed: sealed(), price_max: amount };
    assert_eq!(Call::Programs(ours).encode(), command(program, 5).encode());
}

#[test]
fn storage_lies_where_clients_look_for_it() {
    let program = ProgramId([7; 32]);
    let (named, id) = (Account(account(Eve).into()), account(Eve));
    assert_eq!(storage::command_price(), pallet_credit::Price::<Runtime>::hashed_key().to_vec());
    assert_eq!(storage::credit(&program), pallet_credit::Credits::<Runtime>::hashed_key_for(program));
    assert_eq!(storage::reservation(&program, 6), pallet_credit::Reservations::<Runtime>::hashed_key_for(program, 6));
    assert_eq!(storage::program_stake(&program), pallet_credit::ProgramStakes::<Runtime>::hashed_key_for(program));
    assert_eq!(storage::stake(&program, &named), pallet_credit::Stakes::<Runtime>::hashed_key_for(program, &id));
    assert_eq!(
        storage::leaving_stake(&program, &named),
        pallet_credit::Leaving::<Runtime>::hashed_key_for(program, &id)
    );
}
