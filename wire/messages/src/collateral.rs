//! Collateral: what Intel publishes about its platforms, mirrored on chain.
//!
//! Anyone may bring a piece; each is signed by its issuer and is verified when it is stored. A newer piece
//! replaces an older one, never the other way round.

use crate::limits::COLLATERAL_BYTES_MAX;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Bytes of collateral, not yet parsed.
pub type CollateralBytes = BoundedVec<u8, ConstU32<COLLATERAL_BYTES_MAX>>;

/// anyone → chain: a newer piece of collateral.
///
/// # Source
/// Intel SGX and TDX Provisioning Certification Service API v4.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Collateral {
    /// The root's revocation list (DER).
    #[codec(index = 0)]
    RootCrl {
        /// The list.
        crl: CollateralBytes,
    },
    /// A PCK authority's revocation list (DER) with the chain of its issuer (PEM, leaf first).
    #[codec(index = 1)]
    PckCrl {
        /// The list.
        crl: CollateralBytes,
        /// Its issuer, then the root.
        issuer_chain: CollateralBytes,
    },
    /// TCB levels of one family of platforms.
    #[codec(index = 2)]
    TcbInfo {
        /// The `tcbInfo` object, byte for byte as it was signed.
        json: CollateralBytes,
        /// ECDSA P-256, `r ‖ s`.
        signature: [u8; 64],
        /// Its signer, then the root (PEM).
        issuer_chain: CollateralBytes,
    },
    /// Identity of the quoting enclave.
    #[codec(index = 3)]
    QeIdentity {
        /// The `enclaveIdentity` object, byte for byte as it was signed.
        json: CollateralBytes,
        /// ECDSA P-256, `r ‖ s`.
        signature: [u8; 64],
        /// Its signer, then the root (PEM).
        issuer_chain: CollateralBytes,
    },
}
