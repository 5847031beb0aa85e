//! The host when there is no worker: state, settings and the rest live in memory. See [`crate::testing`].

use crate::{
    Request, Response, attestation,
    config, context::{Account, Call, Mode},
    fetch, keys, kv,
    log::Level,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    time::Duration,
};

/// Answers fetches in place of the Internet.
pub(crate) type Internet = Rc<dyn Fn(Request) -> Result<Response, String>>;

/// Labels longer than this are refused, as on a worker.
const LABEL_BYTES_MAX: usize = 256;
/// Keys that one page of a listing has.
const PAGE_KEYS: usize = 1_000;

/// What a worker knows.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: BTreeMap<(String, String), Vec<u8>>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) logs: Vec<String>,
    pub(crate) caller: Option<Account>,
    pub(crate) commands: u64,
    pub(crate) height: u32,
    pub(crate) mode: Mode,
    pub(crate) internet: Option<Internet>,
}

impl World {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self {
            state: BTreeMap::new(),
            settings: BTreeMap::new(),
            logs: Vec::new(),
            caller: None,
            commands: 0,
            height: 1,
            mode: Mode::Query,
            internet: None,
        }
    }
}

thread_local! {
    /// The world that this thread's calls see.
    static WORLD: RefCell<World> = const { RefCell::new(World::new()) };
}

/// Runs `call` in `world`, and puts everything back as it was.
pub(crate) fn within<T>(world: &mut World, call: impl FnOnce() -> T) -> T {
    /// Swaps back even when a test panics.
    struct Back<'a>(&'a mut World);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            WORLD.with_borrow_mut(|current| std::mem::swap(current, self.0));
        }
    }
    WORLD.with_borrow_mut(|current| std::mem::swap(current, world));
    let _back = Back(world);
    call()
}

/// One named set of values.
pub(crate) struct Bucket(String);

/// Opens the bucket called `name`.
pub(crate) fn open(name: &str) -> Result<Bucket, kv::Error> {
    Ok(Bucket(name.into()))
}

impl Bucket {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
        WORLD.with_borrow(|world| Ok(world.state.get(&(self.0.clone(), key.into())).cloned()))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error> {
        self.write(|state| {
            state.insert((self.0.clone(), key.into()), value.to_vec());
        })
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), kv::Error> {
        self.write(|state| {
            state.remove(&(self.0.clone(), key.into()));
        })
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, kv::Error> {
        Ok(self.get(key)?.is_some())
    }

    pub(crate) fn increment(&self, key: &str, delta: i64) -> Result<i64, kv::Error> {
        let other = |why: &str| kv::Error::Other(why.into());
        let number = match self.get(key)? {
            None => 0,
            Some(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| other("the value is not a number"))?,
        };
        let sum = number.checked_add(delta).ok_or_else(|| other("the number is too large"))?;
        self.set(key, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    pub(crate) fn list(
        &self,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), kv::Error> {
        WORLD.with_borrow(|world| {
            let ours = world.state.keys().filter(|(bucket, _)| *bucket == self.0);
            let after = ours.map(|(_, key)| key).filter(|key| cursor.is_none_or(|c| key.as_str() > c));
            let keys: Vec<String> = after.take(PAGE_KEYS).cloned().collect();
            let next = (keys.len() == PAGE_KEYS).then(|| keys.last().cloned()).flatten();
            Ok((keys, next))
        })
    }

    /// Changes state, if this call may.
    fn write(
        &self,
        change: impl FnOnce(&mut BTreeMap<(String, String), Vec<u8>>),
    ) -> Result<(), kv::Error> {
        WORLD.with_borrow_mut(|world| match world.mode {
            Mode::Query => Err(kv::Error::AccessDenied),
            Mode::Command { .. } => {
                change(&mut world.state);
                Ok(())
            }
        })
    }
}

pub(crate) fn setting(key: &str) -> Result<Option<String>, config::Error> {
    WORLD.with_borrow(|world| Ok(world.settings.get(key).cloned()))
}

pub(crate) fn settings() -> Result<Vec<(String, String)>, config::Error> {
    WORLD.with_borrow(|world| Ok(world.settings.clone().into_iter().collect()))
}

pub(crate) fn log(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let line = format!("{level} {context}: {message}");
    WORLD.with_borrow_mut(|world| world.logs.push(line));
}

pub(crate) fn call() -> Call {
    WORLD.with_borrow(|world| {
        let command = matches!(world.mode, Mode::Command { .. });
        let caller = world.caller.or(command.then_some(Account([1; 32])));
        Call { mode: world.mode, program: [0; 32], caller, height: world.height }
    })
}

/// Bytes that stand for a key: the same for the same words, and no secret at all.
fn stand_in<const N: usize>(words: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    for (at, piece) in bytes.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (words, at).hash(&mut hasher);
        piece.copy_from_slice(&hasher.finish().to_le_bytes()[..piece.len()]);
    }
    bytes
}

/// Refuses what a worker would.
fn check(label: &str) -> Result<(), keys::Error> {
    match label.len() {
        0..=LABEL_BYTES_MAX => Ok(()),
        _ => Err(keys::Error::LabelTooLong(LABEL_BYTES_MAX as u32)),
    }
}

pub(crate) fn derive(label: &str) -> Result<[u8; 32], keys::Error> {
    check(label)?;
    Ok(stand_in(&[b"secret", label.as_bytes()]))
}

pub(crate) fn public_key(label: &str) -> Result<[u8; 32], keys::Error> {
    check(label)?;
    Ok(stand_in(&[b"public", label.as_bytes()]))
}

pub(crate) fn sign(label: &str, message: &[u8]) -> Result<[u8; 64], keys::Error> {
    check(label)?;
    Ok(stand_in(&[b"signature", label.as_bytes(), message]))
}

pub(crate) fn quote(_: &[u8]) -> Result<Vec<u8>, attestation::Error> {
    match call().mode {
        Mode::Command { .. } => Err(attestation::Error::Command),
        Mode::Query => Err(attestation::Error::Unavailable("this is not a worker".into())),
    }
}

pub(crate) fn fetch(
    requests: Vec<Request>,
    _: Option<Duration>,
) -> Vec<Result<Response, fetch::Error>> {
    let internet = WORLD.with_borrow(|world| world.internet.clone());
    let one = |request: Request| {
        if request.uri().host().is_none() {
            return Err(fetch::Error::Request("its URL has no host".into()));
        }
        if call().is_command() {
            return Err(fetch::Error::Failed("a command may not fetch".into()));
        }
        match &internet {
            Some(internet) => internet(request).map_err(fetch::Error::Failed),
            None => Err(fetch::Error::Failed("the test gave no Internet".into())),
        }
    };
    requests.into_iter().map(one).collect()
}
