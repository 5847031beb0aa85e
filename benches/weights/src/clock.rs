//! The clock that benchmarks are timed by: the processor's time of the thread that they run in. Other work on the machine makes a
//! benchmark wait, which costs nothing here.

// What `runtime_interface` writes has no documentation of its own.
#![allow(missing_docs)]

use rustix::time::{ClockId, clock_gettime};
use sp_runtime_interface::{pass_by::AllocateAndReturnPointer, runtime_interface};

/// Stands in for the function of the same name of `frame_benchmarking`, which asks for the day's time.
#[runtime_interface]
pub trait Benchmarking {
    /// Nanoseconds, as the bytes of a `u128`, least first.
    fn current_time() -> AllocateAndReturnPointer<[u8; 16], 16> {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let (seconds, nanos) = (u128::try_from(time.tv_sec), u128::try_from(time.tv_nsec));
        seconds
            .unwrap_or_default()
            .saturating_mul(1_000_000_000)
            .saturating_add(nanos.unwrap_or_default())
            .to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_takes_no_time_and_work_does() {
        let now = || u128::from_le_bytes(benchmarking::current_time());
        let start = now();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let waited = now() - start;
        let mut sum = 0u64;
        while now() - start - waited < 2_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(waited < 25_000_000, "{waited} ns");
        assert!(sum > 0);
    }
}
