//! `wasi:http`, both generations: linked to the runtime's implementation, with our rules for fetching.

use crate::{call::Mode, host::Host, outbound::COMMAND_MAY_NOT_FETCH, ports::LogLevel};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::{
    RequestOptions, WasiHttp, WasiHttpView,
    p2::{
        bindings::{
            LinkOptions,
            http::{
                outgoing_handler::Host as _,
                types::{self, ErrorCode},
            },
        },
        types::{HostFutureIncomingResponse, HostOutgoingRequest},
    },
};

type Sent = Result<Resource<HostFutureIncomingResponse>, ErrorCode>;

impl Host {
    fn send(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Sent> {
        // Answered here, at once: the runtime's implementation would start a task, and when a
        // task is done is not the same on every replica.
        if matches!(self.mode, Mode::Command { .. }) {
            self.table.delete(request)?;
            self.logs.log(LogLevel::Warn, "outbound", COMMAND_MAY_NOT_FETCH);
            return Ok(Err(ErrorCode::InternalError(Some(COMMAND_MAY_NOT_FETCH.into()))));
        }
        match self.http().handle(request, options) {
            Ok(future) => Ok(Ok(future)),
            Err(error) => error.downcast().map(Err),
        }
    }
}

pub(crate) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    types::add_to_linker::<Host, WasiHttp>(linker, &LinkOptions::default().into(), Host::http)?;
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap(
        "handle",
        |mut store, (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>)| {
            Ok((store.data_mut().send(request, options)?,))
        },
    )
}

pub(crate) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p3::add_to_linker(linker)
}
