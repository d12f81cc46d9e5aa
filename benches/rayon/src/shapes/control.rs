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

/// Ticks of a dozen bursts of a few dozen jobs of a microsecond, stretches of 200 us on one thread
/// between them, and a pause of 3 ms. The pause counts as wall time, as it does for whoever waits.
pub fn ticks() -> Cost {
    measure(|| {
        for _ in 0..5 {
            for _ in 0..12 {
                (0..36)
                    .into_par_iter()
                    .with_max_len(1)
                    .for_each(|_| busy(Duration::from_micros(1)));
                busy(Duration::from_micros(200));
            }
            thread::sleep(Duration::from_millis(3));
        }
        true
    })
}
