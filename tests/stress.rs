//! Random programs against a sequential oracle, for `FILCH_STRESS_SECONDS` a pool (default
//! 4). A failure names the seed of its program; `FILCH_STRESS_SEED` runs just that one.

mod common;
#[path = "common/program.rs"]
mod program;

use common::*;
use program::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Runs random programs, `callers` at a time, until the time is up.
fn stress(workers: usize, callers: u64) {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let time = Duration::from_secs(number("FILCH_STRESS_SECONDS").unwrap_or(4));
    let one = number("FILCH_STRESS_SEED");
    let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let first = one.unwrap_or_else(clock);
    let (start, mut seed) = (Instant::now(), first);
    while start.elapsed() < time {
        // Enough for all that may block at a time: a last resort may want a lock that is held
        // below it.
        let pool: Pool = builder(workers).max_threads(workers + 400).into();
        let (mut oracle, world) = (
            Oracle { workers: workers as u64, totals: Totals::default() },
            Arc::<World>::default(),
        );
        for _ in 0..20 {
            pool.dog.say(format!("stress with {workers} workers, FILCH_STRESS_SEED={seed}"));
            let programs: Vec<_> = (0..callers)
                .map(|caller| {
                    Program::random(
                        &mut Rng(seed.wrapping_add(caller << 32)),
                        120,
                        Place::default(),
                    )
                })
                .collect();
            let expected: Vec<_> = programs.iter().map(|program| oracle.run(program)).collect();
            oracle.totals.tasks += callers;
            std::thread::scope(|threads| {
                for (program, expected) in programs.iter().zip(expected) {
                    let call = || outcome_of(|| pool.install(|| run(program, &world)));
                    threads.spawn(move || {
                        assert_eq!(call(), expected, "FILCH_STRESS_SEED={seed}, {workers} workers");
                    });
                }
            });
            if one.is_none() {
                seed = seed.wrapping_add(1);
            }
        }
        pool.shutdown().unwrap();
        let counters = pool.counters();
        assert_eq!(
            counters.cancelled,
            world.cancelled.load(Ordering::Relaxed),
            "of those before FILCH_STRESS_SEED={seed}"
        );
        let totals = Totals {
            tasks: counters.tasks,
            joins: counters.joins,
            aside: world.aside.load(Ordering::Relaxed),
        };
        assert_eq!(totals, oracle.totals, "after FILCH_STRESS_SEED={seed}, {workers} workers");
    }
    println!("{} seeds with {workers} workers", seed - first);
}

#[test]
fn one_worker() {
    stress(1, 1);
}

#[test]
fn two_workers() {
    stress(2, 1);
}

#[test]
fn four_workers_and_two_callers() {
    stress(4, 2);
}

#[test]
fn sixteen_workers_and_three_callers() {
    stress(16, 3);
}
