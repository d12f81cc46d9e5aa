//! The join lane: every frame runs exactly once, whoever takes it, and none stays hidden
//! while somebody sleeps who could have it.
//!
//! A frame that runs twice, or at the wrong time, is a race on its `Times` or its result.

#![cfg(loom)]

use filch::protocols::fence::{heavy_fence, light_fence};
use filch::protocols::lane::Pulled;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use loom_tests::{Owner, Victim, check, check_deep, run};
use std::sync::atomic::AtomicBool as Fact;
use std::sync::atomic::Ordering::SeqCst;

/// Runs `owner` beside the thieves.
fn beside<const N: usize>(hides: bool, thieves: [fn(&Victim); N], owner: fn(&Owner)) {
    let it = Owner::new(hides);
    let thieves = thieves.map(|thief| {
        let victim = Arc::clone(&it.victim);
        thread::spawn(move || thief(&victim))
    });
    owner(&it);
    for thief in thieves {
        thief.join().unwrap();
    }
}

fn pull(victim: &Victim) {
    victim.pull();
}

fn rob(victim: &Victim) {
    victim.rob();
}

fn ask(victim: &Victim) {
    victim.lane.ask();
}

fn starve(victim: &Victim) {
    victim.lane.raise_hunger(1);
    if !victim.rob() {
        victim.pull();
    }
}

#[test]
fn a_frame_is_popped_or_pulled_but_not_both() {
    check(|| beside(true, [pull], |owner| owner.join(|| {})));
}

/// A pull that comes too late for one frame may hit the next in the same place.
#[test]
fn a_pull_takes_what_lies_at_the_bottom_now() {
    check_deep(3, || {
        beside(true, [pull], |owner| {
            owner.join(|| {});
            owner.join(|| {});
        });
    });
}

/// The pull may read the top that a pop of the younger frame has left.
#[test]
fn a_pull_sees_an_older_frame_after_a_pop() {
    check(|| beside(true, [pull], |owner| owner.join(|| owner.join(|| {}))));
}

#[test]
fn two_pulls_take_two_frames() {
    check(|| beside(true, [pull, pull], |owner| owner.join(|| owner.join(|| {}))));
}

#[test]
fn two_pulls_do_not_take_one_frame() {
    check(|| beside(true, [pull, pull], |owner| owner.join(|| {})));
}

#[test]
fn an_exposed_frame_is_stolen_or_reclaimed_but_not_both() {
    check(|| {
        beside(true, [starve], |owner| owner.join(|| owner.join(|| {})));
    });
}

#[test]
fn an_exposed_frame_is_not_pulled() {
    check(|| {
        beside(true, [pull, rob], |owner| {
            owner.victim.lane.raise_hunger(1);
            owner.join(|| owner.join(|| {}));
        });
    });
}

/// At the second push everything may be exposed or pulled already.
#[test]
fn an_exposure_of_nothing_is_harmless() {
    check(|| {
        beside(true, [starve], |owner| {
            owner.victim.lane.raise_hunger(1);
            owner.join(|| {
                owner.join(|| {});
                owner.join(|| {});
            });
        });
    });
}

/// The oldest frame goes first, so what a pop finds in the deque is its own frame.
#[test]
fn age_order_holds_when_a_pull_meets_an_exposure() {
    check(|| {
        beside(true, [pull, ask], |owner| owner.join(|| owner.join(|| {})));
    });
}

/// A frame may have come and gone, and another lie in its place, while a pull looks at it.
#[test]
fn a_pull_takes_the_frame_that_lies_there_now() {
    check_deep(3, || {
        beside(true, [pull], |owner| {
            owner.join(|| {
                owner.join(|| {});
                owner.join(|| {});
            });
        });
    });
}

#[test]
fn where_nothing_hides_every_frame_is_in_the_deque() {
    check(|| {
        beside(false, [starve], |owner| owner.join(|| owner.join(|| {})));
    });
}

/// A member that goes to sleep, as worker/idle.rs does it, and the owner's answer.
#[derive(Default)]
struct Sleeper {
    /// What the owner looks at after it has exposed: a sleeper's bit.
    asleep: AtomicBool,
    sleeps: Fact,
    woken: Fact,
}

impl Sleeper {
    fn sleep(&self, victim: &Victim) {
        self.asleep.store(true, Ordering::Relaxed);
        victim.lane.raise_hunger(1);
        heavy_fence();
        if !victim.frames.is_empty() {
            return;
        }
        match victim.lane.pull(&victim.frames) {
            Pulled::Frame(frame) => run(frame),
            Pulled::Busy => {}
            Pulled::Nothing => self.sleeps.store(true, SeqCst),
        }
    }

    fn wake(&self) {
        light_fence();
        self.wake_if_known();
    }

