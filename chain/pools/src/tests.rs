//! What owners decide, and what who gives gets.

use crate::{
    DESCRIPTION_BYTES_MAX, Description, LIST_MAX, NOTE_BYTES_MAX, Note, POSITIONS_GIVEN_MAX, POSITIONS_MAX, PoolCount,
    mock::*,
};
use frame_support::traits::fungible::Mutate as _;
use phala_economics::{CONTRIBUTION_MIN, DUST_MAX, NOTICE_BLOCKS, POOL_VALUE_MAX, PoolKind, Ppm, RequestId, Shares};
use phala_messages::{Account, PoolId};
use phala_units::{BlockNumber, PHA, Planck};

#[test]
fn a_pool_has_an_owner_and_an_account_of_its_own() {
    run(|| {
        let (pool, vault) = (stake_pool(10), vault(5));
        assert_eq!((pool, vault), (PoolId(0), PoolId(1)));
        assert_eq!(Pools::owner(pool), Some(account(OWNER)));
        assert_eq!(Pools::owner(PoolId(2)), None);
        assert!(Pools::is_stake_pool(pool) && !Pools::is_stake_pool(vault) && !Pools::is_stake_pool(PoolId(2)));
        assert_ne!(Pools::account(pool), Pools::account(vault));
        assert_eq!(balance(&account(OWNER)), RICH - 2 * DEPOSIT);
        assert_eq!(record(pool).owner, Account([OWNER; 32]));
        let created = |pool, kind, percent| Event::PoolCreated {
            pool,
            kind,
            owner: account(OWNER),
            commission: Ppm::percent(percent),
        };
        assert_eq!(events(), [created(pool, PoolKind::StakePool, 10), created(vault, PoolKind::Vault, 5)]);
    });
}

#[test]
fn ids_do_not_return() {
    run(|| {
        PoolCount::<Test>::put(u64::MAX);
        refused(OWNER, Call::create_stake_pool { commission: Ppm::ZERO }, Error::PoolsExhausted);
        PoolCount::<Test>::put(0);
    });
}

#[test]
fn shares_are_the_amount_over_the_price() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        assert_eq!(holding(2, pool).free, Shares(100 * PHA));
        reward(pool, 5 * PHA);
        contribute(3, pool, 21 * PHA);
        assert_eq!(holding(3, pool).free, Shares(20 * PHA));
        assert_eq!((worth(2, pool), worth(3, pool)), (105 * PHA, 21 * PHA));
        assert_eq!(balance(&account(3)), RICH - 21 * PHA);
        assert_eq!(record(pool).free, Planck(126 * PHA));
    });
}

#[test]
fn a_contribution_is_no_less_than_the_least_and_divided_fairly() {
    run(|| {
        let pool = stake_pool(0);
        let give = |amount| Call::contribute { pool, amount: Planck(amount) };
        refused(2, give(CONTRIBUTION_MIN.0 - 1), Error::TooLittle);
        by(2, give(CONTRIBUTION_MIN.0)).unwrap();
        refused(2, Call::contribute { pool: PoolId(9), amount: Planck(PHA) }, Error::PoolUnknown);
        Balances::mint_into(&account(3), POOL_VALUE_MAX.0 + PHA).unwrap();
        refused(3, give(POOL_VALUE_MAX.0 - CONTRIBUTION_MIN.0 + 1), Error::TooMuch);
    });
}

#[test]
fn a_price_that_was_driven_up_robs_nobody() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, CONTRIBUTION_MIN.0);
        Computing::start(pool, CONTRIBUTION_MIN.0).unwrap();
        // Nearly all shares are paid in part; of what is left, each is worth a fortune after one reward.
        withdraw(2, pool, CONTRIBUTION_MIN.0);
        Pools::return_stake(pool, Planck(CONTRIBUTION_MIN.0 - 2_000), Planck(0)).unwrap();
        blocks(1);
        assert_eq!(record(pool).ledger.shares(), Shares(2_000));
        by(2, Call::cancel_withdrawal { pool, request: RequestId(0), shares: Shares(2_000) }).unwrap();
        reward(pool, 200_000 * PHA);
        refused(4, Call::contribute { pool, amount: Planck(150 * PHA) }, Error::LostToRounding);
        // A thousand shares at their price, exactly.
        contribute(4, pool, 1_000 * (100 * PHA + 1));
        assert_eq!((holding(4, pool).free, worth(4, pool)), (Shares(1_000), 1_000 * (100 * PHA + 1)));
        Pools::return_stake(pool, Planck(2_000), Planck(0)).unwrap();
    });
}

