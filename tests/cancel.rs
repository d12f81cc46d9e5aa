//! Cancellation and deadlines.

#[path = "common/block_on.rs"]
mod block_on;
mod common;

use block_on::block_on;
use common::*;
use filch::{CancelToken, Cancelled, Expired, ScopeBuilder, TaskBuilder, ThreadPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often tasks have begun, and how often what they capture has been dropped.
#[derive(Default)]
struct Tally {
    begun: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    fn task<S: ?Sized>(&self) -> impl FnOnce(&S) + Send {
        let guard = OnDrop(|| _ = self.dropped.fetch_add(1, Ordering::Relaxed));
        move |_: &S| {
            let _guard = guard;
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counts(&self) -> [u64; 2] {
        [&self.begun, &self.dropped].map(|count| count.load(Ordering::Relaxed))
    }
}

fn cancelled(pool: &ThreadPool) -> u64 {
    pool.counters().cancelled
}

/// Far from now.
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_child_is_cancelled_with_its_parent_and_not_the_other_way_round() {
    let root = CancelToken::new();
    let (left, right) = (root.child(), root.child());
    let leaf = left.child();
    let state = || [&root, &left, &right, &leaf].map(CancelToken::is_cancelled);
    assert_eq!(state(), [false; 4]);
    leaf.cancel();
    assert_eq!(state(), [false, false, false, true]);
    left.clone().cancel();
    assert_eq!(state(), [false, true, false, true], "a clone is the same token");
    root.cancel();
    assert_eq!(state(), [true; 4]);
    assert!(root.child().is_cancelled(), "born cancelled");
    assert_eq!(format!("{:?}", CancelToken::default()), "CancelToken { cancelled: false, .. }");
}

#[test]
fn a_child_outlives_its_parent() {
    let root = CancelToken::new();
    let (child, handle) = (root.child(), root.clone());
    drop(root);
    assert!(!child.is_cancelled());
    handle.cancel();
    drop(handle);
    assert!(child.is_cancelled());
}

#[test]
fn a_long_chain_of_tokens_is_dropped_on_a_small_stack() {
    let chain = || {
        let root = CancelToken::new();
        let leaf = (0..100_000).fold(root.clone(), |token, _| token.child());
        root.cancel();
        leaf.is_cancelled()
    };
    let thread = thread::Builder::new().stack_size(64 << 10).spawn(chain);
    assert!(thread.unwrap().join().unwrap());
}

#[test]
fn tasks_that_have_not_begun_are_dropped_once_and_counted() {
    let (pool, tally) = (pool(1), Tally::default());
    let result = pool.scope(|scope| {
        for _ in 0..10 {
            scope.spawn(tally.task());
        }
        assert!(!scope.is_cancelled());
        scope.cancel();
        scope.cancel();
        assert!(scope.is_cancelled() && scope.token().is_cancelled());
        for _ in 0..10 {
            scope.spawn(tally.task());
        }
        assert_eq!(tally.counts(), [0, 0], "not here: by who takes them from the queue");
        "body"
    });
    assert_eq!((result, tally.counts()), ("body", [0, 20]));
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.expired), (20, 0));
    assert_eq!((counters.failures, counters.panics), (0, 0), "it is no failure");
    // The next scope isn't concerned.
    pool.scope(|scope| scope.spawn(tally.task()));
    assert_eq!((tally.counts(), cancelled(&pool)), ([1, 21], 20));
}

#[test]
fn in_a_fifo_scope_the_tasks_after_the_one_that_cancels_are_dropped() {
    let (pool, tally) = (pool(1), Tally::default());
    pool.scope_fifo(|scope| {
        for i in 0..10 {
            let task = tally.task();
            scope.spawn_fifo(move |scope| {
                if i == 3 {
                    assert!(!scope.is_cancelled());
                    scope.cancel();
                    assert!(scope.is_cancelled());
                    let token: &CancelToken = scope.token();
                    assert!(token.is_cancelled());
                }
                task(scope);
            });
        }
    });
    assert_eq!((tally.counts(), cancelled(&pool)), ([4, 10], 6));
}

#[test]
fn tasks_that_have_begun_may_ask_and_are_waited_for() {
    let pool = sleeping_pool(2);
    let (begun, asked, tally) = (Gate::default(), Gate::default(), Tally::default());
    pool.scope(|scope| {
        scope.spawn(|scope| {
            begun.open();
            wait_until(|| scope.is_cancelled());
            // What it spawns isn't wanted, either.
            scope.spawn(tally.task());
            asked.open();
        });
        begun.wait();
        scope.cancel();
    });
    assert!(asked.is_open());
    assert_eq!((tally.counts(), cancelled(&pool)), ([0, 1], 1));
}

#[test]
fn a_scope_can_be_cancelled_through_its_token_from_anywhere() {
    let pool = sleeping_pool(2);
    pool.scope(|scope| {
        let token = scope.token().clone();
        scope.spawn(|scope| wait_until(|| scope.is_cancelled()));
        thread::spawn(move || token.cancel()).join().unwrap();
    });
}

#[test]
fn parts_of_a_broadcast_that_have_not_begun_are_dropped() {
    for pool in pools() {
        let (tally, workers) = (Tally::default(), pool.current_num_threads() as u64);
        pool.scope(|scope| {
            scope.cancel();
            let (tally, all) =
                (&tally, OnDrop(|| _ = tally.dropped.fetch_add(1, Ordering::Relaxed)));
            scope.spawn_broadcast(move |_, _| {
                let _all = &all;
                tally.begun.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!((tally.counts(), cancelled(&pool)), ([0, 1], workers));
        pool.scope_fifo(|scope| {
            scope.cancel();
            scope.spawn_broadcast(|_, _| _ = tally.begun.fetch_add(1, Ordering::Relaxed));
        });
        assert_eq!((tally.counts(), cancelled(&pool)), ([0, 1], 2 * workers));
    }
}

#[test]
fn a_destructor_that_panics_is_the_tasks_panic() {
    let (pool, tally) = (pool(1), Tally::default());
    let text = panic_of(|| {
        pool.scope(|scope| {
            scope.cancel();
            let bomb = OnDrop(|| explode("destructor"));
            scope.spawn(tally.task());
            scope.spawn(move |_| drop(bomb));
            scope.spawn(tally.task());
        });
    });
    assert_eq!((text.as_str(), tally.counts()), ("destructor", [0, 2]));
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.failures, counters.panics), (3, 1, 0));
}

#[test]
fn a_scope_under_a_cancelled_token_runs_its_body_and_no_task() {
    let (pool, tally, token) = (pool(1), Tally::default(), CancelToken::new());
    token.cancel();
    let builder = ScopeBuilder::new().pool(&pool).token(&token);
    let bodies = [
        builder.scope(|scope| {
            scope.spawn(tally.task());
            scope.is_cancelled()
        }),
        builder.scope_fifo(|scope| {
            scope.spawn_fifo(tally.task());
            scope.is_cancelled()
        }),
        builder.in_place_scope(|scope| {
            scope.spawn(tally.task());
            scope.is_cancelled()
        }),
        builder.in_place_scope_fifo(|scope| {
            scope.spawn_fifo(tally.task());
            scope.is_cancelled()
        }),
    ];
    assert_eq!((bodies, tally.counts(), cancelled(&pool)), ([true; 4], [0, 4], 4));
}

#[test]
fn builders_without_a_pool_use_the_current_one() {
    let (pool, tally) = (pool(2), Tally::default());
    pool.install(|| {
        let builder = ScopeBuilder::new();
        builder.scope(|scope| scope.spawn(tally.task()));
        builder.scope_fifo(|scope| scope.spawn_fifo(tally.task()));
        builder.in_place_scope(|scope| scope.spawn(tally.task()));
        builder.in_place_scope_fifo(|scope| {
            scope.spawn_fifo(|_| assert!(pool.current_thread_index().is_some()));
        });
    });
    assert_eq!(tally.counts(), [3, 3]);
}

#[test]
fn cancelling_a_scope_cancels_those_below_it_and_none_above() {
    fn below(token: &CancelToken) -> ScopeBuilder<'_> {
        ScopeBuilder::new().token(token)
    }
    let (pool, tally) = (pool(1), Tally::default());
    pool.scope(|outer| {
        below(outer.token()).scope(|middle| {
            below(middle.token()).scope(|inner| {
                inner.spawn(tally.task());
                middle.cancel();
                assert!(inner.is_cancelled() && middle.is_cancelled() && !outer.is_cancelled());
            });
            assert_eq!(tally.counts(), [0, 1]);
        });
        outer.spawn(tally.task());
    });
    assert_eq!((tally.counts(), cancelled(&pool)), ([1, 2], 1));
    pool.scope(|outer| {
        below(outer.token()).scope(|middle| {
            below(middle.token()).scope(|inner| {
                inner.spawn(tally.task());
                outer.cancel();
            });
        });
    });
    assert_eq!((tally.counts(), cancelled(&pool)), ([1, 3], 2));
    // A scope that isn't said to be below is a matter of its own.
    pool.scope(|outer| {
        outer.cancel();
        filch::scope(|inner| inner.spawn(tally.task()));
    });
    assert_eq!((tally.counts(), cancelled(&pool)), ([2, 4], 2));
}

#[test]
fn a_panic_cancels_the_siblings_if_asked() {
    for asked in [false, true] {
        for body_panics in [false, true] {
            let (pool, tally, token) = (pool(1), Tally::default(), CancelToken::new());
            let builder = ScopeBuilder::new().pool(&pool).token(&token).cancel_on_panic(asked);
            let text = panic_of(|| {
                builder.scope_fifo(|scope| {
                    scope.spawn_fifo(tally.task());
                    if !body_panics {
                        scope.spawn_fifo(|_| explode("task"));
                    }
                    scope.spawn_fifo(tally.task());
                    scope.spawn_fifo(tally.task());
                    if body_panics {
                        explode("body");
                    }
                });
            });
            assert_eq!(text, if body_panics { "body" } else { "task" });
            let begun = match (asked, body_panics) {
                (false, _) => 3,
                (true, false) => 1,
                (true, true) => 0,
            };
            assert_eq!((tally.counts(), cancelled(&pool)), ([begun, 3], 3 - begun));
            assert_eq!(pool.counters().panics, 0, "none was beside another");
            assert!(!token.is_cancelled(), "what comes of it above is not ours to say");
        }
    }
}

#[test]
fn a_cancelled_scope_still_panics() {
    let pool = pool(1);
    let text = panic_of(|| {
        pool.scope_fifo(|scope| {
            scope.spawn_fifo(|scope| {
                scope.cancel();
                explode("begun");
            });
            scope.spawn_fifo(|_| explode("not begun"));
        });
    });
    assert_eq!((text.as_str(), cancelled(&pool)), ("begun", 1));
}

#[test]
fn a_scope_from_outside_every_pool_can_be_cancelled() {
    let (pool, tally) = (pool(1), Tally::default());
    let (begun, go) = (Gate::default(), Gate::default());
    pool.in_place_scope(|scope| {
        scope.spawn(|_| {
            begun.open();
            go.wait();
        });
        begun.wait();
        (0..10).for_each(|_| scope.spawn(tally.task()));
        scope.cancel();
        (0..10).for_each(|_| scope.spawn(tally.task()));
        go.open();
    });
    assert_eq!((tally.counts(), cancelled(&pool)), ([0, 20], 20));
}

#[test]
fn labelled_tasks_that_are_dropped_are_not_timed() {
    let monitoring = filch::Monitoring::new().latency(1);
    let pool = Pool::from(builder(1).monitoring(monitoring));
    pool.scope_fifo(|scope| {
        scope.spawn_fifo_named("part", |_| ());
        scope.spawn_fifo_named("part", |scope| scope.cancel());
        scope.spawn_fifo_named("part", |_| unreachable!());
    });
    let late = TaskBuilder::new().pool(&pool).label("late");
    late.spawn_handle(|| ()).join().unwrap();
    let late = late.deadline(Instant::now());
    late.spawn(|| unreachable!());
    assert!(late.spawn_handle(|| unreachable!()).join().unwrap_err().is::<Expired>());
    wait_until(|| pool.counters().expired == 2);
    let labelled = pool.snapshot().latency.labelled;
    let counts: Vec<_> =
        labelled.iter().map(|(name, tasks)| (*name, tasks.run_time.count)).collect();
    assert_eq!(counts, [("part", 2), ("late", 1)]);
}

/// Whatever cancels when: each task is begun or cancelled, and what it captures dropped in time.
#[test]
fn every_task_is_begun_or_cancelled() {
    fn grow<'s>(scope: &filch::Scope<'s>, depth: u32, tally: &'s Tally, spawned: &'s AtomicU64) {
        for _ in 0..2 * u32::from(depth > 0) {
            spawned.fetch_add(1, Ordering::Relaxed);
            let task = tally.task();
            scope.spawn(move |scope| {
                task(scope);
                grow(scope, depth - 1, tally, spawned);
            });
        }
    }
    for pool in pools() {
        let (mut all, mut begun) = (0, 0);
        for round in 0..300 {
            let (tally, spawned) = (Tally::default(), AtomicU64::new(0));
            let (root, ended) = (CancelToken::new(), AtomicBool::new(false));
            // At times before the first task or after the last, else in the midst of them.
            if round % 5 == 1 {
                root.cancel();
            }
            thread::scope(|threads| {
                for thread in 0..3 {
                    let (root, ended) = (&root, &ended);
                    threads.spawn(move || {
                        for _ in 0..(round * 37 + thread * 1009) % 5000 {
                            std::hint::spin_loop();
                        }
                        while round % 5 == 0 && !ended.load(Ordering::Acquire) {
                            thread::yield_now();
                        }
                        root.cancel();
                    });
                }
                let builder = ScopeBuilder::new().pool(&pool).token(&root);
                builder.scope(|scope| grow(scope, 7, &tally, &spawned));
                ended.store(true, Ordering::Release);
            });
            let [begun_now, dropped] = tally.counts();
            assert_eq!(dropped, spawned.load(Ordering::Relaxed));
            (all, begun) = (all + dropped, begun + begun_now);
            assert_eq!(begun + cancelled(&pool), all);
        }
        assert!(begun > 0 && begun < all);
    }
}

/// Whether its token or its handle is faster, or neither.
#[test]
fn every_task_with_a_handle_is_begun_or_cancelled() {
    for pool in pools() {
        let (begun, mut refused) = (Arc::new(AtomicU64::new(0)), 0);
        for round in 0..200 {
            let token = CancelToken::new();
            let task = TaskBuilder::new().pool(&pool).token(&token);
            let spawn = |_| {
                let begun = begun.clone();
                task.spawn_handle(move || _ = begun.fetch_add(1, Ordering::Relaxed))
            };
            let tasks: Vec<_> = (0..50).map(spawn).collect();
            thread::scope(|threads| {
                threads.spawn(|| {
                    for _ in 0..round * 37 % 3000 {
                        std::hint::spin_loop();
                    }
                    token.cancel();
                });
                threads.spawn(|| tasks.iter().rev().filter(|task| task.cancel()).count());
            });
            for task in tasks {
                refused += u64::from(task.join().is_err_and(|payload| payload.is::<Cancelled>()));
            }
            assert_eq!(cancelled(&pool), refused);
            assert_eq!(begun.load(Ordering::Relaxed) + refused, 50 * (round + 1));
        }
    }
}

/// A task that keeps a lone worker busy until the gate is opened.
fn busy(pool: &ThreadPool) -> Arc<Gate> {
    let (begun, go) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (open, wait) = (begun.clone(), go.clone());
    pool.spawn(move || {
        open.open();
        wait.wait();
    });
    begun.wait();
    go
}

#[test]
fn a_token_cancels_tasks_with_handles_that_have_not_begun() {
    let (pool, token) = (pool(1), CancelToken::new());
    let task = TaskBuilder::new().pool(&pool).token(&token);
    assert_eq!(task.spawn_handle(|| 1).join().unwrap(), 1);
    let go = busy(&pool);
    let captured = Arc::new(());
    let held = captured.clone();
    let joined = task.spawn_handle(move || drop(held));
    let awaited = task.try_spawn_handle(|| -> Result<(), ()> { unreachable!() });
    let other = pool.spawn_handle(|| 2);
    token.child().cancel();
    token.cancel();
    assert!(!joined.is_finished());
    go.open();
    assert!(joined.join().unwrap_err().is::<Cancelled>());
    assert!(block_on(awaited).unwrap_err().is::<Cancelled>());
    assert_eq!(other.join().unwrap(), 2, "not under the token");
    assert_eq!(Arc::strong_count(&captured), 1);
    // Nobody is told of these.
    task.spawn(|| unreachable!());
    task.spawn_fifo(|| unreachable!());
    drop(task.spawn_handle(|| unreachable!()));
    pool.shutdown().unwrap();
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.expired), (5, 0));
    assert_eq!((counters.failures, counters.panics), (0, 0));
}

