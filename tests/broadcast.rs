//! `broadcast` and `spawn_broadcast`.

mod common;

use common::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

#[test]
fn results_come_by_index_one_from_each_worker() {
    for pool in pools() {
        let workers = pool.current_num_threads();
        let part = |part: filch::BroadcastContext<'_>| {
            assert_eq!(part.num_threads(), workers);
            assert_eq!(pool.current_thread_index(), Some(part.index()));
            part.index()
        };
        for _ in 0..20 {
            assert!(pool.broadcast(part).into_iter().eq(0..workers), "from outside");
            assert!(pool.install(|| filch::broadcast(part)).into_iter().eq(0..workers), "inside");
        }
    }
}

#[test]
fn each_part_runs_on_a_thread_of_its_own() {
    for pool in pools() {
        let mut ids = pool.broadcast(|_| format!("{:?}", thread::current().id()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), pool.current_num_threads());
    }
}

#[test]
fn parts_may_borrow() {
    for pool in pools() {
        let (offset, sum) = (10, AtomicUsize::new(0));
        pool.broadcast(|part| sum.fetch_add(offset + part.index(), Ordering::Relaxed));
        let workers = pool.current_num_threads();
        assert_eq!(sum.into_inner(), 10 * workers + workers * (workers - 1) / 2);
    }
}

#[test]
fn a_worker_may_broadcast_to_another_pool() {
    let (ours, theirs) = (pool(1), pool(3));
    assert_eq!(ours.install(|| theirs.broadcast(|part| part.index())), [0, 1, 2]);
    assert_eq!(ours.install(|| theirs.broadcast(|_| ours.broadcast(|_| 1))), [[1]; 3]);
}

#[test]
fn the_panic_of_the_lowest_index_comes_out_after_all_parts() {
    for pool in pools() {
        let ended = AtomicUsize::new(0);
        let text = panic_of(|| {
            pool.broadcast(|part| {
                ended.fetch_add(1, Ordering::Relaxed);
                explode(["0", "1", "2", "more"][part.index().min(3)]);
            })
        });
        assert_eq!((text.as_str(), ended.into_inner()), ("0", pool.current_num_threads()));
    }
}

/// Each waits for the other's worker.
#[test]
fn both_arms_of_a_join_may_broadcast() {
    for pool in pools() {
        let workers = pool.current_num_threads();
        for _ in 0..200 {
            let parts = || filch::broadcast(|_| 1).into_iter().sum::<usize>();
            assert_eq!(pool.join(parts, parts), (workers, workers));
        }
    }
}

#[test]
fn parts_may_broadcast_join_and_open_scopes() {
    for pool in pools() {
        let count = AtomicUsize::new(0);
        let add = || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        pool.broadcast(|_| {
            filch::join(add, add);
            filch::scope(|scope| scope.spawn(|_| add()));
            filch::broadcast(|_| add());
        });
        let workers = pool.current_num_threads();
        assert_eq!(count.into_inner(), 3 * workers + workers * workers);
    }
}

#[test]
fn a_broadcast_reaches_workers_that_are_busy() {
    for pool in pools() {
        let (go, busy) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
        let workers = pool.current_num_threads();
        for _ in 0..workers {
            let (go, busy) = (go.clone(), busy.clone());
            pool.spawn(move || {
                busy.fetch_add(1, Ordering::Relaxed);
                go.wait();
            });
        }
        wait_until(|| busy.load(Ordering::Relaxed) == workers);
        let indices = thread::scope(|threads| {
            let broadcast = threads.spawn(|| {
                pool.broadcast(|part| {
                    assert!(go.is_open());
                    part.index()
                })
            });
            go.open();
            broadcast.join().unwrap()
        });
        assert!(indices.into_iter().eq(0..workers));
    }
}

#[test]
fn a_worker_that_waits_runs_its_part() {
    let pool = sleeping_pool(2);
    let parts = pool.install(|| {
        let b_runs = Gate::default();
        // The owner waits for `b`, which waits for the owner's part.
        filch::join(
            || b_runs.wait(),
            || {
                b_runs.open();
                filch::broadcast(|part| part.index())
            },
        )
        .1
    });
    assert_eq!(parts, [0, 1]);
}

#[test]
fn others_run_what_is_for_a_guest_that_is_gone() {
    for (workers, most) in [(2, 2), (1, 2)] {
        let build = || builder(workers).max_threads(most).use_current_thread().build().unwrap();
        let pool = on_new_thread(build);
        let _dog = Dog::alone();
        let parts = pool.broadcast(|part| (part.index(), pool.current_thread_index() == Some(0)));
        assert!(parts.into_iter().eq((0..workers).map(|index| (index, false))));
        assert!(pool.install(|| filch::broadcast(|part| part.index())).into_iter().eq(0..workers));
        let (tell, told) = mpsc::channel();
        for _ in 0..workers {
            let tell = tell.clone();
            pool.spawn_placed(move || tell.send(()).unwrap());
        }
        drop(tell);
        assert_eq!(told.iter().count(), workers);
    }
}

#[test]
fn others_run_the_part_of_a_worker_that_never_comes() {
    let _dog = Dog::alone();
    let start = |worker: filch::ThreadBuilder| {
        if worker.index() > 0 {
            thread::spawn(|| worker.run());
        }
        Ok(())
    };
    let pool = builder(2).wait_until_started(false).spawn_handler(start).build().unwrap();
    let parts = pool.broadcast(|part| (part.index(), pool.current_thread_index()));
    assert_eq!(parts, [(0, Some(1)), (1, Some(1))]);
    pool.spawn_broadcast(|_| ());
}

#[test]
fn spawn_broadcast_runs_once_a_worker() {
    for pool in pools() {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let log = || {
            let ran = ran.clone();
            move |part: filch::BroadcastContext<'_>| ran.lock().unwrap().push(part.index())
        };
        pool.spawn_broadcast(log());
        pool.install(|| filch::spawn_broadcast(log()));
        pool.shutdown().unwrap();
        let mut ran = ran.lock().unwrap().clone();
        ran.sort_unstable();
        assert!(ran.into_iter().eq((0..pool.current_num_threads()).flat_map(|i| [i, i])));
    }
}

#[test]
fn a_panic_in_a_part_of_spawn_broadcast_goes_to_the_handler() {
    let caught = Arc::new(AtomicUsize::new(0));
    let count = caught.clone();
    let pool = Pool::from(builder(4).panic_handler(move |payload| {
        assert_eq!(text(&*payload), "part");
        count.fetch_add(1, Ordering::Relaxed);
    }));
    pool.spawn_broadcast(|_| explode("part"));
    pool.shutdown().unwrap();
    assert_eq!((caught.load(Ordering::Relaxed), pool.counters().panics), (4, 4));
}
