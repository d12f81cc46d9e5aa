//! What a wait may run, and who runs the rest meanwhile.

mod common;
#[path = "waiting/known.rs"]
mod known;
#[path = "waiting/spares.rs"]
mod spares;

use common::*;
use filch::blocking;
use std::cell::Cell;
use std::collections::HashSet;
#[cfg(target_os = "linux")]
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

thread_local! {
    /// How many waits lie on this thread's stack that may run only what is part of them.
    static WAITS: Cell<usize> = const { Cell::new(0) };
}

/// Calls `f`, which waits.
fn waiting<R>(f: impl FnOnce() -> R) -> R {
    WAITS.set(WAITS.get() + 1);
    let result = f();
    WAITS.set(WAITS.get() - 1);
    result
}

/// Whether some wait on this stack has picked us up.
fn picked_up() -> bool {
    WAITS.get() > 0
}

/// How many of these tasks, which nothing waits for, lie on top of a wait.
fn picked_up_by_waits(pool: &Pool, other: &Pool) -> usize {
    let picked = Arc::new(AtomicUsize::new(0));
    let unrelated = &|| {
        let picked = Arc::clone(&picked);
        move || {
            picked.fetch_add(picked_up().into(), Ordering::Relaxed);
            thread::yield_now();
        }
    };
    for _ in 0..200 {
        (0..20).for_each(|_| pool.spawn(unrelated()));
        pool.scope(|scope| {
            for kind in 0..20 {
                scope.spawn(move |_| match kind % 5 {
                    0 => waiting(|| _ = fib(8)),
                    1 => waiting(|| {
                        filch::scope(|s| {
                            (0..8).for_each(|_| s.spawn(|_| _ = fib(3)));
                            // Newer than what the wait is for: whoever may run it does.
                            filch::spawn(unrelated());
                        });
                    }),
                    2 => waiting(|| other.install(|| _ = fib(5))),
                    3 => {
                        let task = filch::spawn_handle(|| fib(6));
                        thread::yield_now();
                        assert_eq!(waiting(|| task.join()).unwrap(), 8);
                    }
                    _ => (0..8).for_each(|_| filch::spawn(thread::yield_now)),
                });
            }
            (0..20).for_each(|_| filch::spawn(unrelated()));
        });
    }
    pool.shutdown().unwrap();
    picked.load(Ordering::Relaxed)
}

/// rayon#957.
#[test]
fn no_wait_picks_up_an_unrelated_task() {
    for workers in [1, 2, 4] {
        let (pool, other) = (pool(workers), pool(2));
        assert_eq!(picked_up_by_waits(&pool, &other), 0, "{workers} workers");
        assert_eq!(pool.counters().last_resorts, 0);
    }
}

#[test]
fn control_waits_that_may_run_anything_pick_up_unrelated_tasks() {
    let pool = Pool::from(builder(1).wait_policy(filch::WaitPolicy::Any));
    assert_ne!(picked_up_by_waits(&pool, &common::pool(1)), 0);
    assert_eq!(pool.counters().last_resorts, 0);
}

/// Nobody else is there who could take it.
#[test]
fn a_wait_that_may_run_anything_takes_a_frame_from_beside_a_long_leaf() {
    let policy = filch::WaitPolicy::Any;
    let pool = Pool::from(builder(2).max_threads(2).wait_policy(policy));
    for _ in rounds(100) {
        pool.install(|| {
            let begun = Arc::new(Gate::default());
            let begins = begun.clone();
            let task = filch::spawn_handle(move || {
                let ran = Gate::default();
                let leaf = || {
                    begins.open();
                    ran.wait();
                };
                filch::join(leaf, || ran.open());
            });
            begun.wait();
            task.join().unwrap();
        });
    }
}