#[test]
fn cancelled_handles_are_counted() {
    let pool = pool(1);
    let go = busy(&pool);
    let task = pool.spawn_handle(|| ());
    assert!(task.cancel() && !task.cancel());
    assert_eq!(cancelled(&pool), 1);
    go.open();
    assert!(task.join().unwrap_err().is::<Cancelled>());
    // By its worker.
    pool.install(|| assert!(filch::spawn_handle(|| ()).cancel()));
    let done = pool.spawn_handle(|| ());
    wait_until(|| done.is_finished());
    assert!(!done.cancel());
    assert_eq!(cancelled(&pool), 2);
}

#[test]
fn a_task_whose_deadline_has_passed_is_never_begun() {
    let pool = pool(1);
    let late = TaskBuilder::new().pool(&pool).deadline(Instant::now());
    let captured = Arc::new(());
    let held = captured.clone();
    let joined = late.spawn_handle(move || drop(held)).join();
    assert!(joined.unwrap_err().is::<Expired>());
    assert_eq!(Arc::strong_count(&captured), 1);
    let awaited = block_on(late.spawn_handle(|| unreachable!()));
    assert!(awaited.unwrap_err().is::<Expired>());
    // A worker that waits runs the task itself, and doesn't begin it, either.
    let inside = pool.install(|| {
        let late = TaskBuilder::new().deadline(Instant::now());
        late.spawn_handle(|| unreachable!()).join()
    });
    assert!(inside.unwrap_err().is::<Expired>());
    late.spawn(|| unreachable!());
    late.spawn_fifo(|| unreachable!());
    drop(late.spawn_handle(|| unreachable!()));
    pool.shutdown().unwrap();
    let counters = pool.counters();
    assert_eq!((counters.expired, counters.cancelled), (6, 0));
    assert_eq!((counters.failures, counters.panics), (0, 0));
}