#[test]
fn a_reward_is_divided_as_the_documents_say() {
    run(|| {
        // Ten PHA mined, of which the treasury has had two; 40 % commission; a third and two thirds of the shares.
        let pool = stake_pool(40);
        contribute(2, pool, 100 * PHA);
        contribute(3, pool, 200 * PHA);
        let owner = balance(&account(OWNER));
        reward(pool, 8 * PHA);
        assert_eq!(balance(&account(OWNER)) - owner, 3_200_000_000_000);
        assert_eq!((worth(2, pool) - 100 * PHA, worth(3, pool) - 200 * PHA), (1_600_000_000_000, 3_200_000_000_000));
        let rewarded = Event::Rewarded { pool, stakers: Planck(4_800_000_000_000), owner: Planck(3_200_000_000_000) };
        assert_eq!(events().last(), Some(&rewarded));
    });
}

#[test]
fn a_reward_that_no_share_can_have_goes_elsewhere() {
    run(|| {
        let pool = stake_pool(40);
        reward(pool, 8 * PHA);
        assert_eq!(balance(&account(UNCLAIMED)), 8 * PHA + DEPOSIT);
        contribute(2, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        Computing::slash(0, 100 * PHA - DUST_MAX.0);
        reward(pool, 8 * PHA);
        assert_eq!(balance(&account(UNCLAIMED)), 16 * PHA + DEPOSIT);
        assert_eq!(events().last(), Some(&Event::RewardUnclaimed { pool, amount: Planck(8 * PHA) }));
        assert_eq!(balance(&account(SLASHED)), 100 * PHA - DUST_MAX.0 + DEPOSIT);
        assert_eq!(Pools::reward(vault(0), Planck(1)), Err(Error::NotStakePool.into()));
        assert_eq!(Pools::reward(PoolId(9), Planck(1)), Err(Error::PoolUnknown.into()));
    });
}

#[test]
fn an_owner_without_an_account_leaves_too_little_to_the_stakers() {
    run(|| {
        let pool = stake_pool(50);
        contribute(2, pool, 100 * PHA);
        Balances::set_balance(&account(OWNER), 0);
        reward(pool, DEPOSIT);
        assert_eq!(worth(2, pool), 100 * PHA + DEPOSIT);
        reward(pool, 2 * DEPOSIT);
        assert_eq!((worth(2, pool), balance(&account(OWNER))), (100 * PHA + 2 * DEPOSIT, DEPOSIT));
    });
}

#[test]
fn stake_goes_to_work_and_returns() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        assert_eq!(Pools::take_stake(pool, Planck(100 * PHA + 1)), Err(Error::NotEnoughFree.into()));
        assert_eq!(Pools::take_stake(PoolId(7), Planck(1)), Err(Error::PoolUnknown.into()));
        Pools::take_stake(pool, Planck(100 * PHA)).unwrap();
        assert_eq!((record(pool).free, record(pool).at_work), (Planck(0), Planck(100 * PHA)));
        assert_eq!(Pools::return_stake(pool, Planck(100 * PHA), Planck(1)), Err(Error::NotAtWork.into()));
        assert_eq!(Pools::return_stake(pool, Planck(1), Planck(u128::MAX)), Err(Error::NotAtWork.into()));
        Pools::return_stake(pool, Planck(70 * PHA), Planck(30 * PHA)).unwrap();
        assert_eq!((record(pool).free, record(pool).at_work), (Planck(70 * PHA), Planck(0)));
        assert_eq!((worth(2, pool), balance(&account(SLASHED))), (70 * PHA, 30 * PHA + DEPOSIT));
        assert_eq!(events().last(), Some(&Event::Slashed { pool, amount: Planck(30 * PHA) }));
    });
}

