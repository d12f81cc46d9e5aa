//! Threads that sleep on futexes and nothing around them: what the kernel itself takes, to
//! hold pools against.

use crate::common::pools::Spawner;
use crate::pools::Region;
use atomic_wait::{wait, wake_one};
use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering::*};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

/// On which CPU each of some threads is to be, if it is to be on a certain one.
type Placement = fn(usize) -> Option<usize>;

/// As filch does it: one for each CPU, or they float.
fn pinned(threads: usize) -> Placement {
    let cpus = thread::available_parallelism().map_or(0, usize::from);
    if threads == cpus { Some } else { floating }
}

fn floating(_: usize) -> Option<usize> {
    None
}

/// Runs `body` on a thread of its own, on the CPU with this index if it is to be pinned.
fn start(cpu: Option<usize>, body: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        let cpus = core_affinity::get_core_ids().unwrap_or_default();
        if let Some(cpu) = cpu.and_then(|cpu| cpus.get(cpu)) {
            // A thread that can't be pinned floats, as filch's would.
            core_affinity::set_for_current(*cpu);
        }
        body();
    });
}

type Task = Box<dyn FnOnce() + Send>;

/// Where one thread finds its tasks.
#[derive(Default)]
struct Slot {
    /// 1 if there are tasks.
    word: AtomicU32,
    tasks: Mutex<Vec<Task>>,
}

/// Threads that are woken in turn, each for tasks of its own.
pub struct RawFutex {
    slots: Vec<Arc<Slot>>,
    next: Cell<usize>,
}

impl RawFutex {
    pub fn pinned(threads: usize) -> Self {
        Self::new(threads, pinned(threads))
    }

    pub fn floating(threads: usize) -> Self {
        Self::new(threads, floating)
    }

    fn new(threads: usize, cpu: Placement) -> Self {
        let slot = |thread| {
            let slot = Arc::new(Slot::default());
            let theirs = Arc::clone(&slot);
            start(cpu(thread), move || theirs.serve());
            slot
        };
        Self { slots: (0..threads).map(slot).collect(), next: Cell::new(0) }
    }
}

impl Slot {
    fn serve(&self) {
        loop {
            while self.word.swap(0, Acquire) == 0 {
                wait(&self.word, 0);
            }
            let tasks = mem::take(&mut *self.tasks.lock().unwrap());
            tasks.into_iter().for_each(|task| task());
        }
    }
}

impl Spawner for RawFutex {
    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        let slot = &self.slots[self.next.get()];
        self.next.set((self.next.get() + 1) % self.slots.len());
        slot.tasks.lock().unwrap().push(Box::new(task));
        slot.word.store(1, Release);
        wake_one(&slot.word);
    }

    fn respawn(_: impl FnOnce() + Send + 'static) {
        panic!("threads that only others give tasks to can't spawn any")
    }
}

/// A region by hand: the caller and the other threads take pieces until none is left.
pub struct Team {
    shared: Arc<Shared>,
    others: usize,
}

#[derive(Default)]
struct Shared {
    region: AtomicU32,
    next: AtomicU32,
    undone: AtomicU32,
    /// The same for all regions, so that who is late for one may take part in the next.
    work: OnceLock<(u32, fn(u32))>,
}

impl Team {
    pub fn pinned(threads: usize) -> Self {
        Self::new(threads, pinned(threads))
    }

    pub fn floating(threads: usize) -> Self {
        Self::new(threads, floating)
    }

    /// The caller is thread 0 and floats, as callers do.
    fn new(threads: usize, cpu: Placement) -> Self {
        let shared = Arc::new(Shared::default());
        for thread in 1..threads {
            let shared = Arc::clone(&shared);
            start(cpu(thread), move || shared.serve());
        }
        Self { shared, others: threads - 1 }
    }
}

impl Shared {
    fn serve(&self) {
        let mut seen = 0;
        loop {
            while self.region.load(Acquire) == seen {
                wait(&self.region, seen);
            }
            seen = self.region.load(Acquire);
            self.take_pieces();
        }
    }

    fn take_pieces(&self) {
        let (pieces, piece) = *self.work.get().unwrap();
        loop {
            let number = self.next.fetch_add(1, AcqRel);
            if number >= pieces {
                return;
            }
            piece(number);
            if self.undone.fetch_sub(1, AcqRel) == 1 {
                wake_one(&self.undone);
            }
        }
    }
}

impl Region for Team {
    fn region(&mut self, pieces: u32, piece: fn(u32)) {
        let shared = &*self.shared;
        shared.work.get_or_init(|| (pieces, piece));
        shared.undone.store(pieces, Relaxed);
        shared.next.store(0, Release);
        shared.region.fetch_add(1, Release);
        (0..self.others).for_each(|_| wake_one(&shared.region));
        shared.take_pieces();
        while let undone @ 1.. = shared.undone.load(Acquire) {
            wait(&shared.undone, undone);
        }
    }
}
