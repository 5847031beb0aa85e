//! The economy with real processes: an operator's two workers compute with what delegators gave, one worker dies, everybody leaves. What
//! everybody gets is computed once more, from the chain's events alone, by [`Books`]: plain arithmetic that knows none of our
//! libraries.

use anyhow::{Context, Result, ensure};
use codec::Decode;
use frame_system::EventRecord;
use phala_e2e::{NO_GATEKEEPERS, Network, Process};
use phala_runtime::{AccountId, Hash, Runtime, RuntimeEvent};
use serde_json::{Value, json};
use sp_crypto_hashing::twox_128;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const PHA: u128 = 1_000_000_000_000;
/// A benchmark, some challenges, two minutes in which stake cools down; and a busy machine.
const PATIENCE: Duration = Duration::from_secs(420);
/// Who owns the workers of a development network.
const OPERATOR: &str = "//Alice";
const DELEGATORS: [&str; 2] = ["//Bob", "//Charlie"];

#[test]
fn workers_earn_one_dies_and_everybody_leaves_with_what_the_events_say() -> Result<()> {
    let mut network = Network::start(&[NO_GATEKEEPERS, &["--workers", "2"]].concat())?;
    network.unsupervised()?;
    let workers = network.up["workers"].as_array().context("it has workers")?.clone();
    let workers: Vec<&str> = workers.iter().filter_map(Value::as_str).collect();
    let before = balances(&network)?;

    // A pool, two workers in it, stake of two people and of the operator itself.
    let created = network.json(&["pool", "create", "--commission", "10%", "--account", OPERATOR])?;
    let pool = created["pool"].as_u64().with_context(|| format!("it has a number: {created}"))?.to_string();
    for worker in &workers {
        network.json(&["worker", "bind", worker, &pool, "--account", OPERATOR])?;
    }
    for (delegator, amount) in DELEGATORS.into_iter().zip(["60000PHA", "30000.5PHA"]) {
        network.json(&["pool", "contribute", &pool, amount, "--account", delegator])?;
    }
    network.json(&["pool", "contribute", &pool, "5000PHA", "--account", OPERATOR])?;
    for worker in &workers {
        let start = ["worker", "start", worker, "--stake", "20000PHA", "--wait", "4m", "--account", OPERATOR];
        network.json(&start)?;
    }
    until("two sessions were paid", || {
        let events = Chain::read(&network)?;
        Ok(events.paid_workers() >= 2)
    })?;
    // Who comes later pays the price of later.
    network.json(&["pool", "contribute", &pool, "1000PHA", "--account", DELEGATORS[0]])?;

    // One worker dies without a word.
    let victim = Process::find(network.dir(), "/phala-worker")?;
    victim.kill()?;
    until("its silence is noticed", || Ok(Chain::read(&network)?.silent() >= 1))?;
    for worker in &workers {
        stop(&network, worker)?;
    }
    until("stake comes back, less of one worker", || {
        let events = Chain::read(&network)?;
        Ok(events.returned() >= 2 && events.slashed(0) > 0)
    })?;

    // Everybody leaves.
    for who in DELEGATORS.into_iter().chain([OPERATOR]) {
        network.json(&["pool", "withdraw", &pool, "all", "--account", who])?;
    }
    until("everybody is paid", || {
        let shown = network.json(&["pool", "show", &pool])?;
        Ok(shown["shares"] == "0")
    })?;

    let books = Books::of(&Chain::read(&network)?)?;
    ensure!(books.shares == 0, "the events, too, say that all shares are gone: {}", books.shares);
    let after = balances(&network)?;
    for who in DELEGATORS {
        let account = account(who)?;
        let flow = books.flows.get(&account).copied().unwrap_or_default();
        let expected = before[who] as i128 + flow;
        assert_eq!(after[who] as i128, expected, "{who} has what the events say");
        let earned = flow + books.fees.get(&account).copied().unwrap_or_default() as i128;
        println!("{who}: {flow} Planck, {earned} without fees");
    }
    ensure!(books.rewards > 0 && books.slashes > 0, "work was paid, and silence was not");
    network.stop()
}

