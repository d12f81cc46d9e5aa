//! Whole pools under shuttle, which runs one thread at a time and switches wherever threads meet: at random, or as PCT
//! has it, by priorities that change at a few random places. A pool that forgets somebody is a deadlock, which shuttle
//! reports; one that never rests takes too many steps. Weak memory is none of its business: that is loom's.
//!
//! `scripts/shuttle` runs it, and sees it fail for pools that are at fault. Each test makes `FILCH_SHUTTLE_RUNS` runs by
//! either scheduler; a failure names its seed, and `FILCH_SHUTTLE_SEED` makes just the runs of that one.
#![cfg(shuttle)]

use filch::{CancelToken, Monitoring, Pinning, Request, Resource, ThreadPool, ThreadPoolBuilder};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread::{JoinHandle, spawn};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner, current};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs by one seed: enough for PCT to have learnt how long a run is.
const BATCH: usize = 50;
/// By default, of each test by either scheduler.
const RUNS: usize = 500;
/// Those of a run are some thousands.
const STEPS: usize = 500_000;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

fn check(program: fn()) {
    let runs = variable("FILCH_SHUTTLE_RUNS").unwrap_or(RUNS);
    let seeds = match variable("FILCH_SHUTTLE_SEED") {
        Some(seed) => seed..=seed,
        None => {
            let first = RandomState::new().hash_one(0) >> 16;
            first..=first + (runs.max(1) - 1) as u64 / BATCH as u64
        }
    };
    for seed in seeds {
        if let Err(failure) = catch_unwind(|| batch(seed, program)) {
            eprintln!("to see it again: FILCH_SHUTTLE_SEED={seed}");
            resume_unwind(failure);
        }
    }
}

fn batch(seed: u64, program: impl Fn() + Clone + Send + Sync + 'static) {
    run(RandomScheduler::new_from_seed(seed, BATCH), program.clone());
    run(PctScheduler::new_from_seed(seed, 3, BATCH), program);
}

fn run(scheduler: impl Scheduler + 'static, program: impl Fn() + Send + Sync + 'static) {
    // One test at a time: filch has statics that no two may use.
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(program);
}

/// A number below this one, as the seed says.
fn below(bound: usize) -> usize {
    thread_rng().gen_range(0..bound)
}

fn builder(workers: usize) -> ThreadPoolBuilder {
    ThreadPoolBuilder::new()
        .num_threads(workers)
        .max_threads(workers)
        .monitoring(Monitoring::off())
        .detect_blocking(None)
        .pinning(Pinning::None)
}

/// Of one to three workers.
fn pool() -> ThreadPool {
    builder(1 + below(3)).build().unwrap()
}

/// Counts what has been done, without shuttle's seeing it.
#[derive(Clone, Default)]
struct Tally(Arc<AtomicU64>);

impl Tally {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn is(&self, expected: u64) {
        assert_eq!(self.get(), expected);
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// So many threads outside, each of which does it.
fn outside(threads: usize, program: impl Fn() + Send + Sync + 'static) -> Vec<JoinHandle<()>> {
    let program = Arc::new(program);
    let start = |_| {
        let program = Arc::clone(&program);
        spawn(move || program())
    };
    (0..threads).map(start).collect()
}

fn wait_for(threads: Vec<JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// What the pool has counted when it has ended.
#[track_caller]
fn ends_with(pool: &ThreadPool, tasks: u64, joins: u64) {
    pool.shutdown().unwrap();
    let counters = pool.counters();
    assert_eq!((counters.tasks, counters.joins), (tasks, joins));
}

#[test]
fn joins_come_to_their_result() {
    check(|| {
        let pool = pool();
        assert_eq!(pool.install(|| fib(5)), 5);
        assert_eq!(pool.join(|| fib(2), || fib(3)), (1, 2));
        ends_with(&pool, 2, 11);
    });
}

#[test]
fn scopes_end_after_their_tasks() {
    check(|| {
        let (pool, tally) = (pool(), Tally::default());
        pool.scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|scope| {
                    scope.spawn(|_| tally.add());
                    filch::scope_fifo(|inner| {
                        inner.spawn_fifo(|_| tally.add());
                        inner.spawn_fifo(|_| tally.add());
                    });
                });
            }
        });
        tally.is(9);
        pool.in_place_scope(|scope| (0..3).for_each(|_| scope.spawn(|_| tally.add())));
        tally.is(12);
        ends_with(&pool, 16, 0);
    });
}

