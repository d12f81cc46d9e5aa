//! A program that has little to do, regularly: a control loop, a game, an audio engine.

use crate::timing::{Cost, measure};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use std::thread;
use std::time::{Duration, Instant};

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

const TICKS: u32 = 5;
const BURSTS: u32 = 12;
const JOBS: u32 = 36;
const JOB: Duration = Duration::from_micros(1);
const SERIAL: Duration = Duration::from_micros(200);

/// What of its CPU time the program needs itself, in seconds, on a machine where nobody else runs: it
/// looks at the clock on the wall.
pub fn own_cpu() -> f64 {
    (TICKS * BURSTS * (JOBS * JOB + SERIAL)).as_secs_f64()
}

/// Ticks of a dozen bursts of a few dozen jobs of a microsecond, stretches of 200 us on one thread
/// between them, and a pause of 3 ms. The pause counts as wall time, as it does for whoever waits.
pub fn ticks() -> Cost {
    measure(|| {
        for _ in 0..TICKS {
            for _ in 0..BURSTS {
                (0..JOBS).into_par_iter().with_max_len(1).for_each(|_| busy(JOB));
                busy(SERIAL);
            }
            thread::sleep(Duration::from_millis(3));
        }
        true
    })
}