#[test]
fn a_deadline_that_passes_in_the_queue_holds_too() {
    let pool = pool(1);
    let go = busy(&pool);
    let deadline = Instant::now() + Duration::from_millis(20);
    let task = TaskBuilder::new().pool(&pool).deadline(deadline);
    let late = task.spawn_handle(|| unreachable!());
    let in_time = task.deadline(Instant::now() + LONG).spawn_handle(|| 42);
    wait_until(|| Instant::now() >= deadline);
    assert!(!late.is_finished(), "its turn hasn't come");
    go.open();
    assert!(late.join().unwrap_err().is::<Expired>());
    assert_eq!(in_time.join().unwrap(), 42);
    assert_eq!(pool.counters().expired, 1);
}

#[test]
fn a_task_that_has_begun_outlives_its_deadline() {
    let pool = sleeping_pool(2);
    // The worker may be late itself; then once more.
    wait_until(|| {
        let begun = Arc::new(Gate::default());
        let open = begun.clone();
        let deadline = Instant::now() + Duration::from_millis(50);
        let task = TaskBuilder::new().pool(&pool).deadline(deadline).spawn_handle(move || {
            open.open();
            wait_until(|| Instant::now() > deadline);
            "late"
        });
        let result = task.join();
        begun.is_open() && result.unwrap() == "late"
    });
}

