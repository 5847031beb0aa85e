//! `phala:program/keys`: keys that only this program has.

use crate::host::{HasHost, Host, bindings::phala::program::keys};
use keys::Error;
use wasmtime::component::Linker;

/// Bytes of a label.
const LABEL_BYTES_MAX: usize = 256;
/// What deriving a key costs beside its bytes: about 20 µs.
const DERIVE_FUEL: u64 = 20_000;
/// What signing costs beside its bytes: about 40 µs.
const SIGN_FUEL: u64 = 40_000;

impl Host {
    /// Charges for the work, then checks the label.
    fn label(&mut self, label: &str, fuel: u64, bytes: usize) -> wasmtime::Result<Result<(), Error>> {
        self.meter.charge_work(fuel)?;
        self.meter.charge(label.len() + bytes)?;
        Ok(if label.len() > LABEL_BYTES_MAX { Err(Error::LabelTooLong(LABEL_BYTES_MAX as u32)) } else { Ok(()) })
    }
}

impl keys::Host for Host {
    fn derive(&mut self, label: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let checked = self.label(&label, DERIVE_FUEL, 0)?;
        Ok(checked.map(|()| self.keys.derive(&label).to_vec()))
    }

    fn public_key(&mut self, label: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let checked = self.label(&label, DERIVE_FUEL, 0)?;
        Ok(checked.map(|()| self.keys.public(&label).to_vec()))
    }

    fn sign(&mut self, label: String, message: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let checked = self.label(&label, SIGN_FUEL, message.len())?;
        Ok(checked.map(|()| self.keys.sign(&label, &message).to_vec()))
    }
}

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    keys::add_to_linker::<Host, HasHost>(linker, |host| host)
}
