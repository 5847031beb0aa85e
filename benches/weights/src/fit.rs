//! From samples to a straight line that no point lies above.

use anyhow::Result;
use frame_benchmarking::{Analysis, BenchmarkResult, BenchmarkSelector};

/// A cost: at zero, and of each unit of each component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// At zero.
    pub base: u128,
    /// By component, in the order of the benchmark's.
    pub slopes: Vec<u128>,
}

impl Line {
    /// The cost of so many.
    pub fn at(&self, components: &[u32]) -> u128 {
        let parts = self.slopes.iter().zip(components).map(|(slope, count)| slope.saturating_mul(u128::from(*count)));
        parts.fold(self.base, u128::saturating_add)
    }

    /// A line by least squares, moved up until no sample lies above it.
    ///
    /// # Units  Times in picoseconds, everything else counted.
    /// # Errors When there are no samples.
    pub fn through(samples: &Vec<BenchmarkResult>, what: BenchmarkSelector) -> Result<Self> {
        let Analysis { base, slopes, .. } = Analysis::min_squares_iqr(samples, what)?;
        let mut line = Self { base, slopes };
        let missing = samples.iter().map(|sample| {
            let counts: Vec<u32> = sample.components.iter().map(|(_, count)| *count).collect();
            value(sample, what).saturating_sub(line.at(&counts))
        });
        let missing = missing.max().unwrap_or_default();
        line.base = line.base.saturating_add(missing);
        Ok(line)
    }
}

fn value(sample: &BenchmarkResult, what: BenchmarkSelector) -> u128 {
    match what {
        BenchmarkSelector::ExtrinsicTime => sample.extrinsic_time.saturating_mul(1_000),
        BenchmarkSelector::StorageRootTime => sample.storage_root_time,
        BenchmarkSelector::Reads => sample.reads.into(),
        BenchmarkSelector::Writes => sample.writes.into(),
        BenchmarkSelector::ProofSize => sample.proof_size.into(),
    }
}

/// Of the runs of one point the quickest quarter's slowest: whatever took longer found caches that others had used.
pub fn undisturbed(mut runs: Vec<BenchmarkResult>) -> Option<BenchmarkResult> {
    runs.sort_by_key(|run| run.extrinsic_time);
    let place = runs.len().div_ceil(4).saturating_sub(1);
    runs.into_iter().nth(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame_benchmarking::BenchmarkParameter;

    fn sample(count: u32, nanos: u128) -> BenchmarkResult {
        BenchmarkResult {
            components: vec![(BenchmarkParameter::n, count)],
            extrinsic_time: nanos,
            reads: 2 + 3 * count,
            ..BenchmarkResult::default()
        }
    }

    #[test]
    fn a_line_is_found_and_no_sample_lies_above_it() {
        let samples: Vec<_> = (0..5).map(|n| sample(n, 100 + 10 * u128::from(n) + u128::from(n % 2))).collect();
        let line = Line::through(&samples, BenchmarkSelector::ExtrinsicTime).unwrap();
        for sample in &samples {
            let predicted = line.at(&[sample.components[0].1]);
            assert!((0..3_000).contains(&(predicted - sample.extrinsic_time * 1_000)), "{line:?}");
        }
        let line = Line::through(&samples, BenchmarkSelector::Reads).unwrap();
        assert_eq!(line, Line { base: 2, slopes: vec![3] });
    }

    #[test]
    fn what_was_disturbed_does_not_count() {
        let times = [50, 11, 900, 10, 12, 80, 13, 70];
        let runs = times.map(|time| sample(0, time)).to_vec();
        assert_eq!(undisturbed(runs).unwrap().extrinsic_time, 11);
        assert_eq!(undisturbed(vec![sample(0, 7)]).unwrap().extrinsic_time, 7);
        assert!(undisturbed(Vec::new()).is_none());
    }
}
