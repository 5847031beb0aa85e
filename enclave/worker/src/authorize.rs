//! Who asks: a query's optional signature.
//!
//! # Properties
//! - An authorisation counts for one request, one program and one process of one worker, once, until it expires.
//! - A process that restarts forgets which ones it has seen, and refuses them all: it has another instance key.
//! - [`Authenticated`] is made here and nowhere else.

use crate::problem::Problem;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;
use phala_crypto::verify_sr25519;
use phala_messages::{
    Account, GenesisHash, Hash, InstanceKey, ProgramId,
    query::{AUTHORIZATION_FIELD, AUTHORIZATION_MS_MAX, Authorization},
};
use phala_units::UnixMillis;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

/// Authorisations remembered at once; beyond it the worker asks callers to wait.
const SEEN_MAX: usize = 1 << 20;

/// Something whose sender is known, or known to have no name.
#[derive(Debug)]
pub struct Authenticated<T> {
    inner: T,
    caller: Option<Account>,
}

impl<T> Authenticated<T> {
    /// Who sent it; None when nobody signed.
    pub const fn caller(&self) -> Option<Account> {
        self.caller
    }

    /// What was sent.
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// What was sent, by value.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Refuses everyone but `owner`.
    ///
    /// # Errors
    /// [`Problem::NotOwner`].
    pub fn require(&self, owner: &Account) -> Result<(), Problem> {
        if self.caller.as_ref() == Some(owner) { Ok(()) } else { Err(Problem::NotOwner) }
    }

    /// A command's sender stands on chain: a finalised block names him.
    pub(crate) const fn by_the_chain(inner: T, caller: Account) -> Self {
        Self { inner, caller: Some(caller) }
    }
}

#[derive(Default)]
struct Seen {
    nonces: HashSet<(Account, [u8; 16])>,
    by_end: BTreeMap<(UnixMillis, Account, [u8; 16]), ()>,
}

/// Judges authorisations for this process.
pub struct Judge {
    genesis: GenesisHash,
    instance: InstanceKey,
    seen: Mutex<Seen>,
}

impl Judge {
    /// The judge of one process.
    pub fn new(genesis: GenesisHash, instance: InstanceKey) -> Self {
        Self { genesis, instance, seen: Mutex::default() }
    }

    /// Judges who sent `inner`, a request to `program` with these headers whose transcript hash is `request`.
    ///
    /// # Errors
    /// [`Problem::Authorization`], [`Problem::AuthorizationExpired`], [`Problem::AuthorizationReplayed`].
    pub fn authenticate<T>(
        &self,
        inner: T,
        headers: &HeaderMap,
        program: &ProgramId,
        request: &Hash,
        now: UnixMillis,
    ) -> Result<Authenticated<T>, Problem> {
        let mut fields = headers.get_all(AUTHORIZATION_FIELD).iter();
        let Some(field) = fields.next() else { return Ok(Authenticated { inner, caller: None }) };
        if fields.next().is_some() {
            return Err(Problem::Authorization("the header stands there twice"));
        }
        let bytes =
            STANDARD.decode(field.as_bytes()).map_err(|_| Problem::Authorization("the header is not base64"))?;
        let it = Authorization::parse(&bytes).ok_or(Problem::Authorization("the header is not an authorisation"))?;
        if it.expires_at <= now || it.expires_at.since(now) > AUTHORIZATION_MS_MAX {
            return Err(Problem::AuthorizationExpired);
        }
        let hash = it.signing_hash(&self.genesis, program, &self.instance, request);
        if !verify_sr25519(&it.account.0, &hash.0, &it.signature) {
            return Err(Problem::Authorization("the signature does not hold for this request, program and process"));
        }
        self.remember(&it, now)?;
        Ok(Authenticated { inner, caller: Some(it.account) })
    }

    fn remember(&self, it: &Authorization, now: UnixMillis) -> Result<(), Problem> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((key, ())) = seen.by_end.first_key_value() {
            let &(end, account, nonce) = key;
            if end > now {
                break;
            }
            seen.by_end.pop_first();
            seen.nonces.remove(&(account, nonce));
        }
        if seen.nonces.len() >= SEEN_MAX {
            return Err(Problem::Busy);
        }
        if !seen.nonces.insert((it.account, it.nonce)) {
            return Err(Problem::AuthorizationReplayed);
        }
        seen.by_end.insert((it.expires_at, it.account, it.nonce), ());
        Ok(())
    }
}
