//! Golden bytes of what gatekeepers say to each other, in both directions. `tests/vectors/gatekeeper.txt` is the contract: who
//! changes a byte changes it visibly. Run with `PHALA_WRITE_VECTORS=1` to write it anew.

use codec::{Decode, DecodeAll, Encode};
use phala_enclave_gatekeeper::peers::{
    PEER_PATH, PeerAnswer, PeerRefusal, PeerReply, PeerRequest, Sensitive, SignedPeerRequest, signing_hash,
};
use phala_messages::{
    GenesisHash, InstanceKey, WorkerId,
    custody::{EpochNumber, RoundNumber},
};
use phala_threshold::Ack;
use std::{fmt::Debug, path::PathBuf};
use zeroize::Zeroizing;

const SENDER: WorkerId = WorkerId([0x22; 32]);

fn sensitive(bytes: &[u8]) -> Sensitive {
    Sensitive(Zeroizing::new(bytes.to_vec()))
}

/// Names and bytes, in order.
#[derive(Default)]
struct Found(Vec<(String, Vec<u8>)>);

impl Found {
    fn value<T: Encode + Decode + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let bytes = value.encode();
        assert_eq!(&T::decode_all(&mut bytes.as_slice()).unwrap(), value, "{name}");
        assert!(T::decode_all(&mut [bytes.as_slice(), &[0]].concat().as_slice()).is_err(), "{name} with a byte more");
        assert!(T::decode_all(&mut &bytes[..bytes.len() - 1]).is_err(), "{name} with a byte less");
        self.0.push((name.into(), bytes));
    }
}

#[test]
fn what_gatekeepers_say_to_each_other_has_its_golden_bytes() {
    let mut found = Found::default();
    let deal = PeerRequest::Deal { round: RoundNumber(12), dealing: sensitive(&[0xd1; 5]) };
    found.value("request/deal", &deal);
    found.value("request/log", &PeerRequest::Log { round: RoundNumber(12), dealer: 3 });
    found.value("request/output", &PeerRequest::Output { epoch: EpochNumber(4) });
    let ack = Ack::decode(&mut [0xd2; 64].as_slice()).unwrap();
    found.value("reply/ack", &PeerReply::Ok(PeerAnswer::Ack(ack)));
    found.value("reply/log", &PeerReply::Ok(PeerAnswer::Log(sensitive(&[0xd3; 5]))));
    found.value("reply/output", &PeerReply::Ok(PeerAnswer::Output(vec![0xd4; 5])));
    for refusal in [
        PeerRefusal::NotYet,
        PeerRefusal::Over,
        PeerRefusal::Unknown,
        PeerRefusal::NoPart,
        PeerRefusal::BadDealing,
        PeerRefusal::NotAdmitted,
        PeerRefusal::Signature,
        PeerRefusal::Malformed,
    ] {
        found.value(&format!("reply/{refusal:?}"), &PeerReply::Err(refusal));
    }
    let signed = SignedPeerRequest { sender: SENDER, request: sensitive(&deal.encode()), signature: [0x99; 64] };
    found.value("signed-request", &signed);
    let hash = signing_hash(&GenesisHash([0x11; 32]), &InstanceKey([0x33; 32]), &SENDER, &deal.encode());
    found.0.push(("signing-hash".into(), hash.0.to_vec()));
    found.0.push(("path".into(), PEER_PATH.as_bytes().to_vec()));

    // Asked when it runs: build results are shared among checkouts.
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let path = package.join("../../tests/vectors/gatekeeper.txt");
    let text: String = found.0.iter().map(|(name, bytes)| format!("{name}: {}\n", hex::encode(bytes))).collect();
    if std::env::var_os("PHALA_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
