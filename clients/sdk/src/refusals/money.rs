//! What balances, staking, vesting, proxies and shared accounts say when they say no. In the order in which the pallets declare it.

use super::{POOR, Told};

/// `pallet_balances::Error`.
pub const BALANCES: [Told; 12] = [
    ("what is not vested yet cannot leave", Some("`phala account balance` shows what is frozen, and by what")),
    ("what is frozen cannot leave", Some("`phala account balance` shows what is frozen, and by what")),
    POOR,
    ("the amount is less than an account must have, 0.01 PHA", Some("send more")),
    (
        "the amount would leave the sender with less than an account must have",
        Some("send less, or all that can be spent"),
    ),
    ("the account is vesting something already", None),
    ("the account that is to get it does not exist", Some("send it 0.01PHA or more first")),
    ("too much is reserved from the account, in too many parts", None),
    ("too much is held from the account, in too many parts", None),
    ("too much of the account is frozen, in too many parts", None),
    ("that is set already", None),
    ("nothing would change", None),
];

/// `pallet_staking::Error`.
pub const STAKING: [Told; 34] = [
    ("the account has no stake", Some("`phala stake bond AMOUNT` bonds some")),
    ("the account has no stake", Some("`phala stake bond AMOUNT` bonds some")),
    ("the account has a stake already", Some("`phala stake bond-extra AMOUNT` adds to it")),
    ("that account acts for another stake already", None),
    ("nobody is named", Some("name one validator at least")),
    ("something is named twice", Some("name each once")),
    ("there is no such slash", None),
    ("the stake is less than validating or nominating takes", Some("bond more, or `phala stake chill` first")),
    (
        "as much is on its way out in as many parts as there may be",
        Some("`phala stake withdraw` takes out what is due"),
    ),
    ("nothing is on its way out", Some("`phala stake status` shows the stake")),
    ("that stake still has PHA", None),
    (
        "that era is not over, or too long ago",
        Some("`phala stake status VALIDATOR` shows the eras that can be paid out"),
    ),
    ("too few or too many validators are named", Some("name one to sixteen")),
    ("what was named is not in order, or twice", None),
    ("that era has been paid out already", Some("`phala stake status VALIDATOR` shows what has not been paid")),
    ("there is no such page of nominators", None),
    ("the depth of the past is wrong", None),
    ("the stake was slashed more often than was said", Some("say `phala stake withdraw` again: it reads how often")),
    ("the stake's record is damaged", Some("tell the network's developers")),
    ("more validators are named than one account may nominate", Some("name sixteen at most")),
    ("one of them is no validator, or lets nobody nominate it", Some("`phala stake validators` lists those who do")),
    ("that account has stake enough to go on", None),
    (
        "there are as many nominators as there may be",
        Some("wait until somebody leaves; governance can raise the limit"),
    ),
    (
        "there are as many validators as there may be",
        Some("wait until somebody leaves; governance can raise the limit"),
    ),
    ("the commission is below the least that governance allows", Some("choose a higher --commission")),
    ("a limit would be broken", None),
    ("one account cannot act for another's stake any more", Some("use a proxy: phala account proxy add")),
    ("the stake's record cannot be restored", None),
    ("rewards cannot go there", Some("choose another --payee")),
    POOR,
    ("a stake of a pool cannot do that", None),
    ("the stake cannot be closed: something else depends on it", None),
    ("the stake is of the newer kind already", None),
    ("the account takes part in staking in another way already", None),
];

/// `pallet_session::Error`.
pub const SESSION: [Told; 5] = [
    ("the keys do not come with a proof that fits", Some("let your own node make them: phala stake keys --node URL")),
    ("the account is no validator", Some("`phala stake validate` makes it one")),
    ("somebody has those keys already", Some("let your node make new ones: phala stake keys --node URL")),
    ("the account has no keys", Some("`phala stake keys` sets some")),
    ("the account does not exist", Some("send it PHA first")),
];

/// `pallet_vesting::Error`.
pub const VESTING: [Told; 5] = [
    ("nothing of the account is vested", None),
    ("the account is vesting in as many parts as it may", None),
    ("the amount is too small to vest", None),
    ("there is no such part", None),
    ("the times of that vesting make no sense", None),
];

/// `pallet_multisig::Error`.
pub const MULTISIG: [Told; 14] = [
    ("two must agree at least", Some("choose --threshold 2 or more")),
    ("this account has agreed already", Some("another signer must agree")),
    ("nobody else needs to agree", None),
    ("too few are named", Some("name each of the others with --with")),
    ("too many share the account", None),
    ("the others are not in order", None),
    ("who signs is named among the others", Some("name only the others with --with")),
    ("no such call waits", Some("it may have happened; check threshold, signers and call")),
    ("only who made the call first may do that", Some("sign with that account")),
    ("the call waits already", Some("say the same again: it is read from the chain where it waits")),
    ("the call waits since another block", Some("say the same again: it is read from the chain where it waits")),
    ("the call does not wait yet", Some("say the same again")),
    ("the call takes more computation than was allowed for", Some("say the same again: the allowance is read anew")),
    ("its bytes lie on chain already", None),
];

/// `pallet_proxy::Error`.
pub const PROXY: [Told; 8] = [
    ("the account has as many proxies as it may", Some("`phala account proxy remove` takes one away")),
    ("there is no such proxy", Some("`phala account proxy list` lists them, with kind and delay")),
    ("the signer is not that account's proxy", Some("`phala account proxy list ACCOUNT` lists who is")),
    (
        "a proxy of this kind may not do that",
        Some("its owner does it, or gives it another kind: phala account proxy add"),
    ),
    ("it is that account's proxy already", None),
    ("a proxy may not give itself more power", None),
    ("it was not announced, or not long enough ago", None),
    ("an account cannot be its own proxy", Some("name another account")),
];
