//! Receipts: signing what was answered.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codec::Encode;
use http::{HeaderMap, HeaderName, HeaderValue};
use phala_machine::identity::Identity;
use phala_messages::{
    AnchorRef, CodeHash, Hash, ProgramId, Receipt, SignedReceipt, Subject,
    receipt::{RECEIPT_FIELD, RECEIPT_FORMAT},
};
use phala_units::UnixMillis;

/// What an answer was made from.
pub struct Facts {
    /// Whose answer.
    pub program: ProgramId,
    /// Which code ran.
    pub code: CodeHash,
    /// Query or command.
    pub subject: Subject,
    /// Transcript hash of the request.
    pub request: Hash,
    /// Transcript hash of the response.
    pub response: Hash,
    /// Which state.
    pub anchor: AnchorRef,
    /// When.
    pub time: UnixMillis,
}

/// Signs a receipt as this process.
pub fn sign(identity: &Identity, facts: Facts) -> SignedReceipt {
    let receipt = Receipt {
        format: RECEIPT_FORMAT,
        genesis: identity.genesis,
        program: facts.program,
        code: facts.code,
        subject: facts.subject,
        request: facts.request,
        response: facts.response,
        anchor: facts.anchor,
        worker: identity.worker,
        instance: identity.instance,
        time: facts.time,
    };
    let signature = identity.sign_as_instance(&receipt.signing_hash().0);
    SignedReceipt { receipt, signature }
}

/// The trailers of an answer with this receipt.
pub fn trailers(receipt: &SignedReceipt) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    if let Ok(value) = HeaderValue::try_from(STANDARD.encode(receipt.encode())) {
        trailers.insert(HeaderName::from_static(RECEIPT_FIELD), value);
    }
    trailers
}
