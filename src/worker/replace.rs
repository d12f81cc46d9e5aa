//! Who takes a free seat: one that has a thread, or is hired.
//! `primitive/seats.rs` has the protocol.
//!
//! Model: loom-tests/tests/wake.rs.
//! Tests: tests/elastic.rs.

use crate::primitive::seats::Spare;
use crate::sync::fence::heavy_fence;
use crate::sync::{Ordering, statistic};
use crate::worker::blocked::concerns_guests;
use crate::worker::presence::Due;
use crate::worker::shared::{Post, Shared};

impl Shared {
    /// The watch has found this worker asleep in a task: somebody takes its place.
    pub fn stall(&self, worker: usize) {
        if self.worker(worker).presence.stall() == Due::Leave {
            self.common.stalls.bump_shared();
            self.ask_for_check();
            self.seats.leave();
            self.raise_hunger();
            heavy_fence();
            self.hand_over_or_call();
        }
    }

    /// This worker runs again, or is about to, after the watch has found it asleep.
    pub fn resume(&self, worker: usize) {
        if self.worker(worker).presence.resume() == Due::ComeBack {
            self.seats.come_back();
            self.seats.hope();
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

    /// Starts a spare if somebody has left a seat. Returns whether it did.
    #[inline]
    pub(super) fn start_spare(&self) -> bool {
        self.seats.is_short() && self.fill_seat()
    }

    #[cold]
    fn fill_seat(&self) -> bool {
        self.seats.fill().is_some_and(|spare| self.start(spare))
    }

    /// For whoever has given somebody a seat, and is awake or inside the gate, so that the pool hasn't
    /// ended.
    pub(super) fn start(&self, spare: Spare) -> bool {
        // It counts as searching from here on, so that nobody starts another for the same
        // work, and as staff, so that the pool doesn't end without it.
        self.idle.enlist();
        self.staffed.fetch_add(1, Ordering::Relaxed);
        self.call_governor();
        let index = match spare {
            Spare::Benched(index) => {
                self.unpark(index);
                return true;
            }
            Spare::Unborn(index) => index,
        };
        if self.hire(Post::Worker(index)) {
            return true;
        }
        self.seats.stay_unborn(index);
        // Searching no more before the others are asked to look whether the pool has ended: it
        // can't end while somebody searches, and nobody would ask again.
        self.stop_searching();
        self.unstaff();
        false
    }

    /// Sees to it that this worker looks into its inbox, in which something has just been put: it may
    /// have left its seat, or have no thread. If none can be had for it, others run what lies there.
    pub fn summon(&self, worker: usize) {
        if let Some(spare) = self.seats.summon(worker)
            && !self.start(spare)
        {
            while let Some(task) = self.worker(worker).inbox.steal() {
                self.injected.push(task);
            }
            self.notify_from_outside(concerns_guests);
        }
    }

    pub(super) fn hire(&self, post: Post) -> bool {
        let Some(hire) = self.hire.get().filter(|_| !self.is_inherited()) else { return false };
        let hired = hire(post).is_ok();
        if !hired {
            self.unhired.store(1, statistic::Ordering::Relaxed);
        }
        hired
    }
}
