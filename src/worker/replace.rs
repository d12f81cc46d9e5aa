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
            self.hand_over_if_any();
        }
    }

    /// This worker runs again, or is about to, after the watch has found it asleep.
    pub fn resume(&self, worker: usize) {
        if self.worker(worker).presence.resume() == Due::ComeBack {
            self.seats.come_back();
            self.seats.hope();
        }
    }

    /// For whoever has left a seat to others, or made one, and can't help out: if there is work, somebody is to take it.
    pub(super) fn hand_over_if_any(&self) {
        self.raise_hunger();
        heavy_fence();
        self.hand_over_or_call();
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
    pub fn start_spare(&self) -> bool {
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
        // Perhaps it was addressed after it had been chosen.
        if !self.is_spare(index) && !self.worker(index).inbox.is_empty() {
            self.leave_to_others(index);
        }
        // Searching no more before the others are asked to look whether the pool has ended: it
        // can't end while somebody searches, and nobody would ask again.
        self.stop_searching();
        self.unstaff();
        false
    }

    /// Sees to it that this worker looks into its inbox, in which something has just been put: it may
    /// have left its seat, or have no thread. If none can be had for it, others run what lies there.
    pub fn summon(&self, worker: usize) {
        match self.seats.summon(worker) {
            Some(spare) => _ = self.start(spare),
            // Whoever leaves for good looks into its inbox after it has had the seats' lock, as we just had.
            None if self.worker(worker).presence.is_gone() => self.leave_to_others(worker),
            None => {}
        }
    }

    /// This worker has left for good, or will never come: what is addressed to it is for others from now on.
    pub fn lose(&self, worker: usize) {
        let remote = self.worker(worker);
        if remote.presence.leave_for_good() == Due::Leave {
            self.seats.leave();
        }
        self.seats.lose(worker);
        if !remote.inbox.is_empty() {
            self.leave_to_others(worker);
        }
        self.hand_over_if_any();
    }

    /// What lies in the inbox of this worker, who doesn't look into it any more.
    pub(super) fn leave_to_others(&self, worker: usize) {
        while let Some(task) = self.worker(worker).inbox.steal() {
            self.injected.push(task);
        }
        self.notify_from_outside(concerns_guests);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::primitive::seats::Spare;
    use crate::sync::Ordering::Relaxed;
    use crate::worker::bare::{count_hired, is_told, run, sleep, task, workers};
    use crate::worker::blocked::Blocked;
    use crate::worker::shared::{Job, Shared};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::SeqCst;

    fn nobody_hired(shared: &Shared) {
        assert!(shared.hire.set(Box::new(|_| Err(io::ErrorKind::WouldBlock.into()))).is_ok());
    }

    #[test]
    fn who_is_found_asleep_has_no_seat_until_it_is_seen_to_run() {
        let [local, _other] = workers(2, None);
        let shared = &local.shared;
        let away = || shared.seats.exceptions.load(Relaxed);
        for times in 1..3 {
            shared.stall(local.index);
            shared.stall(local.index);
            assert!(away() == 1 && local.remote().presence.is_stalled() && shared.wants_check());
            assert_eq!(shared.common.stalls.read(), times);
            shared.resume(local.index);
            shared.resume(local.index);
            assert!(away() == 0 && local.remote().presence.is_busy());
        }
    }

    #[test]
    fn who_is_found_asleep_is_replaced_if_there_is_work() {
        for has_work in [false, true] {
            let [local] = workers(2, None);
            let hired = count_hired(&local.shared);
            if has_work {
                local.shared.injected.push(task());
            }
            local.shared.stall(local.index);
            assert_eq!(hired.load(SeqCst), usize::from(has_work));
            run(&local);
        }
    }

    #[test]
    fn work_is_handed_to_the_idle_then_to_a_spare_then_to_whoever_runs() {
        let [local, other] = workers(3, None);
        let (shared, hired) = (&local.shared, count_hired(&local.shared));
        assert!(local.leave_seat());
        assert!(shared.hand_over() && hired.load(SeqCst) == 0, "there is no work");
        shared.injected.push(task());
        sleep(&other);
        assert!(shared.hand_over() && is_told(&other) && hired.load(SeqCst) == 0);
        assert!(shared.idle.stop_searching());
        assert!(shared.hand_over());
        assert_eq!((hired.load(SeqCst), shared.num_threads(), shared.idle.searching()), (1, 3, 1));
        assert!(shared.idle.stop_searching());
        assert!(shared.hand_over() && hired.load(SeqCst) == 1, "who has a seat runs");
        run(&other);
    }

    #[test]
    fn if_nobody_is_left_who_could_run_the_work_those_who_wait_are_called() {
        let [local, other] = workers(2, None);
        let shared = &local.shared;
        shared.block(local.index, Blocked::Latch);
        assert!(local.leave_seat());
        shared.injected.push(task());
        assert!(!shared.is_stuck() && shared.hand_over());
        shared.hand_over_or_call();
        assert!(!is_told(&local), "the other one runs");
        assert!(other.leave_seat());
        assert!(shared.is_stuck() && !shared.hand_over() && !is_told(&local));
        shared.hand_over_or_call();
        assert!(is_told(&local));
        run(&local);
        assert!(!shared.is_stuck() && shared.hand_over());
        shared.hand_over_or_call();
        assert!(!is_told(&local));
    }

    #[test]
    fn nobody_is_hired_while_no_seat_is_free() {
        let [local] = workers(2, None);
        let (shared, hired) = (&local.shared, count_hired(&local.shared));
        assert!(!shared.start_spare() && hired.load(SeqCst) == 0);
        assert!(local.leave_seat());
        assert!(shared.start_spare() && hired.load(SeqCst) == 1);
        assert!(!shared.start_spare() && hired.load(SeqCst) == 1);
    }

    #[test]
    fn a_hire_that_fails_leaves_all_as_it_was() {
        let [local] = workers(2, None);
        let shared = &local.shared;
        nobody_hired(shared);
        assert!(local.leave_seat());
        assert!(!shared.start_spare());
        assert_eq!((shared.num_threads(), shared.idle.searching()), (1, 0));
        assert!(shared.unhired.load(Relaxed) > 0 && !shared.seats.is_short());
    }

    #[test]
    fn who_lies_on_the_bench_is_woken_and_the_governor_called() {
        let [local, benched] = workers(2, None);
        let (shared, hired) = (&local.shared, count_hired(&local.shared));
        shared.governor_rests(true);
        shared.seats.sit_out(benched.index);
        shared.unstaff();
        assert!(shared.start_spare());
        assert!(is_told(&benched) && shared.has_called_governor());
        assert_eq!((hired.load(SeqCst), shared.num_threads(), shared.idle.searching()), (0, 2, 1));
    }

    #[test]
    fn who_is_summoned_comes_or_others_run_what_was_for_it() {
        let [local, other] = workers(2, None);
        let shared = &local.shared;
        nobody_hired(shared);
        other.remote().inbox.push(task());
        shared.summon(other.index);
        assert!(!is_told(&other) && shared.injected.is_empty(), "it has a seat");
        shared.seats.sit_out(other.index);
        shared.summon(other.index);
        assert!(is_told(&other) && shared.injected.is_empty() && shared.idle.stop_searching());
        shared.seats.sit_out(other.index);
        assert!(shared.dismiss(other.index) && is_told(&other));
        shared.seats.retire(other.index);
        sleep(&local);
        shared.summon(other.index);
        assert!(is_told(&local), "there is no thread for the other one");
        assert!(other.remote().inbox.is_empty() && shared.injected.len() == 1);
        assert_eq!(shared.seats.fill(), None::<Spare>);
        if let Some(task) = shared.injected.steal() {
            local.execute(Job::Task(task));
        }
    }

    #[test]
    fn what_comes_for_one_who_gets_no_thread_just_then_is_run_by_others() {
        let [local, ended] = workers(2, None);
        let shared = &local.shared;
        let weak = Arc::downgrade(shared);
        let hire = move |_| {
            weak.upgrade().unwrap().worker(1).inbox.push(task());
            Err(io::ErrorKind::WouldBlock.into())
        };
        assert!(shared.hire.set(Box::new(hire)).is_ok());
        shared.seats.sit_out(ended.index);
        assert!(shared.dismiss(ended.index));
        shared.seats.retire(ended.index);
        sleep(&local);
        assert!(!shared.start_spare());
        assert!(is_told(&local) && ended.remote().inbox.is_empty());
        run(&local);
        assert_eq!(local.counters().tasks.read(), 1);
    }

    #[test]
    fn what_is_for_one_who_leaves_for_good_is_run_by_others_whenever_it_comes() {
        for leaves_first in [true, false] {
            let [other, local] = workers(2, None);
            let shared = &local.shared;
            sleep(&other);
            if leaves_first {
                shared.lose(local.index);
            }
            local.remote().inbox.push(task());
            shared.summon(local.index);
            if !leaves_first {
                assert!(!is_told(&other));
                shared.lose(local.index);
            }
            assert!(is_told(&other) && local.remote().inbox.is_empty());
            run(&other);
            assert_eq!(other.counters().tasks.read(), 1);
        }
    }
}
