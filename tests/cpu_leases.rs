//! A lease of CPUs says how many parts of its task run at once.
#![cfg(all(not(loom), not(miri), target_os = "linux"))]

mod common;

use common::*;
use filch::{Request, Resource};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many run at once.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Crowd {
    fn work(&self) {
        self.all.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_micros(500));
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// By joins, 2 to the power of `depth` times.
    fn split(&self, depth: u32) {
        match depth {
            0 => self.work(),
            _ => _ = filch::join(|| self.split(depth - 1), || self.split(depth - 1)),
        }
    }

    /// By the tasks of a scope, of which each splits once more.
    fn spawn(&self, tasks: usize) {
        filch::scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(|scope| {
                    self.split(1);
                    scope.spawn(|_| self.work());
                });
            }
        });
    }

    fn most(&self) -> (usize, usize) {
        (self.most.load(Ordering::SeqCst), self.all.load(Ordering::SeqCst))
    }
}

/// Of workers that needn't have a CPU each.
fn eight() -> Pool {
    Pool::from(builder(8).budget(Resource::Cpu, 8_000))
}

fn most(pool: &Pool, cpu: u64, work: impl Fn(&Crowd) + Send + Sync) -> (usize, usize) {
    let crowd = Crowd::default();
    pool.install(|| {
        let _lease = pool.acquire(&Request::new().cpu(cpu)).unwrap();
        work(&crowd);
    });
    crowd.most()
}

#[test]
fn as_many_parts_of_a_join_run_at_once_as_there_are_cpus_leased() {
    let pool = eight();
    assert_eq!(most(&pool, 2_000, |crowd| crowd.split(6)), (2, 64));
    assert_eq!(most(&pool, 3_900, |crowd| crowd.split(7)), (3, 128));
    assert_eq!(most(&pool, 100, |crowd| crowd.split(4)), (1, 16));
    let free = Crowd::default();
    pool.install(|| free.split(8));
    assert!(free.most().0 > 3, "{:?}", free.most());
}

#[test]
fn joins_are_counted_whether_they_are_offered_or_not() {
    let pool = eight();
    for cpu in [1000, 2000] {
        let before = pool.counters().joins;
        most(&pool, cpu, |crowd| crowd.split(4));
        assert_eq!(pool.counters().joins - before, 15);
    }
}

#[test]
fn as_many_tasks_of_a_scope_run_at_once_as_there_are_cpus_leased() {
    let pool = eight();
    assert_eq!(most(&pool, 2_000, |crowd| crowd.spawn(30)), (2, 90));
    assert_eq!(most(&pool, 4_000, |crowd| crowd.spawn(50)), (4, 150));
    assert_eq!(most(&pool, 999, |crowd| crowd.spawn(10)), (1, 30));
    // One that has been made smaller.
    let (crowd, four) = (Crowd::default(), Request::new().cpu(4_000));
    pool.install(|| {
        let mut lease = pool.acquire(&four).unwrap();
        lease.shrink_to(Resource::Cpu, 2_000);
        crowd.spawn(30);
    });
    assert_eq!(crowd.most(), (2, 90));
    // By a thread that is no worker.
    let crowd = Crowd::default();
    let lease = pool.acquire(&Request::new().cpu(2_000)).unwrap();
    pool.in_place_scope(|scope| (0..40).for_each(|_| scope.spawn(|_| crowd.work())));
    assert_eq!(crowd.most(), (2, 40));
    drop(lease);
    pool.in_place_scope(|scope| (0..100).for_each(|_| scope.spawn(|_| crowd.work())));
    assert!(crowd.most().0 > 3, "{:?}", crowd.most());
}

#[test]
fn parts_of_parts_count_too_and_a_lease_of_a_part_s_own_is_beside_it() {
    let pool = eight();
    let nested = |crowd: &Crowd| {
        filch::join(|| crowd.spawn(10), || filch::join(|| crowd.spawn(5), || crowd.split(4)));
    };
    assert_eq!(most(&pool, 2_000, nested), (2, 61));
    // No task waits for another lease, but this one is there.
    let own = |crowd: &Crowd| {
        let _own = filch::try_acquire(&Request::new().cpu(2_000)).unwrap();
        crowd.spawn(20);
    };
    let (most, all) = most(&pool, 1_000, own);
    assert!((2..=3).contains(&most) && all == 60, "{most}");
}

