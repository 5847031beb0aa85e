//! The key tree.

use crate::Secret;
use hkdf::Hkdf;
use sha2::Sha256;

/// The child of `parent` for a purpose and, within it, for things named by `ids`.
///
/// # Shape
/// HKDF-SHA-256, no salt; info = `"phala/" ‖ context ‖ 0x00`, then each id preceded by its length (u32 little-endian), so that
/// different lists of ids never give the same key.
///
/// # Source
/// RFC 5869.
pub fn derive(parent: &Secret<32>, context: &'static str, ids: &[&[u8]]) -> Secret<32> {
    let mut info = alloc::vec::Vec::with_capacity(64);
    info.extend_from_slice(b"phala/");
    info.extend_from_slice(context.as_bytes());
    info.push(0);
    for id in ids {
        info.extend_from_slice(&(id.len() as u32).to_le_bytes());
        info.extend_from_slice(id);
    }
    Secret::generate(|out| {
        // 32 bytes are one block of HKDF; it refuses only more than 255 blocks.
        let expanded = Hkdf::<Sha256>::new(None, parent.expose()).expand(&info, out);
        debug_assert!(expanded.is_ok());
    })
}

/// A hash that only holders of `key` can compute: hides names and values and still tells equal from different.
///
/// # Shape
/// HKDF-SHA-256-Extract (that is, HMAC-SHA-256) with `key` as salt over `bytes`.
pub fn keyed_hash(key: &Secret<32>, bytes: &[u8]) -> [u8; 32] {
    Hkdf::<Sha256>::extract(Some(key.expose()), bytes).0.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purpose_and_ids_separate_keys() {
        let parent = Secret::new([1; 32]);
        let all = [
            derive(&parent, "a/v1", &[]),
            derive(&parent, "b/v1", &[]),
            derive(&parent, "a/v1", &[b""]),
            derive(&parent, "a/v1", &[b"x", b"y"]),
            derive(&parent, "a/v1", &[b"xy"]),
            derive(&Secret::new([2; 32]), "a/v1", &[]),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
        assert_eq!(all[3], derive(&parent, "a/v1", &[b"x", b"y"]));
    }

    #[test]
    fn golden_bytes_of_the_key_tree() {
        let parent = Secret::new([1; 32]);
        assert_eq!(
            hex::encode(derive(&parent, "test/v1", &[b"id"]).expose()),
            "0f195a72f6480253b5d923f3dbb8551467a8bc1ce7a39ec695c07ce821be44b6"
        );
        assert_eq!(
            hex::encode(keyed_hash(&parent, b"name")),
            "ab12a18f53b520ffb07886bb81430fe5aaac5676b02601b5fb2d6d640f3cb71b"
        );
    }
}
