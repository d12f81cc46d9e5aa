//! What workers do while there is nothing for them to do.

mod common;

use common::*;
use filch::{Counters, Status, ThreadPool};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// What all have done, once they sleep.
fn at_rest(pool: &ThreadPool) -> Counters {
    let mut last = pool.counters();
    wait_until(|| {
        sleep(Duration::from_millis(20));
        let before = std::mem::replace(&mut last, pool.counters());
        asleep(pool) == pool.current_num_threads() && last == before
    });
    last
}

#[test]
fn a_pool_that_has_nothing_to_do_does_nothing() {
    for workers in [1, 2, 8] {
        let pool = pool(workers);
        for _ in 0..3 {
            pool.scope(|scope| (0..100).for_each(|_| scope.spawn(|_| ())));
            // Not at once: a worker that seems to sleep may wait for a CPU, to say that it does.
            wait_until(|| {
                let before = at_rest(&pool);
                sleep(Duration::from_millis(100));
                pool.counters() == before
            });
        }
    }
}

#[test]
fn a_worker_looks_around_before_it_sleeps_unless_its_sleeps_are_long() {
    let pool = pool(1);
    let looks: Vec<_> = (0..6)
        .map(|_| {
            let before = at_rest(&pool);
            pool.spawn(|| ());
            at_rest(&pool).looks_in_vain - before.looks_in_vain
        })
        .collect();
    assert!(looks[0] > 0);
    assert_eq!(looks[2..], [0; 4]);
}

#[test]
fn a_worker_is_seen_to_sleep_and_to_run() {
    let pool = pool(1);
    let status = || pool.snapshot().workers[0].status;
    for _ in 0..3 {
        wait_until(|| status() == Status::Parked);
        let [begun, ends] = [(); 2].map(|()| Arc::new(Gate::default()));
        let gates = (begun.clone(), ends.clone());
        pool.spawn(move || {
            gates.0.open();
            gates.1.wait();
        });
        begun.wait();
        assert_eq!(status(), Status::Running);
        ends.open();
    }
}

/// A caller who spins stands in for the worker that it calls: what it took over it is to give back.
#[test]
fn a_pool_sleeps_and_wakes_after_many_calls() {
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        for _ in 0..5 {
            for _ in rounds(2000) {
                pool.install(|| ());
            }
            at_rest(&pool);
            // From outside and from within.
            for spawns in [true, false] {
                let gate = Arc::new(Gate::default());
                let open = gate.clone();
                let task = move || open.open();
                if spawns {
                    pool.spawn(task)
                } else {
                    pool.install(|| filch::spawn(task))
                }
                gate.wait();
            }
        }
    }
}
