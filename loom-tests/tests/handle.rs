//! The claim of construct/task.rs: a closure that a worker, its waiter and its canceller
//! may all want is taken once, and the waiter gets a result.

#![cfg(loom)]

use filch::protocols::cell::UnsafeCell;
use filch::protocols::latch::Latch;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, yield_now};
use loom_tests::{Times, check};

#[derive(Debug, PartialEq)]
enum Outcome {
    Ran,
    Cancelled,
}

struct Task {
    claimed: AtomicBool,
    latch: Latch,
    work: Times,
    result: UnsafeCell<Option<Outcome>>,
}

// SAFETY: `result` belongs to whoever claims until the latch is set, then to the waiter.
unsafe impl Sync for Task {}

impl Task {
    fn complete_unclaimed(&self, outcome: Outcome) -> bool {
        if self.claimed.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.work.once_more();
        // SAFETY: as above.
        self.result.with_mut(|result| unsafe { *result = Some(outcome) });
        // SAFETY: alive, and set by the one who claimed.
        unsafe { Latch::set(&self.latch) }
        true
    }
}

#[test]
fn of_runner_waiter_and_canceller_one_takes_the_closure() {
    check(|| {
        let task = Arc::new(Task {
            claimed: AtomicBool::new(false),
            latch: Latch::new(),
            work: Times::none(),
            result: UnsafeCell::new(None),
        });
        let (runner, canceller) = (Arc::clone(&task), Arc::clone(&task));
        let runner = thread::spawn(move || runner.complete_unclaimed(Outcome::Ran));
        let canceller = thread::spawn(move || canceller.complete_unclaimed(Outcome::Cancelled));
        let ours = task.complete_unclaimed(Outcome::Ran);
        while !task.latch.is_set() {
            yield_now();
        }
        // SAFETY: the latch is set.
        let outcome = task.result.with_mut(|result| unsafe { (*result).take() });
        assert_eq!(task.work.get(), 1);
        let cancelled = canceller.join().unwrap();
        let takers = [ours, runner.join().unwrap(), cancelled].map(usize::from);
        assert_eq!(takers.iter().sum::<usize>(), 1);
        assert_eq!(outcome, Some(if cancelled { Outcome::Cancelled } else { Outcome::Ran }));
    });
}
