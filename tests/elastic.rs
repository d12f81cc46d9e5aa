//! Pools that get larger and smaller.

mod common;

use common::{Dog, Pool, builder, wait_until};
use filch::{Monitoring, ScalingPolicy, Status, ThreadPool, ThreadPoolBuilder};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Short enough for a test.
const TIMEOUT: Duration = Duration::from_millis(50);

/// Of four workers, one of which stays.
fn elastic() -> ThreadPoolBuilder {
    builder(4).min_threads(1).idle_timeout(TIMEOUT)
}

/// Has so many tasks run at the same time.
fn crowd(pool: &ThreadPool, tasks: usize) -> HashSet<usize> {
    let all = Arc::new(Barrier::new(tasks));
    let meet = || {
        let all = Arc::clone(&all);
        pool.spawn_handle(move || {
            all.wait();
            filch::current_thread_index().unwrap()
        })
    };
    let handles: Vec<_> = (0..tasks).map(|_| meet()).collect();
    handles.into_iter().map(|handle| handle.join().unwrap()).collect()
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_burst_makes_a_pool_grow_and_rest_makes_it_shrink() {
    let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (starts, ends) = (Arc::clone(&started), Arc::clone(&ended));
    let _dog = Dog::alone();
    let pool = elastic()
        .start_handler(move |_| _ = starts.fetch_add(1, Ordering::Relaxed))
        .exit_handler(move |_| _ = ends.fetch_add(1, Ordering::Relaxed))
        .build()
        .unwrap();
    assert_eq!((pool.num_threads(), pool.current_num_threads()), (4, 4));
    for round in 1..=3 {
        wait_until(|| pool.num_threads() == 1);
        wait_until(|| ended.load(Ordering::Relaxed) == 3 * round);
        assert_eq!(crowd(&pool, 4), HashSet::from([0, 1, 2, 3]));
        assert_eq!(started.load(Ordering::Relaxed), 4 + 3 * round);
    }
    pool.shutdown().unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), started.load(Ordering::Relaxed));
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_pool_keeps_its_minimum_and_one_of_fixed_size_all() {
    let pools = [
        (2, elastic().min_threads(2)),
        (4, builder(4).idle_timeout(TIMEOUT)),
        (4, elastic().scaling(ScalingPolicy::Fixed)),
        (4, elastic().monitoring(Monitoring::off())),
    ];
    for (kept, builder) in pools {
        let pool = Pool::from(builder);
        wait_until(|| pool.num_threads() == kept);
        thread::sleep(4 * TIMEOUT);
        assert_eq!(pool.num_threads(), kept);
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_spare_that_nobody_needs_ends() {
    let pool = Pool::from(builder(1).idle_timeout(TIMEOUT));
    assert_eq!(pool.install(|| filch::blocking(|| pool.spawn_handle(|| 1).join().unwrap())), 1);
    let threads = || {
        let is_there = |status| !matches!(status, Status::Starting | Status::Stopped);
        pool.snapshot().workers.iter().filter(|worker| is_there(worker.status)).count()
    };
    wait_until(|| threads() == 1);
    assert_eq!(pool.install(|| filch::blocking(|| pool.spawn_handle(|| 2).join().unwrap())), 2);
}

/// As many as there are, though they have no threads any more.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_broadcast_brings_back_those_that_have_left() {
    let pool = Pool::from(elastic());
    wait_until(|| pool.num_threads() == 1);
    for _ in 0..100 {
        assert_eq!(pool.broadcast(|context| context.index()), [0, 1, 2, 3]);
    }
    wait_until(|| pool.num_threads() == 1);
}

#[test]
fn a_pool_can_be_resized_within_its_maximum() {
    let pool = Pool::from(builder(2).max_threads(4));
    pool.resize(1..=1).unwrap();
    wait_until(|| pool.num_threads() == 1);
    assert_eq!(pool.snapshot().pool.seats, 1);
    // Neither of them ever blocks.
    let running = Arc::new(AtomicUsize::new(0));
    let alone = || {
        let running = Arc::clone(&running);
        pool.spawn_handle(move || {
            let others = running.fetch_add(1, Ordering::Relaxed);
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) {}
            running.fetch_sub(1, Ordering::Relaxed);
            others
        })
    };
    let handles: Vec<_> = (0..20).map(|_| alone()).collect();
    assert!(handles.into_iter().all(|handle| handle.join().unwrap() == 0));
    pool.resize(4..=4).unwrap();
    assert_eq!(crowd(&pool, 4).len(), 4);
    pool.resize(1..=3).unwrap();
    assert_eq!(pool.snapshot().pool.seats, 3);
    assert_eq!(crowd(&pool, 3).len(), 3);
}

