//! Spares: who takes the place of a worker that blocks, and what happens if nobody can.

use super::common::*;
use filch::blocking;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// As many as may be in a pool with `max_threads(PARTIES)`.
const PARTIES: usize = 8;

/// Workers of pools that need spares for [`meet`].
const FEW: [usize; 3] = [1, 2, 4];

/// Tasks that all wait for one another, as often as `rounds`.
fn meet(pool: &filch::ThreadPool, rounds: usize) {
    fn leaves(count: usize, leaf: &(impl Fn() + Sync)) {
        if count == 1 {
            return leaf();
        }
        filch::join(|| leaves(count / 2, leaf), || leaves(count - count / 2, leaf));
    }
    for _ in 0..rounds {
        let barrier = Barrier::new(PARTIES);
        let wait = || _ = blocking(|| barrier.wait());
        pool.scope(|scope| (0..PARTIES).for_each(|_| scope.spawn(|_| wait())));
        pool.in_place_scope(|scope| (0..PARTIES).for_each(|_| scope.spawn(|_| wait())));
        pool.install(|| leaves(PARTIES, &wait));
    }
}

#[test]
fn more_tasks_than_workers_may_wait_for_one_another() {
    for workers in FEW {
        meet(&pool(workers), 100);
        let pool = Pool::from(builder(workers).max_threads(PARTIES));
        meet(&pool, 100);
    }
}

#[test]
fn detached_tasks_may_wait_for_one_another() {
    for workers in FEW {
        let pool = Pool::from(builder(workers).max_threads(PARTIES));
        for _ in 0..200 {
            let barrier = Arc::new(Barrier::new(PARTIES));
            let task = || {
                let barrier = Arc::clone(&barrier);
                move || _ = blocking(|| barrier.wait())
            };
            let handles: Vec<_> = (0..PARTIES).map(|_| pool.spawn_handle(task())).collect();
            handles.into_iter().for_each(|handle| handle.join().unwrap());
        }
    }
}

#[test]
fn blocking_may_be_nested_and_use_the_pool() {
    for workers in FEW {
        let pool = Pool::from(builder(workers).max_threads(PARTIES));
        for _ in 0..200 {
            let barrier = Barrier::new(PARTIES);
            pool.in_place_scope(|scope| {
                for _ in 0..PARTIES {
                    scope.spawn(|_| {
                        let inner = || {
                            blocking(|| ());
                            assert_eq!(fib(5), 5);
                            barrier.wait();
                        };
                        blocking(|| filch::join(|| blocking(inner), || fib(5)));
                    });
                }
            });
        }
    }
}

