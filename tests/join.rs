//! `join` and `join_context`.

mod common;

use common::*;
use std::collections::HashSet;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

#[test]
fn results_come_in_the_order_of_the_arguments() {
    for pool in pools() {
        assert_eq!(pool.join(|| 1, || "two"), (1, "two"));
        assert_eq!(pool.install(|| filch::join(|| filch::join(|| 1, || 2), || 3)), ((1, 2), 3));
    }
    assert_eq!(filch::join(|| 1, || "two"), (1, "two"));
}

#[test]
fn closures_may_borrow_from_the_stack() {
    for pool in pools() {
        let (mut left, mut right) = (vec![1; 100], vec![2; 100]);
        let step = 10;
        pool.join(
            || left.iter_mut().for_each(|x| *x += step),
            || right.iter_mut().for_each(|x| *x += step),
        );
        assert_eq!((left, right), (vec![11; 100], vec![12; 100]));
    }
}

#[test]
fn any_number_of_workers_computes_the_same() {
    for workers in [1, 2, 4, 16, 64] {
        assert_eq!(pool(workers).install(|| fib(20)), 6765, "{workers} workers");
    }
}

#[test]
fn every_join_is_counted() {
    let pool = pool(2);
    pool.install(|| fib(15));
    assert_eq!(pool.counters().joins, 986);
}

/// Joins on two workers so that `b` is certainly stolen: `a` ends after `b` has begun, and
/// `b` after the gate is open that `a` is given.
fn join_stolen<RA: Send, RB: Send>(
    pool: &filch::ThreadPool,
    a: impl FnOnce(&Gate) -> RA + Send,
    b: impl FnOnce() -> RB + Send,
) -> (RA, RB) {
    let (begun, go) = (Gate::default(), Gate::default());
    pool.join(
        || {
            begun.wait();
            a(&go)
        },
        || {
            begun.open();
            go.wait();
            b()
        },
    )
}

#[test]
fn b_runs_although_a_panics() {
    let b_ran = Gate::default();
    assert_eq!(panic_of(|| pool(1).join(|| explode("a"), || b_ran.open())), "a");
    assert!(b_ran.is_open());
}

#[test]
fn a_stolen_b_ends_before_the_panic_of_a_goes_on() {
    let b_ended = Gate::default();
    let a = |go: &Gate| {
        go.open();
        explode("a")
    };
    let b = || {
        std::thread::sleep(Duration::from_millis(20));
        b_ended.open();
    };
    assert_eq!(panic_of(|| join_stolen(&pool(2), a, b)), "a");
    assert!(b_ended.is_open());
}

#[test]
fn a_panic_in_b_reaches_the_caller() {
    let a_ran = Gate::default();
    assert_eq!(panic_of(|| pool(1).join(|| a_ran.open(), || explode("b"))), "b");
    assert!(a_ran.is_open());
    assert_eq!(panic_of(|| join_stolen(&pool(2), Gate::open, || explode("b"))), "b");
}

#[test]
fn of_two_panics_that_of_a_goes_on_and_the_other_is_counted() {
    let single = pool(1);
    assert_eq!(panic_of(|| single.join(|| explode("a"), || explode("b"))), "a");
    assert_eq!(single.counters().panics, 1);

    let double = pool(2);
    let a = |go: &Gate| {
        go.open();
        explode("a")
    };
    assert_eq!(panic_of(|| join_stolen(&double, a, || explode("b"))), "a");
    wait_until(|| double.counters().panics == 1);
}

#[test]
fn a_panic_unwinds_through_many_joins() {
    fn dig(depth: u32, ran: &AtomicUsize) {
        if depth == 0 {
            explode("bottom");
        }
        filch::join(|| dig(depth - 1, ran), || ran.fetch_add(1, Ordering::Relaxed));
    }
    for pool in pools() {
        let ran = AtomicUsize::new(0);
        assert_eq!(panic_of(|| pool.install(|| dig(300, &ran))), "bottom");
        assert_eq!(ran.into_inner(), 300);
        assert_eq!(pool.install(|| fib(10)), 55, "the lane is in order again");
    }
}

#[test]
fn from_outside_both_closures_have_migrated() {
    assert_eq!(filch::join_context(|a| a.migrated(), |b| b.migrated()), (true, true));
}

#[test]
fn on_a_lone_worker_no_closure_migrates() {
    let migrated =
        pool(1).install(|| filch::join_context(|context| context.migrated(), |b| b.migrated()));
    assert_eq!(migrated, (false, false));
}

#[test]
fn a_stolen_closure_has_migrated() {
    let b_runs = Gate::default();
    let migrated = pool(2).install(|| {
        filch::join_context(
            |context| {
                b_runs.wait();
                context.migrated()
            },
            |context| {
                b_runs.open();
                context.migrated()
            },
        )
    });
    assert_eq!(migrated, (false, true));
}

/// The figure; frames without optimization are larger.
const DEEP_STACK: usize = if cfg!(debug_assertions) { 256 << 20 } else { 64 << 20 };

#[test]
fn a_hundred_thousand_joins_deep_in_a() {
    fn dig(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let (a, b) = filch::join(|| dig(depth - 1), || 1);
        a + b
    }
    for workers in [1, 2] {
        let pool = Pool::from(builder(workers).stack_size(DEEP_STACK));
        assert_eq!(pool.install(|| dig(100_000)), 100_000);
    }
}

#[test]
fn a_hundred_thousand_joins_deep_in_b() {
    fn dig(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let (a, b) = filch::join(|| 1, || dig(depth - 1));
        a + b
    }
    for workers in [1, 2] {
        let pool = Pool::from(builder(workers).stack_size(DEEP_STACK));
        assert_eq!(pool.install(|| dig(100_000)), 100_000);
    }
}