#[test]
fn tasks_that_panic_or_are_cancelled_leave_their_place_to_others() {
    let pool = eight();
    let ran = AtomicUsize::new(0);
    let scope = |panics: bool| {
        let (pool, ran) = (&pool, &ran);
        pool.install(move || {
            let _lease = pool.acquire(&Request::new().cpu(2_000)).unwrap();
            filch::scope(|scope| {
                for at in 0..50 {
                    scope.spawn(move |scope| {
                        ran.fetch_add(1, Ordering::SeqCst);
                        if panics && at % 10 == 0 {
                            std::panic::resume_unwind(Box::new("quietly"));
                        } else if !panics && at == 9 {
                            scope.cancel();
                        }
                    });
                }
            });
        });
    };
    assert!(std::panic::catch_unwind(|| scope(true)).is_err());
    assert_eq!(ran.swap(0, Ordering::SeqCst), 50);
    scope(false);
    let cancelled = pool.counters().cancelled as usize;
    assert!(cancelled > 0 && cancelled + ran.into_inner() == 50);
    assert_eq!(pool.budget(Resource::Cpu).free, 8_000);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            std::panic::resume_unwind(Box::new("quietly"));
        }
    }
}

#[test]
fn a_scope_is_not_left_while_its_tasks_run_whatever_panics() {
    for leases in [false, true] {
        let pool = eight();
        let running = AtomicUsize::new(0);
        pool.install(|| {
            let request = Request::new().cpu(2_000);
            let _lease = leases.then(|| pool.acquire(&request).unwrap());
            let scope = || {
                filch::scope(|scope| {
                    scope.spawn(|_| {
                        running.store(1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(50));
                        running.store(2, Ordering::SeqCst);
                    });
                    wait_until(|| running.load(Ordering::SeqCst) == 1);
                    for _ in 0..3 {
                        scope.spawn(|_| std::panic::resume_unwind(Box::new(Bomb)));
                    }
                    std::panic::resume_unwind(Box::new(Bomb));
                });
            };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(scope));
            std::mem::forget(outcome.unwrap_err());
        });
        assert_eq!(running.into_inner(), 2);
    }
}

#[test]
fn what_a_guest_has_held_back_is_run_though_it_is_no_worker_any_more() {
    let pool = builder(2).use_current_thread().budget(Resource::Cpu, 4_000).build().unwrap();
    let _lease = pool.acquire(&Request::new().cpu(1_000)).unwrap();
    let ran = AtomicUsize::new(0);
    pool.scope(|scope| {
        scope.spawn(|_| _ = ran.fetch_add(1, Ordering::SeqCst));
        pool.shutdown().unwrap();
    });
    assert_eq!(ran.into_inner(), 1);
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a place for what the call writes.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn no_more_cores_are_used_than_were_leased() {
    let pool = eight();
    for cpu in [1_000, 2_000] {
        let used = AtomicU64::new(0);
        let time = pool.install(|| {
            let _lease = pool.acquire(&Request::new().cpu(cpu)).unwrap();
            let start = Instant::now();
            filch::scope(|scope| {
                for _ in 0..40 {
                    scope.spawn(|_| {
                        let start = cpu_time();
                        while cpu_time() - start < Duration::from_millis(5) {
                            std::hint::spin_loop();
                        }
                        let time = (cpu_time() - start).as_nanos() as u64;
                        used.fetch_add(time, Ordering::SeqCst);
                    });
                }
            });
            start.elapsed()
        });
        let cores = used.into_inner() as f64 / time.as_nanos() as f64;
        println!("{cores:.2} cores by a lease of {cpu} thousandths");
        assert!(cores <= cpu as f64 / 1000.0 + 0.05, "{cores}");
    }
}
