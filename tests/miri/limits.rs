//! Tasks that are awaited, refused, shed, cancelled or too late.

use crate::{Guard, block_on, count_in, poll, pool, wait_until};
use filch::{
    AdmissionPolicy, CancelToken, Cancelled, Expired, Rejection, ScopeBuilder, Shed, TaskBuilder,
    ThreadPool, ThreadPoolBuilder,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Keeps a worker busy until this is set.
fn busy(pool: &ThreadPool) -> Arc<AtomicBool> {
    let (begun, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begins, goes) = (Arc::clone(&begun), Arc::clone(&go));
    pool.spawn(move || {
        begins.store(true, Ordering::Release);
        wait_until(|| goes.load(Ordering::Acquire));
    });
    wait_until(|| begun.load(Ordering::Acquire));
    go
}

fn bounded(max_queued: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(1).max_queued(max_queued).build().unwrap()
}

#[test]
fn handles_are_awaited_inside_and_outside() {
    let pool = pool(2);
    let handles: Vec<_> = (0..3).map(|i| pool.spawn_handle(move || Box::new(i))).collect();
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(*block_on(handle).unwrap(), i);
    }
    let inside = pool.spawn_handle(|| block_on(filch::spawn_handle(|| 7)).unwrap());
    assert_eq!(block_on(inside).unwrap(), 7);
    let panics = pool.spawn_handle(|| std::panic::resume_unwind(Box::new(8)));
    assert_eq!(block_on(panics).unwrap_err().downcast_ref(), Some(&8));
}

#[test]
fn a_handle_is_polled_on_one_thread_and_awaited_or_dropped_on_another() {
    let (pool, (ran, count)) = (pool(1), count_in());
    for dropped in [false, true] {
        let go = busy(&pool);
        let count = count.clone();
        let mut handle = pool.spawn_handle(move || {
            count();
            vec![1, 2, 3]
        });
        assert!(poll(&mut handle).is_none());
        let elsewhere = thread::spawn(move || match dropped {
            true => drop(handle),
            false => assert_eq!(block_on(handle).unwrap(), [1, 2, 3]),
        });
        go.store(true, Ordering::Release);
        elsewhere.join().unwrap();
    }
    pool.shutdown().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 2);
}

#[test]
fn a_bounded_queue_takes_each_task_once_or_gives_it_back() {
    let (pool, (ran, count)) = (bounded(1), count_in());
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                pool.spawn(count.clone());
                if let Err(rejected) = pool.try_spawn(count.clone()) {
                    assert_eq!(rejected.reason, Rejection::Saturated);
                    refused.fetch_add(1, Ordering::Relaxed);
                    (rejected.task)();
                }
                assert!(block_on(pool.spawn_async(count.clone())).is_ok());
                pool.spawn_handle(count.clone()).join().unwrap();
            });
        }
    });
    pool.shutdown().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 8);
    assert!(pool.counters().saturated >= refused.into_inner() as u64);
}

#[test]
fn futures_that_wait_for_room_are_woken_or_dropped_with_their_tasks() {
    let (pool, (ran, count)) = (bounded(1), count_in());
    let dropped = Arc::new(AtomicUsize::new(0));
    let go = busy(&pool);
    pool.spawn(count.clone());
    let mut waiting: Vec<_> = (0..4)
        .map(|_| {
            let (count, guard) = (count.clone(), Guard(Arc::clone(&dropped)));
            pool.spawn_async(move || {
                let _guard = guard;
                count();
            })
        })
        .collect();
    assert!(waiting.iter_mut().all(|waits| poll(waits).is_none()));
    thread::scope(|scope| {
        scope.spawn(|| go.store(true, Ordering::Release));
        for (i, waits) in waiting.into_iter().enumerate() {
            scope.spawn(move || match i % 2 {
                0 => assert!(block_on(waits).is_ok()),
                _ => drop(waits),
            });
        }
    });
    pool.shutdown().unwrap();
    assert_eq!((ran.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed)), (3, 4));
}

#[test]
fn an_end_ends_every_wait_for_room() {
    let (pool, (ran, count)) = (bounded(1), count_in());
    let go = busy(&pool);
    pool.spawn(count.clone());
    let mut polled = pool.spawn_async(count.clone());
    assert!(poll(&mut polled).is_none());
    thread::scope(|scope| {
        let waits = scope.spawn(|| block_on(pool.spawn_async(count.clone())));
        wait_until(|| pool.counters().saturated == 2);
        let ends = scope.spawn(|| pool.shutdown().unwrap());
        let outcome = waits.join().unwrap().map_err(|rejected| rejected.reason);
        assert_eq!(outcome, Err(Rejection::ShutDown));
        go.store(true, Ordering::Release);
        ends.join().unwrap();
    });
    let outcome = block_on(polled).map_err(|rejected| rejected.reason);
    assert_eq!((outcome, ran.load(Ordering::Relaxed)), (Err(Rejection::ShutDown), 1));
}

