//! A season of a network, drawn from a seed, against a ledger that a child could keep: who stakes, pays, answers, removes; prices that
//! change. After every block the pallet's books balance and every account has what the ledger says.

use crate::mock::*;
use phala_messages::{
    PoolId, ProgramId, ProgramLimits, WorkerId,
    credit::{CommandPrice, Payer},
};
use phala_units::{PHA, Planck};
use std::collections::BTreeMap;

const PEOPLE: u64 = 12;
const OPERATIONS: u32 = 20_000;
const OPERATIONS_PER_BLOCK: u64 = 20;
const STANDING_MAX: usize = 8;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn person(&mut self) -> u8 {
        1 + self.below(PEOPLE) as u8
    }

    /// From dust to a fortune.
    fn amount(&mut self) -> u128 {
        let digits = self.below(14) as u32;
        u128::from(1 + self.below(9)) * 10u128.pow(digits)
    }

    /// A part of what there is: mostly some, sometimes all, sometimes too much.
    fn part(&mut self, all: u128) -> u128 {
        match self.below(8) {
            0 | 1 => all,
            2 => all + 1,
            _ => all / 1_000 * u128::from(self.below(1_001)),
        }
    }
}

/// A command that waits: its price, who paid, and since when.
#[derive(Clone, Copy)]
struct Waiting {
    amount: u128,
    caller: Option<u8>,
    since: u32,
}

#[derive(Default)]
struct Program {
    owner: u8,
    payer: Payer,
    free: u128,
    removed: bool,
    ordered: u64,
    answered: u64,
    waiting: BTreeMap<u64, Waiting>,
    stakes: BTreeMap<u8, u128>,
    leaving: BTreeMap<u8, (u128, u32)>,
}

/// What should be.
#[derive(Default)]
struct Ledger {
    price: (u128, u128, u128),
    /// Free and held together, without what is in the escrow.
    people: BTreeMap<u8, u128>,
    held: BTreeMap<u8, u128>,
    pools: BTreeMap<PoolId, u128>,
    pot: u128,
    programs: Vec<Program>,
}

fn id(index: usize) -> ProgramId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(index as u64).to_be_bytes());
    ProgramId(bytes)
}

fn now() -> u32 {
    System::block_number()
}

impl Ledger {
    fn gain(&mut self, n: u8, amount: u128) {
        *self.people.get_mut(&n).unwrap() += amount;
    }

    fn lose(&mut self, n: u8, amount: u128) {
        *self.people.get_mut(&n).unwrap() -= amount;
    }

    /// What an account can part with and live.
    fn spendable(&self, n: u8) -> u128 {
        self.people[&n] - self.held[&n] - DEPOSIT
    }

    fn pick(&self, dice: &mut Dice) -> usize {
        // Mostly one that stands.
        let all = 0..self.programs.len();
        let standing: Vec<usize> = all.clone().filter(|index| !self.programs[*index].removed).collect();
        match standing.get(dice.below(standing.len() as u64) as usize) {
            Some(index) if dice.below(5) > 0 => *index,
            // Or one of those that were removed last.
            _ => all.len() - 1 - dice.below(all.len().min(20) as u64) as usize,
        }
    }

    fn deploy(&mut self, dice: &mut Dice) -> bool {
        if self.programs.iter().filter(|program| !program.removed).count() >= STANDING_MAX {
            return false;
        }
        let owner = dice.person();
        deploy_as(owner, id(self.programs.len()));
        self.programs.push(Program { owner, ..Default::default() });
        true
    }

    fn stake(&mut self, dice: &mut Dice) -> bool {
        let (index, who, amount) =
            (self.pick(dice), dice.person(), (1 + dice.below(100)) * u64::from(dice.below(8) > 0));
        let amount = u128::from(amount) * 7 * PHA / 2;
        let done = by(who, Call::stake { program: id(index), amount: Planck(amount) }).is_ok();
        let program = &self.programs[index];
        let staked = program.stakes.get(&who).copied().unwrap_or_default() + amount;
        assert_eq!(done, amount > 0 && !program.removed && staked >= STAKE_MIN && amount <= self.spendable(who));
        if done {
            self.programs[index].stakes.insert(who, staked);
            *self.held.get_mut(&who).unwrap() += amount;
        }
        done
    }

