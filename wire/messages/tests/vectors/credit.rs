//! Golden bytes of stake on programs, and of credit for their commands.

use super::*;
use phala_messages::credit::*;

const AMOUNT: Planck = Planck(1_500_000_000_000);

fn price() -> CommandPrice {
    CommandPrice { base: Planck(1_000_000_000), per_byte: Planck(100_000), per_million_fuel: Planck(1_000_000) }
}

pub fn values(vectors: &mut Vectors) {
    vectors.value("credit/price", &price());
    vectors.value("credit/payer/owner", &Payer::Owner);
    vectors.value("credit/payer/caller", &Payer::Caller);
    vectors.value("credit/record", &CreditRecord { payer: Payer::Caller, free: AMOUNT, reserved: Planck(70) });
    let reservation = Reservation { amount: AMOUNT, caller: Some(ALICE), since: BlockNumber(4_242) };
    vectors.value("credit/reservation/caller", &reservation);
    vectors.value("credit/reservation/program", &Reservation { caller: None, ..reservation });
    vectors.value("credit/leaving", &LeavingStake { amount: AMOUNT, free_from: BlockNumber(306_642) });
}

pub fn calls() -> Vec<(&'static str, Call)> {
    let (program, amount) = (PROGRAM, AMOUNT);
    let sealed = vec![1, 2, 3].try_into().unwrap();
    let of_credit = [
        ("stake", Credit::Stake { program, amount }),
        ("unstake", Credit::Unstake { program, amount }),
        ("withdraw-unstaked", Credit::WithdrawUnstaked { program }),
        ("top-up", Credit::TopUp { program, amount }),
        ("withdraw-credit", Credit::WithdrawCredit { program, amount }),
        ("set-payer", Credit::SetPayer { program, payer: Payer::Caller }),
        ("refund-late", Credit::RefundLate { program, command: 7 }),
        ("set-price", Credit::SetPrice { price: price() }),
    ]
    .map(|(name, call)| (name, Call::Credit(call)));
    let within = Call::Programs(Programs::CommandWithin { program, sealed, price_max: AMOUNT });
    of_credit.into_iter().chain([("command-within", within)]).collect()
}

pub fn storage_keys(vectors: &mut Vectors) {
    for (name, key) in [
        ("command-price", storage::command_price()),
        ("credit", storage::credit(&PROGRAM)),
        ("reservation", storage::reservation(&PROGRAM, 6)),
        ("program-stake", storage::program_stake(&PROGRAM)),
        ("stake", storage::stake(&PROGRAM, &ALICE)),
        ("leaving-stake", storage::leaving_stake(&PROGRAM, &ALICE)),
    ] {
        vectors.bytes(&format!("storage/{name}"), key);
    }
}
