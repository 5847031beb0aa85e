//! What paying for computation says when it says no. In the order in which the pallet declares it.

use super::Told;

/// `pallet_credit::Error`.
pub const CREDIT: [Told; 13] = [
    ("no program has this id, or it was removed", Some("`phala programs` lists them")),
    ("only the program's owner may do this", Some("sign with the owner's account: --account NAME")),
    ("the amount is zero", Some("name one above zero")),
    ("an account stakes 10 PHA at least on a program, or nothing", Some("stake more, or take all of it")),
    ("the account has not staked as much on this program", Some("take less")),
    ("nothing of the account's is on its way back from this program", Some("take stake off the program first")),
    ("the stake is still on its way", Some("wait for the block that was named when it was taken off")),
    ("the program has not as much free credit", Some("take less; what is reserved for commands is not free")),
    ("the price is higher than any that may be set", Some("choose a lower one")),
    (
        "nobody can pay the price of the command",
        Some("send PHA to the account with `phala account send`, or ask the program's owner to top its credit up"),
    ),
    ("the command costs more than the caller agreed to", Some("read the price again, and agree to it")),
    ("nothing is laid aside for this command", Some("it was free, was answered, or was never sent")),
    ("the command is not late yet", Some("wait: it may still be answered")),
];
