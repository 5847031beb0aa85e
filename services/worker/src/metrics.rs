//! What a worker tells whoever watches it, in Prometheus' text form. Counts and times, never contents.

use phala_enclave_worker::Worker;
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the histogram, microseconds.
const BOUNDS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000];

/// How long queries took, from the last byte in to the first byte out.
#[derive(Default)]
pub struct Latency {
    buckets: [AtomicU64; BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Latency {
    /// Adds one.
    pub fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BOUNDS_US.iter().position(|bound| us <= *bound).and_then(|at| self.buckets.get(at)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn write(&self, out: &mut String) {
        let mut sum = 0;
        line(out, "# HELP phala_worker_query_seconds Time from a query's last byte in to its answer.");
        line(out, "# TYPE phala_worker_query_seconds histogram");
        for (bound, bucket) in BOUNDS_US.iter().zip(&self.buckets) {
            sum += bucket.load(Ordering::Relaxed);
            let seconds = *bound as f64 / 1e6;
            line(out, &format!("phala_worker_query_seconds_bucket{{le=\"{seconds}\"}} {sum}"));
        }
        let count = self.count.load(Ordering::Relaxed);
        line(out, &format!("phala_worker_query_seconds_bucket{{le=\"+Inf\"}} {count}"));
        line(out, &format!("phala_worker_query_seconds_sum {}", self.sum_us.load(Ordering::Relaxed) as f64 / 1e6));
        line(out, &format!("phala_worker_query_seconds_count {count}"));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

fn value(out: &mut String, kind: &str, name: &str, help: &str, value: u64) {
    line(out, &format!("# HELP phala_worker_{name} {help}"));
    line(out, &format!("# TYPE phala_worker_{name} {kind}"));
    line(out, &format!("phala_worker_{name} {value}"));
}

/// Everything, as text.
pub fn render(worker: &Worker, latency: &Latency) -> String {
    let mut out = String::with_capacity(4096);
    let view = worker.view();
    let (running, waiting) = worker.load();
    let serving = view.programs.values().filter(|entry| entry.serving.is_ok()).count();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let metrics = &worker.metrics;
    value(&mut out, "counter", "queries_total", "Queries answered by programs.", count(&metrics.queries));
    value(
        &mut out,
        "counter",
        "query_problems_total",
        "Queries answered by a problem inside the channel.",
        count(&metrics.problems),
    );
    value(
        &mut out,
        "counter",
        "queries_refused_total",
        "Requests refused before or because they did not open.",
        count(&metrics.refused),
    );
    value(&mut out, "counter", "commands_total", "Commands answered.", count(&metrics.commands));
    value(&mut out, "gauge", "calls_running", "Calls that run now.", running as u64);
    value(&mut out, "gauge", "calls_waiting", "Requests that wait for a place.", waiting as u64);
    value(&mut out, "gauge", "programs", "Programs assigned to this worker.", view.programs.len() as u64);
    value(&mut out, "gauge", "programs_serving", "Programs that answer queries.", serving as u64);
    value(&mut out, "gauge", "head_number", "Height of the newest block that was proven.", view.block.number.0.into());
    value(&mut out, "gauge", "head_time_ms", "Time of that block, Unix milliseconds.", view.time.0);
    value(
        &mut out,
        "gauge",
        "admitted",
        "Whether the chain counts this process in.",
        u64::from(worker.standing().0 == "admitted"),
    );
    latency.write(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_time_once_and_cumulates() {
        let latency = Latency::default();
        for us in [50, 100, 101, 20_000_000] {
            latency.add(Duration::from_micros(us));
        }
        let mut text = String::new();
        latency.write(&mut text);
        assert!(text.contains("_bucket{le=\"0.0001\"} 2\n"), "{text}");
        assert!(text.contains("_bucket{le=\"0.00025\"} 3\n"), "{text}");
        assert!(text.contains("_bucket{le=\"10\"} 3\n"), "{text}");
        assert!(text.contains("_bucket{le=\"+Inf\"} 4\n") && text.contains("_count 4\n"), "{text}");
    }
}
