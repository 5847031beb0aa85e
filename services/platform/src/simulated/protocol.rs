//! What client and process say to each other: frames of SCALE, each preceded by its length (u32, little-endian).

use codec::{Decode, DecodeAll, Encode};
use phala_messages::collateral::Collateral;
use std::io::{self, Read, Write};

/// The longest request.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024;
/// The longest response: four pieces of collateral at their limit.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// client → process.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// A quote over these bytes.
    #[codec(index = 0)]
    Quote([u8; 64]),
    /// The key for this use.
    #[codec(index = 1)]
    SealingKey(String),
    /// Fresh collateral.
    #[codec(index = 2)]
    Collateral,
}

/// process → client. Not `Debug`: it may carry a key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Response {
    /// A quote.
    #[codec(index = 0)]
    Quote(Vec<u8>),
    /// A key.
    #[codec(index = 1)]
    SealingKey([u8; 32]),
    /// Collateral, in the order in which it must be stored.
    #[codec(index = 2)]
    Collateral(Vec<Collateral>),
    /// No, and why.
    #[codec(index = 3)]
    Refused(String),
}

/// Sends a request and waits for its response.
///
/// # Errors
/// The connection broke, or the response is malformed.
pub fn ask(stream: &mut (impl Read + Write), request: &Request) -> io::Result<Response> {
    let bytes = request.encode();
    if bytes.len() > REQUEST_BYTES_MAX {
        return Ok(Response::Refused("request is too long".into()));
    }
    stream.write_all(&(bytes.len() as u32).to_le_bytes())?;
    stream.write_all(&bytes)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > RESPONSE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "response is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Response::decode_all(&mut bytes.as_slice()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