/// A worker that is dead is stopped by its id.
fn stop(network: &Network, endpoint: &str) -> Result<()> {
    let listed = network.json(&["worker", "list"])?;
    let all = listed["workers"].as_array().context("it lists workers")?;
    let worker = all.iter().find(|worker| worker["endpoint"].as_str().is_some_and(|url| url == endpoint));
    let worker = worker.and_then(|worker| worker["worker"].as_str()).context("the worker is listed")?;
    network.json(&["worker", "stop", worker, "--account", OPERATOR])?;
    Ok(())
}

fn until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !done()? {
        ensure!(began.elapsed() < PATIENCE, "it never came: {what}");
        std::thread::sleep(Duration::from_secs(2));
    }
    Ok(())
}

fn account(uri: &str) -> Result<AccountId> {
    use sp_core::{Pair, sr25519};
    let pair = sr25519::Pair::from_string(uri, None).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(pair.public().0.into())
}

fn balances(network: &Network) -> Result<BTreeMap<&'static str, u128>> {
    let mut balances = BTreeMap::new();
    for who in DELEGATORS {
        let shown = network.json(&["account", "balance", who])?;
        let free = shown["free_planck"].as_str().with_context(|| format!("it has a balance: {shown}"))?;
        balances.insert(who, free.parse()?);
    }
    Ok(balances)
}

/// The events of all final blocks, in order.
struct Chain(Vec<RuntimeEvent>);

impl Chain {
    fn read(network: &Network) -> Result<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(Self::read_from(&network.rpc()))
    }

    async fn read_from(rpc: &str) -> Result<Self> {
        let http = reqwest::Client::new();
        let ask = async |method: &str, params: Value| -> Result<Value> {
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            let answer: Value = http.post(rpc).json(&request).send().await?.json().await?;
            ensure!(answer["error"].is_null(), "{method}: {answer}");
            Ok(answer["result"].clone())
        };
        let head = ask("chain_getFinalizedHead", json!([])).await?;
        let header = ask("chain_getHeader", json!([head])).await?;
        let height = header["number"].as_str().context("a head has a height")?;
        let height = u32::from_str_radix(height.trim_start_matches("0x"), 16)?;
        let key = format!("0x{}", hex::encode([twox_128(b"System"), twox_128(b"Events")].concat()));
        let mut events = Vec::new();
        for number in 1..=height {
            let hash = ask("chain_getBlockHash", json!([number])).await?;
            let stored = ask("state_getStorage", json!([key, hash])).await?;
            let Some(stored) = stored.as_str() else { continue };
            let bytes = hex::decode(stored.trim_start_matches("0x"))?;
            let records = Vec::<EventRecord<RuntimeEvent, Hash>>::decode(&mut bytes.as_slice())?;
            events.extend(records.into_iter().map(|record| record.event));
        }
        Ok(Self(events))
    }

    fn work(&self) -> impl Iterator<Item = &pallet_computation::Event<Runtime>> {
        self.0.iter().filter_map(|event| match event {
            RuntimeEvent::Computation(event) => Some(event),
            _ => None,
        })
    }

    fn pools(&self) -> impl Iterator<Item = &pallet_pools::Event<Runtime>> {
        self.0.iter().filter_map(|event| match event {
            RuntimeEvent::Pools(event) => Some(event),
            _ => None,
        })
    }

    fn paid_workers(&self) -> usize {
        let paid = self.work().filter_map(|event| match event {
            pallet_computation::Event::Paid { worker, .. } => Some(*worker),
            _ => None,
        });
        paid.collect::<std::collections::BTreeSet<_>>().len()
    }

    fn silent(&self) -> usize {
        self.work().filter(|event| matches!(event, pallet_computation::Event::WorkerSilent { .. })).count()
    }

    fn returned(&self) -> usize {
        self.work().filter(|event| matches!(event, pallet_computation::Event::StakeReturned { .. })).count()
    }

    fn slashed(&self, which: u64) -> u128 {
        let slashes = self.pools().filter_map(|event| match event {
            pallet_pools::Event::Slashed { pool, amount } if pool.0 == which => Some(amount.0),
            _ => None,
        });
        slashes.sum()
    }
}

