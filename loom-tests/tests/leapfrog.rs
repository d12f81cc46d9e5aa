//! Leapfrogging, as in worker/help.rs: whoever waits for a frame helps the worker that took
//! it, and runs from its deque or lane only what is part of that frame.

#![cfg(loom)]

use filch::protocols::lane::Pulled;
use filch::protocols::latch::Latch;
use loom::sync::Arc;
use loom::thread;
use loom_tests::{Owner, Victim, check_deep, run};
use std::sync::atomic::AtomicBool as Fact;
use std::sync::atomic::Ordering::SeqCst;

const THIEF: usize = 0;

/// The frame that is waited for.
#[derive(Default)]
struct Ours {
    latch: Latch,
    /// Whether the waiter takes what it runs for part of it.
    helps: Fact,
}

/// Joins before, in and after the frame it has taken.
fn thieve(thief: &Owner, ours: &Ours, hungry: bool) {
    let lane = &thief.victim.lane;
    let join = |part_of_ours: bool| {
        if hungry {
            lane.raise_hunger(1);
        }
        let second = |moved: bool| {
            assert!(part_of_ours || !moved || !ours.helps.load(SeqCst), "a foreign frame");
        };
        thief.join_with(|| {}, || {}, second);
    };
    join(false);
    if thief.deque.is_empty() && !lane.has_hidden() {
        ours.latch.take(THIEF);
    }
    join(true);
    // SAFETY: alive, and set here only.
    unsafe { Latch::set(&ours.latch) };
    join(false);
}

/// One round of `help_thief`.
fn help(thief: &Victim, ours: &Ours) {
    if ours.latch.taker() != Some(THIEF) {
        return;
    }
    let frame = thief.frames.steal().or_else(|| match thief.lane.pull(&thief.frames) {
        Pulled::Frame(frame) => Some(frame),
        Pulled::Nothing | Pulled::Busy => None,
    });
    if let Some(frame) = frame {
        let unset = !ours.latch.is_set();
        ours.helps.store(unset, SeqCst);
        run(frame);
    }
}

fn only_parts_of_ours_are_helped_with(hungry: bool) {
    check_deep(3, move || {
        let thief = Owner::new(true);
        let ours = Arc::new(Ours::default());
        let (victim, waited_for) = (Arc::clone(&thief.victim), Arc::clone(&ours));
        let waiter = thread::spawn(move || help(&victim, &waited_for));
        thieve(&thief, &ours, hungry);
        waiter.join().unwrap();
    });
}

#[test]
fn what_is_stolen_from_the_thief_is_part_of_ours() {
    only_parts_of_ours_are_helped_with(true);
}

#[test]
fn what_is_pulled_from_the_thief_is_part_of_ours() {
    only_parts_of_ours_are_helped_with(false);
}
