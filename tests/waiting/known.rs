//! Shapes that stop rayon, by a deadlock or by the end of a stack. Each runs on filch, and on
//! rayon in a child process, where it must fail: so each is one that can.

use super::common::*;
use std::cell::Cell;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, OnceLock};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// What the shapes use of a pool.
trait Library: Sync {
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send);
    /// From outside, so that the tasks lie in no worker's own queue.
    fn tasks(&self, count: usize, task: impl Fn(usize) + Sync);
}

impl Library for filch::ThreadPool {
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        self.join(a, b);
    }

    fn tasks(&self, count: usize, task: impl Fn(usize) + Sync) {
        let task = &task;
        self.in_place_scope(|scope| (0..count).for_each(|i| scope.spawn(move |_| task(i))));
    }
}

impl Library for rayon::ThreadPool {
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        self.join(a, b);
    }

    fn tasks(&self, count: usize, task: impl Fn(usize) + Sync) {
        let task = &task;
        self.in_place_scope(|scope| (0..count).for_each(|i| scope.spawn(move |_| task(i))));
    }
}

/// Long enough for others to take what lies beside it, if they may.
fn pause(times: usize) {
    (0..times).for_each(|_| sleep(Duration::from_micros(20)));
}

/// A join that most likely has to wait for its `b`.
fn parallel_work(pool: &impl Library) {
    pool.join(|| pause(1), || pause(4));
}

/// rayon#592. Every other task needs no lock, or the thieves would all wait for it.
fn lock_across_joins(pool: &impl Library) {
    let count = Mutex::new(0);
    pool.tasks(300, |task| {
        let lock = (task % 2 == 0).then(|| count.lock().unwrap());
        parallel_work(pool);
        if let Some(mut count) = lock {
            pool.tasks(2, |_| parallel_work(pool));
            *count += 1;
        }
    });
    assert_eq!(count.into_inner().unwrap(), 150);
}

/// rayon#1251.
fn initialize_in_parallel(pool: &impl Library) {
    for _ in 0..30 {
        let (value, makers) = (OnceLock::new(), AtomicUsize::new(0));
        pool.tasks(16, |task| {
            let make = || {
                parallel_work(pool);
                makers.fetch_add(1, Ordering::Relaxed)
            };
            if task % 2 == 0 {
                assert_eq!(*value.get_or_init(make), 0);
            } else {
                parallel_work(pool);
            }
        });
        assert_eq!(makers.into_inner(), 1);
    }
}

thread_local! {
    /// How many leaves lie on this thread's stack.
    static LEAVES: Cell<usize> = const { Cell::new(0) };
}

const ITEMS: usize = 10_000;

/// Ten of these on top of each other are too much for a stack of 2 MiB. Notes the most that
/// there were.
#[inline(never)]
fn leaf(pool: &impl Library, item: usize, most: &AtomicUsize) {
    let frame = black_box([0_u8; 200_000]);
    LEAVES.set(LEAVES.get() + 1);
    most.fetch_max(LEAVES.get(), Ordering::Relaxed);
    // Some wait for their `b`, and some are over at once, so that there are thieves.
    let waits = item < 3000 && item % 32 < 8;
    let (a, b) = if waits { (1, 1 + item % 4 * 4) } else { (0, 0) };
    pool.join(|| pause(a), || pause(b));
    LEAVES.set(LEAVES.get() - 1);
    black_box(&frame);
}

/// rayon#751, #854, #1194.
fn leaves_of_a_scope(pool: &impl Library, most: &AtomicUsize) {
    pool.tasks(ITEMS, |item| leaf(pool, item, most));
}

fn leaves_of_joins(pool: &impl Library, first: usize, count: usize, most: &AtomicUsize) {
    if count == 1 {
        return leaf(pool, first, most);
    }
    let half = count / 2;
    pool.join(
        || leaves_of_joins(pool, first, half, most),
        || leaves_of_joins(pool, first + half, count - half, most),
    );
}

/// rayon#957, with two workers: a short join beside a long task, which ends only after it. Who
/// runs the task while the join waits never sees the join end.
fn a_short_join_beside_a_long_task(pool: &impl Library) {
    let (b_runs, task_runs, both) = (Gate::default(), Gate::default(), Barrier::new(2));
    thread::scope(|threads| {
        threads.spawn(|| {
            b_runs.wait();
            pool.tasks(1, |_| {
                task_runs.open();
                both.wait();
            });
        });
        pool.tasks(1, |_| {
            let b = || {
                b_runs.open();
                // Time enough for the one that waits for us to take the task, if it may.
                let begin = Instant::now();
                while !task_runs.is_open() && begin.elapsed() < Duration::from_millis(100) {
                    pause(1);
                }
            };
            pool.join(|| b_runs.wait(), b);
            both.wait();
        });
    });
}

/// rayon#779, #904, #988: blocked workers take their CPUs out of the pool, and so the task
/// they wait for.
fn more_tasks_wait_than_there_are_workers(pool: &impl Library, workers: usize) {
    let barrier = Barrier::new(workers + 1);
    pool.tasks(workers + 1, |_| _ = barrier.wait());
}