#[test]
fn what_is_spawned_runs_once_before_the_pool_ends() {
    check(|| {
        let (pool, tally, all) = (Arc::new(pool()), Tally::default(), Arc::new(Event::default()));
        let task = {
            let (tally, all) = (tally.clone(), Arc::clone(&all));
            move || {
                tally.add();
                if tally.get() == 8 {
                    all.happen();
                }
            }
        };
        let spawners = outside(2, {
            let pool = Arc::clone(&pool);
            move || {
                for _ in 0..2 {
                    let task = task.clone();
                    pool.spawn(move || {
                        filch::spawn(task.clone());
                        task();
                    });
                }
            }
        });
        wait_for(spawners);
        if below(2) == 0 {
            // The end of a pool wakes whoever has been forgotten.
            all.wait();
        }
        if below(2) == 0 {
            ends_with(&pool, 8, 0);
        }
        drop(pool);
        tally.is(8);
    });
}

#[test]
fn a_shutdown_takes_what_was_accepted_and_nothing_else() {
    check(|| {
        let (pool, ran, accepted) = (Arc::new(pool()), Tally::default(), Tally::default());
        let spawners = outside(1 + below(2), {
            let (pool, ran, accepted) = (Arc::clone(&pool), ran.clone(), accepted.clone());
            move || {
                for _ in 0..3 {
                    let ran = ran.clone();
                    if pool.try_spawn(move || ran.add()).is_ok() {
                        accepted.add();
                    }
                }
            }
        });
        let first = ran.clone();
        pool.spawn(move || {
            assert_eq!(fib(3), 2);
            first.add();
        });
        pool.shutdown().unwrap();
        let before = ran.get();
        wait_for(spawners);
        ran.is(before);
        ran.is(1 + accepted.get());
        ends_with(&pool, before, 2);
    });
}

#[test]
fn a_pool_changes_its_size_while_it_works() {
    check(|| {
        let pool = Arc::new(builder(2).max_threads(3).build().unwrap());
        let tally = Tally::default();
        let resizer = outside(1, {
            let pool = Arc::clone(&pool);
            move || {
                for _ in 0..3 {
                    let size = 1 + below(3);
                    pool.resize(size..=size).unwrap();
                }
            }
        });
        pool.scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|_| {
                    assert_eq!(fib(3), 2);
                    tally.add();
                });
            }
        });
        tally.is(3);
        assert_eq!(pool.install(|| fib(4)), 3);
        wait_for(resizer);
        ends_with(&pool, 5, 10);
    });
}

#[test]
fn calls_come_from_several_threads_and_pools() {
    check(|| {
        let (one, other) = (Arc::new(pool()), Arc::new(pool()));
        let mut callers = outside(1 + below(2), {
            let one = Arc::clone(&one);
            move || (0..3).for_each(|n| assert_eq!(one.install(|| n), n))
        });
        callers.extend(outside(1, {
            let (one, other) = (Arc::clone(&one), Arc::clone(&other));
            move || one.install(|| assert_eq!(other.install(|| fib(3)), 2))
        }));
        other.install(|| assert_eq!(one.install(|| fib(3)), 2));
        let calls = 2 + 3 * (callers.len() as u64 - 1);
        wait_for(callers);
        ends_with(&one, calls, 2);
        ends_with(&other, 2, 2);
    });
}

#[test]
fn broadcasts_reach_each_worker_once() {
    check(|| {
        let (pool, tally) = (Arc::new(pool()), Tally::default());
        let workers = pool.current_num_threads();
        let caller = outside(1, {
            let pool = Arc::clone(&pool);
            move || assert_eq!(pool.install(|| fib(3)), 2)
        });
        let all = pool.broadcast(|context| {
            tally.add();
            context.index()
        });
        assert!(all.into_iter().eq(0..workers));
        tally.is(workers as u64);
        let later = tally.clone();
        pool.spawn_broadcast(move |_| later.add());
        pool.install(|| assert_eq!(filch::broadcast(|_| fib(2)), vec![1; workers]));
        wait_for(caller);
        let workers = workers as u64;
        ends_with(&pool, 3 * workers + 2, 2 + workers);
        tally.is(2 * workers);
    });
}

#[test]
fn handles_give_results_to_whoever_waits() {
    check(|| {
        let pool = pool();
        let first = pool.spawn_handle(|| fib(3));
        let second = pool.spawn_handle(|| {
            let inner = filch::spawn_handle(|| 1);
            inner.join().unwrap() + first.join().unwrap()
        });
        assert_eq!(second.join().unwrap(), 3);
        drop(pool.spawn_handle(|| fib(2)));
        ends_with(&pool, 4, 3);
    });
}

/// Ends whatever it is in. No `panic!`, of which shuttle would make a report.
fn bang() {
    resume_unwind(Box::new("bang"));
}

/// Whether it came to that.
fn bangs(program: impl FnOnce()) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(program));
    outcome.is_err_and(|payload| payload.downcast_ref() == Some(&"bang"))
}

