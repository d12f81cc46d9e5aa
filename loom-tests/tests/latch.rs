//! The latch: whoever waits is woken and sees the result, and may free the latch at once.
//!
//! loom reports an access to an atomic that isn't ordered before its destruction, so the
//! models free each latch as soon as they may.

#![cfg(loom)]

use filch::protocols::latch::Latch;
use filch::protocols::parker::Parker;
use loom::thread::{self, JoinHandle, yield_now};
use loom_tests::{Times, check, check_deep};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Wake, Waker};

/// A latch with what it guards, in memory that its waiter frees.
#[derive(Default)]
struct Task {
    latch: Latch,
    result: Times,
}

/// Frees the task on drop, while the setter may still hold its pointer.
struct Waiting(*const Task);

struct Setting(*const Task);

// SAFETY: the waiter frees the task when the latch is set, which the setter does last.
unsafe impl Send for Setting {}

fn task() -> (Waiting, Setting) {
    let task = Box::into_raw(Box::<Task>::default());
    (Waiting(task), Setting(task))
}

impl Setting {
    fn spawn(self, prelude: fn(&Latch)) -> JoinHandle<()> {
        thread::spawn(move || {
            let this = self;
            // SAFETY: alive until the latch is set.
            let task = unsafe { &*this.0 };
            prelude(&task.latch);
            task.result.once_more();
            // SAFETY: as above.
            unsafe { Latch::set(&raw const (*this.0).latch) }
        })
    }
}

impl std::ops::Deref for Waiting {
    type Target = Latch;

    fn deref(&self) -> &Latch {
        // SAFETY: alive until drop.
        unsafe { &(*self.0).latch }
    }
}

impl Waiting {
    fn end(self) {
        // SAFETY: ours, and the setter is done with it; loom checks that.
        let task = unsafe { Box::from_raw(self.0.cast_mut()) };
        assert_eq!(task.result.get(), 1);
    }

    fn wait(&self, parker: &Arc<Parker>) {
        while !self.is_set() {
            if self.register(Arc::clone(parker)) {
                parker.park();
            }
        }
    }
}

fn nothing(_: &Latch) {}

#[test]
fn a_waiter_that_polls_sees_the_result_and_frees_the_latch() {
    check(|| {
        let (waiting, setting) = task();
        let setter = setting.spawn(nothing);
        while !waiting.is_set() {
            yield_now();
        }
        waiting.end();
        setter.join().unwrap();
    });
}

/// The parker is made when the setter runs already, which must find it whole.
#[test]
fn a_waiter_that_parks_is_woken_and_frees_the_latch() {
    check(|| {
        let (waiting, setting) = task();
        let setter = setting.spawn(nothing);
        let parker = Arc::new(Parker::new());
        waiting.wait(&parker);
        waiting.end();
        setter.join().unwrap();
        assert_eq!(Arc::strong_count(&parker), 1, "a reference was lost");
    });
}

#[test]
fn a_waiter_may_register_again() {
    check(|| {
        let (waiting, setting) = task();
        let setter = setting.spawn(nothing);
        let parker = Arc::new(Parker::new());
        waiting.register(Arc::clone(&parker));
        waiting.wait(&parker);
        waiting.end();
        setter.join().unwrap();
        assert_eq!(Arc::strong_count(&parker), 1, "a reference was lost");
    });
}

#[test]
fn a_taken_latch_still_wakes_its_waiter() {
    check(|| {
        let (waiting, setting) = task();
        let setter = setting.spawn(|latch| latch.take(5));
        let parker = Arc::new(Parker::new());
        assert!(waiting.taker().is_none_or(|taker| taker == 5));
        waiting.wait(&parker);
        waiting.end();
        setter.join().unwrap();
        assert_eq!(Arc::strong_count(&parker), 1, "a reference was lost");
    });
}

/// Else the waiter, who looks into its taker's queues, might find there what has long gone.
#[test]
fn what_the_taker_did_before_is_seen() {
    check(|| {
        let it = Arc::new(Task::default());
        let taker = Arc::clone(&it);
        let taker = thread::spawn(move || {
            taker.result.once_more();
            taker.latch.take(0);
        });
        if it.latch.taker() == Some(0) {
            assert_eq!(it.result.get(), 1);
        }
        taker.join().unwrap();
    });
}

#[derive(Default)]
struct Alarm {
    // Plain data, which the setter must find whole.
    rung: Times,
    times: Tally,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.once_more();
        self.times.fetch_add(1, SeqCst);
    }
}

/// A future that moves to another executor between polls.
#[test]
fn of_two_wakers_only_the_last_accepted_is_woken() {
    check_deep(3, || {
        let (waiting, setting) = task();
        let setter = setting.spawn(nothing);
        let alarms: [Arc<Alarm>; 2] = Default::default();
        let accepted: Vec<_> = (alarms.iter())
            .filter(|alarm| waiting.register_waker(Waker::from(Arc::clone(alarm))))
            .collect();
        if accepted.len() < 2 {
            assert!(waiting.is_set());
        }
        setter.join().unwrap();
        let last = accepted.last();
        for alarm in &alarms {
            let expected = usize::from(last.is_some_and(|last| Arc::ptr_eq(last, alarm)));
            assert_eq!(alarm.times.load(SeqCst), expected);
            assert_eq!(Arc::strong_count(alarm), 1, "a reference was lost");
        }
        waiting.end();
    });
}
