//! How a pool comes to its end: its gate is closed, and who falls asleep last, or leaves the last seat, finds
//! that nothing is left to do and that nobody can submit more.
//!
//! Model: loom-tests/tests/wake.rs.

use crate::sync::Ordering;
use crate::sync::fence::{full_fence, heavy_fence};
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use std::io::{self, Write};

impl Shared {
    /// One worker less that must sleep before the pool ends.
    pub fn unstaff(&self) {
        self.staffed.fetch_sub(1, Ordering::Relaxed);
        // A sleeper that misses this change has fenced before us. Then either we see the
        // gate sealed, or whoever seals it fences after us, and so sees that sleeper. Not a
        // light_fence: the watch comes here, too, which is no worker.
        full_fence();
        if self.gate.is_sealed() {
            self.wake_for_the_end();
        }
    }

    /// Wakes some worker, so that it looks whether the pool has come to its end. If none
    /// sleeps yet, the last to fall asleep looks anyway; if none has a seat, nobody else would.
    pub fn wake_for_the_end(&self) {
        full_fence();
        if let Some(worker) = self.idle.wake_one() {
            self.unpark(worker);
        } else if self.num_threads() == 0 && !self.end_if_last() && self.has_work() {
            self.start_spare();
        }
    }

    /// Ends the pool if it is shutting down, nobody can submit any more, every worker sleeps and no work is
    /// left. Who falls asleep last, or leaves the last seat, finds this to be so.
    pub fn end_if_last(&self) -> bool {
        let nothing_left = || {
            heavy_fence();
            let is_addressed = |worker: &Remote| !worker.inbox.is_empty();
            !self.has_work() && !self.workers().any(is_addressed) || self.is_abandoned()
        };
        // The number of workers last: it may have changed before the gate was closed.
        let ended = self.gate.is_sealed() && self.idle.end(self.num_threads(), nothing_left);
        if ended {
            self.wake_all();
            if self.has_work() {
                let _ = writeln!(
                    io::stderr(),
                    "filch: a pool has ended with tasks that never ran: it had no thread, and could start none. \
                     Let the thread of `use_current_thread` outlive its pool, or the pool have others (`max_threads`); \
                     and run every `ThreadBuilder`."
                );
            }
        }
        ended
    }

    /// Whether nobody is there who could run anything, nor ever will be: all were guests, or their threads
    /// came to nothing.
    fn is_abandoned(&self) -> bool {
        self.workers().all(|worker| worker.presence.is_gone()) && !self.has_spares()
    }

    /// Whether this worker is the only one that could run anything.
    pub fn is_left_to(&self, worker: usize) -> bool {
        let is_gone = |other: &Remote| other.index == worker || other.presence.is_gone();
        self.workers().all(is_gone) && !self.has_spares()
    }

    /// Whether it may start threads beside those that it was built with.
    fn has_spares(&self) -> bool {
        self.hire.get().is_some() && !self.spares.is_empty()
    }

    /// Whether the pool has come to its end. It stays so.
    pub fn is_over(&self) -> bool {
        self.idle.has_ended()
    }

    /// Wakes every thread there is, at the end.
    pub fn wake_all(&self) {
        self.roster().for_each(|(worker, _)| self.unpark(worker));
        self.watch.wake();
        // Set before the pool could end: when it was built.
        self.governor.get().inspect(|governor| governor.unpark());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::sync::Ordering::Relaxed;
    use crate::worker::bare::{count_hired, is_told, run, sleep, task, workers};
    use crate::worker::local::Local;
    use crate::worker::shared::Job;
    use std::sync::atomic::Ordering::SeqCst;

    /// Two that sleep.
    fn asleep() -> [Local; 2] {
        let workers = workers(2, None);
        workers.iter().for_each(sleep);
        workers
    }

    #[test]
    fn a_pool_ends_when_its_gate_is_closed_and_all_sleep_and_nothing_is_left() {
        let [local, other] = asleep();
        let shared = &local.shared;
        assert!(!shared.end_if_last(), "more may come");
        shared.gate.close();
        shared.idle.wake_up(other.index);
        assert!(shared.idle.stop_searching());
        assert!(!shared.end_if_last(), "one is awake");
        sleep(&other);
        for put in [
            |local: &Local| local.shared.injected.push(task()),
            |local: &Local| local.remote().inbox.push(task()),
            |local: &Local| local.deques.detached.push(task()),
        ] {
            put(&other);
            assert!(!shared.end_if_last() && !shared.is_over());
            run(&other);
        }
        assert!(shared.end_if_last() && shared.is_over());
    }

    #[test]
    fn a_pool_ends_with_work_left_if_nobody_can_ever_come() {
        let [local, other] = asleep();
        let shared = &local.shared;
        let go = |local: &Local| _ = local.remote().presence.leave_for_good();
        shared.gate.close();
        shared.injected.push(task());
        assert!(!shared.is_left_to(other.index));
        go(&local);
        assert!(!shared.end_if_last(), "the other one may wake up");
        assert!(shared.is_left_to(other.index) && !shared.is_left_to(local.index));
        go(&other);
        assert!(shared.end_if_last());
        run(&local);
        for (max, ends) in [(1, true), (2, false)] {
            let [local] = workers(max, None);
            let shared = &local.shared;
            let _hired = count_hired(shared);
            shared.injected.push(task());
            assert_eq!(shared.is_left_to(local.index), ends, "whether one can be hired");
            go(&local);
            shared.staffed.store(0, Relaxed);
            shared.gate.close();
            assert_eq!(shared.end_if_last(), ends);
            run(&local);
        }
    }

    #[test]
    fn who_leaves_a_pool_that_is_shutting_down_has_another_look_whether_it_ends() {
        let [local, leaves] = workers(2, None);
        sleep(&local);
        local.shared.unstaff();
        assert_eq!(local.shared.num_threads(), 1);
        assert!(local.shared.idle.anyone_asleep(), "more may come");
        local.shared.staffed.store(2, Relaxed);
        local.shared.gate.close();
        leaves.shared.unstaff();
        assert!(!local.shared.idle.anyone_asleep() && is_told(&local));
    }

    #[test]
    fn if_nobody_is_there_whoever_wakes_for_the_end_ends_it_or_has_somebody_hired() {
        for (staffed, work, hires, ends) in
            [(0, false, 0, true), (0, true, 1, false), (1, true, 0, false), (1, false, 0, false)]
        {
            let [local] = workers(2, None);
            let hired = count_hired(&local.shared);
            assert!(local.leave_seat());
            local.shared.staffed.store(staffed, Relaxed);
            if work {
                local.shared.injected.push(task());
            }
            local.shared.begin_shutdown();
            assert_eq!((hired.load(SeqCst), local.shared.is_over()), (hires, ends));
            while let Some(task) = local.shared.injected.steal() {
                local.execute(Job::Task(task));
            }
        }
    }

    #[test]
    fn all_are_woken_at_the_end() {
        let [local, other] = workers(2, None);
        local.shared.wake_all();
        for worker in [local, other] {
            assert!(is_told(&worker));
        }
    }
}