#[test]
fn a_panic_comes_out_where_somebody_waits_when_all_has_ended() {
    check(|| {
        let (pool, tally, reported) = (builder(1 + below(3)), Tally::default(), Tally::default());
        let report = reported.clone();
        let pool = pool.panic_handler(move |_| report.add()).build().unwrap();
        assert!(bangs(|| _ = pool.join(bang, || tally.add())));
        assert!(bangs(|| _ = pool.join(|| tally.add(), bang)));
        tally.is(2);
        let in_scope = || {
            pool.scope(|scope| {
                scope.spawn(|_| bang());
                scope.spawn(|_| assert!(bangs(|| _ = filch::join(bang, || tally.add()))));
                scope.spawn(|_| tally.add());
            });
        };
        assert!(bangs(in_scope));
        tally.is(4);
        assert!(bangs(|| _ = pool.broadcast(|_| bang())));
        let failed = pool.spawn_handle(bang).join();
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"bang"));
        reported.is(0);
        pool.spawn(bang);
        pool.shutdown().unwrap();
        reported.is(1);
    });
}

#[test]
fn what_is_cancelled_is_dropped_or_run() {
    struct Drops(Tally);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.add();
        }
    }
    check(|| {
        let (pool, token) = (pool(), CancelToken::new());
        let (ran, dropped) = (Tally::default(), Tally::default());
        let mut tasks: Vec<_> = (0..3)
            .map(|_| {
                let (ran, drops) = (ran.clone(), Drops(dropped.clone()));
                let builder = filch::TaskBuilder::new().pool(&pool).token(&token);
                builder.spawn_handle(move || {
                    ran.add();
                    drop(drops);
                })
            })
            .collect();
        let alone = tasks.pop().unwrap();
        let cancelled = alone.cancel();
        assert_eq!(alone.join().is_err(), cancelled);
        token.cancel();
        let done = tasks.into_iter().filter_map(|task| task.join().ok()).count();
        ran.is((done + usize::from(!cancelled)) as u64);
        dropped.is(3);
        let (inside, count) = (Tally::default(), below(3) as u64);
        pool.scope(|scope| {
            for _ in 0..count {
                scope.spawn(|_| inside.add());
            }
            scope.cancel();
            scope.spawn(|_| unreachable!("spawned after it was cancelled"));
        });
        assert!(inside.get() <= count);
        pool.shutdown().unwrap();
        let never_ran = 3 - ran.get() + count + 1 - inside.get();
        assert_eq!(pool.counters().cancelled, never_ran);
    });
}

/// What one waits for until another says so.
#[derive(Default)]
struct Event(Mutex<bool>, Condvar);

impl Event {
    fn happen(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) {
        let mut happened = self.0.lock().unwrap();
        while !*happened {
            happened = self.1.wait(happened).unwrap();
        }
    }
}

/// Without a word to the pool: only another worker can help.
#[test]
fn whoever_waits_for_its_other_half_gets_another_worker_for_it() {
    check(|| {
        let pool = builder(2 + below(2)).build().unwrap();
        let event = Event::default();
        pool.install(|| filch::join(|| event.wait(), || event.happen()));
        let event = Event::default();
        pool.scope(|scope| {
            scope.spawn(|_| event.wait());
            scope.spawn(|_| event.happen());
        });
        let event = Arc::new(Event::default());
        let (waits, happens) = (Arc::clone(&event), Arc::clone(&event));
        pool.spawn(move || {
            filch::spawn(move || happens.happen());
            waits.wait();
        });
        event.wait();
    });
}

#[test]
fn a_spare_stands_in_for_whoever_blocks() {
    check(|| {
        let workers = 1 + below(2);
        let pool = builder(workers).max_threads(workers + 1).build().unwrap();
        let events = [Event::default(), Event::default()];
        let [first, second] = &events;
        pool.scope(|scope| {
            scope.spawn(|_| {
                filch::blocking(|| first.wait());
                second.happen();
            });
            scope.spawn(|_| {
                assert_eq!(fib(3), 2);
                first.happen();
            });
        });
        second.wait();
        // Waits that the pool knows of.
        pool.install(|| {
            let task = filch::spawn_handle(|| filch::spawn_handle(|| fib(2)).join().unwrap());
            assert_eq!(task.join().unwrap(), 1);
        });
    });
}

