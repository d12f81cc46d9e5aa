//! What a pool costs that has nothing to do.

use crate::common::machine::cpu_time_of_other_threads;
use std::thread;
use std::time::{Duration, Instant};

/// Lets `work` be done, waits until all threads should be asleep, and returns how much CPU
/// time they take in a second thereafter. No other pool may exist meanwhile.
pub fn cpu_time_per_second(work: impl FnOnce(), lasting: Duration) -> Option<Duration> {
    work();
    thread::sleep(Duration::from_millis(100));
    let (before, start) = (cpu_time_of_other_threads()?, Instant::now());
    thread::sleep(lasting);
    let used = cpu_time_of_other_threads()?.saturating_sub(before);
    Some(used.div_f64(start.elapsed().as_secs_f64()))
}
