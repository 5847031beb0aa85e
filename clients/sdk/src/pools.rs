//! Pools of stake: what they have, who waits, and what somebody's shares are worth. Everything here is proven from the chain.
//!
//! Pools are numbered from 0 and the chain keeps their count, so that a list of all of them is complete: a node cannot leave one
//! out. The same holds for a queue, whose ends the pool's record names.

use crate::{
    Client,
    client::{ChainError, decode},
    submit::Applied,
};
use codec::Encode;
use phala_economics::{Holding, PoolKind, PoolRecord, PoolWork, Request, RequestId, Shares};
use phala_messages::{Account, BlockRef, PoolId, ledgers::PoolWorker, storage};
use phala_units::Planck;

/// How many pools are asked for at once.
const BATCH: u64 = 64;
/// Requests of a queue that are read at most.
const REQUESTS_READ_MAX: u64 = 1_024;
/// Descriptions are shorter; a longer one is a newer network's.
const DESCRIPTION_BYTES_MAX: usize = 4_096;

/// A pool, as the chain keeps it.
#[derive(Clone, Debug)]
pub struct PoolState {
    /// Which.
    pub id: PoolId,
    /// What it has, whose it is, who waits.
    pub record: PoolRecord,
    /// What its owner says of it.
    pub description: String,
    /// What of it is at work.
    pub work: PoolWork,
    /// The block at which this was read.
    pub block: BlockRef,
}

impl PoolState {
    /// `stake-pool` or `vault`.
    pub const fn kind(&self) -> &'static str {
        match self.record.kind {
            PoolKind::StakePool => "stake-pool",
            PoolKind::Vault => "vault",
        }
    }

    /// What its shares are worth, so many of them.
    pub fn worth(&self, shares: Shares) -> Planck {
        self.record.ledger.worth(shares)
    }

    /// What those who wait are owed, at the price of now.
    pub fn owed(&self) -> Planck {
        self.worth(self.record.queue.shares)
    }

    /// How much it takes in now; none: as much as comes.
    pub fn room(&self) -> Option<Planck> {
        let held = self.record.ledger.value().0.saturating_sub(self.owed().0);
        self.record.cap.map(|cap| Planck(cap.0.saturating_sub(held)))
    }
}

/// An account's shares of one pool.
#[derive(Clone, Debug)]
pub struct Position {
    /// Which pool.
    pub pool: PoolState,
    /// Shares, free and waiting.
    pub holding: Holding,
    /// The account's requests in the queue, if the queue is short enough to be read.
    pub requests: Vec<QueuedRequest>,
}

/// A request with its number and what stands before it.
#[derive(Clone, Copy, Debug)]
pub struct QueuedRequest {
    /// Its number in its pool.
    pub id: RequestId,
    /// Who waits, and for how many shares.
    pub request: Request,
    /// Shares that are paid before it.
    pub ahead: Shares,
}

/// The account that holds a pool's PHA, and a vault's shares.
///
/// # Shape `"modl" ‖ "phala/po" ‖ pool as u64`, filled with zeros.
/// # Source FRAME's `PalletId::into_sub_account_truncating`.
pub fn pool_account(pool: PoolId) -> Account {
    let mut bytes = [0; 32];
    let name = [b"modlphala/po".as_slice(), &pool.encode()].concat();
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = from;
    }
    Account(bytes)
}

