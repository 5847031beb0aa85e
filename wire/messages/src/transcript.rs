//! How messages are hashed: SHA-256 over length-prefixed parts, each kind under a domain of its own.
//!
//! # Shape
//! A [`Preimage`] is `domain ‖ part ‖ part …`. The domain and fixed-size parts stand as they are; text and
//! bytes of varying length are preceded by their length as u32 little-endian, so that no two different
//! lists of parts give the same bytes.
//!
//! Request: `"phala/request/v1"`, then method, scheme, authority, path with query (each length-prefixed), the number of headers
//! (u32), each header's name and value (length-prefixed), then the body without prefix.
//! Response: `"phala/response/v1"`, then the status (u16), the headers likewise, then the body.
//! Headers are hashed in the order in which they travel; names are lowercase.

use crate::ids::Hash;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// A hash under construction, separated from all others by its domain.
#[derive(Clone)]
pub struct Preimage(Sha256);

impl Preimage {
    /// Starts a preimage. A domain is a name with a version, like `phala/anchor/v1`.
    pub fn new(domain: &'static str) -> Self {
        Self(Sha256::new_with_prefix(domain.as_bytes()))
    }

    /// Adds bytes as they are: of fixed size, or the last part.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Adds bytes of varying size, their length first.
    pub fn sized(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u32).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The hash.
    pub fn hash(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// The hash of one HTTP message, fed as it streams by.
#[derive(Clone)]
pub struct Transcript(Preimage);

/// One header: lowercase name, value.
pub type Header<'a> = (&'a str, &'a [u8]);

impl Transcript {
    /// Starts with a request's head.
    pub fn request<'a>(
        method: &str,
        scheme: &str,
        authority: &str,
        path: &str,
        headers: impl IntoIterator<Item = Header<'a>>,
    ) -> Self {
        let head = Preimage::new("phala/request/v1")
            .sized(method.as_bytes())
            .sized(scheme.as_bytes())
            .sized(authority.as_bytes())
            .sized(path.as_bytes());
        Self(Self::headers(head, headers))
    }

    /// Starts with a response's head.
    pub fn response<'a>(status: u16, headers: impl IntoIterator<Item = Header<'a>>) -> Self {
        let head = Preimage::new("phala/response/v1").bytes(&status.to_le_bytes());
        Self(Self::headers(head, headers))
    }

    /// Adds a piece of the body; how a body is cut into pieces does not matter.
    pub fn body(&mut self, piece: &[u8]) {
        self.0.0.update(piece);
    }

    /// The hash of the whole message.
    pub fn finish(self) -> Hash {
        self.0.hash()
    }

    fn headers<'a>(head: Preimage, headers: impl IntoIterator<Item = Header<'a>>) -> Preimage {
        let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let head = head.bytes(&(headers.len() as u32).to_le_bytes());
        headers.iter().fold(head, |head, (name, value)| head.sized(name.as_bytes()).sized(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_body_is_cut_does_not_matter() {
        let mut whole = Transcript::response(200, [("a", &b"1"[..])]);
        let mut cut = whole.clone();
        whole.body(b"hello world");
        cut.body(b"hello");
        cut.body(b"");
        cut.body(b" world");
        assert_eq!(whole.finish(), cut.finish());
    }

    #[test]
    fn what_moves_between_parts_changes_the_hash() {
        let hash = |method: &str, path: &str, headers: &[Header<'_>]| {
            Transcript::request(method, "https", "p", path, headers.iter().copied()).finish()
        };
        let all = [
            hash("GET", "/ab", &[]),
            hash("GET/", "ab", &[]),
            hash("GET", "/a", &[("b", b"")]),
            hash("GET", "/a", &[("", b"b")]),
            hash("GET", "/a", &[("b", b""), ("", b"")]),
        ];
        let distinct: alloc::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn header_names_are_hashed_in_lowercase() {
        let hash = |name| Transcript::response(200, [(name, &b"1"[..])]).finish();
        assert_eq!(hash("X-Y"), hash("x-y"));
    }
}
