//! What the chain means when it says no: dispatch errors as sentences.
//!
//! # Shape
//! SCALE of FRAME's `DispatchError`: variant, then for a pallet's own error its index and four bytes. The pallets'
//! errors stand here in the order in which they declare them; the end-to-end tests meet them on a real chain.

mod credit;
mod governance;
mod keys;
mod money;
mod stake;

use phala_messages::refusal::Refusal;

/// A sentence, and what to do about it.
type Told = (&'static str, Option<&'static str>);

/// Index of `pallet-programs` in the runtime.
const PROGRAMS: u8 = 51;
/// Index of `pallet-registry` in the runtime.
const REGISTRY: u8 = 50;
/// Index of `pallet-custody` in the runtime.
const CUSTODY: u8 = 52;
/// Index of `pallet-key-recovery` in the runtime.
const RECOVERY: u8 = 53;
/// Index of `pallet-computation` in the runtime.
const COMPUTATION: u8 = 60;
/// The last error of `pallet-computation`, which carries a rule's code.
const COMPUTATION_REFUSED: u8 = 23;

/// Errors of other pallets, by their index in the runtime.
const OTHERS: [(u8, &[Told]); 22] = [
    (5, &money::BALANCES),
    (7, &money::SESSION),
    (9, &money::STAKING),
    (12, &money::VESTING),
    (21, &money::MULTISIG),
    (22, &money::PROXY),
    (24, &governance::PREIMAGE),
    (26, &governance::SAFE_MODE),
    (30, &governance::DEMOCRACY),
    (31, &governance::BODIES),
    (32, &governance::BODIES),
    (33, &governance::ELECTIONS),
    (34, &governance::MEMBERSHIP),
    (35, &governance::TREASURY),
    (36, &governance::BOUNTIES),
    (37, &governance::CHILD_BOUNTIES),
    (38, &governance::TIPS),
    (CUSTODY, &keys::CUSTODY),
    (RECOVERY, &keys::RECOVERY),
    (COMPUTATION, &stake::COMPUTATION),
    (61, &stake::POOLS),
    (62, &credit::CREDIT),
];

const POOR: Told = (
    "the account has not enough PHA",
    Some("send some with `phala account send`; `phala account balance` shows what there is"),
);

/// `pallet_programs::Error`, in order.
const PROGRAMS_ERRORS: [Told; 22] = [
    ("no cluster has this id", Some("leave `--cluster` away to use the network's own")),
    ("only the cluster's owner may do this", Some("sign with the owner's account: --account NAME")),
    ("no more clusters can be founded: the ids are used up", None),
    ("the worker is not registered", Some("`phala status` shows the workers and what they wait for")),
    ("the worker works in a cluster already", Some("take it out first: `phala worker unassign WORKER`")),
    ("the worker works in no cluster", Some("`phala worker list` shows who works where")),
    (
        "the cluster has as many workers as it may have",
        Some("`phala worker unassign` takes one out, or found another cluster"),
    ),
    ("a program needs a name", Some("name it: --name NAME")),
    ("a name is UTF-8 text without control characters", Some("choose another: --name NAME")),
    ("the code is empty", Some("`phala build` makes a component")),
    ("the code is larger than the network takes", Some("build it with optimisation, and strip it")),
    ("the program asks for no memory, or for more than it may have", Some("choose another --memory")),
    ("the program asks for no time, or for more than a query may take", Some("choose another --timeout")),
    ("the program asks for no fuel, or for more than a command may burn", Some("choose another --fuel")),
    ("the program asks for more outbound requests than a query may make", Some("choose fewer: --outbound-requests N")),
    (
        "a host is not `host` or `host:port` in lowercase, perhaps with a leading `*.`",
        Some("write it like --allow-host api.example.com"),
    ),
    ("the cluster has as many programs as it may have", Some("choose another: --cluster N")),
    ("no program has this id, or it was removed", Some("`phala programs` lists them")),
    ("only the program's owner may do this", Some("sign with the owner's account: --account NAME")),
    ("the program is not live yet", Some("wait until its worker has the code; `phala programs` shows it")),
    ("the program has too many unanswered commands", Some("wait until its worker has caught up, then try again")),
    ("these bytes are too short to be a sealed command", None),
];

