//! Why evidence is refused: one variant per rule.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

macro_rules! rejections {
    ($( $(#[doc = $doc:literal])+ $code:literal $name:ident $text:literal )+) => {
        /// Why evidence, or a piece of collateral, is refused.
        ///
        /// # Shape
        /// SCALE: the code, one byte. Codes never change meaning; new rules get new codes.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord,
            Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, thiserror::Error,
        )]
        #[repr(u8)]
        pub enum Rejection {
            $(
                $(#[doc = $doc])+
                #[codec(index = $code)]
                #[error($text)]
                $name = $code,
            )+
        }

        impl Rejection {
            /// Every rule, in the order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The rule's name, as in the documentation.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The rule with this code.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

impl Rejection {
    /// Stable number of the rule, unique, never zero.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

rejections! {
    /// The quote is longer than `QUOTE_BYTES_MAX`.
    1 QuoteTooLarge "quote is larger than 16 KiB"
    /// The quote ends before its last field.
    2 QuoteTruncated "quote ends too early"
    /// Lengths inside the quote disagree, or something other than zeros follows its end.
    3 QuoteTrailingBytes "quote has bytes that belong to no field"
    /// Not version 3 with SGX, nor 4 or 5 with TDX.
    4 QuoteVersion "quote version is not supported for this technology"
    /// Neither SGX nor TDX.
    5 TeeUnknown "technology of the quote is neither SGX nor TDX"
    /// The attestation key is not ECDSA over P-256.
    6 AttestationKeyType "attestation key is not ECDSA P-256"
    /// The quoting enclave is not Intel's.
    7 QeVendor "quoting enclave is of an unknown vendor"
    /// Version 5 names a body that is not a TD report, or gives it a wrong size.
    8 QuoteBody "quote body is not a known TD report"
    /// The quote does not carry its PCK certificate chain.
    9 CertificationData "quote does not carry a certificate chain"
    /// Authentication data of the quoting enclave is not 32 bytes.
    10 QeAuthData "authentication data of the quoting enclave is not 32 bytes"

    /// A chain is not PEM with exactly the certificates it must have.
    20 ChainMalformed "certificate chain is malformed"
    /// A certificate is not X.509 v3 over P-256 in DER.
    21 CertificateMalformed "certificate is malformed"
    /// A certificate has a critical or constraining extension that this verifier does not know.
    22 CertificateExtension "certificate has an extension that is not supported"
    /// An authority's certificate is used as a leaf, or a leaf's as an authority.
    23 CertificateRole "certificate is not allowed in its place in the chain"
    /// A certificate names another issuer than the next certificate in its chain.
    24 CertificateIssuer "certificate names another issuer"
    /// A certificate's signature is not its issuer's.
    25 CertificateSignature "certificate signature is invalid"
    /// A certificate's time has not come.
    26 CertificateNotYetValid "certificate is not valid yet"
    /// A certificate's time has passed.
    27 CertificateExpired "certificate has expired"
    /// The chain ends in another root than the trusted one.
    28 RootMismatch "certificate chain does not end in the trusted root"
    /// The trusted root itself is not a certificate authority's certificate.
    29 RootMalformed "trusted root is malformed"
    /// The PCK certificate's SGX extension is missing or malformed.
    30 SgxExtension "SGX extension of the PCK certificate is missing or malformed"

    /// The root's revocation list has not been stored.
    40 RootCrlMissing "revocation list of the root is not known"
    /// The revocation list of the PCK certificate's issuer has not been stored.
    41 PckCrlMissing "revocation list of the PCK issuer is not known"
    /// TCB info of this family of platforms has not been stored.
    42 TcbInfoMissing "TCB info of this platform is not known"
    /// Identity of this technology's quoting enclave has not been stored.
    43 QeIdentityMissing "identity of the quoting enclave is not known"
    /// Collateral is dated in the future.
    44 CollateralNotYetValid "collateral is not valid yet"
    /// Collateral should have been replaced by now.
    45 CollateralExpired "collateral has expired"
    /// The signature over TCB info or QE identity is not the signer's.
    46 CollateralSignature "signature over collateral is invalid"
    /// A revocation list is not X.509 v2 in DER, or uses features that this verifier does not know.
    47 CrlMalformed "revocation list is malformed"
    /// A revocation list's signature is not its issuer's.
    48 CrlSignature "signature over revocation list is invalid"
    /// A revocation list names another issuer.
    49 CrlIssuer "revocation list names another issuer"
    /// TCB info is not the JSON it should be.
    50 TcbInfoMalformed "TCB info is malformed"
    /// TCB info is of an unknown kind, version or type.
    51 TcbInfoKind "TCB info is of an unknown kind"
    /// QE identity is not the JSON it should be.
    52 QeIdentityMalformed "QE identity is malformed"
    /// QE identity is of an unknown kind or version.
    53 QeIdentityKind "QE identity is of an unknown kind"
    /// The store answered with a piece that is not the one asked for.
    54 CollateralMismatch "stored collateral is not what was asked for"

    /// The root is on its own revocation list.
    60 RootRevoked "root certificate is revoked"
    /// The PCK authority is revoked.
    61 IntermediateRevoked "PCK authority is revoked"
    /// The machine's PCK certificate is revoked.
    62 LeafRevoked "PCK certificate is revoked"
    /// The signer of TCB info or QE identity is revoked.
    63 SignerRevoked "signer of collateral is revoked"

    /// The quoting enclave's report is not signed by the PCK certificate's key.
    70 QeReportSignature "signature over the quoting enclave's report is invalid"
    /// The quoting enclave's report does not vouch for the attestation key.
    71 QeReportData "quoting enclave does not vouch for the attestation key"
    /// The quoting enclave is signed by another key than Intel's.
    72 QeSigner "quoting enclave has another signer"
    /// The quoting enclave is another product.
    73 QeProduct "quoting enclave is another product"
    /// The quoting enclave's MISCSELECT differs.
    74 QeMiscSelect "MISCSELECT of the quoting enclave differs"
    /// The quoting enclave's attributes differ.
    75 QeAttributes "attributes of the quoting enclave differ"
    /// The quoting enclave runs in debug mode.
    76 QeDebug "quoting enclave runs in debug mode"
    /// The quoting enclave is older than every known level.
    77 QeTooOld "quoting enclave is older than every known level"
    /// The attestation key is not a point of the curve.
    78 AttestationKey "attestation key is not a P-256 point"
    /// The quote is not signed by the attestation key.
    79 QuoteSignature "signature over the quote is invalid"

    /// TCB info belongs to another provisioning certification enclave.
    80 PceMismatch "TCB info is of another PCE"
    /// The platform is older than every known level.
    81 TcbTooOld "platform is older than every known TCB level"
    /// Platform, TDX module or quoting enclave is at a revoked level.
    82 TcbRevoked "TCB level is revoked"
    /// TCB info names no identity for the TDX module's version.
    83 TdxModuleUnknown "TDX module version is unknown"
    /// The TDX module is older than every known level.
    84 TdxModuleTooOld "TDX module is older than every known level"
    /// The TDX module is signed by another key.
    85 TdxModuleSigner "TDX module has another signer"
    /// The TDX module's attributes differ.
    86 TdxModuleAttributes "attributes of the TDX module differ"

    /// The host can read this enclave's or virtual machine's memory.
    90 Debug "debug mode is enabled"
    /// The host can profile this virtual machine.
    91 Profiling "TD profiling is enabled"
    /// Attribute bits that must be zero are set.
    92 ReservedAttributes "reserved TD attributes are set"
    /// The virtual machine can be moved to a machine that nobody attested.
    93 Migratable "TD migration is enabled"
    /// A service TD that nobody attested is bound to the virtual machine.
    94 ServiceTd "a service TD is bound"
    /// The host can make a private page appear empty.
    95 SeptVe "SEPT_VE_DISABLE is not set"

    /// The policy does not accept this TCB status.
    100 StatusNotAccepted "TCB status is not accepted"
    /// Judged by TCB data older than the policy demands.
    101 TcbEvaluationTooOld "TCB evaluation data number is too low"
    /// The policy does not accept platforms whose packages can change.
    102 DynamicPlatform "dynamic platform is not accepted"
    /// The policy does not accept platforms whose root keys Intel caches.
    103 CachedKeys "platform with cached keys is not accepted"
    /// The policy does not accept hyper-threading.
    104 SmtEnabled "hyper-threading is not accepted"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_one_rule_and_is_its_encoding() {
        for rejection in Rejection::ALL {
            assert_eq!(Rejection::from_code(rejection.code()), Some(*rejection));
            assert_eq!(rejection.encode(), [rejection.code()]);
        }
        assert!(Rejection::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        assert_eq!(Rejection::from_code(0), None);
    }
}
