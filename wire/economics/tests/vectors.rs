//! Golden bytes of every encoded type, in both directions. `tests/vectors/economics.json` is the contract: who changes a byte changes it
//! visibly. Run with `PHALA_WRITE_VECTORS=1` to write it anew.

use codec::{Decode, DecodeAll, Encode, MaxEncodedLen};
use phala_economics::*;
use phala_messages::{Account, PoolId, ProgramLimits, computation::SessionNumber, credit::CommandPrice};
use phala_units::{BlockNumber, PHA, Planck, UnixMillis};
use std::{collections::BTreeMap, fmt::Debug, path::PathBuf};

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/vectors/economics.json")
}

/// Names and bytes, collected and then held against the file.
struct Vectors {
    golden: BTreeMap<String, String>,
    found: BTreeMap<String, String>,
    writing: bool,
}

impl Vectors {
    fn open() -> Self {
        let writing = std::env::var_os("PHALA_WRITE_VECTORS").is_some();
        let golden = match std::fs::read_to_string(path()) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) if writing => BTreeMap::new(),
            Err(error) => panic!("{}: {error}", path().display()),
        };
        Self { golden, found: BTreeMap::new(), writing }
    }

    /// A value that encodes to the golden bytes, and that they decode to.
    fn value<T: Encode + Decode + MaxEncodedLen + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let text = hex::encode(value.encode());
        if !self.writing {
            assert_eq!(self.golden.get(name), Some(&text), "{name}");
        }
        assert!(self.found.insert(name.into(), text).is_none(), "{name} twice");
        let golden = if self.writing { &self.found } else { &self.golden };
        let bytes = hex::decode(&golden[name]).unwrap();
        assert!(bytes.len() <= T::max_encoded_len(), "{name}");
        assert_eq!(&T::decode_all(&mut bytes.as_slice()).unwrap(), value, "{name}");
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(T::decode_all(&mut longer.as_slice()).is_err(), "{name} with a byte more");
        assert!(T::decode_all(&mut &bytes[..bytes.len() - 1]).is_err(), "{name} with a byte less");
    }

    fn close(self) {
        if self.writing {
            let text = serde_json::to_string_pretty(&self.found).unwrap();
            std::fs::write(path(), text + "\n").unwrap();
        } else {
            assert!(self.golden.keys().eq(self.found.keys()), "vectors without a test");
        }
    }
}

