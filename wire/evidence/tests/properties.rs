//! No bytes panic the verifier, and what is stored comes back as it was.

mod common;

use codec::{Decode, DecodeAll, Encode};
use common::{Case, at};
use phala_evidence::{Quote, StoredCollateral, TrustedRoot, verify, verify_collateral};
use phala_messages::collateral::{Collateral, CollateralBytes};
use proptest::prelude::*;
use std::sync::LazyLock;

static CASE: LazyLock<Case> = LazyLock::new(|| Case::intel("tdx_quote", 1_750_353_600));
static STORE: LazyLock<common::Store> = LazyLock::new(|| CASE.store().unwrap());

fn bytes() -> impl Strategy<Value = CollateralBytes> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| bytes.try_into().unwrap())
}

proptest! {
    #[test]
    fn no_bytes_panic_a_quotes_parser(quote in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = Quote::parse(&quote);
        prop_assert!(verify(&quote, &CASE.root, &*STORE, at(CASE.now)).is_err());
    }

    #[test]
    fn no_tail_panics_a_quotes_parser(keep in 0usize..5_006, tail in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut quote = CASE.quote[..keep].to_vec();
        quote.extend(tail);
        let _ = verify(&quote, &CASE.root, &*STORE, at(CASE.now));
    }

    #[test]
    fn no_bytes_panic_collaterals_parser(crl in bytes(), chain in bytes(), signature in any::<[u8; 32]>()) {
        let mut full = [0; 64];
        full[..32].copy_from_slice(&signature);
        for piece in [
            Collateral::RootCrl { crl: crl.clone() },
            Collateral::PckCrl { crl: crl.clone(), issuer_chain: chain.clone() },
            Collateral::TcbInfo { json: crl.clone(), signature: full, issuer_chain: chain.clone() },
            Collateral::QeIdentity { json: crl, signature: full, issuer_chain: chain },
        ] {
            prop_assert!(verify_collateral(&piece, &CASE.root, &*STORE, at(CASE.now)).is_err());
        }
    }

    #[test]
    fn no_bytes_panic_a_root(certificate in prop::collection::vec(any::<u8>(), 0..700)) {
        let root = TrustedRoot { certificate, ..TrustedRoot::intel() };
        prop_assert!(verify(&CASE.quote, &root, &*STORE, at(CASE.now)).is_err());
    }

    #[test]
    fn no_altered_store_panics_the_verifier(index in 0usize..4, at_byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (key, piece) = STORE.iter().nth(index).unwrap();
        let mut encoded = piece.encode();
        let byte = at_byte.index(encoded.len());
        encoded[byte] ^= 1 << bit;
        if let Ok(altered) = StoredCollateral::decode(&mut encoded.as_slice()) {
            let mut store = STORE.clone();
            store.insert(*key, altered);
            let _ = CASE.verify_with(&store);
        }
    }
}

#[test]
fn what_is_stored_comes_back_as_it_was() {
    for (name, case) in Case::all_intel() {
        for (key, piece) in case.store().unwrap() {
            let encoded = piece.encode();
            assert_eq!(StoredCollateral::decode_all(&mut encoded.as_slice()).unwrap(), piece, "{name}");
            assert_eq!(piece.key(), key, "{name}");
        }
    }
}
