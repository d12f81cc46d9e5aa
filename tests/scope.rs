//! `scope` and its kin.

mod common;

use common::*;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Counts what has happened.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn bump(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The order in which things have happened.
#[derive(Default)]
struct Log(Mutex<Vec<u32>>);

impl Log {
    fn push(&self, event: u32) {
        self.0.lock().unwrap().push(event);
    }

    fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_scope_returns_what_its_body_does() {
    for pool in pools() {
        assert_eq!(pool.scope(|_| "body"), "body");
        assert_eq!(pool.scope_fifo(|_| "body"), "body");
        assert_eq!(pool.in_place_scope(|_| "body"), "body");
        assert_eq!(pool.in_place_scope_fifo(|_| "body"), "body");
    }
}

#[test]
fn ten_thousand_tasks_have_run_when_the_scope_returns() {
    for pool in pools() {
        let mut numbers = vec![0; 10_000];
        pool.scope(|scope| numbers.iter_mut().for_each(|n| scope.spawn(move |_| *n += 1)));
        pool.scope_fifo(|scope| {
            numbers.iter_mut().for_each(|n| scope.spawn_fifo(move |_| *n += 1));
        });
        pool.in_place_scope(|scope| numbers.iter_mut().for_each(|n| scope.spawn(move |_| *n += 1)));
        assert!(numbers.iter().all(|&n| n == 3));
    }
}

#[test]
fn tasks_may_spawn_tasks() {
    fn grow<'s>(scope: &filch::Scope<'s>, depth: u32, count: &'s Count) {
        count.bump();
        if depth > 0 {
            scope.spawn(move |scope| grow(scope, depth - 1, count));
            scope.spawn(move |scope| grow(scope, depth - 1, count));
        }
    }
    for pool in pools() {
        let count = Count::default();
        pool.scope(|scope| grow(scope, 10, &count));
        assert_eq!(count.get(), 2047);
    }
}

#[test]
fn a_panic_comes_out_after_every_task_has_run() {
    for pool in pools() {
        for body_panics in [true, false] {
            let count = Count::default();
            let text = panic_of(|| {
                pool.scope(|scope| {
                    for i in 0..100 {
                        let count = &count;
                        scope.spawn(move |_| {
                            count.bump();
                            if i == 50 && !body_panics {
                                explode("task");
                            }
                        });
                    }
                    if body_panics {
                        explode("body");
                    }
                });
            });
            assert_eq!(text, if body_panics { "body" } else { "task" });
            assert_eq!(count.get(), 100);
        }
        assert_eq!(pool.counters().panics, 0, "none was beside another");
    }
}

#[test]
fn the_first_panic_comes_out_and_the_others_are_counted() {
    let pool = pool(1);
    let text = panic_of(|| {
        pool.scope_fifo(|scope| {
            for what in ["first", "second", "third"] {
                scope.spawn_fifo(move |_| explode(what));
            }
        });
    });
    assert_eq!(text, "first");
    assert_eq!(pool.counters().panics, 2);
}

#[test]
fn a_second_panic_outside_the_pool_is_counted() {
    let pool = pool(1);
    let text = panic_of(|| {
        pool.in_place_scope(|scope| {
            scope.spawn(|_| explode("first"));
            // The only worker takes this when it is through with the task.
            while pool.counters().tasks == 0 {
                pool.install(|| ());
            }
            explode("second");
        });
    });
    assert_eq!(text, "first");
    assert_eq!(pool.counters().panics, 1);
}

#[test]
fn in_place_the_body_stays_on_its_thread() {
    let here = thread::current().id();
    for pool in pools() {
        let (mut not_send, mut task_ran_on) = (Rc::new(1), None);
        pool.in_place_scope(|scope| {
            *Rc::get_mut(&mut not_send).unwrap() += 1;
            assert_eq!(thread::current().id(), here);
            scope.spawn(|_| task_ran_on = pool.current_thread_index());
        });
        assert_eq!(*not_send, 2);
        assert!(task_ran_on.is_some());
    }
}

#[test]
fn in_place_on_another_pools_worker_the_tasks_run_in_the_scopes_pool() {
    let (ours, theirs) = (pool(1), pool(2));
    let count = Count::default();
    ours.install(|| {
        theirs.in_place_scope(|scope| {
            assert_eq!(ours.current_thread_index(), Some(0));
            for _ in 0..100 {
                scope.spawn(|_| {
                    assert!(theirs.current_thread_index().is_some());
                    count.bump();
                });
            }
        });
    });
    assert_eq!(count.get(), 100);
}

#[test]
fn a_lone_worker_runs_the_youngest_task_first() {
    let log = Log::default();
    pool(1).scope(|scope| {
        for i in 0..5 {
            let log = &log;
            scope.spawn(move |_| log.push(i));
        }
    });
    assert_eq!(log.take(), [4, 3, 2, 1, 0]);
}

#[test]
fn in_a_fifo_scope_a_lone_worker_runs_the_oldest_task_first() {
    let (pool, log) = (pool(1), Log::default());
    pool.scope_fifo(|scope| {
        for i in 0..3 {
            let log = &log;
            scope.spawn_fifo(move |scope| {
                log.push(i);
                scope.spawn_fifo(move |_| log.push(10 + i));
            });
        }
    });
    assert_eq!(log.take(), [0, 1, 2, 10, 11, 12]);
    pool.in_place_scope_fifo(|scope| {
        (0..3).for_each(|i| {
            scope.spawn_fifo({
                let log = &log;
                move |_| log.push(i)
            })
        })
    });
    assert_eq!(log.take(), [0, 1, 2], "from outside, too");
}

#[test]
fn each_of_two_nested_fifo_scopes_keeps_its_order() {
    let log = Log::default();
    pool(1).scope_fifo(|outer| {
        let log = &log;
        outer.spawn_fifo(move |_| log.push(0));
        filch::scope_fifo(|inner| {
            for i in 1..4 {
                inner.spawn_fifo(move |_| log.push(10 + i));
                outer.spawn_fifo(move |_| log.push(i));
            }
        });
        // The inner scope has run nothing of the outer one's.
        assert_eq!(log.take(), [11, 12, 13]);
    });
    assert_eq!(log.take(), [0, 1, 2, 3]);
}

#[test]
fn a_waiting_scope_runs_nothing_but_its_own_tasks() {
    let (foreign, own) = (Count::default(), Count::default());
    let foreign = std::sync::Arc::new(foreign);
    let pool = pool(1);
    pool.scope(|outer| {
        let (detached, scoped) = (foreign.clone(), foreign.clone());
        filch::spawn(move || detached.bump());
        outer.spawn(move |_| scoped.bump());
        filch::scope(|inner| {
            inner.spawn(|_| own.bump());
            let scoped = foreign.clone();
            outer.spawn(move |_| scoped.bump());
        });
        assert_eq!((own.get(), foreign.get()), (1, 0));
    });
    wait_until(|| foreign.get() == 3);
}

/// Nor while none of them is left to be started.
#[test]
fn a_scope_that_waits_for_a_running_task_runs_no_other() {
    let pool = sleeping_pool(2);
    let begun = &Gate::default();
    let (sender, ran_on) = std::sync::mpsc::channel();
    pool.scope(|scope| {
        scope.spawn(move |_| {
            begun.open();
            // Both workers are taken, so this needs a spare.
            assert!(ran_on.recv().unwrap() > Some(1));
        });
        begun.wait();
        filch::spawn(move || sender.send(filch::current_thread_index()).unwrap());
    });
}

#[test]
fn an_inner_body_may_spawn_into_the_outer_scope() {
    for pool in pools() {
        let count = Count::default();
        pool.scope(|outer| {
            for _ in 0..10 {
                outer.spawn(|outer| {
                    filch::scope(|inner| {
                        for _ in 0..10 {
                            inner.spawn(|_| {
                                count.bump();
                                outer.spawn(|_| count.bump());
                            });
                        }
                    });
                });
            }
        });
        assert_eq!(count.get(), 200);
    }
}

#[test]
fn foreign_threads_may_spawn_into_a_scope() {
    for pool in pools() {
        let (count, pool) = (Count::default(), &*pool);
        pool.scope(|scope| {
            thread::scope(|threads| {
                for _ in 0..3 {
                    threads.spawn(|| {
                        for _ in 0..100 {
                            scope.spawn(|_| {
                                assert!(pool.current_thread_index().is_some());
                                count.bump();
                            });
                        }
                    });
                }
            });
        });
        assert_eq!(count.get(), 300);
    }
}

/// Nobody else can run the task: the other worker waits for it.
#[test]
fn a_task_from_a_foreign_thread_wakes_the_worker_that_waits_for_the_scope() {
    for _ in 0..100 {
        let pool = sleeping_pool(2);
        let (begun, ran) = (Gate::default(), Gate::default());
        pool.scope(|scope| {
            scope.spawn(|scope| {
                let parks = pool.counters().parks;
                begun.open();
                let foreign = || {
                    wait_until(|| pool.counters().parks > parks);
                    scope.spawn(|_| ran.open());
                    ran.wait();
                };
                thread::scope(|threads| threads.spawn(foreign).join().unwrap());
            });
            begun.wait();
        });
        assert!(ran.is_open());
    }
}

#[test]
fn a_broadcast_in_a_scope_runs_once_a_worker() {
    for pool in pools() {
        let (ran, workers) = (Mutex::new(Vec::new()), pool.current_num_threads());
        pool.scope(|scope| scope.spawn_broadcast(|_, part| ran.lock().unwrap().push(part.index())));
        pool.scope_fifo(|scope| {
            scope.spawn_broadcast(|_, part| ran.lock().unwrap().push(workers + part.index()));
        });
        pool.in_place_scope(|scope| {
            scope.spawn_broadcast(|scope, part| {
                let index = 2 * workers + part.index();
                scope.spawn(|_| assert!(pool.current_thread_index().is_some()));
                ran.lock().unwrap().push(index);
            });
        });
        let mut ran = ran.into_inner().unwrap();
        ran.sort_unstable();
        assert!(ran.into_iter().eq(0..3 * workers));
    }
}

#[test]
fn a_panic_in_a_part_of_a_broadcast_is_the_scopes() {
    for pool in pools() {
        let count = Count::default();
        let text = panic_of(|| {
            pool.scope(|scope| {
                scope.spawn_broadcast(|_, part| {
                    count.bump();
                    if part.index() == 0 {
                        explode("part");
                    }
                });
            });
        });
        assert_eq!((text.as_str(), count.get()), ("part", pool.current_num_threads()));
    }
}

/// Whatever a task has borrowed may be gone once the scope has ended.
fn captures_are_dropped_in_time(spawn: for<'s> fn(&filch::Scope<'s>, Captured<'s>)) {
    for pool in pools() {
        let dropped = Count::default();
        pool.scope(|scope| spawn(scope, Captured(&dropped)));
        assert_eq!(dropped.get(), 1);
    }
}

struct Captured<'s>(&'s Count);

