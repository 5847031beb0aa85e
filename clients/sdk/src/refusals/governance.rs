//! What democracy, bodies, elections and the treasury say when they say no. In the order in which the pallets declare it.

use super::{POOR, Told};

const BODY: Option<&str> = Some("`phala gov council` and `phala gov committee` list members and motions");

/// `pallet_democracy::Error`.
pub const DEMOCRACY: [Told; 24] = [
    ("the deposit is too small", Some("a proposal takes 10PHA at least")),
    ("there is no such proposal", Some("`phala gov proposals` lists them")),
    ("it was cancelled once already", None),
    ("the same is proposed already", Some("`phala gov second` puts more behind it")),
    ("it was vetoed, and stays away for a while", Some("wait until the veto is over")),
    (
        "the council's proposal needs more than a plain majority of votes",
        Some("three quarters of the council must propose it"),
    ),
    ("another proposal has that hash, or none", Some("`phala gov proposals` shows the hash")),
    ("the council proposes nothing now", Some("`phala gov council table CALL` does")),
    ("one member vetoes a matter once", None),
    ("no such vote is open", Some("`phala gov referenda` lists those that are")),
    ("nothing waits for a vote", None),
    ("the account did not vote there", Some("`phala gov votes` shows its votes")),
    ("the account may not do that", Some("sign with another account: --account NAME")),
    ("the account lends its vote already", Some("`phala gov undelegate` first")),
    (
        "the account has less PHA than it would vote with",
        Some("vote with less; `phala account balance` shows what there is"),
    ),
    ("the account does not lend its vote", None),
    ("the account has votes of its own", Some("take them back first: phala gov remove-vote N")),
    ("nothing is voted on at once here", None),
    ("nobody lends a vote to themselves", Some("name another account")),
    ("a limit was named too low", None),
    ("the account votes in as many referenda as it may", Some("forget those that are over: phala gov remove-vote N")),
    ("there are as many proposals, or deposits, as there may be", Some("wait until one has been voted on")),
    ("the vote would be too short", Some("choose more --voting-blocks")),
    ("its bytes are not on chain", Some("`phala gov preimage note CALL` puts them there")),
];

/// `pallet_collective::Error`.
pub const BODIES: [Told; 12] = [
    ("the account is no member", BODY),
    ("the same was moved already", BODY),
    ("there is no such motion", BODY),
    ("that number is another motion's", BODY),
    ("the member has voted so already", None),
    ("the body has members already", None),
    ("the motion cannot be closed yet", Some("wait until enough have voted, or its time is over")),
    ("the body has as many motions as it may", Some("close one first")),
    ("the motion takes more computation than was allowed for", Some("say the same again: the allowance is read anew")),
    ("the motion is longer than was said", Some("say the same again")),
    ("that account is no member", BODY),
    ("the motion still stands", BODY),
];

/// `pallet_elections_phragmen::Error`.
pub const ELECTIONS: [Told; 17] = [
    ("nobody can be voted for: there is no candidate", Some("`phala gov run` makes one")),
    ("nobody is named", Some("name one candidate at least")),
    ("more are named than there are to vote for", Some("`phala gov candidates` lists them")),
    ("more are named than one account may want", Some("name sixteen at most")),
    ("the amount is too small", Some("vote with 0.01PHA at least")),
    POOR,
    ("the account has no vote for the council", Some("`phala gov votes` shows its votes")),
    ("the account is a candidate already", None),
    ("there are as many candidates as there may be", Some("wait for the next election")),
    ("a member needs not be a candidate again", None),
    ("who comes next needs not be a candidate again", None),
    POOR,
    ("the account has no seat in the council", Some("`phala gov candidates` lists who has")),
    ("there are more candidates than was said", Some("say the same again")),
    ("there are more votes than was said", Some("say the same again")),
    ("the account gives up what it does not have", Some("`phala gov candidates` lists who has what")),
    ("nobody, or somebody else, would come next", None),
];

/// `pallet_membership::Error`.
pub const MEMBERSHIP: [Told; 3] = [
    ("the account is a member already", None),
    ("the account is no member", BODY),
    ("the body has as many members as it may", None),
];

/// `pallet_treasury::Error`.
pub const TREASURY: [Told; 11] = [
    ("there is no such spend", Some("`phala gov treasury` lists them")),
    ("as many spends wait as there may be", Some("wait until the treasury has paid")),
    ("this body may not grant so much", Some("ask for less, for three quarters of the council, or for a referendum")),
    ("the spend was not granted", None),
    ("the amount cannot be converted", None),
    ("the spend has expired", None),
    ("the spend cannot be paid yet", Some("wait for the treasury's next payment")),
    ("the payment was tried already", None),
    ("the payment failed", None),
    ("the payment was not tried yet", None),
    ("the payment has neither failed nor succeeded yet", None),
];

/// `pallet_bounties::Error`.
pub const BOUNTIES: [Told; 13] = [
    POOR,
    ("there is no such bounty", None),
    ("the text is too long", None),
    ("the bounty does not stand where it would have to", None),
    ("only its curator may do that", None),
    ("the bounty is too small", None),
    ("the curator's fee is larger than the bounty", None),
    ("a payment of it waits", None),
    ("it is too early for that", None),
    ("it has parts that still stand", None),
    ("as many wait as there may be", None),
    ("only who proposed it may do that", None),
    ("the bounty still stands", None),
];

/// `pallet_child_bounties::Error`.
pub const CHILD_BOUNTIES: [Told; 3] = [
    ("the bounty it is a part of does not stand", None),
    ("the bounty has not as much left", None),
    ("the bounty has as many parts as it may", None),
];

/// `pallet_tips::Error`.
pub const TIPS: [Told; 9] = [
    ("the text is too long", None),
    ("the tip is known already", None),
    ("there is no such tip", None),
    ("the tip is larger than it may be", None),
    ("only who found it may take it back", None),
    ("too few have said how large it should be", None),
    ("it is too early for that", None),
    ("who said how large it should be is no member any more", None),
    ("nothing would change", None),
];

/// `pallet_preimage::Error`.
pub const PREIMAGE: [Told; 8] = [
    ("the call is too long to be put on chain", Some("4 MiB are the most")),
    ("the call lies on chain already", Some("it can be proposed")),
    ("only who put it there may take it away", None),
    ("it is not on chain", Some("`phala gov preimage note CALL` puts it there")),
    ("somebody needs it: it stays", None),
    ("nobody needs it", None),
    ("too many at once", None),
    ("none was named", None),
];

/// `pallet_safe_mode::Error`.
pub const SAFE_MODE: [Told; 7] = [
    ("money stands still already", Some("`phala gov safe-mode` shows until when")),
    ("money moves already", None),
    (
        "nobody can buy a standstill here",
        Some("two thirds of the technical committee can decide it: phala gov safe-mode enter"),
    ),
    ("nothing is held for it", None),
    ("something is held for it already", None),
    ("what is held for it stays for now", None),
    ("the deposit for it cannot be moved", None),
];