#[test]
fn only_the_owner_decides() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(0));
        contribute(2, vault, PHA);
        let who = account(3);
        for call in [
            Call::set_commission { pool, rate: Ppm::ZERO },
            Call::set_cap { pool, cap: None },
            Call::set_description { pool, description: Description::default() },
            Call::add_to_list { pool, account: who.clone(), note: Note::default() },
            Call::remove_from_list { pool, account: who },
            Call::close { pool },
            Call::remove { pool },
            Call::vault_contribute { vault, pool, amount: Planck(PHA) },
            Call::vault_withdraw { vault, pool, shares: Shares(1) },
            Call::vault_cancel { vault, pool, request: Default::default(), shares: Shares(1) },
        ] {
            refused(2, call, Error::NotOwner);
        }
    });
}

#[test]
fn a_cap_counts_what_stays() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        by(OWNER, Call::set_cap { pool, cap: Some(Planck(150 * PHA)) }).unwrap();
        let give = |amount| Call::contribute { pool, amount: Planck(amount) };
        refused(3, give(50 * PHA + 1), Error::CapExceeded);
        by(3, give(50 * PHA)).unwrap();
        Computing::start(pool, 150 * PHA).unwrap();
        // What is asked back makes room for others, who pay it out.
        withdraw(2, pool, 40 * PHA);
        refused(4, give(40 * PHA + 1), Error::CapExceeded);
        by(4, give(40 * PHA)).unwrap();
        blocks(1);
        assert_eq!(balance(&account(2)), RICH - 60 * PHA);
        // A lower cap throws nobody out.
        by(OWNER, Call::set_cap { pool, cap: Some(Planck(0)) }).unwrap();
        refused(4, give(PHA), Error::CapExceeded);
        by(OWNER, Call::set_cap { pool, cap: None }).unwrap();
        by(4, give(PHA)).unwrap();
    });
}

#[test]
fn a_list_lets_in_who_stands_on_it() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, PHA);
        contribute(4, pool, PHA);
        let add = |n| Call::add_to_list { pool, account: account(n), note: b"a friend".to_vec().try_into().unwrap() };
        let remove = |n| Call::remove_from_list { pool, account: account(n) };
        let give = || Call::contribute { pool, amount: Planck(PHA) };
        by(OWNER, add(3)).unwrap();
        refused(OWNER, add(3), Error::AlreadyListed);
        refused(2, give(), Error::NotListed);
        refused(4, Call::transfer_shares { pool, to: account(2), shares: Shares(PHA) }, Error::NotListed);
        by(3, give()).unwrap();
        by(OWNER, give()).unwrap();
        by(2, Call::transfer_shares { pool, to: account(3), shares: Shares(PHA) }).unwrap();
        withdraw(4, pool, PHA);
        refused(OWNER, remove(2), Error::NotListed);
        by(OWNER, remove(3)).unwrap();
        by(2, give()).unwrap();
    });
}

