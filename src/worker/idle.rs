//! What a worker does when it finds nothing: it looks again for a while, then sleeps.
//! The protocol is the event count's; this is the member's side of it.
//!
//! Model: loom-tests/tests/wake.rs.
//! Tests: tests/idle.rs.

use crate::policy::idleness::Idleness;
use crate::policy::ladder::{Ladder, Step};
use crate::primitive::loan::Loan;
use crate::queue::lane::Pulled;
use crate::sync::fence::{full_fence, heavy_fence};
use crate::sync::yield_now;
use crate::telemetry::activity::Status;
use crate::worker::local::Local;
use crate::worker::presence::Due;
use crate::worker::shared::Job;

/// How an attempt to sleep ended.
enum Rest {
    /// The last look found work in plain sight, or the end.
    Cancelled,
    /// The last look took a hidden frame.
    Pulled(Job),
    Woken,
    /// It has lain on the bench, and is to end.
    Dismissed,
}

impl Local {
    /// The next job, or `None` when the pool has come to its end.
    pub fn idle(&self) -> Option<Job> {
        let (idle, idleness) = (&self.shared.idle, self.idleness.get());
        let ladder = idleness.ladder_beside(idle.searching(), self.shared.regulars.len());
        idle.start_searching();
        // Whoever leaves to others what it may find needn't look.
        let looks = self.shared.takes(self.index);
        self.search(if looks { ladder } else { Ladder::short() })
    }

    fn learn(&self, lesson: impl FnOnce(&mut Idleness)) {
        let mut idleness = self.idleness.get();
        lesson(&mut idleness);
        self.idleness.set(idleness);
    }

    /// As [`idle`](Self::idle), for one who is counted as searching.
    pub fn search(&self, mut ladder: Ladder) -> Option<Job> {
        let (mut looked, mut slept, mut woken) = (false, false, false);
        self.last_end.set(None);
        loop {
            if let Some(job) = self.find() {
                if let Job::QuickCall(_) = job
                    && looked
                {
                    return Some(self.answer(job, slept));
                }
                return Some(self.leave_search(job, slept));
            }
            looked = true;
            if self.shared.idle.has_ended() {
                return None;
            }
            if self.remote().activity.is(Status::Running) {
                self.is_now(Status::Searching);
            }
            match ladder.next_step() {
                Step::Yield => {
                    self.counters().looks_in_vain.bump();
                    yield_now();
                    self.shared.whereabouts.here(self.index);
                }
                Step::Pull => {
                    if let Pulled::Frame(job) = self.pull() {
                        return Some(self.leave_search(job, slept));
                    }
                }
                Step::Sleep => {
                    self.tidy_if_asked();
                    if woken {
                        self.learn(Idleness::woken_in_vain);
                        self.counters().wakes_in_vain.bump();
                    }
                    self.is_now(Status::Parked);
                    let rest = self.rest();
                    let time = self.is_now(Status::Searching);
                    woken = match rest {
                        Rest::Pulled(job) => return Some(self.leave_search(job, slept)),
                        Rest::Cancelled => false,
                        Rest::Woken => true,
                        Rest::Dismissed => return None,
                    };
                    if woken {
                        slept = true;
                        self.learn(|idleness| idleness.slept(time));
                        self.turn.forget();
                    }
                    ladder = self.idleness.get().ladder();
                }
            }
        }
    }

    fn go_on(&self, slept: bool) {
        self.learn(|idleness| idleness.found(slept));
        // Not if it has looked around for a moment only: the clock would cost more than that.
        if !self.remote().activity.is(Status::Running) {
            self.is_now(Status::Running);
        }
    }

    /// From searching to busy.
    fn leave_search(&self, job: Job, slept: bool) -> Job {
        self.go_on(slept);
        self.shared.leave_search(self.index);
        job
    }

    /// As [`leave_search`](Self::leave_search), but goes on counting as searching, which the caller
    /// sees to. Only for one who has looked everywhere and found nothing since the last call: or
    /// others' work would wait behind all calls there are, and nobody would be woken for it.
    fn answer(&self, call: Job, slept: bool) -> Job {
        self.go_on(slept);
        self.still_searching.set(true);
        call
    }

    /// Runs a call, lending its caller the count as one who searches that this worker has, if it
    /// has one.
    pub fn lend<R>(&self, loan: &Loan, call: impl FnOnce() -> R) -> R {
        /// On drop, as calls may panic.
        struct GiveBack<'l>(&'l Local, &'l Loan);

        impl Drop for GiveBack<'_> {
            fn drop(&mut self) {
                self.0.still_searching.set(self.1.give_back());
            }
        }

        // Not to be lent again by a call that this one waits for.
        let searching = self.still_searching.take();
        let lent = searching && loan.lend();
        if searching && !lent {
            self.shared.stop_searching();
        }
        let _give_back = lent.then(|| GiveBack(self, loan));
        call()
    }

    fn rest(&self) -> Rest {
        match self.remote().presence.is_lent() {
            true if self.sit_out() => Rest::Dismissed,
            true => Rest::Woken,
            false => self.sleep(),
        }
    }

    /// Sleeps until woken, unless a last look finds work.
    fn sleep(&self) -> Rest {
        let shared = &self.shared;
        shared.whereabouts.sleeps(self.index);
        shared.idle.sleep_begin(self.index);
        // From here on whoever pushes a frame exposes it and wakes somebody.
        shared.raise_hunger();
        // First: who is seen asleep below, and has woken meanwhile, counted as searching when we
        // left the search, or has left it after us and looks after us.
        full_fence();
        if !shared.is_alone_awake(self.index) {
            heavy_fence();
        }
        let remote = self.remote();
        let concerned = !remote.inbox.is_empty() || remote.presence.is_lent();
        let rest = if concerned || shared.has_visible() {
            Rest::Cancelled
        } else {
            match self.pull() {
                Pulled::Frame(job) => Rest::Pulled(job),
                // Another puller or the owner is at it, and may want our CPU; it isn't for us to
                // sleep yet.
                Pulled::Busy => {
                    yield_now();
                    Rest::Cancelled
                }
                Pulled::Nothing if shared.end_if_last() => Rest::Cancelled,
                Pulled::Nothing => {
                    self.counters().parks.bump();
                    debug_assert!(self.credits.are_none());
                    if remote.presence.rest() == Due::ComeBack {
                        shared.seats.come_back();
                    }
                    self.park(None);
                    remote.presence.back();
                    Rest::Woken
                }
            }
        };
        shared.idle.wake_up(self.index);
        shared.whereabouts.here(self.index);
        rest
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::primitive::loan::Loan;
    use crate::worker::bare::workers;

    #[test]
    fn who_searches_lends_that_to_a_call_and_has_it_back_from_a_caller_who_is_there_still() {
        let [local] = workers(1, None);
        for withdraws in [false, true] {
            let loan = Loan::new();
            local.still_searching.set(true);
            local.lend(&loan, || {
                assert!(!local.still_searching.get());
                assert!(!withdraws || loan.withdraw());
            });
            assert_eq!(local.still_searching.take(), !withdraws);
        }
    }

    #[test]
    fn who_is_called_by_nobody_who_waits_leaves_the_search() {
        let [local] = workers(1, None);
        local.shared.idle.start_searching();
        local.still_searching.set(true);
        let loan = Loan::new();
        assert!(!loan.withdraw());
        local.lend(&loan, || assert_eq!(local.shared.idle.searching(), 0));
        assert!(!local.still_searching.get());
    }
}
