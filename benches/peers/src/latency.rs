//! How long tasks from outside wait.

use crate::common::pools::Spawner;
use crate::common::{machine, size};
use crate::contender::{Contender, OfSpawner, spawning};
use crate::report::Report;
use crate::workloads::latency::{histogram, under_load, wake};
use std::time::Duration;

struct Wake;

pub fn wakes(contender: Contender, workers: usize) -> Report {
    spawning(contender, workers, Wake)
}

impl OfSpawner for Wake {
    fn of<S: Spawner>(self, pool: S) -> Report {
        let tasks = size(500, 30);
        let [mut waits, mut calls] = [histogram(), histogram()];
        wake(&pool, tasks / 10, &mut waits, &mut calls);
        waits.clear();
        calls.clear();
        wake(&pool, tasks, &mut waits, &mut calls);
        Report::new("wake of an idle pool", tasks).with_waits("", &waits, &[50.0, 99.0]).with_waits(
            "the call that spawns",
            &calls,
            &[50.0, 99.0],
        )
    }
}

struct Fairness;

pub fn fairness(contender: Contender, workers: usize) -> Report {
    spawning(contender, workers, Fairness)
}

impl OfSpawner for Fairness {
    fn of<S: Spawner>(self, pool: S) -> Report {
        // Only now, as the pool's threads would inherit it.
        machine::sleep_precisely();
        let lasting = Duration::from_millis(size(500, 50));
        let mut waits = histogram();
        let starved = under_load(&pool, lasting, &mut waits);
        let share = 100.0 * starved as f64 / waits.len() as f64;
        Report::new("a task from outside every 50 us beside tasks of 10 us", waits.len() as usize)
            .with_waits("", &waits, &[50.0, 99.0])
            .with("begun after their end", "%", share)
    }
}
