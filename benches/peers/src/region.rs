//! Regions: short parallel loops, entered from outside at a steady rate, as a frame loop or
//! the solver of a simulation does.

use crate::common::size;
use crate::contender::{Contender, OfRegion, regional};
use crate::pools::Region;
use crate::report::{Report, cpu_time};
use crate::workloads::latency::histogram;
use crate::workloads::leaves::{steps, work};
use crate::workloads::spawn::{done, done_by_all};
use std::thread;
use std::time::{Duration, Instant};

const PIECES: u32 = 64;

/// One piece. The sum of their numbers tells whether each was done once.
pub fn piece(number: u32) {
    work(steps(Duration::from_micros(2)));
    done(u64::from(number));
}

const SUM: u64 = (PIECES as u64 - 1) * PIECES as u64 / 2;

/// Does some, back to back.
pub fn warm_up(pool: &mut impl Region) {
    (0..size(100, 10)).for_each(|_| pool.region(PIECES, piece));
}

struct Regions;

pub fn regions(contender: Contender, workers: usize) -> Report {
    regional(contender, workers, Regions)
}

impl OfRegion for Regions {
    fn of(self, mut pool: impl Region) -> Report {
        warm_up(&mut pool);
        let count = size(300, 20);
        let mut times = histogram();
        let sum = done_by_all() + count * SUM;
        let (start, before) = (Instant::now(), cpu_time());
        for number in 0..count {
            let due = Duration::from_millis(number);
            if let Some(pause) = due.checked_sub(start.elapsed()) {
                thread::sleep(pause);
            }
            let begun = Instant::now();
            pool.region(PIECES, piece);
            times.saturating_record(begun.elapsed().as_nanos() as u64);
        }
        let used = (cpu_time() - before).as_secs_f64() * 1e3;
        assert_eq!(done_by_all(), sum);
        Report::new("region of 64 pieces of 2 us, one each ms", count as usize)
            .with_waits("", &times, &[50.0, 99.0])
            .with("CPU time", "ms/s", used / start.elapsed().as_secs_f64())
    }
}
