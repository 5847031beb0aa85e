//! A registration that benchmarks judge: evidence cannot be made inside a runtime, so it comes from a file.
//! The tests make it anew and hold the file to it.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use phala_messages::{GenesisHash, Hash, collateral::Collateral, registration::Submission};
use phala_units::UnixMillis;

/// A registration with everything that it takes to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Fixture {
    /// The network that it was made for.
    pub genesis: GenesisHash,
    /// When it is judged.
    pub time: UnixMillis,
    /// The code's measurement.
    pub measurement: Hash,
    /// Collateral, in the order in which it must be stored.
    pub collateral: Vec<Collateral>,
    /// The registration.
    pub submission: Submission,
}

/// [`Fixture`], encoded.
pub(crate) const FIXTURE: &[u8] = include_bytes!("fixture.scale");
