//! Verifying a receipt: offline, from a genesis or a checkpoint.

use crate::{
    Hint,
    call::{request_transcript, response_transcript},
};
use phala_crypto::channel::framing;
use phala_follow::{ReceiptBundle, Refusal, Trust, VerifiedReceipt, verify_receipt};

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
            Self::NotHttp(_) => "`phala call --save-request F --save-response F` writes such files".into(),
        })
    }
}

/// Verifies the receipt file `text`, and that it is for `request` and `response` where they are given, as binary
/// HTTP (RFC 9292).
///
/// # Errors
/// [`VerifyError`]: the first rule that is broken.
pub fn verify(
    text: &str,
    trust: &Trust,
    request: Option<&[u8]>,
    response: Option<&[u8]>,
) -> Result<VerifiedReceipt, VerifyError> {
    let bundle = ReceiptBundle::parse_json(text)?;
    let verified = verify_receipt(&bundle, trust)?;
    if let Some(bytes) = request {
        let request = framing::decode_request(bytes).map_err(|_| VerifyError::NotHttp("request"))?;
        let (parts, body) = request.into_parts();
        if request_transcript(&parts, &body) != verified.receipt.request {
            return Err(VerifyError::OtherRequest);
        }
    }
    if let Some(bytes) = response {
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
            let error = verify(text, &Trust::Genesis(GenesisHash::default()), None, None).unwrap_err();
            assert_eq!(error.code(), "bundle-malformed", "{text}");
            assert!(error.hint().is_some_and(|hint| hint.contains("--receipt")));
        }
        let empty = r#"{"format":1,"receipt":"0x","proof":"0x"}"#;
        let error = verify(empty, &Trust::Genesis(GenesisHash::default()), None, None).unwrap_err();
        assert_eq!(error.code(), "receipt-malformed");
    }
}
