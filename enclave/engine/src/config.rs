//! `wasi:config`: the program's settings, as its owner sealed them. Four names of one interface.

use crate::host::{
    HasHost, Host,
    bindings::wasi::{config0_2_0_draft as draft, config0_2_0_draft_2024_09_27 as spin, config0_2_0_rc_1 as rc1},
};
use wasmtime::component::Linker;

macro_rules! config {
    ($interface:path, $error:ident) => {
        const _: () = {
            use $interface as interface;

            impl interface::Host for Host {
                fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, interface::$error>> {
                    let value = self.settings.get(&key).cloned();
                    self.meter.charge(key.len() + value.as_ref().map_or(0, String::len))?;
                    Ok(Ok(value))
                }

                fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, interface::$error>> {
                    let all: Vec<_> = self.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                    self.meter.charge(all.iter().map(|(key, value)| key.len() + value.len()).sum())?;
                    Ok(Ok(all))
                }
            }
        };
    };
}

config!(rc1::store, Error);
config!(spin::store, Error);
config!(draft::store, Error);
config!(draft::runtime, ConfigError);

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    rc1::store::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    spin::store::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft::store::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft::runtime::add_to_linker::<Host, HasHost>(linker, |host| host)
}