impl Client {
    /// One pool, by proof.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn pool(&self, id: PoolId) -> Result<Option<PoolState>, ChainError> {
        Ok(self.some_pools(&[id]).await?.pop())
    }

    /// All pools, by proof: the chain's count of them leaves none out.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn pools(&self) -> Result<Vec<PoolState>, ChainError> {
        self.advance().await?;
        let count: u64 = self.one(storage::pool_count(), "the count of pools").await?.unwrap_or_default();
        let mut all = Vec::new();
        let mut first = 0;
        while first < count {
            let next = first.saturating_add(BATCH).min(count);
            let ids: Vec<_> = (first..next).map(PoolId).collect();
            all.extend(self.some_pools(&ids).await?);
            first = next;
        }
        Ok(all)
    }

    /// Those of these pools that exist, in this order.
    async fn some_pools(&self, ids: &[PoolId]) -> Result<Vec<PoolState>, ChainError> {
        let keys: Vec<_> = ids
            .iter()
            .flat_map(|id| [storage::pool(*id), storage::pool_description(*id), storage::pool_work(*id)])
            .collect();
        let (block, values) = self.read_raw(&keys).await?;
        let mut found = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let Some(record) = decode(&values, 3 * index, "a pool")? else { continue };
            let text: Vec<u8> = decode(&values, 3 * index + 1, "a pool's description")?.unwrap_or_default();
            let text = text.get(..text.len().min(DESCRIPTION_BYTES_MAX)).unwrap_or_default();
            let work = decode(&values, 3 * index + 2, "a pool's work")?.unwrap_or_default();
            found.push(PoolState { id: *id, record, description: String::from_utf8_lossy(text).into(), work, block });
        }
        Ok(found)
    }

    /// Workers that are bound to a pool.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn pool_workers(&self, pool: PoolId) -> Result<Vec<PoolWorker>, ChainError> {
        Ok(self.one(storage::pool_workers(pool), "a pool's workers").await?.unwrap_or_default())
    }

    /// What an account has of a pool.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn holding(&self, pool: PoolId, account: &Account) -> Result<Holding, ChainError> {
        Ok(self.one(storage::holding(pool, account), "shares of a pool").await?.unwrap_or_default())
    }

    /// Who waits in a pool's queue, the first first.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn requests(&self, pool: &PoolState) -> Result<Vec<QueuedRequest>, ChainError> {
        let (front, back) = (pool.record.queue.front.0, pool.record.queue.back.0);
        let ids: Vec<u64> = (front..back.min(front.saturating_add(REQUESTS_READ_MAX))).collect();
        let keys: Vec<_> = ids.iter().map(|id| storage::pool_request(pool.id, *id)).collect();
        let found: Vec<Option<Request>> = self.many(&keys, "a request").await?;
        let mut ahead = Shares(0);
        let mut queue = Vec::new();
        for (id, request) in ids.into_iter().zip(found) {
            let Some(request) = request else { continue };
            queue.push(QueuedRequest { id: RequestId(id), request, ahead });
            ahead = Shares(ahead.0.saturating_add(request.shares.0));
        }
        Ok(queue)
    }

    /// All pools of which an account has shares, and the vaults that it owns.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn positions(&self, account: &Account) -> Result<Vec<Position>, ChainError> {
        self.advance().await?;
        let ids: Vec<PoolId> = self.one(storage::positions(account), "positions").await?.unwrap_or_default();
        let mut all = Vec::new();
        for pool in self.some_pools(&ids).await? {
            let holding = self.holding(pool.id, account).await?;
            let requests = match holding.queued {
                Shares(0) => Vec::new(),
                _ => self.requests(&pool).await?,
            };
            let requests = requests.into_iter().filter(|place| place.request.holder == *account).collect();
            all.push(Position { pool, holding, requests });
        }
        Ok(all)
    }

    /// The note beside an account on a pool's list; none if it is not on it.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn listed(&self, pool: PoolId, account: &Account) -> Result<Option<String>, ChainError> {
        let note: Option<Vec<u8>> = self.one(storage::pool_listed(pool, account), "a list").await?;
        Ok(note.map(|note| String::from_utf8_lossy(&note).into_owned()))
    }

    /// The newest pool of `owner` in the block of `applied`: what its call made.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn made_pool(&self, applied: &Applied, owner: &Account) -> Result<Option<PoolId>, ChainError> {
        let values = self.read_raw_at(applied.block, &[storage::pool_count()]).await?;
        let count: u64 = decode(&values, 0, "the count of pools")?.unwrap_or_default();
        let ids: Vec<_> = (count.saturating_sub(BATCH)..count).map(PoolId).collect();
        let keys: Vec<_> = ids.iter().map(|id| storage::pool(*id)).collect();
        let values = self.read_raw_at(applied.block, &keys).await?;
        for (index, id) in ids.iter().enumerate().rev() {
            let record: Option<PoolRecord> = decode(&values, index, "a pool")?;
            if record.is_some_and(|record| record.owner == *owner) {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    /// The newest request of `holder` in a pool's queue, in the block of `applied`; none if it was paid at once.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn made_request(
        &self,
        applied: &Applied,
        pool: PoolId,
        holder: &Account,
    ) -> Result<Option<(RequestId, Request)>, ChainError> {
        let values = self.read_raw_at(applied.block, &[storage::pool(pool)]).await?;
        let Some(record) = decode::<PoolRecord>(&values, 0, "a pool")? else { return Ok(None) };
        let (front, back) = (record.queue.front.0, record.queue.back.0);
        let ids: Vec<u64> = (front.max(back.saturating_sub(BATCH))..back).collect();
        let keys: Vec<_> = ids.iter().map(|id| storage::pool_request(pool, *id)).collect();
        let values = self.read_raw_at(applied.block, &keys).await?;
        for (index, id) in ids.iter().enumerate().rev() {
            let request: Option<Request> = decode(&values, index, "a request")?;
            if let Some(request) = request.filter(|request| request.holder == *holder) {
                return Ok(Some((RequestId(*id), request)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_economics::{Commission, HighWater, Queue, SharePool};
    use phala_units::PHA;

    fn pool(cap: Option<u128>, value: u128, queued: u128) -> PoolState {
        let record = PoolRecord {
            kind: PoolKind::StakePool,
            owner: Account([1; 32]),
            ledger: SharePool::new(Shares(100 * PHA), Planck(value * PHA)).unwrap(),
            free: Planck(0),
            at_work: Planck(0),
            commission: Commission::default(),
            mark: HighWater::default(),
            cap: cap.map(|cap| Planck(cap * PHA)),
            open: true,
            listed: 0,
            queue: Queue { shares: Shares(queued * PHA), ..Queue::default() },
        };
        PoolState {
            id: PoolId(3),
            record,
            description: String::new(),
            work: PoolWork::default(),
            block: BlockRef::default(),
        }
    }

    #[test]
    fn what_is_asked_back_makes_room() {
        assert_eq!(pool(None, 200, 0).room(), None);
        assert_eq!(pool(Some(250), 200, 0).room(), Some(Planck(50 * PHA)));
        assert_eq!(pool(Some(250), 200, 10).room(), Some(Planck(70 * PHA)));
        assert_eq!(pool(Some(100), 200, 10).room(), Some(Planck(0)));
        assert_eq!(pool(None, 200, 10).owed(), Planck(20 * PHA));
    }

    #[test]
    fn a_pool_s_account_is_named_by_the_pallet_and_the_pool() {
        let account = pool_account(PoolId(0x0102));
        assert_eq!(&account.0[..14], b"modlphala/po\x02\x01");
        assert_eq!(account.0[14..], [0; 18]);
    }
}
