//! Verifying a receipt: offline, from a genesis or a checkpoint.

use crate::{
    Hint,
    call::{request_transcript, response_transcript},
};
use phala_crypto::channel::framing;
use phala_follow::{ReceiptBundle, Refusal, Trust, VerifiedReceipt, verify_receipt};
use phala_messages::{Hash, Root};

/// Why a receipt is not valid for what was claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The receipt itself does not hold.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is for another request.
    #[error("the receipt is for another request")]
    OtherRequest,
    /// It is for another answer.
    #[error("the receipt is for another answer")]
    OtherResponse,
    /// The TEE behind it was simulated.
    #[error("the TEE was simulated, and real hardware was demanded")]
    Simulated,
    /// The worker ran other code than was demanded.
    #[error("the worker's measurement is {0}, not the one that was demanded")]
    OtherMeasurement(Hash),
    /// The file holds no message to compare with.
    #[error("the {0} is not a binary HTTP message (RFC 9292)")]
    NotHttp(&'static str),
}

impl VerifyError {
    /// A word for the reason that does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::OtherRequest => "other-request",
            Self::OtherResponse => "other-response",
            Self::Simulated => "simulated",
            Self::OtherMeasurement(_) => "other-measurement",
            Self::NotHttp(_) => "not-http",
        }
    }
}

impl Hint for VerifyError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Refused(Refusal::WrongGenesis { .. }) => {
                "name the network that the receipt is from: --genesis HASH, or --dir of that network".into()
            }
            Self::Refused(Refusal::OtherStart(_) | Refusal::OlderThanCheckpoint { .. }) => {
                "use the genesis, --genesis HASH, or the checkpoint that the receipt was proven from".into()
            }
            Self::Refused(Refusal::BundleMalformed) => {
                "a receipt file is what `phala call --receipt FILE` writes".into()
            }
            Self::Refused(_) => "do not believe the answer".into(),
            Self::OtherRequest | Self::OtherResponse => {
                "compare with the files that `phala call --save-request F --save-response F` wrote with this receipt"
                    .into()
            }
            Self::Simulated => "ask a network whose workers are real TEEs, or leave out --hardware".into(),
            Self::OtherMeasurement(_) => {
                "a measurement names one build of the worker: compare with the build that you reviewed".into()
            }
            Self::NotHttp(_) => "`phala call --save-request F --save-response F` writes such files".into(),
        })
    }
}

/// What a receipt must be besides valid.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// It is for this request: binary HTTP (RFC 9292).
    pub request: Option<Vec<u8>>,
    /// It is for this answer: binary HTTP (RFC 9292).
    pub response: Option<Vec<u8>>,
    /// The TEE was no simulation.
    pub hardware: bool,
    /// The worker's build.
    pub measurement: Option<Hash>,
}

/// Verifies the receipt file `text`, and that it meets `demands`.
///
/// # Errors
/// [`VerifyError`]: the first rule that is broken.
pub fn verify(text: &str, trust: &Trust, demands: &Demands) -> Result<VerifiedReceipt, VerifyError> {
    let bundle = ReceiptBundle::parse_json(text)?;
    let verified = verify_receipt(&bundle, trust)?;
    let attested = &verified.attested;
    if demands.hardware && attested.root == Root::Development {
        return Err(VerifyError::Simulated);
    }
    if demands.measurement.is_some_and(|measurement| measurement != attested.measurement) {
        return Err(VerifyError::OtherMeasurement(attested.measurement));
    }
    if let Some(bytes) = &demands.request {
        let request = framing::decode_request(bytes).map_err(|_| VerifyError::NotHttp("request"))?;
        let (parts, body) = request.into_parts();
        if request_transcript(&parts, &body) != verified.receipt.request {
            return Err(VerifyError::OtherRequest);
        }
    }
    if let Some(bytes) = &demands.response {
        let (response, _) = framing::decode_response(bytes).map_err(|_| VerifyError::NotHttp("response"))?;
        if response_transcript(&response) != verified.receipt.response {
            return Err(VerifyError::OtherResponse);
        }
    }
    Ok(verified)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::GenesisHash;

    #[test]
    fn what_is_no_receipt_is_refused_with_a_reason_and_a_hint() {
        for text in ["", "{}", "[]", r#"{"format":2,"receipt":"0x","proof":"0x"}"#] {
            let error = verify(text, &Trust::Genesis(GenesisHash::default()), &Demands::default()).unwrap_err();
            assert_eq!(error.code(), "bundle-malformed", "{text}");
            assert!(error.hint().is_some_and(|hint| hint.contains("--receipt")));
        }
        let empty = r#"{"format":1,"receipt":"0x","proof":"0x"}"#;
        let error = verify(empty, &Trust::Genesis(GenesisHash::default()), &Demands::default()).unwrap_err();
        assert_eq!(error.code(), "receipt-malformed");
    }

    #[test]
    fn hardware_and_a_build_can_be_demanded() {
        let vector = include_str!("../../../tests/vectors/receipt/query.json");
        let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
        let trust = Trust::Genesis(vector["trust"]["genesis"].as_str().unwrap().parse().unwrap());
        let check = |demands: &Demands| verify(&vector["file"].to_string(), &trust, demands);
        let measurement = check(&Demands::default()).unwrap().attested.measurement;
        assert!(check(&Demands { measurement: Some(measurement), ..Demands::default() }).is_ok());
        let other = Demands { measurement: Some(Hash([0; 32])), ..Demands::default() };
        assert_eq!(check(&other).unwrap_err(), VerifyError::OtherMeasurement(measurement));
        assert_eq!(check(&Demands { hardware: true, ..Demands::default() }).unwrap_err(), VerifyError::Simulated);
    }
}