#[test]
fn a_size_that_makes_no_sense_is_an_error() {
    let pool = Pool::from(builder(2).max_threads(4));
    #[allow(clippy::reversed_empty_ranges)]
    for range in [0..=2, 2..=1, 1..=5] {
        let error = pool.resize(range.clone()).unwrap_err().to_string();
        assert!(error.contains(&format!("{range:?}")), "{error}");
    }
    assert_eq!(pool.snapshot().pool.seats, 2);
    for min in [0, 3] {
        let error = builder(2).min_threads(min).build().unwrap_err();
        assert!(error.to_string().contains(&format!("min_threads is {min}")), "{error}");
    }
}

/// Each task counts itself, spawns another or joins; none is lost, and none runs twice.
#[test]
fn tasks_survive_ten_thousand_resizes() {
    const RESIZES: usize = if cfg!(miri) { 20 } else { 10_000 };
    let pool = Pool::from(builder(4).max_threads(6));
    let ran = Arc::new(AtomicUsize::new(0));
    let (done, mut spawned) = (AtomicUsize::new(0), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for resize in 0..RESIZES {
                let max = 1 + resize * 7 % 6;
                pool.resize(1..=max).unwrap();
                if resize % 64 == 0 {
                    assert_eq!(pool.broadcast(|context| context.index()), [0, 1, 2, 3]);
                }
            }
            done.store(1, Ordering::Relaxed);
        });
        while done.load(Ordering::Relaxed) == 0 {
            let batch: Vec<_> = (0..64)
                .map(|_| {
                    let ran = Arc::clone(&ran);
                    pool.spawn_handle(move || {
                        let inside = Arc::clone(&ran);
                        filch::spawn(move || _ = inside.fetch_add(1, Ordering::Relaxed));
                        let count = || _ = ran.fetch_add(1, Ordering::Relaxed);
                        filch::join(count, count);
                        filch::scope(|scope| scope.spawn(|_| count()));
                    })
                })
                .collect();
            batch.into_iter().for_each(|handle| handle.join().unwrap());
            spawned += 64 * 4;
        }
    });
    pool.shutdown().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), spawned);
}

/// A thread that is new each time, with thread-locals of its own.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn counts_go_on_when_a_worker_has_another_thread() {
    let pool = Pool::from(elastic());
    let threads = Mutex::new(HashSet::new());
    for round in 1..=3 {
        crowd(&pool, 4);
        pool.broadcast(|_| _ = threads.lock().unwrap().insert(thread::current().id()));
        // A task counts after whoever waited for it has been told.
        wait_until(|| pool.counters().tasks == 8 * round);
        wait_until(|| pool.num_threads() == 1);
        let stopped = || {
            let workers = pool.snapshot().workers;
            workers.iter().filter(|worker| worker.status == Status::Stopped).count()
        };
        wait_until(|| stopped() == 3);
    }
    assert_eq!(threads.into_inner().unwrap().len(), 10);
}

/// Tasks that only sleep: the more at a time the better.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_pool_that_climbs_gets_larger_for_tasks_that_block() {
    let scaling = ScalingPolicy::HillClimb;
    let pool = Pool::from(builder(2).max_threads(16).min_threads(1).scaling(scaling));
    let (over, queued) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        scope.spawn(|| {
            while over.load(Ordering::Relaxed) == 0 {
                if queued.load(Ordering::Relaxed) < 64 {
                    queued.fetch_add(1, Ordering::Relaxed);
                    let queued = Arc::clone(&queued);
                    pool.spawn(move || {
                        thread::sleep(Duration::from_millis(2));
                        queued.fetch_sub(1, Ordering::Relaxed);
                    });
                } else {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        });
        wait_until(|| pool.snapshot().pool.seats >= 4);
        over.store(1, Ordering::Relaxed);
    });
    assert_eq!(pool.counters().stalls, 0);
}

#[test]
fn where_the_machine_says_how_many_the_bounds_are_bounds_only() {
    let default = Pool::from(ThreadPoolBuilder::new()).current_num_threads();
    let one = Pool::from(ThreadPoolBuilder::new().max_threads(1));
    assert_eq!((one.current_num_threads(), one.max_thread_index()), (1, 1));
    let many = Pool::from(ThreadPoolBuilder::new().min_threads(1000));
    assert_eq!((many.current_num_threads(), many.num_threads()), (default, default));
    let reference = Pool::from(filch::Config::reference().builder().unwrap());
    assert_eq!(reference.max_thread_index(), 10);
    assert_eq!(reference.current_num_threads(), default.min(10));
    let error = |builder: ThreadPoolBuilder| builder.build().map(|_| ()).unwrap_err().to_string();
    assert!(error(builder(2).min_threads(3)).contains("min_threads is 3"));
    assert!(error(builder(2).max_threads(1)).contains("max_threads is 1"));
    assert!(error(ThreadPoolBuilder::new().max_threads(0)).contains("max_threads is 0"));
}
