//! What pools and their tasks take of the heap.

use crate::common::pools::Spawner;
use crate::common::size;
use crate::contender::{Contender, OfRegion, OfSpawner, regional, spawning};
use crate::heap;
use crate::pools::Region;
use crate::report::Report;
use crate::workloads::spawn::{done, done_by_all, wait_for};
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

struct Pending;

/// The row is for one worker, which a task keeps busy meanwhile: if it slept, filch would put
/// a spare in its place.
pub fn pending(contender: Contender, workers: usize) -> Report {
    heap::count();
    spawning(contender, workers, Pending)
}

impl OfSpawner for Pending {
    fn of<S: Spawner>(self, pool: S) -> Report {
        let tasks = size(1_000_000, 20_000);
        let before = done_by_all();
        let [begun, over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (theirs, until) = (Arc::clone(&begun), Arc::clone(&over));
        pool.spawn(move || {
            theirs.store(true, Relaxed);
            while !until.load(Relaxed) {
                spin_loop();
            }
            done(1);
        });
        while !begun.load(Relaxed) {
            thread::yield_now();
        }
        let without = heap::live();
        for number in 0..tasks {
            pool.spawn(move || {
                black_box(number);
                done(1);
            });
        }
        let with = heap::live();
        over.store(true, Relaxed);
        wait_for(before + 1 + tasks);
        let each = (with - without) as f64 / tasks as f64;
        Report::new(format!("memory of {tasks} pending tasks"), 1).with("", "B/task", each)
    }
}

struct Size;

pub fn of_pool(contender: Contender, workers: usize) -> Report {
    heap::count();
    regional(contender, workers, Size)
}

impl OfRegion for Size {
    fn of(self, _pool: impl Region) -> Report {
        // Threads allocate, too, when they begin.
        thread::sleep(Duration::from_millis(50));
        let kilobytes = heap::live() as f64 / 1e3;
        Report::new("memory of a new pool, stacks not counted", 1).with("", "kB", kilobytes)
    }
}
