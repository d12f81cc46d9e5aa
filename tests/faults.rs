//! What goes wrong in a user's code, or is merely unusual, must neither hang a pool nor
//! reach memory that is gone.

mod common;

use common::{Dog, Gate, Pool, builder, explode, panic_of, pool};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A value whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        explode("bomb");
    }
}

/// A pool whose panic handler counts.
fn counting_pool(workers: usize) -> (Pool, Arc<AtomicUsize>) {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let builder = builder(workers).panic_handler(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (builder.into(), handled)
}

/// Frames that the lane has no room for lie in the deque, where a volunteer must not
/// take them for tasks.
#[test]
fn a_volunteer_leaves_the_frames_of_its_own_joins_alone() {
    fn dig(depth: usize, runs: &[AtomicUsize]) {
        if depth == 0 {
            assert_eq!(filch::yield_now(), Some(filch::Yield::Idle));
            assert_eq!(filch::yield_local(), Some(filch::Yield::Idle));
            return;
        }
        filch::join(|| dig(depth - 1, runs), || runs[depth - 1].fetch_add(1, Ordering::Relaxed));
    }
    let runs: Vec<_> = (0..300).map(|_| AtomicUsize::new(0)).collect();
    pool(1).install(|| dig(runs.len(), &runs));
    assert!(runs.into_iter().all(|runs| runs.into_inner() == 1));
}

#[test]
fn a_pool_that_waits_for_another_runs_what_that_one_waits_for() {
    let (a, b) = (pool(1), pool(1));
    let handle = a.install(|| b.install(|| a.spawn_handle(|| 1).join().unwrap()));
    let scope = a.install(|| {
        b.install(|| {
            let mut ran = 0;
            a.in_place_scope(|scope| scope.spawn(|_| ran = 2));
            ran
        })
    });
    let fifo = a.install(|| {
        b.install(|| {
            let mut ran = 0;
            a.in_place_scope_fifo(|scope| scope.spawn_fifo(|_| ran = 3));
            ran
        })
    });
    assert_eq!((handle, scope, fifo), (1, 2, 3));
}

#[test]
fn destructors_that_panic_are_the_panic_handlers_business() {
    let (pool, handled) = counting_pool(2);
    let bomb = Bomb;
    pool.spawn_broadcast(move |_| {
        let _held = &bomb;
    });
    let gate = Arc::new(Gate::default());
    let dropped = Arc::clone(&gate);
    drop(pool.spawn_handle(move || {
        // Or whoever drops the handle drops what it has.
        dropped.wait();
        Bomb
    }));
    gate.open();
    pool.spawn(|| drop(Bomb));
    pool.shutdown().unwrap();
    assert_eq!(handled.load(Ordering::Relaxed), 3);
    assert_eq!(pool.counters().panics, 3);
}

/// Or its panic would be the submitter's, however late that one goes on.
#[test]
fn what_a_broadcast_holds_is_dropped_in_the_pool() {
    struct Held(Arc<AtomicUsize>, std::thread::ThreadId);

    impl Drop for Held {
        fn drop(&mut self) {
            let outside = std::thread::current().id() == self.1;
            self.0.fetch_add(usize::from(outside), Ordering::Relaxed);
        }
    }

    let (pool, outside) = (pool(1), Arc::new(AtomicUsize::new(0)));
    let held = || Held(Arc::clone(&outside), std::thread::current().id());
    for _ in 0..20_000 {
        // So that its worker is awake.
        pool.install(|| ());
        let held = held();
        pool.spawn_broadcast(move |_| {
            let _held = &held;
        });
    }
    pool.in_place_scope(|scope| {
        for _ in 0..20_000 {
            pool.install(|| ());
            let held = held();
            scope.spawn_broadcast(move |_, _| {
                let _held = &held;
            });
        }
    });
    pool.shutdown().unwrap();
    assert_eq!(outside.load(Ordering::Relaxed), 0);
}

#[test]
fn a_payload_that_panics_does_not_keep_its_scope_from_ending() {
    let (pool, _) = counting_pool(2);
    let scope = || {
        pool.scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|_| panic_any(Bomb));
            }
        });
    };
    std::mem::forget(catch_unwind(AssertUnwindSafe(scope)).unwrap_err());
    assert_eq!(pool.install(|| 1), 1);
}

/// What a part of a broadcast holds is gone before the scope is.
#[test]
fn a_scope_outlives_what_its_broadcasts_hold() {
    struct Held<'a>(&'a AtomicUsize);

    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let pool = pool(4);
    for _ in 0..200 {
        let drops = AtomicUsize::new(0);
        pool.scope(|scope| {
            let held = Held(&drops);
            scope.spawn_broadcast(move |_, _| {
                let _held = &held;
            });
        });
        assert_eq!(drops.into_inner(), 1);
    }
}

#[test]
fn a_thread_name_that_panics_stops_the_build() {
    let _dog = Dog::alone();
    let name = |index| if index == 1 { explode("name") } else { String::new() };
    let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (starts, ends) = (Arc::clone(&started), Arc::clone(&ended));
    let builder = builder(3)
        .thread_name(name)
        .start_handler(move |_| _ = starts.fetch_add(1, Ordering::Relaxed))
        .exit_handler(move |_| _ = ends.fetch_add(1, Ordering::Relaxed));
    assert_eq!(panic_of(|| builder.build()), "name");
    // The one before it, and it has ended.
    assert_eq!((started.load(Ordering::Relaxed), ended.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn a_thread_that_never_runs_fails_the_build() {
    let _dog = Dog::alone();
    let lose = |thread: filch::ThreadBuilder| {
        if thread.index() != 1 {
            std::thread::spawn(|| thread.run());
        }
        Ok(())
    };
    let error = builder(3).spawn_handler(lose).build().unwrap_err();
    assert!(error.to_string().contains("run()"), "{error}");
}

#[test]
fn a_wrapper_that_panics_fails_the_build() {
    let _dog = Dog::alone();
    let message = panic_of(|| builder(2).build_scoped(|_| explode("wrapper"), |_| ()));
    assert!(message.contains("scoped thread panicked"), "{message}");
}

#[test]
fn an_exit_handler_is_outside_the_pool() {
    let _dog = Dog::alone();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let builder = builder(2).exit_handler(move |_| {
        assert_eq!(filch::current_thread_index(), None);
        count.fetch_add(1, Ordering::Relaxed);
    });
    builder.build().unwrap().shutdown().unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[test]
fn a_worker_cannot_be_another_pools_worker_too() {
    let outer = pool(1);
    let run_here = |thread: filch::ThreadBuilder| {
        let message = panic_of(|| thread.run());
        assert!(message.contains("already"), "{message}");
        Ok(())
    };
    let error = outer.install(|| builder(1).spawn_handler(run_here).build().unwrap_err());
    assert!(error.to_string().contains("run()"), "{error}");
}
