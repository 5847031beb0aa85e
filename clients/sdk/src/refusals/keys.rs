//! What gatekeepers' custody and its recovery say when they say no. In the order in which the pallets declare it.

use super::Told;

/// `pallet_custody::Error`, without the last, which carries a rule's code.
pub const CUSTODY: [Told; 20] = [
    ("only validators run gatekeepers", Some("sign with the account of a current validator: `phala stake validators`")),
    ("the gatekeeper did not agree to this account", Some("start it with --operator and exactly this account")),
    ("the account bonds for a gatekeeper already", Some("unbond and withdraw first, or use another account")),
    ("another account bonds for this gatekeeper", Some("`phala gatekeeper` shows whose it is")),
    ("another gatekeeper deals with this participant key", Some("start the gatekeeper with a folder of its own")),
    ("there are as many candidates as there may be", Some("try again when one has left")),
    ("the account bonds for no gatekeeper", Some("`phala gatekeeper` lists them")),
    ("the candidate is approved already", None),
    ("the candidate is leaving, or was expelled", Some("`phala gatekeeper` shows it")),
    ("the candidate does not leave", Some("unbond first")),
    ("the gatekeeper still holds a key share", Some("wait for the round that hands it on")),
    ("the bond is released some time after the gatekeeper has left", Some("try again then")),
    ("the parameters do not fit", Some("2 to 64 members, at least the fewest, and time for every phase")),
    ("the key of the newest root is not made yet", Some("wait for it: `phala gatekeeper` shows how far it is")),
    ("there are as many roots as there may be", Some("close one first")),
    ("no root of this generation, or its key is not made yet", Some("`phala gatekeeper` shows the roots")),
    ("only a root that takes no programs any more can be closed", Some("`phala gatekeeper rotate` first")),
    ("programs' keys still come from this root", Some("wait until all have moved: `phala gatekeeper rotate` waits")),
    ("the root takes no programs", Some("use the open one: `phala gatekeeper` shows it")),
    ("the call was not judged before it was made", None),
];

/// The last error of `pallet-custody`.
pub const CUSTODY_REFUSED: u8 = 20;

/// `pallet_key_recovery::Error`, without the last, which carries a rule's code.
pub const RECOVERY: [Told; 13] = [
    (
        "the custodians do not fit",
        Some(
            "a threshold is a majority of at least two; every custodian has keys of its own, and nobody is named twice",
        ),
    ),
    ("delays are at least one block", None),
    ("a ceremony stands", Some("wait for its end, or `phala recovery cancel`")),
    ("no ceremony stands for this root", Some("`phala recovery announce` announces one")),
    ("no root of this generation, or it is closed", Some("`phala recovery status` shows the roots")),
    ("the root is not lost: enough of its members are there", Some("`phala recovery status` shows who is missing")),
    (
        "the chain has no backup of the root's current epoch",
        Some("there is nothing to recover from; `phala recovery status` shows what is backed up"),
    ),
    ("the ceremony's delay has not passed", Some("wait for it: `phala recovery status` shows until when")),
    ("the epoch has no such seat", Some("`phala recovery status` lists the seats")),
    ("the seat's member said that it is there", Some("leave the seat to it")),
    ("a machine has taken the seat", Some("choose another seat: `phala recovery status` lists them")),
    (
        "the machine may take no seat",
        Some("it must be bonded for, approved and admitted, and hold none of this root: `phala gatekeeper` shows it"),
    ),
    ("the machine is bound to another seat", Some("choose another machine")),
];

/// The last error of `pallet-key-recovery`.
pub const RECOVERY_REFUSED: u8 = 13;
