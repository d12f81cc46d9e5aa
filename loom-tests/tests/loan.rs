//! The loan: the count of one who searches is with the worker or with the caller, and whoever
//! leaves the search for the other tells what the other would.

#![cfg(loom)]

use filch::protocols::event_count::EventCount;
use filch::protocols::loan::Loan;
use loom::thread;
use loom_tests::{Times, check};
use std::sync::Arc;
use std::sync::atomic::AtomicBool as Fact;
use std::sync::atomic::Ordering::SeqCst;

#[test]
fn the_worker_or_the_caller_has_the_count() {
    check(|| {
        let shared = Arc::new((Loan::new(), Times::none()));
        let caller = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (loan, count) = &*shared;
                let withdrawn = loan.withdraw();
                if withdrawn {
                    count.once_more();
                }
                withdrawn
            })
        };
        let (loan, count) = &*shared;
        let lent = loan.lend();
        let kept = !lent || loan.give_back();
        if kept {
            count.once_more();
        }
        assert_ne!(caller.join().unwrap(), kept);
        assert_eq!(count.get(), 1);
    });
}

/// Whatever the worker does after that, it doesn't count on somebody who has gone.
#[test]
fn nothing_is_lent_once_the_caller_has_gone() {
    check(|| {
        let loan = Arc::new(Loan::new());
        let caller = {
            let loan = Arc::clone(&loan);
            thread::spawn(move || loan.withdraw())
        };
        let lent = loan.lend();
        let withdrawn = caller.join().unwrap();
        assert_eq!(lent, withdrawn);
        assert!(!loan.give_back());
    });
}

/// A worker wakes up by itself and finds a call. To the one who looks whether all sleep, its
/// caller, who leaves the search for it, is as good as itself.
#[test]
fn no_pool_ends_in_the_midst_of_a_call() {
    check(|| {
        let idle = Arc::new(EventCount::new(1));
        idle.start_searching();
        idle.sleep_begin(0);
        let (loan, runs) = (Arc::new(Loan::new()), Arc::new(Fact::new(false)));
        let caller = {
            let (idle, loan) = (Arc::clone(&idle), Arc::clone(&loan));
            thread::spawn(move || {
                if loan.withdraw() {
                    let _ = idle.stop_searching();
                }
            })
        };
        let worker = {
            let (idle, runs) = (Arc::clone(&idle), Arc::clone(&runs));
            thread::spawn(move || {
                idle.wake_up(0);
                if !idle.has_ended() {
                    runs.store(true, SeqCst);
                    // Too late, it counts as searching.
                    let _ = loan.lend();
                }
            })
        };
        let ended = idle.end(1, || true);
        worker.join().unwrap();
        caller.join().unwrap();
        assert!(!(ended && runs.load(SeqCst)), "ended beside a worker that runs");
    });
}

#[test]
fn while_the_caller_is_there_the_worker_lends_and_has_it_back() {
    check(|| {
        let loan = Loan::new();
        assert!(loan.lend() && loan.give_back());
        assert!(!loan.withdraw());
    });
}
