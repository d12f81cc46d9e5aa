//! Seats: no work is left with nobody to run it while a spare can be had, and there are no
//! more workers than seats for longer than a job.

#![cfg(loom)]

use filch::protocols::fence::{heavy_fence, light_fence};
use filch::protocols::seats::{Place, Seats, Spare};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use loom_tests::check;
use std::sync::atomic::AtomicUsize as Fact;
use std::sync::atomic::Ordering::SeqCst;

/// A pool with one seat and one spare, as worker/wake.rs and worker/idle.rs use them.
struct Pool {
    seats: Seats,
    work: AtomicBool,
    started: Fact,
}

const SPARE: usize = 1;

impl Pool {
    fn new() -> Self {
        let (work, started) = (AtomicBool::new(false), Fact::new(0));
        Self { seats: Seats::new(1, 2), work, started }
    }

    fn start_spare(&self) {
        if self.seats.is_short() && self.seats.fill().is_some() {
            self.started.fetch_add(1, SeqCst);
        }
    }

    fn publish(&self) {
        self.work.store(true, Ordering::Relaxed);
        light_fence();
        self.start_spare();
    }

    fn last_look(&self) {
        heavy_fence();
        if self.work.load(Ordering::Relaxed) {
            self.start_spare();
        }
    }

    fn block(&self) {
        self.seats.leave();
        self.last_look();
    }

    fn block_for_a_while(&self) {
        self.block();
        self.seats.come_back();
    }
}

fn is_seated(pool: &Pool, worker: usize) -> bool {
    pool.seats.place(worker, |_| ()) == Place::Seated
}

/// Both at once, on a pool of its own.
fn beside(pool: Pool, one: fn(&Pool), other: fn(&Pool)) -> Arc<Pool> {
    let pool = Arc::new(pool);
    let theirs = Arc::clone(&pool);
    let thread = thread::spawn(move || one(&theirs));
    other(&pool);
    thread.join().unwrap();
    pool
}

#[test]
fn work_that_comes_while_the_last_worker_blocks_gets_a_spare() {
    check(|| {
        let pool = beside(Pool::new(), Pool::publish, Pool::block);
        assert_eq!(pool.started.load(SeqCst), 1);
    });
}

#[test]
fn work_that_comes_while_a_spare_goes_to_the_bench_gets_it_back() {
    check(|| {
        let pool = Pool::new();
        pool.seats.leave();
        assert_eq!(pool.seats.fill(), Some(Spare::Unborn(SPARE)));
        let pool = beside(pool, Pool::publish, |pool| {
            pool.seats.sit_out(SPARE);
            pool.last_look();
        });
        assert_eq!(pool.started.load(SeqCst), 1);
        assert!(is_seated(&pool, SPARE));
    });
}

/// The spare has retired because there were too many; now the others block again.
#[test]
fn a_spare_that_retires_is_there_for_the_next_who_blocks() {
    check(|| {
        let pool = Pool::new();
        pool.seats.leave();
        assert!(pool.seats.fill().is_some());
        pool.work.store(true, Ordering::Relaxed);
        pool.seats.come_back();
        let pool = beside(pool, Pool::block, |pool| {
            if !pool.seats.sit_out_if_crowded(SPARE) {
                // It still runs, and so it finds the work.
                pool.started.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(pool.started.load(SeqCst), 1);
        assert!(!pool.seats.is_short(), "a free seat and a spare on the bench");
    });
}

#[test]
fn there_are_no_more_workers_than_seats_after_a_job() {
    check(|| {
        let pool = Pool::new();
        pool.work.store(true, Ordering::Relaxed);
        let pool = beside(pool, Pool::block_for_a_while, |_| {});
        assert_eq!(pool.started.load(SeqCst), 1);
        assert!(pool.seats.sit_out_if_crowded(SPARE));
        assert!(!pool.seats.sit_out_if_crowded(SPARE), "the worker itself holds the seat");
        assert!(!pool.seats.is_short() && !pool.seats.is_deserted());
    });
}

#[test]
fn a_spare_without_a_thread_leaves_the_seat_free_and_is_tried_again_later() {
    check(|| {
        let pool = Pool::new();
        pool.seats.leave();
        let Some(Spare::Unborn(spare)) = pool.seats.fill() else { panic!() };
        pool.seats.stay_unborn(spare);
        assert!(pool.seats.is_deserted() && !pool.seats.is_short());
        pool.seats.come_back();
        pool.seats.hope();
        let pool = beside(pool, Pool::publish, Pool::block);
        assert_eq!(pool.started.load(SeqCst), 1);
    });
}

/// What it waits for is done just as somebody makes work and finds its seat free.
#[test]
fn a_worker_that_comes_back_meets_the_spare_that_takes_its_seat() {
    check(|| {
        let pool = beside(Pool::new(), Pool::publish, Pool::block_for_a_while);
        // Else the worker itself finds the work.
        if pool.started.load(SeqCst) == 1 {
            assert!(pool.seats.sit_out_if_crowded(SPARE), "two run on one seat");
        }
        assert!(!pool.seats.is_short() && !pool.seats.is_deserted());
        assert!(!pool.seats.sit_out_if_crowded(SPARE));
    });
}

#[test]
fn a_seat_that_is_added_is_filled_if_there_is_work() {
    check(|| {
        let pool = beside(Pool::new(), Pool::publish, |pool| {
            pool.seats.resize(2, [], |_, _| ());
            pool.last_look();
        });
        assert_eq!(pool.started.load(SeqCst), 1);
    });
}

/// One seat less, and the worker that has to leave it blocks: whoever has a seat lent goes.
#[test]
fn there_are_no_more_workers_than_seats_after_a_pool_has_got_smaller() {
    check(|| {
        let mut pool = Pool::new();
        pool.seats = Seats::new(2, 3);
        pool.work.store(true, Ordering::Relaxed);
        let pool =
            beside(pool, Pool::block_for_a_while, |pool| pool.seats.resize(1, [1, 0], |_, _| ()));
        // Worker 1 and perhaps a spare.
        let gone = [1, 2].map(|worker| pool.seats.sit_out_if_crowded(worker));
        assert_eq!(gone.iter().filter(|&&gone| gone).count(), 1 + pool.started.load(SeqCst));
        assert!(!pool.seats.sit_out_if_crowded(0) && !pool.seats.is_deserted());
    });
}
