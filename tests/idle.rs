//! What workers do while there is nothing for them to do.

mod common;

use common::*;
use filch::{Counters, ThreadPool};
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
            let before = at_rest(&pool);
            sleep(Duration::from_millis(100));
            assert_eq!(pool.counters(), before);
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
