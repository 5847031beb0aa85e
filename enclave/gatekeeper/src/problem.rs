//! Problems: everything that a gatekeeper may say instead of an answer, each with a name that stays.
//!
//! Outside the sealed channel they travel as plain JSON (RFC 9457). Inside it, refusals of queries for keys are
//! [`phala_messages::release::ReleaseRefusal`], and those between gatekeepers [`crate::peers::PeerRefusal`].

use phala_machine::Unfit;

phala_machine::problems! {
    /// Nothing was proven to it for too long.
    #[error("the newest block that this gatekeeper could verify is {0} ms old; it serves up to {1} ms")]
    Stale(u64, u64): SERVICE_UNAVAILABLE, "chain-stale", "try another gatekeeper; its operator should look at the node behind it";
    /// The chain does not count it in.
    #[error("this gatekeeper is not registered: {0}")]
    Unregistered(String): SERVICE_UNAVAILABLE, "gatekeeper-unregistered", "wait a few blocks, or try another gatekeeper";
    /// Another process took its place.
    #[error("a newer process of this gatekeeper has registered; this one has stopped")]
    Superseded: SERVICE_UNAVAILABLE, "gatekeeper-superseded", "ask the chain for the gatekeeper's current keys";
    /// It is going down.
    #[error("this gatekeeper is shutting down")]
    Stopping: SERVICE_UNAVAILABLE, "stopping", "try another gatekeeper";
    /// Not sealed to this process, or altered.
    #[error("the request does not open: it is not sealed to this process, or was altered on its way")]
    Sealed: BAD_REQUEST, "not-sealed-to-this-process", "read the gatekeeper's keys again from the chain and seal to them";
    /// More bytes than any request has.
    #[error("the request has {0} bytes, at most {1} are taken")]
    TooLarge(usize, usize): PAYLOAD_TOO_LARGE, "request-too-large", "send what the reference says, nothing more";
    /// The sealed request names another path than the one it came to.
    #[error("the sealed request is for another path")]
    OtherPath: BAD_REQUEST, "other-path", "send a sealed request to the path that it names";
    /// Not what the path takes.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str): BAD_REQUEST, "malformed-request", "see docs/reference/gatekeeper-http.md";
    /// No such thing here.
    #[error("there is nothing at this path")]
    NotFound: NOT_FOUND, "not-found", "see docs/reference/gatekeeper-http.md";
    /// Not kept, not any more, or not yet.
    #[error("this gatekeeper does not have it")]
    Unknown: NOT_FOUND, "unknown", "ask another member of the epoch";
    /// The disk failed.
    #[error("this gatekeeper's disk does not work")]
    Disk: INTERNAL_SERVER_ERROR, "disk", "try another gatekeeper; its operator should look at its disk";
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Superseded => Self::Superseded,
            Unfit::Unregistered(why) => Self::Unregistered(why),
            Unfit::Stale { age_ms, max_ms } => Self::Stale(age_ms, max_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own_and_kebab_case() {
        let distinct: std::collections::BTreeSet<_> = Problem::SLUGS.iter().collect();
        assert_eq!(distinct.len(), Problem::SLUGS.len());
        for slug in Problem::SLUGS {
            assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{slug}");
        }
    }

    #[test]
    fn every_name_stands_in_the_reference() {
        let reference = include_str!("../../../docs/reference/gatekeeper-http.md");
        for slug in Problem::SLUGS {
            assert!(reference.contains(&format!("`{slug}`")), "{slug} is not documented");
        }
    }
}