#[test]
fn a_guest_that_blocks_is_replaced() {
    on_new_thread(|| {
        let pool = builder(1).use_current_thread().max_threads(PARTIES).build().unwrap();
        for _ in 0..200 {
            let barrier = Barrier::new(PARTIES);
            pool.in_place_scope(|scope| {
                (1..PARTIES).for_each(|_| scope.spawn(|_| _ = blocking(|| barrier.wait())));
                blocking(|| barrier.wait());
            });
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_guest_that_is_gone_does_not_count_as_one_that_runs() {
    let other = pool(1);
    // Its thread ends, and takes nobody's work with it.
    let build = || builder(2).max_threads(2).use_current_thread().build().unwrap();
    let lone = on_new_thread(build);
    let (done, is_done) = channel();
    let other = Arc::new(other);
    lone.spawn(move || {
        let (sender, receiver) = channel();
        filch::spawn(move || sender.send(()).unwrap());
        other.install(move || receiver.recv().unwrap());
        done.send(()).unwrap();
    });
    let _dog = Dog::alone();
    is_done.recv().unwrap();
    assert!(lone.counters().last_resorts > 0);
}

#[test]
fn a_pool_ends_after_those_that_block_and_with_all_of_its_spares() {
    for workers in FEW {
        for _ in 0..50 {
            let (ran, begun, ended) =
                <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
            let count = |count: &Arc<AtomicUsize>| {
                let count = Arc::clone(count);
                move |_| _ = count.fetch_add(1, Ordering::Relaxed)
            };
            let builder = builder(workers).max_threads(PARTIES);
            let builder = builder.start_handler(count(&begun)).exit_handler(count(&ended));
            let pool = Pool::from(builder);
            let barrier = Arc::new(Barrier::new(PARTIES));
            for _ in 0..PARTIES {
                let (barrier, count) = (Arc::clone(&barrier), count(&ran));
                pool.spawn(move || {
                    blocking(|| barrier.wait());
                    filch::spawn(move || blocking(|| count(0)));
                });
            }
            pool.shutdown().unwrap();
            let all = [ran, begun, ended].map(|count| count.load(Ordering::Relaxed));
            assert_eq!(all, [PARTIES; 3]);
        }
    }
}

#[test]
fn outside_a_pool_blocking_just_calls() {
    let here = thread::current().id();
    assert_eq!(blocking(|| thread::current().id()), here);
    assert_eq!(panic_of(|| blocking(|| explode("here"))), "here");
}

#[test]
fn blocking_that_panics_leaves_the_pool_whole() {
    for workers in FEW {
        let pool = Pool::from(builder(workers).max_threads(PARTIES));
        for _ in 0..60 {
            let part = |_: filch::BroadcastContext<'_>| {
                let panics = || blocking(|| blocking(|| explode("blocking")));
                assert_eq!(panic_of(panics), "blocking");
            };
            pool.broadcast(part);
            let in_arm = || filch::join(|| blocking(|| explode("a")), || fib(5));
            assert_eq!(panic_of(|| pool.install(in_arm)), "a");
            // Needs every worker's seat, and not one thread more than there may be.
            meet(&pool, 2);
        }
    }
}

/// Nobody else is there, and what it waits for is not allowed to be run by it.
#[test]
fn a_lone_worker_that_waits_for_another_pool_helps_out_as_a_last_resort() {
    let (lone, other) = (Pool::from(builder(1).max_threads(1)), pool(1));
    for round in 1..=5 {
        let (sender, receiver) = channel();
        let lone = &*lone;
        let ask = move || {
            lone.spawn(move || sender.send(filch::current_thread_index()).unwrap());
            receiver.recv().unwrap()
        };
        let ran_on = lone.install(|| other.install(ask));
        assert_eq!((ran_on, lone.counters().last_resorts), (Some(0), round));
    }
}

/// As above, but what it waits for ends before its patience does.
#[test]
fn a_lone_worker_that_is_told_of_tasks_while_it_waits_keeps_its_patience() {
    let (lone, other) = (Arc::new(Pool::from(builder(1).max_threads(1))), Arc::new(pool(1)));
    for _ in 0..20 {
        let ran = Arc::new(AtomicUsize::new(0));
        let task = {
            let (other, ask, ran) = (other.clone(), lone.clone(), ran.clone());
            move || {
                let start = other.install(|| {
                    wait_until(|| asleep(&ask) == 1);
                    let start = Instant::now();
                    for _ in 0..10 {
                        let ran = ran.clone();
                        ask.spawn(move || _ = ran.fetch_add(1, Ordering::Relaxed));
                        thread::sleep(Duration::from_millis(1));
                    }
                    start
                });
                // Or else the machine was busy, and it had reason to lose it.
                if start.elapsed() < Duration::from_millis(90) {
                    assert_eq!(ran.load(Ordering::Relaxed), 0);
                }
            }
        };
        lone.spawn_handle(task).join().unwrap();
        wait_until(|| ran.load(Ordering::Relaxed) == 10);
    }
}

/// A join on two workers without spares, whose `b` blocks until a task has run that `a` starts,
/// before or after `a` has gone to sleep.
fn b_blocks(a_sleeps_first: bool) {
    let pool = &Pool::from(builder(2).max_threads(2));
    let (sender, receiver) = channel();
    let (begun, blocked) = (&Gate::default(), &Gate::default());
    let a = || {
        begun.wait();
        if !a_sleeps_first {
            blocked.wait();
        }
        filch::spawn(move || sender.send(()).unwrap());
    };
    let b = move || {
        let parks = pool.counters().parks;
        begun.open();
        if a_sleeps_first {
            wait_until(|| pool.counters().parks > parks);
        }
        blocking(|| {
            blocked.open();
            receiver.recv().unwrap();
        });
    };
    pool.join(a, b);
    assert_eq!(pool.counters().last_resorts, 1);
}

#[test]
fn a_worker_that_waits_is_the_last_resort_of_one_that_has_blocked() {
    (0..5).for_each(|_| b_blocks(false));
}

#[test]
fn a_worker_that_sleeps_in_a_wait_is_the_last_resort_of_one_that_blocks() {
    (0..5).for_each(|_| b_blocks(true));
}

#[test]
fn a_worker_that_sleeps_in_a_wait_is_the_last_resort_for_work_from_outside() {
    for _ in 0..5 {
        let pool = &Pool::from(builder(2).max_threads(2));
        let (sender, receiver) = channel();
        let (begun, blocked) = (&Gate::default(), &Gate::default());
        let b = move || {
            let parks = pool.counters().parks;
            begun.open();
            wait_until(|| pool.counters().parks > parks);
            blocking(|| {
                blocked.open();
                receiver.recv().unwrap();
            });
        };
        thread::scope(|scope| {
            scope.spawn(|| pool.join(|| begun.wait(), b));
            blocked.wait();
            pool.spawn(move || sender.send(()).unwrap());
        });
        assert_eq!(pool.counters().last_resorts, 1);
    }
}

/// What it waits for ends without the pool's help, and the task that lies ready wants the lock.
#[test]
fn without_spares_a_lock_may_be_held_while_another_pool_works() {
    let (lone, other) = (Pool::from(builder(1).max_threads(1)), pool(1));
    let count = Mutex::new(0);
    lone.scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|_| {
                let mut count = count.lock().unwrap();
                *count += other.install(|| {
                    thread::sleep(Duration::from_millis(1));
                    fib(5)
                });
            });
        }
    });
    assert_eq!(count.into_inner().unwrap(), 50);
}