    fn unstake(&mut self, dice: &mut Dice) -> bool {
        let index = self.pick(dice);
        let stakers: Vec<u8> = self.programs[index].stakes.keys().copied().collect();
        let who = stakers.get(dice.below(stakers.len() as u64 + 1) as usize).copied().unwrap_or_else(|| dice.person());
        let program = &mut self.programs[index];
        let staked = program.stakes.get(&who).copied().unwrap_or_default();
        let amount = dice.part(staked);
        let done = by(who, Call::unstake { program: id(index), amount: Planck(amount) }).is_ok();
        let rest = staked.checked_sub(amount);
        let rest_may_be = rest.is_some_and(|rest| rest == 0 || rest >= STAKE_MIN || program.removed);
        assert_eq!(done, amount > 0 && rest_may_be);
        if done {
            program.stakes.insert(who, rest.unwrap());
            program.stakes.retain(|_, stake| *stake > 0);
            if program.removed {
                *self.held.get_mut(&who).unwrap() -= amount;
            } else {
                let leaving = program.leaving.entry(who).or_default();
                *leaving = (leaving.0 + amount, now() + UNSTAKE_BLOCKS);
            }
        }
        done
    }

    fn withdraw_unstaked(&mut self, dice: &mut Dice) -> bool {
        let index = self.pick(dice);
        let leavers: Vec<u8> = self.programs[index].leaving.keys().copied().collect();
        let who = leavers.get(dice.below(leavers.len() as u64 + 1) as usize).copied().unwrap_or_else(|| dice.person());
        let done = by(who, Call::withdraw_unstaked { program: id(index) }).is_ok();
        let program = &mut self.programs[index];
        let leaving = program.leaving.get(&who).copied();
        assert_eq!(done, leaving.is_some_and(|(_, from)| program.removed || now() >= from));
        if done {
            program.leaving.remove(&who);
            *self.held.get_mut(&who).unwrap() -= leaving.unwrap().0;
        }
        done
    }

    fn top_up(&mut self, dice: &mut Dice) -> bool {
        let (index, who, amount) = (self.pick(dice), dice.person(), dice.amount());
        let done = by(who, Call::top_up { program: id(index), amount: Planck(amount) }).is_ok();
        assert_eq!(done, !self.programs[index].removed && amount <= self.spendable(who));
        if done {
            self.programs[index].free += amount;
            self.lose(who, amount);
        }
        done
    }

    fn withdraw_credit(&mut self, dice: &mut Dice) -> bool {
        let index = self.pick(dice);
        let owner = self.programs[index].owner;
        let who = if dice.below(10) == 0 { dice.person() } else { owner };
        let amount = dice.part(self.programs[index].free);
        let done = by(who, Call::withdraw_credit { program: id(index), amount: Planck(amount) }).is_ok();
        let program = &mut self.programs[index];
        assert_eq!(done, !program.removed && who == owner && amount > 0 && amount <= program.free);
        if done {
            program.free -= amount;
            self.gain(owner, amount);
        }
        done
    }

    fn set_payer(&mut self, dice: &mut Dice) -> bool {
        let index = self.pick(dice);
        let program = &mut self.programs[index];
        let payer = if dice.below(3) == 0 { Payer::Caller } else { Payer::Owner };
        let done = by(program.owner, Call::set_payer { program: id(index), payer }).is_ok();
        assert_eq!(done, !program.removed);
        if done {
            program.payer = payer;
        }
        done
    }

    fn set_price(&mut self, dice: &mut Dice) -> bool {
        let mut part = |max: u64| if dice.below(3) == 0 { 0 } else { u128::from(dice.below(max)) };
        self.price = (part(1 << 40), part(1 << 30), part(1 << 30));
        let (base, per_byte, per_million_fuel) = self.price;
        let price =
            CommandPrice { base: Planck(base), per_byte: Planck(per_byte), per_million_fuel: Planck(per_million_fuel) };
        set_price(price).is_ok()
    }

