//! Benchmarks, run: each is tried once with its own checks, counted once, and timed many times.

use crate::{
    fit::{Line, undisturbed},
    state,
    wasm::Wasm,
    write,
};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use codec::{Decode, Encode};
use frame_benchmarking::{
    BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkMetadata, BenchmarkParameter, BenchmarkResult,
    BenchmarkSelector,
};
use sc_client_db::BenchmarkingState;
use sp_runtime::{Storage, traits::BlakeTwo256};

/// Values that a component takes, and runs of each, when somebody only wants to see that all is well.
const QUICK: (u32, u32) = (2, 2);

/// How to measure.
#[derive(Args)]
pub struct Options {
    /// Only this pallet: its crate's name, or its folder in `chain`; may be given more than once
    #[arg(long)]
    pub pallet: Vec<String>,
    /// Only this benchmark
    #[arg(long)]
    pub benchmark: Option<String>,
    /// Values that each component takes
    #[arg(long, default_value_t = 6)]
    pub steps: u32,
    /// Runs for each of them
    #[arg(long, default_value_t = 20)]
    pub repeats: u32,
    /// Two values, two runs: everything works, numbers mean little
    #[arg(long, conflicts_with = "write")]
    pub quick: bool,
    /// Write the weights into the pallets
    #[arg(long, conflicts_with = "benchmark")]
    pub write: bool,
    /// Say what there is, and do nothing
    #[arg(long)]
    pub list: bool,
}

/// What a function costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The benchmark's name, which is the function's.
    pub name: String,
    /// Picoseconds.
    pub time: Line,
    /// Entries that are read.
    pub reads: Line,
    /// Entries that are written.
    pub writes: Line,
    /// The largest value of each component.
    pub largest: Vec<u32>,
}

type Point = Vec<(BenchmarkParameter, u32)>;

struct Bench {
    wasm: Wasm,
    /// Notes which entries are touched, which takes time.
    counted: BenchmarkingState<BlakeTwo256>,
    timed: BenchmarkingState<BlakeTwo256>,
}

/// Measures what was asked for, prints it, and writes it if that was asked for.
///
/// # Errors
/// When a benchmark fails.
pub fn run(options: &Options) -> Result<()> {
    let wasm = Wasm::new()?;
    let genesis = state::genesis(&wasm)?;
    let bench = Bench { counted: open(genesis.clone(), true)?, timed: open(genesis, false)?, wasm };
    let (steps, repeats) = if options.quick { QUICK } else { (options.steps, options.repeats) };
    let mut failures = Vec::new();
    for list in bench.lists()? {
        let pallet = String::from_utf8(list.pallet.clone())?;
        if !options.pallet.is_empty() && !options.pallet.iter().any(|name| is_called(&pallet, name)) {
            continue;
        }
        let mut all = Vec::new();
        for benchmark in &list.benchmarks {
            let name = String::from_utf8(benchmark.name.clone())?;
            if options.benchmark.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            if options.list {
                println!("{pallet} {name}");
                continue;
            }
            match bench.measure(&list, benchmark, steps, repeats) {
                Ok(measured) => {
                    println!("{pallet} {measured}");
                    all.push(measured);
                }
                Err(error) => {
                    eprintln!("{pallet} {name}: {error:#}");
                    failures.push(format!("{pallet} {name}"));
                }
            }
        }
        if options.write && failures.is_empty() {
            write::write(write::folder(&pallet)?, &all, steps, repeats)?;
        }
    }
    if !failures.is_empty() {
        bail!("{} benchmarks failed: {}", failures.len(), failures.join(", "));
    }
    Ok(())
}

fn is_called(pallet: &str, name: &str) -> bool {
    pallet == name.replace('-', "_") || write::folder(pallet).is_ok_and(|folder| folder == name)
}

fn open(genesis: Storage, tracking: bool) -> Result<BenchmarkingState<BlakeTwo256>> {
    BenchmarkingState::new(genesis, None, false, tracking).map_err(|error| anyhow!(error))
}

impl Bench {
    fn lists(&self) -> Result<Vec<BenchmarkList>> {
        let answer = self.wasm.call(&self.timed, "Benchmark_benchmark_metadata", &false.encode())?;
        // What stands behind the list is not asked for here.
        Ok(Vec::decode(&mut answer.as_slice())?)
    }