#[test]
fn without_spares_a_lock_may_be_held_across_a_join_that_blocks() {
    let pool = Pool::from(builder(2).max_threads(2));
    let (count, begun) = (Mutex::new(0), Gate::default());
    pool.scope(|scope| {
        let mut held = count.lock().unwrap();
        let a = || {
            begun.wait();
            scope.spawn(|_| *count.lock().unwrap() += 1);
        };
        let b = || {
            begun.open();
            blocking(|| thread::sleep(Duration::from_millis(10)));
        };
        filch::join(a, b);
        *held += 1;
    });
    assert_eq!(count.into_inner().unwrap(), 2);
}

#[test]
fn without_spares_tasks_wait_until_a_blocked_worker_is_back() {
    for workers in [1, 2] {
        let pool = Pool::from(builder(workers).max_threads(workers));
        let barrier = Arc::new(Barrier::new(workers + 1));
        for _ in 0..workers {
            let barrier = Arc::clone(&barrier);
            pool.spawn(move || _ = blocking(|| barrier.wait()));
        }
        let task = pool.spawn_handle(|| 7);
        // Taken at most by a worker that has yet to meet the barrier.
        thread::sleep(Duration::from_millis(5));
        barrier.wait();
        assert_eq!(task.join().unwrap(), 7);
        assert_eq!(pool.counters().last_resorts, 0);
    }
}