    /// For an owner to whom the hunger itself has told that somebody sleeps.
    fn wake_if_known(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.woken.store(true, SeqCst);
        }
    }

    /// With its owner in a leaf that never ends, nobody would find a frame that hides
    /// now; and if its next push were not to expose, nobody would find that one.
    fn assert_not_starved(&self, owner: &Owner) {
        if self.sleeps.load(SeqCst) && !self.woken.load(SeqCst) {
            assert!(!owner.victim.lane.has_hidden(), "a frame hides from a sleeper");
            let answered = Fact::new(false);
            owner.join_waking(|| answered.store(true, SeqCst), || {});
            assert!(answered.into_inner(), "a sleeper's hunger was forgotten");
        }
    }
}

/// Lets `others` go on while the owner does `joins`; all have ended when the last leaf
/// calls its argument.
fn beside_a_sleeper(
    others: &'static [fn(&Sleeper, &Victim)],
    joins: fn(&Owner, &Sleeper, &dyn Fn()),
) {
    let owner = Owner::new(true);
    let sleeper = Arc::new(Sleeper::default());
    let spawn = |other: &'static fn(&Sleeper, &Victim)| {
        let (sleeper, victim) = (Arc::clone(&sleeper), Arc::clone(&owner.victim));
        thread::spawn(move || other(&sleeper, &victim))
    };
    let threads = std::cell::RefCell::new(others.iter().map(spawn).collect::<Vec<_>>());
    joins(&owner, &sleeper, &|| {
        for thread in threads.take() {
            thread.join().unwrap();
        }
        sleeper.assert_not_starved(&owner);
    });
}

#[test]
fn the_owner_sees_the_hunger_or_the_sleeper_the_frame() {
    check(|| {
        beside_a_sleeper(&[Sleeper::sleep], |owner, sleeper, last_leaf| {
            owner.join_waking(|| sleeper.wake(), last_leaf);
        });
    });
}

/// The sleeper's own last look may be in the way of the owner's answer.
#[test]
fn no_frame_hides_after_a_pull_that_came_too_late() {
    check_deep(3, || {
        beside_a_sleeper(&[Sleeper::sleep], |owner, sleeper, last_leaf| {
            owner.join_waking(|| sleeper.wake(), || {});
            owner.join_waking(|| sleeper.wake(), last_leaf);
        });
    });
}

/// The answer to an earlier hunger must not end a later one unseen.
#[test]
fn hunger_that_meets_an_exposure_is_not_forgotten() {
    check_deep(3, || {
        beside_a_sleeper(&[Sleeper::sleep], |owner, sleeper, last_leaf| {
            owner.victim.lane.raise_hunger(1);
            owner.join_waking(|| sleeper.wake_if_known(), || {});
            last_leaf();
        });
    });
}

/// A waiting worker that pulls runs what it got and looks after no sleeper. So an owner
/// whose exposure it forestalls or hinders must answer the hunger nevertheless.
#[test]
fn hunger_outlasts_the_pull_of_somebody_else() {
    check_deep(3, || {
        fn waiter(_: &Sleeper, victim: &Victim) {
            victim.pull();
        }
        beside_a_sleeper(&[waiter], |owner, sleeper, last_leaf| {
            // Fast asleep before all this.
            sleeper.asleep.store(true, Ordering::Relaxed);
            sleeper.sleeps.store(true, SeqCst);
            owner.victim.lane.raise_hunger(1);
            owner.join_waking(|| sleeper.wake(), last_leaf);
        });
    });
}

#[test]
fn a_frame_pushed_during_a_pull_is_shown_to_the_sleeper() {
    check_deep(3, || {
        fn waiter(_: &Sleeper, victim: &Victim) {
            victim.pull();
        }
        beside_a_sleeper(&[waiter], |owner, sleeper, last_leaf| {
            sleeper.asleep.store(true, Ordering::Relaxed);
            sleeper.sleeps.store(true, SeqCst);
            owner.join(|| {
                owner.victim.lane.raise_hunger(1);
                owner.join_waking(|| sleeper.wake(), last_leaf);
            });
        });
    });
}

/// Others ask for frames meanwhile, who don't sleep.
#[test]
fn hunger_is_not_forgotten_for_others_who_ask() {
    check(|| {
        fn ask(_: &Sleeper, victim: &Victim) {
            victim.lane.ask();
        }
        beside_a_sleeper(&[Sleeper::sleep, ask], |owner, sleeper, last_leaf| {
            owner.victim.lane.raise_hunger(1);
            owner.join_waking(|| sleeper.wake_if_known(), || {});
            last_leaf();
        });
    });
}

/// Many who sleep want a frame each, and one who asks for a single one takes nothing from them.
#[test]
fn hunger_is_answered_by_as_many_pushes_as_it_asks_for() {
    check(|| {
        let owner = Owner::new(true);
        owner.victim.lane.raise_hunger(2);
        owner.victim.lane.raise_hunger(1);
        let answers = std::cell::Cell::new(0);
        for _ in 0..3 {
            owner.join_waking(|| answers.set(answers.get() + 1), || {});
        }
        assert_eq!(answers.get(), 2);
    });
}