    fn measure(
        &self,
        list: &BenchmarkList,
        benchmark: &BenchmarkMetadata,
        steps: u32,
        repeats: u32,
    ) -> Result<Measured> {
        let (mut counts, mut times) = (Vec::new(), Vec::new());
        for point in points(&benchmark.components, steps) {
            let run = |state: &BenchmarkingState<BlakeTwo256>, verify: bool, internal_repeats: u32| {
                let config = BenchmarkConfig {
                    pallet: list.pallet.clone(),
                    instance: list.instance.clone(),
                    benchmark: benchmark.name.clone(),
                    selected_components: point.clone(),
                    verify,
                    internal_repeats,
                };
                self.dispatch(state, &config)
            };
            run(&self.timed, true, 1).context("its own check")?;
            counts.extend(run(&self.counted, false, 1)?);
            times.extend(undisturbed(run(&self.timed, false, repeats)?));
        }
        Ok(Measured {
            name: String::from_utf8(benchmark.name.clone())?,
            time: Line::through(&times, BenchmarkSelector::ExtrinsicTime)?,
            reads: Line::through(&counts, BenchmarkSelector::Reads)?,
            writes: Line::through(&counts, BenchmarkSelector::Writes)?,
            largest: benchmark.components.iter().map(|(_, _, high)| *high).collect(),
        })
    }

    fn dispatch(
        &self,
        state: &BenchmarkingState<BlakeTwo256>,
        config: &BenchmarkConfig,
    ) -> Result<Vec<BenchmarkResult>> {
        let answer = self.wasm.call(state, "Benchmark_dispatch_benchmark", &config.encode())?;
        let batches = Result::<Vec<BenchmarkBatch>, String>::decode(&mut answer.as_slice())?;
        let batches = batches.map_err(|error| anyhow!(error))?;
        let results: Vec<_> = batches.into_iter().flat_map(|batch| batch.results).collect();
        if results.is_empty() {
            bail!("it answered nothing");
        }
        Ok(results)
    }
}

/// Where to measure: everything at its least; each component at its most while the others are at their least; and each over its
/// range while the others are at their most.
fn points(components: &[(BenchmarkParameter, u32, u32)], steps: u32) -> Vec<Point> {
    let mut points: Vec<Point> = vec![components.iter().map(|(name, low, _)| (*name, *low)).collect()];
    for (varied, _, _) in components {
        let at =
            |(name, low, high): &(BenchmarkParameter, u32, u32)| (*name, if name == varied { *high } else { *low });
        points.push(components.iter().map(at).collect());
    }
    for (varied, low, high) in components {
        let parts = u64::from(steps.saturating_sub(1).max(1));
        for part in 0..=parts {
            let value = u64::from(*low) + u64::from(high.saturating_sub(*low)) * part / parts;
            let at = |(name, _, high): &(BenchmarkParameter, u32, u32)| {
                (*name, if name == varied { value as u32 } else { *high })
            };
            let point: Point = components.iter().map(at).collect();
            if !points.contains(&point) {
                points.push(point);
            }
        }
    }
    points
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let us = |picos: u128| format!("{}.{:03} us", picos / 1_000_000, picos / 1_000 % 1_000);
        let Self { name, time, reads, writes, largest } = self;
        let (most_reads, most_writes) = (reads.at(largest), writes.at(largest));
        write!(f, "{name}: {} at most, {most_reads} reads, {most_writes} writes", us(time.at(largest)))?;
        if !largest.is_empty() {
            write!(f, "; {} and", us(time.base))?;
            for (slope, largest) in time.slopes.iter().zip(largest) {
                write!(f, " {} for each of {largest}", us(*slope))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BenchmarkParameter::{a, b};

    #[test]
    fn a_benchmark_without_components_has_one_point() {
        assert_eq!(points(&[], 6), [Vec::new()]);
    }

    #[test]
    fn each_component_is_varied_while_the_others_are_at_their_most() {
        let points = points(&[(a, 0, 4), (b, 1, 3)], 3);
        let wanted = [(0, 1), (4, 1), (0, 3), (2, 3), (4, 3), (4, 2)];
        assert_eq!(points, wanted.map(|(one, other)| vec![(a, one), (b, other)]));
    }
}
