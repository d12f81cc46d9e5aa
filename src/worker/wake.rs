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

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::StackJob;
    use crate::policy::victim::{Candidate, VictimPolicy};
    use crate::sync::Ordering::Relaxed;
    use crate::sync::cpu::current_cpu;
    use crate::sync::fence::full_fence;
    use crate::worker::bare::{count_hired, hide, is_told, sleep, take_back, task, workers};
    use crate::worker::blocked::Blocked;
    use crate::worker::local::Local;
    use crate::worker::shared::Job;
    use std::sync::atomic::Ordering::SeqCst;
    use std::time::Duration;

    /// Two that wait, for this and for that, and one that is busy.
    fn waiting(reasons: [Blocked; 2]) -> [Local; 3] {
        let workers = workers(3, None);
        for (local, why) in workers.iter().zip(reasons) {
            local.shared.block(local.index, why);
            assert!(local.leave_seat());
        }
        workers
    }

    #[test]
    fn a_publisher_wakes_one_who_is_idle_unless_somebody_searches() {
        let [first, second] = workers(2, None);
        let shared = &first.shared;
        for notify in [
            |local: &Local| local.shared.notify(|_, _| true),
            |local: &Local| local.shared.notify_from_outside(|_, _| true),
        ] {
            notify(&first);
            assert!(!is_told(&first) && !is_told(&second), "both are busy");
            sleep(&first);
            sleep(&second);
            assert!(shared.wake_idle());
            assert!(is_told(&first) && !is_told(&second));
            notify(&second);
            assert!(!is_told(&second), "the first one searches");
            assert!(shared.idle.stop_searching());
            notify(&first);
            assert!(is_told(&second));
            assert!(shared.idle.stop_searching());
            assert!(!shared.wake_idle());
        }
    }

    #[test]
    fn of_those_who_wait_only_the_concerned_are_woken() {
        let [first, second, busy] = waiting([Blocked::Latch, Blocked::Guest]);
        let told = || [is_told(&first), is_told(&second)];
        assert!(!busy.shared.nudge(|_, _| false));
        assert_eq!(told(), [false, false]);
        for notify in [
            |local: &Local| local.shared.notify(|_, why| why == Blocked::Guest),
            |local: &Local| assert!(local.shared.nudge(|index, _| index == 1)),
            |local: &Local| local.shared.nudge_others(0),
        ] {
            notify(&busy);
            assert_eq!(told(), [false, true]);
        }
        busy.shared.nudge_others(busy.index);
        assert_eq!(told(), [true, true]);
        busy.shared.unblock(first.index);
        busy.shared.nudge_others(busy.index);
        assert_eq!(told(), [false, true], "it doesn't sleep");
    }

    #[test]
    fn who_may_run_anything_is_concerned_by_everything() {
        let [first, second, busy] = waiting([Blocked::Any, Blocked::Call]);
        assert!(busy.shared.nudge(|_, _| false));
        assert!(is_told(&first) && !is_told(&second));
    }

    #[test]
    fn if_nobody_is_idle_or_concerned_a_spare_is_started() {
        for concerned in [false, true] {
            let [local, _busy] = workers(3, None);
            let (shared, hired) = (&local.shared, count_hired(&local.shared));
            shared.block(local.index, Blocked::Latch);
            assert!(local.leave_seat());
            shared.notify(|_, _| concerned);
            assert_eq!(is_told(&local), concerned);
            assert_eq!(hired.load(SeqCst), usize::from(!concerned));
        }
    }

    #[test]
    fn if_all_are_away_and_no_spare_is_to_be_had_those_who_wait_are_called() {
        let [first, second, last] = waiting([Blocked::Latch, Blocked::Call]);
        last.shared.notify(|_, _| false);
        assert!(!is_told(&first) && !is_told(&second), "one runs");
        assert!(last.leave_seat());
        last.shared.notify(|_, _| false);
        assert!(is_told(&first) && is_told(&second));
        last.shared.notify(|_, why| why == Blocked::Call);
        assert!(!is_told(&first) && is_told(&second), "one comes");
    }

    #[test]
    fn the_watch_is_armed_when_all_are_busy_and_hired_once() {
        let [local] = workers(1, Some(Duration::ZERO));
        let (shared, hired) = (&local.shared, count_hired(&local.shared));
        let seen = || {
            let away = shared.seats.exceptions.load(Relaxed);
            (shared.watch.is_armed(), away, hired.load(SeqCst))
        };
        assert_eq!(seen(), (false, 1, 0));
        shared.notify(|_, _| false);
        assert_eq!(seen(), (true, 0, 1));
        shared.arm_watch();
        assert_eq!(seen(), (true, 0, 1));
        shared.go_off_watch();
        assert_eq!(seen(), (false, 1, 1));
        shared.watch.begin();
        shared.injected.push(task());
        shared.go_off_watch();
        assert_eq!(seen(), (true, 1, 1), "it is woken: it has its thread");
        local.execute(local.find().unwrap());
    }

    #[test]
    fn a_watch_that_gets_no_thread_is_off_duty_for_a_while() {
        // Nobody hires.
        let [local] = workers(1, Some(Duration::ZERO));
        let shared = &local.shared;
        shared.arm_watch();
        assert!(!shared.watch.is_armed() && shared.watch.is_refused(|| shared.clock.elapsed()));
        assert_eq!(shared.seats.exceptions.load(Relaxed), 1);
        count_hired(shared);
        shared.arm_watch();
        assert!(!shared.watch.is_armed());
        shared.watch.pardon();
        shared.arm_watch();
        assert!(shared.watch.is_armed());
    }

    #[test]
    fn who_shows_frames_wakes_the_idle_and_the_one_who_waits_for_what_it_runs() {
        let [waits, other, busy] = waiting([Blocked::Thief(2), Blocked::Thief(1)]);
        busy.shared.notify_exposed(busy.index);
        assert!(is_told(&waits) && !is_told(&other));
        let [idle, busy] = workers(2, None);
        sleep(&idle);
        busy.shared.notify_exposed(busy.index);
        assert!(is_told(&idle));
    }

    #[test]
    fn who_shows_frames_to_nobody_has_a_spare_started_or_the_watch_armed() {
        let [local, busy] = workers(3, None);
        let hired = count_hired(&busy.shared);
        busy.shared.notify_exposed(busy.index);
        assert!(local.leave_seat());
        assert_eq!(hired.load(SeqCst), 0);
        busy.shared.notify_exposed(busy.index);
        assert_eq!(hired.load(SeqCst), 1);
        // A helper is there, but may be the one that waits for a CPU.
        let [waits, busy] = workers(2, Some(Duration::ZERO));
        count_hired(&busy.shared);
        busy.shared.block(waits.index, Blocked::Thief(busy.index));
        busy.shared.notify_exposed(busy.index);
        assert!(is_told(&waits) && busy.shared.watch.is_armed());
    }

    #[test]
    fn a_misfit_is_shown_to_all_who_wait_and_to_one_who_is_idle_or_a_spare() {
        let [waits, idle, thief] = workers(4, None);
        let (shared, hired) = (&thief.shared, count_hired(&thief.shared));
        let give_up = |told: [bool; 2], hires| {
            shared.add_misfit(Job::Task(task()));
            assert_eq!([is_told(&waits), is_told(&idle)], told);
            assert_eq!(hired.load(SeqCst), hires);
            thief.execute(shared.misfits.take(|_| true).unwrap());
        };
        shared.block(waits.index, Blocked::Latch);
        assert!(waits.leave_seat());
        sleep(&idle);
        give_up([true, true], 0);
        assert!(shared.idle.stop_searching());
        give_up([true, false], 1);
    }

    #[test]
    fn the_last_to_leave_the_search_looks_after_those_who_sleep() {
        for leave in [
            |local: &Local| local.shared.stop_searching(),
            |local: &Local| local.shared.leave_search(local.index),
        ] {
            for has_work in [false, true] {
                let [searches, idle] = workers(2, None);
                sleep(&idle);
                searches.shared.idle.start_searching();
                if has_work {
                    searches.shared.injected.push(task());
                }
                leave(&searches);
                assert_eq!(is_told(&idle), has_work);
                assert_eq!(searches.shared.idle.searching(), usize::from(has_work));
                searches.find().into_iter().for_each(|job| searches.execute(job));
            }
        }
    }

    #[test]
    fn who_leaves_the_search_beside_another_leaves_those_who_sleep_to_it() {
        let [searches, idle] = workers(2, None);
        let shared = &searches.shared;
        sleep(&idle);
        (0..2).for_each(|_| shared.idle.start_searching());
        shared.injected.push(task());
        shared.stop_searching();
        assert!(!is_told(&idle) && shared.idle.searching() == 1);
        searches.execute(searches.find().unwrap());
    }

    #[test]
    fn the_last_to_leave_the_search_has_a_spare_started_or_calls_those_who_wait() {
        for spare in [false, true] {
            let [searches, waits] = workers(if spare { 3 } else { 2 }, Some(Duration::ZERO));
            let (shared, hired) = (&searches.shared, count_hired(&searches.shared));
            shared.block(waits.index, Blocked::Latch);
            assert!(waits.leave_seat());
            shared.injected.push(task());
            shared.idle.start_searching();
            shared.stop_searching();
            // The watch, if no spare.
            assert_eq!((is_told(&waits), hired.load(SeqCst)), (!spare, 1));
            assert_eq!(shared.watch.is_armed(), !spare);
            searches.execute(searches.find().unwrap());
        }
    }

    #[test]
    fn who_leaves_the_search_raises_hunger_only_if_others_sleep() {
        for sleeps in [false, true] {
            let [searches, other] = workers(2, None);
            if sleeps {
                sleep(&other);
            }
            searches.shared.look_for_others(full_fence);
            let frame = StackJob::new(|_| (), searches.lane().top());
            // SAFETY: taken back below.
            hide(&searches, unsafe { frame.as_frame() });
            assert!(sleeps <= searches.shared.has_visible());
            assert!(take_back(&searches, &frame));
        }
    }

    #[test]
    fn one_is_alone_awake_if_all_others_sleep_and_no_spare_has_come() {
        let [local, other] = workers(3, None);
        let shared = &local.shared;
        assert!(!shared.is_alone_awake(local.index));
        sleep(&other);
        assert!(shared.is_alone_awake(local.index) && !shared.is_alone_awake(other.index));
        assert!(!shared.is_alone_awake(2), "a spare");
        sleep(&local);
        assert!(shared.is_alone_awake(local.index), "who is about to sleep");
        let _deques = shared.move_in(2);
        assert!(!shared.is_alone_awake(local.index));
    }

    #[test]
    fn a_wake_is_counted_if_somebody_slept() {
        let [local] = workers(1, None);
        local.shared.unpark(local.index);
        assert!(is_told(&local) && !is_told(&local));
        assert_eq!(local.shared.counters().wakes, 0, "it was awake");
    }

    #[test]
    fn who_waits_is_left_alone_while_somebody_idle_comes_or_searches() {
        let [waits, idle, busy] = workers(3, None);
        let shared = &busy.shared;
        shared.block(waits.index, Blocked::Latch);
        assert!(waits.leave_seat());
        sleep(&idle);
        shared.notify(|_, _| true);
        assert!(is_told(&idle) && !is_told(&waits));
        shared.notify(|_, _| true);
        assert!(!is_told(&waits), "the idle one searches");
        assert!(shared.idle.stop_searching());
        shared.notify(|_, _| true);
        assert!(is_told(&waits));
    }

    #[test]
    fn one_who_takes_what_waits_is_woken_beside_one_who_may_leave_it_to_others() {
        let [ill, well] = workers(2, None);
        let shared = &ill.shared;
        let known = [Candidate { health: 0.1, ..Candidate::new(0) }, Candidate::new(1)];
        shared.victims.rebalance(Box::new(known), Duration::ZERO);
        sleep(&well);
        shared.idle.start_searching();
        assert!(shared.wake_idle() && !is_told(&well), "all are alike");
        shared.victims.set_policy(VictimPolicy::HealthWeighted);
        assert!(shared.wake_idle() && is_told(&well));
    }

    #[test]
    fn who_has_work_where_all_are_awake_wakes_one_who_fell_asleep_elsewhere() {
        if current_cpu().is_none() {
            return;
        }
        // The thread may move between two looks at where it is.
        assert!((0..100).any(|_| {
            let [local, elsewhere] = workers(2, None);
            sleep(&elsewhere);
            local.shared.whereabouts.seen(elsewhere.index, Some(u32::MAX >> 1), 0);
            (0..2).for_each(|_| local.shared.idle.start_searching());
            local.shared.leave_search(local.index);
            is_told(&elsewhere)
        }));
    }
}
