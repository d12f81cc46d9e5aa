//! A few long leaves that never call the pool, beside workers that sleep: does a pool keep
//! all workers busy when nobody passes by to hand out work?

use crate::common::pools::{Fork, Pool, Task};
use crate::common::size;
use crate::workloads::{About, ForkJoin, Unit, Verdict, scrambled};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any of the pools looks for work before it sleeps.
const PAUSE: Duration = Duration::from_millis(5);

pub struct Leaves {
    count: u32,
    each: Duration,
    steps: u64,
}

impl Leaves {
    pub fn new(count: u32) -> Self {
        let each = Duration::from_millis(size(80, 8)) / count;
        Self { count, each, steps: (steps_per_second() * each.as_secs_f64()) as u64 }
    }
}

/// How much work a leaf of a given length is. Work and not time, as a leaf that only watched
/// the clock would end in time even where two leaves share a CPU.
fn steps_per_second() -> f64 {
    const STEPS: u64 = 1 << 22;
    let speed = |_| {
        let start = Instant::now();
        work(STEPS);
        STEPS as f64 / start.elapsed().as_secs_f64()
    };
    (0..5).map(speed).fold(0.0, f64::max)
}

fn work(steps: u64) {
    let mut state = black_box(1);
    for _ in 0..steps {
        scrambled(&mut state);
    }
    black_box(state);
}

impl ForkJoin for Leaves {
    fn about(&self) -> About {
        About {
            name: format!("{} leaves of {:?}", self.count, self.each),
            unit: Unit::Millis,
            verdict: Verdict::Perfect,
        }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        thread::sleep(PAUSE);
        let start = Instant::now();
        pool.enter(Split { leaves: self.count, steps: self.steps });
        start.elapsed()
    }
}

struct Split {
    leaves: u32,
    steps: u64,
}

impl Task for Split {
    type Out = ();

    fn run(self, fork: impl Fork) {
        let Self { leaves, steps } = self;
        if leaves == 1 {
            return work(steps);
        }
        let half = leaves / 2;
        fork.join(Split { leaves: half, steps }, Split { leaves: leaves - half, steps });
    }
}
