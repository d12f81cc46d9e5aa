//! Who is woken when there is work.
//!
//! In this order: an idle worker, unless somebody searches; a worker that waits and is
//! concerned, since it has a thread; a spare, if a worker has left its seat; and if nobody
//! runs and no spare can be had, somebody who waits, as a last resort.
//!
//! Model: loom-tests/tests/wake.rs.

use crate::sync::Ordering;
use crate::sync::fence::{full_fence, heavy_fence, light_fence};
use crate::telemetry::event::Event;
use crate::worker::blocked::Blocked;
use crate::worker::local::Local;
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

    /// As [`notify`](Self::notify), for a thread that is none of the pool's own.
    #[inline]
    pub fn notify_from_outside(&self, concerned: impl Fn(usize, Blocked) -> bool) {
        full_fence();
        self.notify(concerned);
    }

    #[inline]
    fn has_exceptions(&self) -> bool {
        self.seats.exceptions.load(Ordering::Relaxed) > 0
    }

    /// Wakes an idle worker unless somebody searches. Returns whether the work is in good
    /// hands.
    #[inline]
    pub(super) fn wake_idle(&self) -> bool {
        match self.idle.notify(|| self.wake_one()) {
            Some(worker) => {
                self.unpark(worker);
                true
            }
            None => {
                let searching = self.idle.searching();
                if searching > 0 && !self.victims.is_simple() {
                    self.wake_beside(searching);
                }
                searching > 0
            }
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
    pub(super) fn nudge(&self, concerned: impl Fn(usize, Blocked) -> bool) -> bool {
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
        self.spread();
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
            self.look_for_others(heavy_fence);
        }
    }

    /// As [`stop_searching`](Self::stop_searching), for a worker.
    pub fn leave_search(&self, worker: usize) {
        self.whereabouts.here(worker);
        if self.idle.stop_searching() {
            let alone = self.is_alone_awake(worker);
            self.look_for_others(if alone { full_fence } else { heavy_fence });
        } else {
            // Who searches sees the first frame of what has been found at once if it is shown;
            // one that hides, it has to ask for, or to pull.
            self.worker(worker).lane.ask();
            self.spread();
        }
    }

    /// For a worker on whose work those who search are to fall: wakes one more if none of them gets
    /// to it, perhaps.
    fn spread(&self) {
        if self.idle.anyone_asleep()
            && let Some(elsewhere) = self.whereabouts.elsewhere()
            && let Some(worker) = self.idle.wake_one_of(elsewhere)
        {
            self.unpark(worker);
        }
    }

    /// For a worker that has left the search, to sleep or as the last one: whether all others sleep
    /// idle. Then a full_fence will do, as only outsiders can have relied on it, and they have one,
    /// too. A worker that is seen asleep and isn't any more has woken after we left, or it would be
    /// counted as searching or seen to be awake: so whatever it publishes, it does so after it has
    /// left the search itself, and has seen that we may sleep.
    pub fn is_alone_awake(&self, worker: usize) -> bool {
        !self.is_spare(worker)
            && self.spares().next().is_none()
            && self.idle.asleep_beside(worker) + 1 == self.regulars.len()
    }

    /// For one on whom publishers have relied until now, and woken nobody.
    pub fn look_for_others(&self, fence: fn()) {
        // Who sleeps in a wait has counted itself, fenced, and then seen us search.
        light_fence();
        if self.idle.anyone_asleep() || self.has_exceptions() {
            self.raise_hunger();
            fence();
            if self.has_work() {
                self.pass_on();
            }
        }
    }

    fn pass_on(&self) {
        match self.wake_one() {
            Some(worker) => self.unpark(worker),
            None => {
                if !self.start_spare() {
                    self.nudge(|_, _| true);
                    self.arm_watch();
                }
            }
        }
    }

    /// Wakes all who sleep in a wait but `worker`.
    pub fn nudge_others(&self, worker: usize) {
        self.nudge(|index, _| index != worker);
    }

    /// All are busy, and there is work: perhaps some of them only seem to be.
    #[cold]
    pub(super) fn arm_watch(&self) {
        if self.watch.is_refused(|| self.clock.elapsed()) || !self.watch.arm() {
            return;
        }
        self.seats.exceptions.fetch_sub(1, Ordering::Relaxed);
        if !self.watch.wake() && !self.hire(Post::Watch) {
            self.seats.exceptions.fetch_add(1, Ordering::Relaxed);
            self.watch.refuse(self.clock.elapsed());
        }
    }

    /// For the watch, when there is nothing to watch: see watch.rs.
    pub fn go_off_watch(&self) {
        self.seats.exceptions.fetch_add(1, Ordering::Relaxed);
        self.watch.disarm();
        self.raise_hunger();
        heavy_fence();
        if self.has_work() {
            self.arm_watch();
        }
    }

    /// Wakes `worker`, whatever it sleeps for. Its token makes it look around once more.
    pub fn unpark(&self, worker: usize) {
        self.whereabouts.woken(worker);
        let worker = self.worker(worker);
        self.note_wake(worker);
        if worker.parker.unpark() {
            match Local::current_in(self) {
                Some(waker) => {
                    waker.counters().wakes.bump();
                    waker.record(Event::Wake(worker.index));
                }
                // Beside the system call that it just cost, a shared count is nothing.
                None => self.common.wakes.bump_shared(),
            }
        }
    }

    /// For a worker that is about to sleep in a wait. A heavy_fence and a last look at what
    /// it may do follow.
    pub fn block(&self, worker: usize, why: Blocked) {
        self.whereabouts.sleeps(worker);
        self.worker(worker).blocked.store(why.into_word(), Ordering::Relaxed);
    }

    /// For that worker, when it is awake again.
    pub fn unblock(&self, worker: usize) {
        self.worker(worker).blocked.store(Blocked::No.into_word(), Ordering::Relaxed);
        self.whereabouts.here(worker);
    }
}
