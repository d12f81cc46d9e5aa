//! Joins nested in one another and nothing beside them: what becomes of a join's cost with
//! the depth, as whatever a pool keeps of a join must be kept for all of them.

use crate::common::pools::{Fork, Pool, Task};
use crate::workloads::{About, ForkJoin, Unit};
use std::hint::black_box;
use std::time::{Duration, Instant};

pub struct Deep {
    depth: u64,
    /// How often in one run, so that what a short one costs can be told from the clock's cost.
    times: u64,
}

impl Deep {
    pub fn of(depth: u64) -> Self {
        Self { depth, times: (100_000 / depth).max(1) }
    }
}

impl ForkJoin for Deep {
    fn about(&self) -> About {
        About {
            name: format!("joins nested {} deep", self.depth),
            unit: Unit::NanosPer("join", self.depth * self.times),
        }
    }

    fn run(&self, pool: &impl Pool) -> Duration {
        let start = Instant::now();
        let depth = pool.enter(Descents { depth: self.depth, times: self.times });
        let took = start.elapsed();
        assert_eq!(depth, self.depth * self.times);
        took
    }
}

/// One after the other.
struct Descents {
    depth: u64,
    times: u64,
}

impl Task for Descents {
    type Out = u64;

    fn run(self, mut fork: impl Fork) -> u64 {
        (0..self.times).map(|_| Descent(black_box(self.depth)).run(fork.again())).sum()
    }
}

struct Descent(u64);

impl Task for Descent {
    type Out = u64;

    fn run(self, fork: impl Fork) -> u64 {
        if self.0 == 0 {
            return 0;
        }
        let (below, here) = fork.join(Descent(self.0 - 1), One);
        below + here
    }
}

struct One;

impl Task for One {
    type Out = u64;

    fn run(self, _: impl Fork) -> u64 {
        1
    }
}
