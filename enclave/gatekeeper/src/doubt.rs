//! Doubt: why a gatekeeper stops rather than goes on.

use phala_machine::CabinetError;
use phala_messages::custody::RoundNumber;

/// Why a gatekeeper stops.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// The disk, or the seal.
    #[error(transparent)]
    Cabinet(#[from] CabinetError),
    /// Opens, but says nothing sensible.
    #[error("`{0}` was sealed here and makes no sense")]
    Corrupt(String),
    /// A round's number stands for two rounds.
    #[error("{0} has other terms than when this gatekeeper took part in it")]
    OtherTerms(RoundNumber),
    /// The chain's idea of a round is not the library's.
    #[error("the chain opened {0} under terms that this software does not know")]
    UnknownTerms(RoundNumber),
}
