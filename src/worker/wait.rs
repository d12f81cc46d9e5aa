//! What a worker does while its own work isn't done. It runs only what is part of what it
//! waits for: so a lock held across a join can't be taken again by unrelated work on the
//! same stack, and stacks stay near the serial program's.
//!
//! | it waits for            | it may run meanwhile                                  |
//! |-------------------------|-------------------------------------------------------|
//! | a frame that was taken  | frames from the deque or lane of the worker that runs |
//! |                         | it: that one began with both empty, so all is part of |
//! |                         | the frame while its latch is unset, unless the thief  |
//! |                         | runs something foreign (a broadcast's part, a call,   |
//! |                         | what it volunteers for by `yield_now`)                |
//! | a scope                 | tasks of that scope, wherever they are                |
//! | another pool            | calls from outside and tasks of scopes that somebody  |
//! |                         | outside waits for (else two pools that call each      |
//! |                         | other would wait for ever)                            |
//! | a handle, a broadcast   | nothing; a guest that waits for a handle: detached    |
//! |                         | tasks and calls, since nobody else may exist to do so |
//!
//! And in all cases parts of broadcasts in its own inbox, which nobody else runs while it is there.
//! A job that it stole but may not run goes to the misfits.
//!
//! Model: loom-tests/tests/wake.rs.

use crate::job::FrameRef;
use crate::policy::ladder::{Ladder, Step};
use crate::policy::wait::WaitPolicy;
use crate::primitive::count_latch::CountLatch;
use crate::primitive::latch::Latch;
use crate::queue::lane::Pulled;
use crate::sync::clock::Instant;
use crate::sync::fence::heavy_fence;
use crate::sync::yield_now;
use crate::telemetry::activity::Status;
use crate::worker::blocked::Blocked;
use crate::worker::help::{Found, Look};
use crate::worker::local::Local;
use crate::worker::outside::wait_outside;
use crate::worker::shared::{Job, Shared};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// How long nobody must have run before one who waits runs anything: what it waits for may
/// come from outside the pool, by itself, and most of what does is there sooner.
const GRACE: Duration = Duration::from_millis(100);

impl Local {
    /// Waits for a frame of its own that another worker has taken.
    pub fn wait_for_frame(&self, frame: FrameRef<Self>, latch: &Latch) {
        let thief = Cell::new(None);
        let help = |look| {
            // Said in the latch until we go to sleep on it.
            thief.set(thief.get().or_else(|| latch.taker()));
            match thief.get() {
                Some(index) => self.help_thief(self.shared.worker(index), latch, look),
                None => self.find_misfit(|misfit| matches!(misfit, Job::Frame(f) if *f == frame)),
            }
        };
        self.wait(latch, help, || thief.get().map_or(Blocked::Latch, Blocked::Thief));
    }

    /// Waits for a scope, whose body has ended.
    pub fn wait_for_scope(&self, scope: &CountLatch) {
        if self.may_run_anything() {
            self.wait(scope.latch(), |_| Found::Nothing, || Blocked::Any);
            return;
        }
        // Most scopes are done with this. The rest of the rules is for those that are not.
        while self.remote().inbox.is_empty()
            && !self.stack.is_nearly_used_up()
            && let Found::Part(task) = self.help_scope(scope)
        {
            self.execute(task);
        }
        self.wait(scope.latch(), |_| self.help_scope(scope), || Blocked::Latch);
    }

    /// Waits for what another pool does.
    pub fn wait_for_other_pool(&self, pool: &Shared, latch: &Latch) {
        if self.shared.is_inherited() {
            // The child's own pool has threads, and ours has none whose work this could do.
            return wait_outside(pool, latch);
        }
        self.wait(latch, |_| Found::foreign(self.shared.calls.steal()), || Blocked::Call);
    }

    /// Waits for what other workers of this pool do.
    pub fn wait_for_workers(&self, latch: &Latch) {
        self.wait(latch, |_| Found::Nothing, || Blocked::Latch);
    }

    /// Waits for a task that has a handle.
    pub fn wait_for_task(&self, latch: &Latch) {
        if self.is_at_leisure() {
            self.wait(latch, |_| Found::foreign(self.find_detached()), || Blocked::Guest);
        } else {
            self.wait_for_workers(latch);
        }
    }

    fn may_run_anything(&self) -> bool {
        self.shared.wait_policy == WaitPolicy::Any
    }

