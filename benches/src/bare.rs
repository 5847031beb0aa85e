//! The peer: a bare wasmtime host that serves a component over plain HTTP, as `wasmtime serve` does: pooling
//! allocator, a fresh instance per request, no fuel, no deadline.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{path::Path, sync::Arc};
use tokio::{io::AsyncReadExt, net::TcpListener, sync::oneshot};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store, bail,
    component::{Component, Linker, ResourceTable},
    ensure,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::{
        bindings::{ProxyPre, http::types::Scheme},
        body::HyperOutgoingBody,
    },
};

/// As many instances at once as the worker's engine has by default.
const INSTANCES_MAX: u32 = 1_000;

/// The runtime's error as everybody else's.
pub fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("the bare host: {error:#}")
}

/// A component in a bare host.
#[derive(Clone)]
pub struct Bare {
    pre: ProxyPre<State>,
}

type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// The programs of the benchmark fetch nothing.
struct NoFetching;

impl WasiHttpHooks for NoFetching {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange, Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoFetching,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// The host's engine: it can be made before there is a component.
pub fn engine() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX)
        .total_stacks(INSTANCES_MAX);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

impl Bare {
    /// Compiles and links a component.
    pub fn new(engine: &Engine, component: &[u8]) -> Result<Self> {
        let component = Component::new(engine, component)?;
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        // The SDK can log; the benchmark's program does not.
        linker.instance("wasi:logging/logging@0.1.0-draft")?.func_new("log", |_, _, _, _| Ok(()))?;
        Ok(Self { pre: ProxyPre::new(linker.instantiate_pre(&component)?)? })
    }

    /// Answers one request with a fresh instance.
    pub async fn handle<B>(&self, request: http::Request<B>) -> Result<http::Response<HyperOutgoingBody>>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NoFetching,
        };
        let mut store = Store::new(self.pre.engine(), state);
        let (sender, receiver) = oneshot::channel();
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let out = store.data_mut().http().new_response_outparam(sender)?;
        let pre = self.pre.clone();
        let task = tokio::spawn(async move {
            let proxy = pre.instantiate_async(&mut store).await?;
            proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
        });
        match receiver.await {
            Ok(response) => Ok(response?),
            Err(_) => {
                task.await??;
                bail!("the component returned without an answer")
            }
        }
    }

    /// Answers one request, whole.
    pub async fn call(&self, path: &str, body: Bytes) -> Result<Bytes> {
        let request = http::Request::post(format!("http://bench.invalid{path}")).body(Full::new(body))?;
        let response = self.handle(request).await?;
        ensure!(response.status() == 200, "the bare host answered {}", response.status());
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

/// Serves until standard input closes; says its port on standard output.
pub async fn serve(component: &Path) -> Result<()> {
    let bytes = std::fs::read(component)?;
    let bare = Arc::new(Bare::new(&engine()?, &bytes)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let serving = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let bare = bare.clone();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let bare = bare.clone();
                async move { bare.handle(request).await }
            });
            tokio::spawn(async move {
                // A connection that breaks is its client's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    };
    let mut rest = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        served = serving => served,
        _ = stdin.read_to_end(&mut rest) => Ok(()),
    }
}