    fn order(&mut self, dice: &mut Dice) -> bool {
        let (index, who) = (self.pick(dice), dice.person());
        if self.programs[index].removed {
            return false;
        }
        let (bytes, fuel) = (48 + dice.below(262_096) as u32, 1 + dice.below(20_000_000_000));
        let amount =
            self.price.0 + self.price.1 * u128::from(bytes) + self.price.2 * u128::from(fuel.div_ceil(1_000_000));
        let max = (dice.below(4) == 0).then(|| dice.part(amount));
        let limits = ProgramLimits { command_fuel_max: fuel, ..Default::default() };
        let command = self.programs[index].ordered;
        let done = frame_support::storage::with_storage_layer(|| {
            Credit::reserve(&id(index), command, named(who), bytes, &limits, max.map(Planck))
        })
        .is_ok();
        let spendable = self.spendable(who);
        let program = &mut self.programs[index];
        let of_credit = program.payer == Payer::Owner && program.free >= amount;
        let of_caller = amount <= spendable && max.is_none_or(|max| amount <= max);
        assert_eq!(done, amount == 0 || of_credit || of_caller);
        if done {
            program.ordered += 1;
        }
        if done && amount > 0 {
            let caller = (!of_credit).then_some(who);
            program.waiting.insert(command, Waiting { amount, caller, since: now() });
            if of_credit {
                program.free -= amount;
            } else {
                self.lose(who, amount);
            }
        }
        done
    }

    fn answer(&mut self, dice: &mut Dice) -> bool {
        let index = self.pick(dice);
        let program = &mut self.programs[index];
        let open = program.ordered - program.answered;
        if program.removed || open == 0 {
            return false;
        }
        let to = program.answered + 1 + dice.below(open);
        // Some work for a pool, some for nobody.
        let number = dice.below(12) as u8;
        let worker = WorkerId([number; 32]);
        let pool = (number < 8).then(|| PoolId(number.into()));
        if let Some(pool) = pool {
            Working::bind(worker, pool);
        }
        Credit::spent(&id(index), program.answered..to, &worker);
        program.answered = to;
        let rest = program.waiting.split_off(&to);
        let paid = core::mem::replace(&mut program.waiting, rest).values().map(|waiting| waiting.amount).sum::<u128>();
        match pool {
            Some(pool) => *self.pools.entry(pool).or_default() += paid,
            None => self.pot += paid,
        }
        true
    }

    fn remove(&mut self, dice: &mut Dice) -> bool {
        let index = self.pick(dice);
        if self.programs[index].removed {
            return false;
        }
        self.remove_one(index);
        true
    }

    fn remove_one(&mut self, index: usize) {
        remove(id(index));
        let program = &mut self.programs[index];
        program.removed = true;
        let of_credit =
            program.waiting.values().filter(|waiting| waiting.caller.is_none()).map(|waiting| waiting.amount);
        let back = core::mem::take(&mut program.free) + of_credit.sum::<u128>();
        let owner = program.owner;
        self.gain(owner, back);
    }

    /// Programs have a moment for what a removed one left.
    fn release(&mut self, dice: &mut Dice) -> bool {
        let mut room = dice.below(20);
        for index in 0..self.programs.len() {
            while self.programs[index].removed && room > 0 {
                let Some((command, waiting)) = self.programs[index].waiting.pop_first() else { break };
                Credit::refunded(&id(index), command);
                if let Some(caller) = waiting.caller {
                    self.gain(caller, waiting.amount);
                }
                room -= 1;
            }
        }
        true
    }

    fn refund_late(&mut self, dice: &mut Dice) -> bool {
        let (index, who) = (self.pick(dice), dice.person());
        let program = &mut self.programs[index];
        let open = program.ordered - program.answered;
        let command = program.answered + dice.below(open + 1);
        let done = by(who, Call::refund_late { program: id(index), command }).is_ok();
        let waiting = program.waiting.get(&command).copied();
        assert_eq!(done, waiting.is_some_and(|waiting| now() >= waiting.since + LATE_BLOCKS));
        if done {
            program.waiting.remove(&command);
            let waiting = waiting.unwrap();
            match waiting.caller {
                Some(caller) => self.gain(caller, waiting.amount),
                // A removed program's owner has had it.
                None if program.removed => {}
                None => program.free += waiting.amount,
            }
        }
        done
    }