#[test]
fn limits_leave_what_a_task_returns_or_panics_with_alone() {
    let (pool, token) = (pool(2), CancelToken::new());
    let task = TaskBuilder::new().pool(&pool).token(&token).deadline(Instant::now() + LONG);
    assert_eq!(task.spawn_handle(|| 1).join().unwrap(), 1);
    assert_eq!(task.try_spawn_handle(|| Err::<(), _>("no")).join().unwrap(), Err("no"));
    assert_eq!(text(&*task.spawn_handle(|| explode("oh no")).join().unwrap_err()), "oh no");
    let ran = Arc::new(AtomicUsize::new(0));
    for spawn in [TaskBuilder::spawn, TaskBuilder::spawn_fifo] {
        let ran = ran.clone();
        spawn(&task, move || _ = ran.fetch_add(1, Ordering::Relaxed));
    }
    wait_until(|| ran.load(Ordering::Relaxed) == 2);
    let counters = pool.counters();
    assert_eq!((counters.failures, counters.cancelled, counters.expired), (2, 0, 0));
}

#[test]
fn a_dropped_tasks_destructor_that_panics_is_its_panic() {
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let pool =
        Pool::from(builder(1).panic_handler(move |_| _ = count.fetch_add(1, Ordering::Relaxed)));
    let late = TaskBuilder::new().pool(&pool).deadline(Instant::now());
    let bomb = || OnDrop(|| explode("destructor"));
    let (first, second) = (bomb(), bomb());
    let payload = late.spawn_handle(move || drop(first)).join().unwrap_err();
    assert_eq!(text(&*payload), "destructor");
    late.spawn(move || drop(second));
    wait_until(|| told.load(Ordering::Relaxed) == 1);
    assert_eq!(pool.counters().expired, 2);
}

#[test]
fn cancelling_what_has_ended_changes_nothing() {
    let (pool, tally, token) = (pool(2), Tally::default(), CancelToken::new());
    ScopeBuilder::new().pool(&pool).token(&token).scope(|scope| scope.spawn(tally.task()));
    let task = TaskBuilder::new().pool(&pool).token(&token).spawn_handle(|| 42);
    wait_until(|| task.is_finished());
    token.cancel();
    assert_eq!(task.join().unwrap(), 42);
    assert_eq!((tally.counts(), cancelled(&pool)), ([1, 1], 0));
}

#[test]
fn a_body_that_cancels_and_panics_panics() {
    let (pool, tally) = (pool(1), Tally::default());
    let text = panic_of(|| {
        pool.scope(|scope| {
            scope.spawn(tally.task());
            scope.cancel();
            explode("body");
        });
    });
    assert_eq!((text.as_str(), tally.counts(), cancelled(&pool)), ("body", [0, 1], 1));
}
