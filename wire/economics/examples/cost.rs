//! What a heartbeat costs. `cargo run --release -p phala-economics --example cost`.

use phala_economics::*;
use phala_units::{BlockNumber, PHA, Planck};
use std::{hint::black_box, time::Instant};

/// Nanoseconds of one `work`, the best of five rounds.
fn nanoseconds(mut work: impl FnMut()) -> f64 {
    const TIMES: u32 = 20_000;
    let round = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..TIMES {
            work();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
    };
    (0..5).map(|_| round(&mut work)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let parameters = Parameters::DEFAULT;
    let start = |stake: u128| {
        Session::start(&parameters, Planck(stake * PHA), Score(1_000), Confidence::Two, BlockNumber(1)).unwrap()
    };
    for (name, stake, blocks) in [
        ("half an hour", 5_000, 900),
        ("a day", 5_000, 43_200),
        ("a year", 5_000, 15_768_000),
        ("half an hour, V reaches its limit", 19_699, 900),
    ] {
        let session = start(stake);
        let mut index = WorkIndex::default();
        index.join(WorkShare(Fixed::from_int(150_000_000))).unwrap();
        let settle = nanoseconds(|| {
            let mut session = black_box(session);
            session.settle(&parameters, BlockNumber(blocks));
            black_box(session);
        });
        let heartbeat = nanoseconds(|| {
            let (mut session, mut index) = (black_box(session), black_box(index));
            session.rejoin(&mut index).unwrap();
            index.divide(Planck(15_000 * PHA));
            let measured = Some(Performance(Fixed::from_int(1_001)));
            assert_eq!(session.answer(&parameters, BlockNumber(blocks), measured, false), Answer::Due);
            let owed = session.owed(&index);
            black_box(session.pay(&parameters, owed, Planck(u128::MAX)));
            session.rejoin(&mut index).unwrap();
            black_box((session, index));
        });
        println!("{name}: settle {settle:.0} ns, whole heartbeat {heartbeat:.0} ns");
    }
    let session = start(5_000);
    let silent = nanoseconds(|| {
        let mut session = black_box(Session { responsive: false, ..session });
        session.settle(&parameters, BlockNumber(43_200));
        black_box(session);
    });
    println!("a day of silence: settle {silent:.0} ns");
    let mut pool = SharePool::default();
    pool.contribute(Planck(1_000_000 * PHA)).unwrap();
    pool.reward(Planck(12_345 * PHA)).unwrap();
    let contribute = nanoseconds(|| {
        let mut pool = black_box(pool);
        black_box(pool.contribute(Planck(1_000 * PHA)).unwrap());
    });
    let fill = nanoseconds(|| {
        black_box(Counter::open(black_box(&pool), Planck(500 * PHA)).fill(Shares(1_000 * PHA)));
    });
    println!("pool: contribute {contribute:.0} ns, fill a withdrawal in part {fill:.0} ns");
}
