//! What pools and work say when they say no. In the order in which the pallets declare it.

use super::Told;

/// `pallet_pools::Error`.
pub const POOLS: [Told; 27] = [
    ("no pool has this number, or it was removed", Some("`phala pool list` and `phala vault list` list them")),
    ("only the pool's owner may do this", Some("sign with the owner's account: --account NAME")),
    ("this is a vault; a stake pool is wanted", Some("`phala pool list` lists stake pools")),
    ("this is a stake pool; a vault is wanted", Some("`phala vault list` lists vaults")),
    ("no more pools can be made: the numbers are used up", None),
    ("the pool takes nothing in any more", Some("choose another one: phala pool list")),
    ("the pool is open", Some("close it first: phala pool close N")),
    (
        "someone has shares of the pool, or it has stake at work or shares of other pools",
        Some("wait until all have left; `phala pool show N` shows who is there"),
    ),
    ("the pool takes only from accounts on its list", Some("ask its owner, or choose another pool")),
    ("the account stands on the list already", None),
    ("the list is full", Some("take somebody off it first: phala pool whitelist N remove ACCOUNT")),
    ("text is UTF-8 without control characters other than line feeds", Some("write it in other words")),
    (
        "the pool would hold more than its owner lets it",
        Some("contribute less; `phala pool show N` shows how much it takes"),
    ),
    ("a contribution is 0.01 PHA at least", Some("contribute more")),
    (
        "the pool lost everything, and takes nothing until those who have shares of it have withdrawn them",
        Some("choose another one: phala pool list"),
    ),
    ("a share is worth so much that part of the contribution would be lost", Some("contribute more")),
    ("the pool cannot hold as much", Some("contribute less")),
    ("the account has shares of as many pools as it may", Some("leave one, or use another account")),
    ("the account has no, or fewer, shares outside the queue", Some("`phala pool positions` shows what it has")),
    (
        "a withdrawal or a first transfer is worth 0.01 PHA at least, or is everything that there is",
        Some("ask for more, or for `all`"),
    ),
    ("no such request waits", Some("it may have been paid; `phala pool positions` shows those that wait")),
    ("the request is somebody else's", Some("sign with the account that asked")),
    ("the pool has not as much free, beside what its queue is owed", Some("use less, or wait for contributions")),
    ("the account is a pool's own, or the sender's", Some("name another one")),
    ("delegators of the vault wait for what it asked back", Some("wait until they are paid")),
    ("the shares stand for votes", Some("take the votes back first: phala gov remove-vote N")),
    ("more would come back than is at work", Some("tell the network's developers")),
];

/// `pallet_computation::Error`, but for the last one, which carries a rule.
pub const COMPUTATION: [Told; 23] = [
    ("only the owner of the worker's pool may do this", Some("sign with the owner's account: --account NAME")),
    ("the worker is not registered", Some("start it and wait until it has registered; `phala worker list` shows it")),
    ("the worker attacked the network, and may never work again", Some("use another machine")),
    ("the worker works for a pool already", Some("its owner must let it go first: phala worker unbind WORKER")),
    ("the worker works for no pool", Some("bind it first: phala worker bind WORKER POOL")),
    (
        "the worker has not named the pool's owner as its operator",
        Some("start it with --operator and the owner's account"),
    ),
    ("the pool has as many workers as it may have", Some("let one go, or use another pool")),
    ("the worker computes already, or its stake cools down", Some("`phala worker show WORKER` shows until when")),
    ("the worker does not compute", Some("start it: phala worker start WORKER --stake AMOUNT")),
    ("the worker is let go as soon as its stake is back", Some("bind it again then")),
    (
        "the worker has not said yet how fast it is",
        Some("it does a minute or two after it was bound: phala worker start WORKER --stake AMOUNT --wait 5m"),
    ),
    ("the worker is too slow for a session", Some("use a faster machine")),
    ("the worker's score is above the largest that there is", None),
    ("the stake is less than this score needs", Some("`phala worker show WORKER` shows the least; or --stake least")),
    ("the stake is more than this score may have", Some("`phala worker show WORKER` shows the most")),
    (
        "the stake is not more than what is at work",
        Some("to stake less, stop the worker and start it again when its stake is back"),
    ),
    ("the worker does not answer", Some("bring it back first: its log says more")),
    ("the worker computes", Some("stop it first: phala worker stop WORKER")),
    ("the stake still cools down", Some("`phala worker show WORKER` shows until when")),
    ("the sum of all shares is as large as it can be", None),
    ("a price lies outside its range", None),
    ("the budget lies outside its range", None),
    ("a rule lies outside its range", None),
];
