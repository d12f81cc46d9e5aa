//! The count latch: set by the last job, whose waiter sees what all have done and may free
//! it at once.

#![cfg(loom)]

use filch::protocols::count_latch::CountLatch;
use filch::protocols::credits::Credits;
use loom::thread::{self, JoinHandle, yield_now};
use loom_tests::{Times, check};

/// A scope: in memory that is freed as soon as its latch is set.
struct Scope {
    latch: CountLatch,
    results: [Times; 2],
}

#[derive(Clone, Copy)]
struct Lent(*const Scope);

// SAFETY: whoever counts as pending keeps the scope alive.
unsafe impl Send for Lent {}

impl Lent {
    fn new() -> Self {
        Self(Box::into_raw(Box::new(Scope {
            latch: CountLatch::new(1),
            results: Default::default(),
        })))
    }

    /// For whoever counts.
    fn scope(&self) -> &Scope {
        // SAFETY: alive, since the caller counts.
        unsafe { &*self.0 }
    }

    fn done(self) {
        // SAFETY: the caller counts, and ends.
        unsafe { CountLatch::done(&raw const (*self.0).latch, 0, 1) }
    }

    fn run(self, job: usize) {
        self.scope().latch.started(1);
        self.scope().results[job].once_more();
        self.done();
    }

    /// As [`run`](Self::run), by a worker that has credits.
    fn run_counted(self, job: usize, credits: &Credits) {
        credits.started(&self.scope().latch);
        self.scope().results[job].once_more();
        // SAFETY: the job counts, and ends.
        unsafe { credits.done(&raw const (*self.0).latch) }
    }

    fn spawn(self, job: usize) -> JoinHandle<()> {
        thread::spawn(move || self.run(job))
    }

    /// The end of the body, by the waiter.
    fn wait(self) {
        self.done();
        // SAFETY: the waiter's until it has seen the latch set.
        let scope = unsafe { Box::from_raw(self.0.cast_mut()) };
        while !scope.latch.latch().is_set() {
            yield_now();
        }
        assert_eq!(scope.latch.unstarted(), 0);
        for result in &scope.results {
            assert_eq!(result.get(), 1);
        }
    }
}

#[test]
fn the_last_job_sets_the_latch_and_all_results_are_seen() {
    check(|| {
        let scope = Lent::new();
        (0..2).for_each(|_| scope.scope().latch.spawned(1, 1));
        let jobs = [0, 1].map(|job| scope.spawn(job));
        scope.wait();
        for job in jobs {
            job.join().unwrap();
        }
    });
}

/// A job that spawns another still counts itself, so the latch can't be set in between.
#[test]
fn a_job_may_spawn_another() {
    check(|| {
        let scope = Lent::new();
        scope.scope().latch.spawned(1, 1);
        let job = thread::spawn(move || {
            scope.scope().latch.spawned(1, 1);
            let other = scope.spawn(1);
            scope.run(0);
            other.join().unwrap();
        });
        scope.wait();
        job.join().unwrap();
    });
}

/// The body's worker runs one task itself, another worker the other.
#[test]
fn a_worker_with_credits_sets_the_latch_when_all_is_done() {
    check(|| {
        let (scope, credits) = (Lent::new(), Credits::new());
        credits.spawned(&scope.scope().latch);
        let job = scope.spawn(0);
        assert!(scope.scope().latch.unstarted() > 0);
        credits.spawned(&scope.scope().latch);
        scope.run_counted(1, &credits);
        credits.give_back();
        scope.wait();
        job.join().unwrap();
    });
}

/// A worker that has taken a task spawns another and runs that, too.
#[test]
fn two_workers_with_credits_count_together() {
    check(|| {
        let (scope, credits) = (Lent::new(), Credits::new());
        credits.spawned(&scope.scope().latch);
        let thief = thread::spawn(move || {
            let credits = Credits::new();
            credits.started(&scope.scope().latch);
            credits.give_back_unstarted();
            credits.spawned(&scope.scope().latch);
            scope.scope().results[0].once_more();
            // SAFETY: the job counts, and ends.
            unsafe { credits.done(&raw const (*scope.0).latch) }
            scope.run_counted(1, &credits);
            credits.give_back();
        });
        credits.give_back_unstarted();
        credits.give_back();
        scope.wait();
        thief.join().unwrap();
    });
}

/// All that a worker has spawned is taken by others, and it has nothing left but its credits.
#[test]
fn credits_keep_the_latch() {
    check(|| {
        let (scope, credits) = (Lent::new(), Credits::new());
        let jobs = [0, 1].map(|job| {
            credits.spawned(&scope.scope().latch);
            scope.spawn(job)
        });
        credits.give_back();
        scope.wait();
        for job in jobs {
            job.join().unwrap();
        }
    });
}
