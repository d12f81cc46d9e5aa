//! Gate, injector, event count and parkers put together as in worker/: a pool that shuts
//! down runs every task it has accepted, and then every worker leaves.
//!
//! A worker that isn't woken for the end is a deadlock, which loom reports.

#![cfg(loom)]

use filch::protocols::event_count::EventCount;
use filch::protocols::fence::{heavy_fence, light_fence};
use filch::protocols::gate::Gate;
use filch::protocols::injector::Injector;
use filch::protocols::parker::Parker;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use loom_tests::{Times, check};
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::atomic::Ordering::SeqCst;

struct Pool<const WORKERS: usize> {
    gate: Gate,
    injected: Injector<Times>,
    idle: EventCount,
    parkers: [Parker; WORKERS],
    accepted: Tally,
    ran: Tally,
}

impl<const WORKERS: usize> Pool<WORKERS> {
    fn start() -> (Arc<Self>, [JoinHandle<()>; WORKERS]) {
        let pool = Arc::new(Self {
            gate: Gate::new(),
            injected: Injector::new(),
            idle: EventCount::new(WORKERS),
            parkers: std::array::from_fn(|_| Parker::new()),
            accepted: Tally::new(0),
            ran: Tally::new(0),
        });
        let workers = std::array::from_fn(|worker| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.work(worker))
        });
        (pool, workers)
    }

    fn unpark(&self, picked: Option<usize>) {
        if let Some(worker) = picked {
            self.parkers[worker].unpark();
        }
    }

    fn submit(&self) {
        if self.gate.enter() {
            self.accepted.fetch_add(1, SeqCst);
            self.injected.push(Times::none());
            self.unpark(self.idle.notify(|| self.idle.wake_one()));
            if self.gate.leave() {
                self.wake_for_the_end();
            }
        }
    }

    fn shut_down(&self) {
        self.gate.close();
        self.wake_for_the_end();
    }

    fn wake_for_the_end(&self) {
        light_fence();
        self.unpark(self.idle.wake_one());
    }

    fn work(&self, worker: usize) {
        self.idle.start_searching();
        loop {
            if let Some(task) = self.injected.steal() {
                if self.idle.stop_searching() {
                    heavy_fence();
                    if !self.injected.is_empty() {
                        self.unpark(self.idle.wake_one());
                    }
                }
                task.once_more();
                self.ran.fetch_add(1, SeqCst);
                self.idle.start_searching();
            } else if self.idle.has_ended() {
                return;
            } else {
                self.idle.sleep_begin(worker);
                heavy_fence();
                if self.injected.is_empty() && !self.end_if_last() {
                    self.parkers[worker].park();
                }
                self.idle.wake_up(worker);
            }
        }
    }

    fn end_if_last(&self) -> bool {
        let nothing_left = || {
            heavy_fence();
            self.injected.is_empty()
        };
        let ended = self.gate.is_sealed() && self.idle.end(WORKERS, nothing_left);
        if ended {
            (0..WORKERS).for_each(|worker| self.unpark(Some(worker)));
        }
        ended
    }

    fn assert_all_ran(&self, workers: [JoinHandle<()>; WORKERS]) {
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(self.ran.load(SeqCst), self.accepted.load(SeqCst));
        assert!(self.injected.is_empty());
    }
}

#[test]
fn an_idle_pool_ends() {
    check(|| {
        let (pool, workers) = Pool::<2>::start();
        pool.shut_down();
        pool.assert_all_ran(workers);
    });
}

#[test]
fn a_pool_runs_what_it_accepted_before_the_shutdown() {
    check(|| {
        let (pool, workers) = Pool::<1>::start();
        pool.submit();
        pool.shut_down();
        pool.assert_all_ran(workers);
    });
}

#[test]
fn a_pool_runs_what_it_accepts_during_the_shutdown() {
    check(|| {
        let (pool, workers) = Pool::<1>::start();
        let submitter = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.submit())
        };
        pool.shut_down();
        submitter.join().unwrap();
        pool.assert_all_ran(workers);
    });
}
