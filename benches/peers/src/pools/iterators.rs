//! Pools behind parallel iterators, which have neither joins nor detached tasks.

use crate::pools::Region;
use orx_parallel::{BasicPool, Par, Parallelizable, Runner};
use paralight::prelude::*;
use std::num::NonZero;

pub struct Paralight(ThreadPool);

impl Paralight {
    /// Fixed shares, as its documentation recommends for pieces that are all alike; not pinned,
    /// as no other pool is that isn't by default.
    pub fn new(workers: usize) -> Self {
        let builder = ThreadPoolBuilder {
            num_threads: ThreadCount::Count(NonZero::new(workers).unwrap()),
            range_strategy: RangeStrategy::Fixed,
            cpu_pinning: CpuPinningPolicy::No,
        };
        Self(builder.build())
    }
}

impl Region for Paralight {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        let numbers = (0..pieces as usize).into_par_iter().with_thread_pool(&mut self.0);
        numbers.for_each(|number| piece(number as u32));
    }
}

/// Never has more threads than the machine has CPUs.
pub struct OrxParallel(BasicPool);

impl OrxParallel {
    pub fn new(workers: usize) -> Self {
        Self(BasicPool::new(workers))
    }
}

impl Region for OrxParallel {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        let runner = Runner::adaptive_with_pool(&self.0);
        let numbers = (0..pieces as usize).par().runner(runner);
        numbers.for_each(|number| piece(number as u32));
    }
}
