//! The account: no more is taken than there is, nobody waits for what is free, and nobody goes before one who waits.

#![cfg(loom)]

use filch::protocols::account::{Account, Attempt};
use filch::protocols::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::thread;
use loom_tests::check;
use std::sync::Arc;

/// What only the one who holds the only unit may touch.
struct Held {
    account: Account<1>,
    touched: UnsafeCell<u32>,
}

// SAFETY: loom checks that only holders touch it.
unsafe impl Sync for Held {}

impl Held {
    fn touch(&self) {
        // SAFETY: checked by loom.
        self.touched.with_mut(|touched| unsafe { *touched += 1 });
    }
}

#[test]
fn the_next_holder_sees_what_the_last_one_did() {
    check(|| {
        let held = Arc::new(Held { account: Account::new([1]), touched: UnsafeCell::new(0) });
        let theirs = Arc::clone(&held);
        let hold = |held: &Held| {
            if held.account.try_take(&[1]) == Attempt::Taken {
                held.touch();
                assert!(!held.account.give(&[1]));
            }
        };
        let other = thread::spawn(move || hold(&theirs));
        hold(&held);
        other.join().unwrap();
        assert_eq!(held.account.free(), [1]);
    });
}

/// As the budget uses it: one waits for all there is, others take and give back.
struct Queue {
    account: Account<1>,
    /// What somebody waits for, and whether it has it.
    waits: Mutex<(bool, bool)>,
}

const ALL: [u64; 1] = [2];

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self { account: Account::new(ALL), waits: Mutex::new((false, false)) })
    }

    fn serve(&self) {
        let mut waits = self.waits.lock().unwrap();
        if waits.0 && self.account.take(&ALL) == Attempt::Taken {
            *waits = (false, true);
            self.account.want(0);
        }
    }

    fn wait(&self) {
        let mut waits = self.waits.lock().unwrap();
        self.account.want(1);
        if self.account.take(&ALL) == Attempt::Taken {
            self.account.want(0);
            waits.1 = true;
        } else {
            waits.0 = true;
        }
    }

    /// Takes one unit if it can, and gives it back.
    fn use_one(&self) {
        match self.account.try_take(&[1]) {
            Attempt::Taken => {
                if self.account.give(&[1]) {
                    self.serve();
                }
            }
            Attempt::Returned => self.serve(),
            Attempt::Refused => {}
        }
    }
}

#[test]
fn who_waits_for_all_gets_it_when_others_have_given_back() {
    check(|| {
        let queue = Queue::new();
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || theirs.use_one());
        queue.wait();
        other.join().unwrap();
        assert!(queue.waits.lock().unwrap().1, "it waits for what is free");
    });
}

#[test]
fn who_waits_gets_what_is_there_when_there_is_more() {
    check(|| {
        let queue = Queue::new();
        assert!(!queue.account.change(0, -1));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || {
            if theirs.account.change(0, 1) {
                theirs.serve();
            }
        });
        queue.wait();
        other.join().unwrap();
        assert!(queue.waits.lock().unwrap().1, "it waits for what is free");
    });
}

/// As admission uses it: what workers spawn is accepted though there is no place left.
#[test]
fn who_waits_gets_a_place_when_all_are_back_that_were_taken_beyond_the_last() {
    check(|| {
        let queue = Queue::new();
        // There are two, and three have been taken.
        (0..3).for_each(|_| assert!(!queue.account.change(0, -1)));
        let begins = |queue: &Queue| {
            if queue.account.give(&[1]) {
                queue.serve();
            }
        };
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || {
            begins(&theirs);
            begins(&theirs);
        });
        queue.wait();
        begins(&queue);
        other.join().unwrap();
        assert!(queue.waits.lock().unwrap().1, "it waits for what is free");
    });
}

#[test]
fn nobody_takes_any_when_somebody_waits_already() {
    check(|| {
        let account = Arc::new(Account::<1>::new([1]));
        let theirs = Arc::clone(&account);
        let other = thread::spawn(move || theirs.try_take(&[1]) == Attempt::Taken);
        // For two: there is one at most.
        account.want(1);
        assert_ne!(account.take(&[2]), Attempt::Taken);
        let there = account.free() == [1];
        let taken = other.join().unwrap();
        assert!(!(there && taken), "it was there when somebody waited, and then it was taken");
    });
}

#[test]
fn who_gives_up_half_way_serves_those_who_missed_what_it_had() {
    check(|| {
        let account = Arc::new(Account::<2>::new([1, 0]));
        let waits = Arc::new(Mutex::new(false));
        let (theirs, others) = (Arc::clone(&account), Arc::clone(&waits));
        let other = thread::spawn(move || {
            // There is none of the second.
            if theirs.try_take(&[1, 1]) == Attempt::Returned {
                let mut waits = others.lock().unwrap();
                if *waits && theirs.take(&[1, 0]) == Attempt::Taken {
                    *waits = false;
                }
            }
        });
        {
            let mut waits = waits.lock().unwrap();
            account.want(1);
            *waits = account.take(&[1, 0]) != Attempt::Taken;
        }
        other.join().unwrap();
        assert!(!*waits.lock().unwrap(), "it waits for what is free");
    });
}

#[test]
fn who_is_served_sees_what_the_last_holder_did() {
    check(|| {
        let held = Arc::new(Held { account: Account::new([0]), touched: UnsafeCell::new(0) });
        let theirs = Arc::clone(&held);
        let other = thread::spawn(move || {
            theirs.touch();
            let _ = theirs.account.give(&[1]);
        });
        held.account.want(1);
        if held.account.take(&[1]) == Attempt::Taken {
            held.touch();
        }
        other.join().unwrap();
    });
}