    fn operate(&mut self, dice: &mut Dice) -> (&'static str, bool) {
        match dice.below(40) {
            0 => ("deploy", self.deploy(dice)),
            1..4 => ("stake", self.stake(dice)),
            4..7 => ("unstake", self.unstake(dice)),
            7..9 => ("withdraw unstaked", self.withdraw_unstaked(dice)),
            9..13 => ("top up", self.top_up(dice)),
            13..15 => ("withdraw credit", self.withdraw_credit(dice)),
            15 => ("set payer", self.set_payer(dice)),
            16 => ("set price", self.set_price(dice)),
            17..29 => ("order", self.order(dice)),
            29..34 => ("answer", self.answer(dice)),
            34 => ("remove", self.remove(dice)),
            35..37 => ("release", self.release(dice)),
            _ => ("refund late", self.refund_late(dice)),
        }
    }

    /// Everything is where the ledger says.
    fn check(&self) {
        check();
        for (n, owned) in &self.people {
            assert_eq!(balance(*n) + Balances::reserved_balance(account(*n)), *owned, "account {n}");
            assert_eq!(Balances::reserved_balance(account(*n)), self.held[n], "account {n}");
        }
        for pool in 0..8 {
            let pool = PoolId(pool);
            assert_eq!(Working::rewarded(pool), self.pools.get(&pool).copied().unwrap_or_default());
        }
        let opened = if balance(ESCROW) > 0 { DEPOSIT } else { 0 };
        assert_eq!(balance(POT), RICH - opened + self.pot);
        for (index, program) in self.programs.iter().enumerate() {
            if program.removed && program.stakes.is_empty() {
                continue;
            }
            let total: u128 = program.stakes.values().sum();
            assert_eq!(crate::ProgramStakes::<Test>::get(id(index)), Planck(total));
            if !program.removed {
                assert_eq!(credit(id(index)).free, Planck(program.free));
            }
        }
    }
}

#[test]
fn twenty_thousand_operations_leave_the_books_balanced() {
    let mut ext = new_test_ext();
    let mut dice = Dice(20_261_121);
    let mut ledger = Ledger::default();
    for n in 1..=PEOPLE as u8 {
        ledger.people.insert(n, RICH);
        ledger.held.insert(n, 0);
    }
    let issued = ext.execute_with(|| {
        (0..5).for_each(|_| {
            ledger.deploy(&mut dice);
        });
        Balances::total_issuance()
    });
    let mut tally = BTreeMap::<&str, (u32, u32)>::new();
    let mut operations = 0;
    while operations < OPERATIONS {
        ext.execute_with(|| {
            for _ in 0..1 + dice.below(2 * OPERATIONS_PER_BLOCK) {
                let (name, done) = ledger.operate(&mut dice);
                let counted = tally.entry(name).or_default();
                counted.0 += u32::from(done);
                counted.1 += u32::from(!done);
                operations += 1;
            }
            ledger.check();
            System::reset_events();
            pass(1 + dice.below(20) as u32);
        });
        ext.commit_all().unwrap();
    }
    ext.execute_with(|| {
        ledger.check();
        assert_eq!(Balances::total_issuance(), issued, "none is made and none is lost");
        for (name, (done, refused)) in &tally {
            println!("{name}: {done} done, {refused} refused");
            assert!(*done >= 50, "{name} happened");
        }
        // Everybody goes home.
        for index in 0..ledger.programs.len() {
            if !ledger.programs[index].removed {
                ledger.remove_one(index);
            }
        }
        while ledger.programs.iter().any(|program| !program.waiting.is_empty()) {
            ledger.release(&mut dice);
        }
        for index in 0..ledger.programs.len() {
            let program = id(index);
            for (who, stake) in core::mem::take(&mut ledger.programs[index].stakes) {
                by(who, Call::unstake { program, amount: Planck(stake) }).unwrap();
                *ledger.held.get_mut(&who).unwrap() -= stake;
            }
            for (who, (amount, _)) in core::mem::take(&mut ledger.programs[index].leaving) {
                by(who, Call::withdraw_unstaked { program }).unwrap();
                *ledger.held.get_mut(&who).unwrap() -= amount;
            }
        }
        ledger.check();
        assert_eq!(balance(ESCROW), DEPOSIT, "nothing is left behind");
        assert!(ledger.held.values().all(|held| *held == 0));
        println!("{} blocks, {} programs", now(), ledger.programs.len());
    });
}