/// As under rayon: the tasks of all scopes and those of none lie on one deque, and a wait runs
/// whatever is on top of it.
#[test]
fn where_waits_may_run_anything_a_worker_has_one_order_for_all_tasks() {
    let pool = Pool::from(builder(1).wait_policy(filch::WaitPolicy::Any));
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(name)
    };
    pool.scope(|outer| {
        let task = |name| {
            let note = note(name);
            move |_: &filch::Scope<'_>| note()
        };
        outer.spawn(task("outer, before"));
        filch::scope(|inner| {
            inner.spawn(task("inner"));
            filch::spawn(note("detached"));
            outer.spawn(task("outer, within"));
            filch::spawn_fifo(note("detached in turn"));
            inner.spawn(task("inner, last"));
            filch::spawn_broadcast({
                let note = note("broadcast");
                move |_| note()
            });
        });
        note("the inner scope has ended")();
    });
    let expected = [
        "inner, last",
        "detached in turn",
        "outer, within",
        "detached",
        "inner",
        "the inner scope has ended",
        "outer, before",
    ];
    assert_eq!(order.lock().unwrap()[..expected.len()], expected);
    pool.install(|| filch::broadcast(|_| ()));
    assert_eq!(order.lock().unwrap()[expected.len()..], ["broadcast"]);
}

/// The unrelated task comes while the join waits, and ends before it does.
#[test]
fn a_task_overtakes_a_join_that_waits_on_another_stack() {
    for workers in [2, 4] {
        let pool = pool(workers);
        for _ in 0..300 {
            let (begun, ended) = (&Gate::default(), Arc::new(Gate::default()));
            let (task, b) = (Arc::clone(&ended), Arc::clone(&ended));
            let pool = &*pool;
            let a = move || {
                begun.wait();
                pool.spawn(move || {
                    assert!(!picked_up());
                    task.open();
                });
            };
            let b = move || {
                begun.open();
                b.wait();
            };
            pool.install(|| waiting(|| filch::join(a, b)));
        }
    }
}

/// The arms of a join that wait for each other (rayon#1311).
fn talk(wait: impl Fn(&dyn Fn()) + Sync) {
    let ((to_a, a), (to_b, b)) = (channel(), channel());
    let speak = |to, from: std::sync::mpsc::Receiver<usize>| {
        let wait = &wait;
        move || {
            let to: std::sync::mpsc::Sender<usize> = to;
            for i in 0..3 {
                to.send(i).unwrap();
                wait(&|| assert_eq!(from.recv(), Ok(i)));
            }
        }
    };
    filch::join(speak(to_b, a), speak(to_a, b));
}

#[test]
fn arms_of_a_join_may_wait_for_each_other_in_blocking() {
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        for _ in 0..500 {
            pool.install(|| talk(|wait| blocking(wait)));
        }
        let talk = || talk(|wait| blocking(wait));
        pool.install(|| (0..100).for_each(|_| _ = filch::join(talk, talk)));
    }
}

#[test]
fn arms_of_a_join_may_wait_for_each_other_on_two_workers() {
    for _ in 0..100 {
        sleeping_pool(2).install(|| talk(|wait| wait()));
    }
    for pool in [pool(2), pool(4)] {
        pool.install(|| (0..1000).for_each(|_| talk(|wait| wait())));
    }
}

#[test]
fn both_arms_of_a_join_may_broadcast() {
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        for _ in 0..1000 {
            let part = |context: filch::BroadcastContext<'_>| context.index();
            let results = pool.join(|| filch::broadcast(part), || filch::broadcast(part));
            let all: Vec<_> = (0..workers).collect();
            assert_eq!(results, (all.clone(), all));
        }
    }
}

/// Deep enough for the lane to show the frames of ancestors to everybody, the waiting scope too.
#[test]
fn a_scope_inside_a_join_leaves_the_frames_of_ancestors_alone() {
    fn dig(depth: usize, lock: &Mutex<usize>) {
        if depth == 0 {
            let mut count = lock.lock().unwrap();
            waiting(|| {
                filch::scope(|scope| {
                    (0..20).for_each(|_| scope.spawn(|_| assert_eq!(fib(6), 8)));
                });
            });
            *count += 1;
            return;
        }
        let b = || {
            assert!(!picked_up());
            *lock.lock().unwrap() += 1;
        };
        filch::join(|| dig(depth - 1, lock), b);
    }
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        for depth in [1, 5, 140, 300].repeat(40) {
            let lock = Mutex::new(0);
            pool.install(|| dig(depth, &lock));
            assert_eq!(lock.into_inner().unwrap(), depth + 1);
        }
    }
}