#[test]
fn encoded_types_have_golden_bytes() {
    let mut vectors = Vectors::open();
    vectors.value("fixed", &Fixed::from_bits(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10));
    vectors.value("ppm", &Ppm::percent(20));
    vectors.value("score", &Score(1_900));
    vectors.value("performance", &Performance(Fixed::from_int(660)));
    vectors.value("mark", &Mark { iterations: 11_000, at_ms: 100_000 });
    vectors.value("parameters/original", &Parameters::ORIGINAL);
    vectors.value("parameters/default", &Parameters::DEFAULT);
    for level in [1, 2, 3, 4, 5, 128] {
        vectors.value(&format!("confidence/{level}"), &Confidence::from_level(level).unwrap());
    }
    for level in [FaultLevel::Silence, FaultLevel::Minor, FaultLevel::Grave, FaultLevel::Attack] {
        vectors.value(&format!("fault/{level:?}").to_lowercase(), &level);
    }
    vectors.value("schedule", &Schedule::standard(BlockNumber(1_000)));
    vectors.value("payout", &Payout { pool: Planck(8 * PHA), treasury: Planck(2 * PHA) });
    vectors.value("shares", &Shares(3 * PHA));

    let mut pool = SharePool::default();
    pool.contribute(Planck(100 * PHA)).unwrap();
    pool.reward(Planck(5 * PHA)).unwrap();
    vectors.value("pool", &pool);
    let mut mark = HighWater::default();
    mark.settle(&mut pool, Ppm::percent(5));
    vectors.value("highwater", &mark);
    let mut commission = Commission::new(Ppm::percent(5));
    vectors.value("commission", &commission);
    commission.change(Ppm::percent(7), BlockNumber(77));
    vectors.value("commission/announced", &commission);
    vectors.value("commission/rise", &commission.announced_at(BlockNumber(77)).unwrap());

    let price =
        CommandPrice { base: Planck(PHA / 1_000), per_byte: Planck(100_000), per_million_fuel: Planck(1_000_000) };
    let limits = ProgramLimits { command_fuel_max: 2_000_000_001, ..Default::default() };
    vectors.value("price-of-command", &price_of_command(&price, 1_024, &limits));
    vectors.value("weight-of-stake", &weight_of_stake(Planck(2_345 * PHA)));

    vectors.value("pool-kind/stakepool", &PoolKind::StakePool);
    vectors.value("pool-kind/vault", &PoolKind::Vault);
    vectors.value("request-id", &RequestId(7));
    let queue = Queue {
        front: RequestId(2),
        overdue: RequestId(3),
        back: RequestId(5),
        shares: Shares(9 * PHA),
        shares_overdue: Shares(4 * PHA),
        in_line: true,
    };
    vectors.value("queue", &queue);
    let record = PoolRecord {
        kind: PoolKind::StakePool,
        owner: Account([0x0a; 32]),
        ledger: pool,
        free: Planck(25 * PHA),
        at_work: Planck(80 * PHA),
        commission,
        mark,
        cap: Some(Planck(1_000 * PHA)),
        open: true,
        listed: 3,
        queue,
    };
    vectors.value("pool-record", &record);
    vectors.value("holding", &Holding { free: Shares(6 * PHA), queued: Shares(9 * PHA) });
    let request = Request {
        holder: Account([0x0b; 32]),
        vault: Some(PoolId(4)),
        shares: Shares(9 * PHA),
        since: BlockNumber(1_234),
    };
    vectors.value("request", &request);

    let stake = Planck(5_000 * PHA);
    let mut session =
        Session::start(&Parameters::DEFAULT, stake, Score(1_000), Confidence::Two, BlockNumber(10)).unwrap();
    vectors.value("session/started", &session);
    let mut index = WorkIndex::default();
    session.settle(&Parameters::DEFAULT, BlockNumber(10_000));
    session.rejoin(&mut index).unwrap();
    index.divide(Planck(100 * PHA));
    vectors.value("session/settled", &session);
    vectors.value("share", &session.share);
    vectors.value("index", &index);
    vectors.value("earned", &index.earned());
    session.fall_silent(&Parameters::DEFAULT, BlockNumber(20_000));
    vectors.value("session/silent", &session);
    let mut record = SessionRecord {
        number: SessionNumber(7),
        pool: PoolId(4),
        stake,
        worth: session,
        mark: Mark { iterations: 11_000, at_ms: 100_000 },
        place: Some(3),
        started: BlockNumber(10),
        earned: Planck(9 * PHA),
        cooling: None,
    };
    vectors.value("record/computes", &record);
    let cooling = Cooling { until: UnixMillis(1_700_000_000_123), returned: Planck(4_999 * PHA), turn: 5 };
    record = SessionRecord { place: None, cooling: Some(cooling), ..record };
    vectors.value("record/cools", &record);
    vectors.value("record/pool", &PoolWork { at_work: stake, returning: Planck(PHA) });
    let (divided, paid) = (Planck(100 * PHA), Planck(99 * PHA));
    vectors.value("record/accrual", &Accrual { index, through: BlockNumber(20_000), divided, paid });
    vectors.value("rules", &WorkRules::DEFAULT);
    vectors.close();
}

#[test]
fn targets_have_golden_bytes() {
    // Not encoded by us, but compared by workers byte by byte.
    assert_eq!(hex::encode(target(20, CHALLENGES_PER_HOUR, 20, 12_000)).len(), 64);
    assert_eq!(target(u32::MAX, 2, 1, u32::MAX), target(CHALLENGES_MAX, 2, 1, u32::MAX));
    let places: Vec<u32> = draw([0x5a; 32], 20, CHALLENGES_PER_HOUR, 50_000, 2_000).collect();
    assert_eq!(places.len(), 20);
}