#[test]
fn tasks_that_wait_for_too_long_are_shed_and_dropped() {
    let [target, interval] = [1, 10].map(Duration::from_millis);
    let [told, dropped] = [0, 0].map(|count| Arc::new(AtomicUsize::new(count)));
    let hook = Arc::clone(&told);
    let builder = ThreadPoolBuilder::new()
        .num_threads(1)
        .admission(AdmissionPolicy::Adaptive { target, interval })
        .on_shed(move |_| _ = hook.fetch_add(1, Ordering::Relaxed));
    let pool = builder.build().unwrap();
    let go = busy(&pool);
    let task = |_| {
        let guard = Guard(Arc::clone(&dropped));
        pool.spawn_handle(move || {
            let _guard = guard;
            thread::sleep(Duration::from_millis(5));
        })
    };
    let tasks: Vec<_> = (0..8).map(task).collect();
    thread::sleep(2 * interval);
    go.store(true, Ordering::Release);
    let outcomes = tasks.into_iter().map(|task| task.join());
    let shed = outcomes.filter_map(Result::err).filter(|payload| payload.is::<Shed>()).count();
    pool.shutdown().unwrap();
    assert!(shed > 0, "{:?}", pool.counters());
    assert_eq!((told.load(Ordering::Relaxed), pool.counters().shed), (shed, shed as u64));
    assert_eq!(dropped.load(Ordering::Relaxed), 8);
}

#[test]
fn a_task_is_run_or_too_late() {
    let (pool, (ran, count)) = (pool(1), count_in());
    let soon = Instant::now() + Duration::from_micros(200);
    let far = soon + Duration::from_secs(1000);
    let tasks = [soon, far, soon, far].map(|deadline| {
        let count = count.clone();
        let task = TaskBuilder::new().pool(&pool).deadline(deadline);
        task.spawn(|| ());
        task.spawn_handle(move || {
            count();
            Box::new(1)
        })
    });
    let mut late = 0;
    for (i, task) in tasks.into_iter().enumerate() {
        match if i < 2 { task.join() } else { block_on(task) } {
            Ok(one) => assert_eq!(*one, 1),
            Err(payload) => {
                assert!(payload.is::<Expired>() && i % 2 == 0);
                late += 1;
            }
        }
    }
    pool.shutdown().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 4 - late);
    assert!(pool.counters().expired >= late as u64);
}

#[test]
fn tokens_are_cancelled_while_scopes_below_them_grow() {
    let (pool, token) = (pool(2), CancelToken::new());
    let (begun, spawned, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let task = || {
        spawned.fetch_add(1, Ordering::Relaxed);
        let (guard, begun) = (Guard(&dropped), &begun);
        move || {
            let _guard = guard;
            begun.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for child in [token.child(), token.child().child()] {
            let (pool, task) = (&pool, &task);
            scope.spawn(move || {
                ScopeBuilder::new().pool(pool).token(&child).scope(|scope| {
                    for _ in 0..2 {
                        let first = task();
                        scope.spawn(move |scope| {
                            let second = task();
                            scope.spawn(move |_| second());
                            first();
                        });
                    }
                });
                drop(child);
            });
        }
        scope.spawn(|| token.clone().cancel());
    });
    let [begun, spawned, dropped] =
        [begun, spawned, dropped].map(|count| count.into_inner() as u64);
    assert_eq!((dropped, begun + pool.counters().cancelled), (spawned, spawned));
    assert!(token.child().is_cancelled() && spawned >= 4);
}

#[test]
fn a_handle_is_cancelled_by_several_and_its_task_dropped_once() {
    let pool = pool(2);
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut cancelled = 0;
    for _ in 0..3 {
        let (token, guard) = (CancelToken::new(), Guard(Arc::clone(&dropped)));
        let task = TaskBuilder::new().pool(&pool).token(&token);
        let handle = task.spawn_handle(move || drop(guard));
        thread::scope(|scope| {
            scope.spawn(|| token.cancel());
            scope.spawn(|| handle.cancel());
        });
        if let Err(payload) = block_on(handle) {
            assert!(payload.is::<Cancelled>());
            cancelled += 1;
        }
    }
    assert_eq!(pool.counters().cancelled, cancelled);
    pool.shutdown().unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}