impl Captured<'_> {
    /// A method, so that closures capture the whole.
    fn drops(&self) -> usize {
        self.0.get()
    }
}

impl Drop for Captured<'_> {
    fn drop(&mut self) {
        thread::sleep(Duration::from_millis(30));
        self.0.bump();
    }
}

#[test]
fn what_a_task_captures_is_dropped_before_the_scope_ends() {
    captures_are_dropped_in_time(|scope, captured| scope.spawn(move |_| drop(captured)));
    captures_are_dropped_in_time(|scope, captured| {
        scope.spawn(move |_| assert_eq!(captured.drops(), 0));
    });
}

#[test]
fn what_a_broadcast_captures_is_dropped_before_the_scope_ends() {
    captures_are_dropped_in_time(|scope, captured| {
        scope.spawn_broadcast(move |_, _| assert_eq!(captured.drops(), 0));
    });
}

#[test]
fn scopes_and_joins_nest_at_will() {
    fn mix(depth: u32, count: &Count) {
        if depth == 0 {
            return count.bump();
        }
        filch::join(
            || {
                filch::scope(|scope| {
                    scope.spawn(|_| mix(depth - 1, count));
                    mix(depth - 1, count);
                });
            },
            || {
                filch::scope_fifo(|outer| {
                    outer.spawn_fifo(|outer| {
                        filch::in_place_scope(|inner| inner.spawn(|_| mix(depth - 1, count)));
                        outer.spawn_fifo(|_| mix(depth - 1, count));
                    });
                });
            },
        );
    }
    for pool in pools() {
        let count = Count::default();
        pool.install(|| mix(6, &count));
        assert_eq!(count.get(), 4096);
    }
}

#[test]
fn tasks_spread_over_the_workers() {
    for workers in [2, 4] {
        let (pool, barrier) = (sleeping_pool(workers), std::sync::Barrier::new(workers));
        let ran_on = Mutex::new(HashSet::new());
        pool.scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|_| {
                    ran_on.lock().unwrap().insert(filch::current_thread_index());
                    barrier.wait();
                });
            }
        });
        assert_eq!(ran_on.into_inner().unwrap().len(), workers);
    }
}

/// A scope that waits doesn't take its own stock of counts for tasks that are queued.
#[test]
fn an_inner_scope_leaves_the_tasks_of_the_outer_one_alone() {
    let pool = pool(1);
    pool.scope(|outer| {
        for _ in 0..1000 {
            outer.spawn(|_| ());
        }
        filch::scope(|inner| inner.spawn(|_| ()));
        assert_eq!(pool.counters().misfits, 0);
    });
}
