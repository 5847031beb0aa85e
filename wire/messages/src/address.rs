//! Addresses as people write them: where a worker is reached, what a program may fetch from.
//!
//! Names stand in lowercase ASCII (an international name in its `xn--` form), so that two texts that mean
//! the same host are the same bytes.

/// The longest name DNS knows.
const NAME_BYTES_MAX: usize = 253;
/// The longest label in one.
const LABEL_BYTES_MAX: usize = 63;

/// Whether `text` is `http://host[:port]` or `https://host[:port]`, without path, query or user.
/// The host is a name, an IPv4 address or an IPv6 address in brackets.
pub fn endpoint_is_well_formed(text: &[u8]) -> bool {
    let Some(authority) = text.strip_prefix(b"http://").or_else(|| text.strip_prefix(b"https://")) else {
        return false;
    };
    match authority.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let (address, port) = rest.split_at(end);
            let is_address =
                core::str::from_utf8(address).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok());
            is_address && (port.len() == 1 || port.strip_prefix(b"]:").is_some_and(port_is_well_formed))
        }
        None => host_and_port_are_well_formed(authority),
    }
}

/// Whether `text` is an entry of a program's list of hosts: `host` or `host:port`; a leading `*.` stands
/// for any one or more labels. The host is a name or an IPv4 address.
pub fn outbound_host_is_well_formed(text: &[u8]) -> bool {
    host_and_port_are_well_formed(text.strip_prefix(b"*.").unwrap_or(text))
}

fn host_and_port_are_well_formed(text: &[u8]) -> bool {
    match text.iter().position(|byte| *byte == b':') {
        Some(colon) => name_is_well_formed(&text[..colon]) && port_is_well_formed(&text[colon + 1..]),
        None => name_is_well_formed(text),
    }
}

fn name_is_well_formed(name: &[u8]) -> bool {
    let label_is_well_formed = |label: &[u8]| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && label.first() != Some(&b'-')
            && label.last() != Some(&b'-')
    };
    name.len() <= NAME_BYTES_MAX && name.split(|byte| *byte == b'.').all(label_is_well_formed)
}

fn port_is_well_formed(port: &[u8]) -> bool {
    (1..=5).contains(&port.len())
        && port.iter().all(u8::is_ascii_digit)
        && port.first() != Some(&b'0')
        && port.iter().fold(0u32, |n, digit| n * 10 + u32::from(digit - b'0')) <= u16::MAX.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_a_host_and_perhaps_a_port() {
        for text in [
            "http://127.0.0.1:8001",
            "https://worker-1.example.org",
            "http://localhost:1",
            "http://[::1]:65535",
            "https://[2001:db8::1]",
            "http://my_worker:80",
        ] {
            assert!(endpoint_is_well_formed(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "http://",
            "ftp://host",
            "host:80",
            "HTTP://host",
            "http://Host",
            "http://host/",
            "http://host/path",
            "http://host?x",
            "http://user@host",
            "http://host:",
            "http://host:0",
            "http://host:080",
            "http://host:65536",
            "http://host:123456",
            "http://host:80:80",
            "http://a..b",
            "http://-a",
            "http://a-.b",
            "http://[::1",
            "http://[]",
            "http://[::1]80",
            "http://[host]",
            "http://ho st",
            "http://h\u{e9}",
            "http://host\n",
        ] {
            assert!(!endpoint_is_well_formed(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_outbound_host_is_a_name_and_perhaps_a_port_or_a_wildcard() {
        for text in ["example.org", "example.org:8443", "*.example.org", "*.org:443", "10.0.0.1", "xn--bcher-kva.ch"] {
            assert!(outbound_host_is_well_formed(text.as_bytes()), "{text}");
        }
        let label = "a".repeat(64);
        let name = ["a"; 128].join(".");
        for text in [
            "",
            "*",
            "*.",
            "a.*.org",
            "**.org",
            "https://a",
            "a/b",
            "A.org",
            "a:",
            ":80",
            ".org",
            "org.",
            &label,
            &name,
        ] {
            assert!(!outbound_host_is_well_formed(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_label_of_63_bytes_and_a_name_of_253_are_the_longest() {
        assert!(outbound_host_is_well_formed("a".repeat(63).as_bytes()));
        assert!(outbound_host_is_well_formed(["a"; 127].join(".").as_bytes()));
    }

    #[test]
    fn any_bytes_are_judged_without_panic() {
        for byte in 0..=u8::MAX {
            for text in [&[byte][..], &[b'h', byte], &[b'[', byte], b"http://[:]"] {
                endpoint_is_well_formed(text);
                outbound_host_is_well_formed(text);
            }
        }
    }
}
