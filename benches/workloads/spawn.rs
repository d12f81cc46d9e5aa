//! A million empty tasks: what it costs to make, queue, find and run one.

use crate::common::pools::Spawner;
use crate::common::size;
use crate::workloads::{About, Spawning, Unit};
use crossbeam_utils::CachePadded;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Tasks that one thread outside the pool spawns.
pub struct Outside {
    tasks: u64,
}

impl Outside {
    pub fn new() -> Self {
        Self::of(size(1_000_000, 20_000))
    }

    pub fn of(tasks: u64) -> Self {
        Self { tasks }
    }
}

impl Spawning for Outside {
    fn about(&self) -> About {
        About {
            name: format!("{} tasks spawned from outside", self.tasks),
            unit: Unit::NanosPer("task", self.tasks),
        }
    }

    fn run<S: Spawner>(&self, pool: &S) -> Duration {
        let before = done_by_all();
        let start = Instant::now();
        for _ in 0..self.tasks {
            pool.spawn(|| done(1));
        }
        wait_for(before + self.tasks);
        start.elapsed()
    }
}

/// Tasks that end by spawning the next one: several chains, so that all workers can be busy.
pub struct Nested {
    length: u64,
}

const CHAINS: u64 = 64;

impl Nested {
    pub fn new() -> Self {
        Self { length: size(1_000_000, 20_000) / CHAINS }
    }
}

impl Spawning for Nested {
    fn about(&self) -> About {
        let tasks = CHAINS * self.length;
        About {
            name: format!("{tasks} tasks, each spawned by another, in {CHAINS} chains"),
            unit: Unit::NanosPer("task", tasks),
        }
    }

    fn run<S: Spawner>(&self, pool: &S) -> Duration {
        let length = self.length;
        let start = Instant::now();
        COUNTDOWN.begin(CHAINS);
        for _ in 0..CHAINS {
            pool.spawn(move || chain::<S>(length));
        }
        COUNTDOWN.wait();
        start.elapsed()
    }
}

fn chain<S: Spawner>(length: u64) {
    match length {
        1 => COUNTDOWN.done(),
        _ => S::respawn(move || chain::<S>(length - 1)),
    }
}

/// Where one thread sleeps until so many things are done. If it looked for that now and then,
/// it would take part of a CPU from one of the workers, who would fall a whole long task
/// behind. A static, as tasks are to be small.
pub static COUNTDOWN: Countdown = Countdown { left: AtomicU64::new(0), waiter: Mutex::new(None) };

pub struct Countdown {
    left: AtomicU64,
    waiter: Mutex<Option<Thread>>,
}

impl Countdown {
    pub fn begin(&self, count: u64) {
        *self.waiter.lock().unwrap() = Some(thread::current());
        self.left.store(count, Ordering::Release);
    }

    /// One of the things is done. For few things: all write to the same word.
    pub fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(waiter) = &*self.waiter.lock().unwrap()
        {
            waiter.unpark();
        }
    }

    pub fn wait(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            thread::park();
        }
    }
}

/// What each thread has done. A counter that all write to would cost as much as a task.
static COUNTS: Mutex<Vec<&CachePadded<AtomicU64>>> = Mutex::new(Vec::new());

thread_local! {
    static COUNT: &'static CachePadded<AtomicU64> = {
        let count = &*Box::leak(Box::default());
        COUNTS.lock().unwrap().push(count);
        count
    };
}

pub fn done(tasks: u64) {
    // Release: whoever sees the count sees what the tasks did. Only this thread writes.
    COUNT.with(|count| count.store(count.load(Ordering::Relaxed) + tasks, Ordering::Release));
}

pub fn done_by_all() -> u64 {
    COUNTS.lock().unwrap().iter().map(|count| count.load(Ordering::Acquire)).sum()
}

/// Looks seldom, so as not to take much of a CPU from the workers; a run takes a thousand times
/// longer than the pause.
pub fn wait_for(count: u64) {
    while done_by_all() < count {
        thread::sleep(Duration::from_micros(100));
    }
}
