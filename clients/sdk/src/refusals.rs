//! What the chain means when it says no: dispatch errors as sentences.
//!
//! # Shape
//! SCALE of FRAME's `DispatchError`: variant, then for a pallet's own error its index and four bytes. The pallets'
//! errors stand here in the order in which they declare them; the end-to-end tests meet them on a real chain.

use phala_messages::refusal::Refusal;

/// A sentence, and what to do about it.
type Told = (&'static str, Option<&'static str>);

/// Index of `pallet-programs` in the runtime.
const PROGRAMS: u8 = 51;
/// Index of `pallet-registry` in the runtime.
const REGISTRY: u8 = 50;
/// Index of `pallet-balances` in the runtime.
const BALANCES: u8 = 5;

const POOR: Told = (
    "the account has not enough PHA",
    Some("send some with `phala account transfer`; `phala account balance` shows what there is"),
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

/// What `error`, the SCALE bytes of a dispatch error, says.
pub(crate) fn explain(error: &[u8]) -> (String, Option<&'static str>) {
    let (reason, hint) = match error {
        [3, PROGRAMS, 22, code, ..] | [3, REGISTRY, 0, code, ..] => match Refusal::from_code(*code) {
            Some(refusal) => return (refusal.to_string(), None),
            None => return (format!("a worker's message broke rule {code}"), None),
        },
        [3, PROGRAMS, index, ..] if usize::from(*index) < PROGRAMS_ERRORS.len() => PROGRAMS_ERRORS[usize::from(*index)],
        [3, PROGRAMS, 23, ..] => ("the program had as many codes as there are numbers", Some("deploy another one")),
        // InsufficientBalance, and the order of FRAME's balances errors.
        [3, BALANCES, 2, ..] => POOR,
        [3, BALANCES, 4, ..] => (
            "the amount would leave the sender with less than an account must have",
            Some("send less, or all that can be spent"),
        ),
        [3, pallet, index, ..] => return (format!("error {index} of pallet {pallet}"), None),
        [2, ..] => ("this account may not do that", Some("sign with another account: --account NAME")),
        // Token: FundsUnavailable, OnlyProvider, BelowMinimum …
        [7, 0 | 1, ..] => POOR,
        [7, 2, ..] => ("the amount is less than an account must have", Some("send more")),
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
        assert_eq!(explain(&[3, 99, 7, 0, 0, 0]).0, "error 7 of pallet 99");
        assert_eq!(explain(&[7, 0]), (POOR.0.into(), POOR.1));
        assert_eq!(explain(&[]).0, "it did not say why");
    }
}