/// What one of the other pallets says.
fn told(pallet: u8, index: u8) -> Option<Told> {
    // What money may not do now, the chain filters before any pallet sees it: frame-system's CallFiltered.
    if (pallet, index) == (0, 5) {
        return Some(("money stands still, and this call moves some", Some("`phala gov safe-mode` shows until when")));
    }
    let (_, errors) = OTHERS.iter().find(|(known, _)| *known == pallet)?;
    errors.get(usize::from(index)).copied()
}

/// What `error`, the SCALE bytes of a dispatch error, says.
pub(crate) fn explain(error: &[u8]) -> (String, Option<&'static str>) {
    let (reason, hint) = match error {
        [3, PROGRAMS, 22, code, ..]
        | [3, REGISTRY, 0, code, ..]
        | [3, CUSTODY, keys::CUSTODY_REFUSED, code, ..]
        | [3, RECOVERY, keys::RECOVERY_REFUSED, code, ..]
        | [3, COMPUTATION, COMPUTATION_REFUSED, code, ..] => match Refusal::from_code(*code) {
            Some(refusal) => return (refusal.to_string(), None),
            None => return (format!("a machine's message broke rule {code}"), None),
        },
        [3, PROGRAMS, index, ..] if usize::from(*index) < PROGRAMS_ERRORS.len() => PROGRAMS_ERRORS[usize::from(*index)],
        [3, PROGRAMS, 23, ..] => ("the program had as many codes as there are numbers", Some("deploy another one")),
        [3, pallet, index, ..] => match told(*pallet, *index) {
            Some(told) => told,
            None => return (format!("error {index} of pallet {pallet}"), None),
        },
        [2, ..] => ("this account may not do that", Some("sign with another account: --account NAME")),
        // Token: FundsUnavailable, OnlyProvider, BelowMinimum …
        [7, 0 | 1, ..] => POOR,
        [7, 2, ..] => ("the amount is less than an account must have", Some("send more")),
        [7, 5, ..] => {
            ("what is frozen cannot leave", Some("`phala account balance` shows what is frozen, and by what"))
        }
        [7, 8, ..] => (
            "the amount would leave the sender with less than an account must have",
            Some("send less, or all that can be spent"),
        ),
        [13, ..] => ("the block had no room for it", Some("try again")),
        [kind, ..] => return (format!("dispatch error {kind}"), None),
        [] => return ("it did not say why".into(), None),
    };
    (reason.into(), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_the_chain_is_a_sentence() {
        for index in 0..PROGRAMS_ERRORS.len() as u8 {
            let (reason, _) = explain(&[3, PROGRAMS, index, 0, 0, 0]);
            assert!(!reason.contains("error"), "{reason}");
        }
        assert_eq!(explain(&[3, PROGRAMS, 17, 0, 0, 0]).0, "no program has this id, or it was removed");
        assert_eq!(explain(&[3, PROGRAMS, 22, 165, 0, 0]).0, "the program is not live yet");
        assert_eq!(explain(&[3, PROGRAMS, 23, 0]).0, "the program had as many codes as there are numbers");
        for (pallet, errors) in OTHERS {
            for index in 0..errors.len() as u8 {
                let (reason, _) = explain(&[3, pallet, index, 0, 0, 0]);
                assert!(!reason.contains("error") && !reason.ends_with('.'), "{pallet} {index}: {reason}");
            }
        }
        assert!(explain(&[3, 53, 5]).0.starts_with("the root is not lost"));
        assert_eq!(explain(&[3, 52, 20, 165, 0, 0]).0, "the program is not live yet");
        assert_eq!(explain(&[3, 61, 12]).0, "the pool would hold more than its owner lets it");
        assert_eq!(explain(&[3, 62, 9]).0, "nobody can pay the price of the command");
        assert_eq!(explain(&[3, 60, 23, 165, 0, 0]).0, "the program is not live yet");
        assert_eq!(explain(&[3, 5, 2]), (POOR.0.into(), POOR.1));
        assert_eq!(explain(&[3, 99, 7, 0, 0, 0]).0, "error 7 of pallet 99");
        assert_eq!(explain(&[7, 0]), (POOR.0.into(), POOR.1));
        assert_eq!(explain(&[]).0, "it did not say why");
    }
}
