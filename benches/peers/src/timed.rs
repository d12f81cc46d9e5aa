//! Work whose time is the figure, repeated.

use crate::common::pools::{Pool, Spawner};
use crate::common::size;
use crate::contender::{Contender, OfPool, OfScope, OfSpawner, joining, scoped, spawning};
use crate::pools::Scope;
use crate::report::Report;
use crate::workloads::spawn::done_by_all;
use crate::workloads::{About, ForkJoin, Spawning, Unit};
use std::time::{Duration, Instant};

struct Timed<W>(W);

pub fn joins(work: impl ForkJoin, contender: Contender, workers: usize) -> Report {
    joining(contender, workers, Timed(work))
}

impl<W: ForkJoin> OfPool for Timed<W> {
    fn of(self, pool: impl Pool) -> Report {
        Report::timed(&self.0.about(), repeated(|| self.0.run(&pool)))
    }
}

pub fn tasks(work: impl Spawning, contender: Contender, workers: usize) -> Report {
    spawning(contender, workers, Timed(work))
}

impl<W: Spawning> OfSpawner for Timed<W> {
    fn of<S: Spawner>(self, pool: S) -> Report {
        Report::timed(&self.0.about(), repeated(|| self.0.run(&pool)))
    }
}

/// A tree of tasks in one scope.
struct Tree {
    depth: u32,
}

pub fn scope_tree(contender: Contender, workers: usize) -> Report {
    scoped(contender, workers, Tree { depth: size(20, 12) })
}

impl OfScope for Tree {
    fn of(self, pool: impl Scope) -> Report {
        let about = About {
            name: format!("scope of a tree of tasks with {} leaves", 1 << self.depth),
            unit: Unit::NanosPer("task", (2 << self.depth) - 1),
        };
        let run = || {
            let before = done_by_all();
            let start = Instant::now();
            pool.grow(self.depth);
            let took = start.elapsed();
            assert_eq!(done_by_all() - before, 1 << self.depth);
            took
        };
        Report::timed(&about, repeated(run))
    }
}

/// As many runs as fit, after one to warm up.
fn repeated(mut run: impl FnMut() -> Duration) -> Vec<Duration> {
    let lasting = Duration::from_millis(size(300, 0));
    run();
    let start = Instant::now();
    let mut runs = vec![run()];
    while start.elapsed() < lasting {
        runs.push(run());
    }
    runs
}