/// Splits down to single leaves, which never call the pool.
fn leaves(first: usize, count: usize, leaf: &(impl Fn(usize) + Sync)) {
    if count == 1 {
        return leaf(first);
    }
    let half = count / 2;
    filch::join(|| leaves(first, half, leaf), || leaves(first + half, count - half, leaf));
}

#[test]
fn coarse_leaves_are_shared_with_sleeping_workers() {
    for workers in [2, 4] {
        let pool = sleeping_pool(workers);
        let ran = Mutex::new(Vec::new());
        pool.install(|| {
            // The call may have woken more than one.
            wait_until(|| asleep(&pool) >= workers - 1);
            leaves(0, 16, &|leaf| {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(4) {
                    spin_loop();
                }
                ran.lock().unwrap().push((leaf, filch::current_thread_index()));
            });
        });
        let mut ran = ran.into_inner().unwrap();
        let by: HashSet<_> = ran.iter().map(|(_, worker)| *worker).collect();
        assert!(by.len() >= 2, "{:?}", pool.counters());
        ran.sort_unstable();
        assert!(ran.iter().map(|(leaf, _)| *leaf).eq(0..16), "{ran:?}");
    }
}

/// Possible only if each leaf gets a worker, which holds if no frame stays hidden while a
/// worker is idle.
#[test]
fn as_many_leaves_as_workers_may_wait_for_each_other() {
    for (workers, most) in [(2, 200), (4, 100), (16, 20)] {
        for _ in rounds(most) {
            let pool = sleeping_pool(workers);
            let (barrier, leaders) = (Barrier::new(workers), AtomicUsize::new(0));
            pool.install(|| {
                leaves(0, workers, &|_| {
                    let leader = barrier.wait().is_leader();
                    leaders.fetch_add(leader.into(), Ordering::Relaxed);
                });
            });
            assert_eq!(leaders.into_inner(), 1);
        }
    }
}

/// A join whose `a` is a leaf that ends only when another worker has run `b`.
fn long_leaf() -> usize {
    let b_ran_on = AtomicUsize::new(usize::MAX);
    let here = filch::current_thread_index().unwrap();
    filch::join(
        || wait_until(|| b_ran_on.load(Ordering::Relaxed) != usize::MAX),
        || b_ran_on.store(filch::current_thread_index().unwrap(), Ordering::Relaxed),
    );
    usize::from(b_ran_on.into_inner() != here)
}

#[test]
fn a_sleeping_worker_takes_a_frame_from_beside_a_long_leaf() {
    for _ in rounds(200) {
        let pool = sleeping_pool(2);
        assert_eq!(pool.install(long_leaf), 1);
    }
}

#[test]
fn a_searching_worker_takes_a_frame_from_beside_a_long_leaf() {
    let pool = pool(2);
    pool.install(|| {
        for _ in rounds(2000) {
            // After its part of it the other worker searches for a while.
            filch::broadcast(|_| ());
            assert_eq!(long_leaf(), 1);
        }
    });
}

#[test]
fn a_frame_is_taken_from_under_many_others() {
    fn dig(depth: usize) -> usize {
        if depth == 0 {
            return long_leaf();
        }
        let (a, b) = filch::join(|| dig(depth - 1), || 1);
        a + b
    }
    for pool in [pool(2), pool(4)] {
        // 300: beyond the lane's capacity.
        for depth in [1, 10, 127, 128, 129, 300] {
            assert_eq!(pool.install(|| dig(depth)), depth + 1);
        }
    }
}

#[test]
fn a_join_that_waits_for_a_stolen_b_runs_nothing_else() {
    let pool = sleeping_pool(2);
    let begun = &Gate::default();
    let (sender, ran_on) = std::sync::mpsc::channel();
    let mut waiter = None;
    let runner = pool.join(
        || {
            begun.wait();
            waiter = filch::current_thread_index();
            filch::spawn(move || sender.send(filch::current_thread_index()).unwrap());
        },
        move || {
            begun.open();
            // Both workers are taken, so this needs a spare.
            ran_on.recv().unwrap()
        },
    );
    assert!(runner.1 > Some(1) && runner.1 != waiter, "{runner:?} {waiter:?}");
}

/// Unrelated work on the same stack would try to lock it again (rayon#592).
#[test]
fn a_lock_may_be_held_across_a_join() {
    for pool in pools() {
        let count = Mutex::new(0);
        pool.scope(|scope| {
            for _ in 0..500 {
                scope.spawn(|_| {
                    let mut count = count.lock().unwrap();
                    *count += filch::join(|| fib(3), || fib(4)).1;
                });
            }
        });
        assert_eq!(count.into_inner().unwrap(), 1500);
    }
}

#[test]
fn each_closure_runs_once_although_a_leaf_yields() {
    fn dig(depth: usize, ran: &[AtomicUsize], leaf: &(impl Fn() + Sync)) {
        if depth == 0 {
            return leaf();
        }
        let b = || ran[depth - 1].fetch_add(1, Ordering::Relaxed);
        filch::join(|| dig(depth - 1, ran, leaf), b);
    }
    for pool in pools() {
        for depth in [3, 200] {
            let ran: Vec<_> = (0..depth).map(|_| AtomicUsize::new(0)).collect();
            let leaf = || {
                filch::yield_local();
                filch::yield_now();
            };
            pool.install(|| dig(depth, &ran, &leaf));
            assert!(ran.iter().all(|ran| ran.load(Ordering::Relaxed) == 1), "{ran:?}");
        }
    }
}
