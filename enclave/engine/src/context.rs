//! `phala:program/context`: who calls, and how.

use crate::{
    call::Mode,
    host::{HasHost, Host, bindings::phala::program::context},
};
use wasmtime::component::Linker;

impl context::Host for Host {
    fn current(&mut self) -> wasmtime::Result<context::Call> {
        Ok(context::Call {
            mode: match self.mode {
                Mode::Query => context::Mode::Query,
                Mode::Command { index, .. } => context::Mode::Command(index),
            },
            program: self.context.program.0.to_vec(),
            caller: self.context.caller.map(|caller| caller.0.to_vec()),
            height: self.context.height.0,
        })
    }
}

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    context::add_to_linker::<Host, HasHost>(linker, |host| host)
}