const WORKERS: [usize; 4] = [1, 2, 4, 8];

#[test]
fn a_lock_may_be_held_across_joins_and_scopes() {
    for pool in WORKERS.map(pool) {
        lock_across_joins(&*pool);
        assert_eq!(pool.counters().last_resorts, 0);
    }
}

#[test]
fn a_once_lock_may_be_initialized_in_parallel() {
    for pool in WORKERS.map(pool) {
        initialize_in_parallel(&*pool);
        assert_eq!(pool.counters().last_resorts, 0);
    }
}

/// Runs `shape` on 2 MiB stacks and sees that no leaf lies on top of another.
fn keeps_stacks_low(shape: impl Fn(&filch::ThreadPool, &AtomicUsize)) {
    for workers in WORKERS {
        let pool = Pool::from(builder(workers).stack_size(2 << 20));
        let most = AtomicUsize::new(0);
        shape(&pool, &most);
        assert_eq!((most.into_inner(), pool.counters().last_resorts), (1, 0));
    }
}

#[test]
fn leaves_of_a_scope_lie_on_no_other_leaf() {
    keeps_stacks_low(leaves_of_a_scope);
}

#[test]
fn leaves_of_joins_lie_on_no_other_leaf() {
    keeps_stacks_low(|pool, most| leaves_of_joins(pool, 0, ITEMS, most));
}

#[test]
fn a_join_ends_before_a_long_task_that_began_meanwhile() {
    let pool = pool(2);
    for _ in 0..5 {
        a_short_join_beside_a_long_task(&*pool);
    }
    assert_eq!(pool.counters().last_resorts, 0);
}

#[test]
fn more_tasks_than_workers_may_wait_for_one_another_without_saying_so() {
    for workers in WORKERS {
        let pool = pool(workers);
        more_tasks_wait_than_there_are_workers(&*pool, workers);
        assert!(pool.counters().stalls > 0);
    }
}

const CHILD: &str = "FILCH_CONTROL_CHILD";

/// Runs `shape` on rayon in a child process, where it must hang or crash. To pass thrice is
/// to be no control. `test` is the calling test's name.
fn fails_on_rayon(test: &str, workers: usize, shape: impl Fn(&rayon::ThreadPool)) {
    if std::env::var(CHILD).is_ok_and(|child| child == test) {
        let _dog = Dog::alone();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).stack_size(2 << 20);
        let pool = pool.build().unwrap();
        (0..20).for_each(|_| shape(&pool));
        return;
    }
    let _dog = Dog::alone();
    let fails = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, test);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        match end_of(&mut child) {
            None => true,
            // A panic would be a fault of the shape, not of rayon.
            Some(status) => {
                assert_ne!(status.code(), Some(101), "{test}");
                status.signal().is_some()
            }
        }
    };
    assert!((0..3).any(|_| fails()), "{test}: rayon got through");
}

/// How the child ended, or `None` if all of its threads have slept for two seconds.
fn end_of(child: &mut Child) -> Option<ExitStatus> {
    const PERIOD: Duration = Duration::from_millis(50);
    let (mut last, mut still) = (String::new(), 0);
    while still < 40 {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        let now = rest(child.id());
        still = if now == last && !now.is_empty() { still + 1 } else { 0 };
        last = now;
        sleep(PERIOD);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// How often each thread of the process has been switched to, or nothing if one isn't asleep.
fn rest(process: u32) -> String {
    let mut switches = String::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten() {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status"));
        let status = status.unwrap_or_default();
        if !status.lines().any(|line| line.starts_with("State:\tS")) {
            return String::new();
        }
        status.lines().filter(|line| line.contains("ctxt")).for_each(|line| switches += line);
    }
    switches
}

#[test]
fn control_rayon_deadlocks_on_a_lock_held_across_joins() {
    let test = "known::control_rayon_deadlocks_on_a_lock_held_across_joins";
    fails_on_rayon(test, 4, lock_across_joins);
}

#[test]
fn control_rayon_deadlocks_on_a_once_lock_initialized_in_parallel() {
    let test = "known::control_rayon_deadlocks_on_a_once_lock_initialized_in_parallel";
    fails_on_rayon(test, 4, initialize_in_parallel);
}

#[test]
fn control_rayon_overflows_its_stack_with_leaves_of_a_scope() {
    let test = "known::control_rayon_overflows_its_stack_with_leaves_of_a_scope";
    fails_on_rayon(test, 8, |pool| leaves_of_a_scope(pool, &AtomicUsize::new(0)));
}

#[test]
fn control_rayon_deadlocks_on_a_long_task_that_a_short_join_picks_up() {
    let test = "known::control_rayon_deadlocks_on_a_long_task_that_a_short_join_picks_up";
    fails_on_rayon(test, 2, a_short_join_beside_a_long_task);
}

#[test]
fn control_rayon_deadlocks_on_more_tasks_that_wait_than_workers() {
    let test = "known::control_rayon_deadlocks_on_more_tasks_that_wait_than_workers";
    fails_on_rayon(test, 2, |pool| more_tasks_wait_than_there_are_workers(pool, 2));
}