    fn wait(&self, latch: &Latch, help: impl Fn(Look) -> Found, why: impl Fn() -> Blocked) {
        let any = self.may_run_anything();
        let look_around = |look| {
            let short = self.stack.is_nearly_used_up();
            // Where anything may run it comes after what lies on the deques, as in the loop.
            if (short || !any)
                && let Some(part) = self.remote().inbox.steal()
            {
                return Found::Foreign(Job::Task(part));
            }
            // Whatever we took would run on top of what waits here.
            if short {
                if look == Look::Last {
                    self.counters().refusals.bump();
                }
                return Found::Nothing;
            }
            match help(look) {
                Found::Nothing if any => self.find_anything(look),
                found => found,
            }
        };
        let (mut ladder, mut stuck_since) = (Ladder::default(), None);
        let mut slept = false;
        loop {
            self.credits.give_back();
            if latch.is_set() {
                break;
            }
            let mut found = look_around(Look::Quick);
            if let Found::Nothing = found {
                match ladder.next_step() {
                    Step::Yield => yield_now(),
                    Step::Pull => {}
                    Step::Sleep => {
                        if latch.register(Arc::clone(&self.remote().parker)) {
                            slept = true;
                            let why = if any { Blocked::Any } else { why() };
                            let last_look = || look_around(Look::Last);
                            found = self.sleep_in_wait(latch, why, &mut stuck_since, last_look);
                            if latch.is_set() {
                                self.shared.seats.hope();
                            }
                        }
                        ladder.restart();
                    }
                }
            }
            if slept && matches!(found, Found::Part(_) | Found::Foreign(_)) {
                // Whoever woke it for one job has made others since, perhaps, and relied on it.
                slept = false;
                self.shared.look_for_others(heavy_fence);
            }
            match found {
                Found::Part(job) => self.execute(job),
                Found::Foreign(job) => self.execute_foreign(job),
                Found::Nothing => continue,
                Found::Unclear => {
                    // Somebody holds a claim, and may want our CPU to let go of it.
                    yield_now();
                    continue;
                }
            }
            ladder.restart();
        }
    }

    /// Leaves its seat and sleeps until woken, unless a last look finds something to do.
    fn sleep_in_wait(
        &self,
        latch: &Latch,
        why: Blocked,
        stuck_since: &mut Option<Instant>,
        last_look: impl Fn() -> Found,
    ) -> Found {
        let shared = &self.shared;
        debug_assert!(self.credits.are_none());
        shared.block(self.index, why);
        let left = self.leave_seat();
        // Not before: whoever answers this hunger must see whom to wake and what seat is free.
        shared.raise_hunger();
        heavy_fence();
        let mut found = last_look();
        if let Found::Nothing = found {
            self.counters().parks.bump();
            self.is_now(Status::Blocked);
            if shared.hand_over() {
                *stuck_since = None;
                self.park(None);
            } else {
                // Not a new grace with every nudge: somebody outside may go on pushing.
                let since = *stuck_since.get_or_insert_with(Instant::now);
                self.park(Some(GRACE.saturating_sub(since.elapsed())));
                // Not if it was woken as all is done, and has waited for a CPU since.
                if since.elapsed() >= GRACE && shared.is_stuck() && !latch.is_set() {
                    found = self.last_resort();
                    if let Found::Nothing = found {
                        *stuck_since = None;
                    }
                }
            }
            // Away already: in `blocking`, which goes on.
            self.is_now(if left { Status::Running } else { Status::Blocked });
        }
        shared.unblock(self.index);
        self.come_back(left);
        found
    }

    /// There is work, nobody runs, no spare can be had, and so it has been for a while. What
    /// the work locks may be held by a frame of ours; but what we wait for seems to wait for it.
    #[cold]
    fn last_resort(&self) -> Found {
        let found = self.find_anything(Look::Last);
        match found {
            Found::Foreign(_) => self.counters().last_resorts.bump(),
            // Frames that hide in our own lane are for others who wait.
            _ => self.shared.nudge_others(self.index),
        }
        found
    }

    fn find_anything(&self, look: Look) -> Found {
        match self.find() {
            None if look == Look::Last => match self.pull() {
                Pulled::Frame(job) => Found::Foreign(job),
                Pulled::Busy => Found::Unclear,
                Pulled::Nothing => Found::Nothing,
            },
            found => Found::foreign(found),
        }
    }
}
