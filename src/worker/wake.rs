//! Who is woken when there is work, or the pool comes to its end.
//!
//! In this order: an idle worker, unless somebody searches; a worker that waits and is
//! concerned, since it has a thread; a spare, if a worker has left its seat; and if nobody
//! runs and no spare can be had, somebody who waits, as a last resort.
//!
//! Model: loom-tests/tests/wake.rs.

use crate::primitive::seats::Spare;
use crate::sync::Ordering;
use crate::sync::fence::{heavy_fence, light_fence};
use crate::worker::blocked::Blocked;
use crate::worker::presence::Due;
use crate::worker::shared::{Job, Post, Shared};

impl Shared {
    /// Right after work was made visible that anybody idle may run, and those who wait and
    /// are `concerned`.
    #[inline]
    pub fn notify(&self, concerned: impl Fn(usize, Blocked) -> bool) {
        if !self.wake_idle() && self.has_exceptions() {
            self.notify_others(concerned);
        }
    }

    #[inline]
    fn has_exceptions(&self) -> bool {
        self.exceptions.load(Ordering::Relaxed) > 0
    }

    /// Wakes an idle worker unless somebody searches. Returns whether the work is in good
    /// hands.
    #[inline]
    fn wake_idle(&self) -> bool {
        match self.idle.notify() {
            Some(worker) => {
                self.unpark(worker);
                true
            }
            None => self.idle.searching() > 0,
        }
    }

    #[cold]
    fn notify_others(&self, concerned: impl Fn(usize, Blocked) -> bool) {
        let nudged = self.nudge(concerned);
        if !nudged && self.start_spare() {
            return;
        }
        if !nudged && self.seats.is_deserted() {
            // Whoever it is finds that it must help out.
            self.nudge(|_, _| true);
        }
        self.arm_watch();
    }

    /// Wakes those who sleep in a wait and whose reason is `concerned`. Returns whether it
    /// did. For publishers, after a light_fence.
    fn nudge(&self, concerned: impl Fn(usize, Blocked) -> bool) -> bool {
        let mut nudged = false;
        for (index, worker) in self.roster() {
            let why = Blocked::from_word(worker.blocked.load(Ordering::Relaxed));
            if why == Blocked::Any || why != Blocked::No && concerned(index, why) {
                self.unpark(index);
                nudged = true;
            }
        }
        nudged
    }

    /// For a worker that shows its hidden frames.
    pub fn notify_exposed(&self, exposer: usize) {
        let idle = self.wake_idle();
        if !self.has_exceptions() {
            return;
        }
        // Even if somebody idle was woken: the hunger of the one who waits for what we run
        // has been answered with that of all others, and it must raise it again.
        let helper = self.nudge(|_, why| why == Blocked::Thief(exposer));
        if !idle {
            if helper { self.arm_watch() } else { self.notify_others(|_, _| false) }
        }
    }

    /// Hands a stolen job that the thief may not run to whoever may.
    pub fn add_misfit(&self, misfit: Job) {
        self.misfits.push(misfit);
        let idle = self.wake_idle();
        // The one that waits for it may sleep, and can't be told from the others: the job
        // is no longer ours to look into.
        self.nudge(|_, _| true);
        if !idle {
            self.start_spare();
        }
    }

    /// For one who is counted as searching, and is no longer. The last one to leave the search
    /// sees to it that those who sleep, idle or in a wait or on the bench, miss nothing.
    pub fn stop_searching(&self) {
        if self.idle.stop_searching() {
            self.look_for_others();
        }
    }

    /// For one on whom publishers have relied until now, and woken nobody.
    pub fn look_for_others(&self) {
        // Who sleeps in a wait has counted itself, fenced, and then seen us search.
        light_fence();
        if self.idle.anyone_asleep() || self.has_exceptions() {
            self.raise_hunger();
            heavy_fence();
            if self.has_work() {
                self.pass_on();
            }
        }
    }

    fn pass_on(&self) {
        match self.idle.wake_one() {
            Some(worker) => self.unpark(worker),
            None => {
                if !self.start_spare() {
                    self.nudge(|_, _| true);
                    self.arm_watch();
                }
            }
        }
    }

    /// For whoever has left a seat, after a heavy_fence: if there is work, somebody is to
    /// take its place. False: there is, and nobody can, nor does anybody run.
    #[must_use]
    pub fn hand_over(&self) -> bool {
        !self.has_work() || self.wake_idle() || self.start_spare() || !self.seats.is_deserted()
    }

    /// As [`hand_over`](Self::hand_over), for whoever can't help out: those who wait are to.
    pub fn hand_over_or_call(&self) {
        if !self.hand_over() {
            self.nudge(|_, _| true);
        }
    }

