//! How long a task waits from the call that spawns it to its first instruction.

use crate::common::pools::Spawner;
use crate::workloads::spawn::{done, done_by_all, wait_for};
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Of nanoseconds, up to a hundred seconds, with three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 100_000_000_000, 3).unwrap()
}

/// When each of some tasks began, in nanoseconds since `base`.
struct Beginnings {
    base: Instant,
    /// A place for each task, so that none waits for another to write.
    nanos: Box<[AtomicU64]>,
}

impl Beginnings {
    fn new(tasks: usize) -> Arc<Self> {
        Arc::new(Self {
            base: Instant::now(),
            nanos: (0..tasks).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    fn now(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    fn mark(&self, task: usize) {
        self.nanos[task].store(self.now(), Ordering::Relaxed);
        done(1);
    }
}

/// Spawns tasks one by one into a pool that has been idle for a while, and records how long
/// each waited and how long the call took.
pub fn wake<S: Spawner>(
    pool: &S,
    tasks: usize,
    waits: &mut Histogram<u64>,
    calls: &mut Histogram<u64>,
) -> Duration {
    /// Long enough for every pool to have gone to sleep.
    const PAUSE: Duration = Duration::from_micros(1500);
    let beginnings = Beginnings::new(tasks);
    let mut spawned = Vec::with_capacity(tasks);
    let ended = done_by_all();
    for task in 0..tasks {
        thread::sleep(PAUSE);
        let theirs = Arc::clone(&beginnings);
        let before = beginnings.now();
        pool.spawn(move || theirs.mark(task));
        calls.saturating_record(beginnings.now() - before);
        spawned.push(before);
        wait_for(ended + 1 + task as u64);
    }
    record(&beginnings, &spawned, waits);
    Duration::from_nanos(beginnings.now())
}

/// Spawns a task from outside every 50 us while tasks of 10 us that spawn themselves again
/// keep all workers busy. Records how long each waited, whether or not the load still went
/// on when it began at last, and returns the number of those that began only after it.
pub fn under_load<S: Spawner>(pool: &S, lasting: Duration, waits: &mut Histogram<u64>) -> u64 {
    const PERIOD: Duration = Duration::from_micros(50);
    /// More than workers, so that each of them always has a next one at hand.
    const LOAD: u64 = 8;
    let tasks = (lasting.as_nanos() / PERIOD.as_nanos()) as usize;
    let beginnings = Beginnings::new(tasks);
    let mut spawned = Vec::with_capacity(tasks);
    let ended = done_by_all();
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..LOAD {
        let stop = Arc::clone(&stop);
        pool.spawn(move || load::<S>(stop));
    }
    for task in 0..tasks {
        // An open loop: a task is due when it is due. If this thread overslept, or the pool
        // took long to accept the last one, those that are due follow at once.
        let due = PERIOD * task as u32;
        if let Some(pause) = due.checked_sub(beginnings.base.elapsed()) {
            thread::sleep(pause);
        }
        let theirs = Arc::clone(&beginnings);
        spawned.push(beginnings.now());
        pool.spawn(move || theirs.mark(task));
    }
    let end = beginnings.now();
    stop.store(true, Ordering::Relaxed);
    wait_for(ended + LOAD + tasks as u64);
    record(&beginnings, &spawned, waits);
    beginnings.nanos.iter().filter(|began| began.load(Ordering::Relaxed) > end).count() as u64
}

fn load<S: Spawner>(stop: Arc<AtomicBool>) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(10) {
        std::hint::spin_loop();
    }
    if stop.load(Ordering::Relaxed) {
        done(1);
    } else {
        S::respawn(move || load::<S>(stop));
    }
}

fn record(beginnings: &Beginnings, spawned: &[u64], waits: &mut Histogram<u64>) {
    for (began, spawned) in beginnings.nanos.iter().zip(spawned) {
        waits.saturating_record(began.load(Ordering::Relaxed).saturating_sub(*spawned));
    }
}