/// One pool's ledger, and what came to and went from each account, as the events tell it.
#[derive(Default)]
struct Books {
    shares: u128,
    value: u128,
    rewards: u128,
    slashes: u128,
    fees: BTreeMap<AccountId, u128>,
    flows: BTreeMap<AccountId, i128>,
}

impl Books {
    fn of(chain: &Chain) -> Result<Self> {
        use pallet_pools::Event as E;
        let mut books = Self::default();
        for event in &chain.0 {
            match event {
                RuntimeEvent::TransactionPayment(pallet_transaction_payment::Event::TransactionFeePaid {
                    who,
                    actual_fee,
                    ..
                }) => {
                    *books.fees.entry(who.clone()).or_default() += actual_fee;
                    *books.flows.entry(who.clone()).or_default() -= *actual_fee as i128;
                }
                RuntimeEvent::Pools(E::Contributed { from, amount, shares, .. }) => {
                    // A share costs what it is worth; the first cost one Planck each.
                    let fair = if books.shares == 0 { amount.0 } else { ratio(amount.0, books.shares, books.value) };
                    ensure!(shares.0 == fair, "{} shares for {} Planck, not {fair}", shares.0, amount.0);
                    books.shares += shares.0;
                    books.value += amount.0;
                    *books.flows.entry(from.clone()).or_default() -= amount.0 as i128;
                }
                RuntimeEvent::Pools(E::Rewarded { stakers, owner, .. }) => {
                    // A tenth is the owner's.
                    let whole = stakers.0 + owner.0;
                    ensure!(owner.0 == whole / 10, "the commission is a tenth of {whole}, not {}", owner.0);
                    books.value += stakers.0;
                    books.rewards += whole;
                }
                RuntimeEvent::Pools(E::Slashed { amount, .. }) => {
                    books.value -= amount.0;
                    books.slashes += amount.0;
                }
                RuntimeEvent::Pools(E::Withdrawn { holder, shares, amount, .. }) => {
                    let fair = ratio(shares.0, books.value, books.shares);
                    ensure!(amount.0 == fair, "{} Planck for {} shares, not {fair}", amount.0, shares.0);
                    books.shares -= shares.0;
                    books.value -= amount.0;
                    *books.flows.entry(holder.clone()).or_default() += amount.0 as i128;
                }
                _ => {}
            }
        }
        ensure!(books.value < PHA, "nothing worth a word stays behind: {}", books.value);
        Ok(books)
    }
}

/// `amount * numerator / denominator`, rounded down, by schoolbook arithmetic on halves of 64 bits.
fn ratio(amount: u128, numerator: u128, denominator: u128) -> u128 {
    let (mut quotient, mut remainder) = (0u128, 0u128);
    for bit in (0..128).rev() {
        // quotient and remainder of (amount >> bit) * numerator, one bit after the other.
        quotient *= 2;
        remainder *= 2;
        if amount >> bit & 1 == 1 {
            quotient += numerator / denominator;
            remainder += numerator % denominator;
        }
        quotient += remainder / denominator;
        remainder %= denominator;
    }
    quotient
}

#[test]
fn the_arithmetic_of_the_books_is_right() {
    assert_eq!(ratio(10, 3, 4), 7);
    assert_eq!(ratio(u128::from(u64::MAX), u128::from(u64::MAX), u128::from(u64::MAX)), u128::from(u64::MAX));
    assert_eq!(ratio(90_000 * PHA, 95_001 * PHA, 95_000 * PHA), 90_000_947_368_421_052);
}
