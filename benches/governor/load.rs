//! Tasks that come when they come, whether or not those before them are done.

use filch::ThreadPool;
use hdrhistogram::Histogram;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A piece of work that takes so long on a CPU that is one's own, and twice as long on half a CPU.
#[derive(Clone, Copy)]
pub struct Work {
    steps: u64,
}

impl Work {
    pub fn lasting(time: Duration) -> Self {
        const STEPS: u64 = 200_000;
        let measure = || {
            let start = Instant::now();
            Self { steps: STEPS }.run();
            start.elapsed()
        };
        // The fastest: nobody was in its way.
        let fastest = (0..50).map(|_| measure()).min().unwrap();
        Self { steps: (STEPS as f64 * time.as_secs_f64() / fastest.as_secs_f64()) as u64 }
    }

    pub fn run(self) {
        let mut state = 1_u64;
        for step in 0..self.steps {
            state = black_box(state.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ step);
        }
    }
}

/// What came of a load.
pub struct Outcome {
    /// In nanoseconds, from when a task was due to its end.
    pub responses: Histogram<u64>,
    pub per_second: f64,
}

impl Outcome {
    pub fn millis(&self, percentile: f64) -> f64 {
        self.responses.value_at_percentile(percentile) as f64 / 1e6
    }
}

/// Spawns tasks at random moments, so many a second on average: a Poisson stream, the same for the same seed.
pub fn offer(pool: &ThreadPool, work: Work, rate: f64, lasting: Duration, seed: u64) -> Outcome {
    let due = moments(rate, lasting, seed);
    let start = Instant::now();
    let ends: Arc<[AtomicU64]> = due.iter().map(|_| AtomicU64::new(0)).collect();
    for (task, due) in due.iter().enumerate() {
        if let Some(pause) = due.checked_sub(start.elapsed()) {
            thread::sleep(pause);
        }
        let ends = Arc::clone(&ends);
        pool.spawn(move || {
            work.run();
            ends[task].store(start.elapsed().as_nanos() as u64, Ordering::Release);
        });
    }
    let end_of = |task: &AtomicU64| task.load(Ordering::Acquire);
    while ends.iter().any(|task| end_of(task) == 0) {
        thread::sleep(Duration::from_millis(1));
    }
    let mut responses = Histogram::new_with_bounds(1, 100_000_000_000, 3).unwrap();
    for (end, due) in ends.iter().zip(&due) {
        responses.saturating_record(end_of(end).saturating_sub(due.as_nanos() as u64));
    }
    let last = ends.iter().map(end_of).max().unwrap_or(1);
    Outcome { responses, per_second: due.len() as f64 * 1e9 / last as f64 }
}

pub fn moments(rate: f64, lasting: Duration, seed: u64) -> Vec<Duration> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut at = 0.0;
    let mut all = vec![];
    while at < lasting.as_secs_f64() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Above 0 and at most 1.
        let uniform = ((state >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        at -= uniform.ln() / rate;
        all.push(Duration::from_secs_f64(at));
    }
    all
}

/// Has this thread, and none that it starts, go before all others that want its CPU, if we may: tasks come when they
/// are due then, whoever else keeps the CPUs busy.
#[cfg(target_os = "linux")]
pub fn come_first() -> bool {
    let parameter = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: a parameter for this thread that the call only reads.
    unsafe { libc::sched_setscheduler(0, policy, &parameter) == 0 }
}

#[cfg(not(target_os = "linux"))]
pub fn come_first() -> bool {
    false
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}
