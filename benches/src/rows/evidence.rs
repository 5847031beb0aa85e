//! Judging a real TDX quote, against `dcap-qvl` on the same RustCrypto backend.

use super::Times;
use crate::{
    Effort,
    table::{Figure, Goal, Row},
};
use anyhow::{Context, anyhow};
use dcap_qvl::{QuoteCollateralV3, verify::rustcrypto};
use phala_evidence::{
    CollateralKey, CollateralStore, INTEL_ROOT_DER, StoredCollateral, TrustedRoot, verify, verify_collateral,
};
use phala_messages::{
    Root,
    collateral::{Collateral, CollateralBytes},
};
use phala_units::UnixMillis;
use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
};

/// A moment at which the recorded evidence was fresh.
const NOW_SECONDS: u64 = 1_750_353_600;

#[derive(Default)]
struct Store(BTreeMap<CollateralKey, StoredCollateral>);

impl CollateralStore for Store {
    fn get(&self, key: &CollateralKey) -> Option<StoredCollateral> {
        self.0.get(key).cloned()
    }
}

/// Measures.
pub fn measure(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/evidence");
    let quote = read(&folder.join("tdx_quote"))?;
    let theirs: QuoteCollateralV3 = serde_json::from_slice(&read(&folder.join("tdx_quote_collateral.json"))?)?;
    let pieces = pieces(&theirs)?;
    let root = TrustedRoot { root: Root::Intel, certificate: INTEL_ROOT_DER.to_vec() };
    let now = UnixMillis(NOW_SECONDS * 1_000);
    let stored = store(&pieces, &root, now)?;

    let (mut quote_alone, mut everything, mut peer) = (Times::default(), Times::default(), Times::default());
    for _ in 0..effort.scale(500) {
        quote_alone
            .time(|| verify(black_box(&quote), &root, &stored, now).map(drop))
            .map_err(|rejection| anyhow!("our verifier refuses the sample: {rejection}"))?;
        everything.time(|| {
            let stored = store(black_box(&pieces), &root, now)?;
            verify(black_box(&quote), &root, &stored, now).map(drop).map_err(|rejection| anyhow!("{rejection}"))
        })?;
        peer.time(|| rustcrypto::verify(black_box(&quote), &theirs, NOW_SECONDS)).map(drop)?;
    }
    let peer = ("dcap-qvl", Figure::from(peer.median()));
    let note =
        "as the chain does it: collateral was verified once, when it was stored; dcap-qvl verifies it with every quote";
    Ok(vec![
        Row::beside("TDX quote, collateral stored", quote_alone.median(), peer, Goal::RatioAtMost(1.0)).note(note),
        Row::beside("TDX quote and all its collateral", everything.median(), peer, Goal::RatioAtMost(1.0)),
    ])
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// The collateral as it is mirrored on chain: the root's revocation list first.
fn pieces(theirs: &QuoteCollateralV3) -> anyhow::Result<Vec<Collateral>> {
    let bytes =
        |bytes: &[u8]| CollateralBytes::try_from(bytes.to_vec()).map_err(|_| anyhow!("collateral is too large"));
    let signature = |bytes: &[u8]| <[u8; 64]>::try_from(bytes).context("a signature has 64 bytes");
    Ok(vec![
        Collateral::RootCrl { crl: bytes(&theirs.root_ca_crl)? },
        Collateral::PckCrl {
            crl: bytes(&theirs.pck_crl)?,
            issuer_chain: bytes(theirs.pck_crl_issuer_chain.as_bytes())?,
        },
        Collateral::TcbInfo {
            json: bytes(theirs.tcb_info.as_bytes())?,
            signature: signature(&theirs.tcb_info_signature)?,
            issuer_chain: bytes(theirs.tcb_info_issuer_chain.as_bytes())?,
        },
        Collateral::QeIdentity {
            json: bytes(theirs.qe_identity.as_bytes())?,
            signature: signature(&theirs.qe_identity_signature)?,
            issuer_chain: bytes(theirs.qe_identity_issuer_chain.as_bytes())?,
        },
    ])
}

/// Verifies and stores every piece.
fn store(pieces: &[Collateral], root: &TrustedRoot, now: UnixMillis) -> anyhow::Result<Store> {
    let mut store = Store::default();
    for piece in pieces {
        let verified =
            verify_collateral(piece, root, &store, now).map_err(|rejection| anyhow!("collateral: {rejection}"))?;
        let verified = verified.into_inner();
        store.0.insert(verified.key(), verified);
    }
    Ok(store)
}
