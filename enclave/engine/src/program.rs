//! A loaded program, ready to be called.

use crate::{
    artifact::{Artifact, compatibility},
    audit::World,
    call::{Answer, Body, Call, CallError, Mode, Outcome},
    danger::revive,
    engine::{Engine, EngineError},
    host::Host,
    limits::{HANDLES_MAX, HOSTCALL_BYTES_MAX},
    meter::YIELD_FUEL,
    outbound::{AllowList, HostError, head_fits},
    run::{AnswerBody, Guest, HeadSlot, Patience, Run},
};
use futures::{FutureExt, channel::oneshot as futures_oneshot};
use http_body_util::{BodyExt, Limited};
use phala_messages::{
    ids::CodeHash,
    limits::{HEAD_BYTES_MAX, QUERY_BODY_BYTES_MAX},
    program::{LimitError, Manifest, ProgramLimits},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::oneshot;
use wasmtime::{AsContextMut, PoolConcurrencyLimitError, Store, Trap, component::ResourceTableError};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::{
    FieldMapError, WasiHttpView,
    handler::{Prepared, Proxy, ProxyPre},
    p2::bindings::{Proxy as P2Proxy, ProxyPre as P2Pre, http::types as p2_types},
    p3::bindings::{ServicePre as P3Pre, http::types as p3_types},
};

/// Stands in for an authority where a request has none.
const NO_AUTHORITY: http::HeaderValue = http::HeaderValue::from_static("phala.invalid");

/// Instances of one program that wait for another query, where its manifest allows reuse.
const IDLE_MAX: usize = 16;

/// Why an artifact cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It was compiled by another version, with other settings, or for another processor: compile again.
    #[error("the artifact was compiled for another engine or processor: compile again")]
    Recompile,
    /// A limit of the manifest is out of range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// An outbound host of the manifest names no host.
    #[error(transparent)]
    OutboundHost(#[from] HostError),
    /// The runtime does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A program that answers calls. Cloning shares it.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    wasm: CodeHash,
    pre: ProxyPre<Host>,
    limits: ProgramLimits,
    allowed: Arc<AllowList>,
    /// Queries that one instance serves.
    reuse: u16,
    idle: Arc<IdlePool>,
    idles: Idles,
}

impl Engine {
    /// Loads a compiled component under the rules of its manifest.
    ///
    /// # Errors
    /// [`LoadError::Recompile`] when the artifact is not for this engine, processor, or the manifest's treatment
    /// of NaNs; else what is wrong with the manifest.
    pub fn load(&self, artifact: &Artifact, manifest: &Manifest) -> Result<Program, LoadError> {
        manifest.limits.check()?;
        let allowed = AllowList::parse(manifest.outbound_hosts.iter().map(|host| host.as_slice()))?;
        let nans = manifest.canonical_nans.into();
        let flavor = self.flavor(artifact.world(), nans)?;
        if artifact.nans() != nans || artifact.compatibility() != compatibility(flavor) {
            return Err(LoadError::Recompile);
        }
        let component = revive(&flavor.engine, artifact).map_err(|_| LoadError::Recompile)?;
        let pre = flavor.linker.instantiate_pre(&component).and_then(|pre| match artifact.world() {
            World::P2 => P2Pre::new(pre).map(ProxyPre::P2),
            World::P3 => P3Pre::new(pre).map(ProxyPre::P3),
        });
        Ok(Program {
            inner: Arc::new(Inner {
                wasm: artifact.wasm(),
                // It linked when it was compiled; if it does not now, the interfaces have changed since.
                pre: pre.map_err(|_| LoadError::Recompile)?,
                limits: manifest.limits,
                allowed: Arc::new(allowed),
                reuse: manifest.reuse.max(1),
                idle: flavor.idles.register(),
                idles: flavor.idles.clone(),
            }),
        })
    }
}

impl Program {
    /// Hash of the component.
    pub fn wasm(&self) -> CodeHash {
        self.inner.wasm
    }

    /// What a call may use.
    pub fn limits(&self) -> &ProgramLimits {
        &self.inner.limits
    }

    /// Calls the program. Returns when the answer's head is there; the program goes on running as the answer's
    /// body is read, and stops when it is dropped.
    ///
    /// Must run on a tokio runtime with time enabled.
    ///
    /// # Errors
    /// See [`CallError`]. Errors after the head come through the body and [`Answer::outcome`].
    pub async fn call(&self, mut call: Call) -> Result<Answer, CallError> {
        admit(&mut call.request)?;
        let patience = match call.mode {
            Mode::Query => Patience::for_query(self.inner.limits.query_ms_max),
            Mode::Command { .. } => {
                // A command's answer must not depend on how its request arrived.
                call.request = collect(call.request).await?;
                Patience::WhileItRuns
            }
        };
        let slot = HeadSlot::default();
        let guest: Guest = Box::pin(answer(self.inner.clone(), call, slot.clone()));
        let mut run = Run::new(guest, patience);
        let (head, outcome) = run.head(&slot).await?;
        let (report, reported) = oneshot::channel();
        Ok(Answer {
            response: head.map(|body| AnswerBody::new(run, body, outcome, report)),
            outcome: reported.map(|report| report.unwrap_or(Err(CallError::Cancelled))).boxed(),
        })
    }
}

/// Checks a request's head, and gives it an authority.
fn admit(request: &mut http::Request<Body>) -> Result<(), CallError> {
    let uri = request.uri();
    let line = request.method().as_str().len()
        + uri.path_and_query().map_or(0, |path| path.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    if !head_fits(request.headers()) || line > HEAD_BYTES_MAX as usize {
        return Err(CallError::RequestHeadTooLarge);
    }
    if uri.authority().is_none() {
        let host = request.headers().get(http::header::HOST);
        if host.is_none_or(|host| host.to_str().is_err()) {
            request.headers_mut().insert(http::header::HOST, NO_AUTHORITY);
        }
    }
    Ok(())
}

async fn collect(request: http::Request<Body>) -> Result<http::Request<Body>, CallError> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, QUERY_BODY_BYTES_MAX as usize).collect().await;
    let body = body.map_err(|error| CallError::Broken(format!("the request's body broke off: {error}")))?;
    Ok(http::Request::from_parts(head, crate::whole_body(body.to_bytes())))
}