#[test]
fn texts_and_lists_have_their_limits() {
    run(|| {
        let pool = stake_pool(0);
        let text = |bytes: &[u8]| Description::try_from(bytes.to_vec());
        let describe = |description| Call::set_description { pool, description };
        by(OWNER, describe(text(&[b'a'; DESCRIPTION_BYTES_MAX as usize]).unwrap())).unwrap();
        assert!(text(&[b'a'; DESCRIPTION_BYTES_MAX as usize + 1]).is_err());
        assert_eq!(DESCRIPTION_BYTES_MAX, 480);
        by(OWNER, describe(text("Zwölf Arbeiter\nin Ulm".as_bytes()).unwrap())).unwrap();
        for bad in [&b"a\0b"[..], &[0xff], b"\x1b[31m"] {
            refused(OWNER, describe(text(bad).unwrap()), Error::NotText);
        }
        by(OWNER, describe(Description::default())).unwrap();
        assert_eq!(crate::Descriptions::<Test>::get(pool), None);

        assert!(Note::try_from(vec![b'a'; NOTE_BYTES_MAX as usize]).is_ok());
        assert!(Note::try_from(vec![b'a'; NOTE_BYTES_MAX as usize + 1]).is_err());
        let add =
            |n, note: &[u8]| Call::add_to_list { pool, account: account(n), note: note.to_vec().try_into().unwrap() };
        refused(OWNER, add(2, &[0xff]), Error::NotText);
        (0..LIST_MAX as u8).for_each(|n| by(OWNER, add(n, b"")).unwrap());
        refused(OWNER, add(LIST_MAX as u8, b""), Error::ListFull);
        by(OWNER, Call::close { pool }).unwrap();
        by(OWNER, Call::remove { pool }).unwrap();
        assert_eq!(crate::Listed::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_rise_of_commission_waits_a_week() {
    run(|| {
        let pool = stake_pool(10);
        contribute(2, pool, 1_000 * PHA);
        let earned = || {
            let before = balance(&account(OWNER));
            reward(pool, 10 * PHA);
            balance(&account(OWNER)) - before
        };
        by(OWNER, Call::set_commission { pool, rate: Ppm::percent(60) }).unwrap();
        let from = BlockNumber(1 + NOTICE_BLOCKS);
        assert_eq!(events().last(), Some(&Event::CommissionChanged { pool, rate: Ppm::percent(60), from }));
        System::set_block_number(from.0 - 1);
        assert_eq!(earned(), PHA);
        System::set_block_number(from.0);
        assert_eq!(earned(), 6 * PHA);
        by(OWNER, Call::set_commission { pool, rate: Ppm::percent(20) }).unwrap();
        assert_eq!(earned(), 2 * PHA);
    });
}

#[test]
fn a_closed_pool_lets_everybody_out_and_is_removed() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        refused(OWNER, Call::remove { pool }, Error::PoolOpen);
        by(OWNER, Call::close { pool }).unwrap();
        refused(OWNER, Call::close { pool }, Error::PoolClosed);
        refused(2, Call::contribute { pool, amount: Planck(PHA) }, Error::PoolClosed);
        assert_eq!(Pools::take_stake(pool, Planck(PHA)), Err(Error::PoolClosed.into()));
        refused(OWNER, Call::remove { pool }, Error::PoolInUse);
        withdraw(2, pool, 100 * PHA);
        // It stands in line until the next visit.
        refused(OWNER, Call::remove { pool }, Error::PoolInUse);
        blocks(1);
        by(OWNER, Call::remove { pool }).unwrap();
        assert_eq!(balance(&account(OWNER)), RICH);
        assert_eq!(Pools::owner(pool), None);
        refused(OWNER, Call::remove { pool }, Error::PoolUnknown);
        assert_eq!(stake_pool(0), PoolId(1));
    });
}

#[test]
fn a_vault_is_removed_when_it_has_left_its_pools() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(0));
        contribute(2, vault, 100 * PHA);
        invest(vault, pool, 50 * PHA);
        by(OWNER, Call::close { pool: vault }).unwrap();
        withdraw(2, vault, 100 * PHA);
        refused(OWNER, Call::remove { pool: vault }, Error::PoolInUse);
        blocks(4);
        assert_eq!(balance(&account(2)), RICH);
        by(OWNER, Call::remove { pool: vault }).unwrap();
        assert_eq!(crate::Positions::<Test>::iter().count(), 0);
    });
}

#[test]
fn shares_change_hands() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        let give = |to, shares| Call::transfer_shares { pool, to: account(to), shares: Shares(shares) };
        refused(2, give(2, PHA), Error::NotRecipient);
        let own = Call::transfer_shares { pool, to: Pools::account(pool), shares: Shares(PHA) };
        refused(2, own, Error::NotRecipient);
        refused(2, give(3, 0), Error::NotEnoughShares);
        refused(2, give(3, 100 * PHA + 1), Error::NotEnoughShares);
        refused(2, give(3, CONTRIBUTION_MIN.0 - 1), Error::TooFewShares);
        by(2, give(3, CONTRIBUTION_MIN.0)).unwrap();
        by(2, give(3, 1)).unwrap();
        assert_eq!(holding(3, pool).free, Shares(CONTRIBUTION_MIN.0 + 1));
        // What waits in the queue stays its holder's.
        Computing::start(pool, 100 * PHA).unwrap();
        withdraw(2, pool, 50 * PHA);
        let free = holding(2, pool).free.0;
        refused(2, give(3, free + 1), Error::NotEnoughShares);
        by(2, give(3, free)).unwrap();
        assert_eq!((holding(2, pool).free, holding(2, pool).queued), (Shares(0), Shares(50 * PHA)));
    });
}