#[test]
fn an_inner_scope_leaves_the_tasks_of_the_outer_one_alone() {
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        for _ in 0..500 {
            let (inner_ran, outer_ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
            pool.scope(|outer| {
                let outer_task = |_: &filch::Scope<'_>| {
                    assert!(!picked_up());
                    outer_ran.fetch_add(1, Ordering::Relaxed);
                };
                waiting(|| {
                    filch::scope(|inner| {
                        for _ in 0..10 {
                            inner.spawn(|_| {
                                outer.spawn(outer_task);
                                inner_ran.fetch_add(1, Ordering::Relaxed);
                            });
                            outer.spawn(outer_task);
                        }
                    });
                });
                assert_eq!(inner_ran.load(Ordering::Relaxed), 10);
            });
            assert_eq!(outer_ran.into_inner(), 20);
        }
    }
}

#[test]
fn a_task_of_an_inner_scope_may_wait_for_one_of_the_outer() {
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        for _ in 0..500 {
            pool.scope(|outer| {
                let (sender, receiver) = channel();
                filch::scope(|inner| {
                    inner.spawn(|_| blocking(move || receiver.recv().unwrap()));
                    outer.spawn(move |_| sender.send(()).unwrap());
                });
            });
        }
    }
}

/// Grows trees until somebody else has had a leaf.
fn somebody_helps() -> bool {
    fn tree(depth: usize, who: &Mutex<HashSet<thread::ThreadId>>) {
        if depth == 0 {
            who.lock().unwrap().insert(thread::current().id());
            return thread::yield_now();
        }
        filch::join(|| tree(depth - 1, who), || tree(depth - 1, who));
    }
    let who = Mutex::default();
    (0..1000).any(|_| {
        tree(8, &who);
        who.lock().unwrap().len() > 1
    })
}

#[test]
fn a_waiter_that_sleeps_is_woken_or_replaced_when_its_job_grows() {
    for workers in [2, 4] {
        for _ in 0..100 {
            let pool = sleeping_pool(workers);
            let begun = Gate::default();
            let a = || begun.wait();
            let b = || {
                let parks = pool.counters().parks;
                begun.open();
                // The waiter, which is the last one awake beside us.
                wait_until(|| pool.counters().parks > parks);
                thread::sleep(Duration::from_millis(1));
                somebody_helps()
            };
            assert!(pool.join(a, b).1, "{:?}", pool.counters());
        }
    }
}

/// Below its frame, of 640 kB, there is less of a stack of 1 MB than a wait leaves alone.
#[cfg(target_os = "linux")]
#[inline(never)]
fn deep(wait: impl FnOnce()) {
    let mut large = [0_u8; 640 << 10];
    black_box(&mut large);
    wait();
    black_box(&mut large);
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_whose_stack_is_nearly_used_up_leaves_to_others_what_it_waits_for() {
    // Where no thread has left a larger stack, which the system would take again.
    child_succeeds(
        "a_worker_whose_stack_is_nearly_used_up_leaves_to_others_what_it_waits_for",
        &[],
        || {
            let pool = Pool::from(builder(2).stack_size(1 << 20));
            let refusals = || pool.counters().refusals;
            let wait = || {
                let here = filch::current_thread_index();
                filch::scope(|scope| {
                    for _ in 0..10 {
                        scope.spawn(|_| {
                            assert_ne!(filch::current_thread_index(), here);
                            // Until it has looked around often, and sleeps.
                            wait_until(|| refusals() > 0 && asleep(&pool) > 0);
                        });
                    }
                });
            };
            pool.install(|| deep(wait));
            // It may have been woken for tasks that it then left alone, too.
            assert!((1..10).contains(&refusals()), "{}", refusals());
        },
    );
}