#[test]
fn leases_are_waited_for_and_given_back() {
    check(|| {
        let pool = builder(1 + below(2)).max_threads(4).budget(Resource::Memory, 2);
        let (pool, held) = (pool.build().unwrap(), Tally::default());
        let unit = Request::new().memory(1);
        let both = Request::new().memory(2);
        pool.scope(|scope| {
            for round in 0..3 {
                let request = if round == 1 { &both } else { &unit };
                scope.spawn(|_| {
                    let lease = filch::acquire(request).unwrap();
                    let amount = lease.amount(Resource::Memory);
                    let before = held.0.fetch_add(amount, Ordering::Relaxed);
                    assert!(before + amount <= 2);
                    filch::join(|| (), || ());
                    held.0.fetch_sub(amount, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(pool.budget(Resource::Memory).free, 2);
    });
}

#[test]
fn a_bounded_queue_holds_those_up_who_fill_it() {
    check(|| {
        let pool = Arc::new(builder(1 + below(2)).max_queued(2).build().unwrap());
        let tally = Tally::default();
        let spawners = outside(2, {
            let (pool, tally) = (Arc::clone(&pool), tally.clone());
            move || {
                for _ in 0..3 {
                    let tally = tally.clone();
                    pool.spawn(move || tally.add());
                }
            }
        });
        wait_for(spawners);
        ends_with(&pool, 6, 0);
        tally.is(6);
    });
}

#[test]
fn a_guest_works_and_leaves() {
    check(|| {
        let tally = Tally::default();
        // PCT wants a second thread.
        let pool = builder(2 + below(2)).use_current_thread().build().unwrap();
        let task = tally.clone();
        pool.spawn(move || task.add());
        assert_eq!(filch::join(|| fib(3), || fib(2)), (2, 1));
        pool.scope(|scope| scope.spawn(|_| tally.add()));
        if below(2) == 0 {
            assert_eq!(pool.spawn_handle(|| fib(2)).join().unwrap(), 1);
        }
        if below(2) == 0 {
            pool.shutdown().unwrap();
            tally.is(2);
        }
    });
}

#[test]
fn a_pool_that_is_let_go_of_finishes() {
    check(|| {
        let (pool, last) = (pool(), Arc::new(Event::default()));
        let ends = Arc::clone(&last);
        let handle = pool.spawn_handle(move || {
            filch::spawn(move || ends.happen());
            fib(3)
        });
        pool.detach();
        assert_eq!(handle.join().unwrap(), 2);
        last.wait();
    });
}

/// A program that the seed makes up. Returns how many leaves it has.
fn anything(size: usize, tally: &Tally) -> u64 {
    let half = size / 2;
    match if size < 2 { 0 } else { below(8) } {
        0 => {
            tally.add();
            1
        }
        1..4 => {
            let (a, b) = filch::join(|| anything(half, tally), || anything(size - half, tally));
            a + b
        }
        4 | 5 => {
            let leaves = AtomicU64::new(0);
            let part = || _ = leaves.fetch_add(anything(half, tally), Ordering::Relaxed);
            filch::scope(|scope| {
                scope.spawn(|_| part());
                if below(2) == 0 {
                    scope.spawn(|_| part());
                }
                part();
            });
            leaves.into_inner()
        }
        6 => {
            let parts = tally.clone();
            let task = filch::spawn_handle(move || anything(half, &parts));
            anything(half, tally) + task.join().unwrap()
        }
        _ => filch::blocking(|| anything(size - 1, tally)),
    }
}

/// Two such programs at a time, perhaps while the pool changes its size.
fn anything_at_once() {
    let (workers, tally) = (1 + below(3), Tally::default());
    let pool = Arc::new(builder(workers).max_threads(workers + below(2)).build().unwrap());
    let leaves = Tally::default();
    let mut others = outside(1, {
        let (pool, tally, leaves) = (Arc::clone(&pool), tally.clone(), leaves.clone());
        move || _ = leaves.0.fetch_add(pool.install(|| anything(5, &tally)), Ordering::Relaxed)
    });
    others.extend(outside(below(2), {
        let pool = Arc::clone(&pool);
        move || pool.resize(1..=1 + below(pool.max_thread_index())).unwrap()
    }));
    let ours = pool.install(|| anything(8, &tally));
    wait_for(others);
    pool.shutdown().unwrap();
    tally.is(ours + leaves.get());
}

#[test]
fn programs_that_nobody_thought_of_end_as_they_should() {
    check(anything_at_once);
}

#[test]
fn a_seed_says_all_about_its_runs() {
    let lengths = |seed| {
        let lengths = Arc::new(std::sync::Mutex::new(Vec::new()));
        let list = Arc::clone(&lengths);
        batch(seed, move || {
            anything_at_once();
            list.lock().unwrap().push(current::context_switches());
        });
        lengths.lock().unwrap().clone()
    };
    for seed in 0..3 {
        let first = lengths(seed);
        assert_eq!(first.len(), 2 * BATCH);
        assert_eq!(first, lengths(seed));
    }
}
