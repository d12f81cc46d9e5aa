//! The workloads, each written once for all pools.

#![allow(dead_code, reason = "every target uses its part of it")]

pub mod deep;
pub mod fib;
pub mod latency;
pub mod leaves;
pub mod queens;
pub mod sort;
pub mod spawn;
pub mod tree;
pub mod uts;

use crate::common::pools::{Pool, Spawner, Task};
use std::time::{Duration, Instant};

/// Work that forks and joins.
pub trait ForkJoin {
    fn about(&self) -> About;

    /// Does it once, checks the answer, and says how long the work itself took.
    fn run(&self, pool: &impl Pool) -> Duration;
}

/// Work that consists of tasks nobody waits for.
pub trait Spawning {
    fn about(&self) -> About;

    /// Does it once and says how long it took until the last task had ended.
    fn run<S: Spawner>(&self, pool: &S) -> Duration;
}

/// How a workload is shown.
pub struct About {
    pub name: String,
    /// What the time of a run is divided by.
    pub unit: Unit,
}

pub enum Unit {
    Millis,
    /// Nanoseconds for each of so many things.
    NanosPer(&'static str, u64),
}

impl Unit {
    pub fn name(&self) -> String {
        match self {
            Self::Millis => "ms".to_owned(),
            Self::NanosPer(thing, _) => format!("ns/{thing}"),
        }
    }

    pub fn of_nanos(&self, nanos: f64) -> f64 {
        match self {
            Self::Millis => nanos / 1e6,
            Self::NanosPer(_, count) => nanos / *count as f64,
        }
    }
}

/// Does a task on a pool, and says how long that took.
pub fn timed<T: Task>(pool: &impl Pool, task: T) -> (T::Out, Duration) {
    let start = Instant::now();
    let out = pool.enter(task);
    (out, start.elapsed())
}

/// Numbers that look random and are the same in every run.
pub fn scrambled(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
