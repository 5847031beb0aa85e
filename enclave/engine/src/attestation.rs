//! `phala:program/attestation`: evidence that a program runs in a trusted execution environment.
//!
//! A program chooses what its quote speaks about, but not for whom: the report data is a hash in a domain of its
//! own, so that no program can have a quote made that passes for a worker's registration or for another
//! program's word.

use crate::{
    call::Mode,
    host::{HasHost, Host, bindings::phala::program::attestation},
};
use attestation::Error;
use phala_messages::{ids::ProgramId, transcript::Preimage};
use wasmtime::component::Linker;

/// Bytes that a quote can be asked to speak about.
pub const DATA_BYTES_MAX: usize = 1024;
/// Quotes that one query may have made: each keeps the platform busy for milliseconds.
pub const QUOTES_MAX: u32 = 4;

/// The report data of a program's quote over `data`.
///
/// # Shape
/// SHA-256 of `"phala/program-quote/v1" ‖ program ‖ data`, then 32 zero bytes.
pub fn report_data(program: &ProgramId, data: &[u8]) -> [u8; 64] {
    let hash = Preimage::new("phala/program-quote/v1").bytes(&program.0).bytes(data).hash();
    let mut report_data = [0; 64];
    report_data[..32].copy_from_slice(&hash.0);
    report_data
}

impl attestation::Host for Host {
    async fn quote(&mut self, data: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        self.meter.charge(data.len())?;
        if matches!(self.mode, Mode::Command { .. }) {
            return Ok(Err(Error::Command));
        }
        if data.len() > DATA_BYTES_MAX {
            return Ok(Err(Error::DataTooLong(DATA_BYTES_MAX as u32)));
        }
        if self.quotes_made == QUOTES_MAX {
            return Ok(Err(Error::Unavailable(format!("a query may have {QUOTES_MAX} quotes made"))));
        }
        self.quotes_made += 1;
        let report_data = report_data(&self.context.program, &data);
        let attester = self.attester.clone();
        // Quoting waits for the platform, which may be another process.
        let quote = tokio::task::spawn_blocking(move || attester.quote(report_data)).await;
        Ok(quote.unwrap_or_else(|_| Err("the platform failed".into())).map_err(Error::Unavailable))
    }
}

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    attestation::add_to_linker::<Host, HasHost>(linker, |host| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_data_is_what_the_reference_says() {
        let data = report_data(&ProgramId([7; 32]), b"nonce");
        assert_eq!(
            hex::encode(&data[..32]),
            hex::encode(
                phala_messages::transcript::sha256(
                    &[b"phala/program-quote/v1".as_slice(), &[7; 32], b"nonce"].concat()
                )
                .0
            )
        );
        assert_eq!(data[32..], [0; 32]);
    }
}
