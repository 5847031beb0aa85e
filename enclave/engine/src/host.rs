//! What one instance stands on: its side of every host function, for one call.

use crate::{
    attestation,
    audit::World,
    call::{Call, Context, Mode, Settings},
    clocks::{self, Clock},
    config, context, http, keys,
    keyvalue::{self, State},
    limits::{HANDLES_MAX, Limits},
    logging::{self, Lines},
    meter::Meter,
    outbound::{AllowList, Fetcher},
    ports::{Attester, LogLevel, LogSink, ProgramKeys},
    random::{self, Random},
};
use phala_messages::program::ProgramLimits;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView, cli::WasiCliView, filesystem::WasiFilesystemView, sockets::WasiSocketsView,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

/// Generated from `programs/wit`.
#[allow(missing_docs, reason = "the documentation is in the WIT files")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../programs/wit",
        world: "phala:program/host",
        imports: {
            "phala:program/attestation.quote": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:keyvalue/store@0.2.0-draft.bucket": crate::keyvalue::Bucket,
            "wasi:keyvalue/store@0.2.0-draft2.bucket": crate::keyvalue::Bucket,
            "wasi:keyvalue/atomics@0.2.0-draft2.cas": crate::keyvalue::Cas,
        },
        require_store_data_send: true,
    });
}

/// Host functions are implemented on [`Host`] itself.
pub(crate) struct HasHost;

impl HasData for HasHost {
    type Data<'a> = &'a mut Host;
}

/// The data of one instance's store.
pub(crate) struct Host {
    pub(crate) table: ResourceTable,
    pub(crate) limits: Limits,
    pub(crate) mode: Mode,
    pub(crate) context: Context,
    pub(crate) meter: Meter,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) state: State,
    pub(crate) settings: Arc<Settings>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) keys: Arc<dyn ProgramKeys>,
    pub(crate) attester: Arc<dyn Attester>,
    pub(crate) quotes_made: u32,
    fetcher: Fetcher,
    http: WasiHttpCtx,
    /// Made when the program first asks for it; most never do.
    wasi: Option<WasiCtx>,
}

impl Host {
    /// Everything of `call` but the request.
    pub(crate) fn new(
        call: Call,
        limits: &ProgramLimits,
        allowed: Arc<AllowList>,
    ) -> (Self, ::http::Request<crate::Body>) {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let host = Self {
            table,
            limits: Limits::new(limits.memory_bytes_max),
            meter: Meter::new(&call.mode, limits.command_fuel_max),
            clock: Clock::new(&call.mode),
            random: Random::new(&call.mode),
            state: State::new(call.state, &call.mode),
            fetcher: Fetcher {
                command: matches!(call.mode, Mode::Command { .. }),
                allowed,
                port: call.outbound,
                logs: call.logs.clone(),
                requests_left: limits.outbound_requests_max,
            },
            mode: call.mode,
            context: call.context,
            settings: call.settings,
            logs: call.logs,
            keys: call.keys,
            attester: call.attester,
            quotes_made: 0,
            http: WasiHttpCtx::new(),
            wasi: None,
        };
        (host, call.request)
    }

    /// Takes over from `earlier`, the host of the same instance's last call: handles that the program kept stay
    /// good, everything else is this call's.
    pub(crate) fn succeed(self, earlier: &mut Self) {
        let table = std::mem::take(&mut earlier.table);
        let limits = std::mem::replace(&mut earlier.limits, Limits::new(0));
        let wasi = earlier.wasi.take();
        *earlier = Self { table, limits, wasi, ..self };
    }
}

impl IoView for Host {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let logs = &self.logs;
        let ctx = self.wasi.get_or_insert_with(|| {
            // No arguments, no environment, no folders, no sockets: what is not granted is denied.
            WasiCtx::builder()
                .stdout(Lines::new(logs.clone(), LogLevel::Info, "stdout"))
                .stderr(Lines::new(logs.clone(), LogLevel::Error, "stderr"))
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build()
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.fetcher, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Links everything that a component of `world` may import; see [`crate::audit`].
pub(crate) fn link(linker: &mut Linker<Host>, world: World) -> wasmtime::Result<()> {
    wasmtime_wasi_io::add_to_linker_async(linker)?;
    clocks::link_p2(linker)?;
    random::link_p2(linker)?;
    link_denied_p2(linker)?;
    http::link_p2(linker)?;
    if world == World::P3 {
        clocks::link_p3(linker)?;
        random::link_p3(linker)?;
        wasmtime_wasi::p3::cli::add_to_linker(linker)?;
        wasmtime_wasi::p3::filesystem::add_to_linker(linker)?;
        wasmtime_wasi::p3::sockets::add_to_linker(linker)?;
        http::link_p3(linker)?;
    }
    keyvalue::link(linker)?;
    config::link(linker)?;
    logging::link(linker)?;
    context::link(linker)?;
    keys::link(linker)?;
    attestation::link(linker)
}

/// Interfaces that standard libraries import: present, and empty.
fn link_denied_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    use wasmtime_wasi::{
        cli::WasiCli,
        filesystem::WasiFilesystem,
        p2::bindings::{LinkOptions, cli, filesystem, sockets},
        sockets::WasiSockets,
    };
    cli::exit::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::environment::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stdin::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stdout::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stderr::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_input::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_output::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stdin::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stdout::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stderr::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    filesystem::preopens::add_to_linker::<Host, WasiFilesystem>(linker, Host::filesystem)?;
    filesystem::types::add_to_linker::<Host, WasiFilesystem>(linker, Host::filesystem)?;
    sockets::instance_network::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sockets::network::add_to_linker::<Host, WasiSockets>(linker, &(&LinkOptions::default()).into(), Host::sockets)?;
    sockets::tcp::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sockets::udp::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sockets::udp_create_socket::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)
}
