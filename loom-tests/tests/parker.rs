//! Parking: a token given is a token taken.

#![cfg(loom)]

use filch::protocols::parker::Parker;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use loom_tests::{Times, check};

/// If it were lost, the owner would sleep for ever, which loom reports.
#[test]
fn a_token_is_taken_whether_it_comes_before_or_after_the_park() {
    check(|| {
        let parker = Arc::new(Parker::new());
        let waker = Arc::clone(&parker);
        let waker = thread::spawn(move || {
            waker.unpark();
        });
        parker.park();
        waker.join().unwrap();
    });
}

#[test]
fn what_the_waker_did_is_seen() {
    check(|| {
        let it = Arc::new((Parker::new(), Times::none()));
        let waker = Arc::clone(&it);
        let waker = thread::spawn(move || {
            waker.1.once_more();
            waker.0.unpark();
        });
        it.0.park();
        assert_eq!(it.1.get(), 1);
        waker.join().unwrap();
    });
}

/// Two tokens may become one, but not none: the owner looks again after the last.
#[test]
fn no_waker_is_overlooked() {
    check(|| {
        let it = Arc::new((Parker::new(), AtomicUsize::new(0)));
        let wakers = [(); 2].map(|()| {
            let it = Arc::clone(&it);
            thread::spawn(move || {
                it.1.fetch_add(1, Ordering::Relaxed);
                it.0.unpark();
            })
        });
        while it.1.load(Ordering::Relaxed) < 2 {
            it.0.park();
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

#[test]
fn a_parker_serves_again() {
    check(|| {
        let it = Arc::new((Parker::new(), Parker::new(), Times::none()));
        let other = Arc::clone(&it);
        let other = thread::spawn(move || {
            for _ in 0..2 {
                other.0.park();
                other.2.once_more();
                other.1.unpark();
            }
        });
        for round in 1..=2 {
            it.0.unpark();
            it.1.park();
            assert_eq!(it.2.get(), round);
        }
        other.join().unwrap();
    });
}