#[test]
fn an_account_has_a_few_positions_and_gifts_leave_it_room() {
    run(|| {
        let pools: Vec<PoolId> = (0..=POSITIONS_MAX).map(|_| stake_pool(0)).collect();
        let gift = |pool| Call::transfer_shares { pool, to: account(3), shares: Shares(PHA) };
        for (n, pool) in pools.iter().enumerate() {
            let giver = 10 + n as u8;
            contribute(giver, *pool, 10 * PHA);
            if n < POSITIONS_GIVEN_MAX as usize {
                by(giver, gift(*pool)).unwrap();
            } else {
                refused(giver, gift(*pool), Error::PositionsFull);
            }
        }
        let give = |pool: &PoolId| Call::contribute { pool: *pool, amount: Planck(PHA) };
        let (last, others) = pools.split_last().unwrap();
        others.iter().for_each(|pool| by(3, give(pool)).unwrap());
        refused(3, give(last), Error::PositionsFull);
        by(3, give(&others[0])).unwrap();
        // More of what it has may be given, and who leaves a pool may come to another.
        by(25, gift(others[15])).unwrap();
        withdraw(3, others[0], 3 * PHA);
        by(3, give(last)).unwrap();
    });
}

#[test]
fn a_vaults_owner_keeps_the_position_that_its_commission_comes_to() {
    run(|| {
        let first = vault(0);
        (1..POSITIONS_MAX).for_each(|_| _ = vault(0));
        refused(OWNER, Call::create_vault { commission: Ppm::ZERO }, Error::PositionsFull);
        contribute(OWNER, first, PHA);
        withdraw(OWNER, first, PHA);
        refused(OWNER, Call::create_vault { commission: Ppm::ZERO }, Error::PositionsFull);
    });
}

#[test]
fn staked_pha_keeps_its_vote() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(0));
        contribute(2, pool, 100 * PHA);
        contribute(2, vault, 60 * PHA);
        contribute(3, vault, 40 * PHA);
        invest(vault, pool, 100 * PHA);
        assert_eq!((Pools::votes(&account(2)), Pools::votes(&account(3))), (Planck(160 * PHA), Planck(40 * PHA)));
        // A reward counts through the vault before anybody settles that.
        reward(pool, 20 * PHA);
        assert_eq!((Pools::votes(&account(2)), Pools::votes(&account(3))), (Planck(176 * PHA), Planck(44 * PHA)));
        assert_eq!(Pools::votes(&account(4)), Planck(0));
        // What is asked back votes no more.
        Computing::start(pool, 220 * PHA).unwrap();
        withdraw(2, pool, 50 * PHA);
        assert_eq!(Pools::votes(&account(2)), Planck(121 * PHA));
    });
}

#[test]
fn the_same_pha_does_not_vote_twice() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        Pools::set_vote_lock(&account(2), Planck(60 * PHA));
        assert_eq!(Pools::vote_lock(&account(2)), Planck(60 * PHA));
        let leave = |shares| Call::withdraw { pool, shares: Shares(shares) };
        let give = |shares| Call::transfer_shares { pool, to: account(3), shares: Shares(shares) };
        refused(2, leave(40 * PHA + 1), Error::VotesLocked);
        refused(2, give(40 * PHA + 1), Error::VotesLocked);
        by(2, leave(20 * PHA)).unwrap();
        by(2, give(20 * PHA)).unwrap();
        refused(2, give(PHA), Error::VotesLocked);
        Pools::set_vote_lock(&account(2), Planck(0));
        by(2, give(60 * PHA)).unwrap();
        assert_eq!(Pools::vote_lock(&account(2)), Planck(0));
    });
}