/// Lets this process have so much more memory, or address space. So much for a test's own needs.
#[cfg(target_os = "linux")]
fn limit_memory(more: u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kilobytes: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    let most = kilobytes * 1024 + more;
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the limit is read during the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

/// There is work, and no thread for a spare: those who wait don't call each other.
#[cfg(target_os = "linux")]
#[test]
fn waits_stay_asleep_when_the_system_has_no_thread_for_a_spare() {
    let test = "spares::waits_stay_asleep_when_the_system_has_no_thread_for_a_spare";
    child_succeeds(test, &[], || {
        // No room for a fourth stack.
        const STACK: usize = 1 << 30;
        let waiting = Pool::from(builder(3).stack_size(STACK).detect_blocking(None));
        let (other, gate) = (Arc::new(pool(1)), Arc::new(Gate::default()));
        limit_memory(STACK as u64 / 2);
        for _ in 0..2 {
            let (other, gate) = (Arc::clone(&other), Arc::clone(&gate));
            waiting.spawn(move || other.install(|| gate.wait()));
        }
        wait_until(|| asleep(&waiting) == 2 + 1);
        let (busy, begun) = (Arc::clone(&gate), Arc::new(Gate::default()));
        let begins = Arc::clone(&begun);
        waiting.spawn(move || {
            begins.open();
            busy.wait();
        });
        begun.wait();
        let task = waiting.spawn_handle(|| 7);
        thread::sleep(Duration::from_millis(200));
        let parks = waiting.counters().parks;
        assert!(parks < 50, "{parks}");
        assert!(!task.is_finished(), "there was a thread for a spare");
        gate.open();
        assert_eq!(task.join().unwrap(), 7);
        assert_eq!(waiting.counters().last_resorts, 0);
    });
}

/// A worker has work for others on its own lane only, and there are no others.
#[test]
fn a_lone_worker_that_waits_for_another_pool_sleeps() {
    let (lone, other) = (Pool::from(builder(1).max_threads(1)), pool(1));
    let wait = || other.install(|| thread::sleep(Duration::from_millis(300)));
    let (used, _) = lone.install(|| {
        let a = || {
            let before = cpu_time();
            wait();
            cpu_time() - before
        };
        filch::join(a, || ())
    });
    assert!(used < patient(Duration::from_millis(100)), "{used:?}");
    // One for each grace, and not one for each look.
    assert!(lone.counters().parks < 30, "{:?}", lone.counters());
}

/// Of the current thread.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn no_two_threads_of_a_pool_share_an_index() {
    for workers in [1, 2, 4] {
        for max in [workers + 3, workers + 32] {
            let pool = Pool::from(builder(workers).max_threads(max));
            assert_eq!(pool.max_thread_index(), max);
            let owners: Vec<OnceLock<ThreadId>> = (0..max).map(|_| OnceLock::new()).collect();
            let check = || {
                let (index, here) =
                    (filch::current_thread_index().unwrap(), thread::current().id());
                assert_eq!(*owners[index].get_or_init(|| here), here);
                assert_eq!(filch::max_thread_index(), max);
            };
            for _ in 0..40 {
                pool.scope(|scope| {
                    for task in 0..40 {
                        scope.spawn(move |_| {
                            check();
                            let rest = || blocking(|| thread::sleep(Duration::from_micros(50)));
                            filch::join(rest, || filch::scope(|s| s.spawn(|_| rest())));
                            check();
                            if task % 8 == 0 {
                                filch::broadcast(|_| check());
                            }
                        });
                    }
                });
            }
            let threads: Vec<_> = owners.iter().filter_map(OnceLock::get).collect();
            assert!(threads.len() > workers, "no spare has come");
            assert_eq!(threads.iter().collect::<HashSet<_>>().len(), threads.len());
        }
    }
}

#[test]
fn an_impossible_maximum_is_refused() {
    let _dog = Dog::alone();
    let message = |error: filch::Error| error.to_string();
    let below = message(builder(3).max_threads(2).build().unwrap_err());
    assert!(below.contains("max_threads") && below.contains('2') && below.contains('3'), "{below}");

    let spawn = |thread: filch::ThreadBuilder| {
        thread::spawn(|| thread.run());
        Ok(())
    };
    let custom = || builder(2).spawn_handler(spawn);
    let above = message(custom().max_threads(3).build().unwrap_err());
    assert!(above.contains("spawn handler"), "{above}");
    assert_eq!(custom().max_threads(2).build().unwrap().max_thread_index(), 2);
    assert_eq!(custom().build().unwrap().max_thread_index(), 2);

    let limit = filch::max_num_threads();
    assert!(message(builder(1).max_threads(limit + 1).build().unwrap_err()).contains("max_num"));
    let scoped = builder(1).max_threads(2).build_scoped(|thread| thread.run(), |_| ());
    assert!(scoped.is_err());
}
