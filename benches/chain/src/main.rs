//! What the chain costs, measured on the runtime in this process: `phala-bench` runs it and shows its rows.
//!
//! # What is measured
//! - *sessions*: a chain with 1,000, 10,000 and 50,000 workers that compute, its state in a trie; then each thing that is done, many
//!   times, the middle one: a heartbeat (its signature, settling V, paying), a contribution, a withdrawal that is free to go, the sweep
//!   of one request, and what a block does by itself before anything is in it.
//! - *transfers*: signed transfers applied one after the other, by our runtime and by one of the SDK's own pallets as in its template, in
//!   the same run.
//!
//! Native code of the default build: a node runs WebAssembly, optimised. Ratios count.

mod sessions;
mod template;
mod transfers;

use serde_json::{Value, json};

/// One figure: a name, seconds or a rate, and what stands beside it.
pub fn row(what: &str, unit: &str, ours: f64, peer: Option<(f64, &str)>) -> Value {
    let peer = peer.map(|(value, name)| json!({ "value": value, "name": name }));
    json!({ "what": what, "unit": unit, "ours": ours, "peer": peer })
}

fn main() {
    let sizes: Vec<u32> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 50_000] } else { sizes };
    let mut rows = transfers::measure(2_000);
    for size in sizes {
        eprintln!("a chain with {size} sessions is made");
        rows.extend(sessions::measure(size));
    }
    println!("{}", Value::from(rows));
}