/// Runs the program on one request, from instantiation to its return.
async fn answer(inner: Arc<Inner>, call: Call, slot: HeadSlot) -> Result<Outcome, CallError> {
    let query = call.mode == Mode::Query;
    let (host, request) = Host::new(call, &inner.limits, inner.allowed.clone());
    let Instance { mut store, proxy, calls } = match query.then(|| inner.idle.take()).flatten() {
        Some(instance) => instance.renew(host)?,
        None => inner.instantiate(host).await?,
    };
    let handled = match &proxy {
        Proxy::P2(guest) => handle_p2(&mut store, guest, request, slot).await,
        Proxy::P3(_) => handle_p3(&mut store, &proxy, request, slot).await,
    };
    if let Err(error) = handled {
        return Err(explain(&error, store.data()));
    }
    let rest = store.get_fuel().unwrap_or_default();
    let fuel = store.data().meter.total(rest)?;
    let changes = store.data_mut().state.take_changes();
    if query && calls < inner.reuse {
        inner.idle.put(Instance { store, proxy, calls });
    }
    Ok(Outcome { fuel, changes })
}

/// One instance: its store, its exports, and how many calls it was given.
struct Instance {
    store: Store<Host>,
    proxy: Proxy,
    calls: u16,
}

impl Instance {
    /// Makes an instance that has served a query ready for the next one.
    fn renew(mut self, host: Host) -> Result<Self, CallError> {
        host.succeed(self.store.data_mut());
        fill_tank(&mut self.store)?;
        self.calls += 1;
        Ok(self)
    }
}

impl Inner {
    async fn instantiate(&self, host: Host) -> Result<Instance, CallError> {
        let mut store = Store::new(self.engine(), host);
        store.limiter(|host| &mut host.limits);
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        fill_tank(&mut store)?;
        let mut instantiated = self.pre.instantiate_async(&mut store).await;
        if instantiated.as_ref().is_err_and(|error| error.is::<PoolConcurrencyLimitError>()) {
            // Instances that wait for another query of their own program make room first.
            self.idles.clear();
            instantiated = self.pre.instantiate_async(&mut store).await;
        }
        match instantiated {
            Ok(proxy) => Ok(Instance { store, proxy, calls: 1 }),
            Err(error) => Err(explain(&error, store.data())),
        }
    }