    /// Whether there is work and nobody runs.
    pub fn is_stuck(&self) -> bool {
        self.has_work() && self.seats.is_deserted()
    }

    /// Wakes all who sleep in a wait but `worker`.
    pub fn nudge_others(&self, worker: usize) {
        self.nudge(|index, _| index != worker);
    }

    /// Starts a spare if somebody has left a seat. Returns whether it did.
    #[inline]
    fn start_spare(&self) -> bool {
        self.seats.is_short() && self.fill_seat()
    }

    #[cold]
    fn fill_seat(&self) -> bool {
        let Some(spare) = self.seats.fill() else { return false };
        // It counts as searching from here on, so that nobody starts another for the same
        // work, and as staff, so that the pool doesn't end without it. Our caller is awake
        // or inside the gate, so it hasn't ended yet.
        self.idle.enlist();
        self.staffed.fetch_add(1, Ordering::Relaxed);
        let index = match spare {
            Spare::Benched(index) => {
                self.unpark(index);
                return true;
            }
            Spare::Unborn(index) => index,
        };
        if self.hire(Post::Spare(index)) {
            return true;
        }
        self.seats.stay_unborn(index);
        self.unstaff();
        self.stop_searching();
        false
    }

    fn hire(&self, post: Post) -> bool {
        self.hire.get().is_some_and(|hire| hire(post).is_ok())
    }

    /// All are busy, and there is work: perhaps some of them only seem to be.
    #[cold]
    fn arm_watch(&self) {
        if !self.watch.arm() {
            return;
        }
        self.exceptions.fetch_sub(1, Ordering::Relaxed);
        if !self.watch.wake() {
            // Without a thread it stays armed, and nobody tries again.
            self.hire(Post::Watch);
        }
    }

    /// For the watch, when there is nothing to watch: see watch.rs.
    pub fn go_off_watch(&self) {
        self.exceptions.fetch_add(1, Ordering::Relaxed);
        self.watch.disarm();
        self.raise_hunger();
        heavy_fence();
        if self.has_work() {
            self.arm_watch();
        }
    }

    /// The watch has found this worker asleep in a task: somebody takes its place.
    pub fn stall(&self, worker: usize) {
        if self.worker(worker).presence.stall(self.is_spare(worker)) == Due::Leave {
            self.common.stalls.bump_shared();
            self.leave_seat();
            self.raise_hunger();
            heavy_fence();
            self.hand_over_or_call();
        }
    }

    /// This worker runs again, or is about to, after the watch has found it asleep.
    pub fn resume(&self, worker: usize) {
        if self.worker(worker).presence.resume(self.is_spare(worker)) == Due::ComeBack {
            self.retake_seat();
            self.seats.hope();
        }
    }

    /// For a worker that blocks, or the watch that has found it so. Hunger in every lane, a
    /// heavy_fence and a last look follow.
    pub fn leave_seat(&self) {
        self.exceptions.fetch_add(1, Ordering::Relaxed);
        self.seats.leave();
    }

    /// For a worker that is back.
    pub fn retake_seat(&self) {
        self.seats.come_back();
        self.exceptions.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes `worker`, whatever it sleeps for. Its token makes it look around once more.
    pub fn unpark(&self, worker: usize) {
        if self.worker(worker).parker.unpark() {
            // Beside the system call that it just cost, a shared count is nothing.
            self.common.wakes.bump_shared();
        }
    }

    /// For a worker that is about to sleep in a wait. A heavy_fence and a last look at what
    /// it may do follow.
    pub fn block(&self, worker: usize, why: Blocked) {
        self.worker(worker).blocked.store(why.into_word(), Ordering::Relaxed);
    }

    /// For that worker, when it is awake again.
    pub fn unblock(&self, worker: usize) {
        self.worker(worker).blocked.store(Blocked::No.into_word(), Ordering::Relaxed);
    }

    /// One worker less that must sleep before the pool ends.
    pub fn unstaff(&self) {
        self.staffed.fetch_sub(1, Ordering::Relaxed);
        // A sleeper that misses this change has fenced before us. Then either we see the
        // gate sealed, or whoever seals it fences after us, and so sees that sleeper.
        light_fence();
        if self.gate.is_sealed() {
            self.wake_for_the_end();
        }
    }

    /// Wakes some worker, so that it looks whether the pool has come to its end. If none
    /// sleeps yet, the last to fall asleep looks anyway.
    pub fn wake_for_the_end(&self) {
        light_fence();
        if let Some(worker) = self.idle.wake_one() {
            self.unpark(worker);
        }
    }
}
