//! What was handed in to a pool, what became of it, and whether the pool says the same.

use crate::leases::RESOURCES;
use crate::program::{Totals, World, leaf};
use filch::ThreadPool;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// One pool's.
#[derive(Debug, Default)]
pub struct Books {
    /// Tasks made.
    pub made: AtomicU64,
    pub ran: AtomicU64,
    /// Dropped without having been run,
    pub dropped: AtomicU64,
    /// of which the pool never had so many,
    pub refused: AtomicU64,
    /// and shed so many, as it told its hook.
    pub shed: AtomicU64,
    /// Panics of tasks that nobody waits for,
    pub panicked: AtomicU64,
    /// of which the handler was told.
    pub handled: AtomicU64,
    /// Threads that began, and ended.
    pub began: AtomicU64,
    pub ended: AtomicU64,
    /// What else must have been counted.
    pub totals: Mutex<Totals>,
    pub world: Arc<World>,
}

/// A count more.
pub fn one(count: &AtomicU64) {
    count.fetch_add(1, SeqCst);
}

/// A task that is counted whatever becomes of it.
pub struct Work {
    books: Arc<Books>,
    size: u64,
    ran: bool,
}

impl Work {
    pub fn new(books: &Arc<Books>, size: u64) -> Self {
        one(&books.made);
        Self { books: Arc::clone(books), size, ran: false }
    }

    pub fn run(mut self) -> u64 {
        self.ran = true;
        leaf(self.size)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        one(if self.ran { &self.books.ran } else { &self.books.dropped });
    }
}

impl Books {
    /// Calls from outside, parts of broadcasts and the like.
    pub fn add(&self, tasks: u64, joins: u64) {
        let mut totals = self.totals.lock().unwrap();
        totals.tasks += tasks;
        totals.joins += joins;
    }

    /// What detached tasks of a program come to.
    pub fn add_aside(&self, aside: u64) {
        let mut totals = self.totals.lock().unwrap();
        totals.aside = totals.aside.wrapping_add(aside);
    }

    /// What must hold when the pool has ended. Of one that gave leases to tasks it isn't known how many jobs
    /// that took, nor how many joins were offered to nobody, for want of a CPU, and so not counted.
    pub fn check(&self, pool: &ThreadPool, leased: bool, tidied: bool) {
        let read = |count: &AtomicU64| count.load(SeqCst);
        let counters = pool.counters();
        let (made, ran, dropped) = (read(&self.made), read(&self.ran), read(&self.dropped));
        assert_eq!(made, ran + dropped, "made, and run and dropped: {self:#?} {counters:#?}");
        let totals = *self.totals.lock().unwrap();
        let refused = read(&self.refused);
        let tasks = totals.tasks + made - refused;
        if !leased {
            // A worker that gives back the memory of its deques pushes jobs that do nothing, and a thief's count.
            let exact = counters.tasks == tasks || tidied && counters.tasks > tasks;
            assert!(exact, "tasks, not {tasks}: {self:#?} {counters:#?}");
            assert_eq!(counters.joins, totals.joins, "joins: {self:#?} {counters:#?}");
        }
        assert_eq!(read(&self.world.aside), totals.aside, "what detached tasks came to: {self:#?}");
        let unbegun = counters.cancelled + counters.expired + read(&self.shed);
        let unrun = dropped - refused + read(&self.world.cancelled);
        assert_eq!(unbegun, unrun, "cancelled, expired and shed: {self:#?} {counters:#?}");
        assert_eq!(read(&self.handled), read(&self.panicked), "panics: {self:#?} {counters:#?}");
        assert!(counters.panics >= read(&self.handled), "panics: {self:#?} {counters:#?}");
        assert_eq!(read(&self.began), read(&self.ended), "threads: {self:#?} {counters:#?}");
        assert_eq!((counters.lost_readings, counters.policy_panics), (0, 0), "{counters:#?}");
        for (resource, _) in RESOURCES {
            let budget = pool.budget(resource);
            assert_eq!(
                budget.free,
                budget.total,
                "some {resource} is leased still: {:?}",
                pool.leases()
            );
        }
        let leases = pool.snapshot().leases;
        assert_eq!((leases.out, leases.waiting), (0, 0), "{leases}");
    }
}