    fn engine(&self) -> &wasmtime::Engine {
        match &self.pre {
            ProxyPre::P2(pre) => pre.engine(),
            ProxyPre::P3(pre) => pre.engine(),
        }
    }
}

fn fill_tank(store: &mut Store<Host>) -> Result<(), CallError> {
    let tank = store.data().meter.tank();
    let filled = store.fuel_async_yield_interval(Some(YIELD_FUEL)).and_then(|()| store.set_fuel(tank));
    filled.map_err(|error| CallError::Trap(format!("{error:#}")))
}

async fn handle_p2(
    store: &mut Store<Host>,
    guest: &P2Proxy,
    request: http::Request<Body>,
    slot: HeadSlot,
) -> wasmtime::Result<()> {
    let scheme = match request.uri().scheme_str() {
        Some("http") => p2_types::Scheme::Http,
        Some("https") | None => p2_types::Scheme::Https,
        Some(other) => p2_types::Scheme::Other(other.to_owned()),
    };
    let mut view = store.data_mut().http();
    let request = view.new_incoming_request(scheme, request)?;
    let out = view.new_response_outparam_from_callback(move |head| {
        slot.put(head.map_err(|code| CallError::ErrorCode(code.to_string())));
    })?;
    guest.wasi_http_incoming_handler().call_handle(store, request, out).await
}

async fn handle_p3(
    store: &mut Store<Host>,
    proxy: &Proxy,
    request: http::Request<Body>,
    slot: HeadSlot,
) -> wasmtime::Result<()> {
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    let handled = store.run_concurrent(async |accessor| {
        let (head, heading) = futures_oneshot::channel();
        let prepared =
            accessor.with(|mut access| Prepared::new(access.as_context_mut(), proxy, request, Host::http, head))?;
        let forward = async {
            match heading.await {
                Ok(Ok(head)) => slot.put(Ok(head)),
                Ok(Err(error)) => match error.downcast_ref::<p3_types::ErrorCode>() {
                    Some(code) => slot.put(Err(CallError::ErrorCode(code.to_string()))),
                    None => return Err(error),
                },
                Err(futures_oneshot::Canceled) => {}
            }
            Ok(())
        };
        // No expiration: the call's own limits end it from outside.
        futures::try_join!(prepared.run(accessor, std::future::pending()), forward)?;
        std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
        Ok(())
    });
    handled.await?
}

/// Puts the runtime's error into the words of [`CallError`].
fn explain(error: &wasmtime::Error, host: &Host) -> CallError {
    if let Some(error) = error.downcast_ref::<CallError>() {
        return error.clone();
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::Busy;
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return CallError::TooManyHandles(HANDLES_MAX);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return if exit.0 == 0 {
            CallError::NoResponse
        } else {
            CallError::Trap(format!("it exited with code {}", exit.0))
        };
    }
    if let Some(FieldMapError::TooManyFields | FieldMapError::TotalSizeTooBig) = error.downcast_ref() {
        return CallError::HeadTooLarge;
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::OutOfFuel) {
        return host.meter.exhausted();
    }
    // Most languages crash when they get no memory; name the cause, not the crash.
    if host.limits.refused_memory() {
        return CallError::OutOfMemory(host.limits.memory_bytes_max());
    }
    match trap {
        Some(trap) => CallError::Trap(trap.to_string().trim_start_matches("wasm trap: ").to_owned()),
        None => CallError::Trap(format!("{error:#}")),
    }
}

/// Instances that may serve another query.
#[derive(Default)]
struct IdlePool(Mutex<Vec<Instance>>);

impl IdlePool {
    fn lock(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    fn put(&self, instance: Instance) {
        let mut idle = self.lock();
        if idle.len() < IDLE_MAX {
            idle.push(instance);
        }
    }
}

/// All the idle pools of a flavor, to be emptied when it runs out of room.
#[derive(Clone, Default)]
pub(crate) struct Idles(Arc<Mutex<Vec<Weak<IdlePool>>>>);

impl Idles {
    fn register(&self) -> Arc<IdlePool> {
        let pool = Arc::<IdlePool>::default();
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&pool));
        pool
    }

    fn clear(&self) {
        let pools: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for pool in pools.iter().filter_map(Weak::upgrade) {
            let dropped = std::mem::take(&mut *pool.lock());
            drop(dropped);
        }
    }
}
